/* SPDX-License-Identifier: Apache-2.0 */
/* Plain C: columns of rows, rows cut or made as strong as others, and streams predicted and
 * corrected. Activations are F32 and lie in place. */
#include "backends/ref/ref.h"

#include <assert.h>
#include <math.h>

static const float *row_of(const het__ref_call *call, uint32_t input, int64_t t)
{
    return het__ref_row(&call->inputs[input], t, NULL);
}

static void columns_run(const het__ref_call *call)
{
    const het__ref_operand *out = &call->outputs[0];
    for (int64_t t = 0; t < out->rows; t++)
        memcpy(het__ref_row_out(out, t), row_of(call, 0, t) + call->attrs.columns.first,
               (size_t)out->row_bytes);
}

const het__ref_kernel het__ref_columns = { .run = columns_run, .floats = 1u };

static void join_run(const het__ref_call *call)
{
    const het__ref_operand *out = &call->outputs[0];
    for (int64_t t = 0; t < out->rows; t++) {
        char *y = (char *)het__ref_row_out(out, t);
        for (uint32_t i = 0; i < call->input_count; i++) {
            memcpy(y, row_of(call, i, t), (size_t)call->inputs[i].row_bytes);
            y += call->inputs[i].row_bytes;
        }
    }
}

const het__ref_kernel het__ref_join = { .run = join_run, .floats = 0xffu };

static void cut_run(const het__ref_call *call)
{
    const het__ref_operand *out = &call->outputs[0];
    const double n = (double)out->columns;
    for (int64_t t = 0; t < out->rows; t++) {
        const float *x = row_of(call, 0, t);
        float *y = het__ref_row_out(out, t);
        double mean = 0, square = 0;
        for (int64_t i = 0; i < out->columns; i++)
            mean += (double)x[i];
        mean /= n;
        for (int64_t i = 0; i < out->columns; i++)
            square += ((double)x[i] - mean) * ((double)x[i] - mean);
        const double least = mean + (double)call->attrs.cut.deviations * sqrt(square / n);
        for (int64_t i = 0; i < out->columns; i++) {
            const double above = (double)x[i] - least;
            y[i] = (float)(above < 0 ? 0 : above); /* NaN stays NaN */
        }
    }
}

const het__ref_kernel het__ref_cut = { .run = cut_run, .floats = 1u };

static double mean_square(const float *x, int64_t count)
{
    double sum = 0;
    for (int64_t i = 0; i < count; i++)
        sum += (double)x[i] * (double)x[i];
    return sum / (double)count;
}

static void match_run(const het__ref_call *call)
{
    const het__ref_operand *out = &call->outputs[0];
    const double least = (double)call->attrs.match.eps;
    for (int64_t t = 0; t < out->rows; t++) {
        const float *x = row_of(call, 0, t);
        const double own = mean_square(x, out->columns);
        const double factor = sqrt(mean_square(row_of(call, 1, t), out->columns)) /
                              sqrt(own < least ? least : own);
        float *y = het__ref_row_out(out, t);
        for (int64_t i = 0; i < out->columns; i++)
            y[i] = (float)((double)x[i] * factor);
    }
}

const het__ref_kernel het__ref_match = { .run = match_run, .floats = 3u };

static void predict_run(const het__ref_call *call)
{
    const uint32_t n = call->output_count;
    for (int64_t t = 0; t < call->outputs[0].rows; t++) {
        const float *c = row_of(call, 0, t);
        for (uint32_t b = 0; b < n; b++) {
            const float *own = row_of(call, 1 + b, t);
            float *y = het__ref_row_out(&call->outputs[b], t);
            for (int64_t i = 0; i < call->outputs[b].columns; i++) {
                double sum = 0;
                for (uint32_t a = 0; a < n; a++)
                    sum += (double)c[b * n + a] * (double)row_of(call, 1 + a, t)[i];
                y[i] = (float)(sum + (double)own[i]);
            }
        }
    }
}

const het__ref_kernel het__ref_predict = { .run = predict_run, .floats = 0x1ff };

static void correct_run(const het__ref_call *call)
{
    const uint32_t n = call->output_count;
    for (int64_t t = 0; t < call->outputs[0].rows; t++) {
        const float *c = row_of(call, 0, t), *x = row_of(call, 1, t);
        const float *active = row_of(call, 2 + (uint32_t)call->attrs.correct.active, t);
        for (uint32_t b = 0; b < n; b++) {
            const float *own = row_of(call, 2 + b, t);
            float *y = het__ref_row_out(&call->outputs[b], t);
            for (int64_t i = 0; i < call->outputs[b].columns; i++)
                y[i] = (float)((double)own[i] +
                               ((double)c[b] + 1) * ((double)x[i] - (double)active[i]));
        }
    }
}

const het__ref_kernel het__ref_correct = { .run = correct_run, .floats = 0x3ff };
