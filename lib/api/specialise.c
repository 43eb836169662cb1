/* SPDX-License-Identifier: Apache-2.0 */
/* The graph of a network for inputs of known extents. What the file leaves open is one extent along
 * the first axis, which images of a batch lie along, and another elsewhere. */
#include <string.h>

#include "lib/api/handles.h"
#include "lib/base/error.h"
#include "lib/passes/specialise.h"

/* Extent `axis` of an input: fixed, known by its symbol, given, or open. -1: open. */
static int64_t wanted(const het__value *v, uint32_t axis, const int64_t *bound)
{
    const het__extent e = het__value_is_known(v) ? v->extent[axis]
                                                 : (het__extent){ 1, HET__SYM_MAX };
    return e.symbol == HET__SYM_ONE ? e.count : e.symbol < HET__SYM_MAX ? bound[e.symbol] : -1;
}

/* Extents that a symbol stands for must agree; bound: per symbol, -1 where nothing is known. */
static het_status bind_input(const het__value *v, const het_tensor_desc *given,
                             const het__network_shapes *shapes, int64_t *bound, het__tensor *t,
                             het_error *err)
{
    memset(t, 0, sizeof *t);
    t->dtype = v->dtype;
    if (!het__value_is_known(v) && !given)
        return het__fail(err, HET_E_INVALID, "input %s has no known rank: its extents are needed",
                         v->name);
    t->rank = given ? given->rank : v->rank;
    if (t->rank > HET_RANK_MAX || (het__value_is_known(v) && t->rank != v->rank))
        return het__fail(err, HET_E_INVALID, "input %s: %u extents where the model has %u",
                         v->name, t->rank, v->rank);
    for (uint32_t i = 0; i < t->rank; i++) {
        const int64_t want = wanted(v, i, bound);
        const int64_t open = i == 0 ? shapes->first : shapes->other;
        t->extent[i] = given ? given->extent[i] : want < 0 ? open : want;
        if (t->extent[i] < 0 || (want >= 0 && t->extent[i] != want))
            return het__fail(err, HET_E_INVALID,
                             "input %s: extent %u is %lld where the model has %lld", v->name, i,
                             (long long)t->extent[i], (long long)(want < 0 ? 0 : want));
        if (het__value_is_known(v) && v->extent[i].symbol > HET__SYM_ONE)
            bound[v->extent[i].symbol] = t->extent[i];
    }
    if (het__tensor_bytes(t) < 0)
        return het__fail(err, HET_E_INVALID, "input %s has an impossible size", v->name);
    return HET_OK;
}

het_status het__network_specialise(const het_model *model, const het__network_shapes *shapes,
                                   het__graph *out, het_error *err)
{
    const het__network *n = model->network;
    het__mem *mem = &model->context->mem;
    het__tensor *inputs = het__alloc_zero(mem, n->input_count ? n->input_count : 1,
                                          sizeof *inputs);
    int64_t bound[HET__SYM_MAX];
    for (uint32_t i = 0; i < HET__SYM_MAX; i++)
        bound[i] = -1;
    het_status s = inputs ? HET_OK : het__fail_nomem(err, "the inputs");
    for (uint32_t i = 0; s == HET_OK && i < n->input_count; i++)
        s = bind_input(&n->onnx.graph.values[n->inputs[i]],
                       shapes->given ? &shapes->given[i] : NULL, shapes, bound, &inputs[i], err);
    if (s == HET_OK)
        s = het__specialise(&n->onnx.graph, inputs, n->input_count, mem, out, NULL, err);
    het__free(mem, inputs);
    return s;
}

bool het__network_is_open(const het__network *n, bool first)
{
    for (uint32_t i = 0; i < n->input_count; i++) {
        const het__value *v = &n->onnx.graph.values[n->inputs[i]];
        for (uint32_t k = 0; het__value_is_known(v) && k < v->rank; k++)
            if ((k == 0) == first && v->extent[k].symbol != HET__SYM_ONE)
                return true;
    }
    return false;
}
