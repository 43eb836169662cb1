/* SPDX-License-Identifier: Apache-2.0 */
/* What holds in every graph that the ONNX reader makes, whatever the file. */
#ifndef HETINFER_ONNX_CHECK_H
#define HETINFER_ONNX_CHECK_H

#include <string.h>

#include "lib/import/onnx.h"

static inline const char *onnx_check_graph(const het__graph *g);

static inline uint32_t onnx_count_inputs(const het__graph *g)
{
    uint32_t n = 0;
    for (uint32_t v = 0; v < g->value_count; v++)
        n += g->values[v].kind == HET__VALUE_INPUT;
    return n;
}

static inline const char *onnx_check_value(const het__graph *g, const het__value *v)
{
    const bool made = v->kind == HET__VALUE_TEMP || v->kind == HET__VALUE_OUTPUT;
    if (!v->name)
        return "a value without a name";
    if (made != (v->producer != HET__NO_VALUE) || (made && v->producer >= g->node_count))
        return "a value that nothing makes";
    if (v->kind == HET__VALUE_CONST && !v->data)
        return "a constant without contents";
    if (v->kind == HET__VALUE_CONST && (v->rank > HET_RANK_MAX || !het_dtype_bytes(v->dtype, 1)))
        return "a constant of no shape";
    for (uint32_t i = 0; i < v->rank && v->rank <= HET_RANK_MAX; i++)
        if (v->extent[i].symbol >= g->symbol_count || v->extent[i].count < 0)
            return "an extent of no symbol";
    return NULL;
}

/* The end of the node's inputs is the end of each body's. */
static inline const char *onnx_check_body(const het__node *node, const het__attr *a)
{
    const uint32_t inputs = onnx_count_inputs(a->u.graph);
    if (a->count > inputs || a->count > node->input_count)
        return "a body takes more than there is";
    for (uint32_t i = 0; i < node->attrs.tensor.count; i++) {
        const het__attr *b = &node->attrs.tensor.items[i];
        if (b->kind == HET__ATTR_GRAPH && b->count != a->count)
            return "bodies of one node take different values";
    }
    for (uint32_t i = node->input_count - a->count; i < node->input_count; i++)
        if (node->inputs[i] == HET__NO_VALUE)
            return "a body takes a value that is left out";
    return onnx_check_graph(a->u.graph);
}

static inline const char *onnx_check_node(const het__graph *g, uint32_t n)
{
    const het__node *node = &g->nodes[n];
    const het__tensor_op *op = het__tensor_op_of(node->op);
    if (!op || !node->name)
        return "a node of no operation or name";
    if ((node->op == HET__OP_T_UNKNOWN) != (node->attrs.tensor.type != NULL))
        return "an unknown operation without a name";
    if (node->input_count < op->info.inputs_min || node->input_count > op->info.inputs_max ||
        node->output_count < 1 || node->output_count > op->outputs_max)
        return "a node with too many or too few inputs or outputs";
    for (uint32_t i = 0; i < node->input_count; i++) {
        const uint32_t v = node->inputs[i];
        if (v != HET__NO_VALUE && v >= g->value_count)
            return "an input that is no value";
        if (v != HET__NO_VALUE && g->values[v].producer != HET__NO_VALUE &&
            g->values[v].producer >= n)
            return "an input that is made later";
    }
    for (uint32_t i = 0; i < node->output_count; i++)
        if (node->outputs[i] >= g->value_count || g->values[node->outputs[i]].producer != n)
            return "an output that somebody else makes";
    for (uint32_t i = 0; i < node->attrs.tensor.count; i++) {
        const het__attr *a = &node->attrs.tensor.items[i];
        const char *wrong = a->kind == HET__ATTR_GRAPH ? onnx_check_body(node, a) : NULL;
        if (wrong || !a->name || a->kind < HET__ATTR_INT || a->kind > HET__ATTR_GRAPH)
            return wrong ? wrong : "an attribute of no name or kind";
    }
    return NULL;
}

/* What is wrong, or NULL. */
static inline const char *onnx_check_graph(const het__graph *g)
{
    const char *wrong = g->failed ? "memory ran out unseen" : NULL;
    for (uint32_t v = 0; !wrong && v < g->value_count; v++)
        wrong = onnx_check_value(g, &g->values[v]);
    for (uint32_t n = 0; !wrong && n < g->node_count; n++)
        wrong = onnx_check_node(g, n);
    for (uint32_t o = 0; !wrong && o < g->output_count; o++)
        if (g->outputs[o] >= g->value_count ||
            g->values[g->outputs[o]].kind != HET__VALUE_OUTPUT)
            wrong = "an output that is none";
    return wrong;
}

#endif /* HETINFER_ONNX_CHECK_H */
