/* SPDX-License-Identifier: Apache-2.0 */
/* Parsing of GGUF. Nothing is believed: a count is compared with what the rest of the file can hold
 * before memory is taken for it, a length before it is stepped over, a product before it is a size.
 * What the file format allows but no reader could use (tensors without elements, names with control
 * characters, one name twice) is refused here, so that later rooms need not think of it. */
#include "lib/import/gguf.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>

#include "lib/base/dtype.h"
#include "lib/base/error.h"
#include "lib/import/gguf_parts.h"

#define VERSION_NEWEST 3
#define KEY_BYTES_MAX 65535 /* as in the specification */
#define NAME_BYTES_MAX 255  /* the specification says 64; some writers exceed it */
#define RANK_MAX 4
#define ALIGNMENT_DEFAULT 32
#define ALIGNMENT_MAX (1 << 20)
/* The least that one record takes in the file: length of the key, type, value of one byte; length
 * of the name, rank, type, offset. */
#define ENTRY_BYTES_MIN (8 + 4 + 1)
#define TENSOR_BYTES_MIN (8 + 4 + 4 + 8)

_Static_assert(offsetof(het__gguf_entry, key) == 0 && offsetof(het__gguf_tensor, name) == 0,
               "het__gguf_sort() takes the first member as the name");

/* A position in the file; at <= bytes always. */
typedef struct reader {
    const uint8_t *data;
    size_t bytes;
    size_t at;
    size_t file_bytes; /* more than bytes where only the beginning is there */
    het_error *err;
} reader;

/* A name for a message: printable ASCII, so that the message is text whatever the file holds, and
 * short, so that the rest of the message stays in. */
typedef struct quoted {
    char text[72];
} quoted;

static quoted quote(const char *name)
{
    quoted q;
    size_t n = 0;
    for (; name[n] && n < sizeof q.text - 4; n++)
        q.text[n] = name[n] >= 0x20 && name[n] < 0x7f ? name[n] : '?';
    memcpy(q.text + n, name[n] ? "..." : "", name[n] ? 4 : 1);
    return q;
}

static const uint8_t *take(reader *r, uint64_t bytes)
{
    if (bytes > r->bytes - r->at)
        return NULL;
    const uint8_t *p = r->data + r->at;
    r->at += (size_t)bytes;
    return p;
}

static het_status truncated(const reader *r, const char *what, const char *name, uint64_t bytes)
{
    return het__fail(r->err, HET_E_FORMAT,
                     "%s%s%s%s at byte %zu takes %" PRIu64 " bytes, but the file of %zu bytes has "
                     "only %zu left",
                     what, name ? " '" : "", name ? quote(name).text : "", name ? "'" : "", r->at,
                     bytes, r->bytes, r->bytes - r->at);
}

static het_status read_u32(reader *r, const char *what, const char *name, uint32_t *value)
{
    const uint8_t *p = take(r, 4);
    if (!p)
        return truncated(r, what, name, 4);
    *value = het__gguf_load32(p);
    return HET_OK;
}

static het_status read_u64(reader *r, const char *what, const char *name, uint64_t *value)
{
    const uint8_t *p = take(r, 8);
    if (!p)
        return truncated(r, what, name, 8);
    *value = het__gguf_load64(p);
    return HET_OK;
}

/* A key or a tensor's name, copied. Names of several records never share bytes of the file, so the
 * copies together are no longer than the file (and 32 bytes each for rounding). */
static het_status read_name(reader *r, het__arena *arena, const char *what, size_t bytes_max,
                            const char **name)
{
    const size_t start = r->at;
    uint64_t bytes = 0;
    const het_status s = read_u64(r, what, NULL, &bytes);
    if (s != HET_OK)
        return s;
    if (bytes > bytes_max)
        return het__fail(r->err, HET_E_FORMAT,
                         "%s at byte %zu is %" PRIu64 " bytes long, more than the %zu allowed",
                         what, start, bytes, bytes_max);
    const uint8_t *p = take(r, bytes);
    if (!p)
        return truncated(r, what, NULL, bytes);
    for (size_t i = 0; i < bytes; i++)
        if (p[i] < 0x20 || p[i] == 0x7f)
            return het__fail(r->err, HET_E_FORMAT,
                             "%s at byte %zu holds the control character 0x%02x", what, start,
                             (unsigned)p[i]);
    *name = het__arena_strndup(arena, (const char *)p, (size_t)bytes);
    return *name ? HET_OK : het__fail_nomem(r->err, what);
}

static het_status refuse_version(const reader *r, uint32_t version)
{
    if (version == 1)
        return het__fail(r->err, HET_E_UNSUPPORTED,
                         "GGUF version 1 is not supported; convert the file to version 3");
    if (version && (version & 0xffffu) == 0)
        return het__fail(r->err, HET_E_UNSUPPORTED,
                         "big-endian GGUF (version bytes 0x%08" PRIx32 ") is not supported; "
                         "convert the file to little-endian", version);
    if (version > VERSION_NEWEST)
        return het__fail(r->err, HET_E_VERSION,
                         "GGUF version %" PRIu32 " is newer than the newest supported, %d", version,
                         VERSION_NEWEST);
    return het__fail(r->err, HET_E_FORMAT, "GGUF version %" PRIu32 " does not exist", version);
}

static het_status read_header(het__gguf *g, reader *r, uint64_t *tensors, uint64_t *entries)
{
    const uint8_t *magic = r->bytes >= 4 ? take(r, 4) : NULL;
    if (!magic)
        return het__fail(r->err, HET_E_FORMAT, "file of %zu bytes is too short to be GGUF",
                         r->bytes);
    if (memcmp(magic, "GGUF", 4) != 0)
        return het__fail(r->err, HET_E_FORMAT,
                         "not a GGUF file: the first bytes are %02x %02x %02x %02x", magic[0],
                         magic[1], magic[2], magic[3]);
    het_status s = read_u32(r, "the version", NULL, &g->version);
    if (s == HET_OK && (g->version < 2 || g->version > VERSION_NEWEST))
        s = refuse_version(r, g->version);
    if (s == HET_OK)
        s = read_u64(r, "the number of tensors", NULL, tensors);
    return s == HET_OK ? read_u64(r, "the number of metadata entries", NULL, entries) : s;
}

/* Whether count records of at least `least` bytes can be in the rest of the file. */
static het_status check_count(const reader *r, const char *what, uint64_t count, size_t least)
{
    const size_t most = (r->bytes - r->at) / least;
    if (count <= most)
        return HET_OK;
    return het__fail(r->err, HET_E_FORMAT,
                     "the header announces %" PRIu64 " %s, but the %zu bytes after byte %zu hold "
                     "at most %zu", count, what, r->bytes - r->at, r->at, most);
}

/* One string of a value: its length is checked, its bytes are stepped over. */
static het_status skip_string(reader *r, const char *key, het__span *text)
{
    uint64_t bytes = 0;
    const het_status s = read_u64(r, "string of key", key, &bytes);
    if (s != HET_OK)
        return s;
    const uint8_t *p = take(r, bytes);
    if (!p)
        return truncated(r, "string of key", key, bytes);
    *text = (het__span){ (const char *)p, (size_t)bytes };
    return HET_OK;
}

static het_status check_bools(const reader *r, const het__gguf_entry *entry)
{
    for (size_t i = 0; i < entry->value_bytes; i++)
        if (entry->value[i] > 1)
            return het__fail(r->err, HET_E_FORMAT,
                             "bool of key '%s' at byte %zu is %u, neither 0 nor 1",
                             quote(entry->key).text, (size_t)(entry->value - r->data) + i,
                             (unsigned)entry->value[i]);
    return HET_OK;
}

/* Values of fixed size, one or an array of them. */
static het_status read_fixed(reader *r, het__gguf_entry *entry, het__gguf_type type)
{
    const size_t size = het__gguf_value_bytes[type];
    assert(size);
    if (entry->count > (r->bytes - r->at) / size) /* so the product below fits */
        return het__fail(r->err, HET_E_FORMAT,
                         "value of key '%s' at byte %zu has %" PRIu64 " elements of %zu bytes, "
                         "but only %zu bytes are left", quote(entry->key).text, r->at,
                         entry->count, size, r->bytes - r->at);
    entry->value_bytes = (size_t)entry->count * size;
    entry->value = take(r, entry->value_bytes);
    return type == HET__GGUF_BOOL ? check_bools(r, entry) : HET_OK;
}

static het_status read_type(reader *r, const char *what, const char *key, het__gguf_type *type)
{
    const size_t start = r->at;
    uint32_t id = 0;
    const het_status s = read_u32(r, what, key, &id);
    if (s != HET_OK)
        return s;
    if (id >= HET__GGUF_TYPE_COUNT)
        return het__fail(r->err, HET_E_FORMAT, "%s '%s' at byte %zu is %" PRIu32 ", not a type",
                         what, quote(key).text, start, id);
    *type = (het__gguf_type)id;
    return HET_OK;
}

static het_status read_array(reader *r, het__gguf_entry *entry)
{
    het_status s = read_type(r, "element type of key", entry->key, &entry->element);
    if (s == HET_OK)
        s = read_u64(r, "array length of key", entry->key, &entry->count);
    if (s != HET_OK)
        return s;
    if (entry->element == HET__GGUF_ARRAY)
        return het__fail(r->err, HET_E_UNSUPPORTED,
                         "key '%s' at byte %zu is an array of arrays, which is not supported",
                         quote(entry->key).text, r->at);
    if (entry->element != HET__GGUF_STRING)
        return read_fixed(r, entry, entry->element);
    const size_t start = r->at;
    het__span text = { 0 };
    for (uint64_t i = 0; i < entry->count; i++) /* ends at the end of the file at the latest */
        if ((s = skip_string(r, entry->key, &text)) != HET_OK)
            return s;
    entry->value = r->data + start;
    entry->value_bytes = r->at - start;
    return HET_OK;
}

static het_status read_entry(het__gguf *g, reader *r, het__gguf_entry *entry)
{
    het_status s = read_name(r, g->arena, "metadata key", KEY_BYTES_MAX, &entry->key);
    if (s == HET_OK)
        s = read_type(r, "value type of key", entry->key, &entry->type);
    if (s != HET_OK)
        return s;
    entry->count = 1;
    if (entry->type == HET__GGUF_ARRAY)
        return read_array(r, entry);
    if (entry->type != HET__GGUF_STRING)
        return read_fixed(r, entry, entry->type);
    het__span text = { 0 };
    s = skip_string(r, entry->key, &text);
    if (s != HET_OK)
        return s;
    entry->value = (const uint8_t *)text.data;
    entry->value_bytes = text.bytes;
    return HET_OK;
}

/* The order for lookup; refuses a name that occurs twice. */
static het_status make_order(const reader *r, het__gguf *g, const char *what, const void *records,
                             size_t count, size_t stride, const size_t **order)
{
    const size_t *o = het__gguf_sort(g->arena, records, count, stride);
    if (!o)
        return het__fail_nomem(r->err, what);
    for (size_t i = 1; i < count; i++) {
        const char *name = het__gguf_name_at(records, stride, o[i]);
        if (strcmp(name, het__gguf_name_at(records, stride, o[i - 1])) == 0)
            return het__fail(r->err, HET_E_FORMAT, "%s '%s' occurs twice, as number %zu and %zu",
                             what, quote(name).text, o[i - 1] < o[i] ? o[i - 1] : o[i],
                             o[i - 1] < o[i] ? o[i] : o[i - 1]);
    }
    *order = o;
    return HET_OK;
}

static het_status read_entries(het__gguf *g, reader *r, uint64_t count)
{
    het_status s = check_count(r, "metadata entries", count, ENTRY_BYTES_MIN);
    if (s != HET_OK)
        return s;
    g->entry_count = (size_t)count;
    g->entries = het__arena_zero(g->arena, g->entry_count, sizeof *g->entries);
    if (!g->entries)
        return het__fail_nomem(r->err, "metadata entries");
    for (size_t i = 0; i < g->entry_count; i++)
        if ((s = read_entry(g, r, &g->entries[i])) != HET_OK)
            return s;
    return make_order(r, g, "metadata key", g->entries, g->entry_count, sizeof *g->entries,
                      &g->entry_order);
}

/* The entries that say how to read the rest. */
static het_status apply_entries(het__gguf *g, const reader *r)
{
    int64_t alignment = ALIGNMENT_DEFAULT, parts = 1;
    if (het__gguf_find(g, "general.alignment") &&
        !het__gguf_i64(g, "general.alignment", &alignment))
        return het__fail(r->err, HET_E_FORMAT, "general.alignment is not an integer");
    if (alignment < 1 || alignment > ALIGNMENT_MAX || (alignment & (alignment - 1)))
        return het__fail(r->err, HET_E_FORMAT,
                         "general.alignment is %" PRId64 ", not a power of two from 1 to %d",
                         alignment, ALIGNMENT_MAX);
    g->alignment = (uint32_t)alignment;
    if (het__gguf_i64(g, "split.count", &parts) && parts > 1)
        return het__fail(r->err, HET_E_UNSUPPORTED,
                         "this file is one of %" PRId64 " parts of a model (split.count); merge "
                         "the parts into one file", parts);
    return HET_OK;
}

typedef struct ggml_type {
    const char *name; /* NULL: no such number, or not any more */
    het_dtype dtype;  /* HET_DTYPE_NONE: not read by this library */
} ggml_type;

static const ggml_type ggml_types[] = {
    [0] = { "F32", HET_DTYPE_F32 },        [1] = { "F16", HET_DTYPE_F16 },
    [2] = { "Q4_0", HET_DTYPE_Q4_0 },      [3] = { "Q4_1", HET_DTYPE_Q4_1 },
    [6] = { "Q5_0", HET_DTYPE_Q5_0 },      [7] = { "Q5_1", HET_DTYPE_Q5_1 },
    [8] = { "Q8_0", HET_DTYPE_Q8_0 },      [9] = { "Q8_1", HET_DTYPE_Q8_1 },
    [10] = { "Q2_K", HET_DTYPE_Q2_K },     [11] = { "Q3_K", HET_DTYPE_Q3_K },
    [12] = { "Q4_K", HET_DTYPE_Q4_K },     [13] = { "Q5_K", HET_DTYPE_Q5_K },
    [14] = { "Q6_K", HET_DTYPE_Q6_K },     [15] = { "Q8_K", HET_DTYPE_Q8_K },
    [16] = { "IQ2_XXS", HET_DTYPE_NONE },  [17] = { "IQ2_XS", HET_DTYPE_NONE },
    [18] = { "IQ3_XXS", HET_DTYPE_NONE },  [19] = { "IQ1_S", HET_DTYPE_NONE },
    [20] = { "IQ4_NL", HET_DTYPE_IQ4_NL }, [21] = { "IQ3_S", HET_DTYPE_NONE },
    [22] = { "IQ2_S", HET_DTYPE_NONE },    [23] = { "IQ4_XS", HET_DTYPE_IQ4_XS },
    [24] = { "I8", HET_DTYPE_I8 },         [25] = { "I16", HET_DTYPE_I16 },
    [26] = { "I32", HET_DTYPE_I32 },       [27] = { "I64", HET_DTYPE_I64 },
    [28] = { "F64", HET_DTYPE_F64 },       [29] = { "IQ1_M", HET_DTYPE_NONE },
    [30] = { "BF16", HET_DTYPE_BF16 },     [34] = { "TQ1_0", HET_DTYPE_NONE },
    [35] = { "TQ2_0", HET_DTYPE_NONE },    [39] = { "MXFP4", HET_DTYPE_MXFP4 },
};

bool het__gguf_type_id(het_dtype dtype, uint32_t *id)
{
    for (uint32_t i = 0; i < sizeof ggml_types / sizeof ggml_types[0]; i++)
        if (ggml_types[i].name && ggml_types[i].dtype == dtype && dtype != HET_DTYPE_NONE) {
            *id = i;
            return true;
        }
    return false;
}

static het_status read_dtype(reader *r, het__gguf_tensor *tensor)
{
    uint32_t id = 0;
    const het_status s = read_u32(r, "type of tensor", tensor->name, &id);
    if (s != HET_OK)
        return s;
    const bool known = id < sizeof ggml_types / sizeof ggml_types[0] && ggml_types[id].name;
    if (!known || ggml_types[id].dtype == HET_DTYPE_NONE)
        return het__fail(r->err, HET_E_UNSUPPORTED,
                         "tensor '%s' at byte %zu has type %" PRIu32 " (%s), which is not "
                         "supported", quote(tensor->name).text, r->at - 4, id,
                         known ? ggml_types[id].name : "unknown");
    tensor->dtype = ggml_types[id].dtype;
    return HET_OK;
}

static het_status read_extents(reader *r, het__gguf_tensor *tensor)
{
    het_status s = read_u32(r, "rank of tensor", tensor->name, &tensor->rank);
    if (s != HET_OK)
        return s;
    if (tensor->rank > RANK_MAX)
        return het__fail(r->err, HET_E_FORMAT,
                         "tensor '%s' at byte %zu has %" PRIu32 " dimensions, more than %d",
                         quote(tensor->name).text, r->at - 4, tensor->rank, RANK_MAX);
    for (uint32_t i = 0; i < tensor->rank; i++) {
        uint64_t extent = 0;
        s = read_u64(r, "extent of tensor", tensor->name, &extent);
        if (s != HET_OK)
            return s;
        if (extent < 1 || extent > INT64_MAX)
            return het__fail(r->err, HET_E_FORMAT,
                             "dimension %" PRIu32 " of tensor '%s' at byte %zu is %" PRIu64, i,
                             quote(tensor->name).text, r->at - 8, extent);
        tensor->extent[tensor->rank - 1 - i] = (int64_t)extent;
    }
    return HET_OK;
}

/* Bytes of the data, from type and extents. */
static het_status measure(const reader *r, het__gguf_tensor *tensor)
{
    const het__dtype_info *info = het__dtype(tensor->dtype);
    assert(info);
    const int64_t row = tensor->rank ? tensor->extent[tensor->rank - 1] : 1;
    if (row % info->block_elements)
        return het__fail(r->err, HET_E_FORMAT,
                         "tensor '%s' has rows of %" PRId64 " elements, not whole %s blocks of "
                         "%" PRIu32, quote(tensor->name).text, row, info->name,
                         info->block_elements);
    /* Elements must fit too: others multiply extents without looking. */
    int64_t elements = row, bytes;
    bool fits = het__mul_i64(row / info->block_elements, info->block_bytes, &bytes);
    for (uint32_t i = 0; fits && i + 1 < tensor->rank; i++)
        fits = het__mul_i64(elements, tensor->extent[i], &elements) &&
               het__mul_i64(bytes, tensor->extent[i], &bytes);
    if (!fits || (uint64_t)bytes > SIZE_MAX)
        return het__fail(r->err, HET_E_FORMAT, "the size of tensor '%s' overflows",
                         quote(tensor->name).text);
    tensor->bytes = (size_t)bytes;
    return HET_OK;
}

static het_status read_tensor(het__gguf *g, reader *r, het__gguf_tensor *tensor, uint64_t *offset)
{
    het_status s = read_name(r, g->arena, "tensor name", NAME_BYTES_MAX, &tensor->name);
    if (s == HET_OK)
        s = read_extents(r, tensor);
    if (s == HET_OK)
        s = read_dtype(r, tensor);
    if (s == HET_OK)
        s = read_u64(r, "offset of tensor", tensor->name, offset);
    if (s == HET_OK)
        s = measure(r, tensor);
    if (s == HET_OK && *offset % g->alignment)
        s = het__fail(r->err, HET_E_FORMAT,
                      "offset %" PRIu64 " of tensor '%s' at byte %zu is not a multiple of the "
                      "alignment %" PRIu32, *offset, quote(tensor->name).text, r->at - 8,
                      g->alignment);
    return s;
}

/* Tensors may share bytes: nothing forbids it, and reading them is safe. */
static het_status place_tensors(het__gguf *g, const reader *r, const uint64_t *offsets)
{
    const size_t pad = (g->alignment - r->at % g->alignment) % g->alignment;
    const size_t room = pad <= r->file_bytes - r->at ? r->file_bytes - r->at - pad : 0;
    for (size_t i = 0; i < g->tensor_count; i++) {
        het__gguf_tensor *t = &g->tensors[i];
        assert(t->bytes);
        if (offsets[i] > room || t->bytes > room - offsets[i])
            return het__fail(r->err, HET_E_FORMAT,
                             "data of tensor '%s' (%zu bytes at offset %" PRIu64 ") ends outside "
                             "the %zu bytes of data that the file of %zu bytes has",
                             quote(t->name).text, t->bytes, offsets[i], room, r->file_bytes);
        t->data = g->has_data ? r->data + r->at + pad + offsets[i] : NULL;
    }
    return HET_OK;
}

static het_status read_tensors(het__gguf *g, reader *r, uint64_t count)
{
    het_status s = check_count(r, "tensors", count, TENSOR_BYTES_MIN);
    if (s != HET_OK)
        return s;
    g->tensor_count = (size_t)count;
    g->tensors = het__arena_zero(g->arena, g->tensor_count, sizeof *g->tensors);
    uint64_t *offsets = het__arena_zero(g->arena, g->tensor_count, sizeof *offsets);
    if (!g->tensors || !offsets)
        return het__fail_nomem(r->err, "the list of tensors");
    for (size_t i = 0; i < g->tensor_count; i++)
        if ((s = read_tensor(g, r, &g->tensors[i], &offsets[i])) != HET_OK)
            return s;
    s = make_order(r, g, "tensor", g->tensors, g->tensor_count, sizeof *g->tensors,
                   &g->tensor_order);
    return s == HET_OK ? place_tensors(g, r, offsets) : s;
}

het_status het__gguf_open(het__gguf *gguf, het__arena *arena, const void *data, size_t bytes,
                          het_error *err)
{
    return het__gguf_open_head(gguf, arena, data, bytes, bytes, true, err);
}

het_status het__gguf_open_head(het__gguf *gguf, het__arena *arena, const void *data, size_t bytes,
                               size_t file_bytes, bool has_data, het_error *err)
{
    het__gguf g = { .arena = arena, .data = data, .bytes = file_bytes, .has_data = has_data };
    reader r = { .data = data, .bytes = bytes, .file_bytes = file_bytes, .err = err };
    assert(bytes <= file_bytes);
    uint64_t tensors = 0, entries = 0;
    memset(gguf, 0, sizeof *gguf);
    het_status s = read_header(&g, &r, &tensors, &entries);
    if (s == HET_OK)
        s = read_entries(&g, &r, entries);
    if (s == HET_OK)
        s = apply_entries(&g, &r);
    if (s == HET_OK)
        s = read_tensors(&g, &r, tensors);
    if (s == HET_OK)
        *gguf = g;
    return s;
}
