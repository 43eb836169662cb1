/* SPDX-License-Identifier: Apache-2.0 */
/* What could run side by side: stages of a graph of nodes and edges, and its longest chains. */
#ifndef HET_COST_CONCURRENCY_H
#define HET_COST_CONCURRENCY_H

#include "lib/base/mem.h"

#include <hetinfer/analysis.h>

/* A node that must come before another; from < to. */
typedef struct het__edge {
    uint32_t from, to;
} het__edge;

/* Fill stage, the longest chain of nodes before each, and result. Nodes stand in topological order;
 * edges are sorted by `to`, and may repeat. ns: time of each node; NULL: critical_ns and total_ns
 * stay 0. finish: scratch of node_count entries; NULL if ns is. width: nodes of each stage,
 * node_count entries. O(nodes + edges). */
void het__concurrency(uint32_t node_count, const het__edge *edges, uint32_t edge_count,
                      const double *ns, double *finish, uint32_t *stage, uint32_t *width,
                      het_concurrency *result);

#endif /* HET_COST_CONCURRENCY_H */
