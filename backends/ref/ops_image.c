/* SPDX-License-Identifier: Apache-2.0 */
/* Convolutions and pools over plain or blocked images, and the general matrix product. Sums in
 * double, rounded where they are written. */
#include <assert.h>
#include <math.h>

#include "backends/ref/image.h"

/* ---- images ---- */

static double get(const het__ref_grid *m, int64_t n, int64_t c, int64_t y, int64_t x)
{
    float f;
    memcpy(&f, m->operand->read + het__ref_place(m, n, c, y, x) * (int64_t)sizeof f, sizeof f);
    return (double)f;
}

static void put(const het__ref_grid *m, int64_t n, int64_t c, int64_t y, int64_t x, double value)
{
    const float f = (float)value;
    memcpy(m->operand->write + het__ref_place(m, n, c, y, x) * (int64_t)sizeof f, &f, sizeof f);
}

static double vector_at(const het__ref_operand *v, int64_t i)
{
    return v ? (double)het__ref_at(v, 0, i) : 0;
}

/* One output of a convolution, before the activation. */
static double conv_at(const het__ref_call *call, const het__ref_grid *in, int64_t n, int64_t m,
                      int64_t oy, int64_t ox)
{
    const het__image_attrs *a = &call->attrs.image;
    const het__ref_operand *w = &call->inputs[1];
    const int64_t per_group = a->channels_in / a->groups;
    const int64_t first = m / (a->channels_out / a->groups) * per_group;
    double sum = vector_at(het__ref_input(call, 2), m);
    for (int64_t c = 0; c < per_group; c++)
        for (int64_t ky = 0; ky < a->kernel[0]; ky++) {
            const int64_t y = oy * a->stride[0] - a->pad_begin[0] + ky * a->dilation[0];
            for (int64_t kx = 0; y >= 0 && y < in->height && kx < a->kernel[1]; kx++) {
                const int64_t x = ox * a->stride[1] - a->pad_begin[1] + kx * a->dilation[1];
                if (x >= 0 && x < in->width)
                    sum += get(in, n, first + c, y, x) *
                           (double)het__ref_at(w, (m * per_group + c) * a->kernel[0] + ky, kx);
            }
        }
    return sum;
}

static double pool_at(const het__ref_call *call, const het__ref_grid *in, int64_t n, int64_t c,
                      int64_t oy, int64_t ox)
{
    const het__image_attrs *a = &call->attrs.image;
    double most = -INFINITY, sum = 0;
    int64_t seen = 0;
    for (int64_t ky = 0; ky < a->kernel[0]; ky++) {
        const int64_t y = oy * a->stride[0] - a->pad_begin[0] + ky * a->dilation[0];
        for (int64_t kx = 0; y >= 0 && y < in->height && kx < a->kernel[1]; kx++) {
            const int64_t x = ox * a->stride[1] - a->pad_begin[1] + kx * a->dilation[1];
            if (x < 0 || x >= in->width)
                continue;
            const double v = get(in, n, c, y, x);
            most = v > most || v != v ? v : most;
            sum += v;
            seen++;
        }
    }
    if (!a->mean)
        return most;
    const int64_t all = a->count_padding ? (int64_t)a->kernel[0] * a->kernel[1] : seen;
    return all ? sum / (double)all : 0;
}

static double image_at(const het__ref_call *call, const het__ref_grid *in,
                       const het__ref_grid *residual, int64_t n, int64_t c, int64_t y, int64_t x)
{
    const het__image_attrs *a = &call->attrs.image;
    double v;
    if (call->op == HET__OP_CONV)
        v = conv_at(call, in, n, c, y, x);
    else if (call->op == HET__OP_POOL)
        v = pool_at(call, in, n, c, y, x);
    else
        return get(in, n, c, y, x);
    if (residual->operand)
        v += get(residual, n, c, y, x);
    return het__act_value(&a->act, v);
}

static void image_run(const het__ref_call *call)
{
    const het__image_attrs *a = &call->attrs.image;
    if (call->outputs[0].value.dtype != HET_DTYPE_F32) {
        het__ref_codes_run(call);
        return;
    }
    const het__ref_grid in = het__ref_image_of(&call->inputs[0], a->channels_in, a->block_in);
    const het__ref_grid out = het__ref_image_of(&call->outputs[0], a->channels_out, a->block_out);
    het__ref_grid residual = { NULL, 0, 0, 0, 0 };
    if (call->op == HET__OP_CONV && het__ref_input(call, 3))
        residual = het__ref_image_of(&call->inputs[3], a->channels_out, a->block_out);
    const int64_t batch = call->outputs[0].value.extent[0].count;
    const int64_t last = out.block ? (out.channels + out.block - 1) / out.block * out.block
                                   : out.channels;
    for (int64_t n = 0; n < batch; n++)
        for (int64_t c = 0; c < last; c++)
            for (int64_t y = 0; y < out.height; y++)
                for (int64_t x = 0; x < out.width; x++)
                    put(&out, n, c, y, x,
                        c < out.channels ? image_at(call, &in, &residual, n, c, y, x) : 0);
}

const het__ref_kernel het__ref_image = { .run = image_run, .codes = 1u, .floats = 8u };

/* ---- matmul ---- */

/* Matrix of b that goes with a matrix of a: extents that b lacks or has once are repeated. */
static int64_t matrix_of_b(const het__ref_operand *a, const het__ref_operand *b, int64_t matrix)
{
    int64_t index = 0, step = 1;
    for (uint32_t i = 2; i < a->value.rank; i++) {
        const int64_t extent = a->value.extent[a->value.rank - 1 - i].count;
        const int64_t at = matrix % extent;
        matrix /= extent;
        if (i >= b->value.rank)
            continue;
        const int64_t mine = b->value.extent[b->value.rank - 1 - i].count;
        index += (mine == 1 ? 0 : at) * step;
        step *= mine;
    }
    return index;
}

static void matmul_row(const het__ref_call *call, int64_t row, int64_t matrix)
{
    const het__matmul_attrs *attrs = &call->attrs.matmul;
    const het__ref_operand *a = &call->inputs[0], *b = &call->inputs[1];
    const het__ref_operand *bias = het__ref_input(call, 2), *residual = het__ref_input(call, 3);
    const het__ref_operand *out = &call->outputs[0];
    const int64_t first = matrix * (attrs->transpose_b ? out->columns : a->columns);
    float *y = het__ref_row_out(out, row);
    for (int64_t n = 0; n < out->columns; n++) {
        double sum = 0;
        for (int64_t k = 0; k < a->columns; k++)
            sum += (double)het__ref_at(a, row, k) *
                   (double)(attrs->transpose_b ? het__ref_at(b, first + n, k)
                                               : het__ref_at(b, first + k, n));
        sum = sum * (double)attrs->scale + vector_at(bias, n);
        if (residual)
            sum += (double)het__ref_at(residual, row, n);
        y[n] = (float)het__act_value(&attrs->act, sum);
    }
}

static void matmul_run(const het__ref_call *call)
{
    const het__ref_operand *a = &call->inputs[0];
    const int64_t rows = a->value.extent[a->value.rank - 2].count;
    for (int64_t r = 0; r < call->outputs[0].rows; r++)
        matmul_row(call, r, matrix_of_b(a, &call->inputs[1], r / rows));
}

const het__ref_kernel het__ref_matmul = { .run = matmul_run };
