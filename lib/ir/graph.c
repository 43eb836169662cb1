/* SPDX-License-Identifier: Apache-2.0 */
/* Building, checking and compacting graphs. Values and nodes are arrays that grow; names, shapes'
 * owners and edge lists live in the arena. */
#include "lib/ir/graph.h"

#include <assert.h>
#include <string.h>

#include "lib/base/dtype.h"
#include "lib/base/error.h"

/* More outputs than any operation has. */
#define OUTPUTS_MAX HET__EVAL_OUTPUTS_MAX

void het__graph_init(het__graph *graph, het__mem *mem)
{
    memset(graph, 0, sizeof *graph);
    het__arena_init(&graph->arena, mem);
    graph->symbol_count = HET__SYM_COUNT;
}

void het__graph_finish(het__graph *graph)
{
    het__mem *mem = graph->arena.mem;
    if (!mem)
        return;
    het__free(mem, graph->values);
    het__free(mem, graph->nodes);
    het__arena_finish(&graph->arena);
    memset(graph, 0, sizeof *graph);
}

/* Builds that look for stale pointers move an array at each addition. */
#ifdef HET__GRAPH_MOVES
#define MOVES 1
#else
#define MOVES 0
#endif

static uint32_t next_capacity(uint32_t capacity)
{
    return MOVES ? capacity + 1 : capacity ? capacity * 2 : 64;
}

static bool grow(het__mem *mem, void **array, uint32_t count, uint32_t *capacity, size_t size)
{
    if (count < *capacity)
        return true;
    if (*capacity > UINT32_MAX / 4)
        return false;
    const uint32_t next = next_capacity(*capacity);
    size_t bytes;
    if (!het__mul_size(next, size, &bytes))
        return false;
    void *p = het__realloc(mem, *array, bytes);
    if (!p)
        return false;
    *array = p;
    *capacity = next;
    return true;
}

uint32_t het__graph_value(het__graph *graph, const char *name, het__value_kind kind,
                          het_dtype dtype, uint32_t rank, const het__extent *extent)
{
    assert(rank <= HET_RANK_MAX || rank == HET__RANK_UNKNOWN);
    void *values = graph->values;
    const bool room = !graph->failed && grow(graph->arena.mem, &values, graph->value_count,
                                             &graph->value_capacity, sizeof(het__value));
    graph->values = values;
    char *copy = room ? het__arena_strdup(&graph->arena, name) : NULL;
    if (!copy) {
        graph->failed = true;
        return HET__NO_VALUE;
    }
    het__value *v = &graph->values[graph->value_count];
    memset(v, 0, sizeof *v);
    v->name = copy;
    v->kind = kind;
    v->dtype = dtype;
    v->rank = rank;
    v->producer = HET__NO_VALUE;
    for (uint32_t i = 0; i < rank && rank != HET__RANK_UNKNOWN; i++)
        v->extent[i] = extent[i];
    return graph->value_count++;
}

uint32_t het__graph_const(het__graph *graph, const char *name, het_dtype dtype, uint32_t rank,
                          const int64_t *extent, const void *data)
{
    het__extent e[HET_RANK_MAX];
    for (uint32_t i = 0; i < rank && i < HET_RANK_MAX; i++)
        e[i] = (het__extent){ extent[i], HET__SYM_ONE };
    const uint32_t v = het__graph_value(graph, name, HET__VALUE_CONST, dtype, rank, e);
    if (v != HET__NO_VALUE)
        graph->values[v].data = data;
    return v;
}

static const uint32_t *copy_ids(het__graph *graph, const uint32_t *ids, uint32_t count)
{
    uint32_t *copy = het__arena_alloc(&graph->arena, (count ? count : 1) * sizeof *copy);
    if (!copy)
        graph->failed = true;
    else
        memcpy(copy, ids, count * sizeof *copy);
    return copy;
}

static bool inputs_exist(const het__graph *graph, const het__node *node)
{
    for (uint32_t i = 0; i < node->input_count; i++)
        if (node->inputs[i] != HET__NO_VALUE && node->inputs[i] >= graph->value_count)
            return false;
    return true;
}

static het_status infer(const het__graph *graph, const het__node *node, het__value *outputs,
                        uint32_t *count, het_error *err)
{
    const het__op_info *info = het__op_info_of(node->op);
    if (!info)
        return het__fail(err, HET_E_INVALID, "node %s: unknown operation %d", node->name,
                         (int)node->op);
    if (node->input_count < info->inputs_min || node->input_count > info->inputs_max ||
        !inputs_exist(graph, node))
        return het__fail(err, HET_E_INVALID, "node %s: %s takes %u to %u inputs, not %u",
                         node->name, info->name, info->inputs_min, info->inputs_max,
                         node->input_count);
    memset(outputs, 0, OUTPUTS_MAX * sizeof *outputs);
    for (uint32_t i = 0; i < OUTPUTS_MAX; i++)
        outputs[i].dtype = HET_DTYPE_F32;
    return info->shape(graph, node, outputs, count, err);
}

static uint32_t add_outputs(het__graph *graph, het__node *node, const het__value *shapes,
                            uint32_t count)
{
    uint32_t ids[OUTPUTS_MAX];
    for (uint32_t i = 0; i < count; i++) {
        ids[i] = het__graph_value(graph, node->name, HET__VALUE_TEMP, shapes[i].dtype,
                                  shapes[i].rank, shapes[i].extent);
        if (ids[i] == HET__NO_VALUE)
            return HET__NO_VALUE;
        graph->values[ids[i]].producer = graph->node_count;
    }
    node->output_count = count;
    node->outputs = copy_ids(graph, ids, count);
    return graph->failed ? HET__NO_VALUE : ids[0];
}

uint32_t het__graph_node(het__graph *graph, het__op op, int32_t layer, const char *name,
                         const uint32_t *inputs, uint32_t input_count, const het__attrs *attrs,
                         het_error *err)
{
    if (graph->failed)
        return HET__NO_VALUE;
    het__node node = { .op = op, .layer = layer, .input_count = input_count };
    if (attrs)
        node.attrs = *attrs;
    node.name = het__arena_strdup(&graph->arena, name);
    node.inputs = copy_ids(graph, inputs, input_count);
    void *nodes = graph->nodes;
    const bool room = grow(graph->arena.mem, &nodes, graph->node_count, &graph->node_capacity,
                           sizeof(het__node));
    graph->nodes = nodes;
    if (!room || !node.name || !node.inputs) {
        graph->failed = true;
        het__fail_nomem(err, "the graph");
        return HET__NO_VALUE;
    }
    het__value shapes[OUTPUTS_MAX];
    uint32_t count = 0;
    if (infer(graph, &node, shapes, &count, err) != HET_OK) {
        graph->failed = true;
        return HET__NO_VALUE;
    }
    const uint32_t first = add_outputs(graph, &node, shapes, count);
    if (first == HET__NO_VALUE) {
        het__fail_nomem(err, "the graph");
        return first;
    }
    graph->nodes[graph->node_count++] = node;
    return first;
}

uint32_t het__graph_tensor_node(het__graph *graph, het__op op, const char *name,
                                const uint32_t *inputs, uint32_t input_count,
                                uint32_t output_count, const het__attr_list *attrs)
{
    assert(output_count <= OUTPUTS_MAX && het__op_is_tensor(op));
    if (graph->failed)
        return HET__NO_VALUE;
    het__node node = { .op = op, .layer = -1, .input_count = input_count };
    node.attrs.tensor = *attrs;
    node.name = het__arena_strdup(&graph->arena, name);
    node.inputs = copy_ids(graph, inputs, input_count);
    void *nodes = graph->nodes;
    const bool room = grow(graph->arena.mem, &nodes, graph->node_count, &graph->node_capacity,
                           sizeof(het__node));
    graph->nodes = nodes;
    het__value unknown[OUTPUTS_MAX];
    memset(unknown, 0, sizeof unknown);
    for (uint32_t i = 0; i < output_count; i++)
        unknown[i].rank = HET__RANK_UNKNOWN;
    if (!room || !node.name || !node.inputs) {
        graph->failed = true;
        return HET__NO_VALUE;
    }
    const uint32_t first = add_outputs(graph, &node, unknown, output_count);
    if (!graph->failed)
        graph->nodes[graph->node_count++] = node;
    return first;
}

uint32_t het__graph_symbol(het__graph *graph, const char *name)
{
    for (uint32_t i = HET__SYM_COUNT; i < graph->symbol_count; i++)
        if (strcmp(graph->symbol_names[i], name) == 0)
            return i;
    if (graph->symbol_count == HET__SYM_MAX)
        return HET__SYM_MAX;
    char *copy = het__arena_strdup(&graph->arena, name);
    if (!copy) {
        graph->failed = true;
        return HET__SYM_MAX;
    }
    graph->symbol_names[graph->symbol_count] = copy;
    return graph->symbol_count++;
}

void het__graph_output(het__graph *graph, uint32_t value, const char *name)
{
    if (graph->failed)
        return;
    assert(graph->values[value].kind == HET__VALUE_TEMP &&
           graph->values[value].producer != HET__NO_VALUE);
    /* Doubling at powers of two keeps the copies that an arena cannot free few. */
    const uint32_t n = graph->output_count;
    if ((n & (n - 1)) == 0) {
        uint32_t *more = het__arena_alloc(&graph->arena, (n ? 2 * n : 1) * sizeof *more);
        if (more && n)
            memcpy(more, graph->outputs, n * sizeof *more);
        graph->outputs = more;
    }
    char *copy = het__arena_strdup(&graph->arena, name);
    if (!graph->outputs || !copy) {
        graph->failed = true;
        return;
    }
    graph->values[value].kind = HET__VALUE_OUTPUT;
    graph->values[value].name = copy;
    graph->outputs[graph->output_count++] = value;
}

static bool same_shape(const het__value *a, const het__value *b)
{
    if (a->rank != b->rank)
        return false;
    for (uint32_t i = 0; i < a->rank && a->rank != HET__RANK_UNKNOWN; i++)
        if (a->extent[i].count != b->extent[i].count || a->extent[i].symbol != b->extent[i].symbol)
            return false;
    return true;
}

static het_status check_node(const het__graph *graph, uint32_t index, het_error *err)
{
    const het__node *node = &graph->nodes[index];
    het__value shapes[OUTPUTS_MAX];
    uint32_t count = 0;
    const het_status s = infer(graph, node, shapes, &count, err);
    if (s != HET_OK)
        return s;
    if (count != node->output_count)
        return het__fail(err, HET_E_INTERNAL, "node %s has %u outputs, its rule gives %u",
                         node->name, node->output_count, count);
    for (uint32_t i = 0; i < node->input_count; i++) {
        if (node->inputs[i] == HET__NO_VALUE)
            continue;
        const het__value *v = &graph->values[node->inputs[i]];
        const bool made = v->kind == HET__VALUE_TEMP || v->kind == HET__VALUE_OUTPUT;
        if (made && (v->producer == HET__NO_VALUE || v->producer >= index))
            return het__fail(err, HET_E_INTERNAL, "node %s reads %s before it is made",
                             node->name, v->name);
    }
    for (uint32_t i = 0; i < count; i++) {
        const het__value *v = &graph->values[node->outputs[i]];
        if (v->producer != index || !same_shape(v, &shapes[i]))
            return het__fail(err, HET_E_INTERNAL, "output %u of node %s does not fit its rule", i,
                             node->name);
    }
    return HET_OK;
}

het_status het__graph_check(const het__graph *graph, het_error *err)
{
    for (uint32_t i = 0; i < graph->node_count; i++) {
        const het_status s = check_node(graph, i, err);
        if (s != HET_OK)
            return s;
    }
    return HET_OK;
}

void het__graph_use_counts(const het__graph *graph, uint32_t *counts)
{
    memset(counts, 0, graph->value_count * sizeof *counts);
    for (uint32_t n = 0; n < graph->node_count; n++)
        for (uint32_t i = 0; i < graph->nodes[n].input_count; i++)
            if (graph->nodes[n].inputs[i] != HET__NO_VALUE)
                counts[graph->nodes[n].inputs[i]]++;
}

void het__graph_compact(het__graph *graph)
{
    uint32_t kept = 0;
    for (uint32_t n = 0; n < graph->node_count; n++) {
        if (graph->nodes[n].op == HET__OP_NONE)
            continue;
        graph->nodes[kept] = graph->nodes[n];
        for (uint32_t o = 0; o < graph->nodes[kept].output_count; o++)
            graph->values[graph->nodes[kept].outputs[o]].producer = kept;
        kept++;
    }
    graph->node_count = kept;
}

typedef struct sorter {
    const het__graph *graph;
    uint8_t *state;  /* per node: 0 untouched, 1 on the stack, 2 placed */
    uint32_t *stack;
    uint32_t *order;
    uint32_t placed;
} sorter;

/* A maker of an input that is not placed yet, or HET__NO_VALUE. */
static uint32_t waits_for(const sorter *s, uint32_t node)
{
    const het__node *n = &s->graph->nodes[node];
    for (uint32_t i = 0; i < n->input_count; i++) {
        if (n->inputs[i] == HET__NO_VALUE)
            continue;
        const uint32_t maker = s->graph->values[n->inputs[i]].producer;
        if (maker != HET__NO_VALUE && s->state[maker] == 0 &&
            s->graph->nodes[maker].op != HET__OP_NONE)
            return maker;
    }
    return HET__NO_VALUE;
}

static void place_node(sorter *s, uint32_t node)
{
    uint32_t depth = 0;
    s->stack[depth++] = node;
    s->state[node] = 1;
    while (depth > 0) {
        const uint32_t top = s->stack[depth - 1], first = waits_for(s, top);
        if (first == HET__NO_VALUE) {
            s->state[top] = 2;
            s->order[s->placed++] = top;
            depth--;
        } else {
            s->state[first] = 1;
            s->stack[depth++] = first;
        }
    }
}

bool het__graph_sort(het__graph *graph)
{
    het__mem *mem = graph->arena.mem;
    const size_t count = graph->node_count ? graph->node_count : 1;
    sorter s = { graph, het__alloc_zero(mem, count, 1), het__alloc(mem, count * sizeof *s.stack),
                 het__alloc(mem, count * sizeof *s.order), 0 };
    het__node *nodes = het__alloc(mem, count * sizeof *nodes);
    const bool room = s.state && s.stack && s.order && nodes;
    for (uint32_t n = 0; room && n < graph->node_count; n++)
        if (s.state[n] == 0 && graph->nodes[n].op != HET__OP_NONE)
            place_node(&s, n);
    for (uint32_t i = 0; room && i < s.placed; i++)
        nodes[i] = graph->nodes[s.order[i]];
    if (room) {
        memcpy(graph->nodes, nodes, s.placed * sizeof *nodes);
        graph->node_count = s.placed;
        het__graph_compact(graph);
    }
    het__free(mem, s.state);
    het__free(mem, s.stack);
    het__free(mem, s.order);
    het__free(mem, nodes);
    return room;
}

int64_t het__value_elements(const het__value *value, const int64_t *symbols)
{
    int64_t n = 1;
    for (uint32_t i = 0; i < value->rank; i++) {
        int64_t e;
        if (!het__mul_i64(value->extent[i].count, symbols[value->extent[i].symbol], &e) || e < 0 ||
            !het__mul_i64(n, e, &n))
            return -1;
    }
    return n;
}

void het__value_matrix(const het__value *value, const int64_t *symbols, int64_t *rows,
                       int64_t *columns)
{
    *rows = 1;
    *columns = 1;
    for (uint32_t i = 0; i < value->rank; i++) {
        const int64_t e = het__extent_bind(value->extent[i], symbols);
        if (i + 1 < value->rank)
            *rows *= e;
        else
            *columns = e;
    }
}

int64_t het__value_bytes(const het__value *value, const int64_t *symbols)
{
    const int64_t n = het__value_elements(value, symbols);
    const het__dtype_info *type = het__dtype(value->dtype);
    int64_t rows, columns, bytes;
    if (n < 0 || !type)
        return -1;
    het__value_matrix(value, symbols, &rows, &columns);
    if (columns % type->block_elements != 0 ||
        !het__mul_i64(n / type->block_elements, type->block_bytes, &bytes))
        return -1;
    return bytes;
}
