/* SPDX-License-Identifier: Apache-2.0 */
/* CLBlast as another way to make dense products. Without it (HET_HAVE_CLBLAST 0) nothing fits. */
#ifndef HET_OPENCL_CLBLAST_H
#define HET_OPENCL_CLBLAST_H

#include "backends/gpu/product.h"

/* For up to rows_max rows: what het__cl_clblast_run() needs, if it is to be used at all. */
het_status het__cl_clblast_init(het__gpu_call *call, het__gpu_product *product, int64_t rows_max,
                                het_error *err);
/* Makes *done true, or leaves the product to our own kernels. */
het_status het__cl_clblast_run(het__gpu_call *call, const het__gpu_product *product,
                               const het__gpu_product_step *step, bool *done, het_error *err);

#endif /* HET_OPENCL_CLBLAST_H */
