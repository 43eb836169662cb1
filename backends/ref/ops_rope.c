/* SPDX-License-Identifier: Apache-2.0 */
/* Plain C: rotary position embedding. */
#include "backends/ref/ref.h"

#include <assert.h>
#include <math.h>

void het__ref_rope_angles(const het__rope_attrs *attrs, int32_t position, const float *factors,
                          double *angles)
{
    const double at = (double)position * (double)attrs->scale;
    for (int32_t i = 0; i < attrs->rotated / 2; i++) {
        double angle = at * pow((double)attrs->theta, -2.0 * i / attrs->rotated);
        if (factors)
            angle /= (double)factors[i];
        angles[2 * i] = cos(angle) * (double)attrs->magnitude;
        angles[2 * i + 1] = sin(angle) * (double)attrs->magnitude;
    }
}

void het__ref_rope_given(const het__rope_attrs *attrs, const float *row, double *angles)
{
    const int32_t half = attrs->rotated / 2;
    for (int32_t i = 0; i < half; i++) {
        angles[2 * i] = (double)row[i];
        angles[2 * i + 1] = (double)row[half + i];
    }
}

bool het__ref_rope_is_given(const het__rope_attrs *attrs, const het__ref_operand *factors)
{
    return factors && factors->columns == attrs->rotated;
}

void het__ref_rope_head(const het__rope_attrs *attrs, const double *angles, const float *x,
                        float *out)
{
    const int32_t half = attrs->rotated / 2;
    for (int32_t i = 0; i < half; i++) {
        const int32_t first = attrs->interleaved ? 2 * i : i;
        const int32_t second = attrs->interleaved ? 2 * i + 1 : i + half;
        const double c = angles[2 * i], s = angles[2 * i + 1];
        const double a = (double)x[first], b = (double)x[second];
        out[first] = (float)(a * c - b * s);
        out[second] = (float)(a * s + b * c);
    }
    if (out != x && attrs->rotated < attrs->head_size)
        memcpy(out + attrs->rotated, x + attrs->rotated,
               (size_t)(attrs->head_size - attrs->rotated) * sizeof *out);
}

/* The angles, the factors and a row of x. */
static int64_t rope_scratch(const het__ref_call *call)
{
    const int64_t two = het__ref_two_rows(call);
    return two < 0 ? -1 : 2 * (int64_t)call->attrs.rope.rotated + two;
}

static void rope_run(const het__ref_call *call)
{
    const het__rope_attrs *attrs = &call->attrs.rope;
    const het__ref_operand *x = &call->inputs[0], *factors = het__ref_input(call, 2);
    const het__ref_operand *out = &call->outputs[0];
    assert(x->columns % attrs->head_size == 0);
    double *angles = call->scratch;
    float *room = (float *)(angles + attrs->rotated);
    const bool is_given = het__ref_rope_is_given(attrs, factors);
    const float *f = factors && !is_given ? het__ref_row(factors, 0, room) : NULL;
    for (int64_t t = 0; t < x->rows; t++) {
        const float *row = het__ref_row(x, t, room + attrs->rotated);
        float *y = het__ref_row_out(out, t);
        if (is_given)
            het__ref_rope_given(attrs, het__ref_row(factors, t, room), angles);
        else
            het__ref_rope_angles(attrs, het__ref_int(&call->inputs[1], t), f, angles);
        for (int64_t at = 0; at < x->columns; at += attrs->head_size)
            het__ref_rope_head(attrs, angles, row + at, y + at);
    }
}

const het__ref_kernel het__ref_rope = {
    .run = rope_run,
    .scratch = rope_scratch,
    .integers = 1u << 1,
};
