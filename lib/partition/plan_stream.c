/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/partition/plan_stream.h"

#include <math.h>
#include <string.h>

#include "lib/base/mem.h"

static double const_bytes(const het__plan_request *r, uint32_t value)
{
    const int64_t *symbols = r->step_count ? r->steps[0].symbols : r->symbols;
    const int64_t n = het__value_bytes(&r->graph->values[value], symbols);
    return n > 0 ? (double)n : 0;
}

static bool is_host(const het__machine_device *d)
{
    return d->kind == HET_DEVICE_CPU || d->kind == HET_DEVICE_REFERENCE;
}

/* Weights come from a host's memory, which must be another than the device's. Of the present
 * machine only the device's kind tells. */
static bool has_source(const het__plan_request *r, uint32_t device)
{
    const het__machine *m = r->machine;
    bool has = false;
    if (!r->limited)
        return m->device[device].kind != HET_DEVICE_IGPU;
    for (uint32_t d = 0; d < m->device_count; d++)
        has = has || (is_host(&m->device[d]) && m->device[d].group != m->device[device].group);
    return has;
}

/* Experts that have slots of their own do not come with their layer. */
static bool input_comes(const het__plan_problem *q, const het__node *n, uint32_t input,
                        uint32_t device)
{
    const bool is_expert = n->op == HET__OP_MOE && input >= 2 && input < 5;
    return n->inputs[input] != HET__NO_VALUE && !(is_expert && (q->slot_devices >> device & 1)) &&
           het__value_streams(&q->request->graph->values[n->inputs[input]]);
}

/* Whether a device could hold the whole graph. */
static het_status holds_all(const het__plan_problem *q, uint32_t device, uint8_t *placement,
                            het__mem *mem, bool *holds)
{
    het__place_sums sums;
    memset(placement, (int)device, q->place.node_count);
    const het_status s = het__place_measure(&q->plain, placement, mem, &sums);
    *holds = s == HET_OK && sums.stored[device] + sums.peak[device] <= q->limit[device];
    return s;
}

static het_status find_devices(const het__plan_problem *q, het__mem *mem, uint8_t *placement,
                               uint32_t *devices, bool *is_wanted)
{
    const het__plan_request *r = q->request;
    het_status s = HET_OK;
    for (uint32_t d = 0; d < q->devices && s == HET_OK; d++) {
        const het__policy_stream said =
            r->policy ? het__policy_streams(r->policy, d) : HET__STREAM_UNSAID;
        bool holds = true;
        if ((r->stream_devices >> d & 1) && isfinite(q->limit[d]) && said != HET__STREAM_NEVER &&
            (said == HET__STREAM_ALWAYS || has_source(r, d)))
            s = holds_all(q, d, placement, mem, &holds);
        if (holds)
            continue;
        *devices |= 1u << d;
        *is_wanted = *is_wanted || said == HET__STREAM_ALWAYS;
    }
    return s;
}

het_status het__plan_stream_devices(const het__plan_problem *q, het__mem *mem, uint32_t *devices,
                                    bool *is_wanted)
{
    *devices = 0;
    *is_wanted = false;
    if (!q->request->stream_devices)
        return HET_OK;
    uint8_t *placement = het__alloc(mem, q->place.node_count ? q->place.node_count : 1);
    const het_status s =
        placement ? find_devices(q, mem, placement, devices, is_wanted) : HET_E_NOMEM;
    het__free(mem, placement);
    return s;
}

bool het__plan_node_streams(const het__plan_request *r, uint32_t node, uint32_t device)
{
    const int32_t layer = r->graph->nodes[node].layer;
    return r->streams && layer >= 0 && (r->streams->layers[layer] >> device & 1);
}

double het__plan_stream_ns(const het__plan_problem *q, uint32_t node, uint32_t device)
{
    const het__plan_request *r = q->request;
    const het__node *n = &r->graph->nodes[node];
    const het__machine *m = r->machine;
    double bytes = 0;
    uint32_t host = 0;
    while (host < m->device_count && (host == device || !is_host(&m->device[host])))
        host++;
    for (uint32_t i = 0; i < n->input_count; i++)
        if (input_comes(q, n, i, device))
            bytes += const_bytes(r, n->inputs[i]);
    if (host < m->device_count)
        return het__machine_transfer_ns(m, host, device, bytes) -
               het__machine_transfer_ns(m, host, device, 0);
    return m->link_bandwidth.value > 0 ? bytes / m->link_bandwidth.value * 1e9 : 0;
}

/* ---- slots ---- */

/* Constants that come together: those of a run of nodes of one layer on one device. */
typedef struct runs {
    const het__plan_problem *q;
    uint32_t device;
    const uint8_t *placement; /* NULL: all nodes are there */
    const uint32_t *layers;   /* per layer: devices, as bits */
    uint32_t *met;            /* per value: the run that it was met in */
    double *most;             /* per place in a slot: bytes */
    uint32_t run, place;
} runs;

static void add_node(runs *w, uint32_t node)
{
    const het__node *n = &w->q->request->graph->nodes[node];
    for (uint32_t i = 0; i < n->input_count; i++) {
        const uint32_t v = n->inputs[i];
        if (!input_comes(w->q, n, i, w->device) || w->met[v] == w->run)
            continue;
        w->met[v] = w->run;
        const double bytes = ceil(const_bytes(w->q->request, v) / HET__ALIGN) * HET__ALIGN;
        w->most[w->place] = fmax(w->most[w->place], bytes);
        w->place++;
    }
}

static void add_step(runs *w, uint32_t step)
{
    const het__graph *g = w->q->request->graph;
    int32_t layer = -1;
    for (uint32_t n = 0; n < w->q->nodes; n++) {
        const int32_t l = g->nodes[n].layer;
        const bool is_there =
            l >= 0 && (w->layers[l] >> w->device & 1) &&
            (!w->placement || w->placement[(size_t)n * w->q->steps + step] == w->device);
        if (!is_there || l != layer) {
            w->run++;
            w->place = 0;
        }
        layer = is_there ? l : -1;
        if (is_there)
            add_node(w, n);
    }
}

/* What the run with the most takes, place by place, as backends lay them; -1: out of memory. */
static double slot_bytes(const het__plan_problem *q, uint32_t device, const uint8_t *placement,
                         const uint32_t *layers)
{
    const uint32_t values = q->request->graph->value_count;
    runs w = { .q = q, .device = device, .placement = placement, .layers = layers };
    w.met = het__arena_zero(q->arena, values, sizeof *w.met);
    w.most = het__arena_zero(q->arena, values, sizeof *w.most);
    double sum = 0;
    if (!w.met || !w.most)
        return -1;
    for (uint32_t k = 0; k < (placement ? q->steps : 1); k++)
        add_step(&w, k);
    for (uint32_t i = 0; i < values; i++)
        sum += w.most[i];
    return sum;
}

static uint32_t layer_count(const het__graph *g)
{
    int32_t last = -1;
    for (uint32_t n = 0; n < g->node_count; n++)
        last = g->nodes[n].layer > last ? g->nodes[n].layer : last;
    return (uint32_t)(last + 1);
}

bool het__plan_stream_all(const het__plan_problem *q, uint32_t devices, het__plan_streams *s)
{
    const uint32_t layers = layer_count(q->request->graph);
    memset(s, 0, sizeof *s);
    s->devices = devices;
    s->layers = het__arena_zero(q->arena, (size_t)layers + 1, sizeof *s->layers);
    for (uint32_t l = 0; s->layers && l < layers; l++)
        s->layers[l] = devices;
    for (uint32_t d = 0; s->layers && d < q->devices; d++) {
        s->slot_bytes[d] = devices >> d & 1 ? slot_bytes(q, d, NULL, s->layers) : 0;
        if (s->slot_bytes[d] < 0)
            return false;
    }
    return s->layers != NULL;
}

/* ---- what stays ---- */

/* Bytes of each layer's weights on a device that could come. */
static void share_out(const het__plan_problem *q, const uint8_t *placement, uint32_t device,
                      double *bytes)
{
    for (uint32_t i = 0; i < q->place.store_count; i++) {
        const het__place_store *s = &q->place.stores[i];
        uint32_t k = 0;
        while (k < s->user_count && placement[s->users[k]] != device)
            k++;
        if (s->is_file && k < s->user_count && !(s->free_devices >> device & 1))
            bytes[q->request->graph->nodes[s->users[k] / q->steps].layer] += s->bytes;
    }
}

/* Whether the layer is one of `come` of `all`, spread evenly. */
static bool comes(uint64_t layer, uint64_t come, uint64_t all)
{
    return (layer + 1) * come / all > layer * come / all;
}

static double staying(const double *bytes, uint32_t layers, uint32_t come, uint32_t all)
{
    double sum = 0;
    uint32_t k = 0;
    for (uint32_t l = 0; l < layers; l++)
        if (bytes[l] > 0)
            sum += comes(k++, come, all) ? 0 : bytes[l];
    return sum;
}

static het_status choose(const het__plan_problem *q, const uint8_t *placement, uint32_t device,
                         double room, het__plan_streams *s)
{
    const uint32_t layers = layer_count(q->request->graph), bit = 1u << device;
    double *bytes = het__arena_zero(q->arena, (size_t)layers + 1, sizeof *bytes);
    const double slot = bytes ? slot_bytes(q, device, placement, s->layers) : -1;
    uint32_t all = 0, come = 0, k = 0;
    if (slot < 0)
        return HET_E_NOMEM;
    share_out(q, placement, device, bytes);
    for (uint32_t l = 0; l < layers; l++)
        all += bytes[l] > 0;
    while (come <= all && staying(bytes, layers, come, all) +
                          (come ? HET__STREAM_SLOTS * slot : 0) > room)
        come++;
    if (come > all)
        return HET_E_UNSUPPORTED;
    for (uint32_t l = 0; l < layers; l++)
        if (bytes[l] <= 0 || !comes(k++, come, all))
            s->layers[l] &= ~bit;
    s->devices &= come ? ~UINT32_C(0) : ~bit;
    s->slot_bytes[device] = come ? slot_bytes(q, device, placement, s->layers) : 0;
    return s->slot_bytes[device] < 0 ? HET_E_NOMEM : HET_OK;
}

het_status het__plan_stream_choose(const het__plan_problem *q, const uint8_t *placement,
                                   het__mem *mem, het__plan_streams *s)
{
    het__place_sums sums;
    const uint32_t devices = s->devices;
    het_status status = het__place_measure(&q->plain, placement, mem, &sums);
    for (uint32_t d = 0; status == HET_OK && d < q->devices; d++)
        if (devices >> d & 1)
            status = choose(q, placement, d, q->limit[d] - sums.stored[d] - sums.peak[d], s);
    return status;
}

/* ---- the plan ---- */

static void count_layers(const het__plan *plan, uint32_t device, het__plan_stream *s)
{
    for (uint32_t i = 0; i < plan->entry_count; i++) {
        const het__plan_entry *e = &plan->entries[i];
        const bool is_first = i == 0 || e->layer != plan->entries[i - 1].layer;
        if (e->device != device || e->layer < 0)
            continue;
        s->layer_count += is_first || plan->entries[i - 1].device != device;
        s->come_count += e->is_streamed;
    }
}

void het__plan_stream_describe(const het__plan_problem *q, het__plan *plan)
{
    const het__plan_streams *s = q->request->streams;
    for (uint32_t d = 0; s && d < q->devices; d++) {
        het__plan_stream *of = &plan->stream[d];
        if (!(s->devices >> d & 1))
            continue;
        of->slot_count = HET__STREAM_SLOTS;
        of->slot_bytes = s->slot_bytes[d];
        plan->memory[d].weight_bytes += of->slot_count * of->slot_bytes;
        count_layers(plan, d, of);
    }
}
