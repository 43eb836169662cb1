/* SPDX-License-Identifier: Apache-2.0 */
/* The keys of a configuration as text, for people and for metadata: objects are flattened, "a.b"
 * being key b of object a; short lists are shown whole, long ones as "[...]". */
#include <stdio.h>
#include <string.h>

#include "lib/import/config_parts.h"

/* Most characters of a value that is no text. */
#define VALUE_BYTES 240

static const char *type_name(const json_t *v)
{
    switch (json_typeof(v)) {
    case JSON_OBJECT:
        return "object";
    case JSON_ARRAY:
        return "array";
    case JSON_STRING:
        return "string";
    case JSON_INTEGER:
        return "integer";
    case JSON_REAL:
        return "number";
    case JSON_TRUE:
    case JSON_FALSE:
        return "bool";
    default:
        return "null";
    }
}

/* Numbers with no more digits than give them back; more than VALUE_BYTES if it is longer. */
static size_t write_json(const json_t *v, char text[VALUE_BYTES])
{
    size_t n = 0;
    for (size_t digits = 15; digits <= 17; digits++) {
        n = json_dumpb(v, text, VALUE_BYTES, JSON_COMPACT | JSON_ENCODE_ANY | JSON_ENSURE_ASCII |
                                                 JSON_REAL_PRECISION(digits));
        if (n > VALUE_BYTES)
            break;
        json_t *back = json_loadb(text, n, JSON_DECODE_ANY, NULL);
        const bool same = json_equal(v, back);
        json_decref(back);
        if (same)
            break;
    }
    return n;
}

/* A value as JSON, if that is short. */
static const char *render(const json_t *v, het__arena *arena)
{
    char text[VALUE_BYTES];
    if (json_is_string(v))
        return het__arena_strdup(arena, json_string_value(v));
    const size_t n = write_json(v, text);
    if (n <= sizeof text)
        return het__arena_strndup(arena, text, n);
    return het__arena_strdup(arena, json_is_array(v) ? "[...]" : "{...}");
}

/* An object without keys is a value. */
static bool is_group(const json_t *v)
{
    return json_is_object(v) && json_object_size(v) > 0;
}

static size_t count_values(const json_t *object)
{
    const char *key;
    json_t *value;
    size_t n = 0;
    json_object_foreach((json_t *)(uintptr_t)object, key, value)
        n += is_group(value) ? count_values(value) : 1;
    return n;
}

/* As deep as the parser allowed the file to be. */
static bool add_values(const json_t *object, const char *prefix, het__arena *arena,
                       het__config_entry *entries, size_t *count)
{
    const char *key;
    json_t *value;
    json_object_foreach((json_t *)(uintptr_t)object, key, value) {
        const char *full = het__arena_printf(arena, "%s%s", prefix, key);
        if (!full)
            return false;
        if (is_group(value)) {
            const char *inner = het__arena_printf(arena, "%s.", full);
            if (!inner || !add_values(value, inner, arena, entries, count))
                return false;
            continue;
        }
        het__config_entry *e = &entries[*count];
        *e = (het__config_entry){ full, type_name(value), render(value, arena) };
        if (!e->value)
            return false;
        ++*count;
    }
    return true;
}

bool het__config_list(const json_t *object, const char *prefix, het__arena *arena,
                      het__config *config)
{
    const size_t had = config->entry_count, more = count_values(object);
    het__config_entry *entries = het__arena_zero(arena, had + more, sizeof *entries);
    if (!entries)
        return false;
    if (had)
        memcpy(entries, config->entries, had * sizeof *entries);
    config->entries = entries;
    return add_values(object, prefix, arena, entries, &config->entry_count);
}
