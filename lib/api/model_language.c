/* SPDX-License-Identifier: Apache-2.0 */
/* Language models: GGUF files with their tokenizer, Hugging Face folders, and configurations alone.
 * The graph is built
 * once when the model is loaded, which proves that all weights are there and fit (or says which
 * there would be), and again for each session. */
#include <stdlib.h>
#include <string.h>

#include "lib/api/quantize_load.h"
#include "lib/base/dtype.h"
#include "lib/base/error.h"
#include "lib/import/hf_tokenizer.h"
#include "lib/passes/layers.h"

/* Weights of a package that are unpacked when it is loaded. */
#define SMALL_BYTES 4096

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

/* The elements of a tensor that one decoded token reads: all but those of tables of which a row is
 * read, and of the experts only those that are used. */
static uint64_t active_of(const het__lm_config *c, const het__gguf_tensor *t)
{
    const uint64_t n = elements_of(t);
    if (strcmp(t->name, "token_embd.weight") == 0)
        return c->tied ? n : 0; /* a tied table is the head as well */
    if (strcmp(t->name, "per_layer_token_embd.weight") == 0)
        return 0;
    return strstr(t->name, "_exps") && c->experts > 0
               ? n / (uint64_t)c->experts * (uint64_t)c->experts_used : n;
}

/* Factors of rope stand in a GGUF file as a tensor and are no parameters of a configuration. Of a
 * folder what its files hold is counted, and what a token reads of what the graph has. */
static void count_parameters(const het__language *l, het_model_info *info)
{
    const het__safetensors *st = &l->hf.shards.tensors;
    for (size_t i = 0; i < st->count; i++) {
        info->weight_bytes += st->tensors[i].bytes;
        info->parameter_count +=
            st->tensors[i].bytes / het__dtype(st->tensors[i].dtype)->block_bytes;
    }
    for (size_t i = 0; i < l->gguf.tensor_count; i++) {
        const het__gguf_tensor *t = &l->gguf.tensors[i];
        if (!l->is_folder)
            info->weight_bytes += t->bytes;
        if ((l->is_folder || l->is_outline) && starts_with(t->name, "rope_"))
            continue;
        if (!l->is_folder)
            info->parameter_count += elements_of(t);
        info->active_count += active_of(&l->config, t);
    }
}

static void copy_span(char *target, size_t bytes, const het__gguf *gguf, const char *key)
{
    het__span s;
    if (het__gguf_string(gguf, key, &s))
        het__model_copy(target, bytes, s.data, s.bytes);
}

static const het__config *config_of(const het__language *l)
{
    return l->is_folder ? &l->hf.config : &l->config_file;
}

static void fill_info(const het__language *l, het_model_info *info)
{
    const het__lm_config *c = &l->config;
    if (l->is_outline || l->is_folder) {
        const char *name = config_of(l)->name;
        memcpy(info->format, l->is_folder ? "safetensors" : "config", l->is_folder ? 12 : 7);
        memcpy(info->architecture, c->architecture, sizeof info->architecture);
        if (name)
            het__model_copy(info->name, sizeof info->name, name, strlen(name));
    } else {
        memcpy(info->format, "gguf", 5);
        copy_span(info->architecture, sizeof info->architecture, &l->gguf,
                  "general.architecture");
        copy_span(info->name, sizeof info->name, &l->gguf, "general.name");
    }
    info->layer_count = (uint32_t)c->layers;
    info->context_max = c->context;
    info->embedding_size = c->width;
    info->vocabulary_size = c->vocabulary;
    info->head_count = (uint32_t)c->heads;
    info->kv_head_count = (uint32_t)c->kv_heads;
    info->expert_count = (uint32_t)c->experts;
    info->expert_used_count = (uint32_t)c->experts_used;
    info->kv_bytes_per_token = (uint64_t)(c->layers - c->shared_kv_layers) *
                               (uint64_t)c->kv_heads * (uint64_t)c->head_size * 4;
    count_parameters(l, info);
}

/* ---- load ---- */

static het_status render_metadata(het__language *l, het_error *err)
{
    l->values = het__arena_zero(&l->arena, l->gguf.entry_count, sizeof *l->values);
    if (!l->values)
        return het__fail_nomem(err, "the metadata");
    for (size_t i = 0; i < l->gguf.entry_count; i++) {
        l->values[i] = het__gguf_render(&l->arena, &l->gguf.entries[i]);
        if (!l->values[i])
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
static het_status check_all_used(const het__language *l, const het__graph *graph, het_error *err)
{
    for (size_t i = 0; i < l->gguf.tensor_count; i++) {
        const char *name = l->gguf.tensors[i].name;
        if (starts_with(name, "blk.") && !graph_uses(graph, name))
            return het__fail(err, HET_E_UNSUPPORTED,
                             "tensor %s has no part in the graph of family %s", name,
                             l->config.architecture);
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
    s = check_all_used(m->language, &graph, err);
    het__graph_finish(&graph);
    return s;
}

/* A table may be padded, but every token needs a row. */
static het_status check_vocabulary(const het_model *m, het_error *err)
{
    het_tokenizer_info info = { .struct_size = sizeof info };
    if (!m->tokenizer || het_tokenizer_get_info(m->tokenizer, &info) != HET_OK ||
        info.token_count <= m->language->config.vocabulary)
        return HET_OK;
    return het__fail(err, HET_E_FORMAT, "the vocabulary has %d tokens, token_embd.weight %lld rows",
                     info.token_count, (long long)m->language->config.vocabulary);
}

static het_status read_file(het_model *m, const void *data, size_t bytes,
                            const het_model_options *o, het_error *err)
{
    het__language *l = m->language;
    het_status s = het__model_report(o, 0.0, "metadata", err);
    if (s == HET_OK)
        s = het__gguf_open(&l->gguf, &l->arena, data, bytes, err);
    return s == HET_OK ? render_metadata(l, err) : s;
}

static het_status read_tokenizer(het_model *m, const het_model_options *o, het_error *err)
{
    het_status s = het__model_report(o, 0.2, "tokenizer", err);
    if (s == HET_OK)
        s = het__gguf_tokenizer(&m->language->gguf, &m->context->mem, &m->tokenizer, err);
    return s;
}

static het_status read_graph(het_model *m, const het_model_options *o, het_error *err)
{
    het_status s = check_vocabulary(m, err);
    if (s == HET_OK)
        s = het__model_report(o, 0.9, "graph", err);
    return s == HET_OK ? prove_graph(m, err) : s;
}

/* What the metadata says: configuration and tokenizer. */
static het_status read_described(het_model *m, const het_model_options *o, het_error *err)
{
    /* Without a graph, what could be read of the configuration is shown. */
    const bool whole = het__model_wants_graph(o);
    het__language *l = m->language;
    het_status s = het__gguf_config(&l->gguf, &l->config, &l->family, whole ? err : NULL);
    if (!whole) {
        l->family = NULL;
        s = HET_OK;
    }
    if (s == HET_OK && !(o->flags & HET_MODEL_INSPECT_ONLY))
        s = read_tokenizer(m, o, err);
    return s;
}

static het_status read_model(het_model *m, const void *data, size_t bytes,
                             const het_model_options *o, het_error *err)
{
    het_status s = read_file(m, data, bytes, o, err);
    if (s == HET_OK)
        s = read_described(m, o, err);
    if (s == HET_OK && het__model_wants_graph(o))
        s = het__int8_loaded(m, err);
    return s == HET_OK && het__model_wants_graph(o) ? read_graph(m, o, err) : s;
}

/* ---- GGUF in a package ---- */

/* Memory for the file, or for its beginning alone, which is unpacked. With a store it is the file's
 * place there. */
static het_status unpack_head(het_model *m, het__package_job *job, bool whole, het_error *err)
{
    const het__package_file *f = &job->package->files[0];
    const uint64_t head = het__package_head(job->package, f), bytes = whole ? f->bytes : head;
    uint32_t count = 0;
    while (count < f->segment_count && !*job->package->segments[count].name)
        count++;
    if (bytes > SIZE_MAX || head == 0)
        return het__fail(err, HET_E_FORMAT, "the package's file begins with a tensor");
    job->target = het__alloc(&m->context->mem, (size_t)bytes);
    if (!job->target)
        return het__fail_nomem(err, "the weights of a package");
    m->mapping.data = job->target;
    m->mapping.bytes = (size_t)bytes;
    m->mapping.mem = &m->context->mem;
    if (whole && m->store)
        return het__package_store_place(m->store, f, job->target, err);
    het__want_huge_pages(job->target, (size_t)bytes);
    het__package_choose(job, 0, count);
    const het_status s = het__package_unpack(job, &m->context->mem, err);
    job->first_frame = job->end_frame;
    job->end_frame = job->package->frame_count;
    job->target += head;
    return s;
}

const het__lender *het__model_lender(const het_model *m)
{
    return m->store ? het__package_store_lender(m->store) : NULL;
}

/* Vectors and what is not worth a loan are read in many places. */
static het_status keep_small(het_model *m, het_error *err)
{
    const het__gguf *gguf = &m->language->gguf;
    het__borrower b = { .lender = het__model_lender(m) };
    het_status s = HET_OK;
    for (size_t i = 0; s == HET_OK && i < gguf->tensor_count; i++) {
        const het__gguf_tensor *t = &gguf->tensors[i];
        if (t->rank < 2 || t->bytes < SMALL_BYTES)
            s = het__borrow_keep(&b, t->data, t->bytes, err);
    }
    het__borrow_end(&b);
    return s;
}

/* What follows the head; job as unpack_head() leaves it. */
static het_status unpack_weights(het_model *m, het__package_job *job, const het_model_options *o,
                                 het_error *err)
{
    if (m->store)
        return keep_small(m, err);
    job->progress = o->progress;
    job->progress_user = o->progress_user;
    job->from = 0.2;
    job->to = 0.9;
    return het__package_unpack(job, &m->context->mem, err);
}

static het_status read_packed(het_model *m, const void *data, size_t bytes,
                              const het_model_options *o, het_error *err)
{
    const het__hf_packed *packed = data;
    const bool whole = het__model_wants_graph(o);
    const size_t file_bytes = (size_t)packed->package->files[0].bytes;
    const size_t head = (size_t)het__package_head(packed->package, &packed->package->files[0]);
    het__language *l = m->language;
    het__package_job job = { .package = packed->package, .threads = packed->threads,
                             .what = "weights" };
    (void)bytes;
    m->mapping.state = packed->state;
    het_status s = het__model_report(o, 0.0, "metadata", err);
    if (s == HET_OK)
        s = unpack_head(m, &job, whole, err);
    if (s == HET_OK)
        s = het__gguf_open_head(&l->gguf, &l->arena, m->mapping.data, head, file_bytes, whole, err);
    if (s == HET_OK)
        s = render_metadata(l, err);
    if (s == HET_OK)
        s = read_described(m, o, err);
    if (s == HET_OK && whole)
        s = unpack_weights(m, &job, o, err);
    if (s == HET_OK && whole)
        s = het__int8_loaded(m, err);
    return s == HET_OK && whole ? read_graph(m, o, err) : s;
}

static void retain_owner(void *model)
{
    het__model_retain(model);
}

static void release_owner(void *model)
{
    het__model_release(model);
}

/* Building the graph lists what weights there are. */
static het_status list_weights(het_model *m, const het_model_options *o, het_error *err)
{
    het__language *l = m->language;
    het__graph graph;
    uint32_t unfused;
    const het_dtype dtype =
        o->weight_dtype ? (het_dtype)o->weight_dtype : l->config_file.dtype;
    het__lm_outline_init(&l->outline, &l->config, &l->arena, dtype);
    const het_status s = het__model_graph(m, HET_DTYPE_F16, &graph, &unfused, err);
    if (s == HET_OK)
        het__graph_finish(&graph);
    if (l->outline.failed || (s == HET_OK && !het__lm_outline_seal(&l->outline)))
        return het__fail_nomem(err, "the list of weights");
    l->gguf.tensors = l->outline.tensors;
    l->gguf.tensor_count = l->outline.count;
    return s;
}

static het_status read_outline(het_model *m, const void *data, size_t bytes,
                               const het_model_options *o, het_error *err)
{
    const bool whole = het__model_wants_graph(o);
    het__language *l = m->language;
    l->is_outline = true;
    het_status s = het__model_report(o, 0.0, "configuration", err);
    if (s != HET_OK)
        return s;
    s = het__config_read(data, bytes, &l->arena, &l->config_file, err);
    l->config = l->config_file.lm;
    if (s == HET_OK)
        l->family = l->config_file.family;
    if (s == HET_OK)
        s = list_weights(m, o, err);
    /* What could be read of a model that is not known is shown if that is all that is asked for. */
    const bool shows = !whole && s == HET_E_UNSUPPORTED && l->config_file.entries;
    if (!whole)
        l->family = NULL;
    return shows ? HET_OK : s;
}

/* A tokenizer alone may lie in a folder without a configuration. */
static het_status read_folder_config(het_model *m, const het__hf_place *place,
                                     const het_model_options *o, het_error *err)
{
    const bool whole = het__model_wants_graph(o);
    het__language *l = m->language;
    if ((o->flags & HET_MODEL_TOKENIZER_ONLY) && !het__hf_place_has(place, "config.json"))
        return HET_OK;
    const het_status s = het__hf_read_config(&l->hf, place, &l->arena, err);
    l->config = l->hf.config.lm;
    l->family = whole && s == HET_OK ? l->hf.config.family : NULL;
    /* As with a configuration alone. */
    return !whole && s == HET_E_UNSUPPORTED && l->hf.config.entries ? HET_OK : s;
}

static het_status read_folder_weights(het_model *m, const het__hf_place *place,
                                      const het_model_options *o, het_error *err)
{
    const bool whole = het__model_wants_graph(o);
    het__language *l = m->language;
    het_status s = het__hf_shards_open(&l->hf.shards, place, whole, &l->arena, err);
    if (s == HET_OK && whole)
        s = het__model_report(o, 0.4, "weights", err);
    if (s != HET_OK || (!whole && !l->hf.config.family))
        return s;
    s = het__hf_list_weights(&l->hf, whole, &l->gguf, err);
    if (s == HET_OK && whole)
        s = keep_small(m, err);
    return !whole && s == HET_E_UNSUPPORTED ? HET_OK : s;
}

static het_status read_folder(het_model *m, const void *data, size_t bytes,
                              const het_model_options *o, het_error *err)
{
    const het__hf_place *place = data;
    const bool whole = het__model_wants_graph(o);
    het__language *l = m->language;
    (void)bytes;
    l->is_folder = true;
    if (!place->packed) {
        l->folder = het__arena_strdup(&l->arena, place->folder);
        if (!l->folder)
            return het__fail_nomem(err, "a path");
    }
    l->hf.arena = &l->arena;
    l->weights = (het__hf_weights){ &l->hf, &l->gguf };
    het_status s = het__model_report(o, 0.0, "configuration", err);
    if (s == HET_OK)
        s = read_folder_config(m, place, o, err);
    if (s == HET_OK && !(o->flags & HET_MODEL_INSPECT_ONLY))
        s = het__model_report(o, 0.2, "tokenizer", err);
    if (s == HET_OK && !(o->flags & HET_MODEL_INSPECT_ONLY))
        s = het__hf_tokenizer(place, l->config.vocabulary, &m->context->mem, &m->tokenizer,
                              err);
    if (s == HET_OK && (whole || place->weights))
        s = read_folder_weights(m, place, o, err);
    return s == HET_OK && whole ? read_graph(m, o, err) : s;
}

typedef het_status (*reader_fn)(het_model *m, const void *data, size_t bytes,
                                const het_model_options *o, het_error *err);

static het_status open_with(reader_fn read, het_model *m, const void *data, size_t bytes,
                            const het_model_options *o, het_error *err)
{
    m->language = het__alloc_zero(&m->context->mem, 1, sizeof *m->language);
    if (!m->language)
        return het__fail_nomem(err, "a model");
    het__arena_init(&m->language->arena, &m->context->mem);
    const het_status s = read(m, data, bytes, o, err);
    if (s != HET_OK)
        return s;
    m->is_whole = m->language->family != NULL;
    if (m->tokenizer)
        het__tokenizer_set_owner(m->tokenizer, m, retain_owner, release_owner);
    fill_info(m->language, &m->info);
    if (m->is_whole && !m->language->is_outline && o->quantize_type) {
        const het_status made = het__quantize_loaded(m, o, err);
        if (made != HET_OK)
            return made;
    }
    het__log_line(&m->context->log, HET_LOG_INFO, "model", "%s, %llu parameters, %u layers",
                  m->info.architecture, (unsigned long long)m->info.parameter_count,
                  m->info.layer_count);
    return HET_OK;
}

het_status het__language_open(het_model *m, const void *data, size_t bytes,
                              const het_model_options *o, het_error *err)
{
    return open_with(read_model, m, data, bytes, o, err);
}

het_status het__language_package(het_model *m, const het__hf_packed *packed,
                                 const het_model_options *o, het_error *err)
{
    return open_with(read_packed, m, packed, 0, o, err);
}

het_status het__language_outline(het_model *m, const void *data, size_t bytes,
                                 const het_model_options *o, het_error *err)
{
    return open_with(read_outline, m, data, bytes, o, err);
}

het_status het__language_folder(het_model *m, const het__hf_place *place,
                                const het_model_options *o, het_error *err)
{
    return open_with(read_folder, m, place, 0, o, err);
}

bool het__language_is_mapped(const het_model *m, const void *data)
{
    if (m->language && m->language->is_folder)
        return het__hf_shards_hold(&m->language->hf.shards, data);
    const char *from = m->mapping.data, *at = data;
    return from && !m->mapping.mem && at >= from && at < from + m->mapping.bytes;
}

void het__language_close(het_model *m)
{
    het__hf_close(&m->language->hf);
    het__tokenizer_destroy(m->tokenizer);
    het__arena_finish(&m->language->arena);
    het__free(&m->context->mem, m->language);
}

het_status het__model_graph(const het_model *model, het_dtype kv_dtype, het__graph *graph,
                            uint32_t *unfused, het_error *err)
{
    return het__model_graph_layers(model, kv_dtype, 0, (int32_t)model->language->config.layers,
                                   false, graph, unfused, err);
}

het__lm_source het__model_source(const het_model *model)
{
    const het__language *l = model->language;
    return l->is_outline  ? het__lm_outline_source((het__lm_outline *)(uintptr_t)&l->outline)
           : l->is_folder ? het__hf_source(&l->weights)
                          : het__gguf_source(&l->gguf);
}

/* The graph as the family spells it. */
static het_status spell(const het_model *model, het_dtype kv_dtype, int32_t first, int32_t end,
                        bool turns_are_given, het__graph *graph, het_error *err)
{
    const het__language *l = model->language;
    const het__lm_source source = het__model_source(model);
    het__lm_config config = l->config;
    config.turns_are_given = turns_are_given;
    het_status s = het__lm_graph(l->family, &config, &source, kv_dtype, &model->context->mem,
                                 graph, err);
    if (s != HET_OK)
        return s;
    s = het__graph_keep_layers(graph, first, end, (int32_t)l->config.layers, err);
    if (s != HET_OK)
        het__graph_finish(graph);
    return s;
}

het_status het__model_graph_spelled(const het_model *model, het_dtype kv_dtype, het__graph *graph,
                                    het_error *err)
{
    return spell(model, kv_dtype, 0, (int32_t)model->language->config.layers, false, graph, err);
}

het_status het__model_graph_layers(const het_model *model, het_dtype kv_dtype, int32_t first,
                                   int32_t end, bool turns_are_given, het__graph *graph,
                                   uint32_t *unfused, het_error *err)
{
    het_status s = spell(model, kv_dtype, first, end, turns_are_given, graph, err);
    if (s != HET_OK)
        return s;
    *unfused = graph->node_count;
    s = het__passes_run(graph, &(het__pass_options){ HET__PASSES_ALL, 0 }, NULL, err);
    if (s != HET_OK)
        het__graph_finish(graph);
    return s;
}

/* ---- use ---- */

size_t het__language_metadata_count(const het__language *l)
{
    return l->is_outline || l->is_folder ? config_of(l)->entry_count : l->gguf.entry_count;
}

void het__language_metadata(const het__language *l, size_t index, het_metadata *entry)
{
    if (l->is_outline || l->is_folder) {
        const het__config_entry *c = &config_of(l)->entries[index];
        entry->key = c->key;
        entry->type = c->type;
        entry->value = c->value;
        return;
    }
    const het__gguf_entry *e = &l->gguf.entries[index];
    entry->key = e->key;
    entry->type = het__gguf_type_name(e);
    entry->value = l->values[index];
}

size_t het__language_weight_count(const het__language *l)
{
    return l->is_folder ? l->hf.shards.tensors.count : l->gguf.tensor_count;
}

/* What the files hold, under their names; what it is follows from the graph's. */
static void folder_weight(const het__hf *hf, size_t index, het_weight *weight)
{
    const het__st_tensor *t = &hf->shards.tensors.tensors[index];
    const char *name = hf->names ? hf->names[index] : NULL, *rest;
    weight->layer = name ? block_of(name, &rest) : -1;
    weight->name = t->name;
    weight->module = name ? module_of(name) : "other";
    weight->size_bytes = t->bytes;
    weight->desc.dtype = t->dtype;
    weight->desc.rank = t->rank;
    memcpy(weight->desc.extent, t->extent, sizeof weight->desc.extent);
}

void het__language_weight(const het__language *l, size_t index, het_weight *weight)
{
    if (l->is_folder) {
        folder_weight(&l->hf, index, weight);
        return;
    }
    const het__gguf_tensor *t = &l->gguf.tensors[index];
    const char *rest;
    weight->layer = block_of(t->name, &rest);
    weight->name = t->name;
    weight->module = module_of(t->name);
    weight->size_bytes = t->bytes;
    weight->desc.dtype = t->dtype;
    weight->desc.rank = t->rank;
    memcpy(weight->desc.extent, t->extent, sizeof weight->desc.extent);
}
