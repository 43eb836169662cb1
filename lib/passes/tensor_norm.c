/* SPDX-License-Identifier: Apache-2.0 */
/* Layer and RMS norms that a file spells out.
 *
 *     d = x - mean(x); y = d / sqrt(mean(d^2) + eps)     layer
 *     y = x / sqrt(mean(x^2) + eps)                      RMS
 *
 * with squares as x * x or as a power, quotients as products with a reciprocal or a negative power,
 * and changes of the floating type anywhere between. The product with a scale and the sum with an
 * offset behind y come along. */
#include <math.h>
#include <string.h>

#include "lib/ir/reduce.h"
#include "lib/passes/match.h"
#include "lib/passes/tensor.h"

typedef struct norm {
    uint32_t x;      /* before any change of type */
    uint32_t direct; /* as the numerator has it */
    uint32_t axis; /* first of the normalised ones, which are the last */
    float eps;
    bool rms;
} norm;

/* Mean over the last axes, kept with extent 1: its input, and the first of them. */
static bool mean_of(const het__rewriter *r, uint32_t value, uint32_t *x, uint32_t *axis)
{
    const het__node *n =
        het__match_made_by(r, het__match_behind_casts(r, value), HET__OP_T_REDUCE_MEAN);
    het__tensor inputs[2], outputs[1];
    het__eval e;
    het_status s;
    uint32_t mask;
    if (!n || n->input_count > 2 || n->output_count != 1 ||
        !het__attr_int(&n->attrs.tensor, "keepdims", 1) ||
        !het__rw_eval(r, n, inputs, outputs, &e) || !het__reduce_axes(&e, &mask, &s) ||
        s != HET_OK || mask == 0)
        return false;
    const uint32_t rank = inputs[0].rank;
    *axis = 0;
    while (!(mask >> *axis & 1))
        ++*axis;
    *x = het__match_behind_casts(r, n->inputs[0]);
    return mask == (UINT32_C(1) << rank) - (UINT32_C(1) << *axis);
}

/* What is squared; HET__NO_VALUE if the value is no square. */
static uint32_t square_root_of(const het__rewriter *r, uint32_t value)
{
    uint32_t x;
    double power;
    value = het__match_behind_casts(r, value);
    if (het__match_scalar(r, value, HET__OP_T_POW, &x, &power) && power == 2)
        return het__match_behind_casts(r, x);
    const het__node *n = het__match_made_by(r, value, HET__OP_T_MUL);
    if (n && n->input_count == 2) {
        const uint32_t a = het__match_behind_casts(r, n->inputs[0]);
        return a == het__match_behind_casts(r, n->inputs[1]) ? a : HET__NO_VALUE;
    }
    return HET__NO_VALUE;
}

/* sqrt(variance) if the power is 1/2, its reciprocal if it is -1/2: what lies under the root. */
static bool root(const het__rewriter *r, uint32_t value, double power, uint32_t *under)
{
    double p;
    value = het__match_behind_casts(r, value);
    if (power < 0) {
        const het__node *n = het__match_made_by(r, value, HET__OP_T_RECIPROCAL);
        if (n)
            return root(r, n->inputs[0], -power, under);
        n = het__match_made_by(r, value, HET__OP_T_DIV);
        if (n && n->input_count == 2 && het__rw_scalar(r, n->inputs[0], &p) && p == 1)
            return root(r, n->inputs[1], -power, under);
    } else {
        const het__node *n = het__match_made_by(r, value, HET__OP_T_SQRT);
        if (n) {
            *under = het__match_behind_casts(r, n->inputs[0]);
            return true;
        }
    }
    return het__match_scalar(r, value, HET__OP_T_POW, under, &p) && p == power;
}

/* numerator over the root of its own mean square. */
static bool match_quotient(const het__rewriter *r, uint32_t numerator, uint32_t denominator,
                           double power, norm *f)
{
    uint32_t under, mean, squares, d, x, axis;
    double eps;
    d = het__match_behind_casts(r, numerator);
    if (!root(r, denominator, power, &under) ||
        !het__match_scalar(r, under, HET__OP_T_ADD, &mean, &eps) || !(eps >= 0 && eps < 1) ||
        !mean_of(r, mean, &squares, &f->axis) || square_root_of(r, squares) != d)
        return false;
    f->eps = (float)eps;
    f->rms = true;
    f->x = d;
    f->direct = numerator;
    const het__node *sub = het__match_made_by(r, d, HET__OP_T_SUB);
    if (sub && sub->input_count == 2 && mean_of(r, sub->inputs[1], &x, &axis) &&
        x == het__match_behind_casts(r, sub->inputs[0]) && axis == f->axis) {
        f->x = x;
        f->direct = sub->inputs[0];
        f->rms = false;
    }
    return true;
}

static bool match_node(const het__rewriter *r, const het__node *node, norm *f)
{
    if (node->input_count != 2 || node->output_count != 1)
        return false;
    if (node->op == HET__OP_T_DIV)
        return match_quotient(r, node->inputs[0], node->inputs[1], 0.5, f);
    return node->op == HET__OP_T_MUL &&
           (match_quotient(r, node->inputs[0], node->inputs[1], -0.5, f) ||
            match_quotient(r, node->inputs[1], node->inputs[0], -0.5, f));
}

/* ---- scale and offset ---- */

/* Of normalised values: broadcast to them, and equal for all rows. */
static bool is_parameter(const het__rewriter *r, uint32_t value, const het__tensor *x,
                         uint32_t axis)
{
    het__tensor p;
    if (!het__match_tensor(r, value, &p) || p.rank > x->rank || p.dtype != x->dtype)
        return false;
    for (uint32_t i = 0; i < p.rank; i++) {
        const uint32_t at = i + x->rank - p.rank;
        if (p.extent[i] != 1 && (at < axis || p.extent[i] != x->extent[at]))
            return false;
    }
    return true;
}

/* The only reader of value is `op` with a parameter: which, and the result. */
static bool take_parameter(const het__rewriter *r, uint32_t *value, het__op op, uint32_t axis,
                           uint32_t *parameter)
{
    het__tensor x;
    const het__node *n = het__rw_reader(r, *value);
    if (!n || n->op != op || n->input_count != 2 || !het__match_tensor(r, *value, &x) ||
        !het__match_same_shape(r, *value, n->outputs[0]))
        return false;
    *parameter = n->inputs[n->inputs[0] == *value ? 1 : 0];
    if (*parameter == *value || !is_parameter(r, *parameter, &x, axis))
        return false;
    *value = n->outputs[0];
    return true;
}

/* A change back to the type of x between the quotient and the scale. */
static void step_over_cast(const het__rewriter *r, uint32_t *value, het_dtype dtype)
{
    const het__node *n = het__rw_reader(r, *value);
    if (n && n->op == HET__OP_T_CAST && r->graph->values[n->outputs[0]].dtype == dtype)
        *value = n->outputs[0];
}

/* Ones of x's type, in the shape of a normalised row. */
static uint32_t ones(het__rewriter *r, const char *name, const het__tensor *x, uint32_t axis)
{
    const int64_t n = het__tensor_span(x, axis, x->rank);
    float *data;
    if (x->dtype != HET_DTYPE_F32)
        return HET__NO_VALUE;
    const uint32_t v = het__rw_floats(r, name, x->rank - axis, x->extent + axis, &data);
    for (int64_t i = 0; v != HET__NO_VALUE && i < n; i++)
        data[i] = 1;
    return v;
}

static void look_at(het__rewriter *r, uint32_t index)
{
    const het__node node = r->graph->nodes[index];
    uint32_t result = node.outputs[0];
    uint32_t in[3] = { HET__NO_VALUE, HET__NO_VALUE, HET__NO_VALUE };
    norm f;
    het__tensor x;
    if (!match_node(r, &node, &f) || !het__match_tensor(r, f.x, &x) ||
        (x.dtype != HET_DTYPE_F32 && x.dtype != HET_DTYPE_F16 && x.dtype != HET_DTYPE_BF16))
        return;
    in[0] = f.x;
    if (het__match_same_shape(r, result, f.direct)) {
        in[0] = f.direct;
    } else {
        step_over_cast(r, &result, x.dtype);
        if (!het__match_same_shape(r, result, f.x))
            return;
    }
    const bool scaled = take_parameter(r, &result, HET__OP_T_MUL, f.axis, &in[1]);
    const bool moved = !f.rms && take_parameter(r, &result, HET__OP_T_ADD, f.axis, &in[2]);
    if (!scaled)
        in[1] = ones(r, node.name, &x, f.axis);
    if (in[1] == HET__NO_VALUE || r->failed)
        return;
    const het__attr items[3] = { het__match_int("axis", (int64_t)f.axis),
                                 het__match_float("epsilon", f.eps),
                                 het__match_int("stash_type", 1) };
    const het__attrs attrs = het__match_attrs(r, f.rms ? 23 : 17, items, 3);
    if (r->failed)
        return;
    const uint32_t made =
        het__rw_node(r, f.rms ? HET__OP_T_RMS_NORMALIZATION : HET__OP_T_LAYER_NORMALIZATION,
                     node.name, in, moved ? 3 : 2, 1, &attrs);
    if (!r->failed)
        het__match_replace(r, result, made);
}

void het__pass_norms(het__rewriter *r)
{
    for (uint32_t n = r->graph->node_count; n-- > 0 && !r->failed;) {
        const het__op op = r->graph->nodes[n].op;
        if (op == HET__OP_T_DIV || op == HET__OP_T_MUL)
            look_at(r, n);
    }
}
