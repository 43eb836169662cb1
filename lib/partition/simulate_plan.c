/* SPDX-License-Identifier: Apache-2.0 */
/* From a plan to tasks: one round of units and transfers, its repetition, and where work goes when
 * a device is lost. */
#include "lib/partition/simulate_plan.h"

#include <math.h>
#include <string.h>

#include "lib/base/error.h"
#include "lib/cost/cost.h"

/* Rounds of an adaptive run: the least size may be a single token. */
#define ADAPTIVE_ROUNDS_MAX 65536

typedef struct builder {
    const het__plan_sim_request *r;
    const het__machine *machine; /* the plan's, without calibrations: they may be gone */
    het__plan_sim *sim;
    het__arena *arena;
    int64_t symbols[HET__SYM_MAX]; /* of one round */
    double nominal;                /* tokens of it */
    uint32_t *unit_of;             /* per node: task of a round */
    uint32_t *mark;                /* per task: the last that asked for it */
    uint32_t *carried;             /* per value: transfer that was added last; HET__SIM_NONE */
    uint32_t *before;              /* per transfer task: the one before of its value */
    het__plan_unit *units;
    het__sim_task *tasks;
    uint32_t *edges;
    uint32_t edge_count, next_transfer;
    uint32_t *lane_from, *lane_to, *lane_group;
    het__sim_lane *lanes;
    het__sim_group groups[HET__MACHINE_GROUPS_MAX];
    het__sim_error *errors;
} builder;

/* ---- costs ---- */

/* What nodes take on a device in a round, and the bytes that they move. */
typedef struct amount {
    double ns, weight_bytes, activation_bytes, flops;
} amount;

static double model_ns(const builder *b, uint32_t n, const int64_t *symbols, uint32_t device,
                       het__work *work)
{
    const het__graph *g = b->r->graph;
    het__cost cost;
    het__node_work(g, &g->nodes[n], symbols, work);
    het__cost_node(g, &g->nodes[n], work, &b->machine->device[device], b->r->exact, &cost);
    return cost.ns;
}

/* The plan's own times where a node runs as planned; elsewhere the cost model's, in proportion. */
static amount amount_of(const builder *b, const het__plan_unit *u, uint32_t device)
{
    const het__plan *plan = b->r->plan;
    const bool is_planned = device == u->from;
    amount a = { 0 };
    for (uint32_t n = u->first_node; n < u->first_node + u->node_count; n++) {
        het__work w;
        const double whole = model_ns(b, n, b->r->symbols, u->from, &w);
        const double here = model_ns(b, n, b->symbols, device, &w);
        const bool is_same =
            is_planned && b->symbols[HET__SYM_TOKENS] == b->r->symbols[HET__SYM_TOKENS];
        a.ns += is_same || whole <= 0 ? plan->node_ns[n] : plan->node_ns[n] * (here / whole);
        a.weight_bytes += w.weight_bytes;
        a.activation_bytes += w.input_bytes + w.output_bytes;
        a.flops += w.flops;
    }
    return a;
}

/* Bytes that the memory can move in that time; the rest comes from caches. */
static double loaded(const builder *b, uint32_t group, double bytes, double ns)
{
    const double bandwidth = group < b->machine->group_count
                                 ? b->machine->group[group].bandwidth.value : 0;
    return bandwidth > 0 ? fmin(bytes, bandwidth * ns * 1e-9) : bytes;
}

static het__sim_cost cost_on(const builder *b, const het__plan_unit *u, uint32_t device,
                             double *fixed_bytes)
{
    const het__machine_device *d = &b->machine->device[device];
    const amount a = amount_of(b, u, device);
    const double launch = fmin(a.ns, u->node_count * d->launch.value);
    const double bytes = a.weight_bytes + a.activation_bytes;
    const double kept = loaded(b, d->group, bytes, a.ns - launch);
    *fixed_bytes = bytes > 0 ? kept * (a.weight_bytes / bytes) : 0;
    return (het__sim_cost){ device, launch, a.ns - launch, kept,
                            a.flops * d->joules_per_op.value + bytes * d->joules_per_byte.value };
}

/* ---- lanes ---- */

static bool set_machine(builder *b)
{
    het__machine *m = het__arena_alloc(b->arena, sizeof *m);
    if (!m)
        return false;
    *m = b->r->plan->machine;
    for (uint32_t i = 0; i < m->device_count; i++)
        m->device[i].calibration = NULL;
    b->machine = m;
    return true;
}

static bool set_lanes(builder *b)
{
    const het__machine *m = b->machine;
    const uint32_t devices = m->device_count;
    const size_t most = devices + (size_t)devices * devices;
    b->lanes = het__arena_zero(b->arena, most, sizeof *b->lanes);
    b->lane_from = het__arena_zero(b->arena, most, sizeof *b->lane_from);
    b->lane_to = het__arena_zero(b->arena, most, sizeof *b->lane_to);
    b->lane_group = het__arena_zero(b->arena, most, sizeof *b->lane_group);
    if (!b->lanes || !b->lane_from || !b->lane_to || !b->lane_group)
        return false;
    for (uint32_t i = 0; i < devices; i++) {
        const het__machine_device *d = &m->device[i];
        const bool has_joules = d->joules_per_op.value > 0 || d->joules_per_byte.value > 0;
        b->lanes[i] = (het__sim_lane){ d->group < m->group_count ? d->group : HET__SIM_NONE, 0,
                                       has_joules ? 0 : d->watts.value, 0 };
        b->lane_from[i] = b->lane_to[i] = i;
        b->lane_group[i] = b->lanes[i].group;
    }
    b->sim->lane_count = b->sim->device_count = devices;
    for (uint32_t i = 0; i < m->group_count; i++)
        b->groups[i] = (het__sim_group){ m->group[i].bandwidth.value, b->r->token_bandwidth,
                                         b->r->token_size };
    return true;
}

/* The memory that a transfer loads: of two the slower. */
static uint32_t group_between(const builder *b, uint32_t from, uint32_t to)
{
    const uint32_t x = b->lanes[from].group, y = b->lanes[to].group;
    if (x == y || y == HET__SIM_NONE)
        return x;
    if (x == HET__SIM_NONE || b->groups[x].bandwidth <= 0)
        return y;
    return b->groups[y].bandwidth > 0 && b->groups[y].bandwidth < b->groups[x].bandwidth ? y : x;
}

static uint32_t link_lane(builder *b, uint32_t from, uint32_t to)
{
    uint32_t lane = b->sim->device_count;
    while (lane < b->sim->lane_count && (b->lane_from[lane] != from || b->lane_to[lane] != to))
        lane++;
    if (lane == b->sim->lane_count) {
        b->lanes[lane] = (het__sim_lane){ .group = group_between(b, from, to) };
        b->lane_from[lane] = from;
        b->lane_to[lane] = to;
        b->lane_group[lane] = b->lanes[lane].group;
        b->sim->lane_count++;
    }
    return lane;
}

/* ---- one round ---- */

static void depend(builder *b, uint32_t task, uint32_t on)
{
    if (b->mark[on] == task + 1)
        return;
    b->mark[on] = task + 1;
    b->edges[b->edge_count++] = on;
    b->tasks[task].dependency_count++;
}

/* The task that brought a value to a device, or made it there; HET__SIM_NONE: nobody. */
static uint32_t holder(const builder *b, uint32_t value, uint32_t device)
{
    const uint32_t producer = b->r->graph->values[value].producer;
    if (b->r->plan->node_device[producer] == device)
        return b->unit_of[producer];
    uint32_t t = b->carried[value];
    while (t != HET__SIM_NONE && b->units[t].to != device)
        t = b->before[t];
    return t;
}

static uint32_t new_task(builder *b, const het__plan_unit *unit)
{
    const uint32_t t = b->sim->unit_count++;
    b->units[t] = *unit;
    b->tasks[t] = (het__sim_task){ .first_dependency = b->edge_count, .batch = HET__SIM_NONE };
    return t;
}

static het_status add_transfer(builder *b, const het__plan_transfer *x, het_error *err)
{
    const het__value *v = &b->r->graph->values[x->value];
    const uint32_t from = holder(b, x->value, x->from);
    if (from == HET__SIM_NONE)
        return het__fail(err, HET_E_INVALID, "plan: %s is carried from where it is not",
                         v->name ? v->name : "a value");
    const het__plan_unit unit = { b->units[from].entry, v->producer, 1, x->from, x->to, x->value };
    const double bytes = (double)het__value_bytes(v, b->symbols);
    const double latency = het__machine_transfer_ns(b->machine, x->from, x->to, 0);
    const double ns = het__machine_transfer_ns(b->machine, x->from, x->to, bytes) - latency;
    const uint32_t lane = link_lane(b, x->from, x->to), group = b->lanes[lane].group;
    const bool is_inside = b->lanes[x->from].group == b->lanes[x->to].group;
    const uint32_t t = new_task(b, &unit);
    b->tasks[t].cost = (het__sim_cost){ lane, latency, fmax(0, ns),
                                        loaded(b, group, bytes * (is_inside ? 2 : 1), ns), 0 };
    depend(b, t, from);
    b->before[t] = b->carried[x->value];
    b->carried[x->value] = t;
    return HET_OK;
}

static het_status add_unit(builder *b, uint32_t entry, uint32_t first, uint32_t count,
                           het_error *err)
{
    const het__plan *plan = b->r->plan;
    const het__graph *g = b->r->graph;
    const uint32_t device = plan->entries[entry].device;
    const het__plan_unit unit = { entry, first, count, device, device, HET__NO_VALUE };
    for (; b->next_transfer < plan->transfer_count &&
           plan->transfers[b->next_transfer].node < first + count; b->next_transfer++) {
        const het_status s = add_transfer(b, &plan->transfers[b->next_transfer], err);
        if (s != HET_OK)
            return s;
    }
    const uint32_t t = new_task(b, &unit);
    b->tasks[t].cost = cost_on(b, &b->units[t], device, &b->tasks[t].fixed_bytes);
    for (uint32_t n = first; n < first + count; n++)
        b->unit_of[n] = t;
    for (uint32_t n = first; n < first + count; n++)
        for (uint32_t i = 0; i < g->nodes[n].input_count; i++) {
            const uint32_t v = g->nodes[n].inputs[i];
            if (v == HET__NO_VALUE || g->values[v].producer == HET__NO_VALUE)
                continue;
            const uint32_t on = holder(b, v, device);
            if (on == HET__SIM_NONE)
                return het__fail(err, HET_E_INVALID, "plan: %s is not where %s needs it",
                                 g->values[v].name ? g->values[v].name : "a value",
                                 g->nodes[n].name);
            if (on != t)
                depend(b, t, on);
        }
    return HET_OK;
}

static bool reserve(builder *b)
{
    const het__plan *plan = b->r->plan;
    const het__graph *g = b->r->graph;
    const size_t most = (size_t)plan->node_count + plan->transfer_count + 1;
    size_t edges = plan->transfer_count;
    for (uint32_t n = 0; n < g->node_count; n++)
        edges += g->nodes[n].input_count;
    b->units = het__arena_zero(b->arena, most, sizeof *b->units);
    b->tasks = het__arena_zero(b->arena, most, sizeof *b->tasks);
    b->mark = het__arena_zero(b->arena, most, sizeof *b->mark);
    b->before = het__arena_zero(b->arena, most, sizeof *b->before);
    b->edges = het__arena_zero(b->arena, edges + 1, sizeof *b->edges);
    b->unit_of = het__arena_zero(b->arena, (size_t)g->node_count + 1, sizeof *b->unit_of);
    b->carried = het__arena_alloc(b->arena, ((size_t)g->value_count + 1) * sizeof *b->carried);
    if (!b->units || !b->tasks || !b->mark || !b->before || !b->edges || !b->unit_of ||
        !b->carried)
        return false;
    memset(b->carried, 0xff, ((size_t)g->value_count + 1) * sizeof *b->carried);
    return true;
}

static het_status build_round(builder *b, het_error *err)
{
    const het__plan *plan = b->r->plan;
    if (!reserve(b) || !set_lanes(b))
        return het__fail_nomem(err, "a simulation");
    for (uint32_t e = 0; e < plan->entry_count; e++) {
        const het__plan_entry *entry = &plan->entries[e];
        const uint32_t size = b->r->by_node ? 1 : entry->node_count;
        for (uint32_t n = 0; n < entry->node_count; n += size) {
            const het_status s = add_unit(b, e, entry->first_node + n, size, err);
            if (s != HET_OK)
                return s;
        }
    }
    return HET_OK;
}

/* ---- all rounds ---- */

static uint32_t at_least_one(uint32_t x)
{
    return x ? x : 1;
}

/* Tokens of a round: a part of those that the plan is for, rounded up. Later parts have more
 * positions before them; what costs are linear in is their mean. */
static void set_size(builder *b)
{
    const het__plan_sim_request *r = b->r;
    const int64_t tokens = r->symbols[HET__SYM_TOKENS], parts = at_least_one(r->micro_batches);
    memcpy(b->symbols, r->symbols, sizeof b->symbols);
    if (r->is_language && r->is_prefill && parts > 1)
        b->symbols[HET__SYM_TOKENS] = (tokens + parts - 1) / parts;
    b->symbols[HET__SYM_CONTEXT] += (tokens - b->symbols[HET__SYM_TOKENS]) / 2;
    b->nominal = (double)b->symbols[HET__SYM_TOKENS];
}

static double count_rounds(const builder *b)
{
    const het__plan_sim_request *r = b->r;
    const double steps = (double)at_least_one(r->steps) * at_least_one(r->sequences);
    if (!r->is_language || !r->is_prefill)
        return steps;
    if (!r->adapt)
        return steps * fmin(at_least_one(r->micro_batches),
                            (double)r->symbols[HET__SYM_TOKENS]);
    return ceil(r->adapt->left / fmax(1, r->adapt->size_min));
}

/* The k-th unit that a device gets, over all rounds. */
static het_status find_error(const builder *b, uint32_t index, uint32_t rounds, het_error *err)
{
    const struct het__plan_sim_error *e = &b->r->errors[index];
    uint32_t per_round = 0, left;
    for (uint32_t t = 0; t < b->sim->unit_count; t++)
        per_round += b->tasks[t].cost.lane == e->device;
    if (!per_round || e->unit / per_round >= rounds)
        return het__fail(err, HET_E_INVALID, "an error is given for piece of work %u of device %u, "
                         "which has %.0f", e->unit, e->device, (double)per_round * rounds);
    left = e->unit % per_round;
    for (uint32_t t = 0; t < b->sim->unit_count; t++)
        if (b->tasks[t].cost.lane == e->device && left-- == 0)
            b->errors[index] = (het__sim_error){
                e->unit / per_round * b->sim->unit_count + t, e->count
            };
    return HET_OK;
}

/* Where work of a lost device goes: the fallback, then the other devices by number. */
static uint32_t follow(const builder *b, uint32_t planned, uint32_t lost)
{
    const uint32_t devices = b->machine->device_count;
    uint32_t first = b->r->fallback;
    for (uint32_t i = 0; first >= devices && i < devices; i++)
        if (b->machine->device[i].kind == HET_DEVICE_CPU ||
            b->machine->device[i].kind == HET_DEVICE_REFERENCE)
            first = i;
    if (lost == planned && first < devices && first != planned)
        return first;
    for (uint32_t i = lost == planned || lost == first ? 0 : lost + 1; i < devices; i++)
        if (i != planned && i != first)
            return i;
    return HET__SIM_NONE;
}

static bool move(void *user, uint32_t task, uint32_t lost, het__sim_cost *cost)
{
    const builder *b = user;
    const het__plan_unit *u = &b->units[task % b->sim->unit_count];
    const uint32_t to = lost < b->machine->device_count ? follow(b, u->from, lost) : HET__SIM_NONE;
    double fixed, bytes;
    if (to == HET__SIM_NONE)
        return false;
    *cost = cost_on(b, u, to, &fixed);
    /* Weights and operands are brought along where the memory is another one. */
    bytes = b->machine->device[u->from].group == b->machine->device[to].group ? 0 : cost->bytes;
    cost->launch_ns += het__machine_transfer_ns(b->machine, u->from, to, bytes);
    return true;
}

static double next_size(void *user, const het__sim_view *view)
{
    const builder *b = user;
    return het__sim_aimd_next(b->r->adapt, view) / fmax(1, b->nominal);
}

static het_status run_one(builder *b, het__mem *mem, het__sim_problem *p, het_error *err)
{
    het__sim_result one;
    const het_status s = het__simulate(p, mem, &one, err);
    if (s == HET_OK)
        b->sim->step_ns = one.makespan_ns;
    if (s == HET_OK)
        het__sim_finish(&one);
    return s;
}

static void set_faults(const builder *b, het__sim_problem *p)
{
    const het__plan_sim_request *r = b->r;
    p->slow_count = r->slow_count;
    p->slow = r->slow;
    p->loss_count = r->loss_count;
    p->losses = r->losses;
    p->error_count = r->error_count;
    p->errors = b->errors;
    p->retry_max = r->retry_max;
    p->backoff_ns = r->backoff_ns;
    p->move = move;
    p->batch = r->adapt ? next_size : NULL;
    p->user = (void *)(uintptr_t)b;
    p->track = true;
}

static het_status run_all(builder *b, het__mem *mem, het__sim_problem *p, het_error *err)
{
    const het__plan_sim_request *r = b->r;
    het__sim_task *tasks = NULL;
    uint32_t *edges = NULL;
    const double rounds = count_rounds(b);
    if (rounds > ADAPTIVE_ROUNDS_MAX || rounds * b->sim->unit_count > HET__SIM_TASKS_MAX)
        return het__fail(err, HET_E_INVALID, "%.0f rounds of %u tasks are too many to simulate",
                         rounds, b->sim->unit_count);
    const het__sim_repeat repeat = {
        .rounds = (uint32_t)rounds, .streams = at_least_one(r->sequences),
        .carry = !r->is_language ? HET__SIM_CARRY_NONE
                 : r->is_prefill ? HET__SIM_CARRY_SAME : HET__SIM_CARRY_ALL,
        .buffers = r->buffers ? r->buffers : 2, .in_flight = r->in_flight,
        .batches = r->adapt != NULL,
    };
    b->errors = het__arena_zero(b->arena, (size_t)r->error_count + 1, sizeof *b->errors);
    het_status s = b->errors ? HET_OK : het__fail_nomem(err, "a simulation");
    for (uint32_t i = 0; s == HET_OK && i < r->error_count; i++)
        s = find_error(b, i, repeat.rounds, err);
    if (s == HET_OK)
        s = het__sim_repeat_make(p, &repeat, mem, &tasks, &p->task_count, &edges,
                                 &p->dependency_count, err);
    if (s != HET_OK)
        return s;
    b->sim->rounds = repeat.rounds;
    b->sim->streams = repeat.streams;
    p->tasks = b->sim->all_tasks = tasks;
    p->dependencies = edges;
    if (!r->adapt && het__sim_bound_ns(p, mem, &b->sim->bound_ns) != HET_OK)
        s = het__fail_nomem(err, "a simulation");
    set_faults(b, p);
    p->queue_depth = r->queue_depth;
    if (s == HET_OK)
        s = het__simulate(p, mem, &b->sim->result, err);
    het__free(mem, edges);
    return s;
}

static het_status check_request(const het__plan_sim_request *r, het_error *err)
{
    const uint32_t devices = r->plan->machine.device_count;
    if (r->plan->node_count != r->graph->node_count)
        return het__fail(err, HET_E_INVALID, "the plan is of another graph");
    if (r->fallback != HET__SIM_NONE && r->fallback >= devices)
        return het__fail(err, HET_E_INVALID, "there is no device %u to fall back on", r->fallback);
    for (uint32_t i = 0; i < r->slow_count; i++)
        if (r->slow[i].lane >= devices)
            return het__fail(err, HET_E_INVALID, "there is no device %u to be slow",
                             r->slow[i].lane);
    for (uint32_t i = 0; i < r->loss_count; i++)
        if (r->losses[i].lane >= devices)
            return het__fail(err, HET_E_INVALID, "there is no device %u to be lost",
                             r->losses[i].lane);
    return HET_OK;
}

het_status het__simulate_plan(const het__plan_sim_request *request, het__mem *mem,
                              het__plan_sim *sim, het_error *err)
{
    builder b = { .r = request, .sim = sim };
    memset(sim, 0, sizeof *sim);
    het_status s = check_request(request, err);
    if (s != HET_OK)
        return s;
    het__arena_init(&sim->arena, mem);
    b.arena = &sim->arena;
    set_size(&b);
    s = set_machine(&b) ? build_round(&b, err) : het__fail_nomem(err, "a simulation");
    het__sim_problem p = {
        .task_count = sim->unit_count, .dependency_count = b.edge_count,
        .lane_count = sim->lane_count, .group_count = request->plan->machine.group_count,
        .tasks = b.tasks,
        .dependencies = b.edges, .lanes = b.lanes, .groups = b.groups, .policy = request->policy,
    };
    if (s == HET_OK)
        s = run_one(&b, mem, &p, err);
    if (s == HET_OK)
        s = run_all(&b, mem, &p, err);
    sim->units = b.units;
    sim->tasks = b.tasks;
    sim->lane_from = b.lane_from;
    sim->lane_to = b.lane_to;
    sim->lane_group = b.lane_group;
    if (s != HET_OK)
        het__plan_sim_finish(sim);
    return s;
}

void het__plan_sim_finish(het__plan_sim *sim)
{
    if (!sim->arena.mem)
        return;
    het__free(sim->arena.mem, sim->all_tasks);
    het__sim_finish(&sim->result);
    het__arena_finish(&sim->arena);
    memset(sim, 0, sizeof *sim);
}
