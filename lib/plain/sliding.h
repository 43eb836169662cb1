/* SPDX-License-Identifier: Apache-2.0 */
/* What kernels with windows share: images and weights as doubles, and the rows of the image that
 * meet rows of the kernel. */
#ifndef HET_PLAIN_SLIDING_H
#define HET_PLAIN_SLIDING_H

#include "lib/ir/window.h"
#include "lib/plain/doubles.h"

/* A row of the image (its last axis) under a row of the kernel: where both begin, in elements of
 * one channel. */
typedef struct het__tap_row {
    int64_t image;
    int64_t kernel;
} het__tap_row;

/* A tap of the last axis: the positions at which it lies in the image, and where in its row it does
 * so for the first of them. */
typedef struct het__tap {
    int64_t first, count;
    int64_t from;
} het__tap;

/* All taps of the last axis, in scratch memory; NULL: no memory. */
const het__tap *het__taps(het__eval *e, const het__window *w);

/* Most rows that het__tap_rows() can find at one position. */
int64_t het__tap_rows_max(const het__window *w);
/* Rows that lie in the image for the position of all axes but the last; at has w->axes entries. */
int64_t het__tap_rows(const het__window *w, const int64_t *at, het__tap_row *rows);
/* The next position of all axes but the last; false behind the last one. Start with zeros. */
bool het__tap_next(const het__window *w, int64_t *at);
/* As few axes as do the same: a pointwise window becomes one axis. */
void het__window_flatten(het__window *w);

/* ---- convolutions of any type ---- */

typedef struct het__conv {
    het__window window;
    const het__tensor *image, *weights;
    double image_zero;
    const double *weight_zeros; /* per output channel, zero_step apart; NULL: none */
    int64_t zero_step;
    const double *bias; /* per output channel, or NULL */
    het__row_sink sink; /* row: output channel; column: element of the whole output */
    void *user;
} het__conv;

het_status het__conv_run(het__eval *e, const het__conv *conv);


#endif /* HET_PLAIN_SLIDING_H */
