/* SPDX-License-Identifier: Apache-2.0 */
/* One walk over the nodes in order: bind, fold, take branches; one walk backwards: drop. */
#include "lib/passes/specialise.h"

#include <assert.h>

#include "lib/base/error.h"
#include "lib/ir/custom.h"
#include "lib/plain/plain.h"

/* Constants larger than this stay computed at run time: folding an Expand of a scalar, say, would
 * trade a few instructions for memory. */
#define FOLD_BYTES_MAX (INT64_C(64) << 20)
/* Work of all folding together, in operations and bytes, besides a share per byte of the model's
 * constants: about a second, however hostile a constant trip count is. */
#define FOLD_WORK_MAX 1e9
#define FOLD_WORK_PER_BYTE 64.0
/* Branches in branches. */
#define DEPTH_MAX 32

typedef struct special {
    het__graph *out;
    het__mem *mem;
    het__scratch scratch;
    het__interpreter interpreter;
    het__specialise_report report;
    double work_left;
    uint32_t depth;
    het_error *err;
} special;

/* Of one graph (the model's, or a branch that is taken): value ids there -> ids in out. */
typedef struct env {
    const het__graph *graph;
    uint32_t *map;
} env;

static void tensor_of(const het__value *v, het__tensor *t)
{
    memset(t, 0, sizeof *t);
    t->dtype = v->dtype;
    t->rank = v->rank;
    for (uint32_t i = 0; i < v->rank; i++)
        t->extent[i] = v->extent[i].count;
    t->data = v->kind == HET__VALUE_CONST ? (void *)(uintptr_t)v->data : NULL;
}

static void shape_value(het__value *v, const het__tensor *t)
{
    v->dtype = t->dtype;
    v->rank = t->rank;
    for (uint32_t i = 0; i < t->rank; i++)
        v->extent[i] = (het__extent){ t->extent[i], HET__SYM_ONE };
}

static uint32_t add_value(special *s, const char *name, het__value_kind kind,
                          const het__tensor *t, const void *data)
{
    const uint32_t id = het__graph_value(s->out, name, kind, t->dtype, 0, NULL);
    if (id == HET__NO_VALUE)
        return id;
    shape_value(&s->out->values[id], t);
    s->out->values[id].data = data;
    return id;
}

static het_status nomem(const special *s)
{
    return het__fail_nomem(s->err, "a graph for these shapes");
}

/* ---- folding ---- */

static bool is_random(het__op op)
{
    switch (op) {
    case HET__OP_T_BERNOULLI:
    case HET__OP_T_RANDOM_UNIFORM:
    case HET__OP_T_RANDOM_NORMAL:
    case HET__OP_T_RANDOM_UNIFORM_LIKE:
    case HET__OP_T_RANDOM_NORMAL_LIKE:
    case HET__OP_T_MULTINOMIAL:
        return true;
    default:
        return false;
    }
}

/* Integer weights that are only widened: the pass that builds integer kernels wants to see them.
 * What an application computes may change from run to run. */
static bool is_kept(const het__node *node)
{
    return node->op == HET__OP_T_DEQUANTIZE_LINEAR || is_random(node->op) ||
           (node->op == HET__OP_T_CUSTOM && !het__custom_is_pure(node->attrs.tensor.custom));
}

static bool can_fold(const special *s, const het__eval *e)
{
    if (!het__plain_kernel(e->node->op) || is_kept(e->node))
        return false;
    if (e->node->op == HET__OP_T_SHAPE || e->node->op == HET__OP_T_SIZE)
        return !e->unknown;
    int64_t total = 0;
    for (uint32_t i = 0; i < e->input_count; i++)
        if (e->inputs[i].dtype != HET_DTYPE_NONE && !e->inputs[i].data)
            return false;
    for (uint32_t o = 0; !e->unknown && o < e->output_count; o++)
        total += het__tensor_bytes(&e->outputs[o]);
    return total <= FOLD_BYTES_MAX && het__plain_cost(e) <= s->work_left;
}

static het_status compute(special *s, het__eval *e)
{
    for (uint32_t o = 0; !e->unknown && o < e->output_count; o++) {
        e->outputs[o].data = het__alloc(s->mem, (size_t)het__tensor_bytes(&e->outputs[o]));
        if (!e->outputs[o].data)
            return nomem(s);
    }
    s->work_left -= het__plain_cost(e);
    e->mem = s->mem;
    e->scratch = &s->scratch;
    e->interpreter = &s->interpreter;
    het__scratch_reset(&s->scratch);
    return het__plain_kernel(e->node->op)(e);
}

/* The outputs become constants: their bytes move into the graph's arena. */
static het_status keep(special *s, env *scope, const het__eval *e)
{
    for (uint32_t o = 0; o < e->output_count; o++) {
        const size_t bytes = (size_t)het__tensor_bytes(&e->outputs[o]);
        void *data = het__arena_alloc(&s->out->arena, bytes ? bytes : 1);
        if (!data)
            return nomem(s);
        memcpy(data, e->outputs[o].data, bytes);
        const uint32_t v = e->node->outputs[o];
        scope->map[v] = add_value(s, scope->graph->values[v].name, HET__VALUE_CONST,
                                  &e->outputs[o], data);
        if (scope->map[v] == HET__NO_VALUE)
            return nomem(s);
    }
    return HET_OK;
}

/* *done is false if bodies took more work than there was: nothing has changed then. */
static het_status fold(special *s, env *scope, het__eval *e, bool *done)
{
    *done = true;
    s->report.folded++;
    if (het__op_is_view(e->node->op) && e->output_count == 1) {
        const uint32_t v = e->node->outputs[0];
        scope->map[v] = add_value(s, scope->graph->values[v].name, HET__VALUE_CONST,
                                  &e->outputs[0], e->inputs[0].data);
        return scope->map[v] == HET__NO_VALUE ? nomem(s) : HET_OK;
    }
    het_error why = HET_ERROR_INIT;
    e->err = &why;
    het_status status = compute(s, e);
    if (status == HET_OK)
        status = keep(s, scope, e);
    for (uint32_t o = 0; o < e->output_count; o++)
        het__free(s->mem, e->outputs[o].data);
    *done = status != HET_E_UNSUPPORTED || s->work_left >= 0;
    s->report.folded -= !*done;
    if (status == HET_OK || !*done)
        return HET_OK;
    return why.message[0] ? het__fail(s->err, status, "%s", why.message) : status;
}

/* ---- nodes ---- */

static het_status copy_node(special *s, env *scope, const het__node *node,
                            const uint32_t *inputs, const het__eval *e)
{
    const uint32_t first =
        het__graph_tensor_node(s->out, node->op, node->name, inputs, node->input_count,
                               node->output_count, &node->attrs.tensor);
    if (s->out->failed)
        return nomem(s);
    for (uint32_t o = 0; o < node->output_count; o++) {
        const uint32_t v = node->outputs[o];
        het__value *made = &s->out->values[first + o];
        scope->map[v] = first + o;
        made->name = scope->graph->values[v].name;
        if (e && !e->unknown)
            shape_value(made, &e->outputs[o]);
    }
    s->report.open += !e || e->unknown;
    s->report.undecided += node->op == HET__OP_T_IF;
    return HET_OK;
}

static het_status walk(special *s, env *scope);

/* A body's inputs are the node's from `first` on, in order. */
static het_status enter_body(special *s, env *outer, const het__node *node, uint32_t first,
                             const het__graph *body, const uint32_t *inputs)
{
    env inner = { body, het__alloc(s->mem, (body->value_count ? body->value_count : 1) *
                                                 sizeof *inner.map) };
    if (!inner.map)
        return nomem(s);
    uint32_t next = first;
    for (uint32_t v = 0; v < body->value_count; v++) {
        inner.map[v] = HET__NO_VALUE;
        if (body->values[v].kind == HET__VALUE_INPUT && next < node->input_count)
            inner.map[v] = inputs[next++];
    }
    s->depth++;
    het_status status = walk(s, &inner);
    s->depth--;
    for (uint32_t o = 0; status == HET_OK && o < node->output_count; o++)
        outer->map[node->outputs[o]] = inner.map[body->outputs[o]];
    het__free(s->mem, inner.map);
    s->report.branches += status == HET_OK;
    return status;
}

/* The body that an If takes, or NULL if that is not known yet. */
static const het__graph *branch_of(const special *s, const het__eval *e)
{
    const het__tensor *condition = het__eval_input(e, 0);
    if (e->node->op != HET__OP_T_IF || !condition || !condition->data ||
        het__tensor_elements(condition) != 1 || s->depth >= DEPTH_MAX)
        return NULL;
    const bool taken = het__get_f64(condition->dtype, condition->data, 0) != 0;
    const het__attr *body =
        het__attr_find(e->attrs, taken ? "then_branch" : "else_branch", HET__ATTR_GRAPH);
    return body && body->u.graph->output_count >= e->output_count ? body->u.graph : NULL;
}

/* False if the shape of some input is not known. */
static bool gather(const special *s, const env *scope, const het__node *node, uint32_t *ids,
                   het__tensor *inputs)
{
    bool known = true;
    for (uint32_t i = 0; i < node->input_count; i++) {
        ids[i] = node->inputs[i] == HET__NO_VALUE ? HET__NO_VALUE : scope->map[node->inputs[i]];
        memset(&inputs[i], 0, sizeof inputs[i]);
        if (ids[i] == HET__NO_VALUE)
            continue;
        const het__value *v = &s->out->values[ids[i]];
        known = known && het__value_is_known(v) && v->dtype != HET_DTYPE_NONE;
        if (het__value_is_known(v))
            tensor_of(v, &inputs[i]);
    }
    return known;
}

static het_status do_node(special *s, env *scope, const het__node *node, uint32_t *ids,
                          het__tensor *inputs)
{
    het__tensor outputs[HET__EVAL_OUTPUTS_MAX];
    const het__tensor_op *op = het__tensor_op_of(node->op);
    memset(outputs, 0, sizeof outputs);
    het__eval e = { .node = node, .attrs = &node->attrs.tensor, .inputs = inputs,
                    .input_count = node->input_count, .outputs = outputs,
                    .output_count = node->output_count, .err = s->err };
    if (!gather(s, scope, node, ids, inputs) || !op->shape)
        return copy_node(s, scope, node, ids, NULL);
    const het__graph *branch = branch_of(s, &e);
    if (branch)
        return enter_body(s, scope, node, 1, branch, ids);
    const het_status status = op->shape(&e);
    if (status != HET_OK)
        return status;
    bool done = false;
    if (can_fold(s, &e)) {
        const het_status folded = fold(s, scope, &e, &done);
        if (folded != HET_OK)
            return folded;
    }
    return done ? HET_OK : copy_node(s, scope, node, ids, &e);
}

static het_status walk_nodes(special *s, env *scope, uint32_t *ids, het__tensor *inputs)
{
    for (uint32_t n = 0; n < scope->graph->node_count; n++) {
        const het_status status = do_node(s, scope, &scope->graph->nodes[n], ids, inputs);
        if (status != HET_OK)
            return status;
    }
    return HET_OK;
}

static het_status walk(special *s, env *scope)
{
    uint32_t most = 1;
    for (uint32_t n = 0; n < scope->graph->node_count; n++)
        if (scope->graph->nodes[n].input_count > most)
            most = scope->graph->nodes[n].input_count;
    for (uint32_t v = 0; v < scope->graph->value_count; v++) {
        const het__value *value = &scope->graph->values[v];
        if (value->kind != HET__VALUE_CONST)
            continue;
        het__tensor t;
        tensor_of(value, &t);
        scope->map[v] = add_value(s, value->name, HET__VALUE_CONST, &t, value->data);
        if (scope->map[v] == HET__NO_VALUE)
            return nomem(s);
    }
    uint32_t *ids = het__alloc(s->mem, most * sizeof *ids);
    het__tensor *inputs = het__alloc(s->mem, most * sizeof *inputs);
    const het_status status = ids && inputs ? walk_nodes(s, scope, ids, inputs) : nomem(s);
    het__free(s->mem, ids);
    het__free(s->mem, inputs);
    return status;
}

/* ---- the ends ---- */

/* What is known of an input stands in its place; the input itself stays, unread. */
static het_status know_input(special *s, const het__value *value, const het__tensor *input,
                             uint32_t *id)
{
    const size_t bytes = (size_t)het__tensor_bytes(input);
    void *data = het__arena_alloc(&s->out->arena, bytes ? bytes : 1);
    if (!data)
        return nomem(s);
    memcpy(data, input->data, bytes);
    *id = add_value(s, value->name, HET__VALUE_CONST, input, data);
    return *id == HET__NO_VALUE ? nomem(s) : HET_OK;
}

static het_status take_inputs(special *s, env *scope, const het__specialise_request *q)
{
    uint32_t next = 0;
    for (uint32_t v = 0; v < scope->graph->value_count; v++) {
        const het__value *value = &scope->graph->values[v];
        scope->map[v] = HET__NO_VALUE;
        if (value->kind != HET__VALUE_INPUT)
            continue;
        if (next == q->input_count)
            return het__fail(s->err, HET_E_INVALID, "input %s is missing", value->name);
        const het__tensor *input = &q->inputs[next];
        scope->map[v] = add_value(s, value->name, HET__VALUE_INPUT, input, NULL);
        if (scope->map[v] == HET__NO_VALUE)
            return nomem(s);
        if (q->known && q->known[next]) {
            const het_status status = know_input(s, value, input, &scope->map[v]);
            if (status != HET_OK)
                return status;
        }
        next++;
    }
    return HET_OK;
}

/* An output that is not made by a node of its own gets one. */
static het_status give_outputs(special *s, const env *scope)
{
    static const het__attr_list none = { .opset = 13 };
    for (uint32_t o = 0; o < scope->graph->output_count; o++) {
        const uint32_t raw = scope->graph->outputs[o];
        const char *name = scope->graph->values[raw].name;
        uint32_t v = scope->map[raw];
        assert(v != HET__NO_VALUE);
        if (s->out->values[v].kind != HET__VALUE_TEMP) {
            const uint32_t copy =
                het__graph_tensor_node(s->out, HET__OP_T_IDENTITY, name, &v, 1, 1, &none);
            if (copy == HET__NO_VALUE)
                return nomem(s);
            const het__value *from = &s->out->values[v];
            het__value *to = &s->out->values[copy];
            to->dtype = from->dtype;
            to->rank = from->rank;
            memcpy(to->extent, from->extent, sizeof to->extent);
            v = copy;
        }
        het__graph_output(s->out, v, name);
    }
    return s->out->failed ? nomem(s) : HET_OK;
}

static het_status drop_dead(special *s)
{
    het__graph *g = s->out;
    bool *needed = het__alloc_zero(s->mem, g->value_count ? g->value_count : 1, sizeof *needed);
    if (!needed)
        return nomem(s);
    for (uint32_t o = 0; o < g->output_count; o++)
        needed[g->outputs[o]] = true;
    for (uint32_t n = g->node_count; n-- > 0;) {
        het__node *node = &g->nodes[n];
        bool used = false;
        for (uint32_t o = 0; o < node->output_count; o++)
            used = used || needed[node->outputs[o]];
        for (uint32_t i = 0; used && i < node->input_count; i++)
            if (node->inputs[i] != HET__NO_VALUE)
                needed[node->inputs[i]] = true;
        if (!used) {
            node->op = HET__OP_NONE;
            s->report.dead++;
        }
    }
    het__free(s->mem, needed);
    het__graph_compact(g);
    return HET_OK;
}

static double constant_bytes(const het__graph *g)
{
    double bytes = 0;
    for (uint32_t v = 0; v < g->value_count; v++) {
        het__tensor t;
        if (g->values[v].kind != HET__VALUE_CONST)
            continue;
        tensor_of(&g->values[v], &t);
        bytes += (double)het__tensor_bytes(&t);
    }
    return bytes;
}

het_status het__specialise(const het__graph *raw, const het__tensor *inputs, uint32_t input_count,
                           het__mem *mem, het__graph *out, het__specialise_report *report,
                           het_error *err)
{
    const het__specialise_request request = { .graph = raw, .inputs = inputs,
                                              .input_count = input_count };
    return het__specialise_for(&request, mem, out, report, err);
}

het_status het__specialise_for(const het__specialise_request *request, het__mem *mem,
                               het__graph *out, het__specialise_report *report, het_error *err)
{
    const het__graph *raw = request->graph;
    special s = { .out = out, .mem = mem, .err = err };
    s.work_left = request->work_max > 0
                      ? request->work_max
                      : FOLD_WORK_MAX + FOLD_WORK_PER_BYTE * constant_bytes(raw);
    s.interpreter = (het__interpreter){ .mem = mem, .work_left = &s.work_left };
    s.report.nodes_before = raw->node_count;
    het__graph_init(out, mem);
    het__scratch_init(&s.scratch, mem);
    env top = { raw,
                  het__alloc(mem, (raw->value_count ? raw->value_count : 1) * sizeof *top.map) };
    het_status status = top.map ? take_inputs(&s, &top, request) : nomem(&s);
    if (status == HET_OK)
        status = walk(&s, &top);
    if (status == HET_OK)
        status = give_outputs(&s, &top);
    if (status == HET_OK)
        status = drop_dead(&s);
    het__free(mem, top.map);
    het__scratch_finish(&s.scratch);
    if (status != HET_OK)
        het__graph_finish(out);
    else if (report)
        *report = s.report;
    return status;
}
