/* SPDX-License-Identifier: Apache-2.0 */
/* Rows as doubles, and the one product of matrices that all others are made of.
 *
 * The product walks tiles: 128 columns of the second operand by 256 of depth are converted once for
 * 64 rows of the first. Integers of a byte stay exact: sums of their products fit a double's 53
 * bits for any depth that fits memory. */
#include "lib/plain/doubles.h"

#include "lib/base/dtype.h"

#define GET(type, value) \
    do { \
        for (int64_t i = 0; i < count; i++) { \
            type x; \
            memcpy(&x, (const char *)data + (first + i * step) * (int64_t)sizeof x, sizeof x); \
            out[i] = (value) - zero; \
        } \
    } while (0)

void het__doubles_get(het_dtype dtype, const void *data, int64_t first, int64_t step, int64_t count,
                      double zero, double *out)
{
    switch ((int)dtype) {
    case HET_DTYPE_F32: GET(float, (double)x); break;
    case HET_DTYPE_F64: GET(double, x); break;
    case HET_DTYPE_F16: GET(uint16_t, (double)het__f16_to_f32(x)); break;
    case HET_DTYPE_BF16: GET(uint16_t, (double)het__bf16_to_f32(x)); break;
    case HET_DTYPE_I8: GET(int8_t, (double)x); break;
    case HET_DTYPE_U8: GET(uint8_t, (double)x); break;
    default:
        for (int64_t i = 0; i < count; i++)
            out[i] = het__get_f64(dtype, data, first + i * step) - zero;
    }
}

void het__doubles_put(het_dtype dtype, void *data, int64_t first, int64_t step, int64_t count,
                      const double *x)
{
    if (dtype != HET_DTYPE_F32) {
        for (int64_t i = 0; i < count; i++)
            het__put_f64(dtype, data, first + i * step, x[i]);
        return;
    }
    char *to = (char *)data + first * 4;
    for (int64_t i = 0; i < count; i++) {
        const float y = (float)x[i];
        memcpy(to + i * step * 4, &y, sizeof y);
    }
}

#define TILE_ROWS 64
#define TILE_DEPTH 256
#define TILE_COLUMNS 128
_Static_assert(TILE_ROWS * TILE_DEPTH + TILE_DEPTH * TILE_COLUMNS + TILE_ROWS * TILE_COLUMNS ==
               HET__PRODUCT_SCRATCH, "scratch of a product");

static int64_t least(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

static double zero_of(const het__operand *o, int64_t line)
{
    return o->zeros ? o->zeros[line * o->zero_step] : 0.0;
}

static void load_rows(const het__operand *a, int64_t row, int64_t rows, int64_t k, int64_t depth,
                      double *tile)
{
    for (int64_t i = 0; i < rows; i++)
        het__doubles_get(a->dtype, a->data, a->first + (row + i) * a->line_step + k * a->k_step,
                         a->k_step, depth, zero_of(a, row + i), tile + i * TILE_DEPTH);
}

static void load_columns(const het__operand *b, int64_t column, int64_t columns, int64_t k,
                         int64_t depth, double *tile)
{
    for (int64_t i = 0; i < depth; i++) {
        double *row = tile + i * TILE_COLUMNS;
        het__doubles_get(b->dtype, b->data,
                         b->first + column * b->line_step + (k + i) * b->k_step, b->line_step,
                         columns, 0.0, row);
        for (int64_t j = 0; b->zeros && j < columns; j++)
            row[j] -= zero_of(b, column + j);
    }
}

/* Two rows by four of depth at a time: sums are loaded and stored once for eight products each. */
static void multiply_two(const double *restrict a0, const double *restrict a1,
                         const double *restrict b, double *restrict s0, double *restrict s1,
                         int64_t columns, int64_t depth)
{
    int64_t k = 0;
    for (; k + 4 <= depth; k += 4) {
        const double *b0 = b + k * TILE_COLUMNS, *b1 = b0 + TILE_COLUMNS;
        const double *b2 = b1 + TILE_COLUMNS, *b3 = b2 + TILE_COLUMNS;
        for (int64_t j = 0; j < columns; j++) {
            s0[j] += a0[k] * b0[j] + a0[k + 1] * b1[j] + (a0[k + 2] * b2[j] + a0[k + 3] * b3[j]);
            s1[j] += a1[k] * b0[j] + a1[k + 1] * b1[j] + (a1[k + 2] * b2[j] + a1[k + 3] * b3[j]);
        }
    }
    for (; k < depth; k++) {
        het__doubles_add(s0, b + k * TILE_COLUMNS, a0[k], columns);
        het__doubles_add(s1, b + k * TILE_COLUMNS, a1[k], columns);
    }
}

static void multiply(const double *a, const double *b, double *sums, int64_t rows, int64_t columns,
                     int64_t depth)
{
    int64_t i = 0;
    for (; i + 2 <= rows; i += 2)
        multiply_two(a + i * TILE_DEPTH, a + (i + 1) * TILE_DEPTH, b, sums + i * TILE_COLUMNS,
                     sums + (i + 1) * TILE_COLUMNS, columns, depth);
    for (int64_t k = 0; i < rows && k < depth; k++)
        het__doubles_add(sums + i * TILE_COLUMNS, b + k * TILE_COLUMNS, a[i * TILE_DEPTH + k],
                         columns);
}

/* Where the second operand's lines are contiguous, few rows do not pay for turning a tile. */
#define DOT_ROWS 4

static double dot(const double *restrict x, const double *restrict y, int64_t n)
{
    double s0 = 0, s1 = 0, s2 = 0, s3 = 0;
    int64_t i = 0;
    for (; i + 4 <= n; i += 4) {
        s0 += x[i] * y[i];
        s1 += x[i + 1] * y[i + 1];
        s2 += x[i + 2] * y[i + 2];
        s3 += x[i + 3] * y[i + 3];
    }
    for (; i < n; i++)
        s0 += x[i] * y[i];
    return s0 + s1 + (s2 + s3);
}

static void multiply_dots(const double *a, const het__operand *b, int64_t column, int64_t columns,
                          int64_t k, int64_t depth, int64_t rows, double *line, double *sums)
{
    for (int64_t j = 0; j < columns; j++) {
        het__doubles_get(b->dtype, b->data, b->first + (column + j) * b->line_step + k, 1, depth,
                         zero_of(b, column + j), line);
        for (int64_t i = 0; i < rows; i++)
            sums[i * TILE_COLUMNS + j] += dot(a + i * TILE_DEPTH, line, depth);
    }
}

void het__product_f64(const het__operand *a, const het__operand *b, int64_t rows, int64_t columns,
                      int64_t depth, double *scratch, het__row_sink sink, void *user)
{
    double *tile_a = scratch, *tile_b = tile_a + TILE_ROWS * TILE_DEPTH;
    double *sums = tile_b + TILE_DEPTH * TILE_COLUMNS;
    for (int64_t i = 0; i < rows; i += TILE_ROWS) {
        const int64_t m = least(rows - i, TILE_ROWS);
        for (int64_t j = 0; j < columns; j += TILE_COLUMNS) {
            const int64_t n = least(columns - j, TILE_COLUMNS);
            for (int64_t r = 0; r < m; r++)
                memset(sums + r * TILE_COLUMNS, 0, (size_t)n * sizeof *sums);
            for (int64_t k = 0; k < depth; k += TILE_DEPTH) {
                const int64_t d = least(depth - k, TILE_DEPTH);
                load_rows(a, i, m, k, d, tile_a);
                if (m <= DOT_ROWS && b->k_step == 1) {
                    multiply_dots(tile_a, b, j, n, k, d, m, tile_b, sums);
                    continue;
                }
                load_columns(b, j, n, k, d, tile_b);
                multiply(tile_a, tile_b, sums, m, n, d);
            }
            for (int64_t r = 0; r < m; r++)
                sink(user, i + r, j, n, sums + r * TILE_COLUMNS);
        }
    }
}
