/* SPDX-License-Identifier: Apache-2.0 */
/* Whatever call of Level Zero fails, and however: the same tokens as without. A host device and two
 * devices of the test driver (tests/drivers/level_zero), which computes on PoCL, with a part of the
 * network on each.
 *
 * Ordinary runs try some calls of each function, HETINFER_TEST_LONG in the environment all, and
 * with HETINFER_TEST_SLICE=2/5 every fifth of them, from the second. What a busy machine made late
 * is tried again; the last line says how much of it stayed late, which proves nothing.
 * Usage: test_fault_failover_l0 [FAULT…]: only these, in the driver's words. */
#include "failover.h"

#include <threads.h>

#include "drivers/level_zero/ask.h"

#define TOKENS 4
#define CALLS_LONG 400 /* beyond, every 37th */
#define TRIES 3        /* of a fault, where the machine is late */
#define SLOW_MS 2000   /* of a kernel that its device is given up for */

static failover f;
static fo_run want;
static float graph_want[FO_OUTPUTS];
static uint32_t graph_count;
static bool is_long;
static uint32_t slice = 1, slice_count = 1; /* of the faults, which are numbered */
static uint32_t fault_number, late_count;

/* What a session does from its beginning to its end. False if it was not as without failures. */
typedef bool (*act_fn)(char *why, size_t bytes);

static ze_ask driver;

/* A wait may last as long as it takes a busy machine to come round to it. */
#define SPREAD(ms)                    \
    "hetinfer-policy: 1\n"            \
    "rules:\n"                        \
    "  - must: cpu\n"                 \
    "  - layers: 0\n"                 \
    "    must: \"intel_l0:0\"\n"      \
    "  - layers: 1\n"                 \
    "    must: \"intel_l0:1\"\n"      \
    "fallback:\n"                     \
    "  on_error: {retry: 3, next: any}\n" \
    "  on_timeout: {after_ms: " #ms ", next: any}\n"

#define GRAPH_SPREAD(ms)              \
    "hetinfer-policy: 1\n"            \
    "rules:\n"                        \
    "  - must: \"intel_l0:1\"\n"      \
    "  - class: conv\n"               \
    "    must: \"intel_l0:0\"\n"      \
    "  - class: pool\n"               \
    "    must: cpu\n"                 \
    "fallback:\n"                     \
    "  on_error: {retry: 3, next: any}\n" \
    "  on_timeout: {after_ms: " #ms ", next: any}\n"

/* What the backend calls from the first session on. */
static const struct {
    const char *name;
    bool of_context; /* of no device: fails for both */
    bool is_excused; /* its failure is nobody's loss: no warning */
} calls[] = {
    { "zeContextCreate", true, false },
    { "zeCommandListCreateImmediate", false, false },
    { "zeEventPoolCreate", false, false },
    { "zeEventCreate", false, false },
    { "zeModuleCreate", false, false },
    { "zeKernelCreate", false, false },
    { "zeMemAllocDevice", false, false },
    { "zeMemAllocShared", false, false },
    { "zeMemAllocHost", true, false },
    { "zexDriverImportExternalPointer", true, true },
    { "zeKernelSetGroupSize", false, false },
    { "zeKernelSetArgumentValue", false, false },
    { "zeCommandListAppendLaunchKernel", false, false },
    { "zeCommandListAppendMemoryCopy", false, false },
    { "zeCommandListAppendBarrier", false, false },
    { "zeEventHostReset", false, false },
    { "zeEventHostSynchronize", false, false },
    { "zeEventQueryKernelTimestamp", false, true },
    { "zeDeviceGetGlobalTimestamps", false, true },
};
#define CALL_COUNT (sizeof calls / sizeof calls[0])

static const char *const results[] = { "oom", "unknown", "lost" };
#define RESULT_COUNT (sizeof results / sizeof results[0])

static bool generate(char *why, size_t bytes)
{
    het_error err = HET_ERROR_INIT;
    het_session *session = NULL;
    fo_run got = { .count = 0 };
    het_status s = fo_session(&f, f.model, &session, &err);
    if (s == HET_OK)
        s = fo_generate(session, TOKENS, &got, &err);
    snprintf(why, bytes, "%s: %s", het_status_name(s), err.message);
    het_session_destroy(session);
    return s == HET_OK && fo_same(&got, &want, TOKENS);
}

static bool classify(char *why, size_t bytes)
{
    het_error err = HET_ERROR_INIT;
    het_session *session = NULL;
    bool same = true;
    het_status s = fo_session(&f, f.network, &session, &err);
    if (s == HET_OK)
        s = fo_bind_digits(&f, session, &err);
    for (int i = 0; s == HET_OK && i < 2; i++) {
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

static void begin(void)
{
    driver.reset();
    f.warnings = f.errors = 0;
    f.late = 0;
    f.line[0] = '\0';
}

/* The machine was so busy that a device was given up without need. */
static bool was_late(const char *fault)
{
    if (!f.late || strstr(fault, "hang"))
        return false;
    printf("%s: late: %s\n", fault, f.line);
    driver.abandon();
    return true;
}

/* Whether the next fault is of this slice. */
static bool is_mine(void)
{
    return fault_number++ % slice_count == slice - 1;
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

/* One fault, once. False: it did not come to pass. */
static bool try_once(act_fn act, const char *fault, bool is_excused, bool *is_late)
{
    const int64_t blocks = f.counter.blocks;
    char why[300];
    begin();
    CHECK(driver.arm(fault));
    const bool same = act(why, sizeof why);
    const bool met = driver.armed() == 0;
    if (!same)
        TEST_FAIL("%s: other results, %s", fault, why);
    *is_late = was_late(fault);
    if (*is_late) {
        f.counter.blocks = blocks;
        return met;
    }
    if ((met && !is_excused && f.warnings == 0) || (!met && f.warnings) || f.errors)
        TEST_FAIL("%s: %u warnings, %u errors, the last: %s", fault, (unsigned)f.warnings,
                  (unsigned)f.errors, f.line);
    if (driver.complaints())
        TEST_FAIL("%s: the driver complains", fault);
    /* What a device that hangs may still write to is not freed. */
    const int64_t left = f.counter.blocks - blocks;
    if (left && (!strstr(fault, "hang") || left > 2))
        TEST_FAIL("%s: %d blocks left", fault, (int)left);
    f.counter.blocks = blocks;
    ze_test_counters c;
    driver.reset(); /* what a lost device still held is gone */
    driver.counts(&c);
    if (c.objects || c.live_bytes || c.imports)
        TEST_FAIL("%s: %u handles, %u bytes, %u imports left", fault, (unsigned)c.objects,
                  (unsigned)c.live_bytes, (unsigned)c.imports);
    return met;
}

/* One fault. False: it did not come to pass. is_excused: no warning need tell of it. */
static bool fail_once(act_fn act, const char *fault, bool is_excused)
{
    bool is_late = true, met = false;
    for (int i = 0; i < TRIES && is_late; i++)
        met = try_once(act, fault, is_excused, &is_late);
    late_count += is_late;
    return met;
}

/* Without a fault: what the tokens are, and how often each function is called. */
static void reference(void)
{
    het_error err = HET_ERROR_INIT;
    het_session *session = NULL;
    CHECK_INT(fo_session(&f, f.model, &session, &err), HET_OK);
    CHECK_INT(fo_generate(session, TOKENS, &want, &err), HET_OK);
    het_session_destroy(session);
    for (int i = 0; i < 2; i++) { /* the first compiles kernels */
        char why[300] = "";
        fo_set_policy(&f, i ? SPREAD(3000) : SPREAD(60000));
        begin();
        if (!generate(why, sizeof why) || (f.warnings && !was_late("none")))
            TEST_FAIL("without a fault: %s; %s", why, f.line);
    }
    CHECK_INT(driver.complaints(), 0);
    CHECK_INT(fo_session(&f, f.model, &session, &err), HET_OK);
    for (uint32_t d = FO_HOST; session && d <= FO_SECOND; d++)
        if (!fo_uses(session, d))
            TEST_FAIL("nothing is on device %u", (unsigned)d);
    het_session_destroy(session);
}

/* The next call of a function to fail, of so many. */
static uint64_t next_call(uint64_t k, uint64_t count)
{
    if (is_long)
        return k < CALLS_LONG ? k + 1 : k + 37;
    /* The first, one in the middle, the last. */
    return k == 1 && count > 2 ? (count + 1) / 2 : k < count ? count : count + 1;
}

static uint32_t fail_calls(act_fn act)
{
    uint32_t failures = 0;
    uint64_t counts[CALL_COUNT];
    char why[300];
    begin();
    CHECK(act(why, sizeof why));
    for (size_t c = 0; c < CALL_COUNT; c++) {
        counts[c] = driver.calls(calls[c].name);
        /* The last wait for each device is for its end, which is nobody's loss. */
        if (strcmp(calls[c].name, "zeEventHostSynchronize") == 0)
            counts[c] -= 2;
    }
    for (size_t c = 0; c < CALL_COUNT; c++)
        for (size_t r = 0; r < RESULT_COUNT; r++) {
            if (!is_long && (c + r) % RESULT_COUNT) /* each result at some functions */
                continue;
            if (calls[c].is_excused && r == RESULT_COUNT - 1)
                continue;
            const uint32_t before = failures, late_before = late_count;
            for (uint64_t k = 1; k <= counts[c]; k = next_call(k, counts[c])) {
                char fault[120];
                if (!is_mine())
                    continue;
                snprintf(fault, sizeof fault, "call=%s,at=%u,result=%s", calls[c].name,
                         (unsigned)k, results[r]);
                failures += fail_once(act, fault, calls[c].is_excused);
            }
            if (is_long)
                printf("%s %s: %u failures at %u calls, %u late\n", calls[c].name, results[r],
                       (unsigned)(failures - before), (unsigned)counts[c],
                       (unsigned)(late_count - late_before));
        }
    for (size_t c = 0; c < CALL_COUNT; c++)
        printf("%s%s %u", c ? ", " : "calls: ", calls[c].name, (unsigned)counts[c]);
    printf("\n%u failures\n", (unsigned)failures);
    return failures;
}

static void every_call(void)
{
    CHECK(fail_calls(generate) >= (slice_count > 1 ? 0 : 20));
}

/* Kernels that never end, lose the device, or take long. */
static uint32_t fail_launches(act_fn act, const char *hasty)
{
    ze_test_counters before, after;
    char why[300];
    uint32_t failures = 0;
    begin();
    driver.counts(&before);
    CHECK(act(why, sizeof why));
    driver.counts(&after);
    const uint64_t launches = after.launches - before.launches;
    static const char *const kinds[] = { "lost", "hang" };
    CHECK(!fail_once(act, "slow=1", true)); /* lasts: never over */
    for (size_t kind = 0; kind < 2; kind++) {
        /* A hang takes as long as the policy allows. Whom it gives up without need is no matter. */
        if (kind)
            fo_set_policy(&f, hasty);
        const uint64_t step = is_long ? (kind ? 7 : 1) : launches / (kind ? 2 : 6) + 1;
        for (uint64_t k = 1 + kind; k <= launches; k += step) {
            char fault[120];
            if (!is_mine())
                continue;
            snprintf(fault, sizeof fault, "launch=%u,kind=%s", (unsigned)k, kinds[kind]);
            failures += fail_once(act, fault, false);
        }
        if (is_long)
            printf("kernels, %s: %u failures so far\n", kinds[kind], (unsigned)failures);
    }
    printf("%u of %u kernels failed\n", (unsigned)failures, (unsigned)launches);
    return failures;
}

static void every_launch(void)
{
    CHECK(fail_launches(generate, SPREAD(400)) >= (slice_count > 1 ? 0 : 6));
}

/* Numbers that a kernel got wrong are seen by a session that validates. */
static void wrong_results(void)
{
    fo_set_policy(&f, SPREAD(3000));
    f.flags = HET_SESSION_VALIDATE;
    for (uint32_t k = 1; k <= (is_long ? 40 : 3); k++) {
        char fault[120];
        if (!is_mine())
            continue;
        snprintf(fault, sizeof fault, "launch=%u,kind=nan,device=%u", (unsigned)(3 * k),
                 (unsigned)(1 + k % 2));
        fail_once(generate, fault, false);
    }
    f.flags = 0;
}

/* A program that ends long after its device was given up finds its memory as it was. */
static void late_programs(void)
{
    const struct timespec until_over = { SLOW_MS / 1000, SLOW_MS % 1000 * 1000000 };
    fo_set_policy(&f, SPREAD(400));
    for (unsigned device = 1; device <= 2; device++) {
        const int64_t blocks = f.counter.blocks;
        char fault[80], why[300];
        begin();
        snprintf(fault, sizeof fault, "launch=3,slow=%d,device=%u", SLOW_MS, device);
        CHECK(driver.arm(fault));
        if (!generate(why, sizeof why))
            TEST_FAIL("%s: other results, %s", fault, why);
        CHECK_INT(driver.armed(), 0);
        CHECK(f.late > 0);
        thrd_sleep(&until_over, NULL);
        CHECK_INT(driver.complaints(), 0);
        CHECK(f.counter.blocks - blocks <= 2); /* as after a hang */
        f.counter.blocks = blocks;
        driver.abandon();
    }
}

static void graph(void)
{
    het_error err = HET_ERROR_INIT;
    het_session *session = NULL;
    char why[300] = "";
    fo_load_network(&f, "examples/models/digits-conv.onnx");
    fo_set_policy(&f, NULL);
    begin();
    CHECK_INT(fo_session(&f, f.network, &session, &err), HET_OK);
    CHECK_INT(fo_bind_digits(&f, session, &err), HET_OK);
    CHECK_INT(fo_run_digits(&f, session, graph_want, &graph_count, &err), HET_OK);
    het_session_destroy(session);
    CHECK(graph_count >= 10);
    for (int i = 0; i < 2; i++) { /* the first compiles kernels */
        fo_set_policy(&f, i ? GRAPH_SPREAD(3000) : GRAPH_SPREAD(60000));
        CHECK(classify(why, sizeof why));
    }
    CHECK(fail_calls(classify) >= (slice_count > 1 ? 0 : 15));
    CHECK(fail_launches(classify, GRAPH_SPREAD(400)) >= (slice_count > 1 ? 0 : 2));
}

int main(int argc, char **argv)
{
    is_long = getenv("HETINFER_TEST_LONG") != NULL;
    setvbuf(stdout, NULL, _IOLBF, 0);
    read_slice();
    driver = ze_ask_find();
    fo_open(&f, "ref,intel_l0", 1);
    if (!f.model)
        return test_finish();
    if (het_context_device_count(f.context) < 3) {
        printf("%s\n", het_context_report(f.context));
        fo_close(&f);
        test_skip("no devices of the test driver");
    }
    test_case(reference);
    for (int i = 1; i < argc; i++)
        CHECK(fail_once(generate, argv[i], false));
    if (argc == 1) {
        test_case(every_call);
        test_case(every_launch);
        test_case(wrong_results);
        test_case(late_programs);
        test_case(graph);
    }
    printf("%u late to the last\n", (unsigned)late_count);
    driver.reset();
    fo_close(&f);
    return test_finish();
}
