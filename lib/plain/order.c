/* SPDX-License-Identifier: Apache-2.0 */
/* Keys that order elements, and a merge sort: stable, and never slower than n log n, whatever the
 * file that brings the data wants. */
#include "lib/plain/order.h"

#include <math.h>
#include <string.h>

#include "lib/plain/plain.h"

#define SIGN (UINT64_C(1) << 63)

/* The common type without a detour: the bits of a float order as those of a double do. */
static uint64_t key_of_float(const void *data, int64_t i)
{
    uint32_t bits;
    memcpy(&bits, (const char *)data + i * (int64_t)sizeof bits, sizeof bits);
    const uint32_t size = bits & 0x7FFFFFFFU;
    if (size > 0x7F800000U)
        return UINT64_MAX;
    return bits != size ? 0x80000000U - size : 0x80000000U + size;
}

uint64_t het__order_key(het_dtype dtype, const void *data, int64_t i)
{
    if (dtype == HET_DTYPE_F32)
        return key_of_float(data, i);
    if (!het__dtype_is_float(dtype)) {
        const uint64_t x = (uint64_t)het__get_i64(dtype, data, i);
        return dtype == HET_DTYPE_U64 ? x : x ^ SIGN;
    }
    const double x = het__get_f64(dtype, data, i) + 0.0; /* one zero of the two */
    uint64_t bits;
    if (isnan(x))
        return UINT64_MAX;
    memcpy(&bits, &x, sizeof bits);
    return bits & SIGN ? ~bits : bits | SIGN;
}

/* Two sorted neighbours, from first and from middle on, into one. */
static void merge(const int64_t *from, int64_t *to, int64_t first, int64_t middle, int64_t end,
                  het__less_fn less, const void *context)
{
    int64_t a = first, b = middle;
    for (int64_t i = first; i < end; i++) {
        const bool takes_b = b < end && (a == middle || less(context, from[b], from[a]));
        to[i] = takes_b ? from[b++] : from[a++];
    }
}

void het__order_sort(int64_t *indices, int64_t count, int64_t *spare, het__less_fn less,
                     const void *context)
{
    int64_t *from = indices, *to = spare;
    for (int64_t width = 1; width < count; width *= 2) {
        for (int64_t i = 0; i < count; i += 2 * width) {
            const int64_t middle = i + width < count ? i + width : count;
            const int64_t end = middle + width < count ? middle + width : count;
            merge(from, to, i, middle, end, less, context);
        }
        int64_t *swap = from;
        from = to;
        to = swap;
    }
    if (from != indices)
        memcpy(indices, from, (size_t)count * sizeof *indices);
}
