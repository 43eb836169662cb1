/* SPDX-License-Identifier: Apache-2.0 */
/* If and Loop: their bodies are graphs that the interpreter runs. What a body gives belongs to us
 * until it is carried on, stacked or handed out; what it takes stays where it lies. Memory grows
 * with what is stacked and with nothing else. */
#include <assert.h>
#include <string.h>

#include "lib/plain/loop.h"

het_status het__hand_out(het__eval *e, uint32_t o, het__tensor *t)
{
    het_status s = HET_OK;
    if (o < e->output_count && e->mem == e->interpreter->mem) {
        het__free(e->mem, e->outputs[o].data);
        e->outputs[o] = *t;
        t->data = NULL;
    } else if (o < e->output_count) {
        s = het__eval_output(e, o, t->dtype, t->rank, t->extent);
        if (s == HET_OK)
            memcpy(e->outputs[o].data, t->data, (size_t)het__tensor_bytes(t));
    }
    het__tensor_finish(e->interpreter->mem, t);
    return s;
}

static het_status copy_out(het__eval *e, uint32_t o, const het__tensor *t)
{
    if (o >= e->output_count)
        return HET_OK;
    if (t->dtype == HET_DTYPE_NONE)
        return het__eval_refuse(e, "output %u is made of an input that is left out", o);
    const het_status s = het__eval_output(e, o, t->dtype, t->rank, t->extent);
    if (s == HET_OK)
        memcpy(e->outputs[o].data, t->data, (size_t)het__tensor_bytes(t));
    return s;
}

static het_status read_condition(const het__eval *e, const het__tensor *t, bool *condition)
{
    if (!t || t->dtype != HET_DTYPE_BOOL || het__tensor_elements(t) != 1)
        return het__eval_refuse(e, "the condition is not one boolean");
    *condition = het__get_i64(t->dtype, t->data, 0) != 0;
    return HET_OK;
}

/* ---- If ---- */

het_status het__plain_if(het__eval *e)
{
    bool condition = false;
    het__body body;
    het_status s = read_condition(e, het__eval_input(e, 0), &condition);
    if (s != HET_OK)
        return s;
    if (!e->interpreter)
        return het__eval_unsupported(e, "bodies are not run here");
    const char *name = condition ? "then_branch" : "else_branch";
    s = het__body_form(e, name, 0, &body);
    if (s != HET_OK)
        return s;
    const uint32_t count = body.graph->output_count;
    het__tensor *out = het__eval_scratch(e, count, sizeof *out);
    if (!out)
        return het__eval_nomem(e);
    memset(out, 0, count * sizeof *out);
    s = het__plain_body(e, name, e->inputs + 1, e->input_count - 1, out, count);
    for (uint32_t o = 0; s == HET_OK && o < count; o++)
        s = het__hand_out(e, o, &out[o]);
    for (uint32_t o = 0; o < count; o++)
        het__tensor_finish(e->interpreter->mem, &out[o]);
    return s;
}

/* ---- what Loop and Scan share ---- */

het_status het__loop_open(het__loop_run *l, uint32_t before, uint32_t given, uint32_t stack_count)
{
    het__eval *e = l->e;
    const het__loop *f = &l->form;
    const uint32_t outputs = f->body.graph->output_count;
    assert(stack_count >= f->stacked && outputs == given + f->states + f->stacked);
    l->before = before;
    l->given = given;
    l->stack_count = stack_count;
    l->input_count = f->body.formal + f->body.captured;
    l->inputs = het__eval_scratch(e, l->input_count, sizeof *l->inputs);
    l->outputs = het__eval_scratch(e, outputs, sizeof *l->outputs);
    l->is_owned = het__eval_scratch(e, f->states, sizeof *l->is_owned);
    l->stacks = het__eval_scratch(e, stack_count, sizeof *l->stacks);
    if (!l->inputs || !l->outputs || !l->is_owned || !l->stacks) {
        l->is_owned = NULL;
        l->stacks = NULL;
        return het__eval_nomem(e);
    }
    memset(l->inputs, 0, l->input_count * sizeof *l->inputs);
    memset(l->outputs, 0, outputs * sizeof *l->outputs);
    memset(l->is_owned, 0, f->states * sizeof *l->is_owned);
    memset(l->stacks, 0, stack_count * sizeof *l->stacks);
    for (uint32_t i = 0; i < f->body.captured; i++)
        l->inputs[f->body.formal + i] = e->inputs[e->input_count - f->body.captured + i];
    return HET_OK;
}

void het__loop_close(het__loop_run *l)
{
    het__mem *mem = l->e->interpreter->mem;
    for (uint32_t i = 0; l->is_owned && i < l->form.states; i++)
        if (l->is_owned[i])
            het__tensor_finish(mem, &l->inputs[l->before + i]);
    for (uint32_t i = 0; l->stacks && i < l->stack_count; i++)
        het__stack_finish(&l->stacks[i], mem);
}

void het__loop_set_state(het__loop_run *l, uint32_t i, const het__tensor *t, bool is_owned)
{
    het__tensor *state = &l->inputs[l->before + i];
    if (l->is_owned[i])
        het__tensor_finish(l->e->interpreter->mem, state);
    *state = *t;
    l->is_owned[i] = is_owned;
}

het_status het__loop_once(het__loop_run *l)
{
    het__eval *e = l->e;
    const het__loop *f = &l->form;
    const uint32_t count = f->body.graph->output_count;
    het_status s = het__plain_body(e, "body", l->inputs, l->input_count, l->outputs, count);
    for (uint32_t i = 0; s == HET_OK && i < f->states; i++) {
        het__tensor *made = &l->outputs[l->given + i];
        if (made->dtype != l->inputs[l->before + i].dtype) {
            s = het__eval_refuse(e, "state %u changes its type", i);
        } else {
            het__loop_set_state(l, i, made, true);
            memset(made, 0, sizeof *made);
        }
    }
    for (uint32_t i = 0; s == HET_OK && i < f->stacked; i++)
        s = het__stack_push(&l->stacks[i], e, &l->outputs[l->given + f->states + i]);
    for (uint32_t i = s == HET_OK ? l->given : 0; i < count; i++)
        het__tensor_finish(e->interpreter->mem, &l->outputs[i]);
    return s;
}

het_status het__loop_hand_out_states(het__loop_run *l)
{
    het_status s = HET_OK;
    for (uint32_t i = 0; s == HET_OK && i < l->form.states; i++) {
        het__tensor *state = &l->inputs[l->before + i];
        s = l->is_owned[i] ? het__hand_out(l->e, i, state) : copy_out(l->e, i, state);
        l->is_owned[i] = false;
    }
    return s;
}

const het__value *het__loop_declared(const het__loop_run *l, uint32_t i)
{
    const het__graph *g = l->form.body.graph;
    return &g->values[g->outputs[l->given + l->form.states + i]];
}

/* ---- Loop ---- */

/* A scalar for the body: rank 1 where the body declares its formal input so. */
static void set_scalar(het__loop_run *l, uint32_t i, het_dtype dtype, void *data)
{
    const het__graph *g = l->form.body.graph;
    uint32_t seen = 0, v = 0;
    for (; v < g->value_count; v++)
        if (g->values[v].kind == HET__VALUE_INPUT && seen++ == i)
            break;
    const bool is_row = v < g->value_count && g->values[v].rank == 1;
    l->inputs[i] = (het__tensor){ .dtype = dtype, .rank = is_row ? 1 : 0, .extent = { 1 },
                                  .data = data };
}

static het_status read_bounds(const het__loop_run *l, int64_t *most, bool *goes_on)
{
    const het__eval *e = l->e;
    const het__tensor *trips = het__eval_input(e, 0), *condition = het__eval_input(e, 1);
    if (!trips && !condition)
        return het__eval_refuse(e, "there is neither a trip count nor a condition");
    if (trips && ((trips->dtype != HET_DTYPE_I64 && trips->dtype != HET_DTYPE_I32) ||
                  het__tensor_elements(trips) != 1))
        return het__eval_refuse(e, "the trip count is not one integer");
    *most = trips ? het__get_i64(trips->dtype, trips->data, 0) : INT64_MAX;
    *goes_on = true;
    return condition ? read_condition(e, condition, goes_on) : HET_OK;
}

static het_status go_round(het__loop_run *l)
{
    const het__eval *e = l->e;
    int64_t most = 0, at = 0;
    bool goes_on = false;
    uint8_t flag = 1;
    het_status s = read_bounds(l, &most, &goes_on);
    set_scalar(l, 0, HET_DTYPE_I64, &at);
    set_scalar(l, 1, HET_DTYPE_BOOL, &flag);
    for (uint32_t i = 0; s == HET_OK && i < l->form.states; i++)
        het__loop_set_state(l, i, &e->inputs[l->form.first + i], false);
    for (; s == HET_OK && goes_on && at < most; at++) {
        s = het__loop_once(l);
        /* Without a condition to begin with, what the body says about it is ignored. */
        if (s == HET_OK && het__eval_input(e, 1))
            s = read_condition(e, &l->outputs[0], &goes_on);
        het__tensor_finish(e->interpreter->mem, &l->outputs[0]);
    }
    return s;
}

het_status het__plain_loop(het__eval *e)
{
    het__loop_run l = { .e = e };
    het_status s = het__loop_form(e, &l.form);
    if (s != HET_OK)
        return s;
    if (!e->interpreter)
        return het__eval_unsupported(e, "bodies are not run here");
    s = het__loop_open(&l, 2, 1, l.form.stacked);
    if (s == HET_OK)
        s = go_round(&l);
    if (s == HET_OK)
        s = het__loop_hand_out_states(&l);
    for (uint32_t i = 0; s == HET_OK && i < l.form.stacked; i++) {
        het__tensor whole;
        s = het__stack_take(&l.stacks[i], e, het__loop_declared(&l, i), NULL, &whole);
        if (s == HET_OK)
            s = het__hand_out(e, l.form.states + i, &whole);
    }
    het__loop_close(&l);
    return s;
}
