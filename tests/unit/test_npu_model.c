/* SPDX-License-Identifier: Apache-2.0 */
/* The embedded language model with its projections on the stand-in for an NPU and the rest on the
 * processor, against the processor alone; and a failure of every kind at many calls to XRT: the
 * run goes on, with the same tokens. Nothing here ran on an NPU. */
#define _XOPEN_SOURCE 700 /* setenv */
#include "counting_allocator.h"
#include "folder.h"
#include "golden/agreement.h"

#include "lib/base/os.h"
#include "tiny_model.h"

#define ON_NPU                                                       \
    "hetinfer-policy: 1\n"                                           \
    "rules:\n"                                                       \
    "  - must: cpu\n"                                                \
    "  - class: [attention_qkv_proj, attention_output_proj, ffn]\n"  \
    "    must: npu\n"                                                \
    "fallback:\n"                                                    \
    "  on_error: {retry: 3, backoff_ms: 1, next: any}\n"

typedef struct run {
    counting_allocator counter;
    het_allocator allocator;
    het_context *context;
    het_model *model;
    uint32_t warnings, errors;
    int64_t kept; /* blocks that hung devices keep */
    char line[512];
} run;

static void keep_line(void *user, het_log_level level, const char *component, const char *message)
{
    run *r = user;
    (void)component;
    r->warnings += level == HET_LOG_WARN;
    r->errors += level == HET_LOG_ERROR;
    if (level <= HET_LOG_WARN)
        snprintf(r->line, sizeof r->line, "%s", message);
}

/* Without the processor's backend (builds with sanitizers) failures alone are tried, on plain C. */
static bool has_cpu;

static void look_for_cpu(void)
{
    het_context_options o = HET_CONTEXT_OPTIONS_INIT;
    het_context *context = NULL;
    o.backends = "cpu_onednn";
    has_cpu = het_context_create(&o, &context, NULL) == HET_OK;
    het_context_destroy(context);
}

static bool run_open(run *r)
{
    char path[512];
    het_error err = HET_ERROR_INIT;
    het_context_options o = HET_CONTEXT_OPTIONS_INIT;
    memset(r, 0, sizeof *r);
    r->allocator = counting_allocator_of(&r->counter);
    setenv("HETINFER_XRT_STANDIN", "", 1);
    o.allocator = &r->allocator;
    o.backends = has_cpu ? "cpu_onednn,amd_xrt_npu" : "ref,amd_xrt_npu";
    o.log = keep_line;
    o.log_user = r;
    o.log_level = HET_LOG_WARN;
    het_status s = het_context_create(&o, &r->context, &err);
    test_source_path(path, sizeof path, "examples/models/hearth.gguf");
    if (s == HET_OK)
        s = het_model_load(r->context, path, NULL, &r->model, &err);
    if (s != HET_OK)
        TEST_FAIL("%s", err.message);
    else if (het_context_device_count(r->context) != 2)
        TEST_FAIL("no NPU: %s", het_context_report(r->context));
    return s == HET_OK && het_context_device_count(r->context) == 2;
}

static void run_close(run *r)
{
    het_model_destroy(r->model);
    het_context_destroy(r->context);
    CHECK_INT(r->counter.blocks, r->kept);
}

static het_status session_of(run *r, const char *policy, het_session **session, het_error *err)
{
    het_session_options o = HET_SESSION_OPTIONS_INIT;
    het_policy *p = NULL;
    o.threads = 1;
    o.kv_dtype = HET_DTYPE_F32;
    o.context_max = AGREEMENT_ROWS_MAX;
    o.batch_max = 64;
    o.logits_max = 64;
    o.devices = policy ? NULL : has_cpu ? "cpu" : "ref";
    o.precision = policy ? HET_PRECISION_FAST : HET_PRECISION_EXACT;
    het_status s =
        policy ? het_policy_load_memory(r->context, policy, strlen(policy), NULL, &p, err)
               : HET_OK;
    o.policy = p;
    if (s == HET_OK)
        s = het_session_create(r->model, &o, session, err);
    het_policy_destroy(p);
    return s;
}

/* ---- logits ---- */

static bool uses_npu(const het_session *session)
{
    const het_plan *plan = het_session_plan(session, HET_PHASE_PREFILL);
    het_plan_layer layer = { .struct_size = sizeof layer };
    for (uint32_t i = 0; plan && het_plan_layer_at(plan, i, &layer) == HET_OK; i++)
        if (strcmp(layer.backend, "amd_xrt_npu") == 0)
            return true;
    return false;
}

static void texts_agree_with_the_processor(void)
{
    run r;
    het_error err = HET_ERROR_INIT;
    het_session *alone = NULL, *split = NULL;
    if (!run_open(&r))
        return;
    CHECK_INT(session_of(&r, NULL, &alone, &err), HET_OK);
    if (session_of(&r, ON_NPU, &split, &err) != HET_OK)
        TEST_FAIL("%s", err.message);
    CHECK(split && uses_npu(split));
    agreement_check(alone, split);
    CHECK_INT(r.warnings + r.errors, 0);
    het_session_destroy(split);
    het_session_destroy(alone);
    run_close(&r);
}

/* ---- failures ---- */

#define TOKENS 8
#define PROMPT 9

typedef struct tokens {
    int32_t id[TOKENS];
    uint32_t count;
} tokens;

static het_status generate(het_session *session, tokens *out, het_error *err)
{
    static const int32_t prompt[PROMPT] = { 1, 300, 412, 77, 910, 355, 1201, 640, 88 };
    het_sequence *q = NULL;
    het_status s = het_sequence_create(session, &q, err);
    out->count = 0;
    if (s == HET_OK)
        s = het_sequence_append(q, prompt, PROMPT, 0, err);
    while (s == HET_OK && out->count < TOKENS) {
        while (s == HET_OK && het_sequence_pending(q) > 0)
            s = het_session_step(session, NULL, err);
        const float *logits = s == HET_OK ? het_sequence_logits(q, NULL, NULL) : NULL;
        if (!logits)
            break;
        out->id[out->count] = (int32_t)agreement_best(logits);
        s = het_sequence_append(q, &out->id[out->count++], 1, 0, err);
    }
    het_sequence_destroy(q);
    return s;
}

static unsigned ask_standin(const char *function, const char *name)
{
    unsigned (*ask)(const char *) = NULL;
    void *symbol = het__find_symbol(function);
    memcpy(&ask, &symbol, sizeof ask);
    return ask ? ask(name) : 0;
}

static unsigned objects(void)
{
    unsigned (*ask)(void) = NULL;
    void *symbol = het__find_symbol("xrt_standin_objects");
    memcpy(&ask, &symbol, sizeof ask);
    return ask ? ask() : 0;
}

/* Of the leak sanitizer, where it is: a device that hangs keeps what it may still write to. */
extern void __lsan_disable(void) __attribute__((weak));
extern void __lsan_enable(void) __attribute__((weak));

/* A session from its beginning to its end while a call fails. *met: there was such a call. */
static void fail_case(run *r, const char *kind, const char *call, unsigned number,
                      const tokens *want, bool *met)
{
    char standin[80];
    het_error err = HET_ERROR_INIT;
    het_session *session = NULL;
    tokens got = { .count = 0 };
    const int64_t blocks = r->counter.blocks;
    const unsigned before = objects();
    const bool hangs = strcmp(kind, "timeout") == 0;
    if (hangs && __lsan_disable)
        __lsan_disable();
    snprintf(standin, sizeof standin, "fail=%s@%s#%u", kind, call, number);
    setenv("HETINFER_XRT_STANDIN", standin, 1);
    r->warnings = r->errors = 0;
    het_status s = session_of(r, ON_NPU, &session, &err);
    if (s == HET_OK)
        s = generate(session, &got, &err);
    *met = ask_standin("xrt_standin_calls", call) >= number;
    het_session_destroy(session);
    if (s != HET_OK || got.count != TOKENS || memcmp(got.id, want->id, sizeof want->id) != 0)
        TEST_FAIL("%s: %s: %s", standin, het_status_name(s), err.message);
    if (r->errors || r->warnings != *met)
        TEST_FAIL("%s: %u warnings, %u errors: %s", standin, r->warnings, r->errors, r->line);
    if (hangs && __lsan_enable)
        __lsan_enable();
    if (hangs && r->counter.blocks - blocks <= 1)
        r->kept += r->counter.blocks - blocks; /* memory shared with it */
    else if (r->counter.blocks != blocks)
        TEST_FAIL("%s: %d blocks left", standin, (int)(r->counter.blocks - blocks));
    if (!hangs && objects() != before)
        TEST_FAIL("%s: %u objects of XRT left", standin, objects() - before);
    test_checks++;
}

/* A kind of failure at calls further and further apart, until there are no more. */
static unsigned fail_along(run *r, const char *kind, const char *call, unsigned first,
                           const tokens *want)
{
    const bool is_long = getenv("HETINFER_TEST_LONG") != NULL;
    unsigned failures = 0;
    bool met = true;
    for (unsigned n = first; met; n += is_long ? 1 + n / 40 : 1 + 5 * n) {
        fail_case(r, kind, call, n, want, &met);
        failures += met;
    }
    return failures;
}

static void failures_change_no_token(void)
{
    static const struct { const char *kind, *call; unsigned first; } cases[] = {
        { "lost", "any", 2 },      { "error", "any", 3 },      { "nomem", "any", 5 },
        { "busy", "start", 3 },    { "timeout", "wait", 3 },   { "failed", "wait", 4 },
        { "abort", "wait", 5 },    { "noresponse", "wait", 6 }, { "strange", "sync", 4 },
        { "exhausted", "context", 3 }, { "timeout", "bo", 9 },
    };
    run r;
    het_error err = HET_ERROR_INIT;
    het_session *session = NULL;
    tokens want = { .count = 0 }, split = { .count = 0 };
    unsigned failures = 0;
    if (!run_open(&r))
        return;
    CHECK_INT(session_of(&r, NULL, &session, &err), HET_OK);
    CHECK_INT(generate(session, &want, &err), HET_OK);
    het_session_destroy(session);
    CHECK_INT(session_of(&r, ON_NPU, &session, &err), HET_OK);
    CHECK_INT(generate(session, &split, &err), HET_OK);
    het_session_destroy(session);
    CHECK(memcmp(want.id, split.id, sizeof want.id) == 0);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        failures += fail_along(&r, cases[i].kind, cases[i].call, cases[i].first, &want);
    printf("%u failures\n", failures);
    CHECK(failures >= 30);
    run_close(&r);
}

/* ---- what goes where, by cost ---- */

/* A design of the public kind, with the rate that a paper reports of it: no device opens it. */
#define LARGE                                                                            \
    "name: large\ndevices: [npu1]\ncolumns: 4\nxclbin: a.xclbin\nkernel: MLIR_AIE\n"    \
    "types: {input: i8, weight: i8, output: i32, accumulator: i32}\n"                    \
    "tile: {rows: 64, inner: 64, columns: 64}\ninner: 2048\n"                           \
    "instructions: {source: whole-array-v1}\n"                                          \
    "figures: {int8: 6.7 Top/s, launch: 100 us, bandwidth: 20 GB/s, source: assumed}\n"

/* Share of the work of a phase's steps that the NPU gets. */
static double npu_share(const het_model *model, uint32_t phase)
{
    het_plan_options o = HET_PLAN_OPTIONS_INIT;
    het_plan *plan = NULL;
    het_error err = HET_ERROR_INIT;
    het_plan_layer layer = { .struct_size = sizeof layer };
    double all = 0, npu = 0;
    o.phase = phase;
    o.threads = 4;
    if (het_plan_make(model, &o, &plan, &err) != HET_OK)
        TEST_FAIL("%s", err.message);
    for (uint32_t i = 0; plan && het_plan_layer_at(plan, i, &layer) == HET_OK; i++) {
        all += layer.flop_count;
        npu += strcmp(layer.backend, "amd_xrt_npu") == 0 ? layer.flop_count : 0;
    }
    het_plan_destroy(plan);
    return all > 0 ? npu / all : 0;
}

static void prompts_go_to_the_npu_and_tokens_do_not(void)
{
    tiny_options t = { .architecture = "llama", .layers = 4, .width = 2048, .ffn = 5632,
                       .heads = 32, .kv_heads = 4, .head_size = 64, .vocabulary = 512,
                       .context = 2048, .type = GW_Q8_0, .seed = 1 };
    tiny_model m;
    test_folder folder;
    het_context_options o = HET_CONTEXT_OPTIONS_INIT;
    het_context *context = NULL;
    het_model *model = NULL;
    het_error err = HET_ERROR_INIT;
    char *before = strdup(getenv("HETINFER_NPU_DESIGNS"));
    test_folder_make(&folder);
    test_file_write(test_folder_file(&folder, "design.yaml"), LARGE, strlen(LARGE));
    setenv("HETINFER_NPU_DESIGNS", folder.path, 1);
    setenv("HETINFER_XRT_STANDIN", "", 1);
    o.backends = "cpu_onednn,amd_xrt_npu";
    tiny_make(&m, &t);
    het_status s = het_context_create(&o, &context, &err);
    if (s == HET_OK)
        s = het_model_load_memory(context, m.file, m.bytes, NULL, &model, &err);
    if (s != HET_OK)
        TEST_FAIL("%s", err.message);
    const double prefill = s ? 0 : npu_share(model, HET_PHASE_PREFILL);
    const double decode = s ? 1 : npu_share(model, HET_PHASE_DECODE);
    printf("share of the work on the NPU: %.0f %% of a prompt, %.0f %% of a token\n",
           100 * prefill, 100 * decode);
    CHECK(prefill > 0.5);
    CHECK(decode <= 0);
    het_model_destroy(model);
    het_context_destroy(context);
    tiny_free(&m);
    test_folder_remove(&folder);
    setenv("HETINFER_NPU_DESIGNS", before, 1);
    free(before);
}

int main(void)
{
    look_for_cpu();
    if (has_cpu) {
        test_case(prompts_go_to_the_npu_and_tokens_do_not);
        test_case(texts_agree_with_the_processor);
    }
    test_case(failures_change_no_token);
    return test_finish();
}
