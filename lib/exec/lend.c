/* SPDX-License-Identifier: Apache-2.0 */
/* Inputs and outputs that lie where the caller has them.
 *
 * Such a value has a buffer of its own on each device that uses it, which is imported: it lies over
 * memory of the executor first, its home, and then wherever it is bound. Who cannot follow
 * keeps the value in memory of its own, and what the host has is copied; where the host reaches no
 * memory of a device at all, it is copied from or to where the caller has it. */
#include <assert.h>

#include "lib/base/error.h"
#include "lib/exec/internal.h"

static bool can_follow(const het__exec *x, uint32_t device)
{
    const het__backend *b = x->opened[device].backend;
    return b->buffer_import && b->buffer_move && !b->is_asynchronous;
}

static uint32_t users_of(const het__exec *x, uint32_t value)
{
    uint32_t users = 0;
    for (uint32_t d = 0; d < x->device_count; d++)
        if (x->opened[d].device && het__span_of(x, d, 0, value)->used)
            users |= UINT32_C(1) << d;
    return users;
}

/* All its devices must follow. Several use it in one place, or else they copy it to one another. */
static uint32_t choose(const het__exec *x, uint32_t value)
{
    const uint32_t users = users_of(x, value);
    for (uint32_t d = 0; d < x->device_count; d++)
        if ((users >> d & 1) && !can_follow(x, d))
            return 0;
    const uint32_t shared = x->phase[0].shared_on[value];
    return (users & (users - 1)) == 0 ? (shared ? 0 : users) : (shared == users ? users : 0);
}

het_status het__exec_choose_lent(het__exec *x, het_error *err)
{
    x->lent_on = het__arena_zero(&x->arena, x->graph->value_count, sizeof *x->lent_on);
    if (!x->lent_on)
        return het__fail_nomem(err, "the memory plan");
    /* What stands behind a value of ours is checked; behind the caller's stands the caller's. */
    if (!x->request.lends || x->request.phase_count != 1 || x->request.validate)
        return HET_OK;
    for (uint32_t v = 0; v < x->graph->value_count; v++)
        if (x->graph->values[v].kind == HET__VALUE_INPUT ||
            x->graph->values[v].kind == HET__VALUE_OUTPUT)
            x->lent_on[v] = choose(x, v);
    return HET_OK;
}

het_status het__exec_import_lent(het__exec *x, uint32_t device, het_error *err)
{
    het__opened *o = &x->opened[device];
    for (uint32_t v = 0; v < x->graph->value_count; v++) {
        het__place *place = &o->places[0][v];
        if (!(x->lent_on[v] >> device & 1))
            continue;
        char *memory = x->phase[0].shared_on[v] ? x->shared + x->phase[0].shared_at[v]
                                                : (char *)o->backend->buffer_host(o->device, o->io)
                                                      + place->offset;
        const int64_t bytes = het__exec_most_bytes(x, v);
        *place = (het__place){ NULL, 0 };
        const het_status s = o->backend->buffer_import(
            o->device, memory, bytes > 0 ? (size_t)bytes : 1, &place->buffer, err);
        if (s != HET_OK)
            return het__exec_blame(x, device, -1, HET__EXEC_RESERVE, s, err);
    }
    return HET_OK;
}

void het__exec_drop_lent(het__exec *x, uint32_t device)
{
    het__opened *o = &x->opened[device];
    for (uint32_t v = 0; x->lent_on && o->places[0] && v < x->graph->value_count; v++)
        if ((x->lent_on[v] >> device & 1) && o->places[0][v].buffer)
            o->backend->buffer_destroy(o->device, o->places[0][v].buffer);
}

bool het__exec_bind(het__exec *x, uint32_t value, void *data)
{
    assert(x->home[value]);
    void *const at = data ? data : x->home[value];
    if (!x->lent_on[value] && (!x->is_owned[value] || x->request.validate))
        return !data;
    if (x->staging[value] == at)
        return true;
    x->staging[value] = at;
    for (uint32_t d = 0; d < x->device_count; d++)
        if (x->lent_on[value] >> d & 1)
            x->opened[d].backend->buffer_move(x->opened[d].device,
                                              x->opened[d].places[0][value].buffer, at);
    return true;
}
