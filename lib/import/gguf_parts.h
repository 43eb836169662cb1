/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of the GGUF reader share. */
#ifndef HET_IMPORT_GGUF_PARTS_H
#define HET_IMPORT_GGUF_PARTS_H

#include <string.h>

#include "lib/import/gguf.h"

#define HET__GGUF_TYPE_COUNT 13

/* Bytes of one value; 0 for strings and arrays, whose values say it themselves. */
extern const uint8_t het__gguf_value_bytes[HET__GGUF_TYPE_COUNT];

/* Indices 0 to count - 1 of records of `stride` bytes that begin with a `const char *`, ordered by
 * that text; NULL when out of memory. Equal texts end up side by side. */
size_t *het__gguf_sort(het__arena *arena, const void *records, size_t count, size_t stride);

/* The number that files have for an element type; false if there is none. */
bool het__gguf_type_id(het_dtype dtype, uint32_t *id);

static inline const char *het__gguf_name_at(const void *records, size_t stride, size_t index)
{
    const char *name;
    memcpy(&name, (const char *)records + index * stride, sizeof name);
    return name;
}

/* Little-endian, unaligned. */
static inline uint32_t het__gguf_load32(const uint8_t *p)
{
    return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

static inline uint64_t het__gguf_load64(const uint8_t *p)
{
    return (uint64_t)het__gguf_load32(p) | (uint64_t)het__gguf_load32(p + 4) << 32;
}

#endif /* HET_IMPORT_GGUF_PARTS_H */
