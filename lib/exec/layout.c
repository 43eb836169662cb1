/* SPDX-License-Identifier: Apache-2.0 */
/* Where every value lives on every device. Sizes are those of the largest step of each phase. */
#include <string.h>

#include "lib/base/error.h"
#include "lib/exec/internal.h"
#include "lib/exec/memory.h"

/* What one device does with one value in one phase. */
typedef struct span {
    uint32_t first, last; /* nodes */
    bool used;
} span;

static int64_t value_bytes(const het__exec *x, uint32_t phase, uint32_t value)
{
    return het__value_bytes(&x->graph->values[value], x->request.symbols_max[phase]);
}

/* The larger of the phases: inputs, outputs and states are shared by them. */
static int64_t shared_bytes(const het__exec *x, uint32_t value)
{
    int64_t most = 0;
    for (uint32_t p = 0; p < x->request.phase_count; p++) {
        const int64_t n = value_bytes(x, p, value);
        if (n < 0)
            return -1;
        most = n > most ? n : most;
    }
    return most;
}

static void touch(span *s, uint32_t node)
{
    if (!s->used)
        s->first = node;
    s->used = true;
    s->last = node;
}

/* First node of the plan entry that a node belongs to: what the entry needs from elsewhere is
 * copied before that node runs. */
static uint32_t entry_start(const het__plan *plan, uint32_t node, uint32_t *entry)
{
    while (node >= plan->entries[*entry].first_node + plan->entries[*entry].node_count)
        (*entry)++;
    return plan->entries[*entry].first_node;
}

/* Spans of all values on one device: nodes there, and copies made for later nodes there. */
static void find_spans(const het__exec *x, uint32_t phase, uint32_t device, span *spans)
{
    const het__graph *g = x->graph;
    const uint8_t *where = x->phase[phase].plan.node_device;
    uint32_t entry = 0;
    memset(spans, 0, g->value_count * sizeof *spans);
    for (uint32_t n = 0; n < g->node_count; n++) {
        const het__node *node = &g->nodes[n];
        const uint32_t start = entry_start(&x->phase[phase].plan, n, &entry);
        for (uint32_t i = 0; i < node->input_count; i++)
            if (node->inputs[i] != HET__NO_VALUE) {
                const uint32_t v = node->inputs[i], maker = g->values[v].producer;
                if (where[n] == device && maker != HET__NO_VALUE && where[maker] != device)
                    touch(&spans[v], start); /* the copy arrives */
                if (where[n] == device || (maker != HET__NO_VALUE && where[maker] == device))
                    touch(&spans[v], n); /* a copy to elsewhere reads it until then */
            }
        for (uint32_t o = 0; o < node->output_count; o++)
            if (where[n] == device)
                touch(&spans[node->outputs[o]], n);
    }
}

static bool is_temp(const het__value *v)
{
    return v->kind == HET__VALUE_TEMP;
}

/* The value whose bytes a value is: a view of a temporary lies where that lies, if both are of this
 * device. */
static uint32_t root_of(const het__exec *x, uint32_t phase, uint32_t device, uint32_t value)
{
    const het__graph *g = x->graph;
    const uint8_t *where = x->phase[phase].plan.node_device;
    for (;;) {
        const uint32_t maker = g->values[value].producer;
        if (!is_temp(&g->values[value]) || maker == HET__NO_VALUE || where[maker] != device ||
            !het__op_is_view(g->nodes[maker].op))
            return value;
        const uint32_t from = g->nodes[maker].inputs[0];
        if (!is_temp(&g->values[from]) || g->values[from].producer == HET__NO_VALUE ||
            where[g->values[from].producer] != device)
            return value;
        value = from;
    }
}

/* A root lives as long as its views. */
static void join_views(const het__exec *x, uint32_t phase, uint32_t device, span *spans)
{
    for (uint32_t v = 0; v < x->graph->value_count; v++) {
        span *root = &spans[root_of(x, phase, device, v)];
        if (!spans[v].used || root == &spans[v])
            continue;
        root->last = spans[v].last > root->last ? spans[v].last : root->last;
    }
}

static het_status too_large(const het__exec *x, uint32_t value, het_error *err)
{
    return het__fail(err, HET_E_NOMEM, "tensor %s is too large for this address space",
                     x->graph->values[value].name);
}

static het_status plan_temps(het__exec *x, uint32_t phase, uint32_t device, span *spans,
                             het_error *err)
{
    const het__graph *g = x->graph;
    het__opened *o = &x->opened[device];
    het__interval *it = het__alloc_zero(x->mem, g->value_count, sizeof *it);
    uint32_t *ids = het__alloc_zero(x->mem, g->value_count, sizeof *ids);
    uint32_t count = 0;
    size_t total = 0;
    het_status s = it && ids ? HET_OK : het__fail_nomem(err, "the memory plan");
    join_views(x, phase, device, spans);
    for (uint32_t v = 0; s == HET_OK && v < g->value_count; v++) {
        if (!spans[v].used || !is_temp(&g->values[v]) || root_of(x, phase, device, v) != v)
            continue;
        const int64_t bytes = value_bytes(x, phase, v);
        if (bytes < 0)
            s = too_large(x, v, err);
        /* Even an empty tensor has a place. */
        it[count] = (het__interval){ spans[v].first, spans[v].last,
                                     bytes > 0 ? (size_t)bytes : 1, 0 };
        ids[count++] = v;
    }
    if (s == HET_OK && het__memory_plan(it, count, x->mem, &total) != HET_OK)
        s = het__fail_nomem(err, "the memory plan");
    for (uint32_t i = 0; s == HET_OK && i < count; i++)
        o->places[phase][ids[i]].offset = it[i].offset;
    for (uint32_t v = 0; s == HET_OK && v < g->value_count; v++)
        o->places[phase][v].offset = o->places[phase][root_of(x, phase, device, v)].offset;
    if (total > o->temp_bytes)
        o->temp_bytes = total;
    het__free(x->mem, it);
    het__free(x->mem, ids);
    return s;
}

/* Inputs, outputs and states get a place of their own, the same in both phases. */
static het_status place_shared(het__exec *x, uint32_t device, uint32_t value, het_error *err)
{
    het__opened *o = &x->opened[device];
    const int64_t bytes = shared_bytes(x, value);
    size_t *total =
        x->graph->values[value].kind == HET__VALUE_STATE ? &o->state_bytes : &o->io_bytes;
    if (bytes < 0 || (uint64_t)bytes > SIZE_MAX / 4 - *total)
        return too_large(x, value, err);
    for (uint32_t p = 0; p < x->request.phase_count; p++)
        o->places[p][value].offset = *total;
    *total += het__round_up(bytes > 0 ? (size_t)bytes : 1, HET__ALIGN);
    return HET_OK;
}

static bool is_shared(const het__value *v)
{
    return v->kind == HET__VALUE_INPUT || v->kind == HET__VALUE_OUTPUT ||
           v->kind == HET__VALUE_STATE;
}

static het_status create_buffers(het__exec *x, uint32_t device, het_error *err)
{
    het__opened *o = &x->opened[device];
    const struct { size_t bytes; het__buffer **buffer; } want[] = {
        { o->io_bytes, &o->io }, { o->state_bytes, &o->state }, { o->temp_bytes, &o->temp },
    };
    for (size_t i = 0; i < sizeof want / sizeof want[0]; i++) {
        if (want[i].bytes == 0)
            continue;
        const het_status s =
            o->backend->buffer_create(o->device, want[i].bytes, want[i].buffer, err);
        if (s != HET_OK)
            return het__exec_blame(x, device, -1, HET__EXEC_RESERVE, s, err);
    }
    return HET_OK;
}

static void point_places(het__exec *x, uint32_t device, uint32_t phase, const span *spans)
{
    het__opened *o = &x->opened[device];
    for (uint32_t v = 0; v < x->graph->value_count; v++) {
        const het__value *value = &x->graph->values[v];
        if (!spans[v].used || value->kind == HET__VALUE_CONST)
            continue;
        o->places[phase][v].buffer = value->kind == HET__VALUE_STATE ? o->state
                                     : is_temp(value)               ? o->temp
                                                                    : o->io;
    }
}

static het_status layout_device(het__exec *x, uint32_t device, span *spans, het_error *err)
{
    const uint32_t values = x->graph->value_count;
    het__opened *o = &x->opened[device];
    for (uint32_t p = 0; p < x->request.phase_count; p++) {
        o->places[p] = het__arena_zero(&x->arena, values, sizeof *o->places[p]);
        if (!o->places[p])
            return het__fail_nomem(err, "the memory plan");
        find_spans(x, p, device, spans + (size_t)p * values);
    }
    for (uint32_t v = 0; v < values; v++) {
        if ((!spans[v].used && !spans[values + v].used) || !is_shared(&x->graph->values[v]))
            continue;
        const het_status s = place_shared(x, device, v, err);
        if (s != HET_OK)
            return s;
    }
    for (uint32_t p = 0; p < x->request.phase_count; p++) {
        const het_status s = plan_temps(x, p, device, spans + (size_t)p * values, err);
        if (s != HET_OK)
            return s;
    }
    const het_status s = create_buffers(x, device, err);
    for (uint32_t p = 0; s == HET_OK && p < x->request.phase_count; p++)
        point_places(x, device, p, spans + (size_t)p * values);
    return s;
}

/* An input or output that one device alone uses, in memory that the host reaches, needs no copy. */
static void *direct_memory(const het__exec *x, uint32_t value)
{
    const het__opened *only = NULL;
    const het__place *place = NULL;
    for (uint32_t d = 0; d < x->device_count; d++) {
        const het__opened *o = &x->opened[d];
        for (uint32_t p = 0; o->device && p < x->request.phase_count; p++) {
            if (!o->places[p][value].buffer)
                continue;
            if (only && only != o)
                return NULL;
            only = o;
            place = &o->places[p][value];
        }
    }
    char *host = only ? only->backend->buffer_host(only->device, place->buffer) : NULL;
    return host ? host + place->offset : NULL;
}

static het_status stage(het__exec *x, uint32_t value, size_t bytes, het_error *err)
{
    x->staging[value] = direct_memory(x, value);
    x->is_direct[value] = x->staging[value] != NULL;
    if (x->is_direct[value])
        return HET_OK;
    x->staging[value] = het__alloc_zero(x->mem, bytes, 1);
    x->staging_bytes += bytes;
    return x->staging[value] ? HET_OK : het__fail_nomem(err, "staging memory");
}

/* Host copies of inputs and outputs, and room for what crosses between devices. */
static het_status make_staging(het__exec *x, het_error *err)
{
    size_t largest = 0;
    x->is_direct = het__arena_zero(&x->arena, x->graph->value_count, sizeof *x->is_direct);
    x->staging = het__arena_zero(&x->arena, x->graph->value_count, sizeof *x->staging);
    if (!x->staging || !x->is_direct)
        return het__fail_nomem(err, "staging memory");
    for (uint32_t v = 0; v < x->graph->value_count; v++) {
        const het__value *value = &x->graph->values[v];
        const int64_t bytes = value->kind == HET__VALUE_CONST ? 0 : shared_bytes(x, v);
        if (bytes < 0)
            return too_large(x, v, err);
        if (is_temp(value) || value->kind == HET__VALUE_OUTPUT)
            largest = (size_t)bytes > largest ? (size_t)bytes : largest;
        if (value->kind != HET__VALUE_INPUT && value->kind != HET__VALUE_OUTPUT)
            continue;
        const het_status s = stage(x, v, (size_t)bytes, err);
        if (s != HET_OK)
            return s;
    }
    bool crosses = false;
    for (uint32_t p = 0; p < x->request.phase_count; p++)
        crosses = crosses || x->phase[p].plan.transfer_count > 0;
    if (!crosses)
        return HET_OK;
    x->bounce = het__alloc(x->mem, largest);
    x->staging_bytes += largest;
    return x->bounce ? HET_OK : het__fail_nomem(err, "staging memory");
}

het_status het__exec_layout(het__exec *x, het_error *err)
{
    span *spans = het__alloc_zero(x->mem, x->graph->value_count,
                                  HET__PHASE_COUNT * sizeof *spans);
    if (!spans)
        return het__fail_nomem(err, "the memory plan");
    het_status s = HET_OK;
    for (uint32_t d = 0; s == HET_OK && d < x->device_count; d++)
        if (x->opened[d].device)
            s = layout_device(x, d, spans, err);
    het__free(x->mem, spans);
    return s == HET_OK ? make_staging(x, err) : s;
}
