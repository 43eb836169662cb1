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

/* The gate: which step is being run, and by how many.
 *
 *     [ number of the step: 32 | idle: 1 | closed: 1 | threads inside: 16 ]
 *
 * A thread that finds the gate open enters, runs tasks until none is left to take, and leaves. The
 * last one to leave closes the gate, alone finds the next step, and opens it under the next
 * number; after the last step the gate is idle. So a step waits for threads that are at work, and
 * for no others: one that was preempted between steps, or has not woken up yet, joins later. What
 * a step is made of is read inside the gate only. */
#define GATE_INSIDE UINT64_C(0xffff)
#define GATE_CLOSED (UINT64_C(1) << 16)
#define GATE_IDLE (UINT64_C(1) << 17)

static inline uint64_t gate_of(uint32_t number, uint64_t flags)
{
    return (uint64_t)number << 32 | flags;
}

static inline uint32_t gate_number(uint64_t gate)
{
    return (uint32_t)(gate >> 32);
}

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
    /* The region: written by the caller while the gate is idle. */
    het__pool_next_fn next_step; /* NULL: one step that every thread runs once */
    het__pool_fn fn;
    void *arg;
    _Alignas(64) _Atomic uint64_t gate;
    _Atomic bool stop;
    _Alignas(64) _Atomic int64_t next;     /* task */
    _Alignas(64) _Atomic uint32_t ran;     /* threads, of a step that every one runs */
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

/* Spin at most ns, while *word == value: one of the two is NULL. True if it changed. The caller
 * synchronises with a load of its own. */
static bool spin_while(const _Atomic uint64_t *word, const _Atomic uint32_t *half, uint64_t value,
                       uint64_t ns)
{
    uint64_t end = 0;
    for (;;) {
        for (int i = 0; i < SPIN_ROUND; i++) {
            const uint64_t now = word ? atomic_load_explicit(word, memory_order_relaxed)
                                      : atomic_load_explicit(half, memory_order_relaxed);
            if (now != value)
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

/* ---- the gate ---- */

/* Sleep until the gate leaves an idle state. The counter of sleepers and the gate are both
 * sequentially consistent here: either the caller sees a sleeper, or the sleeper sees a new
 * gate. */
static void sleep_while(het__pool *pool, uint64_t gate)
{
    het__mutex_lock(&pool->lock);
    atomic_fetch_add(&pool->sleepers, 1);
    while (atomic_load(&pool->gate) == gate)
        het__cond_wait(&pool->wake, &pool->lock);
    atomic_fetch_sub(&pool->sleepers, 1);
    het__mutex_unlock(&pool->lock);
}

static void leave_idle(het__pool *pool, uint64_t gate)
{
    atomic_store(&pool->gate, gate);
    if (atomic_load(&pool->sleepers)) {
        het__mutex_lock(&pool->lock);
        het__cond_broadcast(&pool->wake);
        het__mutex_unlock(&pool->lock);
    }
}

/* By the thread that closed the gate. */
static void advance(het__pool *pool, uint32_t number)
{
    atomic_store_explicit(&pool->next, 0, memory_order_relaxed);
    const bool more = pool->next_step && pool->next_step(pool->arg);
    const uint64_t gate = gate_of(number + 1, more ? 0 : GATE_CLOSED | GATE_IDLE);
    atomic_store_explicit(&pool->gate, gate, memory_order_release);
}

/* The last to leave finds nothing left to take, because each looked before it left. If another one
 * enters before the gate is closed, that one is the last. */
static void leave(het__pool *pool)
{
    if (!pool->next_step)
        atomic_fetch_add_explicit(&pool->ran, 1, memory_order_relaxed);
    const uint64_t left = atomic_fetch_sub_explicit(&pool->gate, 1, memory_order_acq_rel) - 1;
    if ((left & GATE_INSIDE) != 0)
        return;
    uint64_t open = left;
    if (!atomic_compare_exchange_strong_explicit(&pool->gate, &open, left | GATE_CLOSED,
                                                 memory_order_acq_rel, memory_order_relaxed))
        return;
    if (!pool->next_step && atomic_load_explicit(&pool->ran, memory_order_relaxed) < pool->count)
        atomic_store_explicit(&pool->gate, left, memory_order_release); /* others are to come */
    else
        advance(pool, gate_number(left));
}

/* Take part in the region until it is over, or until nothing in it is left for this thread. */
static void help(het__pool *pool, uint32_t worker)
{
    uint32_t done = 0;
    bool has_run = false;
    for (;;) {
        uint64_t gate = atomic_load_explicit(&pool->gate, memory_order_acquire);
        if (gate & GATE_IDLE)
            return;
        if ((gate & GATE_CLOSED) || (has_run && gate_number(gate) == done)) {
            if (!spin_while(&pool->gate, NULL, gate, pool->barrier_ns))
                thrd_yield();
            continue;
        }
        if (!atomic_compare_exchange_weak_explicit(&pool->gate, &gate, gate + 1,
                                                   memory_order_acquire, memory_order_relaxed))
            continue;
        const bool once = !pool->next_step && pool->parallel;
        pool->fn(pool->arg, worker, pool->count);
        leave(pool);
        if (once) /* a lent thread waits for nobody */
            return;
        done = gate_number(gate);
        has_run = true;
    }
}

static void *worker_main(void *argument)
{
    const worker_start *start = argument;
    het__pool *pool = start->pool;
    if (start->pinned)
        het__cpus_pin(start->processor); /* a processor that is gone by now: stay free */
    for (;;) {
        const uint64_t gate = atomic_load_explicit(&pool->gate, memory_order_acquire);
        if (atomic_load_explicit(&pool->stop, memory_order_relaxed))
            return NULL;
        if (!(gate & GATE_IDLE))
            help(pool, start->worker);
        else if (!spin_while(&pool->gate, NULL, gate, pool->idle_ns))
            sleep_while(pool, gate);
    }
}

static void join_workers(het__pool *pool)
{
    const uint64_t gate = atomic_load_explicit(&pool->gate, memory_order_relaxed);
    atomic_store_explicit(&pool->stop, true, memory_order_relaxed);
    leave_idle(pool, gate_of(gate_number(gate) + 1, GATE_CLOSED | GATE_IDLE));
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
    p->gate = gate_of(0, GATE_CLOSED | GATE_IDLE);
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
    help(pool, index);
}

static void run_region(het__pool *pool)
{
    const uint64_t gate = atomic_load_explicit(&pool->gate, memory_order_acquire);
    assert(gate & GATE_IDLE);
    leave_idle(pool, gate_of(gate_number(gate) + 1, 0));
    if (pool->parallel)
        pool->parallel(pool->parallel_user, pool->count, lent_task, pool);
    else
        help(pool, 0);
    assert(atomic_load_explicit(&pool->gate, memory_order_acquire) & GATE_IDLE);
}

void het__pool_run(het__pool *pool, het__pool_fn fn, void *arg)
{
    atomic_store_explicit(&pool->next, 0, memory_order_relaxed);
    if (pool->count == 1) {
        fn(arg, 0, 1);
        return;
    }
    atomic_store_explicit(&pool->ran, 0, memory_order_relaxed);
    pool->next_step = NULL;
    pool->fn = fn;
    pool->arg = arg;
    run_region(pool);
}

void het__pool_steps(het__pool *pool, het__pool_next_fn next, het__pool_fn fn, void *arg)
{
    if (!next(arg))
        return;
    assert(pool->count > 1);
    atomic_store_explicit(&pool->next, 0, memory_order_relaxed);
    het__share_learn(&pool->share, gate_number(atomic_load(&pool->gate)));
    pool->next_step = next;
    pool->fn = fn;
    pool->arg = arg;
    run_region(pool);
}

int64_t het__pool_take(het__pool *pool, int64_t chunk)
{
    return atomic_fetch_add_explicit(&pool->next, chunk, memory_order_relaxed);
}

het__share_step het__pool_enter(het__pool *pool, uint32_t worker, het__load load, int64_t tasks)
{
    const uint64_t gate = atomic_load_explicit(&pool->gate, memory_order_relaxed);
    return het__share_enter(&pool->share, worker, gate_number(gate), load, tasks);
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
        if (!spin_while(NULL, &pool->phase, phase, pool->barrier_ns))
            thrd_yield();
}
