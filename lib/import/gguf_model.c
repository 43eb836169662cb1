/* SPDX-License-Identifier: Apache-2.0 */
/* From GGUF metadata to configuration and vocabulary. Key names: the GGUF specification. */
#include "lib/import/gguf_model.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "lib/base/error.h"
#include "lib/import/yarn.h"

/* No model has more; keeps products of sizes far from overflow. */
#define SIZE_LIMIT ((int64_t)1 << 24)
#define LAYERS_LIMIT 4096

typedef struct reader {
    const het__gguf *gguf;
    const char *architecture;
    het_error *err;
    het_status status;
} reader;

static const char *key_of(const reader *r, const char *name, char *buffer, size_t bytes)
{
    snprintf(buffer, bytes, "%s.%s", r->architecture, name);
    return buffer;
}

static bool has_int(const reader *r, const char *name, int64_t *value)
{
    char key[160];
    return het__gguf_i64(r->gguf, key_of(r, name, key, sizeof key), value);
}

/* A required (fallback < 0) or optional integer in [1, limit]. */
static int64_t get_int(reader *r, const char *name, int64_t fallback, int64_t limit)
{
    char key[160];
    int64_t v = 0;
    if (!has_int(r, name, &v)) {
        if (fallback >= 0)
            return fallback;
        if (r->status == HET_OK)
            r->status = het__fail(r->err, HET_E_FORMAT, "metadata key %s is missing or no integer",
                                  key_of(r, name, key, sizeof key));
        return 1;
    }
    if (v < 1 || v > limit) {
        if (r->status == HET_OK)
            r->status = het__fail(r->err, HET_E_FORMAT, "metadata key %s is %lld, not in 1 to %lld",
                                  key_of(r, name, key, sizeof key), (long long)v,
                                  (long long)limit);
        return 1;
    }
    return v;
}

static double get_float(const reader *r, const char *name, double fallback)
{
    char key[160];
    double v;
    return het__gguf_f64(r->gguf, key_of(r, name, key, sizeof key), &v) && isfinite(v) ? v
                                                                                       : fallback;
}

static bool string_is(het__span s, const char *text)
{
    return s.bytes == strlen(text) && memcmp(s.data, text, s.bytes) == 0;
}

static het_status read_architecture(const het__gguf *gguf, char out[32], het_error *err)
{
    het__span s;
    if (!het__gguf_string(gguf, "general.architecture", &s))
        return het__fail(err, HET_E_FORMAT, "metadata key general.architecture is missing");
    if (s.bytes == 0 || s.bytes > 31 || memchr(s.data, 0, s.bytes))
        return het__fail(err, HET_E_FORMAT, "general.architecture is not a name");
    memcpy(out, s.data, s.bytes);
    out[s.bytes] = '\0';
    return HET_OK;
}

/* Without the long factors the model is offered up to the length where they would be needed. */
static void read_longrope(reader *r, het__lm_config *c)
{
    const int64_t original =
        get_int(r, "rope.scaling.original_context_length", c->context, INT32_MAX);
    c->rope.magnitude = (float)get_float(r, "rope.scaling.attn_factor", 1.0);
    if (original >= c->context)
        return;
    if (!het__gguf_tensor_find(r->gguf, "rope_factors_long.weight")) {
        c->context = original;
        return;
    }
    c->turning = HET__TURNING_LONG;
    c->turning_length = original;
    c->long_magnitude = c->rope.magnitude;
}

/* The file's factor multiplies what yarn's own says. */
static void read_yarn(reader *r, het__lm_config *c)
{
    c->yarn = (het__yarn){
        .factor = (float)get_float(r, "rope.scaling.factor", 1.0),
        .original = get_int(r, "rope.scaling.original_context_length", c->context, INT32_MAX),
        .fast = (float)get_float(r, "rope.scaling.yarn_beta_fast", 32),
        .slow = (float)get_float(r, "rope.scaling.yarn_beta_slow", 1),
    };
    if (r->status == HET_OK && get_float(r, "rope.scaling.yarn_ext_factor", 1) != 1)
        r->status = het__fail(r->err, HET_E_UNSUPPORTED,
                              "rope.scaling.yarn_ext_factor is supported as 1 only");
    c->rope.magnitude = (float)(get_float(r, "rope.scaling.attn_factor", 1.0) *
                                get_float(r, "rope.scaling.yarn_attn_factor", 1.0) *
                                het__yarn_magnitude((double)c->yarn.factor, 1));
    if (r->status == HET_OK)
        r->status = het__yarn_configure(c, r->gguf->arena, r->err);
}

static void read_rope_scaling(reader *r, het__lm_config *c)
{
    char key[160];
    het__span type = { "none", 4 };
    het__gguf_string(r->gguf, key_of(r, "rope.scaling.type", key, sizeof key), &type);
    const double factor = get_float(r, "rope.scaling.factor", 1.0);
    if (string_is(type, "linear")) {
        c->rope.scale = factor > 0 ? (float)(1.0 / factor) : 1.0f;
    } else if (string_is(type, "longrope")) {
        read_longrope(r, c);
    } else if (string_is(type, "yarn")) {
        read_yarn(r, c);
    } else if (!string_is(type, "none") && r->status == HET_OK) {
        r->status = het__fail(r->err, HET_E_UNSUPPORTED, "rope scaling \"%.*s\" is not supported",
                              (int)(type.bytes < 40 ? type.bytes : 40), type.data);
    }
    const double linear = get_float(r, "rope.scale_linear", 1.0);
    if (linear > 0 && linear != 1.0)
        c->rope.scale = (float)(1.0 / linear);
}

static void read_attention(reader *r, het__lm_config *c)
{
    c->heads = (int32_t)get_int(r, "attention.head_count", -1, 65536);
    c->kv_heads = (int32_t)get_int(r, "attention.head_count_kv", c->heads, 65536);
    const int64_t head = c->width / c->heads > 0 ? c->width / c->heads : 1;
    c->head_size = (int32_t)get_int(r, "attention.key_length", head, 65536);
    const int64_t value_size = get_int(r, "attention.value_length", c->head_size, 65536);
    if (r->status == HET_OK && value_size != c->head_size)
        r->status = het__fail(r->err, HET_E_UNSUPPORTED,
                              "heads of %d for keys and %lld for values are not supported",
                              c->head_size, (long long)value_size);
    if (r->status == HET_OK && c->heads % c->kv_heads != 0)
        r->status = het__fail(r->err, HET_E_FORMAT, "%d heads are not a multiple of %d key heads",
                              c->heads, c->kv_heads);
    c->norm_eps = (float)get_float(r, "attention.layer_norm_rms_epsilon",
                                   get_float(r, "attention.layer_norm_epsilon", 1e-5));
    c->attention_cap = (float)get_float(r, "attn_logit_softcapping", 0);
    c->logit_cap = (float)get_float(r, "final_logit_softcapping", 0);
    c->attention_scale = (float)get_float(r, "attention.scale", 0);
    c->local_theta = (float)get_float(r, "rope.freq_base_swa", 0);
    if (r->status == HET_OK && (c->attention_cap < 0 || c->logit_cap < 0 || c->local_theta < 0))
        r->status = het__fail(r->err, HET_E_FORMAT, "a cap or rope.freq_base_swa is negative");
    int64_t window = 0;
    if (has_int(r, "attention.sliding_window", &window) && window > 0 && window < INT32_MAX)
        c->window = (int32_t)window;
    c->rope.head_size = c->head_size;
    c->rope.rotated = (int32_t)get_int(r, "rope.dimension_count", c->head_size, 65536);
    c->rope.theta = (float)get_float(r, "rope.freq_base", 10000.0);
    c->rope.scale = 1.0f;
    c->rope.magnitude = 1.0f;
    if (r->status == HET_OK && (c->rope.rotated > c->head_size || c->rope.rotated % 2 != 0 ||
                                !(c->rope.theta > 0)))
        r->status = het__fail(r->err, HET_E_FORMAT, "rope turns %d of %d elements with base %g",
                              c->rope.rotated, c->head_size, (double)c->rope.theta);
}

/* ---- what differs from layer to layer ---- */

/* The array of a key, NULL if it is a scalar, missing, or not one element per layer. */
static const het__gguf_entry *per_layer(reader *r, const char *name, const het__lm_config *c)
{
    char key[160];
    const het__gguf_entry *e = het__gguf_find(r->gguf, key_of(r, name, key, sizeof key));
    if (!e || e->type != HET__GGUF_ARRAY)
        return NULL;
    if (e->count == (uint64_t)c->layers)
        return e;
    if (r->status == HET_OK)
        r->status = het__fail(r->err, HET_E_FORMAT,
                              "metadata key %s does not have one element per layer", key);
    return NULL;
}

static void bad_element(reader *r, const char *name, int64_t layer)
{
    char key[160];
    if (r->status == HET_OK)
        r->status = het__fail(r->err, HET_E_FORMAT, "metadata key %s: element %lld is not valid",
                              key_of(r, name, key, sizeof key), (long long)layer);
}

static void read_layers(reader *r, het__lm_config *c)
{
    const het__gguf_entry *widths = per_layer(r, "feed_forward_length", c);
    const het__gguf_entry *pattern = per_layer(r, "attention.sliding_window_pattern", c);
    const het__gguf_entry *cuts = per_layer(r, "activation_sparsity_scale", c);
    if (r->status == HET_OK && !het__lm_layers_init(c, r->gguf->arena))
        r->status = het__fail_nomem(r->err, "the configuration");
    if (r->status != HET_OK)
        return;
    int64_t period = 0; /* the pattern may be a number: the last of so many layers sees all */
    if (!pattern && has_int(r, "attention.sliding_window_pattern", &period) && period < 1)
        period = 0;
    c->pattern_given = pattern || period > 0;
    c->cut_given = cuts != NULL;
    for (int64_t i = 0; i < c->layers; i++) {
        het__lm_layer *l = &c->layer[i];
        int64_t local = 0;
        double cut = 0;
        if (widths && (!het__gguf_array_i64(widths, (uint64_t)i, &l->ffn_width) ||
                       l->ffn_width < 1 || l->ffn_width > SIZE_LIMIT))
            bad_element(r, "feed_forward_length", i);
        if (pattern && !het__gguf_array_i64(pattern, (uint64_t)i, &local))
            bad_element(r, "attention.sliding_window_pattern", i);
        else if (c->pattern_given)
            l->is_local = pattern ? local != 0 : (i + 1) % period != 0;
        if (cuts && (!het__gguf_array_f64(cuts, (uint64_t)i, &cut) || isnan(cut) || cut > 100))
            bad_element(r, "activation_sparsity_scale", i);
        l->is_cut = cuts && cut > -100; /* -infinity, the quantile of 0: nothing is cut */
        l->cut = l->is_cut ? (float)cut : 0;
    }
}

/* ---- sizes ---- */

static void read_experts(reader *r, het__lm_config *c)
{
    int64_t experts = 0;
    char key[160];
    if (!has_int(r, "expert_count", &experts) || experts == 0)
        return;
    c->experts = get_int(r, "expert_count", 0, HET__EXPERTS_MAX);
    c->experts_used = get_int(r, "expert_used_count", -1, HET__EXPERTS_USED_MAX);
    c->expert_width = get_int(r, "expert_feed_forward_length", 0, SIZE_LIMIT);
    c->experts_norm_given = het__gguf_bool(
        r->gguf, key_of(r, "expert_weights_norm", key, sizeof key), &c->experts_norm);
}

static void read_streams(reader *r, het__lm_config *c)
{
    int64_t n = 0;
    c->per_layer_width = get_int(r, "embedding_length_per_layer_input", 0, SIZE_LIMIT);
    if (has_int(r, "attention.shared_kv_layers", &n) && n > 0)
        c->shared_kv_layers = get_int(r, "attention.shared_kv_layers", 0, LAYERS_LIMIT);
    c->streams = (int32_t)get_int(r, "altup.num_inputs", 0, HET__LM_STREAMS_MAX);
    if (has_int(r, "altup.active_idx", &n) && n > 0)
        c->stream_active = (int32_t)get_int(r, "altup.active_idx", 0, HET__LM_STREAMS_MAX);
    const het__gguf_tensor *table =
        het__gguf_tensor_find(r->gguf, "per_layer_token_embd.weight");
    if (table && table->rank == 2)
        c->per_layer_vocabulary = table->extent[0];
    const het__gguf_tensor *laurel = het__gguf_tensor_find(r->gguf, "blk.0.laurel_l.weight");
    if (laurel && laurel->rank == 2)
        c->laurel_rank = laurel->extent[0];
}

static void read_sizes(reader *r, het__lm_config *c)
{
    char key[160];
    const het__gguf_entry *ffn =
        het__gguf_find(r->gguf, key_of(r, "feed_forward_length", key, sizeof key));
    c->layers = get_int(r, "block_count", -1, LAYERS_LIMIT);
    c->width = get_int(r, "embedding_length", -1, SIZE_LIMIT);
    read_experts(r, c);
    if (!ffn || ffn->type != HET__GGUF_ARRAY)
        c->ffn_width =
            get_int(r, "feed_forward_length", c->expert_width > 0 ? 0 : -1, SIZE_LIMIT);
    c->context = get_int(r, "context_length", -1, INT32_MAX);
    const het__gguf_tensor *table = het__gguf_tensor_find(r->gguf, "token_embd.weight");
    if (table && table->rank == 2)
        c->vocabulary = table->extent[0];
    else if (r->status == HET_OK)
        r->status =
            het__fail(r->err, HET_E_FORMAT, "tensor token_embd.weight is missing or no matrix");
    c->tied = !het__gguf_tensor_find(r->gguf, "output.weight");
}

het_status het__gguf_config(const het__gguf *gguf, het__lm_config *config,
                            const het__lm_family **family, het_error *err)
{
    memset(config, 0, sizeof *config);
    const het_status s = read_architecture(gguf, config->architecture, err);
    if (s != HET_OK)
        return s;
    *family = het__lm_family_of(config->architecture);
    if (!*family)
        return het__fail(err, HET_E_UNSUPPORTED, "model family \"%s\" is not among %s",
                         config->architecture, het__lm_family_list());
    reader r = { .gguf = gguf, .architecture = config->architecture, .err = err };
    read_sizes(&r, config);
    read_attention(&r, config);
    read_rope_scaling(&r, config);
    if (r.status == HET_OK)
        read_streams(&r, config);
    if (r.status == HET_OK)
        read_layers(&r, config);
    return r.status == HET_OK ? het__lm_configure(*family, config, err) : r.status;
}

void het__gguf_weight(const het__gguf_tensor *t, het__lm_weight *weight)
{
    weight->name = t->name;
    weight->dtype = t->dtype;
    weight->rank = t->rank;
    memcpy(weight->extent, t->extent, sizeof weight->extent);
    weight->data = t->data;
    weight->bytes = t->bytes;
}

static bool source_find(void *user, const char *name, het__lm_weight *weight)
{
    const het__gguf_tensor *t = het__gguf_tensor_find(user, name);
    if (t)
        het__gguf_weight(t, weight);
    return t != NULL;
}

het__lm_source het__gguf_source(const het__gguf *gguf)
{
    return (het__lm_source){ (void *)(uintptr_t)gguf, source_find };
}

/* ---- vocabulary ---- */

static int32_t id_of(const het__gguf *gguf, const char *key, size_t count)
{
    int64_t v;
    return het__gguf_i64(gguf, key, &v) && v >= 0 && v < (int64_t)count ? (int32_t)v : -1;
}

static int32_t flag_of(const het__gguf *gguf, const char *key)
{
    bool v;
    return het__gguf_bool(gguf, key, &v) ? v : -1;
}

static het_status read_scores(const het__gguf *gguf, het__mem *mem, size_t count, float **scores,
                              het_error *err)
{
    const het__gguf_entry *e = het__gguf_find(gguf, "tokenizer.ggml.scores");
    if (!e)
        return HET_OK;
    if (e->type != HET__GGUF_ARRAY || e->count != count)
        return het__fail(err, HET_E_FORMAT,
                         "tokenizer.ggml.scores does not have one score per token");
    *scores = het__alloc_zero(mem, count, sizeof **scores);
    if (!*scores)
        return het__fail_nomem(err, "token scores");
    for (size_t i = 0; i < count; i++) {
        double v;
        if (!het__gguf_array_f64(e, i, &v))
            return het__fail(err, HET_E_FORMAT, "tokenizer.ggml.scores is not an array of numbers");
        (*scores)[i] = (float)v;
    }
    return HET_OK;
}

static het_status read_types(const het__gguf *gguf, het__mem *mem, size_t count, int32_t **types,
                             het_error *err)
{
    const het__gguf_entry *e = het__gguf_find(gguf, "tokenizer.ggml.token_type");
    if (!e)
        return HET_OK;
    if (e->type != HET__GGUF_ARRAY || e->count != count)
        return het__fail(err, HET_E_FORMAT,
                         "tokenizer.ggml.token_type does not have one type per token");
    *types = het__alloc_zero(mem, count, sizeof **types);
    if (!*types)
        return het__fail_nomem(err, "token types");
    for (size_t i = 0; i < count; i++) {
        int64_t v;
        if (!het__gguf_array_i64(e, i, &v) || v < 0 || v > 6)
            return het__fail(err, HET_E_FORMAT,
                             "tokenizer.ggml.token_type[%zu] is not in 0 to 6", i);
        (*types)[i] = (int32_t)v;
    }
    return HET_OK;
}

static const char *copy_string(const het__gguf *gguf, const char *key, char *buffer, size_t bytes)
{
    het__span s;
    if (!het__gguf_string(gguf, key, &s) || s.bytes >= bytes)
        return "";
    memcpy(buffer, s.data, s.bytes);
    buffer[s.bytes] = '\0';
    return buffer;
}

static het_status read_tokens(const het__gguf *gguf, het__vocabulary *v, het_error *err)
{
    const het__gguf_entry *tokens = het__gguf_find(gguf, "tokenizer.ggml.tokens");
    const het__gguf_entry *merges = het__gguf_find(gguf, "tokenizer.ggml.merges");
    if (!tokens || tokens->count == 0 || tokens->count > INT32_MAX)
        return het__fail(err, HET_E_FORMAT, "tokenizer.ggml.tokens is missing or empty");
    v->token_count = (size_t)tokens->count;
    v->tokens = het__gguf_strings(gguf, tokens);
    if (!v->tokens)
        return het__fail(err, HET_E_FORMAT, "tokenizer.ggml.tokens is not an array of strings");
    if (!merges)
        return HET_OK;
    v->merge_count = (size_t)merges->count;
    v->merges = het__gguf_strings(gguf, merges);
    if (!v->merges)
        return het__fail(err, HET_E_FORMAT, "tokenizer.ggml.merges is not an array of strings");
    return HET_OK;
}

static void read_specials(const het__gguf *gguf, het__vocabulary *v)
{
    const size_t n = v->token_count;
    v->bos_id = id_of(gguf, "tokenizer.ggml.bos_token_id", n);
    v->eos_id = id_of(gguf, "tokenizer.ggml.eos_token_id", n);
    v->unknown_id = id_of(gguf, "tokenizer.ggml.unknown_token_id", n);
    v->padding_id = id_of(gguf, "tokenizer.ggml.padding_token_id", n);
    v->eot_id = id_of(gguf, "tokenizer.ggml.eot_token_id", n);
    v->add_bos = flag_of(gguf, "tokenizer.ggml.add_bos_token");
    v->add_eos = flag_of(gguf, "tokenizer.ggml.add_eos_token");
    v->add_space_prefix = flag_of(gguf, "tokenizer.ggml.add_space_prefix");
    v->remove_extra_whitespaces = flag_of(gguf, "tokenizer.ggml.remove_extra_whitespaces");
}

/* An array of bytes, signed or not. */
static void read_charsmap(const het__gguf *gguf, het__vocabulary *v)
{
    const het__gguf_entry *e = het__gguf_find(gguf, "tokenizer.ggml.precompiled_charsmap");
    if (!e || e->type != HET__GGUF_ARRAY ||
        (e->element != HET__GGUF_U8 && e->element != HET__GGUF_I8))
        return;
    v->charsmap = e->value;
    v->charsmap_bytes = e->value_bytes;
    v->charsmap_longest = true;
}

het_status het__gguf_tokenizer(const het__gguf *gguf, het__mem *mem, het_tokenizer **tokenizer,
                               het_error *err)
{
    char kind[32], rule[64];
    het__vocabulary v = { 0 };
    *tokenizer = NULL;
    v.kind = copy_string(gguf, "tokenizer.ggml.model", kind, sizeof kind);
    v.rule = copy_string(gguf, "tokenizer.ggml.pre", rule, sizeof rule);
    if (!*v.kind || strcmp(v.kind, "no_vocab") == 0)
        return HET_OK;
    float *scores = NULL;
    int32_t *types = NULL;
    het_status s = read_tokens(gguf, &v, err);
    if (s == HET_OK)
        s = read_scores(gguf, mem, v.token_count, &scores, err);
    if (s == HET_OK)
        s = read_types(gguf, mem, v.token_count, &types, err);
    if (s == HET_OK) {
        v.scores = scores;
        v.types = types;
        read_specials(gguf, &v);
        read_charsmap(gguf, &v);
        s = het__tokenizer_create(mem, &v, tokenizer, err);
    }
    het__free(mem, scores);
    het__free(mem, types);
    return s;
}
