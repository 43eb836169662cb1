/* SPDX-License-Identifier: Apache-2.0 */
/* Blocks of elements to numbers and back; F32 without asking for its type at each element. */
#include "lib/plain/block.h"

#include <string.h>

void het__load_f64(const het__tensor *t, int64_t at, int64_t n, double *x)
{
    if (t->dtype != HET_DTYPE_F32) {
        for (int64_t i = 0; i < n; i++)
            x[i] = het__get_f64(t->dtype, t->data, at + i);
        return;
    }
    const char *data = (const char *)t->data + at * (int64_t)sizeof(float);
    for (int64_t i = 0; i < n; i++) {
        float y;
        memcpy(&y, data + i * (int64_t)sizeof y, sizeof y);
        x[i] = (double)y;
    }
}

void het__store_f64(const het__tensor *t, int64_t at, int64_t n, const double *x)
{
    if (t->dtype != HET_DTYPE_F32) {
        for (int64_t i = 0; i < n; i++)
            het__put_f64(t->dtype, t->data, at + i, x[i]);
        return;
    }
    char *data = (char *)t->data + at * (int64_t)sizeof(float);
    for (int64_t i = 0; i < n; i++) {
        const float y = (float)x[i];
        memcpy(data + i * (int64_t)sizeof y, &y, sizeof y);
    }
}

void het__load_i64(const het__tensor *t, int64_t at, int64_t n, int64_t *x)
{
    for (int64_t i = 0; i < n; i++)
        x[i] = het__get_i64(t->dtype, t->data, at + i);
}

void het__store_i64(const het__tensor *t, int64_t at, int64_t n, const int64_t *x)
{
    for (int64_t i = 0; i < n; i++)
        het__put_i64(t->dtype, t->data, at + i, x[i]);
}

