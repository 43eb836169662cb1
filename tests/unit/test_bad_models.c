/* SPDX-License-Identifier: Apache-2.0 */
/* Well-formed files that are no model: the status says what to do, the message names the thing. */
#include <hetinfer.h>

#include "tiny_model.h"

static het_context *context;

static void heads_8(gw *g)
{
    gw_u32(g, "llama.attention.head_count", 8);
}

static void kv_heads_3(gw *g)
{
    gw_u32(g, "llama.attention.head_count_kv", 3);
}

static void heads_0(gw *g)
{
    gw_u32(g, "llama.attention.head_count", 0);
}

static void width_text(gw *g)
{
    gw_string(g, "llama.embedding_length", "wide");
}

static void layers_million(gw *g)
{
    gw_u32(g, "llama.block_count", 1000000);
}

static void ntk(gw *g)
{
    gw_string(g, "llama.rope.scaling.type", "ntk");
}

static void values_8(gw *g)
{
    gw_u32(g, "llama.attention.value_length", 8);
}

static void experts(gw *g)
{
    gw_u32(g, "llama.expert_count", 4);
}

static void vocabulary(gw *g, uint32_t tokens, uint32_t scores)
{
    static char text[200][8];
    const char *names[200];
    float values[200] = { 0 };
    for (uint32_t i = 0; i < tokens; i++) {
        snprintf(text[i], sizeof text[i], "t%u", i);
        names[i] = text[i];
    }
    gw_string(g, "tokenizer.ggml.model", "llama");
    gw_array_string(g, "tokenizer.ggml.tokens", names, tokens);
    gw_array_f32(g, "tokenizer.ggml.scores", values, scores);
}

static void tokens_130(gw *g)
{
    vocabulary(g, 130, 130);
}

static void scores_119(gw *g)
{
    vocabulary(g, 120, 119);
}

static void unknown_tokenizer(gw *g)
{
    gw_string(g, "tokenizer.ggml.model", "hieroglyphs");
    gw_array_string(g, "tokenizer.ggml.tokens", (const char *[]){ "a", "b" }, 2);
}

/* A weight that the family's block does not have: leaving it out would change the answer. */
static void stray_bias(gw *g)
{
    static const float zeros[96];
    const uint64_t extent[1] = { 96 };
    gw_tensor(g, "blk.0.ffn_up.bias", 0, 1, extent, zeros, sizeof zeros);
}

typedef struct bad {
    const char *architecture, *without, *misshapen;
    uint32_t rotated;
    void (*more)(gw *g);
    het_status status;
    const char *names;
} bad;

static const bad cases[] = {
    { .without = "token_embd.weight", .status = HET_E_FORMAT, .names = "token_embd.weight" },
    { .without = "output_norm.weight", .status = HET_E_FORMAT, .names = "output_norm.weight" },
    { .without = "blk.1.ffn_down.weight", .status = HET_E_FORMAT,
      .names = "blk.1.ffn_down.weight" },
    { .without = "blk.0.attn_norm.weight", .status = HET_E_FORMAT,
      .names = "blk.0.attn_norm.weight" },
    { .architecture = "phi3", .without = "blk.1.attn_qkv.weight", .status = HET_E_FORMAT,
      .names = "blk.1.attn_qkv.weight" },
    { .architecture = "qwen3", .without = "blk.0.attn_k_norm.weight", .status = HET_E_FORMAT,
      .names = "blk.0.attn_k_norm.weight" },
    { .misshapen = "blk.0.attn_k.weight", .status = HET_E_FORMAT,
      .names = "blk.0.attn_k.weight is [33, 64]" },
    { .misshapen = "blk.1.ffn_norm.weight", .status = HET_E_FORMAT,
      .names = "blk.1.ffn_norm.weight" },
    { .misshapen = "output.weight", .status = HET_E_FORMAT, .names = "output.weight is [121, 64]" },
    { .architecture = "phi3", .misshapen = "blk.0.ffn_up.weight", .status = HET_E_FORMAT,
      .names = "blk.0.ffn_up.weight" },
    { .architecture = "qwen2", .misshapen = "blk.0.attn_q.bias", .status = HET_E_FORMAT,
      .names = "blk.0.attn_q.bias" },
    { .without = "block_count", .status = HET_E_FORMAT, .names = "llama.block_count" },
    { .without = "context_length", .status = HET_E_FORMAT, .names = "llama.context_length" },
    { .without = "attention.head_count", .status = HET_E_FORMAT,
      .names = "llama.attention.head_count" },
    { .without = "attention.head_count", .more = heads_8, .status = HET_E_FORMAT,
      .names = "blk.0.attn_q.weight" },
    { .without = "attention.head_count", .more = heads_0, .status = HET_E_FORMAT,
      .names = "head_count is 0" },
    { .without = "attention.head_count_kv", .more = kv_heads_3, .status = HET_E_FORMAT,
      .names = "3 key heads" },
    { .without = "embedding_length", .more = width_text, .status = HET_E_FORMAT,
      .names = "llama.embedding_length" },
    { .without = "block_count", .more = layers_million, .status = HET_E_FORMAT,
      .names = "1000000" },
    { .without = "attention.value_length", .more = values_8, .status = HET_E_UNSUPPORTED,
      .names = "8 for values" },
    { .architecture = "mamba", .status = HET_E_UNSUPPORTED, .names = "\"mamba\"" },
    { .more = ntk, .status = HET_E_UNSUPPORTED, .names = "\"ntk\"" },
    { .more = experts, .status = HET_E_FORMAT, .names = "expert_used_count" },
    { .rotated = 7, .status = HET_E_FORMAT, .names = "7 of 16" },
    { .rotated = 18, .status = HET_E_FORMAT, .names = "18 of 16" },
    { .more = tokens_130, .status = HET_E_FORMAT, .names = "130 tokens" },
    { .more = scores_119, .status = HET_E_FORMAT, .names = "tokenizer.ggml.scores" },
    { .more = stray_bias, .status = HET_E_UNSUPPORTED, .names = "blk.0.ffn_up.bias" },
    { .more = unknown_tokenizer, .status = HET_E_UNSUPPORTED, .names = "hieroglyphs" },
};

static void make(tiny_model *m, const bad *b)
{
    tiny_options o = TINY_LLAMA;
    if (b && b->architecture)
        o.architecture = b->architecture;
    if (b) {
        o.without = b->without;
        o.misshapen = b->misshapen;
        o.rotated = b->rotated;
        o.more = b->more;
    }
    tiny_make(m, &o);
}

static void each_is_named(void)
{
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        tiny_model m;
        het_error err = HET_ERROR_INIT;
        het_model *model = (het_model *)&err;
        make(&m, &cases[i]);
        const het_status s = het_model_load_memory(context, m.file, m.bytes, NULL, &model, &err);
        test_checks++;
        if (s != cases[i].status || err.status != (int32_t)s || model ||
            !strstr(err.message, cases[i].names))
            TEST_FAIL("case %d: %s: \"%s\", want %s naming %s", (int)i, het_status_name(s),
                      err.message, het_status_name(cases[i].status), cases[i].names);
        if (s == HET_OK)
            het_model_destroy(model);
        tiny_free(&m);
    }
}

/* All of them can be looked at. */
static void each_can_be_inspected(void)
{
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        tiny_model m;
        het_error err = HET_ERROR_INIT;
        het_model_options o = HET_MODEL_OPTIONS_INIT;
        het_model *model = NULL;
        o.flags = HET_MODEL_INSPECT_ONLY;
        make(&m, &cases[i]);
        CHECK_INT(het_model_load_memory(context, m.file, m.bytes, &o, &model, &err), HET_OK);
        CHECK(err.status == 0 && !err.message[0]);
        het_model_info info = { .struct_size = sizeof info };
        if (model) {
            CHECK_INT(het_model_get_info(model, &info), HET_OK);
            CHECK(info.parameter_count > 10000 && het_model_weight_count(model) > 10);
            het_session *s = NULL;
            CHECK_INT(het_session_create(model, NULL, &s, &err), HET_E_INVALID);
        }
        het_model_destroy(model);
        tiny_free(&m);
    }
}

static het_status load_tokenizer(const char *architecture, void (*more)(gw *g), het_model **model)
{
    const bad b = { .architecture = architecture, .without = "token_embd.weight", .more = more };
    tiny_model m;
    het_model_options o = HET_MODEL_OPTIONS_INIT;
    o.flags = HET_MODEL_TOKENIZER_ONLY;
    make(&m, &b);
    static char *kept; /* the model lends the file's bytes */
    free(kept);
    kept = aligned_alloc(64, (m.bytes + 63) / 64 * 64);
    memcpy(kept, m.file, m.bytes);
    const het_status s = het_model_load_memory(context, kept, m.bytes, &o, model, NULL);
    tiny_free(&m);
    return s;
}

/* A vocabulary is read whatever the family, and without weights. */
static void tokenizers_alone(void)
{
    het_model *model = NULL;
    het_session *session = NULL;
    het_tokenizer_info info = { .struct_size = sizeof info };
    CHECK_INT(load_tokenizer("mamba", tokens_130, &model), HET_OK);
    CHECK(model && het_model_tokenizer(model));
    if (model && het_model_tokenizer(model)) {
        CHECK_INT(het_tokenizer_get_info(het_model_tokenizer(model), &info), HET_OK);
        CHECK_INT(info.token_count, 130);
        CHECK_INT(het_session_create(model, NULL, &session, NULL), HET_E_INVALID);
    }
    het_model_destroy(model);
    CHECK_INT(load_tokenizer("llama", scores_119, &model), HET_E_FORMAT);
    CHECK_INT(load_tokenizer("llama", unknown_tokenizer, &model), HET_E_UNSUPPORTED);
    CHECK(load_tokenizer("llama", NULL, &model) == HET_OK && !het_model_tokenizer(model));
    het_model_destroy(model);
}

static int stop_at(void *user, double fraction, const char *what)
{
    int *left = user;
    (void)fraction;
    (void)what;
    return (*left)-- == 0;
}

static void arguments(void)
{
    tiny_model m;
    het_error err = HET_ERROR_INIT;
    het_model *model = NULL;
    make(&m, NULL);
    CHECK_INT(het_model_load_memory(context, m.file, m.bytes, NULL, &model, &err), HET_OK);
    het_model_destroy(model);
    CHECK_INT(het_model_load_memory(context, NULL, 1, NULL, &model, &err), HET_E_INVALID);
    CHECK_INT(het_model_load_memory(context, (char *)m.file + 4, 100, NULL, &model, &err),
              HET_E_INVALID);
    CHECK_INT(het_model_load(context, "/nonexistent/model.gguf", NULL, &model, &err), HET_E_IO);
    CHECK(strstr(err.message, "/nonexistent/model.gguf") != NULL);
    het_model_options o = HET_MODEL_OPTIONS_INIT;
    o.flags = 4;
    CHECK_INT(het_model_load_memory(context, m.file, m.bytes, &o, &model, &err), HET_E_VERSION);
    int calls = 0;
    for (het_status s = HET_E_CANCELLED; s != HET_OK && calls < 50; calls++) {
        int left = calls;
        o = (het_model_options)HET_MODEL_OPTIONS_INIT;
        o.progress = stop_at;
        o.progress_user = &left;
        s = het_model_load_memory(context, m.file, m.bytes, &o, &model, &err);
        CHECK(s == HET_OK || (s == HET_E_CANCELLED && !model));
    }
    CHECK(calls > 2 && calls < 50);
    het_model_destroy(model);
    /* Cut short anywhere: refused, not read beyond. */
    for (size_t n = 0; n < m.bytes; n += 1 + n / 3) {
        void *copy = aligned_alloc(64, (n + 64) / 64 * 64);
        memcpy(copy, m.file, n);
        CHECK_INT(het_model_load_memory(context, copy, n, NULL, &model, &err), HET_E_FORMAT);
        free(copy);
    }
    tiny_free(&m);
}

int main(void)
{
    CHECK_INT(het_context_create(NULL, &context, NULL), HET_OK);
    test_case(each_is_named);
    test_case(each_can_be_inspected);
    test_case(tokenizers_alone);
    test_case(arguments);
    het_context_destroy(context);
    return test_finish();
}
