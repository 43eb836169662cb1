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
    /* of tensor operations, on graphs whose extents are all known */
    HET__PASS_TIDY,         /* what changes nothing goes, and what is computed twice */
    HET__PASS_ACTIVATIONS,  /* spelled out in small steps: Swish, Gelu, Mish, … */
    HET__PASS_NORMS,        /* likewise layer and RMS norms */
    HET__PASS_ATTENTION,    /* likewise attention */
    HET__PASS_TRANSPOSES,   /* merged, moved on, cancelled */
    HET__PASS_FOLD,         /* norms, scales and pads into weights of convolutions */
    HET__PASS_SIBLINGS,     /* products of one input with several weights become one */
    HET__PASS_INTEGERS,     /* convolutions of codes; codes stay codes between them */
    HET__PASS_WINDOWS,      /* Conv and pools take the forms that devices fuse */
    HET__PASS_PRODUCTS,     /* MatMul and Gemm likewise */
    HET__PASS_EPILOGUE,     /* sums, scales and activations behind these move into them */
    HET__PASS_LAYOUT,       /* images are kept in blocks of channels between such nodes */
    HET__PASS_COUNT
} het__pass;

#define HET__PASSES_ALL ((UINT32_C(1) << HET__PASS_COUNT) - 1)

typedef struct het__pass_report {
    uint32_t rewrites[HET__PASS_COUNT];
    uint32_t nodes_before, nodes_after;
} het__pass_report;

typedef struct het__pass_options {
    uint32_t mask;  /* bits of het__pass */
    int32_t block;  /* channels that the device likes to have together in images; 0: any */
} het__pass_options;

const char *het__pass_name(het__pass pass);

/* Run the passes of the mask in order. report may be NULL. */
het_status het__passes_run(het__graph *graph, const het__pass_options *options,
                           het__pass_report *report, het_error *err);

#endif /* HET_PASSES_PASSES_H */
