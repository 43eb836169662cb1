/* SPDX-License-Identifier: Apache-2.0 */
/* Random problems for the simulation, and what is true of every result. */
#ifndef HETINFER_SIM_CASE_H
#define HETINFER_SIM_CASE_H

#include "lib/partition/simulate.h"
#include "test.h"

#define CASE_TASKS 24
#define CASE_EDGES 96
#define CASE_LANES 4
#define CASE_GROUPS 2

typedef struct sim_case {
    het__sim_problem p;
    het__sim_task tasks[CASE_TASKS];
    uint32_t edges[CASE_EDGES];
    het__sim_lane lanes[CASE_LANES];
    het__sim_group groups[CASE_GROUPS];
    het__sim_slow slow[3];
    het__sim_loss losses[2];
    het__sim_error errors[2];
    uint32_t fallback[CASE_LANES];
} sim_case;

static inline uint32_t case_below(uint64_t *seed, uint32_t most)
{
    return (uint32_t)(test_random(seed) >> 33) % most;
}

/* Durations and times are whole ns; every task asks for a whole number of bytes/ns. */
static inline void case_make(sim_case *c, uint64_t *seed)
{
    memset(c, 0, sizeof *c);
    het__sim_problem *p = &c->p;
    p->task_count = 1 + case_below(seed, CASE_TASKS);
    p->lane_count = 1 + case_below(seed, CASE_LANES);
    p->group_count = case_below(seed, CASE_GROUPS + 1);
    p->tasks = c->tasks;
    p->dependencies = c->edges;
    p->lanes = c->lanes;
    p->groups = c->groups;
    p->policy = case_below(seed, HET__SIM_POLICY_COUNT);
    p->queue_depth = case_below(seed, 3) ? 0 : 1 + case_below(seed, 4);
    for (uint32_t i = 0; i < p->lane_count; i++) {
        c->lanes[i].group = p->group_count && case_below(seed, 4)
                                ? case_below(seed, p->group_count) : HET__SIM_NONE;
        c->lanes[i].busy_watts = case_below(seed, 30);
        c->lanes[i].idle_watts = case_below(seed, 3);
        c->fallback[i] = case_below(seed, 4) ? (i + 1) % p->lane_count : HET__SIM_NONE;
    }
    for (uint32_t t = 0; t < p->task_count; t++) {
        het__sim_task *task = &c->tasks[t];
        const uint32_t ns = 1 + case_below(seed, 20), demand = case_below(seed, 9);
        task->cost = (het__sim_cost){ case_below(seed, p->lane_count),
                                      case_below(seed, 2) ? 0 : case_below(seed, 5), ns,
                                      demand * ns, case_below(seed, 2) };
        task->release_ns = case_below(seed, 4) ? 0 : case_below(seed, 40);
        task->priority = case_below(seed, 3) ? 0 : (int32_t)case_below(seed, 3) - 1;
        task->batch = HET__SIM_NONE;
        task->first_dependency = p->dependency_count;
        for (uint32_t k = case_below(seed, 4); t > 0 && k > 0; k--) {
            c->edges[p->dependency_count++] = case_below(seed, t);
            task->dependency_count++;
        }
    }
}

/* Rates of spans of one lane do not overlap, dependencies hold, times and bytes add up. */
static inline void case_check(const het__sim_problem *p, const het__sim_result *r)
{
    double busy[CASE_LANES] = { 0 }, last[CASE_LANES] = { 0 }, end = 0;
    for (uint32_t i = 0; i < r->span_count; i++) {
        const het__sim_span *s = &r->spans[i];
        CHECK(s->begin_ns >= last[s->lane] - 1e-6 && s->end_ns >= s->begin_ns);
        CHECK(s->end_ns >= end);
        last[s->lane] = end = s->end_ns;
        busy[s->lane] += s->end_ns - s->begin_ns;
    }
    for (uint32_t i = 0; i < p->lane_count; i++) {
        const het__sim_lane_times *l = &r->lanes[i];
        CHECK_NEAR(l->busy_ns, busy[i], 1e-6 * (1 + busy[i]));
        CHECK_NEAR(l->busy_ns + l->throttled_ns + l->idle_ns + l->lost_ns, r->makespan_ns,
                   1e-6 * (1 + r->makespan_ns));
        CHECK(!p->queue_depth || p->loss_count || p->error_count ||
              l->queue_peak <= p->queue_depth);
    }
    for (uint32_t t = 0; t < p->task_count; t++) {
        const het__sim_times *x = &r->tasks[t];
        if (isnan(x->end_ns)) {
            CHECK(!r->completed);
            continue;
        }
        CHECK(x->begin_ns >= p->tasks[t].release_ns - 1e-6 && x->end_ns <= r->makespan_ns + 1e-6);
        for (uint32_t k = 0; k < p->tasks[t].dependency_count; k++)
            CHECK(r->tasks[p->dependencies[p->tasks[t].first_dependency + k]].end_ns <=
                  x->begin_ns + 1e-6);
        CHECK(x->wait == HET__SIM_WAIT_NOTHING || x->after < p->task_count);
    }
    for (uint32_t g = 0; g < p->group_count; g++) {
        const double b = p->groups[g].bandwidth, k = p->groups[g].token_bandwidth;
        CHECK(b <= 0 || r->groups[g].peak_rate <= b * (1 + 1e-9));
        CHECK(k <= 0 || r->groups[g].peak_rate <= k * (1 + 1e-9));
    }
}

#endif /* HETINFER_SIM_CASE_H */
