/* SPDX-License-Identifier: Apache-2.0 */
/* Input: a config.json as it stands.
 *
 * Properties: reading twice gives the same; a refusal carries a message of printable ASCII; sizes
 * are within their bounds; the graph of what was read is built or refused with a message, and its
 * weights have types, extents and bytes that fit each other; when an allocation fails, the answer
 * is out of memory or what it was before; nothing leaks. */
#include "fuzz.h"

#include <string.h>

#include "lib/import/config.h"
#include "lib/import/lm_outline.h"

/* Larger graphs are the same over and over. */
#define LAYERS_MAX 12

typedef struct result {
    fuzz_memory memory;
    het__mem mem;
    het__arena arena;
    het__config config;
    het_error err;
    het_status status;
} result;

static void start(result *r, const uint8_t *data, size_t size, uint64_t until)
{
    memset(r, 0, sizeof *r);
    fuzz_mem_init(&r->mem, &r->memory, until);
    het__arena_init(&r->arena, &r->mem);
    r->err = (het_error)HET_ERROR_INIT;
    r->status = het__config_read(data, size, &r->arena, &r->config, &r->err);
}

static void finish(result *r)
{
    het__arena_finish(&r->arena);
    FUZZ_REQUIRE(r->memory.live == 0 && r->memory.used == 0);
}

static void check_refusal(het_status status, const het_error *err)
{
    FUZZ_REQUIRE(status == HET_E_FORMAT || status == HET_E_UNSUPPORTED || status == HET_E_NOMEM);
    FUZZ_REQUIRE(err->status == (int32_t)status && err->message[0]);
    for (const char *p = err->message; *p; p++)
        FUZZ_REQUIRE(*p >= 0x20 && *p < 0x7f);
}

static void check_config(const het__lm_config *c)
{
    FUZZ_REQUIRE(c->layers >= 1 && c->layers <= 4096 && c->layer);
    FUZZ_REQUIRE(c->width >= 1 && c->width <= 1 << 24 && c->vocabulary >= 1);
    FUZZ_REQUIRE(c->heads >= 1 && c->kv_heads >= 1 && c->heads % c->kv_heads == 0);
    FUZZ_REQUIRE(c->head_size >= 1 && c->rope.rotated >= 0 && c->rope.rotated <= c->head_size);
    FUZZ_REQUIRE(c->experts == 0 || (c->experts_used >= 1 && c->experts_used <= c->experts));
    FUZZ_REQUIRE(c->shared_kv_layers >= 0 && c->shared_kv_layers < c->layers);
    FUZZ_REQUIRE(c->context >= 1 && c->window >= 0 && c->rope.theta > 0);
    for (int64_t i = 0; i < c->layers; i++)
        FUZZ_REQUIRE(c->layer[i].ffn_width >= 1 && c->layer[i].cut < 100);
}

static void check_outline(result *r)
{
    het__lm_outline outline;
    het__graph graph;
    het_error err = HET_ERROR_INIT;
    het__lm_outline_init(&outline, &r->config.lm, &r->arena, HET_DTYPE_Q4_0);
    const het__lm_source source = het__lm_outline_source(&outline);
    const het_status s = het__lm_graph(r->config.family, &r->config.lm, &source, HET_DTYPE_F16,
                                       &r->mem, &graph, &err);
    if (s != HET_OK) {
        check_refusal(s, &err);
        return;
    }
    FUZZ_REQUIRE(het__lm_outline_seal(&outline) && outline.count > 0);
    for (size_t i = 0; i < outline.count; i++) {
        const het__gguf_tensor *t = &outline.tensors[i];
        int64_t rows = 1;
        for (uint32_t k = 0; k < t->rank; k++) {
            FUZZ_REQUIRE(t->extent[k] > 0);
            rows *= k + 1 < t->rank ? t->extent[k] : 1;
        }
        FUZZ_REQUIRE(!t->data && t->bytes == (size_t)(rows * het_dtype_bytes(
                                                      t->dtype, t->extent[t->rank - 1])));
    }
    het__graph_finish(&graph);
}

static void check_same(const result *a, const result *b)
{
    FUZZ_REQUIRE(a->status == b->status && strcmp(a->err.message, b->err.message) == 0);
    FUZZ_REQUIRE(a->config.entry_count == b->config.entry_count);
    FUZZ_REQUIRE(a->config.family == b->config.family && a->config.dtype == b->config.dtype);
    for (size_t i = 0; i < a->config.entry_count; i++)
        FUZZ_REQUIRE(strcmp(a->config.entries[i].key, b->config.entries[i].key) == 0 &&
                     strcmp(a->config.entries[i].value, b->config.entries[i].value) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    result first, second;
    start(&first, data, size, UINT64_MAX);
    start(&second, data, size, UINT64_MAX);
    check_same(&first, &second);
    finish(&second);

    start(&second, data, size, fuzz_seed(data, size) % 4);
    FUZZ_REQUIRE(second.status == HET_E_NOMEM || second.status == first.status);
    finish(&second);

    if (first.status == HET_OK) {
        FUZZ_REQUIRE(first.config.family && het__config_sniff(data, size));
        check_config(&first.config.lm);
        if (first.config.lm.layers <= LAYERS_MAX)
            check_outline(&first);
    } else {
        check_refusal(first.status, &first.err);
    }
    finish(&first);
    return 0;
}
