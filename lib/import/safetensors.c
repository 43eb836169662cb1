/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/import/safetensors.h"

#include <stdio.h>
#include <string.h>

#include "lib/base/dtype.h"
#include "lib/base/error.h"
#include "lib/import/gguf_parts.h"
#include "lib/import/json.h"

#define PREFIX_BYTES 8
#define NAME_BYTES_MAX 512
/* Header, tensor, shape. */
#define DEPTH_MAX 4

/* A file while its header is read. */
typedef struct reader {
    het__safetensors *st;
    const char *file;
    const uint8_t *data; /* of the tensors */
    size_t bytes;
    size_t first; /* of its tensors among all */
    het_error *err;
} reader;

/* Names from the file go into messages, but not to anybody's terminal. */
static const char *shown(const char *name, char buffer[80])
{
    snprintf(buffer, 80, "%.76s", name);
    return het__printable(buffer);
}

static het_status refuse(const reader *r, het_status status, const char *name, const char *what)
{
    char buffer[80];
    return het__fail(r->err, status, "%s: tensor %s %s", r->file, shown(name, buffer), what);
}

static het_dtype dtype_of(const char *name)
{
    static const struct { const char *name; het_dtype dtype; } types[] = {
        { "F64", HET_DTYPE_F64 },   { "F32", HET_DTYPE_F32 },
        { "F16", HET_DTYPE_F16 },   { "BF16", HET_DTYPE_BF16 },
        { "I64", HET_DTYPE_I64 },   { "I32", HET_DTYPE_I32 },
        { "I16", HET_DTYPE_I16 },   { "I8", HET_DTYPE_I8 },
        { "U64", HET_DTYPE_U64 },   { "U32", HET_DTYPE_U32 },
        { "U16", HET_DTYPE_U16 },   { "U8", HET_DTYPE_U8 },
        { "BOOL", HET_DTYPE_BOOL }, { "F8_E4M3", HET_DTYPE_F8E4M3 },
        { "F8_E5M2", HET_DTYPE_F8E5M2 }, { "F8_E8M0", HET_DTYPE_F8E8M0 },
    };
    for (size_t i = 0; i < sizeof types / sizeof types[0]; i++)
        if (strcmp(types[i].name, name) == 0)
            return types[i].dtype;
    return HET_DTYPE_NONE;
}

/* Doubles as needed; the arena keeps the old arrays until it goes. */
static het__st_tensor *append(het__safetensors *st, size_t more)
{
    if (st->capacity - st->count < more) {
        size_t capacity;
        if (!het__add_size(st->count, more, &capacity) || capacity > SIZE_MAX / 2)
            return NULL;
        het__st_tensor *grown = het__arena_zero(st->arena, capacity, sizeof *grown);
        if (!grown)
            return NULL;
        if (st->count)
            memcpy(grown, st->tensors, st->count * sizeof *grown);
        st->tensors = grown;
        st->capacity = capacity;
    }
    return &st->tensors[st->count];
}

static het_status read_shape(const reader *r, const json_t *shape, het__st_tensor *t)
{
    const size_t rank = json_array_size(shape);
    const size_t element = het__dtype(t->dtype)->block_bytes;
    if (!json_is_array(shape) || rank > HET_RANK_MAX)
        return refuse(r, HET_E_FORMAT, t->name, "has no list of extents, or too long a one");
    t->rank = (uint32_t)rank;
    t->bytes = element;
    for (size_t i = 0; i < rank; i++) {
        const json_t *v = json_array_get(shape, i);
        const json_int_t n = json_integer_value(v);
        if (!json_is_integer(v) || n < 0)
            return refuse(r, HET_E_FORMAT, t->name, "has an extent that is not a size");
        t->extent[i] = n;
        if (!het__mul_size(t->bytes, (size_t)n, &t->bytes))
            return refuse(r, HET_E_FORMAT, t->name, "is larger than memory");
    }
    return HET_OK;
}

static het_status read_place(const reader *r, const json_t *offsets, het__st_tensor *t)
{
    const json_t *b = json_array_get(offsets, 0), *e = json_array_get(offsets, 1);
    const json_int_t begin = json_integer_value(b), end = json_integer_value(e);
    if (json_array_size(offsets) != 2 || !json_is_integer(b) || !json_is_integer(e) ||
        begin < 0 || end < begin)
        return refuse(r, HET_E_FORMAT, t->name, "has no data_offsets of two ascending numbers");
    if ((uint64_t)end > r->bytes)
        return refuse(r, HET_E_FORMAT, t->name, "ends behind the end of the file");
    if ((uint64_t)(end - begin) != t->bytes)
        return refuse(r, HET_E_FORMAT, t->name, "has other bytes than its shape and type ask for");
    t->data = r->data + begin;
    return HET_OK;
}

static het_status read_tensor(const reader *r, const char *name, const json_t *record)
{
    het__st_tensor *t = append(r->st, 1);
    const char *type = het__json_text(record, "dtype");
    if (!json_is_object(record) || !*name || strlen(name) > NAME_BYTES_MAX)
        return refuse(r, HET_E_FORMAT, name, "is not an object with a name");
    t->name = het__arena_strdup(r->st->arena, name);
    if (!t->name)
        return het__fail_nomem(r->err, "the list of tensors");
    t->file = r->file;
    t->dtype = dtype_of(type ? type : "");
    if (t->dtype == HET_DTYPE_NONE) {
        char what[80], buffer[80];
        snprintf(what, sizeof what, "is of type \"%.40s\", which is not read",
                 shown(type ? type : "", buffer));
        return refuse(r, type ? HET_E_UNSUPPORTED : HET_E_FORMAT, name, what);
    }
    const het_status s = read_shape(r, json_object_get(record, "shape"), t);
    return s == HET_OK ? read_place(r, json_object_get(record, "data_offsets"), t) : s;
}

/* By place; empty tensors before the one that begins where they lie. */
static bool comes_before(const het__st_tensor *a, const het__st_tensor *b)
{
    if (a->data != b->data)
        return (uintptr_t)a->data < (uintptr_t)b->data;
    return a->bytes < b->bytes;
}

static void sift_down(het__st_tensor *t, size_t root, size_t count)
{
    for (size_t child; (child = 2 * root + 1) < count; root = child) {
        if (child + 1 < count && comes_before(&t[child], &t[child + 1]))
            child++;
        if (!comes_before(&t[root], &t[child]))
            return;
        const het__st_tensor swap = t[root];
        t[root] = t[child];
        t[child] = swap;
    }
}

static void sort_by_place(het__st_tensor *t, size_t count)
{
    for (size_t i = count / 2; i-- > 0;)
        sift_down(t, i, count);
    for (size_t last = count; last-- > 1;) {
        const het__st_tensor swap = t[0];
        t[0] = t[last];
        t[last] = swap;
        sift_down(t, 0, last);
    }
}

/* Sorts the tensors of the file by their place. */
static het_status check_cover(const reader *r)
{
    const size_t count = r->st->count - r->first;
    het__st_tensor *t = count ? r->st->tensors + r->first : NULL;
    size_t at = 0;
    if (count)
        sort_by_place(t, count);
    for (size_t i = 0; i < count; i++) {
        const size_t begin = (size_t)((const uint8_t *)t[i].data - r->data);
        if (begin != at)
            return refuse(r, HET_E_FORMAT, t[i].name,
                          begin < at ? "overlaps another one" : "stands behind a gap");
        at += t[i].bytes;
    }
    if (at != r->bytes)
        return het__fail(r->err, HET_E_FORMAT, "%s: %zu bytes of data belong to no tensor",
                         r->file, r->bytes - at);
    return HET_OK;
}

static het_status read_header(reader *r, const json_t *root)
{
    const char *name;
    json_t *record;
    const size_t count = json_object_size(root);
    if (count && !append(r->st, count))
        return het__fail_nomem(r->err, "the list of tensors");
    json_object_foreach((json_t *)(uintptr_t)root, name, record) {
        if (strcmp(name, "__metadata__") == 0)
            continue;
        const het_status s = read_tensor(r, name, record);
        if (s != HET_OK)
            return s;
        r->st->count++;
    }
    return check_cover(r);
}

void het__safetensors_init(het__safetensors *st, het__arena *arena)
{
    *st = (het__safetensors){ .arena = arena };
}

het_status het__safetensors_add(het__safetensors *st, const char *file, const void *data,
                                size_t bytes, het_error *err)
{
    return het__safetensors_add_head(st, file, data, bytes, bytes, err);
}

static void forget_places(het__safetensors *st, size_t first)
{
    for (size_t i = first; i < st->count; i++)
        st->tensors[i].data = NULL;
}

het_status het__safetensors_add_head(het__safetensors *st, const char *file, const void *data,
                                     size_t bytes, size_t file_bytes, het_error *err)
{
    const uint8_t *p = data;
    uint64_t header = 0;
    char what[160];
    if (bytes < PREFIX_BYTES)
        return het__fail(err, HET_E_FORMAT, "%s: %zu bytes are no safetensors file", file, bytes);
    for (size_t i = PREFIX_BYTES; i-- > 0;)
        header = header << 8 | p[i];
    if (header > bytes - PREFIX_BYTES || header > HET__SAFETENSORS_HEADER_MAX)
        return het__fail(err, HET_E_FORMAT, "%s: a header of %llu bytes in a file of %zu", file,
                         (unsigned long long)header, bytes);
    const char *name = het__arena_strdup(st->arena, file);
    if (!name)
        return het__fail_nomem(err, "the list of tensors");
    json_t *root;
    snprintf(what, sizeof what, "the header of %.120s", file);
    const het__json_limits limits = { HET__SAFETENSORS_HEADER_MAX, DEPTH_MAX };
    het_status s =
        het__json_read(what, p + PREFIX_BYTES, (size_t)header, &limits, &root, err);
    if (s != HET_OK)
        return s;
    reader r = { st, name, p + PREFIX_BYTES + header, file_bytes - PREFIX_BYTES - (size_t)header,
                 st->count, err };
    s = read_header(&r, root);
    json_decref(root);
    if (bytes < file_bytes)
        forget_places(st, r.first);
    return s;
}

het_status het__safetensors_seal(het__safetensors *st, het_error *err)
{
    char buffer[80];
    st->order = het__gguf_sort(st->arena, st->tensors, st->count, sizeof *st->tensors);
    if (!st->order)
        return het__fail_nomem(err, "the list of tensors");
    for (size_t i = 1; i < st->count; i++) {
        const het__st_tensor *a = &st->tensors[st->order[i - 1]], *b = &st->tensors[st->order[i]];
        if (strcmp(a->name, b->name) == 0)
            return het__fail(err, HET_E_FORMAT, "tensor %s stands in %s and in %s",
                             shown(a->name, buffer), a->file, b->file);
    }
    return HET_OK;
}

const het__st_tensor *het__safetensors_find(const het__safetensors *st, const char *name)
{
    size_t low = 0, high = st->count;
    while (low < high) {
        const size_t middle = low + (high - low) / 2;
        const het__st_tensor *t = &st->tensors[st->order[middle]];
        const int c = strcmp(name, t->name);
        if (c == 0)
            return t;
        if (c < 0)
            high = middle;
        else
            low = middle + 1;
    }
    return NULL;
}
