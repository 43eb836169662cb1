/* SPDX-License-Identifier: Apache-2.0 */
/* Vectors of 8 lanes: AVX2 with FMA and F16C, and the dot products of AVX-VNNI where the level has
 * them. See vec.h for the meaning.
 *
 * Without VNNI the dot product is built on maddubs, whose sums of two products saturate at 16 bits:
 *   codes 0..15      8 steps of two products fit (8 * 2 * 15 * 127 < 2^15): widened once at the end
 *   codes 0..63      one step fits: widened each time
 *   signed codes     |w| times a with w's sign: 2 * 128 * 127 < 2^15, widened each time */
#ifndef HET_CPU_VEC_AVX2_H
#define HET_CPU_VEC_AVX2_H

#include <immintrin.h>

#define VL 8
#define VEC_HAVE_BF16 0
#if defined(__AVXVNNI__) || (defined(__AVX512VNNI__) && defined(__AVX512VL__))
#define VEC_DOT_UNSIGNED 1
#else
#define VEC_DOT_UNSIGNED 0 /* full-range codes are signed, see above */
#endif

typedef __m256 vf;
typedef __m256i vi;

static inline __m256i vec_mask(int64_t n)
{
    const __m256i lane = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
    return _mm256_cmpgt_epi32(_mm256_set1_epi32((int32_t)(n < VL ? n : VL)), lane);
}

static inline vf vf_zero(void) { return _mm256_setzero_ps(); }
static inline vf vf_set(float x) { return _mm256_set1_ps(x); }
static inline vf vf_load(const float *p) { return _mm256_loadu_ps(p); }
static inline void vf_store(float *p, vf a) { _mm256_storeu_ps(p, a); }
static inline vf vf_load_n(const float *p, int64_t n) { return _mm256_maskload_ps(p, vec_mask(n)); }
static inline void vf_store_n(float *p, vf a, int64_t n) { _mm256_maskstore_ps(p, vec_mask(n), a); }
static inline vf vf_add(vf a, vf b) { return _mm256_add_ps(a, b); }
static inline vf vf_sub(vf a, vf b) { return _mm256_sub_ps(a, b); }
static inline vf vf_mul(vf a, vf b) { return _mm256_mul_ps(a, b); }
static inline vf vf_div(vf a, vf b) { return _mm256_div_ps(a, b); }
static inline vf vf_min(vf a, vf b) { return _mm256_min_ps(a, b); }
static inline vf vf_max(vf a, vf b) { return _mm256_max_ps(a, b); }
static inline vf vf_fma(vf a, vf b, vf c) { return _mm256_fmadd_ps(a, b, c); }
static inline float vf_sum(vf a)
{
    __m128 s = _mm_add_ps(_mm256_castps256_ps128(a), _mm256_extractf128_ps(a, 1));
    s = _mm_add_ps(s, _mm_movehl_ps(s, s));
    return _mm_cvtss_f32(_mm_add_ss(s, _mm_movehdup_ps(s)));
}
static inline float vf_hmax(vf a)
{
    __m128 s = _mm_max_ps(_mm256_castps256_ps128(a), _mm256_extractf128_ps(a, 1));
    s = _mm_max_ps(s, _mm_movehl_ps(s, s));
    return _mm_cvtss_f32(_mm_max_ss(s, _mm_movehdup_ps(s)));
}

static inline vi vi_zero(void) { return _mm256_setzero_si256(); }
static inline vi vi_set(int32_t x) { return _mm256_set1_epi32(x); }
static inline vi vi_load(const void *p) { return _mm256_loadu_si256((const __m256i *)p); }
static inline void vi_store(void *p, vi a) { _mm256_storeu_si256((__m256i *)p, a); }
static inline vi vi_load_u8(const void *p)
{
    return _mm256_cvtepu8_epi32(_mm_loadl_epi64((const __m128i *)p));
}
static inline vi vi_load_s8(const void *p)
{
    return _mm256_cvtepi8_epi32(_mm_loadl_epi64((const __m128i *)p));
}
static inline void vi_store_s8(void *p, vi a)
{
    const __m128i h = _mm_packs_epi32(_mm256_castsi256_si128(a), _mm256_extracti128_si256(a, 1));
    _mm_storel_epi64((__m128i *)p, _mm_packs_epi16(h, h));
}
static inline vi vi_and(vi a, vi b) { return _mm256_and_si256(a, b); }
static inline vi vi_or(vi a, vi b) { return _mm256_or_si256(a, b); }
static inline vi vi_add(vi a, vi b) { return _mm256_add_epi32(a, b); }
static inline vi vi_sub(vi a, vi b) { return _mm256_sub_epi32(a, b); }
static inline vi vi_add8(vi a, vi b) { return _mm256_add_epi8(a, b); }
static inline vi vi_max(vi a, vi b) { return _mm256_max_epi32(a, b); }
#define vi_shl(a, n) _mm256_slli_epi32(a, n)
#define vi_shr(a, n) _mm256_srli_epi32(a, n)
static inline int32_t vi_sum(vi a)
{
    __m128i s = _mm_add_epi32(_mm256_castsi256_si128(a), _mm256_extracti128_si256(a, 1));
    s = _mm_add_epi32(s, _mm_unpackhi_epi64(s, s));
    return _mm_cvtsi128_si32(_mm_add_epi32(s, _mm_shuffle_epi32(s, 1)));
}
static inline int32_t vi_hmax(vi a)
{
    __m128i s = _mm_max_epi32(_mm256_castsi256_si128(a), _mm256_extracti128_si256(a, 1));
    s = _mm_max_epi32(s, _mm_unpackhi_epi64(s, s));
    return _mm_cvtsi128_si32(_mm_max_epi32(s, _mm_shuffle_epi32(s, 1)));
}
static inline vi vi_madd16(vi a, vi b) { return _mm256_madd_epi16(a, b); }
static inline vi vi_lookup(const uint8_t table[16], vi a)
{
    const __m128i t = _mm_loadu_si128((const __m128i *)table);
    return _mm256_shuffle_epi8(_mm256_broadcastsi128_si256(t), a);
}
static inline vi vi_select_lt(vi a, vi b, vi x, vi y)
{
    return _mm256_blendv_epi8(y, x, _mm256_cmpgt_epi32(b, a));
}

static inline vf vf_from_vi(vi a) { return _mm256_cvtepi32_ps(a); }
static inline vi vi_from_vf(vf a) { return _mm256_cvtps_epi32(a); }
static inline vi vi_bits(vf a) { return _mm256_castps_si256(a); }
static inline vf vf_bits(vi a) { return _mm256_castsi256_ps(a); }

static inline vf vf_load_f16(const void *p)
{
    return _mm256_cvtph_ps(_mm_loadu_si128((const __m128i *)p));
}
static inline void vf_store_f16(void *p, vf a)
{
    _mm_storeu_si128((__m128i *)p, _mm256_cvtps_ph(a, _MM_FROUND_TO_NEAREST_INT));
}
static inline vf vf_load_bf16(const void *p)
{
    const __m128i h = _mm_loadu_si128((const __m128i *)p);
    return vf_bits(_mm256_slli_epi32(_mm256_cvtepu16_epi32(h), 16));
}

#if VEC_DOT_UNSIGNED

#define vec_begin(kind, init) ((void)(kind), (init))
#define vec_end(kind, acc, init) ((void)(kind), (void)(init), (acc))
static inline vi vec_dot(int kind, vi acc, vi w, vi a)
{
    (void)kind;
#ifdef __AVXVNNI__
    return _mm256_dpbusd_avx_epi32(acc, w, a);
#else
    return _mm256_dpbusd_epi32(acc, w, a);
#endif
}

#else

static inline vi vec_begin(int kind, vi init) { return kind == VEC_DOT_U4 ? vi_zero() : init; }
static inline vi vec_end(int kind, vi acc, vi init)
{
    if (kind != VEC_DOT_U4)
        return acc;
    return vi_add(_mm256_madd_epi16(acc, _mm256_set1_epi16(1)), init);
}
static inline vi vec_dot(int kind, vi acc, vi w, vi a)
{
    if (kind == VEC_DOT_U4)
        return _mm256_add_epi16(acc, _mm256_maddubs_epi16(w, a));
    const vi pairs = kind == VEC_DOT_U6
        ? _mm256_maddubs_epi16(w, a)
        : _mm256_maddubs_epi16(_mm256_abs_epi8(w), _mm256_sign_epi8(a, w));
    return vi_add(acc, _mm256_madd_epi16(pairs, _mm256_set1_epi16(1)));
}

#endif

/* Four places at once, as far apart as they can be: one stream does not fill the memory's queue. */
static inline uint64_t vec_sum_bytes(const uint8_t *p, size_t bytes)
{
    const size_t part = bytes / 4;
    __m256i s0 = vi_zero(), s1 = vi_zero(), s2 = vi_zero(), s3 = vi_zero();
    for (size_t i = 0; i < part; i += 32) {
        s0 = _mm256_add_epi64(s0, _mm256_sad_epu8(vi_load(p + i), vi_zero()));
        s1 = _mm256_add_epi64(s1, _mm256_sad_epu8(vi_load(p + part + i), vi_zero()));
        s2 = _mm256_add_epi64(s2, _mm256_sad_epu8(vi_load(p + 2 * part + i), vi_zero()));
        s3 = _mm256_add_epi64(s3, _mm256_sad_epu8(vi_load(p + 3 * part + i), vi_zero()));
    }
    s0 = _mm256_add_epi64(_mm256_add_epi64(s0, s1), _mm256_add_epi64(s2, s3));
    uint64_t sums[4];
    vi_store(sums, s0);
    return sums[0] + sums[1] + sums[2] + sums[3];
}

#endif /* HET_CPU_VEC_AVX2_H */
