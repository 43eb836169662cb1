/* SPDX-License-Identifier: Apache-2.0 */
/* Transposes move towards the outputs, through what works element by element, until they meet: one
 * behind another is merged with it, and what comes out may be nothing at all. One that only moves
 * extents of 1 is a view. */
#include <string.h>

#include "lib/ir/reduce.h"
#include "lib/passes/match.h"
#include "lib/passes/tensor.h"

typedef struct order {
    uint32_t rank;
    int64_t axis[HET_RANK_MAX]; /* output axis i is input axis axis[i] */
} order;

static bool order_of(const het__rewriter *r, const het__node *node, order *o)
{
    const het__attr *perm = het__attr_find(&node->attrs.tensor, "perm", HET__ATTR_INTS);
    het__tensor t;
    if (node->output_count != 1 || !het__match_tensor(r, node->inputs[0], &t))
        return false;
    o->rank = t.rank;
    if (perm && perm->count != t.rank)
        return false;
    for (uint32_t i = 0; i < t.rank; i++)
        o->axis[i] = perm ? perm->u.ints[i] : (int64_t)(t.rank - 1 - i);
    return true;
}

/* The transpose that makes a value. */
static const het__node *transpose_of(const het__rewriter *r, uint32_t value, order *o)
{
    const het__node *n = het__match_made_by(r, value, HET__OP_T_TRANSPOSE);
    return n && order_of(r, n, o) ? n : NULL;
}

static bool is_identity(const order *o)
{
    for (uint32_t i = 0; i < o->rank; i++)
        if (o->axis[i] != (int64_t)i)
            return false;
    return true;
}

static bool same_order(const order *a, const order *b)
{
    return a->rank == b->rank && memcmp(a->axis, b->axis, a->rank * sizeof a->axis[0]) == 0;
}

static uint32_t transpose(het__rewriter *r, const char *name, uint32_t value, const order *o)
{
    const het__attr item = het__match_list(r, "perm", o->axis, o->rank);
    const het__attrs attrs = het__match_attrs(r, 13, &item, 1);
    return r->failed ? HET__NO_VALUE
                     : het__rw_node(r, HET__OP_T_TRANSPOSE, name, &value, 1, 1, &attrs);
}

/* ---- a transpose by itself ---- */

/* Extents other than 1 stay in order. */
static bool moves_ones_only(const het__tensor *t, const order *o)
{
    int64_t last = -1;
    for (uint32_t i = 0; i < o->rank; i++) {
        if (t->extent[o->axis[i]] == 1)
            continue;
        if (o->axis[i] < last)
            return false;
        last = o->axis[i];
    }
    return true;
}

static bool simplify(het__rewriter *r, const het__node *node)
{
    order o, before;
    het__tensor t, y;
    if (!order_of(r, node, &o) || !het__match_tensor(r, node->inputs[0], &t) ||
        !het__match_tensor(r, node->outputs[0], &y))
        return false;
    if (is_identity(&o))
        return het__match_replace(r, node->outputs[0], node->inputs[0]);
    const het__node *first = transpose_of(r, node->inputs[0], &before);
    if (first) {
        order both = { .rank = o.rank };
        const uint32_t from = first->inputs[0];
        for (uint32_t i = 0; i < o.rank; i++)
            both.axis[i] = before.axis[o.axis[i]];
        if (is_identity(&both) && het__match_replace(r, node->outputs[0], from))
            return true;
        const uint32_t made = transpose(r, node->name, from, &both);
        return !r->failed && het__match_replace(r, node->outputs[0], made);
    }
    if (moves_ones_only(&t, &o)) {
        const uint32_t made = het__rw_reshape(r, node->name, node->inputs[0], y.rank, y.extent);
        return !r->failed && r->graph->values[made].producer != HET__NO_VALUE &&
               het__match_replace(r, node->outputs[0], made);
    }
    return false;
}

/* ---- through other operations ---- */

static bool is_unary(het__op op)
{
    switch (op) {
    case HET__OP_T_ABS: case HET__OP_T_CEIL: case HET__OP_T_CELU: case HET__OP_T_ELU:
    case HET__OP_T_ERF: case HET__OP_T_EXP: case HET__OP_T_FLOOR: case HET__OP_T_GELU:
    case HET__OP_T_HARD_SIGMOID: case HET__OP_T_HARD_SWISH: case HET__OP_T_LEAKY_RELU:
    case HET__OP_T_LOG: case HET__OP_T_MISH: case HET__OP_T_NEG: case HET__OP_T_RECIPROCAL:
    case HET__OP_T_RELU: case HET__OP_T_ROUND: case HET__OP_T_SELU: case HET__OP_T_SIGMOID:
    case HET__OP_T_SIGN: case HET__OP_T_SOFTPLUS: case HET__OP_T_SOFTSIGN: case HET__OP_T_SQRT:
    case HET__OP_T_SWISH: case HET__OP_T_TANH: case HET__OP_T_THRESHOLDED_RELU:
    case HET__OP_T_CLIP: case HET__OP_T_CAST: case HET__OP_T_NOT:
        return true;
    default:
        return false;
    }
}

static bool is_binary(het__op op)
{
    switch (op) {
    case HET__OP_T_ADD: case HET__OP_T_SUB: case HET__OP_T_MUL: case HET__OP_T_DIV:
    case HET__OP_T_POW: case HET__OP_T_PRELU: case HET__OP_T_MAX: case HET__OP_T_MIN:
    case HET__OP_T_EQUAL: case HET__OP_T_GREATER: case HET__OP_T_LESS: case HET__OP_T_AND:
    case HET__OP_T_OR: case HET__OP_T_WHERE: case HET__OP_T_SUM:
        return true;
    default:
        return false;
    }
}

/* A constant that is broadcast to something transposed, in the order before: its extents alone
 * change, because all but one of them are 1. HET__NO_VALUE if more of them are not. */
static uint32_t constant_before(het__rewriter *r, uint32_t value, const order *o)
{
    het__tensor t;
    int64_t extent[HET_RANK_MAX];
    uint32_t wide = 0;
    if (!het__match_constant(r, value, &t) || t.rank > o->rank)
        return HET__NO_VALUE;
    for (uint32_t i = 0; i < o->rank; i++)
        extent[i] = 1;
    for (uint32_t i = 0; i < t.rank; i++) {
        wide += t.extent[i] != 1;
        extent[o->axis[i + o->rank - t.rank]] = t.extent[i];
    }
    if (wide == 0)
        return value;
    return wide == 1 ? het__rw_constant(r, r->graph->values[value].name, t.dtype, o->rank, extent,
                                        t.data)
                     : HET__NO_VALUE;
}

/* Operands of node as they were before transposes of one order, which at least one of them has. */
static bool operands_before(het__rewriter *r, const het__node *node, uint32_t *in, order *o)
{
    bool found = false;
    for (uint32_t i = 0; i < node->input_count; i++) {
        order own;
        const het__node *t = transpose_of(r, node->inputs[i], &own);
        if (!t)
            continue;
        if (found && !same_order(&own, o))
            return false;
        *o = own;
        found = true;
    }
    for (uint32_t i = 0; found && i < node->input_count; i++) {
        order own;
        const het__node *t = transpose_of(r, node->inputs[i], &own);
        const uint32_t value = node->inputs[i];
        /* Read by others too, the transpose would stay: one more for nothing. */
        if (t && (r->uses[value] != 1 || r->graph->values[value].kind == HET__VALUE_OUTPUT))
            return false;
        in[i] = t ? t->inputs[0] : value == HET__NO_VALUE ? value : constant_before(r, value, o);
        if (in[i] == HET__NO_VALUE && value != HET__NO_VALUE)
            return false;
    }
    return found;
}

/* The same operation on operands as they were, and the transpose behind it. */
static bool move_on(het__rewriter *r, const het__node *node, const uint32_t *in, uint32_t count,
                    const het__attrs *attrs, const order *o)
{
    const uint32_t made = het__rw_node(r, node->op, node->name, in, count, 1, attrs);
    const uint32_t turned = r->failed ? made : transpose(r, node->name, made, o);
    return !r->failed && het__match_replace(r, node->outputs[0], turned);
}

static bool push_elementwise(het__rewriter *r, const het__node *node)
{
    uint32_t in[3];
    order o;
    het__tensor y;
    if (node->output_count != 1 || node->input_count > 3 || node->input_count == 0 ||
        !het__match_tensor(r, node->outputs[0], &y))
        return false;
    if (is_unary(node->op)) {
        const het__node *t = transpose_of(r, node->inputs[0], &o);
        if (!t || r->uses[node->inputs[0]] != 1 ||
            r->graph->values[node->inputs[0]].kind == HET__VALUE_OUTPUT)
            return false;
        memcpy(in, node->inputs, node->input_count * sizeof *in);
        in[0] = t->inputs[0];
        return move_on(r, node, in, node->input_count, &node->attrs, &o);
    }
    return is_binary(node->op) && operands_before(r, node, in, &o) && o.rank == y.rank &&
           move_on(r, node, in, node->input_count, &node->attrs, &o);
}

/* All inputs come from transposes of one order: the axis changes its number. */
static bool push_concat(het__rewriter *r, const het__node *node)
{
    uint32_t in[32];
    order o = { 0 };
    if (node->input_count > 32 || node->output_count != 1 ||
        !operands_before(r, node, in, &o))
        return false;
    for (uint32_t i = 0; i < node->input_count; i++)
        if (in[i] == node->inputs[i] || !het__rw_producer(r, node->inputs[i]))
            return false;
    const int64_t axis = het__axis(het__attr_int(&node->attrs.tensor, "axis", 1), o.rank);
    if (axis < 0)
        return false;
    const het__attr item = het__match_int("axis", o.axis[axis]);
    const het__attrs attrs = het__match_attrs(r, node->attrs.tensor.opset, &item, 1);
    return !r->failed && move_on(r, node, in, node->input_count, &attrs, &o);
}

static bool push(het__rewriter *r, const het__node *node)
{
    if (node->op == HET__OP_T_CONCAT)
        return push_concat(r, node);
    return push_elementwise(r, node);
}

void het__pass_transposes(het__rewriter *r)
{
    uint32_t before;
    /* Each step moves a transpose towards the outputs or takes one away, so that this ends. */
    do {
        before = r->rewrites;
        for (uint32_t n = 0; n < r->graph->node_count && !r->failed; n++) {
            const het__node node = r->graph->nodes[n];
            if (node.op == HET__OP_T_TRANSPOSE)
                simplify(r, &node);
            else if (node.op != HET__OP_NONE)
                push(r, &node);
        }
        if (r->rewrites != before)
            het__tidy_views(r);
        het__rw_settle(r);
    } while (r->rewrites != before && !r->failed);
}
