/* SPDX-License-Identifier: Apache-2.0 */
/* Experts on devices that keep some of them only (limits.DEVICE.experts of a policy): there the
 * matrices of mixtures take nothing, the slots do, once for all mixtures; and a mixture takes
 * longer by the time for bringing the experts that are expected to be missing.
 *
 * Which experts tokens choose is not known here. They are taken to be equally likely, and all
 * mixtures of the graph to share the slots: an expert that one token wants is there with the share
 * of the slots in all experts, and a step whose tokens use every expert of a mixture has swept out
 * what it would use again. In between the one goes over into the other. Bringing counts in full,
 * though a device may do it beside its kernels. */
#include <math.h>
#include <string.h>

#include "lib/base/dtype.h"
#include "lib/ir/graph.h"
#include "lib/partition/plan_problem.h"

/* GPUs, and what their backend takes for one in tests; others read experts where they lie. */
static bool has_slots(const het__machine_device *d)
{
    return d->kind == HET_DEVICE_GPU || d->kind == HET_DEVICE_IGPU ||
           (d->kind == HET_DEVICE_CPU && strcmp(d->backend, "opencl_igpu") == 0);
}

/* Bytes of one expert of a mixture as it lies in a slot. */
static double expert_bytes(const het__graph *g, const het__node *node)
{
    double bytes = 0;
    for (uint32_t i = 2; i < 5; i++) {
        const het__value *w = &g->values[node->inputs[i]];
        const int64_t one = het_dtype_bytes(w->dtype, w->extent[1].count * w->extent[2].count);
        bytes += (double)(one + HET__ALIGN - 1 - (one + HET__ALIGN - 1) % HET__ALIGN);
    }
    return bytes;
}

static double expert_count(const het__graph *g, const het__node *node)
{
    return (double)g->values[node->inputs[1]].extent[1].count;
}

void het__plan_slots_find(het__plan_problem *q)
{
    const het__graph *g = q->request->graph;
    double largest = 0, all = 0;
    for (uint32_t n = 0; n < q->nodes; n++)
        if (g->nodes[n].op == HET__OP_MOE) {
            largest = fmax(largest, expert_bytes(g, &g->nodes[n]));
            all += expert_count(g, &g->nodes[n]);
        }
    for (uint32_t d = 0; q->request->policy && all > 0 && d < q->devices; d++) {
        uint32_t keep;
        const double budget = het__policy_experts(q->request->policy, d, &keep);
        if (!(budget > 0) || !has_slots(&q->request->machine->device[d]))
            continue;
        const double slots = fmin(fmax(1, floor(budget / largest)), all);
        q->slot_devices |= 1u << d;
        q->slot_count[d] = (uint32_t)slots;
        q->slot_bytes[d] = slots * largest;
        q->slot_share[d] = slots / all;
    }
}

double het__plan_bring_ns(const het__plan_problem *q, uint32_t node, uint32_t step,
                          uint32_t device)
{
    const het__graph *g = q->request->graph;
    const het__node *n = &g->nodes[node];
    uint32_t host = 0;
    if (n->op != HET__OP_MOE || !(q->slot_devices >> device & 1) || q->slot_share[device] >= 1)
        return 0;
    while (host < q->devices && !(q->request->policy->hosts >> host & 1))
        host++;
    if (host == q->devices)
        return 0;
    const double used = het__op_moe_share(g, n, q->step[step].symbols);
    const double missing = used * expert_count(g, n) *
                           (1 - q->slot_share[device] * (1 - used));
    return missing * het__machine_transfer_ns(q->request->machine, host, device,
                                              expert_bytes(g, n));
}

bool het__plan_slots_hold(const het__plan_problem *q, uint32_t value)
{
    const het__graph *g = q->request->graph;
    for (uint32_t n = 0; q->slot_devices && n < q->nodes; n++)
        for (uint32_t i = 2; g->nodes[n].op == HET__OP_MOE && i < 5; i++)
            if (g->nodes[n].inputs[i] == value)
                return true;
    return false;
}

/* One for each device with slots; all mixtures use it. */
bool het__plan_slots_store(het__plan_problem *q, het__place_store *stores)
{
    const het__graph *g = q->request->graph;
    uint32_t count = 0;
    uint32_t *users = het__arena_zero(q->arena, (size_t)q->nodes * q->steps, sizeof *users);
    q->slot_first = q->place.store_count;
    if (!users)
        return false;
    for (uint32_t n = 0; n < q->nodes; n++)
        for (uint32_t k = 0; g->nodes[n].op == HET__OP_MOE && k < q->steps; k++)
            users[count++] = n * q->steps + k;
    for (uint32_t d = 0; count && d < q->devices; d++) {
        if (!(q->slot_devices >> d & 1))
            continue;
        const uint32_t others = ((1u << q->devices) - 1) & ~(1u << d);
        q->store_ids[q->place.store_count] = g->nodes[users[0] / q->steps].inputs[2];
        stores[q->place.store_count++] = (het__place_store){
            .bytes = q->slot_bytes[d], .user_count = count, .users = users,
            .free_devices = others,
        };
    }
    return true;
}
