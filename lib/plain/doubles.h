/* SPDX-License-Identifier: Apache-2.0 */
/* Runs of elements of any scalar type as doubles and back: kernels that sum convert whole rows, so
 * that their inner loops know one type. */
#ifndef HET_PLAIN_DOUBLES_H
#define HET_PLAIN_DOUBLES_H

#include "lib/plain/plain.h"

/* count elements from first on, step elements apart, less zero. */
void het__doubles_get(het_dtype dtype, const void *data, int64_t first, int64_t step, int64_t count,
                      double zero, double *out);
/* Rounded as het__put_f64() does; step as above. */
void het__doubles_put(het_dtype dtype, void *data, int64_t first, int64_t step, int64_t count,
                      const double *x);

/* sum[j] += scale * x[j] */
static inline void het__doubles_add(double *restrict sum, const double *restrict x, double scale,
                                    int64_t count)
{
    for (int64_t j = 0; j < count; j++)
        sum[j] += scale * x[j];
}

/* ---- products ---- */

/* An operand: element (line, k) lies at first + line * line_step + k * k_step. */
typedef struct het__operand {
    het_dtype dtype;
    const void *data;
    int64_t first, line_step, k_step;
    const double *zeros; /* per line, zero_step apart; NULL: none */
    int64_t zero_step;
} het__operand;

/* Takes count finished sums of a row, from that column on. */
typedef void (*het__row_sink)(void *user, int64_t row, int64_t column, int64_t count,
                              const double *sums);

/* Doubles that het__product_f64() works in. */
#define HET__PRODUCT_SCRATCH (64 * 256 + 256 * 128 + 64 * 128)

/* Sums over k of a's lines (rows) times b's lines (columns). */
void het__product_f64(const het__operand *a, const het__operand *b, int64_t rows, int64_t columns,
                      int64_t depth, double *scratch, het__row_sink sink, void *user);

#endif /* HET_PLAIN_DOUBLES_H */
