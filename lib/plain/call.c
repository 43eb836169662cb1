/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/plain/call.h"

#include <stdio.h>

#include "lib/base/error.h"

static bool is_concrete(const het__value *v)
{
    if (!het__value_is_known(v) || v->dtype == HET_DTYPE_NONE)
        return false;
    for (uint32_t i = 0; i < v->rank; i++)
        if (v->extent[i].symbol != HET__SYM_ONE)
            return false;
    return true;
}

bool het__plain_supports(const het__graph *graph, const het__node *node, char *reason,
                         size_t bytes)
{
    if (!het__plain_kernel(node->op)) {
        const char *type = het__op_is_tensor(node->op) ? node->attrs.tensor.type : NULL;
        snprintf(reason, bytes, "operation %s is not known", type ? type : "?");
        return false;
    }
    for (uint32_t i = 0; i < node->input_count; i++)
        if (node->inputs[i] != HET__NO_VALUE && !is_concrete(&graph->values[node->inputs[i]])) {
            snprintf(reason, bytes, "the extents of input %u are not known", i);
            return false;
        }
    for (uint32_t o = 0; o < node->output_count; o++)
        if (!is_concrete(&graph->values[node->outputs[o]])) {
            snprintf(reason, bytes, "extents follow from contents");
            return false;
        }
    return true;
}

static het_status operand(const het__graph *graph, uint32_t id, het__tensor *t,
                          void *(*address)(void *user, uint32_t value), void *user, het_error *err)
{
    if (id == HET__NO_VALUE)
        return HET_OK;
    const het__value *v = &graph->values[id];
    t->dtype = v->dtype;
    t->rank = v->rank;
    for (uint32_t i = 0; i < v->rank; i++)
        t->extent[i] = v->extent[i].count;
    t->data = v->kind == HET__VALUE_CONST ? (void *)(uintptr_t)v->data : address(user, id);
    if (!t->data && het__tensor_bytes(t) != 0)
        return het__fail(err, HET_E_INVALID, "%s has no data", v->name);
    return HET_OK;
}

het_status het__plain_call_init(het__plain_call *call, const het__graph *graph,
                                const het__node *node, void *(*address)(void *user, uint32_t value),
                                void *user, het__arena *arena, het__mem *mem, het_error *err)
{
    memset(call, 0, sizeof *call);
    call->node = *node;
    call->node.name = het__arena_strdup(arena, node->name);
    call->inputs = het__arena_zero(arena, node->input_count ? node->input_count : 1,
                                   sizeof *call->inputs);
    call->outputs = het__arena_zero(arena, node->output_count ? node->output_count : 1,
                                    sizeof *call->outputs);
    het__scratch_init(&call->scratch, mem);
    call->interpreter.mem = mem;
    if (!call->node.name || !call->inputs || !call->outputs)
        return het__fail_nomem(err, node->name);
    het_status s = HET_OK;
    for (uint32_t i = 0; s == HET_OK && i < node->input_count; i++)
        s = operand(graph, node->inputs[i], &call->inputs[i], address, user, err);
    for (uint32_t o = 0; s == HET_OK && o < node->output_count; o++)
        s = operand(graph, node->outputs[o], &call->outputs[o], address, user, err);
    return s;
}

bool het__plain_call_is_done(const het__plain_call *call)
{
    return het__op_is_view(call->node.op) && call->inputs[0].data == call->outputs[0].data;
}

het_status het__plain_call_run(het__plain_call *call, het_error *err)
{
    if (het__plain_call_is_done(call))
        return HET_OK;
    het__eval e = { .node = &call->node, .attrs = &call->node.attrs.tensor,
                    .inputs = call->inputs, .input_count = call->node.input_count,
                    .outputs = call->outputs, .output_count = call->node.output_count,
                    .mem = call->interpreter.mem, .scratch = &call->scratch,
                    .interpreter = &call->interpreter, .err = err };
    het__scratch_reset(&call->scratch);
    return het__plain_kernel(call->node.op)(&e);
}

void het__plain_call_finish(het__plain_call *call)
{
    het__scratch_finish(&call->scratch);
}
