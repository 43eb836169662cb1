/* SPDX-License-Identifier: Apache-2.0 */
/* What all products have in common: arguments, which rows an item works on, what is done to a sum
 * before it is written.
 *
 *     out[t, n] = act(scale * sum over k of x[t, k] w[n, k] + bias[n] + residual[t, n])
 *
 * flags say what of this there is, and whether the result is multiplied by what out holds already.
 * Options, each 0 unless given: HET_ACT, HET_UNARY (kinds of act); HET_BATCHED: there is a matrix
 * of x and out per index of dimension 2; HET_GROUPED: rows come in parts with a matrix of w each,
 * listed in tiles; HET_GATHER: row t of x is x[order[t]]. */
#include "blocks.cl"

#ifndef HET_ACT
#define HET_ACT HET_ACT_NONE
#endif
#ifndef HET_UNARY
#define HET_UNARY HET_UNARY_NONE
#endif
#ifndef HET_BATCHED
#define HET_BATCHED 0
#endif
#ifndef HET_GROUPED
#define HET_GROUPED 0
#endif
#ifndef HET_GATHER
#define HET_GATHER 0
#endif

/* Bits of flags. */
#define HET_BIAS 1
#define HET_RESIDUAL 2
#define HET_MULTIPLY 4

/* extents, steps: leading extents of x, innermost first, and by how many matrices of w an index
 * moves; 1 and 0 where there are fewer. */
#define HET_PRODUCT \
    HET_IN(x), HET_IN(w), const ulong w_small, HET_IN(bias), HET_IN(residual), HET_OUT(out), \
    const int inner, const int columns, const int rows, const int flags, const float scale, \
    const float alpha, const float beta, const int8 extents, const int8 steps, HET_IN(tiles), \
    HET_IN(order)

/* Rows that share a matrix of w. */
typedef struct het_part {
    ulong x_row, w_matrix; /* rows of x and out before part's matrix of them; matrices of w */
    int first, count;      /* count 0: nothing to do */
} het_part;

static inline ulong het_matrix(uint index, int8 extents, int8 steps)
{
    ulong at = 0;
#define HET_LEADING(i) \
    at += (ulong)(index % (uint)extents.i) * (uint)steps.i; \
    index /= (uint)extents.i;
    HET_LEADING(s0)
    HET_LEADING(s1)
    HET_LEADING(s2)
    HET_LEADING(s3)
    HET_LEADING(s4)
    HET_LEADING(s5)
    HET_LEADING(s6)
    HET_LEADING(s7)
#undef HET_LEADING
    return at;
}

/* Part `index` of at most size rows. tiles: their number, three unused, then per part matrix, first
 * row, rows, unused. */
static inline het_part het_part_of(uint index, int size, uint plane, int rows, int8 extents,
                                   int8 steps, __global const int *tiles)
{
    het_part p;
    if (HET_GROUPED) {
        const bool is_used = (int)index < tiles[0];
        const int4 tile = is_used ? vload4(index + 1, tiles) : (int4)(0);
        p.x_row = 0;
        p.w_matrix = (ulong)tile.s0;
        p.first = tile.s1;
        p.count = tile.s2;
        return p;
    }
    p.first = (int)index * size;
    p.count = clamp(rows - p.first, 0, size);
    p.x_row = HET_BATCHED ? (ulong)plane * (uint)rows : 0;
    p.w_matrix = HET_BATCHED ? het_matrix(plane, extents, steps) : 0;
    return p;
}

/* Row t of a part of x, or its last one. */
static inline __global const float *het_x_row(__global const float *x, het_part p, int t, int inner,
                                              __global const int *order)
{
    int row = p.first + max(min(t, p.count - 1), 0);
    if (HET_GATHER)
        row = p.count > 0 ? order[row] : 0;
    return x + (p.x_row + (ulong)row) * (uint)inner;
}

static inline float het_finish(float v, int n, ulong at, __global const float *bias,
                               __global const float *residual, __global const float *out,
                               int flags, float scale, float alpha, float beta)
{
    v *= scale;
    if (flags & HET_BIAS)
        v += bias[n];
    if (flags & HET_RESIDUAL)
        v += residual[at];
    v = het_act(HET_ACT, alpha, beta, v);
    v = het_unary(HET_UNARY, 0.0f, v);
    return flags & HET_MULTIPLY ? v * out[at] : v;
}

/* Writes the sum of row t of part p and column n. */
#define HET_PUT(p, t, n, sum) \
    do { \
        const ulong put_at = \
            ((p).x_row + (ulong)((p).first + (t))) * (uint)columns + (uint)(n); \
        HET_FLOATS_OUT(out)[put_at] = \
            het_finish(sum, n, put_at, HET_FLOATS(bias), HET_FLOATS(residual), \
                       HET_FLOATS_OUT(out), flags, scale, alpha, beta); \
    } while (0)

static inline float het_sum16(float16 v)
{
    const float8 a = v.lo + v.hi;
    const float4 b = a.lo + a.hi;
    const float2 c = b.lo + b.hi;
    return c.s0 + c.s1;
}
