/* SPDX-License-Identifier: Apache-2.0 */
/* Scaled rotation against the logits that the authors' classes computed (tests/models/turns.py),
 * beyond the context that the models were made for: at once, as a prompt that the engine takes
 * apart, token by token and in parts, from folders and from GGUF files made of them; two sequences
 * on both sides of the switch in one step, and one that is cut back behind it. The bound is 1e-4 of
 * the range of the logits.
 *
 *     test_turns DEVICES */
#define _XOPEN_SOURCE 700 /* mkdtemp */
#include <hetinfer/quantize.h>

#include "folder.h"
#include "golden/feed.h"

#define VOCABULARY 64
#define POSITIONS 56
#define ORIGINAL 32
#define TABLE (POSITIONS * VOCABULARY)
#define BOUND 1e-4

static test_folder folder;
static int32_t ids[POSITIONS];
static const char *devices;
static const size_t one[] = { 1 }, all[] = { POSITIONS }, parts[] = { 5, 29, 1, 8, 13 };

/* Tables that are not there are left alone. */
static bool read_table(const char *name, const char *kind, float *table)
{
    char file[160], path[512];
    size_t bytes = 0;
    snprintf(file, sizeof file, "tests/models/reference/turns/%s/%s.npy", name, kind);
    FILE *f = fopen(test_source_path(path, sizeof path, file), "rb");
    if (!f)
        return false;
    fclose(f);
    unsigned char *raw = test_read_file(path, &bytes);
    const size_t head = 10 + (size_t)raw[8] + 256 * (size_t)raw[9];
    memcpy(table, raw + head, bytes - head);
    free(raw);
    return true;
}

typedef struct wanted {
    float whole[TABLE], single[TABLE], chunks[TABLE];
} wanted;

/* Rows of a sequence that is not longer than the original context are those of short.npy. */
static void read_wanted(const char *name, wanted *w)
{
    static float less[TABLE];
    CHECK(read_table(name, "whole", w->whole));
    memcpy(w->single, w->whole, sizeof w->single);
    memcpy(w->chunks, w->whole, sizeof w->chunks);
    if (read_table(name, "short", less)) {
        memcpy(w->single, less, ORIGINAL * VOCABULARY * sizeof *less);
        memcpy(w->chunks, less, parts[0] * VOCABULARY * sizeof *less);
    }
    read_table(name, "single", w->single);
    read_table(name, "chunks", w->chunks);
}

static double range_of(const float *x)
{
    float least = x[0], most = x[0];
    for (size_t i = 1; i < TABLE; i++) {
        least = fminf(least, x[i]);
        most = fmaxf(most, x[i]);
    }
    return (double)(most - least);
}

static het_session *open_with(const het_model *model, uint32_t batch, uint32_t sequences)
{
    het_error err = HET_ERROR_INIT;
    het_session *s = NULL;
    het_session_options o = HET_SESSION_OPTIONS_INIT;
    o.kv_dtype = HET_DTYPE_F32;
    o.devices = devices;
    o.precision = HET_PRECISION_EXACT;
    o.batch_max = o.logits_max = batch;
    o.sequence_max = sequences;
    o.context_max = 64;
    o.threads = 1;
    const het_status status = het_session_create(model, &o, &s, &err);
    if (status == HET_E_INVALID && strstr(err.message, "has no device"))
        test_skip(err.message); /* the processor lacks the instructions */
    if (status != HET_OK)
        TEST_FAIL("%s", err.message);
    return s;
}

static het_model *load(const char *path)
{
    het_error err = HET_ERROR_INIT;
    het_context *context = NULL;
    het_model *model = NULL;
    CHECK_INT(het_context_create(NULL, &context, NULL), HET_OK);
    if (het_model_load(context, path, NULL, &model, &err) != HET_OK)
        TEST_FAIL("%s: %s", path, err.message);
    het_context_destroy(context);
    return model;
}

static void check_near(const char *name, const char *what, double off, double bound)
{
    if (!(off <= bound))
        TEST_FAIL("%s, %s: off by %.2e, bound %.2e", name, what, off, bound);
    else
        printf("%-18s %-8s %.2e (bound %.2e)\n", name, what, off, bound);
}

/* Rows of one step of a sequence against rows of a table. */
static double compare(const het_sequence *q, const float *want, int64_t first_wanted)
{
    int64_t first = -1;
    uint32_t rows = 0;
    deviation d = { 0 };
    const float *logits = het_sequence_logits(q, &first, &rows);
    CHECK(logits && first == first_wanted);
    if (!logits || first < 0 || first + rows > POSITIONS)
        return INFINITY;
    deviation_add(&d, logits, want + first * VOCABULARY, rows * VOCABULARY);
    return d.most;
}

/* One sequence crosses the switch while another stays before it; then it is cut back. */
static double together(const het_model *model, const wanted *w)
{
    het_session *s = open_with(model, 64, 2);
    het_sequence *a = NULL, *b = NULL;
    double worst = 0;
    CHECK_INT(het_sequence_create(s, &a, NULL), HET_OK);
    CHECK_INT(het_sequence_create(s, &b, NULL), HET_OK);
    CHECK_INT(het_sequence_append(a, ids, ORIGINAL, 0, NULL), HET_OK);
    CHECK_INT(het_session_step(s, NULL, NULL), HET_OK);
    worst = fmax(worst, compare(a, w->single, ORIGINAL - 1));
    CHECK_INT(het_sequence_append(a, ids + ORIGINAL, 1, 0, NULL), HET_OK);
    CHECK_INT(het_sequence_append(b, ids, 4, HET_APPEND_LOGITS_ALL, NULL), HET_OK);
    CHECK_INT(het_session_step(s, NULL, NULL), HET_OK);
    worst = fmax(worst, compare(a, w->single, ORIGINAL));
    worst = fmax(worst, compare(b, w->single, 0));
    CHECK_INT(het_sequence_truncate(a, 9, NULL), HET_OK);
    CHECK_INT(het_sequence_append(a, ids + 9, 3, HET_APPEND_LOGITS_ALL, NULL), HET_OK);
    CHECK_INT(het_session_step(s, NULL, NULL), HET_OK);
    worst = fmax(worst, compare(a, w->single, 9));
    het_sequence_destroy(a);
    het_sequence_destroy(b);
    het_session_destroy(s);
    return worst;
}

static void check_model(const char *name, const char *path, const wanted *w)
{
    het_model *model = load(path);
    const double bound = BOUND * range_of(w->whole);
    het_session *s = open_with(model, 64, 1), *few = open_with(model, 7, 1);
    check_near(name, "whole", feed(s, ids, POSITIONS, w->whole, VOCABULARY, all, 1), bound);
    check_near(name, "single", feed(s, ids, POSITIONS, w->single, VOCABULARY, one, 1), bound);
    check_near(name, "parts", feed(s, ids, POSITIONS, w->chunks, VOCABULARY, parts, 5), bound);
    check_near(name, "batches", feed(few, ids, POSITIONS, w->whole, VOCABULARY, all, 1), bound);
    check_near(name, "together", together(model, w), bound);
    het_session_destroy(s);
    het_session_destroy(few);
    het_model_destroy(model);
}

static void check_gguf(const char *name, const char *path, const wanted *w, bool can)
{
    het_error err = HET_ERROR_INIT;
    het_model *model = load(path);
    het_quantization *report = NULL;
    het_quantize_options o = HET_QUANTIZE_OPTIONS_INIT;
    const char *file = test_folder_file(&folder, "f.gguf");
    o.type = HET_DTYPE_BF16;
    const het_status s = het_quantize(model, &o, file, &report, &err);
    if (s != (can ? HET_OK : HET_E_UNSUPPORTED))
        TEST_FAIL("%s as GGUF: %s", name, err.message);
    else if (can)
        check_model(name, file, w);
    het_quantization_destroy(report);
    het_model_destroy(model);
    test_folder_empty(&folder);
}

int main(int argc, char **argv)
{
    static const struct { const char *name; bool gguf; } cases[] = {
        { "llama-dynamic", false }, /* which GGUF cannot say */
        { "llama-linear", true },
        { "llama-yarn", true },
        { "phi3-longrope", true },
        { "phimoe-longrope", false }, /* nor two magnitudes */
        { "qwen2-yarn", true },
    };
    static wanted w;
    devices = argc > 1 ? argv[1] : NULL;
    skip_absent_level(devices);
    test_folder_make(&folder);
    for (int i = 0; i < POSITIONS; i++)
        ids[i] = (i * 37 + 11) % (VOCABULARY - 8);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char file[128], path[512];
        snprintf(file, sizeof file, "tests/models/reference/turns/%s", cases[i].name);
        test_source_path(path, sizeof path, file);
        read_wanted(cases[i].name, &w);
        check_model(cases[i].name, path, &w);
        check_gguf(cases[i].name, path, &w, cases[i].gguf);
    }
    test_folder_remove(&folder);
    return test_finish();
}
