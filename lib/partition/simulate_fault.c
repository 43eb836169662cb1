/* SPDX-License-Identifier: Apache-2.0 */
/* Faults: lanes that are slow for a while, attempts that fail, lanes that are lost. */
#include <math.h>

#include "lib/partition/simulate_state.h"

/* ---- slowness ---- */

/* Lanes whose window begins or ends now go at another speed from here on. */
void het__sim_slowness(het__sim *s)
{
    bool changed = false;
    while (s->boundary < 2 * s->p->slow_count && het__sim_is_due(s, s->boundaries[s->boundary])) {
        s->boundary++;
        changed = true;
    }
    for (uint32_t i = 0; changed && i < s->p->lane_count; i++) {
        double factor = 1;
        for (uint32_t k = 0; k < s->p->slow_count; k++) {
            const het__sim_slow *w = &s->p->slow[k];
            if (w->lane == i && het__sim_is_due(s, w->begin_ns) && !het__sim_is_due(s, w->end_ns))
                factor *= w->factor;
        }
        if (factor == s->tracks[i].slow)
            continue;
        s->tracks[i].slow = fmin(factor, 1e9);
        if (s->p->lanes[i].group != HET__SIM_NONE)
            s->pools[s->p->lanes[i].group].is_dirty = true;
    }
}

/* ---- other lanes ---- */

static bool find_fallback(const het__sim *s, uint32_t task, uint32_t lost, het__sim_cost *cost)
{
    if (s->p->move)
        return s->p->move(s->p->user, task, lost, cost) && het__sim_cost_is_sane(s->p, cost);
    if (!s->p->fallback || s->p->fallback[lost] == HET__SIM_NONE)
        return false;
    cost->lane = s->p->fallback[lost];
    return true;
}

static void fail(het__sim *s, uint32_t task)
{
    s->failed = true;
    s->r->failed_task = task;
}

/* A task leaves its lane for another that is not lost. */
static bool leave(het__sim *s, uint32_t task)
{
    het__sim_item *item = &s->items[task];
    for (uint32_t hops = 0; hops <= s->p->lane_count; hops++) {
        het__sim_cost cost = item->cost;
        const uint32_t from = cost.lane;
        if (!find_fallback(s, task, from, &cost) || cost.lane == from)
            break;
        item->cost = cost;
        item->tries = 0;
        item->errors = 0; /* they are of the lane that it had */
        if (item->is_handed) {
            het__sim_track *to = &s->tracks[cost.lane];
            s->tracks[from].depth--;
            to->depth++;
            if (to->depth > s->r->lanes[cost.lane].queue_peak)
                s->r->lanes[cost.lane].queue_peak = to->depth;
        }
        if (!s->tracks[cost.lane].is_lost)
            return true;
    }
    fail(s, task);
    return false;
}

bool het__sim_settle(het__sim *s, uint32_t task)
{
    return !s->tracks[s->items[task].cost.lane].is_lost || leave(s, task);
}

/* Wait anew, from `ns` on. */
static void requeue(het__sim *s, uint32_t task, double ns)
{
    het__sim_item *item = &s->items[task];
    het__sim_track *l = &s->tracks[item->cost.lane];
    item->not_before = fmax(item->not_before, ns);
    if (s->p->policy == HET__SIM_IN_ORDER)
        l->queue = het__sim_push(s, l->queue, task, false);
    if (item->missing == 0)
        het__sim_ready(s, task, HET__SIM_WAIT_FAULT, task);
}

/* ---- errors ---- */

void het__sim_retry(het__sim *s, uint32_t lane, uint32_t task)
{
    het__sim_item *item = &s->items[task];
    item->errors--;
    het__sim_stop(s, lane, HET__SIM_FAILED_ATTEMPT);
    if (item->tries == s->p->retry_max) {
        if (leave(s, task))
            requeue(s, task, s->now);
        return;
    }
    requeue(s, task, s->now + ldexp(s->p->backoff_ns, (int)item->tries));
    item->tries++;
}

/* ---- losses ---- */

static void lose(het__sim *s, uint32_t lane)
{
    het__sim_track *l = &s->tracks[lane];
    const uint32_t running = l->running;
    uint32_t queue = l->queue;
    l->is_lost = true;
    l->is_throttled = false;
    l->queue = HET__SIM_NONE;
    if (running != HET__SIM_NONE) {
        het__sim_stop(s, lane, HET__SIM_LOST_ATTEMPT);
        if (leave(s, running))
            requeue(s, running, s->now);
    }
    while (queue != HET__SIM_NONE && !s->failed) {
        const uint32_t task = queue;
        queue = het__sim_pop(s, queue, false);
        if (leave(s, task))
            requeue(s, task, s->now);
    }
}

void het__sim_losses(het__sim *s)
{
    for (uint32_t i = 0; s->p->loss_count && i < s->p->lane_count && !s->failed; i++)
        if (!s->tracks[i].is_lost && het__sim_is_due(s, s->tracks[i].lost_at))
            lose(s, i);
}
