/* SPDX-License-Identifier: Apache-2.0 */
/* Whether a problem makes sense, what its tasks take alone, and bounds of what all take together.
 * Also the controller of micro-batch sizes, which needs nothing of the simulation. */
#include <math.h>

#include "lib/base/error.h"
#include "lib/partition/simulate_state.h"

/* In [0, SIM_NUMBER_MAX]; not NaN. */
static bool is_sane(double x)
{
    return x >= 0 && x <= SIM_NUMBER_MAX;
}

static bool is_bandwidth(double x)
{
    return x == 0 || (x >= 1 && x <= SIM_NUMBER_MAX);
}

bool het__sim_cost_is_sane(const het__sim_problem *p, const het__sim_cost *c)
{
    return c->lane < p->lane_count && is_sane(c->launch_ns) && is_sane(c->compute_ns) &&
           is_sane(c->bytes) && is_sane(c->joules);
}

static het_status check_tasks(const het__sim_problem *p, het_error *err)
{
    for (uint32_t t = 0; t < p->task_count; t++) {
        const het__sim_task *task = &p->tasks[t];
        if (!het__sim_cost_is_sane(p, &task->cost) || !is_sane(task->release_ns) ||
            !is_sane(task->fixed_bytes))
            return het__fail(err, HET_E_INVALID, "task %u: its lane or a cost is out of range", t);
        if (task->batch != HET__SIM_NONE && task->batch >= p->task_count)
            return het__fail(err, HET_E_INVALID, "task %u: there are no %u batches", t,
                             task->batch);
        if (task->first_dependency > p->dependency_count ||
            task->dependency_count > p->dependency_count - task->first_dependency)
            return het__fail(err, HET_E_INVALID, "task %u: its dependencies are out of range", t);
        for (uint32_t i = 0; i < task->dependency_count; i++)
            if (p->dependencies[task->first_dependency + i] >= t)
                return het__fail(err, HET_E_INVALID, "task %u depends on task %u, not before it",
                                 t, p->dependencies[task->first_dependency + i]);
    }
    return HET_OK;
}

static het_status check_faults(const het__sim_problem *p, het_error *err)
{
    if (p->slow_count > SIM_WINDOWS_MAX || p->loss_count > SIM_WINDOWS_MAX ||
        p->error_count > p->task_count)
        return het__fail(err, HET_E_INVALID, "too many faults");
    for (uint32_t i = 0; i < p->slow_count; i++) {
        const het__sim_slow *w = &p->slow[i];
        if (w->lane >= p->lane_count || !is_sane(w->begin_ns) || !(w->end_ns >= w->begin_ns) ||
            !(w->factor >= 1 && w->factor <= 1e3))
            return het__fail(err, HET_E_INVALID, "slow window %u is out of range", i);
    }
    for (uint32_t i = 0; i < p->loss_count; i++)
        if (p->losses[i].lane >= p->lane_count || !is_sane(p->losses[i].at_ns))
            return het__fail(err, HET_E_INVALID, "loss %u is out of range", i);
    for (uint32_t i = 0; i < p->error_count; i++)
        if (p->errors[i].task >= p->task_count)
            return het__fail(err, HET_E_INVALID, "error %u: there is no task %u", i,
                             p->errors[i].task);
    if (p->retry_max > SIM_RETRY_MAX || !is_sane(p->backoff_ns))
        return het__fail(err, HET_E_INVALID, "retries are out of range");
    for (uint32_t i = 0; p->fallback && i < p->lane_count; i++)
        if (p->fallback[i] != HET__SIM_NONE && p->fallback[i] >= p->lane_count)
            return het__fail(err, HET_E_INVALID, "the fallback of lane %u does not exist", i);
    return HET_OK;
}

het_status het__sim_check(const het__sim_problem *p, het_error *err)
{
    if (p->task_count > HET__SIM_TASKS_MAX || p->policy >= HET__SIM_POLICY_COUNT)
        return het__fail(err, HET_E_INVALID, "too many tasks, or no such policy");
    for (uint32_t i = 0; i < p->group_count; i++)
        if (!is_bandwidth(p->groups[i].bandwidth) ||
            !is_bandwidth(p->groups[i].token_bandwidth) ||
            !is_bandwidth(p->groups[i].token_size))
            return het__fail(err, HET_E_INVALID, "a bandwidth of group %u is out of range", i);
    for (uint32_t i = 0; i < p->lane_count; i++) {
        const het__sim_lane *l = &p->lanes[i];
        if ((l->group != HET__SIM_NONE && l->group >= p->group_count) ||
            !is_bandwidth(l->bandwidth) || !is_sane(l->busy_watts) || !is_sane(l->idle_watts))
            return het__fail(err, HET_E_INVALID, "lane %u is out of range", i);
    }
    const het_status s = check_tasks(p, err);
    return s == HET_OK ? check_faults(p, err) : s;
}

static double lower(double a, double b)
{
    return a <= 0 ? b : b <= 0 ? a : a < b ? a : b;
}

double het__sim_work_ns(const het__sim_problem *p, const het__sim_cost *c)
{
    const het__sim_lane *lane = &p->lanes[c->lane];
    double bandwidth = lane->bandwidth;
    if (lane->group != HET__SIM_NONE) {
        const het__sim_group *g = &p->groups[lane->group];
        bandwidth = lower(bandwidth, lower(g->bandwidth, g->token_bandwidth));
    }
    const double memory_ns = bandwidth > 0 ? c->bytes / bandwidth * 1e9 : 0;
    return memory_ns > c->compute_ns ? memory_ns : c->compute_ns;
}

double het__sim_alone_ns(const het__sim_problem *p, const het__sim_cost *c)
{
    return c->launch_ns + het__sim_work_ns(p, c);
}

bool het__sim_successors(const het__sim_problem *p, het__mem *mem, uint32_t **first_next,
                         uint32_t **next)
{
    uint32_t *first = het__alloc_zero(mem, (size_t)p->task_count + 2, sizeof *first);
    size_t edges = 0;
    for (uint32_t t = 0; t < p->task_count; t++)
        edges += p->tasks[t].dependency_count;
    uint32_t *list = edges < UINT32_MAX ? het__alloc_zero(mem, edges + 1, sizeof *list) : NULL;
    if (!first || !list) {
        het__free(mem, first);
        het__free(mem, list);
        return false;
    }
    for (uint32_t t = 0; t < p->task_count; t++)
        for (uint32_t i = 0; i < p->tasks[t].dependency_count; i++)
            first[p->dependencies[p->tasks[t].first_dependency + i] + 2]++;
    for (uint32_t t = 2; t < p->task_count + 2; t++)
        first[t] += first[t - 1];
    for (uint32_t t = 0; t < p->task_count; t++)
        for (uint32_t i = 0; i < p->tasks[t].dependency_count; i++)
            list[first[p->dependencies[p->tasks[t].first_dependency + i] + 1]++] = t;
    *first_next = first;
    *next = list;
    return true;
}

void het__sim_paths(const het__sim_problem *p, const uint32_t *first_next, const uint32_t *next,
                    double *path_ns)
{
    for (uint32_t t = p->task_count; t-- > 0;) {
        double behind = 0;
        for (uint32_t i = first_next[t]; i < first_next[t + 1]; i++)
            behind = path_ns[next[i]] > behind ? path_ns[next[i]] : behind;
        path_ns[t] = het__sim_alone_ns(p, &p->tasks[t].cost) + behind;
    }
}

het_status het__sim_bound_ns(const het__sim_problem *p, het__mem *mem, double *bound_ns)
{
    uint32_t *first_next = NULL, *next = NULL;
    double *path = het__alloc_zero(mem, (size_t)p->task_count + 1, sizeof *path);
    double *load = het__alloc_zero(mem, (size_t)p->lane_count + p->group_count + 1, sizeof *load);
    const bool ok = path && load && het__sim_successors(p, mem, &first_next, &next);
    double bound = 0;
    if (ok) {
        het__sim_paths(p, first_next, next, path);
        for (uint32_t t = 0; t < p->task_count; t++) {
            const het__sim_cost *c = &p->tasks[t].cost;
            const uint32_t g = p->lanes[c->lane].group;
            bound = fmax(bound, p->tasks[t].release_ns + path[t]);
            load[c->lane] += het__sim_alone_ns(p, c);
            if (g == HET__SIM_NONE)
                continue;
            const double bandwidth = lower(p->groups[g].bandwidth, p->groups[g].token_bandwidth);
            load[p->lane_count + g] += bandwidth > 0 ? c->bytes / bandwidth * 1e9 : 0;
        }
        for (uint32_t i = 0; i < p->lane_count + p->group_count; i++)
            bound = fmax(bound, load[i]);
        *bound_ns = bound;
    }
    het__free(mem, path);
    het__free(mem, load);
    het__free(mem, first_next);
    het__free(mem, next);
    return ok ? HET_OK : HET_E_NOMEM;
}

double het__sim_aimd_next(void *aimd, const het__sim_view *view)
{
    het__sim_aimd *a = aimd;
    if (view->window_ns > 0) {
        if (view->utilisation > a->high)
            a->size = fmax(a->size_min, a->size / 2);
        else if (view->utilisation < a->low)
            a->size = fmin(a->size_max, a->size + a->step);
    }
    const double given = fmax(0, fmin(a->size, a->left));
    a->left -= given;
    return given;
}
