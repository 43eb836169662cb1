/* SPDX-License-Identifier: Apache-2.0 */
/* The whole file at once, cut in place. An empty line is a class with an empty name. */
#include "labels.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BYTES_MAX (16u << 20)

/* The whole file and a NUL behind it; NULL if it cannot be read or is too large. */
static char *read_text(const char *path)
{
    FILE *file = fopen(path, "rb");
    size_t size = 0, capacity = 4096;
    char *text = file ? malloc(capacity) : NULL;
    while (text) {
        size += fread(text + size, 1, capacity - size - 1, file);
        if (size < capacity - 1)
            break;
        char *more = capacity < BYTES_MAX ? realloc(text, capacity * 2) : NULL;
        if (!more)
            free(text);
        text = more;
        capacity *= 2;
    }
    if (text && ferror(file)) {
        free(text);
        text = NULL;
    }
    if (text)
        text[size] = '\0';
    if (file)
        fclose(file);
    return text;
}

bool labels_load(labels *out, const char *path)
{
    *out = (labels){ .text = read_text(path) };
    if (!out->text)
        return false;
    size_t lines = 1;
    for (const char *p = out->text; *p; p++)
        lines += *p == '\n';
    out->line = malloc(lines * sizeof *out->line);
    if (!out->line) {
        labels_free(out);
        return false;
    }
    for (char *p = out->text; *p;) {
        const size_t length = strcspn(p, "\n");
        char *next = p + length + (p[length] != '\0');
        p[length] = '\0';
        if (length > 0 && p[length - 1] == '\r')
            p[length - 1] = '\0';
        out->line[out->count++] = p;
        p = next;
    }
    return true;
}

void labels_free(labels *l)
{
    free(l->line);
    free(l->text);
    *l = (labels){ 0 };
}
