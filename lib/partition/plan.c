/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/partition/plan.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "lib/base/error.h"
#include "lib/base/text.h"
#include "lib/cost/cost.h"
#include "lib/partition/place.h"

/* Everything that placing needs, in one arena that is dropped afterwards. */
typedef struct draft {
    const het__plan_request *request;
    het__arena arena;
    het__work *work;          /* per node */
    double *node_ns;          /* per node and device */
    het__place_value *values; /* per edge value */
    uint32_t *value_ids;      /* of the graph */
    uint32_t value_count;
    het__placement placement;
} draft;

static bool cost_nodes(draft *d)
{
    const het__plan_request *r = d->request;
    const uint32_t devices = r->machine->device_count;
    d->work = het__arena_zero(&d->arena, r->graph->node_count, sizeof *d->work);
    d->node_ns = het__arena_zero(&d->arena, (size_t)r->graph->node_count * devices,
                                 sizeof *d->node_ns);
    if (!d->work || !d->node_ns)
        return false;
    for (uint32_t n = 0; n < r->graph->node_count; n++) {
        het__node_work(r->graph, &r->graph->nodes[n], r->symbols, &d->work[n]);
        for (uint32_t i = 0; i < devices; i++) {
            const size_t at = (size_t)n * devices + i;
            het__cost cost;
            het__cost_node(r->graph, &r->graph->nodes[n], &d->work[n], &r->machine->device[i],
                           r->exact, &cost);
            d->node_ns[at] = r->reasons[at] ? INFINITY : cost.ns;
        }
    }
    return true;
}

static bool add_edge_value(draft *d, uint32_t id, const uint32_t *consumers, uint32_t count)
{
    const het__plan_request *r = d->request;
    const uint32_t devices = r->machine->device_count;
    double *ns = het__arena_zero(&d->arena, (size_t)devices * devices, sizeof *ns);
    uint32_t *copy = het__arena_alloc(&d->arena, count * sizeof *copy);
    if (!ns || !copy)
        return false;
    memcpy(copy, consumers, count * sizeof *copy);
    const double bytes = (double)het__value_bytes(&r->graph->values[id], r->symbols);
    for (uint32_t a = 0; a < devices; a++)
        for (uint32_t b = 0; b < devices; b++)
            ns[a * devices + b] = het__machine_transfer_ns(r->machine, a, b, bytes);
    d->values[d->value_count] =
        (het__place_value){ r->graph->values[id].producer, count, copy, ns };
    d->value_ids[d->value_count++] = id;
    return true;
}

/* Consumers of every made value, by counting sort over the nodes' inputs. */
static bool collect_edges(draft *d)
{
    const het__graph *g = d->request->graph;
    uint32_t *first = het__arena_zero(&d->arena, (size_t)g->value_count + 1, sizeof *first);
    uint32_t *uses = het__arena_zero(&d->arena, g->value_count, sizeof *uses);
    d->values = het__arena_zero(&d->arena, g->value_count, sizeof *d->values);
    d->value_ids = het__arena_zero(&d->arena, g->value_count, sizeof *d->value_ids);
    if (!first || !uses || !d->values || !d->value_ids)
        return false;
    het__graph_use_counts(g, uses);
    for (uint32_t v = 0; v < g->value_count; v++)
        first[v + 1] = first[v] + uses[v];
    uint32_t *list = het__arena_zero(&d->arena, first[g->value_count], sizeof *list);
    if (!list)
        return false;
    memset(uses, 0, g->value_count * sizeof *uses);
    for (uint32_t n = 0; n < g->node_count; n++)
        for (uint32_t i = 0; i < g->nodes[n].input_count; i++) {
            const uint32_t v = g->nodes[n].inputs[i];
            if (v != HET__NO_VALUE)
                list[first[v] + uses[v]++] = n;
        }
    for (uint32_t v = 0; v < g->value_count; v++)
        if (g->values[v].producer != HET__NO_VALUE && uses[v] > 0 &&
            !add_edge_value(d, v, list + first[v], uses[v]))
            return false;
    return true;
}

static het_status cannot_run(const het__plan_request *r, uint32_t node, het_error *err)
{
    const uint32_t devices = r->machine->device_count;
    const het__node *n = &r->graph->nodes[node];
    const char *reason = r->reasons[(size_t)node * devices];
    return het__fail(err, HET_E_UNSUPPORTED, "no device runs %s (%s): %s: %s", n->name,
                     het__node_operation(n), r->machine->device[0].backend,
                     reason ? reason : "too many values alive");
}

static void totals_of(const draft *d, het__plan *plan)
{
    for (uint32_t n = 0; n < plan->node_count; n++) {
        plan->flops += d->work[n].flops;
        plan->weight_bytes += d->work[n].weight_bytes;
        plan->activation_bytes += d->work[n].input_bytes + d->work[n].output_bytes;
    }
    for (uint32_t v = 0; v < d->value_count; v++) {
        const het__place_value *value = &d->values[v];
        uint32_t there = 1u << plan->node_device[value->producer];
        for (uint32_t i = 0; i < value->consumer_count; i++) {
            const uint32_t to = plan->node_device[value->consumers[i]];
            if (there >> to & 1)
                continue;
            there |= 1u << to;
            plan->transfer_count++;
            plan->transfer_bytes += (uint64_t)het__value_bytes(
                &d->request->graph->values[d->value_ids[v]], d->request->symbols);
        }
    }
    plan->predicted_ns = d->placement.total_ns;
    plan->proven = d->placement.proven;
}

static const char *entry_name(het__plan *plan, const het__plan_entry *e)
{
    if (e->layer >= 0)
        return het__arena_printf(&plan->arena, "block %d", e->layer);
    for (const het__plan_entry *before = plan->entries; before < e; before++)
        if (before->layer >= 0)
            return "head";
    return "embedding";
}

/* Why this device: what the entry would cost on the others. */
static const char *entry_reason(const draft *d, het__plan *plan, const het__plan_entry *e)
{
    const het__plan_request *r = d->request;
    const uint32_t devices = r->machine->device_count;
    double best = INFINITY;
    uint32_t second = devices;
    const char *refusal = NULL;
    for (uint32_t i = 0; i < devices; i++) {
        if (i == e->device)
            continue;
        double ns = 0;
        for (uint32_t n = e->first_node; n < e->first_node + e->node_count; n++) {
            ns += d->node_ns[(size_t)n * devices + i];
            if (r->reasons[(size_t)n * devices + i] && !refusal)
                refusal = r->reasons[(size_t)n * devices + i];
        }
        if (ns < best) {
            best = ns;
            second = i;
        }
    }
    if (second < devices)
        return het__arena_printf(&plan->arena, "%.3f ms here, %.3f ms on %s", e->predicted_ns / 1e6,
                                 best / 1e6, r->machine->device[second].backend);
    if (refusal)
        return het__arena_printf(&plan->arena, "other devices cannot: %s", refusal);
    return "the only device";
}

static bool describe_entry(const draft *d, het__plan *plan, het__plan_entry *e)
{
    const het__graph *g = d->request->graph;
    const uint32_t devices = d->request->machine->device_count;
    char ops[256] = "";
    size_t used = 0;
    for (uint32_t n = e->first_node; n < e->first_node + e->node_count; n++) {
        e->predicted_ns += d->node_ns[(size_t)n * devices + e->device];
        e->flops += d->work[n].flops;
        e->weight_bytes += d->work[n].weight_bytes;
        e->activation_bytes += d->work[n].input_bytes + d->work[n].output_bytes;
        const int added = snprintf(ops + used, sizeof ops - used, "%s%s", used ? "," : "",
                                   het__node_operation(&g->nodes[n]));
        if (added > 0 && used + (size_t)added < sizeof ops)
            used += (size_t)added;
    }
    e->operations = het__arena_strdup(&plan->arena, ops);
    e->name = entry_name(plan, e);
    e->reason = entry_reason(d, plan, e);
    return e->operations && e->name && e->reason;
}

static bool make_entries(const draft *d, het__plan *plan)
{
    const het__graph *g = d->request->graph;
    plan->entries = het__arena_zero(&plan->arena, plan->node_count, sizeof *plan->entries);
    if (!plan->entries)
        return false;
    for (uint32_t n = 0; n < plan->node_count; n++) {
        het__plan_entry *e =
            plan->entry_count ? &plan->entries[plan->entry_count - 1] : NULL;
        if (!e || e->layer != g->nodes[n].layer || e->device != plan->node_device[n]) {
            e = &plan->entries[plan->entry_count++];
            e->layer = g->nodes[n].layer;
            e->device = plan->node_device[n];
            e->first_node = n;
        }
        e->node_count++;
    }
    for (uint32_t i = 0; i < plan->entry_count; i++)
        if (!describe_entry(d, plan, &plan->entries[i]))
            return false;
    return true;
}

static bool write_text(const draft *d, het__plan *plan, het__mem *mem)
{
    const het__graph *g = d->request->graph;
    het__text text;
    het__text_init(&text, mem);
    het__text_printf(&text, "plan 1\n");
    for (uint32_t i = 0; i < plan->machine.device_count; i++)
        het__text_printf(&text, "device %u %s\n", i, plan->machine.device[i].backend);
    for (uint32_t n = 0; n < plan->node_count; n++)
        het__text_printf(&text, "node %u %s %s layer %d device %u ns %.0f\n", n,
                         het__node_operation(&g->nodes[n]), g->nodes[n].name,
                         g->nodes[n].layer, plan->node_device[n],
                         d->node_ns[(size_t)n * plan->machine.device_count +
                                    plan->node_device[n]]);
    het__text_printf(&text, "transfers %u bytes %llu\ntotal ns %.0f%s\n", plan->transfer_count,
                     (unsigned long long)plan->transfer_bytes, plan->predicted_ns,
                     plan->proven ? "" : " not proven");
    plan->text = het__text_take(&text);
    return plan->text != NULL;
}

static het_status place_nodes(draft *d, het__mem *mem, het__plan *plan, het_error *err)
{
    const het__plan_request *r = d->request;
    const het__place_problem problem = { r->graph->node_count, r->machine->device_count,
                                         d->node_ns, d->value_count, d->values };
    uint32_t stuck = 0;
    d->placement.device = plan->node_device;
    const het_status s = het__place(&problem, mem, &d->placement, &stuck);
    if (s == HET_E_UNSUPPORTED)
        return cannot_run(r, stuck, err);
    return s == HET_OK ? HET_OK : het__fail_nomem(err, "the placement");
}

het_status het__plan_make(const het__plan_request *request, het__mem *mem, het__plan *plan,
                          het_error *err)
{
    memset(plan, 0, sizeof *plan);
    het__arena_init(&plan->arena, mem);
    plan->machine = *request->machine;
    plan->node_count = request->graph->node_count;
    plan->unfused_count = request->unfused_count;
    draft d = { .request = request };
    het__arena_init(&d.arena, mem);
    plan->node_device = het__arena_zero(&plan->arena, plan->node_count, 1);
    het_status s = plan->node_device && cost_nodes(&d) && collect_edges(&d)
                       ? HET_OK : het__fail_nomem(err, "the plan");
    if (s == HET_OK)
        s = place_nodes(&d, mem, plan, err);
    if (s == HET_OK) {
        totals_of(&d, plan);
        if (!make_entries(&d, plan) || !write_text(&d, plan, mem))
            s = het__fail_nomem(err, "the plan");
    }
    het__arena_finish(&d.arena);
    if (s != HET_OK)
        het__plan_finish(plan);
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
