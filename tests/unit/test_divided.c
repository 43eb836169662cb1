/* SPDX-License-Identifier: Apache-2.0 */
/* Products divided by rows: the graph that a pass makes of one, which splits a session looks for by
 * itself and what they gain in simulated time, what devices hold, and that parts run side by side.
 * That tokens stay the same is the business of tests/conformance/split_rows.c. */
#define _POSIX_C_SOURCE 200809L /* setenv */
#include <hetinfer.h>

#include "tiny_model.h"
#include "tiny_onnx.h"

#include "lib/api/handles.h"
#include "lib/exec/trace.h"
#include "lib/passes/split_rows.h"

static het__mem memory;

/* ---- the pass ---- */

#define K 32

typedef struct rig {
    het__graph g;
    uint32_t x, residual;
    uint32_t two, one, gated; /* nodes: two projections of 64 and 12 rows; with residual; gated */
    uint32_t outputs[4];
    float weights[64 * K], bias[64];
    uint8_t blocks[64 * 18]; /* Q4_0 rows of K */
} rig;

static uint32_t matrix(het__graph *g, const char *name, het_dtype dtype, int64_t rows,
                       const void *data)
{
    const int64_t extent[2] = { rows, K };
    return het__graph_const(g, name, dtype, 2, extent, data);
}

static void begin(rig *r)
{
    const het__extent e[2] = { { 1, HET__SYM_TOKENS }, { K, HET__SYM_ONE } };
    const het__extent wide[2] = { { 1, HET__SYM_TOKENS }, { 64, HET__SYM_ONE } };
    const int64_t n = 64;
    het__graph *g = &r->g;
    het__graph_init(g, &memory);
    r->x = het__graph_value(g, "x", HET__VALUE_INPUT, HET_DTYPE_F32, 2, e);
    r->residual = het__graph_value(g, "r", HET__VALUE_INPUT, HET_DTYPE_F32, 2, wide);
    const uint32_t q = matrix(g, "q", HET_DTYPE_F32, 64, r->weights);
    const uint32_t k = matrix(g, "k", HET_DTYPE_Q4_0, 12, r->blocks);
    const uint32_t bias = het__graph_const(g, "b", HET_DTYPE_F32, 1, &n, r->bias);
    const uint32_t two[6] = { r->x, HET__NO_VALUE, q, bias, k, HET__NO_VALUE };
    const het__attrs projections = { .linear = { 2, false } }, residual = { .linear = { 1, true } };
    r->two = g->node_count;
    r->outputs[0] = het__graph_node(g, HET__OP_LINEAR, 0, "qk", two, 6, &projections, NULL);
    r->outputs[1] = r->outputs[0] + 1;
    const uint32_t one[4] = { r->x, r->residual, q, HET__NO_VALUE };
    r->one = g->node_count;
    r->outputs[2] = het__graph_node(g, HET__OP_LINEAR, 0, "o", one, 4, &residual, NULL);
    const uint32_t three[3] = { r->x, q, matrix(g, "u", HET_DTYPE_Q4_0, 64, r->blocks) };
    const het__attrs silu = { .gated = { HET__UNARY_SILU } };
    r->gated = g->node_count;
    r->outputs[3] = het__graph_node(g, HET__OP_GATED, 0, "up", three, 3, &silu, NULL);
    for (int i = 0; i < 4; i++)
        het__graph_output(g, r->outputs[i], "out");
    CHECK(!g->failed);
}

static const het__value *weight_of(const het__graph *g, uint32_t node, uint32_t at)
{
    return &g->values[g->nodes[node].inputs[at]];
}

static void parts_point_into_the_whole(void)
{
    static rig r;
    het__split_graph s;
    het_error err = HET_ERROR_INIT;
    begin(&r);
    const het__row_cut cuts[] = { { r.two, 0.25 }, { r.two, 0.75 }, { r.one, 0.5 },
                                  { r.gated, 0.5 } };
    const bool reversed[3] = { false, true, false };
    const het__split_request q = { &r.g, cuts, 4, reversed, NULL };
    CHECK_INT(het__split_rows(&q, &memory, &s, &err), HET_OK);
    CHECK_INT(s.split_count, 3);
    /* Three parts and two joins; two parts, a join and the residual; two parts and a join. */
    CHECK_INT(s.graph.node_count, 5 + 4 + 3);
    const het__node *n = s.graph.nodes;
    CHECK(n[0].op == HET__OP_LINEAR && n[3].op == HET__OP_JOIN && n[8].op == HET__OP_ADD);
    CHECK(s.origins[1].is_part && s.origins[1].first == 0.25 && s.origins[2].first == 0.75);
    CHECK(s.origins[3].is_behind && s.origins[8].is_behind && s.origins[11].is_behind);
    CHECK_INT(s.origins[8].node, r.one);
    /* Rows 16 to 48 of q with their biases, 3 to 9 of k. */
    CHECK(weight_of(&s.graph, 1, 2)->data == (const void *)(r.weights + 16 * K));
    CHECK(weight_of(&s.graph, 1, 3)->data == (const void *)(r.bias + 16));
    CHECK(weight_of(&s.graph, 1, 4)->data == (const void *)(r.blocks + 3 * 18));
    CHECK_INT(weight_of(&s.graph, 1, 2)->extent[0].count, 32);
    CHECK_INT(weight_of(&s.graph, 1, 4)->extent[0].count, 6);
    CHECK_STR(weight_of(&s.graph, 1, 2)->name, "q[16:48]");
    /* The last rows first; joined in their order all the same. */
    CHECK(s.origins[5].first == 0.5 && s.origins[6].first == 0);
    CHECK_INT(n[7].inputs[0], n[6].outputs[0]);
    CHECK(!n[5].attrs.linear.residual && n[5].inputs[1] == HET__NO_VALUE);
    CHECK_INT(n[8].inputs[1], r.residual);
    CHECK(weight_of(&s.graph, 10, 2)->data == (const void *)(r.blocks + 32 * 18));
    /* Values keep their numbers, outputs too. */
    for (int i = 0; i < 4; i++)
        CHECK_INT(s.graph.outputs[i], r.outputs[i]);
    CHECK_INT(n[8].outputs[0], r.outputs[2]);
    het__graph_finish(&s.graph);
    het__graph_finish(&r.g);
}

static void cuts_without_rows_are_left_out(void)
{
    static rig r;
    het__split_graph s;
    begin(&r);
    /* Tiles of 8 rows of 64, single rows of 12: 0.04 is nothing of q, nor of k; 0.05 a row of k. */
    const het__row_cut none[] = { { r.two, 0.04 }, { r.gated, 0.97 } };
    const het__split_request nothing = { &r.g, none, 2, NULL, NULL };
    CHECK_INT(het__split_rows(&nothing, &memory, &s, NULL), HET_OK);
    CHECK_INT(s.split_count, 0);
    CHECK_INT(s.graph.node_count, r.g.node_count);
    het__graph_finish(&s.graph);
    const het__row_cut small[] = { { r.two, 0.05 }, { r.two, 0.055 }, { r.two, 0.06 } };
    const het__split_request little = { &r.g, small, 3, NULL, NULL };
    CHECK_INT(het__split_rows(&little, &memory, &s, NULL), HET_OK);
    CHECK_INT(s.split_count, 1);
    /* All of q in the second part, which makes the output by itself; k is joined. */
    CHECK_INT(s.graph.node_count, 2 + 1 + 2);
    CHECK_INT(s.graph.nodes[0].output_count, 1);
    CHECK_INT(s.graph.nodes[1].outputs[0], r.outputs[0]);
    CHECK_INT(s.graph.nodes[2].outputs[0], r.outputs[1]);
    het__graph_finish(&s.graph);
    het__graph_finish(&r.g);
}

/* ---- sessions ---- */

#define PROMPT 120
#define TOKENS 8

static het_context *context;
static tiny_model tiny;
static het_model *model;

static const tiny_options small = {
    .architecture = "llama", .layers = 2, .width = 256, .ffn = 2048, .heads = 8, .kv_heads = 8,
    .head_size = 32, .vocabulary = 512, .context = 512, .seed = 5, .type = GW_Q8_0,
};
/* Products long enough for copies to pay. */
static const tiny_options large = {
    .architecture = "llama", .layers = 1, .width = 1024, .ffn = 6144, .heads = 8, .kv_heads = 8,
    .head_size = 128, .vocabulary = 512, .context = 512, .seed = 5, .type = GW_Q8_0,
};

static bool open_context(const tiny_options *t, const char *backends, const char *sim,
                         const char *scale)
{
    het_context_options o = HET_CONTEXT_OPTIONS_INIT;
    het_error err = HET_ERROR_INIT;
    setenv("HETINFER_SIM", sim, 1);
    setenv("HETINFER_SIM_SCALE", scale, 1);
    for (const het__backend *const *b = het__backends; *b; b++)
        if (strcmp((*b)->name, "cpu_onednn") == 0)
            setenv("HETINFER_SIM_COMPUTE", (*b)->name, 1);
    o.backends = backends;
    if (het_context_create(&o, &context, &err) != HET_OK)
        return false;
    tiny_make(&tiny, t);
    if (het_model_load_memory(context, tiny.file, tiny.bytes, NULL, &model, &err) != HET_OK)
        TEST_FAIL("%s", err.message);
    return true;
}

static void close_context(void)
{
    het_model_destroy(model);
    het_context_destroy(context);
    tiny_free(&tiny);
}

static het_session *open_session(const char *text)
{
    het_session_options o = HET_SESSION_OPTIONS_INIT;
    het_error err = HET_ERROR_INIT;
    het_policy *policy = NULL;
    het_session *s = NULL;
    o.threads = 2;
    o.batch_max = 512;
    o.context_max = 512;
    o.precision = HET_PRECISION_EXACT;
    if (text && het_policy_load_memory(context, text, strlen(text), NULL, &policy, &err) != HET_OK)
        TEST_FAIL("%s", err.message);
    o.policy = policy;
    if (het_session_create(model, &o, &s, &err) != HET_OK)
        TEST_FAIL("%s", err.message);
    het_policy_destroy(policy);
    return s;
}

static int32_t best_of(const float *row)
{
    int32_t best = 0;
    for (int32_t i = 1; i < 512; i++)
        if (row[i] > row[best])
            best = i;
    return best;
}

/* A prompt and greedy tokens behind it. */
static void generate(het_session *s, int32_t *tokens)
{
    het_sequence *q = NULL;
    het_error err = HET_ERROR_INIT;
    int32_t ids[PROMPT];
    for (int i = 0; i < PROMPT; i++)
        ids[i] = 3 + i * 37 % 500;
    CHECK_INT(het_sequence_create(s, &q, &err), HET_OK);
    CHECK_INT(het_sequence_append(q, ids, PROMPT, 0, &err), HET_OK);
    for (int i = 0; q && i < TOKENS; i++) {
        while (het_sequence_pending(q) > 0 && het_session_step(s, NULL, &err) == HET_OK) {
        }
        const float *logits = het_sequence_logits(q, NULL, NULL);
        CHECK(logits != NULL);
        tokens[i] = logits ? best_of(logits) : -1;
        CHECK_INT(het_sequence_append(q, &tokens[i], 1, 0, &err), HET_OK);
    }
    het_sequence_destroy(q);
}

static het_plan_info info_of(const het_session *s, het_phase phase)
{
    het_plan_info info = { .struct_size = sizeof info };
    CHECK_INT(het_plan_get_info(het_session_plan(s, phase), &info), HET_OK);
    return info;
}

#define V "hetinfer-policy: 1\n"

/* Modelled time of the busiest simulated device. */
static uint64_t busiest(const het_session *s)
{
    uint64_t most = 0;
    for (uint32_t i = 0; i < het_telemetry_device_count(s); i++) {
        het_telemetry_device d = { .struct_size = sizeof d };
        CHECK_INT(het_telemetry_device_at(s, i, &d), HET_OK);
        most = d.busy_ns > most ? d.busy_ns : most;
    }
    return most;
}

/* Two simulated devices, of which nobody has measured anything. */
static void sessions_look_for_splits(void)
{
    int32_t want[TOKENS], got[TOKENS];
    if (!open_context(&large, "sim", "amd-8945hs:cpu,intel-185h:cpu", "0"))
        return;
    het_session *plain =
        open_session(V "split: {when: never, rows: [{to: simulated, share: 0.5}]}\n");
    het_session *unsaid = open_session(NULL), *split = open_session(V "split: {when: always}\n");
    if (plain && unsaid && split) {
        generate(plain, want);
        generate(split, got);
        CHECK(memcmp(want, got, sizeof want) == 0);
        const het_plan_info whole = info_of(plain, HET_PHASE_PREFILL);
        const het_plan_info info = info_of(split, HET_PHASE_PREFILL);
        printf("prefill %.3f ms, simulated %.3f ms, with %u splits %.3f ms\n",
               whole.predicted_ns / 1e6, info.simulated_ns / 1e6, info.split_count,
               info.split_ns / 1e6);
        CHECK(whole.split_count == 0 && whole.simulated_ns == 0);
        CHECK_INT(info_of(unsaid, HET_PHASE_PREFILL).split_count, 0);
        CHECK(info.split_count > 0 && info.split_ns < info.simulated_ns);
        printf("busiest device %.3f ms undivided, %.3f ms divided\n", (double)busiest(plain) / 1e6,
               (double)busiest(split) / 1e6);
        CHECK(busiest(split) < busiest(plain));
    }
    het_session_destroy(plain);
    het_session_destroy(unsaid);
    het_session_destroy(split);
    close_context();
}

/* ---- memory ---- */

static double planned_weights(const het_session *s)
{
    double sum = 0;
    het_plan_device d = { .struct_size = sizeof d };
    const het_plan *p = het_session_plan(s, HET_PHASE_DECODE);
    for (uint32_t i = 0; het_plan_device_at(p, i, &d) == HET_OK; i++)
        sum += d.weight_bytes;
    return sum;
}

static void every_row_is_held_once(void)
{
    if (!open_context(&small, "sim", "amd-8945hs:cpu,amd-8945hs:igpu", "0"))
        return;
    het_session *whole = open_session(V "rules: [{prefer: \"simulated:0\"}]\n");
    het_session *split = open_session(V "rules: [{prefer: \"simulated:0\"}]\n"
                                        "split: {rows: [{to: \"simulated:1\", share: 0.4}]}\n");
    if (whole && split) {
        uint64_t sum = 0;
        het_telemetry t = { .struct_size = sizeof t }, undivided = { .struct_size = sizeof t };
        CHECK(info_of(split, HET_PHASE_DECODE).split_count > 0);
        printf("weights %.0f undivided, %.0f divided\n", planned_weights(whole),
               planned_weights(split));
        CHECK(planned_weights(split) == planned_weights(whole));
        CHECK_INT(het_telemetry_snapshot(split, &t), HET_OK);
        CHECK_INT(het_telemetry_snapshot(whole, &undivided), HET_OK);
        CHECK_INT(t.weight_bytes, undivided.weight_bytes);
        CHECK_INT(het_telemetry_device_count(split), 2);
        for (uint32_t i = 0; i < 2; i++) {
            het_telemetry_device d = { .struct_size = sizeof d };
            CHECK_INT(het_telemetry_device_at(split, i, &d), HET_OK);
            CHECK(d.weight_bytes > 0);
            CHECK((double)(d.weight_bytes + d.state_bytes + d.io_bytes) <= d.planned_bytes);
            sum += d.weight_bytes;
        }
        CHECK_INT(sum, t.weight_bytes);
    }
    het_session_destroy(whole);
    het_session_destroy(split);
    close_context();
}

/* Parts count against the limit of the device that they are for. */
static void limits_hold_for_parts(void)
{
    if (!open_context(&small, "sim", "amd-8945hs:cpu,amd-8945hs:igpu", "0"))
        return;
    het_session *s = open_session(V "rules: [{prefer: \"simulated:0\"}]\n"
                                    "split: {rows: [{to: \"simulated:1\", share: 0.4}]}\n"
                                    "limits: {\"simulated:1\": {memory: 100 kB, stream: false}}\n");
    if (s)
        CHECK_INT(info_of(s, HET_PHASE_DECODE).split_count, 0);
    het_session_destroy(s);
    close_context();
}

/* ---- side by side ---- */

static bool overlap(const het__trace_event *a, const het__trace_event *b)
{
    return a->kind == HET__TRACE_PROGRAM && b->kind == HET__TRACE_PROGRAM && a->step == b->step &&
           a->device != b->device && a->begin_ns < b->end_ns &&
           b->begin_ns < a->end_ns;
}

static uint32_t overlaps_of(const het__trace *trace)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < het__trace_count(trace); i++)
        for (uint32_t k = i + 1; k < het__trace_count(trace); k++)
            count += overlap(het__trace_at(trace, i), het__trace_at(trace, k));
    return count;
}

/* The processor computes its part while the simulated device is at its own. Whether the device's
 * thread gets a core in time is up to the system, so there are some steps to see it in. */
static void parts_run_side_by_side(void)
{
    int32_t tokens[TOKENS];
    uint32_t overlaps = 0;
    if (!open_context(&small, "cpu_onednn,sim", "amd-8945hs:igpu", "20"))
        return;
    het_session *s = open_session(V "rules: [{prefer: cpu}]\n"
                                    "split: {rows: [{to: simulated, share: 0.5}]}\n");
    for (int i = 0; s && i < 20 && overlaps == 0; i++) {
        CHECK_INT(het_session_trace_start(s, 0, NULL), HET_OK);
        generate(s, tokens);
        overlaps = overlaps_of(s->trace);
    }
    printf("%u parts side by side\n", overlaps);
    CHECK(overlaps > 0);
    het_session_destroy(s);
    close_context();
}

/* ---- branches ---- */

#define SIDE 640
#define ROWS 256

/* x -> a -> relu, then two branches of two products each, and their sum. Weights by columns, which
 * are not divided. */
static void make_branches(tiny_onnx *m)
{
    static const char *const names[] = { "a", "b1", "b2", "c1", "c2" };
    float *weights = malloc(sizeof(float) * SIDE * SIDE);
    uint64_t seed = 11;
    char extents[24];
    snprintf(extents, sizeof extents, "%d,%d", SIDE, SIDE);
    tiny_onnx_input(m, "x", TINY_F32, "256,640");
    for (int i = 0; weights && i < 5; i++) {
        for (int k = 0; k < SIDE * SIDE; k++)
            weights[k] = test_random_float(&seed) / 32;
        tiny_onnx_floats(m, names[i], extents, weights, (size_t)SIDE * SIDE);
    }
    tiny_onnx_node(m, "MatMul", "", "first", "x,a", "xa");
    tiny_onnx_node(m, "Relu", "", "bend", "xa", "h");
    tiny_onnx_node(m, "MatMul", "", "b.1", "h,b1", "hb");
    tiny_onnx_node(m, "Sigmoid", "", "b.2", "hb", "hs");
    tiny_onnx_node(m, "MatMul", "", "b.3", "hs,b2", "b");
    tiny_onnx_node(m, "Sigmoid", "", "c.0", "h", "g");
    tiny_onnx_node(m, "MatMul", "", "c.1", "g,c1", "gc");
    tiny_onnx_node(m, "Sigmoid", "", "c.2", "gc", "gs");
    tiny_onnx_node(m, "MatMul", "", "c.3", "gs,c2", "c");
    tiny_onnx_node(m, "Add", "", "sum", "b,c", "y");
    tiny_onnx_output(m, "y", TINY_F32, "256,640");
    tiny_onnx_finish(m, 13);
    free(weights);
}

static void run_branches(het_session *s, float *pixels, float *out)
{
    het_error err = HET_ERROR_INIT;
    het_tensor in = HET_TENSOR_INIT, result = HET_TENSOR_INIT;
    het_port port = { .struct_size = sizeof port, .desc = HET_TENSOR_DESC_INIT };
    CHECK_INT(het_model_input_at(model, 0, &port), HET_OK);
    in.desc = port.desc;
    in.data = pixels;
    in.size_bytes = sizeof(float) * ROWS * SIDE;
    CHECK_INT(het_session_bind_input(s, "x", &in, &err), HET_OK);
    CHECK_INT(het_session_run(s, &err), HET_OK);
    CHECK_INT(het_session_get_output(s, "y", &result, &err), HET_OK);
    if (result.data)
        memcpy(out, result.data, sizeof(float) * ROWS * SIDE);
}

static void branches_run_beside_each_other(void)
{
    static float x[ROWS * SIDE], want[ROWS * SIDE], got[ROWS * SIDE];
    uint64_t seed = 3;
    het_context_options o = HET_CONTEXT_OPTIONS_INIT;
    het_error err = HET_ERROR_INIT;
    tiny_onnx m = { 0 };
    uint32_t overlaps = 0;
    setenv("HETINFER_SIM", "amd-8945hs:cpu,intel-185h:cpu", 1);
    setenv("HETINFER_SIM_SCALE", "1", 1);
    o.backends = "sim";
    make_branches(&m);
    if (het_context_create(&o, &context, &err) != HET_OK ||
        het_model_load_memory(context, m.file, m.bytes, NULL, &model, &err) != HET_OK)
        TEST_FAIL("%s", err.message);
    for (int i = 0; i < ROWS * SIDE; i++)
        x[i] = test_random_float(&seed);
    het_session *plain = open_session(V "split: {when: never}\n");
    het_session *split = open_session(V "split: {when: always}\n");
    if (plain && split) {
        het_plan_split first = { .struct_size = sizeof first };
        run_branches(plain, x, want);
        run_branches(split, x, got);
        CHECK(memcmp(got, want, sizeof got) == 0);
        const het_plan_info info = info_of(split, HET_PHASE_DECODE);
        printf("a run %.3f ms simulated, with %u branches %.3f ms\n", info.simulated_ns / 1e6,
               info.split_count, info.split_ns / 1e6);
        CHECK(info.split_count > 0 && info.split_ns < info.simulated_ns);
        CHECK_INT(het_plan_split_at(het_session_plan(split, HET_PHASE_DECODE), 0, &first), HET_OK);
        CHECK(first.share == 1 && first.device != first.other);
        for (int i = 0; i < 20 && overlaps == 0; i++) {
            CHECK_INT(het_session_trace_start(split, 0, NULL), HET_OK);
            run_branches(split, x, got);
            overlaps = overlaps_of(split->trace);
        }
        CHECK(memcmp(got, want, sizeof got) == 0);
        CHECK(overlaps > 0);
    }
    het_session_destroy(plain);
    het_session_destroy(split);
    het_model_destroy(model);
    het_context_destroy(context);
    tiny_onnx_free(&m);
}

int main(void)
{
    het__mem_init(&memory, NULL);
    test_case(parts_point_into_the_whole);
    test_case(cuts_without_rows_are_left_out);
    test_case(sessions_look_for_splits);
    test_case(every_row_is_held_once);
    test_case(limits_hold_for_parts);
    test_case(parts_run_side_by_side);
    test_case(branches_run_beside_each_other);
    return test_finish();
}
