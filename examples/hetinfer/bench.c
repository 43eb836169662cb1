/* SPDX-License-Identifier: Apache-2.0 */
/* hetinfer bench: tokens per second, next to what the machine could do in the same minute.
 *
 * ppN reads N tokens into an empty sequence; tgN adds N tokens one by one, in one or several
 * sequences, at a given depth; the suite has both, as requests of everyday sizes. The model is
 * opened once for all rows, and the device is measured between them. */
#include "bench.h"
#include "commands.h"
#include "interrupt.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct suite_entry {
    const char *name;
    int64_t prompt, generate;
} suite[] = { { "chat", 32, 64 }, { "summarise", 1024, 128 }, { "code", 256, 256 } };

#define SUITE_COUNT (sizeof suite / sizeof suite[0])

static void name_row(row *r)
{
    int n = snprintf(r->name, sizeof r->name, "%s%lld", r->generate ? "tg" : "pp",
                     (long long)(r->generate ? r->generate : r->prompt));
    if (r->sequences > 1)
        n += snprintf(r->name + n, sizeof r->name - (size_t)n, " x %lld", (long long)r->sequences);
    if (r->depth)
        snprintf(r->name + n, sizeof r->name - (size_t)n, " @ %lld", (long long)r->depth);
}

static row *add_row(bench *b, int64_t prompt, int64_t generate, int64_t depth, int64_t sequences)
{
    row *r = &b->rows[b->row_count++];
    *r = (row){ .prompt = prompt, .generate = generate, .depth = depth, .sequences = sequences };
    name_row(r);
    return r;
}

/* Requests of a suite, the long ones cut to what the model has room for. */
static void add_suite(bench *b, int64_t room)
{
    for (size_t i = 0; i < SUITE_COUNT; i++) {
        const int64_t generate = suite[i].generate < room / 2 ? suite[i].generate : room / 2;
        const int64_t left = room - generate;
        const int64_t prompt = suite[i].prompt < left ? suite[i].prompt : left;
        row *r = add_row(b, prompt, generate, 0, 1);
        snprintf(r->name, sizeof r->name, "%s %lld+%lld", suite[i].name, (long long)prompt,
                 (long long)generate);
    }
}

/* What was asked for, with defaults that the model has room for. */
static void add_rows(bench *b, const bench_request *r, int64_t room)
{
    static const numbers none = { .at = { 0 }, .count = 1 }, one = { .at = { 1 }, .count = 1 };
    const numbers usual = { .at = { room < 512 ? room : 512 }, .count = 1 };
    const bool given = r->prompt.count || r->generate >= 0 || r->depth.count || r->sequences.count;
    if (r->suite)
        add_suite(b, room);
    if (r->suite && !given)
        return;
    const numbers *prompts = r->prompt.count ? &r->prompt : r->suite ? &none : &usual;
    const numbers *depths = r->depth.count ? &r->depth : &none;
    const numbers *sequences = r->sequences.count ? &r->sequences : &one;
    for (size_t i = 0; i < prompts->count; i++)
        if (prompts->at[i])
            add_row(b, prompts->at[i], 0, 0, 1);
    for (size_t d = 0; d < depths->count; d++) {
        const int64_t left = room - depths->at[d];
        const int64_t generate = r->generate >= 0 ? r->generate : left < 64 ? left : 64;
        for (size_t s = 0; generate > 0 && s < sequences->count; s++)
            add_row(b, 0, generate, depths->at[d], sequences->at[s]);
    }
}

static int choose_rows(bench *b, const bench_request *r, het_session_options *o)
{
    const int64_t made_for = b->engine->info.context_max, given = r->settings.context;
    b->rows = calloc(NUMBERS_MAX * (NUMBERS_MAX + 1) + SUITE_COUNT, sizeof b->rows[0]);
    if (!b->rows)
        return failure("out of memory");
    add_rows(b, r, given ? given : made_for > 0 ? made_for : 4096);
    if (b->row_count == 0)
        return usage_error("bench", "nothing to measure");
    int64_t context = given, sequences = 1;
    for (size_t i = 0; i < b->row_count; i++) {
        const row *w = &b->rows[i];
        const int64_t needed = w->depth + w->prompt + w->generate;
        if (given && given < needed)
            return usage_error("bench", "--context must be %lld or more", (long long)needed);
        context = needed > context ? needed : context;
        sequences = w->sequences > sequences ? w->sequences : sequences;
    }
    o->context_max = b->context = context;
    o->sequence_max = (uint32_t)sequences;
    return STATUS_GO;
}

static int run_rows(bench *b)
{
    const bench_request *r = b->request;
    het_device_figures before;
    int status = STATUS_GO;
    for (size_t i = 0; status == STATUS_GO && i < b->row_count; i++)
        status = bench_count_work(b, &b->rows[i]);
    b->runs_all = b->row_count * (size_t)(r->repeat + 1);
    progress_begin(&b->bar, r->settings.quiet);
    if (status == STATUS_GO)
        bench_measure(b, &b->before);
    b->after = b->before;
    for (size_t i = 0; status == STATUS_GO && i < b->row_count; i++) {
        row *w = &b->rows[i];
        before = b->after;
        status = bench_sequences(b, (size_t)w->sequences);
        if (status == STATUS_GO)
            status = bench_run_row(b, w);
        if (status == STATUS_GO)
            bench_measure(b, &b->after);
        bench_find_limit(b, w, &before, &b->after);
        if (status == STATUS_GO && r->predict)
            status = bench_predict(b, w);
    }
    progress_end(&b->bar);
    bench_note_peak(b);
    b->telemetry.struct_size = sizeof b->telemetry;
    if (status == STATUS_GO && het_telemetry_snapshot(b->engine->session, &b->telemetry))
        status = failure("no counters");
    return status;
}

static int report(const bench *b)
{
    const bench_request *r = b->request;
    int status = r->html ? bench_write_html(b, r->html) : STATUS_GO;
    if (status != STATUS_GO)
        return status;
    json_t *root = r->settings.json ? bench_json(b) : NULL;
    if (!root)
        bench_print_table(b);
    if (r->compare) {
        json_t *list = json_array();
        status = bench_compare(b, list, !root);
        json_object_set_new(root, "comparison", list);
    }
    const int written = root ? json_end(root)
        : fflush(stdout) ? failure("cannot write the result") : STATUS_DONE;
    return status == STATUS_GO ? written : status;
}

static void bench_free(bench *b)
{
    for (size_t i = 0; i < b->row_count; i++) {
        free(b->rows[i].rates);
        free(b->rows[i].first_s);
        free(b->rows[i].steps_s);
    }
    for (size_t i = 0; i < b->sequence_count; i++)
        het_sequence_destroy(b->sequences[i]);
    free(b->rows);
    free(b->layers);
    json_decref(b->earlier);
}

static int run_bench(const bench_request *r, const char *path)
{
    engine e = { 0 };
    bench b = { .engine = &e, .request = r };
    het_session_options session = HET_SESSION_OPTIONS_INIT;
    int status = engine_model(&e, &r->settings, path, 0);
    if (status == STATUS_GO)
        status = engine_need_language(&e, path);
    if (status == STATUS_GO)
        status = choose_rows(&b, r, &session);
    if (status == STATUS_GO && r->compare)
        status = bench_compare_open(&b);
    if (status == STATUS_GO)
        status = engine_session(&e, &r->settings, &session);
    if (status == STATUS_GO)
        status = run_rows(&b);
    if (status == STATUS_GO && r->steps)
        status = bench_steps(&b);
    if (status == STATUS_GO && r->overhead)
        status = bench_overhead(&b);
    const int traced = engine_trace(&e, &r->settings);
    status = status == STATUS_GO ? traced : status;
    if (status == STATUS_GO)
        status = report(&b);
    bench_free(&b);
    engine_close(&e);
    return status;
}

int command_bench(int argc, char **argv)
{
    bench_request r = { .generate = -1, .repeat = 5, .tolerance = 10 };
    options o;
    options_begin(&o, "bench", "MODEL", "Measure tokens per second, and the machine's limits.");
    options_list(&o, "prompt", 'p', &r.prompt, 0, INT32_MAX, "Tokens of prompts (512)");
    options_int(&o, "generate", 'n', &r.generate, 0, INT32_MAX, "N", "Tokens one by one (64)");
    options_list(&o, "depth", 'd', &r.depth, 0, INT32_MAX, "Tokens before -n starts (0)");
    options_list(&o, "sequences", 0, &r.sequences, 1, SEQUENCES_MAX,
                 "Sequences that -n goes on together (1)");
    options_int(&o, "repeat", 'r', &r.repeat, 1, REPEAT_MAX, "N", "Measurements of each (5)");
    options_flag(&o, "suite", 0, &r.suite, "Requests of everyday sizes");
    options_flag(&o, "predict", 0, &r.predict, "The planner's time beside the measured");
    options_text(&o, "compare", 0, &r.compare, "FILE", "Against an earlier --json; slower fails");
    options_number(&o, "tolerance", &r.tolerance, 0, 1000, "PERCENT",
                   "Slower by so much is no failure (10)");
    options_text(&o, "html", 0, &r.html, "FILE", "Write a page with bars");
    options_flag(&o, "steps", 0, &r.steps, "Each layer's time beside the plan's");
    options_flag(&o, "overhead", 0, &r.overhead, "A step's time beside its kernels");
    settings_session(&o, &r.settings);
    settings_trace(&o, &r.settings);
    settings_output(&o, &r.settings);
    const char *path = NULL;
    int status = options_parse(&o, argc, argv, &path);
    if (status != STATUS_GO)
        return status;
    interrupt_begin();
    status = run_bench(&r, path);
    interrupt_end();
    return status;
}
