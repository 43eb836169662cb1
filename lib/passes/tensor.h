/* SPDX-License-Identifier: Apache-2.0 */
/* The passes on tensor operations; passes.c holds their names and order. */
#ifndef HET_PASSES_TENSOR_H
#define HET_PASSES_TENSOR_H

#include "lib/passes/rewrite.h"

/* image.c */
void het__pass_windows(het__rewriter *r);  /* Conv and pools into their own forms */
void het__pass_products(het__rewriter *r); /* MatMul and Gemm */
void het__pass_epilogue(het__rewriter *r); /* sums, scales and activations behind these */

/* layout.c: blocks of r->block channels; 0: nothing changes */
void het__pass_layout(het__rewriter *r);

#endif /* HET_PASSES_TENSOR_H */
