/* SPDX-License-Identifier: Apache-2.0 */
/* A model spread over sessions of some layers each: hidden rows go from one to the next, and the
 * last has the logits of the whole, token by token, after a truncation and in other pieces too. */
#include <hetinfer.h>

#include <stdbool.h>

#include "tiny_model.h"

#define LENGTH 40
#define PARTS_MAX 4

static het_context *context;
static het_model *model;
static tiny_model tiny;

typedef struct part {
    het_session *session;
    het_sequence *other; /* stands before it in every step */
    het_sequence *sequence;
} part;

static het_status open_part(part *p, uint32_t first, uint32_t count, const char *devices,
                            het_error *err)
{
    het_session_options o = HET_SESSION_OPTIONS_INIT;
    o.context_max = 64;
    o.sequence_max = 3; /* one for warm-ups */
    o.batch_max = 32;
    o.logits_max = 32;
    o.kv_dtype = HET_DTYPE_F32;
    o.precision = HET_PRECISION_EXACT;
    o.threads = 1;
    o.devices = devices;
    o.layer_first = first;
    o.layer_count = count;
    het_status s = het_session_create(model, &o, &p->session, err);
    if (s == HET_OK)
        s = het_sequence_create(p->session, &p->other, err);
    return s == HET_OK ? het_sequence_create(p->session, &p->sequence, err) : s;
}

static void close_part(part *p)
{
    het_sequence_destroy(p->sequence);
    het_sequence_destroy(p->other);
    het_session_destroy(p->session);
}

/* One step of every part over these tokens; the logits of the last. */
static const float *step(part *parts, uint32_t count, const int32_t *ids, size_t n)
{
    het_error err = HET_ERROR_INIT;
    int64_t first = -1, at = het_sequence_length(parts[0].sequence);
    uint32_t rows = 0;
    uint64_t pending = 1;
    het_status s = het_sequence_append(parts[0].sequence, ids, n, HET_APPEND_LOGITS_ALL, &err);
    if (s == HET_OK)
        s = het_sequence_append(parts[0].other, ids, 1, 0, &err);
    for (uint32_t p = 0; p < count && s == HET_OK; p++) {
        s = het_session_step(parts[p].session, &pending, &err);
        CHECK_INT(pending, 0);
        if (p + 1 == count || s != HET_OK)
            break;
        CHECK(het_sequence_logits(parts[p].sequence, NULL, NULL) == NULL);
        const float *hidden = het_sequence_hidden(parts[p].sequence, &first, &rows);
        CHECK(hidden != NULL);
        CHECK_INT(first, at);
        CHECK_INT(rows, n);
        const float *beside = het_sequence_hidden(parts[p].other, NULL, NULL);
        CHECK(beside != NULL);
        if (beside)
            s = het_sequence_append_hidden(parts[p + 1].other, beside, 1, 0, &err);
        if (hidden && s == HET_OK)
            s = het_sequence_append_hidden(parts[p + 1].sequence, hidden, rows,
                                           HET_APPEND_LOGITS_ALL, &err);
    }
    if (s != HET_OK)
        TEST_FAIL("%s", err.message);
    CHECK(het_sequence_hidden(parts[count - 1].sequence, NULL, NULL) == NULL);
    const float *logits = het_sequence_logits(parts[count - 1].sequence, &first, &rows);
    CHECK_INT(first, at);
    CHECK_INT(rows, n);
    return logits;
}

/* Pieces of a prompt, single tokens, then the end once more after a truncation. */
static void run_all(part *parts, uint32_t count, float *rows)
{
    static const size_t pieces[] = { 16, 9, 1, 1, 7, 1 };
    const uint32_t vocabulary = tiny.o.vocabulary;
    het_error err = HET_ERROR_INIT;
    int32_t ids[LENGTH];
    size_t at = 0;
    for (int i = 0; i < LENGTH; i++)
        ids[i] = i * 37 % 120;
    for (size_t i = 0; i < sizeof pieces / sizeof pieces[0]; i++) {
        const float *logits = step(parts, count, ids + at, pieces[i]);
        if (logits)
            memcpy(rows + at * vocabulary, logits, pieces[i] * vocabulary * sizeof *rows);
        at += pieces[i];
        if (i == 1)
            for (uint32_t p = 0; p < count; p++)
                CHECK_INT(het_session_warmup(parts[p].session, &err), HET_OK);
    }
    for (uint32_t p = 0; p < count; p++)
        CHECK_INT(het_sequence_truncate(parts[p].sequence, 30, &err), HET_OK);
    const float *logits = step(parts, count, ids + 30, 10);
    if (logits)
        memcpy(rows + 30 * vocabulary, logits, 10 * vocabulary * sizeof *rows);
}

static void compare_with_whole(const char *architecture, const char *devices, double tolerance)
{
    static const uint32_t cuts[][PARTS_MAX + 1] = {
        { 1, 4 }, { 3, 4 }, { 2, 3, 4 }, { 1, 2, 3, 4 },
    };
    tiny_options o = TINY_LLAMA;
    o.architecture = architecture;
    o.layers = 4;
    het_error err = HET_ERROR_INIT;
    tiny_make(&tiny, &o);
    CHECK_INT(het_model_load_memory(context, tiny.file, tiny.bytes, NULL, &model, &err), HET_OK);
    const size_t count = LENGTH * (size_t)o.vocabulary;
    float *want = calloc(count, sizeof *want), *got = calloc(count, sizeof *got);
    part whole = { NULL, NULL, NULL };
    CHECK_INT(open_part(&whole, 0, 0, devices, &err), HET_OK);
    run_all(&whole, 1, want);
    het_telemetry all = { .struct_size = sizeof all };
    CHECK_INT(het_telemetry_snapshot(whole.session, &all), HET_OK);
    close_part(&whole);
    for (size_t c = 0; c < sizeof cuts / sizeof cuts[0]; c++) {
        part parts[PARTS_MAX] = { { NULL, NULL, NULL } };
        uint32_t first = 0, n = 0;
        uint64_t kv = 0;
        while (n == 0 || cuts[c][n - 1] < 4) {
            if (open_part(&parts[n], first, cuts[c][n] - first, devices, &err) != HET_OK)
                TEST_FAIL("%s", err.message);
            het_telemetry t = { .struct_size = sizeof t };
            CHECK_INT(het_telemetry_snapshot(parts[n].session, &t), HET_OK);
            kv += t.kv_bytes;
            CHECK(t.weight_bytes < all.weight_bytes);
            first = cuts[c][n++];
        }
        CHECK_INT(kv, all.kv_bytes); /* each has those of its layers */
        memset(got, 0, count * sizeof *got);
        run_all(parts, n, got);
        double worst = 0;
        for (size_t i = 0; i < count; i++)
            worst = fmax(worst, fabs((double)got[i] - (double)want[i]));
        CHECK_NEAR(worst, 0, tolerance);
        CHECK(want[count - 1] != 0);
        for (uint32_t p = 0; p < n; p++)
            close_part(&parts[p]);
    }
    free(want);
    free(got);
    het_model_destroy(model);
    tiny_free(&tiny);
}

static void parts_make_the_whole(void)
{
    compare_with_whole("llama", "ref", 0);
    compare_with_whole("qwen3", "ref", 0);
    compare_with_whole("llama", NULL, 1e-5);
}

static void wrong_use_is_refused(void)
{
    tiny_options o = TINY_LLAMA;
    het_error err = HET_ERROR_INIT;
    const float rows[64] = { 0 };
    const int32_t id = 1;
    part p = { NULL, NULL, NULL };
    tiny_make(&tiny, &o);
    CHECK_INT(het_model_load_memory(context, tiny.file, tiny.bytes, NULL, &model, &err), HET_OK);
    CHECK_INT(open_part(&p, 2, 0, "ref", &err), HET_E_INVALID);
    CHECK(strstr(err.message, "layer_first") != NULL);
    CHECK_INT(open_part(&p, 1, 2, "ref", &err), HET_E_INVALID);
    CHECK(strstr(err.message, "layer_count") != NULL);
    CHECK_INT(open_part(&p, 1, 1, "ref", &err), HET_OK);
    CHECK_INT(het_sequence_append(p.sequence, &id, 1, 0, &err), HET_E_INVALID);
    CHECK_INT(het_sequence_append_hidden(p.sequence, rows, 65, 0, &err), HET_E_INVALID);
    CHECK_INT(het_sequence_append_hidden(p.sequence, rows, 1, 2, &err), HET_E_VERSION);
    CHECK(het_sequence_hidden(p.sequence, NULL, NULL) == NULL);
    close_part(&p);
    p = (part){ NULL, NULL, NULL };
    CHECK_INT(open_part(&p, 0, 1, "ref", &err), HET_OK);
    CHECK_INT(het_sequence_append_hidden(p.sequence, rows, 1, 0, &err), HET_E_INVALID);
    CHECK_INT(het_sequence_append(p.sequence, &id, 1, 0, &err), HET_OK);
    close_part(&p);
    het_model_destroy(model);
    tiny_free(&tiny);
}

int main(void)
{
    het_error err = HET_ERROR_INIT;
    CHECK_INT(het_context_create(NULL, &context, &err), HET_OK);
    test_case(parts_make_the_whole);
    test_case(wrong_use_is_refused);
    het_context_destroy(context);
    return test_finish();
}
