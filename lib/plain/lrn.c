/* SPDX-License-Identifier: Apache-2.0 */
/* Along and back: normalisation over neighbouring channels, and pools undone by their indices. */
#include <math.h>

#include "lib/ir/window.h"
#include "lib/plain/doubles.h"

typedef struct lrn {
    int64_t channels, span;
    int64_t before, behind; /* channels of the window around one */
    double alpha, beta, bias;
} lrn;

static void normalise(const lrn *n, const double *image, int64_t channel, double *sums, double *out)
{
    const int64_t first = channel > n->before ? channel - n->before : 0;
    const int64_t last = n->channels - channel > n->behind ? channel + n->behind : n->channels - 1;
    for (int64_t i = 0; i < n->span; i++)
        sums[i] = 0;
    for (int64_t c = first; c <= last; c++)
        for (int64_t i = 0; i < n->span; i++)
            sums[i] += image[c * n->span + i] * image[c * n->span + i];
    for (int64_t i = 0; i < n->span; i++)
        out[i] = image[channel * n->span + i] * pow(n->bias + n->alpha * sums[i], -n->beta);
}

het_status het__plain_lrn(het__eval *e)
{
    const het__tensor *x = &e->inputs[0];
    const int64_t size = het__attr_int(e->attrs, "size", 1);
    if (het__tensor_elements(x) == 0)
        return HET_OK;
    const lrn n = { .channels = x->extent[1], .span = het__tensor_span(x, 2, x->rank),
                    .before = (size - 1) / 2, .behind = size / 2,
                    .alpha = (double)het__attr_float(e->attrs, "alpha", 1e-4f) / (double)size,
                    .beta = (double)het__attr_float(e->attrs, "beta", 0.75f),
                    .bias = (double)het__attr_float(e->attrs, "bias", 1.0f) };
    const int64_t image = n.channels * n.span;
    double *in = het__eval_scratch(e, (size_t)image, sizeof *in);
    double *sums = het__eval_scratch(e, (size_t)n.span, 2 * sizeof *sums);
    if (!in || !sums)
        return het__eval_nomem(e);
    for (int64_t b = 0; b < x->extent[0]; b++) {
        het__doubles_get(x->dtype, x->data, b * image, 1, image, 0, in);
        for (int64_t c = 0; c < n.channels; c++) {
            normalise(&n, in, c, sums, sums + n.span);
            het__doubles_put(x->dtype, e->outputs[0].data, b * image + c * n.span, 1, n.span,
                             sums + n.span);
        }
    }
    return HET_OK;
}

/* Indices count in the tensor that the pool had; where another output shape is given, elements keep
 * their coordinates and those outside are dropped. */
het_status het__plain_max_unpool(het__eval *e)
{
    const het__tensor *x = &e->inputs[0], *places = &e->inputs[1];
    het__tensor *out = &e->outputs[0];
    het__tensor pooled = { .rank = x->rank };
    int64_t strides[HET_RANK_MAX], all = 1;
    const int64_t n = het__tensor_elements(x);
    const het_status s = het__window_unpool(e, pooled.extent);
    if (s != HET_OK)
        return s;
    for (uint32_t k = 0; k < x->rank; k++)
        if (pooled.extent[k] < 0 || !het__mul_i64(all, pooled.extent[k], &all))
            return het__eval_refuse(e, "what was pooled has an impossible size");
    het__tensor_strides(out, strides);
    memset(out->data, 0, (size_t)het__tensor_bytes(out));
    for (int64_t i = 0; i < n; i++) {
        int64_t at = het__get_i64(HET_DTYPE_I64, places->data, i), to = 0;
        if (at < 0 || at >= all)
            return het__eval_refuse(e, "index %lld of %lld elements", (long long)at,
                                    (long long)all);
        for (uint32_t k = x->rank; k-- > 0 && to >= 0;) {
            const int64_t here = at % pooled.extent[k];
            at /= pooled.extent[k];
            to = here < out->extent[k] ? to + here * strides[k] : -1;
        }
        if (to >= 0)
            het__put_f64(out->dtype, out->data, to, het__get_f64(x->dtype, x->data, i));
    }
    return HET_OK;
}
