/* SPDX-License-Identifier: Apache-2.0 */
/* Families by name, and the frame of a language model's graph: inputs, embedding, blocks, head. The
 * pieces of blocks are in lm_parts.c. */
#include "lib/import/lm.h"

#include <stdio.h>
#include <string.h>

#include "lib/base/dtype.h"
#include "lib/base/error.h"

extern const het__lm_family het__family_gemma, het__family_gemma2, het__family_gemma3,
    het__family_gemma3n, het__family_llama, het__family_phi3, het__family_phimoe,
    het__family_qwen2, het__family_qwen3, het__family_qwen3moe, het__family_smollm3;

static const het__lm_family *const families[] = {
    &het__family_gemma,
    &het__family_gemma2,
    &het__family_gemma3,
    &het__family_gemma3n,
    &het__family_llama,
    &het__family_phi3,
    &het__family_phimoe,
    &het__family_qwen2,
    &het__family_qwen3,
    &het__family_qwen3moe,
    &het__family_smollm3,
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
    return "gemma, gemma2, gemma3, gemma3n, llama, phi3, phimoe, qwen2, qwen3, qwen3moe, "
           "smollm3";
}

/* ---- configuration ---- */

bool het__lm_layers_init(het__lm_config *config, het__arena *arena)
{
    config->layer = het__arena_zero(arena, (size_t)config->layers, sizeof *config->layer);
    for (int64_t i = 0; config->layer && i < config->layers; i++)
        config->layer[i] = (het__lm_layer){ .ffn_width = config->ffn_width,
                                            .is_local = config->window > 0 };
    return config->layer != NULL;
}

het_status het__lm_configure(const het__lm_family *family, het__lm_config *config,
                             het_error *err)
{
    config->act = HET__UNARY_SILU;
    family->configure(config);
    if (config->experts > 0 && (config->experts > HET__EXPERTS_MAX || config->experts_used < 1 ||
                                config->experts_used > HET__EXPERTS_USED_MAX ||
                                config->experts_used > config->experts))
        return het__fail(err, HET_E_FORMAT, "a token uses %lld of %lld experts",
                         (long long)config->experts_used, (long long)config->experts);
    if (config->experts > 0 && config->router == HET__ROUTER_SPARSE_MIXER &&
        config->experts_used != 2)
        return het__fail(err, HET_E_FORMAT, "this router picks two experts, not %lld",
                         (long long)config->experts_used);
    if (config->streams < 0 || config->streams > HET__LM_STREAMS_MAX ||
        config->stream_active < 0 ||
        (config->streams > 0 && config->stream_active >= config->streams))
        return het__fail(err, HET_E_FORMAT, "%d streams, of which number %d is active",
                         config->streams, config->stream_active);
    if (config->shared_kv_layers < 0 || config->shared_kv_layers >= config->layers)
        return het__fail(err, HET_E_FORMAT, "%lld of %lld layers share keys and values",
                         (long long)config->shared_kv_layers, (long long)config->layers);
    return HET_OK;
}

/* ---- nodes and weights ---- */

static void fail(het__lm_build *b, het_status status)
{
    if (b->status == HET_OK)
        b->status = status;
}

uint32_t het__lm_node(het__lm_build *b, het__op op, int32_t layer, const char *name,
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

/* What is asked for, until find() says what is there. */
typedef struct wanted {
    int64_t matrices, rows, columns; /* matrices 0: rank 2; rows 0: rank 1 */
} wanted;

static uint32_t extents_of(const wanted *want, int64_t extent[3])
{
    uint32_t rank = 0;
    if (want->matrices)
        extent[rank++] = want->matrices;
    if (want->rows)
        extent[rank++] = want->rows;
    extent[rank++] = want->columns;
    return rank;
}

static bool find(het__lm_build *b, int32_t layer, const char *name, const wanted *want,
                 char full[96], het__lm_weight *w)
{
    if (layer >= 0)
        snprintf(full, 96, "blk.%d.%s", layer, name);
    else
        snprintf(full, 96, "%s", name);
    memset(w, 0, sizeof *w);
    w->rank = extents_of(want, w->extent);
    return b->source->find(b->source->user, full, w);
}

static void write_extents(char *text, size_t bytes, uint32_t rank, const int64_t *extent)
{
    size_t at = 0;
    text[0] = '\0';
    for (uint32_t i = 0; i < rank && at < bytes; i++)
        at += (size_t)snprintf(text + at, bytes - at, "%s%lld", i ? ", " : "",
                               (long long)extent[i]);
}

/* False, and a sentence, unless the weight has the extents that were asked for. */
static bool fits(het__lm_build *b, const het__lm_weight *w, const wanted *want)
{
    int64_t extent[3];
    char is[96], should[96];
    const uint32_t rank = extents_of(want, extent);
    if (w->rank == rank && memcmp(w->extent, extent, rank * sizeof *extent) == 0)
        return true;
    write_extents(is, sizeof is, w->rank, w->extent);
    write_extents(should, sizeof should, rank, extent);
    fail(b, het__fail(b->err, HET_E_FORMAT, "tensor %s is [%s], the model's sizes ask for [%s]",
                      w->name, is, should));
    return false;
}

static uint32_t add_const(het__lm_build *b, const char *name, het_dtype dtype, uint32_t rank,
                          const int64_t *extent, const void *data)
{
    const uint32_t v = het__graph_const(b->graph, name, dtype, rank, extent, data);
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

static uint32_t get(het__lm_build *b, int32_t layer, const char *name, const wanted *want,
                    bool optional)
{
    char full[96];
    het__lm_weight w;
    if (b->status != HET_OK)
        return HET__NO_VALUE;
    if (!find(b, layer, name, want, full, &w))
        return optional ? HET__NO_VALUE : missing(b, full);
    if (!fits(b, &w, want))
        return HET__NO_VALUE;
    const uint32_t known = layer < 0 ? known_const(b->graph, full) : HET__NO_VALUE;
    return known != HET__NO_VALUE ? known
                                  : add_const(b, full, w.dtype, w.rank, w.extent, w.data);
}

uint32_t het__lm_weight_find(het__lm_build *b, int32_t layer, const char *name, int64_t rows,
                             int64_t columns, bool optional)
{
    return get(b, layer, name, &(wanted){ 0, rows, columns }, optional);
}

uint32_t het__lm_weight_stack(het__lm_build *b, int32_t layer, const char *name,
                              int64_t matrices, int64_t rows, int64_t columns)
{
    return get(b, layer, name, &(wanted){ matrices, rows, columns }, false);
}

uint32_t het__lm_weight_rows(het__lm_build *b, int32_t layer, const char *name, int64_t matrices,
                             int64_t all_rows, int64_t columns, int64_t first, int64_t rows)
{
    char full[96], part[144];
    const wanted want = { matrices, all_rows, columns };
    het__lm_weight w;
    if (b->status != HET_OK)
        return HET__NO_VALUE;
    if (!find(b, layer, name, &want, full, &w))
        return missing(b, full);
    if (!fits(b, &w, &want))
        return HET__NO_VALUE;
    const int64_t total = (matrices ? matrices : 1) * all_rows;
    const size_t row_bytes = w.bytes / (size_t)total;
    snprintf(part, sizeof part, "%s[%lld:%lld]", full, (long long)first,
             (long long)(first + rows));
    const void *data = w.data ? (const char *)w.data + row_bytes * (size_t)first : NULL;
    return add_const(b, part, w.dtype, 2, (int64_t[]){ rows, columns }, data);
}

static uint32_t add_input_of(het__lm_build *b, const char *name, het_dtype dtype,
                             uint32_t symbol, int64_t columns)
{
    const het__extent e[2] = { { 1, symbol }, { columns, HET__SYM_ONE } };
    const uint32_t v = het__graph_value(b->graph, name, HET__VALUE_INPUT, dtype,
                                        columns > 1 ? 2 : 1, e);
    if (v == HET__NO_VALUE)
        fail(b, het__fail_nomem(b->err, "the graph"));
    return v;
}

static uint32_t add_input(het__lm_build *b, const char *name, uint32_t symbol, int64_t columns)
{
    return add_input_of(b, name, HET_DTYPE_I32, symbol, columns);
}

static uint32_t rope_factors(het__lm_build *b)
{
    const int64_t pairs = b->config->rope.rotated / 2;
    if (b->config->turns_are_given)
        return add_input_of(b, "turns", HET_DTYPE_F32, HET__SYM_TOKENS, 2 * pairs);
    if (b->config->made_factors)
        return add_const(b, "rope_freqs.weight", HET_DTYPE_F32, 1, &pairs,
                         b->config->made_factors);
    const uint32_t factors = het__lm_weight_find(b, -1, "rope_freqs.weight", 0, pairs, true);
    return factors != HET__NO_VALUE
               ? factors
               : het__lm_weight_find(b, -1, "rope_factors_short.weight", 0, pairs, true);
}

static void build_begin(het__lm_build *b, const het__lm_family *family)
{
    const het__lm_config *c = b->config;
    b->ids = add_input(b, "ids", HET__SYM_TOKENS, 1);
    b->positions = add_input(b, "positions", HET__SYM_TOKENS, 1);
    b->slots = add_input(b, "slots", HET__SYM_TOKENS, 1);
    b->segments = add_input(b, "segments", HET__SYM_SEQUENCES, 4);
    b->pages = add_input(b, "pages", HET__SYM_PAGES, 1);
    b->rows = add_input(b, "rows", HET__SYM_ROWS, 1);
    b->factors = rope_factors(b);
    const uint32_t table =
        het__lm_weight_find(b, -1, "token_embd.weight", c->vocabulary, c->width, false);
    const float scale = c->scaled_embedding ? (float)__builtin_sqrt((double)c->width) : 1.0f;
    const het__attrs attrs = { .embed = { scale } };
    b->x = het__lm_node(b, HET__OP_EMBED, -1, "embedding", (uint32_t[]){ table, b->ids }, 2,
                        &attrs);
    if (family->begin)
        family->begin(b);
}

static uint32_t pick_rows(het__lm_build *b, const char *name, uint32_t x)
{
    return het__lm_node(b, HET__OP_ROWS, -1, name, (uint32_t[]){ x, b->rows }, 2, NULL);
}

static void build_end(het__lm_build *b, const het__lm_family *family)
{
    const het__lm_config *c = b->config;
    if (family->end) {
        for (int32_t i = 0; i < c->streams; i++)
            b->stream[i] = pick_rows(b, "rows", b->stream[i]);
        family->end(b);
    } else {
        b->x = pick_rows(b, "rows", b->x);
    }
    const uint32_t x = het__lm_norm(b, -1, "output_norm", b->x);
    uint32_t head = het__lm_weight_find(b, -1, "output.weight", c->vocabulary, c->width, true);
    if (head == HET__NO_VALUE)
        head = het__lm_weight_find(b, -1, "token_embd.weight", c->vocabulary, c->width, false);
    const uint32_t bias = het__lm_weight_find(b, -1, "output.bias", 0, c->vocabulary, true);
    uint32_t logits = het__lm_linear(b, -1, c->logit_cap > 0 ? "head" : "logits", x, head, bias);
    if (c->logit_cap > 0)
        logits = het__lm_unary(b, -1, "logits", logits, HET__UNARY_SOFTCAP, c->logit_cap);
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
    memset(b.state, 0xff, sizeof b.state);
    het__graph_init(graph, mem);
    build_begin(&b, family);
    for (int32_t i = 0; i < config->layers && b.status == HET_OK; i++)
        family->block(&b, i);
    build_end(&b, family);
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
