/* SPDX-License-Identifier: Apache-2.0 */
/* Definitions to graphs: names become values, nodes get the version of their operation set, nodes
 * that only spell out a constant become one. */
#include <string.h>

#include "lib/import/onnx_parts.h"

/* Longer names, of calls in calls, say no more than their ends. */
#define FULL_NAME_MAX 200

het_status het__onnx_bind(het__onnx_reader *r, het__onnx_frame *frame, const char *name,
                          uint32_t value)
{
    const size_t bytes = strlen(name);
    if (het__names_find(&frame->bound, name, bytes))
        return het__fail(r->err, HET_E_FORMAT, "%s is made twice", name);
    return het__names_add(&frame->bound, name, bytes, value) ? HET_OK : het__onnx_nomem(r);
}

const char *het__onnx_full_name(het__onnx_reader *r, const het__onnx_frame *frame,
                                const char *name)
{
    if (!frame->prefix[0] || strlen(frame->prefix) + strlen(name) + 1 > FULL_NAME_MAX)
        return name;
    return het__arena_printf(r->keep, "%s/%s", frame->prefix, name);
}

/* ---- constants ---- */

uint32_t het__onnx_build_const(het__onnx_reader *r, het__onnx_frame *frame, const char *name,
                               const het__tensor *t)
{
    het__graph *g = frame->graph;
    const uint32_t v = het__graph_const(g, "", t->dtype, t->rank, t->extent, t->data);
    const char *full = het__onnx_full_name(r, frame, name);
    if (!full)
        g->failed = true;
    else if (v != HET__NO_VALUE)
        g->values[v].name = full;
    return full ? v : HET__NO_VALUE;
}

het_status het__onnx_build_weights(het__onnx_reader *r, het__onnx_frame *frame,
                                   const het__onnx_part *part)
{
    het_status s = het__onnx_spend(r, part->weight_count);
    for (uint32_t i = 0; s == HET_OK && i < part->weight_count; i++) {
        const het__onnx_weight *w = &part->weights[i];
        const uint32_t v = het__onnx_build_const(r, frame, w->name, &w->tensor);
        s = v == HET__NO_VALUE ? het__onnx_nomem(r) : het__onnx_bind(r, frame, w->name, v);
    }
    return s;
}

/* What a Constant node says; false: not in a form that is known here. */
static bool constant_of(const het__attr_list *attrs, het__tensor *t)
{
    memset(t, 0, sizeof *t);
    for (uint32_t i = 0; i < attrs->count; i++) {
        const het__attr *a = &attrs->items[i];
        const bool list = a->kind == HET__ATTR_INTS || a->kind == HET__ATTR_FLOATS;
        if (strncmp(a->name, "value", 5) != 0)
            continue;
        t->rank = list;
        t->extent[0] = a->count;
        t->dtype = a->kind == HET__ATTR_FLOAT || a->kind == HET__ATTR_FLOATS ? HET_DTYPE_F32
                                                                             : HET_DTYPE_I64;
        if (a->kind == HET__ATTR_TENSOR)
            *t = *a->u.tensor;
        else if (list)
            t->data = (void *)(uintptr_t)(a->kind == HET__ATTR_INTS ? (const void *)a->u.ints
                                                                    : (const void *)a->u.floats);
        else if (a->kind == HET__ATTR_INT || a->kind == HET__ATTR_FLOAT)
            t->data = (void *)(uintptr_t)&a->u;
        else
            return false;
        return true;
    }
    return false;
}

/* ---- attributes ---- */

static const het__attr *find_by_name(const het__attr *list, uint32_t count, const char *name)
{
    for (uint32_t i = 0; i < count; i++)
        if (strcmp(list[i].name, name) == 0)
            return &list[i];
    return NULL;
}

/* What an attribute of the function stands for in this call; NULL: it is left out. */
static het_status follow(const het__onnx_reader *r, const het__onnx_frame *frame,
                         const het__onnx_node *node, const char *name, const het__attr **found)
{
    const het__onnx_call *call = frame->call;
    if (!call)
        return het__fail(r->err, HET_E_FORMAT,
                         "node %s refers to attribute %s of a function, and stands in none",
                         node->name, name);
    *found = find_by_name(call->attrs->items, call->attrs->count, name);
    if (!*found)
        *found = find_by_name(call->function->defaults, call->function->default_count, name);
    if (*found && (*found)->kind == HET__ATTR_GRAPH)
        return het__fail(r->err, HET_E_UNSUPPORTED, "node %s takes graph %s from a call",
                         node->name, name);
    return HET_OK;
}

static het_status build_attrs(het__onnx_reader *r, het__onnx_frame *frame,
                              const het__onnx_node *node, het__onnx_captures *captures,
                              het__attr_list *list)
{
    list->items = node->attrs;
    list->count = node->attr_count;
    if (!node->links)
        return HET_OK;
    het__attr *items = het__arena_zero(r->keep, node->attr_count, sizeof *items);
    het_status s = items ? het__onnx_spend(r, node->attr_count) : het__onnx_nomem(r);
    list->items = items;
    list->count = 0;
    for (uint32_t i = 0; s == HET_OK && i < node->attr_count; i++) {
        const het__onnx_link *link = &node->links[i];
        const het__attr *source = &node->attrs[i];
        het__attr *a = &items[list->count];
        if (link->reference)
            s = follow(r, frame, node, link->reference, &source);
        if (s != HET_OK || !source)
            continue;
        *a = *source;
        a->name = node->attrs[i].name;
        list->count++;
        het__graph *body = NULL;
        if (link->body)
            s = het__onnx_build_body(r, frame, link->body, captures, &body, &a->count);
        if (link->body)
            a->u.graph = body;
    }
    /* Only now is it known what all bodies take. */
    for (uint32_t i = 0; s == HET_OK && i < list->count; i++)
        if (items[i].kind == HET__ATTR_GRAPH)
            s = het__onnx_pad_body(r, (het__graph *)(uintptr_t)items[i].u.graph, captures,
                                   &items[i].count);
    return s;
}

/* ---- nodes ---- */

/* Version of the operation set that the node means. */
static het_status find_opset(const het__onnx_reader *r, const het__onnx_frame *frame,
                             const het__onnx_node *node, int32_t *version)
{
    const size_t bytes = strlen(node->domain);
    const het__name_slot *slot = NULL;
    if (frame->call)
        slot = het__names_find(&frame->call->function->opsets, node->domain, bytes);
    if (!slot)
        slot = het__names_find(&r->opsets, node->domain, bytes);
    if (!slot && !node->domain[0])
        return het__fail(r->err, HET_E_FORMAT,
                         "node %s: the file says no version of operation set ai.onnx", node->name);
    *version = slot ? (int32_t)slot->value : 1;
    return HET_OK;
}

static het_status check_arity(const het__onnx_reader *r, const het__onnx_node *node, het__op op,
                              uint32_t *input_count)
{
    const het__tensor_op *row = het__tensor_op_of(op);
    while (*input_count > row->info.inputs_max && !node->inputs[*input_count - 1][0])
        --*input_count;
    if (*input_count < row->info.inputs_min || *input_count > row->info.inputs_max)
        return het__fail(r->err, HET_E_FORMAT, "node %s: %s takes %u to %u inputs, not %u",
                         node->name, row->info.name, row->info.inputs_min, row->info.inputs_max,
                         *input_count);
    if (node->output_count > row->outputs_max)
        return het__fail(r->err, op == HET__OP_T_UNKNOWN ? HET_E_UNSUPPORTED : HET_E_FORMAT,
                         "node %s: %s has at most %u outputs, not %u", node->name, node->full,
                         row->outputs_max, node->output_count);
    return HET_OK;
}

static het_status add_node(het__onnx_reader *r, het__onnx_frame *frame, const het__onnx_node *node,
                           het__op op, const uint32_t *inputs, uint32_t input_count,
                           const het__attr_list *attrs)
{
    het__graph *g = frame->graph;
    const uint32_t first = het__graph_tensor_node(g, op, "", inputs, input_count,
                                                  node->output_count, attrs);
    const char *name = het__onnx_full_name(r, frame, node->name);
    if (first == HET__NO_VALUE || !name)
        return het__onnx_nomem(r);
    g->nodes[g->node_count - 1].name = name;
    het_status s = HET_OK;
    for (uint32_t o = 0; s == HET_OK && o < node->output_count; o++) {
        g->values[first + o].name = name;
        if (!node->outputs[o][0])
            continue;
        const char *full = het__onnx_full_name(r, frame, node->outputs[o]);
        if (full)
            g->values[first + o].name = full;
        s = full ? het__onnx_bind(r, frame, node->outputs[o], first + o) : het__onnx_nomem(r);
    }
    return s;
}

static het_status find_inputs(het__onnx_reader *r, het__onnx_frame *frame,
                              const het__onnx_node *node, uint32_t *inputs)
{
    het_status s = HET_OK;
    for (uint32_t i = 0; s == HET_OK && i < node->input_count; i++) {
        inputs[i] = HET__NO_VALUE;
        if (node->inputs[i][0])
            s = het__onnx_lookup(r, frame, node->inputs[i], node->name, &inputs[i]);
    }
    return s;
}

/* The node with its own inputs, and behind them what its bodies take. */
static het_status build_operation(het__onnx_reader *r, het__onnx_frame *frame,
                                  const het__onnx_node *node, const uint32_t *inputs,
                                  const het__onnx_captures *captures, het__attr_list *attrs)
{
    /* A Constant that is still here is none of numbers. */
    const bool known = !node->odd && node->op != HET__OP_T_CONSTANT;
    const het__op op = known ? node->op : HET__OP_T_UNKNOWN;
    uint32_t count = node->input_count, *all = (uint32_t *)(uintptr_t)inputs;
    const het_status s = check_arity(r, node, op, &count);
    if (s != HET_OK)
        return s;
    attrs->type = op == HET__OP_T_UNKNOWN ? node->full : NULL;
    attrs->partial = node->odd != NULL;
    r->model->unknown_count += op == HET__OP_T_UNKNOWN;
    if (captures->count > HET__MANY - count)
        return het__fail(r->err, HET_E_UNSUPPORTED, "bodies of node %s take %u values from around",
                         node->name, captures->count);
    if (captures->count) {
        all = het__arena_zero(&r->scratch, (size_t)count + captures->count, sizeof *all);
        if (!all)
            return het__onnx_nomem(r);
        memcpy(all, inputs, count * sizeof *all);
        memcpy(all + count, captures->outer, captures->count * sizeof *all);
    }
    return add_node(r, frame, node, op, all, count + captures->count, attrs);
}

static het_status build_with(het__onnx_reader *r, het__onnx_frame *frame,
                             const het__onnx_node *node, const uint32_t *inputs,
                             het__onnx_captures *captures)
{
    het__attr_list attrs = { .items = NULL };
    het__tensor t;
    const char *key;
    het_status s = find_opset(r, frame, node, &attrs.opset);
    if (s == HET_OK)
        s = het__onnx_call_key(r, node->domain, node->type, node->overload, &key);
    if (s == HET_OK)
        s = build_attrs(r, frame, node, captures, &attrs);
    if (s != HET_OK)
        return s;
    const het__name_slot *slot = het__names_find(&r->called, key, strlen(key));
    if (slot)
        return het__onnx_build_call(r, frame, node, &r->functions[slot->value], inputs, &attrs);
    if (node->op == HET__OP_T_CONSTANT && !node->odd && node->output_count == 1) {
        if (!constant_of(&attrs, &t))
            return build_operation(r, frame, node, inputs, captures, &attrs);
        const uint32_t v = het__onnx_build_const(r, frame, node->outputs[0], &t);
        return v == HET__NO_VALUE ? het__onnx_nomem(r)
                                  : het__onnx_bind(r, frame, node->outputs[0], v);
    }
    return build_operation(r, frame, node, inputs, captures, &attrs);
}

static het_status build_node(het__onnx_reader *r, het__onnx_frame *frame,
                             const het__onnx_node *node)
{
    het__onnx_captures captures;
    uint32_t *inputs = het__arena_zero(&r->scratch, node->input_count, sizeof *inputs);
    het_status s = inputs ? het__onnx_spend(r, 1 + (uint64_t)node->input_count + node->output_count)
                          : het__onnx_nomem(r);
    if (s == HET_OK)
        s = find_inputs(r, frame, node, inputs);
    if (s != HET_OK || node->output_count == 0)
        return s; /* a node of which nothing is wanted does nothing */
    memset(&captures, 0, sizeof captures);
    het__names_init(&captures.index, r->mem);
    s = build_with(r, frame, node, inputs, &captures);
    het__names_finish(&captures.index);
    het__free(r->mem, captures.names);
    het__free(r->mem, captures.outer);
    return s;
}

het_status het__onnx_build_nodes(het__onnx_reader *r, het__onnx_frame *frame,
                                 const het__onnx_part *part)
{
    het_status s = HET_OK;
    for (uint32_t i = 0; s == HET_OK && i < part->node_count; i++)
        s = build_node(r, frame, &part->nodes[part->order ? part->order[i] : i]);
    return s;
}
