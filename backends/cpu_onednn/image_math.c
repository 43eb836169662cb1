/* SPDX-License-Identifier: Apache-2.0 */
/* Register tiles of convolutions, and windows over one block; compiled once per instruction-set
 * level, like level.c.
 *
 *   conv   B blocks of output channels x P places: for each channel of a step, B vectors of
 *          weights and P numbers of the image make B P multiply-adds
 *
 * The steps are taken in stretches whose weights stay in the first-level cache while all places
 * pass; between stretches sums wait in the output.
 */
#include "backends/cpu_onednn/vec.h"

#include <math.h>

#include "backends/cpu_onednn/image_math.h"
#include "backends/cpu_onednn/vec_curves.h"

#if HET__LEVEL == HET__LEVEL_AVX512
#define MATH het__image_math_avx512
#define LEVEL_NAME "avx512"
#define PLACES_1 12
#define PLACES_2 12
#define PLACES_3 8
#define PLACES_4 6
#define BLOCKS_MAX 4
#elif HET__LEVEL == HET__LEVEL_GENERIC
#define MATH het__image_math_generic
#define LEVEL_NAME "generic"
#define PLACES_1 4
#define PLACES_2 2
#define BLOCKS_MAX 2
#else
#if HET__LEVEL == HET__LEVEL_AVX2VNNI
#define MATH het__image_math_avx2vnni
#define LEVEL_NAME "avx2vnni"
#else
#define MATH het__image_math_avx2
#define LEVEL_NAME "avx2"
#endif
#define PLACES_1 10
#define PLACES_2 6
#define BLOCKS_MAX 2
#define ROW_PLACES 4 /* 16 registers hold no more */
#endif

#define PLACES_MAX 12
/* Bytes of weights of a stretch: most of a first-level cache. */
#define NEAR_BYTES 24576

/* ---- activations ---- */

/* 1 - p(t) e^(-x^2) with t = 1 / (1 + 0.3275911 |x|): Abramowitz and Stegun 7.1.26, off by at most
 * 1.5e-7. */
VEC_INLINE vf vf_erf(vf x)
{
    const vf positive = vf_max(x, vf_sub(vf_zero(), x));
    const vf t = vf_div(vf_set(1), vf_fma(positive, vf_set(0.3275911f), vf_set(1)));
    vf p = vf_fma(t, vf_set(1.061405429f), vf_set(-1.453152027f));
    p = vf_fma(p, t, vf_set(1.421413741f));
    p = vf_fma(p, t, vf_set(-0.284496736f));
    p = vf_fma(p, t, vf_set(0.254829592f));
    const vf e = vf_exp_normal(vf_sub(vf_zero(), vf_mul(x, x)));
    const vf y = vf_sub(vf_set(1), vf_mul(vf_mul(p, t), e));
    return vf_bits(vi_or(vi_bits(y), vi_and(vi_bits(x), vi_set(INT32_MIN))));
}

VEC_INLINE vf act_value(const het__act *act, vf x)
{
    const vf alpha = vf_set(act->alpha), beta = vf_set(act->beta);
    switch (act->kind) {
    case HET__ACT_RELU:
        return vf_max(vf_zero(), x);
    case HET__ACT_CLIP:
        return vf_min(beta, vf_max(alpha, x));
    case HET__ACT_LEAKY_RELU:
        return vf_add(vf_max(vf_zero(), x), vf_mul(alpha, vf_min(vf_zero(), x)));
    case HET__ACT_SIGMOID:
        return vf_sigmoid(x);
    case HET__ACT_SWISH:
        return vf_mul(x, vf_sigmoid(vf_mul(alpha, x)));
    case HET__ACT_HARD_SIGMOID:
        return vf_min(vf_set(1), vf_max(vf_zero(), vf_fma(alpha, x, beta)));
    case HET__ACT_HARD_SWISH:
        return vf_mul(x, vf_min(vf_set(1), vf_max(vf_zero(), vf_fma(x, vf_set(1.0f / 6),
                                                                    vf_set(0.5f)))));
    case HET__ACT_TANH:
        return vf_tanh(x);
    case HET__ACT_GELU_ERF:
        return vf_mul(vf_mul(vf_set(0.5f), x),
                      vf_add(vf_set(1), vf_erf(vf_mul(x, vf_set(0.70710678f)))));
    case HET__ACT_GELU_TANH: {
        const vf inner = vf_mul(x, vf_fma(vf_mul(x, x), vf_set(0.035677408f), vf_set(0.79788456f)));
        return vf_mul(vf_mul(vf_set(0.5f), x), vf_add(vf_set(1), vf_tanh(inner)));
    }
    default:
        return x;
    }
}

static void act_run(const het__act *act, float *x, int64_t count)
{
    if (act->kind == HET__ACT_NONE)
        return;
    int64_t i = 0;
    for (; i + VL <= count; i += VL)
        vf_store(x + i, act_value(act, vf_load(x + i)));
    if (i < count)
        vf_store_n(x + i, act_value(act, vf_load_n(x + i, count - i)), count - i);
}

/* ---- convolutions ---- */

typedef struct stretch {
    const het__conv_job *job;
    const float *weights; /* of the first step */
    int64_t first, end;   /* steps */
    bool begins, ends;    /* the sum: else it is continued from and in the output */
} stretch;

VEC_INLINE void conv_begin(const stretch *s, const int B, const int P, int64_t at,
                           vf sum[][PLACES_MAX])
{
    const het__conv_job *job = s->job;
    VEC_UNROLL
    for (int b = 0; b < B; b++) {
        const float *out = job->output + b * job->output_stride + at * VL;
        const vf bias = job->bias ? vf_load(job->bias + b * VL) : vf_zero();
        VEC_UNROLL
        for (int p = 0; p < P; p++)
            sum[b][p] = s->begins ? bias : vf_load(out + p * VL);
    }
}

/* Done on the sums themselves. */
static bool is_cut(const het__act *act)
{
    return act->kind == HET__ACT_NONE || act->kind == HET__ACT_RELU || act->kind == HET__ACT_CLIP;
}

VEC_INLINE void conv_end(const stretch *s, const int B, const int P, int64_t at,
                         vf sum[][PLACES_MAX])
{
    const het__conv_job *job = s->job;
    VEC_UNROLL
    for (int b = 0; b < B; b++) {
        const int64_t offset = b * job->output_stride + at * VL;
        float *out = job->output + offset;
        if (s->ends && job->residual) {
            VEC_UNROLL
            for (int p = 0; p < P; p++)
                sum[b][p] = vf_add(sum[b][p], vf_load(job->residual + offset + p * VL));
        }
        if (s->ends && job->act->kind == HET__ACT_RELU) {
            VEC_UNROLL
            for (int p = 0; p < P; p++)
                sum[b][p] = vf_max(vf_zero(), sum[b][p]);
        } else if (s->ends && job->act->kind == HET__ACT_CLIP) {
            const vf low = vf_set(job->act->alpha), high = vf_set(job->act->beta);
            VEC_UNROLL
            for (int p = 0; p < P; p++)
                sum[b][p] = vf_min(high, vf_max(low, sum[b][p]));
        }
        VEC_UNROLL
        for (int p = 0; p < P; p++)
            vf_store(out + p * VL, sum[b][p]);
        if (s->ends && !is_cut(job->act))
            act_run(job->act, out, P * VL);
    }
}

#if HET__LEVEL == HET__LEVEL_AVX512
#define HAS_HALVES 1

/* Of the lower half of the lanes, which is half the work where a processor splits long vectors;
 * zero in the others. */
VEC_INLINE vf fma_half(vf a, vf b, vf c)
{
    return _mm512_zextps256_ps512(_mm256_fmadd_ps(
        _mm512_castps512_ps256(a), _mm512_castps512_ps256(b), _mm512_castps512_ps256(c)));
}
#else
#define HAS_HALVES 0
#define fma_half vf_fma
#endif

/* Steps of so many channels; B, P constants where it is inlined. half: the last block is, all
 * others are whole. */
VEC_INLINE void conv_tile(const stretch *s, const int B, const bool half, const int P, int64_t at)
{
    const het__conv_job *job = s->job;
    const float *in[PLACES_MAX], *w = s->weights;
    vf sum[BLOCKS_MAX][PLACES_MAX];
    conv_begin(s, B, P, at, sum);
    VEC_UNROLL
    for (int p = 0; p < P; p++)
        in[p] = job->input + job->places[at + p];
    for (int64_t k = s->first; k < s->end; k++) {
        const int64_t step = job->steps[k];
        const int32_t depth = k < job->tail_step ? job->depth : job->tail_depth;
        for (int32_t c = 0; c < depth; c++, w += B * VL) {
            vf weight[BLOCKS_MAX];
            VEC_UNROLL
            for (int b = 0; b < B; b++)
                weight[b] = vf_load(w + b * VL);
            VEC_UNROLL
            for (int p = 0; p < P; p++) {
                const vf a = vf_bcast(in[p] + step + c);
                VEC_UNROLL
                for (int b = 0; b < B; b++)
                    sum[b][p] = half && b == B - 1 ? fma_half(weight[b], a, sum[b][p])
                                                   : vf_fma(weight[b], a, sum[b][p]);
            }
        }
    }
    conv_end(s, B, P, at, sum);
}

#define CONV_PLACES(name, B, half, P)                                       \
    static void name(const stretch *s)                                      \
    {                                                                       \
        const int64_t count = s->job->place_count;                          \
        int64_t at = 0;                                                     \
        for (; at + (P) <= count; at += (P))                                \
            conv_tile(s, B, half, P, at);                                   \
        for (; at + 4 <= count && (P) > 4; at += 4)                         \
            conv_tile(s, B, half, 4, at);                                   \
        for (; at + 2 <= count && (P) > 2; at += 2)                         \
            conv_tile(s, B, half, 2, at);                                   \
        for (; at < count; at++)                                            \
            conv_tile(s, B, half, 1, at);                                   \
    }
#if HAS_HALVES
#define CONV_BOTH(B, P)                                                     \
    CONV_PLACES(conv_places_##B, B, false, P)                               \
    CONV_PLACES(conv_halves_##B, B, true, P)
#define RUN_BOTH(B) { conv_places_##B, conv_halves_##B }
#else
#define CONV_BOTH(B, P) CONV_PLACES(conv_places_##B, B, false, P)
#define RUN_BOTH(B) { conv_places_##B, conv_places_##B }
#endif
CONV_BOTH(1, PLACES_1)
CONV_BOTH(2, PLACES_2)
#if BLOCKS_MAX == 4
CONV_BOTH(3, PLACES_3)
CONV_BOTH(4, PLACES_4)
#endif

static void conv(const het__conv_job *job)
{
    static void (*const run[][2])(const stretch *) = {
        RUN_BOTH(1), RUN_BOTH(2),
#if BLOCKS_MAX == 4
        RUN_BOTH(3), RUN_BOTH(4),
#endif
    };
    const int64_t channel_floats = (int64_t)job->blocks * VL;
    const int64_t step_floats = channel_floats * job->depth;
    int64_t most = NEAR_BYTES / (int64_t)sizeof(float) / step_floats;
    most = most > 0 ? most : 1;
    for (int64_t k = 0; k < job->step_count; k += most) {
        const int64_t end = k + most < job->step_count ? k + most : job->step_count;
        const int64_t tail = k > job->tail_step ? k - job->tail_step : 0;
        const float *weights =
            job->weights + (k - tail) * step_floats + tail * channel_floats * job->tail_depth;
        const stretch s = { job, weights, k, end, k == 0, end == job->step_count };
        run[job->blocks - 1][job->last_is_half](&s);
    }
}

static int32_t tile(int32_t blocks)
{
    static const int32_t places[] = {
        PLACES_1, PLACES_2,
#if BLOCKS_MAX == 4
        PLACES_3, PLACES_4,
#endif
    };
    return blocks <= BLOCKS_MAX ? places[blocks - 1] : 0;
}

/* ---- windows over one block ---- */

/* Places of a depthwise convolution's tile. */
#ifndef ROW_PLACES
#define ROW_PLACES 8
#endif

/* A row of a window of K columns side by side, at P neighbouring places: each column is read once
 * for all that it belongs to. */
VEC_INLINE void depthwise_row(const float *in, const float *w, const int K, const int P, vf *sum)
{
    vf column[ROW_PLACES + 4];
    VEC_UNROLL
    for (int x = 0; x < P + K - 1; x++)
        column[x] = vf_load(in + x * VL);
    VEC_UNROLL
    for (int k = 0; k < K; k++) {
        const vf weight = vf_load(w + k * VL);
        VEC_UNROLL
        for (int p = 0; p < P; p++)
            sum[p] = vf_fma(weight, column[p + k], sum[p]);
    }
}

/* What is added and done to sums before they are stored. */
VEC_INLINE void depthwise_end(const het__window_job *job, const int P, int64_t offset, vf *sum)
{
    const het__act *act = &job->attrs->act;
    VEC_UNROLL
    for (int p = 0; p < P; p++) {
        if (job->residual)
            sum[p] = vf_add(sum[p], vf_load(job->residual + offset + p * VL));
        if (act->kind == HET__ACT_RELU)
            sum[p] = vf_max(vf_zero(), sum[p]);
        else if (act->kind == HET__ACT_CLIP)
            sum[p] = vf_min(vf_set(act->beta), vf_max(vf_set(act->alpha), sum[p]));
        vf_store(job->output + offset + p * VL, sum[p]);
    }
}

/* K: columns of the window, side by side and for places side by side; 0: as the attributes say. */
VEC_INLINE void depthwise_tile(const het__window_job *job, const int K, const int P, int64_t oy,
                               int64_t ox, int64_t kx_first, int64_t kx_end)
{
    const het__image_attrs *a = job->attrs;
    const int64_t x0 = ox * a->stride[1] - a->pad_begin[1];
    const int64_t y0 = oy * a->stride[0] - a->pad_begin[0];
    const int64_t across = (int64_t)a->stride[1] * VL;
    int64_t ky_first, ky_end;
    vf sum[ROW_PLACES];
    het__image_taps(oy, job->height, a->kernel[0], a->stride[0], a->dilation[0], a->pad_begin[0],
                    &ky_first, &ky_end);
    const vf bias = job->bias ? vf_load(job->bias) : vf_zero();
    VEC_UNROLL
    for (int p = 0; p < P; p++)
        sum[p] = bias;
    for (int64_t ky = ky_first; ky < ky_end; ky++) {
        const float *row = job->input + (y0 + ky * a->dilation[0]) * job->width * VL;
        if (K > 0)
            depthwise_row(row + x0 * VL, job->weights + ky * K * VL, K, P, sum);
        for (int64_t kx = kx_first; K == 0 && kx < kx_end; kx++) {
            const vf w = vf_load(job->weights + (ky * a->kernel[1] + kx) * VL);
            const float *in = row + (x0 + kx * a->dilation[1]) * VL;
            VEC_UNROLL
            for (int p = 0; p < P; p++)
                sum[p] = vf_fma(w, vf_load(in + p * across), sum[p]);
        }
    }
    depthwise_end(job, P, (oy * job->out_width + ox) * VL, sum);
}

/* Output columns [*first, *end) whose windows lie in the image from side to side. */
static void inner_columns(const het__window_job *job, int64_t *first, int64_t *end)
{
    const het__image_attrs *a = job->attrs;
    const int64_t reach = (int64_t)(a->kernel[1] - 1) * a->dilation[1];
    *first = (a->pad_begin[1] + a->stride[1] - 1) / a->stride[1];
    const int64_t last = job->width - 1 - reach + a->pad_begin[1];
    *end = last < 0 ? 0 : last / a->stride[1] + 1;
    if (*end > job->out_width)
        *end = job->out_width;
    if (*first > job->out_width)
        *first = job->out_width;
    if (*end < *first)
        *end = *first;
}

static void depthwise_edge(const het__window_job *job, int64_t oy, int64_t from, int64_t to)
{
    const het__image_attrs *a = job->attrs;
    for (int64_t ox = from; ox < to; ox++) {
        int64_t first, end;
        het__image_taps(ox, job->width, a->kernel[1], a->stride[1], a->dilation[1],
                        a->pad_begin[1], &first, &end);
        depthwise_tile(job, 0, 1, oy, ox, first, end);
    }
}

/* Columns from *at on of which the whole window lies in the image; *at is behind them. */
VEC_INLINE void depthwise_inner(const het__window_job *job, const int K, int64_t oy, int64_t *at,
                                int64_t end)
{
    const int64_t kernel = job->attrs->kernel[1];
    for (; *at + ROW_PLACES <= end; *at += ROW_PLACES)
        depthwise_tile(job, K, ROW_PLACES, oy, *at, 0, kernel);
    for (; *at + 2 <= end; *at += 2)
        depthwise_tile(job, K, 2, oy, *at, 0, kernel);
    for (; *at < end; ++*at)
        depthwise_tile(job, K, 1, oy, *at, 0, kernel);
}

static void depthwise(const het__window_job *job)
{
    int64_t first, end;
    const het__image_attrs *a = job->attrs;
    const int32_t together = a->stride[1] == 1 && a->dilation[1] == 1 ? a->kernel[1] : 0;
    inner_columns(job, &first, &end);
    for (int64_t oy = job->first_row; oy < job->end_row; oy++) {
        int64_t ox = first;
        depthwise_edge(job, oy, 0, first);
        if (together == 3)
            depthwise_inner(job, 3, oy, &ox, end);
        else if (together == 5)
            depthwise_inner(job, 5, oy, &ox, end);
        else
            depthwise_inner(job, 0, oy, &ox, end);
        depthwise_edge(job, oy, end, job->out_width);
        if (!is_cut(&a->act))
            act_run(&a->act, job->output + oy * job->out_width * VL, job->out_width * VL);
    }
}

static void pool_place(const het__window_job *job, int64_t oy, int64_t ox)
{
    const het__image_attrs *a = job->attrs;
    int64_t ky_first, ky_end, kx_first, kx_end;
    het__image_taps(oy, job->height, a->kernel[0], a->stride[0], a->dilation[0], a->pad_begin[0],
                    &ky_first, &ky_end);
    het__image_taps(ox, job->width, a->kernel[1], a->stride[1], a->dilation[1], a->pad_begin[1],
                    &kx_first, &kx_end);
    const int64_t y0 = oy * a->stride[0] - a->pad_begin[0];
    const int64_t x0 = ox * a->stride[1] - a->pad_begin[1];
    vf v = a->mean ? vf_zero() : vf_set(-INFINITY);
    for (int64_t ky = ky_first; ky < ky_end; ky++)
        for (int64_t kx = kx_first; kx < kx_end; kx++) {
            const vf in = vf_load(job->input + ((y0 + ky * a->dilation[0]) * job->width + x0 +
                                                kx * a->dilation[1]) * VL);
            v = a->mean ? vf_add(v, in) : vf_max(v, in);
        }
    const int64_t seen = (ky_end - ky_first) * (kx_end - kx_first);
    const int64_t all = a->count_padding ? (int64_t)a->kernel[0] * a->kernel[1] : seen;
    if (a->mean && all > 0)
        v = vf_div(v, vf_set((float)all));
    vf_store(job->output + (oy * job->out_width + ox) * VL, v);
}

static void pool(const het__window_job *job)
{
    for (int64_t oy = job->first_row; oy < job->end_row; oy++) {
        for (int64_t ox = 0; ox < job->out_width; ox++)
            pool_place(job, oy, ox);
        act_run(&job->attrs->act, job->output + oy * job->out_width * VL, job->out_width * VL);
    }
}

const het__image_math MATH = { LEVEL_NAME, VL, tile, conv, depthwise, pool, act_run };
