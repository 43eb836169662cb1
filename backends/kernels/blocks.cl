/* SPDX-License-Identifier: Apache-2.0 */
/* Elements of every type that weights come in, sixteen at a time. Included by kernels that read
 * weights; the host says which type they have:
 *
 *     -DHET_W=32        the value of het_dtype (HET_W_Q4_0 and so on)
 *     -DHET_SPLIT=1     the bytes are split, see below; 0 or absent: they are as in the file
 *
 *     const het_w row = het_w_row(w + w_at, w_small, columns, index);
 *     float16 y = het_w16(row, i);      elements 16 i to 16 i + 15 of the row
 *     float z = het_w1(row, k);         one element
 *
 * Rows of plain types (HET_W_ELEMENTS 1) have any number of columns: het_w16() only where all
 * sixteen are there, het_w1() for the rest. Rows of block types are whole blocks.
 *
 * Sixteen, because the sixteen elements of a run have one scale in every format. Decoding follows
 * lib/quant/decode.c, where the layouts of the blocks are told; d and m are binary16 there.
 *
 * Blocks of seven formats are not a multiple of four bytes, for one field of a byte or two. Split,
 * a tensor is the rest of all its blocks, then at w_small bytes that field of all blocks, so that
 * devices load words: what processors do well with any address, GPUs do byte by byte. */
#ifndef HET_SPLIT
#define HET_SPLIT 0
#endif

#define HET_W_F32 1
#define HET_W_F16 2
#define HET_W_BF16 3
#define HET_W_Q4_0 32
#define HET_W_Q4_1 33
#define HET_W_Q5_0 34
#define HET_W_Q5_1 35
#define HET_W_Q8_0 36
#define HET_W_Q2_K 38
#define HET_W_Q3_K 39
#define HET_W_Q4_K 40
#define HET_W_Q5_K 41
#define HET_W_Q6_K 42
#define HET_W_IQ4_NL 44
#define HET_W_IQ4_XS 45
#define HET_W_MXFP4 46

/* Elements and bytes of a block; the field that is split off: where it is, its bytes (0: none). */
#if HET_W == HET_W_F32
#define HET_W_ELEMENTS 1
#define HET_W_BYTES 4
#elif HET_W == HET_W_F16 || HET_W == HET_W_BF16
#define HET_W_ELEMENTS 1
#define HET_W_BYTES 2
#elif HET_W == HET_W_Q4_0 || HET_W == HET_W_IQ4_NL
#define HET_W_ELEMENTS 32
#define HET_W_BYTES 18
#define HET_W_SMALL_AT 0
#define HET_W_SMALL 2
#elif HET_W == HET_W_Q4_1
#define HET_W_ELEMENTS 32
#define HET_W_BYTES 20
#elif HET_W == HET_W_Q5_0
#define HET_W_ELEMENTS 32
#define HET_W_BYTES 22
#define HET_W_SMALL_AT 0
#define HET_W_SMALL 2
#elif HET_W == HET_W_Q5_1
#define HET_W_ELEMENTS 32
#define HET_W_BYTES 24
#elif HET_W == HET_W_Q8_0
#define HET_W_ELEMENTS 32
#define HET_W_BYTES 34
#define HET_W_SMALL_AT 0
#define HET_W_SMALL 2
#elif HET_W == HET_W_Q2_K
#define HET_W_ELEMENTS 256
#define HET_W_BYTES 84
#elif HET_W == HET_W_Q3_K
#define HET_W_ELEMENTS 256
#define HET_W_BYTES 110
#define HET_W_SMALL_AT 108
#define HET_W_SMALL 2
#elif HET_W == HET_W_Q4_K
#define HET_W_ELEMENTS 256
#define HET_W_BYTES 144
#elif HET_W == HET_W_Q5_K
#define HET_W_ELEMENTS 256
#define HET_W_BYTES 176
#elif HET_W == HET_W_Q6_K
#define HET_W_ELEMENTS 256
#define HET_W_BYTES 210
#define HET_W_SMALL_AT 208
#define HET_W_SMALL 2
#elif HET_W == HET_W_IQ4_XS
#define HET_W_ELEMENTS 256
#define HET_W_BYTES 136
#elif HET_W == HET_W_MXFP4
#define HET_W_ELEMENTS 32
#define HET_W_BYTES 17
#define HET_W_SMALL_AT 0
#define HET_W_SMALL 1
#else
#error "HET_W is not a type of weights"
#endif
#ifndef HET_W_SMALL
#define HET_W_SMALL 0
#define HET_W_SMALL_AT 0
#endif

/* What a block has besides the small field begins at: */
#define HET_W_BODY_AT (HET_SPLIT || HET_W_SMALL_AT ? 0 : HET_W_SMALL)
#if HET_SPLIT && HET_W_SMALL
#define HET_W_BODY_STEP (HET_W_BYTES - HET_W_SMALL)
#define HET_W_SMALL_STEP HET_W_SMALL
#else
#define HET_W_BODY_STEP HET_W_BYTES
#define HET_W_SMALL_STEP HET_W_BYTES
#endif
/* Sixteens of a block. */
#define HET_W_RUNS (HET_W_ELEMENTS / 16)

/* A row of a matrix: its first block without the small field, and that field. */
typedef struct het_w {
    __global const uchar *body, *small;
} het_w;

static inline het_w het_w_row(__global const uchar *w, ulong small_at, uint columns, ulong row)
{
    const ulong block = row * (columns / HET_W_ELEMENTS);
    het_w r;
    r.body = w + block * HET_W_BODY_STEP + HET_W_BODY_AT;
#if HET_SPLIT && HET_W_SMALL
    r.small = w + small_at + block * HET_W_SMALL_STEP;
#else
    r.small = w + block * HET_W_SMALL_STEP + HET_W_SMALL_AT;
#endif
    return r;
}

/* ---- loads ---- */

/* Sixteen bytes at the alignment that bodies have: any is as good for a processor, while GPUs take
 * the type of the pointer at its word. */
static inline uchar16 het_bytes16(__global const uchar *at)
{
#if HET_CPU || HET_W_BODY_STEP % 2
    return vload16(0, at);
#elif HET_W_BODY_STEP % 4
    return as_uchar16(vload8(0, (__global const ushort *)at));
#else
    return as_uchar16(vload4(0, (__global const uint *)at));
#endif
}

static inline uint het_word(__global const uchar *at)
{
#if HET_W_BODY_STEP % 4
    const ushort2 halves = vload2(0, (__global const ushort *)at);
    return halves.s0 | (uint)halves.s1 << 16;
#else
    return *(__global const uint *)at;
#endif
}

/* Low or high four bits of sixteen bytes. */
static inline int16 het_nibbles(__global const uchar *at, uint high)
{
    return convert_int16(het_bytes16(at)) >> (int)(4 * high) & 15;
}

/* Bit first + j of bits for j = 0 to 15. */
static inline int16 het_bits(uint bits, uint first)
{
    const int16 step = (int16)(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
    return (int16)(int)(bits >> first) >> step & 1;
}

/* ---- blocks: elements 16 s to 16 s + 15 of the block ---- */

/* Tables of sixteen values as the bytes of four words, from the lowest on: shifts are cheaper than
 * sixteen loads at addresses that differ. */
#if HET_W == HET_W_IQ4_NL || HET_W == HET_W_IQ4_XS /* -127 -104 -83 -65, -49 … 89 113 */
#define HET_VALUES_0 0xbfad9881
#define HET_VALUES_1 0xf6eaddcf
#define HET_VALUES_2 0x26190d01
#define HET_VALUES_3 0x71594535
#elif HET_W == HET_W_MXFP4 /* twice the values of E2M1 */
#define HET_VALUES_0 0x03020100
#define HET_VALUES_1 0x0c080604
#define HET_VALUES_2 0xfdfeff00
#define HET_VALUES_3 0xf4f8fafc
#endif
#ifdef HET_VALUES_0
static inline int16 het_lookup_int(int16 q)
{
    /* The choice follows the highest bit of the third operand. */
    const int16 low = select((int16)(int)HET_VALUES_0, (int16)(int)HET_VALUES_1, q << 29);
    const int16 high = select((int16)(int)HET_VALUES_2, (int16)(int)HET_VALUES_3, q << 29);
    return select(low, high, q << 28) << (24 - 8 * (q & 3)) >> 24;
}

static inline float16 het_lookup(int16 q)
{
    return convert_float16(het_lookup_int(q));
}
#endif

#if HET_W == HET_W_Q4_0 /* d; codes[16] */
static inline float16 het_block16(__global const uchar *b, __global const uchar *small, uint s)
{
    return convert_float16(het_nibbles(b, s) - 8) * het_half(small);
}
#elif HET_W == HET_W_IQ4_NL /* d; codes[16] */
static inline float16 het_block16(__global const uchar *b, __global const uchar *small, uint s)
{
    return het_lookup(het_nibbles(b, s)) * het_half(small);
}
#elif HET_W == HET_W_MXFP4 /* E8M0 scale, of which half is meant; codes[16] */
static inline float het_e8m0_half(uint e)
{
    /* The two smallest are subnormal, which a device may take for zero. */
    return as_float(e < 2 ? 0x00200000u << e : (e - 1) << 23);
}

static inline float16 het_block16(__global const uchar *b, __global const uchar *small, uint s)
{
    return het_lookup(het_nibbles(b, s)) * het_e8m0_half(*small);
}
#elif HET_W == HET_W_Q4_1 /* d, m, codes[16] */
static inline float16 het_block16(__global const uchar *b, __global const uchar *small, uint s)
{
    return convert_float16(het_nibbles(b + 4, s)) * het_half(b) + het_half(b + 2);
}
#elif HET_W == HET_W_Q5_0 /* d; fifth bits[4], codes[16] */
static inline float16 het_block16(__global const uchar *b, __global const uchar *small, uint s)
{
    const int16 q = het_nibbles(b + 4, s) | het_bits(het_word(b), 16 * s) << 4;
    return convert_float16(q - 16) * het_half(small);
}
#elif HET_W == HET_W_Q5_1 /* d, m, fifth bits[4], codes[16] */
static inline float16 het_block16(__global const uchar *b, __global const uchar *small, uint s)
{
    const int16 q = het_nibbles(b + 8, s) | het_bits(het_word(b + 4), 16 * s) << 4;
    return convert_float16(q) * het_half(b) + het_half(b + 2);
}
#elif HET_W == HET_W_Q8_0 /* d; int8 codes[32] */
static inline float16 het_block16(__global const uchar *b, __global const uchar *small, uint s)
{
    return convert_float16(as_char16(het_bytes16(b + 16 * s))) * het_half(small);
}
#elif HET_W == HET_W_Q2_K /* scales[16] (high nibble: minimum), codes[64], d, dmin */
static inline float16 het_block16(__global const uchar *b, __global const uchar *small, uint s)
{
    const int16 bytes = convert_int16(het_bytes16(b + 16 + 32 * (s / 8) + 16 * (s % 2)));
    const float scale = het_half(b + 80) * (float)(b[s] & 15);
    const float least = het_half(b + 82) * (float)(b[s] >> 4);
    return convert_float16(bytes >> (int)(2 * (s % 8 / 2)) & 3) * scale - least;
}
#elif HET_W == HET_W_Q3_K /* high bits[32], codes[64], scales[12]; d */
static inline float het_q3_scale(__global const uchar *b, uint s)
{
    const int below = s < 8 ? b[96 + s] & 15 : b[88 + s] >> 4;
    const int above = b[104 + s % 4] >> (2 * (s / 4)) & 3;
    return (float)((below | above << 4) - 32);
}

static inline float16 het_block16(__global const uchar *b, __global const uchar *small, uint s)
{
    const uint run = s / 2, at = 16 * (s % 2);
    const int16 high = convert_int16(het_bytes16(b + at)) >> (int)run & 1;
    const int16 low = convert_int16(het_bytes16(b + 32 + 32 * (run / 4) + at));
    const float scale = het_half(small) * het_q3_scale(b, s);
    return convert_float16((low >> (int)(2 * (run % 4)) & 3) - 4 + (high << 2)) * scale;
}
#elif HET_W == HET_W_Q4_K || HET_W == HET_W_Q5_K
/* d, dmin, scales[12], fifth bits[32] of Q5_K, codes[128] */
static inline int2 het_k_scales(__global const uchar *b, uint j)
{
    if (j < 4)
        return (int2)(b[4 + j] & 63, b[8 + j] & 63);
    return (int2)((b[8 + j] & 15) | b[j] >> 6 << 4, b[8 + j] >> 4 | b[4 + j] >> 6 << 4);
}

static inline float16 het_block16(__global const uchar *b, __global const uchar *small, uint s)
{
    const uint j = s / 2, at = 16 * (s % 2);
    const int2 k = het_k_scales(b, j);
#if HET_W == HET_W_Q4_K
    const int16 q = het_nibbles(b + 16 + 32 * (j / 2) + at, j % 2);
#else
    const int16 fifth = convert_int16(het_bytes16(b + 16 + at)) >> (int)j & 1;
    const int16 q = het_nibbles(b + 48 + 32 * (j / 2) + at, j % 2) | fifth << 4;
#endif
    return convert_float16(q) * (het_half(b) * (float)k.s0) - het_half(b + 2) * (float)k.s1;
}
#elif HET_W == HET_W_Q6_K /* low nibbles[128], high bit pairs[64], int8 scales[16]; d */
static inline float16 het_block16(__global const uchar *b, __global const uchar *small, uint s)
{
    const uint run = s / 2, r = run % 4, at = 32 * (run / 4) + 16 * (s % 2);
    const int16 low = het_nibbles(b + 32 * (run / 4) + 32 * (r % 2) + at, r / 2);
    const int16 high = convert_int16(het_bytes16(b + 128 + at)) >> (int)(2 * r) & 3;
    const float scale = het_half(small) * (float)as_char(b[192 + s]);
    return convert_float16((low | high << 4) - 32) * scale;
}
#elif HET_W == HET_W_IQ4_XS /* d, high scale bits u16, low scale nibbles[4], codes[128] */
static inline float het_xs_scale(__global const uchar *b, uint i)
{
    const uint high = *(__global const ushort *)(b + 2);
    const int below = b[4 + i / 2] >> (4 * (i % 2)) & 15, above = high >> (2 * i) & 3;
    return (float)((below | above << 4) - 32);
}

static inline float16 het_block16(__global const uchar *b, __global const uchar *small, uint s)
{
    const uint i = s / 2;
    const float scale = het_half(b) * het_xs_scale(b, i);
    return het_lookup(het_nibbles(b + 8 + 16 * i, s % 2)) * scale;
}
#endif

/* ---- rows ---- */

static inline float16 het_w16(het_w row, uint i)
{
#if HET_W == HET_W_F32
    return vload16(i, (__global const float *)row.body);
#elif HET_W == HET_W_F16
    return vload_half16(i, (__global const half *)row.body);
#elif HET_W == HET_W_BF16
    return as_float16(convert_uint16(vload16(i, (__global const ushort *)row.body)) << 16);
#else
    const uint block = i / HET_W_RUNS;
    return het_block16(row.body + (ulong)block * HET_W_BODY_STEP,
                       row.small + (ulong)block * HET_W_SMALL_STEP, i % HET_W_RUNS);
#endif
}

static inline float het_w1(het_w row, uint k)
{
#if HET_W == HET_W_F32
    return ((__global const float *)row.body)[k];
#elif HET_W == HET_W_F16
    return het_half(row.body + 2 * (ulong)k);
#elif HET_W == HET_W_BF16
    return het_bf16(row.body + 2 * (ulong)k);
#else
    float of[16];
    vstore16(het_w16(row, k / 16), 0, of);
    return of[k % 16];
#endif
}
