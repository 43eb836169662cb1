/* SPDX-License-Identifier: Apache-2.0 */
/* Extents and arithmetic of what slides a window over an image: convolutions, pools, regions.
 *
 * Multiply-accumulates count every tap of every output, padding included, and no bias, as the
 * published figures of vision models do. */
#include <math.h>

#include "lib/ir/shapes.h"
#include "lib/ir/window.h"

/* F32, F64, F16, BF16: what the operations of this file compute with. */
static bool is_real(het_dtype dtype)
{
    return dtype == HET_DTYPE_F32 || dtype == HET_DTYPE_F64 || dtype == HET_DTYPE_F16 ||
           dtype == HET_DTYPE_BF16;
}

static bool is_byte(het_dtype dtype)
{
    return dtype == HET_DTYPE_I8 || dtype == HET_DTYPE_U8;
}

/* The image in input 0, with real elements. */
static het_status real_image(const het__eval *e, uint32_t rank_least)
{
    const het__tensor *x = het__eval_input(e, 0);
    if (!x || x->rank < rank_least)
        return het__eval_refuse(e, "the image has rank %u; %u is the least", x ? x->rank : 0,
                                rank_least);
    if (!is_real(x->dtype))
        return het__eval_refuse(e, "an image of %s", het_dtype_name(x->dtype));
    return HET_OK;
}

static het_status same_type(const het__eval *e, uint32_t i, het_dtype dtype)
{
    const het__tensor *t = het__eval_input(e, i);
    if (t && t->dtype != dtype)
        return het__eval_refuse(e, "input %u is %s where %s belongs", i, het_dtype_name(t->dtype),
                                het_dtype_name(dtype));
    return HET_OK;
}

/* Input i, if it is there, is one number per output channel, or, where that is allowed, one. */
static het_status per_channel(const het__eval *e, uint32_t i, int64_t channels, bool or_one)
{
    const het__tensor *t = het__eval_input(e, i);
    if (!t)
        return HET_OK;
    const int64_t n = t->rank == 1 ? t->extent[0] : t->rank == 0 ? 1 : -1;
    if ((t->rank == 1 && n == channels) || (or_one && n == 1))
        return HET_OK;
    return het__eval_refuse(e, "input %u is not one number per channel of %lld", i,
                            (long long)channels);
}

static het_status sliding(het__eval *e, const het__window *w, const int64_t *spatial,
                          het_dtype dtype, uint32_t outputs)
{
    int64_t extent[HET_RANK_MAX] = { w->batch, w->out_channels };
    for (uint32_t i = 0; i < w->axes; i++)
        extent[i + 2] = spatial[i];
    het_status s = het__eval_shape(e, 0, dtype, w->axes + 2, extent);
    if (s == HET_OK && outputs > 1)
        s = het__eval_shape(e, 1, HET_DTYPE_I64, w->axes + 2, extent);
    return s;
}

static het_status conv_of_reals(het__eval *e, het__window *w)
{
    const het__tensor *x = het__eval_input(e, 0);
    het_status s = real_image(e, 3);
    if (s == HET_OK)
        s = same_type(e, 1, x->dtype);
    return s == HET_OK ? het__window_conv(e, w) : s;
}

het_status het__shape_conv(het__eval *e)
{
    het__window w;
    het_status s = conv_of_reals(e, &w);
    if (s == HET_OK)
        s = same_type(e, 2, e->inputs[0].dtype);
    if (s == HET_OK)
        s = per_channel(e, 2, w.out_channels, false);
    return s == HET_OK ? sliding(e, &w, w.out, e->inputs[0].dtype, 1) : s;
}

het_status het__shape_conv_transpose(het__eval *e)
{
    het__window w;
    het_status s = real_image(e, 3);
    for (uint32_t i = 1; s == HET_OK && i < 3; i++)
        s = same_type(e, i, e->inputs[0].dtype);
    if (s == HET_OK)
        s = het__window_conv_transpose(e, &w);
    if (s == HET_OK)
        s = per_channel(e, 2, w.out_channels, false);
    return s == HET_OK ? sliding(e, &w, w.in, e->inputs[0].dtype, 1) : s;
}

/* Extents [batch, planes * scale, out…] of the offsets and masks of a deformable convolution. */
static het_status planes(const het__eval *e, uint32_t i, const het__window *w, int64_t count)
{
    const het__tensor *t = het__eval_input(e, i);
    if (!t)
        return HET_OK;
    bool fits = t->rank == w->axes + 2 && t->dtype == e->inputs[0].dtype &&
                t->extent[0] == w->batch && t->extent[1] == count;
    for (uint32_t k = 0; fits && k < w->axes; k++)
        fits = t->extent[k + 2] == w->out[k];
    return fits ? HET_OK : het__eval_refuse(e, "input %u does not fit the output", i);
}

het_status het__shape_deform_conv(het__eval *e)
{
    het__window w;
    int64_t taps, count;
    het_status s = conv_of_reals(e, &w);
    if (s != HET_OK)
        return s;
    const int64_t groups = het__attr_int(e->attrs, "offset_group", 1);
    if (groups < 1 || w.channels % groups != 0 || !het__mul_i64(groups, w.kernel_span, &taps) ||
        !het__mul_i64(taps, w.axes, &count) || !het__eval_input(e, 2))
        return het__eval_refuse(e, "%lld channels in %lld groups of offsets",
                                (long long)w.channels, (long long)groups);
    s = planes(e, 2, &w, count);
    if (s == HET_OK)
        s = same_type(e, 3, e->inputs[0].dtype);
    if (s == HET_OK)
        s = per_channel(e, 3, w.out_channels, false);
    if (s == HET_OK)
        s = planes(e, 4, &w, taps);
    return s == HET_OK ? sliding(e, &w, w.out, e->inputs[0].dtype, 1) : s;
}

static het_status bytes(const het__eval *e, uint32_t i)
{
    const het__tensor *t = het__eval_input(e, i);
    if (!t || !is_byte(t->dtype))
        return het__eval_refuse(e, "input %u is %s where bytes belong", i,
                                t ? het_dtype_name(t->dtype) : "left out");
    return HET_OK;
}

het_status het__shape_conv_integer(het__eval *e)
{
    het__window w;
    het_status s = bytes(e, 0);
    if (s == HET_OK)
        s = bytes(e, 1);
    if (s == HET_OK)
        s = same_type(e, 2, e->inputs[0].dtype);
    if (s == HET_OK)
        s = same_type(e, 3, e->inputs[1].dtype);
    if (s == HET_OK)
        s = het__window_conv(e, &w);
    if (s == HET_OK)
        s = per_channel(e, 2, 1, true);
    if (s == HET_OK)
        s = per_channel(e, 3, w.out_channels, true);
    return s == HET_OK ? sliding(e, &w, w.out, HET_DTYPE_I32, 1) : s;
}

/* Inputs: x, scale, zero, w, scale, zero, y scale, y zero, bias. */
het_status het__shape_qlinear_conv(het__eval *e)
{
    static const uint32_t scales[] = { 1, 4, 6 };
    het__window w;
    het_status s = bytes(e, 0);
    if (s == HET_OK)
        s = bytes(e, 3);
    if (s == HET_OK)
        s = same_type(e, 2, e->inputs[0].dtype);
    if (s == HET_OK)
        s = same_type(e, 5, e->inputs[3].dtype);
    if (s == HET_OK && het__eval_input(e, 7))
        s = bytes(e, 7);
    if (s == HET_OK)
        s = same_type(e, 8, HET_DTYPE_I32);
    if (s == HET_OK)
        s = het__window_conv(e, &w);
    for (uint32_t i = 0; s == HET_OK && i < 3; i++) {
        s = same_type(e, scales[i], HET_DTYPE_F32);
        if (s == HET_OK && !het__eval_input(e, scales[i]))
            s = het__eval_refuse(e, "input %u is left out", scales[i]);
    }
    for (uint32_t i = 1; s == HET_OK && i < 8; i++)
        if (i != 3)
            s = per_channel(e, i, i == 4 || i == 5 ? w.out_channels : 1, true);
    if (s == HET_OK)
        s = per_channel(e, 8, w.out_channels, false);
    const het__tensor *zero = het__eval_input(e, 7);
    return s == HET_OK ? sliding(e, &w, w.out, zero ? zero->dtype : e->inputs[0].dtype, 1) : s;
}

het_status het__shape_pool(het__eval *e)
{
    het__window w;
    const het__tensor *x = het__eval_input(e, 0);
    const bool max = e->node->op == HET__OP_T_MAX_POOL;
    het_status s = max && x && is_byte(x->dtype) ? HET_OK : real_image(e, 3);
    if (s == HET_OK && e->node->op == HET__OP_T_LP_POOL && het__attr_int(e->attrs, "p", 2) < 1)
        s = het__eval_refuse(e, "p is %lld", (long long)het__attr_int(e->attrs, "p", 2));
    if (s == HET_OK)
        s = het__window_pool(e, &w);
    return s == HET_OK ? sliding(e, &w, w.out, x->dtype, max ? 2 : 1) : s;
}

het_status het__shape_global_pool(het__eval *e)
{
    het_status s = real_image(e, 2);
    if (s != HET_OK)
        return s;
    if (e->node->op == HET__OP_T_GLOBAL_LP_POOL && het__attr_int(e->attrs, "p", 2) < 1)
        return het__eval_refuse(e, "p is %lld", (long long)het__attr_int(e->attrs, "p", 2));
    int64_t extent[HET_RANK_MAX];
    for (uint32_t i = 0; i < e->inputs[0].rank; i++)
        extent[i] = i < 2 ? e->inputs[0].extent[i] : 1;
    return het__eval_shape(e, 0, e->inputs[0].dtype, e->inputs[0].rank, extent);
}

het_status het__shape_max_unpool(het__eval *e)
{
    const het__tensor *x = het__eval_input(e, 0), *places = het__eval_input(e, 1);
    const het__tensor *shape = het__eval_input(e, 2);
    int64_t extent[HET_RANK_MAX];
    uint32_t count;
    bool present;
    het_status s = real_image(e, 3);
    if (s != HET_OK)
        return s;
    if (!places || places->dtype != HET_DTYPE_I64 || !het__tensor_same_extents(places, x))
        return het__eval_refuse(e, "the indices do not fit the pooled tensor");
    s = het__window_unpool(e, extent);
    if (s != HET_OK || !shape)
        return s == HET_OK ? het__eval_shape(e, 0, x->dtype, x->rank, extent) : s;
    if (!het__eval_ints(e, 2, NULL, x->rank, extent, &count, &present, &s)) {
        e->outputs[0].dtype = x->dtype;
        e->outputs[0].rank = x->rank;
        return het__eval_unknown(e);
    }
    if (s == HET_OK && count != x->rank)
        s = het__eval_refuse(e, "an output shape of %u extents", count);
    return s == HET_OK ? het__eval_shape(e, 0, x->dtype, x->rank, extent) : s;
}

/* [regions, channels, height, width] from an image and a list of regions with that many numbers. */
static het_status regions(het__eval *e, uint32_t numbers, int64_t height, int64_t width)
{
    const het__tensor *x = het__eval_input(e, 0), *rois = het__eval_input(e, 1);
    const het_status s = real_image(e, 4);
    if (s != HET_OK)
        return s;
    if (x->rank != 4 || !rois || rois->rank != 2 || rois->extent[1] != numbers ||
        rois->dtype != x->dtype)
        return het__eval_refuse(e, "images of rank 4 and regions of %u numbers belong", numbers);
    if (height < 1 || width < 1)
        return het__eval_refuse(e, "an output of %lld by %lld", (long long)height,
                                (long long)width);
    const int64_t extent[] = { rois->extent[0], x->extent[1], height, width };
    return het__eval_shape(e, 0, x->dtype, 4, extent);
}

het_status het__shape_max_roi_pool(het__eval *e)
{
    const het__attr *pooled = het__attr_find(e->attrs, "pooled_shape", HET__ATTR_INTS);
    if (!pooled || pooled->count != 2)
        return het__eval_refuse(e, "there is no pooled_shape of two extents");
    return regions(e, 5, pooled->u.ints[0], pooled->u.ints[1]);
}

het_status het__shape_roi_align(het__eval *e)
{
    const het__tensor *rois = het__eval_input(e, 1), *images = het__eval_input(e, 2);
    const het_status s = regions(e, 4, het__attr_int(e->attrs, "output_height", 1),
                                 het__attr_int(e->attrs, "output_width", 1));
    if (s != HET_OK)
        return s;
    if (!images || images->rank != 1 || images->extent[0] != rois->extent[0] ||
        (images->dtype != HET_DTYPE_I64 && images->dtype != HET_DTYPE_I32))
        return het__eval_refuse(e, "the regions' images are not one integer each");
    return het__attr_int(e->attrs, "sampling_ratio", 0) < 0
               ? het__eval_refuse(e, "sampling_ratio is negative")
               : HET_OK;
}

het_status het__shape_lrn(het__eval *e)
{
    const het_status s = real_image(e, 3);
    if (s != HET_OK)
        return s;
    if (het__attr_int(e->attrs, "size", 0) < 1)
        return het__eval_refuse(e, "size is %lld", (long long)het__attr_int(e->attrs, "size", 0));
    return het__eval_like(e, 0, e->inputs[0].dtype, &e->inputs[0]);
}

/* ---- arithmetic ---- */

static double elements(const het__tensor *t, uint32_t first)
{
    double n = 1;
    for (uint32_t i = first; i < t->rank; i++)
        n *= (double)t->extent[i];
    return n;
}

/* Batch, channels and rows: everything but the last axis. */
static double rows(const het__tensor *t)
{
    double n = 1;
    for (uint32_t i = 0; i + 1 < t->rank; i++)
        n *= (double)t->extent[i];
    return n;
}

void het__count_conv(const het__eval *e, het__work *work)
{
    const het__tensor *weights = het__eval_input(e, het__window_weights(e->node->op));
    work->units = rows(&e->outputs[0]);
    if (!weights)
        return;
    work->macs = elements(&e->outputs[0], 0) * elements(weights, 1);
    work->flops = 2 * work->macs;
}

void het__count_conv_transpose(const het__eval *e, het__work *work)
{
    const het__tensor *x = het__eval_input(e, 0), *weights = het__eval_input(e, 1);
    work->units = (double)e->outputs[0].extent[0] * (double)e->outputs[0].extent[1];
    if (!x || !weights)
        return;
    work->macs = elements(x, 0) * elements(weights, 1);
    work->flops = 2 * work->macs;
}

void het__count_pool(const het__eval *e, het__work *work)
{
    const het__attr *kernel = het__attr_find(e->attrs, "kernel_shape", HET__ATTR_INTS);
    double taps = 1;
    for (uint32_t i = 0; kernel && i < kernel->count; i++)
        taps *= (double)kernel->u.ints[i];
    work->units = rows(&e->outputs[0]);
    work->flops = elements(&e->outputs[0], 0) * taps;
}

void het__count_global_pool(const het__eval *e, het__work *work)
{
    work->units = elements(&e->outputs[0], 0);
    work->flops = e->input_count ? elements(&e->inputs[0], 0) : 0;
}

/* Per element: squares and sums over the window, and scale, bias, power, division. */
void het__count_lrn(const het__eval *e, het__work *work)
{
    work->units = elements(&e->outputs[0], 0);
    work->flops = work->units * (2 * (double)het__attr_int(e->attrs, "size", 1) + 4);
}
