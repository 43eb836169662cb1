/* SPDX-License-Identifier: Apache-2.0 */
/* Steps of operations on whole rows: columns, joined parts, cut, match, streams predicted and
 * corrected. A task is a row. Sums are kept in double, in one order. */
#include <math.h>
#include <string.h>

#include "backends/cpu_onednn/cpu.h"
#include "lib/base/error.h"

#define STREAMS_MAX 8

typedef struct rows {
    const het__value *out_value;
    const float *in[STREAMS_MAX + 2];
    float *out[STREAMS_MAX];
    int64_t columns, x_columns; /* of outputs; of the first input */
    int64_t part_columns[STREAMS_MAX]; /* of the inputs that are joined */
    uint32_t streams, parts;
    het__attrs attrs;
} rows;

static void bind(het__cpu_step *step, const int64_t *symbols)
{
    const rows *r = step->data;
    step->tasks = het__extent_bind(r->out_value->extent[0], symbols);
    step->program->step_macs += (double)(step->tasks * r->columns * r->streams);
}

static void columns_task(const het__cpu_step *step, int64_t t, unsigned char *scratch)
{
    (void)scratch;
    const rows *r = step->data;
    memcpy(r->out[0] + t * r->columns, r->in[0] + t * r->x_columns + r->attrs.columns.first,
           (size_t)r->columns * sizeof(float));
}

static void join_task(const het__cpu_step *step, int64_t t, unsigned char *scratch)
{
    (void)scratch;
    const rows *r = step->data;
    float *y = r->out[0] + t * r->columns;
    for (uint32_t i = 0; i < r->parts; i++) {
        const int64_t n = r->part_columns[i];
        memcpy(y, r->in[i] + t * n, (size_t)n * sizeof(float));
        y += n;
    }
}

static double mean_of(const float *x, int64_t n)
{
    double sum = 0;
    for (int64_t i = 0; i < n; i++)
        sum += (double)x[i];
    return sum / (double)n;
}

/* Of the squares of the distances from a centre. */
static double mean_square(const float *x, double centre, int64_t n)
{
    double sum = 0;
    for (int64_t i = 0; i < n; i++)
        sum += ((double)x[i] - centre) * ((double)x[i] - centre);
    return sum / (double)n;
}

static void cut_task(const het__cpu_step *step, int64_t t, unsigned char *scratch)
{
    (void)scratch;
    const rows *r = step->data;
    const float *x = r->in[0] + t * r->columns;
    float *y = r->out[0] + t * r->columns;
    const double mean = mean_of(x, r->columns);
    const double deviation = sqrt(mean_square(x, mean, r->columns));
    const double least = mean + (double)r->attrs.cut.deviations * deviation;
    for (int64_t i = 0; i < r->columns; i++) {
        const double above = (double)x[i] - least;
        y[i] = (float)(above < 0 ? 0 : above);
    }
}

static void match_task(const het__cpu_step *step, int64_t t, unsigned char *scratch)
{
    (void)scratch;
    const rows *r = step->data;
    const float *x = r->in[0] + t * r->columns;
    float *y = r->out[0] + t * r->columns;
    const double own = mean_square(x, 0, r->columns), least = (double)r->attrs.match.eps;
    const double like = mean_square(r->in[1] + t * r->columns, 0, r->columns);
    const float factor = (float)(sqrt(like) / sqrt(own < least ? least : own));
    for (int64_t i = 0; i < r->columns; i++)
        y[i] = x[i] * factor;
}

static void predict_task(const het__cpu_step *step, int64_t t, unsigned char *scratch)
{
    (void)scratch;
    const rows *r = step->data;
    const uint32_t n = r->streams;
    const float *c = r->in[0] + t * n * n;
    for (uint32_t b = 0; b < n; b++) {
        float *restrict y = r->out[b] + t * r->columns;
        memcpy(y, r->in[1 + b] + t * r->columns, (size_t)r->columns * sizeof(float));
        for (uint32_t a = 0; a < n; a++) {
            const float *restrict h = r->in[1 + a] + t * r->columns;
            const float factor = c[b * n + a];
            for (int64_t i = 0; i < r->columns; i++)
                y[i] += factor * h[i];
        }
    }
}

static void correct_task(const het__cpu_step *step, int64_t t, unsigned char *scratch)
{
    (void)scratch;
    const rows *r = step->data;
    const float *c = r->in[0] + t * r->streams, *x = r->in[1] + t * r->columns;
    const float *active = r->in[2 + r->attrs.correct.active] + t * r->columns;
    for (uint32_t b = 0; b < r->streams; b++) {
        const float *restrict p = r->in[2 + b] + t * r->columns;
        float *restrict y = r->out[b] + t * r->columns;
        const float factor = c[b] + 1;
        for (int64_t i = 0; i < r->columns; i++)
            y[i] = p[i] + factor * (x[i] - active[i]);
    }
}

static het__cpu_task_fn task_of(het__op op)
{
    switch (op) {
    case HET__OP_COLUMNS:
        return columns_task;
    case HET__OP_JOIN:
        return join_task;
    case HET__OP_CUT:
        return cut_task;
    case HET__OP_MATCH:
        return match_task;
    case HET__OP_PREDICT:
        return predict_task;
    default:
        return correct_task;
    }
}

het_status het__cpu_build_streams(het__cpu_build *build, const het__node *node)
{
    het__cpu_step *step = het__cpu_add_step(build, sizeof(rows));
    if (!step)
        return HET_E_NOMEM;
    rows *r = step->data;
    r->attrs = node->attrs;
    r->streams = node->output_count;
    r->out_value = &build->slice->graph->values[node->outputs[0]];
    r->columns = r->out_value->extent[1].count;
    r->x_columns = het__cpu_value(build, node, 0)->extent[1].count;
    for (uint32_t i = 0; i < node->input_count; i++)
        het__cpu_place(build, node->inputs[i], &r->in[i]);
    r->parts = node->op == HET__OP_JOIN ? node->input_count : 0;
    for (uint32_t i = 0; i < r->parts; i++)
        r->part_columns[i] = het__cpu_value(build, node, i)->extent[1].count;
    for (uint32_t o = 0; o < node->output_count; o++)
        het__cpu_place(build, node->outputs[o], &r->out[o]);
    step->bind = bind;
    step->task = task_of(node->op);
    return HET_OK;
}
