/* SPDX-License-Identifier: Apache-2.0 */
/* The window of a convolution or pooling that slides over the spatial axes of [batch, channels, …]:
 * attributes, older spellings and auto_pad resolved into numbers that rules, kernels, passes and
 * backends share.
 *
 *     position of a tap in the image = at * stride - begin + tap * dilation
 *
 * where "at" is an output position for convolutions and pools, and an input position for transposed
 * convolutions, whose image is the output. */
#ifndef HET_IR_WINDOW_H
#define HET_IR_WINDOW_H

#include "lib/ir/eval.h"

#define HET__WINDOW_AXES (HET_RANK_MAX - 2)
/* Largest extent, stride, dilation or pad: sums of products of two fit an int64_t. */
#define HET__WINDOW_MAX INT32_MAX

typedef struct het__window {
    uint32_t axes; /* spatial, at least 1 */
    int64_t batch;
    int64_t channels;     /* of the input, all groups together */
    int64_t out_channels; /* of the output, all groups together; pools: channels */
    int64_t groups;       /* divides both; pools: 1 */
    /* Per spatial axis. Transposed: in is the output's extent and out the input's, so that the
     * formula above holds for both. */
    int64_t in[HET__WINDOW_AXES], out[HET__WINDOW_AXES], kernel[HET__WINDOW_AXES];
    int64_t stride[HET__WINDOW_AXES], dilation[HET__WINDOW_AXES];
    int64_t begin[HET__WINDOW_AXES], end[HET__WINDOW_AXES]; /* pads, not negative */
    int64_t in_span, out_span, kernel_span; /* products of the extents, checked */
} het__window;

/* Of Conv, ConvInteger, QLinearConv and DeformConv. The image and the weights of the node must
 * fit. */
het_status het__window_conv(const het__eval *e, het__window *w);
het_status het__window_conv_transpose(const het__eval *e, het__window *w);
/* Of AveragePool, MaxPool and LpPool. */
het_status het__window_pool(const het__eval *e, het__window *w);

/* Extents (batch and channels too) that the input of a pool had whose output MaxUnpool takes. */
het_status het__window_unpool(const het__eval *e, int64_t extent[HET_RANK_MAX]);

/* The input with a convolution's weights: QLinearConv has scales before it. */
static inline uint32_t het__window_weights(het__op op)
{
    return op == HET__OP_T_QLINEAR_CONV ? 3 : 1;
}

/* Positions first to last - 1 along an axis at which this tap lies in the image. */
static inline void het__window_at(const het__window *w, uint32_t axis, int64_t tap, int64_t *first,
                                  int64_t *last)
{
    const int64_t s = w->stride[axis];
    const int64_t low = w->begin[axis] - tap * w->dilation[axis];
    const int64_t high = low + w->in[axis];
    *first = low > 0 ? (low + s - 1) / s : 0;
    *last = high > 0 ? (high + s - 1) / s : 0;
    if (*last > w->out[axis])
        *last = w->out[axis];
    if (*last < *first)
        *last = *first;
}

/* Taps first to last - 1 along an axis that lie in the image at this position. */
static inline void het__window_taps(const het__window *w, uint32_t axis, int64_t at, int64_t *first,
                                    int64_t *last)
{
    const int64_t d = w->dilation[axis];
    const int64_t low = w->begin[axis] - at * w->stride[axis];
    const int64_t high = low + w->in[axis];
    *first = low > 0 ? (low + d - 1) / d : 0;
    *last = high > 0 ? (high + d - 1) / d : 0;
    if (*last > w->kernel[axis])
        *last = w->kernel[axis];
    if (*last < *first)
        *last = *first;
}

/* One tap per position and nothing skipped: a product of matrices. */
bool het__window_is_pointwise(const het__window *w);

#endif /* HET_IR_WINDOW_H */
