/* SPDX-License-Identifier: Apache-2.0 */
/* The events of a simulation in order. At one time come, in this order: changes of speed, ends of
 * phases by lane, losses, tasks whose time has come, handing over, beginnings. A task that ends
 * when its lane is lost has ended. */
#include "lib/partition/simulate.h"

#include <assert.h>
#include <math.h>
#include <string.h>

#include "lib/base/error.h"
#include "lib/partition/simulate_state.h"

/* ---- tasks ---- */

static void join_queue(het__sim *s, uint32_t task)
{
    het__sim_times *t = &s->r->tasks[task];
    if (!het__sim_settle(s, task))
        return;
    het__sim_track *l = &s->tracks[s->items[task].cost.lane];
    t->ready_ns = s->now;
    (void)het__sim_scaled(s, task); /* asks the hook, if nobody has */
    l->queue = het__sim_push(s, l->queue, task, false);
}

void het__sim_ready(het__sim *s, uint32_t task, het__sim_wait why, uint32_t after)
{
    const het__sim_item *item = &s->items[task];
    het__sim_times *t = &s->r->tasks[task];
    const bool is_due = het__sim_is_due(s, item->not_before);
    t->wait = why;
    t->after = after;
    if (!is_due && t->attempts == 0 && why != HET__SIM_WAIT_FAULT) {
        t->wait = HET__SIM_WAIT_NOTHING; /* its release comes last */
        t->after = HET__SIM_NONE;
    }
    if (s->p->policy == HET__SIM_IN_ORDER)
        t->ready_ns = is_due ? s->now : item->not_before;
    else if (is_due)
        join_queue(s, task);
    else
        s->timers = het__sim_push(s, s->timers, task, true);
}

static void wake(het__sim *s)
{
    while (s->timers != HET__SIM_NONE && !s->failed &&
           het__sim_is_due(s, s->items[s->timers].not_before)) {
        const uint32_t task = s->timers;
        s->timers = het__sim_pop(s, task, true);
        join_queue(s, task);
    }
}

/* Tasks go to their lanes by number, until one finds its queue full. */
static void hand_over(het__sim *s)
{
    const uint32_t by = s->full == HET__SIM_NONE ? HET__SIM_NONE : s->tracks[s->full].last;
    const het__sim_wait why = by == HET__SIM_NONE ? HET__SIM_WAIT_NOTHING : HET__SIM_WAIT_QUEUE;
    s->full = HET__SIM_NONE;
    while (s->handed < s->p->task_count && het__sim_settle(s, s->handed)) {
        const uint32_t task = s->handed, lane = s->items[task].cost.lane;
        het__sim_track *l = &s->tracks[lane];
        if (s->p->queue_depth && l->depth >= s->p->queue_depth) {
            s->full = lane;
            return;
        }
        s->handed++;
        s->items[task].is_handed = true;
        if (++l->depth > s->r->lanes[lane].queue_peak)
            s->r->lanes[lane].queue_peak = l->depth;
        if (s->p->policy == HET__SIM_IN_ORDER)
            l->queue = het__sim_push(s, l->queue, task, false);
        if (--s->items[task].missing == 0)
            het__sim_ready(s, task, why, by);
    }
}

static void complete(het__sim *s, uint32_t lane)
{
    const uint32_t task = s->tracks[lane].running;
    if (s->items[task].errors > 0) {
        het__sim_retry(s, lane, task);
        return;
    }
    het__sim_stop(s, lane, HET__SIM_DONE);
    s->r->tasks[task].end_ns = s->now;
    s->r->lanes[lane].task_count++;
    s->tracks[lane].depth--;
    s->done++;
    for (uint32_t i = s->first_next[task]; i < s->first_next[task + 1] && !s->failed; i++)
        if (--s->items[s->next[i]].missing == 0)
            het__sim_ready(s, s->next[i], HET__SIM_WAIT_DATA, task);
}

/* ---- events ---- */

static void end_phases(het__sim *s)
{
    for (uint32_t i = 0; i < s->p->lane_count && !s->failed; i++) {
        const het__sim_track *l = &s->tracks[i];
        if (l->running == HET__SIM_NONE || !het__sim_is_due(s, l->next_ns))
            continue;
        if (l->is_working)
            complete(s, i);
        else
            het__sim_work(s, i);
    }
}

/* Not fmin(), which is a call and asks for each whether it is a number. */
static double sooner(double a, double b)
{
    return b < a ? b : a;
}

static double next_event(const het__sim *s)
{
    double at = s->timers == HET__SIM_NONE ? INFINITY : s->items[s->timers].not_before;
    if (s->boundary < 2 * s->p->slow_count)
        at = sooner(at, s->boundaries[s->boundary]);
    for (uint32_t i = 0; i < s->p->lane_count; i++) {
        const het__sim_track *l = &s->tracks[i];
        at = sooner(at, l->next_ns);
        if (!l->is_lost)
            at = sooner(at, l->lost_at);
        if (s->p->policy == HET__SIM_IN_ORDER && l->running == HET__SIM_NONE &&
            l->queue != HET__SIM_NONE && s->items[l->queue].missing == 0 &&
            !het__sim_is_due(s, s->items[l->queue].not_before))
            at = sooner(at, s->items[l->queue].not_before);
    }
    return at;
}

static void run_events(het__sim *s)
{
    while (!s->failed && !s->out_of_memory) {
        het__sim_slowness(s);
        end_phases(s);
        if (s->done == s->p->task_count)
            break;
        het__sim_losses(s);
        wake(s);
        if (!s->failed)
            hand_over(s);
        if (s->failed)
            break;
        het__sim_dispatch(s);
        het__sim_share(s);
        const double at = next_event(s);
        assert(at < INFINITY);
        if (!(at < INFINITY))
            break;
        het__sim_advance(s, fmax(at, s->now));
    }
    for (uint32_t i = 0; s->failed && i < s->p->lane_count; i++)
        if (s->tracks[i].running != HET__SIM_NONE)
            het__sim_stop(s, i, HET__SIM_LOST_ATTEMPT);
    het__sim_share(s); /* nothing runs: rates go to 0 */
    s->r->completed = s->done == s->p->task_count;
    s->r->makespan_ns = s->now;
}

/* ---- setting up ---- */

static size_t spans_max(const het__sim_problem *p)
{
    size_t count = (size_t)p->task_count + 2 * (size_t)p->lane_count;
    for (uint32_t i = 0; i < p->error_count; i++)
        count += p->errors[i].count < p->retry_max + 1 ? p->errors[i].count : p->retry_max + 1;
    return count;
}

static bool reserve(het__sim *s)
{
    const het__sim_problem *p = s->p;
    het__sim_result *r = s->r;
    const size_t tasks = (size_t)p->task_count + 1, lanes = (size_t)p->lane_count + 1;
    const size_t groups = (size_t)p->group_count + 1;
    r->tasks = het__alloc_zero(s->mem, tasks, sizeof *r->tasks);
    r->spans = het__alloc_zero(s->mem, spans_max(p) + 1, sizeof *r->spans);
    r->lanes = het__alloc_zero(s->mem, lanes, sizeof *r->lanes);
    r->groups = het__alloc_zero(s->mem, groups, sizeof *r->groups);
    s->items = het__alloc_zero(s->mem, tasks, sizeof *s->items);
    s->tracks = het__alloc_zero(s->mem, lanes, sizeof *s->tracks);
    s->pools = het__alloc_zero(s->mem, groups, sizeof *s->pools);
    s->order = het__alloc_zero(s->mem, lanes, sizeof *s->order);
    s->sorted = het__alloc_zero(s->mem, lanes, sizeof *s->sorted);
    s->scales = p->batch ? het__alloc_zero(s->mem, tasks, sizeof *s->scales) : NULL;
    s->boundaries = het__alloc_zero(s->mem, 2 * (size_t)p->slow_count + 1, sizeof *s->boundaries);
    return r->tasks && r->spans && r->lanes && r->groups && s->items && s->tracks && s->pools &&
           s->order && s->sorted && (s->scales || !p->batch) && s->boundaries &&
           het__sim_successors(p, s->mem, &s->first_next, &s->next);
}

static bool set_paths(het__sim *s)
{
    if (s->p->policy != HET__SIM_CRITICAL_PATH)
        return true;
    double *path = het__alloc_zero(s->mem, (size_t)s->p->task_count + 1, sizeof *path);
    if (!path)
        return false;
    het__sim_paths(s->p, s->first_next, s->next, path);
    for (uint32_t t = 0; t < s->p->task_count; t++)
        s->items[t].path_ns = path[t];
    het__free(s->mem, path);
    return true;
}

static void set_tasks(het__sim *s)
{
    const het__sim_problem *p = s->p;
    for (uint32_t t = 0; t < p->task_count; t++) {
        const het__sim_task *task = &p->tasks[t];
        s->items[t].cost = task->cost;
        s->items[t].not_before = task->release_ns;
        s->items[t].missing = task->dependency_count + 1;
        s->r->tasks[t] = (het__sim_times){ NAN, NAN, NAN, task->cost.lane, 0, 0, HET__SIM_NONE };
        if (p->batch)
            s->scales[t] = NAN;
    }
    for (uint32_t i = 0; i < p->error_count; i++) {
        uint32_t *errors = &s->items[p->errors[i].task].errors;
        *errors = p->errors[i].count > UINT32_MAX - *errors ? UINT32_MAX
                                                            : *errors + p->errors[i].count;
    }
}

static void set_lanes(het__sim *s)
{
    const het__sim_problem *p = s->p;
    for (uint32_t i = 0; i < p->lane_count; i++)
        s->tracks[i] = (het__sim_track){
            .queue = HET__SIM_NONE, .running = HET__SIM_NONE, .last = HET__SIM_NONE,
            .lost_at = INFINITY, .slow = 1, .speed = 1, .next_ns = INFINITY,
        };
    for (uint32_t i = 0; i < p->group_count; i++)
        s->pools[i].last = HET__SIM_NONE;
    for (uint32_t i = 0; i < p->loss_count; i++) {
        double *at = &s->tracks[p->losses[i].lane].lost_at;
        *at = fmin(*at, p->losses[i].at_ns);
    }
    /* Few, and given mostly in order. */
    for (uint32_t i = 0; i < 2 * p->slow_count; i++) {
        const double ns = i % 2 ? p->slow[i / 2].end_ns : p->slow[i / 2].begin_ns;
        uint32_t at = i;
        for (; at > 0 && ns < s->boundaries[at - 1]; at--)
            s->boundaries[at] = s->boundaries[at - 1];
        s->boundaries[at] = ns;
    }
}

static void release(het__sim *s)
{
    void *const all[] = { s->items, s->tracks, s->pools, s->order, s->sorted, s->scales,
                          s->boundaries, s->first_next, s->next };
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        het__free(s->mem, all[i]);
}

het_status het__simulate(const het__sim_problem *problem, het__mem *mem, het__sim_result *result,
                         het_error *err)
{
    het__sim s = { .p = problem, .mem = mem, .r = result, .timers = HET__SIM_NONE,
                   .full = HET__SIM_NONE };
    memset(result, 0, sizeof *result);
    const het_status status = het__sim_check(problem, err);
    if (status != HET_OK)
        return status;
    *result = (het__sim_result){ .mem = mem, .failed_task = HET__SIM_NONE,
                                 .task_count = problem->task_count,
                                 .lane_count = problem->lane_count,
                                 .group_count = problem->group_count };
    bool ok = reserve(&s) && set_paths(&s);
    if (ok) {
        set_tasks(&s);
        set_lanes(&s);
        run_events(&s);
        ok = !s.out_of_memory;
    }
    release(&s);
    if (!ok) {
        het__sim_finish(result);
        return het__fail_nomem(err, "a simulation");
    }
    return HET_OK;
}

void het__sim_finish(het__sim_result *r)
{
    if (!r->mem)
        return;
    het__free(r->mem, r->tasks);
    het__free(r->mem, r->spans);
    het__free(r->mem, r->lanes);
    het__free(r->mem, r->groups);
    het__free(r->mem, r->rates);
    memset(r, 0, sizeof *r);
}
