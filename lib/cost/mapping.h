/* SPDX-License-Identifier: Apache-2.0 */
/* How work spreads over the units of a device: tiles that fit near memory, waves of tiles, lanes
 * without work. */
#ifndef HET_COST_MAPPING_H
#define HET_COST_MAPPING_H

#include "lib/ir/graph.h"
#include "lib/machine/machine.h"

#include <hetinfer/analysis.h>

/* Work as matrices: `matrices` of rows x columns results, each the sum of `depth` terms; 0 where
 * results are no sums of products. */
typedef struct het__work_shape {
    double matrices, rows, columns, depth;
    double element_bytes; /* of an operand */
    bool is_apart;        /* each column has terms of its own: windows over single channels */
} het__work_shape;

/* Independent results of a node whose work is given, and the same as matrices. */
void het__node_parallelism(const het__graph *graph, const het__node *node, const int64_t *symbols,
                           const het__work *work, het_parallelism *p, het__work_shape *shape);

/* The mapping of work to a device. Never more units than there are. */
void het__map_work(const het__work_shape *shape, const het__machine_device *device,
                   het_mapping *mapping);

/* Waves that a number of items takes on a number of units; 0 for no items. */
double het__waves(double items, double units);

#endif /* HET_COST_MAPPING_H */
