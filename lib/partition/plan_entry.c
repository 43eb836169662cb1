/* SPDX-License-Identifier: Apache-2.0 */
/* What a placement means for one step: entries with their reasons, copies, memory. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "lib/partition/place_search.h"
#include "lib/partition/plan_stream.h"

#define DEVICES HET__PLACE_DEVICES_MAX

typedef struct writer {
    const het__plan_problem *q;
    const het__graph *g;
    const uint8_t *where; /* per node of the problem */
    uint32_t step;
    het__plan *plan;
    het__place_index index;
    uint32_t *touched; /* per value of the problem: the last entry that asked for it, plus one */
    uint32_t *list;    /* values that an entry touches */
    double load[DEVICES];
} writer;

static uint32_t place_node(const writer *w, uint32_t node)
{
    return node * w->q->steps + w->step;
}

/* ---- copies ---- */

/* The holder that a value comes from soonest. */
static uint32_t source_of(const het__plan_problem *q, uint32_t value, uint32_t where, uint32_t to)
{
    uint32_t best = 0;
    double least = INFINITY;
    for (uint32_t from = 0; from < q->devices; from++) {
        const double cost = q->place.values[value].transfer_cost[from * q->devices + to];
        if (where >> from & 1 && cost < least) {
            least = cost;
            best = from;
        }
    }
    return best;
}

static bool note_transfer(writer *w, uint32_t node, uint32_t value, uint32_t *where)
{
    const het__plan_problem *q = w->q;
    het__plan *plan = w->plan;
    const uint32_t to = w->where[place_node(w, node)], id = q->value_ids[value];
    if (*where >> to & 1)
        return true;
    const uint32_t from = source_of(q, value, *where, to);
    const int64_t bytes = het__value_bytes(&w->g->values[id], q->step[w->step].symbols);
    het__plan_transfer *t = &plan->transfers[plan->transfer_count++];
    const char *name = w->g->values[id].name;
    *t = (het__plan_transfer){ id, from, to, node,
                               het__arena_strdup(&plan->arena, name ? name : ""),
                               bytes > 0 ? (double)bytes : 0,
                               q->transfer_ns[value][from * q->devices + to] };
    plan->transfer_bytes += bytes > 0 ? (uint64_t)bytes : 0;
    plan->predicted_ns += t->ns;
    *where |= 1u << to;
    return t->name != NULL;
}

/* In the order of the nodes that need them, inputs in their order. */
static bool collect_transfers(writer *w)
{
    const het__place_problem *p = &w->q->place;
    uint32_t most = 0;
    uint32_t *where = het__arena_zero(w->q->arena, p->value_count, sizeof *where);
    if (!where)
        return false;
    for (uint32_t v = 0; v < p->value_count; v++) {
        uint32_t devices = 1u << w->where[p->values[v].producer];
        where[v] = devices;
        for (uint32_t i = 0; i < p->values[v].consumer_count; i++)
            devices |= 1u << w->where[p->values[v].consumers[i]];
        for (; devices & (devices - 1); devices &= devices - 1)
            most += p->values[v].producer % w->q->steps == w->step;
    }
    w->plan->transfers = het__arena_zero(&w->plan->arena, most, sizeof *w->plan->transfers);
    if (!w->plan->transfers)
        return false;
    for (uint32_t n = 0; n < w->q->nodes; n++) {
        const uint32_t at = place_node(w, n);
        for (uint32_t r = w->index.first_read[at]; r < w->index.first_read[at + 1]; r++) {
            const uint32_t v = w->index.read[r];
            if (v < p->value_count && !note_transfer(w, n, v, &where[v]))
                return false;
        }
    }
    return true;
}

/* ---- memory ---- */

/* Whether all that use a store on a device have it brought. */
static bool comes(const writer *w, const het__place_store *s, uint32_t device)
{
    for (uint32_t i = 0; i < s->user_count; i++)
        if (w->where[s->users[i]] == device &&
            !het__plan_node_streams(w->q->request, s->users[i] / w->q->steps, device))
            return false;
    return true;
}

static void add_store(const writer *w, uint32_t store, het__plan_memory *memory)
{
    const het__place_store *s = &w->q->place.stores[store];
    const uint32_t kind = w->g->values[w->q->store_ids[store]].kind;
    uint32_t seen = 0;
    for (uint32_t i = 0; i < s->user_count; i++) {
        const uint32_t d = w->where[s->users[i]];
        if (seen >> d & 1)
            continue;
        seen |= 1u << d;
        if (s->free_devices >> d & 1)
            continue;
        if (store >= w->q->slot_first) {
            memory[d].slot_bytes += s->bytes;
            memory[d].slot_count += w->q->slot_count[d];
            continue;
        }
        if (s->is_file && comes(w, s, d)) {
            w->plan->stream[d].bytes += s->bytes;
            continue;
        }
        const bool in_file = !w->q->request->streams && (w->q->place.file_devices >> d & 1);
        double *bytes = kind == HET__VALUE_CONST   ? (in_file ? &memory[d].file_bytes
                                                              : &memory[d].weight_bytes)
                        : kind == HET__VALUE_STATE ? &memory[d].state_bytes : &memory[d].io_bytes;
        *bytes += s->bytes;
    }
}

static bool collect_memory(writer *w)
{
    het__place_sums sums;
    if (het__place_measure(&w->q->plain, w->where, w->q->arena->mem, &sums) != HET_OK)
        return false;
    for (uint32_t d = 0; d < w->q->devices; d++) {
        w->plan->memory[d].activation_bytes = sums.peak[d];
        w->plan->memory[d].limit_bytes = w->q->limit[d];
        w->load[d] = sums.load[d];
    }
    for (uint32_t i = 0; i < w->q->place.store_count; i++)
        add_store(w, i, w->plan->memory);
    for (uint32_t n = 0; n < w->q->nodes; n++) {
        const uint32_t d = w->where[(size_t)n * w->q->steps + w->step];
        w->plan->memory[d].bring_ns += het__plan_bring_ns(w->q, n, w->step, d);
    }
    return true;
}

static void add_share(const writer *w, const het__place_store *s, uint32_t kind,
                      het__plan_entry *e)
{
    if (kind == HET__VALUE_STATE)
        e->state_bytes += s->bytes;
    else
        e->stored_bytes += s->bytes;
    if (s->is_file && comes(w, s, e->device))
        e->stream_bytes += s->bytes;
}

/* Stores belong to the entry that uses them first on its device; states to that of their node. */
static void share_stores(writer *w)
{
    const het__place_problem *p = &w->q->place;
    for (uint32_t i = 0; i < p->store_count; i++) {
        const uint32_t kind = w->g->values[w->q->store_ids[i]].kind;
        uint32_t seen = 0, entry = 0;
        if (kind != HET__VALUE_CONST && kind != HET__VALUE_STATE)
            continue;
        for (uint32_t k = 0; k < p->stores[i].user_count; k++) {
            const uint32_t at = p->stores[i].users[k], node = at / w->q->steps;
            if (at % w->q->steps != w->step || seen >> w->where[at] & 1)
                continue;
            seen |= 1u << w->where[at];
            if (p->stores[i].free_devices >> w->where[at] & 1)
                continue; /* slots stay with the entry that has the first mixture */
            const het__plan_entry *e = w->plan->entries;
            uint32_t low = entry, high = w->plan->entry_count;
            while (high - low > 1) {
                const uint32_t middle = low + (high - low) / 2;
                if (e[middle].first_node <= node)
                    low = middle;
                else
                    high = middle;
            }
            entry = low;
            add_share(w, &p->stores[i], kind, &w->plan->entries[entry]);
        }
    }
}

/* ---- the runner-up ---- */

static uint32_t device_if(const writer *w, const het__plan_entry *e, uint32_t at, uint32_t to)
{
    const uint32_t node = at / w->q->steps;
    const bool is_moved = to < w->q->devices && at % w->q->steps == w->step &&
                          node >= e->first_node && node < e->first_node + e->node_count;
    return is_moved ? to : w->where[at];
}

/* What the copies of a value load each device with, with the entry on `to` (none: as it is). */
static void load_value(const writer *w, const het__plan_entry *e, uint32_t value, uint32_t to,
                       double sign, double *load)
{
    const het__place_value *v = &w->q->place.values[value];
    uint32_t where = 1u << device_if(w, e, v->producer, to);
    for (uint32_t i = 0; i < v->consumer_count; i++) {
        const uint32_t d = device_if(w, e, v->consumers[i], to);
        if (where >> d & 1)
            continue;
        const uint32_t from = source_of(w->q, value, where, d);
        load[d] += sign * v->transfer_cost[from * w->q->devices + d];
        where |= 1u << d;
    }
}

static uint32_t touched_values(writer *w, const het__plan_entry *e)
{
    const uint32_t mark = (uint32_t)(e - w->plan->entries) + 1;
    uint32_t count = 0;
    for (uint32_t n = e->first_node; n < e->first_node + e->node_count; n++) {
        const uint32_t at = place_node(w, n);
        const het__place_index *x = &w->index;
        for (uint32_t i = x->first_read[at]; i < x->first_read[at + 1]; i++)
            if (x->read[i] < w->q->place.value_count && w->touched[x->read[i]] != mark) {
                w->touched[x->read[i]] = mark;
                w->list[count++] = x->read[i];
            }
        for (uint32_t i = x->first_made[at]; i < x->first_made[at + 1]; i++)
            if (x->made[i] < w->q->place.value_count && w->touched[x->made[i]] != mark) {
                w->touched[x->made[i]] = mark;
                w->list[count++] = x->made[i];
            }
    }
    return count;
}

/* The objective with the entry on another device, all else as it is; INFINITY: it cannot go. */
static double moved(const writer *w, const het__plan_entry *e, uint32_t values, uint32_t to)
{
    double load[DEVICES], objective = 0;
    memcpy(load, w->load, sizeof load);
    for (uint32_t n = e->first_node; n < e->first_node + e->node_count; n++) {
        const double *cost = w->q->node_cost + (size_t)place_node(w, n) * w->q->devices;
        load[e->device] -= cost[e->device];
        load[to] += cost[to];
    }
    if (!isfinite(load[to]))
        return INFINITY;
    for (uint32_t i = 0; i < values; i++) {
        load_value(w, e, w->list[i], DEVICES, -1, load);
        load_value(w, e, w->list[i], to, 1, load);
    }
    for (uint32_t d = 0; d < w->q->devices; d++)
        objective = w->q->place.objective == HET__PLACE_SUM ? objective + load[d]
                                                            : fmax(objective, load[d]);
    return objective;
}

static void find_runner_up(writer *w, het__plan_entry *e)
{
    const uint32_t values = touched_values(w, e);
    e->runner_up = HET__PLAN_NONE;
    e->runner_up_total = INFINITY;
    for (uint32_t d = 0; d < w->q->devices; d++) {
        if (d == e->device)
            continue;
        const double total = moved(w, e, values, d);
        if (total < e->runner_up_total) {
            e->runner_up_total = total;
            e->runner_up = d;
        }
    }
}

/* ---- entries ---- */

static const char *entry_name(const writer *w, const het__plan_entry *e)
{
    if (e->layer >= 0)
        return het__arena_printf(&w->plan->arena, "block %d", e->layer);
    for (const het__plan_entry *before = w->plan->entries; before < e; before++)
        if (before->layer >= 0)
            return "head";
    return "embedding";
}

/* Why some other device may not run all of it; NULL if every one may. */
static const char *refusal(const writer *w, const het__plan_entry *e, uint32_t *device)
{
    for (uint32_t d = 0; d < w->q->devices; d++)
        for (uint32_t n = e->first_node; d != e->device && n < e->first_node + e->node_count; n++) {
            const char *why = w->q->reasons[(size_t)place_node(w, n) * w->q->devices + d];
            *device = d;
            if (why)
                return why;
        }
    return NULL;
}

/* Thousandths without the decimal point of a locale. */
static const char *decimal(double value, char text[40])
{
    const double rounded = floor(fabs(value) * 1000 + 0.5);
    if (!(rounded < 1e15))
        snprintf(text, 40, "%s", value < 0 ? "-inf" : "inf");
    else
        snprintf(text, 40, "%s%llu.%03llu", value < 0 && rounded > 0 ? "-" : "",
                 (unsigned long long)rounded / 1000, (unsigned long long)rounded % 1000);
    return text;
}

static double entry_ns(const writer *w, const het__plan_entry *e, uint32_t device)
{
    double ns = 0;
    for (uint32_t n = e->first_node; n < e->first_node + e->node_count; n++)
        ns += w->q->node_ns[(size_t)place_node(w, n) * w->q->devices + device];
    return ns;
}

/* In what the plan as a whole comes to: ms, or mJ. */
static const char *entry_reason(const writer *w, const het__plan_entry *e)
{
    const het__machine_device *devices = w->plan->machine.device;
    const bool is_energy = w->q->objective == HET_OBJECTIVE_ENERGY;
    char a[40], b[40], c[40];
    uint32_t refused = 0;
    const char *why = refusal(w, e, &refused);
    if (w->q->devices == 1)
        return "the only device";
    if (e->runner_up == HET__PLAN_NONE)
        return why ? het__arena_printf(&w->plan->arena, "other devices cannot: %s: %s",
                                       devices[refused].backend, why)
                   : "other devices cannot get what it reads";
    const double more = (e->runner_up_total - w->plan->total) / 1e6;
    const char *but = more >= 0 ? "" : w->q->request->given ? ", but not side by side"
                    : w->q->wish > 0 ? ", against the policy or the memories"
                                                      : ", which the memories do not hold";
    return het__arena_printf(&w->plan->arena,
                             "%s ms here, %s ms on %s, where the plan takes %s %s %s%s",
                             decimal(e->predicted_ns / 1e6, a),
                             decimal(entry_ns(w, e, e->runner_up) / 1e6, b),
                             devices[e->runner_up].backend, decimal(fabs(more), c),
                             is_energy ? "mJ" : "ms", more >= 0 ? "more" : "less", but);
}

/* Why its weights come, behind why it is there. */
static const char *stream_reason(const writer *w, const het__plan_entry *e)
{
    const het__plan_stream *s = &w->plan->stream[e->device];
    return het__arena_printf(&w->plan->arena,
                             "%s; weights come for each step, like those of %u of %u layers there: "
                             "it may hold %.0f bytes", e->reason, s->come_count, s->layer_count,
                             w->plan->memory[e->device].limit_bytes);
}

static bool describe_entry(writer *w, het__plan_entry *e)
{
    char ops[256] = "";
    size_t used = 0;
    for (uint32_t n = e->first_node; n < e->first_node + e->node_count; n++) {
        const het__work *work = &w->q->work[place_node(w, n)];
        e->flops += work->flops;
        e->weight_bytes += work->weight_bytes;
        e->activation_bytes += work->input_bytes + work->output_bytes;
        const int added = snprintf(ops + used, sizeof ops - used, "%s%s", used ? "," : "",
                                   het__node_operation(&w->g->nodes[n]));
        if (added > 0 && used + (size_t)added < sizeof ops)
            used += (size_t)added;
    }
    ops[used] = '\0';
    e->predicted_ns = entry_ns(w, e, e->device);
    find_runner_up(w, e);
    e->operations = het__arena_strdup(&w->plan->arena, ops);
    e->name = entry_name(w, e);
    e->reason = entry_reason(w, e);
    if (e->reason && e->is_streamed)
        e->reason = stream_reason(w, e);
    return e->operations && e->name && e->reason;
}

static bool begins(const writer *w, uint32_t node)
{
    const uint8_t *marks = w->q->request->begins;
    return marks && marks[(size_t)w->step * w->q->nodes + node];
}

static bool make_entries(writer *w)
{
    het__plan *plan = w->plan;
    plan->entries = het__arena_zero(&plan->arena, plan->node_count, sizeof *plan->entries);
    if (!plan->entries)
        return false;
    for (uint32_t n = 0; n < plan->node_count; n++) {
        het__plan_entry *e = plan->entry_count ? &plan->entries[plan->entry_count - 1] : NULL;
        if (!e || e->layer != w->g->nodes[n].layer || e->device != plan->node_device[n] ||
            begins(w, n)) {
            e = &plan->entries[plan->entry_count++];
            e->layer = w->g->nodes[n].layer;
            e->device = plan->node_device[n];
            e->first_node = n;
            e->is_streamed = het__plan_node_streams(w->q->request, n, e->device);
        }
        e->node_count++;
    }
    share_stores(w);
    het__plan_stream_describe(w->q, plan);
    for (uint32_t i = 0; i < plan->entry_count; i++) {
        het__plan_entry *e = &plan->entries[i];
        if (!describe_entry(w, e))
            return false;
        plan->predicted_ns += e->predicted_ns;
        plan->flops += e->flops;
        plan->weight_bytes += e->weight_bytes;
        plan->activation_bytes += e->activation_bytes;
    }
    return true;
}

bool het__plan_describe(const het__plan_problem *q, const uint8_t *devices, uint32_t step,
                        het__plan *plan)
{
    writer w = { .q = q, .g = q->request->graph, .where = devices, .step = step, .plan = plan };
    plan->node_device = het__arena_zero(&plan->arena, q->nodes, 1);
    plan->node_ns = het__arena_zero(&plan->arena, q->nodes, sizeof *plan->node_ns);
    w.touched = het__arena_zero(q->arena, q->place.value_count, sizeof *w.touched);
    w.list = het__arena_zero(q->arena, q->place.value_count, sizeof *w.list);
    if (!plan->node_device || !plan->node_ns || !w.touched || !w.list ||
        !het__place_index_make(&q->place, false, q->arena, &w.index))
        return false;
    for (uint32_t n = 0; n < q->nodes; n++) {
        const size_t at = (size_t)n * q->steps + step;
        plan->node_device[n] = devices[at];
        plan->node_ns[n] = q->node_ns[at * q->devices + devices[at]];
    }
    return collect_memory(&w) && collect_transfers(&w) && make_entries(&w);
}
