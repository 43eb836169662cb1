/* SPDX-License-Identifier: Apache-2.0 */
/* Which plain kernels may be called on parts of their operands. */
#ifndef HET_CPU_PLAIN_CUT_H
#define HET_CPU_PLAIN_CUT_H

#include "lib/plain/call.h"

#define HET__PLAIN_CALLS_MAX 16

/* How many calls, each on a stretch of the axis of output 0, do together what the call does, to
 * the bit; 1: no more than itself. bytes: what the call moves. */
uint32_t het__cpu_plain_cuts(const het__plain_call *call, int64_t bytes, uint32_t *axis);
/* The call, as it was initialised, does places [first, first + count) of the axis only. */
void het__cpu_plain_narrow(het__plain_call *call, uint32_t axis, int64_t first, int64_t count);

#endif /* HET_CPU_PLAIN_CUT_H */
