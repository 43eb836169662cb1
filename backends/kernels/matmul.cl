/* SPDX-License-Identifier: Apache-2.0 */
/* Products of many rows.
 *
 *     matmul_tile      GPUs: a group makes TILE rows by 64 columns from tiles of x and w in local
 *                      memory, decoded once for all; an item TILE / 8 rows by 4 columns. A sum is
 *                      put together from sums of SUM_MAX terms (0: no limit)
 *     matmul_rows      processors: an item makes TILE rows by ROWS columns, TOKENS by ROWS at a
 *                      time in registers; sixteen sums of each, along k, so that w is read as it
 *                      lies. No local memory, no barriers: they cost more than they save there
 *     matmul_columns   w is [k, n] (HET_TURNED, plain types): an item makes BLOCKS times TOKENS
 *                      rows by WIDE columns. For processors, and for few rows elsewhere
 *
 *     matmul_finish    what is left to do where a library has made the sums
 *
 * One of them is built at a time: KIND 0, 1, 2, 3. */
#include "product.cl"

#ifndef HET_TURNED
#define HET_TURNED 0
#endif

#if KIND == 0

#define COLUMNS 64
#define DEPTH 32
#define MINE (TILE / 8)
/* Rows of a tile are four longer than they need to be: neighbours in a column differ in bank. */
#define PITCH (COLUMNS + 4)
#define X_PITCH (TILE + 4)

/* Weights of two bytes keep them where the device computes with these: the same values, half the
 * local memory. */
#if HET_FP16 && HET_W == HET_W_F16
typedef half tile_w;
#define TILE_W4(at) convert_float4(vload4(0, at))
#define TILE_W_OF(v) ((half)(v))
#else
typedef float tile_w;
#define TILE_W4(at) vload4(0, at)
#define TILE_W_OF(v) (v)
#endif

/* Elements 16 i to 16 i + 15 of a row of `count`; beyond it zeros. */
static inline float16 w_part(het_w row, uint i, uint count)
{
    if (16 * i + 16 <= count)
        return het_w16(row, i);
#if HET_W_ELEMENTS == 1
#define W_AT(e) (16 * i + e < count ? het_w1(row, 16 * i + e) : 0.0f)
    return (float16)(W_AT(0), W_AT(1), W_AT(2), W_AT(3), W_AT(4), W_AT(5), W_AT(6), W_AT(7),
                     W_AT(8), W_AT(9), W_AT(10), W_AT(11), W_AT(12), W_AT(13), W_AT(14), W_AT(15));
#else
    return (float16)(0.0f);
#endif
}

static inline float16 x_part(__global const float *row, uint i, uint count)
{
    if (16 * i + 16 <= count)
        return vload16(i, row);
#define X_AT(e) (16 * i + e < count ? row[16 * i + e] : 0.0f)
    return (float16)(X_AT(0), X_AT(1), X_AT(2), X_AT(3), X_AT(4), X_AT(5), X_AT(6), X_AT(7),
                     X_AT(8), X_AT(9), X_AT(10), X_AT(11), X_AT(12), X_AT(13), X_AT(14), X_AT(15));
}

/* Down a column of a tile. */
#define SPREAD(tile, pitch, convert, v) \
    do { \
        (tile)[0 * (pitch)] = convert((v).s0); \
        (tile)[1 * (pitch)] = convert((v).s1); \
        (tile)[2 * (pitch)] = convert((v).s2); \
        (tile)[3 * (pitch)] = convert((v).s3); \
        (tile)[4 * (pitch)] = convert((v).s4); \
        (tile)[5 * (pitch)] = convert((v).s5); \
        (tile)[6 * (pitch)] = convert((v).s6); \
        (tile)[7 * (pitch)] = convert((v).s7); \
        (tile)[8 * (pitch)] = convert((v).s8); \
        (tile)[9 * (pitch)] = convert((v).s9); \
        (tile)[10 * (pitch)] = convert((v).sa); \
        (tile)[11 * (pitch)] = convert((v).sb); \
        (tile)[12 * (pitch)] = convert((v).sc); \
        (tile)[13 * (pitch)] = convert((v).sd); \
        (tile)[14 * (pitch)] = convert((v).se); \
        (tile)[15 * (pitch)] = convert((v).sf); \
    } while (0)

__kernel __attribute__((reqd_work_group_size(16, 8, 1))) void matmul_tile(HET_PRODUCT)
{
    __local tile_w w_tile[DEPTH * PITCH];
    __local float x_tile[DEPTH * X_PITCH];
    const het_part part = het_part_of(get_group_id(1), TILE, get_group_id(2), rows, extents,
                                      steps, HET_INTS(tiles));
    const int n = (int)get_local_id(0) * 4, t = (int)get_local_id(1) * MINE;
    const int first = (int)get_group_id(0) * COLUMNS;
    const uint item = get_local_id(1) * 16 + get_local_id(0);
    const uint depth = part.count > 0 ? (uint)inner : 0;
    __global const float *x_row =
        het_x_row(HET_FLOATS(x), part, (int)(item % TILE), inner, HET_INTS(order));
#if HET_TURNED
    const ulong w_first = part.w_matrix * (uint)inner;
#else
    const het_w w_row =
        het_w_row(w + w_at, w_small, inner, part.w_matrix * (uint)columns +
                                                (uint)min(first + (int)(item % COLUMNS),
                                                          columns - 1));
#endif
    float4 sums[MINE], totals[MINE];
#pragma unroll
    for (int j = 0; j < MINE; j++)
        totals[j] = sums[j] = (float4)(0.0f);
    for (uint k0 = 0; k0 < depth; k0 += DEPTH) {
#if HET_TURNED
        const uint k = item / 4, c = (uint)first + item % 4 * 16;
        float16 v = (float16)(0.0f);
        if (k0 + k < depth && c < (uint)columns) {
            het_w w_k = het_w_row(w + w_at, w_small, columns, w_first + k0 + k);
            w_k.body += (ulong)c * HET_W_BYTES;
            v = w_part(w_k, 0, (uint)columns - c);
        }
        SPREAD(w_tile + k * PITCH + item % 4 * 16, 1, TILE_W_OF, v);
#else
        const uint part16 = item / COLUMNS;
        const float16 v = w_part(w_row, k0 / 16 + part16, depth);
        SPREAD(w_tile + 16 * part16 * PITCH + item % COLUMNS, PITCH, TILE_W_OF, v);
#endif
        if (item < 2 * TILE) {
            const uint x16 = item / TILE;
            const float16 u = x_part(x_row, k0 / 16 + x16, depth);
            SPREAD(x_tile + 16 * x16 * X_PITCH + item % TILE, X_PITCH, , u);
        }
        barrier(CLK_LOCAL_MEM_FENCE);
        for (int i = 0; i < DEPTH; i++) {
            const float4 a = TILE_W4(w_tile + i * PITCH + n);
#pragma unroll
            for (int j = 0; j < MINE; j++)
                sums[j] = mad((float4)(x_tile[i * X_PITCH + t + j]), a, sums[j]);
        }
        barrier(CLK_LOCAL_MEM_FENCE);
        if (SUM_MAX && (k0 + DEPTH) % SUM_MAX == 0) {
#pragma unroll
            for (int j = 0; j < MINE; j++) {
                totals[j] += sums[j];
                sums[j] = (float4)(0.0f);
            }
        }
    }
#pragma unroll
    for (int j = 0; j < MINE; j++)
        sums[j] += totals[j]; /* zeros where SUM_MAX is 0 */
#pragma unroll
    for (int j = 0; j < MINE; j++)
        if (t + j < part.count) {
            if (first + n < columns)
                HET_PUT(part, t + j, first + n, sums[j].s0);
            if (first + n + 1 < columns)
                HET_PUT(part, t + j, first + n + 1, sums[j].s1);
            if (first + n + 2 < columns)
                HET_PUT(part, t + j, first + n + 2, sums[j].s2);
            if (first + n + 3 < columns)
                HET_PUT(part, t + j, first + n + 3, sums[j].s3);
        }
}

#elif KIND == 1

/* Columns of w that are decoded at a time: with ROWS rows what a first-level cache holds. */
#define DEPTH 1024

__kernel void matmul_rows(HET_PRODUCT)
{
    const int first = (int)get_global_id(0) * ROWS;
    const het_part part = het_part_of(get_global_id(1), TILE, get_global_id(2), rows, extents,
                                      steps, HET_INTS(tiles));
    if (first >= columns || part.count == 0)
        return;
    het_w w_row[ROWS];
    float totals[TILE][ROWS];
#pragma unroll
    for (int r = 0; r < ROWS; r++) {
        w_row[r] = het_w_row(w + w_at, w_small, inner,
                             part.w_matrix * (uint)columns + (uint)min(first + r, columns - 1));
        for (int t = 0; t < part.count; t++)
            totals[t][r] = 0.0f;
    }
    for (int k0 = 0; k0 < inner; k0 += DEPTH) {
        const int depth = min(inner - k0, DEPTH), whole = depth / 16;
#if HET_W == HET_W_F32
#define W16(r, i) vload16(i, w_from[r])
        __global const float *w_from[ROWS];
#pragma unroll
        for (int r = 0; r < ROWS; r++)
            w_from[r] = (__global const float *)w_row[r].body + k0;
#else
#define W16(r, i) vload16(i, panel + (r) * DEPTH)
        float panel[ROWS * DEPTH];
        for (int r = 0; r < ROWS; r++)
            for (int i = 0; i < whole; i++)
                vstore16(het_w16(w_row[r], k0 / 16 + i), i, panel + r * DEPTH);
#endif
        for (int t0 = 0; t0 < part.count; t0 += TOKENS) {
            __global const float *x_row[TOKENS];
            float16 sums[TOKENS][ROWS];
#pragma unroll
            for (int t = 0; t < TOKENS; t++) {
                x_row[t] = het_x_row(HET_FLOATS(x), part, t0 + t, inner, HET_INTS(order)) + k0;
#pragma unroll
                for (int r = 0; r < ROWS; r++)
                    sums[t][r] = (float16)(0.0f);
            }
            for (int i = 0; i < whole; i++) {
                float16 v[ROWS];
#pragma unroll
                for (int r = 0; r < ROWS; r++)
                    v[r] = W16(r, i);
#pragma unroll
                for (int t = 0; t < TOKENS; t++) {
                    const float16 u = vload16(i, x_row[t]);
#pragma unroll
                    for (int r = 0; r < ROWS; r++)
                        sums[t][r] = mad(v[r], u, sums[t][r]);
                }
            }
#pragma unroll
            for (int t = 0; t < TOKENS; t++)
#pragma unroll
                for (int r = 0; r < ROWS; r++) {
                    float sum = het_sum16(sums[t][r]);
#if HET_W_ELEMENTS == 1
                    for (int k = 16 * whole; k < depth; k++)
                        sum = mad(het_w1(w_row[r], (uint)(k0 + k)), x_row[t][k], sum);
#endif
                    if (t0 + t < part.count)
                        totals[t0 + t][r] += sum;
                }
        }
    }
    for (int t = 0; t < part.count; t++)
        for (int r = 0; r < ROWS && first + r < columns; r++)
            HET_PUT(part, t, first + r, totals[t][r]);
}

#elif KIND == 2

/* Terms of a sum that are added up before they meet the rest. */
#define DEPTH 256

#if WIDE == 16
typedef float16 wide;
#define W_WIDE(row) het_w16(row, 0)
#else
typedef float wide;
#define W_WIDE(row) het_w1(row, 0)
#endif

/* columns >= WIDE. The last item's columns may be its neighbour's too; it writes its own. BLOCKS
 * times TOKENS rows meet DEPTH by WIDE elements of w while a first-level cache holds them. */
__kernel void matmul_columns(HET_PRODUCT)
{
    const int mine = (int)get_global_id(0) * WIDE, first = min(mine, columns - WIDE);
    const het_part part = het_part_of(get_global_id(1), BLOCKS * TOKENS, get_global_id(2), rows,
                                      extents, steps, HET_INTS(tiles));
    if (mine >= columns || part.count == 0)
        return;
    het_w w_row = het_w_row(w + w_at, w_small, columns, part.w_matrix * (uint)inner);
    w_row.body += (ulong)first * HET_W_BYTES;
    wide totals[BLOCKS * TOKENS];
    for (int t = 0; t < BLOCKS * TOKENS; t++)
        totals[t] = 0;
    for (int k0 = 0; k0 < inner; k0 += DEPTH) {
        const int depth = min(inner - k0, DEPTH);
        for (int t0 = 0; t0 < part.count; t0 += TOKENS) {
            __global const float *x_row[TOKENS];
            wide sums[TOKENS];
            het_w w_k = w_row;
#pragma unroll
            for (int t = 0; t < TOKENS; t++) {
                x_row[t] = het_x_row(HET_FLOATS(x), part, t0 + t, inner, HET_INTS(order)) + k0;
                sums[t] = 0;
            }
            for (int k = 0; k < depth; k++) {
                const wide v = W_WIDE(w_k);
                w_k.body += (ulong)columns * HET_W_BYTES;
#pragma unroll
                for (int t = 0; t < TOKENS; t++)
                    sums[t] = mad((wide)(x_row[t][k]), v, sums[t]);
            }
#pragma unroll
            for (int t = 0; t < TOKENS; t++)
                totals[t0 + t] += sums[t];
        }
        w_row.body += (ulong)depth * (uint)columns * HET_W_BYTES;
    }
    for (int t = 0; t < part.count; t++) {
#if WIDE == 16
        float of[16];
        vstore16(totals[t], 0, of);
        for (int i = mine - first; i < 16; i++)
            HET_PUT(part, t, first + i, of[i]);
#else
        HET_PUT(part, t, first, totals[t]);
#endif
    }
}

#else

/* Behind a library that has left the sums in out. */
__kernel void matmul_finish(HET_PRODUCT)
{
    const int n = (int)get_global_id(0), t = (int)get_global_id(1);
    const het_part part = { 0, 0, 0, rows };
    if (n >= columns || t >= rows)
        return;
    HET_PUT(part, t, n, HET_FLOATS_OUT(out)[(ulong)t * (uint)columns + (uint)n]);
}

#endif
