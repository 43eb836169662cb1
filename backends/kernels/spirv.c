/* SPDX-License-Identifier: Apache-2.0 */
/* Which module answers a set of options: for each line of the list whose options these are, those
 * that pick a module make a key, which is searched; the others become constants. */
#include "backends/kernels/spirv.h"

#include <assert.h>
#include <limits.h>
#include <string.h>

#include "backends/kernels/spirv_table.h"

#define OPTIONS_MAX 24
#define KEY_MAX 256
#define SUBGROUP 16u

/* "-DNAME=VALUE"; without a value it is "1". Neither is ended by a NUL. */
typedef struct given {
    const char *name, *value;
    size_t name_bytes, value_bytes;
} given;

static bool is(const char *name, const char *text, size_t bytes)
{
    return strlen(name) == bytes && memcmp(name, text, bytes) == 0;
}

/* Options by words; false: something else is among them, or there are too many. */
static bool parse(const char *text, given list[OPTIONS_MAX], uint32_t *count)
{
    uint32_t n = 0;
    for (text += strspn(text, " "); *text; text += strspn(text, " ")) {
        const size_t bytes = strcspn(text, " ");
        if (n == OPTIONS_MAX || bytes < 3 || memcmp(text, "-D", 2) != 0)
            return false;
        const char *name = text + 2, *equals = memchr(name, '=', bytes - 2);
        text += bytes;
        list[n++] = equals ? (given){ name, equals + 1, (size_t)(equals - name),
                                      (size_t)(text - equals - 1) }
                           : (given){ name, "1", (size_t)(text - name), 1 };
    }
    *count = n;
    return true;
}

static const given *find_given(const given *list, uint32_t count, const char *name)
{
    for (uint32_t i = 0; i < count; i++)
        if (is(name, list[i].name, list[i].name_bytes))
            return &list[i];
    return NULL;
}

static bool names(const het__spirv_line *line, const given *option)
{
    for (uint32_t i = 0; i < line->option_count; i++)
        if (is(line->options[i].name, option->name, option->name_bytes))
            return true;
    return false;
}

static bool append(char key[KEY_MAX], size_t *used, const char *text, size_t bytes)
{
    if (bytes >= KEY_MAX - *used)
        return false;
    memcpy(key + *used, text, bytes);
    *used += bytes;
    key[*used] = 0;
    return true;
}

/* The key that options have on a line; false: they are not its options. */
static bool key_of(const het__spirv_line *line, const given *list, uint32_t count,
                   char key[KEY_MAX])
{
    size_t used = 0;
    for (uint32_t i = 0; i < count; i++)
        if (!names(line, &list[i]))
            return false;
    bool fits = append(key, &used, line->file, strlen(line->file));
    for (uint32_t i = 0; i < line->option_count && fits; i++) {
        const het__spirv_option *o = &line->options[i];
        if (o->constant >= 0)
            continue;
        const given *g = find_given(list, count, o->name);
        fits = g && append(key, &used, " ", 1) && append(key, &used, o->name, strlen(o->name)) &&
               append(key, &used, "=", 1) && append(key, &used, g->value, g->value_bytes);
    }
    return fits;
}

/* The first module of a key that the target has what it needs for. */
static const het__spirv_module *search(const char *key, uint32_t offers)
{
    uint32_t low = 0, high = het__spirv_module_count;
    while (low < high) {
        const uint32_t middle = low + (high - low) / 2;
        if (strcmp(het__spirv_modules[middle].key, key) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    for (; low < het__spirv_module_count && strcmp(het__spirv_modules[low].key, key) == 0; low++)
        if ((het__spirv_modules[low].needs & ~offers) == 0)
            return &het__spirv_modules[low];
    return NULL;
}

/* A number from 0 to most; false: it is none. */
static bool number_of(const given *g, int32_t most, int32_t *value)
{
    int64_t n = 0;
    for (size_t i = 0; i < g->value_bytes; i++) {
        if (g->value[i] < '0' || g->value[i] > '9' || n > INT32_MAX)
            return false;
        n = n * 10 + (g->value[i] - '0');
    }
    *value = (int32_t)(n <= most ? n : 0);
    return g->value_bytes > 0 && n <= most;
}

/* Which of the words the value is. */
static bool word_of(const given *g, const char *words, int32_t *value)
{
    for (*value = 0; *words; ++*value, words += *words == ',') {
        const size_t bytes = strcspn(words, ",");
        if (bytes == g->value_bytes && memcmp(words, g->value, bytes) == 0)
            return true;
        words += bytes;
    }
    return false;
}

/* False: a value is none that the constant can have. */
static bool constants_of(const het__spirv_module *module, const given *list, uint32_t count,
                         het__spirv *found)
{
    const het__spirv_line *line = &het__spirv_lines[module->line];
    for (uint32_t i = 0; i < line->option_count; i++) {
        const het__spirv_option *o = &line->options[i];
        const given *g = o->constant < 0 ? NULL : find_given(list, count, o->name);
        int32_t value = 0;
        if (g && !(o->words ? word_of(g, o->words, &value) : number_of(g, o->most, &value)))
            return false;
        if (!g || !(module->constants >> o->constant & 1))
            continue;
        assert(found->constant_count < HET__SPIRV_CONSTANTS_MAX);
        found->ids[found->constant_count] = (uint32_t)o->constant;
        found->values[found->constant_count++] = value;
    }
    return true;
}

bool het__spirv_find(const char *file, const char *options, const het__spirv_target *target,
                     het__spirv *found)
{
    given list[OPTIONS_MAX];
    uint32_t count;
    char key[KEY_MAX];
    if (!parse(options, list, &count))
        return false;
    const uint32_t offers = (target->fp16 ? HET__SPIRV_FP16 : 0) |
                            (target->subgroup == SUBGROUP ? HET__SPIRV_SUBGROUP : 0) |
                            (target->dp4a ? HET__SPIRV_DP4A : 0) |
                            (target->xmx ? HET__SPIRV_XMX : 0);
    for (uint32_t i = 0; i < het__spirv_line_count; i++) {
        const het__spirv_line *line = &het__spirv_lines[i];
        if (strcmp(line->file, file) != 0 || !key_of(line, list, count, key))
            continue;
        const het__spirv_module *module = search(key, offers);
        het__spirv result = { .code = module ? module->words : NULL };
        if (!module || &het__spirv_lines[module->line] != line ||
            !constants_of(module, list, count, &result))
            continue;
        result.bytes = module->bytes;
        *found = result;
        return true;
    }
    return false;
}
