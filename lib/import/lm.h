/* SPDX-License-Identifier: Apache-2.0 */
/* Language models: what a family needs to know, and the pieces its graph is made of.
 *
 * A family (arch/<name>.c) is data and a graph: it completes the configuration and builds the
 * graph from the blocks below. Where the configuration and the weights come from (GGUF, later
 * other formats) is not its business. */
#ifndef HET_IMPORT_LM_H
#define HET_IMPORT_LM_H

#include "lib/ir/graph.h"

/* Positions per page of the key/value state: a page is the tile that attention works on. */
#define HET__PAGE_SIZE 64

/* Hyperparameters, in the terms of the model file. */
typedef struct het__lm_config {
    char architecture[32];
    int64_t layers;
    int64_t width;      /* hidden state */
    int64_t ffn_width;
    int64_t vocabulary;
    int64_t context;    /* positions the model was made for */
    int32_t heads, kv_heads, head_size;
    int64_t experts, experts_used;
    float norm_eps;
    het__rope_attrs rope;
    int32_t window;     /* sliding window, 0 = none */
    /* Set by the family. */
    bool head_norms;    /* RMS norm over each head of q and k */
    bool fused_qkv;     /* one weight holds q, k, v; one holds gate and up */
} het__lm_config;

/* One weight where it lies. */
typedef struct het__lm_weight {
    const char *name;
    het_dtype dtype;
    uint32_t rank;
    int64_t extent[HET_RANK_MAX]; /* outermost first */
    const void *data;
    size_t bytes;
} het__lm_weight;

typedef struct het__lm_source {
    void *user;
    bool (*find)(void *user, const char *name, het__lm_weight *weight);
} het__lm_source;

typedef struct het__lm_build het__lm_build;

typedef struct het__lm_family {
    const char *architecture; /* as in general.architecture */
    void (*configure)(het__lm_config *config); /* what the file does not say */
    void (*block)(het__lm_build *build, int32_t layer); /* one repeated block: x -> x */
} het__lm_family;

/* Values of the graph that stand for the step, and the running hidden state. */
struct het__lm_build {
    het__graph *graph;
    const het__lm_config *config;
    const het__lm_source *source;
    het_dtype kv_dtype;
    het_error *err;
    het_status status; /* first failure */
    uint32_t ids, positions, slots, segments, pages, rows;
    uint32_t factors; /* of rope, or HET__NO_VALUE */
    uint32_t x;
};

/* NULL if the architecture is unknown. */
const het__lm_family *het__lm_family_of(const char *architecture);
/* "llama, qwen2, …" */
const char *het__lm_family_list(void);

/* The whole graph: embedding, blocks, norm, head. Names of inputs: "ids", "positions", "slots",
 * "segments", "pages", "rows"; of the output: "logits"; of states: "k_state.<layer>",
 * "v_state.<layer>". On failure the graph is finished. */
het_status het__lm_graph(const het__lm_family *family, const het__lm_config *config,
                         const het__lm_source *source, het_dtype kv_dtype, het__mem *mem,
                         het__graph *graph, het_error *err);

/* ---- pieces for families; all are no-ops after a failure ---- */

/* Weight "blk.<layer>.<name>" (layer >= 0) or "<name>" of the given extents (rank 1 or 2; rows 0:
 * rank 1). Missing: HET__NO_VALUE if optional, else failure. */
uint32_t het__lm_weight_find(het__lm_build *build, int32_t layer, const char *name, int64_t rows,
                             int64_t columns, bool optional);
/* Rows [first, first + rows) of such a weight as a weight of its own. */
uint32_t het__lm_weight_rows(het__lm_build *build, int32_t layer, const char *name,
                             int64_t all_rows, int64_t columns, int64_t first, int64_t rows);
uint32_t het__lm_norm(het__lm_build *build, int32_t layer, const char *weight, uint32_t x);
uint32_t het__lm_linear(het__lm_build *build, int32_t layer, const char *name, uint32_t x,
                        uint32_t weight, uint32_t bias);
/* Attention over x (already normalised), output projection included. */
uint32_t het__lm_attention(het__lm_build *build, int32_t layer, uint32_t x);
/* down(act(gate(x)) * up(x)). */
uint32_t het__lm_ffn(het__lm_build *build, int32_t layer, uint32_t x, het__unary act);
/* x + attention(norm(x)), then x + ffn(norm(x)): the block of most families. */
void het__lm_standard_block(het__lm_build *build, int32_t layer);

#endif /* HET_IMPORT_LM_H */
