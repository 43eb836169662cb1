/* SPDX-License-Identifier: Apache-2.0 */
/* What a sum of times cannot see, judged by simulation with the memories' bandwidths shared: the
 * rows of a product's constant weights divided between two devices, and branches that run on
 * another device beside what the first one does.
 *
 * Candidates are tried one by one, products with the most time first, then runs of nodes between
 * forks and joins, and each is kept if the whole step gets shorter with it and the memories hold
 * what it adds. A product is divided so that both parts, with what is carried there and back, end
 * together; devices of one memory get their max-min share of its bandwidth meanwhile. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/error.h"
#include "lib/cost/cost.h"
#include "lib/partition/place_search.h"
#include "lib/partition/plan_problem.h"
#include "lib/partition/simulate.h"
#include "lib/passes/split_rows.h"

#define DEVICES HET__PLACE_DEVICES_MAX
#define NONE UINT32_MAX
/* Less is noise of the model. */
#define GAIN_MIN 0.001
/* Nodes simulated in all: about a second. */
#define WORK_MAX 2e6
#define SHARE_STEPS 40 /* halvings of the interval in which the share lies */

/* When a value is on a device: behind one task, or two of which each made a part. */
typedef struct ready {
    uint32_t task[2];
} ready;

typedef struct finder {
    const het__plan_problem *q;
    const het__graph *g;
    const het__machine *m;
    het__mem *mem;
    uint32_t step;
    het__plan *plan;
    het__place_index index;
    const uint8_t *placed; /* per node of the problem */
    uint8_t *where;        /* per node of the graph, branches moved */
    uint8_t *other;        /* per node: device that takes rows; DEVICES: none */
    double *share;
    double room[DEVICES];  /* bytes that each device may still take */
    double *kept;          /* per node: bytes of its constant weights */
    ready *ready;          /* per value of the problem and device */
    het__sim_task *tasks;
    uint32_t *edges;
    uint32_t task_count, edge_count, task_room, edge_room;
    het__sim_lane lanes[DEVICES + DEVICES * DEVICES];
    het__sim_group groups[HET__MACHINE_GROUPS_MAX];
    double left;           /* of WORK_MAX */
} finder;

static uint32_t place_node(const finder *f, uint32_t node)
{
    return node * f->q->steps + f->step;
}

static const het__work *work_of(const finder *f, uint32_t node)
{
    return &f->q->work[place_node(f, node)];
}

static double node_ns(const finder *f, uint32_t node, uint32_t device)
{
    return f->q->node_ns[(size_t)place_node(f, node) * f->q->devices + device];
}

/* ---- tasks ---- */

static bool new_task(finder *f, const het__sim_cost *cost, uint32_t *task)
{
    if (f->task_count == f->task_room) {
        const uint32_t room = f->task_room ? 2 * f->task_room : 256;
        het__sim_task *p = het__realloc(f->mem, f->tasks, room * sizeof *p);
        if (!p)
            return false;
        f->tasks = p;
        f->task_room = room;
    }
    *task = f->task_count++;
    f->tasks[*task] = (het__sim_task){ .cost = *cost, .first_dependency = f->edge_count,
                                       .batch = HET__SIM_NONE };
    return true;
}

/* The last task after what makes a value ready. */
static bool depend(finder *f, const ready *on)
{
    het__sim_task *t = &f->tasks[f->task_count - 1];
    if (f->edge_count + 2 > f->edge_room) {
        const uint32_t room = f->edge_room ? 2 * f->edge_room : 512;
        uint32_t *p = het__realloc(f->mem, f->edges, room * sizeof *p);
        if (!p)
            return false;
        f->edges = p;
        f->edge_room = room;
    }
    for (int i = 0; i < 2; i++) {
        bool known = on->task[i] == NONE;
        for (uint32_t e = t->first_dependency; !known && e < f->edge_count; e++)
            known = f->edges[e] == on->task[i];
        if (known)
            continue;
        f->edges[f->edge_count++] = on->task[i];
        t->dependency_count++;
    }
    return true;
}

/* A share of a node: rows of its weights, and as much of what it makes; it reads all it reads. */
static het__sim_cost node_cost(const finder *f, uint32_t node, uint32_t device, double share)
{
    const het__work *w = work_of(f, node);
    const het__machine_device *d = &f->m->device[device];
    const double all = node_ns(f, node, device), launch = fmin(d->launch.value, all);
    double bytes = w->input_bytes + share * (w->output_bytes + w->weight_bytes);
    const double alone = (all - launch) * share, group = f->groups[d->group].bandwidth;
    if (group > 0)
        bytes = fmin(bytes, group * alone * 1e-9); /* the rest comes from caches */
    return (het__sim_cost){ .lane = device, .launch_ns = launch, .compute_ns = alone,
                            .bytes = bytes };
}

static het__sim_cost copy_cost(const finder *f, uint32_t from, uint32_t to, double bytes)
{
    const double latency = het__machine_transfer_ns(f->m, from, to, 0);
    const double ns = het__machine_transfer_ns(f->m, from, to, bytes) - latency;
    const bool inside = f->m->device[from].group == f->m->device[to].group;
    const double group = f->groups[f->m->device[from].group].bandwidth;
    double moved = inside ? 2 * bytes : bytes;
    if (group > 0)
        moved = fmin(moved, group * ns * 1e-9);
    return (het__sim_cost){ .lane = f->q->devices + from * f->q->devices + to,
                            .launch_ns = latency, .compute_ns = ns, .bytes = moved };
}

static ready *ready_on(const finder *f, uint32_t value, uint32_t device)
{
    return &f->ready[(size_t)value * f->q->devices + device];
}

static double value_bytes(const finder *f, uint32_t value)
{
    const int64_t n = het__value_bytes(&f->g->values[f->q->value_ids[value]],
                                       f->q->step[f->step].symbols);
    return n > 0 ? (double)n : 0;
}

/* Copies of what a node reads, to where it is not yet. */
static bool bring(finder *f, uint32_t node, uint32_t device)
{
    const uint32_t at = place_node(f, node);
    for (uint32_t r = f->index.first_read[at]; r < f->index.first_read[at + 1]; r++) {
        const uint32_t v = f->index.read[r];
        if (v >= f->q->place.value_count || ready_on(f, v, device)->task[0] != NONE)
            continue;
        uint32_t from = 0, task;
        double least = INFINITY;
        for (uint32_t d = 0; d < f->q->devices; d++) {
            const double ns = f->q->transfer_ns[v][d * f->q->devices + device];
            if (ready_on(f, v, d)->task[0] != NONE && ns < least) {
                least = ns;
                from = d;
            }
        }
        const het__sim_cost cost = copy_cost(f, from, device, value_bytes(f, v));
        if (!new_task(f, &cost, &task) || !depend(f, ready_on(f, v, from)))
            return false;
        *ready_on(f, v, device) = (ready){ { task, NONE } };
    }
    return true;
}

static bool run_part(finder *f, uint32_t node, uint32_t device, double share, uint32_t *task)
{
    const uint32_t at = place_node(f, node);
    const het__sim_cost cost = node_cost(f, node, device, share);
    if (!new_task(f, &cost, task))
        return false;
    for (uint32_t r = f->index.first_read[at]; r < f->index.first_read[at + 1]; r++)
        if (f->index.read[r] < f->q->place.value_count &&
            !depend(f, ready_on(f, f->index.read[r], device)))
            return false;
    return true;
}

/* Rows made elsewhere are carried back; what reads them waits for both parts. */
static bool add_node(finder *f, uint32_t node)
{
    const uint32_t d = f->where[node], o = f->other[node], at = place_node(f, node);
    const bool is_split = o < f->q->devices;
    uint32_t whole, part = NONE, back = NONE;
    if (!bring(f, node, d) || (is_split && !bring(f, node, o)) ||
        !run_part(f, node, d, is_split ? 1 - f->share[node] : 1, &whole))
        return false;
    if (is_split) {
        const double bytes = f->share[node] * work_of(f, node)->output_bytes;
        const het__sim_cost cost = copy_cost(f, o, d, bytes);
        if (!run_part(f, node, o, f->share[node], &part) || !new_task(f, &cost, &back) ||
            !depend(f, &(ready){ { part, NONE } }))
            return false;
    }
    for (uint32_t i = f->index.first_made[at]; i < f->index.first_made[at + 1]; i++)
        if (f->index.made[i] < f->q->place.value_count)
            *ready_on(f, f->index.made[i], d) = (ready){ { whole, back } };
    return true;
}

/* Lanes that no task is on change nothing but how long every event takes: those left, and the
 * first, stand in lanes, in their order. */
static uint32_t leave_out_lanes(finder *f, het__sim_lane *lanes)
{
    const uint32_t all = f->q->devices + f->q->devices * f->q->devices;
    uint32_t number[DEVICES + DEVICES * DEVICES] = { 1 }, count = 0;
    for (uint32_t t = 0; t < f->task_count; t++)
        number[f->tasks[t].cost.lane] = 1;
    for (uint32_t i = 0; i < all; i++)
        if (number[i]) {
            lanes[count] = f->lanes[i];
            number[i] = count++;
        }
    for (uint32_t t = 0; t < f->task_count; t++)
        f->tasks[t].cost.lane = number[f->tasks[t].cost.lane];
    return count;
}

static het_status simulate(finder *f, double *ns, het_error *err)
{
    het__sim_lane lanes[DEVICES + DEVICES * DEVICES];
    const size_t cells = (size_t)f->q->place.value_count * f->q->devices;
    het__sim_result result;
    f->task_count = f->edge_count = 0;
    f->left -= f->q->nodes;
    for (size_t i = 0; i < cells; i++)
        f->ready[i] = (ready){ { NONE, NONE } };
    for (uint32_t n = 0; n < f->q->nodes; n++)
        if (!add_node(f, n))
            return het__fail_nomem(err, "a simulation");
    const het__sim_problem problem = {
        .task_count = f->task_count, .dependency_count = f->edge_count,
        .lane_count = leave_out_lanes(f, lanes),
        .group_count = f->m->group_count, .tasks = f->tasks, .dependencies = f->edges,
        .lanes = lanes, .groups = f->groups, .policy = HET__SIM_FIFO,
    };
    const het_status s = het__simulate(&problem, f->mem, &result, err);
    if (s != HET_OK)
        return s;
    *ns = result.makespan_ns;
    het__sim_finish(&result);
    return HET_OK;
}

/* ---- candidates ---- */

static bool can_run(const finder *f, uint32_t node, uint32_t device)
{
    return isfinite(node_ns(f, node, device));
}

/* A product whose weights are rows that can be given away, as sessions do; their bytes. */
static double divisible_bytes(const finder *f, uint32_t node)
{
    return het__can_split_rows(f->g, &f->g->nodes[node]) ? work_of(f, node)->weight_bytes : 0;
}

/* Time of a share of a node with both devices at work. */
static double part_ns(const finder *f, uint32_t node, uint32_t device, double share, double speed)
{
    const het__sim_cost c = node_cost(f, node, device, share);
    const double group = f->groups[f->m->device[device].group].bandwidth;
    const double slow = group > 0 && speed > 0 ? c.bytes / (group * speed) * 1e9 : 0;
    return c.launch_ns + fmax(c.compute_ns, slow);
}

/* Both parts end together: the one here gets longer with what it keeps, the other one shorter. */
static double even_share(const finder *f, uint32_t node, uint32_t here, uint32_t other)
{
    const uint32_t at = place_node(f, node);
    const bool same = f->m->device[here].group == f->m->device[other].group;
    double carried = 0, low = 0, high = 1;
    for (uint32_t r = f->index.first_read[at]; r < f->index.first_read[at + 1]; r++)
        if (f->index.read[r] < f->q->place.value_count)
            carried += f->q->transfer_ns[f->index.read[r]][here * f->q->devices + other];
    const double speed = same ? 0.5 : 1;
    for (int i = 0; i < SHARE_STEPS; i++) {
        const double share = (low + high) / 2;
        const double back = share * work_of(f, node)->output_bytes;
        const double there = carried + part_ns(f, node, other, share, speed) +
                             het__machine_transfer_ns(f->m, other, here, back);
        if (part_ns(f, node, here, 1 - share, speed) > there)
            low = share;
        else
            high = share;
    }
    return floor(low * 256) / 256; /* rows come in tiles, and plans in short numbers */
}

static bool note(finder *f, uint32_t first, uint32_t count, uint32_t device, uint32_t other,
                 double share, double ns)
{
    const char *name = f->g->nodes[first].name;
    het__plan_split *s = &f->plan->splits[f->plan->split_count++];
    *s = (het__plan_split){ first, count, device, other, share, ns,
                            het__arena_strdup(&f->plan->arena, name ? name : "") };
    return s->name != NULL;
}

static bool is_gain(double ns, double before)
{
    return ns < before * (1 - GAIN_MIN);
}

static het_status try_split(finder *f, uint32_t node, het_error *err)
{
    const uint32_t here = f->where[node];
    double best = f->plan->split_ns, best_share = 0;
    uint32_t best_other = NONE;
    for (uint32_t d = 0; d < f->q->devices; d++) {
        if (d == here || !can_run(f, node, d) || f->left < f->q->nodes)
            continue;
        const double share = even_share(f, node, here, d);
        double ns;
        if (share <= 0 || share >= 1 || share * f->kept[node] > f->room[d])
            continue;
        f->other[node] = (uint8_t)d;
        f->share[node] = share;
        const het_status s = simulate(f, &ns, err);
        f->other[node] = DEVICES;
        if (s != HET_OK)
            return s;
        if (is_gain(ns, f->plan->split_ns) && ns < best) {
            best = ns;
            best_share = share;
            best_other = d;
        }
    }
    if (best_other == NONE)
        return HET_OK;
    f->other[node] = (uint8_t)best_other;
    f->share[node] = best_share;
    f->room[best_other] -= best_share * f->kept[node];
    f->plan->split_ns = best;
    return note(f, node, 1, here, best_other, best_share, best)
               ? HET_OK : het__fail_nomem(err, "the plan");
}

static het_status try_branch(finder *f, uint32_t first, uint32_t count, het_error *err)
{
    const uint32_t here = f->where[first];
    for (uint32_t d = 0; d < f->q->devices; d++) {
        bool able = d != here && f->left >= f->q->nodes;
        double bytes = 0, ns;
        for (uint32_t n = first; n < first + count; n++) {
            able = able && can_run(f, n, d) && f->where[n] == here && f->other[n] == DEVICES;
            bytes += f->kept[n];
        }
        if (!able || bytes > f->room[d])
            continue;
        memset(f->where + first, (int)d, count);
        const het_status s = simulate(f, &ns, err);
        if (s != HET_OK)
            return s;
        if (is_gain(ns, f->plan->split_ns)) {
            f->room[d] -= bytes;
            f->plan->split_ns = ns;
            return note(f, first, count, here, d, 1, ns) ? HET_OK
                                                         : het__fail_nomem(err, "the plan");
        }
        memset(f->where + first, (int)here, count);
    }
    return HET_OK;
}

typedef struct by_time {
    double ns;
    uint32_t node;
} by_time;

static int longest_first(const void *a, const void *b)
{
    const by_time *x = a, *y = b;
    return x->ns > y->ns ? -1 : x->ns < y->ns ? 1 : x->node < y->node ? -1 : x->node > y->node;
}

static het_status find_splits(finder *f, het_error *err)
{
    by_time *list = het__arena_zero(f->q->arena, f->q->nodes, sizeof *list);
    uint32_t count = 0;
    het_status s = list ? HET_OK : het__fail_nomem(err, "the plan");
    for (uint32_t n = 0; list && n < f->q->nodes; n++)
        if (divisible_bytes(f, n) > 0)
            list[count++] = (by_time){ node_ns(f, n, f->where[n]), n };
    if (s == HET_OK)
        qsort(list, count, sizeof *list, longest_first);
    for (uint32_t i = 0; s == HET_OK && i < count; i++)
        s = try_split(f, list[i].node, err);
    return s;
}

/* Whether the only thing that a node reads of others is what the node before it makes, for nobody
 * else. */
static bool continues(const finder *f, uint32_t node)
{
    const uint32_t at = place_node(f, node), before = place_node(f, node - 1);
    uint32_t reads = 0, made = f->index.first_made[before + 1] - f->index.first_made[before];
    bool from_before = false;
    for (uint32_t r = f->index.first_read[at]; r < f->index.first_read[at + 1]; r++) {
        const uint32_t v = f->index.read[r];
        if (v >= f->q->place.value_count)
            continue;
        reads++;
        from_before = from_before || (f->q->place.values[v].producer == before &&
                                      f->q->place.values[v].consumer_count == 1);
    }
    return reads == 1 && made == 1 && from_before && f->where[node] == f->where[node - 1];
}

static het_status find_branches(finder *f, het_error *err)
{
    het_status s = HET_OK;
    for (uint32_t first = 0, n = 1; s == HET_OK && first < f->q->nodes; n++) {
        if (n < f->q->nodes && continues(f, n))
            continue;
        s = try_branch(f, first, n - first, err);
        first = n;
    }
    return s;
}

/* ---- the whole ---- */

static void fill_lanes(finder *f)
{
    const uint32_t devices = f->q->devices;
    for (uint32_t i = 0; i < f->m->group_count; i++)
        f->groups[i].bandwidth = f->m->group[i].bandwidth.value;
    for (uint32_t d = 0; d < devices; d++) {
        const uint32_t group = f->m->device[d].group;
        const uint32_t known = group < f->m->group_count ? group : HET__SIM_NONE;
        f->lanes[d] = (het__sim_lane){ .group = known };
        for (uint32_t to = 0; to < devices; to++)
            f->lanes[devices + d * devices + to] = (het__sim_lane){ .group = known };
        const het__plan_memory *m = &f->plan->memory[d];
        f->room[d] = m->limit_bytes - m->weight_bytes - m->state_bytes - m->io_bytes -
                     m->activation_bytes;
    }
}

/* Memory that devices share is room for each of them in equal parts. */
static void share_room(finder *f)
{
    for (uint32_t i = 0; i < f->q->place.limit_count; i++) {
        const het__place_limit *l = &f->q->place.limits[i];
        double left = l->bytes;
        uint32_t count = 0;
        for (uint32_t d = 0; d < f->q->devices; d++) {
            const het__plan_memory *m = &f->plan->memory[d];
            if (!(l->devices >> d & 1))
                continue;
            left -= m->weight_bytes + m->state_bytes + m->io_bytes + m->activation_bytes;
            count++;
        }
        for (uint32_t d = 0; d < f->q->devices; d++)
            if (l->devices >> d & 1)
                f->room[d] = fmin(f->room[d], left / count);
    }
}

static bool start(finder *f)
{
    const size_t nodes = f->q->nodes;
    f->where = het__arena_alloc(f->q->arena, nodes + 1);
    f->other = het__arena_alloc(f->q->arena, nodes + 1);
    f->share = het__arena_zero(f->q->arena, nodes, sizeof *f->share);
    f->kept = het__arena_zero(f->q->arena, nodes, sizeof *f->kept);
    f->ready = het__arena_zero(f->q->arena, (size_t)f->q->place.value_count * f->q->devices,
                               sizeof *f->ready);
    f->plan->splits = het__arena_zero(&f->plan->arena, 2 * nodes, sizeof *f->plan->splits);
    if (!f->where || !f->other || !f->share || !f->kept || !f->ready || !f->plan->splits ||
        !het__place_index_make(&f->q->place, false, f->q->arena, &f->index))
        return false;
    memset(f->other, DEVICES, nodes);
    for (uint32_t n = 0; n < nodes; n++) {
        f->where[n] = f->placed[place_node(f, n)];
        for (uint32_t i = 0; i < f->g->nodes[n].input_count; i++) {
            const uint32_t v = f->g->nodes[n].inputs[i];
            if (v != HET__NO_VALUE && f->g->values[v].kind == HET__VALUE_CONST)
                f->kept[n] += fmax(0, (double)het__value_bytes(&f->g->values[v],
                                                               f->q->step[f->step].symbols));
        }
    }
    fill_lanes(f);
    share_room(f);
    return true;
}

het_status het__plan_split_find(const het__plan_problem *q, const uint8_t *devices, uint32_t step,
                                het__plan *plan, het_error *err)
{
    finder *f = het__arena_zero(q->arena, 1, sizeof *f);
    if (!f)
        return het__fail_nomem(err, "the plan");
    f->q = q;
    f->g = q->request->graph;
    f->m = q->request->machine;
    f->mem = plan->arena.mem;
    f->step = step;
    f->plan = plan;
    f->placed = devices;
    f->left = WORK_MAX;
    het_status s = start(f) ? simulate(f, &plan->simulated_ns, err)
                            : het__fail_nomem(err, "the plan");
    plan->split_ns = plan->simulated_ns;
    const bool searches = q->request->split && q->devices > 1;
    if (s == HET_OK && searches)
        s = find_splits(f, err);
    if (s == HET_OK && searches)
        s = find_branches(f, err);
    het__free(f->mem, f->tasks);
    het__free(f->mem, f->edges);
    return s;
}
