/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/passes/rewrite.h"

#include <assert.h>
#include <string.h>

#include "lib/base/error.h"
#include "lib/plain/plain.h"

static bool nomem(het__rewriter *r)
{
    if (!r->failed)
        het__fail_nomem(r->err, "the passes");
    r->failed = true;
    return false;
}

het__node *het__rw_producer(const het__rewriter *r, uint32_t value)
{
    if (value == HET__NO_VALUE)
        return NULL;
    const uint32_t n = r->graph->values[value].producer;
    if (n == HET__NO_VALUE || r->graph->nodes[n].op == HET__OP_NONE)
        return NULL;
    return &r->graph->nodes[n];
}

het__node *het__rw_sole(const het__rewriter *r, uint32_t value, het__op op)
{
    het__node *n = het__rw_producer(r, value);
    if (!n || n->op != op || n->output_count != 1 || r->uses[value] != 1 ||
        r->graph->values[value].kind != HET__VALUE_TEMP)
        return NULL;
    return n;
}

het__node *het__rw_reader(const het__rewriter *r, uint32_t value)
{
    if (r->uses[value] != 1 || r->graph->values[value].kind == HET__VALUE_OUTPUT)
        return NULL;
    for (uint32_t n = 0; n < r->graph->node_count; n++) {
        het__node *node = &r->graph->nodes[n];
        for (uint32_t i = 0; node->op != HET__OP_NONE && i < node->input_count; i++)
            if (node->inputs[i] == value)
                return node;
    }
    return NULL;
}

const uint32_t *het__rw_keep_ids(het__rewriter *r, const uint32_t *ids, uint32_t count)
{
    uint32_t *copy = het__arena_alloc(&r->graph->arena, (count ? count : 1) * sizeof *copy);
    if (copy)
        memcpy(copy, ids, count * sizeof *copy);
    else
        nomem(r);
    return copy;
}

static bool grow_uses(het__rewriter *r)
{
    const uint32_t count = r->graph->value_count;
    if (count <= r->uses_capacity)
        return true;
    uint32_t *more = het__realloc(r->graph->arena.mem, r->uses, 2 * (size_t)count * sizeof *more);
    if (!more)
        return nomem(r);
    memset(more + r->uses_capacity, 0, (2 * (size_t)count - r->uses_capacity) * sizeof *more);
    r->uses = more;
    r->uses_capacity = 2 * count;
    return true;
}

/* Shapes of a tensor operation's outputs by its rule. */
static bool infer(het__rewriter *r, uint32_t first, uint32_t count)
{
    het__graph *g = r->graph;
    const het__node *node = &g->nodes[g->values[first].producer];
    het__value made[HET__EVAL_OUTPUTS_MAX];
    uint32_t n = 0;
    if (het__tensor_op_of(node->op)->info.shape(g, node, made, &n, r->err) != HET_OK) {
        r->failed = true;
        return false;
    }
    for (uint32_t o = 0; o < count; o++) {
        het__value *v = &g->values[first + o];
        v->dtype = made[o].dtype;
        v->rank = made[o].rank;
        memcpy(v->extent, made[o].extent, sizeof v->extent);
    }
    return true;
}

uint32_t het__rw_node(het__rewriter *r, het__op op, const char *name, const uint32_t *inputs,
                      uint32_t input_count, uint32_t output_count, const het__attrs *attrs)
{
    het__graph *g = r->graph;
    if (r->failed)
        return HET__NO_VALUE;
    uint32_t first;
    if (het__op_is_tensor(op))
        first = het__graph_tensor_node(g, op, name, inputs, input_count, output_count,
                                       &attrs->tensor);
    else
        first = het__graph_node(g, op, -1, name, inputs, input_count, attrs, r->err);
    if (first == HET__NO_VALUE) {
        r->failed = true;
        return first;
    }
    if (!grow_uses(r) || (het__op_is_tensor(op) && !infer(r, first, output_count)))
        return HET__NO_VALUE;
    for (uint32_t i = 0; i < input_count; i++)
        if (inputs[i] != HET__NO_VALUE)
            r->uses[inputs[i]]++;
    return first;
}

static void replace_output(het__graph *g, uint32_t from, uint32_t to)
{
    het__value *a = &g->values[from], *b = &g->values[to];
    assert(b->producer != HET__NO_VALUE && b->kind == HET__VALUE_TEMP);
    b->kind = HET__VALUE_OUTPUT;
    b->name = a->name;
    a->kind = HET__VALUE_TEMP;
    for (uint32_t o = 0; o < g->output_count; o++)
        if (g->outputs[o] == from)
            g->outputs[o] = to;
}

void het__rw_replace(het__rewriter *r, uint32_t from, uint32_t to)
{
    het__graph *g = r->graph;
    if (r->failed)
        return;
    for (uint32_t n = 0; n < g->node_count; n++) {
        het__node *node = &g->nodes[n];
        bool reads = false;
        for (uint32_t i = 0; i < node->input_count; i++)
            reads = reads || node->inputs[i] == from;
        if (!reads || node->op == HET__OP_NONE)
            continue;
        /* Lists of inputs are never shared between nodes. */
        uint32_t *inputs = (uint32_t *)(uintptr_t)node->inputs;
        for (uint32_t i = 0; i < node->input_count; i++)
            if (inputs[i] == from) {
                inputs[i] = to;
                r->uses[from]--;
                r->uses[to]++;
            }
    }
    if (g->values[from].kind == HET__VALUE_OUTPUT)
        replace_output(g, from, to);
}

void het__rw_kill(het__rewriter *r, het__node *node)
{
    for (uint32_t i = 0; i < node->input_count; i++)
        if (node->inputs[i] != HET__NO_VALUE && r->uses[node->inputs[i]] > 0)
            r->uses[node->inputs[i]]--;
    for (uint32_t o = 0; o < node->output_count; o++)
        if (r->graph->values[node->outputs[o]].producer == (uint32_t)(node - r->graph->nodes))
            r->graph->values[node->outputs[o]].producer = HET__NO_VALUE;
    node->op = HET__OP_NONE;
}

/* ---- constants ---- */

uint32_t het__rw_constant(het__rewriter *r, const char *name, het_dtype dtype, uint32_t rank,
                          const int64_t *extent, const void *data)
{
    if (r->failed)
        return HET__NO_VALUE;
    const uint32_t v = het__graph_const(r->graph, name, dtype, rank, extent, data);
    if (v == HET__NO_VALUE || !grow_uses(r)) {
        nomem(r);
        return HET__NO_VALUE;
    }
    return v;
}

uint32_t het__rw_floats(het__rewriter *r, const char *name, uint32_t rank, const int64_t *extent,
                        float **data)
{
    size_t count = 1;
    for (uint32_t i = 0; i < rank; i++)
        count *= (size_t)extent[i];
    *data = r->failed ? NULL : het__arena_zero(&r->graph->arena, count ? count : 1, sizeof **data);
    if (!*data) {
        nomem(r);
        return HET__NO_VALUE;
    }
    return het__rw_constant(r, name, HET_DTYPE_F32, rank, extent, *data);
}

void het__rw_replace_shaped(het__rewriter *r, uint32_t old, uint32_t made, const char *name)
{
    if (r->failed)
        return;
    const het__value *v = &r->graph->values[old];
    int64_t extent[HET_RANK_MAX];
    for (uint32_t i = 0; i < v->rank; i++)
        extent[i] = v->extent[i].count;
    if (r->graph->values[made].rank != v->rank)
        made = het__rw_reshape(r, name, made, v->rank, extent);
    if (r->failed)
        return;
    het__rw_replace(r, old, made);
    r->rewrites++;
}

uint32_t het__rw_as_image(het__rewriter *r, const char *name, uint32_t value)
{
    const het__value *v = &r->graph->values[value];
    if (v->rank == 4)
        return value;
    const int64_t extent[4] = { v->extent[0].count, v->extent[1].count, 1, v->extent[2].count };
    return het__rw_reshape(r, name, value, 4, extent);
}

const float *het__rw_read_floats(het__rewriter *r, uint32_t value, int64_t *count)
{
    const int64_t ones[HET__SYM_MAX] = { 1 };
    if (value == HET__NO_VALUE || r->failed)
        return NULL;
    const het__value *v = &r->graph->values[value];
    if (v->kind != HET__VALUE_CONST || v->dtype != HET_DTYPE_F32 || !v->data)
        return NULL;
    *count = het__value_elements(v, ones);
    if ((uintptr_t)v->data % sizeof(float) == 0)
        return v->data;
    float *copy = het__arena_alloc(&r->graph->arena, (size_t)(*count ? *count : 1) * sizeof *copy);
    if (!copy) {
        nomem(r);
        return NULL;
    }
    memcpy(copy, v->data, (size_t)*count * sizeof *copy);
    return copy;
}

bool het__rw_scalar(const het__rewriter *r, uint32_t value, double *x)
{
    if (value == HET__NO_VALUE)
        return false;
    const het__value *v = &r->graph->values[value];
    if (v->kind != HET__VALUE_CONST || !v->data || !het__dtype_is_float(v->dtype))
        return false;
    for (uint32_t i = 0; i < v->rank; i++)
        if (v->extent[i].count != 1)
            return false;
    *x = het__get_f64(v->dtype, v->data, 0);
    return true;
}

const het__attr *het__rw_attrs(het__rewriter *r, const het__attr *items, uint32_t count)
{
    het__attr *copy = het__arena_alloc(&r->graph->arena, (count ? count : 1) * sizeof *copy);
    if (copy && count)
        memcpy(copy, items, count * sizeof *copy);
    else if (!copy)
        nomem(r);
    return copy;
}

uint32_t het__rw_reshape(het__rewriter *r, const char *name, uint32_t value, uint32_t rank,
                         const int64_t *extent)
{
    static const het__attr allow_zero = { "allowzero", HET__ATTR_INT, 0, { .i = 1 } };
    if (r->failed)
        return HET__NO_VALUE;
    const het__value *v = &r->graph->values[value];
    if (v->kind == HET__VALUE_CONST)
        return het__rw_constant(r, v->name, v->dtype, rank, extent, v->data);
    int64_t *wanted = het__arena_alloc(&r->graph->arena, (rank ? rank : 1) * sizeof *wanted);
    if (!wanted) {
        nomem(r);
        return HET__NO_VALUE;
    }
    memcpy(wanted, extent, rank * sizeof *wanted);
    const int64_t length = rank;
    const uint32_t shape = het__rw_constant(r, name, HET_DTYPE_I64, 1, &length, wanted);
    const uint32_t in[2] = { value, shape };
    const het__attrs attrs = { .tensor = { .items = &allow_zero, .count = 1, .opset = 14 } };
    return het__rw_node(r, HET__OP_T_RESHAPE, name, in, 2, 1, &attrs);
}

static bool operand(const het__graph *g, uint32_t value, het__tensor *t)
{
    memset(t, 0, sizeof *t);
    if (value == HET__NO_VALUE)
        return true;
    const het__value *v = &g->values[value];
    if (!het__value_is_known(v) || v->dtype == HET_DTYPE_NONE)
        return false;
    t->dtype = v->dtype;
    t->rank = v->rank;
    for (uint32_t i = 0; i < v->rank; i++) {
        if (v->extent[i].symbol != HET__SYM_ONE)
            return false;
        t->extent[i] = v->extent[i].count;
    }
    t->data = v->kind == HET__VALUE_CONST ? (void *)(uintptr_t)v->data : NULL;
    return true;
}

bool het__rw_eval(const het__rewriter *r, const het__node *node, het__tensor *inputs,
                  het__tensor *outputs, het__eval *e)
{
    bool known = true;
    for (uint32_t i = 0; i < node->input_count; i++)
        known = operand(r->graph, node->inputs[i], &inputs[i]) && known;
    for (uint32_t o = 0; o < node->output_count; o++)
        known = operand(r->graph, node->outputs[o], &outputs[o]) && known;
    *e = (het__eval){ .node = node, .attrs = &node->attrs.tensor, .inputs = inputs,
                      .input_count = node->input_count, .outputs = outputs,
                      .output_count = node->output_count };
    return known;
}

/* ---- order ---- */

/* Nodes whose outputs nobody reads any more. */
static void sweep(het__rewriter *r)
{
    het__graph *g = r->graph;
    bool again = true;
    while (again) {
        again = false;
        for (uint32_t n = g->node_count; n-- > 0;) {
            het__node *node = &g->nodes[n];
            bool used = node->op == HET__OP_NONE;
            for (uint32_t o = 0; !used && o < node->output_count; o++)
                used = r->uses[node->outputs[o]] > 0 ||
                       g->values[node->outputs[o]].kind == HET__VALUE_OUTPUT;
            for (uint32_t i = 0; !used && i < node->input_count; i++)
                used = node->inputs[i] != HET__NO_VALUE &&
                       g->values[node->inputs[i]].kind == HET__VALUE_STATE;
            if (!used) {
                het__rw_kill(r, node);
                again = true;
            }
        }
    }
}

void het__rw_settle(het__rewriter *r)
{
    if (!r->failed) {
        het__graph_use_counts(r->graph, r->uses);
        sweep(r);
        if (!het__graph_sort(r->graph))
            nomem(r);
    }
    if (!r->failed)
        het__graph_use_counts(r->graph, r->uses);
}
