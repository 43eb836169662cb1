/* SPDX-License-Identifier: Apache-2.0 */
/* What templates call: the functions that every template has, and methods of strings and dicts.
 * Methods that would change a value do not exist, as in the sandbox of transformers. Case changes
 * one character to one: there is no rule by which one becomes two. */
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <utf8proc.h>

#include "lib/text/template_eval.h"
#include "lib/text/utf8.h"

#define RANGE_MAX 100000 /* as the sandbox has it */

/* ---- functions ---- */

bool het__te_is_function(het__ts name)
{
    static const char *const names[] = { "raise_exception", "strftime_now", "range", "namespace",
                                         "dict" };
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (het__ts_is(name, names[i]))
            return true;
    return false;
}

static bool call_range(het__te *e, const het__ta *args, het__tv *out)
{
    int64_t n[3] = { 0, 0, 1 };
    if (args->count == 0 || args->count > 3 || args->named.count)
        return het__tr_fail(e->r, HET_E_INVALID, "range takes one to three numbers");
    for (size_t i = 0; i < args->count; i++)
        if (!het__tv_as_int(args->at[i], &n[args->count == 1 ? 1 : i]))
            return het__tr_fail(e->r, HET_E_INVALID, "range takes whole numbers");
    if (n[2] == 0)
        return het__tr_fail(e->r, HET_E_INVALID, "range has a step of 0");
    if (!het__tv_new_list(e->r, out))
        return false;
    for (int64_t i = n[0]; n[2] > 0 ? i < n[1] : i > n[1];) {
        if (out->as.list->count == RANGE_MAX)
            return het__tr_fail(e->r, HET_E_INVALID, "a range of more than %d", RANGE_MAX);
        if (!het__tv_push(e->r, out->as.list, het__tv_int(i)))
            return false;
        if (__builtin_add_overflow(i, n[2], &i))
            break;
    }
    return true;
}

static bool call_dict(het__te *e, const het__ta *args, het__tv *out)
{
    if (args->count > 1 || (args->count && args->at[0].kind != HET__TV_DICT))
        return het__tr_fail(e->r, HET_E_INVALID, "at most one dict was expected");
    if (!het__tv_new_dict(e->r, out))
        return false;
    const het__tv_dict *const from[2] = { args->count ? args->at[0].as.dict : &args->named,
                                          &args->named };
    for (size_t k = args->count ? 0 : 1; k < 2; k++)
        for (size_t i = 0; i < from[k]->count; i++)
            if (!het__tv_put(e->r, out->as.dict, from[k]->keys[i], from[k]->values[i]))
                return false;
    return true;
}

/* Days since 1970 to a calendar date, and names in English whatever the locale. */
static void date_of(int64_t seconds, struct tm *t)
{
    const int64_t days = seconds / 86400 - (seconds % 86400 < 0);
    const int64_t rest = seconds - days * 86400;
    const int64_t z = days + 719468, era = (z >= 0 ? z : z - 146096) / 146097;
    const int64_t doe = z - era * 146097;
    const int64_t yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
    const int64_t doy = doe - (365 * yoe + yoe / 4 - yoe / 100), mp = (5 * doy + 2) / 153;
    t->tm_mday = (int)(doy - (153 * mp + 2) / 5 + 1);
    t->tm_mon = (int)(mp < 10 ? mp + 2 : mp - 10);
    t->tm_year = (int)(yoe + era * 400 + (t->tm_mon <= 1));
    t->tm_hour = (int)(rest / 3600);
    t->tm_min = (int)(rest / 60 % 60);
    t->tm_sec = (int)(rest % 60);
    t->tm_wday = (int)(((days + 4) % 7 + 7) % 7);
}

static bool add_date(het__tb *b, char what, const struct tm *t)
{
    static const char *const months[] = { "January", "February", "March", "April", "May", "June",
                                          "July", "August", "September", "October", "November",
                                          "December" };
    static const char *const days[] = { "Sunday", "Monday", "Tuesday", "Wednesday", "Thursday",
                                        "Friday", "Saturday" };
    char text[40];
    switch (what) {
    case 'd': snprintf(text, sizeof text, "%02d", t->tm_mday); break;
    case 'm': snprintf(text, sizeof text, "%02d", t->tm_mon + 1); break;
    case 'y': snprintf(text, sizeof text, "%02d", t->tm_year % 100); break;
    case 'Y': snprintf(text, sizeof text, "%d", t->tm_year); break;
    case 'H': snprintf(text, sizeof text, "%02d", t->tm_hour); break;
    case 'M': snprintf(text, sizeof text, "%02d", t->tm_min); break;
    case 'S': snprintf(text, sizeof text, "%02d", t->tm_sec); break;
    case 'b': snprintf(text, sizeof text, "%.3s", months[t->tm_mon]); break;
    case 'B': snprintf(text, sizeof text, "%s", months[t->tm_mon]); break;
    case 'a': snprintf(text, sizeof text, "%.3s", days[t->tm_wday]); break;
    case 'A': snprintf(text, sizeof text, "%s", days[t->tm_wday]); break;
    case '%': snprintf(text, sizeof text, "%%"); break;
    default:
        return het__tr_fail(b->r, HET_E_UNSUPPORTED, "strftime_now has no such field");
    }
    return het__tb_add_text(b, text);
}

static bool call_date(het__te *e, const het__ta *args, het__tv *out)
{
    struct tm t = { 0 };
    het__tb b = { .r = e->r };
    het__ts format = { "", 0 };
    if (e->date_s == 0)
        return het__tr_fail(e->r, HET_E_UNSUPPORTED, "it asks for the date, and none was given");
    if (e->date_s < -62135596800 || e->date_s > 253402300799)
        return het__tr_fail(e->r, HET_E_INVALID, "the date has no year of four digits");
    if (!het__ta_text(e, args, 0, "format", &format))
        return false;
    date_of(e->date_s, &t);
    for (size_t i = 0; i < format.bytes; i++) {
        const bool field = format.data[i] == '%' && i + 1 < format.bytes;
        if (!(field ? add_date(&b, format.data[i + 1], &t)
                    : het__tb_add(&b, (het__ts){ format.data + i, 1 })))
            return false;
        i += field;
    }
    *out = het__tv_string((het__ts){ b.data ? b.data : "", b.bytes });
    return true;
}

bool het__te_function(het__te *e, het__ts name, const het__ta *args, het__tv *out)
{
    het__ts text = { "", 0 };
    if (het__ts_is(name, "range"))
        return call_range(e, args, out);
    if (het__ts_is(name, "strftime_now"))
        return call_date(e, args, out);
    if (het__ts_is(name, "raise_exception")) {
        if (args->count && !het__tv_to_text(e->r, args->at[0], &text))
            return false;
        return het__tr_fail(e->r, HET_E_INVALID, "%.*s",
                            text.bytes < 190 ? (int)text.bytes : 190, text.data);
    }
    if (!call_dict(e, args, out))
        return false;
    if (het__ts_is(name, "namespace"))
        out->kind = HET__TV_NAMESPACE;
    return true;
}

/* ---- methods of strings ---- */

static bool is_letter(uint32_t c)
{
    const utf8proc_category_t k = utf8proc_category((utf8proc_int32_t)c);
    return k >= UTF8PROC_CATEGORY_LU && k <= UTF8PROC_CATEGORY_LO;
}

bool het__te_recase(het__te *e, het__ts text, het__te_case how, het__tv *out)
{
    het__tb b = { .r = e->r };
    bool inside = false; /* of a word, or behind the first character */
    for (size_t i = 0; i < text.bytes;) {
        const size_t n = het__utf8_char(text.data + i, text.bytes - i);
        const het__ts c = { text.data + i, n ? n : 1 };
        utf8proc_uint8_t to[4];
        utf8proc_ssize_t length = 0;
        if (n) {
            const utf8proc_int32_t code = (utf8proc_int32_t)het__utf8_code(c.data, n);
            const bool up = how == HET__TE_UPPER || (how >= HET__TE_TITLE && !inside);
            length = utf8proc_encode_char(!up ? utf8proc_tolower(code)
                                          : how == HET__TE_UPPER ? utf8proc_toupper(code)
                                                                 : utf8proc_totitle(code), to);
            inside = how == HET__TE_CAPITAL || is_letter((uint32_t)code);
        }
        if (!het__tb_add(&b, length > 0 ? (het__ts){ (const char *)to, (size_t)length } : c))
            return false;
        i += c.bytes;
    }
    *out = het__tv_string((het__ts){ b.data ? b.data : "", b.bytes });
    return true;
}

bool het__te_replace(het__te *e, het__ts text, const het__ta *args, het__tv *out)
{
    het__ts from = { NULL, 0 }, to = { NULL, 0 };
    int64_t most = -1;
    het__tb b = { .r = e->r };
    size_t at = 0;
    if (!het__ta_text(e, args, 0, "old", &from) || !het__ta_text(e, args, 1, "new", &to) ||
        !het__ta_int(e, args, 2, "count", &most))
        return false;
    if (!from.data || !to.data)
        return het__tr_fail(e->r, HET_E_INVALID, "replace takes two strings");
    while (most != 0) {
        const size_t found = het__ts_find(text, from, at);
        if (found == SIZE_MAX)
            break;
        if (!het__tb_add(&b, (het__ts){ text.data + at, found - at }) || !het__tb_add(&b, to) ||
            !het__tr_step(e->r, 1))
            return false;
        at = found + from.bytes;
        most -= most > 0;
        if (from.bytes)
            continue;
        if (at == text.bytes)
            break;
        const size_t n = het__ts_char(text, at);
        if (!het__tb_add(&b, (het__ts){ text.data + at, n }))
            return false;
        at += n;
    }
    if (!het__tb_add(&b, (het__ts){ text.data + at, text.bytes - at }))
        return false;
    *out = het__tv_string((het__ts){ b.data ? b.data : "", b.bytes });
    return true;
}

static bool push_text(het__te *e, het__tv *list, const char *from, size_t bytes)
{
    return het__tv_push(e->r, list->as.list, het__tv_string((het__ts){ from, bytes }));
}

/* Pieces between white space. */
static bool split_blank(het__te *e, het__ts text, int64_t most, het__tv *out)
{
    const het__ts none = { "", 0 };
    for (text = het__ts_strip(text, none, 1); text.bytes; most -= most > 0) {
        size_t n = 0;
        while (n < text.bytes && most != 0) {
            const size_t c = het__ts_char(text, n);
            if (het__ts_strip((het__ts){ text.data + n, c }, none, 1).bytes == 0)
                break;
            n += c;
        }
        n = most == 0 ? text.bytes : n;
        if (!push_text(e, out, text.data, n))
            return false;
        text = het__ts_strip((het__ts){ text.data + n, text.bytes - n }, none, 1);
    }
    return true;
}

static bool split(het__te *e, het__ts text, const het__ta *args, het__tv *out)
{
    het__ts by = { NULL, 0 };
    int64_t most = -1;
    size_t at = 0;
    if (!het__ta_text(e, args, 0, "sep", &by) || !het__ta_int(e, args, 1, "maxsplit", &most) ||
        !het__tv_new_list(e->r, out))
        return false;
    if (!by.data)
        return split_blank(e, text, most, out);
    if (!by.bytes)
        return het__tr_fail(e->r, HET_E_INVALID, "split by nothing");
    for (; most != 0; most -= most > 0) {
        const size_t found = het__ts_find(text, by, at);
        if (found == SIZE_MAX)
            break;
        if (!push_text(e, out, text.data + at, found - at))
            return false;
        at = found + by.bytes;
    }
    return push_text(e, out, text.data + at, text.bytes - at);
}

static bool affix(het__te *e, het__ts text, const het__ta *args, bool end, het__tv *out)
{
    het__tv_list one = { .at = args->at, .count = args->count ? 1 : 0 };
    const het__tv_list *list = &one;
    bool found = false;
    if (args->count != 1)
        return het__tr_fail(e->r, HET_E_UNSUPPORTED, "one string was expected");
    if (args->at[0].kind == HET__TV_LIST && args->at[0].as.list->is_tuple)
        list = args->at[0].as.list;
    for (size_t i = 0; i < list->count; i++) {
        if (list->at[i].kind != HET__TV_STRING)
            return het__tr_fail(e->r, HET_E_INVALID, "a string was expected");
        const het__ts part = list->at[i].as.text;
        if (part.bytes <= text.bytes)
            found = found || het__ts_equal(part, (het__ts){ text.data +
                                           (end ? text.bytes - part.bytes : 0), part.bytes });
    }
    *out = het__tv_bool(found);
    return true;
}

static bool join(het__te *e, het__ts by, const het__ta *args, het__tv *out)
{
    het__tv_list *items;
    het__tb b = { .r = e->r };
    if (args->count != 1)
        return het__tr_fail(e->r, HET_E_INVALID, "join takes a list");
    if (!het__tv_items(e->r, args->at[0], &items))
        return false;
    for (size_t i = 0; i < items->count; i++) {
        if (items->at[i].kind != HET__TV_STRING)
            return het__tr_fail(e->r, HET_E_INVALID, "join takes strings, not a %s",
                                het__tv_type(items->at[i]));
        if ((i && !het__tb_add(&b, by)) || !het__tb_add(&b, items->at[i].as.text))
            return false;
    }
    *out = het__tv_string((het__ts){ b.data ? b.data : "", b.bytes });
    return true;
}

static bool find(het__te *e, het__ts text, const het__ta *args, bool count, het__tv *out)
{
    het__ts part = { NULL, 0 };
    int64_t n = 0;
    if (!het__ta_text(e, args, 0, "sub", &part))
        return false;
    if (!part.data || !part.bytes)
        return het__tr_fail(e->r, HET_E_INVALID, "a string was expected");
    size_t at = het__ts_find(text, part, 0);
    if (!count) {
        *out = het__tv_int(at == SIZE_MAX ? -1
                                          : (int64_t)het__ts_length((het__ts){ text.data, at }));
        return true;
    }
    for (; at != SIZE_MAX; at = het__ts_find(text, part, at + part.bytes))
        n++;
    *out = het__tv_int(n);
    return true;
}

typedef enum method_id {
    M_STRIP, M_LSTRIP, M_RSTRIP, M_SPLIT, M_STARTSWITH, M_ENDSWITH, M_UPPER, M_LOWER, M_TITLE,
    M_CAPITALIZE, M_REPLACE, M_JOIN, M_FIND, M_COUNT, M_ITEMS, M_GET, M_KEYS, M_VALUES, M_NONE
} method_id;

static const char *const methods[M_NONE] = {
    "strip", "lstrip", "rstrip", "split", "startswith", "endswith", "upper", "lower", "title",
    "capitalize", "replace", "join", "find", "count", "items", "get", "keys", "values",
};

static method_id method_of(het__tv self, het__ts name)
{
    const bool text = self.kind == HET__TV_STRING, dict = self.kind == HET__TV_DICT;
    const int from = text ? M_STRIP : dict ? M_ITEMS : M_NONE;
    const int to = text ? M_ITEMS : M_NONE;
    for (int i = from; i < to; i++)
        if (het__ts_is(name, methods[i]))
            return (method_id)i;
    return M_NONE;
}

bool het__te_is_method(het__tv self, het__ts name)
{
    return method_of(self, name) != M_NONE;
}

static bool string_method(het__te *e, het__ts text, method_id id, const het__ta *args,
                          het__tv *out)
{
    het__ts set = { "", 0 };
    switch (id) {
    case M_STRIP:
    case M_LSTRIP:
    case M_RSTRIP:
        if (!het__ta_text(e, args, 0, "chars", &set))
            return false;
        if (!set.bytes && args->count && args->at[0].kind == HET__TV_STRING)
            *out = het__tv_string(text); /* of no characters: nothing goes */
        else
            *out = het__tv_string(het__ts_strip(text, set, id == M_STRIP ? 3
                                                           : id == M_LSTRIP ? 1 : 2));
        return true;
    case M_SPLIT: return split(e, text, args, out);
    case M_STARTSWITH:
    case M_ENDSWITH: return affix(e, text, args, id == M_ENDSWITH, out);
    case M_UPPER: return het__te_recase(e, text, HET__TE_UPPER, out);
    case M_LOWER: return het__te_recase(e, text, HET__TE_LOWER, out);
    case M_TITLE: return het__te_recase(e, text, HET__TE_TITLE, out);
    case M_CAPITALIZE: return het__te_recase(e, text, HET__TE_CAPITAL, out);
    case M_REPLACE: return het__te_replace(e, text, args, out);
    case M_JOIN: return join(e, text, args, out);
    default: return find(e, text, args, id == M_COUNT, out);
    }
}

bool het__te_pairs(het__te *e, const het__tv_dict *dict, het__tv *out)
{
    bool good = het__tv_new_list(e->r, out);
    for (size_t i = 0; good && i < dict->count; i++) {
        het__tv pair;
        good = het__tv_new_list(e->r, &pair) &&
               het__tv_push(e->r, pair.as.list, dict->keys[i]) &&
               het__tv_push(e->r, pair.as.list, dict->values[i]) &&
               het__tv_push(e->r, out->as.list, pair);
        if (good)
            pair.as.list->is_tuple = true;
    }
    return good;
}

static bool dict_method(het__te *e, const het__tv_dict *dict, method_id id, const het__ta *args,
                        het__tv *out)
{
    if (id == M_ITEMS)
        return het__te_pairs(e, dict, out);
    if (id == M_GET) {
        const het__tv *v = args->count ? het__tv_find(e->r, dict, args->at[0]) : NULL;
        *out = v ? *v : args->count > 1 ? args->at[1] : het__tv_none();
        return e->r->status == HET_OK;
    }
    if (!het__tv_new_list(e->r, out))
        return false;
    for (size_t i = 0; i < dict->count; i++)
        if (!het__tv_push(e->r, out->as.list, id == M_KEYS ? dict->keys[i] : dict->values[i]))
            return false;
    return true;
}

bool het__te_method(het__te *e, het__tv self, het__ts name, const het__ta *args, het__tv *out)
{
    const method_id id = method_of(self, name);
    if (self.kind == HET__TV_STRING)
        return het__tr_step(e->r, self.as.text.bytes / 64) &&
               string_method(e, self.as.text, id, args, out);
    return dict_method(e, self.as.dict, id, args, out);
}
