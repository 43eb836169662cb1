/* SPDX-License-Identifier: Apache-2.0 */
/* What a benchmark holds: bench.c measures it, bench_report.c prints it. */
#ifndef HETINFER_BENCH_H
#define HETINFER_BENCH_H

#include "common.h"

#define REPEAT_MAX 1000

typedef struct bench_request {
    int64_t prompt, generate, repeat, depth; /* -1: not given */
    settings settings;
} bench_request;

typedef struct series {
    char name[40];
    double samples[REPEAT_MAX]; /* tokens per second */
    size_t count;
    double mean, deviation, median;
    double limit;      /* tokens per second; 0 if the device cannot be measured */
    const char *bound; /* what limits it */
} series;

typedef struct bench {
    engine *engine;
    const bench_request *request;
    het_sequence *sequence;
    uint64_t random;
    uint32_t device; /* index in the context of the one that reads most weights */
    het_device_figures before, after;
    series prompt, generate;
    double prompt_flops, token_bytes;
} bench;

int bench_print_table(const bench *b);
int bench_print_json(const bench *b);

#endif /* HETINFER_BENCH_H */
