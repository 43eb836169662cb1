/* SPDX-License-Identifier: Apache-2.0 */
/* Operations along an axis of [outer][n][inner]: softmax, sums and their like, norms, and the
 * weights of attention. A row belongs to a group of ROW_ITEMS items; processors have groups of one,
 * which go through rows in vectors where elements are neighbours.
 *
 * Options: ROW_ITEMS (ROW_ITEMS_MOST where the compiler does not know it); SOFTMAX (LOGARITHM),
 * REDUCE (TAKE, FOLD, START, FINISH), NORM, SOFTEN (MASK), POOL_CODES (T). */
#ifndef ROW_ITEMS_MOST
#define ROW_ITEMS_MOST ROW_ITEMS
#endif

#define WIDE 8 /* elements at once where they are neighbours, on a processor */

/* The item's row: outer and inner place as one number, and where it begins. There are as many
 * groups as rows. */
#define ROW_BEGIN(n, inner) \
    const int row = get_group_id(1), lane = get_local_id(0); \
    const long begin = (long)(row / (inner)) * (n) * (inner) + row % (inner);

/* All items of a group get what FOLD makes of their values. */
#define SHARE(fold, value) \
    if (ROW_ITEMS > 1) { \
        part[lane] = value; \
        barrier(CLK_LOCAL_MEM_FENCE); \
        for (int half_of = ROW_ITEMS / 2; half_of > 0; half_of /= 2) { \
            if (lane < half_of) \
                part[lane] = fold(part[lane], part[lane + half_of]); \
            barrier(CLK_LOCAL_MEM_FENCE); \
        } \
        value = part[0]; \
        barrier(CLK_LOCAL_MEM_FENCE); \
    }
#define SHARED __local float part[ROW_ITEMS_MOST];

#define ADD(a, b) ((a) + (b))
#define MULTIPLY(a, b) ((a) * (b))
#define GREATER(a, b) ((a) >= (b) || (a) != (a) ? (a) : (b))
#define LESSER(a, b) ((a) <= (b) || (a) != (a) ? (a) : (b))

/* Result of FOLD over TAKE(x) of an item's elements. */
#define FOLD_ROW(fold, take, start, from, n, inner, result) \
    float result = start; \
    { \
        int i = lane; \
        if (ROW_ITEMS == 1 && (inner) == 1 && (n) >= 2 * WIDE) { \
            float many[WIDE]; \
            for (int k = 0; k < WIDE; k++) \
                many[k] = start; \
            for (; i + WIDE <= (n); i += WIDE) \
                for (int k = 0; k < WIDE; k++) { \
                    const float x = (from)[i + k]; \
                    many[k] = fold(many[k], take(x)); \
                } \
            for (int k = 0; k < WIDE; k++) \
                result = fold(result, many[k]); \
        } \
        for (; i < (n); i += ROW_ITEMS) { \
            const float x = (from)[(long)i * (inner)]; \
            result = fold(result, take(x)); \
        } \
    } \
    SHARE(fold, result)

#define PLAIN(x) (x)

#ifdef SOFTMAX

/* sizes: rows (outer times inner), n, inner */
__kernel void softmax(HET_OUT(out), HET_IN(a), const int4 sizes)
{
    SHARED
    ROW_BEGIN(sizes.s1, sizes.s2)
    __global const float *from = HET_FLOATS(a) + begin;
    __global float *to = HET_FLOATS_OUT(out) + begin;
    FOLD_ROW(GREATER, PLAIN, -INFINITY, from, sizes.s1, sizes.s2, most)
#define WEIGHT(x) exp((x) - most)
    FOLD_ROW(ADD, WEIGHT, 0.0f, from, sizes.s1, sizes.s2, sum)
    const float shift = LOGARITHM ? most + log(sum) : 0.0f;
    const float scale = LOGARITHM ? 0.0f : 1.0f / sum;
    for (int i = lane; i < sizes.s1; i += ROW_ITEMS) {
        const float x = from[(long)i * sizes.s2];
        to[(long)i * sizes.s2] = LOGARITHM ? x - shift : exp(x - most) * scale;
    }
}

#endif

#ifdef REDUCE

#define SQUARE(x) ((x) * (x))
#define ABSOLUTE(x) fabs(x)
#define SAME(r) (r)
#define MEAN(r) ((r) / (float)sizes.s1)
#define ROOT(r) sqrt(r)
#define LOG(r) log(r)

/* sizes: rows (outer times inner), n, inner */
__kernel void reduce(HET_OUT(out), HET_IN(a), const int4 sizes)
{
    SHARED
    ROW_BEGIN(sizes.s1, sizes.s2)
    __global const float *from = HET_FLOATS(a) + begin;
    FOLD_ROW(FOLD, TAKE, START, from, sizes.s1, sizes.s2, result)
    if (lane == 0)
        HET_FLOATS_OUT(out)[row] = FINISH(result);
}

#endif

#ifdef NORM

/* Rows of n neighbours; element i of a row takes scale and offset number
 * row % groups * per_group + i / area. sizes: rows, n, groups, per_group; form: area, whether
 * there is an offset, whether the mean stays */
__kernel void norm(HET_OUT(out), HET_IN(a), HET_IN(scale), HET_IN(offset), const int4 sizes,
                   const int4 form, const float eps)
{
    SHARED
    ROW_BEGIN(sizes.s1, 1)
    __global const float *from = HET_FLOATS(a) + begin;
    __global float *to = HET_FLOATS_OUT(out) + begin;
    const int first = row % sizes.s2 * sizes.s3, n = sizes.s1;
    __global const float *scales = HET_FLOATS(scale) + first, *offsets = HET_FLOATS(offset) + first;
    float mean = 0.0f;
    if (!form.s2) {
        FOLD_ROW(ADD, PLAIN, 0.0f, from, n, 1, sum)
        mean = sum / (float)n;
    }
#define DEVIATION(x) (((x) - mean) * ((x) - mean))
    FOLD_ROW(ADD, DEVIATION, 0.0f, from, n, 1, squares)
    const float inverse = 1.0f / sqrt(squares / (float)n + eps);
    for (int i = lane; i < n; i += ROW_ITEMS) {
        const int k = form.s0 == 1 ? i : i / form.s0;
        const float v = (from[i] - mean) * inverse * scales[k];
        to[i] = form.s1 ? v + offsets[k] : v;
    }
}

#endif

#ifdef SOFTEN

/* Scores [batch][heads][rows][keys] to weights that add up to one, or to zeros where no key is
 * open; in place. Mask steps are 0 where it is repeated. MASK: 0 none, 1 floats, 2 booleans.
 * sizes: rows of all, keys, heads, rows of a head; steps: batch, head, row, keys of the mask;
 * reach: keys before and behind the own place (-1: all) */
__kernel void soften(HET_OUT(scores), HET_IN(mask), const int4 sizes, const int4 steps,
                     const int2 reach, const float scale, const float softcap)
{
    SHARED
    ROW_BEGIN(sizes.s1, 1)
    __global float *to = HET_FLOATS_OUT(scores) + begin;
    const int i = row % sizes.s3, head = row / sizes.s3;
    const long open = (long)(head / sizes.s2) * steps.s0 + (long)(head % sizes.s2) * steps.s1 +
                      (long)i * steps.s2;
    int first = 0, last = sizes.s1 - 1;
    if (reach.s0 >= 0)
        first = max(first, i - reach.s0);
    if (reach.s1 >= 0)
        last = min(last, i + reach.s1);
    float most = -INFINITY;
    for (int j = lane; j < sizes.s1; j += ROW_ITEMS) {
        float s = to[j] * scale;
        if (softcap > 0.0f)
            s = softcap * tanh(s / softcap);
        const int in_mask = min(j, steps.s3 - 1);
        if (MASK == 1)
            s += j < steps.s3 ? HET_FLOATS(mask)[open + in_mask] : -INFINITY;
        else if (MASK == 2)
            s = j < steps.s3 && (mask + mask_at)[open + in_mask] ? s : -INFINITY;
        s = j < first || j > last ? -INFINITY : s;
        to[j] = s;
        most = GREATER(most, s);
    }
    SHARE(GREATER, most)
    float sum = 0.0f;
    for (int j = lane; j < sizes.s1; j += ROW_ITEMS) {
        const float e = most == -INFINITY ? 0.0f : exp(to[j] - most);
        to[j] = e;
        sum += e;
    }
    SHARE(ADD, sum)
    const float inverse = sum > 0.0f ? 1.0f / sum : sum == sum ? 0.0f : sum;
    for (int j = lane; j < sizes.s1; j += ROW_ITEMS)
        to[j] *= inverse;
}

#endif

#ifdef POOL_CODES

/* Means of codes as codes: an item adds up one channel's codes, exactly, and finds the result by
 * the least sum for which each code is reached: 255 of them behind the least code.
 * sizes: rows, n, inner, least code */
__kernel void pool_codes(HET_OUT(out), HET_IN(a), HET_IN(table), const int4 sizes)
{
    const int row = get_global_id(0);
    if (row >= sizes.s0)
        return;
    const long begin = (long)(row / sizes.s2) * sizes.s1 * sizes.s2 + row % sizes.s2;
    __global const T *from = (__global const T *)(a + a_at) + begin;
    __global const int *reached = (__global const int *)(table + table_at);
    int sum = 0, low = 0, high = 255;
    for (int i = 0; i < sizes.s1; i++)
        sum += from[(long)i * sizes.s2];
    while (low < high) {
        const int middle = (low + high) / 2;
        if (sum >= reached[middle])
            low = middle + 1;
        else
            high = middle;
    }
    (out + out_at)[row] = (uchar)(sizes.s3 + low);
}

#endif
