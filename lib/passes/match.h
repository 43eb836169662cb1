/* SPDX-License-Identifier: Apache-2.0 */
/* What passes on tensor operations ask of a graph: shapes, constants, operands of a pattern. All
 * answers are for values whose extents are known; anything else never matches. */
#ifndef HET_PASSES_MATCH_H
#define HET_PASSES_MATCH_H

#include <string.h>

#include "lib/passes/rewrite.h"

/* Concrete tensor of a value, with data where it is a constant; false if the shape is not known. */
bool het__match_tensor(const het__rewriter *r, uint32_t value, het__tensor *t);
bool het__match_same_shape(const het__rewriter *r, uint32_t a, uint32_t b); /* and type */
bool het__match_is_f32(const het__rewriter *r, uint32_t value);
/* A constant whose contents are there. */
bool het__match_constant(const het__rewriter *r, uint32_t value, het__tensor *t);
/* Element i of an F32 constant, at any alignment. */
static inline double het__match_number(const het__tensor *t, int64_t i)
{
    float x;
    memcpy(&x, (const char *)t->data + i * (int64_t)sizeof x, sizeof x);
    return (double)x;
}
/* The constant integers of an input, or of the attribute where older operation sets have them.
 * False if they are not constant, refused, or neither is there. */
bool het__match_ints(const het__rewriter *r, const het__node *node, uint32_t input,
                     const char *name, uint32_t most, int64_t *out, uint32_t *count);

/* The node that makes a value, if it is of this kind. */
het__node *het__match_made_by(const het__rewriter *r, uint32_t value, het__op op);
/* The value is x op c with a scalar c (either side where op commutes): true, and both. */
bool het__match_scalar(const het__rewriter *r, uint32_t value, het__op op, uint32_t *x, double *c);
/* Through nodes that only change the floating type. */
uint32_t het__match_behind_casts(const het__rewriter *r, uint32_t value);

/* Readers of `from` read `to` instead, which means the same: counted, unless nobody reads `from`,
 * or an output of the graph would have to be made by no node, or by that of another output. What
 * made `from` goes, with whatever nobody else reads, so that counts of readers stay those of living
 * nodes. */
bool het__match_replace(het__rewriter *r, uint32_t from, uint32_t to);

/* Attributes of a tensor operation in the arena. */
het__attrs het__match_attrs(het__rewriter *r, int32_t opset, const het__attr *items,
                            uint32_t count);
het__attr het__match_int(const char *name, int64_t value);
het__attr het__match_float(const char *name, float value);
/* The list is copied into the arena. */
het__attr het__match_list(het__rewriter *r, const char *name, const int64_t *values,
                          uint32_t count);
/* A constant list of I64. */
uint32_t het__match_int_constant(het__rewriter *r, const char *name, const int64_t *values,
                                 uint32_t count);

#endif /* HET_PASSES_MATCH_H */
