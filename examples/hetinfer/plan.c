/* SPDX-License-Identifier: Apache-2.0 */
/* hetinfer plan: where each layer would run, what that is expected to cost, and why. Runs nothing
 * of the model. */
#include "commands.h"
#include "common.h"

#include <stdio.h>
#include <string.h>

typedef struct request {
    int phase; /* het_phase */
    int64_t tokens, context;
    bool measure, text;
    settings settings;
} request;

static int layer_at(const het_plan *plan, uint32_t index, het_plan_layer *layer)
{
    memset(layer, 0, sizeof *layer);
    layer->struct_size = sizeof *layer;
    const het_status status = het_plan_layer_at(plan, index, layer);
    return status ? failure("layer %u: %s", index, het_status_name(status)) : STATUS_GO;
}

static int print_table(const het_plan *plan, const het_plan_info *info)
{
    char a[32], b[32];
    printf("%-12s %-12s %10s %10s  %s\n", "layer", "device", "ms", "weights", "why");
    for (uint32_t i = 0; i < info->layer_count; i++) {
        het_plan_layer l;
        const int status = layer_at(plan, i, &l);
        if (status != STATUS_GO)
            return status;
        printf("%-12s %-12s %10.4f %10s  %s\n%26s%s\n", l.name, l.backend, l.predicted_ns * 1e-6,
               format_bytes(l.weight_bytes, a), l.reason, "", l.operations);
    }
    printf("\n%u nodes (%u before fusion), %u transfers of %s\n", info->node_count,
           info->unfused_count, info->transfer_count,
           format_bytes((double)info->transfer_bytes, a));
    printf("one step: %.4f ms, %.3f GFLOP, weights %s, activations %s (figures: %s)\n",
           info->predicted_ns * 1e-6, info->flop_count * 1e-9, format_bytes(info->weight_bytes, a),
           format_bytes(info->activation_bytes, b), source_name(info->figures_source));
    return fflush(stdout) ? failure("cannot write the result") : STATUS_DONE;
}

static json_t *json_layer(const het_plan_layer *l)
{
    return json_pack("{s:i, s:s, s:I, s:s, s:s, s:s, s:I, s:f, s:f, s:f, s:f}", "layer",
                     (int)l->layer, "name", l->name, "device", (json_int_t)l->device, "backend",
                     l->backend, "operations", l->operations, "reason", l->reason, "node_count",
                     (json_int_t)l->node_count, "predicted_ns", l->predicted_ns, "flop_count",
                     l->flop_count, "weight_bytes", l->weight_bytes, "activation_bytes",
                     l->activation_bytes);
}

static int print_json(const het_plan *plan, const het_plan_info *info, const request *r)
{
    json_t *root = json_begin("plan"), *list = json_array();
    json_t *totals = json_pack(
        "{s:I, s:I, s:I, s:I, s:f, s:f, s:f, s:f, s:s}", "node_count",
        (json_int_t)info->node_count, "unfused_count", (json_int_t)info->unfused_count,
        "transfer_count", (json_int_t)info->transfer_count, "transfer_bytes",
        (json_int_t)info->transfer_bytes, "predicted_ns", info->predicted_ns, "flop_count",
        info->flop_count, "weight_bytes", info->weight_bytes, "activation_bytes",
        info->activation_bytes, "figures_source", source_name(info->figures_source));
    int status = STATUS_GO;
    for (uint32_t i = 0; status == STATUS_GO && i < info->layer_count; i++) {
        het_plan_layer l;
        status = layer_at(plan, i, &l);
        if (status == STATUS_GO)
            json_array_append_new(list, json_layer(&l));
    }
    json_object_set_new(root, "phase", json_string(r->phase ? "prefill" : "decode"));
    json_object_set_new(root, "totals", totals);
    json_object_set_new(root, "layers", list);
    if (status == STATUS_GO)
        return json_end(root);
    json_decref(root);
    return status;
}

static int print_plan(const het_plan *plan, const request *r)
{
    het_plan_info info = { .struct_size = sizeof info };
    const het_status status = het_plan_get_info(plan, &info);
    if (status)
        return failure("%s", het_status_name(status));
    if (r->settings.json)
        return print_json(plan, &info, r);
    if (!r->text)
        return print_table(plan, &info);
    fputs(het_plan_text(plan), stdout);
    return fflush(stdout) ? failure("cannot write the result") : STATUS_DONE;
}

int command_plan(int argc, char **argv)
{
    request r = { 0 };
    options o;
    options_begin(&o, "plan", "MODEL", "Print where each layer runs, what it costs, and why.");
    options_choice(&o, "phase", &r.phase, "decode|prefill", "Kind of step (decode)");
    options_int(&o, "tokens", 'n', &r.tokens, 1, 1 << 20, "N", "Tokens per step (1, prefill 512)");
    options_int(&o, "context", 'c', &r.context, 0, INT32_MAX, "N", "Positions before it (0)");
    options_flag(&o, "measure", 'm', &r.measure, "Measure the devices first");
    options_flag(&o, "text", 0, &r.text, "The plan's own text form, one line per node");
    options_text(&o, "devices", 0, &r.settings.devices, "LIST", "Backends, comma-separated (all)");
    options_int(&o, "threads", 't', &r.settings.threads, 1, 4096, "N", "Threads (one per core)");
    settings_model(&o, &r.settings);
    settings_output(&o, &r.settings);
    const char *path = NULL;
    int status = options_parse(&o, argc, argv, &path);
    engine e = { 0 };
    if (status == STATUS_GO)
        status = engine_model(&e, &r.settings, path, 0);
    if (status == STATUS_GO) {
        het_plan_options p = HET_PLAN_OPTIONS_INIT;
        p.phase = (uint32_t)r.phase;
        p.token_count = r.tokens;
        p.context_count = r.context;
        p.threads = (uint32_t)r.settings.threads;
        p.measure = r.measure;
        p.devices = e.selected;
        het_plan *plan = NULL;
        het_error err = HET_ERROR_INIT;
        const het_status made = het_plan_make(e.model, &p, &plan, &err);
        status = made ? failure_of(made, &err) : print_plan(plan, &r);
        het_plan_destroy(plan);
    }
    engine_close(&e);
    return status;
}
