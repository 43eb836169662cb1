/* SPDX-License-Identifier: Apache-2.0 */
/* What a test tells and asks the Level Zero test driver.
 *
 * The driver is a shared library that the stock loader loads (ZE_ENABLE_ALT_DRIVERS=path) and that
 * executes SPIR-V on PoCL. It calls itself "hetinfer test driver (PoCL)" and pretends to be an
 * integrated GPU without subgroups and fp16, which PoCL 3.1 lacks. Its speed is a processor's.
 *
 * Environment, read when the loader initialises the driver:
 *     HETINFER_ZE_DEVICES   how many devices it has, 1 to ZE_TEST_DEVICES_MAX
 *     HETINFER_ZE_MEMORY    bytes of memory of each device
 *     HETINFER_ZE_VERSION   driverVersion, which native binaries belong to
 *     HETINFER_ZE_CACHE     folder for modules translated from SPIR-V; else each is translated anew
 *     HETINFER_ZE_REORDER   1: commands between two barriers run last to first, as hardware may
 *     HETINFER_ZE_STRICT    1: a complaint aborts, see below
 *     HETINFER_ZE_DP4A      1: devices have DP4a, which is a function of shifts here; 2: and they
 *                           say so by Intel's extension only
 *     HETINFER_ZE_CARD      1: devices have memory of their own, which the host does not reach
 *     HETINFER_ZE_SYSMAN    values of sysman, see sysman.c; "off": it has none
 * and when the first context is made, where it has changed since:
 *     HETINFER_ZE_FAULT     fault[;fault…]
 *         call=NAME,at=N[+],result=R[,device=D]
 *                           the N-th call of a function from now on ("+": and all after it) does
 *                           nothing and gives R: oom oom_host lost gone unknown uninitialized
 *                           invalid unsupported not_ready build denied, or a number (0x78000004)
 *         launch=N[+],kind=K[,ms=T][,kernel=NAME][,device=D]
 *                           the N-th kernel (of that name) that a queue executes
 *         slow=T            every kernel takes T ms more
 *         K:                hang: never ends, nor does what the queue has behind it; waiting for it
 *                           without a limit gives DEVICE_LOST after ZE_TEST_HANG_MS, as the
 *                           kernel's own watchdog does
 *                           lost, gone: the device is lost; slow: T ms more
 *                           flip: one bit of what it wrote; nan: one word of it becomes NaN
 *         lost:             every call for what was made of the device so far fails; a new context
 *                           works, as after a reset by the kernel. gone: for ever.
 *         D:                1 = the first device; without it any
 *
 * Complaints: misuse of the interface (destroyed handles, arguments that do not fit the kernel,
 * memory that nothing was allocated at, freed or written past its end, commands that wait for what
 * nothing will signal, what is left at exit) is written to stderr and counted.
 *
 * The functions below are found by dlsym in the driver's library. */
#ifndef ZE_TEST_CONTROL_H
#define ZE_TEST_CONTROL_H

#include <stdint.h>

#define ZE_TEST_DEVICES_MAX 4
#define ZE_TEST_HANG_MS 1000

typedef struct ze_test_counters {
    uint64_t submissions;  /* lists executed, and commands of immediate lists */
    uint64_t launches;     /* kernels executed */
    uint64_t copied_bytes; /* by copies and fills */
    uint64_t allocations;  /* of memory, so far */
    uint64_t live_bytes, peak_bytes; /* of memory */
    uint64_t translations; /* of SPIR-V */
    uint64_t natives;      /* modules made from native binaries */
    uint64_t objects;      /* living handles but drivers and devices */
    uint64_t imports;      /* ranges of the host's memory that are imported */
} ze_test_counters;

#define ZE_TEST_API __attribute__((visibility("default")))

/* Forget faults, counts of calls, complaints and lost devices, and free what is left of contexts
 * that were lost or hang, which nobody may use any more. */
ZE_TEST_API void ze_test_reset(void);
/* The same, and all contexts are lost: after an application has given up a device by itself. */
ZE_TEST_API void ze_test_abandon(void);
/* Faults add up. 0 if the text is not understood, which stderr explains. */
ZE_TEST_API int ze_test_arm(const char *faults);
/* Faults that have not come to pass, or last. */
ZE_TEST_API uint32_t ze_test_armed(void);
/* Calls of a function ("zeMemFree") since the last reset, failed ones included. */
ZE_TEST_API uint64_t ze_test_calls(const char *name);
ZE_TEST_API uint64_t ze_test_complaints(void);
ZE_TEST_API void ze_test_counts(ze_test_counters *counters);

#endif /* ZE_TEST_CONTROL_H */
