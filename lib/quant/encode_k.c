/* SPDX-License-Identifier: Apache-2.0 */
/* Encoders of the formats with blocks of 256. Each group of 16 or 32 elements gets the best scale
 * (and minimum) by itself; these are then rounded to small integers that share one F16 scale, and
 * the codes are made anew from what a reader will see. Layouts: decode.c. */
#include "lib/quant/encode_parts.h"

#include <assert.h>
#include <math.h>

#define BLOCK 256

static float largest(const float *values, int count)
{
    float most = 0;
    for (int i = 0; i < count; i++)
        most = values[i] > most ? values[i] : most;
    return most;
}

/* Scales or minimums of a block in whole numbers up to top, which a reader multiplies by the result.
 * Without weights the largest gets top; with them (how much each group counts) the fit is best
 * where it matters. */
static float share_scale(const float *values, const float *counts, int count, int top,
                         uint8_t *codes)
{
    if (counts)
        return het__fit_levels(values, counts, count, top, codes);
    const float most = largest(values, count), inverse = most > 0 ? (float)top / most : 0;
    for (int j = 0; j < count; j++)
        codes[j] = (uint8_t)het__nearest(inverse * values[j], 0, top);
    return most > 0 ? most / (float)top : 0;
}

static float sum_of(const float *weights, int count)
{
    float sum = 0;
    for (int i = 0; i < count; i++)
        sum += weights[i];
    return sum;
}

/* Codes of a group from what its scale and minimum have become; where the scale is zero those of
 * the search stay, since any do. */
static void round_group(const float *x, int count, float scale, float min, int top, uint8_t *codes)
{
    for (int i = 0; scale != 0 && i < count; i++)
        codes[i] = (uint8_t)het__nearest((x[i] + min) / scale, 0, top);
}

/* What is tried with importance: finer steps, and squared errors. */
static het__affine_search weighed_search(int top)
{
    return (het__affine_search){ top, -0.9f, 0.05f, 36, 0 };
}

/* ---- Q2_K ---- */

static void block_q2_k(const float *x, const float *importance, uint8_t *b)
{
    const het__affine_search search =
        importance ? weighed_search(3) : (het__affine_search){ 3, -0.5f, 0.1f, 15, 1 };
    const float square = importance ? het__mean_square(x, BLOCK) : 0;
    float scales[16], mins[16], counts[16], weights[16];
    uint8_t codes[BLOCK], s[16], m[16];
    for (int j = 0; j < 16; j++) {
        const float *group = x + 16 * j;
        if (importance)
            het__weigh(group, importance + 16 * j, square, 16, weights);
        for (int l = 0; !importance && l < 16; l++)
            weights[l] = fabsf(group[l]);
        scales[j] = het__fit_affine(&search, group, weights, 16, &mins[j], codes + 16 * j);
        counts[j] = sum_of(weights, 16);
    }
    const float *known = importance ? counts : NULL;
    const float d = het__store_scale(b + 80, share_scale(scales, known, 16, 15, s));
    const float dmin = het__store_scale(b + 82, share_scale(mins, known, 16, 15, m));
    for (int j = 0; j < 16; j++) {
        b[j] = (uint8_t)(s[j] | m[j] << 4);
        round_group(x + 16 * j, 16, d * (float)s[j], dmin * (float)m[j], 3, codes + 16 * j);
    }
    for (int i = 0; i < 64; i++) {
        const uint8_t *c = codes + 128 * (i / 32) + i % 32;
        b[16 + i] = (uint8_t)(c[0] | c[32] << 2 | c[64] << 4 | c[96] << 6);
    }
}

/* ---- Q3_K ---- */

/* Like share_scale(), of scales with a sign: codes of -32 to 31, plus 32; all 0 where all are. */
static float share_signed(const float *scales, const float *counts, uint8_t codes[16])
{
    const float extreme = het__extreme(scales, 16), inverse = extreme != 0 ? -32 / extreme : 0;
    if (counts)
        return het__fit_scale(scales, counts, 16, 32, codes);
    for (int j = 0; j < 16; j++)
        codes[j] = extreme != 0 ? (uint8_t)(het__nearest(inverse * scales[j], -32, 31) + 32) : 0;
    return extreme != 0 ? 1 / inverse : 0;
}

/* The inverse of het__q3k_scales(), for scales 0 to 63. */
static void pack_q3k(const uint8_t scales[16], uint8_t packed[12])
{
    memset(packed, 0, 12);
    for (int i = 0; i < 16; i++) {
        packed[i % 8] |= (uint8_t)((scales[i] & 15) << (i < 8 ? 0 : 4));
        packed[8 + i % 4] |= (uint8_t)(scales[i] >> 4 << (2 * (i / 4)));
    }
}

static void block_q3_k(const float *x, const float *importance, uint8_t *b)
{
    const float square = importance ? 2 * het__mean_square(x, BLOCK) : 0;
    float scales[16], counts[16] = { 0 }, weights[16];
    uint8_t packed[16];
    int8_t codes[BLOCK];
    for (int j = 0; j < 16; j++) {
        if (importance)
            het__weigh(x + 16 * j, importance + 16 * j, square, 16, weights);
        scales[j] = het__fit_codes(x + 16 * j, importance ? weights : NULL, 16, codes + 16 * j);
        counts[j] = importance ? sum_of(weights, 16) : 0;
    }
    const float d = het__store_scale(b + 108, share_signed(scales, importance ? counts : NULL,
                                                           packed));
    for (int j = 0; j < 16; j++) {
        const float scale = d * (float)((int)packed[j] - 32);
        for (int i = 16 * j; scale != 0 && i < 16 * j + 16; i++)
            codes[i] = (int8_t)het__nearest(x[i] / scale, -4, 3);
    }
    pack_q3k(packed, b + 96);
    memset(b, 0, 96);
    for (int i = 0; i < BLOCK; i++) {
        const int code = codes[i] + 4, run = i / 32;
        b[i % 32] |= (uint8_t)((code >> 2) << run);
        b[32 + 32 * (run / 4) + i % 32] |= (uint8_t)((code & 3) << (2 * (run % 4)));
    }
}

/* ---- Q4_K and Q5_K ---- */

/* The inverse of het__k4_scale_min(). */
static void pack_k4(uint8_t *packed, int j, int scale, int min)
{
    if (j < 4) {
        packed[j] = (uint8_t)scale;
        packed[j + 4] = (uint8_t)min;
    } else {
        packed[j + 4] = (uint8_t)((scale & 15) | (min & 15) << 4);
        packed[j - 4] |= (uint8_t)(scale >> 4 << 6);
        packed[j] |= (uint8_t)(min >> 4 << 6);
    }
}

/* Without importance an element counts with the group's root mean square and its own size. */
static void weigh_k4(const float *x, const float *importance, float square, float weights[32])
{
    if (importance) {
        het__weigh(x, importance, square, 32, weights);
        return;
    }
    const float typical = sqrtf(het__mean_square(x, 32));
    for (int l = 0; l < 32; l++)
        weights[l] = typical + fabsf(x[l]);
}

/* d, dmin and the packed scales into b; the codes. */
static void codes_k4(const het__affine_search *search, const float *x, const float *importance,
                     uint8_t *b, uint8_t codes[BLOCK])
{
    const float square = importance ? 2 * het__mean_square(x, BLOCK) : 0;
    float scales[8], mins[8], counts[8], weights[32];
    uint8_t s[8], m[8];
    for (int j = 0; j < 8; j++) {
        weigh_k4(x + 32 * j, importance ? importance + 32 * j : NULL, square, weights);
        scales[j] = het__fit_affine(search, x + 32 * j, weights, 32, &mins[j], codes + 32 * j);
        counts[j] = sum_of(weights, 32);
    }
    const float *known = importance ? counts : NULL;
    const float d = het__store_scale(b, share_scale(scales, known, 8, 63, s));
    const float dmin = het__store_scale(b + 2, share_scale(mins, known, 8, 63, m));
    memset(b + 4, 0, 12);
    for (int j = 0; j < 8; j++) {
        pack_k4(b + 4, j, s[j], m[j]);
        round_group(x + 32 * j, 32, d * (float)s[j], dmin * (float)m[j], search->top,
                    codes + 32 * j);
    }
}

static void store_k4(const uint8_t codes[BLOCK], uint8_t *nibbles)
{
    for (int i = 0; i < 128; i++) {
        const uint8_t *c = codes + 64 * (i / 32) + i % 32;
        nibbles[i] = (uint8_t)((c[0] & 15) | (c[32] & 15) << 4);
    }
}

static void block_q4_k(const float *x, const float *importance, uint8_t *b)
{
    const het__affine_search search =
        importance ? weighed_search(15) : (het__affine_search){ 15, -1, 0.1f, 20, 0 };
    uint8_t codes[BLOCK];
    codes_k4(&search, x, importance, b, codes);
    store_k4(codes, b + 16);
}

static void block_q5_k(const float *x, const float *importance, uint8_t *b)
{
    const het__affine_search search =
        importance ? weighed_search(31) : (het__affine_search){ 31, -0.5f, 0.1f, 15, 0 };
    uint8_t codes[BLOCK];
    codes_k4(&search, x, importance, b, codes);
    memset(b + 16, 0, 32);
    for (int i = 0; i < BLOCK; i++)
        b[16 + i % 32] |= (uint8_t)((codes[i] >> 4) << (i / 32));
    store_k4(codes, b + 48);
}

/* ---- Q6_K ---- */

static void store_q6_k(const uint8_t codes[BLOCK], uint8_t *b)
{
    memset(b, 0, 192);
    for (int i = 0; i < BLOCK; i++) {
        const int run = i / 32, r = run % 4, l = i % 32, code = codes[i];
        b[64 * (run / 4) + 32 * (r % 2) + l] |= (uint8_t)((code & 15) << (4 * (r / 2)));
        b[128 + 32 * (run / 4) + l] |= (uint8_t)((code >> 4) << (2 * r));
    }
}

static void block_q6_k(const float *x, const float *importance, uint8_t *b)
{
    float scales[16], weights[16];
    uint8_t codes[BLOCK];
    for (int j = 0; j < 16; j++) {
        const float *group = x + 16 * j;
        for (int l = 0; l < 16; l++)
            weights[l] = importance ? importance[16 * j + l] : group[l] * group[l];
        scales[j] = het__fit_scale(group, weights, 16, 32, codes + 16 * j);
    }
    const float extreme = het__extreme(scales, 16);
    if (!(fabsf(extreme) >= 1e-15f)) {
        memset(b, 0, 210);
        return;
    }
    const float inverse = -128 / extreme, d = het__store_scale(b + 208, 1 / inverse);
    for (int j = 0; j < 16; j++) {
        const int s = het__nearest(inverse * scales[j], -128, 127);
        const float scale = d * (float)s;
        b[192 + j] = (uint8_t)s;
        for (int i = 16 * j; scale != 0 && i < 16 * j + 16; i++)
            codes[i] = (uint8_t)(het__nearest(x[i] / scale, -32, 31) + 32);
    }
    store_q6_k(codes, b);
}

HET__ENCODE_BLOCKS(, het__encode_q2_k, block_q2_k, BLOCK, 84)
HET__ENCODE_BLOCKS(, het__encode_q3_k, block_q3_k, BLOCK, 110)
HET__ENCODE_BLOCKS(, het__encode_q4_k, block_q4_k, BLOCK, 144)
HET__ENCODE_BLOCKS(, het__encode_q5_k, block_q5_k, BLOCK, 176)
HET__ENCODE_BLOCKS(, het__encode_q6_k, block_q6_k, BLOCK, 210)
