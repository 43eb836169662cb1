/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/base/text.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

void het__text_init(het__text *text, het__mem *mem)
{
    memset(text, 0, sizeof *text);
    text->mem = mem;
}

void het__text_finish(het__text *text)
{
    het__free(text->mem, text->data);
    text->data = NULL;
    text->length = text->capacity = 0;
}

static bool reserve(het__text *text, size_t more)
{
    size_t need;
    if (text->failed || !het__add_size(text->length, more, &need) || need > SIZE_MAX / 2 - 1) {
        text->failed = true;
        return false;
    }
    if (need + 1 <= text->capacity)
        return true;
    const size_t capacity = 2 * (need + 1) < 256 ? 256 : 2 * (need + 1);
    char *p = het__realloc(text->mem, text->data, capacity);
    if (!p) {
        text->failed = true;
        return false;
    }
    text->data = p;
    text->capacity = capacity;
    return true;
}

void het__text_append(het__text *text, const char *data, size_t length)
{
    if (!reserve(text, length))
        return;
    memcpy(text->data + text->length, data, length);
    text->length += length;
    text->data[text->length] = '\0';
}

void het__text_printf(het__text *text, const char *format, ...)
{
    va_list args, again;
    va_start(args, format);
    va_copy(again, args);
    const int n = vsnprintf(NULL, 0, format, args);
    va_end(args);
    if (n >= 0 && reserve(text, (size_t)n)) {
        vsnprintf(text->data + text->length, (size_t)n + 1, format, again);
        text->length += (size_t)n;
    }
    va_end(again);
}

char *het__text_take(het__text *text)
{
    if (text->failed || !reserve(text, 0)) {
        het__text_finish(text);
        return NULL;
    }
    text->data[text->length] = '\0';
    char *p = text->data;
    text->data = NULL;
    text->length = text->capacity = 0;
    return p;
}

void het__append(char *text, size_t bytes, const char *format, ...)
{
    const size_t used = strlen(text);
    va_list list;
    va_start(list, format);
    vsnprintf(text + used, bytes - used, format, list);
    va_end(list);
}
