/* SPDX-License-Identifier: Apache-2.0 */
/* Parts of networks: language models as this library builds them, before and after the passes, and
 * graphs with the names that exporters of ONNX files give, or none. */
#include <hetinfer.h>

#include "counting_allocator.h"
#include "tiny_model.h"

#include "lib/api/handles.h"
#include "lib/passes/passes.h"

#include "lib/partition/node_class.h"

static het__mem memory;

/* "name class layer" per node; names without ".weight" at their end. */
static char *describe(const het__graph *g)
{
    het__node_label labels[128];
    het__text text;
    CHECK(g->node_count <= 128);
    CHECK_INT(het__graph_labels(g, &memory, labels, NULL), HET_OK);
    het__text_init(&text, &memory);
    for (uint32_t n = 0; n < g->node_count; n++) {
        const char *name = g->nodes[n].name;
        const size_t length = strlen(name);
        const bool is_long = length > 7 && strcmp(name + length - 7, ".weight") == 0;
        het__text_printf(&text, "%.*s %s %d\n", (int)(is_long ? length - 7 : length), name,
                         het__node_class_name(labels[n].node_class), labels[n].layer);
    }
    return het__text_take(&text);
}

/* ---- language models ---- */

static void language_graph(const char *architecture, het__graph *g, het_context **context,
                           het_model **model, tiny_model *tiny)
{
    tiny_options o = TINY_LLAMA;
    het_error err = HET_ERROR_INIT;
    o.architecture = architecture;
    o.layers = 1;
    tiny_make(tiny, &o);
    CHECK_INT(het_context_create(NULL, context, NULL), HET_OK);
    CHECK_INT(het_model_load_memory(*context, tiny->file, tiny->bytes, NULL, model, NULL), HET_OK);
    const het__lm_source source = het__gguf_source(&(*model)->language->gguf);
    CHECK_INT(het__lm_graph((*model)->language->family, &(*model)->language->config, &source,
                            HET_DTYPE_F16, &memory, g, &err), HET_OK);
}

static const char as_built[] =
    "embedding embedding -1\n"
    "blk.0.attn_norm norm 0\n"
    "blk.0.attn_q attention_qkv_proj 0\n"
    "blk.0.attn_k attention_qkv_proj 0\n"
    "blk.0.attn_v attention_qkv_proj 0\n"
    "blk.0.rope_k attention 0\n"
    "blk.0.rope_q attention 0\n"
    "blk.0.attention attention 0\n"
    "blk.0.attn_output attention_output_proj 0\n"
    "blk.0.attn_residual residual 0\n"
    "blk.0.ffn_norm norm 0\n"
    "blk.0.ffn_gate ffn 0\n"
    "blk.0.ffn_up ffn 0\n"
    "blk.0.ffn_act activation 0\n"
    "blk.0.ffn_mul elementwise 0\n"
    "blk.0.ffn_down ffn 0\n"
    "blk.0.ffn_residual residual 0\n"
    "rows move -1\n"
    "output_norm norm -1\n"
    "logits lm_head -1\n";

static const char as_fused[] =
    "embedding embedding -1\n"
    "blk.0.attn_norm norm 0\n"
    "blk.0.attn_q attention_qkv_proj 0\n"
    "blk.0.attention attention 0\n"
    "blk.0.attn_output attention_output_proj 0\n"
    "blk.0.ffn_norm norm 0\n"
    "blk.0.ffn_gate ffn 0\n"
    "blk.0.ffn_down ffn 0\n"
    "rows move -1\n"
    "output_norm norm -1\n"
    "logits lm_head -1\n";

static void language_models(void)
{
    static const char *const families[] = { "llama", "qwen2", "phi3" };
    for (size_t f = 0; f < sizeof families / sizeof families[0]; f++) {
        het_context *context = NULL;
        het_model *model = NULL;
        tiny_model tiny;
        het__graph g;
        het_error err = HET_ERROR_INIT;
        const het__pass_options passes = { HET__PASSES_ALL, 0 };
        language_graph(families[f], &g, &context, &model, &tiny);
        char *text = describe(&g);
        CHECK_STR(text, as_built);
        het__free(&memory, text);
        CHECK_INT(het__passes_run(&g, &passes, NULL, &err), HET_OK);
        text = describe(&g);
        CHECK_STR(text, as_fused);
        het__free(&memory, text);
        het__graph_finish(&g);
        het_model_destroy(model);
        het_context_destroy(context);
        tiny_free(&tiny);
    }
}

/* ---- graphs ---- */

static uint32_t input(het__graph *g, uint32_t rank)
{
    const het__extent e[4] = { { 2, HET__SYM_ONE }, { 3, HET__SYM_ONE }, { 4, HET__SYM_ONE },
                               { 5, HET__SYM_ONE } };
    return het__graph_value(g, "x", HET__VALUE_INPUT, HET_DTYPE_F32, rank, e);
}

static uint32_t weight(het__graph *g, const char *name, uint32_t rank)
{
    const int64_t e[4] = { 2, 3, 4, 5 };
    return het__graph_const(g, name, HET_DTYPE_F32, rank, e, NULL);
}

static uint32_t op(het__graph *g, const char *type, const char *name, uint32_t a, uint32_t b)
{
    static const het__attr_list none = { NULL, 0, 13, NULL, false, NULL };
    const uint32_t in[2] = { a, b };
    return het__graph_tensor_node(g, het__tensor_op_find(type), name, in,
                                  b == HET__NO_VALUE ? 1 : 2, 1, &none);
}

/* Products by the name of the node, and by that of the weight where the node has none. */
static void names_of_exporters(void)
{
    static const struct {
        const char *name, *weight, *want;
    } cases[] = {
        { "/model/layers.7/attn/q_proj/MatMul", "w", "attention_qkv_proj 7" },
        { "/model/layers.7/self_attn/k_proj/MatMul", "w", "attention_qkv_proj 7" },
        { "/model/layers.11/self_attn/o_proj/MatMul", "w", "attention_output_proj 11" },
        { "/model/layers.0/mlp/gate_proj/MatMul", "w", "ffn 0" },
        { "/model/layers.0/mlp/down_proj/MatMul", "w", "ffn 0" },
        { "/model/layers.0/block_sparse_moe/gate/MatMul", "w", "router_logits 0" },
        { "/model/layers.0/mlp/gate/MatMul", "w", "router_logits 0" },
        { "/model/layers.3/moe/router/MatMul", "w", "router_logits 3" },
        { "/model/layers.3/mlp/experts.2/up_proj/MatMul", "w", "expert_ffn 3" },
        { "blk.5.ffn_gate_inp", "w", "router_logits 5" },
        { "blk.5.ffn_down_exps", "w", "expert_ffn 5" },
        { "blk.5.ffn_up_shexp", "w", "expert_ffn 5" },
        { "/lm_head/MatMul", "w", "lm_head -1" },
        { "/encoder/layer.2/attention/self/query/MatMul", "w", "attention_qkv_proj 2" },
        { "/encoder/layer.2/attention/output/dense/MatMul", "w", "attention_output_proj 2" },
        { "/encoder/layer.2/intermediate/dense/MatMul", "w", "ffn 2" },
        { "/encoder/layer.2/output/dense/MatMul", "w", "ffn 2" },
        { "/h.4/attn/c_attn/Gemm", "w", "attention_qkv_proj 4" },
        { "/h.4/attn/c_proj/Gemm", "w", "attention_output_proj 4" },
        { "/h.4/mlp/c_fc/Gemm", "w", "ffn 4" },
        { "/blocks/blocks.9/attn/qkv/MatMul", "w", "attention_qkv_proj 9" },
        { "/blocks/blocks.9/attn/proj/MatMul", "w", "attention_output_proj 9" },
        { "/encoder/block.1/layer.0/SelfAttention/q/MatMul", "w", "attention_qkv_proj 1" },
        { "/layer1/layer1.0/mlp/fc1/Gemm", "w", "ffn 1" },
        { "", "model.layers.3.self_attn.v_proj.weight", "attention_qkv_proj -1" },
        { "MatMul_77", "bert.encoder.layer.0.output.dense.weight", "ffn -1" },
        { "MatMul_77", "onnx::MatMul_1234", "matmul -1" },
        { "/classifier/Gemm", "classifier.weight", "matmul -1" },
        { "/block_proj/MatMul", "w", "matmul -1" },
        { "head", "token_embd.weight", "lm_head -1" },
        { "MatMul_9", "model.embed_tokens.weight_T", "lm_head -1" },
        { "blk.3.altup_router", "w", "matmul 3" },
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        het__graph g;
        char want[160];
        het__graph_init(&g, &memory);
        op(&g, "MatMul", cases[i].name, input(&g, 2), weight(&g, cases[i].weight, 2));
        char *text = describe(&g);
        snprintf(want, sizeof want, "%s %s\n", cases[i].name, cases[i].want);
        CHECK_STR(text, want);
        het__free(&memory, text);
        het__graph_finish(&g);
    }
}

/* No name says anything: the softmax between two products does. */
static void attention_by_its_shape(void)
{
    het__graph g;
    het__graph_init(&g, &memory);
    const uint32_t x = input(&g, 3), scale = weight(&g, "s", 0), none = HET__NO_VALUE;
    const uint32_t q = op(&g, "MatMul", "q", x, weight(&g, "a", 2));
    const uint32_t k = op(&g, "Transpose", "kt", op(&g, "MatMul", "k", x, weight(&g, "b", 2)),
                          none);
    const uint32_t v = op(&g, "MatMul", "v", x, weight(&g, "c", 2));
    uint32_t s = op(&g, "MatMul", "scores", q, k);
    s = op(&g, "Div", "scaled", s, scale);
    s = op(&g, "Tanh", "capped", s, none);
    s = op(&g, "Add", "masked", s, input(&g, 3));
    s = op(&g, "Softmax", "soft", s, none);
    s = op(&g, "Cast", "cast", s, none);
    s = op(&g, "MatMul", "sum", s, v);
    s = op(&g, "Transpose", "back", s, none);
    s = op(&g, "MatMul", "out", s, weight(&g, "d", 2));
    s = op(&g, "Add", "residual", s, x);
    s = op(&g, "Softmax", "last", s, none);
    op(&g, "MatMul", "two", s, x); /* no product before this softmax */
    char *text = describe(&g);
    CHECK_STR(text, "q matmul -1\nk matmul -1\nkt move -1\nv matmul -1\nscores attention -1\n"
                    "scaled attention -1\ncapped attention -1\nmasked attention -1\n"
                    "soft attention -1\ncast attention -1\nsum attention -1\nback move -1\n"
                    "out matmul -1\nresidual residual -1\nlast activation -1\ntwo matmul -1\n");
    het__free(&memory, text);
    het__graph_finish(&g);
}

static void other_operations(void)
{
    static const struct {
        const char *type, *name, *want;
        uint32_t second; /* 0: none, 1: an activation, 2: a weight */
    } cases[] = {
        { "Relu", "a", "activation", 0 },        { "Sigmoid", "a", "activation", 0 },
        { "Abs", "a", "elementwise", 0 },        { "Cast", "a", "elementwise", 0 },
        { "Add", "a", "residual", 1 },           { "Add", "bias", "elementwise", 2 },
        { "Mul", "a", "elementwise", 1 },        { "Conv", "a", "conv", 2 },
        { "MaxPool", "a", "pool", 0 },           { "GlobalAveragePool", "a", "pool", 0 },
        { "BatchNormalization", "a", "norm", 2 }, { "LayerNormalization", "a", "norm", 2 },
        { "ReduceMean", "a", "reduce", 0 },      { "Softmax", "a", "activation", 0 },
        { "Softmax", "layers.0.router", "expert_selection", 0 },
        { "TopK", "layers.0.router.topk", "expert_selection", 0 },
        { "TopK", "a", "other", 0 },             { "Reshape", "a", "move", 1 },
        { "Transpose", "a", "move", 0 },         { "Gather", "a", "move", 1 },
        { "LSTM", "a", "recurrent", 2 },         { "Attention", "a", "attention", 1 },
        { "RotaryEmbedding", "a", "attention", 1 }, { "If", "a", "control", 0 },
        { "com.microsoft:QLinearGlobalAveragePool", "a", "pool", 0 },
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        het__graph g;
        het__node_label label;
        het__graph_init(&g, &memory);
        const uint32_t x = input(&g, 4);
        const uint32_t y = cases[i].second == 0   ? HET__NO_VALUE
                           : cases[i].second == 1 ? input(&g, 4) : weight(&g, "w", 4);
        op(&g, cases[i].type, cases[i].name, x, y);
        CHECK_INT(het__graph_labels(&g, &memory, &label, NULL), HET_OK);
        CHECK_STR(het__node_class_name(label.node_class), cases[i].want);
        het__graph_finish(&g);
    }
    het__graph g;
    het__node_label label;
    het__graph_init(&g, &memory);
    op(&g, "Gather", "words", weight(&g, "table", 2), input(&g, 2));
    CHECK_INT(het__graph_labels(&g, &memory, &label, NULL), HET_OK);
    CHECK_INT(label.node_class, HET__CLASS_EMBEDDING);
    het__graph_finish(&g);
}

static void unknown_operations(void)
{
    static const struct { const char *type, *want; } cases[] = {
        { "com.microsoft:GroupQueryAttention", "attention" },
        { "com.microsoft:SkipLayerNormalization", "norm" },
        { "com.microsoft:MatMulNBits", "attention_qkv_proj" }, /* its name says the rest */
        { "com.microsoft:QMoE", "expert_ffn" }, { "com.microsoft:FastGelu", "activation" },
        { "org.example:Mystery", "other" },
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        het__graph g;
        het__node_label label;
        het__graph_init(&g, &memory);
        const het__attr_list list = { NULL, 0, 1, cases[i].type, false, NULL };
        const uint32_t x = input(&g, 2);
        het__graph_tensor_node(&g, HET__OP_T_UNKNOWN, "layers.1/q_proj", &x, 1, 1, &list);
        CHECK_INT(het__graph_labels(&g, &memory, &label, NULL), HET_OK);
        CHECK_STR(het__node_class_name(label.node_class), cases[i].want);
        CHECK_INT(label.layer, 1);
        het__graph_finish(&g);
    }
}

static void words(void)
{
    for (uint32_t c = 0; c < HET__CLASS_COUNT; c++)
        CHECK_INT(het__node_class_find(het__node_class_name(c)), 1u << c);
    CHECK_INT(het__node_class_find("router"),
              1u << HET__CLASS_ROUTER_LOGITS | 1u << HET__CLASS_EXPERT_SELECTION);
    CHECK_INT(het__node_class_find("attention_layer"),
              1u << HET__CLASS_ATTENTION | 1u << HET__CLASS_ATTENTION_QKV_PROJ |
                  1u << HET__CLASS_ATTENTION_OUTPUT_PROJ);
    CHECK_INT(het__node_class_find("FFN"), 0);
    CHECK_INT(het__node_class_find(""), 0);
    CHECK_STR(het__node_class_name(HET__CLASS_COUNT), "unknown");
}

/* A long name is read from its end; an empty graph has nothing to say. */
static void edges(void)
{
    het__graph g;
    het__node_label label;
    char name[2000];
    memset(name, 'a', sizeof name);
    strcpy(name + 1900, "/layers.3/q_proj/MatMul");
    het__graph_init(&g, &memory);
    CHECK_INT(het__graph_labels(&g, &memory, &label, NULL), HET_OK);
    op(&g, "MatMul", name, input(&g, 2), weight(&g, "w", 2));
    CHECK_INT(het__graph_labels(&g, &memory, &label, NULL), HET_OK);
    CHECK_INT(label.node_class, HET__CLASS_ATTENTION_QKV_PROJ);
    CHECK_INT(label.layer, 3);
    counting_allocator counter = { 0 };
    const het_allocator allocator = counting_allocator_of(&counter);
    het__mem mem;
    het__mem_init(&mem, &allocator);
    counting_allocator_fail(&counter, 1);
    CHECK_INT(het__graph_labels(&g, &mem, &label, NULL), HET_E_NOMEM);
    het__graph_finish(&g);
}

int main(void)
{
    het__mem_init(&memory, NULL);
    test_case(language_models);
    test_case(names_of_exporters);
    test_case(attention_by_its_shape);
    test_case(other_operations);
    test_case(unknown_operations);
    test_case(words);
    test_case(edges);
    return test_finish();
}
