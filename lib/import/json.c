/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/import/json.h"

#include <stdio.h>
#include <string.h>

#include "lib/base/error.h"

char *het__printable(char *text)
{
    for (char *p = text; *p; p++)
        if (*p < 0x20 || *p > 0x7e)
            *p = '?';
    return text;
}

/* Deepest nesting of brackets outside of strings. */
static size_t depth_of(const char *p, size_t bytes)
{
    size_t depth = 0, most = 0;
    bool quoted = false;
    for (size_t i = 0; i < bytes; i++) {
        if (quoted) {
            if (p[i] == '\\')
                i++;
            else if (p[i] == '"')
                quoted = false;
        } else if (p[i] == '"') {
            quoted = true;
        } else if (p[i] == '{' || p[i] == '[') {
            depth++;
            most = depth > most ? depth : most;
        } else if ((p[i] == '}' || p[i] == ']') && depth > 0) {
            depth--;
        }
    }
    return most;
}

het_status het__json_read(const char *name, const void *data, size_t bytes,
                          const het__json_limits *limits, json_t **root, het_error *err)
{
    json_error_t problem;
    const char *text = data;
    *root = NULL;
    if (bytes >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0) {
        text += 3;
        bytes -= 3;
    }
    if (bytes > limits->bytes_max)
        return het__fail(err, HET_E_FORMAT, "%s has %zu bytes, more than %zu", name, bytes,
                         limits->bytes_max);
    if (depth_of(text, bytes) > limits->depth_max)
        return het__fail(err, HET_E_FORMAT, "%s is nested deeper than %zu", name,
                         limits->depth_max);
    *root = json_loadb(text, bytes, JSON_REJECT_DUPLICATES, &problem);
    if (!*root)
        return het__fail(err, HET_E_FORMAT, "%s: line %d: %.120s", name, problem.line,
                         het__printable(problem.text));
    if (json_is_object(*root))
        return HET_OK;
    json_decref(*root);
    *root = NULL;
    return het__fail(err, HET_E_FORMAT, "%s is not an object", name);
}
