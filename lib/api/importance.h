/* SPDX-License-Identifier: Apache-2.0 */
/* How much each input column of a model's matrices matters: the mean square of what the columns are
 * multiplied by while the model reads a text. */
#ifndef HET_API_IMPORTANCE_H
#define HET_API_IMPORTANCE_H

#include "lib/api/handles.h"

/* Of one matrix, or of all matrices of a stack of experts alike. */
typedef struct het__column_weights {
    const char *name;  /* of the tensor, as in GGUF */
    int64_t columns;
    float *weights;    /* [columns], all > 0 */
} het__column_weights;

typedef struct het__importance {
    size_t count;
    het__column_weights *matrices; /* in the order of the graph */
} het__importance;

/* Read the text in windows of up to 512 tokens, with the model's own devices. Matrices whose input
 * is inside of an operation (down of the experts) and tables have no entry. All memory of the
 * result comes from the arena. */
het_status het__importance_measure(const het_model *model, const char *text, size_t bytes,
                                   uint32_t threads, het_progress_fn progress, void *user,
                                   het__arena *arena, het__importance *importance,
                                   het_error *err);

/* NULL: nothing is known. */
const float *het__importance_of(const het__importance *importance, const char *name,
                                int64_t columns);

#endif /* HET_API_IMPORTANCE_H */
