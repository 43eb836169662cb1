/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/exec/split.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/error.h"
#include "lib/exec/branch.h"
#include "lib/exec/registry.h"
#include "lib/passes/split_rows.h"

/* What one phase does with a node: rows up to a share of them are one device's, the rest another
 * one's; the device of the smaller number has the first ones, so that phases which divide a product
 * the same way round have rows in common. low == high: nothing is divided. */
typedef struct spread {
    uint8_t low, high; /* devices of the plans' machine */
    double share;      /* of low */
} spread;

typedef struct maker {
    const het__exec_request *q;
    het__mem *mem;
    het__arena arena;
    uint32_t phases, nodes, devices;
    het__plan *plans;          /* per phase: without splits */
    const het__machine *machine;
    het__policy_view view;
    const het__node_label *labels; /* NULL: the policy names no split */
    spread *spreads;           /* [phase * nodes + node] */
    het__branch *branches;     /* room for all that there can be */
    uint32_t branch_count;
    uint32_t *order, *position; /* of nodes, branches moved: branch.h */
    double plain_ns[HET__PHASE_COUNT]; /* simulated, undivided */
    bool has_plain;
    bool is_forced;            /* by the policy */
    het__split_graph made;
    uint8_t *given, *begins;   /* of made's nodes: see het__plan_request */
} maker;

/* ---- whether ---- */

static uint32_t split_when(const het__exec_request *q)
{
    return q->policy ? q->policy->split_when : HET__SPLIT_AUTO;
}

/* Figures of every device have been measured: what a simulation says can be believed. */
static bool is_measured(const het__machine *machine)
{
    for (uint32_t d = 0; d < machine->device_count; d++)
        if (!machine->device[d].calibration)
            return false;
    return true;
}

/* What takes longer but draws less, and weights that come, are not simulated. */
static bool is_searched(const maker *m)
{
    const uint32_t when = split_when(m->q);
    if (m->plans[0].objective != HET_OBJECTIVE_LATENCY)
        return false;
    return when == HET__SPLIT_ALWAYS || (when == HET__SPLIT_AUTO && is_measured(m->machine));
}

static bool streams(const maker *m)
{
    for (uint32_t p = 0; p < m->phases; p++)
        for (uint32_t d = 0; d < m->devices; d++)
            if (m->plans[p].stream[d].slot_count)
                return true;
    return false;
}

/* ---- what is divided ---- */

static const het__registered *registered(const maker *m, uint32_t device)
{
    return &m->q->registry->device[m->machine->device[device].context_index];
}

static bool runs(maker *m, const het__graph *graph, uint32_t node, uint32_t device)
{
    return !het__exec_refusal(m->q, graph, node, m->machine->device[device].context_index,
                              &m->arena);
}

static spread *spread_of(const maker *m, uint32_t phase, uint32_t node)
{
    return &m->spreads[(size_t)phase * m->nodes + node];
}

/* share: of the rows, for other. */
static void divide(maker *m, uint32_t phase, uint32_t node, uint32_t other, double share)
{
    const uint32_t device = m->plans[phase].node_device[node];
    *spread_of(m, phase, node) =
        device < other ? (spread){ (uint8_t)device, (uint8_t)other, 1 - share }
                       : (spread){ (uint8_t)other, (uint8_t)device, share };
}

/* Shares that the policy names: for the first of its devices that runs the product. */
static void obey_node(maker *m, uint32_t phase, uint32_t node)
{
    const uint32_t device = m->plans[phase].node_device[node];
    het__policy_subject subject;
    het__work work;
    uint32_t others;
    het__node_work(m->q->graph, &m->q->graph->nodes[node], m->q->symbols_max[phase], &work);
    het__policy_subject_of(m->q->graph, node, &m->labels[node], &work, &subject);
    const double share = het__policy_split_of(&m->view, &subject, device, &others);
    for (uint32_t d = 0; d < m->devices; d++) {
        if (!(others >> d & 1) || !runs(m, m->q->graph, node, d))
            continue;
        divide(m, phase, node, d, share);
        m->is_forced = true;
        return;
    }
}

static void obey_policy(maker *m)
{
    for (uint32_t n = 0; m->labels && n < m->nodes; n++)
        for (uint32_t p = 0; het__can_split_rows(m->q->graph, &m->q->graph->nodes[n]) &&
                             p < m->phases; p++)
            obey_node(m, p, n);
}

/* One of the two must work while the other does. */
static bool can_overlap(const maker *m, uint32_t a, uint32_t b)
{
    return registered(m, a)->backend->is_asynchronous || registered(m, b)->backend->is_asynchronous;
}

/* What more programs a divided product takes where all of it is on its device: another part, and
 * what is behind them. */
static double overhead_ns(const maker *m, uint32_t phase, uint32_t node)
{
    const het__node *n = &m->q->graph->nodes[node];
    const bool has_residual = n->op == HET__OP_LINEAR && n->attrs.linear.residual;
    return m->machine->device[m->plans[phase].node_device[node]].launch.value *
           (1 + n->output_count + has_residual);
}

/* States are in one place in all phases. */
static bool has_state(const het__graph *g, uint32_t first, uint32_t count)
{
    for (uint32_t n = first; n < first + count; n++)
        for (uint32_t i = 0; i < g->nodes[n].input_count; i++)
            if (g->nodes[n].inputs[i] != HET__NO_VALUE &&
                g->values[g->nodes[n].inputs[i]].kind == HET__VALUE_STATE)
                return true;
    return false;
}

static void note_branch(maker *m, uint32_t phase, const het__plan_split *found)
{
    if (has_state(m->q->graph, found->first_node, found->node_count))
        return;
    m->branches[m->branch_count++] = (het__branch){
        found->first_node, found->node_count, phase, (uint8_t)found->other,
        !registered(m, found->other)->backend->is_asynchronous,
    };
}

/* Products in it that the policy divides are left to the policy. */
static void drop_divided_branches(maker *m)
{
    uint32_t kept = 0;
    for (uint32_t i = 0; i < m->branch_count; i++) {
        const het__branch *b = &m->branches[i];
        bool is_whole = true;
        for (uint32_t n = b->first; n < b->first + b->count; n++)
            for (uint32_t p = 0; p < m->phases; p++)
                is_whole = is_whole && spread_of(m, p, n)->low == spread_of(m, p, n)->high;
        if (is_whole)
            m->branches[kept++] = *b;
    }
    m->branch_count = kept;
}

/* What the simulation of a phase found; worth: per node, what it gains in all phases. */
static void note_found(maker *m, uint32_t phase, const het__plan *found, double *worth)
{
    double before = found->simulated_ns;
    m->plain_ns[phase] = found->simulated_ns;
    for (uint32_t i = 0; i < found->split_count; i++) {
        const het__plan_split *split = &found->splits[i];
        const double gain = before - split->simulated_ns;
        before = split->simulated_ns;
        if (!can_overlap(m, split->device, split->other))
            continue;
        if (split->share == 1)
            note_branch(m, phase, split);
        if (split->share == 1 ||
            !het__can_split_rows(m->q->graph, &m->q->graph->nodes[split->first_node]))
            continue;
        divide(m, phase, split->first_node, split->other, split->share);
        worth[split->first_node] += gain * het__exec_phase_weight(m->phases, phase);
    }
}

/* What one phase gains the others must not lose by having more nodes. */
static void drop_unworthy(maker *m, double *worth)
{
    for (uint32_t n = 0; n < m->nodes; n++) {
        for (uint32_t p = 0; p < m->phases; p++)
            worth[n] -= overhead_ns(m, p, n) * het__exec_phase_weight(m->phases, p);
        for (uint32_t p = 0; p < m->phases && worth[n] <= 0; p++)
            *spread_of(m, p, n) = (spread){ 0, 0, 0 };
    }
}

/* What the simulation of the plans finds to pay. */
static het_status search(maker *m, het_error *err)
{
    const het__exec_planning how = { .split = true };
    het__plan found[HET__PHASE_COUNT];
    double *worth = het__arena_zero(&m->arena, m->nodes, sizeof *worth);
    const het_status s = worth ? het__exec_plan_with(m->q, &how, m->mem, found, err)
                               : het__fail_nomem(err, "the plan");
    for (uint32_t p = 0; s == HET_OK && p < m->phases; p++) {
        note_found(m, p, &found[p], worth);
        het__plan_finish(&found[p]);
    }
    if (s == HET_OK)
        drop_unworthy(m, worth);
    m->has_plain = s == HET_OK;
    return s;
}

static bool bind_policy(maker *m, het_error *err, het_status *s)
{
    const het__graph *g = m->q->graph;
    if (!m->q->policy || !m->q->policy->split_count)
        return false;
    het__node_label *labels = het__arena_zero(&m->arena, (size_t)m->nodes + 1, sizeof *labels);
    *s = labels ? het__graph_labels(g, m->mem, labels, err) : het__fail_nomem(err, "the plan");
    if (*s == HET_OK)
        *s = het__policy_bind(m->q->policy, m->machine, m->mem, &m->view, err);
    m->labels = *s == HET_OK ? labels : NULL;
    return m->labels != NULL;
}

/* ---- the graph ---- */

static int by_share(const void *a, const void *b)
{
    const het__row_cut *x = a, *y = b;
    return x->share < y->share ? -1 : x->share > y->share;
}

/* Cuts of all phases; and whether the last rows of a node are started first, because their device
 * works by itself and that of the first ones does not. */
static uint32_t collect_cuts(const maker *m, het__row_cut *cuts, bool *reversed)
{
    uint32_t count = 0;
    for (uint32_t n = 0; n < m->nodes; n++) {
        const uint32_t first = count;
        for (uint32_t p = 0; p < m->phases; p++) {
            const spread *s = spread_of(m, p, n);
            if (s->low == s->high)
                continue;
            if (count == first)
                reversed[n] = registered(m, s->high)->backend->is_asynchronous &&
                              !registered(m, s->low)->backend->is_asynchronous;
            cuts[count++] = (het__row_cut){ n, s->share };
        }
        qsort(cuts + first, count - first, sizeof *cuts, by_share);
    }
    return count;
}

static het_status cut_graph(maker *m, het_error *err)
{
    het__row_cut *cuts = het__arena_zero(&m->arena, (size_t)m->nodes * m->phases, sizeof *cuts);
    bool *reversed = het__arena_zero(&m->arena, m->nodes, sizeof *reversed);
    if (!cuts || !reversed)
        return het__fail_nomem(err, "the plan");
    const uint32_t count = collect_cuts(m, cuts, reversed);
    het__branch_order(m->q->graph, m->branches, m->branch_count, m->order, m->position);
    const het__split_request q = { m->q->graph, cuts, count, reversed, m->order };
    return het__split_rows(&q, m->mem, &m->made, err);
}

/* ---- its plan ---- */

static uint32_t device_of_part(const spread *s, const het__split_origin *origin, uint32_t device)
{
    if (s->low == s->high)
        return device;
    return origin->first >= s->share ? s->high : s->low;
}

/* Behind the parts: with what reads it, if that device can. */
static uint32_t device_behind(maker *m, const spread *s, uint32_t node, uint32_t device)
{
    const uint32_t other = s->low == device ? s->high : s->low;
    if (runs(m, &m->made.graph, node, device) || !runs(m, &m->made.graph, node, other))
        return device;
    return other;
}

/* Whether two devices have parts of the same product as the part at a place. */
static bool is_apart(const maker *m, const uint8_t *given, uint32_t first)
{
    const het__split_origin *o = m->made.origins;
    for (uint32_t n = first + 1; n < m->made.graph.node_count && o[n].is_part &&
                                 o[n].node == o[first].node; n++)
        if (given[n] != given[first])
            return true;
    return false;
}

/* The parts of a product that is divided, and what is behind them, begin entries: what makes their
 * input has ended before all of it has, and a join does not hold up the part before it. */
static void mark_begins(maker *m, const uint8_t *given, uint8_t *begins)
{
    const het__split_origin *o = m->made.origins;
    const uint32_t count = m->made.graph.node_count;
    bool apart = false;
    for (uint32_t n = 0; n < count; n++) {
        const bool is_new = n == 0 || o[n].node != o[n - 1].node;
        if (is_new)
            apart = o[n].is_part && is_apart(m, given, n);
        begins[n] = apart && (is_new || (o[n].is_behind && o[n - 1].is_part));
    }
}

/* Nodes of the new graph that a node of the old one has become. */
static uint32_t first_of(const maker *m, uint32_t node)
{
    uint32_t n = 0;
    while (m->made.origins[n].node != node)
        n++;
    return n;
}

static uint32_t end_of(const maker *m, uint32_t node)
{
    uint32_t n = first_of(m, node);
    while (n < m->made.graph.node_count && m->made.origins[n].node == node)
        n++;
    return n;
}

/* Branches of a phase on their devices. What stands behind their source, and who uses them, begin
 * entries: the source has ended before what else its device does, and that is not held up. */
static void place_branches(const maker *m, uint32_t phase, uint8_t *given, uint8_t *begins)
{
    const het__graph *g = m->q->graph;
    for (uint32_t i = 0; i < m->branch_count; i++) {
        const het__branch *b = &m->branches[i];
        if (b->phase != phase)
            continue;
        const uint32_t source = het__branch_source(g, b, m->position);
        const uint32_t user = het__branch_user(g, b, m->position);
        for (uint32_t n = b->first; n < b->first + b->count; n++)
            given[first_of(m, n)] = b->device;
        if (source != HET__NO_VALUE)
            begins[end_of(m, source)] = 1; /* the branch, if nothing else, is behind it */
        if (user != HET__NO_VALUE)
            begins[first_of(m, user)] = 1;
    }
}

static bool place(maker *m)
{
    const uint32_t count = m->made.graph.node_count;
    m->given = het__arena_zero(&m->arena, (size_t)count * m->phases, 1);
    m->begins = het__arena_zero(&m->arena, (size_t)count * m->phases, 1);
    if (!m->given || !m->begins)
        return false;
    for (uint32_t p = 0; p < m->phases; p++) {
        const size_t step = (size_t)het__exec_step_of(m->phases, p) * count;
        for (uint32_t n = 0; n < count; n++) {
            const het__split_origin *o = &m->made.origins[n];
            const spread *s = spread_of(m, p, o->node);
            const uint32_t device = m->plans[p].node_device[o->node];
            const uint32_t there = o->is_part     ? device_of_part(s, o, device)
                                   : o->is_behind ? device_behind(m, s, n, device)
                                                  : device;
            m->given[step + n] = (uint8_t)there;
        }
        mark_begins(m, m->given + step, m->begins + step);
        place_branches(m, p, m->given + step, m->begins + step);
    }
    return true;
}

/* What a plan's products are divided into, and its branches, as het__plan_split_find() would list
 * them. */
static bool list_splits(const maker *m, uint32_t phase, het__plan *plan)
{
    const het__split_origin *o = m->made.origins;
    plan->splits = het__arena_zero(&plan->arena, (size_t)m->made.split_count + m->branch_count,
                                   sizeof *plan->splits);
    plan->split_count = 0;
    plan->simulated_ns = m->plain_ns[phase];
    for (uint32_t n = 0; plan->splits && n < m->made.graph.node_count; n++) {
        if (!o[n].is_part || (n > 0 && o[n - 1].node == o[n].node) ||
            !is_apart(m, plan->node_device, n))
            continue;
        const spread *s = spread_of(m, phase, o[n].node);
        const uint32_t device = m->plans[phase].node_device[o[n].node];
        const char *name = het__arena_strdup(&plan->arena, m->made.graph.nodes[n].name);
        if (!name)
            return false;
        plan->splits[plan->split_count++] = (het__plan_split){
            n, 1, device, s->low == device ? s->high : s->low,
            s->low == device ? 1 - s->share : s->share, plan->split_ns, name,
        };
    }
    for (uint32_t i = 0; plan->splits && i < m->branch_count; i++) {
        const het__branch *b = &m->branches[i];
        const char *name = het__arena_strdup(&plan->arena, m->q->graph->nodes[b->first].name);
        if (!name)
            return false;
        if (b->phase == phase)
            plan->splits[plan->split_count++] = (het__plan_split){
                first_of(m, b->first), b->count, m->plans[phase].node_device[b->first], b->device,
                1, plan->split_ns, name,
            };
    }
    return plan->splits != NULL;
}

static void finish_plans(const maker *m, het__plan *plans)
{
    for (uint32_t p = 0; p < m->phases; p++)
        het__plan_finish(&plans[p]);
}

static het_status simulate_plain(maker *m, het_error *err)
{
    het__exec_planning how = { .simulated = true };
    het__plan plans[HET__PHASE_COUNT];
    if (m->has_plain)
        return HET_OK;
    uint8_t *given = het__arena_zero(&m->arena, (size_t)m->nodes * m->phases, 1);
    if (!given)
        return het__fail_nomem(err, "the plan");
    for (uint32_t p = 0; p < m->phases; p++)
        memcpy(given + (size_t)het__exec_step_of(m->phases, p) * m->nodes,
               m->plans[p].node_device, m->nodes);
    how.given = given;
    const het_status s = het__exec_plan_with(m->q, &how, m->mem, plans, err);
    for (uint32_t p = 0; s == HET_OK && p < m->phases; p++)
        m->plain_ns[p] = plans[p].simulated_ns;
    if (s == HET_OK)
        finish_plans(m, plans);
    m->has_plain = s == HET_OK;
    return s;
}

/* What the policy names and cannot be is worth a warning, unless it is because a device's memory
 * ran out, which has one of its own. */
static void tell_refused(const maker *m, const char *why)
{
    bool is_short = false;
    for (uint32_t d = 0; m->q->memory_limits && d < m->devices; d++)
        is_short = is_short || m->q->memory_limits[m->machine->device[d].context_index] > 0;
    if (m->is_forced)
        het__log_line(m->q->registry->host.log, is_short ? HET_LOG_INFO : HET_LOG_WARN, "plan",
                      "no product is divided: %s", why);
}

/* Whether the plans of the new graph are kept; HET_OK too if they are not. */
static het_status plan_made(maker *m, bool *is_kept, het_error *err)
{
    const het__exec_planning how = { .graph = &m->made.graph, .given = m->given,
                                     .begins = m->begins, .simulated = true };
    het__plan plans[HET__PHASE_COUNT];
    het_error own = HET_ERROR_INIT;
    double gain = 0;
    het_status s = simulate_plain(m, err);
    if (s != HET_OK)
        return s;
    s = het__exec_plan_with(m->q, &how, m->mem, plans, &own);
    if (s == HET_E_NOMEM)
        return het__fail_nomem(err, "the plan");
    if (s != HET_OK) {
        tell_refused(m, own.message);
        return HET_OK;
    }
    for (uint32_t p = 0; p < m->phases; p++)
        gain += (m->plain_ns[p] - plans[p].simulated_ns) * het__exec_phase_weight(m->phases, p);
    *is_kept = m->is_forced || gain > 0;
    for (uint32_t p = 0; s == HET_OK && *is_kept && p < m->phases; p++)
        if (!list_splits(m, p, &plans[p]))
            s = het__fail_nomem(err, "the plan");
    if (s != HET_OK || !*is_kept) {
        finish_plans(m, plans);
        return s;
    }
    finish_plans(m, m->plans);
    memcpy(m->plans, plans, m->phases * sizeof *plans);
    return HET_OK;
}

/* ---- the whole ---- */

static het_status make(maker *m, bool *is_kept, het_error *err)
{
    het_status s = HET_OK;
    const size_t all = (size_t)m->nodes * m->phases;
    m->spreads = het__arena_zero(&m->arena, all, sizeof *m->spreads);
    m->branches = het__arena_zero(&m->arena, all, sizeof *m->branches);
    m->order = het__arena_zero(&m->arena, m->nodes, sizeof *m->order);
    m->position = het__arena_zero(&m->arena, m->nodes, sizeof *m->position);
    if (!m->spreads || !m->branches || !m->order || !m->position)
        return het__fail_nomem(err, "the plan");
    if (is_searched(m))
        s = search(m, err);
    if (s == HET_OK && bind_policy(m, err, &s)) {
        obey_policy(m);
        het__policy_view_finish(&m->view);
        drop_divided_branches(m);
    }
    if (s == HET_OK)
        s = cut_graph(m, err);
    if (s != HET_OK || !(m->made.split_count || m->branch_count))
        return s;
    if (!place(m))
        return het__fail_nomem(err, "the plan");
    return plan_made(m, is_kept, err);
}

het_status het__exec_plan_split(const het__exec_request *request, het__mem *mem, het__plan *plans,
                                het__graph *graph, het_error *err)
{
    static const het__exec_planning plain = { .graph = NULL };
    maker m = { .q = request, .mem = mem, .plans = plans, .nodes = request->graph->node_count,
                .phases = request->phase_count ? request->phase_count : HET__PHASE_COUNT };
    bool is_kept = false;
    memset(graph, 0, sizeof *graph);
    het_status s = het__exec_plan_with(request, &plain, mem, plans, err);
    if (s != HET_OK)
        return s;
    const het__machine machine = plans[0].machine;
    m.machine = &machine;
    m.devices = machine.device_count;
    const bool is_wanted = is_searched(&m) || (request->policy && request->policy->split_count);
    if (m.devices < 2 || split_when(request) == HET__SPLIT_NEVER || streams(&m) || !is_wanted)
        return HET_OK;
    het__arena_init(&m.arena, mem);
    s = make(&m, &is_kept, err);
    het__arena_finish(&m.arena);
    if (s != HET_OK)
        finish_plans(&m, plans);
    if (s == HET_OK && is_kept)
        *graph = m.made.graph;
    else
        het__graph_finish(&m.made.graph);
    return s;
}
