/* SPDX-License-Identifier: Apache-2.0 */
/* The header is made in memory in two passes of the same code, one that counts and one that
 * stores. Values of metadata are the source's bytes. */
#include "lib/import/gguf_write.h"

#include <assert.h>

#include "lib/base/dtype.h"
#include "lib/base/error.h"
#include "lib/import/gguf_parts.h"

#define VERSION 3
#define QUANTIZATION_VERSION 2

/* What is written to memory; data NULL: only counted. */
typedef struct sink {
    uint8_t *data;
    size_t at;
} sink;

static void put(sink *s, const void *bytes, size_t count)
{
    if (s->data && count)
        memcpy(s->data + s->at, bytes, count);
    s->at += count;
}

static void put_number(sink *s, uint64_t value, size_t bytes)
{
    uint8_t b[8];
    for (size_t i = 0; i < bytes; i++)
        b[i] = (uint8_t)(value >> (8 * i));
    put(s, b, bytes);
}

static void put_string(sink *s, const char *text, size_t bytes)
{
    put_number(s, bytes, 8);
    put(s, text, bytes);
}

static void put_u32_entry(sink *s, const char *key, uint32_t value)
{
    put_string(s, key, strlen(key));
    put_number(s, HET__GGUF_U32, 4);
    put_number(s, value, 4);
}

static void put_entry(sink *s, const het__gguf_entry *e)
{
    put_string(s, e->key, strlen(e->key));
    put_number(s, e->type, 4);
    if (e->type == HET__GGUF_ARRAY) {
        put_number(s, e->element, 4);
        put_number(s, e->count, 8);
    } else if (e->type == HET__GGUF_STRING) {
        put_number(s, e->value_bytes, 8);
    }
    put(s, e->value, e->value_bytes);
}

static const struct {
    const char *key;
    bool is_type; /* else the version of quantisation */
} replaced[] = { { "general.file_type", true }, { "general.quantization_version", false } };

#define REPLACED_COUNT (sizeof replaced / sizeof replaced[0])

static uint32_t replacement(size_t i, int64_t file_type)
{
    return replaced[i].is_type ? (uint32_t)file_type : QUANTIZATION_VERSION;
}

static void put_entries(sink *s, const het__gguf *from, int64_t file_type)
{
    for (size_t i = 0; i < from->entry_count; i++) {
        size_t r = 0;
        while (r < REPLACED_COUNT && strcmp(from->entries[i].key, replaced[r].key) != 0)
            r++;
        if (file_type >= 0 && r < REPLACED_COUNT)
            put_u32_entry(s, replaced[r].key, replacement(r, file_type));
        else
            put_entry(s, &from->entries[i]);
    }
    for (size_t r = 0; file_type >= 0 && r < REPLACED_COUNT; r++)
        if (!het__gguf_find(from, replaced[r].key))
            put_u32_entry(s, replaced[r].key, replacement(r, file_type));
}

static size_t entry_count(const het__gguf *from, int64_t file_type)
{
    size_t count = from->entry_count;
    for (size_t r = 0; file_type >= 0 && r < REPLACED_COUNT; r++)
        count += !het__gguf_find(from, replaced[r].key);
    return count;
}

/* starts are relative to the data here. */
static void put_tensors(sink *s, const het__gguf *from, const het_dtype *types,
                        const uint64_t *starts)
{
    for (size_t i = 0; i < from->tensor_count; i++) {
        const het__gguf_tensor *t = &from->tensors[i];
        uint32_t id = 0;
        const bool known = het__gguf_type_id(types[i], &id);
        assert(known);
        (void)known;
        put_string(s, t->name, strlen(t->name));
        put_number(s, t->rank, 4);
        for (uint32_t k = t->rank; k-- > 0;)
            put_number(s, (uint64_t)t->extent[k], 8);
        put_number(s, id, 4);
        put_number(s, starts[i], 8);
    }
}

static void put_header(sink *s, const het__gguf_writer *w, int64_t file_type)
{
    put(s, "GGUF", 4);
    put_number(s, VERSION, 4);
    put_number(s, w->from->tensor_count, 8);
    put_number(s, entry_count(w->from, file_type), 8);
    put_entries(s, w->from, file_type);
    put_tensors(s, w->from, w->types, w->starts);
    while (s->at % w->from->alignment)
        put(s, "", 1);
}

int64_t het__gguf_elements(const het__gguf_tensor *t)
{
    int64_t count = 1;
    for (uint32_t i = 0; i < t->rank; i++)
        count *= t->extent[i]; /* the reader checked that it fits */
    return count;
}

uint64_t het__gguf_bytes_as(const het__gguf_tensor *t, het_dtype dtype)
{
    const het__dtype_info *info = het__dtype(dtype);
    const uint64_t count = (uint64_t)het__gguf_elements(t);
    assert(count % info->block_elements == 0);
    return count / info->block_elements * info->block_bytes;
}

/* Starts relative to the data; returns the data's bytes. */
static uint64_t place(const het__gguf_writer *w)
{
    uint64_t at = 0;
    for (size_t i = 0; i < w->from->tensor_count; i++) {
        const uint64_t bytes = het__gguf_bytes_as(&w->from->tensors[i], w->types[i]);
        const uint64_t a = w->from->alignment;
        w->starts[i] = at;
        at += (bytes + a - 1) / a * a;
    }
    return at;
}

static het_status write_at(const het__gguf_writer *w, uint64_t at, const void *data, size_t bytes,
                           het_error *err)
{
    const int code = het__new_file_write(&w->file, at, data, bytes);
    if (code)
        return het__fail_native(err, HET_E_IO, code, "cannot write %s: system error %d",
                                w->file.path, code);
    return HET_OK;
}

static het_status write_header(het__gguf_writer *w, het__mem *mem, const char *path,
                               int64_t file_type, het_error *err)
{
    const uint64_t data_bytes = place(w);
    sink s = { NULL, 0 };
    put_header(&s, w, file_type);
    const size_t header_bytes = s.at;
    s = (sink){ het__alloc(mem, header_bytes), 0 };
    if (!s.data)
        return het__fail_nomem(err, "the metadata");
    put_header(&s, w, file_type);
    assert(s.at == header_bytes);
    het_status st = het__new_file_begin(&w->file, mem, path, header_bytes + data_bytes, err);
    if (st == HET_OK) {
        st = write_at(w, 0, s.data, header_bytes, err);
        if (st != HET_OK)
            het__new_file_abandon(&w->file);
    }
    for (size_t i = 0; i < w->from->tensor_count; i++)
        w->starts[i] += header_bytes;
    het__free(mem, s.data);
    return st;
}

het_status het__gguf_write_begin(het__gguf_writer *w, het__mem *mem, const char *path,
                                 const het__gguf *from, const het_dtype *types, int64_t file_type,
                                 het_error *err)
{
    *w = (het__gguf_writer){ .file = { .mem = mem, .fd = -1 }, .from = from, .types = types };
    w->starts = het__alloc_zero(mem, from->tensor_count, sizeof *w->starts);
    if (!w->starts)
        return het__fail_nomem(err, "the list of tensors");
    const het_status s = write_header(w, mem, path, file_type, err);
    if (s != HET_OK)
        het__free(mem, w->starts);
    return s;
}

het_status het__gguf_write_data(const het__gguf_writer *w, size_t tensor, uint64_t at,
                                const void *data, size_t bytes, het_error *err)
{
    assert(at + bytes <= het__gguf_bytes_as(&w->from->tensors[tensor], w->types[tensor]));
    return write_at(w, w->starts[tensor] + at, data, bytes, err);
}

het_status het__gguf_write_commit(het__gguf_writer *w, het_error *err)
{
    het__free(w->file.mem, w->starts);
    w->starts = NULL;
    return het__new_file_commit(&w->file, err);
}

void het__gguf_write_abandon(het__gguf_writer *w)
{
    het__free(w->file.mem, w->starts);
    w->starts = NULL;
    het__new_file_abandon(&w->file);
}
