/* SPDX-License-Identifier: Apache-2.0 */
/* What the op table accepts, refuses (each refusal with its sentence), and counts. */
#include "lib/ir/graph.h"
#include "test.h"

typedef struct operand {
    het__value_kind kind;
    het_dtype dtype; /* HET_DTYPE_NONE: absent */
    uint32_t rank;
    het__extent extent[4];
} operand;

typedef struct rule_case {
    const char *sentence; /* what the message contains; NULL: accepted */
    het__op op;
    het__attrs attrs;
    uint32_t input_count;
    operand inputs[HET__ATTN_INPUT_COUNT];
} rule_case;

#define N(count) { count, HET__SYM_ONE }
#define S(name) { 1, HET__SYM_##name }
#define X(...) { HET__VALUE_INPUT, HET_DTYPE_F32, 2, { S(TOKENS), __VA_ARGS__ } }
#define IDS(name) { HET__VALUE_INPUT, HET_DTYPE_I32, 1, { S(name) } }
#define IDS4 { HET__VALUE_INPUT, HET_DTYPE_I32, 2, { S(SEQUENCES), N(4) } }
#define W(rows, columns) { HET__VALUE_CONST, HET_DTYPE_F32, 2, { N(rows), N(columns) } }
#define V(count) { HET__VALUE_CONST, HET_DTYPE_F32, 1, { N(count) } }
#define NONE { .dtype = HET_DTYPE_NONE }
#define KV(dtype, heads, page, size) \
    { HET__VALUE_STATE, HET_DTYPE_##dtype, 4, { S(STATE_PAGES), N(heads), N(page), N(size) } }
#define STACK(matrices, rows, columns) \
    { HET__VALUE_CONST, HET_DTYPE_F32, 3, { N(matrices), N(rows), N(columns) } }
#define MOE(used, router) \
    { .moe = { used, HET__ROUTER_##router, false, 1, 0.01f, HET__UNARY_SILU } }
#define MOE_WEIGHTS(e, f, d) STACK(e, f, d), STACK(e, f, d), STACK(e, d, f)
#define STEP IDS(TOKENS), IDS(TOKENS), IDS4, IDS(PAGES)

static const rule_case cases[] = {
    { NULL, HET__OP_EMBED, { .embed = { 1 } }, 2, { W(9, 4), IDS(TOKENS) } },
    { "the table is not a matrix", HET__OP_EMBED, { .embed = { 1 } }, 2, { V(9), IDS(TOKENS) } },
    { "the ids are not a vector of I32", HET__OP_EMBED, { .embed = { 1 } }, 2, { W(9, 4), V(3) } },
    { "takes 2 to 2 inputs, not 1", HET__OP_EMBED, { .embed = { 1 } }, 1, { W(9, 4) } },
    { "unknown operation", HET__OP_COUNT, { .embed = { 1 } }, 1, { V(3) } },
    { "unknown operation", HET__OP_NONE, { .embed = { 1 } }, 1, { V(3) } },

    { NULL, HET__OP_NORM, { .norm = { HET__NORM_RMS, 0, 4 } }, 2, { X(N(8)), V(4) } },
    { NULL, HET__OP_NORM, { .norm = { HET__NORM_LAYER, 0, 8 } }, 3, { X(N(8)), V(8), V(8) } },
    { "the input is not a matrix", HET__OP_NORM, { .norm = { HET__NORM_RMS, 0, 8 } }, 2,
      { V(8), V(8) } },
    { "the group does not divide the row", HET__OP_NORM, { .norm = { HET__NORM_RMS, 0, 3 } }, 2,
      { X(N(8)), V(3) } },
    { "the group does not divide the row", HET__OP_NORM, { .norm = { HET__NORM_RMS, 0, 0 } }, 2,
      { X(N(8)), V(8) } },
    { "the weight does not have one element", HET__OP_NORM, { .norm = { HET__NORM_RMS, 0, 4 } }, 2,
      { X(N(8)), V(8) } },
    { "the bias does not have one element", HET__OP_NORM, { .norm = { HET__NORM_LAYER, 0, 8 } }, 3,
      { X(N(8)), V(8), V(4) } },

    { NULL, HET__OP_LINEAR, { .linear = { 1, true } }, 4, { X(N(8)), X(N(5)), W(5, 8), V(5) } },
    { NULL, HET__OP_LINEAR, { .linear = { 2, false } }, 6,
      { X(N(8)), NONE, W(5, 8), NONE, W(3, 8), V(3) } },
    { "the input is not a matrix", HET__OP_LINEAR, { .linear = { 1, false } }, 4,
      { V(8), NONE, W(5, 8), NONE } },
    { "the number of weights", HET__OP_LINEAR, { .linear = { 2, false } }, 4,
      { X(N(8)), NONE, W(5, 8), NONE } },
    { "the number of weights", HET__OP_LINEAR, { .linear = { 0, false } }, 4,
      { X(N(8)), NONE, W(5, 8), NONE } },
    { "a residual goes with one projection", HET__OP_LINEAR, { .linear = { 1, false } }, 4,
      { X(N(8)), X(N(5)), W(5, 8), NONE } },
    { "a residual goes with one projection", HET__OP_LINEAR, { .linear = { 1, true } }, 4,
      { X(N(8)), NONE, W(5, 8), NONE } },
    { "a residual goes with one projection", HET__OP_LINEAR, { .linear = { 2, true } }, 6,
      { X(N(8)), X(N(5)), W(5, 8), NONE, W(5, 8), NONE } },
    { "the columns of a weight", HET__OP_LINEAR, { .linear = { 1, false } }, 4,
      { X(N(8)), NONE, W(5, 7), NONE } },
    { "a bias does not have one element", HET__OP_LINEAR, { .linear = { 1, false } }, 4,
      { X(N(8)), NONE, W(5, 8), V(8) } },
    { "the residual does not have the shape", HET__OP_LINEAR, { .linear = { 1, true } }, 4,
      { X(N(8)), X(N(8)), W(5, 8), NONE } },

    { NULL, HET__OP_GATED, { .gated = { HET__UNARY_SILU } }, 3, { X(N(8)), W(5, 8), W(5, 8) } },
    { "an input is not a matrix", HET__OP_GATED, { .gated = { HET__UNARY_SILU } }, 3,
      { X(N(8)), W(5, 8), V(8) } },
    { "do not fit each other", HET__OP_GATED, { .gated = { HET__UNARY_SILU } }, 3,
      { X(N(8)), W(5, 8), W(6, 8) } },
    { "do not fit each other", HET__OP_GATED, { .gated = { HET__UNARY_SILU } }, 3,
      { X(N(8)), W(5, 7), W(5, 7) } },
    { "the activation is unknown", HET__OP_GATED, { .gated = { HET__UNARY_NONE } }, 3,
      { X(N(8)), W(5, 8), W(5, 8) } },

    { NULL, HET__OP_ROPE, { .rope = { 4, 4, false, 1e4f, 1, 1 } }, 3,
      { X(N(8)), IDS(TOKENS), V(2) } },
    { NULL, HET__OP_ROPE, { .rope = { 4, 0, false, 0, 1, 1 } }, 2, { X(N(8)), IDS(TOKENS) } },
    { "not an even part of a head", HET__OP_ROPE, { .rope = { 4, 3, false, 1e4f, 1, 1 } }, 2,
      { X(N(8)), IDS(TOKENS) } },
    { "not an even part of a head", HET__OP_ROPE, { .rope = { 4, 6, false, 1e4f, 1, 1 } }, 2,
      { X(N(8)), IDS(TOKENS) } },
    { "theta is not positive", HET__OP_ROPE, { .rope = { 4, 4, false, 0, 1, 1 } }, 2,
      { X(N(8)), IDS(TOKENS) } },
    { "the row is not a number of heads", HET__OP_ROPE, { .rope = { 4, 4, false, 1e4f, 1, 1 } }, 2,
      { X(N(6)), IDS(TOKENS) } },
    { "one I32 position per row", HET__OP_ROPE, { .rope = { 4, 4, false, 1e4f, 1, 1 } }, 2,
      { X(N(8)), IDS(ROWS) } },
    { "one factor per rotated pair", HET__OP_ROPE, { .rope = { 4, 4, false, 1e4f, 1, 1 } }, 3,
      { X(N(8)), IDS(TOKENS), V(4) } },

    { NULL, HET__OP_ATTENTION, { .attention = { 4, 2, 3, 8, .scale = 1 } }, 12,
      { X(N(12)), X(N(6)), X(N(6)), KV(F16, 2, 8, 3), KV(F16, 2, 8, 3), STEP, V(3), V(3), NONE } },
    { "the heads are not a multiple", HET__OP_ATTENTION,
      { .attention = { 3, 2, 3, 8, .scale = 1 } }, 12,
      { X(N(9)), X(N(6)), X(N(6)), KV(F16, 2, 8, 3), KV(F16, 2, 8, 3), STEP, NONE, NONE, NONE } },
    { "the fused rotation", HET__OP_ATTENTION,
      { .attention = { 4, 2, 3, 8, .rope = { 4, 4, false, 1e4f, 1, 1 } } }, 12,
      { X(N(12)), X(N(6)), X(N(6)), KV(F16, 2, 8, 3), KV(F16, 2, 8, 3), STEP, NONE, NONE, NONE } },
    { "the queries", HET__OP_ATTENTION, { .attention = { 4, 2, 3, 8, .scale = 1 } }, 12,
      { X(N(9)), X(N(6)), X(N(6)), KV(F16, 2, 8, 3), KV(F16, 2, 8, 3), STEP, NONE, NONE, NONE } },
    { "keys or values", HET__OP_ATTENTION, { .attention = { 4, 2, 3, 8, .scale = 1 } }, 12,
      { X(N(12)), X(N(6)), X(N(12)), KV(F16, 2, 8, 3), KV(F16, 2, 8, 3), STEP, NONE, NONE, NONE } },
    { "a state is not", HET__OP_ATTENTION, { .attention = { 4, 2, 3, 8, .scale = 1 } }, 12,
      { X(N(12)), X(N(6)), X(N(6)), KV(F16, 2, 8, 3), KV(F16, 2, 4, 3), STEP, NONE, NONE, NONE } },
    { "a state is not", HET__OP_ATTENTION, { .attention = { 4, 2, 3, 8, .scale = 1 } }, 12,
      { X(N(12)), X(N(6)), X(N(6)), KV(BF16, 2, 8, 3), KV(BF16, 2, 8, 3), STEP, NONE, NONE,
        NONE } },
    { "the two states differ", HET__OP_ATTENTION, { .attention = { 4, 2, 3, 8, .scale = 1 } }, 12,
      { X(N(12)), X(N(6)), X(N(6)), KV(F16, 2, 8, 3), KV(F32, 2, 8, 3), STEP, NONE, NONE, NONE } },
    { "I32 of the right rank", HET__OP_ATTENTION, { .attention = { 4, 2, 3, 8, .scale = 1 } }, 12,
      { X(N(12)), X(N(6)), X(N(6)), KV(F16, 2, 8, 3), KV(F16, 2, 8, 3), IDS(TOKENS), IDS(TOKENS),
        IDS4, V(3), NONE, NONE, NONE } },
    { "one factor per rotated pair", HET__OP_ATTENTION,
      { .attention = { 4, 2, 4, 8, .rope = { 4, 4, false, 1e4f, 1, 1 } } }, 12,
      { X(N(16)), X(N(8)), X(N(8)), KV(F16, 2, 8, 4), KV(F16, 2, 8, 4), STEP, NONE, NONE, V(4) } },
    { "a head norm", HET__OP_ATTENTION, { .attention = { 4, 2, 3, 8, .scale = 1 } }, 12,
      { X(N(12)), X(N(6)), X(N(6)), KV(F16, 2, 8, 3), KV(F16, 2, 8, 3), STEP, V(6), NONE, NONE } },

    { NULL, HET__OP_ADD, { { 0 } }, 2, { X(N(8)), X(N(8)) } },
    { NULL, HET__OP_MUL, { { 0 } }, 2, { X(N(8)), V(8) } },
    { "the operands have different shapes", HET__OP_ADD, { { 0 } }, 2, { X(N(8)), V(4) } },
    { "the operands have different shapes", HET__OP_MUL, { { 0 } }, 2, { V(8), X(N(8)) } },
    { "an operand is missing", HET__OP_ADD, { { 0 } }, 2, { X(N(8)), NONE } },
    { NULL, HET__OP_UNARY, { .unary = { .kind = HET__UNARY_TANH } }, 1, { X(N(8)) } },
    { "the function is unknown", HET__OP_UNARY, { .unary = { .kind = HET__UNARY_NONE } }, 1,
      { X(N(8)) } },
    { "the input is missing", HET__OP_UNARY, { .unary = { .kind = HET__UNARY_TANH } }, 1,
      { NONE } },
    { NULL, HET__OP_SOFTMAX, { { 0 } }, 1, { X(N(8)) } },
    { "the input is missing", HET__OP_SOFTMAX, { { 0 } }, 1, { NONE } },
    { NULL, HET__OP_ROWS, { { 0 } }, 2, { X(N(8)), IDS(ROWS) } },
    { "the input is not a matrix", HET__OP_ROWS, { { 0 } }, 2, { V(8), IDS(ROWS) } },
    { "the rows are not a vector of I32", HET__OP_ROWS, { { 0 } }, 2, { X(N(8)), V(2) } },

    { NULL, HET__OP_NORM, { .norm = { HET__NORM_RMS, 0, 4 } }, 2, { X(N(8)), NONE } },
    { NULL, HET__OP_UNARY, { .unary = { HET__UNARY_SOFTCAP, 30 } }, 1, { X(N(8)) } },
    { "the cap is not positive", HET__OP_UNARY, { .unary = { .kind = HET__UNARY_SOFTCAP } }, 1,
      { X(N(8)) } },
    { "the activation is unknown", HET__OP_GATED, { .gated = { HET__UNARY_SCALE } }, 3,
      { X(N(8)), W(5, 8), W(5, 8) } },
    { NULL, HET__OP_ATTENTION, { .attention = { 4, 2, 3, 8, .scale = 1 } }, 12,
      { X(N(12)), NONE, NONE, KV(F16, 2, 8, 3), KV(F16, 2, 8, 3), STEP, NONE, NONE, NONE } },
    { "keys come without values", HET__OP_ATTENTION, { .attention = { 4, 2, 3, 8, .scale = 1 } },
      12,
      { X(N(12)), X(N(6)), NONE, KV(F16, 2, 8, 3), KV(F16, 2, 8, 3), STEP, NONE, NONE, NONE } },
    { NULL, HET__OP_COLUMNS, { .columns = { 5, 3 } }, 1, { X(N(8)) } },
    { "does not have these columns", HET__OP_COLUMNS, { .columns = { 6, 3 } }, 1, { X(N(8)) } },
    { "does not have these columns", HET__OP_COLUMNS, { .columns = { -1, 3 } }, 1, { X(N(8)) } },
    { NULL, HET__OP_JOIN, { { 0 } }, 3, { X(N(8)), X(N(1)), X(N(8)) } },
    { "inputs", HET__OP_JOIN, { { 0 } }, 1, { X(N(8)) } },
    { "a part is not a matrix", HET__OP_JOIN, { { 0 } }, 2, { V(8), X(N(8)) } },
    { "the same rows", HET__OP_JOIN, { { 0 } }, 2, { X(N(8)), NONE } },
    { "the same rows", HET__OP_JOIN, { { 0 } }, 2, { X(N(8)), W(5, 8) } },
    { NULL, HET__OP_MOE, MOE(2, SPARSE_MIXER), 5, { X(N(8)), X(N(4)), MOE_WEIGHTS(4, 6, 8) } },
    { "one row of scores", HET__OP_MOE, MOE(2, SOFTMAX), 5,
      { X(N(8)), W(3, 4), MOE_WEIGHTS(4, 6, 8) } },
    { "experts used is out of range", HET__OP_MOE, MOE(5, SOFTMAX), 5,
      { X(N(8)), X(N(4)), MOE_WEIGHTS(4, 6, 8) } },
    { "does not pick so many experts", HET__OP_MOE, MOE(3, SPARSE_MIXER), 5,
      { X(N(8)), X(N(4)), MOE_WEIGHTS(4, 6, 8) } },
    { "the weights do not fit", HET__OP_MOE, MOE(2, SOFTMAX), 5,
      { X(N(8)), X(N(4)), MOE_WEIGHTS(4, 6, 9) } },
    { NULL, HET__OP_CUT, { .cut = { 1 } }, 1, { X(N(8)) } },
    { NULL, HET__OP_MATCH, { .match = { 1 } }, 2, { X(N(8)), X(N(8)) } },
    { "the operands have different shapes", HET__OP_MATCH, { .match = { 1 } }, 2,
      { X(N(8)), X(N(7)) } },
    { NULL, HET__OP_PREDICT, { { 0 } }, 3, { X(N(4)), X(N(8)), X(N(8)) } },
    { "the coefficients do not fit", HET__OP_PREDICT, { { 0 } }, 3,
      { X(N(3)), X(N(8)), X(N(8)) } },
    { "the streams have different shapes", HET__OP_PREDICT, { { 0 } }, 3,
      { X(N(4)), X(N(8)), X(N(7)) } },
    { NULL, HET__OP_CORRECT, { .correct = { 1 } }, 4, { X(N(2)), X(N(8)), X(N(8)), X(N(8)) } },
    { "no such active stream", HET__OP_CORRECT, { .correct = { 2 } }, 4,
      { X(N(2)), X(N(8)), X(N(8)), X(N(8)) } },
};

static uint32_t add_node(het__graph *graph, const rule_case *c, het_error *err)
{
    uint32_t inputs[HET__ATTN_INPUT_COUNT];
    for (uint32_t i = 0; i < c->input_count; i++) {
        const operand *o = &c->inputs[i];
        inputs[i] = o->dtype ? het__graph_value(graph, "x", o->kind, o->dtype, o->rank, o->extent)
                             : HET__NO_VALUE;
    }
    return het__graph_node(graph, c->op, 3, "blk.3.node", inputs, c->input_count, &c->attrs, err);
}

static void rules(void)
{
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const rule_case *c = &cases[i];
        het__mem mem;
        het__graph graph;
        het_error err = HET_ERROR_INIT;
        het__mem_init(&mem, NULL);
        het__graph_init(&graph, &mem);
        const uint32_t out = add_node(&graph, c, &err);
        test_checks++;
        if (!c->sentence && (out == HET__NO_VALUE || het__graph_check(&graph, &err)))
            TEST_FAIL("case %zu is refused: %s", i, err.message);
        else if (c->sentence && (out != HET__NO_VALUE || !graph.failed ||
                                 err.status != HET_E_INVALID || !strstr(err.message, c->sentence) ||
                                 !strstr(err.message, "blk.3.node")))
            TEST_FAIL("case %zu: \"%s\", want \"%s\"", i, err.message, c->sentence);
        het__graph_finish(&graph);
        CHECK_INT(mem.bytes, 0);
    }
}

typedef struct work_case {
    rule_case node;
    double macs, flops, input_bytes, output_bytes, weight_bytes, units;
} work_case;

/* T = 6, B = 2, S = 10, R = 2. */
static const work_case work_cases[] = {
    /* 6 rows of 8 against 5 rows, bias, residual: 240 pairs; twice that, and 30 twice. */
    { { NULL, HET__OP_LINEAR, { .linear = { 1, true } }, 4, { X(N(8)), X(N(5)), W(5, 8), V(5) } },
      240, 480 + 30 + 30, 4 * (48 + 30), 4 * 30, 4 * (40 + 5), 30 },
    { { NULL, HET__OP_LINEAR, { .linear = { 2, false } }, 6,
        { X(N(8)), NONE, W(5, 8), NONE, W(3, 8), V(3) } },
      240 + 144, 480 + 288 + 18, 4 * 48, 4 * (30 + 18), 4 * (40 + 24 + 3), 48 },
    { { NULL, HET__OP_GATED, { .gated = { HET__UNARY_SILU } }, 3, { X(N(8)), W(5, 8), W(5, 8) } },
      480, 960 + 60, 4 * 48, 4 * 30, 4 * 80, 30 },
    { { NULL, HET__OP_EMBED, { .embed = { 2 } }, 2, { W(9, 4), IDS(TOKENS) } },
      0, 24, 4 * 6, 4 * 24, 4 * 24, 6 },
    { { NULL, HET__OP_EMBED, { .embed = { 1 } }, 2, { W(9, 4), IDS(TOKENS) } },
      0, 0, 4 * 6, 4 * 24, 4 * 24, 6 },
    { { NULL, HET__OP_NORM, { .norm = { HET__NORM_RMS, 0, 4 } }, 2, { X(N(8)), V(4) } },
      0, 4 * 48, 4 * 48, 4 * 48, 4 * 4, 12 },
    /* Half of each head turns: 24 of 48 elements, three operations each. */
    { { NULL, HET__OP_ROPE, { .rope = { 4, 2, false, 1e4f, 1, 1 } }, 2, { X(N(8)), IDS(TOKENS) } },
      0, 72, 4 * 54, 4 * 48, 0, 12 },
    { { NULL, HET__OP_ADD, { { 0 } }, 2, { X(N(8)), V(8) } }, 0, 48, 4 * 48, 4 * 48, 4 * 8, 48 },
    { { NULL, HET__OP_SOFTMAX, { { 0 } }, 1, { X(N(8)) } }, 0, 192, 4 * 48, 4 * 48, 0, 48 },
    { { NULL, HET__OP_ROWS, { { 0 } }, 2, { X(N(8)), IDS(ROWS) } },
      0, 0, 4 * (48 + 2), 4 * 16, 0, 16 },
    /* Each of 6 tokens sees 10 positions and, of 3 in its sequence, 2 on average: 12. With 4 heads
     * 288 scores of 3 pairs, and 3 more for the values; 4 operations around each score. Inputs:
     * 24 floats a token, positions, slots, segments, 5 pages, 10 positions twice of 12 halves. */
    { { NULL, HET__OP_ATTENTION, { .attention = { 4, 2, 3, 8, .scale = 1 } }, 12,
        { X(N(12)), X(N(6)), X(N(6)), KV(F16, 2, 8, 3), KV(F16, 2, 8, 3), STEP, NONE, NONE,
          NONE } },
      1728, 3456 + 288 * 4, 4 * (6 * 24 + 6 + 6 + 8 + 5) + 2 * 10 * 12 * 2, 4 * 72 + 6 * 12 * 2, 0,
      24 },
    /* The window hides all but 2 positions: 48 scores. */
    { { NULL, HET__OP_ATTENTION, { .attention = { 4, 2, 3, 8, .scale = 1, .window = 2 } }, 12,
        { X(N(12)), X(N(6)), X(N(6)), KV(F32, 2, 8, 3), KV(F32, 2, 8, 3), STEP, NONE, NONE,
          NONE } },
      288, 576 + 48 * 4, 4 * (6 * 24 + 6 + 6 + 8 + 5) + 2 * 2 * 12 * 4, 4 * 72 + 6 * 12 * 4, 0,
      24 },
    /* Keys of another node: nothing is written but the output, 12 floats a token. */
    { { NULL, HET__OP_ATTENTION, { .attention = { 4, 2, 3, 8, .scale = 1 } }, 12,
        { X(N(12)), NONE, NONE, KV(F16, 2, 8, 3), KV(F16, 2, 8, 3), STEP, NONE, NONE, NONE } },
      1728, 3456 + 288 * 4, 4 * (6 * 12 + 6 + 6 + 8 + 5) + 2 * 10 * 12 * 2, 4 * 72, 0, 24 },
    /* 12 pairs of a token and an expert, each 3 x 6 x 8 products. Of 4 experts 6 tokens with 2 each
     * are expected to meet 1 - 1/64 of 4 x 144 weights. */
    { { NULL, HET__OP_MOE, MOE(2, SOFTMAX), 5, { X(N(8)), X(N(4)), MOE_WEIGHTS(4, 6, 8) } },
      12 * 144, 2 * 12 * 144 + 12 * 28 + 96, 4 * (48 + 24), 4 * 48, 4 * 576 * 63.0 / 64, 72 },
};

static void work(void)
{
    int64_t symbols[HET__SYM_MAX];
    for (int i = 0; i < HET__SYM_MAX; i++)
        symbols[i] = 1;
    symbols[HET__SYM_TOKENS] = 6;
    symbols[HET__SYM_SEQUENCES] = 2;
    symbols[HET__SYM_CONTEXT] = 10;
    symbols[HET__SYM_ROWS] = 2;
    symbols[HET__SYM_PAGES] = 5;
    for (size_t i = 0; i < sizeof work_cases / sizeof work_cases[0]; i++) {
        const work_case *c = &work_cases[i];
        het__mem mem;
        het__graph graph;
        het__mem_init(&mem, NULL);
        het__graph_init(&graph, &mem);
        if (add_node(&graph, &c->node, NULL) == HET__NO_VALUE) {
            TEST_FAIL("case %zu is refused", i);
        } else {
            const int before = test_failures;
            het__work w;
            het__node_work(&graph, &graph.nodes[0], symbols, &w);
            CHECK_NEAR(w.macs, c->macs, 0.0);
            CHECK_NEAR(w.flops, c->flops, 0.0);
            CHECK_NEAR(w.input_bytes, c->input_bytes, 0.0);
            CHECK_NEAR(w.output_bytes, c->output_bytes, 0.0);
            CHECK_NEAR(w.weight_bytes, c->weight_bytes, 0.0);
            CHECK_NEAR(w.units, c->units, 0.0);
            if (test_failures > before)
                fprintf(stderr, "    in case %zu: %s\n", i, het__op_info_of(c->node.op)->name);
        }
        het__graph_finish(&graph);
    }
}

static void every_operation_has_a_row(void)
{
    for (int op = HET__OP_NONE + 1; op < HET__OP_COUNT; op++) {
        const het__op_info *info = het__op_info_of((het__op)op);
        CHECK(info && info->name && info->shape && info->count && info->parallel_axes);
        CHECK(info && info->inputs_min <= info->inputs_max);
    }
    CHECK(het__op_info_of(HET__OP_NONE) == NULL);
    CHECK(het__op_info_of(HET__OP_COUNT) == NULL);
    CHECK_STR(het__unary_name(HET__UNARY_GELU_ERF), "gelu_erf");
    CHECK(het__unary_name(HET__UNARY_NONE) == NULL);
}

int main(void)
{
    test_case(rules);
    test_case(work);
    test_case(every_operation_has_a_row);
    return test_finish();
}
