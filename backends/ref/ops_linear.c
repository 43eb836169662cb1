/* SPDX-License-Identifier: Apache-2.0 */
/* Plain C: products with weight matrices: linear, gated. Each weight row is decoded once and
 * meets all tokens. */
#include "backends/ref/ref.h"

#include <assert.h>

/* Eight sums side by side: the compiler may not reorder one sum, and a model on this device is
 * slow enough. */
static double dot(const float *a, const float *b, int64_t count)
{
    double sum[8] = { 0 };
    int64_t i = 0;
    for (; i + 8 <= count; i += 8) {
        for (int j = 0; j < 8; j++)
            sum[j] += (double)a[i + j] * (double)b[i + j];
    }
    for (; i < count; i++)
        sum[0] += (double)a[i] * (double)b[i];
    return ((sum[0] + sum[4]) + (sum[1] + sum[5])) + ((sum[2] + sum[6]) + (sum[3] + sum[7]));
}

/* Inputs: x, residual, then weight and bias of each projection. */
static void project(const het__ref_call *call, uint32_t projection)
{
    const het__ref_operand *x = &call->inputs[0], *residual = het__ref_input(call, 1);
    const het__ref_operand *weight = &call->inputs[2 + 2 * projection];
    const het__ref_operand *bias = het__ref_input(call, 3 + 2 * projection);
    const het__ref_operand *out = &call->outputs[projection];
    const int64_t inner = x->columns;
    assert(weight->columns == inner && weight->rows == out->columns);
    float *w_room = (float *)call->scratch, *x_room = w_room + inner;
    for (int64_t n = 0; n < out->columns; n++) {
        const float *w = het__ref_row(weight, n, w_room);
        const double shift = bias ? (double)het__ref_at(bias, 0, n) : 0.0;
        for (int64_t t = 0; t < x->rows; t++) {
            double y = dot(het__ref_row(x, t, x_room), w, inner) + shift;
            if (residual)
                y += (double)het__ref_at(residual, t, n);
            het__ref_row_out(out, t)[n] = (float)y;
        }
    }
}

static void linear_run(const het__ref_call *call)
{
    for (uint32_t i = 0; i < call->output_count; i++)
        project(call, i);
}

const het__ref_kernel het__ref_linear = { .run = linear_run, .scratch = het__ref_two_rows };

/* Rooms for a row of each weight and of x. */
static int64_t gated_scratch(const het__ref_call *call)
{
    const int64_t two = het__ref_two_rows(call);
    return two < 0 ? -1 : 2 * two;
}

static void gated_run(const het__ref_call *call)
{
    const het__ref_operand *x = &call->inputs[0], *out = &call->outputs[0];
    const int64_t inner = x->columns;
    float *room = (float *)call->scratch;
    for (int64_t n = 0; n < out->columns; n++) {
        const float *gate = het__ref_row(&call->inputs[1], n, room);
        const float *up = het__ref_row(&call->inputs[2], n, room + inner);
        for (int64_t t = 0; t < x->rows; t++) {
            const float *row = het__ref_row(x, t, room + 2 * inner);
            const double act =
                het__unary_value(call->attrs.gated.act, dot(row, gate, inner));
            het__ref_row_out(out, t)[n] = (float)(act * dot(row, up, inner));
        }
    }
}

const het__ref_kernel het__ref_gated = { .run = gated_run, .scratch = gated_scratch };
