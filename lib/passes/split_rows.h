/* SPDX-License-Identifier: Apache-2.0 */
/* Products cut by rows of their weights, so that devices can share one.
 *
 *     y = x·Wᵀ   ──▶   y = join(x·W[0:r]ᵀ, x·W[r:N]ᵀ)
 *
 * Rows of a matrix lie one behind another, those of block types too, so parts are constants that
 * point into the whole one: nothing is copied, and what a device holds is what its parts have.
 * Each row is computed as before. What is added to the whole output (the residual of a linear)
 * is added behind the join. */
#ifndef HET_PASSES_SPLIT_ROWS_H
#define HET_PASSES_SPLIT_ROWS_H

#include "lib/ir/graph.h"

/* Parts of one product. */
#define HET__SPLIT_PARTS_MAX 5

/* A node, cut where `share` of its rows stand before. Of a node with several projections each is
 * cut there. */
typedef struct het__row_cut {
    uint32_t node;
    double share; /* in (0, 1) */
} het__row_cut;

/* Where a node of the new graph comes from. */
typedef struct het__split_origin {
    uint32_t node;  /* of the graph that was cut */
    bool is_part;   /* rows of its weights */
    bool is_behind; /* joins parts, or adds to what was joined */
    double first;   /* of a part: share of the rows that stand before it, as asked for by a cut; 0
                       for the first part */
} het__split_origin;

typedef struct het__split_graph {
    het__graph graph; /* borrows names, attributes and data of the one that was cut, whose values
                         keep their numbers */
    het__split_origin *origins; /* per node; of the graph's arena */
    uint32_t split_count;       /* products that were cut */
} het__split_graph;

/* Whether the node is a product with constant weights that can be cut: linear, gated, matmul by
 * rows (transpose_b), conv of one group without a residual. Pure. */
bool het__can_split_rows(const het__graph *graph, const het__node *node);

typedef struct het__split_request {
    const het__graph *graph;
    const het__row_cut *cuts; /* by node, then by share, all of nodes that can be cut */
    uint32_t cut_count;
    const bool *parts_reversed; /* per node, may be NULL: its last part stands first, to be started
                                   first */
    const uint32_t *order; /* all nodes, as they are to stand; NULL: as they do. Whatever makes a
                              value stands before who reads it. */
} het__split_request;

/* Cuts that fall on no row between the first and the last, or together, are left out; split_count
 * may be 0. On failure nothing is left. HET_E_NOMEM, or HET_E_INTERNAL. */
het_status het__split_rows(const het__split_request *request, het__mem *mem, het__split_graph *out,
                           het_error *err);

#endif /* HET_PASSES_SPLIT_ROWS_H */
