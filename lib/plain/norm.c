/* SPDX-License-Identifier: Apache-2.0 */
/* Normalisation of rows by their own statistics: layer, RMS, group, instance, Lp, mean-variance.
 *
 * The variance is the mean of squared differences from the mean, in a second pass: the difference
 * of two large sums would cancel. */
#include <math.h>
#include <string.h>

#include "lib/plain/block.h"

#define LANES 8

/* Keeps a mean-variance norm of equal elements finite; part of the operation's definition. */
#define MEAN_VARIANCE_FLOOR 1e-9

/* Sum of (x - shift)^2 or of x, over the run of n elements that starts at at. */
static double run_sum(const het__tensor *t, int64_t at, int64_t n, bool squares, double shift)
{
    double x[HET__BLOCK], lane[LANES] = { 0 }, sum = 0;
    for (int64_t done = 0; done < n; done += HET__BLOCK) {
        const int64_t count = het__block(n - done), whole = count / LANES * LANES;
        het__load_f64(t, at + done, count, x);
        for (int64_t i = 0; squares && i < count; i++)
            x[i] = (x[i] - shift) * (x[i] - shift);
        for (int64_t i = 0; i < whole; i += LANES)
            for (int k = 0; k < LANES; k++)
                lane[k] += x[i + k];
        for (int64_t i = whole; i < count; i++)
            sum += x[i];
    }
    for (int k = 0; k < LANES; k++)
        sum += lane[k];
    return sum;
}

static double run_mean(const het__tensor *t, int64_t at, int64_t n)
{
    return run_sum(t, at, n, false, 0) / (double)n;
}

static double run_variance(const het__tensor *t, int64_t at, int64_t n, double mean)
{
    return run_sum(t, at, n, true, mean) / (double)n;
}

/* ---- layer and RMS ---- */

typedef struct layer {
    const het__tensor *in, *out;
    const double *scale, *offset; /* offset: NULL for none */
    bool by_row;  /* every row has the same scales and offsets, one per element */
    het__walk walk; /* otherwise: which of them an element has; moves on with the rows */
} layer;

static void layer_block(layer *l, int64_t at, int64_t n, double *x)
{
    if (!l->by_row) {
        for (int64_t i = 0; i < n; i++, het__walk_next(&l->walk))
            x[i] = x[i] * l->scale[l->walk.index[0]] +
                   (l->offset ? l->offset[l->walk.index[1]] : 0);
        return;
    }
    for (int64_t i = 0; i < n; i++)
        x[i] *= l->scale[at + i];
    for (int64_t i = 0; l->offset && i < n; i++)
        x[i] += l->offset[at + i];
}

static void layer_row(layer *l, int64_t start, int64_t n, double mean, double inverse)
{
    double x[HET__BLOCK];
    for (int64_t at = 0; at < n; at += HET__BLOCK) {
        const int64_t count = het__block(n - at);
        het__load_f64(l->in, start + at, count, x);
        for (int64_t i = 0; i < count; i++)
            x[i] = (x[i] - mean) * inverse;
        layer_block(l, at, count, x);
        het__store_f64(l->out, start + at, count, x);
    }
}

static void put_statistic(const het__eval *e, uint32_t output, int64_t row, double x)
{
    if (output < e->output_count)
        het__put_f64(e->outputs[output].dtype, e->outputs[output].data, row, x);
}

het_status het__plain_layer_norm(het__eval *e)
{
    const het__tensor *x = &e->inputs[0], *scale = &e->inputs[1], *offset = het__eval_input(e, 2);
    const uint32_t axis = (uint32_t)het__layer_norm_axis(e);
    const het__slab rows = het__slab_of(x, axis, x->rank);
    const double eps = (double)het__attr_float(e->attrs, "epsilon", 1e-5f);
    const bool rms = e->node->op == HET__OP_T_RMS_NORMALIZATION;
    layer l = { .in = x, .out = &e->outputs[0] };
    l.scale = het__plain_f64(e, scale);
    l.offset = offset ? het__plain_f64(e, offset) : NULL;
    if (!l.scale || (offset && !l.offset))
        return het__eval_nomem(e);
    l.by_row = het__tensor_is_row(scale, x, axis) &&
               (!offset || het__tensor_is_row(offset, x, axis));
    if (!l.by_row)
        het__walk_init(&l.walk, x, scale, offset, NULL);
    for (int64_t r = 0; r < rows.outer; r++) {
        const double mean = rms ? 0 : run_mean(x, r * rows.n, rows.n);
        const double inverse = 1 / sqrt(run_variance(x, r * rows.n, rows.n, mean) + eps);
        layer_row(&l, r * rows.n, rows.n, mean, inverse);
        put_statistic(e, 1, r, mean);
        put_statistic(e, 2, r, inverse);
    }
    return HET_OK;
}

/* ---- groups ---- */

/* x * scale + offset over one run. */
static void affine_run(const het__tensor *in, const het__tensor *out, int64_t start, int64_t n,
                       double scale, double offset)
{
    double x[HET__BLOCK];
    for (int64_t at = 0; at < n; at += HET__BLOCK) {
        const int64_t count = het__block(n - at);
        het__load_f64(in, start + at, count, x);
        for (int64_t i = 0; i < count; i++)
            x[i] = x[i] * scale + offset;
        het__store_f64(out, start + at, count, x);
    }
}

het_status het__plain_group_norm(het__eval *e)
{
    const het__tensor *x = &e->inputs[0];
    const het__slab rows = het__group_slab(e);
    const double eps = (double)het__attr_float(e->attrs, "epsilon", 1e-5f);
    const bool by_group = het__group_scales_groups(e);
    const int64_t area = het__tensor_span(x, 2, x->rank);
    if (rows.outer == 0 || rows.n == 0)
        return HET_OK;
    const int64_t groups = rows.outer / x->extent[0], channels = rows.n / area;
    for (int64_t r = 0; r < rows.outer; r++) {
        const double mean = run_mean(x, r * rows.n, rows.n);
        const double inverse = 1 / sqrt(run_variance(x, r * rows.n, rows.n, mean) + eps);
        for (int64_t c = 0; c < channels; c++) {
            const int64_t which = by_group ? r % groups : r % groups * channels + c;
            const double scale = het__get_f64(e->inputs[1].dtype, e->inputs[1].data, which);
            const double offset = het__get_f64(e->inputs[2].dtype, e->inputs[2].data, which);
            affine_run(x, &e->outputs[0], r * rows.n + c * area, area, inverse * scale,
                       offset - mean * inverse * scale);
        }
    }
    return HET_OK;
}

/* ---- Lp ---- */

/* Neighbouring rows at once: [n][inner], of which count lie side by side from start on. */
static void lp_strip(const het__eval *e, const het__slab *rows, int64_t start, int64_t count,
                     bool squares)
{
    double x[HET__BLOCK], norm[HET__BLOCK];
    memset(norm, 0, sizeof norm);
    for (int64_t i = 0; i < rows->n; i++) {
        het__load_f64(&e->inputs[0], start + i * rows->inner, count, x);
        for (int64_t c = 0; c < count; c++)
            norm[c] += squares ? x[c] * x[c] : fabs(x[c]);
    }
    for (int64_t c = 0; squares && c < count; c++)
        norm[c] = sqrt(norm[c]);
    for (int64_t i = 0; i < rows->n; i++) {
        het__load_f64(&e->inputs[0], start + i * rows->inner, count, x);
        for (int64_t c = 0; c < count; c++)
            x[c] = norm[c] == 0 ? 0 : x[c] / norm[c];
        het__store_f64(&e->outputs[0], start + i * rows->inner, count, x);
    }
}

het_status het__plain_lp_norm(het__eval *e)
{
    const het__slab rows = het__axis_slab(&e->inputs[0], het__attr_int(e->attrs, "axis", -1));
    const bool squares = het__attr_int(e->attrs, "p", 2) == 2;
    for (int64_t o = 0; o < rows.outer; o++)
        for (int64_t at = 0; at < rows.inner; at += HET__BLOCK)
            lp_strip(e, &rows, o * rows.n * rows.inner + at, het__block(rows.inner - at), squares);
    return HET_OK;
}

/* ---- mean and variance over any axes ---- */

/* Adds up (x - mean)^power per kept element, and divides. */
static void kept_moment(const het__tensor *x, het__walk walk, int64_t kept, const double *mean,
                        double *moment)
{
    const int64_t total = het__tensor_elements(x);
    memset(moment, 0, (size_t)kept * sizeof *moment);
    for (int64_t i = 0; i < total; i++, het__walk_next(&walk)) {
        const double y = het__get_f64(x->dtype, x->data, i);
        const double d = mean ? y - mean[walk.index[0]] : y;
        moment[walk.index[0]] += mean ? d * d : d;
    }
    for (int64_t k = 0; k < kept; k++)
        moment[k] /= (double)total / (double)kept;
}

het_status het__plain_mean_variance_norm(het__eval *e)
{
    const het__tensor *x = &e->inputs[0], *out = &e->outputs[0];
    het__tensor few = *x;
    het__walk walk;
    uint32_t mask;
    const het_status s = het__mean_variance_axes(e, &mask);
    if (s != HET_OK || het__tensor_elements(x) == 0)
        return s;
    for (uint32_t i = 0; i < x->rank; i++)
        few.extent[i] = mask >> i & 1 ? 1 : x->extent[i];
    const int64_t kept = het__tensor_elements(&few), total = het__tensor_elements(x);
    double *mean = het__eval_scratch(e, (size_t)kept, sizeof *mean);
    double *spread = het__eval_scratch(e, (size_t)kept, sizeof *spread);
    if (!mean || !spread)
        return het__eval_nomem(e);
    het__walk_init(&walk, x, &few, NULL, NULL);
    kept_moment(x, walk, kept, NULL, mean);
    kept_moment(x, walk, kept, mean, spread);
    for (int64_t i = 0; i < total; i++, het__walk_next(&walk)) {
        const int64_t k = walk.index[0];
        const double y = het__get_f64(x->dtype, x->data, i) - mean[k];
        het__put_f64(out->dtype, out->data, i, y / (sqrt(spread[k]) + MEAN_VARIANCE_FLOOR));
    }
    return HET_OK;
}
