/* SPDX-License-Identifier: Apache-2.0 */
/* Compiled plans and their memory: per-layer execution graphs, transfers, state.
 *
 * An executor holds one graph and a plan per phase. Each plan entry (a run of nodes of one layer
 * on one device) is compiled into a program; before it run the transfers that it needs. All
 * memory is reserved when the executor is made:
 *
 *   per device   io      inputs and outputs, shared by the phases
 *                state   what the device's nodes keep from step to step
 *                temp    intermediates by lifetime, the larger of the phases
 *   host         shared  values that cross between devices which use host memory in place
 *                staging what the host writes and reads where it reaches no device's memory
 */
#ifndef HET_EXEC_EXECUTOR_H
#define HET_EXEC_EXECUTOR_H

#include "lib/base/hash.h"
#include "lib/base/lender.h"
#include "lib/partition/plan.h"

#include <hetinfer/session.h>

#define HET__PHASE_COUNT 2

/* Declared here and defined in lib/exec/registry.h: who drives an executor sees no backend. */
typedef struct het__registry het__registry;
typedef struct het__exec het__exec;
struct het__trace;

typedef struct het__exec_request {
    const het__registry *registry;
    const het__graph *graph; /* fused; kept until the executor is destroyed */
    uint32_t unfused_count;
    uint32_t device_mask;
    uint32_t threads; /* >= 1 */
    uint32_t precision;
    bool weights_mapped;
    bool pin_threads;
    het_parallel_fn parallel; /* may be NULL */
    void *parallel_user;
    const char *weight_cache; /* folder, or NULL; lent for het__exec_create() */
    het__hash128 content;     /* of the model; with weight_cache only */
    const het__policy *policy; /* kept until the executor is destroyed; NULL: none */
    uint32_t phase_count; /* plans to make: 1 for a graph without phases; 0: all */
    int64_t symbols_max[HET__PHASE_COUNT][HET__SYM_MAX];
    /* A constant's original bytes are read no more. */
    void (*constant_copied)(void *user, const void *data, size_t bytes);
    void *constant_user;
    /* Has the bytes of constants that are not where their data says; NULL: all are. */
    const het__lender *lender;
    het_progress_fn progress; /* may be NULL */
    void *progress_user;
    uint64_t timeout_ns; /* that a device may take for what it was given; 0: no limit */
    /* Where the owner keeps its trace, which may come and go between runs; may be NULL. */
    struct het__trace *const *trace;
    /* Bytes that each device of the registry may hold, 0: no more is said; NULL: nothing is. Kept
     * until the executor is destroyed. */
    const double *memory_limits;
    /* Per device of the registry that the mask lacks: which of the others stand for it where a
     * policy's rules name it, as bits of the registry. NULL: none. */
    const uint32_t *stand_ins;
    bool validate; /* wait for each program and check what it made */
    bool lends; /* inputs and outputs are bound to memory of others; one phase only */
    struct het__exec_failure *failure; /* filled when het__exec_create() fails; may be NULL */
} het__exec_request;

/* What an executor was doing. */
typedef enum het__exec_stage {
    HET__EXEC_IDLE = 0,
    HET__EXEC_PLAN,
    HET__EXEC_OPEN,
    HET__EXEC_RESERVE,  /* buffers */
    HET__EXEC_COMPILE,
    HET__EXEC_INPUT,    /* inputs of a step to a device */
    HET__EXEC_TRANSFER, /* between devices; the device to blame is the one that failed */
    HET__EXEC_ENQUEUE,
    HET__EXEC_WAIT,
    HET__EXEC_OUTPUT,
    HET__EXEC_HEAT,     /* nothing: between steps the device was found too hot */
} het__exec_stage;

#define HET__EXEC_NO_DEVICE UINT32_MAX

/* Where het__exec_create() or het__exec_run() failed, beside the status. */
typedef struct het__exec_failure {
    uint32_t device; /* of the registry; HET__EXEC_NO_DEVICE: none is to blame */
    int32_t layer;   /* or -1 */
    het__exec_stage stage;
    het_status status;
} het__exec_failure;

/* What is known of a device: as it says itself, or assumed; and the calibration that fits it, which
 * says better, or NULL. Every way to the present machine comes by here. */
const struct het__calibration *het__exec_figures(const het__registry *registry, uint32_t index,
                                                 uint32_t threads, het_device_figures *figures);
/* A device of the machine costs what was measured of it. A transfer goes at the pace of the slowest
 * device, and waits for one launch on either side. */
void het__exec_attach(het__machine *machine, uint32_t device, const struct het__calibration *c);

/* The devices of a mask as a machine. figures: per device of the registry, or NULL: calibrated
 * ones, or assumed where there are none. */
het_status het__exec_machine(const het__registry *registry, uint32_t mask, uint32_t threads,
                             const het_device_figures *figures, het__machine *machine,
                             het_error *err);

/* Devices of a machine that can bring weights for each step (het__plan_request), as bits. */
uint32_t het__exec_streaming(const het__registry *registry, const het__machine *machine);

/* Place a graph on the devices of a mask for one step with the given symbols. figures: as
 * above. */
het_status het__exec_plan(const het__exec_request *request, const int64_t *symbols,
                          const het_device_figures *figures, het__mem *mem, het__plan *plan,
                          het_error *err);

/* Why not, for each node of a graph and each device: reasons[node * device count + device], NULL
 * where it runs. In the arena; HET_E_NOMEM is the only failure. */
het_status het__exec_support(const het__registry *registry, const het__graph *graph,
                             het__arena *arena, const char ***reasons);

het_status het__exec_create(const het__exec_request *request, het__exec **exec, het_error *err);
void het__exec_destroy(het__exec *exec);

const het__plan *het__exec_plan_of(const het__exec *exec, uint32_t phase);
/* That the plans are of: the request's, or one made of it whose products are divided (split.h).
 * Values of the request's graph have the same numbers in it. */
const het__graph *het__exec_graph(const het__exec *exec);

/* Host memory of an input, to be filled before a run; of an output, to be read after it. NULL if
 * the graph has no such value. */
void *het__exec_input(het__exec *exec, const char *name);
void *het__exec_output(het__exec *exec, const char *name);

/* Of a request that lends: the value of an input or output lies at data from the next run on, at an
 * address fit for its elements and apart from all others; NULL: at home, which is what the two
 * functions above gave when the executor was made. False: it stays at home, and data is for the
 * caller to copy. Touches no bytes, allocates nothing. */
bool het__exec_bind(het__exec *exec, uint32_t value, void *data);

/* Run one step with symbols bound (HET__SYM_MAX entries). Stops between layers with
 * HET_E_CANCELLED when *cancel becomes true. Does not allocate. */
het_status het__exec_run(het__exec *exec, uint32_t phase, const int64_t *symbols,
                         _Atomic uint32_t *cancel, het_error *err);

/* Of the last het__exec_run() that failed. A run that failed has changed states only where its own
 * tokens go, so the same run may be made again, unless the device is lost. */
void het__exec_failure_get(const het__exec *exec, het__exec_failure *failure);

/* From the next run on. */
void het__exec_set_timeout(het__exec *exec, uint64_t timeout_ns);

typedef struct het__exec_counters {
    uint64_t weight_bytes, mapped_bytes, state_bytes, activation_bytes;
    uint64_t staging_bytes, shared_bytes; /* of activation_bytes: host memory of no device */
} het__exec_counters;

void het__exec_counters_get(const het__exec *exec, het__exec_counters *counters);
/* Bytes of inputs and outputs copied to and from devices so far. */
uint64_t het__exec_io_moved(const het__exec *exec);

/* What moved to and from a device. A value that another device made comes as a copy or, where it
 * lies in memory that both use, as nothing. */
typedef struct het__exec_counts {
    uint64_t copies, copied_bytes;  /* from other devices */
    uint64_t shares, shared_bytes;  /* from other devices, without a copy */
    uint64_t bounces;               /* of the copies, those by way of a third place */
    uint64_t inputs, input_bytes;   /* copies from the host before a step */
    uint64_t outputs, output_bytes; /* copies to the host after a step */
    uint64_t waits;                 /* for programs that had not ended, but for a step's end */
} het__exec_counts;

/* One device that a plan uses. */
typedef struct het__exec_usage {
    uint32_t device; /* of the registry */
    uint64_t weight_bytes, mapped_bytes; /* mapped_bytes: of weight_bytes */
    uint64_t state_bytes, io_bytes, temp_bytes, scratch_bytes;
    uint64_t imported_bytes; /* of the host's shared memory */
    double planned_bytes;    /* by the plan: weights, state, io, temporaries */
    double limit_bytes;      /* INFINITY: none */
    uint64_t programs, launches, busy_ns;
    uint64_t stream_slot_bytes, streams, streams_ahead, stream_bytes; /* het__backend_counters */
    het__exec_counts counts;
} het__exec_usage;

/* A mixture of experts among the graph's nodes, in their order. */
typedef struct het__exec_mixture {
    int32_t layer;
    uint32_t experts, used;
    const uint64_t *uses; /* [experts], since the executor was made */
} het__exec_mixture;

uint32_t het__exec_mixture_count(const het__exec *exec);
/* index: in [0, count). */
void het__exec_mixture_at(const het__exec *exec, uint32_t index, het__exec_mixture *mixture);

/* Of all devices that keep some experts only: see het_expert_traffic. */
typedef struct het__exec_traffic {
    uint64_t slots, slot_bytes, hits, misses, evictions, ahead, ahead_hits, staged_bytes;
} het__exec_traffic;

void het__exec_traffic_get(const het__exec *exec, het__exec_traffic *traffic);

uint32_t het__exec_usage_count(const het__exec *exec);
/* index: in [0, count). */
void het__exec_usage_at(const het__exec *exec, uint32_t index, het__exec_usage *usage);

/* Runs of a plan entry since the trace was started. */
typedef struct het__exec_times {
    uint64_t runs, last_ns, least_ns, total_ns;
    bool is_device_clock; /* by the device; else by the host around the program */
} het__exec_times;

/* runs is 0 where nothing is known. */
void het__exec_times_get(const het__exec *exec, uint32_t phase, uint32_t entry,
                         const struct het__trace *trace, het__exec_times *times);

#endif /* HET_EXEC_EXECUTOR_H */
