/* SPDX-License-Identifier: Apache-2.0 */
/* What passes rewrite graphs with.
 *
 * A pass looks for a pattern from its last node backwards, makes the nodes that replace it (they
 * are appended and sorted in later), lets the readers of the old result read the new one, and
 * leaves what nobody reads any more to the sweep behind the pass. Pointers to nodes and values are
 * good until the next node or value is made. */
#ifndef HET_PASSES_REWRITE_H
#define HET_PASSES_REWRITE_H

#include "lib/ir/eval.h"

typedef struct het__rewriter {
    het__graph *graph;
    uint32_t *uses; /* per value: inputs that read it; kept up to date by the functions below */
    uint32_t uses_capacity;
    uint32_t rewrites; /* counted by the pass */
    int32_t block;     /* channels that devices like to have together in images; 0: any */
    bool failed;       /* memory ran out, or a rule refused: err says which */
    het_error *err;
} het__rewriter;

/* The node that makes a value; NULL for inputs, constants and dead nodes. */
het__node *het__rw_producer(const het__rewriter *r, uint32_t value);
/* The node that makes the value, if it is of this kind, has no other output and nothing else reads
 * the value (nor is it an output of the graph). */
het__node *het__rw_sole(const het__rewriter *r, uint32_t value, het__op op);
/* The only node that reads a value; NULL if there are none or more, or it is an output of the
 * graph. O(nodes). */
het__node *het__rw_reader(const het__rewriter *r, uint32_t value);
static inline const het__value *het__rw_input(const het__rewriter *r, const het__node *node,
                                              uint32_t i)
{
    return i < node->input_count && node->inputs[i] != HET__NO_VALUE
               ? &r->graph->values[node->inputs[i]] : NULL;
}

/* A new node behind all others, of any kind, with shapes by its rule; its first output. For a
 * tensor operation attrs->tensor must lie in the graph's arena or longer. HET__NO_VALUE when r has
 * failed. The name is that of the node it stands for. */
uint32_t het__rw_node(het__rewriter *r, het__op op, const char *name, const uint32_t *inputs,
                      uint32_t input_count, uint32_t output_count, const het__attrs *attrs);
/* Whoever reads `from` reads `to`; an output of the graph becomes `to`. Both have one shape. to
 * must be made by a node if from is an output of the graph. */
void het__rw_replace(het__rewriter *r, uint32_t from, uint32_t to);
void het__rw_kill(het__rewriter *r, het__node *node);
const uint32_t *het__rw_keep_ids(het__rewriter *r, const uint32_t *ids, uint32_t count);

/* ---- constants ---- */

/* A new F32 constant whose zeroed elements *data points to. */
uint32_t het__rw_floats(het__rewriter *r, const char *name, uint32_t rank, const int64_t *extent,
                        float **data);
/* The same of any type with data that lives as long as the graph. */
uint32_t het__rw_constant(het__rewriter *r, const char *name, het_dtype dtype, uint32_t rank,
                          const int64_t *extent, const void *data);
/* Who reads `old` reads `made`, under the old value's extents; counts as a rewrite. */
void het__rw_replace_shaped(het__rewriter *r, uint32_t old, uint32_t made, const char *name);
/* An image of a row [N,C,W] as [N,C,1,W]; one of rank 4 as it is. */
uint32_t het__rw_as_image(het__rewriter *r, const char *name, uint32_t value);
/* Elements of an F32 constant, where they lie or, if a float may not be read there, in memory of
 * the arena; NULL if the value is something else (or memory ran out: failed). */
const float *het__rw_read_floats(het__rewriter *r, uint32_t value, int64_t *count);
/* The value of a constant with one element of a floating type. */
bool het__rw_scalar(const het__rewriter *r, uint32_t value, double *x);
/* Attributes of a tensor operation in the arena. */
const het__attr *het__rw_attrs(het__rewriter *r, const het__attr *items, uint32_t count);

/* A view of a value with other extents: the same constant, or a Reshape. */
uint32_t het__rw_reshape(het__rewriter *r, const char *name, uint32_t value, uint32_t rank,
                         const int64_t *extent);
/* Operands of a node for the helpers of shape rules; false if they are not all concrete. inputs
 * and outputs have room for those of the node. */
bool het__rw_eval(const het__rewriter *r, const het__node *node, het__tensor *inputs,
                  het__tensor *outputs, het__eval *e);

/* Nodes in an order in which inputs come first, dead nodes left out; uses counted anew. */
void het__rw_settle(het__rewriter *r);

#endif /* HET_PASSES_REWRITE_H */
