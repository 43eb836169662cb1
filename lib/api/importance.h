/* SPDX-License-Identifier: Apache-2.0 */
/* How much each input column of a model's matrices matters: the mean square of what the columns are
 * multiplied by while the model reads a text. */
#ifndef HET_API_IMPORTANCE_H
#define HET_API_IMPORTANCE_H

#include "lib/api/handles.h"

/* Of one matrix, or of each matrix of a stack of experts by itself. */
typedef struct het__column_weights {
    const char *name;  /* of the tensor, as in GGUF */
    int64_t columns;
    int64_t matrices;  /* 1, or experts */
    float *weights;    /* [matrices, columns], all > 0 */
} het__column_weights;

typedef struct het__importance {
    size_t count;
    het__column_weights *matrices; /* in the order of the graph */
} het__importance;

/* Read the text in windows of up to 512 tokens, with the model's own devices. Of an expert only the
 * tokens count that reach it, by the square of its share in their result. Tables have no entry. All
 * memory of the result comes from the arena. */
het_status het__importance_measure(const het_model *model, const char *text, size_t bytes,
                                   uint32_t threads, het_progress_fn progress, void *user,
                                   het__arena *arena, het__importance *importance,
                                   het_error *err);

/* Of the matrix of a tensor, or of all of the stack that it is; NULL: nothing is known. */
const het__column_weights *het__importance_of(const het__importance *importance,
                                              const het__gguf_tensor *tensor);

/* ---- experts (importance_experts.c) ---- */

/* What is summed up of one mixture. */
typedef struct het__expert_sums {
    const het__node *node;
    const het__value *gate, *up;
    int64_t experts, inner, columns;
    const float *rows, *scores; /* of the last step: inputs of the node */
    double *in, *out;           /* [experts, columns] and [experts, inner] */
    double *tokens;             /* [experts]: the weights of its tokens, added up */
    float *in_weights, *out_weights; /* the result, of the same shapes */
} het__expert_sums;

/* Sums of zero for a mixture whose matrices have data; false when out of memory. */
bool het__expert_sums_init(het__expert_sums *sums, het__arena *arena, const het__graph *graph,
                           const het__node *node);
/* The rows of one step, computed by up to `threads` threads; the result does not depend on how many
 * that are. */
het_status het__expert_sums_add(het__expert_sums *sums, size_t rows, uint32_t threads,
                                het__mem *mem, het_error *err);
void het__expert_sums_conclude(het__expert_sums *sums);
/* Mean squares as weights: 1 on average, and nowhere 0. */
void het__importance_scale(const double *squares, int64_t count, float *weights);

#endif /* HET_API_IMPORTANCE_H */
