/* SPDX-License-Identifier: Apache-2.0 */
/* Convolutions of floats and of codes of eight bits.
 *
 * Three kernels: register tiles wherever whole vectors of output channels belong to one group and
 * whole blocks of input channels too; depthwise; and one that takes anything, an element per item.
 * A convolution of single places is one long row of them. */
#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "backends/gpu/image.h"
#include "lib/base/error.h"
#include "lib/quant/quant.h"

typedef enum kind { TILE, DEEP, ANY } kind;

/* How a convolution is computed. */
typedef struct form {
    kind kind;
    bool codes;
    het__image_attrs attrs;
    int64_t in_block, out_block;          /* 1: plain */
    int64_t v, nb, pix;                   /* see kernels/conv.cl */
    int64_t in_height, in_width, out_height, out_width; /* one row of single places: heights 1 */
    int64_t images, per_in, per_out;      /* channels of a group */
    int64_t depth;                        /* per_in in whole blocks */
    int64_t channels;                     /* of the output in whole vectors */
} form;

bool het__gpu_image_fits(const het__graph *graph, const het__node *node, char *reason, size_t bytes)
{
    const int64_t ones[HET__SYM_MAX] = { 1 };
    for (uint32_t i = 0; i < node->input_count + node->output_count; i++) {
        const uint32_t id = i < node->input_count ? node->inputs[i]
                                                  : node->outputs[i - node->input_count];
        if (id != HET__NO_VALUE &&
            het__value_elements(&graph->values[id], ones) > HET__GPU_ELEMENTS_MAX) {
            snprintf(reason, bytes, "%s has more elements than 32 bits count",
                     graph->values[id].name);
            return false;
        }
    }
    return true;
}

static bool can_read(het_dtype dtype)
{
    return dtype == HET_DTYPE_F32 || dtype == HET_DTYPE_F16 || dtype == HET_DTYPE_BF16 ||
           dtype == HET_DTYPE_I8 || dtype == HET_DTYPE_I32;
}

static bool is_constant(const het__graph *graph, const het__node *node, uint32_t input,
                        const char *what, char *reason, size_t bytes)
{
    if (input >= node->input_count || node->inputs[input] == HET__NO_VALUE)
        return true;
    const het__value *v = &graph->values[node->inputs[input]];
    if (v->kind == HET__VALUE_CONST && can_read(v->dtype))
        return true;
    snprintf(reason, bytes, "the %s is %s, %s", what,
             v->kind == HET__VALUE_CONST ? "constant" : "not constant", het_dtype_name(v->dtype));
    return false;
}

static bool conv_supports(const het__graph *graph, const het__node *node, char *reason,
                          size_t bytes)
{
    const bool codes = node->op == HET__OP_QCONV;
    return het__gpu_image_fits(graph, node, reason, bytes) &&
           is_constant(graph, node, 1, "weight", reason, bytes) &&
           is_constant(graph, node, 2, codes ? "factor" : "bias", reason, bytes) &&
           (!codes || is_constant(graph, node, 3, "bias", reason, bytes));
}

/* ---- choosing ---- */

static bool is_vector_width(int64_t n)
{
    return n == 1 || n == 2 || n == 4 || n == 8 || n == 16;
}

/* Widest vector that suits the device and divides a block of the output, or fills a plain group. */
static int64_t vector_width(const het__gpu_facts *facts, const form *f)
{
    const int64_t most = facts->is_cpu ? (facts->lanes >= 4 ? facts->lanes : 4) : 4;
    int64_t v = most < HET__GPU_VECTOR_MAX ? most : HET__GPU_VECTOR_MAX;
    v = v < 8 && facts->is_cpu && f->out_block % 8 == 0 ? 8 : v;
    if (f->out_block > 1) {
        while (f->out_block % v != 0)
            v /= 2;
        return v;
    }
    while (v > 1 && (f->attrs.groups > 1 ? f->per_out % v != 0 : f->per_out <= v / 2))
        v /= 2;
    return v;
}

/* Places of an item, as many as its registers hold. A row's last item may compute some in vain:
 * with fewer places each weight would be used less often. */
static int64_t places(const het__gpu_facts *facts, int64_t width)
{
    const int64_t most = facts->is_cpu ? 8 : 4;
    return width < most ? width : most;
}

static void choose(const het__gpu_facts *facts, form *f)
{
    const het__image_attrs *a = &f->attrs;
    const bool is_deep = f->per_in == 1 && f->per_out == 1 && f->in_block == f->out_block;
    f->v = vector_width(facts, f);
    f->kind = TILE;
    if (is_deep) {
        f->kind = DEEP;
        if (f->out_block == 1)
            f->v = 1;
    } else if (!is_vector_width(f->in_block) || (a->groups > 1 && (f->per_out % f->v != 0 ||
                                                                   f->per_in % f->in_block != 0))) {
        f->kind = ANY;
    }
    f->pix = places(facts, f->out_width);
    f->nb = 1;
    f->depth = het__gpu_blocks(f->per_in, f->in_block) * f->in_block;
    if (f->kind == ANY) {
        f->v = f->pix = 1;
        f->depth = f->per_in;
    }
    const int64_t whole = f->out_block > f->v ? f->out_block : f->v;
    f->channels = het__gpu_blocks(a->channels_out, whole) * whole;
    if (f->kind == TILE && facts->is_cpu && f->channels / f->v % 2 == 0 &&
        (a->groups == 1 || f->per_out % (2 * f->v) == 0))
        f->nb = 2;
}

static bool is_pointwise(const het__image_attrs *a)
{
    for (int i = 0; i < 2; i++)
        if (a->kernel[i] != 1 || a->stride[i] != 1 || a->pad_begin[i] || a->pad_end[i])
            return false;
    return true;
}

static form form_of(const het__gpu_call *call)
{
    const het__value *x = &call->inputs[0].value, *y = &call->outputs[0].value;
    const het__image_attrs *a = &call->attrs.image;
    form f = { .codes = call->op == HET__OP_QCONV, .attrs = *a,
               .in_block = a->block_in ? a->block_in : 1,
               .out_block = a->block_out ? a->block_out : 1,
               .in_height = x->extent[2].count, .in_width = x->extent[3].count,
               .out_height = y->extent[2].count, .out_width = y->extent[3].count,
               .images = x->extent[0].count, .per_in = a->channels_in / a->groups,
               .per_out = a->channels_out / a->groups };
    if (is_pointwise(a)) {
        f.in_width *= f.in_height;
        f.out_width *= f.out_height;
        f.in_height = f.out_height = 1;
    }
    choose(call->facts, &f);
    return f;
}

/* ---- constants ---- */

/* All elements of a constant as floats; codes as they are. */
static void read_floats(const het__gpu_operand *constant, int64_t first, int64_t count, float *to)
{
    const het_dtype dtype = constant->value.dtype;
    const char *at = constant->host;
    if (dtype == HET_DTYPE_F32)
        memcpy(to, at + first * (int64_t)sizeof *to, (size_t)count * sizeof *to);
    else if (dtype == HET_DTYPE_F16 || dtype == HET_DTYPE_BF16)
        het__decoder(dtype)(at + first * 2, to, count);
}

static size_t weight_elements(const form *f)
{
    const het__image_attrs *a = &f->attrs;
    const int64_t window = (int64_t)a->kernel[0] * a->kernel[1];
    const int64_t channels = f->kind == ANY ? a->channels_out : f->channels;
    return (size_t)(channels * (f->kind == DEEP ? 1 : f->depth) * window);
}

/* Place of a weight in the form of the kernel. */
static int64_t weight_at(const form *f, int64_t m, int64_t c, int64_t tap)
{
    const int64_t window = (int64_t)f->attrs.kernel[0] * f->attrs.kernel[1];
    if (f->kind == ANY)
        return (m * f->per_in + c) * window + tap;
    if (f->kind == DEEP)
        return (m / f->v * window + tap) * f->v + m % f->v;
    const int64_t wide = f->nb * f->v;
    return ((m / wide * window + tap) * f->depth + c) * wide + m % wide;
}

static void lay_weights(const void *user, const het__gpu_operand *constant, void *target)
{
    const form *f = user;
    const int64_t window = (int64_t)f->attrs.kernel[0] * f->attrs.kernel[1];
    memset(target, 0, weight_elements(f) * (f->codes ? 1 : sizeof(float)));
    for (int64_t m = 0; m < f->attrs.channels_out; m++)
        for (int64_t c = 0; c < f->per_in; c++)
            for (int64_t tap = 0; tap < window; tap++) {
                const int64_t from = (m * f->per_in + c) * window + tap;
                const int64_t to = weight_at(f, m, c, tap);
                if (f->codes)
                    ((char *)target)[to] = ((const char *)constant->host)[from];
                else
                    read_floats(constant, from, 1, (float *)target + to);
            }
}

/* One number per channel, zeros behind them. */
static void lay_vector(const void *user, const het__gpu_operand *constant, void *target)
{
    const form *f = user;
    memset(target, 0, (size_t)f->channels * sizeof(float));
    if (constant->value.dtype == HET_DTYPE_I32)
        memcpy(target, constant->host, (size_t)f->attrs.channels_out * sizeof(int32_t));
    else
        read_floats(constant, 0, f->attrs.channels_out, target);
}

static void lay_nothing(const void *user, const het__gpu_operand *constant, void *target)
{
    const form *f = user;
    (void)constant;
    memset(target, 0, (size_t)f->channels * sizeof(float));
}

static bool has_input(const het__gpu_call *call, uint32_t i)
{
    return i < call->input_count && call->inputs[i].is_present;
}

/* Without a bias: zeros, kept with the weight. */
static het_status take_vector(het__gpu_call *call, const form *f, uint32_t input,
                              het__gpu_memory **memory, het_error *err)
{
    const bool there = has_input(call, input);
    char name[64];
    snprintf(name, sizeof name, "%s %lld", there ? "channels" : "no channels",
             (long long)f->channels);
    return het__gpu_constant(call, there ? input : 1, name, (size_t)f->channels * sizeof(float),
                             there ? lay_vector : lay_nothing, f, memory, err);
}

static het_status take_weights(het__gpu_call *call, const form *f, het__gpu_memory **memory,
                               het_error *err)
{
    static const char *const kinds[] = { "tile", "deep", "any" };
    const het__image_attrs *a = &f->attrs;
    char name[64];
    snprintf(name, sizeof name, "conv %s %lld %lld %lld %lld %d", kinds[f->kind], (long long)f->v,
             (long long)f->nb, (long long)f->depth, (long long)f->channels, (int)a->groups);
    return het__gpu_constant(call, 1, name, weight_elements(f) * (f->codes ? 1 : sizeof(float)),
                             lay_weights, f, memory, err);
}

/* ---- starting ---- */

void het__gpu_put_window(het__gpu_start *s, const het__image_attrs *a, const int64_t in[2],
                         const int64_t out[2])
{
    const int32_t sizes[4] = { (int32_t)in[0], (int32_t)in[1], (int32_t)out[0], (int32_t)out[1] };
    const int32_t window[8] = { a->kernel[0], a->kernel[1], a->stride[0], a->stride[1],
                                a->dilation[0], a->dilation[1], a->pad_begin[0],
                                a->pad_begin[1] };
    het__gpu_put_ints(s, 4, sizes);
    het__gpu_put_ints(s, 8, window);
}

static void put_numbers(het__gpu_start *s, const het__gpu_call *call, const form *f,
                        int64_t vectors)
{
    const het__image_attrs *a = &f->attrs;
    const int64_t rows = f->images * f->out_height;
    const int32_t counts[8] = { (int32_t)vectors, (int32_t)rows, a->channels_out,
                                (int32_t)f->depth,
                                (int32_t)het__gpu_blocks(a->channels_in, f->in_block),
                                (int32_t)(a->groups > 1 ? f->per_out : f->channels), a->zero_in,
                                0 };
    const int32_t codes[4] = { f->codes ? a->zero_out : a->residual && has_input(call, 3),
                               a->least, a->most, 0 };
    het__gpu_put_ints(s, 8, counts);
    het__gpu_put_ints(s, 4, codes);
    het__gpu_put_float(s, a->act.alpha);
    het__gpu_put_float(s, a->act.beta);
}

static void put_options(het__gpu_start *s, const het__gpu_call *call, const form *f)
{
    static const char *const macros[] = { "CONV_TILE", "CONV_DEEP", "CONV_ANY" };
    het__gpu_start_option(s, "-D%s -DV=%d -DNB=%d -DPIX=%d -DIN_BLOCK=%d -DOUT_BLOCK=%d -DACT=%d",
                          macros[f->kind], (int)f->v, (int)f->nb, (int)f->pix, (int)f->in_block,
                          (int)f->out_block, (int)f->attrs.act.kind);
    if (f->codes)
        het__gpu_start_option(s, " -DCODES=1 -DTX=%s -DTY=%s",
                              het__gpu_code_name(call->inputs[0].value.dtype),
                              het__gpu_code_name(call->outputs[0].value.dtype));
    else
        het__gpu_start_option(s, " -DCODES=0");
}

static het_status conv_prepare(het__gpu_call *call, het_error *err)
{
    static const char *const names[] = { "conv_tile", "conv_deep", "conv_any" };
    const form f = form_of(call);
    het__gpu_memory *weights, *bias, *factor = NULL;
    het_status status = take_weights(call, &f, &weights, err);
    if (status == HET_OK)
        status = take_vector(call, &f, f.codes ? 3 : 2, &bias, err);
    if (status == HET_OK && f.codes)
        status = take_vector(call, &f, 2, &factor, err);
    if (status != HET_OK)
        return status;
    het__gpu_starts list;
    het__gpu_starts_init(&list, call->arena, call->facts);
    het__gpu_start *s = het__gpu_starts_add(&list, "conv", names[f.kind]);
    put_options(s, call, &f);
    het__gpu_put_input(s, 0, 0);
    het__gpu_put_memory(s, weights);
    het__gpu_put_memory(s, bias);
    het__gpu_put_memory(s, f.codes ? factor : bias);
    het__gpu_put_input(s, f.attrs.residual && !f.codes ? 3 : 0, 0);
    het__gpu_put_output(s, 0, 0);
    het__gpu_put_window(s, &f.attrs, (const int64_t[]){ f.in_height, f.in_width },
                        (const int64_t[]){ f.out_height, f.out_width });
    const int64_t vectors = f.channels / (f.v * f.nb), rows = f.images * f.out_height;
    const int64_t tiles = het__gpu_blocks(f.out_width, f.pix);
    put_numbers(s, call, &f, vectors);
    if (call->facts->is_cpu)
        het__gpu_start_items(s, tiles, rows, vectors, f.kind == TILE ? 1 : 16);
    else
        het__gpu_start_items(s, vectors, tiles, rows, 64);
    return het__gpu_starts_prepare(call, &list, err);
}

const het__gpu_op het__gpu_conv = { conv_supports, conv_prepare, het__gpu_starts_launch };
const het__gpu_op het__gpu_qconv = { conv_supports, conv_prepare, het__gpu_starts_launch };
