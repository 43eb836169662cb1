/* SPDX-License-Identifier: Apache-2.0 */
/* exp, tanh and erf in float without branches or calls, so that compilers turn loops over them into
 * vector code. Within 1 unit in the last place (exp), 2 (tanh) and 3 (erf); infinities, NaN and
 * signed zero come out as from the C library. The polynomials were fitted for this file, for the
 * least maximum error. */
#ifndef HET_PLAIN_CURVES_H
#define HET_PLAIN_CURVES_H

#include <math.h>
#include <stdint.h>
#include <string.h>

/* chosen ? a : b by masks: where a is a constant, compilers make branches of the other form, by
 * computing what follows from the constant beforehand. */
static inline float het__choose(int chosen, float a, float b)
{
    const uint32_t mask = 0u - (uint32_t)chosen;
    uint32_t x, y;
    memcpy(&x, &a, sizeof x);
    memcpy(&y, &b, sizeof y);
    x = (x & mask) | (y & ~mask);
    memcpy(&a, &x, sizeof a);
    return a;
}

/* 2^n for n in [-126, 127]; anything for another n. */
static inline float het__power_of_two(int32_t n)
{
    const uint32_t bits = (uint32_t)(n + 127) << 23;
    float f;
    memcpy(&f, &bits, sizeof f);
    return f;
}

/* e^x = 2^n e^r with |r| <= ln 2 / 2. Adding 1.5 * 2^23 rounds to an integer, which then stands in
 * the low bits. 2^n is applied in two halves: it may be too small for a normal float by itself. */
static inline float het__exp_f32(float x)
{
    const float high = het__choose(x > 89, 89, x), in = het__choose(x < -104, -104, high);
    const float shifted = in * 0x1.715476p+0f + 0x1.8p23f; /* 1 / ln 2 */
    const float n = shifted - 0x1.8p23f;
    /* ln 2 in two parts, of which the first has so few bits that n times it is exact. */
    const float r = (in - n * 0x1.62e4p-1f) - n * 0x1.7f7d1cp-20f;
    const float p = 0x1.fffffcp-2f +
                    r * (0x1.55548ap-3f +
                         r * (0x1.555916p-5f + r * (0x1.123fc6p-7f + r * 0x1.6a1a6ep-10f)));
    uint32_t bits;
    memcpy(&bits, &shifted, sizeof bits);
    const int32_t whole = (int32_t)(bits - 0x4b400000u), half = whole >> 1;
    return (1 + (r + r * r * p)) * het__power_of_two(half) * het__power_of_two(whole - half);
}

static inline float het__sigmoid_f32(float x)
{
    return 1 / (1 + het__exp_f32(-x));
}

static inline float het__tanh_f32(float x)
{
    const float a = fabsf(x), z = x * x;
    const float p = -0x1.555534p-2f +
                    z * (0x1.110768p-3f +
                         z * (-0x1.b84448p-5f + z * (0x1.5256cep-6f + z * -0x1.76abf6p-8f)));
    const float small = a + a * z * p, large = 1 - 2 / (het__exp_f32(2 * a) + 1);
    return copysignf(het__choose(a < 0.625f, small, large), x);
}

/* Below 1 an odd polynomial; above, 1 - e^q(x), where nothing is left to subtract from 4 on. */
static inline float het__erf_f32(float x)
{
    const float a = fabsf(x), z = x * x, t = het__choose(a > 4, 4, a);
    const float p =
        0x1.20dd74p+0f +
        z * (-0x1.81273ep-2f +
             z * (0x1.ce2cf8p-4f +
                  z * (-0x1.b7f90cp-6f +
                       z * (0x1.5405b2p-8f + z * (-0x1.a3f6fcp-11f + z * 0x1.496a28p-14f)))));
    const float q =
        -0x1.72e404p-12f +
        t * (-0x1.2085b2p+0f +
             t * (-0x1.46c582p-1f +
                  t * (-0x1.a60a94p-4f +
                       t * (0x1.654246p-6f + t * (-0x1.814d22p-9f + t * 0x1.852dc4p-13f)))));
    const float small = a * p, large = 1 - het__exp_f32(q);
    return copysignf(het__choose(a < 1, small, large), x);
}

/* 0.5 x (1 + tanh(sqrt(2/pi) (x + 0.044715 x^3))) */
static inline float het__gelu_tanh_f32(float x)
{
    return 0.5f * x * (1 + het__tanh_f32(0.79788456f * (x + 0.044715f * x * x * x)));
}

static inline double het__gelu_tanh(double x)
{
    const double root = 0.79788456080286535588; /* sqrt(2 / pi) */
    return 0.5 * x * (1 + tanh(root * (x + 0.044715 * x * x * x)));
}

/* x tanh(ln(1 + e^x)) with e = e^x is x n / (n + 2) for n = e (e + 2). From 20 on it is x. */
static inline float het__mish_f32(float x)
{
    const float e = het__exp_f32(het__choose(x > 20, 20, x)), n = e * (e + 2);
    return x * (n / (n + 2));
}

#endif /* HET_PLAIN_CURVES_H */
