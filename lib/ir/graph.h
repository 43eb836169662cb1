/* SPDX-License-Identifier: Apache-2.0 */
/* The one graph form: values (tensors) and nodes (operations), in an arena.
 *
 * Nodes stand in topological order. Extents may be symbolic: a multiple of a symbol that is bound
 * when a plan is made or a step runs. */
#ifndef HET_IR_GRAPH_H
#define HET_IR_GRAPH_H

#include "lib/base/arena.h"
#include "lib/base/text.h"
#include "lib/ir/op.h"

#define HET__NO_VALUE UINT32_MAX

/* Symbols of a language model's graph; a graph may add its own behind them. */
typedef enum het__symbol {
    HET__SYM_ONE = 0,   /* the constant 1 */
    HET__SYM_TOKENS,    /* T: tokens of the step, all sequences */
    HET__SYM_SEQUENCES, /* B: sequences in the step */
    HET__SYM_ROWS,      /* R: rows of logits wanted */
    HET__SYM_PAGES,     /* P: page-table entries of the step */
    HET__SYM_CONTEXT,   /* S: positions before the step (cost only, no extent) */
    HET__SYM_STATE_PAGES, /* pages of the key/value state */
    HET__SYM_COUNT,
    HET__SYM_MAX = 64
} het__symbol;

/* count * symbol */
typedef struct het__extent {
    int64_t count;
    uint32_t symbol;
} het__extent;

typedef enum het__value_kind {
    HET__VALUE_TEMP = 0, /* made by a node, used by nodes */
    HET__VALUE_INPUT,    /* given for each step */
    HET__VALUE_OUTPUT,   /* made by a node, read by the caller */
    HET__VALUE_CONST,    /* a weight: data does not change */
    HET__VALUE_STATE,    /* kept from step to step; nodes that use it read and write it */
} het__value_kind;

/* Rank of a value whose shape nobody has worked out yet. */
#define HET__RANK_UNKNOWN UINT32_MAX

typedef struct het__value {
    const char *name;
    het__value_kind kind;
    het_dtype dtype; /* HET_DTYPE_NONE: not known yet */
    uint32_t rank;
    het__extent extent[HET_RANK_MAX];
    uint32_t producer; /* node, or HET__NO_VALUE */
    const void *data;  /* of a constant: host memory, borrowed; NULL in a graph without weights */
} het__value;

typedef struct het__node {
    het__op op;
    int32_t layer; /* block, or -1 */
    uint32_t input_count;
    uint32_t output_count;
    const uint32_t *inputs; /* values; HET__NO_VALUE where an optional input is absent */
    const uint32_t *outputs;
    het__attrs attrs;
    const char *name; /* for messages */
} het__node;

typedef struct het__graph {
    het__arena arena;
    het__value *values;
    uint32_t value_count, value_capacity;
    het__node *nodes;
    uint32_t node_count, node_capacity;
    uint32_t symbol_count;
    const char *symbol_names[HET__SYM_MAX]; /* of symbols that the graph added */
    uint32_t *outputs; /* values of kind OUTPUT in the order of the file; arena */
    uint32_t output_count;
    bool failed; /* memory ran out while building */
} het__graph;

void het__graph_init(het__graph *graph, het__mem *mem);
void het__graph_finish(het__graph *graph);

/* Building. All return HET__NO_VALUE and set graph->failed when memory runs out, and accept
 * HET__NO_VALUE as input then, so that a builder checks once at its end. */
uint32_t het__graph_value(het__graph *graph, const char *name, het__value_kind kind,
                          het_dtype dtype, uint32_t rank, const het__extent *extent);
uint32_t het__graph_const(het__graph *graph, const char *name, het_dtype dtype, uint32_t rank,
                          const int64_t *extent, const void *data);
/* Adds a node with one temporary F32 output per shape that the op table's rule gives; returns the
 * first output's value, the others follow it. HET__NO_VALUE also if the rule refuses the inputs;
 * then err says why (once: failed stays set). */
uint32_t het__graph_node(het__graph *graph, het__op op, int32_t layer, const char *name,
                         const uint32_t *inputs, uint32_t input_count, const het__attrs *attrs,
                         het_error *err);

/* Adds a tensor operation without asking its rule: output_count temporaries of unknown shape, the
 * first of which is returned. attrs is kept, not copied. */
uint32_t het__graph_tensor_node(het__graph *graph, het__op op, const char *name,
                                const uint32_t *inputs, uint32_t input_count,
                                uint32_t output_count, const het__attr_list *attrs);
/* The symbol of that name, added if it is new; HET__SYM_MAX when there is no room. */
uint32_t het__graph_symbol(het__graph *graph, const char *name);
/* The value becomes the graph's next output under a name of its own. It must be made by a node and
 * not be an output yet. */
void het__graph_output(het__graph *graph, uint32_t value, const char *name);

static inline bool het__value_is_known(const het__value *value)
{
    return value->rank != HET__RANK_UNKNOWN;
}

/* Every node's inputs come before it, and every rule holds. */
het_status het__graph_check(const het__graph *graph, het_error *err);

/* Use lists: for each value the number of node inputs that read it. counts has value_count
 * entries. */
void het__graph_use_counts(const het__graph *graph, uint32_t *counts);

/* Rewriting: a pass copies the graph node by node into a new one, leaving out, merging, changing;
 * values keep their ids. Drops nodes marked with op NONE and keeps order. */
void het__graph_compact(het__graph *graph);
/* The same, and every node moves behind those that make its inputs; nodes in order stay in it.
 * False when memory ran out (nothing has changed then). The graph must not have cycles. */
bool het__graph_sort(het__graph *graph);

/* Size of a value when symbols are bound: -1 on overflow or a non-block row. */
int64_t het__value_bytes(const het__value *value, const int64_t *symbols);
int64_t het__value_elements(const het__value *value, const int64_t *symbols);
static inline int64_t het__extent_bind(het__extent extent, const int64_t *symbols)
{
    return extent.count * symbols[extent.symbol];
}

/* Rows (all extents but the last) and the last extent, the form most kernels see. */
void het__value_matrix(const het__value *value, const int64_t *symbols, int64_t *rows,
                       int64_t *columns);

/* One line per node: "%12 [T,64] = linear(%11, w:blk.0.attn_q) ; block 0". */
void het__graph_write(const het__graph *graph, het__text *text);

/* ---- the op table (op.c) ---- */

/* What running a node once takes. */
typedef struct het__work {
    double macs;         /* multiply-accumulate pairs */
    double flops;        /* all floating-point operations; a pair counts as two */
    double input_bytes;  /* activations and state read */
    double output_bytes; /* activations and state written */
    double weight_bytes; /* constants read */
    double units;        /* independent pieces of work */
} het__work;

typedef struct het__op_info {
    const char *name;
    uint32_t inputs_min, inputs_max;
    /* Fill shapes (rank, extent; dtype F32 set before) of up to output_max outputs; HET_E_INVALID
     * with a sentence if the inputs do not fit. */
    het_status (*shape)(const het__graph *graph, const het__node *node, het__value *outputs,
                        uint32_t *output_count, het_error *err);
    /* Arithmetic of one run; bytes are the same for all operations and counted outside. */
    void (*count)(const het__graph *graph, const het__node *node, const int64_t *symbols,
                  het__work *work);
    const char *parallel_axes; /* for the report: "tokens", "tokens, columns", … */
} het__op_info;

const het__op_info *het__op_info_of(het__op op);
/* Name of a node's operation for people: "Conv", "com.example:Mirror". */
const char *het__node_operation(const het__node *node);

/* ---- tensor operations (tensor_op.c) ---- */

struct het__eval;

typedef struct het__tensor_op {
    het__op_info info; /* shape and count ask the rules below */
    uint32_t outputs_max;
    het_status (*shape)(struct het__eval *e); /* NULL for HET__OP_T_UNKNOWN */
    void (*count)(const struct het__eval *e, het__work *work);
} het__tensor_op;

const het__tensor_op *het__tensor_op_of(het__op op); /* NULL for any other operation */
/* By the name in the table ("Conv", "com.microsoft:QLinearAdd"); HET__OP_T_UNKNOWN if there is
 * none. O(n). */
het__op het__tensor_op_find(const char *name);
const char *het__unary_name(het__unary kind);
const char *het__act_name(het__act_kind kind);

/* Rules of the operations on images and of MATMUL (op_image.c). */
het_status het__op_shape_image(const het__graph *graph, const het__node *node,
                               het__value *outputs, uint32_t *count, het_error *err);
het_status het__op_shape_matmul(const het__graph *graph, const het__node *node,
                                het__value *outputs, uint32_t *count, het_error *err);
het_status het__op_shape_map(const het__graph *graph, const het__node *node, het__value *outputs,
                             uint32_t *count, het_error *err);
void het__op_count_image(const het__graph *graph, const het__node *node, const int64_t *symbols,
                         het__work *work);
void het__op_count_matmul(const het__graph *graph, const het__node *node, const int64_t *symbols,
                          het__work *work);

/* Rules of mixtures and streams (op_mixture.c). */
het_status het__op_shape_moe(const het__graph *graph, const het__node *node, het__value *outputs,
                             uint32_t *count, het_error *err);
het_status het__op_shape_columns(const het__graph *graph, const het__node *node,
                                 het__value *outputs, uint32_t *count, het_error *err);
het_status het__op_shape_join(const het__graph *graph, const het__node *node, het__value *outputs,
                              uint32_t *count, het_error *err);
het_status het__op_shape_row(const het__graph *graph, const het__node *node, het__value *outputs,
                             uint32_t *count, het_error *err);
het_status het__op_shape_streams(const het__graph *graph, const het__node *node,
                                 het__value *outputs, uint32_t *count, het_error *err);
void het__op_count_moe(const het__graph *graph, const het__node *node, const int64_t *symbols,
                       het__work *work);
void het__op_count_row(const het__graph *graph, const het__node *node, const int64_t *symbols,
                       het__work *work);
void het__op_count_streams(const het__graph *graph, const het__node *node,
                           const int64_t *symbols, het__work *work);
/* Share of a mixture's experts that a step with these symbols is expected to read. */
double het__op_moe_share(const het__graph *graph, const het__node *node, const int64_t *symbols);

/* Work of a node with symbols bound (all HET__SYM_MAX entries, SYM_ONE = 1). */
void het__node_work(const het__graph *graph, const het__node *node, const int64_t *symbols,
                    het__work *work);

#endif /* HET_IR_GRAPH_H */
