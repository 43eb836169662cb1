/* SPDX-License-Identifier: Apache-2.0 */
/* Forms, shapes and arithmetic of the small sequence operations around attention, and what all
 * forms are checked with. Extents of the outputs never depend on contents here. */
#include <math.h>
#include <string.h>

#include "lib/ir/sequence.h"
#include "lib/ir/shapes.h"

bool het__is_real(het_dtype dtype)
{
    return dtype == HET_DTYPE_F32 || dtype == HET_DTYPE_F16 || dtype == HET_DTYPE_BF16 ||
           dtype == HET_DTYPE_F64;
}

het_dtype het__real_or_integer(int64_t number)
{
    /* TensorProto.DataType, which skips strings, booleans and complex numbers here. */
    static const het_dtype types[] = {
        [1] = HET_DTYPE_F32,  [2] = HET_DTYPE_U8,   [3] = HET_DTYPE_I8,   [4] = HET_DTYPE_U16,
        [5] = HET_DTYPE_I16,  [6] = HET_DTYPE_I32,  [7] = HET_DTYPE_I64,  [10] = HET_DTYPE_F16,
        [11] = HET_DTYPE_F64, [12] = HET_DTYPE_U32, [13] = HET_DTYPE_U64, [16] = HET_DTYPE_BF16,
    };
    return number >= 0 && number < (int64_t)(sizeof types / sizeof types[0]) ? types[number]
                                                                             : HET_DTYPE_NONE;
}

het_status het__eval_expect(const het__eval *e, uint32_t i, const char *name, het_dtype dtype,
                            uint32_t rank, const int64_t *extent)
{
    const het__tensor *t = het__eval_input(e, i);
    if (!t)
        return het__eval_refuse(e, "%s is missing", name);
    bool fits = t->dtype == dtype && t->rank == rank;
    for (uint32_t k = 0; fits && k < rank; k++)
        fits = t->extent[k] == extent[k];
    if (fits)
        return HET_OK;
    char got[64], want[64];
    het__tensor wanted = { .dtype = dtype, .rank = rank };
    memcpy(wanted.extent, extent, rank * sizeof *extent);
    het__tensor_describe(t, got, sizeof got);
    het__tensor_describe(&wanted, want, sizeof want);
    return het__eval_refuse(e, "%s is %s, not %s", name, got, want);
}

het_status het__eval_expect_optional(const het__eval *e, uint32_t i, const char *name,
                                     het_dtype dtype, uint32_t rank, const int64_t *extent)
{
    return het__eval_input(e, i) ? het__eval_expect(e, i, name, dtype, rank, extent) : HET_OK;
}

/* ---- linear attention ---- */

static het_status check_linear_gates(const het__eval *e, het__linear_attention *f)
{
    const het_dtype type = e->inputs[0].dtype;
    const het__tensor *decay = het__eval_input(e, 4), *beta = het__eval_input(e, 5);
    if ((decay != NULL) != f->has_decay || (beta != NULL) != f->has_delta)
        return het__eval_refuse(e, "decay and beta do not fit the update rule");
    het_status s = HET_OK;
    if (decay) {
        f->is_decay_per_key = decay->rank != 3 || decay->extent[2] != f->kv_heads;
        const int64_t wide = f->kv_heads * f->key_size; /* the keys' last extent */
        const int64_t want[] = { f->batch, f->steps, f->is_decay_per_key ? wide : f->kv_heads };
        s = het__eval_expect(e, 4, "decay", type, 3, want);
    }
    if (s == HET_OK && beta) {
        f->is_beta_shared = beta->rank == 3 && beta->extent[2] == 1;
        const int64_t want[] = { f->batch, f->steps, f->is_beta_shared ? 1 : f->kv_heads };
        s = het__eval_expect(e, 5, "beta", type, 3, want);
    }
    return s;
}

static het_status read_update_rule(const het__eval *e, het__linear_attention *f)
{
    const char *rule = het__attr_string(e->attrs, "update_rule", "gated_delta");
    f->has_decay = strncmp(rule, "gated", 5) == 0;
    f->has_delta = strcmp(rule, "delta") == 0 || strcmp(rule, "gated_delta") == 0;
    if (strcmp(rule, "linear") != 0 && strcmp(rule, "gated") != 0 && !f->has_delta)
        return het__eval_refuse(e, "%.40s is not an update rule", rule);
    f->heads = het__attr_int(e->attrs, "q_num_heads", 0);
    f->kv_heads = het__attr_int(e->attrs, "kv_num_heads", 0);
    if (f->heads <= 0 || f->kv_heads <= 0 || f->heads % f->kv_heads != 0)
        return het__eval_refuse(e, "%lld query heads on %lld key heads", (long long)f->heads,
                                (long long)f->kv_heads);
    return HET_OK;
}

het_status het__linear_attention_form(const het__eval *e, het__linear_attention *f)
{
    memset(f, 0, sizeof *f);
    const het__tensor *q = het__eval_input(e, 0), *v = het__eval_input(e, 2);
    if (!q || !v || q->rank != 3 || v->rank != 3 || !het__is_real(q->dtype))
        return het__eval_refuse(e, "query and value are not floating tensors of rank 3");
    het_status s = read_update_rule(e, f);
    if (s != HET_OK)
        return s;
    f->batch = q->extent[0];
    f->steps = q->extent[1];
    f->key_size = q->extent[2] / f->heads;
    f->value_size = v->extent[2] / f->kv_heads;
    if (q->extent[2] % f->heads != 0 || v->extent[2] % f->kv_heads != 0)
        return het__eval_refuse(e, "extents %lld and %lld do not divide into heads",
                                (long long)q->extent[2], (long long)v->extent[2]);
    const float scale = het__attr_float(e->attrs, "scale", 0);
    f->scale = scale != 0 ? (double)scale : 1 / sqrt((double)f->key_size);
    const int64_t keys[] = { f->batch, f->steps, f->kv_heads * f->key_size };
    const int64_t values[] = { f->batch, f->steps, f->kv_heads * f->value_size };
    const int64_t state[] = { f->batch, f->kv_heads, f->key_size, f->value_size };
    s = het__eval_expect(e, 1, "key", q->dtype, 3, keys);
    if (s == HET_OK)
        s = het__eval_expect(e, 2, "value", q->dtype, 3, values);
    const het__tensor *past = het__eval_input(e, 3);
    if (s == HET_OK && past && !het__is_real(past->dtype))
        s = het__eval_refuse(e, "past_state is not floating");
    if (s == HET_OK && past)
        s = het__eval_expect(e, 3, "past_state", past->dtype, 4, state);
    return s == HET_OK ? check_linear_gates(e, f) : s;
}

het_status het__shape_linear_attention(het__eval *e)
{
    het__linear_attention f;
    het_status s = het__linear_attention_form(e, &f);
    if (s != HET_OK)
        return s;
    const het__tensor *past = het__eval_input(e, 3);
    const het_dtype type = e->inputs[0].dtype;
    int64_t last;
    if (!het__mul_i64(f.heads, f.value_size, &last))
        return het__eval_refuse(e, "values of %lld elements", (long long)f.value_size);
    const int64_t out[] = { f.batch, f.steps, last };
    const int64_t state[] = { f.batch, f.kv_heads, f.key_size, f.value_size };
    s = het__eval_shape(e, 0, type, 3, out);
    return s == HET_OK ? het__eval_shape(e, 1, past ? past->dtype : type, 4, state) : s;
}

void het__count_linear_attention(const het__eval *e, het__work *work)
{
    het__linear_attention f;
    if (het__linear_attention_form(e, &f) != HET_OK)
        return;
    const double state = (double)f.key_size * (double)f.value_size;
    const double kv = (double)f.kv_heads * (f.has_delta ? 2 : 1);
    work->macs = (double)f.batch * (double)f.steps * state * (kv + (double)f.heads);
    work->flops = 2 * work->macs;
    work->units = (double)f.batch * (double)f.kv_heads;
}

/* ---- causal convolution, rotation ---- */

het_status het__shape_causal_conv(het__eval *e)
{
    const het__tensor *x = het__eval_input(e, 0), *w = het__eval_input(e, 1);
    if (!x || !w || x->rank != 3 || w->rank != 3 || !het__is_real(x->dtype))
        return het__eval_refuse(e, "input and weight are not floating tensors of rank 3");
    const char *activation = het__attr_string(e->attrs, "activation", "none");
    if (strcmp(activation, "none") != 0 && strcmp(activation, "silu") != 0 &&
        strcmp(activation, "swish") != 0)
        return het__eval_refuse(e, "%.40s is not an activation", activation);
    const int64_t channels = x->extent[1], taps = w->extent[2];
    if (taps < 1)
        return het__eval_refuse(e, "the kernel is empty");
    const int64_t weight[] = { channels, 1, taps };
    const int64_t state[] = { x->extent[0], channels, taps - 1 };
    het_status s = het__eval_expect(e, 1, "weight", x->dtype, 3, weight);
    if (s == HET_OK)
        s = het__eval_expect_optional(e, 2, "bias", x->dtype, 1, &channels);
    if (s == HET_OK)
        s = het__eval_expect_optional(e, 3, "past_state", x->dtype, 3, state);
    if (s == HET_OK)
        s = het__eval_like(e, 0, x->dtype, x);
    return s == HET_OK ? het__eval_shape(e, 1, x->dtype, 3, state) : s;
}

void het__count_causal_conv(const het__eval *e, het__work *work)
{
    const het__tensor *x = &e->inputs[0];
    work->units = (double)x->extent[0] * (double)x->extent[1];
    work->macs = work->units * (double)x->extent[2] * (double)e->inputs[1].extent[2];
    work->flops = 2 * work->macs;
}

static het_status check_rotary_tables(const het__eval *e, het__rotary *f)
{
    const het__tensor *cosine = het__eval_input(e, 1), *at = het__eval_input(e, 3);
    const het_dtype type = e->inputs[0].dtype;
    int64_t want[3] = { f->batch, f->steps, f->half };
    if (!cosine)
        return het__eval_refuse(e, "cos_cache is missing");
    if (!at) {
        const het_status s = het__eval_expect(e, 1, "cos_cache", type, 3, want);
        return s == HET_OK ? het__eval_expect(e, 2, "sin_cache", type, 3, want) : s;
    }
    if (at->dtype != HET_DTYPE_I64 && at->dtype != HET_DTYPE_I32)
        return het__eval_refuse(e, "position_ids are not integers");
    f->positions = cosine->extent[0];
    het_status s = het__eval_expect(e, 3, "position_ids", at->dtype, 2, want);
    want[0] = f->positions;
    want[1] = f->half;
    if (s == HET_OK)
        s = het__eval_expect(e, 1, "cos_cache", type, 2, want);
    return s == HET_OK ? het__eval_expect(e, 2, "sin_cache", type, 2, want) : s;
}

het_status het__rotary_form(const het__eval *e, het__rotary *f)
{
    memset(f, 0, sizeof *f);
    const het__tensor *x = het__eval_input(e, 0);
    if (!x || (x->rank != 3 && x->rank != 4) || !het__is_real(x->dtype))
        return het__eval_refuse(e, "X is not a floating tensor of rank 3 or 4");
    f->is_packed = x->rank == 3;
    f->is_interleaved = het__attr_int(e->attrs, "interleaved", 0) != 0;
    f->batch = x->extent[0];
    f->steps = x->extent[f->is_packed ? 1 : 2];
    f->heads = f->is_packed ? het__attr_int(e->attrs, "num_heads", 0) : x->extent[1];
    if (f->is_packed && (f->heads <= 0 || x->extent[2] % f->heads != 0))
        return het__eval_refuse(e, "%lld elements do not divide into %lld heads",
                                (long long)x->extent[2], (long long)f->heads);
    f->head_size = f->is_packed ? x->extent[2] / f->heads : x->extent[3];
    const int64_t given = het__attr_int(e->attrs, "rotary_embedding_dim", 0);
    const int64_t rotated = given == 0 ? f->head_size : given;
    if (rotated < 0 || rotated > f->head_size || rotated % 2 != 0)
        return het__eval_refuse(e, "%lld of %lld elements cannot be rotated", (long long)rotated,
                                (long long)f->head_size);
    f->half = rotated / 2;
    return check_rotary_tables(e, f);
}

het_status het__shape_rotary_embedding(het__eval *e)
{
    het__rotary f;
    const het_status s = het__rotary_form(e, &f);
    return s == HET_OK ? het__eval_like(e, 0, e->inputs[0].dtype, &e->inputs[0]) : s;
}
