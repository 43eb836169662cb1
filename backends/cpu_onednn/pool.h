/* SPDX-License-Identifier: Apache-2.0 */
/* The threads of one opened CPU device.
 *
 * A pool is its caller plus count - 1 workers, or threads that the application lends for the length
 * of a region. A region is a sequence of steps. In each they share out tasks, one by one with
 * het__pool_take() or in ranges with het__pool_enter(); a step is over when all tasks are done, and
 * waits for no thread that is not at work. Or a region is one function that all of them run, which
 * may meet at het__pool_barrier().
 * Waiting threads spin for a bounded time, because the next step of a model follows within
 * microseconds, and then sleep (between regions) or give the processor up (inside one).
 */
#ifndef HET_CPU_POOL_H
#define HET_CPU_POOL_H

#include <hetinfer/session.h>

#include "backends/cpu_onednn/share.h"

typedef struct het__pool het__pool;

/* worker is in [0, count). */
typedef void (*het__pool_fn)(void *arg, uint32_t worker, uint32_t count);

typedef struct het__pool_options {
    uint32_t threads; /* >= 1, the caller's included */
    bool pin;         /* each worker to a processor of its own, as far as there are any */
    het_parallel_fn parallel; /* runs all threads of a region; NULL: the pool starts workers */
    void *parallel_user;
} het__pool_options;

het_status het__pool_create(het__mem *mem, const het__pool_options *options, het__pool **pool,
                            het_error *err);
/* May be NULL. No region is running. */
void het__pool_destroy(het__pool *pool);

uint32_t het__pool_count(const het__pool *pool);

/* Makes the next step ready, false if there is none. One thread at a time, none inside a step. */
typedef bool (*het__pool_next_fn)(void *arg);

/* Run steps: fn by any number of threads at once, each of which returns when nothing is left to
 * take. One region at a time. Steps, and what the caller did before and does after, see what the
 * steps before them wrote. The pool has more than one thread. */
void het__pool_steps(het__pool *pool, het__pool_next_fn next, het__pool_fn fn, void *arg);

/* Run fn once on every thread; returns when all have returned. One region at a time. What the
 * caller wrote before is seen by all, and what they wrote is seen by the caller afterwards. */
void het__pool_run(het__pool *pool, het__pool_fn fn, void *arg);

/* Inside a region: the first of the next chunk tasks, counted from 0 since the step's start or the
 * last barrier. */
int64_t het__pool_take(het__pool *pool, int64_t chunk);

/* Inside a step: share out its tasks by speed; for het__share_take(). Every thread that does gives
 * the same load and tasks. */
het__share_step het__pool_enter(het__pool *pool, uint32_t worker, het__load load, int64_t tasks);

/* In het__pool_run(), by all threads: wait for the others, then count tasks from 0 again. */
void het__pool_barrier(het__pool *pool);

#endif /* HET_CPU_POOL_H */
