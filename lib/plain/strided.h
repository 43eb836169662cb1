/* SPDX-License-Identifier: Apache-2.0 */
/* Copies of elements between any two regular layouts: what transposing, slicing, joining, spreading
 * and repeating come down to. */
#ifndef HET_PLAIN_STRIDED_H
#define HET_PLAIN_STRIDED_H

#include "lib/ir/tensor.h"

/* Repeating and blocks make two axes of one. */
#define HET__STRIDED_MAX (2 * HET_RANK_MAX)

/* Places in order, outermost axis first, and what one step along an axis is in bytes on either
 * side; a step of the source may be zero or negative. */
typedef struct het__strided {
    uint32_t rank;
    int64_t extent[HET__STRIDED_MAX];
    int64_t to[HET__STRIDED_MAX];
    int64_t from[HET__STRIDED_MAX];
} het__strided;

static inline void het__strided_axis(het__strided *s, int64_t extent, int64_t to, int64_t from)
{
    s->extent[s->rank] = extent;
    s->to[s->rank] = to;
    s->from[s->rank] = from;
    s->rank++;
}

/* The steps of the target follow from a dense one with these axes, whose elements have so many
 * bytes. */
void het__strided_dense(het__strided *s, size_t element);

/* Any alignment. Changes s: axes that lie behind one another on both sides become one. */
void het__strided_copy(het__strided *s, void *target, const void *source, size_t element);

/* count times the same element. */
void het__fill(void *target, const void *value, size_t element, int64_t count);

#endif /* HET_PLAIN_STRIDED_H */
