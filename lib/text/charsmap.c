/* SPDX-License-Identifier: Apache-2.0 */
/* SentencePiece's table of replacements: a double array over UTF-8 whose values are places of
 * NUL-terminated texts behind it.
 *
 *   bytes of the array u32 | array: units u32 | texts
 *
 * SentencePiece replaces the longest match at each place. The library of tokenizer.json replaces
 * whole user-perceived characters of less than six bytes, or else code points, each by its
 * shortest match. The table is not trusted: every step is compared with its size. */
#include <utf8proc.h>

#include "lib/base/error.h"
#include "lib/text/internal.h"

#define GRAPHEME_BYTES_MAX 5

static uint32_t load32(const uint8_t *p)
{
    return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

het_status het__charsmap_check(const uint8_t *data, size_t bytes, het_error *err)
{
    const uint32_t array = bytes >= 4 ? load32(data) : 0;
    if (bytes < 4 || array > bytes - 4 || array % 4 != 0)
        return het__fail(err, HET_E_FORMAT, "the table of replaced characters is cut off");
    return HET_OK;
}

static uint32_t offset_of(uint32_t unit)
{
    return unit >> 10 << ((unit & 512) >> 6);
}

/* Bytes of the longest or the shortest beginning of the key that the table has, 0 if none. */
static size_t look_up(const het_tokenizer *t, const char *key, size_t bytes, bool longest,
                      uint32_t *value)
{
    const uint8_t *array = t->charsmap + 4;
    const uint32_t units = load32(t->charsmap) / 4;
    uint32_t at = units ? offset_of(load32(array)) : 0;
    size_t found = 0;
    for (size_t i = 0; i < bytes && key[i] != '\0'; i++) {
        at ^= (uint8_t)key[i];
        if (at >= units)
            break;
        const uint32_t unit = load32(array + 4 * (size_t)at);
        if ((unit & 0x800000ffu) != (uint8_t)key[i])
            break;
        at ^= offset_of(unit);
        if ((unit >> 8 & 1) == 0)
            continue;
        if (at >= units)
            break;
        *value = load32(array + 4 * (size_t)at) & 0x7fffffffu;
        found = i + 1;
        if (!longest)
            break;
    }
    return found;
}

/* The text at a place, without its end; NULL: there is none. */
static const char *text_at(const het_tokenizer *t, uint32_t value, size_t *bytes)
{
    const size_t begin = 4 + (size_t)load32(t->charsmap);
    if (value >= t->charsmap_bytes - begin)
        return NULL;
    const char *text = (const char *)t->charsmap + begin + value;
    const char *end = memchr(text, '\0', t->charsmap_bytes - begin - value);
    *bytes = end ? (size_t)(end - text) : 0;
    return end ? text : NULL;
}

/* What is written; data NULL: only counted. */
typedef struct sink {
    char *data;
    size_t at;
} sink;

static void put(sink *s, const char *text, size_t bytes)
{
    if (s->data && bytes > 0)
        memcpy(s->data + s->at, text, bytes);
    s->at += bytes;
}

/* The beginning of key, replaced; the bytes that were. */
static size_t replace(const het_tokenizer *t, const char *key, size_t bytes, bool longest, sink *s)
{
    uint32_t value = 0;
    size_t n = 0;
    const size_t taken = look_up(t, key, bytes, longest, &value);
    const char *text = taken ? text_at(t, value, &n) : NULL;
    if (text)
        put(s, text, n);
    return text ? taken : 0;
}

static size_t grapheme_bytes(const char *text, size_t bytes)
{
    utf8proc_int32_t before = -1, point = -1, state = 0;
    size_t at = 0;
    while (at < bytes) {
        const utf8proc_ssize_t n = utf8proc_iterate((const utf8proc_uint8_t *)text + at,
                                                    (utf8proc_ssize_t)(bytes - at), &point);
        if (n <= 0)
            return at ? at : 1;
        if (at > 0 && utf8proc_grapheme_break_stateful(before, point, &state))
            return at;
        before = point;
        at += (size_t)n;
    }
    return at;
}

static void run(const het_tokenizer *t, const char *text, size_t bytes, sink *s)
{
    for (size_t i = 0, n; i < bytes; i += n) {
        if (t->charsmap_longest) {
            n = replace(t, text + i, bytes - i, true, s);
            if (n == 0) {
                n = het__step_bytes(text + i, bytes - i);
                put(s, text + i, n);
            }
            continue;
        }
        n = grapheme_bytes(text + i, bytes - i);
        if (n <= GRAPHEME_BYTES_MAX && replace(t, text + i, n, false, s))
            continue;
        for (size_t k = 0, c; k < n; k += c) {
            c = het__step_bytes(text + i + k, n - k);
            if (!replace(t, text + i + k, c, false, s))
                put(s, text + i + k, c);
        }
    }
}

het_status het__charsmap_run(const het_tokenizer *t, const char *text, size_t bytes, char **out,
                             size_t *out_bytes, het_error *err)
{
    sink s = { NULL, 0 };
    run(t, text, bytes, &s);
    *out = het__alloc(t->mem, s.at);
    if (!*out)
        return het__fail_nomem(err, "encoded text");
    s = (sink){ *out, 0 };
    run(t, text, bytes, &s);
    *out_bytes = s.at;
    return HET_OK;
}
