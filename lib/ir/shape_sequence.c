/* SPDX-License-Identifier: Apache-2.0 */
/* Forms, shapes and arithmetic of recurrent layers and of the small sequence operations around
 * attention. Extents of the outputs never depend on contents here. */
#include <assert.h>
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

/* The same for an input that may be left out. */
static het_status expect_optional(const het__eval *e, uint32_t i, const char *name,
                                  het_dtype dtype, uint32_t rank, const int64_t *extent)
{
    return het__eval_input(e, i) ? het__eval_expect(e, i, name, dtype, rank, extent) : HET_OK;
}

/* ---- activations of recurrent layers ---- */

typedef struct curve_row {
    const char *name;
    het__curve curve;
    bool takes_alpha, takes_beta;
    double alpha, beta; /* where the node gives none */
} curve_row;

static const curve_row curves[] = {
    { "tanh", HET__CURVE_TANH, false, false, 0, 0 },
    { "sigmoid", HET__CURVE_SIGMOID, false, false, 0, 0 },
    { "relu", HET__CURVE_RELU, false, false, 0, 0 },
    { "affine", HET__CURVE_AFFINE, true, true, 1, 0 },
    { "leakyrelu", HET__CURVE_LEAKY_RELU, true, false, (double)0.01F, 0 },
    { "thresholdedrelu", HET__CURVE_THRESHOLDED_RELU, true, false, 1, 0 },
    { "scaledtanh", HET__CURVE_SCALED_TANH, true, true, 1, 1 },
    { "hardsigmoid", HET__CURVE_HARD_SIGMOID, true, true, (double)0.2F, 0.5 },
    { "elu", HET__CURVE_ELU, true, false, 1, 0 },
    { "softsign", HET__CURVE_SOFTSIGN, false, false, 0, 0 },
    { "softplus", HET__CURVE_SOFTPLUS, false, false, 0, 0 },
};

/* Exporters differ in the case of letters. */
static bool same_letters(const char *a, const char *lower)
{
    for (; *a && *lower; a++, lower++)
        if ((*a >= 'A' && *a <= 'Z' ? *a - 'A' + 'a' : *a) != *lower)
            return false;
    return *a == *lower;
}

static const curve_row *curve_of(const char *name)
{
    for (size_t i = 0; i < sizeof curves / sizeof curves[0]; i++)
        if (same_letters(name, curves[i].name))
            return &curves[i];
    return NULL;
}

/* The lists of alpha and beta hold values only for the activations that take one, in order. */
static het_status read_activations(const het__eval *e, het__recurrent *form)
{
    static const char *const defaults[3][3] = { { "tanh" }, { "sigmoid", "tanh" },
                                                { "sigmoid", "tanh", "tanh" } };
    const het__attr *names = het__attr_find(e->attrs, "activations", HET__ATTR_STRINGS);
    const het__attr *alpha = het__attr_find(e->attrs, "activation_alpha", HET__ATTR_FLOATS);
    const het__attr *beta = het__attr_find(e->attrs, "activation_beta", HET__ATTR_FLOATS);
    const uint32_t count = form->curves * form->directions;
    uint32_t alphas = 0, betas = 0;
    if (names && names->count < count)
        return het__eval_refuse(e, "%u activations where %u are needed", names->count, count);
    for (uint32_t i = 0; i < count; i++) {
        const char *name = names ? names->u.strings[i]
                                 : defaults[form->curves - 1][i % form->curves];
        const curve_row *row = curve_of(name);
        if (!row)
            return het__eval_refuse(e, "%.40s is not an activation", name);
        het__activation *a = &form->activations[i];
        *a = (het__activation){ row->curve, row->alpha, row->beta };
        if (row->takes_alpha && alpha && alphas < alpha->count)
            a->alpha = (double)alpha->u.floats[alphas++];
        if (row->takes_beta && beta && betas < beta->count)
            a->beta = (double)beta->u.floats[betas++];
    }
    return HET_OK;
}

/* ---- recurrent layers ---- */

static het_status read_direction(const het__eval *e, het__recurrent *form)
{
    const char *direction = het__attr_string(e->attrs, "direction", "forward");
    form->directions = strcmp(direction, "bidirectional") == 0 ? 2 : 1;
    form->is_reversed = strcmp(direction, "reverse") == 0;
    if (form->directions == 1 && !form->is_reversed && strcmp(direction, "forward") != 0)
        return het__eval_refuse(e, "%.40s is not a direction", direction);
    return HET_OK;
}

static het_status read_recurrent_attributes(const het__eval *e, het__recurrent *form)
{
    const het__op op = e->node->op;
    form->gates = op == HET__OP_T_LSTM ? 4 : op == HET__OP_T_GRU ? 3 : 1;
    form->curves = op == HET__OP_T_LSTM ? 3 : op == HET__OP_T_GRU ? 2 : 1;
    form->is_batch_first = het__attr_int(e->attrs, "layout", 0) != 0;
    form->is_linear_before_reset = het__attr_int(e->attrs, "linear_before_reset", 0) != 0;
    form->couples_forget = het__attr_int(e->attrs, "input_forget", 0) != 0;
    const double clip = (double)het__attr_float(e->attrs, "clip", 0);
    form->clip = clip > 0 ? clip : (double)INFINITY;
    const het_status s = read_direction(e, form);
    return s == HET_OK ? read_activations(e, form) : s;
}

static het_status check_lengths(const het__eval *e, const het__recurrent *form)
{
    const het__tensor *lens = het__eval_input(e, 4);
    if (!lens || (lens->rank == 1 && lens->extent[0] == form->batch &&
                  (lens->dtype == HET_DTYPE_I32 || lens->dtype == HET_DTYPE_I64)))
        return HET_OK;
    return het__eval_refuse(e, "sequence_lens does not hold an integer for each sequence");
}

static het_status check_recurrent_inputs(const het__eval *e, const het__recurrent *form)
{
    const het_dtype type = het__eval_input(e, 0)->dtype;
    const int64_t directions = form->directions;
    int64_t rows, both;
    if (!het__mul_i64(form->hidden, form->gates, &rows) || !het__mul_i64(rows, 2, &both))
        return het__eval_refuse(e, "hidden size %lld", (long long)form->hidden);
    const int64_t weight[] = { directions, rows, form->width };
    const int64_t recurrence[] = { directions, rows, form->hidden };
    const int64_t bias[] = { directions, both };
    const int64_t peephole[] = { directions, rows / 4 * 3 };
    const int64_t state[] = { form->is_batch_first ? form->batch : directions,
                              form->is_batch_first ? directions : form->batch, form->hidden };
    het_status s = het__eval_expect(e, 1, "W", type, 3, weight);
    if (s == HET_OK)
        s = het__eval_expect(e, 2, "R", type, 3, recurrence);
    if (s == HET_OK)
        s = expect_optional(e, 3, "B", type, 2, bias);
    if (s == HET_OK)
        s = check_lengths(e, form);
    if (s == HET_OK)
        s = expect_optional(e, 5, "initial_h", type, 3, state);
    if (s == HET_OK && form->gates == 4)
        s = expect_optional(e, 6, "initial_c", type, 3, state);
    if (s == HET_OK && form->gates == 4)
        s = expect_optional(e, 7, "P", type, 2, peephole);
    return s;
}

het_status het__recurrent_form(const het__eval *e, het__recurrent *form)
{
    memset(form, 0, sizeof *form);
    const het__tensor *x = het__eval_input(e, 0), *r = het__eval_input(e, 2);
    if (!x || x->rank != 3 || !het__is_real(x->dtype))
        return het__eval_refuse(e, "X is not a floating tensor of rank 3");
    if (!r || r->rank != 3)
        return het__eval_refuse(e, "R is not a tensor of rank 3");
    const het_status s = read_recurrent_attributes(e, form);
    if (s != HET_OK)
        return s;
    form->steps = x->extent[form->is_batch_first ? 1 : 0];
    form->batch = x->extent[form->is_batch_first ? 0 : 1];
    form->width = x->extent[2];
    form->hidden = r->extent[2];
    if (het__attr_int(e->attrs, "hidden_size", form->hidden) != form->hidden)
        return het__eval_refuse(e, "hidden_size is not the last extent of R, %lld",
                                (long long)form->hidden);
    return check_recurrent_inputs(e, form);
}

het_status het__shape_recurrent(het__eval *e)
{
    het__recurrent f;
    het_status s = het__recurrent_form(e, &f);
    if (s != HET_OK)
        return s;
    const het_dtype type = e->inputs[0].dtype;
    const int64_t d = f.directions;
    const int64_t all[2][4] = { { f.steps, d, f.batch, f.hidden },
                                { f.batch, f.steps, d, f.hidden } };
    const int64_t last[2][3] = { { d, f.batch, f.hidden }, { f.batch, d, f.hidden } };
    s = het__eval_shape(e, 0, type, 4, all[f.is_batch_first]);
    if (s == HET_OK)
        s = het__eval_shape(e, 1, type, 3, last[f.is_batch_first]);
    if (s == HET_OK && f.gates == 4)
        s = het__eval_shape(e, 2, type, 3, last[f.is_batch_first]);
    if (s == HET_OK && e->output_count > (f.gates == 4 ? 3U : 2U))
        return het__eval_refuse(e, "%u outputs", e->output_count);
    return s;
}

void het__count_recurrent(const het__eval *e, het__work *work)
{
    het__recurrent f;
    if (het__recurrent_form(e, &f) != HET_OK)
        return;
    const double cells = (double)f.directions * (double)f.batch * (double)f.steps *
                         (double)f.hidden;
    work->macs = cells * f.gates * ((double)f.width + (double)f.hidden);
    work->flops = 2 * work->macs + 10 * cells * f.gates;
    work->units = (double)f.directions * (double)f.batch;
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
        s = expect_optional(e, 2, "bias", x->dtype, 1, &channels);
    if (s == HET_OK)
        s = expect_optional(e, 3, "past_state", x->dtype, 3, state);
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
