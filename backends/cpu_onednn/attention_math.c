/* SPDX-License-Identifier: Apache-2.0 */
/* Register-blocked products of a few query rows with 64 keys.
 *
 * Scores are dot products: sixteen (eight) accumulators run along the head and are then summed
 * crosswise, four at a time, so that the result of 4 x 4 (2 x 4) of them fills one vector.
 */
#include "backends/cpu_onednn/attention_math.h"

#include <string.h>

#define KEYS HET__ATTN_KEYS

static void scores_generic(const float *q, int64_t rows, const float *k, int64_t keys,
                           int64_t width, float *out)
{
    for (int64_t i = 0; i < rows; i++)
        for (int64_t j = 0; j < keys; j++) {
            const float *a = q + i * width, *b = k + j * width;
            float s[8] = { 0 };
            for (int64_t d = 0; d < width; d += 8)
                for (int64_t e = 0; e < 8; e++)
                    s[e] += a[d + e] * b[d + e];
            out[i * KEYS + j] = ((s[0] + s[4]) + (s[1] + s[5])) + ((s[2] + s[6]) + (s[3] + s[7]));
        }
}

static void weigh_generic(const float *p, int64_t rows, const float *v, int64_t keys,
                          int64_t width, float *acc)
{
    for (int64_t i = 0; i < rows; i++)
        for (int64_t d = 0; d < width; d += 16) {
            float s[16];
            memcpy(s, acc + i * width + d, sizeof s);
            for (int64_t j = 0; j < keys; j++) {
                const float w = p[i * KEYS + j];
                for (int64_t e = 0; e < 16; e++)
                    s[e] += w * v[j * width + d + e];
            }
            memcpy(acc + i * width + d, s, sizeof s);
        }
}

static float maximum_generic(const float *x, int64_t n)
{
    float m = x[0];
    for (int64_t i = 1; i < n; i++)
        m = x[i] > m ? x[i] : m;
    return m;
}

static void scale_generic(float *x, float factor, int64_t width)
{
    for (int64_t i = 0; i < width; i++)
        x[i] *= factor;
}

#if defined(__x86_64__)
#include <immintrin.h>

#define AVX512 __attribute__((target("avx512f,avx512dq,avx512vl,avx512bw,avx2,fma")))
#define AVX512_INLINE static inline __attribute__((always_inline)) AVX512
#define AVX2 __attribute__((target("avx2,fma")))
#define AVX2_INLINE static inline __attribute__((always_inline)) AVX2

/* Four vectors a..d: each 128-bit part of the result holds the sums of that part of a, b, c, d. */
AVX512_INLINE __m512 fold4_512(__m512 a, __m512 b, __m512 c, __m512 d)
{
    const __m512 ab = _mm512_add_ps(_mm512_unpacklo_ps(a, b), _mm512_unpackhi_ps(a, b));
    const __m512 cd = _mm512_add_ps(_mm512_unpacklo_ps(c, d), _mm512_unpackhi_ps(c, d));
    const __m512d abd = _mm512_castps_pd(ab), cdd = _mm512_castps_pd(cd);
    return _mm512_add_ps(_mm512_castpd_ps(_mm512_unpacklo_pd(abd, cdd)),
                         _mm512_castpd_ps(_mm512_unpackhi_pd(abd, cdd)));
}

/* Part i of the result is the sum of the four parts of p[i]. */
AVX512_INLINE __m512 fold_parts_512(const __m512 p[4])
{
    const __m512 s01 = _mm512_add_ps(_mm512_shuffle_f32x4(p[0], p[1], 0x88),
                                     _mm512_shuffle_f32x4(p[0], p[1], 0xdd));
    const __m512 s23 = _mm512_add_ps(_mm512_shuffle_f32x4(p[2], p[3], 0x88),
                                     _mm512_shuffle_f32x4(p[2], p[3], 0xdd));
    return _mm512_add_ps(_mm512_shuffle_f32x4(s01, s23, 0x88),
                         _mm512_shuffle_f32x4(s01, s23, 0xdd));
}

/* Four rows of q with four keys. */
AVX512_INLINE void scores_4x4_512(const float *q, const float *k, int64_t width, float *out)
{
    __m512 acc[4][4], p[4];
    for (int i = 0; i < 4; i++)
        for (int j = 0; j < 4; j++)
            acc[i][j] = _mm512_setzero_ps();
    for (int64_t d = 0; d < width; d += 16) {
        __m512 b[4];
        for (int j = 0; j < 4; j++)
            b[j] = _mm512_loadu_ps(k + j * width + d);
        for (int i = 0; i < 4; i++) {
            const __m512 a = _mm512_loadu_ps(q + i * width + d);
            for (int j = 0; j < 4; j++)
                acc[i][j] = _mm512_fmadd_ps(a, b[j], acc[i][j]);
        }
    }
    for (int i = 0; i < 4; i++)
        p[i] = fold4_512(acc[i][0], acc[i][1], acc[i][2], acc[i][3]);
    const __m512 r = fold_parts_512(p);
    _mm_storeu_ps(out, _mm512_castps512_ps128(r));
    _mm_storeu_ps(out + KEYS, _mm512_extractf32x4_ps(r, 1));
    _mm_storeu_ps(out + 2 * KEYS, _mm512_extractf32x4_ps(r, 2));
    _mm_storeu_ps(out + 3 * KEYS, _mm512_extractf32x4_ps(r, 3));
}

/* One row with sixteen keys. */
AVX512_INLINE void scores_1x16_512(const float *q, const float *k, int64_t width, float *out)
{
    __m512 acc[16], p[4];
    for (int j = 0; j < 16; j++)
        acc[j] = _mm512_setzero_ps();
    for (int64_t d = 0; d < width; d += 16) {
        const __m512 a = _mm512_loadu_ps(q + d);
        for (int j = 0; j < 16; j++)
            acc[j] = _mm512_fmadd_ps(a, _mm512_loadu_ps(k + j * width + d), acc[j]);
    }
    for (int i = 0; i < 4; i++)
        p[i] = fold4_512(acc[4 * i], acc[4 * i + 1], acc[4 * i + 2], acc[4 * i + 3]);
    _mm512_storeu_ps(out, fold_parts_512(p));
}

AVX512 static void scores_512(const float *q, int64_t rows, const float *k, int64_t keys,
                              int64_t width, float *out)
{
    int64_t i = 0;
    for (; i + 4 <= rows; i += 4)
        for (int64_t j = 0; j < keys; j += 4)
            scores_4x4_512(q + i * width, k + j * width, width, out + i * KEYS + j);
    for (; i < rows; i++)
        for (int64_t j = 0; j < keys; j += 16)
            scores_1x16_512(q + i * width, k + j * width, width, out + i * KEYS + j);
}

/* rows x vectors * 16 of acc in registers. */
AVX512_INLINE void weigh_tile_512(const float *p, int rows, int vectors, const float *v,
                                  int64_t keys, int64_t width, float *acc)
{
    __m512 s[4][4];
    for (int i = 0; i < rows; i++)
        for (int c = 0; c < vectors; c++)
            s[i][c] = _mm512_loadu_ps(acc + i * width + 16 * c);
    for (int64_t j = 0; j < keys; j++) {
        __m512 b[4];
        for (int c = 0; c < vectors; c++)
            b[c] = _mm512_loadu_ps(v + j * width + 16 * c);
        for (int i = 0; i < rows; i++) {
            const __m512 a = _mm512_set1_ps(p[i * KEYS + j]);
            for (int c = 0; c < vectors; c++)
                s[i][c] = _mm512_fmadd_ps(a, b[c], s[i][c]);
        }
    }
    for (int i = 0; i < rows; i++)
        for (int c = 0; c < vectors; c++)
            _mm512_storeu_ps(acc + i * width + 16 * c, s[i][c]);
}

AVX512 static void weigh_512(const float *p, int64_t rows, const float *v, int64_t keys,
                             int64_t width, float *acc)
{
    for (int64_t i = 0; i < rows;) {
        const int64_t n = i + 4 <= rows ? 4 : 1;
        const float *w = p + i * KEYS;
        float *a = acc + i * width;
        for (int64_t d = 0; d < width;) {
            const int64_t left = width - d;
            if (n == 4 && left >= 64)
                weigh_tile_512(w, 4, 4, v + d, keys, width, a + d);
            else if (n == 4)
                weigh_tile_512(w, 4, 1, v + d, keys, width, a + d);
            else if (left >= 64)
                weigh_tile_512(w, 1, 4, v + d, keys, width, a + d);
            else
                weigh_tile_512(w, 1, 1, v + d, keys, width, a + d);
            d += left >= 64 ? 64 : 16;
        }
        i += n;
    }
}

AVX512 static float maximum_512(const float *x, int64_t n)
{
    __m512 m = _mm512_set1_ps(x[0]);
    int64_t i = 0;
    for (; i + 16 <= n; i += 16)
        m = _mm512_max_ps(m, _mm512_loadu_ps(x + i));
    const __mmask16 tail = (__mmask16)((1u << (n - i)) - 1);
    m = _mm512_mask_max_ps(m, tail, m, _mm512_maskz_loadu_ps(tail, x + i));
    return _mm512_reduce_max_ps(m);
}

AVX512 static void scale_512(float *x, float factor, int64_t width)
{
    const __m512 f = _mm512_set1_ps(factor);
    for (int64_t i = 0; i < width; i += 16)
        _mm512_storeu_ps(x + i, _mm512_mul_ps(_mm512_loadu_ps(x + i), f));
}

AVX2_INLINE __m256 fold4_256(const __m256 a[4])
{
    const __m256 ab = _mm256_hadd_ps(a[0], a[1]), cd = _mm256_hadd_ps(a[2], a[3]);
    return _mm256_hadd_ps(ab, cd);
}

AVX2_INLINE __m256 fold_parts_256(__m256 p, __m256 q)
{
    return _mm256_add_ps(_mm256_permute2f128_ps(p, q, 0x20), _mm256_permute2f128_ps(p, q, 0x31));
}

/* Rows r of q (step apart; 0: the same row) with keys of k: 2 x 4, or 1 x 8 in two fours. */
AVX2_INLINE __m256 scores_8_256(const float *q, int64_t q_step, const float *k, int64_t k_step,
                                int64_t width)
{
    __m256 acc[2][4];
    for (int i = 0; i < 2; i++)
        for (int j = 0; j < 4; j++)
            acc[i][j] = _mm256_setzero_ps();
    for (int64_t d = 0; d < width; d += 8)
        for (int i = 0; i < 2; i++) {
            const __m256 a = _mm256_loadu_ps(q + i * q_step + d);
            for (int j = 0; j < 4; j++) {
                const __m256 b = _mm256_loadu_ps(k + i * k_step + j * width + d);
                acc[i][j] = _mm256_fmadd_ps(a, b, acc[i][j]);
            }
        }
    return fold_parts_256(fold4_256(acc[0]), fold4_256(acc[1]));
}

AVX2 static void scores_256(const float *q, int64_t rows, const float *k, int64_t keys,
                            int64_t width, float *out)
{
    int64_t i = 0;
    for (; i + 2 <= rows; i += 2)
        for (int64_t j = 0; j < keys; j += 4) {
            const __m256 r = scores_8_256(q + i * width, width, k + j * width, 0, width);
            _mm_storeu_ps(out + i * KEYS + j, _mm256_castps256_ps128(r));
            _mm_storeu_ps(out + (i + 1) * KEYS + j, _mm256_extractf128_ps(r, 1));
        }
    for (; i < rows; i++)
        for (int64_t j = 0; j < keys; j += 8)
            _mm256_storeu_ps(out + i * KEYS + j, scores_8_256(q + i * width, 0, k + j * width,
                                                              4 * width, width));
}

AVX2_INLINE void weigh_tile_256(const float *p, int rows, int vectors, const float *v,
                                int64_t keys, int64_t width, float *acc)
{
    __m256 s[2][4];
    for (int i = 0; i < rows; i++)
        for (int c = 0; c < vectors; c++)
            s[i][c] = _mm256_loadu_ps(acc + i * width + 8 * c);
    for (int64_t j = 0; j < keys; j++) {
        __m256 b[4];
        for (int c = 0; c < vectors; c++)
            b[c] = _mm256_loadu_ps(v + j * width + 8 * c);
        for (int i = 0; i < rows; i++) {
            const __m256 a = _mm256_set1_ps(p[i * KEYS + j]);
            for (int c = 0; c < vectors; c++)
                s[i][c] = _mm256_fmadd_ps(a, b[c], s[i][c]);
        }
    }
    for (int i = 0; i < rows; i++)
        for (int c = 0; c < vectors; c++)
            _mm256_storeu_ps(acc + i * width + 8 * c, s[i][c]);
}

AVX2 static void weigh_256(const float *p, int64_t rows, const float *v, int64_t keys,
                           int64_t width, float *acc)
{
    for (int64_t i = 0; i < rows;) {
        const int64_t n = i + 2 <= rows ? 2 : 1;
        const float *w = p + i * KEYS;
        float *a = acc + i * width;
        for (int64_t d = 0; d < width;) {
            const int64_t left = width - d;
            if (n == 2 && left >= 32)
                weigh_tile_256(w, 2, 4, v + d, keys, width, a + d);
            else if (n == 2)
                weigh_tile_256(w, 2, 2, v + d, keys, width, a + d);
            else if (left >= 32)
                weigh_tile_256(w, 1, 4, v + d, keys, width, a + d);
            else
                weigh_tile_256(w, 1, 2, v + d, keys, width, a + d);
            d += left >= 32 ? 32 : 16;
        }
        i += n;
    }
}

AVX2 static float maximum_256(const float *x, int64_t n)
{
    float m = x[0];
    int64_t i = 0;
    if (n >= 8) {
        __m256 v = _mm256_loadu_ps(x);
        for (i = 8; i + 8 <= n; i += 8)
            v = _mm256_max_ps(v, _mm256_loadu_ps(x + i));
        float part[8];
        _mm256_storeu_ps(part, v);
        m = maximum_generic(part, 8);
    }
    for (; i < n; i++)
        m = x[i] > m ? x[i] : m;
    return m;
}

AVX2 static void scale_256(float *x, float factor, int64_t width)
{
    const __m256 f = _mm256_set1_ps(factor);
    for (int64_t i = 0; i < width; i += 8)
        _mm256_storeu_ps(x + i, _mm256_mul_ps(_mm256_loadu_ps(x + i), f));
}
#endif

const het__attention_math *het__attention_math_for(const char *level)
{
    static const het__attention_math table[] = {
#if defined(__x86_64__)
        { "avx512", scores_512, weigh_512, maximum_512, scale_512 },
        { "avx2vnni", scores_256, weigh_256, maximum_256, scale_256 },
        { "avx2", scores_256, weigh_256, maximum_256, scale_256 },
#endif
        { "generic", scores_generic, weigh_generic, maximum_generic, scale_generic },
    };
    const het__attention_math *m = table;
    while (strcmp(m->level, level) != 0 && strcmp(m->level, "generic") != 0)
        m++;
    return m;
}
