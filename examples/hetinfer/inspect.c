/* SPDX-License-Identifier: Apache-2.0 */
/* hetinfer inspect: what is in a model file, from its header alone: no weight is read. */
#include "commands.h"
#include "common.h"
#include "inspect_graph.h"

#include <stdio.h>
#include <string.h>

/* In graph models a kind is an operation; kinds beyond these are counted together. */
#define MODULE_MAX 48

typedef struct request {
    bool all, weights;
    settings settings;
} request;

/* Weights of one kind. */
typedef struct module {
    const char *name; /* borrowed from the model */
    uint64_t count, parameters, bytes;
} module;

typedef struct summary {
    module modules[MODULE_MAX];
    size_t module_count;
    uint64_t bytes; /* of all modules */
} summary;

static uint64_t elements(const het_tensor_desc *desc)
{
    uint64_t n = 1;
    for (uint32_t i = 0; i < desc->rank && i < HET_RANK_MAX; i++)
        n *= (uint64_t)desc->extent[i];
    return n;
}

static void add_weight(summary *s, const het_weight *w)
{
    size_t i = 0;
    while (i < s->module_count && strcmp(s->modules[i].name, w->module) != 0)
        i++;
    if (i == MODULE_MAX)
        s->modules[--i].name = "other";
    if (i == s->module_count)
        s->modules[s->module_count++] = (module){ .name = w->module };
    s->modules[i].count++;
    s->modules[i].parameters += elements(&w->desc);
    s->modules[i].bytes += w->size_bytes;
    s->bytes += w->size_bytes;
}

static int weight_at(const engine *e, size_t index, het_weight *w)
{
    memset(w, 0, sizeof *w);
    w->struct_size = sizeof *w;
    const het_status status = het_model_weight_at(e->model, index, w);
    return status ? failure("weight %zu: %s", index, het_status_name(status)) : STATUS_GO;
}

static int summarise(const engine *e, summary *s)
{
    int status = STATUS_GO;
    const size_t count = het_model_weight_count(e->model);
    for (size_t i = 0; status == STATUS_GO && i < count; i++) {
        het_weight w;
        status = weight_at(e, i, &w);
        if (status == STATUS_GO)
            add_weight(s, &w);
    }
    if (status == STATUS_GO && s->bytes != e->info.weight_bytes)
        return failure("weights add up to %llu bytes, the file says %llu",
                       (unsigned long long)s->bytes, (unsigned long long)e->info.weight_bytes);
    return status;
}

static void print_language(const het_model_info *m)
{
    char a[32], b[32];
    printf("layers        %u   width %lld   vocabulary %lld   context %lld\n", m->layer_count,
           (long long)m->embedding_size, (long long)m->vocabulary_size, (long long)m->context_max);
    printf("heads         %u, %u for keys and values\n", m->head_count, m->kv_head_count);
    if (m->expert_count)
        printf("experts       %u, %u per token\n", m->expert_count, m->expert_used_count);
    printf("parameters    %.3f M, %.3f M read per token\n", (double)m->parameter_count * 1e-6,
           (double)m->active_count * 1e-6);
    format_bytes((double)m->weight_bytes, a);
    format_bytes((double)m->kv_bytes_per_token, b);
    printf("weights       %s   keys and values %s per position (f16)\n", a, b);
}

static int print_facts(const engine *e)
{
    const het_model_info *m = &e->info;
    char text[32];
    fputs("name          ", stdout);
    print_safe(m->name[0] ? m->name : "-", 0);
    printf("\nformat        %s, architecture ", m->format);
    print_safe(m->architecture, 0);
    putchar('\n');
    if (strcmp(m->format, "onnx") != 0) {
        print_language(m);
        return STATUS_GO;
    }
    printf("parameters    %.3f M, %s\n", (double)m->parameter_count * 1e-6,
           format_bytes((double)m->weight_bytes, text));
    return print_graph(e);
}

static void print_modules(const summary *s)
{
    printf("\n%-12s %8s %16s %16s %7s\n", "module", "weights", "parameters", "bytes", "share");
    for (size_t i = 0; i < s->module_count; i++) {
        const module *m = &s->modules[i];
        print_safe(m->name, 12);
        printf(" %8llu %16llu %16llu %6.2f %%\n", (unsigned long long)m->count,
               (unsigned long long)m->parameters, (unsigned long long)m->bytes,
               s->bytes ? 100.0 * (double)m->bytes / (double)s->bytes : 0.0);
    }
    printf("%-12s %8s %16s %16llu\n", "total", "", "", (unsigned long long)s->bytes);
}

static void describe_shape(const het_tensor_desc *desc, char *text, size_t bytes)
{
    size_t at = 0;
    text[0] = '\0';
    for (uint32_t i = 0; i < desc->rank && i < HET_RANK_MAX && at < bytes; i++)
        at += (size_t)snprintf(text + at, bytes - at, i ? " x %lld" : "%lld",
                               (long long)desc->extent[i]);
}

static int print_weights(const engine *e)
{
    const size_t count = het_model_weight_count(e->model);
    puts("");
    for (size_t i = 0; i < count; i++) {
        het_weight w;
        const int status = weight_at(e, i, &w);
        if (status != STATUS_GO)
            return status;
        char shape[200];
        describe_shape(&w.desc, shape, sizeof shape);
        print_safe(w.name, 32);
        putchar(' ');
        print_safe(w.module, 10);
        printf(" %-7s %14llu  %s\n", het_dtype_name((het_dtype)w.desc.dtype),
               (unsigned long long)w.size_bytes, shape);
    }
    return STATUS_GO;
}

static int metadata_at(const engine *e, size_t index, het_metadata *m)
{
    memset(m, 0, sizeof *m);
    m->struct_size = sizeof *m;
    const het_status status = het_model_metadata_at(e->model, index, m);
    return status ? failure("metadata %zu: %s", index, het_status_name(status)) : STATUS_GO;
}

static int print_metadata(const engine *e)
{
    const size_t count = het_model_metadata_count(e->model);
    puts("");
    for (size_t i = 0; i < count; i++) {
        het_metadata m;
        const int status = metadata_at(e, i, &m);
        if (status != STATUS_GO)
            return status;
        if (is_operation(&m, NULL))
            continue;
        print_safe(m.key, 44);
        printf(" %-18s ", m.type);
        print_safe(m.value, 0);
        putchar('\n');
    }
    return STATUS_GO;
}

static json_t *json_facts(const het_model_info *m)
{
    json_t *facts = json_pack(
        "{s:s, s:o, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I}", "format",
        m->format, "architecture", json_text(m->architecture, strlen(m->architecture)),
        "layer_count", (json_int_t)m->layer_count, "parameter_count",
        (json_int_t)m->parameter_count, "active_count", (json_int_t)m->active_count,
        "weight_bytes", (json_int_t)m->weight_bytes, "kv_bytes_per_token",
        (json_int_t)m->kv_bytes_per_token, "context_max", (json_int_t)m->context_max,
        "embedding_size", (json_int_t)m->embedding_size, "vocabulary_size",
        (json_int_t)m->vocabulary_size, "head_count", (json_int_t)m->head_count, "kv_head_count",
        (json_int_t)m->kv_head_count, "expert_count", (json_int_t)m->expert_count,
        "expert_used_count", (json_int_t)m->expert_used_count);
    json_object_set_new(facts, "name", json_text(m->name, strlen(m->name)));
    return facts;
}

static json_t *json_modules(const summary *s)
{
    json_t *list = json_array();
    for (size_t i = 0; i < s->module_count; i++) {
        const module *m = &s->modules[i];
        json_array_append_new(list, json_pack("{s:o, s:I, s:I, s:I}", "module",
                                              json_text(m->name, strlen(m->name)), "weights",
                                              (json_int_t)m->count, "parameters",
                                              (json_int_t)m->parameters, "bytes",
                                              (json_int_t)m->bytes));
    }
    return list;
}

static json_t *json_weight(const het_weight *w)
{
    json_t *shape = json_array();
    for (uint32_t i = 0; i < w->desc.rank && i < HET_RANK_MAX; i++)
        json_array_append_new(shape, json_integer((json_int_t)w->desc.extent[i]));
    json_t *weight = json_pack("{s:i, s:o, s:s, s:I, s:o}", "layer", (int)w->layer, "module",
                               json_text(w->module, strlen(w->module)), "dtype",
                               het_dtype_name((het_dtype)w->desc.dtype), "bytes",
                               (json_int_t)w->size_bytes, "shape", shape);
    json_object_set_new(weight, "name", json_text(w->name, strlen(w->name)));
    return weight;
}

static int print_json(const engine *e, const request *r, const summary *s)
{
    json_t *root = json_begin("inspect");
    json_object_set_new(root, "model", json_facts(&e->info));
    json_object_set_new(root, "modules", json_modules(s));
    int status = strcmp(e->info.format, "onnx") == 0 ? json_graph(e, root) : STATUS_GO;
    if (status == STATUS_GO && r->all) {
        json_t *list = json_array();
        for (size_t i = 0; status == STATUS_GO && i < het_model_metadata_count(e->model); i++) {
            het_metadata m;
            status = metadata_at(e, i, &m);
            if (status == STATUS_GO && !is_operation(&m, NULL))
                json_array_append_new(list, json_pack("{s:o, s:s, s:o}", "key",
                                                      json_text(m.key, strlen(m.key)), "type",
                                                      m.type, "value",
                                                      json_text(m.value, strlen(m.value))));
        }
        json_object_set_new(root, "metadata", list);
    }
    if (status == STATUS_GO && r->weights) {
        json_t *list = json_array();
        for (size_t i = 0; status == STATUS_GO && i < het_model_weight_count(e->model); i++) {
            het_weight w;
            status = weight_at(e, i, &w);
            if (status == STATUS_GO)
                json_array_append_new(list, json_weight(&w));
        }
        json_object_set_new(root, "weights", list);
    }
    if (status == STATUS_GO)
        return json_end(root);
    json_decref(root);
    return status;
}

static int print_table(const engine *e, const request *r, const summary *s)
{
    int status = print_facts(e);
    if (status != STATUS_GO)
        return status;
    print_modules(s);
    status = r->all ? print_metadata(e) : STATUS_GO;
    if (status == STATUS_GO && r->weights)
        status = print_weights(e);
    if (status == STATUS_GO)
        status = fflush(stdout) ? failure("cannot write the result") : STATUS_DONE;
    return status;
}

int command_inspect(int argc, char **argv)
{
    request r = { 0 };
    options o;
    options_begin(&o, "inspect", "MODEL",
                  "Print what is in a model file, or what a config.json asks for.");
    options_flag(&o, "all", 'a', &r.all, "All metadata");
    options_flag(&o, "weights", 'w', &r.weights, "All weights: name, kind, type, bytes, extents");
    settings_model(&o, &r.settings);
    settings_output(&o, &r.settings);
    const char *path = NULL;
    int status = options_parse(&o, argc, argv, &path);
    engine e = { 0 };
    summary s = { 0 };
    if (status == STATUS_GO)
        status = engine_model(&e, &r.settings, path, HET_MODEL_INSPECT_ONLY);
    if (status == STATUS_GO)
        status = summarise(&e, &s);
    if (status == STATUS_GO)
        status = r.settings.json ? print_json(&e, &r, &s) : print_table(&e, &r, &s);
    engine_close(&e);
    return status;
}
