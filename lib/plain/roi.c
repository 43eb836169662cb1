/* SPDX-License-Identifier: Apache-2.0 */
/* Pools over regions that the input lists. Coordinates are computed in F32 unless the image is F64:
 * which elements a region takes follows from their rounding. */
#include <math.h>

#include "lib/plain/doubles.h"

/* Samples along a side of a bin; more come only from regions that are no regions. */
#define SAMPLES_MAX 4096

typedef struct bins {
    const het__tensor *image, *rois;
    het__tensor *out;
    int64_t height, width; /* of the image */
    int64_t rows, columns; /* of the output */
    double scale;
} bins;

static double rounded(const bins *b, double x)
{
    return b->image->dtype == HET_DTYPE_F64 ? x : (double)(float)x;
}

static bins bins_of(const het__eval *e)
{
    const het__tensor *x = &e->inputs[0], *out = &e->outputs[0];
    return (bins){ .image = x, .rois = &e->inputs[1], .out = &e->outputs[0],
                   .height = x->extent[2], .width = x->extent[3], .rows = out->extent[2],
                   .columns = out->extent[3],
                   .scale = (double)het__attr_float(e->attrs, "spatial_scale", 1.0f) };
}

static double pixel(const bins *b, int64_t plane, int64_t y, int64_t x)
{
    return het__get_f64(b->image->dtype, b->image->data, (plane * b->height + y) * b->width + x);
}

/* ---- MaxRoiPool ---- */

/* Elements first to last - 1 of bin i of n over a side of a region from start to end, within
 * extent. */
static void bin_range(const bins *b, int64_t i, int64_t n, double start, double end, int64_t extent,
                      int64_t *first, int64_t *last)
{
    const double size = rounded(b, fmax(end - start + 1, 1) / (double)n);
    const double low = floor(rounded(b, (double)i * size)) + start;
    const double high = ceil(rounded(b, (double)(i + 1) * size)) + start;
    *first = (int64_t)fmin(fmax(low, 0), (double)extent);
    *last = (int64_t)fmin(fmax(high, 0), (double)extent);
}

/* The largest element of a bin, 0 where there is none. */
static double largest(const bins *b, int64_t plane, const int64_t *y, const int64_t *x)
{
    double best = 0;
    bool any = false;
    for (int64_t i = y[0]; i < y[1]; i++)
        for (int64_t j = x[0]; j < x[1]; j++) {
            const double v = pixel(b, plane, i, j);
            if (!any || v > best)
                best = v;
            any = true;
        }
    return best;
}

static void pool_region(const bins *b, int64_t region, int64_t batch, const double *corners)
{
    const int64_t channels = b->image->extent[1];
    for (int64_t r = 0; r < b->rows; r++)
        for (int64_t c = 0; c < b->columns; c++) {
            int64_t y[2], x[2];
            bin_range(b, r, b->rows, corners[1], corners[3], b->height, &y[0], &y[1]);
            bin_range(b, c, b->columns, corners[0], corners[2], b->width, &x[0], &x[1]);
            for (int64_t k = 0; k < channels; k++)
                het__put_f64(b->out->dtype, b->out->data,
                             ((region * channels + k) * b->rows + r) * b->columns + c,
                             largest(b, batch * channels + k, y, x));
        }
}

het_status het__plain_max_roi_pool(het__eval *e)
{
    const bins b = bins_of(e);
    const int64_t regions = het__tensor_elements(b.out) ? b.rois->extent[0] : 0;
    for (int64_t i = 0; i < regions; i++) {
        double roi[5];
        het__doubles_get(b.rois->dtype, b.rois->data, i * 5, 1, 5, 0, roi);
        if (!(roi[0] >= 0 && roi[0] < (double)b.image->extent[0]))
            return het__eval_refuse(e, "region %lld is of image %g", (long long)i, roi[0]);
        for (int k = 1; k < 5; k++) {
            roi[k] = round(rounded(&b, roi[k] * b.scale));
            if (!isfinite(roi[k]))
                return het__eval_refuse(e, "region %lld is not finite", (long long)i);
        }
        pool_region(&b, i, (int64_t)roi[0], roi + 1);
    }
    return HET_OK;
}

/* ---- RoiAlign ---- */

/* The elements around a sample along one side and the share of the higher one; false outside. */
static bool neighbours(double at, int64_t extent, int64_t *low, int64_t *high, double *share)
{
    if (!(at >= -1 && at <= (double)extent) || extent == 0)
        return false;
    at = at > 0 ? at : 0;
    *low = (int64_t)at;
    if (*low >= extent - 1) {
        *low = *high = extent - 1;
        *share = 0;
    } else {
        *high = *low + 1;
        *share = at - (double)*low;
    }
    return true;
}

typedef struct sampling {
    double start[2], bin[2]; /* vertical, horizontal */
    int64_t samples[2];      /* per bin */
    bool max;
} sampling;

static double sample_bin(const bins *b, const sampling *s, int64_t plane, int64_t row,
                         int64_t column)
{
    const double count = (double)(s->samples[0] * s->samples[1]);
    double sum = 0, best = 0;
    bool any = false;
    for (int64_t i = 0; i < s->samples[0]; i++)
        for (int64_t j = 0; j < s->samples[1]; j++) {
            const double at[] = { s->start[0] + (double)row * s->bin[0] +
                                      ((double)i + 0.5) * s->bin[0] / (double)s->samples[0],
                                  s->start[1] + (double)column * s->bin[1] +
                                      ((double)j + 0.5) * s->bin[1] / (double)s->samples[1] };
            int64_t y0, y1, x0, x1;
            double v = 0, most = 0, fy, fx;
            if (neighbours(at[0], b->height, &y0, &y1, &fy) &&
                neighbours(at[1], b->width, &x0, &x1, &fx)) {
                const double parts[] = { (1 - fy) * (1 - fx) * pixel(b, plane, y0, x0),
                                         (1 - fy) * fx * pixel(b, plane, y0, x1),
                                         fy * (1 - fx) * pixel(b, plane, y1, x0),
                                         fy * fx * pixel(b, plane, y1, x1) };
                v = parts[0] + parts[1] + parts[2] + parts[3];
                /* The largest of the four weighted corners, as the operation defines it. */
                most = fmax(fmax(parts[0], parts[1]), fmax(parts[2], parts[3]));
            }
            sum += v;
            best = any ? fmax(best, most) : most;
            any = true;
        }
    return s->max ? best : sum / (count > 0 ? count : 1);
}

/* Start, bins and samples of a region; false if it is no region. */
static bool lay_samples(const bins *b, const double *roi, bool half_pixel, int64_t ratio,
                        sampling *s)
{
    const double offset = half_pixel ? 0.5 : 0;
    const int64_t sides[] = { b->rows, b->columns };
    for (int i = 0; i < 2; i++) {
        s->start[i] = rounded(b, rounded(b, roi[1 - i] * b->scale) - offset);
        const double end = rounded(b, rounded(b, roi[3 - i] * b->scale) - offset);
        double size = rounded(b, end - s->start[i]);
        if (!half_pixel)
            size = fmax(size, 1);
        s->bin[i] = rounded(b, size / (double)sides[i]);
        const double samples = ratio > 0 ? (double)ratio : fmax(ceil(s->bin[i]), 0);
        if (!isfinite(s->start[i]) || !(samples <= SAMPLES_MAX))
            return false;
        s->samples[i] = (int64_t)samples;
    }
    return true;
}

het_status het__plain_roi_align(het__eval *e)
{
    const bins b = bins_of(e);
    const het__tensor *images = &e->inputs[2];
    const char *mode = het__attr_string(e->attrs, "mode", "avg");
    /* The first version had no such attribute and shifted nothing. */
    const char *shift = het__attr_string(e->attrs, "coordinate_transformation_mode",
                                         e->attrs->opset < 16 ? "output_half_pixel" : "half_pixel");
    sampling s = { .max = strcmp(mode, "max") == 0 };
    const int64_t channels = b.image->extent[1], bin_count = b.rows * b.columns;
    const int64_t regions = het__tensor_elements(b.out) ? b.rois->extent[0] : 0;
    for (int64_t i = 0; i < regions; i++) {
        double roi[4];
        const int64_t image = het__get_i64(images->dtype, images->data, i);
        het__doubles_get(b.rois->dtype, b.rois->data, i * 4, 1, 4, 0, roi);
        if (image < 0 || image >= b.image->extent[0])
            return het__eval_refuse(e, "region %lld is of image %lld", (long long)i,
                                    (long long)image);
        if (!lay_samples(&b, roi, strcmp(shift, "half_pixel") == 0,
                         het__attr_int(e->attrs, "sampling_ratio", 0), &s))
            return het__eval_refuse(e, "region %lld is not finite or too large", (long long)i);
        for (int64_t k = 0; k < channels * bin_count; k++)
            het__put_f64(b.out->dtype, b.out->data, i * channels * bin_count + k,
                         sample_bin(&b, &s, image * channels + k / bin_count,
                                    k % bin_count / b.columns, k % b.columns));
    }
    return HET_OK;
}
