/* SPDX-License-Identifier: Apache-2.0 */
/* Whatever call of XRT fails, and however: the same tokens as without, and nothing left behind. The
 * products of a small model run on the stand-in for an NPU (tests/drivers/xrt), the rest in plain C.
 *
 * Ordinary runs try some calls of each function, HETINFER_TEST_LONG in the environment all. */
#define _XOPEN_SOURCE 700 /* setenv */
#include "failover.h"

#include "lib/base/os.h"

#define TOKENS 3

#define ON_NPU                                                       \
    "hetinfer-policy: 1\n"                                           \
    "rules:\n"                                                       \
    "  - must: cpu\n"                                                \
    "  - class: [attention_qkv_proj, attention_output_proj, ffn]\n"  \
    "    must: npu\n"                                                \
    "fallback:\n"                                                    \
    "  on_error: {retry: 3, next: any}\n"                            \
    "  on_timeout: {after_ms: 2000, next: any}\n"

static failover f;
static fo_run want;
static int64_t kept; /* blocks that hung devices keep */
static bool is_long;

/* What the backend calls from the first session on. */
static const char *const calls[] = {
    "device", "xclbin", "register", "context", "kernel", "group", "bo", "map", "sync", "run",
    "set", "start", "wait", "list", "add",
};
#define CALL_COUNT (sizeof calls / sizeof calls[0])

static const char *const faults[] = { "error", "busy", "nomem", "exhausted", "lost", "strange",
                                      "timeout" };
static const char *const endings[] = { "failed", "abort", "noresponse" };

static unsigned ask(const char *function, const char *name)
{
    unsigned (*of)(const char *) = NULL;
    void *symbol = het__find_symbol(function);
    memcpy(&of, &symbol, sizeof of);
    return of ? of(name) : 0;
}

static unsigned objects(void)
{
    unsigned (*of)(void) = NULL;
    void *symbol = het__find_symbol("xrt_standin_objects");
    memcpy(&of, &symbol, sizeof of);
    return of ? of() : 0;
}

/* A run that is under way holds what it uses until it ends, though its device was lost. */
static unsigned objects_beyond(unsigned before)
{
    for (int i = 0; i < 200 && objects() != before; i++)
        het__sleep_ns(10 * UINT64_C(1000000));
    return objects() - before;
}

static void check_rules(void)
{
    unsigned (*of)(char *, size_t) = NULL;
    char text[200] = "";
    void *symbol = het__find_symbol("xrt_standin_broken_rules");
    memcpy(&of, &symbol, sizeof of);
    const unsigned broken = of ? of(text, sizeof text) : 1;
    if (broken)
        TEST_FAIL("%u rules of XRT broken, the first: %s", broken, text);
}

/* A context of its own: which designs there are is found out when it is made. */
static bool open_context(void)
{
    het_error err = HET_ERROR_INIT;
    het_context_options o = HET_CONTEXT_OPTIONS_INIT;
    het_model_destroy(f.model);
    het_context_destroy(f.context);
    f.model = NULL;
    f.context = NULL;
    setenv("HETINFER_XRT_STANDIN", "", 1);
    o.allocator = &f.allocator;
    o.backends = "ref,amd_xrt_npu";
    o.log = fo_log;
    o.log_user = &f;
    o.log_level = HET_LOG_WARN;
    if (het_context_create(&o, &f.context, &err) != HET_OK ||
        het_model_load_memory(f.context, f.tiny.file, f.tiny.bytes, NULL, &f.model, &err))
        TEST_FAIL("%s", err.message);
    return f.model && het_context_device_count(f.context) == 2;
}

static bool open_all(void)
{
    tiny_options t = TINY_LLAMA;
    f.allocator = counting_allocator_of(&f.counter);
    tiny_make(&f.tiny, &t);
    return open_context();
}

static het_status generate(const char *policy, fo_run *got, het_error *err)
{
    het_session_options o = HET_SESSION_OPTIONS_INIT;
    het_session *session = NULL;
    fo_set_policy(&f, policy);
    o.threads = 1;
    o.context_max = 64;
    o.batch_max = 8;
    o.kv_dtype = HET_DTYPE_F32;
    o.precision = policy ? HET_PRECISION_FAST : HET_PRECISION_EXACT;
    o.devices = policy ? NULL : "ref";
    o.policy = f.policy;
    het_status s = het_session_create(f.model, &o, &session, err);
    if (s == HET_OK)
        s = fo_generate(session, TOKENS, got, err);
    het_session_destroy(session);
    return s;
}

static bool same_tokens(const fo_run *got)
{
    return got->count == TOKENS && memcmp(got->tokens, want.tokens, TOKENS * sizeof(int32_t)) == 0;
}

/* Of the leak sanitizer, where it is: a device that hangs keeps what it may still write to. */
extern void __lsan_disable(void) __attribute__((weak));
extern void __lsan_enable(void) __attribute__((weak));

/* False: there was no such call. */
static bool fail_once(const char *kind, const char *call, unsigned number)
{
    const bool hangs = strcmp(kind, "timeout") == 0 || strcmp(kind, "hang") == 0;
    const unsigned before = objects();
    char standin[80];
    het_error err = HET_ERROR_INIT;
    fo_run got = { .count = 0 };
    if (hangs && __lsan_disable)
        __lsan_disable();
    f.warnings = f.errors = 0;
    f.line[0] = '\0';
    fo_set_policy(&f, ON_NPU);
    const int64_t blocks = f.counter.blocks;
    snprintf(standin, sizeof standin, "fail=%s@%s#%u", kind, call, number);
    setenv("HETINFER_XRT_STANDIN", standin, 1);
    const het_status s = generate(ON_NPU, &got, &err);
    const bool met = ask("xrt_standin_calls", call) >= number;
    test_checks++;
    if (s != HET_OK || !same_tokens(&got))
        TEST_FAIL("%s: other tokens, %s: %s", standin, het_status_name(s), err.message);
    if (f.errors || (f.warnings > 0) != met)
        TEST_FAIL("%s: %u warnings, %u errors, the last: %s", standin, f.warnings, f.errors,
                  f.line);
    const int64_t left = f.counter.blocks - blocks;
    if (left && (!hangs || left > 1))
        TEST_FAIL("%s: %d blocks left", standin, (int)left);
    kept += left;
    if (!hangs && objects_beyond(before) != 0)
        TEST_FAIL("%s: %u objects of XRT left", standin, objects() - before);
    if (hangs && __lsan_enable)
        __lsan_enable();
    if (strstr(f.line, "refused") || strstr(f.line, "no design"))
        CHECK(open_context()); /* that design would stay out */
    return met;
}

static unsigned counts[CALL_COUNT];

static void reference(void)
{
    het_error err = HET_ERROR_INIT;
    fo_run got = { .count = 0 };
    CHECK_INT(generate(NULL, &want, &err), HET_OK);
    setenv("HETINFER_XRT_STANDIN", "devices=1", 1); /* counts anew */
    CHECK_INT(generate(ON_NPU, &got, &err), HET_OK);
    CHECK(same_tokens(&got));
    CHECK_INT(f.warnings + f.errors, 0);
    for (size_t c = 0; c < CALL_COUNT; c++) {
        counts[c] = ask("xrt_standin_calls", calls[c]);
        printf("%s%s %u", c ? ", " : "calls: ", calls[c], counts[c]);
        CHECK(counts[c] > 0);
    }
    printf("; %u in all\n", ask("xrt_standin_calls", "any"));
    CHECK(counts[11] > 0);
}

/* The first, one in the middle, the last; or all. */
static unsigned next_number(unsigned n, unsigned count)
{
    if (is_long)
        return n + 1;
    return n == 1 && count > 2 ? (count + 1) / 2 : n < count ? count : count + 1;
}

static unsigned fail_calls(size_t c, const char *kind)
{
    unsigned failures = 0;
    for (unsigned n = 1; n <= counts[c]; n = next_number(n, counts[c]))
        failures += fail_once(kind, calls[c], n);
    return failures;
}

static void every_call(void)
{
    unsigned failures = 0;
    for (size_t c = 0; c < CALL_COUNT; c++)
        for (size_t k = 0; k < sizeof faults / sizeof faults[0]; k++)
            if (is_long || (c + k) % 4 == 0) /* each fault at some functions */
                failures += fail_calls(c, faults[k]);
    printf("%u failures\n", failures);
    CHECK(failures >= 50);
}

/* Runs that end otherwise than completed, and such as never do. */
static void every_run(void)
{
    unsigned failures = 0;
    for (size_t k = 0; k < 3; k++)
        failures += fail_calls(12, endings[k]);
    for (unsigned n = 1; n <= counts[11]; n += is_long ? 5 : counts[11])
        failures += fail_once("hang", "start", n); /* each takes as long as the policy allows */
    printf("%u failures\n", failures);
    CHECK(failures >= 10);
}

int main(void)
{
    is_long = getenv("HETINFER_TEST_LONG") != NULL;
    if (!open_all()) {
        printf("%s\n", f.context ? het_context_report(f.context) : "");
        test_skip("no stand-in for an NPU");
    }
    test_case(reference);
    test_case(every_call);
    test_case(every_run);
    check_rules();
    setenv("HETINFER_XRT_STANDIN", "", 1);
    f.counter.blocks -= kept;
    fo_close(&f);
    return test_finish();
}
