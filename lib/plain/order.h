/* SPDX-License-Identifier: Apache-2.0 */
/* Order of elements of any type: as unsigned keys that compare like the elements. */
#ifndef HET_PLAIN_ORDER_H
#define HET_PLAIN_ORDER_H

#include <stdbool.h>

#include <hetinfer/base.h>

/* Greater elements have greater keys; zeros of both signs have one, NaNs have one and are greater
 * than everything else. */
uint64_t het__order_key(het_dtype dtype, const void *data, int64_t i);

/* Sorts indices so that less(context, a, b) holds for no later a and earlier b; equal ones keep
 * their order. spare: room for as many. */
typedef bool (*het__less_fn)(const void *context, int64_t a, int64_t b);
void het__order_sort(int64_t *indices, int64_t count, int64_t *spare, het__less_fn less,
                     const void *context);

#endif /* HET_PLAIN_ORDER_H */
