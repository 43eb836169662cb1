/* SPDX-License-Identifier: Apache-2.0 */
/* What a benchmark holds: rows, each a kind of work with its times and its limit.
 *
 *     bench.c         options, which rows, in what order
 *     bench_run.c     runs a row
 *     bench_limit.c   what the machine and the planner say about a row
 *     bench_steps.c   each layer's time against the plan's
 *     bench_overhead.c  what a step costs beside its kernels
 *     bench_report.c  table and JSON;  bench_html.c  one page;  bench_compare.c  another run's JSON
 */
#ifndef HETINFER_BENCH_H
#define HETINFER_BENCH_H

#include "common.h"

#define REPEAT_MAX 1000
#define SEQUENCES_MAX 64
#define STEPS_MAX 16 /* measured for --steps */
#define OVERHEAD_STEPS 60

typedef struct bench_request {
    numbers prompt, depth, sequences; /* count 0: not given */
    int64_t generate, repeat;         /* generate -1: not given */
    double tolerance;                 /* percent */
    const char *compare, *html;       /* files, or NULL */
    bool suite, predict, steps, overhead;
    settings settings;
} bench_request;

/* prompt tokens at once after depth others, then generate tokens one by one, in each of sequences.
 * A row of a suite has both prompt and generate, others one of them. */
typedef struct row {
    char name[48];
    int64_t prompt, generate, depth, sequences;
    double *rates;     /* tokens per second of each measurement */
    double *first_s;   /* time until the first token of each; with a prompt only */
    double *steps_s;   /* of each token one by one, of all measurements */
    size_t count, step_count;
    uint64_t ids_hash; /* of the token ids that were fed */

    double mean, deviation, median;      /* of rates */
    double first_median_s, step_p50_s, step_p95_s;
    double flops, bytes; /* of a whole prompt, or of a step */
    double limit;        /* tokens per second; 0: the device cannot be measured */
    const char *bound;   /* what limits it */
    double predicted_s;  /* of a whole prompt, or of a step, by the planner; 0: not asked */
} row;

/* One layer of a plan; see bench_steps(). */
typedef struct layer_time {
    het_phase phase;
    uint32_t index; /* in the phase's plan */
    het_plan_layer layer;
    double samples[STEPS_MAX];
    size_t runs;
    double measured_ns; /* the median */
    bool is_device_clock;
} layer_time;

/* See bench_overhead(). */
typedef struct overhead {
    uint32_t steps;
    double step_s, busy_s, beside; /* medians; beside kernels, of their time */
    double least_step_s, least_busy_s;
} overhead;

typedef struct bench {
    engine *engine;
    const bench_request *request;
    row *rows;
    size_t row_count;
    het_sequence *sequences[SEQUENCES_MAX];
    size_t sequence_count;
    progress bar;
    size_t runs_done, runs_all;
    uint64_t random;
    uint32_t device; /* index in the context of the one that reads most weights */
    het_device_figures before, after; /* of all rows */
    het_telemetry telemetry;
    uint64_t peak_bytes; /* resident at most, but for measurements of the device */
    json_t *earlier; /* what --compare names, or NULL */
    int64_t context;    /* positions of the session */
    layer_time *layers; /* with --steps */
    size_t layer_count;
    overhead overhead;  /* with --overhead */
} bench;

/* bench_run.c: the functions return STATUS_GO or an exit status. */
int bench_sequences(bench *b, size_t count);
int bench_run_row(bench *b, row *r);
/* count more tokens for each sequence of the row, and their steps. */
int bench_feed(bench *b, row *r, int64_t count);
/* All sequences back to so many tokens. */
int bench_cut(bench *b, int64_t length);

/* bench_limit.c */
int bench_count_work(bench *b, row *r);
int bench_predict(bench *b, row *r);
/* What measuring the device takes for itself is left out of the peak. */
void bench_note_peak(bench *b);
void bench_measure(bench *b, het_device_figures *figures);
/* The better of two measurements around the row counts: a slow minute flatters no share. */
void bench_find_limit(const bench *b, row *r, const het_device_figures *before,
                      const het_device_figures *after);
/* Measured time of what predicted_s is about. */
double bench_row_seconds(const row *r);

/* bench_steps.c: steps like those that the session's plans are for, layer by layer. */
int bench_steps(bench *b);
void bench_print_steps(const bench *b);
json_t *bench_json_steps(const bench *b);

/* bench_overhead.c: what a step of one token costs beside the work of its devices. */
int bench_overhead(bench *b);
void bench_print_overhead(const bench *b);
json_t *bench_json_overhead(const bench *b);

/* bench_report.c */
void bench_print_table(const bench *b);
json_t *bench_json(const bench *b);

/* bench_compare.c: results against those of an earlier --json, which is read before measuring.
 * STATUS_FAILED if a row is slower by more than the tolerance, or none can be compared; out, an
 * array, receives a record per row. */
int bench_compare_open(bench *b);
int bench_compare(const bench *b, json_t *out, bool print);

/* bench_html.c */
int bench_write_html(const bench *b, const char *path);

#endif /* HETINFER_BENCH_H */
