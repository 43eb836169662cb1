/* SPDX-License-Identifier: Apache-2.0 */
/* Shape rules of operations that pick and place elements by index. Where extents follow from
 * contents that are there, they are counted here; what only comparing all elements shows (Unique,
 * NonMaxSuppression) stays unknown until the kernel runs. */
#include <string.h>

#include "lib/ir/move.h"
#include "lib/ir/shapes.h"

/* Data and indices, the operands of all that gather. */
static het_status data_and_indices(const het__eval *e, const het__tensor **x,
                                   const het__tensor **indices)
{
    const het_status s = het__operand(e, 0, x);
    return s == HET_OK ? het__index_operand(e, 1, indices) : s;
}

het_status het__shape_gather(het__eval *e)
{
    const het__tensor *x, *indices;
    uint32_t axis;
    het_status s = data_and_indices(e, &x, &indices);
    if (s == HET_OK)
        s = het__axis_of(e, "axis", 0, x->rank, &axis);
    if (s != HET_OK)
        return s;
    const uint32_t rank = x->rank - 1 + indices->rank;
    int64_t extent[2 * HET_RANK_MAX];
    uint32_t n = 0;
    for (uint32_t i = 0; i < axis; i++)
        extent[n++] = x->extent[i];
    for (uint32_t i = 0; i < indices->rank; i++)
        extent[n++] = indices->extent[i];
    for (uint32_t i = axis + 1; i < x->rank; i++)
        extent[n++] = x->extent[i];
    return het__eval_shape(e, 0, x->dtype, rank, extent);
}

/* Same rank, and nowhere but on the axis more indices than data. */
static het_status indices_fit(const het__eval *e, const het__tensor *x,
                              const het__tensor *indices, uint32_t axis)
{
    if (indices->rank != x->rank)
        return het__eval_refuse(e, "indices of rank %u for rank %u", indices->rank, x->rank);
    for (uint32_t i = 0; i < x->rank; i++)
        if (i != axis && indices->extent[i] > x->extent[i])
            return het__eval_refuse(e, "%lld indices on axis %u, which has %lld",
                                    (long long)indices->extent[i], i, (long long)x->extent[i]);
    return HET_OK;
}

het_status het__shape_gather_elements(het__eval *e)
{
    const het__tensor *x, *indices;
    uint32_t axis;
    het_status s = data_and_indices(e, &x, &indices);
    if (s == HET_OK)
        s = het__axis_of(e, "axis", 0, x->rank, &axis);
    if (s == HET_OK)
        s = indices_fit(e, x, indices, axis);
    return s == HET_OK ? het__eval_like(e, 0, x->dtype, indices) : s;
}

het_status het__shape_gather_nd(het__eval *e)
{
    const het__tensor *x, *indices;
    const het_status s = data_and_indices(e, &x, &indices);
    if (s != HET_OK)
        return s;
    const int64_t batch = het__attr_int(e->attrs, "batch_dims", 0);
    if (indices->rank < 1 || batch < 0 || batch >= indices->rank || batch >= x->rank)
        return het__eval_refuse(e, "%lld batch axes of ranks %u and %u", (long long)batch, x->rank,
                                indices->rank);
    const int64_t depth = indices->extent[indices->rank - 1];
    if (depth < 0 || depth > (int64_t)x->rank - batch)
        return het__eval_refuse(e, "indices of %lld axes", (long long)depth);
    int64_t extent[2 * HET_RANK_MAX];
    uint32_t n = 0;
    for (uint32_t i = 0; i + 1 < indices->rank; i++) {
        extent[n++] = indices->extent[i];
        if (i < batch && indices->extent[i] != x->extent[i])
            return het__eval_refuse(e, "batch axis %u has %lld and %lld", i,
                                    (long long)x->extent[i], (long long)indices->extent[i]);
    }
    for (uint32_t i = (uint32_t)(batch + depth); i < x->rank; i++)
        extent[n++] = x->extent[i];
    return het__eval_shape(e, 0, x->dtype, n, extent);
}

/* ---- placing ---- */

static het_status check_updates(const het__eval *e, uint32_t i, const het__tensor *x,
                                const het__tensor **updates)
{
    static const char *const reductions[] = { "none", "add", "mul", "min", "max", NULL };
    int which;
    const het_status s = het__operand(e, i, updates);
    if (s == HET_OK && (*updates)->dtype != x->dtype)
        return het__eval_refuse(e, "updates of another type than the data");
    return s == HET_OK ? het__choice(e, "reduction", "none", reductions, &which) : s;
}

het_status het__shape_scatter_elements(het__eval *e)
{
    const het__tensor *x, *indices, *updates;
    uint32_t axis;
    het_status s = data_and_indices(e, &x, &indices);
    if (s == HET_OK)
        s = check_updates(e, 2, x, &updates);
    if (s == HET_OK)
        s = het__axis_of(e, "axis", 0, x->rank, &axis);
    if (s == HET_OK)
        s = indices_fit(e, x, indices, axis);
    if (s == HET_OK && !het__tensor_same_extents(indices, updates))
        return het__eval_refuse(e, "there is not one update per index");
    return s == HET_OK ? het__eval_like(e, 0, x->dtype, x) : s;
}

het_status het__shape_scatter_nd(het__eval *e)
{
    const het__tensor *x, *indices, *updates;
    het_status s = data_and_indices(e, &x, &indices);
    if (s == HET_OK)
        s = check_updates(e, 2, x, &updates);
    if (s != HET_OK)
        return s;
    const int64_t depth = indices->rank ? indices->extent[indices->rank - 1] : -1;
    if (depth < 0 || depth > (int64_t)x->rank ||
        (int64_t)updates->rank != (int64_t)indices->rank - 1 + (int64_t)x->rank - depth)
        return het__eval_refuse(e, "indices of %lld axes, updates of rank %u", (long long)depth,
                                updates->rank);
    for (uint32_t i = 0; i < updates->rank; i++) {
        const bool outer = i + 1 < indices->rank;
        const int64_t want = outer ? indices->extent[i]
                                   : x->extent[i + 1 - indices->rank + (uint32_t)depth];
        if (updates->extent[i] != want)
            return het__eval_refuse(e, "updates have %lld on axis %u, not %lld",
                                    (long long)updates->extent[i], i, (long long)want);
    }
    return het__eval_like(e, 0, x->dtype, x);
}

het_status het__shape_tensor_scatter(het__eval *e)
{
    static const char *const modes[] = { "linear", "circular", NULL };
    const het__tensor *x, *update, *at = NULL;
    uint32_t axis;
    int mode;
    het_status s = het__operand(e, 0, &x);
    if (s == HET_OK)
        s = het__operand(e, 1, &update);
    if (s == HET_OK && het__eval_input(e, 2))
        s = het__index_operand(e, 2, &at);
    if (s == HET_OK)
        s = het__choice(e, "mode", "linear", modes, &mode);
    if (s == HET_OK)
        s = het__axis_of(e, "axis", -2, x->rank, &axis);
    if (s != HET_OK)
        return s;
    if (axis == 0 || update->dtype != x->dtype || update->rank != x->rank)
        return het__eval_refuse(e, "the update does not fit the cache");
    for (uint32_t i = 0; i < x->rank; i++)
        if (i == axis ? update->extent[i] > x->extent[i] : update->extent[i] != x->extent[i])
            return het__eval_refuse(e, "the update has %lld on axis %u, the cache %lld",
                                    (long long)update->extent[i], i, (long long)x->extent[i]);
    if (at && (at->rank != 1 || at->extent[0] != x->extent[0]))
        return het__eval_refuse(e, "there is not one place per sequence");
    return het__eval_like(e, 0, x->dtype, x);
}

/* ---- as many as the contents say ---- */

het_status het__shape_compress(het__eval *e)
{
    const het__attr *given = het__attr_find(e->attrs, "axis", HET__ATTR_INT);
    const het__tensor *x, *condition;
    uint32_t axis = 0;
    int64_t extent = 0, count = 0;
    het_status s = het__operand(e, 0, &x);
    if (s == HET_OK)
        s = het__operand(e, 1, &condition);
    if (s == HET_OK && given)
        s = het__axis_of(e, "axis", 0, x->rank, &axis);
    if (s != HET_OK)
        return s;
    if (condition->rank != 1 || condition->dtype != HET_DTYPE_BOOL ||
        !het__span_checked(x, 0, x->rank, &extent))
        return het__eval_refuse(e, "the condition is not a list of booleans");
    if (!condition->data)
        return het__unknown_extents(e, x->dtype);
    if (given)
        extent = x->extent[axis];
    const unsigned char *kept = condition->data;
    for (int64_t i = 0; i < extent && i < condition->extent[0]; i++)
        count += kept[i] != 0;
    het__tensor out = *x;
    if (!given)
        out.rank = 1;
    out.extent[axis] = count;
    return het__eval_like(e, 0, x->dtype, &out);
}

het_status het__shape_non_zero(het__eval *e)
{
    const het__tensor *x;
    int64_t n;
    const het_status s = het__operand(e, 0, &x);
    if (s != HET_OK)
        return s;
    if (!x->data)
        return het__unknown_extents(e, HET_DTYPE_I64);
    if (!het__span_checked(x, 0, x->rank, &n))
        n = 0; /* an extent is zero, else there would be no data */
    int64_t extent[] = { x->rank, 0 };
    for (int64_t i = 0; i < n; i++)
        extent[1] += het__is_nonzero(x, i);
    return het__eval_shape(e, 0, HET_DTYPE_I64, 2, extent);
}

het_status het__shape_unique(het__eval *e)
{
    const het__tensor *x;
    uint32_t axis;
    het_status s = het__operand(e, 0, &x);
    if (s == HET_OK && het__attr_find(e->attrs, "axis", HET__ATTR_INT))
        s = het__axis_of(e, "axis", 0, x->rank, &axis);
    for (uint32_t i = 1; s == HET_OK && i < e->output_count; i++)
        e->outputs[i].dtype = HET_DTYPE_I64;
    return s == HET_OK ? het__unknown_extents(e, x->dtype) : s;
}

het_status het__shape_top_k(het__eval *e)
{
    const het__tensor *x;
    het__ints k;
    uint32_t axis;
    het_status s = het__operand(e, 0, &x);
    if (s == HET_OK)
        s = het__axis_of(e, "axis", -1, x->rank, &axis);
    if (s == HET_OK)
        s = het__ints_of(e, 1, NULL, 1, &k);
    if (s != HET_OK)
        return s;
    if (!k.present) {
        k.at[0] = het__attr_int(e->attrs, "k", -1);
        k.count = 1;
    }
    if (k.count != 1)
        return het__eval_refuse(e, "there is no k");
    if (e->output_count > 1)
        e->outputs[1].dtype = HET_DTYPE_I64;
    if (!k.known)
        return het__unknown_extents(e, x->dtype);
    if (k.at[0] < 0 || k.at[0] > x->extent[axis])
        return het__eval_refuse(e, "the best %lld of %lld", (long long)k.at[0],
                                (long long)x->extent[axis]);
    het__tensor out = *x;
    out.extent[axis] = k.at[0];
    s = het__eval_like(e, 0, x->dtype, &out);
    return s == HET_OK ? het__eval_like(e, 1, HET_DTYPE_I64, &out) : s;
}

/* An optional number: one element of the type. */
static het_status check_number(const het__eval *e, uint32_t i, het_dtype dtype)
{
    const het__tensor *t = het__eval_input(e, i);
    int64_t n;
    if (t && (t->dtype != dtype || t->rank > 1 || !het__span_checked(t, 0, t->rank, &n) || n != 1))
        return het__eval_refuse(e, "input %u is not one %s", i, het_dtype_name(dtype));
    return HET_OK;
}

het_status het__shape_non_max_suppression(het__eval *e)
{
    const het__tensor *boxes, *scores;
    het_status s = het__operand(e, 0, &boxes);
    if (s == HET_OK)
        s = het__operand(e, 1, &scores);
    if (s == HET_OK)
        s = check_number(e, 2, HET_DTYPE_I64);
    for (uint32_t i = 3; s == HET_OK && i < 5; i++)
        s = check_number(e, i, HET_DTYPE_F32);
    if (s != HET_OK)
        return s;
    if (boxes->dtype != HET_DTYPE_F32 || scores->dtype != HET_DTYPE_F32 || boxes->rank != 3 ||
        scores->rank != 3 || boxes->extent[2] != 4 || scores->extent[0] != boxes->extent[0] ||
        scores->extent[2] != boxes->extent[1])
        return het__eval_refuse(e, "boxes and scores do not fit");
    return het__unknown_extents(e, HET_DTYPE_I64);
}
