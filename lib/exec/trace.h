/* SPDX-License-Identifier: Apache-2.0 */
/* A record of what steps did and when: a ring of the last events, made at once, so that recording
 * allocates nothing. Not thread-safe: the thread that runs steps owns it. */
#ifndef HET_EXEC_TRACE_H
#define HET_EXEC_TRACE_H

#include "lib/base/mem.h"

#include <hetinfer/trace.h>

typedef enum het__trace_kind {
    HET__TRACE_STEP = 0, /* all of a run */
    HET__TRACE_PROGRAM,
    HET__TRACE_TRANSFER, /* between devices; bytes 0: shared */
    HET__TRACE_INPUT,    /* to a device */
    HET__TRACE_OUTPUT,   /* from a device */
    HET__TRACE_WAIT,     /* of the host, for a device */
    HET__TRACE_UPLOAD,   /* weights of a layer, or an expert, that come for steps */
} het__trace_kind;

#define HET__TRACE_NO_EXPERT UINT32_MAX

typedef struct het__trace_event {
    uint64_t begin_ns, end_ns, bytes;
    double predicted_ns;
    uint64_t step;      /* number of the run, from 1 */
    het__trace_kind kind;
    int32_t layer;      /* or -1 */
    uint32_t device;    /* of the registry; of a transfer: to */
    uint32_t other;     /* of a transfer: from; of an upload: the expert, HET__TRACE_NO_EXPERT */
    bool is_shared, is_device_clock, is_ahead;
    uint32_t node_count;
    char name[48], operations[80];
} het__trace_event;

typedef struct het__trace het__trace;

/* The lane of a device; names are copied. */
typedef struct het__trace_device {
    char name[96];
} het__trace_device;

het__trace *het__trace_create(het__mem *mem, uint32_t events_max);
void het__trace_destroy(het__trace *trace);

/* Another for each trace of the process, never 0. */
uint64_t het__trace_number(const het__trace *trace);
/* Begin the next run; its number. */
uint64_t het__trace_begin(het__trace *trace);
/* Append an event of the run, over the oldest where the ring is full. name and operations may be
 * NULL, and are cut to what fits. */
het__trace_event *het__trace_add(het__trace *trace, het__trace_kind kind, const char *name,
                                 const char *operations);

/* Of those kept, the oldest first; and how many there were before them. */
uint32_t het__trace_count(const het__trace *trace);
uint64_t het__trace_lost(const het__trace *trace);
const het__trace_event *het__trace_at(const het__trace *trace, uint32_t index);

/* Events as Chrome's tracing page and Perfetto read them: {"traceEvents": [...]}, ASCII but for
 * names that are UTF-8. device: names by number, device_count of them. HET_E_IO: write gave other
 * than 0. */
het_status het__trace_write(const het__trace *trace, const het__trace_device *devices,
                            uint32_t device_count, het_trace_write_fn write, void *user);

#endif /* HET_EXEC_TRACE_H */
