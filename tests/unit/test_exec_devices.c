/* SPDX-License-Identifier: Apache-2.0 */
/* Three devices that differ as machines do (see async_device.h): results are those of one device
 * wherever nodes go, whatever memory is shared, and however slow a device is; copies are those of
 * the plan and counted; nobody waits for more than it needs, nor for less; failures say where. */
#include "backends/null/null.h"

#include "async_device.h"
#include "exec_case.h"

#include <jansson.h>

#define PIXELS 64
#define PATTERNS 40

static het_context *context;

static void reset(uint64_t pattern)
{
    static const uint32_t importers[] = { 3, 1, 2, 0 };
    async_pattern = pattern;
    async_can_import = importers[pattern % 4];
    async_is_slow = pattern % 3 == 0;
    async_delay_ns = 0;
    async_fault_at = 0;
    async_fault_wait = HET_OK;
    async_gate_from = 0;
    async_gate_opened = 0;
    async_gate_programs = async_near_programs = 0;
    async_gate_failed = 0;
    async_reads = async_writes = async_imports = async_waits_for = 0;
}

/* ---- what must have been moved ---- */

static bool imports(uint32_t device)
{
    return async_can_import >> device & 1 && device < 2;
}

/* Whether a temporary lies in shared memory for a device: it can use that, as can the maker, and
 * somebody who reads it. */
static bool is_shared_on(const het__plan *plan, const het__graph *graph, uint32_t value,
                         uint32_t device)
{
    const uint32_t maker = plan->node_device[graph->values[value].producer];
    bool reads = false, receives = device == maker;
    for (uint32_t t = 0; t < plan->transfer_count; t++)
        if (plan->transfers[t].value == value && imports(plan->transfers[t].to)) {
            reads = true;
            receives = receives || plan->transfers[t].to == device;
        }
    return graph->values[value].kind == HET__VALUE_TEMP && imports(maker) && reads && receives;
}

/* A step with so many tokens, each with a row. */
static void expect_step(const het__exec *exec, const het__graph *graph, uint32_t phase,
                        int64_t tokens, het__exec_counts *want)
{
    const het__plan *plan = het__exec_plan_of(exec, phase);
    int64_t symbols[HET__SYM_MAX];
    for (uint32_t i = 0; i < HET__SYM_MAX; i++)
        symbols[i] = 1;
    symbols[HET__SYM_TOKENS] = symbols[HET__SYM_ROWS] = tokens;
    for (uint32_t t = 0; t < plan->transfer_count; t++) {
        const het__plan_transfer *p = &plan->transfers[t];
        const het__value *v = &graph->values[p->value];
        const uint64_t bytes = (uint64_t)het__value_bytes(v, symbols);
        const bool shared = is_shared_on(plan, graph, p->value, p->to);
        want[p->to].shares += shared;
        want[p->to].shared_bytes += shared ? bytes : 0;
        want[p->to].copies += !shared;
        want[p->to].copied_bytes += shared ? 0 : bytes;
        const bool seen =
            p->from == 0 || p->to == 0 || is_shared_on(plan, graph, p->value, p->from);
        want[p->to].bounces += !shared && !seen;
    }
}

static void check_counts(const het__exec *exec, const het__exec_counts *want)
{
    uint64_t weights = 0, states = 0, rest = 0;
    het__exec_counters sums;
    het__exec_counters_get(exec, &sums);
    for (uint32_t i = 0; i < het__exec_usage_count(exec); i++) {
        het__exec_usage u;
        het__exec_usage_at(exec, i, &u);
        const het__exec_counts *w = &want[u.device];
        CHECK_INT(u.counts.copies, w->copies);
        CHECK_INT(u.counts.copied_bytes, w->copied_bytes);
        CHECK_INT(u.counts.shares, w->shares);
        CHECK_INT(u.counts.shared_bytes, w->shared_bytes);
        weights += u.weight_bytes;
        states += u.state_bytes;
        rest += u.io_bytes + u.temp_bytes + u.scratch_bytes;
        CHECK(u.imported_bytes == 0 || u.imported_bytes == sums.shared_bytes);
    }
    CHECK_INT(sums.weight_bytes, weights);
    CHECK_INT(sums.state_bytes, states);
    CHECK_INT(sums.activation_bytes, rest + sums.staging_bytes + sums.shared_bytes);
}

/* ---- language models ---- */

static uint64_t shared_in_all, copied_in_all, bounced_in_all;

static void look_at_language(const het__exec *exec, const het__engine *engine,
                             const het__graph *graph)
{
    static const int64_t prompt[] = { 32, 3, 32, 3 };
    het__exec_counts want[ASYNC_DEVICES] = { { 0 } };
    const het__plan *plan = het__exec_plan_of(exec, 0);
    for (size_t i = 0; i < sizeof prompt / sizeof prompt[0]; i++)
        expect_step(exec, graph, HET_PHASE_PREFILL, prompt[i], want);
    for (int i = 70; i < LENGTH; i++)
        expect_step(exec, graph, HET_PHASE_DECODE, 1, want);
    CHECK_INT(engine->step_count, 24);
    check_counts(exec, want);
    for (uint32_t i = 0; i < het__exec_usage_count(exec); i++) {
        het__exec_usage u;
        het__exec_usage_at(exec, i, &u);
        CHECK_INT(u.counts.bounces, want[u.device].bounces);
        CHECK_INT(u.state_bytes, plan->memory[u.device].state_bytes);
        shared_in_all += u.counts.shares;
        copied_in_all += u.counts.copies;
        bounced_in_all += u.counts.bounces;
    }
}

static void language(const char *architecture)
{
    tiny_model tiny;
    tiny_options o = TINY_LLAMA;
    o.architecture = architecture;
    het_model *model = NULL;
    het_error err = HET_ERROR_INIT;
    tiny_make(&tiny, &o);
    CHECK_INT(het_model_load_memory(context, tiny.file, tiny.bytes, NULL, &model, &err), HET_OK);
    float *want = calloc(LENGTH * VOCABULARY, sizeof *want);
    float *got = calloc(LENGTH * VOCABULARY, sizeof *got);
    uint32_t entries = 0;
    CHECK_INT(exec_case_run(model, &context->registry, want, &entries, NULL, NULL, &err), HET_OK);
    het__registry registry;
    async_registry(&registry, &context->registry.host);
    shared_in_all = copied_in_all = bounced_in_all = 0;
    for (uint64_t pattern = 1; pattern <= PATTERNS; pattern++) {
        reset(pattern);
        memset(got, 0, LENGTH * VOCABULARY * sizeof *got);
        const het_status s =
            exec_case_run(model, &registry, got, &entries, NULL, look_at_language, &err);
        if (s != HET_OK)
            TEST_FAIL("pattern %d: %s", (int)pattern, err.message);
        if (memcmp(got, want, LENGTH * VOCABULARY * sizeof *got) != 0)
            TEST_FAIL("pattern %d: other logits", (int)pattern);
    }
    printf("%s: %llu shared, %llu copied, %llu of them by a third place\n", architecture,
           (unsigned long long)shared_in_all, (unsigned long long)copied_in_all,
           (unsigned long long)bounced_in_all);
    CHECK(shared_in_all > 100 && copied_in_all > 100 && bounced_in_all > 100);
    free(want);
    free(got);
    het_model_destroy(model);
    tiny_free(&tiny);
}

static void language_models(void)
{
    language("llama");
    language("qwen3");
}

/* ---- networks ---- */

static float image[PIXELS];

static het__graph_run *open_run(const het_model *model, const het__registry *registry,
                                het__trace *const *trace)
{
    het_error err = HET_ERROR_INIT;
    het__graph_run *run = NULL;
    const het__graph_run_request request = {
        .registry = registry, .graph = &model->network->onnx.graph, .threads = 1,
        .device_mask = (1u << registry->count) - 1, .passes = { HET__PASSES_ALL, 0 },
        .trace = trace,
    };
    CHECK_INT(het__graph_run_create(&request, &run, &err), HET_OK);
    return run;
}

static het_status classify(het__graph_run *run, float scores[10], het_error *err)
{
    const het__tensor in = { .dtype = HET_DTYPE_F32, .rank = 4, .extent = { 1, 1, 8, 8 },
                             .data = image };
    het__tensor out = { .data = scores };
    const size_t capacity = 10 * sizeof *scores;
    _Atomic uint32_t cancel = 0;
    return het__graph_run_step(run, &in, &out, &capacity, &cancel, err);
}

static het_model *load_network(const char *name)
{
    char path[512], file[128];
    het_error err = HET_ERROR_INIT;
    het_model *model = NULL;
    snprintf(file, sizeof file, "examples/models/%s.onnx", name);
    if (het_model_load(context, test_source_path(path, sizeof path, file), NULL, &model, &err))
        TEST_FAIL("%s", err.message);
    return model;
}

static void network(const char *name)
{
    het_error err = HET_ERROR_INIT;
    float want[10] = { 0 }, got[10];
    het_model *model = load_network(name);
    het__registry registry;
    async_registry(&registry, &context->registry.host);
    het__graph_run *run = open_run(model, &context->registry, NULL);
    CHECK_INT(classify(run, want, &err), HET_OK);
    het__graph_run_destroy(run);
    for (uint64_t pattern = 1; pattern <= PATTERNS; pattern++) {
        reset(pattern);
        run = open_run(model, &registry, NULL);
        het_status s = classify(run, got, &err);
        const uint64_t allocations = context->mem.count;
        for (int i = 0; i < 4 && s == HET_OK; i++) {
            memset(got, 0, sizeof got);
            s = classify(run, got, &err);
            if (memcmp(got, want, sizeof got) != 0)
                TEST_FAIL("%s, pattern %d: other scores", name, (int)pattern);
        }
        CHECK_INT(context->mem.count, allocations);
        if (s != HET_OK)
            TEST_FAIL("%s, pattern %d: %s", name, (int)pattern, err.message);
        het__exec_counts counts[ASYNC_DEVICES] = { { 0 } };
        for (int i = 0; i < 5 && s == HET_OK; i++)
            expect_step(het__graph_run_exec(run), het__graph_run_graph(run), 0, 1, counts);
        if (s == HET_OK)
            check_counts(het__graph_run_exec(run), counts);
        het__graph_run_destroy(run);
    }
    het_model_destroy(model);
}

static void networks(void)
{
    network("digits-conv");
    network("digits-conv-int8");
    network("digits-vit");
}

/* ---- small graphs, to look at one thing each ---- */

typedef struct small {
    het__graph graph;
    het__registry registry;
    het__exec *exec;
    het__exec_failure failure;
    het__trace *trace;
} small;

#define WIDTH 1024

/* silu(from), or from + other. "D:name" runs on device D. */
static uint32_t node(small *s, const char *name, int32_t layer, uint32_t from, uint32_t other)
{
    const uint32_t inputs[] = { from, other };
    const het__attrs attrs = { .unary = { .kind = HET__UNARY_SILU } }, none = { .unary = { 0 } };
    return other == HET__NO_VALUE
               ? het__graph_node(&s->graph, HET__OP_UNARY, layer, name, inputs, 1, &attrs, NULL)
               : het__graph_node(&s->graph, HET__OP_ADD, layer, name, inputs, 2, &none, NULL);
}

static uint32_t begin_small(small *s)
{
    const het__extent extent[] = { { 1, HET__SYM_ONE }, { WIDTH, HET__SYM_ONE } };
    memset(s, 0, sizeof *s);
    reset(4); /* both that can share do */
    async_can_import = 3;
    async_registry(&s->registry, &context->registry.host);
    het__graph_init(&s->graph, s->registry.host.mem);
    return het__graph_value(&s->graph, "x", HET__VALUE_INPUT, HET_DTYPE_F32, 2, extent);
}

static het_status make_small(small *s, uint32_t output, het_error *err)
{
    het__exec_request request = { .registry = &s->registry, .graph = &s->graph, .threads = 1,
                                  .device_mask = (1u << s->registry.count) - 1, .phase_count = 1,
                                  .failure = &s->failure, .timeout_ns = 20000000,
                                  .trace = &s->trace };
    het__graph_output(&s->graph, output, "y");
    CHECK(!s->graph.failed);
    for (uint32_t i = 0; i < HET__SYM_MAX; i++)
        request.symbols_max[0][i] = 1;
    return het__exec_create(&request, &s->exec, err);
}

static het_status run_small(small *s, het_error *err)
{
    int64_t symbols[HET__SYM_MAX];
    _Atomic uint32_t cancel = 0;
    float *x = het__exec_input(s->exec, "x");
    for (uint32_t i = 0; i < HET__SYM_MAX; i++)
        symbols[i] = 1;
    for (int i = 0; i < WIDTH; i++)
        x[i] = (float)(i % 64) / 16 - 2;
    return het__exec_run(s->exec, 0, symbols, &cancel, err);
}

static void end_small(small *s)
{
    het__exec_destroy(s->exec);
    het__graph_finish(&s->graph);
    het__trace_destroy(s->trace);
}

static double silu(double x)
{
    return x / (1 + exp(-x));
}

static double once_and_once(double x)
{
    return silu(x) + silu(x);
}

static double twice_and_once(double x)
{
    return silu(silu(x)) + silu(x);
}

static double twice_and_of_double_twice(double x)
{
    return silu(silu(x)) + 2 * silu(2 * x);
}

static double of_both_twice(double x)
{
    return 2 * silu(x) + 2 * silu(2 * x);
}

static double twice_and_of_double_and_once(double x)
{
    return silu(silu(x)) + silu(2 * x) + silu(x);
}

static double thrice_and_twice(double x)
{
    return silu(silu(silu(x))) + silu(silu(x));
}

static void check_small(small *s, double (*want)(double x))
{
    het_error err = HET_ERROR_INIT;
    if (run_small(s, &err) != HET_OK)
        TEST_FAIL("%s", err.message);
    const float *y = het__exec_output(s->exec, "y");
    for (int i = 0; i < WIDTH; i++) {
        const double w = want((float)(i % 64) / 16 - 2);
        if (fabs((double)y[i] - w) > 1e-5) {
            TEST_FAIL("y[%d] = %g, want %g", i, (double)y[i], w);
            return;
        }
    }
}

static het__exec_usage usage_of(const small *s, uint32_t device)
{
    het__exec_usage u = { 0 };
    for (uint32_t i = 0; i < het__exec_usage_count(s->exec); i++) {
        het__exec_usage_at(s->exec, i, &u);
        if (u.device == device)
            break;
    }
    CHECK_INT(u.device, device);
    return u;
}

/* The near device computes while the program of another has not even begun. */
static void devices_work_at_once(void)
{
    for (char other = '1'; other <= '2'; other++) {
        small s;
        het_error err = HET_ERROR_INIT;
        const uint32_t x = begin_small(&s);
        char name[] = "1:a";
        name[0] = other;
        const uint32_t a = node(&s, name, 0, x, HET__NO_VALUE);
        const uint32_t b = node(&s, "0:b", 1, x, HET__NO_VALUE);
        const uint32_t y = node(&s, "0:y", 2, a, b);
        async_gate_from = 1;
        CHECK_INT(make_small(&s, y, &err), HET_OK);
        check_small(&s, once_and_once);
        CHECK_INT(async_gate_failed, 0);
        end_small(&s);
    }
}

/* Who needs the first of two programs does not wait for the second. */
static void waits_are_for_a_part(void)
{
    for (char other = '1'; other <= '2'; other++) {
        small s;
        het_error err = HET_ERROR_INIT;
        const uint32_t x = begin_small(&s);
        char first[] = "1:a", second[] = "1:c";
        first[0] = second[0] = other;
        const uint32_t a = node(&s, first, 0, x, HET__NO_VALUE);
        const uint32_t c = node(&s, second, 1, x, HET__NO_VALUE);
        const uint32_t b = node(&s, "0:b", 2, a, HET__NO_VALUE);
        const uint32_t y = node(&s, "0:y", 3, b, c);
        async_gate_from = 2;
        CHECK_INT(make_small(&s, y, &err), HET_OK);
        check_small(&s, twice_and_once);
        CHECK_INT(async_gate_failed, 0);
        CHECK_INT(async_waits_for, 1);
        CHECK_INT(usage_of(&s, (uint32_t)(other - '0')).counts.waits, 2);
        end_small(&s);
    }
}

/* A value that crosses while the program which reads the one before it has not even begun. */
static void values_take_turns(void)
{
    for (char other = '1'; other <= '2'; other++) {
        small s;
        het_error err = HET_ERROR_INIT;
        const uint32_t x = begin_small(&s);
        char first[] = "1:b", second[] = "1:d", third[] = "1:f";
        first[0] = second[0] = third[0] = other;
        const uint32_t a = node(&s, "0:a", 0, x, HET__NO_VALUE);
        const uint32_t b = node(&s, first, 1, a, HET__NO_VALUE);
        const uint32_t c = node(&s, "0:c", 2, x, x);
        const uint32_t d = node(&s, second, 3, c, HET__NO_VALUE);
        const uint32_t e = node(&s, "0:e", 4, x, HET__NO_VALUE);
        const uint32_t f = node(&s, third, 5, b, d);
        const uint32_t y = node(&s, "0:y", 6, f, e);
        async_gate_from = 1;
        async_gate_programs = 3;
        CHECK_INT(make_small(&s, y, &err), HET_OK);
        check_small(&s, twice_and_of_double_and_once);
        CHECK_INT(async_gate_failed, 0);
        end_small(&s);
    }
}

/* A copy waits for the slow program that still reads what it goes over. */
static void copies_wait_for_readers(void)
{
    small s;
    het_error err = HET_ERROR_INIT;
    const uint32_t x = begin_small(&s);
    const uint32_t a = node(&s, "2:a", 0, x, HET__NO_VALUE);
    const uint32_t z = node(&s, "2:z", 1, x, HET__NO_VALUE);
    const uint32_t b = node(&s, "2:b", 1, a, z);
    const uint32_t c = node(&s, "0:c", 2, x, x);
    const uint32_t d = node(&s, "2:d", 3, c, HET__NO_VALUE);
    const uint32_t e = node(&s, "0:e", 4, x, x);
    const uint32_t f = node(&s, "2:f", 5, e, HET__NO_VALUE);
    const uint32_t y = node(&s, "2:y", 6, node(&s, "2:g", 6, b, d), f);
    async_delay_ns = 20000000;
    CHECK_INT(make_small(&s, y, &err), HET_OK);
    check_small(&s, of_both_twice);
    /* Otherwise this looks at nothing: d and e take the places of a and z. */
    CHECK_INT(usage_of(&s, 2).temp_bytes, 4 * WIDTH * sizeof(float));
    CHECK_INT(usage_of(&s, 2).counts.copies, 2);
    CHECK_INT(usage_of(&s, 2).counts.input_bytes, WIDTH * sizeof(float));
    CHECK_INT(async_writes, 3);
    CHECK_INT(async_reads, 1); /* y */
    end_small(&s);
}

/* So does a program that makes a value where another device still reads one. */
static void shared_bytes_wait_for_readers(void)
{
    small s;
    het_error err = HET_ERROR_INIT;
    const uint32_t x = begin_small(&s);
    const uint32_t a = node(&s, "0:a", 0, x, HET__NO_VALUE);
    const uint32_t b = node(&s, "1:b", 1, a, HET__NO_VALUE);
    const uint32_t c = node(&s, "0:c", 2, x, x);
    const uint32_t d = node(&s, "1:d", 3, c, HET__NO_VALUE);
    const uint32_t e = node(&s, "0:e", 4, x, x);
    const uint32_t f = node(&s, "1:f", 5, e, HET__NO_VALUE);
    const uint32_t y = node(&s, "1:y", 6, node(&s, "1:g", 6, b, d), f);
    async_delay_ns = 20000000;
    CHECK_INT(make_small(&s, y, &err), HET_OK);
    check_small(&s, twice_and_of_double_twice);
    het__exec_counters sums;
    het__exec_counters_get(s.exec, &sums);
    /* y, a place for a and e, one for c between them. */
    CHECK_INT(sums.shared_bytes, 3 * WIDTH * sizeof(float));
    CHECK_INT(usage_of(&s, 1).counts.shares, 3);
    CHECK_INT(usage_of(&s, 1).counts.copies, 0);
    CHECK_INT(usage_of(&s, 0).imported_bytes, sums.shared_bytes);
    CHECK_INT(async_imports, 2);
    CHECK_INT(async_writes + async_reads, 0); /* not even x and y are copied */
    end_small(&s);
}

/* Who cannot use host memory after all does without. */
static void refused_memory_is_copied(void)
{
    for (uint32_t can = 0; can < 4; can++) {
        small s;
        het_error err = HET_ERROR_INIT;
        const uint32_t x = begin_small(&s);
        async_can_import = can;
        const uint32_t a = node(&s, "0:a", 0, x, HET__NO_VALUE);
        const uint32_t b = node(&s, "1:b", 1, a, HET__NO_VALUE);
        const uint32_t c = node(&s, "2:c", 2, b, HET__NO_VALUE);
        const uint32_t y = node(&s, "0:y", 3, c, b);
        CHECK_INT(make_small(&s, y, &err), HET_OK);
        check_small(&s, thrice_and_twice);
        const het__exec_counts near = usage_of(&s, 0).counts, far = usage_of(&s, 2).counts;
        CHECK_INT(usage_of(&s, 1).counts.shares, can == 3);
        CHECK_INT(near.shares, can == 3);
        CHECK_INT(near.copies, 2 - (can == 3));
        CHECK_INT(far.copies, 1);
        CHECK_INT(far.bounces, can != 3); /* b lies in shared memory then */
        CHECK_INT(usage_of(&s, 1).imported_bytes > 0, can == 3);
        end_small(&s);
    }
}

/* ---- failures ---- */

static void check_failure(const het__exec_failure *f, uint32_t device, int32_t layer,
                          het__exec_stage stage, het_status status)
{
    CHECK_INT(f->device, device);
    CHECK_INT(f->layer, layer);
    CHECK_INT(f->stage, stage);
    CHECK_INT(f->status, status);
}

static void transfers_fail_where_they_do(void)
{
    small s;
    het_error err = HET_ERROR_INIT;
    het__exec_failure f;
    const uint32_t x = begin_small(&s);
    const uint32_t a = node(&s, "0:a", 7, x, HET__NO_VALUE);
    const uint32_t b = node(&s, "2:b", 8, a, x);
    const uint32_t y = node(&s, "0:y", 9, b, x);
    CHECK_INT(make_small(&s, y, &err), HET_OK);
    for (int at = 1; at <= 2; at++) {
        async_fault_at = at; /* x, then a */
        CHECK_INT(run_small(&s, &err), HET_E_IO);
        het__exec_failure_get(s.exec, &f);
        check_failure(&f, 2, at == 1 ? -1 : 8, at == 1 ? HET__EXEC_INPUT : HET__EXEC_TRANSFER,
                      HET_E_IO);
        CHECK_STR(err.backend, "far");
        CHECK_INT(err.layer, f.layer);
    }
    CHECK_INT(run_small(&s, &err), HET_OK); /* the same step may be made again */
    end_small(&s);
}

static void budgets_name_device_and_pool(void)
{
    small s;
    het_error err = HET_ERROR_INIT;
    const uint32_t x = begin_small(&s);
    const uint32_t a = node(&s, "0:a", 0, x, HET__NO_VALUE);
    const uint32_t b = node(&s, "2:b", 1, a, HET__NO_VALUE);
    const uint32_t y = node(&s, "0:y", 2, b, x);
    s.registry.device[2].info.memory_bytes = 8000;
    CHECK_INT(make_small(&s, y, &err), HET_E_NOMEM);
    check_failure(&s.failure, 2, -1, HET__EXEC_RESERVE, HET_E_NOMEM);
    CHECK(strstr(err.message, "far") && strstr(err.message, "8192 bytes of temporaries") &&
          strstr(err.message, "8000"));
    CHECK_STR(err.backend, "far");
    end_small(&s);
}

static void arm(het__null_call call, uint64_t number, het__null_effect effect, het_status status)
{
    const het__null_fault fault = { .call = call, .number = number, .effect = effect,
                                    .status = status };
    het__null_reset();
    het__null_hide_buffers(true);
    CHECK(het__null_arm(&fault));
}

static void begin_null(small *s)
{
    extern const het__backend het__backend_null;
    begin_small(s);
    s->registry.count = 1;
    s->registry.device[0].backend = &het__backend_null;
    node(s, "first", 3, 0, HET__NO_VALUE);
}

/* The device that hides its memory and fails as told. */
static void making_fails_where_it_does(void)
{
    static const struct { het__null_call call; int number; het__exec_stage stage; int layer; }
        cases[] = {
            { HET__NULL_OPEN, 1, HET__EXEC_OPEN, -1 },
            { HET__NULL_BUFFER_CREATE, 2, HET__EXEC_RESERVE, -1 },
            { HET__NULL_COMPILE, 2, HET__EXEC_COMPILE, 4 },
        };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        small s;
        het_error err = HET_ERROR_INIT;
        begin_null(&s);
        const uint32_t y = node(&s, "second", 4, 1, HET__NO_VALUE);
        arm(cases[i].call, (uint64_t)cases[i].number, HET__NULL_FAIL, HET_E_DEVICE_LOST);
        CHECK_INT(make_small(&s, y, &err), HET_E_DEVICE_LOST);
        check_failure(&s.failure, 0, cases[i].layer, cases[i].stage, HET_E_DEVICE_LOST);
        CHECK_STR(err.backend, "null");
        CHECK(!s.exec);
        end_small(&s);
    }
}

static uint64_t null_calls(void)
{
    uint64_t n = 0;
    for (int c = 0; c < HET__NULL_CALL_COUNT; c++)
        n += het__null_calls((het__null_call)c);
    return n;
}

static void steps_fail_where_they_do(void)
{
    static const struct { het__null_call call; int number; het__exec_stage stage; int layer;
                          het_status status; } cases[] = {
        { HET__NULL_BUFFER_WRITE, 1, HET__EXEC_INPUT, -1, HET_E_BUSY },
        { HET__NULL_ENQUEUE, 2, HET__EXEC_ENQUEUE, 4, HET_E_NOMEM },
        { HET__NULL_WAIT, 1, HET__EXEC_WAIT, -1, HET_E_BUSY },
        { HET__NULL_BUFFER_READ, 1, HET__EXEC_OUTPUT, -1, HET_E_IO },
        { HET__NULL_WAIT, 1, HET__EXEC_WAIT, -1, HET_E_TIMEOUT },
        { HET__NULL_ENQUEUE, 1, HET__EXEC_ENQUEUE, 3, HET_E_DEVICE_LOST },
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        small s;
        het_error err = HET_ERROR_INIT;
        het__exec_failure f;
        begin_null(&s);
        const uint32_t y = node(&s, "second", 4, 1, HET__NO_VALUE);
        het__null_reset();
        het__null_hide_buffers(true);
        CHECK_INT(make_small(&s, y, &err), HET_OK);
        CHECK_INT(run_small(&s, &err), HET_OK);
        const bool hangs = cases[i].status == HET_E_TIMEOUT;
        arm(cases[i].call, (uint64_t)cases[i].number, hangs ? HET__NULL_HANG : HET__NULL_FAIL,
            cases[i].status);
        const uint64_t begin = het__now_ns();
        CHECK_INT(run_small(&s, &err), cases[i].status);
        CHECK(het__now_ns() - begin < HET__NULL_HANG_NS / 2); /* the limit is 20 ms */
        het__exec_failure_get(s.exec, &f);
        check_failure(&f, 0, cases[i].layer, cases[i].stage, cases[i].status);
        CHECK_STR(err.backend, "null");
        CHECK_INT(err.layer, cases[i].layer);
        const uint64_t calls = null_calls();
        const bool lost = hangs || cases[i].status == HET_E_DEVICE_LOST;
        CHECK_INT(run_small(&s, &err), lost ? HET_E_DEVICE_LOST : HET_OK);
        CHECK_INT(null_calls() == calls, lost);
        het__exec_counters sums;
        het__exec_counters_get(s.exec, &sums); /* does not ask who is lost */
        end_small(&s);
    }
    het__null_reset();
}

/* A wait within a step names the layer that was waited for. */
static void waiting_fails_at_the_maker(void)
{
    static const het_status statuses[] = { HET_E_INTERNAL, HET_E_TIMEOUT };
    for (size_t i = 0; i < 2; i++) {
        small s;
        het_error err = HET_ERROR_INIT;
        het__exec_failure f;
        const uint32_t x = begin_small(&s);
        const uint32_t a = node(&s, i ? "2:a" : "1:a", 5, x, HET__NO_VALUE);
        const uint32_t y = node(&s, "0:y", 6, a, x);
        CHECK_INT(make_small(&s, y, &err), HET_OK);
        async_fault_wait = statuses[i];
        CHECK_INT(run_small(&s, &err), statuses[i]);
        het__exec_failure_get(s.exec, &f);
        check_failure(&f, (uint32_t)i + 1, 5, HET__EXEC_WAIT, statuses[i]);
        CHECK_STR(err.backend, i ? "far" : "sharing");
        CHECK_INT(err.layer, 5);
        CHECK_INT(run_small(&s, &err), i ? HET_E_DEVICE_LOST : HET_OK);
        end_small(&s);
    }
}

/* ---- traces ---- */

typedef struct text {
    char *data;
    size_t bytes;
} text;

static int collect(void *user, const char *data, size_t bytes)
{
    text *t = user;
    t->data = realloc(t->data, t->bytes + bytes);
    memcpy(t->data + t->bytes, data, bytes);
    t->bytes += bytes;
    return 0;
}

static int refuse(void *user, const char *data, size_t bytes)
{
    (void)user;
    (void)data;
    (void)bytes;
    return 1;
}

static json_t *write_trace(const het__trace *trace, const het__registry *registry)
{
    het__trace_device names[ASYNC_DEVICES];
    json_error_t error;
    text t = { NULL, 0 };
    for (uint32_t d = 0; d < ASYNC_DEVICES; d++)
        snprintf(names[d].name, sizeof names[d].name, "%s", registry->device[d].info.name);
    CHECK_INT(het__trace_write(trace, names, ASYNC_DEVICES, collect, &t), HET_OK);
    CHECK_INT(het__trace_write(trace, names, ASYNC_DEVICES, refuse, NULL), HET_E_IO);
    json_t *root = json_loadb(t.data, t.bytes, JSON_REJECT_DUPLICATES, &error);
    if (!root)
        TEST_FAIL("%s at %d of %.300s", error.text, error.position, t.data);
    free(t.data);
    return json_object_get(root, "traceEvents") ? root : NULL;
}

static const char *text_of(const json_t *event, const char *key)
{
    const char *t = json_string_value(json_object_get(event, key));
    return t ? t : "";
}

static int64_t number_of(const json_t *event, const char *key)
{
    return json_integer_value(json_object_get(json_object_get(event, "args"), key));
}

/* One step's events against the plan: programs in its order, copies in its order with its bytes. */
static void check_events(const json_t *root, const het__plan *plan, const het__graph *graph,
                         int64_t step)
{
    uint32_t programs = 0, transfers = 0, steps = 0;
    double last_program = 0;
    const json_t *event, *list = json_object_get(root, "traceEvents");
    for (size_t i = 0; i < json_array_size(list); i++) {
        event = json_array_get(list, i);
        if (strcmp(text_of(event, "ph"), "X") != 0 || number_of(event, "step") != step)
            continue;
        const int64_t lane = json_integer_value(json_object_get(event, "tid"));
        const double begin = json_real_value(json_object_get(event, "ts"));
        CHECK(json_real_value(json_object_get(event, "dur")) >= 0);
        if (strcmp(text_of(event, "cat"), "program") == 0 && programs < plan->entry_count) {
            const het__plan_entry *e = &plan->entries[programs++];
            CHECK_STR(text_of(event, "name"), e->name);
            CHECK_INT(lane, 1 + 2 * e->device);
            CHECK_INT(number_of(event, "nodes"), e->node_count);
            CHECK_STR(text_of(json_object_get(event, "args"), "clock"),
                      e->device == 1 ? "device" : "host");
            last_program = begin > last_program ? begin : last_program;
        } else if (strcmp(text_of(event, "cat"), "transfer") == 0 &&
                   transfers < plan->transfer_count) {
            const het__plan_transfer *t = &plan->transfers[transfers++];
            CHECK_STR(text_of(event, "name"), graph->values[t->value].name);
            CHECK_INT(lane, 2 + 2 * t->to);
            CHECK_INT(number_of(event, "from"), t->from);
            CHECK_INT(number_of(event, "to"), t->to);
            CHECK_INT(number_of(event, "bytes"), t->bytes);
        } else if (strcmp(text_of(event, "cat"), "step") == 0) {
            CHECK_INT(lane, 0);
            CHECK(begin <= last_program);
            steps++;
        }
    }
    CHECK_INT(programs, plan->entry_count);
    CHECK_INT(transfers, plan->transfer_count);
    CHECK_INT(steps, 1);
}

static void traces_tell_what_the_plan_says(void)
{
    het_error err = HET_ERROR_INIT;
    float scores[10];
    het_model *model = load_network("digits-conv");
    het__registry registry;
    het__trace *trace = NULL;
    async_registry(&registry, &context->registry.host);
    for (uint64_t pattern = 1; pattern <= 12; pattern++) {
        reset(pattern);
        het__graph_run *run = open_run(model, &registry, &trace);
        CHECK_INT(classify(run, scores, &err), HET_OK);
        trace = het__trace_create(registry.host.mem, 4096);
        const uint64_t allocations = context->mem.count;
        for (int i = 0; i < 3; i++)
            CHECK_INT(classify(run, scores, &err), HET_OK);
        CHECK_INT(context->mem.count, allocations);
        const het__plan *plan = het__graph_run_plan(run);
        json_t *root = write_trace(trace, &registry);
        for (int step = 1; root && step <= 3; step++)
            check_events(root, plan, het__graph_run_graph(run), step);
        json_decref(root);
        for (uint32_t e = 0; e < plan->entry_count; e++) {
            het__exec_times times;
            het__exec_times_get(het__graph_run_exec(run), 0, e, trace, &times);
            CHECK_INT(times.runs, 3);
            CHECK(times.least_ns <= times.last_ns && times.last_ns <= times.total_ns);
            CHECK_INT(times.is_device_clock, plan->entries[e].device == 1);
        }
        het__trace_destroy(trace);
        trace = NULL;
        CHECK_INT(classify(run, scores, &err), HET_OK);
        het__graph_run_destroy(run);
    }
    het_model_destroy(model);
}

/* Names are whatever a file says. */
static void traces_survive_names(void)
{
    static const char *const names[] = { "\"q\\\"", "\x01\n", "\xff\xfe", "caf\xc3\xa9", "\xc3",
                                         "\xe2\x82", "\xf0\x9f\x98\x80", "\xed\xa0\x80" };
    het__registry registry;
    char wide[200];
    async_registry(&registry, &context->registry.host);
    memset(wide, 'a', sizeof wide);
    for (int i = 46; i + 2 < 200; i += 2)
        memcpy(wide + i + 1, "\xc3\xa9", 2);
    wide[199] = '\0';
    for (uint32_t capacity = 4; capacity <= 16; capacity += 12) {
        het__trace *trace = het__trace_create(registry.host.mem, capacity);
        for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
            het__trace_add(trace, HET__TRACE_PROGRAM, names[i], names[i])->layer = (int32_t)i;
        het__trace_add(trace, HET__TRACE_PROGRAM, wide, wide);
        het__trace_add(trace, HET__TRACE_STEP, NULL, NULL);
        const uint32_t kept = capacity == 4 ? 4 : 10;
        CHECK_INT(het__trace_count(trace), kept);
        CHECK_INT(het__trace_lost(trace), 10 - kept);
        CHECK_STR(het__trace_at(trace, 0)->name, names[10 - kept]);
        CHECK_INT(strlen(het__trace_at(trace, kept - 2)->name), 47);
        json_t *root = write_trace(trace, &registry);
        CHECK(root != NULL);
        json_decref(root);
        het__trace_destroy(trace);
    }
}

int main(void)
{
    het_context_options o = HET_CONTEXT_OPTIONS_INIT;
    het_error err = HET_ERROR_INIT;
    uint64_t seed = 5;
    o.backends = "ref";
    for (int i = 0; i < PIXELS; i++)
        image[i] = test_random_float(&seed) / 2 + 0.5f;
    CHECK_INT(het_context_create(&o, &context, &err), HET_OK);
    test_case(devices_work_at_once);
    test_case(waits_are_for_a_part);
    test_case(values_take_turns);
    test_case(copies_wait_for_readers);
    test_case(shared_bytes_wait_for_readers);
    test_case(refused_memory_is_copied);
    test_case(transfers_fail_where_they_do);
    test_case(budgets_name_device_and_pool);
    test_case(making_fails_where_it_does);
    test_case(steps_fail_where_they_do);
    test_case(waiting_fails_at_the_maker);
    test_case(traces_survive_names);
    test_case(traces_tell_what_the_plan_says);
    test_case(networks);
    test_case(language_models);
    const uint64_t kept = context->mem.bytes;
    CHECK(kept > 0);
    het_context_destroy(context);
    return test_finish();
}
