/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/partition/node_class.h"

#include <string.h>

#include "lib/base/error.h"

#define BIT(c) (UINT32_C(1) << (c))
/* Of a name, what is looked at: its end, which says more than its beginning. */
#define WORDS_MAX 256

/* ---- names of classes ---- */

static const char *const class_names[HET__CLASS_COUNT] = {
    [HET__CLASS_OTHER] = "other",
    [HET__CLASS_EMBEDDING] = "embedding",
    [HET__CLASS_ATTENTION_QKV_PROJ] = "attention_qkv_proj",
    [HET__CLASS_ATTENTION] = "attention",
    [HET__CLASS_ATTENTION_OUTPUT_PROJ] = "attention_output_proj",
    [HET__CLASS_ROUTER_LOGITS] = "router_logits",
    [HET__CLASS_EXPERT_SELECTION] = "expert_selection",
    [HET__CLASS_EXPERT_FFN] = "expert_ffn",
    [HET__CLASS_FFN] = "ffn",
    [HET__CLASS_NORM] = "norm",
    [HET__CLASS_RESIDUAL] = "residual",
    [HET__CLASS_ACTIVATION] = "activation",
    [HET__CLASS_LM_HEAD] = "lm_head",
    [HET__CLASS_CONV] = "conv",
    [HET__CLASS_POOL] = "pool",
    [HET__CLASS_MATMUL] = "matmul",
    [HET__CLASS_ELEMENTWISE] = "elementwise",
    [HET__CLASS_REDUCE] = "reduce",
    [HET__CLASS_MOVE] = "move",
    [HET__CLASS_RECURRENT] = "recurrent",
    [HET__CLASS_CONTROL] = "control",
};

static const struct {
    const char *word;
    uint32_t classes;
} class_words[] = {
    { "attention_core", BIT(HET__CLASS_ATTENTION) },
    { "attention_layer", BIT(HET__CLASS_ATTENTION) | BIT(HET__CLASS_ATTENTION_QKV_PROJ) |
                             BIT(HET__CLASS_ATTENTION_OUTPUT_PROJ) },
    { "attention_out_proj", BIT(HET__CLASS_ATTENTION_OUTPUT_PROJ) },
    { "convolution", BIT(HET__CLASS_CONV) },
    { "embeddings", BIT(HET__CLASS_EMBEDDING) },
    { "experts", BIT(HET__CLASS_EXPERT_FFN) },
    { "ffn_layer", BIT(HET__CLASS_FFN) | BIT(HET__CLASS_EXPERT_FFN) },
    { "head", BIT(HET__CLASS_LM_HEAD) },
    { "layer_norm", BIT(HET__CLASS_NORM) },
    { "layernorm", BIT(HET__CLASS_NORM) },
    { "mlp", BIT(HET__CLASS_FFN) },
    { "moe", BIT(HET__CLASS_ROUTER_LOGITS) | BIT(HET__CLASS_EXPERT_SELECTION) |
                 BIT(HET__CLASS_EXPERT_FFN) },
    { "qkv", BIT(HET__CLASS_ATTENTION_QKV_PROJ) },
    { "router", BIT(HET__CLASS_ROUTER_LOGITS) | BIT(HET__CLASS_EXPERT_SELECTION) },
};

const char *het__node_class_name(uint32_t node_class)
{
    return node_class < HET__CLASS_COUNT ? class_names[node_class] : "unknown";
}

uint32_t het__node_class_find(const char *word)
{
    for (uint32_t c = 0; c < HET__CLASS_COUNT; c++)
        if (strcmp(class_names[c], word) == 0)
            return BIT(c);
    for (size_t i = 0; i < sizeof class_words / sizeof class_words[0]; i++)
        if (strcmp(class_words[i].word, word) == 0)
            return class_words[i].classes;
    return 0;
}

/* ---- names of nodes and weights ---- */

/* Small letters, digits and '_'; every other character, and both ends, are '.'. */
static void read_words(const char *name, char words[WORDS_MAX])
{
    const size_t length = strlen(name);
    const char *from = length > WORDS_MAX - 3 ? name + length - (WORDS_MAX - 3) : name;
    size_t n = 0;
    words[n++] = '.';
    for (; *from; from++) {
        const char c = *from;
        const bool is_upper = c >= 'A' && c <= 'Z';
        const bool is_word = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_';
        words[n++] = is_upper ? (char)(c + ('a' - 'A')) : is_word ? c : '.';
    }
    words[n++] = '.';
    words[n] = 0;
}

/* Parts of names that say what a product with weights is; the first that fits counts. */
static const struct {
    const char *part;
    het__node_class node_class;
} product_parts[] = {
    { "lm_head", HET__CLASS_LM_HEAD },
    { "embed_out", HET__CLASS_LM_HEAD },
    { "token_embd", HET__CLASS_LM_HEAD }, /* a product with the table of the embedding */
    { "embed_tokens", HET__CLASS_LM_HEAD },
    { ".logits.", HET__CLASS_LM_HEAD },
    { ".output.weight.", HET__CLASS_LM_HEAD },
    { "altup", HET__CLASS_MATMUL }, /* its router routes nothing to experts */
    { "gate_inp", HET__CLASS_ROUTER_LOGITS },
    { "router", HET__CLASS_ROUTER_LOGITS },
    { "expert_gate", HET__CLASS_ROUTER_LOGITS },
    { "moe.gate.", HET__CLASS_ROUTER_LOGITS },
    { "mlp.gate.", HET__CLASS_ROUTER_LOGITS },
    { "exps.", HET__CLASS_EXPERT_FFN },
    { "shexp", HET__CLASS_EXPERT_FFN },
    { "expert", HET__CLASS_EXPERT_FFN },
    { "_moe.", HET__CLASS_EXPERT_FFN },
    { ".moe.", HET__CLASS_EXPERT_FFN },
    { "attn_q.", HET__CLASS_ATTENTION_QKV_PROJ },
    { "attn_k.", HET__CLASS_ATTENTION_QKV_PROJ },
    { "attn_v.", HET__CLASS_ATTENTION_QKV_PROJ },
    { "qkv", HET__CLASS_ATTENTION_QKV_PROJ },
    { ".q_proj", HET__CLASS_ATTENTION_QKV_PROJ },
    { ".k_proj", HET__CLASS_ATTENTION_QKV_PROJ },
    { ".v_proj", HET__CLASS_ATTENTION_QKV_PROJ },
    { "_q_proj", HET__CLASS_ATTENTION_QKV_PROJ },
    { "_k_proj", HET__CLASS_ATTENTION_QKV_PROJ },
    { "_v_proj", HET__CLASS_ATTENTION_QKV_PROJ },
    { ".in_proj", HET__CLASS_ATTENTION_QKV_PROJ },
    { ".c_attn.", HET__CLASS_ATTENTION_QKV_PROJ },
    { ".to_q.", HET__CLASS_ATTENTION_QKV_PROJ },
    { ".to_k.", HET__CLASS_ATTENTION_QKV_PROJ },
    { ".to_v.", HET__CLASS_ATTENTION_QKV_PROJ },
    { ".query.", HET__CLASS_ATTENTION_QKV_PROJ },
    { ".key.", HET__CLASS_ATTENTION_QKV_PROJ },
    { ".value.", HET__CLASS_ATTENTION_QKV_PROJ },
    { "query_key_value", HET__CLASS_ATTENTION_QKV_PROJ },
    { "attention.q.", HET__CLASS_ATTENTION_QKV_PROJ },
    { "attention.k.", HET__CLASS_ATTENTION_QKV_PROJ },
    { "attention.v.", HET__CLASS_ATTENTION_QKV_PROJ },
    { "attn_out", HET__CLASS_ATTENTION_OUTPUT_PROJ },
    { ".o_proj", HET__CLASS_ATTENTION_OUTPUT_PROJ },
    { "_o_proj", HET__CLASS_ATTENTION_OUTPUT_PROJ },
    { ".out_proj", HET__CLASS_ATTENTION_OUTPUT_PROJ },
    { "attention.output", HET__CLASS_ATTENTION_OUTPUT_PROJ },
    { "attention.dense", HET__CLASS_ATTENTION_OUTPUT_PROJ },
    { "attention.o.", HET__CLASS_ATTENTION_OUTPUT_PROJ },
    { "attn.c_proj", HET__CLASS_ATTENTION_OUTPUT_PROJ },
    { "attn.proj.", HET__CLASS_ATTENTION_OUTPUT_PROJ },
    { ".to_out.", HET__CLASS_ATTENTION_OUTPUT_PROJ },
    { "ffn", HET__CLASS_FFN },
    { "feed_forward", HET__CLASS_FFN },
    { "feedforward", HET__CLASS_FFN },
    { ".mlp.", HET__CLASS_FFN },
    { "mlp_", HET__CLASS_FFN },
    { ".fc1.", HET__CLASS_FFN },
    { ".fc2.", HET__CLASS_FFN },
    { "gate_proj", HET__CLASS_FFN },
    { "up_proj", HET__CLASS_FFN },
    { "down_proj", HET__CLASS_FFN },
    { ".intermediate.", HET__CLASS_FFN },
    { ".c_fc.", HET__CLASS_FFN },
    { ".output.dense.", HET__CLASS_FFN },
    { "_h_to_4h", HET__CLASS_FFN },
    { "_4h_to_h", HET__CLASS_FFN },
    { ".densereludense.", HET__CLASS_FFN },
    { ".linear1.", HET__CLASS_FFN },
    { ".linear2.", HET__CLASS_FFN },
};

/* HET__CLASS_COUNT: the name says nothing. */
static uint32_t class_of_name(const char *name)
{
    char words[WORDS_MAX];
    if (!name || !*name)
        return HET__CLASS_COUNT;
    read_words(name, words);
    for (size_t i = 0; i < sizeof product_parts / sizeof product_parts[0]; i++)
        if (strstr(words, product_parts[i].part))
            return product_parts[i].node_class;
    return HET__CLASS_COUNT;
}

/* The number behind a word, directly or after one '.' or '_'; -1 if there is none. */
static int32_t number_behind(const char *at)
{
    if (*at == '.' || *at == '_')
        at++;
    if (*at < '0' || *at > '9')
        return -1;
    int32_t n = 0;
    for (; *at >= '0' && *at <= '9'; at++)
        if (n < 1000000)
            n = 10 * n + (*at - '0');
    return n;
}

/* The first such number: what is around a layer has the model's own numbers. */
static int32_t layer_of_name(const char *name)
{
    static const char *const parts[] = { ".blk", ".layers", ".layer", ".blocks", ".block",
                                         ".resblocks", ".h" };
    char words[WORDS_MAX];
    if (!name || !*name)
        return -1;
    read_words(name, words);
    for (const char *at = strchr(words, '.'); at; at = strchr(at + 1, '.'))
        for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) {
            const size_t n = strlen(parts[i]);
            const int32_t layer = strncmp(at, parts[i], n) == 0 ? number_behind(at + n) : -1;
            if (layer >= 0)
                return layer;
        }
    return -1;
}

/* ---- operations ---- */

/* By the rule that counts an operation's arithmetic: what counts alike is of one kind. */
#define CLASS_none HET__CLASS_MOVE
#define CLASS_elements HET__CLASS_ELEMENTWISE
#define CLASS_mat_mul HET__CLASS_MATMUL
#define CLASS_gemm HET__CLASS_MATMUL
#define CLASS_einsum HET__CLASS_MATMUL
#define CLASS_det HET__CLASS_OTHER
#define CLASS_conv HET__CLASS_CONV
#define CLASS_conv_transpose HET__CLASS_CONV
#define CLASS_causal_conv HET__CLASS_CONV
#define CLASS_pool HET__CLASS_POOL
#define CLASS_global_pool HET__CLASS_POOL
#define CLASS_lrn HET__CLASS_NORM
#define CLASS_norm HET__CLASS_NORM
#define CLASS_reduce HET__CLASS_REDUCE
#define CLASS_softmax HET__CLASS_ACTIVATION
#define CLASS_loss HET__CLASS_OTHER
#define CLASS_recurrent HET__CLASS_RECURRENT
#define CLASS_attention HET__CLASS_ATTENTION
#define CLASS_linear_attention HET__CLASS_ATTENTION
#define CLASS_dft HET__CLASS_OTHER

static const uint8_t tensor_classes[HET__OP_COUNT - HET__OP_T_FIRST] = {
#define CLASS_OF(id, name, least, most, outputs, shape, count, axes, plain) \
    [HET__OP_T_##id - HET__OP_T_FIRST] = CLASS_##count,
    HET__TENSOR_OPS(CLASS_OF)
#undef CLASS_OF
};

static bool is_curve(het__op op)
{
    switch (op) {
    case HET__OP_T_CELU:
    case HET__OP_T_CLIP:
    case HET__OP_T_ELU:
    case HET__OP_T_ERF:
    case HET__OP_T_GELU:
    case HET__OP_T_HARD_SIGMOID:
    case HET__OP_T_HARD_SWISH:
    case HET__OP_T_LEAKY_RELU:
    case HET__OP_T_MISH:
    case HET__OP_T_PRELU:
    case HET__OP_T_RELU:
    case HET__OP_T_SELU:
    case HET__OP_T_SIGMOID:
    case HET__OP_T_SOFTPLUS:
    case HET__OP_T_SOFTSIGN:
    case HET__OP_T_SWISH:
    case HET__OP_T_TANH:
    case HET__OP_T_THRESHOLDED_RELU:
        return true;
    default:
        return false;
    }
}

static bool is_constant(const het__graph *g, uint32_t value)
{
    return value != HET__NO_VALUE && g->values[value].kind == HET__VALUE_CONST;
}

/* Rows of a table of floats, by index. */
static bool is_table_read(const het__graph *g, const het__node *node)
{
    if (!is_constant(g, node->inputs[0]))
        return false;
    const het__value *table = &g->values[node->inputs[0]];
    return table->rank == 2 && table->dtype != HET_DTYPE_I64 && table->dtype != HET_DTYPE_I32;
}

/* Sum of two things that were computed, of one shape as far as shapes are known. */
static bool is_residual(const het__graph *g, const het__node *node)
{
    if (node->input_count != 2 || node->inputs[0] == HET__NO_VALUE ||
        node->inputs[1] == HET__NO_VALUE || is_constant(g, node->inputs[0]) ||
        is_constant(g, node->inputs[1]))
        return false;
    const het__value *a = &g->values[node->inputs[0]], *b = &g->values[node->inputs[1]];
    if (!het__value_is_known(a) || !het__value_is_known(b))
        return true;
    if (a->rank != b->rank)
        return false;
    for (uint32_t i = 0; i < a->rank; i++)
        if (a->extent[i].count != b->extent[i].count || a->extent[i].symbol != b->extent[i].symbol)
            return false;
    return true;
}

/* Operations by their names, where the name is all that is known. */
static uint32_t class_of_type(const char *type)
{
    static const struct {
        const char *part;
        het__node_class node_class;
    } parts[] = {
        { "MoE", HET__CLASS_EXPERT_FFN },
        { "EmbedLayer", HET__CLASS_EMBEDDING },
        { "Attention", HET__CLASS_ATTENTION },
        { "Rotary", HET__CLASS_ATTENTION },
        { "Normalization", HET__CLASS_NORM },
        { "MatMul", HET__CLASS_MATMUL },
        { "Gemm", HET__CLASS_MATMUL },
        { "Conv", HET__CLASS_CONV },
        { "Pool", HET__CLASS_POOL },
        { "Gelu", HET__CLASS_ACTIVATION },
        { "Sigmoid", HET__CLASS_ACTIVATION },
    };
    for (size_t i = 0; type && i < sizeof parts / sizeof parts[0]; i++)
        if (strstr(type, parts[i].part))
            return parts[i].node_class;
    return HET__CLASS_OTHER;
}

static uint32_t class_of_tensor(const het__graph *g, const het__node *node)
{
    switch (node->op) {
    case HET__OP_T_GATHER:
        return is_table_read(g, node) ? HET__CLASS_EMBEDDING : HET__CLASS_MOVE;
    case HET__OP_T_ADD:
    case HET__OP_T_SUM:
        return is_residual(g, node) ? HET__CLASS_RESIDUAL : HET__CLASS_ELEMENTWISE;
    case HET__OP_T_TOP_K: {
        const uint32_t named = class_of_name(node->name);
        return named == HET__CLASS_ROUTER_LOGITS || named == HET__CLASS_EXPERT_FFN
                   ? HET__CLASS_EXPERT_SELECTION : HET__CLASS_OTHER;
    }
    case HET__OP_T_ROTARY_EMBEDDING: return HET__CLASS_ATTENTION;
    case HET__OP_T_MS_QLINEAR_POOL: return HET__CLASS_POOL;
    case HET__OP_T_IF:
    case HET__OP_T_LOOP:
    case HET__OP_T_SCAN: return HET__CLASS_CONTROL;
    case HET__OP_T_UNKNOWN: return class_of_type(node->attrs.tensor.type);
    case HET__OP_T_CUSTOM: return HET__CLASS_OTHER;
    default: break;
    }
    return is_curve(node->op) ? HET__CLASS_ACTIVATION
                              : tensor_classes[node->op - HET__OP_T_FIRST];
}

/* Operations of single families of language models. */
static uint32_t class_of_rare(const char *name)
{
    static const struct {
        const char *name;
        het__node_class node_class;
    } rare[] = {
        { "moe", HET__CLASS_EXPERT_FFN },     { "columns", HET__CLASS_MOVE },
        { "cut", HET__CLASS_ELEMENTWISE },    { "match", HET__CLASS_ELEMENTWISE },
        { "predict", HET__CLASS_ELEMENTWISE }, { "correct", HET__CLASS_ELEMENTWISE },
    };
    for (size_t i = 0; name && i < sizeof rare / sizeof rare[0]; i++)
        if (strcmp(name, rare[i].name) == 0)
            return rare[i].node_class;
    return HET__CLASS_OTHER;
}

static uint32_t class_of_op(const het__graph *g, const het__node *node)
{
    if (het__op_is_tensor(node->op))
        return class_of_tensor(g, node);
    switch (node->op) {
    case HET__OP_EMBED: return HET__CLASS_EMBEDDING;
    case HET__OP_NORM: return HET__CLASS_NORM;
    case HET__OP_LINEAR:
    case HET__OP_MATMUL: return HET__CLASS_MATMUL;
    case HET__OP_GATED: return HET__CLASS_FFN;
    case HET__OP_ROPE:
    case HET__OP_ATTENTION: return HET__CLASS_ATTENTION;
    case HET__OP_ADD:
        return is_residual(g, node) ? HET__CLASS_RESIDUAL : HET__CLASS_ELEMENTWISE;
    case HET__OP_MUL: return HET__CLASS_ELEMENTWISE;
    case HET__OP_UNARY:
    case HET__OP_SOFTMAX:
    case HET__OP_QMAP: return HET__CLASS_ACTIVATION;
    case HET__OP_ROWS:
    case HET__OP_BLOCK:
    case HET__OP_UNBLOCK: return HET__CLASS_MOVE;
    case HET__OP_CONV:
    case HET__OP_QCONV: return HET__CLASS_CONV;
    case HET__OP_POOL: return HET__CLASS_POOL;
    default: return class_of_rare(het__op_info_of(node->op)->name);
    }
}

/* ---- names and operations together ---- */

static uint32_t operand_count(const het__graph *g, const het__node *node)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < node->input_count && i < 2; i++)
        n += node->inputs[i] != HET__NO_VALUE && !is_constant(g, node->inputs[i]);
    return n;
}

/* Scores of tokens: [batch, tokens, vocabulary]. */
static bool is_logits(const het__graph *g, const het__node *node)
{
    const het__value *v = &g->values[node->outputs[0]];
    return v->kind == HET__VALUE_OUTPUT && v->name && strcmp(v->name, "logits") == 0 &&
           v->rank == 3;
}

static uint32_t class_of_product(const het__graph *g, const het__node *node, uint32_t otherwise)
{
    uint32_t c = class_of_name(node->name);
    for (uint32_t i = 0; c == HET__CLASS_COUNT && i < node->input_count; i++)
        if (is_constant(g, node->inputs[i]))
            c = class_of_name(g->values[node->inputs[i]].name);
    if (c == HET__CLASS_COUNT && node->output_count && is_logits(g, node))
        c = HET__CLASS_LM_HEAD;
    return c == HET__CLASS_COUNT ? otherwise : c;
}

static bool is_product_of_two(const het__graph *g, const het__node *node)
{
    return (node->op == HET__OP_MATMUL || node->op == HET__OP_T_MAT_MUL ||
            node->op == HET__OP_T_EINSUM) && operand_count(g, node) == 2;
}

static uint32_t class_of_node(const het__graph *g, const het__node *node)
{
    const uint32_t c = class_of_op(g, node);
    const bool takes_weights = c == HET__CLASS_MATMUL && !is_product_of_two(g, node);
    if (takes_weights || node->op == HET__OP_GATED)
        return class_of_product(g, node, c);
    if (node->op == HET__OP_UNARY && class_of_name(node->name) == HET__CLASS_LM_HEAD)
        return HET__CLASS_LM_HEAD; /* the cap of logits stays with them */
    if (node->op == HET__OP_SOFTMAX || node->op == HET__OP_T_SOFTMAX) {
        const uint32_t named = class_of_name(node->name);
        if (named == HET__CLASS_ROUTER_LOGITS || named == HET__CLASS_EXPERT_FFN)
            return HET__CLASS_EXPERT_SELECTION;
    }
    return c;
}

/* ---- attention that is spelled out ---- */

/* Per value: the node that it comes from through operations element by element and moves, plus 1;
 * 0: none. */
typedef struct trail {
    uint32_t *product, *softmax; /* per value */
    uint32_t *scores;            /* per node: of a softmax, the product before it, plus 1 */
} trail;

static uint32_t carried(const uint32_t *marks, const het__node *node, uint32_t *through)
{
    for (uint32_t i = 0; i < node->input_count; i++)
        if (node->inputs[i] != HET__NO_VALUE && marks[node->inputs[i]]) {
            *through = node->inputs[i];
            return marks[node->inputs[i]];
        }
    return 0;
}

/* Mark what lies between a value and the node that it comes from, that one included. */
static void mark_back(const het__graph *g, const uint32_t *marks, uint32_t value, uint32_t end,
                      het__node_label *labels)
{
    for (;;) {
        const uint32_t n = g->values[value].producer;
        if (n == HET__NO_VALUE)
            return;
        labels[n].node_class = HET__CLASS_ATTENTION;
        if (n == end || !carried(marks, &g->nodes[n], &value))
            return;
    }
}

static bool passes_on(uint32_t node_class)
{
    return node_class == HET__CLASS_ELEMENTWISE || node_class == HET__CLASS_RESIDUAL ||
           node_class == HET__CLASS_MOVE || node_class == HET__CLASS_ACTIVATION;
}

static void follow(const het__graph *g, uint32_t n, const trail *t, het__node_label *labels)
{
    const het__node *node = &g->nodes[n];
    uint32_t through = HET__NO_VALUE, out = 0, soft = 0;
    if (is_product_of_two(g, node)) {
        const uint32_t s = carried(t->softmax, node, &through);
        if (s && t->scores[s - 1]) {
            mark_back(g, t->softmax, through, s - 1, labels);
            labels[n].node_class = HET__CLASS_ATTENTION;
            if (carried(t->product, &g->nodes[s - 1], &through))
                mark_back(g, t->product, through, t->scores[s - 1] - 1, labels);
        }
        out = n + 1;
    } else if (node->op == HET__OP_SOFTMAX || node->op == HET__OP_T_SOFTMAX) {
        t->scores[n] = carried(t->product, node, &through);
        soft = n + 1;
    } else if (passes_on(labels[n].node_class)) {
        out = carried(t->product, node, &through);
        soft = carried(t->softmax, node, &through);
    }
    for (uint32_t i = 0; i < node->output_count; i++) {
        t->product[node->outputs[i]] = out;
        t->softmax[node->outputs[i]] = soft;
    }
}

het_status het__graph_labels(const het__graph *graph, het__mem *mem, het__node_label *labels,
                             het_error *err)
{
    const size_t values = (size_t)graph->value_count + 1, nodes = (size_t)graph->node_count + 1;
    uint32_t *room = het__alloc_zero(mem, 2 * values + nodes, sizeof *room);
    if (!room)
        return het__fail_nomem(err, "the classes of nodes");
    const trail t = { room, room + values, room + 2 * values };
    for (uint32_t n = 0; n < graph->node_count; n++) {
        const het__node *node = &graph->nodes[n];
        labels[n].node_class = class_of_node(graph, node);
        labels[n].layer = layer_of_name(node->name);
        follow(graph, n, &t, labels);
    }
    het__free(mem, room);
    return HET_OK;
}
