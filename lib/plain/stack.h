/* SPDX-License-Identifier: Apache-2.0 */
/* Tensors of one shape, put together one by one: what Loop and Scan give step by step. */
#ifndef HET_PLAIN_STACK_H
#define HET_PLAIN_STACK_H

#include "lib/plain/plain.h"

/* All zero: empty. Memory of e->interpreter->mem. */
typedef struct het__stack {
    het__tensor element; /* dtype NONE: nobody has said yet */
    int64_t count;
    int64_t owed; /* zeros that were pushed before the shape was known; part of count */
    char *data;
    size_t bytes, capacity;
} het__stack;

/* How the whole lies. */
typedef struct het__stack_order {
    int64_t axis; /* where the new extent stands, in [-rank, rank) of the whole */
    bool is_reversed;
    int64_t batch; /* above 0: two new extents in front, the first of this size */
} het__stack_order;

/* A copy of t; refuses another shape or type than before. */
het_status het__stack_push(het__stack *stack, const het__eval *e, const het__tensor *t);
/* count elements of zeros. */
het_status het__stack_pad(het__stack *stack, const het__eval *e, int64_t count);
/* The whole, whose memory becomes the caller's. declared: what an element is if none came. order
 * may be NULL: one new extent in front. */
het_status het__stack_take(het__stack *stack, const het__eval *e, const het__value *declared,
                           const het__stack_order *order, het__tensor *whole);
void het__stack_finish(het__stack *stack, het__mem *mem);

#endif /* HET_PLAIN_STACK_H */
