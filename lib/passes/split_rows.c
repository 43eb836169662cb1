/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/passes/split_rows.h"

#include <assert.h>
#include <string.h>

#include "lib/base/dtype.h"
#include "lib/base/error.h"

#define OUTPUTS_MAX 8 /* of a linear */
#define INPUTS_MAX (2 + 2 * OUTPUTS_MAX)
/* Cuts fall between tiles of so many rows, of fewer where a matrix is small. */
#define TILE_ROWS 32

typedef struct splitter {
    const het__graph *from;
    het__split_graph *out;
    het__graph *to; /* out's */
    bool failed;
} splitter;

/* A node being cut. */
typedef struct piece {
    const het__node *node;
    uint32_t index;   /* of the node */
    uint32_t parts;
    double first[HET__SPLIT_PARTS_MAX];
    /* Per output: rows of its weights before part p; as many as there are for p = parts. */
    int64_t row[OUTPUTS_MAX][HET__SPLIT_PARTS_MAX + 1];
    uint32_t made[OUTPUTS_MAX][HET__SPLIT_PARTS_MAX]; /* values; HET__NO_VALUE: no rows */
} piece;

/* ---- what can be cut ---- */

static const het__value *input(const het__graph *g, const het__node *n, uint32_t i)
{
    return i < n->input_count && n->inputs[i] != HET__NO_VALUE ? &g->values[n->inputs[i]] : NULL;
}

/* Rows of whole bytes. */
static bool is_rows(const het__value *v, uint32_t rank)
{
    if (!v || v->kind != HET__VALUE_CONST || v->rank != rank)
        return false;
    int64_t elements = 1;
    for (uint32_t i = 0; i < rank; i++) {
        if (v->extent[i].symbol != HET__SYM_ONE || v->extent[i].count < 1)
            return false;
        elements *= i ? v->extent[i].count : 1;
    }
    const het__dtype_info *type = het__dtype(v->dtype);
    return type && type->block_bytes && elements % type->block_elements == 0;
}

static bool is_bias(const het__value *v)
{
    return !v || is_rows(v, 1);
}

static bool can_cut_linear(const het__graph *g, const het__node *n)
{
    for (uint32_t i = 2; i + 1 < n->input_count; i += 2)
        if (!is_rows(input(g, n, i), 2) || !is_bias(input(g, n, i + 1)))
            return false;
    return n->output_count <= OUTPUTS_MAX;
}

bool het__can_split_rows(const het__graph *g, const het__node *n)
{
    switch (n->op) {
    case HET__OP_LINEAR:
        return can_cut_linear(g, n);
    case HET__OP_GATED:
        return is_rows(input(g, n, 1), 2) && is_rows(input(g, n, 2), 2);
    case HET__OP_MATMUL:
        return n->attrs.matmul.transpose_b && is_rows(input(g, n, 1), 2) &&
               is_bias(input(g, n, 2)) && !input(g, n, 3);
    case HET__OP_CONV:
        return n->attrs.image.groups == 1 && !n->attrs.image.residual &&
               is_rows(input(g, n, 1), 4) && is_bias(input(g, n, 2));
    default:
        return false;
    }
}

/* ---- where it is cut ---- */

/* The first input that has rows of an output, and how far it is to the next that has. */
static uint32_t weight_at(const het__node *n, uint32_t output)
{
    return n->op == HET__OP_LINEAR ? 2 + 2 * output : 1;
}

static int64_t rows_of(const splitter *s, const het__node *n, uint32_t output)
{
    return input(s->from, n, weight_at(n, output))->extent[0].count;
}

static int64_t round_rows(const het__node *n, int64_t rows, double share)
{
    int64_t tile = TILE_ROWS;
    while (tile > 1 && tile * 8 > rows)
        tile /= 2;
    if (n->op == HET__OP_CONV && n->attrs.image.block_out > tile)
        tile = n->attrs.image.block_out;
    const int64_t at = (int64_t)((double)rows * share / (double)tile + 0.5) * tile;
    return at < rows ? at : rows;
}

static bool adds_part(const piece *p, const int64_t at[OUTPUTS_MAX])
{
    for (uint32_t o = 0; o < p->node->output_count; o++)
        if (at[o] > p->row[o][p->parts - 1])
            return true;
    return false;
}

static bool leaves_rows(const splitter *s, const piece *p, const int64_t at[OUTPUTS_MAX])
{
    for (uint32_t o = 0; o < p->node->output_count; o++)
        if (at[o] < rows_of(s, p->node, o))
            return true;
    return false;
}

static void choose_rows(const splitter *s, piece *p, const het__row_cut *cuts, uint32_t count)
{
    int64_t at[OUTPUTS_MAX] = { 0 };
    p->parts = 1;
    for (uint32_t c = 0; c < count && p->parts < HET__SPLIT_PARTS_MAX; c++) {
        for (uint32_t o = 0; o < p->node->output_count; o++)
            at[o] = round_rows(p->node, rows_of(s, p->node, o), cuts[c].share);
        if (!adds_part(p, at) || !leaves_rows(s, p, at))
            continue;
        for (uint32_t o = 0; o < p->node->output_count; o++)
            p->row[o][p->parts] = at[o];
        p->first[p->parts++] = cuts[c].share;
    }
    for (uint32_t o = 0; o < p->node->output_count; o++)
        p->row[o][p->parts] = rows_of(s, p->node, o);
}

/* ---- making ---- */

static void *room_for(splitter *s, size_t count, size_t size)
{
    void *p = het__arena_zero(&s->to->arena, count ? count : 1, size);
    s->failed = s->failed || !p;
    return p;
}

/* A value like another one, with another extent along an axis. */
static uint32_t value_like(splitter *s, uint32_t like, het__value_kind kind, uint32_t axis,
                           int64_t count)
{
    const het__value v = s->to->values[like];
    het__extent extent[HET_RANK_MAX];
    memcpy(extent, v.extent, sizeof extent);
    extent[axis].count = count;
    return het__graph_value(s->to, v.name, kind, v.dtype, v.rank, extent);
}

/* Rows [first, end) of a constant; HET__NO_VALUE of none. */
static uint32_t rows_view(splitter *s, uint32_t value, int64_t first, int64_t end)
{
    if (value == HET__NO_VALUE)
        return value;
    const het__value whole = s->to->values[value];
    int64_t elements = 1;
    for (uint32_t i = 1; i < whole.rank; i++)
        elements *= whole.extent[i].count;
    const het__dtype_info *type = het__dtype(whole.dtype);
    const size_t row_bytes = (size_t)(elements / type->block_elements) * type->block_bytes;
    const uint32_t v = value_like(s, value, HET__VALUE_CONST, 0, end - first);
    char *name = het__arena_printf(&s->to->arena, "%s[%lld:%lld]", whole.name, (long long)first,
                                   (long long)end);
    s->failed = s->failed || v == HET__NO_VALUE || !name;
    if (s->failed)
        return HET__NO_VALUE;
    s->to->values[v].name = name;
    if (whole.data)
        s->to->values[v].data = (const char *)whole.data + (size_t)first * row_bytes;
    return v;
}

static void add_node(splitter *s, const het__node *node, const het__split_origin *origin)
{
    het__graph *g = s->to;
    if (s->failed)
        return;
    assert(g->node_count < g->node_capacity);
    s->out->origins[g->node_count] = *origin;
    for (uint32_t o = 0; o < node->output_count; o++)
        g->values[node->outputs[o]].producer = g->node_count;
    g->nodes[g->node_count++] = *node;
}

/* The axis of an output along which rows of weights lie. */
static uint32_t axis_of(const splitter *s, const het__node *n, uint32_t output)
{
    return n->op == HET__OP_CONV ? 1 : s->to->values[n->outputs[output]].rank - 1;
}

/* Extent along that axis for so many rows. */
static int64_t extent_for(const het__node *n, int64_t rows)
{
    const int32_t block = n->op == HET__OP_CONV ? n->attrs.image.block_out : 0;
    return block ? (rows + block - 1) / block : rows;
}

/* The value that a part makes of an output: the output itself where no other part has rows of it
 * and nothing is to be added. */
static uint32_t part_output(splitter *s, piece *p, uint32_t output, uint32_t part)
{
    const int64_t *row = p->row[output];
    const int64_t rows = row[part + 1] - row[part];
    const uint32_t whole = p->node->outputs[output];
    const bool has_residual = p->node->op == HET__OP_LINEAR && p->node->attrs.linear.residual;
    if (rows == row[p->parts] && !has_residual)
        return whole;
    const uint32_t v = value_like(s, whole, HET__VALUE_TEMP, axis_of(s, p->node, output),
                                  extent_for(p->node, rows));
    s->failed = s->failed || v == HET__NO_VALUE;
    return v;
}

static void cut_linear(splitter *s, const piece *p, uint32_t part, het__node *n, uint32_t *in)
{
    uint32_t count = 2;
    in[0] = p->node->inputs[0];
    in[1] = HET__NO_VALUE;
    for (uint32_t o = 0; o < p->node->output_count; o++) {
        const int64_t first = p->row[o][part], end = p->row[o][part + 1];
        if (first == end)
            continue;
        in[count++] = rows_view(s, p->node->inputs[2 + 2 * o], first, end);
        in[count++] = rows_view(s, p->node->inputs[3 + 2 * o], first, end);
    }
    n->input_count = count;
    n->attrs.linear.projections = (int32_t)(count / 2 - 1);
    n->attrs.linear.residual = false;
}

/* Gated products have two matrices; others one, and its bias. */
static void cut_other(splitter *s, const piece *p, uint32_t part, het__node *n, uint32_t *in)
{
    const int64_t first = p->row[0][part], end = p->row[0][part + 1];
    in[0] = p->node->inputs[0];
    for (uint32_t i = 1; i < p->node->input_count; i++)
        in[i] = rows_view(s, p->node->inputs[i], first, end);
    if (p->node->op == HET__OP_CONV)
        n->attrs.image.channels_out = (int32_t)(end - first);
}

static void add_part(splitter *s, piece *p, uint32_t part)
{
    const het__split_origin origin = { p->index, true, false, p->first[part] };
    het__node n = *p->node;
    uint32_t *in = room_for(s, INPUTS_MAX, sizeof *in);
    uint32_t *made = room_for(s, OUTPUTS_MAX, sizeof *made);
    if (s->failed)
        return;
    n.inputs = in;
    n.outputs = made;
    n.output_count = 0;
    if (n.op == HET__OP_LINEAR)
        cut_linear(s, p, part, &n, in);
    else
        cut_other(s, p, part, &n, in);
    for (uint32_t o = 0; o < p->node->output_count; o++) {
        p->made[o][part] = HET__NO_VALUE;
        if (p->row[o][part + 1] > p->row[o][part])
            made[n.output_count++] = p->made[o][part] = part_output(s, p, o, part);
    }
    add_node(s, &n, &origin);
}

/* ---- behind the parts ---- */

/* Matrices of language models have an operation for it, which knows open extents. */
static void describe_join(splitter *s, const piece *p, uint32_t output, het__node *join)
{
    if (p->node->op == HET__OP_LINEAR || p->node->op == HET__OP_GATED) {
        join->op = HET__OP_JOIN;
        return;
    }
    het__attr *axis = room_for(s, 1, sizeof *axis);
    if (!axis)
        return;
    *axis = (het__attr){ .name = "axis", .kind = HET__ATTR_INT,
                         .u = { .i = axis_of(s, p->node, output) } };
    join->op = HET__OP_T_CONCAT;
    join->attrs.tensor = (het__attr_list){ .items = axis, .count = 1, .opset = 13 };
}

/* Parts of an output behind one another; what gives the output, or what the residual is added to.
 * HET__NO_VALUE: a part gave the output already. */
static uint32_t add_join(splitter *s, const piece *p, uint32_t output, bool is_last)
{
    const het__split_origin origin = { p->index, false, true, 0 };
    const uint32_t whole = p->node->outputs[output];
    het__node join = { .layer = p->node->layer, .name = p->node->name, .output_count = 1 };
    uint32_t *in = room_for(s, HET__SPLIT_PARTS_MAX, sizeof *in);
    uint32_t *made = room_for(s, 1, sizeof *made);
    if (s->failed)
        return HET__NO_VALUE;
    for (uint32_t part = 0; part < p->parts; part++)
        if (p->made[output][part] != HET__NO_VALUE)
            in[join.input_count++] = p->made[output][part];
    if (join.input_count == 1)
        return in[0];
    *made = is_last ? whole : value_like(s, whole, HET__VALUE_TEMP, 0,
                                         s->to->values[whole].extent[0].count);
    s->failed = s->failed || *made == HET__NO_VALUE;
    join.inputs = in;
    join.outputs = made;
    describe_join(s, p, output, &join);
    add_node(s, &join, &origin);
    return *made;
}

static void add_residual(splitter *s, const piece *p, uint32_t sum)
{
    const het__split_origin origin = { p->index, false, true, 0 };
    het__node add = { .op = HET__OP_ADD, .layer = p->node->layer, .name = p->node->name,
                      .input_count = 2, .output_count = 1 };
    uint32_t *in = room_for(s, 2, sizeof *in), *made = room_for(s, 1, sizeof *made);
    if (s->failed)
        return;
    in[0] = sum;
    in[1] = p->node->inputs[1];
    *made = p->node->outputs[0];
    add.inputs = in;
    add.outputs = made;
    add_node(s, &add, &origin);
}

static void add_pieces(splitter *s, piece *p, bool is_reversed)
{
    const bool has_residual = p->node->op == HET__OP_LINEAR && p->node->attrs.linear.residual;
    for (uint32_t i = 0; i < p->parts && !s->failed; i++)
        add_part(s, p, is_reversed ? p->parts - 1 - i : i);
    for (uint32_t o = 0; o < p->node->output_count && !s->failed; o++) {
        const uint32_t sum = add_join(s, p, o, !has_residual);
        if (has_residual && !s->failed)
            add_residual(s, p, sum);
    }
    s->out->split_count++;
}

/* ---- the whole ---- */

/* Values keep their numbers; room for all nodes that there may be. */
static bool begin(splitter *s, uint32_t cut_count, het__mem *mem)
{
    const het__graph *from = s->from;
    het__graph *to = s->to;
    const uint32_t more = cut_count * (HET__SPLIT_PARTS_MAX + OUTPUTS_MAX + 1);
    het__graph_init(to, mem);
    to->symbol_count = from->symbol_count;
    memcpy(to->symbol_names, from->symbol_names, sizeof to->symbol_names);
    to->output_count = from->output_count;
    to->outputs = room_for(s, from->output_count, sizeof *to->outputs);
    to->values = het__alloc_zero(mem, from->value_count + 1u, sizeof *to->values);
    to->nodes = het__alloc_zero(mem, (size_t)from->node_count + more + 1, sizeof *to->nodes);
    s->out->origins = room_for(s, (size_t)from->node_count + more, sizeof *s->out->origins);
    if (s->failed || !to->values || !to->nodes)
        return false;
    to->value_capacity = from->value_count + 1u;
    to->node_capacity = from->node_count + more + 1;
    to->value_count = from->value_count;
    if (from->value_count)
        memcpy(to->values, from->values, from->value_count * sizeof *to->values);
    if (from->output_count)
        memcpy(to->outputs, from->outputs, from->output_count * sizeof *to->outputs);
    return true;
}

/* A whole constant that nobody reads any more is not taken for what its parts are parts of. */
static bool forget_unread(splitter *s)
{
    het__graph *g = s->to;
    uint32_t *uses = room_for(s, g->value_count, sizeof *uses);
    if (!uses)
        return false;
    het__graph_use_counts(g, uses);
    for (uint32_t v = 0; v < g->value_count; v++)
        if (!uses[v] && g->values[v].kind == HET__VALUE_CONST)
            g->values[v].data = NULL;
    return true;
}

static void copy_or_cut(splitter *s, uint32_t node, const het__row_cut *cuts, uint32_t count,
                        bool is_reversed)
{
    const het__split_origin origin = { node, false, false, 0 };
    piece p = { .node = &s->from->nodes[node], .index = node, .parts = 1 };
    assert(!count || het__can_split_rows(s->from, p.node));
    if (count)
        choose_rows(s, &p, cuts, count);
    if (p.parts > 1)
        add_pieces(s, &p, is_reversed);
    else
        add_node(s, p.node, &origin);
}

/* The cuts of a node, by halving. */
static const het__row_cut *cuts_of(const het__split_request *q, uint32_t node, uint32_t *count)
{
    uint32_t low = 0, high = q->cut_count;
    while (low < high) {
        const uint32_t middle = low + (high - low) / 2;
        if (q->cuts[middle].node < node)
            low = middle + 1;
        else
            high = middle;
    }
    for (*count = 0; low + *count < q->cut_count && q->cuts[low + *count].node == node;)
        ++*count;
    return q->cuts + low;
}

het_status het__split_rows(const het__split_request *q, het__mem *mem, het__split_graph *out,
                           het_error *err)
{
    splitter s = { .from = q->graph, .out = out, .to = &out->graph };
    memset(out, 0, sizeof *out);
    s.failed = !begin(&s, q->cut_count, mem);
    for (uint32_t i = 0; i < q->graph->node_count && !s.failed; i++) {
        const uint32_t n = q->order ? q->order[i] : i;
        uint32_t count = 0;
        const het__row_cut *cuts = q->cut_count ? cuts_of(q, n, &count) : NULL;
        copy_or_cut(&s, n, cuts, count, q->parts_reversed && q->parts_reversed[n]);
    }
    s.failed = s.failed || !forget_unread(&s);
    const het_status st = s.failed ? het__fail_nomem(err, "a graph with split products")
                                   : het__graph_check(&out->graph, err);
    if (st != HET_OK)
        het__graph_finish(&out->graph);
    return st;
}
