/* SPDX-License-Identifier: Apache-2.0 */
/* A template between its parts: what the lexer gives the parser, and the parser the evaluator. All
 * of it lives in the arena of the template and points into its own copy of the text. */
#ifndef HET_TEXT_TEMPLATE_TREE_H
#define HET_TEXT_TEMPLATE_TREE_H

#include "lib/text/template_value.h"

/* ---- tokens ---- */

typedef enum het__tk_kind {
    HET__TK_TEXT,
    HET__TK_PRINT,     /* {{ */
    HET__TK_PRINT_END,
    HET__TK_BLOCK,     /* {% */
    HET__TK_BLOCK_END,
    HET__TK_NAME,
    HET__TK_STRING,    /* text: with its escapes undone */
    HET__TK_NUMBER,
    HET__TK_SIGN,      /* operators and brackets: text */
    HET__TK_END,
} het__tk_kind;

typedef struct het__tk {
    het__tk_kind kind;
    unsigned line;
    het__ts text;
} het__tk;

typedef struct het__tk_list {
    het__tk *at;
    size_t count, capacity;
} het__tk_list;

/* The last token is HET__TK_END. */
bool het__template_lex(het__tr *r, het__ts text, het__tk_list *out);

/* ---- nodes ---- */

typedef enum het__tn_kind {
    /* expressions */
    HET__TN_CONST,   /* value */
    HET__TN_NAME,    /* name */
    HET__TN_LIST,    /* list */
    HET__TN_TUPLE,   /* list */
    HET__TN_DICT,    /* list: key, value, key, … */
    HET__TN_ATTR,    /* a.name */
    HET__TN_ITEM,    /* a[b] */
    HET__TN_SLICE,   /* of an item: a:b:c, each may be NULL */
    HET__TN_CALL,    /* a(list) */
    HET__TN_KEYWORD, /* of a call: name=a */
    HET__TN_FILTER,  /* a | name(list) */
    HET__TN_TEST,    /* a is name(list) */
    HET__TN_NOT,
    HET__TN_NEGATE,
    HET__TN_PLUS,
    HET__TN_AND,
    HET__TN_OR,
    HET__TN_COND,    /* b if a else c (may be NULL) */
    HET__TN_BINARY,  /* a name b */
    HET__TN_CONCAT,  /* a ~ b */
    HET__TN_COMPARE, /* a, list of HET__TN_OPERAND */
    HET__TN_OPERAND, /* name a */
    /* statements */
    HET__TN_TEXT,    /* value */
    HET__TN_PRINT,   /* a */
    HET__TN_IF,      /* a, list, other: what follows else or elif */
    HET__TN_FOR,     /* a in b if c, list, other */
    HET__TN_SET,     /* a = b */
    HET__TN_CAPTURE, /* set a to what list writes */
    HET__TN_MACRO,   /* name, params, list */
    HET__TN_PARAM,   /* of a macro: name, default a or NULL */
    HET__TN_GROUP,   /* list */
    HET__TN_BREAK,
    HET__TN_CONTINUE,
} het__tn_kind;

typedef struct het__tn {
    het__tn_kind kind;
    unsigned line;
    het__ts name;
    het__tv value;
    struct het__tn *a, *b, *c;
    struct het__tn *list, *other, *next; /* next: in the list that this node is part of */
} het__tn;

/* ---- parsing ---- */

typedef struct het__tp {
    het__tr *r;
    const het__tk *at; /* next token */
    unsigned loops;    /* around it */
} het__tp;

bool het__template_parse(het__tr *r, const het__tk_list *tokens, het__tn **out);

het__tn *het__tp_node(het__tp *p, het__tn_kind kind);
bool het__tp_fail(het__tp *p, const char *wanted);
bool het__tp_is_sign(const het__tp *p, const char *text);
bool het__tp_is_name(const het__tp *p, const char *text);
bool het__tp_take_sign(het__tp *p, const char *text);
bool het__tp_take_name(het__tp *p, const char *text);
bool het__tp_want_sign(het__tp *p, const char *text);
bool het__tp_want_name(het__tp *p, het__ts *name);

/* All of these return NULL after a failure. */
het__tn *het__tp_expression(het__tp *p);
/* "a, b": a tuple where there is a comma; with_cond: whether `x if y` may be part of it. */
het__tn *het__tp_tuple(het__tp *p, bool with_cond);
/* What may stand left of '='. */
het__tn *het__tp_target(het__tp *p, bool with_attribute);
/* The filters after `a`. */
het__tn *het__tp_filters(het__tp *p, het__tn *a);

#endif /* HET_TEXT_TEMPLATE_TREE_H */
