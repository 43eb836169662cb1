/* SPDX-License-Identifier: Apache-2.0 */
/* The file as a whole, and access to keys. */
#include "lib/import/config.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "lib/base/error.h"
#include "lib/import/config_parts.h"

/* ---- values that the authors' classes give to missing keys ---- */

typedef struct class_default {
    const char *type, *key;
    double value;
} class_default;

static const class_default class_defaults[] = {
    { "gemma", "head_dim", 256 },
    { "gemma2", "head_dim", 256 },
    { "gemma2", "sliding_window", 4096 },
    { "gemma2", "query_pre_attn_scalar", 256 },
    { "gemma2", "attn_logit_softcapping", 50 },
    { "gemma2", "final_logit_softcapping", 30 },
    { "gemma3_text", "vocab_size", 262208 },
    { "gemma3_text", "num_attention_heads", 8 },
    { "gemma3_text", "num_key_value_heads", 4 },
    { "gemma3_text", "head_dim", 256 },
    { "gemma3_text", "max_position_embeddings", 131072 },
    { "gemma3_text", "rope_theta", 1e6 },
    { "gemma3_text", "sliding_window", 4096 },
    { "gemma3_text", "query_pre_attn_scalar", 256 },
    { "gemma3n_text", "vocab_size", 262400 },
    { "gemma3n_text", "hidden_size", 2048 },
    { "gemma3n_text", "intermediate_size", 16384 },
    { "gemma3n_text", "num_hidden_layers", 35 },
    { "gemma3n_text", "num_attention_heads", 8 },
    { "gemma3n_text", "num_key_value_heads", 2 },
    { "gemma3n_text", "head_dim", 256 },
    { "gemma3n_text", "max_position_embeddings", 32768 },
    { "gemma3n_text", "rope_theta", 1e6 },
    { "gemma3n_text", "sliding_window", 512 },
    { "gemma3n_text", "final_logit_softcapping", 30 },
    { "gemma3n_text", "vocab_size_per_layer_input", 262144 },
    { "gemma3n_text", "hidden_size_per_layer_input", 256 },
    { "gemma3n_text", "altup_num_inputs", 4 },
    { "gemma3n_text", "num_kv_shared_layers", 15 },
    { "gemma3n_text", "laurel_rank", 64 },
    { "mistral", "rms_norm_eps", 1e-6 },
    { "mixtral", "rms_norm_eps", 1e-5 },
    { "mixtral", "num_local_experts", 8 },
    { "mixtral", "num_experts_per_tok", 2 },
    { "mixtral", "rope_theta", 1e6 },
    { "phi3", "rms_norm_eps", 1e-5 },
    { "phimoe", "rms_norm_eps", 1e-5 },
    { "phimoe", "num_local_experts", 16 },
    { "phimoe", "num_experts_per_tok", 2 },
    { "phimoe", "rope_theta", 1e6 },
    { "phimoe", "router_jitter_noise", 0.01 },
    { "qwen3", "head_dim", 128 },
    { "qwen3_moe", "num_experts", 128 },
    { "qwen3_moe", "num_experts_per_tok", 8 },
    { "qwen3_moe", "moe_intermediate_size", 768 },
    { "smollm3", "rope_theta", 2e6 },
};

static double class_value(const het__config_reader *r, const char *key, double fallback)
{
    for (size_t i = 0; i < sizeof class_defaults / sizeof class_defaults[0]; i++)
        if (strcmp(class_defaults[i].type, r->type) == 0 &&
            strcmp(class_defaults[i].key, key) == 0)
            return class_defaults[i].value;
    return fallback;
}

/* ---- keys ---- */

void het__config_refuse(het__config_reader *r, het_status status, const char *format, ...)
{
    char text[200];
    if (r->status != HET_OK)
        return;
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    r->status = het__fail(r->err, status, "config.json: %s", het__printable(text));
}

const json_t *het__config_get(const het__config_reader *r, const char *key)
{
    const json_t *v = json_object_get(r->object, key);
    return json_is_null(v) ? NULL : v;
}

bool het__config_has(const het__config_reader *r, const char *key)
{
    return json_object_get(r->object, key) != NULL;
}

bool het__config_number(const json_t *value, double *number)
{
    if (!json_is_number(value) || !isfinite(json_number_value(value)))
        return false;
    *number = json_number_value(value);
    return true;
}

/* Whole numbers may be written as 4096 or 4096.0. */
static bool whole(const json_t *value, int64_t *number)
{
    double d;
    if (json_is_integer(value)) {
        *number = json_integer_value(value);
        return true;
    }
    if (!het__config_number(value, &d) || d != floor(d) || fabs(d) > 9e15)
        return false;
    *number = (int64_t)d;
    return true;
}

int64_t het__config_int(het__config_reader *r, const char *key, int64_t fallback, int64_t least,
                        int64_t most)
{
    const json_t *v = het__config_get(r, key);
    int64_t n = fallback;
    if (!v && !het__config_has(r, key))
        n = (int64_t)class_value(r, key, (double)fallback);
    if (!v && n < least)
        het__config_refuse(r, HET_E_FORMAT, "%s is missing", key);
    else if (v && !whole(v, &n))
        het__config_refuse(r, HET_E_FORMAT, "%s is not a whole number", key);
    else if (v && (n < least || n > most))
        het__config_refuse(r, HET_E_FORMAT, "%s is %lld, not in %lld to %lld", key, (long long)n,
                           (long long)least, (long long)most);
    return r->status == HET_OK ? n : least > 0 ? least : 0;
}

double het__config_real(het__config_reader *r, const char *key, double fallback)
{
    const json_t *v = het__config_get(r, key);
    double d = fallback;
    if (!v && !het__config_has(r, key))
        d = class_value(r, key, fallback);
    if (v && (!het__config_number(v, &d) || fabs(d) > 1e30))
        het__config_refuse(r, HET_E_FORMAT, "%s is not a number", key);
    return r->status == HET_OK ? d : 0;
}

bool het__config_bool(het__config_reader *r, const char *key, bool fallback)
{
    const json_t *v = het__config_get(r, key);
    if (!v)
        return fallback;
    if (!json_is_boolean(v))
        het__config_refuse(r, HET_E_FORMAT, "%s is neither true nor false", key);
    return json_is_true(v);
}

const char *het__config_text(het__config_reader *r, const char *key, char *buffer, size_t bytes)
{
    const json_t *v = het__config_get(r, key);
    if (v && !json_is_string(v))
        het__config_refuse(r, HET_E_FORMAT, "%s is not a text", key);
    snprintf(buffer, bytes, "%s", json_is_string(v) ? json_string_value(v) : "");
    return buffer;
}

/* ---- the file ---- */

bool het__config_sniff(const void *data, size_t bytes)
{
    const char *p = data;
    size_t i = bytes >= 3 && memcmp(p, "\xef\xbb\xbf", 3) == 0 ? 3 : 0;
    while (i < bytes && (p[i] == ' ' || p[i] == '\t' || p[i] == '\r' || p[i] == '\n'))
        i++;
    return i < bytes && p[i] == '{';
}

/* A model of text and images keeps its language model under "text_config". */
static void choose_object(het__config_reader *r, const json_t *root)
{
    const json_t *text = json_object_get(root, "text_config");
    r->root = root;
    r->object = json_is_object(text) ? text : root;
    const char *type = json_string_value(json_object_get(r->object, "model_type"));
    if (!type)
        type = json_string_value(json_object_get(root, "model_type"));
    r->type = type ? type : "";
}

het_status het__config_read(const void *data, size_t bytes, het__arena *arena,
                            het__config *config, het_error *err)
{
    json_t *root = NULL;
    memset(config, 0, sizeof *config);
    config->name = "";
    const het__json_limits limits = { HET__CONFIG_BYTES_MAX, HET__CONFIG_DEPTH_MAX };
    const het_status s = het__json_read("config.json", data, bytes, &limits, &root, err);
    if (s != HET_OK)
        return s;
    het__config_reader r = { .err = err };
    choose_object(&r, root);
    const char *name = json_string_value(json_object_get(root, "_name_or_path"));
    if (name)
        config->name = het__arena_strdup(arena, name);
    if (!het__config_list(root, "", arena, config) || !config->name)
        r.status = het__fail_nomem(err, "the configuration");
    if (r.status == HET_OK)
        het__config_fill(&r, arena, config);
    json_decref(root);
    return r.status;
}
