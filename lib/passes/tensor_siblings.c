/* SPDX-License-Identifier: Apache-2.0 */
/* Products of one input with several constant weights become one product with all of them side by
 * side, and a split of the result: query, key and value of attention, say. The sum with a bias
 * behind a MatMul comes along.
 *
 * Not where an activation follows: a device does it within the product, but not behind a split. */
#include <string.h>

#include "lib/passes/match.h"
#include "lib/passes/tensor.h"

#define MEMBERS_MAX 16
/* The new weights are a copy: no more than this. */
#define BYTES_MAX (INT64_C(1) << 28)

typedef struct member {
    het__tensor weight, bias; /* bias: dtype NONE if there is none */
    uint32_t result;
    int64_t width; /* extent of the result along the axis of the split */
} member;

typedef struct family {
    het__op op;
    member members[MEMBERS_MAX];
    uint32_t count;
    bool any_bias;
    int64_t width;
} family;

/* ---- who belongs together ---- */

static bool is_candidate(het__op op)
{
    return op == HET__OP_T_MAT_MUL || op == HET__OP_T_GEMM || op == HET__OP_T_CONV;
}

static bool same_attrs(const het__attr_list *a, const het__attr_list *b)
{
    if (a->count != b->count || a->opset != b->opset)
        return false;
    for (uint32_t i = 0; i < a->count; i++) {
        const het__attr *x = &a->items[i], *y = &b->items[i];
        if (x->kind != y->kind || x->count != y->count || strcmp(x->name, y->name) != 0)
            return false;
        switch (x->kind) {
        case HET__ATTR_INT: if (x->u.i != y->u.i) return false; break;
        case HET__ATTR_FLOAT: if (memcmp(&x->u.f, &y->u.f, sizeof x->u.f)) return false; break;
        case HET__ATTR_STRING: if (strcmp(x->u.string, y->u.string) != 0) return false; break;
        case HET__ATTR_INTS:
            if (memcmp(x->u.ints, y->u.ints, x->count * sizeof *x->u.ints) != 0)
                return false;
            break;
        default: return false;
        }
    }
    return true;
}

static bool constant_f32(const het__rewriter *r, uint32_t value, het__tensor *t)
{
    return het__match_constant(r, value, t) && t->dtype == HET_DTYPE_F32 &&
           het__tensor_elements(t) > 0;
}

/* One number per column, as rank 1. */
static bool is_bias(const het__tensor *t, int64_t width)
{
    for (uint32_t i = 0; i + 1 < t->rank; i++)
        if (t->extent[i] != 1)
            return false;
    return t->rank >= 1 && t->extent[t->rank - 1] == width;
}

static bool is_activation(het__op op)
{
    switch (op) {
    case HET__OP_T_RELU: case HET__OP_T_CLIP: case HET__OP_T_LEAKY_RELU: case HET__OP_T_SIGMOID:
    case HET__OP_T_TANH: case HET__OP_T_SWISH: case HET__OP_T_HARD_SIGMOID:
    case HET__OP_T_HARD_SWISH: case HET__OP_T_GELU: case HET__OP_T_PRELU: case HET__OP_T_MISH:
        return true;
    default:
        return false;
    }
}

/* The sum with a bias that alone reads the product. */
static void take_bias(const het__rewriter *r, member *m)
{
    const het__node *n = het__rw_reader(r, m->result);
    het__tensor t;
    if (!n || n->op != HET__OP_T_ADD || n->input_count != 2 || n->inputs[0] == n->inputs[1] ||
        !constant_f32(r, n->inputs[n->inputs[0] == m->result ? 1 : 0], &t) ||
        t.rank != 1 || !is_bias(&t, m->width) ||
        !het__match_same_shape(r, m->result, n->outputs[0]))
        return;
    m->bias = t;
    m->result = n->outputs[0];
}

static bool member_of(const het__rewriter *r, const het__node *n, member *m)
{
    memset(m, 0, sizeof *m);
    m->result = n->outputs[0];
    if (n->input_count < 2 || n->output_count != 1 || !het__match_is_f32(r, n->inputs[0]) ||
        !constant_f32(r, n->inputs[1], &m->weight))
        return false;
    if (n->op == HET__OP_T_CONV) {
        if (het__attr_int(&n->attrs.tensor, "group", 1) != 1)
            return false;
        m->width = m->weight.extent[0];
    } else {
        const bool turned =
            n->op == HET__OP_T_GEMM && het__attr_int(&n->attrs.tensor, "transB", 0) != 0;
        if (m->weight.rank != 2 || r->graph->values[n->inputs[0]].rank < 2)
            return false;
        m->width = m->weight.extent[turned ? 0 : 1];
    }
    if (het__rw_input(r, n, 2) &&
        (!constant_f32(r, n->inputs[2], &m->bias) || !is_bias(&m->bias, m->width)))
        return false;
    if (n->op == HET__OP_T_MAT_MUL)
        take_bias(r, m);
    const het__node *next = het__rw_reader(r, m->result);
    return !(next && (is_activation(next->op) ||
                      (n->op == HET__OP_T_CONV && next->op == HET__OP_T_ADD)));
}

/* All but the width. */
static bool weights_fit(const het__node *node, const member *a, const member *b)
{
    if (a->weight.rank != b->weight.rank)
        return false;
    if (node->op != HET__OP_T_CONV)
        return true; /* both have the depth of their input */
    for (uint32_t i = 1; i < a->weight.rank; i++)
        if (a->weight.extent[i] != b->weight.extent[i])
            return false;
    return true;
}

static void gather(const het__rewriter *r, uint32_t index, family *f)
{
    const het__graph *g = r->graph;
    const het__node *first = &g->nodes[index];
    int64_t bytes = 0;
    f->op = first->op;
    f->count = 0;
    f->any_bias = false;
    f->width = 0;
    for (uint32_t n = index; n < g->node_count && f->count < MEMBERS_MAX; n++) {
        const het__node *node = &g->nodes[n];
        member *m = &f->members[f->count];
        if (node->op != first->op || node->inputs[0] != first->inputs[0] ||
            !same_attrs(&first->attrs.tensor, &node->attrs.tensor) || !member_of(r, node, m) ||
            (f->count && !weights_fit(node, &f->members[0], m)))
            continue;
        bytes += het__tensor_bytes(&m->weight);
        if (bytes > BYTES_MAX)
            break;
        f->any_bias = f->any_bias || m->bias.dtype != HET_DTYPE_NONE;
        f->width += m->width;
        f->count++;
    }
}

/* ---- one for all ---- */

/* Rows of all members side by side; members whose weights lie by columns have one row. */
static uint32_t join_weights(het__rewriter *r, const family *f, const char *name, bool by_rows)
{
    const het__tensor *like = &f->members[0].weight;
    int64_t extent[HET_RANK_MAX];
    float *data;
    memcpy(extent, like->extent, sizeof extent);
    extent[by_rows ? 1 : 0] = f->width;
    const uint32_t v = het__rw_floats(r, name, like->rank, extent, &data);
    const int64_t rows = by_rows ? like->extent[0] : 1;
    char *to = (char *)data;
    for (int64_t row = 0; v != HET__NO_VALUE && row < rows; row++) {
        for (uint32_t m = 0; m < f->count; m++) {
            const het__tensor *w = &f->members[m].weight;
            const size_t bytes = (size_t)(het__tensor_bytes(w) / rows);
            memcpy(to, (const char *)w->data + (size_t)row * bytes, bytes);
            to += bytes;
        }
    }
    return v;
}

static uint32_t join_biases(het__rewriter *r, const family *f, const char *name)
{
    float *data;
    int64_t at = 0;
    const uint32_t v = het__rw_floats(r, name, 1, &f->width, &data);
    for (uint32_t m = 0; v != HET__NO_VALUE && m < f->count; m++) {
        const member *one = &f->members[m];
        if (one->bias.dtype != HET_DTYPE_NONE)
            memcpy(data + at, one->bias.data, (size_t)one->width * sizeof *data);
        at += one->width;
    }
    return v;
}

static uint32_t split(het__rewriter *r, const family *f, const char *name, uint32_t value,
                      int64_t axis)
{
    int64_t sizes[MEMBERS_MAX];
    for (uint32_t m = 0; m < f->count; m++)
        sizes[m] = f->members[m].width;
    const uint32_t in[2] = { value, het__match_int_constant(r, name, sizes, f->count) };
    const het__attr item = het__match_int("axis", axis);
    const het__attrs attrs = het__match_attrs(r, 13, &item, 1);
    return r->failed ? HET__NO_VALUE
                     : het__rw_node(r, HET__OP_T_SPLIT, name, in, 2, f->count, &attrs);
}

static void join(het__rewriter *r, uint32_t index, const family *f)
{
    const het__node node = r->graph->nodes[index];
    const bool turned =
        node.op == HET__OP_T_GEMM && het__attr_int(&node.attrs.tensor, "transB", 0) != 0;
    const bool by_rows = node.op != HET__OP_T_CONV && !turned;
    uint32_t in[3] = { node.inputs[0], join_weights(r, f, node.name, by_rows), HET__NO_VALUE };
    const bool own_bias = node.op != HET__OP_T_MAT_MUL && f->any_bias;
    if (f->any_bias)
        in[2] = join_biases(r, f, node.name);
    if (r->failed)
        return;
    uint32_t made =
        het__rw_node(r, node.op, node.name, in, own_bias ? 3 : 2, 1, &node.attrs);
    if (f->any_bias && !own_bias && !r->failed) {
        const uint32_t sum[2] = { made, in[2] };
        const het__attrs attrs = het__match_attrs(r, 14, NULL, 0);
        made = r->failed ? made
                         : het__rw_node(r, HET__OP_T_ADD, node.name, sum, 2, 1, &attrs);
    }
    if (r->failed)
        return;
    const uint32_t rank = r->graph->values[made].rank;
    const uint32_t parts =
        split(r, f, node.name, made, node.op == HET__OP_T_CONV ? 1 : (int64_t)rank - 1);
    for (uint32_t m = 0; m < f->count && !r->failed; m++)
        het__match_replace(r, f->members[m].result, parts + m);
}

void het__pass_siblings(het__rewriter *r)
{
    const uint32_t count = r->graph->node_count;
    for (uint32_t n = 0; n < count && !r->failed; n++) {
        family f;
        if (!is_candidate(r->graph->nodes[n].op) ||
            r->uses[r->graph->nodes[n].inputs[0]] < 2)
            continue;
        gather(r, n, &f);
        if (f.count > 1)
            join(r, n, &f);
    }
}
