/* SPDX-License-Identifier: Apache-2.0 */
/* What the parts of check_kernels --bench share: a clock, and a line or JSON object per result. */
#ifndef HETINFER_TEST_BENCH_H
#define HETINFER_TEST_BENCH_H

#include "weights.h"

typedef struct bench_result {
    const char *level, *kernel;
    int64_t n, k, tokens; /* n 0: a vector of k elements */
    int threads;
    double seconds, plain_seconds;   /* plain C, one thread */
    double operations, bytes;        /* operations 0: not counted */
    double peak, bandwidth;          /* per second, measured beside */
} bench_result;

double bench_now(void);
/* How long one result may measure. */
double bench_seconds(void);
void bench_begin(bool json);
void bench_report(const bench_result *r);
/* Exit status: 2 if nothing was reported. */
int bench_end(void);
/* Of the limit: the longer of operations at the peak and of bytes at the bandwidth. */
double bench_share(const bench_result *r);

/* bench_vectors.c: the small kernels of a level (NULL, "all": of every level). */
void bench_vectors(const char *level);

#endif /* HETINFER_TEST_BENCH_H */
