/* SPDX-License-Identifier: Apache-2.0 */
/* Names of classes: line i of a text file is class i. */
#ifndef CLASSIFY_LABELS_H
#define CLASSIFY_LABELS_H

#include <stdbool.h>
#include <stddef.h>

typedef struct labels {
    char *text;  /* the file, cut in lines */
    char **line; /* into text */
    size_t count;
} labels;

bool labels_load(labels *out, const char *path);
void labels_free(labels *l);

#endif /* CLASSIFY_LABELS_H */
