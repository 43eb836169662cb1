/* SPDX-License-Identifier: Apache-2.0 */
/* A device that is not there: it computes like another backend and takes the time and the memory
 * that a machine file says of some device.
 *
 *     HETINFER_SIM=PROFILE:DEVICE[@BYTES][,…]   devices; DEVICE: its name in the profile, or its
 *                                               kind; BYTES: its memory instead of the profile's,
 *                                               with K, M or G
 *     HETINFER_SIM_SCALE=1.0                    factor of all times; 0: as fast as it computes
 *     HETINFER_SIM_COMPUTE=ref                  the backend that computes
 *
 * Without HETINFER_SIM: the graphics processor and the NPU of the profile amd-8945hs.
 *
 * Programs run on a thread of the device's own, in order, and end no earlier than the cost model
 * says (lib/cost). The host reaches the memory of a processor and of an integrated graphics
 * processor; that of others is read and written at the pace of the profile's link. Copies do not
 * wait for programs: a caller that forgets to wait is to be found out. */
#ifndef HET_SIM_H
#define HET_SIM_H

#include "lib/backend.h"
#include "lib/base/deadline.h"
#include "lib/machine/machine.h"

/* ---- profile.c: which devices there are ---- */

typedef struct het__sim_profile {
    het__machine_device device; /* figures without origins */
    uint64_t memory_bytes;
    double link_bandwidth, link_latency_ns;
    char profile[40];
    const het__backend *inner; /* that computes */
    bool is_hidden; /* the host does not reach its memory */
} het__sim_profile;

/* Reads HETINFER_SIM and keeps what it means for the process until it changes; count of devices, 0
 * with a reason. */
uint32_t het__sim_probe(const het__host *host, char *reason, size_t bytes);
/* By the last probe; false if there is no such device. */
bool het__sim_profile_get(uint32_t index, het__sim_profile *profile);

/* ---- model.c: how long a program takes ---- */

/* What is kept of a slice: its nodes, and of its values type and extents. */
typedef struct het__sim_model {
    het__graph graph;
    bool is_exact;
    int64_t symbols[HET__SYM_MAX]; /* that ns is for */
    double ns;
} het__sim_model;

/* HET_E_NOMEM. */
het_status het__sim_model_make(het__sim_model *model, const het__slice *slice, bool is_exact,
                               het__mem *mem, het_error *err);
void het__sim_model_finish(het__sim_model *model);
double het__sim_model_ns(het__sim_model *model, const het__machine_device *device,
                         const int64_t *symbols);

/* ---- queue.c: the device's own thread ---- */

#define HET__SIM_QUEUE_MAX 256
#define HET__SIM_SPANS 1024

struct het__program {
    het__program *inner;
    het__sim_model model;
    het__program *next;    /* of the device's */
    uint64_t stream_bytes; /* that come before each run */
    int32_t layer;
    het__program *after;   /* guarded by lock: the one with such bytes that ran next, last time */
    uint64_t arrives_ns;   /* likewise; 0: nothing is under way */
};

struct het__buffer {
    het__buffer *inner;
    char *data; /* in host memory, whoever may see it */
    size_t bytes;
};

typedef struct het__sim_job {
    het__program *program;
    int64_t symbols[HET__SYM_MAX];
} het__sim_job;

typedef struct het__sim_span {
    uint64_t begin_ns, end_ns;
} het__sim_span;

struct het__device {
    /* immutable after open */
    const het__backend *inner;
    het__device *inner_device;
    het__mem *mem;
    het__sim_profile profile;
    double scale;
    bool is_exact;
    het__thread thread;
    het__mutex inner_lock; /* held while a function of the inner device runs */
    /* guarded by lock */
    het__mutex lock;
    het__cond change;
    het__sim_job *jobs;   /* ring of HET__SIM_QUEUE_MAX */
    het__sim_span *spans; /* ring of HET__SIM_SPANS, by number */
    uint64_t enqueued, done;
    bool is_stopping, is_abandoned;
    het_status failed;    /* not yet reported; what follows is not run */
    uint64_t failed_at;   /* number of the program that failed */
    het_error failure;
    double modelled_ns;   /* of all programs, unscaled */
    het__program *last_streamed;
    uint64_t uploads_end_ns;
    uint64_t stream_count, stream_ahead, streamed_bytes;
    het__brought *brought; /* ring of HET__SIM_SPANS, by stream_count; likewise what was taken */
    uint64_t brought_taken;
    /* of the core's thread */
    uint64_t used_bytes;  /* buffers, constants */
    uint32_t stream_slots;
    uint64_t slot_bytes;  /* of one */
    het__program *programs;
    const void **constants;
    size_t constant_count, constant_capacity;
};

het_status het__sim_queue_start(het__device *device, het_error *err);
/* What has not begun is not run. */
void het__sim_queue_stop(het__device *device);
void het__sim_queue_add(het__device *device, het__program *program, const int64_t *symbols);
het_status het__sim_queue_wait(het__device *device, uint64_t count, uint64_t timeout_ns,
                               het_error *err);
/* queue.c: nothing waits for a program any more. */
void het__sim_stream_forget(het__device *device, const het__program *program);
/* Until nothing runs, leaving out what has not begun. */
void het__sim_queue_drop(het__device *device);

#endif /* HET_SIM_H */
