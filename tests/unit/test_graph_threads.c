/* SPDX-License-Identifier: Apache-2.0 */
/* Networks on several threads: sessions of one model run at the same time, each with threads of
 * its own, and give the bits that one thread alone gives; another thread cancels. For thread
 * sanitizers as much as for the results. */
#include <hetinfer.h>

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdbool.h>

#include "test.h"

#define ROWS 3
#define PIXELS 64
#define CLASSES 10
#define SESSIONS 3
#define RUNS 6

static het_context *context;
static het_model *model;
static float images[ROWS * PIXELS];

static bool run(het_session *s, int64_t rows, float *scores, het_error *err)
{
    het_tensor in = HET_TENSOR_INIT, out = HET_TENSOR_INIT;
    in.desc.dtype = HET_DTYPE_F32;
    in.desc.rank = 4;
    in.desc.extent[0] = rows;
    in.desc.extent[1] = 1;
    in.desc.extent[2] = in.desc.extent[3] = 8;
    in.data = images;
    in.size_bytes = sizeof images;
    out.data = scores;
    out.size_bytes = ROWS * CLASSES * sizeof *scores;
    return het_session_bind_input(s, "image", &in, err) == HET_OK &&
           het_session_bind_output(s, "scores", &out, err) == HET_OK &&
           het_session_run(s, err) == HET_OK;
}

static het_session *open_session(uint32_t threads)
{
    het_error err = HET_ERROR_INIT;
    het_session_options o = HET_SESSION_OPTIONS_INIT;
    het_session *s = NULL;
    o.threads = threads;
    if (het_session_create(model, &o, &s, &err) != HET_OK)
        TEST_FAIL("%s", err.message);
    return s;
}

typedef struct worker {
    pthread_t thread;
    float scores[ROWS + 1][ROWS * CLASSES]; /* by the number of images */
    char failure[256];
} worker;

/* Batches of every size, so that forms are compiled while others run. */
static void *work(void *user)
{
    worker *w = user;
    het_error err = HET_ERROR_INIT;
    het_session *s = open_session(2);
    for (int i = 0; s && i < RUNS; i++)
        if (!run(s, 1 + i % ROWS, w->scores[1 + i % ROWS], &err)) {
            snprintf(w->failure, sizeof w->failure, "%s", err.message);
            break;
        }
    het_session_destroy(s);
    return NULL;
}

static void sessions_at_once(void)
{
    static worker workers[SESSIONS];
    float want[ROWS + 1][ROWS * CLASSES];
    het_error err = HET_ERROR_INIT;
    memset(workers, 0, sizeof workers);
    memset(want, 0, sizeof want);
    het_session *s = open_session(1);
    for (int rows = 1; s && rows <= ROWS; rows++)
        CHECK(run(s, rows, want[rows], &err));
    het_session_destroy(s);
    for (int i = 0; i < SESSIONS; i++)
        CHECK_INT(pthread_create(&workers[i].thread, NULL, work, &workers[i]), 0);
    for (int i = 0; i < SESSIONS; i++) {
        CHECK_INT(pthread_join(workers[i].thread, NULL), 0);
        CHECK_STR(workers[i].failure, "");
        CHECK(memcmp(workers[i].scores, want, sizeof want) == 0);
    }
    CHECK(want[ROWS][0] != want[ROWS][CLASSES]);
}

/* ---- cancelling ---- */

typedef struct canceller {
    het_session *session;
    _Atomic bool stop;
} canceller;

static void *cancel(void *user)
{
    canceller *c = user;
    while (!atomic_load(&c->stop)) {
        het_session_cancel(c->session);
        sched_yield();
    }
    return NULL;
}

/* A run is whole or cancelled, and the session works afterwards. */
static void cancelled_from_outside(void)
{
    static float scores[ROWS * CLASSES];
    pthread_t thread;
    canceller c = { .session = open_session(2) };
    if (!c.session)
        return;
    het_error err = HET_ERROR_INIT;
    CHECK(run(c.session, ROWS, scores, &err));
    CHECK_INT(pthread_create(&thread, NULL, cancel, &c), 0);
    for (int i = 0; i < 20; i++)
        if (!run(c.session, ROWS, scores, &err))
            CHECK_INT(err.status, HET_E_CANCELLED);
    atomic_store(&c.stop, true);
    CHECK_INT(pthread_join(thread, NULL), 0);
    (void)run(c.session, ROWS, scores, &err); /* takes what was still asked for */
    CHECK(run(c.session, ROWS, scores, &err));
    het_session_destroy(c.session);
}

/* A trip count of 2^62, over what is given and over constants: making the session ends by itself,
 * a run when it is told to. */
static void endless_loops_are_cancelled(void)
{
    static const char *const names[] = { "loop_for_ever", "loop_of_constants" };
    for (size_t n = 0; n < sizeof names / sizeof names[0]; n++) {
        char path[512], file[128];
        pthread_t thread;
        het_error err = HET_ERROR_INIT;
        het_tensor in = HET_TENSOR_INIT;
        snprintf(file, sizeof file, "fuzz/corpora/graph/%s", names[n]);
        CHECK_INT(het_model_load(context, test_source_path(path, sizeof path, file), NULL, &model,
                                 &err), HET_OK);
        canceller c = { .session = open_session(2) };
        in.desc.dtype = HET_DTYPE_F32;
        in.desc.rank = 2;
        in.desc.extent[0] = 1;
        in.desc.extent[1] = 3;
        in.data = images;
        in.size_bytes = sizeof images;
        CHECK_INT(het_session_bind_input(c.session, "x", &in, &err), HET_OK);
        CHECK_INT(pthread_create(&thread, NULL, cancel, &c), 0);
        CHECK_INT(het_session_run(c.session, &err), HET_E_CANCELLED);
        atomic_store(&c.stop, true);
        CHECK_INT(pthread_join(thread, NULL), 0);
        het_session_destroy(c.session);
        het_model_destroy(model);
    }
}

int main(void)
{
    static const char *const names[] = { "digits-conv", "digits-conv-int8", "digits-vit" };
    char path[512], file[128];
    het_error err = HET_ERROR_INIT;
    uint64_t seed = 5;
    for (int i = 0; i < ROWS * PIXELS; i++)
        images[i] = test_random_float(&seed) / 2 + 0.5f;
    CHECK_INT(het_context_create(NULL, &context, &err), HET_OK);
    for (size_t n = 0; n < sizeof names / sizeof names[0]; n++) {
        snprintf(file, sizeof file, "examples/models/%s.onnx", names[n]);
        CHECK_INT(het_model_load(context, test_source_path(path, sizeof path, file), NULL, &model,
                                 &err), HET_OK);
        printf("%s\n", names[n]);
        test_case(sessions_at_once);
        test_case(cancelled_from_outside);
        het_model_destroy(model);
    }
    test_case(endless_loops_are_cancelled);
    het_context_destroy(context);
    return test_finish();
}
