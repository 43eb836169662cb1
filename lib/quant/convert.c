/* SPDX-License-Identifier: Apache-2.0 */
/* Scalar conversions on bit patterns, in integer arithmetic: the result depends neither on the
 * processor's rounding mode nor on its flush-to-zero setting, both of which belong to the
 * application.
 *
 *   binary32  s eeeeeeee mmm…(23)   bias 127
 *   binary16  s eeeee    mmm…(10)   bias 15
 */
#include "lib/quant/quant.h"

#include <stdbool.h>

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

void het__q8_0_encode(const float *source, void *target, int64_t count)
{
    unsigned char *block = target;
    for (; count > 0; count -= 32, source += 32, block += 34) {
        float most = 0;
        bool finite = true;
        for (int i = 0; i < 32; i++) {
            const float size = source[i] < 0 ? -source[i] : source[i];
            finite = finite && size <= 3.4028235e38f; /* false for NaN */
            most = size > most ? size : most;
        }
        const uint16_t half = finite ? het__f32_to_f16(most / 127.0f) : 0x7e00u;
        const float scale = het__f16_to_f32(half);
        const float inverse = half && (half & 0x7c00u) != 0x7c00u ? 1.0f / scale : 0;
        memcpy(block, &half, sizeof half);
        for (int i = 0; i < 32; i++) {
            /* The sum's last bit is worth one, so it rounds to nearest even; the scale may have
             * been rounded down, hence the bound. */
            const float code = source[i] * inverse + 12582912.0f - 12582912.0f;
            const float bounded = code > 127 ? 127 : code < -127 ? -127 : code;
            const int8_t byte = finite && inverse > 0 ? (int8_t)bounded : 1;
            memcpy(block + 2 + i, &byte, 1);
        }
    }
}
