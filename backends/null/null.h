/* SPDX-License-Identifier: Apache-2.0 */
/* Control of the fault-injecting devices, for tests inside the library.
 *
 * A device computes with the backend named "ref", so that results are right until a fault. Faults
 * and counters belong to the process, not to a session: a test arms a fault without reaching into
 * one. All functions may be called from any thread.
 *
 * Where the environment may be read, HETINFER_NULL_DEVICES says how many devices a probe finds,
 * HETINFER_NULL_MEMORY how many bytes each has, and HETINFER_NULL_FAULT arms faults when a device
 * is opened:
 *     fault[,fault…]     fault = call[@device]:number[+]:effect
 *     call               open buffer_create buffer_write buffer_read compile enqueue wait
 *     device             0 = the first; without it any, and the calls of all are counted
 *     number             1 = the next call of that kind; "+": that one and all after it
 *     effect             invalid nomem unsupported io busy timeout cancelled device_lost internal;
 *                        lost: device_lost, and so is every later call until the device is closed;
 *                        hang (wait only); nan, short, long (enqueue only)
 * The same text is taken once; a different text arms its faults anew. */
#ifndef HET_NULL_H
#define HET_NULL_H

#include <stdbool.h>
#include <stdint.h>

#include <hetinfer/base.h>

typedef enum het__null_call {
    HET__NULL_OPEN = 0,
    HET__NULL_BUFFER_CREATE,
    HET__NULL_BUFFER_WRITE,
    HET__NULL_BUFFER_READ,
    HET__NULL_COMPILE,
    HET__NULL_ENQUEUE,
    HET__NULL_WAIT,
    HET__NULL_CALL_COUNT
} het__null_call;

typedef enum het__null_effect {
    HET__NULL_FAIL = 1, /* the call does nothing and returns status */
    HET__NULL_LOST,     /* DEVICE_LOST, as every call after it until the device is closed */
    HET__NULL_HANG,     /* wait takes all its time, then HET_E_TIMEOUT; see HET__NULL_HANG_NS */
    HET__NULL_NAN,      /* enqueue succeeds and every float output of the slice is NaN */
    HET__NULL_SHORT,    /* … and the last element of the last node's outputs is not written */
    HET__NULL_LONG,     /* … and so are four bytes behind them */
} het__null_effect;

/* How long a hang lasts if wait has no limit: a test must end. */
#define HET__NULL_HANG_NS UINT64_C(2000000000)

typedef struct het__null_fault {
    het__null_call call;
    uint64_t number; /* 1 = the next call of that kind from now on */
    bool lasting;    /* the calls after it too */
    het__null_effect effect;
    het_status status; /* of HET__NULL_FAIL */
    uint32_t device;   /* 1 = the first; 0: any, and number counts the calls of all */
} het__null_fault;

#define HET__NULL_FAULTS_MAX 8
#define HET__NULL_DEVICES_MAX 8

/* No faults, counters at 0, buffers visible, one device without a bound on its memory, environment
 * not yet read. */
void het__null_reset(void);
/* Faults add up, HET__NULL_FAULTS_MAX of them; false if there is no room. */
bool het__null_arm(const het__null_fault *fault);
/* Faults that have not come to pass, or last. */
uint32_t het__null_armed(void);
/* Calls of a kind since the last reset, failed ones included: of all devices, or of one of them,
 * 1 = the first. */
uint64_t het__null_calls(het__null_call call);
uint64_t het__null_calls_of(uint32_t device, het__null_call call);
/* Pretend that the host cannot reach the buffers: buffer_host gives NULL. */
void het__null_hide_buffers(bool hide);
/* How many devices the next probe finds, up to HET__NULL_DEVICES_MAX. */
void het__null_devices(uint32_t count);
/* Bytes of buffers and constants that each device has room for; 0: no bound. */
void het__null_memory(uint64_t bytes);

#endif /* HET_NULL_H */
