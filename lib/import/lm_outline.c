/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/import/lm_outline.h"

#include <stdlib.h>
#include <string.h>

/* Matrices whose rows are not whole blocks stay in this type, as converters keep them. */
#define FALLBACK HET_DTYPE_F16
/* A block asks for a weight again only while it is built, among so many others. */
#define NEAR 64

void het__lm_outline_init(het__lm_outline *outline, const het__lm_config *config,
                          het__arena *arena, het_dtype dtype)
{
    *outline = (het__lm_outline){ .config = config, .arena = arena, .dtype = dtype };
}

static bool ends_with(const char *text, const char *end)
{
    const size_t n = strlen(text), m = strlen(end);
    return n >= m && strcmp(text + n - m, end) == 0;
}

/* Optional weights that the configuration says are not there. */
static bool is_absent(const het__lm_config *c, const char *name)
{
    if (strcmp(name, "rope_freqs.weight") == 0)
        return !c->rope_factors || c->turning == HET__TURNING_LONG;
    if (strcmp(name, "rope_factors_short.weight") == 0)
        return c->turning != HET__TURNING_LONG;
    if (strcmp(name, "output.weight") == 0)
        return c->tied;
    if (strcmp(name, "output.bias") == 0)
        return !c->head_bias;
    if (ends_with(name, ".attn_output.bias"))
        return !c->output_bias;
    if (ends_with(name, ".attn_q.bias") || ends_with(name, ".attn_k.bias") ||
        ends_with(name, ".attn_v.bias"))
        return !c->qkv_bias;
    return false;
}

static int compare(const void *a, const void *b)
{
    const het__gguf_tensor *x = *(const het__gguf_tensor *const *)a;
    const het__gguf_tensor *y = *(const het__gguf_tensor *const *)b;
    return strcmp(x->name, y->name);
}

static const het__gguf_tensor *known(const het__lm_outline *outline, const char *name)
{
    if (outline->is_sealed) {
        const het__gguf_tensor key = { .name = name }, *at = &key;
        const het__gguf_tensor *const *found =
            outline->count ? bsearch(&at, outline->by_name, outline->count,
                                     sizeof *outline->by_name, compare)
                           : NULL;
        return found ? *found : NULL;
    }
    const bool is_block = strncmp(name, "blk.", 4) == 0;
    size_t left = is_block && outline->count > NEAR ? NEAR : outline->count;
    for (size_t i = outline->count; left-- > 0;)
        if (strcmp(outline->tensors[--i].name, name) == 0)
            return &outline->tensors[i];
    return NULL;
}

bool het__lm_outline_seal(het__lm_outline *outline)
{
    outline->by_name =
        het__arena_zero(outline->arena, outline->count, sizeof *outline->by_name);
    if (!outline->by_name || outline->failed)
        return false;
    for (size_t i = 0; i < outline->count; i++)
        outline->by_name[i] = &outline->tensors[i];
    if (outline->count)
        qsort(outline->by_name, outline->count, sizeof *outline->by_name, compare);
    outline->is_sealed = true;
    return true;
}

/* Routers and vectors keep their precision in any file. */
static het_dtype dtype_of(const het__lm_outline *outline, const char *name,
                          const het__lm_weight *w)
{
    if (w->rank == 1 || ends_with(name, ".ffn_gate_inp.weight"))
        return HET_DTYPE_F32;
    return het_dtype_bytes(outline->dtype, w->extent[w->rank - 1]) >= 0 ? outline->dtype
                                                                        : FALLBACK;
}

/* Doubles as needed; the arena keeps the old arrays until it goes. */
static het__gguf_tensor *append(het__lm_outline *outline)
{
    if (outline->count == outline->capacity) {
        const size_t capacity = outline->capacity ? 2 * outline->capacity : 64;
        het__gguf_tensor *grown = het__arena_zero(outline->arena, capacity, sizeof *grown);
        if (!grown) {
            outline->failed = true;
            return NULL;
        }
        if (outline->count)
            memcpy(grown, outline->tensors, outline->count * sizeof *grown);
        outline->tensors = grown;
        outline->capacity = capacity;
    }
    return &outline->tensors[outline->count];
}

static const het__gguf_tensor *list(het__lm_outline *outline, const char *name,
                                    const het__lm_weight *w)
{
    het__gguf_tensor *t = append(outline);
    const char *copy = t ? het__arena_strdup(outline->arena, name) : NULL;
    if (!copy) {
        outline->failed = true;
        return NULL;
    }
    const het_dtype dtype = dtype_of(outline, name, w);
    int64_t rows = 1;
    *t = (het__gguf_tensor){ .name = copy, .dtype = dtype, .rank = w->rank };
    memcpy(t->extent, w->extent, sizeof t->extent);
    for (uint32_t i = 0; i + 1 < w->rank; i++)
        if (!het__mul_i64(rows, w->extent[i], &rows))
            return NULL; /* no such model: the sizes are bounded far below */
    int64_t bytes;
    if (!het__mul_i64(rows, het_dtype_bytes(dtype, w->extent[w->rank - 1]), &bytes))
        return NULL;
    t->bytes = (size_t)bytes;
    outline->count++;
    return t;
}

static bool find(void *user, const char *name, het__lm_weight *weight)
{
    het__lm_outline *outline = user;
    if (is_absent(outline->config, name) || outline->failed)
        return false;
    const het__gguf_tensor *t = known(outline, name);
    if (!t && !outline->is_sealed)
        t = list(outline, name, weight);
    if (!t)
        return false;
    weight->name = t->name;
    weight->dtype = t->dtype;
    weight->rank = t->rank;
    memcpy(weight->extent, t->extent, sizeof weight->extent);
    weight->data = NULL;
    weight->bytes = t->bytes;
    return true;
}

het__lm_source het__lm_outline_source(het__lm_outline *outline)
{
    return (het__lm_source){ outline, find };
}
