/* SPDX-License-Identifier: Apache-2.0 */
/* Softmax and sums along rows; compiled once per instruction-set level, like level.c. Long rows go
 * by vectors along the row. Short ones would leave most lanes empty: a block of them is turned
 * first, so that each lane has a row of its own. */
#include "backends/cpu_onednn/row_math.h"

#include "backends/cpu_onednn/vec_curves.h"

#if HET__LEVEL == HET__LEVEL_AVX512
#define MATH het__row_math_avx512
#define LEVEL_NAME "avx512"
#elif HET__LEVEL == HET__LEVEL_GENERIC
#define MATH het__row_math_generic
#define LEVEL_NAME "generic"
#elif HET__LEVEL == HET__LEVEL_AVX2VNNI
#define MATH het__row_math_avx2vnni
#define LEVEL_NAME "avx2vnni"
#else
#define MATH het__row_math_avx2
#define LEVEL_NAME "avx2"
#endif

/* Vectors of rows that go together: two chains of exponentials hide each other's latency. */
#define GROUPS 2
#define BLOCK (GROUPS * VL)
/* Rows up to so long are turned. */
#define SHORT 32
_Static_assert(SHORT >= VL, "long rows have at least a vector");

/* ---- softmax, a row in each lane ---- */

/* n steps, stride apart, of G vectors of rows; of the last only the first `lanes` are there. G is a
 * constant where it is inlined. */
VEC_INLINE void softmax_lanes(const int G, const float *x, float *out, int64_t n, int64_t stride,
                              int64_t lanes)
{
    vf most[GROUPS], sum[GROUPS];
    VEC_UNROLL
    for (int g = 0; g < G; g++) {
        most[g] = vf_load_upto(x + g * VL, lanes - g * VL);
        sum[g] = vf_zero();
    }
    for (int64_t i = 1; i < n; i++) {
        VEC_UNROLL
        for (int g = 0; g < G; g++)
            most[g] = vf_max(most[g], vf_load_upto(x + i * stride + g * VL, lanes - g * VL));
    }
    for (int64_t i = 0; i < n; i++) {
        VEC_UNROLL
        for (int g = 0; g < G; g++) {
            const int64_t at = i * stride + g * VL, left = lanes - g * VL;
            const vf e = vf_exp(vf_sub(vf_load_upto(x + at, left), most[g]));
            vf_store_upto(out + at, e, left);
            sum[g] = vf_add(sum[g], e);
        }
    }
    VEC_UNROLL
    for (int g = 0; g < G; g++)
        sum[g] = vf_div(vf_set(1), sum[g]);
    for (int64_t i = 0; i < n; i++) {
        VEC_UNROLL
        for (int g = 0; g < G; g++) {
            const int64_t at = i * stride + g * VL, left = lanes - g * VL;
            vf_store_upto(out + at, vf_mul(vf_load_upto(out + at, left), sum[g]), left);
        }
    }
}

static void softmax_across(const float *x, float *out, int64_t n, int64_t stride, int64_t count)
{
    int64_t c = 0;
    for (; c + BLOCK <= count; c += BLOCK)
        softmax_lanes(GROUPS, x + c, out + c, n, stride, BLOCK);
    for (; c < count; c += VL)
        softmax_lanes(1, x + c, out + c, n, stride, count - c);
}

/* ---- softmax, rows along memory ---- */

/* N is the length of rows where that is a constant, 0: it is n. */
VEC_INLINE void softmax_turned(const int N, const float *x, float *out, int64_t rows, int64_t n)
{
    const int64_t length = N ? N : n;
    float turned[SHORT * BLOCK];
    for (int64_t r = 0; r < rows; r += BLOCK, x += BLOCK * length, out += BLOCK * length) {
        const int64_t count = rows - r < BLOCK ? rows - r : BLOCK;
        for (int64_t k = 0; k < count; k++)
            for (int64_t i = 0; i < length; i++)
                turned[i * BLOCK + k] = x[k * length + i];
        if (count == BLOCK)
            softmax_lanes(GROUPS, turned, turned, length, BLOCK, BLOCK);
        else
            for (int64_t c = 0; c < count; c += VL)
                softmax_lanes(1, turned + c, turned + c, length, BLOCK, count - c);
        for (int64_t k = 0; k < count; k++)
            for (int64_t i = 0; i < length; i++)
                out[k * length + i] = turned[i * BLOCK + k];
    }
}

/* Of n elements, at least a vector of them. */
static float largest(const float *x, int64_t n)
{
    vf most[4];
    int64_t i = 0;
    for (int k = 0; k < 4; k++)
        most[k] = vf_load(x);
    for (; i + 4 * VL <= n; i += 4 * VL) {
        VEC_UNROLL
        for (int k = 0; k < 4; k++)
            most[k] = vf_max(most[k], vf_load(x + i + k * VL));
    }
    for (; i + VL <= n; i += VL)
        most[0] = vf_max(most[0], vf_load(x + i));
    most[1] = vf_max(most[1], vf_load(x + n - VL));
    return vf_hmax(vf_max(vf_max(most[0], most[1]), vf_max(most[2], most[3])));
}

static void softmax_long(const float *x, float *out, int64_t n)
{
    const vf most = vf_set(largest(x, n));
    vf sum0 = vf_zero(), sum1 = vf_zero();
    int64_t i = 0;
    for (; i + 2 * VL <= n; i += 2 * VL) {
        const vf a = vf_exp(vf_sub(vf_load(x + i), most));
        const vf b = vf_exp(vf_sub(vf_load(x + i + VL), most));
        vf_store(out + i, a);
        vf_store(out + i + VL, b);
        sum0 = vf_add(sum0, a);
        sum1 = vf_add(sum1, b);
    }
    for (; i < n; i += VL) {
        vf_store_n(out + i, vf_exp(vf_sub(vf_load_n(x + i, n - i), most)), n - i);
        sum0 = vf_add(sum0, vf_load_n(out + i, n - i));
    }
    const vf inverse = vf_set(1.0f / vf_sum(vf_add(sum0, sum1)));
    for (i = 0; i + VL <= n; i += VL)
        vf_store(out + i, vf_mul(vf_load(out + i), inverse));
    if (i < n)
        vf_store_n(out + i, vf_mul(vf_load_n(out + i, n - i), inverse), n - i);
}

static void softmax(const float *x, float *out, int64_t rows, int64_t n)
{
    if (n == 2)
        softmax_turned(2, x, out, rows, n);
    else if (n <= SHORT)
        softmax_turned(0, x, out, rows, n);
    else
        for (int64_t r = 0; r < rows; r++)
            softmax_long(x + r * n, out + r * n, n);
}

/* ---- sums ---- */

/* Sums that run side by side: enough for the latency of additions, in a shape that compilers make
 * vectors of. */
#define PARTS 32
#define FEW 8 /* a quarter of them */

static void sum(const float *x, int64_t rows, int64_t n, double divisor, float *out)
{
    for (int64_t r = 0; r < rows; r++, x += n) {
        double part[PARTS] = { 0 }, few[FEW], rest = 0;
        int64_t i = 0;
        for (; i + PARTS <= n; i += PARTS)
            for (int k = 0; k < PARTS; k++)
                part[k] += (double)x[i + k];
        for (int k = 0; k < FEW; k++)
            few[k] = (part[k] + part[k + FEW]) + (part[k + 2 * FEW] + part[k + 3 * FEW]);
        for (; i + FEW <= n; i += FEW)
            for (int k = 0; k < FEW; k++)
                few[k] += (double)x[i + k];
        for (; i < n; i++)
            rest += (double)x[i];
        const double even = (few[0] + few[2]) + (few[4] + few[6]);
        const double odd = (few[1] + few[3]) + (few[5] + few[7]);
        out[r] = (float)((even + odd + rest) / divisor);
    }
}

static void sum_across(const float *x, int64_t n, int64_t stride, int64_t count, double divisor,
                       float *out)
{
    for (int64_t c = 0; c < count; c += PARTS) {
        const int64_t left = count - c;
        double part[PARTS] = { 0 };
        for (int64_t i = 0; i < n; i++) {
            const float *from = x + i * stride + c;
            if (left >= PARTS)
                for (int k = 0; k < PARTS; k++)
                    part[k] += (double)from[k];
            else
                for (int64_t k = 0; k < left; k++)
                    part[k] += (double)from[k];
        }
        for (int64_t k = 0; k < PARTS && k < left; k++)
            out[c + k] = (float)(part[k] / divisor);
    }
}

const het__row_math MATH = { LEVEL_NAME, softmax, softmax_across, sum, sum_across };
