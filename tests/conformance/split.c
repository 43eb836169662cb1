/* SPDX-License-Identifier: Apache-2.0 */
/* Models spread over devices by chance: the CPU, "ref", the simulated GPU and NPU, and OpenCL where
 * there is a device. Whatever runs where, greedy tokens are those of one device, and tensors are
 * within the tolerance of a whole network's rounding.
 *
 *     split_runs [MODEL | FILE.onnx...]
 *
 * HETINFER_TEST_SPLITS: placements per model, without it 300, and 12 where kernels are compiled for
 * each; HETINFER_TEST_SLICE=2/5: every fifth of them, from the second. MODEL: part of a name.
 * HETINFER_OPENCL_CPU=1 adds a driver for processors. */
#define _POSIX_C_SOURCE 200809L /* setenv */
#include "placed.h"
#include "split.h"

#include <hetinfer.h>

#include "../tiny_model.h"

static het_context *context;
static uint32_t placements = 300, slice = 1, slice_count = 1;
static const char *wanted = "";
static uint32_t most_transfers, most_devices;

/* ---- devices ---- */

static bool has_backend(const char *name)
{
    for (const het__backend *const *b = het__backends; *b; b++)
        if (strcmp((*b)->name, name) == 0)
            return true;
    return false;
}

static bool open_context(void)
{
    het_context_options o = HET_CONTEXT_OPTIONS_INIT;
    char list[80];
    snprintf(list, sizeof list, "%s,sim%s%s", has_backend("cpu_onednn") ? "cpu_onednn,ref" : "ref",
             has_backend("intel_l0") ? ",intel_l0" : "",
             has_backend("opencl_igpu") ? ",opencl_igpu" : "");
    o.backends = list;
    return het_context_create(&o, &context, NULL) == HET_OK;
}

static const char *first_device(void)
{
    return has_backend("cpu_onednn") ? "cpu_onednn" : "ref";
}

static het_session *open_session(const het_model *model, const char *devices)
{
    het_error err = HET_ERROR_INIT;
    het_session_options o = HET_SESSION_OPTIONS_INIT;
    het_session *s = NULL;
    o.kv_dtype = HET_DTYPE_F32;
    o.devices = devices;
    o.threads = 2;
    o.batch_max = 16;
    o.context_max = 64;
    o.precision = HET_PRECISION_EXACT;
    if (het_session_create(model, &o, &s, &err) != HET_OK)
        TEST_FAIL("pattern %" PRIu64 ": %s", placed.pattern, err.message);
    return s;
}

static void note_plan(const het_session *s)
{
    const het_plan *p = het_session_plan(s, HET_PHASE_DECODE);
    het_plan_info info = { .struct_size = sizeof info };
    het_plan_layer l = { .struct_size = sizeof l };
    uint32_t mask = 0, devices = 0;
    if (!p || het_plan_get_info(p, &info) != HET_OK)
        return;
    for (uint32_t i = 0; i < info.layer_count; i++)
        if (het_plan_layer_at(p, i, &l) == HET_OK)
            mask |= UINT32_C(1) << l.device;
    for (; mask; mask &= mask - 1)
        devices++;
    most_devices = devices > most_devices ? devices : most_devices;
    most_transfers = info.transfer_count > most_transfers ? (uint32_t)info.transfer_count
                                                          : most_transfers;
}

/* Placements of this slice out of so many. */
static uint32_t sliced(uint32_t all)
{
    return all < slice ? 0 : (all - slice) / slice_count + 1;
}

/* Of few placements, or of few operations, all may be one device by chance. */
static void tell(const char *name, uint32_t tries, const char *what, double worst)
{
    printf("%-20s %u placements, to %u devices, %u transfers, %s within %.1e\n", name, tries,
           most_devices, most_transfers, what, worst);
    fflush(stdout);
    CHECK(slice_count > 1 || (most_devices >= 2 && most_transfers > 0));
}

static void read_slice(void)
{
    const char *const text = getenv("HETINFER_TEST_SLICE");
    unsigned i = 1, n = 1;
    if (text && (sscanf(text, "%u/%u", &i, &n) != 2 || i == 0 || i > n))
        TEST_FAIL("HETINFER_TEST_SLICE is %s, not like 2/5", text);
    else
        slice = i, slice_count = n;
}

/* ---- language models ---- */

static void generate(het_session *s, split_generated *g)
{
    het_error err = HET_ERROR_INIT;
    if (!split_generate(s, g, &err))
        TEST_FAIL("pattern %" PRIu64 ": %s", placed.pattern, err.message);
}

static void compare_generated(const char *name, const split_generated *got,
                              const split_generated *want, double *worst)
{
    const double e = split_worst_of(got->logits, want->logits, SPLIT_STEPS * want->vocabulary);
    *worst = fmax(*worst, e);
    test_checks += 2;
    if (memcmp(got->ids, want->ids, sizeof got->ids) != 0)
        TEST_FAIL("%s, pattern %" PRIu64 ": other tokens", name, placed.pattern);
    if (!(e <= SPLIT_TOLERANCE))
        TEST_FAIL("%s, pattern %" PRIu64 ": logits off by %.3g of the largest", name,
                  placed.pattern, e);
}

static bool generate_once(const het_model *model, const char *devices, split_generated *g)
{
    het_session *s = open_session(model, devices);
    g->good = s != NULL;
    if (s)
        generate(s, g);
    if (s && !devices)
        note_plan(s);
    het_session_destroy(s);
    return g->good;
}

static void split_language(const char *name, const het_model *model)
{
    het_model_info info = { .struct_size = sizeof info };
    split_generated want = { .good = false }, got = { .good = false };
    double worst = 0;
    CHECK_INT(het_model_get_info(model, &info), HET_OK);
    want.vocabulary = got.vocabulary = (size_t)info.vocabulary_size;
    want.logits = calloc(SPLIT_STEPS * want.vocabulary, sizeof(float));
    got.logits = calloc(SPLIT_STEPS * want.vocabulary, sizeof(float));
    placed.pattern = 0;
    most_transfers = most_devices = 0;
    if (want.logits && got.logits && generate_once(model, first_device(), &want))
        for (placed.pattern = slice; placed.pattern <= placements; placed.pattern += slice_count)
            if (generate_once(model, NULL, &got))
                compare_generated(name, &got, &want, &worst);
    tell(name, sliced(placements), "logits", worst);
    free(want.logits);
    free(got.logits);
}

/* ---- networks ---- */

static bool run_network(const het_model *model, const char *devices, float *pixels, float *out,
                        size_t *out_count)
{
    het_session *s = open_session(model, devices);
    het_error err = HET_ERROR_INIT;
    const bool good = s && split_run_network(model, s, pixels, out, out_count, &err);
    if (!good)
        TEST_FAIL("pattern %" PRIu64 ": %s", placed.pattern, err.message);
    else if (!devices)
        note_plan(s);
    het_session_destroy(s);
    return good;
}

/* Of few operations one placement may be one device by chance. */
#define FEW 4

static void split_network(const char *name, const het_model *model)
{
    static float pixels[SPLIT_PIXELS], want[SPLIT_SCORES], got[SPLIT_SCORES];
    const uint32_t tries = placements < FEW ? FEW : placements;
    size_t count = 0;
    double worst = 0;
    split_make_images(pixels);
    placed.pattern = 0;
    most_transfers = most_devices = 0;
    if (!run_network(model, first_device(), pixels, want, &count))
        return;
    for (placed.pattern = slice; placed.pattern <= tries; placed.pattern += slice_count) {
        size_t n = 0;
        if (!run_network(model, NULL, pixels, got, &n))
            continue;
        const double e = n == count ? split_worst_of(got, want, count) : INFINITY;
        worst = fmax(worst, e);
        test_checks++;
        if (!(e <= SPLIT_TOLERANCE))
            TEST_FAIL("%s, pattern %" PRIu64 ": off by %.3g", name, placed.pattern, e);
    }
    tell(name, sliced(tries), "scores", worst);
}

/* ---- models ---- */

static void each_made(void)
{
    static const char *const architectures[] = { "llama", "qwen2", "qwen3", "phi3" };
    for (size_t i = 0; i < 4; i++) {
        tiny_options o = TINY_LLAMA;
        tiny_model m;
        het_model *model = NULL;
        het_error err = HET_ERROR_INIT;
        if (!strstr(architectures[i], wanted))
            continue;
        o.architecture = architectures[i];
        tiny_make(&m, &o);
        if (het_model_load_memory(context, m.file, m.bytes, NULL, &model, &err) == HET_OK)
            split_language(architectures[i], model);
        else
            TEST_FAIL("%s: %s", architectures[i], err.message);
        het_model_destroy(model);
        tiny_free(&m);
    }
}

static bool is_file(const char *argument)
{
    const size_t n = strlen(argument);
    return n > 5 && strcmp(argument + n - 5, ".onnx") == 0;
}

static void each_given(int count, char **paths)
{
    for (int i = 0; i < count; i++) {
        const char *slash = strrchr(paths[i], '/');
        het_model *model = NULL;
        het_error err = HET_ERROR_INIT;
        if (het_model_load(context, paths[i], NULL, &model, &err) == HET_OK)
            split_network(slash ? slash + 1 : paths[i], model);
        else
            TEST_FAIL("%s: %s", paths[i], err.message);
        het_model_destroy(model);
    }
}

static void each_known(void)
{
    static const char *const families[] = { "gemma", "gemma2", "gemma3", "gemma3n", "mixtral",
                                            "phimoe", "phimoe-longrope", "qwen3moe" };
    static const char *const networks[] = { "digits-conv", "digits-conv-int8", "digits-vit" };
    each_made();
    split_each_file(context, wanted, "tests/models/reference/families", "gguf", families, 8,
                    split_language);
    split_each_file(context, wanted, "examples/models", "onnx", networks, 3, split_network);
}

int main(int argc, char **argv)
{
    const bool given = argc > 1 && is_file(argv[1]);
    if (argc > 1 && !given)
        wanted = argv[1];
    setenv("HETINFER_SIM_SCALE", "0", 0);
    if (has_backend("cpu_onednn"))
        setenv("HETINFER_SIM_COMPUTE", "cpu_onednn", 0);
    if (!open_context()) {
        TEST_FAIL("no context");
        return test_finish();
    }
    const char *count = getenv("HETINFER_TEST_SPLITS");
    read_slice();
    placed_begin(&context->registry);
    if (count)
        placements = (uint32_t)strtoul(count, NULL, 10);
    else if (strcmp(placed.real[placed.count - 1].info.backend, "opencl_igpu") == 0 ||
             strcmp(placed.real[placed.count - 1].info.backend, "intel_l0") == 0)
        placements = 12;
    for (uint32_t i = 0; i < placed.count; i++)
        printf("%s: %s\n", placed.real[i].info.backend, placed.real[i].info.name);
    if (given)
        each_given(argc - 1, argv + 1);
    else
        each_known();
    het_context_destroy(context);
    return test_finish();
}
