/* SPDX-License-Identifier: Apache-2.0 */
/* Pointers into memory that may lie elsewhere from one run to the next: which they are is noted
 * while a program is built, and they are set anew when the memory has moved. */
#ifndef HET_BASE_MOVING_H
#define HET_BASE_MOVING_H

#include "lib/base/arena.h"

typedef struct het__moving {
    struct het__moving *next;
    void *field;       /* a pointer to bytes of the memory, of any type */
    void *const *base; /* where the memory begins now */
    ptrdiff_t offset;  /* of what the field points to */
} het__moving;

/* field: to be set by het__moving_apply(), once it points into the memory that *base is the
 * beginning of; both stay where they are as long as the list is used. */
het_status het__moving_add(het__moving **list, het__arena *arena, void *field, void *const *base);
/* All fields point where they shall: remember how far behind the beginning. Once. */
void het__moving_settle(het__moving *list);
void het__moving_apply(const het__moving *list);

#endif /* HET_BASE_MOVING_H */
