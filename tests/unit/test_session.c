/* SPDX-License-Identifier: Apache-2.0 */
/* Sessions, sequences and steps on every device: however tokens are cut into steps and whoever
 * else is in them, the logits are the same. */
#include <hetinfer.h>

#include "lib/base/os.h"
#include "tiny_model.h"

#define VOCABULARY 120
#define LENGTH_MAX 200
#define TOLERANCE 5e-5 /* other orders of summation in F32, logits below 5 */

static const char *device;
static het_context *context;
static int32_t ids[LENGTH_MAX];

typedef struct loaded {
    tiny_model tiny;
    het_model *model;
} loaded;

static loaded llama, qwen;

static void load(loaded *l, const tiny_options *o)
{
    het_error err = HET_ERROR_INIT;
    tiny_make(&l->tiny, o);
    if (het_model_load_memory(context, l->tiny.file, l->tiny.bytes, NULL, &l->model, &err))
        TEST_FAIL("%s", err.message);
}

static void unload(loaded *l)
{
    het_model_destroy(l->model);
    tiny_free(&l->tiny);
}

static het_session_options defaults(void)
{
    het_session_options o = HET_SESSION_OPTIONS_INIT;
    o.devices = device;
    o.threads = 2;
    o.kv_dtype = HET_DTYPE_F32;
    o.context_max = LENGTH_MAX;
    o.logits_max = 32;
    o.batch_max = 64;
    return o;
}

static het_session *open_session(const loaded *l, const het_session_options *o)
{
    het_error err = HET_ERROR_INIT;
    het_session *s = NULL;
    if (het_session_create(l->model, o, &s, &err) != HET_OK)
        TEST_FAIL("%s", err.message);
    return s;
}

static het_sequence *open_sequence(het_session *s)
{
    het_sequence *q = NULL;
    CHECK_INT(het_sequence_create(s, &q, NULL), HET_OK);
    return q;
}

static void append(het_sequence *q, int from, int count, uint64_t flags)
{
    het_error err = HET_ERROR_INIT;
    if (het_sequence_append(q, ids + from, (size_t)count, flags, &err) != HET_OK)
        TEST_FAIL("append: %s", err.message);
}

/* Take what the last step made into rows[position], which marks them as seen. */
static void harvest(const het_sequence *q, float *rows, bool *seen)
{
    int64_t first = -1;
    uint32_t count = 0;
    const float *got = het_sequence_logits(q, &first, &count);
    for (uint32_t r = 0; got && r < count; r++) {
        CHECK(!seen[first + r]);
        seen[first + r] = true;
        memcpy(rows + (size_t)(first + r) * VOCABULARY, got + (size_t)r * VOCABULARY,
               VOCABULARY * sizeof *rows);
    }
}

static void step(het_session *s)
{
    het_error err = HET_ERROR_INIT;
    if (het_session_step(s, NULL, &err) != HET_OK)
        TEST_FAIL("step: %s", err.message);
}

static void run_all(het_session *s, het_sequence *q, float *rows, bool *seen)
{
    for (int i = 0; het_sequence_pending(q) > 0 && i < 2 * LENGTH_MAX; i++) {
        step(s);
        harvest(q, rows, seen);
    }
    CHECK_INT(het_sequence_pending(q), 0);
}

static double worst_of(const float *a, const float *b, int from, int to)
{
    double worst = 0;
    for (int i = from * VOCABULARY; i < to * VOCABULARY; i++) {
        const double d = fabs((double)a[i] - (double)b[i]);
        if (!(d <= worst))
            worst = isnan(d) ? INFINITY : d;
    }
    return worst;
}

/* The truth that others are compared with: all logits, token by token. */
static float *reference(const loaded *l, const het_session_options *o, int count)
{
    float *rows = calloc((size_t)LENGTH_MAX * VOCABULARY, sizeof *rows);
    bool seen[LENGTH_MAX] = { false };
    het_session *s = open_session(l, o);
    het_sequence *q = open_sequence(s);
    for (int i = 0; i < count; i++) {
        append(q, i, 1, 0);
        run_all(s, q, rows, seen);
        CHECK(seen[i]);
    }
    het_sequence_destroy(q);
    het_session_destroy(s);
    return rows;
}

static void chunks(void)
{
    static const int sizes[][4] = { { 1000, 1000, 1000, 1000 }, { 3, 1, 17, 2 }, { 63, 1, 64, 65 },
                                    { 64, 64, 64, 64 }, { 1, 130, 1, 7 } };
    het_session_options o = defaults();
    float *want = reference(&llama, &o, LENGTH_MAX);
    for (size_t c = 0; c < 5; c++)
        for (uint32_t logits_max = 1; logits_max <= 64; logits_max = logits_max * 4 + 1) {
            float *rows = calloc((size_t)LENGTH_MAX * VOCABULARY, sizeof *rows);
            bool seen[LENGTH_MAX] = { false };
            o.logits_max = logits_max;
            het_session *s = open_session(&llama, &o);
            het_sequence *q = open_sequence(s);
            for (int fed = 0, turn = 0; fed < LENGTH_MAX; turn++) {
                int n = sizes[c][turn % 4];
                n = n < LENGTH_MAX - fed ? n : LENGTH_MAX - fed;
                append(q, fed, n, HET_APPEND_LOGITS_ALL);
                fed += n;
                run_all(s, q, rows, seen);
            }
            for (int i = 0; i < LENGTH_MAX; i++)
                CHECK(seen[i]);
            CHECK_NEAR(worst_of(rows, want, 0, LENGTH_MAX), 0, TOLERANCE);
            het_sequence_destroy(q);
            het_session_destroy(s);
            free(rows);
        }
    free(want);
}

/* Which rows come out when some appends ask for all and some do not. */
static void mixed_flags(void)
{
    het_session_options o = defaults();
    o.batch_max = 7;
    o.logits_max = 3;
    float *want = reference(&llama, &o, 40), *rows = calloc(40 * VOCABULARY, sizeof *rows);
    bool seen[40] = { false };
    het_session *s = open_session(&llama, &o);
    het_sequence *q = open_sequence(s);
    append(q, 0, 10, 0);
    append(q, 10, 5, HET_APPEND_LOGITS_ALL);
    append(q, 15, 12, 0);
    append(q, 27, 4, HET_APPEND_LOGITS_ALL);
    append(q, 31, 9, 0);
    run_all(s, q, rows, seen);
    for (int i = 0; i < 40; i++) {
        const bool asked = (i >= 10 && i < 15) || (i >= 27 && i < 31) || i == 39;
        CHECK_INT(seen[i], asked);
        if (seen[i])
            CHECK_NEAR(worst_of(rows, want, i, i + 1), 0, TOLERANCE);
    }
    het_sequence_destroy(q);
    het_session_destroy(s);
    free(rows);
    free(want);
}

/* Flags that change all the time, all pending at once: rows of a step are neighbours. */
static void scattered_flags(void)
{
    het_session_options o = defaults();
    float *want = reference(&llama, &o, 60), *rows = calloc(60 * VOCABULARY, sizeof *rows);
    bool seen[60] = { false }, asked[60] = { false };
    uint64_t seed = 8;
    het_session *s = open_session(&llama, &o);
    het_sequence *q = open_sequence(s);
    for (int fed = 0; fed < 60;) {
        int n = 1 + (int)((test_random(&seed) >> 33) % 3);
        n = n < 60 - fed ? n : 60 - fed;
        const bool all = test_random(&seed) >> 40 & 1;
        append(q, fed, n, all ? HET_APPEND_LOGITS_ALL : 0);
        for (int i = 0; i < n; i++)
            asked[fed++] = all;
    }
    asked[59] = true;
    run_all(s, q, rows, seen);
    for (int i = 0; i < 60; i++) {
        CHECK_INT(seen[i], asked[i]);
        if (seen[i])
            CHECK_NEAR(worst_of(rows, want, i, i + 1), 0, TOLERANCE);
    }
    het_sequence_destroy(q);
    het_session_destroy(s);
    free(rows);
    free(want);
}

/* Sequences that begin at different tokens, are created and destroyed at different times. */
static void several_sequences(void)
{
    enum { COUNT = 4, EACH = 70 };
    het_session_options o = defaults();
    float *want[COUNT], *rows[COUNT];
    bool seen[COUNT][LENGTH_MAX];
    het_sequence *q[COUNT];
    int32_t kept[LENGTH_MAX];
    memset(seen, 0, sizeof seen);
    memcpy(kept, ids, sizeof kept);
    for (int i = 0; i < COUNT; i++) {
        memcpy(ids, kept + 10 * i, EACH * sizeof *ids);
        want[i] = reference(&llama, &o, EACH);
        rows[i] = calloc((size_t)LENGTH_MAX * VOCABULARY, sizeof **rows);
    }
    memcpy(ids, kept, sizeof ids);
    o.sequence_max = COUNT;
    o.batch_max = o.logits_max = 9;
    het_session *s = open_session(&llama, &o);
    for (int i = 0; i < COUNT; i++) {
        q[i] = open_sequence(s);
        append(q[i], 10 * i, 20 + 5 * i, HET_APPEND_LOGITS_ALL);
        for (int k = 0; k < i; k++) { /* the next ones come while these are under way */
            step(s);
            for (int j = 0; j <= i; j++)
                harvest(q[j], rows[j], seen[j]);
        }
    }
    het_sequence *more = NULL;
    CHECK_INT(het_sequence_create(s, &more, NULL), HET_E_BUSY);
    CHECK(!more);
    CHECK_INT(het_session_warmup(s, NULL), HET_E_BUSY);
    for (int i = 0; i < COUNT; i++)
        append(q[i], 10 * i + 20 + 5 * i, EACH - 20 - 5 * i, HET_APPEND_LOGITS_ALL);
    uint64_t pending = 1;
    for (int k = 0; pending > 0 && k < 400; k++) {
        CHECK_INT(het_session_step(s, &pending, NULL), HET_OK);
        for (int i = 0; i < COUNT; i++)
            harvest(q[i], rows[i], seen[i]);
    }
    for (int i = 0; i < COUNT; i++) {
        for (int k = 0; k < EACH; k++)
            CHECK(seen[i][k]);
        CHECK_NEAR(worst_of(rows[i], want[i], 0, EACH), 0, TOLERANCE);
        free(rows[i]);
    }
    /* One goes, its pages are used by another. */
    het_sequence_destroy(q[1]);
    q[1] = open_sequence(s);
    rows[1] = calloc((size_t)LENGTH_MAX * VOCABULARY, sizeof **rows);
    memset(seen[1], 0, sizeof seen[1]);
    append(q[1], 30, EACH, HET_APPEND_LOGITS_ALL);
    run_all(s, q[1], rows[1], seen[1]);
    CHECK_NEAR(worst_of(rows[1], want[3], 0, EACH), 0, TOLERANCE);
    free(rows[1]);
    for (int i = 0; i < COUNT; i++) {
        het_sequence_destroy(q[i]);
        free(want[i]);
    }
    het_session_destroy(s);
}

/* Cut back to every length near a page's edge and go on: like never having been longer. */
static void truncation(void)
{
    static const int lengths[] = { 0, 1, 62, 63, 64, 65, 66, 127, 128, 129, 150 };
    het_session_options o = defaults();
    het_error err = HET_ERROR_INIT;
    float *want = reference(&llama, &o, LENGTH_MAX);
    het_session *s = open_session(&llama, &o);
    het_sequence *q = open_sequence(s);
    for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++) {
        float *rows = calloc((size_t)LENGTH_MAX * VOCABULARY, sizeof *rows);
        bool seen[LENGTH_MAX] = { false };
        const int n = lengths[i];
        CHECK_INT(het_sequence_truncate(q, 0, NULL), HET_OK);
        append(q, 0, n ? n : 1, 0);
        run_all(s, q, rows, seen);
        append(q, 40, 30, 0); /* something else, partly run */
        step(s);
        append(q, 80, 10, 0);
        CHECK_INT(het_sequence_truncate(q, n, NULL), HET_OK);
        CHECK_INT(het_sequence_length(q), n);
        CHECK_INT(het_sequence_pending(q), 0);
        CHECK(het_sequence_logits(q, NULL, NULL) == NULL);
        memset(seen, 0, sizeof seen);
        append(q, n, LENGTH_MAX - n, HET_APPEND_LOGITS_ALL);
        run_all(s, q, rows, seen);
        CHECK_NEAR(worst_of(rows, want, n, LENGTH_MAX), 0, TOLERANCE);
        free(rows);
    }
    CHECK_INT(het_sequence_truncate(q, -1, &err), HET_E_INVALID);
    CHECK_INT(het_sequence_truncate(q, LENGTH_MAX + 1, &err), HET_E_INVALID);
    CHECK(strstr(err.message, "201") && strstr(err.message, "200"));
    het_sequence_destroy(q);
    het_session_destroy(s);
    free(want);
}

static void limits(void)
{
    het_error err = HET_ERROR_INIT;
    het_session_options o = defaults();
    o.context_max = 65;
    het_session *s = open_session(&llama, &o);
    het_sequence *q = open_sequence(s);
    CHECK_INT(het_sequence_append(q, ids, 66, 0, &err), HET_E_INVALID);
    CHECK(strstr(err.message, "context_max 65") != NULL);
    CHECK_INT(het_sequence_length(q), 0);
    append(q, 0, 65, 0);
    CHECK_INT(het_sequence_append(q, ids, 1, 0, &err), HET_E_INVALID);
    const int32_t bad[] = { 1, 2, VOCABULARY }, negative[] = { -1 };
    CHECK_INT(het_sequence_truncate(q, 0, NULL), HET_OK);
    CHECK_INT(het_sequence_append(q, bad, 3, 0, &err), HET_E_INVALID);
    CHECK(strstr(err.message, "token 2 is 120") != NULL);
    CHECK_INT(het_sequence_append(q, negative, 1, 0, &err), HET_E_INVALID);
    CHECK_INT(het_sequence_append(q, ids, 0, 0, &err), HET_E_INVALID);
    CHECK_INT(het_sequence_append(q, ids, 1, 2, &err), HET_E_VERSION);
    CHECK_INT(het_sequence_length(q), 0);
    uint64_t pending = 9;
    CHECK_INT(het_session_step(s, &pending, &err), HET_OK);
    CHECK_INT(pending, 0);
    CHECK(het_sequence_logits(q, NULL, NULL) == NULL);
    het_sequence_destroy(q);
    het_session_destroy(s);
}

/* ---- options ---- */

static void refuse(const het_session_options *o, het_status status, const char *names)
{
    het_error err = HET_ERROR_INIT;
    het_session *s = (het_session *)&err;
    const het_status got = het_session_create(llama.model, o, &s, &err);
    if (got != status || !strstr(err.message, names) || s)
        TEST_FAIL("got %s: \"%s\", want %s naming %s", het_status_name(got), err.message,
                  het_status_name(status), names);
    test_checks++;
    if (got == HET_OK)
        het_session_destroy(s);
}

static void options(void)
{
#define REFUSE(status, field, value)                     \
    do {                                                 \
        het_session_options o_ = defaults();             \
        o_.field = value;                                \
        refuse(&o_, status, #field);                     \
    } while (0)
    REFUSE(HET_E_INVALID, context_max, -1);
    REFUSE(HET_E_INVALID, context_max, 513);
    REFUSE(HET_E_INVALID, threads, 1000000);
    REFUSE(HET_E_INVALID, sequence_max, 5000);
    REFUSE(HET_E_INVALID, batch_max, 70000);
    REFUSE(HET_E_INVALID, logits_max, 65);
    REFUSE(HET_E_INVALID, kv_dtype, HET_DTYPE_Q4_0);
    REFUSE(HET_E_INVALID, kv_dtype, HET_DTYPE_Q8_0); /* heads of 16 */
    REFUSE(HET_E_INVALID, precision, 2);
#undef REFUSE
    het_session_options o = defaults();
    o.flags = UINT64_C(1) << 40;
    refuse(&o, HET_E_VERSION, "flag");
    o = defaults();
    o.reserved = 1;
    refuse(&o, HET_E_VERSION, "flag");
    o = defaults();
    o.devices = "abacus";
    refuse(&o, HET_E_INVALID, "abacus");
    het_session *s = NULL;
    CHECK_INT(het_session_create(NULL, NULL, &s, NULL), HET_E_INVALID);
    CHECK_INT(het_session_create(llama.model, NULL, NULL, NULL), HET_E_INVALID);
}

static void struct_sizes(void)
{
    struct { het_session_options o; uint64_t news; } newer = { defaults(), 0 };
    het_error err = HET_ERROR_INIT;
    het_session *s = NULL;
    newer.o.struct_size = sizeof newer;
    CHECK_INT(het_session_create(llama.model, &newer.o, &s, &err), HET_OK);
    het_session_destroy(s);
    newer.news = 1;
    CHECK_INT(het_session_create(llama.model, &newer.o, &s, &err), HET_E_VERSION);
    CHECK(strstr(err.message, "het_session_options") != NULL);
    het_session_options older = defaults();
    older.struct_size = offsetof(het_session_options, sequence_max);
    older.batch_max = older.logits_max = 1000000; /* not there for an older caller */
    CHECK_INT(het_session_create(llama.model, &older, &s, &err), HET_OK);
    het_session_destroy(s);
    older.struct_size = 0;
    CHECK_INT(het_session_create(llama.model, &older, &s, &err), HET_E_INVALID);
    het_session_options o = defaults();
    s = open_session(&llama, &o);
    het_telemetry t;
    memset(&t, 0x55, sizeof t);
    t.struct_size = offsetof(het_telemetry, prefill_token_count);
    CHECK_INT(het_telemetry_snapshot(s, &t), HET_OK);
    CHECK_INT(t.step_count, 0);
    CHECK_INT(t.prefill_token_count, 0x5555555555555555);
    t.struct_size = 3;
    CHECK_INT(het_telemetry_snapshot(s, &t), HET_E_INVALID);
    het_session_destroy(s);
}

/* ---- cancelling ---- */

typedef struct countdown {
    int left;
    double last;
    bool fell;
} countdown;

static int count_down(void *user, double fraction, const char *what)
{
    countdown *c = user;
    (void)what;
    c->fell = c->fell || fraction < c->last || fraction > 1;
    c->last = fraction;
    return c->left-- == 0;
}

static void cancel_progress(void)
{
    het_session_options o = defaults();
    int calls = 0;
    for (het_status s = HET_E_CANCELLED; s != HET_OK && calls < 100; calls++) {
        countdown c = { .left = calls };
        het_session *session = NULL;
        o.progress = count_down;
        o.progress_user = &c;
        s = het_session_create(llama.model, &o, &session, NULL);
        CHECK(s == HET_OK || s == HET_E_CANCELLED);
        CHECK(!c.fell);
        CHECK((session != NULL) == (s == HET_OK));
        if (s == HET_OK)
            CHECK_NEAR(c.last, 1, 0);
        het_session_destroy(session);
    }
    CHECK(calls > 4 && calls < 100);
}

static void *cancel_later(void *session)
{
    const uint64_t begin = het__now_ns();
    while (het__now_ns() - begin < 3000000) {
    }
    het_session_cancel(session);
    return NULL;
}

static void cancel_steps(void)
{
    het_session_options o = defaults();
    float *want = reference(&llama, &o, LENGTH_MAX);
    float *rows = calloc((size_t)LENGTH_MAX * VOCABULARY, sizeof *rows);
    bool seen[LENGTH_MAX] = { false };
    het_session *s = open_session(&llama, &o);
    het_sequence *q = open_sequence(s);
    het_error err = HET_ERROR_INIT;
    append(q, 0, 30, HET_APPEND_LOGITS_ALL);
    het_session_cancel(s);
    het_session_cancel(s);
    CHECK_INT(het_session_step(s, NULL, &err), HET_E_CANCELLED);
    CHECK_INT(het_sequence_pending(q), 30);
    CHECK(het_sequence_logits(q, NULL, NULL) == NULL);
    run_all(s, q, rows, seen); /* two calls stop one step */
    append(q, 30, LENGTH_MAX - 30, HET_APPEND_LOGITS_ALL);
    het__thread thread;
    CHECK(het__thread_start(&thread, cancel_later, s));
    int cancelled = 0;
    bool joined = false;
    for (int i = 0; i < 2000 && (het_sequence_pending(q) > 0 || !cancelled); i++) {
        const het_status st = het_session_step(s, NULL, &err);
        CHECK(st == HET_OK || st == HET_E_CANCELLED);
        cancelled += st == HET_E_CANCELLED;
        harvest(q, rows, seen);
        if (!joined && (het_sequence_pending(q) == 0 || i == 1000)) {
            het__thread_join(thread); /* steps that come later meet its call */
            joined = true;
        }
    }
    if (!joined)
        het__thread_join(thread);
    CHECK_INT(cancelled, 1);
    CHECK_NEAR(worst_of(rows, want, 0, LENGTH_MAX), 0, TOLERANCE);
    het_sequence_destroy(q);
    het_session_destroy(s);
    free(rows);
    free(want);
}

/* ---- the rest ---- */

static void warmup(void)
{
    het_session_options o = defaults();
    o.sequence_max = 2;
    het_session *s = open_session(&llama, &o);
    het_sequence *q = open_sequence(s);
    append(q, 0, 5, HET_APPEND_LOGITS_ALL);
    step(s);
    uint32_t rows = 0;
    int64_t first = 0;
    const float *before = het_sequence_logits(q, NULL, &rows);
    float *copy = malloc(5 * VOCABULARY * sizeof *copy);
    memcpy(copy, before, 5 * VOCABULARY * sizeof *copy);
    append(q, 5, 3, 0);
    het_telemetry t = { .struct_size = sizeof t }, u = t;
    CHECK_INT(het_telemetry_snapshot(s, &t), HET_OK);
    CHECK_INT(het_session_warmup(s, NULL), HET_OK);
    CHECK_INT(het_telemetry_snapshot(s, &u), HET_OK);
    CHECK_INT(u.step_count, t.step_count);
    CHECK_INT(u.prefill_token_count, t.prefill_token_count);
    CHECK_INT(u.decode_token_count, t.decode_token_count);
    CHECK_INT(u.sequence_count, 1);
    CHECK_INT(u.kv_used_bytes, t.kv_used_bytes);
    CHECK_INT(het_sequence_pending(q), 3);
    const float *after = het_sequence_logits(q, &first, &rows);
    CHECK_INT(rows, 5);
    CHECK_INT(first, 0);
    CHECK(after && memcmp(after, copy, 5 * VOCABULARY * sizeof *copy) == 0);
    free(copy);
    het_sequence_destroy(q);
    het_session_destroy(s);
    o.context_max = 1;
    s = open_session(&llama, &o);
    CHECK_INT(het_session_warmup(s, NULL), HET_OK);
    het_session_destroy(s);
}

static void telemetry(void)
{
    het_session_options o = defaults();
    o.sequence_max = 2;
    o.kv_dtype = HET_DTYPE_F16;
    het_session *s = open_session(&llama, &o);
    het_sequence *q = open_sequence(s), *r = open_sequence(s);
    het_telemetry t = { .struct_size = sizeof t }, u = t;
    CHECK_INT(het_telemetry_snapshot(s, &t), HET_OK);
    /* 2 sequences of 200 positions in pages of 64; 2 layers of keys and values, 2 heads of 16. */
    const uint64_t page = 64 * 2 * 2 * 2 * 16 * 2;
    CHECK_INT(t.kv_bytes, 8 * page);
    CHECK_INT(t.kv_used_bytes, 0);
    CHECK_INT(t.sequence_count, 2);
    CHECK(t.weight_bytes > 0 && t.activation_bytes > 0 && t.mapped_bytes <= t.weight_bytes);
    append(q, 0, 64, 0);
    append(r, 0, 65, 0);
    step(s);
    step(s);
    step(s);
    CHECK_INT(het_telemetry_snapshot(s, &t), HET_OK);
    CHECK_INT(t.kv_used_bytes, 3 * page);
    CHECK_INT(t.step_count, 3);
    /* The second step takes one token of each… the third is what is left. */
    CHECK_INT(t.prefill_token_count + t.decode_token_count, 129);
    for (int i = 0; i < 50; i++) {
        append(q, i, 1, 0);
        append(r, i, i % 7 ? 1 : 3, 0);
        step(s);
    }
    CHECK_INT(het_telemetry_snapshot(s, &u), HET_OK);
    CHECK_INT(u.allocation_count, t.allocation_count);
    CHECK(u.decode_token_count > t.decode_token_count && u.decode_ns > t.decode_ns);
    CHECK(u.prefill_token_count > t.prefill_token_count && u.prefill_ns > t.prefill_ns);
    CHECK_INT(het_sequence_truncate(r, 64, NULL), HET_OK);
    het_sequence_destroy(q);
    CHECK_INT(het_telemetry_snapshot(s, &u), HET_OK);
    CHECK_INT(u.kv_used_bytes, page);
    CHECK_INT(u.sequence_count, 1);
    het_sequence_destroy(r);
    het_session_destroy(s);
}

/* Two models of different families in one context, step by step in turns. */
static void two_models(void)
{
    het_session_options o = defaults();
    float *want[2] = { reference(&llama, &o, 100), reference(&qwen, &o, 100) };
    het_session *s[2] = { open_session(&llama, &o), open_session(&qwen, &o) };
    het_sequence *q[2] = { open_sequence(s[0]), open_sequence(s[1]) };
    float *rows[2];
    bool seen[2][LENGTH_MAX];
    memset(seen, 0, sizeof seen);
    for (int m = 0; m < 2; m++)
        rows[m] = calloc((size_t)LENGTH_MAX * VOCABULARY, sizeof **rows);
    for (int fed = 0; fed < 100; fed += 5)
        for (int m = 0; m < 2; m++) {
            append(q[m], fed, 5, HET_APPEND_LOGITS_ALL);
            step(s[m]);
            harvest(q[m], rows[m], seen[m]);
        }
    for (int m = 0; m < 2; m++) {
        CHECK_NEAR(worst_of(rows[m], want[m], 0, 100), 0, TOLERANCE);
        het_sequence_destroy(q[m]);
        het_session_destroy(s[m]);
        free(rows[m]);
    }
    CHECK(worst_of(want[0], want[1], 0, 100) > 0.5);
    free(want[0]);
    free(want[1]);
}

/* Context, model, session, sequence and plan given up in every order; each still works as long as
 * it is there. */
static void every_order(void)
{
    for (int order = 0; order < 120; order++) {
        int left[5] = { 0, 1, 2, 3, 4 }, n = order;
        het_context *c = NULL;
        het_model *m = NULL;
        het_session *s = NULL;
        het_sequence *q = NULL;
        het_plan *p = NULL;
        het_session_options o = defaults();
        o.threads = 1;
        CHECK_INT(het_context_create(NULL, &c, NULL), HET_OK);
        CHECK_INT(het_model_load_memory(c, llama.tiny.file, llama.tiny.bytes, NULL, &m, NULL),
                  HET_OK);
        CHECK_INT(het_session_create(m, &o, &s, NULL), HET_OK);
        CHECK_INT(het_sequence_create(s, &q, NULL), HET_OK);
        CHECK_INT(het_plan_make(m, NULL, &p, NULL), HET_OK);
        for (int k = 5; k > 0; k--) {
            const int at = n % k, which = left[at];
            n /= k;
            left[at] = left[k - 1];
            if (which == 0)
                het_context_destroy(c);
            else if (which == 1)
                het_model_destroy(m);
            else if (which == 2)
                het_session_destroy(s);
            else if (which == 3)
                het_sequence_destroy(q);
            else
                het_plan_destroy(p);
            s = which == 2 ? NULL : s;
            q = which == 3 ? NULL : q;
            p = which == 4 ? NULL : p;
            if (s && q)
                append(q, 0, 3, 0);
            if (s)
                step(s);
            if (q)
                CHECK(het_sequence_length(q) >= 0);
            if (p)
                CHECK(strncmp(het_plan_text(p), "plan 2\n", 7) == 0);
        }
    }
    het_context_destroy(NULL);
    het_model_destroy(NULL);
    het_session_destroy(NULL);
    het_sequence_destroy(NULL);
    het_plan_destroy(NULL);
}

static double difference(const tiny_options *a, const tiny_options *b, int from, int to)
{
    loaded x, y;
    het_session_options o = defaults();
    load(&x, a);
    load(&y, b);
    float *p = reference(&x, &o, to), *q = reference(&y, &o, to);
    const double d = worst_of(p, q, from, to);
    free(p);
    free(q);
    unload(&x);
    unload(&y);
    return d;
}

static void sliding_window(void)
{
    const tiny_options full = TINY_LLAMA;
    tiny_options narrow = full;
    narrow.window = 150;
    CHECK_NEAR(difference(&full, &narrow, 0, 150), 0, TOLERANCE);
    narrow.window = 40;
    CHECK_NEAR(difference(&full, &narrow, 0, 40), 0, TOLERANCE);
    CHECK(difference(&full, &narrow, 40, 60) > 1e-3);
}

static void state_types(void)
{
    het_session_options o = defaults();
    float *exact = reference(&qwen, &o, 150);
    o.kv_dtype = HET_DTYPE_F16;
    float *half = reference(&qwen, &o, 150);
    const double d = worst_of(exact, half, 0, 150);
    CHECK(d > 0 && d < 0.02);
    o.kv_dtype = HET_DTYPE_Q8_0;
    float *coarse = reference(&qwen, &o, 150);
    const double c = worst_of(exact, coarse, 0, 150);
    printf("keys and values: F16 %.2g, Q8_0 %.2g\n", d, c);
    CHECK(c > d && c < 0.32); /* sixteen times the steps of F16 */
    free(coarse);
    free(exact);
    free(half);
}

/* Block formats: chunked like one by one; weights read where they lie give the same. */
static void weight_types(void)
{
    static const uint32_t types[] = { GW_F16, GW_BF16, GW_Q8_0, GW_Q4_0, GW_Q4_1, GW_Q5_0,
                                      GW_Q4_K, GW_Q6_K };
    for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
        tiny_options t = TINY_LLAMA;
        loaded l;
        t.type = types[i];
        t.width = 256;
        t.ffn = 1024; /* large enough for 8-bit activations */
        t.head_size = 64;
        t.layers = 1;
        load(&l, &t);
        het_session_options o = defaults();
        float *want = reference(&l, &o, 40);
        o.precision = HET_PRECISION_EXACT;
        float *exact = reference(&l, &o, 40), *rows = calloc(40 * VOCABULARY, sizeof *rows);
        bool seen[40] = { false };
        o.flags = HET_SESSION_WEIGHTS_MAPPED;
        o.logits_max = 64;
        het_session *s = open_session(&l, &o);
        het_sequence *q = open_sequence(s);
        append(q, 0, 40, HET_APPEND_LOGITS_ALL);
        run_all(s, q, rows, seen);
        double largest = 0;
        for (int k = 0; k < 40 * VOCABULARY; k++)
            largest = fmax(largest, fabs((double)exact[k]));
        const double chunked = worst_of(rows, exact, 0, 40), fast = worst_of(want, exact, 0, 40);
        printf("%s type %2u: largest %.2f, mapped and chunked %.1e, fast %.1e\n", device, types[i],
               largest, chunked, fast);
        CHECK(largest > 0.1 && largest < 1000);
        CHECK(chunked <= 2e-5 * largest && fast <= 0.1 * largest);
        het_sequence_destroy(q);
        het_session_destroy(s);
        free(rows);
        free(want);
        free(exact);
        unload(&l);
    }
}

static void run_on_device(void)
{
    tiny_options o = TINY_LLAMA;
    load(&llama, &o);
    o.architecture = "qwen3";
    o.tied = true;
    o.head_size = 32;
    o.layers = 3;
    load(&qwen, &o);
    if (llama.model && qwen.model) {
        test_case(chunks);
        test_case(mixed_flags);
        test_case(scattered_flags);
        test_case(several_sequences);
        test_case(truncation);
        test_case(limits);
        test_case(options);
        test_case(struct_sizes);
        test_case(cancel_progress);
        test_case(cancel_steps);
        test_case(warmup);
        test_case(telemetry);
        test_case(two_models);
        test_case(every_order);
        test_case(sliding_window);
        test_case(state_types);
        test_case(weight_types);
    }
    unload(&llama);
    unload(&qwen);
}

int main(void)
{
    uint64_t seed = 4;
    for (int i = 0; i < LENGTH_MAX; i++)
        ids[i] = (int32_t)((test_random(&seed) >> 33) % VOCABULARY);
    CHECK_INT(het_context_create(NULL, &context, NULL), HET_OK);
    for (uint32_t i = 0; context && i < het_context_device_count(context); i++) {
        het_device_info info = { .struct_size = sizeof info };
        CHECK_INT(het_device_get_info(het_context_device(context, i), &info), HET_OK);
        device = info.backend;
        printf("on %s\n", device);
        run_on_device();
    }
    het_context_destroy(context);
    return test_finish();
}
