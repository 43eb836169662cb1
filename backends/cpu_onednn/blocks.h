/* SPDX-License-Identifier: Apache-2.0 */
/* Block formats of model files, cut into what the int8 kernels work on: for 32 neighbouring columns
 * of one row the bit planes of its codes, and the raw fields of its scales.
 *
 * Planes of 32 codes c[0..31], as bytes; j counts bytes of a 32-bit lane, v = 0..7 counts lanes:
 *
 *   low   16 bytes   byte 4v+j (v < 4): low 4 bits of c[4v+j], above them those of c[16+4v+j]
 *   two    8 bytes   byte 4g+j: bits 2u, 2u+1 belong to c[16g+4u+j]
 *   one    4 bytes   byte j: bit v belongs to c[4v+j]
 *   all   32 bytes   the codes
 *
 * A type of 4 bits has low; 5: low, one; 6: low, two; 3: two, one; 2: two; 8: all.
 */
#ifndef HET_CPU_BLOCKS_H
#define HET_CPU_BLOCKS_H

#include <stdint.h>
#include <string.h>

#include <hetinfer/base.h>

static inline uint16_t blk_u16(const uint8_t *p)
{
    return (uint16_t)(p[0] | p[1] << 8);
}

/* Byte of the plane "one" from bits x, x+4, ... x+28 of a word. */
static inline uint8_t blk_every_fourth(uint32_t word, int x)
{
    uint32_t b = word >> x & 0x11111111u;
    b = (b | b >> 3) & 0x03030303u;
    b = (b | b >> 6) & 0x000f000fu;
    return (uint8_t)(b | b >> 12);
}

static inline void blk_plane_low(const uint8_t codes[32], uint8_t *low)
{
    for (int i = 0; i < 16; i++)
        low[i] = (uint8_t)(codes[i] | codes[16 + i] << 4);
}

static inline void blk_plane_two(const uint8_t codes[32], uint8_t *two)
{
    for (int g = 0; g < 2; g++) {
        for (int j = 0; j < 4; j++) {
            const uint8_t *c = codes + 16 * g + j;
            two[4 * g + j] = (uint8_t)(c[0] | c[4] << 2 | c[8] << 4 | c[12] << 6);
        }
    }
}

/* The bits of plane "one" are bit `bit` of 32 bytes. */
static inline void blk_plane_one(const uint8_t bytes[32], int bit, uint8_t *one)
{
    uint8_t r[4] = { 0, 0, 0, 0 };
    for (int v = 0; v < 8; v++) {
        for (int j = 0; j < 4; j++)
            r[j] = (uint8_t)(r[j] | (bytes[4 * v + j] >> bit & 1) << v);
    }
    memcpy(one, r, 4);
}

static inline void blk_planes_5(const uint8_t *qh, const uint8_t *qs, uint8_t *out)
{
    const uint32_t high = qh[0] | (uint32_t)qh[1] << 8 | (uint32_t)qh[2] << 16
        | (uint32_t)qh[3] << 24;
    memcpy(out, qs, 16);
    for (int j = 0; j < 4; j++)
        out[16 + j] = blk_every_fourth(high, j);
}

/* Nibbles of sub-block b of Q4_K and Q5_K: two sub-blocks share 32 bytes. */
static inline void blk_planes_k4(const uint8_t *qs, int b, uint8_t *out)
{
    const uint8_t *q = qs + 32 * (b / 2);
    const int shift = 4 * (b % 2);
    for (int i = 0; i < 16; i++)
        out[i] = (uint8_t)((q[i] >> shift & 15) | (q[16 + i] >> shift & 15) << 4);
}

static inline void blk_planes_q6k(const uint8_t *block, int b, uint8_t *out)
{
    const uint8_t *low = block + 64 * (b / 4) + 32 * (b % 2);
    const uint8_t *high = block + 128 + 32 * (b / 4);
    const int low_shift = 4 * (b % 4 / 2), high_shift = 2 * (b % 4);
    uint8_t codes[32];
    for (int i = 0; i < 32; i++)
        codes[i] = low[i] >> low_shift & 15;
    blk_plane_low(codes, out);
    for (int i = 0; i < 32; i++)
        codes[i] = high[i] >> high_shift & 3;
    blk_plane_two(codes, out + 16);
}

/* Two-bit codes of Q2_K and Q3_K: four sub-blocks share 32 bytes. */
static inline void blk_planes_k2(const uint8_t *qs, int b, uint8_t *out)
{
    const uint8_t *q = qs + 32 * (b / 4);
    uint8_t codes[32];
    for (int i = 0; i < 32; i++)
        codes[i] = q[i] >> 2 * (b % 4) & 3;
    blk_plane_two(codes, out);
}

/* Planes of the 32 columns from 32 * b on (b = 0 where the block has 32). Codes of Q8_0 are
 * XORed with flip: 0x80 makes them unsigned with zero point 128. */
static inline void blk_planes(het_dtype dtype, const uint8_t *block, int b, uint8_t flip,
                              uint8_t out[32])
{
    switch ((int)dtype) {
    case HET_DTYPE_Q4_0:
    case HET_DTYPE_IQ4_NL:
        memcpy(out, block + 2, 16);
        break;
    case HET_DTYPE_Q4_1:
        memcpy(out, block + 4, 16);
        break;
    case HET_DTYPE_MXFP4:
        memcpy(out, block + 1, 16);
        break;
    case HET_DTYPE_IQ4_XS:
        memcpy(out, block + 8 + 16 * b, 16);
        break;
    case HET_DTYPE_Q5_0:
        blk_planes_5(block + 2, block + 6, out);
        break;
    case HET_DTYPE_Q5_1:
        blk_planes_5(block + 4, block + 8, out);
        break;
    case HET_DTYPE_Q8_0:
        for (int i = 0; i < 32; i++)
            out[i] = block[2 + i] ^ flip;
        break;
    case HET_DTYPE_Q4_K:
        blk_planes_k4(block + 16, b, out);
        break;
    case HET_DTYPE_Q5_K:
        blk_planes_k4(block + 48, b, out);
        blk_plane_one(block + 16, b, out + 16);
        break;
    case HET_DTYPE_Q6_K:
        blk_planes_q6k(block, b, out);
        break;
    case HET_DTYPE_Q3_K:
        blk_planes_k2(block + 32, b, out);
        blk_plane_one(block, b, out + 8);
        break;
    case HET_DTYPE_Q2_K:
        blk_planes_k2(block + 16, b, out);
        break;
    default:
        break;
    }
}

/* Integer scale and minimum of sub-block b of Q4_K and Q5_K. */
static inline void blk_k4_scale(const uint8_t *q, int b, uint8_t *scale, uint8_t *min)
{
    if (b < 4) {
        *scale = q[b] & 63;
        *min = q[b + 4] & 63;
    } else {
        *scale = (uint8_t)((q[b + 4] & 15) | (q[b - 4] >> 6) << 4);
        *min = (uint8_t)(q[b + 4] >> 4 | (q[b] >> 6) << 4);
    }
}

/* Scale i (0 to 15) of Q3_K, minus 32. */
static inline uint8_t blk_q3k_scale(const uint8_t *q, int i)
{
    const int low = i < 8 ? q[i] & 15 : q[i - 8] >> 4;
    const int high = q[8 + i % 4] >> 2 * (i / 4) & 3;
    return (uint8_t)((low | high << 4) - 32);
}

static inline uint8_t blk_iq4xs_scale(const uint8_t *block, int b)
{
    const int low = block[4 + b / 2] >> 4 * (b % 2) & 15;
    const int high = blk_u16(block + 2) >> 2 * b & 3;
    return (uint8_t)((low | high << 4) - 32);
}

#endif /* HET_CPU_BLOCKS_H */
