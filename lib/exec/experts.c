/* SPDX-License-Identifier: Apache-2.0 */
/* Mixtures of experts: what tokens choose is counted by devices, in memory of the executor's that
 * both phases share; how many experts a device may keep is the policy's word. */
#include <string.h>

#include "lib/base/error.h"
#include "lib/exec/internal.h"

het_status het__exec_expert_limits(const het__exec *x, double bytes[HET__MACHINE_DEVICES_MAX],
                                   uint32_t keep[HET__MACHINE_DEVICES_MAX], het_error *err)
{
    const het__machine *machine = &x->phase[0].plan.machine;
    het__policy_view view;
    memset(bytes, 0, HET__MACHINE_DEVICES_MAX * sizeof *bytes);
    memset(keep, 0, HET__MACHINE_DEVICES_MAX * sizeof *keep);
    if (!x->request.policy)
        return HET_OK;
    const het_status s = het__policy_bind(x->request.policy, machine, x->mem, &view, err);
    if (s != HET_OK)
        return s;
    for (uint32_t d = 0; d < machine->device_count; d++)
        bytes[d] = het__policy_experts(&view, d, &keep[d]);
    het__policy_view_finish(&view);
    return HET_OK;
}

/* Scores have a column per expert. */
static uint32_t expert_count(const het__exec *x, const het__node *node)
{
    return (uint32_t)x->graph->values[node->inputs[1]].extent[1].count;
}

het_status het__exec_experts(het__exec *x, het_error *err)
{
    x->expert_uses = het__arena_zero(&x->arena, x->graph->node_count, sizeof *x->expert_uses);
    bool whole = x->expert_uses != NULL;
    for (uint32_t n = 0; whole && n < x->graph->node_count; n++) {
        const het__node *node = &x->graph->nodes[n];
        if (node->op != HET__OP_MOE)
            continue;
        x->expert_uses[n] =
            het__arena_zero(&x->arena, expert_count(x, node), sizeof **x->expert_uses);
        whole = x->expert_uses[n] != NULL;
    }
    return whole ? HET_OK : het__fail_nomem(err, "counters of experts");
}

uint32_t het__exec_mixture_count(const het__exec *x)
{
    uint32_t count = 0;
    for (uint32_t n = 0; n < x->graph->node_count; n++)
        count += x->graph->nodes[n].op == HET__OP_MOE;
    return count;
}

void het__exec_mixture_at(const het__exec *x, uint32_t index, het__exec_mixture *mixture)
{
    uint32_t n = 0;
    while (x->graph->nodes[n].op != HET__OP_MOE || index-- > 0)
        n++;
    const het__node *node = &x->graph->nodes[n];
    *mixture = (het__exec_mixture){ node->layer, expert_count(x, node),
                                    (uint32_t)node->attrs.moe.used, x->expert_uses[n] };
}

void het__exec_traffic_get(const het__exec *x, het__exec_traffic *t)
{
    memset(t, 0, sizeof *t);
    for (uint32_t d = 0; d < x->device_count; d++) {
        const het__opened *o = &x->opened[d];
        het__backend_counters c;
        if (!o->device || o->is_lost)
            continue;
        memset(&c, 0, sizeof c);
        o->backend->counters(o->device, &c);
        t->slots += c.expert_slots;
        t->slot_bytes += c.expert_slot_bytes;
        t->hits += c.expert_hits;
        t->misses += c.expert_misses;
        t->evictions += c.expert_evictions;
        t->ahead += c.expert_ahead;
        t->ahead_hits += c.expert_ahead_hits;
        t->staged_bytes += c.expert_staged_bytes;
    }
}
