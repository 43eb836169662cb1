/* SPDX-License-Identifier: Apache-2.0 */
/* The text form of a graph: one line per node, for people, logs and golden tests. */
#include "lib/ir/graph.h"

static const char *symbol_name(uint32_t symbol)
{
    static const char *const names[] = {
        [HET__SYM_TOKENS] = "T",  [HET__SYM_SEQUENCES] = "B", [HET__SYM_ROWS] = "R",
        [HET__SYM_PAGES] = "P",   [HET__SYM_CONTEXT] = "S",   [HET__SYM_STATE_PAGES] = "N",
    };
    return symbol < sizeof names / sizeof names[0] && names[symbol] ? names[symbol] : "?";
}

static void write_shape(const het__value *value, het__text *text)
{
    het__text_printf(text, "[");
    for (uint32_t i = 0; i < value->rank; i++) {
        const het__extent e = value->extent[i];
        het__text_printf(text, i ? "," : "");
        if (e.symbol == HET__SYM_ONE)
            het__text_printf(text, "%lld", (long long)e.count);
        else if (e.count == 1)
            het__text_printf(text, "%s", symbol_name(e.symbol));
        else
            het__text_printf(text, "%lld%s", (long long)e.count, symbol_name(e.symbol));
    }
    het__text_printf(text, "]");
}

static void write_operand(const het__graph *graph, uint32_t id, het__text *text)
{
    if (id == HET__NO_VALUE) {
        het__text_printf(text, "-");
        return;
    }
    const het__value *v = &graph->values[id];
    if (v->kind == HET__VALUE_TEMP || v->kind == HET__VALUE_OUTPUT) {
        het__text_printf(text, "%%%u", id);
        return;
    }
    het__text_printf(text, "%s:%s", v->name, het_dtype_name(v->dtype));
    write_shape(v, text);
}

static void write_node(const het__graph *graph, const het__node *node, het__text *text)
{
    for (uint32_t o = 0; o < node->output_count; o++) {
        het__text_printf(text, "%s%%%u ", o ? ", " : "", node->outputs[o]);
        write_shape(&graph->values[node->outputs[o]], text);
    }
    het__text_printf(text, " = %s", het__node_operation(node));
    if (node->op == HET__OP_UNARY)
        het__text_printf(text, ".%s", het__unary_name(node->attrs.unary.kind));
    if (node->op == HET__OP_GATED)
        het__text_printf(text, ".%s", het__unary_name(node->attrs.gated.act));
    het__text_printf(text, "(");
    for (uint32_t i = 0; i < node->input_count; i++) {
        het__text_printf(text, i ? ", " : "");
        write_operand(graph, node->inputs[i], text);
    }
    het__text_printf(text, ")");
    if (node->layer >= 0)
        het__text_printf(text, " ; block %d", node->layer);
    het__text_printf(text, "\n");
}

void het__graph_write(const het__graph *graph, het__text *text)
{
    for (uint32_t n = 0; n < graph->node_count; n++)
        write_node(graph, &graph->nodes[n], text);
}
