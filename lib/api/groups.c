/* SPDX-License-Identifier: Apache-2.0 */
/* Public functions of groups.h: a graph with bound shapes, recognised, grouped, and described; or
 * what an analysis of a language model says of its fusion. */
#include <string.h>

#include "lib/api/handles.h"
#include "lib/base/cpus.h"
#include "lib/base/error.h"
#include "lib/base/options.h"
#include "lib/exec/executor.h"
#include "lib/partition/group_graph.h"
#include "lib/partition/group_report.h"

/* What the groups of a file's own operations are counted on: SiLU is one operation there. */
#define PASSES_ALWAYS (UINT32_C(1) << HET__PASS_ACTIVATIONS)
/* No weights change, and no operation takes another one's place but as what it was meant to be. */
#define PASSES_RECOGNISE \
    (PASSES_ALWAYS | UINT32_C(1) << HET__PASS_TIDY | UINT32_C(1) << HET__PASS_NORMS | \
     UINT32_C(1) << HET__PASS_ATTENTION | UINT32_C(1) << HET__PASS_TRANSPOSES | \
     UINT32_C(1) << HET__PASS_SIBLINGS)

struct het_groups {
    het__mem *mem;
    het_context *context; /* a reference */
    het__arena arena;
    het_groups_info info;
    het_group *groups;
    het_analysis *analysis; /* of a language model: what its groups are told from; or NULL */
};

/* ---- options ---- */

static het_status check_options(const het_groups_options *options, const het_model *model,
                                het_groups_options *o, het_error *err)
{
    const het_status s = het__options_read(o, sizeof *o, options, "het_groups_options", err);
    if (s != HET_OK)
        return s;
    if (o->flags & ~HET_GROUPS_RECOGNISE)
        return het__fail(err, HET_E_VERSION, "het_groups_options.flags has an unknown flag");
    if (o->rule > HET_GROUP_SEARCH)
        return het__fail(err, HET_E_INVALID, "het_groups_options.rule is %u", o->rule);
    if (o->device >= model->context->registry.count)
        return het__fail(err, HET_E_INVALID, "there is no device %u", o->device);
    if (!model->is_whole)
        return het__fail(err, HET_E_INVALID, "the model was loaded without its graph");
    if (!model->network) /* het_analysis_make() looks at the rest */
        return o->inputs || o->input_count
                   ? het__fail(err, HET_E_INVALID, "a language model has tokens, not inputs")
                   : HET_OK;
    if (o->input_count && (!o->inputs || o->input_count != model->network->input_count))
        return het__fail(err, HET_E_INVALID, "%zu inputs are described, the model has %u",
                         o->input_count, model->network->input_count);
    return HET_OK;
}

/* ---- groups ---- */

typedef struct work {
    const het_groups_options *o;
    het_groups *out;
    het__graph graph;
    het__machine machine; /* one device */
    het__arena arena;     /* of problems */
    het__group_problem problem;
    het__group_index index;
    uint32_t *group;      /* per node */
    uint32_t *members;    /* nodes by group */
    uint32_t *first;      /* per group: entries of members */
} work;

static het_status make_problem(work *w, het_error *err)
{
    const het__group_request request = {
        &w->graph, &w->machine.device[0], w->o->operation_count_max,
        (double)w->o->touched_bytes_max, (double)w->o->near_bytes,
    };
    return het__group_problem_make(&request, &w->arena, &w->problem, err);
}

/* Traffic and time of each operation alone. */
static het_status measure_alone(work *w, double *bytes, double *ns, het_error *err)
{
    het__mem *mem = w->arena.mem;
    het__group_index x;
    if (!het__group_index_init(&x, &w->problem, mem))
        return het__fail_nomem(err, "the groups of a graph");
    *bytes = *ns = 0;
    for (uint32_t n = 0; n < w->problem.node_count; n++) {
        het__group_cost cost;
        het__group_measure(&x, &n, 1, &cost);
        *bytes += cost.bytes;
        *ns += cost.ns;
    }
    het__group_index_finish(&x, mem);
    return HET_OK;
}

static het_status group_by(work *w, het__group_rule rule, het__grouping *g, het_error *err)
{
    g->group = w->group;
    return het__groups_make(&w->problem, rule, w->arena.mem, g) == HET_OK
               ? HET_OK : het__fail_nomem(err, "the groups of a graph");
}

static het_status compare(work *w, het_error *err)
{
    het_groups_info *info = &w->out->info;
    het__grouping g;
    double ns = 0;
    w->group = het__arena_zero(&w->arena, (size_t)w->problem.node_count + 1, sizeof *w->group);
    if (!w->group)
        return het__fail_nomem(err, "the groups of a graph");
    het_status s = measure_alone(w, &info->unfused_bytes, &info->unfused_ns, err);
    if (s == HET_OK)
        s = group_by(w, HET__GROUP_GREEDY, &g, err);
    if (s != HET_OK)
        return s;
    info->greedy_count = g.group_count;
    info->greedy_ns = g.ns;
    s = group_by(w, HET__GROUP_PATTERNS, &g, err);
    if (s != HET_OK)
        return s;
    info->patterns_count = g.group_count;
    info->patterns_ns = g.ns;
    ns = g.ns;
    if (w->o->rule != HET_GROUP_PATTERNS) {
        s = group_by(w, w->o->rule == HET_GROUP_SEARCH ? HET__GROUP_SEARCH : HET__GROUP_GREEDY, &g,
                     err);
        ns = s == HET_OK ? g.ns : 0;
    }
    info->predicted_ns = ns;
    info->group_count = s == HET_OK ? g.group_count : 0;
    info->node_count = w->problem.node_count;
    info->is_proven = s == HET_OK && w->o->rule == HET_GROUP_SEARCH && g.proven;
    return s;
}

/* ---- description ---- */

static bool sort_members(work *w)
{
    const uint32_t groups = w->out->info.group_count;
    w->members = het__arena_zero(&w->arena, (size_t)w->problem.node_count + 1,
                                 sizeof *w->members);
    w->first = het__arena_zero(&w->arena, (size_t)groups + 2, sizeof *w->first);
    if (!w->members || !w->first)
        return false;
    for (uint32_t n = 0; n < w->problem.node_count; n++)
        w->first[w->group[n] + 2]++;
    for (uint32_t k = 2; k < groups + 2; k++)
        w->first[k] += w->first[k - 1];
    for (uint32_t n = 0; n < w->problem.node_count; n++)
        w->members[w->first[w->group[n] + 1]++] = n;
    return true;
}

static const char *operation_name(const het__graph *graph, uint32_t node)
{
    const het__node *n = &graph->nodes[node];
    if (n->op == HET__OP_T_UNKNOWN && n->attrs.tensor.type)
        return n->attrs.tensor.type;
    return het__op_info_of(n->op)->name;
}

static bool name_members(work *w, const uint32_t *nodes, het_group *group)
{
    het__arena *arena = &w->out->arena;
    const char **names = het__arena_zero(arena, group->node_count, sizeof *names);
    het__text text;
    het__text_init(&text, w->arena.mem);
    bool good = names != NULL;
    for (uint32_t i = 0; good && i < group->node_count; i++) {
        const char *name = w->graph.nodes[nodes[i]].name;
        names[i] = het__arena_strdup(arena, name ? name : "");
        het__text_printf(&text, "%s%s", i ? "," : "", operation_name(&w->graph, nodes[i]));
        good = names[i] != NULL;
    }
    group->names = names;
    group->operations = good && !text.failed && text.data ? het__arena_strdup(arena, text.data)
                                                          : NULL;
    het__text_finish(&text);
    return group->operations != NULL;
}

static bool describe_group(work *w, uint32_t k)
{
    const uint32_t *nodes = w->members + w->first[k];
    het_group *group = &w->out->groups[k];
    het__group_cost cost;
    group->struct_size = sizeof *group;
    group->node_count = w->first[k + 1] - w->first[k];
    for (uint32_t i = 0; i < group->node_count; i++) {
        het__group_measure(&w->index, &nodes[i], 1, &cost);
        group->unfused_bytes += cost.bytes;
    }
    het__group_measure(&w->index, nodes, group->node_count, &cost);
    group->predicted_ns = cost.ns;
    group->traffic_bytes = cost.bytes;
    group->inner_bytes = cost.inner_bytes;
    w->out->info.traffic_bytes += cost.bytes;
    w->out->info.inner_bytes += cost.inner_bytes;
    return name_members(w, nodes, group);
}

static het_status describe(work *w, het_error *err)
{
    het_groups *out = w->out;
    out->groups = het__arena_zero(&out->arena, (size_t)out->info.group_count + 1,
                                  sizeof *out->groups);
    if (!out->groups || !sort_members(w) ||
        !het__group_index_init(&w->index, &w->problem, w->arena.mem))
        return het__fail_nomem(err, "the groups of a graph");
    bool good = true;
    for (uint32_t k = 0; good && k < out->info.group_count; k++)
        good = describe_group(w, k);
    het__group_index_finish(&w->index, w->arena.mem);
    return good ? HET_OK : het__fail_nomem(err, "the groups of a graph");
}

/* ---- make ---- */

static het_status recognise(work *w, het_error *err)
{
    het_groups_info *info = &w->out->info;
    het__pass_options passes = { PASSES_ALWAYS, 0 };
    double ns;
    het_status s = het__passes_run(&w->graph, &passes, NULL, err);
    if (s == HET_OK)
        s = make_problem(w, err);
    if (s == HET_OK)
        s = measure_alone(w, &info->spelled_bytes, &ns, err);
    info->spelled_count = w->graph.node_count;
    passes.mask = PASSES_RECOGNISE;
    if (s != HET_OK || !(w->o->flags & HET_GROUPS_RECOGNISE))
        return s;
    s = het__passes_run(&w->graph, &passes, NULL, err);
    return s == HET_OK ? make_problem(w, err) : s;
}

static het_status fill_groups(het_groups *out, const het_model *model,
                              const het_groups_options *o, het_error *err)
{
    work w = { .o = o, .out = out };
    const het__network_shapes shapes = { o->input_count ? o->inputs : NULL, 1, 1 };
    het_status s = het__exec_machine(&model->context->registry, UINT32_C(1) << o->device,
                                     het__cpus_default(), NULL, &w.machine, err);
    if (s == HET_OK)
        s = het__network_specialise(model, &shapes, &w.graph, err);
    if (s != HET_OK)
        return s;
    out->info.figures_source = het__machine_source(&w.machine.device[0]);
    out->info.is_calibrated = w.machine.device[0].calibration != NULL;
    het__arena_init(&w.arena, out->mem);
    s = recognise(&w, err);
    if (s == HET_OK)
        s = compare(&w, err);
    if (s == HET_OK)
        s = describe(&w, err);
    het__arena_finish(&w.arena);
    het__graph_finish(&w.graph);
    return s;
}

/* ---- language models ---- */

static void fill_language_info(het_groups_info *info, const het_analysis_info *t)
{
    info->group_count = t->group_count;
    info->node_count = info->spelled_count = t->spelled_count;
    info->figures_source = t->figures_source;
    info->spelled_bytes = info->unfused_bytes = t->ungrouped_bytes;
    info->traffic_bytes = t->grouped_bytes;
    info->inner_bytes = t->inner_bytes;
    info->unfused_ns = t->ungrouped_ns;
    info->predicted_ns = t->grouped_ns;
    info->is_calibrated = t->is_calibrated;
    info->phase = t->phase;
}

/* Names and lists stay the analysis's, which the groups keep. */
static het_status list_groups(het_groups *out, const het__group_report *r, het_error *err)
{
    out->groups = het__arena_zero(&out->arena, (size_t)r->group_count + 1, sizeof *out->groups);
    if (!out->groups)
        return het__fail_nomem(err, "groups");
    for (uint32_t k = 0; k < r->group_count; k++) {
        const het_subgraph *s = &r->groups[k];
        out->groups[k] = (het_group){
            .struct_size = sizeof *out->groups, .node_count = r->first[k + 1] - r->first[k],
            .operations = s->operations, .names = r->names + r->first[k],
            .predicted_ns = s->predicted_ns, .unfused_bytes = s->ungrouped_bytes,
            .traffic_bytes = s->input_bytes + s->output_bytes + s->weight_bytes,
            .inner_bytes = s->inner_bytes,
        };
    }
    return HET_OK;
}

static het_status fill_language(het_groups *out, const het_model *model,
                                const het_groups_options *o, het_error *err)
{
    het_analysis_options q = HET_ANALYSIS_OPTIONS_INIT;
    het_analysis_info t = { .struct_size = sizeof t };
    q.phase = o->phase;
    q.token_count = o->token_count;
    q.context_count = o->context_count;
    q.kv_dtype = o->kv_dtype;
    q.device = o->device;
    het_status s = het_analysis_make(model, &q, &out->analysis, err);
    if (s == HET_OK)
        s = het_analysis_get_info(out->analysis, &t);
    if (s != HET_OK)
        return s;
    fill_language_info(&out->info, &t);
    return list_groups(out, het__analysis_report(out->analysis), err);
}

/* ---- use ---- */

het_status het_groups_make(const het_model *model, const het_groups_options *options,
                           het_groups **groups, het_error *err)
{
    het_groups_options o;
    HET_REQUIRE(groups != NULL, err);
    *groups = NULL;
    HET_REQUIRE(model != NULL, err);
    het_status s = check_options(options, model, &o, err);
    if (s != HET_OK)
        return s;
    het__mem *mem = &model->context->mem;
    het_groups *out = het__alloc_zero(mem, 1, sizeof *out);
    if (!out)
        return het__fail_nomem(err, "groups");
    out->mem = mem;
    out->context = model->context;
    het__context_retain(out->context);
    het__arena_init(&out->arena, mem);
    out->info.struct_size = sizeof out->info;
    s = model->network ? fill_groups(out, model, &o, err) : fill_language(out, model, &o, err);
    if (s != HET_OK) {
        het_groups_destroy(out);
        return s;
    }
    *groups = out;
    return HET_OK;
}

het_status het_groups_get_info(const het_groups *groups, het_groups_info *info)
{
    return het__result_write(info, &groups->info, sizeof groups->info);
}

het_status het_groups_at(const het_groups *groups, uint32_t index, het_group *group)
{
    if (index >= groups->info.group_count)
        return HET_E_INVALID;
    return het__result_write(group, &groups->groups[index], sizeof *group);
}

void het_groups_destroy(het_groups *groups)
{
    if (!groups)
        return;
    het_context *context = groups->context;
    het_analysis_destroy(groups->analysis);
    het__arena_finish(&groups->arena);
    het__free(groups->mem, groups);
    het__context_release(context);
}
