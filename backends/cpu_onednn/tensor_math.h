/* SPDX-License-Identifier: Apache-2.0 */
/* Loops over F32 tensors, for one instruction-set level. */
#ifndef HET_CPU_TENSOR_MATH_H
#define HET_CPU_TENSOR_MATH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Columns of a packed panel are a multiple of this at every level. */
#define HET__PANEL_MAX 64
/* Rows of b that a panel holds; a product adds the stretches in order. */
#define HET__PANEL_DEPTH 256

typedef enum het__binary {
    HET__BINARY_ADD,
    HET__BINARY_SUB,
    HET__BINARY_MUL,
    HET__BINARY_DIV,
    HET__BINARY_MAX,
    HET__BINARY_MIN,
    HET__BINARY_COUNT
} het__binary;

/* Rows of runs: out[r][i] = a[r][i or 0] op b[r][i or 0]. a_one, b_one say that a row has one
 * element for all of the run; both only if the run is one element. */
typedef struct het__binary_job {
    const float *a, *b;
    float *out; /* rows one behind the other */
    bool a_one, b_one;
    int64_t run, rows;
    int64_t a_step, b_step; /* elements between rows; 0: the same one */
} het__binary_job;

typedef struct het__tensor_math {
    const char *level; /* name of the het__cpu_level that may use it */
    int32_t panel;     /* columns of a panel */
    void (*binary)(het__binary op, const het__binary_job *job);
    /* Columns [0, columns) of depth rows of b side by side, zeros behind them: element (k, n) lies
     * at b[k * k_step + n * n_step]. */
    void (*pack)(const float *b, int64_t k_step, int64_t n_step, int64_t depth, int64_t columns,
                 float *packed);
    /* out[m][n] = (more ? out[m][n] : 0) + sum over depth of a[m][k] packed[k][n]. */
    void (*product)(const float *a, int64_t a_stride, const float *packed, int64_t depth,
                    int64_t rows, int64_t columns, bool more, float *out, int64_t out_stride);
} het__tensor_math;

/* Of the level of that name. */
const het__tensor_math *het__tensor_math_for(const char *level);

#endif /* HET_CPU_TENSOR_MATH_H */
