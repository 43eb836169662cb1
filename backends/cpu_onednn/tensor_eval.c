/* SPDX-License-Identifier: Apache-2.0 */
#include "backends/cpu_onednn/tensor_eval.h"

#include <string.h>

static void operand(const het__graph *graph, uint32_t id, het__tensor *t)
{
    if (id == HET__NO_VALUE)
        return;
    const het__value *v = &graph->values[id];
    t->dtype = v->dtype;
    t->rank = v->rank;
    for (uint32_t i = 0; i < v->rank; i++)
        t->extent[i] = v->extent[i].count;
    if (v->kind == HET__VALUE_CONST)
        t->data = (void *)(uintptr_t)v->data;
}

bool het__cpu_eval_init(het__cpu_eval *eval, const het__graph *graph, const het__node *node)
{
    memset(eval, 0, sizeof *eval);
    eval->err = (het_error)HET_ERROR_INIT;
    het__scratch_init(&eval->scratch, graph->arena.mem);
    if (node->input_count > HET__CPU_EVAL_INPUTS || node->output_count > HET__CPU_EVAL_OUTPUTS)
        return false;
    for (uint32_t i = 0; i < node->input_count; i++)
        operand(graph, node->inputs[i], &eval->in[i]);
    for (uint32_t o = 0; o < node->output_count; o++)
        operand(graph, node->outputs[o], &eval->out[o]);
    eval->e = (het__eval){ .node = node, .attrs = &node->attrs.tensor, .inputs = eval->in,
                           .input_count = node->input_count, .outputs = eval->out,
                           .output_count = node->output_count, .scratch = &eval->scratch,
                           .err = &eval->err };
    return true;
}

void het__cpu_eval_finish(het__cpu_eval *eval)
{
    het__scratch_finish(&eval->scratch);
}
