/* SPDX-License-Identifier: Apache-2.0 */
/* The passes on tensor operations; passes.c holds their names and order. */
#ifndef HET_PASSES_TENSOR_H
#define HET_PASSES_TENSOR_H

#include "lib/ir/window.h"
#include "lib/passes/rewrite.h"

/* image.c */
void het__pass_windows(het__rewriter *r);  /* Conv and pools into their own forms */
void het__pass_products(het__rewriter *r); /* MatMul and Gemm */
void het__pass_epilogue(het__rewriter *r); /* sums, scales and activations behind these */

/* Extents and pads of a window over one or two axes (one: a row of height 1); false if a form
 * cannot say it. */
bool het__window_attrs(const het__window *w, het__image_attrs *a);

/* integer.c: convolutions and products of codes, and what else can stay in codes */
void het__pass_integers(het__rewriter *r);

/* layout.c: blocks of r->block channels; 0: nothing changes */
void het__pass_layout(het__rewriter *r);

/* Of tensor operations, on which the others build. tensor_tidy.c */
void het__pass_tidy(het__rewriter *r);        /* what changes nothing, and what is there twice */
/* The part of it that other passes need when they made views: whether there was something to do. */
bool het__tidy_views(het__rewriter *r);
void het__pass_transposes(het__rewriter *r);  /* tensor_transpose.c: merged, moved on, cancelled */
void het__pass_activations(het__rewriter *r); /* tensor_activation.c: spelled out in small steps */
void het__pass_norms(het__rewriter *r);       /* tensor_norm.c: likewise */
void het__pass_attention(het__rewriter *r);   /* tensor_attention.c: likewise */
void het__pass_fold(het__rewriter *r);        /* tensor_fold.c: into weights of convolutions */
/* tensor_columns.c: the part of it for products; index is that of the node behind one */
void het__fold_columns(het__rewriter *r, uint32_t index);
void het__pass_siblings(het__rewriter *r);    /* tensor_siblings.c: products of one input */

#endif /* HET_PASSES_TENSOR_H */
