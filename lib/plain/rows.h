/* SPDX-License-Identifier: Apache-2.0 */
/* Rows of a floating tensor against vectors of doubles: what recurrent layers and attention spend
 * their time in. F64 stays as it is, every other type is read as F32, which holds it exactly. */
#ifndef HET_PLAIN_ROWS_H
#define HET_PLAIN_ROWS_H

#include "lib/plain/plain.h"

typedef struct het__rows {
    const float *f32; /* one of the two */
    const double *f64;
} het__rows;

/* In scratch memory of e where the contents must be converted or aligned. */
het_status het__rows_of(het__eval *e, const het__tensor *t, het__rows *rows);
/* n elements from element at on, as doubles. */
void het__rows_load(const het__rows *rows, int64_t at, int64_t n, double *x);
/* Sum over n elements from at on times x. */
double het__rows_dot(const het__rows *rows, int64_t at, int64_t n, const double *x);
/* y += scale * n elements from at on. */
void het__rows_add(const het__rows *rows, int64_t at, int64_t n, double scale, double *y);

/* n elements of a tensor from element at on, rounded to its type; data at any alignment. */
void het__store_row(het_dtype dtype, void *data, int64_t at, int64_t n, const double *x);
/* Elements without rounding, between tensors of one type. */
void het__copy_row(het_dtype dtype, void *to, int64_t to_at, const void *from, int64_t from_at,
                   int64_t n);

#endif /* HET_PLAIN_ROWS_H */
