/* SPDX-License-Identifier: Apache-2.0 */
/* One walk over the nodes. Bytes are those of memory: what a view gives is the memory that it was
 * given, an operand that is read twice is read once, an output that nobody reads is not written. */
#include "lib/cost/analysis.h"

#include <string.h>

#include "lib/base/dtype.h"
#include "lib/base/error.h"
#include "lib/cost/cost.h"
#include "lib/cost/mapping.h"
#include "lib/cost/roofline.h"
#include "lib/plain/plain.h"

typedef struct walk {
    const het__analysis_request *q;
    const het__graph *g;
    het__analysis *a;
    uint32_t *memory;  /* per value: the value whose memory it is */
    uint32_t *uses;    /* per value */
    uint32_t *read_by; /* per value: the last node that read it, plus one */
    uint32_t *place;   /* per node of the graph: that of the analysis, or UINT32_MAX */
    uint32_t *edge_to; /* per node of the analysis: the last one that needs it, plus one */
} walk;

static const het__value *input_of(const het__graph *g, const het__node *node, uint32_t i)
{
    return i < node->input_count && node->inputs[i] != HET__NO_VALUE ? &g->values[node->inputs[i]]
                                                                     : NULL;
}

/* ---- what a node is ---- */

bool het__node_is_view(const het__graph *g, const het__node *node)
{
    const het__value *training = input_of(g, node, 2);
    if (node->op != HET__OP_T_DROPOUT)
        return het__op_is_view(node->op);
    return !training || (training->kind == HET__VALUE_CONST && training->data &&
                         (training->rank == 0 ||
                          (training->rank == 1 && training->extent[0].count == 1)) &&
                         het__get_f64(training->dtype, training->data, 0) == 0);
}

bool het__is_functional(const het__node *node)
{
    switch (node->op) {
    case HET__OP_T_ADD: case HET__OP_T_SUB: case HET__OP_T_MUL: case HET__OP_T_DIV:
    case HET__OP_T_IDENTITY: case HET__OP_T_RESHAPE: case HET__OP_T_FLATTEN:
    case HET__OP_T_SQUEEZE: case HET__OP_T_UNSQUEEZE: case HET__OP_T_TRANSPOSE:
    case HET__OP_T_CONCAT: case HET__OP_T_SPLIT: case HET__OP_T_SLICE: case HET__OP_T_GATHER:
    case HET__OP_T_EXPAND: case HET__OP_T_PAD: case HET__OP_T_SHAPE:
    case HET__OP_T_REDUCE_MEAN:
        return true;
    case HET__OP_T_GLOBAL_AVERAGE_POOL: case HET__OP_T_AVERAGE_POOL: case HET__OP_T_MAX_POOL:
        return node->name && node->name[0] == '/' && strchr(node->name + 1, '/') == NULL;
    default:
        return false;
    }
}

static bool is_known(const het__graph *g, const het__node *node)
{
    if (node->op == HET__OP_T_UNKNOWN)
        return false;
    for (uint32_t i = 0; i < node->input_count; i++) {
        const het__value *v = input_of(g, node, i);
        if (v && (!het__value_is_known(v) || v->dtype == HET_DTYPE_NONE))
            return false;
    }
    for (uint32_t o = 0; o < node->output_count; o++)
        if (!het__value_is_known(&g->values[node->outputs[o]]) ||
            g->values[node->outputs[o]].dtype == HET_DTYPE_NONE)
            return false;
    return node->output_count > 0;
}

/* ---- parameters ---- */

static bool is_statistic(const het__node *node, uint32_t i)
{
    return node->op == HET__OP_T_BATCH_NORMALIZATION && (i == 3 || i == 4);
}

/* Divisors of a rotation's frequencies follow from the configuration. */
static bool is_factor(const het__node *node, uint32_t i)
{
    return (node->op == HET__OP_ROPE && i == 2) ||
           (node->op == HET__OP_ATTENTION && i == HET__ATTN_FACTORS);
}

static bool is_trained_type(het_dtype dtype)
{
    switch (dtype) {
    case HET_DTYPE_F64: case HET_DTYPE_F32: case HET_DTYPE_F16: case HET_DTYPE_BF16:
    case HET_DTYPE_I8: case HET_DTYPE_U8:
        return true;
    default:
        return het__dtype_is_block(dtype);
    }
}

static double parameters_of(const het__graph *g, const het__node *node, uint32_t i)
{
    const het__value *v = input_of(g, node, i);
    if (!v || v->kind != HET__VALUE_CONST || !het__value_is_known(v) || v->rank == 0 ||
        !is_trained_type(v->dtype) || is_statistic(node, i) || is_factor(node, i))
        return 0;
    double count = 1;
    for (uint32_t k = 0; k < v->rank; k++)
        count *= (double)v->extent[k].count;
    return count;
}

double het__node_parameters(const het__graph *g, const het__node *node)
{
    double sum = 0;
    for (uint32_t i = 0; i < node->input_count; i++)
        sum += parameters_of(g, node, i);
    return sum;
}

het_status het__graph_parameters(const het__graph *g, het__mem *mem, double *count)
{
    uint8_t *seen = het__alloc_zero(mem, (size_t)g->value_count + 1, 1);
    if (!seen)
        return HET_E_NOMEM;
    *count = 0;
    for (uint32_t n = 0; n < g->node_count; n++)
        for (uint32_t i = 0; i < g->nodes[n].input_count; i++) {
            const double parameters = parameters_of(g, &g->nodes[n], i);
            if (parameters <= 0 || seen[g->nodes[n].inputs[i]])
                continue;
            seen[g->nodes[n].inputs[i]] = 1;
            *count += parameters;
        }
    het__free(mem, seen);
    return HET_OK;
}

/* Those that one step reads: rows that are looked up do not count. Of several matrices of which a
 * node uses a share, that share counts. */
static void add_active(walk *w, const het__node *node, const het__work *work)
{
    double bytes = 0, elements = 0;
    if (node->op == HET__OP_EMBED || node->op == HET__OP_T_GATHER)
        return;
    for (uint32_t i = 0; i < node->input_count; i++) {
        const het__value *v = input_of(w->g, node, i);
        if (!v || v->kind != HET__VALUE_CONST)
            continue;
        const int64_t all = het__value_bytes(v, w->q->symbols);
        bytes += all > 0 ? (double)all : 0;
        if (w->read_by[node->inputs[i]] != UINT32_MAX)
            elements += parameters_of(w->g, node, i);
        w->read_by[node->inputs[i]] = UINT32_MAX; /* by any later node again */
    }
    const double share = bytes > 0 ? work->weight_bytes / bytes : 0;
    w->a->active_parameters += elements * (share < 1 ? share : 1);
}

/* ---- bytes ---- */

static double bytes_of(const walk *w, uint32_t value)
{
    const int64_t bytes = het__value_bytes(&w->g->values[value], w->q->symbols);
    return bytes > 0 ? (double)bytes : 0;
}

/* A high-level operation counts what it touches of a state itself. */
static void count_bytes(walk *w, uint32_t n, const het__work *work, het_subgraph *s)
{
    const het__node *node = &w->g->nodes[n];
    s->weight_bytes = work->weight_bytes;
    if (!het__op_is_tensor(node->op)) {
        s->input_bytes = work->input_bytes;
        s->output_bytes = work->output_bytes;
        return;
    }
    for (uint32_t i = 0; i < node->input_count; i++) {
        const het__value *v = input_of(w->g, node, i);
        if (!v)
            continue;
        if (v->kind == HET__VALUE_CONST) {
            if (w->q->skip_statistics && is_statistic(node, i))
                s->weight_bytes -= bytes_of(w, node->inputs[i]);
            continue;
        }
        const uint32_t memory = w->memory[node->inputs[i]];
        if (w->read_by[memory] == n + 1)
            continue;
        w->read_by[memory] = n + 1;
        s->input_bytes += bytes_of(w, memory);
    }
    for (uint32_t o = 0; o < node->output_count; o++)
        if (w->uses[node->outputs[o]] > 0 ||
            w->g->values[node->outputs[o]].kind == HET__VALUE_OUTPUT)
            s->output_bytes += bytes_of(w, node->outputs[o]);
}

/* ---- nodes ---- */

void het__analysis_times(const het__machine_device *d, double peak, het_subgraph *s)
{
    const double bandwidth = d->bandwidth.value;
    const double bytes = s->input_bytes + s->output_bytes + s->weight_bytes;
    uint32_t source;
    s->intensity = bytes > 0 ? s->flop_count / bytes : 0;
    s->bottleneck = het__bottleneck(s->flop_count, bytes, peak, bandwidth);
    s->label = het__intensity_label(s->flop_count, bytes);
    s->compute_ns = het__roofline_ns(s->flop_count, 0, peak, bandwidth);
    s->memory_ns = het__roofline_ns(0, bytes, peak, bandwidth);
    s->roofline_ns = s->compute_ns > s->memory_ns ? s->compute_ns : s->memory_ns;
    if (s->bottleneck == HET_BOTTLENECK_NONE)
        return;
    const double share = s->mapping->utilisation;
    s->mapped_ns = d->launch.value + het__roofline_ns(s->flop_count, bytes,
                                                      share > 0 ? peak * share : peak, bandwidth);
    s->joules = het__joules(d, s->flop_count, bytes, s->mapped_ns, &source);
}

static void describe(const walk *w, const het__node *node, het_subgraph *s)
{
    const het__op_info *info = het__op_info_of(node->op);
    s->struct_size = sizeof *s;
    s->node_count = s->operation_count = 1;
    s->name = node->name ? node->name : "";
    s->operations = het__node_operation(node);
    s->axes = info ? info->parallel_axes : "";
    s->layer = het__op_is_tensor(node->op) ? -1 : node->layer;
    s->group = UINT32_MAX;
    s->parameter_count = het__node_parameters(w->g, node);
}

static void measure(walk *w, uint32_t n, uint32_t place)
{
    het_subgraph *s = &w->a->nodes[place];
    const het__node *node = &w->g->nodes[n];
    het__work work;
    het__work_shape shape;
    het__cost cost;
    het__node_work(w->g, node, w->q->symbols, &work);
    add_active(w, node, &work);
    s->mac_count = work.macs;
    s->flop_count = work.flops;
    count_bytes(w, n, &work, s);
    het__node_parallelism(w->g, node, w->q->symbols, &work,
                          &w->a->parallelism[place], &shape);
    het__map_work(&shape, w->q->device, &w->a->mapping[place]);
    het__analysis_times(w->q->device, w->a->peak, s);
    het__cost_node(w->g, node, &work, w->q->device, false, &cost);
    s->predicted_ns = cost.ns;
}

static void add_edges(walk *w, uint32_t n, uint32_t place)
{
    const het__node *node = &w->g->nodes[n];
    het__analysis *a = w->a;
    het_subgraph *s = &a->nodes[place];
    s->before = a->sources + a->edge_count;
    for (uint32_t i = 0; i < node->input_count; i++) {
        const het__value *v = input_of(w->g, node, i);
        const uint32_t from = v && v->producer != HET__NO_VALUE ? w->place[v->producer]
                                                                : UINT32_MAX;
        const bool is_new = from != UINT32_MAX && w->edge_to[from] != place + 1;
        if (!is_new)
            continue;
        w->edge_to[from] = place + 1;
        a->sources[a->edge_count] = from;
        a->edges[a->edge_count++] = (het__edge){ from, place };
        s->before_count++;
    }
}

static void add_node(walk *w, uint32_t n)
{
    const het__node *node = &w->g->nodes[n];
    const het__value *first = input_of(w->g, node, 0);
    const bool known = is_known(w->g, node);
    const bool view = known && het__node_is_view(w->g, node) && first &&
                      first->kind != HET__VALUE_CONST;
    for (uint32_t o = 0; o < node->output_count; o++)
        w->memory[node->outputs[o]] = view && o == 0 ? w->memory[node->inputs[0]]
                                                     : node->outputs[o];
    w->place[n] = UINT32_MAX;
    if (w->q->drop_functional && het__is_functional(node))
        return;
    const uint32_t place = w->a->node_count++;
    het_subgraph *s = &w->a->nodes[place];
    w->place[n] = w->a->index[place] = place;
    w->a->graph_node[place] = n;
    s->nodes = &w->a->index[place];
    s->parallelism = &w->a->parallelism[place];
    s->mapping = &w->a->mapping[place];
    w->a->parallelism[place].struct_size = sizeof(het_parallelism);
    w->a->mapping[place].struct_size = sizeof(het_mapping);
    describe(w, node, s);
    add_edges(w, n, place);
    s->flags = view ? HET_SUBGRAPH_VIEW : known ? 0 : HET_SUBGRAPH_OPAQUE;
    w->a->opaque_count += !known;
    if (known && !view)
        measure(w, n, place);
}

/* ---- stages ---- */

static het_status find_stages(het__analysis *a, het__arena *arena)
{
    const size_t count = (size_t)a->node_count + 1;
    double *ns = het__arena_zero(arena, count, sizeof *ns);
    double *finish = het__arena_zero(arena, count, sizeof *finish);
    uint32_t *stage = het__arena_zero(arena, count, sizeof *stage);
    uint32_t *width = het__arena_zero(arena, count, sizeof *width);
    a->stage_first = het__arena_zero(arena, count + 1, sizeof *a->stage_first);
    a->stage_nodes = het__arena_zero(arena, count, sizeof *a->stage_nodes);
    if (!ns || !finish || !stage || !width || !a->stage_first || !a->stage_nodes)
        return HET_E_NOMEM;
    for (uint32_t n = 0; n < a->node_count; n++)
        ns[n] = a->nodes[n].mapped_ns;
    het__concurrency(a->node_count, a->edges, a->edge_count, ns, finish, stage, width,
                     &a->concurrency);
    for (uint32_t n = 0; n < a->node_count; n++)
        a->stage_first[stage[n] + 1]++;
    for (uint32_t k = 0; k < a->concurrency.critical_path_count; k++) {
        a->stage_first[k + 1] += a->stage_first[k];
        width[k] = a->stage_first[k]; /* where the next node of the stage goes */
    }
    for (uint32_t n = 0; n < a->node_count; n++) {
        a->nodes[n].stage = stage[n];
        a->stage_nodes[width[stage[n]]++] = n;
    }
    return HET_OK;
}

/* ---- make ---- */

static bool reserve(walk *w, het__arena *arena)
{
    const size_t nodes = (size_t)w->g->node_count + 1, values = (size_t)w->g->value_count + 1;
    size_t inputs = 1;
    for (uint32_t n = 0; n < w->g->node_count; n++)
        inputs += w->g->nodes[n].input_count;
    w->memory = het__arena_zero(arena, values, sizeof *w->memory);
    w->uses = het__arena_zero(arena, values, sizeof *w->uses);
    w->read_by = het__arena_zero(arena, values, sizeof *w->read_by);
    w->place = het__arena_zero(arena, nodes, sizeof *w->place);
    w->edge_to = het__arena_zero(arena, nodes, sizeof *w->edge_to);
    w->a->sources = het__arena_zero(arena, inputs, sizeof *w->a->sources);
    w->a->nodes = het__arena_zero(arena, nodes, sizeof *w->a->nodes);
    w->a->parallelism = het__arena_zero(arena, nodes, sizeof *w->a->parallelism);
    w->a->mapping = het__arena_zero(arena, nodes, sizeof *w->a->mapping);
    w->a->index = het__arena_zero(arena, nodes, sizeof *w->a->index);
    w->a->graph_node = het__arena_zero(arena, nodes, sizeof *w->a->graph_node);
    w->a->edges = het__arena_zero(arena, inputs, sizeof *w->a->edges);
    return w->memory && w->uses && w->read_by && w->place && w->edge_to && w->a->sources &&
           w->a->nodes &&
           w->a->parallelism && w->a->mapping && w->a->index && w->a->graph_node && w->a->edges;
}

het_status het__analyse(const het__analysis_request *q, het__arena *arena, het__analysis *a,
                        het_error *err)
{
    walk w = { .q = q, .g = q->graph, .a = a };
    memset(a, 0, sizeof *a);
    if (!reserve(&w, arena))
        return het__fail_nomem(err, "an analysis");
    a->peak = het__arithmetic_peak(q->device, q->arithmetic);
    a->bandwidth = q->device->bandwidth.value;
    for (uint32_t v = 0; v < w.g->value_count; v++)
        w.memory[v] = v;
    het__graph_use_counts(w.g, w.uses);
    for (uint32_t n = 0; n < w.g->node_count; n++)
        add_node(&w, n);
    return find_stages(a, arena) == HET_OK ? HET_OK : het__fail_nomem(err, "an analysis");
}
