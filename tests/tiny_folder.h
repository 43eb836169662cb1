/* SPDX-License-Identifier: Apache-2.0 */
/* Safetensors files and Hugging Face folders of tiny models (tests/tiny_model.h; architectures
 * whose rows GGUF does not permute).
 *
 *     tiny_folder_write(&folder, &m, shards);    // an index if shards > 1
 *
 *     sw s = { 0 };                              // a file by itself
 *     sw_tensor(&s, "a", "F32", "2,3", values, sizeof values);
 *     sw_write(&s, path);                        // frees it
 */
#ifndef HETINFER_TINY_FOLDER_H
#define HETINFER_TINY_FOLDER_H

#include "folder.h"
#include "tiny_model.h"

typedef struct sw {
    char *header, *data;
    size_t header_bytes, bytes;
} sw;

static inline void sw_append(char **to, size_t *bytes, const void *data, size_t more)
{
    char *grown = realloc(*to, *bytes + more + 1);
    if (!grown)
        abort();
    memcpy(grown + *bytes, data, more);
    *bytes += more;
    *to = grown;
}

static inline void sw_tensor(sw *s, const char *name, const char *type, const char *shape,
                             const void *data, size_t bytes)
{
    char text[512];
    const int n = snprintf(text, sizeof text,
                           "%c\"%s\":{\"dtype\":\"%s\",\"shape\":[%s],\"data_offsets\":[%zu,%zu]}",
                           s->header ? ',' : '{', name, type, shape, s->bytes, s->bytes + bytes);
    sw_append(&s->header, &s->header_bytes, text, (size_t)n);
    sw_append(&s->data, &s->bytes, data, bytes);
}

static inline void sw_file(const char *path, const void *data, size_t bytes)
{
    FILE *f = fopen(path, "wb");
    if (!f || fwrite(data, 1, bytes, f) != bytes || fclose(f) != 0)
        abort();
}

static inline void sw_write(sw *s, const char *path)
{
    char *file = NULL;
    size_t bytes = 0;
    sw_append(&s->header, &s->header_bytes, s->header ? "}" : "{}", s->header ? 1 : 2);
    while (s->header_bytes % 8 != 0)
        sw_append(&s->header, &s->header_bytes, " ", 1);
    uint8_t length[8];
    for (int i = 0; i < 8; i++)
        length[i] = (uint8_t)((uint64_t)s->header_bytes >> 8 * i);
    sw_append(&file, &bytes, length, 8);
    sw_append(&file, &bytes, s->header, s->header_bytes);
    if (s->data)
        sw_append(&file, &bytes, s->data, s->bytes);
    sw_file(path, file, bytes);
    free(file);
    free(s->header);
    free(s->data);
    *s = (sw){ 0 };
}

/* The authors' name of a weight. */
static inline void tiny_folder_name(const char *name, char out[96])
{
    static const char *const pairs[][2] = {
        { "attn_norm", "input_layernorm" }, { "attn_qkv", "self_attn.qkv_proj" },
        { "attn_q_norm", "self_attn.q_norm" }, { "attn_k_norm", "self_attn.k_norm" },
        { "attn_q", "self_attn.q_proj" }, { "attn_k", "self_attn.k_proj" },
        { "attn_v", "self_attn.v_proj" }, { "attn_output", "self_attn.o_proj" },
        { "ffn_norm", "post_attention_layernorm" }, { "ffn_gate", "mlp.gate_proj" },
        { "ffn_up", "mlp.up_proj" }, { "ffn_down", "mlp.down_proj" },
        { "token_embd", "model.embed_tokens" }, { "output_norm", "model.norm" },
        { "output", "lm_head" },
    };
    char base[64];
    unsigned layer = 0;
    const bool inner = sscanf(name, "blk.%u.", &layer) == 1;
    snprintf(base, sizeof base, "%s", inner ? strchr(name + 4, '.') + 1 : name);
    char *kind = strrchr(base, '.');
    *kind++ = '\0';
    for (size_t i = 0; i < sizeof pairs / sizeof pairs[0]; i++) {
        if (strcmp(pairs[i][0], base) != 0)
            continue;
        if (inner)
            snprintf(out, 96, "model.layers.%u.%s.%s", layer, pairs[i][1], kind);
        else
            snprintf(out, 96, "%s.%s", pairs[i][1], kind);
        return;
    }
    abort();
}

static inline void tiny_folder_config(const test_folder *f, const tiny_model *m, const char *more)
{
    char text[2048];
    const tiny_options *o = &m->o;
    const int n = snprintf(
        text, sizeof text,
        "{\"model_type\":\"%s\",\"hidden_size\":%u,\"intermediate_size\":%u,"
        "\"num_hidden_layers\":%u,\"num_attention_heads\":%u,\"num_key_value_heads\":%u,"
        "\"head_dim\":%u,\"vocab_size\":%u,\"max_position_embeddings\":%u,"
        "\"rms_norm_eps\":1e-5,\"rope_theta\":10000.0,\"tie_word_embeddings\":%s%s}",
        o->architecture, o->width, o->ffn, o->layers, o->heads, o->kv_heads, o->head_size,
        o->vocabulary, o->context, o->tied ? "true" : "false", more);
    sw_file(test_folder_file(f, "config.json"), text, (size_t)n);
}

static inline const char *tiny_shard_name(int index, int count)
{
    static char name[64];
    if (count == 1)
        return "model.safetensors";
    snprintf(name, sizeof name, "model-%05d-of-%05d.safetensors", index + 1, count);
    return name;
}

/* F32 models only. Tensors are dealt out to the shards in turn. */
static inline void tiny_folder_write(const test_folder *f, const tiny_model *m, int shards)
{
    char *index = NULL;
    size_t bytes = 0;
    sw files[8] = { { 0 } };
    sw_append(&index, &bytes, "{\"weight_map\":{", 15);
    for (uint32_t i = 0; i < m->tensor_count; i++) {
        const tiny_tensor *t = &m->tensors[i];
        char name[96], shape[64], line[256];
        tiny_folder_name(t->name, name);
        snprintf(shape, sizeof shape, t->rows ? "%u,%u" : "%.0u%u", (unsigned)t->rows,
                 (unsigned)t->columns);
        const int at = (int)i % shards;
        sw_tensor(&files[at], name, "F32", shape, t->values,
                  (size_t)(t->columns * (t->rows ? t->rows : 1)) * sizeof(float));
        const int n = snprintf(line, sizeof line, "%s\"%s\":\"%s\"", i ? "," : "", name,
                               tiny_shard_name(at, shards));
        sw_append(&index, &bytes, line, (size_t)n);
    }
    sw_append(&index, &bytes, "}}", 2);
    for (int i = 0; i < shards; i++)
        sw_write(&files[i], test_folder_file(f, tiny_shard_name(i, shards)));
    if (shards > 1)
        sw_file(test_folder_file(f, "model.safetensors.index.json"), index, bytes);
    free(index);
    tiny_folder_config(f, m, "");
}

#endif /* HETINFER_TINY_FOLDER_H */
