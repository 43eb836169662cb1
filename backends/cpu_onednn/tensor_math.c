/* SPDX-License-Identifier: Apache-2.0 */
/* Element by element, and products of two activations; compiled once per instruction-set level,
 * like level.c. */
#include "backends/cpu_onednn/vec.h"

#include <assert.h>

#include "backends/cpu_onednn/tensor_math.h"

#if HET__LEVEL == HET__LEVEL_AVX512
#define MATH het__tensor_math_avx512
#define LEVEL_NAME "avx512"
#define GROUPS 4
#define ROWS 6
#elif HET__LEVEL == HET__LEVEL_GENERIC
#define MATH het__tensor_math_generic
#define LEVEL_NAME "generic"
#define GROUPS 2
#define ROWS 2
#else
#if HET__LEVEL == HET__LEVEL_AVX2VNNI
#define MATH het__tensor_math_avx2vnni
#define LEVEL_NAME "avx2vnni"
#else
#define MATH het__tensor_math_avx2
#define LEVEL_NAME "avx2"
#endif
#define GROUPS 2
#define ROWS 6
#endif

#define PANEL (GROUPS * VL)
_Static_assert(HET__PANEL_MAX % PANEL == 0, "panels fit the buffers that callers make");

/* ---- element by element ---- */

VEC_INLINE vf binary_value(const int op, vf a, vf b)
{
    switch (op) {
    case HET__BINARY_ADD: return vf_add(a, b);
    case HET__BINARY_SUB: return vf_sub(a, b);
    case HET__BINARY_MUL: return vf_mul(a, b);
    case HET__BINARY_DIV: return vf_div(a, b);
    case HET__BINARY_MAX: return vf_max(a, b);
    default: return vf_min(a, b);
    }
}

/* op, a_one and b_one are constants where it is inlined. */
VEC_INLINE void binary_run(const int op, const float *a, const bool a_one, const float *b,
                           const bool b_one, float *out, int64_t count)
{
    const vf a0 = vf_bcast(a), b0 = vf_bcast(b);
    int64_t i = 0;
    for (; i + VL <= count; i += VL)
        vf_store(out + i, binary_value(op, a_one ? a0 : vf_load(a + i),
                                       b_one ? b0 : vf_load(b + i)));
    const int64_t n = count - i;
    if (n > 0)
        vf_store_n(out + i, binary_value(op, a_one ? a0 : vf_load_n(a + i, n),
                                         b_one ? b0 : vf_load_n(b + i, n)), n);
}

/* Rows of a run each; op, a_one and b_one are constants where it is inlined. */
VEC_INLINE void binary_rows(const int op, const het__binary_job *j, const bool a_one,
                            const bool b_one)
{
    for (int64_t r = 0; r < j->rows; r++)
        binary_run(op, j->a + r * j->a_step, a_one, j->b + r * j->b_step, b_one,
                   j->out + r * j->run, j->run);
}

#define BINARY(op) \
    case op: \
        if (j->a_one) \
            binary_rows(op, j, true, false); \
        else if (j->b_one) \
            binary_rows(op, j, false, true); \
        else \
            binary_rows(op, j, false, false); \
        break

static void binary(het__binary op, const het__binary_job *j)
{
    if (j->run <= 0)
        return;
    assert(!(j->a_one && j->b_one) || j->run == 1);
    switch (op) {
    BINARY(HET__BINARY_ADD);
    BINARY(HET__BINARY_SUB);
    BINARY(HET__BINARY_MUL);
    BINARY(HET__BINARY_DIV);
    BINARY(HET__BINARY_MAX);
    default:
    BINARY(HET__BINARY_MIN);
    }
}

/* ---- products ---- */

static void pack(const float *b, int64_t k_step, int64_t n_step, int64_t depth, int64_t columns,
                 float *packed)
{
    for (int64_t k = 0; k < depth; k++, packed += PANEL) {
        const float *row = b + k * k_step;
        if (n_step == 1)
            memcpy(packed, row, (size_t)columns * sizeof *row);
        else
            for (int64_t n = 0; n < columns; n++)
                packed[n] = row[n * n_step];
        for (int64_t n = columns; n < PANEL; n++)
            packed[n] = 0;
    }
}

/* R rows, G vectors of columns; constants where it is inlined. */
VEC_INLINE void product_tile(const int R, const int G, const float *a, int64_t a_stride,
                             const float *packed, int64_t depth, int64_t columns, bool more,
                             float *out, int64_t out_stride)
{
    vf sum[ROWS][GROUPS];
    VEC_UNROLL
    for (int r = 0; r < R; r++) {
        VEC_UNROLL
        for (int g = 0; g < G; g++)
            sum[r][g] = vf_zero();
    }
    for (int64_t k = 0; k < depth; k++, packed += PANEL) {
        vf b[GROUPS];
        VEC_UNROLL
        for (int g = 0; g < G; g++)
            b[g] = vf_load(packed + g * VL);
        VEC_UNROLL
        for (int r = 0; r < R; r++) {
            const vf x = vf_bcast(a + r * a_stride + k);
            VEC_UNROLL
            for (int g = 0; g < G; g++)
                sum[r][g] = vf_fma(b[g], x, sum[r][g]);
        }
    }
    VEC_UNROLL
    for (int r = 0; r < R; r++) {
        VEC_UNROLL
        for (int g = 0; g < G; g++) {
            float *to = out + r * out_stride + g * VL;
            const int64_t n = columns - g * VL;
            if (n >= VL)
                vf_store(to, more ? vf_add(vf_load(to), sum[r][g]) : sum[r][g]);
            else if (n > 0)
                vf_store_n(to, more ? vf_add(vf_load_n(to, n), sum[r][g]) : sum[r][g], n);
        }
    }
}

VEC_INLINE void product_rows(const int G, const float *a, int64_t a_stride, const float *packed,
                             int64_t depth, int64_t rows, int64_t columns, bool more, float *out,
                             int64_t out_stride)
{
    int64_t m = 0;
    for (; m + ROWS <= rows; m += ROWS)
        product_tile(ROWS, G, a + m * a_stride, a_stride, packed, depth, columns, more,
                     out + m * out_stride, out_stride);
    for (; m < rows; m++)
        product_tile(1, G, a + m * a_stride, a_stride, packed, depth, columns, more,
                     out + m * out_stride, out_stride);
}

/* No more of a panel is multiplied than has columns. */
static void product(const float *a, int64_t a_stride, const float *packed, int64_t depth,
                    int64_t rows, int64_t columns, bool more, float *out, int64_t out_stride)
{
    if (columns <= VL)
        product_rows(1, a, a_stride, packed, depth, rows, columns, more, out, out_stride);
    else if (columns <= 2 * VL)
        product_rows(2, a, a_stride, packed, depth, rows, columns, more, out, out_stride);
    else
        product_rows(GROUPS, a, a_stride, packed, depth, rows, columns, more, out, out_stride);
}

const het__tensor_math MATH = { LEVEL_NAME, PANEL, binary, pack, product };
