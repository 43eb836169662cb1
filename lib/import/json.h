/* SPDX-License-Identifier: Apache-2.0 */
/* Untrusted JSON files: size and depth are bounded before they are parsed, duplicate keys are
 * refused, and what is wrong is said in printable ASCII with the file's name. The parser's own
 * memory is the C library's and lives as long as the tree. */
#ifndef HET_IMPORT_JSON_H
#define HET_IMPORT_JSON_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include <hetinfer/base.h>

typedef struct het__json_limits {
    size_t bytes_max;
    size_t depth_max;
} het__json_limits;

/* The file's outermost object, to be given back with json_decref(). name is for messages. */
het_status het__json_read(const char *name, const void *data, size_t bytes,
                          const het__json_limits *limits, json_t **root, het_error *err);

/* Every character that is not printable ASCII becomes '?'; the text itself. */
char *het__printable(char *text);

/* The text of a key of an object, or NULL. */
static inline const char *het__json_text(const json_t *object, const char *key)
{
    return json_string_value(json_object_get(object, key));
}

#endif /* HET_IMPORT_JSON_H */
