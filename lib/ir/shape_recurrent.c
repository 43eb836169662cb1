/* SPDX-License-Identifier: Apache-2.0 */
/* Forms, shapes and arithmetic of RNN, GRU and LSTM. Extents of the outputs never depend on
 * contents here. */
#include <math.h>
#include <string.h>

#include "lib/ir/sequence.h"
#include "lib/ir/shapes.h"

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
        s = het__eval_expect_optional(e, 3, "B", type, 2, bias);
    if (s == HET_OK)
        s = check_lengths(e, form);
    if (s == HET_OK)
        s = het__eval_expect_optional(e, 5, "initial_h", type, 3, state);
    if (s == HET_OK && form->gates == 4)
        s = het__eval_expect_optional(e, 6, "initial_c", type, 3, state);
    if (s == HET_OK && form->gates == 4)
        s = het__eval_expect_optional(e, 7, "P", type, 2, peephole);
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
