/* SPDX-License-Identifier: Apache-2.0 */
/* Running a step: inputs in, units in the order of the plan with the copies that each needs,
 * outputs out.
 *
 * Nothing waits for more than it needs: a unit's copies wait for the programs that made the values,
 * the end of the step for all. A device that does not answer, or says that it is lost, is never
 * asked again; the others are waited for, so that nothing runs on when a step has failed. */
#include <string.h>

#include "lib/base/error.h"
#include "lib/base/os.h"
#include "lib/exec/internal.h"

/* ---- failures ---- */

het_status het__exec_note(het__exec *x, uint32_t device, int32_t layer, het__exec_stage stage,
                          het_status status)
{
    const bool is_known = device != HET__EXEC_NONE;
    if (is_known && (status == HET_E_TIMEOUT || status == HET_E_DEVICE_LOST))
        x->opened[device].is_lost = true;
    if (is_known && status == HET_E_TIMEOUT)
        x->opened[device].hangs = true;
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

/* Until a unit of the phase that runs has ended. */
static het_status wait_for_unit(het__exec *x, uint32_t index, het_error *err)
{
    const het__unit *unit = &x->phase[x->running].units[index];
    het__opened *o = &x->opened[unit->device];
    if (unit->number <= o->ended)
        return HET_OK;
    const uint64_t begin = x->trace ? het__now_ns() : 0, timeout = x->request.timeout_ns;
    const bool part = o->backend->wait_for && unit->number < o->enqueued;
    const het_status s = part ? o->backend->wait_for(o->device, unit->number, timeout, err)
                              : o->backend->wait(o->device, timeout, err);
    o->counts.waits++;
    if (s != HET_OK)
        return het__exec_blame(x, unit->device, unit->layer, HET__EXEC_WAIT, s, err);
    o->ended = part ? unit->number : o->enqueued;
    if (x->trace) {
        het__exec_mark_ended(x, unit->device, o->ended);
        het__exec_record(x, HET__TRACE_WAIT, unit->device, unit->layer,
               x->phase[x->running].plan.entries[index].name, begin);
    }
    return HET_OK;
}

/* Everything that was enqueued, of devices that can still be asked. so_far: of the step, whose
 * first failure is the one to report. */
static het_status wait_all(het__exec *x, het_status so_far, het_error *err)
{
    het_status s = so_far;
    for (uint32_t d = 0; d < x->device_count; d++) {
        het__opened *o = &x->opened[d];
        if (!o->device || o->is_lost)
            continue;
        const het__exec_failure first = x->failure;
        const uint64_t begin = x->trace ? het__now_ns() : 0;
        het_error *say = s == HET_OK ? err : NULL;
        const het_status w = o->backend->wait(o->device, x->request.timeout_ns, say);
        if (w == HET_OK) {
            o->ended = o->enqueued;
            if (x->trace) {
                het__exec_mark_ended(x, d, o->ended);
                het__exec_record(x, HET__TRACE_WAIT, d, -1, "all", begin);
            }
            continue;
        }
        het__exec_blame(x, d, -1, HET__EXEC_WAIT, w, say);
        if (s == HET_OK)
            s = w;
        else
            x->failure = first;
    }
    return s;
}

/* ---- what a unit needs ---- */

static het_status transfer(het__exec *x, uint32_t phase, int32_t layer, const het__transfer *t,
                           const int64_t *symbols, het_error *err)
{
    het__exec_counts *counts = &x->opened[t->to].counts;
    const size_t bytes = het__exec_bytes_of(x, t->value, symbols);
    het_status s = wait_for_unit(x, t->maker, err);
    if (s == HET_OK && t->user != HET__EXEC_NONE && !t->is_shared)
        s = wait_for_unit(x, t->user, err);
    const uint64_t begin = x->trace ? het__now_ns() : 0;
    if (s == HET_OK && !t->is_shared)
        s = het__exec_copy(x, phase, t, bytes, layer, err);
    if (s != HET_OK)
        return s;
    *(t->is_shared ? &counts->shares : &counts->copies) += 1;
    *(t->is_shared ? &counts->shared_bytes : &counts->copied_bytes) += bytes;
    if (!x->trace)
        return HET_OK;
    het__trace_event *e = het__exec_record(x, HET__TRACE_TRANSFER, t->to, layer,
                                 x->graph->values[t->value].name, begin);
    e->other = het__exec_registered(x, t->from);
    e->bytes = bytes;
    e->is_shared = t->is_shared;
    e->predicted_ns = t->predicted_ns;
    return HET_OK;
}

/* ---- a step ---- */

static het_status run_unit(het__exec *x, uint32_t phase, het__unit *unit, const int64_t *symbols,
                           het_error *err)
{
    het_status s = HET_OK;
    for (uint32_t t = 0; t < unit->transfer_count && s == HET_OK; t++)
        s = transfer(x, phase, unit->layer, &unit->transfers[t], symbols, err);
    for (uint32_t i = 0; i < unit->after_count && s == HET_OK; i++)
        s = wait_for_unit(x, unit->after[i], err);
    if (s != HET_OK)
        return s;
    het__opened *o = &x->opened[unit->device];
    if (x->request.validate)
        s = het__exec_check_before(x, phase, unit, symbols, err);
    if (s != HET_OK)
        return s;
    if (x->trace)
        unit->begin_ns = het__now_ns();
    s = o->backend->enqueue(o->device, unit->program, symbols, err);
    if (s != HET_OK)
        return het__exec_blame(x, unit->device, unit->layer, HET__EXEC_ENQUEUE, s, err);
    unit->number = ++o->enqueued;
    if (x->trace && !o->backend->is_asynchronous)
        unit->end_ns = het__now_ns();
    if (x->trace)
        het__exec_record_uploads(x, unit->device);
    return x->request.validate ? het__exec_check_after(x, phase, unit, symbols, err) : HET_OK;
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

/* A device that was lost stays so: only another executor goes on. One whose programs were not seen
 * to end, because waiting failed, may still use its memory. */
static het_status check_devices(het__exec *x, het_error *err)
{
    for (uint32_t d = 0; d < x->device_count; d++) {
        het__opened *o = &x->opened[d];
        if (o->is_lost) {
            het__fail(err, HET_E_DEVICE_LOST, "device %s was lost in an earlier step",
                      o->backend->name);
            return het__exec_blame(x, d, -1, HET__EXEC_IDLE, HET_E_DEVICE_LOST, err);
        }
        if (o->ended == o->enqueued)
            continue;
        const het_status s = o->backend->wait(o->device, x->request.timeout_ns, err);
        if (s != HET_OK)
            return het__exec_blame(x, d, -1, HET__EXEC_WAIT, s, err);
        o->ended = o->enqueued;
    }
    return HET_OK;
}

static het_status run_step(het__exec *x, uint32_t phase, const int64_t *symbols,
                           _Atomic uint32_t *cancel, het_error *err)
{
    const het__phase_state *ps = &x->phase[phase];
    het_status s = HET_OK;
    for (uint32_t i = 0; i < ps->input_count && s == HET_OK; i++)
        s = het__exec_move_input(x, phase, &ps->inputs[i], symbols, err);
    if (s == HET_OK)
        s = run_units(x, phase, symbols, cancel, err);
    s = wait_all(x, s, err);
    for (uint32_t i = 0; i < ps->output_count && s == HET_OK; i++)
        s = het__exec_move_output(x, phase, &ps->outputs[i], symbols, err);
    return s;
}

het_status het__exec_run(het__exec *x, uint32_t phase, const int64_t *symbols,
                         _Atomic uint32_t *cancel, het_error *err)
{
    het_status s = check_devices(x, err);
    if (s != HET_OK)
        return s;
    het__exec_trace_begin(x, phase);
    const uint64_t begin = x->trace ? het__now_ns() : 0;
    s = run_step(x, phase, symbols, cancel, err);
    if (x->trace)
        het__exec_trace_end(x, begin);
    x->trace = NULL;
    return s;
}
