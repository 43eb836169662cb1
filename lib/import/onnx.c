/* SPDX-License-Identifier: Apache-2.0 */
/* Opening and closing of ONNX models, and what the files of the reader share: names, places in
 * messages, arrays of the model. */
#include "lib/import/onnx.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "lib/import/onnx_parts.h"
#include "lib/text/utf8.h"

/* A longer name helps nobody. */
#define NAME_BYTES_MAX 4096

/* What functions and captures may make of a file, in pieces of about 300 bytes of memory. */
#define BUDGET ((uint64_t)1 << 16)

/* ---- failing ---- */

het_status het__onnx_bad(const het__onnx_reader *r, const uint8_t *at, const char *format, ...)
{
    char text[200];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    return het__fail(r->err, HET_E_FORMAT, "byte %zu: %s", (size_t)(at - r->data), text);
}

het_status het__onnx_nomem(const het__onnx_reader *r)
{
    return het__fail_nomem(r->err, "an ONNX model");
}

/* Names come from the file: whoever shows a message must not have to think of that. */
static void clean_message(char *text)
{
    char *to = text;
    for (const char *p = text; *p;) {
        const size_t n = het__utf8_char(p, strlen(p));
        const bool shown = n > 1 || (n == 1 && *p >= 0x20 && *p < 0x7f);
        if (n == 0 && strlen(p) < 4)
            break; /* a character that the end of the message cut */
        if (shown)
            memmove(to, p, n);
        else
            *to = '?';
        to += shown ? n : 1;
        p += n ? n : 1;
    }
    *to = '\0';
}

static het_status give_error(het_error *err, het_error *ours, het_status status)
{
    clean_message(ours->message);
    return het__fail_native(err, status, ours->native_code, "%s", ours->message);
}

/* ---- names ---- */

static const char *intern(het__onnx_reader *r, const char *text, size_t bytes)
{
    const het__name_slot *slot = het__names_find(&r->interned, text, bytes);
    if (slot)
        return slot->name;
    const char *copy = het__arena_strndup(r->keep, text, bytes);
    return copy && het__names_add(&r->interned, copy, bytes, 0) ? copy : NULL;
}

het_status het__onnx_name(het__onnx_reader *r, const het__pb *bytes, const char **name)
{
    const size_t n = het__pb_left(bytes);
    if (n > NAME_BYTES_MAX)
        return het__onnx_bad(r, bytes->at, "a name of %zu bytes", n);
    for (const uint8_t *p = bytes->at; p < bytes->end;) {
        const size_t c = het__utf8_char((const char *)p, (size_t)(bytes->end - p));
        if (c == 0 || *p == 0)
            return het__onnx_bad(r, p, "a name that is no text");
        p += c;
    }
    const char *copy = n ? intern(r, (const char *)bytes->at, n) : "";
    *name = copy ? copy : "";
    return copy ? HET_OK : het__onnx_nomem(r);
}

const char *het__onnx_join(het__onnx_reader *r, const char *a, const char *b, const char *c)
{
    const size_t x = strlen(a), y = strlen(b), z = strlen(c);
    char buffer[256];
    char *text = x + y + z < sizeof buffer ? buffer : het__alloc(r->mem, x + y + z + 1);
    if (!text)
        return NULL;
    memcpy(text, a, x);
    memcpy(text + x, b, y);
    memcpy(text + x + y, c, z);
    const char *name = intern(r, text, x + y + z);
    if (text != buffer)
        het__free(r->mem, text);
    return name;
}

const char *het__onnx_domain(const char *domain)
{
    return strcmp(domain, "ai.onnx") == 0 ? "" : domain;
}

const char *het__onnx_text(het__onnx_reader *r, const het__pb *bytes)
{
    const size_t n = het__pb_left(bytes);
    char *text = het__arena_alloc(r->keep, n + 1);
    if (!text)
        return NULL;
    for (size_t i = 0; i < n;) {
        const char *p = (const char *)bytes->at + i;
        const size_t c = *p ? het__utf8_char(p, n - i) : 0;
        if (c)
            memcpy(text + i, p, c);
        else
            text[i] = '?';
        i += c ? c : 1;
    }
    text[n] = '\0';
    return text;
}

/* ---- memory ---- */

bool het__onnx_grow(het__onnx_reader *r, void **array, uint32_t count, uint32_t *capacity,
                    size_t size)
{
    if (count < *capacity)
        return true;
    if (*capacity > UINT32_MAX / 4)
        return false;
    const uint32_t next = *capacity ? *capacity * 2 : 16;
    size_t bytes;
    void *p = het__mul_size(next, size, &bytes) ? het__realloc(r->mem, *array, bytes) : NULL;
    if (!p)
        return false;
    *array = p;
    *capacity = next;
    return true;
}

het_status het__onnx_spend(het__onnx_reader *r, uint64_t pieces)
{
    if (pieces > r->budget)
        return het__fail(r->err, HET_E_UNSUPPORTED,
                         "calls of functions make too much of a file of %zu bytes", r->size);
    r->budget -= pieces;
    return HET_OK;
}

/* ---- opening and closing ---- */

bool het__onnx_sniff(const void *data, size_t size)
{
    /* Fields of a model by their numbers: the wire type of each, 0 for none. */
    static const char wire[27] = "vbbbvbbb     b     b    bb";
    const uint8_t *first = data;
    het__pb m = { .at = first, .end = first + size };
    bool version = false, graph = false;
    for (int i = 0; i < 64; i++) {
        het__pb_field f;
        const uint8_t *at = m.at;
        if (!het__pb_next(&m, &f)) {
            /* The graph reaches beyond what is there: its key alone must do. */
            graph |= m.bad && *at == HET__PB_KEY(7, HET__PB_BYTES);
            break;
        }
        const uint32_t number = f.key >> 3;
        if (number >= sizeof wire || wire[number - 1] != ((f.key & 7) == 0 ? 'v' : 'b') ||
            ((f.key & 7) != HET__PB_VARINT && (f.key & 7) != HET__PB_BYTES))
            return false;
        version |= number == 1 && f.value >= 1 && f.value < 1000;
        graph |= number == 7;
    }
    return version && (graph || !m.bad);
}

static bool fill_ops(het__onnx_reader *r)
{
    for (int op = HET__OP_T_FIRST; op < HET__OP_T_UNKNOWN; op++) {
        const char *name = het__tensor_op_of((het__op)op)->info.name;
        if (!het__names_add(&r->ops, name, strlen(name), (uint32_t)op))
            return false;
    }
    return true;
}

static void finish_reader(het__onnx_reader *r)
{
    for (uint32_t i = 0; i < r->function_count; i++)
        het__names_finish(&r->functions[i].opsets);
    het__names_finish(&r->interned);
    het__names_finish(&r->ops);
    het__names_finish(&r->opsets);
    het__names_finish(&r->called);
    het__names_finish(&r->files);
    het__arena_finish(&r->scratch);
}

het_status het__onnx_open(const void *data, size_t size, const char *folder, het__mem *mem,
                          het__onnx *model, het_error *err)
{
    het_error ours = HET_ERROR_INIT;
    het__onnx_reader r = { .data = data, .size = size, .folder = folder, .mem = mem,
                           .model = model, .err = &ours };
    het__onnx_part part = { .name = "" };
    memset(model, 0, sizeof *model);
    model->mem = mem;
    model->name = "";
    het__graph_init(&model->graph, mem);
    r.keep = &model->graph.arena;
    r.budget = BUDGET + 4 * (uint64_t)size;
    het__arena_init(&r.scratch, mem);
    het__names_init(&r.interned, mem);
    het__names_init(&r.ops, mem);
    het__names_init(&r.opsets, mem);
    het__names_init(&r.called, mem);
    het__names_init(&r.files, mem);
    het_status s = fill_ops(&r) ? het__onnx_parse_model(&r, &part) : het__onnx_nomem(&r);
    if (s == HET_OK)
        s = het__onnx_build(&r, &part);
    model->name = part.name;
    finish_reader(&r);
    if (s == HET_OK)
        return s;
    het__onnx_close(model);
    return give_error(err, &ours, s);
}

void het__onnx_close(het__onnx *model)
{
    het__mem *mem = model->mem;
    if (!mem)
        return;
    for (uint32_t i = 0; i < model->body_count; i++)
        het__graph_finish(model->bodies[i]);
    for (uint32_t i = 0; i < model->external_count; i++)
        het__unmap_file(&model->external[i]);
    het__free(mem, model->bodies);
    het__free(mem, model->external);
    het__free(mem, model->weights);
    het__free(mem, model->properties);
    het__graph_finish(&model->graph);
    memset(model, 0, sizeof *model);
}
