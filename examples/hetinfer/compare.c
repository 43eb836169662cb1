/* SPDX-License-Identifier: Apache-2.0 */
/* What a model lost: both read the same windows of a text, each of which starts with the
 * begin-of-sequence token where the model wants one, and their scores are compared row by row. The
 * last row of a window scores nothing, since what follows is in the next. */
#include "compare.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define WINDOW_MAX 512
#define CHUNK 64 /* tokens per step */

typedef struct pass {
    engine *engines[2];
    float *rows[2];  /* CHUNK rows of scores */
    double *logs[2]; /* of one row */
    size_t columns;
    comparison *sums;
    progress bar;
} pass;

/* Logarithms of the probabilities that a row gives; returns the index of the largest. */
static size_t log_softmax(const float *row, size_t columns, double *logs)
{
    size_t top = 0;
    double sum = 0;
    for (size_t i = 1; i < columns; i++)
        top = row[i] > row[top] ? i : top;
    for (size_t i = 0; i < columns; i++)
        sum += exp((double)row[i] - (double)row[top]);
    for (size_t i = 0; i < columns; i++)
        logs[i] = (double)row[i] - (double)row[top] - log(sum);
    return top;
}

static void score(pass *p, size_t row, int32_t next)
{
    size_t top[2];
    double divergence = 0;
    for (int k = 0; k < 2; k++) {
        top[k] = log_softmax(p->rows[k] + row * p->columns, p->columns, p->logs[k]);
        p->sums->nll[k] -= p->logs[k][next];
    }
    for (size_t i = 0; i < p->columns; i++)
        divergence += exp(p->logs[0][i]) * (p->logs[0][i] - p->logs[1][i]);
    p->sums->divergence += divergence;
    p->sums->same_top += top[0] == top[1];
    p->sums->scored++;
}

/* Scores of n tokens at `at` of a sequence, one row each. */
static int run_chunk(const pass *p, int k, het_sequence *sequence, const int32_t *ids, int64_t at,
                     size_t n)
{
    het_error err = HET_ERROR_INIT;
    uint64_t pending = 0;
    het_status status = het_sequence_append(sequence, ids, n, HET_APPEND_LOGITS_ALL, &err);
    do {
        if (!status)
            status = het_session_step(p->engines[k]->session, &pending, &err);
        if (status)
            return failure_of(status, &err);
        int64_t first = 0;
        uint32_t count = 0;
        const float *logits = het_sequence_logits(sequence, &first, &count);
        if (logits && (first < at || first + count > at + (int64_t)n))
            return failure("scores of positions that were not asked for");
        if (logits)
            memcpy(p->rows[k] + (size_t)(first - at) * p->columns, logits,
                   count * p->columns * sizeof *logits);
    } while (pending > 0);
    return STATUS_GO;
}

static int run_window(pass *p, const int32_t *ids, size_t count)
{
    het_sequence *sequences[2] = { NULL, NULL };
    het_error err = HET_ERROR_INIT;
    het_status made = HET_OK;
    for (int k = 0; k < 2 && !made; k++)
        made = het_sequence_create(p->engines[k]->session, &sequences[k], &err);
    int status = made ? failure_of(made, &err) : STATUS_GO;
    for (size_t at = 0; status == STATUS_GO && at < count; at += CHUNK) {
        const size_t n = count - at < CHUNK ? count - at : CHUNK;
        for (int k = 0; k < 2 && status == STATUS_GO; k++)
            status = run_chunk(p, k, sequences[k], ids + at, (int64_t)at, n);
        for (size_t r = 0; status == STATUS_GO && r < n && at + r + 1 < count; r++)
            score(p, r, ids[at + r + 1]);
    }
    het_sequence_destroy(sequences[0]);
    het_sequence_destroy(sequences[1]);
    return status;
}

static int run_windows(pass *p, const int32_t *ids, size_t count, size_t window)
{
    het_tokenizer_info t = { .struct_size = sizeof t, .bos_id = -1 };
    int32_t held[WINDOW_MAX];
    if (het_tokenizer_get_info(p->engines[0]->tokenizer, &t))
        return failure("the tokenizer does not describe itself");
    const size_t lead = t.adds_bos && t.bos_id >= 0 ? 1 : 0;
    int status = STATUS_GO;
    held[0] = t.bos_id;
    for (size_t at = 0; status == STATUS_GO && at < count;) {
        const size_t n = count - at < window - lead ? count - at : window - lead;
        memcpy(held + lead, ids + at, n * sizeof *ids);
        status = run_window(p, held, n + lead);
        at += n;
        if (progress_update(&p->bar, (double)at / (double)count, "comparing") && at < count)
            return failure("cancelled");
    }
    return status;
}

static int make_sessions(const pass *p, const settings *s, int64_t window)
{
    int status = STATUS_GO;
    for (int k = 0; k < 2 && status == STATUS_GO; k++) {
        het_session_options o = HET_SESSION_OPTIONS_INIT;
        o.context_max = window;
        o.batch_max = CHUNK;
        o.logits_max = CHUNK;
        status = engine_session(p->engines[k], s, &o);
    }
    return status;
}

static int compare_ids(pass *p, const settings *s, const int32_t *ids, size_t count)
{
    const int64_t most = p->engines[0]->info.context_max;
    const int64_t window = most > 1 && most < WINDOW_MAX ? most : WINDOW_MAX;
    const size_t n = p->columns = (size_t)p->engines[0]->info.vocabulary_size;
    bool whole = true;
    for (int k = 0; k < 2; k++) {
        p->rows[k] = calloc(CHUNK * n, sizeof *p->rows[k]);
        p->logs[k] = calloc(n, sizeof *p->logs[k]);
        whole = whole && p->rows[k] && p->logs[k];
    }
    int status = whole ? make_sessions(p, s, window) : failure("out of memory");
    progress_begin(&p->bar, s->quiet);
    if (status == STATUS_GO)
        status = run_windows(p, ids, count, (size_t)window);
    progress_end(&p->bar);
    for (int k = 0; k < 2; k++) {
        free(p->rows[k]);
        free(p->logs[k]);
    }
    return status;
}

int compare_models(engine *first, engine *second, const settings *s, const char *text_file,
                   comparison *result)
{
    pass p = { .engines = { first, second }, .sums = result };
    size_t bytes = 0, count = 0;
    int32_t *ids = NULL;
    *result = (comparison){ 0 };
    char *text = read_file(text_file, &bytes);
    if (!text)
        return STATUS_FAILED;
    int status = encode(first, text, bytes, 0, &ids, &count);
    if (status == STATUS_GO && first->info.vocabulary_size != second->info.vocabulary_size)
        status = failure("the models have different vocabularies");
    if (status == STATUS_GO)
        status = compare_ids(&p, s, ids, count);
    if (status == STATUS_GO && result->scored == 0)
        status = failure("%s: too short a text", text_file);
    if (status == STATUS_GO) {
        const double n = (double)result->scored;
        result->nll[0] /= n;
        result->nll[1] /= n;
        result->divergence /= n;
        result->same_top /= n;
    }
    free(ids);
    free(text);
    return status;
}
