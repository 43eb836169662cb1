/* SPDX-License-Identifier: Apache-2.0 */
/* Floats of eight bits and fewer, one per byte: decoding, and rounding to nearest even. */
#ifndef HET_PLAIN_SMALL_FLOATS_H
#define HET_PLAIN_SMALL_FLOATS_H

#include <stdbool.h>

#include <hetinfer/base.h>

/* dtype: F8E4M3 to F8E8M0, F4E2M1. */
double het__small_float_get(het_dtype dtype, uint8_t bits);
/* saturate: what is too large becomes the largest finite value; else infinity, or NaN where the
 * type has none. F8E8M0 rounds to the nearest power of two, ties up. */
uint8_t het__small_float_put(het_dtype dtype, double x, bool saturate);

#endif /* HET_PLAIN_SMALL_FLOATS_H */
