/* SPDX-License-Identifier: Apache-2.0 */
/* Inputs and outputs of graphs where the caller has them: read and written in place, from any
 * place, in any order of binding, and copied where nothing else is right. The tiny graph: y =
 * Relu(x + b), z = y * y. */
#include <hetinfer.h>

#include "counting_allocator.h"
#include "lib/base/os.h"
#include "test.h"
#include "tiny_onnx.h"

#define ROWS 40

static counting_allocator counter;
static const char *device;
static bool in_place; /* the device follows what is bound */
static het_context *context;
static tiny_onnx tiny;
static het_model *model;

static het_session *open_with(const het_model *from, const het_policy *policy, uint64_t flags)
{
    het_error err = HET_ERROR_INIT;
    het_session_options o = HET_SESSION_OPTIONS_INIT;
    het_session *s = NULL;
    o.devices = device;
    o.threads = 2;
    o.policy = policy;
    o.flags = flags;
    if (het_session_create(from, &o, &s, &err) != HET_OK)
        TEST_FAIL("%s", err.message);
    return s;
}

static het_tensor matrix(void *data, int64_t rows)
{
    het_tensor t = HET_TENSOR_INIT;
    t.data = data;
    t.size_bytes = (size_t)rows * 12;
    t.desc.dtype = HET_DTYPE_F32;
    t.desc.rank = 2;
    t.desc.extent[0] = rows;
    t.desc.extent[1] = 3;
    return t;
}

static void bind_in(het_session *s, void *data, int64_t rows)
{
    het_error err = HET_ERROR_INIT;
    const het_tensor t = matrix(data, rows);
    if (het_session_bind_input(s, "x", &t, &err) != HET_OK)
        TEST_FAIL("%s", err.message);
}

/* data NULL: memory of the session */
static void bind_out(het_session *s, const char *name, void *data, int64_t rows)
{
    het_error err = HET_ERROR_INIT;
    const het_tensor t = matrix(data, rows);
    if (het_session_bind_output(s, name, data ? &t : NULL, &err) != HET_OK)
        TEST_FAIL("%s", err.message);
}

static void run(het_session *s)
{
    het_error err = HET_ERROR_INIT;
    if (het_session_run(s, &err) != HET_OK)
        TEST_FAIL("%s", err.message);
}

static void *output(het_session *s, const char *name)
{
    het_tensor t = HET_TENSOR_INIT;
    CHECK_INT(het_session_get_output(s, name, &t, NULL), HET_OK);
    return t.data;
}

static uint64_t copied(const het_session *s)
{
    het_telemetry t = { .struct_size = sizeof t };
    CHECK_INT(het_telemetry_snapshot(s, &t), HET_OK);
    return t.bind_copy_bytes;
}

/* Bytes that a run copied; on devices that do not follow anything goes. */
static void check_copied(const het_session *s, uint64_t before, uint64_t want)
{
    if (in_place)
        CHECK_INT(copied(s) - before, want);
    else
        CHECK(copied(s) > before);
}

static void fill(float *x, int64_t rows, uint64_t seed)
{
    for (int64_t i = 0; i < rows * 3; i++)
        x[i] = 4 * test_random_float(&seed);
}

static float wanted_y(float x, int64_t i)
{
    static const float b[3] = { 1, -2, 3 };
    const float s = x + b[i % 3];
    return s > 0 ? s : 0;
}

static void check(const float *x, const void *y, const void *z, int64_t rows)
{
    for (int64_t i = 0; i < rows * 3; i++) {
        const float want = wanted_y(x[i], i);
        float got;
        memcpy(&got, (const char *)y + i * 4, 4);
        CHECK_NEAR(got, want, 1e-6);
        if (z)
            memcpy(&got, (const char *)z + i * 4, 4);
        CHECK_NEAR(got, z ? want * want : want, 1e-5);
    }
}

/* ---- in place ---- */

/* Blocks as large as what lies in them, freed when something else is bound: a sanitizer sees it if
 * one is used beyond its end or after that. */
static void runs_anywhere(void)
{
    het_session *s = open_with(model, NULL, 0);
    for (int64_t i = 0; i < 30; i++) {
        const int64_t rows = i % 3 + 1;
        const size_t bytes = (size_t)rows * 12;
        float *x = malloc(bytes), *y = malloc(bytes), *z = malloc(bytes);
        fill(x, rows, (uint64_t)i + 1);
        bind_in(s, x, rows);
        bind_out(s, "y", i % 4 == 1 ? NULL : y, rows);
        bind_out(s, "z", i % 4 == 2 ? NULL : z, rows);
        const uint64_t before = copied(s);
        run(s);
        check(x, output(s, "y"), output(s, "z"), rows);
        CHECK((output(s, "y") == y) == (i % 4 != 1));
        CHECK((output(s, "z") == z) == (i % 4 != 2));
        check_copied(s, before, 0);
        CHECK_INT(het_session_bind_input(s, "x", NULL, NULL), HET_OK);
        bind_out(s, "y", NULL, rows);
        bind_out(s, "z", NULL, rows);
        free(x);
        free(y);
        free(z);
    }
    het_session_destroy(s);
}

static void sessions_share_inputs(void)
{
    float x[2][12], y[2][12];
    het_session *s[2] = { open_with(model, NULL, 0), open_with(model, NULL, 0) };
    for (int i = 0; i < 6; i++) {
        fill(x[i % 2], 4, (uint64_t)i + 5);
        for (int k = 0; k < 2; k++) {
            bind_in(s[k], x[i % 2], 4);
            bind_out(s[k], "y", y[k], 4);
            run(s[k]);
        }
        check(x[i % 2], y[0], output(s[0], "z"), 4);
        check(x[i % 2], y[1], output(s[1], "z"), 4);
    }
    if (in_place)
        CHECK_INT(copied(s[0]) + copied(s[1]), 0);
    het_session_destroy(s[0]);
    het_session_destroy(s[1]);
}

static void rebinds_without_allocating(void)
{
    float x[2][3 * ROWS], y[2][3 * ROWS];
    het_session *s = open_with(model, NULL, 0);
    for (int i = 0; i < 8; i++) {
        const int64_t rows = i % 2 ? ROWS : ROWS / 2;
        fill(x[i / 2 % 2], rows, (uint64_t)i + 9);
        bind_in(s, x[i / 2 % 2], rows);
        bind_out(s, "y", y[i / 4], rows);
        if (i == 2)
            counting_allocator_fail(&counter, 0);
        run(s);
        check(x[i / 2 % 2], y[i / 4], NULL, rows);
    }
    CHECK_INT(counter.calls, 0);
    het_session_destroy(s);
}

/* ---- copied ---- */

static void copies_what_lies_askew(void)
{
    unsigned char in[1 + 24], out[3 + 24];
    float x[6];
    het_session *s = open_with(model, NULL, 0);
    fill(x, 2, 3);
    memcpy(in + 1, x, sizeof x);
    bind_in(s, in + 1, 2);
    run(s);
    check(x, output(s, "y"), output(s, "z"), 2);
    check_copied(s, 0, 24);
    const uint64_t before = copied(s);
    bind_in(s, x, 2);
    bind_out(s, "y", out + 3, 2);
    run(s);
    check(x, out + 3, output(s, "z"), 2);
    check_copied(s, before, 24);
    het_session_destroy(s);
}

/* Outputs on the input, half on it, and on each other: as if all inputs were read first, and
 * outputs written in their order. */
static void outputs_meet(void)
{
    float x[6], room[12];
    het_session *s = open_with(model, NULL, 0);
    fill(x, 2, 17);
    memcpy(room, x, sizeof x);
    bind_in(s, room, 2);
    bind_out(s, "y", room, 2);
    run(s);
    check(x, room, output(s, "z"), 2);
    check_copied(s, 0, 24);
    for (int shift = 1; shift <= 6; shift++) {
        memcpy(room, x, sizeof x);
        bind_out(s, "y", room + shift, 2);
        const uint64_t before = copied(s);
        run(s);
        check(x, room + shift, output(s, "z"), 2);
        check_copied(s, before, shift < 6 ? 24 : 0);
    }
    uint64_t before = copied(s);
    memcpy(room, x, sizeof x);
    bind_out(s, "y", room + 6, 2);
    bind_out(s, "z", room + 6, 2);
    run(s);
    for (int i = 0; i < 6; i++)
        CHECK_NEAR(room[6 + i], wanted_y(x[i], i) * wanted_y(x[i], i), 1e-5);
    check_copied(s, before, 24);
    before = copied(s);
    bind_out(s, "z", NULL, 2);
    run(s); /* nothing meets any more */
    check(x, room + 6, output(s, "z"), 2);
    check_copied(s, before, 0);
    het_session_destroy(s);
}

/* What the session made last is what it reads next. */
static void outputs_feed_inputs(void)
{
    float x[6], want[6];
    het_session *s = open_with(model, NULL, 0);
    fill(x, 2, 23);
    memcpy(want, x, sizeof x);
    bind_in(s, x, 2);
    for (int i = 0; i < 5; i++) {
        run(s);
        check(want, output(s, "y"), output(s, "z"), 2);
        for (int k = 0; k < 6; k++)
            want[k] = wanted_y(want[k], k);
        bind_in(s, output(s, "y"), 2);
    }
    het_session_destroy(s);
}

static void too_small_stays_as_it_is(void)
{
    float x[6], y[6] = { 7, 7, 7, 7, 7, 7 };
    het_session *s = open_with(model, NULL, 0);
    het_tensor t = matrix(y, 2);
    t.size_bytes = 23;
    fill(x, 2, 31);
    bind_in(s, x, 2);
    CHECK_INT(het_session_bind_output(s, "y", &t, NULL), HET_OK);
    CHECK_INT(het_session_run(s, NULL), HET_E_INVALID);
    for (int i = 0; i < 6; i++)
        CHECK_NEAR(y[i], 7, 0);
    het_session_destroy(s);
}

static void checked_runs_copy(void)
{
    float x[6], y[6];
    het_session *s = open_with(model, NULL, HET_SESSION_VALIDATE);
    fill(x, 2, 37);
    bind_in(s, x, 2);
    bind_out(s, "y", y, 2);
    run(s);
    check(x, y, output(s, "z"), 2);
    CHECK(copied(s) >= 48);
    het_session_destroy(s);
}

/* ---- other graphs ---- */

static het_model *load(tiny_onnx *file)
{
    het_model *m = NULL;
    het_error err = HET_ERROR_INIT;
    if (het_model_load_memory(context, file->file, file->bytes, NULL, &m, &err) != HET_OK)
        TEST_FAIL("%s", err.message);
    return m;
}

/* A view of an input lies where that lies; an output that is a view, or the input itself, is made
 * by the graph. */
static void views_follow(void)
{
    tiny_onnx file = { { NULL, 0 }, NULL, 0 };
    static const float b[3] = { 1, 2, 3 };
    tiny_onnx_floats(&file, "b", "3", b, 3);
    tiny_onnx_node(&file, "Flatten", "", "n1", "x", "flat");
    tiny_onnx_node(&file, "Add", "", "n2", "flat,b", "y");
    tiny_onnx_node(&file, "Flatten", "", "n3", "y", "v");
    tiny_onnx_node(&file, "Identity", "", "n4", "x", "w");
    tiny_onnx_input(&file, "x", TINY_F32, "N,3");
    tiny_onnx_output(&file, "y", TINY_F32, "N,3");
    tiny_onnx_output(&file, "v", TINY_F32, "N,3");
    tiny_onnx_output(&file, "w", TINY_F32, "N,3");
    tiny_onnx_finish(&file, 13);
    het_model *m = load(&file);
    het_session *s = open_with(m, NULL, 0);
    for (int64_t i = 0; i < 6; i++) {
        float *x = malloc(24), *y = malloc(24), *v = malloc(24), *w = malloc(24);
        fill(x, 2, (uint64_t)i + 3);
        bind_in(s, x, 2);
        bind_out(s, "y", y, 2);
        bind_out(s, "v", v, 2);
        bind_out(s, "w", w, 2);
        const uint64_t before = copied(s);
        run(s);
        for (int k = 0; k < 6; k++) {
            CHECK_NEAR(y[k], x[k] + b[k % 3], 1e-6);
            CHECK_NEAR(v[k], y[k], 0);
            CHECK_NEAR(w[k], x[k], 0);
        }
        check_copied(s, before, 0);
        free(x);
        free(y);
        free(v);
        free(w);
    }
    het_session_destroy(s);
    het_model_destroy(m);
    tiny_onnx_free(&file);
}

/* Extents that follow from contents: outputs are made before their size is known. */
static void contents_decide(void)
{
    tiny_onnx file = { { NULL, 0 }, NULL, 0 };
    tiny_onnx_node(&file, "Relu", "", "n1", "x", "r");
    tiny_onnx_node(&file, "NonZero", "", "n2", "r", "y");
    tiny_onnx_input(&file, "x", TINY_F32, "N,3");
    tiny_onnx_output(&file, "y", TINY_I64, "2,M");
    tiny_onnx_finish(&file, 13);
    het_model *m = load(&file);
    het_session *s = open_with(m, NULL, 0);
    float x[6] = { 1, -1, 0, 2, 3, -4 };
    int64_t y[12] = { 0 };
    het_tensor t = HET_TENSOR_INIT;
    t.data = y;
    t.size_bytes = sizeof y;
    CHECK_INT(het_session_bind_output(s, "y", &t, NULL), HET_OK);
    bind_in(s, x, 2);
    run(s);
    CHECK(output(s, "y") == y);
    CHECK(y[0] == 0 && y[1] == 1 && y[2] == 1 && y[3] == 0 && y[4] == 0 && y[5] == 1);
    CHECK_INT(copied(s), 48);
    het_session_destroy(s);
    het_model_destroy(m);
    tiny_onnx_free(&file);
}

/* ---- DLPack ---- */

struct DLManagedTensor {
    struct {
        void *data;
        struct { int32_t device_type, device_id; } device;
        int32_t ndim;
        struct { uint8_t code, bits; uint16_t lanes; } dtype;
        int64_t *shape;
        int64_t *strides;
        uint64_t byte_offset;
    } dl_tensor;
    void *manager_ctx;
    void (*deleter)(struct DLManagedTensor *self);
};

static void dlpack_in_and_out(void)
{
    float x[9], y[6];
    int64_t shape[2] = { 2, 3 };
    het_tensor in = HET_TENSOR_INIT, out = HET_TENSOR_INIT;
    struct DLManagedTensor m = { { x, { 1, 0 }, 2, { 2, 32, 1 }, shape, NULL, 12 }, NULL, NULL };
    struct DLManagedTensor *given = NULL;
    het_session *s = open_with(model, NULL, 0);
    fill(x, 3, 41);
    CHECK_INT(het_tensor_from_dlpack(&m, &in, NULL), HET_OK);
    CHECK_INT(het_session_bind_input(s, "x", &in, NULL), HET_OK);
    bind_out(s, "y", y, 2);
    run(s);
    CHECK_INT(het_session_get_output(s, "y", &out, NULL), HET_OK);
    CHECK_INT(het_tensor_to_dlpack(context, &out, NULL, NULL, &given, NULL), HET_OK);
    CHECK(given && given->dl_tensor.data == y);
    check(x + 3, y, output(s, "z"), 2);
    check_copied(s, 0, 0);
    if (given)
        given->deleter(given);
    het_session_destroy(s);
}

/* ---- several devices ---- */

static void two_devices_follow(void)
{
    static const char text[] = "hetinfer-policy: 1\n"
                               "rules:\n"
                               "  - name: square\n"
                               "    must: ref\n"
                               "  - name: \"*d*\"\n" /* add */
                               "    must: cpu_onednn\n";
    het_policy *policy = NULL;
    het_error err = HET_ERROR_INIT;
    CHECK_INT(het_policy_load_memory(context, text, sizeof text - 1, NULL, &policy, &err), HET_OK);
    device = "cpu_onednn,ref";
    in_place = true;
    het_session *s = open_with(model, policy, 0);
    for (int i = 0; s && i < 8; i++) {
        const int64_t rows = i % 2 + 3;
        float *x = malloc(48), *y = malloc(48), *z = malloc(48);
        fill(x, rows, (uint64_t)i + 51);
        bind_in(s, x, rows);
        bind_out(s, "y", i % 3 ? y : NULL, rows); /* made on one, read on the other */
        bind_out(s, "z", z, rows);
        const uint64_t before = copied(s);
        run(s);
        check(x, output(s, "y"), z, rows);
        CHECK_INT(copied(s) - before, 0);
        free(x);
        free(y);
        free(z);
    }
    if (s)
        CHECK_INT(het_telemetry_device_count(s), 2);
    het_session_destroy(s);
    het_policy_destroy(policy);
}

/* ---- what it costs ---- */

/* HETINFER_TEST_LONG prints it. */
static void costs_little(void)
{
    enum { TIMES = 20000 };
    float x[2][3], y[2][3];
    het_session *s = open_with(model, NULL, 0);
    uint64_t ns[2] = { UINT64_MAX, UINT64_MAX };
    for (int i = 0; i < 2; i++)
        fill(x[i], 1, (uint64_t)i + 61);
    for (int round = 0; round < 10; round++) {
        const int moves = round & 1;
        const uint64_t begin = het__now_ns();
        for (int i = 0; i < TIMES; i++) {
            bind_in(s, x[i & moves], 1);
            bind_out(s, "y", y[i & moves], 1);
            run(s);
        }
        const uint64_t each = (het__now_ns() - begin) / TIMES;
        ns[moves] = each < ns[moves] ? each : ns[moves];
    }
    printf("%s: a run with the same bindings %llu ns, with others %llu ns\n", device,
           (unsigned long long)ns[0], (unsigned long long)ns[1]);
    if (in_place)
        CHECK_INT(copied(s), 0);
    het_session_destroy(s);
}

static void on_each_device(void)
{
    test_case(runs_anywhere);
    test_case(sessions_share_inputs);
    test_case(rebinds_without_allocating);
    test_case(copies_what_lies_askew);
    test_case(outputs_meet);
    test_case(outputs_feed_inputs);
    test_case(too_small_stays_as_it_is);
    test_case(checked_runs_copy);
    test_case(views_follow);
    test_case(contents_decide);
    test_case(dlpack_in_and_out);
    if (getenv("HETINFER_TEST_LONG"))
        test_case(costs_little);
}

int main(void)
{
    static const char *const devices[] = { "cpu_onednn", "ref", "null" };
    const het_allocator allocator = counting_allocator_of(&counter);
    het_error err = HET_ERROR_INIT;
    het_context_options o = HET_CONTEXT_OPTIONS_INIT;
    o.allocator = &allocator;
    tiny_onnx_make(&tiny);
    o.backends = "cpu_onednn,ref,null";
    if (het_context_create(&o, &context, &err) != HET_OK ||
        het_model_load_memory(context, tiny.file, tiny.bytes, NULL, &model, &err) != HET_OK) {
        TEST_FAIL("%s", err.message);
        return test_finish();
    }
    for (size_t i = 0; i < sizeof devices / sizeof devices[0]; i++) {
        device = devices[i];
        in_place = i < 2;
        printf("with %s\n", device);
        on_each_device();
    }
    test_case(two_devices_follow);
    het_model_destroy(model);
    het_context_destroy(context);
    CHECK_INT(counter.blocks, 0);
    CHECK_INT(counter.bytes, 0);
    tiny_onnx_free(&tiny);
    return test_finish();
}
