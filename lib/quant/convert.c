/* SPDX-License-Identifier: Apache-2.0 */
/* Scalar conversions on bit patterns, in integer arithmetic: the result depends neither on the
 * processor's rounding mode nor on its flush-to-zero setting, both of which belong to the
 * application.
 *
 *   binary32  s eeeeeeee mmm…(23)   bias 127
 *   binary16  s eeeee    mmm…(10)   bias 15
 */
#include "lib/quant/quant.h"

static float from_bits(uint32_t bits)
{
    float f;
    memcpy(&f, &bits, sizeof f);
    return f;
}

float het__f16_to_f32(uint16_t h)
{
    const uint32_t sign = (uint32_t)(h & 0x8000u) << 16;
    const uint32_t exponent = h >> 10 & 0x1fu;
    uint32_t mantissa = h & 0x3ffu;
    if (exponent == 0x1f) /* NaN comes out quiet, as processors do it */
        return from_bits(sign | 0x7f800000u | (mantissa ? 0x400000u : 0) | mantissa << 13);
    if (exponent)
        return from_bits(sign | (exponent + 112) << 23 | mantissa << 13);
    if (!mantissa)
        return from_bits(sign);
    /* Subnormal: shift the leading one up to the place of the implied bit. */
    uint32_t e = 113;
    while (!(mantissa & 0x400u)) {
        mantissa <<= 1;
        e--;
    }
    return from_bits(sign | e << 23 | (mantissa & 0x3ffu) << 13);
}

uint16_t het__f32_to_f16(float f)
{
    uint32_t bits;
    memcpy(&bits, &f, sizeof bits);
    const uint32_t sign = bits >> 16 & 0x8000u;
    const uint32_t magnitude = bits & 0x7fffffffu;
    uint32_t h;
    if (magnitude > 0x7f800000u) { /* NaN: made quiet, upper payload kept */
        h = 0x7e00u | (magnitude >> 13 & 0x3ffu);
    } else if (magnitude >= 0x477ff000u) { /* 65520, half way past the largest, and up */
        h = 0x7c00u;
    } else if (magnitude >= 0x38800000u) { /* 2^-14 and up: normal; a carry moves the exponent */
        h = (magnitude - 0x38000000u + 0xfffu + (magnitude >> 13 & 1u)) >> 13;
    } else { /* subnormal: units of 2^-24 */
        const uint32_t shift = 126 - (magnitude >> 23); /* 14 to 126 */
        const uint32_t m = (magnitude & 0x7fffffu) | 0x800000u;
        if (shift > 24) { /* below half a unit */
            h = 0;
        } else {
            const uint32_t half = 1u << (shift - 1), rest = m & (2 * half - 1);
            h = m >> shift;
            h += rest > half || (rest == half && (h & 1u));
        }
    }
    return (uint16_t)(sign | h);
}

float het__e8m0_half(uint8_t e)
{
    /* 2^(e-128); the two smallest are subnormal in binary32. */
    return from_bits(e < 2 ? 0x00200000u << e : (uint32_t)(e - 1) << 23);
}
