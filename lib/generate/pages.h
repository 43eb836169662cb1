/* SPDX-License-Identifier: Apache-2.0 */
/* Pages of the key/value state: which are free. */
#ifndef HET_GENERATE_PAGES_H
#define HET_GENERATE_PAGES_H

#include "lib/base/mem.h"

typedef struct het__pages {
    int32_t *free; /* stack of free page numbers; the lowest is on top at first */
    uint32_t free_count;
    uint32_t count;
} het__pages;

bool het__pages_init(het__pages *pages, uint32_t count, het__mem *mem);
void het__pages_finish(het__pages *pages, het__mem *mem);
/* -1 if none is free. */
int32_t het__pages_take(het__pages *pages);
void het__pages_give(het__pages *pages, int32_t page);

#endif /* HET_GENERATE_PAGES_H */
