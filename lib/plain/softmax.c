/* SPDX-License-Identifier: Apache-2.0 */
/* Softmax, its logarithm, and 1 at the first largest element.
 *
 * Softmax of a row that has -infinity everywhere is NaN, as with NumPy: 0 divided by 0. */
#include <math.h>
#include <string.h>

#include "lib/plain/block.h"

/* Blocks of neighbouring rows: [n][inner], of which count lie side by side from start on. */
typedef struct strip {
    const het__tensor *in, *out;
    int64_t start, n, stride, count;
} strip;

static void strip_max(const strip *s, double *top)
{
    double x[HET__BLOCK];
    for (int64_t c = 0; c < s->count; c++)
        top[c] = -HUGE_VAL;
    for (int64_t i = 0; i < s->n; i++) {
        het__load_f64(s->in, s->start + i * s->stride, s->count, x);
        for (int64_t c = 0; c < s->count; c++)
            top[c] = top[c] >= x[c] || isnan(top[c]) ? top[c] : x[c];
    }
}

/* Exponentials are kept in the output until their sum is known, if its type has room for them. */
static void strip_softmax(const strip *s, bool logarithm)
{
    double x[HET__BLOCK], top[HET__BLOCK], sum[HET__BLOCK];
    const bool kept = !logarithm &&
                      (s->out->dtype == HET_DTYPE_F32 || s->out->dtype == HET_DTYPE_F64);
    strip_max(s, top);
    memset(sum, 0, sizeof sum);
    for (int64_t i = 0; i < s->n; i++) {
        const int64_t at = s->start + i * s->stride;
        het__load_f64(s->in, at, s->count, x);
        for (int64_t c = 0; c < s->count; c++) {
            x[c] = exp(x[c] - top[c]);
            sum[c] += x[c];
        }
        if (kept)
            het__store_f64(s->out, at, s->count, x);
    }
    for (int64_t c = 0; c < s->count; c++)
        sum[c] = logarithm ? log(sum[c]) : 1 / sum[c];
    for (int64_t i = 0; i < s->n; i++) {
        const int64_t at = s->start + i * s->stride;
        het__load_f64(kept ? s->out : s->in, at, s->count, x);
        for (int64_t c = 0; c < s->count; c++)
            x[c] = kept        ? x[c] * sum[c]
                   : logarithm ? x[c] - top[c] - sum[c]
                               : exp(x[c] - top[c]) * sum[c];
        het__store_f64(s->out, at, s->count, x);
    }
}

static void strip_hardmax(const strip *s)
{
    double x[HET__BLOCK], top[HET__BLOCK], y[HET__BLOCK];
    bool found[HET__BLOCK] = { false };
    strip_max(s, top);
    for (int64_t i = 0; i < s->n; i++) {
        het__load_f64(s->in, s->start + i * s->stride, s->count, x);
        for (int64_t c = 0; c < s->count; c++) {
            const bool is_top = !found[c] && (x[c] == top[c] || (isnan(x[c]) && isnan(top[c])));
            found[c] |= is_top;
            y[c] = is_top;
        }
        het__store_f64(s->out, s->start + i * s->stride, s->count, y);
    }
}

/* Rows of F32 side by side in memory. Exponentials of F32, their sum in double. */
static void row_softmax(const float *restrict x, float *restrict y, int64_t n, bool logarithm)
{
    float top = -HUGE_VALF;
    double sum = 0;
    for (int64_t i = 0; i < n; i++)
        top = top >= x[i] || isnan(top) ? top : x[i];
    for (int64_t i = 0; i < n; i++) {
        y[i] = expf(x[i] - top);
        sum += (double)y[i];
    }
    if (logarithm) {
        const double shift = (double)top + log(sum);
        for (int64_t i = 0; i < n; i++)
            y[i] = (float)((double)x[i] - shift);
    } else {
        const double scale = 1 / sum;
        for (int64_t i = 0; i < n; i++)
            y[i] = (float)((double)y[i] * scale);
    }
}

static het_status rows_softmax(het__eval *e, const het__slab *rows, bool logarithm)
{
    const float *x = het__plain_f32(e, &e->inputs[0]);
    float *y = e->outputs[0].data;
    if (!x)
        return het__eval_nomem(e);
    for (int64_t o = 0; o < rows->outer; o++)
        row_softmax(x + o * rows->n, y + o * rows->n, rows->n, logarithm);
    return HET_OK;
}

het_status het__plain_softmax(het__eval *e)
{
    const het__slab rows = het__softmax_slab(e);
    const het__op op = e->node->op;
    strip s = { .in = &e->inputs[0], .out = &e->outputs[0], .n = rows.n, .stride = rows.inner };
    const bool is_aligned = (uintptr_t)s.out->data % sizeof(float) == 0;
    if (s.in->dtype == HET_DTYPE_F32 && rows.inner == 1 && op != HET__OP_T_HARDMAX && is_aligned)
        return rows_softmax(e, &rows, op == HET__OP_T_LOG_SOFTMAX);
    for (int64_t o = 0; o < rows.outer; o++) {
        for (int64_t at = 0; at < rows.inner; at += HET__BLOCK) {
            s.start = o * rows.n * rows.inner + at;
            s.count = het__block(rows.inner - at);
            if (op == HET__OP_T_HARDMAX)
                strip_hardmax(&s);
            else
                strip_softmax(&s, op == HET__OP_T_LOG_SOFTMAX);
        }
    }
    return HET_OK;
}
