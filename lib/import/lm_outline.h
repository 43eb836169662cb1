/* SPDX-License-Identifier: Apache-2.0 */
/* The weights that a model of a configuration alone would have: names, types and extents as a GGUF
 * file holds them, and no data. Which ones there are is what the family's graph asks for. */
#ifndef HET_IMPORT_LM_OUTLINE_H
#define HET_IMPORT_LM_OUTLINE_H

#include "lib/import/gguf.h"
#include "lib/import/lm.h"

typedef struct het__lm_outline {
    const het__lm_config *config;
    het__arena *arena;
    het_dtype dtype; /* of matrices; vectors are F32 */
    het__gguf_tensor *tensors;
    size_t count, capacity;
    const het__gguf_tensor **by_name; /* when sealed */
    bool is_sealed; /* the list is complete: only read from now on, by any number of threads */
    bool failed;    /* out of memory while listing */
} het__lm_outline;

void het__lm_outline_init(het__lm_outline *outline, const het__lm_config *config,
                          het__arena *arena, het_dtype dtype);

/* Building a graph from it lists the weights, until it is sealed. Borrows the outline. */
het__lm_source het__lm_outline_source(het__lm_outline *outline);
/* False when memory ran out, now or while listing. */
bool het__lm_outline_seal(het__lm_outline *outline);

#endif /* HET_IMPORT_LM_OUTLINE_H */
