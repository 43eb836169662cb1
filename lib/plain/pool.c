/* SPDX-License-Identifier: Apache-2.0 */
/* Pools. Where no element lies under a window, the largest is the least finite value and its index
 * -1, and averages and norms are 0. A NaN under a window of MaxPool is its largest. */
#include <float.h>
#include <math.h>

#include "lib/plain/sliding.h"

typedef struct pool pool;

/* What becomes of the elements under one window. image: the plane; rows and taps of the last axis
 * from first to last - 1 lie in it, the first of them at element start of its row; at: position. */
typedef double (*reduce_fn)(pool *p, int64_t rows, int64_t first, int64_t last, int64_t start,
                            const int64_t *at);

struct pool {
    het__window w;
    reduce_fn reduce;
    double *image; /* a plane */
    double *out;   /* a plane */
    het__tap_row *rows;
    int64_t *indices; /* of a plane of MaxPool, within the plane; or NULL */
    int64_t done;     /* outputs of the plane */
    double least;     /* finite value of the type */
    bool whole;       /* count the padding too */
    double power;
};

static double largest(pool *p, int64_t rows, int64_t first, int64_t last, int64_t start,
                      const int64_t *at)
{
    const int64_t step = p->w.dilation[p->w.axes - 1];
    double best = p->least;
    int64_t where = -1;
    (void)at;
    for (int64_t r = 0; r < rows; r++) {
        int64_t i = p->rows[r].image + start;
        for (int64_t tap = first; tap < last; tap++, i += step)
            if (where < 0 || p->image[i] > best || (isnan(p->image[i]) && !isnan(best))) {
                best = p->image[i];
                where = i;
            }
    }
    if (p->indices)
        p->indices[p->done] = where;
    return best;
}

/* Taps along an axis that lie in the image or its padding: a last window in ceil mode reaches
 * beyond both. */
static int64_t padded_taps(const het__window *w, uint32_t axis, int64_t at)
{
    const int64_t room = w->in[axis] + w->begin[axis] + w->end[axis] - at * w->stride[axis];
    const int64_t taps = room > 0 ? (room + w->dilation[axis] - 1) / w->dilation[axis] : 0;
    return taps < w->kernel[axis] ? taps : w->kernel[axis];
}

static double average(pool *p, int64_t rows, int64_t first, int64_t last, int64_t start,
                      const int64_t *at)
{
    const int64_t step = p->w.dilation[p->w.axes - 1];
    double sum = 0, count = 1;
    for (int64_t r = 0; r < rows; r++) {
        const double *x = p->image + p->rows[r].image + start;
        for (int64_t tap = first; tap < last; tap++)
            sum += x[(tap - first) * step];
    }
    if (!p->whole)
        count = (double)(rows * (last - first));
    for (uint32_t i = 0; p->whole && i < p->w.axes; i++)
        count *= (double)padded_taps(&p->w, i, at[i]);
    return count > 0 ? sum / count : 0;
}

/* |x|^p summed; the powers of one and two are exact. */
static double power_of(double x, double p)
{
    return p == 2 ? x * x : p == 1 ? fabs(x) : pow(fabs(x), p);
}

static double root_of(double sum, double p)
{
    return p == 2 ? sqrt(sum) : p == 1 ? sum : pow(sum, 1 / p);
}

static double norm(pool *p, int64_t rows, int64_t first, int64_t last, int64_t start,
                   const int64_t *at)
{
    const int64_t step = p->w.dilation[p->w.axes - 1];
    double sum = 0;
    (void)at;
    for (int64_t r = 0; r < rows; r++) {
        const double *x = p->image + p->rows[r].image + start;
        for (int64_t tap = first; tap < last; tap++)
            sum += power_of(x[(tap - first) * step], p->power);
    }
    return root_of(sum, p->power);
}

static void pool_plane(pool *p)
{
    const het__window *w = &p->w;
    const uint32_t inner = w->axes - 1;
    int64_t at[HET__WINDOW_AXES] = { 0 };
    p->done = 0;
    do {
        const int64_t rows = het__tap_rows(w, at, p->rows);
        for (at[inner] = 0; at[inner] < w->out[inner]; at[inner]++) {
            int64_t first, last;
            het__window_taps(w, inner, at[inner], &first, &last);
            const int64_t start = at[inner] * w->stride[inner] - w->begin[inner] +
                                  first * w->dilation[inner];
            p->out[p->done] = p->reduce(p, first < last ? rows : 0, first, last, start, at);
            p->done++;
        }
    } while (het__tap_next(w, at));
}

/* Indices of a plane in the numbering of the whole tensor; column major counts the first spatial
 * axis fastest. */
static void put_indices(const pool *p, int64_t plane, bool column_major, het__tensor *out)
{
    const het__window *w = &p->w;
    for (int64_t i = 0; i < p->done; i++) {
        int64_t at = p->indices[i];
        if (at >= 0 && column_major) {
            int64_t rest = at, turned = 0;
            for (uint32_t k = w->axes; k-- > 0;) {
                turned = turned * w->in[k] + rest % w->in[k];
                rest /= w->in[k];
            }
            at = turned;
        }
        het__put_i64(HET_DTYPE_I64, out->data, plane * p->done + i,
                     at < 0 ? -1 : at + plane * w->in_span);
    }
}

static het_status run(het__eval *e, pool *p)
{
    const het_status s = het__window_pool(e, &p->w);
    const het__window *w = &p->w;
    const het__tensor *x = &e->inputs[0];
    if (s != HET_OK || het__tensor_elements(&e->outputs[0]) == 0)
        return s;
    const bool indices = e->output_count > 1 && e->node->op == HET__OP_T_MAX_POOL;
    p->image = het__eval_scratch(e, (size_t)w->in_span, sizeof *p->image);
    p->out = het__eval_scratch(e, (size_t)w->out_span, sizeof *p->out);
    p->rows = het__eval_scratch(e, (size_t)het__tap_rows_max(w), sizeof *p->rows);
    if (indices)
        p->indices = het__eval_scratch(e, (size_t)w->out_span, sizeof *p->indices);
    if (!p->image || !p->out || !p->rows || (indices && !p->indices))
        return het__eval_nomem(e);
    const bool column_major = het__attr_int(e->attrs, "storage_order", 0) != 0;
    for (int64_t plane = 0; plane < w->batch * w->channels; plane++) {
        het__doubles_get(x->dtype, x->data, plane * w->in_span, 1, w->in_span, 0, p->image);
        pool_plane(p);
        het__doubles_put(x->dtype, e->outputs[0].data, plane * w->out_span, 1, w->out_span, p->out);
        if (indices)
            put_indices(p, plane, column_major, &e->outputs[1]);
    }
    return HET_OK;
}

static double least_of(het_dtype dtype)
{
    switch ((int)dtype) {
    case HET_DTYPE_U8: return 0;
    case HET_DTYPE_I8: return -128;
    case HET_DTYPE_F16: return -65504;
    case HET_DTYPE_BF16: return -0x1.fep127;
    case HET_DTYPE_F64: return -DBL_MAX;
    default: return -(double)FLT_MAX;
    }
}

het_status het__plain_max_pool(het__eval *e)
{
    pool p = { .reduce = largest, .least = least_of(e->inputs[0].dtype) };
    return run(e, &p);
}

het_status het__plain_average_pool(het__eval *e)
{
    pool p = { .reduce = average, .whole = het__attr_int(e->attrs, "count_include_pad", 0) != 0 };
    return run(e, &p);
}

het_status het__plain_lp_pool(het__eval *e)
{
    pool p = { .reduce = norm, .power = (double)het__attr_int(e->attrs, "p", 2) };
    return run(e, &p);
}

/* ---- over whole planes ---- */

static double reduce_plane(het__op op, const double *x, int64_t n, double power, double least)
{
    double y = op == HET__OP_T_GLOBAL_MAX_POOL ? least : 0;
    for (int64_t i = 0; i < n; i++)
        if (op == HET__OP_T_GLOBAL_AVERAGE_POOL)
            y += x[i];
        else if (op == HET__OP_T_GLOBAL_LP_POOL)
            y += power_of(x[i], power);
        else if (i == 0 || x[i] > y || isnan(x[i]))
            y = x[i];
    if (op == HET__OP_T_GLOBAL_AVERAGE_POOL)
        return n ? y / (double)n : 0;
    return op == HET__OP_T_GLOBAL_LP_POOL ? root_of(y, power) : y;
}

het_status het__plain_global_pool(het__eval *e)
{
    const het__tensor *x = &e->inputs[0];
    const int64_t planes = het__tensor_elements(&e->outputs[0]);
    if (planes == 0)
        return HET_OK;
    const int64_t n = het__tensor_span(x, 2, x->rank);
    double *plane = het__eval_scratch(e, (size_t)n, sizeof *plane);
    if (!plane)
        return het__eval_nomem(e);
    const double power = (double)het__attr_int(e->attrs, "p", 2);
    for (int64_t i = 0; i < planes; i++) {
        het__doubles_get(x->dtype, x->data, i * n, 1, n, 0, plane);
        het__put_f64(x->dtype, e->outputs[0].data, i,
                     reduce_plane(e->node->op, plane, n, power, least_of(x->dtype)));
    }
    return HET_OK;
}
