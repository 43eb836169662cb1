/* SPDX-License-Identifier: Apache-2.0 */
/* Intel's compilers have a function that adds four products of 8 bits to a sum, and modules import
 * it by its name. PoCL has none: here the import becomes a function of the module, made of shifts,
 * products and sums.
 *
 *     sum + (a << 24 >> 24) * (b << 24 >> 24) + (a << 16 >> 24) * … + …
 */
#include <stdlib.h>
#include <string.h>

#include "driver.h"

#define NAME "__builtin_IB_dp4a_ss"

enum { OP_TYPE_INT = 21, OP_CONSTANT = 43, OP_FUNCTION = 54, OP_PARAMETER = 55,
       OP_FUNCTION_END = 56, OP_DECORATE = 71, OP_ADD = 128, OP_MUL = 132, OP_SHIFT_RIGHT = 195,
       OP_SHIFT_LEFT = 196, OP_LABEL = 248, OP_RETURN_VALUE = 254 };
enum { LINKAGE = 41, EXPORT = 0, IMPORT = 1 };
/* What is added: three constants, a label, per byte four shifts, a product and a sum. */
enum { WORDS_MORE = 3 * 4 + 2 + 4 * 6 * 5 + 2 };

typedef struct writer {
    uint32_t *words;
    size_t count;
    uint32_t next_id;
} writer;

static void put(writer *w, uint32_t op, uint32_t count, const uint32_t *operands)
{
    w->words[w->count++] = (count + 1) << 16 | op;
    memcpy(w->words + w->count, operands, count * sizeof *operands);
    w->count += count;
}

static uint32_t put_new(writer *w, uint32_t op, uint32_t type, uint32_t a, uint32_t b)
{
    const uint32_t operands[] = { type, w->next_id, a, b };
    put(w, op, 4, operands);
    return w->next_id++;
}

static uint32_t put_constant(writer *w, uint32_t type, uint32_t value)
{
    const uint32_t operands[] = { type, w->next_id, value };
    put(w, OP_CONSTANT, 3, operands);
    return w->next_id++;
}

/* parameters: sum, a, b. shifts: constants 8, 16, 24. */
static void put_body(writer *w, uint32_t type, const uint32_t parameters[3],
                     const uint32_t shifts[3])
{
    uint32_t sum = parameters[0];
    const uint32_t label = w->next_id++;
    put(w, OP_LABEL, 1, &label);
    for (int byte = 0; byte < 4; byte++) {
        uint32_t of[2];
        for (int i = 0; i < 2; i++) {
            of[i] = parameters[1 + i];
            if (byte < 3)
                of[i] = put_new(w, OP_SHIFT_LEFT, type, of[i], shifts[2 - byte]);
            of[i] = put_new(w, OP_SHIFT_RIGHT, type, of[i], shifts[2]);
        }
        sum = put_new(w, OP_ADD, type, sum, put_new(w, OP_MUL, type, of[0], of[1]));
    }
    put(w, OP_RETURN_VALUE, 1, &sum);
}

bool zd_is_dot_import(const uint32_t *words, uint32_t count)
{
    const size_t name_words = sizeof NAME / 4 + 1;
    return (words[0] & 0xffff) == OP_DECORATE && count == 4 + name_words &&
           words[2] == LINKAGE && words[count - 1] == IMPORT &&
           strncmp((const char *)(words + 3), NAME, 4 * name_words) == 0;
}

void *zd_define_dot(const void *spirv, size_t *bytes)
{
    const size_t count = *bytes / 4;
    uint32_t *const from = malloc(*bytes), id = 0, type = 0, shifts[3], parameters[3], seen = 0;
    writer w = { .words = malloc(*bytes + 4 * WORDS_MORE) };
    bool inside = false, has_functions = false;
    if (!from || !w.words) {
        free(from);
        free(w.words);
        return NULL;
    }
    memcpy(from, spirv, *bytes);
    memcpy(w.words, from, 20);
    w.count = 5;
    w.next_id = from[3];
    for (size_t i = 5; i < count; i += from[i] >> 16) {
        const uint32_t op = from[i] & 0xffff, length = from[i] >> 16;
        const bool is_import = zd_is_dot_import(from + i, length);
        if (is_import)
            id = from[i + 1];
        if (op == OP_TYPE_INT && from[i + 2] == 32)
            type = from[i + 1];
        if (op == OP_FUNCTION && !has_functions) {
            has_functions = true;
            for (uint32_t k = 0; k < 3; k++)
                shifts[k] = put_constant(&w, type, 8 * (k + 1));
        }
        inside = op == OP_FUNCTION ? from[i + 2] == id : inside;
        if (inside && op == OP_PARAMETER && seen < 3)
            parameters[seen++] = from[i + 2];
        if (inside && op == OP_FUNCTION_END && seen == 3)
            put_body(&w, type, parameters, shifts);
        memcpy(w.words + w.count, from + i, 4 * length);
        w.count += length;
        if (is_import)
            w.words[w.count - 1] = EXPORT;
    }
    w.words[3] = w.next_id;
    *bytes = 4 * w.count;
    free(from);
    return w.words;
}
