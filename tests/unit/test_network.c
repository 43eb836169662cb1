/* SPDX-License-Identifier: Apache-2.0 */
/* Graph models by the public interface: what a file says of itself, tensors bound and run, and
 * what is refused, with whose name. The tiny graph: y = Relu(x + b), z = y * y. */
#include <hetinfer.h>

#include "counting_allocator.h"
#include "lib/base/os.h"
#include "tiny_model.h"
#include "tiny_onnx.h"

static counting_allocator counter;
static const char *device;
static het_context *context;
static tiny_onnx tiny;
static het_model *model;

static het_session *open_session(const het_model *from)
{
    het_error err = HET_ERROR_INIT;
    het_session_options o = HET_SESSION_OPTIONS_INIT;
    het_session *s = NULL;
    o.devices = device;
    o.threads = 2;
    if (het_session_create(from, &o, &s, &err) != HET_OK)
        TEST_FAIL("%s", err.message);
    return s;
}

static het_tensor matrix(void *data, int64_t rows, int64_t columns)
{
    het_tensor t = HET_TENSOR_INIT;
    t.data = data;
    t.size_bytes = (size_t)(rows * columns) * sizeof(float);
    t.desc.dtype = HET_DTYPE_F32;
    t.desc.rank = 2;
    t.desc.extent[0] = rows;
    t.desc.extent[1] = columns;
    return t;
}

static float wanted_y(const float *x, int64_t i)
{
    static const float b[3] = { 1, -2, 3 };
    const float s = x[i] + b[i % 3];
    return s > 0 ? s : 0;
}

static void bind(het_session *s, float *x, int64_t rows)
{
    het_error err = HET_ERROR_INIT;
    const het_tensor t = matrix(x, rows, 3);
    if (het_session_bind_input(s, "x", &t, &err) != HET_OK)
        TEST_FAIL("%s", err.message);
}

static void run(het_session *s)
{
    het_error err = HET_ERROR_INIT;
    if (het_session_run(s, &err) != HET_OK)
        TEST_FAIL("%s", err.message);
}

/* Both outputs of the tiny graph; data of y, or NULL. */
static const float *check_outputs(het_session *s, const float *x, int64_t rows)
{
    const char *const names[2] = { "y", "z" };
    const float *y = NULL;
    for (int k = 0; k < 2; k++) {
        het_error err = HET_ERROR_INIT;
        het_tensor t = HET_TENSOR_INIT;
        if (het_session_get_output(s, names[k], &t, &err) != HET_OK) {
            TEST_FAIL("%s", err.message);
            return NULL;
        }
        CHECK_INT(t.desc.dtype, HET_DTYPE_F32);
        CHECK_INT(t.desc.rank, 2);
        CHECK_INT(t.desc.extent[0], rows);
        CHECK_INT(t.desc.extent[1], 3);
        CHECK(t.size_bytes >= (size_t)rows * 12);
        for (int64_t i = 0; i < rows * 3; i++) {
            const float want = wanted_y(x, i);
            CHECK_NEAR(((float *)t.data)[i], k ? want * want : want, 1e-6);
        }
        y = k ? y : t.data;
    }
    return y;
}

static void fill(float *x, int64_t count, uint64_t seed)
{
    for (int64_t i = 0; i < count; i++)
        x[i] = 4 * test_random_float(&seed);
}

/* ---- what a file says ---- */

static void describes_itself(void)
{
    het_model_info info = { .struct_size = sizeof info };
    CHECK_INT(het_model_get_info(model, &info), HET_OK);
    CHECK_STR(info.format, "onnx");
    CHECK_STR(info.architecture, "tiny");
    CHECK_STR(info.name, "tiny");
    CHECK_INT(info.parameter_count, 3);
    CHECK_INT(info.weight_bytes, 12);
    CHECK(het_model_tokenizer(model) == NULL);
    CHECK_INT(het_model_weight_count(model), 1);
    het_weight w = { .struct_size = sizeof w };
    CHECK_INT(het_model_weight_at(model, 0, &w), HET_OK);
    CHECK_STR(w.name, "b");
    CHECK_STR(w.module, "Add");
    CHECK_INT(w.layer, -1);
    CHECK_INT(w.size_bytes, 12);
    CHECK_INT(w.desc.dtype, HET_DTYPE_F32);
    CHECK_INT(w.desc.extent[0], 3);
    CHECK_INT(het_model_weight_at(model, 1, &w), HET_E_INVALID);
}

/* In whatever order they lie in memory, and one that nothing reads. */
static void names_readers_of_weights(void)
{
    static const float values[4] = { 1, 2, 3, 4 };
    static const char *const names[5] = { "d", "a", "c", "b", "e" };
    static const char *const readers[5] = { "Sub", "Add", "other", "Mul", "Div" };
    tiny_onnx file = { { NULL, 0 }, NULL, 0 };
    for (int i = 0; i < 5; i++)
        tiny_onnx_floats(&file, names[i], "4", values, 4);
    tiny_onnx_node(&file, "Add", "", "n1", "x,a", "p");
    tiny_onnx_node(&file, "Mul", "", "n2", "p,b", "q");
    tiny_onnx_node(&file, "Sub", "", "n3", "q,d", "r");
    tiny_onnx_node(&file, "Div", "", "n4", "r,e", "s");
    tiny_onnx_node(&file, "Mul", "", "n5", "s,a", "y");
    tiny_onnx_input(&file, "x", TINY_F32, "4");
    tiny_onnx_output(&file, "y", TINY_F32, "4");
    tiny_onnx_finish(&file, 13);
    het_model *m = NULL;
    CHECK_INT(het_model_load_memory(context, file.file, file.bytes, NULL, &m, NULL), HET_OK);
    for (size_t i = 0; m && i < 5; i++) {
        het_weight w = { .struct_size = sizeof w };
        CHECK_INT(het_model_weight_at(m, i, &w), HET_OK);
        CHECK_STR(w.name, names[i]);
        CHECK_STR(w.module, readers[i]);
    }
    het_model_destroy(m);
    tiny_onnx_free(&file);
}

static void describes_ports(void)
{
    het_port p = { .struct_size = sizeof p };
    CHECK_INT(het_model_input_count(model), 1);
    CHECK_INT(het_model_output_count(model), 2);
    CHECK_INT(het_model_input_at(model, 0, &p), HET_OK);
    CHECK_STR(p.name, "x");
    CHECK_INT(p.desc.dtype, HET_DTYPE_F32);
    CHECK_INT(p.desc.rank, 2);
    CHECK_INT(p.desc.flags, 0);
    CHECK_INT(p.desc.extent[0], -1);
    CHECK_INT(p.desc.extent[1], 3);
    CHECK_STR(p.symbol[0], "N");
    CHECK(p.symbol[1] == NULL);
    CHECK_INT(het_model_input_at(model, 1, &p), HET_E_INVALID);
    CHECK_INT(het_model_output_at(model, 1, &p), HET_OK);
    CHECK_STR(p.name, "z");
    CHECK_INT(p.desc.dtype, HET_DTYPE_F32);
    CHECK_INT(p.desc.extent[0], -1);
    CHECK_INT(p.desc.extent[1], 3);
    CHECK_STR(p.symbol[0], "N");
    CHECK_INT(het_model_output_at(model, 2, &p), HET_E_INVALID);
    p.struct_size = 3;
    CHECK_INT(het_model_input_at(model, 0, &p), HET_E_INVALID);
}

/* Value of a metadata entry; NULL if there is none. */
static const char *find(const het_model *m, const char *key, const char *type)
{
    for (size_t i = 0; i < het_model_metadata_count(m); i++) {
        het_metadata e = { .struct_size = sizeof e };
        CHECK_INT(het_model_metadata_at(m, i, &e), HET_OK);
        if (strcmp(e.key, key) == 0 && strcmp(e.type, type) == 0)
            return e.value;
    }
    return NULL;
}

static void lists_metadata(void)
{
    het_metadata e = { .struct_size = sizeof e };
    CHECK_STR(find(model, "colour", "string"), "blue");
    CHECK_STR(find(model, "producer_name", "string"), "a test");
    CHECK_STR(find(model, "opset.ai.onnx", "string"), "13");
    CHECK_STR(find(model, "Relu", "operation"), "1");
    CHECK_STR(find(model, "Mul", "operation"), "1");
    CHECK(find(model, "Mul", "unknown operation") == NULL);
    CHECK_INT(het_model_metadata_at(model, het_model_metadata_count(model), &e), HET_E_INVALID);
}

/* ---- runs ---- */

static void runs_any_extent(void)
{
    static const int64_t rows[] = { 1, 4, 2, 4, 7, 1, 0, 3, 5, 6, 8, 9, 10, 11, 4 };
    het_session *s = open_session(model);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        float x[33];
        fill(x, rows[i] * 3, i + 1);
        bind(s, x, rows[i]);
        run(s);
        check_outputs(s, x, rows[i]);
    }
    het_telemetry t = { .struct_size = sizeof t };
    CHECK_INT(het_telemetry_snapshot(s, &t), HET_OK);
    CHECK_INT(t.step_count, 15);
    het_session_destroy(s);
}

/* What is bound is read in each run, wherever it lies. */
static void reads_bound_memory(void)
{
    unsigned char bytes[1 + 12];
    float x[3] = { 1, 2, 3 };
    het_session *s = open_session(model);
    het_tensor t = matrix(bytes + 1, 1, 3);
    CHECK_INT(het_session_bind_input(s, "x", &t, NULL), HET_OK);
    for (int i = 0; i < 3; i++) {
        x[0] = (float)i - 2;
        memcpy(bytes + 1, x, sizeof x);
        run(s);
        check_outputs(s, x, 1);
    }
    t = matrix(NULL, 0, 3); /* no elements, no memory */
    CHECK_INT(het_session_bind_input(s, "x", &t, NULL), HET_OK);
    run(s);
    check_outputs(s, x, 0);
    CHECK_INT(het_session_bind_input(s, "x", NULL, NULL), HET_OK);
    CHECK_INT(het_session_run(s, NULL), HET_E_INVALID);
    het_session_destroy(s);
}

static void writes_bound_memory(void)
{
    float x[6], room[8];
    het_error err = HET_ERROR_INIT;
    het_session *s = open_session(model);
    het_tensor t = matrix(room, 2, 3), got = HET_TENSOR_INIT;
    fill(x, 6, 5);
    bind(s, x, 2);
    room[6] = 99;
    CHECK_INT(het_session_bind_output(s, "y", &t, NULL), HET_OK);
    run(s);
    CHECK(check_outputs(s, x, 2) == room);
    CHECK_NEAR(room[6], 99, 0);
    t.size_bytes = 23;
    CHECK_INT(het_session_bind_output(s, "y", &t, NULL), HET_OK);
    CHECK_INT(het_session_run(s, &err), HET_E_INVALID);
    CHECK(strstr(err.message, "y") != NULL);
    CHECK_INT(het_session_get_output(s, "y", &got, NULL), HET_E_INVALID);
    CHECK_INT(het_session_bind_output(s, "y", NULL, NULL), HET_OK);
    run(s);
    CHECK(check_outputs(s, x, 2) != room);
    t.data = NULL;
    CHECK_INT(het_session_bind_output(s, "y", &t, NULL), HET_E_INVALID);
    CHECK_INT(het_session_bind_output(s, "x", NULL, &err), HET_E_INVALID);
    CHECK(strstr(err.message, "'x'") && strstr(err.message, "y, z"));
    het_session_destroy(s);
}

static void refused(het_session *s, const het_tensor *t, const char *word)
{
    het_error err = HET_ERROR_INIT;
    CHECK_INT(het_session_bind_input(s, "x", t, &err), HET_E_INVALID);
    if (!strstr(err.message, word))
        TEST_FAIL("\"%s\" does not have \"%s\"", err.message, word);
}

static void refuses_tensors(void)
{
    float x[6];
    het_error err = HET_ERROR_INIT;
    het_session *s = open_session(model);
    fill(x, 3, 9);
    bind(s, x, 1);
    het_tensor t = matrix(x, 2, 3);
    t.desc.dtype = HET_DTYPE_I32;
    refused(s, &t, "F32[N,3], not I32[2,3]");
    t = matrix(x, 3, 2);
    refused(s, &t, "F32[N,3], not F32[3,2]");
    t = matrix(x, 2, 3);
    t.desc.rank = 1;
    refused(s, &t, "F32[2]");
    t.desc.rank = 9;
    refused(s, &t, "impossible");
    t = matrix(x, -1, 3);
    refused(s, &t, "impossible");
    t = matrix(x, 2, 3);
    t.desc.dtype = HET_DTYPE_Q8_0;
    refused(s, &t, "impossible");
    t = matrix(x, 2, 3);
    t.size_bytes = 23;
    refused(s, &t, "23 bytes, not 24");
    t = matrix(NULL, 2, 3);
    refused(s, &t, "bytes");
    t = matrix(x, INT64_C(1) << 61, 3);
    refused(s, &t, "impossible");
    t = matrix(x, 2, 3);
    t.desc.flags = 1;
    CHECK_INT(het_session_bind_input(s, "x", &t, &err), HET_E_VERSION);
    t = matrix(x, 1, 3);
    CHECK_INT(het_session_bind_input(s, "b", &t, &err), HET_E_INVALID);
    CHECK(strstr(err.message, "'b'") != NULL);
    run(s); /* what was bound before is still in force */
    check_outputs(s, x, 1);
    het_session_destroy(s);
}

static void needs_inputs(void)
{
    het_error err = HET_ERROR_INIT;
    het_tensor t = HET_TENSOR_INIT;
    het_session *s = open_session(model);
    CHECK_INT(het_session_run(s, &err), HET_E_INVALID);
    CHECK(strstr(err.message, "'x' (F32[N,3])") != NULL);
    CHECK_INT(het_session_warmup(s, &err), HET_E_INVALID);
    CHECK_INT(het_session_get_output(s, "y", &t, &err), HET_E_INVALID);
    CHECK(strstr(err.message, "no run") != NULL);
    het_session_destroy(s);
}

static void cancels_one_run(void)
{
    float x[3] = { 1, 2, 3 };
    het_error err = HET_ERROR_INIT;
    het_tensor t = HET_TENSOR_INIT;
    het_session *s = open_session(model);
    bind(s, x, 1);
    run(s);
    het_session_cancel(s);
    CHECK_INT(het_session_run(s, &err), HET_E_CANCELLED);
    CHECK_INT(het_session_get_output(s, "y", &t, &err), HET_E_INVALID);
    run(s);
    check_outputs(s, x, 1);
    het_session_destroy(s);
}

/* Neither a second run of known extents nor one after a warm-up allocates. */
static void runs_without_allocating(void)
{
    float x[12];
    het_session *s = open_session(model);
    fill(x, 12, 3);
    bind(s, x, 4);
    CHECK_INT(het_session_warmup(s, NULL), HET_OK);
    run(s);
    bind(s, x, 2);
    run(s);
    counting_allocator_fail(&counter, 0);
    for (int i = 0; i < 4; i++) {
        bind(s, x, i % 2 ? 4 : 2);
        run(s);
        check_outputs(s, x, i % 2 ? 4 : 2);
    }
    CHECK_INT(counter.calls, 0);
    het_session_destroy(s);
}

/* Products with weights of no rows are zeros; of no columns, nothing. */
static void sums_of_nothing(void)
{
    static const int64_t extents[][3] = { { 2, 0, 5 }, { 2, 3, 0 }, { 0, 3, 5 } };
    for (size_t i = 0; i < sizeof extents / sizeof extents[0]; i++) {
        const int64_t m = extents[i][0], k = extents[i][1], n = extents[i][2];
        tiny_onnx file = { { NULL, 0 }, NULL, 0 };
        float values[15] = { 0 }, x[6] = { 0 };
        char shape[32], in[32];
        snprintf(shape, sizeof shape, "%lld,%lld", (long long)k, (long long)n);
        snprintf(in, sizeof in, "N,%lld", (long long)k);
        tiny_onnx_floats(&file, "w", shape, values, (size_t)(k * n));
        tiny_onnx_node(&file, "MatMul", "", "n1", "x,w", "p");
        tiny_onnx_node(&file, "Gemm", "", "n2", "x,w", "q");
        tiny_onnx_node(&file, "Add", "", "n3", "p,q", "y");
        tiny_onnx_input(&file, "x", TINY_F32, in);
        tiny_onnx_output(&file, "y", TINY_F32, "N,M");
        tiny_onnx_finish(&file, 13);
        het_model *wide = NULL;
        het_tensor t = matrix(x, m, k), got = HET_TENSOR_INIT;
        CHECK_INT(het_model_load_memory(context, file.file, file.bytes, NULL, &wide, NULL),
                  HET_OK);
        het_session *s = open_session(wide);
        CHECK_INT(het_session_bind_input(s, "x", &t, NULL), HET_OK);
        run(s);
        CHECK_INT(het_session_get_output(s, "y", &got, NULL), HET_OK);
        CHECK_INT(got.desc.extent[0], m);
        CHECK_INT(got.desc.extent[1], n);
        for (int64_t e = 0; e < m * n; e++)
            CHECK_NEAR(((const float *)got.data)[e], 0, 0);
        het_session_destroy(s);
        het_model_destroy(wide);
        tiny_onnx_free(&file);
    }
}

/* ---- who may do what ---- */

static void graphs_are_no_language(void)
{
    het_error err = HET_ERROR_INIT;
    het_session *s = open_session(model);
    het_sequence *q = NULL;
    CHECK_INT(het_session_step(s, NULL, &err), HET_E_INVALID);
    CHECK(strstr(err.message, "het_session_step() is for language models") != NULL);
    CHECK_INT(het_sequence_create(s, &q, &err), HET_E_INVALID);
    CHECK(strstr(err.message, "het_sequence_create()") != NULL);
    CHECK_INT(het_generate(s, "a", 1, NULL, NULL, &err), HET_E_INVALID);
    CHECK(strstr(err.message, "het_generate()") != NULL);
    CHECK(het_session_plan(s, HET_PHASE_DECODE) == NULL);
    CHECK(het_session_plan(s, (het_phase)7) == NULL);
    het_session_destroy(s);
}

/* The same for a plan by itself and for a session that was compiled for the same extents. */
static void graphs_have_plans(void)
{
    float x[15];
    het_error err = HET_ERROR_INIT;
    het_plan_options o = HET_PLAN_OPTIONS_INIT;
    het_plan *plan = NULL;
    o.devices = device;
    o.threads = 2;
    o.token_count = 5;
    if (het_plan_make(model, &o, &plan, &err) != HET_OK) {
        TEST_FAIL("%s", err.message);
        return;
    }
    het_session *s = open_session(model);
    fill(x, 15, 8);
    bind(s, x, 5);
    CHECK_INT(het_session_warmup(s, NULL), HET_OK);
    const het_plan *own = het_session_plan(s, HET_PHASE_DECODE);
    CHECK(own != NULL && het_session_plan(s, HET_PHASE_PREFILL) != NULL);
    if (own)
        CHECK_STR(het_plan_text(own), het_plan_text(plan));
    het_plan_info info = { .struct_size = sizeof info };
    CHECK_INT(het_plan_get_info(plan, &info), HET_OK);
    CHECK(info.node_count >= 1 && info.node_count <= info.unfused_count);
    CHECK_INT(info.unfused_count, 3);
    het_session_destroy(s);
    het_plan_destroy(plan);
    o.measure = 1;
    CHECK_INT(het_plan_make(model, &o, &plan, &err), HET_E_UNSUPPORTED);
    o.measure = 0;
    o.threads = 5000;
    CHECK_INT(het_plan_make(model, &o, &plan, &err), HET_E_INVALID);
    CHECK(plan == NULL);
}

static void language_is_no_graph(void)
{
    float x[3] = { 1, 2, 3 };
    tiny_model file;
    het_model *m = NULL;
    const tiny_options o = TINY_LLAMA;
    tiny_make(&file, &o);
    CHECK_INT(het_model_load_memory(context, file.file, file.bytes, NULL, &m, NULL), HET_OK);
    CHECK_INT(het_model_input_count(m), 0);
    CHECK_INT(het_model_output_count(m), 0);
    het_session *s = open_session(m);
    het_error err = HET_ERROR_INIT;
    het_tensor t = matrix(x, 1, 3);
    CHECK_INT(het_session_run(s, &err), HET_E_INVALID);
    CHECK(strstr(err.message, "het_session_run() is for graph models") != NULL);
    CHECK_INT(het_session_bind_input(s, "x", &t, &err), HET_E_INVALID);
    CHECK_INT(het_session_bind_output(s, "x", &t, &err), HET_E_INVALID);
    CHECK_INT(het_session_get_output(s, "x", &t, &err), HET_E_INVALID);
    CHECK(het_session_plan(s, HET_PHASE_PREFILL) != NULL);
    het_session_destroy(s);
    het_model_destroy(m);
    tiny_free(&file);
}

static void inspection_makes_no_session(void)
{
    static const uint64_t flags[] = { HET_MODEL_INSPECT_ONLY, HET_MODEL_TOKENIZER_ONLY };
    for (int i = 0; i < 2; i++) {
        het_model_options o = HET_MODEL_OPTIONS_INIT;
        het_model *m = NULL;
        het_session *s = NULL;
        o.flags = flags[i];
        CHECK_INT(het_model_load_memory(context, tiny.file, tiny.bytes, &o, &m, NULL), HET_OK);
        CHECK_INT(het_model_input_count(m), 1);
        CHECK(het_model_tokenizer(m) == NULL);
        CHECK_INT(het_session_create(m, NULL, &s, NULL), HET_E_INVALID);
        het_model_destroy(m);
    }
}

static void unknown_operations_do_not_run(void)
{
    float x[3] = { 1, 2, 3 };
    tiny_onnx file = { { NULL, 0 }, NULL, 0 };
    tiny_onnx_node(&file, "Wobble", "example", "the node", "x", "y");
    tiny_onnx_input(&file, "x", TINY_F32, "N,3");
    tiny_onnx_output(&file, "y", TINY_F32, "N,3");
    tiny_onnx_finish(&file, 13);
    het_error err = HET_ERROR_INIT;
    het_model *m = NULL;
    CHECK_INT(het_model_load_memory(context, file.file, file.bytes, NULL, &m, &err), HET_OK);
    CHECK_STR(find(m, "example:Wobble", "unknown operation"), "1");
    het_session *s = open_session(m);
    bind(s, x, 1);
    CHECK_INT(het_session_run(s, &err), HET_E_UNSUPPORTED);
    if (!strstr(err.message, "example:Wobble") || !strstr(err.message, "the node"))
        TEST_FAIL("\"%s\" names neither operation nor node", err.message);
    het_session_destroy(s);
    het_model_destroy(m);
    tiny_onnx_free(&file);
}

/* Ignored as documented; refused where any model would. */
static void options_of_language_are_ignored(void)
{
    float x[3] = { 1, 2, 3 };
    het_session_options o = HET_SESSION_OPTIONS_INIT;
    het_session *s = NULL;
    het_error err = HET_ERROR_INIT;
    o.devices = device;
    o.context_max = -7;
    o.sequence_max = o.batch_max = o.logits_max = o.kv_dtype = UINT32_MAX;
    o.weight_cache = "/nowhere";
    o.flags = HET_SESSION_WEIGHTS_MAPPED;
    CHECK_INT(het_session_create(model, &o, &s, &err), HET_OK);
    bind(s, x, 1);
    run(s);
    check_outputs(s, x, 1);
    het_session_destroy(s);
    o.flags = UINT64_C(1) << 40;
    CHECK_INT(het_session_create(model, &o, &s, &err), HET_E_VERSION);
    o.flags = 0;
    o.precision = 9;
    CHECK_INT(het_session_create(model, &o, &s, &err), HET_E_INVALID);
    o.precision = 0;
    o.devices = "nonsense";
    CHECK_INT(het_session_create(model, &o, &s, &err), HET_E_INVALID);
    CHECK(s == NULL);
}

/* ---- lifetimes and threads ---- */

static void children_keep_parents(void)
{
    float x[6];
    het_model *m = NULL;
    fill(x, 6, 11);
    CHECK_INT(het_model_load_memory(context, tiny.file, tiny.bytes, NULL, &m, NULL), HET_OK);
    het_session *s = open_session(m);
    het_model_destroy(m);
    bind(s, x, 2);
    run(s);
    check_outputs(s, x, 2);
    het_session_destroy(s);
}

static void *run_often(void *argument)
{
    het_session *s = argument;
    for (int64_t i = 0; i < 40; i++) {
        const int64_t rows = 1 + i % 3;
        float x[9];
        fill(x, rows * 3, (uint64_t)i + 21);
        bind(s, x, rows);
        run(s);
        check_outputs(s, x, rows);
    }
    return NULL;
}

static void sessions_run_at_once(void)
{
    het__thread threads[3];
    het_session *s[3];
    for (int i = 0; i < 3; i++) {
        s[i] = open_session(model);
        CHECK(het__thread_start(&threads[i], run_often, s[i]));
    }
    for (int i = 0; i < 3; i++) {
        het__thread_join(threads[i]);
        het_session_destroy(s[i]);
    }
}

static void on_each_device(void)
{
    test_case(runs_any_extent);
    test_case(reads_bound_memory);
    test_case(writes_bound_memory);
    test_case(refuses_tensors);
    test_case(needs_inputs);
    test_case(cancels_one_run);
    test_case(runs_without_allocating);
    test_case(sums_of_nothing);
    test_case(graphs_are_no_language);
    test_case(graphs_have_plans);
    test_case(unknown_operations_do_not_run);
    test_case(options_of_language_are_ignored);
    test_case(children_keep_parents);
    test_case(sessions_run_at_once);
}

int main(void)
{
    const het_allocator allocator = counting_allocator_of(&counter);
    het_error err = HET_ERROR_INIT;
    het_context_options o = HET_CONTEXT_OPTIONS_INIT;
    o.allocator = &allocator;
    tiny_onnx_make(&tiny);
    if (het_context_create(&o, &context, &err) != HET_OK ||
        het_model_load_memory(context, tiny.file, tiny.bytes, NULL, &model, &err) != HET_OK) {
        TEST_FAIL("%s", err.message);
        return test_finish();
    }
    test_case(describes_itself);
    test_case(names_readers_of_weights);
    test_case(describes_ports);
    test_case(lists_metadata);
    test_case(language_is_no_graph);
    test_case(inspection_makes_no_session);
    for (uint32_t i = 0; i < het_context_device_count(context); i++) {
        het_device_info info = { .struct_size = sizeof info };
        CHECK_INT(het_device_get_info(het_context_device(context, i), &info), HET_OK);
        device = info.backend;
        printf("with %s\n", device);
        on_each_device();
    }
    het_model_destroy(model);
    het_context_destroy(context);
    CHECK_INT(counter.blocks, 0);
    CHECK_INT(counter.bytes, 0);
    tiny_onnx_free(&tiny);
    return test_finish();
}
