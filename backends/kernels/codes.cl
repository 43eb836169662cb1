/* SPDX-License-Identifier: Apache-2.0 */
/* Blocks of weights as whole numbers, for products in 8 bits. Included behind blocks.cl, which says
 * what the blocks are like.
 *
 *     int4 codes = het_codes16(row, i, &scale, &least);
 *
 * gives elements 16 i to 16 i + 15 of a row, four to a word from the lowest byte on, each from -128
 * to 127, which stand for scale * code - least. A code with an offset stays above 0, with the
 * offset in least: the sum of the other side's codes is known once for all rows of weights. */

/* Types whose blocks of 32 have one scale; of the others sixteen have one. */
#if HET_W == HET_W_Q2_K || HET_W == HET_W_Q3_K || HET_W == HET_W_Q6_K
#define HET_SCALE_OF 16
#else
#define HET_SCALE_OF 32
#endif

/* Four low bits, one for each byte of a word: bit 0 of each, none of which meets another. */
static inline uint het_spread4(uint bits)
{
    return (bits & 15) * 0x00204081 & 0x01010101;
}

static inline uint4 het_spread16(uint bits)
{
    return (uint4)(het_spread4(bits), het_spread4(bits >> 4), het_spread4(bits >> 8),
                   het_spread4(bits >> 12));
}

static inline uint4 het_words4(__global const uchar *at)
{
    return as_uint4(het_bytes16(at));
}

static inline uint4 het_nibble_words(__global const uchar *at, uint high)
{
    return het_words4(at) >> 4 * high & 0x0f0f0f0f;
}

#ifdef HET_VALUES_0
static inline int4 het_lookup_words(__global const uchar *at, uint high)
{
    return as_int4(convert_char16(het_lookup_int(het_nibbles(at, high))));
}
#endif

static inline int4 het_block_codes(__global const uchar *b, __global const uchar *small, uint s,
                                   float *scale, float *least)
{
#if HET_W == HET_W_Q4_0
    *scale = het_half(small);
    *least = 8.0f * *scale;
    return as_int4(het_nibble_words(b, s));
#elif HET_W == HET_W_IQ4_NL
    *scale = het_half(small);
    *least = 0.0f;
    return het_lookup_words(b, s);
#elif HET_W == HET_W_MXFP4
    *scale = het_e8m0_half(*small);
    *least = 0.0f;
    return het_lookup_words(b, s);
#elif HET_W == HET_W_Q4_1
    *scale = het_half(b);
    *least = -het_half(b + 2);
    return as_int4(het_nibble_words(b + 4, s));
#elif HET_W == HET_W_Q5_0
    *scale = het_half(small);
    *least = 16.0f * *scale;
    return as_int4(het_nibble_words(b + 4, s) | het_spread16(het_word(b) >> 16 * s) << 4);
#elif HET_W == HET_W_Q5_1
    *scale = het_half(b);
    *least = -het_half(b + 2);
    return as_int4(het_nibble_words(b + 8, s) | het_spread16(het_word(b + 4) >> 16 * s) << 4);
#elif HET_W == HET_W_Q8_0
    *scale = het_half(small);
    *least = 0.0f;
    return as_int4(het_words4(b + 16 * s));
#elif HET_W == HET_W_Q2_K
    *scale = het_half(b + 80) * (float)(b[s] & 15);
    *least = het_half(b + 82) * (float)(b[s] >> 4);
    return as_int4(het_words4(b + 16 + 32 * (s / 8) + 16 * (s % 2)) >> 2 * (s % 8 / 2) &
                   0x03030303);
#elif HET_W == HET_W_Q3_K
    const uint run = s / 2, at = 16 * (s % 2);
    *scale = het_half(small) * het_q3_scale(b, s);
    *least = 4.0f * *scale;
    return as_int4((het_words4(b + 32 + 32 * (run / 4) + at) >> 2 * (run % 4) & 0x03030303) |
                   (het_words4(b + at) >> run & 0x01010101) << 2);
#elif HET_W == HET_W_Q4_K || HET_W == HET_W_Q5_K
    const uint j = s / 2, at = 16 * (s % 2);
    const int2 k = het_k_scales(b, j);
    *scale = het_half(b) * (float)k.s0;
    *least = het_half(b + 2) * (float)k.s1;
#if HET_W == HET_W_Q4_K
    return as_int4(het_nibble_words(b + 16 + 32 * (j / 2) + at, j % 2));
#else
    return as_int4(het_nibble_words(b + 48 + 32 * (j / 2) + at, j % 2) |
                   (het_words4(b + 16 + at) >> j & 0x01010101) << 4);
#endif
#elif HET_W == HET_W_Q6_K
    const uint run = s / 2, r = run % 4, at = 32 * (run / 4) + 16 * (s % 2);
    *scale = het_half(small) * (float)as_char(b[192 + s]);
    *least = 32.0f * *scale;
    return as_int4(het_nibble_words(b + 32 * (run / 4) + 32 * (r % 2) + at, r / 2) |
                   (het_words4(b + 128 + at) >> 2 * r & 0x03030303) << 4);
#elif HET_W == HET_W_IQ4_XS
    const uint i = s / 2;
    *scale = het_half(b) * het_xs_scale(b, i);
    *least = 0.0f;
    return het_lookup_words(b + 8 + 16 * i, s % 2);
#else
#error "no codes of this type"
#endif
}

static inline int4 het_codes16(het_w row, uint i, float *scale, float *least)
{
    const uint block = i / HET_W_RUNS;
    return het_block_codes(row.body + (ulong)block * HET_W_BODY_STEP,
                           row.small + (ulong)block * HET_W_SMALL_STEP, i % HET_W_RUNS, scale,
                           least);
}
