/* SPDX-License-Identifier: Apache-2.0 */
/* What the operations on images of floats and of codes share. */
#ifndef HET_OPENCL_IMAGE_H
#define HET_OPENCL_IMAGE_H

#include "backends/opencl_igpu/starts.h"

#define HET__CL_ELEMENTS_MAX INT32_MAX
#define HET__CL_VECTOR_MAX 16 /* elements of the language's longest vector */

static inline int64_t het__cl_blocks(int64_t channels, int64_t block)
{
    return (channels + block - 1) / block;
}

/* "float", "uchar" or "char". */
static inline const char *het__cl_code_name(het_dtype dtype)
{
    return dtype == HET_DTYPE_U8 ? "uchar" : dtype == HET_DTYPE_I8 ? "char" : "float";
}

/* Kernels count places of an operand with 32 bits. */
bool het__cl_image_fits(const het__graph *graph, const het__node *node, char *reason,
                        size_t bytes);

/* The arguments sizes and form of kernels/conv.cl and pool.cl; heights and widths. */
void het__cl_put_window(het__cl_start *s, const het__image_attrs *a, const int64_t in[2],
                        const int64_t out[2]);

#endif /* HET_OPENCL_IMAGE_H */
