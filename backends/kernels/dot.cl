/* SPDX-License-Identifier: Apache-2.0 */
/* Products in 8 bits: rows of x are rounded to codes, sums of products of codes are whole numbers,
 * which a device with instructions for them makes four terms at a time (DP4a).
 *
 *     dot_round   an item turns 32 elements of x into codes: scale = largest / 127
 *     dot_vec     few rows: every weight is read once and meets TOKENS rows of x. LANES items share
 *                 a sum, a block of 32 each in turn; ROWS rows of w at once
 *     dot_tile    a group makes TILE rows by 64 columns from tiles of codes in local memory
 *     dot_matrix  a subgroup of 8 makes 8 TIMES rows by 8 columns with matrix instructions (XMX)
 *
 * One of them is built at a time: KIND 0 to 3. Codes of x lie in x, row by row; in marks two words
 * for each 32 of them: the scale, and the sums of the codes of both halves, the first in the low 16
 * bits. Sums of codes are exact, and the order in which they are scaled and added depends on
 * nothing but LANES. Not for HET_BATCHED. */
#if KIND != 0
#include "product.cl"
#include "codes.cl"
#endif

#if KIND == 0

static inline float het_largest4(float4 v)
{
    const float4 a = fabs(v);
    return fmax(fmax(a.s0, a.s1), fmax(a.s2, a.s3));
}

static inline int het_code4(float4 v, float by, int *sum)
{
    const char4 c = convert_char4_sat_rte(v * by);
    *sum += c.s0 + c.s1 + c.s2 + c.s3;
    return as_int(c);
}

/* count: blocks of 32. Numbers that are none make the scale none. */
__kernel void dot_round(HET_IN(x), HET_OUT(codes), HET_OUT(marks), const int count)
{
    const ulong block = get_global_id(0);
    if (block >= (ulong)(uint)count)
        return;
    __global const float *from = HET_FLOATS(x) + 32 * block;
    float4 v[8], none = (float4)(0.0f);
    float largest = 0.0f;
#pragma unroll
    for (int i = 0; i < 8; i++) {
        v[i] = vload4(i, from);
        largest = fmax(largest, het_largest4(v[i]));
        none += v[i] * 0.0f;
    }
    const float poison = (none.s0 + none.s1) + (none.s2 + none.s3);
    const float by = largest > 0.0f ? 127.0f / largest : 0.0f;
    __global int *to = (__global int *)(codes + codes_at) + 8 * block;
    int sums[2] = { 0, 0 };
#pragma unroll
    for (int i = 0; i < 8; i++)
        to[i] = het_code4(v[i], by, &sums[i / 4]);
    __global int *mark = (__global int *)(marks + marks_at) + 2 * block;
    mark[0] = as_int(largest * (1.0f / 127.0f) + poison);
    mark[1] = (sums[1] << 16) | (sums[0] & 0xffff);
}

#else

#define HET_DOT_PRODUCT HET_PRODUCT, HET_IN(marks)

/* Values of HET_DOT: how four products are added to a sum at once. The results are the same. */
#define HET_DOT_PLAIN 0
#define HET_DOT_INTEL 1 /* a function that Intel's compiler has in it, and names for nobody else */
#define HET_DOT_KHR 2   /* of cl_khr_integer_dot_product */
#ifndef HET_DOT
#define HET_DOT HET_DOT_PLAIN
#endif

#if HET_DOT == HET_DOT_INTEL
int __builtin_IB_dp4a_ss(int sum, int a, int b) __attribute__((const));
#endif

static inline int het_dot4(int sum, int a, int b)
{
#if HET_DOT == HET_DOT_INTEL
    return __builtin_IB_dp4a_ss(sum, a, b);
#elif HET_DOT == HET_DOT_KHR
    return sum + dot_4x8packed_ss_int(as_uint(a), as_uint(b));
#else
    const char4 p = as_char4(a), q = as_char4(b);
    return sum + p.s0 * q.s0 + p.s1 * q.s1 + p.s2 * q.s2 + p.s3 * q.s3;
#endif
}

static inline int het_dot16(int sum, int4 a, int4 b)
{
    sum = het_dot4(sum, a.s0, b.s0);
    sum = het_dot4(sum, a.s1, b.s1);
    sum = het_dot4(sum, a.s2, b.s2);
    return het_dot4(sum, a.s3, b.s3);
}

/* Row t of a part of x, or its last one, in blocks of 32. */
static inline ulong het_x_block(het_part p, int t, int inner, __global const int *order)
{
    int row = p.first + max(min(t, p.count - 1), 0);
    if (HET_GATHER)
        row = p.count > 0 ? order[row] : 0;
    return (ulong)row * (uint)(inner / 32);
}

/* What the whole-number sums of the halves of a block come to. */
static inline float het_scaled(int2 dots, float2 scale, float2 least, int2 mark)
{
    const int low = mark.s1 << 16 >> 16, high = mark.s1 >> 16;
#if HET_SCALE_OF == 32
    const float sum = scale.s0 * (float)(dots.s0 + dots.s1) - least.s0 * (float)(low + high);
#else
    const float sum = (scale.s0 * (float)dots.s0 - least.s0 * (float)low) +
                      (scale.s1 * (float)dots.s1 - least.s1 * (float)high);
#endif
    return as_float(mark.s0) * sum;
}

#endif

#if KIND == 1

/* This lane's sums for rows first to first + ROWS - 1 of w, or its last. */
static inline void lane_sums(het_part p, __global const int *x, __global const int *marks,
                             __global const uchar *w, ulong w_small, int inner, int columns,
                             __global const int *order, int first, uint lane,
                             float sums[TOKENS * ROWS])
{
    het_w w_row[ROWS];
    ulong x_block[TOKENS];
    const uint blocks = p.count > 0 ? (uint)inner / 32 : 0;
#pragma unroll
    for (int r = 0; r < ROWS; r++)
        w_row[r] = het_w_row(w, w_small, inner,
                             p.w_matrix * (uint)columns + (uint)min(first + r, columns - 1));
#pragma unroll
    for (int t = 0; t < TOKENS; t++) {
        x_block[t] = het_x_block(p, t, inner, order);
#pragma unroll
        for (int r = 0; r < ROWS; r++)
            sums[t * ROWS + r] = 0.0f;
    }
    for (uint i = lane; i < blocks; i += LANES) {
#pragma unroll
        for (int r = 0; r < ROWS; r++) {
            float2 scale, least;
            float s, l;
            const int4 a = het_codes16(w_row[r], 2 * i, &s, &l);
            scale.s0 = s;
            least.s0 = l;
            const int4 b = het_codes16(w_row[r], 2 * i + 1, &s, &l);
            scale.s1 = s;
            least.s1 = l;
#pragma unroll
            for (int t = 0; t < TOKENS; t++) {
                const ulong at = x_block[t] + i;
                const int2 dots = (int2)(het_dot16(0, a, vload4(2 * at, x)),
                                         het_dot16(0, b, vload4(2 * at + 1, x)));
                sums[t * ROWS + r] += het_scaled(dots, scale, least, vload2(at, marks));
            }
        }
    }
}

#define LANE_SUMS(first, lane) \
    lane_sums(part, HET_INTS(x), HET_INTS(marks), w + w_at, w_small, inner, columns, \
              HET_INTS(order), first, lane, sums)

#if HET_SUBGROUP

__kernel HET_SUBGROUP_KERNEL __attribute__((reqd_work_group_size(LANES * SETS, 1, 1)))
void dot_vec(HET_DOT_PRODUCT)
{
    const het_part part = het_part_of(get_group_id(1), TOKENS, get_group_id(2), rows, extents,
                                      steps, HET_INTS(tiles));
    const int first = sub_group_broadcast(
        ((int)get_group_id(0) * SETS + (int)get_sub_group_id()) * ROWS, 0);
    const uint lane = get_sub_group_local_id();
    float sums[TOKENS * ROWS];
    LANE_SUMS(first, lane);
    /* Each lane writes one of as many sums as there are lanes. */
    float mine = 0.0f;
#pragma unroll
    for (int i = 0; i < TOKENS * ROWS; i++) {
        const float sum = sub_group_reduce_add(sums[i]);
        if (lane == (uint)i)
            mine = sum;
    }
    const int t = (int)lane / ROWS, r = (int)lane % ROWS;
    if (lane < TOKENS * ROWS && t < part.count && first + r < columns)
        HET_PUT(part, t, first + r, mine);
}

#else

__kernel __attribute__((reqd_work_group_size(LANES, 1, 1))) void dot_vec(HET_DOT_PRODUCT)
{
    __local float shared[TOKENS * ROWS][LANES + 1]; /* one more, so that columns differ in bank */
    const het_part part = het_part_of(get_group_id(1), TOKENS, get_group_id(2), rows, extents,
                                      steps, HET_INTS(tiles));
    const int first = (int)get_group_id(0) * ROWS;
    const int lane = (int)get_local_id(0);
    float sums[TOKENS * ROWS];
    LANE_SUMS(first, (uint)lane);
#pragma unroll
    for (int i = 0; i < TOKENS * ROWS; i++)
        shared[i][lane] = sums[i];
    barrier(CLK_LOCAL_MEM_FENCE);
    const int t = lane / ROWS, r = lane % ROWS;
    if (lane < TOKENS * ROWS && t < part.count && first + r < columns) {
        float4 sum = (float4)(0);
        for (int i = 0; i < LANES; i += 4)
            sum += (float4)(shared[lane][i], shared[lane][i + 1], shared[lane][i + 2],
                            shared[lane][i + 3]);
        HET_PUT(part, t, first + r, (sum.s0 + sum.s1) + (sum.s2 + sum.s3));
    }
}

#endif

#elif KIND == 2

#define COLUMNS 64
#define MINE (TILE / 8)
/* Rows of a tile are four longer than they need to be: neighbours in a column differ in bank. */
#define PITCH (COLUMNS + 4)
#define X_PITCH (TILE + 4)

/* Down a column of a tile. */
#define SPREAD4(tile, pitch, v) \
    do { \
        (tile)[0 * (pitch)] = (v).s0; \
        (tile)[1 * (pitch)] = (v).s1; \
        (tile)[2 * (pitch)] = (v).s2; \
        (tile)[3 * (pitch)] = (v).s3; \
    } while (0)

/* A tile is one block of 32 deep: eight words of codes. */
__kernel __attribute__((reqd_work_group_size(16, 8, 1))) void dot_tile(HET_DOT_PRODUCT)
{
    __local int w_tile[8 * PITCH], x_tile[8 * X_PITCH], x_mark[2 * TILE];
    __local float w_scale[2 * COLUMNS], w_least[2 * COLUMNS];
    const het_part part = het_part_of(get_group_id(1), TILE, get_group_id(2), rows, extents,
                                      steps, HET_INTS(tiles));
    const int n = (int)get_local_id(0) * 4, t = (int)get_local_id(1) * MINE;
    const int first = (int)get_group_id(0) * COLUMNS;
    const uint item = get_local_id(1) * 16 + get_local_id(0);
    const uint blocks = part.count > 0 ? (uint)inner / 32 : 0;
    const ulong x_block = het_x_block(part, (int)(item % TILE), inner, HET_INTS(order));
    const uint w_half = item / COLUMNS, x_half = item / TILE;
    const het_w w_row =
        het_w_row(w + w_at, w_small, inner, part.w_matrix * (uint)columns +
                                                (uint)min(first + (int)(item % COLUMNS),
                                                          columns - 1));
    float4 sums[MINE];
#pragma unroll
    for (int j = 0; j < MINE; j++)
        sums[j] = (float4)(0.0f);
    for (uint i = 0; i < blocks; i++) {
        float scale, least;
        const int4 codes = het_codes16(w_row, 2 * i + w_half, &scale, &least);
        SPREAD4(w_tile + 4 * w_half * PITCH + item % COLUMNS, PITCH, codes);
        w_scale[item] = scale;
        w_least[item] = least;
        if (x_half < 2) {
            const ulong at = x_block + i;
            const int4 v = vload4(2 * at + x_half, HET_INTS(x));
            SPREAD4(x_tile + 4 * x_half * X_PITCH + item % TILE, X_PITCH, v);
            x_mark[2 * (item % TILE) + x_half] = HET_INTS(marks)[2 * at + x_half];
        }
        barrier(CLK_LOCAL_MEM_FENCE);
        int4 low[MINE], high[MINE];
#pragma unroll
        for (int j = 0; j < MINE; j++)
            low[j] = high[j] = (int4)(0);
#define ADD(of, word) \
    do { \
        const int4 a = vload4(0, w_tile + (word) * PITCH + n); \
        _Pragma("unroll") \
        for (int j = 0; j < MINE; j++) { \
            const int b = x_tile[(word) * X_PITCH + t + j]; \
            of[j].s0 = het_dot4(of[j].s0, a.s0, b); \
            of[j].s1 = het_dot4(of[j].s1, a.s1, b); \
            of[j].s2 = het_dot4(of[j].s2, a.s2, b); \
            of[j].s3 = het_dot4(of[j].s3, a.s3, b); \
        } \
    } while (0)
#pragma unroll
        for (int word = 0; word < 4; word++)
            ADD(low, word);
#if HET_SCALE_OF == 32
#define HIGH low
#else
#define HIGH high
#endif
#pragma unroll
        for (int word = 4; word < 8; word++)
            ADD(HIGH, word);
        const float4 scale_low = vload4(0, w_scale + n), least_low = vload4(0, w_least + n);
#if HET_SCALE_OF != 32
        const float4 scale_high = vload4(0, w_scale + COLUMNS + n);
        const float4 least_high = vload4(0, w_least + COLUMNS + n);
#endif
#pragma unroll
        for (int j = 0; j < MINE; j++) {
            const int2 mark = vload2(t + j, x_mark);
            const int sum_low = mark.s1 << 16 >> 16, sum_high = mark.s1 >> 16;
#if HET_SCALE_OF == 32
            const float4 sum = scale_low * convert_float4(low[j]) -
                               least_low * (float)(sum_low + sum_high);
#else
            const float4 sum =
                (scale_low * convert_float4(low[j]) - least_low * (float)sum_low) +
                (scale_high * convert_float4(high[j]) - least_high * (float)sum_high);
#endif
            sums[j] += as_float(mark.s0) * sum;
        }
        barrier(CLK_LOCAL_MEM_FENCE);
    }
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

#elif KIND == 3

/* A lane has word `lane` of eight rows of x and all words of its column of w, and gets eight rows
 * of its column of the result. HET_XMX 1: Intel's matrix instruction by the name that its compiler
 * has for it; 2: the same by local memory and single products, for what has neither. */
#if HET_XMX == 1
int8 __builtin_IB_sub_group_idpas_s8_s8_8_8(int8 sums, int8 a, int8 b) __attribute__((const));
#define MATRIX(sums, a, b) __builtin_IB_sub_group_idpas_s8_s8_8_8(sums, a, b)
#define MATRIX_KERNEL __attribute__((intel_reqd_sub_group_size(8)))
#define MATRIX_LANE get_sub_group_local_id()
#define MATRIX_ROOM
#else
#define MATRIX(sums, a, b) het_multiply(sums, a, b, room)
#define MATRIX_KERNEL
#define MATRIX_LANE get_local_id(0)
#define MATRIX_ROOM __local int room[64];

HET_INLINE int8 het_multiply(int8 sums, int8 a, int8 b, __local int *room)
{
    const int lane = (int)get_local_id(0);
    int of[8], column[8];
    barrier(CLK_LOCAL_MEM_FENCE);
    vstore8(a, lane, room);
    vstore8(sums, 0, of);
    vstore8(b, 0, column);
    barrier(CLK_LOCAL_MEM_FENCE);
    for (int t = 0; t < 8; t++)
        for (int word = 0; word < 8; word++)
            of[t] = het_dot4(of[t], room[8 * word + t], column[word]);
    return vload8(0, of);
}
#endif

#define SCALED(j, t) \
    do { \
        const int2 mark = vload2(x_block[(j) * 8 + t] + i, HET_INTS(marks)); \
        const int codes = (mark.s1 << 16 >> 16) + (mark.s1 >> 16); \
        sums[j].s##t += as_float(mark.s0) * (scale * (float)dots.s##t - least * (float)codes); \
    } while (0)
#define PUT(j, t) \
    do { \
        if ((j) * 8 + t < part.count && n < columns) \
            HET_PUT(part, (j) * 8 + t, n, sums[j].s##t); \
    } while (0)
#define EACH(what, j) \
    do { \
        what(j, 0); \
        what(j, 1); \
        what(j, 2); \
        what(j, 3); \
        what(j, 4); \
        what(j, 5); \
        what(j, 6); \
        what(j, 7); \
    } while (0)

/* TIMES 8 rows of x. Only types whose blocks of 32 have one scale: that is how deep it sums. */
__kernel MATRIX_KERNEL __attribute__((reqd_work_group_size(8, 1, 1)))
void dot_matrix(HET_DOT_PRODUCT)
{
    MATRIX_ROOM
    const het_part part = het_part_of(get_group_id(1), 8 * TIMES, get_group_id(2), rows, extents,
                                      steps, HET_INTS(tiles));
    const uint lane = MATRIX_LANE, blocks = part.count > 0 ? (uint)inner / 32 : 0;
    const int n = (int)get_group_id(0) * 8 + (int)lane;
    const het_w w_row = het_w_row(w + w_at, w_small, inner,
                                  part.w_matrix * (uint)columns + (uint)min(n, columns - 1));
    ulong x_block[8 * TIMES];
    float8 sums[TIMES];
#pragma unroll
    for (int t = 0; t < 8 * TIMES; t++)
        x_block[t] = het_x_block(part, t, inner, HET_INTS(order));
#pragma unroll
    for (int j = 0; j < TIMES; j++)
        sums[j] = (float8)(0.0f);
    for (uint i = 0; i < blocks; i++) {
        float scale, least;
        const int4 low = het_codes16(w_row, 2 * i, &scale, &least);
        const int4 high = het_codes16(w_row, 2 * i + 1, &scale, &least);
        __global const int *x_codes = HET_INTS(x) + 8 * i + lane;
#pragma unroll
        for (int j = 0; j < TIMES; j++) {
#define X_WORD(t) x_codes[8 * x_block[8 * j + t]]
            const int8 a = (int8)(X_WORD(0), X_WORD(1), X_WORD(2), X_WORD(3), X_WORD(4),
                                  X_WORD(5), X_WORD(6), X_WORD(7));
            const int8 dots = MATRIX((int8)(0), a, (int8)(low, high));
            EACH(SCALED, j);
        }
    }
#pragma unroll
    for (int j = 0; j < TIMES; j++)
        EACH(PUT, j);
}

#endif
