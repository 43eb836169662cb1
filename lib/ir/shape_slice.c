/* SPDX-License-Identifier: Apache-2.0 */
/* Shape rules of operations that cut tensors, repeat them and put something around them. */
#include <string.h>

#include "lib/ir/move.h"
#include "lib/ir/shapes.h"

het_status het__shape_slice(het__eval *e)
{
    const het__tensor *x;
    het__slicing slice;
    bool known;
    het_status s = het__operand(e, 0, &x);
    if (s == HET_OK)
        s = het__slice_of(e, x, &slice, &known);
    if (s != HET_OK)
        return s;
    if (!known)
        return het__unknown_extents(e, x->dtype);
    return het__eval_shape(e, 0, x->dtype, x->rank, slice.count);
}

het_status het__shape_expand(het__eval *e)
{
    const het__tensor *x;
    het__ints shape;
    het_status s = het__operand(e, 0, &x);
    if (s == HET_OK)
        s = het__ints_of(e, 1, NULL, HET_RANK_MAX, &shape);
    if (s != HET_OK)
        return s;
    if (!shape.present)
        return het__eval_refuse(e, "there is no shape");
    if (!shape.known)
        return het__unknown_extents(e, x->dtype);
    het__tensor out = { .dtype = x->dtype, .rank = shape.count };
    memcpy(out.extent, shape.at, sizeof out.extent);
    if (!het__broadcast(x, &out))
        return het__eval_refuse(e, "the input does not spread to the shape");
    return het__eval_like(e, 0, x->dtype, &out);
}

het_status het__shape_tile(het__eval *e)
{
    const het__tensor *x;
    het__ints repeats;
    het_status s = het__operand(e, 0, &x);
    if (s == HET_OK && e->attrs->opset < 6)
        return het__eval_unsupported(e, "the form before operation set 6");
    if (s == HET_OK)
        s = het__ints_of(e, 1, NULL, HET_RANK_MAX, &repeats);
    if (s != HET_OK)
        return s;
    if (repeats.count != x->rank)
        return het__eval_refuse(e, "%u repeats for rank %u", repeats.count, x->rank);
    if (!repeats.known)
        return het__unknown_extents(e, x->dtype);
    for (uint32_t i = 0; i < x->rank; i++)
        if (repeats.at[i] < 0 || !het__mul_i64(repeats.at[i], x->extent[i], &repeats.at[i]))
            return het__eval_refuse(e, "axis %u cannot be repeated so often", i);
    return het__eval_shape(e, 0, x->dtype, x->rank, repeats.at);
}

/* The value that fills: of the input's type, and one of them. */
static het_status check_fill(const het__eval *e, const het__tensor *x)
{
    const het__tensor *value = het__eval_input(e, 2);
    int64_t n;
    if (!value)
        return HET_OK;
    if (value->dtype != x->dtype || !het__span_checked(value, 0, value->rank, &n) || n != 1)
        return het__eval_refuse(e, "the value is not one element of the input's type");
    return HET_OK;
}

het_status het__shape_pad(het__eval *e)
{
    const het__tensor *x;
    het__pad pad;
    bool known;
    het_status s = het__operand(e, 0, &x);
    if (s == HET_OK)
        s = check_fill(e, x);
    if (s == HET_OK)
        s = het__pad_of(e, x, &pad, &known);
    if (s != HET_OK)
        return s;
    if (!known)
        return het__unknown_extents(e, x->dtype);
    return het__eval_shape(e, 0, x->dtype, x->rank, pad.extent);
}

het_status het__shape_center_crop_pad(het__eval *e)
{
    const het__attr *given = het__attr_find(e->attrs, "axes", HET__ATTR_INTS);
    const het__tensor *x;
    het__ints shape;
    int64_t axes[HET_RANK_MAX];
    het_status s = het__operand(e, 0, &x);
    if (s == HET_OK)
        s = het__ints_of(e, 1, NULL, HET_RANK_MAX, &shape);
    if (s != HET_OK)
        return s;
    const uint32_t n = given ? given->count : x->rank;
    if (n > HET_RANK_MAX || shape.count != n)
        return het__eval_refuse(e, "%u extents for %u axes", shape.count, n);
    for (uint32_t i = 0; i < n; i++)
        axes[i] = given ? given->u.ints[i] : (int64_t)i;
    s = het__axes_check(e, axes, n, x->rank);
    if (s != HET_OK)
        return s;
    if (!shape.known)
        return het__unknown_extents(e, x->dtype);
    het__tensor out = *x;
    for (uint32_t i = 0; i < n; i++)
        out.extent[axes[i]] = shape.at[i];
    return het__eval_like(e, 0, x->dtype, &out);
}

het_status het__shape_col2im(het__eval *e)
{
    const het__tensor *x;
    het__col2im c = { 0 };
    bool known;
    het_status s = het__operand(e, 0, &x);
    if (s == HET_OK)
        s = het__col2im_of(e, x, &c, &known);
    if (s != HET_OK)
        return s;
    if (!known)
        return het__unknown_extents(e, x->dtype);
    int64_t extent[HET_RANK_MAX] = { x->extent[0], c.channels };
    memcpy(extent + 2, c.image, c.rank * sizeof extent[0]);
    return het__eval_shape(e, 0, x->dtype, c.rank + 2, extent);
}

het_status het__shape_trilu(het__eval *e)
{
    const het__tensor *x;
    het__ints k;
    het_status s = het__operand(e, 0, &x);
    if (s == HET_OK)
        s = het__ints_of(e, 1, NULL, 1, &k);
    if (s != HET_OK)
        return s;
    if (x->rank < 2 || (k.present && k.count != 1))
        return het__eval_refuse(e, "there is no matrix, or not one diagonal");
    return het__eval_like(e, 0, x->dtype, x);
}

het_status het__shape_reverse_sequence(het__eval *e)
{
    const het__tensor *x, *lengths;
    het_status s = het__operand(e, 0, &x);
    if (s == HET_OK)
        s = het__index_operand(e, 1, &lengths);
    if (s != HET_OK)
        return s;
    const int64_t batch = het__attr_int(e->attrs, "batch_axis", 1);
    const int64_t time = het__attr_int(e->attrs, "time_axis", 0);
    if (x->rank < 2 || batch < 0 || batch > 1 || time != 1 - batch)
        return het__eval_refuse(e, "batch and time are not the first two axes");
    if (lengths->rank != 1 || lengths->extent[0] != x->extent[batch])
        return het__eval_refuse(e, "there is not one length per sequence");
    return het__eval_like(e, 0, x->dtype, x);
}
