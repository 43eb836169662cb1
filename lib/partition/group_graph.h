/* SPDX-License-Identifier: Apache-2.0 */
/* The grouping problem of a graph of tensor operations with bound shapes. */
#ifndef HET_PARTITION_GROUP_GRAPH_H
#define HET_PARTITION_GROUP_GRAPH_H

#include "lib/base/arena.h"
#include "lib/ir/graph.h"
#include "lib/machine/machine.h"
#include "lib/partition/groups.h"

/* Near memory if the caller names none: what one core has to itself on most machines. */
#define HET__GROUP_NEAR_BYTES (1 << 20)

typedef struct het__group_request {
    const het__graph *graph;
    const het__machine_device *device;
    uint32_t max_ops;
    double max_bytes;
    double near_bytes; /* 0: HET__GROUP_NEAR_BYTES */
} het__group_request;

/* Fill a problem in memory of the arena; nodes have the graph's numbers. A view (Reshape, Identity,
 * Dropout outside training, …) moves no bytes: what it gives is the memory that it was given. A
 * node with operands of unknown extents stays alone and counts nothing. */
het_status het__group_problem_make(const het__group_request *request, het__arena *arena,
                                   het__group_problem *problem, het_error *err);

#endif /* HET_PARTITION_GROUP_GRAPH_H */
