/* SPDX-License-Identifier: Apache-2.0 */
/* Elements of any type in short runs, in one of three types that arithmetic is done in.
 *
 *     operand (any type, any alignment) -> lane buffer -> loop over F32, F64 or I64 -> output
 *
 * Operands that are already of the lane's type and aligned are used where they lie. What the lane
 * holds is exact: F32 for floats of 32 bits and fewer, F64 for F64, I64 for integers and BOOL (U64
 * by bit pattern). Storing rounds or wraps once. */
#ifndef HET_PLAIN_CHUNK_H
#define HET_PLAIN_CHUNK_H

#include "lib/plain/plain.h"

#define HET__CHUNK 512 /* elements: an operand's buffer is 4 KiB, three of them fit the L1 cache */

typedef enum het__lane { HET__LANE_F32, HET__LANE_F64, HET__LANE_I64 } het__lane;

typedef union het__chunk {
    float f32[HET__CHUNK];
    double f64[HET__CHUNK];
    int64_t i64[HET__CHUNK];
    uint8_t bytes[HET__CHUNK];
} het__chunk;

het__lane het__lane_of(het_dtype dtype);

/* n elements (at most HET__CHUNK) of t from index first on; step 0: n times that one. Returns
 * buffer, or where the elements lie. The lane may be any: F64 and F32 round integers, I64 cuts
 * what is not integer. */
const void *het__lane_load(het__lane lane, const het__tensor *t, int64_t first, int64_t step,
                           int64_t n, het__chunk *buffer);
/* Where to put n elements of t from first on: in place if the type is the lane's, else buffer. */
void *het__lane_target(het__lane lane, const het__tensor *t, int64_t first, het__chunk *buffer);
/* Puts away what lies in target, unless it is in place already. from_u64: what an I64 lane holds
 * is U64 (it matters where t is floating). */
void het__lane_store(het__lane lane, bool from_u64, const het__tensor *t, int64_t first, int64_t n,
                     const void *target);

/* Makes of a walk over elements one over runs: neighbouring extents become one where every operand
 * allows it, the innermost is taken away and its length returned. step[k], 0 or 1: how operand k
 * moves within a run. Runs hold all elements together: elements / length of them. */
int64_t het__walk_runs(het__walk *walk, int64_t step[3]);

#endif /* HET_PLAIN_CHUNK_H */
