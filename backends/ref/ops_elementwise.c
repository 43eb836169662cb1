/* SPDX-License-Identifier: Apache-2.0 */
/* Plain C: element by element: add, mul, unary. The output may lie where an input lies. */
#include "backends/ref/ref.h"

#include <assert.h>
#include <math.h>

/* b's rows repeat when b is a single row. */
static void pair_run(const het__ref_call *call, bool multiply)
{
    const het__ref_operand *a = &call->inputs[0], *b = &call->inputs[1];
    const het__ref_operand *out = &call->outputs[0];
    assert(b->columns == a->columns && (b->rows == a->rows || b->rows == 1));
    float *room = (float *)call->scratch;
    for (int64_t t = 0; t < out->rows; t++) {
        const float *p = het__ref_row(a, t, room);
        const float *q = het__ref_row(b, b->rows == 1 ? 0 : t, room + a->columns);
        float *y = het__ref_row_out(out, t);
        for (int64_t i = 0; i < out->columns; i++) {
            const double u = (double)p[i], v = (double)q[i];
            y[i] = (float)(multiply ? u * v : u + v);
        }
    }
}

static void add_run(const het__ref_call *call)
{
    pair_run(call, false);
}

static void mul_run(const het__ref_call *call)
{
    pair_run(call, true);
}

const het__ref_kernel het__ref_add = { .run = add_run, .scratch = het__ref_two_rows };
const het__ref_kernel het__ref_mul = { .run = mul_run, .scratch = het__ref_two_rows };

static double value_of(const het__ref_call *call, double x)
{
    const double alpha = (double)call->attrs.unary.alpha;
    if (call->attrs.unary.kind == HET__UNARY_SCALE)
        return alpha * x;
    if (call->attrs.unary.kind == HET__UNARY_SOFTCAP)
        return alpha * tanh(x / alpha);
    return het__unary_value(call->attrs.unary.kind, x);
}

static void unary_run(const het__ref_call *call)
{
    const het__ref_operand *x = &call->inputs[0], *out = &call->outputs[0];
    float *room = (float *)call->scratch;
    for (int64_t t = 0; t < out->rows; t++) {
        const float *row = het__ref_row(x, t, room);
        float *y = het__ref_row_out(out, t);
        for (int64_t i = 0; i < out->columns; i++)
            y[i] = (float)value_of(call, (double)row[i]);
    }
}

const het__ref_kernel het__ref_unary = { .run = unary_run, .scratch = het__ref_two_rows };
