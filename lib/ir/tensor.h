/* SPDX-License-Identifier: Apache-2.0 */
/* A concrete tensor: element type, extents, and bytes if they are known. Dense, row-major. */
#ifndef HET_IR_TENSOR_H
#define HET_IR_TENSOR_H

#include <stdbool.h>

#include "lib/base/mem.h"

#include <hetinfer/tensor.h>

typedef struct het__tensor {
    het_dtype dtype; /* HET_DTYPE_NONE: there is no such tensor (an optional one left out) */
    uint32_t rank;
    int64_t extent[HET_RANK_MAX];
    void *data; /* NULL: contents not known (yet) */
} het__tensor;

/* Product of the extents from first to last - 1; extents were checked not to overflow. */
static inline int64_t het__tensor_span(const het__tensor *t, uint32_t first, uint32_t last)
{
    int64_t n = 1;
    for (uint32_t i = first; i < last; i++)
        n *= t->extent[i];
    return n;
}

static inline int64_t het__tensor_elements(const het__tensor *t)
{
    return het__tensor_span(t, 0, t->rank);
}

/* -1 if an extent is negative, the type has no size or the product overflows. */
int64_t het__tensor_bytes(const het__tensor *t);

/* Steps, in elements, between neighbours of each extent. */
void het__tensor_strides(const het__tensor *t, int64_t strides[HET_RANK_MAX]);

bool het__tensor_same_extents(const het__tensor *a, const het__tensor *b);
/* Whether p, whose rank is at most x's, has one element for each of a row of x that begins at axis,
 * in the row's order. */
bool het__tensor_is_row(const het__tensor *p, const het__tensor *x, uint32_t axis);

/* "F32[1,3,224,224]", cut to bytes. */
void het__tensor_describe(const het__tensor *t, char *text, size_t bytes);

#endif /* HET_IR_TENSOR_H */
