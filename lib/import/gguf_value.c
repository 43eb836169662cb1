/* SPDX-License-Identifier: Apache-2.0 */
/* Typed access to metadata. Writers disagree about the width and sign of numbers, so readers ask
 * for what they need and get it whenever no information is lost. All bounds were checked at
 * opening. */
#include "lib/import/gguf_parts.h"

const uint8_t het__gguf_value_bytes[HET__GGUF_TYPE_COUNT] = {
    [HET__GGUF_U8] = 1,   [HET__GGUF_I8] = 1,    [HET__GGUF_U16] = 2, [HET__GGUF_I16] = 2,
    [HET__GGUF_U32] = 4,  [HET__GGUF_I32] = 4,   [HET__GGUF_F32] = 4, [HET__GGUF_BOOL] = 1,
    [HET__GGUF_U64] = 8,  [HET__GGUF_I64] = 8,   [HET__GGUF_F64] = 8,
};

static het__gguf_type element_type(const het__gguf_entry *entry)
{
    return entry->type == HET__GGUF_ARRAY ? entry->element : entry->type;
}

/* First byte of an element of fixed size, or NULL. */
static const uint8_t *element_at(const het__gguf_entry *entry, uint64_t index)
{
    const size_t size = het__gguf_value_bytes[element_type(entry)];
    return size && index < entry->count ? entry->value + (size_t)index * size : NULL;
}

bool het__gguf_array_i64(const het__gguf_entry *entry, uint64_t index, int64_t *value)
{
    const uint8_t *p = element_at(entry, index);
    if (!p)
        return false;
    switch (element_type(entry)) {
    case HET__GGUF_U8:
    case HET__GGUF_BOOL:
        *value = p[0];
        return true;
    case HET__GGUF_I8:
        *value = (int8_t)p[0];
        return true;
    case HET__GGUF_U16:
        *value = p[0] | p[1] << 8;
        return true;
    case HET__GGUF_I16:
        *value = (int16_t)(p[0] | p[1] << 8);
        return true;
    case HET__GGUF_U32:
        *value = het__gguf_load32(p);
        return true;
    case HET__GGUF_I32:
        *value = (int32_t)het__gguf_load32(p);
        return true;
    case HET__GGUF_U64:
        if (het__gguf_load64(p) > INT64_MAX)
            return false;
        *value = (int64_t)het__gguf_load64(p);
        return true;
    case HET__GGUF_I64:
        *value = (int64_t)het__gguf_load64(p);
        return true;
    default:
        return false;
    }
}

bool het__gguf_array_f64(const het__gguf_entry *entry, uint64_t index, double *value)
{
    const uint8_t *p = element_at(entry, index);
    if (!p || element_type(entry) == HET__GGUF_BOOL)
        return false;
    if (element_type(entry) == HET__GGUF_F32) {
        const uint32_t bits = het__gguf_load32(p);
        float f;
        memcpy(&f, &bits, sizeof f);
        *value = f;
        return true;
    }
    if (element_type(entry) == HET__GGUF_F64) {
        const uint64_t bits = het__gguf_load64(p);
        memcpy(value, &bits, sizeof *value);
        return true;
    }
    const int64_t exact = INT64_C(1) << 53; /* every integer up to here is a double */
    int64_t i;
    if (!het__gguf_array_i64(entry, index, &i) || i > exact || i < -exact)
        return false;
    *value = (double)i;
    return true;
}

static const het__gguf_entry *find_scalar(const het__gguf *gguf, const char *key)
{
    const het__gguf_entry *entry = het__gguf_find(gguf, key);
    return entry && entry->type != HET__GGUF_ARRAY ? entry : NULL;
}

bool het__gguf_i64(const het__gguf *gguf, const char *key, int64_t *value)
{
    const het__gguf_entry *entry = find_scalar(gguf, key);
    return entry && entry->type != HET__GGUF_BOOL && het__gguf_array_i64(entry, 0, value);
}

bool het__gguf_f64(const het__gguf *gguf, const char *key, double *value)
{
    const het__gguf_entry *entry = find_scalar(gguf, key);
    return entry && het__gguf_array_f64(entry, 0, value);
}

bool het__gguf_bool(const het__gguf *gguf, const char *key, bool *value)
{
    const het__gguf_entry *entry = find_scalar(gguf, key);
    if (!entry || entry->type != HET__GGUF_BOOL)
        return false;
    *value = entry->value[0] != 0;
    return true;
}

bool het__gguf_string(const het__gguf *gguf, const char *key, het__span *value)
{
    const het__gguf_entry *entry = find_scalar(gguf, key);
    if (!entry || entry->type != HET__GGUF_STRING)
        return false;
    *value = (het__span){ (const char *)entry->value, entry->value_bytes };
    return true;
}

const het__span *het__gguf_strings(const het__gguf *gguf, const het__gguf_entry *entry)
{
    if (entry->type != HET__GGUF_ARRAY || entry->element != HET__GGUF_STRING)
        return NULL;
    /* Each string takes 8 bytes of the file at least, so count fits a size_t. */
    het__span *spans = het__arena_zero(gguf->arena, (size_t)entry->count, sizeof *spans);
    const uint8_t *p = entry->value;
    for (size_t i = 0; spans && i < entry->count; i++) {
        spans[i].bytes = (size_t)het__gguf_load64(p);
        spans[i].data = (const char *)p + 8;
        p += 8 + spans[i].bytes;
    }
    return spans;
}
