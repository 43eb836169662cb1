/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/partition/plan_problem.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/error.h"
#include "lib/cost/cost.h"
#include "lib/partition/plan_stream.h"

typedef struct builder {
    het__plan_problem *q;
    const het__graph *g;
    const het__machine *m;
    uint32_t *first, *users; /* per value of the graph: nodes that read it, ascending */
    uint32_t *same;          /* per value: the first constant of the same bytes, else itself */
    double *cost;            /* place.node_cost */
    het__place_value *values;
    het__place_store *stores;
    het__place_limit *limits;
    uint8_t *priority;
    double *scratch;
    double cost_max;         /* more than any placement costs */
} builder;

static size_t at_of(const het__plan_problem *q, uint32_t node, uint32_t step, uint32_t device)
{
    return ((size_t)node * q->steps + step) * q->devices + device;
}

static double bytes_of(const het__plan_problem *q, uint32_t value, uint32_t step)
{
    const int64_t n = het__value_bytes(&q->request->graph->values[value], q->step[step].symbols);
    return n > 0 ? (double)n : 0;
}

/* What is kept for all steps is as large as the largest needs it. */
static double kept_bytes(const het__plan_problem *q, uint32_t value)
{
    double most = 0;
    for (uint32_t k = 0; k < q->steps; k++)
        most = fmax(most, bytes_of(q, value, k));
    return most;
}

/* ---- energy ---- */

/* Whether the machine knows what the device draws. */
static bool knows_energy(const het__machine_device *d)
{
    return d->joules_per_op.value > 0 || d->joules_per_byte.value > 0 || d->watts.value > 0;
}

/* nJ of a node: by operations and bytes, else at full load all the time. */
static double node_energy(const het__machine_device *d, const het__work *w, double ns)
{
    if (d->joules_per_op.value <= 0 && d->joules_per_byte.value <= 0)
        return d->watts.value * ns;
    return 1e9 * (w->flops * d->joules_per_op.value +
                  (w->input_bytes + w->output_bytes + w->weight_bytes) * d->joules_per_byte.value);
}

static double transfer_energy(const het__machine *m, uint32_t from, uint32_t to, double bytes,
                              double ns)
{
    const het__machine_device *a = &m->device[from], *b = &m->device[to];
    const double per_byte = a->joules_per_byte.value + b->joules_per_byte.value;
    return per_byte > 0 ? 1e9 * per_byte * bytes : b->watts.value * ns;
}

/* ---- nodes ---- */

static double host_transfer_ns(const builder *b, uint32_t node, uint32_t step, uint32_t device)
{
    const het__node *n = &b->g->nodes[node];
    uint32_t host = 0;
    while (host < b->q->devices && !(b->q->request->policy->hosts >> host & 1))
        host++;
    double ns = 0;
    if (host == b->q->devices)
        return 0;
    for (uint32_t i = 0; i < n->input_count; i++) {
        const uint32_t v = n->inputs[i];
        if (v != HET__NO_VALUE && b->g->values[v].kind != HET__VALUE_CONST &&
            b->g->values[v].kind != HET__VALUE_STATE)
            ns += het__machine_transfer_ns(b->m, host, device, bytes_of(b->q, v, step));
    }
    for (uint32_t o = 0; o < n->output_count; o++)
        ns += het__machine_transfer_ns(b->m, device, host, bytes_of(b->q, n->outputs[o], step));
    return ns;
}

static const char *refuse_by_policy(const builder *b, const het__policy_answer *answer)
{
    char why[192];
    het__policy_why(b->q->request->policy, answer, why, sizeof why);
    return het__arena_strdup(b->q->arena, why);
}

/* False: out of memory. */
static bool ask_policy(const builder *b, uint32_t node, uint32_t step)
{
    const het__plan_problem *q = b->q;
    const het__policy_view *view = q->request->policy;
    het__policy_subject subject;
    het__policy_answer answers[HET__MACHINE_DEVICES_MAX];
    het__policy_subject_of(b->g, node, &q->request->labels[node],
                           &q->work[(size_t)node * q->steps + step], &subject);
    het__policy_ask(view, &subject, answers);
    for (uint32_t d = 0; d < q->devices; d++) {
        const size_t at = at_of(q, node, step, d);
        q->broken[at] = answers[d].broken;
        if (q->reasons[at])
            continue;
        if (!answers[d].is_allowed)
            q->reasons[at] = refuse_by_policy(b, &answers[d]);
        else if (!answers[d].is_named && !(view->hosts >> d & 1) &&
                 !het__policy_transfer_allows(view, host_transfer_ns(b, node, step, d),
                                              q->node_ns[at]))
            q->reasons[at] = "policy: max-transfer-ratio";
        else
            continue;
        if (!q->reasons[at])
            return false;
    }
    return true;
}

static bool cost_node(const builder *b, uint32_t node, uint32_t step)
{
    const het__plan_problem *q = b->q;
    const het__plan_request *r = q->request;
    het__work *work = &q->work[(size_t)node * q->steps + step];
    het__node_work(b->g, &b->g->nodes[node], q->step[step].symbols, work);
    for (uint32_t d = 0; d < q->devices; d++) {
        const size_t at = at_of(q, node, step, d);
        het__cost cost;
        het__cost_node(b->g, &b->g->nodes[node], work, &b->m->device[d], r->exact, &cost);
        const double ns = het__plan_node_streams(r, node, d)
                              ? fmax(cost.ns, het__plan_stream_ns(q, node, d)) : cost.ns;
        q->node_ns[at] = ns + het__plan_bring_ns(q, node, step, d);
        q->reasons[at] = r->reasons ? r->reasons[(size_t)node * q->devices + d] : NULL;
        if (!q->reasons[at] && q->objective == HET_OBJECTIVE_ENERGY &&
            !knows_energy(&b->m->device[d]))
            q->reasons[at] = "what it draws is not known";
    }
    if (r->policy && !ask_policy(b, node, step))
        return false;
    for (uint32_t d = 0; d < q->devices; d++) {
        const size_t at = at_of(q, node, step, d);
        if (r->forced && r->forced[(size_t)step * q->nodes + node] != d && !q->reasons[at])
            q->reasons[at] = "the text of the plan says so";
        const double cost = q->objective == HET_OBJECTIVE_ENERGY
                                ? node_energy(&b->m->device[d], work, q->node_ns[at])
                                : q->node_ns[at];
        q->node_cost[at] = q->reasons[at] ? INFINITY : cost * q->step[step].weight;
        q->node_ns[at] = q->reasons[at] ? INFINITY : q->node_ns[at];
    }
    return true;
}

static bool cost_nodes(builder *b)
{
    het__plan_problem *q = b->q;
    const size_t rows = (size_t)q->nodes * q->steps;
    q->work = het__arena_zero(q->arena, rows, sizeof *q->work);
    q->node_ns = het__arena_zero(q->arena, rows * q->devices, sizeof *q->node_ns);
    q->node_cost = het__arena_zero(q->arena, rows * q->devices, sizeof *q->node_cost);
    q->reasons = het__arena_zero(q->arena, rows * q->devices, sizeof *q->reasons);
    if (q->request->policy)
        q->broken = het__arena_zero(q->arena, rows * q->devices, sizeof *q->broken);
    if (!q->work || !q->node_ns || !q->node_cost || !q->reasons ||
        (q->request->policy && !q->broken))
        return false;
    for (uint32_t n = 0; n < q->nodes; n++)
        for (uint32_t k = 0; k < q->steps; k++)
            if (!cost_node(b, n, k))
                return false;
    return true;
}

/* A broken wish counts more than all else together. */
static bool add_wishes(builder *b)
{
    het__plan_problem *q = b->q;
    const size_t rows = (size_t)q->nodes * q->steps;
    b->cost = q->node_cost;
    if (!q->broken)
        return true;
    bool any = false;
    for (size_t i = 0; i < rows; i++) {
        double most = 0;
        for (uint32_t d = 0; d < q->devices; d++) {
            const double cost = q->node_cost[i * q->devices + d];
            most = isfinite(cost) && cost > most ? cost : most;
            any = any || q->broken[i * q->devices + d] > 0;
        }
        b->cost_max += most;
    }
    if (!any)
        return true;
    int exponent;
    frexp(b->cost_max, &exponent);
    q->wish = ldexp(1, exponent);
    b->cost = het__arena_zero(q->arena, rows * q->devices, sizeof *b->cost);
    for (size_t i = 0; b->cost && i < rows * q->devices; i++)
        b->cost[i] = q->node_cost[i] + q->wish * q->broken[i];
    return b->cost != NULL;
}

/* ---- values and stores ---- */

typedef struct by_data {
    const void *data;
    uint32_t id;
} by_data;

static int compare_data(const void *a, const void *b)
{
    const by_data *x = a, *y = b;
    return x->data < y->data ? -1 : x->data > y->data ? 1 : x->id < y->id ? -1 : x->id > y->id;
}

/* Constants of the same bytes are stored once. */
static bool find_same(builder *b)
{
    const het__graph *g = b->g;
    uint32_t count = 0;
    b->same = het__arena_zero(b->q->arena, g->value_count, sizeof *b->same);
    by_data *list = het__arena_zero(b->q->arena, g->value_count, sizeof *list);
    if (!b->same || !list)
        return false;
    for (uint32_t v = 0; v < g->value_count; v++) {
        b->same[v] = v;
        if (g->values[v].kind == HET__VALUE_CONST && g->values[v].data)
            list[count++] = (by_data){ g->values[v].data, v };
    }
    qsort(list, count, sizeof *list, compare_data);
    for (uint32_t i = 1; i < count; i++)
        if (list[i].data == list[i - 1].data &&
            kept_bytes(b->q, list[i].id) <= kept_bytes(b->q, b->same[list[i - 1].id]))
            b->same[list[i].id] = b->same[list[i - 1].id];
    return true;
}

/* Who reads what, by counting sort over the nodes' inputs. */
static bool collect_users(builder *b)
{
    const het__graph *g = b->g;
    het__arena *arena = b->q->arena;
    b->first = het__arena_zero(arena, (size_t)g->value_count + 2, sizeof *b->first);
    if (!b->first)
        return false;
    for (uint32_t n = 0; n < g->node_count; n++)
        for (uint32_t i = 0; i < g->nodes[n].input_count; i++)
            if (g->nodes[n].inputs[i] != HET__NO_VALUE)
                b->first[b->same[g->nodes[n].inputs[i]] + 2]++;
    for (uint32_t v = 0; v < g->value_count; v++)
        b->first[v + 2] += b->first[v + 1];
    b->users = het__arena_zero(arena, b->first[g->value_count + 1], sizeof *b->users);
    if (!b->users)
        return false;
    for (uint32_t n = 0; n < g->node_count; n++)
        for (uint32_t i = 0; i < g->nodes[n].input_count; i++)
            if (g->nodes[n].inputs[i] != HET__NO_VALUE)
                b->users[b->first[b->same[g->nodes[n].inputs[i]] + 1]++] = n;
    return true;
}

static bool add_value(builder *b, uint32_t id, uint32_t step)
{
    het__plan_problem *q = b->q;
    const uint32_t count = b->first[id + 1] - b->first[id], D = q->devices;
    const bool is_energy = q->objective == HET_OBJECTIVE_ENERGY;
    double *ns = het__arena_zero(q->arena, (size_t)D * D, sizeof *ns);
    double *cost = het__arena_zero(q->arena, (size_t)D * D, sizeof *cost);
    uint32_t *users = het__arena_alloc(q->arena, count * sizeof *users);
    if (!ns || !cost || !users)
        return false;
    const double bytes = bytes_of(q, id, step);
    double most = 0;
    for (uint32_t i = 0; i < D; i++)
        for (uint32_t k = 0; k < D; k++) {
            ns[i * D + k] = het__machine_transfer_ns(b->m, i, k, bytes);
            cost[i * D + k] =
                i == k ? 0 : q->step[step].weight *
                    (is_energy ? transfer_energy(b->m, i, k, bytes, ns[i * D + k]) : ns[i * D + k]);
            most = fmax(most, cost[i * D + k]);
        }
    for (uint32_t i = 0; i < count; i++)
        users[i] = b->users[b->first[id] + i] * q->steps + step;
    b->cost_max += most * (D - 1);
    const bool is_output = b->g->values[id].kind == HET__VALUE_OUTPUT;
    q->transfer_ns[q->place.value_count] = ns;
    q->value_ids[q->place.value_count] = id;
    b->values[q->place.value_count++] = (het__place_value){
        b->g->values[id].producer * q->steps + step, count, users, cost, is_output ? 0 : bytes
    };
    return true;
}

/* Whether a store takes nothing where weights come, or else, where they stay in the file. */
static bool is_file(const builder *b, uint32_t id)
{
    const het__plan_streams *s = b->q->request->streams;
    const bool is_const = b->g->values[id].kind == HET__VALUE_CONST;
    if (!s || !is_const)
        return is_const;
    for (uint32_t i = b->first[id]; i < b->first[id + 1]; i++) {
        const int32_t layer = b->g->nodes[b->users[i]].layer;
        if (layer < 0 || !s->layers[layer])
            return false;
    }
    return het__value_streams(&b->g->values[id]);
}

/* Weights, states, inputs, outputs: as long as the plan, for all steps. */
static bool add_store(builder *b, uint32_t id)
{
    het__plan_problem *q = b->q;
    const het__value *v = &b->g->values[id];
    const bool is_made = v->producer != HET__NO_VALUE;
    const uint32_t readers = b->first[id + 1] - b->first[id], count = readers + is_made;
    uint32_t *users = het__arena_alloc(q->arena, ((size_t)count * q->steps) * sizeof *users);
    if (!users)
        return false;
    for (uint32_t i = 0; i < count; i++) {
        const uint32_t n = is_made ? (i ? b->users[b->first[id] + i - 1] : v->producer)
                                   : b->users[b->first[id] + i];
        for (uint32_t k = 0; k < q->steps; k++)
            users[i * q->steps + k] = n * q->steps + k;
    }
    /* A node that reads it twice stands there twice in a row: order by step would break. */
    uint32_t kept = 0;
    for (uint32_t i = 0; i < count * q->steps; i++)
        if (i < q->steps || users[i] > users[kept - 1])
            users[kept++] = users[i];
    q->store_ids[q->place.store_count] = id;
    b->stores[q->place.store_count++] = (het__place_store){
        kept_bytes(q, id), kept, users, v->kind == HET__VALUE_STATE, is_file(b, id),
        het__plan_slots_hold(q, id) ? q->slot_devices : 0
    };
    return true;
}

static bool collect_values(builder *b)
{
    het__plan_problem *q = b->q;
    const size_t values = b->g->value_count;
    b->values = het__arena_zero(q->arena, values * q->steps, sizeof *b->values);
    b->stores = het__arena_zero(q->arena, values + q->devices, sizeof *b->stores);
    b->scratch = het__arena_zero(q->arena, (size_t)q->nodes * q->steps, sizeof *b->scratch);
    q->value_ids = het__arena_zero(q->arena, values * q->steps, sizeof *q->value_ids);
    q->transfer_ns = het__arena_zero(q->arena, values * q->steps, sizeof *q->transfer_ns);
    q->store_ids = het__arena_zero(q->arena, values + q->devices, sizeof *q->store_ids);
    if (!b->values || !b->stores || !b->scratch || !q->value_ids || !q->transfer_ns ||
        !q->store_ids)
        return false;
    for (uint32_t id = 0; id < values; id++) {
        const het__value *v = &b->g->values[id];
        const bool is_made = v->producer != HET__NO_VALUE;
        const bool is_read = b->first[id + 1] > b->first[id];
        if ((!is_made || v->kind == HET__VALUE_OUTPUT) && (is_read || is_made) &&
            !add_store(b, id))
            return false;
        for (uint32_t k = 0; is_made && k < q->steps; k++)
            if (is_read && !add_value(b, id, k))
                return false;
            else if (!is_read && v->kind != HET__VALUE_OUTPUT)
                b->scratch[(size_t)v->producer * q->steps + k] += bytes_of(q, id, k);
    }
    return het__plan_slots_store(q, b->stores);
}

/* ---- limits ---- */

static double limit_of(const het__plan_request *r, uint32_t d)
{
    const het__machine_device *device = &r->machine->device[d];
    double limit = INFINITY;
    if (r->policy)
        limit = het__policy_memory_limit(r->policy, d);
    if (r->limited && device->memory_bytes.value > 0)
        limit = fmin(limit, device->memory_bytes.value);
    if (r->limited && device->group < r->machine->group_count &&
        r->machine->group[device->group].memory_bytes.value > 0)
        limit = fmin(limit, r->machine->group[device->group].memory_bytes.value);
    if (r->limits && r->limits[d] > 0)
        limit = fmin(limit, r->limits[d]);
    return limit;
}

static bool collect_limits(builder *b)
{
    het__plan_problem *q = b->q;
    b->limits = het__arena_zero(q->arena, HET__PLACE_LIMITS_MAX, sizeof *b->limits);
    if (!b->limits)
        return false;
    const het__plan_streams *s = q->request->streams;
    for (uint32_t d = 0; d < q->devices; d++) {
        q->limit[d] = limit_of(q->request, d);
        const double slots = s ? HET__STREAM_SLOTS * s->slot_bytes[d] : 0;
        if (isfinite(q->limit[d]))
            b->limits[q->place.limit_count++] =
                (het__place_limit){ 1u << d, fmax(q->limit[d] - slots, 0) };
    }
    for (uint32_t i = 0; q->request->limited && i < b->m->group_count; i++) {
        uint32_t devices = 0;
        for (uint32_t d = 0; d < q->devices; d++)
            devices |= b->m->device[d].group == i ? 1u << d : 0;
        if ((devices & (devices - 1)) && b->m->group[i].memory_bytes.value > 0)
            b->limits[q->place.limit_count++] =
                (het__place_limit){ devices, b->m->group[i].memory_bytes.value };
    }
    return true;
}

/* Those that were bought for it first, as providers are usually listed; the CPU last. */
static bool order_devices(builder *b)
{
    static const uint8_t rank[] = { [HET_DEVICE_NPU] = 0, [HET_DEVICE_GPU] = 1,
                                    [HET_DEVICE_IGPU] = 2, [HET_DEVICE_CPU] = 3,
                                    [HET_DEVICE_SIMULATED] = 4, [HET_DEVICE_REFERENCE] = 5 };
    uint32_t n = 0;
    b->priority = het__arena_alloc(b->q->arena, b->q->devices);
    for (uint32_t want = 0; b->priority && want < 6; want++)
        for (uint32_t d = 0; d < b->q->devices; d++) {
            const uint32_t kind = b->m->device[d].kind;
            if ((kind < sizeof rank && kind ? rank[kind] : 3) == want)
                b->priority[n++] = (uint8_t)d;
        }
    return b->priority != NULL;
}

het_status het__plan_problem_make(const het__plan_request *r, het__arena *arena,
                                  het__plan_problem *q, het_error *err)
{
    memset(q, 0, sizeof *q);
    q->request = r;
    q->arena = arena;
    q->nodes = r->graph->node_count;
    q->devices = r->machine->device_count;
    q->steps = r->step_count ? r->step_count : 1;
    if (r->step_count)
        memcpy(q->step, r->steps, q->steps * sizeof *q->step);
    else
        q->step[0] = (het__plan_step){ r->symbols, 1, "" };
    q->objective = r->objective;
    if (q->objective == HET_OBJECTIVE_DEFAULT)
        q->objective = r->policy ? het__policy_objective(r->policy->policy)
                                 : HET_OBJECTIVE_LATENCY;
    if ((uint64_t)q->nodes * q->steps >= UINT32_MAX / HET__PLACE_DEVICES_MAX)
        return het__fail(err, HET_E_UNSUPPORTED, "the graph has too many nodes");
    builder b = { .q = q, .g = r->graph, .m = r->machine };
    het__plan_slots_find(q);
    if (!cost_nodes(&b) || !find_same(&b) || !collect_users(&b) || !collect_values(&b) ||
        !add_wishes(&b) || !collect_limits(&b) || !order_devices(&b))
        return het__fail_nomem(err, "the plan");
    het__place_problem *p = &q->place;
    p->node_count = q->nodes * q->steps;
    p->device_count = q->devices;
    p->node_cost = b.cost;
    p->values = b.values;
    p->stores = b.stores;
    p->scratch_bytes = b.scratch;
    p->limits = b.limits;
    p->phase_count = q->steps;
    p->priority = b.priority;
    p->file_devices = r->streams ? r->streams->devices : 0;
    p->objective = q->objective == HET_OBJECTIVE_THROUGHPUT ? HET__PLACE_BOTTLENECK
                                                            : HET__PLACE_SUM;
    q->plain = *p;
    q->plain.node_cost = q->node_cost;
    return HET_OK;
}
