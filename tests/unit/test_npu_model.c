/* SPDX-License-Identifier: Apache-2.0 */
/* The embedded language model with its projections on the stand-in for an NPU and the rest on the
 * processor, against the processor alone; and a failure of every kind at many calls to XRT: the
 * run goes on, with the same tokens. Nothing here ran on an NPU. */
#define _XOPEN_SOURCE 700 /* setenv */
#include <jansson.h>

#include "counting_allocator.h"
#include "golden/feed.h"

#define ROWS_MAX 256
#define VOCABULARY 2048

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

static bool run_open(run *r)
{
    char path[512];
    het_error err = HET_ERROR_INIT;
    het_context_options o = HET_CONTEXT_OPTIONS_INIT;
    memset(r, 0, sizeof *r);
    r->allocator = counting_allocator_of(&r->counter);
    setenv("HETINFER_XRT_STANDIN", "", 1);
    o.allocator = &r->allocator;
    o.backends = "cpu_onednn,amd_xrt_npu";
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
    CHECK_INT(r->counter.blocks, 0);
}

static het_status session_of(run *r, const char *policy, het_session **session, het_error *err)
{
    het_session_options o = HET_SESSION_OPTIONS_INIT;
    het_policy *p = NULL;
    o.threads = 1;
    o.kv_dtype = HET_DTYPE_F32;
    o.context_max = ROWS_MAX;
    o.batch_max = 64;
    o.logits_max = 64;
    o.devices = policy ? NULL : "cpu";
    het_status s = HET_OK;
    if (policy)
        s = het_policy_load_memory(r->context, policy, strlen(policy), NULL, &p, err);
    o.policy = p;
    if (s == HET_OK)
        s = het_session_create(r->model, &o, session, err);
    het_policy_destroy(p);
    return s;
}

/* ---- logits ---- */

static size_t read_ids(const json_t *array, int32_t *ids, size_t count)
{
    for (size_t i = 0; i < json_array_size(array) && count < ROWS_MAX; i++)
        ids[count++] = (int32_t)json_integer_value(json_array_get(array, i));
    return count;
}

/* Logits of all positions, fed in pieces of these sizes. */
static void feed_rows(het_session *session, const int32_t *ids, size_t count, const size_t *sizes,
                      size_t size_count, float *rows)
{
    het_sequence *q = NULL;
    size_t fed = 0, turn = 0;
    CHECK_INT(het_sequence_create(session, &q, NULL), HET_OK);
    while (q && fed < count) {
        size_t n = sizes[turn++ % size_count];
        n = n < count - fed ? n : count - fed;
        CHECK_INT(het_sequence_append(q, ids + fed, n, HET_APPEND_LOGITS_ALL, NULL), HET_OK);
        fed += n;
        while (het_sequence_pending(q) > 0) {
            het_error err = HET_ERROR_INIT;
            int64_t first = 0;
            uint32_t got = 0;
            if (het_session_step(session, NULL, &err) != HET_OK) {
                TEST_FAIL("step: %s", err.message);
                fed = count;
                break;
            }
            const float *logits = het_sequence_logits(q, &first, &got);
            memcpy(rows + (size_t)first * VOCABULARY, logits, got * VOCABULARY * sizeof *rows);
        }
    }
    het_sequence_destroy(q);
}

static size_t best_of(const float *logits)
{
    size_t best = 0;
    for (size_t i = 1; i < VOCABULARY; i++)
        if (logits[i] > logits[best])
            best = i;
    return best;
}

typedef struct agreement {
    size_t rows, same;
    double squares, most, spread; /* of differences; of logits, about their mean */
} agreement;

static void compare(const float *a, const float *b, size_t rows, agreement *g)
{
    for (size_t r = 0; r < rows; r++) {
        double mean = 0;
        for (size_t i = 0; i < VOCABULARY; i++)
            mean += (double)a[r * VOCABULARY + i] / VOCABULARY;
        for (size_t i = 0; i < VOCABULARY; i++) {
            const double x = (double)a[r * VOCABULARY + i];
            const double d = x - (double)b[r * VOCABULARY + i];
            g->squares += d * d;
            g->most = fabs(d) > g->most ? fabs(d) : g->most;
            g->spread += (x - mean) * (x - mean);
        }
        g->same += best_of(a + r * VOCABULARY) == best_of(b + r * VOCABULARY);
    }
    g->rows += rows;
}

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
    static const size_t pieces[] = { 64, 33, 1, 7 };
    static float a[ROWS_MAX * VOCABULARY], b[ROWS_MAX * VOCABULARY];
    run r;
    char path[512];
    het_error err = HET_ERROR_INIT;
    het_session *alone = NULL, *split = NULL;
    agreement g = { 0 };
    if (!run_open(&r))
        return;
    json_t *j = json_load_file(
        test_source_path(path, sizeof path, "tests/models/reference/hearth.json"), 0, NULL);
    CHECK_INT(session_of(&r, NULL, &alone, &err), HET_OK);
    if (session_of(&r, ON_NPU, &split, &err) != HET_OK)
        TEST_FAIL("%s", err.message);
    CHECK(j && split && uses_npu(split));
    size_t i;
    json_t *prompt;
    json_array_foreach(json_object_get(j, "prompts"), i, prompt) {
        int32_t ids[ROWS_MAX];
        size_t n = read_ids(json_object_get(prompt, "prompt_ids"), ids, 0);
        n = read_ids(json_object_get(prompt, "greedy_ids"), ids, n);
        if (!alone || !split)
            break;
        feed_rows(alone, ids, n, pieces, 4, a);
        feed_rows(split, ids, n, pieces, 4, b);
        compare(a, b, n, &g);
    }
    const double share = g.rows ? (double)g.same / (double)g.rows : 0;
    const double relative = sqrt(g.squares / g.spread);
    printf("%u rows: top-1 agreement %.2f %%, differences %.4f of the logits' spread, at most "
           "%.3f\n", (unsigned)g.rows, 100 * share, relative, g.most);
    CHECK(g.rows > 300);
    CHECK(share >= 0.98);
    CHECK(relative <= 0.05);
    CHECK_INT(r.warnings + r.errors, 0);
    het_session_destroy(split);
    het_session_destroy(alone);
    json_decref(j);
    run_close(&r);
}

int main(void)
{
    test_case(texts_agree_with_the_processor);
    return test_finish();
}
