/* SPDX-License-Identifier: Apache-2.0 */
/* From GGUF metadata to configuration and vocabulary. Key names: the GGUF specification. */
#include "lib/import/gguf_model.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "lib/base/error.h"

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

static void read_rope_scaling(reader *r, het__lm_config *c)
{
    char key[160];
    het__span type = { "none", 4 };
    het__gguf_string(r->gguf, key_of(r, "rope.scaling.type", key, sizeof key), &type);
    const double factor = get_float(r, "rope.scaling.factor", 1.0);
    if (string_is(type, "linear")) {
        c->rope.scale = factor > 0 ? (float)(1.0 / factor) : 1.0f;
    } else if (string_is(type, "longrope")) {
        /* The short factors hold up to the original context; the switch to the long ones makes
         * cached keys stale, so the model is offered up to the switch. */
        c->rope.magnitude = (float)get_float(r, "rope.scaling.attn_factor", 1.0);
        const int64_t original =
            get_int(r, "rope.scaling.original_context_length", c->context, INT32_MAX);
        c->context = original < c->context ? original : c->context;
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
    c->norm_eps = (float)get_float(r, "attention.layer_norm_rms_epsilon", 1e-5);
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

static void read_sizes(reader *r, het__lm_config *c)
{
    c->layers = get_int(r, "block_count", -1, LAYERS_LIMIT);
    c->width = get_int(r, "embedding_length", -1, SIZE_LIMIT);
    c->ffn_width = get_int(r, "feed_forward_length", -1, SIZE_LIMIT);
    c->context = get_int(r, "context_length", -1, INT32_MAX);
    int64_t experts = 0, used = 0;
    has_int(r, "expert_count", &experts);
    has_int(r, "expert_used_count", &used);
    c->experts = experts > 0 ? experts : 0;
    c->experts_used = used > 0 ? used : 0;
    const het__gguf_tensor *table = het__gguf_tensor_find(r->gguf, "token_embd.weight");
    if (table && table->rank == 2)
        c->vocabulary = table->extent[0];
    else if (r->status == HET_OK)
        r->status =
            het__fail(r->err, HET_E_FORMAT, "tensor token_embd.weight is missing or no matrix");
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
    if (r.status == HET_OK && config->experts > 0)
        r.status = het__fail(err, HET_E_UNSUPPORTED, "mixtures of experts (%lld here) are not "
                             "supported in family %s", (long long)config->experts,
                             config->architecture);
    if (r.status == HET_OK)
        (*family)->configure(config);
    return r.status;
}

static bool source_find(void *user, const char *name, het__lm_weight *weight)
{
    const het__gguf_tensor *t = het__gguf_tensor_find(user, name);
    if (!t)
        return false;
    weight->name = t->name;
    weight->dtype = t->dtype;
    weight->rank = t->rank;
    memcpy(weight->extent, t->extent, sizeof weight->extent);
    weight->data = t->data;
    weight->bytes = t->bytes;
    return true;
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
        s = het__tokenizer_create(mem, &v, tokenizer, err);
    }
    het__free(mem, scores);
    het__free(mem, types);
    return s;
}
