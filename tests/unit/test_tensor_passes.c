/* SPDX-License-Identifier: Apache-2.0 */
/* Passes on tensor operations: every pattern in its spellings, near misses left alone, outputs the
 * same before and after, nothing left to do the second time. */
#include "tensor_bench.h"

#define PASS(name) (UINT32_C(1) << HET__PASS_##name)

/* ---- fold ---- */

static uint32_t conv(bench *b, uint32_t x, int64_t out, int64_t in, bool bias)
{
    const uint32_t w = bench_weight(b, 4, E(out, in, 3, 3));
    if (!bias)
        return OP(b, "Conv", x, w);
    return OP(b, "Conv", x, w, bench_weight(b, 1, E(out)));
}

static uint32_t batch_norm(bench *b, uint32_t x, int64_t channels)
{
    const uint32_t scale = bench_weight(b, 1, &channels), shift = bench_weight(b, 1, &channels);
    const uint32_t mean = bench_weight(b, 1, &channels);
    return OP(b, "BatchNormalization", x, scale, shift, mean, bench_positive(b, channels));
}

static void conv_takes_what_is_linear(void)
{
    for (int bias = 0; bias < 2; bias++) {
        bench b;
        bench_open(&b);
        const uint32_t x = bench_input(&b, 4, E(1, 3, 6, 5));
        uint32_t y = batch_norm(&b, conv(&b, x, 4, 3, bias), 4);
        y = OP(&b, "Mul", y, bench_weight(&b, 3, E(4, 1, 1)));
        y = OP(&b, "Add", bench_weight(&b, 4, E(1, 4, 1, 1)), y);
        y = OP(&b, "Div", y, bench_scalar(&b, 3));
        y = OP(&b, "Sub", bench_scalar(&b, 2), y);
        bench_output(&b, y);
        CHECK_INT(bench_run(&b, PASS(FOLD)), 5);
        CHECK_INT(b.graph.node_count, 1);
        bench_close(&b);
    }
}

static void transposed_conv_takes_a_norm(void)
{
    bench b;
    bench_open(&b);
    const uint32_t x = bench_input(&b, 4, E(1, 4, 3, 3)), w = bench_weight(&b, 4, E(4, 3, 2, 2));
    bench_int(&b, "group", 2);
    bench_output(&b, batch_norm(&b, OP(&b, "ConvTranspose", x, w), 6));
    CHECK_INT(bench_run(&b, PASS(FOLD)), 1);
    CHECK_INT(b.graph.node_count, 1);
    bench_close(&b);
}

static void products_take_what_is_linear(void)
{
    for (int gemm = 0; gemm < 4; gemm++) { /* bit 1: weights turned */
        bench b;
        bench_open(&b);
        const uint32_t x = bench_input(&b, 2, E(5, 6));
        const uint32_t w = bench_weight(&b, 2, gemm & 2 ? E(4, 6) : E(6, 4));
        uint32_t y;
        if (gemm) {
            bench_int(&b, "transB", gemm >> 1);
            bench_float(&b, "alpha", 0.5f);
            bench_float(&b, "beta", 3);
            y = OP(&b, "Gemm", x, w, bench_weight(&b, 2, E(1, 4)));
            y = batch_norm(&b, y, 4);
        } else {
            y = OP(&b, "Add", bench_weight(&b, 1, E(4)), OP(&b, "MatMul", x, w));
            y = OP(&b, "Sub", y, bench_weight(&b, 1, E(4)));
        }
        y = OP(&b, "Mul", bench_weight(&b, 2, E(1, 4)), y);
        y = OP(&b, "Div", y, bench_scalar(&b, 3));
        bench_output(&b, y);
        CHECK_INT(bench_run(&b, PASS(FOLD)), 3);
        CHECK_INT(b.graph.node_count, gemm ? 1 : 2);
        bench_close(&b);
    }
}

static void products_leave_what_is_not(void)
{
    bench b;
    bench_open(&b);
    const uint32_t x = bench_input(&b, 2, E(5, 6)), w = bench_weight(&b, 2, E(6, 4));
    bench_output(&b, OP(&b, "Mul", OP(&b, "MatMul", x, w), bench_weight(&b, 2, E(5, 1))));
    bench_output(&b, OP(&b, "Add", OP(&b, "MatMul", x, w), bench_weight(&b, 1, E(4))));
    bench_output(&b, OP(&b, "Sub", bench_weight(&b, 1, E(4)), OP(&b, "MatMul", x, w)));
    bench_output(&b, OP(&b, "Mul", OP(&b, "MatMul", x, w), bench_weight(&b, 3, E(2, 1, 4))));
    bench_output(&b, OP(&b, "Mul", OP(&b, "MatMul", x, bench_input(&b, 2, E(6, 4))),
                        bench_scalar(&b, 2)));
    CHECK_INT(bench_run(&b, PASS(FOLD)), 0);
    bench_close(&b);
}

static void conv_leaves_what_is_not(void)
{
    for (int i = 0; i < 5; i++) {
        bench b;
        bench_open(&b);
        const uint32_t x = bench_input(&b, 4, E(1, 3, 6, 5));
        const uint32_t y = conv(&b, x, 4, 3, false);
        switch (i) {
        case 0: /* one number per column */
            bench_output(&b, OP(&b, "Mul", y, bench_weight(&b, 1, E(3))));
            break;
        case 1: /* not constant */
            bench_output(&b, OP(&b, "Mul", y, bench_input(&b, 3, E(4, 1, 1))));
            break;
        case 2: /* read twice */
            bench_output(&b, OP(&b, "Mul", y, bench_scalar(&b, 2)));
            bench_output(&b, OP(&b, "Relu", y));
            break;
        case 3: /* an output itself */
            bench_output(&b, y);
            bench_output(&b, OP(&b, "Mul", y, bench_scalar(&b, 2)));
            break;
        default: /* not affine */
            bench_output(&b, OP(&b, "Div", bench_scalar(&b, 2), y));
            break;
        }
        CHECK_INT(bench_run(&b, PASS(FOLD)), 0);
        bench_close(&b);
    }
}

static void windows_take_zero_padding(void)
{
    for (int i = 0; i < 6; i++) {
        bench b;
        bench_open(&b);
        const uint32_t x = bench_input(&b, 4, E(1, 3, 6, 5));
        const int64_t pads[] = { 0, 0, 1, 0, 0, 0, 2, i == 4 ? -1 : 1 };
        const uint32_t list = bench_list(&b, 8, pads);
        const uint32_t y = i == 5 ? OP(&b, "Pad", x, list, bench_scalar(&b, 1))
                                  : OP(&b, "Pad", x, list);
        if (i < 2 || i > 3) {
            bench_ints(&b, "pads", 4, E(1, 0, 0, 1));
            bench_output(&b, conv(&b, y, 4, 3, i == 1));
        } else { /* its own padding does not count, or there is none */
            bench_ints(&b, "kernel_shape", 2, E(3, 3));
            if (i == 3)
                bench_ints(&b, "pads", 4, E(1, 0, 0, 1));
            bench_output(&b, OP(&b, "AveragePool", y));
        }
        CHECK_INT(bench_run(&b, PASS(FOLD)), i < 3);
        bench_close(&b);
    }
}

/* ---- activations ---- */

typedef uint32_t (*spelling)(bench *b, uint32_t x);

static uint32_t cubed(bench *b, uint32_t x, bool power)
{
    return power ? OP(b, "Pow", x, bench_scalar(b, 3)) : OP(b, "Mul", OP(b, "Mul", x, x), x);
}

static uint32_t swish(bench *b, uint32_t x)
{
    return OP(b, "Mul", x, OP(b, "Sigmoid", x));
}

static uint32_t swish_by_exp(bench *b, uint32_t x)
{
    const uint32_t e = OP(b, "Exp", OP(b, "Neg", x));
    return OP(b, "Div", x, OP(b, "Add", e, bench_scalar(b, 1)));
}

static uint32_t swish_scaled(bench *b, uint32_t x)
{
    return OP(b, "Mul", OP(b, "Sigmoid", OP(b, "Mul", bench_scalar(b, 1.702), x)), x);
}

static uint32_t hard_swish_op(bench *b, uint32_t x)
{
    bench_float(b, "alpha", 1.0f / 6);
    return OP(b, "Mul", OP(b, "HardSigmoid", x), x);
}

static uint32_t hard_swish_clip(bench *b, uint32_t x)
{
    const uint32_t c = OP(b, "Clip", OP(b, "Add", x, bench_scalar(b, 3)), bench_scalar(b, 0),
                          bench_scalar(b, 6));
    return OP(b, "Div", OP(b, "Mul", x, c), bench_scalar(b, 6));
}

static uint32_t hard_swish_late(bench *b, uint32_t x)
{
    const uint32_t c = OP(b, "Clip", OP(b, "Add", x, bench_scalar(b, 3)), bench_scalar(b, 0),
                          bench_scalar(b, 6));
    return OP(b, "Mul", x, OP(b, "Mul", c, bench_scalar(b, 0.16666667)));
}

static uint32_t hard_sigmoid(bench *b, uint32_t x)
{
    const uint32_t y = OP(b, "Add", OP(b, "Div", x, bench_scalar(b, 6)), bench_scalar(b, 0.5));
    return OP(b, "Clip", y, bench_scalar(b, 0), bench_scalar(b, 1));
}

static uint32_t gelu_erf(bench *b, uint32_t x)
{
    const uint32_t e = OP(b, "Erf", OP(b, "Div", x, bench_scalar(b, 1.41421356)));
    const uint32_t g = OP(b, "Mul", x, OP(b, "Add", e, bench_scalar(b, 1)));
    return OP(b, "Mul", g, bench_scalar(b, 0.5));
}

static uint32_t gelu_erf_early(bench *b, uint32_t x)
{
    const uint32_t e = OP(b, "Erf", OP(b, "Mul", x, bench_scalar(b, 0.70710678)));
    const uint32_t g = OP(b, "Sum", bench_scalar(b, 1), e);
    return OP(b, "Mul", OP(b, "Mul", bench_scalar(b, 0.5), x), g);
}

static uint32_t gelu_tanh(bench *b, uint32_t x)
{
    const uint32_t inner = OP(b, "Add", x, OP(b, "Mul", cubed(b, x, true),
                                              bench_scalar(b, 0.044715)));
    const uint32_t t = OP(b, "Tanh", OP(b, "Mul", inner, bench_scalar(b, 0.79788456)));
    return OP(b, "Mul", OP(b, "Mul", x, bench_scalar(b, 0.5)),
              OP(b, "Add", t, bench_scalar(b, 1)));
}

static uint32_t gelu_tanh_factored(bench *b, uint32_t x)
{
    const uint32_t square = OP(b, "Mul", OP(b, "Mul", bench_scalar(b, 0.044715), x), x);
    const uint32_t inner = OP(b, "Mul", OP(b, "Mul", x, bench_scalar(b, 0.79788456)),
                              OP(b, "Add", square, bench_scalar(b, 1)));
    const uint32_t g = OP(b, "Add", OP(b, "Tanh", inner), bench_scalar(b, 1));
    return OP(b, "Mul", bench_scalar(b, 0.5), OP(b, "Mul", x, g));
}

static uint32_t mish(bench *b, uint32_t x)
{
    return OP(b, "Mul", x, OP(b, "Tanh", OP(b, "Softplus", x)));
}

static uint32_t wrong_clip(bench *b, uint32_t x)
{
    const uint32_t c = OP(b, "Clip", OP(b, "Add", x, bench_scalar(b, 3)), bench_scalar(b, 0),
                          bench_scalar(b, 5));
    return OP(b, "Div", OP(b, "Mul", x, c), bench_scalar(b, 6));
}

static uint32_t wrong_gelu(bench *b, uint32_t x)
{
    const uint32_t e = OP(b, "Erf", x);
    return OP(b, "Mul", OP(b, "Mul", x, OP(b, "Add", e, bench_scalar(b, 1))),
              bench_scalar(b, 0.5));
}

static uint32_t two_values(bench *b, uint32_t x)
{
    return OP(b, "Mul", x, OP(b, "Sigmoid", bench_input(b, 2, E(5, 40))));
}

static uint32_t broadcasting(bench *b, uint32_t x)
{
    const uint32_t row = OP(b, "ReduceMax", x, bench_list(b, 1, E(1)));
    return OP(b, "Mul", OP(b, "Mul", x, row), OP(b, "Sigmoid", row));
}

static void activations(void)
{
    static const struct {
        spelling spell;
        const char *op; /* NULL: nothing is recognised */
        const char *approximate;
        double alpha;
    } cases[] = {
        { swish, "Swish", NULL, 1 },
        { swish_by_exp, "Swish", NULL, 1 },
        { swish_scaled, "Swish", NULL, 1.702 },
        { hard_swish_op, "HardSwish", NULL, 0 },
        { hard_swish_clip, "HardSwish", NULL, 0 },
        { hard_swish_late, "HardSwish", NULL, 0 },
        { hard_sigmoid, "HardSigmoid", NULL, 1.0 / 6 },
        { gelu_erf, "Gelu", "none", 0 },
        { gelu_erf_early, "Gelu", "none", 0 },
        { gelu_tanh, "Gelu", "tanh", 0 },
        { gelu_tanh_factored, "Gelu", "tanh", 0 },
        { mish, "Mish", NULL, 0 },
        { wrong_clip, NULL, NULL, 0 },
        { wrong_gelu, NULL, NULL, 0 },
        { two_values, NULL, NULL, 0 },
        { broadcasting, NULL, NULL, 0 },
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        bench b;
        bench_open(&b);
        const uint32_t x = bench_input(&b, 2, E(5, 40));
        /* Behind something elementwise: the group must not swallow it. */
        const uint32_t y = OP(&b, "Mul", x, bench_scalar(&b, 1.5));
        bench_output(&b, cases[i].spell(&b, OP(&b, "Abs", y)));
        CHECK_INT(bench_run(&b, PASS(ACTIVATIONS)), cases[i].op != NULL);
        if (cases[i].op) {
            CHECK_INT(bench_count(&b, cases[i].op), 1);
            CHECK_INT(b.graph.node_count, 3);
            const het__attr_list *list = bench_attrs(&b, cases[i].op);
            if (cases[i].approximate)
                CHECK_STR(het__attr_string(list, "approximate", "?"), cases[i].approximate);
            if (cases[i].alpha > 0)
                CHECK_NEAR(het__attr_float(list, "alpha", 0), cases[i].alpha, 1e-4);
        }
        bench_close(&b);
    }
}

/* ---- norms ---- */

typedef struct norm_case {
    bool rms, power, cast, reciprocal, scale, shift, keep;
    int64_t axis; /* of the means; -2: both of the last */
    int miss;     /* 1: the mean of something else, 2: another axis, 3: no epsilon */
} norm_case;

static uint32_t mean_of(bench *b, uint32_t x, int64_t axis, bool keep)
{
    bench_int(b, "keepdims", keep);
    if (axis == -2)
        return OP(b, "ReduceMean", x, bench_list(b, 2, E(1, 2)));
    return OP(b, "ReduceMean", x, bench_list(b, 1, &axis));
}

static uint32_t cast(bench *b, uint32_t x, bool wanted)
{
    if (!wanted)
        return x;
    bench_int(b, "to", 11); /* F64 */
    return OP(b, "Cast", x);
}

static uint32_t spell_norm(bench *b, uint32_t x, const norm_case *c)
{
    uint32_t d = x;
    if (!c->rms)
        d = OP(b, "Sub", x, mean_of(b, x, c->axis, true));
    const uint32_t source = c->miss == 1 ? OP(b, "Relu", d) : d;
    const uint32_t wide = cast(b, source, c->cast);
    const uint32_t squares =
        c->power && !c->cast ? OP(b, "Pow", wide, bench_scalar(b, 2)) : OP(b, "Mul", wide, wide);
    uint32_t v = mean_of(b, squares, c->miss == 2 ? 1 : c->axis, true);
    if (c->cast) {
        bench_int(b, "to", 1);
        v = OP(b, "Cast", v);
    }
    if (c->miss != 3)
        v = OP(b, "Add", v, bench_scalar(b, 1e-5));
    v = OP(b, "Sqrt", v);
    return c->reciprocal ? OP(b, "Mul", d, OP(b, "Reciprocal", v)) : OP(b, "Div", d, v);
}

static void norms(void)
{
    static const norm_case cases[] = {
        { false, true, false, false, true, true, true, -1, 0 },
        { false, false, false, false, true, true, true, -1, 0 },
        { false, true, false, true, true, true, true, -2, 0 },
        { false, true, true, false, true, true, true, -1, 0 },
        { false, true, false, false, true, false, true, -1, 0 },
        { false, true, false, false, false, false, true, -1, 0 },
        { true, true, false, false, true, false, true, -1, 0 },
        { true, false, false, true, true, false, true, -1, 0 },
        { true, false, true, false, false, false, true, -2, 0 },
        { true, true, false, true, true, true, true, -1, 0 },
        { false, true, false, false, true, true, true, -1, 1 },
        { false, true, false, false, true, true, true, -1, 2 },
        { false, true, false, false, true, true, true, -1, 3 },
        { true, true, false, false, true, true, true, 1, 0 }, /* not the last axis */
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        const norm_case *c = &cases[i];
        bench b;
        bench_open(&b);
        const uint32_t x = bench_input(&b, 3, E(2, 3, 8));
        uint32_t y = spell_norm(&b, x, c);
        if (c->scale)
            y = OP(&b, "Mul", bench_weight(&b, 1, E(8)), y);
        if (c->shift)
            y = OP(&b, "Add", y, bench_weight(&b, 1, E(8)));
        bench_output(&b, OP(&b, "Abs", y));
        const bool found = c->miss == 0 && c->axis != 1;
        CHECK_INT(bench_run(&b, PASS(NORMS)), found);
        CHECK_INT(bench_count(&b, c->rms ? "RMSNormalization" : "LayerNormalization"), found);
        if (found)
            CHECK_INT(b.graph.node_count, c->rms && c->shift ? 3 : 2);
        bench_close(&b);
    }
}

/* A scale that differs from row to row is no scale of a layer norm. */
static void norm_with_other_scale(void)
{
    bench b;
    bench_open(&b);
    const norm_case c = { .axis = -1, .power = true };
    const uint32_t x = bench_input(&b, 3, E(2, 3, 8));
    bench_output(&b, OP(&b, "Mul", spell_norm(&b, x, &c), bench_weight(&b, 2, E(3, 1))));
    CHECK_INT(bench_run(&b, PASS(NORMS)), 1);
    CHECK_INT(bench_count(&b, "LayerNormalization"), 1);
    CHECK_INT(bench_count(&b, "Mul"), 1);
    bench_close(&b);
}

/* ---- attention ---- */

typedef struct attention_case {
    uint32_t rank;
    int scale; /* 0: none, 1: behind the product, 2: divisor, 3: on q and on k */
    bool mask, twice;
    int miss; /* 1: probabilities are an output, 2: softmax over rows, 3: a mask per row alone,
                 4: keys that no transpose turned, 5: heads are broadcast */
} attention_case;

static uint32_t transposed(bench *b, uint32_t x, uint32_t rank, const int64_t *perm)
{
    bench_ints(b, "perm", rank, perm);
    return OP(b, "Transpose", x);
}

/* [..,rows,size]; twice: from [rows,heads,size] in two steps. */
static uint32_t turned_keys(bench *b, const attention_case *c)
{
    if (c->miss == 4)
        return bench_input(b, 4, E(2, 3, 8, 5));
    if (c->rank == 3)
        return transposed(b, bench_input(b, 3, E(6, 5, 8)), 3, E(0, 2, 1));
    if (c->twice)
        return transposed(b, bench_input(b, 4, E(2, 5, 3, 8)), 4, E(0, 2, 3, 1));
    return transposed(b, bench_input(b, 4, c->miss == 5 ? E(2, 1, 5, 8) : E(2, 3, 5, 8)), 4,
                      E(0, 1, 3, 2));
}

static void build_attention(bench *b, const attention_case *c)
{
    uint32_t q = c->rank == 3 ? bench_input(b, 3, E(6, 4, 8)) : bench_input(b, 4, E(2, 3, 4, 8));
    uint32_t k = turned_keys(b, c);
    const uint32_t v = c->rank == 3 ? bench_input(b, 3, E(6, 5, 7))
                                    : bench_input(b, 4, E(2, 3, 5, 7));
    if (c->scale == 3) {
        q = OP(b, "Mul", q, bench_scalar(b, 0.5));
        k = OP(b, "Mul", bench_scalar(b, 0.7), k);
    }
    uint32_t s = OP(b, "MatMul", q, k);
    if (c->scale == 1)
        s = OP(b, "Mul", s, bench_scalar(b, 0.35));
    if (c->scale == 2)
        s = OP(b, "Div", s, bench_scalar(b, 2.8));
    if (c->mask)
        s = OP(b, "Add", s, c->miss == 3 ? bench_weight(b, 2, E(4, 1))
                                         : bench_weight(b, 2, E(4, 5)));
    bench_int(b, "axis", c->miss == 2 ? -2 : -1);
    const uint32_t p = OP(b, "Softmax", s);
    bench_output(b, OP(b, "MatMul", p, v));
    if (c->miss == 1)
        bench_output(b, p);
}

static void attention(void)
{
    static const attention_case cases[] = {
        { 4, 0, false, false, 0 }, { 4, 1, false, false, 0 }, { 4, 2, true, false, 0 },
        { 4, 3, true, true, 0 },   { 3, 1, false, false, 0 }, { 3, 2, true, false, 0 },
        { 4, 1, false, false, 1 }, { 4, 1, false, false, 2 }, { 4, 1, true, false, 3 },
        { 4, 1, false, false, 4 }, { 4, 1, false, false, 5 },
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        bench b;
        bench_open(&b);
        build_attention(&b, &cases[i]);
        CHECK_INT(bench_run(&b, PASS(ATTENTION)), cases[i].miss == 0);
        CHECK_INT(bench_count(&b, "Attention"), cases[i].miss == 0);
        CHECK_INT(bench_count(&b, "MatMul"), cases[i].miss == 0 ? 0 : 2);
        CHECK_INT(bench_count(&b, "Transpose"), cases[i].miss != 4 && (cases[i].miss != 0 ||
                                                                     cases[i].twice));
        bench_close(&b);
    }
}

/* ---- siblings ---- */

static void products_of_one_input(void)
{
    bench b;
    bench_open(&b);
    const uint32_t x = bench_input(&b, 3, E(2, 5, 8));
    const uint32_t q = OP(&b, "MatMul", x, bench_weight(&b, 2, E(8, 6)));
    const uint32_t k = OP(&b, "MatMul", x, bench_weight(&b, 2, E(8, 3)));
    const uint32_t v = OP(&b, "MatMul", x, bench_weight(&b, 2, E(8, 6)));
    bench_output(&b, OP(&b, "Abs", OP(&b, "Add", q, bench_weight(&b, 1, E(6)))));
    bench_output(&b, k);
    bench_output(&b, OP(&b, "Abs", OP(&b, "Add", bench_weight(&b, 1, E(6)), v)));
    /* of another input, and one that an activation follows */
    bench_output(&b, OP(&b, "MatMul", bench_input(&b, 2, E(4, 8)), bench_weight(&b, 2, E(8, 2))));
    bench_output(&b, OP(&b, "Relu", OP(&b, "MatMul", x, bench_weight(&b, 2, E(8, 6)))));
    CHECK_INT(bench_run(&b, PASS(SIBLINGS)), 3);
    CHECK_INT(bench_count(&b, "MatMul"), 3);
    CHECK_INT(bench_count(&b, "Split"), 1);
    CHECK_INT(bench_count(&b, "Add"), 1);
    bench_close(&b);
}

static void gemms_and_convs_of_one_input(void)
{
    for (int turned = 0; turned < 2; turned++) {
        bench b;
        bench_open(&b);
        const uint32_t x = bench_input(&b, 2, E(5, 8));
        for (int i = 0; i < 3; i++) {
            const int64_t n = i == 0 ? 4 : 7;
            const uint32_t w = bench_weight(&b, 2, turned ? E(n, 8) : E(8, n));
            const uint32_t c = bench_weight(&b, 1, &n);
            bench_int(&b, "transB", turned);
            bench_float(&b, "alpha", i == 2 ? 0.5f : 1); /* the last one differs */
            bench_output(&b, i == 0 ? OP(&b, "Gemm", x, w) : OP(&b, "Gemm", x, w, c));
        }
        CHECK_INT(bench_run(&b, PASS(SIBLINGS)), 2);
        CHECK_INT(bench_count(&b, "Gemm"), 2);
        bench_close(&b);
    }
    bench b;
    bench_open(&b);
    const uint32_t x = bench_input(&b, 4, E(1, 8, 4, 4));
    for (int i = 0; i < 4; i++) {
        const int64_t n = 2 + i;
        const uint32_t w = bench_weight(&b, 4, E(n, 8, 1, 1));
        const uint32_t y = i == 1 ? OP(&b, "Conv", x, w, bench_weight(&b, 1, &n))
                                  : OP(&b, "Conv", x, w);
        bench_output(&b, i == 3 ? OP(&b, "Relu", y) : y);
    }
    CHECK_INT(bench_run(&b, PASS(SIBLINGS)), 3);
    CHECK_INT(bench_count(&b, "Conv"), 2);
    bench_close(&b);
}

/* ---- transposes ---- */

static void transposes_cancel(void)
{
    bench b;
    bench_open(&b);
    const uint32_t x = bench_input(&b, 4, E(2, 3, 4, 5));
    uint32_t y = transposed(&b, x, 4, E(0, 2, 3, 1));
    y = OP(&b, "Add", y, bench_weight(&b, 1, E(3))); /* one number per channel */
    y = OP(&b, "Mul", OP(&b, "Relu", y), bench_scalar(&b, 2));
    y = OP(&b, "Clip", y, bench_scalar(&b, 0.5), bench_scalar(&b, 3));
    y = transposed(&b, y, 4, E(0, 3, 1, 2));
    bench_output(&b, OP(&b, "Abs", y));
    CHECK(bench_run(&b, PASS(TRANSPOSES)) > 0);
    CHECK_INT(bench_count(&b, "Transpose"), 0);
    CHECK_INT(b.graph.node_count, 5);
    bench_close(&b);
}

static void transposes_merge(void)
{
    bench b;
    bench_open(&b);
    const uint32_t x = bench_input(&b, 3, E(3, 4, 5));
    const uint32_t y = transposed(&b, transposed(&b, x, 3, E(1, 2, 0)), 3, E(0, 2, 1));
    bench_output(&b, OP(&b, "Abs", y));
    bench_output(&b, transposed(&b, x, 3, E(2, 1, 0)));
    bench_output(&b, OP(&b, "Neg", transposed(&b, bench_input(&b, 3, E(1, 4, 5)), 3, E(1, 0, 2))));
    CHECK(bench_run(&b, PASS(TRANSPOSES)) > 0);
    CHECK_INT(bench_count(&b, "Transpose"), 2);
    CHECK_INT(bench_count(&b, "Reshape"), 1);
    bench_close(&b);
}

static void transposes_through_concat(void)
{
    bench b;
    bench_open(&b);
    const uint32_t x = bench_input(&b, 4, E(1, 3, 4, 5)), z = bench_input(&b, 4, E(1, 2, 4, 5));
    const uint32_t parts[] = { transposed(&b, x, 4, E(0, 2, 3, 1)),
                               transposed(&b, z, 4, E(0, 2, 3, 1)) };
    bench_int(&b, "axis", -1);
    const uint32_t y = bench_node(&b, "Concat", parts, 2, 1);
    bench_output(&b, OP(&b, "Abs", transposed(&b, y, 4, E(0, 3, 1, 2))));
    CHECK(bench_run(&b, PASS(TRANSPOSES)) > 0);
    CHECK_INT(bench_count(&b, "Transpose"), 0);
    bench_close(&b);
}

static void transposes_stay(void)
{
    bench b;
    bench_open(&b);
    const uint32_t x = bench_input(&b, 3, E(3, 4, 5));
    const uint32_t t = transposed(&b, x, 3, E(0, 2, 1));
    bench_output(&b, OP(&b, "Relu", t)); /* read twice */
    bench_output(&b, OP(&b, "Add", t, bench_weight(&b, 3, E(3, 5, 4))));
    CHECK_INT(bench_run(&b, PASS(TRANSPOSES)), 0);
    bench_close(&b);
}

/* ---- tidy ---- */

static void nothing_is_dropped(void)
{
    bench b;
    bench_open(&b);
    const uint32_t x = bench_input(&b, 4, E(1, 3, 4, 5));
    uint32_t y = OP(&b, "Identity", x);
    y = OP(&b, "Abs", y);
    y = OP(&b, "Dropout", y);
    y = OP(&b, "Reshape", y, bench_list(&b, 4, E(0, 3, -1, 5)));
    y = OP(&b, "Slice", y, bench_list(&b, 1, E(0)), bench_list(&b, 1, E(9)),
           bench_list(&b, 1, E(2)));
    bench_int(&b, "axis", 0);
    y = OP(&b, "Concat", y);
    bench_int(&b, "to", 1);
    y = OP(&b, "Cast", y);
    y = OP(&b, "Pad", y, bench_list(&b, 8, E(0, 0, 0, 0, 0, 0, 0, 0)));
    y = OP(&b, "Mul", y, bench_scalar(&b, 1));
    y = OP(&b, "Add", bench_scalar(&b, 0), y);
    y = OP(&b, "Resize", y, HET__NO_VALUE, HET__NO_VALUE, bench_list(&b, 4, E(1, 3, 4, 5)));
    y = OP(&b, "Expand", y, bench_list(&b, 1, E(1)));
    bench_output(&b, OP(&b, "Neg", y));
    CHECK(bench_run(&b, PASS(TIDY)) >= 10);
    CHECK_INT(b.graph.node_count, 2);
    bench_close(&b);
}

static void what_does_something_stays(void)
{
    bench b;
    bench_open(&b);
    const uint32_t x = bench_input(&b, 2, E(4, 5));
    const uint32_t back = OP(&b, "Slice", x, bench_list(&b, 1, E(-1)), bench_list(&b, 1, E(-9)),
                             bench_list(&b, 1, E(0)), bench_list(&b, 1, E(-1)));
    bench_output(&b, back);
    bench_output(&b, OP(&b, "Pad", x, bench_list(&b, 4, E(1, 0, -1, 0)))); /* moved by one */
    bench_output(&b, OP(&b, "Identity", x)); /* an input cannot be an output */
    bench_output(&b, OP(&b, "Add", x, bench_weight(&b, 3, E(1, 1, 1))));
    CHECK_INT(bench_run(&b, PASS(TIDY)), 0);
    CHECK_INT(b.graph.node_count, 4);
    bench_close(&b);
}

static void views_merge(void)
{
    bench b;
    bench_open(&b);
    const uint32_t x = bench_input(&b, 3, E(2, 3, 4));
    uint32_t y = OP(&b, "Unsqueeze", x, bench_list(&b, 1, E(1)));
    y = OP(&b, "Reshape", y, bench_list(&b, 2, E(6, 4)));
    y = OP(&b, "Flatten", y);
    y = OP(&b, "Reshape", y, bench_list(&b, 1, E(-1)));
    bench_output(&b, OP(&b, "Neg", y));
    uint32_t z = OP(&b, "Squeeze", OP(&b, "Unsqueeze", x, bench_list(&b, 1, E(0))),
                    bench_list(&b, 1, E(0)));
    bench_output(&b, OP(&b, "Abs", z));
    CHECK(bench_run(&b, PASS(TIDY)) > 0);
    CHECK_INT(b.graph.node_count, 3);
    bench_close(&b);
}

static void twins_become_one(void)
{
    bench b;
    bench_open(&b);
    const uint32_t x = bench_input(&b, 2, E(4, 6));
    uint32_t made[4];
    for (int i = 0; i < 4; i++) { /* lists of equal contents, then another attribute */
        const uint32_t e = OP(&b, "Exp", x);
        bench_int(&b, "keepdims", i < 3);
        made[i] = OP(&b, "ReduceMean", e, bench_list(&b, 1, E(1)));
    }
    bench_output(&b, OP(&b, "Add", made[0], made[1]));
    bench_output(&b, made[2]);
    bench_output(&b, made[3]);
    const uint32_t *halves = IN(bench_node(&b, "Split", IN(x, bench_list(&b, 2, E(1, 3))), 2, 2));
    const uint32_t *other = IN(bench_node(&b, "Split", IN(x, bench_list(&b, 2, E(1, 3))), 2, 2));
    bench_output(&b, halves[0]);
    bench_output(&b, other[0] + 1);
    CHECK(bench_run(&b, PASS(TIDY)) > 0);
    CHECK_INT(bench_count(&b, "Exp"), 1);
    CHECK_INT(bench_count(&b, "ReduceMean"), 2);
    CHECK_INT(bench_count(&b, "Split"), 1);
    bench_close(&b);
}

/* ---- together ---- */

/* A block of a vision transformer, as exporters write it: all passes at once. */
static void transformer_block(void)
{
    bench b;
    bench_open(&b);
    const norm_case layer = { .power = true, .axis = -1 };
    const uint32_t x = bench_input(&b, 3, E(1, 5, 8));
    uint32_t n = OP(&b, "Mul", spell_norm(&b, x, &layer), bench_weight(&b, 1, E(8)));
    n = OP(&b, "Add", n, bench_weight(&b, 1, E(8)));
    uint32_t heads[3];
    for (int i = 0; i < 3; i++) {
        uint32_t y = OP(&b, "MatMul", n, bench_weight(&b, 2, E(8, 8)));
        y = OP(&b, "Add", bench_weight(&b, 1, E(8)), y);
        y = OP(&b, "Reshape", y, bench_list(&b, 4, E(1, 5, 2, 4)));
        heads[i] = transposed(&b, y, 4, i == 1 ? E(0, 2, 3, 1) : E(0, 2, 1, 3));
    }
    uint32_t s = OP(&b, "Div", OP(&b, "MatMul", heads[0], heads[1]), bench_scalar(&b, 2));
    bench_int(&b, "axis", -1);
    s = OP(&b, "MatMul", OP(&b, "Softmax", s), heads[2]);
    s = OP(&b, "Reshape", transposed(&b, s, 4, E(0, 2, 1, 3)), bench_list(&b, 3, E(1, 5, 8)));
    s = OP(&b, "Add", OP(&b, "MatMul", s, bench_weight(&b, 2, E(8, 8))), x);
    uint32_t f = gelu_erf(&b, OP(&b, "MatMul", s, bench_weight(&b, 2, E(8, 16))));
    bench_output(&b, OP(&b, "Add", OP(&b, "MatMul", f, bench_weight(&b, 2, E(16, 8))), s));
    const uint32_t mask = PASS(TIDY) | PASS(ACTIVATIONS) | PASS(NORMS) | PASS(ATTENTION) |
                          PASS(TRANSPOSES) | PASS(FOLD) | PASS(SIBLINGS);
    CHECK(bench_run(&b, mask) > 0);
    CHECK_INT(bench_count(&b, "LayerNormalization"), 1);
    CHECK_INT(bench_count(&b, "Attention"), 1);
    CHECK_INT(bench_count(&b, "Gelu"), 1);
    CHECK_INT(bench_count(&b, "MatMul"), 4);
    CHECK_INT(bench_count(&b, "Split"), 1);
    bench_close(&b);
}

int main(void)
{
    test_case(conv_takes_what_is_linear);
    test_case(transposed_conv_takes_a_norm);
    test_case(products_take_what_is_linear);
    test_case(products_leave_what_is_not);
    test_case(conv_leaves_what_is_not);
    test_case(windows_take_zero_padding);
    test_case(activations);
    test_case(norms);
    test_case(norm_with_other_scale);
    test_case(attention);
    test_case(products_of_one_input);
    test_case(gemms_and_convs_of_one_input);
    test_case(transposes_cancel);
    test_case(transposes_merge);
    test_case(transposes_through_concat);
    test_case(transposes_stay);
    test_case(nothing_is_dropped);
    test_case(what_does_something_stays);
    test_case(views_merge);
    test_case(twins_become_one);
    test_case(transformer_block);
    return test_finish();
}
