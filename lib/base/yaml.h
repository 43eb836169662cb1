/* SPDX-License-Identifier: Apache-2.0 */
/* A YAML document as a tree, with the line of each node for messages, and the few forms in which
 * this library writes YAML. libyaml reads; one document, no anchors, no tags, keys unique; size,
 * depth and count of nodes are bounded.
 *
 * What libyaml keeps while it reads comes from malloc(), which it cannot be told to replace: some
 * times the longest scalar, given back before the call returns. The tree is in the arena. */
#ifndef HET_BASE_YAML_H
#define HET_BASE_YAML_H

#include <stdbool.h>

#include "lib/base/arena.h"
#include "lib/base/text.h"

#include <hetinfer/base.h>

#define HET__YAML_BYTES_MAX (16u << 20)
#define HET__YAML_NODES_MAX (1u << 20)
#define HET__YAML_DEPTH_MAX 32

typedef enum het__yaml_kind {
    HET__YAML_SCALAR = 0,
    HET__YAML_SEQUENCE,
    HET__YAML_MAPPING
} het__yaml_kind;

typedef struct het__yaml_node {
    uint32_t kind;              /* het__yaml_kind */
    uint32_t line;              /* from 1 */
    const char *key;            /* in a mapping; else NULL */
    const char *text;           /* scalar, NUL-terminated; may be ""; else NULL */
    bool is_quoted;             /* scalar in quotes: never a number, never null */
    uint32_t count;             /* children of a sequence or mapping */
    const struct het__yaml_node *children; /* in file order */
} het__yaml_node;

/* Parse text into memory of the arena. `what` names the document in messages ("policy.yaml"); it
 * must live as long as the tree is asked. An empty document is an empty mapping. HET_E_FORMAT with
 * "WHAT:LINE: sentence" if it is no YAML or goes beyond what is said above. */
het_status het__yaml_parse(const char *text, size_t size, const char *what, het__arena *arena,
                           const het__yaml_node **root, het_error *err);

/* NULL if there is no such key, or node is no mapping. */
const het__yaml_node *het__yaml_get(const het__yaml_node *node, const char *key);

/* Fail with HET_E_INVALID, "WHAT:LINE: sentence". What a file brings into the sentence may hold
 * anything: characters that a terminal would act on become '?'. */
het_status het__yaml_fail(const char *what, const het__yaml_node *node, het_error *err,
                          const char *format, ...)
    __attribute__((format(printf, 4, 5)));

/* A mapping has no keys but these (NULL-terminated); the message names the key and its line. */
het_status het__yaml_keys(const char *what, const het__yaml_node *node, const char *const *keys,
                          het_error *err);
/* The value of a key that must be there. */
het_status het__yaml_need(const char *what, const het__yaml_node *node, const char *key,
                          const het__yaml_node **value, het_error *err);

/* A finite number within [low, high]. Decimal or scientific; a unit may follow after a space or at
 * once: k, M, G, T (powers of 1000), Ki, Mi, Gi, Ti (powers of 1024), with "B" or "B/s" or nothing
 * behind it. */
het_status het__yaml_number(const char *what, const het__yaml_node *node, double low, double high,
                            double *value, het_error *err);
/* A finite number within [low, high] and the unit that it must have ("B/s", "s"), before which one
 * of p, n, u, m, k, M, G, T, P may stand, and before "B" and "B/s" also Ki, Mi, Gi, Ti. "": neither
 * a unit nor a prefix. The value is in units of 10^-power, to which low and high apply: 9 makes
 * nanoseconds of seconds. */
het_status het__yaml_quantity(const char *what, const het__yaml_node *node, const char *unit,
                              int power, double low, double high, double *value, het_error *err);
/* true/false, yes/no, on/off. */
het_status het__yaml_flag(const char *what, const het__yaml_node *node, bool *value,
                          het_error *err);
/* One of these names (NULL-terminated); its index. */
het_status het__yaml_choice(const char *what, const het__yaml_node *node, const char *const *names,
                            uint32_t *index, het_error *err);
/* A scalar of 1 to bytes_max bytes that a terminal shows as it is: no control characters, no line
 * breaks. */
het_status het__yaml_text(const char *what, const het__yaml_node *node, size_t bytes_max,
                          const char **text, het_error *err);

/* ---- writing: yaml_write.c ---- */

/* The shortest form that het__yaml_quantity() reads as exactly this value; value is finite. */
void het__yaml_put_quantity(het__text *out, double value, const char *unit, int power);
/* In double quotes; what het__yaml_text() would refuse becomes '?'. */
void het__yaml_put_text(het__text *out, const char *text);
/* Bytes of the character at text that may be shown as it is; 0: a control character, a line break,
 * or no UTF-8. text is NUL-terminated and not at its end. */
size_t het__yaml_shown(const char *text);

#endif /* HET_BASE_YAML_H */
