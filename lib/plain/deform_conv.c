/* SPDX-License-Identifier: Apache-2.0 */
/* Deformable convolution: each tap of each output position samples the image at a place of its own,
 * linearly between neighbours, zero outside; then a product with the weights. */
#include <math.h>

#include "lib/plain/sliding.h"

typedef struct work {
    het__eval *e;
    het__window w;
    int64_t offset_groups;
    double *image;   /* all channels of one image */
    double *samples; /* [channels of a group, taps] of one position */
    double *weights; /* of all output channels */
} work;

/* Between the 2^axes elements around a place; zero for those outside. */
static double sample(const het__window *w, const double *plane, const double *place)
{
    int64_t low[HET__WINDOW_AXES];
    double share[HET__WINDOW_AXES], sum = 0;
    for (uint32_t i = 0; i < w->axes; i++) {
        if (!(place[i] > -1 && place[i] < (double)w->in[i]))
            return 0;
        low[i] = (int64_t)floor(place[i]);
        share[i] = place[i] - (double)low[i];
    }
    for (uint32_t corner = 0; corner < 1u << w->axes; corner++) {
        double weight = 1;
        int64_t at = 0;
        for (uint32_t i = 0; i < w->axes && at >= 0; i++) {
            const int64_t here = low[i] + (corner >> i & 1);
            weight *= corner >> i & 1 ? share[i] : 1 - share[i];
            at = here >= 0 && here < w->in[i] ? at * w->in[i] + here : -1;
        }
        if (at >= 0)
            sum += weight * plane[at];
    }
    return sum;
}

/* Where tap number tap (counted through the kernel) of a position looks. */
static void place_of(const work *k, int64_t batch, int64_t group, int64_t tap, int64_t position,
                     double *place)
{
    const het__window *w = &k->w;
    const het__tensor *offsets = &k->e->inputs[2];
    int64_t rest_tap = tap, rest_at = position;
    for (uint32_t i = w->axes; i-- > 0;) {
        const int64_t t = rest_tap % w->kernel[i], at = rest_at % w->out[i];
        const int64_t plane =
            ((batch * k->offset_groups + group) * w->kernel_span + tap) * w->axes + i;
        rest_tap /= w->kernel[i];
        rest_at /= w->out[i];
        place[i] = (double)(at * w->stride[i] - w->begin[i] + t * w->dilation[i]) +
                   het__get_f64(offsets->dtype, offsets->data, plane * w->out_span + position);
    }
}

static void sample_group(const work *k, int64_t batch, int64_t first, int64_t channels,
                         int64_t position)
{
    const het__window *w = &k->w;
    const het__tensor *mask = het__eval_input(k->e, 4);
    const int64_t per_group = w->channels / k->offset_groups;
    for (int64_t c = 0; c < channels; c++) {
        const int64_t group = (first + c) / per_group;
        for (int64_t tap = 0; tap < w->kernel_span; tap++) {
            double place[HET__WINDOW_AXES], m = 1;
            place_of(k, batch, group, tap, position, place);
            if (mask)
                m = het__get_f64(mask->dtype, mask->data,
                                 ((batch * k->offset_groups + group) * w->kernel_span + tap) *
                                         w->out_span +
                                     position);
            k->samples[c * w->kernel_span + tap] =
                m * sample(w, k->image + (first + c) * w->in_span, place);
        }
    }
}

static void convolve_group(const work *k, int64_t batch, int64_t group)
{
    const het__window *w = &k->w;
    const het__tensor *bias = het__eval_input(k->e, 3);
    const int64_t channels = w->channels / w->groups, outputs = w->out_channels / w->groups;
    const int64_t size = channels * w->kernel_span;
    for (int64_t position = 0; position < w->out_span; position++) {
        sample_group(k, batch, group * channels, channels, position);
        for (int64_t o = group * outputs; o < (group + 1) * outputs; o++) {
            double sum = bias ? het__get_f64(bias->dtype, bias->data, o) : 0;
            for (int64_t i = 0; i < size; i++)
                sum += k->samples[i] * k->weights[o * size + i];
            het__put_f64(k->e->outputs[0].dtype, k->e->outputs[0].data,
                         (batch * w->out_channels + o) * w->out_span + position, sum);
        }
    }
}

het_status het__plain_deform_conv(het__eval *e)
{
    work k = { .e = e, .offset_groups = het__attr_int(e->attrs, "offset_group", 1) };
    const het_status s = het__window_conv(e, &k.w);
    const het__window *w = &k.w;
    const het__tensor *x = &e->inputs[0];
    if (s != HET_OK || het__tensor_elements(&e->outputs[0]) == 0)
        return s;
    k.image = het__eval_scratch(e, (size_t)(w->channels * w->in_span), sizeof *k.image);
    k.samples = het__eval_scratch(e, (size_t)(w->channels / w->groups * w->kernel_span),
                                  sizeof *k.samples);
    k.weights = het__plain_f64(e, &e->inputs[1]);
    if (!k.image || !k.samples || !k.weights)
        return het__eval_nomem(e);
    for (int64_t b = 0; b < w->batch; b++) {
        het__doubles_get(x->dtype, x->data, b * w->channels * w->in_span, 1,
                         w->channels * w->in_span, 0, k.image);
        for (int64_t g = 0; g < w->groups; g++)
            convolve_group(&k, b, g);
    }
    return HET_OK;
}
