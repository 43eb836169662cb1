/* SPDX-License-Identifier: Apache-2.0 */
/* Small ONNX files for tests, byte by byte.
 *
 *     tiny_onnx m = { 0 };
 *     tiny_onnx_input(&m, "x", TINY_F32, "N,3");
 *     tiny_onnx_floats(&m, "b", "3", values, 3);
 *     tiny_onnx_node(&m, "Add", "", "add", "x,b", "y");
 *     tiny_onnx_output(&m, "y", TINY_F32, "N,3");
 *     tiny_onnx_finish(&m, 13);      m.file, m.bytes: for tiny_onnx_free() */
#ifndef HETINFER_TINY_ONNX_H
#define HETINFER_TINY_ONNX_H

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

enum { TINY_F32 = 1, TINY_I64 = 7 };

/* A protobuf message that grows. */
typedef struct tiny_message {
    uint8_t *data;
    size_t bytes;
} tiny_message;

typedef struct tiny_onnx {
    tiny_message graph;
    uint8_t *file;
    size_t bytes;
} tiny_onnx;

static inline void tiny_bytes(tiny_message *m, const void *data, size_t bytes)
{
    m->data = realloc(m->data, m->bytes + bytes + 1);
    memcpy(m->data + m->bytes, data, bytes);
    m->bytes += bytes;
}

static inline void tiny_varint(tiny_message *m, uint64_t value)
{
    do {
        const uint8_t byte = (uint8_t)((value & 0x7f) | (value > 0x7f ? 0x80 : 0));
        tiny_bytes(m, &byte, 1);
        value >>= 7;
    } while (value);
}

static inline void tiny_int(tiny_message *m, uint32_t field, uint64_t value)
{
    tiny_varint(m, field << 3);
    tiny_varint(m, value);
}

static inline void tiny_blob(tiny_message *m, uint32_t field, const void *data, size_t bytes)
{
    tiny_varint(m, field << 3 | 2);
    tiny_varint(m, bytes);
    tiny_bytes(m, data, bytes);
}

static inline void tiny_text(tiny_message *m, uint32_t field, const char *text)
{
    tiny_blob(m, field, text, strlen(text));
}

/* Takes inner over. */
static inline void tiny_inside(tiny_message *m, uint32_t field, tiny_message *inner)
{
    tiny_blob(m, field, inner->data ? (const void *)inner->data : "", inner->bytes);
    free(inner->data);
    *inner = (tiny_message){ NULL, 0 };
}

/* Calls put(m, field, part) for each part of a list with commas. */
static inline void tiny_list(tiny_message *m, uint32_t field, const char *list,
                             void (*put)(tiny_message *m, uint32_t field, const char *part))
{
    char part[64];
    for (const char *at = list; *at;) {
        const size_t n = strcspn(at, ",");
        memcpy(part, at, n);
        part[n] = '\0';
        put(m, field, part);
        at += n + (at[n] == ',');
    }
}

/* A number, a name, or "?". */
static inline void tiny_dimension(tiny_message *m, uint32_t field, const char *part)
{
    tiny_message d = { NULL, 0 };
    if (part[0] >= '0' && part[0] <= '9')
        tiny_int(&d, 1, strtoull(part, NULL, 10));
    else if (part[0] != '?')
        tiny_text(&d, 2, part);
    tiny_inside(m, field, &d);
}

static inline void tiny_extent(tiny_message *m, uint32_t field, const char *part)
{
    tiny_int(m, field, strtoull(part, NULL, 10));
}

static inline void tiny_value(tiny_onnx *m, uint32_t field, const char *name, int type,
                              const char *shape)
{
    tiny_message info = { NULL, 0 }, t = info, tensor = info, dimensions = info;
    tiny_list(&dimensions, 1, shape, tiny_dimension);
    tiny_int(&tensor, 1, (uint64_t)type);
    tiny_inside(&tensor, 2, &dimensions);
    tiny_inside(&t, 1, &tensor);
    tiny_text(&info, 1, name);
    tiny_inside(&info, 2, &t);
    tiny_inside(&m->graph, field, &info);
}

static inline void tiny_onnx_input(tiny_onnx *m, const char *name, int type, const char *shape)
{
    tiny_value(m, 11, name, type, shape);
}

static inline void tiny_onnx_output(tiny_onnx *m, const char *name, int type, const char *shape)
{
    tiny_value(m, 12, name, type, shape);
}

static inline void tiny_onnx_floats(tiny_onnx *m, const char *name, const char *shape,
                                    const float *values, size_t count)
{
    tiny_message t = { NULL, 0 };
    tiny_list(&t, 1, shape, tiny_extent);
    tiny_int(&t, 2, TINY_F32);
    tiny_text(&t, 8, name);
    tiny_blob(&t, 9, values, count * sizeof *values);
    tiny_inside(&m->graph, 5, &t);
}

static inline void tiny_onnx_node(tiny_onnx *m, const char *operation, const char *domain,
                                  const char *name, const char *inputs, const char *outputs)
{
    tiny_message n = { NULL, 0 };
    tiny_list(&n, 1, inputs, tiny_text);
    tiny_list(&n, 2, outputs, tiny_text);
    tiny_text(&n, 3, name);
    tiny_text(&n, 4, operation);
    if (*domain)
        tiny_text(&n, 7, domain);
    tiny_inside(&m->graph, 1, &n);
}

static inline void tiny_onnx_finish(tiny_onnx *m, uint64_t opset)
{
    tiny_message model = { NULL, 0 }, set = model, own = model;
    tiny_text(&m->graph, 2, "tiny");
    tiny_int(&model, 1, 8);
    tiny_text(&model, 2, "a test");
    tiny_inside(&model, 7, &m->graph);
    tiny_text(&set, 1, "");
    tiny_int(&set, 2, opset);
    tiny_inside(&model, 8, &set);
    tiny_text(&set, 1, "example");
    tiny_int(&set, 2, 1);
    tiny_inside(&model, 8, &set);
    tiny_text(&own, 1, "colour");
    tiny_text(&own, 2, "blue");
    tiny_inside(&model, 14, &own);
    m->file = model.data;
    m->bytes = model.bytes;
}

static inline void tiny_onnx_free(tiny_onnx *m)
{
    free(m->file);
    *m = (tiny_onnx){ { NULL, 0 }, NULL, 0 };
}

/* y = Relu(x + b), z = y * y; x is [N,3], b is { 1, -2, 3 }. */
static inline void tiny_onnx_make(tiny_onnx *m)
{
    static const float b[3] = { 1, -2, 3 };
    *m = (tiny_onnx){ { NULL, 0 }, NULL, 0 };
    tiny_onnx_node(m, "Add", "", "add", "x,b", "s");
    tiny_onnx_node(m, "Relu", "", "relu", "s", "y");
    tiny_onnx_node(m, "Mul", "", "square", "y,y", "z");
    tiny_onnx_floats(m, "b", "3", b, 3);
    tiny_onnx_input(m, "x", TINY_F32, "N,3");
    tiny_onnx_output(m, "y", TINY_F32, "N,3");
    tiny_onnx_output(m, "z", TINY_F32, "N,3");
    tiny_onnx_finish(m, 13);
}

#endif /* HETINFER_TINY_ONNX_H */
