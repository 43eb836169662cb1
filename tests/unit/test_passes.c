/* SPDX-License-Identifier: Apache-2.0 */
/* Fusion passes: each pattern is fused, each near miss is left alone, and the outputs stay the same
 * whichever passes run. */
#include "lib/passes/passes.h"

#include "lib/api/handles.h"
#include "rig.h"
#include "tiny_model.h"

#define TOKENS 5
#define WIDTH 32
#define HEAD 8
#define OUTPUTS_MAX 4096
/* Those on the operations of language models, which come first. */
#define LANGUAGE_PASSES ((1u << (HET__PASS_RESIDUAL + 1)) - 1)

/* A graph in the making, with weights that live as long as it does. */
typedef struct bench {
    rig r;
    uint64_t seed;
    float *weights[RIG_VALUES_MAX];
    uint32_t weight_count;
} bench;

static uint32_t input_of(bench *b, const char *name, het_dtype dtype, uint32_t symbol,
                         int64_t columns)
{
    const het__extent e[2] = { { 1, symbol }, { columns, HET__SYM_ONE } };
    return het__graph_value(&b->r.graph, name, HET__VALUE_INPUT, dtype, columns > 1 ? 2 : 1, e);
}

static uint32_t x_of(bench *b, const char *name)
{
    return input_of(b, name, HET_DTYPE_F32, HET__SYM_TOKENS, WIDTH);
}

static uint32_t weight_of(bench *b, int64_t rows, int64_t columns)
{
    const int64_t n = (rows ? rows : 1) * columns, extent[2] = { rows ? rows : columns, columns };
    float *data = malloc((size_t)n * sizeof *data);
    for (int64_t i = 0; i < n; i++)
        data[i] = 0.3f * test_random_float(&b->seed);
    char name[16];
    snprintf(name, sizeof name, "w%u", b->weight_count);
    b->weights[b->weight_count++] = data;
    return het__graph_const(&b->r.graph, name, HET_DTYPE_F32, rows ? 2 : 1, extent, data);
}

static uint32_t node_of(bench *b, het__op op, int32_t layer, const uint32_t *in, uint32_t count,
                        const het__attrs *attrs)
{
    het_error err = HET_ERROR_INIT;
    const uint32_t v = het__graph_node(&b->r.graph, op, layer, "n", in, count, attrs, &err);
    if (v == HET__NO_VALUE)
        TEST_FAIL("%s", err.message);
    return v;
}

static uint32_t linear_with(bench *b, int32_t layer, uint32_t x, uint32_t weight, uint32_t bias)
{
    const het__attrs attrs = { .linear = { 1, false } };
    const uint32_t in[4] = { x, HET__NO_VALUE, weight, bias };
    return node_of(b, HET__OP_LINEAR, layer, in, 4, &attrs);
}

static uint32_t linear_of(bench *b, uint32_t x, int64_t rows)
{
    return linear_with(b, 0, x, weight_of(b, rows, WIDTH), HET__NO_VALUE);
}

static uint32_t unary_of(bench *b, uint32_t x)
{
    const het__attrs attrs = { .unary = { .kind = HET__UNARY_SILU } };
    return node_of(b, HET__OP_UNARY, 0, &x, 1, &attrs);
}

static uint32_t binary_of(bench *b, het__op op, uint32_t x, uint32_t y)
{
    return node_of(b, op, 0, (uint32_t[]){ x, y }, 2, NULL);
}

static void output(bench *b, uint32_t v)
{
    b->r.graph.values[v].kind = HET__VALUE_OUTPUT;
}

/* ---- parallel projections ---- */

static void parallel_three(bench *b)
{
    const uint32_t x = x_of(b, "x");
    output(b, linear_of(b, x, 16));
    output(b, linear_with(b, 0, x, weight_of(b, 24, WIDTH), weight_of(b, 0, 24)));
    output(b, linear_of(b, x, 8));
}

static void parallel_ten(bench *b)
{
    const uint32_t x = x_of(b, "x");
    for (int i = 0; i < 10; i++)
        output(b, linear_of(b, x, 4));
}

static void parallel_other_input(bench *b)
{
    output(b, linear_of(b, x_of(b, "x"), 16));
    output(b, linear_of(b, x_of(b, "y"), 16));
}

static void parallel_other_layer(bench *b)
{
    const uint32_t x = x_of(b, "x");
    output(b, linear_with(b, 0, x, weight_of(b, 8, WIDTH), HET__NO_VALUE));
    output(b, linear_with(b, 1, x, weight_of(b, 8, WIDTH), HET__NO_VALUE));
}

/* ---- gated ---- */

typedef enum twist {
    PLAIN = 0, SWAPPED, GATE_TWICE, UP_TWICE, ACT_TWICE, GATE_OUT, UP_OUT, ACT_OUT, BIAS, NO_ACT,
    SAME, LINEAR_TWICE, LINEAR_OUT, LATE, ROW, DOUBLED, CHAIN,
    THETA, HALVES, POSITIONS, Q_ONLY, ROPE_TWICE, ROPE_OUT, NORMS, NORM_EPS, NORM_GROUP, NORM_LAYER,
    NORM_TWICE, NORM_ONE, INNER_NORM,
} twist;

static void build_gated(bench *b, twist t)
{
    const uint32_t x = x_of(b, "x");
    const uint32_t gate = linear_with(b, 0, x, weight_of(b, WIDTH, WIDTH),
                                      t == BIAS ? weight_of(b, 0, WIDTH) : HET__NO_VALUE);
    const uint32_t up = linear_of(b, x, WIDTH);
    const uint32_t act = t == NO_ACT ? gate : unary_of(b, gate);
    const uint32_t other = t == SAME ? gate : up;
    const uint32_t m = t == SWAPPED ? binary_of(b, HET__OP_MUL, other, act)
                                    : binary_of(b, HET__OP_MUL, act, other);
    output(b, linear_of(b, m, 8));
    if (t == GATE_TWICE || t == UP_TWICE || t == ACT_TWICE)
        output(b, unary_of(b, t == GATE_TWICE ? gate : t == UP_TWICE ? up : act));
    if (t == GATE_OUT || t == UP_OUT || t == ACT_OUT)
        output(b, t == GATE_OUT ? gate : t == UP_OUT ? up : act);
    if (t == SAME)
        output(b, up);
}

/* ---- residual ---- */

static void build_residual(bench *b, twist t)
{
    const uint32_t x = x_of(b, "x");
    const uint32_t early = unary_of(b, x);
    const uint32_t y = linear_of(b, x, WIDTH);
    uint32_t other = t == LATE ? unary_of(b, x) : t == ROW ? weight_of(b, 0, WIDTH) : early;
    other = t == DOUBLED ? y : other;
    uint32_t sum = t == SWAPPED ? binary_of(b, HET__OP_ADD, y, other)
                   : t == ROW   ? binary_of(b, HET__OP_ADD, y, other)
                                : binary_of(b, HET__OP_ADD, other, y);
    if (t == CHAIN) /* a second sum behind another linear of the first */
        sum = binary_of(b, HET__OP_ADD, sum, linear_of(b, sum, WIDTH));
    output(b, sum);
    output(b, unary_of(b, early));
    if (t == LINEAR_TWICE)
        output(b, unary_of(b, y));
    if (t == LINEAR_OUT)
        output(b, y);
}

/* ---- rope ---- */

static uint32_t norm_of(bench *b, uint32_t x, float eps, int32_t group, het__norm_kind kind)
{
    const het__attrs attrs = { .norm = { kind, eps, group } };
    return node_of(b, HET__OP_NORM, 0, (uint32_t[]){ x, weight_of(b, 0, group) }, 2, &attrs);
}

static uint32_t rope_of(bench *b, uint32_t x, uint32_t positions, uint32_t factors, float theta,
                        bool interleaved)
{
    const het__attrs attrs = { .rope = { HEAD, HEAD, interleaved, theta, 1, 1 } };
    return node_of(b, HET__OP_ROPE, 0, (uint32_t[]){ x, positions, factors }, 3, &attrs);
}

static uint32_t state_of(bench *b, const char *name)
{
    const het__extent e[4] = { { 1, HET__SYM_STATE_PAGES }, { 2, HET__SYM_ONE },
                               { 16, HET__SYM_ONE }, { HEAD, HET__SYM_ONE } };
    return het__graph_value(&b->r.graph, name, HET__VALUE_STATE, HET_DTYPE_F32, 4, e);
}

static void build_rope(bench *b, twist t)
{
    const uint32_t x = x_of(b, "x");
    const uint32_t positions = input_of(b, "positions", HET_DTYPE_I32, HET__SYM_TOKENS, 1);
    const uint32_t others = input_of(b, "other_positions", HET_DTYPE_I32, HET__SYM_TOKENS, 1);
    const uint32_t slots = input_of(b, "slots", HET_DTYPE_I32, HET__SYM_TOKENS, 1);
    const uint32_t segments = input_of(b, "segments", HET_DTYPE_I32, HET__SYM_SEQUENCES, 4);
    const uint32_t pages = input_of(b, "pages", HET_DTYPE_I32, HET__SYM_PAGES, 1);
    uint32_t q = linear_of(b, x, 4 * HEAD), k = linear_of(b, x, 2 * HEAD);
    const uint32_t v = linear_of(b, x, 2 * HEAD);
    const bool norms = t >= NORMS && t <= NORM_ONE;
    if (norms) {
        q = norm_of(b, q, 1e-2f, t == NORM_GROUP ? 2 * HEAD : HEAD,
                    t == NORM_LAYER ? HET__NORM_LAYER : HET__NORM_RMS);
        if (t == NORM_TWICE)
            output(b, unary_of(b, q));
        if (t != NORM_ONE)
            k = norm_of(b, k, t == NORM_EPS ? 1e-1f : 1e-2f, HEAD, HET__NORM_RMS);
    }
    q = rope_of(b, q, positions, HET__NO_VALUE, 100, false);
    if (t != Q_ONLY)
        k = rope_of(b, k, t == POSITIONS ? others : positions, HET__NO_VALUE,
                    t == THETA ? 50 : 100, t == HALVES);
    if (t == ROPE_TWICE)
        output(b, unary_of(b, q));
    if (t == ROPE_OUT)
        output(b, q);
    const het__attrs attrs = { .attention = { .heads = 4, .kv_heads = 2, .head_size = HEAD,
                                              .page_size = 16, .scale = 0.35f, .norm_eps = 1e-5f,
                                              .rope = { .head_size = HEAD } } };
    const uint32_t inner = t == INNER_NORM ? weight_of(b, 0, HEAD) : HET__NO_VALUE;
    const uint32_t in[HET__ATTN_INPUT_COUNT] = { q, k, v, state_of(b, "k_state"),
                                                 state_of(b, "v_state"), positions, slots, segments,
                                                 pages, inner, HET__NO_VALUE, HET__NO_VALUE };
    output(b, node_of(b, HET__OP_ATTENTION, 0, in, HET__ATTN_INPUT_COUNT, &attrs));
}

/* ---- running ---- */

static void fill_integers(int32_t *p, const char *name, size_t count)
{
    for (size_t i = 0; i < count; i++)
        p[i] = (int32_t)i;
    if (strcmp(name, "segments") == 0)
        memcpy(p, (int32_t[4]){ 0, TOKENS, 0, 0 }, 16);
    else if (strcmp(name, "other_positions") == 0)
        for (size_t i = 0; i < count; i++)
            p[i] = (int32_t)(2 * i + 1);
    else if (strcmp(name, "ids") == 0)
        for (size_t i = 0; i < count; i++)
            p[i] = (int32_t)(i * 7 % 40);
}

static void fill_inputs(rig *r)
{
    uint64_t seed = 5;
    for (uint32_t v = 0; v < r->graph.value_count; v++) {
        const het__value *value = &r->graph.values[v];
        const size_t bytes = value->kind == HET__VALUE_INPUT ? rig_bytes(r, v, r->symbols) : 0;
        if (bytes && value->dtype == HET_DTYPE_I32)
            fill_integers(rig_data(r, v), value->name, bytes / 4);
        else
            for (size_t i = 0; i < bytes / 4; i++)
                ((float *)rig_data(r, v))[i] = test_random_float(&seed);
    }
}

/* Outputs of the graph by value number, which the passes keep. */
static size_t gather_outputs(rig *r, float *out)
{
    size_t n = 0;
    for (uint32_t v = 0; v < r->graph.value_count; v++) {
        if (r->graph.values[v].kind != HET__VALUE_OUTPUT)
            continue;
        const size_t bytes = rig_bytes(r, v, r->symbols);
        CHECK(n + bytes / 4 <= OUTPUTS_MAX);
        memcpy(out + n, rig_data(r, v), bytes);
        n += bytes / 4;
    }
    return n;
}

static void bind_symbols(rig *r)
{
    r->symbols[HET__SYM_TOKENS] = r->symbols[HET__SYM_ROWS] = TOKENS;
    r->symbols[HET__SYM_CONTEXT] = 0;
    memcpy(r->symbols_max, r->symbols, sizeof r->symbols);
}

/* Run the passes of a mask, twice, then the graph. */
static size_t run_with(rig *r, uint32_t mask, het__pass_report *report, float *out)
{
    het_error err = HET_ERROR_INIT;
    const het__pass_options options = { mask, 0 };
    het__pass_report again;
    bind_symbols(r);
    if (het__passes_run(&r->graph, &options, report, &err) != HET_OK)
        TEST_FAIL("passes %u: %s", mask, err.message);
    CHECK_INT(report->nodes_after, r->graph.node_count);
    CHECK_INT(het__passes_run(&r->graph, &options, &again, &err), HET_OK);
    for (uint32_t p = 0; p < HET__PASS_COUNT; p++)
        CHECK_INT(again.rewrites[p], 0);
    CHECK_INT(again.nodes_after, report->nodes_after);
    if (!rig_compile(r))
        return 0;
    fill_inputs(r);
    rig_run(r);
    return gather_outputs(r, out);
}

static double worst_of(const float *a, const float *b, size_t n)
{
    double worst = 0;
    for (size_t i = 0; i < n; i++) {
        const double d = fabs((double)a[i] - (double)b[i]);
        if (!(d <= worst))
            worst = isnan(d) ? INFINITY : d;
    }
    return worst;
}

typedef struct pattern {
    const char *name;
    void (*plain)(bench *);
    void (*twisted)(bench *, twist);
    twist t;
    het__pass pass;
    uint32_t rewrites, nodes_less; /* by this pass, after those before it */
} pattern;

static const pattern patterns[] = {
    { "three projections", parallel_three, NULL, PLAIN, HET__PASS_PARALLEL, 2, 2 },
    { "ten projections", parallel_ten, NULL, PLAIN, HET__PASS_PARALLEL, 8, 8 },
    { "other inputs", parallel_other_input, NULL, PLAIN, HET__PASS_PARALLEL, 0, 0 },
    { "other layers", parallel_other_layer, NULL, PLAIN, HET__PASS_PARALLEL, 0, 0 },
    { "gated", NULL, build_gated, PLAIN, HET__PASS_GATED, 1, 2 },
    { "gated, swapped", NULL, build_gated, SWAPPED, HET__PASS_GATED, 1, 2 },
    { "gate used twice", NULL, build_gated, GATE_TWICE, HET__PASS_GATED, 0, 0 },
    { "up used twice", NULL, build_gated, UP_TWICE, HET__PASS_GATED, 0, 0 },
    { "activation used twice", NULL, build_gated, ACT_TWICE, HET__PASS_GATED, 0, 0 },
    { "gate is an output", NULL, build_gated, GATE_OUT, HET__PASS_GATED, 0, 0 },
    { "up is an output", NULL, build_gated, UP_OUT, HET__PASS_GATED, 0, 0 },
    { "activation is an output", NULL, build_gated, ACT_OUT, HET__PASS_GATED, 0, 0 },
    { "gate with bias", NULL, build_gated, BIAS, HET__PASS_GATED, 0, 0 },
    { "no activation", NULL, build_gated, NO_ACT, HET__PASS_GATED, 0, 0 },
    { "gate is up", NULL, build_gated, SAME, HET__PASS_GATED, 0, 0 },
    { "rope", NULL, build_rope, PLAIN, HET__PASS_ROPE, 1, 2 },
    { "rope, other theta", NULL, build_rope, THETA, HET__PASS_ROPE, 0, 0 },
    { "rope, other layout", NULL, build_rope, HALVES, HET__PASS_ROPE, 0, 0 },
    { "rope, other positions", NULL, build_rope, POSITIONS, HET__PASS_ROPE, 0, 0 },
    { "rope of q only", NULL, build_rope, Q_ONLY, HET__PASS_ROPE, 0, 0 },
    { "rope used twice", NULL, build_rope, ROPE_TWICE, HET__PASS_ROPE, 0, 0 },
    { "rope is an output", NULL, build_rope, ROPE_OUT, HET__PASS_ROPE, 0, 0 },
    { "rope and norms", NULL, build_rope, NORMS, HET__PASS_ROPE, 1, 4 },
    { "norms of other epsilon", NULL, build_rope, NORM_EPS, HET__PASS_ROPE, 1, 2 },
    { "norm of two heads", NULL, build_rope, NORM_GROUP, HET__PASS_ROPE, 1, 2 },
    { "layer norm", NULL, build_rope, NORM_LAYER, HET__PASS_ROPE, 1, 2 },
    { "norm used twice", NULL, build_rope, NORM_TWICE, HET__PASS_ROPE, 1, 2 },
    { "norm of q only", NULL, build_rope, NORM_ONE, HET__PASS_ROPE, 1, 2 },
    { "norm inside already", NULL, build_rope, INNER_NORM, HET__PASS_ROPE, 0, 0 },
    { "residual", NULL, build_residual, PLAIN, HET__PASS_RESIDUAL, 1, 1 },
    { "residual, swapped", NULL, build_residual, SWAPPED, HET__PASS_RESIDUAL, 1, 1 },
    { "residual, twice", NULL, build_residual, CHAIN, HET__PASS_RESIDUAL, 2, 2 },
    { "linear used twice", NULL, build_residual, LINEAR_TWICE, HET__PASS_RESIDUAL, 0, 0 },
    { "linear is an output", NULL, build_residual, LINEAR_OUT, HET__PASS_RESIDUAL, 0, 0 },
    { "residual made later", NULL, build_residual, LATE, HET__PASS_RESIDUAL, 0, 0 },
    { "residual is a row", NULL, build_residual, ROW, HET__PASS_RESIDUAL, 0, 0 },
    { "sum with itself", NULL, build_residual, DOUBLED, HET__PASS_RESIDUAL, 0, 0 },
};

static size_t run_pattern(const pattern *p, uint32_t mask, het__pass_report *report, float *out)
{
    bench b = { .seed = 31 };
    rig_open(&b.r, "ref");
    if (p->plain)
        p->plain(&b);
    else
        p->twisted(&b, p->t);
    const size_t n = run_with(&b.r, mask, report, out);
    rig_close(&b.r);
    for (uint32_t i = 0; i < b.weight_count; i++)
        free(b.weights[i]);
    return n;
}

static void each_pattern(void)
{
    static float want[OUTPUTS_MAX], got[OUTPUTS_MAX];
    for (size_t i = 0; i < sizeof patterns / sizeof *patterns; i++) {
        const pattern *p = &patterns[i];
        het__pass_report before, report;
        const int failures = test_failures;
        const size_t n = run_pattern(p, 0, &report, want);
        CHECK(n > 0);
        /* Gated fusion works on what the parallel pass joined. */
        const uint32_t base = p->pass == HET__PASS_GATED ? 1u << HET__PASS_PARALLEL : 0;
        run_pattern(p, base, &before, got);
        run_pattern(p, base | 1u << p->pass, &report, got);
        CHECK_INT(report.rewrites[p->pass], p->rewrites);
        CHECK_INT(before.nodes_after - report.nodes_after, p->nodes_less);
        for (uint32_t mask = 0; mask <= LANGUAGE_PASSES; mask++) {
            CHECK_INT(run_pattern(p, mask, &report, got), n);
            CHECK_NEAR(worst_of(got, want, n), 0, 2e-6);
        }
        if (test_failures != failures)
            fprintf(stderr, "in \"%s\"\n", p->name);
    }
}

/* A weight that a node makes cannot be read before that node: such linears are not joined. */
static void computed_weights(void)
{
    bench b = { .seed = 3 };
    het__pass_report report;
    het_error err = HET_ERROR_INIT;
    rig_open(&b.r, "ref");
    const het__extent e[2] = { { 8, HET__SYM_ONE }, { WIDTH, HET__SYM_ONE } };
    const uint32_t x = x_of(&b, "x");
    const uint32_t raw = het__graph_value(&b.r.graph, "w", HET__VALUE_INPUT, HET_DTYPE_F32, 2, e);
    output(&b, linear_of(&b, x, 8));
    output(&b, linear_with(&b, 0, x, unary_of(&b, raw), HET__NO_VALUE));
    const het__pass_options options = { HET__PASSES_ALL, 0 };
    CHECK_INT(het__passes_run(&b.r.graph, &options, &report, &err), HET_OK);
    CHECK_INT(report.rewrites[HET__PASS_PARALLEL], 0);
    rig_close(&b.r);
    for (uint32_t i = 0; i < b.weight_count; i++)
        free(b.weights[i]);
}

/* ---- whole blocks ---- */

static size_t run_model(const het_model *m, uint32_t mask, het__pass_report *report, float *out)
{
    rig r;
    het_error err = HET_ERROR_INIT;
    const het__lm_source source = het__gguf_source(&m->language->gguf);
    rig_open(&r, "ref");
    het__graph_finish(&r.graph);
    CHECK_INT(het__lm_graph(m->language->family, &m->language->config, &source, HET_DTYPE_F32,
                            &r.mem, &r.graph, &err), HET_OK);
    const size_t n = run_with(&r, mask, report, out);
    rig_close(&r);
    return n;
}

/* norm, q k v, (head norms,) 2 rope, attention, output, sum, norm, gate, up, activation, product,
 * down, sum become norm, qkv, attention, output, norm, gated, down. */
static void each_family(void)
{
    static const struct { const char *architecture; uint32_t nodes; } families[] = {
        { "llama", 16 }, { "qwen2", 16 }, { "qwen3", 18 }, { "phi3", 16 },
    };
    static float want[OUTPUTS_MAX], got[OUTPUTS_MAX];
    het_context *context = NULL;
    CHECK_INT(het_context_create(NULL, &context, NULL), HET_OK);
    for (size_t f = 0; f < 4; f++) {
        tiny_model tiny;
        tiny_options o = TINY_LLAMA;
        het_model *m = NULL;
        het__pass_report report;
        o.architecture = families[f].architecture;
        o.layers = 1;
        tiny_make(&tiny, &o);
        CHECK_INT(het_model_load_memory(context, tiny.file, tiny.bytes, NULL, &m, NULL), HET_OK);
        const size_t n = run_model(m, 0, &report, want);
        CHECK_INT(report.nodes_before, families[f].nodes + 4); /* embedding, rows, norm, head */
        for (uint32_t mask = 0; mask <= LANGUAGE_PASSES; mask++) {
            CHECK_INT(run_model(m, mask, &report, got), n);
            CHECK_NEAR(worst_of(got, want, n), 0, 5e-6);
        }
        CHECK_INT(run_model(m, HET__PASSES_ALL, &report, got), n);
        CHECK_NEAR(worst_of(got, want, n), 0, 5e-6);
        CHECK_INT(report.nodes_after, 7 + 4);
        CHECK_INT(report.rewrites[HET__PASS_PARALLEL], 3);
        CHECK_INT(report.rewrites[HET__PASS_GATED], 1);
        CHECK_INT(report.rewrites[HET__PASS_ROPE], 1);
        CHECK_INT(report.rewrites[HET__PASS_RESIDUAL], 2);
        het_model_destroy(m);
        tiny_free(&tiny);
    }
    het_context_destroy(context);
}

int main(void)
{
    test_case(each_pattern);
    test_case(computed_weights);
    test_case(each_family);
    return test_finish();
}
