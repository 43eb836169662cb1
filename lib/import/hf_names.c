/* SPDX-License-Identifier: Apache-2.0 */
/* The tables. A name is a prefix of the model around the language model, "layers.N." in blocks, and
 * an entry below; '#' in an entry stands for a number. */
#include "lib/import/hf_names.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Most parts of a stack: experts of a layer, streams. */
#define PARTS_MAX 65536
#define LAYERS_MAX 1000000

static const het__hf_family families[] = {
    { "gemma", false, true },   { "gemma2", true, true },   { "gemma3", true, true },
    { "gemma3n", true, false }, { "llama", false, false },  { "phi3", false, false },
    { "phimoe", false, false }, { "qwen2", false, false },  { "qwen3", false, false },
    { "qwen3moe", false, false }, { "smollm3", false, false },
};

typedef struct entry {
    const char *from, *to;
} entry;

/* The model as a whole; longer prefixes first. */
static const char *const prefixes[] = {
    "model.language_model.", "language_model.model.", "language_model.", "model.",
};

static const entry globals[] = {
    { "embed_tokens.weight", "token_embd.weight" },
    { "norm.weight", "output_norm.weight" },
    { "norm.bias", "output_norm.bias" },
    { "lm_head.weight", "output.weight" },
    { "lm_head.bias", "output.bias" },
    { "embed_tokens_per_layer.weight", "per_layer_token_embd.weight" },
    { "per_layer_model_projection.weight", "per_layer_model_proj.weight" },
    { "per_layer_projection_norm.weight", "per_layer_proj_norm.weight" },
    { "altup_projections.#.weight", "altup_proj.weight" },
    { "altup_unembed_projections.#.weight", "altup_unembd_proj.weight" },
};

/* ".weight" and ".bias" are carried over. */
static const entry in_layers[] = {
    { "self_attn.q_proj", "attn_q" },
    { "self_attn.k_proj", "attn_k" },
    { "self_attn.v_proj", "attn_v" },
    { "self_attn.o_proj", "attn_output" },
    { "self_attn.qkv_proj", "attn_qkv" },
    { "self_attn.q_norm", "attn_q_norm" },
    { "self_attn.k_norm", "attn_k_norm" },
    { "mlp.gate_proj", "ffn_gate" },
    { "mlp.up_proj", "ffn_up" },
    { "mlp.gate_up_proj", "ffn_up" },
    { "mlp.down_proj", "ffn_down" },
    { "mlp.gate", "ffn_gate_inp" },
    { "mlp.router", "ffn_gate_inp" },
    { "block_sparse_moe.gate", "ffn_gate_inp" },
    { "block_sparse_moe.router", "ffn_gate_inp" },
    { "mlp.experts.#.gate_proj", "ffn_gate_exps" },
    { "mlp.experts.#.up_proj", "ffn_up_exps" },
    { "mlp.experts.#.down_proj", "ffn_down_exps" },
    { "mlp.experts.#.w1", "ffn_gate_exps" },
    { "mlp.experts.#.w3", "ffn_up_exps" },
    { "mlp.experts.#.w2", "ffn_down_exps" },
    { "block_sparse_moe.experts.#.w1", "ffn_gate_exps" },
    { "block_sparse_moe.experts.#.w3", "ffn_up_exps" },
    { "block_sparse_moe.experts.#.w2", "ffn_down_exps" },
    { "input_layernorm", "attn_norm" },
    { "altup.correction_coefs", "altup_correct_coef" },
    { "altup.prediction_coefs", "altup_predict_coef" },
    { "altup.modality_router", "altup_router" },
    { "altup.router_norm", "altup_router_norm" },
    { "laurel.linear_left", "laurel_l" },
    { "laurel.linear_right", "laurel_r" },
    { "laurel.post_laurel_norm", "laurel_post_norm" },
    { "per_layer_input_gate", "inp_gate" },
    { "per_layer_projection", "proj" },
    { "post_per_layer_input_norm", "post_norm" },
};

static const entry with_two_norms[] = {
    { "post_attention_layernorm", "ffn_norm" },
};

static const entry with_four_norms[] = {
    { "post_attention_layernorm", "post_attention_norm" },
    { "pre_feedforward_layernorm", "ffn_norm" },
    { "post_feedforward_layernorm", "post_ffw_norm" },
};

/* Parameters without ".weight". */
static const entry bare[] = {
    { "altup.correct_output_scale", "altup_correct_scale.weight" },
    { "mlp.experts.down_proj", "ffn_down_exps.weight" },
};

/* Towers of other senses, and what can be computed. */
static const char *const others[] = {
    "vision_tower.", "model.vision_tower.", "audio_tower.", "model.audio_tower.", "embed_vision.",
    "model.embed_vision.", "embed_audio.", "model.embed_audio.", "multi_modal_projector.",
    "model.multi_modal_projector.",
};
static const char *const computed[] = { "rotary_emb.inv_freq", "embed_scale",
                                        "embed_scale.weight" };

#define COUNT(table) (sizeof(table) / sizeof(table)[0])

const het__hf_family *het__hf_family_of(const char *architecture)
{
    for (size_t i = 0; i < COUNT(families); i++)
        if (strcmp(families[i].architecture, architecture) == 0)
            return &families[i];
    return NULL;
}

/* A number without leading zeros; its end, or NULL. */
static const char *number(const char *p, unsigned long most, uint32_t *value)
{
    char *end;
    if (*p < '0' || *p > '9' || (*p == '0' && p[1] >= '0' && p[1] <= '9'))
        return NULL;
    const unsigned long n = strtoul(p, &end, 10);
    if (n >= most)
        return NULL;
    *value = (uint32_t)n;
    return end;
}

/* Whether text is the pattern; *counted: it has a number. */
static bool fits(const char *pattern, const char *text, uint32_t *part, bool *counted)
{
    *counted = false;
    for (; *pattern; pattern++) {
        if (*pattern != '#') {
            if (*text++ != *pattern)
                return false;
            continue;
        }
        text = number(text, PARTS_MAX, part);
        if (!text)
            return false;
        *counted = true;
    }
    return *text == '\0';
}

static const char *find(const entry *table, size_t count, const char *text, het__hf_name *out)
{
    for (size_t i = 0; i < count; i++) {
        bool counted;
        if (fits(table[i].from, text, &out->part, &counted)) {
            out->use = counted ? HET__HF_PART : HET__HF_WHOLE;
            return table[i].to;
        }
    }
    return NULL;
}

static void name_in_layer(const het__hf_family *family, uint32_t layer, const char *rest,
                          het__hf_name *out)
{
    char base[HET__HF_NAME_BYTES];
    const char *to = find(bare, COUNT(bare), rest, out);
    if (to) {
        snprintf(out->name, sizeof out->name, "blk.%u.%s", layer, to);
        return;
    }
    if (strcmp(rest, "mlp.experts.gate_up_proj") == 0) {
        out->use = HET__HF_HALVES;
        snprintf(out->name, sizeof out->name, "blk.%u.ffn_gate_exps.weight", layer);
        return;
    }
    const char *kind = strrchr(rest, '.');
    if (!kind || (strcmp(kind, ".weight") != 0 && strcmp(kind, ".bias") != 0) ||
        (size_t)(kind - rest) >= sizeof base)
        return;
    snprintf(base, sizeof base, "%.*s", (int)(kind - rest), rest);
    to = find(in_layers, COUNT(in_layers), base, out);
    if (!to)
        to = family->four_norms ? find(with_four_norms, COUNT(with_four_norms), base, out)
                                : find(with_two_norms, COUNT(with_two_norms), base, out);
    if (to)
        snprintf(out->name, sizeof out->name, "blk.%u.%s%s", layer, to, kind);
}

static bool is_other(const char *name)
{
    const size_t n = strlen(name);
    for (size_t i = 0; i < COUNT(others); i++)
        if (strncmp(name, others[i], strlen(others[i])) == 0)
            return true;
    for (size_t i = 0; i < COUNT(computed); i++) {
        const size_t m = strlen(computed[i]);
        if (n >= m && strcmp(name + n - m, computed[i]) == 0)
            return true;
    }
    return false;
}

void het__hf_name_of(const het__hf_family *family, const char *name, het__hf_name *out)
{
    uint32_t layer;
    *out = (het__hf_name){ .use = HET__HF_UNKNOWN };
    if (is_other(name)) {
        out->use = HET__HF_OTHER;
        return;
    }
    for (size_t i = 0; i < COUNT(prefixes); i++)
        if (strncmp(name, prefixes[i], strlen(prefixes[i])) == 0) {
            name += strlen(prefixes[i]);
            break;
        }
    if (strncmp(name, "layers.", 7) == 0) {
        const char *end = number(name + 7, LAYERS_MAX, &layer);
        if (end && *end == '.')
            name_in_layer(family, layer, end + 1, out);
        return;
    }
    const char *to = find(globals, COUNT(globals), name, out);
    if (to)
        snprintf(out->name, sizeof out->name, "%s", to);
}
