/* SPDX-License-Identifier: Apache-2.0 */
/* A text that grows: reports, plan text, messages. Appending never fails visibly; het__text_take()
 * tells at the end. */
#ifndef HET_BASE_TEXT_H
#define HET_BASE_TEXT_H

#include "lib/base/mem.h"

typedef struct het__text {
    het__mem *mem;
    char *data; /* NUL-terminated, or NULL while empty */
    size_t length;
    size_t capacity;
    bool failed;
} het__text;

void het__text_init(het__text *text, het__mem *mem);
void het__text_finish(het__text *text);
void het__text_append(het__text *text, const char *data, size_t length);
void het__text_printf(het__text *text, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* The finished text, owned by the caller (het__free()); NULL if memory ran out on the way. */
char *het__text_take(het__text *text);

/* Append to a text in a buffer of `bytes`; what does not fit is cut off. */
void het__append(char *text, size_t bytes, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

#endif /* HET_BASE_TEXT_H */
