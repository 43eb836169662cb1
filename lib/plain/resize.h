/* SPDX-License-Identifier: Apache-2.0 */
/* Which elements of an axis, with which weights, make each element of a resized one. */
#ifndef HET_PLAIN_RESIZE_H
#define HET_PLAIN_RESIZE_H

#include "lib/ir/move.h"

typedef struct het__taps {
    int64_t in, out;
    int64_t width;                /* elements that take part in each */
    const int64_t *index;         /* [out][width], inside of the axis */
    const double *weight;         /* [out][width]; NULL: one element as it is */
    const unsigned char *outside; /* [out]; not zero: the extrapolation value */
} het__taps;

/* In scratch memory of e: one piece. The axis has elements. */
het_status het__taps_of(het__eval *e, const het__resize *r, uint32_t axis, int64_t in,
                        het__taps *taps);

#endif /* HET_PLAIN_RESIZE_H */
