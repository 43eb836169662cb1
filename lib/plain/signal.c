/* SPDX-License-Identifier: Apache-2.0 */
/* DFT, STFT, windows and the mel filter bank. */
#include <assert.h>
#include <math.h>
#include <string.h>

#include "lib/ir/sequence.h"
#include "lib/plain/fourier.h"
#include "lib/plain/plain.h"

#define PI 3.14159265358979323846

/* Where a line of complex numbers lies in a tensor: elements between its numbers, and of each. */
typedef struct line_place {
    int64_t first, step;
    int64_t parts; /* 1: real */
} line_place;

static double load_part(const het__tensor *t, const line_place *p, int64_t k, int64_t part)
{
    return part < p->parts ? het__get_f64(t->dtype, t->data, p->first + k * p->step + part) : 0;
}

static void store_line(const het__tensor *t, const line_place *p, int64_t n, const double *line)
{
    for (int64_t k = 0; k < n; k++)
        for (int64_t part = 0; part < p->parts; part++)
            het__put_f64(t->dtype, t->data, p->first + k * p->step + part, line[2 * k + part]);
}

/* The half of a spectrum from which a real signal is made again: its other half is the mirror. The
 * imaginary parts at both ends reach the signal's imaginary part only, which nobody stores. */
static void mirror(double *line, int64_t n)
{
    for (int64_t k = 1; k < n - k; k++) {
        line[2 * (n - k)] = line[2 * k];
        line[2 * (n - k) + 1] = -line[2 * k + 1];
    }
}

static void transform_line(const het__dft *f, const het__fourier *plan, const het__tensor *x,
                           const line_place *from, const het__tensor *y, const line_place *to)
{
    const bool is_mirrored = f->is_inverse && f->is_onesided;
    const int64_t there = x->extent[f->axis];
    const int64_t wanted = is_mirrored ? f->length / 2 + 1 : f->length;
    const int64_t taken = there < wanted ? there : wanted;
    memset(plan->line, 0, (size_t)f->length * 2 * sizeof(double));
    for (int64_t k = 0; k < taken; k++)
        for (int64_t part = 0; part < 2; part++)
            plan->line[2 * k + part] = load_part(x, from, k, part);
    if (is_mirrored)
        mirror(plan->line, f->length);
    het__fourier_run(plan, f->is_inverse);
    store_line(y, to, f->bins, plan->line);
}

het_status het__plain_dft(het__eval *e)
{
    het__dft f;
    het__fourier plan;
    bool known;
    het_status s = het__dft_form(e, &f, &known);
    const het__tensor *x = &e->inputs[0], *y = &e->outputs[0];
    if (s != HET_OK || het__tensor_elements(y) == 0)
        return s;
    assert(known);
    s = het__fourier_prepare(e, f.length, &plan);
    if (s != HET_OK)
        return s;
    const int64_t outer = het__tensor_span(y, 0, f.axis);
    const int64_t inner = het__tensor_span(y, f.axis + 1, y->rank - 1);
    const int64_t parts_in = x->extent[x->rank - 1], parts_out = y->extent[y->rank - 1];
    for (int64_t o = 0; o < outer; o++)
        for (int64_t i = 0; i < inner; i++) {
            const line_place from = { (o * x->extent[f.axis] * inner + i) * parts_in,
                                      inner * parts_in, parts_in };
            const line_place to = { (o * f.bins * inner + i) * parts_out, inner * parts_out,
                                    parts_out };
            transform_line(&f, &plan, x, &from, y, &to);
        }
    return HET_OK;
}

het_status het__plain_stft(het__eval *e)
{
    het__dft f;
    het__fourier plan;
    bool known;
    het_status s = het__stft_form(e, &f, &known);
    const het__tensor *x = &e->inputs[0], *y = &e->outputs[0], *window = het__eval_input(e, 2);
    if (s != HET_OK || het__tensor_elements(y) == 0)
        return s;
    assert(known);
    s = het__fourier_prepare(e, f.length, &plan);
    if (s != HET_OK)
        return s;
    const int64_t parts = x->extent[2];
    for (int64_t b = 0; b < x->extent[0]; b++)
        for (int64_t frame = 0; frame < f.frames; frame++) {
            const line_place from = { (b * x->extent[1] + frame * f.step) * parts, parts, parts };
            const line_place to = { (b * f.frames + frame) * f.bins * 2, 2, 2 };
            for (int64_t k = 0; k < f.length; k++) {
                const double w = window ? het__get_f64(window->dtype, window->data, k) : 1;
                plan.line[2 * k] = w * load_part(x, &from, k, 0);
                plan.line[2 * k + 1] = w * load_part(x, &from, k, 1);
            }
            het__fourier_run(&plan, false);
            store_line(y, &to, f.bins, plan.line);
        }
    return HET_OK;
}

/* ---- windows ---- */

static double window_at(het__op op, double turn)
{
    const double c = cos(2 * PI * turn);
    if (op == HET__OP_T_HANN_WINDOW)
        return 0.5 - 0.5 * c;
    if (op == HET__OP_T_HAMMING_WINDOW)
        return 25.0 / 46.0 - 21.0 / 46.0 * c;
    return 0.42 - 0.5 * c + 0.08 * cos(4 * PI * turn);
}

het_status het__plain_window(het__eval *e)
{
    const het__tensor *y = &e->outputs[0];
    const int64_t size = y->extent[0];
    const bool is_periodic = het__attr_int(e->attrs, "periodic", 1) != 0;
    const int64_t whole = is_periodic ? size : size - 1;
    for (int64_t i = 0; i < size; i++) {
        /* A window of one point is its peak. */
        const double x = whole > 0 ? window_at(e->node->op, (double)i / (double)whole) : 1;
        het__put_f64(y->dtype, y->data, i, x);
    }
    return HET_OK;
}

/* ---- mel filter bank ---- */

static double mel_of(double hertz)
{
    return 2595 * log1p(hertz / 700) / log(10);
}

/* The bin of the spectrum in which edge i of the triangles lies, the one behind the last included;
 * -1 if it lies outside. */
static int64_t mel_edge(const het__eval *e, int64_t i)
{
    const het__tensor *in = e->inputs;
    const double bands = (double)het__get_i64(in[0].dtype, in[0].data, 0);
    const double length = (double)het__get_i64(in[1].dtype, in[1].data, 0);
    const double rate = (double)het__get_i64(in[2].dtype, in[2].data, 0);
    const double low = mel_of(het__get_f64(in[3].dtype, in[3].data, 0));
    const double high = mel_of(het__get_f64(in[4].dtype, in[4].data, 0));
    const double mel = low + (double)i * (high - low) / (bands + 2);
    const double hertz = 700 * expm1(mel / 2595 * log(10));
    const double bin = floor((length + 1) * hertz / rate);
    const int64_t bins = e->outputs[0].extent[0];
    return bin >= 0 && bin <= (double)bins ? (int64_t)bin : -1;
}

het_status het__plain_mel(het__eval *e)
{
    const het__tensor *y = &e->outputs[0];
    const int64_t bands = y->extent[1];
    memset(y->data, 0, (size_t)het__tensor_bytes(y));
    for (int64_t band = 0; band < bands; band++) {
        const int64_t low = mel_edge(e, band), top = mel_edge(e, band + 1);
        const int64_t high = mel_edge(e, band + 2);
        if (low < 0 || top < low || high < top || top == y->extent[0])
            return het__eval_refuse(e, "band %lld lies outside the spectrum", (long long)band);
        for (int64_t j = low; j < top; j++)
            het__put_f64(y->dtype, y->data, j * bands + band,
                         (double)(j - low) / (double)(top - low));
        het__put_f64(y->dtype, y->data, top * bands + band, 1);
        for (int64_t j = top + 1; j < high; j++)
            het__put_f64(y->dtype, y->data, j * bands + band,
                         (double)(high - j) / (double)(high - top));
    }
    return HET_OK;
}
