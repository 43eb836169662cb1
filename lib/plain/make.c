/* SPDX-License-Identifier: Apache-2.0 */
/* Kernels that make tensors from extents, attributes and numbers. */
#include <math.h>
#include <string.h>

#include "lib/ir/move.h"
#include "lib/plain/plain.h"
#include "lib/plain/strided.h"

het_status het__plain_shape(het__eval *e)
{
    const het__tensor *x = &e->inputs[0], *out = &e->outputs[0];
    uint32_t first;
    if (e->node->op == HET__OP_T_SIZE) {
        int64_t n;
        if (!het__span_checked(x, 0, x->rank, &n))
            return het__eval_refuse(e, "the input has an impossible size");
        het__put_i64(HET_DTYPE_I64, out->data, 0, n);
        return HET_OK;
    }
    const uint32_t count = het__shape_bounds(e, x->rank, &first);
    for (uint32_t i = 0; i < count; i++)
        het__put_i64(HET_DTYPE_I64, out->data, i, x->extent[first + i]);
    return HET_OK;
}

het_status het__plain_constant(het__eval *e)
{
    static const char *const names[] = { "value", "value_float", "value_int", "value_floats",
                                         "value_ints" };
    static const het__attr_kind kinds[] = { HET__ATTR_TENSOR, HET__ATTR_FLOAT, HET__ATTR_INT,
                                            HET__ATTR_FLOATS, HET__ATTR_INTS };
    const int64_t bytes = het__tensor_bytes(&e->outputs[0]);
    for (int k = 0; k < 5; k++) {
        const het__attr *a = het__attr_find(e->attrs, names[k], kinds[k]);
        if (!a || (k == 0 && !a->u.tensor->data))
            continue;
        const void *from = k == 0   ? a->u.tensor->data
                           : k == 1 ? (const void *)&a->u.f
                           : k == 2 ? (const void *)&a->u.i
                           : k == 3 ? (const void *)a->u.floats
                                    : (const void *)a->u.ints;
        if (bytes)
            memcpy(e->outputs[0].data, from, (size_t)bytes);
        return HET_OK;
    }
    return het__eval_unsupported(e, "a value that is no tensor, and no numbers");
}

het_status het__plain_constant_of_shape(het__eval *e)
{
    static const char zero[8];
    const het__tensor *out = &e->outputs[0];
    const het__attr *value = het__attr_find(e->attrs, "value", HET__ATTR_TENSOR);
    const size_t element = het__element_bytes(out->dtype);
    het__fill(out->data, value ? value->u.tensor->data : zero, element,
              het__tensor_bytes(out) / (int64_t)element);
    return HET_OK;
}

het_status het__plain_eye_like(het__eval *e)
{
    const het__tensor *out = &e->outputs[0];
    const int64_t rows = out->extent[0], columns = out->extent[1];
    const int64_t k = het__attr_int(e->attrs, "k", 0);
    const int64_t bytes = het__tensor_bytes(out);
    if (bytes == 0)
        return HET_OK;
    memset(out->data, 0, (size_t)bytes);
    if (k >= columns || k <= -rows)
        return HET_OK;
    for (int64_t i = k < 0 ? -k : 0; i < rows && i + k < columns; i++)
        het__put_f64(out->dtype, out->data, i * columns + i + k, 1);
    return HET_OK;
}

het_status het__plain_range(het__eval *e)
{
    const het__tensor *start = &e->inputs[0], *delta = &e->inputs[2], *out = &e->outputs[0];
    const int64_t count = out->extent[0];
    if (het__dtype_is_int(out->dtype)) {
        const uint64_t first = (uint64_t)het__get_i64(out->dtype, start->data, 0);
        const uint64_t step = (uint64_t)het__get_i64(out->dtype, delta->data, 0);
        for (int64_t i = 0; i < count; i++)
            het__put_i64(out->dtype, out->data, i, (int64_t)(first + (uint64_t)i * step));
        return HET_OK;
    }
    const double first = het__number(start, 0), step = het__number(delta, 0);
    for (int64_t i = 0; i < count; i++)
        het__put_f64(out->dtype, out->data, i, first + (double)i * step);
    return HET_OK;
}

het_status het__plain_one_hot(het__eval *e)
{
    const het__tensor *indices = &e->inputs[0], *values = &e->inputs[2], *out = &e->outputs[0];
    const size_t element = het__element_bytes(out->dtype);
    const char *off = values->data, *on = off + element;
    uint32_t axis;
    const het_status s = het__axis_of(e, "axis", -1, out->rank, &axis);
    if (s != HET_OK || het__tensor_bytes(out) == 0)
        return s;
    const int64_t depth = out->extent[axis];
    const int64_t outer = het__tensor_span(out, 0, axis);
    const int64_t inner = het__tensor_span(out, axis + 1, out->rank);
    het__fill(out->data, off, element, outer * depth * inner);
    for (int64_t i = 0; i < outer * inner; i++) {
        const double given = trunc(het__get_f64(indices->dtype, indices->data, i));
        const double at = given < 0 ? given + (double)depth : given;
        if (!(at >= 0 && at < (double)depth))
            continue;
        const int64_t place = (i / inner * depth + (int64_t)at) * inner + i % inner;
        memcpy((char *)out->data + (size_t)place * element, on, element);
    }
    return HET_OK;
}
