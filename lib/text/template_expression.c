/* SPDX-License-Identifier: Apache-2.0 */
/* Expressions of templates, by descent: or, and, not, comparisons, + -, ~, * / // %, **, signs, and
 * last what binds closest: attributes, items, calls, filters and tests. */
#include <string.h>

#include "lib/text/template_tree.h"

static het__tn *parse_unary(het__tp *p, bool with_filters);
static het__tn *parse_cond(het__tp *p);

static het__tn *pair(het__tp *p, het__tn_kind kind, het__ts name, het__tn *a, het__tn *b)
{
    het__tn *n = a && b ? het__tp_node(p, kind) : NULL;
    if (n) {
        n->name = name;
        n->a = a;
        n->b = b;
    }
    return n;
}

static het__tn *constant(het__tp *p, het__tv value)
{
    het__tn *n = het__tp_node(p, HET__TN_CONST);
    if (n)
        n->value = value;
    return n;
}

/* ---- primaries ---- */

static het__tn *parse_number(het__tp *p)
{
    const het__ts text = p->at->text;
    double number = 0;
    int64_t whole = 0;
    bool is_whole = true;
    for (size_t i = 0; i < text.bytes; i++) {
        if (text.data[i] < '0' || text.data[i] > '9')
            is_whole = false;
        else if (is_whole && (!het__mul_i64(whole, 10, &whole) ||
                              __builtin_add_overflow(whole, text.data[i] - '0', &whole)))
            return het__tp_fail(p, "a number of at most 63 bits"), NULL;
    }
    if (!is_whole && !het__tv_float_read(text, &number))
        return het__tp_fail(p, "a number"), NULL;
    p->at++;
    return constant(p, is_whole ? het__tv_int(whole) : het__tv_float(number));
}

/* Strings that stand side by side are one. */
static het__tn *parse_string(het__tp *p)
{
    het__ts text = p->at++->text;
    if (p->at->kind == HET__TK_STRING) {
        het__tb b = { .r = p->r };
        bool good = het__tb_add(&b, text);
        for (; good && p->at->kind == HET__TK_STRING; p->at++)
            good = het__tb_add(&b, p->at->text);
        if (!good)
            return NULL;
        text = (het__ts){ b.data ? b.data : "", b.bytes };
    }
    return constant(p, het__tv_string(text));
}

static het__tn *parse_list(het__tp *p)
{
    het__tn *n = het__tp_node(p, HET__TN_LIST);
    het__tn **tail = n ? &n->list : NULL;
    while (n && !het__tp_take_sign(p, "]")) {
        if (n->list && !het__tp_want_sign(p, ","))
            return NULL;
        if (n->list && het__tp_take_sign(p, "]"))
            break;
        *tail = het__tp_expression(p);
        if (!*tail)
            return NULL;
        tail = &(*tail)->next;
    }
    return n;
}

static het__tn *parse_dict(het__tp *p)
{
    het__tn *n = het__tp_node(p, HET__TN_DICT);
    het__tn **tail = n ? &n->list : NULL;
    while (n && !het__tp_take_sign(p, "}")) {
        if (n->list && !het__tp_want_sign(p, ","))
            return NULL;
        if (n->list && het__tp_take_sign(p, "}"))
            break;
        *tail = het__tp_expression(p);
        if (!*tail || !het__tp_want_sign(p, ":"))
            return NULL;
        tail = &(*tail)->next;
        *tail = het__tp_expression(p);
        if (!*tail)
            return NULL;
        tail = &(*tail)->next;
    }
    return n;
}

static het__tn *parse_name(het__tp *p)
{
    const het__ts name = p->at++->text;
    if (het__ts_is(name, "true") || het__ts_is(name, "True"))
        return constant(p, het__tv_bool(true));
    if (het__ts_is(name, "false") || het__ts_is(name, "False"))
        return constant(p, het__tv_bool(false));
    if (het__ts_is(name, "none") || het__ts_is(name, "None"))
        return constant(p, het__tv_none());
    het__tn *n = het__tp_node(p, HET__TN_NAME);
    if (n)
        n->name = name;
    return n;
}

static het__tn *parse_primary(het__tp *p)
{
    if (p->at->kind == HET__TK_NAME)
        return parse_name(p);
    if (p->at->kind == HET__TK_STRING)
        return parse_string(p);
    if (p->at->kind == HET__TK_NUMBER)
        return parse_number(p);
    if (het__tp_take_sign(p, "["))
        return parse_list(p);
    if (het__tp_take_sign(p, "{"))
        return parse_dict(p);
    if (!het__tp_take_sign(p, "("))
        return het__tp_fail(p, "an expression"), NULL;
    het__tn *n = het__tp_is_sign(p, ")") ? het__tp_node(p, HET__TN_TUPLE) : het__tp_tuple(p, true);
    return n && het__tp_want_sign(p, ")") ? n : NULL;
}

/* ---- what follows a primary ---- */

/* After '('. */
static bool parse_arguments(het__tp *p, het__tn **list)
{
    het__tn **tail = list;
    while (!het__tp_take_sign(p, ")")) {
        if (tail != list && !het__tp_want_sign(p, ","))
            return false;
        if (tail != list && het__tp_take_sign(p, ")"))
            return true;
        if (het__tp_is_sign(p, "*") || het__tp_is_sign(p, "**"))
            return het__tp_fail(p, "an argument (there is no unpacking)");
        if (p->at->kind == HET__TK_NAME && p->at[1].kind == HET__TK_SIGN &&
            het__ts_is(p->at[1].text, "=")) {
            *tail = het__tp_node(p, HET__TN_KEYWORD);
            if (!*tail)
                return false;
            (*tail)->name = p->at->text;
            p->at += 2;
            (*tail)->a = het__tp_expression(p);
            if (!(*tail)->a)
                return false;
        } else {
            *tail = het__tp_expression(p);
            if (!*tail)
                return false;
        }
        tail = &(*tail)->next;
    }
    return true;
}

static bool parse_bound(het__tp *p, het__tn **bound)
{
    if (het__tp_is_sign(p, ":") || het__tp_is_sign(p, "]"))
        return true;
    *bound = het__tp_expression(p);
    return *bound != NULL;
}

/* After '['. */
static het__tn *parse_subscript(het__tp *p, het__tn *a)
{
    het__tn *index = NULL;
    if (!het__tp_is_sign(p, ":")) {
        index = het__tp_expression(p);
        if (!index)
            return NULL;
    }
    if (het__tp_is_sign(p, ":")) {
        het__tn *slice = het__tp_node(p, HET__TN_SLICE);
        if (!slice)
            return NULL;
        slice->a = index;
        p->at++;
        if (!parse_bound(p, &slice->b) ||
            (het__tp_take_sign(p, ":") && !parse_bound(p, &slice->c)))
            return NULL;
        index = slice;
    }
    return het__tp_want_sign(p, "]") ? pair(p, HET__TN_ITEM, (het__ts){ "", 0 }, a, index) : NULL;
}

/* After '.'. */
static het__tn *parse_attribute(het__tp *p, het__tn *a)
{
    if (p->at->kind == HET__TK_NUMBER)
        return pair(p, HET__TN_ITEM, (het__ts){ "", 0 }, a, parse_number(p));
    het__tn *n = het__tp_node(p, HET__TN_ATTR);
    if (!n || !het__tp_want_name(p, &n->name))
        return NULL;
    n->a = a;
    return n;
}

static het__tn *parse_call(het__tp *p, het__tn *a)
{
    het__tn *n = het__tp_node(p, HET__TN_CALL);
    if (!n)
        return NULL;
    n->a = a;
    p->at++;
    return parse_arguments(p, &n->list) ? n : NULL;
}

/* A chain makes a tree as deep as it is long, and running it goes as deep. */
static het__tn *parse_postfix(het__tp *p, het__tn *a)
{
    while (a && p->at->kind == HET__TK_SIGN) {
        if (het__tp_take_sign(p, "."))
            a = parse_attribute(p, a);
        else if (het__tp_take_sign(p, "["))
            a = parse_subscript(p, a);
        else if (het__tp_is_sign(p, "("))
            a = parse_call(p, a);
        else
            break;
    }
    return a;
}

static bool starts_argument(const het__tp *p)
{
    if (p->at->kind == HET__TK_NAME)
        return !het__tp_is_name(p, "else") && !het__tp_is_name(p, "or") &&
               !het__tp_is_name(p, "and") && !het__tp_is_name(p, "is");
    return p->at->kind == HET__TK_STRING || p->at->kind == HET__TK_NUMBER ||
           het__tp_is_sign(p, "[") || het__tp_is_sign(p, "{");
}

/* After 'is'. */
static het__tn *parse_test(het__tp *p, het__tn *a)
{
    const bool negated = het__tp_take_name(p, "not");
    het__tn *n = het__tp_node(p, HET__TN_TEST);
    if (!n || !het__tp_want_name(p, &n->name))
        return NULL;
    n->a = a;
    if (het__tp_take_sign(p, "(")) {
        if (!parse_arguments(p, &n->list))
            return NULL;
    } else if (starts_argument(p)) {
        n->list = parse_postfix(p, parse_primary(p));
        if (!n->list)
            return NULL;
    }
    return negated ? pair(p, HET__TN_NOT, (het__ts){ "", 0 }, n, n) : n;
}

static het__tn *parse_filter(het__tp *p, het__tn *a)
{
    het__tn *n = het__tp_node(p, HET__TN_FILTER);
    if (!n || !het__tp_want_name(p, &n->name))
        return NULL;
    n->a = a;
    return !het__tp_take_sign(p, "(") || parse_arguments(p, &n->list) ? n : NULL;
}

het__tn *het__tp_filters(het__tp *p, het__tn *a)
{
    while (a) {
        if (het__tp_take_sign(p, "|"))
            a = parse_filter(p, a);
        else if (het__tp_take_name(p, "is"))
            a = parse_test(p, a);
        else if (het__tp_is_sign(p, "("))
            a = parse_call(p, a);
        else
            break;
    }
    return a;
}

/* ---- operators ---- */

static het__tn *parse_sign(het__tp *p, het__tn_kind kind)
{
    het__tn *n = het__tp_node(p, kind);
    p->at++;
    if (!n || !het__tr_enter(p->r))
        return NULL;
    n->a = parse_unary(p, false);
    het__tr_leave(p->r);
    return n->a ? n : NULL;
}

static het__tn *parse_unary(het__tp *p, bool with_filters)
{
    het__tn *n = het__tp_is_sign(p, "-")   ? parse_sign(p, HET__TN_NEGATE)
                 : het__tp_is_sign(p, "+") ? parse_sign(p, HET__TN_PLUS)
                                           : parse_primary(p);
    n = parse_postfix(p, n);
    return with_filters ? het__tp_filters(p, n) : n;
}

/* The operator of this level that is next; none: bytes 0. */
static het__ts operator_of(const het__tp *p, const char *const *signs)
{
    for (; *signs; signs++)
        if (het__tp_is_sign(p, *signs))
            return p->at->text;
    return (het__ts){ "", 0 };
}

static het__tn *parse_level(het__tp *p, unsigned level)
{
    static const char *const levels[][5] = {
        { "+", "-", NULL }, { "~", NULL }, { "*", "/", "//", "%", NULL }, { "**", NULL },
    };
    if (level == sizeof levels / sizeof levels[0])
        return parse_unary(p, true);
    het__tn *a = parse_level(p, level + 1);
    while (a) {
        const het__ts sign = operator_of(p, levels[level]);
        if (!sign.bytes)
            break;
        p->at++;
        a = pair(p, level == 1 ? HET__TN_CONCAT : HET__TN_BINARY, sign, a,
                 parse_level(p, level + 1));
    }
    return a;
}

/* The comparison that is next, taken; none: bytes 0. */
static het__ts take_comparison(het__tp *p)
{
    static const char *const signs[] = { "==", "!=", "<=", ">=", "<", ">", NULL };
    const het__ts sign = operator_of(p, signs);
    if (sign.bytes) {
        p->at++;
        return sign;
    }
    if (het__tp_take_name(p, "in"))
        return het__ts_of("in");
    if (het__tp_is_name(p, "not") && p->at[1].kind == HET__TK_NAME &&
        het__ts_is(p->at[1].text, "in")) {
        p->at += 2;
        return het__ts_of("not in");
    }
    return (het__ts){ "", 0 };
}

static het__tn *parse_compare(het__tp *p)
{
    het__tn *a = parse_level(p, 0), *n = NULL, **tail = NULL;
    while (a) {
        const het__ts sign = take_comparison(p);
        if (!sign.bytes)
            break;
        if (!n) {
            n = het__tp_node(p, HET__TN_COMPARE);
            if (!n)
                return NULL;
            n->a = a;
            tail = &n->list;
        }
        *tail = het__tp_node(p, HET__TN_OPERAND);
        if (!*tail)
            return NULL;
        (*tail)->name = sign;
        (*tail)->a = parse_level(p, 0);
        if (!(*tail)->a)
            return NULL;
        tail = &(*tail)->next;
    }
    return n ? n : a;
}

static het__tn *parse_not(het__tp *p)
{
    if (!het__tp_is_name(p, "not"))
        return parse_compare(p);
    het__tn *n = het__tp_node(p, HET__TN_NOT);
    p->at++;
    if (!n || !het__tr_enter(p->r))
        return NULL;
    n->a = parse_not(p);
    het__tr_leave(p->r);
    return n->a ? n : NULL;
}

static het__tn *parse_and(het__tp *p)
{
    het__tn *a = parse_not(p);
    while (a && het__tp_take_name(p, "and"))
        a = pair(p, HET__TN_AND, (het__ts){ "", 0 }, a, parse_not(p));
    return a;
}

static het__tn *parse_or(het__tp *p)
{
    het__tn *a = parse_and(p);
    while (a && het__tp_take_name(p, "or"))
        a = pair(p, HET__TN_OR, (het__ts){ "", 0 }, a, parse_and(p));
    return a;
}

static het__tn *parse_cond(het__tp *p)
{
    het__tn *a = parse_or(p);
    while (a && het__tp_take_name(p, "if")) {
        het__tn *n = pair(p, HET__TN_COND, (het__ts){ "", 0 }, parse_or(p), a);
        if (n && het__tp_take_name(p, "else")) {
            n->c = het__tp_expression(p);
            n = n->c ? n : NULL;
        }
        a = n;
    }
    return a;
}

het__tn *het__tp_expression(het__tp *p)
{
    if (!het__tr_enter(p->r))
        return NULL;
    het__tn *n = parse_cond(p);
    het__tr_leave(p->r);
    return n;
}

het__tn *het__tp_tuple(het__tp *p, bool with_cond)
{
    het__tn *first = with_cond ? het__tp_expression(p) : parse_or(p);
    if (!first || !het__tp_is_sign(p, ","))
        return first;
    het__tn *n = het__tp_node(p, HET__TN_TUPLE);
    if (!n)
        return NULL;
    n->list = first;
    het__tn **tail = &first->next;
    while (het__tp_take_sign(p, ",")) {
        if (het__tp_is_sign(p, ")") || p->at->kind == HET__TK_BLOCK_END ||
            p->at->kind == HET__TK_PRINT_END)
            break;
        *tail = with_cond ? het__tp_expression(p) : parse_or(p);
        if (!*tail)
            return NULL;
        tail = &(*tail)->next;
    }
    return n;
}

static het__tn *parse_target_name(het__tp *p)
{
    if (p->at->kind != HET__TK_NAME)
        return het__tp_fail(p, "a name"), NULL;
    het__tn *n = het__tp_node(p, HET__TN_NAME);
    if (n)
        n->name = p->at++->text;
    return n;
}

het__tn *het__tp_target(het__tp *p, bool with_attribute)
{
    const bool bracket = !with_attribute && het__tp_take_sign(p, "(");
    het__tn *first = parse_target_name(p);
    if (first && with_attribute && het__tp_take_sign(p, "."))
        return parse_attribute(p, first);
    if (first && het__tp_is_sign(p, ",")) {
        het__tn *n = het__tp_node(p, HET__TN_TUPLE);
        if (!n)
            return NULL;
        n->list = first;
        for (het__tn **tail = &first->next; het__tp_take_sign(p, ","); tail = &(*tail)->next) {
            *tail = parse_target_name(p);
            if (!*tail)
                return NULL;
        }
        first = n;
    }
    return first && (!bracket || het__tp_want_sign(p, ")")) ? first : NULL;
}
