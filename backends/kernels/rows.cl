/* SPDX-License-Identifier: Apache-2.0 */
/* Operations on whole rows: norms, softmax, rows picked and cut, streams.
 *
 * A group has a row, or a part of it that is normed by itself. Items take eight elements at a time,
 * so that a processor's vectors are filled where a group is one item. */
#if defined(EMBED)
#include "blocks.cl"

/* Sixteen elements of a row of the table, times a factor. w_small: see blocks.cl. */
__kernel void embed(HET_IN(table), const ulong w_small, HET_IN(ids), HET_OUT(y),
                    const uint columns, const uint table_rows, const uint tokens,
                    const float factor)
{
    const uint i = (uint)get_global_id(0), t = (uint)get_global_id(1);
    if (16 * i >= columns || t >= tokens)
        return;
    const uint id = (uint)HET_INTS(ids)[t];
    const het_w row = het_w_row(table + table_at, w_small, columns, id < table_rows ? id : 0);
    __global float *out = HET_FLOATS_OUT(y) + (ulong)t * columns;
    if (16 * i + 16 <= columns) {
        vstore16(het_w16(row, i) * factor, i, out);
        return;
    }
    for (uint k = 16 * i; k < columns; k++)
        out[k] = het_w1(row, k) * factor;
}

#elif defined(MOVE)

/* Rows by number; one that is not there is zero. */
__kernel void rows(HET_IN(x), HET_IN(numbers), HET_OUT(y), const uint columns, const uint x_rows,
                   const uint y_rows)
{
    const uint i = (uint)get_global_id(0), r = (uint)get_global_id(1);
    if (i >= columns || r >= y_rows)
        return;
    const uint from = (uint)HET_INTS(numbers)[r];
    HET_FLOATS_OUT(y)[(ulong)r * columns + i] =
        from < x_rows ? HET_FLOATS(x)[(ulong)from * columns + i] : 0.0f;
}

/* Columns from first onwards. */
__kernel void columns(HET_IN(x), HET_OUT(y), const uint x_columns, const uint first,
                      const uint y_columns, const uint tokens)
{
    const uint i = (uint)get_global_id(0), t = (uint)get_global_id(1);
    if (i < y_columns && t < tokens)
        HET_FLOATS_OUT(y)[(ulong)t * y_columns + i] =
            HET_FLOATS(x)[(ulong)t * x_columns + first + i];
}

/* A part of wider rows, from column first onwards. */
__kernel void join(HET_IN(x), HET_OUT(y), const uint x_columns, const uint first,
                   const uint y_columns, const uint tokens)
{
    const uint i = (uint)get_global_id(0), t = (uint)get_global_id(1);
    if (i < x_columns && t < tokens)
        HET_FLOATS_OUT(y)[(ulong)t * y_columns + first + i] =
            HET_FLOATS(x)[(ulong)t * x_columns + i];
}

/* One stream b: own + sum over a of c[b * streams + a] * h_a. */
__kernel void predict(HET_IN(c), HET_IN(h0), HET_IN(h1), HET_IN(h2), HET_IN(h3), HET_IN(h4),
                      HET_IN(h5), HET_IN(h6), HET_IN(h7), HET_IN(own), HET_OUT(y), const uint b,
                      const uint columns, const uint tokens)
{
    const uint i = (uint)get_global_id(0), t = (uint)get_global_id(1);
    if (i >= columns || t >= tokens)
        return;
    const ulong at = (ulong)t * columns + i;
    __global const float *share = HET_FLOATS(c) + ((ulong)t * STREAMS + b) * STREAMS;
    float sum = share[0] * HET_FLOATS(h0)[at];
    if (STREAMS > 1)
        sum += share[1] * HET_FLOATS(h1)[at];
    if (STREAMS > 2)
        sum += share[2] * HET_FLOATS(h2)[at];
    if (STREAMS > 3)
        sum += share[3] * HET_FLOATS(h3)[at];
    if (STREAMS > 4)
        sum += share[4] * HET_FLOATS(h4)[at];
    if (STREAMS > 5)
        sum += share[5] * HET_FLOATS(h5)[at];
    if (STREAMS > 6)
        sum += share[6] * HET_FLOATS(h6)[at];
    if (STREAMS > 7)
        sum += share[7] * HET_FLOATS(h7)[at];
    HET_FLOATS_OUT(y)[at] = sum + HET_FLOATS(own)[at];
}

/* One stream b: own + (c[b] + 1) * (x - active). */
__kernel void correct(HET_IN(c), HET_IN(x), HET_IN(active), HET_IN(own), HET_OUT(y), const uint b,
                      const uint columns, const uint tokens)
{
    const uint i = (uint)get_global_id(0), t = (uint)get_global_id(1);
    if (i >= columns || t >= tokens)
        return;
    const ulong at = (ulong)t * columns + i;
    const float share = HET_FLOATS(c)[(ulong)t * STREAMS + b] + 1.0f;
    HET_FLOATS_OUT(y)[at] =
        HET_FLOATS(own)[at] + share * (HET_FLOATS(x)[at] - HET_FLOATS(active)[at]);
}

#else /* sums over a row: GROUP is defined */

static inline float sum8(float8 v)
{
    const float4 four = v.lo + v.hi;
    const float2 two = four.lo + four.hi;
    return two.x + two.y;
}

/* Sum of all elements. */
HET_INLINE float row_sum(__global const float *x, uint n, __local float *room)
{
    float8 lanes = 0.0f;
    const uint item = (uint)get_local_id(0), whole = n / 8 * 8;
    for (uint i = 8 * item; i < whole; i += 8 * GROUP)
        lanes += vload8(0, x + i);
    float sum = sum8(lanes);
    for (uint i = whole + item; i < n; i += GROUP)
        sum += x[i];
    return het_group_sum(sum, room);
}

/* Sum of squares of the distance from the middle. */
HET_INLINE float row_squares(__global const float *x, uint n, float middle,
                                __local float *room)
{
    float8 lanes = 0.0f;
    const uint item = (uint)get_local_id(0), whole = n / 8 * 8;
    for (uint i = 8 * item; i < whole; i += 8 * GROUP) {
        const float8 v = vload8(0, x + i) - middle;
        lanes += v * v;
    }
    float sum = sum8(lanes);
    for (uint i = whole + item; i < n; i += GROUP)
        sum += (x[i] - middle) * (x[i] - middle);
    return het_group_sum(sum, room);
}

/* KIND 0: x / sqrt(mean x^2 + eps) * weight + bias; 1: the same of x - mean. The group's number is
 * that of its part of a row; every part has the same weights. */
#ifndef KIND
#define KIND 0
#endif
#ifndef WEIGHT
#define WEIGHT 0
#endif
#ifndef BIAS
#define BIAS 0
#endif
HET_SUBGROUP_KERNEL
__kernel void norm(HET_IN(x), HET_IN(weight), HET_IN(bias), HET_OUT(y), const uint n,
                   const uint parts, const float eps)
{
    __local float room[HET_ROOM];
    const uint part = (uint)get_group_id(0);
    if (part >= parts)
        return;
    __global const float *from = HET_FLOATS(x) + (ulong)part * n;
    __global float *to = HET_FLOATS_OUT(y) + (ulong)part * n;
    const float mean = KIND ? row_sum(from, n, room) / (float)n : 0.0f;
    const float factor = 1.0f / sqrt(row_squares(from, n, mean, room) / (float)n + eps);
    const uint item = (uint)get_local_id(0), whole = n / 8 * 8;
    for (uint i = 8 * item; i < whole; i += 8 * GROUP) {
        float8 v = (vload8(0, from + i) - mean) * factor;
        if (WEIGHT)
            v *= vload8(0, HET_FLOATS(weight) + i);
        if (BIAS)
            v += vload8(0, HET_FLOATS(bias) + i);
        vstore8(v, 0, to + i);
    }
    for (uint i = whole + item; i < n; i += GROUP) {
        float v = (from[i] - mean) * factor;
        if (WEIGHT)
            v *= HET_FLOATS(weight)[i];
        if (BIAS)
            v += HET_FLOATS(bias)[i];
        to[i] = v;
    }
}

HET_SUBGROUP_KERNEL
__kernel void softmax(HET_IN(x), HET_OUT(y), const uint n, const uint tokens)
{
    __local float room[HET_ROOM];
    const uint t = (uint)get_group_id(0);
    if (t >= tokens)
        return;
    __global const float *from = HET_FLOATS(x) + (ulong)t * n;
    __global float *to = HET_FLOATS_OUT(y) + (ulong)t * n;
    const uint item = (uint)get_local_id(0), whole = n / 8 * 8;
    float8 tops = -INFINITY;
    for (uint i = 8 * item; i < whole; i += 8 * GROUP)
        tops = fmax(tops, vload8(0, from + i));
    const float4 four = fmax(tops.lo, tops.hi);
    float most = fmax(fmax(four.x, four.y), fmax(four.z, four.w));
    for (uint i = whole + item; i < n; i += GROUP)
        most = fmax(most, from[i]);
    most = het_group_max(most, room);
    float8 lanes = 0.0f;
    for (uint i = 8 * item; i < whole; i += 8 * GROUP)
        lanes += exp(vload8(0, from + i) - most);
    float sum = sum8(lanes);
    for (uint i = whole + item; i < n; i += GROUP)
        sum += exp(from[i] - most);
    const float share = 1.0f / het_group_sum(sum, room);
    for (uint i = 8 * item; i < whole; i += 8 * GROUP)
        vstore8(exp(vload8(0, from + i) - most) * share, 0, to + i);
    for (uint i = whole + item; i < n; i += GROUP)
        to[i] = exp(from[i] - most) * share;
}

/* What is above mean + deviations * standard deviation. */
HET_SUBGROUP_KERNEL
__kernel void cut(HET_IN(x), HET_OUT(y), const uint n, const uint tokens, const float deviations)
{
    __local float room[HET_ROOM];
    const uint t = (uint)get_group_id(0);
    if (t >= tokens)
        return;
    __global const float *from = HET_FLOATS(x) + (ulong)t * n;
    __global float *to = HET_FLOATS_OUT(y) + (ulong)t * n;
    const float mean = row_sum(from, n, room) / (float)n;
    const float least =
        mean + deviations * sqrt(row_squares(from, n, mean, room) / (float)n);
    for (uint i = (uint)get_local_id(0); i < n; i += GROUP) {
        const float above = from[i] - least;
        to[i] = above < 0.0f ? 0.0f : above; /* NaN stays NaN */
    }
}

/* x as strong as another row. */
HET_SUBGROUP_KERNEL
__kernel void match(HET_IN(x), HET_IN(like), HET_OUT(y), const uint n, const uint tokens,
                    const float eps)
{
    __local float room[HET_ROOM];
    const uint t = (uint)get_group_id(0);
    if (t >= tokens)
        return;
    __global const float *from = HET_FLOATS(x) + (ulong)t * n;
    __global float *to = HET_FLOATS_OUT(y) + (ulong)t * n;
    const float own = row_squares(from, n, 0.0f, room) / (float)n;
    const float wanted = row_squares(HET_FLOATS(like) + (ulong)t * n, n, 0.0f, room) / (float)n;
    const float factor = sqrt(wanted) / sqrt(own < eps ? eps : own);
    for (uint i = (uint)get_local_id(0); i < n; i += GROUP)
        to[i] = from[i] * factor;
}
#endif
