/* SPDX-License-Identifier: Apache-2.0 */
/* Values of templates: memory and limits, containers, comparison, and how they print. */
#include "lib/text/template_value.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/text/utf8.h"

/* ---- limits and failure ---- */

bool het__tr_fail(het__tr *r, het_status status, const char *format, ...)
{
    char text[200];
    va_list args;
    if (r->status != HET_OK)
        return false;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    if (r->line)
        r->status = het__fail(r->err, status, "%s, line %u: %s", r->what, r->line, text);
    else
        r->status = het__fail(r->err, status, "%s: %s", r->what, text);
    return false;
}

void *het__tr_alloc(het__tr *r, size_t count, size_t size)
{
    size_t bytes;
    if (!het__mul_size(count, size, &bytes) || bytes > r->memory_left ||
        r->memory_left - bytes < 16) {
        het__tr_fail(r, HET_E_INVALID, "it needs too much memory");
        return NULL;
    }
    r->memory_left -= bytes + 16;
    void *p = het__arena_zero(r->arena, count ? count : 1, size ? size : 1);
    if (!p)
        het__tr_fail(r, HET_E_NOMEM, "out of memory");
    return p;
}

bool het__tr_step(het__tr *r, uint64_t count)
{
    if (r->steps_left < count)
        return het__tr_fail(r, HET_E_INVALID, "it takes too many steps");
    r->steps_left -= count;
    return true;
}

bool het__tr_enter(het__tr *r)
{
    if (++r->depth > HET__TR_DEPTH_MAX)
        return het__tr_fail(r, HET_E_INVALID, "it is nested too deeply");
    return het__tr_step(r, 1);
}

void het__tr_leave(het__tr *r)
{
    r->depth--;
}

/* ---- texts ---- */

bool het__ts_equal(het__ts a, het__ts b)
{
    return a.bytes == b.bytes && (a.bytes == 0 || memcmp(a.data, b.data, a.bytes) == 0);
}

bool het__ts_is(het__ts a, const char *text)
{
    return het__ts_equal(a, het__ts_of(text));
}

size_t het__ts_find(het__ts in, het__ts needle, size_t from)
{
    for (size_t i = from; i <= in.bytes && needle.bytes <= in.bytes - i; i++) {
        if (needle.bytes == 0)
            return i;
        const char *p = memchr(in.data + i, needle.data[0], in.bytes - i - needle.bytes + 1);
        if (!p)
            return SIZE_MAX;
        i = (size_t)(p - in.data);
        if (memcmp(p, needle.data, needle.bytes) == 0)
            return i;
    }
    return SIZE_MAX;
}

size_t het__ts_char(het__ts text, size_t offset)
{
    const size_t n = het__utf8_char(text.data + offset, text.bytes - offset);
    return n ? n : 1;
}

size_t het__ts_length(het__ts text)
{
    size_t n = 0;
    for (size_t i = 0; i < text.bytes; i += het__ts_char(text, i))
        n++;
    return n;
}

static bool is_space(het__ts c)
{
    const unsigned char first = (unsigned char)c.data[0];
    if (c.bytes == 1)
        return first == ' ' || (first >= 9 && first <= 13) || (first >= 0x1c && first <= 0x1f);
    const uint32_t code = het__utf8_code(c.data, c.bytes);
    return code == 0x85 || code == 0xa0 || code == 0x1680 || (code >= 0x2000 && code <= 0x200a) ||
           code == 0x2028 || code == 0x2029 || code == 0x202f || code == 0x205f || code == 0x3000;
}

static bool is_stripped(het__ts c, het__ts set)
{
    if (!set.bytes)
        return is_space(c);
    for (size_t i = 0; i < set.bytes; i += het__ts_char(set, i))
        if (het__ts_equal(c, (het__ts){ set.data + i, het__ts_char(set, i) }))
            return true;
    return false;
}

het__ts het__ts_strip(het__ts text, het__ts set, unsigned sides)
{
    while (sides & 1 && text.bytes) {
        const size_t n = het__ts_char(text, 0);
        if (!is_stripped((het__ts){ text.data, n }, set))
            break;
        text = (het__ts){ text.data + n, text.bytes - n };
    }
    while (sides & 2 && text.bytes) {
        size_t at = text.bytes - 1;
        for (size_t k = 1; k < 4 && k < text.bytes; k++)
            if (het__ts_char(text, text.bytes - 1 - k) == k + 1)
                at = text.bytes - 1 - k;
        if (!is_stripped((het__ts){ text.data + at, text.bytes - at }, set))
            break;
        text.bytes = at;
    }
    return text;
}

/* ---- containers ---- */

bool het__tv_new_list(het__tr *r, het__tv *out)
{
    *out = (het__tv){ .kind = HET__TV_LIST };
    out->as.list = het__tr_alloc(r, 1, sizeof *out->as.list);
    return out->as.list != NULL;
}

bool het__tv_new_dict(het__tr *r, het__tv *out)
{
    *out = (het__tv){ .kind = HET__TV_DICT };
    out->as.dict = het__tr_alloc(r, 1, sizeof *out->as.dict);
    return out->as.dict != NULL;
}

/* Old items move to a larger place; the arena keeps the old one until its end. */
static bool grow(het__tr *r, het__tv **at, size_t count, size_t capacity)
{
    het__tv *larger = het__tr_alloc(r, capacity, sizeof *larger);
    if (!larger)
        return false;
    if (count)
        memcpy(larger, *at, count * sizeof *larger);
    *at = larger;
    return true;
}

bool het__tv_push(het__tr *r, het__tv_list *list, het__tv item)
{
    if (list->count == list->capacity) {
        const size_t capacity = list->capacity ? 2 * list->capacity : 4;
        if (!het__tr_step(r, list->count) || !grow(r, &list->at, list->count, capacity))
            return false;
        list->capacity = capacity;
    }
    list->at[list->count++] = item;
    return true;
}

het__tv *het__tv_find_text(const het__tv_dict *dict, het__ts key)
{
    for (size_t i = 0; i < dict->count; i++)
        if (dict->keys[i].kind == HET__TV_STRING && het__ts_equal(dict->keys[i].as.text, key))
            return &dict->values[i];
    return NULL;
}

het__tv *het__tv_find(het__tr *r, const het__tv_dict *dict, het__tv key)
{
    if (!het__tr_step(r, 1 + dict->count / 4))
        return NULL;
    if (key.kind == HET__TV_STRING)
        return het__tv_find_text(dict, key.as.text);
    for (size_t i = 0; i < dict->count; i++) {
        bool same = false;
        if (!het__tv_equal(r, dict->keys[i], key, &same))
            return NULL;
        if (same)
            return &dict->values[i];
    }
    return NULL;
}

bool het__tv_put(het__tr *r, het__tv_dict *dict, het__tv key, het__tv value)
{
    if (key.kind == HET__TV_DICT || (key.kind == HET__TV_LIST && !key.as.list->is_tuple))
        return het__tr_fail(r, HET_E_INVALID, "a %s cannot be a key", het__tv_type(key));
    het__tv *old = het__tv_find(r, dict, key);
    if (r->status != HET_OK)
        return false;
    if (old) {
        *old = value;
        return true;
    }
    if (dict->count == dict->capacity) {
        const size_t capacity = dict->capacity ? 2 * dict->capacity : 4;
        if (!grow(r, &dict->keys, dict->count, capacity) ||
            !grow(r, &dict->values, dict->count, capacity))
            return false;
        dict->capacity = capacity;
    }
    dict->keys[dict->count] = key;
    dict->values[dict->count++] = value;
    return true;
}

/* ---- what a value is ---- */

const char *het__tv_type(het__tv v)
{
    switch (v.kind) {
    case HET__TV_UNDEFINED: return "undefined";
    case HET__TV_NONE: return "None";
    case HET__TV_BOOL: return "bool";
    case HET__TV_INT: return "int";
    case HET__TV_FLOAT: return "float";
    case HET__TV_STRING: return "str";
    case HET__TV_LIST: return v.as.list->is_tuple ? "tuple" : "list";
    case HET__TV_DICT: return "dict";
    case HET__TV_NAMESPACE: return "namespace";
    case HET__TV_LOOP: return "loop";
    default: return "function";
    }
}

bool het__tv_as_int(het__tv v, int64_t *out)
{
    if (v.kind == HET__TV_INT)
        *out = v.as.integer;
    else if (v.kind == HET__TV_BOOL)
        *out = v.as.truth;
    else
        return false;
    return true;
}

bool het__tv_as_float(het__tv v, double *out)
{
    int64_t i;
    if (v.kind == HET__TV_FLOAT)
        *out = v.as.number;
    else if (het__tv_as_int(v, &i))
        *out = (double)i;
    else
        return false;
    return true;
}

bool het__tv_truth(het__tv v)
{
    switch (v.kind) {
    case HET__TV_UNDEFINED:
    case HET__TV_NONE: return false;
    case HET__TV_BOOL: return v.as.truth;
    case HET__TV_INT: return v.as.integer != 0;
    case HET__TV_FLOAT: return v.as.number != 0;
    case HET__TV_STRING: return v.as.text.bytes != 0;
    case HET__TV_LIST: return v.as.list->count != 0;
    case HET__TV_DICT: return v.as.dict->count != 0;
    default: return true;
    }
}

/* ---- comparison ---- */

static bool equal_lists(het__tr *r, const het__tv_list *a, const het__tv_list *b, bool *out)
{
    *out = a->count == b->count && a->is_tuple == b->is_tuple;
    for (size_t i = 0; *out && i < a->count; i++)
        if (!het__tv_equal(r, a->at[i], b->at[i], out))
            return false;
    return true;
}

static bool equal_dicts(het__tr *r, const het__tv_dict *a, const het__tv_dict *b, bool *out)
{
    *out = a->count == b->count;
    for (size_t i = 0; *out && i < a->count; i++) {
        const het__tv *other = het__tv_find(r, b, a->keys[i]);
        *out = other != NULL;
        if (r->status != HET_OK || (other && !het__tv_equal(r, a->values[i], *other, out)))
            return false;
    }
    return true;
}

static bool equal_same(het__tr *r, het__tv a, het__tv b, bool *out)
{
    switch (a.kind) {
    case HET__TV_UNDEFINED:
    case HET__TV_NONE: *out = true; return true;
    case HET__TV_STRING: *out = het__ts_equal(a.as.text, b.as.text); return true;
    case HET__TV_LIST: return equal_lists(r, a.as.list, b.as.list, out);
    case HET__TV_DICT: return equal_dicts(r, a.as.dict, b.as.dict, out);
    case HET__TV_FUNCTION: *out = het__ts_equal(a.as.text, b.as.text); return true;
    default: *out = a.as.dict == b.as.dict; return true;
    }
}

bool het__tv_equal(het__tr *r, het__tv a, het__tv b, bool *out)
{
    int64_t i, j;
    double x, y;
    bool good = het__tr_enter(r);
    if (good && het__tv_as_int(a, &i) && het__tv_as_int(b, &j))
        *out = i == j;
    else if (good && het__tv_as_float(a, &x) && het__tv_as_float(b, &y))
        *out = x == y;
    else if (good && a.kind != b.kind)
        *out = false;
    else if (good)
        good = equal_same(r, a, b, out);
    het__tr_leave(r);
    return good;
}

static bool order_lists(het__tr *r, const het__tv_list *a, const het__tv_list *b, int *order)
{
    for (size_t i = 0; i < a->count && i < b->count; i++)
        if (!het__tv_order(r, a->at[i], b->at[i], order) || *order)
            return r->status == HET_OK;
    *order = (a->count > b->count) - (a->count < b->count);
    return true;
}

bool het__tv_order(het__tr *r, het__tv a, het__tv b, int *order)
{
    int64_t i, j;
    double x, y;
    bool good = het__tr_enter(r);
    if (good && het__tv_as_int(a, &i) && het__tv_as_int(b, &j)) {
        *order = (i > j) - (i < j);
    } else if (good && het__tv_as_float(a, &x) && het__tv_as_float(b, &y)) {
        *order = x > y ? 1 : x < y ? -1 : 0;
    } else if (good && a.kind == HET__TV_STRING && b.kind == HET__TV_STRING) {
        const size_t n = a.as.text.bytes < b.as.text.bytes ? a.as.text.bytes : b.as.text.bytes;
        const int c = n ? memcmp(a.as.text.data, b.as.text.data, n) : 0;
        *order = c ? c : (a.as.text.bytes > b.as.text.bytes) - (a.as.text.bytes < b.as.text.bytes);
    } else if (good && a.kind == HET__TV_LIST && b.kind == HET__TV_LIST) {
        good = order_lists(r, a.as.list, b.as.list, order);
    } else if (good) {
        good = het__tr_fail(r, HET_E_INVALID, "%s and %s have no order", het__tv_type(a),
                            het__tv_type(b));
    }
    het__tr_leave(r);
    return good;
}

static bool characters(het__tr *r, het__ts text, het__tv_list *out)
{
    for (size_t i = 0; i < text.bytes;) {
        const size_t n = het__ts_char(text, i);
        if (!het__tv_push(r, out, het__tv_string((het__ts){ text.data + i, n })))
            return false;
        i += n;
    }
    return true;
}

bool het__tv_items(het__tr *r, het__tv v, het__tv_list **out)
{
    het__tv list;
    if (v.kind == HET__TV_LIST) {
        *out = v.as.list;
        return true;
    }
    if (!het__tv_new_list(r, &list))
        return false;
    *out = list.as.list;
    if (v.kind == HET__TV_STRING)
        return characters(r, v.as.text, *out);
    if (v.kind == HET__TV_DICT) {
        for (size_t i = 0; i < v.as.dict->count; i++)
            if (!het__tv_push(r, *out, v.as.dict->keys[i]))
                return false;
        return true;
    }
    if (v.kind == HET__TV_UNDEFINED)
        return true;
    return het__tr_fail(r, HET_E_INVALID, "a %s has no items", het__tv_type(v));
}

/* ---- printing ---- */

bool het__tb_add(het__tb *b, het__ts text)
{
    if (text.bytes > b->capacity - b->bytes) {
        size_t capacity;
        if (!het__add_size(b->bytes, text.bytes, &capacity) ||
            !het__mul_size(capacity, 2, &capacity))
            return het__tr_fail(b->r, HET_E_INVALID, "it needs too much memory");
        char *larger = het__tr_alloc(b->r, capacity, 1);
        if (!larger)
            return false;
        if (b->bytes)
            memcpy(larger, b->data, b->bytes);
        b->data = larger;
        b->capacity = capacity;
    }
    if (text.bytes)
        memcpy(b->data + b->bytes, text.data, text.bytes);
    b->bytes += text.bytes;
    return true;
}

bool het__tb_add_text(het__tb *b, const char *text)
{
    return het__tb_add(b, het__ts_of(text));
}

/* Digits and exponent are taken from what snprintf() gives; the decimal point is ours. */
void het__tv_float_text(double v, char text[48])
{
    char shown[48], digits[24];
    size_t n = 0;
    if (isnan(v) || isinf(v)) {
        snprintf(text, 48, "%s", isnan(v) ? "nan" : v < 0 ? "-inf" : "inf");
        return;
    }
    for (int precision = 0; precision < 17; precision++) {
        snprintf(shown, sizeof shown, "%.*e", precision, v);
        if (strtod(shown, NULL) == v)
            break;
    }
    const char *p = shown;
    for (; *p && *p != 'e'; p++)
        if (*p >= '0' && *p <= '9' && n < 20)
            digits[n++] = *p;
    const int exponent = *p ? atoi(p + 1) : 0;
    while (n > 1 && digits[n - 1] == '0')
        n--;
    size_t at = 0;
    if (signbit(v))
        text[at++] = '-';
    if (exponent < -4 || exponent >= 16) {
        text[at++] = digits[0];
        if (n > 1)
            text[at++] = '.';
        memcpy(text + at, digits + 1, n - 1);
        at += n - 1;
        snprintf(text + at, 48 - at, "e%c%02d", exponent < 0 ? '-' : '+', abs(exponent));
        return;
    }
    if (exponent < 0) {
        text[at++] = '0';
        text[at++] = '.';
        for (int k = -1; k > exponent; k--)
            text[at++] = '0';
        memcpy(text + at, digits, n);
        at += n;
    } else {
        for (int k = 0; k <= exponent; k++)
            text[at++] = k < (int)n ? digits[k] : '0';
        text[at++] = '.';
        if ((int)n <= exponent + 1)
            text[at++] = '0';
        for (int k = exponent + 1; k < (int)n; k++)
            text[at++] = digits[k];
    }
    text[at] = '\0';
}

/* Reads "12.5e3" as 125e2, so that no decimal point of a locale is needed. */
bool het__tv_float_read(het__ts text, double *out)
{
    char plain[400];
    size_t at = 0, i = 0, digits = 0;
    long exponent = 0, written = 0;
    bool point = false;
    if (text.bytes == 0 || text.bytes > 300)
        return false;
    if (text.data[0] == '-' || text.data[0] == '+')
        plain[at++] = text.data[i++];
    for (; i < text.bytes; i++) {
        const char c = text.data[i];
        if (c >= '0' && c <= '9') {
            plain[at++] = c;
            digits++;
            exponent -= point;
        } else if (c == '.' && !point) {
            point = true;
        } else {
            break;
        }
    }
    if (i < text.bytes && (text.data[i] == 'e' || text.data[i] == 'E')) {
        const bool minus = i + 1 < text.bytes && text.data[i + 1] == '-';
        i += i + 1 < text.bytes && (minus || text.data[i + 1] == '+') ? 2 : 1;
        if (i == text.bytes)
            return false;
        for (; i < text.bytes && text.data[i] >= '0' && text.data[i] <= '9'; i++)
            written = written < 100000 ? written * 10 + (text.data[i] - '0') : written;
        exponent += minus ? -written : written;
    }
    if (i != text.bytes || digits == 0)
        return false;
    snprintf(plain + at, sizeof plain - at, "e%ld", exponent);
    *out = strtod(plain, NULL);
    return true;
}

static bool add_quoted(het__tb *b, het__ts text)
{
    const bool single = memchr(text.data ? text.data : "", '\'', text.bytes) != NULL;
    const bool both = single && memchr(text.data, '"', text.bytes) != NULL;
    const char *quote = single && !both ? "\"" : "'";
    bool good = het__tb_add_text(b, quote);
    for (size_t i = 0; good && i < text.bytes;) {
        const size_t n = het__ts_char(text, i);
        const unsigned char c = (unsigned char)text.data[i];
        char code[8];
        if (c == '\n' || c == '\r' || c == '\t')
            snprintf(code, sizeof code, "\\%c", c == '\n' ? 'n' : c == '\r' ? 'r' : 't');
        else if (c == '\\' || c == (unsigned char)quote[0])
            snprintf(code, sizeof code, "\\%c", c);
        else if (c < 0x20 || c == 0x7f)
            snprintf(code, sizeof code, "\\x%02x", c);
        else
            code[0] = '\0';
        good = code[0] ? het__tb_add_text(b, code)
                       : het__tb_add(b, (het__ts){ text.data + i, n });
        i += n;
    }
    return good && het__tb_add_text(b, quote);
}

static bool add_inner(het__tb *b, het__tv v)
{
    if (v.kind == HET__TV_STRING)
        return add_quoted(b, v.as.text);
    if (v.kind == HET__TV_UNDEFINED)
        return het__tb_add_text(b, "Undefined");
    return het__tb_add_value(b, v);
}

static bool add_list(het__tb *b, const het__tv_list *list)
{
    bool good = het__tb_add_text(b, list->is_tuple ? "(" : "[");
    for (size_t i = 0; good && i < list->count; i++)
        good = (i == 0 || het__tb_add_text(b, ", ")) && add_inner(b, list->at[i]);
    if (good && list->is_tuple)
        good = het__tb_add_text(b, list->count == 1 ? ",)" : ")");
    else if (good)
        good = het__tb_add_text(b, "]");
    return good;
}

static bool add_dict(het__tb *b, const het__tv_dict *dict)
{
    bool good = het__tb_add_text(b, "{");
    for (size_t i = 0; good && i < dict->count; i++)
        good = (i == 0 || het__tb_add_text(b, ", ")) && add_inner(b, dict->keys[i]) &&
               het__tb_add_text(b, ": ") && add_inner(b, dict->values[i]);
    return good && het__tb_add_text(b, "}");
}

static bool add_deep(het__tb *b, het__tv v)
{
    bool good = het__tr_enter(b->r);
    if (good && v.kind == HET__TV_LIST)
        good = add_list(b, v.as.list);
    else if (good && v.kind == HET__TV_DICT)
        good = add_dict(b, v.as.dict);
    else if (good)
        good = het__tr_fail(b->r, HET_E_UNSUPPORTED, "a %s does not print", het__tv_type(v));
    het__tr_leave(b->r);
    return good;
}

bool het__tb_add_value(het__tb *b, het__tv v)
{
    char text[48];
    switch (v.kind) {
    case HET__TV_UNDEFINED: return true;
    case HET__TV_NONE: return het__tb_add_text(b, "None");
    case HET__TV_BOOL: return het__tb_add_text(b, v.as.truth ? "True" : "False");
    case HET__TV_STRING: return het__tb_add(b, v.as.text);
    case HET__TV_INT:
        snprintf(text, sizeof text, "%lld", (long long)v.as.integer);
        return het__tb_add_text(b, text);
    case HET__TV_FLOAT:
        het__tv_float_text(v.as.number, text);
        return het__tb_add_text(b, text);
    default: return add_deep(b, v);
    }
}

bool het__tv_to_text(het__tr *r, het__tv v, het__ts *out)
{
    if (v.kind == HET__TV_STRING) {
        *out = v.as.text;
        return true;
    }
    het__tb b = { .r = r };
    const bool good = het__tb_add_value(&b, v);
    *out = (het__ts){ b.data ? b.data : "", b.bytes };
    return good;
}
