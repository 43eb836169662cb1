/* SPDX-License-Identifier: Apache-2.0 */
/* Memory that is freed all at once: graphs, metadata, plans. Not thread-safe. */
#ifndef HET_BASE_ARENA_H
#define HET_BASE_ARENA_H

#include "lib/base/mem.h"

typedef struct het__arena {
    het__mem *mem;
    struct het__arena_block *head; /* newest first */
    size_t used;                   /* of head */
    size_t capacity;               /* of head */
} het__arena;

void het__arena_init(het__arena *arena, het__mem *mem);
void het__arena_finish(het__arena *arena);

/* Uninitialised, aligned to 16; NULL when out of memory. */
void *het__arena_alloc(het__arena *arena, size_t bytes);
/* count * size zero bytes; NULL on overflow or out of memory. */
void *het__arena_zero(het__arena *arena, size_t count, size_t size);
char *het__arena_strndup(het__arena *arena, const char *text, size_t length);
char *het__arena_strdup(het__arena *arena, const char *text);
char *het__arena_printf(het__arena *arena, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

#endif /* HET_BASE_ARENA_H */
