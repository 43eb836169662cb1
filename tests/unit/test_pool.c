/* SPDX-License-Identifier: Apache-2.0 */
/* The CPU backend's thread pool: everybody runs, tasks are shared out once, nobody passes a
 * barrier early, and sleeping threads wake. Plain variables are used on purpose: a missing order
 * between threads is a race that the thread sanitizer reports. */
#include "backends/cpu_onednn/pool.h"
#include "lib/base/os.h"
#include "test.h"

#include <threads.h>

#define THREADS_MAX 5
#define TASKS 1000
#define ROUNDS 50

typedef struct job {
    het__pool *pool;
    int64_t cells[TASKS]; /* one writer per step */
    int64_t sums[THREADS_MAX][ROUNDS];
    uint32_t ran[THREADS_MAX];
    uint32_t counts[THREADS_MAX];
} job;

static job shared;

/* Each round adds to every cell once, and sums all of them after the barrier. */
static void rounds_region(void *arg, uint32_t worker, uint32_t count)
{
    job *j = arg;
    j->ran[worker]++;
    j->counts[worker] = count;
    for (int r = 0; r < ROUNDS; r++) {
        for (int64_t t = het__pool_take(j->pool, 7); t < TASKS; t = het__pool_take(j->pool, 7))
            for (int64_t i = t; i < t + 7 && i < TASKS; i++)
                j->cells[i] += i + r;
        het__pool_barrier(j->pool);
        j->sums[worker][r] = 0;
        for (int64_t i = 0; i < TASKS; i++)
            j->sums[worker][r] += j->cells[i];
        het__pool_barrier(j->pool);
    }
}

static void open_pool(het__mem *mem, uint32_t threads)
{
    het_error err = HET_ERROR_INIT;
    het__mem_init(mem, NULL);
    memset(&shared, 0, sizeof shared);
    const het__pool_options options = { .threads = threads };
    CHECK_INT(het__pool_create(mem, &options, &shared.pool, &err), HET_OK);
    CHECK_INT(het__pool_count(shared.pool), threads);
}

static void close_pool(het__mem *mem)
{
    het__pool_destroy(shared.pool);
    CHECK_INT(mem->bytes, 0);
}

static void steps_are_ordered(void)
{
    for (uint32_t threads = 1; threads <= THREADS_MAX; threads++) {
        het__mem mem;
        open_pool(&mem, threads);
        const uint64_t count = mem.count;
        het__pool_run(shared.pool, rounds_region, &shared);
        CHECK_INT(mem.count, count);
        for (uint32_t w = 0; w < threads; w++) {
            CHECK_INT(shared.ran[w], 1);
            CHECK_INT(shared.counts[w], threads);
            int64_t want = 0;
            for (int r = 0; r < ROUNDS; r++) {
                want += (int64_t)TASKS * (TASKS - 1) / 2 + (int64_t)TASKS * r;
                CHECK_INT(shared.sums[w][r], want);
            }
        }
        close_pool(&mem);
    }
}

static void short_region(void *arg, uint32_t worker, uint32_t count)
{
    job *j = arg;
    (void)count;
    j->ran[worker]++;
    for (int64_t t = het__pool_take(j->pool, 1); t < 10; t = het__pool_take(j->pool, 1))
        j->cells[t]++;
}

static void regions_follow_each_other(void)
{
    het__mem mem;
    open_pool(&mem, 3);
    for (int i = 1; i <= 2000; i++) {
        het__pool_run(shared.pool, short_region, &shared);
        for (int t = 0; t < 10; t++)
            if (shared.cells[t] != i)
                TEST_FAIL("cell %d = %" PRId64 ", want %d", t, shared.cells[t], i);
    }
    for (int w = 0; w < 3; w++)
        CHECK_INT(shared.ran[w], 2000);
    close_pool(&mem);
}

/* Longer than threads spin. */
static void sleepers_wake(void)
{
    het__mem mem;
    open_pool(&mem, 2);
    for (int i = 0; i < 20; i++) {
        thrd_sleep(&(struct timespec){ 0, 1000000 }, NULL);
        het__pool_run(shared.pool, short_region, &shared);
    }
    CHECK_INT(shared.ran[0], 20);
    CHECK_INT(shared.ran[1], 20);
    CHECK_INT(shared.cells[9], 20);
    close_pool(&mem);
}

static void unused_pools_close(void)
{
    for (int i = 0; i < 50; i++) {
        het__mem mem;
        open_pool(&mem, 1 + (uint32_t)i % THREADS_MAX);
        close_pool(&mem);
    }
    het__pool_destroy(NULL);
}

static void *refuse(void *user, size_t bytes, size_t align)
{
    int *left = user;
    return (*left)-- > 0 ? aligned_alloc(align, het__round_up(bytes, align)) : NULL;
}

static void release(void *user, void *ptr, size_t bytes, size_t align)
{
    (void)user;
    (void)bytes;
    (void)align;
    free(ptr);
}

static void failures_leave_nothing(void)
{
    for (int allowed = 0; allowed < 2; allowed++) {
        int left = allowed;
        const het_allocator allocator = { sizeof allocator, 0, &left, refuse, release };
        het__mem mem;
        het__mem_init(&mem, &allocator);
        het__pool *pool = NULL;
        het_error err = HET_ERROR_INIT;
        const het__pool_options options = { .threads = 2 };
        CHECK_INT(het__pool_create(&mem, &options, &pool, &err), HET_E_NOMEM);
        CHECK(pool == NULL);
        CHECK_INT(mem.bytes, 0);
    }
}

#define BARRIERS 500

static void barriers_region(void *arg, uint32_t worker, uint32_t count)
{
    job *j = arg;
    (void)worker;
    (void)count;
    for (int i = 0; i < BARRIERS; i++)
        het__pool_barrier(j->pool);
}

/* A figure to read, not a check: other load decides it. */
static void barrier_cost(void)
{
    het__mem mem;
    open_pool(&mem, 2);
    uint64_t best = UINT64_MAX;
    for (int i = 0; i < 100; i++) {
        const uint64_t begin = het__now_ns();
        het__pool_run(shared.pool, barriers_region, &shared);
        const uint64_t ns = het__now_ns() - begin;
        best = ns < best ? ns : best;
    }
    printf("barrier of 2 threads: %.0f ns\n", (double)best / BARRIERS);
    CHECK(best > 0);
    close_pool(&mem);
}

int main(void)
{
    test_case(steps_are_ordered);
    test_case(regions_follow_each_other);
    test_case(sleepers_wake);
    test_case(unused_pools_close);
    test_case(failures_leave_nothing);
    test_case(barrier_cost);
    return test_finish();
}
