/* SPDX-License-Identifier: Apache-2.0 */
/* Running a template: names, and what expressions call. */
#ifndef HET_TEXT_TEMPLATE_EVAL_H
#define HET_TEXT_TEMPLATE_EVAL_H

#include "lib/text/template_tree.h"

/* Names of one level: the template, a turn of a loop, a call of a macro. */
typedef struct het__te_scope {
    const struct het__te_scope *parent;
    het__tv_dict names;
} het__te_scope;

typedef struct het__tv_macro {
    const het__tn *node;
    const het__te_scope *scope; /* where it was defined */
} het__tv_macro;

/* One run. */
typedef struct het__te {
    het__tr *r;
    het__te_scope *scope;
    het__tb *out;
    size_t output_bytes_max;
    int64_t date_s; /* since 1970, for strftime_now; 0: not given */
    enum { HET__TE_ON, HET__TE_BREAK, HET__TE_CONTINUE } jump;
} het__te;

/* Arguments of a call, evaluated. */
typedef struct het__ta {
    het__tv *at;
    size_t count;
    het__tv_dict named;
} het__ta;

/* The argument at an index or of a name; NULL if it was not given. */
const het__tv *het__ta_get(const het__ta *args, size_t index, const char *name);
/* false and a failure where it is there and no string. */
bool het__ta_text(het__te *e, const het__ta *args, size_t index, const char *name, het__ts *out);
bool het__ta_int(het__te *e, const het__ta *args, size_t index, const char *name, int64_t *out);

bool het__te_statements(het__te *e, const het__tn *list);
bool het__te_expression(het__te *e, const het__tn *n, het__tv *out);

/* template_operate.c */
bool het__te_binary(het__te *e, het__ts sign, het__tv a, het__tv b, het__tv *out);
bool het__te_compare(het__te *e, het__ts sign, het__tv a, het__tv b, bool *out);
bool het__te_attribute(het__te *e, het__tv a, het__ts name, het__tv *out);
bool het__te_item(het__te *e, het__tv a, het__tv index, het__tv *out);
/* bound[i] none: not given */
bool het__te_slice(het__te *e, het__tv a, const het__tv bound[3], het__tv *out);

/* template_call.c */
bool het__te_is_function(het__ts name);
bool het__te_is_method(het__tv self, het__ts name);
bool het__te_function(het__te *e, het__ts name, const het__ta *args, het__tv *out);
bool het__te_method(het__te *e, het__tv self, het__ts name, const het__ta *args, het__tv *out);
bool het__te_replace(het__te *e, het__ts text, const het__ta *args, het__tv *out);
typedef enum het__te_case { HET__TE_UPPER, HET__TE_LOWER, HET__TE_TITLE, HET__TE_CAPITAL }
    het__te_case;
bool het__te_recase(het__te *e, het__ts text, het__te_case how, het__tv *out);
bool het__te_pairs(het__te *e, const het__tv_dict *dict, het__tv *out);

/* template_filter.c, template_test.c */
bool het__te_filter(het__te *e, het__ts name, het__tv v, const het__ta *args, het__tv *out);
bool het__te_test(het__te *e, het__ts name, het__tv v, const het__ta *args, bool *out);

#endif /* HET_TEXT_TEMPLATE_EVAL_H */
