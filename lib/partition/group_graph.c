/* SPDX-License-Identifier: Apache-2.0 */
/* One walk over the nodes: memory, who reads it, and what must be at hand of it. */
#include "lib/partition/group_graph.h"

#include <string.h>

#include "lib/base/error.h"
#include "lib/cost/analysis.h"
#include "lib/cost/cost.h"
#include "lib/plain/plain.h"

typedef struct maker {
    const het__group_request *q;
    const het__graph *g;
    int64_t symbols[HET__SYM_MAX];
    uint32_t *memory;  /* per value of the graph: value of the problem, or HET__GROUP_OUTSIDE */
    uint32_t *read_by; /* per value of the problem: the last node that reads it, plus one */
    uint32_t *read_at; /* and its entry among the reads */
    uint32_t *before;  /* per node: the last node that needs it, plus one */
    het__group_node *nodes;
    het__group_value *values;
    het__group_read *reads;
    het__group_edge *edges;
    het__group_problem *p;
} maker;

/* ---- what an operation is ---- */

static const het__value *input_of(const het__graph *g, const het__node *node, uint32_t i)
{
    return i < node->input_count && node->inputs[i] != HET__NO_VALUE ? &g->values[node->inputs[i]]
                                                                     : NULL;
}

/* A constant of one element. */
static bool is_number(const het__value *v, double want)
{
    return v && v->kind == HET__VALUE_CONST && v->data && v->rank <= 1 &&
           (v->rank == 0 || v->extent[0].count == 1) &&
           het__get_f64(v->dtype, v->data, 0) == want;
}

static bool bound_is(const het__graph *g, const het__node *node, uint32_t i, const char *name,
                     double want)
{
    const het__attr_list *list = &node->attrs.tensor;
    if (list->opset < 11)
        return (double)het__attr_float(list, name, -1) == want;
    return is_number(input_of(g, node, i), want);
}

static het__group_kind kind_of(const het__graph *g, const het__node *node)
{
    switch (node->op) {
    case HET__OP_T_CONV: return HET__GROUP_CONVOLUTION;
    case HET__OP_T_BATCH_NORMALIZATION: return HET__GROUP_NORM;
    case HET__OP_T_RELU: return HET__GROUP_RELU;
    case HET__OP_T_SWISH: return HET__GROUP_ACTIVATION;
    case HET__OP_T_ADD: return HET__GROUP_ADD;
    case HET__OP_T_CLIP:
        return bound_is(g, node, 1, "min", 0) && bound_is(g, node, 2, "max", 6)
                   ? HET__GROUP_ACTIVATION : HET__GROUP_OTHER;
    default: return HET__GROUP_OTHER;
    }
}

/* Unknown extents, bodies, loops over time: what one kernel could not take in. */
static bool is_alone(const het__graph *g, const het__node *node)
{
    for (uint32_t i = 0; i < node->input_count; i++) {
        const het__value *v = input_of(g, node, i);
        if (v && (!het__value_is_known(v) || v->dtype == HET_DTYPE_NONE))
            return true;
    }
    for (uint32_t o = 0; o < node->output_count; o++)
        if (!het__value_is_known(&g->values[node->outputs[o]]))
            return true;
    switch (node->op) {
    case HET__OP_T_IF: case HET__OP_T_LOOP: case HET__OP_T_SCAN: case HET__OP_T_RNN:
    case HET__OP_T_GRU: case HET__OP_T_LSTM: case HET__OP_T_UNKNOWN:
        return true;
    default:
        return false;
    }
}

/* ---- what must be at hand ---- */

static double bytes_of(const maker *m, const het__value *v)
{
    const int64_t bytes = het__value_is_known(v) && v->dtype != HET_DTYPE_NONE
                              ? het__value_bytes(v, m->symbols) : 0;
    return bytes > 0 ? (double)bytes : 0;
}

static bool is_elementwise(het__op op)
{
    return (op >= HET__OP_T_ABS && op <= HET__OP_T_CAST_LIKE) ||
           (op >= HET__OP_T_ADD && op <= HET__OP_T_DEQUANTIZE_LINEAR) || op == HET__OP_T_DROPOUT;
}

static bool same_extents(const het__value *a, const het__value *b)
{
    bool same = a->rank == b->rank;
    for (uint32_t i = 0; same && i < a->rank; i++)
        same = a->extent[i].count == b->extent[i].count;
    return same;
}

/* Softmax and norms along the last axis. */
static bool is_rowwise(const het__node *node, const het__value *x)
{
    const int64_t axis = het__attr_int(&node->attrs.tensor, "axis", -1);
    const bool last = x->rank > 0 && (axis == -1 || axis == (int64_t)x->rank - 1);
    switch (node->op) {
    case HET__OP_T_SOFTMAX: case HET__OP_T_LOG_SOFTMAX:
        return last && node->attrs.tensor.opset >= 13;
    case HET__OP_T_LAYER_NORMALIZATION: case HET__OP_T_RMS_NORMALIZATION:
        return last;
    default:
        return false;
    }
}

static double at_hand(const maker *m, const het__node *node, uint32_t i)
{
    const het__value *x = input_of(m->g, node, i);
    const double bytes = bytes_of(m, x);
    if (i == 0 && node->op == HET__OP_T_BATCH_NORMALIZATION)
        return 0;
    if (is_elementwise(node->op) && same_extents(x, &m->g->values[node->outputs[0]]))
        return 0;
    if (i == 0 && is_rowwise(node, x)) {
        const int64_t rows = het__value_elements(x, m->symbols) / (x->extent[x->rank - 1].count > 0
                                 ? x->extent[x->rank - 1].count : 1);
        return rows > 0 ? bytes / (double)rows : 0;
    }
    return bytes;
}

/* ---- the walk ---- */

static uint32_t add_value(maker *m, const het__value *v, uint32_t producer, bool counts)
{
    m->values[m->p->value_count] =
        (het__group_value){ counts ? bytes_of(m, v) : 0, producer, false };
    return m->p->value_count++;
}

static void add_edge(maker *m, uint32_t from, uint32_t to)
{
    if (m->before[from] == to + 1)
        return;
    m->before[from] = to + 1;
    m->edges[m->p->edge_count++] = (het__group_edge){ from, to };
}

static void add_read(maker *m, uint32_t n, uint32_t i, bool moves)
{
    const het__node *node = &m->g->nodes[n];
    const uint32_t memory = m->memory[node->inputs[i]];
    const double need = m->nodes[n].is_alone ? bytes_of(m, input_of(m->g, node, i))
                                             : at_hand(m, node, i);
    if (m->read_by[memory] == n + 1) { /* by another operand: one pass for both */
        het__group_read *r = &m->reads[m->read_at[memory]];
        r->at_hand = need > r->at_hand ? need : r->at_hand;
        return;
    }
    m->read_by[memory] = n + 1;
    m->read_at[memory] = m->p->read_count;
    m->reads[m->p->read_count++] = (het__group_read){ n, memory, need, moves };
}

static bool is_repeated(const het__node *node, uint32_t i)
{
    for (uint32_t k = 0; k < i; k++)
        if (node->inputs[k] == node->inputs[i])
            return true;
    return false;
}

static void add_operands(maker *m, uint32_t n, bool view)
{
    const het__node *node = &m->g->nodes[n];
    for (uint32_t i = 0; i < node->input_count; i++) {
        const het__value *v = input_of(m->g, node, i);
        if (!v || v->kind == HET__VALUE_CONST || is_repeated(node, i))
            continue;
        m->nodes[n].operand_count++;
        if (v->producer != HET__NO_VALUE)
            add_edge(m, v->producer, n);
        add_read(m, n, i, !view);
    }
}

static void add_work(maker *m, uint32_t n)
{
    const het__node *node = &m->g->nodes[n];
    het__work work;
    het__cost cost;
    het__node_work(m->g, node, m->symbols, &work);
    het__cost_node(m->g, node, &work, m->q->device, false, &cost);
    m->nodes[n].compute_ns = cost.compute_ns;
    m->nodes[n].constant_bytes = work.weight_bytes;
}

static bool is_needed(const maker *m, uint32_t value, const uint32_t *uses)
{
    return uses[value] > 0 || m->g->values[value].kind == HET__VALUE_OUTPUT;
}

static void add_node(maker *m, uint32_t n, const uint32_t *uses)
{
    const het__node *node = &m->g->nodes[n];
    const het__value *first = input_of(m->g, node, 0);
    const bool alone = is_alone(m->g, node);
    const bool view = !alone && het__node_is_view(m->g, node) && first &&
                      first->kind != HET__VALUE_CONST;
    m->nodes[n] = (het__group_node){ .kind = kind_of(m->g, node), .is_alone = alone };
    add_operands(m, n, view);
    if (!alone && !view)
        add_work(m, n);
    for (uint32_t o = 0; o < node->output_count; o++) {
        const uint32_t value = node->outputs[o];
        m->memory[value] = view && o == 0
                               ? m->memory[node->inputs[0]]
                               : add_value(m, &m->g->values[value], n,
                                           is_needed(m, value, uses) && !view);
        if (m->g->values[value].kind == HET__VALUE_OUTPUT)
            m->values[m->memory[value]].is_result = true;
    }
}

static void fill(maker *m, const uint32_t *uses)
{
    for (uint32_t v = 0; v < m->g->value_count; v++)
        if (m->g->values[v].kind != HET__VALUE_CONST &&
            m->g->values[v].producer == HET__NO_VALUE)
            m->memory[v] = add_value(m, &m->g->values[v], HET__GROUP_OUTSIDE, true);
    for (uint32_t n = 0; n < m->g->node_count; n++)
        add_node(m, n, uses);
    m->p->node_count = m->g->node_count;
    m->p->nodes = m->nodes;
    m->p->values = m->values;
    m->p->reads = m->reads;
    m->p->edges = m->edges;
}

static bool reserve(maker *m, het__arena *arena, uint32_t **uses)
{
    const het__graph *g = m->g;
    size_t inputs = 1;
    for (uint32_t n = 0; n < g->node_count; n++)
        inputs += g->nodes[n].input_count;
    m->memory = het__arena_zero(arena, (size_t)g->value_count + 1, sizeof *m->memory);
    m->read_by = het__arena_zero(arena, (size_t)g->value_count + 1, sizeof *m->read_by);
    m->read_at = het__arena_zero(arena, (size_t)g->value_count + 1, sizeof *m->read_at);
    m->before = het__arena_zero(arena, (size_t)g->node_count + 1, sizeof *m->before);
    m->nodes = het__arena_zero(arena, (size_t)g->node_count + 1, sizeof *m->nodes);
    m->values = het__arena_zero(arena, (size_t)g->value_count + 1, sizeof *m->values);
    m->reads = het__arena_zero(arena, inputs, sizeof *m->reads);
    m->edges = het__arena_zero(arena, inputs, sizeof *m->edges);
    *uses = het__arena_zero(arena, (size_t)g->value_count + 1, sizeof **uses);
    return m->memory && m->read_by && m->read_at && m->before && m->nodes && m->values &&
           m->reads && m->edges && *uses;
}

het_status het__group_problem_make(const het__group_request *q, het__arena *arena,
                                   het__group_problem *p, het_error *err)
{
    maker m = { .q = q, .g = q->graph, .p = p };
    uint32_t *uses;
    memset(p, 0, sizeof *p);
    for (uint32_t i = 0; i < HET__SYM_MAX; i++)
        m.symbols[i] = 1;
    if (!reserve(&m, arena, &uses))
        return het__fail_nomem(err, "the groups of a graph");
    het__graph_use_counts(q->graph, uses);
    fill(&m, uses);
    const het__node none = { .op = HET__OP_NONE };
    const het__work byte = { .input_bytes = 1 };
    het__cost cost;
    het__cost_node(q->graph, &none, &byte, q->device, false, &cost);
    p->ns_per_byte = cost.memory_ns;
    p->launch_ns = q->device->launch.value;
    p->near_bytes = q->near_bytes > 0 ? q->near_bytes : HET__GROUP_NEAR_BYTES;
    p->max_ops = q->max_ops;
    p->max_bytes = q->max_bytes;
    return HET_OK;
}
