/* SPDX-License-Identifier: Apache-2.0 */
/* RNN, GRU and LSTM: each direction of each sequence is worked off step by step; a step is one
 * product of weights and input, one of recurrence and state, and the cell. States stay in double
 * between steps, outputs are rounded once. */
#include <math.h>
#include <string.h>

#include "lib/ir/sequence.h"
#include "lib/plain/rows.h"

typedef struct recurrent {
    het__eval *e;
    het__recurrent form;
    het__rows x, w, r;
    double *input;  /* width: X of the step */
    double *gates;  /* gates * hidden: W x + bias */
    double *again;  /* gates * hidden: R h, with its bias where that stays apart */
    double *hidden; /* the state */
    double *cell;   /* LSTM only */
    double *reset;  /* GRU: reset state */
} recurrent;

static double bend(const het__activation *a, double x, double clip)
{
    x = x > clip ? clip : x < -clip ? -clip : x;
    switch (a->curve) {
    case HET__CURVE_TANH: return tanh(x);
    case HET__CURVE_SIGMOID: return 1 / (1 + exp(-x));
    case HET__CURVE_RELU: return x > 0 ? x : 0;
    case HET__CURVE_AFFINE: return a->alpha * x + a->beta;
    case HET__CURVE_LEAKY_RELU: return x >= 0 ? x : a->alpha * x;
    case HET__CURVE_THRESHOLDED_RELU: return x >= a->alpha ? x : 0;
    case HET__CURVE_SCALED_TANH: return a->alpha * tanh(a->beta * x);
    case HET__CURVE_HARD_SIGMOID: return fmin(fmax(a->alpha * x + a->beta, 0), 1);
    case HET__CURVE_ELU: return x >= 0 ? x : a->alpha * expm1(x);
    case HET__CURVE_SOFTSIGN: return x / (1 + fabs(x));
    case HET__CURVE_SOFTPLUS: return x > 0 ? x + log1p(exp(-x)) : log1p(exp(x));
    }
    return x;
}

static double optional(const het__eval *e, uint32_t i, int64_t at)
{
    const het__tensor *t = het__eval_input(e, i);
    return t ? het__get_f64(t->dtype, t->data, at) : 0;
}

/* What a gate adds of the cell: nothing where there are no peepholes, whatever the cell holds. */
static double peephole(const het__eval *e, int64_t at, double cell)
{
    const het__tensor *t = het__eval_input(e, 7);
    return t ? het__get_f64(t->dtype, t->data, at) * cell : 0;
}

/* gates = W x + Wb + Rb (the latter not where the GRU resets it), again = R h. */
static void multiply(recurrent *r, uint32_t direction)
{
    const het__recurrent *f = &r->form;
    const int64_t rows = f->gates * f->hidden;
    const bool resets = f->gates == 3 && f->is_linear_before_reset;
    const int64_t held = resets ? 2 * f->hidden : rows;
    const int64_t products = f->gates == 3 && !resets ? 2 * f->hidden : rows;
    for (int64_t i = 0; i < rows; i++) {
        const int64_t row = direction * rows + i, bias = direction * 2 * rows + i;
        r->gates[i] = het__rows_dot(&r->w, row * f->width, f->width, r->input) +
                      optional(r->e, 3, bias);
        r->again[i] = i < products
                          ? het__rows_dot(&r->r, row * f->hidden, f->hidden, r->hidden)
                          : 0;
        *(i < held ? &r->gates[i] : &r->again[i]) += optional(r->e, 3, bias + rows);
    }
}

static void step_rnn(recurrent *r, const het__activation *act)
{
    for (int64_t i = 0; i < r->form.hidden; i++)
        r->hidden[i] = bend(act, r->gates[i] + r->again[i], r->form.clip);
}

static void step_gru(recurrent *r, uint32_t direction, const het__activation *act)
{
    const het__recurrent *f = &r->form;
    const int64_t n = f->hidden;
    double *update = r->gates, *reset = r->gates + n, *fresh = r->gates + 2 * n;
    for (int64_t i = 0; i < n; i++) {
        update[i] = bend(&act[0], update[i] + r->again[i], f->clip);
        reset[i] = bend(&act[0], reset[i] + r->again[n + i], f->clip);
        r->reset[i] = reset[i] * r->hidden[i];
    }
    for (int64_t i = 0; i < n; i++) {
        const int64_t row = direction * 3 * n + 2 * n + i;
        const double recurrence = f->is_linear_before_reset
                                      ? reset[i] * r->again[2 * n + i]
                                      : het__rows_dot(&r->r, row * n, n, r->reset);
        fresh[i] = bend(&act[1], fresh[i] + recurrence, f->clip);
    }
    for (int64_t i = 0; i < n; i++)
        r->hidden[i] = (1 - update[i]) * fresh[i] + update[i] * r->hidden[i];
}

static void step_lstm(recurrent *r, uint32_t direction, const het__activation *act)
{
    const het__recurrent *f = &r->form;
    const int64_t n = f->hidden, peep = direction * 3 * n;
    for (int64_t i = 0; i < n; i++) {
        double gate[4];
        for (int k = 0; k < 4; k++)
            gate[k] = r->gates[k * n + i] + r->again[k * n + i];
        const double before = r->cell[i];
        gate[0] += peephole(r->e, peep + i, before);
        gate[2] += peephole(r->e, peep + 2 * n + i, before);
        const double in = bend(&act[0], gate[0], f->clip);
        const double keep = f->couples_forget ? 1 - in : bend(&act[0], gate[2], f->clip);
        const double cell = keep * before + in * bend(&act[1], gate[3], f->clip);
        gate[1] += peephole(r->e, peep + n + i, cell);
        r->cell[i] = cell;
        /* The cell is not clipped here: ONNX Runtime bounds the gates only. */
        r->hidden[i] = bend(&act[0], gate[1], f->clip) * bend(&act[2], cell, (double)INFINITY);
    }
}

static int64_t state_at(const het__recurrent *f, uint32_t direction, int64_t b)
{
    return (f->is_batch_first ? b * f->directions + direction : direction * f->batch + b) *
           f->hidden;
}

static int64_t output_at(const het__recurrent *f, int64_t t, uint32_t direction, int64_t b)
{
    return (f->is_batch_first ? (b * f->steps + t) * f->directions + direction
                              : (t * f->directions + direction) * f->batch + b) *
           f->hidden;
}

static void store(recurrent *r, uint32_t output, int64_t at, const double *x)
{
    const het__eval *e = r->e;
    if (output < e->output_count && e->outputs[output].data)
        het__store_row(e->outputs[output].dtype, e->outputs[output].data, at, r->form.hidden, x);
}

static void run_sequence(recurrent *r, uint32_t direction, int64_t b, int64_t length)
{
    const het__recurrent *f = &r->form;
    const bool backwards = direction == 1 || f->is_reversed;
    const het__activation *act = &f->activations[direction * f->curves];
    const int64_t state = state_at(f, direction, b);
    for (int64_t i = 0; i < f->hidden; i++) {
        r->hidden[i] = optional(r->e, 5, state + i);
        r->cell[i] = f->gates == 4 ? optional(r->e, 6, state + i) : 0;
    }
    for (int64_t s = 0; s < length; s++) {
        const int64_t t = backwards ? length - 1 - s : s;
        const int64_t x = f->is_batch_first ? b * f->steps + t : t * f->batch + b;
        het__rows_load(&r->x, x * f->width, f->width, r->input);
        multiply(r, direction);
        if (f->gates == 4)
            step_lstm(r, direction, act);
        else if (f->gates == 3)
            step_gru(r, direction, act);
        else
            step_rnn(r, act);
        store(r, 0, output_at(f, t, direction, b), r->hidden);
    }
    memset(r->reset, 0, (size_t)f->hidden * sizeof *r->reset);
    /* An empty sequence ends in zeros, not in its initial state, as in ONNX Runtime. */
    store(r, 1, state, length || !f->steps ? r->hidden : r->reset);
    if (f->gates == 4)
        store(r, 2, state, length || !f->steps ? r->cell : r->reset);
    for (int64_t t = length; t < f->steps; t++)
        store(r, 0, output_at(f, t, direction, b), r->reset);
}

static het_status prepare(recurrent *r)
{
    const het__recurrent *f = &r->form;
    const size_t hidden = (size_t)f->hidden, rows = hidden * f->gates;
    het_status s = het__rows_of(r->e, &r->e->inputs[0], &r->x);
    if (s == HET_OK)
        s = het__rows_of(r->e, &r->e->inputs[1], &r->w);
    if (s == HET_OK)
        s = het__rows_of(r->e, &r->e->inputs[2], &r->r);
    if (s != HET_OK)
        return s;
    r->input = het__eval_scratch(r->e, (size_t)f->width, sizeof(double));
    r->gates = het__eval_scratch(r->e, rows, sizeof(double));
    r->again = het__eval_scratch(r->e, rows, sizeof(double));
    r->hidden = het__eval_scratch(r->e, hidden, sizeof(double));
    r->cell = het__eval_scratch(r->e, hidden, sizeof(double));
    r->reset = het__eval_scratch(r->e, hidden, sizeof(double));
    return r->input && r->gates && r->again && r->hidden && r->cell && r->reset
               ? HET_OK
               : het__eval_nomem(r->e);
}

het_status het__plain_recurrent(het__eval *e)
{
    recurrent r = { .e = e };
    het_status s = het__recurrent_form(e, &r.form);
    if (s != HET_OK || r.form.batch == 0 || r.form.hidden == 0)
        return s;
    s = prepare(&r);
    const het__tensor *lens = het__eval_input(e, 4);
    for (int64_t b = 0; s == HET_OK && b < r.form.batch; b++) {
        const int64_t length = lens ? het__get_i64(lens->dtype, lens->data, b) : r.form.steps;
        if (length < 0 || length > r.form.steps)
            return het__eval_refuse(e, "sequence %lld has %lld of %lld steps", (long long)b,
                                    (long long)length, (long long)r.form.steps);
        for (uint32_t d = 0; d < r.form.directions; d++)
            run_sequence(&r, d, b, length);
    }
    return s;
}
