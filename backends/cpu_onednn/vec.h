/* SPDX-License-Identifier: Apache-2.0 */
/* The vectors that kernels are written in: VL lanes of float (vf) or of 32-bit integers (vi), by
 * intrinsics of the level that this translation unit is compiled for (HET__LEVEL, set by the
 * build).
 *
 *   vec_begin, vec_dot ..., vec_end
 *       per lane: init + sum over steps of the four products of codes w (bytes of a lane) with
 *       signed bytes a, which are the same in every lane. At most 8 steps. kind says what range
 *       the codes have; codes of kind WIDE are unsigned with zero point VEC_WIDE_ZERO.
 *   vec_dot_bf16
 *       per lane: acc + the two products of bfloat16 pairs (VEC_HAVE_BF16 only).
 *   vf_fma is fused where the hardware has it. Loads and stores need no alignment.
 *   _n variants touch the first n lanes only (0 <= n); the other lanes of a load are zero.
 */
#ifndef HET_CPU_VEC_H
#define HET_CPU_VEC_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

enum { VEC_DOT_U4, VEC_DOT_U6, VEC_DOT_WIDE }; /* codes 0..15, 0..63, all 256 */

#define HET__LEVEL_GENERIC 0
#define HET__LEVEL_AVX2 1
#define HET__LEVEL_AVX2VNNI 2
#define HET__LEVEL_AVX512 3

#if HET__LEVEL == HET__LEVEL_AVX512
#include "backends/cpu_onednn/vec_avx512.h"
#elif HET__LEVEL == HET__LEVEL_AVX2 || HET__LEVEL == HET__LEVEL_AVX2VNNI
#include "backends/cpu_onednn/vec_avx2.h"
#else
#include "backends/cpu_onednn/vec_generic.h"
#endif

#define VEC_WIDE_ZERO (VEC_DOT_UNSIGNED ? 128 : 0)

#define VEC_INLINE static inline __attribute__((always_inline))
#if defined(__clang__)
#define VEC_UNROLL _Pragma("clang loop unroll(full)")
#else
#define VEC_UNROLL _Pragma("GCC unroll 64")
#endif

static inline vi vi_bcast(const void *p)
{
    int32_t x;
    memcpy(&x, p, 4);
    return vi_set(x);
}

static inline vf vf_bcast(const void *p)
{
    float x;
    memcpy(&x, p, 4);
    return vf_set(x);
}

/* The first n lanes, 1 <= n, or all where there are so many: nothing is masked then. */
VEC_INLINE vf vf_load_upto(const float *p, int64_t n)
{
    return n >= VL ? vf_load(p) : vf_load_n(p, n);
}

VEC_INLINE void vf_store_upto(float *p, vf a, int64_t n)
{
    if (n >= VL)
        vf_store(p, a);
    else
        vf_store_n(p, a, n);
}

/* e^r for x = n ln 2 + r, |r| <= ln 2 / 2: the Taylor polynomial of degree 7, whose remainder
 * 0.35^8 / 8! is under 2^-27. */
VEC_INLINE vf vf_exp_rest(vf x, vf n)
{
    vf r = vf_fma(n, vf_set(-0.693359375f), x);
    r = vf_fma(n, vf_set(2.12194440e-4f), r);
    vf p = vf_set(1.0f / 5040);
    p = vf_fma(p, r, vf_set(1.0f / 720));
    p = vf_fma(p, r, vf_set(1.0f / 120));
    p = vf_fma(p, r, vf_set(1.0f / 24));
    p = vf_fma(p, r, vf_set(1.0f / 6));
    p = vf_fma(p, r, vf_set(0.5f));
    p = vf_fma(p, r, vf_set(1.0f));
    return vf_fma(p, r, vf_set(1.0f));
}

#endif /* HET_CPU_VEC_H */
