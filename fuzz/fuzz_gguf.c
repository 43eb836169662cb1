/* SPDX-License-Identifier: Apache-2.0 */
/* Input: a GGUF file as it stands.
 *
 * Properties: the reader's memory is bounded by the input's size; a refusal carries a message of
 * printable ASCII and leaves nothing behind; every entry, string and tensor lies inside the input;
 * every key and name is found again; every value renders as UTF-8; opening twice gives the same;
 * when an allocation fails, the answer is out of memory or what it was before; nothing leaks. */
#include "fuzz.h"

#include <string.h>
#include <utf8proc.h>

#include "lib/base/dtype.h"
#include "lib/import/gguf.h"

typedef struct result {
    fuzz_memory memory;
    het__mem mem;
    het__arena arena;
    het__gguf gguf;
    het_error err;
    het_status status;
} result;

static void start(result *r, const uint8_t *data, size_t size, uint64_t until)
{
    memset(r, 0, sizeof *r);
    fuzz_mem_init(&r->mem, &r->memory, until);
    het__arena_init(&r->arena, &r->mem);
    r->err = (het_error)HET_ERROR_INIT;
    r->status = het__gguf_open(&r->gguf, &r->arena, data, size, &r->err);
}

static void finish(result *r)
{
    het__arena_finish(&r->arena);
    FUZZ_REQUIRE(r->memory.live == 0 && r->memory.used == 0);
}

static bool inside(const het__gguf *g, const void *p, size_t bytes)
{
    const uint8_t *b = p;
    return b >= g->data && b <= g->data + g->bytes && bytes <= (size_t)(g->data + g->bytes - b);
}

static void check_refusal(const result *r)
{
    FUZZ_REQUIRE(r->status == HET_E_FORMAT || r->status == HET_E_UNSUPPORTED ||
                 r->status == HET_E_VERSION || r->status == HET_E_NOMEM);
    FUZZ_REQUIRE(r->err.status == (int32_t)r->status && r->err.message[0]);
    for (const char *p = r->err.message; *p; p++)
        FUZZ_REQUIRE(*p >= 0x20 && *p < 0x7f);
    FUZZ_REQUIRE(!r->gguf.entries && !r->gguf.tensors && !r->gguf.entry_count);
}

static void check_elements(const het__gguf *g, const het__gguf_entry *e)
{
    int64_t i;
    double d;
    const uint64_t last = e->count ? e->count - 1 : 0;
    FUZZ_REQUIRE(!het__gguf_array_i64(e, e->count, &i) && !het__gguf_array_f64(e, e->count, &d));
    FUZZ_REQUIRE(!het__gguf_array_i64(e, UINT64_MAX, &i));
    if (het__gguf_array_i64(e, last, &i) && het__gguf_array_f64(e, last, &d))
        FUZZ_REQUIRE((int64_t)d == i);
    const het__span *s = het__gguf_strings(g, e);
    FUZZ_REQUIRE(!s == !(e->type == HET__GGUF_ARRAY && e->element == HET__GGUF_STRING));
    size_t bytes = 0;
    for (uint64_t k = 0; s && k < e->count; k++) {
        FUZZ_REQUIRE(inside(g, s[k].data, s[k].bytes));
        bytes += 8 + s[k].bytes;
    }
    FUZZ_REQUIRE(!s || bytes == e->value_bytes);
}

static void check_entries(result *r)
{
    for (size_t i = 0; i < r->gguf.entry_count; i++) {
        const het__gguf_entry *e = &r->gguf.entries[i];
        FUZZ_REQUIRE(inside(&r->gguf, e->value, e->value_bytes));
        FUZZ_REQUIRE(het__gguf_find(&r->gguf, e->key) == e);
        FUZZ_REQUIRE(het__gguf_type_name(e)[0]);
        check_elements(&r->gguf, e);
        const char *text = het__gguf_render(&r->arena, e);
        FUZZ_REQUIRE(text);
        for (utf8proc_ssize_t n; *text; text += n) {
            utf8proc_int32_t point;
            n = utf8proc_iterate((const utf8proc_uint8_t *)text, -1, &point);
            FUZZ_REQUIRE(n > 0);
        }
    }
}

static void check_tensors(const het__gguf *g)
{
    for (size_t i = 0; i < g->tensor_count; i++) {
        const het__gguf_tensor *t = &g->tensors[i];
        const het__dtype_info *info = het__dtype(t->dtype);
        FUZZ_REQUIRE(info && t->rank <= 4);
        size_t elements = 1; /* does not overflow: the data is inside the input */
        for (uint32_t k = 0; k < t->rank; k++) {
            FUZZ_REQUIRE(t->extent[k] > 0);
            elements *= (size_t)t->extent[k];
        }
        const int64_t row = t->rank ? t->extent[t->rank - 1] : 1;
        FUZZ_REQUIRE(row % info->block_elements == 0);
        FUZZ_REQUIRE(t->bytes == elements / info->block_elements * info->block_bytes);
        FUZZ_REQUIRE(inside(g, t->data, t->bytes));
        FUZZ_REQUIRE((size_t)((const uint8_t *)t->data - g->data) % g->alignment == 0);
        FUZZ_REQUIRE(het__gguf_tensor_find(g, t->name) == t);
    }
}

static void check_same(const result *a, const result *b)
{
    FUZZ_REQUIRE(a->status == b->status && strcmp(a->err.message, b->err.message) == 0);
    FUZZ_REQUIRE(a->gguf.entry_count == b->gguf.entry_count);
    FUZZ_REQUIRE(a->gguf.tensor_count == b->gguf.tensor_count);
    for (size_t i = 0; i < a->gguf.entry_count; i++) {
        const het__gguf_entry *x = &a->gguf.entries[i], *y = &b->gguf.entries[i];
        FUZZ_REQUIRE(strcmp(x->key, y->key) == 0 && x->value == y->value && x->count == y->count);
        FUZZ_REQUIRE(a->gguf.entry_order[i] == b->gguf.entry_order[i]);
    }
    for (size_t i = 0; i < a->gguf.tensor_count; i++) {
        const het__gguf_tensor *x = &a->gguf.tensors[i], *y = &b->gguf.tensors[i];
        FUZZ_REQUIRE(strcmp(x->name, y->name) == 0 && x->data == y->data && x->bytes == y->bytes);
        FUZZ_REQUIRE(a->gguf.tensor_order[i] == b->gguf.tensor_order[i]);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    result first, second;
    start(&first, data, size, UINT64_MAX);
    /* Records and copied names are no more than eight times what they are in the file, and come in
     * arena blocks of 16 KiB. */
    FUZZ_REQUIRE(atomic_load(&first.mem.peak) <= ((size_t)64 << 10) + 8 * size);
    start(&second, data, size, UINT64_MAX);
    check_same(&first, &second);
    finish(&second);

    start(&second, data, size, fuzz_seed(data, size) % 6);
    FUZZ_REQUIRE(second.status == HET_E_NOMEM || second.status == first.status);
    if (second.status != HET_OK)
        check_refusal(&second);
    else if (second.gguf.entry_count)
        (void)het__gguf_render(&second.arena, &second.gguf.entries[0]);
    finish(&second);

    if (first.status == HET_OK) {
        check_entries(&first);
        check_tensors(&first.gguf);
    } else {
        check_refusal(&first);
    }
    finish(&first);
    return 0;
}
