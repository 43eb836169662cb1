/* SPDX-License-Identifier: Apache-2.0 */
/* Pattern fusion. Each pass walks the nodes once, marks what it absorbs as dead (op NONE), and
 * gives the merged node the outputs of the last node it stands for. */
#include "lib/passes/passes.h"

#include <string.h>

#include "lib/base/error.h"
#include "lib/passes/tensor.h"

/* Projections that one linear may hold (the shape rule's limit). */
#define PROJECTIONS_MAX 8
#define ROUNDS_MAX 16

/* Leaves the counts of uses alone: the node's inputs go on being read by what replaces it. */
static void kill_node(het__rewriter *r, het__node *node)
{
    for (uint32_t o = 0; o < node->output_count; o++)
        if (r->graph->values[node->outputs[o]].producer == (uint32_t)(node - r->graph->nodes))
            r->graph->values[node->outputs[o]].producer = HET__NO_VALUE;
    node->op = HET__OP_NONE;
}

static void take_outputs(het__rewriter *r, het__node *node, const uint32_t *outputs, uint32_t count)
{
    for (uint32_t o = 0; o < count; o++)
        r->graph->values[outputs[o]].producer = (uint32_t)(node - r->graph->nodes);
    node->outputs = outputs;
    node->output_count = count;
}

/* ---- parallel projections ---- */

/* Weights and biases are constants: they are there wherever the node moves to. */
static bool has_constant_weights(const het__graph *graph, const het__node *linear)
{
    for (uint32_t i = 2; i < linear->input_count; i++)
        if (linear->inputs[i] != HET__NO_VALUE &&
            graph->values[linear->inputs[i]].kind != HET__VALUE_CONST)
            return false;
    return true;
}

static bool can_join(const het__graph *graph, const het__node *a, const het__node *b)
{
    return b->op == HET__OP_LINEAR && !b->attrs.linear.residual && b->inputs[0] == a->inputs[0] &&
           b->layer == a->layer && has_constant_weights(graph, b);
}

/* Append b's projections to a, which stands before it. */
static void join(het__rewriter *r, het__node *a, het__node *b)
{
    uint32_t in[2 + 2 * PROJECTIONS_MAX], out[PROJECTIONS_MAX];
    const uint32_t na = a->output_count, nb = b->output_count;
    memcpy(in, a->inputs, (2 + 2 * na) * sizeof *in);
    memcpy(in + 2 + 2 * na, b->inputs + 2, 2 * nb * sizeof *in);
    memcpy(out, a->outputs, na * sizeof *out);
    memcpy(out + na, b->outputs, nb * sizeof *out);
    const uint32_t *inputs = het__rw_keep_ids(r, in, 2 + 2 * (na + nb));
    const uint32_t *outputs = het__rw_keep_ids(r, out, na + nb);
    if (r->failed)
        return;
    kill_node(r, b);
    a->inputs = inputs;
    a->input_count = 2 + 2 * (na + nb);
    a->attrs.linear.projections = (int32_t)(na + nb);
    take_outputs(r, a, outputs, na + nb);
    r->uses[a->inputs[0]]--;
    r->rewrites++;
}

static void pass_parallel(het__rewriter *r)
{
    het__graph *g = r->graph;
    for (uint32_t i = 0; i < g->node_count; i++) {
        het__node *a = &g->nodes[i];
        if (a->op != HET__OP_LINEAR || a->attrs.linear.residual)
            continue;
        for (uint32_t j = i + 1; j < g->node_count && g->nodes[j].layer == a->layer; j++)
            if (can_join(g, a, &g->nodes[j]) &&
                a->output_count + g->nodes[j].output_count <= PROJECTIONS_MAX)
                join(r, a, &g->nodes[j]);
    }
}

/* ---- gated feed-forward ---- */

static bool is_inner(const het__rewriter *r, uint32_t value)
{
    return r->uses[value] == 1 && r->graph->values[value].kind == HET__VALUE_TEMP;
}

/* gate and up must be the two projections, without bias, of one linear. */
static bool gated_weights(const het__rewriter *r, uint32_t gate, uint32_t up, uint32_t w[3])
{
    const het__node *g = het__rw_producer(r, gate), *u = het__rw_producer(r, up);
    if (!g || g != u || g->op != HET__OP_LINEAR || g->output_count != 2 ||
        g->attrs.linear.residual || g->inputs[3] != HET__NO_VALUE ||
        g->inputs[5] != HET__NO_VALUE)
        return false;
    const bool first = g->outputs[0] == gate;
    w[0] = g->inputs[0];
    w[1] = g->inputs[first ? 2 : 4];
    w[2] = g->inputs[first ? 4 : 2];
    return gate != up;
}

static void fuse_gated(het__rewriter *r, het__node *mul)
{
    for (uint32_t side = 0; side < 2; side++) {
        const uint32_t up = mul->inputs[1 - side];
        het__node *act = het__rw_sole(r, mul->inputs[side], HET__OP_UNARY);
        uint32_t w[3];
        if (!act || act->attrs.unary.kind >= HET__UNARY_SCALE ||
            !is_inner(r, act->inputs[0]) || !is_inner(r, up) ||
            !gated_weights(r, act->inputs[0], up, w))
            continue;
        const uint32_t *inputs = het__rw_keep_ids(r, w, 3);
        if (r->failed)
            return;
        het__node *linear = het__rw_producer(r, up);
        const het__unary kind = act->attrs.unary.kind;
        const uint32_t *outputs = mul->outputs;
        kill_node(r, mul);
        kill_node(r, act);
        kill_node(r, linear);
        linear->op = HET__OP_GATED;
        linear->inputs = inputs;
        linear->input_count = 3;
        memset(&linear->attrs, 0, sizeof linear->attrs);
        linear->attrs.gated.act = kind;
        take_outputs(r, linear, outputs, 1);
        r->rewrites++;
        return;
    }
}

static void pass_gated(het__rewriter *r)
{
    for (uint32_t i = 0; i < r->graph->node_count; i++)
        if (r->graph->nodes[i].op == HET__OP_MUL)
            fuse_gated(r, &r->graph->nodes[i]);
}

/* ---- rotation and head norms into attention ---- */

static bool same_rope(const het__node *a, const het__node *b)
{
    const het__rope_attrs *x = &a->attrs.rope, *y = &b->attrs.rope;
    return x->head_size == y->head_size && x->rotated == y->rotated &&
           x->interleaved == y->interleaved && x->theta == y->theta && x->scale == y->scale &&
           x->magnitude == y->magnitude && a->inputs[1] == b->inputs[1] &&
           a->inputs[2] == b->inputs[2];
}

static het__node *head_norm(const het__rewriter *r, uint32_t value, int32_t head_size)
{
    het__node *n = het__rw_sole(r, value, HET__OP_NORM);
    if (!n || n->attrs.norm.kind != HET__NORM_RMS || n->attrs.norm.group != head_size ||
        (n->input_count > 2 && n->inputs[2] != HET__NO_VALUE))
        return NULL;
    return n;
}

/* What attention does by itself comes after an outer rotation, and before it once that is fused. */
static bool is_bare(const het__node *attention)
{
    return !attention->attrs.attention.rope.rotated &&
           attention->inputs[HET__ATTN_Q_NORM] == HET__NO_VALUE &&
           attention->inputs[HET__ATTN_K_NORM] == HET__NO_VALUE &&
           attention->inputs[HET__ATTN_FACTORS] == HET__NO_VALUE;
}

static void fuse_rope(het__rewriter *r, het__node *attention)
{
    if (attention->inputs[HET__ATTN_K] == HET__NO_VALUE)
        return; /* the keys were turned where they were made */
    het__node *q = het__rw_sole(r, attention->inputs[HET__ATTN_Q], HET__OP_ROPE);
    het__node *k = het__rw_sole(r, attention->inputs[HET__ATTN_K], HET__OP_ROPE);
    if (!is_bare(attention) || !q || !k || q->input_count != 3 ||
        k->input_count != 3 || !same_rope(q, k) ||
        q->inputs[1] != attention->inputs[HET__ATTN_POSITIONS] ||
        q->attrs.rope.head_size != attention->attrs.attention.head_size)
        return;
    uint32_t in[HET__ATTN_INPUT_COUNT];
    memcpy(in, attention->inputs, sizeof in);
    in[HET__ATTN_Q] = q->inputs[0];
    in[HET__ATTN_K] = k->inputs[0];
    in[HET__ATTN_FACTORS] = q->inputs[2];
    het__node *qn = head_norm(r, in[HET__ATTN_Q], q->attrs.rope.head_size);
    het__node *kn = head_norm(r, in[HET__ATTN_K], q->attrs.rope.head_size);
    const bool norms = qn && kn && qn->attrs.norm.eps == kn->attrs.norm.eps;
    if (norms) {
        in[HET__ATTN_Q_NORM] = qn->inputs[1];
        in[HET__ATTN_K_NORM] = kn->inputs[1];
        in[HET__ATTN_Q] = qn->inputs[0];
        in[HET__ATTN_K] = kn->inputs[0];
    }
    const uint32_t *inputs = het__rw_keep_ids(r, in, HET__ATTN_INPUT_COUNT);
    if (r->failed)
        return;
    attention->attrs.attention.rope = q->attrs.rope;
    attention->inputs = inputs;
    if (norms) {
        attention->attrs.attention.norm_eps = qn->attrs.norm.eps;
        kill_node(r, qn);
        kill_node(r, kn);
    }
    kill_node(r, q);
    kill_node(r, k);
    r->rewrites++;
}

static void pass_rope(het__rewriter *r)
{
    for (uint32_t i = 0; i < r->graph->node_count; i++)
        if (r->graph->nodes[i].op == HET__OP_ATTENTION)
            fuse_rope(r, &r->graph->nodes[i]);
}

/* ---- residual sums ---- */

static bool same_extents(const het__value *a, const het__value *b)
{
    if (a->rank != b->rank)
        return false;
    for (uint32_t i = 0; i < a->rank; i++)
        if (a->extent[i].count != b->extent[i].count || a->extent[i].symbol != b->extent[i].symbol)
            return false;
    return true;
}

static void fuse_residual(het__rewriter *r, het__node *add)
{
    const het__graph *g = r->graph;
    for (uint32_t side = 2; side-- > 0;) { /* the right operand first: x + f(x) */
        const uint32_t other = add->inputs[1 - side];
        het__node *linear = het__rw_sole(r, add->inputs[side], HET__OP_LINEAR);
        if (!linear || linear->attrs.linear.residual || other == add->inputs[side] ||
            !same_extents(&g->values[other], &g->values[add->inputs[side]]))
            continue;
        const het__node *before = het__rw_producer(r, other);
        if (before && before > linear)
            continue; /* not there yet when the linear runs */
        uint32_t in[4];
        memcpy(in, linear->inputs, sizeof in);
        in[1] = other;
        const uint32_t *inputs = het__rw_keep_ids(r, in, 4);
        if (r->failed)
            return;
        const uint32_t *outputs = add->outputs;
        kill_node(r, add);
        g->values[linear->outputs[0]].producer = HET__NO_VALUE;
        linear->inputs = inputs;
        linear->attrs.linear.residual = true;
        take_outputs(r, linear, outputs, 1);
        r->rewrites++;
        return;
    }
}

static void pass_residual(het__rewriter *r)
{
    for (uint32_t i = 0; i < r->graph->node_count; i++)
        if (r->graph->nodes[i].op == HET__OP_ADD)
            fuse_residual(r, &r->graph->nodes[i]);
}

static const struct {
    const char *name;
    void (*run)(het__rewriter *);
} passes[HET__PASS_COUNT] = {
    [HET__PASS_PARALLEL] = { "parallel", pass_parallel },
    [HET__PASS_GATED] = { "gated", pass_gated },
    [HET__PASS_ROPE] = { "rope", pass_rope },
    [HET__PASS_RESIDUAL] = { "residual", pass_residual },
    [HET__PASS_TIDY] = { "tidy", het__pass_tidy },
    [HET__PASS_ACTIVATIONS] = { "activations", het__pass_activations },
    [HET__PASS_NORMS] = { "norms", het__pass_norms },
    [HET__PASS_ATTENTION] = { "attention", het__pass_attention },
    [HET__PASS_TRANSPOSES] = { "transposes", het__pass_transposes },
    [HET__PASS_FOLD] = { "fold", het__pass_fold },
    [HET__PASS_SIBLINGS] = { "siblings", het__pass_siblings },
    [HET__PASS_INTEGERS] = { "integers", het__pass_integers },
    [HET__PASS_WINDOWS] = { "windows", het__pass_windows },
    [HET__PASS_PRODUCTS] = { "products", het__pass_products },
    [HET__PASS_EPILOGUE] = { "epilogue", het__pass_epilogue },
    [HET__PASS_LAYOUT] = { "layout", het__pass_layout },
};

const char *het__pass_name(het__pass pass)
{
    return (uint32_t)pass < HET__PASS_COUNT ? passes[pass].name : "unknown";
}

/* Rewrites that one pass made. */
static uint32_t run_pass(het__rewriter *r, uint32_t pass, uint32_t mask, het__pass_report *report)
{
    if (!(mask >> pass & 1) || r->failed)
        return 0;
    het__graph_use_counts(r->graph, r->uses);
    r->rewrites = 0;
    passes[pass].run(r);
    het__rw_settle(r);
    report->rewrites[pass] += r->rewrites;
    return r->rewrites;
}

/* Passes that prepare work for each other, until none finds any; the bound only keeps a defect of
 * one of them from running for ever. */
static void run_together(het__rewriter *r, uint32_t mask, het__pass_report *report)
{
    uint32_t found = 1;
    for (uint32_t round = 0; found && round < ROUNDS_MAX; round++) {
        found = 0;
        for (uint32_t p = HET__PASS_TIDY; p <= HET__PASS_SIBLINGS; p++)
            found += run_pass(r, p, mask, report);
    }
}

het_status het__passes_run(het__graph *graph, const het__pass_options *options,
                           het__pass_report *report, het_error *err)
{
    het__pass_report local = { { 0 }, graph->node_count, 0 };
    het_error failure = HET_ERROR_INIT;
    het__rewriter r = { .graph = graph, .block = options->block, .err = &failure };
    r.uses_capacity = graph->value_count ? graph->value_count : 1;
    r.uses = het__alloc_zero(graph->arena.mem, r.uses_capacity, sizeof *r.uses);
    if (!r.uses)
        return het__fail_nomem(err, "the passes");
    for (uint32_t p = 0; p < HET__PASS_COUNT && !r.failed; p++) {
        if (p == HET__PASS_TIDY)
            run_together(&r, options->mask, &local);
        else if (p < HET__PASS_TIDY || p > HET__PASS_SIBLINGS)
            run_pass(&r, p, options->mask, &local);
    }
    het__free(graph->arena.mem, r.uses);
    local.nodes_after = graph->node_count;
    if (report)
        *report = local;
    if (r.failed && !failure.status)
        het__fail_nomem(&failure, "the passes");
    if (r.failed && err)
        *err = failure;
    if (r.failed)
        return (het_status)failure.status;
    return het__graph_check(graph, err);
}
