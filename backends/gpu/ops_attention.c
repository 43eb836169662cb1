/* SPDX-License-Identifier: Apache-2.0 */
/* Rotation of heads, and attention over the paged state.
 *
 * A step stores its keys and values, then attends. Where a step has few queries, the positions that
 * each sees are split among groups, whose results are merged: by the table of pages, since only the
 * device knows how many positions there are. */
#include "backends/gpu/op.h"

#include <assert.h>
#include <math.h>
#include <stdio.h>

#include "lib/base/error.h"

/* Positions below which splitting costs more than it gives. */
#define SPAN_LEAST 256
#define SPLITS_MAX 64
#define HEAD_MAX 512

/* ---- angles ---- */

typedef struct turning {
    const het__rope_attrs *attrs;
    const float *factors; /* or NULL */
} turning;

/* Turns per position of every pair: the nearest floats, then what they lack. */
static void lay_turns(const void *user, const het__gpu_operand *constant, void *target)
{
    (void)constant;
    const turning *t = user;
    const int32_t half = t->attrs->rotated / 2;
    float *high = target, *low = high + half;
    for (int32_t i = 0; i < half; i++) {
        double turns = (double)t->attrs->scale *
                       pow((double)t->attrs->theta, -2.0 * i / t->attrs->rotated) /
                       (2.0 * 3.14159265358979323846);
        if (t->factors)
            turns /= (double)t->factors[i];
        high[i] = (float)turns;
        low[i] = (float)(turns - (double)high[i]);
    }
}

static het_status turns_of(het__gpu_call *call, const het__rope_attrs *attrs, uint32_t input,
                           het__gpu_memory **mem, het_error *err)
{
    char form[96];
    const turning t = {
        attrs,
        input < call->input_count && call->inputs[input].is_present ? call->inputs[input].host
                                                                    : NULL,
    };
    const size_t bytes = (size_t)attrs->rotated * sizeof(float);
    snprintf(form, sizeof form, "turns %d %a %a", attrs->rotated, (double)attrs->theta,
             (double)attrs->scale);
    if (bytes == 0)
        return HET_OK;
    return t.factors ? het__gpu_constant(call, input, form, bytes, lay_turns, &t, mem, err)
                     : het__gpu_table(call, form, bytes, lay_turns, &t, mem, err);
}

/* Factors are read on the host. */
static bool factors_fit(const het__graph *graph, const het__node *node, uint32_t input,
                        char *reason, size_t bytes)
{
    if (input >= node->input_count || node->inputs[input] == HET__NO_VALUE)
        return true;
    const het__value *v = &graph->values[node->inputs[input]];
    if (v->kind == HET__VALUE_CONST && v->dtype == HET_DTYPE_F32)
        return true;
    snprintf(reason, bytes, "factors of rotation that are not constants of F32");
    return false;
}

static bool is_int(const het__graph *graph, const het__node *node, uint32_t input, char *reason,
                   size_t bytes)
{
    const het_dtype dtype = graph->values[node->inputs[input]].dtype;
    if (dtype == HET_DTYPE_I32)
        return true;
    snprintf(reason, bytes, "input %u of %s is %s", input, het__node_operation(node),
             het_dtype_name(dtype));
    return false;
}

/* ---- rope ---- */

typedef struct rope_own {
    het__gpu_kernel *kernel;
    het__gpu_memory *turns;
} rope_own;

static bool rope_supports(const het__graph *graph, const het__node *node, char *reason,
                          size_t bytes)
{
    return het__gpu_inputs_are_f32(graph, node, 1, reason, bytes) &&
           is_int(graph, node, 1, reason, bytes) && factors_fit(graph, node, 2, reason, bytes);
}

static het_status rope_prepare(het__gpu_call *call, het_error *err)
{
    char options[96];
    const het__rope_attrs *attrs = &call->attrs.rope;
    rope_own *o = call->own = het__arena_zero(call->arena, 1, sizeof *o);
    if (!o)
        return het__fail_nomem(err, "a program");
    const het_status s = turns_of(call, attrs, 2, &o->turns, err);
    if (s != HET_OK)
        return s;
    snprintf(options, sizeof options, "-DROPE -DSIZE=%d -DROTATED=%d -DINTERLEAVED=%d",
             attrs->head_size, attrs->rotated, attrs->interleaved);
    return het__gpu_kernel_of(call, "attention", "rope", options, &o->kernel, err);
}

static het_status rope_launch(het__gpu_call *call, const int64_t *symbols, het_error *err)
{
    (void)symbols;
    const rope_own *o = call->own;
    const het__rope_attrs *attrs = &call->attrs.rope;
    const het__gpu_operand *x = &call->inputs[0];
    const int64_t heads = x->columns / attrs->head_size;
    const size_t global[2] = {
        (size_t)(heads * (attrs->head_size - attrs->rotated / 2)), (size_t)x->rows
    };
    het__gpu_arg_tensor(o->kernel, 0, x);
    het__gpu_arg_tensor(o->kernel, 2, &call->inputs[1]);
    het__gpu_arg_memory(o->kernel, 4, o->turns, 0);
    het__gpu_arg_tensor(o->kernel, 6, &call->outputs[0]);
    het__gpu_arg_int(o->kernel, 8, heads);
    het__gpu_arg_int(o->kernel, 9, x->rows);
    het__gpu_arg_float(o->kernel, 10, attrs->magnitude);
    return het__gpu_launch(call, o->kernel, 2, global, NULL, err);
}

const het__gpu_op het__gpu_rope = { rope_supports, rope_prepare, rope_launch };

/* ---- attention ---- */

typedef struct attention_own {
    het__gpu_kernel *store; /* NULL: another node stores */
    het__gpu_kernel *attend, *merge;
    het__gpu_memory *turns, *q_norm, *k_norm; /* forms, or NULL */
    size_t group;
} attention_own;

static bool attention_supports(const het__graph *graph, const het__node *node, char *reason,
                               size_t bytes)
{
    const het__attention_attrs *a = &node->attrs.attention;
    const uint32_t floats = 1u << HET__ATTN_Q | 1u << HET__ATTN_K | 1u << HET__ATTN_V;
    for (uint32_t i = HET__ATTN_POSITIONS; i <= HET__ATTN_PAGES; i++)
        if (!is_int(graph, node, i, reason, bytes))
            return false;
    for (uint32_t i = HET__ATTN_Q_NORM; i <= HET__ATTN_K_NORM; i++) {
        const het__value *v =
            node->inputs[i] == HET__NO_VALUE ? NULL : &graph->values[node->inputs[i]];
        if (v && (v->kind != HET__VALUE_CONST || !het__gpu_has_f32(v->dtype, node, reason,
                                                                   bytes))) {
            snprintf(reason, bytes, "a norm of heads that is no constant");
            return false;
        }
    }
    const het_dtype k = graph->values[node->inputs[HET__ATTN_K_STATE]].dtype;
    const het_dtype v = graph->values[node->inputs[HET__ATTN_V_STATE]].dtype;
    if (k != v || (k != HET_DTYPE_F32 && k != HET_DTYPE_F16 && k != HET_DTYPE_Q8_0)) {
        snprintf(reason, bytes, "a cache of %s and %s", het_dtype_name(k), het_dtype_name(v));
        return false;
    }
    if (a->head_size > HEAD_MAX) {
        snprintf(reason, bytes, "heads of %d elements", a->head_size);
        return false;
    }
    return factors_fit(graph, node, HET__ATTN_FACTORS, reason, bytes) &&
           het__gpu_inputs_are_f32(graph, node, floats, reason, bytes);
}

static het_status norm_of(het__gpu_call *call, uint32_t input, het__gpu_memory **mem,
                          het_error *err)
{
    return call->inputs[input].is_present ? het__gpu_constant_f32(call, input, mem, err) : HET_OK;
}

/* Items of a group, and lanes of a vector that divide a head. */
static size_t group_of(const het__gpu_call *call)
{
    if (call->facts->is_cpu)
        return 1;
    const size_t group = call->attrs.attention.head_size > 256 ? 128 : 64;
    return group <= call->facts->group_max ? group : 64;
}

static int lanes_of(const het__gpu_call *call)
{
    const int32_t size = call->attrs.attention.head_size;
    for (int lanes = call->facts->is_cpu ? 16 : 4; lanes >= 4; lanes /= 2)
        if (size % lanes == 0)
            return lanes;
    return 1;
}

static void options_of(const het__gpu_call *call, const attention_own *o, bool norm, char *options,
                       size_t bytes)
{
    const het__attention_attrs *a = &call->attrs.attention;
    snprintf(options, bytes,
             "-DGROUP=%zu -DSIZE=%d -DROTATED=%d -DINTERLEAVED=%d -DSTATE=%d -DVEC=%d -DNORM=%d",
             o->group, a->head_size, a->rope.rotated, a->rope.interleaved,
             (int)call->inputs[HET__ATTN_K_STATE].value.dtype, lanes_of(call), norm);
}

/* Into how many spans the positions of each query are split. */
static int64_t splits_of(const het__gpu_call *call, int64_t tokens, int64_t positions)
{
    const het__attention_attrs *a = &call->attrs.attention;
    const int64_t queries = tokens * a->heads;
    const int64_t wanted = (int64_t)call->facts->units * (call->facts->is_cpu ? 2 : 8);
    if (a->window && positions > a->window)
        positions = a->window;
    int64_t splits = queries > 0 ? (wanted + queries - 1) / queries : 1;
    const int64_t most = (positions + SPAN_LEAST - 1) / SPAN_LEAST;
    splits = splits < most ? splits : most;
    splits = splits < SPLITS_MAX ? splits : SPLITS_MAX;
    return splits > 1 ? splits : 1;
}

/* Most scratch that any number of tokens up to the largest takes: splits times queries is at most
 * one group more per query than is wanted. */
static void want_parts(het__gpu_call *call)
{
    const het__attention_attrs *a = &call->attrs.attention;
    const int64_t positions = call->inputs[HET__ATTN_PAGES].columns * a->page_size;
    int64_t most = 0;
    for (int64_t t = 1; t <= call->inputs[HET__ATTN_Q].rows; t++) {
        const int64_t splits = splits_of(call, t, positions);
        if (splits == 1)
            break;
        const int64_t parts = t * a->heads * splits;
        most = parts > most ? parts : most;
    }
    het__gpu_want_scratch(call, (size_t)(most * (a->head_size + 2)) * sizeof(float));
}

static het_status attention_prepare(het__gpu_call *call, het_error *err)
{
    char options[160];
    attention_own *o = call->own = het__arena_zero(call->arena, 1, sizeof *o);
    if (!o)
        return het__fail_nomem(err, "a program");
    o->group = group_of(call);
    het_status s = turns_of(call, &call->attrs.attention.rope, HET__ATTN_FACTORS, &o->turns, err);
    if (s == HET_OK)
        s = norm_of(call, HET__ATTN_Q_NORM, &o->q_norm, err);
    if (s == HET_OK)
        s = norm_of(call, HET__ATTN_K_NORM, &o->k_norm, err);
    if (s == HET_OK && call->inputs[HET__ATTN_K].is_present) {
        options_of(call, o, o->k_norm != NULL, options, sizeof options);
        s = het__gpu_kernel_of(call, "attention", "store", options, &o->store, err);
    }
    if (s != HET_OK)
        return s;
    options_of(call, o, o->q_norm != NULL, options, sizeof options);
    s = het__gpu_kernel_of(call, "attention", "attend", options, &o->attend, err);
    if (s == HET_OK)
        s = het__gpu_kernel_of(call, "attention", "merge", options, &o->merge, err);
    want_parts(call);
    return s;
}

static het_status launch_store(het__gpu_call *call, het_error *err)
{
    const attention_own *o = call->own;
    const het__attention_attrs *a = &call->attrs.attention;
    const het__gpu_operand *in = call->inputs;
    het__gpu_kernel *const k = o->store;
    const int64_t tokens = in[HET__ATTN_K].rows;
    const size_t global[2] = { (size_t)tokens * o->group, (size_t)a->kv_heads };
    const size_t local[2] = { o->group, 1 };
    het__gpu_arg_tensor(k, 0, &in[HET__ATTN_K]);
    het__gpu_arg_tensor(k, 2, &in[HET__ATTN_V]);
    het__gpu_arg_tensor(k, 4, &in[HET__ATTN_POSITIONS]);
    het__gpu_arg_tensor(k, 6, &in[HET__ATTN_SLOTS]);
    het__gpu_arg_memory(k, 8, o->k_norm, 0);
    het__gpu_arg_memory(k, 10, o->turns, 0);
    het__gpu_arg_tensor(k, 12, &in[HET__ATTN_K_STATE]);
    het__gpu_arg_tensor(k, 14, &in[HET__ATTN_V_STATE]);
    het__gpu_arg_int(k, 16, tokens);
    het__gpu_arg_int(k, 17, a->kv_heads);
    het__gpu_arg_int(k, 18, a->page_size);
    het__gpu_arg_int(k, 19, in[HET__ATTN_K_STATE].rows / a->page_size / a->kv_heads);
    het__gpu_arg_float(k, 20, a->norm_eps);
    het__gpu_arg_float(k, 21, a->rope.magnitude);
    return het__gpu_launch(call, k, 2, global, local, err);
}

static het_status launch_attend(het__gpu_call *call, int64_t splits, int64_t span, het_error *err)
{
    const attention_own *o = call->own;
    const het__attention_attrs *a = &call->attrs.attention;
    const het__gpu_operand *in = call->inputs;
    het__gpu_kernel *const k = o->attend;
    const size_t global[3] = { (size_t)a->heads * o->group, (size_t)in[HET__ATTN_Q].rows,
                               (size_t)splits };
    const size_t local[3] = { o->group, 1, 1 };
    het__gpu_arg_tensor(k, 0, &in[HET__ATTN_Q]);
    het__gpu_arg_tensor(k, 2, &in[HET__ATTN_K_STATE]);
    het__gpu_arg_tensor(k, 4, &in[HET__ATTN_V_STATE]);
    het__gpu_arg_tensor(k, 6, &in[HET__ATTN_POSITIONS]);
    het__gpu_arg_tensor(k, 8, &in[HET__ATTN_SEGMENTS]);
    het__gpu_arg_tensor(k, 10, &in[HET__ATTN_PAGES]);
    het__gpu_arg_memory(k, 12, o->q_norm, 0);
    het__gpu_arg_memory(k, 14, o->turns, 0);
    het__gpu_arg_tensor(k, 16, &call->outputs[0]);
    het__gpu_arg_memory(k, 18, call->scratch, 0);
    het__gpu_arg_int(k, 20, a->heads);
    het__gpu_arg_int(k, 21, a->kv_heads);
    het__gpu_arg_int(k, 22, a->page_size);
    het__gpu_arg_int(k, 23, in[HET__ATTN_SEGMENTS].rows);
    het__gpu_arg_int(k, 24, a->window);
    het__gpu_arg_int(k, 25, splits);
    het__gpu_arg_int(k, 26, span);
    het__gpu_arg_float(k, 27, a->norm_eps);
    het__gpu_arg_float(k, 28, a->rope.magnitude);
    het__gpu_arg_float(k, 29, a->scale);
    het__gpu_arg_float(k, 30, a->softcap);
    return het__gpu_launch(call, k, 3, global, local, err);
}

static het_status launch_merge(het__gpu_call *call, int64_t splits, het_error *err)
{
    const attention_own *o = call->own;
    const het__attention_attrs *a = &call->attrs.attention;
    const het__gpu_operand *segments = &call->inputs[HET__ATTN_SEGMENTS];
    const int64_t tokens = call->inputs[HET__ATTN_Q].rows;
    const size_t global[2] = { (size_t)a->heads * (size_t)a->head_size, (size_t)tokens };
    het__gpu_arg_tensor(o->merge, 0, segments);
    het__gpu_arg_memory(o->merge, 2, call->scratch, 0);
    het__gpu_arg_tensor(o->merge, 4, &call->outputs[0]);
    het__gpu_arg_int(o->merge, 6, a->heads);
    het__gpu_arg_int(o->merge, 7, tokens);
    het__gpu_arg_int(o->merge, 8, segments->rows);
    het__gpu_arg_int(o->merge, 9, splits);
    return het__gpu_launch(call, o->merge, 2, global, NULL, err);
}

static het_status attention_launch(het__gpu_call *call, const int64_t *symbols, het_error *err)
{
    (void)symbols;
    const attention_own *o = call->own;
    const het__attention_attrs *a = &call->attrs.attention;
    int64_t positions = call->inputs[HET__ATTN_PAGES].columns * a->page_size;
    const int64_t splits = splits_of(call, call->inputs[HET__ATTN_Q].rows, positions);
    if (a->window && positions > a->window)
        positions = a->window;
    assert(splits == 1 || call->scratch);
    het_status s = o->store ? launch_store(call, err) : HET_OK;
    if (s == HET_OK)
        s = launch_attend(call, splits, (positions + splits - 1) / splits, err);
    if (s == HET_OK && splits > 1)
        s = launch_merge(call, splits, err);
    return s;
}

const het__gpu_op het__gpu_attention = { attention_supports, attention_prepare, attention_launch };
