/* SPDX-License-Identifier: Apache-2.0 */
/* Register tiles of attention; compiled once per instruction-set level, like level.c.
 *
 *   scores   R queries x VL / R keys, lanes along the head; the VL sums are folded crosswise at the
 *            end, which makes one vector of results:
 *
 *                q0 . k0   q0 . k1  ...   q1 . k0  ...
 *
 *   weigh    R queries x C vectors of the head, lanes along the head, R C <= TILE
 *
 * Keys and values are read from F16 or Q8_0 in the tile where few rows share them, so that they
 * pass through registers once; for many rows they come as F32.
 */
#include "backends/cpu_onednn/vec.h"

#include <stdbool.h>

#include "backends/cpu_onednn/attention_math.h"

#if HET__LEVEL == HET__LEVEL_AVX512
#define MATH het__attention_math_avx512
#define LEVEL_NAME "avx512"
#define TILE 16 /* accumulators */
#define SCORE_ROWS 4 /* of a tile of F32 */
#elif HET__LEVEL == HET__LEVEL_GENERIC
#define MATH het__attention_math_generic
#define LEVEL_NAME "generic"
#define TILE 8
#define SCORE_ROWS 2
#else
#if HET__LEVEL == HET__LEVEL_AVX2VNNI
#define MATH het__attention_math_avx2vnni
#define LEVEL_NAME "avx2vnni"
#else
#define MATH het__attention_math_avx2
#define LEVEL_NAME "avx2"
#endif
#define TILE 8
#define SCORE_ROWS 2
#endif

#define STRIDE HET__ATTN_STRIDE
#define Q8_BYTES 34 /* of a block */
/* Bytes of keys that one row after another is multiplied with: half of a first-level cache. */
#define NEAR_BYTES 16384
/* Rows of queries for which a tile of F16 is best: the most that fit. */
#define DIRECT_ROWS (VL < 8 ? VL : 8)

/* ---- lanes ---- */

#if VL == 16
/* Each 128-bit part of the result holds the sums of that part of a[0..3]. */
VEC_INLINE __m512 fold_four(const vf *a)
{
    const __m512 ab = _mm512_add_ps(_mm512_unpacklo_ps(a[0], a[1]),
                                    _mm512_unpackhi_ps(a[0], a[1]));
    const __m512 cd = _mm512_add_ps(_mm512_unpacklo_ps(a[2], a[3]),
                                    _mm512_unpackhi_ps(a[2], a[3]));
    const __m512d abd = _mm512_castps_pd(ab), cdd = _mm512_castps_pd(cd);
    return _mm512_add_ps(_mm512_castpd_ps(_mm512_unpacklo_pd(abd, cdd)),
                         _mm512_castpd_ps(_mm512_unpackhi_pd(abd, cdd)));
}

/* Lane i is the sum of a[i]. */
VEC_INLINE vf fold(const vf *a)
{
    const __m512 p0 = fold_four(a), p1 = fold_four(a + 4), p2 = fold_four(a + 8);
    const __m512 p3 = fold_four(a + 12);
    const __m512 s01 = _mm512_add_ps(_mm512_shuffle_f32x4(p0, p1, 0x88),
                                     _mm512_shuffle_f32x4(p0, p1, 0xdd));
    const __m512 s23 = _mm512_add_ps(_mm512_shuffle_f32x4(p2, p3, 0x88),
                                     _mm512_shuffle_f32x4(p2, p3, 0xdd));
    return _mm512_add_ps(_mm512_shuffle_f32x4(s01, s23, 0x88),
                         _mm512_shuffle_f32x4(s01, s23, 0xdd));
}
#elif VL == 8
VEC_INLINE __m256 fold_four(const vf *a)
{
    return _mm256_hadd_ps(_mm256_hadd_ps(a[0], a[1]), _mm256_hadd_ps(a[2], a[3]));
}

VEC_INLINE vf fold(const vf *a)
{
    const __m256 p = fold_four(a), q = fold_four(a + 4);
    return _mm256_add_ps(_mm256_permute2f128_ps(p, q, 0x20), _mm256_permute2f128_ps(p, q, 0x31));
}
#else
VEC_INLINE vf fold(const vf *a)
{
    float sums[VL];
    for (int i = 0; i < VL; i++)
        sums[i] = vf_sum(a[i]);
    return vf_load(sums);
}
#endif

VEC_INLINE float largest_lane(vf a)
{
#if VL == 16
    return _mm512_reduce_max_ps(a);
#else
    float x[VL];
    vf_store(x, a);
    float m = x[0];
    for (int i = 1; i < VL; i++)
        m = x[i] > m ? x[i] : m;
    return m;
#endif
}

/* An F16 scale in all lanes. */
VEC_INLINE vf half_everywhere(const unsigned char *p)
{
    uint16_t h;
    memcpy(&h, p, sizeof h);
#if HET__LEVEL == HET__LEVEL_GENERIC
    return vf_set(vec_f16_value(h));
#else
    return vf_set(_cvtsh_ss(h));
#endif
}

/* Elements [at, at + VL) of a row. */
VEC_INLINE vf element(het__attention_kind kind, const unsigned char *row, int64_t at)
{
    if (kind == HET__ATTN_KIND_F16)
        return vf_load_f16(row + 2 * at);
    if (kind == HET__ATTN_KIND_Q8) {
        const unsigned char *block = row + at / 32 * Q8_BYTES;
        const vf codes = vf_from_vi(vi_load_s8(block + 2 + at % 32));
        return vf_mul(codes, half_everywhere(block));
    }
    return vf_load((const float *)(const void *)row + at);
}

/* Bytes of so many elements, rounded down. */
VEC_INLINE size_t element_bytes(het__attention_kind kind, int64_t elements)
{
    return (size_t)elements * (kind == HET__ATTN_KIND_F32 ? 4 : kind == HET__ATTN_KIND_F16 ? 2 : 1);
}

/* Brings the next rows to the second-level cache: the first would have to hold them beside those
 * in use, and its queue of misses is short (measured: half of the bandwidth). The processor's own
 * prefetching starts anew in every page. */
VEC_INLINE void fetch(const unsigned char *rows, size_t bytes)
{
    VEC_UNROLL
    for (size_t i = 0; i < bytes; i += 64)
        __builtin_prefetch(rows + i, 0, 2);
}

/* ---- scores ---- */

/* R rows of q with J <= VL / R keys. */
VEC_INLINE void scores_tile(het__attention_kind kind, int R, int J, const float *q, int64_t width,
                            const unsigned char *k, size_t stride,
                            const unsigned char *ahead, float *out)
{
    vf acc[VL];
    VEC_UNROLL
    for (int i = 0; i < VL; i++)
        acc[i] = vf_zero();
    for (int64_t d = 0; d < width; d += VL) {
        vf b[VL];
        VEC_UNROLL
        for (int j = 0; j < J; j++)
            b[j] = element(kind, k + (size_t)j * stride, d);
        if (kind != HET__ATTN_KIND_F32 && ahead)
            fetch(ahead + element_bytes(kind, d * J), element_bytes(kind, J * VL));
        VEC_UNROLL
        for (int i = 0; i < R; i++) {
            const vf a = vf_load(q + i * width + d);
            VEC_UNROLL
            for (int j = 0; j < J; j++)
                acc[i * J + j] = vf_fma(a, b[j], acc[i * J + j]);
        }
    }
    float sums[VL];
    vf_store(sums, fold(acc));
    VEC_UNROLL
    for (int i = 0; i < R; i++)
        memcpy(out + i * STRIDE, sums + i * J, (size_t)J * sizeof *sums);
}

/* R rows with any keys: what is left at the end is computed with keys before it once more. */
VEC_INLINE void scores_rows(het__attention_kind kind, int R, const float *q, int64_t width,
                            const het__attention_rows *k, float *out)
{
    const int J = VL / R;
    const unsigned char *data = k->data, *ahead = k->ahead;
    const size_t stride = k->stride;
    int64_t j = 0;
    for (; j + J <= k->count; j += J)
        scores_tile(kind, R, J, q, width, data + (size_t)j * stride, stride,
                    ahead ? ahead + (size_t)j * stride : NULL, out + j);
    if (j < k->count && k->count >= J) {
        j = k->count - J;
        scores_tile(kind, R, J, q, width, data + (size_t)j * stride, stride, NULL, out + j);
        return;
    }
    for (; j < k->count; j++)
        scores_tile(kind, R, 1, q, width, data + (size_t)j * stride, stride, NULL, out + j);
}

typedef void (*scores_fn)(const float *q, int64_t width, const het__attention_rows *k, float *out);

#define SCORES(R, type, kind)                                                                    \
    static void scores_##R##_##type(const float *q, int64_t width, const het__attention_rows *k, \
                                    float *out)                                                  \
    {                                                                                            \
        scores_rows(HET__ATTN_KIND_##kind, R < VL ? R : VL, q, width, k, out);                   \
    }
SCORES(1, f32, F32)
SCORES(2, f32, F32)
SCORES(4, f32, F32)
SCORES(1, f16, F16)
SCORES(2, f16, F16)
SCORES(4, f16, F16)
SCORES(8, f16, F16)
SCORES(1, q8, Q8)
SCORES(2, q8, Q8)
SCORES(4, q8, Q8)
SCORES(8, q8, Q8)

/* The best tile for so many rows, and how many it takes. */
static scores_fn scores_choose(het__attention_kind kind, int64_t rows, int64_t *step)
{
    static const scores_fn direct[2][4] = {
        { scores_1_f16, scores_2_f16, scores_4_f16, scores_8_f16 },
        { scores_1_q8, scores_2_q8, scores_4_q8, scores_8_q8 },
    };
    if (kind == HET__ATTN_KIND_F32) {
        *step = rows < SCORE_ROWS ? rows : SCORE_ROWS;
        return *step == 1 ? scores_1_f32 : *step == 2 ? scores_2_f32 : scores_4_f32;
    }
    *step = rows < DIRECT_ROWS ? rows : DIRECT_ROWS;
    return direct[kind == HET__ATTN_KIND_Q8][*step == 1 ? 0 : *step == 2 ? 1 : *step == 4 ? 2 : 3];
}

static void math_scores(const float *q, int64_t rows, int64_t width, const het__attention_rows *k,
                        float *out)
{
    int64_t step;
    const scores_fn run = scores_choose(k->kind, rows, &step);
    int64_t near = rows == step ? k->count : NEAR_BYTES / (int64_t)k->stride / 16 * 16;
    near = near < 16 ? 16 : near;
    for (int64_t j = 0; j < k->count; j += near) {
        het__attention_rows part = *k;
        part.data = (const unsigned char *)k->data + (size_t)j * k->stride;
        part.count = k->count - j < near ? k->count - j : near;
        if (k->ahead)
            part.ahead = (const unsigned char *)k->ahead + (size_t)j * k->stride;
        for (int64_t i = 0; i < rows; i += step)
            run(q + i * width, width, &part, out + i * STRIDE + j);
    }
}

/* ---- softmax ---- */

/* e^x for x <= 0, within 2 units in the last place; 0 below -87.7, whose weight no sum beside a
 * weight of 1 can feel. x = n ln 2 + r; adding 1.5 * 2^23 + 127 to x / ln 2 leaves n + 127 in the
 * low bits, which shifted are the exponent of 2^n, and zero for n = -127. NaN stays NaN. */
VEC_INLINE vf exp_weight(vf x)
{
    const vf bounded = vf_max(vf_set(-88.0f), x);
    const vf shifter = vf_set(12582912.0f + 127.0f);
    const vf t = vf_fma(bounded, vf_set(1.44269504f), shifter);
    const vf n = vf_sub(t, shifter);
    return vf_mul(vf_exp_rest(bounded, n), vf_bits(vi_shl(vi_bits(t), 23)));
}

/* c tanh(s / c) = sign(s) c (1 - e) / (1 + e), e = exp(-2 |s| / c). */
VEC_INLINE vf capped(vf s, vf c, vf minus_twice)
{
    const vi sign = vi_and(vi_bits(s), vi_set(INT32_MIN));
    const vf size = vf_bits(vi_and(vi_bits(s), vi_set(INT32_MAX)));
    const vf e = exp_weight(vf_mul(size, minus_twice));
    const vf one = vf_set(1.0f);
    const vf t = vf_div(vf_mul(c, vf_sub(one, e)), vf_add(one, e));
    return vf_bits(vi_or(vi_bits(t), sign));
}

static void cap(float *s, int64_t begin, int64_t end, float softcap)
{
    const vf c = vf_set(softcap), minus_twice = vf_set(-2.0f / softcap);
    for (int64_t i = begin; i < end; i += VL)
        vf_store(s + i, capped(vf_load(s + i), c, minus_twice));
}

static float math_soften(float *s, int64_t first, int64_t end, int64_t low, int64_t high,
                         float softcap, float *sum)
{
    const int64_t from = low / VL * VL, to = (high + VL - 1) / VL * VL;
    if (softcap > 0)
        cap(s, from, to, softcap);
    for (int64_t i = from; i < low; i++)
        s[i] = -__builtin_inff();
    for (int64_t i = high; i < to; i++)
        s[i] = -__builtin_inff();
    vf m = vf_load(s + from);
    for (int64_t i = from + VL; i < to; i += VL)
        m = vf_max(m, vf_load(s + i));
    const float maximum = largest_lane(m);
    const vf minus = vf_set(maximum);
    vf total = vf_zero();
    for (int64_t i = from; i < to; i += VL) {
        const vf e = exp_weight(vf_sub(vf_load(s + i), minus));
        vf_store(s + i, e);
        total = vf_add(total, e);
    }
    *sum = vf_sum(total);
    if (first < from)
        memset(s + first, 0, (size_t)(from - first) * sizeof *s);
    if (to < end)
        memset(s + to, 0, (size_t)(end - to) * sizeof *s);
    return maximum;
}

/* ---- weigh ---- */

VEC_INLINE void weigh_tile(het__attention_kind kind, int R, int C, const float *p,
                           const het__attention_rows *rows, int64_t at, int64_t width, float *acc)
{
    const unsigned char *v = rows->data, *ahead = rows->ahead;
    vf s[16]; /* TILE are used */
    VEC_UNROLL
    for (int i = 0; i < R; i++)
        VEC_UNROLL
        for (int c = 0; c < C; c++)
            s[i * C + c] = vf_load(acc + i * width + at + c * VL);
    for (int64_t j = 0; j < rows->count; j++, v += rows->stride) {
        vf b[16];
        VEC_UNROLL
        for (int c = 0; c < C; c++)
            b[c] = element(kind, v, at + c * VL);
        if (kind != HET__ATTN_KIND_F32 && ahead)
            fetch(ahead + (size_t)j * rows->stride + element_bytes(kind, at),
                  element_bytes(kind, C * VL));
        VEC_UNROLL
        for (int i = 0; i < R; i++) {
            const vf a = vf_bcast(p + i * STRIDE + j);
            VEC_UNROLL
            for (int c = 0; c < C; c++)
                s[i * C + c] = vf_fma(a, b[c], s[i * C + c]);
        }
    }
    VEC_UNROLL
    for (int i = 0; i < R; i++)
        VEC_UNROLL
        for (int c = 0; c < C; c++)
            vf_store(acc + i * width + at + c * VL, s[i * C + c]);
}

/* Any rows, R at once: the head in tiles as wide as fit, each for all rows before the next. */
VEC_INLINE void weigh_rows(het__attention_kind kind, int R, const float *p, int64_t rows,
                           const het__attention_rows *v, int64_t width, float *acc)
{
    int64_t at = 0;
#define WEIGH(C)                                                                                 \
    for (; (C) * R <= TILE && at + (C) * VL <= width; at += (C) * VL)                            \
        for (int64_t i = 0; i < rows; i += R)                                                    \
            weigh_tile(kind, R, (C) * R <= TILE ? (C) : 1, p + i * STRIDE, v, at, width,         \
                       acc + i * width);
    WEIGH(16)
    WEIGH(8)
    WEIGH(4)
    WEIGH(2)
    WEIGH(1)
#undef WEIGH
}

static void weigh_f32(const float *p, int64_t rows, const het__attention_rows *v, int64_t width,
                      float *acc)
{
    if (rows < SCORE_ROWS)
        weigh_rows(HET__ATTN_KIND_F32, 1, p, rows, v, width, acc);
    else
        weigh_rows(HET__ATTN_KIND_F32, SCORE_ROWS, p, rows, v, width, acc);
}

VEC_INLINE void weigh_direct(het__attention_kind kind, const float *p, int64_t rows,
                             const het__attention_rows *v, int64_t width, float *acc)
{
    if (rows == 1)
        weigh_rows(kind, 1, p, rows, v, width, acc);
    else if (rows == 2)
        weigh_rows(kind, 2, p, rows, v, width, acc);
    else if (rows == 4 || DIRECT_ROWS == 4)
        weigh_rows(kind, 4, p, rows, v, width, acc);
    else
        weigh_rows(kind, 8, p, rows, v, width, acc);
}

static void weigh_f16(const float *p, int64_t rows, const het__attention_rows *v, int64_t width,
                      float *acc)
{
    weigh_direct(HET__ATTN_KIND_F16, p, rows, v, width, acc);
}

static void weigh_q8(const float *p, int64_t rows, const het__attention_rows *v, int64_t width,
                     float *acc)
{
    weigh_direct(HET__ATTN_KIND_Q8, p, rows, v, width, acc);
}

static void math_weigh(const float *p, int64_t rows, const het__attention_rows *v, int64_t width,
                       float *acc)
{
    if (v->kind == HET__ATTN_KIND_F32)
        weigh_f32(p, rows, v, width, acc);
    else if (v->kind == HET__ATTN_KIND_Q8)
        weigh_q8(p, rows, v, width, acc);
    else
        weigh_f16(p, rows, v, width, acc);
}

/* ---- rows ---- */

VEC_INLINE void load_f16(float *target, const unsigned char *source, int64_t size)
{
    int64_t d = 0;
    for (; d + VL <= size; d += VL)
        vf_store(target + d, vf_load_f16(source + 2 * d));
    if (d < size) {
        uint16_t h[VL] = { 0 };
        memcpy(h, source + 2 * d, (size_t)(size - d) * 2);
        vf_store_n(target + d, vf_load_f16(h), size - d);
    }
}

static void math_load(float *target, int64_t stride, const het__attention_rows *source,
                      int64_t size, int64_t width)
{
    const unsigned char *from = source->data, *ahead = source->ahead;
    for (int64_t j = 0; j < source->count; j++, from += source->stride, target += stride) {
        if (source->kind == HET__ATTN_KIND_F16)
            load_f16(target, from, size);
        else if (source->kind == HET__ATTN_KIND_Q8)
            for (int64_t d = 0; d < size; d += VL)
                vf_store(target + d, element(HET__ATTN_KIND_Q8, from, d));
        else
            memcpy(target, from, (size_t)size * sizeof *target);
        for (int64_t d = size; d < width; d++)
            target[d] = 0;
        for (size_t i = 0; ahead && i < source->stride; i += 64)
            __builtin_prefetch(ahead + (size_t)j * source->stride + i, 0, 2);
    }
}

static void math_scale(float *x, float factor, int64_t width)
{
    const vf f = vf_set(factor);
    for (int64_t i = 0; i < width; i += VL)
        vf_store(x + i, vf_mul(vf_load(x + i), f));
}

static void math_blend(float *x, float factor, const float *y, float other, int64_t width)
{
    const vf f = vf_set(factor), g = vf_set(other);
    for (int64_t i = 0; i < width; i += VL)
        vf_store(x + i, vf_fma(vf_load(y + i), g, vf_mul(vf_load(x + i), f)));
}

static void math_turn(float *low, float *high, const float *cosines, const float *sines, int64_t n)
{
    for (int64_t i = 0; i < n; i += VL) {
        const int64_t left = n - i;
        const vf a = vf_load_n(low + i, left), b = vf_load_n(high + i, left);
        const vf c = vf_load_n(cosines + i, left), s = vf_load_n(sines + i, left);
        vf_store_n(low + i, vf_sub(vf_mul(a, c), vf_mul(b, s)), left);
        vf_store_n(high + i, vf_fma(a, s, vf_mul(b, c)), left);
    }
}

extern const het__attention_math MATH;

const het__attention_math MATH = {
    .level = LEVEL_NAME,
    .scores = math_scores,
    .soften = math_soften,
    .weigh = math_weigh,
    .load = math_load,
    .scale = math_scale,
    .blend = math_blend,
    .turn = math_turn,
};
