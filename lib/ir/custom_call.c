/* SPDX-License-Identifier: Apache-2.0 */
/* Calls of an application's callbacks: what they see is made before, what they say is checked
 * behind. */
#include "lib/ir/custom.h"

#include <assert.h>
#include <math.h>
#include <stddef.h>
#include <string.h>

#include "lib/base/dtype.h"
#include "lib/base/error.h"

void het__custom_tensor(const het__tensor *t, het_tensor *out)
{
    static max_align_t nothing; /* for tensors without elements: NULL means not known */
    *out = (het_tensor)HET_TENSOR_INIT;
    const int64_t bytes = het__tensor_bytes(t);
    out->size_bytes = bytes > 0 ? (size_t)bytes : 0;
    out->data = bytes == 0 ? &nothing : t->data;
    out->desc.dtype = t->dtype;
    out->desc.rank = t->rank;
    memcpy(out->desc.extent, t->extent, t->rank * sizeof t->extent[0]);
}

/* ---- before ---- */

/* Bytes of a copy that input i needs because it lies askew; 0: none. */
static size_t copy_bytes(const het_tensor *t)
{
    const het__dtype_info *type = het__dtype((het_dtype)t->desc.dtype);
    if (!t->data || !type || (uintptr_t)t->data % type->block_bytes == 0)
        return 0;
    return het__round_up(t->size_bytes, HET__ALIGN);
}

static het_status align_inputs(het_op_call *call)
{
    het__eval *e = call->eval;
    size_t total = 0, used = 0;
    for (uint32_t i = 0; i < e->input_count; i++)
        if (!het__add_size(total, copy_bytes(&call->inputs[i]), &total))
            return het__eval_nomem(e);
    if (!total)
        return HET_OK;
    char *block = e->scratch ? het__eval_scratch(e, total, 1) : het__alloc(call->op->mem, total);
    if (!block)
        return het__eval_nomem(e);
    if (!e->scratch)
        call->copies = block;
    for (uint32_t i = 0; i < e->input_count; i++) {
        const size_t bytes = copy_bytes(&call->inputs[i]);
        if (!bytes)
            continue;
        memcpy(block + used, call->inputs[i].data, call->inputs[i].size_bytes);
        call->inputs[i].data = block + used;
        used += bytes;
    }
    return HET_OK;
}

het_status het__custom_begin(het_op_call *call, het__eval *e, het__custom_stage stage)
{
    call->eval = e;
    call->op = e->attrs->custom;
    call->stage = stage;
    call->failed = HET_OK;
    call->made = 0;
    call->copies = NULL;
    call->sentence[0] = '\0';
    assert(call->op && e->input_count <= HET_OP_OPERANDS_MAX &&
           e->output_count <= HET_OP_OPERANDS_MAX);
    for (uint32_t i = 0; i < e->input_count; i++) {
        het__custom_tensor(&e->inputs[i], &call->inputs[i]);
        if (stage == HET__CUSTOM_COST)
            call->inputs[i].data = NULL;
    }
    for (uint32_t o = 0; stage != HET__CUSTOM_SHAPE && !e->unknown && o < e->output_count; o++) {
        het__custom_tensor(&e->outputs[o], &call->outputs[o]);
        call->made |= UINT64_C(1) << o;
    }
    return stage == HET__CUSTOM_COST ? HET_OK : align_inputs(call);
}

/* ---- behind ---- */

het_status het__custom_end(het_op_call *call, het_status status)
{
    const het__eval *e = call->eval;
    het__free(call->op->mem, call->copies);
    if (call->failed != HET_OK)
        return call->failed;
    if (status == HET_OK)
        return HET_OK;
    const bool known = status < HET_OK && status >= HET_E_INTERNAL;
    const char *what = call->stage == HET__CUSTOM_SHAPE ? "shape" : "compute";
    if (call->sentence[0])
        return het__fail(e->err, known ? status : HET_E_INVALID, "%s %s: %s", call->op->type,
                         e->node->name, call->sentence);
    return het__fail(e->err, known ? status : HET_E_INVALID,
                     "%s %s: the application's %s function returned %d", call->op->type,
                     e->node->name, what, (int)status);
}

/* One output as the callback described it. */
static het_status take_output(het__eval *e, uint32_t o, const het_tensor_desc *d)
{
    const het_dtype dtype = (het_dtype)d->dtype;
    if (!het__dtype(dtype) || het__dtype_is_block(dtype))
        return het__eval_refuse(e, "the shape function gives output %u no type of a graph", o);
    if (d->flags & ~HET_TENSOR_RANK_UNKNOWN)
        return het__eval_refuse(e, "the shape function gives output %u an unknown flag", o);
    e->outputs[o].dtype = dtype;
    if (d->flags)
        return het__eval_unknown(e);
    if (d->rank > HET_RANK_MAX)
        return het__eval_refuse(e, "the shape function gives output %u %u extents; %d is the most",
                                o, d->rank, HET_RANK_MAX);
    bool open = false;
    for (uint32_t i = 0; i < d->rank; i++) {
        if (d->extent[i] < -1)
            return het__eval_refuse(e, "the shape function gives output %u extent %lld", o,
                                    (long long)d->extent[i]);
        open = open || d->extent[i] == -1;
    }
    return open ? het__eval_unknown(e) : het__eval_shape(e, o, dtype, d->rank, d->extent);
}

het_status het__shape_custom(het__eval *e)
{
    het_op_call call;
    het_tensor_desc out[HET_OP_OPERANDS_MAX];
    het_status s = het__custom_begin(&call, e, HET__CUSTOM_SHAPE);
    if (s != HET_OK)
        return s;
    for (uint32_t o = 0; o < e->output_count; o++)
        out[o] = (het_tensor_desc)HET_TENSOR_DESC_INIT;
    s = het__custom_end(&call, call.op->info.shape(call.op->info.user, &call, out));
    for (uint32_t o = 0; s == HET_OK && o < e->output_count; o++)
        s = take_output(e, o, &out[o]);
    return s;
}

void het__count_custom(const het__eval *e, het__work *work)
{
    const het_op_info *o = &e->attrs->custom->info;
    het_op_call call;
    het_op_cost cost = { .struct_size = sizeof cost };
    work->units = 1;
    work->flops = (double)het__tensor_elements(&e->outputs[0]);
    if (!o->cost)
        return;
    /* Nothing of e is written in this stage. */
    if (het__custom_begin(&call, (het__eval *)(uintptr_t)e, HET__CUSTOM_COST) != HET_OK)
        return;
    for (uint32_t i = 0; i < e->output_count; i++)
        call.outputs[i].data = NULL;
    cost.flop_count = work->flops;
    o->cost(o->user, &call, &cost);
    if (isfinite(cost.flop_count) && cost.flop_count >= 0)
        work->flops = cost.flop_count;
    if (isfinite(cost.extra_bytes) && cost.extra_bytes > 0)
        work->input_bytes = cost.extra_bytes; /* what inputs and outputs take is added to it */
}
