/* SPDX-License-Identifier: Apache-2.0 */
/* Vectors of 16 lanes: AVX-512 F/BW/DQ/VL with VNNI and BF16. See vec.h for the meaning. */
#ifndef HET_CPU_VEC_AVX512_H
#define HET_CPU_VEC_AVX512_H

#include <immintrin.h>

#define VL 16
#define VEC_HAVE_BF16 1
#define VEC_DOT_UNSIGNED 1 /* the dot product takes codes 0..255 */

typedef __m512 vf;
typedef __m512i vi;

static inline __mmask16 vec_mask(int64_t n)
{
    return n >= VL ? (__mmask16)0xffff : (__mmask16)((1u << n) - 1u);
}

static inline vf vf_zero(void) { return _mm512_setzero_ps(); }
static inline vf vf_set(float x) { return _mm512_set1_ps(x); }
static inline vf vf_load(const float *p) { return _mm512_loadu_ps(p); }
static inline void vf_store(float *p, vf a) { _mm512_storeu_ps(p, a); }
static inline vf vf_load_n(const float *p, int64_t n)
{
    return _mm512_maskz_loadu_ps(vec_mask(n), p);
}
static inline void vf_store_n(float *p, vf a, int64_t n)
{
    _mm512_mask_storeu_ps(p, vec_mask(n), a);
}
static inline vf vf_add(vf a, vf b) { return _mm512_add_ps(a, b); }
static inline vf vf_sub(vf a, vf b) { return _mm512_sub_ps(a, b); }
static inline vf vf_mul(vf a, vf b) { return _mm512_mul_ps(a, b); }
static inline vf vf_div(vf a, vf b) { return _mm512_div_ps(a, b); }
static inline vf vf_min(vf a, vf b) { return _mm512_min_ps(a, b); }
static inline vf vf_max(vf a, vf b) { return _mm512_max_ps(a, b); }
static inline vf vf_fma(vf a, vf b, vf c) { return _mm512_fmadd_ps(a, b, c); }
static inline float vf_sum(vf a) { return _mm512_reduce_add_ps(a); }
static inline float vf_hmax(vf a) { return _mm512_reduce_max_ps(a); }

static inline vi vi_zero(void) { return _mm512_setzero_si512(); }
static inline vi vi_set(int32_t x) { return _mm512_set1_epi32(x); }
static inline vi vi_load(const void *p) { return _mm512_loadu_si512(p); }
static inline void vi_store(void *p, vi a) { _mm512_storeu_si512(p, a); }
static inline vi vi_load_u8(const void *p)
{
    return _mm512_cvtepu8_epi32(_mm_loadu_si128((const __m128i *)p));
}
static inline vi vi_load_s8(const void *p)
{
    return _mm512_cvtepi8_epi32(_mm_loadu_si128((const __m128i *)p));
}
static inline void vi_store_s8(void *p, vi a)
{
    _mm_storeu_si128((__m128i *)p, _mm512_cvtsepi32_epi8(a));
}
static inline vi vi_and(vi a, vi b) { return _mm512_and_si512(a, b); }
static inline vi vi_or(vi a, vi b) { return _mm512_or_si512(a, b); }
static inline vi vi_add(vi a, vi b) { return _mm512_add_epi32(a, b); }
static inline vi vi_sub(vi a, vi b) { return _mm512_sub_epi32(a, b); }
static inline vi vi_add8(vi a, vi b) { return _mm512_add_epi8(a, b); }
static inline vi vi_max(vi a, vi b) { return _mm512_max_epi32(a, b); }
#define vi_shl(a, n) _mm512_slli_epi32(a, n)
#define vi_shr(a, n) _mm512_srli_epi32(a, n)
static inline int32_t vi_hmax(vi a) { return _mm512_reduce_max_epi32(a); }
/* Wraps around like the vector instructions: gcc's reduction adds the last two lanes as signed
 * integers, which is undefined for the codes that infinities give. */
static inline int32_t vi_sum(vi a)
{
    const __m256i h = _mm256_add_epi32(_mm512_castsi512_si256(a), _mm512_extracti64x4_epi64(a, 1));
    __m128i s = _mm_add_epi32(_mm256_castsi256_si128(h), _mm256_extracti128_si256(h, 1));
    s = _mm_add_epi32(s, _mm_unpackhi_epi64(s, s));
    return _mm_cvtsi128_si32(_mm_add_epi32(s, _mm_shuffle_epi32(s, 1)));
}
static inline vi vi_madd16(vi a, vi b) { return _mm512_madd_epi16(a, b); }
static inline vi vi_lookup(const uint8_t table[16], vi a)
{
    const __m128i t = _mm_loadu_si128((const __m128i *)table);
    return _mm512_shuffle_epi8(_mm512_broadcast_i32x4(t), a);
}
/* a < b ? x : y, signed */
static inline vi vi_select_lt(vi a, vi b, vi x, vi y)
{
    return _mm512_mask_blend_epi32(_mm512_cmplt_epi32_mask(a, b), y, x);
}

static inline vf vf_from_vi(vi a) { return _mm512_cvtepi32_ps(a); }
static inline vi vi_from_vf(vf a) { return _mm512_cvtps_epi32(a); }
static inline vi vi_bits(vf a) { return _mm512_castps_si512(a); }
static inline vf vf_bits(vi a) { return _mm512_castsi512_ps(a); }

static inline vf vf_load_f16(const void *p)
{
    return _mm512_cvtph_ps(_mm256_loadu_si256((const __m256i *)p));
}
static inline void vf_store_f16(void *p, vf a)
{
    _mm256_storeu_si256((__m256i *)p, _mm512_cvtps_ph(a, _MM_FROUND_TO_NEAREST_INT));
}
static inline vf vf_load_bf16(const void *p)
{
    const __m256i h = _mm256_loadu_si256((const __m256i *)p);
    return vf_bits(_mm512_slli_epi32(_mm512_cvtepu16_epi32(h), 16));
}

#define vec_begin(kind, init) ((void)(kind), (init))
#define vec_end(kind, acc, init) ((void)(kind), (void)(init), (acc))
static inline vi vec_dot(int kind, vi acc, vi w, vi a)
{
    (void)kind;
    return _mm512_dpbusd_epi32(acc, w, a);
}

static inline vf vec_dot_bf16(vf acc, vi w, vi a)
{
    return _mm512_dpbf16_ps(acc, (__m512bh)w, (__m512bh)a);
}

/* Four places at once, as far apart as they can be: one stream does not fill the memory's queue. */
static inline uint64_t vec_sum_bytes(const uint8_t *p, size_t bytes)
{
    const size_t part = bytes / 4;
    __m512i s0 = vi_zero(), s1 = vi_zero(), s2 = vi_zero(), s3 = vi_zero();
    for (size_t i = 0; i < part; i += 64) {
        s0 = _mm512_add_epi64(s0, _mm512_sad_epu8(vi_load(p + i), vi_zero()));
        s1 = _mm512_add_epi64(s1, _mm512_sad_epu8(vi_load(p + part + i), vi_zero()));
        s2 = _mm512_add_epi64(s2, _mm512_sad_epu8(vi_load(p + 2 * part + i), vi_zero()));
        s3 = _mm512_add_epi64(s3, _mm512_sad_epu8(vi_load(p + 3 * part + i), vi_zero()));
    }
    s0 = _mm512_add_epi64(_mm512_add_epi64(s0, s1), _mm512_add_epi64(s2, s3));
    return (uint64_t)_mm512_reduce_add_epi64(s0);
}

#endif /* HET_CPU_VEC_AVX512_H */
