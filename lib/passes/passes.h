/* SPDX-License-Identifier: Apache-2.0 */
/* Rewriting a graph into fewer, larger operations with the same outputs.
 *
 * Every pass is idempotent, leaves the values of the graph's outputs unchanged (but for rounding),
 * and can be switched off. */
#ifndef HET_PASSES_PASSES_H
#define HET_PASSES_PASSES_H

#include "lib/ir/graph.h"

typedef enum het__pass {
    HET__PASS_PARALLEL = 0, /* linears that read the same input become one */
    HET__PASS_GATED,        /* act(gate(x)) * up(x) becomes one node */
    HET__PASS_ROPE,         /* rotation (and head norms) of q and k move into attention */
    HET__PASS_RESIDUAL,     /* the sum behind a linear becomes its residual */
    HET__PASS_COUNT
} het__pass;

#define HET__PASSES_ALL ((UINT32_C(1) << HET__PASS_COUNT) - 1)

typedef struct het__pass_report {
    uint32_t rewrites[HET__PASS_COUNT];
    uint32_t nodes_before, nodes_after;
} het__pass_report;

const char *het__pass_name(het__pass pass);

/* Run the passes of the mask in order. report may be NULL. */
het_status het__passes_run(het__graph *graph, uint32_t mask, het__pass_report *report,
                           het_error *err);

#endif /* HET_PASSES_PASSES_H */
