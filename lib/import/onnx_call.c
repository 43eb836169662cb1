/* SPDX-License-Identifier: Apache-2.0 */
/* Functions of the model: a call becomes the nodes of the function, in a frame where its inputs are
 * the names that the call gives. */
#include <string.h>

#include "lib/import/onnx_parts.h"

static het_status bind_inputs(het__onnx_reader *r, het__onnx_frame *inner,
                              const het__onnx_node *node, const het__onnx_part *part,
                              const uint32_t *inputs)
{
    het_status s = HET_OK;
    if (node->input_count > part->input_count)
        return het__fail(r->err, HET_E_FORMAT, "node %s: function %s takes %u inputs, not %u",
                         node->name, part->name, part->input_count, node->input_count);
    for (uint32_t i = 0; s == HET_OK && i < part->input_count; i++) {
        const bool given = i < node->input_count && inputs[i] != HET__NO_VALUE;
        s = het__onnx_bind(r, inner, part->inputs[i].name, given ? inputs[i] : HET__ONNX_ABSENT);
    }
    return s;
}

/* Values from first on are those of the call. */
static het_status bind_outputs(het__onnx_reader *r, het__onnx_frame *frame, het__onnx_frame *inner,
                               const het__onnx_node *node, const het__onnx_part *part,
                               uint32_t first)
{
    het__graph *g = frame->graph;
    het_status s = HET_OK;
    if (node->output_count > part->output_count)
        return het__fail(r->err, HET_E_FORMAT, "node %s: function %s has %u outputs, not %u",
                         node->name, part->name, part->output_count, node->output_count);
    for (uint32_t o = 0; s == HET_OK && o < node->output_count; o++) {
        uint32_t v;
        if (!node->outputs[o][0])
            continue;
        s = het__onnx_lookup(r, inner, part->outputs[o].name, part->name, &v);
        if (s == HET_OK)
            s = het__onnx_bind(r, frame, node->outputs[o],
                               v == HET__NO_VALUE ? HET__ONNX_ABSENT : v);
        if (s != HET_OK || v == HET__NO_VALUE || v < first)
            continue; /* what was there before the call keeps its name */
        const char *name = het__onnx_full_name(r, frame, node->outputs[o]);
        if (!name)
            return het__onnx_nomem(r);
        g->values[v].name = name;
    }
    return s;
}

static const char *prefix_of(het__onnx_reader *r, const het__onnx_frame *frame, const char *name)
{
    return frame->prefix[0] ? het__onnx_join(r, frame->prefix, "/", name) : name;
}

het_status het__onnx_build_call(het__onnx_reader *r, het__onnx_frame *frame,
                                const het__onnx_node *node, het__onnx_function *function,
                                const uint32_t *inputs, const het__attr_list *attrs)
{
    const het__onnx_call call = { function, attrs };
    const het__onnx_part *part = &function->part;
    const uint32_t first = frame->graph->value_count;
    het__onnx_frame inner;
    if (function->open)
        return het__fail(r->err, HET_E_FORMAT, "node %s: function %s calls itself", node->name,
                         function->name);
    if (r->depth == HET__ONNX_DEPTH_MAX)
        return het__fail(r->err, HET_E_UNSUPPORTED, "calls and bodies are nested deeper than %d",
                         HET__ONNX_DEPTH_MAX);
    het__onnx_frame_init(r, &inner, frame->graph);
    inner.call = &call;
    inner.prefix = prefix_of(r, frame, node->name);
    het_status s = inner.prefix ? het__onnx_spend(r, part->input_count) : het__onnx_nomem(r);
    function->open = true;
    r->depth++;
    if (s == HET_OK)
        s = bind_inputs(r, &inner, node, part, inputs);
    if (s == HET_OK)
        s = het__onnx_build_nodes(r, &inner, part);
    if (s == HET_OK)
        s = bind_outputs(r, frame, &inner, node, part, first);
    r->depth--;
    function->open = false;
    het__onnx_frame_finish(r, &inner);
    return s;
}
