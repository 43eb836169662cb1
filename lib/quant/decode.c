/* SPDX-License-Identifier: Apache-2.0 */
/* Decoding of every element type to F32. The order of the float operations is part of the format's
 * definition (scale times sub-scale first, then times the code, then minus the minimum), so results
 * agree to the bit with other readers; it relies on -ffp-contract=off.
 *
 * Block formats are little-endian and packed. Two-byte fields are put together from bytes; scalar
 * arrays are copied as they are, which is right on the little-endian hosts that we build for.
 * Layouts: the tables of the GGUF specification. In the comments d and m are binary16.
 *
 * Formats of 32 elements keep element j in the low nibble of byte j and element j + 16 in the high
 * nibble. Formats of 256 elements ("K") have 8 or 16 sub-blocks with small integer scales. */
#include "lib/quant/quant.h"

#include <assert.h>

#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "scalar tensors are read as little-endian"
#endif

const int8_t het__iq4_values[16] = {
    -127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113,
};
const int8_t het__mxfp4_values[16] = {
    0, 1, 2, 3, 4, 6, 8, 12, 0, -1, -2, -3, -4, -6, -8, -12,
};

static uint32_t load16(const uint8_t *p)
{
    return (uint32_t)p[0] | (uint32_t)p[1] << 8;
}

static uint32_t load32(const uint8_t *p)
{
    return load16(p) | load16(p + 2) << 16;
}

static float load_f16(const uint8_t *p)
{
    return het__f16_to_f32((uint16_t)load16(p));
}

/* Scalars: element by element, because source may be unaligned. */

static void decode_f32(const void *source, float *target, int64_t count)
{
    if (count > 0)
        memcpy(target, source, (size_t)count * sizeof *target);
}

#define DECODE_SCALAR(name, type, convert)                                       \
    static void name(const void *source, float *target, int64_t count)           \
    {                                                                            \
        const uint8_t *p = source;                                               \
        for (int64_t i = 0; i < count; i++) {                                    \
            type v;                                                              \
            memcpy(&v, p + (size_t)i * sizeof v, sizeof v);                      \
            target[i] = convert(v);                                              \
        }                                                                        \
    }

DECODE_SCALAR(decode_f16, uint16_t, het__f16_to_f32)
DECODE_SCALAR(decode_bf16, uint16_t, het__bf16_to_f32)
DECODE_SCALAR(decode_f64, double, (float))
DECODE_SCALAR(decode_i8, int8_t, (float))
DECODE_SCALAR(decode_i16, int16_t, (float))
DECODE_SCALAR(decode_i32, int32_t, (float))
DECODE_SCALAR(decode_i64, int64_t, (float))
DECODE_SCALAR(decode_u8, uint8_t, (float))
DECODE_SCALAR(decode_u16, uint16_t, (float))
DECODE_SCALAR(decode_u32, uint32_t, (float))
DECODE_SCALAR(decode_u64, uint64_t, (float))

/* Blocks: one function per format decodes one block; the loops around them follow. */

static void block_q4_0(const uint8_t *b, float *y) /* d, codes[16]: (q - 8) d */
{
    const float d = load_f16(b);
    for (int j = 0; j < 16; j++) {
        y[j] = (float)((b[2 + j] & 15) - 8) * d;
        y[j + 16] = (float)((b[2 + j] >> 4) - 8) * d;
    }
}

static void block_q4_1(const uint8_t *b, float *y) /* d, m, codes[16]: q d + m */
{
    const float d = load_f16(b), m = load_f16(b + 2);
    for (int j = 0; j < 16; j++) {
        y[j] = (float)(b[4 + j] & 15) * d + m;
        y[j + 16] = (float)(b[4 + j] >> 4) * d + m;
    }
}

static void block_q5_0(const uint8_t *b, float *y) /* d, fifth bits[4], codes[16]: (q - 16) d */
{
    const float d = load_f16(b);
    const uint32_t high = load32(b + 2);
    for (int j = 0; j < 16; j++) {
        const int lo = (b[6 + j] & 15) | (int)(high >> j & 1u) << 4;
        const int hi = (b[6 + j] >> 4) | (int)(high >> (j + 16) & 1u) << 4;
        y[j] = (float)(lo - 16) * d;
        y[j + 16] = (float)(hi - 16) * d;
    }
}

static void block_q5_1(const uint8_t *b, float *y) /* d, m, fifth bits[4], codes[16]: q d + m */
{
    const float d = load_f16(b), m = load_f16(b + 2);
    const uint32_t high = load32(b + 4);
    for (int j = 0; j < 16; j++) {
        const int lo = (b[8 + j] & 15) | (int)(high >> j & 1u) << 4;
        const int hi = (b[8 + j] >> 4) | (int)(high >> (j + 16) & 1u) << 4;
        y[j] = (float)lo * d + m;
        y[j + 16] = (float)hi * d + m;
    }
}

static void bytes_times(const uint8_t *codes, float d, float *y, int count)
{
    for (int j = 0; j < count; j++)
        y[j] = (float)(int8_t)codes[j] * d;
}

static void block_q8_0(const uint8_t *b, float *y) /* d, int8 codes[32] */
{
    bytes_times(b + 2, load_f16(b), y, 32);
}

static void block_q8_1(const uint8_t *b, float *y) /* d, d times the sum of codes, int8 codes[32] */
{
    bytes_times(b + 4, load_f16(b), y, 32);
}

static void block_q8_k(const uint8_t *b, float *y) /* binary32 d, int8 codes[256], sums[16] */
{
    float d;
    memcpy(&d, b, sizeof d);
    bytes_times(b + 4, d, y, 256);
}

static void block_iq4_nl(const uint8_t *b, float *y) /* d, codes[16]: d T[q] */
{
    const float d = load_f16(b);
    for (int j = 0; j < 16; j++) {
        y[j] = d * (float)het__iq4_values[b[2 + j] & 15];
        y[j + 16] = d * (float)het__iq4_values[b[2 + j] >> 4];
    }
}

static void block_mxfp4(const uint8_t *b, float *y) /* E8M0 scale, codes[16] */
{
    const float d = het__e8m0_half(b[0]);
    for (int j = 0; j < 16; j++) {
        y[j] = (float)het__mxfp4_values[b[1 + j] & 15] * d;
        y[j + 16] = (float)het__mxfp4_values[b[1 + j] >> 4] * d;
    }
}

/* scales[16] (low nibble scale, high nibble minimum), codes[64], d, dmin. Each half of 128 elements
 * has 32 bytes of codes, which hold four runs of 32 elements, two bits each. */
static void block_q2_k(const uint8_t *b, float *y)
{
    const uint8_t *scales = b, *codes = b + 16;
    const float d = load_f16(b + 80), dmin = load_f16(b + 82);
    for (int i = 0; i < 16; i++) { /* sub-blocks of 16 */
        const int half = i / 8, shift = 2 * (i % 8 / 2);
        const uint8_t *q = codes + 32 * half + 16 * (i % 2);
        const float scale = d * (float)(scales[i] & 15), min = dmin * (float)(scales[i] >> 4);
        for (int l = 0; l < 16; l++)
            *y++ = scale * (float)(q[l] >> shift & 3) - min;
    }
}

void het__q3k_scales(const uint8_t *packed, int8_t scales[16])
{
    /* Scale i: its low four bits are a nibble of byte i % 8, its high two bits lie in byte
     * 8 + i % 4 at 2 (i / 4). */
    for (int i = 0; i < 16; i++) {
        const int low = i < 8 ? packed[i] & 15 : packed[i - 8] >> 4;
        const int high = packed[8 + i % 4] >> (2 * (i / 4)) & 3;
        scales[i] = (int8_t)((low | high << 4) - 32);
    }
}

/* High bits[32], codes[64] as in Q2_K, scales[12], d. Bit r of high byte l belongs to element l of
 * run r of 32; where it is clear the code is 4 less. */
static void block_q3_k(const uint8_t *b, float *y)
{
    const uint8_t *high = b, *codes = b + 32;
    const float d = load_f16(b + 108);
    int8_t scales[16];
    het__q3k_scales(b + 96, scales);
    for (int i = 0; i < 16; i++) {
        const int run = i / 2, shift = 2 * (run % 4), at = 16 * (i % 2);
        const uint8_t *q = codes + 32 * (run / 4) + at;
        const float scale = d * (float)scales[i];
        for (int l = 0; l < 16; l++) {
            const int minus = high[at + l] >> run & 1 ? 0 : 4;
            *y++ = scale * (float)((q[l] >> shift & 3) - minus);
        }
    }
}

void het__k4_scale_min(const uint8_t *packed, int j, uint8_t *scale, uint8_t *min)
{
    assert(j >= 0 && j < 8);
    if (j < 4) {
        *scale = packed[j] & 63;
        *min = packed[j + 4] & 63;
    } else {
        *scale = (uint8_t)((packed[j + 4] & 15) | packed[j - 4] >> 6 << 4);
        *min = (uint8_t)(packed[j + 4] >> 4 | packed[j] >> 6 << 4);
    }
}

/* d, dmin, scales[12], codes[128]: sub-block 2i is the low nibbles of bytes 32i to 32i + 31,
 * sub-block 2i + 1 their high nibbles. Q5_K has bit j of 32 high bytes for sub-block j. */
static void block_k4(const uint8_t *b, const uint8_t *high, const uint8_t *codes, float *y)
{
    const float d = load_f16(b), dmin = load_f16(b + 2);
    for (int j = 0; j < 8; j++) {
        uint8_t sc, mn;
        het__k4_scale_min(b + 4, j, &sc, &mn);
        const float scale = d * (float)sc, min = dmin * (float)mn;
        const uint8_t *q = codes + 32 * (j / 2);
        for (int l = 0; l < 32; l++) {
            const int fifth = high ? (high[l] >> j & 1) << 4 : 0;
            *y++ = scale * (float)((q[l] >> (4 * (j % 2)) & 15) | fifth) - min;
        }
    }
}

static void block_q4_k(const uint8_t *b, float *y)
{
    block_k4(b, NULL, b + 16, y);
}

static void block_q5_k(const uint8_t *b, float *y)
{
    block_k4(b, b + 16, b + 48, y);
}

/* Low nibbles[128], high bit pairs[64], int8 scales[16], d: d s (q - 32). Of 128 elements, runs 0
 * and 1 of 32 are low nibbles, 2 and 3 high nibbles of 64 bytes; run r has bits 2r of 32 bytes. */
static void block_q6_k(const uint8_t *b, float *y)
{
    const float d = load_f16(b + 208);
    for (int run = 0; run < 8; run++) {
        const int r = run % 4;
        const uint8_t *low = b + 64 * (run / 4) + 32 * (r % 2);
        const uint8_t *high = b + 128 + 32 * (run / 4);
        const uint8_t *scales = b + 192 + 2 * run;
        for (int l = 0; l < 32; l++) {
            const int q = (low[l] >> (4 * (r / 2)) & 15) | (high[l] >> (2 * r) & 3) << 4;
            *y++ = d * (float)(int8_t)scales[l / 16] * (float)(q - 32);
        }
    }
}

/* d, high scale bits u16, low scale nibbles[4], codes[128]: d (s - 32) T[q], 32 elements each. */
static void block_iq4_xs(const uint8_t *b, float *y)
{
    const float d = load_f16(b);
    const uint32_t high = load16(b + 2);
    for (int i = 0; i < 8; i++) {
        const int low = b[4 + i / 2] >> (4 * (i % 2)) & 15;
        const int s = low | (int)(high >> (2 * i) & 3u) << 4;
        const float scale = d * (float)(s - 32);
        const uint8_t *q = b + 8 + 16 * i;
        for (int j = 0; j < 16; j++) {
            y[j] = scale * (float)het__iq4_values[q[j] & 15];
            y[j + 16] = scale * (float)het__iq4_values[q[j] >> 4];
        }
        y += 32;
    }
}

#define DECODE_BLOCKS(name, block, elements, bytes)                              \
    static void name(const void *source, float *target, int64_t count)           \
    {                                                                            \
        assert(count % (elements) == 0);                                         \
        const uint8_t *b = source;                                               \
        for (int64_t i = 0; i < count; i += (elements), b += (bytes))            \
            block(b, target + i);                                                \
    }

DECODE_BLOCKS(decode_q4_0, block_q4_0, 32, 18)
DECODE_BLOCKS(decode_q4_1, block_q4_1, 32, 20)
DECODE_BLOCKS(decode_q5_0, block_q5_0, 32, 22)
DECODE_BLOCKS(decode_q5_1, block_q5_1, 32, 24)
DECODE_BLOCKS(decode_q8_0, block_q8_0, 32, 34)
DECODE_BLOCKS(decode_q8_1, block_q8_1, 32, 36)
DECODE_BLOCKS(decode_q2_k, block_q2_k, 256, 84)
DECODE_BLOCKS(decode_q3_k, block_q3_k, 256, 110)
DECODE_BLOCKS(decode_q4_k, block_q4_k, 256, 144)
DECODE_BLOCKS(decode_q5_k, block_q5_k, 256, 176)
DECODE_BLOCKS(decode_q6_k, block_q6_k, 256, 210)
DECODE_BLOCKS(decode_q8_k, block_q8_k, 256, 292)
DECODE_BLOCKS(decode_iq4_nl, block_iq4_nl, 32, 18)
DECODE_BLOCKS(decode_iq4_xs, block_iq4_xs, 256, 136)
DECODE_BLOCKS(decode_mxfp4, block_mxfp4, 32, 17)

het__decode_fn het__decoder(het_dtype dtype)
{
    static const het__decode_fn decoders[] = {
        [HET_DTYPE_F32] = decode_f32,       [HET_DTYPE_F16] = decode_f16,
        [HET_DTYPE_BF16] = decode_bf16,     [HET_DTYPE_F64] = decode_f64,
        [HET_DTYPE_I8] = decode_i8,         [HET_DTYPE_I16] = decode_i16,
        [HET_DTYPE_I32] = decode_i32,       [HET_DTYPE_I64] = decode_i64,
        [HET_DTYPE_U8] = decode_u8,         [HET_DTYPE_U16] = decode_u16,
        [HET_DTYPE_U32] = decode_u32,       [HET_DTYPE_U64] = decode_u64,
        [HET_DTYPE_Q4_0] = decode_q4_0,     [HET_DTYPE_Q4_1] = decode_q4_1,
        [HET_DTYPE_Q5_0] = decode_q5_0,     [HET_DTYPE_Q5_1] = decode_q5_1,
        [HET_DTYPE_Q8_0] = decode_q8_0,     [HET_DTYPE_Q8_1] = decode_q8_1,
        [HET_DTYPE_Q2_K] = decode_q2_k,     [HET_DTYPE_Q3_K] = decode_q3_k,
        [HET_DTYPE_Q4_K] = decode_q4_k,     [HET_DTYPE_Q5_K] = decode_q5_k,
        [HET_DTYPE_Q6_K] = decode_q6_k,     [HET_DTYPE_Q8_K] = decode_q8_k,
        [HET_DTYPE_IQ4_NL] = decode_iq4_nl, [HET_DTYPE_IQ4_XS] = decode_iq4_xs,
        [HET_DTYPE_MXFP4] = decode_mxfp4,
    };
    const uint32_t i = (uint32_t)dtype;
    return i < sizeof decoders / sizeof decoders[0] ? decoders[i] : NULL;
}
