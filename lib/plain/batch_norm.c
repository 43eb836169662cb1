/* SPDX-License-Identifier: Apache-2.0 */
/* Batch normalisation, with given statistics or with those of the batch (training). It comes down
 * to one product and one sum per element, with numbers of its channel. */
#include <math.h>
#include <string.h>

#include "lib/plain/block.h"

typedef struct job {
    const het__tensor *in, *out;
    het__slab rows;        /* [batch][channels][places], or [batch][elements of a sample][1] */
    double *scale, *shift; /* per channel */
} job;

/* One sample when all elements have numbers of their own. */
static void sample(const job *j, int64_t start)
{
    double x[HET__BLOCK];
    for (int64_t at = 0; at < j->rows.n; at += HET__BLOCK) {
        const int64_t count = het__block(j->rows.n - at);
        het__load_f64(j->in, start + at, count, x);
        for (int64_t i = 0; i < count; i++)
            x[i] = x[i] * j->scale[at + i] + j->shift[at + i];
        het__store_f64(j->out, start + at, count, x);
    }
}

static void channel(const job *j, int64_t start, double scale, double shift)
{
    double x[HET__BLOCK];
    for (int64_t at = 0; at < j->rows.inner; at += HET__BLOCK) {
        const int64_t count = het__block(j->rows.inner - at);
        het__load_f64(j->in, start + at, count, x);
        for (int64_t i = 0; i < count; i++)
            x[i] = x[i] * scale + shift;
        het__store_f64(j->out, start + at, count, x);
    }
}

/* Mean over batch and places of (x - mean)^2, or of x where mean is NULL. */
static void moment(const job *j, const double *mean, double *result)
{
    double x[HET__BLOCK];
    const het__slab *r = &j->rows;
    memset(result, 0, (size_t)r->n * sizeof *result);
    for (int64_t k = 0; k < r->outer * r->n; k++) {
        const int64_t c = k % r->n;
        const double shift = mean ? mean[c] : 0;
        for (int64_t at = 0; at < r->inner; at += HET__BLOCK) {
            const int64_t count = het__block(r->inner - at);
            het__load_f64(j->in, k * r->inner + at, count, x);
            for (int64_t i = 0; i < count; i++)
                result[c] += mean ? (x[i] - shift) * (x[i] - shift) : x[i];
        }
    }
    for (int64_t c = 0; c < r->n; c++)
        result[c] /= (double)r->outer * (double)r->inner;
}

static void put_all(const het__eval *e, uint32_t output, int64_t n, const double *old,
                    const double *now, double momentum)
{
    for (int64_t c = 0; output < e->output_count && c < n; c++)
        het__put_f64(e->outputs[output].dtype, e->outputs[output].data, c,
                     old[c] * momentum + now[c] * (1 - momentum));
}

/* Statistics of the batch take the place of those given, which the running ones follow slowly. */
static het_status train(het__eval *e, const job *j, double *mean, double *variance)
{
    const int64_t n = j->rows.n;
    const double momentum = (double)het__attr_float(e->attrs, "momentum", 0.9f);
    double *now_mean = het__eval_scratch(e, (size_t)n, sizeof *now_mean);
    double *now_variance = het__eval_scratch(e, (size_t)n, sizeof *now_variance);
    if (!now_mean || !now_variance)
        return het__eval_nomem(e);
    moment(j, NULL, now_mean);
    moment(j, now_mean, now_variance);
    put_all(e, 1, n, mean, now_mean, momentum);
    put_all(e, 2, n, variance, now_variance, momentum);
    put_all(e, 3, n, mean, now_mean, 0);
    put_all(e, 4, n, variance, now_variance, 0);
    memcpy(mean, now_mean, (size_t)n * sizeof *mean);
    memcpy(variance, now_variance, (size_t)n * sizeof *variance);
    return HET_OK;
}

het_status het__plain_batch_norm(het__eval *e)
{
    const het__tensor *x = &e->inputs[0];
    const double eps = (double)het__attr_float(e->attrs, "epsilon", 1e-5f);
    const bool spatial = e->attrs->opset >= 9 || het__attr_int(e->attrs, "spatial", 1) != 0;
    job j = { .in = x, .out = &e->outputs[0] };
    if (x->rank < 2)
        j.rows = (het__slab){ x->extent[0], 1, 1 };
    else
        j.rows = het__slab_of(x, 1, spatial ? 2 : x->rank);
    j.scale = het__plain_f64(e, &e->inputs[1]);
    j.shift = het__plain_f64(e, &e->inputs[2]);
    double *mean = het__plain_f64(e, &e->inputs[3]), *variance = het__plain_f64(e, &e->inputs[4]);
    if (!j.scale || !j.shift || !mean || !variance)
        return het__eval_nomem(e);
    const het_status s = het__batch_norm_trains(e) ? train(e, &j, mean, variance) : HET_OK;
    if (s != HET_OK)
        return s;
    for (int64_t c = 0; c < j.rows.n; c++) {
        j.scale[c] /= sqrt(variance[c] + eps);
        j.shift[c] -= mean[c] * j.scale[c];
    }
    for (int64_t o = 0; o < j.rows.outer; o++) {
        const int64_t start = o * j.rows.n * j.rows.inner;
        if (j.rows.inner == 1)
            sample(&j, start);
        for (int64_t c = 0; j.rows.inner > 1 && c < j.rows.n; c++)
            channel(&j, start + c * j.rows.inner, j.scale[c], j.shift[c]);
    }
    return HET_OK;
}
