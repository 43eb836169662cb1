/* SPDX-License-Identifier: Apache-2.0 */
/* A session's threads: any number of them, pinned or the application's own, gives the same bits. */
#define _GNU_SOURCE
#include <hetinfer.h>

#include <dirent.h>
#include <pthread.h>
#include <sched.h>

#include "lib/base/cpus.h"
#include "tiny_model.h"

#define VOCABULARY 120
#define PROMPT 150
#define BATCH 64
#define DECODED 20
#define THREADS_MAX 8

static het_context *context;
static het_model *model;
static float want[2][DECODED + 1][VOCABULARY];

/* A prompt of several steps, then token by token; the last logits of each part. */
static void run(const het_session_options *o, float logits[DECODED + 1][VOCABULARY])
{
    het_error err = HET_ERROR_INIT;
    het_session *s = NULL;
    het_sequence *q = NULL;
    if (het_session_create(model, o, &s, &err) != HET_OK)
        TEST_FAIL("%s", err.message);
    CHECK_INT(het_sequence_create(s, &q, &err), HET_OK);
    int32_t ids[PROMPT];
    for (int i = 0; i < PROMPT; i++)
        ids[i] = i * 7 % VOCABULARY;
    CHECK_INT(het_sequence_append(q, ids, PROMPT, 0, &err), HET_OK);
    for (int i = 0; i <= DECODED; i++) {
        for (uint64_t left = 1; left;)
            CHECK_INT(het_session_step(s, &left, &err), HET_OK);
        const float *row = het_sequence_logits(q, NULL, NULL);
        CHECK(row != NULL);
        memcpy(logits[i], row, VOCABULARY * sizeof *row);
        const int32_t id = i * 11 % VOCABULARY;
        CHECK_INT(het_sequence_append(q, &id, 1, 0, &err), HET_OK);
    }
    het_sequence_destroy(q);
    het_session_destroy(s);
}

static het_session_options options(uint32_t threads, uint32_t precision)
{
    het_session_options o = HET_SESSION_OPTIONS_INIT;
    o.threads = threads;
    o.precision = precision;
    o.batch_max = BATCH;
    o.devices = "cpu_onednn";
    return o;
}

static void check_same(const het_session_options *o, const char *what)
{
    static float got[DECODED + 1][VOCABULARY];
    run(o, got);
    for (int i = 0; i <= DECODED; i++)
        if (memcmp(got[i], want[o->precision][i], sizeof got[i]) != 0)
            TEST_FAIL("%s, %u threads, precision %u: logits %d differ", what, o->threads,
                      o->precision, i);
}

static void any_number_of_threads(void)
{
    for (uint32_t p = HET_PRECISION_FAST; p <= HET_PRECISION_EXACT; p++) {
        const het_session_options one = options(1, p);
        run(&one, want[p]);
        CHECK(want[p][0][0] != want[p][1][0]);
        for (uint32_t threads = 1; threads <= THREADS_MAX; threads++) {
            const het_session_options o = options(threads, p);
            check_same(&o, "own threads");
        }
    }
}

/* ---- pinned ---- */

typedef struct watch {
    cpu_set_t own;
    uint32_t pinned, free; /* threads of this process, by how many processors they may use */
} watch;

static int look(void *user, double done, const char *what)
{
    watch *w = user;
    (void)what;
    if (done < 1.0)
        return 0;
    w->pinned = w->free = 0;
    CPU_ZERO(&w->own);
    CHECK_INT(sched_getaffinity(0, sizeof w->own, &w->own), 0);
    DIR *tasks = opendir("/proc/self/task");
    for (struct dirent *e; tasks && (e = readdir(tasks)) != NULL;) {
        cpu_set_t set;
        if (e->d_name[0] == '.' ||
            sched_getaffinity((pid_t)atoi(e->d_name), sizeof set, &set) != 0)
            continue;
        w->pinned += CPU_COUNT(&set) == 1;
        w->free += CPU_COUNT(&set) > 1;
    }
    if (tasks)
        closedir(tasks);
    return 0;
}

/* Sanitizers have threads of their own, so free ones are not counted exactly. */
static void pinned_threads(void)
{
    het__cpus cpus;
    het__cpus_get(&cpus);
    cpu_set_t before, after;
    CHECK_INT(sched_getaffinity(0, sizeof before, &before), 0);
    for (uint32_t threads = 1; threads <= 4; threads++) {
        watch w;
        het_session_options o = options(threads, HET_PRECISION_FAST);
        o.flags = HET_SESSION_PIN_THREADS;
        o.progress = look;
        o.progress_user = &w;
        check_same(&o, "pinned threads");
        CHECK(CPU_EQUAL(&w.own, &before));
        const uint32_t most = cpus.count - 1;
        if (cpus.count > 1)
            CHECK_INT(w.pinned, threads - 1 < most ? threads - 1 : most);
    }
    CHECK_INT(sched_getaffinity(0, sizeof after, &after), 0);
    CHECK(CPU_EQUAL(&before, &after));
}

/* ---- the application's threads ---- */

/* Threads of a host that wait for work; the caller is not one of them. */
typedef struct host {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    pthread_t threads[THREADS_MAX];
    het_task_fn task;
    void *arg;
    uint32_t count, given, done;
    uint64_t calls;
    bool stop;
} host;

static void *host_main(void *user)
{
    host *h = user;
    pthread_mutex_lock(&h->lock);
    for (;;) {
        while (!h->stop && h->given == h->count)
            pthread_cond_wait(&h->changed, &h->lock);
        if (h->stop)
            break;
        const uint32_t index = h->given++;
        pthread_mutex_unlock(&h->lock);
        h->task(h->arg, index);
        pthread_mutex_lock(&h->lock);
        if (++h->done == h->count)
            pthread_cond_broadcast(&h->changed);
    }
    pthread_mutex_unlock(&h->lock);
    return NULL;
}

static void host_parallel(void *user, uint32_t count, het_task_fn task, void *arg)
{
    host *h = user;
    pthread_mutex_lock(&h->lock);
    h->task = task;
    h->arg = arg;
    h->count = count;
    h->given = h->done = 0;
    h->calls++;
    pthread_cond_broadcast(&h->changed);
    while (h->done < h->count)
        pthread_cond_wait(&h->changed, &h->lock);
    h->given = h->count = 0;
    pthread_mutex_unlock(&h->lock);
}

/* A pool that is too busy to run two at once. */
static void one_by_one(void *user, uint32_t count, het_task_fn task, void *arg)
{
    ++*(uint64_t *)user;
    for (uint32_t i = count; i-- > 0;)
        task(arg, i);
}

static uint32_t threads_of_process(void)
{
    uint32_t count = 0;
    DIR *tasks = opendir("/proc/self/task");
    for (struct dirent *e; tasks && (e = readdir(tasks)) != NULL;)
        count += e->d_name[0] != '.';
    if (tasks)
        closedir(tasks);
    return count;
}

static int count_threads(void *user, double done, const char *what)
{
    (void)done;
    (void)what;
    *(uint32_t *)user = threads_of_process();
    return 0;
}

static void application_threads(void)
{
    host h = { .stop = false };
    pthread_mutex_init(&h.lock, NULL);
    pthread_cond_init(&h.changed, NULL);
    for (int i = 0; i < THREADS_MAX; i++)
        CHECK_INT(pthread_create(&h.threads[i], NULL, host_main, &h), 0);
    const uint32_t before = threads_of_process();
    for (uint32_t threads = 1; threads <= THREADS_MAX; threads++) {
        uint32_t during = 0;
        het_session_options o = options(threads, threads % 2 ? 0 : HET_PRECISION_EXACT);
        o.parallel = host_parallel;
        o.parallel_user = &h;
        o.progress = count_threads;
        o.progress_user = &during;
        const uint64_t calls = h.calls;
        check_same(&o, "the application's threads");
        CHECK_INT(during, before);
        CHECK(threads == 1 ? h.calls == calls : h.calls > calls + DECODED);
    }
    pthread_mutex_lock(&h.lock);
    h.stop = true;
    pthread_cond_broadcast(&h.changed);
    pthread_mutex_unlock(&h.lock);
    for (int i = 0; i < THREADS_MAX; i++)
        pthread_join(h.threads[i], NULL);
    pthread_cond_destroy(&h.changed);
    pthread_mutex_destroy(&h.lock);
}

static void application_without_threads(void)
{
    uint64_t calls = 0;
    het_session_options o = options(4, HET_PRECISION_FAST);
    o.parallel = one_by_one;
    o.parallel_user = &calls;
    check_same(&o, "one after the other");
    CHECK(calls > DECODED);
}

static void options_that_exclude_each_other(void)
{
    het_error err = HET_ERROR_INIT;
    het_session *s = NULL;
    het_session_options o = options(2, HET_PRECISION_FAST);
    o.parallel = host_parallel;
    o.flags = HET_SESSION_PIN_THREADS;
    CHECK_INT(het_session_create(model, &o, &s, &err), HET_E_INVALID);
    CHECK(strstr(err.message, "PIN_THREADS") != NULL);
    CHECK(s == NULL);
}

int main(void)
{
    het_error err = HET_ERROR_INIT;
    /* Large enough for programs that do not run on the calling thread alone. */
    tiny_options o = TINY_LLAMA;
    o.width = 256;
    o.ffn = 512;
    o.heads = 8;
    o.kv_heads = 4;
    o.head_size = 32;
    o.type = GW_Q4_0;
    tiny_model tiny;
    tiny_make(&tiny, &o);
    if (het_context_create(NULL, &context, &err) != HET_OK ||
        het_model_load_memory(context, tiny.file, tiny.bytes, NULL, &model, &err) != HET_OK)
        TEST_FAIL("%s", err.message);
    test_case(any_number_of_threads);
    test_case(pinned_threads);
    test_case(application_threads);
    test_case(application_without_threads);
    test_case(options_that_exclude_each_other);
    het_model_destroy(model);
    het_context_destroy(context);
    tiny_free(&tiny);
    return test_finish();
}
