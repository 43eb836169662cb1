/* SPDX-License-Identifier: Apache-2.0 */
/* What fuzz targets share: a property check, and an allocator that counts, caps the memory in use,
 * and fails when told to. */
#ifndef HETINFER_FUZZ_H
#define HETINFER_FUZZ_H

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "lib/base/mem.h"

#define FUZZ_MEMORY_MAX ((size_t)64 << 20)

/* A property that does not hold ends the run with the input kept by the fuzzer. */
#define FUZZ_REQUIRE(condition)                                                            \
    do {                                                                                   \
        if (!(condition)) {                                                                \
            fprintf(stderr, "%s:%d: does not hold: %s\n", __FILE__, __LINE__, #condition); \
            abort();                                                                       \
        }                                                                                  \
    } while (0)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

typedef struct fuzz_memory {
    size_t used;
    size_t live;    /* blocks not given back */
    uint64_t until; /* allocations that still succeed */
} fuzz_memory;

static inline void *fuzz_alloc(void *user, size_t bytes, size_t align)
{
    fuzz_memory *m = user;
    const size_t whole = (bytes + align - 1) / align * align;
    if (whole < bytes || whole > FUZZ_MEMORY_MAX - m->used || m->until == 0)
        return NULL;
    void *p = aligned_alloc(align, whole);
    if (p) {
        m->until--;
        m->used += whole;
        m->live++;
    }
    return p;
}

static inline void fuzz_free(void *user, void *ptr, size_t bytes, size_t align)
{
    fuzz_memory *m = user;
    m->used -= (bytes + align - 1) / align * align;
    m->live--;
    free(ptr);
}

/* until: how many allocations succeed; UINT64_MAX: all. */
static inline void fuzz_mem_init(het__mem *mem, fuzz_memory *memory, uint64_t until)
{
    *memory = (fuzz_memory){ .until = until };
    const het_allocator allocator = { sizeof allocator, 0, memory, fuzz_alloc, fuzz_free };
    het__mem_init(mem, &allocator);
}

/* A number from all bytes of the input (FNV-1a), to choose what a variant run does. */
static inline uint64_t fuzz_seed(const uint8_t *data, size_t size)
{
    uint64_t h = UINT64_C(14695981039346656037);
    for (size_t i = 0; i < size; i++)
        h = (h ^ data[i]) * UINT64_C(1099511628211);
    return h ^ h >> 32;
}

#endif /* HETINFER_FUZZ_H */
