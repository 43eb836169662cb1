/* SPDX-License-Identifier: Apache-2.0 */
/* Memory runs out at every single allocation between an ONNX file and its first output: the call
 * that meets it says so and everything is given back. Graphs of the fuzzer's corpus, each of which
 * takes another way through the library, on every device; of whole networks only a sample of the
 * allocations, since each of them costs a run. */
#include <stdbool.h>

#include <hetinfer.h>

#include <stdbool.h>

#include "counting_allocator.h"
#include "test.h"

/* More allocations than any run here makes. */
#define CALLS_MAX 100000
/* All of the first ones, then one in so many. */
#define EVERY_UNTIL 400
#define THEN_ONE_IN 61

static const char *const graphs[] = {
    "attention", "attention_operation", "conv_norm_relu", "conv_depth", "conv_transpose", "einsum",
    "gemm", "grid_sample", "gru", "if_by_size", "layer_norm", "loop", "lstm", "non_max",
    "non_zero", "norms", "pools", "quantised", "resize", "scan", "shapes", "squeeze_excite",
    "stft", "unique",
};
static const char *const networks[] = { "digits-conv", "digits-conv-int8", "digits-vit" };

static counting_allocator counter;
static char backend[32];
static void *file;
static size_t file_bytes;

static void read_model(const char *folder, const char *name, const char *ending)
{
    char path[1024], part[256];
    snprintf(part, sizeof part, "%s/%s%s", folder, name, ending);
    free(file);
    file = test_read_file(test_source_path(path, sizeof path, part), &file_bytes);
    if (!file) {
        fprintf(stderr, "cannot read %s\n", path);
        exit(1);
    }
}

static het_status bind(het_session *s, const het_model *m, het_error *err)
{
    static float x[4096];
    for (size_t i = 0; i < sizeof x / sizeof x[0]; i++)
        x[i] = (float)(i % 13) / 8 - 0.5f;
    for (size_t i = 0; i < het_model_input_count(m); i++) {
        het_port p = { .struct_size = sizeof p };
        het_tensor t = HET_TENSOR_INIT;
        CHECK_INT(het_model_input_at(m, i, &p), HET_OK);
        t.desc = p.desc;
        t.desc.flags = 0;
        t.data = x;
        t.size_bytes = sizeof x;
        for (uint32_t a = 0; a < p.desc.rank; a++)
            if (p.desc.extent[a] < 0)
                t.desc.extent[a] = 2;
        const het_status st = het_session_bind_input(s, p.name, &t, err);
        if (st != HET_OK)
            return st;
    }
    return HET_OK;
}

/* From nothing to the output of a second run. */
static het_status go(het_error *err)
{
    const het_allocator allocator = counting_allocator_of(&counter);
    het_context_options c = HET_CONTEXT_OPTIONS_INIT;
    het_session_options o = HET_SESSION_OPTIONS_INIT;
    het_context *context = NULL;
    het_model *model = NULL;
    het_session *session = NULL;
    c.allocator = &allocator;
    c.flags = HET_CONTEXT_NO_ENV;
    c.backends = backend;
    o.threads = 2;
    het_status st = het_context_create(&c, &context, err);
    if (st == HET_OK)
        st = het_model_load_memory(context, file, file_bytes, NULL, &model, err);
    if (st == HET_OK)
        st = het_session_create(model, &o, &session, err);
    if (st == HET_OK)
        st = bind(session, model, err);
    for (int i = 0; i < 2 && st == HET_OK; i++)
        st = het_session_run(session, err);
    het_session_destroy(session);
    het_model_destroy(model);
    het_context_destroy(context);
    return st;
}

static void fail_each(const char *name)
{
    uint64_t n = 1, reached = 0;
    het_error why = HET_ERROR_INIT;
    counting_allocator_fail(&counter, 0);
    const het_status without = go(&why);
    if (without != HET_OK && without != HET_E_UNSUPPORTED)
        TEST_FAIL("%s: %s", name, why.message);
    for (; n < CALLS_MAX; n += n < EVERY_UNTIL ? 1 : THEN_ONE_IN) {
        het_error err = HET_ERROR_INIT;
        counting_allocator_fail(&counter, n);
        const het_status st = go(&err);
        const bool met = counter.failed > 0;
        counting_allocator_fail(&counter, 0);
        if (counter.blocks != 0 || counter.bytes != 0)
            TEST_FAIL("%s, allocation %d: %d blocks are left", name, (int)n, (int)counter.blocks);
        if (!met) {
            CHECK_INT(st, without);
            break;
        }
        reached++;
        if (st != without && st != HET_E_NOMEM)
            TEST_FAIL("%s, allocation %d: %s: %s", name, (int)n, het_status_name(st), err.message);
        if (st != HET_OK && (err.status != (int32_t)st || !err.message[0]))
            TEST_FAIL("%s, allocation %d: no message", name, (int)n);
    }
    printf("%-20s %5d allocations failed%s%s\n", name, (int)reached, without ? ": " : "",
           without ? why.message : "");
    CHECK(n < CALLS_MAX && reached >= 10);
}

static void every_allocation(void)
{
    for (size_t i = 0; i < sizeof graphs / sizeof graphs[0]; i++) {
        read_model("fuzz/corpora/graph", graphs[i], "");
        fail_each(graphs[i]);
    }
    for (size_t i = 0; i < sizeof networks / sizeof networks[0]; i++) {
        read_model("examples/models", networks[i], ".onnx");
        fail_each(networks[i]);
    }
}

int main(void)
{
    static char names[16][32];
    uint32_t count = 0;
    het_context *context = NULL;
    CHECK_INT(het_context_create(NULL, &context, NULL), HET_OK);
    for (uint32_t i = 0; context && i < het_context_device_count(context); i++) {
        het_device_info info = { .struct_size = sizeof info };
        CHECK_INT(het_device_get_info(het_context_device(context, i), &info), HET_OK);
        snprintf(names[count++], sizeof names[0], "%s", info.backend);
    }
    het_context_destroy(context);
    for (uint32_t i = 0; i < count; i++) {
        snprintf(backend, sizeof backend, "%.31s", names[i]);
        printf("with %s\n", backend);
        test_case(every_allocation);
    }
    free(file);
    return test_finish();
}
