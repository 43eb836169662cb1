/* SPDX-License-Identifier: Apache-2.0 */
/* The frame of a language model's graph and the pieces its blocks are made of. */
#include "lib/import/lm.h"

#include <stdio.h>
#include <string.h>

#include "lib/base/dtype.h"
#include "lib/base/error.h"

extern const het__lm_family het__family_llama, het__family_phi3, het__family_qwen2,
    het__family_qwen3;

static const het__lm_family *const families[] = {
    &het__family_llama,
    &het__family_phi3,
    &het__family_qwen2,
    &het__family_qwen3,
};

const het__lm_family *het__lm_family_of(const char *architecture)
{
    for (size_t i = 0; i < sizeof families / sizeof families[0]; i++)
        if (strcmp(families[i]->architecture, architecture) == 0)
            return families[i];
    return NULL;
}

const char *het__lm_family_list(void)
{
    return "llama, phi3, qwen2, qwen3";
}

static void fail(het__lm_build *b, het_status status)
{
    if (b->status == HET_OK)
        b->status = status;
}

static uint32_t add_node(het__lm_build *b, het__op op, int32_t layer, const char *name,
                         const uint32_t *inputs, uint32_t count, const het__attrs *attrs)
{
    if (b->status != HET_OK)
        return HET__NO_VALUE;
    char full[96];
    if (layer >= 0)
        snprintf(full, sizeof full, "blk.%d.%s", layer, name);
    else
        snprintf(full, sizeof full, "%s", name);
    const uint32_t v = het__graph_node(b->graph, op, layer, full, inputs, count, attrs, b->err);
    if (v == HET__NO_VALUE)
        fail(b, b->err && b->err->status ? (het_status)b->err->status : HET_E_NOMEM);
    return v;
}

static bool find(het__lm_build *b, int32_t layer, const char *name, char *full, size_t bytes,
                 het__lm_weight *w)
{
    if (layer >= 0)
        snprintf(full, bytes, "blk.%d.%s", layer, name);
    else
        snprintf(full, bytes, "%s", name);
    return b->source->find(b->source->user, full, w);
}

/* The weight must be [rows, columns], or [columns] if rows is 0. */
static bool fits(const het__lm_weight *w, int64_t rows, int64_t columns)
{
    if (rows == 0)
        return w->rank == 1 && w->extent[0] == columns;
    return w->rank == 2 && w->extent[0] == rows && w->extent[1] == columns;
}

static uint32_t misfit(het__lm_build *b, const het__lm_weight *w, int64_t rows, int64_t columns)
{
    fail(b, het__fail(b->err, HET_E_FORMAT,
                      "tensor %s is [%lld, %lld], the model's sizes ask for [%lld, %lld]", w->name,
                      (long long)(w->rank > 1 ? w->extent[0] : 0),
                      (long long)w->extent[w->rank > 1 ? 1 : 0], (long long)rows,
                      (long long)columns));
    return HET__NO_VALUE;
}

static uint32_t add_const(het__lm_build *b, const char *name, het_dtype dtype, int64_t rows,
                          int64_t columns, const void *data)
{
    const int64_t extent[2] = { rows ? rows : columns, columns };
    const uint32_t v = het__graph_const(b->graph, name, dtype, rows ? 2 : 1, extent, data);
    if (v == HET__NO_VALUE)
        fail(b, het__fail_nomem(b->err, "the graph"));
    return v;
}

static uint32_t missing(het__lm_build *b, const char *name)
{
    fail(b, het__fail(b->err, HET_E_FORMAT, "tensor %s is missing", name));
    return HET__NO_VALUE;
}

/* One weight may serve twice (a tied head): it is one value of the graph. */
static uint32_t known_const(const het__graph *graph, const char *name)
{
    for (uint32_t i = 0; i < graph->value_count; i++)
        if (graph->values[i].kind == HET__VALUE_CONST && strcmp(graph->values[i].name, name) == 0)
            return i;
    return HET__NO_VALUE;
}

uint32_t het__lm_weight_find(het__lm_build *b, int32_t layer, const char *name, int64_t rows,
                             int64_t columns, bool optional)
{
    char full[96];
    het__lm_weight w = { 0 };
    if (b->status != HET_OK)
        return HET__NO_VALUE;
    if (!find(b, layer, name, full, sizeof full, &w))
        return optional ? HET__NO_VALUE : missing(b, full);
    if (!fits(&w, rows, columns))
        return misfit(b, &w, rows, columns);
    const uint32_t known = layer < 0 ? known_const(b->graph, full) : HET__NO_VALUE;
    return known != HET__NO_VALUE ? known : add_const(b, full, w.dtype, rows, columns, w.data);
}

uint32_t het__lm_weight_rows(het__lm_build *b, int32_t layer, const char *name, int64_t all_rows,
                             int64_t columns, int64_t first, int64_t rows)
{
    char full[96], part[128];
    het__lm_weight w = { 0 };
    if (b->status != HET_OK)
        return HET__NO_VALUE;
    if (!find(b, layer, name, full, sizeof full, &w))
        return missing(b, full);
    if (!fits(&w, all_rows, columns))
        return misfit(b, &w, all_rows, columns);
    const size_t row_bytes = w.bytes / (size_t)all_rows;
    snprintf(part, sizeof part, "%s[%lld:%lld]", full, (long long)first,
             (long long)(first + rows));
    const void *data = w.data ? (const char *)w.data + row_bytes * (size_t)first : NULL;
    return add_const(b, part, w.dtype, rows, columns, data);
}

uint32_t het__lm_norm(het__lm_build *b, int32_t layer, const char *weight, uint32_t x)
{
    const het__lm_config *c = b->config;
    const uint32_t w = het__lm_weight_find(b, layer, weight, 0, c->width, false);
    const het__attrs attrs = { .norm = { HET__NORM_RMS, c->norm_eps, (int32_t)c->width } };
    return add_node(b, HET__OP_NORM, layer, weight, (uint32_t[]){ x, w }, 2, &attrs);
}

uint32_t het__lm_linear(het__lm_build *b, int32_t layer, const char *name, uint32_t x,
                        uint32_t weight, uint32_t bias)
{
    const het__attrs attrs = { .linear = { 1, false } };
    const uint32_t in[4] = { x, HET__NO_VALUE, weight, bias };
    return add_node(b, HET__OP_LINEAR, layer, name, in, 4, &attrs);
}

static uint32_t head_norm(het__lm_build *b, int32_t layer, const char *weight, uint32_t x)
{
    const het__lm_config *c = b->config;
    const uint32_t w = het__lm_weight_find(b, layer, weight, 0, c->head_size, false);
    const het__attrs attrs = { .norm = { HET__NORM_RMS, c->norm_eps, c->head_size } };
    return add_node(b, HET__OP_NORM, layer, weight, (uint32_t[]){ x, w }, 2, &attrs);
}

static uint32_t rope(het__lm_build *b, int32_t layer, const char *name, uint32_t x)
{
    const het__attrs attrs = { .rope = b->config->rope };
    const uint32_t in[3] = { x, b->positions, b->factors };
    return add_node(b, HET__OP_ROPE, layer, name, in, 3, &attrs);
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
        w = het__lm_weight_rows(b, layer, "attn_qkv.weight", fused_rows, c->width, p->first,
                                p->rows);
    } else {
        w = het__lm_weight_find(b, layer, p->weight, p->rows, c->width, false);
        bias = het__lm_weight_find(b, layer, p->bias, 0, p->rows, true);
    }
    uint32_t y = het__lm_linear(b, layer, p->name, x, w, bias);
    if (c->head_norms && p->norm)
        y = head_norm(b, layer, p->norm, y);
    return y;
}

static uint32_t add_state(het__lm_build *b, int32_t layer, const char *which)
{
    const het__lm_config *c = b->config;
    char name[48];
    snprintf(name, sizeof name, "%s_state.%d", which, layer);
    const het__extent e[4] = { { 1, HET__SYM_STATE_PAGES },
                               { c->kv_heads, HET__SYM_ONE },
                               { HET__PAGE_SIZE, HET__SYM_ONE },
                               { c->head_size, HET__SYM_ONE } };
    const uint32_t v = het__graph_value(b->graph, name, HET__VALUE_STATE, b->kv_dtype, 4, e);
    if (v == HET__NO_VALUE)
        fail(b, het__fail_nomem(b->err, "the graph"));
    return v;
}

static void attention_attrs(const het__lm_config *c, het__attrs *attrs)
{
    memset(attrs, 0, sizeof *attrs);
    attrs->attention.heads = c->heads;
    attrs->attention.kv_heads = c->kv_heads;
    attrs->attention.head_size = c->head_size;
    attrs->attention.page_size = HET__PAGE_SIZE;
    attrs->attention.scale = (float)(1.0 / __builtin_sqrt((double)c->head_size));
    attrs->attention.window = c->window;
    attrs->attention.norm_eps = c->norm_eps;
    attrs->attention.rope.head_size = c->head_size;
}

uint32_t het__lm_attention(het__lm_build *b, int32_t layer, uint32_t x)
{
    const het__lm_config *c = b->config;
    const int64_t q_rows = (int64_t)c->heads * c->head_size;
    const int64_t kv_rows = (int64_t)c->kv_heads * c->head_size;
    const int64_t fused = q_rows + 2 * kv_rows;
    const projection pq = { "attn_q", "attn_q.weight", "attn_q.bias", "attn_q_norm.weight", 0,
                            q_rows };
    const projection pk = { "attn_k", "attn_k.weight", "attn_k.bias", "attn_k_norm.weight", q_rows,
                            kv_rows };
    const projection pv = { "attn_v", "attn_v.weight", "attn_v.bias", NULL, q_rows + kv_rows,
                            kv_rows };
    uint32_t q = project(b, layer, x, &pq, fused);
    uint32_t k = project(b, layer, x, &pk, fused);
    const uint32_t v = project(b, layer, x, &pv, fused);
    q = rope(b, layer, "rope_q", q);
    k = rope(b, layer, "rope_k", k);
    het__attrs attrs;
    attention_attrs(c, &attrs);
    const uint32_t in[HET__ATTN_INPUT_COUNT] = {
        q, k, v, add_state(b, layer, "k"), add_state(b, layer, "v"), b->positions, b->slots,
        b->segments, b->pages, HET__NO_VALUE, HET__NO_VALUE, HET__NO_VALUE,
    };
    const uint32_t a = add_node(b, HET__OP_ATTENTION, layer, "attention", in,
                                HET__ATTN_INPUT_COUNT, &attrs);
    const uint32_t w =
        het__lm_weight_find(b, layer, "attn_output.weight", c->width, q_rows, false);
    const uint32_t bias = het__lm_weight_find(b, layer, "attn_output.bias", 0, c->width, true);
    return het__lm_linear(b, layer, "attn_output", a, w, bias);
}

uint32_t het__lm_ffn(het__lm_build *b, int32_t layer, uint32_t x, het__unary act)
{
    const het__lm_config *c = b->config;
    uint32_t wg, wu;
    if (c->fused_qkv) {
        wg = het__lm_weight_rows(b, layer, "ffn_up.weight", 2 * c->ffn_width, c->width, 0,
                                 c->ffn_width);
        wu = het__lm_weight_rows(b, layer, "ffn_up.weight", 2 * c->ffn_width, c->width,
                                 c->ffn_width, c->ffn_width);
    } else {
        wg = het__lm_weight_find(b, layer, "ffn_gate.weight", c->ffn_width, c->width, false);
        wu = het__lm_weight_find(b, layer, "ffn_up.weight", c->ffn_width, c->width, false);
    }
    const uint32_t gate = het__lm_linear(b, layer, "ffn_gate", x, wg, HET__NO_VALUE);
    const uint32_t up = het__lm_linear(b, layer, "ffn_up", x, wu, HET__NO_VALUE);
    const het__attrs attrs = { .unary = { act } };
    const uint32_t s = add_node(b, HET__OP_UNARY, layer, "ffn_act", &gate, 1, &attrs);
    const uint32_t m = add_node(b, HET__OP_MUL, layer, "ffn_mul", (uint32_t[]){ s, up }, 2, NULL);
    const uint32_t wd =
        het__lm_weight_find(b, layer, "ffn_down.weight", c->width, c->ffn_width, false);
    return het__lm_linear(b, layer, "ffn_down", m, wd, HET__NO_VALUE);
}

void het__lm_standard_block(het__lm_build *b, int32_t layer)
{
    const uint32_t a =
        het__lm_attention(b, layer, het__lm_norm(b, layer, "attn_norm.weight", b->x));
    const uint32_t x =
        add_node(b, HET__OP_ADD, layer, "attn_residual", (uint32_t[]){ b->x, a }, 2, NULL);
    const uint32_t f =
        het__lm_ffn(b, layer, het__lm_norm(b, layer, "ffn_norm.weight", x), HET__UNARY_SILU);
    b->x = add_node(b, HET__OP_ADD, layer, "ffn_residual", (uint32_t[]){ x, f }, 2, NULL);
}

static uint32_t add_input(het__lm_build *b, const char *name, uint32_t symbol, int64_t columns)
{
    const het__extent e[2] = { { 1, symbol }, { columns, HET__SYM_ONE } };
    const uint32_t v = het__graph_value(b->graph, name, HET__VALUE_INPUT, HET_DTYPE_I32,
                                        columns > 1 ? 2 : 1, e);
    if (v == HET__NO_VALUE)
        fail(b, het__fail_nomem(b->err, "the graph"));
    return v;
}

static void build_begin(het__lm_build *b)
{
    const het__lm_config *c = b->config;
    b->ids = add_input(b, "ids", HET__SYM_TOKENS, 1);
    b->positions = add_input(b, "positions", HET__SYM_TOKENS, 1);
    b->slots = add_input(b, "slots", HET__SYM_TOKENS, 1);
    b->segments = add_input(b, "segments", HET__SYM_SEQUENCES, 4);
    b->pages = add_input(b, "pages", HET__SYM_PAGES, 1);
    b->rows = add_input(b, "rows", HET__SYM_ROWS, 1);
    b->factors = het__lm_weight_find(b, -1, "rope_freqs.weight", 0, c->rope.rotated / 2, true);
    if (b->factors == HET__NO_VALUE)
        b->factors = het__lm_weight_find(b, -1, "rope_factors_short.weight", 0,
                                         c->rope.rotated / 2, true);
    const uint32_t table =
        het__lm_weight_find(b, -1, "token_embd.weight", c->vocabulary, c->width, false);
    const het__attrs attrs = { .embed = { 1.0f } };
    b->x = add_node(b, HET__OP_EMBED, -1, "embedding", (uint32_t[]){ table, b->ids }, 2, &attrs);
}

static void build_end(het__lm_build *b)
{
    const het__lm_config *c = b->config;
    const uint32_t rows =
        add_node(b, HET__OP_ROWS, -1, "rows", (uint32_t[]){ b->x, b->rows }, 2, NULL);
    const uint32_t x = het__lm_norm(b, -1, "output_norm.weight", rows);
    uint32_t head = het__lm_weight_find(b, -1, "output.weight", c->vocabulary, c->width, true);
    if (head == HET__NO_VALUE)
        head = het__lm_weight_find(b, -1, "token_embd.weight", c->vocabulary, c->width, false);
    const uint32_t bias = het__lm_weight_find(b, -1, "output.bias", 0, c->vocabulary, true);
    const uint32_t logits = het__lm_linear(b, -1, "logits", x, head, bias);
    if (logits != HET__NO_VALUE)
        b->graph->values[logits].kind = HET__VALUE_OUTPUT;
}

het_status het__lm_graph(const het__lm_family *family, const het__lm_config *config,
                         const het__lm_source *source, het_dtype kv_dtype, het__mem *mem,
                         het__graph *graph, het_error *err)
{
    het_error local = HET_ERROR_INIT;
    het__lm_build b = { .graph = graph, .config = config, .source = source, .kv_dtype = kv_dtype,
                        .err = &local };
    het__graph_init(graph, mem);
    build_begin(&b);
    for (int32_t i = 0; i < config->layers && b.status == HET_OK; i++)
        family->block(&b, i);
    build_end(&b);
    if (b.status == HET_OK)
        b.status = het__graph_check(graph, &local);
    if (b.status != HET_OK) {
        het__graph_finish(graph);
        if (!local.message[0])
            return het__fail_nomem(err, "the graph");
        /* A shape rule that the file's sizes break is the file's fault. */
        return het__fail(err, b.status == HET_E_INVALID ? HET_E_FORMAT : b.status, "%s",
                         local.message);
    }
    return HET_OK;
}
