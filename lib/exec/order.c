/* SPDX-License-Identifier: Apache-2.0 */
/* What must have happened before a program starts, worked out once.
 *
 * Programs of one device run in order, so only what crosses devices needs care: a value that came
 * from elsewhere (its maker has ended), bytes that a copy overwrites (who used them on that device
 * has ended), and shared bytes that are used again (who used them on other devices has ended). The
 * memory plans see to it that whoever shares bytes stands clearly before or after. */
#include <assert.h>

#include "lib/base/error.h"
#include "lib/exec/internal.h"

/* Bytes of a value in one memory; two values use the same if they meet. */
typedef struct extent {
    size_t begin, end;
} extent;

static extent extent_of(const het__exec *x, uint32_t phase, uint32_t value, size_t offset)
{
    const int64_t bytes = het__exec_value_bytes(x, phase, value);
    return (extent){ offset, offset + (bytes > 0 ? (size_t)bytes : 1) };
}

static bool meet(extent a, extent b)
{
    return a.begin < b.end && b.begin < a.end;
}

/* ---- copies ---- */

/* The last unit of a device that uses bytes of its temporaries which a value is about to take. */
static uint32_t last_user(const het__exec *x, uint32_t phase, uint32_t device, uint32_t value)
{
    const het__opened *o = &x->opened[device];
    const het__place *to = &o->places[phase][value];
    const extent mine = extent_of(x, phase, value, to->offset);
    const uint32_t first = het__span_of(x, device, phase, value)->first;
    uint32_t last = HET__EXEC_NONE;
    if (to->buffer != o->temp)
        return last;
    for (uint32_t v = 0; v < x->graph->value_count; v++) {
        const het__span *s = het__span_of(x, device, phase, v);
        if (!s->is_own || s->last >= first || o->places[phase][v].buffer != o->temp ||
            !meet(mine, extent_of(x, phase, v, o->places[phase][v].offset)))
            continue;
        const uint32_t unit = x->phase[phase].node_entry[s->last_own];
        last = last == HET__EXEC_NONE || unit > last ? unit : last;
    }
    return last;
}

static het_status list_transfers(het__exec *x, uint32_t phase, het_error *err)
{
    het__phase_state *ps = &x->phase[phase];
    het__transfer *all =
        het__arena_zero(&x->arena, ps->plan.transfer_count, sizeof *all);
    if (!all)
        return het__fail_nomem(err, "the transfers");
    for (uint32_t t = 0; t < ps->plan.transfer_count; t++) {
        const het__plan_transfer *p = &ps->plan.transfers[t];
        het__unit *unit = &ps->units[ps->node_entry[p->node]];
        const uint32_t maker = x->graph->values[p->value].producer;
        assert(p->to == unit->device && maker != HET__NO_VALUE);
        /* The plan has them by node, so those of a unit are neighbours. */
        if (unit->transfer_count++ == 0)
            unit->transfers = &all[t];
        const uint32_t on = ps->shared_on[p->value];
        all[t] = (het__transfer){
            p->value, p->from, p->to, ps->node_entry[maker], last_user(x, phase, p->to, p->value),
            (on >> p->to & 1) && (on >> ps->plan.node_device[maker] & 1), p->ns,
        };
    }
    return HET_OK;
}

/* ---- shared bytes ---- */

static void add_after(het__unit *units, het__unit *unit, uint32_t other)
{
    for (uint32_t i = 0; i < unit->after_count; i++)
        if (units[unit->after[i]].device == units[other].device) {
            unit->after[i] = other > unit->after[i] ? other : unit->after[i];
            return;
        }
    unit->after[unit->after_count++] = other;
}

/* The unit that makes `later` waits for those that use `earlier`, whose bytes it takes. */
static het_status wait_for_users(het__exec *x, uint32_t phase, uint32_t earlier, uint32_t later,
                                 het_error *err)
{
    het__phase_state *ps = &x->phase[phase];
    het__unit *unit = &ps->units[ps->node_entry[x->graph->values[later].producer]];
    if (!unit->after)
        unit->after = het__arena_zero(&x->arena, x->device_count, sizeof *unit->after);
    if (!unit->after)
        return het__fail_nomem(err, "the memory plan");
    for (uint32_t d = 0; d < x->device_count; d++) {
        const het__span *s = het__span_of(x, d, phase, earlier);
        if (d != unit->device && s->is_own && (ps->shared_on[earlier] >> d & 1))
            add_after(ps->units, unit, ps->node_entry[s->last_own]);
    }
    return HET_OK;
}

static uint32_t last_node(const het__exec *x, uint32_t phase, uint32_t value)
{
    uint32_t last = 0;
    for (uint32_t d = 0; d < x->device_count; d++) {
        const het__span *s = het__span_of(x, d, phase, value);
        if (s->used && (x->phase[phase].shared_on[value] >> d & 1) && s->last > last)
            last = s->last;
    }
    return last;
}

static bool is_shared_temp(const het__exec *x, uint32_t phase, uint32_t value)
{
    return x->phase[phase].shared_on[value] && x->graph->values[value].kind == HET__VALUE_TEMP;
}

static het_status order_shared(het__exec *x, uint32_t phase, het_error *err)
{
    const het__phase_state *ps = &x->phase[phase];
    for (uint32_t later = 0; later < x->graph->value_count; later++) {
        if (!is_shared_temp(x, phase, later))
            continue;
        const extent mine = extent_of(x, phase, later, ps->shared_at[later]);
        for (uint32_t v = 0; v < x->graph->value_count; v++) {
            if (!is_shared_temp(x, phase, v) ||
                !meet(mine, extent_of(x, phase, v, ps->shared_at[v])) ||
                last_node(x, phase, v) >= x->graph->values[later].producer)
                continue;
            const het_status s = wait_for_users(x, phase, v, later, err);
            if (s != HET_OK)
                return s;
        }
    }
    return HET_OK;
}

het_status het__exec_order(het__exec *x, uint32_t phase, het_error *err)
{
    het__phase_state *ps = &x->phase[phase];
    ps->units = het__arena_zero(&x->arena, ps->plan.entry_count, sizeof *ps->units);
    if (!ps->units)
        return het__fail_nomem(err, "the layers");
    for (uint32_t e = 0; e < ps->plan.entry_count; e++) {
        ps->units[e].device = ps->plan.entries[e].device;
        ps->units[e].layer = ps->plan.entries[e].layer;
    }
    const het_status s = list_transfers(x, phase, err);
    return s == HET_OK ? order_shared(x, phase, err) : s;
}
