/* SPDX-License-Identifier: Apache-2.0 */
/* From the keys of config.json to the terms of het__lm_config. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "lib/base/error.h"
#include "lib/import/config_parts.h"

/* As for GGUF: no model has more, and products of sizes stay far from overflow. */
#define SIZE_LIMIT ((int64_t)1 << 24)
#define LAYERS_LIMIT 4096
#define HEADS_LIMIT 65536

/* Where biases stand. */
typedef enum bias_rule {
    BIAS_STATED, /* "attention_bias": q, k, v and output */
    BIAS_QKV,    /* always, but not on the output */
    BIAS_NONE,
} bias_rule;

/* What follows from model_type: the family, and what the authors' class fixes. */
typedef struct model_type {
    const char *name, *architecture;
    bool is_tied;
    bias_rule bias;
} model_type;

static const model_type model_types[] = {
    { "gemma", "gemma", true, BIAS_STATED },
    { "gemma2", "gemma2", true, BIAS_STATED },
    { "gemma3", "gemma3", true, BIAS_STATED },
    { "gemma3_text", "gemma3", true, BIAS_STATED },
    { "gemma3n", "gemma3n", true, BIAS_STATED },
    { "gemma3n_text", "gemma3n", true, BIAS_STATED },
    { "llama", "llama", false, BIAS_STATED },
    { "mistral", "llama", false, BIAS_NONE },
    { "mixtral", "llama", false, BIAS_NONE },
    { "phi3", "phi3", false, BIAS_NONE },
    { "phimoe", "phimoe", false, BIAS_STATED },
    { "qwen2", "qwen2", false, BIAS_QKV },
    { "qwen3", "qwen3", false, BIAS_STATED },
    { "qwen3_moe", "qwen3moe", false, BIAS_STATED },
    { "slimmoe", "phimoe", false, BIAS_STATED },
    { "smollm3", "smollm3", true, BIAS_STATED },
};

static bool is_type(const het__config_reader *r, const char *name)
{
    return strcmp(r->type, name) == 0;
}

static const model_type *find_type(const het__config_reader *r)
{
    for (size_t i = 0; i < sizeof model_types / sizeof model_types[0]; i++)
        if (is_type(r, model_types[i].name))
            return &model_types[i];
    return NULL;
}

/* ---- sizes ---- */

static void read_sizes(het__config_reader *r, het__lm_config *c)
{
    c->layers = het__config_int(r, "num_hidden_layers", 0, 1, LAYERS_LIMIT);
    c->width = het__config_int(r, "hidden_size", 0, 1, SIZE_LIMIT);
    c->vocabulary = het__config_int(r, "vocab_size", 0, 1, SIZE_LIMIT);
    c->context = het__config_int(r, "max_position_embeddings", 0, 1, INT32_MAX);
    c->heads = (int32_t)het__config_int(r, "num_attention_heads", 0, 1, HEADS_LIMIT);
    c->kv_heads = (int32_t)het__config_int(r, "num_key_value_heads", c->heads, 1, HEADS_LIMIT);
    const int64_t head = c->width / c->heads > 0 ? c->width / c->heads : 1;
    c->head_size = (int32_t)het__config_int(r, "head_dim", head, 1, HEADS_LIMIT);
    if (c->heads % c->kv_heads != 0)
        het__config_refuse(r, HET_E_FORMAT, "%d heads are not a multiple of %d key heads",
                           c->heads, c->kv_heads);
    c->norm_eps = (float)het__config_real(r, "rms_norm_eps", 1e-6);
    if (c->norm_eps < 0)
        het__config_refuse(r, HET_E_FORMAT, "rms_norm_eps is negative");
}

static void read_experts(het__config_reader *r, het__lm_config *c)
{
    const bool is_qwen = is_type(r, "qwen3_moe");
    const bool other_name = is_qwen && !het__config_has(r, "num_local_experts");
    const char *key = other_name ? "num_experts" : "num_local_experts";
    c->experts = het__config_int(r, key, 0, 0, HET__EXPERTS_MAX);
    if (c->experts == 0)
        return;
    c->experts_used = het__config_int(r, "num_experts_per_tok", 0, 1, HET__EXPERTS_USED_MAX);
    c->expert_width = het__config_int(r, "moe_intermediate_size", 0, 0, SIZE_LIMIT);
    c->router_jitter = (float)het__config_real(r, "router_jitter_noise", 0);
    c->experts_norm_given = is_qwen || het__config_get(r, "norm_topk_prob");
    c->experts_norm = het__config_bool(r, "norm_topk_prob", false);
    if (is_qwen && (het__config_int(r, "decoder_sparse_step", 1, 1, LAYERS_LIMIT) != 1 ||
                    json_array_size(het__config_get(r, "mlp_only_layers")) > 0))
        het__config_refuse(r, HET_E_UNSUPPORTED,
                           "layers with and without experts in one model are not supported");
}

/* ---- attention ---- */

static void read_pattern(het__config_reader *r, het__lm_config *c)
{
    const json_t *types = het__config_get(r, "layer_types");
    const int64_t period = het__config_int(r, "sliding_window_pattern", 0, 0, LAYERS_LIMIT);
    if (types && json_array_size(types) != (size_t)c->layers) {
        het__config_refuse(r, HET_E_FORMAT, "layer_types does not have one entry per layer");
        return;
    }
    c->pattern_given = types || period > 0;
    for (int64_t i = 0; c->pattern_given && i < c->layers; i++) {
        const char *type = json_string_value(json_array_get(types, (size_t)i));
        if (types && !type)
            het__config_refuse(r, HET_E_FORMAT, "layer_types is not a list of texts");
        c->layer[i].is_local = type ? strcmp(type, "sliding_attention") == 0 && c->window > 0
                                    : period > 0 && (i + 1) % period != 0;
        if (type && strcmp(type, "sliding_attention") != 0 && strcmp(type, "full_attention") != 0)
            het__config_refuse(r, HET_E_UNSUPPORTED, "layers of type \"%.40s\" are not supported",
                               type);
    }
}

/* Qwen's windows begin with a layer; its and SmolLM3's are off unless they are said to be on. */
static void read_window(het__config_reader *r, het__lm_config *c)
{
    const bool is_off = strncmp(r->type, "qwen", 4) == 0 || is_type(r, "smollm3");
    const bool has_window = strcmp(r->type, "llama") != 0 && strcmp(r->type, "gemma") != 0 &&
                            het__config_bool(r, "use_sliding_window", !is_off);
    if (has_window)
        c->window = (int32_t)het__config_int(r, "sliding_window", 0, 0, INT32_MAX - 1);
}

/* Which layers rotate: a list of ones and zeros, or every so many do not. Without types of layers,
 * those are the ones that have a window, if any has. */
static void read_unrotated(het__config_reader *r, het__lm_config *c)
{
    const json_t *list = het__config_get(r, "no_rope_layers");
    if (!is_type(r, "smollm3"))
        return;
    const int64_t interval = het__config_int(r, "no_rope_layer_interval", 4, 1, INT32_MAX);
    if (list && json_array_size(list) < (size_t)c->layers)
        het__config_refuse(r, HET_E_FORMAT, "no_rope_layers does not have one entry per layer");
    c->no_rope_given = true;
    for (int64_t i = 0; r->status == HET_OK && i < c->layers; i++) {
        double turns = (i + 1) % interval != 0;
        if (list && !het__config_number(json_array_get(list, (size_t)i), &turns))
            het__config_refuse(r, HET_E_FORMAT, "no_rope_layers is not a list of numbers");
        c->layer[i].no_rope = turns == 0;
        if (!c->pattern_given)
            c->layer[i].is_local = c->window > 0 && turns == 0;
    }
}

static void late_windows(het__config_reader *r, het__lm_config *c)
{
    const int64_t first = het__config_int(r, "max_window_layers", 0, 0, LAYERS_LIMIT);
    for (int64_t i = 0; !c->pattern_given && i < first && i < c->layers; i++)
        c->layer[i].is_local = false;
}

static void read_attention(het__config_reader *r, const model_type *type, het__lm_config *c)
{
    const bool stated = het__config_bool(r, "attention_bias", false);
    c->qkv_bias = type->bias == BIAS_QKV || (type->bias == BIAS_STATED && stated);
    c->output_bias = type->bias == BIAS_STATED && stated;
    c->head_bias = het__config_bool(r, "lm_head_bias", false);
    c->attention_cap = (float)het__config_real(r, "attn_logit_softcapping", 0);
    c->logit_cap = (float)het__config_real(r, "final_logit_softcapping", 0);
    const double scalar = het__config_real(r, "query_pre_attn_scalar", 0);
    if (scalar > 0)
        c->attention_scale = (float)(1 / sqrt(scalar));
    if (c->attention_cap < 0 || c->logit_cap < 0 || scalar < 0)
        het__config_refuse(r, HET_E_FORMAT, "a cap or query_pre_attn_scalar is negative");
    if (het__config_bool(r, "mlp_bias", false))
        het__config_refuse(r, HET_E_UNSUPPORTED, "mlp_bias is not supported");
}

/* ---- feed-forward ---- */

/* One number, or one for each layer. */
static void read_ffn_widths(het__config_reader *r, het__lm_config *c)
{
    const json_t *list = het__config_get(r, "intermediate_size");
    for (int64_t i = 0; json_is_array(list) && i < c->layers; i++) {
        double n = 0;
        if (json_array_size(list) != (size_t)c->layers ||
            !het__config_number(json_array_get(list, (size_t)i), &n) || n < 1 ||
            n > (double)SIZE_LIMIT)
            het__config_refuse(r, HET_E_FORMAT,
                               "intermediate_size is not a list of sizes, one per layer");
        c->layer[i].ffn_width = (int64_t)n;
    }
}

/* How many standard deviations from the mean a share of a normal distribution lies below. */
static double quantile(double share)
{
    double low = -40, high = 40;
    for (int i = 0; i < 200; i++) {
        const double middle = (low + high) / 2;
        if (0.5 * erfc(-middle * 0.70710678118654752440) < share)
            low = middle;
        else
            high = middle;
    }
    return high;
}

static void read_sparsity(het__config_reader *r, het__lm_config *c)
{
    const json_t *list = het__config_get(r, "activation_sparsity_pattern");
    if (!list)
        return;
    c->cut_given = true;
    for (int64_t i = 0; i < c->layers; i++) {
        double share = 0;
        const json_t *v = json_is_array(list) ? json_array_get(list, (size_t)i) : list;
        if (!het__config_number(v, &share) || share < 0 || share >= 1) {
            het__config_refuse(r, HET_E_FORMAT,
                               "activation_sparsity_pattern is not a share for each layer");
            return;
        }
        c->layer[i].is_cut = share > 0;
        c->layer[i].cut = share > 0 ? (float)quantile(share) : 0;
    }
}

/* What the family computes must be what the file asks for. */
static void check_activation(het__config_reader *r, const het__lm_config *c)
{
    char act[40];
    const char *name = het__config_text(r, "hidden_activation", act, sizeof act);
    if (!*name)
        name = het__config_text(r, "hidden_act", act, sizeof act);
    const bool is_gelu = strncmp(name, "gelu", 4) == 0;
    const bool is_silu = strcmp(name, "silu") == 0 || strcmp(name, "swish") == 0;
    if (*name && (c->act == HET__UNARY_SILU ? !is_silu : !is_gelu))
        het__config_refuse(r, HET_E_UNSUPPORTED,
                           "activation \"%s\" is not what family %s computes", name,
                           c->architecture);
}

static void read_streams(het__config_reader *r, het__lm_config *c)
{
    c->streams = (int32_t)het__config_int(r, "altup_num_inputs", 0, 1, HET__LM_STREAMS_MAX);
    c->stream_active = (int32_t)het__config_int(r, "altup_active_idx", 0, 0, HET__LM_STREAMS_MAX);
    c->laurel_rank = het__config_int(r, "laurel_rank", 0, 1, SIZE_LIMIT);
    c->per_layer_width = het__config_int(r, "hidden_size_per_layer_input", 0, 1, SIZE_LIMIT);
    c->per_layer_vocabulary =
        het__config_int(r, "vocab_size_per_layer_input", 0, 1, SIZE_LIMIT);
    c->shared_kv_layers = het__config_int(r, "num_kv_shared_layers", 0, 0, LAYERS_LIMIT);
    if (!het__config_bool(r, "altup_correct_scale", true))
        het__config_refuse(r, HET_E_UNSUPPORTED, "altup_correct_scale false is not supported");
    read_sparsity(r, c);
}

/* ---- the whole ---- */

static het_dtype read_dtype(het__config_reader *r)
{
    static const struct { const char *name; het_dtype dtype; } types[] = {
        { "float32", HET_DTYPE_F32 }, { "float16", HET_DTYPE_F16 }, { "bfloat16", HET_DTYPE_BF16 },
    };
    const json_t *v = NULL;
    const json_t *const objects[] = { r->object, r->root };
    for (size_t i = 0; i < 2 && !v; i++) {
        v = json_object_get(objects[i], "torch_dtype");
        v = v ? v : json_object_get(objects[i], "dtype");
    }
    const char *name = json_string_value(v);
    if (name && strncmp(name, "torch.", 6) == 0)
        name += 6;
    for (size_t i = 0; name && i < sizeof types / sizeof types[0]; i++)
        if (strcmp(types[i].name, name) == 0)
            return types[i].dtype;
    return HET_DTYPE_BF16;
}

static void read_tied(het__config_reader *r, const model_type *type, het__lm_config *c)
{
    het__config_reader root = *r;
    root.object = r->root;
    const het__config_reader *holder = het__config_get(r, "tie_word_embeddings") ? r : &root;
    c->tied = type->is_tied;
    if (het__config_get(holder, "tie_word_embeddings"))
        c->tied = json_is_true(het__config_get(holder, "tie_word_embeddings"));
}

void het__config_fill(het__config_reader *r, het__arena *arena, het__config *config)
{
    het__lm_config *c = &config->lm;
    const model_type *type = find_type(r);
    snprintf(c->architecture, sizeof c->architecture, "%.31s",
             type ? type->architecture : r->type);
    if (!type) {
        het__config_refuse(r, *r->type ? HET_E_UNSUPPORTED : HET_E_FORMAT,
                           *r->type ? "model_type \"%.40s\" is not supported (families: %s)"
                                    : "model_type is missing",
                           r->type, het__lm_family_list());
        return;
    }
    if (is_type(r, "gemma3") || is_type(r, "gemma3n")) /* the model around the text model */
        r->type = is_type(r, "gemma3") ? "gemma3_text" : "gemma3n_text";
    if (is_type(r, "slimmoe"))
        r->type = "phimoe";
    config->dtype = read_dtype(r);
    read_sizes(r, c);
    if (!json_is_array(het__config_get(r, "intermediate_size")))
        c->ffn_width = het__config_int(r, "intermediate_size", 0, 1, SIZE_LIMIT);
    read_experts(r, c);
    read_window(r, c);
    if (r->status == HET_OK && !het__lm_layers_init(c, arena))
        r->status = het__fail_nomem(r->err, "the configuration");
    if (r->status != HET_OK)
        return;
    read_ffn_widths(r, c);
    het__config_rope(r, arena, config);
    read_pattern(r, c);
    read_unrotated(r, c);
    late_windows(r, c);
    read_attention(r, type, c);
    read_tied(r, type, c);
    if (strcmp(c->architecture, "gemma3n") == 0)
        read_streams(r, c);
    config->family = het__lm_family_of(c->architecture);
    if (r->status == HET_OK)
        r->status = het__lm_configure(config->family, c, r->err);
    if (r->status == HET_OK)
        check_activation(r, c);
}
