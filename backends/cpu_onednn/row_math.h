/* SPDX-License-Identifier: Apache-2.0 */
/* Softmax and sums of F32 along rows, for one instruction-set level. Rows lie along memory
 * ([rows][n]) or across it ([n][stride], of which count are rows). */
#ifndef HET_CPU_ROW_MATH_H
#define HET_CPU_ROW_MATH_H

#include <stdint.h>

typedef struct het__row_math {
    const char *level; /* name of the het__cpu_level that may use it */
    /* out may be x. NaN or infinity in a row, or minus infinity everywhere, make all of it NaN. */
    void (*softmax)(const float *x, float *out, int64_t rows, int64_t n);
    void (*softmax_across)(const float *x, float *out, int64_t n, int64_t stride, int64_t count);
    /* Sums in double, divided and rounded once. */
    void (*sum)(const float *x, int64_t rows, int64_t n, double divisor, float *out);
    void (*sum_across)(const float *x, int64_t n, int64_t stride, int64_t count, double divisor,
                       float *out);
} het__row_math;

/* Of the level of that name. */
const het__row_math *het__row_math_for(const char *level);

#endif /* HET_CPU_ROW_MATH_H */
