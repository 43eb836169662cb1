/* SPDX-License-Identifier: Apache-2.0 */
/* Writes ONNX models in memory, for tests that need a model or a broken file.
 *
 *     ow g = ow_graph("g");
 *     ow_value(&g, OW_INPUT, "x", OW_FLOAT, "n,3");
 *     ow_value(&g, OW_OUTPUT, "y", OW_FLOAT, NULL);
 *     ow_add(&g, OW_WEIGHT, ow_tensor("w", OW_FLOAT, "3", values, sizeof values));
 *     ow n = ow_node("Add", "x,w", "y");
 *     ow_add(&g, OW_NODE, n);
 *     ow m = ow_model(9, 17, g);      // m.data, m.bytes; free(m.data)
 *
 * A message is a buffer; ow_add() puts one into another and frees it. Lists of names are written
 * with commas: "a,,b" leaves the second out. A shape is written likewise: numbers are extents, "?"
 * is one that the file does not say, anything else is the name of one. Running out of memory ends
 * the program: it is a test. */
#ifndef HETINFER_ONNX_WRITER_H
#define HETINFER_ONNX_WRITER_H

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/* Element types as the file has them. */
enum {
    OW_FLOAT = 1, OW_UINT8, OW_INT8, OW_UINT16, OW_INT16, OW_INT32, OW_INT64, OW_STRING, OW_BOOL,
    OW_FLOAT16, OW_DOUBLE, OW_UINT32, OW_UINT64, OW_COMPLEX64, OW_COMPLEX128, OW_BFLOAT16,
    OW_F8E4M3, OW_F8E4M3UZ, OW_F8E5M2, OW_F8E5M2UZ, OW_UINT4, OW_INT4, OW_F4E2M1, OW_F8E8M0,
    OW_UINT2, OW_INT2
};

/* Fields of messages. */
enum { OW_NODE = 1, OW_WEIGHT = 5, OW_INPUT = 11, OW_OUTPUT = 12 };           /* of a graph */
enum { OW_IR = 1, OW_GRAPH = 7, OW_OPSET = 8, OW_PROPERTY = 14, OW_FUNCTION = 25 }; /* of a model */
enum { OW_NODE_INPUT = 1, OW_NODE_OUTPUT = 2, OW_NODE_NAME = 3, OW_NODE_TYPE = 4, OW_NODE_ATTR = 5,
       OW_NODE_DOMAIN = 7, OW_NODE_OVERLOAD = 8 };
enum { OW_FN_NAME = 1, OW_FN_INPUT = 4, OW_FN_OUTPUT = 5, OW_FN_NODE = 7, OW_FN_OPSET = 9,
       OW_FN_DOMAIN = 10, OW_FN_DEFAULT = 11 };
enum { OW_T_DIMS = 1, OW_T_TYPE = 2, OW_T_SEGMENT = 3, OW_T_FLOATS = 4, OW_T_INT32S = 5,
       OW_T_STRINGS = 6, OW_T_INT64S = 7, OW_T_NAME = 8, OW_T_RAW = 9, OW_T_DOUBLES = 10,
       OW_T_UINT64S = 11, OW_T_EXTERNAL = 13, OW_T_LOCATION = 14 }; /* of a tensor */

typedef struct ow {
    uint8_t *data;
    size_t bytes, capacity;
} ow;

static inline void ow_put(ow *o, const void *data, size_t bytes)
{
    if (o->capacity - o->bytes < bytes) {
        o->capacity = 2 * (o->bytes + bytes) + 64;
        o->data = realloc(o->data, o->capacity);
        if (!o->data)
            abort();
    }
    if (bytes)
        memcpy(o->data + o->bytes, data, bytes);
    o->bytes += bytes;
}

static inline void ow_number(ow *o, uint64_t x)
{
    do {
        const uint8_t byte = (uint8_t)((x & 0x7f) | (x > 0x7f ? 0x80 : 0));
        ow_put(o, &byte, 1);
        x >>= 7;
    } while (x);
}

/* ---- fields of each wire type ---- */

static inline void ow_int(ow *o, uint32_t field, int64_t x)
{
    ow_number(o, field << 3);
    ow_number(o, (uint64_t)x);
}

static inline void ow_float(ow *o, uint32_t field, float x)
{
    ow_number(o, field << 3 | 5);
    ow_put(o, &x, sizeof x);
}

static inline void ow_double(ow *o, uint32_t field, double x)
{
    ow_number(o, field << 3 | 1);
    ow_put(o, &x, sizeof x);
}

static inline void ow_bytes(ow *o, uint32_t field, const void *data, size_t bytes)
{
    ow_number(o, field << 3 | 2);
    ow_number(o, bytes);
    ow_put(o, data, bytes);
}

static inline void ow_text(ow *o, uint32_t field, const char *text)
{
    ow_bytes(o, field, text, strlen(text));
}

static inline void ow_add(ow *o, uint32_t field, ow part)
{
    ow_bytes(o, field, part.data, part.bytes);
    free(part.data);
}

/* One name of a list with commas after the other; NULL at the end, and *list is NULL behind the
 * last. */
static inline const char *ow_next_name(const char **list, size_t *bytes)
{
    const char *name = *list;
    if (name) {
        *bytes = strcspn(name, ",");
        *list = name[*bytes] ? name + *bytes + 1 : NULL;
    }
    return name;
}

/* "": none. */
static inline void ow_names(ow *o, uint32_t field, const char *list)
{
    const char *rest = list[0] ? list : NULL;
    size_t bytes = 0;
    for (const char *name; (name = ow_next_name(&rest, &bytes)) != NULL;)
        ow_bytes(o, field, name, bytes);
}

/* ---- tensors and types ---- */

/* A tensor without contents. */
static inline ow ow_bare_tensor(const char *name, int type, const char *extents)
{
    ow t = { NULL, 0, 0 };
    const char *rest = extents[0] ? extents : NULL;
    size_t bytes = 0;
    for (const char *extent; (extent = ow_next_name(&rest, &bytes)) != NULL;)
        ow_int(&t, OW_T_DIMS, strtoll(extent, NULL, 10));
    ow_int(&t, OW_T_TYPE, type);
    if (name)
        ow_text(&t, OW_T_NAME, name);
    return t;
}

static inline ow ow_tensor(const char *name, int type, const char *extents, const void *raw,
                           size_t bytes)
{
    ow t = ow_bare_tensor(name, type, extents);
    ow_bytes(&t, OW_T_RAW, raw, bytes);
    return t;
}

static inline ow ow_entry(const char *key, const char *value)
{
    ow e = { NULL, 0, 0 };
    ow_text(&e, 1, key);
    ow_text(&e, 2, value);
    return e;
}

static inline ow ow_shape(const char *extents)
{
    ow s = { NULL, 0, 0 };
    const char *rest = extents[0] ? extents : NULL;
    size_t bytes = 0;
    for (const char *extent; (extent = ow_next_name(&rest, &bytes)) != NULL;) {
        ow d = { NULL, 0, 0 };
        if ((extent[0] >= '0' && extent[0] <= '9') || extent[0] == '-')
            ow_int(&d, 1, strtoll(extent, NULL, 10));
        else if (extent[0] != '?')
            ow_bytes(&d, 2, extent, bytes);
        ow_add(&s, 1, d);
    }
    return s;
}

/* An input or output of a graph. type 0: the file does not say; extents NULL: likewise. */
static inline void ow_value(ow *graph, uint32_t field, const char *name, int type,
                            const char *extents)
{
    ow v = { NULL, 0, 0 }, tensor = v, kind = v;
    ow_text(&v, 1, name);
    if (type) {
        ow_int(&tensor, 1, type);
        if (extents)
            ow_add(&tensor, 2, ow_shape(extents));
        ow_add(&kind, 1, tensor);
        ow_add(&v, 2, kind);
    }
    ow_add(graph, field, v);
}

/* ---- nodes ---- */

/* type may be "domain:Name". */
static inline ow ow_node(const char *type, const char *inputs, const char *outputs)
{
    ow n = { NULL, 0, 0 };
    const char *colon = strchr(type, ':');
    ow_names(&n, OW_NODE_INPUT, inputs);
    ow_names(&n, OW_NODE_OUTPUT, outputs);
    ow_text(&n, OW_NODE_TYPE, colon ? colon + 1 : type);
    if (colon)
        ow_bytes(&n, OW_NODE_DOMAIN, type, (size_t)(colon - type));
    return n;
}

static inline ow ow_attr(const char *name, int type)
{
    ow a = { NULL, 0, 0 };
    ow_text(&a, 1, name);
    if (type)
        ow_int(&a, 20, type);
    return a;
}

static inline void ow_attr_int(ow *node, const char *name, int64_t x)
{
    ow a = ow_attr(name, 2);
    ow_int(&a, 3, x);
    ow_add(node, OW_NODE_ATTR, a);
}

static inline void ow_attr_float(ow *node, const char *name, float x)
{
    ow a = ow_attr(name, 1);
    ow_float(&a, 2, x);
    ow_add(node, OW_NODE_ATTR, a);
}

static inline void ow_attr_text(ow *node, const char *name, const char *x)
{
    ow a = ow_attr(name, 3);
    ow_text(&a, 4, x);
    ow_add(node, OW_NODE_ATTR, a);
}

static inline void ow_attr_ints(ow *node, const char *name, const int64_t *x, size_t count)
{
    ow a = ow_attr(name, 7);
    for (size_t i = 0; i < count; i++)
        ow_int(&a, 8, x[i]);
    ow_add(node, OW_NODE_ATTR, a);
}

static inline void ow_attr_tensor(ow *node, const char *name, ow tensor)
{
    ow a = ow_attr(name, 4);
    ow_add(&a, 5, tensor);
    ow_add(node, OW_NODE_ATTR, a);
}

static inline void ow_attr_graph(ow *node, const char *name, ow graph)
{
    ow a = ow_attr(name, 5);
    ow_add(&a, 6, graph);
    ow_add(node, OW_NODE_ATTR, a);
}

/* In a function: the attribute of the node is the one of the call. */
static inline void ow_attr_reference(ow *node, const char *name, int type, const char *of)
{
    ow a = ow_attr(name, type);
    ow_text(&a, 21, of);
    ow_add(node, OW_NODE_ATTR, a);
}

/* A node without attributes, put into a graph. */
static inline void ow_add_node(ow *graph, const char *type, const char *inputs,
                               const char *outputs)
{
    ow_add(graph, OW_NODE, ow_node(type, inputs, outputs));
}

/* ---- graphs, functions, models ---- */

static inline ow ow_graph(const char *name)
{
    ow g = { NULL, 0, 0 };
    ow_text(&g, 2, name);
    return g;
}

static inline ow ow_opset(const char *domain, int64_t version)
{
    ow s = { NULL, 0, 0 };
    if (domain[0])
        ow_text(&s, 1, domain);
    ow_int(&s, 2, version);
    return s;
}

/* Nodes and opsets follow: OW_FN_NODE, OW_FN_OPSET. */
static inline ow ow_function(const char *domain, const char *name, const char *inputs,
                             const char *outputs)
{
    ow f = { NULL, 0, 0 };
    ow_text(&f, OW_FN_NAME, name);
    ow_text(&f, OW_FN_DOMAIN, domain);
    ow_names(&f, OW_FN_INPUT, inputs);
    ow_names(&f, OW_FN_OUTPUT, outputs);
    return f;
}

/* Functions, more opsets and properties may follow. */
static inline ow ow_model(int64_t ir, int64_t opset, ow graph)
{
    ow m = { NULL, 0, 0 };
    ow_int(&m, OW_IR, ir);
    ow_add(&m, OW_GRAPH, graph);
    ow_add(&m, OW_OPSET, ow_opset("", opset));
    return m;
}

#endif /* HETINFER_ONNX_WRITER_H */
