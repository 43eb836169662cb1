/* SPDX-License-Identifier: Apache-2.0 */
/* Shapes and arithmetic of normalisations. Scales, offsets and statistics are checked here against
 * what the kernels read of them. */
#include "lib/ir/reduce.h"
#include "lib/ir/shapes.h"

/* Operations on an element: difference, square, sum, product, offset. */
#define FLOPS_PER_ELEMENT 5

static bool is_real(het_dtype dtype)
{
    return dtype == HET_DTYPE_F32 || dtype == HET_DTYPE_F64 || dtype == HET_DTYPE_F16 ||
           dtype == HET_DTYPE_BF16;
}

/* The first count inputs are there and floating. */
static het_status reals(const het__eval *e, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        const het__tensor *t = het__eval_input(e, i);
        if (!t)
            return het__eval_refuse(e, "input %u is missing", i);
        if (!is_real(t->dtype))
            return het__eval_unsupported(e, "input %u has type %s", i, het_dtype_name(t->dtype));
    }
    return HET_OK;
}

void het__count_norm(const het__eval *e, het__work *work)
{
    work->flops = FLOPS_PER_ELEMENT * (double)het__tensor_elements(&e->inputs[0]);
    switch (e->node->op) {
    case HET__OP_T_LAYER_NORMALIZATION:
    case HET__OP_T_RMS_NORMALIZATION: {
        const int64_t axis = het__layer_norm_axis(e);
        work->units = (double)het__tensor_span(&e->inputs[0], 0, axis < 0 ? 0 : (uint32_t)axis);
        break;
    }
    case HET__OP_T_GROUP_NORMALIZATION:
    case HET__OP_T_INSTANCE_NORMALIZATION:
        work->units = (double)het__group_slab(e).outer;
        break;
    case HET__OP_T_LP_NORMALIZATION: {
        const het__slab rows =
            het__axis_slab(&e->inputs[0], het__attr_int(e->attrs, "axis", -1));
        work->units = (double)rows.outer * (double)rows.inner;
        break;
    }
    default:
        work->units = (double)het__tensor_elements(&e->inputs[0]);
        break;
    }
}

/* ---- batch ---- */

bool het__batch_norm_trains(const het__eval *e)
{
    if (e->attrs->opset >= 14)
        return het__attr_int(e->attrs, "training_mode", 0) != 0;
    return e->output_count > 1;
}

/* One number per channel; before opset 9 spatial = 0 has one per element of a sample. */
static het_status batch_norm_parameter(const het__eval *e, uint32_t i, bool spatial)
{
    const het__tensor *x = &e->inputs[0], *p = &e->inputs[i];
    if (spatial) {
        const int64_t channels = x->rank > 1 ? x->extent[1] : 1;
        if (p->rank != 1 || p->extent[0] != channels)
            return het__eval_refuse(e, "input %u must have one number per channel, %lld", i,
                                    (long long)channels);
        return HET_OK;
    }
    bool fits = p->rank + 1 == x->rank;
    for (uint32_t k = 0; fits && k < p->rank; k++)
        fits = p->extent[k] == x->extent[k + 1];
    return fits ? HET_OK : het__eval_refuse(e, "input %u does not fit a sample", i);
}

het_status het__shape_batch_norm(het__eval *e)
{
    het_status s = reals(e, 5);
    if (s != HET_OK)
        return s;
    const het__tensor *x = &e->inputs[0];
    const bool spatial = e->attrs->opset >= 9 || het__attr_int(e->attrs, "spatial", 1) != 0;
    if (x->rank < (spatial ? 1u : 2u))
        return het__eval_refuse(e, "the input has rank %u", x->rank);
    for (uint32_t i = 1; i < 5 && s == HET_OK; i++)
        s = batch_norm_parameter(e, i, spatial);
    if (s == HET_OK && e->output_count > 1 && !het__batch_norm_trains(e))
        s = het__eval_refuse(e, "statistics are outputs of training only");
    if (s == HET_OK)
        s = het__eval_like(e, 0, x->dtype, x);
    for (uint32_t o = 1; o < e->output_count && o < 5 && s == HET_OK; o++) {
        const het__tensor *like = &e->inputs[o % 2 ? 3 : 4];
        s = het__eval_like(e, o, like->dtype, like);
    }
    return s;
}

/* ---- layer ---- */

int64_t het__layer_norm_axis(const het__eval *e)
{
    return het__axis(het__attr_int(e->attrs, "axis", -1), e->inputs[0].rank);
}

/* Scale and offset are broadcast to x, and never the other way round. */
static het_status broadcasts_to(const het__eval *e, uint32_t i, const het__tensor *x)
{
    const het__tensor *p = het__eval_input(e, i);
    het__tensor out = *x;
    if (!p)
        return HET_OK;
    if (!is_real(p->dtype))
        return het__eval_unsupported(e, "input %u has type %s", i, het_dtype_name(p->dtype));
    if (!het__broadcast(p, &out) || !het__tensor_same_extents(x, &out))
        return het__eval_refuse(e, "input %u cannot be broadcast to the first", i);
    return HET_OK;
}

static het_status stash_type(const het__eval *e, het_dtype *dtype)
{
    switch (het__attr_int(e->attrs, "stash_type", 1)) {
    case 1: *dtype = HET_DTYPE_F32; return HET_OK;
    case 10: *dtype = HET_DTYPE_F16; return HET_OK;
    case 11: *dtype = HET_DTYPE_F64; return HET_OK;
    case 16: *dtype = HET_DTYPE_BF16; return HET_OK;
    default: return het__eval_refuse(e, "stash_type is not that of a float");
    }
}

het_status het__shape_layer_norm(het__eval *e)
{
    het_dtype stash = HET_DTYPE_F32;
    het_status s = reals(e, 2);
    if (s != HET_OK)
        return s;
    const het__tensor *x = &e->inputs[0];
    const int64_t axis = het__layer_norm_axis(e);
    if (axis < 0)
        return het__eval_refuse(e, "the axis is outside of rank %u", x->rank);
    s = stash_type(e, &stash);
    for (uint32_t i = 1; i < 3 && s == HET_OK; i++)
        s = broadcasts_to(e, i, x);
    if (s == HET_OK)
        s = het__eval_like(e, 0, x->dtype, x);
    het__tensor statistics = *x;
    for (uint32_t i = (uint32_t)axis; i < x->rank; i++)
        statistics.extent[i] = 1;
    for (uint32_t o = 1; o < 3 && s == HET_OK; o++)
        s = het__eval_like(e, o, stash, &statistics);
    return s;
}

/* ---- groups ---- */

/* 0: there is no such division of the channels. */
static int64_t groups_of(const het__eval *e)
{
    const het__tensor *x = &e->inputs[0];
    const bool instance = e->node->op == HET__OP_T_INSTANCE_NORMALIZATION;
    const int64_t channels = x->rank > 1 ? x->extent[1] : 0;
    const int64_t groups = instance ? channels : het__attr_int(e->attrs, "num_groups", 0);
    return groups > 0 && groups <= channels && channels % groups == 0 ? groups : 0;
}

het__slab het__group_slab(const het__eval *e)
{
    const het__tensor *x = &e->inputs[0];
    const int64_t groups = groups_of(e);
    if (groups == 0)
        return (het__slab){ 0, 0, 1 };
    return (het__slab){ x->extent[0] * groups,
                        x->extent[1] / groups * het__tensor_span(x, 2, x->rank), 1 };
}

het_status het__shape_group_norm(het__eval *e)
{
    const het_status s = reals(e, 3);
    if (s != HET_OK)
        return s;
    const het__tensor *x = &e->inputs[0];
    if (x->rank < 2)
        return het__eval_refuse(e, "the input has rank %u", x->rank);
    const int64_t groups = groups_of(e);
    if (groups == 0 && x->extent[1] != 0)
        return het__eval_refuse(e, "%lld channels cannot be divided like that",
                                (long long)x->extent[1]);
    const int64_t want = het__group_scales_groups(e) ? groups : x->extent[1];
    for (uint32_t i = 1; i < 3; i++)
        if (e->inputs[i].rank != 1 || e->inputs[i].extent[0] != want)
            return het__eval_refuse(e, "input %u must have %lld numbers", i, (long long)want);
    return het__eval_like(e, 0, x->dtype, x);
}

/* ---- others ---- */

het_status het__shape_lp_norm(het__eval *e)
{
    const int64_t axis = het__attr_int(e->attrs, "axis", -1);
    const int64_t p = het__attr_int(e->attrs, "p", 2);
    const het_status s = reals(e, 1);
    if (s != HET_OK)
        return s;
    const het__tensor *x = &e->inputs[0];
    if (het__axis(axis, x->rank ? x->rank : 1) < 0)
        return het__eval_refuse(e, "axis %lld is outside of rank %u", (long long)axis, x->rank);
    if (p != 1 && p != 2)
        return het__eval_refuse(e, "p must be 1 or 2, not %lld", (long long)p);
    return het__eval_like(e, 0, x->dtype, x);
}

het_status het__mean_variance_axes(const het__eval *e, uint32_t *mask)
{
    static const int64_t usual[] = { 0, 2, 3 };
    const het__attr *a = het__attr_find(e->attrs, "axes", HET__ATTR_INTS);
    const int64_t *axes = a ? a->u.ints : usual;
    const uint32_t count = a ? a->count : 3, rank = e->inputs[0].rank;
    *mask = 0;
    for (uint32_t i = 0; i < count; i++) {
        const int64_t axis = het__axis(axes[i], rank);
        if (axis < 0)
            return het__eval_refuse(e, "axis %lld is outside of rank %u", (long long)axes[i], rank);
        *mask |= UINT32_C(1) << axis;
    }
    if (count == 0)
        *mask = (UINT32_C(1) << rank) - 1;
    return HET_OK;
}

het_status het__shape_mean_variance_norm(het__eval *e)
{
    uint32_t mask;
    het_status s = reals(e, 1);
    if (s == HET_OK)
        s = het__mean_variance_axes(e, &mask);
    return s == HET_OK ? het__eval_like(e, 0, e->inputs[0].dtype, &e->inputs[0]) : s;
}
