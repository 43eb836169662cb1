/* SPDX-License-Identifier: Apache-2.0 */
/* Graphs run node by node with memory taken as it is needed: for bodies of control flow, for
 * folding, and for models whose extents follow from contents. */
#include <assert.h>
#include <stdatomic.h>

#include "lib/base/error.h"
#include "lib/plain/plain.h"

/* Bodies in bodies: deeper nesting is a defect of the file, or an attack on the stack. */
#define DEPTH_MAX 32
/* Work of a node besides its elements: what a loop of empty bodies spends. */
#define NODE_COST 1000.0

typedef struct run {
    const het__interpreter *how;
    const het__graph *graph;
    het__tensor *values; /* per value; data owned unless the value is an input or a constant */
    uint32_t *readers;   /* per value: nodes still to read it, and one for an output */
    het__tensor *inputs; /* of the node at hand */
    het__scratch scratch;
} run;

void het__tensor_finish(het__mem *mem, het__tensor *t)
{
    het__free(mem, t->data);
    memset(t, 0, sizeof *t);
}

static bool is_made(const het__value *v)
{
    return v->producer != HET__NO_VALUE;
}

static void constant_of(const het__value *v, het__tensor *t)
{
    t->dtype = v->dtype;
    t->rank = v->rank;
    for (uint32_t i = 0; i < v->rank; i++)
        t->extent[i] = v->extent[i].count;
    t->data = (void *)(uintptr_t)v->data;
}

static het_status take_inputs(run *r, const het__tensor *inputs, uint32_t count, het_error *err)
{
    uint32_t next = 0;
    for (uint32_t v = 0; v < r->graph->value_count; v++) {
        const het__value *value = &r->graph->values[v];
        if (value->kind == HET__VALUE_CONST)
            constant_of(value, &r->values[v]);
        if (value->kind != HET__VALUE_INPUT)
            continue;
        if (next == count)
            return het__fail(err, HET_E_INVALID, "there are only %u inputs", count);
        r->values[v] = inputs[next++];
    }
    if (next != count)
        return het__fail(err, HET_E_INVALID, "%u inputs for %u", count, next);
    return HET_OK;
}

static void count_readers(run *r)
{
    het__graph_use_counts(r->graph, r->readers);
    for (uint32_t o = 0; o < r->graph->output_count; o++)
        r->readers[r->graph->outputs[o]]++;
}

static het_status make_outputs(const run *r, het__eval *e)
{
    for (uint32_t o = 0; o < e->output_count; o++) {
        const int64_t bytes = het__tensor_bytes(&e->outputs[o]);
        if (bytes < 0)
            return het__eval_refuse(e, "output %u has an impossible size", o);
        e->outputs[o].data = het__alloc(r->how->mem, (size_t)bytes);
        if (!e->outputs[o].data)
            return het__eval_nomem(e);
    }
    return HET_OK;
}

/* Where the rule knows no extents, the inputs at least are read. */
double het__plain_cost(const het__eval *e)
{
    const het__tensor_op *op = het__tensor_op_of(e->node->op);
    het__work work = { 0 };
    double cost = NODE_COST;
    if (!e->unknown && op && op->count)
        op->count(e, &work);
    for (uint32_t i = 0; i < e->input_count; i++)
        if (e->inputs[i].dtype != HET_DTYPE_NONE)
            cost += (double)het__tensor_bytes(&e->inputs[i]);
    for (uint32_t o = 0; !e->unknown && o < e->output_count; o++)
        cost += (double)het__tensor_bytes(&e->outputs[o]);
    return cost + work.flops;
}

static het_status spend(const run *r, const het__eval *e)
{
    if (!r->how->work_left)
        return HET_OK;
    *r->how->work_left -= het__plain_cost(e);
    return *r->how->work_left >= 0 ? HET_OK : het__eval_unsupported(e, "too much work");
}

static het_status compute(const run *r, het__eval *e)
{
    const het__tensor_op *op = het__tensor_op_of(e->node->op);
    const het__plain_fn kernel = het__plain_kernel(e->node->op);
    if (!kernel || !op)
        return het__fail(e->err, HET_E_UNSUPPORTED, "node %s: operation %s is not known here",
                         e->node->name, e->attrs->type ? e->attrs->type : "?");
    het_status s = op->shape(e);
    if (s == HET_OK)
        s = spend(r, e);
    if (s == HET_OK && !e->unknown)
        s = make_outputs(r, e);
    het__scratch_reset(e->scratch);
    return s == HET_OK ? kernel(e) : s;
}

static void drop_input(run *r, uint32_t v)
{
    if (--r->readers[v] == 0 && is_made(&r->graph->values[v]))
        het__tensor_finish(r->how->mem, &r->values[v]);
}

static het_status run_node(run *r, const het__node *node, het_error *err)
{
    het__tensor out[HET__EVAL_OUTPUTS_MAX];
    memset(out, 0, sizeof out);
    for (uint32_t i = 0; i < node->input_count; i++)
        r->inputs[i] = node->inputs[i] == HET__NO_VALUE ? (het__tensor){ .rank = 0 }
                                                        : r->values[node->inputs[i]];
    het__eval e = { .node = node, .attrs = &node->attrs.tensor, .inputs = r->inputs,
                    .input_count = node->input_count, .outputs = out,
                    .output_count = node->output_count, .mem = r->how->mem,
                    .scratch = &r->scratch, .interpreter = r->how, .err = err };
    const het_status s = compute(r, &e);
    for (uint32_t o = 0; o < node->output_count; o++) {
        const uint32_t v = node->outputs[o];
        if (s != HET_OK || r->readers[v] == 0)
            het__free(r->how->mem, out[o].data);
        else
            r->values[v] = out[o];
    }
    for (uint32_t i = 0; s == HET_OK && i < node->input_count; i++)
        if (node->inputs[i] != HET__NO_VALUE)
            drop_input(r, node->inputs[i]);
    return s;
}

static het_status run_nodes(run *r, het_error *err)
{
    for (uint32_t n = 0; n < r->graph->node_count; n++) {
        if (r->how->cancel && atomic_load_explicit(r->how->cancel, memory_order_relaxed))
            return het__fail(err, HET_E_CANCELLED, "cancelled before %s", r->graph->nodes[n].name);
        const het_status s = run_node(r, &r->graph->nodes[n], err);
        if (s != HET_OK)
            return s;
    }
    return HET_OK;
}

static void finish(run *r)
{
    for (uint32_t v = 0; r->values && v < r->graph->value_count; v++)
        if (is_made(&r->graph->values[v]))
            het__free(r->how->mem, r->values[v].data);
    het__free(r->how->mem, r->values);
    het__free(r->how->mem, r->readers);
    het__free(r->how->mem, r->inputs);
    het__scratch_finish(&r->scratch);
}

het_status het__interpret(const het__interpreter *how, const het__graph *graph,
                          const het__tensor *inputs, uint32_t input_count, het__tensor *outputs,
                          uint32_t output_count, het_error *err)
{
    assert(output_count == graph->output_count);
    if (how->depth > DEPTH_MAX)
        return het__fail(err, HET_E_UNSUPPORTED, "bodies are nested deeper than %d", DEPTH_MAX);
    uint32_t most = 1;
    for (uint32_t n = 0; n < graph->node_count; n++)
        most = graph->nodes[n].input_count > most ? graph->nodes[n].input_count : most;
    run r = { .how = how, .graph = graph };
    het__scratch_init(&r.scratch, how->mem);
    r.values = het__alloc_zero(how->mem, graph->value_count, sizeof *r.values);
    r.readers = het__alloc_zero(how->mem, graph->value_count, sizeof *r.readers);
    r.inputs = het__alloc_zero(how->mem, most, sizeof *r.inputs);
    het_status s = HET_E_NOMEM;
    if (!r.values || !r.readers || !r.inputs)
        s = het__fail_nomem(err, "running a graph");
    else
        s = take_inputs(&r, inputs, input_count, err);
    if (s == HET_OK) {
        count_readers(&r);
        s = run_nodes(&r, err);
    }
    for (uint32_t o = 0; s == HET_OK && o < output_count; o++) {
        outputs[o] = r.values[graph->outputs[o]];
        r.values[graph->outputs[o]].data = NULL;
    }
    finish(&r);
    return s;
}

het_status het__plain_body(het__eval *e, const char *name, const het__tensor *inputs,
                           uint32_t input_count, het__tensor *outputs, uint32_t output_count)
{
    const het__attr *body = het__attr_find(e->attrs, name, HET__ATTR_GRAPH);
    if (!body)
        return het__eval_refuse(e, "there is no body %s", name);
    if (body->u.graph->output_count != output_count)
        return het__eval_refuse(e, "body %s has %u outputs where %u are wanted", name,
                                body->u.graph->output_count, output_count);
    const het__interpreter how = { e->interpreter->mem, e->interpreter->cancel,
                                   e->interpreter->depth + 1, e->interpreter->work_left };
    return het__interpret(&how, body->u.graph, inputs, input_count, outputs, output_count, e->err);
}
