/* SPDX-License-Identifier: Apache-2.0 */
/* Sampling images at the places of a grid, and making such grids.
 *
 * Per place of the grid the elements that take part and their weights are found once; all channels
 * use them. Along each axis 1 (nearest), 2 (linear) or 4 (cubic) elements take part. */
#include <math.h>
#include <string.h>

#include "lib/ir/move.h"
#include "lib/plain/plain.h"

/* Weights of four neighbours follow from this coefficient. */
#define CUBIC_A (-0.75)

enum { ZEROS, BORDER, REFLECTION };

typedef struct sampler {
    const het__tensor *x;
    uint32_t axes;
    int taps; /* per axis */
    int padding;
    bool corners;
    int64_t *offset; /* of those that take part, in elements of one channel */
    double *weight;
    size_t count;
} sampler;

static double cubic_near(double d)
{
    return ((CUBIC_A + 2) * d - (CUBIC_A + 3)) * d * d + 1;
}

static double cubic_far(double d)
{
    return ((CUBIC_A * d - 5 * CUBIC_A) * d + 8 * CUBIC_A) * d - 4 * CUBIC_A;
}

/* Folds x back at the borders until it lies between them. */
static double reflect(double x, double low, double high)
{
    const double range = high - low;
    if (range <= 0)
        return low;
    const double way = fmod(fabs(x - low), 2 * range);
    return low + (way > range ? 2 * range - way : way);
}

/* Where a normalised coordinate lies on an axis, brought inside as the padding says; cubic at a
 * border keeps it, and brings only the elements that take part inside. */
static double place_of(const sampler *s, double n, int64_t extent)
{
    const double length = (double)extent;
    double x = s->corners ? (n + 1) / 2 * (length - 1) : ((n + 1) * length - 1) / 2;
    if (!(fabs(x) < 0x1p52))
        x = s->padding == ZEROS ? -8 : isnan(x) ? 0 : copysign(0x1p52, x);
    if (s->taps == 1)
        x = nearbyint(x);
    const double low = s->corners ? 0 : -0.5, high = length - 1 - low;
    if (x >= low && x <= high)
        return x;
    if (s->padding == BORDER && s->taps != 4)
        return x < 0 ? 0 : length - 1;
    return s->padding == REFLECTION ? reflect(x, low, high) : x;
}

/* The element at index, or -1 for one outside that counts as zero. */
static int64_t inside(const sampler *s, int64_t index, int64_t extent)
{
    if (index >= 0 && index < extent)
        return index;
    if (s->padding == ZEROS)
        return -1;
    if (s->padding == BORDER)
        return index < 0 ? 0 : extent - 1;
    const double low = s->corners ? 0 : -0.5, high = (double)extent - 1 - low;
    const double x = reflect((double)index, low, high);
    return x < 0 ? 0 : x > (double)(extent - 1) ? extent - 1 : (int64_t)x;
}

/* Index and weight of the elements that take part along one axis. */
static void taps_of(const sampler *s, double x, int64_t extent, int64_t index[4], double weight[4])
{
    const double base = floor(x), d = x - base;
    const int64_t first = (int64_t)base - (s->taps == 4);
    weight[0] = 1;
    if (s->taps == 2) {
        weight[0] = 1 - d;
        weight[1] = d;
    } else if (s->taps == 4) {
        weight[0] = cubic_far(d + 1);
        weight[1] = cubic_near(d);
        weight[2] = cubic_near(1 - d);
        weight[3] = cubic_far(2 - d);
    }
    for (int k = 0; k < s->taps; k++)
        index[k] = inside(s, first + k, extent);
}

/* Combines the axes: at most taps to the power of axes elements. coordinates stand innermost axis
 * first in the grid. */
static void find_elements(sampler *s, const het__tensor *grid, int64_t first)
{
    s->count = 1;
    s->offset[0] = 0;
    s->weight[0] = 1;
    for (uint32_t a = 0; a < s->axes; a++) {
        const int64_t extent = s->x->extent[a + 2];
        const double n = het__get_f64(grid->dtype, grid->data, first + s->axes - 1 - a);
        int64_t index[4];
        double weight[4];
        taps_of(s, place_of(s, n, extent), extent, index, weight);
        const size_t have = s->count;
        size_t made = have * (size_t)s->taps;
        /* From the back, so that each old element is read before it is overwritten. */
        for (size_t i = have; i-- > 0;) {
            const int64_t offset = s->offset[i];
            const double w = s->weight[i];
            for (int k = s->taps; k-- > 0;) {
                made--;
                const bool gone = offset < 0 || index[k] < 0;
                s->offset[made] = gone ? -1 : offset * extent + index[k];
                s->weight[made] = gone ? 0 : w * weight[k];
            }
        }
        s->count = have * (size_t)s->taps;
    }
}

static double sum_of(const sampler *s, int64_t first)
{
    double sum = 0;
    for (size_t i = 0; i < s->count; i++)
        if (s->offset[i] >= 0)
            sum += s->weight[i] *
                   het__get_f64(s->x->dtype, s->x->data, first + s->offset[i]);
    return sum;
}

static double sum_of_f32(const sampler *s, int64_t first)
{
    const char *x = (const char *)s->x->data + first * (int64_t)sizeof(float);
    double sum = 0;
    for (size_t i = 0; i < s->count; i++) {
        float value;
        if (s->offset[i] < 0)
            continue;
        memcpy(&value, x + s->offset[i] * (int64_t)sizeof value, sizeof value);
        sum += s->weight[i] * (double)value;
    }
    return sum;
}

static bool is_any(const char *mode, const char *a, const char *b)
{
    return strcmp(mode, a) == 0 || strcmp(mode, b) == 0;
}

static void read_modes(const het__eval *e, sampler *s)
{
    const char *mode = het__attr_string(e->attrs, "mode", "linear");
    const char *padding = het__attr_string(e->attrs, "padding_mode", "zeros");
    s->taps = is_any(mode, "nearest", "nearest") ? 1 : is_any(mode, "cubic", "bicubic") ? 4 : 2;
    s->padding = strcmp(padding, "border") == 0       ? BORDER
                 : strcmp(padding, "reflection") == 0 ? REFLECTION
                                                      : ZEROS;
    s->corners = het__attr_int(e->attrs, "align_corners", 0) != 0;
}

static void sample(sampler *s, const het__tensor *grid, const het__tensor *out)
{
    const het__tensor *x = s->x;
    const int64_t image = het__tensor_span(x, 2, x->rank);
    const int64_t places = het__tensor_span(out, 2, out->rank);
    const bool is_f32 = x->dtype == HET_DTYPE_F32;
    for (int64_t n = 0; n < x->extent[0]; n++)
        for (int64_t p = 0; p < places; p++) {
            find_elements(s, grid, (n * places + p) * s->axes);
            for (int64_t c = 0; c < x->extent[1]; c++) {
                const int64_t plane = n * x->extent[1] + c;
                const double sum = is_f32 ? sum_of_f32(s, plane * image) : sum_of(s, plane * image);
                het__put_f64(out->dtype, out->data, plane * places + p, sum);
            }
        }
}

het_status het__plain_grid_sample(het__eval *e)
{
    const het__tensor *out = &e->outputs[0];
    sampler s = { .x = &e->inputs[0], .axes = e->inputs[0].rank - 2 };
    size_t most = 1;
    if (het__tensor_bytes(out) == 0)
        return HET_OK;
    if (het__tensor_bytes(s.x) == 0) {
        memset(out->data, 0, (size_t)het__tensor_bytes(out));
        return HET_OK;
    }
    read_modes(e, &s);
    for (uint32_t i = 0; i < s.axes; i++)
        most *= (size_t)s.taps;
    s.offset = het__eval_scratch(e, most, sizeof *s.offset);
    s.weight = het__eval_scratch(e, most, sizeof *s.weight);
    if (!s.offset || !s.weight)
        return het__eval_nomem(e);
    sample(&s, &e->inputs[1], out);
    return HET_OK;
}

/* ---- AffineGrid ---- */

/* Coordinate of the centre of element i among extent, -1 to 1 from border to border, or from the
 * first centre to the last. */
static double coordinate(int64_t i, int64_t extent, bool corners)
{
    if (!corners)
        return (2 * (double)i + 1) / (double)extent - 1;
    return extent > 1 ? 2 * (double)i / (double)(extent - 1) - 1 : 0;
}

het_status het__plain_affine_grid(het__eval *e)
{
    const het__tensor *theta = &e->inputs[0], *out = &e->outputs[0];
    const bool corners = het__attr_int(e->attrs, "align_corners", 0) != 0;
    const int64_t axes = (int64_t)out->rank - 2;
    if (het__tensor_bytes(out) == 0)
        return HET_OK;
    const int64_t places = het__tensor_span(out, 1, out->rank - 1);
    for (int64_t n = 0; n < out->extent[0]; n++)
        for (int64_t p = 0; p < places; p++) {
            double at[3] = { 0 };
            int64_t rest = p;
            for (int64_t a = 0; a < axes; a++) { /* innermost first */
                const int64_t extent = out->extent[axes - a];
                at[a] = coordinate(rest % extent, extent, corners);
                rest /= extent;
            }
            for (int64_t row = 0; row < axes; row++) {
                const int64_t first = (n * axes + row) * (axes + 1);
                double sum = het__get_f64(theta->dtype, theta->data, first + axes);
                for (int64_t a = 0; a < axes; a++)
                    sum += at[a] * het__get_f64(theta->dtype, theta->data, first + a);
                het__put_f64(out->dtype, out->data, (n * places + p) * axes + row, sum);
            }
        }
    return HET_OK;
}
