/* SPDX-License-Identifier: Apache-2.0 */
/* Windows of convolutions and pools from attributes and extents.
 *
 * Everything is bounded by HET__WINDOW_MAX before it is multiplied. A pool in ceil mode drops a
 * last window that would start behind the image and its leading pad. */
#include "lib/ir/window.h"

#include <string.h>

typedef enum pad_mode {
    PAD_GIVEN,
    PAD_VALID,
    PAD_SAME_UPPER,
    PAD_SAME_LOWER,
} pad_mode;

static het_status pad_mode_of(const het__eval *e, pad_mode *mode)
{
    static const char *const names[] = { "NOTSET", "VALID", "SAME_UPPER", "SAME_LOWER" };
    const char *text = het__attr_string(e->attrs, "auto_pad", "NOTSET");
    *mode = PAD_GIVEN;
    if (!*text)
        return HET_OK;
    for (int i = 0; i < 4; i++)
        if (strcmp(text, names[i]) == 0) {
            *mode = (pad_mode)i;
            return HET_OK;
        }
    return het__eval_refuse(e, "auto_pad is \"%.20s\"", text);
}

/* An attribute with one integer per axis (or pair of sides), or absent everywhere. */
static het_status list_of(const het__eval *e, const char *name, uint32_t count, int64_t least,
                          int64_t absent, int64_t *out)
{
    const het__attr *a = het__attr_find(e->attrs, name, HET__ATTR_INTS);
    if (a && a->count != count)
        return het__eval_refuse(e, "%s has %u entries where %u belong", name, a->count, count);
    for (uint32_t i = 0; i < count; i++) {
        out[i] = a ? a->u.ints[i] : absent;
        if (out[i] < least || out[i] > HET__WINDOW_MAX)
            return het__eval_refuse(e, "%s has an entry %lld", name, (long long)out[i]);
    }
    return HET_OK;
}

/* Spatial axes, batch and channels of the image. */
static het_status image_of(const het__eval *e, const het__tensor *x, het__window *w,
                           int64_t *extent)
{
    memset(w, 0, sizeof *w);
    if (!x || x->rank < 3)
        return het__eval_refuse(e, "the image has rank %u; 3 is the least", x ? x->rank : 0);
    w->axes = x->rank - 2;
    w->batch = x->extent[0];
    w->channels = w->out_channels = x->extent[1];
    w->groups = 1;
    for (uint32_t i = 0; i < w->axes; i++) {
        extent[i] = x->extent[i + 2];
        if (extent[i] < 0 || extent[i] > HET__WINDOW_MAX)
            return het__eval_refuse(e, "the image has an extent %lld", (long long)extent[i]);
    }
    return HET_OK;
}

static het_status steps_of(const het__eval *e, het__window *w)
{
    int64_t pads[2 * HET__WINDOW_AXES];
    het_status s = list_of(e, "strides", w->axes, 1, 1, w->stride);
    if (s == HET_OK)
        s = list_of(e, "dilations", w->axes, 1, 1, w->dilation);
    if (s == HET_OK)
        s = list_of(e, "pads", 2 * w->axes, 0, 0, pads);
    if (s != HET_OK)
        return s;
    memcpy(w->begin, pads, w->axes * sizeof pads[0]);
    memcpy(w->end, pads + w->axes, w->axes * sizeof pads[0]);
    return HET_OK;
}

/* Product of extents that are each at most HET__WINDOW_MAX. */
static bool span_of(const int64_t *extent, uint32_t axes, int64_t *span)
{
    *span = 1;
    for (uint32_t i = 0; i < axes; i++)
        if (!het__mul_i64(*span, extent[i], span))
            return false;
    return true;
}

static het_status spans_of(const het__eval *e, het__window *w)
{
    int64_t all;
    const int64_t most = w->channels > w->out_channels ? w->channels : w->out_channels;
    if (!span_of(w->in, w->axes, &w->in_span) || !span_of(w->out, w->axes, &w->out_span) ||
        !span_of(w->kernel, w->axes, &w->kernel_span) || !het__mul_i64(w->in_span, most, &all) ||
        !het__mul_i64(w->out_span, most, &all) || !het__mul_i64(w->kernel_span, most, &all))
        return het__eval_refuse(e, "the window has an impossible size");
    return HET_OK;
}

static int64_t reach(const het__window *w, uint32_t axis)
{
    return (w->kernel[axis] - 1) * w->dilation[axis] + 1;
}

static void split_pad(het__window *w, uint32_t axis, int64_t total, bool more_at_begin)
{
    const int64_t pad = total > 0 ? total : 0;
    w->begin[axis] = more_at_begin ? pad - pad / 2 : pad / 2;
    w->end[axis] = pad - w->begin[axis];
}

/* Output extents of a window that moves over the input, and pads where the node leaves them to
 * us. */
static het_status slide(const het__eval *e, het__window *w, bool ceil_mode)
{
    pad_mode mode;
    const het_status s = pad_mode_of(e, &mode);
    if (s != HET_OK)
        return s;
    for (uint32_t i = 0; i < w->axes; i++) {
        const int64_t stride = w->stride[i];
        if (mode == PAD_VALID)
            w->begin[i] = w->end[i] = 0;
        if (mode == PAD_SAME_UPPER || mode == PAD_SAME_LOWER) {
            w->out[i] = (w->in[i] + stride - 1) / stride;
            split_pad(w, i, (w->out[i] - 1) * stride + reach(w, i) - w->in[i],
                      mode == PAD_SAME_LOWER);
            continue;
        }
        const int64_t room = w->in[i] + w->begin[i] + w->end[i] - reach(w, i);
        if (room < 0)
            return het__eval_refuse(e, "a kernel of %lld does not fit in %lld padded by %lld",
                                    (long long)reach(w, i), (long long)w->in[i],
                                    (long long)(w->begin[i] + w->end[i]));
        w->out[i] = (ceil_mode ? room + stride - 1 : room) / stride + 1;
        if (ceil_mode && (w->out[i] - 1) * stride >= w->in[i] + w->begin[i])
            w->out[i]--;
    }
    return spans_of(e, w);
}

/* Kernel extents from the weights; an attribute may repeat them. */
static het_status kernel_of(const het__eval *e, const het__tensor *weights, het__window *w)
{
    int64_t given[HET__WINDOW_AXES];
    const bool named = het__attr_find(e->attrs, "kernel_shape", HET__ATTR_INTS) != NULL;
    if (!weights || weights->rank != w->axes + 2)
        return het__eval_refuse(e, "the weights have rank %u where the image has %u",
                                weights ? weights->rank : 0, w->axes + 2);
    const het_status s = list_of(e, "kernel_shape", w->axes, 1, 1, given);
    if (s != HET_OK)
        return s;
    for (uint32_t i = 0; i < w->axes; i++) {
        w->kernel[i] = weights->extent[i + 2];
        if (w->kernel[i] < 1 || w->kernel[i] > HET__WINDOW_MAX ||
            (named && given[i] != w->kernel[i]))
            return het__eval_refuse(e, "kernel_shape and weights differ on axis %u", i);
    }
    return HET_OK;
}

/* inside: extent 1 of the weights, outside: extent 0. */
static het_status groups_of(const het__eval *e, het__window *w, int64_t inside)
{
    w->groups = het__attr_int(e->attrs, "group", 1);
    if (w->groups < 1 || w->channels % w->groups != 0 || w->out_channels % w->groups != 0)
        return het__eval_refuse(e, "%lld channels to %lld in %lld groups", (long long)w->channels,
                                (long long)w->out_channels, (long long)w->groups);
    if (w->channels / w->groups != inside)
        return het__eval_refuse(e, "weights for %lld channels where a group has %lld",
                                (long long)inside, (long long)(w->channels / w->groups));
    return HET_OK;
}

het_status het__window_conv(const het__eval *e, het__window *w)
{
    const het__tensor *weights = het__eval_input(e, het__window_weights(e->node->op));
    het_status s = image_of(e, het__eval_input(e, 0), w, w->in);
    if (s == HET_OK)
        s = kernel_of(e, weights, w);
    if (s != HET_OK)
        return s;
    w->out_channels = weights->extent[0];
    s = groups_of(e, w, weights->extent[1]);
    if (s == HET_OK)
        s = steps_of(e, w);
    return s == HET_OK ? slide(e, w, false) : s;
}

het_status het__window_pool(const het__eval *e, het__window *w)
{
    het_status s = image_of(e, het__eval_input(e, 0), w, w->in);
    if (s != HET_OK)
        return s;
    if (!het__attr_find(e->attrs, "kernel_shape", HET__ATTR_INTS))
        return het__eval_refuse(e, "there is no kernel_shape");
    s = list_of(e, "kernel_shape", w->axes, 1, 1, w->kernel);
    if (s == HET_OK)
        s = steps_of(e, w);
    return s == HET_OK ? slide(e, w, het__attr_int(e->attrs, "ceil_mode", 0) != 0) : s;
}

/* Output extents of a transposed convolution, or the pads that lead to those which the node
 * gives. */
static het_status spread(const het__eval *e, het__window *w)
{
    int64_t extra[HET__WINDOW_AXES], shape[HET__WINDOW_AXES];
    const het__attr *given = het__attr_find(e->attrs, "output_shape", HET__ATTR_INTS);
    /* Some writers give batch and channels as well. */
    const bool whole = given && given->count == w->axes + 2;
    pad_mode mode;
    het_status s = pad_mode_of(e, &mode);
    if (s == HET_OK)
        s = list_of(e, "output_padding", w->axes, 0, 0, extra);
    if (s == HET_OK && !whole)
        s = list_of(e, "output_shape", w->axes, 0, 0, shape);
    if (s != HET_OK)
        return s;
    const bool same = mode == PAD_SAME_UPPER || mode == PAD_SAME_LOWER;
    for (uint32_t i = 0; i < w->axes; i++) {
        const int64_t full =
            w->out[i] ? (w->out[i] - 1) * w->stride[i] + extra[i] + reach(w, i) : 0;
        if (given || same) {
            w->in[i] = whole ? given->u.ints[i + 2] : given ? shape[i] : w->out[i] * w->stride[i];
            split_pad(w, i, full - w->in[i], mode != PAD_SAME_UPPER);
        } else {
            if (mode == PAD_VALID)
                w->begin[i] = w->end[i] = 0;
            w->in[i] = full - w->begin[i] - w->end[i];
        }
        if (w->in[i] < 0 || w->in[i] > HET__WINDOW_MAX || w->begin[i] > HET__WINDOW_MAX)
            return het__eval_refuse(e, "an output extent of %lld", (long long)w->in[i]);
    }
    return spans_of(e, w);
}

het_status het__window_conv_transpose(const het__eval *e, het__window *w)
{
    const het__tensor *weights = het__eval_input(e, 1);
    het_status s = image_of(e, het__eval_input(e, 0), w, w->out);
    if (s == HET_OK)
        s = kernel_of(e, weights, w);
    if (s != HET_OK)
        return s;
    const int64_t groups = het__attr_int(e->attrs, "group", 1);
    if (groups < 1 || weights->extent[0] != w->channels ||
        !het__mul_i64(weights->extent[1], groups, &w->out_channels))
        return het__eval_refuse(e, "weights for %lld channels where the image has %lld",
                                (long long)weights->extent[0], (long long)w->channels);
    s = groups_of(e, w, w->channels / groups);
    if (s == HET_OK)
        s = steps_of(e, w);
    return s == HET_OK ? spread(e, w) : s;
}

bool het__window_is_pointwise(const het__window *w)
{
    for (uint32_t i = 0; i < w->axes; i++)
        if (w->kernel[i] != 1 || w->stride[i] != 1 || w->begin[i] != 0 || w->end[i] != 0 ||
            w->in[i] != w->out[i])
            return false;
    return true;
}

het_status het__window_unpool(const het__eval *e, int64_t extent[HET_RANK_MAX])
{
    const het__tensor *x = het__eval_input(e, 0);
    const uint32_t axes = x->rank - 2;
    const het__attr *kernel = het__attr_find(e->attrs, "kernel_shape", HET__ATTR_INTS);
    const het__attr *strides = het__attr_find(e->attrs, "strides", HET__ATTR_INTS);
    const het__attr *pads = het__attr_find(e->attrs, "pads", HET__ATTR_INTS);
    if (!kernel || kernel->count != axes || (strides && strides->count != axes) ||
        (pads && pads->count != 2 * axes))
        return het__eval_refuse(e, "kernel_shape, strides or pads are not for %u axes", axes);
    extent[0] = x->extent[0];
    extent[1] = x->extent[1];
    for (uint32_t i = 0; i < axes; i++) {
        const int64_t k = kernel->u.ints[i], stride = strides ? strides->u.ints[i] : 1;
        const int64_t pad[2] = { pads ? pads->u.ints[i] : 0, pads ? pads->u.ints[i + axes] : 0 };
        if (k < 1 || k > HET__WINDOW_MAX || stride < 1 || stride > HET__WINDOW_MAX || pad[0] < 0 ||
            pad[0] > HET__WINDOW_MAX || pad[1] < 0 || pad[1] > HET__WINDOW_MAX ||
            x->extent[i + 2] > HET__WINDOW_MAX)
            return het__eval_refuse(e, "kernel_shape, strides or pads of axis %u", i);
        extent[i + 2] = (x->extent[i + 2] - 1) * stride + k - pad[0] - pad[1];
    }
    return HET_OK;
}
