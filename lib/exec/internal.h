/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of the executor share.
 *
 *     executor.c  making and destroying, compiling
 *     split.c     plans with divided products; support.c those without
 *     share.c     values that lie in host memory which several devices use in place
 *     layout.c    places of all other values, buffers, budgets
 *     lend.c      inputs and outputs that lie where the caller has them
 *     staging.c   where the host has inputs and outputs, and what is copied for that
 *     order.c     which copies and waits come before which program
 *     validate.c  checks around a program
 *     run.c       a step; move.c its copies, record.c what it leaves in a trace
 *     experts.c   budgets and uses of experts
 *     usage.c     counters and memory
 *     trace.c     a record of steps */
#ifndef HET_EXEC_INTERNAL_H
#define HET_EXEC_INTERNAL_H

#include "lib/exec/executor.h"
#include "lib/exec/registry.h"
#include "lib/exec/trace.h"

/* In place of a device of the plans' machine, and of a unit. */
#define HET__EXEC_NONE UINT32_MAX

/* What one device does with one value in one phase. */
typedef struct het__span {
    uint32_t first, last; /* nodes, of other devices too: a copy to one is made before its entry */
    uint32_t last_own;    /* the last node of this device itself, if is_own */
    bool used, is_own;
} het__span;

/* A value that a program needs from another device. */
typedef struct het__transfer {
    uint32_t value;
    uint32_t from, to; /* devices */
    uint32_t maker;    /* the unit that makes the value: it must have ended */
    uint32_t user;     /* the last unit of `to` that uses the bytes which the copy goes to; it must
                          have ended; HET__EXEC_NONE: none */
    bool is_shared;    /* lies where `to` reads it: nothing to copy */
    double predicted_ns;
} het__transfer;

/* What is known of the runs of one plan entry since a trace was started. */
typedef struct het__unit_times {
    uint64_t trace; /* its number; of another: nothing is known */
    het__exec_times times;
} het__unit_times;

/* One plan entry, compiled. */
typedef struct het__unit {
    uint32_t device;
    int32_t layer;
    het__program *program;
    uint32_t transfer_count;
    het__transfer *transfers; /* before the program runs */
    uint32_t after_count;
    uint32_t *after; /* units of other devices that use shared bytes which this one overwrites */
    /* of the run that is under way */
    bool expects_finite; /* validate.c */
    uint64_t number; /* of the device's programs */
    uint64_t begin_ns, end_ns; /* with a trace: enqueued, seen to have ended; 0: not yet */
    het__unit_times measured;
} het__unit;

/* An input that is copied to a device before a step, or an output from one after it. */
typedef struct het__io_move {
    uint32_t value, device;
} het__io_move;

typedef struct het__opened {
    const het__backend *backend;
    het__device *device; /* NULL: not used by any plan */
    bool is_lost; /* it gave TIMEOUT or DEVICE_LOST: only to be released and closed */
    bool hangs;   /* it gave TIMEOUT: it may go on using what it was given */
    uint64_t enqueued, ended; /* programs since it was opened, as wait_for counts them */
    het__buffer *io, *state, *temp, *shared;
    size_t io_bytes, state_bytes, temp_bytes, shared_bytes;
    het__place *places[HET__PHASE_COUNT]; /* per value */
    het__exec_counts counts;
    uint64_t uploads_end_ns; /* in a trace: of the last that was recorded */
} het__opened;

typedef struct het__phase_state {
    het__plan plan;
    uint32_t *node_entry; /* per node */
    uint32_t unit_count;  /* compiled ones; units has one per entry of the plan */
    het__unit *units;
    uint32_t input_count, output_count;
    het__io_move *inputs, *outputs;
    uint32_t *shared_on;  /* per value: devices on which it lies in shared memory, as bits */
    size_t *shared_at;    /* per value: offset there */
} het__phase_state;

struct het__exec {
    /* immutable after create */
    het__mem *mem;
    het__log *log;
    const het__graph *graph; /* the request's, or split */
    het__graph split;        /* with divided products: split.h */
    het__exec_request request;
    uint32_t device_count; /* of the plans' machine */
    het__opened opened[HET__MACHINE_DEVICES_MAX];
    het__phase_state phase[HET__PHASE_COUNT];
    het__arena arena;
    het__span *spans;     /* while it is made: see het__span_of() */
    void **staging;       /* per value: host memory of inputs and outputs, else NULL; run-thread
                             only, the caller's where it was bound */
    uint64_t **expert_uses; /* per node: of a mixture's experts, else NULL */
    void **home;          /* per value: the same as it was made */
    bool *is_owned;       /* per value: home is a block of its own */
    uint32_t *lent_on;    /* per value: devices that follow it to wherever it is bound, as bits */
    void *bounce;         /* largest value that crosses where the host reaches neither side */
    size_t staging_bytes; /* with bounce */
    void *shared_block;
    char *shared;         /* inside of it, page-aligned */
    size_t shared_bytes;
    /* run-thread only, with what opened and units count */
    het__exec_failure failure;
    struct het__trace *trace; /* of the run under way; NULL: none */
    uint64_t uploads_trace;   /* number of the trace that gets what is brought */
    uint32_t running;         /* its phase */
};

static inline het__span *het__span_of(const het__exec *x, uint32_t device, uint32_t phase,
                                      uint32_t value)
{
    return &x->spans[((size_t)device * x->request.phase_count + phase) * x->graph->value_count +
                     value];
}

/* Bytes of a value in the largest step of a phase, or of all; -1: too many. */
int64_t het__exec_value_bytes(const het__exec *exec, uint32_t phase, uint32_t value);
int64_t het__exec_most_bytes(const het__exec *exec, uint32_t value);
het_status het__exec_too_large(const het__exec *exec, uint32_t value, het_error *err);

/* Bytes behind each value that nothing uses, for validate.c. */
static inline size_t het__exec_guard(const het__exec *exec)
{
    return exec->request.validate ? HET__ALIGN : 0;
}

/* layout.c: everything about memory, by the functions below. */
het_status het__exec_layout(het__exec *exec, het_error *err);
/* share.c: fills shared_on and shared_at, and makes the memory. */
het_status het__exec_share(het__exec *exec, het_error *err);
/* lend.c: fills lent_on, of devices that are open and values that are shared or not; makes and
 * destroys their buffers on a device. */
het_status het__exec_choose_lent(het__exec *exec, het_error *err);
het_status het__exec_import_lent(het__exec *exec, uint32_t device, het_error *err);
void het__exec_drop_lent(het__exec *exec, uint32_t device);
/* staging.c; and the host's address of a value on a device, NULL: not there, or not reached. */
het_status het__exec_staging(het__exec *exec, het_error *err);
void *het__exec_host_of(const het__exec *exec, uint32_t phase, uint32_t device, uint32_t value);
/* experts.c: counters of what is chosen; and what devices may keep of experts, by the policy. */
het_status het__exec_experts(het__exec *exec, het_error *err);
het_status het__exec_expert_limits(const het__exec *exec, double bytes[HET__MACHINE_DEVICES_MAX],
                                   uint32_t keep[HET__MACHINE_DEVICES_MAX], het_error *err);
/* order.c: units of a phase, as yet without programs. */
het_status het__exec_order(het__exec *exec, uint32_t phase, het_error *err);

/* run.c: remember a failure, of a device of the machine or of none; returns its status. A device
 * that gave TIMEOUT or DEVICE_LOST is used no more. */
het_status het__exec_note(het__exec *exec, uint32_t device, int32_t layer, het__exec_stage stage,
                          het_status status);
/* The same, and the caller's error names backend and layer. */
het_status het__exec_blame(het__exec *exec, uint32_t device, int32_t layer, het__exec_stage stage,
                           het_status status, het_error *err);

/* validate.c: around a unit's program, with request.validate. They blame its device. */
het_status het__exec_check_before(het__exec *exec, uint32_t phase, het__unit *unit,
                                  const int64_t *symbols, het_error *err);
het_status het__exec_check_after(het__exec *exec, uint32_t phase, het__unit *unit,
                                 const int64_t *symbols, het_error *err);

/* move.c: bytes of a value in a step; one copy for a step's inputs or outputs; one between devices:
 * where the host reaches one side, the other reads or writes there. They blame who failed. */
size_t het__exec_bytes_of(const het__exec *exec, uint32_t value, const int64_t *symbols);
het_status het__exec_move_input(het__exec *exec, uint32_t phase, const het__io_move *move,
                                const int64_t *symbols, het_error *err);
het_status het__exec_move_output(het__exec *exec, uint32_t phase, const het__io_move *move,
                                 const int64_t *symbols, het_error *err);
het_status het__exec_copy(het__exec *exec, uint32_t phase, const het__transfer *transfer,
                          size_t bytes, int32_t layer, het_error *err);

/* record.c, all but the first and trace_begin() only while exec->trace is not NULL. Number in the
 * registry of a device of the machine. */
uint32_t het__exec_registered(const het__exec *exec, uint32_t device);
/* Looks whether there is a trace now. */
void het__exec_trace_begin(het__exec *exec, uint32_t phase);
void het__exec_trace_end(het__exec *exec, uint64_t begin_ns);
/* What the device was brought since the last call. */
void het__exec_record_uploads(het__exec *exec, uint32_t device);
/* Something that began then and has just ended. */
het__trace_event *het__exec_record(het__exec *exec, het__trace_kind kind, uint32_t device,
                                   int32_t layer, const char *name, uint64_t begin_ns);
/* The programs of a device up to a number are known to have ended: now at the latest. */
void het__exec_mark_ended(het__exec *exec, uint32_t device, uint64_t number);

#endif /* HET_EXEC_INTERNAL_H */
