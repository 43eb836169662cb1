/* SPDX-License-Identifier: Apache-2.0 */
/* An analysis as JSON: "hetinfer.analyze/1". Keys are added, never changed. */
#include "analyze.h"

#include <stdlib.h>
#include <string.h>

static json_t *text_of(const char *text)
{
    return json_text(text, strlen(text));
}

static void set_number(json_t *object, const char *key, double value)
{
    json_object_set_new(object, key, json_real(value));
}

static void set_count(json_t *object, const char *key, uint64_t value)
{
    json_object_set_new(object, key, json_integer((json_int_t)value));
}

static void set_text(json_t *object, const char *key, const char *value)
{
    json_object_set_new(object, key, text_of(value));
}

/* ---- the model ---- */

static json_t *json_model(const analysis *a)
{
    const het_model_info *m = &a->engine->info;
    json_t *o = json_object();
    set_text(o, "name", m->name);
    set_text(o, "architecture", m->architecture);
    set_text(o, "format", m->format);
    set_count(o, "weight_bytes", m->weight_bytes);
    set_number(o, "parameter_count", a->info.parameter_count);
    set_number(o, "active_parameter_count", a->info.active_parameter_count);
    set_number(o, "kv_bytes_per_token", a->info.kv_bytes_per_token);
    set_text(o, "phase", a->info.kv_bytes_per_token <= 0 ? "none"
                         : a->options.phase == HET_PHASE_PREFILL ? "prefill" : "decode");
    set_count(o, "batch", (uint64_t)(a->options.batch_count ? a->options.batch_count : 1));
    set_count(o, "context", (uint64_t)a->options.context_count);
    return o;
}

static json_t *json_machine(const analysis *a)
{
    const het_analysis_info *t = &a->info;
    json_t *o = json_object();
    set_text(o, "name", t->machine);
    set_text(o, "device", t->device);
    set_number(o, "ops_per_s", t->peak_ops_per_s);
    set_number(o, "bytes_per_s", t->bytes_per_s);
    set_number(o, "balance", t->balance);
    set_text(o, "figures_source", source_name(t->figures_source));
    set_text(o, "figures_basis", analysis_basis(a));
    set_text(o, "energy_source", source_name(t->energy_source));
    return o;
}

static json_t *json_totals(const het_analysis_info *t)
{
    json_t *o = json_object();
    set_count(o, "node_count", t->node_count);
    set_count(o, "opaque_count", t->opaque_count);
    set_number(o, "macs", t->mac_count);
    set_number(o, "flops", t->flop_count);
    set_number(o, "input_bytes", t->input_bytes);
    set_number(o, "output_bytes", t->output_bytes);
    set_number(o, "weight_bytes", t->weight_bytes);
    set_number(o, "traffic_bytes", t->traffic_bytes);
    set_number(o, "intensity", t->intensity);
    set_number(o, "mac_intensity", t->mac_intensity);
    set_text(o, "label", label_name(t->label));
    set_text(o, "bottleneck", bottleneck_name(t->bottleneck));
    set_number(o, "roofline_ns", t->roofline_ns);
    set_number(o, "mapped_ns", t->mapped_ns);
    set_number(o, "predicted_ns", t->predicted_ns);
    set_number(o, "utilisation", t->utilisation);
    set_number(o, "unit_fill", t->unit_fill);
    set_number(o, "joules", t->joules);
    set_number(o, "price", t->price);
    set_count(o, "tile_count", t->tile_count);
    set_number(o, "seed_v1_ns", t->seed_ns);
    set_number(o, "seed_v1_joules", t->seed_joules);
    return o;
}

static json_t *json_modules(const analysis *a)
{
    size_t count;
    module *modules = analysis_modules(a, &count);
    json_t *list = modules ? json_array() : NULL;
    for (size_t i = 0; list && i < count; i++) {
        json_t *o = json_object();
        set_text(o, "name", modules[i].name);
        set_count(o, "node_count", modules[i].node_count);
        set_number(o, "parameters", modules[i].parameters);
        set_number(o, "macs", modules[i].macs);
        set_number(o, "flops", modules[i].flops);
        set_number(o, "bytes", modules[i].bytes);
        set_number(o, "mapped_ns", modules[i].ns);
        json_array_append_new(list, o);
    }
    free(modules);
    return list;
}

/* ---- nodes and groups ---- */

static json_t *json_parallelism(const het_parallelism *p)
{
    json_t *o = json_object();
    set_number(o, "batch", p->batch_count);
    set_number(o, "channel", p->channel_count);
    set_number(o, "spatial", p->spatial_count);
    set_number(o, "total", p->total_count);
    json_object_set_new(o, "depthwise", json_boolean(p->flags & HET_PARALLELISM_DEPTHWISE));
    json_object_set_new(o, "pointwise", json_boolean(p->flags & HET_PARALLELISM_POINTWISE));
    return o;
}

static json_t *json_mapping(const het_mapping *m)
{
    json_t *o = json_object();
    set_text(o, "unit_class", unit_class_name(m->unit_class));
    set_number(o, "unit_count", m->unit_count);
    set_number(o, "thread_count", m->thread_count);
    set_number(o, "item_count", m->item_count);
    set_number(o, "used_unit_count", m->used_unit_count);
    set_number(o, "wave_count", m->wave_count);
    set_number(o, "wave_efficiency", m->wave_efficiency);
    set_number(o, "occupancy", m->occupancy);
    set_number(o, "utilisation", m->utilisation);
    json_object_set_new(o, "tile", json_pack("[I, I, I]", (json_int_t)m->tile_rows,
                                             (json_int_t)m->tile_columns,
                                             (json_int_t)m->tile_depth));
    set_number(o, "tile_bytes", m->tile_bytes);
    json_object_set_new(o, "fits", json_boolean(m->is_fitting));
    return o;
}

static json_t *json_indices(const uint32_t *nodes, uint32_t count)
{
    json_t *list = json_array();
    for (uint32_t i = 0; i < count; i++)
        json_array_append_new(list, json_integer(nodes[i]));
    return list;
}

static json_t *json_subgraph(const het_subgraph *s)
{
    json_t *o = json_object();
    set_text(o, "name", s->name);
    set_text(o, "operations", s->operations);
    json_object_set_new(o, "layer", json_integer(s->layer));
    set_count(o, "stage", s->stage);
    json_object_set_new(o, "before", json_indices(s->before, s->before_count));
    json_object_set_new(o, "group", s->group == UINT32_MAX ? json_null()
                                                            : json_integer(s->group));
    set_number(o, "parameters", s->parameter_count);
    set_number(o, "macs", s->mac_count);
    set_number(o, "flops", s->flop_count);
    set_number(o, "input_bytes", s->input_bytes);
    set_number(o, "output_bytes", s->output_bytes);
    set_number(o, "weight_bytes", s->weight_bytes);
    set_number(o, "intensity", s->intensity);
    set_text(o, "bottleneck", bottleneck_name(s->bottleneck));
    set_text(o, "label", label_name(s->label));
    set_text(o, "axes", s->axes);
    set_number(o, "roofline_ns", s->roofline_ns);
    set_number(o, "mapped_ns", s->mapped_ns);
    set_number(o, "predicted_ns", s->predicted_ns);
    set_number(o, "joules", s->joules);
    json_object_set_new(o, "parallelism", json_parallelism(s->parallelism));
    json_object_set_new(o, "mapping", json_mapping(s->mapping));
    return o;
}

static int json_nodes(const analysis *a, json_t *root)
{
    json_t *list = json_array();
    json_object_set_new(root, "nodes", list);
    for (uint32_t i = 0; i < a->info.node_count; i++) {
        het_subgraph n;
        const int status = analysis_node(a, i, &n);
        if (status != STATUS_GO)
            return status;
        json_array_append_new(list, json_subgraph(&n));
    }
    return STATUS_GO;
}

static int json_fusion(const analysis *a, json_t *root)
{
    const het_analysis_info *t = &a->info;
    json_t *o = json_object(), *list = json_array();
    json_object_set_new(root, "fusion", o);
    set_count(o, "node_count", t->node_count);
    set_count(o, "spelled_count", t->spelled_count);
    set_count(o, "group_count", t->group_count);
    set_number(o, "traffic_bytes", t->traffic_bytes);
    set_number(o, "ungrouped_bytes", t->ungrouped_bytes);
    set_number(o, "grouped_bytes", t->grouped_bytes);
    set_number(o, "inner_bytes", t->inner_bytes);
    set_number(o, "predicted_ns", t->predicted_ns);
    set_number(o, "grouped_ns", t->grouped_ns);
    set_number(o, "ungrouped_ns", t->ungrouped_ns);
    json_object_set_new(o, "groups", list);
    for (uint32_t i = 0; i < t->group_count; i++) {
        het_subgraph g;
        const int status = analysis_group(a, i, &g);
        if (status != STATUS_GO)
            return status;
        json_t *group = json_subgraph(&g);
        json_object_set_new(group, "nodes", json_indices(g.nodes, g.node_count));
        set_count(group, "operation_count", g.operation_count);
        set_number(group, "ungrouped_bytes", g.ungrouped_bytes);
        set_number(group, "inner_bytes", g.inner_bytes);
        json_array_append_new(list, group);
    }
    return STATUS_GO;
}

static int json_concurrency(const analysis *a, json_t *root)
{
    const het_concurrency *c = a->info.concurrency;
    json_t *o = json_object(), *list = json_array();
    json_object_set_new(root, "concurrency", o);
    set_count(o, "critical_path", c->critical_path_count);
    set_count(o, "width", c->width_count);
    set_number(o, "efficiency", c->efficiency);
    set_number(o, "critical_ns", c->critical_ns);
    set_number(o, "total_ns", c->total_ns);
    json_object_set_new(o, "compat", json_boolean(a->options.flags & HET_ANALYSIS_COMPAT));
    json_object_set_new(o, "stages", list);
    for (uint32_t i = 0; i < c->critical_path_count; i++) {
        het_analysis_stage s = { .struct_size = sizeof s };
        const het_status status = het_analysis_stage_at(a->handle, i, &s);
        if (status)
            return failure("stage %u: %s", i, het_status_name(status));
        json_array_append_new(list, json_indices(s.nodes, s.node_count));
    }
    return STATUS_GO;
}

/* ---- what to do ---- */

/* Operations with fewer operations per byte than the balance, and what most of their bytes are. */
static int json_bandwidth(const analysis *a, json_t *root)
{
    json_t *o = json_object(), *list = json_array();
    double bytes = 0, ns = 0;
    json_object_set_new(root, "bandwidth_strategy", o);
    for (uint32_t i = 0; i < a->info.node_count; i++) {
        het_subgraph n;
        const int status = analysis_node(a, i, &n);
        if (status != STATUS_GO)
            return status;
        if (n.bottleneck != HET_BOTTLENECK_MEMORY)
            continue;
        const bool weights = n.weight_bytes > n.input_bytes + n.output_bytes;
        json_t *entry = json_object();
        set_count(entry, "node", i);
        set_text(entry, "name", n.name);
        set_text(entry, "operations", n.operations);
        set_number(entry, "intensity", n.intensity);
        set_number(entry, "bytes", subgraph_bytes(&n));
        set_text(entry, "mostly", weights ? "weights" : "activations");
        set_text(entry, "advice", weights ? "fewer bits per weight, or a larger batch"
                                          : "one kernel with its neighbours");
        json_array_append_new(list, entry);
        bytes += subgraph_bytes(&n);
        ns += n.roofline_ns;
    }
    set_number(o, "balance", a->info.balance);
    set_number(o, "bytes", bytes);
    set_number(o, "share_of_bytes", a->info.traffic_bytes > 0 ? bytes / a->info.traffic_bytes : 0);
    set_number(o, "share_of_time", a->info.roofline_ns > 0 ? ns / a->info.roofline_ns : 0);
    json_object_set_new(o, "nodes", list);
    return STATUS_GO;
}

static json_t *entry_of(json_t *list, const char *operation)
{
    size_t i;
    json_t *entry;
    json_array_foreach(list, i, entry)
        if (strcmp(json_string_value(json_object_get(entry, "operation")), operation) == 0)
            return entry;
    entry = json_pack("{s:o, s:i}", "operation", text_of(operation), "node_count", 0);
    json_array_append_new(list, entry);
    return entry;
}

static void count_in(json_t *entry)
{
    json_t *count = json_object_get(entry, "node_count");
    json_integer_set(count, json_integer_value(count) + 1);
}

/* What a mixture of experts takes besides products, and what nobody's library has. */
static void add_custom(json_t *list, const het_subgraph *n)
{
    const bool mixture = strcmp(n->operations, "moe") == 0 || strstr(n->operations, ":MoE") ||
                         strstr(n->operations, ":QMoE");
    if (!mixture && !(n->flags & HET_SUBGRAPH_OPAQUE))
        return;
    json_t *entry = entry_of(list, n->operations);
    count_in(entry);
    json_object_set_new(entry, "kernels",
                        mixture ? json_pack("[s, s, s, s]", "topk", "gather", "expert_ffn",
                                            "scatter")
                                : json_pack("[o]", text_of(n->operations)));
}

/* Per kind of operation and device, how many nodes run; those that run nowhere. */
static int json_support(const analysis *a, json_t *root)
{
    const uint32_t devices = (uint32_t)het_context_device_count(a->engine->context);
    json_t *missing = json_array(), *custom = json_array(), *matrix = json_array();
    json_object_set_new(root, "unsupported_ops", missing);
    json_object_set_new(root, "custom_kernels", custom);
    json_object_set_new(root, "support", matrix);
    for (uint32_t i = 0; i < a->info.node_count; i++) {
        het_subgraph n;
        const int status = analysis_node(a, i, &n);
        if (status != STATUS_GO)
            return status;
        json_t *row = entry_of(matrix, n.operations);
        bool runs = false;
        count_in(row);
        add_custom(custom, &n);
        for (uint32_t d = 0; d < devices; d++) {
            het_device_info info = { .struct_size = sizeof info };
            const char *why = NULL;
            const het_device *device = het_context_device(a->engine->context, d);
            if (het_device_get_info(device, &info) != HET_OK)
                continue;
            const bool good = het_analysis_support_at(a->handle, i, d, &why) == HET_OK;
            runs = runs || good;
            if (!json_object_get(row, info.backend))
                set_count(row, info.backend, 0);
            json_t *count = json_object_get(row, info.backend);
            json_integer_set(count, json_integer_value(count) + good);
            if (why && !json_object_get(row, "reason"))
                set_text(row, "reason", why);
        }
        if (!runs)
            count_in(entry_of(missing, n.operations));
    }
    return STATUS_GO;
}

/* As `hetinfer plan` has it; a sentence where there is no plan. */
static int json_partition(const analysis *a, json_t *root)
{
    het_plan_options o = HET_PLAN_OPTIONS_INIT;
    het_plan *plan = NULL;
    het_plan_info info = { .struct_size = sizeof info };
    het_error err = HET_ERROR_INIT;
    json_t *list = json_array();
    json_object_set_new(root, "partition", list);
    o.phase = a->options.phase;
    o.token_count = a->options.token_count;
    o.context_count = a->options.context_count;
    o.machine = a->is_present ? NULL : a->machine;
    o.devices = a->is_present ? a->engine->selected : NULL;
    o.threads = a->is_present ? a->threads : 0;
    if (het_plan_make(a->engine->model, &o, &plan, &err) != HET_OK ||
        het_plan_get_info(plan, &info) != HET_OK) {
        set_text(root, "partition_missing", err.message);
        het_plan_destroy(plan);
        return STATUS_GO;
    }
    for (uint32_t i = 0; i < info.layer_count; i++) {
        het_plan_layer l = { .struct_size = sizeof l };
        if (het_plan_layer_at(plan, i, &l) != HET_OK)
            break;
        json_t *entry = json_object();
        set_text(entry, "name", l.name);
        set_text(entry, "backend", l.backend);
        set_text(entry, "operations", l.operations);
        set_text(entry, "reason", l.reason);
        set_number(entry, "predicted_ns", l.predicted_ns);
        json_array_append_new(list, entry);
    }
    het_plan_destroy(plan);
    return STATUS_GO;
}

static json_t *json_sweep(const analysis *a)
{
    json_t *o = json_object(), *list = json_array();
    for (size_t i = 0; i < a->point_count; i++) {
        json_t *point = json_totals(&a->points[i].info);
        set_count(point, "batch", (uint64_t)a->points[i].batch);
        json_array_append_new(list, point);
    }
    set_count(o, "units_filled_at", (uint64_t)sweep_fills_at(a));
    set_count(o, "balance_reached_at", (uint64_t)sweep_computes_at(a));
    json_object_set_new(o, "points", list);
    return o;
}

int analyze_print_json(const analysis *a)
{
    json_t *root = json_begin("analyze");
    json_object_set_new(root, "model", json_model(a));
    json_object_set_new(root, "machine", json_machine(a));
    json_object_set_new(root, "totals", json_totals(&a->info));
    json_t *modules = json_modules(a);
    int status = modules ? json_nodes(a, root) : failure("out of memory");
    json_object_set_new(root, "modules", modules);
    if (status == STATUS_GO)
        status = json_concurrency(a, root);
    if (status == STATUS_GO)
        status = json_fusion(a, root);
    if (status == STATUS_GO)
        status = json_bandwidth(a, root);
    if (status == STATUS_GO)
        status = json_support(a, root);
    if (status == STATUS_GO)
        status = json_partition(a, root);
    if (a->point_count)
        json_object_set_new(root, "batch_sweep", json_sweep(a));
    if (status == STATUS_GO)
        return json_end(root);
    json_decref(root);
    return status;
}
