/* SPDX-License-Identifier: Apache-2.0 */
/* Simulations of plans through the public functions: what they take is what the plan says, two
 * devices are twice one, a shared memory is not, and faults go the ways that they may. */
#include <hetinfer.h>

#include "counting_allocator.h"
#include "tiny_model.h"

/* Two processors; %s: the memory of the second. Computing at one operation per ns takes longer than
 * reading; the second machine reads at one byte per ns and computes in no time. */
static const char machine_text[] =
    "hetinfer-machine: 1\n"
    "name: two\n"
    "link: {bandwidth: {value: 1000 GB/s, source: assumed},"
    " latency: {value: 1 ns, source: assumed}}\n"
    "memories:\n"
    "  - {name: left, bandwidth: {value: %g GB/s, source: assumed}}\n"
    "  - {name: right, bandwidth: {value: %g GB/s, source: assumed}}\n"
    "devices:\n"
    "  - {name: a, kind: cpu, memory: left, f32: {value: %g Gop/s, source: assumed},"
    " bandwidth: {value: %g GB/s, source: assumed}, power: {value: 10 W, source: assumed}}\n"
    "  - {name: b, kind: cpu, memory: %s, f32: {value: %g Gop/s, source: assumed},"
    " bandwidth: {value: %g GB/s, source: assumed}, power: {value: 10 W, source: assumed}}\n";

static const char halves[] = "hetinfer-policy: 1\n"
                             "rules:\n"
                             "  - {layers: 0-1, must: 'cpu:0'}\n"
                             "  - {layers: 2-3, must: 'cpu:1'}\n"
                             "  - {class: embedding, must: 'cpu:0'}\n"
                             "  - {class: lm_head, must: 'cpu:1'}\n";

static counting_allocator counter;
static het_allocator allocator;
static het_context *context;
static het_model *model;
static tiny_model tiny;

static het_machine *make_machine(double ops, double bandwidth, bool shared)
{
    char text[2048];
    het_error err = HET_ERROR_INIT;
    het_machine *m = NULL;
    snprintf(text, sizeof text, machine_text, bandwidth, bandwidth, ops, bandwidth,
             shared ? "left" : "right", ops, bandwidth);
    if (het_machine_load_memory(context, text, strlen(text), &m, &err) != HET_OK)
        TEST_FAIL("machine: %s", err.message);
    return m;
}

static het_policy *make_policy(const char *text)
{
    het_error err = HET_ERROR_INIT;
    het_policy *p = NULL;
    if (het_policy_load_memory(context, text, strlen(text), "policy", &p, &err) != HET_OK)
        TEST_FAIL("policy: %s", err.message);
    return p;
}

/* Halves of the blocks on two devices; alone: all on the context's. */
static het_plan *make_plan(uint32_t phase, int64_t tokens, const het_machine *machine)
{
    het_plan_options o = HET_PLAN_OPTIONS_INIT;
    het_error err = HET_ERROR_INIT;
    het_plan *p = NULL;
    het_policy *policy = machine ? make_policy(halves) : NULL;
    o.phase = phase;
    o.token_count = tokens;
    o.machine = machine;
    o.policy = policy;
    o.flags = machine ? HET_PLAN_ALONE : 0;
    if (het_plan_make(model, &o, &p, &err) != HET_OK)
        TEST_FAIL("plan: %s", err.message);
    het_policy_destroy(policy);
    return p;
}

static het_simulation *simulate(const het_plan *plan, const het_simulation_options *o,
                                het_simulation_info *info)
{
    het_error err = HET_ERROR_INIT;
    het_simulation *s = NULL;
    if (het_simulation_make(plan, o, &s, &err) != HET_OK)
        TEST_FAIL("simulation: %s", err.message);
    info->struct_size = sizeof *info;
    CHECK_INT(het_simulation_get_info(s, info), HET_OK);
    return s;
}

static double makespan(const het_plan *plan, const het_simulation_options *o)
{
    het_simulation_info info = { 0 };
    het_simulation_destroy(simulate(plan, o, &info));
    CHECK_INT(info.is_complete, 1);
    CHECK(info.makespan_ns >= info.bound_ns * (1 - 1e-9));
    return info.makespan_ns;
}

static het_simulation_lane lane_at(const het_simulation *s, uint32_t index)
{
    het_simulation_lane l = { .struct_size = sizeof l };
    CHECK_INT(het_simulation_lane_at(s, index, &l), HET_OK);
    return l;
}

static het_simulation_event event_at(const het_simulation *s, uint32_t index)
{
    het_simulation_event e = { .struct_size = sizeof e };
    CHECK_INT(het_simulation_event_at(s, index, &e), HET_OK);
    return e;
}

/* ---- one device ---- */

static void a_step_takes_what_the_plan_says(void)
{
    het_plan *plan = make_plan(HET_PHASE_DECODE, 1, NULL);
    het_simulation_options o = HET_SIMULATION_OPTIONS_INIT;
    het_plan_info p = { .struct_size = sizeof p };
    het_simulation_info info = { 0 };
    CHECK_INT(het_plan_get_info(plan, &p), HET_OK);
    o.step_count = 5;
    het_simulation *s = simulate(plan, &o, &info);
    CHECK_NEAR(info.round_ns, p.predicted_ns, 1e-9 * p.predicted_ns);
    CHECK_NEAR(info.makespan_ns, 5 * p.predicted_ns, 1e-9 * 5 * p.predicted_ns);
    CHECK_NEAR(info.bound_ns, info.makespan_ns, 1e-9 * info.makespan_ns);
    CHECK_INT(info.event_count, 5 * p.layer_count);
    CHECK_INT(info.round_count, 5);
    CHECK_NEAR(info.token_count, 5, 0);
    CHECK_INT(info.figures_source, HET_SOURCE_ASSUMED);
    for (uint32_t i = 0; i < info.event_count; i++) {
        const het_simulation_event e = event_at(s, i);
        het_plan_layer l = { .struct_size = sizeof l };
        CHECK_INT(het_plan_layer_at(plan, i % p.layer_count, &l), HET_OK);
        CHECK_STR(e.name, l.name);
        CHECK_STR(e.operations, l.operations);
        CHECK_INT(e.layer, l.layer);
        CHECK_INT(e.round, i / p.layer_count);
        CHECK_NEAR(e.end_ns - e.begin_ns, l.predicted_ns, 1e-6 * p.predicted_ns);
        CHECK_INT(e.after, i ? i - 1 : UINT32_MAX);
        CHECK(e.wait == (i ? HET_WAIT_DATA : HET_WAIT_NOTHING));
    }
    const het_simulation_lane l = lane_at(s, 0);
    CHECK_NEAR(l.busy_ns, info.makespan_ns, 1e-6 * info.makespan_ns);
    CHECK_INT(l.task_count, info.event_count);
    het_simulation_destroy(s);

    o.flags = HET_SIMULATION_BY_NODE;
    s = simulate(plan, &o, &info);
    CHECK_INT(info.event_count, 5 * p.node_count);
    CHECK_NEAR(info.makespan_ns, 5 * p.predicted_ns, 1e-9 * 5 * p.predicted_ns);
    for (uint32_t i = 0; i < p.node_count; i++)
        CHECK(event_at(s, i).name[0] && !strchr(event_at(s, i).operations, ','));
    het_simulation_destroy(s);
    het_plan_destroy(plan);
}

static void it_outlives_the_plan(void)
{
    het_plan *plan = make_plan(HET_PHASE_PREFILL, 32, NULL);
    het_simulation_info info = { 0 };
    het_simulation *s = simulate(plan, NULL, &info);
    het_plan_destroy(plan);
    CHECK(info.event_count > 2 && info.token_count == 32);
    for (uint32_t i = 0; i < info.event_count; i++)
        CHECK(event_at(s, i).name[0] && event_at(s, i).operations[0]);
    CHECK(lane_at(s, 0).name[0] && lane_at(s, 0).backend[0]);
    het_simulation_destroy(s);
}

/* ---- two devices ---- */

/* Two streams keep both halves busy: as fast as the slower half allows, which is what doubles
 * throughput where halves are equal. */
static void two_devices_are_a_pipeline(void)
{
    het_machine *machine = make_machine(1, 1e6, false);
    het_plan *plan = make_plan(HET_PHASE_DECODE, 1, machine);
    het_simulation_options o = HET_SIMULATION_OPTIONS_INIT;
    het_simulation_info info = { 0 };
    o.step_count = 100;
    het_simulation *s = simulate(plan, &o, &info);
    const double a = lane_at(s, 0).busy_ns / 100, b = lane_at(s, 1).busy_ns / 100;
    const double slower = a > b ? a : b;
    CHECK(a > 0 && b > 0);
    CHECK_INT(info.lane_count, 3); /* one link carries one value per step */
    CHECK_STR(lane_at(s, 2).name, "a to b");
    CHECK_INT(lane_at(s, 2).task_count, 100);
    CHECK_NEAR(info.makespan_ns, 100 * info.round_ns, 1e-6 * info.makespan_ns);
    het_simulation_destroy(s);
    o.sequence_count = 2;
    const double both = makespan(plan, &o);
    CHECK_NEAR(both / 200, slower, 0.01 * slower);
    CHECK_NEAR(100 * info.round_ns * 2 / both, (a + b) / slower, 0.02);
    o.round_count_max = 1;
    CHECK_NEAR(makespan(plan, &o), 200 * info.round_ns, 1e-6 * both);
    o.round_count_max = 0;
    for (o.schedule = HET_SCHEDULE_IN_ORDER; o.schedule <= HET_SCHEDULE_BANDWIDTH; o.schedule++)
        CHECK_NEAR(makespan(plan, &o), both, 0.01 * both);
    /* Both streams are always equally far from the end: they share a half layer by layer and
     * arrive at the other one together. */
    o.schedule = HET_SCHEDULE_CRITICAL_PATH;
    CHECK(makespan(plan, &o) > 1.2 * both);
    CHECK(makespan(plan, &o) < 200 * info.round_ns);
    het_plan_destroy(plan);
    het_machine_destroy(machine);
}

/* Reading is all that takes time, and both halves read from one memory: no gain at all. */
static void one_memory_is_no_pipeline(void)
{
    het_simulation_options o = HET_SIMULATION_OPTIONS_INIT;
    o.step_count = 50;
    for (int shared = 0; shared < 2; shared++) {
        het_machine *machine = make_machine(1e6, 1, shared);
        het_plan *plan = make_plan(HET_PHASE_DECODE, 1, machine);
        het_simulation_info info = { 0 };
        o.sequence_count = 1;
        const double one = makespan(plan, &o);
        o.sequence_count = 2;
        het_simulation *s = simulate(plan, &o, &info);
        het_simulation_memory m = { .struct_size = sizeof m };
        CHECK_INT(het_simulation_memory_at(s, 0, &m), HET_OK);
        CHECK_STR(m.name, "left");
        CHECK(m.peak_bytes_per_s <= m.bytes_per_s * (1 + 1e-9));
        if (shared) {
            CHECK_NEAR(info.makespan_ns, 2 * one, 0.02 * one);
            CHECK(m.saturated_ns > 0.5 * info.makespan_ns);
            CHECK(lane_at(s, 0).contended_ns > 0.2 * info.makespan_ns);
        } else {
            CHECK(info.makespan_ns < 1.4 * one);
            CHECK_NEAR(m.saturated_ns, 0, 0.01 * info.makespan_ns);
        }
        CHECK(info.rate_count > 0);
        het_simulation_destroy(s);
        het_plan_destroy(plan);
        het_machine_destroy(machine);
    }
}

/* Parts of a prompt go through both halves like steps of several streams. */
static void micro_batches_overlap(void)
{
    het_machine *machine = make_machine(1, 1e6, false);
    het_plan *plan = make_plan(HET_PHASE_PREFILL, 64, machine);
    het_simulation_options o = HET_SIMULATION_OPTIONS_INIT;
    het_simulation_info info = { 0 };
    const double whole = makespan(plan, &o);
    o.micro_batch_count = 8;
    het_simulation *s = simulate(plan, &o, &info);
    CHECK_INT(info.round_count, 8);
    CHECK_NEAR(info.token_count, 64, 0);
    CHECK(info.makespan_ns < 0.75 * whole && info.makespan_ns > 0.45 * whole);
    het_simulation_destroy(s);
    /* Nothing is saturated: sizes grow from 4 by 1 up to the plan's 8, and 2 are left. */
    o.flags = HET_SIMULATION_ADAPTIVE;
    o.micro_batch_min = 2;
    s = simulate(plan, &o, &info);
    CHECK_INT(info.round_count, 10);
    for (uint32_t i = 0; i < info.event_count; i++)
        CHECK(event_at(s, i).end_ns > event_at(s, i).begin_ns);
    CHECK(info.is_complete && info.makespan_ns < 0.85 * whole);
    het_simulation_destroy(s);
    het_plan_destroy(plan);
    het_machine_destroy(machine);
}

static void transfers_are_what_the_plan_carries(void)
{
    het_machine *machine = make_machine(1, 100, true);
    het_plan *plan = make_plan(HET_PHASE_PREFILL, 16, machine);
    het_plan_info p = { .struct_size = sizeof p };
    het_simulation_info info = { 0 };
    het_simulation *s = simulate(plan, NULL, &info);
    double bytes = 0;
    uint32_t count = 0;
    CHECK_INT(het_plan_get_info(plan, &p), HET_OK);
    for (uint32_t i = 0; i < info.event_count; i++) {
        const het_simulation_event e = event_at(s, i);
        CHECK_INT(e.is_transfer, e.lane >= info.device_count);
        bytes += e.is_transfer ? e.bytes : 0;
        count += e.is_transfer;
    }
    CHECK_INT(count, p.transfer_count);
    CHECK(count > 0);
    /* Read and written in one memory, as far as it can in the time of the link. */
    CHECK(bytes > 0 && bytes <= 2 * (double)p.transfer_bytes);
    het_simulation_destroy(s);
    het_plan_destroy(plan);
    het_machine_destroy(machine);
}

/* ---- faults ---- */

static void faults_go_their_ways(void)
{
    het_machine *machine = make_machine(1, 1e6, false);
    het_plan *plan = make_plan(HET_PHASE_DECODE, 1, machine);
    het_simulation_options o = HET_SIMULATION_OPTIONS_INIT;
    het_simulation_info info = { 0 };
    const double whole = makespan(plan, &o);
    het_fault faults[2] = { { .kind = HET_FAULT_LOSS, .device = 1, .begin_ns = whole * 0.75 } };
    o.faults = faults;
    o.fault_count = 1;
    het_simulation *s = simulate(plan, &o, &info);
    CHECK_INT(info.is_complete, 1);
    CHECK(info.makespan_ns > whole);
    CHECK(lane_at(s, 1).lost_ns > 0);
    uint32_t lost = 0;
    for (uint32_t i = 0; i < info.event_count; i++) {
        const het_simulation_event e = event_at(s, i);
        lost += e.outcome == HET_OUTCOME_LOST;
        if (e.begin_ns > whole * 0.75)
            CHECK(e.lane != 1);
        if (e.wait == HET_WAIT_FAULT && e.after != UINT32_MAX)
            CHECK_INT(event_at(s, e.after).task, e.task);
    }
    CHECK_INT(lost, 1);
    het_simulation_destroy(s);

    faults[1] = (het_fault){ .kind = HET_FAULT_LOSS, .device = 0 };
    o.fault_count = 2;
    s = simulate(plan, &o, &info);
    CHECK_INT(info.is_complete, 0);
    het_simulation_destroy(s);

    faults[0] = (het_fault){ .kind = HET_FAULT_SLOW, .device = 0, .end_ns = 1e15, .factor = 2 };
    faults[1] = (het_fault){ .kind = HET_FAULT_SLOW, .device = 1, .end_ns = 1e15, .factor = 2 };
    CHECK_NEAR(makespan(plan, &o), 2 * whole, 0.001 * whole); /* but for the link */

    faults[0] = (het_fault){ .kind = HET_FAULT_ERROR, .device = 0, .index = 1, .count = 2 };
    o.fault_count = 1;
    o.retry_count_max = 2;
    o.backoff_ns = 1000;
    s = simulate(plan, &o, &info);
    uint32_t failed = 0;
    for (uint32_t i = 0; i < info.event_count; i++) {
        const het_simulation_event e = event_at(s, i);
        if (e.task == 1)
            CHECK_INT(e.wait, failed ? HET_WAIT_FAULT : HET_WAIT_NOTHING);
        failed += e.outcome == HET_OUTCOME_FAILED;
    }
    CHECK_INT(failed, 2);
    CHECK(info.is_complete && info.makespan_ns > whole + 3000);
    het_simulation_destroy(s);
    het_plan_destroy(plan);
    het_machine_destroy(machine);
}

/* ---- policies ---- */

static void policies_are_obeyed(void)
{
    het_machine *machine = make_machine(1e6, 1, true);
    het_plan *plan = make_plan(HET_PHASE_DECODE, 1, machine);
    het_simulation_options o = HET_SIMULATION_OPTIONS_INIT;
    het_simulation_info info = { 0 };
    o.step_count = 20;
    o.sequence_count = 2;
    het_policy *policy = make_policy("hetinfer-policy: 1\n"
                                     "scheduling: bw_aware\n"
                                     "bandwidth_tokens: {capacity: 0.5 GB/s, throttle: true}\n"
                                     "max_queue_depth: 2\n"
                                     "pipelining: {stages: 2, double_buffering: true}\n"
                                     "fallback: {on_error: {retry: 1, next: 'cpu:1'}}\n");
    const double free = makespan(plan, &o);
    o.policy = policy;
    het_simulation *s = simulate(plan, &o, &info);
    het_simulation_memory m = { .struct_size = sizeof m };
    CHECK_INT(het_simulation_memory_at(s, 0, &m), HET_OK);
    CHECK(m.peak_bytes_per_s <= 0.5e9 * (1 + 1e-9));
    CHECK(info.makespan_ns > 1.8 * free);
    CHECK(lane_at(s, 0).throttled_ns > 0);
    CHECK(lane_at(s, 0).queue_peak <= 2 && lane_at(s, 1).queue_peak <= 2);
    CHECK(info.held_ns > 0);
    het_simulation_destroy(s);
    /* What options say goes first. */
    o.token_bytes_per_s = 100e9;
    o.queue_count_max = 1000;
    o.round_count_max = 1000;
    CHECK(makespan(plan, &o) < 1.1 * free);
    het_policy_destroy(policy);
    het_plan_destroy(plan);
    het_machine_destroy(machine);
}

/* ---- the rest ---- */

static void equal_runs_are_equal(void)
{
    het_machine *machine = make_machine(1, 1, true);
    het_plan *plan = make_plan(HET_PHASE_DECODE, 1, machine);
    het_simulation_options o = HET_SIMULATION_OPTIONS_INIT;
    het_simulation_info a = { 0 }, b = { 0 };
    o.step_count = 10;
    o.sequence_count = 3;
    o.schedule = HET_SCHEDULE_FIFO;
    het_simulation *x = simulate(plan, &o, &a), *y = simulate(plan, &o, &b);
    CHECK(memcmp(&a, &b, sizeof a) == 0);
    for (uint32_t i = 0; i < a.event_count; i++) {
        const het_simulation_event p = event_at(x, i), q = event_at(y, i);
        CHECK(p.begin_ns == q.begin_ns && p.end_ns == q.end_ns && p.task == q.task);
        CHECK_STR(p.name, q.name);
    }
    for (uint32_t i = 0; i < a.rate_count; i++) {
        het_simulation_rate p = { .struct_size = sizeof p }, q = { .struct_size = sizeof q };
        CHECK_INT(het_simulation_rate_at(x, i, &p), HET_OK);
        CHECK_INT(het_simulation_rate_at(y, i, &q), HET_OK);
        CHECK(memcmp(&p, &q, sizeof p) == 0);
    }
    het_simulation_destroy(x);
    het_simulation_destroy(y);
    het_plan_destroy(plan);
    het_machine_destroy(machine);
}

static void check_refused(const het_plan *plan, const het_simulation_options *o, het_status want)
{
    het_simulation *s = (het_simulation *)(uintptr_t)1;
    het_error err = HET_ERROR_INIT;
    CHECK_INT(het_simulation_make(plan, o, &s, &err), want);
    CHECK(s == NULL && err.message[0]);
}

static void nonsense_is_refused(void)
{
    het_plan *plan = make_plan(HET_PHASE_DECODE, 1, NULL);
    het_simulation_options o = HET_SIMULATION_OPTIONS_INIT;
    het_simulation_info info = { 0 };
    het_fault fault = { .kind = HET_FAULT_LOSS, .device = 99 };
    o.schedule = 5;
    check_refused(plan, &o, HET_E_INVALID);
    o = (het_simulation_options)HET_SIMULATION_OPTIONS_INIT;
    o.flags = 4;
    check_refused(plan, &o, HET_E_VERSION);
    o = (het_simulation_options)HET_SIMULATION_OPTIONS_INIT;
    o.step_count = 1000000;
    check_refused(plan, &o, HET_E_INVALID);
    o = (het_simulation_options)HET_SIMULATION_OPTIONS_INIT;
    o.fault_count = 1;
    check_refused(plan, &o, HET_E_INVALID);
    o.faults = &fault;
    check_refused(plan, &o, HET_E_INVALID);
    fault = (het_fault){ .kind = 7 };
    check_refused(plan, &o, HET_E_INVALID);
    fault = (het_fault){ .kind = HET_FAULT_SLOW, .end_ns = 5, .factor = 0.5 };
    check_refused(plan, &o, HET_E_INVALID);
    fault = (het_fault){ .kind = HET_FAULT_ERROR, .index = 1 << 30 };
    check_refused(plan, &o, HET_E_INVALID);
    o = (het_simulation_options)HET_SIMULATION_OPTIONS_INIT;
    o.fallback = 77;
    check_refused(plan, &o, HET_E_INVALID);
    o = (het_simulation_options)HET_SIMULATION_OPTIONS_INIT;
    o.token_bytes_per_s = -1;
    check_refused(plan, &o, HET_E_INVALID);
    het_simulation *s = simulate(plan, NULL, &info);
    het_simulation_event e = { .struct_size = sizeof e };
    CHECK_INT(het_simulation_event_at(s, info.event_count, &e), HET_E_INVALID);
    CHECK_INT(het_simulation_lane_at(s, info.lane_count, NULL), HET_E_INVALID);
    CHECK_INT(het_simulation_memory_at(s, info.memory_count, NULL), HET_E_INVALID);
    CHECK_INT(het_simulation_rate_at(s, info.rate_count, NULL), HET_E_INVALID);
    het_simulation_destroy(s);
    het_simulation_destroy(NULL);
    het_plan_destroy(plan);
}

static void memory_may_run_out(void)
{
    het_machine *machine = make_machine(1, 1, true);
    het_plan *plan = make_plan(HET_PHASE_PREFILL, 16, machine);
    het_simulation_options o = HET_SIMULATION_OPTIONS_INIT;
    het_fault faults[2] = { { .kind = HET_FAULT_LOSS, .device = 1, .begin_ns = 1e5 },
                            { .kind = HET_FAULT_SLOW, .device = 0, .end_ns = 1e5, .factor = 3 } };
    o.flags = HET_SIMULATION_BY_NODE | HET_SIMULATION_ADAPTIVE;
    o.faults = faults;
    o.fault_count = 2;
    const double want = makespan(plan, &o);
    const int64_t blocks = counter.blocks;
    for (uint64_t n = 1;; n++) {
        het_simulation *s = NULL;
        het_error err = HET_ERROR_INIT;
        counting_allocator_fail(&counter, n);
        const het_status status = het_simulation_make(plan, &o, &s, &err);
        het_simulation_destroy(s);
        CHECK_INT(counter.blocks, blocks);
        if (status == HET_OK) {
            CHECK(n > 20);
            break;
        }
        CHECK_INT(status, HET_E_NOMEM);
    }
    counting_allocator_fail(&counter, 0);
    CHECK(makespan(plan, &o) == want);
    het_plan_destroy(plan);
    het_machine_destroy(machine);
}

static void open_all(void)
{
    tiny_options t = TINY_LLAMA;
    het_context_options o = HET_CONTEXT_OPTIONS_INIT;
    het_error err = HET_ERROR_INIT;
    t.layers = 4;
    tiny_make(&tiny, &t);
    allocator = counting_allocator_of(&counter);
    o.allocator = &allocator;
    o.flags = HET_CONTEXT_NO_ENV;
    o.backends = "ref";
    if (het_context_create(&o, &context, &err) != HET_OK ||
        het_model_load_memory(context, tiny.file, tiny.bytes, NULL, &model, &err) != HET_OK) {
        fprintf(stderr, "%s\n", err.message);
        exit(1);
    }
}

int main(void)
{
    open_all();
    test_case(a_step_takes_what_the_plan_says);
    test_case(it_outlives_the_plan);
    test_case(two_devices_are_a_pipeline);
    test_case(one_memory_is_no_pipeline);
    test_case(micro_batches_overlap);
    test_case(transfers_are_what_the_plan_carries);
    test_case(faults_go_their_ways);
    test_case(policies_are_obeyed);
    test_case(equal_runs_are_equal);
    test_case(nonsense_is_refused);
    test_case(memory_may_run_out);
    het_model_destroy(model);
    het_context_destroy(context);
    tiny_free(&tiny);
    CHECK_INT(counter.blocks, 0);
    return test_finish();
}
