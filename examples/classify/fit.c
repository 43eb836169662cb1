/* SPDX-License-Identifier: Apache-2.0 */
/* A picture in the extents of a tensor.
 *
 * A pixel of the result is a weighted mean of pixels of the picture; weights fall linearly to both
 * sides of its centre. Where the picture is larger the slope reaches over as many pixels as become
 * one, so that none is skipped; where it is smaller the same is linear interpolation. Rows first:
 * there is never more than one row of sums. */
#include "image.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* The part of one side of the picture that the tensor shows. */
typedef struct span {
    double begin;   /* in pixels */
    double step;    /* pixels of the picture per pixel of the result */
    uint32_t count; /* pixels of the picture */
} span;

/* Pixels [first, last) count for pixel index of the result. */
static void reach(const span *s, uint32_t index, double *centre, uint32_t *first, uint32_t *last)
{
    const double radius = s->step > 1 ? s->step : 1;
    *centre = s->begin + (index + 0.5) * s->step;
    const double low = floor(*centre - radius), high = ceil(*centre + radius);
    *first = low > 0 ? (uint32_t)low : 0;
    *last = high < s->count ? (uint32_t)high : s->count;
}

static double weight(const span *s, double centre, uint32_t pixel)
{
    const double radius = s->step > 1 ? s->step : 1;
    const double w = 1 - fabs(pixel + 0.5 - centre) / radius;
    return w > 0 ? w : 0;
}

static span span_of(uint32_t count, uint32_t result, double step)
{
    return (span){ (count - result * step) / 2, step, count };
}

/* sums: a row of the picture's width and channels. */
static void mix_rows(const image *p, const span *s, uint32_t index, double *sums)
{
    const size_t n = (size_t)p->width * p->channels;
    double centre, total = 0;
    uint32_t first, last;
    reach(s, index, &centre, &first, &last);
    memset(sums, 0, n * sizeof *sums);
    for (uint32_t y = first; y < last; y++) {
        const unsigned char *row = p->pixels + y * n;
        const double w = weight(s, centre, y);
        total += w;
        for (size_t i = 0; w > 0 && i < n; i++)
            sums[i] += w * row[i];
    }
    for (size_t i = 0; i < n; i++)
        sums[i] /= total;
}

static void mix_columns(const double *sums, uint32_t channels, const span *s, uint32_t index,
                        double *pixel)
{
    double centre, total = 0;
    uint32_t first, last;
    reach(s, index, &centre, &first, &last);
    memset(pixel, 0, 3 * sizeof *pixel);
    for (uint32_t x = first; x < last; x++) {
        const double w = weight(s, centre, x);
        total += w;
        for (uint32_t c = 0; c < channels; c++)
            pixel[c] += w * sums[(size_t)x * channels + c];
    }
    for (uint32_t c = 0; c < channels; c++)
        pixel[c] /= total;
}

/* From the channels of the picture to those of the tensor; pixel has room for 3. */
static void convert(double *pixel, uint32_t from, const image_layout *l)
{
    if (from == 1)
        pixel[1] = pixel[2] = pixel[0];
    else if (l->channels == 1)
        pixel[0] = 0.299 * pixel[0] + 0.587 * pixel[1] + 0.114 * pixel[2];
    if (l->blue_first) {
        const double red = pixel[0];
        pixel[0] = l->channels == 1 ? red : pixel[2];
        pixel[2] = red;
    }
    for (uint32_t c = 0; c < l->channels; c++)
        pixel[c] = (pixel[c] * l->scale - l->mean[c]) / l->deviation[c];
}

bool image_fit(const image *picture, const image_layout *layout, float *values)
{
    const uint32_t width = layout->width, height = layout->height, channels = layout->channels;
    double across = (double)picture->width / width, down = (double)picture->height / height;
    if (!layout->stretch)
        across = down = fmin(across, down);
    const span columns = span_of(picture->width, width, across);
    const span rows = span_of(picture->height, height, down);
    double *sums = malloc((size_t)picture->width * picture->channels * sizeof *sums);
    if (!sums)
        return false;
    for (uint32_t y = 0; y < height; y++) {
        mix_rows(picture, &rows, y, sums);
        for (uint32_t x = 0; x < width; x++) {
            double pixel[3];
            mix_columns(sums, picture->channels, &columns, x, pixel);
            convert(pixel, picture->channels, layout);
            const size_t place = (size_t)y * width + x, plane = (size_t)width * height;
            for (uint32_t c = 0; c < channels; c++)
                values[layout->channels_last ? place * channels + c : c * plane + place] =
                    (float)pixel[c];
        }
    }
    free(sums);
    return true;
}
