/* SPDX-License-Identifier: Apache-2.0 */
/* Scratch memory of programs. Each layer of a model is a program, and their wants are alike: one
 * block serves all of a size or less, because they run in order and leave nothing in it. Blocks are
 * kept as they are when a larger one is wanted, since calls point at them. */
#include "backends/gpu/driver.h"

#include "lib/base/error.h"

/* The smallest that is large enough, or one more. */
het_status het__gpu_scratch_take(het__gpu *gpu, size_t bytes, het__gpu_scratch **scratch,
                                 het_error *err)
{
    het__gpu_scratch *best = NULL;
    for (het__gpu_scratch *t = gpu->scratch; t; t = t->next)
        if (t->bytes >= bytes && (!best || t->bytes < best->bytes))
            best = t;
    if (!best) {
        best = het__alloc_zero(gpu->host.mem, 1, sizeof *best);
        if (!best)
            return het__fail_nomem(err, "scratch memory");
        const het_status s = gpu->driver->memory_make(gpu, bytes, NULL, &best->mem, err);
        if (s != HET_OK) {
            het__free(gpu->host.mem, best);
            return s;
        }
        best->bytes = bytes;
        best->next = gpu->scratch;
        gpu->scratch = best;
        gpu->counters.scratch_bytes += bytes;
    }
    best->user_count++;
    *scratch = best;
    return HET_OK;
}

void het__gpu_scratch_leave(het__gpu *gpu, het__gpu_scratch *scratch)
{
    if (--scratch->user_count > 0)
        return;
    het__gpu_scratch **link = &gpu->scratch;
    while (*link != scratch)
        link = &(*link)->next;
    *link = scratch->next;
    gpu->driver->memory_free(gpu, scratch->mem);
    gpu->counters.scratch_bytes -= scratch->bytes;
    het__free(gpu->host.mem, scratch);
}
