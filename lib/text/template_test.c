/* SPDX-License-Identifier: Apache-2.0 */
/* Tests: `value is name(argument)`. */
#include "lib/text/template_eval.h"

static bool is_number(het__tv v)
{
    return v.kind == HET__TV_INT || v.kind == HET__TV_FLOAT || v.kind == HET__TV_BOOL;
}

static bool has_items(het__tv v)
{
    return v.kind == HET__TV_STRING || v.kind == HET__TV_LIST || v.kind == HET__TV_DICT ||
           v.kind == HET__TV_UNDEFINED;
}

/* Whether the kind alone answers it, in *out. */
static bool by_kind(het__ts name, het__tv v, bool *out)
{
    if (het__ts_is(name, "defined"))
        *out = v.kind != HET__TV_UNDEFINED;
    else if (het__ts_is(name, "undefined"))
        *out = v.kind == HET__TV_UNDEFINED;
    else if (het__ts_is(name, "none"))
        *out = v.kind == HET__TV_NONE;
    else if (het__ts_is(name, "string"))
        *out = v.kind == HET__TV_STRING;
    else if (het__ts_is(name, "mapping"))
        *out = v.kind == HET__TV_DICT;
    else if (het__ts_is(name, "iterable"))
        *out = has_items(v) || v.kind == HET__TV_LOOP;
    else if (het__ts_is(name, "sequence"))
        *out = has_items(v);
    else if (het__ts_is(name, "number"))
        *out = is_number(v);
    else if (het__ts_is(name, "integer"))
        *out = v.kind == HET__TV_INT;
    else if (het__ts_is(name, "float"))
        *out = v.kind == HET__TV_FLOAT;
    else if (het__ts_is(name, "boolean"))
        *out = v.kind == HET__TV_BOOL;
    else if (het__ts_is(name, "true"))
        *out = v.kind == HET__TV_BOOL && v.as.truth;
    else if (het__ts_is(name, "false"))
        *out = v.kind == HET__TV_BOOL && !v.as.truth;
    else if (het__ts_is(name, "callable"))
        *out = v.kind >= HET__TV_MACRO;
    else
        return false;
    return true;
}

bool het__te_test(het__te *e, het__ts name, het__tv v, const het__ta *args, bool *out)
{
    static const struct {
        const char *name, *sign;
    } compared[] = {
        { "equalto", "==" }, { "eq", "==" }, { "ne", "!=" }, { "in", "in" },
        { "lt", "<" },       { "le", "<=" }, { "gt", ">" },  { "ge", ">=" },
    };
    int64_t i;
    if (by_kind(name, v, out))
        return true;
    for (size_t k = 0; k < sizeof compared / sizeof *compared; k++)
        if (args->count == 1 && het__ts_is(name, compared[k].name))
            return het__te_compare(e, het__ts_of(compared[k].sign), v, args->at[0], out);
    if ((het__ts_is(name, "odd") || het__ts_is(name, "even")) && het__tv_as_int(v, &i)) {
        *out = (i % 2 != 0) == (name.data[0] == 'o');
        return true;
    }
    return het__tr_fail(e->r, HET_E_UNSUPPORTED, "there is no test '%.*s' here",
                        name.bytes < 64 ? (int)name.bytes : 64, name.data);
}
