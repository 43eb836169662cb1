/* SPDX-License-Identifier: Apache-2.0 */
/* Attention and FlexAttention, query by query. Keys and values are read where they lie, in the
 * inputs and in the cache before them, for packed and for separate heads alike; keys that a mask
 * closes are neither multiplied nor added, so that what lies there does not matter. */
#include <math.h>
#include <string.h>

#include "lib/ir/sequence.h"
#include "lib/plain/rows.h"

typedef struct attention {
    het__eval *e;
    het__attention form;
    het__rows q, k, v, past_k, past_v;
    const het__tensor *mask;
    int64_t mask_steps[3];  /* over batch, heads, rows; 0 where it is broadcast */
    double *query;          /* key_size */
    double *score, *bias;   /* keys */
    double *sum;            /* value_size */
} attention;

/* First element of row i of head h, in a tensor like query, key, value or output. */
static int64_t row_at(bool is_packed, int64_t b, int64_t h, int64_t i, int64_t heads,
                      int64_t length, int64_t size)
{
    return (is_packed ? (b * length + i) * heads + h : (b * heads + h) * length + i) * size;
}

static het_status prepare(attention *a)
{
    het__eval *e = a->e;
    het_status s = het__rows_of(e, &e->inputs[0], &a->q);
    if (s == HET_OK)
        s = het__rows_of(e, &e->inputs[1], &a->k);
    if (s == HET_OK)
        s = het__rows_of(e, &e->inputs[2], &a->v);
    if (s != HET_OK)
        return s;
    a->query = het__eval_scratch(e, (size_t)a->form.key_size, sizeof(double));
    a->score = het__eval_scratch(e, (size_t)a->form.keys, sizeof(double));
    a->bias = het__eval_scratch(e, (size_t)a->form.keys, sizeof(double));
    a->sum = het__eval_scratch(e, (size_t)a->form.value_size, sizeof(double));
    return a->query && a->score && a->bias && a->sum ? HET_OK : het__eval_nomem(e);
}

/* Scores of one query over the keys from first to last; a->query holds it. */
static void multiply(const attention *a, int64_t b, int64_t group, int64_t first, int64_t last)
{
    const het__attention *f = &a->form;
    for (int64_t j = first; j <= last; j++) {
        const bool is_old = j < f->past;
        const int64_t at = is_old ? row_at(false, b, group, j, f->kv_heads, f->past, f->key_size)
                                  : row_at(f->is_packed, b, group, j - f->past, f->kv_heads,
                                           f->fresh, f->key_size);
        a->score[j] = f->scale * het__rows_dot(is_old ? &a->past_k : &a->k, at, f->key_size,
                                               a->query);
    }
}

/* Scores to weights that add up to one, or to zeros if no key is open. */
static void soften(double *score, int64_t n)
{
    double most = -(double)INFINITY, sum = 0;
    for (int64_t j = 0; j < n; j++)
        most = score[j] > most || isnan(score[j]) ? score[j] : most;
    if (most == -(double)INFINITY) {
        memset(score, 0, (size_t)n * sizeof *score);
        return;
    }
    for (int64_t j = 0; j < n; j++) {
        score[j] = exp(score[j] - most);
        sum += score[j];
    }
    for (int64_t j = 0; j < n; j++)
        score[j] /= sum;
}

/* a->sum: values weighted by the scores; where a->bias closes a key its value is not looked at. */
static void gather(const attention *a, int64_t b, int64_t group)
{
    const het__attention *f = &a->form;
    memset(a->sum, 0, (size_t)f->value_size * sizeof *a->sum);
    for (int64_t j = 0; j < f->keys; j++) {
        const bool is_old = j < f->past;
        if (a->bias[j] == -(double)INFINITY)
            continue;
        const int64_t at =
            is_old ? row_at(false, b, group, j, f->kv_heads, f->past, f->value_size)
                   : row_at(f->is_packed, b, group, j - f->past, f->kv_heads, f->fresh,
                            f->value_size);
        het__rows_add(is_old ? &a->past_v : &a->v, at, f->value_size, a->score[j], a->sum);
    }
}

/* ---- Attention ---- */

static void prepare_mask(attention *a)
{
    int64_t strides[HET_RANK_MAX];
    a->mask = het__eval_input(a->e, 3);
    if (!a->mask)
        return;
    het__tensor_strides(a->mask, strides);
    for (uint32_t i = 0; i + 1 < a->mask->rank; i++)
        a->mask_steps[i + 4 - a->mask->rank] = a->mask->extent[i] == 1 ? 0 : strides[i];
}

/* Keys between which query i may look, by causality, window and the length of the sequence. */
static void find_reach(const attention *a, int64_t b, int64_t i, int64_t *first, int64_t *last)
{
    const het__attention *f = &a->form;
    const het__tensor *lengths = het__eval_input(a->e, 6);
    const int64_t most = f->keys + f->rows;
    int64_t place = i + f->past;
    *first = 0;
    *last = f->keys - 1;
    if (lengths) {
        const int64_t length = het__get_i64(lengths->dtype, lengths->data, b);
        place = i + length - f->rows;
        *last = length - 1;
    }
    const int64_t left = f->left < most ? f->left : most;
    int64_t right = f->right < most ? f->right : most;
    if (f->is_causal)
        right = 0;
    if (left >= 0 && place - left > *first)
        *first = place - left;
    if (right >= 0 && place + right < *last)
        *last = place + right;
}

static void fill_bias(const attention *a, int64_t b, int64_t h, int64_t i, int64_t first,
                      int64_t last)
{
    const het__tensor *m = a->mask;
    const int64_t base = b * a->mask_steps[0] + h * a->mask_steps[1] + i * a->mask_steps[2];
    const int64_t there = m ? m->extent[m->rank - 1] : 0;
    for (int64_t j = 0; j < a->form.keys; j++) {
        double bias = j < first || j > last ? -(double)INFINITY : 0;
        if (m && j >= there)
            bias = -(double)INFINITY;
        else if (m && bias == 0 && m->dtype == HET_DTYPE_BOOL)
            bias = ((const uint8_t *)m->data)[base + j] ? 0 : -(double)INFINITY;
        else if (m && bias == 0)
            bias = het__get_f64(m->dtype, m->data, base + j);
        a->bias[j] = bias;
    }
}

/* What the fourth output shows, if it shows this stage. */
static void show(const attention *a, int64_t stage, int64_t row)
{
    const het__eval *e = a->e;
    if (e->output_count > 3 && e->outputs[3].data && a->form.qk_mode == stage)
        het__store_row(e->outputs[3].dtype, e->outputs[3].data, row * a->form.keys, a->form.keys,
                       a->score);
}

static void attend(attention *a, int64_t b, int64_t h, int64_t i)
{
    const het__attention *f = &a->form;
    const het__eval *e = a->e;
    const int64_t group = h / (f->heads / f->kv_heads), row = (b * f->heads + h) * f->rows + i;
    const bool shows_all = e->output_count > 3 && f->qk_mode < 2;
    int64_t first, last;
    find_reach(a, b, i, &first, &last);
    fill_bias(a, b, h, i, first, last);
    het__rows_load(&a->q, row_at(f->is_packed, b, h, i, f->heads, f->rows, f->key_size),
                   f->key_size, a->query);
    multiply(a, b, group, shows_all ? 0 : first, shows_all ? f->keys - 1 : last);
    show(a, 0, row);
    if (f->softcap > 0)
        for (int64_t j = shows_all ? 0 : first; j <= (shows_all ? f->keys - 1 : last); j++)
            a->score[j] = f->softcap * tanh(a->score[j] / f->softcap);
    show(a, 1, row);
    for (int64_t j = 0; j < f->keys; j++)
        a->score[j] = a->bias[j] == -(double)INFINITY ? a->bias[j] : a->score[j] + a->bias[j];
    show(a, 2, row);
    soften(a->score, f->keys);
    show(a, 3, row);
    gather(a, b, group);
    het__store_row(e->outputs[0].dtype, e->outputs[0].data,
                   row_at(f->is_packed, b, h, i, f->heads, f->rows, f->value_size), f->value_size,
                   a->sum);
}

/* The cache and what is new behind it, head by head. */
static void join(const het__eval *e, const het__attention *f, uint32_t output)
{
    const het__tensor *fresh = &e->inputs[output], *past = het__eval_input(e, output + 3);
    if (output >= e->output_count || !e->outputs[output].data)
        return;
    const het__tensor *out = &e->outputs[output];
    const int64_t size = out->extent[3];
    for (int64_t b = 0; b < f->batch; b++)
        for (int64_t h = 0; h < f->kv_heads; h++) {
            const int64_t to = (b * f->kv_heads + h) * f->keys * size;
            if (past)
                het__copy_row(out->dtype, out->data, to, past->data,
                              (b * f->kv_heads + h) * f->past * size, f->past * size);
            for (int64_t j = 0; j < f->fresh; j++)
                het__copy_row(out->dtype, out->data, to + (f->past + j) * size, fresh->data,
                              row_at(f->is_packed, b, h, j, f->kv_heads, f->fresh, size), size);
        }
}

static het_status check_lengths(const het__eval *e, const het__attention *f)
{
    const het__tensor *lengths = het__eval_input(e, 6);
    for (int64_t b = 0; lengths && b < f->batch; b++) {
        const int64_t length = het__get_i64(lengths->dtype, lengths->data, b);
        if (length < 0 || length > f->keys)
            return het__eval_refuse(e, "sequence %lld has %lld of %lld keys", (long long)b,
                                    (long long)length, (long long)f->keys);
    }
    return HET_OK;
}

/* Extents of which one is zero may be larger than any memory: nothing may be computed with them. */
static bool is_empty(const het__eval *e)
{
    for (uint32_t o = 0; o < e->output_count; o++)
        if (e->outputs[o].data && het__tensor_elements(&e->outputs[o]) > 0)
            return false;
    return true;
}

het_status het__plain_attention(het__eval *e)
{
    attention a = { .e = e };
    het_status s = het__attention_form(e, &a.form);
    if (s != HET_OK || is_empty(e))
        return s;
    const het__attention *f = &a.form;
    s = check_lengths(e, f);
    if (s == HET_OK)
        s = prepare(&a);
    if (s == HET_OK && f->past > 0)
        s = het__rows_of(e, &e->inputs[4], &a.past_k);
    if (s == HET_OK && f->past > 0)
        s = het__rows_of(e, &e->inputs[5], &a.past_v);
    if (s != HET_OK)
        return s;
    prepare_mask(&a);
    for (int64_t b = 0; b < f->batch; b++)
        for (int64_t h = 0; h < f->heads; h++)
            for (int64_t i = 0; i < f->rows; i++)
                attend(&a, b, h, i);
    join(e, f, 1);
    join(e, f, 2);
    return HET_OK;
}

/* ---- FlexAttention ---- */

/* The body of that name, where there is one, takes all scores and gives new ones. */
static het_status modify(het__eval *e, const char *name, het__tensor *scores)
{
    if (!het__attr_find(e->attrs, name, HET__ATTR_GRAPH))
        return HET_OK;
    if (!e->interpreter)
        return het__eval_unsupported(e, "bodies are not run here");
    const uint32_t count = e->input_count - 2; /* behind the scores, what the body captures */
    het__tensor *inputs = het__eval_scratch(e, count, sizeof *inputs);
    if (!inputs)
        return het__eval_nomem(e);
    inputs[0] = *scores;
    memcpy(inputs + 1, e->inputs + 3, (count - 1) * sizeof *inputs);
    het__tensor out = { .dtype = HET_DTYPE_NONE };
    het_status s = het__plain_body(e, name, inputs, count, &out, 1);
    if (s == HET_OK && (out.dtype != scores->dtype || !het__tensor_same_extents(&out, scores)))
        s = het__eval_refuse(e, "body %s changes the shape or type of the scores", name);
    if (s == HET_OK)
        memcpy(scores->data, out.data, (size_t)het__tensor_bytes(scores));
    het__tensor_finish(e->interpreter->mem, &out);
    return s;
}

typedef void flex_stage(attention *a, het__tensor *scores, int64_t b, int64_t h, int64_t i);

static void flex_multiply(attention *a, het__tensor *scores, int64_t b, int64_t h, int64_t i)
{
    const het__attention *f = &a->form;
    const int64_t row = (b * f->heads + h) * f->rows + i;
    het__rows_load(&a->q, row * f->key_size, f->key_size, a->query);
    multiply(a, b, h / (f->heads / f->kv_heads), 0, f->keys - 1);
    het__store_row(scores->dtype, scores->data, row * f->keys, f->keys, a->score);
}

static void flex_load(attention *a, const het__tensor *scores, int64_t row)
{
    for (int64_t j = 0; j < a->form.keys; j++)
        a->score[j] = het__get_f64(scores->dtype, scores->data, row * a->form.keys + j);
}

static void flex_soften(attention *a, het__tensor *scores, int64_t b, int64_t h, int64_t i)
{
    const int64_t row = (b * a->form.heads + h) * a->form.rows + i;
    flex_load(a, scores, row);
    soften(a->score, a->form.keys);
    het__store_row(scores->dtype, scores->data, row * a->form.keys, a->form.keys, a->score);
}

static void flex_gather(attention *a, het__tensor *scores, int64_t b, int64_t h, int64_t i)
{
    const het__attention *f = &a->form;
    const int64_t row = (b * f->heads + h) * f->rows + i;
    flex_load(a, scores, row);
    gather(a, b, h / (f->heads / f->kv_heads));
    het__store_row(a->e->outputs[0].dtype, a->e->outputs[0].data, row * f->value_size,
                   f->value_size, a->sum);
}

static void each_row(attention *a, het__tensor *scores, flex_stage *stage)
{
    for (int64_t b = 0; b < a->form.batch; b++)
        for (int64_t h = 0; h < a->form.heads; h++)
            for (int64_t i = 0; i < a->form.rows; i++)
                stage(a, scores, b, h, i);
}

het_status het__plain_flex_attention(het__eval *e)
{
    attention a = { .e = e };
    het_status s = het__flex_attention_form(e, &a.form);
    if (s != HET_OK || is_empty(e))
        return s;
    const het__attention *f = &a.form;
    s = prepare(&a);
    if (s != HET_OK)
        return s;
    memset(a.bias, 0, (size_t)f->keys * sizeof *a.bias);
    het__tensor scores = { .dtype = f->precision, .rank = 4,
                           .extent = { f->batch, f->heads, f->rows, f->keys } };
    scores.data = het__eval_scratch(e, (size_t)het__tensor_bytes(&scores), 1);
    if (!scores.data)
        return het__eval_nomem(e);
    each_row(&a, &scores, flex_multiply);
    s = modify(e, "score_mod", &scores);
    if (s != HET_OK)
        return s;
    each_row(&a, &scores, flex_soften);
    s = modify(e, "prob_mod", &scores);
    if (s == HET_OK)
        each_row(&a, &scores, flex_gather);
    return s;
}
