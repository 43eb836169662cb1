/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/exec/memory.h"

#include <stdlib.h>

typedef struct entry {
    het__interval *interval;
    uint32_t index;
} entry;

static int larger_first(const void *a, const void *b)
{
    const entry *x = a, *y = b;
    if (x->interval->bytes != y->interval->bytes)
        return x->interval->bytes < y->interval->bytes ? 1 : -1;
    return x->index < y->index ? -1 : 1;
}

static bool overlap_in_time(const het__interval *a, const het__interval *b)
{
    return a->first <= b->last && b->first <= a->last;
}

/* Lowest offset at which the interval does not meet any of the placed ones, which are walked in
 * order of offset. */
static size_t lowest_place(const het__interval *it, entry *by_offset, uint32_t placed)
{
    size_t at = 0;
    for (uint32_t i = 0; i < placed; i++) {
        const het__interval *other = by_offset[i].interval;
        if (!overlap_in_time(it, other) || other->offset + other->bytes <= at)
            continue;
        if (other->offset >= at + it->bytes)
            break;
        at = other->offset + other->bytes;
    }
    return at;
}

static void insert_by_offset(entry *list, uint32_t count, entry e)
{
    uint32_t i = count;
    while (i > 0 && list[i - 1].interval->offset > e.interval->offset) {
        list[i] = list[i - 1];
        i--;
    }
    list[i] = e;
}

het_status het__memory_plan(het__interval *intervals, uint32_t count, het__mem *mem, size_t *total)
{
    *total = 0;
    entry *order = het__alloc_zero(mem, count ? count : 1, sizeof *order);
    entry *placed = het__alloc_zero(mem, count ? count : 1, sizeof *placed);
    if (!order || !placed) {
        het__free(mem, order);
        het__free(mem, placed);
        return HET_E_NOMEM;
    }
    for (uint32_t i = 0; i < count; i++) {
        intervals[i].bytes = het__round_up(intervals[i].bytes, HET__ALIGN);
        order[i] = (entry){ &intervals[i], i };
    }
    qsort(order, count, sizeof *order, larger_first);
    for (uint32_t i = 0; i < count; i++) {
        het__interval *it = order[i].interval;
        it->offset = lowest_place(it, placed, i);
        insert_by_offset(placed, i, order[i]);
        if (it->offset + it->bytes > *total)
            *total = it->offset + it->bytes;
    }
    het__free(mem, order);
    het__free(mem, placed);
    return HET_OK;
}
