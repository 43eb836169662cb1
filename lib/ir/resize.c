/* SPDX-License-Identifier: Apache-2.0 */
/* Resize and Upsample: where each operation set keeps scales, sizes and the region, what they make
 * of extents, and which names of modes there are. */
#include <math.h>
#include <string.h>

#include "lib/ir/move.h"

/* Doubles and floats hold extents up to here with all their digits; longer axes are refused. */
#define LENGTH_MAX 9007199254740992.0

/* What the node gives, before it is applied to the input's extents. */
typedef struct given {
    const het__tensor *roi;    /* NULL: absent */
    const het__tensor *scales; /* NULL: absent */
    const het__attr *scales_attr;
    het__ints sizes;
    int64_t axes[HET_RANK_MAX]; /* what the lists are about */
    uint32_t count;
} given;

/* An input that is there and not empty: operation set 11 leaves inputs out by making them empty. */
static het_status number_list(const het__eval *e, uint32_t i, const het__tensor **t)
{
    int64_t n;
    *t = het__eval_input(e, i);
    if (!*t)
        return HET_OK;
    if ((*t)->rank > 1 || !het__span_checked(*t, 0, (*t)->rank, &n))
        return het__eval_refuse(e, "input %u is not a list of numbers", i);
    if (n == 0)
        *t = NULL;
    else if ((*t)->dtype != HET_DTYPE_F32 && (*t)->dtype != HET_DTYPE_F64 &&
             (*t)->dtype != HET_DTYPE_F16 && (*t)->dtype != HET_DTYPE_BF16)
        return het__eval_refuse(e, "input %u is not a list of floats", i);
    return HET_OK;
}

static het_status find_lists(const het__eval *e, given *g)
{
    const bool old = e->node->op == HET__OP_T_UPSAMPLE || e->attrs->opset < 11;
    memset(g, 0, sizeof *g);
    g->sizes.known = true;
    het_status s = number_list(e, old ? 1 : 2, &g->scales);
    if (old && !g->scales)
        g->scales_attr = het__attr_find(e->attrs, "scales", HET__ATTR_FLOATS);
    if (s == HET_OK && !old)
        s = number_list(e, 1, &g->roi);
    if (s == HET_OK && !old)
        s = het__ints_of(e, 3, NULL, HET_RANK_MAX, &g->sizes);
    return s;
}

static het_status find_axes(const het__eval *e, const het__tensor *x, given *g)
{
    const het__attr *a = het__attr_find(e->attrs, "axes", HET__ATTR_INTS);
    g->count = a ? a->count : x->rank;
    if (g->count > x->rank)
        return het__eval_refuse(e, "%u axes for rank %u", g->count, x->rank);
    for (uint32_t i = 0; i < g->count; i++)
        g->axes[i] = a ? a->u.ints[i] : (int64_t)i;
    const het_status s = het__axes_check(e, g->axes, g->count, x->rank);
    if (s != HET_OK)
        return s;
    const bool has_scales = g->scales || g->scales_attr;
    const int64_t scales = g->scales ? g->scales->rank ? g->scales->extent[0] : 1
                           : g->scales_attr ? (int64_t)g->scales_attr->count : 0;
    if (g->count && has_scales == (g->sizes.count > 0))
        return het__eval_refuse(e, "there must be either scales or sizes");
    if (has_scales ? scales != g->count : g->sizes.count != g->count)
        return het__eval_refuse(e, "%lld scales or sizes for %u axes",
                                (long long)(has_scales ? scales : g->sizes.count), g->count);
    return HET_OK;
}

static het_status find_modes(const het__eval *e, het__resize *r)
{
    static const char *const modes[] = { "nearest", "linear", "cubic", NULL };
    static const char *const transforms[] = { "half_pixel", "half_pixel_symmetric",
                                              "pytorch_half_pixel", "align_corners", "asymmetric",
                                              "tf_crop_and_resize", "tf_half_pixel_for_nn",
                                              NULL };
    static const char *const rounds[] = { "round_prefer_floor", "round_prefer_ceil", "floor",
                                          "ceil", NULL };
    r->cubic_a = (double)het__attr_float(e->attrs, "cubic_coeff_a", -0.75F);
    r->extrapolation = (double)het__attr_float(e->attrs, "extrapolation_value", 0);
    r->exclude_outside = het__attr_int(e->attrs, "exclude_outside", 0) != 0;
    r->antialias = het__attr_int(e->attrs, "antialias", 0) != 0;
    het_status s = het__choice(e, "mode", "nearest", modes, &r->mode);
    if (s != HET_OK)
        return s;
    if (e->node->op == HET__OP_T_UPSAMPLE || e->attrs->opset < 11) {
        r->transform = HET__RESIZE_ASYMMETRIC;
        r->nearest = e->node->op == HET__OP_T_UPSAMPLE ? HET__RESIZE_FLOOR : HET__RESIZE_SIMPLE;
        return HET_OK;
    }
    s = het__choice(e, "coordinate_transformation_mode", "half_pixel", transforms, &r->transform);
    return s == HET_OK ? het__choice(e, "nearest_mode", "round_prefer_floor", rounds, &r->nearest)
                       : s;
}

static het_status scale_axis(const het__eval *e, const het__tensor *x, uint32_t axis, double scale,
                             het__resize *r)
{
    if (!(scale > 0) || scale > LENGTH_MAX)
        return het__eval_refuse(e, "scale %g on axis %u", scale, axis);
    r->scale[axis] = scale;
    r->length[axis] = scale * (double)x->extent[axis];
    /* In floats, as everyone computes it: 0.7 times 10 is 7, although 0.7F is less than 0.7. That
     * the region shortens the output is written in the operation's text and done by nobody. */
    const float length = floorf((float)x->extent[axis] * (float)scale);
    if (!(length >= 0) || (double)length > LENGTH_MAX)
        return het__eval_refuse(e, "axis %u would have %g elements", axis, (double)length);
    r->extent[axis] = scale == 1 ? x->extent[axis] : (int64_t)length;
    if (r->transform == HET__RESIZE_TF_CROP)
        r->length[axis] = (double)r->extent[axis];
    return HET_OK;
}

/* The one scale that all resized axes get, for policies that keep the ratio of the sides. */
static double common_scale(const het__tensor *x, const given *g, bool larger)
{
    double common = 0;
    for (uint32_t i = 0; i < g->count; i++) {
        const double scale = (double)g->sizes.at[i] / (double)x->extent[g->axes[i]];
        if (i == 0 || (larger ? scale > common : scale < common))
            common = scale;
    }
    return common;
}

static het_status apply_sizes(const het__eval *e, const het__tensor *x, const given *g,
                              het__resize *r)
{
    static const char *const policies[] = { "stretch", "not_larger", "not_smaller", NULL };
    int policy;
    het_status s = het__choice(e, "keep_aspect_ratio_policy", "stretch", policies, &policy);
    if (s != HET_OK)
        return s;
    for (uint32_t i = 0; i < g->count; i++)
        if (g->sizes.at[i] < 0 || (double)g->sizes.at[i] > LENGTH_MAX ||
            (x->extent[g->axes[i]] == 0 && (policy || g->sizes.at[i] != 0)))
            return het__eval_refuse(e, "size %lld for %lld", (long long)g->sizes.at[i],
                                    (long long)x->extent[g->axes[i]]);
    const double common = policy ? common_scale(x, g, policy == 2) : 0;
    for (uint32_t i = 0; i < g->count; i++) {
        const uint32_t axis = (uint32_t)g->axes[i];
        const double from = (double)x->extent[axis];
        const double length = policy ? floor(common * from + 0.5) : (double)g->sizes.at[i];
        if (!(length >= 0) || length > LENGTH_MAX)
            return het__eval_refuse(e, "axis %u would have %g elements", axis, length);
        r->extent[axis] = (int64_t)length;
        r->scale[axis] = policy ? common : from > 0 ? length / from : 1;
        r->length[axis] = r->transform == HET__RESIZE_TF_CROP ? length : r->scale[axis] * from;
        if (!policy)
            r->length[axis] = length;
    }
    return HET_OK;
}

static het_status apply_roi(const het__eval *e, const given *g, het__resize *r)
{
    if (!g->roi || g->roi->rank != 1 || g->roi->extent[0] != 2 * (int64_t)g->count)
        return het__eval_refuse(e, "there is no region of %u axes", g->count);
    for (uint32_t i = 0; i < g->count; i++) {
        r->from[g->axes[i]] = het__number(g->roi, i);
        r->to[g->axes[i]] = het__number(g->roi, g->count + i);
        if (!isfinite(r->from[g->axes[i]]) || !isfinite(r->to[g->axes[i]]))
            return het__eval_refuse(e, "the region on axis %u is not finite", i);
    }
    return HET_OK;
}

het_status het__resize_of(const het__eval *e, const het__tensor *x, het__resize *r, bool *known)
{
    given g;
    memset(r, 0, sizeof *r);
    het_status s = find_lists(e, &g);
    if (s == HET_OK)
        s = find_modes(e, r);
    if (s == HET_OK)
        s = find_axes(e, x, &g);
    if (s != HET_OK)
        return s;
    const bool crops = r->transform == HET__RESIZE_TF_CROP;
    *known = (!g.scales || g.scales->data) && g.sizes.known && !(crops && g.roi && !g.roi->data);
    if (!*known)
        return HET_OK;
    for (uint32_t i = 0; i < x->rank; i++) {
        r->extent[i] = x->extent[i];
        r->length[i] = (double)x->extent[i];
        r->scale[i] = r->to[i] = 1;
    }
    if (crops)
        s = apply_roi(e, &g, r);
    if (s == HET_OK && !g.scales && !g.scales_attr)
        return apply_sizes(e, x, &g, r);
    for (uint32_t i = 0; s == HET_OK && i < g.count; i++)
        s = scale_axis(e, x, (uint32_t)g.axes[i],
                       g.scales ? het__number(g.scales, i) : (double)g.scales_attr->u.floats[i],
                       r);
    return s;
}
