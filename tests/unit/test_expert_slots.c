/* SPDX-License-Identifier: Apache-2.0 */
/* A device that may keep some experts only: bits and tokens are those of one that has all of them,
 * down to room for one; what is brought adds up; a run allocates nothing.
 *
 * A processor's driver stands in for a GPU's; without one the program skips.
 *
 * Usage: test_expert_slots [intel_l0]: the same on Level Zero's test driver, which fails by
 * itself. */
#define _GNU_SOURCE /* setenv, RTLD_NEXT */
#include <hetinfer.h>

#include "cl_case.h"
#include "cl_uploads.h"
#include "counting_allocator.h"
#include "drivers/level_zero/ask.h"

#define PROMPT "Once upon a time there was a little girl who liked"
#define TOKENS 20
#define EXPERTS 4
#define LAYERS_MAX 16

typedef struct result {
    het_status status;
    char message[224];
    int32_t ids[TOKENS];
    uint32_t layers;
    uint64_t counts[LAYERS_MAX][EXPERTS];
    uint64_t tokens[LAYERS_MAX];
    uint64_t first_count, last_count; /* allocations after the second token, and at the end */
    het_expert_traffic traffic;
} result;

static char path[512];
static const char *device_name = "opencl_igpu";
static ze_ask driver;    /* of Level Zero */
static char ze_fault[100]; /* armed when a session is made; "": none */

static int32_t best_of(const float *logits, uint32_t count)
{
    uint32_t best = 0;
    for (uint32_t i = 1; i < count; i++)
        if (logits[i] > logits[best])
            best = i;
    return (int32_t)best;
}

static uint64_t allocations(const het_session *session)
{
    het_telemetry t = { .struct_size = sizeof t };
    CHECK_INT(het_telemetry_snapshot(session, &t), HET_OK);
    return t.allocation_count;
}

static het_status generate(const het_model *model, het_session *session, het_sequence *sequence,
                           result *out, het_error *err)
{
    int32_t prompt[64];
    size_t count = 0;
    uint32_t rows = 0;
    het_model_info info = { .struct_size = sizeof info };
    het_status s = het_model_get_info(model, &info);
    if (!s)
        s = het_tokenizer_encode(het_model_tokenizer(model), PROMPT, strlen(PROMPT),
                                 HET_ENCODE_ADD_SPECIAL, prompt, 64, &count, err);
    if (!s)
        s = het_sequence_append(sequence, prompt, count, 0, err);
    for (int i = 0; i < TOKENS && !s; i++) {
        s = het_session_step(session, NULL, err);
        if (s)
            break;
        const float *logits = het_sequence_logits(sequence, NULL, &rows);
        out->ids[i] = best_of(logits + (size_t)(rows - 1) * (size_t)info.vocabulary_size,
                              (uint32_t)info.vocabulary_size);
        if (i == 1)
            out->first_count = allocations(session);
        out->last_count = allocations(session);
        s = het_sequence_append(sequence, &out->ids[i], 1, 0, err);
    }
    return s;
}

static void look(const het_session *session, result *out)
{
    out->layers = het_session_mixture_count(session);
    CHECK(out->layers <= LAYERS_MAX);
    for (uint32_t i = 0; i < out->layers && i < LAYERS_MAX; i++) {
        het_expert_use use = { .struct_size = sizeof use };
        uint64_t sum = 0;
        CHECK_INT(het_session_mixture_at(session, i, &use, out->counts[i], EXPERTS, NULL), HET_OK);
        CHECK_INT(use.expert_count, EXPERTS);
        CHECK_INT(use.layer, i);
        out->tokens[i] = use.token_count;
        for (int e = 0; e < EXPERTS; e++)
            sum += out->counts[i][e];
        CHECK_INT(sum, use.token_count * use.chosen_count);
        if (sum) {
            CHECK(use.imbalance >= 1 && use.imbalance <= EXPERTS);
            CHECK(use.entropy >= 0 && use.entropy <= 2.0000001);
        }
    }
    CHECK_INT(het_session_mixture_at(session, out->layers, &(het_expert_use){ .struct_size = 4 },
                                     NULL, 0, NULL), HET_E_INVALID);
    out->traffic.struct_size = sizeof out->traffic;
    CHECK_INT(het_session_expert_traffic(session, &out->traffic), HET_OK);
}

/* limit: what the policy says of the device's experts, "" for nothing. */
static void run(const char *backend, const char *limit, result *out)
{
    het_error err = HET_ERROR_INIT;
    het_context_options c = HET_CONTEXT_OPTIONS_INIT;
    het_session_options o = HET_SESSION_OPTIONS_INIT;
    het_context *context = NULL;
    het_model *model = NULL;
    het_session *session = NULL;
    het_sequence *sequence = NULL;
    het_policy *policy = NULL;
    char text[200];
    memset(out, 0, sizeof *out);
    c.backends = backend;
    o.context_max = 128;
    o.threads = 1;
    snprintf(text, sizeof text, "hetinfer-policy: 1\nlimits:\n  %s: { memory: 8 GB%s }\n", backend,
             limit);
    het_status s = het_context_create(&c, &context, &err);
    if (!s)
        s = het_model_load(context, path, NULL, &model, &err);
    if (!s)
        s = het_policy_load_memory(context, text, strlen(text), "test", &policy, &err);
    o.policy = policy;
    if (!s)
        s = het_session_create(model, &o, &session, &err);
    if (!s)
        s = het_sequence_create(session, &sequence, &err);
    if (!s)
        s = generate(model, session, sequence, out, &err);
    if (!s)
        look(session, out);
    out->status = s;
    snprintf(out->message, sizeof out->message, "%s", err.message);
    het_sequence_destroy(sequence);
    het_session_destroy(session);
    het_policy_destroy(policy);
    het_model_destroy(model);
    het_context_destroy(context);
}

static result whole, host;

static void all_of_them(void)
{
    run("opencl_igpu", "", &whole);
    if (whole.status)
        TEST_FAIL("%s", whole.message);
    CHECK_INT(whole.traffic.slot_count, 0);
    run("cpu_onednn", "", &host);
    if (host.status)
        TEST_FAIL("%s", host.message);
    CHECK(host.tokens[0] > TOKENS);
}

static void some(const char *limit, uint32_t slots)
{
    result r;
    run("opencl_igpu", limit, &r);
    if (r.status)
        TEST_FAIL("%s: %s", limit, r.message);
    for (int i = 0; i < TOKENS; i++)
        CHECK_INT(r.ids[i], whole.ids[i]);
    const het_expert_traffic *t = &r.traffic;
    printf("%s: %u slots, %llu hits, %llu misses, %llu ahead, %llu of them used\n", limit,
           t->slot_count, (unsigned long long)t->hit_count, (unsigned long long)t->miss_count,
           (unsigned long long)t->ahead_count, (unsigned long long)t->ahead_hit_count);
    if (slots)
        CHECK_INT(t->slot_count, slots);
    else
        CHECK_INT(t->slot_count, r.layers * EXPERTS);
    CHECK_INT(t->staged_bytes % (t->miss_count + t->ahead_count), 0);
    CHECK(t->staged_bytes / (t->miss_count + t->ahead_count) <= t->slot_bytes / t->slot_count);
    CHECK_INT(t->eviction_count + t->slot_count >= t->miss_count + t->ahead_count, 1);
    CHECK_INT(r.last_count, r.first_count);
    CHECK_INT(r.layers, host.layers);
    for (uint32_t i = 0; i < r.layers; i++)
        CHECK_INT(r.tokens[i], host.tokens[i]);
}

static void tokens_are_the_same(void)
{
    some(", experts: 100 MB", 0);
    some(", experts: 340 kB", 3);
    some(", experts: 340 kB, experts_keep: frequent", 3);
    some(", experts: 230 kB", 2);
    some(", experts: 120 kB", 1);
}

static void less_than_one_is_refused(void)
{
    result r;
    run("opencl_igpu", ", experts: 100 kB", &r);
    CHECK_INT(r.status, HET_E_NOMEM);
    CHECK(strstr(r.message, "experts") != NULL);
}

/* ---- two mixtures, one behind the other ---- */

#define WIDTH 64
#define INNER 96
#define MIXTURE 6
#define USED 2
#define ROWS 40

typedef struct pair_of_mixtures {
    uint32_t x, scores[2], out;
    size_t expert_bytes;
} pair_of_mixtures;

static uint64_t seed = 5;

static float random_float(void)
{
    seed = seed * 6364136223846793005u + 1442695040888963407u;
    return (float)((double)(seed >> 33) / (double)(UINT64_C(1) << 31) * 2 - 1);
}

/* Blocks of Q8_0: half floats of about 0.01 and codes. */
static uint32_t stack(rig *r, int64_t rows, int64_t columns)
{
    const int64_t e[3] = { MIXTURE, rows, columns };
    const size_t blocks = (size_t)(MIXTURE * rows * columns / 32);
    unsigned char *w = het__arena_alloc(&r->graph.arena, blocks * 34);
    for (size_t i = 0; i < blocks; i++) {
        w[34 * i] = (unsigned char)(i % 251);
        w[34 * i + 1] = 0x21;
        for (size_t k = 2; k < 34; k++)
            w[34 * i + k] = (unsigned char)(int8_t)(random_float() * 90);
    }
    return het__graph_const(&r->graph, "w", HET_DTYPE_Q8_0, 3, e, w);
}

static uint32_t rows_of(rig *r, const char *name, int64_t columns)
{
    const het__extent e[2] = { { 1, HET__SYM_TOKENS }, { columns, HET__SYM_ONE } };
    return het__graph_value(&r->graph, name, HET__VALUE_INPUT, HET_DTYPE_F32, 2, e);
}

static void build(rig *r, pair_of_mixtures *p)
{
    het_error err = HET_ERROR_INIT;
    const het__attrs attrs = {
        .moe = { USED, HET__ROUTER_SOFTMAX, true, 1, 0, HET__UNARY_SILU }
    };
    seed = 5;
    uint32_t x = p->x = rows_of(r, "x", WIDTH);
    for (int i = 0; i < 2; i++) {
        p->scores[i] = rows_of(r, "scores", MIXTURE);
        const uint32_t in[5] = { x, p->scores[i], stack(r, INNER, WIDTH), stack(r, INNER, WIDTH),
                                 stack(r, WIDTH, INNER) };
        x = het__graph_node(&r->graph, HET__OP_MOE, i, "mixture", in, 5, &attrs, &err);
    }
    p->out = x;
    p->expert_bytes = 3 * (size_t)(WIDTH * INNER) / 32 * 34;
}

/* What several steps give, and what was brought for them. */
typedef struct steps {
    float out[8][ROWS * WIDTH];
    het__backend_counters counters;
    uint64_t traced, traced_ahead, traced_bytes;
} steps;

/* Experts of both mixtures, one after the other. */
static void look_at_brought(rig *r, steps *all)
{
    static uint64_t free_ns;
    het__brought list[5];
    uint32_t count;
    do {
        count = r->backend->brought(r->device, list, 5);
        for (uint32_t i = 0; i < count; i++) {
            CHECK(list[i].expert < MIXTURE && (list[i].layer == 0 || list[i].layer == 1));
            CHECK(list[i].end_ns >= list[i].begin_ns);
            CHECK(!list[i].is_device_clock || list[i].begin_ns >= free_ns);
            free_ns = list[i].is_device_clock ? list[i].end_ns : free_ns;
            all->traced_ahead += list[i].is_ahead;
            all->traced_bytes += list[i].bytes;
        }
        all->traced += count;
    } while (count == 5);
}

static void run_steps(uint64_t slots, uint32_t keep, steps *all)
{
    static const int64_t tokens[8] = { 1, 1, ROWS, 1, 5, 2, 1, 9 };
    static float data[ROWS * WIDTH];
    het_error err = HET_ERROR_INIT;
    pair_of_mixtures p;
    rig r;
    rig_init(&r, device_name);
    r.host.use_env = true;
    r.symbols_max[HET__SYM_TOKENS] = ROWS;
    build(&r, &p);
    r.options.expert_bytes = slots * p.expert_bytes;
    r.options.expert_keep = keep;
    CHECK_INT(rig_open_device(&r, &err), HET_OK);
    if (!rig_compile(&r))
        return;
    look_at_brought(&r, all);
    CHECK_INT(all->traced, 0);
    for (int i = 0; i < 8; i++) {
        const size_t n = (size_t)tokens[i];
        const uint32_t values[3] = { p.x, p.scores[0], p.scores[1] };
        r.symbols[HET__SYM_TOKENS] = tokens[i];
        for (int v = 0; v < 3; v++) {
            const size_t columns = v ? MIXTURE : WIDTH;
            for (size_t k = 0; k < n * columns; k++)
                data[k] = random_float();
            cl_give(&r, values[v], data, n * columns * sizeof *data);
        }
        rig_run(&r);
        cl_take(&r, p.out, all->out[i], n * WIDTH * sizeof *data);
        look_at_brought(&r, all);
    }
    r.backend->counters(r.device, &all->counters);
    rig_close(&r);
}

static void same_bits(uint64_t slots, uint32_t keep, const steps *want)
{
    static steps got;
    memset(&got, 0, sizeof got);
    run_steps(slots, keep, &got);
    for (int i = 0; i < 8; i++)
        CHECK(memcmp(got.out[i], want->out[i], sizeof got.out[i]) == 0);
    const het__backend_counters *c = &got.counters;
    const uint64_t most = 2 * MIXTURE, brought = c->expert_misses + c->expert_ahead;
    printf("%u slots, keep %u: %u hits, %u misses, %u ahead (%u used), %u given up\n",
           (unsigned)slots, (unsigned)keep, (unsigned)c->expert_hits, (unsigned)c->expert_misses,
           (unsigned)c->expert_ahead, (unsigned)c->expert_ahead_hits,
           (unsigned)c->expert_evictions);
    CHECK_INT(c->expert_slots, slots < most ? slots : most);
    CHECK(c->expert_misses > 0);
    CHECK_INT(c->expert_staged_bytes % brought, 0);
    /* All but what is still on its way, ahead of the next step. */
    CHECK(got.traced <= brought);
    CHECK_INT(got.traced_bytes * brought, c->expert_staged_bytes * got.traced);
    CHECK(brought - got.traced <= c->expert_ahead - got.traced_ahead);
    CHECK_INT(c->expert_evictions, brought > c->expert_slots ? brought - c->expert_slots : 0);
    if (slots >= most) /* each once */
        CHECK(brought <= most);
    if (slots == 1) /* what a step ends with, the next may begin with */
        CHECK(c->expert_hits < c->expert_misses);
}

static void bits_are_the_same(void)
{
    static steps want;
    memset(&want, 0, sizeof want);
    run_steps(0, 0, &want);
    CHECK_INT(want.counters.expert_slots, 0);
    for (uint64_t slots = 1; slots <= 100; slots += slots < 6 ? 1 : 47) {
        same_bits(slots, HET_EXPERT_KEEP_RECENT, &want);
        same_bits(slots, HET_EXPERT_KEEP_FREQUENT, &want);
    }
}

/* With the forms and kernels of GPUs. */
static void bits_are_the_same_on_gpus(void)
{
    cl_be_gpu(true);
    static steps want;
    memset(&want, 0, sizeof want);
    run_steps(0, 0, &want);
    same_bits(1, HET_EXPERT_KEEP_RECENT, &want);
    same_bits(4, HET_EXPERT_KEEP_RECENT, &want);
    cl_be_gpu(false);
}

static void too_little_is_refused(void)
{
    het_error err = HET_ERROR_INIT;
    pair_of_mixtures p;
    rig r;
    rig_init(&r, device_name);
    r.host.use_env = true;
    build(&r, &p);
    r.options.expert_bytes = p.expert_bytes - 1;
    CHECK_INT(rig_open_device(&r, &err), HET_OK);
    CHECK_INT(rig_buffers(&r, &err), HET_OK);
    CHECK_INT(rig_compile_slice(&r, &err), HET_E_NOMEM);
    CHECK(strstr(err.message, "of experts") != NULL);
    rig_close(&r);
}

/* Compiling with every allocation failing in turn: NOMEM, and nothing stays. */
static void every_allocation(void)
{
    static counting_allocator counter;
    uint64_t n = 1;
    bool met = true;
    for (; met && n < 2000; n++) {
        het_error err = HET_ERROR_INIT;
        pair_of_mixtures p;
        rig r;
        rig_init(&r, device_name);
        r.mem.allocator = counting_allocator_of(&counter);
        r.host.use_env = true;
        r.symbols_max[HET__SYM_TOKENS] = 4;
        build(&r, &p);
        r.options.expert_bytes = 3 * p.expert_bytes;
        CHECK_INT(rig_open_device(&r, &err), HET_OK);
        counting_allocator_fail(&counter, n);
        het_status s = rig_buffers(&r, &err);
        if (s == HET_OK)
            s = rig_compile_slice(&r, &err);
        met = counter.failed > 0;
        counting_allocator_fail(&counter, 0);
        /* What is only remembered from one start to the next is done without. */
        if (s != HET_OK && !(met && s == HET_E_NOMEM))
            TEST_FAIL("allocation %u: %s: %s", (unsigned)n, het_status_name(s), err.message);
        rig_close(&r);
    }
    printf("%u allocations\n", (unsigned)n - 2);
    CHECK(n > 20 && !met);
    CHECK_INT(counter.blocks, 0);
}

/* ---- uploads that fail ---- */

static het_status arm_and_generate(const het_model *model, het_session *session,
                                   het_sequence *sequence, result *out, het_error *err)
{
    if (*ze_fault)
        CHECK(driver.arm(ze_fault));
    return generate(model, session, sequence, out, err);
}

/* Experts on the device, in three slots, the rest on the CPU. */
static void run_split(result *out)
{
    static const char form[] =
        "hetinfer-policy: 1\nrules:\n  - class: expert_ffn\n    prefer: %s\n"
        "  - class: [embedding, attention, attention_qkv_proj, norm, lm_head, router_logits]\n"
        "    prefer: cpu_onednn\n"
        "limits:\n  %s: { experts: 75 kB }\n";
    char text[400], backends[40];
    static counting_allocator counter;
    const het_allocator allocator = counting_allocator_of(&counter);
    het_error err = HET_ERROR_INIT;
    het_context_options c = HET_CONTEXT_OPTIONS_INIT;
    het_session_options o = HET_SESSION_OPTIONS_INIT;
    het_context *context = NULL;
    het_model *model = NULL;
    het_session *session = NULL;
    het_sequence *sequence = NULL;
    het_policy *policy = NULL;
    memset(out, 0, sizeof *out);
    cl_fault.calls = cl_fault.failed = 0;
    c.allocator = &allocator;
    snprintf(text, sizeof text, form, device_name, device_name);
    snprintf(backends, sizeof backends, "cpu_onednn,%s", device_name);
    c.backends = backends;
    o.context_max = 128;
    o.threads = 1;
    o.precision = HET_PRECISION_EXACT;
    het_status s = het_context_create(&c, &context, &err);
    if (!s)
        s = het_model_load(context, path, NULL, &model, &err);
    if (!s)
        s = het_policy_load_memory(context, text, strlen(text), "test", &policy, &err);
    o.policy = policy;
    if (!s)
        s = het_session_create(model, &o, &session, &err);
    if (!s)
        s = het_sequence_create(session, &sequence, &err);
    if (!s)
        s = arm_and_generate(model, session, sequence, out, &err);
    out->traffic.struct_size = sizeof out->traffic;
    if (!s)
        s = het_session_expert_traffic(session, &out->traffic);
    out->status = s;
    snprintf(out->message, sizeof out->message, "%s", err.message);
    het_sequence_destroy(sequence);
    het_session_destroy(session);
    het_policy_destroy(policy);
    het_model_destroy(model);
    het_context_destroy(context);
    CHECK_INT(counter.blocks, 0);
}

/* Each kind of failure, at the k-th upload, once and for good: the same tokens, and nothing is left
 * behind. */
static void uploads_that_fail(void)
{
    static const cl_int codes[] = { CL_OUT_OF_RESOURCES, CL_MEM_OBJECT_ALLOCATION_FAILURE,
                                    CL_INVALID_COMMAND_QUEUE, CL_INVALID_VALUE, -9999 };
    static const uint32_t calls[] = { 1, 2, 7, 40 };
    result want, got;
    char source[512];
    snprintf(path, sizeof path, "%s",
             test_source_path(source, sizeof source, "examples/models/hearth-phimoe"));
    cl_fault.at = 0;
    run_split(&want);
    if (want.status)
        TEST_FAIL("%s", want.message);
    CHECK(cl_fault.calls > 40 && want.traffic.slot_count == 3);
    printf("%u uploads\n", (unsigned)cl_fault.calls);
    uint32_t met = 0;
    for (uint32_t i = 0; i < sizeof codes / sizeof codes[0] * 4 * 2; i++) {
        cl_fault.code = codes[i / 8];
        cl_fault.at = calls[i % 4];
        cl_fault.end = i / 4 % 2 ? UINT32_MAX : cl_fault.at + 1;
        run_split(&got);
        if (got.status)
            TEST_FAIL("code %d at call %u%s: %s: %s", cl_fault.code, (unsigned)cl_fault.at,
                      cl_fault.end == UINT32_MAX ? " and on" : "", het_status_name(got.status),
                      got.message);
        else if (memcmp(got.ids, want.ids, sizeof got.ids) != 0)
            TEST_FAIL("code %d at call %u: other tokens", cl_fault.code, (unsigned)cl_fault.at);
        met += cl_fault.failed > 0;
    }
    CHECK_INT(met, sizeof codes / sizeof codes[0] * 4 * 2);
    cl_fault.at = 0;
    /* What the call began fails: kernels of this driver run nevertheless, on other weights. */
    cl_fault.is_late = true;
    for (uint32_t i = 0; i < 4; i++) {
        cl_fault.code = CL_OUT_OF_RESOURCES;
        cl_fault.at = calls[i];
        cl_fault.end = calls[i] + 1;
        run_split(&got);
        CHECK_INT(got.status, HET_OK);
        CHECK_INT(cl_fault.failed, 1);
        CHECK(!cl_fault.late);
        CHECK(memcmp(got.ids, want.ids, sizeof got.ids) == 0);
    }
    cl_fault.is_late = false;
    cl_fault.at = 0;
}

/* ---- Level Zero ---- */

/* What fails as above, by the test driver; nothing else copies while tokens are made. */
static void fail_call(const char *call, const char *at, const char *kind, const result *want)
{
    static result got;
    driver.reset();
    snprintf(ze_fault, sizeof ze_fault, "call=%s,at=%s,result=%s", call, at, kind);
    run_split(&got);
    if (got.status)
        TEST_FAIL("%s: %s: %s", ze_fault, het_status_name(got.status), got.message);
    else if (memcmp(got.ids, want->ids, sizeof got.ids) != 0)
        TEST_FAIL("%s: other tokens", ze_fault);
    CHECK(strchr(at, '+') || driver.armed() == 0); /* it was met */
    driver.reset();
    CHECK_INT(driver.complaints(), 0);
}

static void uploads_of_level_zero_that_fail(void)
{
    static const char *const calls[] = { "zeCommandListAppendMemoryCopy",
                                         "zeCommandListAppendBarrier", "zeEventHostReset",
                                         "zeEventQueryStatus" };
    static const char *const kinds[] = { "unknown", "oom", "lost" };
    static const char *const times[] = { "1", "2", "7", "40", "1+", "7+" };
    static result want;
    char source[512];
    snprintf(path, sizeof path, "%s",
             test_source_path(source, sizeof source, "examples/models/hearth-phimoe"));
    driver.reset();
    run_split(&want);
    if (want.status)
        TEST_FAIL("%s", want.message);
    CHECK_INT(want.traffic.slot_count, 3);
    CHECK(want.traffic.miss_count > 40);
    for (uint32_t c = 0; c < sizeof calls / sizeof calls[0]; c++)
        for (uint32_t k = 0; k < sizeof kinds / sizeof kinds[0]; k++)
            for (uint32_t t = 0; t < sizeof times / sizeof times[0]; t++)
                fail_call(calls[c], times[t], kinds[k], &want);
    *ze_fault = '\0';
}

static int level_zero(void)
{
    device_name = "intel_l0";
    driver = ze_ask_find();
    test_case(too_little_is_refused);
    test_case(bits_are_the_same);
    test_case(every_allocation);
    if (rig_backend("cpu_onednn"))
        test_case(uploads_of_level_zero_that_fail);
    CHECK_INT(driver.complaints(), 0);
    return test_finish();
}

int main(int argc, char **argv)
{
    if (argc > 1 && strcmp(argv[1], "intel_l0") == 0)
        return level_zero();
    const char *data = getenv("HETINFER_TEST_DATA"), *lasting = getenv("HETINFER_TEST_LONG");
    cl_find();
    test_case(too_little_is_refused);
    test_case(bits_are_the_same);
    test_case(bits_are_the_same_on_gpus);
    test_case(every_allocation);
    if (rig_backend("cpu_onednn"))
        test_case(uploads_that_fail);
    else
        printf("this build has no backend for the rest of a split model\n");
    if (data && *data && lasting) { /* kernels for a whole model take minutes to build */
        snprintf(path, sizeof path, "%s/llm/derived/stories260K-x256-moe2of4-Q4_K_M.gguf", data);
        test_case(all_of_them);
        test_case(tokens_are_the_same);
        test_case(less_than_one_is_refused);
    }
    return test_finish();
}
