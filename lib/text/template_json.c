/* SPDX-License-Identifier: Apache-2.0 */
/* JSON to values and back. What callers give (tools, variables) is read here, so that lib/text
 * needs no library for it; what comes out is spelled as the authors of templates see it: a space
 * after ',' and ':', characters as they are. */
#include <stdio.h>
#include <string.h>

#include "lib/text/template_value.h"

/* ---- reading ---- */

typedef struct reader {
    het__tr *r;
    const char *p, *end;
} reader;

static bool bad(reader *in, const char *what)
{
    return het__tr_fail(in->r, HET_E_FORMAT, "the JSON is malformed: %s", what);
}

static void skip(reader *in)
{
    while (in->p < in->end &&
           (*in->p == ' ' || *in->p == '\n' || *in->p == '\r' || *in->p == '\t'))
        in->p++;
}

static bool take(reader *in, char c)
{
    skip(in);
    if (in->p == in->end || *in->p != c)
        return false;
    in->p++;
    return true;
}

static bool hex4(reader *in, uint32_t *code)
{
    *code = 0;
    if (in->end - in->p < 4)
        return bad(in, "an escape is cut");
    for (int i = 0; i < 4; i++, in->p++) {
        const char c = *in->p;
        const int d = c >= '0' && c <= '9' ? c - '0' : (c | 32) >= 'a' && (c | 32) <= 'f'
                      ? (c | 32) - 'a' + 10 : -1;
        if (d < 0)
            return bad(in, "an escape is no number");
        *code = *code << 4 | (uint32_t)d;
    }
    return true;
}

static bool read_unicode(reader *in, het__tb *b)
{
    uint32_t c, low;
    char text[4];
    if (!hex4(in, &c))
        return false;
    if (c >= 0xd800 && c < 0xdc00 && in->end - in->p >= 6 && in->p[0] == '\\' && in->p[1] == 'u') {
        in->p += 2;
        if (!hex4(in, &low))
            return false;
        if (low < 0xdc00 || low > 0xdfff)
            return bad(in, "half of a surrogate pair");
        c = 0x10000 + ((c - 0xd800) << 10 | (low - 0xdc00));
    }
    if (c >= 0xd800 && c < 0xe000)
        return bad(in, "half of a surrogate pair");
    size_t n = 0;
    if (c < 0x80) {
        text[n++] = (char)c;
    } else {
        if (c >= 0x10000) {
            text[n++] = (char)(0xf0 | c >> 18);
            text[n++] = (char)(0x80 | (c >> 12 & 0x3f));
        } else if (c >= 0x800) {
            text[n++] = (char)(0xe0 | c >> 12);
        }
        text[n++] = (char)(c < 0x800 ? 0xc0 | c >> 6 : 0x80 | (c >> 6 & 0x3f));
        text[n++] = (char)(0x80 | (c & 0x3f));
    }
    return het__tb_add(b, (het__ts){ text, n });
}

static bool read_escape(reader *in, het__tb *b)
{
    static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
    if (in->p == in->end)
        return bad(in, "an escape is cut");
    const char c = *in->p++;
    if (c == 'u')
        return read_unicode(in, b);
    const char *k = c ? strchr(from, c) : NULL;
    return k ? het__tb_add(b, (het__ts){ to + (k - from), 1 }) : bad(in, "an unknown escape");
}

/* After the opening quote. */
static bool read_string(reader *in, het__tv *out)
{
    het__tb b = { .r = in->r };
    for (;;) {
        const char *from = in->p;
        while (in->p < in->end && *in->p != '"' && *in->p != '\\' && (unsigned char)*in->p >= 0x20)
            in->p++;
        if (!het__tb_add(&b, (het__ts){ from, (size_t)(in->p - from) }))
            return false;
        if (in->p == in->end || (unsigned char)*in->p < 0x20)
            return bad(in, "a string does not end");
        if (*in->p++ == '"')
            break;
        if (!read_escape(in, &b))
            return false;
    }
    *out = het__tv_string((het__ts){ b.data ? b.data : "", b.bytes });
    return true;
}

static bool read_number(reader *in, het__tv *out)
{
    const char *from = in->p;
    bool whole = true;
    while (in->p < in->end && strchr("+-.eE0123456789", *in->p) && *in->p) {
        whole = whole && *in->p != '.' && *in->p != 'e' && *in->p != 'E';
        in->p++;
    }
    const het__ts text = { from, (size_t)(in->p - from) };
    double v;
    if (!het__tv_float_read(text, &v))
        return bad(in, "neither a value nor a number");
    *out = het__tv_float(v);
    if (!whole)
        return true;
    int64_t n = 0;
    for (size_t i = *from == '-'; i < text.bytes; i++)
        if (!het__mul_i64(n, 10, &n) || __builtin_sub_overflow(n, text.data[i] - '0', &n))
            return bad(in, "a whole number of more than 63 bits");
    if (*from != '-' && n == INT64_MIN)
        return bad(in, "a whole number of more than 63 bits");
    *out = het__tv_int(*from == '-' ? n : -n);
    return true;
}

static bool read_value(reader *in, het__tv *out);

static bool read_list(reader *in, het__tv *out)
{
    het__tv item;
    if (!het__tv_new_list(in->r, out))
        return false;
    if (take(in, ']'))
        return true;
    do {
        if (!read_value(in, &item) || !het__tv_push(in->r, out->as.list, item))
            return false;
    } while (take(in, ','));
    return take(in, ']') || bad(in, "a list does not end");
}

static bool read_dict(reader *in, het__tv *out)
{
    het__tv key, value;
    if (!het__tv_new_dict(in->r, out))
        return false;
    if (take(in, '}'))
        return true;
    do {
        if (!take(in, '"'))
            return bad(in, "a member has no name");
        if (!read_string(in, &key))
            return false;
        if (!take(in, ':'))
            return bad(in, "a member has no value");
        if (!read_value(in, &value) || !het__tv_put(in->r, out->as.dict, key, value))
            return false;
    } while (take(in, ','));
    return take(in, '}') || bad(in, "an object does not end");
}

static bool take_word(reader *in, const char *word)
{
    const size_t n = strlen(word);
    if ((size_t)(in->end - in->p) < n || memcmp(in->p, word, n) != 0)
        return false;
    in->p += n;
    return true;
}

static bool read_value(reader *in, het__tv *out)
{
    bool good = het__tr_enter(in->r);
    if (!good)
        ;
    else if (take(in, '{'))
        good = read_dict(in, out);
    else if (take(in, '['))
        good = read_list(in, out);
    else if (take(in, '"'))
        good = read_string(in, out);
    else if (take_word(in, "true"))
        *out = het__tv_bool(true);
    else if (take_word(in, "false"))
        *out = het__tv_bool(false);
    else if (take_word(in, "null"))
        *out = het__tv_none();
    else
        good = read_number(in, out);
    het__tr_leave(in->r);
    return good;
}

bool het__tv_from_json(het__tr *r, het__ts text, het__tv *out)
{
    reader in = { r, text.data, text.data + text.bytes };
    if (!read_value(&in, out))
        return false;
    skip(&in);
    return in.p == in.end || bad(&in, "something follows the value");
}

/* ---- writing ---- */

static bool write_code(het__tb *b, uint32_t c)
{
    char text[16];
    if (c >= 0x10000)
        snprintf(text, sizeof text, "\\u%04x\\u%04x", 0xd800 + ((c - 0x10000) >> 10),
                 0xdc00 + (c & 0x3ff));
    else
        snprintf(text, sizeof text, "\\u%04x", c);
    return het__tb_add_text(b, text);
}

/* Code point of a character; 0xfffd for a byte that is none. */
static uint32_t code_of(het__ts c)
{
    static const unsigned char mask[5] = { 0, 0x7f, 0x1f, 0x0f, 0x07 };
    if (c.bytes == 1)
        return (unsigned char)c.data[0] < 0x80 ? (unsigned char)c.data[0] : 0xfffd;
    uint32_t code = (unsigned char)c.data[0] & mask[c.bytes];
    for (size_t i = 1; i < c.bytes; i++)
        code = code << 6 | ((unsigned char)c.data[i] & 0x3f);
    return code;
}

static bool write_string(het__tb *b, het__ts text, bool ascii)
{
    static const char from[] = "\"\\\b\f\n\r\t", to[] = "\"\\bfnrt";
    bool good = het__tb_add_text(b, "\"");
    for (size_t i = 0; good && i < text.bytes;) {
        const het__ts c = { text.data + i, het__ts_char(text, i) };
        const char *k = *c.data ? strchr(from, *c.data) : NULL;
        const uint32_t code = code_of(c);
        if (k) {
            const char escape[2] = { '\\', to[k - from] };
            good = het__tb_add(b, (het__ts){ escape, 2 });
        } else if (code < 0x20 || (ascii && code >= 0x7f)) {
            good = code == 0x7f ? het__tb_add(b, c) : write_code(b, code);
        } else {
            good = het__tb_add(b, c);
        }
        i += c.bytes;
    }
    return good && het__tb_add_text(b, "\"");
}

static bool new_line(het__tb *b, const het__tv_json_style *style, unsigned level)
{
    bool good = het__tb_add_text(b, "\n");
    for (int64_t i = 0; good && i < style->indent * level; i++)
        good = het__tb_add_text(b, " ");
    return good;
}

static bool write_value(het__tb *b, het__tv v, const het__tv_json_style *style, unsigned level);

static bool write_key(het__tb *b, het__tv key, const het__tv_json_style *style)
{
    het__tb text = { .r = b->r };
    if (key.kind == HET__TV_STRING)
        return write_string(b, key.as.text, style->ascii);
    if (key.kind == HET__TV_LIST || !write_value(&text, key, style, 0))
        return het__tr_fail(b->r, HET_E_INVALID, "a %s is no key in JSON", het__tv_type(key));
    return write_string(b, (het__ts){ text.data, text.bytes }, style->ascii);
}

/* Index of the next key in order after the one at `last`; count if there is none. */
static size_t next_key(het__tr *r, const het__tv_dict *dict, size_t last)
{
    size_t best = dict->count;
    for (size_t i = 0; i < dict->count; i++) {
        int after = 1, before = -1;
        if (last < dict->count && !het__tv_order(r, dict->keys[i], dict->keys[last], &after))
            return dict->count;
        if (best < dict->count && !het__tv_order(r, dict->keys[i], dict->keys[best], &before))
            return dict->count;
        if (after > 0 && before < 0)
            best = i;
    }
    return best;
}

static bool write_dict(het__tb *b, const het__tv_dict *dict, const het__tv_json_style *style,
                       unsigned level)
{
    bool good = het__tb_add_text(b, "{");
    size_t at = dict->count;
    for (size_t i = 0; good && i < dict->count; i++) {
        at = style->sorted ? next_key(b->r, dict, at) : i;
        if (b->r->status != HET_OK || at == dict->count)
            return het__tr_fail(b->r, HET_E_INVALID, "keys without an order");
        good = (i == 0 || het__tb_add(b, style->item)) &&
               (style->indent < 0 || new_line(b, style, level + 1)) &&
               write_key(b, dict->keys[at], style) && het__tb_add(b, style->pair) &&
               write_value(b, dict->values[at], style, level + 1);
    }
    if (good && dict->count && style->indent >= 0)
        good = new_line(b, style, level);
    return good && het__tb_add_text(b, "}");
}

static bool write_list(het__tb *b, const het__tv_list *list, const het__tv_json_style *style,
                       unsigned level)
{
    bool good = het__tb_add_text(b, "[");
    for (size_t i = 0; good && i < list->count; i++)
        good = (i == 0 || het__tb_add(b, style->item)) &&
               (style->indent < 0 || new_line(b, style, level + 1)) &&
               write_value(b, list->at[i], style, level + 1);
    if (good && list->count && style->indent >= 0)
        good = new_line(b, style, level);
    return good && het__tb_add_text(b, "]");
}

static bool write_scalar(het__tb *b, het__tv v)
{
    char text[48];
    if (v.kind == HET__TV_NONE)
        return het__tb_add_text(b, "null");
    if (v.kind == HET__TV_BOOL)
        return het__tb_add_text(b, v.as.truth ? "true" : "false");
    if (v.kind == HET__TV_INT)
        return het__tb_add_value(b, v);
    if (v.kind != HET__TV_FLOAT)
        return het__tr_fail(b->r, HET_E_INVALID, "a %s is nothing for JSON", het__tv_type(v));
    het__tv_float_text(v.as.number, text);
    return het__tb_add_text(b, strcmp(text, "nan") == 0   ? "NaN"
                               : strcmp(text, "inf") == 0 ? "Infinity"
                               : strcmp(text, "-inf") == 0 ? "-Infinity" : text);
}

static bool write_value(het__tb *b, het__tv v, const het__tv_json_style *style, unsigned level)
{
    bool good = het__tr_enter(b->r);
    if (good && v.kind == HET__TV_STRING)
        good = write_string(b, v.as.text, style->ascii);
    else if (good && v.kind == HET__TV_DICT)
        good = write_dict(b, v.as.dict, style, level);
    else if (good && v.kind == HET__TV_LIST)
        good = write_list(b, v.as.list, style, level);
    else if (good)
        good = write_scalar(b, v);
    het__tr_leave(b->r);
    return good;
}

bool het__tv_to_json(het__tb *b, het__tv v, const het__tv_json_style *style)
{
    return write_value(b, v, style, 0);
}
