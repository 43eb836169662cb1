/* SPDX-License-Identifier: Apache-2.0 */
/* Discrete Fourier transforms of any length in double. */
#ifndef HET_PLAIN_FOURIER_H
#define HET_PLAIN_FOURIER_H

#include "lib/ir/eval.h"

typedef struct het__fourier {
    int64_t length;
    int64_t padded;  /* power of two in which lengths that are none are computed; else length */
    double *line;    /* length complex numbers, real and imaginary part side by side */
    double *circle;  /* exp(-2 pi i k / padded), the first half; all of it for short lengths */
    double *chirp;   /* exp(-pi i k k / length) */
    double *spread;  /* transform of the chirp's conjugate, padded */
    double *work;    /* padded */
} het__fourier;

/* Tables and memory in scratch of e. length at least 1. */
het_status het__fourier_prepare(het__eval *e, int64_t length, het__fourier *plan);
/* Replaces plan->line by its transform; the inverse divides by the length. */
void het__fourier_run(const het__fourier *plan, bool is_inverse);

#endif /* HET_PLAIN_FOURIER_H */
