/* SPDX-License-Identifier: Apache-2.0 */
/* Small graphs of tensor operations for calibration: chains of one kind of work at sizes that
 * networks for images, sound and text have, and the blocks that such networks repeat. They pass
 * through the same passes as models do, so what is timed is what is run. */
#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "lib/base/error.h"
#include "lib/exec/calibrate.h"
#include "lib/passes/passes.h"
#include "lib/passes/specialise.h"

#define OPSET 20
#define INPUTS_MAX 4

typedef enum network_kind {
    N_CONV,      /* a channels, size b, window c, stride d */
    N_STEM,      /* 3 to a channels, size b, window c, stride d */
    N_POINT,     /* a to b channels and back, size c */
    N_DEPTH,     /* a channels, size b, window c, stride d */
    N_INVERTED,  /* a to b channels, each for itself, back to a, plus what came; size c */
    N_SQUEEZE,   /* means of a channels, size b, through c channels, times what came */
    N_CODES,     /* N_CONV on codes of eight bits */
    N_CODES_POINT,
    N_CODES_DEPTH,
    N_CODES_STEM,
    N_CODES_CURVE, /* a channels, size b: codes to codes by a curve */
    N_UP,        /* a channels, size b, window c, d times as wide and high */
    N_POOL,      /* maxima: a channels, size b, window c, stride d; behind a convolution */
    N_MEANS,
    N_GLOBAL,    /* the mean of each of a channels, size b; behind a convolution */
    N_NEAREST,   /* a channels, size b, c times as wide and high; behind a convolution */
    N_LINEAR,    /* the same, interpolated */
    N_MATMUL,    /* a rows, b to c columns and back */
    N_ONE,       /* the same with one row */
    N_ATTENTION, /* a heads, b rows, c columns */
    N_ELEMENTS,  /* a rows, b columns: sums and curves */
    N_SOFTMAX,   /* a rows, b columns */
    N_NORM,
    N_SUMS,
    N_TRANSPOSE, /* a channels, size b */
    N_JOIN,      /* concatenation: a channels, size b */
    N_GATHER,    /* a rows of b columns, c of them */
    N_LSTM,      /* a steps, b columns in, c kept */
} network_kind;

static const char *const kind_names[] = {
    "convolution", "first convolution", "pointwise convolution", "depthwise convolution",
    "inverted bottleneck", "squeeze and excite", "convolution of codes", "pointwise, codes",
    "depthwise, codes", "first convolution, codes", "curve of codes", "transposed convolution",
    "pool of maxima", "pool of means", "global mean", "nearest", "interpolated",
    "product", "product of one row", "attention", "elementwise", "softmax", "layer norm", "sums",
    "transpose", "concatenation", "gather", "recurrent",
};

typedef struct network_case {
    uint32_t kind;
    int32_t a, b, c, d, repeat;
    bool quick;
} network_case;

static const network_case cases[] = {
    { N_CONV, 16, 72, 3, 1, 6, true },    { N_CONV, 40, 48, 3, 1, 6, false },
    { N_CONV, 64, 56, 3, 1, 4, true },    { N_CONV, 96, 20, 3, 1, 6, false },
    { N_CONV, 128, 28, 3, 1, 4, false },  { N_CONV, 256, 14, 3, 1, 4, true },
    { N_CONV, 512, 7, 3, 1, 3, false },   { N_CONV, 32, 32, 3, 1, 8, false },
    { N_CONV, 64, 16, 3, 1, 8, false },   { N_CONV, 32, 64, 5, 1, 4, false },
    { N_CONV, 64, 56, 3, 2, 1, false },   { N_CONV, 20, 26, 3, 1, 8, false },
    { N_CONV, 48, 26, 3, 1, 8, false },   { N_STEM, 32, 224, 3, 2, 1, true },
    { N_CONV, 16, 32, 3, 1, 12, false },  { N_CONV, 64, 8, 3, 1, 8, false },
    { N_STEM, 64, 224, 7, 2, 1, false },  { N_STEM, 16, 320, 3, 2, 1, false },
    { N_POINT, 16, 96, 88, 0, 2, false }, { N_POINT, 24, 144, 56, 0, 3, true },
    { N_POINT, 64, 64, 40, 0, 4, false }, { N_POINT, 64, 256, 28, 0, 4, true },
    { N_POINT, 128, 128, 26, 0, 4, false }, { N_POINT, 96, 576, 14, 0, 4, true },
    { N_POINT, 512, 512, 7, 0, 4, false }, { N_POINT, 160, 960, 7, 0, 4, true },
    { N_POINT, 1024, 256, 14, 0, 3, false }, { N_POINT, 32, 32, 20, 0, 6, false },
    { N_DEPTH, 32, 112, 3, 1, 4, true },  { N_DEPTH, 96, 56, 3, 1, 6, false },
    { N_DEPTH, 192, 28, 3, 1, 8, true },  { N_DEPTH, 384, 14, 3, 1, 8, false },
    { N_DEPTH, 960, 7, 3, 1, 8, true },   { N_DEPTH, 240, 20, 5, 1, 6, false },
    { N_DEPTH, 96, 64, 3, 2, 1, false },  { N_DEPTH, 64, 40, 5, 1, 6, false },
    { N_INVERTED, 24, 144, 56, 0, 2, false }, { N_INVERTED, 64, 384, 14, 0, 4, true },
    { N_INVERTED, 160, 960, 7, 0, 3, false }, { N_INVERTED, 32, 64, 40, 0, 4, false },
    { N_SQUEEZE, 96, 28, 24, 0, 3, false }, { N_SQUEEZE, 480, 14, 20, 0, 3, false },
    { N_CODES, 32, 56, 3, 1, 4, false },  { N_CODES, 128, 14, 3, 1, 4, false },
    { N_CODES_POINT, 24, 144, 56, 0, 2, false }, { N_CODES_POINT, 96, 576, 14, 0, 3, false },
    { N_CODES_POINT, 232, 232, 7, 0, 6, false },
    { N_CODES_DEPTH, 96, 56, 3, 1, 4, false }, { N_CODES_DEPTH, 384, 14, 3, 1, 6, false },
    { N_CODES_STEM, 24, 224, 3, 2, 1, false }, { N_CODES_CURVE, 96, 28, 0, 0, 6, false },
    { N_UP, 24, 80, 2, 2, 1, false },     { N_UP, 16, 24, 3, 2, 2, false },
    { N_POOL, 64, 112, 3, 2, 3, true },   { N_POOL, 128, 56, 3, 2, 2, false },
    { N_POOL, 256, 13, 5, 1, 4, false },  { N_POOL, 128, 13, 9, 1, 3, false },
    { N_POOL, 32, 160, 2, 2, 3, false },
    { N_MEANS, 128, 28, 3, 1, 4, false }, { N_GLOBAL, 512, 13, 0, 0, 1, true },
    { N_GLOBAL, 1024, 7, 0, 0, 1, false }, { N_GLOBAL, 96, 56, 0, 0, 1, false },
    { N_NEAREST, 64, 26, 2, 0, 2, true }, { N_NEAREST, 32, 20, 4, 0, 1, false },
    { N_LINEAR, 32, 33, 4, 0, 1, true },  { N_LINEAR, 64, 20, 2, 0, 1, false },
    { N_MATMUL, 49, 768, 768, 0, 4, true }, { N_MATMUL, 49, 384, 1536, 0, 2, false },
    { N_MATMUL, 196, 192, 192, 0, 6, false }, { N_MATMUL, 8, 256, 256, 0, 8, false },
    { N_MATMUL, 512, 64, 64, 0, 6, false },
    { N_ONE, 1, 512, 512, 0, 6, true },   { N_ONE, 1, 128, 128, 0, 12, false },
    { N_ONE, 1, 2048, 1000, 0, 2, false },
    { N_ATTENTION, 12, 50, 64, 0, 3, false }, { N_ATTENTION, 6, 196, 32, 0, 3, true },
    { N_ELEMENTS, 64, 3136, 0, 0, 6, true }, { N_ELEMENTS, 32, 196, 0, 0, 12, true },
    { N_ELEMENTS, 16, 40000, 0, 0, 3, false }, { N_ELEMENTS, 1, 256, 0, 0, 20, false },
    { N_SOFTMAX, 64, 1000, 0, 0, 6, true }, { N_SOFTMAX, 1, 1000, 0, 0, 12, false },
    { N_NORM, 50, 768, 0, 0, 6, true },   { N_NORM, 196, 192, 0, 0, 6, false },
    { N_SUMS, 512, 196, 0, 0, 0, true },  { N_SUMS, 64, 4096, 0, 0, 0, false },
    { N_TRANSPOSE, 96, 56, 0, 0, 1, true }, { N_TRANSPOSE, 128, 14, 0, 0, 1, false },
    { N_JOIN, 64, 56, 0, 0, 1, true },    { N_JOIN, 96, 14, 0, 0, 1, false },
    { N_GATHER, 4096, 256, 512, 0, 1, true }, { N_GATHER, 512, 64, 32, 0, 1, false },
    { N_LSTM, 1, 200, 128, 0, 2, true },  { N_LSTM, 24, 64, 96, 0, 1, false },
    { N_LSTM, 4, 32, 48, 0, 2, false },
};

#define CASES (sizeof cases / sizeof *cases)

static const network_case *case_at(uint32_t index, bool quick)
{
    for (size_t i = 0; i < CASES; i++)
        if ((!quick || cases[i].quick) && index-- == 0)
            return &cases[i];
    return NULL;
}

uint32_t het__calibrate_network_count(bool quick)
{
    uint32_t count = 0;
    while (case_at(count, quick))
        count++;
    return count;
}

/* ---- building ---- */

/* What one repetition of a chain reads of weights, and computes. */
static void weigh(const network_case *c, double *bytes, double *flops)
{
    const double a = c->a, b = c->b, window = (double)c->c * c->c;
    const double size = c->kind == N_POINT || c->kind == N_CODES_POINT || c->kind == N_INVERTED
                            ? c->c : c->b;
    double weights = 0;
    switch (c->kind) {
    case N_CONV: case N_CODES: weights = a * a * window; break;
    case N_POINT: case N_CODES_POINT: case N_INVERTED: weights = 2 * a * b; break;
    case N_MATMUL: case N_ONE: weights = 2 * b * c->c; break;
    default: break;
    }
    const bool codes = c->kind == N_CODES || c->kind == N_CODES_POINT;
    *bytes = weights * (codes ? 1 : 4);
    *flops = 2 * weights * (c->kind == N_MATMUL || c->kind == N_ONE ? a : size * size);
}

/* Networks read each weight once a run: what a few layers leave in the nearest caches would be
 * there again. Chains are as long as it takes to leave them, within reason. */
#define CHAIN_BYTES 10e6
#define CHAIN_FLOPS 2.5e9
#define CHAIN_MOST 48

static int32_t repeats_of(const network_case *c)
{
    double bytes, flops;
    weigh(c, &bytes, &flops);
    if (!(bytes > 0) || c->d > 1)
        return c->repeat;
    double n = CHAIN_BYTES / bytes;
    n = n * flops > CHAIN_FLOPS ? CHAIN_FLOPS / flops : n;
    n = n > CHAIN_MOST ? CHAIN_MOST : n;
    return n > c->repeat ? (int32_t)n : c->repeat;
}

typedef struct builder {
    const network_case *c;
    int32_t repeat;
    het__graph *g; /* raw; failed once memory ran out */
    het__tensor inputs[INPUTS_MAX];
    uint32_t input_count;
    het__attr attrs[8]; /* of the next node */
    uint32_t attr_count;
} builder;

#define E(...) ((const int64_t[]){ __VA_ARGS__ })
#define RANK(...) ((uint32_t)(sizeof(E(__VA_ARGS__)) / sizeof(int64_t)))
#define INPUT(b, ...) input_of(b, RANK(__VA_ARGS__), E(__VA_ARGS__))
#define WEIGHT(b, ...) weight_of(b, HET_DTYPE_F32, RANK(__VA_ARGS__), E(__VA_ARGS__))
#define OP(b, op, ...)                                                          \
    node_of(b, HET__OP_T_##op, (const uint32_t[]){ __VA_ARGS__ },               \
            (uint32_t)(sizeof((const uint32_t[]){ __VA_ARGS__ }) / sizeof(uint32_t)))

static uint32_t typed_input(builder *b, het_dtype type, uint32_t rank, const int64_t *extent)
{
    char name[16];
    het__extent e[HET_RANK_MAX];
    assert(b->input_count < INPUTS_MAX);
    het__tensor *t = &b->inputs[b->input_count];
    snprintf(name, sizeof name, "x%u", b->input_count++);
    *t = (het__tensor){ .dtype = type, .rank = rank };
    for (uint32_t i = 0; i < rank; i++) {
        t->extent[i] = extent[i];
        e[i] = (het__extent){ extent[i], HET__SYM_ONE };
    }
    return het__graph_value(b->g, name, HET__VALUE_INPUT, type, rank, e);
}

static uint32_t input_of(builder *b, uint32_t rank, const int64_t *extent)
{
    return typed_input(b, HET_DTYPE_F32, rank, extent);
}

static uint32_t const_of(builder *b, het_dtype type, uint32_t rank, const int64_t *extent,
                         const void *data, int byte)
{
    int64_t n = 1;
    for (uint32_t i = 0; i < rank; i++)
        n *= extent[i];
    const size_t bytes = (size_t)het_dtype_bytes(type, n);
    void *copy = het__arena_alloc(&b->g->arena, bytes);
    if (!copy) {
        b->g->failed = true;
        return HET__NO_VALUE;
    }
    if (data)
        memcpy(copy, data, bytes);
    else
        memset(copy, byte, bytes);
    return het__graph_const(b->g, "w", type, rank, extent, copy);
}

static uint32_t weight_of(builder *b, het_dtype type, uint32_t rank, const int64_t *extent)
{
    return const_of(b, type, rank, extent, NULL, HET__CALIBRATE_BYTE);
}

static void attr_int(builder *b, const char *name, int64_t value)
{
    b->attrs[b->attr_count++] =
        (het__attr){ .name = name, .kind = HET__ATTR_INT, .u.i = value };
}

static void attr_string(builder *b, const char *name, const char *value)
{
    b->attrs[b->attr_count++] =
        (het__attr){ .name = name, .kind = HET__ATTR_STRING, .u.string = value };
}

static void attr_ints(builder *b, const char *name, uint32_t count, const int64_t *values)
{
    int64_t *copy = het__arena_alloc(&b->g->arena, count * sizeof *copy);
    if (!copy) {
        b->g->failed = true;
        return;
    }
    memcpy(copy, values, count * sizeof *copy);
    b->attrs[b->attr_count++] =
        (het__attr){ .name = name, .kind = HET__ATTR_INTS, .count = count, .u.ints = copy };
}

/* With the attributes given since the last node. */
static uint32_t node_of(builder *b, het__op op, const uint32_t *inputs, uint32_t count)
{
    het__attr *items = het__arena_zero(&b->g->arena, b->attr_count + 1u, sizeof *items);
    if (!items)
        b->g->failed = true;
    if (b->g->failed)
        return HET__NO_VALUE;
    memcpy(items, b->attrs, b->attr_count * sizeof *items);
    const het__attr_list list = { .items = items, .count = b->attr_count, .opset = OPSET };
    b->attr_count = 0;
    return het__graph_tensor_node(b->g, op, het__tensor_op_of(op)->info.name, inputs, count, 1,
                                  &list);
}

/* ---- windows ---- */

static void window(builder *b, int64_t kernel, int64_t stride, int64_t group)
{
    const int64_t pad = kernel / 2;
    attr_ints(b, "pads", 4, E(pad, pad, pad, pad));
    attr_ints(b, "strides", 2, E(stride, stride));
    if (group > 1)
        attr_int(b, "group", group);
}

static uint32_t conv(builder *b, uint32_t x, int64_t from, int64_t to, int64_t kernel,
                     int64_t stride, bool depth)
{
    const int64_t group = depth ? from : 1;
    const uint32_t w = WEIGHT(b, to, from / group, kernel, kernel), bias = WEIGHT(b, to);
    window(b, kernel, stride, group);
    return OP(b, CONV, x, w, bias);
}

static uint32_t f32_scalar(builder *b, float value)
{
    return const_of(b, HET_DTYPE_F32, 0, NULL, &value, 0);
}

static uint32_t zero_of(builder *b, het_dtype type)
{
    return const_of(b, type, 0, NULL, NULL, 0);
}

/* Codes: the same by QLinearConv, codes in and out. */
static uint32_t conv_codes(builder *b, uint32_t x, int64_t from, int64_t to, int64_t kernel,
                           int64_t stride, bool depth)
{
    const int64_t group = depth ? from : 1;
    const uint32_t one = f32_scalar(b, 0.5f), zero = zero_of(b, HET_DTYPE_U8);
    const uint32_t w = weight_of(b, HET_DTYPE_I8, 4, E(to, from / group, kernel, kernel));
    const uint32_t w_zero = zero_of(b, HET_DTYPE_I8), factor = f32_scalar(b, 0.01f);
    const uint32_t bias = const_of(b, HET_DTYPE_I32, 1, &to, NULL, 0);
    window(b, kernel, stride, group);
    return OP(b, QLINEAR_CONV, x, one, zero, w, factor, w_zero, one, zero, bias);
}

static uint32_t image_of(builder *b, int64_t channels, int64_t size)
{
    return INPUT(b, 1, channels, size, size);
}

static uint32_t build_windows(builder *b)
{
    const network_case *c = b->c;
    const bool stem = c->kind == N_STEM, depth = c->kind == N_DEPTH;
    uint32_t x = image_of(b, stem ? 3 : c->a, c->b);
    for (int32_t i = 0; i < b->repeat; i++) {
        x = conv(b, x, stem ? 3 : c->a, c->a, c->c, c->d, depth);
        x = OP(b, RELU, x);
    }
    return x;
}

static uint32_t build_point(builder *b)
{
    const network_case *c = b->c;
    uint32_t x = image_of(b, c->a, c->c);
    for (int32_t i = 0; i < b->repeat; i++) {
        x = OP(b, RELU, conv(b, x, c->a, c->b, 1, 1, false));
        x = conv(b, x, c->b, c->a, 1, 1, false);
    }
    return x;
}

static uint32_t build_inverted(builder *b)
{
    const network_case *c = b->c;
    uint32_t x = image_of(b, c->a, c->c);
    for (int32_t i = 0; i < b->repeat; i++) {
        uint32_t y = OP(b, RELU, conv(b, x, c->a, c->b, 1, 1, false));
        y = OP(b, RELU, conv(b, y, c->b, c->b, 3, 1, true));
        y = conv(b, y, c->b, c->a, 1, 1, false);
        x = OP(b, ADD, x, y);
    }
    return x;
}

static uint32_t build_squeeze(builder *b)
{
    const network_case *c = b->c;
    uint32_t x = image_of(b, c->a, c->b);
    for (int32_t i = 0; i < b->repeat; i++) {
        x = OP(b, RELU, conv(b, x, c->a, c->a, 3, 1, true));
        uint32_t y = OP(b, GLOBAL_AVERAGE_POOL, x);
        y = OP(b, RELU, conv(b, y, c->a, c->c, 1, 1, false));
        y = OP(b, SIGMOID, conv(b, y, c->c, c->a, 1, 1, false));
        x = OP(b, MUL, x, y);
    }
    return x;
}

static uint32_t build_codes(builder *b)
{
    const network_case *c = b->c;
    const bool point = c->kind == N_CODES_POINT, depth = c->kind == N_CODES_DEPTH;
    const bool stem = c->kind == N_CODES_STEM;
    const int64_t size = point ? c->c : c->b, from = stem ? 3 : c->a;
    uint32_t x = typed_input(b, HET_DTYPE_U8, 4, E(1, from, size, size));
    for (int32_t i = 0; i < b->repeat; i++) {
        if (point) {
            x = conv_codes(b, x, c->a, c->b, 1, 1, false);
            x = conv_codes(b, x, c->b, c->a, 1, 1, false);
        } else {
            x = conv_codes(b, x, from, c->a, c->c, c->d, depth);
        }
    }
    return x;
}

/* Numbers again, the curve, codes again: one table. */
static uint32_t build_codes_curve(builder *b)
{
    const uint32_t factor = f32_scalar(b, 0.01f), zero = zero_of(b, HET_DTYPE_U8);
    uint32_t x = typed_input(b, HET_DTYPE_U8, 4, E(1, b->c->a, b->c->b, b->c->b));
    for (int32_t i = 0; i < b->repeat; i++) {
        const uint32_t y = OP(b, SIGMOID, OP(b, DEQUANTIZE_LINEAR, x, factor, zero));
        x = OP(b, QUANTIZE_LINEAR, y, factor, zero);
    }
    return x;
}

static uint32_t build_up(builder *b)
{
    const network_case *c = b->c;
    uint32_t x = image_of(b, c->a, c->b);
    for (int32_t i = 0; i < b->repeat; i++) {
        const uint32_t w = WEIGHT(b, c->a, c->a, c->c, c->c), bias = WEIGHT(b, c->a);
        attr_ints(b, "strides", 2, E(c->d, c->d));
        x = OP(b, RELU, OP(b, CONV_TRANSPOSE, x, w, bias));
    }
    return x;
}

/* What comes out of a convolution lies as that wants it, and what follows takes it so. */
static uint32_t convolved(builder *b)
{
    const network_case *c = b->c;
    return conv(b, image_of(b, c->a, c->b), c->a, c->a, 1, 1, true);
}

static uint32_t build_pool(builder *b)
{
    const network_case *c = b->c;
    uint32_t x = convolved(b);
    if (c->kind == N_GLOBAL)
        return OP(b, GLOBAL_AVERAGE_POOL, x);
    for (int32_t i = 0; i < b->repeat; i++) {
        attr_ints(b, "kernel_shape", 2, E(c->c, c->c));
        window(b, c->c % 2 ? c->c : 0, c->d, 1);
        x = c->kind == N_POOL ? OP(b, MAX_POOL, x) : OP(b, AVERAGE_POOL, x);
    }
    return x;
}

static uint32_t build_resize(builder *b)
{
    const network_case *c = b->c;
    const float times[4] = { 1, 1, (float)c->c, (float)c->c };
    const int64_t four = 4;
    uint32_t x = convolved(b);
    for (int32_t i = 0; i < b->repeat; i++) {
        const uint32_t scales = const_of(b, HET_DTYPE_F32, 1, &four, times, 0);
        attr_string(b, "mode", c->kind == N_NEAREST ? "nearest" : "linear");
        attr_string(b, "coordinate_transformation_mode",
                    c->kind == N_NEAREST ? "asymmetric" : "half_pixel");
        attr_string(b, "nearest_mode", "floor");
        x = OP(b, RESIZE, x, HET__NO_VALUE, scales);
    }
    return x;
}

/* ---- matrices ---- */

static uint32_t build_product(builder *b)
{
    const network_case *c = b->c;
    uint32_t x = INPUT(b, c->a, c->b);
    for (int32_t i = 0; i < b->repeat; i++) {
        x = OP(b, ADD, OP(b, MAT_MUL, x, WEIGHT(b, c->b, c->c)), WEIGHT(b, c->c));
        x = OP(b, RELU, x);
        x = OP(b, ADD, OP(b, MAT_MUL, x, WEIGHT(b, c->c, c->b)), WEIGHT(b, c->b));
    }
    return x;
}

/* Spelled out, as exporters write it. */
static uint32_t build_attention(builder *b)
{
    const network_case *c = b->c;
    uint32_t x = INPUT(b, 1, c->a, c->b, c->c);
    for (int32_t i = 0; i < b->repeat; i++) {
        attr_ints(b, "perm", 4, E(0, 1, 3, 2));
        const uint32_t turned = OP(b, TRANSPOSE, x);
        uint32_t y = OP(b, MUL, OP(b, MAT_MUL, x, turned), f32_scalar(b, 0.125f));
        attr_int(b, "axis", -1);
        y = OP(b, SOFTMAX, y);
        x = OP(b, MAT_MUL, y, x);
    }
    return x;
}

static uint32_t build_elements(builder *b)
{
    const network_case *c = b->c;
    const uint32_t first = INPUT(b, c->a, c->b);
    uint32_t x = first;
    for (int32_t i = 0; i < b->repeat; i++) {
        x = OP(b, ADD, i % 2 ? OP(b, SIGMOID, x) : OP(b, RELU, x), first);
        x = OP(b, MUL, x, WEIGHT(b, c->b));
    }
    return x;
}

static uint32_t build_rows(builder *b)
{
    const network_case *c = b->c;
    uint32_t x = INPUT(b, c->a, c->b);
    for (int32_t i = 0; i < b->repeat; i++) {
        attr_int(b, "axis", -1);
        if (c->kind == N_SOFTMAX)
            x = OP(b, SOFTMAX, x);
        else
            x = OP(b, LAYER_NORMALIZATION, x, WEIGHT(b, c->b), WEIGHT(b, c->b));
    }
    if (c->kind == N_SUMS) {
        const int64_t axis = 1, one = 1;
        x = OP(b, REDUCE_MEAN, x, const_of(b, HET_DTYPE_I64, 1, &one, &axis, 0));
    }
    return x;
}

/* ---- moving: every result is an output, or the passes would merge them ---- */

static uint32_t build_transpose(builder *b)
{
    static const int64_t orders[][4] = { { 0, 2, 3, 1 }, { 0, 3, 1, 2 }, { 0, 2, 1, 3 } };
    const uint32_t x = image_of(b, b->c->a, b->c->b);
    uint32_t y = HET__NO_VALUE;
    for (size_t i = 0; i < sizeof orders / sizeof *orders; i++) {
        attr_ints(b, "perm", 4, orders[i]);
        y = OP(b, TRANSPOSE, x);
        if (i + 1 < sizeof orders / sizeof *orders && !b->g->failed)
            het__graph_output(b->g, y, i ? "y1" : "y0");
    }
    return y;
}

static uint32_t build_join(builder *b)
{
    const uint32_t x = image_of(b, b->c->a, b->c->b), y = image_of(b, b->c->a, b->c->b);
    attr_int(b, "axis", 1);
    const uint32_t first = OP(b, CONCAT, x, y);
    if (!b->g->failed)
        het__graph_output(b->g, first, "y0");
    attr_int(b, "axis", 3);
    return OP(b, CONCAT, y, x);
}

static uint32_t build_gather(builder *b)
{
    const uint32_t rows = typed_input(b, HET_DTYPE_I64, 1, E(b->c->c));
    return OP(b, GATHER, WEIGHT(b, b->c->a, b->c->b), rows);
}

static uint32_t build_recurrent(builder *b)
{
    const network_case *c = b->c;
    const int64_t one = 1, axis = 1;
    uint32_t x = INPUT(b, c->a, 1, c->b);
    for (int32_t i = 0; i < b->repeat; i++) {
        const uint32_t w = WEIGHT(b, 1, 4 * c->c, i ? c->c : c->b);
        const uint32_t r = WEIGHT(b, 1, 4 * c->c, c->c);
        attr_int(b, "hidden_size", c->c);
        x = OP(b, LSTM, x, w, r);
        x = OP(b, SQUEEZE, x, const_of(b, HET_DTYPE_I64, 1, &one, &axis, 0));
    }
    return x;
}

static uint32_t build(builder *b)
{
    switch (b->c->kind) {
    case N_CONV: case N_STEM: case N_DEPTH: return build_windows(b);
    case N_POINT: return build_point(b);
    case N_INVERTED: return build_inverted(b);
    case N_SQUEEZE: return build_squeeze(b);
    case N_CODES: case N_CODES_POINT: case N_CODES_DEPTH: case N_CODES_STEM: return build_codes(b);
    case N_CODES_CURVE: return build_codes_curve(b);
    case N_UP: return build_up(b);
    case N_POOL: case N_MEANS: case N_GLOBAL: return build_pool(b);
    case N_NEAREST: case N_LINEAR: return build_resize(b);
    case N_MATMUL: case N_ONE: return build_product(b);
    case N_ATTENTION: return build_attention(b);
    case N_ELEMENTS: return build_elements(b);
    case N_SOFTMAX: case N_NORM: case N_SUMS: return build_rows(b);
    case N_TRANSPOSE: return build_transpose(b);
    case N_JOIN: return build_join(b);
    case N_LSTM: return build_recurrent(b);
    default: return build_gather(b);
    }
}

het_status het__calibrate_network(uint32_t index, bool quick, int32_t block, het__mem *mem,
                                  het__calibrate_subject *subject, het_error *err)
{
    memset(subject, 0, sizeof *subject);
    het__graph_init(&subject->raw, mem);
    builder b = { .c = case_at(index, quick), .g = &subject->raw };
    b.repeat = repeats_of(b.c);
    snprintf(subject->name, sizeof subject->name, "%s, %d, %d", kind_names[b.c->kind], (int)b.c->a,
             (int)b.c->b);
    for (uint32_t i = 0; i < HET__SYM_MAX; i++)
        subject->symbols_max[i] = 1;
    const uint32_t y = build(&b);
    if (!b.g->failed)
        het__graph_output(b.g, y, "y");
    het_status s = b.g->failed ? het__fail_nomem(err, "a graph to measure") : HET_OK;
    if (s == HET_OK)
        s = het__specialise(&subject->raw, b.inputs, b.input_count, mem, &subject->graph, NULL,
                            err);
    const het__pass_options options = { HET__PASSES_ALL, block };
    if (s == HET_OK)
        s = het__passes_run(&subject->graph, &options, NULL, err);
    if (s != HET_OK)
        het__calibrate_subject_finish(subject);
    return s;
}
