/* SPDX-License-Identifier: Apache-2.0 */
/* Which elements of a tensor an operation along axes takes together: for the shape rules and the
 * kernels, which must agree. */
#ifndef HET_IR_REDUCE_H
#define HET_IR_REDUCE_H

#include "lib/ir/eval.h"

/* A tensor seen as [outer][n][inner]; what is taken together lies along n. */
typedef struct het__slab {
    int64_t outer, n, inner;
} het__slab;

/* Axes first to last - 1 taken together. */
static inline het__slab het__slab_of(const het__tensor *t, uint32_t first, uint32_t last)
{
    return (het__slab){ het__tensor_span(t, 0, first), het__tensor_span(t, first, last),
                        het__tensor_span(t, last, t->rank) };
}

/* The axes of a reduction, one bit each. Returns false when they stand in an input whose contents
 * are not known. */
bool het__reduce_axes(const het__eval *e, uint32_t *mask, het_status *status);

/* Softmax and its like: one axis, or everything from it on before opset 13. The rule checked the
 * axis. */
het__slab het__softmax_slab(const het__eval *e);

/* Axis of an operation that has one; the rule checked it. A scalar counts as one row. */
het__slab het__axis_slab(const het__tensor *t, int64_t axis);

/* Statistics of group and instance norms: [batch * groups][channels per group * extents][1]. */
het__slab het__group_slab(const het__eval *e);

/* Opset 18 scales by group, from 21 on by channel. */
static inline bool het__group_scales_groups(const het__eval *e)
{
    return e->node->op == HET__OP_T_GROUP_NORMALIZATION && e->attrs->opset < 21;
}

/* Statistics of a batch norm are those of its input, not given. */
bool het__batch_norm_trains(const het__eval *e);

/* First axis of a layer norm; -1: outside of the rank. */
int64_t het__layer_norm_axis(const het__eval *e);

/* The axes of MeanVarianceNormalization, one bit each. */
het_status het__mean_variance_axes(const het__eval *e, uint32_t *mask);

#endif /* HET_IR_REDUCE_H */
