/* SPDX-License-Identifier: Apache-2.0 */
/* Exponentials and what is made of them, by vectors of a level. */
#ifndef HET_CPU_VEC_CURVES_H
#define HET_CPU_VEC_CURVES_H

#include "backends/cpu_onednn/vec.h"

/* e^x within 2 units in the last place over the range of normal results; 0 below -104, infinity
 * above 88.8; NaN stays NaN. x = n ln 2 + r; 2^n in two factors, so that subnormals come
 * out right. */
VEC_INLINE vf vf_exp(vf x)
{
    /* min and max return their second operand for a NaN in the vector instructions. */
    const vf bounded = vf_max(vf_set(-104.0f), vf_min(vf_set(89.0f), x));
    const vi n = vi_from_vf(vf_mul(bounded, vf_set(1.44269504f)));
    const vf fn = vf_from_vi(n);
    vf p = vf_exp_rest(bounded, fn);
    /* n in [-150, 128]: 2^n = 2^(n >> 1) * 2^(n - (n >> 1)), the shift made on n + 256. */
    const vi half = vi_add(vi_shr(vi_add(n, vi_set(256)), 1), vi_set(-128));
    const vi rest = vi_sub(n, half);
    p = vf_mul(p, vf_bits(vi_shl(vi_add(half, vi_set(127)), 23)));
    return vf_mul(p, vf_bits(vi_shl(vi_add(rest, vi_set(127)), 23)));
}

/* The same where results stay normal numbers: x beyond -87 and 88 counts as these. */
VEC_INLINE vf vf_exp_normal(vf x)
{
    /* The second operand, where one is NaN. */
    x = vf_min(vf_set(88.0f), vf_max(vf_set(-87.0f), x));
    const vi n = vi_from_vf(vf_mul(x, vf_set(1.44269504f)));
    const vf p = vf_exp_rest(x, vf_from_vi(n));
    return vf_mul(p, vf_bits(vi_shl(vi_add(n, vi_set(127)), 23)));
}

VEC_INLINE vf vf_sigmoid(vf x)
{
    return vf_div(vf_set(1), vf_add(vf_set(1), vf_exp_normal(vf_sub(vf_zero(), x))));
}

/* 2 sigmoid(2x) - 1; near zero, where that cancels, the series to x^5 (its rest is under 6e-8 of x
 * there). */
VEC_INLINE vf vf_tanh(vf x)
{
    const vf far = vf_sub(vf_mul(vf_set(2), vf_sigmoid(vf_add(x, x))), vf_set(1));
    const vf square = vf_mul(x, x);
    const vf near = vf_mul(x, vf_fma(square, vf_fma(square, vf_set(2.0f / 15), vf_set(-1.0f / 3)),
                                     vf_set(1)));
    return vf_bits(vi_select_lt(vi_bits(square), vi_bits(vf_set(0.01f)), vi_bits(near),
                                vi_bits(far)));
}

#endif /* HET_CPU_VEC_CURVES_H */
