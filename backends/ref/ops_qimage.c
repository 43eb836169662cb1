/* SPDX-License-Identifier: Apache-2.0 */
/* Images of codes of eight bits: convolutions, maxima, changes of layout, tables. Sums are exact
 * and then kept modulo 2^32; a sum is rounded to F32 before it meets its factor, as the operations
 * of the standard do it. */
#include <math.h>

#include "backends/ref/image.h"

static int32_t get(const het__ref_grid *m, int64_t n, int64_t c, int64_t y, int64_t x)
{
    const uint8_t code = (uint8_t)m->operand->read[het__ref_place(m, n, c, y, x)];
    return m->operand->value.dtype == HET_DTYPE_I8 && code > 127 ? code - 256 : code;
}

static int32_t code_of(const het__image_attrs *a, int64_t sum, float factor)
{
    const float v = (float)(int32_t)(uint32_t)(uint64_t)sum * factor;
    const float least = (float)(a->least - a->zero_out), most = (float)(a->most - a->zero_out);
    const float low = v > least ? v : least; /* a NaN becomes the least */
    return (int32_t)rintf(low < most ? low : most) + a->zero_out;
}

static int32_t conv_at(const het__ref_call *call, const het__ref_grid *in, int64_t n, int64_t m,
                       int64_t oy, int64_t ox)
{
    const het__image_attrs *a = &call->attrs.image;
    const int64_t per_group = a->channels_in / a->groups;
    const int64_t first = m / (a->channels_out / a->groups) * per_group;
    const het__ref_operand *bias = het__ref_input(call, 3);
    int64_t sum = bias ? het__ref_int(bias, m) : 0;
    float factor;
    memcpy(&factor, call->inputs[2].read + m * (int64_t)sizeof factor, sizeof factor);
    for (int64_t c = 0; c < per_group; c++)
        for (int64_t ky = 0; ky < a->kernel[0]; ky++) {
            const int64_t y = oy * a->stride[0] - a->pad_begin[0] + ky * a->dilation[0];
            const int64_t row = ((m * per_group + c) * a->kernel[0] + ky) * a->kernel[1];
            for (int64_t kx = 0; y >= 0 && y < in->height && kx < a->kernel[1]; kx++) {
                const int64_t x = ox * a->stride[1] - a->pad_begin[1] + kx * a->dilation[1];
                if (x >= 0 && x < in->width)
                    sum += (int64_t)(get(in, n, first + c, y, x) - a->zero_in) *
                           (int8_t)call->inputs[1].read[row + kx];
            }
        }
    return code_of(a, sum, factor);
}

static int32_t most_at(const het__ref_call *call, const het__ref_grid *in, int64_t n, int64_t c,
                       int64_t oy, int64_t ox)
{
    const het__image_attrs *a = &call->attrs.image;
    int32_t most = in->operand->value.dtype == HET_DTYPE_I8 ? -128 : 0;
    for (int64_t ky = 0; ky < a->kernel[0]; ky++) {
        const int64_t y = oy * a->stride[0] - a->pad_begin[0] + ky * a->dilation[0];
        for (int64_t kx = 0; y >= 0 && y < in->height && kx < a->kernel[1]; kx++) {
            const int64_t x = ox * a->stride[1] - a->pad_begin[1] + kx * a->dilation[1];
            if (x >= 0 && x < in->width && get(in, n, c, y, x) > most)
                most = get(in, n, c, y, x);
        }
    }
    return most;
}

void het__ref_codes_run(const het__ref_call *call)
{
    const het__image_attrs *a = &call->attrs.image;
    const het__ref_grid in = het__ref_image_of(&call->inputs[0], a->channels_in, a->block_in);
    const het__ref_grid out = het__ref_image_of(&call->outputs[0], a->channels_out, a->block_out);
    const int64_t batch = call->outputs[0].value.extent[0].count;
    const int64_t last = out.block ? (out.channels + out.block - 1) / out.block * out.block
                                   : out.channels;
    for (int64_t n = 0; n < batch; n++)
        for (int64_t c = 0; c < last; c++)
            for (int64_t y = 0; y < out.height; y++)
                for (int64_t x = 0; x < out.width; x++) {
                    int32_t code = 0;
                    if (c < out.channels)
                        code = call->op == HET__OP_QCONV  ? conv_at(call, &in, n, c, y, x)
                               : call->op == HET__OP_POOL ? most_at(call, &in, n, c, y, x)
                                                          : get(&in, n, c, y, x);
                    call->outputs[0].write[het__ref_place(&out, n, c, y, x)] = (char)(uint8_t)code;
                }
}

static void map_run(const het__ref_call *call)
{
    const int64_t count = call->outputs[0].rows * call->outputs[0].columns;
    for (int64_t i = 0; i < count; i++)
        call->outputs[0].write[i] = call->inputs[1].read[(uint8_t)call->inputs[0].read[i]];
}

const het__ref_kernel het__ref_qconv = { .run = het__ref_codes_run, .codes = 15u };
const het__ref_kernel het__ref_qmap = { .run = map_run, .codes = 3u };
