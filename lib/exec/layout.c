/* SPDX-License-Identifier: Apache-2.0 */
/* Where every value lives on every device. Sizes are those of the largest step of each phase. */
#include <math.h>

#include "lib/base/error.h"
#include "lib/exec/internal.h"
#include "lib/exec/memory.h"

int64_t het__exec_value_bytes(const het__exec *x, uint32_t phase, uint32_t value)
{
    return het__value_bytes(&x->graph->values[value], x->request.symbols_max[phase]);
}

/* The larger of the phases: inputs, outputs and states are shared by them. */
int64_t het__exec_most_bytes(const het__exec *x, uint32_t value)
{
    int64_t most = 0;
    for (uint32_t p = 0; p < x->request.phase_count; p++) {
        const int64_t n = het__exec_value_bytes(x, p, value);
        if (n < 0)
            return -1;
        most = n > most ? n : most;
    }
    return most;
}

het_status het__exec_too_large(const het__exec *x, uint32_t value, het_error *err)
{
    return het__fail(err, HET_E_NOMEM, "tensor %s is too large for this address space",
                     x->graph->values[value].name);
}

/* ---- lifetimes ---- */

static void touch(het__span *s, uint32_t node, bool own)
{
    s->first = s->used && s->first < node ? s->first : node;
    s->last = s->used && s->last > node ? s->last : node;
    s->used = true;
    if (!own)
        return;
    s->last_own = s->is_own && s->last_own > node ? s->last_own : node;
    s->is_own = true;
}

static void touch_nodes(het__exec *x, uint32_t phase)
{
    const het__graph *g = x->graph;
    for (uint32_t n = 0; n < g->node_count; n++) {
        const het__node *node = &g->nodes[n];
        const uint32_t d = x->phase[phase].plan.node_device[n];
        for (uint32_t i = 0; i < node->input_count; i++)
            if (node->inputs[i] != HET__NO_VALUE)
                touch(het__span_of(x, d, phase, node->inputs[i]), n, true);
        for (uint32_t o = 0; o < node->output_count; o++)
            touch(het__span_of(x, d, phase, node->outputs[o]), n, true);
    }
}

/* What an entry needs from elsewhere is copied before its first node runs. */
static void touch_transfers(het__exec *x, uint32_t phase)
{
    const het__phase_state *ps = &x->phase[phase];
    for (uint32_t t = 0; t < ps->plan.transfer_count; t++) {
        const het__plan_transfer *transfer = &ps->plan.transfers[t];
        const uint32_t start = ps->plan.entries[ps->node_entry[transfer->node]].first_node;
        touch(het__span_of(x, transfer->from, phase, transfer->value), start, false);
        touch(het__span_of(x, transfer->to, phase, transfer->value), start, false);
    }
}

static het_status find_spans(het__exec *x, het_error *err)
{
    size_t count;
    if (!het__mul_size((size_t)x->device_count * x->request.phase_count, x->graph->value_count,
                       &count))
        return het__fail_nomem(err, "the memory plan");
    x->spans = het__alloc_zero(x->mem, count ? count : 1, sizeof *x->spans);
    if (!x->spans)
        return het__fail_nomem(err, "the memory plan");
    for (uint32_t p = 0; p < x->request.phase_count; p++) {
        het__phase_state *ps = &x->phase[p];
        ps->node_entry = het__arena_zero(&x->arena, x->graph->node_count, sizeof *ps->node_entry);
        if (!ps->node_entry)
            return het__fail_nomem(err, "the memory plan");
        for (uint32_t e = 0; e < ps->plan.entry_count; e++)
            for (uint32_t n = 0; n < ps->plan.entries[e].node_count; n++)
                ps->node_entry[ps->plan.entries[e].first_node + n] = e;
        touch_nodes(x, p);
        touch_transfers(x, p);
    }
    return HET_OK;
}

/* ---- temporaries ---- */

static bool is_temp(const het__value *v)
{
    return v->kind == HET__VALUE_TEMP;
}

static bool is_shared(const het__exec *x, uint32_t phase, uint32_t device, uint32_t value)
{
    return x->phase[phase].shared_on[value] >> device & 1;
}

/* The value whose bytes a value is: a view of a temporary lies where that lies, if both are in
 * the device's memory for temporaries; a view of an input that may lie anywhere, there. */
static uint32_t root_of(const het__exec *x, uint32_t phase, uint32_t device, uint32_t value)
{
    const het__graph *g = x->graph;
    const uint8_t *where = x->phase[phase].plan.node_device;
    for (;;) {
        const uint32_t maker = g->values[value].producer;
        if (!is_temp(&g->values[value]) || maker == HET__NO_VALUE || where[maker] != device ||
            is_shared(x, phase, device, value) || !het__op_is_view(g->nodes[maker].op))
            return value;
        const uint32_t from = g->nodes[maker].inputs[0];
        if (x->lent_on[from] >> device & 1)
            return g->values[from].kind == HET__VALUE_INPUT ? from : value;
        if (!is_temp(&g->values[from]) || g->values[from].producer == HET__NO_VALUE ||
            where[g->values[from].producer] != device || is_shared(x, phase, device, from))
            return value;
        value = from;
    }
}

/* A root lives as long as its views. */
static void join_views(het__exec *x, uint32_t phase, uint32_t device)
{
    for (uint32_t v = 0; v < x->graph->value_count; v++) {
        const het__span *view = het__span_of(x, device, phase, v);
        const uint32_t r = root_of(x, phase, device, v);
        het__span *root = het__span_of(x, device, phase, r);
        if (!view->used || r == v)
            continue;
        root->last = view->last > root->last ? view->last : root->last;
        if (view->is_own && view->last_own > root->last_own)
            root->last_own = view->last_own;
    }
}

static bool is_temp_here(const het__exec *x, uint32_t phase, uint32_t device, uint32_t value)
{
    return is_temp(&x->graph->values[value]) && het__span_of(x, device, phase, value)->used &&
           !is_shared(x, phase, device, value);
}

/* From which node on a temporary takes bytes of a device. What comes from elsewhere takes none that
 * the program before the one which needs it uses, so that it can be copied while that one runs. */
static uint32_t taken_from(const het__exec *x, uint32_t phase, uint32_t device, uint32_t value)
{
    const het__plan *plan = &x->phase[phase].plan;
    const uint32_t first = het__span_of(x, device, phase, value)->first;
    if (plan->node_device[x->graph->values[value].producer] == device ||
        !x->opened[device].backend->is_asynchronous)
        return first;
    for (uint32_t e = x->phase[phase].node_entry[first]; e-- > 0;)
        if (plan->entries[e].device == device)
            return plan->entries[e].first_node;
    return first;
}

static het_status plan_temps(het__exec *x, uint32_t phase, uint32_t device, het_error *err)
{
    const uint32_t values = x->graph->value_count;
    het__opened *o = &x->opened[device];
    het__interval *it = het__alloc_zero(x->mem, values, sizeof *it);
    uint32_t *ids = het__alloc_zero(x->mem, values, sizeof *ids);
    uint32_t count = 0;
    size_t total = 0;
    het_status s = it && ids ? HET_OK : het__fail_nomem(err, "the memory plan");
    join_views(x, phase, device);
    for (uint32_t v = 0; s == HET_OK && v < values; v++) {
        if (!is_temp_here(x, phase, device, v) || root_of(x, phase, device, v) != v)
            continue;
        const het__span *span = het__span_of(x, device, phase, v);
        const int64_t bytes = het__exec_value_bytes(x, phase, v);
        if (bytes < 0)
            s = het__exec_too_large(x, v, err);
        /* Even an empty tensor has a place. */
        it[count] = (het__interval){ taken_from(x, phase, device, v), span->last,
                                     bytes > 0 ? (size_t)bytes : 1, 0 };
        if (x->request.validate) /* a place of its own: what is behind it stays as it is */
            it[count] = (het__interval){ 0, x->graph->node_count,
                                         it[count].bytes + het__exec_guard(x), 0 };
        ids[count++] = v;
    }
    if (s == HET_OK && het__memory_plan(it, count, x->mem, &total) != HET_OK)
        s = het__fail_nomem(err, "the memory plan");
    for (uint32_t i = 0; s == HET_OK && i < count; i++)
        o->places[phase][ids[i]].offset = it[i].offset;
    for (uint32_t v = 0; s == HET_OK && v < values; v++)
        if (is_temp_here(x, phase, device, v))
            o->places[phase][v].offset = o->places[phase][root_of(x, phase, device, v)].offset;
    if (total > o->temp_bytes)
        o->temp_bytes = total;
    het__free(x->mem, it);
    het__free(x->mem, ids);
    return s;
}

/* ---- inputs, outputs, states ---- */

static bool is_kept(const het__value *v)
{
    return v->kind == HET__VALUE_INPUT || v->kind == HET__VALUE_OUTPUT ||
           v->kind == HET__VALUE_STATE;
}

/* They get a place of their own, the same in both phases. */
static het_status place_kept(het__exec *x, uint32_t device, uint32_t value, het_error *err)
{
    het__opened *o = &x->opened[device];
    bool used = false;
    for (uint32_t p = 0; p < x->request.phase_count; p++)
        used = used || het__span_of(x, device, p, value)->used;
    if (!used || is_shared(x, 0, device, value))
        return HET_OK;
    const int64_t bytes = het__exec_most_bytes(x, value);
    size_t *total =
        x->graph->values[value].kind == HET__VALUE_STATE ? &o->state_bytes : &o->io_bytes;
    if (bytes < 0 || (uint64_t)bytes > SIZE_MAX / 4 - *total)
        return het__exec_too_large(x, value, err);
    for (uint32_t p = 0; p < x->request.phase_count; p++)
        o->places[p][value].offset = *total;
    *total += het__round_up((bytes > 0 ? (size_t)bytes : 1) + het__exec_guard(x), HET__ALIGN);
    return HET_OK;
}

/* ---- buffers ---- */

/* A buffer within what the policy grants the device, weights as the plan counts them, and within
 * the memory that the device has. */
static het_status check_budget(het__exec *x, uint32_t device, const char *pool, size_t bytes,
                               size_t reserved, het_error *err)
{
    const het__plan *plan = &x->phase[0].plan;
    const het_device_info *info =
        &x->request.registry->device[plan->machine.device[device].context_index].info;
    const double weights = plan->memory[device].weight_bytes;
    const double limits[] = { plan->memory[device].limit_bytes,
                              info->memory_bytes ? (double)info->memory_bytes : INFINITY };
    const double held[] = { weights + (double)reserved, (double)reserved };
    for (size_t i = 0; i < sizeof limits / sizeof limits[0]; i++) {
        if (held[i] + (double)bytes <= limits[i])
            continue;
        het__fail(err, HET_E_NOMEM,
                  "device %s (%s): %zu bytes of %s do not fit: %.0f of %.0f bytes that %s are "
                  "taken", info->name, info->backend, bytes, pool, held[i], limits[i],
                  i ? "it has" : "the policy grants");
        return het__exec_blame(x, device, -1, HET__EXEC_RESERVE, HET_E_NOMEM, err);
    }
    return HET_OK;
}

static het_status create_buffers(het__exec *x, uint32_t device, het_error *err)
{
    het__opened *o = &x->opened[device];
    size_t reserved = 0;
    const struct { const char *pool; size_t bytes; het__buffer **buffer; } want[] = {
        { "inputs and outputs", o->io_bytes, &o->io },
        { "state", o->state_bytes, &o->state },
        { "temporaries", o->temp_bytes, &o->temp },
    };
    for (size_t i = 0; i < sizeof want / sizeof want[0]; i++) {
        if (want[i].bytes == 0)
            continue;
        het_status s = check_budget(x, device, want[i].pool, want[i].bytes, reserved, err);
        if (s != HET_OK)
            return s;
        s = o->backend->buffer_create(o->device, want[i].bytes, want[i].buffer, err);
        if (s != HET_OK)
            return het__exec_blame(x, device, -1, HET__EXEC_RESERVE, s, err);
        reserved += want[i].bytes;
    }
    return HET_OK;
}

static void point_places(het__exec *x, uint32_t device, uint32_t phase)
{
    het__opened *o = &x->opened[device];
    for (uint32_t v = 0; v < x->graph->value_count; v++) {
        const het__value *value = &x->graph->values[v];
        het__place *place = &o->places[phase][v];
        if (!het__span_of(x, device, phase, v)->used || value->kind == HET__VALUE_CONST ||
            (x->lent_on[v] >> device & 1))
            continue;
        const uint32_t root = root_of(x, phase, device, v);
        if (!is_temp(&x->graph->values[root]) && is_temp(value))
            *place = o->places[phase][root];
        else if (is_shared(x, phase, device, v))
            *place = (het__place){ o->shared, x->phase[phase].shared_at[v] };
        else
            place->buffer = value->kind == HET__VALUE_STATE ? o->state
                            : is_temp(value)               ? o->temp
                                                           : o->io;
    }
}

static het_status layout_device(het__exec *x, uint32_t device, het_error *err)
{
    const uint32_t values = x->graph->value_count;
    het__opened *o = &x->opened[device];
    for (uint32_t p = 0; p < x->request.phase_count; p++) {
        o->places[p] = het__arena_zero(&x->arena, values, sizeof *o->places[p]);
        if (!o->places[p])
            return het__fail_nomem(err, "the memory plan");
    }
    het_status s = HET_OK;
    for (uint32_t v = 0; s == HET_OK && v < values; v++)
        if (is_kept(&x->graph->values[v]))
            s = place_kept(x, device, v, err);
    for (uint32_t p = 0; s == HET_OK && p < x->request.phase_count; p++)
        s = plan_temps(x, p, device, err);
    if (s == HET_OK)
        s = create_buffers(x, device, err);
    if (s == HET_OK)
        s = het__exec_import_lent(x, device, err);
    for (uint32_t p = 0; s == HET_OK && p < x->request.phase_count; p++)
        point_places(x, device, p);
    return s;
}

het_status het__exec_layout(het__exec *x, het_error *err)
{
    het_status s = find_spans(x, err);
    if (s == HET_OK)
        s = het__exec_share(x, err);
    if (s == HET_OK)
        s = het__exec_choose_lent(x, err);
    for (uint32_t d = 0; s == HET_OK && d < x->device_count; d++)
        if (x->opened[d].device)
            s = layout_device(x, d, err);
    if (s == HET_OK)
        s = het__exec_staging(x, err);
    for (uint32_t p = 0; s == HET_OK && p < x->request.phase_count; p++)
        s = het__exec_order(x, p, err);
    het__free(x->mem, x->spans);
    x->spans = NULL;
    return s;
}
