/* SPDX-License-Identifier: Apache-2.0 */
/* Operations of language models but attention: every type of weight, rows with tails, one token and
 * many, optional inputs there and not. */
#include "cts.h"

#define COUNT(list) (sizeof(list) / sizeof((list)[0]))

static const int64_t few[] = { 1, 2, 7, 33 }, many[] = { 1, 3, 8, 33, 150 };

/* Whole blocks of every type, and columns that no vector width divides. */
static int64_t row_of(het_dtype type, int64_t about)
{
    const bool is_k = type >= HET_DTYPE_Q2_K && type <= HET_DTYPE_Q8_K;
    const int64_t block = is_k || type == HET_DTYPE_IQ4_XS ? 256 : (int)type >= 32 ? 32 : 1;
    return (about + block - 1) / block * block;
}

static bool indices(const cts_case *c, uint32_t step, uint32_t value, void *data, size_t bytes)
{
    const het__value *v = &c->graph.values[value];
    const int64_t tokens = c->steps[step].symbols[HET__SYM_TOKENS];
    int32_t *x = data;
    if (v->dtype != HET_DTYPE_I32)
        return false;
    for (int64_t i = 0; i < (int64_t)(bytes / sizeof *x); i++)
        x[i] = strcmp(v->name, "rows") == 0  ? (int32_t)(tokens - 1 - i % tokens)
               : strcmp(v->name, "ids") == 0 ? (int32_t)(i % 5 == 4 ? 100000 : i * 7 % 29)
                                             : (int32_t)(*(const int32_t *)c->user + i);
    return true;
}

/* ---- products ---- */

static void linear(het_dtype type, int64_t k, int64_t n, uint32_t projections, bool bias,
                   bool residual, bool fast)
{
    cts_case *c = cts_begin("linear", "%s, %d x %d, %u projections%s%s%s", het_dtype_name(type),
                            (int)n, (int)k, projections, bias ? ", bias" : "",
                            residual ? ", residual" : "", fast ? ", fast" : "");
    uint32_t in[2 + 2 * 3];
    if (!c)
        return;
    c->is_fast = fast;
    c->tolerance = cts_tolerance(HET__OP_LINEAR, k, type, fast);
    in[0] = cts_matrix(c, "x", k);
    in[1] = residual ? cts_matrix(c, "residual", n) : HET__NO_VALUE;
    for (uint32_t p = 0; p < projections; p++) {
        const int64_t extent[2] = { p == 2 ? 3 : n + 24 * p, k };
        in[2 + 2 * p] = cts_weight(c, type, 2, extent);
        in[3 + 2 * p] = bias && p != 1 ? cts_vector(c, extent[0], 0) : HET__NO_VALUE;
    }
    const het__attrs attrs = { .linear = { (int32_t)projections, residual } };
    cts_node(c, HET__OP_LINEAR, in, 2 + 2 * projections, &attrs);
    cts_tokens(c, COUNT(many), many);
    cts_check(c);
}

static void gated(het_dtype type, int64_t k, int64_t n, het__unary act, bool fast)
{
    cts_case *c = cts_begin("gated", "%s, %d x %d, %s%s", het_dtype_name(type), (int)n, (int)k,
                            het__unary_name(act), fast ? ", fast" : "");
    if (!c)
        return;
    c->is_fast = fast;
    c->tolerance = cts_tolerance(HET__OP_GATED, k, type, fast);
    const int64_t extent[2] = { n, k };
    const uint32_t in[3] = { cts_matrix(c, "x", k), cts_weight(c, type, 2, extent),
                             cts_weight(c, type, 2, extent) };
    const het__attrs attrs = { .gated = { act } };
    c->magnitude = 1;
    cts_node(c, HET__OP_GATED, in, 3, &attrs);
    cts_tokens(c, COUNT(many), many);
    cts_check(c);
}

static void moe(het_dtype type, int64_t k, int64_t n, int32_t used, het__router router,
                het__unary act, bool fast)
{
    enum { EXPERTS = 5 };
    cts_case *c = cts_begin("moe", "%s, %d x %d, %d of %d, router %d%s", het_dtype_name(type),
                            (int)n, (int)k, (int)used, EXPERTS, (int)router,
                            fast ? ", fast" : "");
    if (!c)
        return;
    c->is_fast = fast;
    c->tolerance = cts_tolerance(HET__OP_MOE, k + n, type, fast);
    const int64_t in_extent[3] = { EXPERTS, n, k }, out_extent[3] = { EXPERTS, k, n };
    const uint32_t in[5] = { cts_matrix(c, "x", k), cts_matrix(c, "scores", EXPERTS),
                             cts_weight(c, type, 3, in_extent), cts_weight(c, type, 3, in_extent),
                             cts_weight(c, type, 3, out_extent) };
    const het__attrs attrs = { .moe = { used, router, true, 1.5f, 0.01f, act } };
    cts_node(c, HET__OP_MOE, in, 5, &attrs);
    cts_tokens(c, COUNT(few), few);
    cts_check(c);
}

static void products(void)
{
    for (const het_dtype *t = cts_weight_types; *t != HET_DTYPE_NONE; t++)
        for (int fast = 0; fast < 2; fast++) {
            linear(*t, row_of(*t, 96), 50, 1, true, true, fast);
            linear(*t, row_of(*t, 71), 37, 3, true, false, fast);
            gated(*t, row_of(*t, 160), 77, HET__UNARY_SILU, fast);
            moe(*t, row_of(*t, 96), row_of(*t, 160), 2, HET__ROUTER_SOFTMAX, HET__UNARY_SILU, fast);
        }
    linear(HET_DTYPE_F32, 512, 300, 1, false, false, false);
    linear(HET_DTYPE_F32, 1, 1, 1, false, false, false);
    linear(HET_DTYPE_Q4_0, 1024, 513, 2, false, false, false);
    gated(HET_DTYPE_F32, 33, 20, HET__UNARY_GELU_TANH, false);
    gated(HET_DTYPE_F16, 64, 129, HET__UNARY_GELU_ERF, false);
    gated(HET_DTYPE_Q8_0, 64, 65, HET__UNARY_RELU, false);
    moe(HET_DTYPE_F32, 45, 70, 2, HET__ROUTER_SPARSE_MIXER, HET__UNARY_SILU, false);
    moe(HET_DTYPE_BF16, 64, 77, 1, HET__ROUTER_SIGMOID, HET__UNARY_RELU, false);
    moe(HET_DTYPE_Q8_0, 64, 96, 5, HET__ROUTER_SOFTMAX, HET__UNARY_GELU_TANH, false);
}

/* ---- rows ---- */

static void norm(het__norm_kind kind, int64_t columns, int64_t group, bool weight, bool bias)
{
    cts_case *c = cts_begin("norm", "%s, %d of %d%s%s", kind == HET__NORM_RMS ? "rms" : "layer",
                            (int)group, (int)columns, weight ? ", weight" : "",
                            bias ? ", bias" : "");
    if (!c)
        return;
    c->tolerance = cts_tolerance(HET__OP_NORM, group, HET_DTYPE_NONE, false);
    const uint32_t in[3] = { cts_matrix(c, "x", columns),
                             weight ? cts_vector(c, group, 1) : HET__NO_VALUE,
                             bias ? cts_vector(c, group, 0) : HET__NO_VALUE };
    const het__attrs attrs = { .norm = { kind, 1e-5f, (int32_t)group } };
    cts_node(c, HET__OP_NORM, in, 3, &attrs);
    cts_tokens(c, COUNT(few), few);
    cts_check(c);
}

static void binary(het__op op, int64_t columns, bool row)
{
    cts_case *c = cts_begin(het__op_info_of(op)->name, "%d columns%s", (int)columns,
                            row ? ", a row" : "");
    if (!c)
        return;
    c->tolerance = cts_tolerance(op, 1, HET_DTYPE_NONE, false);
    const uint32_t in[2] = { cts_matrix(c, "a", columns),
                             row ? cts_vector(c, columns, 0) : cts_matrix(c, "b", columns) };
    cts_node(c, op, in, 2, NULL);
    cts_tokens(c, COUNT(few), few);
    cts_check(c);
}

static void unary(het__unary kind, float alpha, int64_t columns, float scale)
{
    cts_case *c = cts_begin("unary", "%s, %d columns, to %g", het__unary_name(kind), (int)columns,
                            (double)(2 * scale));
    if (!c)
        return;
    c->tolerance = cts_tolerance(HET__OP_UNARY, 1, HET_DTYPE_NONE, false);
    c->magnitude = c->scale = scale; /* near -x a gate of x leaves the rounding of x */
    const uint32_t x = cts_matrix(c, "x", columns);
    const het__attrs attrs = { .unary = { kind, alpha } };
    cts_node(c, HET__OP_UNARY, &x, 1, &attrs);
    cts_tokens(c, COUNT(few), few);
    cts_check(c);
}

static void softmax(int64_t columns, float scale)
{
    cts_case *c = cts_begin("softmax", "%d columns, to %g", (int)columns, (double)(2 * scale));
    if (!c)
        return;
    c->tolerance = cts_tolerance(HET__OP_SOFTMAX, columns, HET_DTYPE_NONE, false);
    c->scale = scale;
    const uint32_t x = cts_matrix(c, "x", columns);
    cts_node(c, HET__OP_SOFTMAX, &x, 1, NULL);
    cts_tokens(c, COUNT(few), few);
    cts_check(c);
}

static void rope(int64_t heads, const het__rope_attrs *turn, bool factors, int32_t past)
{
    cts_case *c = cts_begin("rope", "%d heads of %d, %d turn%s, from %d%s", (int)heads,
                            turn->head_size, turn->rotated, turn->interleaved ? " in pairs" : "",
                            past, factors ? ", factors" : "");
    if (!c)
        return;
    int32_t *first = cts_bytes(c, sizeof *first);
    *first = past;
    c->user = first;
    c->fill = indices;
    c->tolerance = cts_tolerance(HET__OP_ROPE, 1, HET_DTYPE_NONE, false);
    const uint32_t in[3] = { cts_matrix(c, "x", heads * turn->head_size),
                             cts_index(c, "positions", HET__SYM_TOKENS, 0),
                             factors ? cts_vector(c, turn->rotated / 2, 1.5f) : HET__NO_VALUE };
    const het__attrs attrs = { .rope = *turn };
    cts_node(c, HET__OP_ROPE, in, 3, &attrs);
    cts_tokens(c, COUNT(few), few);
    cts_check(c);
}

static void embed(het_dtype type, int64_t columns, float scale)
{
    cts_case *c = cts_begin("embed", "%s, %d columns", het_dtype_name(type), (int)columns);
    if (!c)
        return;
    c->fill = indices;
    c->tolerance = cts_tolerance(HET__OP_EMBED, 1, type, false);
    const int64_t extent[2] = { 29, columns };
    const uint32_t in[2] = { cts_weight(c, type, 2, extent),
                             cts_index(c, "ids", HET__SYM_TOKENS, 0) };
    const het__attrs attrs = { .embed = { scale } };
    cts_node(c, HET__OP_EMBED, in, 2, &attrs);
    cts_tokens(c, COUNT(few), few);
    cts_check(c);
}

static void rows(int64_t columns)
{
    cts_case *c = cts_begin("rows", "%d columns", (int)columns);
    if (!c)
        return;
    c->fill = indices;
    const uint32_t in[2] = { cts_matrix(c, "x", columns), cts_index(c, "rows", HET__SYM_ROWS, 0) };
    cts_node(c, HET__OP_ROWS, in, 2, NULL);
    cts_tokens(c, COUNT(few), few);
    cts_check(c);
}

static void columns_of(int64_t columns, int64_t first, int64_t count)
{
    cts_case *c = cts_begin("columns", "%d from %d of %d", (int)count, (int)first, (int)columns);
    if (!c)
        return;
    const uint32_t x = cts_matrix(c, "x", columns);
    const het__attrs attrs = { .columns = { first, count } };
    cts_node(c, HET__OP_COLUMNS, &x, 1, &attrs);
    cts_tokens(c, COUNT(few), few);
    cts_check(c);
}

static void join(int64_t first, int64_t second, int32_t parts)
{
    cts_case *c = cts_begin("join", "%d and %d columns, %d parts", (int)first, (int)second, parts);
    uint32_t in[8];
    if (!c)
        return;
    for (int32_t i = 0; i < parts; i++)
        in[i] = cts_matrix(c, "x", i % 2 ? second : first);
    cts_node(c, HET__OP_JOIN, in, (uint32_t)parts, NULL);
    cts_tokens(c, COUNT(few), few);
    cts_check(c);
}

static void small_rows(void)
{
    static const int64_t widths[] = { 1, 61, 96, 1000, 4099 };
    for (size_t i = 0; i < COUNT(widths); i++) {
        binary(HET__OP_ADD, widths[i], false);
        binary(HET__OP_ADD, widths[i], true);
        binary(HET__OP_MUL, widths[i], false);
        binary(HET__OP_MUL, widths[i], true);
        softmax(widths[i], 1);
        softmax(widths[i], 40);
        norm(HET__NORM_RMS, widths[i], widths[i], true, false);
        norm(HET__NORM_LAYER, widths[i] + 1, widths[i] + 1, true, true);
        rows(widths[i]);
        columns_of(widths[i], widths[i] / 3, widths[i] - widths[i] / 3);
        for (int k = HET__UNARY_SILU; k <= HET__UNARY_SOFTCAP; k++)
            unary((het__unary)k, k >= HET__UNARY_SCALE ? 1.5f : 0, widths[i], 3);
    }
    join(1, 61, 2);
    join(96, 32, 2);
    join(1000, 24, 3);
    join(5, 7, 8);
    unary(HET__UNARY_SILU, 0, 67, 60);
    unary(HET__UNARY_GELU_TANH, 0, 67, 60);
    norm(HET__NORM_RMS, 96, 24, true, false);
    norm(HET__NORM_RMS, 96, 96, false, false);
    norm(HET__NORM_LAYER, 67, 67, true, false);
    for (const het_dtype *t = cts_weight_types; *t != HET_DTYPE_NONE; t++)
        embed(*t, row_of(*t, 51), *t == HET_DTYPE_F32 ? 3.0f : 1.0f);
    rope(3, &(het__rope_attrs){ 24, 24, false, 1e4f, 1, 1 }, false, 0);
    rope(3, &(het__rope_attrs){ 64, 64, true, 1e4f, 1, 1 }, false, 9000);
    rope(2, &(het__rope_attrs){ 40, 16, true, 5e5f, 0.25f, 1.2f }, true, 31);
    rope(5, &(het__rope_attrs){ 13, 12, false, 1e6f, 1, 1 }, false, 100);
}

/* ---- streams ---- */

static void streams(int64_t width, int32_t ways)
{
    cts_case *c = cts_begin("predict", "%d streams of %d", ways, (int)width);
    uint32_t in[8];
    if (c) {
        c->tolerance = cts_tolerance(HET__OP_PREDICT, ways, HET_DTYPE_NONE, false);
        in[0] = cts_matrix(c, "c", (int64_t)ways * ways);
        for (int32_t i = 0; i < ways; i++)
            in[1 + i] = cts_matrix(c, "h", width);
        cts_node(c, HET__OP_PREDICT, in, 1 + (uint32_t)ways, NULL);
        cts_tokens(c, COUNT(few), few);
        cts_check(c);
    }
    c = cts_begin("correct", "%d streams of %d", ways, (int)width);
    if (c) {
        c->tolerance = cts_tolerance(HET__OP_CORRECT, 1, HET_DTYPE_NONE, false);
        in[0] = cts_matrix(c, "c", ways);
        in[1] = cts_matrix(c, "y", width);
        for (int32_t i = 0; i < ways; i++)
            in[2 + i] = cts_matrix(c, "p", width);
        const het__attrs attrs = { .correct = { ways - 1 } };
        cts_node(c, HET__OP_CORRECT, in, 2 + (uint32_t)ways, &attrs);
        cts_tokens(c, COUNT(few), few);
        cts_check(c);
    }
}

static void cut_and_match(int64_t width)
{
    cts_case *c = cts_begin("cut", "%d columns", (int)width);
    if (c) {
        c->tolerance = cts_tolerance(HET__OP_CUT, width, HET_DTYPE_NONE, false);
        const uint32_t x = cts_matrix(c, "x", width);
        cts_node(c, HET__OP_CUT, &x, 1, &(het__attrs){ .cut = { 0.5f } });
        cts_tokens(c, COUNT(few), few);
        cts_check(c);
    }
    c = cts_begin("match", "%d columns", (int)width);
    if (c) {
        c->tolerance = cts_tolerance(HET__OP_MATCH, width, HET_DTYPE_NONE, false);
        const uint32_t in[2] = { cts_matrix(c, "x", width), cts_matrix(c, "like", width) };
        cts_node(c, HET__OP_MATCH, in, 2, &(het__attrs){ .match = { 1e-5f } });
        cts_tokens(c, COUNT(few), few);
        cts_check(c);
    }
}

/* A block of a model in one program: every operation reads what one before it wrote. */
static void chain(void)
{
    const int64_t width = 67, inner = 130, up[2] = { inner, width }, down[2] = { width, inner };
    cts_case *c = cts_begin("chain", "norm, gated, linear, add");
    if (!c)
        return;
    c->tolerance = cts_tolerance(HET__OP_GATED, inner, HET_DTYPE_NONE, false);
    const uint32_t x = cts_matrix(c, "x", width);
    const uint32_t norm_in[2] = { x, cts_vector(c, width, 1) };
    uint32_t at = cts_node(c, HET__OP_NORM, norm_in, 2,
                           &(het__attrs){ .norm = { HET__NORM_RMS, 1e-5f, (int32_t)width } });
    const uint32_t gated_in[3] = { at, cts_weight(c, HET_DTYPE_F32, 2, up),
                                   cts_weight(c, HET_DTYPE_F32, 2, up) };
    at = cts_node(c, HET__OP_GATED, gated_in, 3, &(het__attrs){ .gated = { HET__UNARY_SILU } });
    const uint32_t linear_in[4] = { at, x, cts_weight(c, HET_DTYPE_F32, 2, down), HET__NO_VALUE };
    at = cts_node(c, HET__OP_LINEAR, linear_in, 4, &(het__attrs){ .linear = { 1, true } });
    const uint32_t add_in[2] = { at, x };
    cts_node(c, HET__OP_ADD, add_in, 2, NULL);
    cts_tokens(c, COUNT(many), many);
    cts_check(c);
}

void cts_language(void)
{
    products();
    small_rows();
    streams(71, 3);
    streams(256, 4);
    cut_and_match(1);
    cut_and_match(67);
    cut_and_match(2048);
    chain();
}
