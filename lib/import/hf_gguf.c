/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/import/hf_gguf.h"

#include <assert.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "lib/base/dtype.h"
#include "lib/base/error.h"
#include "lib/import/gguf_model.h"
#include "lib/import/gguf_parts.h"
#include "lib/import/hf_tokenizer.h"
#include "lib/import/yarn.h"

#define ENTRIES_MAX 80
#define ALIGNMENT 32

typedef struct maker {
    const het__hf *hf;
    const het__lm_config *c;
    het__arena *arena;
    het__gguf *out;
    bool failed; /* out of memory */
    het_error *err;
} maker;

/* ---- entries ---- */

static const char *architecture_key(maker *m, const char *name)
{
    const char *key = het__arena_printf(m->arena, "%s.%s", m->c->architecture, name);
    m->failed = m->failed || !key;
    return key;
}

/* bytes are copied. */
static void add(maker *m, const char *key, het__gguf_type type, het__gguf_type element,
                uint64_t count, const void *bytes, size_t size)
{
    void *value = het__arena_alloc(m->arena, size ? size : 1);
    if (!value || !key) {
        m->failed = true;
        return;
    }
    if (size)
        memcpy(value, bytes, size);
    assert(m->out->entry_count < ENTRIES_MAX);
    m->out->entries[m->out->entry_count++] = (het__gguf_entry){
        .key = key, .type = type, .element = element, .count = count, .value = value,
        .value_bytes = size,
    };
}

static void add_u32(maker *m, const char *key, int64_t value)
{
    const uint32_t v = (uint32_t)value;
    add(m, key, HET__GGUF_U32, 0, 1, &v, sizeof v);
}

static void add_bool(maker *m, const char *key, bool value)
{
    const uint8_t v = value;
    add(m, key, HET__GGUF_BOOL, 0, 1, &v, sizeof v);
}

static void add_text(maker *m, const char *key, const char *text)
{
    add(m, key, HET__GGUF_STRING, 0, 1, text, strlen(text));
}

static void add_texts(maker *m, const char *key, const het__span *texts, size_t count)
{
    size_t bytes = 0, at = 0;
    for (size_t i = 0; i < count; i++)
        bytes += 8 + texts[i].bytes; /* of a file that is in memory */
    uint8_t *all = het__arena_alloc(m->arena, bytes ? bytes : 1);
    if (!all) {
        m->failed = true;
        return;
    }
    for (size_t i = 0; i < count; i++) {
        for (int k = 0; k < 8; k++)
            all[at++] = (uint8_t)((uint64_t)texts[i].bytes >> 8 * k);
        if (texts[i].bytes)
            memcpy(all + at, texts[i].data, texts[i].bytes);
        at += texts[i].bytes;
    }
    m->out->entries[m->out->entry_count++] = (het__gguf_entry){
        .key = key, .type = HET__GGUF_ARRAY, .element = HET__GGUF_STRING, .count = count,
        .value = all, .value_bytes = bytes,
    };
}

static void put_u32(maker *m, const char *name, int64_t value)
{
    add_u32(m, architecture_key(m, name), value);
}

static void put_f32(maker *m, const char *name, float value)
{
    add(m, architecture_key(m, name), HET__GGUF_F32, 0, 1, &value, sizeof value);
}

static void put_some_f32(maker *m, const char *name, float value)
{
    if (value != 0)
        put_f32(m, name, value);
}

/* ---- configuration ---- */

static void put_layers(maker *m)
{
    const het__lm_config *c = m->c;
    const size_t n = (size_t)c->layers;
    int32_t *widths = het__arena_zero(m->arena, n, sizeof *widths);
    uint8_t *local = het__arena_zero(m->arena, n, sizeof *local);
    float *cuts = het__arena_zero(m->arena, n, sizeof *cuts);
    bool differ = false;
    if (!widths || !local || !cuts) {
        m->failed = true;
        return;
    }
    for (size_t i = 0; i < n; i++) {
        widths[i] = (int32_t)c->layer[i].ffn_width;
        local[i] = c->layer[i].is_local;
        cuts[i] = c->layer[i].is_cut ? c->layer[i].cut : -INFINITY;
        differ = differ || widths[i] != widths[0];
    }
    if (differ)
        add(m, architecture_key(m, "feed_forward_length"), HET__GGUF_ARRAY, HET__GGUF_I32, n,
            widths, n * sizeof *widths);
    else
        put_u32(m, "feed_forward_length", widths[0]);
    if (c->window > 0)
        add(m, architecture_key(m, "attention.sliding_window_pattern"), HET__GGUF_ARRAY,
            HET__GGUF_BOOL, n, local, n);
    if (c->cut_given)
        add(m, architecture_key(m, "activation_sparsity_scale"), HET__GGUF_ARRAY, HET__GGUF_F32,
            n, cuts, n * sizeof *cuts);
}

static void put_yarn(maker *m)
{
    const het__yarn *y = &m->c->yarn;
    const double own = het__yarn_magnitude((double)y->factor, 1);
    add_text(m, architecture_key(m, "rope.scaling.type"), "yarn");
    put_f32(m, "rope.scaling.factor", y->factor);
    put_u32(m, "rope.scaling.original_context_length", y->original);
    put_f32(m, "rope.scaling.attn_factor", (float)((double)m->c->rope.magnitude / own));
    put_f32(m, "rope.scaling.yarn_beta_fast", y->fast);
    put_f32(m, "rope.scaling.yarn_beta_slow", y->slow);
}

static void put_rope(maker *m)
{
    const het__lm_config *c = m->c;
    put_u32(m, "rope.dimension_count", c->rope.rotated);
    put_f32(m, "rope.freq_base", c->rope.theta);
    put_some_f32(m, "rope.freq_base_swa", c->local_theta);
    if (c->yarn.factor != 0) {
        put_yarn(m);
    } else if (c->turning == HET__TURNING_LONG || c->rope.magnitude != 1.0f) {
        add_text(m, architecture_key(m, "rope.scaling.type"), "longrope");
        put_f32(m, "rope.scaling.attn_factor", c->rope.magnitude);
        put_u32(m, "rope.scaling.original_context_length",
                c->turning == HET__TURNING_LONG ? c->turning_length : c->context);
    } else if (c->rope.scale != 1.0f) {
        add_text(m, architecture_key(m, "rope.scaling.type"), "linear");
        put_f32(m, "rope.scaling.factor", 1.0f / c->rope.scale);
    }
}

static void put_attention(maker *m)
{
    const het__lm_config *c = m->c;
    put_u32(m, "attention.head_count", c->heads);
    put_u32(m, "attention.head_count_kv", c->kv_heads);
    put_u32(m, "attention.key_length", c->head_size);
    put_u32(m, "attention.value_length", c->head_size);
    put_f32(m, c->norm == HET__NORM_RMS ? "attention.layer_norm_rms_epsilon"
                                        : "attention.layer_norm_epsilon", c->norm_eps);
    if (c->window > 0)
        put_u32(m, "attention.sliding_window", c->window);
    put_some_f32(m, "attn_logit_softcapping", c->attention_cap);
    put_some_f32(m, "final_logit_softcapping", c->logit_cap);
    put_some_f32(m, "attention.scale", c->attention_scale);
    if (c->shared_kv_layers > 0)
        put_u32(m, "attention.shared_kv_layers", c->shared_kv_layers);
}

static void put_configuration(maker *m)
{
    const het__lm_config *c = m->c;
    add_text(m, "general.architecture", c->architecture);
    if (m->hf->config.name && *m->hf->config.name)
        add_text(m, "general.name", m->hf->config.name);
    put_u32(m, "context_length", c->context);
    put_u32(m, "embedding_length", c->width);
    put_u32(m, "block_count", c->layers);
    put_attention(m);
    put_rope(m);
    put_layers(m);
    if (c->experts > 0) {
        put_u32(m, "expert_count", c->experts);
        put_u32(m, "expert_used_count", c->experts_used);
        if (c->expert_width > 0)
            put_u32(m, "expert_feed_forward_length", c->expert_width);
        if (c->experts_norm_given)
            add_bool(m, architecture_key(m, "expert_weights_norm"), c->experts_norm);
    }
    if (c->per_layer_width > 0)
        put_u32(m, "embedding_length_per_layer_input", c->per_layer_width);
    if (c->streams > 0) {
        put_u32(m, "altup.num_inputs", c->streams);
        put_u32(m, "altup.active_idx", c->stream_active);
    }
}

/* ---- vocabulary ---- */

static het_status check_vocabulary(const maker *m, const het__vocabulary *v)
{
    if (strcmp(v->kind, "gpt2") == 0 && !v->rule)
        return het__fail(m->err, HET_E_UNSUPPORTED,
                         "tokenizer.json cuts words by expressions that GGUF has no name for");
    if (strcmp(v->kind, "llama") == 0 && v->by_rank)
        return het__fail(m->err, HET_E_UNSUPPORTED,
                         "tokenizer.json merges by rank, where GGUF has scores: "
                         "tokenizer.model beside it would do");
    if (v->form != HET__FORM_NONE && v->form != HET__FORM_C)
        return het__fail(m->err, HET_E_UNSUPPORTED,
                         "tokenizer.json brings texts into a normal form, which GGUF cannot say");
    if (strcmp(v->kind, "t5") == 0 && !v->charsmap_longest)
        return het__fail(m->err, HET_E_UNSUPPORTED,
                         "tokenizer.json's unigrams have steps that GGUF cannot say: "
                         "tokenizer.model beside it would do");
    return HET_OK;
}

static void put_id(maker *m, const char *key, int32_t id)
{
    if (id >= 0)
        add_u32(m, key, id);
}

static void put_switch(maker *m, const char *key, int32_t value)
{
    if (value >= 0)
        add_bool(m, key, value != 0);
}

static het_status put_vocabulary(void *user, const het__vocabulary *v)
{
    maker *m = user;
    const het_status s = check_vocabulary(m, v);
    if (s != HET_OK)
        return s;
    add_text(m, "tokenizer.ggml.model", v->kind);
    if (v->rule && *v->rule)
        add_text(m, "tokenizer.ggml.pre", v->rule);
    add_texts(m, "tokenizer.ggml.tokens", v->tokens, v->token_count);
    if (v->scores)
        add(m, "tokenizer.ggml.scores", HET__GGUF_ARRAY, HET__GGUF_F32, v->token_count, v->scores,
            v->token_count * sizeof *v->scores);
    if (v->types)
        add(m, "tokenizer.ggml.token_type", HET__GGUF_ARRAY, HET__GGUF_I32, v->token_count,
            v->types, v->token_count * sizeof *v->types);
    if (v->merge_count)
        add_texts(m, "tokenizer.ggml.merges", v->merges, v->merge_count);
    if (v->charsmap_bytes)
        add(m, "tokenizer.ggml.precompiled_charsmap", HET__GGUF_ARRAY, HET__GGUF_U8,
            v->charsmap_bytes, v->charsmap, v->charsmap_bytes);
    put_id(m, "tokenizer.ggml.bos_token_id", v->bos_id);
    put_id(m, "tokenizer.ggml.eos_token_id", v->eos_id);
    put_id(m, "tokenizer.ggml.unknown_token_id", v->unknown_id);
    put_id(m, "tokenizer.ggml.padding_token_id", v->padding_id);
    put_switch(m, "tokenizer.ggml.add_bos_token", v->add_bos);
    put_switch(m, "tokenizer.ggml.add_eos_token", v->add_eos);
    put_switch(m, "tokenizer.ggml.add_space_prefix", v->add_space_prefix);
    put_switch(m, "tokenizer.ggml.remove_extra_whitespaces", v->remove_extra_whitespaces);
    return HET_OK;
}

static void put_template(maker *m)
{
    const het__config *c = &m->hf->config;
    for (size_t i = 0; i < c->entry_count; i++)
        if (strcmp(c->entries[i].key, "tokenizer.chat_template") == 0 &&
            strcmp(c->entries[i].type, "string") == 0)
            add_text(m, "tokenizer.chat_template", c->entries[i].value);
}

/* ---- tensors ---- */

/* Rows of q or k for rotation in neighbouring pairs: of each head the first and the second half
 * alternate. */
static het_status interleave(maker *m, het__gguf_tensor *t, int32_t heads)
{
    const size_t rows = (size_t)t->extent[0], row = t->bytes / rows;
    const size_t head = rows / (size_t)heads, half = head / 2;
    if (rows % (size_t)heads != 0 || head % 2 != 0 || m->c->rope.rotated != m->c->head_size)
        return het__fail(m->err, HET_E_UNSUPPORTED,
                         "%s: rows that turn in part cannot be put in GGUF's order", t->name);
    char *to = het__arena_alloc(m->arena, t->bytes);
    const char *from = t->data;
    if (!to)
        return het__fail_nomem(m->err, "a weight");
    for (size_t i = 0; i < rows; i++) {
        const size_t in = i % head, begin = i - in;
        memcpy(to + i * row, from + (begin + in / 2 + (in % 2 ? half : 0)) * row, row);
    }
    t->data = to;
    return HET_OK;
}

static bool ends_with(const char *text, const char *end)
{
    const size_t n = strlen(text), e = strlen(end);
    return n >= e && strcmp(text + n - e, end) == 0;
}

static het_status put_tensors(maker *m, const het__gguf *weights, bool interleaved)
{
    het__gguf_tensor *t = het__arena_zero(m->arena, weights->tensor_count, sizeof *t);
    if (!t)
        return het__fail_nomem(m->err, "the list of weights");
    m->out->tensors = t;
    m->out->tensor_count = weights->tensor_count;
    het_status s = HET_OK;
    for (size_t i = 0; s == HET_OK && i < weights->tensor_count; i++) {
        t[i] = weights->tensors[i];
        if (!interleaved)
            continue;
        if (ends_with(t[i].name, ".attn_q.weight") || ends_with(t[i].name, ".attn_q.bias"))
            s = interleave(m, &t[i], m->c->heads);
        else if (ends_with(t[i].name, ".attn_k.weight") || ends_with(t[i].name, ".attn_k.bias"))
            s = interleave(m, &t[i], m->c->kv_heads);
    }
    return s;
}

/* ---- the whole ---- */

static bool is_near(float a, float b)
{
    return fabsf(a - b) <= 1e-6f * fabsf(a);
}

/* Positions turn alike, whatever the length. */
static bool same_turning(const het__lm_config *a, const het__lm_config *b)
{
    bool same = a->turning == b->turning && a->turning_length == b->turning_length &&
                is_near(a->long_magnitude, b->long_magnitude) && a->stretch == b->stretch &&
                is_near(a->rope.magnitude, b->rope.magnitude) &&
                is_near(a->rope.scale, b->rope.scale) && !a->made_factors == !b->made_factors;
    for (int32_t i = 0; same && a->made_factors && i < a->rope.rotated / 2; i++)
        same = is_near(a->made_factors[i], b->made_factors[i]);
    return same;
}

/* The configuration that a reader of GGUF would make of what is there must be the one there is. */
static het_status check_same(const maker *m, const het__lm_config *got)
{
    const het__lm_config *c = m->c;
    bool same = c->router_jitter == got->router_jitter && c->experts_norm == got->experts_norm &&
                c->act == got->act && same_turning(c, got) && c->context == got->context &&
                c->tied == got->tied;
    for (int64_t i = 0; same && i < c->layers; i++) {
        const het__lm_layer *a = &c->layer[i], *b = &got->layer[i];
        same = a->no_rope == b->no_rope && a->is_local == b->is_local &&
               a->ffn_width == b->ffn_width && a->is_cut == b->is_cut && a->cut == b->cut;
    }
    return same ? HET_OK
                : het__fail(m->err, HET_E_UNSUPPORTED,
                            "this configuration of family %s cannot be said in GGUF",
                            c->architecture);
}

static het_status make_orders(maker *m)
{
    het__gguf *g = m->out;
    g->entry_order = het__gguf_sort(m->arena, g->entries, g->entry_count, sizeof *g->entries);
    g->tensor_order = het__gguf_sort(m->arena, g->tensors, g->tensor_count, sizeof *g->tensors);
    return g->entry_order && g->tensor_order ? HET_OK : het__fail_nomem(m->err, "the metadata");
}

het_status het__hf_to_gguf(const het__hf *hf, const het__gguf *weights,
                           const het__hf_place *place, het__arena *arena, het__gguf *out,
                           het_error *err)
{
    maker m = { .hf = hf, .c = &hf->config.lm, .arena = arena, .out = out, .err = err };
    het__lm_config got;
    const het__lm_family *family;
    *out = (het__gguf){ .arena = arena, .version = 3, .alignment = ALIGNMENT, .has_data = true };
    out->entries = het__arena_zero(arena, ENTRIES_MAX, sizeof *out->entries);
    if (!out->entries)
        return het__fail_nomem(err, "the metadata");
    put_configuration(&m);
    put_template(&m);
    het_status s = put_tensors(&m, weights, false);
    if (s == HET_OK && !m.failed)
        s = het__hf_lend_vocabulary(place, m.c->vocabulary, arena->mem, put_vocabulary, &m, err);
    if (s == HET_OK && m.failed)
        s = het__fail_nomem(err, "the metadata");
    if (s == HET_OK)
        s = make_orders(&m);
    if (s == HET_OK)
        s = het__gguf_config(out, &got, &family, err);
    if (s == HET_OK)
        s = check_same(&m, &got);
    return s == HET_OK && got.rope.interleaved ? put_tensors(&m, weights, true) : s;
}
