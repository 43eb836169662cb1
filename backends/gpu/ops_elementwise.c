/* SPDX-License-Identifier: Apache-2.0 */
/* Element by element: add, mul, unary. */
#include "backends/gpu/op.h"

#include <assert.h>
#include <stdio.h>

#include "lib/base/error.h"

typedef struct own {
    het__gpu_kernel *kernel;
    het__gpu_memory *b; /* F32 form of a constant of another type, or NULL */
} own;

/* ---- add, mul ---- */

static bool binary_supports(const het__graph *graph, const het__node *node, char *reason,
                            size_t bytes)
{
    const het__value *b = &graph->values[node->inputs[1]];
    const uint32_t bits = b->kind == HET__VALUE_CONST ? 1 : 3;
    return het__gpu_inputs_are_f32(graph, node, bits, reason, bytes) &&
           het__gpu_has_f32(b->dtype, node, reason, bytes);
}

static het_status binary_prepare(het__gpu_call *call, het_error *err)
{
    own *o = call->own = het__arena_zero(call->arena, 1, sizeof *o);
    if (!o)
        return het__fail_nomem(err, "a program");
    het_status s = HET_OK;
    if (call->inputs[1].value.dtype != HET_DTYPE_F32)
        s = het__gpu_constant_f32(call, 1, &o->b, err);
    return s == HET_OK ? het__gpu_kernel_of(call, "elementwise", "binary",
                                            call->op == HET__OP_MUL ? "-DOP=1" : "-DOP=0",
                                            &o->kernel, err)
                       : s;
}

static het_status binary_launch(het__gpu_call *call, const int64_t *symbols, het_error *err)
{
    (void)symbols;
    const own *o = call->own;
    const het__gpu_operand *b = &call->inputs[1], *out = &call->outputs[0];
    const size_t global[2] = { (size_t)out->columns, (size_t)out->rows };
    het__gpu_arg_tensor(o->kernel, 0, &call->inputs[0]);
    het__gpu_arg_memory(o->kernel, 2, o->b ? o->b : b->mem, o->b ? 0 : b->offset);
    het__gpu_arg_tensor(o->kernel, 4, out);
    het__gpu_arg_int(o->kernel, 6, out->columns);
    het__gpu_arg_int(o->kernel, 7, out->rows);
    het__gpu_arg_int(o->kernel, 8, b->rows);
    return het__gpu_launch(call, o->kernel, 2, global, NULL, err);
}

const het__gpu_op het__gpu_binary = { binary_supports, binary_prepare, binary_launch };

/* ---- unary ---- */

static bool unary_supports(const het__graph *graph, const het__node *node, char *reason,
                           size_t bytes)
{
    return het__gpu_inputs_are_f32(graph, node, 1, reason, bytes);
}

static het_status unary_prepare(het__gpu_call *call, het_error *err)
{
    char options[32];
    own *o = call->own = het__arena_zero(call->arena, 1, sizeof *o);
    if (!o)
        return het__fail_nomem(err, "a program");
    snprintf(options, sizeof options, "-DKIND=%d", (int)call->attrs.unary.kind);
    return het__gpu_kernel_of(call, "elementwise", "unary", options, &o->kernel, err);
}

static het_status unary_launch(het__gpu_call *call, const int64_t *symbols, het_error *err)
{
    (void)symbols;
    const own *o = call->own;
    const het__gpu_operand *out = &call->outputs[0];
    const size_t global = (size_t)(out->rows * out->columns);
    het__gpu_arg_tensor(o->kernel, 0, &call->inputs[0]);
    het__gpu_arg_tensor(o->kernel, 2, out);
    het__gpu_arg_long(o->kernel, 4, out->rows * out->columns);
    het__gpu_arg_float(o->kernel, 5, call->attrs.unary.alpha);
    return het__gpu_launch(call, o->kernel, 1, &global, NULL, err);
}

const het__gpu_op het__gpu_unary = { unary_supports, unary_prepare, unary_launch };
