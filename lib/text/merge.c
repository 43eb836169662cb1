/* SPDX-License-Identifier: Apache-2.0 */
/* Merging neighbours, least order first and leftmost among equals, by a binary heap of keys
 *
 *     order (32 bits) | index of the left symbol (32 bits)
 *
 * An entry goes stale when the left symbol's merge changes; it is then skipped when it comes up,
 * because the symbol no longer has that order. Each merge adds two entries at most and takes one,
 * so the heap never holds more than twice as many entries as there were symbols. */
#include <assert.h>

#include "lib/text/internal.h"

bool het__encoder_reserve(het__encoder *encoder, size_t count)
{
    if (count <= encoder->symbol_capacity)
        return true;
    const size_t capacity = count < 64 ? 64 : count + count / 2;
    size_t bytes;
    if (count >= HET__NONE / 2 || !het__mul_size(capacity, sizeof *encoder->symbols, &bytes))
        return false;
    het__free(encoder->mem, encoder->symbols);
    het__free(encoder->mem, encoder->heap);
    encoder->symbols = het__alloc(encoder->mem, bytes);
    encoder->heap = het__alloc(encoder->mem, 2 * capacity * sizeof *encoder->heap);
    encoder->symbol_capacity = encoder->symbols && encoder->heap ? capacity : 0;
    return encoder->symbol_capacity > 0;
}

bool het__encoder_emit(het__encoder *encoder, uint32_t id)
{
    assert(id < encoder->tokenizer->token_count);
    if (encoder->id_count == encoder->id_capacity) {
        const size_t capacity = encoder->id_capacity < 64 ? 64 : 2 * encoder->id_capacity;
        size_t bytes;
        if (!het__mul_size(capacity, sizeof *encoder->ids, &bytes))
            return false;
        int32_t *ids = het__realloc(encoder->mem, encoder->ids, bytes);
        if (!ids)
            return false;
        encoder->ids = ids;
        encoder->id_capacity = capacity;
    }
    encoder->ids[encoder->id_count++] = (int32_t)id;
    return true;
}

bool het__encoder_escape(het__encoder *encoder, size_t bytes)
{
    if (bytes <= encoder->escaped_capacity)
        return true;
    het__free(encoder->mem, encoder->escaped);
    encoder->escaped = het__alloc(encoder->mem, bytes);
    encoder->escaped_capacity = encoder->escaped ? bytes : 0;
    return encoder->escaped != NULL;
}

static void heap_push(uint64_t *heap, size_t *count, uint64_t key)
{
    size_t i = (*count)++;
    while (i > 0 && heap[(i - 1) / 2] > key) {
        heap[i] = heap[(i - 1) / 2];
        i = (i - 1) / 2;
    }
    heap[i] = key;
}

static uint64_t heap_pop(uint64_t *heap, size_t *count)
{
    const uint64_t top = heap[0], last = heap[--*count];
    const size_t n = *count;
    size_t i = 0;
    for (size_t child = 1; child < n; child = 2 * i + 1) {
        if (child + 1 < n && heap[child + 1] < heap[child])
            child++;
        if (heap[child] >= last)
            break;
        heap[i] = heap[child];
        i = child;
    }
    heap[i] = last;
    return top;
}

/* Find the merge of symbol i with what follows it now. */
static void consider(het__encoder *encoder, size_t *heap_count, uint32_t i, het__match_fn match)
{
    het__symbol *s = &encoder->symbols[i];
    s->order = s->next == HET__NONE
                   ? HET__NONE
                   : match(encoder, s, &encoder->symbols[s->next], &s->merged);
    if (s->order == HET__NONE)
        return;
    assert(*heap_count < 2 * encoder->symbol_capacity);
    heap_push(encoder->heap, heap_count, (uint64_t)s->order << 32 | i);
}

void het__encoder_merge(het__encoder *encoder, size_t count, het__match_fn match)
{
    het__symbol *symbols = encoder->symbols;
    size_t heap_count = 0;
    for (size_t i = 0; i + 1 < count; i++)
        consider(encoder, &heap_count, (uint32_t)i, match);
    while (heap_count > 0) {
        const uint64_t key = heap_pop(encoder->heap, &heap_count);
        const uint32_t i = (uint32_t)key;
        het__symbol *left = &symbols[i];
        if (left->order != key >> 32)
            continue;
        het__symbol *right = &symbols[left->next];
        assert(left->order != HET__NONE);
        left->id = left->merged;
        left->end = right->end;
        left->next = right->next;
        right->order = HET__NONE;
        if (left->next != HET__NONE)
            symbols[left->next].previous = i;
        if (left->previous != HET__NONE)
            consider(encoder, &heap_count, left->previous, match);
        consider(encoder, &heap_count, i, match);
    }
}

bool het__encoder_emit_byte(het__encoder *encoder, unsigned char byte)
{
    const het_tokenizer *t = encoder->tokenizer;
    const uint32_t id = t->byte_symbol[byte];
    if (id < t->token_count)
        return het__encoder_emit(encoder, id);
    return t->unknown_id < 0 || het__encoder_emit(encoder, (uint32_t)t->unknown_id);
}
