/* SPDX-License-Identifier: Apache-2.0 */
/* A YAML document as a tree, with the line of each node for messages. libyaml reads it; one
 * document, no anchors, no tags, keys unique; size, depth and count of nodes are bounded. */
#ifndef HET_BASE_YAML_H
#define HET_BASE_YAML_H

#include <stdbool.h>

#include "lib/base/arena.h"

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
    const char *text;           /* scalar, NUL-terminated; may be "" */
    bool is_quoted;             /* scalar in quotes: never a number, never null */
    uint32_t count;             /* children of a sequence or mapping */
    const struct het__yaml_node *children; /* in file order */
} het__yaml_node;

/* Parse text into memory of the arena. `what` names the document in messages ("policy.yaml"); it
 * must live as long as the tree is asked. An empty document is an empty mapping. */
het_status het__yaml_parse(const char *text, size_t size, const char *what, het__arena *arena,
                           const het__yaml_node **root, het_error *err);

/* NULL if there is no such key, or node is no mapping. */
const het__yaml_node *het__yaml_get(const het__yaml_node *node, const char *key);

/* Fail with HET_E_INVALID, "WHAT:LINE: sentence". */
het_status het__yaml_fail(const char *what, const het__yaml_node *node, het_error *err,
                          const char *format, ...)
    __attribute__((format(printf, 4, 5)));

/* A mapping has no keys but these (NULL-terminated); the message names the key and its line. */
het_status het__yaml_keys(const char *what, const het__yaml_node *node, const char *const *keys,
                          het_error *err);

/* A finite number within [low, high]. Decimal or scientific; a unit may follow after a space or at
 * once: k, M, G, T (powers of 1000), Ki, Mi, Gi, Ti (powers of 1024), with "B" or "B/s" or nothing
 * behind it. */
het_status het__yaml_number(const char *what, const het__yaml_node *node, double low, double high,
                            double *value, het_error *err);
/* true/false, yes/no, on/off. */
het_status het__yaml_flag(const char *what, const het__yaml_node *node, bool *value,
                          het_error *err);
/* One of these names (NULL-terminated); its index. */
het_status het__yaml_choice(const char *what, const het__yaml_node *node, const char *const *names,
                            uint32_t *index, het_error *err);

#endif /* HET_BASE_YAML_H */
