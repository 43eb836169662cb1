/* SPDX-License-Identifier: Apache-2.0 */
/* Metadata as text for people: the fewest digits that give a number back, whatever the locale;
 * valid UTF-8, whatever the file holds. Of an array only the head is shown, each string of it cut,
 * so that a vocabulary of a quarter million tokens makes one line. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <utf8proc.h>

#include "lib/base/text.h"
#include "lib/import/gguf_parts.h"

#define SHOWN_ELEMENTS 8
#define SHOWN_CHARACTERS 40 /* of a string in an array */

const char *het__gguf_type_name(const het__gguf_entry *entry)
{
    static const char prefix[] = "array of ";
    static const char *const names[HET__GGUF_TYPE_COUNT] = {
        "array of u8",  "array of i8",   "array of u16",    "array of i16", "array of u32",
        "array of i32", "array of f32",  "array of bool",   "array of string",
        "array of array", "array of u64", "array of i64", "array of f64",
    };
    if (entry->type == HET__GGUF_ARRAY)
        return names[entry->element];
    return names[entry->type] + sizeof prefix - 1;
}

/* Digits and decimal exponent of a finite value: |v| = 0.d1d2… * 10^exponent, with the fewest
 * digits that read back as the same float (or double). snprintf() and strtod() follow the locale,
 * but agree with each other; only the digits are taken from their text. */
static size_t shortest_digits(double v, bool single, char digits[20], int *exponent)
{
    char text[64];
    for (int precision = 0; precision < 17; precision++) {
        snprintf(text, sizeof text, "%.*e", precision, v);
        if (single ? strtof(text, NULL) == (float)v : strtod(text, NULL) == v)
            break;
    }
    size_t n = 0;
    const char *p = text;
    for (; *p && *p != 'e'; p++)
        if (*p >= '0' && *p <= '9' && n < 19)
            digits[n++] = *p;
    *exponent = *p ? atoi(p + 1) + 1 : 1;
    while (n > 1 && digits[n - 1] == '0')
        n--;
    digits[n] = '\0';
    return n;
}

static void put_float(het__text *text, double v, bool single)
{
    if (v != v) {
        het__text_printf(text, "nan");
        return;
    }
    const char *sign = v < 0 ? "-" : "";
    if (v - v != 0) {
        het__text_printf(text, "%sinf", sign);
        return;
    }
    char digits[20];
    int e;
    const int n = (int)shortest_digits(v, single, digits, &e);
    if (v == 0)
        het__text_printf(text, "0");
    else if (e > 16 || e < -3) /* d.ddde±x */
        het__text_printf(text, "%s%c%s%se%d", sign, digits[0], n > 1 ? "." : "", digits + 1, e - 1);
    else if (e <= 0) /* 0.000ddd */
        het__text_printf(text, "%s0.%.*s%s", sign, -e, "000", digits);
    else if (n <= e) /* ddd000 */
        het__text_printf(text, "%s%s%.*s", sign, digits, e - n, "0000000000000000");
    else /* d.ddd */
        het__text_printf(text, "%s%.*s.%s", sign, e, digits, digits + e);
}

/* Characters up to limit; quoted ones with escapes, else as they are. */
static void put_string(het__text *text, const uint8_t *s, size_t bytes, bool quoted, size_t limit)
{
    size_t i = 0;
    for (size_t shown = 0; i < bytes && shown < limit; shown++) {
        utf8proc_int32_t point;
        const size_t left = bytes - i < 4 ? bytes - i : 4;
        const utf8proc_ssize_t n = utf8proc_iterate(s + i, (utf8proc_ssize_t)left, &point);
        const char c = (char)s[i];
        if (n <= 0 || c == '\0')
            het__text_append(text, "\xef\xbf\xbd", 3);
        else if (quoted && (c == '"' || c == '\\'))
            het__text_printf(text, "\\%c", c);
        else if (quoted && c == '\n')
            het__text_append(text, "\\n", 2);
        else if (quoted && (point < 0x20 || point == 0x7f))
            het__text_printf(text, "\\x%02x", (unsigned)point);
        else
            het__text_append(text, (const char *)s + i, (size_t)n);
        i += n > 0 ? (size_t)n : 1;
    }
    if (i < bytes)
        het__text_append(text, "…", sizeof "…" - 1);
}

static void put_number(het__text *text, const het__gguf_entry *entry, uint64_t index)
{
    const het__gguf_type type = entry->type == HET__GGUF_ARRAY ? entry->element : entry->type;
    int64_t i;
    double d;
    if (het__gguf_array_i64(entry, index, &i)) {
        if (type == HET__GGUF_BOOL)
            het__text_printf(text, "%s", i ? "true" : "false");
        else
            het__text_printf(text, "%" PRId64, i);
    } else if (het__gguf_array_f64(entry, index, &d)) {
        put_float(text, d, type == HET__GGUF_F32);
    } else { /* u64 beyond the signed range */
        const uint64_t u = het__gguf_load64(entry->value + (size_t)index * 8);
        het__text_printf(text, "%" PRIu64, u);
    }
}

static void put_array(het__text *text, const het__gguf_entry *entry)
{
    const uint64_t shown = entry->count < SHOWN_ELEMENTS ? entry->count : SHOWN_ELEMENTS;
    const uint8_t *p = entry->value;
    het__text_append(text, "[", 1);
    for (uint64_t i = 0; i < shown; i++) {
        if (i)
            het__text_append(text, ", ", 2);
        if (entry->element != HET__GGUF_STRING) {
            put_number(text, entry, i);
            continue;
        }
        const size_t bytes = (size_t)het__gguf_load64(p);
        het__text_append(text, "\"", 1);
        put_string(text, p + 8, bytes, true, SHOWN_CHARACTERS);
        het__text_append(text, "\"", 1);
        p += 8 + bytes;
    }
    if (shown < entry->count)
        het__text_printf(text, ", … %" PRIu64 " elements", entry->count);
    het__text_append(text, "]", 1);
}

const char *het__gguf_render(het__arena *arena, const het__gguf_entry *entry)
{
    het__text text;
    het__text_init(&text, arena->mem);
    if (entry->type == HET__GGUF_ARRAY)
        put_array(&text, entry);
    else if (entry->type == HET__GGUF_STRING)
        put_string(&text, entry->value, entry->value_bytes, false, SIZE_MAX);
    else
        put_number(&text, entry, 0);
    char *whole = het__text_take(&text);
    const char *copy = whole ? het__arena_strdup(arena, whole) : NULL;
    het__free(arena->mem, whole);
    return copy;
}
