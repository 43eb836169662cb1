/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of this room share. */
#ifndef HET_EXEC_INTERNAL_H
#define HET_EXEC_INTERNAL_H

#include "lib/exec/executor.h"
#include "lib/exec/registry.h"

/* A value that a program needs from another device: read there, write here. */
typedef struct het__transfer {
    uint32_t value;
    uint32_t from, to; /* devices */
} het__transfer;

/* One plan entry, compiled. */
typedef struct het__unit {
    uint32_t device;
    int32_t layer;
    het__program *program;
    uint64_t number;          /* of the device's programs, in the run that is under way */
    uint32_t transfer_count;
    het__transfer *transfers; /* before the program runs */
} het__unit;

typedef struct het__opened {
    const het__backend *backend;
    het__device *device; /* NULL: not used by any plan */
    bool is_lost; /* it gave TIMEOUT or DEVICE_LOST: only to be released and closed */
    uint64_t enqueued, ended; /* programs since it was opened, as wait_for counts them */
    het__buffer *io, *state, *temp;
    size_t io_bytes, state_bytes, temp_bytes;
    het__place *places[HET__PHASE_COUNT]; /* per value */
} het__opened;

typedef struct het__phase_state {
    het__plan plan;
    uint32_t unit_count;
    het__unit *units;
} het__phase_state;

struct het__exec {
    /* immutable after create */
    het__mem *mem;
    het__log *log;
    const het__graph *graph;
    het__exec_request request;
    uint32_t device_count; /* of the plans' machine */
    het__opened opened[HET__MACHINE_DEVICES_MAX];
    het__phase_state phase[HET__PHASE_COUNT];
    het__arena arena;
    void **staging;       /* per value: host memory of inputs and outputs, else NULL */
    bool *is_direct;      /* per value: staging is the device's own memory */
    void *bounce;         /* largest value that crosses devices */
    size_t staging_bytes; /* with bounce */
    /* run-thread only, with what opened and units count */
    het__exec_failure failure;
};

/* In place of a device of the plans' machine. */
#define HET__EXEC_NONE UINT32_MAX

/* run.c: remember a failure, of a device of the machine or of none; returns its status. A device
 * that gave TIMEOUT or DEVICE_LOST is used no more. */
het_status het__exec_note(het__exec *exec, uint32_t device, int32_t layer, het__exec_stage stage,
                          het_status status);
/* The same, and the caller's error names backend and layer. */
het_status het__exec_blame(het__exec *exec, uint32_t device, int32_t layer, het__exec_stage stage,
                           het_status status, het_error *err);

/* layout.c: sizes and places of all values on all devices, staging, buffers. */
het_status het__exec_layout(het__exec *exec, het_error *err);

#endif /* HET_EXEC_INTERNAL_H */
