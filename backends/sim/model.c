/* SPDX-License-Identifier: Apache-2.0 */
/* The time of a program: the sum of what the cost model says of its nodes, as a plan reckons it. A
 * graph is lent for compile() alone, so a program keeps the little that costs depend on. */
#include <string.h>

#include "backends/sim/sim.h"
#include "lib/base/error.h"
#include "lib/cost/cost.h"

/* A value of the slice in the copy, added when it is met first. */
static uint32_t copy_value(het__graph *g, const het__graph *from, uint32_t id, uint32_t *known)
{
    if (id == HET__NO_VALUE)
        return id;
    if (known[id] == 0) {
        het__value *v = &g->values[g->value_count++];
        *v = from->values[id];
        v->name = "";
        v->producer = HET__NO_VALUE;
        known[id] = g->value_count;
    }
    return known[id] - 1;
}

static const uint32_t *copy_ids(het__graph *g, const het__graph *from, const uint32_t *ids,
                                uint32_t count, uint32_t *known)
{
    uint32_t *copy = het__arena_alloc(&g->arena, (count + 1) * sizeof *copy);
    for (uint32_t i = 0; copy && i < count; i++)
        copy[i] = copy_value(g, from, ids[i], known);
    return copy;
}

/* values and nodes have room for what the slice may name. */
static bool copy_nodes(het__graph *g, const het__slice *slice, uint32_t *known)
{
    for (uint32_t i = 0; i < slice->node_count; i++) {
        const het__node *from = &slice->graph->nodes[slice->nodes[i]];
        het__node *node = &g->nodes[g->node_count];
        *node = *from;
        node->name = "";
        node->inputs = copy_ids(g, slice->graph, from->inputs, from->input_count, known);
        node->outputs = copy_ids(g, slice->graph, from->outputs, from->output_count, known);
        if (!node->inputs || !node->outputs)
            return false;
        for (uint32_t o = 0; o < node->output_count; o++)
            g->values[node->outputs[o]].producer = g->node_count;
        g->node_count++;
    }
    return true;
}

het_status het__sim_model_make(het__sim_model *model, const het__slice *slice, bool is_exact,
                               het__mem *mem, het_error *err)
{
    het__graph *g = &model->graph;
    size_t most = 0;
    memset(model, 0, sizeof *model);
    het__graph_init(g, mem);
    model->is_exact = is_exact;
    for (uint32_t i = 0; i < slice->node_count; i++) {
        const het__node *node = &slice->graph->nodes[slice->nodes[i]];
        most += node->input_count + (size_t)node->output_count;
    }
    uint32_t *known = het__alloc_zero(mem, slice->graph->value_count, sizeof *known);
    g->values = het__alloc_zero(mem, most + 1, sizeof *g->values);
    g->nodes = het__alloc_zero(mem, (size_t)slice->node_count + 1, sizeof *g->nodes);
    const bool good = known && g->values && g->nodes && copy_nodes(g, slice, known);
    het__free(mem, known);
    if (good)
        return HET_OK;
    het__sim_model_finish(model);
    return het__fail_nomem(err, "the times of a program");
}

void het__sim_model_finish(het__sim_model *model)
{
    het__graph_finish(&model->graph);
}

double het__sim_model_ns(het__sim_model *model, const het__machine_device *device,
                         const int64_t *symbols)
{
    const het__graph *g = &model->graph;
    if (memcmp(symbols, model->symbols, sizeof model->symbols) == 0)
        return model->ns;
    memcpy(model->symbols, symbols, sizeof model->symbols);
    model->ns = 0;
    for (uint32_t n = 0; n < g->node_count; n++) {
        het__work work;
        het__cost cost;
        het__node_work(g, &g->nodes[n], symbols, &work);
        het__cost_node(g, &g->nodes[n], &work, device, model->is_exact, &cost);
        model->ns += cost.ns;
    }
    return model->ns;
}
