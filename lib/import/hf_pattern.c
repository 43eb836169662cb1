/* SPDX-License-Identifier: Apache-2.0 */
/* Expressions of pre-tokenizers from Oniguruma's syntax to PCRE2's. Most of what they use reads the
 * same; \s is spelled out, because PCRE2 counts U+180E; what would read differently is refused. */
#include <string.h>

#include "lib/base/error.h"
#include "lib/import/hf_tokenizer.h"

#define PATTERN_BYTES_MAX 16384
/* White_Space of Unicode, as a part of a class. */
#define BLANK "\\t-\\r\\x{85}\\p{Z}"

typedef struct writer {
    const char *at;
    char *out; /* room for all: no construct grows more than BLANK does */
    bool in_class;
} writer;

static void put(writer *w, const char *text, size_t bytes)
{
    memcpy(w->out, text, bytes);
    w->out += bytes;
}

static void put_text(writer *w, const char *text)
{
    put(w, text, strlen(text));
}

/* Copy up to and with the closing brace; only letters, digits, '_', '^', ' ' and '=' between. */
static bool copy_braces(writer *w)
{
    const char *p = w->at;
    if (*p++ != '{')
        return false;
    while ((*p >= '0' && *p <= '9') || (*p >= 'A' && *p <= 'Z') || (*p >= 'a' && *p <= 'z') ||
           (*p && strchr("_^ =", *p)))
        p++;
    if (*p++ != '}')
        return false;
    put(w, w->at, (size_t)(p - w->at));
    w->at = p;
    return true;
}

static bool is_hex(char c)
{
    return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'F') || (c >= 'a' && c <= 'f');
}

/* Behind \x or \u: digits with or without braces. */
static bool copy_code(writer *w, size_t digits)
{
    put_text(w, "\\x");
    if (digits == 2 && *w->at == '{')
        return copy_braces(w);
    for (size_t i = 0; i < digits; i++)
        if (!is_hex(w->at[i]))
            return false;
    put_text(w, "{");
    put(w, w->at, digits);
    put_text(w, "}");
    w->at += digits;
    return true;
}

static bool copy_escape(writer *w)
{
    const char c = *++w->at;
    if (!c)
        return false;
    w->at++;
    const char pair[2] = { '\\', c };
    switch (c) {
    case 's':
        put_text(w, w->in_class ? BLANK : "[" BLANK "]");
        return true;
    case 'S':
        put_text(w, "[^" BLANK "]");
        return !w->in_class;
    case 'p':
    case 'P':
        put(w, pair, 2);
        return copy_braces(w);
    case 'x':
        return copy_code(w, 2);
    case 'u':
        return copy_code(w, 4);
    case 'v':
        put_text(w, "\\x{0b}");
        return true;
    default:
        put(w, pair, 2);
        if (strchr("dDwWnrtfae", c))
            return true;
        if (strchr("bBAz", c))
            return !w->in_class;
        return (unsigned char)c < 0x80 && !((c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') ||
                                            (c >= 'a' && c <= 'z'));
    }
}

/* At '('. */
static bool copy_group(writer *w)
{
    static const char *const kinds[] = { "(?:", "(?=", "(?!", "(?>", "(?<=", "(?<!", "(?i:" };
    if (w->at[1] == '*')
        return false;
    if (w->at[1] != '?') {
        put(w, w->at++, 1);
        return true;
    }
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        const size_t n = strlen(kinds[i]);
        if (strncmp(w->at, kinds[i], n) != 0)
            continue;
        put(w, w->at, n);
        w->at += n;
        return true;
    }
    return false;
}

/* "{2,3}": what follows may not be '+', which is possessive for one and not for the other. */
static bool copy_interval(writer *w)
{
    const char *p = w->at + 1;
    if (*p < '0' || *p > '9')
        return false;
    while ((*p >= '0' && *p <= '9') || *p == ',')
        p++;
    if (*p++ != '}' || *p == '+')
        return false;
    put(w, w->at, (size_t)(p - w->at));
    w->at = p;
    return true;
}

/* At '['. */
static bool open_class(writer *w)
{
    if (w->in_class)
        return false; /* a class within a class, or [:name:] */
    w->in_class = true;
    put(w, w->at++, 1);
    if (*w->at == '^')
        put(w, w->at++, 1);
    return *w->at != ']';
}

static bool copy_one(writer *w)
{
    const char c = *w->at;
    if (c == '\\')
        return copy_escape(w);
    if (c == '[')
        return open_class(w);
    if (w->in_class) {
        if (c == '&' && w->at[1] == '&')
            return false; /* an intersection */
        w->in_class = c != ']';
    } else if (c == '(') {
        return copy_group(w);
    } else if (c == '{') {
        return copy_interval(w);
    } else if (c == '^' || c == '$') {
        return false; /* of lines for one, of the text for the other */
    }
    put(w, w->at++, 1);
    return true;
}

het_status het__hf_pattern(het__arena *arena, const char *pattern, const char **out,
                           het_error *err)
{
    const size_t bytes = strlen(pattern);
    if (bytes > PATTERN_BYTES_MAX)
        return het__fail(err, HET_E_UNSUPPORTED, "tokenizer.json: an expression of %zu characters",
                         bytes);
    char *room = het__arena_zero(arena, (bytes + 1) * (sizeof "[^" BLANK "]"), 1);
    if (!room)
        return het__fail_nomem(err, "an expression");
    writer w = { pattern, room, false };
    while (*w.at)
        if (!copy_one(&w))
            return het__fail(err, HET_E_UNSUPPORTED,
                             "tokenizer.json: character %zu of an expression is not supported",
                             (size_t)(w.at - pattern));
    *out = room;
    return HET_OK;
}
