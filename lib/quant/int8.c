/* SPDX-License-Identifier: Apache-2.0 */
/* Symmetric int8 with one scale per channel, which is what integer units of NPUs multiply. The
 * scale is one that F16 has, so that the same codes with the same scale are also blocks of Q8_0,
 * which every device reads; rounding it up, no code goes over the edge, and near F16's smallest
 * numbers steps get coarser instead of results wrong. */
#include <assert.h>
#include <math.h>

#include "lib/quant/encode_parts.h"

bool het__int8_is_f16(float scale)
{
    return het__f16_to_f32(het__f32_to_f16(scale)) == scale;
}

void het__int8_encode(const float *row, int64_t count, int8_t *codes, float *scale)
{
    float most = 0;
    for (int64_t i = 0; i < count; i++)
        most = fabsf(row[i]) > most ? fabsf(row[i]) : most;
    const float exact = most / 127;
    uint16_t half = het__f32_to_f16(exact);
    half = (uint16_t)(half + (het__f16_to_f32(half) < exact));
    *scale = isfinite(het__f16_to_f32(half)) ? het__f16_to_f32(half) : exact;
    for (int64_t i = 0; i < count; i++)
        codes[i] = *scale > 0 ? (int8_t)het__nearest(row[i] / *scale, -127, 127) : 0;
}

void het__int8_decode(const int8_t *codes, float scale, float *row, int64_t count)
{
    for (int64_t i = 0; i < count; i++)
        row[i] = (float)codes[i] * scale;
}

void het__int8_to_q8_0(const int8_t *codes, float scale, void *target, int64_t count)
{
    assert(count % 32 == 0 && het__int8_is_f16(scale));
    uint8_t *b = target;
    for (int64_t i = 0; i < count; i += 32, b += 34) {
        het__store16(b, het__f32_to_f16(scale));
        memcpy(b + 2, codes + i, 32);
    }
}
