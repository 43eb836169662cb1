/* SPDX-License-Identifier: Apache-2.0 */
/* Hugging Face folders as models: the logits of the same numbers as GGUF, what metadata and weights
 * say, the tokenizer, and every file that is missing, cut off or other than the rest says. */
#define _XOPEN_SOURCE 700 /* mkdtemp */
#include <hetinfer.h>

#include "lib/import/hf_model.h"
#include "tiny_folder.h"

#define LENGTH 20

static het_context *context;
static test_folder folder;

static het_model *load(const char *path, uint64_t flags, het_error *err)
{
    het_model *m = NULL;
    het_model_options o = HET_MODEL_OPTIONS_INIT;
    o.flags = flags;
    *err = (het_error)HET_ERROR_INIT;
    const het_status s = het_model_load(context, path, &o, &m, err);
    CHECK((s == HET_OK) == (m != NULL));
    return m;
}

/* Of a refused folder: the status, and a part of the message. */
static void refuse(het_status status, const char *says)
{
    het_error err;
    het_model *m = load(folder.path, 0, &err);
    CHECK_INT(err.status, status);
    if (!strstr(err.message, says))
        TEST_FAIL("\"%s\", want \"%s\"", err.message, says);
    het_model_destroy(m);
}

static void text_file(const char *name, const char *text)
{
    sw_file(test_folder_file(&folder, name), text, strlen(text));
}

static void logits_of(const het_model *m, float *out, size_t count)
{
    int32_t ids[LENGTH];
    het_error err = HET_ERROR_INIT;
    het_session *s = NULL;
    het_sequence *q = NULL;
    het_session_options o = HET_SESSION_OPTIONS_INIT;
    o.devices = "ref";
    o.kv_dtype = HET_DTYPE_F32;
    o.threads = 1;
    o.context_max = 64;
    for (int i = 0; i < LENGTH; i++)
        ids[i] = (7 * i + 3) % 100;
    if (!m || het_session_create(m, &o, &s, &err) != HET_OK) {
        TEST_FAIL("session: %s", err.message);
        return;
    }
    int64_t first;
    uint32_t rows;
    CHECK_INT(het_sequence_create(s, &q, NULL), HET_OK);
    CHECK_INT(het_sequence_append(q, ids, LENGTH, 0, NULL), HET_OK);
    while (het_sequence_pending(q) > 0)
        CHECK_INT(het_session_step(s, NULL, NULL), HET_OK);
    const float *logits = het_sequence_logits(q, &first, &rows);
    CHECK(logits && rows == 1);
    if (logits)
        memcpy(out, logits, count * sizeof *out);
    het_sequence_destroy(q);
    het_session_destroy(s);
}

/* The same numbers as a GGUF file and as a folder give the same logits, to the bit. */
static void same_as_gguf(void)
{
    static const char *const architectures[] = { "qwen2", "qwen3", "phi3" };
    for (int i = 0; i < 6; i++) {
        float a[120] = { 0 }, b[120] = { 1 };
        tiny_options o = TINY_LLAMA;
        tiny_model tiny;
        het_model *gguf = NULL;
        het_error err;
        o.architecture = architectures[i % 3];
        o.tied = i >= 3;
        tiny_make(&tiny, &o);
        tiny_folder_write(&folder, &tiny, i < 3 ? 1 : 3);
        CHECK_INT(het_model_load_memory(context, tiny.file, tiny.bytes, NULL, &gguf, NULL), HET_OK);
        const char *config = test_folder_file(&folder, "config.json");
        het_model *m = load(i % 2 ? folder.path : config, 0, &err);
        if (!m)
            TEST_FAIL("%s", err.message);
        het_model_info x = { .struct_size = sizeof x }, y = { .struct_size = sizeof y };
        CHECK(het_model_get_info(gguf, &x) == HET_OK && m && het_model_get_info(m, &y) == HET_OK);
        CHECK_INT(y.parameter_count, x.parameter_count);
        CHECK_INT(y.active_count, x.active_count);
        CHECK_INT(y.weight_bytes, x.weight_bytes);
        CHECK_STR(y.format, "safetensors");
        CHECK_STR(y.architecture, o.architecture);
        logits_of(gguf, a, 120);
        logits_of(m, b, 120);
        CHECK(memcmp(a, b, sizeof a) == 0);
        het_model_destroy(m);
        het_model_destroy(gguf);
        tiny_free(&tiny);
        test_folder_empty(&folder);
    }
}

static void make(tiny_model *tiny, const char *architecture, int shards)
{
    tiny_options o = TINY_LLAMA;
    o.architecture = architecture;
    test_folder_empty(&folder);
    tiny_make(tiny, &o);
    tiny_folder_write(&folder, tiny, shards);
}

static const char *metadata(const het_model *m, const char *key)
{
    static het_metadata e;
    for (size_t i = 0; m && i < het_model_metadata_count(m); i++) {
        e = (het_metadata){ .struct_size = sizeof e };
        if (het_model_metadata_at(m, i, &e) == HET_OK && strcmp(e.key, key) == 0)
            return e.value;
    }
    return NULL;
}

static void described(void)
{
    tiny_model tiny;
    het_error err;
    make(&tiny, "qwen3", 2);
    tiny_folder_config(&folder, &tiny, ",\"rope_scaling\":{\"rope_type\":\"default\",\"factor\":2},"
                                       "\"none\":{},\"list\":[1,2]");
    text_file("generation_config.json", "{\"eos_token_id\":[3,5],\"top_k\":20}");
    text_file("tokenizer_config.json", "{\"chat_template\":\"{{ x }}\",\"add_bos_token\":true,"
                                       "\"added_tokens_decoder\":{\"0\":{}}}");
    const uint64_t flags[] = { 0, HET_MODEL_INSPECT_ONLY };
    for (int i = 0; i < 2; i++) {
        het_model *m = load(test_folder_file(&folder, "model.safetensors.index.json"), flags[i],
                            &err);
        CHECK_STR(metadata(m, "model_type"), "qwen3");
        CHECK_STR(metadata(m, "hidden_size"), "64");
        CHECK_STR(metadata(m, "rope_scaling.factor"), "2");
        CHECK_STR(metadata(m, "none"), "{}");
        CHECK_STR(metadata(m, "list"), "[1,2]");
        CHECK_STR(metadata(m, "generation_config.eos_token_id"), "[3,5]");
        CHECK_STR(metadata(m, "tokenizer.chat_template"), "{{ x }}");
        CHECK_STR(metadata(m, "tokenizer_config.add_bos_token"), "true");
        CHECK(metadata(m, "tokenizer_config.added_tokens_decoder.0") == NULL);
        CHECK_INT(m ? het_model_weight_count(m) : 0, tiny.tensor_count);
        uint64_t bytes = 0, attention = 0;
        for (size_t k = 0; m && k < het_model_weight_count(m); k++) {
            het_weight w = { .struct_size = sizeof w };
            CHECK_INT(het_model_weight_at(m, k, &w), HET_OK);
            bytes += w.size_bytes;
            attention += strcmp(w.module, "attention") == 0 && w.layer == 1;
        }
        het_model_info info = { .struct_size = sizeof info };
        CHECK(m && het_model_get_info(m, &info) == HET_OK && info.weight_bytes == bytes);
        CHECK_INT(attention, 4);
        het_model_destroy(m);
    }
    het_model *m = NULL; /* a type of weights: the configuration alone */
    het_model_options o = HET_MODEL_OPTIONS_INIT;
    o.weight_dtype = HET_DTYPE_Q4_0;
    CHECK_INT(het_model_load(context, folder.path, &o, &m, NULL), HET_OK);
    het_model_info info = { .struct_size = sizeof info };
    CHECK(m && het_model_get_info(m, &info) == HET_OK);
    CHECK_STR(info.format, "config");
    het_model_destroy(m);
    tiny_free(&tiny);
}

/* As a cache of downloads leaves it when what links lead to is gone. */
static void links_to_nowhere(void)
{
    tiny_model tiny;
    make(&tiny, "qwen3", 1);
    refuse(HET_OK, "");
    const char *path = test_folder_file(&folder, "model.safetensors");
    CHECK_INT(remove(path), 0);
    CHECK_INT(symlink("../blobs/gone", path), 0);
    refuse(HET_E_IO, "model.safetensors is a link that leads nowhere");
    CHECK_INT(remove(path), 0);
    tiny_free(&tiny);
}

static void broken_shards(void)
{
    tiny_model tiny;
    make(&tiny, "qwen3", 2);
    refuse(HET_OK, "");
    remove(test_folder_file(&folder, "model-00002-of-00002.safetensors"));
    refuse(HET_E_IO, "model-00002-of-00002.safetensors is missing");
    text_file("model-00002-of-00002.safetensors", "");
    refuse(HET_E_FORMAT, "model-00002-of-00002.safetensors is empty");
    tiny_folder_write(&folder, &tiny, 2);
    sw one = { 0 };
    sw_tensor(&one, "model.norm.weight", "F32", "64", tiny.tensors[0].values, 256);
    sw_write(&one, test_folder_file(&folder, "model-00002-of-00002.safetensors"));
    refuse(HET_E_FORMAT, "is not in model-00002-of-00002.safetensors, where weight_map has it");
    static const struct { const char *index, *says; het_status status; } cases[] = {
        { "{\"weight_map\":{\"a\":\"../config.json\"}}", "is no name of a file", HET_E_FORMAT },
        { "{\"weight_map\":{\"a\":\"/etc/passwd\"}}", "is no name of a file", HET_E_FORMAT },
        { "{\"weight_map\":{\"a\":\"..\"}}", "is no name of a file", HET_E_FORMAT },
        { "{\"weight_map\":{\"a\":3}}", "is no name of a file", HET_E_FORMAT },
        { "{\"weight_map\":{}}", "has no weight_map", HET_E_FORMAT },
        { "{}", "has no weight_map", HET_E_FORMAT },
        { "[]", "is not an object", HET_E_FORMAT },
        { "{\"weight_map\":{\"a\":\"model-00001-of-00002.safetensors\"}}",
          "tensor a is not in model-00001-of-00002.safetensors", HET_E_FORMAT },
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        text_file("model.safetensors.index.json", cases[i].index);
        refuse(cases[i].status, cases[i].says);
    }
    tiny_free(&tiny);
}

/* One tensor of a folder is another one. */
static void replace(const tiny_model *tiny, const char *name, const char *new_name,
                    const char *type, int rows_more)
{
    sw s = { 0 };
    for (uint32_t i = 0; i < tiny->tensor_count; i++) {
        const tiny_tensor *t = &tiny->tensors[i];
        char full[96], shape[64];
        tiny_folder_name(t->name, full);
        const bool is_it = strcmp(full, name) == 0;
        if (is_it && !new_name)
            continue;
        unsigned rows = (unsigned)t->rows;
        size_t bytes = (size_t)(t->columns * (t->rows ? t->rows : 1)) * sizeof(float);
        if (is_it && rows_more) {
            rows -= (unsigned)rows_more;
            bytes -= (size_t)rows_more * t->columns * sizeof(float);
        }
        snprintf(shape, sizeof shape, t->rows ? "%u,%u" : "%.0u%u", rows, (unsigned)t->columns);
        sw_tensor(&s, is_it ? new_name : full, is_it ? type : "F32", shape, t->values, bytes);
    }
    sw_write(&s, test_folder_file(&folder, "model.safetensors"));
}

static void broken_weights(void)
{
    static const char q[] = "model.layers.1.self_attn.q_proj.weight";
    tiny_model tiny;
    make(&tiny, "qwen3", 1);
    replace(&tiny, q, NULL, "F32", 0);
    refuse(HET_E_FORMAT, "attn_q.weight is missing");
    replace(&tiny, q, "model.layers.1.self_attn.q_proj.qweight", "F32", 0);
    refuse(HET_E_UNSUPPORTED,
           "tensor model.layers.1.self_attn.q_proj.qweight has no part in the graph");
    replace(&tiny, q, q, "I32", 0);
    refuse(HET_E_UNSUPPORTED, "is of type I32");
    replace(&tiny, q, q, "F32", 1);
    refuse(HET_E_FORMAT, "q_proj.weight is [63, 64], the model's sizes ask for [64, 64]");
    replace(&tiny, q, "layers.1.self_attn.k_proj.weight", "F32", 0);
    refuse(HET_E_FORMAT, "is there under a second name");
    replace(&tiny, q, "model.layers.1.mlp.experts.1.w1.weight", "F32", 0);
    refuse(HET_E_FORMAT, "a part is missing or doubled");
    replace(&tiny, q, "model.layers.1.self_attn.sinks.weight", "F32", 0);
    refuse(HET_E_UNSUPPORTED, "has no part in the graph");
    replace(&tiny, "lm_head.weight", NULL, "F32", 0);
    refuse(HET_E_FORMAT, "lm_head.weight is missing");
    tiny_folder_write(&folder, &tiny, 1);
    tiny_folder_config(&folder, &tiny, ",\"attention_bias\":true");
    refuse(HET_OK, ""); /* biases are used where they are */
    text_file("config.json", "{\"model_type\":\"mamba\"}");
    refuse(HET_E_UNSUPPORTED, "model_type \"mamba\"");
    het_error err;
    het_model *m = load(folder.path, HET_MODEL_INSPECT_ONLY, &err);
    CHECK(m != NULL && het_model_weight_count(m) == tiny.tensor_count);
    het_model_destroy(m);
    remove(test_folder_file(&folder, "config.json"));
    refuse(HET_E_IO, "config.json is missing");
    tiny_free(&tiny);
}

/* What stands for all shards differs when any of them does. */
static void known_again(void)
{
    tiny_model tiny;
    het__file_state states[3];
    make(&tiny, "phi3", 2);
    for (int i = 0; i < 3; i++) {
        het__mem mem;
        het__arena arena;
        het__hf_place place;
        het__hf_shards shards;
        het__mem_init(&mem, NULL);
        het__arena_init(&arena, &mem);
        CHECK_INT(het__hf_place_find(&mem, folder.path, &place, NULL), HET_OK);
        CHECK_INT(het__hf_shards_open(&shards, &place, true, &arena, NULL), HET_OK);
        CHECK_INT(shards.count, 2);
        CHECK(het__hf_shards_hold(&shards, shards.tensors.tensors[0].data));
        CHECK(!het__hf_shards_hold(&shards, &shards));
        states[i] = shards.state;
        states[i].seen_ns = 0;
        het__hf_shards_close(&shards);
        het__hf_place_finish(&place);
        het__arena_finish(&arena);
        CHECK_INT(atomic_load(&mem.bytes), 0);
        if (i == 1)
            tiny_folder_write(&folder, &tiny, 2);
    }
    CHECK(memcmp(&states[0], &states[1], sizeof states[0]) == 0);
    CHECK(memcmp(&states[0], &states[2], sizeof states[0]) != 0);
    tiny_free(&tiny);
}

/* ---- stacks ---- */

#define EXPERTS 11
#define WIDTH 6
#define FFN 4

/* What the value at a place of a part (gate 1, up 2, down 3) of an expert is. */
static float stacked(int part, int expert, int at)
{
    return (float)(part * 10000 + expert * 100 + at);
}

static void add_part(sw *s, const char *name, int part, int expert)
{
    float values[WIDTH * FFN];
    char full[96], shape[16];
    for (int i = 0; i < WIDTH * FFN; i++)
        values[i] = stacked(part, expert, i);
    snprintf(full, sizeof full, "model.layers.0.mlp.experts.%d.%s_proj.weight", expert, name);
    snprintf(shape, sizeof shape, "%d,%d", part == 3 ? WIDTH : FFN, part == 3 ? FFN : WIDTH);
    sw_tensor(s, full, "F32", shape, values, sizeof values);
}

/* One by one in any order, side by side, and as one tensor of gates above ups. */
static void write_experts(int how)
{
    static float halves[EXPERTS * 2 * FFN * WIDTH];
    sw s = { 0 };
    for (int i = 0; i < EXPERTS; i++)
        for (int k = 0; k < FFN * WIDTH; k++) {
            halves[(2 * i) * FFN * WIDTH + k] = stacked(1, i, k);
            halves[(2 * i + 1) * FFN * WIDTH + k] = stacked(2, i, k);
        }
    for (int i = 0; how == 0 && i < EXPERTS; i++) {
        add_part(&s, "up", 2, (i * 7 + 3) % EXPERTS);
        add_part(&s, "gate", 1, i);
    }
    for (int i = 0; how == 1 && i < 2 * EXPERTS; i++)
        add_part(&s, i < EXPERTS ? "gate" : "up", i < EXPERTS ? 1 : 2, i % EXPERTS);
    if (how == 2)
        sw_tensor(&s, "model.layers.0.mlp.experts.gate_up_proj", "F32", "11,8,6", halves,
                  sizeof halves);
    for (int i = 0; i < EXPERTS; i++)
        add_part(&s, "down", 3, i);
    sw_tensor(&s, "model.embed_tokens.weight", "F32", "1,6", halves, WIDTH * sizeof(float));
    sw_write(&s, test_folder_file(&folder, "model.safetensors"));
}

static void check_stack(const het__gguf *g, const het__hf *hf, const char *name, int part,
                        bool mapped)
{
    bool found = false;
    for (size_t i = 0; i < g->tensor_count; i++) {
        const het__gguf_tensor *t = &g->tensors[i];
        const float *values = t->data;
        if (strcmp(t->name, name) != 0)
            continue;
        found = true;
        CHECK_INT(t->rank, 3);
        CHECK_INT(t->extent[0], EXPERTS);
        CHECK_INT(t->extent[1], part == 3 ? WIDTH : FFN);
        CHECK_INT(t->bytes, EXPERTS * FFN * WIDTH * sizeof(float));
        CHECK_INT(het__hf_shards_hold(&hf->shards, t->data), mapped);
        int wrong = 0;
        for (int k = 0; k < EXPERTS * FFN * WIDTH; k++)
            wrong += values[k] != stacked(part, k / (FFN * WIDTH), k % (FFN * WIDTH));
        CHECK_INT(wrong, 0);
    }
    CHECK(found);
}

static void stacks(void)
{
    test_folder_empty(&folder);
    text_file("config.json",
              "{\"model_type\":\"qwen3_moe\",\"hidden_size\":6,\"intermediate_size\":4,"
              "\"moe_intermediate_size\":4,\"num_hidden_layers\":1,\"num_attention_heads\":1,"
              "\"head_dim\":2,\"num_experts\":11,\"num_experts_per_tok\":2,\"vocab_size\":1,"
              "\"max_position_embeddings\":8,\"tie_word_embeddings\":true}");
    for (int how = 0; how < 3; how++) {
        het__mem mem;
        het__arena arena;
        het__hf_place place;
        het__hf hf = { 0 };
        het__gguf g = { 0 };
        het_error err = HET_ERROR_INIT;
        write_experts(how);
        het__mem_init(&mem, NULL);
        het__arena_init(&arena, &mem);
        CHECK_INT(het__hf_place_find(&mem, folder.path, &place, NULL), HET_OK);
        CHECK_INT(het__hf_read_config(&hf, &place, &arena, &err), HET_OK);
        CHECK_INT(het__hf_shards_open(&hf.shards, &place, true, &arena, &err), HET_OK);
        if (het__hf_list_weights(&hf, true, &g, &err) != HET_OK)
            TEST_FAIL("%s", err.message);
        check_stack(&g, &hf, "blk.0.ffn_gate_exps.weight", 1, how == 1);
        check_stack(&g, &hf, "blk.0.ffn_up_exps.weight", 2, how == 1);
        check_stack(&g, &hf, "blk.0.ffn_down_exps.weight", 3, true);
        het__hf_close(&hf);
        het__hf_place_finish(&place);
        het__arena_finish(&arena);
    }
}

/* ---- tokenizer ---- */

#define TOKENS                                                                               \
    "{\"added_tokens\":[{\"id\":0,\"content\":\"<s>\",\"special\":true},"                      \
    "{\"id\":7,\"content\":\"<stop>\",\"special\":true}],\"normalizer\":{\"type\":\"Replace\","  \
    "\"pattern\":{\"String\":\" \"},\"content\":\"\\u2581\"},\"decoder\":{\"type\":\"Replace\"," \
    "\"pattern\":{\"String\":\"\\u2581\"},\"content\":\" \"},\"post_processor\":%s,\"model\":{"   \
    "\"type\":\"%s\",\"vocab\":{\"<s>\":0,\"a\":1,\"b\":2,\"ab\":3,\"\\u2581\":4,\"\\u2581a\":5," \
    "\"c\":6},\"merges\":[\"a b\",\"\\u2581 a\"]}}"

static void write_tokens(const char *post, const char *type)
{
    char text[2048];
    snprintf(text, sizeof text, TOKENS, post, type);
    text_file("tokenizer.json", text);
}

static void check_ids(const het_tokenizer *t, const char *text, const int32_t *want, size_t count)
{
    int32_t ids[16];
    size_t n = 0;
    CHECK_INT(het_tokenizer_encode(t, text, strlen(text), HET_ENCODE_ADD_SPECIAL, ids, 16, &n,
                                   NULL), HET_OK);
    CHECK(n == count && memcmp(ids, want, n * sizeof *ids) == 0);
}

static void tokens(void)
{
    het_error err;
    tiny_model tiny;
    make(&tiny, "qwen3", 1);
    write_tokens("null", "BPE");
    het_model *m = load(folder.path, 0, &err);
    const het_tokenizer *t = m ? het_model_tokenizer(m) : NULL;
    CHECK(t != NULL);
    if (t)
        check_ids(t, "ab ab", (const int32_t[]){ 3, 4, 3 }, 3);
    het_model_destroy(m);

    text_file("tokenizer.json", /* an added token without a row in the model's table */
              "{\"added_tokens\":[{\"id\":130,\"content\":\"<picture>\",\"special\":true}],"
              "\"pre_tokenizer\":{\"type\":\"ByteLevel\"},\"decoder\":{\"type\":\"ByteLevel\"},"
              "\"model\":{\"vocab\":{\"a\":0,\"b\":1},\"merges\":[]}}");
    m = load(folder.path, 0, &err);
    het_tokenizer_info count = { .struct_size = sizeof count };
    CHECK(m && het_tokenizer_get_info(het_model_tokenizer(m), &count) == HET_OK);
    CHECK_INT(count.token_count, 2);
    het_model_destroy(m);
    write_tokens("null", "BPE");
    text_file("tokenizer_config.json",
              "{\"add_bos_token\":true,\"bos_token\":{\"content\":\"<s>\"}}");
    text_file("generation_config.json", "{\"eos_token_id\":[7,99999,-1]}");
    m = load(folder.path, HET_MODEL_TOKENIZER_ONLY, &err);
    t = m ? het_model_tokenizer(m) : NULL;
    CHECK(t != NULL);
    if (t) {
        uint32_t flags = 0;
        het_tokenizer_info info = { .struct_size = sizeof info };
        check_ids(t, "c", (const int32_t[]){ 0, 6 }, 2);
        CHECK_INT(het_tokenizer_token(t, 7, NULL, NULL, &flags), HET_OK);
        CHECK(flags & HET_TOKEN_END);
        CHECK_INT(het_tokenizer_get_info(t, &info), HET_OK);
        CHECK_INT(info.bos_id, 0);
        CHECK_INT(info.eos_id, 7);
    }
    het_model_destroy(m);

    write_tokens("null", "WordPiece");
    refuse(HET_E_UNSUPPORTED, "a model of type \"WordPiece\"");
    write_tokens("{\"type\":\"Bert\"}", "BPE");
    refuse(HET_E_UNSUPPORTED, "post_processor \"Bert\" is not supported");
    text_file("tokenizer.json",
              "{\"model\":{\"vocab\":{\"a\":400},\"merges\":[]},\"decoder\":null}");
    refuse(HET_E_UNSUPPORTED, "neither byte-level");
    tiny_free(&tiny);

    test_folder_empty(&folder); /* a tokenizer by itself */
    write_tokens("null", "BPE");
    refuse(HET_E_IO, "config.json");
    m = load(folder.path, HET_MODEL_TOKENIZER_ONLY, &err);
    CHECK(m != NULL && het_model_tokenizer(m) != NULL);
    het_model_destroy(m);
}

int main(void)
{
    CHECK_INT(het_context_create(NULL, &context, NULL), HET_OK);
    test_folder_make(&folder);
    test_case(same_as_gguf);
    test_case(described);
    test_case(links_to_nowhere);
    test_case(broken_shards);
    test_case(broken_weights);
    test_case(known_again);
    test_case(stacks);
    test_case(tokens);
    test_folder_remove(&folder);
    het_context_destroy(context);
    return test_finish();
}
