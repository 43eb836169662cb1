/* SPDX-License-Identifier: Apache-2.0 */
/* The processor, Level Zero, OpenCL and the NPU in one process and one plan. Level Zero is the test
 * driver on PoCL, OpenCL is PoCL and the NPU is a stand-in: none of it ran on such hardware.
 *
 * Without the NPU greedy tokens are those of the processor alone; with its eight bits logits stay
 * within the bound of its own test. Then the device of Level Zero is lost in a generation.
 *
 * A processor without its backend (builds with sanitizers) computes in plain C. */
#define _XOPEN_SOURCE 700 /* setenv */
#include "split.h"

#include "drivers/level_zero/ask.h"
#include "golden/agreement.h"
#include "rig.h"

#define TOKENS 24
#define LOST_AFTER 9 /* tokens */

/* PoCL's device is of the kind "cpu" too, so that the processor is what remains. */
#define POLICY                                          \
    "hetinfer-policy: 1\n"                              \
    "rules:\n"                                          \
    "  - never: [intel_l0, opencl_igpu, amd_xrt_npu]\n"
#define FALLBACK                                          \
    "fallback:\n"                                         \
    "  on_error: {retry: 3, backoff_ms: 1, next: any}\n"
#define HEARTH_LAYERS              \
    "  - layers: 0-1\n"            \
    "    must: intel_l0\n"         \
    "  - layers: 2\n"              \
    "    must: opencl_igpu\n"      \
    "  - layers: 4\n"              \
    "    class: attention_layer\n" \
    "    must: opencl_igpu\n"
/* Products of three layers, whose neighbours are on three devices. */
#define PROJECTIONS                                                   \
    "  - layers: 1-3\n"                                               \
    "    class: [attention_qkv_proj, attention_output_proj, ffn]\n"   \
    "    must: amd_xrt_npu\n"
#define FAMILY_LAYERS           \
    "  - layers: 0\n"           \
    "    must: opencl_igpu\n"   \
    "  - layers: 1\n"           \
    "    must: intel_l0\n"
#define CONV_CLASSES            \
    "  - class: conv\n"         \
    "    must: intel_l0\n"      \
    "  - class: pool\n"         \
    "    must: opencl_igpu\n"
#define VIT_CLASSES                                       \
    "  - class: [ffn, attention_qkv_proj, matmul]\n"      \
    "    must: intel_l0\n"                                \
    "  - class: [norm, attention, elementwise]\n"         \
    "    must: opencl_igpu\n"
#define FEED_FORWARD            \
    "  - class: ffn\n"          \
    "    must: amd_xrt_npu\n"

#define HEARTH_THREE POLICY HEARTH_LAYERS FALLBACK
#define HEARTH_FOUR POLICY HEARTH_LAYERS PROJECTIONS FALLBACK
#define FAMILY_THREE POLICY FAMILY_LAYERS FALLBACK
#define CONV_THREE POLICY CONV_CLASSES FALLBACK
#define VIT_THREE POLICY VIT_CLASSES FALLBACK
#define VIT_FOUR POLICY VIT_CLASSES FEED_FORWARD FALLBACK

enum { CPU = 1, L0 = 2, CL = 4, NPU = 8 };

static het_context *context;
static uint32_t warnings, errors;
static char line[512];
static const char *processor;
static ze_ask driver;

static void keep_line(void *user, het_log_level level, const char *component, const char *message)
{
    (void)user;
    (void)component;
    warnings += level == HET_LOG_WARN;
    errors += level == HET_LOG_ERROR;
    if (level <= HET_LOG_WARN)
        snprintf(line, sizeof line, "%s", message);
}

static bool open_context(void)
{
    static const char *const needed[] = { "intel_l0", "opencl_igpu", "amd_xrt_npu" };
    char reason[600], list[80];
    het_error err = HET_ERROR_INIT;
    het_context_options o = HET_CONTEXT_OPTIONS_INIT;
    for (size_t i = 0; i < 3; i++)
        if (!rig_backend(needed[i])) {
            snprintf(reason, sizeof reason, "the library is built without %s", needed[i]);
            test_skip(reason);
        }
    driver = ze_ask_find();
    processor = rig_backend("cpu_onednn") ? "cpu_onednn" : "ref";
    snprintf(list, sizeof list, "%s,intel_l0,opencl_igpu,amd_xrt_npu", processor);
    o.backends = list;
    o.log = keep_line;
    o.log_level = HET_LOG_WARN;
    if (het_context_create(&o, &context, &err) != HET_OK) {
        TEST_FAIL("%s", err.message);
        return false;
    }
    const uint32_t count = het_context_device_count(context);
    if (count < 3) { /* what both drivers compute on is missing */
        printf("%s\n", het_context_report(context));
        het_context_destroy(context);
        test_skip("no OpenCL driver for a processor (PoCL)");
    }
    if (count != 4)
        TEST_FAIL("not four devices: %s", het_context_report(context));
    return count == 4;
}

/* policy: NULL: the processor alone. */
static het_session *open_session(const het_model *model, const char *policy, uint32_t precision)
{
    het_error err = HET_ERROR_INIT;
    het_session_options o = HET_SESSION_OPTIONS_INIT;
    het_session *session = NULL;
    het_policy *p = NULL;
    het_model_info info = { .struct_size = sizeof info };
    CHECK_INT(het_model_get_info(model, &info), HET_OK);
    o.threads = 1;
    o.kv_dtype = HET_DTYPE_F32;
    o.context_max = info.context_max < AGREEMENT_ROWS_MAX ? (uint32_t)info.context_max
                                                          : AGREEMENT_ROWS_MAX;
    o.batch_max = 64;
    o.logits_max = 64;
    o.devices = policy ? NULL : processor;
    o.precision = precision;
    het_status s =
        policy ? het_policy_load_memory(context, policy, strlen(policy), NULL, &p, &err) : HET_OK;
    o.policy = p;
    if (s == HET_OK)
        s = het_session_create(model, &o, &session, &err);
    if (s != HET_OK)
        TEST_FAIL("%s", err.message);
    het_policy_destroy(p);
    return session;
}

static het_model *load(const char *name)
{
    char path[512];
    het_error err = HET_ERROR_INIT;
    het_model *model = NULL;
    if (het_model_load(context, test_source_path(path, sizeof path, name), NULL, &model, &err))
        TEST_FAIL("%s: %s", name, err.message);
    return model;
}

/* What the plan of a phase runs on. */
static uint32_t used(const het_session *session, het_phase phase)
{
    static const char *const names[] = { "intel_l0", "opencl_igpu", "amd_xrt_npu" };
    const het_plan *plan = session ? het_session_plan(session, phase) : NULL;
    het_plan_layer layer = { .struct_size = sizeof layer };
    uint32_t mask = 0;
    for (uint32_t i = 0; plan && het_plan_layer_at(plan, i, &layer) == HET_OK; i++) {
        mask |= strcmp(layer.backend, processor) == 0 ? CPU : 0;
        for (uint32_t d = 0; d < 3; d++)
            mask |= strcmp(layer.backend, names[d]) == 0 ? UINT32_C(2) << d : 0;
    }
    return mask;
}

/* ---- tokens ---- */

typedef struct tokens {
    int32_t id[TOKENS];
    int count;
} tokens;

static int32_t best_of(const float *logits, int64_t count)
{
    int32_t best = 0;
    for (int32_t i = 1; i < count; i++)
        if (logits[i] > logits[best])
            best = i;
    return best;
}

/* Greedy. fault: what the test driver does after some tokens; may be NULL. */
static void generate(const het_model *model, het_session *session, const char *fault, tokens *out)
{
    enum { PROMPT = 20 };
    int32_t prompt[PROMPT];
    het_error err = HET_ERROR_INIT;
    het_sequence *q = NULL;
    het_model_info info = { .struct_size = sizeof info };
    memset(out, 0, sizeof *out);
    if (!session)
        return;
    CHECK_INT(het_model_get_info(model, &info), HET_OK);
    for (int i = 0; i < PROMPT; i++)
        prompt[i] = (int32_t)(3 + (int64_t)i * 37 % ((int64_t)info.vocabulary_size - 3));
    het_status s = het_sequence_create(session, &q, &err);
    if (s == HET_OK)
        s = het_sequence_append(q, prompt, PROMPT, 0, &err);
    while (s == HET_OK && out->count < TOKENS) {
        uint32_t rows = 0;
        if (fault && out->count == LOST_AFTER)
            CHECK(driver.arm(fault));
        while (s == HET_OK && het_sequence_pending(q) > 0)
            s = het_session_step(session, NULL, &err);
        const float *logits = s == HET_OK ? het_sequence_logits(q, NULL, &rows) : NULL;
        if (!logits || !rows)
            break;
        logits += (rows - 1) * (size_t)info.vocabulary_size;
        out->id[out->count] = best_of(logits, (int64_t)info.vocabulary_size);
        s = het_sequence_append(q, &out->id[out->count++], 1, 0, &err);
    }
    if (s != HET_OK || out->count != TOKENS)
        TEST_FAIL("after %d tokens: %s", out->count, err.message);
    het_sequence_destroy(q);
}

static void compare_tokens(const char *name, const tokens *got, const tokens *want)
{
    test_checks++;
    for (int i = 0; i < TOKENS; i++)
        if (got->id[i] != want->id[i]) {
            TEST_FAIL("%s: token %d is %d, not %d", name, i, (int)got->id[i], (int)want->id[i]);
            return;
        }
}

static void same_tokens(const char *name, const char *policy)
{
    tokens want, got;
    het_model *model = load(name);
    if (!model)
        return;
    het_session *alone = open_session(model, NULL, HET_PRECISION_EXACT);
    het_session *split = open_session(model, policy, HET_PRECISION_EXACT);
    CHECK_INT(used(split, HET_PHASE_PREFILL), CPU | L0 | CL);
    CHECK_INT(used(split, HET_PHASE_DECODE), CPU | L0 | CL);
    generate(model, alone, NULL, &want);
    generate(model, split, NULL, &got);
    compare_tokens(name, &got, &want);
    het_session_destroy(split);
    het_session_destroy(alone);
    het_model_destroy(model);
}

static void tokens_are_the_processors(void)
{
    same_tokens("examples/models/hearth.gguf", HEARTH_THREE);
    same_tokens("tests/models/reference/families/gemma3.gguf", FAMILY_THREE);
    CHECK_INT(warnings + errors, 0);
}

/* ---- with the NPU ---- */

static void logits_are_within_the_npus_bound(void)
{
    het_model *model = load("examples/models/hearth.gguf");
    if (!model)
        return;
    het_session *alone = open_session(model, NULL, HET_PRECISION_EXACT);
    het_session *split = open_session(model, HEARTH_FOUR, HET_PRECISION_FAST);
    CHECK_INT(used(split, HET_PHASE_PREFILL), CPU | L0 | CL | NPU);
    CHECK_INT(used(split, HET_PHASE_DECODE), CPU | L0 | CL | NPU);
    agreement_check(alone, split);
    CHECK_INT(warnings + errors, 0);
    het_session_destroy(split);
    het_session_destroy(alone);
    het_model_destroy(model);
}

/* ---- networks ---- */

/* Images with another best class. */
static uint32_t wrong_classes(const float *got, const float *want, size_t count)
{
    const int64_t classes = (int64_t)count / SPLIT_IMAGES;
    uint32_t wrong = 0;
    for (int64_t i = 0; i < SPLIT_IMAGES; i++)
        wrong += best_of(got + i * classes, classes) != best_of(want + i * classes, classes);
    return wrong;
}

static void split_scores(const char *name, const char *policy, uint32_t devices, double tolerance)
{
    static float pixels[SPLIT_PIXELS], want[SPLIT_SCORES], got[SPLIT_SCORES];
    const uint32_t precision = devices & NPU ? HET_PRECISION_FAST : HET_PRECISION_EXACT;
    het_error err = HET_ERROR_INIT;
    size_t count = 0, n = 0;
    het_model *model = load(name);
    if (!model)
        return;
    het_session *alone = open_session(model, NULL, HET_PRECISION_EXACT);
    het_session *split = open_session(model, policy, precision);
    split_make_images(pixels);
    if (!alone || !split_run_network(model, alone, pixels, want, &count, &err) || !split ||
        !split_run_network(model, split, pixels, got, &n, &err))
        TEST_FAIL("%s: %s", name, err.message);
    CHECK_INT(used(split, HET_PHASE_DECODE), devices); /* graphs have one plan */
    const double e = n == count && n > 0 ? split_worst_of(got, want, n) : INFINITY;
    printf("%s: %u scores within %.1e\n", name, (unsigned)n, e);
    CHECK(e <= tolerance);
    CHECK_INT(wrong_classes(got, want, n), 0);
    het_session_destroy(split);
    het_session_destroy(alone);
    het_model_destroy(model);
}

static void scores_are_the_processors(void)
{
    split_scores("examples/models/digits-conv.onnx", CONV_THREE, CPU | L0 | CL, SPLIT_TOLERANCE);
    split_scores("examples/models/digits-vit.onnx", VIT_THREE, CPU | L0 | CL, SPLIT_TOLERANCE);
    split_scores("examples/models/digits-vit.onnx", VIT_FOUR, CPU | L0 | CL | NPU,
                 AGREEMENT_RELATIVE);
    CHECK_INT(warnings + errors, 0);
}

/* ---- a device is lost ---- */

static void lose(const het_model *model, const char *policy, uint32_t precision, const char *name)
{
    tokens want, got;
    het_session *session = open_session(model, policy, precision);
    generate(model, session, NULL, &want);
    het_session_destroy(session);
    warnings = errors = 0;
    session = open_session(model, policy, precision);
    const uint32_t all = used(session, HET_PHASE_DECODE);
    CHECK((all & L0) != 0);
    generate(model, session, "launch=7,kind=gone", &got);
    CHECK_INT(driver.armed(), 0);
    CHECK_INT(used(session, HET_PHASE_DECODE), all & ~(uint32_t)L0);
    compare_tokens(name, &got, &want);
    printf("%s: %s\n", name, line);
    if (warnings != 1 || errors)
        TEST_FAIL("%s: %u warnings, %u errors", name, warnings, errors);
    het_session_destroy(session);
    CHECK_INT(driver.complaints(), 0);
    driver.reset();
}

static void others_go_on(void)
{
    het_model *model = load("examples/models/hearth.gguf");
    if (!model)
        return;
    lose(model, HEARTH_THREE, HET_PRECISION_EXACT, "of three");
    lose(model, HEARTH_FOUR, HET_PRECISION_FAST, "of four");
    het_model_destroy(model);
}

int main(void)
{
    setenv("HETINFER_XRT_STANDIN", "", 1);
    if (open_context()) {
        for (uint32_t i = 0; i < 4; i++) {
            het_device_info d = { .struct_size = sizeof d };
            CHECK_INT(het_device_get_info(het_context_device(context, i), &d), HET_OK);
            printf("%s: %s\n", d.backend, d.name);
        }
        test_case(tokens_are_the_processors);
        test_case(logits_are_within_the_npus_bound);
        test_case(scores_are_the_processors);
        test_case(others_go_on);
    }
    het_context_destroy(context);
    return test_finish();
}
