/* SPDX-License-Identifier: Apache-2.0 */
/* Transposed convolutions: each input element spreads a kernel over the output. The window is that
 * of the convolution which it is the transpose of, so "image" here is the output. */
#include "lib/plain/sliding.h"

typedef struct work {
    const het__window *w;
    double *input; /* channels of a group */
    const double *weights; /* of the output channel at hand, and apart for the next input channel */
    int64_t apart;
    double *plane; /* of the output */
    het__tap_row *rows;
    const het__tap *taps;
    int64_t channels;
} work;

static void spread_strided(double *restrict sum, const double *restrict x, double scale,
                           int64_t count, int64_t step)
{
    for (int64_t j = 0; j < count; j++)
        sum[j * step] += scale * x[j];
}

/* A row of one input channel. */
static void spread_row(const work *k, const double *input, const double *weights, int64_t rows)
{
    const het__window *w = k->w;
    const uint32_t last = w->axes - 1;
    for (int64_t r = 0; r < rows; r++)
        for (int64_t tap = 0; tap < w->kernel[last]; tap++) {
            const het__tap *t = &k->taps[tap];
            if (t->count > 0)
                spread_strided(k->plane + k->rows[r].image + t->from, input + t->first,
                               weights[k->rows[r].kernel + tap], t->count, w->stride[last]);
        }
}

static void spread(const work *k)
{
    const het__window *w = k->w;
    int64_t at[HET__WINDOW_AXES] = { 0 }, from = 0;
    do {
        const int64_t rows = het__tap_rows(w, at, k->rows);
        for (int64_t c = 0; c < k->channels; c++)
            spread_row(k, k->input + c * w->out_span + from, k->weights + c * k->apart, rows);
        from += w->out[w->axes - 1];
    } while (het__tap_next(w, at));
}

static void run_group(het__eval *e, work *k, int64_t batch, int64_t group, double *weights)
{
    const het__window *w = k->w;
    const het__tensor *x = &e->inputs[0], *v = &e->inputs[1], *bias = het__eval_input(e, 2);
    const int64_t outputs = w->out_channels / w->groups;
    /* [channels of the group, outputs, kernel] */
    het__doubles_get(v->dtype, v->data, group * k->channels * k->apart, 1, k->channels * k->apart,
                     0, weights);
    het__doubles_get(x->dtype, x->data, (batch * w->channels + group * k->channels) * w->out_span,
                     1, k->channels * w->out_span, 0, k->input);
    for (int64_t o = 0; o < outputs; o++) {
        const int64_t channel = group * outputs + o;
        const double start = bias ? het__get_f64(bias->dtype, bias->data, channel) : 0.0;
        for (int64_t i = 0; i < w->in_span; i++)
            k->plane[i] = start;
        k->weights = weights + o * w->kernel_span;
        if (w->out_span)
            spread(k);
        het__doubles_put(e->outputs[0].dtype, e->outputs[0].data,
                         (batch * w->out_channels + channel) * w->in_span, 1, w->in_span, k->plane);
    }
}

het_status het__plain_conv_transpose(het__eval *e)
{
    het__window w;
    const het_status s = het__window_conv_transpose(e, &w);
    if (s != HET_OK)
        return s;
    if (het__tensor_elements(&e->outputs[0]) == 0)
        return HET_OK;
    het__window_flatten(&w);
    const int64_t outputs = w.out_channels / w.groups;
    work k = { .w = &w, .channels = w.channels / w.groups, .apart = outputs * w.kernel_span };
    double *input = het__eval_scratch(e, (size_t)(k.channels * w.out_span), sizeof *input);
    double *weights = het__eval_scratch(e, (size_t)(k.channels * k.apart), sizeof *weights);
    k.plane = het__eval_scratch(e, (size_t)w.in_span, sizeof *k.plane);
    k.rows = het__eval_scratch(e, (size_t)het__tap_rows_max(&w), sizeof *k.rows);
    k.taps = het__taps(e, &w);
    k.input = input;
    if (!input || !weights || !k.plane || !k.rows || !k.taps)
        return het__eval_nomem(e);
    for (int64_t b = 0; b < w.batch; b++)
        for (int64_t g = 0; g < w.groups; g++)
            run_group(e, &k, b, g, weights);
    return HET_OK;
}
