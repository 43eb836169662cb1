/* SPDX-License-Identifier: Apache-2.0 */
/* Public functions of analysis.h: a graph with bound symbols on one device of a machine. */
#include <string.h>

#include "lib/api/handles.h"
#include "lib/base/cpus.h"
#include "lib/base/error.h"
#include "lib/base/options.h"
#include "lib/cost/roofline.h"
#include "lib/exec/executor.h"
#include "lib/partition/fused_report.h"
#include "lib/partition/group_graph.h"
#include "lib/partition/group_report.h"

/* SiLU is one operation of a file, although it is spelled as two. */
#define PASSES_ALWAYS (UINT32_C(1) << HET__PASS_ACTIVATIONS)
/* Factor of the scheduler in the documents' formula for time: they give it no value. */
#define SEED_OVERHEAD 1

struct het_analysis {
    het_model *model; /* a reference: names and constants are its */
    het__arena arena;
    het__graph graph;
    het__machine machine; /* what it borrows is read while the analysis is made only */
    uint32_t device;      /* in the machine */
    het__analysis nodes;
    het__group_report report; /* of graphs */
    const char **refusals;    /* per node of the graph and device of the context; NULL: not asked */
    het_analysis_info info;
};

/* ---- options ---- */

static het_status check_ranges(const het_analysis_options *o, het_error *err)
{
    if (o->flags & ~(HET_ANALYSIS_COMPAT | HET_ANALYSIS_SUPPORT))
        return het__fail(err, HET_E_VERSION, "het_analysis_options.flags has an unknown flag");
    if (o->phase > HET_PHASE_PREFILL)
        return het__fail(err, HET_E_INVALID, "het_analysis_options.phase is %u", o->phase);
    if (o->group_rule > HET_GROUP_SEARCH)
        return het__fail(err, HET_E_INVALID, "het_analysis_options.group_rule is %u",
                         o->group_rule);
    if (o->arithmetic > HET_ARITHMETIC_FASTEST)
        return het__fail(err, HET_E_INVALID, "het_analysis_options.arithmetic is %u",
                         o->arithmetic);
    if (o->batch_count < 0 || o->batch_count > INT32_MAX || o->token_count < 0 ||
        o->token_count > INT32_MAX || o->context_count < 0 || o->context_count > INT32_MAX)
        return het__fail(err, HET_E_INVALID,
                         "a count of het_analysis_options is not in 0 to %d", INT32_MAX);
    if (o->kv_dtype != HET_DTYPE_NONE && o->kv_dtype != HET_DTYPE_F16 &&
        o->kv_dtype != HET_DTYPE_F32 && o->kv_dtype != HET_DTYPE_Q8_0)
        return het__fail(err, HET_E_INVALID, "het_analysis_options.kv_dtype is %u", o->kv_dtype);
    return HET_OK;
}

static het_status check_options(const het_model *model, const het_analysis_options *options,
                                het_analysis_options *o, het_error *err)
{
    het_status s = het__options_read(o, sizeof *o, options, "het_analysis_options", err);
    if (s == HET_OK)
        s = check_ranges(o, err);
    if (s != HET_OK)
        return s;
    if (!model->is_whole)
        return het__fail(err, HET_E_INVALID, "the model was loaded without its graph");
    if (model->network && o->batch_count > 1 && !het__network_is_open(model->network, true))
        return het__fail(err, HET_E_INVALID, "the file fixes the first extent of every input");
    if (o->batch_count == 0)
        o->batch_count = 1;
    if (o->token_count == 0)
        o->token_count = model->network || o->phase == HET_PHASE_DECODE ? 1 : 512;
    if (o->kv_dtype == HET_DTYPE_NONE)
        o->kv_dtype = HET_DTYPE_F16;
    return HET_OK;
}

/* ---- machine ---- */

static het_status take_machine(het_analysis *a, const het_analysis_options *o, het_error *err)
{
    const het__registry *registry = &a->model->context->registry;
    if (o->machine) {
        a->machine = o->machine->machine;
        a->device = o->device;
        return o->device < a->machine.device_count
                   ? HET_OK
                   : het__fail(err, HET_E_INVALID, "the machine has no device %u", o->device);
    }
    if (o->device >= registry->count)
        return het__fail(err, HET_E_INVALID, "there is no device %u", o->device);
    a->device = 0;
    return het__exec_machine(registry, UINT32_C(1) << o->device, het__cpus_default(), NULL,
                             &a->machine, err);
}

static const het__machine_device *device_of(const het_analysis *a)
{
    return &a->machine.device[a->device];
}

/* ---- graph ---- */

static het_status make_network_graph(het_analysis *a, const het_analysis_options *o,
                                     het_error *err)
{
    const het__network_shapes shapes = { NULL, o->batch_count, o->token_count };
    const het__pass_options passes = { PASSES_ALWAYS, 0 };
    het__mem *mem = &a->model->context->mem;
    het_status s = het__network_specialise(a->model, &shapes, &a->graph, err);
    if (s != HET_OK)
        return s;
    a->info.spelled_count = a->graph.node_count;
    s = het__passes_run(&a->graph, &passes, NULL, err);
    if (s == HET_OK &&
        het__graph_parameters(&a->model->network->onnx.graph, mem,
                              &a->info.parameter_count) != HET_OK)
        s = het__fail_nomem(err, "an analysis");
    if (s != HET_OK)
        het__graph_finish(&a->graph);
    return s;
}

static void bind_symbols(const het_analysis_options *o, int64_t *symbols)
{
    const int64_t pages =
        o->batch_count *
        ((o->context_count + o->token_count + HET__PAGE_SIZE - 1) / HET__PAGE_SIZE);
    for (uint32_t i = 0; i < HET__SYM_MAX; i++)
        symbols[i] = 1;
    symbols[HET__SYM_TOKENS] = o->batch_count * o->token_count;
    symbols[HET__SYM_SEQUENCES] = symbols[HET__SYM_ROWS] = o->batch_count;
    symbols[HET__SYM_CONTEXT] = o->context_count;
    symbols[HET__SYM_PAGES] = symbols[HET__SYM_STATE_PAGES] = pages;
}

/* Bytes that all states keep of one position. */
static double kv_bytes(const het__graph *graph)
{
    double sum = 0;
    for (uint32_t v = 0; v < graph->value_count; v++) {
        const het__value *s = &graph->values[v];
        if (s->kind != HET__VALUE_STATE || s->rank != 4)
            continue;
        sum += (double)s->extent[1].count *
               (double)het_dtype_bytes(s->dtype, s->extent[3].count);
    }
    return sum;
}

static het_status make_graph(het_analysis *a, const het_analysis_options *o, int64_t *symbols,
                             het_error *err)
{
    bind_symbols(o, symbols);
    if (a->model->network) {
        symbols[HET__SYM_TOKENS] = 1;
        return make_network_graph(a, o, err);
    }
    const het_status s = het__model_graph(a->model, (het_dtype)o->kv_dtype, &a->graph,
                                          &a->info.spelled_count, err);
    if (s != HET_OK)
        return s;
    a->info.parameter_count = (double)a->model->info.parameter_count;
    a->info.kv_bytes_per_token = kv_bytes(&a->graph);
    return HET_OK;
}

/* ---- groups ---- */

/* Numbers for the reader of the graph's nodes; UINT32_MAX: left out. NULL: out of memory. */
static uint32_t *shown_nodes(het__analysis *nodes, uint32_t count, het__arena *arena)
{
    uint32_t *shown = het__arena_alloc(arena, ((size_t)count + 1) * sizeof *shown);
    for (uint32_t n = 0; shown && n < count; n++)
        shown[n] = UINT32_MAX;
    for (uint32_t i = 0; shown && i < nodes->node_count; i++)
        shown[nodes->graph_node[i]] = i;
    return shown;
}

static het_status group_network(het_analysis *a, const het__analysis *all, const uint32_t *shown,
                                const het_analysis_options *o, het_error *err)
{
    const het__group_request request = { &a->graph, device_of(a), 0, 0,
                                         device_of(a)->near_bytes.value };
    het__group_problem problem;
    const het_status s = het__group_problem_make(&request, &a->arena, &problem, err);
    if (s != HET_OK)
        return s;
    const het__group_report_request q = { all, &problem, device_of(a), shown,
                                          (het__group_rule)o->group_rule };
    return het__group_report_make(&q, &a->arena, &a->report) == HET_OK
               ? HET_OK : het__fail_nomem(err, "an analysis");
}

/* What the passes made one, told from the graph before them. */
static het_status group_language(het_analysis *a, const het__analysis_request *whole,
                                 const het__analysis *all, const uint32_t *shown,
                                 const het_analysis_options *o, het_error *err)
{
    het__graph spelled;
    het__analysis nodes;
    het__analysis_request q = *whole;
    het_status s = het__model_graph_spelled(a->model, (het_dtype)o->kv_dtype, &spelled, err);
    if (s != HET_OK)
        return s;
    q.graph = &spelled;
    s = het__analyse(&q, &a->arena, &nodes, err);
    if (s == HET_OK) {
        const het__fused_request fused = { &spelled, &a->graph, &nodes, all, q.symbols, shown };
        if (het__fused_report_make(&fused, &a->arena, &a->report) != HET_OK)
            s = het__fail_nomem(err, "an analysis");
    }
    het__graph_finish(&spelled);
    return s;
}

/* Groups are those of the whole graph; nodes that are left out are not listed among theirs. */
static het_status make_groups(het_analysis *a, const het__analysis_request *whole,
                              const het_analysis_options *o, het_error *err)
{
    het__analysis all;
    const uint32_t *shown = shown_nodes(&a->nodes, a->graph.node_count, &a->arena);
    if (!shown)
        return het__fail_nomem(err, "an analysis");
    if (!a->graph.node_count)
        return HET_OK;
    het_status s = het__analyse(whole, &a->arena, &all, err);
    if (s == HET_OK)
        s = a->model->network ? group_network(a, &all, shown, o, err)
                              : group_language(a, whole, &all, shown, o, err);
    for (uint32_t i = 0; s == HET_OK && i < a->nodes.node_count; i++)
        a->nodes.nodes[i].group = a->report.group[a->nodes.graph_node[i]];
    return s;
}

/* ---- totals ---- */

typedef struct shares {
    double reached_ns; /* of arithmetic at its utilisation */
    double compute_ns; /* the same at the peak */
    double filled, arithmetic;
    double by_bottleneck[HET_BOTTLENECK_MEMORY + 1];
} shares;

static void add_node(het_analysis_info *t, shares *x, const het_subgraph *n)
{
    const double weight = n->mac_count;
    t->mac_count += n->mac_count;
    t->flop_count += n->flop_count;
    t->input_bytes += n->input_bytes;
    t->output_bytes += n->output_bytes;
    t->weight_bytes += n->weight_bytes;
    t->roofline_ns += n->roofline_ns;
    t->mapped_ns += n->mapped_ns;
    t->predicted_ns += n->predicted_ns;
    t->joules += n->joules;
    x->by_bottleneck[n->bottleneck] += n->roofline_ns;
    if (n->mapping->utilisation <= 0)
        return;
    x->compute_ns += n->compute_ns;
    x->reached_ns += n->compute_ns / n->mapping->utilisation;
    x->arithmetic += weight;
    x->filled += weight * n->mapping->used_unit_count / n->mapping->unit_count;
}

static void sum_up(het_analysis *a)
{
    const het__machine_device *d = device_of(a);
    het_analysis_info *t = &a->info;
    shares x = { 0 };
    for (uint32_t n = 0; n < a->nodes.node_count; n++)
        add_node(t, &x, &a->nodes.nodes[n]);
    t->traffic_bytes = t->input_bytes + t->output_bytes + t->weight_bytes;
    t->intensity = t->traffic_bytes > 0 ? t->flop_count / t->traffic_bytes : 0;
    t->mac_intensity = t->traffic_bytes > 0 ? 2 * t->mac_count / t->traffic_bytes : 0;
    t->label = het__intensity_label(2 * t->mac_count, t->traffic_bytes);
    t->bottleneck = t->roofline_ns <= 0 ? HET_BOTTLENECK_NONE
                    : x.by_bottleneck[HET_BOTTLENECK_COMPUTE] >=
                              x.by_bottleneck[HET_BOTTLENECK_MEMORY]
                        ? HET_BOTTLENECK_COMPUTE : HET_BOTTLENECK_MEMORY;
    t->utilisation = x.reached_ns > 0 ? x.compute_ns / x.reached_ns : 0;
    t->unit_fill = x.arithmetic > 0 ? x.filled / x.arithmetic : 0;
    t->price = het__price(d, t->mapped_ns);
    het__joules(d, 0, 0, 0, &t->energy_source);
    t->seed_ns = het__seed_ns(2 * t->mac_count, t->peak_ops_per_s, SEED_OVERHEAD, t->tile_count);
    t->seed_joules = het__seed_joules(2 * t->mac_count, t->traffic_bytes, d->joules_per_op.value,
                                      d->joules_per_byte.value, t->tile_count);
}

static void fill_info(het_analysis *a)
{
    const het__machine_device *d = device_of(a);
    het_analysis_info *t = &a->info;
    t->struct_size = sizeof *t;
    t->node_count = a->nodes.node_count;
    t->opaque_count = a->nodes.opaque_count;
    t->concurrency = &a->nodes.concurrency;
    t->active_parameter_count = a->model->language ? (double)a->model->info.active_count
                                                   : a->nodes.active_parameters;
    t->group_count = a->report.group_count;
    t->grouped_bytes = a->report.bytes;
    t->inner_bytes = a->report.inner_bytes;
    t->ungrouped_bytes = a->report.alone_bytes;
    t->ungrouped_ns = a->report.alone_ns;
    t->is_calibrated = d->calibration != NULL;
    t->grouped_ns = a->report.ns;
    t->tile_count = a->report.tile_count;
    t->figures_source = het__machine_source(d);
    t->peak_ops_per_s = a->nodes.peak;
    t->bytes_per_s = a->nodes.bandwidth;
    t->balance = a->nodes.bandwidth > 0 ? a->nodes.peak / a->nodes.bandwidth : 0;
    t->machine = a->machine.name;
    t->device = d->name;
    sum_up(a);
}

/* ---- make ---- */

static het_status fill(het_analysis *a, const het_analysis_options *o, het_error *err)
{
    int64_t symbols[HET__SYM_MAX];
    het_status s = take_machine(a, o, err);
    if (s == HET_OK)
        s = make_graph(a, o, symbols, err);
    if (s != HET_OK)
        return s; /* the graph is finished, or was not begun */
    const bool compat = (o->flags & HET_ANALYSIS_COMPAT) != 0;
    het__analysis_request q = { &a->graph, device_of(a), symbols, o->arithmetic, compat, compat };
    s = het__analyse(&q, &a->arena, &a->nodes, err);
    q.drop_functional = false;
    if (s == HET_OK)
        s = make_groups(a, &q, o, err);
    if (s == HET_OK && (o->flags & HET_ANALYSIS_SUPPORT) &&
        het__exec_support(&a->model->context->registry, &a->graph, &a->arena, &a->refusals) !=
            HET_OK)
        s = het__fail_nomem(err, "an analysis");
    a->info.phase = o->phase;
    if (s == HET_OK)
        fill_info(a);
    else
        het__graph_finish(&a->graph);
    return s;
}

het_status het_analysis_make(const het_model *model, const het_analysis_options *options,
                             het_analysis **analysis, het_error *err)
{
    het_analysis_options o;
    HET_REQUIRE(analysis != NULL, err);
    *analysis = NULL;
    HET_REQUIRE(model != NULL, err);
    het_status s = check_options(model, options, &o, err);
    if (s != HET_OK)
        return s;
    het__mem *mem = &model->context->mem;
    het_analysis *a = het__alloc_zero(mem, 1, sizeof *a);
    if (!a)
        return het__fail_nomem(err, "an analysis");
    a->model = (het_model *)(uintptr_t)model;
    het__arena_init(&a->arena, mem);
    s = fill(a, &o, err);
    if (s != HET_OK) {
        het__arena_finish(&a->arena);
        het__free(mem, a);
        return s;
    }
    het__model_retain(a->model);
    *analysis = a;
    return HET_OK;
}

/* ---- use ---- */

const het__group_report *het__analysis_report(const het_analysis *a)
{
    return &a->report;
}

het_status het_analysis_get_info(const het_analysis *a, het_analysis_info *info)
{
    return het__result_write(info, &a->info, sizeof a->info);
}

het_status het_analysis_node_at(const het_analysis *a, uint32_t index, het_subgraph *node)
{
    if (index >= a->nodes.node_count)
        return HET_E_INVALID;
    return het__result_write(node, &a->nodes.nodes[index], sizeof *node);
}

het_status het_analysis_group_at(const het_analysis *a, uint32_t index, het_subgraph *group)
{
    if (index >= a->report.group_count)
        return HET_E_INVALID;
    return het__result_write(group, &a->report.groups[index], sizeof *group);
}

het_status het_analysis_stage_at(const het_analysis *a, uint32_t index, het_analysis_stage *stage)
{
    if (index >= a->nodes.concurrency.critical_path_count)
        return HET_E_INVALID;
    const uint32_t *nodes = a->nodes.stage_nodes + a->nodes.stage_first[index];
    het_analysis_stage out = {
        .struct_size = sizeof out, .nodes = nodes,
        .node_count = a->nodes.stage_first[index + 1] - a->nodes.stage_first[index],
    };
    for (uint32_t i = 0; i < out.node_count; i++) {
        const het_subgraph *n = &a->nodes.nodes[nodes[i]];
        out.flop_count += n->flop_count;
        out.bytes += n->input_bytes + n->output_bytes + n->weight_bytes;
        out.longest_ns = n->mapped_ns > out.longest_ns ? n->mapped_ns : out.longest_ns;
    }
    return het__result_write(stage, &out, sizeof out);
}

het_status het_analysis_foreach(const het_analysis *a, het_subgraph_visit visit, void *user)
{
    for (uint32_t n = 0; n < a->nodes.node_count; n++) {
        const het_status s = visit(user, n, &a->nodes.nodes[n]);
        if (s != HET_OK)
            return s;
    }
    return HET_OK;
}

het_status het_analysis_support_at(const het_analysis *a, uint32_t index, uint32_t device,
                                   const char **reason)
{
    const uint32_t devices = a->model->context->registry.count;
    if (!a->refusals || index >= a->nodes.node_count || device >= devices)
        return HET_E_INVALID;
    const char *why = a->refusals[(size_t)a->nodes.graph_node[index] * devices + device];
    if (reason)
        *reason = why;
    return why ? HET_E_UNSUPPORTED : HET_OK;
}

void het_analysis_destroy(het_analysis *a)
{
    if (!a)
        return;
    het_model *model = a->model;
    het__graph_finish(&a->graph);
    het__arena_finish(&a->arena);
    het__free(&model->context->mem, a);
    het__model_release(model);
}
