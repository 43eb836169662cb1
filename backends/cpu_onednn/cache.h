/* SPDX-License-Identifier: Apache-2.0 */
/* A device's use of a cache of re-laid weights.
 *
 *   open    once with the device: what the folder has for this model, level and precision
 *   load    per matrix: read it in parallel and check its sums, or point into the mapped file
 *   keep    once all matrices are there: if one had to be re-laid, write the file anew
 *
 * A cache that cannot be used costs a line in the log, at most one for reading and one for writing,
 * and the time of re-laying. */
#ifndef HET_CPU_CACHE_H
#define HET_CPU_CACHE_H

#include "backends/cpu_onednn/cpu.h"

typedef struct het__cpu_cache het__cpu_cache;

/* NULL: none is wanted, or none can be had. */
het__cpu_cache *het__cpu_cache_open(const het__device *device);
/* Sets packed of a constant whose form is chosen; false: it has to be made. */
bool het__cpu_cache_load(het__device *device, het__cpu_constant *constant);
void het__cpu_cache_keep(het__device *device);
void het__cpu_cache_close(het__device *device); /* packed pointers into it die */

#endif /* HET_CPU_CACHE_H */
