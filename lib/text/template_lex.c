/* SPDX-License-Identifier: Apache-2.0 */
/* A template cut into tokens. White space around tags goes here: as transformers sets it, the first
 * line end after a block is dropped, and so are blanks between the beginning of a line and a
 * block; '-' at a tag drops all white space on that side, '+' keeps all. */
#include <string.h>

#include "lib/text/template_tree.h"
#include "lib/text/utf8.h"

typedef struct lexer {
    het__tr *r;
    const char *p, *end;
    bool at_line_start; /* what was read last ended a line */
    het__tk_list *out;
} lexer;

static bool push(lexer *x, het__tk_kind kind, het__ts text)
{
    het__tk_list *l = x->out;
    if (l->count == l->capacity) {
        const size_t capacity = l->capacity ? 2 * l->capacity : 64;
        het__tk *larger = het__tr_alloc(x->r, capacity, sizeof *larger);
        if (!larger)
            return false;
        if (l->count)
            memcpy(larger, l->at, l->count * sizeof *larger);
        l->at = larger;
        l->capacity = capacity;
    }
    l->at[l->count++] = (het__tk){ kind, x->r->line, text };
    return true;
}

static void advance(lexer *x, const char *to)
{
    for (; x->p < to; x->p++)
        x->r->line += *x->p == '\n';
}

static bool blank(char c)
{
    return c == ' ' || (c >= 9 && c <= 13);
}

static bool begins(const lexer *x, const char *at, const char *what)
{
    const size_t n = strlen(what);
    return (size_t)(x->end - at) >= n && memcmp(at, what, n) == 0;
}

/* The next tag, or the end. */
static const char *find_tag(const lexer *x, const char *from)
{
    for (; from < x->end; from++)
        if (from[0] == '{' && x->end - from > 1 &&
            (from[1] == '{' || from[1] == '%' || from[1] == '#'))
            return from;
    return x->end;
}

/* Text before a tag: sign is what stands in the tag's beginning. */
static het__ts text_before(const lexer *x, const char *tag, char sign, bool is_print)
{
    const char *end = tag, *line = tag;
    if (sign == '-') {
        while (end > x->p && blank(end[-1]))
            end--;
    } else if (sign != '+' && !is_print) {
        while (line > x->p && line[-1] != '\n' && blank(line[-1]))
            line--;
        if (line > x->p ? line[-1] == '\n' : x->at_line_start)
            end = line;
    }
    return (het__ts){ x->p, (size_t)(end - x->p) };
}

/* After the end of a tag: sign is what stands before it. */
static void skip_after(lexer *x, char sign, bool is_print)
{
    const char *to = x->p;
    if (sign == '-')
        while (to < x->end && blank(*to))
            to++;
    else if (sign != '+' && !is_print && to < x->end && *to == '\n')
        to++;
    x->at_line_start = to > x->p && to[-1] == '\n';
    advance(x, to);
}

static bool lex_comment(lexer *x)
{
    const char *p = x->p;
    while (p < x->end && !begins(x, p, "#}"))
        p++;
    if (p >= x->end)
        return het__tr_fail(x->r, HET_E_FORMAT, "a comment does not end");
    const char sign = p > x->p ? p[-1] : '\0';
    advance(x, p + 2);
    skip_after(x, sign, false);
    return true;
}

/* ---- inside of tags ---- */

static size_t put_utf8(uint32_t c, char *to)
{
    size_t n = 0;
    if (c < 0x80) {
        to[n++] = (char)c;
        return n;
    }
    if (c >= 0x10000) {
        to[n++] = (char)(0xf0 | c >> 18);
        to[n++] = (char)(0x80 | (c >> 12 & 0x3f));
    } else if (c >= 0x800) {
        to[n++] = (char)(0xe0 | c >> 12);
    }
    to[n++] = (char)(c < 0x800 ? 0xc0 | c >> 6 : 0x80 | (c >> 6 & 0x3f));
    to[n++] = (char)(0x80 | (c & 0x3f));
    return n;
}

/* \xhh, \uhhhh, \Uhhhhhhhh at p (after the letter): bytes read, 0 if it is none. */
static size_t code_escape(const char *p, const char *end, char letter, uint32_t *code)
{
    const size_t n = letter == 'x' ? 2 : letter == 'u' ? 4 : 8;
    *code = 0;
    if ((size_t)(end - p) < n)
        return 0;
    for (size_t i = 0; i < n; i++) {
        const char c = (char)(p[i] | 32);
        if ((p[i] < '0' || p[i] > '9') && (c < 'a' || c > 'f'))
            return 0;
        *code = *code << 4 | (uint32_t)(p[i] <= '9' ? p[i] - '0' : c - 'a' + 10);
    }
    return *code > 0x10ffff || (*code >= 0xd800 && *code < 0xe000) ? 0 : n;
}

static bool unescape(lexer *x, het__ts in, het__ts *out)
{
    static const char from[] = "\\'\"abfnrtv", to[] = "\\'\"\a\b\f\n\r\t\v";
    char *text = het__tr_alloc(x->r, in.bytes + 1, 1);
    size_t n = 0;
    if (!text)
        return false;
    for (const char *p = in.data, *end = in.data + in.bytes; p < end;) {
        if (*p != '\\' || p + 1 == end) {
            text[n++] = *p++;
            continue;
        }
        const char c = p[1];
        const char *k = strchr(from, c);
        uint32_t code = 0;
        if (c == '\n') {
            p += 2;
        } else if (c == 'x' || c == 'u' || c == 'U') {
            const size_t read = code_escape(p + 2, end, c, &code);
            if (!read)
                return het__tr_fail(x->r, HET_E_FORMAT, "a string has a broken escape");
            n += put_utf8(code, text + n);
            p += 2 + read;
        } else if (c >= '0' && c <= '7') {
            for (p++; p < end && *p >= '0' && *p <= '7' && code < 64; p++)
                code = code * 8 + (uint32_t)(*p - '0');
            n += put_utf8(code, text + n);
        } else if (c && k) {
            text[n++] = to[k - from];
            p += 2;
        } else {
            text[n++] = *p++;
        }
    }
    *out = (het__ts){ text, n };
    return true;
}

static bool lex_string(lexer *x)
{
    const char quote = *x->p, *p = x->p + 1;
    het__ts text;
    while (p < x->end && *p != quote)
        p += *p == '\\' && x->end - p > 1 ? 2 : 1;
    if (p >= x->end)
        return het__tr_fail(x->r, HET_E_FORMAT, "a string does not end");
    if (!unescape(x, (het__ts){ x->p + 1, (size_t)(p - x->p - 1) }, &text) ||
        !push(x, HET__TK_STRING, text))
        return false;
    advance(x, p + 1);
    return true;
}

static bool digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool letter(char c)
{
    return c == '_' || ((c | 32) >= 'a' && (c | 32) <= 'z') || (unsigned char)c >= 0x80;
}

/* The text without its '_'. */
static bool lex_number(lexer *x)
{
    const char *p = x->p;
    while (p < x->end && (digit(*p) || (*p == '_' && x->end - p > 1 && digit(p[1]))))
        p++;
    if (x->end - p > 1 && *p == '.' && digit(p[1]))
        for (p++; p < x->end && digit(*p);)
            p++;
    if (x->end - p > 1 && (*p | 32) == 'e') {
        const char *q = p + 1 + (p[1] == '+' || p[1] == '-');
        if (q < x->end && digit(*q))
            for (p = q; p < x->end && digit(*p);)
                p++;
    }
    char *text = het__tr_alloc(x->r, (size_t)(p - x->p) + 1, 1);
    size_t n = 0;
    for (const char *q = x->p; text && q < p; q++)
        if (*q != '_')
            text[n++] = *q;
    x->p = p;
    return text && push(x, HET__TK_NUMBER, (het__ts){ text, n });
}

static bool lex_sign(lexer *x, unsigned *brackets)
{
    static const char *const pairs[] = { "//", "**", "==", "!=", ">=", "<=" };
    size_t n = 1;
    for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++)
        if (begins(x, x->p, pairs[i]))
            n = 2;
    if (!*x->p || (n == 1 && !strchr("+-/*%~[](){}><=.:|,;", *x->p)))
        return het__tr_fail(x->r, HET_E_FORMAT, "an unexpected character");
    if (strchr("([{", *x->p))
        ++*brackets;
    else if (strchr(")]}", *x->p) && (*brackets)-- == 0)
        return het__tr_fail(x->r, HET_E_FORMAT, "a bracket that was not opened");
    if (!push(x, HET__TK_SIGN, (het__ts){ x->p, n }))
        return false;
    x->p += n;
    return true;
}

static bool lex_word(lexer *x)
{
    const char *from = x->p;
    while (x->p < x->end && (letter(*x->p) || digit(*x->p)))
        x->p++;
    return push(x, HET__TK_NAME, (het__ts){ from, (size_t)(x->p - from) });
}

/* From after "{%" or "{{" to after the end of the tag. */
static bool lex_tag(lexer *x, bool is_print)
{
    const char *const end = is_print ? "}}" : "%}";
    unsigned brackets = 0;
    for (;;) {
        while (x->p < x->end && blank(*x->p))
            advance(x, x->p + 1);
        if (x->p == x->end)
            return het__tr_fail(x->r, HET_E_FORMAT, "a tag does not end");
        const char sign = *x->p == '-' || (*x->p == '+' && !is_print) ? *x->p : '\0';
        const char *at = x->p + (sign != '\0');
        if (!brackets && begins(x, at, end)) {
            if (!push(x, is_print ? HET__TK_PRINT_END : HET__TK_BLOCK_END, (het__ts){ end, 2 }))
                return false;
            advance(x, at + 2);
            skip_after(x, sign, is_print);
            return true;
        }
        const bool good = *x->p == '"' || *x->p == '\'' ? lex_string(x)
                          : digit(*x->p)                ? lex_number(x)
                          : letter(*x->p)               ? lex_word(x)
                                                        : lex_sign(x, &brackets);
        if (!good)
            return false;
    }
}

/* Length of "{% word %}" at p, signs included; 0 if it is something else. */
static size_t word_tag(const lexer *x, const char *p, const char *word, char *before, char *after)
{
    const char *const from = p;
    if (!begins(x, p, "{%"))
        return 0;
    p += 2;
    *before = p < x->end && (*p == '-' || *p == '+') ? *p++ : '\0';
    while (p < x->end && blank(*p))
        p++;
    if (!begins(x, p, word))
        return 0;
    p += strlen(word);
    while (p < x->end && blank(*p))
        p++;
    *after = p < x->end && (*p == '-' || *p == '+') ? *p++ : '\0';
    return begins(x, p, "%}") ? (size_t)(p + 2 - from) : 0;
}

/* Between "{% raw %}" and "{% endraw %}". */
static bool lex_raw(lexer *x)
{
    char before, after;
    for (const char *p = x->p; p < x->end; p++) {
        const size_t n = word_tag(x, p, "endraw", &before, &after);
        if (!n)
            continue;
        if (!push(x, HET__TK_TEXT, text_before(x, p, before, false)))
            return false;
        advance(x, p + n);
        skip_after(x, after, false);
        return true;
    }
    return het__tr_fail(x->r, HET_E_FORMAT, "a raw block does not end");
}

static bool lex_next(lexer *x)
{
    const char *tag = find_tag(x, x->p);
    char before, after;
    if (tag == x->end) {
        const bool good = push(x, HET__TK_TEXT, (het__ts){ x->p, (size_t)(tag - x->p) });
        x->p = tag;
        return good;
    }
    const bool is_print = tag[1] == '{';
    const char sign = x->end - tag > 2 && (tag[2] == '-' || tag[2] == '+') ? tag[2] : '\0';
    const het__ts text = text_before(x, tag, sign, is_print);
    if (text.bytes && !push(x, HET__TK_TEXT, text))
        return false;
    const size_t raw = word_tag(x, tag, "raw", &before, &after);
    if (raw) {
        advance(x, tag + raw);
        /* Nothing but '-' drops white space here. */
        skip_after(x, after == '-' ? '-' : '+', false);
        return lex_raw(x);
    }
    /* A sign of a print tag other than '-' belongs to its expression. */
    advance(x, tag + 2 + (sign == '-' || (sign == '+' && !is_print)));
    if (tag[1] == '#') {
        return lex_comment(x);
    }
    return push(x, is_print ? HET__TK_PRINT : HET__TK_BLOCK, (het__ts){ tag, 2 }) &&
           lex_tag(x, is_print);
}

bool het__template_lex(het__tr *r, het__ts text, het__tk_list *out)
{
    lexer x = { r, text.data, text.data + text.bytes, true, out };
    r->line = 1;
    while (x.p < x.end)
        if (!lex_next(&x))
            return false;
    return push(&x, HET__TK_END, (het__ts){ "", 0 });
}
