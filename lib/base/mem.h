/* SPDX-License-Identifier: Apache-2.0 */
/* Host memory: every allocation of the library passes through here, so that it is counted, can be
 * made to fail by tests, and comes from the application's allocator.
 *
 *   [ header 64 bytes: size | pad ][ payload, aligned to 64 ]
 *
 * The header remembers the size that the application's free() wants back.
 */
#ifndef HET_BASE_MEM_H
#define HET_BASE_MEM_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <hetinfer/context.h>

/* Alignment of every block: a cache line and the widest vector. */
#define HET__ALIGN 64

/* Counters are atomic; the rest is immutable after het__mem_init(). */
typedef struct het__mem {
    het_allocator allocator;
    _Atomic uint64_t bytes; /* in use, headers included */
    _Atomic uint64_t peak;
    _Atomic uint64_t count; /* allocations so far */
} het__mem;

/* NULL allocator: aligned_alloc and free. */
void het__mem_init(het__mem *mem, const het_allocator *allocator);

/* Uninitialised bytes, aligned to HET__ALIGN; NULL when out of memory. Zero bytes give a valid
 * pointer. */
void *het__alloc(het__mem *mem, size_t bytes);
/* count * size bytes, all zero; NULL when out of memory or the product overflows. */
void *het__alloc_zero(het__mem *mem, size_t count, size_t size);
/* Grow (or shrink) a block; the old one stays valid on failure. ptr may be NULL. */
void *het__realloc(het__mem *mem, void *ptr, size_t bytes);
/* NUL-terminated copy of length bytes. */
char *het__strndup(het__mem *mem, const char *text, size_t length);
void het__free(het__mem *mem, void *ptr);

/* Overflow-checked sizes: false (and *out untouched) if the result does not fit. */
static inline bool het__mul_size(size_t a, size_t b, size_t *out)
{
    size_t r;
    if (__builtin_mul_overflow(a, b, &r))
        return false;
    *out = r;
    return true;
}

static inline bool het__add_size(size_t a, size_t b, size_t *out)
{
    size_t r;
    if (__builtin_add_overflow(a, b, &r))
        return false;
    *out = r;
    return true;
}

static inline bool het__mul_i64(int64_t a, int64_t b, int64_t *out)
{
    int64_t r;
    if (__builtin_mul_overflow(a, b, &r))
        return false;
    *out = r;
    return true;
}

static inline size_t het__round_up(size_t value, size_t multiple)
{
    return (value + multiple - 1) / multiple * multiple;
}

#endif /* HET_BASE_MEM_H */
