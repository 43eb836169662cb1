/* SPDX-License-Identifier: Apache-2.0 */
/* Asking a graph, for the passes on tensor operations. */
#include "lib/passes/match.h"

#include <string.h>

#include "lib/base/error.h"
#include "lib/plain/plain.h"

bool het__match_tensor(const het__rewriter *r, uint32_t value, het__tensor *t)
{
    memset(t, 0, sizeof *t);
    if (value == HET__NO_VALUE)
        return false;
    const het__value *v = &r->graph->values[value];
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

bool het__match_same_shape(const het__rewriter *r, uint32_t a, uint32_t b)
{
    het__tensor x, y;
    return het__match_tensor(r, a, &x) && het__match_tensor(r, b, &y) && x.dtype == y.dtype &&
           het__tensor_same_extents(&x, &y);
}

bool het__match_is_f32(const het__rewriter *r, uint32_t value)
{
    het__tensor t;
    return het__match_tensor(r, value, &t) && t.dtype == HET_DTYPE_F32;
}

bool het__match_constant(const het__rewriter *r, uint32_t value, het__tensor *t)
{
    return het__match_tensor(r, value, t) && t->data;
}

bool het__match_ints(const het__rewriter *r, const het__node *node, uint32_t input,
                     const char *name, uint32_t most, int64_t *out, uint32_t *count)
{
    het__tensor inputs[8], outputs[1];
    het__node one = *node;
    het__eval e;
    het_status s;
    bool present;
    one.output_count = 0;
    if (node->input_count > 8 || !het__rw_eval(r, &one, inputs, outputs, &e))
        return false;
    return het__eval_ints(&e, input, name, most, out, count, &present, &s) && s == HET_OK &&
           present;
}

het__node *het__match_made_by(const het__rewriter *r, uint32_t value, het__op op)
{
    het__node *n = het__rw_producer(r, value);
    return n && n->op == op ? n : NULL;
}

bool het__match_scalar(const het__rewriter *r, uint32_t value, het__op op, uint32_t *x, double *c)
{
    const het__node *n = het__match_made_by(r, value, op);
    const bool commutes = op == HET__OP_T_ADD || op == HET__OP_T_MUL;
    if (!n || n->input_count != 2)
        return false;
    for (uint32_t side = 2; side-- > (commutes ? 0u : 1u);) {
        if (!het__rw_scalar(r, n->inputs[side], c))
            continue;
        *x = n->inputs[1 - side];
        return true;
    }
    return false;
}

static bool is_float(const het__rewriter *r, uint32_t value)
{
    het__tensor t;
    return het__match_tensor(r, value, &t) && het__dtype_is_float(t.dtype);
}

uint32_t het__match_behind_casts(const het__rewriter *r, uint32_t value)
{
    const het__node *n;
    while ((n = het__match_made_by(r, value, HET__OP_T_CAST)) && is_float(r, value) &&
           is_float(r, n->inputs[0]))
        value = n->inputs[0];
    return value;
}

/* What is left deeper than this is left to the sweep behind the pass. */
#define DROP_DEPTH 64

static bool is_read(const het__rewriter *r, const het__node *node)
{
    bool read = false;
    for (uint32_t o = 0; o < node->output_count; o++)
        read = read || r->uses[node->outputs[o]] > 0 ||
               r->graph->values[node->outputs[o]].kind == HET__VALUE_OUTPUT;
    for (uint32_t i = 0; i < node->input_count; i++)
        read = read || (node->inputs[i] != HET__NO_VALUE &&
                        r->graph->values[node->inputs[i]].kind == HET__VALUE_STATE);
    return read;
}

static void drop(het__rewriter *r, uint32_t value, uint32_t depth)
{
    het__node *node = het__rw_producer(r, value);
    if (!node || depth == DROP_DEPTH || is_read(r, node))
        return;
    het__rw_kill(r, node);
    for (uint32_t i = 0; i < node->input_count; i++)
        drop(r, node->inputs[i], depth + 1);
}

bool het__match_replace(het__rewriter *r, uint32_t from, uint32_t to)
{
    const het__graph *g = r->graph;
    if (r->failed || from == to ||
        (r->uses[from] == 0 && g->values[from].kind != HET__VALUE_OUTPUT))
        return false;
    if (g->values[from].kind == HET__VALUE_OUTPUT &&
        (g->values[to].kind != HET__VALUE_TEMP || g->values[to].producer == HET__NO_VALUE))
        return false;
    het__rw_replace(r, from, to);
    drop(r, from, 0);
    r->rewrites++;
    return true;
}

het__attrs het__match_attrs(het__rewriter *r, int32_t opset, const het__attr *items,
                            uint32_t count)
{
    het__attrs attrs;
    memset(&attrs, 0, sizeof attrs);
    attrs.tensor = (het__attr_list){ .items = het__rw_attrs(r, items, count), .count = count,
                                     .opset = opset };
    return attrs;
}

het__attr het__match_int(const char *name, int64_t value)
{
    return (het__attr){ name, HET__ATTR_INT, 0, { .i = value } };
}

het__attr het__match_float(const char *name, float value)
{
    return (het__attr){ name, HET__ATTR_FLOAT, 0, { .f = value } };
}

static int64_t *keep_list(het__rewriter *r, const int64_t *values, uint32_t count)
{
    int64_t *copy = het__arena_alloc(&r->graph->arena, (count ? count : 1) * sizeof *copy);
    if (copy) {
        memcpy(copy, values, count * sizeof *copy);
    } else if (!r->failed) {
        het__fail_nomem(r->err, "the passes");
        r->failed = true;
    }
    return copy;
}

het__attr het__match_list(het__rewriter *r, const char *name, const int64_t *values, uint32_t count)
{
    return (het__attr){ name, HET__ATTR_INTS, count, { .ints = keep_list(r, values, count) } };
}

uint32_t het__match_int_constant(het__rewriter *r, const char *name, const int64_t *values,
                                 uint32_t count)
{
    const int64_t length = count;
    const int64_t *data = keep_list(r, values, count);
    return r->failed ? HET__NO_VALUE
                     : het__rw_constant(r, name, HET_DTYPE_I64, 1, &length, data);
}
