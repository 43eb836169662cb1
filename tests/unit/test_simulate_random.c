/* SPDX-License-Identifier: Apache-2.0 */
/* Random problems: what is true of every result; the same as two independent ways to work it out,
 * one in steps of whole ns without contention, one in small steps with it; determinism; memory. */
#include "counting_allocator.h"
#include "sim_case.h"

#define CASES 4000

static het__mem mem;

static het_status simulate(const het__sim_problem *p, het__sim_result *r)
{
    het_error err = HET_ERROR_INIT;
    const het_status s = het__simulate(p, &mem, r, &err);
    if (s != HET_OK)
        TEST_FAIL("%d: %s", (int)s, err.message);
    return s;
}

/* ---- whole ns ---- */

/* Without contention every event is at a whole number. A task that waits is looked for in all of
 * them at each step. */
typedef struct stepper {
    const het__sim_problem *p;
    double now;
    struct {
        uint32_t lane, errors, tries, attempts;
        double ready, begin, end, not_before;
        bool handed, is_ready, running, done;
    } task[CASE_TASKS];
    uint32_t running[CASE_LANES], depth[CASE_LANES], handed, done;
    bool lost[CASE_LANES], failed;
    double path[CASE_TASKS]; /* to the end */
} stepper;

static double alone_of(const het__sim_problem *p, uint32_t t)
{
    return p->tasks[t].cost.launch_ns + p->tasks[t].cost.compute_ns;
}

static double demand_of(const stepper *s, uint32_t t)
{
    const het__sim_cost *c = &s->p->tasks[t].cost;
    return s->p->lanes[s->task[t].lane].group == HET__SIM_NONE ? 0 : c->bytes / c->compute_ns;
}

static double asked_of(const stepper *s, uint32_t group)
{
    double sum = 0;
    for (uint32_t i = 0; i < s->p->lane_count; i++)
        if (s->p->lanes[i].group == group && s->running[i] != HET__SIM_NONE)
            sum += demand_of(s, s->running[i]);
    return sum;
}

static bool has_room(const stepper *s, uint32_t t)
{
    const uint32_t g = s->p->lanes[s->task[t].lane].group;
    if (g == HET__SIM_NONE || s->p->groups[g].token_bandwidth <= 0 || demand_of(s, t) <= 0)
        return true;
    const double asked = asked_of(s, g);
    return asked <= 0 || asked + demand_of(s, t) <= s->p->groups[g].token_bandwidth * 1e-9 + 1e-6;
}

/* Whether a comes before b in a queue. */
static bool goes_first(const stepper *s, uint32_t a, uint32_t b)
{
    const het__sim_problem *p = s->p;
    if (p->policy == HET__SIM_IN_ORDER)
        return a < b;
    if (p->tasks[a].priority != p->tasks[b].priority)
        return p->tasks[a].priority > p->tasks[b].priority;
    if (p->policy == HET__SIM_CRITICAL_PATH) {
        const double x = s->path[a], y = s->path[b];
        return x != y ? x > y : a < b;
    }
    return s->task[a].ready != s->task[b].ready ? s->task[a].ready < s->task[b].ready : a < b;
}

static void move(stepper *s, uint32_t t)
{
    uint32_t hops = 0;
    do {
        const uint32_t from = s->task[t].lane, to = s->p->fallback[from];
        if (to == HET__SIM_NONE || to == from || hops++ > CASE_LANES) {
            s->failed = true;
            return;
        }
        s->task[t].lane = to;
        s->task[t].tries = s->task[t].errors = 0;
        if (s->task[t].handed) {
            s->depth[from]--;
            s->depth[to]++;
        }
    } while (s->lost[s->task[t].lane]);
}

static void end_tasks(stepper *s)
{
    for (uint32_t i = 0; i < s->p->lane_count && !s->failed; i++) {
        const uint32_t t = s->running[i];
        if (t == HET__SIM_NONE || s->task[t].begin + alone_of(s->p, t) > s->now)
            continue;
        s->running[i] = HET__SIM_NONE;
        s->task[t].running = false;
        if (s->task[t].errors == 0) {
            s->task[t].done = true;
            s->task[t].end = s->now;
            s->depth[i]--;
            s->done++;
            continue;
        }
        s->task[t].errors--;
        s->task[t].is_ready = false;
        s->task[t].not_before = s->now;
        if (s->task[t].tries == s->p->retry_max)
            move(s, t);
        else
            s->task[t].not_before += s->p->backoff_ns * pow(2, s->task[t].tries++);
    }
}

static void lose_lanes(stepper *s)
{
    for (uint32_t i = 0; i < s->p->loss_count && !s->failed; i++) {
        const uint32_t lane = s->p->losses[i].lane;
        if (s->lost[lane] || s->p->losses[i].at_ns > s->now)
            continue;
        s->lost[lane] = true;
        if (s->running[lane] != HET__SIM_NONE) {
            s->task[s->running[lane]].running = s->task[s->running[lane]].is_ready = false;
            s->running[lane] = HET__SIM_NONE;
        }
    }
}

/* Whoever is off a lost lane is there when it is asked for. In order, all that was handed over is
 * asked for at once; else what is ready. */
static void make_ready(stepper *s)
{
    for (uint32_t t = 0; t < s->p->task_count && !s->failed; t++) {
        bool wait = !s->task[t].handed || s->task[t].running || s->task[t].done;
        if (!wait && s->p->policy == HET__SIM_IN_ORDER && s->lost[s->task[t].lane]) {
            move(s, t);
            s->task[t].is_ready = false;
        }
        for (uint32_t k = 0; !wait && k < s->p->tasks[t].dependency_count; k++)
            wait = !s->task[s->p->dependencies[s->p->tasks[t].first_dependency + k]].done;
        if (wait || s->task[t].not_before > s->now || s->failed)
            continue;
        if (s->lost[s->task[t].lane]) {
            move(s, t);
            s->task[t].is_ready = false;
        }
        if (!s->task[t].is_ready && !s->failed) {
            s->task[t].is_ready = true;
            s->task[t].ready = s->now;
        }
    }
}

static void hand_over(stepper *s)
{
    while (s->handed < s->p->task_count && !s->failed) {
        const uint32_t t = s->handed;
        if (s->lost[s->task[t].lane])
            move(s, t);
        if (s->failed || (s->p->queue_depth && s->depth[s->task[t].lane] >= s->p->queue_depth))
            return;
        s->depth[s->task[t].lane]++;
        s->task[t].handed = true;
        s->handed++;
    }
}

static uint32_t pick(const stepper *s, uint32_t lane)
{
    uint32_t best = HET__SIM_NONE, least = HET__SIM_NONE, fit = HET__SIM_NONE;
    const uint32_t g = s->p->lanes[lane].group;
    if (s->lost[lane] || s->running[lane] != HET__SIM_NONE)
        return best;
    for (uint32_t t = 0; t < s->p->task_count; t++) {
        if (s->task[t].lane != lane || !s->task[t].handed || s->task[t].running || s->task[t].done)
            continue;
        if (s->p->policy == HET__SIM_IN_ORDER)
            return s->task[t].is_ready ? t : HET__SIM_NONE;
        if (!s->task[t].is_ready)
            continue;
        if (best == HET__SIM_NONE || goes_first(s, t, best))
            best = t;
        if (has_room(s, t) && (fit == HET__SIM_NONE || goes_first(s, t, fit)))
            fit = t;
        if (least == HET__SIM_NONE || demand_of(s, t) < demand_of(s, least) ||
            (demand_of(s, t) == demand_of(s, least) && goes_first(s, t, least)))
            least = t;
    }
    const bool fills = s->p->policy == HET__SIM_BANDWIDTH && g != HET__SIM_NONE &&
                       s->p->groups[g].bandwidth > 0;
    return !fills ? best : fit != HET__SIM_NONE ? fit : least;
}

/* Lanes in the order of their tasks; whoever waits for tokens holds back those behind. */
static void begin_tasks(stepper *s)
{
    bool held[CASE_GROUPS] = { false }, seen[CASE_LANES] = { false };
    uint32_t first[CASE_LANES];
    for (uint32_t i = 0; i < s->p->lane_count; i++)
        first[i] = pick(s, i);
    for (;;) {
        uint32_t lane = HET__SIM_NONE;
        for (uint32_t i = 0; i < s->p->lane_count; i++)
            if (!seen[i] && first[i] != HET__SIM_NONE &&
                (lane == HET__SIM_NONE || goes_first(s, first[i], first[lane])))
                lane = i;
        if (lane == HET__SIM_NONE)
            return;
        seen[lane] = true;
        const uint32_t t = pick(s, lane), g = s->p->lanes[lane].group;
        if ((g != HET__SIM_NONE && held[g] && demand_of(s, t) > 0) || !has_room(s, t)) {
            held[g] = s->p->policy != HET__SIM_BANDWIDTH;
            continue;
        }
        s->running[lane] = t;
        s->task[t].running = true;
        s->task[t].is_ready = false;
        s->task[t].begin = s->now;
        s->task[t].attempts++;
    }
}

static void step_through(stepper *s, const het__sim_problem *p)
{
    memset(s, 0, sizeof *s);
    s->p = p;
    for (uint32_t i = 0; i < CASE_LANES; i++)
        s->running[i] = HET__SIM_NONE;
    for (uint32_t t = 0; t < p->task_count; t++) {
        s->task[t].lane = p->tasks[t].cost.lane;
        s->task[t].not_before = p->tasks[t].release_ns;
    }
    for (uint32_t t = p->task_count; t-- > 0;) {
        s->path[t] += alone_of(p, t);
        for (uint32_t k = 0; k < p->tasks[t].dependency_count; k++) {
            double *before = &s->path[p->dependencies[p->tasks[t].first_dependency + k]];
            *before = fmax(*before, s->path[t]);
        }
    }
    for (uint32_t i = 0; i < p->error_count; i++)
        s->task[p->errors[i].task].errors += p->errors[i].count;
    for (;; s->now++) {
        end_tasks(s);
        if (s->done == p->task_count || s->failed || s->now > 1e5)
            return;
        lose_lanes(s);
        make_ready(s);
        hand_over(s);
        make_ready(s);
        if (s->failed)
            return;
        begin_tasks(s);
    }
}

static void check_steps(const het__sim_problem *p, const het__sim_result *r)
{
    static stepper s;
    step_through(&s, p);
    CHECK(s.failed == !r->completed);
    CHECK_NEAR(r->makespan_ns, s.now, 1e-6);
    for (uint32_t t = 0; t < p->task_count && r->completed; t++) {
        CHECK_NEAR(r->tasks[t].begin_ns, s.task[t].begin, 1e-6);
        CHECK_NEAR(r->tasks[t].end_ns, s.task[t].end, 1e-6);
        CHECK_INT(r->tasks[t].lane, s.task[t].lane);
        CHECK_INT(r->tasks[t].attempts, s.task[t].attempts);
    }
}

static void add_faults(sim_case *c, uint64_t *seed)
{
    het__sim_problem *p = &c->p;
    p->fallback = c->fallback;
    p->losses = c->losses;
    p->errors = c->errors;
    for (p->loss_count = case_below(seed, 3); p->loss_count && p->lane_count < 2;)
        p->loss_count = 0;
    for (uint32_t i = 0; i < p->loss_count; i++)
        c->losses[i] = (het__sim_loss){ case_below(seed, p->lane_count), case_below(seed, 60) };
    p->error_count = case_below(seed, 2);
    c->errors[0] = (het__sim_error){ case_below(seed, p->task_count), case_below(seed, 5) };
    p->retry_max = case_below(seed, 4);
    p->backoff_ns = case_below(seed, 4);
}

/* Tokens no more than the bandwidth, and every task within them: nobody is slowed. */
static void add_tokens(sim_case *c, uint64_t *seed)
{
    for (uint32_t g = 0; g < c->p.group_count; g++) {
        const uint32_t tokens = case_below(seed, 2) ? 8 + case_below(seed, 8) : 0;
        c->groups[g].token_bandwidth = tokens * 1e9;
        c->groups[g].bandwidth = tokens * 1e9;
    }
}

static void whole_steps_agree(void)
{
    uint64_t seed = 7;
    uint32_t completed = 0, throttled = 0;
    for (uint32_t i = 0; i < CASES; i++) {
        sim_case c;
        het__sim_result r;
        case_make(&c, &seed);
        add_tokens(&c, &seed);
        if (i % 2)
            add_faults(&c, &seed);
        if (simulate(&c.p, &r) != HET_OK)
            return;
        const int before = test_failures;
        case_check(&c.p, &r);
        check_steps(&c.p, &r);
        completed += r.completed;
        for (uint32_t k = 0; k < c.p.lane_count; k++)
            throttled += r.lanes[k].throttled_ns > 0;
        het__sim_finish(&r);
        if (test_failures > before) {
            TEST_FAIL("case %u, policy %u", i, c.p.policy);
            return;
        }
    }
    CHECK(completed > CASES / 2 && completed < CASES);
    CHECK(throttled > CASES / 100);
}

/* ---- small steps ---- */

/* In order, with contention and slowness. */
typedef struct walker {
    const het__sim_problem *p;
    double now, work[CASE_TASKS], launch[CASE_TASKS], left[CASE_TASKS];
    bool done[CASE_TASKS];
    uint32_t at[CASE_LANES]; /* running task */
    double slow[CASE_LANES], speed[CASE_LANES];
} walker;

/* Each lane has its first task that is not done, if that may run. */
static void walk_begin(walker *w)
{
    const het__sim_problem *p = w->p;
    for (uint32_t i = 0; i < p->lane_count; i++) {
        uint32_t t = 0;
        while (t < p->task_count && (w->done[t] || p->tasks[t].cost.lane != i))
            t++;
        bool go = t < p->task_count && p->tasks[t].release_ns <= w->now;
        for (uint32_t k = 0; go && k < p->tasks[t].dependency_count; k++)
            go = w->done[p->dependencies[p->tasks[t].first_dependency + k]];
        w->at[i] = go ? t : HET__SIM_NONE;
        w->slow[i] = 1;
        for (uint32_t k = 0; k < p->slow_count; k++)
            if (p->slow[k].lane == i && p->slow[k].begin_ns <= w->now &&
                w->now < p->slow[k].end_ns)
                w->slow[i] *= p->slow[k].factor;
        w->speed[i] = 1 / w->slow[i];
    }
}

/* Whoever asks for less than an equal share has it, until all that are left ask for more. */
static void walk_share(walker *w, uint32_t g)
{
    const het__sim_problem *p = w->p;
    double room = p->groups[g].bandwidth * 1e-9, asks[CASE_LANES];
    uint32_t sharing = 0;
    bool member[CASE_LANES], changed = true;
    for (uint32_t i = 0; i < p->lane_count; i++) {
        const uint32_t t = w->at[i];
        member[i] = p->lanes[i].group == g && t != HET__SIM_NONE && w->launch[t] <= 0 &&
                    p->tasks[t].cost.bytes > 0;
        asks[i] = member[i] ? p->tasks[t].cost.bytes / w->work[t] : 0;
        sharing += member[i];
    }
    while (room > 0 && changed) {
        changed = false;
        for (uint32_t i = 0; i < p->lane_count; i++)
            if (member[i] && asks[i] / w->slow[i] <= room / sharing + 1e-12) {
                room -= asks[i] / w->slow[i];
                sharing--;
                member[i] = false;
                changed = true;
            }
    }
    for (uint32_t i = 0; i < p->lane_count; i++)
        if (member[i] && p->groups[g].bandwidth > 0)
            w->speed[i] = room / sharing / asks[i];
}

static void small_steps(const het__sim_problem *p, double dt, double *end)
{
    static walker w;
    memset(&w, 0, sizeof w);
    w.p = p;
    for (uint32_t t = 0; t < p->task_count; t++) {
        w.launch[t] = p->tasks[t].cost.launch_ns;
        w.work[t] = w.left[t] = het__sim_alone_ns(p, &p->tasks[t].cost) - w.launch[t];
    }
    for (uint32_t count = 0; count < p->task_count && w.now < 1e5; w.now += dt) {
        walk_begin(&w);
        for (uint32_t g = 0; g < p->group_count; g++)
            walk_share(&w, g);
        for (uint32_t i = 0; i < p->lane_count; i++) {
            const uint32_t t = w.at[i];
            if (t == HET__SIM_NONE)
                continue;
            *(w.launch[t] > 0 ? &w.launch[t] : &w.left[t]) -= dt * w.speed[i];
            if (w.left[t] <= 1e-9) {
                w.done[t] = true;
                end[t] = w.now + dt;
                count++;
            }
        }
    }
}

static void small_steps_agree(void)
{
    uint64_t seed = 11;
    for (uint32_t i = 0; i < 60; i++) {
        sim_case c;
        het__sim_result r;
        double end[CASE_TASKS];
        case_make(&c, &seed);
        c.p.policy = HET__SIM_IN_ORDER;
        c.p.queue_depth = 0;
        c.p.slow = c.slow;
        c.p.slow_count = case_below(&seed, 4);
        for (uint32_t k = 0; k < c.p.slow_count; k++)
            c.slow[k] = (het__sim_slow){ case_below(&seed, c.p.lane_count), k * 20,
                                         k * 20 + case_below(&seed, 50),
                                         1 + case_below(&seed, 8) * 0.25 };
        for (uint32_t g = 0; g < c.p.group_count; g++)
            c.groups[g].bandwidth = (4 + case_below(&seed, 8)) * 1e9;
        if (simulate(&c.p, &r) != HET_OK)
            return;
        case_check(&c.p, &r);
        const double dt = 1.0 / 128;
        small_steps(&c.p, dt, end);
        const int before = test_failures;
        for (uint32_t t = 0; t < c.p.task_count; t++)
            CHECK_NEAR(r.tasks[t].end_ns, end[t], dt * 6 * (t + 2));
        het__sim_finish(&r);
        if (test_failures > before) {
            TEST_FAIL("case %u", i);
            return;
        }
    }
}

/* ---- properties ---- */

static void contend(sim_case *c, uint64_t *seed)
{
    case_make(c, seed);
    for (uint32_t g = 0; g < c->p.group_count; g++) {
        c->groups[g].bandwidth = case_below(seed, 4) ? (1 + case_below(seed, 16)) * 1e9 : 0;
        c->groups[g].token_bandwidth = case_below(seed, 2) ? (1 + case_below(seed, 16)) * 1e9 : 0;
    }
    for (uint32_t i = 0; i < c->p.lane_count; i++)
        c->lanes[i].bandwidth = case_below(seed, 2) ? (1 + case_below(seed, 10)) * 1e9 : 0;
}

/* Bytes arrive once, and nothing is faster than its bounds. */
static void nothing_is_lost(void)
{
    uint64_t seed = 3;
    for (uint32_t i = 0; i < CASES; i++) {
        sim_case c;
        het__sim_result r;
        double bound, bytes[CASE_GROUPS] = { 0 };
        contend(&c, &seed);
        if (simulate(&c.p, &r) != HET_OK)
            return;
        case_check(&c.p, &r);
        CHECK(r.completed);
        CHECK_INT(r.span_count, c.p.task_count);
        CHECK_INT(het__sim_bound_ns(&c.p, &mem, &bound), HET_OK);
        CHECK(r.makespan_ns >= bound * (1 - 1e-9));
        for (uint32_t t = 0; t < c.p.task_count; t++) {
            const uint32_t g = c.lanes[c.tasks[t].cost.lane].group;
            if (g != HET__SIM_NONE)
                bytes[g] += c.tasks[t].cost.bytes;
            CHECK(r.tasks[t].end_ns - r.tasks[t].begin_ns >=
                  het__sim_alone_ns(&c.p, &c.tasks[t].cost) - 1e-6);
        }
        for (uint32_t g = 0; g < c.p.group_count; g++)
            CHECK_NEAR(r.groups[g].bytes, bytes[g], 1e-6 * (1 + bytes[g]));
        het__sim_finish(&r);
    }
}

/* Twice as fast in everything: half the time, exactly. */
static void twice_the_speed_half_the_time(void)
{
    uint64_t seed = 5;
    for (uint32_t i = 0; i < CASES; i++) {
        sim_case c;
        het__sim_result slow, fast;
        contend(&c, &seed);
        if (simulate(&c.p, &slow) != HET_OK)
            return;
        for (uint32_t t = 0; t < c.p.task_count; t++) {
            c.tasks[t].cost.launch_ns /= 2;
            c.tasks[t].cost.compute_ns /= 2;
            c.tasks[t].release_ns /= 2;
        }
        for (uint32_t k = 0; k < c.p.lane_count; k++)
            c.lanes[k].bandwidth *= 2;
        for (uint32_t g = 0; g < c.p.group_count; g++) {
            c.groups[g].bandwidth *= 2;
            c.groups[g].token_bandwidth *= 2;
        }
        if (simulate(&c.p, &fast) != HET_OK)
            return;
        CHECK_NEAR(fast.makespan_ns * 2, slow.makespan_ns, 1e-9 * slow.makespan_ns);
        het__sim_finish(&slow);
        het__sim_finish(&fast);
    }
}

/* Waiting has a cause that ends when the waiting does, or before. */
static void waiting_is_explained(void)
{
    uint64_t seed = 13;
    for (uint32_t i = 0; i < CASES; i++) {
        sim_case c;
        het__sim_result r;
        contend(&c, &seed);
        if (simulate(&c.p, &r) != HET_OK)
            return;
        for (uint32_t t = 0; t < c.p.task_count; t++) {
            const het__sim_times *x = &r.tasks[t];
            if (x->wait == HET__SIM_WAIT_NOTHING)
                CHECK(x->begin_ns <= c.tasks[t].release_ns + 1e-6);
            else
                CHECK(r.tasks[x->after].end_ns <= x->begin_ns + 1e-6);
            if (x->wait == HET__SIM_WAIT_LANE)
                CHECK_INT(r.tasks[x->after].lane, x->lane);
        }
        het__sim_finish(&r);
    }
}

static bool same(const het__sim_result *a, const het__sim_result *b)
{
    return a->task_count == b->task_count && a->span_count == b->span_count &&
           a->rate_count == b->rate_count &&
           memcmp(&a->makespan_ns, &b->makespan_ns, sizeof a->makespan_ns) == 0 &&
           memcmp(&a->joules, &b->joules, sizeof a->joules) == 0 &&
           memcmp(a->tasks, b->tasks, a->task_count * sizeof *a->tasks) == 0 &&
           memcmp(a->lanes, b->lanes, a->lane_count * sizeof *a->lanes) == 0 &&
           memcmp(a->groups, b->groups, a->group_count * sizeof *a->groups) == 0;
}

/* Every allocation that fails leaves nothing behind, and the next run is as if nothing was. */
static void memory_may_run_out(void)
{
    counting_allocator counter = { 0 };
    const het_allocator allocator = counting_allocator_of(&counter);
    het__mem small;
    uint64_t seed = 17;
    het__mem_init(&small, &allocator);
    for (uint32_t i = 0; i < 50; i++) {
        sim_case c;
        het__sim_result want, r;
        het_error err = HET_ERROR_INIT;
        contend(&c, &seed);
        add_faults(&c, &seed);
        c.p.track = true;
        if (simulate(&c.p, &want) != HET_OK)
            return;
        for (uint64_t n = 1;; n++) {
            counting_allocator_fail(&counter, n);
            const het_status s = het__simulate(&c.p, &small, &r, &err);
            if (s == HET_OK) {
                CHECK(n > 10);
                break;
            }
            CHECK_INT(s, HET_E_NOMEM);
            CHECK_INT(counter.blocks, 0);
        }
        CHECK(same(&want, &r));
        het__sim_finish(&want);
        het__sim_finish(&r);
        CHECK_INT(counter.blocks, 0);
    }
}

int main(void)
{
    het__mem_init(&mem, NULL);
    test_case(whole_steps_agree);
    test_case(small_steps_agree);
    test_case(nothing_is_lost);
    test_case(twice_the_speed_half_the_time);
    test_case(waiting_is_explained);
    test_case(memory_may_run_out);
    CHECK_INT(mem.bytes, 0);
    return test_finish();
}
