/* SPDX-License-Identifier: Apache-2.0 */
/* What is where is worked out when something is elsewhere than in the run before; a run in which
 * nothing moved costs a comparison for each input and output. */
#include "lib/exec/bind.h"

#include <string.h>

#include "lib/base/error.h"
#include "lib/ir/move.h"

/* ---- make ---- */

static void describe(const het__graph *g, uint32_t value, het__bound *b)
{
    const int64_t ones[HET__SYM_MAX] = { [HET__SYM_ONE] = 1 };
    const het__value *v = &g->values[value];
    const int64_t bytes = het__value_bytes(v, ones);
    b->value = value;
    b->bytes = bytes > 0 ? (size_t)bytes : 0;
    b->align = het__element_bytes(v->dtype);
    if (b->align == 0) /* several in a byte */
        b->align = 1;
}

static void find_input(const het__graph *g, const char *name, het__bound *b)
{
    b->value = HET__NO_VALUE;
    for (uint32_t v = 0; v < g->value_count; v++)
        if (g->values[v].kind == HET__VALUE_INPUT && strcmp(g->values[v].name, name) == 0)
            describe(g, v, b);
}

het_status het__binding_init(het__binding *b, het__mem *mem, het__exec *exec,
                             const het__graph *compiled, const het__graph *graph,
                             const uint32_t *inputs, uint32_t input_count, het_error *err)
{
    b->input_count = input_count;
    b->output_count = compiled->output_count;
    b->inputs = het__alloc_zero(mem, input_count ? input_count : 1, sizeof *b->inputs);
    b->outputs = het__alloc_zero(mem, b->output_count ? b->output_count : 1, sizeof *b->outputs);
    if (!b->inputs || !b->outputs)
        return het__fail_nomem(err, "a form of the graph");
    for (uint32_t i = 0; i < input_count; i++) {
        const char *name = graph->values[inputs[i]].name;
        find_input(compiled, name, &b->inputs[i]);
        b->inputs[i].home = het__exec_input(exec, name);
    }
    for (uint32_t o = 0; o < b->output_count; o++) {
        describe(compiled, compiled->outputs[o], &b->outputs[o]);
        b->outputs[o].home =
            het__exec_output(exec, compiled->values[compiled->outputs[o]].name);
        b->outputs[o].is_apart = true;
        for (uint32_t k = 0; k < o; k++)
            if (b->outputs[k].value == b->outputs[o].value)
                b->outputs[k].is_apart = b->outputs[o].is_apart = false;
    }
    return HET_OK;
}

void het__binding_finish(het__binding *b, het__mem *mem)
{
    het__free(mem, b->inputs);
    het__free(mem, b->outputs);
    memset(b, 0, sizeof *b);
}

/* ---- bind ---- */

static bool meet(const void *a, size_t a_bytes, const void *b, size_t b_bytes)
{
    return (uintptr_t)a < (uintptr_t)b + b_bytes && (uintptr_t)b < (uintptr_t)a + a_bytes;
}

static bool is_moved(const het__binding *b, const het__tensor *inputs, const het__tensor *outputs)
{
    for (uint32_t i = 0; i < b->input_count; i++)
        if (b->inputs[i].at != inputs[i].data)
            return true;
    for (uint32_t o = 0; o < b->output_count; o++)
        if (b->outputs[o].at != outputs[o].data)
            return true;
    return !b->is_bound;
}

static bool is_fit(const het__bound *b, const void *data)
{
    return (uintptr_t)data % b->align == 0;
}

static bool is_free(const het__binding *b, uint32_t output, const het__tensor *inputs,
                    const het__tensor *outputs)
{
    const het__bound *me = &b->outputs[output];
    const void *data = outputs[output].data;
    if (!me->is_apart || !is_fit(me, data))
        return false;
    for (uint32_t i = 0; i < b->input_count; i++)
        if (meet(data, me->bytes, inputs[i].data, b->inputs[i].bytes))
            return false;
    for (uint32_t o = 0; o < output; o++)
        if (outputs[o].data && meet(data, me->bytes, outputs[o].data, b->outputs[o].bytes))
            return false;
    return true;
}

static bool meets_home(const het__binding *b, const het__bound *input, const void *data)
{
    for (uint32_t o = 0; o < b->output_count; o++)
        if ((b->outputs[o].copies || !b->outputs[o].at) &&
            meet(data, input->bytes, b->outputs[o].home, b->outputs[o].bytes))
            return true;
    return false;
}

static void rebind(het__binding *b, het__exec *exec, const het__tensor *inputs,
                   const het__tensor *outputs)
{
    for (uint32_t o = 0; o < b->output_count; o++) {
        het__bound *out = &b->outputs[o];
        out->at = outputs[o].data;
        out->copies = out->at != NULL;
        if (out->at && is_free(b, o, inputs, outputs) &&
            het__exec_bind(exec, out->value, out->at))
            out->copies = false;
        else
            het__exec_bind(exec, out->value, NULL);
    }
    for (uint32_t i = 0; i < b->input_count; i++) {
        het__bound *in = &b->inputs[i];
        in->at = inputs[i].data;
        if (!in->home)
            continue;
        in->copies = !is_fit(in, in->at) || meets_home(b, in, in->at) ||
                     !het__exec_bind(exec, in->value, in->at);
        if (in->copies)
            het__exec_bind(exec, in->value, NULL);
    }
    b->is_bound = true;
}

het_status het__binding_begin(het__binding *b, het__exec *exec, const het__graph *compiled,
                              const het__tensor *inputs, const het__tensor *outputs,
                              const size_t *capacity, uint64_t *copied, het_error *err)
{
    for (uint32_t o = 0; o < b->output_count; o++)
        if (outputs[o].data && capacity[o] < b->outputs[o].bytes)
            return het__fail(err, HET_E_INVALID, "output %s takes %zu bytes, %zu were given",
                             compiled->values[b->outputs[o].value].name, b->outputs[o].bytes,
                             capacity[o]);
    if (is_moved(b, inputs, outputs))
        rebind(b, exec, inputs, outputs);
    for (uint32_t i = 0; i < b->input_count; i++) {
        const het__bound *in = &b->inputs[i];
        if (!in->home || !in->copies) /* nobody may read it */
            continue;
        memmove(in->home, in->at, in->bytes);
        *copied += in->bytes;
    }
    return HET_OK;
}

void het__binding_end(const het__binding *b, het__tensor *outputs, uint64_t *copied)
{
    for (uint32_t o = 0; o < b->output_count; o++) {
        const het__bound *out = &b->outputs[o];
        outputs[o].data = out->at ? out->at : out->home;
        if (!out->copies)
            continue;
        memmove(out->at, out->home, out->bytes);
        *copied += out->bytes;
    }
}
