/* SPDX-License-Identifier: Apache-2.0 */
/* Whatever call to a device fails, and however: the same tokens and the same outputs, one warning,
 * nothing left behind. A host device and two null devices, with a part of the network on each.
 *
 * HETINFER_TEST_LONG in the environment: the soak with 2000 failures and every kind everywhere. */
#include "failover.h"

#include <stdlib.h>

#define SOAK_SHORT 150
#define SOAK_LONG 2000

static failover f;
static fo_run want;
static bool is_long;

/* A part of the network for each device. */
#define SPREAD                       \
    "hetinfer-policy: 1\n"           \
    "rules:\n"                       \
    "  - must: cpu\n"                \
    "  - layers: 0\n"                \
    "    must: \"null:0\"\n"         \
    "  - layers: 1\n"                \
    "    must: \"null:1\"\n"         \
    "fallback:\n"                    \
    "  on_error: {retry: 3, next: any}\n" \
    "  on_timeout: {after_ms: 3, next: any}\n"

typedef struct kind {
    const char *name;
    het__null_effect effect;
    het_status status;
    bool lasting, is_always; /* is_always: in the short run too */
    bool is_silent;          /* seen only by a session that validates */
} kind;

static const kind kinds[] = {
    { "io", HET__NULL_FAIL, HET_E_IO, false, true, false },
    { "busy", HET__NULL_FAIL, HET_E_BUSY, false, false, false },
    { "internal", HET__NULL_FAIL, HET_E_INTERNAL, false, false, false },
    { "nomem", HET__NULL_FAIL, HET_E_NOMEM, false, true, false },
    { "unsupported", HET__NULL_FAIL, HET_E_UNSUPPORTED, false, false, false },
    { "timeout", HET__NULL_FAIL, HET_E_TIMEOUT, false, false, false },
    { "device_lost", HET__NULL_FAIL, HET_E_DEVICE_LOST, false, false, false },
    { "io for ever", HET__NULL_FAIL, HET_E_IO, true, false, false },
    { "nomem for ever", HET__NULL_FAIL, HET_E_NOMEM, true, false, false },
    { "lost", HET__NULL_LOST, HET_E_DEVICE_LOST, false, true, false },
    { "lost for ever", HET__NULL_LOST, HET_E_DEVICE_LOST, true, false, false },
    { "hang", HET__NULL_HANG, HET_E_TIMEOUT, false, true, false },
    { "nan", HET__NULL_NAN, HET_OK, false, true, true },
    { "short", HET__NULL_SHORT, HET_OK, false, true, true },
    { "long", HET__NULL_LONG, HET_OK, false, true, true },
};
#define KIND_COUNT (sizeof kinds / sizeof kinds[0])
#define SILENT_COUNT 3 /* at the end */

static const char *const calls[HET__NULL_CALL_COUNT] = { "open", "buffer_create", "buffer_write",
                                                         "buffer_read", "compile", "enqueue",
                                                         "wait" };

/* What a session does from its beginning to its end. False if it was not as without failures. */
typedef bool (*act_fn)(const het_model *model, char *why, size_t bytes);

static bool generate(const het_model *model, char *why, size_t bytes)
{
    het_error err = HET_ERROR_INIT;
    het_session *session = NULL;
    fo_run got = { .count = 0 };
    het_status s = fo_session(&f, model, &session, &err);
    if (s == HET_OK)
        s = fo_generate(session, FO_TOKENS, &got, &err);
    snprintf(why, bytes, "%s: %s", het_status_name(s), err.message);
    if (s == HET_OK && f.warnings) {
        const het_device_health a = fo_health(session, FO_FIRST), b = fo_health(session, FO_SECOND);
        if (!a.failure_count == !b.failure_count) {
            snprintf(why, bytes, "health blames both devices or none");
            s = HET_E_INTERNAL;
        }
    }
    het_session_destroy(session);
    return s == HET_OK && fo_same(&got, &want, FO_TOKENS);
}

/* One failure. *met: there was such a call. */
static void fail_at(act_fn act, const het_model *model, uint32_t device, het__null_call call,
                    uint64_t k, const kind *how, bool *met)
{
    const int64_t blocks = f.counter.blocks;
    char why[300];
    fo_reset(&f, 2);
    het__null_hide_buffers(call == HET__NULL_BUFFER_READ || call == HET__NULL_BUFFER_WRITE);
    fo_arm(device, call, k, how->lasting, how->effect, how->status);
    f.flags = how->is_silent ? HET_SESSION_VALIDATE : 0;
    const bool same = act(model, why, sizeof why);
    f.flags = 0;
    *met = het__null_calls_of(device, call) >= k;
    if (!same)
        TEST_FAIL("device %u, %s %u, %s: other results, %s", device, calls[call], (unsigned)k,
                  how->name, why);
    if (f.warnings != *met || f.errors)
        TEST_FAIL("device %u, %s %u, %s: %u warnings, %u errors, the last: %s", device,
                  calls[call], (unsigned)k, how->name, f.warnings, f.errors, f.line);
    if (f.counter.blocks != blocks)
        TEST_FAIL("device %u, %s %u, %s: %d blocks left", device, calls[call], (unsigned)k,
                  how->name, (int)(f.counter.blocks - blocks));
}

static void fail_everywhere(act_fn act, const het_model *model, uint64_t least)
{
    uint64_t failures = 0;
    for (uint32_t device = FO_FIRST; device <= FO_SECOND; device++)
        for (int call = 0; call < HET__NULL_CALL_COUNT; call++)
            for (size_t i = 0; i < KIND_COUNT; i++) {
                bool met = is_long || kinds[i].is_always;
                if ((kinds[i].effect == HET__NULL_HANG && call != HET__NULL_WAIT) ||
                    (kinds[i].is_silent && call != HET__NULL_ENQUEUE))
                    continue;
                for (uint64_t k = 1; met && k < 1000; k++) {
                    fail_at(act, model, device, (het__null_call)call, k, &kinds[i], &met);
                    failures += met;
                }
            }
    printf("%u failures\n", (unsigned)failures);
    CHECK(failures >= least);
}

/* The plan puts something on each device, or nothing would be tested. */
static void is_spread(const het_model *model)
{
    het_error err = HET_ERROR_INIT;
    het_session *session = NULL;
    fo_reset(&f, 2);
    CHECK_INT(fo_session(&f, model, &session, &err), HET_OK);
    if (model == f.network) {
        CHECK_INT(fo_bind_digits(&f, session, &err), HET_OK);
        CHECK_INT(het_session_warmup(session, &err), HET_OK);
    }
    for (uint32_t device = FO_HOST; session && device <= FO_SECOND; device++)
        if (!fo_uses(session, device))
            TEST_FAIL("nothing is on device %u", device);
    het_session_destroy(session);
}

static void every_call_of_a_generation(void)
{
    het_error err = HET_ERROR_INIT;
    het_session *session = NULL;
    fo_set_policy(&f, NULL);
    fo_reset(&f, 2);
    CHECK_INT(fo_session(&f, f.model, &session, &err), HET_OK);
    CHECK_INT(fo_generate(session, FO_TOKENS, &want, &err), HET_OK);
    het_session_destroy(session);
    fo_set_policy(&f, SPREAD);
    is_spread(f.model);
    fail_everywhere(generate, f.model, 100);
}

/* Everything on the host, and of some products a part on a null device. */
#define DIVIDED                      \
    "hetinfer-policy: 1\n"           \
    "rules:\n"                       \
    "  - prefer: cpu\n"              \
    "split:\n"                       \
    "  rows:\n"                      \
    "    - {class: ffn, layers: 0, to: \"null:0\", share: 0.4}\n" \
    "    - {class: qkv, layers: 1-, to: \"null:1\", share: 0.3}\n" \
    "fallback:\n"                    \
    "  on_error: {retry: 3, next: any}\n" \
    "  on_timeout: {after_ms: 3, next: any}\n"

static void every_call_with_divided_products(void)
{
    fo_set_policy(&f, DIVIDED);
    is_spread(f.model);
    fail_everywhere(generate, f.model, 100);
}

/* In mid-generation: parts go elsewhere or back to the host, and not a token changes. */
static void divided_products_come_back(void)
{
    het_error err = HET_ERROR_INIT;
    het_session *session = NULL;
    het_sequence *q = NULL;
    fo_run run = { .count = 0 };
    het_plan_info info = { .struct_size = sizeof info };
    fo_reset(&f, 2);
    CHECK_INT(fo_session(&f, f.model, &session, &err), HET_OK);
    CHECK_INT(fo_begin(session, &q, &err), HET_OK);
    while (run.count < FO_TOKENS / 2)
        CHECK_INT(fo_next(session, q, &run, &err), HET_OK);
    CHECK_INT(het_plan_get_info(het_session_plan(session, HET_PHASE_DECODE), &info), HET_OK);
    CHECK(info.split_count >= 3);
    for (uint32_t device = FO_FIRST; device <= FO_SECOND; device++)
        fo_arm(device, HET__NULL_ENQUEUE, 5, false, HET__NULL_LOST, HET_OK);
    while (run.count < FO_TOKENS)
        CHECK_INT(fo_next(session, q, &run, &err), HET_OK);
    CHECK(fo_same(&run, &want, FO_TOKENS));
    CHECK_INT(f.warnings, 2);
    CHECK_INT(fo_health(session, FO_FIRST).state, HET_HEALTH_OUT);
    CHECK_INT(fo_health(session, FO_SECOND).state, HET_HEALTH_OUT);
    CHECK_INT(het_plan_get_info(het_session_plan(session, HET_PHASE_DECODE), &info), HET_OK);
    CHECK_INT(info.split_count, 0);
    het_sequence_destroy(q);
    het_session_destroy(session);
}

/* Whichever block is refused while a session with divided products is made: no memory and nothing
 * left, or all is well. */
static void every_allocation_of_divided_products(void)
{
    uint64_t n = 1, refused = 0;
    bool met = true;
    fo_set_policy(&f, DIVIDED);
    for (; met && n < 20000; n += is_long || n < 50 ? 1 : 3) {
        het_error err = HET_ERROR_INIT;
        het_session *session = NULL;
        const int64_t blocks = f.counter.blocks;
        fo_reset(&f, 2);
        counting_allocator_fail(&f.counter, n);
        const het_status s = fo_session(&f, f.model, &session, &err);
        met = f.counter.failed > 0;
        counting_allocator_fail(&f.counter, 0);
        if (s != HET_OK && s != HET_E_NOMEM)
            TEST_FAIL("allocation %u: %s: %s", (unsigned)n, het_status_name(s), err.message);
        refused += s != HET_OK;
        het_session_destroy(session);
        CHECK_INT(f.counter.blocks, blocks);
    }
    printf("%u allocations, %u refused\n", (unsigned)n, (unsigned)refused);
    CHECK(refused > 20 && !met);
}

/* ---- a graph ---- */

#define GRAPH_SPREAD                 \
    "hetinfer-policy: 1\n"           \
    "rules:\n"                       \
    "  - must: \"null:1\"\n"         \
    "  - class: conv\n"              \
    "    must: \"null:0\"\n"         \
    "  - class: pool\n"             \
    "    must: cpu\n"                \
    "fallback:\n"                    \
    "  on_error: {retry: 3, next: any}\n" \
    "  on_timeout: {after_ms: 3, next: any}\n"

static float graph_want[FO_OUTPUTS];
static uint32_t graph_count;

static bool classify(const het_model *model, char *why, size_t bytes)
{
    het_error err = HET_ERROR_INIT;
    het_session *session = NULL;
    bool same = true;
    het_status s = fo_session(&f, model, &session, &err);
    if (s == HET_OK)
        s = fo_bind_digits(&f, session, &err);
    for (int i = 0; s == HET_OK && i < 3; i++) {
        float got[FO_OUTPUTS];
        uint32_t count;
        s = fo_run_digits(&f, session, got, &count, &err);
        same = same && s == HET_OK && count == graph_count;
        for (uint32_t k = 0; same && k < count; k++)
            same = fabs((double)got[k] - (double)graph_want[k]) < 1e-4;
    }
    snprintf(why, bytes, "%s: %s", het_status_name(s), err.message);
    het_session_destroy(session);
    return s == HET_OK && same;
}

static void every_call_of_a_graph(void)
{
    het_error err = HET_ERROR_INIT;
    het_session *session = NULL;
    fo_load_network(&f, "examples/models/digits-conv.onnx");
    fo_set_policy(&f, NULL);
    fo_reset(&f, 2);
    CHECK_INT(fo_session(&f, f.network, &session, &err), HET_OK);
    CHECK_INT(fo_bind_digits(&f, session, &err), HET_OK);
    CHECK_INT(fo_run_digits(&f, session, graph_want, &graph_count, &err), HET_OK);
    CHECK(graph_count >= 10);
    het_session_destroy(session);
    fo_set_policy(&f, GRAPH_SPREAD);
    is_spread(f.network);
    fail_everywhere(classify, f.network, 20);
}

/* ---- many sequences, long pasts ---- */

/* Two sequences, one of which pauses while the device is lost: its past comes back later. */
static void sequences_come_back(void)
{
    het_error err = HET_ERROR_INIT;
    het_session *session = NULL;
    het_sequence *a = NULL, *b = NULL;
    fo_run first = { .count = 0 }, second = { .count = 0 };
    fo_set_policy(&f, SPREAD);
    fo_reset(&f, 2);
    CHECK_INT(fo_session(&f, f.model, &session, &err), HET_OK);
    CHECK_INT(fo_begin(session, &a, &err), HET_OK);
    while (first.count < 12) /* a past longer than a step takes */
        CHECK_INT(fo_next(session, a, &first, &err), HET_OK);
    CHECK_INT(het_sequence_truncate(a, het_sequence_length(a) - 1, &err), HET_OK);
    CHECK_INT(het_sequence_pending(a), 0);
    CHECK_INT(fo_begin(session, &b, &err), HET_OK);
    fo_arm(1, HET__NULL_WAIT, 3, false, HET__NULL_LOST, HET_OK);
    while (second.count < FO_TOKENS)
        CHECK_INT(fo_next(session, b, &second, &err), HET_OK);
    CHECK_INT(fo_health(session, FO_FIRST).state, HET_HEALTH_OUT);
    CHECK(fo_same(&second, &want, FO_TOKENS));
    /* Back to a shorter past, then on from there. */
    CHECK_INT(het_sequence_truncate(a, FO_PROMPT + 4, &err), HET_OK);
    CHECK_INT(het_sequence_append(a, &first.tokens[4], 1, 0, &err), HET_OK);
    first.count = 5;
    while (first.count < FO_TOKENS)
        CHECK_INT(fo_next(session, a, &first, &err), HET_OK);
    CHECK(fo_same(&first, &want, FO_TOKENS));
    CHECK_INT(f.warnings, 1);
    het_sequence_destroy(a);
    het_sequence_destroy(b);
    het_session_destroy(session);
}

/* Logits of the last step survive a warm-up in which a device is lost. */
static void warmup_keeps_logits(void)
{
    het_error err = HET_ERROR_INIT;
    het_session *session = NULL;
    het_sequence *q = NULL;
    fo_run run = { .count = 0 };
    int64_t position = -1;
    fo_reset(&f, 2);
    CHECK_INT(fo_session(&f, f.model, &session, &err), HET_OK);
    CHECK_INT(fo_begin(session, &q, &err), HET_OK);
    CHECK_INT(het_session_step(session, NULL, &err), HET_OK);
    fo_arm(2, HET__NULL_WAIT, 2, false, HET__NULL_LOST, HET_OK);
    CHECK_INT(het_session_warmup(session, &err), HET_OK);
    CHECK_INT(fo_health(session, FO_SECOND).state, HET_HEALTH_OUT);
    const float *logits = het_sequence_logits(q, &position, NULL);
    CHECK(logits != NULL);
    CHECK_INT(position, FO_PROMPT - 1);
    for (uint32_t k = 0; logits && k < FO_VOCABULARY; k++)
        CHECK_NEAR((double)logits[k], (double)want.logits[0][k], 1e-4);
    while (run.count < FO_TOKENS)
        CHECK_INT(fo_next(session, q, &run, &err), HET_OK);
    CHECK(fo_same(&run, &want, FO_TOKENS));
    het_sequence_destroy(q);
    het_session_destroy(session);
}

/* ---- memory runs out while recovering ---- */

/* The n-th allocation after a device was lost fails. True if there was one. */
static bool fail_allocation(uint64_t n)
{
    het_error err = HET_ERROR_INIT;
    het_session *session = NULL;
    het_sequence *q = NULL;
    fo_run run = { .count = 0 };
    fo_reset(&f, 2);
    const int64_t blocks = f.counter.blocks;
    het_status s = fo_session(&f, f.model, &session, &err);
    if (s == HET_OK)
        s = fo_begin(session, &q, &err);
    for (int i = 0; s == HET_OK && i < 3; i++)
        s = fo_next(session, q, &run, &err);
    CHECK_INT(s, HET_OK);
    fo_arm(1, HET__NULL_WAIT, 1, false, HET__NULL_LOST, HET_OK);
    counting_allocator_fail(&f.counter, n);
    s = fo_next(session, q, &run, &err);
    const bool met = f.counter.failed > 0;
    counting_allocator_fail(&f.counter, 0);
    if (s != HET_OK && (s != HET_E_NOMEM || !err.message[0]))
        TEST_FAIL("allocation %u: %s: %s", (unsigned)n, het_status_name(s), err.message);
    while (run.count < 8 && (s = fo_next(session, q, &run, &err)) == HET_OK)
        ;
    if (s != HET_OK || !fo_same(&run, &want, 8))
        TEST_FAIL("allocation %u: afterwards %s: %s", (unsigned)n, het_status_name(s),
                  err.message);
    het_sequence_destroy(q);
    het_session_destroy(session);
    if (f.counter.blocks != blocks)
        TEST_FAIL("allocation %u: %d blocks left", (unsigned)n,
                  (int)(f.counter.blocks - blocks));
    return met;
}

static void every_allocation_of_a_recovery(void)
{
    uint64_t n = 1;
    while (n < 5000 && fail_allocation(n))
        n += is_long || n < 50 ? 1 : 3;
    printf("%u allocations\n", (unsigned)n - 1);
    CHECK(n > 50 && n < 5000);
}

/* ---- soak ---- */

static uint64_t seed = 4711;

static uint32_t below(uint32_t n)
{
    return (uint32_t)(test_random(&seed) >> 33) % n;
}

static void arm_random(void)
{
    const kind *k = &kinds[below(KIND_COUNT - SILENT_COUNT)];
    const het__null_call call = k->effect == HET__NULL_HANG
                                    ? HET__NULL_WAIT : (het__null_call)below(HET__NULL_CALL_COUNT);
    const uint64_t most = call == HET__NULL_OPEN || call == HET__NULL_COMPILE ? 2 : 20;
    fo_arm(1 + below(2), call, 1 + below((uint32_t)most), k->lasting && below(2), k->effect,
           k->status);
}

static void soak(void)
{
    const uint32_t wanted = is_long ? SOAK_LONG : SOAK_SHORT;
    uint64_t failures = 0, runs = 0;
    const int64_t blocks = f.counter.blocks;
    while (failures < wanted && runs < 20 * wanted) {
        het_error err = HET_ERROR_INIT;
        het_session *session = NULL;
        fo_run got = { .count = 0 };
        fo_reset(&f, 2);
        het__null_hide_buffers(below(2));
        for (uint32_t i = 1 + below(3); i > 0; i--)
            arm_random();
        het_status s = fo_session(&f, f.model, &session, &err);
        if (s == HET_OK)
            s = fo_generate(session, 8, &got, &err);
        if (s != HET_OK || !fo_same(&got, &want, 8))
            TEST_FAIL("run %u: %s: %s", (unsigned)runs, het_status_name(s), err.message);
        for (uint32_t d = FO_FIRST; session && d <= FO_SECOND; d++)
            failures += fo_health(session, d).failure_count;
        het_session_destroy(session);
        runs++;
    }
    printf("%u failures in %u runs\n", (unsigned)failures, (unsigned)runs);
    CHECK(failures >= wanted);
    CHECK_INT(f.counter.blocks, blocks);
}

static void with(const char *backends)
{
    printf("with %s\n", backends);
    fo_open(&f, backends, 2);
    if (!f.model)
        return;
    test_case(every_call_of_a_generation);
    if (is_long || strncmp(backends, "ref", 3) == 0) /* of both hosts one, for the time it takes */
        test_case(every_call_with_divided_products);
    fo_set_policy(&f, DIVIDED);
    test_case(divided_products_come_back);
    test_case(every_allocation_of_divided_products);
    test_case(sequences_come_back);
    test_case(warmup_keeps_logits);
    test_case(every_allocation_of_a_recovery);
    test_case(soak);
    test_case(every_call_of_a_graph);
    fo_close(&f);
}

int main(void)
{
    is_long = getenv("HETINFER_TEST_LONG") != NULL;
    with("ref,null");
    het_context_options o = HET_CONTEXT_OPTIONS_INIT;
    het_context *probe = NULL;
    o.flags = HET_CONTEXT_NO_ENV;
    o.backends = "cpu_onednn";
    if (het_context_create(&o, &probe, NULL) == HET_OK)
        with("cpu_onednn,null");
    het_context_destroy(probe);
    return test_finish();
}
