/* SPDX-License-Identifier: Apache-2.0 */
/* Block formats and scalar conversions: plain C, exact, the truth for every faster version. */
#ifndef HET_QUANT_QUANT_H
#define HET_QUANT_QUANT_H

#include <stdint.h>
#include <string.h>

#include <hetinfer/base.h>

/* Decode count elements (whole blocks) of any numeric type to F32: exactly the values that the
 * format defines. source needs no alignment. */
typedef void (*het__decode_fn)(const void *source, float *target, int64_t count);

/* NULL for a type that has no numeric decoding here. */
het__decode_fn het__decoder(het_dtype dtype);

/* IEEE binary16, all values, subnormals included; to F16 rounds to nearest even. */
float het__f16_to_f32(uint16_t h);
uint16_t het__f32_to_f16(float f);

static inline float het__bf16_to_f32(uint16_t b)
{
    const uint32_t bits = (uint32_t)b << 16;
    float f;
    memcpy(&f, &bits, sizeof f);
    return f;
}

/* Rounds to nearest even; NaN stays NaN. */
static inline uint16_t het__f32_to_bf16(float f)
{
    uint32_t bits;
    memcpy(&bits, &f, sizeof bits);
    if ((bits & 0x7fffffffu) > 0x7f800000u)
        return (uint16_t)(bits >> 16 | 0x40u);
    return (uint16_t)((bits + 0x7fffu + (bits >> 16 & 1u)) >> 16);
}

/* Q8_0 of count elements (whole blocks): scale max |x| / 127 rounded to F16, codes to the nearest
 * multiple of the rounded scale. A block with a NaN or an element that F16 cannot scale decodes to
 * what is not finite. */
void het__q8_0_encode(const float *source, void *target, int64_t count);

/* Values of the 4-bit codes of IQ4_NL and IQ4_XS, and of MXFP4 (twice the E2M1 value). */
extern const int8_t het__iq4_values[16];
extern const int8_t het__mxfp4_values[16];
/* Half of the E8M0 scale, as MXFP4's doubled values need it. */
float het__e8m0_half(uint8_t e);
/* Scale and minimum of sub-block j (0 to 7) of Q4_K and Q5_K from their 12 packed bytes. */
void het__k4_scale_min(const uint8_t *packed, int j, uint8_t *scale, uint8_t *min);
/* The sixteen 6-bit scales of Q3_K, minus 32, from their 12 packed bytes. */
void het__q3k_scales(const uint8_t *packed, int8_t scales[16]);

#endif /* HET_QUANT_QUANT_H */
