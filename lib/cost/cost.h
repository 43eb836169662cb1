/* SPDX-License-Identifier: Apache-2.0 */
/* What a node costs on a device: launch + max(compute, bytes / bandwidth), with the share of
 * measured figures that kernels reach. */
#ifndef HET_COST_COST_H
#define HET_COST_COST_H

#include "lib/ir/graph.h"
#include "lib/machine/machine.h"

typedef struct het__cost {
    double ns;          /* launch + max of the two below */
    double compute_ns;
    double memory_ns;
    bool memory_bound;
} het__cost;

/* Cost of a node whose work is given (het__node_work()). exact: activations stay F32, so that
 * neither 8-bit nor bfloat16 units serve. */
void het__cost_node(const het__graph *graph, const het__node *node, const het__work *work,
                    const het__machine_device *device, bool exact, het__cost *cost);

#endif /* HET_COST_COST_H */
