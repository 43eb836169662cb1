/* SPDX-License-Identifier: Apache-2.0 */
/* Memory of temporaries by lifetime: values that are never alive together share bytes. */
#ifndef HET_EXEC_MEMORY_H
#define HET_EXEC_MEMORY_H

#include "lib/base/mem.h"

#include <hetinfer/base.h>

/* A value that is alive from the step `first` to the step `last`, both included. */
typedef struct het__interval {
    uint32_t first, last;
    size_t bytes;  /* in: size; a multiple of HET__ALIGN after planning */
    size_t offset; /* out */
} het__interval;

/* Give every interval an offset such that no two that overlap in time overlap in memory; total
 * receives the bytes in all. Largest first, each at the lowest place that is free: within a few
 * percent of the peak in practice. O(n² log n). Deterministic. */
het_status het__memory_plan(het__interval *intervals, uint32_t count, het__mem *mem,
                            size_t *total);

#endif /* HET_EXEC_MEMORY_H */
