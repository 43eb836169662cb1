/* SPDX-License-Identifier: Apache-2.0 */
/* Feeding token ids to a session and comparing logits: shared by the golden tests. */
#ifndef HETINFER_TEST_FEED_H
#define HETINFER_TEST_FEED_H

#include <stdbool.h>

#include <hetinfer.h>

#include "test.h"

/* How far logits are from the wanted ones. */
typedef struct deviation {
    size_t rows, count;
    double most, squares;
} deviation;

static inline void deviation_add(deviation *d, const float *a, const float *b, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        const double e = fabs((double)a[i] - (double)b[i]);
        if (!(e <= d->most))
            d->most = e;
        d->squares += e * e;
    }
    d->count += n;
}

static inline double deviation_rms(const deviation *d)
{
    return d->count ? sqrt(d->squares / (double)d->count) : 0;
}

/* Feed ids in chunks of these sizes (repeating) and compare every row of logits with the wanted
 * ones. */
static inline void feed_all(het_session *session, const int32_t *ids, size_t count,
                            const float *want, size_t vocabulary, const size_t *sizes,
                            size_t size_count, deviation *out)
{
    het_sequence *q = NULL;
    size_t fed = 0, seen = 0, turn = 0;
    CHECK_INT(het_sequence_create(session, &q, NULL), HET_OK);
    while (q && fed < count) {
        size_t n = sizes[turn++ % size_count];
        n = n < count - fed ? n : count - fed;
        CHECK_INT(het_sequence_append(q, ids + fed, n, HET_APPEND_LOGITS_ALL, NULL), HET_OK);
        fed += n;
        while (het_sequence_pending(q) > 0) {
            int64_t first = -1;
            uint32_t rows = 0;
            het_error err = HET_ERROR_INIT;
            if (het_session_step(session, NULL, &err) != HET_OK) {
                TEST_FAIL("step: %s", err.message);
                het_sequence_destroy(q);
                out->most = INFINITY;
                return;
            }
            const float *logits = het_sequence_logits(q, &first, &rows);
            CHECK(logits && (size_t)first == seen && seen + rows <= count);
            if (!logits || (size_t)first != seen || seen + rows > count)
                break;
            deviation_add(out, logits, want + seen * vocabulary, rows * vocabulary);
            seen += rows;
        }
    }
    CHECK_INT(seen, count);
    het_sequence_destroy(q);
}

/* The same; returns the largest difference. */
static inline double feed(het_session *session, const int32_t *ids, size_t count,
                          const float *want, size_t vocabulary, const size_t *sizes,
                          size_t size_count)
{
    deviation d = { 0 };
    feed_all(session, ids, count, want, vocabulary, sizes, size_count, &d);
    return d.most;
}

typedef struct text_sink {
    char text[8192];
    size_t bytes;
} text_sink;

static inline int text_collect(void *user, const char *text, size_t bytes)
{
    text_sink *s = user;
    if (s->bytes + bytes >= sizeof s->text)
        return 1;
    memcpy(s->text + s->bytes, text, bytes + 1);
    s->bytes += bytes;
    return 0;
}

/* A level that HETINFER_CPU_LEVEL forces may be none of this processor's: nothing to test then.
 * Without the variable a device that is missing is a failure like any other. */
static inline void skip_absent_level(const char *devices)
{
    const char *level = getenv("HETINFER_CPU_LEVEL");
    het_context_options o = HET_CONTEXT_OPTIONS_INIT;
    o.backends = devices;
    het_context *context = NULL;
    if (level && devices && het_context_create(&o, &context, NULL) == HET_E_INVALID) {
        char reason[128];
        snprintf(reason, sizeof reason, "this processor does not have the level %s", level);
        test_skip(reason);
    }
    het_context_destroy(context);
}

static inline het_session *open_session(const char *model_path, const char *devices,
                                        uint32_t precision)
{
    het_error err = HET_ERROR_INIT;
    het_context *context = NULL;
    het_model *model = NULL;
    het_session *session = NULL;
    het_session_options o = HET_SESSION_OPTIONS_INIT;
    o.kv_dtype = HET_DTYPE_F32;
    o.devices = devices;
    o.precision = precision;
    o.batch_max = 64;
    o.logits_max = 48;
    het_status s = het_context_create(NULL, &context, &err);
    if (s == HET_OK)
        s = het_model_load(context, model_path, NULL, &model, &err);
    if (s == HET_OK)
        s = het_session_create(model, &o, &session, &err);
    if (s == HET_E_INVALID && strstr(err.message, "has no device"))
        test_skip(err.message); /* the processor lacks the instructions */
    if (s != HET_OK)
        TEST_FAIL("%s: %s", model_path, err.message);
    het_model_destroy(model);
    het_context_destroy(context);
    return session;
}

#endif /* HETINFER_TEST_FEED_H */
