/* SPDX-License-Identifier: Apache-2.0 */
/* Shape rules of operations that make tensors from extents, attributes and numbers. */
#include <math.h>
#include <string.h>

#include "lib/ir/move.h"
#include "lib/ir/shapes.h"

het_status het__shape_shape(het__eval *e)
{
    const het__tensor *x = het__eval_input(e, 0);
    if (!x)
        return het__eval_refuse(e, "input 0 is missing");
    uint32_t first;
    const int64_t count = het__shape_bounds(e, x->rank, &first);
    return het__eval_shape(e, 0, HET_DTYPE_I64, 1, &count);
}

het_status het__shape_size(het__eval *e)
{
    if (!het__eval_input(e, 0))
        return het__eval_refuse(e, "input 0 is missing");
    return het__eval_shape(e, 0, HET_DTYPE_I64, 0, NULL);
}

het_status het__shape_constant(het__eval *e)
{
    const het__attr *a = het__attr_find(e->attrs, "value", HET__ATTR_TENSOR);
    if (a && a->u.tensor->data)
        return het__eval_like(e, 0, a->u.tensor->dtype, a->u.tensor);
    if (het__attr_find(e->attrs, "value_float", HET__ATTR_FLOAT))
        return het__eval_shape(e, 0, HET_DTYPE_F32, 0, NULL);
    if (het__attr_find(e->attrs, "value_int", HET__ATTR_INT))
        return het__eval_shape(e, 0, HET_DTYPE_I64, 0, NULL);
    const het__attr *floats = het__attr_find(e->attrs, "value_floats", HET__ATTR_FLOATS);
    const het__attr *list = floats ? floats
                                   : het__attr_find(e->attrs, "value_ints", HET__ATTR_INTS);
    if (!list)
        return het__eval_unsupported(e, "a value that is no tensor, and no numbers");
    const int64_t count = list->count;
    return het__eval_shape(e, 0, floats ? HET_DTYPE_F32 : HET_DTYPE_I64, 1, &count);
}

het_status het__shape_constant_of_shape(het__eval *e)
{
    const het__attr *value = het__attr_find(e->attrs, "value", HET__ATTR_TENSOR);
    het__ints shape;
    const het_status s = het__ints_of(e, 0, NULL, HET_RANK_MAX, &shape);
    if (s != HET_OK)
        return s;
    if (!shape.present)
        return het__eval_refuse(e, "there is no shape");
    int64_t n = 1;
    if (value && (!value->u.tensor->data || het__tensor_bytes(value->u.tensor) <= 0 ||
                  !het__span_checked(value->u.tensor, 0, value->u.tensor->rank, &n) || n != 1))
        return het__eval_refuse(e, "the value is not one element");
    const het_dtype dtype = value ? value->u.tensor->dtype : HET_DTYPE_F32;
    if (!shape.known)
        return het__unknown_extents(e, dtype);
    return het__eval_shape(e, 0, dtype, shape.count, shape.at);
}

het_status het__shape_eye_like(het__eval *e)
{
    const het__tensor *x;
    const het_status s = het__operand(e, 0, &x);
    if (s != HET_OK)
        return s;
    const het_dtype dtype = het__attr_dtype(e->attrs, "dtype", x->dtype);
    if (x->rank != 2)
        return het__eval_refuse(e, "rank %u where there is a matrix", x->rank);
    if (dtype == HET_DTYPE_NONE)
        return het__eval_unsupported(e, "elements of type %lld",
                                     (long long)het__attr_int(e->attrs, "dtype", 0));
    return het__eval_like(e, 0, dtype, x);
}

/* ---- Range ---- */

static bool is_range_type(het_dtype dtype)
{
    return dtype == HET_DTYPE_F32 || dtype == HET_DTYPE_F64 || dtype == HET_DTYPE_F16 ||
           dtype == HET_DTYPE_BF16 || dtype == HET_DTYPE_I16 || dtype == HET_DTYPE_I32 ||
           dtype == HET_DTYPE_I64;
}

/* Steps of delta that reach from start to before limit; -1: too many, or none would ever. */
static int64_t count_i64(int64_t start, int64_t limit, int64_t delta)
{
    if (delta == 0)
        return -1;
    if (delta > 0 ? limit <= start : limit >= start)
        return 0;
    const uint64_t way = delta > 0 ? (uint64_t)limit - (uint64_t)start
                                   : (uint64_t)start - (uint64_t)limit;
    const uint64_t step = delta > 0 ? (uint64_t)delta : 0 - (uint64_t)delta;
    const uint64_t count = (way - 1) / step + 1;
    return count <= INT64_MAX ? (int64_t)count : -1;
}

static int64_t count_f64(double start, double limit, double delta)
{
    const double count = ceil((limit - start) / delta);
    if (!(fabs(count) < 0x1p53) || delta == 0)
        return -1;
    return count > 0 ? (int64_t)count : 0;
}

het_status het__shape_range(het__eval *e)
{
    const het__tensor *t[3];
    bool known = true;
    for (uint32_t i = 0; i < 3; i++) {
        int64_t n;
        const het_status s = het__operand(e, i, &t[i]);
        if (s != HET_OK)
            return s;
        if (!is_range_type(t[i]->dtype) || t[i]->dtype != t[0]->dtype || t[i]->rank > 1 ||
            !het__span_checked(t[i], 0, t[i]->rank, &n) || n != 1)
            return het__eval_refuse(e, "input %u is not one number of the same type", i);
        known = known && t[i]->data;
    }
    if (!known)
        return het__unknown_extents(e, t[0]->dtype);
    int64_t count;
    if (t[0]->dtype == HET_DTYPE_I64 || t[0]->dtype == HET_DTYPE_I32)
        count = count_i64(het__index_at(t[0], 0), het__index_at(t[1], 0), het__index_at(t[2], 0));
    else
        count = count_f64(het__number(t[0], 0), het__number(t[1], 0), het__number(t[2], 0));
    if (count < 0)
        return het__eval_refuse(e, "the range has no end");
    return het__eval_shape(e, 0, t[0]->dtype, 1, &count);
}

/* ---- OneHot ---- */

het_status het__shape_one_hot(het__eval *e)
{
    const het__tensor *indices, *depth, *values;
    uint32_t axis;
    int64_t n;
    het_status s = het__operand(e, 0, &indices);
    if (s == HET_OK)
        s = het__operand(e, 1, &depth);
    if (s == HET_OK)
        s = het__operand(e, 2, &values);
    if (s == HET_OK)
        s = het__axis_of(e, "axis", -1, indices->rank + 1, &axis);
    if (s != HET_OK)
        return s;
    if (depth->rank > 1 || !het__span_checked(depth, 0, depth->rank, &n) || n != 1 ||
        values->rank != 1 || values->extent[0] != 2 || indices->rank == HET_RANK_MAX)
        return het__eval_refuse(e, "depth is not one number, or the values are not two");
    if (!depth->data)
        return het__unknown_extents(e, values->dtype);
    const double d = het__number(depth, 0);
    if (!(d >= 0 && d < 0x1p53))
        return het__eval_refuse(e, "depth %g", d);
    int64_t extent[HET_RANK_MAX];
    for (uint32_t i = 0, from = 0; i <= indices->rank; i++)
        extent[i] = i == axis ? (int64_t)d : indices->extent[from++];
    return het__eval_shape(e, 0, values->dtype, indices->rank + 1, extent);
}
