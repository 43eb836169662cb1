/* SPDX-License-Identifier: Apache-2.0 */
/* Resizing of rows: across them by vectors, along them by vectors where a unit is one (images in
 * blocks of channels), else element by element. Compiled once per instruction-set level, like
 * level.c. */
#include "backends/cpu_onednn/resize_math.h"

#include "backends/cpu_onednn/vec.h"

#if HET__LEVEL == HET__LEVEL_AVX512
#define MATH het__resize_math_avx512
#define LEVEL_NAME "avx512"
#elif HET__LEVEL == HET__LEVEL_GENERIC
#define MATH het__resize_math_generic
#define LEVEL_NAME "generic"
#elif HET__LEVEL == HET__LEVEL_AVX2VNNI
#define MATH het__resize_math_avx2vnni
#define LEVEL_NAME "avx2vnni"
#else
#define MATH het__resize_math_avx2
#define LEVEL_NAME "avx2"
#endif

/* ---- across rows ---- */

/* W, here and below: the width, a constant where it is inlined. */
VEC_INLINE void across_rows(const int W, const float *const *rows, const float *weight,
                            int64_t count, float *to)
{
    vf w[HET__RESIZE_WIDTH_MAX];
    int64_t i = 0;
    VEC_UNROLL
    for (int k = 0; k < W; k++)
        w[k] = vf_bcast(weight + k);
    for (; i + VL <= count; i += VL) {
        vf sum = vf_mul(w[0], vf_load(rows[0] + i));
        VEC_UNROLL
        for (int k = 1; k < W; k++)
            sum = vf_fma(w[k], vf_load(rows[k] + i), sum);
        vf_store(to + i, sum);
    }
    const int64_t n = count - i;
    if (n <= 0)
        return;
    vf sum = vf_mul(w[0], vf_load_n(rows[0] + i, n));
    VEC_UNROLL
    for (int k = 1; k < W; k++)
        sum = vf_fma(w[k], vf_load_n(rows[k] + i, n), sum);
    vf_store_n(to + i, sum, n);
}

static void across(const float *const *rows, const float *weight, int64_t width, int64_t count,
                   float *to)
{
    if (width == 2)
        across_rows(2, rows, weight, count, to);
    else
        across_rows(HET__RESIZE_WIDTH_MAX, rows, weight, count, to);
}

/* ---- along a row ---- */

/* Units of one element. */
VEC_INLINE void along_ones(const int W, const het__resize_line *l, const float *from, float *to)
{
    const int32_t *index = l->index;
    const float *weight = l->weight;
    for (int64_t o = 0; o < l->out; o++, index += W, weight += W) {
        float sum = weight[0] * from[index[0]];
        VEC_UNROLL
        for (int k = 1; k < W; k++)
            sum += weight[k] * from[index[k]];
        to[o] = sum;
    }
}

VEC_INLINE void along_units(const int W, const het__resize_line *l, int64_t unit,
                            const float *from, float *to)
{
    for (int64_t o = 0; o < l->out; o++, to += unit) {
        const float *rows[HET__RESIZE_WIDTH_MAX];
        VEC_UNROLL
        for (int k = 0; k < W; k++)
            rows[k] = from + l->index[o * W + k] * unit;
        across_rows(W, rows, l->weight + o * W, unit, to);
    }
}

static void move_ones(const het__resize_line *l, const float *from, float *to)
{
    int64_t o = 0;
    for (; o + 4 <= l->out; o += 4) {
        const float a = from[l->index[o]], b = from[l->index[o + 1]];
        const float c = from[l->index[o + 2]], d = from[l->index[o + 3]];
        to[o] = a;
        to[o + 1] = b;
        to[o + 2] = c;
        to[o + 3] = d;
    }
    for (; o < l->out; o++)
        to[o] = from[l->index[o]];
}

static void move_units(const het__resize_line *l, int64_t unit, const float *from, float *to)
{
    for (int64_t o = 0; o < l->out; o++, to += unit) {
        const float *at = from + l->index[o] * unit;
        int64_t i = 0;
        for (; i + VL <= unit; i += VL)
            vf_store(to + i, vf_load(at + i));
        if (i < unit)
            vf_store_n(to + i, vf_load_n(at + i, unit - i), unit - i);
    }
}

static void along(const het__resize_line *line, int64_t unit, const float *from, float *to)
{
    if (!line->weight && unit == 1)
        move_ones(line, from, to);
    else if (!line->weight)
        move_units(line, unit, from, to);
    else if (line->width == 2 && unit == 1)
        along_ones(2, line, from, to);
    else if (line->width == 2)
        along_units(2, line, unit, from, to);
    else if (unit == 1)
        along_ones(HET__RESIZE_WIDTH_MAX, line, from, to);
    else
        along_units(HET__RESIZE_WIDTH_MAX, line, unit, from, to);
}

const het__resize_math MATH = { LEVEL_NAME, along, across };
