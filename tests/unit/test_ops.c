/* SPDX-License-Identifier: Apache-2.0 */
/* Every operation on the reference device against NumPy's results (tests/vectors/make_ops.py), and
 * equalities between ways to compute the same. */
#include "lib/base/error.h"
#include "lib/quant/quant.h"
#include "rig.h"

typedef struct ops_tensor {
    het__value_kind kind;
    het_dtype dtype; /* HET_DTYPE_NONE: absent */
    const void *data;
    const double *after; /* of a state: its elements after the step */
    uint32_t rank;
    het__extent extent[4];
} ops_tensor;

typedef struct ops_result {
    uint32_t rank;
    het__extent extent[2];
    const double *want;
} ops_result;

typedef struct ops_case {
    const char *name;
    het__op op;
    double tolerance; /* times the larger of 1 and the wanted value */
    het__attrs attrs;
    int64_t symbols[HET__SYM_COUNT];
    uint32_t input_count;
    ops_tensor inputs[HET__ATTN_INPUT_COUNT];
    uint32_t output_count;
    ops_result outputs[3];
} ops_case;

#define N(count) { count, HET__SYM_ONE }
#define S(name) { 1, HET__SYM_##name }
#define INPUT(dtype, ...) { HET__VALUE_INPUT, HET_DTYPE_##dtype, __VA_ARGS__ }
#define CONST(dtype, ...) { HET__VALUE_CONST, HET_DTYPE_##dtype, __VA_ARGS__ }
#define STATE(dtype, ...) { HET__VALUE_STATE, HET_DTYPE_##dtype, __VA_ARGS__ }
#define ABSENT { .dtype = HET_DTYPE_NONE }

#include "../vectors/ops.h"

/* What lies behind the values that a step writes. */
#define CANARY 0xa5

static void check_near(const char *name, const char *what, double got, double want, int64_t at,
                       double tolerance)
{
    test_checks++;
    if (!(fabs(got - want) <= tolerance * fmax(1.0, fabs(want))))
        TEST_FAIL("%s: %s[%" PRId64 "] = %.9g, want %.9g within %.3g", name, what, at, got, want,
                  tolerance);
}

/* Symbols of a case, and three times as many for what a plan allows at most. */
static void bind_symbols(rig *r, const int64_t *symbols)
{
    for (int i = HET__SYM_TOKENS; i < HET__SYM_COUNT; i++) {
        r->symbols[i] = symbols[i];
        r->symbols_max[i] = i == HET__SYM_STATE_PAGES ? symbols[i] : 3 * symbols[i];
    }
}

static uint32_t add_tensor(rig *r, const ops_tensor *t)
{
    if (t->dtype == HET_DTYPE_NONE)
        return HET__NO_VALUE;
    const uint32_t v = het__graph_value(&r->graph, "x", t->kind, t->dtype, t->rank, t->extent);
    if (v != HET__NO_VALUE && t->kind == HET__VALUE_CONST)
        r->graph.values[v].data = t->data;
    return v;
}

static void check_state(rig *r, const ops_case *c, uint32_t input)
{
    const ops_tensor *t = &c->inputs[input];
    const uint32_t v = r->graph.nodes[0].inputs[input];
    const int64_t count = het__value_elements(&r->graph.values[v], r->symbols);
    float *got = malloc((size_t)count * sizeof *got);
    if (got)
        het__decoder(t->dtype)(rig_data(r, v), got, count);
    CHECK(got != NULL);
    for (int64_t i = 0; got && i < count; i++)
        check_near(c->name, input == HET__ATTN_K_STATE ? "keys" : "values", (double)got[i],
                   t->after[i], i, c->tolerance);
    free(got);
}

static void check_output(rig *r, const ops_case *c, uint32_t output)
{
    const ops_result *o = &c->outputs[output];
    const uint32_t v = r->graph.nodes[0].outputs[output];
    const het__value *value = &r->graph.values[v];
    CHECK_INT(value->rank, o->rank);
    for (uint32_t i = 0; i < o->rank; i++)
        CHECK_INT(het__extent_bind(value->extent[i], r->symbols),
                  het__extent_bind(o->extent[i], r->symbols));
    const int64_t count = het__value_elements(value, r->symbols);
    const float *got = rig_data(r, v);
    for (int64_t i = 0; i < count; i++)
        check_near(c->name, "output", (double)got[i], o->want[i], i, c->tolerance);
    const unsigned char *bytes = rig_data(r, v);
    for (size_t i = rig_bytes(r, v, r->symbols); i < rig_bytes(r, v, r->symbols_max); i++)
        CHECK_INT(bytes[i], CANARY);
}

static void run_case(const ops_case *c)
{
    rig r;
    rig_open(&r, "ref");
    bind_symbols(&r, c->symbols);
    uint32_t inputs[HET__ATTN_INPUT_COUNT];
    for (uint32_t i = 0; i < c->input_count; i++)
        inputs[i] = add_tensor(&r, &c->inputs[i]);
    het_error err = HET_ERROR_INIT;
    het__graph_node(&r.graph, c->op, -1, c->name, inputs, c->input_count, &c->attrs, &err);
    if (r.graph.failed)
        TEST_FAIL("%s: %s", c->name, err.message);
    if (rig_compile(&r)) {
        for (uint32_t i = 0; i < c->input_count; i++)
            if (inputs[i] != HET__NO_VALUE && c->inputs[i].kind != HET__VALUE_CONST)
                memcpy(rig_data(&r, inputs[i]), c->inputs[i].data,
                       rig_bytes(&r, inputs[i], r.symbols));
        for (uint32_t o = 0; o < c->output_count; o++)
            memset(rig_data(&r, r.graph.nodes[0].outputs[o]), CANARY,
                   rig_bytes(&r, r.graph.nodes[0].outputs[o], r.symbols_max));
        rig_run(&r);
        for (uint32_t o = 0; o < c->output_count; o++)
            check_output(&r, c, o);
        for (uint32_t i = 0; i < c->input_count; i++)
            if (c->inputs[i].after)
                check_state(&r, c, i);
    }
    rig_close(&r);
}

static void vectors(void)
{
    bool seen[HET__OP_T_FIRST] = { false };
    for (size_t g = 0; g < sizeof ops_groups / sizeof *ops_groups; g++)
        for (size_t i = 0; i < ops_groups[g].count; i++) {
            run_case(&ops_groups[g].cases[i]);
            seen[ops_groups[g].cases[i].op] = true;
        }
    /* Images and general products are held against the plain kernels: test_tensor_passes.c. */
    for (int op = HET__OP_NONE + 1; op < HET__OP_CONV; op++)
        if (!seen[op])
            TEST_FAIL("no case for %s", het__op_info_of((het__op)op)->name);
}

/* ---- one computation in two ways ---- */

enum { HEADS = 4, KV_HEADS = 2, SIZE = 8, PAGE = 4, TOKENS = 11, PAGES = 3 };

static const float head_weight[SIZE] = { 1.0f, 0.5f, 1.5f, -1.0f, 2.0f, 0.25f, 1.0f, 0.75f };

static const het__rope_attrs turn = { SIZE, 6, false, 10000.0f, 1.0f, 1.0f };

static het__attrs attention_attrs(bool fused)
{
    het__attrs attrs = { .attention = { .heads = HEADS, .kv_heads = KV_HEADS, .head_size = SIZE,
                                        .page_size = PAGE, .scale = 0.25f, .norm_eps = 1e-6f } };
    if (fused)
        attrs.attention.rope = turn;
    return attrs;
}

static uint32_t value_of(rig *r, het__value_kind kind, het_dtype dtype, uint32_t rank,
                         const het__extent *extent)
{
    return het__graph_value(&r->graph, "x", kind, dtype, rank, extent);
}

/* Norm and rotation as nodes of their own. */
static uint32_t prepare_head(rig *r, uint32_t x, uint32_t weight, uint32_t positions)
{
    const het__attrs norm = { .norm = { HET__NORM_RMS, 1e-6f, SIZE } };
    const uint32_t normed =
        het__graph_node(&r->graph, HET__OP_NORM, 0, "norm", (uint32_t[]){ x, weight }, 2, &norm,
                        NULL);
    const het__attrs rope = { .rope = turn };
    return het__graph_node(&r->graph, HET__OP_ROPE, 0, "rope", (uint32_t[]){ normed, positions },
                           2, &rope, NULL);
}

typedef struct attention_graph {
    uint32_t q, k, v, positions, slots, segments, pages, out;
} attention_graph;

static attention_graph build_attention(rig *r, het_dtype state, bool fused)
{
    const het__extent q_extent[] = { S(TOKENS), N(HEADS * SIZE) };
    const het__extent kv_extent[] = { S(TOKENS), N(KV_HEADS * SIZE) };
    const het__extent state_extent[] = { S(STATE_PAGES), N(KV_HEADS), N(PAGE), N(SIZE) };
    const het__extent tokens[] = { S(TOKENS) }, pages[] = { S(PAGES) };
    const het__extent segments[] = { S(SEQUENCES), N(4) };
    attention_graph g;
    g.q = value_of(r, HET__VALUE_INPUT, HET_DTYPE_F32, 2, q_extent);
    g.k = value_of(r, HET__VALUE_INPUT, HET_DTYPE_F32, 2, kv_extent);
    g.v = value_of(r, HET__VALUE_INPUT, HET_DTYPE_F32, 2, kv_extent);
    const uint32_t k_state = value_of(r, HET__VALUE_STATE, state, 4, state_extent);
    const uint32_t v_state = value_of(r, HET__VALUE_STATE, state, 4, state_extent);
    g.positions = value_of(r, HET__VALUE_INPUT, HET_DTYPE_I32, 1, tokens);
    g.slots = value_of(r, HET__VALUE_INPUT, HET_DTYPE_I32, 1, tokens);
    g.segments = value_of(r, HET__VALUE_INPUT, HET_DTYPE_I32, 2, segments);
    g.pages = value_of(r, HET__VALUE_INPUT, HET_DTYPE_I32, 1, pages);
    const uint32_t weight = het__graph_const(&r->graph, "w", HET_DTYPE_F32, 1,
                                             (const int64_t[]){ SIZE }, head_weight);
    uint32_t inputs[HET__ATTN_INPUT_COUNT] = {
        g.q, g.k, g.v, k_state, v_state, g.positions, g.slots, g.segments, g.pages,
        HET__NO_VALUE, HET__NO_VALUE, HET__NO_VALUE,
    };
    if (fused) {
        inputs[HET__ATTN_Q_NORM] = inputs[HET__ATTN_K_NORM] = weight;
    } else {
        inputs[HET__ATTN_Q] = prepare_head(r, g.q, weight, g.positions);
        inputs[HET__ATTN_K] = prepare_head(r, g.k, weight, g.positions);
    }
    const het__attrs attrs = attention_attrs(fused);
    g.out = het__graph_node(&r->graph, HET__OP_ATTENTION, 0, "attention", inputs,
                            HET__ATTN_INPUT_COUNT, &attrs, NULL);
    r->symbols[HET__SYM_SEQUENCES] = 1;
    r->symbols[HET__SYM_STATE_PAGES] = r->symbols_max[HET__SYM_STATE_PAGES] = PAGES + 1;
    r->symbols_max[HET__SYM_TOKENS] = TOKENS;
    r->symbols[HET__SYM_PAGES] = r->symbols_max[HET__SYM_PAGES] = PAGES;
    return g;
}

/* The rows before..before+count of one sequence of random rows; out gets their results. */
static void attention_step(rig *r, const attention_graph *g, int32_t before, int32_t count,
                           float *out)
{
    static const int32_t pages[PAGES] = { 3, 0, 2 };
    const int32_t segment[4] = { 0, count, before, 0 };
    uint64_t random = 42;
    r->symbols[HET__SYM_TOKENS] = count;
    for (int32_t t = 0; t < before + count; t++) {
        const bool used = t >= before;
        const int32_t row = used ? t - before : 0;
        float *q = (float *)rig_data(r, g->q) + row * HEADS * SIZE;
        float *k = (float *)rig_data(r, g->k) + row * KV_HEADS * SIZE;
        float *v = (float *)rig_data(r, g->v) + row * KV_HEADS * SIZE;
        for (int i = 0; i < HEADS * SIZE; i++)
            q[i] = test_random_float(&random);
        for (int i = 0; i < KV_HEADS * SIZE; i++) {
            k[i] = test_random_float(&random);
            v[i] = test_random_float(&random);
        }
        ((int32_t *)rig_data(r, g->positions))[row] = t;
        ((int32_t *)rig_data(r, g->slots))[row] = pages[t / PAGE] * PAGE + t % PAGE;
    }
    memcpy(rig_data(r, g->segments), segment, sizeof segment);
    memcpy(rig_data(r, g->pages), pages, sizeof pages);
    rig_run(r);
    memcpy(out + before * HEADS * SIZE, rig_data(r, g->out),
           (size_t)count * HEADS * SIZE * sizeof *out);
}

/* TOKENS rows in steps of at most chunk tokens. */
static void attention_result(het_dtype state, bool fused, int32_t chunk, float *out)
{
    rig r;
    rig_open(&r, "ref");
    const attention_graph g = build_attention(&r, state, fused);
    if (rig_compile(&r)) {
        for (int32_t t = 0; t < TOKENS; t += chunk)
            attention_step(&r, &g, t, t + chunk < TOKENS ? chunk : TOKENS - t, out);
    }
    rig_close(&r);
}

static void same_floats(const float *a, const float *b, int count)
{
    double sum = 0;
    for (int i = 0; i < count; i++) {
        CHECK_NEAR((double)a[i], (double)b[i], 0.0);
        sum += fabs((double)a[i]);
    }
    CHECK(sum > 0);
}

static void chunks_equal_the_whole(void)
{
    static float whole[TOKENS * HEADS * SIZE], chunked[TOKENS * HEADS * SIZE];
    for (int i = 0; i < 2; i++) {
        const het_dtype state = i ? HET_DTYPE_F16 : HET_DTYPE_F32;
        attention_result(state, true, TOKENS, whole);
        for (int32_t chunk = 1; chunk < TOKENS; chunk += 3) {
            memset(chunked, 0, sizeof chunked);
            attention_result(state, true, chunk, chunked);
            same_floats(chunked, whole, TOKENS * HEADS * SIZE);
        }
    }
}

static void fused_equals_separate(void)
{
    static float fused[TOKENS * HEADS * SIZE], separate[TOKENS * HEADS * SIZE];
    attention_result(HET_DTYPE_F16, true, 4, fused);
    attention_result(HET_DTYPE_F16, false, 4, separate);
    same_floats(fused, separate, TOKENS * HEADS * SIZE);
}

/* ---- the device ---- */

static void device_says_what_it_is(void)
{
    het__probed probed;
    memset(&probed, 0, sizeof probed);
    const het__backend *ref = rig_backend("ref");
    CHECK(ref && !ref->on_demand);
    ref->probe(NULL, &probed);
    CHECK_INT(probed.device_count, 1);
    CHECK_INT(probed.device[0].kind, HET_DEVICE_REFERENCE);
    CHECK_STR(probed.device[0].name, "reference (plain C)");
    CHECK(probed.device[0].memory_bytes > 0);
}

/* Two nodes that share a weight: it counts once. A row of F32 off its alignment is read too. */
static void counters_and_unaligned_weights(void)
{
    static const int64_t extent[] = { 2, 3 };
    const float values[6] = { 1, 2, 3, 4, 5, 6 };
    char bytes[sizeof values + 1];
    memcpy(bytes + 1, values, sizeof values);
    rig r;
    rig_open(&r, "ref");
    const het__extent x_extent[] = { S(TOKENS), N(3) };
    const uint32_t x = value_of(&r, HET__VALUE_INPUT, HET_DTYPE_F32, 2, x_extent);
    const uint32_t w = het__graph_const(&r.graph, "w", HET_DTYPE_F32, 2, extent, bytes + 1);
    const uint32_t inputs[] = { x, HET__NO_VALUE, w, HET__NO_VALUE };
    const het__attrs attrs = { .linear = { 1, false } };
    uint32_t y = HET__NO_VALUE;
    for (int i = 0; i < 2; i++)
        y = het__graph_node(&r.graph, HET__OP_LINEAR, 0, "linear", inputs, 4, &attrs, NULL);
    if (rig_compile(&r)) {
        memcpy(rig_data(&r, x), values, 3 * sizeof *values);
        rig_run(&r);
        const float *got = rig_data(&r, y);
        CHECK_NEAR((double)got[0], 14.0, 0.0);
        CHECK_NEAR((double)got[1], 32.0, 0.0);
        het__backend_counters counters;
        r.backend->counters(r.device, &counters);
        CHECK_INT(counters.weight_bytes, sizeof values);
        CHECK_INT(counters.mapped_bytes, sizeof values);
        CHECK_INT(counters.launch_count, 2);
        CHECK(counters.scratch_bytes > 0);
    }
    rig_close(&r);
}

/* An allocator whose n-th allocation fails. */
static void *limited_alloc(void *user, size_t bytes, size_t align)
{
    int *left = user;
    return --*left < 0 ? NULL : aligned_alloc(align, het__round_up(bytes, align));
}

static void limited_free(void *user, void *ptr, size_t bytes, size_t align)
{
    (void)user;
    (void)bytes;
    (void)align;
    free(ptr);
}

/* The device's memory runs out at each allocation of opening and compiling, which then leave
 * nothing behind. */
static void memory_runs_out(const char *backend)
{
    het_status status = HET_E_NOMEM;
    int limit = 0;
    for (; status == HET_E_NOMEM && limit < 100; limit++) {
        int left = limit;
        const het_allocator allocator = { .struct_size = sizeof allocator, .user = &left,
                                          .alloc = limited_alloc, .free = limited_free };
        het__mem mem;
        het__mem_init(&mem, &allocator);
        rig r;
        rig_init(&r, backend);
        r.host.mem = &mem;
        het_error err = HET_ERROR_INIT;
        build_attention(&r, HET_DTYPE_F16, false);
        status = rig_open_device(&r, &err);
        if (!status)
            status = rig_buffers(&r, &err);
        if (!status)
            status = rig_compile_slice(&r, &err);
        CHECK_INT(err.status, status);
        rig_close(&r);
        CHECK_INT(mem.bytes, 0);
    }
    CHECK_INT(status, HET_OK);
    CHECK(limit > 10);
}

static void memory_of_ref_runs_out(void)
{
    memory_runs_out("ref");
}

static void memory_of_null_runs_out(void)
{
    memory_runs_out("null");
}

static void refuses_what_it_cannot_read(void)
{
    static const int64_t extent[] = { 2, 3 };
    rig r;
    rig_init(&r, "ref");
    const het__extent x_extent[] = { S(TOKENS), N(3) };
    const uint32_t x = value_of(&r, HET__VALUE_INPUT, HET_DTYPE_F32, 2, x_extent);
    const uint32_t w = het__graph_const(&r.graph, "w", HET_DTYPE_NONE, 2, extent, NULL);
    const uint32_t inputs[] = { x, HET__NO_VALUE, w, HET__NO_VALUE };
    const het__attrs attrs = { .linear = { 1, false } };
    het__graph_node(&r.graph, HET__OP_LINEAR, 0, "linear", inputs, 4, &attrs, NULL);
    char reason[128] = "";
    CHECK(!r.graph.failed && r.graph.node_count == 1);
    CHECK(!r.backend->supports(&r.graph, &r.graph.nodes[0], reason, sizeof reason));
    CHECK_STR(reason, "input 2 of linear is unknown");
    r.graph.values[w].dtype = HET_DTYPE_F16;
    CHECK(r.backend->supports(&r.graph, &r.graph.nodes[0], reason, sizeof reason));
    rig_close(&r);
}

int main(void)
{
    test_case(vectors);
    test_case(chunks_equal_the_whole);
    test_case(fused_equals_separate);
    test_case(device_says_what_it_is);
    test_case(counters_and_unaligned_weights);
    test_case(refuses_what_it_cannot_read);
    test_case(memory_of_ref_runs_out);
    test_case(memory_of_null_runs_out);
    return test_finish();
}
