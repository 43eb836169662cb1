/* SPDX-License-Identifier: Apache-2.0 */
/* Attention that a file spells out:
 *
 *     softmax(scale * q k^T + mask) v
 *
 * with the scale before or behind the first product, on q, on k or on both, as factor or divisor.
 * q, k and v are [batch, heads, rows, size] or [batch * heads, rows, size]. The keys come turned;
 * where a transpose did that, it is undone or merged with what it followed. */
#include <string.h>

#include "lib/passes/match.h"
#include "lib/passes/tensor.h"

typedef struct parts {
    uint32_t q, k, v, mask; /* k as the product reads it, turned; mask may be HET__NO_VALUE */
    double scale;
    uint32_t rank;
} parts;

/* Takes factors and divisors off a value. */
static uint32_t unscaled(const het__rewriter *r, uint32_t value, double *scale)
{
    uint32_t x;
    double c;
    for (int i = 0; i < 4; i++) {
        if (het__match_scalar(r, value, HET__OP_T_MUL, &x, &c))
            *scale *= c;
        else if (het__match_scalar(r, value, HET__OP_T_DIV, &x, &c) && c != 0)
            *scale /= c;
        else
            break;
        if (!het__match_same_shape(r, x, value))
            break;
        value = x;
    }
    return value;
}

/* Read by nothing else: making it again would cost what the fusion saves. */
static bool is_inner(const het__rewriter *r, uint32_t value)
{
    return r->uses[value] == 1 && r->graph->values[value].kind == HET__VALUE_TEMP;
}

static bool is_row_softmax(const het__rewriter *r, const het__node *n)
{
    const int64_t rank = r->graph->values[n->inputs[0]].rank;
    const int32_t opset = n->attrs.tensor.opset;
    const int64_t axis = het__attr_int(&n->attrs.tensor, "axis", opset < 13 ? 1 : -1);
    return axis == -1 || axis == rank - 1;
}

/* The mask's last extent is that of the keys: Attention takes a shorter one for something else. */
static bool is_mask(const het__rewriter *r, uint32_t value, uint32_t scores)
{
    het__tensor m, s;
    return het__match_tensor(r, value, &m) && het__match_tensor(r, scores, &s) && m.rank >= 1 &&
           m.rank <= s.rank && m.dtype == s.dtype &&
           m.extent[m.rank - 1] == s.extent[s.rank - 1];
}

static bool match_scores(const het__rewriter *r, uint32_t value, parts *p)
{
    const het__node *add = het__match_made_by(r, value, HET__OP_T_ADD);
    p->mask = HET__NO_VALUE;
    if (!is_inner(r, value))
        return false;
    if (add && add->input_count == 2) {
        /* The side with the product is the one that only this sum reads; a mask serves many. */
        for (uint32_t side = 0; side < 2; side++) {
            parts inner = *p;
            const uint32_t other = add->inputs[1 - side];
            if (is_mask(r, other, value) && het__match_same_shape(r, add->inputs[side], value) &&
                match_scores(r, add->inputs[side], &inner) && inner.mask == HET__NO_VALUE) {
                *p = inner;
                p->mask = other;
                return true;
            }
        }
        return false;
    }
    const uint32_t product = unscaled(r, value, &p->scale);
    const het__node *n = het__match_made_by(r, product, HET__OP_T_MAT_MUL);
    if (!n || !is_inner(r, product))
        return false;
    p->q = unscaled(r, n->inputs[0], &p->scale);
    p->k = unscaled(r, n->inputs[1], &p->scale);
    return true;
}

/* Batch and heads are those of every operand: Attention does not broadcast them. */
static bool operands_fit(const het__rewriter *r, parts *p)
{
    het__tensor q, k, v;
    if (!het__match_tensor(r, p->q, &q) || !het__match_tensor(r, p->k, &k) ||
        !het__match_tensor(r, p->v, &v) || q.dtype != HET_DTYPE_F32 || q.dtype != k.dtype ||
        q.dtype != v.dtype || (q.rank != 4 && q.rank != 3) || k.rank != q.rank ||
        v.rank != q.rank || !(p->scale > 0))
        return false;
    p->rank = q.rank;
    for (uint32_t i = 0; i + 2 < q.rank; i++)
        if (q.extent[i] != k.extent[i] || q.extent[i] != v.extent[i])
            return false;
    const uint32_t a = q.rank - 2, b = q.rank - 1;
    return q.extent[b] == k.extent[a] && k.extent[b] == v.extent[a] &&
           het__tensor_elements(&q) > 0 && het__tensor_elements(&v) > 0;
}

/* ---- what is made ---- */

/* The keys as rows. Only where a transpose or a constant turned them: a new transpose of what a
 * product gave would cost more than it saves. */
static uint32_t turned_back(het__rewriter *r, const parts *p, const char *name)
{
    const het__node *n = het__match_made_by(r, p->k, HET__OP_T_TRANSPOSE);
    const het__attr *perm = n ? het__attr_find(&n->attrs.tensor, "perm", HET__ATTR_INTS) : NULL;
    int64_t order[HET_RANK_MAX];
    bool same = true;
    if (!perm || perm->count != p->rank)
        return HET__NO_VALUE;
    memcpy(order, perm->u.ints, p->rank * sizeof *order);
    const int64_t last = order[p->rank - 1];
    order[p->rank - 1] = order[p->rank - 2];
    order[p->rank - 2] = last;
    for (uint32_t i = 0; i < p->rank; i++)
        same = same && order[i] == (int64_t)i;
    const uint32_t from = n->inputs[0];
    if (same)
        return from;
    const het__attr item = het__match_list(r, "perm", order, p->rank);
    const het__attrs attrs = het__match_attrs(r, 13, &item, 1);
    return r->failed ? HET__NO_VALUE
                     : het__rw_node(r, HET__OP_T_TRANSPOSE, name, &from, 1, 1, &attrs);
}

/* [n, rows, size] as [1, n, rows, size]. */
static uint32_t with_batch(het__rewriter *r, uint32_t value, const char *name)
{
    het__tensor t;
    if (value == HET__NO_VALUE || r->failed || !het__match_tensor(r, value, &t) || t.rank == 4)
        return value;
    const int64_t extent[4] = { 1, t.extent[0], t.extent[1], t.extent[2] };
    return het__rw_reshape(r, name, value, 4, extent);
}

static void look_at(het__rewriter *r, uint32_t index)
{
    const het__node node = r->graph->nodes[index];
    const het__node *soft = het__match_made_by(r, node.inputs[0], HET__OP_T_SOFTMAX);
    parts p = { .v = node.inputs[1], .scale = 1 };
    het__tensor out;
    if (!soft || !is_inner(r, node.inputs[0]) || !is_row_softmax(r, soft) ||
        !match_scores(r, soft->inputs[0], &p) || !operands_fit(r, &p) ||
        !het__match_tensor(r, node.outputs[0], &out) || out.rank != p.rank)
        return;
    const uint32_t k = turned_back(r, &p, node.name);
    if (k == HET__NO_VALUE)
        return;
    const uint32_t in[4] = { with_batch(r, p.q, node.name), with_batch(r, k, node.name),
                             with_batch(r, p.v, node.name), p.mask };
    const het__attr item = het__match_float("scale", (float)p.scale);
    const het__attrs attrs = het__match_attrs(r, 23, &item, 1);
    if (r->failed)
        return;
    uint32_t made = het__rw_node(r, HET__OP_T_ATTENTION, node.name, in,
                                 p.mask == HET__NO_VALUE ? 3 : 4, 1, &attrs);
    if (!r->failed && p.rank == 3)
        made = het__rw_reshape(r, node.name, made, 3, out.extent);
    if (!r->failed)
        het__match_replace(r, node.outputs[0], made);
}

void het__pass_attention(het__rewriter *r)
{
    for (uint32_t n = r->graph->node_count; n-- > 0 && !r->failed;)
        if (r->graph->nodes[n].op == HET__OP_T_MAT_MUL)
            look_at(r, n);
}
