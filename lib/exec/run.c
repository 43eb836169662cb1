/* SPDX-License-Identifier: Apache-2.0 */
/* Running a step: inputs in, units in the order of the plan with the copies that each needs,
 * outputs out.
 *
 * Nothing waits for more than it needs: a unit's copies wait for the programs that made the values,
 * the end of the step for all. A device that does not answer, or says that it is lost, is never
 * asked again; those that are left are waited for, so that nothing runs on when a step has failed. */
#include <assert.h>
#include <string.h>

#include "lib/base/error.h"
#include "lib/exec/internal.h"

/* ---- failures ---- */

het_status het__exec_note(het__exec *x, uint32_t device, int32_t layer, het__exec_stage stage,
                          het_status status)
{
    const bool is_known = device != HET__EXEC_NONE;
    if (is_known && (status == HET_E_TIMEOUT || status == HET_E_DEVICE_LOST))
        x->opened[device].is_lost = true;
    x->failure = (het__exec_failure){
        is_known ? x->phase[0].plan.machine.device[device].context_index : HET__EXEC_NO_DEVICE,
        layer, stage, status,
    };
    return status;
}

het_status het__exec_blame(het__exec *x, uint32_t device, int32_t layer, het__exec_stage stage,
                           het_status status, het_error *err)
{
    if (err) {
        err->layer = layer;
        memset(err->backend, 0, sizeof err->backend);
        strncpy(err->backend, x->opened[device].backend->name, sizeof err->backend - 1);
    }
    return het__exec_note(x, device, layer, stage, status);
}

void het__exec_failure_get(const het__exec *x, het__exec_failure *failure)
{
    *failure = x->failure;
}

/* ---- waiting ---- */

/* Until the first `count` programs of a device have ended. layer: of the last of them, or -1. */
static het_status wait_until(het__exec *x, uint32_t device, uint64_t count, int32_t layer,
                             het_error *err)
{
    het__opened *o = &x->opened[device];
    if (count <= o->ended)
        return HET_OK;
    const bool part = o->backend->wait_for && count < o->enqueued;
    const het_status s =
        part ? o->backend->wait_for(o->device, count, x->request.timeout_ns, err)
             : o->backend->wait(o->device, x->request.timeout_ns, err);
    if (s != HET_OK)
        return het__exec_blame(x, device, layer, HET__EXEC_WAIT, s, err);
    o->ended = part ? count : o->enqueued;
    return HET_OK;
}

/* Everything that was enqueued, of devices that can still be asked. so_far: of the step, whose first
 * failure is the one to report. */
static het_status wait_all(het__exec *x, het_status so_far, het_error *err)
{
    het_status s = so_far;
    for (uint32_t d = 0; d < x->device_count; d++) {
        het__opened *o = &x->opened[d];
        if (!o->device || o->is_lost)
            continue;
        const het__exec_failure first = x->failure;
        het_error *say = s == HET_OK ? err : NULL;
        const het_status w = o->backend->wait(o->device, x->request.timeout_ns, say);
        o->ended = o->enqueued;
        if (w == HET_OK)
            continue;
        het__exec_blame(x, d, -1, HET__EXEC_WAIT, w, say);
        if (s == HET_OK)
            s = w;
        else
            x->failure = first;
    }
    return s;
}

/* ---- moving bytes ---- */

static het_status write_value(const het__opened *o, const het__place *place, const void *source,
                              size_t bytes, het_error *err)
{
    char *host = o->backend->buffer_host(o->device, place->buffer);
    if (!host)
        return o->backend->buffer_write(o->device, place->buffer, place->offset, source, bytes,
                                        err);
    memcpy(host + place->offset, source, bytes);
    return HET_OK;
}

static het_status read_value(const het__opened *o, const het__place *place, void *target,
                             size_t bytes, het_error *err)
{
    const char *host = o->backend->buffer_host(o->device, place->buffer);
    if (!host)
        return o->backend->buffer_read(o->device, place->buffer, place->offset, target, bytes,
                                       err);
    memcpy(target, host + place->offset, bytes);
    return HET_OK;
}

static het_status move_io(het__exec *x, uint32_t phase, const int64_t *symbols,
                          het__value_kind kind, het_error *err)
{
    for (uint32_t v = 0; v < x->graph->value_count; v++) {
        if (x->graph->values[v].kind != kind || x->is_direct[v])
            continue;
        const int64_t bytes = het__value_bytes(&x->graph->values[v], symbols);
        assert(bytes >= 0);
        for (uint32_t d = 0; d < x->device_count; d++) {
            const het__opened *o = &x->opened[d];
            const het__place *place = o->device ? &o->places[phase][v] : NULL;
            if (!place || !place->buffer)
                continue;
            const uint32_t maker = x->graph->values[v].producer;
            if (kind == HET__VALUE_OUTPUT && x->phase[phase].plan.node_device[maker] != d)
                continue;
            const bool in = kind == HET__VALUE_INPUT;
            const het_status s = in ? write_value(o, place, x->staging[v], (size_t)bytes, err)
                                    : read_value(o, place, x->staging[v], (size_t)bytes, err);
            if (s != HET_OK)
                return het__exec_blame(x, d, -1, in ? HET__EXEC_INPUT : HET__EXEC_OUTPUT, s, err);
        }
    }
    return HET_OK;
}

static het_status transfer(het__exec *x, uint32_t phase, int32_t layer, const het__transfer *t,
                           const int64_t *symbols, het_error *err)
{
    const het__opened *from = &x->opened[t->from], *to = &x->opened[t->to];
    const size_t bytes = (size_t)het__value_bytes(&x->graph->values[t->value], symbols);
    het_status s = wait_until(x, t->from, from->enqueued, layer, err);
    if (s == HET_OK) /* what still runs there may use the memory that the copy goes to */
        s = wait_until(x, t->to, to->enqueued, layer, err);
    if (s != HET_OK)
        return s;
    s = read_value(from, &from->places[phase][t->value], x->bounce, bytes, err);
    if (s != HET_OK)
        return het__exec_blame(x, t->from, layer, HET__EXEC_TRANSFER, s, err);
    s = write_value(to, &to->places[phase][t->value], x->bounce, bytes, err);
    return s == HET_OK ? s : het__exec_blame(x, t->to, layer, HET__EXEC_TRANSFER, s, err);
}

/* ---- a step ---- */

static het_status run_unit(het__exec *x, uint32_t phase, het__unit *unit, const int64_t *symbols,
                           het_error *err)
{
    for (uint32_t t = 0; t < unit->transfer_count; t++) {
        const het_status s = transfer(x, phase, unit->layer, &unit->transfers[t], symbols, err);
        if (s != HET_OK)
            return s;
    }
    het__opened *o = &x->opened[unit->device];
    const het_status s = o->backend->enqueue(o->device, unit->program, symbols, err);
    if (s != HET_OK)
        return het__exec_blame(x, unit->device, unit->layer, HET__EXEC_ENQUEUE, s, err);
    unit->number = ++o->enqueued;
    return HET_OK;
}

static het_status run_units(het__exec *x, uint32_t phase, const int64_t *symbols,
                            _Atomic uint32_t *cancel, het_error *err)
{
    het__phase_state *ps = &x->phase[phase];
    for (uint32_t i = 0; i < ps->unit_count; i++) {
        if (atomic_load_explicit(cancel, memory_order_relaxed)) {
            het__fail(err, HET_E_CANCELLED, "cancelled before %s", ps->plan.entries[i].name);
            return het__exec_note(x, HET__EXEC_NONE, ps->units[i].layer, HET__EXEC_ENQUEUE,
                                  HET_E_CANCELLED);
        }
        const het_status s = run_unit(x, phase, &ps->units[i], symbols, err);
        if (s != HET_OK)
            return s;
    }
    return HET_OK;
}

/* A device that was lost stays so: only another executor goes on. */
static het_status check_devices(het__exec *x, het_error *err)
{
    for (uint32_t d = 0; d < x->device_count; d++)
        if (x->opened[d].is_lost) {
            het__fail(err, HET_E_DEVICE_LOST, "device %s was lost in an earlier step",
                      x->opened[d].backend->name);
            return het__exec_blame(x, d, -1, HET__EXEC_IDLE, HET_E_DEVICE_LOST, err);
        }
    return HET_OK;
}

het_status het__exec_run(het__exec *x, uint32_t phase, const int64_t *symbols,
                         _Atomic uint32_t *cancel, het_error *err)
{
    het_status s = check_devices(x, err);
    if (s != HET_OK)
        return s;
    s = move_io(x, phase, symbols, HET__VALUE_INPUT, err);
    if (s == HET_OK)
        s = run_units(x, phase, symbols, cancel, err);
    s = wait_all(x, s, err);
    return s == HET_OK ? move_io(x, phase, symbols, HET__VALUE_OUTPUT, err) : s;
}
