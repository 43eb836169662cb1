/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/generate/pages.h"

#include <assert.h>

bool het__pages_init(het__pages *pages, uint32_t count, het__mem *mem)
{
    pages->free = het__alloc_zero(mem, count, sizeof *pages->free);
    pages->count = pages->free_count = count;
    for (uint32_t i = 0; pages->free && i < count; i++)
        pages->free[i] = (int32_t)(count - 1 - i);
    return pages->free != NULL;
}

void het__pages_finish(het__pages *pages, het__mem *mem)
{
    het__free(mem, pages->free);
    pages->free = NULL;
}

int32_t het__pages_take(het__pages *pages)
{
    return pages->free_count ? pages->free[--pages->free_count] : -1;
}

void het__pages_give(het__pages *pages, int32_t page)
{
    assert(pages->free_count < pages->count && page >= 0 && (uint32_t)page < pages->count);
    pages->free[pages->free_count++] = page;
}
