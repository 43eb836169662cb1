/* SPDX-License-Identifier: Apache-2.0 */
/* Statements and the shape of expressions. What is set in a turn of a loop ends with the turn; what
 * is set in a branch stays, as the language has it. */
#include "lib/text/template_eval.h"

#include <string.h>

/* ---- names ---- */

static bool look_up(het__te *e, het__ts name, het__tv *out)
{
    for (const het__te_scope *s = e->scope; s; s = s->parent) {
        const het__tv *v = het__tv_find_text(&s->names, name);
        if (!het__tr_step(e->r, 1 + s->names.count / 4))
            return false;
        if (v) {
            *out = *v;
            return true;
        }
    }
    *out = het__tv_undefined(name);
    if (het__te_is_function(name))
        out->kind = HET__TV_FUNCTION;
    return true;
}

static bool assign(het__te *e, const het__tn *target, het__tv v)
{
    if (target->kind == HET__TN_NAME)
        return het__tv_put(e->r, &e->scope->names, het__tv_string(target->name), v);
    if (target->kind == HET__TN_ATTR) {
        het__tv object;
        if (!look_up(e, target->a->name, &object))
            return false;
        if (object.kind != HET__TV_NAMESPACE)
            return het__tr_fail(e->r, HET_E_INVALID, "only namespaces have attributes to set");
        return het__tv_put(e->r, object.as.dict, het__tv_string(target->name), v);
    }
    het__tv_list *items;
    if (target->kind != HET__TN_TUPLE)
        return het__tr_fail(e->r, HET_E_INVALID, "this cannot be set");
    if (!het__tv_items(e->r, v, &items))
        return false;
    size_t i = 0;
    for (const het__tn *t = target->list; t; t = t->next, i++)
        if (i < items->count && !assign(e, t, items->at[i]))
            return false;
    return i == items->count ||
           het__tr_fail(e->r, HET_E_INVALID, "%zu values for %zu names", items->count, i);
}

/* ---- calls ---- */

const het__tv *het__ta_get(const het__ta *args, size_t index, const char *name)
{
    if (index < args->count)
        return &args->at[index];
    return het__tv_find_text(&args->named, het__ts_of(name));
}

bool het__ta_text(het__te *e, const het__ta *args, size_t index, const char *name, het__ts *out)
{
    const het__tv *v = het__ta_get(args, index, name);
    if (!v || v->kind == HET__TV_NONE)
        return true;
    if (v->kind != HET__TV_STRING)
        return het__tr_fail(e->r, HET_E_INVALID, "a string was expected, not a %s",
                            het__tv_type(*v));
    *out = v->as.text;
    return true;
}

bool het__ta_int(het__te *e, const het__ta *args, size_t index, const char *name, int64_t *out)
{
    const het__tv *v = het__ta_get(args, index, name);
    if (!v || v->kind == HET__TV_NONE || het__tv_as_int(*v, out))
        return true;
    return het__tr_fail(e->r, HET_E_INVALID, "an int was expected, not a %s", het__tv_type(*v));
}

static bool evaluate_arguments(het__te *e, const het__tn *list, het__ta *args)
{
    het__tv_list positions = { 0 };
    for (; list; list = list->next) {
        const bool named = list->kind == HET__TN_KEYWORD;
        het__tv v;
        if (!het__te_expression(e, named ? list->a : list, &v))
            return false;
        if (!(named ? het__tv_put(e->r, &args->named, het__tv_string(list->name), v)
                    : het__tv_push(e->r, &positions, v)))
            return false;
    }
    args->at = positions.at;
    args->count = positions.count;
    return true;
}

static bool bind_parameters(het__te *e, const het__tv_macro *m, const het__ta *args)
{
    size_t i = 0;
    for (const het__tn *p = m->node->other; p; p = p->next, i++) {
        het__tv v = het__tv_undefined(p->name);
        const het__tv *given = i < args->count ? &args->at[i]
                                               : het__tv_find_text(&args->named, p->name);
        if (given)
            v = *given;
        else if (p->a && !het__te_expression(e, p->a, &v))
            return false;
        if (!het__tv_put(e->r, &e->scope->names, het__tv_string(p->name), v))
            return false;
    }
    return args->count <= i || het__tr_fail(e->r, HET_E_INVALID, "the macro takes %zu arguments",
                                            i);
}

static bool call_macro(het__te *e, const het__tv_macro *m, const het__ta *args, het__tv *out)
{
    het__te_scope *scope = het__tr_alloc(e->r, 1, sizeof *scope);
    het__tb text = { .r = e->r };
    het__te inner = *e;
    if (!scope)
        return false;
    scope->parent = m->scope;
    inner.scope = scope;
    inner.out = &text;
    const bool good = bind_parameters(&inner, m, args) &&
                      het__te_statements(&inner, m->node->list);
    *out = het__tv_string((het__ts){ text.data ? text.data : "", text.bytes });
    return good;
}

static bool call(het__te *e, const het__tn *n, het__tv *out)
{
    het__tv f;
    het__ta args = { 0 };
    if (!het__te_expression(e, n->a, &f) || !evaluate_arguments(e, n->list, &args))
        return false;
    e->r->line = n->line;
    switch (f.kind) {
    case HET__TV_FUNCTION: return het__te_function(e, f.as.text, &args, out);
    case HET__TV_METHOD: return het__te_method(e, f.as.method->self, f.as.method->name, &args, out);
    case HET__TV_MACRO: return call_macro(e, f.as.macro, &args, out);
    case HET__TV_UNDEFINED:
        return het__tr_fail(e->r, HET_E_INVALID, "'%.*s' is undefined",
                            f.as.text.bytes < 64 ? (int)f.as.text.bytes : 64, f.as.text.data);
    default: return het__tr_fail(e->r, HET_E_INVALID, "a %s cannot be called", het__tv_type(f));
    }
}

/* ---- expressions ---- */

static bool evaluate_list(het__te *e, const het__tn *n, het__tv *out)
{
    het__tv item;
    if (!het__tv_new_list(e->r, out))
        return false;
    out->as.list->is_tuple = n->kind == HET__TN_TUPLE;
    for (const het__tn *i = n->list; i; i = i->next)
        if (!het__te_expression(e, i, &item) || !het__tv_push(e->r, out->as.list, item))
            return false;
    return true;
}

static bool evaluate_dict(het__te *e, const het__tn *n, het__tv *out)
{
    het__tv key, value;
    if (!het__tv_new_dict(e->r, out))
        return false;
    for (const het__tn *i = n->list; i; i = i->next->next)
        if (!het__te_expression(e, i, &key) || !het__te_expression(e, i->next, &value) ||
            !het__tv_put(e->r, out->as.dict, key, value))
            return false;
    return true;
}

static bool evaluate_item(het__te *e, const het__tn *n, het__tv *out)
{
    het__tv a, index, bound[3] = { { 0 } };
    if (!het__te_expression(e, n->a, &a))
        return false;
    if (n->b->kind != HET__TN_SLICE)
        return het__te_expression(e, n->b, &index) && het__te_item(e, a, index, out);
    const het__tn *const parts[3] = { n->b->a, n->b->b, n->b->c };
    for (int i = 0; i < 3; i++) {
        bound[i] = het__tv_none();
        if (parts[i] && !het__te_expression(e, parts[i], &bound[i]))
            return false;
    }
    return het__te_slice(e, a, bound, out);
}

static bool evaluate_compare(het__te *e, const het__tn *n, het__tv *out)
{
    het__tv a, b;
    bool holds = true;
    if (!het__te_expression(e, n->a, &a))
        return false;
    for (const het__tn *i = n->list; i && holds; i = i->next, a = b)
        if (!het__te_expression(e, i->a, &b) || !het__te_compare(e, i->name, a, b, &holds))
            return false;
    *out = het__tv_bool(holds);
    return true;
}

static bool evaluate_sign(het__te *e, const het__tn *n, het__tv *out)
{
    het__tv a;
    int64_t i;
    if (!het__te_expression(e, n->a, &a))
        return false;
    if (het__tv_as_int(a, &i) && i != INT64_MIN)
        *out = het__tv_int(n->kind == HET__TN_NEGATE ? -i : i);
    else if (a.kind == HET__TV_FLOAT)
        *out = het__tv_float(n->kind == HET__TN_NEGATE ? -a.as.number : a.as.number);
    else
        return het__tr_fail(e->r, HET_E_INVALID, "a %s has no sign", het__tv_type(a));
    return true;
}

static bool evaluate_call_of_name(het__te *e, const het__tn *n, het__tv *out)
{
    het__tv v;
    het__ta args = { 0 };
    bool holds = false;
    if (!het__te_expression(e, n->a, &v) || !evaluate_arguments(e, n->list, &args))
        return false;
    e->r->line = n->line;
    if (n->kind == HET__TN_FILTER)
        return het__te_filter(e, n->name, v, &args, out);
    const bool good = het__te_test(e, n->name, v, &args, &holds);
    *out = het__tv_bool(holds);
    return good;
}

static bool evaluate_choice(het__te *e, const het__tn *n, het__tv *out)
{
    if (!het__te_expression(e, n->a, out))
        return false;
    const bool truth = het__tv_truth(*out);
    if (n->kind == HET__TN_NOT) {
        *out = het__tv_bool(!truth);
        return true;
    }
    if (n->kind != HET__TN_COND)
        return truth == (n->kind == HET__TN_OR) || het__te_expression(e, n->b, out);
    if (truth)
        return het__te_expression(e, n->b, out);
    *out = het__tv_undefined(het__ts_of("an if without else"));
    return !n->c || het__te_expression(e, n->c, out);
}

static bool evaluate_pair(het__te *e, const het__tn *n, het__tv *out)
{
    het__tv a, b;
    if (!het__te_expression(e, n->a, &a) || !het__te_expression(e, n->b, &b))
        return false;
    e->r->line = n->line;
    if (n->kind == HET__TN_BINARY)
        return het__te_binary(e, n->name, a, b, out);
    het__tb text = { .r = e->r };
    const bool good = het__tb_add_value(&text, a) && het__tb_add_value(&text, b);
    *out = het__tv_string((het__ts){ text.data ? text.data : "", text.bytes });
    return good;
}

static bool evaluate(het__te *e, const het__tn *n, het__tv *out)
{
    het__tv a;
    switch (n->kind) {
    case HET__TN_CONST: *out = n->value; return true;
    case HET__TN_NAME: return look_up(e, n->name, out);
    case HET__TN_LIST:
    case HET__TN_TUPLE: return evaluate_list(e, n, out);
    case HET__TN_DICT: return evaluate_dict(e, n, out);
    case HET__TN_ATTR:
        return het__te_expression(e, n->a, &a) && het__te_attribute(e, a, n->name, out);
    case HET__TN_ITEM: return evaluate_item(e, n, out);
    case HET__TN_CALL: return call(e, n, out);
    case HET__TN_FILTER:
    case HET__TN_TEST: return evaluate_call_of_name(e, n, out);
    case HET__TN_NEGATE:
    case HET__TN_PLUS: return evaluate_sign(e, n, out);
    case HET__TN_NOT:
    case HET__TN_AND:
    case HET__TN_OR:
    case HET__TN_COND: return evaluate_choice(e, n, out);
    case HET__TN_BINARY:
    case HET__TN_CONCAT: return evaluate_pair(e, n, out);
    case HET__TN_COMPARE: return evaluate_compare(e, n, out);
    default: return het__tr_fail(e->r, HET_E_INTERNAL, "a statement as an expression");
    }
}

bool het__te_expression(het__te *e, const het__tn *n, het__tv *out)
{
    *out = het__tv_none();
    bool good = het__tr_enter(e->r);
    if (good) {
        e->r->line = n->line;
        good = evaluate(e, n, out);
    }
    het__tr_leave(e->r);
    return good;
}

/* ---- statements ---- */

static bool write_text(het__te *e, het__ts text)
{
    if (text.bytes > e->output_bytes_max - e->out->bytes)
        return het__tr_fail(e->r, HET_E_INVALID, "it writes too much");
    return het__tb_add(e->out, text);
}

static bool print(het__te *e, const het__tn *n)
{
    het__tv v;
    het__ts text;
    return het__te_expression(e, n->a, &v) && het__tv_to_text(e->r, v, &text) &&
           write_text(e, text);
}

/* A fresh scope for one turn, below the one around the loop. */
static bool enter_turn(het__te *e, const het__te_scope *around, const het__tn *n, het__tv item)
{
    e->scope = het__tr_alloc(e->r, 1, sizeof *e->scope);
    if (!e->scope)
        return false;
    e->scope->parent = around;
    return assign(e, n->a, item);
}

static bool filter_items(het__te *e, const het__te_scope *around, const het__tn *n,
                         het__tv_list **items)
{
    het__tv kept, v;
    if (!n->c)
        return true;
    if (!het__tv_new_list(e->r, &kept))
        return false;
    for (size_t i = 0; i < (*items)->count; i++) {
        if (!enter_turn(e, around, n, (*items)->at[i]) || !het__te_expression(e, n->c, &v))
            return false;
        if (het__tv_truth(v) && !het__tv_push(e->r, kept.as.list, (*items)->at[i]))
            return false;
    }
    *items = kept.as.list;
    return true;
}

static bool run_turns(het__te *e, const het__te_scope *around, const het__tn *n,
                      const het__tv_list *items)
{
    for (size_t i = 0; i < items->count && e->jump != HET__TE_BREAK; i++) {
        het__tv loop = { .kind = HET__TV_LOOP };
        loop.as.loop = het__tr_alloc(e->r, 1, sizeof *loop.as.loop);
        if (!loop.as.loop)
            return false;
        *loop.as.loop = (het__tv_loop){ items, i };
        if (!enter_turn(e, around, n, items->at[i]) ||
            !het__tv_put(e->r, &e->scope->names, het__tv_string(het__ts_of("loop")), loop))
            return false;
        if (!het__te_statements(e, n->list))
            return false;
        if (e->jump == HET__TE_CONTINUE)
            e->jump = HET__TE_ON;
    }
    e->jump = HET__TE_ON;
    return true;
}

static bool run_for(het__te *e, const het__tn *n)
{
    het__te_scope *const around = e->scope;
    het__tv v;
    het__tv_list *items = NULL;
    bool good = het__te_expression(e, n->b, &v) && het__tv_items(e->r, v, &items) &&
                filter_items(e, around, n, &items) && run_turns(e, around, n, items);
    e->scope = around;
    if (good && items->count == 0)
        good = het__te_statements(e, n->other);
    return good;
}

static bool run_if(het__te *e, const het__tn *n)
{
    het__tv v;
    if (!het__te_expression(e, n->a, &v))
        return false;
    return het__te_statements(e, het__tv_truth(v) ? n->list : n->other);
}

static bool run_set(het__te *e, const het__tn *n)
{
    het__tv v;
    return het__te_expression(e, n->b, &v) && assign(e, n->a, v);
}

static bool run_capture(het__te *e, const het__tn *n)
{
    het__tb text = { .r = e->r }, *const out = e->out;
    e->out = &text;
    const bool good = het__te_statements(e, n->list);
    e->out = out;
    return good &&
           assign(e, n->a, het__tv_string((het__ts){ text.data ? text.data : "", text.bytes }));
}

static bool define_macro(het__te *e, const het__tn *n)
{
    het__tv v = { .kind = HET__TV_MACRO };
    v.as.macro = het__tr_alloc(e->r, 1, sizeof *v.as.macro);
    if (!v.as.macro)
        return false;
    *v.as.macro = (het__tv_macro){ n, e->scope };
    return het__tv_put(e->r, &e->scope->names, het__tv_string(n->name), v);
}

static bool run_statement(het__te *e, const het__tn *n)
{
    switch (n->kind) {
    case HET__TN_TEXT: return write_text(e, n->value.as.text);
    case HET__TN_PRINT: return print(e, n);
    case HET__TN_IF: return run_if(e, n);
    case HET__TN_FOR: return run_for(e, n);
    case HET__TN_SET: return run_set(e, n);
    case HET__TN_CAPTURE: return run_capture(e, n);
    case HET__TN_MACRO: return define_macro(e, n);
    case HET__TN_GROUP: return het__te_statements(e, n->list);
    case HET__TN_BREAK: e->jump = HET__TE_BREAK; return true;
    case HET__TN_CONTINUE: e->jump = HET__TE_CONTINUE; return true;
    default: return het__tr_fail(e->r, HET_E_INTERNAL, "an expression as a statement");
    }
}

bool het__te_statements(het__te *e, const het__tn *list)
{
    bool good = het__tr_enter(e->r);
    for (; good && list && e->jump == HET__TE_ON; list = list->next) {
        e->r->line = list->line;
        good = het__tr_step(e->r, 1) && run_statement(e, list);
    }
    het__tr_leave(e->r);
    return good;
}
