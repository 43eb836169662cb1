/* SPDX-License-Identifier: Apache-2.0 */
/* Random graphs without weights and random machines, to plan for. Used by tests and fuzzers: bytes
 * come from a function of the caller. */
#ifndef HETINFER_RANDOM_PLAN_H
#define HETINFER_RANDOM_PLAN_H

#include <stdio.h>
#include <string.h>

#include "lib/partition/plan.h"

#define RANDOM_PLAN_NODES_MAX 64

typedef struct random_plan {
    uint32_t (*below)(void *user, uint32_t n); /* in [0, n) */
    void *user;
    het__graph graph;
    het__machine machine;
    int64_t symbols[HET__SYM_MAX];
    const char *reasons[RANDOM_PLAN_NODES_MAX * HET__MACHINE_DEVICES_MAX];
} random_plan;

static inline uint32_t random_plan_linear(random_plan *r, const char *name, uint32_t x,
                                          uint32_t weight)
{
    het__graph *g = &r->graph;
    const het_dtype types[] = { HET_DTYPE_F32, HET_DTYPE_F16, HET_DTYPE_BF16 };
    const int64_t extent[2] = { 8, 8 };
    if (weight == HET__NO_VALUE)
        weight = het__graph_const(g, name, types[r->below(r->user, 3)], 2, extent, NULL);
    const uint32_t inputs[] = { x, HET__NO_VALUE, weight, HET__NO_VALUE };
    het__attrs attrs = { .linear = { 1, false } };
    return het__graph_node(g, HET__OP_LINEAR, (int32_t)r->below(r->user, 3) - 1, name, inputs, 4,
                           &attrs, NULL);
}

/* Products, sums and curves over what is there already; some weights are used twice. */
static inline void random_plan_graph(random_plan *r, het__mem *mem, uint32_t nodes)
{
    het__graph *g = &r->graph;
    const het__extent extent[2] = { { 1, HET__SYM_TOKENS }, { 8, HET__SYM_ONE } };
    uint32_t made[RANDOM_PLAN_NODES_MAX + 1], count = 0, weight = HET__NO_VALUE;
    het__graph_init(g, mem);
    made[count++] = het__graph_value(g, "x", HET__VALUE_INPUT, HET_DTYPE_F32, 2, extent);
    for (uint32_t n = 0; n < nodes; n++) {
        char name[32];
        /* Near ones more often: most graphs are nearly chains. */
        const uint32_t back = r->below(r->user, r->below(r->user, 4) ? 2 : count);
        const uint32_t a = made[count - 1 - (back < count ? back : 0)];
        const uint32_t inputs[] = { a, made[r->below(r->user, count)] };
        snprintf(name, sizeof name, "node \"%u\"\\\n", n);
        const char *kept = het__arena_strdup(&g->arena, name);
        het__attrs attrs = { .unary = { .kind = HET__UNARY_RELU } };
        switch (r->below(r->user, 4)) {
        case 0: made[count] = het__graph_node(g, HET__OP_ADD, 0, kept, inputs, 2, NULL, NULL);
            break;
        case 1: made[count] = het__graph_node(g, HET__OP_UNARY, 0, kept, &a, 1, &attrs, NULL);
            break;
        default:
            if (r->below(r->user, 4))
                weight = HET__NO_VALUE;
            made[count] = random_plan_linear(r, kept, a, weight);
            weight = made[count] == HET__NO_VALUE
                         ? HET__NO_VALUE : g->nodes[g->node_count - 1].inputs[2];
        }
        count++;
    }
    if (nodes && made[count - 1] != HET__NO_VALUE)
        het__graph_output(g, made[count - 1], "y");
    memset(r->symbols, 0, sizeof r->symbols);
    r->symbols[HET__SYM_ONE] = 1;
    r->symbols[HET__SYM_TOKENS] = 1 + r->below(r->user, 40);
}

static inline het__figure random_plan_figure(double value)
{
    return (het__figure){ .value = value, .source = value > 0 ? HET_SOURCE_ASSUMED : 0 };
}

/* limit: bytes that a device holds, about; 0: no limits. */
static inline void random_plan_machine(random_plan *r, uint32_t devices, uint32_t limit)
{
    het__machine *m = &r->machine;
    memset(m, 0, sizeof *m);
    snprintf(m->name, sizeof m->name, "random machine");
    m->device_count = devices;
    m->group_count = 1 + r->below(r->user, 2);
    for (uint32_t i = 0; i < m->group_count; i++)
        m->group[i].bandwidth = random_plan_figure(1e9 * (1 + r->below(r->user, 40)));
    m->link_bandwidth = random_plan_figure(1e8 * (1 + r->below(r->user, 40)));
    m->link_latency = random_plan_figure(r->below(r->user, 2000));
    for (uint32_t i = 0; i < devices; i++) {
        het__machine_device *d = &m->device[i];
        d->context_index = UINT32_MAX;
        d->kind = 1 + r->below(r->user, 4);
        d->group = r->below(r->user, m->group_count);
        snprintf(d->backend, sizeof d->backend, "device%u", i);
        snprintf(d->name, sizeof d->name, "Device %u", i);
        d->peak[HET__PEAK_F32] = random_plan_figure(1e8 * (1 + r->below(r->user, 50)));
        d->bandwidth = random_plan_figure(1e8 * (1 + r->below(r->user, 100)));
        d->launch = random_plan_figure(r->below(r->user, 3000));
        d->watts = random_plan_figure(1 + r->below(r->user, 50));
        if (limit && r->below(r->user, 4))
            d->memory_bytes = random_plan_figure(limit / 2 + r->below(r->user, limit));
    }
    if (limit && r->below(r->user, 3) == 0)
        m->group[0].memory_bytes = random_plan_figure(limit + r->below(r->user, 2 * limit));
}

/* The first device runs everything, the others most. */
static inline void random_plan_reasons(random_plan *r)
{
    memset(r->reasons, 0, sizeof r->reasons);
    for (uint32_t n = 0; n < r->graph.node_count; n++)
        for (uint32_t d = 1; d < r->machine.device_count; d++)
            if (r->below(r->user, 8) == 0)
                r->reasons[n * r->machine.device_count + d] = "not today";
}

#endif /* HETINFER_RANDOM_PLAN_H */
