/* SPDX-License-Identifier: Apache-2.0 */
/* Preparing activations, loops over one or two vectors for the other kernels, and loops that
 * measure what the processor can do at best. */
#ifndef HET_CPU_HELPERS_H
#define HET_CPU_HELPERS_H

#include "backends/cpu_onednn/f32_tile.h"
#include "backends/cpu_onednn/vec_curves.h"

#include <math.h>

/* Below this a block counts as zero: 127 / amax would overflow soon after. */
#define Q8_AMAX_MIN 1e-30f

/* One block: scale = amax / 127, codes to nearest even. A NaN or infinity in x makes the scale one,
 * so that it reaches every result. */
static void prepare_q8_block(const float x[32], q8_act *act)
{
    vi bits = vi_zero();
    VEC_UNROLL
    for (int i = 0; i < 32; i += VL)
        bits = vi_max(bits, vi_and(vi_bits(vf_load(x + i)), vi_set(0x7fffffff)));
    const int32_t max_bits = vi_hmax(bits);
    float amax;
    memcpy(&amax, &max_bits, 4);
    const float scale = amax < Q8_AMAX_MIN ? 0.0f : amax / 127.0f;
    const float inverse = amax < Q8_AMAX_MIN ? 0.0f : 127.0f / amax;
    uint32_t half[2] = { 0, 0 }; /* wraps where x is not finite */
    VEC_UNROLL
    for (int i = 0; i < 32; i += VL) {
        vi code = vi_from_vf(vf_mul(vf_load(x + i), vf_set(inverse)));
        vi_store_s8(act->codes + i, code);
        half[i / 16] += (uint32_t)vi_sum(code);
    }
    if (!(amax <= 3.4028235e38f)) { /* codes mean nothing; keep sums in their range */
        memset(act->codes, 1, sizeof act->codes);
        half[0] = half[1] = 16;
    }
    act->scale = scale;
    const int32_t sum = (int32_t)(half[0] + half[1]);
    act->sum_neg8 = -8 * sum;
    act->sum_neg128 = -128 * sum;
    act->half_sums = (int32_t)((half[0] & 0xffff) | half[1] << 16);
}

static void prepare_q8(const float *x, int64_t k, q8_act *acts)
{
    int64_t i = 0;
    for (; i + 32 <= k; i += 32)
        prepare_q8_block(x + i, acts++);
    if (i < k) {
        float tail[32] = { 0 };
        memcpy(tail, x + i, (size_t)(k - i) * sizeof *x);
        prepare_q8_block(tail, acts);
    }
}

static void level_prepare(het__cpu_act act, const float *x, int64_t k, void *row)
{
    const int64_t padded = (k + 31) / 32 * 32;
    switch (act) {
    case HET__CPU_ACT_Q8:
        prepare_q8(x, k, row);
        break;
    case HET__CPU_ACT_BF16: {
        uint16_t *target = row;
        for (int64_t i = 0; i < k; i++)
            target[i] = het__f32_to_bf16(x[i]);
        memset(target + k, 0, (size_t)(padded - k) * sizeof *target);
        break;
    }
    case HET__CPU_ACT_F32:
    default:
        memcpy(row, x, (size_t)k * sizeof *x);
        memset((float *)row + k, 0, (size_t)(padded - k) * sizeof *x);
        break;
    }
}

VEC_INLINE vf finish_piece(const het__cpu_finish *f, vf x, vf bias, vf residual)
{
    x = vf_mul(x, vf_set(f->scale));
    if (f->bias)
        x = vf_add(x, bias);
    if (f->residual)
        x = vf_add(x, residual);
    /* The second operand, where one is NaN. */
    return vf_min(vf_set(f->high), vf_max(vf_set(f->low), x));
}

static void level_finish(const het__cpu_finish *f, float *out, int64_t out_stride, int64_t tokens,
                         int64_t count)
{
    for (int64_t t = 0; t < tokens; t++, out += out_stride) {
        const float *residual = f->residual ? f->residual + t * f->residual_stride : NULL;
        int64_t i = 0;
        for (; i + VL <= count; i += VL) {
            const vf bias = f->bias ? vf_load(f->bias + i) : vf_zero();
            const vf more = residual ? vf_load(residual + i) : vf_zero();
            vf_store(out + i, finish_piece(f, vf_load(out + i), bias, more));
        }
        if (i < count) {
            const int64_t n = count - i;
            const vf bias = f->bias ? vf_load_n(f->bias + i, n) : vf_zero();
            const vf more = residual ? vf_load_n(residual + i, n) : vf_zero();
            vf_store_n(out + i, finish_piece(f, vf_load_n(out + i, n), bias, more), n);
        }
    }
}

/* Helpers on rows. Four accumulators hide the latency of the multiply-add. */
static float level_dot(const float *a, const float *b, int64_t n)
{
    vf s[4] = { vf_zero(), vf_zero(), vf_zero(), vf_zero() };
    int64_t i = 0;
    for (; i + 4 * VL <= n; i += 4 * VL) {
        VEC_UNROLL
        for (int j = 0; j < 4; j++)
            s[j] = vf_fma(vf_load(a + i + j * VL), vf_load(b + i + j * VL), s[j]);
    }
    for (; i < n; i += VL)
        s[0] = vf_fma(vf_load_n(a + i, n - i), vf_load_n(b + i, n - i), s[0]);
    return vf_sum(vf_add(vf_add(s[0], s[1]), vf_add(s[2], s[3])));
}

static void level_to_f16(uint16_t *target, const float *source, int64_t n)
{
    int64_t i = 0;
    for (; i + VL <= n; i += VL)
        vf_store_f16(target + i, vf_load(source + i));
    if (i < n) {
        uint16_t h[VL];
        vf_store_f16(h, vf_load_n(source + i, n - i));
        memcpy(target + i, h, (size_t)(n - i) * 2);
    }
}

static void level_exp_rows(float *x, int64_t n, float maximum, float *sum)
{
    const vf minus = vf_set(-maximum);
    vf s = vf_zero();
    int64_t i = 0;
    for (; i + VL <= n; i += VL) {
        const vf e = vf_exp(vf_add(vf_load(x + i), minus));
        vf_store(x + i, e);
        s = vf_add(s, e);
    }
    if (i < n) {
        vf_store_n(x + i, vf_exp(vf_add(vf_load_n(x + i, n - i), minus)), n - i);
        s = vf_add(s, vf_load_n(x + i, n - i));
    }
    *sum = vf_sum(s);
}

static float level_scale_max(float *x, const float *more, int64_t n, float scale)
{
    const vf by = vf_set(scale);
    vf most = vf_set(-INFINITY);
    int64_t i = 0;
    for (; i + VL <= n; i += VL) {
        const vf y = vf_mul(vf_load(x + i), by);
        const vf z = more ? vf_add(y, vf_load(more + i)) : y;
        vf_store(x + i, z);
        most = vf_max(z, most); /* the second operand, where one is NaN */
    }
    float lanes[VL], result = -INFINITY;
    vf_store(lanes, most);
    for (int j = 0; j < VL; j++)
        result = lanes[j] > result ? lanes[j] : result;
    for (; i < n; i++) {
        x[i] *= scale;
        x[i] += more ? more[i] : 0;
        result = x[i] > result ? x[i] : result;
    }
    return result;
}

VEC_INLINE vf vf_silu(vf x)
{
    const vf e = vf_exp(vf_sub(vf_zero(), x));
    return vf_div(x, vf_add(vf_set(1.0f), e));
}

/* x/2 (1 + tanh u) = x / (1 + e^-2u), u = sqrt(2 / pi) (x + 0.044715 x^3) */
VEC_INLINE vf vf_gelu_tanh(vf x)
{
    const vf cubic = vf_fma(vf_mul(vf_mul(x, x), x), vf_set(0.044715f), x);
    const vf e = vf_exp(vf_mul(cubic, vf_set(-1.59576912f)));
    return vf_div(x, vf_add(vf_set(1.0f), e));
}

static void level_silu(float *x, int64_t n)
{
    int64_t i = 0;
    for (; i + VL <= n; i += VL)
        vf_store(x + i, vf_silu(vf_load(x + i)));
    if (i < n)
        vf_store_n(x + i, vf_silu(vf_load_n(x + i, n - i)), n - i);
}

static void level_gelu_tanh(float *x, int64_t n)
{
    int64_t i = 0;
    for (; i + VL <= n; i += VL)
        vf_store(x + i, vf_gelu_tanh(vf_load(x + i)));
    if (i < n)
        vf_store_n(x + i, vf_gelu_tanh(vf_load_n(x + i, n - i)), n - i);
}

/* Enough independent sums for two pipes of latency 4 to 6. Results go to a volatile, so that the
 * work remains. */
#define PEAK_SUMS 12

static volatile float peak_sink;

static double level_peak_f32(uint64_t iterations)
{
    vf s[PEAK_SUMS];
    const vf a = vf_set(peak_sink * 0.0f + 0.5f), b = vf_set(peak_sink * 0.0f + 0.25f);
    VEC_UNROLL
    for (int i = 0; i < PEAK_SUMS; i++)
        s[i] = vf_set((float)i);
    for (uint64_t n = 0; n < iterations; n++) {
        VEC_UNROLL
        for (int i = 0; i < PEAK_SUMS; i++)
            s[i] = vf_fma(s[i], a, b);
    }
    for (int i = 0; i < PEAK_SUMS; i++)
        peak_sink = vf_sum(s[i]);
    return (double)iterations * PEAK_SUMS * VL * 2;
}

#if HET__LEVEL != HET__LEVEL_GENERIC
static double level_peak_int8(uint64_t iterations)
{
    vi s[PEAK_SUMS];
    const vi a = vi_set((int32_t)peak_sink & 1), b = vi_set((int32_t)peak_sink & 2);
    VEC_UNROLL
    for (int i = 0; i < PEAK_SUMS; i++)
        s[i] = vi_set(i);
    for (uint64_t n = 0; n < iterations; n++) {
        VEC_UNROLL
        for (int i = 0; i < PEAK_SUMS; i++)
            s[i] = vec_dot(VEC_DOT_U4, s[i], VEC_DOT_UNSIGNED ? a : s[i], b);
    }
    for (int i = 0; i < PEAK_SUMS; i++)
        peak_sink = (float)vi_sum(s[i]);
    return (double)iterations * PEAK_SUMS * VL * 4 * 2;
}
#endif

#if VEC_HAVE_BF16
static double level_peak_bf16(uint64_t iterations)
{
    vf s[PEAK_SUMS];
    const vi a = vi_set((int32_t)peak_sink & 1), b = vi_set((int32_t)peak_sink & 2);
    VEC_UNROLL
    for (int i = 0; i < PEAK_SUMS; i++)
        s[i] = vf_set((float)i);
    for (uint64_t n = 0; n < iterations; n++) {
        VEC_UNROLL
        for (int i = 0; i < PEAK_SUMS; i++)
            s[i] = vec_dot_bf16(s[i], a, b);
    }
    for (int i = 0; i < PEAK_SUMS; i++)
        peak_sink = vf_sum(s[i]);
    return (double)iterations * PEAK_SUMS * VL * 4;
}
#endif

static uint64_t level_read_all(const void *data, size_t bytes)
{
    return vec_sum_bytes(data, bytes);
}

#endif /* HET_CPU_HELPERS_H */
