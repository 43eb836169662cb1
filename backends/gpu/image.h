/* SPDX-License-Identifier: Apache-2.0 */
/* What the operations on images of floats and of codes share. */
#ifndef HET_GPU_IMAGE_H
#define HET_GPU_IMAGE_H

#include "backends/gpu/starts.h"

#define HET__GPU_ELEMENTS_MAX INT32_MAX
#define HET__GPU_VECTOR_MAX 16 /* elements of the language's longest vector */

static inline int64_t het__gpu_blocks(int64_t channels, int64_t block)
{
    return (channels + block - 1) / block;
}

/* "float", "uchar" or "char". */
static inline const char *het__gpu_code_name(het_dtype dtype)
{
    return dtype == HET_DTYPE_U8 ? "uchar" : dtype == HET_DTYPE_I8 ? "char" : "float";
}

/* Kernels count places of an operand with 32 bits. */
bool het__gpu_image_fits(const het__graph *graph, const het__node *node, char *reason,
                         size_t bytes);

/* The arguments sizes and form of kernels/conv.cl and pool.cl; heights and widths. */
void het__gpu_put_window(het__gpu_start *s, const het__image_attrs *a, const int64_t in[2],
                         const int64_t out[2]);

#endif /* HET_GPU_IMAGE_H */
