/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/exec/branch.h"

static bool is_inside(const het__branch *b, uint32_t node)
{
    return node >= b->first && node - b->first < b->count;
}

uint32_t het__branch_source(const het__graph *g, const het__branch *b, const uint32_t *position)
{
    uint32_t source = HET__NO_VALUE;
    for (uint32_t n = b->first; n < b->first + b->count; n++)
        for (uint32_t i = 0; i < g->nodes[n].input_count; i++) {
            const uint32_t v = g->nodes[n].inputs[i];
            const uint32_t maker = v == HET__NO_VALUE ? v : g->values[v].producer;
            if (maker != HET__NO_VALUE && !is_inside(b, maker) &&
                (source == HET__NO_VALUE || position[maker] > position[source]))
                source = maker;
        }
    return source;
}

uint32_t het__branch_user(const het__graph *g, const het__branch *b, const uint32_t *position)
{
    uint32_t user = HET__NO_VALUE;
    for (uint32_t n = 0; n < g->node_count; n++)
        for (uint32_t i = 0; i < g->nodes[n].input_count && !is_inside(b, n); i++) {
            const uint32_t v = g->nodes[n].inputs[i];
            const uint32_t maker = v == HET__NO_VALUE ? v : g->values[v].producer;
            if (maker != HET__NO_VALUE && is_inside(b, maker) &&
                (user == HET__NO_VALUE || position[n] < position[user]))
                user = n;
        }
    return user;
}

/* Whether its nodes follow each other in the order. */
static bool is_whole(const het__branch *b, const uint32_t *position)
{
    for (uint32_t i = 1; i < b->count; i++)
        if (position[b->first + i] != position[b->first] + i)
            return false;
    return true;
}

/* The nodes at [from, from + count) to before what stands at `to`, which is none of them. */
static void move(uint32_t *order, uint32_t *position, uint32_t from, uint32_t count, uint32_t to)
{
    const uint32_t first = order[from];
    uint32_t at = from;
    for (; at > to; at--)
        order[at + count - 1] = order[at - 1];
    for (; at + count < to; at++)
        order[at] = order[at + count];
    for (uint32_t i = 0; i < count; i++)
        order[at + i] = first + i;
    const uint32_t low = from < to ? from : to, high = from < to ? to : from + count;
    for (uint32_t i = low; i < high; i++)
        position[order[i]] = i;
}

void het__branch_order(const het__graph *g, const het__branch *branches, uint32_t count,
                       uint32_t *order, uint32_t *position)
{
    for (uint32_t n = 0; n < g->node_count; n++)
        order[n] = position[n] = n;
    for (uint32_t i = 0; i < count; i++) {
        const het__branch *b = &branches[i];
        const uint32_t at = position[b->first];
        if (!is_whole(b, position))
            continue; /* another phase has it otherwise */
        const uint32_t by = b->is_late ? het__branch_user(g, b, position)
                                       : het__branch_source(g, b, position);
        if (by == HET__NO_VALUE)
            continue;
        move(order, position, at, b->count, b->is_late ? position[by] : position[by] + 1);
    }
}
