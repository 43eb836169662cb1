/* SPDX-License-Identifier: Apache-2.0 */
/* Lookup by name: an order of indices, made once, searched by halving. Heap sort, because the names
 * come from outside: n log n whatever their order, no recursion, and no memory of its own, which
 * the C library's qsort() may take behind the allocator's back. */
#include "lib/import/gguf_parts.h"

typedef struct names {
    const void *records;
    size_t stride;
    size_t *order;
} names;

static int compare(const names *n, size_t a, size_t b)
{
    return strcmp(het__gguf_name_at(n->records, n->stride, a),
                  het__gguf_name_at(n->records, n->stride, b));
}

static void sift_down(const names *n, size_t root, size_t count)
{
    size_t *const h = n->order;
    for (size_t child; (child = 2 * root + 1) < count; root = child) {
        if (child + 1 < count && compare(n, h[child], h[child + 1]) < 0)
            child++;
        if (compare(n, h[root], h[child]) >= 0)
            return;
        const size_t swap = h[root];
        h[root] = h[child];
        h[child] = swap;
    }
}

size_t *het__gguf_sort(het__arena *arena, const void *records, size_t count, size_t stride)
{
    const names n = { records, stride, het__arena_zero(arena, count, sizeof *n.order) };
    if (!n.order)
        return NULL;
    for (size_t i = 0; i < count; i++)
        n.order[i] = i;
    for (size_t i = count / 2; i-- > 0;)
        sift_down(&n, i, count);
    for (size_t last = count; last-- > 1;) {
        const size_t swap = n.order[0];
        n.order[0] = n.order[last];
        n.order[last] = swap;
        sift_down(&n, 0, last);
    }
    return n.order;
}

/* Index of the record of that name, or count. */
static size_t search(const names *n, size_t count, const char *name)
{
    size_t low = 0, high = count;
    while (low < high) {
        const size_t middle = low + (high - low) / 2;
        const int c = strcmp(name, het__gguf_name_at(n->records, n->stride, n->order[middle]));
        if (c == 0)
            return n->order[middle];
        if (c < 0)
            high = middle;
        else
            low = middle + 1;
    }
    return count;
}

const het__gguf_entry *het__gguf_find(const het__gguf *gguf, const char *key)
{
    const names n = { gguf->entries, sizeof *gguf->entries, (size_t *)gguf->entry_order };
    const size_t i = search(&n, gguf->entry_count, key);
    return i < gguf->entry_count ? &gguf->entries[i] : NULL;
}

const het__gguf_tensor *het__gguf_tensor_find(const het__gguf *gguf, const char *name)
{
    const names n = { gguf->tensors, sizeof *gguf->tensors, (size_t *)gguf->tensor_order };
    const size_t i = search(&n, gguf->tensor_count, name);
    return i < gguf->tensor_count ? &gguf->tensors[i] : NULL;
}
