/* SPDX-License-Identifier: Apache-2.0 */
/* Bodies of If, Loop and Scan: how inputs and outputs of node and body pair up. Extents of the
 * outputs follow from running the body, so the rule gives types only. */
#include <string.h>

#include "lib/ir/sequence.h"
#include "lib/ir/shapes.h"

het_status het__body_form(const het__eval *e, const char *name, uint32_t formal_least,
                          het__body *body)
{
    const het__attr *attr = het__attr_find(e->attrs, name, HET__ATTR_GRAPH);
    if (!attr || !attr->u.graph)
        return het__eval_refuse(e, "there is no body %s", name);
    uint32_t inputs = 0;
    for (uint32_t v = 0; v < attr->u.graph->value_count; v++)
        inputs += attr->u.graph->values[v].kind == HET__VALUE_INPUT;
    body->graph = attr->u.graph;
    body->captured = attr->count;
    if (body->captured > inputs || body->captured > e->input_count)
        return het__eval_refuse(e, "body %s takes %u values from around it", name,
                                body->captured);
    body->formal = inputs - body->captured;
    if (body->formal < formal_least)
        return het__eval_refuse(e, "body %s has %u inputs of its own, not %u or more", name,
                                body->formal, formal_least);
    for (uint32_t o = 0; o < body->graph->output_count; o++)
        if (body->graph->values[body->graph->outputs[o]].producer == HET__NO_VALUE)
            return het__eval_refuse(e, "output %u of body %s is made by no node", o, name);
    return HET_OK;
}

/* The outputs of a body are its states and what is stacked; before says how many stand before. */
static het_status pair_outputs(const het__eval *e, het__loop *f, uint32_t before)
{
    const uint32_t outputs = f->body.graph->output_count;
    if (outputs < before + f->states)
        return het__eval_refuse(e, "the body gives %u values where %u are carried", outputs,
                                f->states);
    f->stacked = outputs - before - f->states;
    if (e->output_count > f->states + f->stacked)
        return het__eval_refuse(e, "%u outputs where the body gives %u", e->output_count,
                                f->states + f->stacked);
    return HET_OK;
}

het_status het__loop_form(const het__eval *e, het__loop *f)
{
    memset(f, 0, sizeof *f);
    const het_status s = het__body_form(e, "body", 2, &f->body);
    if (s != HET_OK)
        return s;
    f->first = 2;
    f->states = f->body.formal - 2;
    if (e->input_count != 2 + f->states + f->body.captured)
        return het__eval_refuse(e, "%u inputs for a body that carries %u values and takes %u",
                                e->input_count, f->states, f->body.captured);
    return pair_outputs(e, f, 1);
}

het_status het__scan_form(const het__eval *e, het__loop *f)
{
    memset(f, 0, sizeof *f);
    const het_status s = het__body_form(e, "body", 1, &f->body);
    if (s != HET_OK)
        return s;
    const int64_t scans = het__attr_int(e->attrs, "num_scan_inputs", 0);
    if (scans < 1 || scans > (int64_t)f->body.formal)
        return het__eval_refuse(e, "%lld inputs to scan", (long long)scans);
    f->first = e->attrs->opset < 9 ? 1 : 0;
    f->scans = (uint32_t)scans;
    f->states = f->body.formal - f->scans;
    if (e->input_count != f->first + f->body.formal + f->body.captured)
        return het__eval_refuse(e, "%u inputs for a body of %u that takes %u more",
                                e->input_count, f->body.formal, f->body.captured);
    return pair_outputs(e, f, 0);
}

/* The types of the node's outputs are those of the body's, from the one numbered first on. */
static void take_types(het__eval *e, const het__graph *body, uint32_t first)
{
    for (uint32_t i = 0; i < e->output_count && first + i < body->output_count; i++)
        e->outputs[i].dtype = body->values[body->outputs[first + i]].dtype;
}

static het_status shape_if(het__eval *e)
{
    static const char *const names[] = { "then_branch", "else_branch" };
    const het__tensor *condition = het__eval_input(e, 0);
    if (!condition || condition->dtype != HET_DTYPE_BOOL || het__tensor_elements(condition) != 1)
        return het__eval_refuse(e, "the condition is not one boolean");
    for (int i = 0; i < 2; i++) {
        het__body body;
        const het_status s = het__body_form(e, names[i], 0, &body);
        if (s != HET_OK)
            return s;
        if (body.formal != 0 || body.captured != e->input_count - 1)
            return het__eval_refuse(e, "%s takes %u inputs of %u", names[i], body.captured,
                                    e->input_count - 1);
        if (body.graph->output_count < e->output_count)
            return het__eval_refuse(e, "%s gives %u values of %u", names[i],
                                    body.graph->output_count, e->output_count);
        take_types(e, body.graph, 0);
    }
    return het__eval_unknown(e);
}

het_status het__shape_body(het__eval *e)
{
    if (e->node->op == HET__OP_T_IF)
        return shape_if(e);
    const bool is_loop = e->node->op == HET__OP_T_LOOP;
    het__loop f;
    const het_status s = is_loop ? het__loop_form(e, &f) : het__scan_form(e, &f);
    if (s != HET_OK)
        return s;
    take_types(e, f.body.graph, is_loop ? 1 : 0);
    for (uint32_t i = 0; i < f.states && i < e->output_count; i++)
        if (het__eval_input(e, f.first + i))
            e->outputs[i].dtype = e->inputs[f.first + i].dtype;
    return het__eval_unknown(e);
}
