/* SPDX-License-Identifier: Apache-2.0 */
/* Rows of activations in 8 bits, for products that sum in whole numbers (kernels/dot.cl).
 *
 * A row becomes codes of a byte, and for each 32 of them two words: their scale and sums. Products
 * that read the same rows share them. */
#include "backends/gpu/driver.h"

#include "lib/base/dtype.h"
#include "lib/base/error.h"

#define BLOCK 32
#define MARK_BYTES 8
/* Weights with fewer elements take F32 activations, as on processors: what rounding would save on
 * them goes into rounding, and small models keep their exact results. */
#define SMALL_ELEMENTS (INT64_C(1) << 18)
#define GROUP_ITEMS 64

bool het__gpu_codes_fit(const het__gpu_call *call, const het__gpu_product *p)
{
    const het__gpu *gpu = call->gpu;
    const het__gpu_operand *w = &call->inputs[p->weight];
    if (!gpu->rounds || !call->facts->has_dot || call->facts->is_cpu ||
        call->facts->group_max < 128 || p->is_turned || p->is_batched)
        return false;
    return w->value.kind == HET__VALUE_CONST && het__dtype_is_block(p->dtype) &&
           p->inner % BLOCK == 0 && p->inner > 0 &&
           (gpu->rounds_small || w->rows * w->columns >= SMALL_ELEMENTS);
}

het_status het__gpu_codes_init(het__gpu_call *call, het__gpu_codes *codes, int64_t rows_max,
                               int64_t inner, size_t *end, het_error *err)
{
    int64_t elements;
    if (!het__mul_i64(rows_max, inner, &elements) || elements > INT32_MAX)
        return het__fail(err, HET_E_UNSUPPORTED, "too many rows to be rounded");
    codes->inner = inner;
    codes->at = *end;
    codes->marks_at = het__round_up(*end + (size_t)elements, HET__ALIGN);
    call->gpu->rounded_count++;
    *end = het__round_up(codes->marks_at + (size_t)(elements / BLOCK) * MARK_BYTES, HET__ALIGN);
    return het__gpu_kernel_of(call, "dot", "dot_round", "-DKIND=0", &codes->kernel, err);
}

het_status het__gpu_codes_run(het__gpu_call *call, const het__gpu_codes *codes, het__gpu_span x,
                              int64_t rows, het__gpu_product_step *step, het_error *err)
{
    const int64_t blocks = rows * (codes->inner / BLOCK);
    const size_t global = (size_t)blocks, local = GROUP_ITEMS;
    step->codes = (het__gpu_span){ call->scratch, codes->at };
    step->marks = (het__gpu_span){ call->scratch, codes->marks_at };
    het__gpu_arg_memory(codes->kernel, 0, x.mem, x.offset);
    het__gpu_arg_memory(codes->kernel, 2, call->scratch, codes->at);
    het__gpu_arg_memory(codes->kernel, 4, call->scratch, codes->marks_at);
    het__gpu_arg_int(codes->kernel, 6, blocks);
    return het__gpu_launch(call, codes->kernel, 1, &global, &local, err);
}
