/* SPDX-License-Identifier: Apache-2.0 */
#include "backends/cpu_onednn/pool.h"

#include <assert.h>
#include <stdatomic.h>
#include <string.h>
#include <threads.h>

#include "lib/base/cpus.h"
#include "lib/base/error.h"
#include "lib/base/os.h"

/* How long a thread spins for the next region before it sleeps: longer than what a sampler takes
 * between two steps, short against a scheduler's time slice. */
#define IDLE_NS 80000
/* How long a thread spins for the others inside a region before it offers them its processor: tasks
 * end within microseconds of each other, unless a thread has been preempted. */
#define BARRIER_NS 5000
/* Pauses between two looks at the clock. */
#define SPIN_ROUND 64

/* Words that different threads write stand on cache lines of their own. */
struct het__pool {
    /* Immutable after create. */
    het__mem *mem;
    uint32_t count;
    uint32_t started;    /* workers that exist */
    uint64_t idle_ns, barrier_ns; /* 0: more threads than processors */
    het_parallel_fn parallel;     /* NULL: workers of our own */
    void *parallel_user;
    het__thread *threads;
    het__share share;
    /* The region: written by the caller before it raises epoch. */
    het__pool_fn fn;
    void *arg;
    _Alignas(64) _Atomic uint32_t epoch; /* one per region */
    _Atomic bool stop;
    _Alignas(64) _Atomic uint32_t running; /* workers still in the region */
    _Alignas(64) _Atomic int64_t next;     /* task */
    _Alignas(64) _Atomic uint32_t arrived; /* at the barrier */
    _Alignas(64) _Atomic uint32_t phase;   /* of the barrier */
    _Alignas(64) _Atomic uint32_t sleepers;
    het__mutex lock; /* for sleeping only */
    het__cond wake;
};

typedef struct worker_start {
    het__pool *pool;
    uint32_t worker;
    bool pinned;
    uint16_t processor;
} worker_start;

static inline void pause_cpu(void)
{
#if defined(__x86_64__) || defined(__i386__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("yield");
#endif
}

/* Spin while *word == value, at most ns; true if it changed. The caller synchronises with a load
 * of its own. */
static bool spin_while(const _Atomic uint32_t *word, uint32_t value, uint64_t ns)
{
    uint64_t end = 0;
    for (;;) {
        for (int i = 0; i < SPIN_ROUND; i++) {
            if (atomic_load_explicit(word, memory_order_relaxed) != value)
                return true;
            if (!ns)
                return false;
            pause_cpu();
        }
        const uint64_t now = het__now_ns();
        if (!end)
            end = now + ns;
        else if (now > end)
            return false;
    }
}

/* Sleep until epoch leaves seen. The counter of sleepers and the epoch are both sequentially
 * consistent: either the caller sees a sleeper, or the sleeper sees the new epoch. */
static void sleep_while(het__pool *pool, uint32_t seen)
{
    het__mutex_lock(&pool->lock);
    atomic_fetch_add(&pool->sleepers, 1);
    while (atomic_load(&pool->epoch) == seen)
        het__cond_wait(&pool->wake, &pool->lock);
    atomic_fetch_sub(&pool->sleepers, 1);
    het__mutex_unlock(&pool->lock);
}

static void raise_epoch(het__pool *pool)
{
    atomic_fetch_add(&pool->epoch, 1);
    if (atomic_load(&pool->sleepers)) {
        het__mutex_lock(&pool->lock);
        het__cond_broadcast(&pool->wake);
        het__mutex_unlock(&pool->lock);
    }
}

static void *worker_main(void *argument)
{
    const worker_start *start = argument;
    het__pool *pool = start->pool;
    const uint32_t worker = start->worker;
    uint32_t seen = 0;
    if (start->pinned)
        het__cpus_pin(start->processor); /* a processor that is gone by now: stay free */
    for (;;) {
        if (!spin_while(&pool->epoch, seen, pool->idle_ns))
            sleep_while(pool, seen);
        seen = atomic_load_explicit(&pool->epoch, memory_order_acquire);
        if (atomic_load_explicit(&pool->stop, memory_order_relaxed))
            return NULL;
        pool->fn(pool->arg, worker, pool->count);
        atomic_fetch_sub_explicit(&pool->running, 1, memory_order_release);
    }
}

static void join_workers(het__pool *pool)
{
    atomic_store_explicit(&pool->stop, true, memory_order_relaxed);
    raise_epoch(pool);
    for (uint32_t i = 0; i < pool->started; i++)
        het__thread_join(pool->threads[i]);
}

/* The caller's thread is left alone, and the first processor to it. */
static void give_processors(worker_start *starts, uint32_t workers)
{
    het__cpus cpus;
    het__cpus_get(&cpus);
    for (uint32_t i = 0; i < workers && i + 1 < cpus.count; i++) {
        starts[i].pinned = true;
        starts[i].processor = cpus.id[i + 1];
    }
}

static het_status start_workers(het__pool *p, bool pin, het_error *err)
{
    const uint32_t workers = p->count - 1;
    /* Handles and start records in one block; the records must live as long as the threads. */
    p->threads = het__alloc_zero(p->mem, p->count, sizeof(het__thread) + sizeof(worker_start));
    if (!p->threads)
        return het__fail_nomem(err, "the thread pool");
    worker_start *starts = (worker_start *)(void *)(p->threads + p->count);
    if (pin)
        give_processors(starts, workers);
    for (uint32_t i = 0; i < workers; i++) {
        starts[i].pool = p;
        starts[i].worker = i + 1;
        if (!het__thread_start(&p->threads[i], worker_main, &starts[i]))
            return het__fail(err, HET_E_NOMEM, "thread %u of %u could not be started",
                             (unsigned)(i + 2), (unsigned)p->count);
        p->started++;
    }
    return HET_OK;
}

het_status het__pool_create(het__mem *mem, const het__pool_options *options, het__pool **pool,
                            het_error *err)
{
    assert(options->threads >= 1);
    het__pool *p = het__alloc_zero(mem, 1, sizeof *p);
    if (!p)
        return het__fail_nomem(err, "the thread pool");
    p->mem = mem;
    p->count = options->threads;
    p->parallel = options->parallel;
    p->parallel_user = options->parallel_user;
    if (p->count <= het__cpus_usable()) {
        p->idle_ns = IDLE_NS;
        p->barrier_ns = BARRIER_NS;
    }
    het__mutex_init(&p->lock);
    het__cond_init(&p->wake);
    het_status s = het__share_init(&p->share, mem, p->count, err);
    if (s == HET_OK && !p->parallel)
        s = start_workers(p, options->pin, err);
    if (s != HET_OK) {
        het__pool_destroy(p);
        return s;
    }
    *pool = p;
    return HET_OK;
}

void het__pool_destroy(het__pool *pool)
{
    if (!pool)
        return;
    join_workers(pool);
    het__mem *mem = pool->mem;
    het__cond_finish(&pool->wake);
    het__mutex_finish(&pool->lock);
    het__share_finish(&pool->share, mem);
    het__free(mem, pool->threads);
    het__free(mem, pool);
}

uint32_t het__pool_count(const het__pool *pool)
{
    return pool->count;
}

/* One thread of a region that the application runs. */
static void lent_task(void *arg, uint32_t index)
{
    het__pool *pool = arg;
    assert(index < pool->count);
    pool->fn(pool->arg, index, pool->count);
}

static void run_workers(het__pool *pool)
{
    atomic_store_explicit(&pool->running, pool->count - 1, memory_order_relaxed);
    raise_epoch(pool);
    pool->fn(pool->arg, 0, pool->count);
    uint32_t left;
    while ((left = atomic_load_explicit(&pool->running, memory_order_acquire)) != 0)
        if (!spin_while(&pool->running, left, pool->barrier_ns))
            thrd_yield();
}

void het__pool_run(het__pool *pool, het__pool_fn fn, void *arg)
{
    atomic_store_explicit(&pool->next, 0, memory_order_relaxed);
    if (pool->count == 1) {
        fn(arg, 0, 1);
        return;
    }
    het__share_learn(&pool->share);
    pool->fn = fn;
    pool->arg = arg;
    if (pool->parallel)
        pool->parallel(pool->parallel_user, pool->count, lent_task, pool);
    else
        run_workers(pool);
}

int64_t het__pool_take(het__pool *pool, int64_t chunk)
{
    return atomic_fetch_add_explicit(&pool->next, chunk, memory_order_relaxed);
}

het__share *het__pool_share(het__pool *pool)
{
    return &pool->share;
}

void het__pool_barrier(het__pool *pool)
{
    const uint32_t phase = atomic_load_explicit(&pool->phase, memory_order_relaxed);
    if (atomic_fetch_add_explicit(&pool->arrived, 1, memory_order_acq_rel) + 1 == pool->count) {
        atomic_store_explicit(&pool->arrived, 0, memory_order_relaxed);
        atomic_store_explicit(&pool->next, 0, memory_order_relaxed);
        atomic_store_explicit(&pool->phase, phase + 1, memory_order_release);
        return;
    }
    while (atomic_load_explicit(&pool->phase, memory_order_acquire) == phase)
        if (!spin_while(&pool->phase, phase, pool->barrier_ns))
            thrd_yield();
}
