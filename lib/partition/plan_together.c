/* SPDX-License-Identifier: Apache-2.0 */
/* All steps on the same devices: no weight is needed twice, and the problem is that of one step
 * with the costs of all. A candidate where memory is short. */
#include <math.h>
#include <string.h>

#include "lib/partition/plan_problem.h"

/* Users of one step stand for those of all. */
static uint32_t one_per_node(const het__plan_problem *q, const uint32_t *users, uint32_t count,
                             uint32_t *out)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < count; i++)
        if (n == 0 || users[i] / q->steps != out[n - 1])
            out[n++] = users[i] / q->steps;
    return n;
}

static void add_costs(const het__plan_problem *q, double *cost, double *scratch)
{
    for (uint32_t n = 0; n < q->nodes; n++)
        for (uint32_t k = 0; k < q->steps; k++) {
            const size_t row = (size_t)n * q->steps + k;
            for (uint32_t d = 0; d < q->devices; d++)
                cost[(size_t)n * q->devices + d] += q->place.node_cost[row * q->devices + d];
            scratch[n] = fmax(scratch[n], q->place.scratch_bytes[row]);
        }
}

/* Values of the same id stand next to each other, one per step. */
static bool add_values(const het__plan_problem *q, het__place_value *values)
{
    const size_t cells = (size_t)q->devices * q->devices;
    for (uint32_t i = 0; i < q->place.value_count / q->steps; i++) {
        const het__place_value *of = &q->place.values[(size_t)i * q->steps];
        double *cost = het__arena_zero(q->arena, cells, sizeof *cost);
        uint32_t *users = het__arena_zero(q->arena, of->consumer_count, sizeof *users);
        if (!cost || !users)
            return false;
        values[i] = (het__place_value){ of->producer / q->steps, 0, users, cost, 0 };
        values[i].consumer_count = one_per_node(q, of->consumers, of->consumer_count, users);
        for (uint32_t k = 0; k < q->steps; k++) {
            for (size_t c = 0; c < cells; c++)
                cost[c] += of[k].transfer_cost[c];
            values[i].bytes = fmax(values[i].bytes, of[k].bytes);
        }
    }
    return true;
}

static bool add_stores(const het__plan_problem *q, het__place_store *stores)
{
    for (uint32_t i = 0; i < q->place.store_count; i++) {
        const het__place_store *of = &q->place.stores[i];
        uint32_t *users = het__arena_zero(q->arena, of->user_count, sizeof *users);
        if (!users)
            return false;
        stores[i] = *of;
        stores[i].users = users;
        stores[i].user_count = one_per_node(q, of->users, of->user_count, users);
    }
    return true;
}

het_status het__plan_place_together(const het__plan_problem *q, het__mem *mem, uint8_t *devices)
{
    const uint32_t values = q->place.value_count / q->steps;
    het__arena *arena = q->arena;
    double *cost = het__arena_zero(arena, (size_t)q->nodes * q->devices, sizeof *cost);
    double *scratch = het__arena_zero(arena, q->nodes, sizeof *scratch);
    het__place_value *v = het__arena_zero(arena, values, sizeof *v);
    het__place_store *s = het__arena_zero(arena, q->place.store_count, sizeof *s);
    het__placement placement = { .device = het__arena_zero(arena, q->nodes, 1) };
    uint32_t stuck;
    if (!cost || !scratch || !v || !s || !placement.device || !add_values(q, v) ||
        !add_stores(q, s))
        return HET_E_NOMEM;
    add_costs(q, cost, scratch);
    het__place_problem p = q->place;
    p.node_count = q->nodes;
    p.node_cost = cost;
    p.value_count = values;
    p.values = v;
    p.stores = s;
    p.scratch_bytes = scratch;
    p.phase_count = 1;
    p.hint = NULL;
    const het_status status = het__place(&p, mem, &placement, &stuck);
    for (uint32_t n = 0; status == HET_OK && n < q->nodes; n++)
        memset(devices + (size_t)n * q->steps, placement.device[n], q->steps);
    return status;
}
