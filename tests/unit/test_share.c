/* SPDX-License-Identifier: Apache-2.0 */
/* Sharing out tasks by speed, on made-up clocks: workers of a simulated machine take turns in the
 * order of their own time, so that how long a step takes is a count and not a measurement. Then
 * with threads: every task is taken once, whoever steals. */
#include "backends/cpu_onednn/pool.h"
#include "test.h"

#define WORKERS_MAX 22
#define TASKS_MAX 4096

static het__share share;
static het__mem mem;
static uint32_t number; /* of the step */
static int64_t steals; /* tasks that did not follow the one before */

static void open_share(uint32_t count)
{
    het_error err = HET_ERROR_INIT;
    het__mem_init(&mem, NULL);
    CHECK_INT(het__share_init(&share, &mem, count, &err), HET_OK);
}

static void close_share(void)
{
    het__share_finish(&share, &mem);
    CHECK_INT(mem.bytes, 0);
}

/* One step: a task costs worker w cost[w], and w begins late[w] after the others. Gives the time
 * at which the last task ends. */
static double simulate(int64_t tasks, const double *cost, const double *late, het__load load)
{
    static uint8_t taken[TASKS_MAX];
    het__share_step step[WORKERS_MAX];
    double clock[WORKERS_MAX], begin[WORKERS_MAX], end = 0;
    int64_t last[WORKERS_MAX], done[WORKERS_MAX] = { 0 };
    bool entered[WORKERS_MAX] = { false }, idle[WORKERS_MAX] = { false };
    memset(taken, 0, sizeof taken);
    number++;
    for (uint32_t w = 0; w < share.count; w++)
        begin[w] = clock[w] = late ? late[w] : 0;
    for (;;) {
        uint32_t next = share.count;
        for (uint32_t w = 0; w < share.count; w++)
            if (!idle[w] && (next == share.count || clock[w] < clock[next]))
                next = w;
        if (next == share.count)
            break;
        if (!entered[next]) {
            step[next] = het__share_enter(&share, next, number, load, tasks);
            entered[next] = true;
            last[next] = -1;
        }
        const int64_t t = het__share_take(&step[next]);
        if (t < 0) {
            idle[next] = true;
            het__share_note(&step[next], (double)done[next] * 1000,
                            (clock[next] - begin[next]) * 1000);
            continue;
        }
        CHECK(t < tasks && !taken[t]);
        taken[t]++;
        steals += last[next] >= 0 && t != last[next] + 1;
        last[next] = t;
        done[next]++;
        clock[next] += cost[next];
        end = clock[next] > end ? clock[next] : end;
    }
    for (int64_t t = 0; t < tasks; t++)
        CHECK_INT(taken[t], 1);
    return end;
}

/* The least time that any distribution of fractions of tasks could take. */
static double ideal(int64_t tasks, const double *cost)
{
    double rate = 0;
    for (uint32_t w = 0; w < share.count; w++)
        rate += 1 / cost[w];
    return (double)tasks / rate;
}

/* A machine whose speeds nobody knows yet, then after it has been seen at work. */
static void check_machine(const char *name, uint32_t workers, const double *cost, int64_t tasks)
{
    open_share(workers);
    const double best = ideal(tasks, cost);
    const double first = simulate(tasks, cost, NULL, HET__LOAD_STREAM);
    for (int i = 0; i < 20; i++) {
        het__share_learn(&share, number);
        simulate(tasks, cost, NULL, HET__LOAD_STREAM);
    }
    het__share_learn(&share, number);
    steals = 0;
    const double later = simulate(tasks, cost, NULL, HET__LOAD_STREAM);
    printf("%s: %.3f of the ideal at first, %.3f once known, with %d steals\n", name,
           first / best, later / best, (int)steals);
    if (first > best * 1.12)
        TEST_FAIL("%s: the first step takes %g, ideal %g", name, first, best);
    if (later > best * 1.08)
        TEST_FAIL("%s: a later step takes %g, ideal %g", name, later, best);
    if (steals > (int64_t)workers * 2)
        TEST_FAIL("%s: %d steals by %u workers", name, (int)steals, workers);
    close_share();
}

static void machines_are_balanced(void)
{
    double cost[WORKERS_MAX];
    for (int w = 0; w < WORKERS_MAX; w++)
        cost[w] = 1;
    check_machine("two alike", 2, cost, 64);
    cost[1] = 3;
    check_machine("one of two 3 times slower", 2, cost, 64);
    cost[0] = 3, cost[1] = 1;
    check_machine("the caller 3 times slower", 2, cost, 64);
    cost[0] = 1, cost[2] = 3;
    check_machine("one of four 3 times slower", 4, cost, 128);
    for (int w = 0; w < 14; w++)
        cost[w] = w < 6 ? 1 : 1.8;
    check_machine("six fast, eight slow", 14, cost, 448);
    for (int w = 14; w < WORKERS_MAX; w++)
        cost[w] = w < 16 ? 5 : 2.2;
    check_machine("four kinds", 22, cost, 704);
}

/* A worker that starts late, or not before the others have ended, costs no more than its part. */
static void late_workers_are_helped(void)
{
    const double cost[3] = { 1, 1, 1 }, late[3] = { 0, 60, 0 }, never[3] = { 0, 0, 1e9 };
    open_share(3);
    const double end = simulate(96, cost, late, HET__LOAD_COMPUTE);
    if (end > 64)
        TEST_FAIL("one late worker of three: %g, ideal 60", end);
    const double without = simulate(96, cost, never, HET__LOAD_COMPUTE);
    if (without > 50)
        TEST_FAIL("two workers of three: %g, ideal 48", without);
    close_share();
}

/* The two kinds of load have speeds of their own, and one slow step changes little. */
static void speeds_are_steady(void)
{
    const double even[2] = { 1, 1 }, hiccup[2] = { 1, 50 }, slow[2] = { 1, 3 };
    open_share(2);
    for (int i = 0; i < 20; i++, het__share_learn(&share, number)) {
        simulate(200, even, NULL, HET__LOAD_STREAM);
        simulate(200, slow, NULL, HET__LOAD_COMPUTE);
    }
    CHECK_INT(share.slots[1].cut[HET__LOAD_STREAM], 32768);
    const uint32_t cut = share.slots[1].cut[HET__LOAD_COMPUTE];
    if (cut < 46000 || cut > 52000)
        TEST_FAIL("cut at %u of 65536, want about 49152", cut);
    simulate(200, hiccup, NULL, HET__LOAD_STREAM);
    het__share_learn(&share, number);
    const uint32_t moved = share.slots[1].cut[HET__LOAD_STREAM];
    if (moved < 32768 || moved > 36000)
        TEST_FAIL("one slow step moves the cut from 32768 to %u", moved);
    close_share();
}

/* Steps of no task, of one, of fewer than workers; and more steps than a range has numbers for. */
static void few_tasks(void)
{
    double cost[5] = { 1, 1, 1, 1, 1 };
    open_share(5);
    for (int64_t tasks = 0; tasks < 12; tasks++)
        simulate(tasks, cost, NULL, HET__LOAD_STREAM);
    close_share();
    open_share(2);
    for (int i = 0; i < 70000; i++)
        simulate(i % 3, cost, NULL, HET__LOAD_STREAM);
    close_share();
}

/* A worker that is away for longer than ranges have numbers. */
static void workers_come_back(void)
{
    const double cost[2] = { 1, 1 }, away[2] = { 0, 1e9 };
    open_share(2);
    for (int i = 0; i < 3; i++) {
        simulate(64, cost, NULL, HET__LOAD_STREAM);
        for (int j = 0; j < 65535; j++) {
            het__share_learn(&share, number);
            simulate(1, cost, away, HET__LOAD_STREAM);
        }
    }
    close_share();
}

/* ---- with threads ---- */

#define THREADS 5
#define STEPS 200

typedef struct job {
    het__pool *pool;
    int step;
    int64_t cells[TASKS_MAX]; /* plain: two takers of a task would race */
} job;

static job threaded;

static int64_t tasks_of(int step)
{
    return 1 + step * 37 % 500;
}

static bool next_step(void *arg)
{
    job *j = arg;
    if (j->step >= 0)
        for (int64_t t = 0; t < TASKS_MAX; t++)
            if ((j->cells[t] & 1) != (t < tasks_of(j->step)))
                TEST_FAIL("step %d is over, task %d is %" PRId64, j->step, (int)t, j->cells[t]);
    memset(j->cells, 0, sizeof j->cells);
    return ++j->step < STEPS;
}

/* Worker 0 spins longer in every task, so that the others steal from it. */
static void run_step(void *arg, uint32_t worker, uint32_t count)
{
    job *j = arg;
    (void)count;
    const het__load load = j->step % 2 ? HET__LOAD_STREAM : HET__LOAD_COMPUTE;
    const het__share_step step = het__pool_enter(j->pool, worker, load, tasks_of(j->step));
    int64_t done = 0;
    for (int64_t t = het__share_take(&step); t >= 0; t = het__share_take(&step), done++) {
        j->cells[t]++;
        for (volatile int i = 0; i < (worker ? 20 : 400); i = i + 1)
            continue;
    }
    het__share_note(&step, (double)done, worker ? 2e5 : 6e5);
}

static void threads_take_every_task_once(void)
{
    het_error err = HET_ERROR_INIT;
    het__mem_init(&mem, NULL);
    const het__pool_options options = { .threads = THREADS };
    CHECK_INT(het__pool_create(&mem, &options, &threaded.pool, &err), HET_OK);
    for (int i = 0; i < 20; i++) {
        threaded.step = -1;
        het__pool_steps(threaded.pool, next_step, run_step, &threaded);
        CHECK_INT(threaded.step, STEPS);
    }
    het__pool_destroy(threaded.pool);
    CHECK_INT(mem.bytes, 0);
}

/* An application that runs the threads of a region one after the other. */
static void one_by_one(void *user, uint32_t count, het_task_fn task, void *arg)
{
    ++*(int *)user;
    for (uint32_t i = 0; i < count; i++)
        task(arg, i);
}

static void lent_threads_need_not_meet(void)
{
    het_error err = HET_ERROR_INIT;
    int calls = 0;
    het__mem_init(&mem, NULL);
    const het__pool_options options = { .threads = THREADS, .parallel = one_by_one,
                                        .parallel_user = &calls };
    CHECK_INT(het__pool_create(&mem, &options, &threaded.pool, &err), HET_OK);
    threaded.step = -1;
    het__pool_steps(threaded.pool, next_step, run_step, &threaded);
    CHECK_INT(threaded.step, STEPS);
    CHECK_INT(calls, 1);
    het__pool_destroy(threaded.pool);
    CHECK_INT(mem.bytes, 0);
}

int main(void)
{
    test_case(machines_are_balanced);
    test_case(late_workers_are_helped);
    test_case(speeds_are_steady);
    test_case(few_tasks);
    test_case(workers_come_back);
    test_case(threads_take_every_task_once);
    test_case(lent_threads_need_not_meet);
    return test_finish();
}
