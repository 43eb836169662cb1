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

/* What may differ from layer to layer. */
typedef struct het__lm_layer {
    int64_t ffn_width;
    bool is_local; /* sees config->window positions and turns by config->local_theta */
    bool is_cut;   /* the feed-forward gate passes only what lies cut standard deviations above */
    float cut;     /* its mean, or as many below it */
    bool no_rope;  /* positions are not turned */
} het__lm_layer;

/* Whether the length of a sequence decides how its positions are turned. */
typedef enum het__turning {
    HET__TURNING_FIXED = 0,
    HET__TURNING_LONG,    /* other factors and magnitude for all of a sequence beyond a length */
    HET__TURNING_DYNAMIC, /* a base that grows with the length of what was read at once */
} het__turning;

/* Of yarn: frequencies that turn often stay, those that turn seldom are divided. */
typedef struct het__yarn {
    float factor;      /* 0: no yarn */
    int64_t original;  /* context that the factor multiplies */
    float fast, slow;  /* turns in it between which the two are mixed */
    bool is_exact;     /* the bounds are not rounded to whole pairs */
} het__yarn;

/* Hyperparameters, in the terms of the model file. */
typedef struct het__lm_config {
    char architecture[32];
    int64_t layers;
    int64_t width;      /* hidden state */
    int64_t ffn_width;  /* of layers that do not say else */
    int64_t vocabulary;
    int64_t context;    /* positions the model was made for */
    int32_t heads, kv_heads, head_size;
    int64_t experts, experts_used; /* 0: no mixture */
    int64_t expert_width;          /* feed-forward width of one expert; 0: ffn_width */
    bool experts_norm_given, experts_norm; /* weights of the experts are made to add up to 1 */
    float router_jitter;           /* of SparseMixer; 0: the family's */
    float norm_eps;
    het__rope_attrs rope;
    float local_theta;  /* rope base of local layers; 0: rope.theta, with scale and factors */
    het__turning turning;
    int64_t turning_length; /* up to which sequences turn as rope says; 0 if that is fixed */
    float long_magnitude;   /* of LONG */
    float stretch;          /* of DYNAMIC */
    het__yarn yarn;
    const float *made_factors; /* [rotated / 2] that no file holds; memory of whoever read this */
    bool turns_are_given;   /* the graph takes the angles of each token as its input "turns" */
    int32_t window;     /* sliding window of local layers, 0 = none */
    het__lm_layer *layer; /* [layers]; memory of whoever read the configuration */
    bool pattern_given; /* which layers are local was said, not assumed */
    bool cut_given;
    bool no_rope_given; /* likewise which layers do not rotate */
    float attention_scale; /* of q·k; 0: 1 / sqrt(head_size) */
    float attention_cap, logit_cap; /* c·tanh(x/c); 0: none */
    /* Streams, embeddings per layer and shared keys (gemma3n). */
    int64_t shared_kv_layers;      /* last layers that read the state of earlier ones */
    int64_t per_layer_width, per_layer_vocabulary;
    int32_t streams, stream_active;
    int64_t laurel_rank;
    /* Weights that a configuration alone says are there; a file with weights shows it. */
    bool qkv_bias, output_bias, head_bias, tied;
    bool rope_factors; /* frequencies are divided by factors */
    /* Set by the family. */
    bool head_norms;    /* RMS norm over each head of q and k */
    bool value_norm;    /* and, without weights, of v */
    bool fused_qkv;     /* one weight holds q, k, v; one holds gate and up */
    bool scaled_embedding; /* rows of the table times sqrt(width) */
    het__norm_kind norm;
    het__unary act;     /* of the feed-forward gate */
    het__router router;
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

/* find: weight comes with the rank and extents that the graph asks for, and leaves with those that
 * are there. False: there is no such weight. */
typedef struct het__lm_source {
    void *user;
    bool (*find)(void *user, const char *name, het__lm_weight *weight);
} het__lm_source;

typedef struct het__lm_build het__lm_build;

typedef struct het__lm_family {
    const char *architecture; /* as in general.architecture */
    void (*configure)(het__lm_config *config); /* what the file does not say */
    void (*block)(het__lm_build *build, int32_t layer); /* one repeated block: x -> x */
    void (*begin)(het__lm_build *build); /* between embedding and blocks; may be NULL */
    void (*end)(het__lm_build *build);   /* makes x of the picked rows; NULL: x is there */
} het__lm_family;

/* Streams of the hidden state that a family may keep. */
#define HET__LM_STREAMS_MAX 8

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
    uint32_t stream[HET__LM_STREAMS_MAX]; /* config->streams of them */
    uint32_t per_layer;   /* inputs of all layers side by side */
    uint32_t state[2][2]; /* newest keys and values: [is_local][value] */
};

/* Room for the layers, all of ffn_width, local if there is a window; false when out of memory. */
bool het__lm_layers_init(het__lm_config *config, het__arena *arena);
/* What is set by no file: called once a configuration has been read. */
het_status het__lm_configure(const het__lm_family *family, het__lm_config *config,
                             het_error *err);

/* NULL if the architecture is unknown. */
const het__lm_family *het__lm_family_of(const char *architecture);
/* "llama, qwen2, …" */
const char *het__lm_family_list(void);

/* The whole graph: embedding, blocks, norm, head. Names of inputs: "ids", "positions", "slots",
 * "segments", "pages", "rows", and "turns" if config says so; of the output:
 * "logits"; of states: "k_state.<layer>", "v_state.<layer>". On failure the graph is finished. */
het_status het__lm_graph(const het__lm_family *family, const het__lm_config *config,
                         const het__lm_source *source, het_dtype kv_dtype, het__mem *mem,
                         het__graph *graph, het_error *err);

/* ---- pieces for families; all are no-ops after a failure ---- */

/* A node called "blk.<layer>.<name>"; its first output. */
uint32_t het__lm_node(het__lm_build *build, het__op op, int32_t layer, const char *name,
                      const uint32_t *inputs, uint32_t count, const het__attrs *attrs);
uint32_t het__lm_add(het__lm_build *build, int32_t layer, const char *name, uint32_t a,
                     uint32_t b);
uint32_t het__lm_unary(het__lm_build *build, int32_t layer, const char *name, uint32_t x,
                       het__unary kind, float alpha);
/* Weight "blk.<layer>.<name>" (layer >= 0) or "<name>" of the given extents (rank 1 or 2; rows 0:
 * rank 1). Missing: HET__NO_VALUE if optional, else failure. */
uint32_t het__lm_weight_find(het__lm_build *build, int32_t layer, const char *name, int64_t rows,
                             int64_t columns, bool optional);
/* The same of rank 3: a matrix per expert. */
uint32_t het__lm_weight_stack(het__lm_build *build, int32_t layer, const char *name,
                              int64_t matrices, int64_t rows, int64_t columns);
/* Rows [first, first + rows) of such a weight as a weight of its own; matrices > 0: of a weight of
 * rank 3, whose rows are counted through. */
uint32_t het__lm_weight_rows(het__lm_build *build, int32_t layer, const char *name,
                             int64_t matrices, int64_t all_rows, int64_t columns, int64_t first,
                             int64_t rows);
/* "<name>.weight" (and "<name>.bias" of layer norms) over groups of so many elements. */
uint32_t het__lm_norm_of(het__lm_build *build, int32_t layer, const char *name, uint32_t x,
                         int64_t group);
uint32_t het__lm_norm(het__lm_build *build, int32_t layer, const char *name, uint32_t x);
uint32_t het__lm_linear(het__lm_build *build, int32_t layer, const char *name, uint32_t x,
                        uint32_t weight, uint32_t bias);
/* x times "<name>.weight" of the given extents. */
uint32_t het__lm_product(het__lm_build *build, int32_t layer, const char *name, uint32_t x,
                         int64_t rows, int64_t columns);
/* Attention over x (already normalised), output projection included. */
uint32_t het__lm_attention(het__lm_build *build, int32_t layer, uint32_t x);
/* down(act(gate(x)) * up(x)); or the mixture of experts, where there are any. */
uint32_t het__lm_ffn(het__lm_build *build, int32_t layer, uint32_t x);
/* x + attention(norm(x)), then x + ffn(norm(x)): the block of most families. */
void het__lm_standard_block(het__lm_build *build, int32_t layer);
/* The same with a norm behind attention and feed-forward each, before the sum. */
void het__lm_sandwich_block(het__lm_build *build, int32_t layer);

#endif /* HET_IMPORT_LM_H */
