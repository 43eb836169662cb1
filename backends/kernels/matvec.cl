/* SPDX-License-Identifier: Apache-2.0 */
/* Products of few rows, which cost what reading the weights costs: every weight is read once and
 * meets TOKENS rows of x (one step of generation: 1).
 *
 *     ROWS    rows of w, columns of the result, that a set of lanes works on at once
 *     LANES   items that share a sum: 1 on processors; elsewhere a subgroup where there are any
 *             (HET_SUBGROUP, SETS of them in a group), else a whole group
 *     STEPS   times ROWS that an item without lanes does, so that starting it is worth it
 *
 * Lanes take turns by 16 columns, by 32 in block formats: the halves of a block lie in the same
 * bytes. The order of a sum depends on none of the sizes but LANES. */
#include "product.cl"

#if LANES == 1 && TOKENS == 1 && HET_W_ELEMENTS == 256
#define PAIR HET_W_RUNS
#else
#define PAIR (HET_W_ELEMENTS == 1 ? 1 : 2)
#endif

#if LANES == 1
typedef float16 lane_sum;
#define LANE_ADD(sum, a, b) ((sum) = mad(a, b, sum))
#define LANE_ADD_AT(sum, a, at) LANE_ADD(sum, a, vload16(0, at))
#define LANE_ADD1(sum, a, b) ((sum).s0 = mad(a, b, (sum).s0))
#else
typedef float lane_sum;
#define LANE_ADD(sum, a, b) ((sum) += het_dot16(a, b))
/* By fours, of which few are in registers at a time. */
#define LANE_ADD_AT(sum, a, at) \
    do { \
        float4 four = (a).s0123 * vload4(0, at); \
        four = mad((a).s4567, vload4(1, at), four); \
        four = mad((a).s89ab, vload4(2, at), four); \
        four = mad((a).scdef, vload4(3, at), four); \
        (sum) += (four.s0 + four.s1) + (four.s2 + four.s3); \
    } while (0)
#define LANE_ADD1(sum, a, b) ((sum) = mad(a, b, sum))

static inline float het_dot16(float16 a, float16 b)
{
    float4 p = a.s0123 * b.s0123;
    p = mad(a.s4567, b.s4567, p);
    p = mad(a.s89ab, b.s89ab, p);
    p = mad(a.scdef, b.scdef, p);
    return (p.s0 + p.s1) + (p.s2 + p.s3);
}
#endif

/* This lane's sums for rows first to first + ROWS - 1 of w, or its last. */
static inline void lane_sums(het_part p, __global const float *x, __global const uchar *w,
                             ulong w_small, int inner, int columns, __global const int *order,
                             int first, uint lane, lane_sum sums[TOKENS * ROWS])
{
    het_w w_row[ROWS];
    __global const float *x_row[TOKENS];
    const uint used = p.count > 0 ? (uint)inner : 0, whole = used / 16;
#pragma unroll
    for (int r = 0; r < ROWS; r++)
        w_row[r] = het_w_row(w, w_small, inner,
                             p.w_matrix * (uint)columns + (uint)min(first + r, columns - 1));
#pragma unroll
    for (int t = 0; t < TOKENS; t++) {
        x_row[t] = het_x_row(x, p, t, inner, order);
#pragma unroll
        for (int r = 0; r < ROWS; r++)
            sums[t * ROWS + r] = 0;
    }
    for (uint pair = lane * PAIR; pair < whole; pair += LANES * PAIR) {
#pragma unroll
        for (uint i = pair; i < pair + PAIR; i++) {
#if TOKENS == 1
            const float16 v = vload16(i, x_row[0]);
#pragma unroll
            for (int r = 0; r < ROWS; r++)
                LANE_ADD(sums[r], het_w16(w_row[r], i), v);
#else
#pragma unroll
            for (int r = 0; r < ROWS; r++) {
                const float16 v = het_w16(w_row[r], i);
#pragma unroll
                for (int t = 0; t < TOKENS; t++)
                    LANE_ADD_AT(sums[t * ROWS + r], v, x_row[t] + 16 * i);
            }
#endif
        }
    }
#if HET_W_ELEMENTS == 1
    for (uint k = 16 * whole + lane; k < used; k += LANES) {
#pragma unroll
        for (int r = 0; r < ROWS; r++)
#pragma unroll
            for (int t = 0; t < TOKENS; t++)
                LANE_ADD1(sums[t * ROWS + r], het_w1(w_row[r], k), x_row[t][k]);
    }
#endif
}

#define LANE_SUMS(first, lane) \
    lane_sums(part, HET_FLOATS(x), w + w_at, w_small, inner, columns, HET_INTS(order), first, \
              lane, sums)

#if LANES == 1

__kernel void matvec(HET_PRODUCT)
{
    const het_part part = het_part_of(get_global_id(1), TOKENS, get_global_id(2), rows, extents,
                                      steps, HET_INTS(tiles));
    lane_sum sums[TOKENS * ROWS];
    for (int step = 0; step < STEPS; step++) {
        const int first = ((int)get_global_id(0) * STEPS + step) * ROWS;
        if (first >= columns || part.count == 0)
            break;
        LANE_SUMS(first, 0);
        float totals[TOKENS * ROWS];
#pragma unroll
        for (int t = 0; t < TOKENS; t++)
#pragma unroll
            for (int r = 0; r < ROWS; r++)
                totals[t * ROWS + r] = het_sum16(sums[t * ROWS + r]);
        for (int t = 0; t < part.count; t++)
            for (int r = 0; r < ROWS && first + r < columns; r++)
                HET_PUT(part, t, first + r, totals[t * ROWS + r]);
    }
}

#elif HET_SUBGROUP

__kernel HET_SUBGROUP_KERNEL __attribute__((reqd_work_group_size(LANES * SETS, 1, 1)))
void matvec(HET_PRODUCT)
{
    const het_part part = het_part_of(get_group_id(1), TOKENS, get_group_id(2), rows, extents,
                                      steps, HET_INTS(tiles));
    /* The same for all lanes, so that addresses of rows need not be kept by each. */
    const int first = sub_group_broadcast(
        ((int)get_group_id(0) * SETS + (int)get_sub_group_id()) * ROWS, 0);
    const uint lane = get_sub_group_local_id();
    lane_sum sums[TOKENS * ROWS];
    LANE_SUMS(first, lane);
    /* Each lane writes one of as many sums as there are lanes. Whatever is not known when this is
     * compiled would put the sums in memory. */
    float mine[(TOKENS * ROWS + LANES - 1) / LANES];
#pragma unroll
    for (int t = 0; t < TOKENS; t++)
#pragma unroll
        for (int r = 0; r < ROWS; r++) {
            const float sum = sub_group_reduce_add(sums[t * ROWS + r]);
            if (lane == (uint)(t * ROWS + r) % LANES)
                mine[(t * ROWS + r) / LANES] = sum;
        }
#pragma unroll
    for (int i = 0; i < (TOKENS * ROWS + LANES - 1) / LANES; i++) {
        const int at = i * LANES + (int)lane, t = at / ROWS, r = at % ROWS;
        if (at < TOKENS * ROWS && t < part.count && first + r < columns)
            HET_PUT(part, t, first + r, mine[i]);
    }
}

#else

__kernel __attribute__((reqd_work_group_size(LANES, 1, 1))) void matvec(HET_PRODUCT)
{
    __local float shared[TOKENS * ROWS][LANES + 1]; /* one more, so that columns differ in bank */
    const het_part part = het_part_of(get_group_id(1), TOKENS, get_group_id(2), rows, extents,
                                      steps, HET_INTS(tiles));
    const int first = (int)get_group_id(0) * ROWS;
    const int lane = (int)get_local_id(0);
    lane_sum sums[TOKENS * ROWS];
    LANE_SUMS(first, (uint)lane);
#pragma unroll
    for (int t = 0; t < TOKENS; t++)
#pragma unroll
        for (int r = 0; r < ROWS; r++)
            shared[t * ROWS + r][lane] = sums[t * ROWS + r];
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
