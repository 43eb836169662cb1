/* SPDX-License-Identifier: Apache-2.0 */
/* Coordinates and weights of resized axes. Coordinates are computed in double; where one element is
 * picked they are rounded to float first, so that scales such as 1/3, which a float misses by
 * little, pick what is meant. */
#include "lib/plain/resize.h"

#include <math.h>

/* Coordinates beyond are cut: integers hold them, and no axis reaches them. */
#define FAR 0x1p52

static double coordinate(const het__resize *r, uint32_t axis, int64_t in, int64_t o)
{
    const double x = (double)o, n = (double)in, m = (double)r->extent[axis];
    const double length = r->length[axis], scale = r->scale[axis];
    /* The quotient that is exact where an output extent was given. */
    const double half = (x + 0.5) * n / length - 0.5;
    switch (r->transform) {
    case HET__RESIZE_ALIGN_CORNERS:
        return length == 1 ? 0 : x * (n - 1) / (length - 1);
    case HET__RESIZE_ASYMMETRIC:
        return x * n / length;
    case HET__RESIZE_TF_CROP: {
        const double from = r->from[axis], to = r->to[axis];
        return (n - 1) * (m > 1 ? from + x * (to - from) / (m - 1) : 0.5 * (from + to));
    }
    case HET__RESIZE_TF_HALF_PIXEL:
        return (x + 0.5) / scale;
    case HET__RESIZE_PYTORCH_HALF_PIXEL:
        return m > 1 ? half : 0;
    case HET__RESIZE_HALF_PIXEL_SYMMETRIC:
        return n / 2 * (1 - m / length) + half;
    default:
        return half;
    }
}

/* Behind the first or last element, by more than the floats of a region can miss it. */
static bool is_outside(double x, double in)
{
    const double close = in * 0x1p-23;
    return !(x >= -close && x <= in - 1 + close);
}

static int64_t pick(const het__resize *r, uint32_t axis, double place)
{
    const double x = (double)(float)place;
    switch (r->nearest) {
    case HET__RESIZE_ROUND_CEIL: return (int64_t)floor(x + 0.5);
    case HET__RESIZE_FLOOR: return (int64_t)floor(x);
    case HET__RESIZE_CEIL: return (int64_t)ceil(x);
    case HET__RESIZE_SIMPLE: return (int64_t)(r->scale[axis] < 1 ? ceil(x) : floor(x));
    default: return (int64_t)ceil(x - 0.5);
    }
}

static double filter(const het__resize *r, double distance)
{
    const double d = fabs(distance), a = r->cubic_a;
    if (r->mode == HET__RESIZE_LINEAR)
        return d < 1 ? 1 - d : 0;
    if (d <= 1)
        return ((a + 2) * d - (a + 3)) * d * d + 1;
    return d < 2 ? ((a * d - 5 * a) * d + 8 * a) * d - 4 * a : 0;
}

static void scale_to_one(double *weight, int64_t width)
{
    double sum = 0;
    for (int64_t k = 0; k < width; k++)
        sum += weight[k];
    for (int64_t k = 0; k < width && sum != 0; k++)
        weight[k] /= sum;
}

/* Elements around x; reach: how much wider the filter is than between two elements. */
static void weigh(const het__resize *r, double x, const het__taps *t, double reach, int64_t *index,
                  double *weight)
{
    const int64_t first = (int64_t)floor(x) + 1 - t->width / 2;
    for (int64_t k = 0; k < t->width; k++) {
        weight[k] = filter(r, ((double)(first + k) - x) / reach);
        index[k] = first + k;
    }
    if (r->antialias)
        scale_to_one(weight, t->width);
    for (int64_t k = 0; k < t->width; k++) {
        const int64_t at = index[k];
        index[k] = at < 0 ? 0 : at >= t->in ? t->in - 1 : at;
        if (r->exclude_outside && index[k] != at)
            weight[k] = 0;
    }
    if (r->exclude_outside)
        scale_to_one(weight, t->width);
}

/* How many elements take part; -1: more than there can be for a region so large. */
static int64_t width_of(const het__resize *r, int64_t in, double reach)
{
    if (r->mode == HET__RESIZE_NEAREST)
        return 1;
    const double width = 2 * ceil((r->mode == HET__RESIZE_CUBIC ? 2 : 1) * reach);
    return width <= 4 * (double)in + 16 ? (int64_t)width : -1;
}

het_status het__taps_of(het__eval *e, const het__resize *r, uint32_t axis, int64_t in,
                        het__taps *taps)
{
    const int64_t out = r->extent[axis];
    const double reach = r->antialias && r->scale[axis] < 1 ? 1 / r->scale[axis] : 1;
    const int64_t width = width_of(r, in, reach);
    size_t count, bytes;
    if (width < 0)
        return het__eval_unsupported(e, "%g elements in one on axis %u", 4 * reach, axis);
    if (!het__mul_size((size_t)out, (size_t)width, &count) || !het__mul_size(count, 16, &bytes) ||
        !het__add_size(bytes, (size_t)out, &bytes))
        return het__eval_nomem(e);
    char *memory = het__eval_scratch(e, bytes, 1);
    if (!memory)
        return het__eval_nomem(e);
    int64_t *index = (void *)memory;
    double *weight = (void *)(memory + count * 8);
    unsigned char *outside = (unsigned char *)(memory + count * 16);
    const bool nearest = r->mode == HET__RESIZE_NEAREST;
    *taps = (het__taps){ in, out, width, index, nearest ? NULL : weight, outside };
    for (int64_t o = 0; o < out; o++) {
        double x = coordinate(r, axis, in, o);
        outside[o] = r->transform == HET__RESIZE_TF_CROP && is_outside(x, (double)in);
        x = x > FAR ? FAR : x > -FAR ? x : -FAR;
        if (nearest) {
            const int64_t at = pick(r, axis, x);
            index[o] = at < 0 ? 0 : at >= in ? in - 1 : at;
        } else {
            weigh(r, x, taps, reach, index + o * width, weight + o * width);
        }
    }
    return HET_OK;
}
