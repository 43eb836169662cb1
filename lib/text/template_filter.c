/* SPDX-License-Identifier: Apache-2.0 */
/* Filters: `value | name(arguments)`. tojson spells JSON as transformers has it set, not as the
 * language of templates would for a page. */
#include <math.h>
#include <string.h>

#include "lib/text/template_eval.h"

static bool length(het__te *e, het__tv v, het__tv *out)
{
    het__tv_list *items;
    if (v.kind == HET__TV_STRING)
        return *out = het__tv_int((int64_t)het__ts_length(v.as.text)), true;
    if (v.kind == HET__TV_DICT)
        return *out = het__tv_int((int64_t)v.as.dict->count), true;
    if (!het__tv_items(e->r, v, &items))
        return false;
    *out = het__tv_int((int64_t)items->count);
    return true;
}

static bool join(het__te *e, het__tv v, const het__ta *args, het__tv *out)
{
    het__ts by = { "", 0 };
    const het__tv *attribute = het__ta_get(args, 1, "attribute");
    het__tv_list *items;
    het__tb b = { .r = e->r };
    if (!het__ta_text(e, args, 0, "d", &by) || !het__tv_items(e->r, v, &items))
        return false;
    for (size_t i = 0; i < items->count; i++) {
        het__tv item = items->at[i];
        if (attribute && !het__te_item(e, item, *attribute, &item))
            return false;
        if ((i && !het__tb_add(&b, by)) || !het__tb_add_value(&b, item))
            return false;
    }
    *out = het__tv_string((het__ts){ b.data ? b.data : "", b.bytes });
    return true;
}

static bool tojson(het__te *e, het__tv v, const het__ta *args, het__tv *out)
{
    const het__tv *separators = het__ta_get(args, 2, "separators");
    const het__tv *ascii = het__ta_get(args, 3, "ensure_ascii");
    const het__tv *sorted = het__ta_get(args, 4, "sort_keys");
    het__tv_json_style style = { -1, { ", ", 2 }, { ": ", 2 }, ascii && het__tv_truth(*ascii),
                                 sorted && het__tv_truth(*sorted) };
    const het__tv *indent = het__ta_get(&(het__ta){ .named = args->named }, 0, "indent");
    het__tb b = { .r = e->r };
    if (args->count)
        return het__tr_fail(e->r, HET_E_UNSUPPORTED, "tojson takes named arguments only");
    if (indent && indent->kind != HET__TV_NONE) {
        if (!het__ta_int(e, args, 0, "indent", &style.indent))
            return false;
        style.indent = style.indent < 0 ? 0 : style.indent > 64 ? 64 : style.indent;
        style.item.bytes = 1;
    }
    if (separators && separators->kind == HET__TV_LIST && separators->as.list->count == 2 &&
        separators->as.list->at[0].kind == HET__TV_STRING &&
        separators->as.list->at[1].kind == HET__TV_STRING) {
        style.item = separators->as.list->at[0].as.text;
        style.pair = separators->as.list->at[1].as.text;
    }
    const bool good = het__tv_to_json(&b, v, &style);
    *out = het__tv_string((het__ts){ b.data ? b.data : "", b.bytes });
    return good;
}

static bool pick(het__te *e, het__tv v, bool last, het__tv *out)
{
    het__tv_list *items;
    if (!het__tv_items(e->r, v, &items))
        return false;
    *out = items->count ? items->at[last ? items->count - 1 : 0]
                        : het__tv_undefined(het__ts_of("an item of nothing"));
    return true;
}

static bool copy(het__te *e, het__tv v, bool reverse, het__tv *out)
{
    het__tv_list *items;
    if (!het__tv_items(e->r, v, &items) || !het__tv_new_list(e->r, out))
        return false;
    for (size_t i = 0; i < items->count; i++)
        if (!het__tv_push(e->r, out->as.list, items->at[reverse ? items->count - 1 - i : i]))
            return false;
    return true;
}

static bool reverse(het__te *e, het__tv v, het__tv *out)
{
    het__tb b = { .r = e->r };
    if (!copy(e, v, true, out))
        return false;
    for (size_t i = 0; v.kind == HET__TV_STRING && i < out->as.list->count; i++)
        if (!het__tb_add(&b, out->as.list->at[i].as.text))
            return false;
    if (v.kind == HET__TV_STRING)
        *out = het__tv_string((het__ts){ b.data ? b.data : "", b.bytes });
    return true;
}

static bool to_int(het__te *e, het__tv v, const het__ta *args, het__tv *out)
{
    int64_t otherwise = 0, i = 0;
    double x;
    if (!het__ta_int(e, args, 0, "default", &otherwise))
        return false;
    if (v.kind == HET__TV_STRING &&
        het__tv_float_read(het__ts_strip(v.as.text, (het__ts){ "", 0 }, 3), &x))
        v = het__tv_float(x);
    if (v.kind == HET__TV_FLOAT && fabs(v.as.number) < 9e15)
        i = (int64_t)v.as.number;
    else if (!het__tv_as_int(v, &i))
        i = otherwise;
    *out = het__tv_int(i);
    return true;
}

/* map(attribute=…) and map('filter', …). */
static bool map(het__te *e, het__tv v, const het__ta *args, het__tv *out)
{
    const het__tv *attribute = het__tv_find_text(&args->named, het__ts_of("attribute"));
    const het__tv *otherwise = het__tv_find_text(&args->named, het__ts_of("default"));
    const het__ta rest = { args->count ? args->at + 1 : NULL, args->count ? args->count - 1 : 0,
                           { 0 } };
    het__tv_list *items;
    if (!attribute && (!args->count || args->at[0].kind != HET__TV_STRING))
        return het__tr_fail(e->r, HET_E_INVALID, "map takes an attribute or a filter");
    if (!het__tv_items(e->r, v, &items) || !het__tv_new_list(e->r, out))
        return false;
    for (size_t i = 0; i < items->count; i++) {
        het__tv item = items->at[i];
        if (!(attribute ? het__te_item(e, item, *attribute, &item)
                        : het__te_filter(e, args->at[0].as.text, item, &rest, &item)))
            return false;
        if (attribute && otherwise && item.kind == HET__TV_UNDEFINED)
            item = *otherwise;
        if (!het__tv_push(e->r, out->as.list, item))
            return false;
    }
    return true;
}

/* selectattr, rejectattr (by attribute) and select, reject. */
static bool select_items(het__te *e, het__tv v, const het__ta *args, bool by, bool keep,
                         het__tv *out)
{
    const size_t first = by ? 1 : 0;
    het__tv_list *items;
    het__ta rest = { 0 };
    if (args->count < first || (args->count > first && args->at[first].kind != HET__TV_STRING))
        return het__tr_fail(e->r, HET_E_INVALID, "an attribute and the name of a test");
    if (args->count > first + 1)
        rest = (het__ta){ args->at + first + 1, args->count - first - 1, { 0 } };
    if (!het__tv_items(e->r, v, &items) || !het__tv_new_list(e->r, out))
        return false;
    for (size_t i = 0; i < items->count; i++) {
        het__tv item = items->at[i];
        if (by && !het__te_item(e, item, args->at[0], &item))
            return false;
        bool holds = het__tv_truth(item);
        if (args->count > first && !het__te_test(e, args->at[first].as.text, item, &rest, &holds))
            return false;
        if (holds == keep && !het__tv_push(e->r, out->as.list, items->at[i]))
            return false;
    }
    return true;
}

/* A string as comparisons without case see it. */
static bool fold(het__te *e, het__tv v, het__tv *out)
{
    *out = v;
    return v.kind != HET__TV_STRING || het__te_recase(e, v.as.text, HET__TE_LOWER, out);
}

static bool unique(het__te *e, het__tv v, het__tv *out)
{
    het__tv_list *items;
    het__tv seen, key;
    if (!het__tv_items(e->r, v, &items) || !het__tv_new_list(e->r, out) ||
        !het__tv_new_list(e->r, &seen))
        return false;
    for (size_t i = 0; i < items->count; i++) {
        bool known = false;
        if (!fold(e, items->at[i], &key))
            return false;
        for (size_t k = 0; !known && k < seen.as.list->count; k++)
            if (!het__tv_equal(e->r, seen.as.list->at[k], key, &known))
                return false;
        if (!known && (!het__tv_push(e->r, seen.as.list, key) ||
                       !het__tv_push(e->r, out->as.list, items->at[i])))
            return false;
    }
    return true;
}

/* Pairs by key: insertion, so that equal keys stay in order. */
static bool dictsort(het__te *e, het__tv v, const het__ta *args, het__tv *out)
{
    if (v.kind != HET__TV_DICT)
        return het__tr_fail(e->r, HET_E_INVALID, "dictsort of a %s", het__tv_type(v));
    if (args->count || args->named.count)
        return het__tr_fail(e->r, HET_E_UNSUPPORTED, "dictsort takes no arguments here");
    if (!het__te_pairs(e, v.as.dict, out))
        return false;
    het__tv *const at = out->as.list->at;
    for (size_t i = 1; i < out->as.list->count; i++) {
        const het__tv moved = at[i];
        het__tv a, b;
        int order = 1;
        size_t k = i;
        if (!fold(e, moved.as.list->at[0], &a))
            return false;
        for (; k > 0; k--) {
            if (!fold(e, at[k - 1].as.list->at[0], &b) || !het__tv_order(e->r, b, a, &order))
                return false;
            if (order <= 0)
                break;
            at[k] = at[k - 1];
        }
        at[k] = moved;
    }
    return true;
}

static bool otherwise(const het__ta *args, het__tv v, het__tv *out)
{
    const het__tv *instead = het__ta_get(args, 0, "default_value");
    const het__tv *boolean = het__ta_get(args, 1, "boolean");
    const bool missing = v.kind == HET__TV_UNDEFINED ||
                         (boolean && het__tv_truth(*boolean) && !het__tv_truth(v));
    *out = !missing ? v : instead ? *instead : het__tv_string((het__ts){ "", 0 });
    return true;
}

static bool on_text(het__te *e, het__ts name, het__tv v, const het__ta *args, het__tv *out)
{
    static const char *const names[] = { "upper", "lower", "title", "capitalize" };
    het__ts text, set = { "", 0 };
    if (!het__tv_to_text(e->r, v, &text))
        return false;
    *out = het__tv_string(text);
    if (het__ts_is(name, "string") || het__ts_is(name, "safe"))
        return true;
    if (het__ts_is(name, "trim")) {
        if (!het__ta_text(e, args, 0, "chars", &set))
            return false;
        *out = het__tv_string(het__ts_strip(text, set, 3));
        return true;
    }
    if (het__ts_is(name, "replace"))
        return het__te_replace(e, text, args, out);
    for (unsigned i = 0; i < 4; i++)
        if (het__ts_is(name, names[i]))
            return het__te_recase(e, text, (het__te_case)i, out);
    return true;
}

static bool is_text_filter(het__ts name)
{
    static const char *const names[] = { "string", "safe", "trim", "replace", "upper", "lower",
                                         "title", "capitalize" };
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (het__ts_is(name, names[i]))
            return true;
    return false;
}

bool het__te_filter(het__te *e, het__ts name, het__tv v, const het__ta *args, het__tv *out)
{
    if (is_text_filter(name))
        return on_text(e, name, v, args, out);
    if (het__ts_is(name, "length") || het__ts_is(name, "count"))
        return length(e, v, out);
    if (het__ts_is(name, "join"))
        return join(e, v, args, out);
    if (het__ts_is(name, "default") || het__ts_is(name, "d"))
        return otherwise(args, v, out);
    if (het__ts_is(name, "tojson"))
        return tojson(e, v, args, out);
    if (het__ts_is(name, "first") || het__ts_is(name, "last"))
        return pick(e, v, name.data[0] == 'l', out);
    if (het__ts_is(name, "list"))
        return copy(e, v, false, out);
    if (het__ts_is(name, "reverse"))
        return reverse(e, v, out);
    if (het__ts_is(name, "int"))
        return to_int(e, v, args, out);
    if (het__ts_is(name, "map"))
        return map(e, v, args, out);
    if (het__ts_is(name, "selectattr") || het__ts_is(name, "rejectattr"))
        return select_items(e, v, args, true, name.data[0] == 's', out);
    if (het__ts_is(name, "select") || het__ts_is(name, "reject"))
        return select_items(e, v, args, false, name.data[0] == 's', out);
    if (het__ts_is(name, "items"))
        return v.kind == HET__TV_DICT        ? het__te_pairs(e, v.as.dict, out)
               : v.kind == HET__TV_UNDEFINED ? het__tv_new_list(e->r, out)
                                             : het__tr_fail(e->r, HET_E_INVALID, "items of a %s",
                                                            het__tv_type(v));
    if (het__ts_is(name, "dictsort"))
        return dictsort(e, v, args, out);
    if (het__ts_is(name, "unique"))
        return unique(e, v, out);
    return het__tr_fail(e->r, HET_E_UNSUPPORTED, "there is no filter '%.*s' here",
                        name.bytes < 64 ? (int)name.bytes : 64, name.data);
}
