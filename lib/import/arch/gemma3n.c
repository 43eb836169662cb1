/* SPDX-License-Identifier: Apache-2.0 */
/* Gemma 3n (text). The hidden state is four streams, of which attention and feed-forward see one:
 *
 *     streams ── predict ──▶ predictions ──────────────────────── correct ──▶ + ──▶ streams
 *                                │ the active one                   ▲         ▲
 *                                └─ norm ─ attention ─ feed-forward ┘         │
 *                                     └─ laurel ──┘      inputs of the layer, by token
 *
 * Every layer has inputs of its own for each token: a row of a second table, and a projection of
 * the embedding. The last layers read keys and values of the last layers before them. Norm weights
 * are the checkpoint's as they are. */
#include "lib/import/lm.h"

extern const het__lm_family het__family_gemma3n;

#define PATTERN 5
#define LOCAL_THETA 10000.0f
#define STREAMS 4
#define LAUREL_RANK 64
/* What a file without per-layer sparsity has: 95 % of the gate closed in the first ten layers, the
 * quantile of the normal distribution for that. */
#define CUT_LAYERS 10
#define CUT 1.6448536f
#define MAGNITUDE_EPS 1e-5f
#define SQRT_HALF 0.70710678118654752f

static float root(int64_t n)
{
    return (float)__builtin_sqrt((double)n);
}

static void configure(het__lm_config *config)
{
    config->act = HET__UNARY_GELU_TANH;
    config->scaled_embedding = true;
    config->head_norms = config->value_norm = true;
    config->attention_scale = 1.0f;
    for (int64_t i = 0; !config->pattern_given && i < config->layers; i++)
        config->layer[i].is_local = (i + 1) % PATTERN != 0;
    for (int64_t i = 0; !config->cut_given && config->layers > CUT_LAYERS && i < CUT_LAYERS; i++) {
        config->layer[i].is_cut = true;
        config->layer[i].cut = CUT;
    }
    if (!(config->local_theta > 0))
        config->local_theta = LOCAL_THETA;
    if (config->streams == 0)
        config->streams = STREAMS;
    if (config->laurel_rank == 0)
        config->laurel_rank = LAUREL_RANK;
    if (config->per_layer_vocabulary == 0)
        config->per_layer_vocabulary = config->vocabulary;
}

/* ---- before and after the blocks ---- */

/* Inputs of all layers: [tokens, layers * per_layer_width]. */
static uint32_t per_layer_inputs(het__lm_build *b)
{
    const het__lm_config *c = b->config;
    const int64_t all = c->layers * c->per_layer_width;
    const uint32_t table = het__lm_weight_find(b, -1, "per_layer_token_embd.weight",
                                               c->per_layer_vocabulary, all, false);
    const het__attrs attrs = { .embed = { root(c->per_layer_width) } };
    const uint32_t rows = het__lm_node(b, HET__OP_EMBED, -1, "per_layer_embedding",
                                       (uint32_t[]){ table, b->ids }, 2, &attrs);
    uint32_t p = het__lm_product(b, -1, "per_layer_model_proj", b->x, all, c->width);
    p = het__lm_unary(b, -1, "per_layer_scale", p, HET__UNARY_SCALE, 1.0f / root(c->width));
    p = het__lm_norm_of(b, -1, "per_layer_proj_norm", p, c->per_layer_width);
    p = het__lm_add(b, -1, "per_layer_sum", p, rows);
    return het__lm_unary(b, -1, "per_layer_inputs", p, HET__UNARY_SCALE, SQRT_HALF);
}

/* A projection of x by one of the stacked matrices, as strong as like. */
static uint32_t project_as(het__lm_build *b, const char *stack, int32_t index, uint32_t x,
                           uint32_t like)
{
    const het__lm_config *c = b->config;
    const uint32_t w = het__lm_weight_rows(b, -1, stack, c->streams - 1, c->width, c->width,
                                           index * c->width, c->width);
    const uint32_t y = het__lm_linear(b, -1, stack, x, w, HET__NO_VALUE);
    const het__attrs attrs = { .match = { MAGNITUDE_EPS } };
    return het__lm_node(b, HET__OP_MATCH, -1, "altup_match", (uint32_t[]){ y, like }, 2, &attrs);
}

static void begin(het__lm_build *b)
{
    b->per_layer = per_layer_inputs(b);
    b->stream[0] = b->x;
    for (int32_t i = 1; i < b->config->streams; i++)
        b->stream[i] = project_as(b, "altup_proj.weight", i - 1, b->x, b->x);
}

static void end(het__lm_build *b)
{
    const int32_t n = b->config->streams;
    uint32_t sum = b->stream[0];
    for (int32_t i = 1; i < n; i++)
        sum = het__lm_add(b, -1, "altup_sum", sum,
                          project_as(b, "altup_unembd_proj.weight", i - 1, b->stream[i],
                                     b->stream[0]));
    b->x = het__lm_unary(b, -1, "altup_mean", sum, HET__UNARY_SCALE, 1.0f / (float)n);
}

/* ---- a block ---- */

/* tanh of the router's projection of a stream: [tokens, streams]. */
static uint32_t modalities(het__lm_build *b, int32_t layer, uint32_t x)
{
    const het__lm_config *c = b->config;
    uint32_t y = het__lm_norm(b, layer, "altup_router_norm", x);
    y = het__lm_product(b, layer, "altup_router", y, c->streams, c->width);
    y = het__lm_unary(b, layer, "altup_router_scale", y, HET__UNARY_SCALE,
                      1.0f / (float)c->width);
    return het__lm_unary(b, layer, "altup_modalities", y, HET__UNARY_TANH, 0);
}

/* Predictions of all streams, in place of the streams. */
static void predict(het__lm_build *b, int32_t layer)
{
    const het__lm_config *c = b->config;
    const int32_t n = c->streams;
    uint32_t in[1 + HET__LM_STREAMS_MAX];
    const uint32_t m = modalities(b, layer, b->stream[c->stream_active]);
    in[0] = het__lm_product(b, layer, "altup_predict_coef", m, (int64_t)n * n, n);
    for (int32_t i = 0; i < n; i++)
        in[1 + i] = b->stream[i];
    const uint32_t out =
        het__lm_node(b, HET__OP_PREDICT, layer, "altup_predict", in, 1 + (uint32_t)n, NULL);
    for (int32_t i = 0; i < n; i++)
        b->stream[i] = out + (uint32_t)i;
}

/* Streams from their predictions and what became of the active one. */
static void correct(het__lm_build *b, int32_t layer, uint32_t activated)
{
    const het__lm_config *c = b->config;
    const int32_t n = c->streams;
    const het__attrs attrs = { .correct = { c->stream_active } };
    uint32_t in[2 + HET__LM_STREAMS_MAX];
    const uint32_t m = modalities(b, layer, activated);
    in[0] = het__lm_product(b, layer, "altup_correct_coef", m, n, n);
    in[1] = activated;
    for (int32_t i = 0; i < n; i++)
        in[2 + i] = b->stream[i];
    const uint32_t out =
        het__lm_node(b, HET__OP_CORRECT, layer, "altup_correct", in, 2 + (uint32_t)n, &attrs);
    for (int32_t i = 0; i < n; i++)
        b->stream[i] = out + (uint32_t)i;
}

static uint32_t laurel(het__lm_build *b, int32_t layer, uint32_t x)
{
    const het__lm_config *c = b->config;
    uint32_t y = het__lm_product(b, layer, "laurel_l", x, c->laurel_rank, c->width);
    y = het__lm_product(b, layer, "laurel_r", y, c->width, c->laurel_rank);
    y = het__lm_norm(b, layer, "laurel_post_norm", y);
    return het__lm_add(b, layer, "laurel_sum", x, y);
}

/* The layer's own inputs, let through by the active stream, go to all streams but the first. */
static void add_inputs(het__lm_build *b, int32_t layer)
{
    const het__lm_config *c = b->config;
    const het__attrs part = { .columns = { layer * c->per_layer_width, c->per_layer_width } };
    const uint32_t scale =
        het__lm_weight_find(b, layer, "altup_correct_scale.weight", 0, c->width, false);
    uint32_t x = het__lm_node(b, HET__OP_MUL, layer, "altup_scaled",
                              (uint32_t[]){ b->stream[c->stream_active], scale }, 2, NULL);
    x = het__lm_product(b, layer, "inp_gate", x, c->per_layer_width, c->width);
    x = het__lm_unary(b, layer, "inp_act", x, c->act, 0);
    const uint32_t inputs =
        het__lm_node(b, HET__OP_COLUMNS, layer, "inp_layer", &b->per_layer, 1, &part);
    x = het__lm_node(b, HET__OP_MUL, layer, "inp_mul", (uint32_t[]){ x, inputs }, 2, NULL);
    x = het__lm_product(b, layer, "proj", x, c->width, c->per_layer_width);
    x = het__lm_norm(b, layer, "post_norm", x);
    for (int32_t i = 1; i < c->streams; i++)
        b->stream[i] = het__lm_add(b, layer, "inp_sum", b->stream[i], x);
}

static void block(het__lm_build *b, int32_t layer)
{
    predict(b, layer);
    const uint32_t x = b->stream[b->config->stream_active];
    const uint32_t normed = het__lm_norm(b, layer, "attn_norm", x);
    const uint32_t l = laurel(b, layer, normed);
    uint32_t a = het__lm_attention(b, layer, normed);
    a = het__lm_norm(b, layer, "post_attention_norm", a);
    a = het__lm_add(b, layer, "attn_residual", x, a);
    a = het__lm_add(b, layer, "laurel_residual", a, l);
    a = het__lm_unary(b, layer, "laurel_scale", a, HET__UNARY_SCALE, SQRT_HALF);
    uint32_t f = het__lm_ffn(b, layer, het__lm_norm(b, layer, "ffn_norm", a));
    f = het__lm_norm(b, layer, "post_ffw_norm", f);
    correct(b, layer, het__lm_add(b, layer, "ffn_residual", a, f));
    add_inputs(b, layer);
}

const het__lm_family het__family_gemma3n = { "gemma3n", configure, block, begin, end };
