/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/base/arena.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* Small enough for a test model, large enough that a 30-layer graph takes a few blocks. */
#define BLOCK_BYTES ((size_t)16 << 10)

struct het__arena_block {
    struct het__arena_block *next;
    size_t bytes;
};

void het__arena_init(het__arena *arena, het__mem *mem)
{
    memset(arena, 0, sizeof *arena);
    arena->mem = mem;
}

void het__arena_finish(het__arena *arena)
{
    struct het__arena_block *b = arena->head;
    while (b) {
        struct het__arena_block *next = b->next;
        het__free(arena->mem, b);
        b = next;
    }
    arena->head = NULL;
    arena->used = arena->capacity = 0;
}

static bool add_block(het__arena *arena, size_t least)
{
    size_t bytes = least > BLOCK_BYTES ? least : BLOCK_BYTES;
    if (!het__add_size(bytes, sizeof(struct het__arena_block), &bytes))
        return false;
    struct het__arena_block *b = het__alloc(arena->mem, bytes);
    if (!b)
        return false;
    b->next = arena->head;
    b->bytes = bytes;
    arena->head = b;
    arena->used = sizeof *b;
    arena->capacity = bytes;
    return true;
}

void *het__arena_alloc(het__arena *arena, size_t bytes)
{
    if (bytes > SIZE_MAX - 15)
        return NULL;
    bytes = bytes ? het__round_up(bytes, 16) : 16;
    if (arena->capacity - arena->used < bytes && !add_block(arena, bytes))
        return NULL;
    void *p = (char *)arena->head + arena->used;
    arena->used += bytes;
    return p;
}

void *het__arena_zero(het__arena *arena, size_t count, size_t size)
{
    size_t bytes;
    if (!het__mul_size(count, size, &bytes))
        return NULL;
    void *p = het__arena_alloc(arena, bytes);
    if (p)
        memset(p, 0, bytes);
    return p;
}

char *het__arena_strndup(het__arena *arena, const char *text, size_t length)
{
    char *p = length < SIZE_MAX ? het__arena_alloc(arena, length + 1) : NULL;
    if (p) {
        memcpy(p, text, length);
        p[length] = '\0';
    }
    return p;
}

char *het__arena_strdup(het__arena *arena, const char *text)
{
    return het__arena_strndup(arena, text, strlen(text));
}

char *het__arena_printf(het__arena *arena, const char *format, ...)
{
    char buffer[512];
    va_list args;
    va_start(args, format);
    const int n = vsnprintf(buffer, sizeof buffer, format, args);
    va_end(args);
    if (n < 0)
        return NULL;
    const size_t length = (size_t)n < sizeof buffer ? (size_t)n : sizeof buffer - 1;
    return het__arena_strndup(arena, buffer, length);
}
