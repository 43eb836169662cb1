/* SPDX-License-Identifier: Apache-2.0 */
/* LinearAttention and CausalConvWithState: a state carried from token to token, in double. */
#include <math.h>
#include <string.h>

#include "lib/ir/sequence.h"
#include "lib/plain/rows.h"

typedef struct linear {
    het__eval *e;
    het__linear_attention form;
    het__rows q, k, v;
    double *state; /* key_size rows of value_size, of one head */
    double *query, *key;
    double *value; /* what is written: the value, or what corrects the state towards it */
    double *out;
} linear;

static het_status prepare(linear *l)
{
    het__eval *e = l->e;
    const size_t keys = (size_t)l->form.key_size, values = (size_t)l->form.value_size;
    size_t state;
    het_status s = het__rows_of(e, &e->inputs[0], &l->q);
    if (s == HET_OK)
        s = het__rows_of(e, &e->inputs[1], &l->k);
    if (s == HET_OK)
        s = het__rows_of(e, &e->inputs[2], &l->v);
    if (s != HET_OK)
        return s;
    if (!het__mul_size(keys, values, &state))
        return het__eval_nomem(e);
    l->state = het__eval_scratch(e, state, sizeof(double));
    l->query = het__eval_scratch(e, keys, sizeof(double));
    l->key = het__eval_scratch(e, keys, sizeof(double));
    l->value = het__eval_scratch(e, values, sizeof(double));
    l->out = het__eval_scratch(e, values, sizeof(double));
    return l->state && l->query && l->key && l->value && l->out ? HET_OK : het__eval_nomem(e);
}

/* out += scale times the state's rows weighted by x. */
static void read_state(const linear *l, const double *x, double scale, double *out)
{
    for (int64_t i = 0; i < l->form.key_size; i++) {
        const double *row = l->state + i * l->form.value_size;
        for (int64_t m = 0; m < l->form.value_size; m++)
            out[m] += scale * x[i] * row[m];
    }
}

static void fade(const linear *l, int64_t token, int64_t head)
{
    const het__linear_attention *f = &l->form;
    const het__tensor *decay = &l->e->inputs[4];
    for (int64_t i = 0; i < f->key_size; i++) {
        const int64_t at = token * f->kv_heads + head;
        const double by = exp(het__get_f64(decay->dtype, decay->data,
                                           f->is_decay_per_key ? at * f->key_size + i : at));
        for (int64_t m = 0; m < f->value_size; m++)
            l->state[i * f->value_size + m] *= by;
    }
}

/* value = beta * (value - what the state has for this key) */
static void correct(const linear *l, int64_t token, int64_t head)
{
    const het__linear_attention *f = &l->form;
    const het__tensor *beta = &l->e->inputs[5];
    const double rate = het__get_f64(beta->dtype, beta->data,
                                     f->is_beta_shared ? token : token * f->kv_heads + head);
    read_state(l, l->key, -1, l->value);
    for (int64_t m = 0; m < f->value_size; m++)
        l->value[m] *= rate;
}

static void take_token(linear *l, int64_t token, int64_t head)
{
    const het__linear_attention *f = &l->form;
    const int64_t group = f->heads / f->kv_heads, at = token * f->kv_heads + head;
    het__rows_load(&l->k, at * f->key_size, f->key_size, l->key);
    het__rows_load(&l->v, at * f->value_size, f->value_size, l->value);
    if (f->has_decay)
        fade(l, token, head);
    if (f->has_delta)
        correct(l, token, head);
    for (int64_t i = 0; i < f->key_size; i++)
        for (int64_t m = 0; m < f->value_size; m++)
            l->state[i * f->value_size + m] += l->key[i] * l->value[m];
    for (int64_t g = 0; g < group; g++) {
        const int64_t row = token * f->heads + head * group + g;
        het__rows_load(&l->q, row * f->key_size, f->key_size, l->query);
        memset(l->out, 0, (size_t)f->value_size * sizeof *l->out);
        read_state(l, l->query, f->scale, l->out);
        het__store_row(l->e->outputs[0].dtype, l->e->outputs[0].data, row * f->value_size,
                       f->value_size, l->out);
    }
}

het_status het__plain_linear_attention(het__eval *e)
{
    linear l = { .e = e };
    het_status s = het__linear_attention_form(e, &l.form);
    const het__linear_attention *f = &l.form;
    if (s != HET_OK || f->batch == 0 || f->value_size == 0 || f->key_size == 0) {
        if (s == HET_OK && e->outputs[0].data) /* a sum over no keys */
            memset(e->outputs[0].data, 0, (size_t)het__tensor_bytes(&e->outputs[0]));
        return s;
    }
    s = prepare(&l);
    if (s != HET_OK)
        return s;
    const het__tensor *past = het__eval_input(e, 3);
    const int64_t size = f->key_size * f->value_size;
    for (int64_t b = 0; b < f->batch; b++)
        for (int64_t h = 0; h < f->kv_heads; h++) {
            const int64_t at = (b * f->kv_heads + h) * size;
            for (int64_t i = 0; i < size; i++)
                l.state[i] = past ? het__get_f64(past->dtype, past->data, at + i) : 0;
            for (int64_t t = 0; t < f->steps; t++)
                take_token(&l, b * f->steps + t, h);
            if (e->output_count > 1 && e->outputs[1].data)
                het__store_row(e->outputs[1].dtype, e->outputs[1].data, at, size, l.state);
        }
    return HET_OK;
}

/* ---- CausalConvWithState ---- */

/* One channel: line holds the state, then the input. */
static void convolve(const het__eval *e, int64_t channel, int64_t taps, const double *line,
                     int64_t length, double *out)
{
    const het__tensor *w = &e->inputs[1], *bias = het__eval_input(e, 2);
    const double start = bias ? het__get_f64(bias->dtype, bias->data, channel) : 0;
    for (int64_t t = 0; t < length; t++)
        out[t] = start;
    for (int64_t k = 0; k < taps; k++) {
        const double weight = het__get_f64(w->dtype, w->data, channel * taps + k);
        for (int64_t t = 0; t < length; t++)
            out[t] += weight * line[t + k];
    }
    if (strcmp(het__attr_string(e->attrs, "activation", "none"), "none") != 0)
        for (int64_t t = 0; t < length; t++)
            out[t] /= 1 + exp(-out[t]);
}

het_status het__plain_causal_conv(het__eval *e)
{
    const het__tensor *x = &e->inputs[0], *past = het__eval_input(e, 3);
    const int64_t taps = e->inputs[1].extent[2], held = taps - 1, length = x->extent[2];
    size_t line_length;
    if (x->extent[0] == 0 || x->extent[1] == 0)
        return HET_OK;
    if (!het__add_size((size_t)held, (size_t)length, &line_length))
        return het__eval_nomem(e);
    het__rows rows;
    const het_status s = het__rows_of(e, x, &rows);
    double *line = het__eval_scratch(e, line_length, sizeof *line);
    double *out = het__eval_scratch(e, (size_t)length, sizeof *out);
    if (s != HET_OK || !line || !out)
        return het__eval_nomem(e);
    for (int64_t b = 0; b < x->extent[0]; b++)
        for (int64_t c = 0; c < x->extent[1]; c++) {
            const int64_t at = b * x->extent[1] + c;
            for (int64_t k = 0; k < held; k++)
                line[k] = past ? het__get_f64(past->dtype, past->data, at * held + k) : 0;
            het__rows_load(&rows, at * length, length, line + held);
            convolve(e, c, taps, line, length, out);
            het__store_row(e->outputs[0].dtype, e->outputs[0].data, at * length, length, out);
            if (e->output_count > 1 && e->outputs[1].data)
                het__store_row(e->outputs[1].dtype, e->outputs[1].data, at * held, held,
                               line + length);
        }
    return HET_OK;
}
