/* SPDX-License-Identifier: Apache-2.0 */
/* Operators, comparisons, attributes, items and slices of values. */
#include <math.h>
#include <string.h>

#include "lib/text/template_eval.h"

static bool undefined(het__te *e, het__tv v)
{
    return het__tr_fail(e->r, HET_E_INVALID, "'%.*s' is undefined",
                        v.as.text.bytes < 64 ? (int)v.as.text.bytes : 64, v.as.text.data);
}

static int64_t floor_div(int64_t a, int64_t b)
{
    const int64_t q = a / b;
    return q - (a % b != 0 && (a < 0) != (b < 0));
}

static bool power(int64_t base, int64_t exponent, int64_t *out)
{
    int64_t v = 1;
    for (int64_t i = 0; i < exponent; i++) {
        if (!het__mul_i64(v, base, &v))
            return false;
        if (v == 0 || (v == 1 && base == 1))
            break;
        if (base == -1)
            return *out = exponent % 2 ? -1 : 1, true;
    }
    *out = v;
    return true;
}

static bool integers(het__te *e, char sign, int64_t a, int64_t b, het__tv *out)
{
    int64_t v = 0;
    bool good = true;
    if ((sign == '/' || sign == '%') && b == 0)
        return het__tr_fail(e->r, HET_E_INVALID, "division by zero");
    if ((sign == '/' || sign == '%') && b == -1) {
        good = sign == '%' || !__builtin_sub_overflow((int64_t)0, a, &v);
    } else {
        switch (sign) {
        case '+': good = !__builtin_add_overflow(a, b, &v); break;
        case '-': good = !__builtin_sub_overflow(a, b, &v); break;
        case '*': good = het__mul_i64(a, b, &v); break;
        case '/': v = floor_div(a, b); break;
        case '%': v = a - floor_div(a, b) * b; break;
        default: good = power(a, b, &v); break;
        }
    }
    *out = het__tv_int(v);
    return good || het__tr_fail(e->r, HET_E_INVALID, "a whole number of more than 63 bits");
}

static bool numbers(het__te *e, het__ts sign, double a, double b, het__tv *out)
{
    double v = 0;
    if ((sign.data[0] == '/' || sign.data[0] == '%') && b == 0)
        return het__tr_fail(e->r, HET_E_INVALID, "division by zero");
    switch (sign.data[0]) {
    case '+': v = a + b; break;
    case '-': v = a - b; break;
    case '*': v = sign.bytes == 2 ? pow(a, b) : a * b; break;
    case '/': v = sign.bytes == 2 ? floor(a / b) : a / b; break;
    default: v = a - floor(a / b) * b; break;
    }
    *out = het__tv_float(v);
    return true;
}

static bool add_lists(het__te *e, const het__tv_list *a, const het__tv_list *b, het__tv *out)
{
    bool good = het__tv_new_list(e->r, out);
    if (good)
        out->as.list->is_tuple = a->is_tuple;
    for (size_t i = 0; good && i < a->count; i++)
        good = het__tv_push(e->r, out->as.list, a->at[i]);
    for (size_t i = 0; good && i < b->count; i++)
        good = het__tv_push(e->r, out->as.list, b->at[i]);
    return good;
}

static bool repeat(het__te *e, het__tv v, int64_t count, het__tv *out)
{
    het__tb text = { .r = e->r };
    bool good = v.kind == HET__TV_STRING || het__tv_new_list(e->r, out);
    const size_t unit = v.kind == HET__TV_STRING ? v.as.text.bytes : v.as.list->count;
    for (int64_t i = 0; good && unit && i < count; i++) {
        good = het__tr_step(e->r, 1);
        if (good && v.kind == HET__TV_STRING)
            good = het__tb_add(&text, v.as.text);
        for (size_t k = 0; good && v.kind == HET__TV_LIST && k < unit; k++)
            good = het__tv_push(e->r, out->as.list, v.as.list->at[k]);
    }
    if (v.kind == HET__TV_STRING)
        *out = het__tv_string((het__ts){ text.data ? text.data : "", text.bytes });
    return good;
}

bool het__te_binary(het__te *e, het__ts sign, het__tv a, het__tv b, het__tv *out)
{
    int64_t i, j;
    double x, y;
    const bool ints = het__tv_as_int(a, &i) && het__tv_as_int(b, &j);
    if (a.kind == HET__TV_UNDEFINED || b.kind == HET__TV_UNDEFINED)
        return undefined(e, a.kind == HET__TV_UNDEFINED ? a : b);
    const char op = het__ts_is(sign, "**") ? '^' : sign.data[0];
    if (ints && !(op == '/' && sign.bytes == 1) && !(op == '^' && j < 0))
        return integers(e, op, i, j, out);
    if (het__tv_as_float(a, &x) && het__tv_as_float(b, &y))
        return numbers(e, sign, x, y, out);
    if (op == '+' && a.kind == HET__TV_STRING && b.kind == HET__TV_STRING) {
        het__tb text = { .r = e->r };
        const bool good = het__tb_add(&text, a.as.text) && het__tb_add(&text, b.as.text);
        *out = het__tv_string((het__ts){ text.data ? text.data : "", text.bytes });
        return good;
    }
    if (op == '+' && a.kind == HET__TV_LIST && b.kind == HET__TV_LIST &&
        a.as.list->is_tuple == b.as.list->is_tuple)
        return add_lists(e, a.as.list, b.as.list, out);
    if (op == '*' && (a.kind == HET__TV_STRING || a.kind == HET__TV_LIST) &&
        het__tv_as_int(b, &j))
        return repeat(e, a, j, out);
    if (op == '*' && (b.kind == HET__TV_STRING || b.kind == HET__TV_LIST) &&
        het__tv_as_int(a, &j))
        return repeat(e, b, j, out);
    if (op == '%' && a.kind == HET__TV_STRING)
        return het__tr_fail(e->r, HET_E_UNSUPPORTED, "formatting with '%%' is not supported");
    return het__tr_fail(e->r, HET_E_INVALID, "%s %.*s %s is not possible", het__tv_type(a),
                        (int)sign.bytes, sign.data, het__tv_type(b));
}

/* ---- comparisons ---- */

static bool contains(het__te *e, het__tv in, het__tv v, bool *out)
{
    het__tv_list *items;
    *out = false;
    if (in.kind == HET__TV_STRING && v.kind == HET__TV_STRING) {
        *out = het__ts_find(in.as.text, v.as.text, 0) != SIZE_MAX;
        return true;
    }
    if (in.kind == HET__TV_STRING)
        return v.kind == HET__TV_UNDEFINED
                   ? undefined(e, v)
                   : het__tr_fail(e->r, HET_E_INVALID, "a string holds no %s", het__tv_type(v));
    if (in.kind == HET__TV_DICT) {
        *out = het__tv_find(e->r, in.as.dict, v) != NULL;
        return e->r->status == HET_OK;
    }
    if (!het__tv_items(e->r, in, &items))
        return false;
    for (size_t i = 0; !*out && i < items->count; i++)
        if (!het__tv_equal(e->r, items->at[i], v, out))
            return false;
    return true;
}

bool het__te_compare(het__te *e, het__ts sign, het__tv a, het__tv b, bool *out)
{
    int order = 0;
    bool good;
    if (het__ts_is(sign, "in") || het__ts_is(sign, "not in")) {
        good = contains(e, b, a, out);
        *out = *out == (sign.bytes == 2);
        return good;
    }
    if (het__ts_is(sign, "==") || het__ts_is(sign, "!=")) {
        *out = false;
        good = het__tv_equal(e->r, a, b, out);
        *out = *out == (sign.data[0] == '=');
        return good;
    }
    if (a.kind == HET__TV_UNDEFINED || b.kind == HET__TV_UNDEFINED)
        return undefined(e, a.kind == HET__TV_UNDEFINED ? a : b);
    good = het__tv_order(e->r, a, b, &order);
    const bool strict = sign.data[0] == '<' ? order < 0 : order > 0;
    *out = strict || (sign.bytes == 2 && order == 0);
    return good;
}

/* ---- parts ---- */

static het__tv loop_attribute(const het__tv_loop *l, het__ts name)
{
    const int64_t index = (int64_t)l->index, count = (int64_t)l->items->count;
    if (het__ts_is(name, "index0"))
        return het__tv_int(index);
    if (het__ts_is(name, "index"))
        return het__tv_int(index + 1);
    if (het__ts_is(name, "revindex0"))
        return het__tv_int(count - index - 1);
    if (het__ts_is(name, "revindex"))
        return het__tv_int(count - index);
    if (het__ts_is(name, "length"))
        return het__tv_int(count);
    if (het__ts_is(name, "first"))
        return het__tv_bool(index == 0);
    if (het__ts_is(name, "last"))
        return het__tv_bool(index == count - 1);
    if (het__ts_is(name, "depth0"))
        return het__tv_int(0); /* there are no recursive loops */
    if (het__ts_is(name, "depth"))
        return het__tv_int(1);
    if (het__ts_is(name, "previtem") && index > 0)
        return l->items->at[index - 1];
    if (het__ts_is(name, "nextitem") && index + 1 < count)
        return l->items->at[index + 1];
    return het__tv_undefined(name);
}

/* A method comes before a key of the same name: m.items is one, m['items'] the other. */
bool het__te_attribute(het__te *e, het__tv a, het__ts name, het__tv *out)
{
    *out = het__tv_undefined(name);
    if (a.kind == HET__TV_UNDEFINED)
        return undefined(e, a);
    if (a.kind == HET__TV_LOOP && !het__te_is_method(a, name)) {
        *out = loop_attribute(a.as.loop, name);
        return true;
    }
    if (het__te_is_method(a, name)) {
        out->kind = HET__TV_METHOD;
        out->as.method = het__tr_alloc(e->r, 1, sizeof *out->as.method);
        if (!out->as.method)
            return false;
        *out->as.method = (het__tv_method){ a, name };
        return true;
    }
    if (a.kind == HET__TV_DICT || a.kind == HET__TV_NAMESPACE) {
        const het__tv *v = het__tv_find(e->r, a.as.dict, het__tv_string(name));
        if (v)
            *out = *v;
    }
    return e->r->status == HET_OK;
}

/* Offset of a character; bytes of the text if there are fewer. */
static size_t offset_of(het__ts text, int64_t index)
{
    size_t at = 0;
    while (at < text.bytes && index-- > 0)
        at += het__ts_char(text, at);
    return at;
}

bool het__te_item(het__te *e, het__tv a, het__tv index, het__tv *out)
{
    int64_t i;
    *out = het__tv_undefined(het__ts_of("an item"));
    if (a.kind == HET__TV_UNDEFINED)
        return undefined(e, a);
    if (a.kind == HET__TV_DICT) {
        const het__tv *v = het__tv_find(e->r, a.as.dict, index);
        if (v)
            *out = *v;
        else if (index.kind == HET__TV_STRING && e->r->status == HET_OK)
            return het__te_attribute(e, a, index.as.text, out);
        return e->r->status == HET_OK;
    }
    if (index.kind == HET__TV_STRING)
        return het__te_attribute(e, a, index.as.text, out);
    if (!het__tv_as_int(index, &i) || (a.kind != HET__TV_LIST && a.kind != HET__TV_STRING))
        return true;
    const int64_t count = (int64_t)(a.kind == HET__TV_LIST ? a.as.list->count
                                                           : het__ts_length(a.as.text));
    i += i < 0 ? count : 0;
    if (i < 0 || i >= count)
        return true;
    if (a.kind == HET__TV_LIST) {
        *out = a.as.list->at[i];
        return true;
    }
    const size_t at = offset_of(a.as.text, i);
    *out = het__tv_string((het__ts){ a.as.text.data + at, het__ts_char(a.as.text, at) });
    return het__tr_step(e->r, at / 16);
}

/* A bound of a slice in [low, high]; `missing` where it is not given. */
static bool bound_of(het__te *e, het__tv v, int64_t count, int64_t low, int64_t high,
                     int64_t missing, int64_t *out)
{
    *out = missing;
    if (v.kind == HET__TV_NONE)
        return true;
    if (!het__tv_as_int(v, out))
        return het__tr_fail(e->r, HET_E_INVALID, "a slice by a %s", het__tv_type(v));
    *out += *out < 0 ? count : 0;
    *out = *out < low ? low : *out > high ? high : *out;
    return true;
}

bool het__te_slice(het__te *e, het__tv a, const het__tv bound[3], het__tv *out)
{
    int64_t from, to, step = 1;
    het__tv_list *items;
    het__tb text = { .r = e->r };
    if (a.kind == HET__TV_UNDEFINED)
        return undefined(e, a);
    if (a.kind != HET__TV_LIST && a.kind != HET__TV_STRING)
        return het__tr_fail(e->r, HET_E_INVALID, "a %s has no slices", het__tv_type(a));
    if (!het__tv_items(e->r, a, &items))
        return false;
    const int64_t n = (int64_t)items->count;
    if (bound[2].kind != HET__TV_NONE && (!het__tv_as_int(bound[2], &step) || step == 0))
        return het__tr_fail(e->r, HET_E_INVALID, "a slice needs a step other than 0");
    step = step > n + 1 ? n + 1 : step < -n - 1 ? -n - 1 : step;
    const int64_t low = step < 0 ? -1 : 0, high = step < 0 ? n - 1 : n;
    if (!bound_of(e, bound[0], n, low, high, step < 0 ? high : low, &from) ||
        !bound_of(e, bound[1], n, low, high, step < 0 ? low : high, &to) ||
        !het__tv_new_list(e->r, out))
        return false;
    out->as.list->is_tuple = items->is_tuple;
    for (int64_t i = from; step > 0 ? i < to : i > to; i += step)
        if (!(a.kind == HET__TV_LIST ? het__tv_push(e->r, out->as.list, items->at[i])
                                     : het__tb_add(&text, items->at[i].as.text)))
            return false;
    if (a.kind == HET__TV_STRING)
        *out = het__tv_string((het__ts){ text.data ? text.data : "", text.bytes });
    return true;
}
