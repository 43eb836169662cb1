/* SPDX-License-Identifier: Apache-2.0 */
/* The rows of tensor_ops.h as a table, and how the graph's own table asks them. */
#include <stdlib.h>
#include <string.h>

#include "lib/base/error.h"
#include "lib/ir/custom.h"
#include "lib/ir/eval.h"
#include "lib/ir/shapes.h"

/* More inputs than any tensor operation of one node has; a Concat with more is refused. */
#define INPUTS_MAX 512

static void tensor_of(const het__value *v, het__tensor *t)
{
    memset(t, 0, sizeof *t);
    t->dtype = v->dtype;
    t->rank = v->rank;
    for (uint32_t i = 0; i < v->rank; i++)
        t->extent[i] = v->extent[i].count;
    t->data = v->kind == HET__VALUE_CONST ? (void *)(uintptr_t)v->data : NULL;
}

static bool is_concrete(const het__value *v)
{
    if (!het__value_is_known(v) || v->dtype == HET_DTYPE_NONE)
        return false;
    for (uint32_t i = 0; i < v->rank; i++)
        if (v->extent[i].symbol != HET__SYM_ONE)
            return false;
    return true;
}

/* Operands of a node whose shapes are all concrete. */
static het_status inputs_of(const het__graph *graph, const het__node *node, het__tensor *inputs,
                            het_error *err)
{
    if (node->input_count > INPUTS_MAX)
        return het__fail(err, HET_E_UNSUPPORTED, "node %s has %u inputs; %d is the most",
                         node->name, node->input_count, INPUTS_MAX);
    for (uint32_t i = 0; i < node->input_count; i++) {
        if (node->inputs[i] == HET__NO_VALUE) {
            memset(&inputs[i], 0, sizeof inputs[i]);
            continue;
        }
        const het__value *v = &graph->values[node->inputs[i]];
        if (!is_concrete(v))
            return het__fail(err, HET_E_INVALID, "node %s: the shape of %s is not known yet",
                             node->name, v->name);
        tensor_of(v, &inputs[i]);
    }
    return HET_OK;
}

static het_status shape(const het__graph *graph, const het__node *node, het__value *outputs,
                        uint32_t *count, het_error *err)
{
    const het__tensor_op *op = het__tensor_op_of(node->op);
    het__tensor inputs[INPUTS_MAX], out[HET__EVAL_OUTPUTS_MAX];
    memset(out, 0, sizeof out);
    het__eval e = { .node = node, .attrs = &node->attrs.tensor, .inputs = inputs,
                    .input_count = node->input_count, .outputs = out,
                    .output_count = node->output_count, .err = err };
    het_status s = inputs_of(graph, node, inputs, err);
    if (s == HET_OK && op->shape)
        s = op->shape(&e);
    if (s != HET_OK)
        return s;
    for (uint32_t o = 0; o < node->output_count; o++) {
        const het__value *made = &graph->values[node->outputs[o]];
        outputs[o] = *made; /* what the rule does not know, the graph may not know either */
        if (e.unknown || !op->shape)
            continue;
        outputs[o].dtype = out[o].dtype;
        outputs[o].rank = out[o].rank;
        for (uint32_t i = 0; i < out[o].rank; i++)
            outputs[o].extent[i] = (het__extent){ out[o].extent[i], HET__SYM_ONE };
    }
    *count = node->output_count;
    return HET_OK;
}

static void count(const het__graph *graph, const het__node *node, const int64_t *symbols,
                  het__work *work)
{
    (void)symbols;
    const het__tensor_op *op = het__tensor_op_of(node->op);
    het__tensor inputs[INPUTS_MAX], out[HET__EVAL_OUTPUTS_MAX];
    if (!op->count || inputs_of(graph, node, inputs, NULL) != HET_OK)
        return;
    for (uint32_t o = 0; o < node->output_count; o++) {
        if (!is_concrete(&graph->values[node->outputs[o]]))
            return;
        tensor_of(&graph->values[node->outputs[o]], &out[o]);
    }
    const het__eval e = { .node = node, .attrs = &node->attrs.tensor, .inputs = inputs,
                          .input_count = node->input_count, .outputs = out,
                          .output_count = node->output_count };
    op->count(&e, work);
}

#define ROW(id, name, least, most, outputs, rule, work, axes, plain) \
    { { name, least, most, shape, count, axes }, outputs, het__shape_##rule, het__count_##work },

static const het__tensor_op rows[] = {
    HET__TENSOR_OPS(ROW)
    { { "unknown", 0, HET__MANY, shape, count, "" }, HET__EVAL_OUTPUTS_MAX, NULL, NULL },
    { { "custom", 0, HET_OP_OPERANDS_MAX, shape, count, "" }, HET_OP_OPERANDS_MAX,
      het__shape_custom, het__count_custom },
};

const het__tensor_op *het__tensor_op_of(het__op op)
{
    return het__op_is_tensor(op) ? &rows[op - HET__OP_T_FIRST] : NULL;
}

het__op het__tensor_op_find(const char *name)
{
    for (int op = HET__OP_T_FIRST; op < HET__OP_T_UNKNOWN; op++)
        if (strcmp(rows[op - HET__OP_T_FIRST].info.name, name) == 0)
            return (het__op)op;
    return HET__OP_T_UNKNOWN;
}

void het__count_none(const het__eval *e, het__work *work)
{
    work->units = (double)het__tensor_elements(&e->outputs[0]);
}

void het__count_elements(const het__eval *e, het__work *work)
{
    work->units = (double)het__tensor_elements(&e->outputs[0]);
    work->flops = work->units;
}
