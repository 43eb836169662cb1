/* SPDX-License-Identifier: Apache-2.0 */
/* Shapes and arithmetic of what takes elements together along axes: reductions, the index of the
 * largest, softmax, running sums, losses. Every extent and axis that a kernel relies on is checked
 * here. */
#include <string.h>

#include "lib/base/dtype.h"
#include "lib/ir/reduce.h"
#include "lib/ir/shapes.h"

static bool is_scalar_type(het_dtype dtype)
{
    return het__dtype(dtype) && !het__dtype_is_block(dtype);
}

static bool is_real(het_dtype dtype)
{
    return dtype == HET_DTYPE_F32 || dtype == HET_DTYPE_F64 || dtype == HET_DTYPE_F16 ||
           dtype == HET_DTYPE_BF16;
}

static bool is_index(het_dtype dtype)
{
    return dtype == HET_DTYPE_I32 || dtype == HET_DTYPE_I64;
}

/* The input, of a type whose elements are numbers; NULL when refused. */
static const het__tensor *numbers(const het__eval *e, uint32_t i, het_status *status)
{
    const het__tensor *t = het__eval_input(e, i);
    *status = HET_OK;
    if (!t)
        *status = het__eval_refuse(e, "input %u is missing", i);
    else if (!is_scalar_type(t->dtype))
        *status = het__eval_unsupported(e, "input %u has type %s", i, het_dtype_name(t->dtype));
    return *status == HET_OK ? t : NULL;
}

/* ---- reductions ---- */

bool het__reduce_axes(const het__eval *e, uint32_t *mask, het_status *status)
{
    const uint32_t rank = e->inputs[0].rank;
    int64_t axes[HET_RANK_MAX];
    uint32_t count;
    bool present;
    *mask = 0;
    if (!het__eval_ints(e, 1, "axes", HET_RANK_MAX, axes, &count, &present, status))
        return false;
    if (*status != HET_OK)
        return true;
    if (count == 0 && het__attr_int(e->attrs, "noop_with_empty_axes", 0) == 0)
        *mask = (UINT32_C(1) << rank) - 1;
    for (uint32_t i = 0; i < count; i++) {
        const int64_t axis = het__axis(axes[i], rank);
        if (axis < 0 || *mask >> axis & 1) {
            *status = het__eval_refuse(e, "axis %lld is outside of rank %u or there twice",
                                       (long long)axes[i], rank);
            return true;
        }
        *mask |= UINT32_C(1) << axis;
    }
    return true;
}

/* Extents without the axes of the mask, or 1 in their place. */
static het_status reduced_shape(het__eval *e, const het__tensor *t, uint32_t mask, het_dtype dtype)
{
    const bool keep = het__attr_int(e->attrs, "keepdims", 1) != 0;
    int64_t extent[HET_RANK_MAX];
    uint32_t rank = 0;
    for (uint32_t i = 0; i < t->rank; i++) {
        const bool gone = mask >> i & 1;
        if (!gone || keep)
            extent[rank++] = gone ? 1 : t->extent[i];
    }
    return het__eval_shape(e, 0, dtype, rank, extent);
}

static bool is_integer_mean(const het__eval *e)
{
    return e->node->op == HET__OP_T_REDUCE_MEAN && !is_real(e->inputs[0].dtype);
}

het_status het__shape_reduce(het__eval *e)
{
    het_status s;
    uint32_t mask;
    const het__tensor *t = numbers(e, 0, &s);
    if (!t)
        return s;
    const het__op op = e->node->op;
    const bool compares = op == HET__OP_T_REDUCE_MAX || op == HET__OP_T_REDUCE_MIN;
    if (t->dtype == HET_DTYPE_BOOL && !compares)
        return het__eval_refuse(e, "truth values can only be compared");
    if (!het__reduce_axes(e, &mask, &s)) {
        if (e->output_count)
            e->outputs[0].dtype = t->dtype;
        return het__eval_unknown(e);
    }
    if (s == HET_OK)
        s = reduced_shape(e, t, mask, t->dtype);
    if (s == HET_OK && is_integer_mean(e) && het__tensor_elements(t) == 0)
        return het__eval_refuse(e, "the mean of no integers");
    return s;
}

void het__count_reduce(const het__eval *e, het__work *work)
{
    work->flops = (double)het__tensor_elements(&e->inputs[0]);
    work->units = (double)het__tensor_elements(&e->outputs[0]);
}

het__slab het__axis_slab(const het__tensor *t, int64_t axis)
{
    if (t->rank == 0)
        return (het__slab){ 1, 1, 1 };
    const int64_t first = het__axis(axis, t->rank);
    return het__slab_of(t, first < 0 ? 0 : (uint32_t)first, first < 0 ? 1 : (uint32_t)first + 1);
}

/* Axis 0 and -1 of a scalar are accepted, as NumPy does. */
static bool axis_exists(const het__tensor *t, int64_t axis)
{
    return het__axis(axis, t->rank ? t->rank : 1) >= 0;
}

het_status het__shape_arg(het__eval *e)
{
    het_status s;
    const int64_t axis = het__attr_int(e->attrs, "axis", 0);
    const het__tensor *t = numbers(e, 0, &s);
    if (!t)
        return s;
    if (!axis_exists(t, axis))
        return het__eval_refuse(e, "axis %lld is outside of rank %u", (long long)axis, t->rank);
    const het__slab rows = het__axis_slab(t, axis);
    if (rows.n == 0 && rows.outer && rows.inner)
        return het__eval_refuse(e, "axis %lld has no elements", (long long)axis);
    const uint32_t mask = t->rank ? UINT32_C(1) << het__axis(axis, t->rank) : 0;
    return reduced_shape(e, t, mask, HET_DTYPE_I64);
}

/* ---- softmax and running sums ---- */

static int64_t softmax_axis(const het__eval *e)
{
    return het__attr_int(e->attrs, "axis", e->attrs->opset < 13 ? 1 : -1);
}

het__slab het__softmax_slab(const het__eval *e)
{
    const het__tensor *t = &e->inputs[0];
    const int64_t axis = softmax_axis(e);
    if (e->attrs->opset >= 13 || t->rank == 0)
        return het__axis_slab(t, axis);
    const int64_t first = het__axis(axis, t->rank);
    return het__slab_of(t, first < 0 ? 0 : (uint32_t)first, t->rank);
}

het_status het__shape_softmax(het__eval *e)
{
    het_status s;
    const het__tensor *t = numbers(e, 0, &s);
    if (!t)
        return s;
    if (!is_real(t->dtype))
        return het__eval_unsupported(e, "the input has type %s", het_dtype_name(t->dtype));
    if (!axis_exists(t, softmax_axis(e)))
        return het__eval_refuse(e, "axis %lld is outside of rank %u", (long long)softmax_axis(e),
                                t->rank);
    return het__eval_like(e, 0, t->dtype, t);
}

void het__count_softmax(const het__eval *e, het__work *work)
{
    const het__slab rows = het__softmax_slab(e);
    /* Largest, difference, exponential, sum, quotient. */
    work->flops = 5 * (double)het__tensor_elements(&e->inputs[0]);
    work->units = (double)rows.outer * (double)rows.inner;
}

het_status het__shape_cumulate(het__eval *e)
{
    het_status s;
    const het__tensor *t = numbers(e, 0, &s), *where = het__eval_input(e, 1);
    int64_t axis[1];
    uint32_t count;
    bool present;
    if (!t)
        return s;
    if (t->dtype == HET_DTYPE_BOOL)
        return het__eval_refuse(e, "truth values have no sum");
    if (!where || het__tensor_elements(where) != 1)
        return het__eval_refuse(e, "the axis must be one number");
    if (het__eval_ints(e, 1, NULL, 1, axis, &count, &present, &s)) {
        if (s != HET_OK)
            return s;
        if (!axis_exists(t, axis[0]))
            return het__eval_refuse(e, "axis %lld is outside of rank %u", (long long)axis[0],
                                    t->rank);
    }
    return het__eval_like(e, 0, t->dtype, t);
}

/* ---- losses ---- */

static het_status loss_operands(const het__eval *e, const het__tensor *x)
{
    const het__tensor *target = het__eval_input(e, 1), *weight = het__eval_input(e, 2);
    if (!target || !is_index(target->dtype))
        return het__eval_refuse(e, "classes must be I32 or I64");
    bool fits = x->rank >= 2 && target->rank + 1 == x->rank && target->extent[0] == x->extent[0];
    for (uint32_t i = 2; fits && i < x->rank; i++)
        fits = target->extent[i - 1] == x->extent[i];
    if (!fits)
        return het__eval_refuse(e, "the classes do not fit the scores");
    if (weight && (!is_real(weight->dtype) || weight->rank != 1 ||
                   weight->extent[0] != x->extent[1]))
        return het__eval_refuse(e, "there must be one weight per class");
    return HET_OK;
}

het_status het__shape_loss(het__eval *e)
{
    het_status s;
    const char *reduction = het__attr_string(e->attrs, "reduction", "mean");
    const het__tensor *x = numbers(e, 0, &s);
    if (!x)
        return s;
    if (!is_real(x->dtype))
        return het__eval_unsupported(e, "the input has type %s", het_dtype_name(x->dtype));
    const bool each = strcmp(reduction, "none") == 0;
    if (!each && strcmp(reduction, "mean") != 0 && strcmp(reduction, "sum") != 0)
        return het__eval_refuse(e, "there is no reduction %s", reduction);
    s = loss_operands(e, x);
    if (s == HET_OK)
        s = each ? het__eval_like(e, 0, x->dtype, &e->inputs[1])
                 : het__eval_shape(e, 0, x->dtype, 0, NULL);
    return s == HET_OK ? het__eval_like(e, 1, x->dtype, x) : s;
}

void het__count_loss(const het__eval *e, het__work *work)
{
    const bool softmax = e->node->op == HET__OP_T_SOFTMAX_CROSS_ENTROPY_LOSS;
    work->units = (double)het__tensor_elements(&e->inputs[1]);
    work->flops = softmax ? 5 * (double)het__tensor_elements(&e->inputs[0]) : 2 * work->units;
}
