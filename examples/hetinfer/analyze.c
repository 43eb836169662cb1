/* SPDX-License-Identifier: Apache-2.0 */
/* hetinfer analyze: what each operation of a model costs on a machine. Runs nothing of the
 * model. */
#include "analyze.h"
#include "commands.h"

#include <stdlib.h>
#include <string.h>

typedef struct request {
    const char *machine, *csv, *html;
    int phase, rule, kv, arithmetic;
    int64_t device, batch, tokens, context;
    numbers batches;
    bool compat;
    settings settings;
} request;

/* ---- names ---- */

const char *bottleneck_name(uint32_t bottleneck)
{
    switch (bottleneck) {
    case HET_BOTTLENECK_COMPUTE: return "compute";
    case HET_BOTTLENECK_MEMORY: return "memory";
    default: return "none";
    }
}

const char *label_name(uint32_t label)
{
    switch (label) {
    case HET_LABEL_MEMORY_BOUND: return "memory-bound";
    case HET_LABEL_BALANCED: return "balanced";
    case HET_LABEL_COMPUTE_INTENSIVE: return "compute-intensive";
    default: return "none";
    }
}

const char *unit_class_name(uint32_t unit_class)
{
    switch (unit_class) {
    case HET_UNITS_CORES: return "cores";
    case HET_UNITS_SIMT: return "simt";
    case HET_UNITS_SYSTOLIC: return "systolic";
    case HET_UNITS_TILES: return "tiles";
    default: return "units";
    }
}

void analysis_model_name(const char *path, char *name, size_t bytes)
{
    const char *base = strrchr(path, '/');
    base = base ? base + 1 : path;
    const char *end = strrchr(base, '.');
    const size_t length = end && end != base ? (size_t)(end - base) : strlen(base);
    snprintf(name, bytes, "%.*s", (int)length, base);
}

/* ---- access ---- */

int analysis_node(const analysis *a, uint32_t index, het_subgraph *node)
{
    memset(node, 0, sizeof *node);
    node->struct_size = sizeof *node;
    const het_status status = het_analysis_node_at(a->handle, index, node);
    return status ? failure("node %u: %s", index, het_status_name(status)) : STATUS_GO;
}

int analysis_group(const analysis *a, uint32_t index, het_subgraph *group)
{
    memset(group, 0, sizeof *group);
    group->struct_size = sizeof *group;
    const het_status status = het_analysis_group_at(a->handle, index, group);
    return status ? failure("group %u: %s", index, het_status_name(status)) : STATUS_GO;
}

/* ---- modules ---- */

/* "/layer1.0.conv1/Conv": "layer1.0"; "/encoder/layer.3/…": "encoder/layer.3". What has no such
 * name is the model's own. */
static void module_of_node(const het_subgraph *node, bool language, char *name, size_t bytes)
{
    const char *at = node->name + (node->name[0] == '/');
    const char *end = strrchr(at, '/');
    if (language) {
        if (node->layer >= 0)
            snprintf(name, bytes, "block %d", node->layer);
        else
            snprintf(name, bytes, "%s", strstr(node->operations, "embed") ? "embedding" : "head");
        return;
    }
    if (!end || end == at) {
        snprintf(name, bytes, "(model)");
        return;
    }
    size_t length = (size_t)(end - at);
    int parts = 0;
    for (size_t i = 0; i < length; i++)
        if ((at[i] == '.' || at[i] == '/') && ++parts == 2)
            length = i;
    snprintf(name, bytes, "%.*s", (int)length, at);
}

typedef struct gathering {
    module *modules;
    size_t count, room;
    bool language;
} gathering;

static het_status gather(void *user, uint32_t index, const het_subgraph *node)
{
    gathering *g = user;
    char name[sizeof g->modules->name];
    (void)index;
    module_of_node(node, g->language, name, sizeof name);
    size_t i = g->count; /* names come in runs: the last ones first */
    while (i > 0 && strcmp(g->modules[i - 1].name, name) != 0)
        i--;
    if (i == 0) {
        if (g->count == g->room)
            return HET_E_NOMEM;
        i = ++g->count;
        memcpy(g->modules[i - 1].name, name, sizeof name);
    }
    module *m = &g->modules[i - 1];
    m->node_count++;
    m->parameters += node->parameter_count;
    m->macs += node->mac_count;
    m->flops += node->flop_count;
    m->bytes += subgraph_bytes(node);
    m->ns += node->mapped_ns;
    return HET_OK;
}

const char *analysis_basis(const analysis *a)
{
    return figures_basis(!a->is_present, a->info.is_calibrated != 0);
}

bool is_language(const analysis *a)
{
    return strcmp(a->engine->info.format, "onnx") != 0;
}

module *analysis_modules(const analysis *a, size_t *count)
{
    gathering g = { .room = a->info.node_count };
    g.language = is_language(a);
    g.modules = calloc(g.room ? g.room : 1, sizeof *g.modules);
    if (g.modules && het_analysis_foreach(a->handle, gather, &g) != HET_OK) {
        free(g.modules);
        g.modules = NULL;
    }
    *count = g.count;
    return g.modules;
}

/* ---- batches ---- */

int64_t sweep_fills_at(const analysis *a)
{
    for (size_t i = 0; i < a->point_count; i++)
        if (a->points[i].info.unit_fill >= 0.95)
            return a->points[i].batch;
    return 0;
}

int64_t sweep_computes_at(const analysis *a)
{
    for (size_t i = 0; i < a->point_count; i++)
        if (a->points[i].info.intensity >= a->points[i].info.balance)
            return a->points[i].batch;
    return 0;
}

static int make(const analysis *a, const het_analysis_options *o, het_analysis **handle,
                het_analysis_info *info)
{
    het_error err = HET_ERROR_INIT;
    het_status status = het_analysis_make(a->engine->model, o, handle, &err);
    if (status)
        return failure_of(status, &err);
    memset(info, 0, sizeof *info);
    info->struct_size = sizeof *info;
    status = het_analysis_get_info(*handle, info);
    return status ? failure("%s", het_status_name(status)) : STATUS_GO;
}

static int sweep(analysis *a, const numbers *batches)
{
    for (size_t i = 0; i < batches->count; i++) {
        het_analysis_options o = a->options;
        het_analysis *handle = NULL;
        o.batch_count = batches->at[i];
        o.flags &= ~HET_ANALYSIS_SUPPORT;
        const int status = make(a, &o, &handle, &a->points[i].info);
        het_analysis_destroy(handle);
        if (status != STATUS_GO)
            return status;
        a->points[i].batch = batches->at[i];
        a->point_count++;
    }
    return STATUS_GO;
}

/* ---- command ---- */

static void fill_options(analysis *a, const request *r)
{
    static const uint32_t kinds[] = { HET_DTYPE_F16, HET_DTYPE_F32, HET_DTYPE_Q8_0 };
    a->options = (het_analysis_options)HET_ANALYSIS_OPTIONS_INIT;
    a->options.phase = (uint32_t)r->phase;
    a->options.flags = (r->compat ? HET_ANALYSIS_COMPAT : 0) |
                       (a->support || r->settings.json ? HET_ANALYSIS_SUPPORT : 0);
    a->options.machine = a->machine;
    a->options.batch_count = r->batch;
    a->options.token_count = r->tokens;
    a->options.context_count = r->context;
    a->options.device = (uint32_t)r->device;
    a->options.group_rule = (uint32_t)r->rule;
    a->options.arithmetic = (uint32_t)r->arithmetic;
    a->options.kv_dtype = kinds[r->kv];
}

static int show(analysis *a, const request *r)
{
    int status = STATUS_GO;
    if (r->csv)
        status = analyze_write_csv(a, r->csv);
    if (status == STATUS_GO && r->html)
        status = analyze_write_html(a, r->html);
    if (status != STATUS_GO)
        return status;
    return r->settings.json ? analyze_print_json(a) : analyze_print_table(a);
}

static int analyze(analysis *a, const request *r)
{
    const int64_t threads = r->settings.threads;
    int status = machine_open(a->engine->context, r->machine, threads, &a->machine);
    a->is_present = !machine_name(r->machine);
    a->threads = (uint32_t)threads;
    fill_options(a, r);
    if (status == STATUS_GO)
        status = make(a, &a->options, &a->handle, &a->info);
    if (status == STATUS_GO)
        status = sweep(a, &r->batches);
    if (status == STATUS_GO)
        status = show(a, r);
    het_analysis_destroy(a->handle);
    het_machine_destroy(a->machine);
    return status;
}

static void declare(options *o, request *r, analysis *a)
{
    options_begin(o, "analyze", "MODEL", "Print what each operation costs, without running it.");
    options_text(o, "machine", 'm', &r->machine, "NAME", "Profile or machine file (this)");
    options_int(o, "device", 0, &r->device, 0, 255, "N", "Device of the machine (0)");
    options_int(o, "batch", 'b', &r->batch, 1, 1 << 20, "N", "Images or sequences (1)");
    options_list(o, "batch-sweep", 0, &r->batches, 1, 1 << 20, "Batches to compare");
    options_choice(o, "phase", &r->phase, "decode|prefill", "Kind of step (decode)");
    options_int(o, "tokens", 'n', &r->tokens, 1, 1 << 20, "N", "Tokens per step (1, prefill 512)");
    options_int(o, "context", 'c', &r->context, 0, INT32_MAX, "N", "Positions before it (0)");
    options_choice(o, "kv", &r->kv, "f16|f32|q8_0", "Type of cached keys and values (f16)");
    options_choice(o, "arithmetic", &r->arithmetic, "f32|f16|bf16|int8|fastest",
                   "Whose peak counts (f32)");
    options_flag(o, "fusion", 0, &a->fusion, "What groups of operations save");
    options_choice(o, "rule", &r->rule, "greedy|patterns|search", "How groups are made (patterns)");
    options_flag(o, "compat", 0, &r->compat, "Leave functions out, with their edges");
    options_flag(o, "support", 0, &a->support, "Which backend runs which operation");
    options_flag(o, "all", 'a', &a->all_nodes, "Every operation, not the longest ones");
    options_text(o, "csv", 0, &r->csv, "FILE", "One row per operation");
    options_text(o, "html", 0, &r->html, "FILE", "A page to look at");
    options_text(o, "devices", 0, &r->settings.devices, "LIST", "Backends, comma-separated (all)");
    options_int(o, "threads", 't', &r->settings.threads, 1, 1024, "N",
                "Threads that figures of this machine are for (one per core)");
    settings_model(o, &r->settings);
    settings_output(o, &r->settings);
}

int command_analyze(int argc, char **argv)
{
    request r = { .rule = HET_GROUP_PATTERNS };
    analysis a = { 0 };
    engine e = { 0 };
    options o;
    declare(&o, &r, &a);
    int status = options_parse(&o, argc, argv, &a.path);
    if (status == STATUS_GO && machine_name(r.machine) && r.settings.threads)
        status = usage_error("analyze", "--threads means this machine: not with --machine");
    if (status == STATUS_GO)
        status = engine_model(&e, &r.settings, a.path, 0);
    a.engine = &e;
    if (status == STATUS_GO)
        status = analyze(&a, &r);
    engine_close(&e);
    return status;
}
