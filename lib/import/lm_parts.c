/* SPDX-License-Identifier: Apache-2.0 */
/* The pieces that the blocks of language models are made of: norms, attention, feed-forward. */
#include "lib/import/lm.h"

#include <stdio.h>
#include <string.h>

#include "lib/base/error.h"

uint32_t het__lm_add(het__lm_build *b, int32_t layer, const char *name, uint32_t x, uint32_t y)
{
    return het__lm_node(b, HET__OP_ADD, layer, name, (uint32_t[]){ x, y }, 2, NULL);
}

uint32_t het__lm_unary(het__lm_build *b, int32_t layer, const char *name, uint32_t x,
                       het__unary kind, float alpha)
{
    const het__attrs attrs = { .unary = { kind, alpha } };
    return het__lm_node(b, HET__OP_UNARY, layer, name, &x, 1, &attrs);
}

uint32_t het__lm_norm_of(het__lm_build *b, int32_t layer, const char *name, uint32_t x,
                         int64_t group)
{
    const het__lm_config *c = b->config;
    const het__attrs attrs = { .norm = { c->norm, c->norm_eps, (int32_t)group } };
    char weight[64], bias[64];
    snprintf(weight, sizeof weight, "%s.weight", name);
    snprintf(bias, sizeof bias, "%s.bias", name);
    uint32_t in[3] = { x, het__lm_weight_find(b, layer, weight, 0, group, false) };
    if (c->norm == HET__NORM_RMS)
        return het__lm_node(b, HET__OP_NORM, layer, weight, in, 2, &attrs);
    in[2] = het__lm_weight_find(b, layer, bias, 0, group, false);
    return het__lm_node(b, HET__OP_NORM, layer, weight, in, 3, &attrs);
}

uint32_t het__lm_norm(het__lm_build *b, int32_t layer, const char *name, uint32_t x)
{
    return het__lm_norm_of(b, layer, name, x, b->config->width);
}

uint32_t het__lm_linear(het__lm_build *b, int32_t layer, const char *name, uint32_t x,
                        uint32_t weight, uint32_t bias)
{
    const het__attrs attrs = { .linear = { 1, false } };
    const uint32_t in[4] = { x, HET__NO_VALUE, weight, bias };
    return het__lm_node(b, HET__OP_LINEAR, layer, name, in, 4, &attrs);
}

uint32_t het__lm_product(het__lm_build *b, int32_t layer, const char *name, uint32_t x,
                         int64_t rows, int64_t columns)
{
    char weight[64];
    snprintf(weight, sizeof weight, "%s.weight", name);
    const uint32_t w = het__lm_weight_find(b, layer, weight, rows, columns, false);
    return het__lm_linear(b, layer, name, x, w, HET__NO_VALUE);
}

/* ---- attention ---- */

static uint32_t head_norm(het__lm_build *b, int32_t layer, const char *weight, uint32_t x)
{
    const het__lm_config *c = b->config;
    const uint32_t w = het__lm_weight_find(b, layer, weight, 0, c->head_size, false);
    const het__attrs attrs = { .norm = { HET__NORM_RMS, c->norm_eps, c->head_size } };
    return het__lm_node(b, HET__OP_NORM, layer, weight, (uint32_t[]){ x, w }, 2, &attrs);
}

/* An RMS norm over each head without a weight. */
static uint32_t bare_norm(het__lm_build *b, int32_t layer, const char *name, uint32_t x)
{
    const het__lm_config *c = b->config;
    const het__attrs attrs = { .norm = { HET__NORM_RMS, c->norm_eps, c->head_size } };
    return het__lm_node(b, HET__OP_NORM, layer, name, (uint32_t[]){ x, HET__NO_VALUE }, 2, &attrs);
}

static uint32_t rope(het__lm_build *b, int32_t layer, const char *name, uint32_t x)
{
    const het__lm_config *c = b->config;
    het__attrs attrs = { .rope = c->rope };
    uint32_t in[3] = { x, b->positions, b->factors };
    if (c->layer[layer].no_rope)
        return x;
    if (c->layer[layer].is_local && c->local_theta > 0) {
        attrs.rope.theta = c->local_theta;
        attrs.rope.scale = attrs.rope.magnitude = 1.0f;
        in[2] = HET__NO_VALUE;
    }
    return het__lm_node(b, HET__OP_ROPE, layer, name, in, 3, &attrs);
}

typedef struct projection {
    const char *name, *weight, *bias, *norm;
    int64_t first, rows; /* in the fused weight */
} projection;

static uint32_t project(het__lm_build *b, int32_t layer, uint32_t x, const projection *p,
                        int64_t fused_rows)
{
    const het__lm_config *c = b->config;
    uint32_t w, bias = HET__NO_VALUE;
    if (c->fused_qkv) {
        w = het__lm_weight_rows(b, layer, "attn_qkv.weight", 0, fused_rows, c->width, p->first,
                                p->rows);
    } else {
        w = het__lm_weight_find(b, layer, p->weight, p->rows, c->width, false);
        bias = het__lm_weight_find(b, layer, p->bias, 0, p->rows, true);
    }
    const uint32_t y = het__lm_linear(b, layer, p->name, x, w, bias);
    return c->head_norms && p->norm ? head_norm(b, layer, p->norm, y) : y;
}

static uint32_t add_state(het__lm_build *b, int32_t layer, bool is_value)
{
    const het__lm_config *c = b->config;
    char name[48];
    snprintf(name, sizeof name, "%s_state.%d", is_value ? "v" : "k", layer);
    const het__extent e[4] = { { 1, HET__SYM_STATE_PAGES },
                               { c->kv_heads, HET__SYM_ONE },
                               { HET__PAGE_SIZE, HET__SYM_ONE },
                               { c->head_size, HET__SYM_ONE } };
    const uint32_t v = het__graph_value(b->graph, name, HET__VALUE_STATE, b->kv_dtype, 4, e);
    if (v == HET__NO_VALUE && b->status == HET_OK)
        b->status = het__fail_nomem(b->err, "the graph");
    b->state[c->layer[layer].is_local][is_value] = v;
    return v;
}

static void attention_attrs(const het__lm_config *c, int32_t layer, het__attrs *attrs)
{
    memset(attrs, 0, sizeof *attrs);
    attrs->attention.heads = c->heads;
    attrs->attention.kv_heads = c->kv_heads;
    attrs->attention.head_size = c->head_size;
    attrs->attention.page_size = HET__PAGE_SIZE;
    attrs->attention.scale = c->attention_scale > 0
                                 ? c->attention_scale
                                 : (float)(1.0 / __builtin_sqrt((double)c->head_size));
    attrs->attention.softcap = c->attention_cap;
    attrs->attention.window = c->layer[layer].is_local ? c->window : 0;
    attrs->attention.norm_eps = c->norm_eps;
    attrs->attention.rope.head_size = c->head_size;
}

/* Keys and values of the layer's own, and the states that they go to. */
static void keys_values(het__lm_build *b, int32_t layer, uint32_t x, int64_t q_rows,
                        int64_t kv_rows, uint32_t *in)
{
    const int64_t fused = q_rows + 2 * kv_rows;
    const projection pk = { "attn_k", "attn_k.weight", "attn_k.bias", "attn_k_norm.weight", q_rows,
                            kv_rows };
    const projection pv = { "attn_v", "attn_v.weight", "attn_v.bias", NULL, q_rows + kv_rows,
                            kv_rows };
    in[HET__ATTN_K] = project(b, layer, x, &pk, fused);
    in[HET__ATTN_V] = project(b, layer, x, &pv, fused);
    if (b->config->value_norm)
        in[HET__ATTN_V] = bare_norm(b, layer, "attn_v_norm", in[HET__ATTN_V]);
    in[HET__ATTN_K] = rope(b, layer, "rope_k", in[HET__ATTN_K]);
    in[HET__ATTN_K_STATE] = add_state(b, layer, false);
    in[HET__ATTN_V_STATE] = add_state(b, layer, true);
}

/* The newest states of a layer of the same reach. Weights for keys and values that stand in the
 * file nevertheless have no part in the graph. */
static void shared_keys_values(het__lm_build *b, int32_t layer, int64_t kv_rows, uint32_t *in)
{
    const het__lm_config *c = b->config;
    het__lm_weight_find(b, layer, "attn_k.weight", kv_rows, c->width, true);
    het__lm_weight_find(b, layer, "attn_v.weight", kv_rows, c->width, true);
    het__lm_weight_find(b, layer, "attn_k_norm.weight", 0, c->head_size, true);
    in[HET__ATTN_K] = in[HET__ATTN_V] = HET__NO_VALUE;
    in[HET__ATTN_K_STATE] = b->state[c->layer[layer].is_local][false];
    in[HET__ATTN_V_STATE] = b->state[c->layer[layer].is_local][true];
    if (in[HET__ATTN_K_STATE] == HET__NO_VALUE && b->status == HET_OK)
        b->status = het__fail(b->err, HET_E_FORMAT,
                              "layer %d shares keys and values, but no layer like it has any",
                              layer);
}

uint32_t het__lm_attention(het__lm_build *b, int32_t layer, uint32_t x)
{
    const het__lm_config *c = b->config;
    const int64_t q_rows = (int64_t)c->heads * c->head_size;
    const int64_t kv_rows = (int64_t)c->kv_heads * c->head_size;
    const projection pq = { "attn_q", "attn_q.weight", "attn_q.bias", "attn_q_norm.weight", 0,
                            q_rows };
    uint32_t in[HET__ATTN_INPUT_COUNT] = {
        [HET__ATTN_POSITIONS] = b->positions, b->slots, b->segments, b->pages,
        HET__NO_VALUE, HET__NO_VALUE, HET__NO_VALUE,
    };
    in[HET__ATTN_Q] = project(b, layer, x, &pq, q_rows + 2 * kv_rows);
    if (layer >= c->layers - c->shared_kv_layers)
        shared_keys_values(b, layer, kv_rows, in);
    else
        keys_values(b, layer, x, q_rows, kv_rows, in);
    in[HET__ATTN_Q] = rope(b, layer, "rope_q", in[HET__ATTN_Q]);
    het__attrs attrs;
    attention_attrs(c, layer, &attrs);
    const uint32_t a = het__lm_node(b, HET__OP_ATTENTION, layer, "attention", in,
                                    HET__ATTN_INPUT_COUNT, &attrs);
    const uint32_t w =
        het__lm_weight_find(b, layer, "attn_output.weight", c->width, q_rows, false);
    const uint32_t bias = het__lm_weight_find(b, layer, "attn_output.bias", 0, c->width, true);
    return het__lm_linear(b, layer, "attn_output", a, w, bias);
}

/* ---- feed-forward ---- */

static uint32_t mixture(het__lm_build *b, int32_t layer, uint32_t x)
{
    const het__lm_config *c = b->config;
    const int64_t f = c->expert_width > 0 ? c->expert_width : c->ffn_width;
    const het__attrs attrs = { .moe = { .used = (int32_t)c->experts_used, .router = c->router,
                                        .normalise = c->experts_norm, .scale = 1.0f,
                                        .jitter = c->router_jitter, .act = c->act } };
    const uint32_t scores =
        het__lm_product(b, layer, "ffn_gate_inp", x, c->experts, c->width);
    const uint32_t in[5] = {
        x, scores,
        het__lm_weight_stack(b, layer, "ffn_gate_exps.weight", c->experts, f, c->width),
        het__lm_weight_stack(b, layer, "ffn_up_exps.weight", c->experts, f, c->width),
        het__lm_weight_stack(b, layer, "ffn_down_exps.weight", c->experts, c->width, f),
    };
    return het__lm_node(b, HET__OP_MOE, layer, "ffn_experts", in, 5, &attrs);
}

static uint32_t ffn_part(het__lm_build *b, int32_t layer, bool is_up)
{
    const het__lm_config *c = b->config;
    const int64_t f = c->layer[layer].ffn_width;
    if (c->fused_qkv)
        return het__lm_weight_rows(b, layer, "ffn_up.weight", 0, 2 * f, c->width, is_up ? f : 0,
                                   f);
    return het__lm_weight_find(b, layer, is_up ? "ffn_up.weight" : "ffn_gate.weight", f, c->width,
                               false);
}

uint32_t het__lm_ffn(het__lm_build *b, int32_t layer, uint32_t x)
{
    const het__lm_config *c = b->config;
    const het__lm_layer *l = &c->layer[layer];
    if (c->experts > 0)
        return mixture(b, layer, x);
    const uint32_t wg = ffn_part(b, layer, false), wu = ffn_part(b, layer, true);
    uint32_t gate = het__lm_linear(b, layer, "ffn_gate", x, wg, HET__NO_VALUE);
    const uint32_t up = het__lm_linear(b, layer, "ffn_up", x, wu, HET__NO_VALUE);
    if (l->is_cut) {
        const het__attrs attrs = { .cut = { l->cut } };
        gate = het__lm_node(b, HET__OP_CUT, layer, "ffn_cut", &gate, 1, &attrs);
    }
    const uint32_t s = het__lm_unary(b, layer, "ffn_act", gate, c->act, 0);
    const uint32_t m =
        het__lm_node(b, HET__OP_MUL, layer, "ffn_mul", (uint32_t[]){ s, up }, 2, NULL);
    return het__lm_product(b, layer, "ffn_down", m, c->width, l->ffn_width);
}

/* ---- blocks ---- */

void het__lm_standard_block(het__lm_build *b, int32_t layer)
{
    const uint32_t a = het__lm_attention(b, layer, het__lm_norm(b, layer, "attn_norm", b->x));
    const uint32_t x = het__lm_add(b, layer, "attn_residual", b->x, a);
    const uint32_t f = het__lm_ffn(b, layer, het__lm_norm(b, layer, "ffn_norm", x));
    b->x = het__lm_add(b, layer, "ffn_residual", x, f);
}

void het__lm_sandwich_block(het__lm_build *b, int32_t layer)
{
    uint32_t a = het__lm_attention(b, layer, het__lm_norm(b, layer, "attn_norm", b->x));
    a = het__lm_norm(b, layer, "post_attention_norm", a);
    const uint32_t x = het__lm_add(b, layer, "attn_residual", b->x, a);
    uint32_t f = het__lm_ffn(b, layer, het__lm_norm(b, layer, "ffn_norm", x));
    f = het__lm_norm(b, layer, "post_ffw_norm", f);
    b->x = het__lm_add(b, layer, "ffn_residual", x, f);
}
