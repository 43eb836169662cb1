/* SPDX-License-Identifier: Apache-2.0 */
/* Making plans: the problem, its placement, and what the placement means without the policy's
 * wishes. */
#include "lib/partition/plan.h"

#include <assert.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "lib/base/error.h"
#include "lib/partition/plan_stream.h"

static het_status cannot_run(const het__plan_problem *q, uint32_t at, het_error *err)
{
    const uint32_t node = at / q->steps;
    const het__node *n = &q->request->graph->nodes[node];
    const char *reason = q->reasons[(size_t)at * q->devices];
    return het__fail(err, HET_E_UNSUPPORTED, "no device runs %s (%s): %s: %s", n->name,
                     het__node_operation(n), q->request->machine->device[0].backend,
                     reason ? reason : "what it needs is on other devices");
}

/* What is to be stored, against what there is. */
static het_status cannot_fit(const het__plan_problem *q, bool proven, het_error *err)
{
    double stored = 0;
    char limits[128] = "";
    size_t used = 0;
    for (uint32_t i = 0; i < q->slot_first; i++)
        stored += q->place.stores[i].bytes;
    for (uint32_t d = 0; d < q->devices; d++) {
        if (!isfinite(q->limit[d]))
            continue;
        const int n = snprintf(limits + used, sizeof limits - used, "%s%s %.0f MB",
                               used ? ", " : "", q->request->machine->device[d].backend,
                               q->limit[d] / 1e6);
        if (n > 0 && used + (size_t)n < sizeof limits)
            used += (size_t)n;
    }
    return het__fail(err, HET_E_UNSUPPORTED,
                     "%s: weights and states are %.0f MB, memories hold %s",
                     proven ? "no placement fits" : "found no placement that fits", stored / 1e6,
                     limits);
}

/* ---- steps one by one, then together ---- */

/* The best placement of one step alone; HET_E_UNSUPPORTED is no failure yet. */
static het_status place_alone(const het__plan_problem *q, uint32_t step, het__mem *mem,
                              uint8_t *devices, bool *proven, het_error *err)
{
    het__plan_request alone = *q->request;
    het__plan_problem one;
    het__arena arena;
    uint32_t stuck;
    alone.steps = &q->step[step];
    alone.step_count = 1;
    alone.forced = alone.forced ? alone.forced + (size_t)step * q->nodes : NULL;
    het__placement placement = { 0 };
    het__arena_init(&arena, mem);
    placement.device = het__arena_zero(&arena, q->nodes, 1);
    het_status s = placement.device ? het__plan_problem_make(&alone, &arena, &one, err)
                                    : HET_E_NOMEM;
    if (s == HET_OK)
        s = het__place(&one.place, mem, &placement, &stuck);
    for (uint32_t n = 0; s == HET_OK && n < q->nodes; n++)
        devices[(size_t)n * q->steps + step] = placement.device[n];
    *proven = *proven && s == HET_OK && placement.proven;
    het__arena_finish(&arena);
    return s;
}

/* Steps placed one by one are best together too if they agree on states and fit. */
static het_status place_apart(const het__plan_problem *q, het__mem *mem, uint8_t *devices,
                              bool *done, bool *usable, het_error *err)
{
    het__place_sums sums;
    bool proven = true;
    *done = *usable = false;
    for (uint32_t k = 0; k < q->steps; k++) {
        const het_status s = place_alone(q, k, mem, devices, &proven, err);
        if (s != HET_OK)
            return s == HET_E_UNSUPPORTED ? HET_OK : s;
    }
    const het_status s = het__place_measure(&q->place, devices, mem, &sums);
    *usable = s == HET_OK && sums.possible && sums.fits;
    *done = *usable && proven && q->place.objective == HET__PLACE_SUM;
    return s;
}

/* The last resort: hosts read weights from the mapped file as they need them. False: there is no
 * host. */
static bool leave_in_file(het__plan_problem *q)
{
    for (uint32_t d = 0; d < q->devices; d++) {
        const uint32_t kind = q->request->machine->device[d].kind;
        if (kind == HET_DEVICE_CPU || kind == HET_DEVICE_REFERENCE)
            q->place.file_devices |= 1u << d;
    }
    q->plain.file_devices = q->place.file_devices;
    return q->place.file_devices != 0;
}

/* What the joint search begins with: steps placed one by one if that can be, else all alike. */
static het_status find_hint(het__plan_problem *q, het__mem *mem, uint8_t *apart, bool usable)
{
    q->place.hint = usable ? apart : NULL;
    if (usable || q->steps == 1 || q->place.objective != HET__PLACE_SUM)
        return HET_OK;
    const het_status s = het__plan_place_together(q, mem, apart);
    q->place.hint = s == HET_OK ? apart : NULL;
    return s == HET_E_UNSUPPORTED ? HET_OK : s;
}

/* in_file: hosts may leave weights in the file where nothing else fits. */
static het_status place_all(het__plan_problem *q, bool in_file, het__mem *mem,
                            het__placement *placement, het_error *err)
{
    uint32_t stuck = 0;
    bool done = false, usable = false;
    het_status s = HET_OK;
    uint8_t *apart = het__arena_zero(q->arena, q->place.node_count, 1);
    if (!apart)
        return het__fail_nomem(err, "the placement");
    if (q->steps > 1)
        s = place_apart(q, mem, apart, &done, &usable, err);
    if (s != HET_OK)
        return s == HET_E_NOMEM ? het__fail_nomem(err, "the placement") : s;
    if (done) {
        memcpy(placement->device, apart, q->place.node_count);
        placement->proven = true;
        return HET_OK;
    }
    s = find_hint(q, mem, apart, usable);
    if (s == HET_OK)
        s = het__place(&q->place, mem, placement, &stuck);
    if (s == HET_E_UNSUPPORTED && stuck == q->place.node_count && in_file && leave_in_file(q))
        s = het__place(&q->place, mem, placement, &stuck);
    q->place.hint = NULL;
    if (s == HET_E_UNSUPPORTED && stuck < q->place.node_count)
        return cannot_run(q, stuck, err);
    if (s == HET_E_UNSUPPORTED)
        return cannot_fit(q, placement->proven, err);
    return s == HET_OK ? HET_OK : het__fail_nomem(err, "the placement");
}

/* ---- what it comes to ---- */

static het_status objective_of(const het__plan_problem *q, const uint8_t *devices, het__mem *mem,
                               double *objective)
{
    het__place_sums sums;
    const het_status s = het__place_measure(&q->plain, devices, mem, &sums);
    *objective = s == HET_OK && sums.possible && sums.fits ? sums.objective : INFINITY;
    return s;
}

static uint32_t broken_wishes(const het__plan_problem *q, const uint8_t *devices)
{
    uint32_t broken = 0;
    for (uint32_t n = 0; q->broken && n < q->place.node_count; n++)
        broken += q->broken[(size_t)n * q->devices + devices[n]];
    return broken;
}

static het_status compare(const het__plan_problem *q, const het__placement *placement,
                          het__mem *mem, het__plan *plan)
{
    uint8_t *trial = het__arena_zero(q->arena, q->place.node_count, 1);
    het_status s = trial ? objective_of(q, placement->device, mem, &plan->total) : HET_E_NOMEM;
    for (uint32_t d = 0; s == HET_OK && d < q->devices; d++) {
        memset(trial, (int)d, q->place.node_count);
        s = objective_of(q, trial, mem, &plan->single[d]);
    }
    plan->greedy = INFINITY;
    if (s == HET_OK && het__place_greedy(&q->plain, trial))
        s = objective_of(q, trial, mem, &plan->greedy);
    plan->objective = q->objective;
    plan->proven = placement->proven;
    plan->broken_wishes = broken_wishes(q, placement->device);
    plan->bound = placement->proven ? plan->total : q->wish > 0 ? 0 : placement->bound;
    return s;
}

static het_status fill(const het__plan_problem *q, const uint8_t *devices, uint32_t step,
                       const het__plan *common, het__mem *mem, het__plan *plan, het_error *err)
{
    const het__plan_request *r = q->request;
    *plan = *common;
    het__arena_init(&plan->arena, mem);
    plan->machine = *r->machine;
    plan->node_count = q->nodes;
    plan->unfused_count = r->unfused_count;
    het_status s = het__plan_describe(q, devices, step, plan) ? HET_OK
                                                              : het__fail_nomem(err, "the plan");
    if (s == HET_OK && (r->split || r->simulated))
        s = het__plan_split_find(q, devices, step, plan, err);
    if (s != HET_OK)
        return s;
    plan->text = het__plan_write(plan, r->graph, q->step[step].name, mem);
    return plan->text ? HET_OK : het__fail_nomem(err, "the plan");
}

/* ---- with or without weights that come ---- */

typedef struct candidate {
    het__plan_problem q;
    het__placement placement;
    het__plan common;
    bool is_found;
} candidate;

static het_status problem_of(const het__plan_request *r, het__arena *arena, candidate *c,
                             het_error *err)
{
    memset(c, 0, sizeof *c);
    const het_status s = het__plan_problem_make(r, arena, &c->q, err);
    if (s != HET_OK)
        return s;
    c->placement.device = het__arena_zero(arena, c->q.place.node_count, 1);
    return c->placement.device ? HET_OK : het__fail_nomem(err, "the plan");
}

static het_status measure(candidate *c, het__mem *mem, het_error *err)
{
    if (compare(&c->q, &c->placement, mem, &c->common) != HET_OK)
        return het__fail_nomem(err, "the plan");
    c->is_found = true;
    return HET_OK;
}

/* Which layers come, and where everything is then; no placement: found stays false. */
static het_status place_streamed(const het__plan_request *r, uint32_t devices, het__arena *arena,
                                 het__mem *mem, candidate *c, het_error *err)
{
    het__plan_request *with = het__arena_zero(arena, 1, sizeof *with);
    het__plan_streams *streams = het__arena_zero(arena, 1, sizeof *streams);
    candidate *all = het__arena_zero(arena, 1, sizeof *all);
    if (!with || !streams || !all || !het__plan_stream_all(&c->q, devices, streams))
        return het__fail_nomem(err, "the plan");
    *with = *r;
    with->streams = streams;
    het_status s = problem_of(with, arena, all, err);
    if (s == HET_OK)
        s = place_all(&all->q, false, mem, &all->placement, NULL);
    if (s == HET_OK)
        s = het__plan_stream_choose(&all->q, all->placement.device, mem, streams);
    if (s != HET_OK)
        return s == HET_E_UNSUPPORTED ? HET_OK : het__fail_nomem(err, "the plan");
    with->streams = streams->devices ? streams : NULL;
    s = problem_of(with, arena, c, err);
    if (s != HET_OK)
        return s;
    memcpy(c->placement.device, all->placement.device, c->q.place.node_count);
    s = measure(c, mem, err);
    c->is_found = s == HET_OK && isfinite(c->common.total);
    return s;
}

/* b instead of a. */
static bool is_better(const candidate *b, const candidate *a, bool is_wanted)
{
    if (!b->is_found || !a->is_found)
        return b->is_found;
    return (is_wanted && b->q.request->streams) ||
           (b->common.broken_wishes <= a->common.broken_wishes &&
            b->common.total < a->common.total);
}

static het_status place_given(const het__plan_request *r, het__arena *arena, het__mem *mem,
                              candidate *c, het_error *err)
{
    het_status s = problem_of(r, arena, c, err);
    if (s != HET_OK)
        return s;
    for (uint32_t k = 0; k < c->q.steps; k++)
        for (uint32_t n = 0; n < c->q.nodes; n++)
            c->placement.device[(size_t)n * c->q.steps + k] = r->given[(size_t)k * c->q.nodes + n];
    s = measure(c, mem, err);
    if (s == HET_OK && !isfinite(c->common.total))
        s = cannot_fit(&c->q, false, err);
    return s;
}

static het_status place_best(const het__plan_request *r, het__arena *arena, het__mem *mem,
                             candidate *a, candidate *b, candidate **best, het_error *err)
{
    uint32_t devices = 0;
    bool is_wanted = false;
    het_status s = problem_of(r, arena, a, err);
    if (s != HET_OK)
        return s;
    *best = a;
    if (het__plan_stream_devices(&a->q, mem, &devices, &is_wanted) != HET_OK)
        return het__fail_nomem(err, "the plan");
    s = place_all(&a->q, devices == 0, mem, &a->placement, devices ? NULL : err);
    if (s == HET_OK)
        s = measure(a, mem, err);
    if (!devices || (s != HET_OK && s != HET_E_UNSUPPORTED))
        return s;
    b->q = a->q;
    s = place_streamed(r, devices, arena, mem, b, err);
    if (s == HET_OK && is_better(b, a, is_wanted)) {
        *best = b;
        return s;
    }
    if (s == HET_OK && !a->is_found)
        s = place_all(&a->q, true, mem, &a->placement, err);
    return s == HET_OK && !a->is_found ? measure(a, mem, err) : s;
}

static het_status make(const het__plan_request *r, het__arena *arena, het__mem *mem,
                       het__plan *plans, het_error *err)
{
    candidate *both = het__arena_zero(arena, 2, sizeof *both), *best = NULL;
    if (!both)
        return het__fail_nomem(err, "the plan");
    het_status s = HET_OK;
    if (r->given)
        s = place_given(r, arena, mem, best = &both[0], err);
    else
        s = place_best(r, arena, mem, &both[0], &both[1], &best, err);
    for (uint32_t k = 0; s == HET_OK && k < best->q.steps; k++)
        s = fill(&best->q, best->placement.device, k, &best->common, mem, &plans[k], err);
    return s;
}

het_status het__plan_make(const het__plan_request *request, het__mem *mem, het__plan *plans,
                          het_error *err)
{
    het__arena arena;
    const uint32_t count = request->step_count ? request->step_count : 1;
    assert(count <= HET__PLAN_STEPS_MAX && (!request->policy || request->labels));
    memset(plans, 0, count * sizeof *plans);
    het__arena_init(&arena, mem);
    const het_status s = make(request, &arena, mem, plans, err);
    het__arena_finish(&arena);
    for (uint32_t k = 0; s != HET_OK && k < count; k++)
        het__plan_finish(&plans[k]);
    return s;
}

void het__plan_finish(het__plan *plan)
{
    if (!plan->arena.mem)
        return;
    het__free(plan->arena.mem, plan->text);
    het__arena_finish(&plan->arena);
    memset(plan, 0, sizeof *plan);
}
