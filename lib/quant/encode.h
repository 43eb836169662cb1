/* SPDX-License-Identifier: Apache-2.0 */
/* F32 rows into the formats that weights are kept in. Plain C and deterministic: one input gives
 * the same bytes on every machine. Slow beside decoding, because the formats with searched scales
 * try some twenty of them per group of elements. */
#ifndef HET_QUANT_ENCODE_H
#define HET_QUANT_ENCODE_H

#include <stdbool.h>

#include "lib/quant/quant.h"

/* Encode one row of count elements (whole blocks), all of them finite. importance has one weight
 * >= 0 per element, of the squared error there; NULL: the format's own weighting. Types without a
 * free choice (F32, F16, BF16, Q8_0, MXFP4) do not look at it. target needs no alignment. Elements
 * that a format's scale cannot reach decode to what is not finite. */
typedef void (*het__encode_fn)(const float *row, const float *importance, void *target,
                               int64_t count);

/* NULL for a type that is not written: F32, F16, BF16, Q4_0, Q4_1, Q5_0, Q5_1, Q8_0, Q2_K to Q6_K,
 * IQ4_NL and MXFP4 are. */
het__encode_fn het__encoder(het_dtype dtype);

/* Symmetric int8 of one channel: codes from -127 to 127, to the nearest multiple of *scale, which
 * is max |x| / 127 (0 for a channel of zeros), rounded up to the next number of F16; beyond F16's
 * range it is not rounded. */
void het__int8_encode(const float *row, int64_t count, int8_t *codes, float *scale);
void het__int8_decode(const int8_t *codes, float scale, float *row, int64_t count);
/* Whether F16 has a scale exactly, which Q8_0 needs. */
bool het__int8_is_f16(float scale);
/* The same values as blocks of Q8_0: count is whole blocks, and het__int8_is_f16(scale). */
void het__int8_to_q8_0(const int8_t *codes, float scale, void *target, int64_t count);

#endif /* HET_QUANT_ENCODE_H */
