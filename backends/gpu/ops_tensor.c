/* SPDX-License-Identifier: Apache-2.0 */
/* Which tensor operations there are, and how a node of one becomes starts of kernels. */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "backends/gpu/tensor.h"
#include "lib/base/error.h"
#include "lib/base/hash.h"

static het__gpu_builder builder_of(het__op op)
{
    switch (op) {
    case HET__OP_T_CAST:
    case HET__OP_T_CAST_LIKE:
        return het__gpu_build_cast;
    case HET__OP_T_CLIP:
        return het__gpu_build_clip;
    case HET__OP_T_MAX:
    case HET__OP_T_MIN:
    case HET__OP_T_SUM:
        return het__gpu_build_variadic;
    case HET__OP_T_WHERE:
        return het__gpu_build_where;
    case HET__OP_T_TRANSPOSE:
        return het__gpu_build_transpose;
    case HET__OP_T_CONCAT:
        return het__gpu_build_concat;
    case HET__OP_T_SPLIT:
        return het__gpu_build_split;
    case HET__OP_T_SLICE:
        return het__gpu_build_slice;
    case HET__OP_T_EXPAND:
    case HET__OP_T_TILE:
        return het__gpu_build_repeat;
    case HET__OP_T_DEPTH_TO_SPACE:
    case HET__OP_T_SPACE_TO_DEPTH:
        return het__gpu_build_shuffle;
    case HET__OP_T_GATHER:
        return het__gpu_build_gather;
    case HET__OP_T_PAD:
        return het__gpu_build_pad;
    case HET__OP_T_RESIZE:
    case HET__OP_T_UPSAMPLE:
        return het__gpu_build_resize;
    case HET__OP_T_SOFTMAX:
    case HET__OP_T_LOG_SOFTMAX:
        return het__gpu_build_softmax;
    case HET__OP_T_LAYER_NORMALIZATION:
    case HET__OP_T_RMS_NORMALIZATION:
        return het__gpu_build_layer_norm;
    case HET__OP_T_GROUP_NORMALIZATION:
    case HET__OP_T_INSTANCE_NORMALIZATION:
        return het__gpu_build_group_norm;
    case HET__OP_T_GLOBAL_AVERAGE_POOL:
    case HET__OP_T_GLOBAL_MAX_POOL:
        return het__gpu_build_global_pool;
    case HET__OP_T_MAT_MUL:
    case HET__OP_T_GEMM:
        return het__gpu_build_product;
    case HET__OP_T_ATTENTION:
        return het__gpu_build_attention;
    case HET__OP_T_QUANTIZE_LINEAR:
    case HET__OP_T_DEQUANTIZE_LINEAR:
        return het__gpu_build_quantize;
    case HET__OP_T_MS_QLINEAR_ADD:
    case HET__OP_T_MS_QLINEAR_MUL:
        return het__gpu_build_qlinear_binary;
    case HET__OP_T_MS_QLINEAR_POOL:
        return het__gpu_build_qlinear_pool;
    default:
        break;
    }
    if (het__op_is_view(op))
        return het__gpu_build_view;
    if (op >= HET__OP_T_REDUCE_L1 && op <= HET__OP_T_REDUCE_SUM_SQUARE)
        return het__gpu_build_reduce;
    if (op >= HET__OP_T_ADD && op <= HET__OP_T_LESS_OR_EQUAL)
        return het__gpu_build_binary;
    return op >= HET__OP_T_ABS && op <= HET__OP_T_NOT ? het__gpu_build_unary : NULL;
}

/* ---- what builders use ---- */

bool het__gpu_refuse(het__gpu_recipe *t, const char *format, ...)
{
    va_list list;
    va_start(list, format);
    vsnprintf(t->reason, t->reason_bytes, format, list);
    va_end(list);
    return false;
}

bool het__gpu_went(het__gpu_recipe *t, het_status status)
{
    return status == HET_OK || het__gpu_refuse(t, "%.100s", t->error.message);
}

typedef struct table {
    const void *data;
    size_t bytes;
} table;

static void lay_table(const void *user, const het__gpu_operand *constant, void *target)
{
    const table *from = user;
    (void)constant;
    memcpy(target, from->data, from->bytes);
}

bool het__gpu_recipe_table(het__gpu_recipe *t, const void *data, size_t bytes,
                           het__gpu_memory **memory)
{
    const table from = { data, bytes };
    char name[HET__HASH_HEX + 24], hex[HET__HASH_HEX];
    *memory = NULL;
    if (!t->call)
        return true;
    const het__hash128 hash = het__hash128_of(data, bytes);
    het__hash128_hex(&hash, hex);
    snprintf(name, sizeof name, "table %zu %s", bytes, hex);
    t->status = het__gpu_table(t->call, name, bytes, lay_table, &from, memory, &t->error);
    return t->status == HET_OK;
}

const char *het__gpu_type(het_dtype dtype)
{
    switch ((int)dtype) {
    case HET_DTYPE_F32: return "float";
    case HET_DTYPE_I32: return "int";
    case HET_DTYPE_I64: return "long";
    case HET_DTYPE_I8: return "char";
    case HET_DTYPE_U8:
    case HET_DTYPE_BOOL: return "uchar";
    default: return NULL;
    }
}

const char *het__gpu_type_of_size(size_t bytes)
{
    return bytes == 8 ? "ulong" : bytes == 4 ? "uint" : bytes == 2 ? "ushort" : "uchar";
}

/* ---- nodes ---- */

/* Elements of a type with an address, counted by 32 bits. */
static bool take_operand(het__gpu_recipe *t, const het__value *v, const void *data,
                         het__tensor *operand)
{
    if (!het__value_is_known(v) || het_dtype_bytes(v->dtype, 1) <= 0 || v->dtype == HET_DTYPE_NONE)
        return het__gpu_refuse(t, "an operand is %s", het_dtype_name(v->dtype));
    operand->dtype = v->dtype;
    operand->rank = v->rank;
    operand->data = (void *)(uintptr_t)data;
    for (uint32_t i = 0; i < v->rank; i++) {
        if (v->extent[i].symbol != HET__SYM_ONE)
            return het__gpu_refuse(t, "extents are not known");
        operand->extent[i] = v->extent[i].count;
    }
    const int64_t bytes = het__tensor_bytes(operand);
    return (bytes >= 0 && het__tensor_elements(operand) <= INT32_MAX) ||
           het__gpu_refuse(t, "an operand has more elements than 32 bits count");
}

static bool begin(het__gpu_recipe *t, const het__graph *graph, const het__node *node)
{
    if (node->input_count > HET__GPU_OPERANDS_MAX || node->output_count > HET__GPU_OPERANDS_MAX)
        return het__gpu_refuse(t, "%u operands", node->input_count + node->output_count);
    for (uint32_t i = 0; i < node->input_count; i++) {
        if (node->inputs[i] == HET__NO_VALUE)
            continue;
        const het__value *v = &graph->values[node->inputs[i]];
        if (!take_operand(t, v, v->kind == HET__VALUE_CONST ? v->data : NULL, &t->inputs[i]))
            return false;
    }
    for (uint32_t o = 0; o < node->output_count; o++)
        if (!take_operand(t, &graph->values[node->outputs[o]], NULL, &t->outputs[o]))
            return false;
    t->e = (het__eval){ .node = node, .attrs = &node->attrs.tensor, .inputs = t->inputs,
                        .input_count = node->input_count, .outputs = t->outputs,
                        .output_count = node->output_count, .scratch = &t->scratch,
                        .err = &t->error };
    return true;
}

/* Nothing is started where there is nothing to write. */
static bool is_empty(const het__gpu_recipe *t)
{
    for (uint32_t o = 0; o < t->e.output_count; o++)
        if (het__tensor_elements(&t->outputs[o]) > 0)
            return false;
    return true;
}

static bool build(het__gpu_recipe *t, const het__graph *graph, const het__node *node)
{
    const het__gpu_builder builder = builder_of(node->op);
    if (!builder)
        return het__gpu_refuse(t, "no kernel for %s", het__node_operation(node));
    if (!begin(t, graph, node))
        return false;
    for (uint32_t i = 0; i < node->input_count; i++)
        if (node->inputs[i] != HET__NO_VALUE && het__tensor_elements(&t->inputs[i]) == 0 &&
            !is_empty(t))
            return het__gpu_refuse(t, "an operand has no elements");
    return is_empty(t) || builder(t);
}

static bool tensor_supports(const het__graph *graph, const het__node *node, char *reason,
                            size_t bytes)
{
    het__gpu_recipe t = { .error = HET_ERROR_INIT, .reason = reason, .reason_bytes = bytes };
    het__gpu_starts_init(&t.starts, NULL, NULL);
    return build(&t, graph, node);
}

static het_status tensor_prepare(het__gpu_call *call, het_error *err)
{
    char reason[128] = "";
    het__gpu_recipe t = { .call = call, .error = HET_ERROR_INIT, .reason = reason,
                          .reason_bytes = sizeof reason };
    het__gpu_starts_init(&t.starts, call->arena, call->facts);
    het__scratch_init(&t.scratch, call->mem);
    const bool built = build(&t, call->graph, call->node);
    het__scratch_finish(&t.scratch);
    if (t.status != HET_OK)
        return het__fail(err, t.status, "%s", t.error.message);
    if (!built)
        return het__fail(err, HET_E_UNSUPPORTED, "node %s: %s", call->node->name, reason);
    return het__gpu_starts_prepare(call, &t.starts, err);
}

const het__gpu_op het__gpu_tensor = { tensor_supports, tensor_prepare, het__gpu_starts_launch };
