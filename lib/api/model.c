/* SPDX-License-Identifier: Apache-2.0 */
/* Public functions of model.h. */
#include <stdlib.h>
#include <string.h>

#include "lib/api/handles.h"
#include "lib/base/error.h"
#include "lib/base/options.h"

void het__model_retain(het_model *model)
{
    atomic_fetch_add_explicit(&model->refs, 1, memory_order_relaxed);
}

void het__model_release(het_model *model)
{
    if (!model || atomic_fetch_sub_explicit(&model->refs, 1, memory_order_acq_rel) != 1)
        return;
    het_context *context = model->context;
    het__tokenizer_destroy(model->tokenizer);
    het__arena_finish(&model->arena);
    het__unmap_file(&model->mapping);
    het__free(&context->mem, model);
    het__context_release(context);
}

static void retain_owner(void *model)
{
    het__model_retain(model);
}

static void release_owner(void *model)
{
    het__model_release(model);
}

/* ---- figures ---- */

static bool starts_with(const char *text, const char *prefix)
{
    return strncmp(text, prefix, strlen(prefix)) == 0;
}

/* Block number of "blk.<n>.…", or -1; rest receives what follows. */
static int32_t block_of(const char *name, const char **rest)
{
    *rest = name;
    if (!starts_with(name, "blk."))
        return -1;
    char *end;
    const long n = strtol(name + 4, &end, 10);
    if (end == name + 4 || *end != '.' || n < 0 || n > INT32_MAX)
        return -1;
    *rest = end + 1;
    return (int32_t)n;
}

static const char *module_of(const char *name)
{
    const char *rest;
    block_of(name, &rest);
    if (strstr(rest, "_norm") || starts_with(rest, "norm"))
        return "norm";
    if (strstr(rest, "_exps") || starts_with(rest, "ffn_gate_inp"))
        return "moe";
    if (starts_with(rest, "attn_"))
        return "attention";
    if (starts_with(rest, "ffn_"))
        return "ffn";
    if (starts_with(rest, "token_embd"))
        return "embedding";
    return starts_with(rest, "output.") ? "head" : "other";
}

static uint64_t elements_of(const het__gguf_tensor *t)
{
    uint64_t n = 1;
    for (uint32_t i = 0; i < t->rank; i++)
        n *= (uint64_t)t->extent[i];
    return n;
}

/* Weights that one decoded token reads: all but the rows of the input table (unless the table is
 * the head as well), and of the experts only those that are used. */
static void count_parameters(const het_model *m, het_model_info *info)
{
    const bool tied = het__gguf_tensor_find(&m->gguf, "output.weight") == NULL;
    const het__lm_config *c = &m->config;
    for (size_t i = 0; i < m->gguf.tensor_count; i++) {
        const het__gguf_tensor *t = &m->gguf.tensors[i];
        const uint64_t n = elements_of(t);
        info->parameter_count += n;
        info->weight_bytes += t->bytes;
        if (strcmp(t->name, "token_embd.weight") == 0 && !tied)
            continue;
        if (strstr(t->name, "_exps") && c->experts > 0)
            info->active_count += n / (uint64_t)c->experts * (uint64_t)c->experts_used;
        else
            info->active_count += n;
    }
}

static void copy_span(char *target, size_t bytes, const het__gguf *gguf, const char *key)
{
    het__span s;
    if (!het__gguf_string(gguf, key, &s))
        return;
    size_t n = s.bytes < bytes - 1 ? s.bytes : bytes - 1;
    while (n > 0 && n < s.bytes && ((unsigned char)s.data[n] & 0xc0) == 0x80)
        n--; /* not in the middle of a character */
    memcpy(target, s.data, n);
    target[n] = '\0';
}

static void fill_info(het_model *m)
{
    const het__lm_config *c = &m->config;
    het_model_info *info = &m->info;
    info->struct_size = sizeof *info;
    memcpy(info->format, "gguf", 5);
    copy_span(info->architecture, sizeof info->architecture, &m->gguf, "general.architecture");
    copy_span(info->name, sizeof info->name, &m->gguf, "general.name");
    info->layer_count = (uint32_t)c->layers;
    info->context_max = c->context;
    info->embedding_size = c->width;
    info->vocabulary_size = c->vocabulary;
    info->head_count = (uint32_t)c->heads;
    info->kv_head_count = (uint32_t)c->kv_heads;
    info->expert_count = (uint32_t)c->experts;
    info->expert_used_count = (uint32_t)c->experts_used;
    info->kv_bytes_per_token = (uint64_t)c->layers * (uint64_t)c->kv_heads *
                               (uint64_t)c->head_size * 4;
    count_parameters(m, info);
}

/* ---- load ---- */

static het_status report(const het_model_options *o, double fraction, const char *what,
                         het_error *err)
{
    if (o->progress && o->progress(o->progress_user, fraction, what) != 0)
        return het__fail(err, HET_E_CANCELLED, "cancelled while loading the %s", what);
    return HET_OK;
}

static het_status render_metadata(het_model *m, het_error *err)
{
    m->values = het__arena_zero(&m->arena, m->gguf.entry_count, sizeof *m->values);
    if (!m->values)
        return het__fail_nomem(err, "the metadata");
    for (size_t i = 0; i < m->gguf.entry_count; i++) {
        m->values[i] = het__gguf_render(&m->arena, &m->gguf.entries[i]);
        if (!m->values[i])
            return het__fail_nomem(err, "the metadata");
    }
    return HET_OK;
}

/* A weight, or a range of its rows ("name[first:last]"). */
static bool graph_uses(const het__graph *graph, const char *name)
{
    const size_t n = strlen(name);
    for (uint32_t i = 0; i < graph->value_count; i++) {
        const het__value *v = &graph->values[i];
        if (v->kind == HET__VALUE_CONST && strncmp(v->name, name, n) == 0 &&
            (v->name[n] == '\0' || v->name[n] == '['))
            return true;
    }
    return false;
}

/* A weight of a block that the family's graph leaves out would be a wrong answer, not a warning. */
static het_status check_all_used(const het_model *m, const het__graph *graph, het_error *err)
{
    for (size_t i = 0; i < m->gguf.tensor_count; i++) {
        const char *name = m->gguf.tensors[i].name;
        if (strncmp(name, "blk.", 4) == 0 && !graph_uses(graph, name))
            return het__fail(err, HET_E_UNSUPPORTED,
                             "tensor %s has no part in the graph of family %s", name,
                             m->config.architecture);
    }
    return HET_OK;
}

/* Building the graph once proves that every tensor is there and fits. */
static het_status prove_graph(het_model *m, het_error *err)
{
    het__graph graph;
    uint32_t unfused;
    het_status s = het__model_graph(m, HET_DTYPE_F16, &graph, &unfused, err);
    if (s != HET_OK)
        return s;
    s = check_all_used(m, &graph, err);
    het__graph_finish(&graph);
    return s;
}

/* A table may be padded, but every token needs a row. */
static het_status check_vocabulary(const het_model *m, het_error *err)
{
    het_tokenizer_info info = { .struct_size = sizeof info };
    if (!m->tokenizer || het_tokenizer_get_info(m->tokenizer, &info) != HET_OK ||
        info.token_count <= m->config.vocabulary)
        return HET_OK;
    return het__fail(err, HET_E_FORMAT, "the vocabulary has %d tokens, token_embd.weight %lld rows",
                     info.token_count, (long long)m->config.vocabulary);
}

static het_status read_file(het_model *m, const void *data, size_t bytes,
                            const het_model_options *o, het_error *err)
{
    het_status s = report(o, 0.0, "metadata", err);
    if (s == HET_OK)
        s = het__gguf_open(&m->gguf, &m->arena, data, bytes, err);
    return s == HET_OK ? render_metadata(m, err) : s;
}

static het_status read_tokenizer(het_model *m, const het_model_options *o, het_error *err)
{
    het_status s = report(o, 0.2, "tokenizer", err);
    if (s == HET_OK)
        s = het__gguf_tokenizer(&m->gguf, &m->context->mem, &m->tokenizer, err);
    return s;
}

static het_status read_graph(het_model *m, const het_model_options *o, het_error *err)
{
    het_status s = check_vocabulary(m, err);
    if (s == HET_OK)
        s = report(o, 0.9, "graph", err);
    return s == HET_OK ? prove_graph(m, err) : s;
}

static het_status read_model(het_model *m, const void *data, size_t bytes,
                             const het_model_options *o, het_error *err)
{
    /* Without a graph, what could be read of the configuration is shown. */
    const bool whole = !(o->flags & (HET_MODEL_INSPECT_ONLY | HET_MODEL_TOKENIZER_ONLY));
    het_status s = read_file(m, data, bytes, o, err);
    if (s != HET_OK)
        return s;
    s = het__gguf_config(&m->gguf, &m->config, &m->family, whole ? err : NULL);
    if (!whole) {
        m->family = NULL;
        s = HET_OK;
    }
    if (s == HET_OK && !(o->flags & HET_MODEL_INSPECT_ONLY))
        s = read_tokenizer(m, o, err);
    if (s == HET_OK && whole)
        s = read_graph(m, o, err);
    if (s != HET_OK)
        return s;
    if (m->tokenizer)
        het__tokenizer_set_owner(m->tokenizer, m, retain_owner, release_owner);
    fill_info(m);
    return report(o, 1.0, "model", err);
}

static het_status check_options(const het_model_options *options, het_model_options *o,
                                het_error *err)
{
    const uint64_t known = HET_MODEL_INSPECT_ONLY | HET_MODEL_TOKENIZER_ONLY;
    const het_status s = het__options_read(o, sizeof *o, options, "het_model_options", err);
    if (s == HET_OK && ((o->flags & ~known) != 0 || o->reserved))
        return het__fail(err, HET_E_VERSION, "het_model_options has an unknown flag");
    return s;
}

/* Takes over the mapping (its data may be NULL). */
static het_status create_model(het_context *context, het__mapping mapping, const void *data,
                               size_t bytes, const het_model_options *o, het_model **model,
                               het_error *err)
{
    het_model *m = het__alloc_zero(&context->mem, 1, sizeof *m);
    if (!m) {
        het__unmap_file(&mapping);
        return het__fail_nomem(err, "a model");
    }
    atomic_init(&m->refs, 1);
    m->context = context;
    m->mapping = mapping;
    het__context_retain(context);
    het__arena_init(&m->arena, &context->mem);
    const het_status s = read_model(m, data, bytes, o, err);
    if (s != HET_OK) {
        het__model_release(m);
        return s;
    }
    het__log_line(&context->log, HET_LOG_INFO, "model", "%s, %llu parameters, %u layers",
                  m->info.architecture, (unsigned long long)m->info.parameter_count,
                  m->info.layer_count);
    *model = m;
    return HET_OK;
}

het_status het_model_load(het_context *context, const char *path, const het_model_options *options,
                          het_model **model, het_error *err)
{
    het_model_options o;
    het__mapping mapping = { 0 };
    HET_REQUIRE(model != NULL, err);
    *model = NULL;
    HET_REQUIRE(context != NULL && path != NULL, err);
    het_status s = check_options(options, &o, err);
    if (s == HET_OK)
        s = het__map_file(path, &mapping, err);
    if (s == HET_OK)
        s = create_model(context, mapping, mapping.data, mapping.bytes, &o, model, err);
    return s;
}

het_status het_model_load_memory(het_context *context, const void *data, size_t size_bytes,
                                 const het_model_options *options, het_model **model,
                                 het_error *err)
{
    het_model_options o;
    HET_REQUIRE(model != NULL, err);
    *model = NULL;
    HET_REQUIRE(context != NULL && data != NULL && (uintptr_t)data % 32 == 0, err);
    const het_status s = check_options(options, &o, err);
    if (s != HET_OK)
        return s;
    return create_model(context, (het__mapping){ 0 }, data, size_bytes, &o, model, err);
}

het_status het__model_graph(const het_model *model, het_dtype kv_dtype, het__graph *graph,
                            uint32_t *unfused, het_error *err)
{
    const het__lm_source source = het__gguf_source(&model->gguf);
    het_status s = het__lm_graph(model->family, &model->config, &source, kv_dtype,
                                 &model->context->mem, graph, err);
    if (s != HET_OK)
        return s;
    *unfused = graph->node_count;
    s = het__passes_run(graph, &(het__pass_options){ HET__PASSES_ALL, 0 }, NULL, err);
    if (s != HET_OK)
        het__graph_finish(graph);
    return s;
}

/* ---- use ---- */

het_status het_model_get_info(const het_model *model, het_model_info *info)
{
    return het__result_write(info, &model->info, sizeof *info);
}

size_t het_model_metadata_count(const het_model *model)
{
    return model->gguf.entry_count;
}

het_status het_model_metadata_at(const het_model *model, size_t index, het_metadata *entry)
{
    if (index >= model->gguf.entry_count)
        return HET_E_INVALID;
    const het__gguf_entry *e = &model->gguf.entries[index];
    const het_metadata out = { sizeof out, 0, e->key, het__gguf_type_name(e),
                               model->values[index] };
    return het__result_write(entry, &out, sizeof out);
}

size_t het_model_weight_count(const het_model *model)
{
    return model->gguf.tensor_count;
}

het_status het_model_weight_at(const het_model *model, size_t index, het_weight *weight)
{
    if (index >= model->gguf.tensor_count)
        return HET_E_INVALID;
    const het__gguf_tensor *t = &model->gguf.tensors[index];
    const char *rest;
    het_weight out = { .struct_size = sizeof out, .layer = block_of(t->name, &rest),
                       .name = t->name, .module = module_of(t->name),
                       .desc = { sizeof out.desc, t->dtype, t->rank, 0, { 0 } },
                       .size_bytes = t->bytes };
    memcpy(out.desc.extent, t->extent, sizeof out.desc.extent);
    return het__result_write(weight, &out, sizeof out);
}

const het_tokenizer *het_model_tokenizer(const het_model *model)
{
    return model->tokenizer;
}

void het_model_destroy(het_model *model)
{
    het__model_release(model);
}
