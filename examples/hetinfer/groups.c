/* SPDX-License-Identifier: Apache-2.0 */
/* hetinfer groups: which operations of a model would run as one kernel, and what that saves. Runs
 * nothing of the model. */
#include "commands.h"
#include "common.h"
#include "port.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct request {
    int rule; /* het_group_rule */
    int64_t max_ops, max_bytes, near_bytes, tokens, context;
    int phase, kv;
    bool recognise, is_language;
    texts shapes;
    settings settings;
} request;

static const char *const rules[] = { "greedy", "patterns", "search" };
static const char *const phases[] = { "decode", "prefill" };

/* ---- shapes ---- */

static int read_extents(const char *option, const char *text, het_tensor_desc *desc)
{
    desc->rank = 0;
    for (const char *at = text; *text;) {
        char *end = NULL;
        errno = 0;
        const long long extent = strtoll(at, &end, 10);
        if (end == at || errno || extent < 0 || (*end && *end != ',') ||
            desc->rank == HET_RANK_MAX)
            return usage_error("groups", "--shape wants NAME=1,3,224,224, not '%s'", option);
        desc->extent[desc->rank++] = extent;
        if (!*end)
            break;
        at = end + 1;
    }
    return STATUS_GO;
}

/* "NAME=1,3,224,224": extents of the input of that name. */
static int take_shape(const het_model *model, const char *option, het_tensor_desc *inputs)
{
    for (size_t i = 0; i < port_count(model, false); i++) {
        het_port port;
        const int status = port_at(model, false, i, &port);
        if (status != STATUS_GO)
            return status;
        const size_t n = strlen(port.name);
        if (strncmp(option, port.name, n) == 0 && option[n] == '=')
            return read_extents(option, option + n + 1, &inputs[i]);
    }
    return failure("--shape %s: the model has no input of that name; see 'hetinfer inspect'",
                   option);
}

/* What --shape does not name is as the model has it, with 1 where that is not fixed. For free(). */
static int describe_inputs(const het_model *model, const texts *shapes, het_tensor_desc **result)
{
    const size_t count = port_count(model, false);
    het_tensor_desc *inputs = calloc(count ? count : 1, sizeof *inputs);
    int status = inputs ? STATUS_GO : failure("out of memory");
    for (size_t i = 0; status == STATUS_GO && i < count; i++) {
        het_port port;
        status = port_at(model, false, i, &port);
        if (status != STATUS_GO)
            break;
        inputs[i] = port.desc;
        for (uint32_t k = 0; k < port.desc.rank; k++)
            inputs[i].extent[k] = port.desc.extent[k] < 0 ? 1 : port.desc.extent[k];
    }
    for (size_t i = 0; status == STATUS_GO && i < shapes->count; i++)
        status = take_shape(model, shapes->at[i], inputs);
    *result = inputs;
    return status;
}

/* ---- output ---- */

static double share(double part, double whole)
{
    return whole > 0 ? 100 * part / whole : 0;
}

static int group_at(const het_groups *groups, uint32_t index, het_group *group)
{
    memset(group, 0, sizeof *group);
    group->struct_size = sizeof *group;
    const het_status status = het_groups_at(groups, index, group);
    return status ? failure("group %u: %s", index, het_status_name(status)) : STATUS_GO;
}

static const char *basis_of(const het_groups_info *t)
{
    return figures_basis(false, t->is_calibrated != 0);
}

static void print_totals(const het_groups_info *t, bool is_language)
{
    const double saved = t->unfused_bytes - t->traffic_bytes;
    printf("\n%u operations in %u groups", t->node_count, t->group_count);
    if (is_language)
        printf(", as sessions fuse them (%s)\n", phases[t->phase]);
    else
        printf(" (greedy %u, patterns %u)%s\n", t->greedy_count, t->patterns_count,
               t->is_proven ? ", none cheaper" : "");
    printf("traffic: %.1f MB alone, %.1f MB in groups: %.1f MB saved (%.1f %%)\n",
           t->unfused_bytes * 1e-6, t->traffic_bytes * 1e-6, saved * 1e-6,
           share(saved, t->unfused_bytes));
    printf("kept inside, each value once: %.1f MB, %.1f %% of what is left without them\n",
           t->inner_bytes * 1e-6, share(t->inner_bytes, t->unfused_bytes - t->inner_bytes));
    if (t->spelled_count != t->node_count)
        printf("before recognition: %u operations, %.1f MB: %.1f %% saved in all\n",
               t->spelled_count, t->spelled_bytes * 1e-6,
               share(t->spelled_bytes - t->traffic_bytes, t->spelled_bytes));
    printf("expected: %.3f ms alone, %.3f ms in groups", t->unfused_ns * 1e-6,
           t->predicted_ns * 1e-6);
    if (!is_language)
        printf(", greedy %.3f ms, patterns %.3f ms", t->greedy_ns * 1e-6, t->patterns_ns * 1e-6);
    printf(" (figures: %s, %s)\n", source_name(t->figures_source), basis_of(t));
}

static int print_table(const het_groups *groups, const het_groups_info *t, const request *r)
{
    printf("%5s %10s %10s %7s %8s  %s\n", "group", "MB alone", "MB", "saved", "ms", "operations");
    for (uint32_t i = 0; i < t->group_count; i++) {
        het_group g;
        const int status = group_at(groups, i, &g);
        if (status != STATUS_GO)
            return status;
        printf("%5u %10.3f %10.3f %5.1f %% %8.4f  ", i, g.unfused_bytes * 1e-6,
               g.traffic_bytes * 1e-6, share(g.unfused_bytes - g.traffic_bytes, g.unfused_bytes),
               g.predicted_ns * 1e-6);
        print_safe(g.operations, 0);
        putchar('\n');
    }
    print_totals(t, r->is_language);
    return fflush(stdout) ? failure("cannot write the result") : STATUS_DONE;
}

static json_t *json_group(const het_group *g)
{
    json_t *names = json_array();
    for (uint32_t i = 0; i < g->node_count; i++)
        json_array_append_new(names, json_text(g->names[i], strlen(g->names[i])));
    return json_pack("{s:o, s:o, s:f, s:f, s:f, s:f}", "operations",
                     json_text(g->operations, strlen(g->operations)), "nodes", names,
                     "predicted_ns", g->predicted_ns, "unfused_bytes", g->unfused_bytes,
                     "traffic_bytes", g->traffic_bytes, "inner_bytes", g->inner_bytes);
}

static int print_json(const het_groups *groups, const het_groups_info *t, const request *r)
{
    json_t *root = json_begin("groups"), *list = json_array();
    json_t *totals = json_pack(
        "{s:I, s:I, s:I, s:I, s:I, s:s, s:b, s:f, s:f, s:f, s:f, s:f, s:f, s:f, s:f}",
        "group_count", (json_int_t)t->group_count, "node_count", (json_int_t)t->node_count,
        "spelled_count", (json_int_t)t->spelled_count, "greedy_count",
        (json_int_t)t->greedy_count, "patterns_count", (json_int_t)t->patterns_count,
        "figures_source", source_name(t->figures_source), "proven", (int)t->is_proven,
        "spelled_bytes", t->spelled_bytes, "unfused_bytes", t->unfused_bytes, "traffic_bytes",
        t->traffic_bytes, "inner_bytes", t->inner_bytes, "unfused_ns", t->unfused_ns,
        "predicted_ns", t->predicted_ns, "greedy_ns", t->greedy_ns, "patterns_ns",
        t->patterns_ns);
    int status = STATUS_GO;
    for (uint32_t i = 0; status == STATUS_GO && i < t->group_count; i++) {
        het_group g;
        status = group_at(groups, i, &g);
        if (status == STATUS_GO)
            json_array_append_new(list, json_group(&g));
    }
    json_object_set_new(totals, "figures_basis", json_string(basis_of(t)));
    json_object_set_new(root, "rule", json_string(r->is_language ? "fused" : rules[r->rule]));
    json_object_set_new(root, "phase", r->is_language ? json_string(phases[t->phase])
                                                      : json_null());
    json_object_set_new(root, "totals", totals);
    json_object_set_new(root, "groups", list);
    if (status == STATUS_GO)
        return json_end(root);
    json_decref(root);
    return status;
}

static int print_groups(const het_groups *groups, const request *r)
{
    het_groups_info info = { .struct_size = sizeof info };
    const het_status status = het_groups_get_info(groups, &info);
    if (status)
        return failure("%s", het_status_name(status));
    return r->settings.json ? print_json(groups, &info, r) : print_table(groups, &info, r);
}

/* ---- command ---- */

static int make_groups(const het_model *model, const request *r)
{
    het_groups_options o = HET_GROUPS_OPTIONS_INIT;
    static const uint32_t kv_types[] = { HET_DTYPE_F16, HET_DTYPE_F32, HET_DTYPE_Q8_0 };
    het_tensor_desc *inputs = NULL;
    int status = STATUS_GO;
    if (r->is_language && (r->shapes.count || r->rule || r->recognise || r->max_ops ||
                           r->max_bytes || r->near_bytes))
        return usage_error("groups", "a language model's groups are what its sessions fuse: only "
                           "--phase, --tokens, --context and --kv are for it");
    if (r->shapes.count)
        status = describe_inputs(model, &r->shapes, &inputs);
    o.rule = (uint32_t)r->rule;
    o.flags = r->recognise ? HET_GROUPS_RECOGNISE : 0;
    o.operation_count_max = (uint32_t)r->max_ops;
    o.touched_bytes_max = (uint64_t)r->max_bytes;
    o.near_bytes = (uint64_t)r->near_bytes;
    o.inputs = inputs;
    o.input_count = inputs ? port_count(model, false) : 0;
    o.phase = (uint32_t)r->phase;
    o.token_count = r->tokens;
    o.context_count = r->context;
    o.kv_dtype = kv_types[r->kv];
    if (status == STATUS_GO) {
        het_groups *groups = NULL;
        het_error err = HET_ERROR_INIT;
        const het_status made = het_groups_make(model, &o, &groups, &err);
        status = made ? failure_of(made, &err) : print_groups(groups, r);
        het_groups_destroy(groups);
    }
    free(inputs);
    return status;
}

int command_groups(int argc, char **argv)
{
    request r = { 0 };
    options o;
    options_begin(&o, "groups", "MODEL",
                  "Print which operations of a model would run as one kernel.");
    options_choice(&o, "rule", &r.rule, "greedy|patterns|search", "How groups are made (greedy)");
    options_flag(&o, "recognise", 0, &r.recognise, "Norms and attention as one operation each");
    options_int(&o, "max-ops", 0, &r.max_ops, 1, 1 << 20, "N", "Operations of a group (no limit)");
    options_int(&o, "max-bytes", 0, &r.max_bytes, 1, INT64_C(1) << 50, "N",
                "Bytes that a group touches (no limit)");
    options_int(&o, "near-bytes", 0, &r.near_bytes, 1, INT64_C(1) << 50, "N",
                "Near memory (1048576)");
    options_texts(&o, "shape", &r.shapes, "NAME=N,N,...",
                  "Extents of an input (1 where not fixed)");
    options_choice(&o, "phase", &r.phase, "decode|prefill", "Kind of step (decode)");
    options_int(&o, "tokens", 'n', &r.tokens, 1, 1 << 20, "N", "Tokens per step (1, prefill 512)");
    options_int(&o, "context", 'c', &r.context, 0, INT32_MAX, "N", "Positions before it (0)");
    options_choice(&o, "kv", &r.kv, "f16|f32|q8_0", "Type of cached keys and values (f16)");
    settings_model(&o, &r.settings);
    settings_output(&o, &r.settings);
    const char *path = NULL;
    int status = options_parse(&o, argc, argv, &path);
    engine e = { 0 };
    if (status == STATUS_GO)
        status = engine_model(&e, &r.settings, path, 0);
    r.is_language = strcmp(e.info.format, "onnx") != 0;
    if (status == STATUS_GO)
        status = make_groups(e.model, &r);
    engine_close(&e);
    return status;
}
