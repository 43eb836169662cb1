/* SPDX-License-Identifier: Apache-2.0 */
/* Runs rows of a benchmark. Token ids are pseudo-random: the row's name decides them, so they are
 * the same in every measurement and every run. A row is run once unmeasured, of tokens one by one
 * only the first few. */
#include "bench.h"
#include "interrupt.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define WARM_STEPS 8

static int append(bench *b, row *r, het_sequence *sequence, int64_t count)
{
    const uint64_t vocabulary = (uint64_t)b->engine->info.vocabulary_size;
    het_error err = HET_ERROR_INIT;
    het_status status = HET_OK;
    for (int64_t i = 0; !status && i < count; i++) {
        b->random = b->random * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
        const int32_t id = (int32_t)((b->random >> 33) % vocabulary);
        r->ids_hash = (r->ids_hash ^ (uint64_t)id) * UINT64_C(1099511628211);
        status = het_sequence_append(sequence, &id, 1, 0, &err);
    }
    return status ? failure_of(status, &err) : STATUS_GO;
}

static int step_all(bench *b)
{
    het_error err = HET_ERROR_INIT;
    uint64_t pending = 0;
    do {
        const het_status status = het_session_step(b->engine->session, &pending, &err);
        if (status)
            return failure_of(status, &err);
    } while (pending > 0);
    return interrupt_seen() ? failure("interrupted") : STATUS_GO;
}

/* count tokens for each sequence of the row. */
int bench_feed(bench *b, row *r, int64_t count)
{
    int status = STATUS_GO;
    for (int64_t i = 0; status == STATUS_GO && i < r->sequences; i++)
        status = append(b, r, b->sequences[i], count);
    return status == STATUS_GO && count > 0 ? step_all(b) : status;
}

int bench_cut(bench *b, int64_t length)
{
    het_error err = HET_ERROR_INIT;
    for (size_t i = 0; i < b->sequence_count; i++) {
        const int64_t has = het_sequence_length(b->sequences[i]);
        const het_status status =
            het_sequence_truncate(b->sequences[i], has < length ? has : length, &err);
        if (status)
            return failure_of(status, &err);
    }
    return STATUS_GO;
}

int bench_sequences(bench *b, size_t count)
{
    het_error err = HET_ERROR_INIT;
    while (b->sequence_count < count) {
        const het_status status =
            het_sequence_create(b->engine->session, &b->sequences[b->sequence_count], &err);
        if (status)
            return failure_of(status, &err);
        b->sequence_count++;
    }
    return STATUS_GO;
}

/* One measurement, from the row's depth on; not kept if it only warms up. */
static int run_once(bench *b, row *r, bool keep)
{
    const double start = now_s();
    int status = bench_feed(b, r, r->prompt);
    const double first = now_s();
    const int64_t steps = keep || r->generate < WARM_STEPS ? r->generate : WARM_STEPS;
    double last = first;
    for (int64_t i = 0; status == STATUS_GO && i < steps; i++) {
        status = bench_feed(b, r, 1);
        const double now = now_s();
        if (keep)
            r->steps_s[r->step_count++] = now - last;
        last = now;
    }
    if (status != STATUS_GO || !keep)
        return status;
    const double tokens = (double)((steps ? steps : r->prompt) * r->sequences);
    r->first_s[r->count] = first - start;
    r->rates[r->count++] = tokens / fmax(steps ? last - first : first - start, 1e-9);
    return STATUS_GO;
}

static int compare(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* Sorts; the value below which this share lies, between the two nearest. */
static double quantile(double *values, size_t count, double share)
{
    if (count == 0)
        return 0.0;
    qsort(values, count, sizeof values[0], compare);
    const double at = share * (double)(count - 1);
    const size_t low = (size_t)at, high = low + 1 < count ? low + 1 : low;
    return values[low] + (at - (double)low) * (values[high] - values[low]);
}

static void summarise(row *r)
{
    double sum = 0.0, squares = 0.0;
    for (size_t i = 0; i < r->count; i++)
        sum += r->rates[i];
    r->mean = sum / (double)r->count;
    for (size_t i = 0; i < r->count; i++)
        squares += (r->rates[i] - r->mean) * (r->rates[i] - r->mean);
    r->deviation = r->count > 1 ? sqrt(squares / (double)(r->count - 1)) : 0.0;
    double sorted[REPEAT_MAX];
    memcpy(sorted, r->rates, r->count * sizeof sorted[0]);
    r->median = quantile(sorted, r->count, 0.5);
    r->first_median_s = quantile(r->first_s, r->count, 0.5);
    r->step_p50_s = quantile(r->steps_s, r->step_count, 0.5);
    r->step_p95_s = quantile(r->steps_s, r->step_count, 0.95);
}

static int show(bench *b, const row *r)
{
    const double done = (double)b->runs_done++ / (double)b->runs_all;
    return progress_update(&b->bar, done, r->name) ? failure("interrupted") : STATUS_GO;
}

int bench_run_row(bench *b, row *r)
{
    const int64_t repeat = b->request->repeat;
    r->rates = calloc((size_t)repeat, sizeof r->rates[0]);
    r->first_s = calloc((size_t)repeat, sizeof r->first_s[0]);
    r->steps_s = calloc((size_t)(repeat * r->generate) + 1, sizeof r->steps_s[0]);
    if (!r->rates || !r->first_s || !r->steps_s)
        return failure("out of memory");
    r->ids_hash = UINT64_C(14695981039346656037);
    b->random = 1;
    for (const char *c = r->name; *c; c++)
        b->random = (b->random ^ (unsigned char)*c) * UINT64_C(1099511628211);
    int status = bench_cut(b, 0);
    if (status == STATUS_GO)
        status = bench_feed(b, r, r->depth);
    const uint64_t random = b->random, hash = r->ids_hash;
    for (int64_t i = -1; status == STATUS_GO && i < repeat; i++) {
        b->random = random;
        r->ids_hash = hash;
        status = show(b, r);
        if (status == STATUS_GO)
            status = run_once(b, r, i >= 0);
        if (status == STATUS_GO)
            status = bench_cut(b, r->depth);
    }
    if (status == STATUS_GO)
        summarise(r);
    return status;
}
