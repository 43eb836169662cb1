/* SPDX-License-Identifier: Apache-2.0 */
/* Safetensors files: what is read, and every way in which a file can be wrong, by its sentence. */
#include "lib/import/hf_names.h"
#include "lib/import/safetensors.h"
#include "test.h"

static het__mem mem;

typedef struct read_file {
    het__arena arena;
    het__safetensors st;
    uint8_t *bytes;
    het_error err;
    het_status status;
} read_file;

/* The header as text, and so many bytes of data. */
static void read_bytes(read_file *r, const char *header, size_t data)
{
    const size_t n = strlen(header);
    memset(r, 0, sizeof *r);
    r->err = (het_error)HET_ERROR_INIT;
    het__arena_init(&r->arena, &mem);
    het__safetensors_init(&r->st, &r->arena);
    r->bytes = calloc(8 + n + data, 1);
    r->bytes[0] = (uint8_t)n;
    r->bytes[1] = (uint8_t)(n >> 8);
    memcpy(r->bytes + 8, header, n);
    r->status = het__safetensors_add(&r->st, "w", r->bytes, 8 + n + data, &r->err);
    if (r->status == HET_OK)
        r->status = het__safetensors_seal(&r->st, &r->err);
}

static void done(read_file *r)
{
    het__arena_finish(&r->arena);
    free(r->bytes);
}

#define TENSOR(name, type, shape, begin, end)                                        \
    "\"" name "\":{\"dtype\":\"" type "\",\"shape\":[" shape "],\"data_offsets\":[" begin \
    "," end "]}"

static void whole(void)
{
    read_file r;
    read_bytes(&r, "{" TENSOR("z", "BF16", "2,3", "4", "16") ","
                   TENSOR("a", "F32", "", "0", "4") "," TENSOR("none", "I64", "0,7", "4", "4")
                   ",\"__metadata__\":{\"format\":\"pt\"}}   ", 12 + 4);
    CHECK_INT(r.status, HET_OK);
    CHECK_INT(r.st.count, 3);
    const het__st_tensor *z = het__safetensors_find(&r.st, "z");
    const het__st_tensor *a = het__safetensors_find(&r.st, "a");
    CHECK(z && a && het__safetensors_find(&r.st, "none") && !het__safetensors_find(&r.st, "b"));
    if (z && a) {
        CHECK_INT(z->rank, 2);
        CHECK_INT(z->extent[0], 2);
        CHECK_INT(z->extent[1], 3);
        CHECK_INT(z->bytes, 12);
        CHECK_INT(z->dtype, HET_DTYPE_BF16);
        CHECK_INT(a->rank, 0);
        CHECK((const uint8_t *)z->data == (const uint8_t *)a->data + 4);
        CHECK_STR(z->file, "w");
    }
    done(&r);
    read_bytes(&r, "{}", 0);
    CHECK_INT(r.status, HET_OK);
    CHECK_INT(r.st.count, 0);
    done(&r);
}

static void refused(void)
{
    static const struct { const char *header; size_t data; const char *says; } cases[] = {
        { "{" TENSOR("a", "U8", "8", "0", "8") "}", 7, "tensor a ends behind the end of the file" },
        { "{" TENSOR("a", "U8", "8", "0", "8") "}", 9, "1 bytes of data belong to no tensor" },
        { "{" TENSOR("a", "F32", "8", "0", "8") "}", 8, "tensor a has other bytes than" },
        { "{" TENSOR("a", "U8", "4", "4", "8") "}", 8, "tensor a stands behind a gap" },
        { "{" TENSOR("a", "U8", "6", "0", "6") "," TENSOR("b", "U8", "4", "4", "8") "}", 8,
          "tensor b overlaps another one" },
        { "{" TENSOR("a", "U8", "4", "8", "4") "}", 8, "no data_offsets of two ascending" },
        { "{" TENSOR("a", "U8", "4", "-4", "0") "}", 8, "no data_offsets of two ascending" },
        { "{" TENSOR("a", "U8", "-4", "0", "4") "}", 4, "an extent that is not a size" },
        { "{" TENSOR("a", "U8", "4.0", "0", "4") "}", 4, "an extent that is not a size" },
        { "{" TENSOR("a", "F64", "4611686018427387904,8,8", "0", "8") "}", 8,
          "larger than memory" },
        { "{" TENSOR("a", "U8", "1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1", "0", "1") "}", 1,
          "no list of extents" },
        { "{" TENSOR("a", "Q9", "4", "0", "4") "}", 4, "tensor a is of type \"Q9\"" },
        { "{\"a\":{\"dtype\":3,\"shape\":[],\"data_offsets\":[0,1]}}", 1, "of type" },
        { "{\"a\":[]}", 0, "tensor a is not an object" },
        { "{\"a\":{},\"a\":{}}", 0, "duplicate" },
        { "[]", 0, "is not an object" },
        { "{", 0, "header of w" },
        { "{\"a\":[[[[[[1]]]]]]}", 0, "nested deeper than 4" },
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        read_file r;
        read_bytes(&r, cases[i].header, cases[i].data);
        CHECK(r.status == HET_E_FORMAT || r.status == HET_E_UNSUPPORTED);
        if (!strstr(r.err.message, cases[i].says) || !strstr(r.err.message, "w"))
            TEST_FAIL("case %zu: \"%s\", want \"%s\"", i, r.err.message, cases[i].says);
        done(&r);
    }
}

static void lengths(void)
{
    static const uint64_t headers[] = { 3, 1 << 20, UINT64_MAX, UINT64_MAX - 7, 1 };
    for (size_t i = 0; i < sizeof headers / sizeof headers[0]; i++) {
        uint8_t file[10] = { 0 };
        het__arena arena;
        het__safetensors st;
        het_error err = HET_ERROR_INIT;
        for (int k = 0; k < 8; k++)
            file[k] = (uint8_t)(headers[i] >> 8 * k);
        het__arena_init(&arena, &mem);
        het__safetensors_init(&st, &arena);
        CHECK_INT(het__safetensors_add(&st, "w", file, sizeof file, &err), HET_E_FORMAT);
        for (size_t n = 0; n < 8; n++)
            CHECK_INT(het__safetensors_add(&st, "w", file, n, &err), HET_E_FORMAT);
        het__arena_finish(&arena);
    }
}

static void names(void)
{
    static const struct {
        const char *family, *from;
        het__hf_use use;
        const char *to;
        uint32_t part;
    } cases[] = {
        { "llama", "model.layers.12.self_attn.q_proj.weight", HET__HF_WHOLE,
          "blk.12.attn_q.weight", 0 },
        { "llama", "model.layers.0.post_attention_layernorm.weight", HET__HF_WHOLE,
          "blk.0.ffn_norm.weight", 0 },
        { "gemma2", "model.layers.0.post_attention_layernorm.weight", HET__HF_WHOLE,
          "blk.0.post_attention_norm.weight", 0 },
        { "llama", "model.layers.3.block_sparse_moe.experts.7.w2.weight", HET__HF_PART,
          "blk.3.ffn_down_exps.weight", 7 },
        { "qwen3moe", "model.layers.3.mlp.experts.127.up_proj.weight", HET__HF_PART,
          "blk.3.ffn_up_exps.weight", 127 },
        { "qwen3moe", "model.layers.3.mlp.experts.gate_up_proj", HET__HF_HALVES,
          "blk.3.ffn_gate_exps.weight", 0 },
        { "phimoe", "model.layers.1.input_layernorm.bias", HET__HF_WHOLE,
          "blk.1.attn_norm.bias", 0 },
        { "phimoe", "lm_head.bias", HET__HF_WHOLE, "output.bias", 0 },
        { "gemma3n", "model.language_model.altup_projections.2.weight", HET__HF_PART,
          "altup_proj.weight", 2 },
        { "gemma3n", "model.language_model.layers.1.altup.correct_output_scale", HET__HF_WHOLE,
          "blk.1.altup_correct_scale.weight", 0 },
        { "gemma3", "language_model.model.embed_tokens.weight", HET__HF_WHOLE,
          "token_embd.weight", 0 },
        { "gemma3", "language_model.lm_head.weight", HET__HF_WHOLE, "output.weight", 0 },
        { "gemma3", "vision_tower.encoder.layers.0.weight", HET__HF_OTHER, "", 0 },
        { "llama", "model.layers.0.self_attn.rotary_emb.inv_freq", HET__HF_OTHER, "", 0 },
        { "llama", "model.layers.00.self_attn.q_proj.weight", HET__HF_UNKNOWN, "", 0 },
        { "llama", "model.layers.-1.self_attn.q_proj.weight", HET__HF_UNKNOWN, "", 0 },
        { "llama", "model.layers.0.self_attn.q_proj.qweight", HET__HF_UNKNOWN, "", 0 },
        { "llama", "model.layers.0.mlp.experts.99999999999999999999.w1.weight", HET__HF_UNKNOWN,
          "", 0 },
        { "llama", "model.layers.0", HET__HF_UNKNOWN, "", 0 },
        { "llama", "transformer.wte.weight", HET__HF_UNKNOWN, "", 0 },
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        het__hf_name n;
        const het__hf_family *f = het__hf_family_of(cases[i].family);
        CHECK(f != NULL);
        het__hf_name_of(f, cases[i].from, &n);
        CHECK_INT(n.use, cases[i].use);
        CHECK_STR(n.name, cases[i].to);
        if (n.use == HET__HF_PART)
            CHECK_INT(n.part, cases[i].part);
    }
    CHECK(het__hf_family_of("mamba") == NULL);
}

int main(void)
{
    het__mem_init(&mem, NULL);
    test_case(whole);
    test_case(refused);
    test_case(lengths);
    test_case(names);
    CHECK_INT(atomic_load(&mem.bytes), 0);
    return test_finish();
}
