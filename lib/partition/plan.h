/* SPDX-License-Identifier: Apache-2.0 */
/* A plan: fused graph + machine + costs + policy -> a device per node, grouped by layer, with
 * reasons. Steps of several kinds (prefill, decode, batches) over the same graph are placed
 * together: each gets devices of its own, over one residency of weights and states. */
#ifndef HET_PARTITION_PLAN_H
#define HET_PARTITION_PLAN_H

#include "lib/base/arena.h"
#include "lib/ir/graph.h"
#include "lib/machine/machine.h"
#include "lib/partition/policy.h"

#include <hetinfer/plan.h>

#define HET__PLAN_STEPS_MAX 4
#define HET__PLAN_NONE UINT32_MAX

/* One kind of step. */
typedef struct het__plan_step {
    const int64_t *symbols;
    double weight;    /* how often it runs, against the others */
    const char *name; /* for the text: "decode tokens 1 context 512" */
} het__plan_step;

/* Nodes [first_node, first_node + node_count) of the graph, on one device. */
typedef struct het__plan_entry {
    int32_t layer;
    uint32_t device; /* index in the machine */
    uint32_t first_node;
    uint32_t node_count;
    const char *name, *operations, *reason;
    double predicted_ns, flops, weight_bytes, activation_bytes;
    double stored_bytes; /* weights that no earlier entry stores on this device */
    double stream_bytes; /* of these: what comes for each step */
    double state_bytes;  /* of states that its nodes keep */
    bool is_streamed;    /* its matrices come before each run: see het__plan_stream */
    uint32_t runner_up;     /* device, or HET__PLAN_NONE: no other runs it all */
    double runner_up_total; /* the plan's objective with this entry there, all else as it is */
} het__plan_entry;

/* A copy between devices, before a node runs. */
typedef struct het__plan_transfer {
    uint32_t value; /* of the graph */
    uint32_t from, to;
    uint32_t node; /* the first that needs it there */
    const char *name; /* of the value */
    double bytes, ns;
} het__plan_transfer;

/* What a device holds, over all steps. */
typedef struct het__plan_memory {
    double weight_bytes;     /* with slots for those that come */
    double file_bytes;       /* weights that stay in the model's file; then weight_bytes is 0 */
    double state_bytes;
    double io_bytes;         /* inputs and outputs */
    uint32_t slot_count;     /* slots of experts */
    double slot_bytes;       /* of all of them; mixtures then have no weight_bytes */
    double bring_ns;         /* expected time of this step for bringing experts, in predicted_ns */
    double activation_bytes; /* temporaries: the most at a time, of the step with the most */
    double limit_bytes;      /* INFINITY: none */
} het__plan_memory;

/* On a device without room for all of its weights those of some layers come before each run, into
 * one of a few slots, while another layer computes. slot_count 0: all of them stay. */
typedef struct het__plan_stream {
    uint32_t slot_count;
    double slot_bytes;
    uint32_t come_count, layer_count; /* entries of layers: those that come, of all */
    double bytes;                     /* that come in a step */
} het__plan_stream;

/* Which layers those are, as bits of devices: what a problem reckons with. */
typedef struct het__plan_streams {
    uint32_t devices;
    uint32_t *layers; /* per layer */
    double slot_bytes[HET__MACHINE_DEVICES_MAX];
} het__plan_streams;

/* What the simulation adds: rows of a product, or a branch, on another device. */
typedef struct het__plan_split {
    uint32_t first_node, node_count;
    uint32_t device, other;
    double share; /* of the rows for other; 1: all of the nodes */
    double simulated_ns; /* of the step with this and those before */
    const char *name;    /* of the first node */
} het__plan_split;

typedef struct het__plan {
    het__arena arena;
    het__machine machine;
    uint32_t entry_count;
    het__plan_entry *entries;
    uint8_t *node_device; /* per node, index in the machine */
    double *node_ns;      /* per node, on its device */
    uint32_t node_count, unfused_count;
    uint32_t transfer_count;
    het__plan_transfer *transfers; /* by node */
    uint64_t transfer_bytes;
    double predicted_ns, flops, weight_bytes, activation_bytes;
    uint32_t objective;    /* het_objective, never DEFAULT */
    double total;          /* the objective, of all steps by their weights: ns, or nJ for energy */
    double bound;          /* no placement has less */
    double single[HET__MACHINE_DEVICES_MAX]; /* all on one device; INFINITY: cannot */
    double greedy;         /* each node on the first device that supports it; INFINITY: cannot */
    uint32_t broken_wishes; /* of the policy */
    het__plan_memory memory[HET__MACHINE_DEVICES_MAX];
    het__plan_stream stream[HET__MACHINE_DEVICES_MAX];
    double simulated_ns;  /* plan_split.c; 0: not asked for */
    double split_ns;      /* with splits */
    uint32_t split_count;
    het__plan_split *splits;
    bool proven;
    char *text;
} het__plan;

/* What a device may not run: reasons[node * device_count + device] is NULL where it may. */
typedef struct het__plan_request {
    const het__graph *graph;
    uint32_t unfused_count;
    const het__machine *machine;
    const int64_t *symbols; /* bound to the step that is planned for; steps says more */
    const char *const *reasons; /* NULL: every device may run everything */
    bool exact;
    /* Zero: nothing of what follows. */
    uint32_t step_count; /* 0: one, with symbols */
    const het__plan_step *steps;
    const het__policy_view *policy;  /* bound to the machine */
    const het__node_label *labels;   /* per node; needed with a policy */
    uint32_t objective;              /* het_objective; DEFAULT: the policy's */
    bool limited;                    /* memories of the machine are limits */
    const double *limits; /* bytes that each device of the machine may hold; 0: no more is said */
    uint32_t stream_devices; /* that can bring weights for each step, as bits: plan_stream.c */
    const het__plan_streams *streams; /* of plan.c's own */
    const uint8_t *forced;           /* per step, per node: a device; see het__plan_read() */
    bool split;                      /* judge splits and branches by simulation: plan_split.c */
    bool simulated;                  /* fill simulated_ns at least */
    /* Per step, per node: the placement, which is not searched for; in place of forced. */
    const uint8_t *given;
    /* Per step, per node: nodes that begin an entry, so that what stands before them can be waited
     * for by itself. NULL: entries are as long as they can be. */
    const uint8_t *begins;
} het__plan_request;

/* Make a plan for the first step, or for each of them: plans has room for one per step, in their
 * order. If weights do not fit otherwise, those of hosts stay in the file, mapped. On failure
 * nothing is left to finish. HET_E_UNSUPPORTED: the message says which node runs nowhere, or what
 * does not fit. */
het_status het__plan_make(const het__plan_request *request, het__mem *mem, het__plan *plans,
                          het_error *err);
void het__plan_finish(het__plan *plan);

/* plan_text.c: the text of a plan, for het__free(); NULL if memory ran out. */
char *het__plan_write(const het__plan *plan, const het__graph *graph, const char *step,
                      het__mem *mem);

/* plan_read.c: the devices of a text, which must be a plan of this graph with these symbols on a
 * machine with these devices: every node once and in order, every cut edge with its transfer and no
 * other transfer, sums that are right. node_device: caller's array of the graph's node_count.
 * HET_E_FORMAT: "plan:LINE: sentence"; HET_E_VERSION: a later form. */
het_status het__plan_read(const char *text, size_t bytes, const het__graph *graph,
                          const int64_t *symbols, const het__machine *machine, het__mem *mem,
                          uint8_t *node_device, het_error *err);

#endif /* HET_PARTITION_PLAN_H */
