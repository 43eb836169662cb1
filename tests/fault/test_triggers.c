/* SPDX-License-Identifier: Apache-2.0 */
/* What a policy says about failures is what happens, and what is left when nothing can be done. */
#include "failover.h"

#include "lib/base/os.h"
#include "tiny_onnx.h"

static failover f;
static fo_run want;

/* Layer 0 on the first null device, the rest on the host. */
#define PART                  \
    "hetinfer-policy: 1\n"    \
    "rules:\n"                \
    "  - must: cpu\n"         \
    "  - layers: 0\n"         \
    "    must: \"null:0\"\n"

static het_session *open_session(void)
{
    het_error err = HET_ERROR_INIT;
    het_session *session = NULL;
    if (fo_session(&f, f.model, &session, &err) != HET_OK)
        TEST_FAIL("%s", err.message);
    return session;
}

/* A generation under a policy in which the first device fails once, or for ever. */
static het_status run(const char *policy, het__null_call call, bool lasting,
                      het__null_effect effect, het_status status, het_device_health *health,
                      het_telemetry *telemetry)
{
    het_error err = HET_ERROR_INIT;
    fo_run got;
    fo_set_policy(&f, policy);
    fo_reset(&f, 2);
    het_session *session = open_session();
    if (!session)
        return HET_E_INTERNAL;
    fo_arm(1, call, 3, lasting, effect, status);
    const het_status s = fo_generate(session, FO_TOKENS, &got, &err);
    CHECK(s != HET_OK || fo_same(&got, &want, FO_TOKENS));
    CHECK_INT(f.warnings, s == HET_OK);
    CHECK_INT(f.errors, s != HET_OK);
    *health = fo_health(session, FO_FIRST);
    *telemetry = (het_telemetry){ .struct_size = sizeof *telemetry };
    CHECK_INT(het_telemetry_snapshot(session, telemetry), HET_OK);
    CHECK_INT(health->state != HET_HEALTH_OUT || telemetry->replan_count > 0, 1);
    /* A session that failed goes on when the device does. */
    const uint32_t armed = het__null_armed();
    het__null_reset();
    if (s != HET_OK) {
        CHECK(armed == lasting);
        CHECK_INT(fo_generate(session, FO_TOKENS, &got, &err), HET_OK);
        CHECK(fo_same(&got, &want, FO_TOKENS));
    }
    het_session_destroy(session);
    return s;
}

static void errors(void)
{
    het_device_health h;
    het_telemetry t;
    const char *const any = PART "fallback: {on_error: fallback}\n";
    const char *const retry = PART "fallback: {on_error: {retry: 2, backoff_ms: 1, next: any}}\n";
    const char *const fail = PART "fallback: {on_error: fail}\n";
    CHECK_INT(run(any, HET__NULL_ENQUEUE, false, HET__NULL_FAIL, HET_E_IO, &h, &t), HET_OK);
    CHECK(h.state == HET_HEALTH_OUT && h.retry_count == 0 && h.failure_count == 1);
    CHECK_INT(h.status, HET_E_IO);
    CHECK_INT(h.layer, 0);
    CHECK_STR(h.message, "null device 0: enqueue 3 fails, as told");
    CHECK(strstr(f.line, "device 1 (null) failed starting work at layer 0: null device 0"));
    CHECK(strstr(f.line, "; going on with "));
    CHECK_INT(run(retry, HET__NULL_ENQUEUE, false, HET__NULL_FAIL, HET_E_INTERNAL, &h, &t),
              HET_OK);
    CHECK(h.state == HET_HEALTH_RETRIED && h.retry_count == 1 && h.failure_count == 1);
    CHECK(t.retry_count == 1 && t.replan_count == 0);
    CHECK(strstr(f.line, "; going on after 1 more attempt"));
    CHECK_INT(run(retry, HET__NULL_WAIT, true, HET__NULL_FAIL, HET_E_IO, &h, &t), HET_OK);
    CHECK(h.state == HET_HEALTH_OUT && h.retry_count == 2 && h.failure_count == 3);
    CHECK(t.retry_count == 2 && t.replan_count == 1);
    CHECK_INT(run(fail, HET__NULL_WAIT, false, HET__NULL_FAIL, HET_E_IO, &h, &t), HET_E_IO);
    CHECK_INT(h.state, HET_HEALTH_RETRIED);
    CHECK_INT(run(fail, HET__NULL_WAIT, false, HET__NULL_LOST, HET_OK, &h, &t),
              HET_E_DEVICE_LOST);
    /* Without a word: three attempts for what may pass. */
    CHECK_INT(run(PART, HET__NULL_WAIT, true, HET__NULL_FAIL, HET_E_BUSY, &h, &t), HET_OK);
    CHECK(h.state == HET_HEALTH_OUT && h.retry_count == 3);
    CHECK_INT(run(PART, HET__NULL_WAIT, false, HET__NULL_FAIL, HET_E_INTERNAL, &h, &t), HET_OK);
    CHECK(h.state == HET_HEALTH_OUT && h.retry_count == 0);
}

static void memory(void)
{
    het_device_health h;
    het_telemetry t;
    const char *const next = PART "fallback: {on_oom: cpu}\n";
    const char *const retry = PART "fallback: {on_oom: {retry: 1, next: any}}\n";
    const char *const fail = PART "fallback: {on_oom: none}\n";
    CHECK_INT(run(next, HET__NULL_ENQUEUE, true, HET__NULL_FAIL, HET_E_NOMEM, &h, &t), HET_OK);
    CHECK(h.state == HET_HEALTH_OUT && h.retry_count == 0);
    CHECK_INT(run(retry, HET__NULL_ENQUEUE, false, HET__NULL_FAIL, HET_E_NOMEM, &h, &t), HET_OK);
    CHECK(h.state == HET_HEALTH_RETRIED && h.retry_count == 1 && t.replan_count == 0);
    CHECK_INT(run(fail, HET__NULL_ENQUEUE, false, HET__NULL_FAIL, HET_E_NOMEM, &h, &t),
              HET_E_NOMEM);
    CHECK(h.state == HET_HEALTH_RETRIED && t.replan_count == 0);
}

static void deadlines(void)
{
    het_device_health h;
    het_telemetry t;
    const char *const any = PART "fallback: {on_timeout: {after_ms: 20, next: any}}\n";
    const char *const retry = PART "fallback: {on_timeout: {after_ms: 20, retry: 1, next: any}}\n";
    const char *const fail = PART "fallback: {on_timeout: {after_ms: 20}}\n";
    const uint64_t begin = het__now_ns();
    CHECK_INT(run(any, HET__NULL_WAIT, false, HET__NULL_HANG, HET_OK, &h, &t), HET_OK);
    CHECK(h.state == HET_HEALTH_OUT && h.status == HET_E_TIMEOUT);
    CHECK(het__now_ns() - begin < HET__NULL_HANG_NS);
    CHECK_INT(run(retry, HET__NULL_WAIT, false, HET__NULL_HANG, HET_OK, &h, &t), HET_OK);
    CHECK(h.state == HET_HEALTH_RETRIED && h.retry_count == 1);
    CHECK_INT(run(retry, HET__NULL_WAIT, true, HET__NULL_HANG, HET_OK, &h, &t), HET_OK);
    CHECK(h.state == HET_HEALTH_OUT && h.retry_count == 1 && h.failure_count == 2);
    CHECK_INT(run(fail, HET__NULL_WAIT, false, HET__NULL_HANG, HET_OK, &h, &t), HET_E_TIMEOUT);
}

/* What was not in use is not drawn in unless it is named. */
static void next_takes_over(void)
{
    static const char *const policies[] = {
        PART "  - layers: 1\n    prefer: \"null:0\"\nfallback: {on_error: cpu}\n",
        PART "  - layers: 1\n    prefer: \"null:0\"\nfallback: {on_error: \"null:1\"}\n",
    };
    for (int i = 0; i < 2; i++) {
        het_error err = HET_ERROR_INIT;
        fo_run got;
        fo_set_policy(&f, policies[i]);
        fo_reset(&f, 2);
        het_session *session = open_session();
        fo_arm(1, HET__NULL_WAIT, 2, false, HET__NULL_LOST, HET_OK);
        CHECK_INT(fo_generate(session, FO_TOKENS, &got, &err), HET_OK);
        CHECK(fo_same(&got, &want, FO_TOKENS));
        CHECK_INT(het__null_calls_of(2, HET__NULL_ENQUEUE) > 0, i);
        CHECK(!strstr(f.line, i ? "going on with ref;" : "going on with null"));
        het_session_destroy(session);
    }
}

/* A call fails while the session is made: made without the device, with one warning. */
static void sessions_are_made_without(void)
{
    static const het__null_call calls[] = { HET__NULL_OPEN, HET__NULL_BUFFER_CREATE,
                                            HET__NULL_COMPILE };
    fo_set_policy(&f, PART);
    for (size_t i = 0; i < sizeof calls / sizeof calls[0]; i++) {
        fo_reset(&f, 2);
        fo_arm(1, calls[i], 1, true, HET__NULL_FAIL, HET_E_INTERNAL);
        het_session *session = open_session();
        CHECK_INT(f.warnings, 1);
        CHECK_INT(fo_health(session, FO_FIRST).state, HET_HEALTH_OUT);
        CHECK_INT(fo_health(session, FO_HOST).state, HET_HEALTH_OK);
        het_session_destroy(session);
    }
    fo_set_policy(&f, "hetinfer-policy: 1\ndevices: [\"null:1\"]\n");
    fo_reset(&f, 2);
    het_session *second = open_session();
    CHECK_INT(fo_health(second, FO_FIRST).state, HET_HEALTH_UNUSED);
    CHECK_INT(fo_health(second, FO_SECOND).state, HET_HEALTH_OK);
    CHECK(fo_uses(second, FO_SECOND));
    het_session_destroy(second);
    fo_set_policy(&f, PART "devices: [cpu, \"null:0\"]\n");
    fo_reset(&f, 2);
    het_session *session = open_session();
    CHECK_INT(fo_health(session, FO_SECOND).state, HET_HEALTH_UNUSED);
    het_device_health health = { .struct_size = sizeof health };
    CHECK_INT(het_session_device_health(session, 3, &health), HET_E_INVALID);
    health.struct_size = 0;
    CHECK_INT(het_session_device_health(session, 0, &health), HET_E_INVALID);
    het_session_destroy(session);
}

/* A device too small for what it was to hold holds half of it. */
static void shares_become_smaller(void)
{
    het_error err = HET_ERROR_INIT;
    fo_run got;
    fo_set_policy(&f, "hetinfer-policy: 1\nrules:\n  - prefer: \"null:0\"\n");
    fo_reset(&f, 2);
    het__null_memory(180000);
    het_session *session = open_session();
    const het_device_health h = fo_health(session, FO_FIRST);
    CHECK_INT(h.state, HET_HEALTH_RETRIED);
    CHECK(h.memory_limit_bytes > 0 && h.memory_limit_bytes < 180000);
    CHECK(het__null_calls_of(1, HET__NULL_COMPILE) > 0);
    CHECK_INT(f.warnings, 1);
    CHECK(strstr(f.line, "MB on it at most"));
    CHECK_INT(fo_generate(session, FO_TOKENS, &got, &err), HET_OK);
    CHECK(fo_same(&got, &want, FO_TOKENS));
    CHECK(het__null_calls_of(1, HET__NULL_ENQUEUE) > 0);
    CHECK_INT(f.warnings, 1);
    het_session_destroy(session);
}

/* The new plan is what the session shows. */
static void plan_is_the_new_one(void)
{
    het_error err = HET_ERROR_INIT;
    fo_run got;
    fo_set_policy(&f, PART);
    fo_reset(&f, 2);
    het_session *session = open_session();
    CHECK(fo_uses(session, FO_FIRST));
    fo_arm(1, HET__NULL_WAIT, 1, false, HET__NULL_LOST, HET_OK);
    het__null_fault second = { .call = HET__NULL_OPEN, .number = 1, .lasting = true, .device = 2,
                               .effect = HET__NULL_FAIL, .status = HET_E_INTERNAL };
    CHECK(het__null_arm(&second));
    CHECK_INT(fo_generate(session, 4, &got, &err), HET_OK);
    CHECK(!fo_uses(session, FO_FIRST) && !fo_uses(session, FO_SECOND));
    CHECK(fo_uses(session, FO_HOST));
    het_session_destroy(session);
}

/* Only one device: its error, and the session goes on when it does. */
static void nothing_is_left(void)
{
    static failover one;
    het_error err = HET_ERROR_INIT;
    het_session *session = NULL;
    het_sequence *q = NULL;
    fo_run got = { .count = 0 };
    fo_open(&one, "null", 1);
    CHECK_INT(fo_session(&one, one.model, &session, &err), HET_OK);
    CHECK_INT(fo_begin(session, &q, &err), HET_OK);
    while (got.count < 4)
        CHECK_INT(fo_next(session, q, &got, &err), HET_OK);
    fo_arm(1, HET__NULL_WAIT, 1, false, HET__NULL_LOST, HET_OK);
    fo_arm(1, HET__NULL_OPEN, 1, false, HET__NULL_FAIL, HET_E_UNSUPPORTED);
    CHECK_INT(fo_next(session, q, &got, &err), HET_E_DEVICE_LOST);
    CHECK(strstr(err.message, "null device 0: wait "));
    CHECK(!het_session_plan(session, HET_PHASE_DECODE));
    het_telemetry t = { .struct_size = sizeof t };
    CHECK_INT(het_telemetry_snapshot(session, &t), HET_OK);
    CHECK_INT(t.weight_bytes, 0);
    CHECK(het_sequence_pending(q) == 1 && het_sequence_logits(q, NULL, NULL) == NULL);
    CHECK_INT(fo_next(session, q, &got, &err), HET_E_UNSUPPORTED); /* still gone */
    while (got.count < FO_TOKENS)
        CHECK_INT(fo_next(session, q, &got, &err), HET_OK);
    CHECK(fo_same(&got, &want, FO_TOKENS));
    CHECK(het_session_plan(session, HET_PHASE_DECODE) != NULL);
    CHECK_INT(one.warnings, 0);
    CHECK_INT(one.errors, 2);
    het_sequence_destroy(q);
    het_session_destroy(session);
    fo_close(&one);
}

static het_status run_rows(het_session *session, int64_t rows, het_error *err)
{
    static float x[12] = { 1, -2, 3 };
    het_tensor t = HET_TENSOR_INIT;
    t.data = x;
    t.size_bytes = sizeof x;
    t.desc.dtype = HET_DTYPE_F32;
    t.desc.rank = 2;
    t.desc.extent[0] = rows;
    t.desc.extent[1] = 3;
    het_status s = het_session_bind_input(session, "x", &t, err);
    if (s == HET_OK)
        s = het_session_run(session, err);
    if (s == HET_OK)
        s = het_session_get_output(session, "z", &t, err);
    CHECK(s != HET_OK || fabsf(((const float *)t.data)[2] - 36) < 1e-5f);
    return s;
}

/* What was compiled for other extents goes too, so that the device fails once. */
static void forms_go_with_their_device(void)
{
    het_error err = HET_ERROR_INIT;
    tiny_onnx file;
    het_model *model = NULL;
    het_session *session = NULL;
    tiny_onnx_make(&file);
    fo_set_policy(&f, "hetinfer-policy: 1\nrules:\n  - prefer: \"null:0\"\n");
    fo_reset(&f, 2);
    CHECK_INT(het_model_load_memory(f.context, file.file, file.bytes, NULL, &model, &err), HET_OK);
    CHECK_INT(fo_session(&f, model, &session, &err), HET_OK);
    for (int64_t rows = 1; rows <= 3; rows++)
        CHECK_INT(run_rows(session, rows, &err), HET_OK);
    CHECK_INT(het__null_calls_of(1, HET__NULL_OPEN), 3);
    const int64_t blocks = f.counter.blocks;
    fo_arm(1, HET__NULL_ENQUEUE, 1, true, HET__NULL_LOST, HET_OK);
    CHECK_INT(run_rows(session, 2, &err), HET_OK);
    CHECK(f.counter.blocks < blocks); /* one form, where three were */
    for (int64_t rows = 1; rows <= 3; rows++)
        CHECK_INT(run_rows(session, rows, &err), HET_OK);
    CHECK_INT(fo_health(session, FO_FIRST).failure_count, 1);
    CHECK_INT(fo_health(session, FO_FIRST).state, HET_HEALTH_OUT);
    CHECK_INT(het__null_calls_of(1, HET__NULL_OPEN), 3);
    CHECK_INT(f.warnings, 1);
    het_session_destroy(session);
    het_model_destroy(model);
    tiny_onnx_free(&file);
}

/* Two devices, and both fail: the first error, and both may be used later. */
static void all_fail(void)
{
    static failover two;
    het_error err = HET_ERROR_INIT;
    het_session *session = NULL;
    het_sequence *q = NULL;
    fo_run got = { .count = 0 };
    fo_open(&two, "null", 2);
    fo_set_policy(&two, "hetinfer-policy: 1\nrules:\n  - prefer: \"null:0\"\n");
    CHECK_INT(fo_session(&two, two.model, &session, &err), HET_OK);
    CHECK(fo_uses(session, 0) && !fo_uses(session, 1));
    CHECK_INT(fo_begin(session, &q, &err), HET_OK);
    while (got.count < 4)
        CHECK_INT(fo_next(session, q, &got, &err), HET_OK);
    fo_arm(1, HET__NULL_WAIT, 1, false, HET__NULL_LOST, HET_OK);
    fo_arm(2, HET__NULL_COMPILE, 2, false, HET__NULL_FAIL, HET_E_INTERNAL);
    CHECK_INT(fo_next(session, q, &got, &err), HET_E_DEVICE_LOST);
    CHECK(strstr(err.message, "null device 0: wait "));
    CHECK_INT(fo_health(session, 0).failure_count, 1);
    CHECK_INT(fo_health(session, 1).failure_count, 1);
    CHECK_INT(fo_health(session, 0).state, HET_HEALTH_RETRIED);
    while (got.count < FO_TOKENS)
        CHECK_INT(fo_next(session, q, &got, &err), HET_OK);
    CHECK(fo_same(&got, &want, FO_TOKENS));
    CHECK(fo_uses(session, 0) && !fo_uses(session, 1));
    CHECK_INT(two.warnings, 0);
    CHECK_INT(two.errors, 2);
    het_sequence_destroy(q);
    het_session_destroy(session);
    fo_close(&two);
}

/* ---- cancel ---- */

static void *cancel_soon(void *session)
{
    const uint64_t begin = het__now_ns();
    while (het__now_ns() - begin < 30000000)
        ;
    het_session_cancel(session);
    return NULL;
}

static void cancel_ends_attempts(void)
{
    het_error err = HET_ERROR_INIT;
    het_sequence *q = NULL;
    fo_run got = { .count = 0 };
    het__thread thread;
    fo_set_policy(&f, PART "fallback: {on_error: {retry: 100, backoff_ms: 40, next: any}}\n");
    fo_reset(&f, 2);
    het_session *session = open_session();
    CHECK_INT(fo_begin(session, &q, &err), HET_OK);
    CHECK_INT(fo_next(session, q, &got, &err), HET_OK);
    fo_arm(1, HET__NULL_WAIT, 1, true, HET__NULL_FAIL, HET_E_BUSY);
    CHECK(het__thread_start(&thread, cancel_soon, session));
    const uint64_t begin = het__now_ns();
    CHECK_INT(fo_next(session, q, &got, &err), HET_E_CANCELLED);
    CHECK(het__now_ns() - begin < UINT64_C(2000000000));
    het__thread_join(thread);
    CHECK_INT(het_sequence_pending(q), 1);
    het__null_reset();
    while (got.count < FO_TOKENS)
        CHECK_INT(fo_next(session, q, &got, &err), HET_OK);
    CHECK(fo_same(&got, &want, FO_TOKENS));
    het_sequence_destroy(q);
    het_session_destroy(session);
}

/* Cancelled while a new executor is made: nothing is lost, the next step goes on with it. */
static void cancel_ends_recoveries(void)
{
    het_error err = HET_ERROR_INIT;
    het_sequence *q = NULL;
    het__thread thread;
    fo_run got = { .count = 0 };
    fo_set_policy(&f, PART "fallback: {on_timeout: {after_ms: 100, next: any}}\n");
    fo_reset(&f, 2);
    het_session *session = open_session();
    CHECK_INT(fo_begin(session, &q, &err), HET_OK);
    while (got.count < 6)
        CHECK_INT(fo_next(session, q, &got, &err), HET_OK);
    fo_arm(1, HET__NULL_WAIT, 1, false, HET__NULL_HANG, HET_OK);
    CHECK(het__thread_start(&thread, cancel_soon, session));
    CHECK_INT(fo_next(session, q, &got, &err), HET_E_CANCELLED);
    het__thread_join(thread);
    CHECK(het_session_plan(session, HET_PHASE_DECODE) == NULL);
    CHECK_INT(fo_health(session, FO_FIRST).state, HET_HEALTH_OUT);
    CHECK_INT(f.warnings, 1);
    CHECK_INT(het_sequence_pending(q), 1);
    while (got.count < FO_TOKENS)
        CHECK_INT(fo_next(session, q, &got, &err), HET_OK);
    CHECK(fo_same(&got, &want, FO_TOKENS));
    CHECK_INT(f.warnings, 1);
    het_sequence_destroy(q);
    het_session_destroy(session);
}

/* ---- HET_SESSION_VALIDATE ---- */

/* Wrong results pass unseen without it, and are a failure of the device with it. */
static void checks_find_what_is_wrong(void)
{
    static const struct {
        het__null_effect effect;
        const char *said;
    } effects[] = { { HET__NULL_NAN, "are none, of numbers that are" },
                    { HET__NULL_SHORT, "are none, of numbers that are" },
                    { HET__NULL_LONG, "it wrote beyond the end of " } };
    fo_set_policy(&f, PART);
    for (int hidden = 0; hidden < 2; hidden++)
        for (size_t i = 0; i < sizeof effects / sizeof effects[0]; i++)
            for (uint64_t k = 1; k <= 4; k++) {
                het_error err = HET_ERROR_INIT;
                fo_run got;
                fo_reset(&f, 2);
                het__null_hide_buffers(hidden);
                f.flags = HET_SESSION_VALIDATE;
                het_session *session = open_session();
                fo_arm(1, HET__NULL_ENQUEUE, k, false, effects[i].effect, HET_OK);
                CHECK_INT(fo_generate(session, 8, &got, &err), HET_OK);
                CHECK(fo_same(&got, &want, 8));
                CHECK_INT(f.warnings, 1);
                const het_device_health h = fo_health(session, FO_FIRST);
                CHECK_INT(h.state, HET_HEALTH_OUT);
                CHECK_INT(h.layer, 0);
                if (!strstr(h.message, effects[i].said))
                    TEST_FAIL("effect %d, call %d: %s", effects[i].effect, (int)k, h.message);
                het_session_destroy(session);
                f.flags = 0;
            }
    het_error err = HET_ERROR_INIT;
    fo_run got;
    fo_reset(&f, 2);
    het_session *session = open_session();
    fo_arm(1, HET__NULL_ENQUEUE, 2, false, HET__NULL_NAN, HET_OK);
    CHECK_INT(fo_generate(session, 8, &got, &err), HET_OK);
    CHECK(!fo_same(&got, &want, 8));
    CHECK_INT(f.warnings, 0);
    het_session_destroy(session);
}

/* Nothing is found where nothing is wrong, on all devices and with many layouts of memory. */
static void checks_leave_right_alone(void)
{
    static const char *const policies[] = {
        NULL, PART, "hetinfer-policy: 1\nrules:\n  - must: \"null:0\"\n  - class: ffn\n"
                    "    must: \"null:1\"\n  - class: norm\n    must: cpu\n",
    };
    for (size_t i = 0; i < sizeof policies / sizeof policies[0]; i++) {
        het_error err = HET_ERROR_INIT;
        fo_run got;
        fo_set_policy(&f, policies[i]);
        fo_reset(&f, 2);
        f.flags = HET_SESSION_VALIDATE;
        het_session *session = open_session();
        CHECK_INT(fo_generate(session, FO_TOKENS, &got, &err), HET_OK);
        CHECK(fo_same(&got, &want, FO_TOKENS));
        CHECK_INT(f.warnings, 0);
        het_session_destroy(session);
        f.flags = 0;
    }
}

int main(void)
{
    het_error err = HET_ERROR_INIT;
    fo_open(&f, "ref,null", 2);
    het_session *session = open_session();
    CHECK_INT(fo_generate(session, FO_TOKENS, &want, &err), HET_OK);
    het_session_destroy(session);
    test_case(errors);
    test_case(memory);
    test_case(deadlines);
    test_case(next_takes_over);
    test_case(sessions_are_made_without);
    test_case(shares_become_smaller);
    test_case(plan_is_the_new_one);
    test_case(checks_find_what_is_wrong);
    test_case(checks_leave_right_alone);
    test_case(forms_go_with_their_device);
    test_case(cancel_ends_attempts);
    test_case(cancel_ends_recoveries);
    fo_close(&f);
    test_case(nothing_is_left);
    test_case(all_fail);
    return test_finish();
}
