/* SPDX-License-Identifier: Apache-2.0 */
/* Shape rules of operations that keep all elements and give them other places: new extents for the
 * same bytes, transposing, joining, splitting, blocks to channels and back. */
#include <string.h>

#include "lib/ir/move.h"
#include "lib/ir/shapes.h"

/* ---- the same bytes, other extents ---- */

/* The extent that stands for all elements which the others leave. */
static het_status infer_extent(const het__eval *e, const het__tensor *x, uint32_t rank,
                               int64_t *extent, int64_t unknown)
{
    int64_t have, product = 1;
    if (!het__span_checked(x, 0, x->rank, &have))
        return het__eval_refuse(e, "the input has an impossible size");
    for (uint32_t i = 0; i < rank; i++)
        if (i != unknown && !het__mul_i64(product, extent[i], &product))
            return het__eval_refuse(e, "the shape has an impossible size");
    if (unknown >= 0 && (product == 0 || have % product != 0))
        return het__eval_refuse(e, "%lld elements are no multiple of %lld", (long long)have,
                                (long long)product);
    if (unknown >= 0)
        extent[unknown] = have / product;
    else if (product != have)
        return het__eval_refuse(e, "%lld elements cannot become %lld", (long long)have,
                                (long long)product);
    return HET_OK;
}

het_status het__shape_reshape(het__eval *e)
{
    const het__tensor *x;
    het__ints shape;
    het_status s = het__operand(e, 0, &x);
    if (s == HET_OK)
        s = het__ints_of(e, 1, "shape", HET_RANK_MAX, &shape);
    if (s != HET_OK)
        return s;
    if (!shape.present)
        return het__eval_refuse(e, "there is no shape");
    if (!shape.known)
        return het__unknown_extents(e, x->dtype);
    const bool keeps_zero = het__attr_int(e->attrs, "allowzero", 0) != 0;
    int64_t unknown = -1;
    for (uint32_t i = 0; i < shape.count; i++) {
        if (shape.at[i] < -1 || (shape.at[i] == -1 && unknown >= 0))
            return het__eval_refuse(e, "extent %u is %lld", i, (long long)shape.at[i]);
        if (shape.at[i] == -1)
            unknown = i;
        if (shape.at[i] != 0 || keeps_zero)
            continue;
        if (i >= x->rank)
            return het__eval_refuse(e, "extent %u is that of an axis that is not there", i);
        shape.at[i] = x->extent[i];
    }
    s = infer_extent(e, x, shape.count, shape.at, unknown);
    return s == HET_OK ? het__eval_shape(e, 0, x->dtype, shape.count, shape.at) : s;
}

het_status het__shape_flatten(het__eval *e)
{
    const het__tensor *x;
    const het_status s = het__operand(e, 0, &x);
    if (s != HET_OK)
        return s;
    int64_t axis = het__attr_int(e->attrs, "axis", 1);
    axis += axis < 0 ? x->rank : 0;
    if (axis < 0 || axis > (int64_t)x->rank)
        return het__eval_refuse(e, "axis is outside of rank %u", x->rank);
    int64_t extent[2];
    if (!het__span_checked(x, 0, (uint32_t)axis, &extent[0]) ||
        !het__span_checked(x, (uint32_t)axis, x->rank, &extent[1]))
        return het__eval_refuse(e, "the input has an impossible size");
    return het__eval_shape(e, 0, x->dtype, 2, extent);
}

het_status het__shape_squeeze(het__eval *e)
{
    const het__tensor *x;
    het__ints axes;
    het_status s = het__operand(e, 0, &x);
    if (s == HET_OK)
        s = het__ints_of(e, 1, "axes", HET_RANK_MAX, &axes);
    if (s != HET_OK)
        return s;
    if (!axes.known)
        return het__unknown_extents(e, x->dtype);
    s = het__axes_check(e, axes.at, axes.count, x->rank);
    if (s != HET_OK)
        return s;
    bool gone[HET_RANK_MAX] = { false };
    for (uint32_t i = 0; i < axes.count; i++) {
        gone[axes.at[i]] = true;
        if (x->extent[axes.at[i]] != 1)
            return het__eval_refuse(e, "axis %lld has %lld elements", (long long)axes.at[i],
                                    (long long)x->extent[axes.at[i]]);
    }
    int64_t extent[HET_RANK_MAX];
    uint32_t rank = 0;
    for (uint32_t i = 0; i < x->rank; i++)
        if (axes.present ? !gone[i] : x->extent[i] != 1)
            extent[rank++] = x->extent[i];
    return het__eval_shape(e, 0, x->dtype, rank, extent);
}

het_status het__shape_unsqueeze(het__eval *e)
{
    const het__tensor *x;
    het__ints axes;
    het_status s = het__operand(e, 0, &x);
    if (s == HET_OK)
        s = het__ints_of(e, 1, "axes", HET_RANK_MAX, &axes);
    if (s != HET_OK)
        return s;
    if (!axes.present)
        return het__eval_refuse(e, "there are no axes");
    const uint32_t rank = x->rank + axes.count;
    if (rank > HET_RANK_MAX)
        return het__eval_refuse(e, "rank %u; %d is the most", rank, HET_RANK_MAX);
    if (!axes.known)
        return het__unknown_extents(e, x->dtype);
    s = het__axes_check(e, axes.at, axes.count, rank);
    if (s != HET_OK)
        return s;
    int64_t extent[HET_RANK_MAX] = { 0 };
    bool added[HET_RANK_MAX] = { false };
    for (uint32_t i = 0; i < axes.count; i++)
        added[axes.at[i]] = true;
    for (uint32_t i = 0, from = 0; i < rank; i++)
        extent[i] = added[i] ? 1 : x->extent[from++];
    return het__eval_shape(e, 0, x->dtype, rank, extent);
}

/* ---- other places ---- */

het_status het__shape_transpose(het__eval *e)
{
    const het__tensor *x;
    uint32_t permutation[HET_RANK_MAX];
    int64_t extent[HET_RANK_MAX];
    het_status s = het__operand(e, 0, &x);
    if (s == HET_OK)
        s = het__permutation_of(e, x, permutation);
    if (s != HET_OK)
        return s;
    for (uint32_t i = 0; i < x->rank; i++)
        extent[i] = x->extent[permutation[i]];
    return het__eval_shape(e, 0, x->dtype, x->rank, extent);
}

static het_status join(const het__eval *e, uint32_t i, uint32_t axis, het__tensor *out)
{
    const het__tensor *x;
    const het_status s = het__operand(e, i, &x);
    if (s != HET_OK)
        return s;
    if (x->dtype != out->dtype || x->rank != out->rank)
        return het__eval_refuse(e, "input %u has another type or rank than the first", i);
    for (uint32_t k = 0; k < x->rank; k++)
        if (k != axis && x->extent[k] != out->extent[k])
            return het__eval_refuse(e, "input %u has extent %lld, the first %lld on axis %u", i,
                                    (long long)x->extent[k], (long long)out->extent[k], k);
    if (__builtin_add_overflow(out->extent[axis], x->extent[axis], &out->extent[axis]))
        return het__eval_refuse(e, "axis %u becomes too long", axis);
    return HET_OK;
}

het_status het__shape_concat(het__eval *e)
{
    const het__tensor *x;
    uint32_t axis;
    het_status s = het__operand(e, 0, &x);
    if (s == HET_OK && e->attrs->opset >= 4 && !het__attr_find(e->attrs, "axis", HET__ATTR_INT))
        return het__eval_refuse(e, "there is no axis");
    if (s == HET_OK)
        s = het__axis_of(e, "axis", 1, x->rank, &axis);
    if (s != HET_OK)
        return s;
    het__tensor out = *x;
    for (uint32_t i = 1; s == HET_OK && i < e->input_count; i++)
        s = join(e, i, axis, &out);
    return s == HET_OK ? het__eval_like(e, 0, x->dtype, &out) : s;
}

het_status het__shape_split(het__eval *e)
{
    const het__tensor *x;
    het__ints parts;
    uint32_t axis = 0;
    het_status s = het__operand(e, 0, &x);
    if (s == HET_OK)
        s = het__axis_of(e, "axis", 0, x->rank, &axis);
    if (s == HET_OK)
        s = het__split_of(e, x, axis, &parts);
    for (uint32_t i = 0; s == HET_OK && i < e->output_count; i++) {
        het__tensor part = *x;
        part.extent[axis] = parts.known ? parts.at[i] : 0;
        s = het__eval_like(e, i, x->dtype, &part);
    }
    return s == HET_OK && !parts.known ? het__eval_unknown(e) : s;
}

/* Batch, channels, rows, columns, and the side of a block. */
static het_status block_operand(const het__eval *e, const het__tensor **x, int64_t *side,
                                int64_t *block)
{
    const het_status s = het__operand(e, 0, x);
    if (s != HET_OK)
        return s;
    *side = het__attr_int(e->attrs, "blocksize", 0);
    if (*side <= 0 || !het__mul_i64(*side, *side, block))
        return het__eval_refuse(e, "blocksize %lld", (long long)*side);
    if ((*x)->rank != 4)
        return het__eval_refuse(e, "rank %u where there are images", (*x)->rank);
    return HET_OK;
}

het_status het__shape_depth_to_space(het__eval *e)
{
    static const char *const modes[] = { "DCR", "CRD", NULL };
    const het__tensor *x;
    int64_t side = 1, block = 1;
    int mode;
    het_status s = block_operand(e, &x, &side, &block);
    if (s == HET_OK)
        s = het__choice(e, "mode", "DCR", modes, &mode);
    if (s != HET_OK)
        return s;
    int64_t extent[] = { x->extent[0], x->extent[1] / block, 0, 0 };
    if (x->extent[1] % block != 0 || !het__mul_i64(x->extent[2], side, &extent[2]) ||
        !het__mul_i64(x->extent[3], side, &extent[3]))
        return het__eval_refuse(e, "%lld channels for blocks of %lld", (long long)x->extent[1],
                                (long long)block);
    return het__eval_shape(e, 0, x->dtype, 4, extent);
}

het_status het__shape_space_to_depth(het__eval *e)
{
    const het__tensor *x;
    int64_t side = 1, block = 1;
    const het_status s = block_operand(e, &x, &side, &block);
    if (s != HET_OK)
        return s;
    int64_t extent[] = { x->extent[0], 0, x->extent[2] / side, x->extent[3] / side };
    if (x->extent[2] % side != 0 || x->extent[3] % side != 0 ||
        !het__mul_i64(x->extent[1], block, &extent[1]))
        return het__eval_refuse(e, "%lld by %lld for blocks of side %lld",
                                (long long)x->extent[2], (long long)x->extent[3],
                                (long long)side);
    return het__eval_shape(e, 0, x->dtype, 4, extent);
}
