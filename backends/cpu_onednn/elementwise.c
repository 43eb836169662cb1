/* SPDX-License-Identifier: Apache-2.0 */
/* Steps of the small operations: embedding rows, norms, sums, functions, softmax, picked rows. */
#include <assert.h>
#include <math.h>
#include <string.h>

#include "backends/cpu_onednn/cpu.h"
#include "lib/base/error.h"
#include "lib/quant/quant.h"

/* Elements of an elementwise task: 16 KiB of each operand, half of a first-level cache. */
#define CHUNK 4096
/* Elements that a row-wise task should have at least. */
#define ROW_TASK 2048

/* Rows of a matrix in tasks of a few rows each. */
typedef struct row_cut {
    int64_t rows, columns;
    int64_t per_task;
} row_cut;

static void cut_rows(row_cut *cut, het__cpu_step *step, const het__value *value,
                     const int64_t *symbols)
{
    het__value_matrix(value, symbols, &cut->rows, &cut->columns);
    cut->per_task = cut->columns >= ROW_TASK ? 1 : ROW_TASK / (cut->columns ? cut->columns : 1);
    step->tasks = (cut->rows + cut->per_task - 1) / cut->per_task;
}

static void task_rows(const row_cut *cut, int64_t task, int64_t *first, int64_t *end)
{
    *first = task * cut->per_task;
    *end = *first + cut->per_task < cut->rows ? *first + cut->per_task : cut->rows;
}

/* ---- embed ---- */

typedef struct embed {
    row_cut cut;
    const het__value *out_value;
    const het__cpu_matrix *table;
    het__decode_fn decode;
    const int32_t *ids;
    float *out;
    float scale;
} embed;

static void embed_bind(het__cpu_step *step, const int64_t *symbols)
{
    embed *e = step->data;
    cut_rows(&e->cut, step, e->out_value, symbols);
}

static void embed_task(const het__cpu_step *step, int64_t task, unsigned char *scratch)
{
    (void)scratch;
    const embed *e = step->data;
    const int64_t d = e->cut.columns;
    int64_t t, end;
    task_rows(&e->cut, task, &t, &end);
    for (; t < end; t++) {
        assert(e->ids[t] >= 0);
        const int64_t id = e->ids[t] < e->table->n ? e->ids[t] : 0;
        const size_t row = (size_t)id * e->table->row_bytes;
        float *out = e->out + t * d;
        e->decode((const unsigned char *)e->table->source + row, out, d);
        if (e->scale != 1.0f)
            for (int64_t i = 0; i < d; i++)
                out[i] *= e->scale;
    }
}

het_status het__cpu_build_embed(het__cpu_build *build, const het__node *node)
{
    const het__cpu_matrix *table;
    const het_status s = het__cpu_table_get(build, node->inputs[0], &table);
    if (s != HET_OK)
        return s;
    het__cpu_step *step = het__cpu_add_step(build, sizeof(embed));
    if (!step)
        return HET_E_NOMEM;
    embed *e = step->data;
    e->table = table;
    e->decode = het__decoder(table->dtype);
    e->out_value = &build->slice->graph->values[node->outputs[0]];
    het__cpu_place(build, node->inputs[1], &e->ids);
    het__cpu_place(build, node->outputs[0], &e->out);
    e->scale = node->attrs.embed.scale;
    step->bind = embed_bind;
    step->task = embed_task;
    return HET_OK;
}

/* ---- norm ---- */

/* Eight partial sums: fixed order, and as many as the compiler needs to vectorise. */
static double sum_of(const float *x, int64_t n)
{
    double s[8] = { 0 };
    int64_t i = 0;
    for (; i + 8 <= n; i += 8)
        for (int64_t j = 0; j < 8; j++)
            s[j] += (double)x[i + j];
    for (; i < n; i++)
        s[0] += (double)x[i];
    return ((s[0] + s[4]) + (s[1] + s[5])) + ((s[2] + s[6]) + (s[3] + s[7]));
}

static double squares_of(const float *x, float mean, int64_t n)
{
    double s[8] = { 0 };
    int64_t i = 0;
    for (; i + 8 <= n; i += 8)
        for (int64_t j = 0; j < 8; j++) {
            const double c = (double)(x[i + j] - mean);
            s[j] += c * c;
        }
    for (; i < n; i++)
        s[0] += (double)(x[i] - mean) * (double)(x[i] - mean);
    return ((s[0] + s[4]) + (s[1] + s[5])) + ((s[2] + s[6]) + (s[3] + s[7]));
}

static void norm_group(const het__cpu_level *level, const het__cpu_norm *norm, const float *x,
                       float *target)
{
    const int64_t n = norm->group;
    const float *w = norm->weight;
    if (norm->kind == HET__NORM_RMS) {
        const double mean = (double)level->dot(x, x, n) / (double)n;
        const float inverse = (float)(1.0 / sqrt(mean + (double)norm->eps));
        for (int64_t i = 0; i < n; i++)
            target[i] = x[i] * inverse * (w ? w[i] : 1.0f);
    } else {
        const float mean = (float)(sum_of(x, n) / (double)n);
        const double var = squares_of(x, mean, n) / (double)n;
        const float inverse = (float)(1.0 / sqrt(var + (double)norm->eps));
        for (int64_t i = 0; i < n; i++)
            target[i] = (x[i] - mean) * inverse * (w ? w[i] : 1.0f);
    }
    if (norm->bias)
        for (int64_t i = 0; i < n; i++)
            target[i] += norm->bias[i];
}

void het__cpu_norm_row(const het__cpu_level *level, const het__cpu_norm *norm, const float *x,
                       float *target, int64_t columns)
{
    for (int64_t g = 0; g < columns; g += norm->group)
        norm_group(level, norm, x + g, target + g);
}

het_status het__cpu_norm_init(het__cpu_build *build, const het__node *node, het__cpu_norm *norm)
{
    norm->group = node->attrs.norm.group;
    norm->eps = node->attrs.norm.eps;
    norm->kind = node->attrs.norm.kind;
    const het_status s = het__cpu_vector_get(build, node->inputs[1], &norm->weight);
    if (s != HET_OK || node->input_count < 3)
        return s;
    return het__cpu_vector_get(build, node->inputs[2], &norm->bias);
}

typedef struct norm_step {
    row_cut cut;
    het__cpu_norm norm;
    const het__value *out_value;
    const float *x;
    float *out;
} norm_step;

static void norm_bind(het__cpu_step *step, const int64_t *symbols)
{
    norm_step *n = step->data;
    cut_rows(&n->cut, step, n->out_value, symbols);
}

static void norm_task(const het__cpu_step *step, int64_t task, unsigned char *scratch)
{
    (void)scratch;
    const norm_step *n = step->data;
    int64_t t, end;
    task_rows(&n->cut, task, &t, &end);
    for (; t < end; t++)
        het__cpu_norm_row(step->program->device->level, &n->norm, n->x + t * n->cut.columns,
                          n->out + t * n->cut.columns, n->cut.columns);
}

het_status het__cpu_build_norm(het__cpu_build *build, const het__node *node)
{
    het__cpu_step *step = het__cpu_add_step(build, sizeof(norm_step));
    if (!step)
        return HET_E_NOMEM;
    norm_step *n = step->data;
    n->out_value = &build->slice->graph->values[node->outputs[0]];
    het__cpu_place(build, node->inputs[0], &n->x);
    het__cpu_place(build, node->outputs[0], &n->out);
    step->bind = norm_bind;
    step->task = norm_task;
    return het__cpu_norm_init(build, node, &n->norm);
}

/* ---- sums, products, functions ---- */

void het__cpu_activate(const het__cpu_level *level, het__unary kind, float *x, int64_t count)
{
    switch (kind) {
    case HET__UNARY_SILU:
        level->silu(x, count);
        break;
    case HET__UNARY_GELU_TANH:
        level->gelu_tanh(x, count);
        break;
    case HET__UNARY_GELU_ERF:
        for (int64_t i = 0; i < count; i++)
            x[i] = 0.5f * x[i] * (1.0f + erff(x[i] * 0.70710678f));
        break;
    case HET__UNARY_RELU:
        for (int64_t i = 0; i < count; i++)
            x[i] = x[i] > 0 || isnan(x[i]) ? x[i] : 0;
        break;
    case HET__UNARY_TANH:
        for (int64_t i = 0; i < count; i++)
            x[i] = tanhf(x[i]);
        break;
    case HET__UNARY_SIGMOID:
        for (int64_t i = 0; i < count; i++)
            x[i] = 1.0f / (1.0f + expf(-x[i]));
        break;
    case HET__UNARY_NONE:
    default: /* what takes an alpha is done by nodes of their own */
        break;
    }
}

typedef struct elementwise {
    const het__value *a_value;
    const float *a, *b;
    float *out;
    het__op op;
    het__unary kind;
    float alpha;    /* of a scale or cap */
    int64_t count;  /* elements, when bound */
    int64_t period; /* elements of b */
    bool row;       /* b is repeated for every row */
} elementwise;

static void elementwise_bind(het__cpu_step *step, const int64_t *symbols)
{
    elementwise *e = step->data;
    e->count = het__value_elements(e->a_value, symbols);
    e->period = e->row ? het__extent_bind(e->a_value->extent[e->a_value->rank - 1], symbols)
                       : e->count;
    step->tasks = (e->count + CHUNK - 1) / CHUNK;
}

static void combine(het__op op, const float *a, const float *b, float *out, int64_t count)
{
    if (op == HET__OP_ADD)
        for (int64_t i = 0; i < count; i++)
            out[i] = a[i] + b[i];
    else
        for (int64_t i = 0; i < count; i++)
            out[i] = a[i] * b[i];
}

static void elementwise_task(const het__cpu_step *step, int64_t task, unsigned char *scratch)
{
    (void)scratch;
    const elementwise *e = step->data;
    int64_t i = task * CHUNK;
    const int64_t end = i + CHUNK < e->count ? i + CHUNK : e->count;
    if (e->op == HET__OP_UNARY && e->kind >= HET__UNARY_SCALE) {
        for (; i < end; i++)
            e->out[i] = e->kind == HET__UNARY_SCALE ? e->alpha * e->a[i]
                                                    : e->alpha * tanhf(e->a[i] / e->alpha);
        return;
    }
    if (e->op == HET__OP_UNARY) {
        memmove(e->out + i, e->a + i, (size_t)(end - i) * sizeof(float));
        het__cpu_activate(step->program->device->level, e->kind, e->out + i, end - i);
        return;
    }
    while (i < end) {
        const int64_t at = i % e->period;
        const int64_t n = e->period - at < end - i ? e->period - at : end - i;
        combine(e->op, e->a + i, e->b + at, e->out + i, n);
        i += n;
    }
}

het_status het__cpu_build_elementwise(het__cpu_build *build, const het__node *node)
{
    het__cpu_step *step = het__cpu_add_step(build, sizeof(elementwise));
    if (!step)
        return HET_E_NOMEM;
    elementwise *e = step->data;
    e->a_value = het__cpu_value(build, node, 0);
    het__cpu_place(build, node->outputs[0], &e->out);
    e->op = node->op;
    step->bind = elementwise_bind;
    step->task = elementwise_task;
    const het_status s = het__cpu_vector_get(build, node->inputs[0], &e->a);
    if (s != HET_OK)
        return s;
    if (node->op == HET__OP_UNARY) {
        e->kind = node->attrs.unary.kind;
        e->alpha = node->attrs.unary.alpha;
        return HET_OK;
    }
    e->row = het__cpu_value(build, node, 1)->rank < e->a_value->rank;
    return het__cpu_vector_get(build, node->inputs[1], &e->b);
}

/* ---- softmax ---- */

typedef struct softmax {
    row_cut cut;
    const het__value *value;
    const float *x;
    float *out;
} softmax;

static void softmax_bind(het__cpu_step *step, const int64_t *symbols)
{
    softmax *s = step->data;
    cut_rows(&s->cut, step, s->value, symbols);
}

static void softmax_task(const het__cpu_step *step, int64_t task, unsigned char *scratch)
{
    (void)scratch;
    const softmax *s = step->data;
    const int64_t n = s->cut.columns;
    int64_t t, end;
    task_rows(&s->cut, task, &t, &end);
    for (; t < end; t++) {
        float *row = s->out + t * n;
        memmove(row, s->x + t * n, (size_t)n * sizeof(float));
        float maximum = row[0], sum = 0;
        for (int64_t i = 1; i < n; i++)
            maximum = row[i] > maximum ? row[i] : maximum;
        step->program->device->level->exp_rows(row, n, maximum, &sum);
        const float inverse = 1.0f / sum;
        for (int64_t i = 0; i < n; i++)
            row[i] *= inverse;
    }
}

het_status het__cpu_build_softmax(het__cpu_build *build, const het__node *node)
{
    het__cpu_step *step = het__cpu_add_step(build, sizeof(softmax));
    if (!step)
        return HET_E_NOMEM;
    softmax *s = step->data;
    s->value = het__cpu_value(build, node, 0);
    het__cpu_place(build, node->inputs[0], &s->x);
    het__cpu_place(build, node->outputs[0], &s->out);
    step->bind = softmax_bind;
    step->task = softmax_task;
    return HET_OK;
}

/* ---- rows ---- */

typedef struct rows {
    row_cut cut;
    const het__value *value;
    const float *x;
    const int32_t *picked;
    float *out;
} rows;

static void rows_bind(het__cpu_step *step, const int64_t *symbols)
{
    rows *r = step->data;
    cut_rows(&r->cut, step, r->value, symbols);
}

static void rows_task(const het__cpu_step *step, int64_t task, unsigned char *scratch)
{
    (void)scratch;
    const rows *r = step->data;
    const int64_t n = r->cut.columns;
    int64_t t, end;
    task_rows(&r->cut, task, &t, &end);
    for (; t < end; t++)
        memcpy(r->out + t * n, r->x + r->picked[t] * n, (size_t)n * sizeof(float));
}

het_status het__cpu_build_rows(het__cpu_build *build, const het__node *node)
{
    het__cpu_step *step = het__cpu_add_step(build, sizeof(rows));
    if (!step)
        return HET_E_NOMEM;
    rows *r = step->data;
    r->value = &build->slice->graph->values[node->outputs[0]];
    het__cpu_place(build, node->inputs[0], &r->x);
    het__cpu_place(build, node->inputs[1], &r->picked);
    het__cpu_place(build, node->outputs[0], &r->out);
    step->bind = rows_bind;
    step->task = rows_task;
    return HET_OK;
}
