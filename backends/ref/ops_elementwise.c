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

double het__ref_unary_value(het__unary kind, double x)
{
    static const double sqrt_2_over_pi = 0.79788456080286535588;
    static const double sqrt_half = 0.70710678118654752440;
    switch (kind) {
    case HET__UNARY_NONE:
        return x;
    case HET__UNARY_SILU:
        return x / (1.0 + exp(-x));
    case HET__UNARY_GELU_TANH:
        return 0.5 * x * (1.0 + tanh(sqrt_2_over_pi * (x + 0.044715 * x * x * x)));
    case HET__UNARY_GELU_ERF:
        return 0.5 * x * (1.0 + erf(x * sqrt_half));
    case HET__UNARY_RELU:
        return x < 0.0 ? 0.0 : x; /* NaN stays NaN */
    case HET__UNARY_TANH:
        return tanh(x);
    case HET__UNARY_SIGMOID:
        return 1.0 / (1.0 + exp(-x));
    case HET__UNARY_SCALE:
    case HET__UNARY_SOFTCAP:
        break; /* they take an alpha */
    }
    assert(false); /* a kind without a formula */
    return x;
}

static double value_of(const het__ref_call *call, double x)
{
    const double alpha = (double)call->attrs.unary.alpha;
    if (call->attrs.unary.kind == HET__UNARY_SCALE)
        return alpha * x;
    if (call->attrs.unary.kind == HET__UNARY_SOFTCAP)
        return alpha * tanh(x / alpha);
    return het__ref_unary_value(call->attrs.unary.kind, x);
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
