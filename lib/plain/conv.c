/* SPDX-License-Identifier: Apache-2.0 */
/* Convolutions: rows of outputs in doubles, four output channels at a time, so that a row of the
 * image is loaded once for four products. Bytes stay exact, as in products of matrices. */
#include "lib/plain/sliding.h"

#define BLOCK 4 /* output channels */

typedef struct work {
    const het__conv *conv;
    const het__window *w;
    double *image;   /* channels of a group */
    double *weights; /* of BLOCK output channels */
    double *sums;    /* BLOCK rows of outputs */
    double *run;     /* elements of a row of the image that a stride picks */
    het__tap_row *rows;
    const het__tap *taps;
    int64_t channels; /* of a group */
} work;

static void add_strided(double *restrict sum, const double *restrict x, double scale, int64_t count,
                        int64_t step)
{
    for (int64_t j = 0; j < count; j++)
        sum[j] += scale * x[j * step];
}

static void add_four(double *restrict s0, double *restrict s1, double *restrict s2,
                     double *restrict s3, const double *restrict x, const double *restrict scales,
                     int64_t count)
{
    const double a = scales[0], b = scales[1], c = scales[2], d = scales[3];
    for (int64_t j = 0; j < count; j++) {
        const double y = x[j];
        s0[j] += a * y;
        s1[j] += b * y;
        s2[j] += c * y;
        s3[j] += d * y;
    }
}

/* One tap of one input channel into the rows of n output channels. */
static void add_tap(const work *k, int64_t n, const double *image, const double *weights,
                    int64_t first, int64_t count)
{
    const int64_t step = k->w->stride[k->w->axes - 1], row = k->w->out[k->w->axes - 1];
    const int64_t apart = k->channels * k->w->kernel_span;
    double *s = k->sums + first;
    if (step != 1 && n == 1) {
        add_strided(s, image, weights[0], count, step);
        return;
    }
    for (int64_t j = 0; step != 1 && j < count; j++)
        k->run[j] = image[j * step];
    const double *x = step != 1 ? k->run : image;
    if (n == BLOCK) {
        const double scales[] = { weights[0], weights[apart], weights[2 * apart],
                                  weights[3 * apart] };
        add_four(s, s + row, s + 2 * row, s + 3 * row, x, scales, count);
        return;
    }
    for (int64_t i = 0; i < n; i++)
        het__doubles_add(s + i * row, x, weights[i * apart], count);
}

/* A row of outputs of n channels, without bias. */
static void convolve_row(const work *k, int64_t n, const int64_t *at)
{
    const het__window *w = k->w;
    const uint32_t last = w->axes - 1;
    const int64_t rows = het__tap_rows(w, at, k->rows);
    for (int64_t c = 0; c < k->channels; c++)
        for (int64_t r = 0; r < rows; r++) {
            const double *image = k->image + c * w->in_span + k->rows[r].image;
            const double *weights = k->weights + c * w->kernel_span + k->rows[r].kernel;
            for (int64_t tap = 0; tap < w->kernel[last]; tap++) {
                const het__tap *t = &k->taps[tap];
                if (t->count > 0)
                    add_tap(k, n, image + t->from, weights + tap, t->first, t->count);
            }
        }
}

static void load_weights(const work *k, int64_t channel, int64_t n)
{
    const het__conv *conv = k->conv;
    const int64_t size = k->channels * k->w->kernel_span;
    for (int64_t i = 0; i < n; i++) {
        const double zero =
            conv->weight_zeros ? conv->weight_zeros[(channel + i) * conv->zero_step] : 0.0;
        het__doubles_get(conv->weights->dtype, conv->weights->data, (channel + i) * size, 1, size,
                         zero, k->weights + i * size);
    }
}

/* Output channels channel to channel + n - 1 of an image whose group is loaded. */
static void convolve(const work *k, int64_t batch, int64_t channel, int64_t n)
{
    const het__window *w = k->w;
    const int64_t row = w->out[w->axes - 1];
    int64_t at[HET__WINDOW_AXES] = { 0 }, done = 0;
    load_weights(k, channel, n);
    do {
        for (int64_t i = 0; i < n; i++)
            for (int64_t j = 0; j < row; j++)
                k->sums[i * row + j] = k->conv->bias ? k->conv->bias[channel + i] : 0.0;
        convolve_row(k, n, at);
        for (int64_t i = 0; i < n; i++)
            k->conv->sink(k->conv->user, channel + i,
                          (batch * w->out_channels + channel + i) * w->out_span + done, row,
                          k->sums + i * row);
        done += row;
    } while (het__tap_next(w, at));
}

het_status het__conv_run(het__eval *e, const het__conv *conv)
{
    het__window w = conv->window;
    if (w.batch == 0 || w.out_channels == 0 || w.out_span == 0)
        return HET_OK;
    het__window_flatten(&w);
    const int64_t channels = w.channels / w.groups, outputs = w.out_channels / w.groups;
    work k = { .conv = conv, .w = &w, .channels = channels };
    k.image = het__eval_scratch(e, (size_t)(channels * w.in_span), sizeof *k.image);
    k.weights = het__eval_scratch(e, (size_t)(channels * w.kernel_span), BLOCK * sizeof *k.weights);
    k.sums = het__eval_scratch(e, (size_t)w.out[w.axes - 1], BLOCK * sizeof *k.sums);
    k.run = het__eval_scratch(e, (size_t)w.out[w.axes - 1], sizeof *k.run);
    k.rows = het__eval_scratch(e, (size_t)het__tap_rows_max(&w), sizeof *k.rows);
    k.taps = het__taps(e, &w);
    if (!k.image || !k.weights || !k.sums || !k.run || !k.rows || !k.taps)
        return het__eval_nomem(e);
    for (int64_t b = 0; b < w.batch; b++)
        for (int64_t g = 0; g < w.groups; g++) {
            het__doubles_get(conv->image->dtype, conv->image->data,
                             (b * w.channels + g * channels) * w.in_span, 1, channels * w.in_span,
                             conv->image_zero, k.image);
            for (int64_t o = 0; o < outputs; o += BLOCK)
                convolve(&k, b, g * outputs + o, outputs - o < BLOCK ? outputs - o : BLOCK);
        }
    return HET_OK;
}

static void put_row(void *user, int64_t channel, int64_t first, int64_t count, const double *sums)
{
    het__tensor *out = user;
    (void)channel;
    het__doubles_put(out->dtype, out->data, first, 1, count, sums);
}

het_status het__plain_conv(het__eval *e)
{
    het__conv conv = { .image = &e->inputs[0], .weights = &e->inputs[1], .sink = put_row,
                       .user = &e->outputs[0] };
    const het_status s = het__window_conv(e, &conv.window);
    const het__tensor *bias = het__eval_input(e, 2);
    if (s != HET_OK)
        return s;
    if (bias && !(conv.bias = het__plain_f64(e, bias)))
        return het__eval_nomem(e);
    return het__conv_run(e, &conv);
}
