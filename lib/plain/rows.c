/* SPDX-License-Identifier: Apache-2.0 */
/* Rows of numbers: several partial sums, so that a sum does not wait for its own last addition. */
#include "lib/plain/rows.h"

#include <string.h>

#include "lib/base/dtype.h"

/* Partial sums of a dot product: enough to hide the latency of an addition. */
#define PARTS 8

het_status het__rows_of(het__eval *e, const het__tensor *t, het__rows *rows)
{
    *rows = (het__rows){ NULL, NULL };
    if (t->dtype != HET_DTYPE_F64) {
        rows->f32 = het__plain_f32(e, t);
        return rows->f32 ? HET_OK : het__eval_nomem(e);
    }
    rows->f64 = t->data;
    if ((uintptr_t)t->data % sizeof(double) != 0) {
        const size_t n = (size_t)het__tensor_elements(t);
        double *copy = het__eval_scratch(e, n, sizeof *copy);
        if (copy)
            memcpy(copy, t->data, n * sizeof *copy);
        rows->f64 = copy;
    }
    return rows->f64 ? HET_OK : het__eval_nomem(e);
}

void het__rows_load(const het__rows *rows, int64_t at, int64_t n, double *x)
{
    if (rows->f32)
        for (int64_t i = 0; i < n; i++)
            x[i] = (double)rows->f32[at + i];
    else
        for (int64_t i = 0; i < n; i++)
            x[i] = rows->f64[at + i];
}

#define DOT(row) \
    for (; i + PARTS <= n; i += PARTS) \
        for (int k = 0; k < PARTS; k++) \
            part[k] += (double)(row)[i + k] * x[i + k]; \
    for (; i < n; i++) \
        part[0] += (double)(row)[i] * x[i]

double het__rows_dot(const het__rows *rows, int64_t at, int64_t n, const double *x)
{
    double part[PARTS] = { 0 };
    int64_t i = 0;
    if (rows->f32) {
        const float *row = rows->f32 + at;
        DOT(row);
    } else {
        const double *row = rows->f64 + at;
        DOT(row);
    }
    double sum = 0;
    for (int k = 0; k < PARTS; k++)
        sum += part[k];
    return sum;
}

void het__rows_add(const het__rows *rows, int64_t at, int64_t n, double scale, double *y)
{
    if (rows->f32) {
        const float *row = rows->f32 + at;
        for (int64_t i = 0; i < n; i++)
            y[i] += scale * (double)row[i];
    } else {
        const double *row = rows->f64 + at;
        for (int64_t i = 0; i < n; i++)
            y[i] += scale * row[i];
    }
}

void het__store_row(het_dtype dtype, void *data, int64_t at, int64_t n, const double *x)
{
    char *to = (char *)data + at * (int64_t)sizeof(float);
    if (dtype == HET_DTYPE_F32) {
        for (int64_t i = 0; i < n; i++) {
            const float y = (float)x[i];
            memcpy(to + i * (int64_t)sizeof y, &y, sizeof y);
        }
        return;
    }
    for (int64_t i = 0; i < n; i++)
        het__put_f64(dtype, data, at + i, x[i]);
}

void het__copy_row(het_dtype dtype, void *to, int64_t to_at, const void *from, int64_t from_at,
                   int64_t n)
{
    const int64_t size = (int64_t)het__dtype(dtype)->block_bytes;
    memcpy((char *)to + to_at * size, (const char *)from + from_at * size, (size_t)(n * size));
}
