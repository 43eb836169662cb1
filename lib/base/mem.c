/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/base/mem.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/os.h"

typedef union block_header {
    size_t bytes; /* of the whole block, header included */
    char pad[HET__ALIGN];
} block_header;

/* From here on a block is worth huge pages: prefetching and address translation stop at each page,
 * so that weights stream a quarter faster. */
#define LARGE_BYTES ((size_t)4 << 20)

static void *default_alloc(void *user, size_t bytes, size_t align)
{
    (void)user;
    if (bytes >= LARGE_BYTES && bytes <= SIZE_MAX - HET__HUGE_PAGE) {
        /* Rounding up takes addresses only: the tail is never touched. */
        void *p = aligned_alloc(HET__HUGE_PAGE, het__round_up(bytes, HET__HUGE_PAGE));
        if (p)
            het__want_huge_pages(p, bytes);
        return p;
    }
    return aligned_alloc(align, het__round_up(bytes, align));
}

static void default_free(void *user, void *ptr, size_t bytes, size_t align)
{
    (void)user;
    (void)bytes;
    (void)align;
    free(ptr);
}

void het__mem_init(het__mem *mem, const het_allocator *allocator)
{
    memset(mem, 0, sizeof *mem);
    if (allocator) {
        mem->allocator = *allocator;
    } else {
        mem->allocator.alloc = default_alloc;
        mem->allocator.free = default_free;
    }
}

static void count_up(het__mem *mem, size_t bytes)
{
    const uint64_t now =
        atomic_fetch_add_explicit(&mem->bytes, bytes, memory_order_relaxed) + bytes;
    uint64_t peak = atomic_load_explicit(&mem->peak, memory_order_relaxed);
    while (now > peak && !atomic_compare_exchange_weak_explicit(
                             &mem->peak, &peak, now, memory_order_relaxed, memory_order_relaxed)) {
    }
    atomic_fetch_add_explicit(&mem->count, 1, memory_order_relaxed);
}

void *het__alloc(het__mem *mem, size_t bytes)
{
    size_t total;
    if (!het__add_size(bytes, sizeof(block_header), &total) || total > SIZE_MAX - HET__ALIGN)
        return NULL;
    block_header *h = mem->allocator.alloc(mem->allocator.user, total, HET__ALIGN);
    if (!h)
        return NULL;
    assert((uintptr_t)h % HET__ALIGN == 0);
    h->bytes = total;
    count_up(mem, total);
    return h + 1;
}

void *het__alloc_zero(het__mem *mem, size_t count, size_t size)
{
    size_t bytes;
    if (!het__mul_size(count, size, &bytes))
        return NULL;
    void *p = het__alloc(mem, bytes);
    if (p)
        memset(p, 0, bytes);
    return p;
}

void *het__realloc(het__mem *mem, void *ptr, size_t bytes)
{
    void *p = het__alloc(mem, bytes);
    if (!p || !ptr)
        return p;
    const size_t old = ((block_header *)ptr - 1)->bytes - sizeof(block_header);
    memcpy(p, ptr, old < bytes ? old : bytes);
    het__free(mem, ptr);
    return p;
}

char *het__strndup(het__mem *mem, const char *text, size_t length)
{
    char *p = length < SIZE_MAX ? het__alloc(mem, length + 1) : NULL;
    if (p) {
        memcpy(p, text, length);
        p[length] = '\0';
    }
    return p;
}

void het__free(het__mem *mem, void *ptr)
{
    if (!ptr)
        return;
    block_header *h = (block_header *)ptr - 1;
    const size_t total = h->bytes;
    atomic_fetch_sub_explicit(&mem->bytes, total, memory_order_relaxed);
    mem->allocator.free(mem->allocator.user, h, total, HET__ALIGN);
}
