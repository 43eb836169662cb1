/* SPDX-License-Identifier: Apache-2.0 */
/* Encoders of scalars and of the formats with blocks of 32. Without importance the scale of a block
 * follows from its extremes alone, as the formats' reference has it; with it the scale is searched.
 * Layouts: decode.c. Codes are made from the scale before it was rounded to F16, again as the
 * reference does; the searched ones from the rounded scale. */
#include "lib/quant/encode_parts.h"

#include <assert.h>
#include <math.h>

/* Towards zero, in [0, high]; NaN gives 0. */
static int truncated(float x, int high)
{
    return !(x > 0) ? 0 : x >= (float)high ? high : (int)x;
}

static float inverse_of(float scale)
{
    return scale != 0 ? 1.0f / scale : 0.0f;
}

/* Codes of 32 elements into 16 bytes of nibbles, and their fifth bits into four bytes. */
static void store_codes(const uint8_t codes[32], uint8_t *nibbles, uint8_t *fifth)
{
    uint32_t high = 0;
    for (int j = 0; j < 32; j++)
        high |= (uint32_t)(codes[j] >> 4 & 1) << j;
    for (int j = 0; j < 16; j++)
        nibbles[j] = (uint8_t)((codes[j] & 15) | (codes[j + 16] & 15) << 4);
    for (int j = 0; fifth && j < 4; j++)
        fifth[j] = (uint8_t)(high >> (8 * j));
}

/* x ~ d (q - reach), q in [0, 2 reach - 1]: the element of largest magnitude gets code 0. */
static void codes_signed(const float *x, const float *importance, int reach, uint8_t *scale,
                         uint8_t codes[32])
{
    if (importance) {
        float weights[32];
        het__weigh(x, importance, het__mean_square(x, 32), 32, weights);
        const float d = het__store_scale(scale, het__fit_scale(x, weights, 32, reach,
                                                               codes));
        for (int j = 0; j < 32; j++)
            codes[j] = (uint8_t)(het__nearest(x[j] * inverse_of(d), -reach, reach - 1) + reach);
        return;
    }
    const float d = het__extreme(x, 32) / (float)-reach, inverse = inverse_of(d);
    het__store_scale(scale, d);
    for (int j = 0; j < 32; j++)
        codes[j] = (uint8_t)truncated(x[j] * inverse + ((float)reach + 0.5f), 2 * reach - 1);
}

/* x ~ d q + m, q in [0, top]. */
static void codes_affine(const float *x, const float *importance, int top, uint8_t *scale,
                         uint8_t codes[32])
{
    if (importance) {
        const het__affine_search search = { top, -0.9f, 0.05f, 36, 0 };
        float weights[32], min;
        het__weigh(x, importance, het__mean_square(x, 32), 32, weights);
        const float d = het__store_scale(scale, het__fit_affine(&search, x, weights, 32, &min,
                                                                codes));
        const float base = het__store_scale(scale + 2, -min);
        for (int j = 0; j < 32; j++)
            codes[j] = (uint8_t)het__nearest((x[j] - base) * inverse_of(d), 0, top);
        return;
    }
    float low = x[0], high = x[0];
    for (int j = 1; j < 32; j++) {
        low = x[j] < low ? x[j] : low;
        high = x[j] > high ? x[j] : high;
    }
    const float d = (high - low) / (float)top, inverse = inverse_of(d);
    het__store_scale(scale, d);
    het__store_scale(scale + 2, low);
    for (int j = 0; j < 32; j++)
        codes[j] = (uint8_t)truncated((x[j] - low) * inverse + 0.5f, top);
}

static void block_q4_0(const float *x, const float *importance, uint8_t *b)
{
    uint8_t codes[32];
    codes_signed(x, importance, 8, b, codes);
    store_codes(codes, b + 2, NULL);
}

static void block_q4_1(const float *x, const float *importance, uint8_t *b)
{
    uint8_t codes[32];
    codes_affine(x, importance, 15, b, codes);
    store_codes(codes, b + 4, NULL);
}

static void block_q5_0(const float *x, const float *importance, uint8_t *b)
{
    uint8_t codes[32];
    codes_signed(x, importance, 16, b, codes);
    store_codes(codes, b + 6, b + 2);
}

static void block_q5_1(const float *x, const float *importance, uint8_t *b)
{
    uint8_t codes[32];
    codes_affine(x, importance, 31, b, codes);
    store_codes(codes, b + 8, b + 4);
}

/* Halves away from zero, in [-127, 127]. */
static int8_t rounded(float x)
{
    const float r = roundf(x);
    return (int8_t)(!(r > -127) ? -127 : r >= 127 ? 127 : (int)r);
}

static void block_q8_0(const float *x, const float *importance, uint8_t *b)
{
    (void)importance;
    const float d = fabsf(het__extreme(x, 32)) / 127, inverse = inverse_of(d);
    het__store_scale(b, d);
    for (int j = 0; j < 32; j++)
        b[2 + j] = (uint8_t)rounded(x[j] * inverse);
}

/* The value nearest to x; of two the upper. */
static int nearest_iq4(float x)
{
    int at = 0;
    while (at < 15 && x >= (float)het__iq4_values[at + 1])
        at++;
    if (at == 15 || x <= (float)het__iq4_values[0])
        return at;
    const float below = x - (float)het__iq4_values[at], above = (float)het__iq4_values[at + 1] - x;
    return below < above ? at : at + 1;
}

/* The best scale for the codes that rounding with `inverse` gives: sums as in encode_search.c. */
static void round_iq4(const float *x, const float *weights, float inverse, float *xq, float *qq)
{
    *xq = *qq = 0;
    for (int j = 0; j < 32; j++) {
        const float q = (float)het__iq4_values[nearest_iq4(inverse * x[j])];
        *xq += weights[j] * q * x[j];
        *qq += weights[j] * q * q;
    }
}

static float scale_iq4(const float *x, const float *weights)
{
    const float extreme = het__extreme(x, 32), first = (float)het__iq4_values[0];
    float xq, qq;
    if (!(fabsf(extreme) >= 1e-15f))
        return 0;
    round_iq4(x, weights, 1 / (-extreme / first), &xq, &qq);
    float scale = xq / qq, best = scale * xq;
    for (int i = -7; i <= 7; i++) {
        round_iq4(x, weights, ((float)i + first) / extreme, &xq, &qq);
        if (qq > 0 && xq * xq > best * qq) {
            scale = xq / qq;
            best = scale * xq;
        }
    }
    return scale;
}

static void block_iq4_nl(const float *x, const float *importance, uint8_t *b)
{
    float weights[32];
    uint8_t codes[32];
    if (importance)
        het__weigh(x, importance, 2 * het__mean_square(x, 32), 32, weights);
    for (int j = 0; !importance && j < 32; j++)
        weights[j] = x[j] * x[j];
    const float scale = scale_iq4(x, weights), inverse = inverse_of(scale);
    het__store_scale(b, scale);
    for (int j = 0; j < 32; j++)
        codes[j] = (uint8_t)nearest_iq4(inverse * x[j]);
    store_codes(codes, b + 2, NULL);
}

/* The scale is the power of two that brings the largest magnitude below 8 (E2M1 ends at 6). */
static void block_mxfp4(const float *x, const float *importance, uint8_t *b)
{
    (void)importance;
    const float most = fabsf(het__extreme(x, 32));
    int exponent = 0;
    uint8_t codes[32];
    frexpf(most, &exponent); /* most is in [2^(exponent - 1), 2^exponent) */
    exponent += 124;         /* its floor of log2, less 2, with the bias of 127 */
    b[0] = (uint8_t)(!(most > 0) || exponent < 0 ? 0 : exponent > 254 ? 254 : exponent);
    const float d = het__e8m0_half(b[0]);
    for (int j = 0; j < 32; j++) {
        float least = INFINITY;
        codes[j] = 0;
        for (int c = 0; c < 16; c++) {
            const float error = fabsf((float)het__mxfp4_values[c] * d - x[j]);
            if (error < least) {
                least = error;
                codes[j] = (uint8_t)c;
            }
        }
    }
    store_codes(codes, b + 1, NULL);
}

HET__ENCODE_BLOCKS(static, encode_q4_0, block_q4_0, 32, 18)
HET__ENCODE_BLOCKS(static, encode_q4_1, block_q4_1, 32, 20)
HET__ENCODE_BLOCKS(static, encode_q5_0, block_q5_0, 32, 22)
HET__ENCODE_BLOCKS(static, encode_q5_1, block_q5_1, 32, 24)
HET__ENCODE_BLOCKS(static, encode_q8_0, block_q8_0, 32, 34)
HET__ENCODE_BLOCKS(static, encode_iq4_nl, block_iq4_nl, 32, 18)
HET__ENCODE_BLOCKS(static, encode_mxfp4, block_mxfp4, 32, 17)

static void encode_f32(const float *row, const float *importance, void *target, int64_t count)
{
    (void)importance;
    if (count > 0)
        memcpy(target, row, (size_t)count * sizeof *row);
}

static void encode_f16(const float *row, const float *importance, void *target, int64_t count)
{
    (void)importance;
    for (int64_t i = 0; i < count; i++)
        het__store16((uint8_t *)target + 2 * i, het__f32_to_f16(row[i]));
}

static void encode_bf16(const float *row, const float *importance, void *target, int64_t count)
{
    (void)importance;
    for (int64_t i = 0; i < count; i++)
        het__store16((uint8_t *)target + 2 * i, het__f32_to_bf16(row[i]));
}

het__encode_fn het__encoder(het_dtype dtype)
{
    switch ((int)dtype) {
    case HET_DTYPE_F32: return encode_f32;
    case HET_DTYPE_F16: return encode_f16;
    case HET_DTYPE_BF16: return encode_bf16;
    case HET_DTYPE_Q4_0: return encode_q4_0;
    case HET_DTYPE_Q4_1: return encode_q4_1;
    case HET_DTYPE_Q5_0: return encode_q5_0;
    case HET_DTYPE_Q5_1: return encode_q5_1;
    case HET_DTYPE_Q8_0: return encode_q8_0;
    case HET_DTYPE_Q2_K: return het__encode_q2_k;
    case HET_DTYPE_Q3_K: return het__encode_q3_k;
    case HET_DTYPE_Q4_K: return het__encode_q4_k;
    case HET_DTYPE_Q5_K: return het__encode_q5_k;
    case HET_DTYPE_Q6_K: return het__encode_q6_k;
    case HET_DTYPE_IQ4_NL: return encode_iq4_nl;
    case HET_DTYPE_MXFP4: return encode_mxfp4;
    default: return NULL;
    }
}
