/* SPDX-License-Identifier: Apache-2.0 */
/* Language models of random weights as GGUF files in memory, or, with true sizes and no data, as
 * sparse files.
 *
 *     tiny_options o = TINY_LLAMA;
 *     o.layers = 3;
 *     tiny_model m;
 *     tiny_make(&m, &o);        // m.file, m.bytes; tiny_tensor_of(&m, "output.weight")->values
 *     tiny_free(&m);
 *
 * Running out of memory ends the program: it is a test. */
#ifndef HETINFER_TINY_MODEL_H
#define HETINFER_TINY_MODEL_H

#include <stdbool.h>
#include <stdio.h>

#include "gguf_writer.h"
#include "test.h"

typedef struct tiny_options {
    const char *architecture; /* "llama", "qwen2", "qwen3", "phi3" */
    uint32_t layers, width, ffn, heads, kv_heads, head_size, vocabulary, context;
    uint32_t type;    /* GW_F32 … of the matrices; norms and biases are F32 */
    bool tied;        /* no output.weight */
    bool words;       /* a SentencePiece vocabulary: needs 288 tokens */
    bool no_data;     /* records of tensors only, for sizes beyond memory */
    uint32_t window;  /* 0: none */
    uint32_t rotated; /* 0: the whole head */
    float theta;      /* 0: 10000 */
    uint32_t factors; /* rope_freqs.weight has as many elements; 0: none */
    uint64_t seed;
    const char *without;   /* tensor or metadata key left out */
    const char *misshapen; /* tensor with a row too many */
    void (*more)(gw *g);   /* further metadata; may be NULL */
} tiny_options;

#define TINY_LLAMA                                                                            \
    { .architecture = "llama", .layers = 2, .width = 64, .ffn = 96, .heads = 4, .kv_heads = 2, \
      .head_size = 16, .vocabulary = 120, .context = 512, .seed = 1 }

typedef struct tiny_tensor {
    char name[48];
    uint64_t rows, columns; /* rows 0: a vector */
    float *values;          /* F32 only, else NULL */
} tiny_tensor;

typedef struct tiny_model {
    tiny_options o;
    void *file; /* aligned to 64 */
    size_t bytes;
    uint64_t data_bytes; /* with no_data: what follows the file's bytes */
    tiny_tensor tensors[512];
    uint32_t tensor_count;
    gw *g;
    uint64_t seed;
} tiny_model;

static inline const tiny_tensor *tiny_tensor_of(const tiny_model *m, const char *name)
{
    for (uint32_t i = 0; i < m->tensor_count; i++)
        if (strcmp(m->tensors[i].name, name) == 0)
            return &m->tensors[i];
    return NULL;
}

/* Elements and bytes of a block. */
static inline void tiny_block(uint32_t type, uint32_t *elements, uint32_t *bytes)
{
    static const struct { uint32_t type, elements, bytes; } blocks[] = {
        { GW_F32, 1, 4 }, { GW_F16, 1, 2 }, { GW_BF16, 1, 2 }, { GW_Q8_0, 32, 34 },
        { GW_Q4_0, 32, 18 }, { GW_Q4_1, 32, 20 }, { GW_Q5_0, 32, 22 }, { GW_Q4_K, 256, 144 },
        { GW_Q6_K, 256, 210 },
    };
    for (size_t i = 0; i < sizeof blocks / sizeof blocks[0]; i++)
        if (blocks[i].type == type) {
            *elements = blocks[i].elements;
            *bytes = blocks[i].bytes;
            return;
        }
    abort();
}

/* Half-precision number of magnitude 2^exponent to 2^(exponent + 1). */
static inline void tiny_half(tiny_model *m, uint8_t *p, int exponent, bool is_signed)
{
    const uint64_t r = test_random(&m->seed);
    const uint32_t bits = (uint32_t)(exponent + 15) << 10 | (uint32_t)(r >> 20 & 1023) |
                          (is_signed ? (uint32_t)(r >> 40 & 1) << 15 : 0);
    p[0] = (uint8_t)bits;
    p[1] = (uint8_t)(bits >> 8);
}

/* One block of random values around 0.1. Any bytes are valid but for the scales. */
static inline void tiny_fill_block(tiny_model *m, uint32_t type, uint32_t bytes, uint8_t *p)
{
    for (uint32_t i = 0; i < bytes; i++)
        p[i] = (uint8_t)(test_random(&m->seed) >> 33);
    switch (type) {
    case GW_F16:
        tiny_half(m, p, -4, true);
        break;
    case GW_BF16: {
        const float v = 0.2f * test_random_float(&m->seed);
        memcpy(p, (const uint8_t *)&v + 2, 2);
        break;
    }
    case GW_Q8_0:
        tiny_half(m, p, -10, false);
        break;
    case GW_Q4_1:
        tiny_half(m, p, -7, false);
        tiny_half(m, p + 2, -5, true);
        break;
    case GW_Q4_K:
        tiny_half(m, p, -12, false);
        tiny_half(m, p + 2, -10, false);
        break;
    case GW_Q6_K:
        tiny_half(m, p + 208, -16 + 3, false);
        break;
    default:
        tiny_half(m, p, -6, false);
    }
}

static inline void *tiny_data(tiny_model *m, tiny_tensor *t, uint32_t type, uint64_t count,
                              float centre, float spread, size_t *bytes)
{
    uint32_t block_elements, block_bytes;
    tiny_block(type, &block_elements, &block_bytes);
    *bytes = (size_t)(count / block_elements * block_bytes);
    uint8_t *data = malloc(*bytes + 1);
    if (!data)
        abort();
    if (type == GW_F32) {
        float *f = (float *)(void *)data;
        for (uint64_t i = 0; i < count; i++)
            f[i] = centre + spread * test_random_float(&m->seed);
        t->values = f;
    } else {
        for (uint64_t i = 0; i < count / block_elements; i++)
            tiny_fill_block(m, type, block_bytes, data + i * block_bytes);
    }
    return data;
}

static inline void tiny_add(tiny_model *m, const char *name, uint32_t type, uint64_t rows,
                            uint64_t columns, float centre, float spread)
{
    if (m->o.without && strcmp(m->o.without, name) == 0)
        return;
    if (m->o.misshapen && strcmp(m->o.misshapen, name) == 0)
        *(rows ? &rows : &columns) += 1;
    if (m->tensor_count == sizeof m->tensors / sizeof m->tensors[0])
        abort();
    tiny_tensor *t = &m->tensors[m->tensor_count++];
    snprintf(t->name, sizeof t->name, "%s", name);
    t->rows = rows;
    t->columns = columns;
    const uint64_t extents[2] = { columns, rows }, count = columns * (rows ? rows : 1);
    if (m->o.no_data) {
        uint32_t block_elements, block_bytes;
        tiny_block(type, &block_elements, &block_bytes);
        gw_tensor_at(m->g, name, type, rows ? 2 : 1, extents, m->data_bytes);
        m->data_bytes += (count / block_elements * block_bytes + 31) / 32 * 32;
        return;
    }
    size_t bytes;
    void *data = tiny_data(m, t, type, count, centre, spread, &bytes);
    gw_tensor(m->g, name, type, rows ? 2 : 1, extents, data, bytes);
    if (!t->values)
        free(data);
}

static inline void tiny_matrix(tiny_model *m, const char *name, uint64_t rows, uint64_t columns)
{
    tiny_add(m, name, m->o.type, rows, columns, 0, (float)sqrt(3.0 / (double)columns));
}

static inline void tiny_vector(tiny_model *m, const char *name, uint64_t columns, float centre)
{
    tiny_add(m, name, GW_F32, 0, columns, centre, 0.3f);
}

static inline bool tiny_is(const tiny_model *m, const char *architecture)
{
    return strcmp(m->o.architecture, architecture) == 0;
}

static inline void tiny_attention(tiny_model *m, uint32_t layer)
{
    const tiny_options *o = &m->o;
    const uint64_t q = (uint64_t)o->heads * o->head_size, kv = (uint64_t)o->kv_heads * o->head_size;
    char name[48];
#define TINY_NAME(what) (snprintf(name, sizeof name, "blk.%u.%s", layer, what), name)
    tiny_vector(m, TINY_NAME("attn_norm.weight"), o->width, 1);
    if (tiny_is(m, "phi3")) {
        tiny_matrix(m, TINY_NAME("attn_qkv.weight"), q + 2 * kv, o->width);
    } else {
        tiny_matrix(m, TINY_NAME("attn_q.weight"), q, o->width);
        tiny_matrix(m, TINY_NAME("attn_k.weight"), kv, o->width);
        tiny_matrix(m, TINY_NAME("attn_v.weight"), kv, o->width);
    }
    if (tiny_is(m, "qwen2")) {
        tiny_vector(m, TINY_NAME("attn_q.bias"), q, 0);
        tiny_vector(m, TINY_NAME("attn_k.bias"), kv, 0);
        tiny_vector(m, TINY_NAME("attn_v.bias"), kv, 0);
    }
    if (tiny_is(m, "qwen3")) {
        tiny_vector(m, TINY_NAME("attn_q_norm.weight"), o->head_size, 1);
        tiny_vector(m, TINY_NAME("attn_k_norm.weight"), o->head_size, 1);
    }
    tiny_matrix(m, TINY_NAME("attn_output.weight"), o->width, q);
}

static inline void tiny_ffn(tiny_model *m, uint32_t layer)
{
    const tiny_options *o = &m->o;
    char name[48];
    tiny_vector(m, TINY_NAME("ffn_norm.weight"), o->width, 1);
    if (tiny_is(m, "phi3")) {
        tiny_matrix(m, TINY_NAME("ffn_up.weight"), 2 * (uint64_t)o->ffn, o->width);
    } else {
        tiny_matrix(m, TINY_NAME("ffn_gate.weight"), o->ffn, o->width);
        tiny_matrix(m, TINY_NAME("ffn_up.weight"), o->ffn, o->width);
    }
    tiny_matrix(m, TINY_NAME("ffn_down.weight"), o->width, o->ffn);
#undef TINY_NAME
}

static inline void tiny_key(tiny_model *m, const char *name, uint32_t value)
{
    char key[96];
    snprintf(key, sizeof key, "%s.%s", m->o.architecture, name);
    if (value && !(m->o.without && strcmp(m->o.without, name) == 0))
        gw_u32(m->g, key, value);
}

static inline void tiny_metadata(tiny_model *m)
{
    const tiny_options *o = &m->o;
    char key[96];
    gw_string(m->g, "general.architecture", o->architecture);
    gw_string(m->g, "general.name", "tiny");
    tiny_key(m, "block_count", o->layers);
    tiny_key(m, "context_length", o->context);
    tiny_key(m, "embedding_length", o->width);
    tiny_key(m, "feed_forward_length", o->ffn);
    tiny_key(m, "attention.head_count", o->heads);
    tiny_key(m, "attention.head_count_kv", o->kv_heads);
    tiny_key(m, "attention.key_length", o->head_size);
    tiny_key(m, "attention.value_length", o->head_size);
    tiny_key(m, "attention.sliding_window", o->window);
    tiny_key(m, "rope.dimension_count", o->rotated);
    snprintf(key, sizeof key, "%s.attention.layer_norm_rms_epsilon", o->architecture);
    gw_f32(m->g, key, 1e-5f);
    snprintf(key, sizeof key, "%s.rope.freq_base", o->architecture);
    gw_f32(m->g, key, o->theta > 0 ? o->theta : 10000.0f);
}

/* <unk> <s> </s>, 256 bytes, a blank, letters, letters after a blank, made-up words. */
static inline void tiny_words(tiny_model *m)
{
    const uint32_t n = m->o.vocabulary;
    char (*text)[16] = calloc(n, sizeof *text);
    const char **tokens = calloc(n, sizeof *tokens);
    float *scores = calloc(n, sizeof *scores);
    int32_t *types = calloc(n, sizeof *types);
    if (!text || !tokens || !scores || !types)
        abort();
    for (uint32_t i = 0; i < n; i++) {
        tokens[i] = text[i];
        scores[i] = i < 259 ? 0 : -(float)i;
        types[i] = i == 0 ? 2 : i < 3 ? 3 : i < 259 ? 6 : 1;
        if (i < 3)
            strcpy(text[i], i == 0 ? "<unk>" : i == 1 ? "<s>" : "</s>");
        else if (i < 259)
            snprintf(text[i], sizeof text[i], "<0x%02X>", i - 3);
        else if (i == 259)
            strcpy(text[i], "\xe2\x96\x81");
        else if (i < 286)
            snprintf(text[i], sizeof text[i], "%c", (int)('a' + (i - 260)));
        else
            snprintf(text[i], sizeof text[i], "\xe2\x96\x81%c%u", (int)('a' + i % 26), i);
    }
    gw_string(m->g, "tokenizer.ggml.model", "llama");
    gw_array_string(m->g, "tokenizer.ggml.tokens", tokens, n);
    gw_array_f32(m->g, "tokenizer.ggml.scores", scores, n);
    gw_array_i32(m->g, "tokenizer.ggml.token_type", types, n);
    gw_u32(m->g, "tokenizer.ggml.bos_token_id", 1);
    gw_u32(m->g, "tokenizer.ggml.eos_token_id", 2);
    gw_u32(m->g, "tokenizer.ggml.unknown_token_id", 0);
    free(text);
    free(tokens);
    free(scores);
    free(types);
}

static inline void tiny_make(tiny_model *m, const tiny_options *o)
{
    memset(m, 0, sizeof *m);
    m->o = *o;
    m->seed = o->seed * UINT64_C(0x9e3779b97f4a7c15) + 1;
    m->g = gw_begin(3);
    tiny_metadata(m);
    if (o->words)
        tiny_words(m);
    if (o->more)
        o->more(m->g);
    tiny_add(m, "token_embd.weight", o->type, o->vocabulary, o->width, 0, 1);
    if (o->factors)
        tiny_vector(m, "rope_freqs.weight", o->factors, 1.5f);
    for (uint32_t i = 0; i < o->layers; i++) {
        tiny_attention(m, i);
        tiny_ffn(m, i);
    }
    tiny_vector(m, "output_norm.weight", o->width, 1);
    if (!o->tied)
        tiny_matrix(m, "output.weight", o->vocabulary, o->width);
    void *file = gw_finish(m->g, &m->bytes);
    m->file = aligned_alloc(64, (m->bytes + 63) / 64 * 64);
    if (!m->file)
        abort();
    memcpy(m->file, file, m->bytes);
    free(file);
    m->g = NULL;
}

static inline void tiny_free(tiny_model *m)
{
    for (uint32_t i = 0; i < m->tensor_count; i++)
        free(m->tensors[i].values);
    free(m->file);
    memset(m, 0, sizeof *m);
}

#endif /* HETINFER_TINY_MODEL_H */
