/* SPDX-License-Identifier: Apache-2.0 */
/* Forms, shapes and arithmetic of Attention and FlexAttention. */
#include <math.h>
#include <string.h>

#include "lib/ir/sequence.h"
#include "lib/ir/shapes.h"

/* Heads, lengths and sizes from query, key and value of rank 4, or packed in rank 3. */
static het_status read_operands(const het__eval *e, het__attention *f)
{
    const het__tensor *q = het__eval_input(e, 0), *k = het__eval_input(e, 1);
    const het__tensor *v = het__eval_input(e, 2);
    if (!q || !k || !v || !het__is_real(q->dtype) || !het__is_real(v->dtype))
        return het__eval_refuse(e, "query, key and value are not floating tensors");
    if ((q->rank != 3 && q->rank != 4) || k->rank != q->rank || v->rank != q->rank)
        return het__eval_refuse(e, "ranks %u, %u and %u", q->rank, k->rank, v->rank);
    f->is_packed = q->rank == 3;
    f->batch = q->extent[0];
    f->heads = f->is_packed ? het__attr_int(e->attrs, "q_num_heads", 0) : q->extent[1];
    f->kv_heads = f->is_packed ? het__attr_int(e->attrs, "kv_num_heads", 0) : k->extent[1];
    if (f->heads < 0 || f->kv_heads < 1 || f->heads % f->kv_heads != 0 ||
        (f->is_packed && f->heads < 1))
        return het__eval_refuse(e, "%lld query heads on %lld key heads", (long long)f->heads,
                                (long long)f->kv_heads);
    const uint32_t length = f->is_packed ? 1 : 2, size = length + 1;
    const int64_t q_parts = f->is_packed ? f->heads : 1, kv_parts = f->is_packed ? f->kv_heads : 1;
    f->rows = q->extent[length];
    f->fresh = k->extent[length];
    f->key_size = q->extent[size] / q_parts;
    f->value_size = v->extent[size] / kv_parts;
    if (q->extent[size] % q_parts != 0 || v->extent[size] % kv_parts != 0)
        return het__eval_refuse(e, "hidden sizes %lld and %lld do not divide into heads",
                                (long long)q->extent[size], (long long)v->extent[size]);
    int64_t wide;
    if (!het__mul_i64(f->key_size, kv_parts, &wide))
        return het__eval_refuse(e, "key size %lld", (long long)f->key_size);
    const int64_t key3[] = { f->batch, f->fresh, wide };
    const int64_t value3[] = { f->batch, f->fresh, v->extent[size] };
    const int64_t key4[] = { f->batch, f->kv_heads, f->fresh, f->key_size };
    const int64_t value4[] = { f->batch, f->kv_heads, f->fresh, f->value_size };
    const het_status s = het__eval_expect(e, 1, "key", q->dtype, q->rank,
                                          f->is_packed ? key3 : key4);
    return s == HET_OK ? het__eval_expect(e, 2, "value", v->dtype, q->rank,
                                          f->is_packed ? value3 : value4)
                       : s;
}

static het_status read_numbers(const het__eval *e, het__attention *f)
{
    const het_dtype type = e->inputs[0].dtype;
    const het__attr *scale = het__attr_find(e->attrs, "scale", HET__ATTR_FLOAT);
    f->scale = scale ? (double)scale->u.f : 1 / sqrt((double)f->key_size);
    const double softcap = (double)het__attr_float(e->attrs, "softcap", 0);
    f->softcap = softcap > 0 ? softcap : 0;
    f->is_causal = het__attr_int(e->attrs, "is_causal", 0) != 0;
    f->left = het__attr_int(e->attrs, "left_window_size", -1);
    f->right = het__attr_int(e->attrs, "right_window_size", -1);
    f->qk_mode = het__attr_int(e->attrs, "qk_matmul_output_mode", 0);
    const int64_t precision = het__attr_int(e->attrs, "softmax_precision", 0);
    f->precision = precision == 0 ? type : het__real_or_integer(precision);
    if (f->left < -1 || f->right < -1)
        return het__eval_refuse(e, "a window of %lld and %lld", (long long)f->left,
                                (long long)f->right);
    if (f->qk_mode < 0 || f->qk_mode > 3)
        return het__eval_refuse(e, "qk_matmul_output_mode %lld", (long long)f->qk_mode);
    if (!het__is_real(f->precision))
        return het__eval_refuse(e, "softmax_precision %lld", (long long)precision);
    return HET_OK;
}

static het_status check_cache(const het__eval *e, het__attention *f)
{
    const het__tensor *key = het__eval_input(e, 4), *value = het__eval_input(e, 5);
    const het__tensor *lengths = het__eval_input(e, 6);
    if (!key != !value || (key && lengths))
        return het__eval_refuse(e, "past_key and past_value come together, and without "
                                   "nonpad_kv_seqlen");
    het_status s = HET_OK;
    if (key && key->rank != 4)
        return het__eval_refuse(e, "past_key has rank %u", key->rank);
    f->past = key ? key->extent[2] : 0;
    if (__builtin_add_overflow(f->past, f->fresh, &f->keys))
        return het__eval_refuse(e, "%lld past keys", (long long)f->past);
    if (key) {
        const int64_t keys[] = { f->batch, f->kv_heads, f->past, f->key_size };
        const int64_t values[] = { f->batch, f->kv_heads, f->past, f->value_size };
        s = het__eval_expect(e, 4, "past_key", e->inputs[0].dtype, 4, keys);
        if (s == HET_OK)
            s = het__eval_expect(e, 5, "past_value", e->inputs[2].dtype, 4, values);
    }
    if (lengths)
        s = het__eval_expect(e, 6, "nonpad_kv_seqlen", HET_DTYPE_I64, 1, &f->batch);
    return s;
}

/* A mask may be shorter than the keys in its last extent; the others are broadcast. */
static het_status check_mask(const het__eval *e, const het__attention *f)
{
    const het__tensor *mask = het__eval_input(e, 3);
    if (!mask)
        return HET_OK;
    if (mask->dtype != HET_DTYPE_BOOL && !het__is_real(mask->dtype))
        return het__eval_refuse(e, "attn_mask is neither boolean nor floating");
    const int64_t want[4] = { f->batch, f->heads, f->rows, f->keys };
    bool fits = mask->rank >= 1 && mask->rank <= 4;
    for (uint32_t i = 0; fits && i < mask->rank; i++) {
        const int64_t full = want[i + 4 - mask->rank], got = mask->extent[i];
        fits = i + 1 == mask->rank ? got <= full : got == full || got == 1;
    }
    char text[64];
    het__tensor_describe(mask, text, sizeof text);
    return fits ? HET_OK : het__eval_refuse(e, "attn_mask %s does not fit", text);
}

het_status het__attention_form(const het__eval *e, het__attention *f)
{
    memset(f, 0, sizeof *f);
    het_status s = read_operands(e, f);
    if (s == HET_OK)
        s = read_numbers(e, f);
    if (s == HET_OK)
        s = check_cache(e, f);
    return s == HET_OK ? check_mask(e, f) : s;
}

het_status het__shape_attention(het__eval *e)
{
    het__attention f;
    het_status s = het__attention_form(e, &f);
    if (s != HET_OK)
        return s;
    const het_dtype type = e->inputs[0].dtype;
    int64_t wide;
    if (!het__mul_i64(f.heads, f.value_size, &wide))
        return het__eval_refuse(e, "values of %lld elements", (long long)f.value_size);
    const int64_t packed[] = { f.batch, f.rows, wide };
    const int64_t apart[] = { f.batch, f.heads, f.rows, f.value_size };
    const int64_t keys[] = { f.batch, f.kv_heads, f.keys, f.key_size };
    const int64_t values[] = { f.batch, f.kv_heads, f.keys, f.value_size };
    const int64_t scores[] = { f.batch, f.heads, f.rows, f.keys };
    s = het__eval_shape(e, 0, type, f.is_packed ? 3 : 4, f.is_packed ? packed : apart);
    if (s == HET_OK)
        s = het__eval_shape(e, 1, type, 4, keys);
    if (s == HET_OK)
        s = het__eval_shape(e, 2, e->inputs[2].dtype, 4, values);
    return s == HET_OK ? het__eval_shape(e, 3, type, 4, scores) : s;
}

het_status het__flex_attention_form(const het__eval *e, het__attention *f)
{
    memset(f, 0, sizeof *f);
    het_status s = read_operands(e, f);
    if (s == HET_OK && f->is_packed)
        return het__eval_refuse(e, "query, key and value are not of rank 4");
    if (s == HET_OK)
        s = read_numbers(e, f);
    f->keys = f->fresh;
    if (s == HET_OK && !het__attr_find(e->attrs, "softmax_precision", HET__ATTR_INT) &&
        f->precision != HET_DTYPE_F64)
        f->precision = HET_DTYPE_F32;
    for (int i = 0; s == HET_OK && i < 2; i++) {
        const char *name = i == 0 ? "score_mod" : "prob_mod";
        het__body body;
        if (!het__attr_find(e->attrs, name, HET__ATTR_GRAPH))
            continue;
        s = het__body_form(e, name, 1, &body);
        if (s == HET_OK && (body.formal != 1 || body.graph->output_count != 1 ||
                            body.captured != e->input_count - 3))
            s = het__eval_refuse(e, "body %s does not take and give one tensor", name);
    }
    return s;
}

het_status het__shape_flex_attention(het__eval *e)
{
    het__attention f;
    const het_status s = het__flex_attention_form(e, &f);
    if (s != HET_OK)
        return s;
    const int64_t out[] = { f.batch, f.heads, f.rows, f.value_size };
    const int64_t scores[] = { f.batch, f.heads, f.rows, f.keys };
    het__tensor whole = { .dtype = f.precision, .rank = 4 };
    memcpy(whole.extent, scores, sizeof scores);
    if (het__tensor_bytes(&whole) < 0)
        return het__eval_refuse(e, "the scores have an impossible size");
    return het__eval_shape(e, 0, e->inputs[2].dtype, 4, out);
}

void het__count_attention(const het__eval *e, het__work *work)
{
    het__attention f;
    const bool is_flex = e->node->op == HET__OP_T_FLEX_ATTENTION;
    if ((is_flex ? het__flex_attention_form(e, &f) : het__attention_form(e, &f)) != HET_OK)
        return;
    work->units = (double)f.batch * (double)f.heads * (double)f.rows;
    const double scores = work->units * (double)f.keys;
    work->macs = scores * ((double)f.key_size + (double)f.value_size);
    work->flops = 2 * work->macs + 5 * scores;
}
