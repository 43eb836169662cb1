/* SPDX-License-Identifier: Apache-2.0 */
/* Which task a lane takes next. Queues are pairing heaps that are linked through the tasks, so that
 * nothing is allocated; their order is total, so that it does not depend on how they came about. */
#include <math.h>

#include "lib/partition/simulate_state.h"

/* ---- heaps ---- */

static bool comes_before(const het__sim *s, uint32_t a, uint32_t b, bool by_time)
{
    const het__sim_item *x = &s->items[a], *y = &s->items[b];
    if (by_time)
        return x->not_before != y->not_before ? x->not_before < y->not_before : a < b;
    if (s->p->policy == HET__SIM_IN_ORDER)
        return a < b;
    if (s->p->tasks[a].priority != s->p->tasks[b].priority)
        return s->p->tasks[a].priority > s->p->tasks[b].priority;
    if (s->p->policy == HET__SIM_CRITICAL_PATH && x->path_ns != y->path_ns)
        return x->path_ns > y->path_ns;
    const double p = s->r->tasks[a].ready_ns, q = s->r->tasks[b].ready_ns;
    if (s->p->policy != HET__SIM_CRITICAL_PATH && p != q)
        return p < q;
    return a < b;
}

static uint32_t meld(het__sim *s, uint32_t a, uint32_t b, bool by_time)
{
    if (a == HET__SIM_NONE || b == HET__SIM_NONE)
        return a == HET__SIM_NONE ? b : a;
    if (comes_before(s, b, a, by_time)) {
        const uint32_t other = a;
        a = b;
        b = other;
    }
    s->items[b].sibling = s->items[a].child;
    s->items[a].child = b;
    return a;
}

uint32_t het__sim_push(het__sim *s, uint32_t heap, uint32_t task, bool by_time)
{
    s->items[task].child = s->items[task].sibling = HET__SIM_NONE;
    return meld(s, heap, task, by_time);
}

/* Children are melded in pairs, then the pairs from the last to the first. */
uint32_t het__sim_pop(het__sim *s, uint32_t heap, bool by_time)
{
    uint32_t at = s->items[heap].child, pairs = HET__SIM_NONE;
    while (at != HET__SIM_NONE) {
        const uint32_t b = s->items[at].sibling;
        const uint32_t rest = b == HET__SIM_NONE ? HET__SIM_NONE : s->items[b].sibling;
        s->items[at].sibling = HET__SIM_NONE;
        if (b != HET__SIM_NONE)
            s->items[b].sibling = HET__SIM_NONE;
        const uint32_t pair = meld(s, at, b, by_time);
        s->items[pair].sibling = pairs;
        pairs = pair;
        at = rest;
    }
    uint32_t root = HET__SIM_NONE;
    while (pairs != HET__SIM_NONE) {
        const uint32_t rest = s->items[pairs].sibling;
        s->items[pairs].sibling = HET__SIM_NONE;
        root = meld(s, root, pairs, by_time);
        pairs = rest;
    }
    s->items[heap].child = HET__SIM_NONE;
    return root;
}

/* ---- bandwidth ---- */

/* Bytes/ns that a task asks its group for; 0 where it has none. */
static double demand_of(het__sim *s, uint32_t lane, uint32_t task)
{
    if (s->p->lanes[lane].group == HET__SIM_NONE)
        return 0;
    const het__sim_cost c = het__sim_scaled(s, task);
    const double alone = het__sim_work_ns(s->p, &c);
    return alone > 0 ? c.bytes / alone : 0;
}

/* In whole tokens of a size; 0: as it is. */
static double in_tokens(double demand, double size)
{
    return size > 0 ? ceil(demand / (size * 1e-9) * (1 - SIM_EPSILON)) * (size * 1e-9) : demand;
}

/* What running tasks ask a group for, launches included. */
static double asked_of(const het__sim *s, uint32_t group, double token_size)
{
    double sum = 0;
    for (uint32_t i = 0; i < s->p->lane_count; i++)
        if (s->p->lanes[i].group == group && s->tracks[i].running != HET__SIM_NONE)
            sum += in_tokens(s->tracks[i].demand, token_size);
    return sum;
}

/* Whoever is alone may ask for anything. */
static bool fits(double asked, double demand, double bandwidth)
{
    return bandwidth <= 0 || demand <= 0 || asked <= 0 ||
           asked + demand <= bandwidth * 1e-9 * (1 + SIM_EPSILON);
}

static bool has_tokens(het__sim *s, uint32_t lane, uint32_t task)
{
    const uint32_t g = s->p->lanes[lane].group;
    if (g == HET__SIM_NONE || s->p->groups[g].token_bandwidth <= 0)
        return true;
    const double size = s->p->groups[g].token_size;
    return fits(asked_of(s, g, size), in_tokens(demand_of(s, lane, task), size),
                s->p->groups[g].token_bandwidth);
}

/* ---- choice ---- */

/* Of the first tasks of the queue the first that fits; else the one that asks for least. It is at
 * the queue's top afterwards if it was there before. */
static uint32_t choose_by_bandwidth(het__sim *s, uint32_t lane)
{
    het__sim_track *l = &s->tracks[lane];
    const uint32_t g = s->p->lanes[lane].group;
    if (g == HET__SIM_NONE || s->p->groups[g].bandwidth <= 0)
        return l->queue;
    const double asked = asked_of(s, g, 0);
    uint32_t seen[HET__SIM_WINDOW], count = 0, best = HET__SIM_NONE;
    double least = INFINITY;
    while (count < HET__SIM_WINDOW && l->queue != HET__SIM_NONE) {
        const uint32_t t = l->queue;
        const double demand = demand_of(s, lane, t);
        if (demand < least) {
            least = demand;
            best = t;
        }
        if (fits(asked, demand, s->p->groups[g].bandwidth) && has_tokens(s, lane, t)) {
            best = t;
            break;
        }
        l->queue = het__sim_pop(s, t, false);
        seen[count++] = t;
    }
    while (count > 0)
        l->queue = het__sim_push(s, l->queue, seen[--count], false);
    return best;
}

/* Take a task out of a queue in which it may not be the first. */
static void take(het__sim *s, uint32_t lane, uint32_t task)
{
    het__sim_track *l = &s->tracks[lane];
    uint32_t seen[HET__SIM_WINDOW], count = 0;
    while (l->queue != task) {
        seen[count++] = l->queue;
        l->queue = het__sim_pop(s, l->queue, false);
    }
    l->queue = het__sim_pop(s, l->queue, false);
    while (count > 0)
        l->queue = het__sim_push(s, l->queue, seen[--count], false);
}

/* The task that a lane would begin now; HET__SIM_NONE: nothing is ready. */
static uint32_t candidate(het__sim *s, uint32_t lane)
{
    const het__sim_track *l = &s->tracks[lane];
    if (l->is_lost || l->running != HET__SIM_NONE || l->queue == HET__SIM_NONE)
        return HET__SIM_NONE;
    if (s->p->policy == HET__SIM_BANDWIDTH)
        return choose_by_bandwidth(s, lane);
    const het__sim_item *first = &s->items[l->queue];
    if (s->p->policy == HET__SIM_IN_ORDER &&
        (first->missing > 0 || !het__sim_is_due(s, first->not_before)))
        return HET__SIM_NONE;
    return l->queue;
}

/* Lanes with something to begin, by the order that their tasks would have in one queue. */
static uint32_t line_up(het__sim *s, uint32_t *tasks)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < s->p->lane_count; i++) {
        s->tracks[i].is_throttled = false;
        const uint32_t t = candidate(s, i);
        if (t == HET__SIM_NONE)
            continue;
        uint32_t at = count++;
        for (; at > 0 && comes_before(s, t, tasks[at - 1], false); at--)
            tasks[at] = tasks[at - 1];
        tasks[at] = t;
    }
    return count;
}

/* Tokens are given in that order: a task that waits for them holds back those behind it, unless
 * the policy is to fill the gaps. */
void het__sim_dispatch(het__sim *s)
{
    const uint32_t count = line_up(s, s->order);
    for (uint32_t i = 0; i < s->p->group_count; i++)
        s->pools[i].is_held = false;
    for (uint32_t i = 0; i < count; i++) {
        const uint32_t lane = s->items[s->order[i]].cost.lane;
        const uint32_t g = s->p->lanes[lane].group;
        uint32_t t = s->order[i];
        if (s->p->policy == HET__SIM_BANDWIDTH && i > 0)
            t = choose_by_bandwidth(s, lane); /* those before have taken their part */
        const bool is_held = g != HET__SIM_NONE && s->pools[g].is_held && demand_of(s, lane, t) > 0;
        if (is_held || !has_tokens(s, lane, t)) {
            s->tracks[lane].is_throttled = true;
            s->pools[g].is_held = s->p->policy != HET__SIM_BANDWIDTH;
            continue;
        }
        take(s, lane, t);
        het__sim_begin(s, lane, t);
    }
}
