/* SPDX-License-Identifier: Apache-2.0 */
/* What changes nothing goes; a view of a view is one view; what is computed twice is computed once.
 *
 * Contents of constants count, not their names: exporters write the same shape again and again. */
#include <string.h>

#include "lib/passes/match.h"
#include "lib/passes/tensor.h"
#include "lib/plain/plain.h"

/* Constants up to this many bytes are compared by contents. */
#define SMALL_BYTES 256
/* Readers of one value that a node is compared with: keeps time in proportion to the graph. */
#define TWINS_MAX 128

/* ---- what changes nothing ---- */

/* All entries of a constant list have this value. */
static bool all_are(const het__rewriter *r, uint32_t value, double wanted)
{
    het__tensor t;
    if (!het__match_constant(r, value, &t))
        return false;
    const int64_t n = het__tensor_elements(&t);
    for (int64_t i = 0; i < n; i++)
        if (het__get_f64(t.dtype, t.data, i) != wanted)
            return false;
    return true;
}

static bool drops_nothing(const het__rewriter *r, const het__node *node)
{
    if (node->output_count > 1 && r->uses[node->outputs[1]] > 0)
        return false;
    if (node->output_count > 1 && r->graph->values[node->outputs[1]].kind == HET__VALUE_OUTPUT)
        return false;
    return node->attrs.tensor.opset < 12 || !het__rw_input(r, node, 2) ||
           all_are(r, node->inputs[2], 0);
}

/* Shapes are equal; forwards, since a step of more than 1 would have left something out. */
static bool slices_nothing(const het__rewriter *r, const het__node *node)
{
    return node->attrs.tensor.opset < 10 || !het__rw_input(r, node, 4) ||
           all_are(r, node->inputs[4], 1);
}

static bool pads_nothing(const het__rewriter *r, const het__node *node)
{
    if (node->attrs.tensor.opset >= 11)
        return het__rw_input(r, node, 1) && all_are(r, node->inputs[1], 0);
    const het__attr *pads = het__attr_find(&node->attrs.tensor, "pads", HET__ATTR_INTS);
    for (uint32_t i = 0; pads && i < pads->count; i++)
        if (pads->u.ints[i] != 0)
            return false;
    return pads != NULL;
}

/* Every place of the output lies on one of the input, whatever the mode. */
static bool resizes_nothing(const het__rewriter *r, const het__node *node)
{
    const het__attr_list *list = &node->attrs.tensor;
    if (strcmp(het__attr_string(list, "coordinate_transformation_mode", "half_pixel"),
               "tf_crop_and_resize") == 0)
        return false;
    if (list->opset < 11)
        return node->input_count > 1 && all_are(r, node->inputs[1], 1);
    if (het__rw_input(r, node, 3)) /* extents, which are equal; else scales */
        return true;
    return het__rw_input(r, node, 2) && all_are(r, node->inputs[2], 1);
}

/* x op c with a c that leaves x as it is. */
static bool is_neutral(const het__rewriter *r, const het__node *node, uint32_t *x)
{
    const het__op op = node->op;
    const double c = op == HET__OP_T_ADD || op == HET__OP_T_SUB ? 0 : 1;
    double found;
    return het__match_scalar(r, node->outputs[0], op, x, &found) && found == c;
}

/* The node gives one of its inputs, if shapes are equal: which. */
static bool gives_input(const het__rewriter *r, const het__node *node, uint32_t *x)
{
    *x = node->inputs[0];
    switch (node->op) {
    case HET__OP_T_IDENTITY: case HET__OP_T_RESHAPE: case HET__OP_T_FLATTEN:
    case HET__OP_T_SQUEEZE: case HET__OP_T_UNSQUEEZE: case HET__OP_T_EXPAND: case HET__OP_T_TILE:
    case HET__OP_T_CAST: case HET__OP_T_CAST_LIKE:
        return true; /* same extents and type: the same elements */
    case HET__OP_T_SPLIT:
        return node->output_count == 1;
    case HET__OP_T_CONCAT: case HET__OP_T_SUM: case HET__OP_T_MAX: case HET__OP_T_MIN:
    case HET__OP_T_MEAN:
        return node->input_count == 1;
    case HET__OP_T_DROPOUT: return drops_nothing(r, node);
    case HET__OP_T_SLICE: return slices_nothing(r, node);
    case HET__OP_T_PAD: return pads_nothing(r, node);
    case HET__OP_T_RESIZE: return resizes_nothing(r, node);
    case HET__OP_T_ADD: case HET__OP_T_SUB: case HET__OP_T_MUL: case HET__OP_T_DIV:
    case HET__OP_T_POW:
        return is_neutral(r, node, x);
    default: return false;
    }
}

static bool remove_node(het__rewriter *r, const het__node *node)
{
    uint32_t x;
    return node->input_count > 0 && node->output_count > 0 && node->inputs[0] != HET__NO_VALUE &&
           gives_input(r, node, &x) && het__match_same_shape(r, x, node->outputs[0]) &&
           het__match_replace(r, node->outputs[0], x);
}

/* ---- views ---- */

/* Of any kind, with the shape that it has. */
static bool merge_views(het__rewriter *r, const het__node *node)
{
    het__tensor y;
    if (!het__op_is_view(node->op) || node->op == HET__OP_T_IDENTITY)
        return false;
    const het__node *first = het__rw_producer(r, node->inputs[0]);
    if (!first || !het__op_is_view(first->op) || !het__match_tensor(r, node->outputs[0], &y))
        return false;
    const uint32_t from = first->inputs[0];
    if (r->graph->values[from].kind == HET__VALUE_CONST ||
        (het__match_same_shape(r, from, node->outputs[0]) &&
         het__match_replace(r, node->outputs[0], from)))
        return false;
    const uint32_t made = het__rw_reshape(r, node->name, from, y.rank, y.extent);
    return !r->failed && het__match_replace(r, node->outputs[0], made);
}

bool het__tidy_views(het__rewriter *r)
{
    const uint32_t before = r->rewrites;
    for (uint32_t n = 0; n < r->graph->node_count && !r->failed; n++) {
        const het__node node = r->graph->nodes[n];
        if (het__op_is_view(node.op) && !remove_node(r, &node))
            merge_views(r, &node);
    }
    return r->rewrites != before;
}

/* ---- twice ---- */

/* Gives the same each time: no chance, and no bodies, which are not compared. */
static bool is_pure(const het__node *node)
{
    switch (node->op) {
    case HET__OP_T_DROPOUT: case HET__OP_T_BERNOULLI: case HET__OP_T_RANDOM_NORMAL:
    case HET__OP_T_RANDOM_NORMAL_LIKE: case HET__OP_T_RANDOM_UNIFORM:
    case HET__OP_T_RANDOM_UNIFORM_LIKE: case HET__OP_T_MULTINOMIAL: case HET__OP_T_UNKNOWN:
    case HET__OP_T_CUSTOM:
        return false;
    default: break;
    }
    for (uint32_t i = 0; i < node->attrs.tensor.count; i++)
        if (node->attrs.tensor.items[i].kind == HET__ATTR_GRAPH ||
            node->attrs.tensor.items[i].kind == HET__ATTR_TENSOR)
            return false;
    return node->output_count > 0 && node->input_count > 0;
}

static bool same_attr(const het__attr *a, const het__attr *b)
{
    if (a->kind != b->kind || strcmp(a->name, b->name) != 0)
        return false;
    switch (a->kind) {
    case HET__ATTR_INT: return a->u.i == b->u.i;
    case HET__ATTR_FLOAT: return memcmp(&a->u.f, &b->u.f, sizeof a->u.f) == 0;
    case HET__ATTR_STRING: return strcmp(a->u.string, b->u.string) == 0;
    case HET__ATTR_INTS:
        return a->count == b->count &&
               memcmp(a->u.ints, b->u.ints, a->count * sizeof *a->u.ints) == 0;
    case HET__ATTR_FLOATS:
        return a->count == b->count &&
               memcmp(a->u.floats, b->u.floats, a->count * sizeof *a->u.floats) == 0;
    case HET__ATTR_STRINGS:
        for (uint32_t i = 0; i < a->count && a->count == b->count; i++)
            if (strcmp(a->u.strings[i], b->u.strings[i]) != 0)
                return false;
        return a->count == b->count;
    default: return false;
    }
}

static bool same_value(const het__rewriter *r, uint32_t a, uint32_t b)
{
    het__tensor x, y;
    if (a == b)
        return true;
    if (a == HET__NO_VALUE || b == HET__NO_VALUE || !het__match_constant(r, a, &x) ||
        !het__match_constant(r, b, &y) || x.dtype != y.dtype || !het__tensor_same_extents(&x, &y))
        return false;
    const int64_t bytes = het__tensor_bytes(&x);
    return bytes >= 0 && bytes <= SMALL_BYTES && memcmp(x.data, y.data, (size_t)bytes) == 0;
}

static bool same_node(const het__rewriter *r, const het__node *a, const het__node *b)
{
    const het__attr_list *x = &a->attrs.tensor, *y = &b->attrs.tensor;
    if (a->op != b->op || a->input_count != b->input_count ||
        a->output_count != b->output_count || x->count != y->count || x->opset != y->opset)
        return false;
    for (uint32_t i = 0; i < a->input_count; i++)
        if (!same_value(r, a->inputs[i], b->inputs[i]))
            return false;
    for (uint32_t i = 0; i < x->count; i++)
        if (!same_attr(&x->items[i], &y->items[i]))
            return false;
    return true;
}

/* Duplicates of a node are among the readers of its first input, which next chains. */
static bool merge_twins(het__rewriter *r, uint32_t first, const uint32_t *next)
{
    bool merged = false;
    for (uint32_t a = first; a != HET__NO_VALUE; a = next[a]) {
        const het__node *one = &r->graph->nodes[a];
        if (one->op == HET__OP_NONE || !is_pure(one))
            continue;
        uint32_t left = TWINS_MAX;
        for (uint32_t b = next[a]; b != HET__NO_VALUE && left-- > 0; b = next[b]) {
            const het__node two = r->graph->nodes[b];
            if (two.op == HET__OP_NONE || !same_node(r, one, &two))
                continue;
            for (uint32_t o = 0; o < two.output_count; o++)
                merged = het__match_replace(r, two.outputs[o], one->outputs[o]) || merged;
        }
    }
    return merged;
}

/* Nodes by their first input: next[n] is the next that reads the same, first[v] the first of v. */
static bool merge_all(het__rewriter *r)
{
    het__graph *g = r->graph;
    het__mem *mem = g->arena.mem;
    const uint32_t nodes = g->node_count, values = g->value_count;
    uint32_t *first = het__alloc(mem, ((size_t)values + 1) * sizeof *first);
    uint32_t *next = het__alloc(mem, ((size_t)nodes + 1) * sizeof *next);
    bool merged = false;
    if (first && next) {
        memset(first, 0xff, ((size_t)values + 1) * sizeof *first);
        for (uint32_t n = nodes; n-- > 0;) {
            const het__node *node = &g->nodes[n];
            const uint32_t v = node->input_count ? node->inputs[0] : HET__NO_VALUE;
            next[n] = HET__NO_VALUE;
            if (!het__op_is_tensor(node->op) || v == HET__NO_VALUE)
                continue;
            next[n] = first[v];
            first[v] = n;
        }
        for (uint32_t v = 0; v < values; v++)
            merged = merge_twins(r, first[v], next) || merged;
    }
    het__free(mem, first);
    het__free(mem, next);
    return merged;
}

void het__pass_tidy(het__rewriter *r)
{
    uint32_t before;
    do {
        before = r->rewrites;
        for (uint32_t n = 0; n < r->graph->node_count && !r->failed; n++) {
            const het__node node = r->graph->nodes[n];
            if (het__op_is_tensor(node.op) && !remove_node(r, &node))
                merge_views(r, &node);
        }
        if (!r->failed)
            merge_all(r);
        het__rw_settle(r);
    } while (r->rewrites != before && !r->failed);
}
