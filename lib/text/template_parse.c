/* SPDX-License-Identifier: Apache-2.0 */
/* Statements of templates. What the subset does not have (inheritance, imports, call blocks) is
 * refused by name. */
#include <string.h>

#include "lib/text/template_tree.h"

het__tn *het__tp_node(het__tp *p, het__tn_kind kind)
{
    het__tn *n = het__tr_alloc(p->r, 1, sizeof *n);
    if (n) {
        n->kind = kind;
        n->line = p->at->line;
    }
    return n;
}

bool het__tp_fail(het__tp *p, const char *wanted)
{
    const het__ts t = p->at->text;
    const int shown = t.bytes < 40 ? (int)t.bytes : 40;
    p->r->line = p->at->line;
    if (p->at->kind == HET__TK_END || p->at->kind == HET__TK_TEXT)
        return het__tr_fail(p->r, HET_E_FORMAT, "%s was expected", wanted);
    return het__tr_fail(p->r, HET_E_FORMAT, "%s was expected, not '%.*s'", wanted, shown, t.data);
}

bool het__tp_is_sign(const het__tp *p, const char *text)
{
    return p->at->kind == HET__TK_SIGN && het__ts_is(p->at->text, text);
}

bool het__tp_is_name(const het__tp *p, const char *text)
{
    return p->at->kind == HET__TK_NAME && het__ts_is(p->at->text, text);
}

bool het__tp_take_sign(het__tp *p, const char *text)
{
    const bool found = het__tp_is_sign(p, text);
    p->at += found;
    return found;
}

bool het__tp_take_name(het__tp *p, const char *text)
{
    const bool found = het__tp_is_name(p, text);
    p->at += found;
    return found;
}

bool het__tp_want_sign(het__tp *p, const char *text)
{
    char wanted[8] = "'";
    strcat(strcat(wanted, text), "'");
    return het__tp_take_sign(p, text) || het__tp_fail(p, wanted);
}

bool het__tp_want_name(het__tp *p, het__ts *name)
{
    if (p->at->kind != HET__TK_NAME)
        return het__tp_fail(p, "a name");
    *name = p->at++->text;
    return true;
}

static bool want_end(het__tp *p)
{
    if (p->at->kind != HET__TK_BLOCK_END)
        return het__tp_fail(p, "the end of the block");
    p->at++;
    return true;
}

/* ---- statements ---- */

static bool parse_body(het__tp *p, het__tn **list, const char *const *ends);

/* The body, and its end tag; `end` has been checked by parse_body(). */
static bool parse_block(het__tp *p, het__tn **list, const char *end)
{
    const char *const ends[] = { end, NULL };
    if (!want_end(p) || !parse_body(p, list, ends))
        return false;
    p->at += 2; /* "{%" and the name */
    return want_end(p);
}

/* After 'if' or 'elif'. */
static het__tn *parse_if(het__tp *p)
{
    static const char *const ends[] = { "elif", "else", "endif", NULL };
    het__tn *first = NULL, **to = &first;
    for (;;) {
        het__tn *n = *to = het__tp_node(p, HET__TN_IF);
        if (!n)
            return NULL;
        n->a = het__tp_tuple(p, true);
        if (!n->a || !want_end(p) || !parse_body(p, &n->list, ends))
            return NULL;
        p->at++;
        to = &n->other;
        if (het__tp_take_name(p, "elif"))
            continue;
        if (het__tp_take_name(p, "else"))
            return parse_block(p, &n->other, "endif") ? first : NULL;
        p->at++;
        return want_end(p) ? first : NULL;
    }
}

static het__tn *parse_for(het__tp *p)
{
    static const char *const ends[] = { "else", "endfor", NULL };
    het__tn *n = het__tp_node(p, HET__TN_FOR);
    if (!n)
        return NULL;
    n->a = het__tp_target(p, false);
    if (!n->a)
        return NULL;
    if (!het__tp_take_name(p, "in"))
        return het__tp_fail(p, "'in'"), NULL;
    n->b = het__tp_tuple(p, false);
    if (!n->b)
        return NULL;
    if (het__tp_take_name(p, "if")) {
        n->c = het__tp_expression(p);
        if (!n->c)
            return NULL;
    }
    if (het__tp_is_name(p, "recursive"))
        return het__tr_fail(p->r, HET_E_UNSUPPORTED, "recursive loops are not supported"), NULL;
    p->loops++;
    const bool good = want_end(p) && parse_body(p, &n->list, ends);
    p->loops--;
    if (!good)
        return NULL;
    p->at++;
    if (het__tp_take_name(p, "else"))
        return parse_block(p, &n->other, "endfor") ? n : NULL;
    p->at++;
    return want_end(p) ? n : NULL;
}

/* "set a = b", or the block form, whose body becomes the value. */
static het__tn *parse_set(het__tp *p)
{
    het__tn *n = het__tp_node(p, HET__TN_SET);
    if (!n)
        return NULL;
    n->a = het__tp_target(p, true);
    if (!n->a)
        return NULL;
    if (het__tp_take_sign(p, "=")) {
        n->b = het__tp_tuple(p, true);
        return n->b && want_end(p) ? n : NULL;
    }
    n->kind = HET__TN_CAPTURE;
    n->c = het__tp_node(p, HET__TN_CONST); /* receives what is written, below the filters */
    n->b = n->c ? het__tp_filters(p, n->c) : NULL;
    if (n->b && n->b != n->c)
        return het__tr_fail(p->r, HET_E_UNSUPPORTED, "filters of set blocks are not supported"),
               NULL;
    return n->b && parse_block(p, &n->list, "endset") ? n : NULL;
}

static het__tn *parse_macro(het__tp *p)
{
    het__tn *n = het__tp_node(p, HET__TN_MACRO);
    if (!n || !het__tp_want_name(p, &n->name) || !het__tp_want_sign(p, "("))
        return NULL;
    het__tn **tail = &n->other;
    while (!het__tp_take_sign(p, ")")) {
        if (n->other && !het__tp_want_sign(p, ","))
            return NULL;
        *tail = het__tp_node(p, HET__TN_PARAM);
        if (!*tail || !het__tp_want_name(p, &(*tail)->name))
            return NULL;
        if (het__tp_take_sign(p, "=")) {
            (*tail)->a = het__tp_expression(p);
            if (!(*tail)->a)
                return NULL;
        }
        tail = &(*tail)->next;
    }
    const unsigned loops = p->loops;
    p->loops = 0;
    const bool good = parse_block(p, &n->list, "endmacro");
    p->loops = loops;
    return good ? n : NULL;
}

static het__tn *parse_jump(het__tp *p, het__tn_kind kind)
{
    if (!p->loops)
        return het__tr_fail(p->r, HET_E_FORMAT, "break and continue belong into a loop"), NULL;
    het__tn *n = het__tp_node(p, kind);
    return n && want_end(p) ? n : NULL;
}

static het__tn *parse_generation(het__tp *p)
{
    het__tn *n = het__tp_node(p, HET__TN_GROUP);
    return n && parse_block(p, &n->list, "endgeneration") ? n : NULL;
}

/* After "{%". */
static het__tn *parse_statement(het__tp *p)
{
    p->r->line = p->at->line;
    if (het__tp_take_name(p, "if"))
        return parse_if(p);
    if (het__tp_take_name(p, "for"))
        return parse_for(p);
    if (het__tp_take_name(p, "set"))
        return parse_set(p);
    if (het__tp_take_name(p, "macro"))
        return parse_macro(p);
    if (het__tp_take_name(p, "generation"))
        return parse_generation(p);
    if (het__tp_take_name(p, "break"))
        return parse_jump(p, HET__TN_BREAK);
    if (het__tp_take_name(p, "continue"))
        return parse_jump(p, HET__TN_CONTINUE);
    if (p->at->kind == HET__TK_NAME) {
        const int shown = p->at->text.bytes < 40 ? (int)p->at->text.bytes : 40;
        return het__tr_fail(p->r, HET_E_UNSUPPORTED, "there is no block '%.*s' here", shown,
                            p->at->text.data), NULL;
    }
    return het__tp_fail(p, "the name of a block"), NULL;
}

static het__tn *parse_print(het__tp *p)
{
    het__tn *n = het__tp_node(p, HET__TN_PRINT);
    if (!n)
        return NULL;
    n->a = het__tp_tuple(p, true);
    if (n->a && p->at->kind != HET__TK_PRINT_END)
        return het__tp_fail(p, "'}}'"), NULL;
    p->at++;
    return n->a ? n : NULL;
}

static het__tn *parse_text(het__tp *p)
{
    het__tn *n = het__tp_node(p, HET__TN_TEXT);
    if (n)
        n->value = het__tv_string(p->at++->text);
    return n;
}

static bool is_end(const het__tp *p, const char *const *ends)
{
    for (; *ends; ends++)
        if (p->at[0].kind == HET__TK_BLOCK && p->at[1].kind == HET__TK_NAME &&
            het__ts_is(p->at[1].text, *ends))
            return true;
    return false;
}

/* Up to the tag that begins with one of the ends, which stays; or, without ends, to the end. */
static bool parse_statements(het__tp *p, het__tn **list, const char *const *ends)
{
    for (; !is_end(p, ends); list = &(*list)->next) {
        if (p->at->kind == HET__TK_END)
            return !*ends || het__tp_fail(p, ends[1] ? ends[1] : ends[0]);
        if (p->at->kind == HET__TK_TEXT) {
            *list = parse_text(p);
        } else {
            const bool is_print = p->at++->kind == HET__TK_PRINT;
            *list = is_print ? parse_print(p) : parse_statement(p);
        }
        if (!*list)
            return false;
    }
    return true;
}

static bool parse_body(het__tp *p, het__tn **list, const char *const *ends)
{
    const bool good = het__tr_enter(p->r) && parse_statements(p, list, ends);
    het__tr_leave(p->r);
    return good;
}

bool het__template_parse(het__tr *r, const het__tk_list *tokens, het__tn **out)
{
    static const char *const none[] = { NULL };
    het__tp p = { r, tokens->at, 0 };
    *out = NULL;
    return parse_body(&p, out, none);
}
