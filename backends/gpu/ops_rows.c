/* SPDX-License-Identifier: Apache-2.0 */
/* Operations on whole rows: embed, norm, softmax, rows, columns, cut, match, predict,
 * correct.
 *
 * A row's sums are found by a group of items, on a processor by one: its drivers run the items of a
 * group one after the other. */
#include "backends/gpu/product.h"

#include <assert.h>
#include <stdio.h>

#include "lib/base/error.h"
#include "lib/quant/quant.h"

#define STREAMS_MAX 8

typedef struct own {
    het__gpu_kernel *kernel;
    size_t group;
    het__gpu_memory *weight, *bias; /* forms of constants, or NULL */
    size_t small_at;     /* of the weight, see kernels/blocks.cl */
} own;

static own *own_new(het__gpu_call *call)
{
    return call->own = het__arena_zero(call->arena, 1, sizeof(own));
}

/* Items that share a row of n elements. */
static size_t group_for(const het__gpu_call *call, int64_t n)
{
    if (call->facts->is_cpu)
        return 1;
    size_t group = n > 2048 ? 256 : 64;
    while (group > call->facts->group_max)
        group /= 2;
    return group;
}

static het_status row_kernel(het__gpu_call *call, const char *name, const char *options, int64_t n,
                             het_error *err)
{
    char all[96];
    own *o = call->own ? call->own : own_new(call);
    if (!o)
        return het__fail_nomem(err, "a program");
    o->group = group_for(call, n);
    snprintf(all, sizeof all, "-DGROUP=%zu %s", o->group, options);
    return het__gpu_kernel_of(call, "rows", name, all, &o->kernel, err);
}

static het_status launch_rows(het__gpu_call *call, int64_t rows, het_error *err)
{
    const own *o = call->own;
    const size_t global = (size_t)rows * o->group;
    return het__gpu_launch(call, o->kernel, 1, &global, &o->group, err);
}

static bool all_f32(const het__graph *graph, const het__node *node, char *reason, size_t bytes)
{
    return het__gpu_inputs_are_f32(graph, node, UINT32_MAX, reason, bytes);
}

/* ---- embed ---- */

static bool embed_supports(const het__graph *graph, const het__node *node, char *reason,
                           size_t bytes)
{
    const het_dtype ids = graph->values[node->inputs[1]].dtype;
    if (ids != HET_DTYPE_I32) {
        snprintf(reason, bytes, "ids are %s", het_dtype_name(ids));
        return false;
    }
    return het__gpu_has_f32(graph->values[node->inputs[0]].dtype, node, reason, bytes);
}

static het_status embed_prepare(het__gpu_call *call, het_error *err)
{
    char options[48];
    own *o = own_new(call);
    if (!o)
        return het__fail_nomem(err, "a program");
    /* As products read it: often the table is the last product's weight, too. */
    const het_status s = het__gpu_weight_init(call, 0, &o->weight, &o->small_at, err);
    if (s != HET_OK)
        return s;
    snprintf(options, sizeof options, "-DEMBED -DHET_W=%d -DHET_SPLIT=%d",
             (int)call->inputs[0].value.dtype, o->small_at > 0);
    return het__gpu_kernel_of(call, "rows", "embed", options, &o->kernel, err);
}

static het_status embed_launch(het__gpu_call *call, const int64_t *symbols, het_error *err)
{
    (void)symbols;
    const own *o = call->own;
    const het__gpu_operand *table = &call->inputs[0], *out = &call->outputs[0];
    const size_t global[2] = { (size_t)(out->columns + 15) / 16, (size_t)out->rows };
    het__gpu_arg_memory(o->kernel, 0, o->weight ? o->weight : table->mem,
                        o->weight ? 0 : table->offset);
    het__gpu_arg_long(o->kernel, 2, (int64_t)o->small_at);
    het__gpu_arg_tensor(o->kernel, 3, &call->inputs[1]);
    het__gpu_arg_tensor(o->kernel, 5, out);
    het__gpu_arg_int(o->kernel, 7, out->columns);
    het__gpu_arg_int(o->kernel, 8, table->rows);
    het__gpu_arg_int(o->kernel, 9, out->rows);
    het__gpu_arg_float(o->kernel, 10, call->attrs.embed.scale);
    return het__gpu_launch(call, o->kernel, 2, global, NULL, err);
}

const het__gpu_op het__gpu_embed = { embed_supports, embed_prepare, embed_launch };

/* ---- norm ---- */

static bool norm_supports(const het__graph *graph, const het__node *node, char *reason,
                          size_t bytes)
{
    for (uint32_t i = 1; i < node->input_count; i++) {
        const het__value *v =
            node->inputs[i] == HET__NO_VALUE ? NULL : &graph->values[node->inputs[i]];
        if (v && v->kind != HET__VALUE_CONST &&
            !het__gpu_inputs_are_f32(graph, node, 1u << i, reason, bytes))
            return false;
        if (v && !het__gpu_has_f32(v->dtype, node, reason, bytes))
            return false;
    }
    return het__gpu_inputs_are_f32(graph, node, 1, reason, bytes);
}

/* A constant of another type gets an F32 form. */
static het_status vector(het__gpu_call *call, uint32_t input, het__gpu_memory **mem, het_error *err)
{
    if (input >= call->input_count || !call->inputs[input].is_present ||
        call->inputs[input].value.dtype == HET_DTYPE_F32)
        return HET_OK;
    return het__gpu_constant_f32(call, input, mem, err);
}

static bool is_present(const het__gpu_call *call, uint32_t input)
{
    return input < call->input_count && call->inputs[input].is_present;
}

static het_status norm_prepare(het__gpu_call *call, het_error *err)
{
    char options[64];
    own *o = own_new(call);
    if (!o)
        return het__fail_nomem(err, "a program");
    het_status s = vector(call, 1, &o->weight, err);
    if (s == HET_OK)
        s = vector(call, 2, &o->bias, err);
    if (s != HET_OK)
        return s;
    snprintf(options, sizeof options, "-DKIND=%d -DWEIGHT=%d -DBIAS=%d",
             call->attrs.norm.kind == HET__NORM_LAYER, is_present(call, 1), is_present(call, 2));
    return row_kernel(call, "norm", options, call->attrs.norm.group, err);
}

static void arg_vector(het__gpu_call *call, uint32_t index, uint32_t input, het__gpu_memory *form)
{
    const own *o = call->own;
    if (form || !is_present(call, input))
        het__gpu_arg_memory(o->kernel, index, form, 0);
    else
        het__gpu_arg_tensor(o->kernel, index, &call->inputs[input]);
}

static het_status norm_launch(het__gpu_call *call, const int64_t *symbols, het_error *err)
{
    (void)symbols;
    const own *o = call->own;
    const int64_t n = call->attrs.norm.group;
    const int64_t parts = call->inputs[0].rows * (call->inputs[0].columns / n);
    het__gpu_arg_tensor(o->kernel, 0, &call->inputs[0]);
    arg_vector(call, 2, 1, o->weight);
    arg_vector(call, 4, 2, o->bias);
    het__gpu_arg_tensor(o->kernel, 6, &call->outputs[0]);
    het__gpu_arg_int(o->kernel, 8, n);
    het__gpu_arg_int(o->kernel, 9, parts);
    het__gpu_arg_float(o->kernel, 10, call->attrs.norm.eps);
    return launch_rows(call, parts, err);
}

const het__gpu_op het__gpu_norm = { norm_supports, norm_prepare, norm_launch };

/* ---- softmax, cut, match ---- */

static het_status softmax_prepare(het__gpu_call *call, het_error *err)
{
    return row_kernel(call, "softmax", "", call->inputs[0].columns, err);
}

/* Inputs, the output and the extents of the first input, which these operations begin with: returns
 * the next argument. */
static uint32_t bind_rows(const het__gpu_call *call)
{
    const own *o = call->own;
    uint32_t at = 0;
    for (uint32_t i = 0; i < call->input_count; i++, at += 2)
        het__gpu_arg_tensor(o->kernel, at, &call->inputs[i]);
    het__gpu_arg_tensor(o->kernel, at, &call->outputs[0]);
    het__gpu_arg_int(o->kernel, at + 2, call->inputs[0].columns);
    het__gpu_arg_int(o->kernel, at + 3, call->inputs[0].rows);
    return at + 4;
}

static het_status softmax_launch(het__gpu_call *call, const int64_t *symbols, het_error *err)
{
    (void)symbols;
    bind_rows(call);
    return launch_rows(call, call->inputs[0].rows, err);
}

const het__gpu_op het__gpu_softmax = { all_f32, softmax_prepare, softmax_launch };

static het_status cut_prepare(het__gpu_call *call, het_error *err)
{
    return row_kernel(call, "cut", "", call->inputs[0].columns, err);
}

static het_status cut_launch(het__gpu_call *call, const int64_t *symbols, het_error *err)
{
    (void)symbols;
    const own *o = call->own;
    het__gpu_arg_float(o->kernel, bind_rows(call), call->attrs.cut.deviations);
    return launch_rows(call, call->inputs[0].rows, err);
}

const het__gpu_op het__gpu_cut = { all_f32, cut_prepare, cut_launch };

static het_status match_prepare(het__gpu_call *call, het_error *err)
{
    return row_kernel(call, "match", "", call->inputs[0].columns, err);
}

static het_status match_launch(het__gpu_call *call, const int64_t *symbols, het_error *err)
{
    (void)symbols;
    const own *o = call->own;
    het__gpu_arg_float(o->kernel, bind_rows(call), call->attrs.match.eps);
    return launch_rows(call, call->inputs[0].rows, err);
}

const het__gpu_op het__gpu_match = { all_f32, match_prepare, match_launch };

/* ---- rows, columns ---- */

static bool rows_supports(const het__graph *graph, const het__node *node, char *reason,
                          size_t bytes)
{
    const het_dtype numbers = graph->values[node->inputs[1]].dtype;
    if (numbers != HET_DTYPE_I32) {
        snprintf(reason, bytes, "row numbers are %s", het_dtype_name(numbers));
        return false;
    }
    return het__gpu_inputs_are_f32(graph, node, 1, reason, bytes);
}

static het_status move_kernel(het__gpu_call *call, const char *name, uint32_t streams,
                              het_error *err)
{
    char options[48];
    own *o = own_new(call);
    if (!o)
        return het__fail_nomem(err, "a program");
    snprintf(options, sizeof options, "-DMOVE -DSTREAMS=%u", streams);
    return het__gpu_kernel_of(call, "rows", name, options, &o->kernel, err);
}

static het_status rows_prepare(het__gpu_call *call, het_error *err)
{
    return move_kernel(call, "rows", 1, err);
}

static het_status rows_launch(het__gpu_call *call, const int64_t *symbols, het_error *err)
{
    (void)symbols;
    const own *o = call->own;
    const het__gpu_operand *out = &call->outputs[0];
    const size_t global[2] = { (size_t)out->columns, (size_t)out->rows };
    het__gpu_arg_tensor(o->kernel, 0, &call->inputs[0]);
    het__gpu_arg_tensor(o->kernel, 2, &call->inputs[1]);
    het__gpu_arg_tensor(o->kernel, 4, out);
    het__gpu_arg_int(o->kernel, 6, out->columns);
    het__gpu_arg_int(o->kernel, 7, call->inputs[0].rows);
    het__gpu_arg_int(o->kernel, 8, out->rows);
    return het__gpu_launch(call, o->kernel, 2, global, NULL, err);
}

const het__gpu_op het__gpu_rows = { rows_supports, rows_prepare, rows_launch };

static het_status columns_prepare(het__gpu_call *call, het_error *err)
{
    return move_kernel(call, "columns", 1, err);
}

static het_status columns_launch(het__gpu_call *call, const int64_t *symbols, het_error *err)
{
    (void)symbols;
    const own *o = call->own;
    const het__gpu_operand *out = &call->outputs[0];
    const size_t global[2] = { (size_t)out->columns, (size_t)out->rows };
    het__gpu_arg_tensor(o->kernel, 0, &call->inputs[0]);
    het__gpu_arg_tensor(o->kernel, 2, out);
    het__gpu_arg_int(o->kernel, 4, call->inputs[0].columns);
    het__gpu_arg_int(o->kernel, 5, call->attrs.columns.first);
    het__gpu_arg_int(o->kernel, 6, out->columns);
    het__gpu_arg_int(o->kernel, 7, out->rows);
    return het__gpu_launch(call, o->kernel, 2, global, NULL, err);
}

const het__gpu_op het__gpu_columns = { all_f32, columns_prepare, columns_launch };

static het_status join_prepare(het__gpu_call *call, het_error *err)
{
    return move_kernel(call, "join", 1, err);
}

/* One launch per part. */
static het_status join_launch(het__gpu_call *call, const int64_t *symbols, het_error *err)
{
    (void)symbols;
    const own *o = call->own;
    const het__gpu_operand *out = &call->outputs[0];
    int64_t first = 0;
    het_status s = HET_OK;
    for (uint32_t i = 0; s == HET_OK && i < call->input_count; i++) {
        const het__gpu_operand *part = &call->inputs[i];
        const size_t global[2] = { (size_t)part->columns, (size_t)out->rows };
        het__gpu_arg_tensor(o->kernel, 0, part);
        het__gpu_arg_tensor(o->kernel, 2, out);
        het__gpu_arg_int(o->kernel, 4, part->columns);
        het__gpu_arg_int(o->kernel, 5, first);
        het__gpu_arg_int(o->kernel, 6, out->columns);
        het__gpu_arg_int(o->kernel, 7, out->rows);
        s = het__gpu_launch(call, o->kernel, 2, global, NULL, err);
        first += part->columns;
    }
    return s;
}

const het__gpu_op het__gpu_join = { all_f32, join_prepare, join_launch };

/* ---- predict, correct ---- */

static het_status predict_prepare(het__gpu_call *call, het_error *err)
{
    return move_kernel(call, "predict", call->output_count, err);
}

/* One launch per stream: its arguments differ in the last few. */
static het_status predict_launch(het__gpu_call *call, const int64_t *symbols, het_error *err)
{
    (void)symbols;
    const own *o = call->own;
    const uint32_t n = call->output_count;
    assert(n >= 1 && n <= STREAMS_MAX);
    het_status s = HET_OK;
    het__gpu_arg_tensor(o->kernel, 0, &call->inputs[0]);
    for (uint32_t a = 0; a < STREAMS_MAX; a++)
        het__gpu_arg_tensor(o->kernel, 2 + 2 * a, &call->inputs[1 + (a < n ? a : 0)]);
    for (uint32_t b = 0; b < n && s == HET_OK; b++) {
        const het__gpu_operand *out = &call->outputs[b];
        const size_t global[2] = { (size_t)out->columns, (size_t)out->rows };
        het__gpu_arg_tensor(o->kernel, 18, &call->inputs[1 + b]);
        het__gpu_arg_tensor(o->kernel, 20, out);
        het__gpu_arg_int(o->kernel, 22, b);
        het__gpu_arg_int(o->kernel, 23, out->columns);
        het__gpu_arg_int(o->kernel, 24, out->rows);
        s = het__gpu_launch(call, o->kernel, 2, global, NULL, err);
    }
    return s;
}

const het__gpu_op het__gpu_predict = { all_f32, predict_prepare, predict_launch };

static het_status correct_prepare(het__gpu_call *call, het_error *err)
{
    return move_kernel(call, "correct", call->output_count, err);
}

static het_status correct_launch(het__gpu_call *call, const int64_t *symbols, het_error *err)
{
    (void)symbols;
    const own *o = call->own;
    het_status s = HET_OK;
    het__gpu_arg_tensor(o->kernel, 0, &call->inputs[0]);
    het__gpu_arg_tensor(o->kernel, 2, &call->inputs[1]);
    het__gpu_arg_tensor(o->kernel, 4, &call->inputs[2 + (uint32_t)call->attrs.correct.active]);
    for (uint32_t b = 0; b < call->output_count && s == HET_OK; b++) {
        const het__gpu_operand *out = &call->outputs[b];
        const size_t global[2] = { (size_t)out->columns, (size_t)out->rows };
        het__gpu_arg_tensor(o->kernel, 6, &call->inputs[2 + b]);
        het__gpu_arg_tensor(o->kernel, 8, out);
        het__gpu_arg_int(o->kernel, 10, b);
        het__gpu_arg_int(o->kernel, 11, out->columns);
        het__gpu_arg_int(o->kernel, 12, out->rows);
        s = het__gpu_launch(call, o->kernel, 2, global, NULL, err);
    }
    return s;
}

const het__gpu_op het__gpu_correct = { all_f32, correct_prepare, correct_launch };
