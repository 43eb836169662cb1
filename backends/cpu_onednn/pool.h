/* SPDX-License-Identifier: Apache-2.0 */
/* The threads of one opened CPU device.
 *
 * A pool is its caller plus count - 1 workers. A region is one function that all of them run at
 * once; inside it they share out tasks, one by one with het__pool_take() or in ranges with
 * het__pool_share(), and meet at het__pool_barrier().
 * Waiting threads spin for a bounded time, because the next step of a model follows within
 * microseconds, and then sleep (between regions) or give the processor up (inside one).
 */
#ifndef HET_CPU_POOL_H
#define HET_CPU_POOL_H

#include "backends/cpu_onednn/share.h"

typedef struct het__pool het__pool;

/* worker is in [0, count); 0 is the caller. */
typedef void (*het__pool_fn)(void *arg, uint32_t worker, uint32_t count);

/* threads >= 1, the caller's included. */
het_status het__pool_create(het__mem *mem, uint32_t threads, het__pool **pool, het_error *err);
/* May be NULL. No region is running. */
void het__pool_destroy(het__pool *pool);

uint32_t het__pool_count(const het__pool *pool);

/* Run fn on every thread; returns when all have returned. One region at a time. What the caller
 * wrote before is seen by all, and what they wrote is seen by the caller afterwards. */
void het__pool_run(het__pool *pool, het__pool_fn fn, void *arg);

/* Inside a region: the first of the next chunk tasks, counted from 0 since the region's start or
 * the last barrier. */
int64_t het__pool_take(het__pool *pool, int64_t chunk);

/* Inside a region: what het__share_enter() wants, at most once between two barriers. It learns
 * between regions. */
het__share *het__pool_share(het__pool *pool);

/* Inside a region, by all threads: wait for the others, then count tasks from 0 again. */
void het__pool_barrier(het__pool *pool);

#endif /* HET_CPU_POOL_H */
