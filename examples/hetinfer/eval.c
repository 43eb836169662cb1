/* SPDX-License-Identifier: Apache-2.0 */
/* hetinfer eval: what the model thinks of tokens that are given.
 *
 * Row p holds the scores of what follows position p, so the row of the last position is written but
 * not scored, and the first token is never scored. A text longer than the context is cut into
 * windows; each starts a new sequence (with the begin-of-sequence token where the model wants one),
 * goes back by context - stride tokens for something to look at, and adds the rows that are new:
 *
 *     tokens    0 1 2 3 4 5 6 7 8 9        context 6, stride 4
 *     window 1  [r r r r r r]
 *     window 2          [. . r r r r]      '.': read again, not counted again
 */
#include "commands.h"
#include "common.h"
#include "interrupt.h"
#include "npy.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Rows of logits kept at once, in bytes: enough to fill a step, little beside a model. */
#define LOGITS_BYTES (64.0 * 1024 * 1024)

typedef struct request {
    const char *ids, *text, *logits;
    int64_t stride;
    bool no_bos, special;
    settings settings;
} request;

typedef struct evaluation {
    const engine *engine;
    const int32_t *ids;
    size_t count;
    size_t done;        /* rows emitted: positions [0, done) */
    size_t chunk;       /* tokens per step */
    double nll;         /* sum over scored tokens, natural logarithm */
    size_t scored;
    npy npy;            /* file NULL: no logits wanted */
    progress bar;
} evaluation;

/* -log of the probability that a row gives to a token. */
static double surprise(const float *row, size_t columns, int32_t id)
{
    double maximum = row[0], sum = 0.0;
    for (size_t i = 1; i < columns; i++)
        maximum = row[i] > maximum ? row[i] : maximum;
    for (size_t i = 0; i < columns; i++)
        sum += exp((double)row[i] - maximum);
    return log(sum) + maximum - (double)row[id];
}

/* Rows [first, first + rows) of the text; those that are known already are passed over. */
static int take_rows(evaluation *v, const float *logits, int64_t first, uint32_t rows)
{
    const size_t columns = (size_t)v->engine->info.vocabulary_size;
    for (uint32_t r = 0; r < rows; r++) {
        const int64_t position = first + r;
        if (position < (int64_t)v->done)
            continue;
        const float *row = logits + (size_t)r * columns;
        if (v->npy.file && !npy_append(&v->npy, row, 1))
            return failure("cannot write the logits: %s", strerror(errno));
        v->done = (size_t)position + 1;
        if (v->done == v->count)
            continue;
        const int32_t next = v->ids[v->done];
        if (next < 0 || (size_t)next >= columns)
            return failure("token %d is outside the vocabulary", (int)next);
        v->nll += surprise(row, columns, next);
        v->scored++;
    }
    progress_update(&v->bar, (double)v->done / (double)v->count, "evaluating");
    return STATUS_GO;
}

/* Run what is pending. shift: position of the sequence minus position in the text. */
static int run_steps(evaluation *v, het_sequence *sequence, int64_t shift)
{
    uint64_t pending = 0;
    do {
        het_error err = HET_ERROR_INIT;
        const het_status status = het_session_step(v->engine->session, &pending, &err);
        if (status)
            return failure_of(status, &err);
        int64_t first = 0;
        uint32_t rows = 0;
        const float *logits = het_sequence_logits(sequence, &first, &rows);
        const int taken = logits ? take_rows(v, logits, first - shift, rows) : STATUS_GO;
        if (taken != STATUS_GO)
            return taken;
    } while (pending > 0);
    return STATUS_GO;
}

/* One sequence over ids[start, end), led by the token bos if it is not negative. */
static int run_window(evaluation *v, size_t start, size_t end, int32_t bos)
{
    het_error err = HET_ERROR_INIT;
    het_sequence *sequence = NULL;
    het_status made = het_sequence_create(v->engine->session, &sequence, &err);
    if (!made && bos >= 0)
        made = het_sequence_append(sequence, &bos, 1, 0, &err);
    int status = made ? failure_of(made, &err) : STATUS_GO;
    const int64_t shift = (bos >= 0 ? 1 : 0) - (int64_t)start;
    for (size_t at = start; status == STATUS_GO && at < end; at += v->chunk) {
        const size_t n = end - at < v->chunk ? end - at : v->chunk;
        made = het_sequence_append(sequence, v->ids + at, n, HET_APPEND_LOGITS_ALL, &err);
        status = made ? failure_of(made, &err) : run_steps(v, sequence, shift);
    }
    het_sequence_destroy(sequence);
    return status;
}

static int run_windows(evaluation *v, size_t context, size_t stride)
{
    het_tokenizer_info t = { .struct_size = sizeof t, .bos_id = -1 };
    if (v->engine->tokenizer && het_tokenizer_get_info(v->engine->tokenizer, &t))
        return failure("the tokenizer does not describe itself");
    const bool led = t.adds_bos && t.bos_id >= 0 && v->ids[0] == t.bos_id;
    size_t end = v->count < context ? v->count : context;
    int status = run_window(v, 0, end, -1);
    while (status == STATUS_GO && end < v->count) {
        const size_t room = context - (led ? 1 : 0);
        const size_t fresh = stride < room ? stride : room;
        end = v->count - end < fresh ? v->count : end + fresh;
        status = run_window(v, end > room ? end - room : 0, end, led ? t.bos_id : -1);
    }
    return status;
}

static int print_result(const evaluation *v, const request *r, size_t context, double seconds)
{
    const double mean = v->scored ? v->nll / (double)v->scored : 0.0;
    if (r->settings.json) {
        json_t *root = json_begin("eval");
        json_object_set_new(root, "positions", json_integer((json_int_t)v->count));
        json_object_set_new(root, "scored", json_integer((json_int_t)v->scored));
        json_object_set_new(root, "context", json_integer((json_int_t)context));
        json_object_set_new(root, "nll", json_real(v->nll));
        json_object_set_new(root, "nll_per_token", json_real(mean));
        json_object_set_new(root, "perplexity", v->scored ? json_real(exp(mean)) : json_null());
        json_object_set_new(root, "tokens_per_s", json_real((double)v->count / seconds));
        json_object_set_new(root, "logits", r->logits ? json_string(r->logits) : json_null());
        return json_end(root);
    }
    printf("positions   %zu\nscored      %zu\n", v->count, v->scored);
    if (v->scored)
        printf("nll         %.6f per token\nperplexity  %.4f\n", mean, exp(mean));
    if (!r->settings.quiet)
        fprintf(stderr, "%.2f s, %.2f t/s, windows of %zu\n", seconds,
                (double)v->count / seconds, context);
    return fflush(stdout) ? failure("cannot write the result") : STATUS_DONE;
}

/* Positions of a window: what was asked for, else what is needed and the model was made for. */
static int64_t choose_context(const engine *e, const request *r, size_t count)
{
    const int64_t wanted = r->settings.context ? r->settings.context
                           : e->info.context_max > 0 && e->info.context_max < 4096
                               ? e->info.context_max : 4096;
    const int64_t least = wanted < (int64_t)count ? wanted : (int64_t)count;
    return least < 2 ? 2 : least;
}

static int evaluate(engine *e, const request *r, const int32_t *ids, size_t count)
{
    const int64_t context = choose_context(e, r, count);
    const double row_bytes = (double)e->info.vocabulary_size * sizeof(float);
    const double fit = row_bytes > 0 ? LOGITS_BYTES / row_bytes : 1;
    const double batch = r->settings.batch ? (double)r->settings.batch : 512;
    evaluation v = { .engine = e, .ids = ids, .count = count };
    v.chunk = (size_t)fmax(1, fmin(fmin(batch, fit), (double)context));
    het_session_options o = HET_SESSION_OPTIONS_INIT;
    o.context_max = context;
    o.batch_max = (uint32_t)v.chunk + 1; /* room for the leading token */
    o.logits_max = (uint32_t)v.chunk;
    int status = engine_session(e, &r->settings, &o);
    if (status != STATUS_GO)
        return status;
    if (r->logits && !npy_create(&v.npy, r->logits, (uint64_t)e->info.vocabulary_size))
        return failure("%s: %s", r->logits, strerror(errno));
    progress_begin(&v.bar, r->settings.quiet);
    const double start = now_s();
    status = run_windows(&v, (size_t)context,
                         (size_t)(r->stride && r->stride < context ? r->stride : context));
    const double seconds = now_s() - start;
    progress_end(&v.bar);
    if (v.npy.file && !npy_close(&v.npy) && status == STATUS_GO)
        status = failure("%s: %s", r->logits, strerror(errno));
    return status == STATUS_GO ? print_result(&v, r, (size_t)context, seconds) : status;
}

static int read_ids(const engine *e, const request *r, int32_t **ids, size_t *count)
{
    if (r->ids)
        return parse_ids("eval", r->ids, ids, count);
    size_t bytes = 0;
    char *text = read_file(r->text, &bytes);
    if (!text)
        return STATUS_FAILED;
    int status = encode(e, text, bytes, (r->no_bos ? 0 : HET_ENCODE_ADD_SPECIAL) |
                            (r->special ? HET_ENCODE_PARSE_SPECIAL : 0), ids, count);
    if (status == STATUS_GO && *count == 0)
        status = failure("%s: no tokens", r->text);
    free(text);
    return status;
}

int command_eval(int argc, char **argv)
{
    request r = { 0 };
    options o;
    options_begin(&o, "eval", "MODEL", "Score given tokens, or a text, one after the other.");
    options_text(&o, "ids", 0, &r.ids, "LIST", "Token ids, for example 1,15,7; used as they are");
    options_text(&o, "text", 'f', &r.text, "FILE", "A text ('-': stdin)");
    options_text(&o, "logits", 0, &r.logits, "OUT.npy", "Write float32 [positions, vocabulary]");
    options_int(&o, "stride", 0, &r.stride, 1, INT32_MAX, "N", "New tokens per window (context)");
    options_flag(&o, "no-bos", 0, &r.no_bos, "No begin-of-sequence token");
    options_flag(&o, "special", 0, &r.special, "Control tokens in the text are such");
    settings_session(&o, &r.settings);
    settings_output(&o, &r.settings);
    const char *path = NULL;
    int32_t *ids = NULL;
    size_t count = 0;
    int status = options_parse(&o, argc, argv, &path);
    if (status == STATUS_GO && !r.ids == !r.text)
        status = usage_error("eval", "give either --ids or --text");
    if (status == STATUS_GO && r.ids) /* a usage error must not wait for the model */
        status = read_ids(NULL, &r, &ids, &count);
    if (status != STATUS_GO)
        return status;
    interrupt_begin();
    engine e = { 0 };
    status = engine_model(&e, &r.settings, path, 0);
    if (status == STATUS_GO)
        status = engine_need_language(&e, path);
    if (status == STATUS_GO && !ids)
        status = read_ids(&e, &r, &ids, &count);
    if (status == STATUS_GO)
        status = evaluate(&e, &r, ids, count);
    engine_close(&e);
    interrupt_end();
    free(ids);
    return status;
}
