/* SPDX-License-Identifier: Apache-2.0 */
/* Steps on two devices allocate nothing: neither of the host, nor buffers of a device, nor objects
 * of OpenCL that hold memory, once a first step of the kind has run.
 *
 *     steady [BACKEND]      the second device: sim, opencl_igpu, intel_l0
 *
 * Placements by layers, halves and single nodes, and products divided by rows, so that values cross
 * often. Calls of OpenCL that
 * make objects come here, because a program's names go before those of libraries. */
#define _POSIX_C_SOURCE 200809L /* setenv */
#include "placed.h"
#include "split.h"

#include <dlfcn.h>

#include "../tiny_model.h"

#define PROMPT 60
#define STEPS 12 /* the cache takes a new page on the way */

static het_context *context;

/* ---- what is counted ---- */

static uint64_t buffers, driver_objects;

static const het__backend *inner_of[2];

#define COUNTED(n)                                                                               \
    static het_status create_##n(het__device *device, size_t bytes, het__buffer **buffer,        \
                                 het_error *err)                                                 \
    {                                                                                            \
        buffers++;                                                                               \
        return inner_of[n]->buffer_create(device, bytes, buffer, err);                           \
    }                                                                                            \
    static het_status import_##n(het__device *device, void *host, size_t bytes,                  \
                                 het__buffer **buffer, het_error *err)                           \
    {                                                                                            \
        buffers++;                                                                               \
        return inner_of[n]->buffer_import(device, host, bytes, buffer, err);                     \
    }
COUNTED(0)
COUNTED(1)

static void count_buffers(void)
{
    for (uint32_t i = 0; i < 2; i++)
        inner_of[i] = placed.real[i].backend;
    placed.table[0].buffer_create = create_0;
    placed.table[1].buffer_create = create_1;
    placed.table[0].buffer_import = inner_of[0]->buffer_import ? import_0 : NULL;
    placed.table[1].buffer_import = inner_of[1]->buffer_import ? import_1 : NULL;
}

#if HET_TEST_OPENCL
#define CL_TARGET_OPENCL_VERSION 300
#define CL_USE_DEPRECATED_OPENCL_1_2_APIS
#include <CL/cl.h>

/* function: where the pointer to the loader's goes. */
static void real_of(const char *name, void *function)
{
    static void *library;
    if (!library)
        library = dlopen("libOpenCL.so.1", RTLD_NOW);
    void *const address = library ? dlsym(library, name) : NULL;
    memcpy(function, &address, sizeof address);
    driver_objects++;
}

cl_mem clCreateBuffer(cl_context c, cl_mem_flags flags, size_t bytes, void *host, cl_int *code)
{
    cl_mem (*f)(cl_context, cl_mem_flags, size_t, void *, cl_int *);
    real_of("clCreateBuffer", &f);
    return f(c, flags, bytes, host, code);
}

void *clSVMAlloc(cl_context c, cl_svm_mem_flags flags, size_t bytes, cl_uint align)
{
    void *(*f)(cl_context, cl_svm_mem_flags, size_t, cl_uint);
    real_of("clSVMAlloc", &f);
    return f(c, flags, bytes, align);
}

cl_kernel clCreateKernel(cl_program p, const char *name, cl_int *code)
{
    cl_kernel (*f)(cl_program, const char *, cl_int *);
    real_of("clCreateKernel", &f);
    return f(p, name, code);
}

cl_command_queue clCreateCommandQueue(cl_context c, cl_device_id d,
                                      cl_command_queue_properties wanted, cl_int *code)
{
    cl_command_queue (*f)(cl_context, cl_device_id, cl_command_queue_properties, cl_int *);
    real_of("clCreateCommandQueue", &f);
    return f(c, d, wanted, code);
}
#endif

typedef struct sum {
    uint64_t host, buffers, driver;
} sum;

static sum now(void)
{
    return (sum){ context->mem.count, buffers, driver_objects };
}

static void check_none(const char *what, sum before)
{
    const sum after = now();
    test_checks++;
    if (after.host != before.host || after.buffers != before.buffers ||
        after.driver != before.driver)
        TEST_FAIL("%s, pattern %" PRIx64 ": %d blocks of the host, %d buffers, %d objects", what,
                  placed.pattern, (int)(after.host - before.host),
                  (int)(after.buffers - before.buffers), (int)(after.driver - before.driver));
}

/* ---- runs ---- */

static uint32_t devices_of(const het_session *s)
{
    const het_plan *p = het_session_plan(s, HET_PHASE_DECODE);
    het_plan_info info = { .struct_size = sizeof info };
    het_plan_layer l = { .struct_size = sizeof l };
    uint32_t mask = 0;
    if (!p || het_plan_get_info(p, &info) != HET_OK)
        return 0;
    for (uint32_t i = 0; i < info.layer_count; i++)
        if (het_plan_layer_at(p, i, &l) == HET_OK)
            mask |= UINT32_C(1) << l.device;
    return (mask & 1) + (mask >> 1 & 1);
}

/* Everything on the first device but for some rows of each product. */
#define DIVIDED                                      \
    "hetinfer-policy: 1\n"                           \
    "rules: [{prefer: %s}]\n"                        \
    "split: {rows: [{to: %s, share: 0.4}]}\n"

static het_policy *divided;
static het_policy *policy; /* of sessions; NULL: none */

static het_session *open_session(const het_model *model)
{
    het_error err = HET_ERROR_INIT;
    het_session_options o = HET_SESSION_OPTIONS_INIT;
    het_session *s = NULL;
    o.threads = 2;
    o.batch_max = 32;
    o.context_max = 128;
    o.policy = policy;
    if (het_session_create(model, &o, &s, &err) != HET_OK)
        TEST_FAIL("pattern %" PRIx64 ": %s", placed.pattern, err.message);
    return s;
}

static void feed(het_session *s, het_sequence *q, uint32_t count)
{
    int32_t ids[PROMPT];
    het_error err = HET_ERROR_INIT;
    for (uint32_t i = 0; i < count; i++)
        ids[i] = 3 + (int32_t)(i * 37 % 60);
    CHECK_INT(het_sequence_append(q, ids, count, 0, NULL), HET_OK);
    while (het_sequence_pending(q) > 0)
        if (het_session_step(s, NULL, &err) != HET_OK) {
            TEST_FAIL("pattern %" PRIx64 ": %s", placed.pattern, err.message);
            break;
        }
}

static uint32_t language(const char *name, const het_model *model)
{
    het_session *s = open_session(model);
    het_sequence *q = NULL;
    uint32_t devices = 0;
    if (s && het_sequence_create(s, &q, NULL) == HET_OK) {
        feed(s, q, PROMPT);
        feed(s, q, 1);
        devices = devices_of(s);
        sum before = now();
        for (int i = 0; i < STEPS; i++)
            feed(s, q, 1);
        check_none(name, before);
        before = now();
        feed(s, q, 32);
        check_none("a prompt", before);
    }
    het_sequence_destroy(q);
    het_session_destroy(s);
    return devices;
}

static uint32_t network(const char *name, const het_model *model)
{
    static float pixels[SPLIT_PIXELS], scores[SPLIT_SCORES];
    het_session *s = open_session(model);
    het_error err = HET_ERROR_INIT;
    uint32_t devices = 0;
    size_t count;
    bool good = s && split_run_network(model, s, pixels, scores, &count, &err);
    if (good) {
        devices = devices_of(s);
        const sum before = now();
        for (int i = 0; i < 3 && good; i++)
            good = split_run_network(model, s, pixels, scores, &count, &err);
        check_none(name, before);
    }
    if (!good)
        TEST_FAIL("%s, pattern %" PRIx64 ": %s", name, placed.pattern, err.message);
    het_session_destroy(s);
    return devices;
}

static void each_placement(const char *name, const het_model *model,
                           uint32_t (*run)(const char *, const het_model *))
{
    /* Halves, layers, nodes. */
    static const uint64_t patterns[] = { PLACED_HALVES, 1, 3 };
    uint32_t most = 0;
    for (size_t i = 0; i < sizeof patterns / sizeof *patterns; i++) {
        placed.pattern = patterns[i];
        const uint32_t devices = run(name, model);
        most = devices > most ? devices : most;
    }
    CHECK_INT(most, 2);
    placed.pattern = 0;
    policy = divided;
    CHECK_INT(run(name, model), 2);
    policy = NULL;
}

static void file(const char *path, uint32_t (*run)(const char *, const het_model *))
{
    char whole[512];
    het_model *model = NULL;
    het_error err = HET_ERROR_INIT;
    if (het_model_load(context, test_source_path(whole, sizeof whole, path), NULL, &model, &err) ==
        HET_OK)
        each_placement(path, model, run);
    else
        TEST_FAIL("%s: %s", path, err.message);
    het_model_destroy(model);
}

static void made(void)
{
    tiny_options o = TINY_LLAMA;
    tiny_model m;
    het_model *model = NULL;
    het_error err = HET_ERROR_INIT;
    tiny_make(&m, &o);
    if (het_model_load_memory(context, m.file, m.bytes, NULL, &model, &err) == HET_OK)
        each_placement("llama", model, language);
    else
        TEST_FAIL("llama: %s", err.message);
    het_model_destroy(model);
    tiny_free(&m);
}

static const char *first_backend(void)
{
    for (const het__backend *const *b = het__backends; *b; b++)
        if (strcmp((*b)->name, "cpu_onednn") == 0)
            return "cpu_onednn";
    return "ref";
}

int main(int argc, char **argv)
{
    const char *second = argc > 1 ? argv[1] : "sim";
    het_context_options o = HET_CONTEXT_OPTIONS_INIT;
    char list[80];
    het_error err = HET_ERROR_INIT;
    setenv("HETINFER_SIM", "amd-8945hs:igpu@16G", 1);
    setenv("HETINFER_SIM_SCALE", "0", 1);
    setenv("HETINFER_SIM_COMPUTE", first_backend(), 1);
    snprintf(list, sizeof list, "%s,%s", first_backend(), second);
    o.backends = list;
    if (het_context_create(&o, &context, &err) != HET_OK)
        test_skip(err.message);
    if (context->registry.count < 2) {
        het_context_destroy(context);
        test_skip("there is no second device");
    }
    context->registry.count = 2;
    placed_begin(&context->registry);
    count_buffers();
    char text[256];
    const char *other = strcmp(second, "sim") == 0 ? "simulated" : second;
    snprintf(text, sizeof text, DIVIDED, first_backend(), other);
    if (het_policy_load_memory(context, text, strlen(text), NULL, &divided, &err) != HET_OK)
        TEST_FAIL("%s", err.message);
    made();
    file("tests/models/reference/families/mixtral.gguf", language);
    file("examples/models/digits-conv.onnx", network);
    file("examples/models/digits-vit.onnx", network);
    het_policy_destroy(divided);
    het_context_destroy(context);
    printf("%s: %" PRIu64 " buffers, %" PRIu64 " objects of OpenCL, all before the first steps\n",
           list, buffers, driver_objects);
    if (strcmp(second, "opencl_igpu") == 0)
        CHECK(driver_objects > 0);
    return test_finish();
}
