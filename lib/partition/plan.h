/* SPDX-License-Identifier: Apache-2.0 */
/* A plan: fused graph + machine + costs -> a device per node, grouped by layer, with reasons. */
#ifndef HET_PARTITION_PLAN_H
#define HET_PARTITION_PLAN_H

#include "lib/base/arena.h"
#include "lib/ir/graph.h"
#include "lib/machine/machine.h"

#include <hetinfer/plan.h>

/* Nodes [first_node, first_node + node_count) of the graph, on one device. */
typedef struct het__plan_entry {
    int32_t layer;
    uint32_t device; /* index in the machine */
    uint32_t first_node;
    uint32_t node_count;
    const char *name, *operations, *reason;
    double predicted_ns, flops, weight_bytes, activation_bytes;
} het__plan_entry;

typedef struct het__plan {
    het__arena arena;
    het__machine machine;
    uint32_t entry_count;
    het__plan_entry *entries;
    uint8_t *node_device; /* per node, index in the machine */
    uint32_t node_count, unfused_count;
    uint32_t transfer_count;
    uint64_t transfer_bytes;
    double predicted_ns, flops, weight_bytes, activation_bytes;
    bool proven;
    char *text;
} het__plan;

/* What a device may not run: reasons[node * device_count + device] is NULL where it may. */
typedef struct het__plan_request {
    const het__graph *graph;
    uint32_t unfused_count;
    const het__machine *machine;
    const int64_t *symbols; /* bound to the step that is planned for */
    const char *const *reasons;
    bool exact;
} het__plan_request;

/* Make a plan. On failure nothing is left to finish. */
het_status het__plan_make(const het__plan_request *request, het__mem *mem, het__plan *plan,
                          het_error *err);
void het__plan_finish(het__plan *plan);

#endif /* HET_PARTITION_PLAN_H */
