/* SPDX-License-Identifier: Apache-2.0 */
/* Block-quantised weights in the form that the int8 kernels stream.
 *
 * Rows stand in groups of VL, so that one 4-byte piece of the activations, broadcast, meets VL rows
 * at once and no sum crosses lanes. Q8_GROUPS groups form a band, which is one stretch of memory
 * that a tile reads from front to back: a chain of units of one to 8 blocks of 32 columns (the last
 * unit may hold fewer), each unit
 *
 *     [ header of each group: scales of the blocks, VL of a kind side by side
 *     | planes of block 0 | 1 | ... ]
 *
 * where every 32-bit word of a row's planes (blocks.h) became a word of each row of the band, side
 * by side: a tile reads in the order of memory, and the processor's prefetch keeps up. Headers are
 * rounded up to whole vectors, so all planes are aligned; the whole is not larger than the file but
 * for that rounding and for the padding of n to whole bands.
 *
 * A panel is the same with one byte per code, F32 scales and the zero point of VEC_WIDE_ZERO: what
 * many tokens share after unpacking once.
 *
 *     value = (code - zero) * scale + bias
 */
#ifndef HET_CPU_Q8_FORMS_H
#define HET_CPU_Q8_FORMS_H

#include <assert.h>

#include "backends/cpu_onednn/blocks.h"
#include "backends/cpu_onednn/matmul.h"
#include "backends/cpu_onednn/vec.h"
#include "lib/base/dtype.h"

#define UNIT 8 /* blocks of the largest unit */
#define Q8_GROUPS 2
#define Q8_ROWS (Q8_GROUPS * VL)
#define Q8_WORD (4 * Q8_ROWS) /* bytes of one 32-bit word of every row of a band */

enum { SCALE_F16, SCALE_E8, SCALE_K32, SCALE_K32S, SCALE_K16, SCALE_K16M, SCALE_PANEL };
enum { TABLE_NONE, TABLE_IQ4, TABLE_MXFP4 };

typedef struct q8_form {
    het_dtype dtype;
    int bits, table, zero, dot, scale;
    int bias;    /* 1: has a bias */
    int halves;  /* scales per 32 columns: 1 or 2 */
    int unit;    /* blocks that share a header */
    int panel;   /* index of the panel form that it unpacks to */
} q8_form;

enum {
    PANEL_SYMMETRIC, PANEL_NIBBLE, PANEL_BIAS_NIBBLE, PANEL_BIAS, PANEL_HALVES, PANEL_HALVES_BIAS,
    FORM_Q4_0, FORM_Q4_1, FORM_Q5_0, FORM_Q5_1, FORM_Q8_0, FORM_IQ4_NL, FORM_MXFP4,
    FORM_Q4_K, FORM_Q5_K, FORM_Q6_K, FORM_IQ4_XS, FORM_Q3_K, FORM_Q2_K, FORM_Q8_COUNT
};

/* Where the dot product takes any unsigned code, fewer panel forms do. */
#if VEC_DOT_UNSIGNED
#define PANEL_FOR_NIBBLE PANEL_SYMMETRIC
#define PANEL_FOR_BIAS PANEL_BIAS_NIBBLE
#else
#define PANEL_FOR_NIBBLE PANEL_NIBBLE
#define PANEL_FOR_BIAS PANEL_BIAS
#endif

#define W VEC_WIDE_ZERO
#define D(type) HET_DTYPE_##type
static const q8_form q8_forms[FORM_Q8_COUNT] = {
    /* dtype, bits, table, zero, dot, scale, bias, halves, unit, panel */
    [PANEL_SYMMETRIC] =   { D(NONE), 8, TABLE_NONE, W, VEC_DOT_WIDE, SCALE_PANEL, 0, 1, 1, 0 },
    [PANEL_NIBBLE] =      { D(NONE), 8, TABLE_NONE, 8, VEC_DOT_U4, SCALE_PANEL, 0, 1, 1, 0 },
    [PANEL_BIAS_NIBBLE] = { D(NONE), 8, TABLE_NONE, 0, VEC_DOT_U4, SCALE_PANEL, 1, 1, 1, 0 },
    [PANEL_BIAS] =        { D(NONE), 8, TABLE_NONE, 0, VEC_DOT_U6, SCALE_PANEL, 1, 1, 1, 0 },
    [PANEL_HALVES] =      { D(NONE), 8, TABLE_NONE, W, VEC_DOT_WIDE, SCALE_PANEL, 0, 2, 1, 0 },
    [PANEL_HALVES_BIAS] = { D(NONE), 8, TABLE_NONE, 0, VEC_DOT_U4, SCALE_PANEL, 1, 2, 1, 0 },
    [FORM_Q4_0] = { D(Q4_0), 4, TABLE_NONE, 8, VEC_DOT_U4, SCALE_F16, 0, 1, 1, PANEL_FOR_NIBBLE },
    [FORM_Q4_1] = { D(Q4_1), 4, TABLE_NONE, 0, VEC_DOT_U4, SCALE_F16, 1, 1, 1, PANEL_BIAS_NIBBLE },
    [FORM_Q5_0] = { D(Q5_0), 5, TABLE_NONE, 16, VEC_DOT_U6, SCALE_F16, 0, 1, 1, PANEL_SYMMETRIC },
    [FORM_Q5_1] = { D(Q5_1), 5, TABLE_NONE, 0, VEC_DOT_U6, SCALE_F16, 1, 1, 1, PANEL_FOR_BIAS },
    [FORM_Q8_0] = { D(Q8_0), 8, TABLE_NONE, W, VEC_DOT_WIDE, SCALE_F16, 0, 1, 1, PANEL_SYMMETRIC },
    [FORM_IQ4_NL] = { D(IQ4_NL), 4, TABLE_IQ4, W, VEC_DOT_WIDE, SCALE_F16, 0, 1, 1,
                      PANEL_SYMMETRIC },
    [FORM_MXFP4] = { D(MXFP4), 4, TABLE_MXFP4, 16, VEC_DOT_U6, SCALE_E8, 0, 1, 2, PANEL_SYMMETRIC },
    [FORM_Q4_K] = { D(Q4_K), 4, TABLE_NONE, 0, VEC_DOT_U4, SCALE_K32, 1, 1, 8, PANEL_BIAS_NIBBLE },
    [FORM_Q5_K] = { D(Q5_K), 5, TABLE_NONE, 0, VEC_DOT_U6, SCALE_K32, 1, 1, 8, PANEL_FOR_BIAS },
    [FORM_Q6_K] = { D(Q6_K), 6, TABLE_NONE, 32, VEC_DOT_U6, SCALE_K16, 0, 2, 8, PANEL_HALVES },
    [FORM_IQ4_XS] = { D(IQ4_XS), 4, TABLE_IQ4, W, VEC_DOT_WIDE, SCALE_K32S, 0, 1, 8,
                      PANEL_SYMMETRIC },
    [FORM_Q3_K] = { D(Q3_K), 3, TABLE_NONE, 4, VEC_DOT_U4, SCALE_K16, 0, 2, 8, PANEL_HALVES },
    [FORM_Q2_K] = { D(Q2_K), 2, TABLE_NONE, 0, VEC_DOT_U4, SCALE_K16M, 1, 2, 8, PANEL_HALVES_BIAS },
};
#undef W
#undef D

/* What the 4-bit codes of the table types stand for, plus the form's zero point. */
#define T(x) (uint8_t)((x) + VEC_WIDE_ZERO)
static const uint8_t q8_tables[3][16] = {
    [TABLE_IQ4] = { T(-127), T(-104), T(-83), T(-65), T(-49), T(-35), T(-22), T(-10), T(1), T(13),
                    T(25), T(38), T(53), T(69), T(89), T(113) },
    [TABLE_MXFP4] = { 16, 17, 18, 19, 20, 22, 24, 28, 16, 15, 14, 13, 12, 10, 8, 4 },
};
#undef T

/* One block of activations; a row is k / 32 of them. */
typedef struct q8_act {
    int8_t codes[32];
    float scale;
    int32_t sum_neg8;   /* -8 * sum of codes */
    int32_t sum_neg128; /* -128 * sum of codes */
    int32_t half_sums;  /* sum of the first 16 in the low 16 bits, of the others above */
} q8_act;
_Static_assert(sizeof(q8_act) == 48, "het__cpu_act_bytes() counts 48");

/* Bytes of a group's scales in a header. */
VEC_INLINE size_t q8_scale_bytes(const q8_form *f)
{
    const size_t unit = (size_t)f->unit;
    switch (f->scale) {
    case SCALE_F16: return 2 * unit * (size_t)(1 + f->bias) * VL;
    case SCALE_E8: return unit * VL;
    case SCALE_K32: return (4 + 2 * unit) * VL;
    case SCALE_K32S: return (2 + unit) * VL;
    case SCALE_K16: return (2 + 2 * unit) * VL;
    case SCALE_K16M: return (4 + 2 * unit) * VL;
    default: return 4 * unit * (size_t)f->halves * (size_t)(1 + f->bias) * VL;
    }
}

/* Bytes of a header of all groups, and of a block's planes. */
VEC_INLINE size_t q8_header_bytes(const q8_form *f)
{
    return (Q8_GROUPS * q8_scale_bytes(f) + 4 * VL - 1) / (4 * VL) * (4 * VL);
}

VEC_INLINE size_t q8_plane_bytes(const q8_form *f) { return (size_t)f->bits * Q8_WORD; }

/* Bytes of this many blocks of a band, and of a whole one. */
VEC_INLINE size_t q8_offset(const q8_form *f, int64_t blocks)
{
    const size_t units = (size_t)((blocks + f->unit - 1) / f->unit);
    return units * q8_header_bytes(f) + (size_t)blocks * q8_plane_bytes(f);
}

VEC_INLINE size_t q8_band_bytes(const q8_form *f, int64_t blocks)
{
    return (q8_offset(f, blocks) + 63) / 64 * 64;
}

/* Codes 4v..4v+3 of a block, for the rows of the group whose first word is at p. */
VEC_INLINE vi q8_codes(const q8_form *f, const uint8_t *p, int v)
{
    if (f->bits == 8)
        return vi_load(p + v * Q8_WORD);
    if (f->bits == 2 || f->bits == 3) {
        vi c = vi_shr(vi_load(p + (v >> 2) * Q8_WORD), 2 * (v & 3));
        c = vi_and(c, vi_set(0x03030303));
        if (f->bits == 2)
            return c;
        const vi one = vi_load(p + 2 * Q8_WORD);
        return vi_or(c, vi_and(v < 2 ? vi_shl(one, v < 2 ? 2 - v : 0)
                                     : vi_shr(one, v < 2 ? 0 : v - 2), vi_set(0x04040404)));
    }
    const vi low = vi_load(p + (v & 3) * Q8_WORD);
    vi c = vi_and(v < 4 ? low : vi_shr(low, 4), vi_set(0x0f0f0f0f));
    if (f->bits == 5) {
        const vi one = vi_load(p + 4 * Q8_WORD);
        c = vi_or(c, vi_and(v < 4 ? vi_shl(one, v < 4 ? 4 - v : 0)
                                  : vi_shr(one, v < 4 ? 0 : v - 4), vi_set(0x10101010)));
    }
    if (f->bits == 6) {
        const vi two = vi_load(p + (4 + (v >> 2)) * Q8_WORD);
        const int u = v & 3;
        c = vi_or(c, vi_and(u < 3 ? vi_shl(two, u < 3 ? 4 - 2 * u : 0) : vi_shr(two, 2),
                            vi_set(0x30303030)));
    }
    return f->table == TABLE_NONE ? c : vi_lookup(q8_tables[f->table], c);
}

/* Scales of block b, half h, from the unit's header. */
VEC_INLINE vf q8_scale(const q8_form *f, const uint8_t *header, int b, int h)
{
    switch (f->scale) {
    case SCALE_F16:
        return vf_load_f16(header + b * 2 * VL);
    case SCALE_E8: { /* 2^(e - 128); the two smallest are subnormal */
        const vi e = vi_load_u8(header + b * VL);
        const vi normal = vi_shl(vi_add(e, vi_set(-1)), 23);
        const vi tiny = vi_select_lt(e, vi_set(1), vi_set(0x00200000), vi_set(0x00400000));
        return vf_bits(vi_select_lt(e, vi_set(2), tiny, normal));
    }
    case SCALE_K32:
        return vf_mul(vf_load_f16(header), vf_from_vi(vi_load_u8(header + (4 + b) * VL)));
    case SCALE_K32S:
        return vf_mul(vf_load_f16(header), vf_from_vi(vi_load_s8(header + (2 + b) * VL)));
    case SCALE_K16:
        return vf_mul(vf_load_f16(header), vf_from_vi(vi_load_s8(header + (2 + 2 * b + h) * VL)));
    case SCALE_K16M: {
        const vi both = vi_load_u8(header + (4 + 2 * b + h) * VL);
        return vf_mul(vf_load_f16(header), vf_from_vi(vi_and(both, vi_set(15))));
    }
    default:
        return vf_load((const float *)(const void *)header + (b * f->halves + h) * VL);
    }
}

VEC_INLINE vf q8_bias(const q8_form *f, const uint8_t *header, int b, int h)
{
    switch (f->scale) {
    case SCALE_F16:
        return vf_load_f16(header + (f->unit + b) * 2 * VL);
    case SCALE_K32: {
        const vf m = vf_from_vi(vi_load_u8(header + (4 + f->unit + b) * VL));
        return vf_sub(vf_zero(), vf_mul(vf_load_f16(header + 2 * VL), m));
    }
    case SCALE_K16M: {
        const vi both = vi_load_u8(header + (4 + 2 * b + h) * VL);
        return vf_sub(vf_zero(),
                      vf_mul(vf_load_f16(header + 2 * VL), vf_from_vi(vi_shr(both, 4))));
    }
    case SCALE_PANEL:
        return vf_load((const float *)(const void *)header
                       + (f->unit * f->halves + b * f->halves + h) * VL);
    default:
        return vf_zero();
    }
}

/* The bias as the kernels use it: for sums of whole blocks it meets q8_act.sum_neg8. */
VEC_INLINE vf q8_sum_bias(const q8_form *f, const uint8_t *header, int b, int h)
{
    const vf bias = q8_bias(f, header, b, h);
    return f->scale == SCALE_PANEL || f->halves == 2 ? bias : vf_mul(bias, vf_set(-0.125f));
}

/* Raw scale fields of one row of one unit into its lane of the header. block: the row's first
 * block of the unit; blocks of 32 columns follow each other, others are the whole unit. */
static void q8_pack_header(const q8_form *f, const uint8_t *block, size_t block_bytes, int blocks,
                           uint8_t *header, int lane)
{
    uint8_t *half = header + 2 * lane; /* lane of a vector of 16-bit fields */
    uint8_t *byte = header + lane;
    if (f->scale == SCALE_F16 || f->scale == SCALE_E8) {
        for (int b = 0; b < blocks; b++, block += block_bytes) {
            if (f->scale == SCALE_E8)
                byte[b * VL] = block[0];
            else
                memcpy(half + b * 2 * VL, block, 2);
            if (f->bias)
                memcpy(half + (f->unit + b) * 2 * VL, block + 2, 2);
        }
        return;
    }
    for (int b = 0; b < blocks; b++) {
        switch ((int)f->dtype) {
        case HET_DTYPE_Q4_K:
        case HET_DTYPE_Q5_K:
            memcpy(half, block, 2);
            memcpy(half + 2 * VL, block + 2, 2);
            blk_k4_scale(block + 4, b, &byte[(4 + b) * VL], &byte[(4 + f->unit + b) * VL]);
            break;
        case HET_DTYPE_IQ4_XS:
            memcpy(half, block, 2);
            byte[(2 + b) * VL] = blk_iq4xs_scale(block, b);
            break;
        case HET_DTYPE_Q6_K:
            memcpy(half, block + 208, 2);
            byte[(2 + 2 * b) * VL] = block[192 + 2 * b];
            byte[(3 + 2 * b) * VL] = block[193 + 2 * b];
            break;
        case HET_DTYPE_Q3_K:
            memcpy(half, block + 108, 2);
            byte[(2 + 2 * b) * VL] = blk_q3k_scale(block + 96, 2 * b);
            byte[(3 + 2 * b) * VL] = blk_q3k_scale(block + 96, 2 * b + 1);
            break;
        default: /* Q2_K */
            memcpy(half, block + 80, 2);
            memcpy(half + 2 * VL, block + 82, 2);
            byte[(4 + 2 * b) * VL] = block[2 * b];
            byte[(5 + 2 * b) * VL] = block[2 * b + 1];
            break;
        }
    }
}

/* Re-lay one row of one unit into its lane. target: the unit's header of the row's group; planes:
 * the group's first word of its first block. */
VEC_INLINE void q8_pack_row(const q8_form *f, const uint8_t *source, int blocks, uint8_t *header,
                            uint8_t *planes, int lane)
{
    const het__dtype_info *info = het__dtype(f->dtype);
    const int per_block = (int)info->block_elements / 32;
    const size_t block_bytes = info->block_bytes;
    q8_pack_header(f, source, block_bytes, blocks, header, lane);
    for (int b = 0; b < blocks; b++) {
        uint8_t bytes[32];
        blk_planes(f->dtype, source + (per_block == 1 ? (size_t)b * block_bytes : 0),
                   per_block == 1 ? 0 : b, VEC_WIDE_ZERO, bytes);
        for (int d = 0; d < f->bits; d++)
            memcpy(planes + d * Q8_WORD + lane * 4, bytes + 4 * d, 4);
        planes += q8_plane_bytes(f);
    }
}

/* Re-lay blocks [first, first + count) of the band of rows from row on; first is a multiple of
 * UNIT. Rows beyond n become zero. Inlined per form, so that the switches vanish. */
VEC_INLINE void q8_pack_band(const q8_form *f, const het__cpu_matrix *m, int64_t row,
                             int64_t first, int64_t count, uint8_t *target)
{
    const het__dtype_info *info = het__dtype(f->dtype);
    const size_t header = q8_header_bytes(f), plane = q8_plane_bytes(f);
    for (int64_t u = 0; u < count; u += f->unit) {
        const int blocks = (int)(count - u < f->unit ? count - u : f->unit);
        const size_t offset = (size_t)((first + u) * 32 / info->block_elements) * info->block_bytes;
        uint8_t *planes = target + header;
        if (row + Q8_ROWS > m->n)
            memset(target, 0, header + (size_t)blocks * plane);
        for (int r = 0; r < Q8_ROWS && row + r < m->n; r++)
            q8_pack_row(f, (const uint8_t *)m->source + (size_t)(row + r) * m->row_bytes + offset,
                        blocks, target + (size_t)(r / VL) * q8_scale_bytes(f),
                        planes + r / VL * 4 * VL, r % VL);
        target = planes + (size_t)blocks * plane;
    }
}

/* Scales and biases of a unit into the headers of as many panel units of one block. */
VEC_INLINE void q8_unpack_header(const q8_form *f, const q8_form *p, const uint8_t *header,
                                 int b, uint8_t *panel)
{
    VEC_UNROLL
    for (int g = 0; g < Q8_GROUPS; g++) {
        const uint8_t *own = header + (size_t)g * q8_scale_bytes(f);
        float *scales = (float *)(void *)(panel + (size_t)g * q8_scale_bytes(p));
        VEC_UNROLL
        for (int h = 0; h < f->halves; h++) {
            vf_store(scales + h * VL, q8_scale(f, own, b, h));
            if (f->bias)
                vf_store(scales + (p->halves + h) * VL, q8_sum_bias(f, own, b, h));
        }
    }
}

/* Codes, scales and biases of count blocks of a re-laid band into a panel. */
VEC_INLINE void q8_unpack_band(const q8_form *f, const uint8_t *source, int64_t count,
                               uint8_t *panel)
{
    const q8_form *p = &q8_forms[f->panel];
    const size_t header = q8_header_bytes(f), plane = q8_plane_bytes(f);
    const size_t panel_header = q8_header_bytes(p), panel_plane = q8_plane_bytes(p);
    const vi shift = vi_set((int32_t)((uint32_t)(uint8_t)(p->zero - f->zero) * 0x01010101u));
    for (int64_t u = 0; u < count; u += f->unit) {
        const int blocks = (int)(count - u < f->unit ? count - u : f->unit);
        const uint8_t *planes = source + header;
        for (int b = 0; b < blocks; b++, planes += plane, panel += panel_header + panel_plane) {
            uint8_t *codes = panel + panel_header;
            q8_unpack_header(f, p, source, b, panel);
            VEC_UNROLL
            for (int i = 0; i < 8 * Q8_GROUPS; i++) {
                const vi c = q8_codes(f, planes + i % Q8_GROUPS * 4 * VL, i / Q8_GROUPS);
                vi_store(codes + i * 4 * VL, p->zero == f->zero ? c : vi_add8(c, shift));
            }
        }
        source = planes;
    }
}

#endif /* HET_CPU_Q8_FORMS_H */
