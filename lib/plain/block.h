/* SPDX-License-Identifier: Apache-2.0 */
/* Runs of neighbouring elements as numbers, a block at a time: kernels along axes compute on
 * blocks that stay in the nearest cache, whatever the type of the tensor. */
#ifndef HET_PLAIN_BLOCK_H
#define HET_PLAIN_BLOCK_H

#include "lib/ir/reduce.h"
#include "lib/plain/plain.h"

/* Elements of a block: 2 KiB of doubles. */
#define HET__BLOCK 256

/* Elements at to at + n - 1. */
void het__load_f64(const het__tensor *t, int64_t at, int64_t n, double *x);
void het__store_f64(const het__tensor *t, int64_t at, int64_t n, const double *x);
/* For integer types and BOOL, exact; U64 by bit pattern. */
void het__load_i64(const het__tensor *t, int64_t at, int64_t n, int64_t *x);
void het__store_i64(const het__tensor *t, int64_t at, int64_t n, const int64_t *x);

static inline int64_t het__block(int64_t left)
{
    return left < HET__BLOCK ? left : HET__BLOCK;
}

#endif /* HET_PLAIN_BLOCK_H */
