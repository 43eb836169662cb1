/* SPDX-License-Identifier: Apache-2.0 */
/* Forms, shapes and arithmetic of Fourier transforms, windows and the mel filter bank: most sizes
 * stand in the contents of scalars. */
#include <math.h>
#include <string.h>

#include "lib/ir/sequence.h"
#include "lib/ir/shapes.h"

/* The one integer that input i holds. *known stays as it is unless its contents are not there. */
static het_status read_scalar(const het__eval *e, uint32_t i, const char *name, int64_t *value,
                              bool *present, bool *known)
{
    het_status s;
    uint32_t count;
    if (!het__eval_ints(e, i, NULL, 1, value, &count, present, &s)) {
        *known = false;
        return HET_OK;
    }
    if (s == HET_OK && *present && count != 1)
        return het__eval_refuse(e, "%s is not one integer", name);
    return s;
}

/* ---- Fourier transforms ---- */

/* Operation sets below 20 have the axis as an attribute. */
static het_status read_axis(const het__eval *e, het__dft *f, bool *known)
{
    const uint32_t rank = e->inputs[0].rank;
    const bool is_attribute = e->attrs->opset < 20;
    int64_t axis = is_attribute ? het__attr_int(e->attrs, "axis", 1) : -2;
    bool present = false;
    const het_status s =
        is_attribute ? HET_OK : read_scalar(e, 2, "axis", &axis, &present, known);
    if (s != HET_OK || !*known)
        return s;
    const int64_t at = het__axis(axis, rank);
    if (at < 0 || at == (int64_t)rank - 1)
        return het__eval_refuse(e, "axis %lld of %u", (long long)axis, rank);
    f->axis = (uint32_t)at;
    return HET_OK;
}

static het_status check_signal(const het__eval *e, const char *name)
{
    const het__tensor *x = het__eval_input(e, 0);
    if (!x || x->rank < 2 || !het__is_real(x->dtype))
        return het__eval_refuse(e, "%s is not a floating tensor of rank 2 or more", name);
    const int64_t parts = x->extent[x->rank - 1];
    if (parts != 1 && parts != 2)
        return het__eval_refuse(e, "the last extent of %s is %lld, not 1 or 2", name,
                                (long long)parts);
    return HET_OK;
}

het_status het__dft_form(const het__eval *e, het__dft *f, bool *known)
{
    memset(f, 0, sizeof *f);
    *known = true;
    het_status s = check_signal(e, "input");
    if (s == HET_OK)
        s = read_axis(e, f, known);
    if (s != HET_OK)
        return s;
    f->is_inverse = het__attr_int(e->attrs, "inverse", 0) != 0;
    f->is_onesided = het__attr_int(e->attrs, "onesided", 0) != 0;
    f->is_complex = e->inputs[0].extent[e->inputs[0].rank - 1] == 2;
    if (f->is_onesided && !f->is_inverse && f->is_complex)
        return het__eval_refuse(e, "one side only of the transform of complex numbers");
    bool present;
    s = read_scalar(e, 1, "dft_length", &f->length, &present, known);
    if (s != HET_OK || !*known)
        return s;
    if (!present) {
        const int64_t given = e->inputs[0].extent[f->axis];
        f->length = f->is_onesided && f->is_inverse ? given - 1 : given;
        if (f->is_onesided && f->is_inverse && !het__mul_i64(f->length, 2, &f->length))
            return het__eval_refuse(e, "%lld elements", (long long)given);
    }
    if (f->length < 1)
        return het__eval_refuse(e, "a transform of length %lld", (long long)f->length);
    f->bins = f->is_onesided && !f->is_inverse ? f->length / 2 + 1 : f->length;
    return HET_OK;
}

het_status het__shape_dft(het__eval *e)
{
    het__dft f;
    bool known;
    const het_status s = het__dft_form(e, &f, &known);
    if (s != HET_OK)
        return s;
    const het__tensor *x = &e->inputs[0];
    e->outputs[0].dtype = x->dtype;
    if (!known)
        return het__eval_unknown(e);
    int64_t extent[HET_RANK_MAX];
    memcpy(extent, x->extent, sizeof extent);
    extent[f.axis] = f.bins;
    extent[x->rank - 1] = f.is_onesided && f.is_inverse ? 1 : 2;
    return het__eval_shape(e, 0, x->dtype, x->rank, extent);
}

static het_status read_frames(const het__eval *e, het__dft *f, bool *known)
{
    const het__tensor *window = het__eval_input(e, 2);
    const int64_t samples = e->inputs[0].extent[1];
    bool has_step, has_length;
    het_status s = read_scalar(e, 1, "frame_step", &f->step, &has_step, known);
    if (s == HET_OK)
        s = read_scalar(e, 3, "frame_length", &f->length, &has_length, known);
    if (s != HET_OK || !*known)
        return s;
    if (!has_length)
        f->length = window ? window->extent[0] : samples;
    if (!has_step || f->step < 1 || f->length < 1 || f->length > samples)
        return het__eval_refuse(e, "frames of %lld at steps of %lld in %lld samples",
                                (long long)f->length, (long long)f->step, (long long)samples);
    f->frames = (samples - f->length) / f->step + 1;
    f->bins = f->is_onesided ? f->length / 2 + 1 : f->length;
    return window ? het__eval_expect(e, 2, "window", e->inputs[0].dtype, 1, &f->length) : HET_OK;
}

het_status het__stft_form(const het__eval *e, het__dft *f, bool *known)
{
    memset(f, 0, sizeof *f);
    *known = true;
    het_status s = check_signal(e, "signal");
    if (s == HET_OK && e->inputs[0].rank != 3)
        s = het__eval_refuse(e, "signal has rank %u, not 3", e->inputs[0].rank);
    const het__tensor *window = het__eval_input(e, 2);
    if (s == HET_OK && window && (window->rank != 1 || window->dtype != e->inputs[0].dtype))
        s = het__eval_refuse(e, "window is not a row of the signal's type");
    if (s != HET_OK)
        return s;
    f->axis = 1;
    f->is_onesided = het__attr_int(e->attrs, "onesided", 1) != 0;
    f->is_complex = e->inputs[0].extent[2] == 2;
    if (f->is_onesided && f->is_complex)
        return het__eval_refuse(e, "one side only of the transform of complex numbers");
    return read_frames(e, f, known);
}

het_status het__shape_stft(het__eval *e)
{
    het__dft f;
    bool known;
    const het_status s = het__stft_form(e, &f, &known);
    if (s != HET_OK)
        return s;
    e->outputs[0].dtype = e->inputs[0].dtype;
    if (!known)
        return het__eval_unknown(e);
    const int64_t extent[] = { e->inputs[0].extent[0], f.frames, f.bins, 2 };
    return het__eval_shape(e, 0, e->inputs[0].dtype, 4, extent);
}

void het__count_dft(const het__eval *e, het__work *work)
{
    het__dft f;
    bool known;
    const bool is_short = e->node->op == HET__OP_T_STFT;
    if ((is_short ? het__stft_form(e, &f, &known) : het__dft_form(e, &f, &known)) != HET_OK)
        return;
    const double elements = (double)het__tensor_elements(&e->outputs[0]);
    /* The input's contents may be missing: then the bins that come out stand for the length. */
    const double bins = (double)e->outputs[0].extent[is_short ? 2 : f.axis];
    const double length = known ? (double)f.length : bins;
    work->units = bins > 0 ? elements / bins / 2 : 0;
    work->flops = work->units * 5 * length * log2(length > 1 ? length : 2);
    work->macs = work->flops / 2;
}

/* ---- windows ---- */

static het_status read_output_type(const het__eval *e, het_dtype *type)
{
    const int64_t number = het__attr_int(e->attrs, "output_datatype", 1);
    *type = het__real_or_integer(number);
    return *type != HET_DTYPE_NONE
               ? HET_OK
               : het__eval_refuse(e, "output_datatype %lld", (long long)number);
}

het_status het__shape_window(het__eval *e)
{
    het_dtype type;
    int64_t size = 0;
    bool present = false, known = true;
    het_status s = read_output_type(e, &type);
    if (s == HET_OK)
        s = read_scalar(e, 0, "size", &size, &present, &known);
    if (s != HET_OK)
        return s;
    if (!present)
        return het__eval_refuse(e, "size is missing");
    e->outputs[0].dtype = type;
    return known ? het__eval_shape(e, 0, type, 1, &size) : het__eval_unknown(e);
}

het_status het__shape_mel(het__eval *e)
{
    static const char *const names[] = { "num_mel_bins", "dft_length", "sample_rate" };
    het_dtype type;
    int64_t value[3] = { 0 };
    bool known = true;
    het_status s = read_output_type(e, &type);
    for (uint32_t i = 0; s == HET_OK && i < 3; i++) {
        bool present;
        s = read_scalar(e, i, names[i], &value[i], &present, &known);
        if (s == HET_OK && !present)
            s = het__eval_refuse(e, "%s is missing", names[i]);
    }
    for (uint32_t i = 3; s == HET_OK && i < 5; i++) {
        const het__tensor *edge = het__eval_input(e, i);
        if (!edge || !het__is_real(edge->dtype) || edge->rank > 1 ||
            het__tensor_elements(edge) != 1)
            s = het__eval_refuse(e, "input %u is not one floating number", i);
    }
    if (s != HET_OK)
        return s;
    e->outputs[0].dtype = type;
    if (!known)
        return het__eval_unknown(e);
    if (value[0] < 0 || value[1] < 0 || value[2] < 1)
        return het__eval_refuse(e, "%lld bins of a transform of %lld at %lld Hz",
                                (long long)value[0], (long long)value[1], (long long)value[2]);
    const int64_t extent[] = { value[1] / 2 + 1, value[0] };
    return het__eval_shape(e, 0, type, 2, extent);
}
