/* SPDX-License-Identifier: Apache-2.0 */
/* The simulation against times worked out by hand, and what its parts promise. */
#include "lib/partition/simulate.h"

#include "test.h"

#define GB 1e9

static het__mem mem;

/* ---- problems in few words ---- */

typedef struct scene {
    het__sim_problem p;
    het__sim_task tasks[64];
    uint32_t edges[256];
    het__sim_lane lanes[4];
    het__sim_group groups[2];
} scene;

/* Lanes that share one memory of so many bytes/ns; 0: without limit. */
static void scene_init(scene *s, uint32_t lanes, double bandwidth)
{
    memset(s, 0, sizeof *s);
    s->p = (het__sim_problem){ .tasks = s->tasks, .dependencies = s->edges, .lanes = s->lanes,
                               .groups = s->groups, .lane_count = lanes, .group_count = 1,
                               .policy = HET__SIM_FIFO };
    s->groups[0].bandwidth = bandwidth * GB;
}

static uint32_t add(scene *s, uint32_t lane, double launch, double compute, double bytes)
{
    het__sim_task *t = &s->tasks[s->p.task_count];
    *t = (het__sim_task){ .cost = { lane, launch, compute, bytes, 0 },
                          .first_dependency = s->p.dependency_count, .batch = HET__SIM_NONE };
    return s->p.task_count++;
}

/* The task that was added last needs this one. */
static void needs(scene *s, uint32_t task)
{
    s->edges[s->p.dependency_count++] = task;
    s->tasks[s->p.task_count - 1].dependency_count++;
}

static het__sim_result run(const scene *s)
{
    het__sim_result r;
    het_error err = HET_ERROR_INIT;
    const het_status status = het__simulate(&s->p, &mem, &r, &err);
    if (status != HET_OK) {
        TEST_FAIL("%d: %s", (int)status, err.message);
        memset(&r, 0, sizeof r);
    }
    return r;
}

static void check_times(const het__sim_result *r, uint32_t task, double begin, double end)
{
    CHECK(r->tasks[task].begin_ns == begin);
    CHECK(r->tasks[task].end_ns == end);
}

/* ---- time ---- */

static void chain_is_exact(void)
{
    scene s;
    scene_init(&s, 1, 10);
    for (uint32_t i = 0; i < 50; i++) {
        add(&s, 0, 0.1, 0.7 + i, 3);
        if (i)
            needs(&s, i - 1);
    }
    het__sim_result r = run(&s);
    double at = 0;
    for (uint32_t i = 0; i < 50; i++) {
        CHECK(r.tasks[i].begin_ns == at);
        at = at + 0.1 + (0.7 + i);
        CHECK(r.tasks[i].end_ns == at);
    }
    CHECK(r.makespan_ns == at);
    CHECK(r.completed);
    CHECK_NEAR(r.groups[0].bytes, 150, 1e-9);
    CHECK_NEAR(r.lanes[0].busy_ns, at, 1e-9);
    het__sim_finish(&r);
}

/* Two tasks of 100 bytes at 10 bytes/ns alone; together 5 each: 20 ns instead of 10. A third that
 * asks for 2 gets them; the others share 8. */
static void memory_is_shared(void)
{
    scene s;
    scene_init(&s, 3, 10);
    add(&s, 0, 0, 0, 100);
    add(&s, 1, 0, 0, 100);
    het__sim_result r = run(&s);
    CHECK_NEAR(r.tasks[0].end_ns, 20, 1e-9);
    CHECK_NEAR(r.tasks[1].end_ns, 20, 1e-9);
    CHECK_NEAR(r.groups[0].saturated_ns, 20, 1e-9);
    CHECK_NEAR(r.lanes[0].contended_ns, 10, 1e-9);
    het__sim_finish(&r);

    add(&s, 2, 0, 50, 100);
    r = run(&s);
    CHECK_NEAR(r.tasks[0].end_ns, 25, 1e-9);
    CHECK_NEAR(r.tasks[1].end_ns, 25, 1e-9);
    check_times(&r, 2, 0, 50);
    CHECK_NEAR(r.groups[0].bytes, 300, 1e-9);
    CHECK_NEAR(r.groups[0].peak_rate, 10 * GB, 1);
    het__sim_finish(&r);
}

/* One begins 10 ns later: alone, together, alone. Launches load nothing. */
static void rates_change_at_events(void)
{
    scene s;
    scene_init(&s, 2, 10);
    add(&s, 0, 0, 0, 200);
    add(&s, 1, 10, 0, 100);
    s.p.track = true;
    het__sim_result r = run(&s);
    CHECK_NEAR(r.tasks[0].end_ns, 30, 1e-9); /* 100 alone, 100 at half speed */
    CHECK_NEAR(r.tasks[1].end_ns, 30, 1e-9);
    CHECK_INT(r.rate_count, 2);
    CHECK_NEAR(r.rates[0].rate, 10 * GB, 1);
    CHECK_NEAR(r.rates[1].at_ns, 30, 1e-9);
    CHECK_NEAR(r.rates[1].rate, 0, 0);
    het__sim_finish(&r);
}

static void no_limit_no_time(void)
{
    scene s;
    scene_init(&s, 1, 0);
    add(&s, 0, 0, 0, 1e6);
    add(&s, 0, 0, 0, 0);
    add(&s, 0, 5, 0, 0);
    het__sim_result r = run(&s);
    CHECK_NEAR(r.makespan_ns, 5, 0);
    CHECK_NEAR(r.groups[0].bytes, 1e6, 0);
    het__sim_finish(&r);
    s.p.task_count = 0;
    r = run(&s);
    CHECK(r.completed);
    CHECK_NEAR(r.makespan_ns, 0, 0);
    het__sim_finish(&r);
}

static void energy_adds_up(void)
{
    scene s;
    scene_init(&s, 2, 0);
    s.lanes[0].busy_watts = 10;
    s.lanes[0].idle_watts = s.lanes[1].idle_watts = 2;
    add(&s, 0, 0, 1e9, 0);
    s.tasks[0].cost.joules = 3;
    add(&s, 1, 0, 4e9, 0);
    het__sim_result r = run(&s);
    CHECK_NEAR(r.joules, 10 * 1 + 2 * 3 + 3, 1e-9);
    het__sim_finish(&r);
}

/* ---- queues ---- */

/* A lane that is busy until 10; then a long chain's head and three short tasks wait. In order and
 * by time the short ones are first, by the way that is left the chain is. */
static void policies_differ(void)
{
    scene s;
    double makespan[HET__SIM_POLICY_COUNT];
    for (uint32_t policy = 0; policy < HET__SIM_POLICY_COUNT; policy++) {
        scene_init(&s, 2, 0);
        s.p.policy = policy;
        add(&s, 0, 0, 10, 0);
        for (int i = 0; i < 3; i++)
            add(&s, 0, 0, 10, 0);
        add(&s, 0, 0, 10, 0);
        add(&s, 1, 0, 40, 0);
        needs(&s, 4);
        het__sim_result r = run(&s);
        makespan[policy] = r.makespan_ns;
        CHECK_INT(r.tasks[5].wait, HET__SIM_WAIT_DATA);
        CHECK_INT(r.tasks[5].after, 4);
        het__sim_finish(&r);
    }
    CHECK_NEAR(makespan[HET__SIM_IN_ORDER], 90, 0);
    CHECK_NEAR(makespan[HET__SIM_FIFO], 90, 0);
    CHECK_NEAR(makespan[HET__SIM_CRITICAL_PATH], 50, 0);
}

/* Lane 0 reads 1000 bytes, 10 per ns, which is all there is. Lane 1 has a task that reads 500 and
 * one that computes for 100. Reading first, both get 5 until 100, and lane 1 computes until 200.
 * Computing first, each reads alone: 100 and 150. */
static void bandwidth_policy_fills_gaps(void)
{
    static const double want[HET__SIM_POLICY_COUNT] = { 200, 200, 150, 150 };
    for (uint32_t policy = 0; policy < HET__SIM_POLICY_COUNT; policy++) {
        scene s;
        scene_init(&s, 2, 10);
        s.p.policy = policy;
        add(&s, 0, 0, 0, 1000);
        add(&s, 1, 0, 0, 500);
        add(&s, 1, 0, 100, 0);
        het__sim_result r = run(&s);
        CHECK_NEAR(r.makespan_ns, want[policy], 1e-9);
        CHECK_NEAR(r.tasks[0].end_ns, want[policy] == 200 ? 150 : 100, 1e-9);
        CHECK_NEAR(r.tasks[2].begin_ns, want[policy] == 200 ? 100 : 0, 1e-9);
        het__sim_finish(&r);
    }
}

static void order_waits_for_its_turn(void)
{
    scene s;
    scene_init(&s, 2, 0);
    add(&s, 1, 0, 30, 0);
    add(&s, 0, 0, 10, 0);
    needs(&s, 0);
    add(&s, 0, 0, 10, 0);
    het__sim_result r = run(&s);
    check_times(&r, 2, 0, 10); /* the first that is ready */
    het__sim_finish(&r);
    s.p.policy = HET__SIM_IN_ORDER;
    r = run(&s);
    check_times(&r, 2, 40, 50);
    CHECK_INT(r.tasks[2].wait, HET__SIM_WAIT_LANE);
    CHECK_INT(r.tasks[2].after, 1);
    het__sim_finish(&r);
}

static void priority_goes_first(void)
{
    scene s;
    scene_init(&s, 1, 0);
    add(&s, 0, 0, 10, 0);
    add(&s, 0, 0, 10, 0);
    add(&s, 0, 0, 10, 0);
    s.tasks[2].priority = 1;
    het__sim_result r = run(&s);
    check_times(&r, 2, 0, 10);
    check_times(&r, 1, 20, 30);
    het__sim_finish(&r);
}

/* With room for two the third task of lane 0 is handed over at 10, and with it that of lane 1,
 * which has been idle until then. */
static void full_queues_hold_back(void)
{
    scene s;
    scene_init(&s, 2, 0);
    for (int i = 0; i < 3; i++)
        add(&s, 0, 0, 10, 0);
    add(&s, 1, 0, 10, 0);
    s.p.queue_depth = 2;
    het__sim_result r = run(&s);
    check_times(&r, 3, 10, 20);
    CHECK_INT(r.tasks[3].wait, HET__SIM_WAIT_QUEUE);
    CHECK_INT(r.tasks[3].after, 0);
    CHECK_NEAR(r.held_ns, 10, 0);
    CHECK_INT(r.lanes[0].queue_peak, 2);
    CHECK_NEAR(r.lanes[1].idle_ns, 20, 0);
    het__sim_finish(&r);
}

/* ---- tokens ---- */

/* 8 bytes/ns to hand out: a task that asks for 6 waits for another of 6; one that asks for 2 goes
 * beside it, but not past one that came before it, unless gaps are to be filled. */
static void tokens_are_respected(void)
{
    for (uint32_t policy = HET__SIM_FIFO; policy <= HET__SIM_BANDWIDTH; policy++) {
        scene s;
        scene_init(&s, 3, 20);
        s.groups[0].token_bandwidth = 8 * GB;
        s.p.policy = policy;
        add(&s, 0, 0, 10, 60);
        add(&s, 1, 0, 10, 60);
        add(&s, 2, 0, 5, 10);
        het__sim_result r = run(&s);
        check_times(&r, 0, 0, 10);
        check_times(&r, 1, 10, 20);
        CHECK_INT(r.tasks[1].wait, HET__SIM_WAIT_TOKENS);
        CHECK_INT(r.tasks[1].after, 0);
        CHECK_NEAR(r.lanes[1].throttled_ns, 10, 1e-9);
        CHECK_NEAR(r.tasks[2].begin_ns, policy == HET__SIM_BANDWIDTH ? 0 : 10, 0);
        CHECK(r.groups[0].peak_rate <= 8 * GB * (1 + 1e-9));
        het__sim_finish(&r);
    }
}

/* More than all tokens: at their rate, alone. */
static void tokens_bound_a_task(void)
{
    scene s;
    scene_init(&s, 1, 20);
    s.groups[0].token_bandwidth = 5 * GB;
    add(&s, 0, 0, 10, 100);
    het__sim_result r = run(&s);
    CHECK_NEAR(r.tasks[0].end_ns, 20, 1e-9);
    CHECK_NEAR(r.groups[0].peak_rate, 5 * GB, 1);
    het__sim_finish(&r);
}

/* ---- faults ---- */

static void slow_for_a_while(void)
{
    scene s;
    scene_init(&s, 1, 0);
    static const het__sim_slow slow[2] = { { 0, 10, 30, 2 }, { 0, 20, 40, 2 } };
    add(&s, 0, 0, 40, 0);
    s.p.slow = slow;
    s.p.slow_count = 1;
    het__sim_result r = run(&s);
    check_times(&r, 0, 0, 50); /* 10 + 20 at half speed + 20 */
    het__sim_finish(&r);
    s.p.slow_count = 2;
    r = run(&s);
    check_times(&r, 0, 0, 57.5); /* 10, 5, 2.5, 5 by 40, then 17.5 */
    het__sim_finish(&r);
}

static const uint32_t to_lane_1[2] = { 1, HET__SIM_NONE };

static void lost_lanes_are_replaced(void)
{
    static const het__sim_loss loss = { 0, 15 };
    for (uint32_t policy = 0; policy < HET__SIM_POLICY_COUNT; policy++) {
        scene s;
        scene_init(&s, 2, 0);
        s.p.policy = policy;
        for (int i = 0; i < 3; i++)
            add(&s, 0, 0, 10, 0);
        add(&s, 0, 0, 10, 0);
        needs(&s, 2);
        s.p.losses = &loss;
        s.p.loss_count = 1;
        s.p.fallback = to_lane_1;
        het__sim_result r = run(&s);
        CHECK(r.completed);
        CHECK_NEAR(r.makespan_ns, 45, 0);
        const uint32_t lost = policy == HET__SIM_CRITICAL_PATH ? 0 : 1;
        check_times(&r, 1, lost ? 15 : 25, lost ? 25 : 35);
        CHECK_INT(r.tasks[1].lane, 1);
        CHECK_INT(r.tasks[lost].attempts, 2);
        CHECK_INT(r.spans[1].task, lost);
        CHECK_INT(r.span_count, 5);
        CHECK_INT(r.spans[1].end, HET__SIM_LOST_ATTEMPT);
        CHECK_NEAR(r.lanes[0].lost_ns, 30, 0);
        het__sim_finish(&r);

        s.p.fallback = NULL;
        r = run(&s);
        CHECK(!r.completed);
        CHECK_NEAR(r.makespan_ns, 15, 0);
        CHECK_INT(r.failed_task, lost);
        CHECK(isnan(r.tasks[3].end_ns));
        het__sim_finish(&r);
    }
}

static bool move_slower(void *user, uint32_t task, uint32_t lost, het__sim_cost *cost)
{
    uint32_t *asked = user;
    asked[0] += task;
    CHECK_INT(lost, 0);
    cost->lane = 1;
    cost->compute_ns *= 3;
    return true;
}

static void fallback_has_its_own_cost(void)
{
    static const het__sim_loss loss = { 0, 0 };
    uint32_t asked = 0;
    scene s;
    scene_init(&s, 2, 0);
    add(&s, 1, 0, 10, 0);
    add(&s, 0, 0, 10, 0);
    needs(&s, 0);
    s.p.losses = &loss;
    s.p.loss_count = 1;
    s.p.move = move_slower;
    s.p.user = &asked;
    het__sim_result r = run(&s);
    check_times(&r, 1, 10, 40);
    CHECK_INT(asked, 1);
    het__sim_finish(&r);
}

/* Two failures, 5 and 10 ns of waiting; then the fallback, which has no errors. */
static void errors_are_tried_again(void)
{
    for (uint32_t policy = 0; policy < HET__SIM_POLICY_COUNT; policy++) {
        het__sim_error error = { 0, 2 };
        scene s;
        scene_init(&s, 2, 0);
        s.p.policy = policy;
        add(&s, 0, 0, 10, 0);
        s.p.errors = &error;
        s.p.error_count = 1;
        s.p.retry_max = 2;
        s.p.backoff_ns = 5;
        s.p.fallback = to_lane_1;
        het__sim_result r = run(&s);
        check_times(&r, 0, 35, 45);
        CHECK_INT(r.tasks[0].attempts, 3);
        CHECK_INT(r.tasks[0].wait, HET__SIM_WAIT_FAULT);
        CHECK_INT(r.spans[0].end, HET__SIM_FAILED_ATTEMPT);
        het__sim_finish(&r);
        error.count = 9;
        r = run(&s);
        check_times(&r, 0, 45, 55);
        CHECK_INT(r.tasks[0].lane, 1);
        het__sim_finish(&r);
        s.p.fallback = NULL;
        r = run(&s);
        CHECK(!r.completed);
        CHECK_NEAR(r.makespan_ns, 45, 0);
        CHECK_INT(r.failed_task, 0);
        het__sim_finish(&r);
    }
}

/* ---- rounds ---- */

static het__sim_result run_rounds(const scene *round, const het__sim_repeat *repeat, scene *all)
{
    het__sim_task *tasks = NULL;
    uint32_t *edges = NULL;
    het_error err = HET_ERROR_INIT;
    *all = *round;
    CHECK_INT(het__sim_repeat_make(&round->p, repeat, &mem, &tasks, &all->p.task_count, &edges,
                                   &all->p.dependency_count, &err), HET_OK);
    all->p.tasks = tasks;
    all->p.dependencies = edges;
    het__sim_result r = run(all);
    het__free(&mem, tasks);
    het__free(&mem, edges);
    return r;
}

/* Two stages of 10 on two equal devices: n rounds take 10 (n + 1) instead of 20 n. */
static void pipeline_doubles_throughput(void)
{
    scene s, all;
    for (uint32_t policy = 0; policy < HET__SIM_POLICY_COUNT; policy++) {
        scene_init(&s, 2, 0);
        s.p.policy = policy;
        add(&s, 0, 0, 10, 0);
        add(&s, 1, 0, 10, 0);
        needs(&s, 0);
        het__sim_repeat repeat = { .rounds = 1000, .buffers = 2 };
        het__sim_result r = run_rounds(&s, &repeat, &all);
        CHECK_NEAR(r.makespan_ns, 10010, 0);
        CHECK_NEAR(20 * 1000 / r.makespan_ns, 2, 0.003);
        het__sim_finish(&r);
        repeat.in_flight = 1;
        r = run_rounds(&s, &repeat, &all);
        CHECK_NEAR(r.makespan_ns, 20000, 0);
        het__sim_finish(&r);
        /* One sequence's steps follow each other; two of them fill both devices. */
        repeat = (het__sim_repeat){ .rounds = 1000, .carry = HET__SIM_CARRY_ALL };
        r = run_rounds(&s, &repeat, &all);
        CHECK_NEAR(r.makespan_ns, 20000, 0);
        het__sim_finish(&r);
        repeat.streams = 2;
        r = run_rounds(&s, &repeat, &all);
        CHECK_NEAR(r.makespan_ns, 10010, 0);
        het__sim_finish(&r);
    }
}

/* One buffer makes two stages take turns, two let them overlap. */
static void double_buffering_overlaps(void)
{
    scene s, all;
    scene_init(&s, 2, 0);
    add(&s, 0, 0, 10, 0);
    add(&s, 1, 0, 10, 0);
    needs(&s, 0);
    het__sim_repeat repeat = { .rounds = 10, .buffers = 1 };
    het__sim_result r = run_rounds(&s, &repeat, &all);
    CHECK_NEAR(r.makespan_ns, 200, 0);
    het__sim_finish(&r);
    repeat.buffers = 2;
    r = run_rounds(&s, &repeat, &all);
    CHECK_NEAR(r.makespan_ns, 110, 0);
    het__sim_finish(&r);
}

static void chunks_keep_their_order(void)
{
    scene s, all;
    scene_init(&s, 2, 0);
    add(&s, 0, 0, 10, 0);
    add(&s, 1, 0, 30, 0);
    needs(&s, 0);
    const het__sim_repeat repeat = { .rounds = 4, .carry = HET__SIM_CARRY_SAME, .buffers = 2 };
    het__sim_result r = run_rounds(&s, &repeat, &all);
    CHECK_NEAR(r.makespan_ns, 130, 0);
    for (uint32_t i = 2; i < 8; i++)
        CHECK(r.tasks[i].begin_ns >= r.tasks[i - 2].end_ns);
    /* Two buffers: the third round's first stage waits for the first round's second. */
    CHECK_NEAR(r.tasks[4].begin_ns, 40, 0);
    het__sim_finish(&r);
}

static void too_many_rounds_are_refused(void)
{
    scene s;
    het__sim_task *tasks = NULL;
    uint32_t *edges = NULL, n, m;
    het_error err = HET_ERROR_INIT;
    scene_init(&s, 1, 0);
    for (int i = 0; i < 50; i++)
        add(&s, 0, 0, 1, 0);
    const het__sim_repeat repeat = { .rounds = UINT32_MAX };
    CHECK_INT(het__sim_repeat_make(&s.p, &repeat, &mem, &tasks, &n, &edges, &m, &err),
              HET_E_INVALID);
    const het__sim_repeat wide = { .rounds = 300000, .in_flight = 1 };
    CHECK_INT(het__sim_repeat_make(&s.p, &wide, &mem, &tasks, &n, &edges, &m, &err),
              HET_E_INVALID);
    CHECK(!tasks && !edges);
}

/* ---- micro-batches ---- */

/* From 5000 on another device reads until the memory is saturated: sizes that have grown step by
 * step are halved down to the least, and grow again when it has done. */
static void sizes_follow_utilisation(void)
{
    scene s;
    scene_init(&s, 2, 10);
    het__sim_aimd control = { .size = 1, .step = 1, .size_min = 1, .size_max = 8, .low = 0.5,
                              .high = 0.9, .left = 1e9 };
    s.p.batch = het__sim_aimd_next;
    s.p.user = &control;
    double scale[40];
    for (uint32_t i = 0; i < 40; i++) {
        add(&s, 0, 0, 100, 200); /* 2 bytes/ns */
        s.tasks[i].batch = i;
        if (i)
            needs(&s, i - 1);
    }
    add(&s, 1, 0, 3000, 27000); /* 9 bytes/ns */
    s.tasks[40].release_ns = 5000;
    het__sim_result r = run(&s);
    for (uint32_t i = 0; i < 40; i++)
        scale[i] = (r.tasks[i].end_ns - r.tasks[i].begin_ns) / 100;
    for (uint32_t i = 0; i < 8; i++)
        CHECK_NEAR(scale[i], i + 1, 1e-6);
    double least = 8;
    for (uint32_t i = 8; i < 40; i++) {
        if (r.tasks[i].begin_ns < 5000)
            CHECK_NEAR(scale[i], 8, 1e-6);
        least = scale[i] < least ? scale[i] : least;
    }
    CHECK_NEAR(least, 1, 1e-6);
    CHECK_NEAR(scale[39], 8, 1e-6);
    CHECK_NEAR(r.tasks[40].end_ns, 5000 + 27000 / 8.0, 1e-6); /* 8 of the 10 are left to it */
    het__sim_finish(&r);
}

static void work_is_handed_out_once(void)
{
    scene s;
    scene_init(&s, 1, 0);
    het__sim_aimd control = { .size = 4, .step = 0, .size_min = 4, .size_max = 4, .low = 0,
                              .high = 1, .left = 10 };
    s.p.batch = het__sim_aimd_next;
    s.p.user = &control;
    for (uint32_t i = 0; i < 5; i++) {
        add(&s, 0, 1, 10, 100);
        s.tasks[i].fixed_bytes = 60;
        s.tasks[i].batch = i;
    }
    s.p.policy = HET__SIM_IN_ORDER;
    het__sim_result r = run(&s);
    CHECK_NEAR(r.makespan_ns, 100 + 3, 1e-9);   /* 4 + 4 + 2, launches; two have nothing to do */
    CHECK_NEAR(control.left, 0, 0);
    het__sim_finish(&r);
}

/* ---- refusals ---- */

static void check_refused(const scene *s, const char *words)
{
    het__sim_result r;
    het_error err = HET_ERROR_INIT;
    CHECK_INT(het__simulate(&s->p, &mem, &r, &err), HET_E_INVALID);
    if (!strstr(err.message, words))
        TEST_FAIL("\"%s\" does not say \"%s\"", err.message, words);
    het__sim_finish(&r);
}

static void nonsense_is_refused(void)
{
    scene s, bad;
    scene_init(&s, 1, 1);
    add(&s, 0, 1, 1, 1);
    add(&s, 0, 1, 1, 1);
    needs(&s, 0);
    bad = s, bad.p.tasks = bad.tasks, bad.tasks[1].cost.lane = 1;
    check_refused(&bad, "task 1");
    bad = s, bad.p.tasks = bad.tasks, bad.tasks[0].cost.bytes = NAN;
    check_refused(&bad, "task 0");
    bad = s, bad.p.tasks = bad.tasks, bad.tasks[0].cost.launch_ns = -1;
    check_refused(&bad, "task 0");
    bad = s, bad.p.tasks = bad.tasks, bad.tasks[0].cost.compute_ns = INFINITY;
    check_refused(&bad, "task 0");
    bad = s, bad.p.dependencies = bad.edges, bad.edges[0] = 1;
    check_refused(&bad, "task 1 depends on task 1");
    bad = s, bad.p.tasks = bad.tasks, bad.tasks[1].dependency_count = 2;
    check_refused(&bad, "dependencies");
    bad = s, bad.p.lanes = bad.lanes, bad.lanes[0].group = 1;
    check_refused(&bad, "lane 0");
    bad = s, bad.p.groups = bad.groups, bad.groups[0].bandwidth = 0.5;
    check_refused(&bad, "group 0");
    bad = s, bad.p.policy = HET__SIM_POLICY_COUNT;
    check_refused(&bad, "policy");
    static const het__sim_slow fast = { 0, 0, 1, 0.5 };
    bad = s, bad.p.slow = &fast, bad.p.slow_count = 1;
    check_refused(&bad, "slow");
    bad = s, bad.p.retry_max = 33;
    check_refused(&bad, "retries");
}

static void deep_queues_cost_little(void)
{
    enum { COUNT = 50000 };
    het__sim_task *tasks = calloc(COUNT, sizeof *tasks);
    const het__sim_lane lanes[2] = { { 0, 0, 0, 0 }, { 0, 0, 0, 0 } };
    const het__sim_group group = { .bandwidth = 10 * GB };
    for (uint32_t i = 0; tasks && i < COUNT; i++)
        tasks[i] = (het__sim_task){ .cost = { i % 2, 1, 1 + i % 7, i % 100, 0 },
                                    .batch = HET__SIM_NONE };
    het__sim_problem p = { .task_count = COUNT, .tasks = tasks, .lane_count = 2, .lanes = lanes,
                           .group_count = 1, .groups = &group };
    for (p.policy = 0; tasks && p.policy < HET__SIM_POLICY_COUNT; p.policy++) {
        het__sim_result r;
        double bound = 0;
        het_error err = HET_ERROR_INIT;
        CHECK_INT(het__simulate(&p, &mem, &r, &err), HET_OK);
        CHECK_INT(het__sim_bound_ns(&p, &mem, &bound), HET_OK);
        CHECK(r.completed);
        CHECK(r.makespan_ns >= bound * (1 - 1e-9));
        het__sim_finish(&r);
    }
    free(tasks);
}

int main(void)
{
    het__mem_init(&mem, NULL);
    test_case(chain_is_exact);
    test_case(memory_is_shared);
    test_case(rates_change_at_events);
    test_case(no_limit_no_time);
    test_case(energy_adds_up);
    test_case(policies_differ);
    test_case(bandwidth_policy_fills_gaps);
    test_case(order_waits_for_its_turn);
    test_case(priority_goes_first);
    test_case(full_queues_hold_back);
    test_case(tokens_are_respected);
    test_case(tokens_bound_a_task);
    test_case(slow_for_a_while);
    test_case(lost_lanes_are_replaced);
    test_case(fallback_has_its_own_cost);
    test_case(errors_are_tried_again);
    test_case(pipeline_doubles_throughput);
    test_case(double_buffering_overlaps);
    test_case(chunks_keep_their_order);
    test_case(too_many_rounds_are_refused);
    test_case(sizes_follow_utilisation);
    test_case(work_is_handed_out_once);
    test_case(nonsense_is_refused);
    test_case(deep_queues_cost_little);
    CHECK_INT(mem.bytes, 0);
    return test_finish();
}
