/* SPDX-License-Identifier: Apache-2.0 */
/* What a template computes with. A value is small and copied; what it points at lives in the arena
 * of the run (or, for constants, of the template) and is never freed alone. Text counts in code
 * points, as the language that templates are written for does.
 *
 * Every function that can fail returns false after het__tr_fail() has filled the caller's error; a
 * run ends with its first failure. */
#ifndef HET_TEXT_TEMPLATE_VALUE_H
#define HET_TEXT_TEMPLATE_VALUE_H

#include "lib/base/arena.h"
#include "lib/base/error.h"

/* Bytes that are lent. */
typedef struct het__ts {
    const char *data;
    size_t bytes;
} het__ts;

typedef enum het__tv_kind {
    HET__TV_UNDEFINED, /* text: the name that was looked for */
    HET__TV_NONE,
    HET__TV_BOOL,
    HET__TV_INT,
    HET__TV_FLOAT,
    HET__TV_STRING,
    HET__TV_LIST,
    HET__TV_DICT,
    HET__TV_NAMESPACE, /* a dict that templates may write to */
    HET__TV_LOOP,
    HET__TV_MACRO,
    HET__TV_FUNCTION,  /* text: its name */
    HET__TV_METHOD,
} het__tv_kind;

typedef struct het__tv {
    het__tv_kind kind;
    union {
        bool truth;
        int64_t integer;
        double number;
        het__ts text;
        struct het__tv_list *list;
        struct het__tv_dict *dict;
        struct het__tv_loop *loop;
        struct het__tv_macro *macro;
        struct het__tv_method *method;
    } as;
} het__tv;

typedef struct het__tv_list {
    het__tv *at;
    size_t count, capacity;
    bool is_tuple;
} het__tv_list;

/* In the order of insertion. */
typedef struct het__tv_dict {
    het__tv *keys, *values;
    size_t count, capacity;
} het__tv_dict;

typedef struct het__tv_loop {
    const het__tv_list *items;
    size_t index; /* from zero */
} het__tv_loop;

typedef struct het__tv_method {
    het__tv self;
    het__ts name;
} het__tv_method;

/* What a run may use. */
typedef struct het__template_limits {
    uint64_t steps;
    size_t memory_bytes;
    size_t output_bytes;
} het__template_limits;

/* Reading or running a template: memory, what is left of the limits, the first failure. */
typedef struct het__tr {
    het__arena *arena;
    uint64_t steps_left;
    size_t memory_left;
    size_t output_left;
    unsigned depth;
    unsigned line; /* where it is, for sentences; 0: not in the template */
    const char *what; /* names the text in sentences */
    het_status status;
    het_error *err;
} het__tr;

#define HET__TR_DEPTH_MAX 160

bool het__tr_fail(het__tr *r, het_status status, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* Zero bytes; NULL after a failure. */
void *het__tr_alloc(het__tr *r, size_t count, size_t size);
/* Counts work; false when there was too much. */
bool het__tr_step(het__tr *r, uint64_t count);
/* One level deeper; het__tr_leave() follows in any case. */
bool het__tr_enter(het__tr *r);
void het__tr_leave(het__tr *r);

static inline het__ts het__ts_of(const char *text)
{
    return (het__ts){ text, __builtin_strlen(text) };
}

bool het__ts_equal(het__ts a, het__ts b);
bool het__ts_is(het__ts a, const char *text);
/* Offset of needle at or after from; SIZE_MAX if it is not there. */
size_t het__ts_find(het__ts in, het__ts needle, size_t from);
/* Bytes of the character at offset: a byte that is none counts as one. */
size_t het__ts_char(het__ts text, size_t offset);
size_t het__ts_length(het__ts text);
/* Without characters of `set` (bytes 0: white space) at the ends: sides & 1 left, & 2 right. */
het__ts het__ts_strip(het__ts text, het__ts set, unsigned sides);

static inline het__tv het__tv_undefined(het__ts name)
{
    return (het__tv){ .kind = HET__TV_UNDEFINED, .as.text = name };
}

static inline het__tv het__tv_none(void)
{
    return (het__tv){ .kind = HET__TV_NONE };
}

static inline het__tv het__tv_bool(bool truth)
{
    return (het__tv){ .kind = HET__TV_BOOL, .as.truth = truth };
}

static inline het__tv het__tv_int(int64_t integer)
{
    return (het__tv){ .kind = HET__TV_INT, .as.integer = integer };
}

static inline het__tv het__tv_float(double number)
{
    return (het__tv){ .kind = HET__TV_FLOAT, .as.number = number };
}

static inline het__tv het__tv_string(het__ts text)
{
    return (het__tv){ .kind = HET__TV_STRING, .as.text = text };
}

bool het__tv_new_list(het__tr *r, het__tv *out);
bool het__tv_new_dict(het__tr *r, het__tv *out);
bool het__tv_push(het__tr *r, het__tv_list *list, het__tv item);
bool het__tv_put(het__tr *r, het__tv_dict *dict, het__tv key, het__tv value);
/* NULL if it is not there. */
het__tv *het__tv_find(het__tr *r, const het__tv_dict *dict, het__tv key);
het__tv *het__tv_find_text(const het__tv_dict *dict, het__ts key);

/* "str", "int": as the language of templates calls it. */
const char *het__tv_type(het__tv v);
/* An integer or a truth as one. */
bool het__tv_as_int(het__tv v, int64_t *out);
bool het__tv_as_float(het__tv v, double *out);
bool het__tv_truth(het__tv v);
bool het__tv_equal(het__tr *r, het__tv a, het__tv b, bool *out);
/* order < 0, 0, > 0; fails for what has no order. */
bool het__tv_order(het__tr *r, het__tv a, het__tv b, int *order);
/* Items of a list, keys of a dict, characters of a string; nothing of what is undefined. */
bool het__tv_items(het__tr *r, het__tv v, het__tv_list **out);

/* A text under construction, in the arena. */
typedef struct het__tb {
    het__tr *r;
    char *data;
    size_t bytes, capacity;
} het__tb;

bool het__tb_add(het__tb *b, het__ts text);
bool het__tb_add_text(het__tb *b, const char *text);
/* As print shows it; a string inside a list is quoted. */
bool het__tb_add_value(het__tb *b, het__tv v);
bool het__tv_to_text(het__tr *r, het__tv v, het__ts *out);

/* A number with the fewest digits that read back the same, whatever the locale. */
void het__tv_float_text(double v, char text[48]);
/* False unless all of the text is a decimal number. */
bool het__tv_float_read(het__ts text, double *out);

/* template_json.c. indent < 0: on one line. */
bool het__tv_from_json(het__tr *r, het__ts text, het__tv *out);
typedef struct het__tv_json_style {
    int64_t indent;
    het__ts item, pair; /* separators */
    bool ascii, sorted;
} het__tv_json_style;
bool het__tv_to_json(het__tb *b, het__tv v, const het__tv_json_style *style);

#endif /* HET_TEXT_TEMPLATE_VALUE_H */
