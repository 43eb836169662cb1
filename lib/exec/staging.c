/* SPDX-License-Identifier: Apache-2.0 */
/* Where the host writes inputs and reads outputs: where they are bound (lend.c), in shared memory,
 * in the memory of one device that the host reaches, or else in a block of its own. What other
 * devices use of them is copied before and after a step. */
#include "lib/base/error.h"
#include "lib/exec/internal.h"

static uint32_t maker_of(const het__exec *x, uint32_t phase, uint32_t value)
{
    return x->phase[phase].plan.node_device[x->graph->values[value].producer];
}

void *het__exec_host_of(const het__exec *x, uint32_t phase, uint32_t device, uint32_t value)
{
    const het__opened *o = &x->opened[device];
    const het__place *place = o->device ? &o->places[phase][value] : NULL;
    if (!place || !place->buffer)
        return NULL;
    if (x->lent_on[value] && x->staging[value])
        return x->staging[value];
    if (x->phase[phase].shared_on[value] >> device & 1)
        return x->shared + place->offset;
    char *host = o->backend->buffer_host(o->device, place->buffer);
    return host ? host + place->offset : NULL;
}

/* The first device in whose memory the host can have it; of outputs only one that makes it, so that
 * no more than the other phase's is copied. */
static void *home_of(const het__exec *x, uint32_t value)
{
    const bool is_made = x->graph->values[value].kind == HET__VALUE_OUTPUT;
    for (uint32_t p = 0; p < x->request.phase_count; p++)
        for (uint32_t d = 0; d < x->device_count; d++) {
            void *host = is_made && maker_of(x, p, value) != d
                             ? NULL : het__exec_host_of(x, p, d, value);
            if (host)
                return host;
        }
    return NULL;
}

static het_status stage_value(het__exec *x, uint32_t value, het_error *err)
{
    const int64_t bytes = het__exec_most_bytes(x, value);
    if (bytes < 0)
        return het__exec_too_large(x, value, err);
    if (x->phase[0].shared_on[value])
        x->staging[value] = x->shared + x->phase[0].shared_at[value];
    else
        x->staging[value] = home_of(x, value);
    if (x->staging[value])
        return HET_OK;
    x->staging[value] = x->home[value] = het__alloc_zero(x->mem, (size_t)bytes, 1);
    x->is_owned[value] = true;
    x->staging_bytes += (size_t)bytes;
    return x->staging[value] ? HET_OK : het__fail_nomem(err, "staging memory");
}

/* Whether a device has a value somewhere else than where the host has it. */
static bool must_move(const het__exec *x, uint32_t phase, uint32_t device, uint32_t value)
{
    const het__opened *o = &x->opened[device];
    if (!o->device || !o->places[phase][value].buffer)
        return false;
    if (x->phase[phase].shared_on[value] >> device & 1)
        return false;
    return het__exec_host_of(x, phase, device, value) != x->staging[value];
}

static het_status list_moves(het__exec *x, uint32_t phase, het_error *err)
{
    het__phase_state *ps = &x->phase[phase];
    uint32_t inputs = 0, outputs = 0;
    for (uint32_t v = 0; v < x->graph->value_count; v++) {
        inputs += x->graph->values[v].kind == HET__VALUE_INPUT ? x->device_count : 0;
        outputs += x->graph->values[v].kind == HET__VALUE_OUTPUT;
    }
    ps->inputs = het__arena_zero(&x->arena, inputs, sizeof *ps->inputs);
    ps->outputs = het__arena_zero(&x->arena, outputs, sizeof *ps->outputs);
    if (!ps->inputs || !ps->outputs)
        return het__fail_nomem(err, "staging memory");
    for (uint32_t v = 0; v < x->graph->value_count; v++) {
        if (x->graph->values[v].kind == HET__VALUE_OUTPUT) {
            const uint32_t d = maker_of(x, phase, v);
            if (must_move(x, phase, d, v))
                ps->outputs[ps->output_count++] = (het__io_move){ v, d };
        }
        for (uint32_t d = 0; d < x->device_count; d++)
            if (x->graph->values[v].kind == HET__VALUE_INPUT && must_move(x, phase, d, v))
                ps->inputs[ps->input_count++] = (het__io_move){ v, d };
    }
    return HET_OK;
}

/* Room for what crosses between devices that the host reaches neither of. */
static het_status make_bounce(het__exec *x, het_error *err)
{
    size_t largest = 0;
    for (uint32_t p = 0; p < x->request.phase_count; p++)
        for (uint32_t t = 0; t < x->phase[p].plan.transfer_count; t++) {
            const het__plan_transfer *transfer = &x->phase[p].plan.transfers[t];
            const int64_t bytes = het__exec_value_bytes(x, p, transfer->value);
            if (bytes < 0)
                return het__exec_too_large(x, transfer->value, err);
            if (!het__exec_host_of(x, p, transfer->from, transfer->value) &&
                !het__exec_host_of(x, p, transfer->to, transfer->value) && (size_t)bytes > largest)
                largest = (size_t)bytes;
        }
    if (largest == 0)
        return HET_OK;
    x->bounce = het__alloc(x->mem, largest);
    x->staging_bytes += largest;
    return x->bounce ? HET_OK : het__fail_nomem(err, "staging memory");
}

het_status het__exec_staging(het__exec *x, het_error *err)
{
    x->is_owned = het__arena_zero(&x->arena, x->graph->value_count, sizeof *x->is_owned);
    x->staging = het__arena_zero(&x->arena, x->graph->value_count, sizeof *x->staging);
    x->home = het__arena_zero(&x->arena, x->graph->value_count, sizeof *x->home);
    if (!x->staging || !x->is_owned || !x->home)
        return het__fail_nomem(err, "staging memory");
    for (uint32_t v = 0; v < x->graph->value_count; v++) {
        const het__value_kind kind = x->graph->values[v].kind;
        if (kind != HET__VALUE_INPUT && kind != HET__VALUE_OUTPUT)
            continue;
        const het_status s = stage_value(x, v, err);
        if (s != HET_OK)
            return s;
        x->home[v] = x->staging[v];
    }
    for (uint32_t p = 0; p < x->request.phase_count; p++) {
        const het_status s = list_moves(x, p, err);
        if (s != HET_OK)
            return s;
    }
    return make_bounce(x, err);
}
