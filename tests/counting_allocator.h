/* SPDX-License-Identifier: Apache-2.0 */
/* An allocator for tests: counts blocks and bytes, checks that they come back as they were given,
 * and fails on request. Safe on several threads. */
#ifndef HETINFER_COUNTING_ALLOCATOR_H
#define HETINFER_COUNTING_ALLOCATOR_H

#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>

#include <hetinfer/context.h>

typedef struct counting_allocator {
    _Atomic int64_t blocks, bytes; /* in use */
    _Atomic uint64_t calls;        /* since the last counting_allocator_fail() */
    _Atomic uint64_t fail_at;      /* number of the call that fails; 0: none */
    _Atomic uint64_t failed;       /* calls that were made to fail, since then too */
} counting_allocator;

static inline void *counting_alloc(void *user, size_t bytes, size_t align)
{
    counting_allocator *c = user;
    const uint64_t call = atomic_fetch_add(&c->calls, 1) + 1;
    if (call == atomic_load(&c->fail_at)) {
        atomic_fetch_add(&c->failed, 1);
        return NULL;
    }
    void *p = aligned_alloc(align, (bytes + align - 1) / align * align);
    if (p) {
        atomic_fetch_add(&c->blocks, 1);
        atomic_fetch_add(&c->bytes, (int64_t)bytes);
    }
    return p;
}

static inline void counting_free(void *user, void *ptr, size_t bytes, size_t align)
{
    counting_allocator *c = user;
    (void)align;
    atomic_fetch_sub(&c->blocks, 1);
    atomic_fetch_sub(&c->bytes, (int64_t)bytes);
    free(ptr);
}

static inline het_allocator counting_allocator_of(counting_allocator *c)
{
    return (het_allocator){ sizeof(het_allocator), 0, c, counting_alloc, counting_free };
}

/* From now on the n-th call fails, once; 0: none does. */
static inline void counting_allocator_fail(counting_allocator *c, uint64_t n)
{
    atomic_store(&c->calls, 0);
    atomic_store(&c->failed, 0);
    atomic_store(&c->fail_at, n);
}

#endif /* HETINFER_COUNTING_ALLOCATOR_H */
