/* SPDX-License-Identifier: Apache-2.0 */
/* What integer.c and integer_codes.c share. */
#ifndef HET_PASSES_INTEGER_H
#define HET_PASSES_INTEGER_H

#include "lib/passes/tensor.h"

/* What codes stand for: (code - zero) * scale. */
typedef struct het__codes {
    float scale;
    int32_t zero;
} het__codes;

/* What a convolution of codes is made of. */
typedef struct het__codes_product {
    const char *name;
    uint32_t x;              /* rank 4, codes */
    const void *weights;     /* [M,C/g,kh,kw] of bytes */
    het_dtype weights_type;
    const void *zeros;       /* of the weights; NULL: 0 */
    het_dtype zeros_type;
    int64_t zero_count;      /* 1 or M */
    const void *scales;      /* of the weights, F32 */
    int64_t scale_count;     /* 1 or M */
    const void *bias;        /* I32 [M] in steps of both scales, or NULL */
    het__codes in, out;
    het__image_attrs attrs;  /* window, type, range (cut to that of the type) */
} het__codes_product;

/* The input, if it is a constant with contents. */
const het__value *het__codes_constant(const het__rewriter *r, const het__node *node, uint32_t i);
int64_t het__codes_count(const het__value *v);
/* Scale in input i, zero point behind it, both one constant number and the scale positive. */
bool het__codes_quant(const het__rewriter *r, const het__node *node, uint32_t i, het__codes *q);
/* Zero points of weights, or none. The product keeps contents, never values: values move when the
 * graph grows. */
void het__codes_zeros(het__codes_product *p, const het__value *zeros);
/* x as an image of one place and the window of a product with the matrix w [K,N] (transposed:
 * [N,K]), which is no value of the graph but a copy; false if they do not fit. */
bool het__codes_matrix(het__rewriter *r, het__codes_product *p, uint32_t x, const het__value *w,
                       bool transposed);
/* The convolution; HET__NO_VALUE if it cannot be made. */
uint32_t het__codes_make(het__rewriter *r, het__codes_product *p);

/* integer_codes.c: what this QuantizeLinear makes of floats that come from codes is made of the
 * codes. */
void het__codes_keep(het__rewriter *r, uint32_t index);
/* Weights that are still floats made of codes become constants. */
void het__codes_fold(het__rewriter *r);

#endif /* HET_PASSES_INTEGER_H */
