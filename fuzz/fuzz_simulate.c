/* SPDX-License-Identifier: Apache-2.0 */
/* Input: a problem of the simulation, byte by byte as take_problem() reads it; what is missing at
 * the end is zero. Tasks end the input. Numbers are small and whole, or powers over the whole
 * range, or eight bytes as they stand.
 *
 * Properties: a problem is simulated or refused with a message, never both; no lane runs two tasks
 * at once; dependencies, releases and limits of queues and tokens hold; times, bytes and joules add
 * up; without faults nothing is faster than the bounds; a second run gives the same bytes; when an
 * allocation fails, the answer is out of memory; nothing leaks. */
#include "fuzz.h"

#include <math.h>
#include <string.h>

#include "lib/partition/simulate.h"

#define TASKS_MAX 192
#define EDGES_MAX 512
#define LANES_MAX 6
#define GROUPS_MAX 3
#define FAULTS_MAX 8

typedef struct input {
    const uint8_t *data;
    size_t size;
    het__sim_problem p;
    het__sim_task tasks[TASKS_MAX];
    uint32_t edges[EDGES_MAX];
    het__sim_lane lanes[LANES_MAX];
    het__sim_group groups[GROUPS_MAX];
    het__sim_slow slow[FAULTS_MAX];
    het__sim_loss losses[FAULTS_MAX];
    het__sim_error errors[FAULTS_MAX];
    uint32_t fallback[LANES_MAX];
    het__sim_repeat repeat;
    bool adapts;
} input;

static uint32_t take(input *in)
{
    if (in->size == 0)
        return 0;
    in->size--;
    return *in->data++;
}

static double take_number(input *in)
{
    const uint32_t form = take(in);
    if (form < 128)
        return form;
    if (form < 248)
        return ldexp(1 + take(in) / 256.0, (int)(form - 128) - 60);
    uint8_t bytes[8];
    double x;
    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = (uint8_t)take(in);
    memcpy(&x, bytes, sizeof x);
    return x;
}

/* In bytes/s; small numbers are bytes/ns. */
static double take_bandwidth(input *in)
{
    const double x = take_number(in);
    return x >= 1 && x < 128 ? x * 1e9 : x;
}

static void take_faults(input *in)
{
    het__sim_problem *p = &in->p;
    p->slow = in->slow;
    p->losses = in->losses;
    p->errors = in->errors;
    p->fallback = in->fallback;
    const uint32_t counts = take(in);
    p->slow_count = counts & 3;
    p->loss_count = counts >> 2 & 3;
    p->error_count = counts >> 4 & 3;
    for (uint32_t i = 0; i < p->slow_count; i++)
        in->slow[i] = (het__sim_slow){ take(in) % p->lane_count, take_number(in), take_number(in),
                                       take_number(in) };
    for (uint32_t i = 0; i < p->loss_count; i++)
        in->losses[i] = (het__sim_loss){ take(in) % p->lane_count, take_number(in) };
    for (uint32_t i = 0; i < p->error_count; i++)
        in->errors[i] = (het__sim_error){ take(in), take(in) };
    p->retry_max = take(in) % 34;
    p->backoff_ns = take_number(in);
    for (uint32_t i = 0; i < p->lane_count; i++) {
        const uint32_t to = take(in);
        in->fallback[i] = to % 4 == 3 ? HET__SIM_NONE : to % p->lane_count;
    }
}

static void take_tasks(input *in)
{
    het__sim_problem *p = &in->p;
    while (in->size > 0 && p->task_count < TASKS_MAX) {
        het__sim_task *t = &in->tasks[p->task_count];
        const uint32_t what = take(in);
        t->cost.lane = take(in) % p->lane_count;
        t->cost.launch_ns = what & 1 ? take_number(in) : 0;
        t->cost.compute_ns = take_number(in);
        t->cost.bytes = what & 2 ? take_number(in) : 0;
        t->cost.joules = what & 4 ? take_number(in) : 0;
        t->release_ns = what & 8 ? take_number(in) : 0;
        t->fixed_bytes = what & 16 ? take_number(in) : 0;
        t->priority = what & 32 ? (int32_t)take(in) - 128 : 0;
        t->batch = in->adapts ? p->task_count / 3 : HET__SIM_NONE;
        t->first_dependency = p->dependency_count;
        for (uint32_t k = what >> 6; k > 0 && p->task_count > 0 &&
                                     p->dependency_count < EDGES_MAX; k--) {
            in->edges[p->dependency_count++] = p->task_count - 1 - take(in) % p->task_count;
            t->dependency_count++;
        }
        p->task_count++;
    }
}

static void take_problem(input *in, const uint8_t *data, size_t size)
{
    memset(in, 0, sizeof *in);
    in->data = data;
    in->size = size;
    het__sim_problem *p = &in->p;
    p->tasks = in->tasks;
    p->dependencies = in->edges;
    p->lanes = in->lanes;
    p->groups = in->groups;
    p->policy = take(in) % (HET__SIM_POLICY_COUNT + 1);
    p->lane_count = 1 + take(in) % LANES_MAX;
    p->group_count = take(in) % (GROUPS_MAX + 1);
    p->queue_depth = take(in) % 8;
    const uint32_t flags = take(in);
    p->track = flags & 1;
    in->adapts = flags & 2;
    in->repeat = (het__sim_repeat){ .rounds = flags >> 2 & 3, .carry = (flags >> 4 & 3) % 3,
                                    .streams = flags >> 6, .buffers = take(in) % 4 };
    in->repeat.in_flight = take(in) % 4;
    for (uint32_t i = 0; i < p->group_count; i++)
        in->groups[i] = (het__sim_group){ take_bandwidth(in), take_bandwidth(in),
                                          take_bandwidth(in) };
    for (uint32_t i = 0; i < p->lane_count; i++) {
        const uint32_t group = take(in) % (p->group_count + 1);
        in->lanes[i] = (het__sim_lane){ group < p->group_count ? group : HET__SIM_NONE,
                                        take_bandwidth(in), take_number(in), take_number(in) };
    }
    take_faults(in);
    take_tasks(in);
    if (in->adapts)
        p->batch = het__sim_aimd_next;
}

/* ---- properties ---- */

static bool is_near(double a, double b, double scale)
{
    return fabs(a - b) <= 1e-6 * (1 + fabs(scale));
}

static void check_lanes(const het__sim_problem *p, const het__sim_result *r)
{
    double busy[LANES_MAX] = { 0 }, last[LANES_MAX] = { 0 }, end = 0;
    for (uint32_t i = 0; i < r->span_count; i++) {
        const het__sim_span *s = &r->spans[i];
        FUZZ_REQUIRE(s->lane < p->lane_count && s->task < p->task_count);
        FUZZ_REQUIRE(s->begin_ns >= last[s->lane] && s->end_ns >= s->begin_ns);
        FUZZ_REQUIRE(s->end_ns >= end);
        last[s->lane] = end = s->end_ns;
        busy[s->lane] += s->end_ns - s->begin_ns;
    }
    for (uint32_t i = 0; i < p->lane_count; i++) {
        const het__sim_lane_times *l = &r->lanes[i];
        FUZZ_REQUIRE(is_near(l->busy_ns, busy[i], r->makespan_ns));
        FUZZ_REQUIRE(is_near(l->busy_ns + l->throttled_ns + l->idle_ns + l->lost_ns,
                             r->makespan_ns, r->makespan_ns));
        FUZZ_REQUIRE(l->contended_ns >= 0 && l->contended_ns <= l->busy_ns * (1 + 1e-6));
        FUZZ_REQUIRE(p->loss_count || p->error_count || !p->queue_depth ||
                     l->queue_peak <= p->queue_depth);
    }
}

static void check_tasks(const het__sim_problem *p, const het__sim_result *r)
{
    uint32_t done = 0;
    for (uint32_t t = 0; t < p->task_count; t++) {
        const het__sim_times *x = &r->tasks[t];
        if (isnan(x->end_ns)) {
            FUZZ_REQUIRE(!r->completed);
            continue;
        }
        done++;
        const double slack = 1e-6 + x->begin_ns * 1e-9;
        FUZZ_REQUIRE(x->begin_ns >= p->tasks[t].release_ns - slack);
        FUZZ_REQUIRE(x->end_ns >= x->begin_ns && x->end_ns <= r->makespan_ns);
        for (uint32_t k = 0; k < p->tasks[t].dependency_count; k++)
            FUZZ_REQUIRE(r->tasks[p->dependencies[p->tasks[t].first_dependency + k]].end_ns <=
                         x->begin_ns);
        FUZZ_REQUIRE(x->after == HET__SIM_NONE || x->after < p->task_count);
    }
    FUZZ_REQUIRE(r->completed == (done == p->task_count));
    FUZZ_REQUIRE(r->completed == (r->failed_task == HET__SIM_NONE));
}

static void check_groups(const het__sim_problem *p, const het__sim_result *r)
{
    const bool is_plain = !p->slow_count && !p->loss_count && !p->error_count && !p->batch;
    double bytes[GROUPS_MAX] = { 0 };
    for (uint32_t t = 0; t < p->task_count; t++) {
        const uint32_t g = p->lanes[p->tasks[t].cost.lane].group;
        if (g != HET__SIM_NONE)
            bytes[g] += p->tasks[t].cost.bytes;
    }
    for (uint32_t g = 0; g < p->group_count; g++) {
        const double most = p->groups[g].bandwidth, tokens = p->groups[g].token_bandwidth;
        FUZZ_REQUIRE(most <= 0 || r->groups[g].peak_rate <= most * (1 + 1e-9));
        FUZZ_REQUIRE(tokens <= 0 || r->groups[g].peak_rate <= tokens * (1 + 1e-9));
        FUZZ_REQUIRE(!is_plain || !r->completed || r->groups[g].bytes <= bytes[g] * 1.01 + 1);
    }
}

static void check_bound(const het__sim_problem *p, const het__sim_result *r, het__mem *mem)
{
    double bound = 0;
    if (p->batch || !r->completed || p->loss_count || p->error_count ||
        het__sim_bound_ns(p, mem, &bound) != HET_OK)
        return;
    FUZZ_REQUIRE(r->makespan_ns >= bound * (1 - 1e-6) - 1e-6);
}

static het_status run(const het__sim_problem *p, het__mem *mem, het__sim_result *r)
{
    het_error err = HET_ERROR_INIT;
    het__sim_problem problem = *p;
    het__sim_aimd control = { 1, 1, 0.25, 4, 0.5, 0.9, 50 };
    problem.user = &control;
    const het_status s = het__simulate(&problem, mem, r, &err);
    FUZZ_REQUIRE(s == HET_OK || s == HET_E_NOMEM || s == HET_E_INVALID);
    FUZZ_REQUIRE(s == HET_OK || (err.status == (int32_t)s && err.message[0]));
    return s;
}

static bool same(const het__sim_result *a, const het__sim_result *b)
{
    return a->span_count == b->span_count && a->rate_count == b->rate_count &&
           memcmp(a->tasks, b->tasks, a->task_count * sizeof *a->tasks) == 0 &&
           memcmp(a->spans, b->spans, a->span_count * sizeof *a->spans) == 0 &&
           memcmp(a->lanes, b->lanes, a->lane_count * sizeof *a->lanes) == 0 &&
           memcmp(a->groups, b->groups, a->group_count * sizeof *a->groups) == 0;
}

static void check_problem(const het__sim_problem *p, uint64_t seed)
{
    fuzz_memory memory;
    het__mem mem;
    het__sim_result r, again;
    fuzz_mem_init(&mem, &memory, UINT64_MAX);
    const het_status s = run(p, &mem, &r);
    if (s == HET_OK) {
        check_lanes(p, &r);
        check_tasks(p, &r);
        check_groups(p, &r);
        check_bound(p, &r, &mem);
        FUZZ_REQUIRE(run(p, &mem, &again) == HET_OK);
        FUZZ_REQUIRE(same(&r, &again));
        het__sim_finish(&again);
        het__sim_finish(&r);
    }
    FUZZ_REQUIRE(memory.live == 0);
    fuzz_mem_init(&mem, &memory, seed % 20);
    const het_status failing = run(p, &mem, &r);
    FUZZ_REQUIRE(failing == s || failing == HET_E_NOMEM);
    if (failing == HET_OK)
        het__sim_finish(&r);
    FUZZ_REQUIRE(memory.live == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static input in;
    fuzz_memory memory;
    het__mem mem;
    het__sim_task *tasks = NULL;
    uint32_t *edges = NULL, task_count, edge_count;
    het_error err = HET_ERROR_INIT;
    take_problem(&in, data, size);
    check_problem(&in.p, fuzz_seed(data, size));
    fuzz_mem_init(&mem, &memory, UINT64_MAX);
    if (in.repeat.rounds && het__sim_repeat_make(&in.p, &in.repeat, &mem, &tasks, &task_count,
                                                 &edges, &edge_count, &err) == HET_OK) {
        het__sim_problem all = in.p;
        all.tasks = tasks;
        all.task_count = task_count;
        all.dependencies = edges;
        all.dependency_count = edge_count;
        check_problem(&all, fuzz_seed(data, size) >> 8);
        het__free(&mem, tasks);
        het__free(&mem, edges);
    }
    FUZZ_REQUIRE(memory.live == 0);
    return 0;
}
