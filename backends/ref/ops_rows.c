/* SPDX-License-Identifier: Apache-2.0 */
/* Plain C: operations that take or make whole rows: embed, rows, norm, softmax. */
#include "backends/ref/ref.h"

#include <assert.h>
#include <math.h>

static void embed_run(const het__ref_call *call)
{
    const het__ref_operand *table = &call->inputs[0], *ids = &call->inputs[1];
    const het__ref_operand *out = &call->outputs[0];
    const double scale = (double)call->attrs.embed.scale;
    float *room = (float *)call->scratch;
    for (int64_t t = 0; t < out->rows; t++) {
        const int32_t id = het__ref_int(ids, t);
        assert(id >= 0);
        const float *row = het__ref_row(table, id < table->rows ? id : 0, room);
        float *y = het__ref_row_out(out, t);
        for (int64_t i = 0; i < out->columns; i++)
            y[i] = (float)((double)row[i] * scale);
    }
}

const het__ref_kernel het__ref_embed = {
    .run = embed_run,
    .scratch = het__ref_two_rows,
    .integers = 1u << 1,
};

static void rows_run(const het__ref_call *call)
{
    const het__ref_operand *x = &call->inputs[0], *rows = &call->inputs[1];
    const het__ref_operand *out = &call->outputs[0];
    float *room = (float *)call->scratch;
    for (int64_t r = 0; r < out->rows; r++) {
        const int32_t row = het__ref_int(rows, r);
        assert(row >= 0 && row < x->rows);
        memcpy(het__ref_row_out(out, r), het__ref_row(x, row, room), (size_t)out->row_bytes);
    }
}

const het__ref_kernel het__ref_rows = {
    .run = rows_run,
    .scratch = het__ref_two_rows,
    .integers = 1u << 1,
};

void het__ref_norm_group(het__norm_kind kind, float eps, const float *x, const float *weight,
                         const float *bias, int64_t count, float *out)
{
    double mean = 0;
    if (kind == HET__NORM_LAYER) {
        for (int64_t i = 0; i < count; i++)
            mean += (double)x[i];
        mean /= (double)count;
    }
    double square = 0;
    for (int64_t i = 0; i < count; i++) {
        const double centred = (double)x[i] - mean;
        square += centred * centred;
    }
    const double factor = 1.0 / sqrt(square / (double)count + (double)eps);
    for (int64_t i = 0; i < count; i++) {
        const double shift = bias ? (double)bias[i] : 0.0;
        const double scale = weight ? (double)weight[i] : 1.0;
        out[i] = (float)(((double)x[i] - mean) * factor * scale + shift);
    }
}

/* Rooms for the weight, the bias and a row of x. */
static int64_t norm_scratch(const het__ref_call *call)
{
    const int64_t two = het__ref_two_rows(call);
    return two < 0 ? -1 : 2 * two;
}

static void norm_run(const het__ref_call *call)
{
    const het__ref_operand *x = &call->inputs[0], *bias = het__ref_input(call, 2);
    const het__ref_operand *out = &call->outputs[0];
    const int64_t group = call->attrs.norm.group;
    assert(group > 0 && x->columns % group == 0);
    float *room = (float *)call->scratch;
    const het__ref_operand *weight = het__ref_input(call, 1);
    const float *w = weight ? het__ref_row(weight, 0, room) : NULL;
    const float *b = bias ? het__ref_row(bias, 0, room + group) : NULL;
    for (int64_t t = 0; t < x->rows; t++) {
        const float *row = het__ref_row(x, t, room + 2 * group);
        float *y = het__ref_row_out(out, t);
        for (int64_t at = 0; at < x->columns; at += group)
            het__ref_norm_group(call->attrs.norm.kind, call->attrs.norm.eps, row + at, w, b, group,
                                y + at);
    }
}

const het__ref_kernel het__ref_norm = { .run = norm_run, .scratch = norm_scratch };

static void softmax_run(const het__ref_call *call)
{
    const het__ref_operand *x = &call->inputs[0], *out = &call->outputs[0];
    float *room = (float *)call->scratch;
    for (int64_t t = 0; t < x->rows; t++) {
        const float *row = het__ref_row(x, t, room);
        float *y = het__ref_row_out(out, t);
        double most = -INFINITY, sum = 0;
        for (int64_t i = 0; i < x->columns; i++)
            most = fmax(most, (double)row[i]);
        for (int64_t i = 0; i < x->columns; i++)
            sum += exp((double)row[i] - most);
        for (int64_t i = 0; i < x->columns; i++)
            y[i] = (float)(exp((double)row[i] - most) / sum);
    }
}

const het__ref_kernel het__ref_softmax = { .run = softmax_run, .scratch = het__ref_two_rows };
