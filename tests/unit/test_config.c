/* SPDX-License-Identifier: Apache-2.0 */
/* Language models from a config.json alone: parameters, what a token reads and keeps, to the digit;
 * the same weights as the GGUF file of the same model; what is refused, and by which sentence. */
#define _XOPEN_SOURCE 700 /* mkdtemp */
#include <hetinfer.h>

#include <stdbool.h>

#include "folder.h"
#include "test.h"

static het_context *context;

/* NULL if it does not load; err says why. */
static het_model *load(const char *text, uint32_t dtype, het_error *err)
{
    het_model *m = NULL;
    het_model_options o = HET_MODEL_OPTIONS_INIT;
    o.weight_dtype = dtype;
    *err = (het_error)HET_ERROR_INIT;
    const het_status s = het_model_load_memory(context, text, strlen(text), &o, &m, err);
    CHECK((s == HET_OK) == (m != NULL));
    return m;
}

/* ---- figures ---- */

typedef struct figures {
    const char *name, *text;
    uint64_t parameters, active, kv_bytes;
    int64_t context;
} figures;

static const figures models[] = {
    { "Phi-tiny-MoE",
      "{\"model_type\":\"phimoe\",\"num_hidden_layers\":32,\"hidden_size\":4096,"
      "\"intermediate_size\":448,\"num_local_experts\":16,\"num_experts_per_tok\":2,"
      "\"num_attention_heads\":16,\"num_key_value_heads\":4,\"head_dim\":128,"
      "\"vocab_size\":32064,\"max_position_embeddings\":4096,\"rope_theta\":10000.0,"
      "\"rope_scaling\":null,\"rms_norm_eps\":1e-05,\"tie_word_embeddings\":false,"
      "\"attention_bias\":true,\"lm_head_bias\":true,\"sliding_window\":2047,"
      "\"router_jitter_noise\":0.01,\"input_jitter_noise\":0.01,\"hidden_act\":\"silu\","
      "\"torch_dtype\":\"bfloat16\"}",
      3755220288, 1157635392, 65536, 4096 },
    { "Phi-3.5-MoE",
      "{\"model_type\":\"phimoe\",\"num_hidden_layers\":32,\"hidden_size\":4096,"
      "\"intermediate_size\":6400,\"num_local_experts\":16,\"num_experts_per_tok\":2,"
      "\"num_attention_heads\":32,\"num_key_value_heads\":8,\"vocab_size\":32064,"
      "\"max_position_embeddings\":131072,\"original_max_position_embeddings\":4096,"
      "\"rope_theta\":10000.0,\"rope_scaling\":{\"type\":\"longrope\","
      "\"short_mscale\":1.243163121016122,\"long_mscale\":1.243163121016122,"
      "\"original_max_position_embeddings\":4096,\"short_factor\":[1.0],\"long_factor\":[1.0]},"
      "\"tie_word_embeddings\":false,\"attention_bias\":true,\"lm_head_bias\":true,"
      "\"sliding_window\":131072,\"hidden_act\":\"silu\"}",
      41873153344, 6509665600, 131072, 131072 },
    { "gemma-2-2b",
      "{\"model_type\":\"gemma2\",\"num_hidden_layers\":26,\"hidden_size\":2304,"
      "\"intermediate_size\":9216,\"num_attention_heads\":8,\"num_key_value_heads\":4,"
      "\"head_dim\":256,\"vocab_size\":256000,\"max_position_embeddings\":8192,"
      "\"attn_logit_softcapping\":50.0,\"final_logit_softcapping\":30.0,"
      "\"query_pre_attn_scalar\":256,\"sliding_window\":4096,"
      "\"hidden_activation\":\"gelu_pytorch_tanh\"}",
      2614341888, 2614341888, 106496, 8192 },
    { "gemma-3n-E2B",
      "{\"model_type\":\"gemma3n\",\"torch_dtype\":\"bfloat16\",\"audio_config\":{},"
      "\"text_config\":{\"model_type\":\"gemma3n_text\",\"num_hidden_layers\":30,"
      "\"num_kv_shared_layers\":10,\"intermediate_size\":8192,\"vocab_size\":262400}}",
      4456156768, 2442890848, 40960, 32768 },
    { "gemma-3n-E4B", "{\"model_type\":\"gemma3n_text\"}",
      6866696688, 4517886448, 40960, 32768 },
    { "TinyLlama-1.1B",
      "{\"model_type\":\"llama\",\"num_hidden_layers\":22,\"hidden_size\":2048,"
      "\"intermediate_size\":5632,\"num_attention_heads\":32,\"num_key_value_heads\":4,"
      "\"vocab_size\":32000,\"max_position_embeddings\":2048,\"rope_theta\":10000.0,"
      "\"tie_word_embeddings\":false,\"hidden_act\":\"silu\"}",
      1100048384, 1034512384, 22528, 2048 },
    { "Llama-3.2-1B",
      "{\"model_type\":\"llama\",\"num_hidden_layers\":16,\"hidden_size\":2048,"
      "\"intermediate_size\":8192,\"num_attention_heads\":32,\"num_key_value_heads\":8,"
      "\"head_dim\":64,\"vocab_size\":128256,\"max_position_embeddings\":131072,"
      "\"rope_theta\":500000.0,\"rope_scaling\":{\"rope_type\":\"llama3\",\"factor\":32.0,"
      "\"low_freq_factor\":1.0,\"high_freq_factor\":4.0,"
      "\"original_max_position_embeddings\":8192},\"tie_word_embeddings\":true}",
      1235814400, 1235814400, 32768, 131072 },
    { "Qwen2.5-0.5B",
      "{\"model_type\":\"qwen2\",\"num_hidden_layers\":24,\"hidden_size\":896,"
      "\"intermediate_size\":4864,\"num_attention_heads\":14,\"num_key_value_heads\":2,"
      "\"vocab_size\":151936,\"max_position_embeddings\":32768,\"rope_theta\":1000000.0,"
      "\"sliding_window\":32768,\"use_sliding_window\":false,\"max_window_layers\":24,"
      "\"tie_word_embeddings\":true}",
      494032768, 494032768, 12288, 32768 },
    { "Qwen3-0.6B",
      "{\"model_type\":\"qwen3\",\"num_hidden_layers\":28,\"hidden_size\":1024,"
      "\"intermediate_size\":3072,\"num_attention_heads\":16,\"num_key_value_heads\":8,"
      "\"head_dim\":128,\"vocab_size\":151936,\"max_position_embeddings\":40960,"
      "\"rope_theta\":1000000,\"sliding_window\":null,\"tie_word_embeddings\":true}",
      596049920, 596049920, 114688, 40960 },
    { "Qwen3-4B",
      "{\"model_type\":\"qwen3\",\"num_hidden_layers\":36,\"hidden_size\":2560,"
      "\"intermediate_size\":9728,\"num_attention_heads\":32,\"num_key_value_heads\":8,"
      "\"head_dim\":128,\"vocab_size\":151936,\"max_position_embeddings\":40960,"
      "\"rope_theta\":1000000,\"tie_word_embeddings\":true}",
      4022468096, 4022468096, 147456, 40960 },
};

static const char *text_of(const char *name)
{
    for (size_t i = 0; i < sizeof models / sizeof models[0]; i++)
        if (strcmp(models[i].name, name) == 0)
            return models[i].text;
    abort();
}

static void counts(void)
{
    for (size_t i = 0; i < sizeof models / sizeof models[0]; i++) {
        const figures *f = &models[i];
        het_error err;
        het_model *m = load(f->text, 0, &err);
        het_model_info info = { .struct_size = sizeof info };
        if (!m) {
            TEST_FAIL("%s: %s", f->name, err.message);
            continue;
        }
        CHECK_INT(het_model_get_info(m, &info), HET_OK);
        const int before = test_failures;
        CHECK_INT(info.parameter_count, f->parameters);
        CHECK_INT(info.active_count, f->active);
        CHECK_INT(info.kv_bytes_per_token, f->kv_bytes);
        CHECK_INT(info.context_max, f->context);
        CHECK_STR(info.format, "config");
        if (test_failures > before)
            fprintf(stderr, "    of %s\n", f->name);
        printf("%-16s %12llu parameters, %11llu read per token, %6llu bytes of keys and values\n",
               f->name, (unsigned long long)info.parameter_count,
               (unsigned long long)info.active_count,
               (unsigned long long)info.kv_bytes_per_token);
        het_model_destroy(m);
    }
}

/* Bytes of matrices follow the type that is asked for; vectors stay F32. */
static void weight_types(void)
{
    static const struct { het_dtype dtype; double bits; } types[] = {
        { HET_DTYPE_F32, 32 }, { HET_DTYPE_BF16, 16 }, { HET_DTYPE_Q8_0, 8.5 },
        { HET_DTYPE_Q4_0, 4.5 }, { HET_DTYPE_Q4_K, 4.5 }, { HET_DTYPE_Q6_K, 6.5625 },
    };
    for (size_t i = 0; i < sizeof types / sizeof types[0]; i++) {
        het_error err;
        het_model *m = load(text_of("gemma-2-2b"), types[i].dtype, &err);
        het_model_info info = { .struct_size = sizeof info };
        CHECK_INT(het_model_get_info(m, &info), HET_OK);
        const double vectors = 26.0 * 4 * 2304 + 2304;
        CHECK_NEAR((double)info.weight_bytes,
                   (2614341888.0 - vectors) * types[i].bits / 8 + vectors * 4, 0.0);
        het_model_destroy(m);
    }
    het_error err;
    CHECK(load(text_of("gemma-2-2b"), HET_DTYPE_I32, &err) == NULL);
    CHECK_INT(err.status, HET_E_INVALID);
    CHECK(load(text_of("gemma-2-2b"), 4000, &err) == NULL);
    /* Rows of 896 are no whole blocks of 256. */
    het_model *m = load(text_of("Qwen2.5-0.5B"), HET_DTYPE_Q4_K, &err);
    het_weight w = { .struct_size = sizeof w };
    CHECK_INT(het_model_weight_at(m, 0, &w), HET_OK);
    CHECK_STR(w.name, "token_embd.weight");
    CHECK_INT(w.desc.dtype, HET_DTYPE_F16);
    het_model_destroy(m);
}

/* ---- planning ---- */

static void plans(void)
{
    het_error err;
    het_plan *decode = NULL, *prefill = NULL;
    het_plan_info info = { .struct_size = sizeof info };
    het_model *m = load(text_of("Phi-tiny-MoE"), HET_DTYPE_BF16, &err);
    het_plan_options o = HET_PLAN_OPTIONS_INIT;
    CHECK_INT(het_plan_make(m, &o, &decode, &err), HET_OK);
    CHECK_INT(het_plan_get_info(decode, &info), HET_OK);
    /* Two bytes of what a token reads, two more for vectors and routers, and a row of the table. */
    const double least = 2.0 * 1157635392, most = least * 1.004;
    CHECK(info.weight_bytes > least && info.weight_bytes < most);
    o.phase = HET_PHASE_PREFILL;
    CHECK_INT(het_plan_make(m, &o, &prefill, &err), HET_OK);
    CHECK_INT(het_plan_get_info(prefill, &info), HET_OK);
    /* 512 tokens meet every expert. */
    CHECK(info.weight_bytes > 2 * 3.6e9 && info.weight_bytes < 2 * 3.8e9);
    het_session *session = NULL;
    CHECK_INT(het_session_create(m, NULL, &session, &err), HET_E_INVALID);
    CHECK(session == NULL && strstr(err.message, "without weights"));
    het_plan_destroy(decode);
    het_plan_destroy(prefill);
    het_model_destroy(m);
    for (size_t i = 0; i < sizeof models / sizeof models[0]; i++) {
        m = load(models[i].text, HET_DTYPE_Q4_0, &err);
        het_plan *plan = NULL;
        if (het_plan_make(m, &o, &plan, &err) != HET_OK)
            TEST_FAIL("%s: %s", models[i].name, err.message);
        het_plan_destroy(plan);
        het_model_destroy(m);
    }
}

/* ---- against GGUF ---- */

static bool find_weight(const het_model *m, const char *name, het_weight *w)
{
    for (size_t i = 0; i < het_model_weight_count(m); i++) {
        *w = (het_weight){ .struct_size = sizeof *w };
        if (het_model_weight_at(m, i, w) == HET_OK && strcmp(w->name, name) == 0)
            return true;
    }
    return false;
}

/* A file may hold factors of rope for both lengths, and no weights that are without use. */
static bool may_differ(const char *name)
{
    return strncmp(name, "rope_", 5) == 0 || strstr(name, "attn_k") || strstr(name, "attn_v");
}

static void compare_lists(const het_model *a, const het_model *b, const char *what)
{
    for (size_t i = 0; i < het_model_weight_count(a); i++) {
        het_weight x = { .struct_size = sizeof x }, y;
        CHECK_INT(het_model_weight_at(a, i, &x), HET_OK);
        if (!find_weight(b, x.name, &y)) {
            if (!may_differ(x.name))
                TEST_FAIL("%s: %s is on one side only", what, x.name);
            continue;
        }
        const int before = test_failures;
        CHECK_INT(x.desc.rank, y.desc.rank);
        CHECK(memcmp(x.desc.extent, y.desc.extent, x.desc.rank * sizeof x.desc.extent[0]) == 0);
        CHECK_INT(x.desc.dtype, y.desc.dtype);
        CHECK_STR(x.module, y.module);
        if (test_failures > before)
            fprintf(stderr, "    %s: %s\n", what, x.name);
    }
}

static void same_as_files(void)
{
    static const char *const names[] = { "gemma", "gemma2", "gemma3", "gemma3n", "mixtral",
                                         "phimoe", "phimoe-longrope", "qwen3moe", "smollm3" };
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        char path[512], file[128];
        het_model *gguf = NULL, *config = NULL;
        het_model_options o = HET_MODEL_OPTIONS_INIT;
        het_error err = HET_ERROR_INIT;
        o.weight_dtype = HET_DTYPE_BF16;
        snprintf(file, sizeof file, "tests/models/reference/families/%s.gguf", names[i]);
        CHECK_INT(het_model_load(context, test_source_path(path, sizeof path, file), NULL, &gguf,
                                 &err), HET_OK);
        snprintf(file, sizeof file, "tests/models/reference/families/%s.config.json", names[i]);
        if (het_model_load(context, test_source_path(path, sizeof path, file), &o, &config,
                           &err) != HET_OK)
            TEST_FAIL("%s: %s", names[i], err.message);
        het_model_info a = { .struct_size = sizeof a }, b = { .struct_size = sizeof b };
        if (gguf && config) {
            compare_lists(gguf, config, names[i]);
            compare_lists(config, gguf, names[i]);
            CHECK_INT(het_model_get_info(gguf, &a), HET_OK);
            CHECK_INT(het_model_get_info(config, &b), HET_OK);
            CHECK_STR(a.architecture, b.architecture);
            CHECK_INT(a.kv_bytes_per_token, b.kv_bytes_per_token);
            CHECK_INT(a.context_max, b.context_max);
            CHECK_INT(a.expert_used_count, b.expert_used_count);
        }
        het_model_destroy(gguf);
        het_model_destroy(config);
    }
}

/* ---- what is refused ---- */

#define LLAMA_BUT(more)                                                                     \
    "{\"model_type\":\"llama\",\"hidden_size\":64,\"intermediate_size\":128,"               \
    "\"num_attention_heads\":4,\"vocab_size\":100,\"max_position_embeddings\":128" more "}"
#define SMOLLM3_BUT(more)                                                                    \
    "{\"model_type\":\"smollm3\",\"hidden_size\":64,\"intermediate_size\":128,\"vocab_size\":9," \
    "\"num_attention_heads\":4,\"max_position_embeddings\":128" LAYERS more "}"
#define LAYERS ",\"num_hidden_layers\":2"

static const struct {
    het_status status;
    const char *text, *sentence;
} refusals[] = {
    { HET_E_FORMAT, "{", "line 1" },
    { HET_E_FORMAT, "{}", "model_type is missing" },
    { HET_E_FORMAT, "{\"a\":1,\"a\":2}", "duplicate" },
    { HET_E_UNSUPPORTED, "{\"model_type\":\"mamba\"}", "\"mamba\" is not supported" },
    { HET_E_FORMAT, LLAMA_BUT(""), "num_hidden_layers is missing" },
    { HET_E_FORMAT, LLAMA_BUT(",\"num_hidden_layers\":0"), "is 0, not in 1 to 4096" },
    { HET_E_FORMAT, LLAMA_BUT(",\"num_hidden_layers\":\"2\""), "is not a whole number" },
    { HET_E_FORMAT, LLAMA_BUT(",\"num_hidden_layers\":2.5"), "is not a whole number" },
    { HET_E_FORMAT, LLAMA_BUT(",\"num_hidden_layers\":99999999999999999999"), "too big" },
    { HET_E_FORMAT, LLAMA_BUT(LAYERS ",\"num_key_value_heads\":3"), "multiple of 3 key heads" },
    { HET_E_FORMAT, LLAMA_BUT(LAYERS ",\"rms_norm_eps\":\"small\""), "is not a number" },
    { HET_E_FORMAT, LLAMA_BUT(LAYERS ",\"attention_bias\":1"), "neither true nor false" },
    { HET_E_FORMAT, LLAMA_BUT(LAYERS ",\"head_dim\":7"), "rope turns 7 of 7" },
    { HET_E_FORMAT, LLAMA_BUT(LAYERS ",\"layer_types\":[\"full_attention\"]"),
      "one entry per layer" },
    { HET_E_FORMAT, SMOLLM3_BUT(",\"no_rope_layers\":[1]"), "one entry per layer" },
    { HET_E_FORMAT, SMOLLM3_BUT(",\"no_rope_layers\":[1,true]"), "not a list of numbers" },
    { HET_E_FORMAT, SMOLLM3_BUT(",\"no_rope_layer_interval\":0"), "not in 1 to" },
    { HET_E_UNSUPPORTED, LLAMA_BUT(LAYERS ",\"hidden_act\":\"relu\""), "activation \"relu\"" },
    { HET_E_UNSUPPORTED, LLAMA_BUT(LAYERS ",\"mlp_bias\":true"), "mlp_bias" },
    { HET_E_UNSUPPORTED, LLAMA_BUT(LAYERS ",\"rope_scaling\":{\"type\":\"ntk-by-parts\"}"),
      "rope of type \"ntk-by-parts\"" },
    { HET_E_FORMAT, LLAMA_BUT(LAYERS ",\"intermediate_size\":[3]"), "duplicate" },
    { HET_E_FORMAT, LLAMA_BUT(LAYERS ",\"num_local_experts\":4"),
      "num_experts_per_tok is missing" },
    { HET_E_FORMAT, LLAMA_BUT(LAYERS ",\"num_local_experts\":4,\"num_experts_per_tok\":5"),
      "uses 5 of 4 experts" },
    { HET_E_FORMAT, "{\"model_type\":\"gemma3n_text\",\"altup_active_idx\":4}", "4 is active" },
    { HET_E_FORMAT, "{\"model_type\":\"gemma3n_text\",\"num_kv_shared_layers\":34}",
      "no layer like it has any" },
    { HET_E_FORMAT, "{\"model_type\":\"gemma3n_text\",\"num_kv_shared_layers\":35}",
      "35 of 35 layers share" },
    { HET_E_FORMAT, "{\"model_type\":\"gemma3n_text\",\"activation_sparsity_pattern\":[0.5]}",
      "share for each layer" },
};

static void refused(void)
{
    het_error err;
    for (size_t i = 0; i < sizeof refusals / sizeof refusals[0]; i++) {
        het_model *m = load(refusals[i].text, 0, &err);
        CHECK(m == NULL);
        CHECK_INT(err.status, refusals[i].status);
        if (!strstr(err.message, refusals[i].sentence))
            TEST_FAIL("\"%s\" does not say \"%s\"", err.message, refusals[i].sentence);
        het_model_destroy(m);
    }
    het_model *m = load(LLAMA_BUT(LAYERS), 0, &err); /* what the cases above change is whole */
    CHECK(m != NULL);
    het_model_destroy(m);
}

/* Nesting and size have bounds. */
static void bounds(void)
{
    het_error err;
    char *text = calloc((2 << 20) + 64, 1);
    strcpy(text, "{\"a\":");
    memset(text + 5, '[', 5000);
    CHECK(load(text, 0, &err) == NULL && strstr(err.message, "nested deeper than 32"));
    memset(text, ' ', 2 << 20);
    text[0] = '{';
    CHECK(load(text, 0, &err) == NULL && strstr(err.message, "more than 1048576"));
    free(text);
}

/* ---- files and folders ---- */

static void folders(void)
{
    test_folder folder;
    het_model *m = NULL;
    het_error err = HET_ERROR_INIT;
    test_folder_make(&folder);
    const char *file = test_folder_file(&folder, "config.json"), *path = folder.path;
    CHECK_INT(het_model_load(context, path, NULL, &m, &err), HET_E_IO);
    FILE *f = fopen(file, "w");
    fputs(text_of("Qwen3-0.6B"), f);
    fclose(f);
    CHECK_INT(het_model_load(context, path, NULL, &m, &err), HET_OK);
    CHECK_INT(het_model_metadata_count(m), 12);
    het_metadata entry = { .struct_size = sizeof entry };
    CHECK_INT(het_model_metadata_at(m, 0, &entry), HET_OK);
    CHECK_STR(entry.key, "model_type");
    CHECK_STR(entry.value, "qwen3");
    CHECK(het_model_tokenizer(m) == NULL);
    het_model_destroy(m);
    het_model_options o = HET_MODEL_OPTIONS_INIT;
    o.flags = HET_MODEL_INSPECT_ONLY; /* what is not known can be looked at */
    f = fopen(file, "w");
    fputs("{\"model_type\":\"mamba\",\"state_size\":16}", f);
    fclose(f);
    CHECK_INT(het_model_load(context, file, &o, &m, &err), HET_OK);
    CHECK_INT(het_model_metadata_count(m), 2);
    het_model_info info = { .struct_size = sizeof info };
    CHECK_INT(het_model_get_info(m, &info), HET_OK);
    CHECK_STR(info.architecture, "mamba");
    het_model_destroy(m);
    test_folder_remove(&folder);
}

int main(void)
{
    CHECK_INT(het_context_create(NULL, &context, NULL), HET_OK);
    test_case(counts);
    test_case(weight_types);
    test_case(plans);
    test_case(same_as_files);
    test_case(refused);
    test_case(bounds);
    test_case(folders);
    het_context_destroy(context);
    return test_finish();
}
