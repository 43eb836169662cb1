/* SPDX-License-Identifier: Apache-2.0 */
/* The fault-injecting device: right results until the fault, the told status at the told call, and
 * a device that works on afterwards. */
#define _POSIX_C_SOURCE 200809L /* setenv */
#include "backends/null/null.h"
#include "rig.h"

/* y = silu(x), 3 rows of 2. */
static uint32_t build(rig *r)
{
    const het__extent extent[] = { { 1, HET__SYM_TOKENS }, { 2, HET__SYM_ONE } };
    const uint32_t x =
        het__graph_value(&r->graph, "x", HET__VALUE_INPUT, HET_DTYPE_F32, 2, extent);
    const het__attrs attrs = { .unary = { .kind = HET__UNARY_SILU } };
    r->symbols[HET__SYM_TOKENS] = r->symbols_max[HET__SYM_TOKENS] = 3;
    return het__graph_node(&r->graph, HET__OP_UNARY, 0, "silu", &x, 1, &attrs, NULL);
}

static void fill(rig *r)
{
    float *x = rig_data(r, 0);
    for (int i = 0; i < 6; i++)
        x[i] = (float)(i - 2);
}

static void check_result(rig *r, uint32_t y)
{
    const float *got = rig_data(r, y);
    for (int i = 0; i < 6; i++)
        CHECK_NEAR((double)got[i], (i - 2) / (1 + exp(2 - i)), 1e-6);
}

static void arm(het__null_call call, uint64_t number, het__null_effect effect, het_status status)
{
    const het__null_fault fault = { .call = call, .number = number, .effect = effect,
                                    .status = status };
    CHECK(het__null_arm(&fault));
}

static void clear(rig *r, het__buffer **extra)
{
    if (*extra)
        r->backend->buffer_destroy(r->device, *extra);
    *extra = NULL;
}

/* One call of a kind. */
static het_status make_call(rig *r, het__null_call call, het_error *err)
{
    float bytes[6] = { 0 };
    het__buffer *extra = NULL;
    het__program *kept = r->program;
    het_status status = HET_OK;
    switch (call) {
    case HET__NULL_BUFFER_CREATE:
        status = r->backend->buffer_create(r->device, 64, &extra, err);
        clear(r, &extra);
        return status;
    case HET__NULL_BUFFER_READ:
        return r->backend->buffer_read(r->device, r->buffers[0], 0, bytes, sizeof bytes, err);
    case HET__NULL_BUFFER_WRITE:
        r->backend->buffer_read(r->device, r->buffers[0], 0, bytes, sizeof bytes, NULL);
        return r->backend->buffer_write(r->device, r->buffers[0], 0, bytes, sizeof bytes, err);
    case HET__NULL_COMPILE:
        r->program = NULL;
        status = rig_compile_slice(r, err);
        if (r->program)
            r->backend->release(r->device, r->program);
        r->program = kept;
        return status;
    case HET__NULL_ENQUEUE:
        return r->backend->enqueue(r->device, r->program, r->symbols, err);
    case HET__NULL_WAIT:
        return r->backend->wait(r->device, 1000000, err);
    default:
        return HET_E_INTERNAL;
    }
}

static const het_status statuses[] = { HET_E_INVALID, HET_E_NOMEM, HET_E_UNSUPPORTED, HET_E_IO,
                                       HET_E_BUSY, HET_E_TIMEOUT, HET_E_CANCELLED,
                                       HET_E_DEVICE_LOST, HET_E_INTERNAL };
static const char *const names[HET__NULL_CALL_COUNT] = { "open", "buffer_create", "buffer_write",
                                                         "buffer_read", "compile", "enqueue",
                                                         "wait" };

static void every_call_fails_as_told(void)
{
    het__null_reset();
    rig r;
    rig_open(&r, "null");
    const uint32_t y = build(&r);
    if (!rig_compile(&r))
        return;
    for (int call = HET__NULL_BUFFER_CREATE; call < HET__NULL_CALL_COUNT; call++) {
        for (uint32_t k = 1; k <= 4; k++) {
            for (size_t s = 0; s < sizeof statuses / sizeof statuses[0]; s++) {
                het__null_reset();
                arm((het__null_call)call, k, HET__NULL_FAIL, statuses[s]);
                for (uint32_t n = 1; n <= 5; n++) {
                    het_error err = HET_ERROR_INIT;
                    char want[64];
                    CHECK_INT(make_call(&r, (het__null_call)call, &err),
                              n == k ? statuses[s] : HET_OK);
                    snprintf(want, sizeof want, "null device 0: %s %u fails, as told", names[call],
                             n);
                    CHECK_STR(err.message, n == k ? want : "");
                }
                CHECK_INT(het__null_calls((het__null_call)call), 5);
            }
        }
    }
    fill(&r);
    rig_run(&r);
    check_result(&r, y);
    rig_close(&r);
}

static void open_fails_as_told(void)
{
    het__null_reset();
    arm(HET__NULL_OPEN, 2, HET__NULL_FAIL, HET_E_DEVICE_LOST);
    for (int i = 1; i <= 3; i++) {
        rig r;
        het_error err = HET_ERROR_INIT;
        rig_init(&r, "null");
        CHECK_INT(rig_open_device(&r, &err), i == 2 ? HET_E_DEVICE_LOST : HET_OK);
        rig_close(&r);
    }
    CHECK_INT(het__null_calls(HET__NULL_OPEN), 3);
}

static void lasting_faults_last(void)
{
    het__null_reset();
    const het__null_fault fault = { .call = HET__NULL_WAIT, .number = 2, .lasting = true,
                                    .effect = HET__NULL_FAIL, .status = HET_E_DEVICE_LOST };
    rig r;
    rig_open(&r, "null");
    CHECK_INT(make_call(&r, HET__NULL_WAIT, NULL), HET_OK);
    CHECK(het__null_arm(&fault)); /* counts from here */
    CHECK_INT(make_call(&r, HET__NULL_WAIT, NULL), HET_OK);
    for (int i = 0; i < 3; i++)
        CHECK_INT(make_call(&r, HET__NULL_WAIT, NULL), HET_E_DEVICE_LOST);
    het__null_reset();
    CHECK_INT(make_call(&r, HET__NULL_WAIT, NULL), HET_OK);
    rig_close(&r);
}

/* A fault that has come to pass gives its room back. */
static void faults_have_room(void)
{
    const het__null_fault more = { .call = HET__NULL_WAIT, .number = 1, .effect = HET__NULL_FAIL,
                                   .status = HET_E_IO };
    het__null_reset();
    rig r;
    rig_open(&r, "null");
    for (int round = 0; round < 2; round++) {
        for (uint64_t i = 1; i <= HET__NULL_FAULTS_MAX; i++)
            arm(HET__NULL_WAIT, i, HET__NULL_FAIL, HET_E_IO);
        CHECK(!het__null_arm(&more));
        for (int i = 0; i < HET__NULL_FAULTS_MAX; i++)
            CHECK_INT(make_call(&r, HET__NULL_WAIT, NULL), HET_E_IO);
        CHECK_INT(make_call(&r, HET__NULL_WAIT, NULL), HET_OK);
    }
    rig_close(&r);
}

static void nan_spoils_one_step(void)
{
    het__null_reset();
    rig r;
    rig_open(&r, "null");
    const uint32_t y = build(&r);
    if (rig_compile(&r)) {
        fill(&r);
        arm(HET__NULL_ENQUEUE, 2, HET__NULL_NAN, HET_OK);
        rig_run(&r);
        check_result(&r, y);
        rig_run(&r);
        const float *got = rig_data(&r, y);
        for (int i = 0; i < 6; i++)
            CHECK(isnan(got[i]));
        rig_run(&r);
        check_result(&r, y);
    }
    rig_close(&r);
}

static void hang_lasts_to_the_limit(void)
{
    het__null_reset();
    rig r;
    rig_open(&r, "null");
    arm(HET__NULL_WAIT, 1, HET__NULL_HANG, HET_OK);
    het_error err = HET_ERROR_INIT;
    const uint64_t start = het__now_ns();
    CHECK_INT(r.backend->wait(r.device, 30000000, &err), HET_E_TIMEOUT);
    const uint64_t ns = het__now_ns() - start;
    CHECK(ns >= 30000000 && ns < HET__NULL_HANG_NS);
    CHECK_STR(err.message, "null device 0: wait 1 hangs, as told");
    CHECK_INT(r.backend->wait(r.device, 30000000, &err), HET_OK);
    rig_close(&r);
}

static void hidden_buffers_are_copied(void)
{
    het__null_reset();
    rig r;
    rig_open(&r, "null");
    const uint32_t y = build(&r);
    if (rig_compile(&r)) {
        const float x[2] = { 1.0f, -1.0f };
        float got[2] = { 0 };
        het__null_hide_buffers(true);
        CHECK(r.backend->buffer_host(r.device, r.buffers[0]) == NULL);
        CHECK_INT(r.backend->buffer_write(r.device, r.buffers[0], 16, x, sizeof x, NULL), HET_OK);
        rig_run(&r);
        CHECK_INT(r.backend->buffer_read(r.device, r.buffers[y], 16, got, sizeof got, NULL),
                  HET_OK);
        CHECK_NEAR((double)got[0], 0.731058579, 1e-6);
        CHECK_NEAR((double)got[1], -0.268941421, 1e-6);
        het__null_hide_buffers(false);
        CHECK(r.backend->buffer_host(r.device, r.buffers[0]) != NULL);
    }
    rig_close(&r);
}

static het_status open_with(const char *text, bool use_env, rig *r, het_error *err)
{
    setenv("HETINFER_NULL_FAULT", text, 1);
    rig_init(r, "null");
    r->host.use_env = use_env;
    return rig_open_device(r, err);
}

static void environment_arms_faults(void)
{
    rig r;
    het__null_reset();
    CHECK_INT(open_with("wait:2:device_lost,enqueue:1+:nomem,open:2:io", true, &r, NULL), HET_OK);
    build(&r);
    CHECK(rig_compile(&r));
    CHECK_INT(make_call(&r, HET__NULL_WAIT, NULL), HET_OK);
    CHECK_INT(make_call(&r, HET__NULL_WAIT, NULL), HET_E_DEVICE_LOST);
    CHECK_INT(make_call(&r, HET__NULL_WAIT, NULL), HET_OK);
    CHECK_INT(make_call(&r, HET__NULL_ENQUEUE, NULL), HET_E_NOMEM);
    CHECK_INT(make_call(&r, HET__NULL_ENQUEUE, NULL), HET_E_NOMEM);
    rig_close(&r);
    /* The same text is not armed again: only the fault of the second open is left of it. */
    CHECK_INT(open_with("wait:2:device_lost,enqueue:1+:nomem,open:2:io", true, &r, NULL),
              HET_E_IO);
    rig_close(&r);
    CHECK_INT(open_with("wait:2:device_lost,enqueue:1+:nomem,open:2:io", true, &r, NULL), HET_OK);
    for (int i = 0; i < 3; i++)
        CHECK_INT(make_call(&r, HET__NULL_WAIT, NULL), HET_OK);
    rig_close(&r);
    het__null_reset();
    CHECK_INT(open_with("open:1:io", false, &r, NULL), HET_OK); /* may not be read */
    rig_close(&r);
}

static void bad_environment_is_an_error(void)
{
    static const char *const texts[] = {
        "wait",      "wait:0:io",  "wait::io",      "wait:1",       "wait:1:",      "wait:1:eio",
        "wait:-1:io", "wait:1:nan", "enqueue:1:hang", "waits:1:io", "wait:1:io,,", "wait:1++:io",
        "wait:1:io,wait:2:io,wait:3:io,wait:4:io,wait:5:io,wait:6:io,wait:7:io,wait:8:io,wait:9:io",
    };
    het__null_reset();
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        rig r;
        het_error err = HET_ERROR_INIT;
        const het_status status = open_with(texts[i], true, &r, &err);
        if (status != HET_E_INVALID || !strstr(err.message, "HETINFER_NULL_FAULT"))
            TEST_FAIL("\"%s\": %s \"%s\"", texts[i], het_status_name(status), err.message);
        rig_close(&r);
    }
    rig r;
    CHECK_INT(open_with("", true, &r, NULL), HET_OK);
    CHECK_INT(make_call(&r, HET__NULL_WAIT, NULL), HET_OK); /* nothing of the bad texts is armed */
    rig_close(&r);
    unsetenv("HETINFER_NULL_FAULT");
}

static het_status open_index(rig *r, uint32_t index)
{
    rig_init(r, "null");
    return r->backend->open(&r->host, index, &r->options, &r->device, NULL);
}

/* Faults and counters by device. */
static void devices_fail_by_themselves(void)
{
    het__probed probed;
    rig r[2];
    het__null_reset();
    het__null_devices(3);
    memset(&probed, 0, sizeof probed);
    rig_backend("null")->probe(NULL, &probed);
    CHECK_INT(probed.device_count, 3);
    CHECK_INT(probed.device[2].kind, HET_DEVICE_SIMULATED);
    for (uint32_t i = 0; i < 2; i++)
        CHECK_INT(open_index(&r[i], i), HET_OK);
    const het__null_fault fault = { .call = HET__NULL_WAIT, .number = 2, .device = 2,
                                    .effect = HET__NULL_FAIL, .status = HET_E_IO };
    CHECK(het__null_arm(&fault));
    for (uint32_t n = 1; n <= 3; n++) {
        CHECK_INT(make_call(&r[0], HET__NULL_WAIT, NULL), HET_OK);
        CHECK_INT(make_call(&r[1], HET__NULL_WAIT, NULL), n == 2 ? HET_E_IO : HET_OK);
    }
    CHECK_INT(het__null_calls(HET__NULL_WAIT), 6);
    CHECK_INT(het__null_calls_of(2, HET__NULL_WAIT), 3);
    CHECK_INT(het__null_armed(), 0);
    for (uint32_t i = 0; i < 2; i++)
        rig_close(&r[i]);
}

static void lost_stays_lost_until_closed(void)
{
    rig r;
    het__null_reset();
    CHECK_INT(open_index(&r, 0), HET_OK);
    build(&r);
    CHECK(rig_compile(&r));
    arm(HET__NULL_WAIT, 1, HET__NULL_LOST, HET_OK);
    CHECK_INT(make_call(&r, HET__NULL_ENQUEUE, NULL), HET_OK);
    CHECK_INT(make_call(&r, HET__NULL_WAIT, NULL), HET_E_DEVICE_LOST);
    for (int call = HET__NULL_BUFFER_CREATE; call < HET__NULL_CALL_COUNT; call++)
        CHECK_INT(make_call(&r, (het__null_call)call, NULL), HET_E_DEVICE_LOST);
    rig_close(&r);
    CHECK_INT(open_index(&r, 0), HET_OK);
    CHECK_INT(make_call(&r, HET__NULL_WAIT, NULL), HET_OK);
    rig_close(&r);
}

static void memory_has_a_bound(void)
{
    rig r;
    het__buffer *buffers[2] = { NULL, NULL };
    het_error err = HET_ERROR_INIT;
    het__null_reset();
    het__null_memory(1000);
    CHECK_INT(open_index(&r, 0), HET_OK);
    CHECK_INT(r.backend->buffer_create(r.device, 1001, &buffers[0], &err), HET_E_NOMEM);
    CHECK_INT(r.backend->buffer_create(r.device, 600, &buffers[0], &err), HET_OK);
    CHECK_INT(r.backend->buffer_create(r.device, 401, &buffers[1], &err), HET_E_NOMEM);
    CHECK_STR(err.message, "null device 0: 401 bytes beside 600 are more than its 1000");
    r.backend->buffer_destroy(r.device, buffers[0]);
    CHECK_INT(r.backend->buffer_create(r.device, 1000, &buffers[1], &err), HET_OK);
    r.backend->buffer_destroy(r.device, buffers[1]);
    rig_close(&r);
    het__null_reset();
}

/* One element too few, and bytes behind the end. */
static void sizes_may_be_wrong(void)
{
    rig r;
    het__null_reset();
    CHECK_INT(open_index(&r, 0), HET_OK);
    const uint32_t y = build(&r);
    if (rig_compile(&r)) {
        fill(&r);
        rig_run(&r);
        float *got = rig_data(&r, y);
        got[4] = got[5] = 77;
        arm(HET__NULL_ENQUEUE, 1, HET__NULL_SHORT, HET_OK);
        rig_run(&r);
        CHECK_NEAR((double)got[4], 2 / (1 + exp(-2)), 1e-6);
        CHECK_NEAR((double)got[5], 77, 0);
        arm(HET__NULL_ENQUEUE, 1, HET__NULL_LONG, HET_OK);
        rig_run(&r);
        check_result(&r, y);
        CHECK(isnan(got[6]));
    }
    rig_close(&r);
}

static void text_names_devices(void)
{
    static const char *const bad[] = { "wait@:1:io", "wait@8:1:io", "wait@a:1:io", "@1:1:io",
                                       "wait@1x:1:io" };
    rig r;
    het__null_reset();
    CHECK_INT(open_with("wait@1:1:io,wait@0:2:lost", true, &r, NULL), HET_OK);
    CHECK_INT(make_call(&r, HET__NULL_WAIT, NULL), HET_OK);
    CHECK_INT(make_call(&r, HET__NULL_WAIT, NULL), HET_E_DEVICE_LOST);
    CHECK_INT(make_call(&r, HET__NULL_WAIT, NULL), HET_E_DEVICE_LOST);
    rig_close(&r);
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        CHECK_INT(open_with(bad[i], true, &r, NULL), HET_E_INVALID);
        rig_close(&r);
    }
    unsetenv("HETINFER_NULL_FAULT");
    het__null_reset();
}

static void device_says_what_it_is(void)
{
    het__probed probed;
    memset(&probed, 0, sizeof probed);
    const het__backend *null = rig_backend("null");
    CHECK(null && null->on_demand);
    null->probe(NULL, &probed);
    CHECK_INT(probed.device_count, 1);
    CHECK_INT(probed.device[0].kind, HET_DEVICE_SIMULATED);
    CHECK_STR(probed.device[0].name, "null (fault injection)");
}

int main(void)
{
    test_case(every_call_fails_as_told);
    test_case(open_fails_as_told);
    test_case(lasting_faults_last);
    test_case(faults_have_room);
    test_case(nan_spoils_one_step);
    test_case(hang_lasts_to_the_limit);
    test_case(hidden_buffers_are_copied);
    test_case(environment_arms_faults);
    test_case(bad_environment_is_an_error);
    test_case(devices_fail_by_themselves);
    test_case(lost_stays_lost_until_closed);
    test_case(memory_has_a_bound);
    test_case(sizes_may_be_wrong);
    test_case(text_names_devices);
    test_case(device_says_what_it_is);
    return test_finish();
}
