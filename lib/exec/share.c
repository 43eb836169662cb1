/* SPDX-License-Identifier: Apache-2.0 */
/* Values in host memory that several devices use in place, so that nothing is copied.
 *
 *     shared  [ inputs and outputs, for good | temporaries that cross, by lifetime ]
 *
 * A temporary lies here if the device that makes it and one that reads it can use host memory.
 * Inputs and outputs do if several such devices use them, or one that computes elsewhere. Whether
 * a device can is asked by importing; one that cannot does without, and all is laid out anew. */
#include <assert.h>
#include <string.h>

#include "lib/base/error.h"
#include "lib/exec/internal.h"
#include "lib/exec/memory.h"

static uint32_t importers(const het__exec *x)
{
    uint32_t mask = 0;
    for (uint32_t d = 0; d < x->device_count; d++)
        if (x->opened[d].device && x->opened[d].backend->buffer_import)
            mask |= UINT32_C(1) << d;
    return mask;
}

/* ---- what is shared ---- */

static void choose_temps(het__exec *x, uint32_t phase, uint32_t can)
{
    het__phase_state *ps = &x->phase[phase];
    for (uint32_t t = 0; t < ps->plan.transfer_count; t++) {
        const het__plan_transfer *transfer = &ps->plan.transfers[t];
        const het__value *v = &x->graph->values[transfer->value];
        const uint32_t maker = ps->plan.node_device[v->producer];
        if (v->kind == HET__VALUE_TEMP && (can >> maker & 1) && (can >> transfer->to & 1))
            ps->shared_on[transfer->value] |= UINT32_C(1) << maker | UINT32_C(1) << transfer->to;
    }
}

/* Devices that use an input or output in any phase, and those that make it. */
static void users_of(const het__exec *x, uint32_t value, uint32_t *users, uint32_t *makers)
{
    const uint32_t producer = x->graph->values[value].producer;
    *users = *makers = 0;
    for (uint32_t p = 0; p < x->request.phase_count; p++) {
        for (uint32_t d = 0; d < x->device_count; d++)
            if (x->opened[d].device && het__span_of(x, d, p, value)->used)
                *users |= UINT32_C(1) << d;
        if (producer != HET__NO_VALUE)
            *makers |= UINT32_C(1) << x->phase[p].plan.node_device[producer];
    }
}

static bool works_elsewhere(const het__exec *x, uint32_t users)
{
    for (uint32_t d = 0; d < x->device_count; d++)
        if ((users >> d & 1) && x->opened[d].backend->is_asynchronous)
            return true;
    return false;
}

static void choose_io(het__exec *x, uint32_t value, uint32_t can)
{
    uint32_t users, makers;
    users_of(x, value, &users, &makers);
    users &= can;
    const bool several = (users & (users - 1)) != 0;
    if (!users || (makers & ~can) || !(several || works_elsewhere(x, users)))
        return;
    for (uint32_t p = 0; p < x->request.phase_count; p++)
        x->phase[p].shared_on[value] = users;
}

static bool is_io(const het__value *v)
{
    return v->kind == HET__VALUE_INPUT || v->kind == HET__VALUE_OUTPUT;
}

static void choose(het__exec *x, uint32_t can)
{
    const uint32_t values = x->graph->value_count;
    for (uint32_t p = 0; p < x->request.phase_count; p++) {
        memset(x->phase[p].shared_on, 0, values * sizeof *x->phase[p].shared_on);
        choose_temps(x, p, can);
    }
    for (uint32_t v = 0; v < values; v++)
        if (is_io(&x->graph->values[v]))
            choose_io(x, v, can);
}

/* ---- where ---- */

static het_status place_io(het__exec *x, size_t *total, het_error *err)
{
    for (uint32_t v = 0; v < x->graph->value_count; v++) {
        if (!x->phase[0].shared_on[v] || !is_io(&x->graph->values[v]))
            continue;
        const int64_t bytes = het__exec_most_bytes(x, v);
        if (bytes < 0 || (uint64_t)bytes > SIZE_MAX / 4 - *total)
            return het__exec_too_large(x, v, err);
        for (uint32_t p = 0; p < x->request.phase_count; p++)
            x->phase[p].shared_at[v] = *total;
        *total += het__round_up((bytes > 0 ? (size_t)bytes : 1) + het__exec_guard(x), HET__ALIGN);
    }
    return HET_OK;
}

/* As long as any of its devices needs it, and while the next program is started if one of them may
 * still run by then: what that makes goes elsewhere. */
static het__interval lifetime(const het__exec *x, uint32_t phase, uint32_t value)
{
    const het__phase_state *ps = &x->phase[phase];
    bool runs_on = false;
    het__interval it = { .first = UINT32_MAX };
    for (uint32_t d = 0; d < x->device_count; d++) {
        const het__span *s = het__span_of(x, d, phase, value);
        if (!(x->phase[phase].shared_on[value] >> d & 1) || !s->used)
            continue;
        it.first = s->first < it.first ? s->first : it.first;
        it.last = s->last > it.last ? s->last : it.last;
        runs_on = runs_on || x->opened[d].backend->is_asynchronous;
    }
    const uint32_t next = ps->node_entry[it.last] + 1;
    if (runs_on && next < ps->plan.entry_count)
        it.last = ps->plan.entries[next].first_node + ps->plan.entries[next].node_count - 1;
    return it;
}

static het_status place_temps(het__exec *x, uint32_t phase, size_t *total, het_error *err)
{
    het__phase_state *ps = &x->phase[phase];
    const uint32_t values = x->graph->value_count;
    het__interval *it = het__alloc_zero(x->mem, values, sizeof *it);
    uint32_t *ids = het__alloc_zero(x->mem, values, sizeof *ids);
    uint32_t count = 0;
    het_status s = it && ids ? HET_OK : het__fail_nomem(err, "the memory plan");
    for (uint32_t v = 0; s == HET_OK && v < values; v++) {
        if (!ps->shared_on[v] || is_io(&x->graph->values[v]))
            continue;
        const int64_t bytes = het__exec_value_bytes(x, phase, v);
        if (bytes < 0)
            s = het__exec_too_large(x, v, err);
        it[count] = lifetime(x, phase, v);
        if (x->request.validate) /* as in layout.c */
            it[count] = (het__interval){ .last = x->graph->node_count };
        it[count].bytes = (bytes > 0 ? (size_t)bytes : 1) + het__exec_guard(x);
        ids[count++] = v;
    }
    *total = 0;
    if (s == HET_OK && het__memory_plan(it, count, x->mem, total) != HET_OK)
        s = het__fail_nomem(err, "the memory plan");
    for (uint32_t i = 0; s == HET_OK && i < count; i++)
        ps->shared_at[ids[i]] = it[i].offset;
    het__free(x->mem, it);
    het__free(x->mem, ids);
    return s;
}

/* bytes: of all; 0: nothing is shared. */
static het_status place(het__exec *x, size_t *bytes, het_error *err)
{
    size_t io = 0, most = 0;
    het_status s = place_io(x, &io, err);
    for (uint32_t p = 0; s == HET_OK && p < x->request.phase_count; p++) {
        size_t total;
        s = place_temps(x, p, &total, err);
        most = total > most ? total : most;
    }
    for (uint32_t p = 0; s == HET_OK && p < x->request.phase_count; p++)
        for (uint32_t v = 0; v < x->graph->value_count; v++)
            if (x->phase[p].shared_on[v] && !is_io(&x->graph->values[v]))
                x->phase[p].shared_at[v] += io;
    if (s == HET_OK && (!het__add_size(io, most, bytes) || *bytes > SIZE_MAX / 4))
        s = het__fail_nomem(err, "memory that devices share");
    return s;
}

/* ---- memory ---- */

static uint32_t members(const het__exec *x)
{
    uint32_t mask = 0;
    for (uint32_t p = 0; p < x->request.phase_count; p++)
        for (uint32_t v = 0; v < x->graph->value_count; v++)
            mask |= x->phase[p].shared_on[v];
    return mask;
}

static void drop(het__exec *x)
{
    for (uint32_t d = 0; d < x->device_count; d++) {
        het__opened *o = &x->opened[d];
        if (o->shared)
            o->backend->buffer_destroy(o->device, o->shared);
        o->shared = NULL;
        o->shared_bytes = 0;
    }
    het__free(x->mem, x->shared_block);
    x->shared_block = NULL;
    x->shared = NULL;
    x->shared_bytes = 0;
}

/* refused: devices that cannot use the memory, as bits. */
static het_status import(het__exec *x, size_t bytes, uint32_t *refused, het_error *err)
{
    const uint32_t mask = members(x);
    *refused = 0;
    x->shared_bytes = het__round_up(bytes, HET__IMPORT_ALIGN);
    x->shared_block = het__alloc_zero(x->mem, 1, x->shared_bytes + HET__IMPORT_ALIGN);
    if (!x->shared_block)
        return het__fail_nomem(err, "memory that devices share");
    x->shared = (char *)x->shared_block +
                (HET__IMPORT_ALIGN - (uintptr_t)x->shared_block % HET__IMPORT_ALIGN);
    for (uint32_t d = 0; d < x->device_count; d++) {
        het__opened *o = &x->opened[d];
        if (!(mask >> d & 1))
            continue;
        const het_status s =
            o->backend->buffer_import(o->device, x->shared, x->shared_bytes, &o->shared, err);
        if (s == HET_E_UNSUPPORTED)
            *refused |= UINT32_C(1) << d;
        else if (s != HET_OK)
            return het__exec_blame(x, d, -1, HET__EXEC_RESERVE, s, err);
        else
            o->shared_bytes = x->shared_bytes;
    }
    return HET_OK;
}

het_status het__exec_share(het__exec *x, het_error *err)
{
    const uint32_t values = x->graph->value_count;
    for (uint32_t p = 0; p < x->request.phase_count; p++) {
        het__phase_state *ps = &x->phase[p];
        ps->shared_on = het__arena_zero(&x->arena, values, sizeof *ps->shared_on);
        ps->shared_at = het__arena_zero(&x->arena, values, sizeof *ps->shared_at);
        if (!ps->shared_on || !ps->shared_at)
            return het__fail_nomem(err, "the memory plan");
    }
    for (uint32_t can = importers(x), refused; can; can &= ~refused) {
        size_t bytes = 0;
        choose(x, can);
        het_status s = place(x, &bytes, err);
        if (s != HET_OK || bytes == 0)
            return s;
        s = import(x, bytes, &refused, err);
        if (s != HET_OK || !refused)
            return s;
        drop(x);
        assert(refused & can);
    }
    if (x->phase[0].shared_on)
        choose(x, 0);
    return HET_OK;
}
