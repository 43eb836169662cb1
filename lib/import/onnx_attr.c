/* SPDX-License-Identifier: Apache-2.0 */
/* AttributeProto. Types of attributes that the graph has no form for (lists of tensors and of
 * graphs, sparse tensors, types, tensors of strings) are no error: their node becomes one of an
 * unknown operation, since without them it would mean something else. */
#include <string.h>

#include "lib/import/onnx_parts.h"

/* Fields of AttributeProto. */
enum { NAME = 1, FLOAT = 2, INT = 3, STRING = 4, TENSOR = 5, GRAPH = 6, FLOATS = 7, INTS = 8,
       STRINGS = 9, TYPE = 20, REFERENCE = 21 };

/* AttributeProto.AttributeType */
enum { IS_FLOAT = 1, IS_INT, IS_STRING, IS_TENSOR, IS_GRAPH, IS_FLOATS, IS_INTS, IS_STRINGS };

typedef struct fields {
    het__pb message;
    uint64_t type;
    uint64_t f, i;
    het__pb s, t, g;
    bool has[STRINGS + 1]; /* by field */
} fields;

/* Files of the first version do not say the type. */
static void guess_type(fields *a)
{
    static const uint8_t type_of[] = { [FLOAT] = IS_FLOAT,   [INT] = IS_INT,
                                       [STRING] = IS_STRING, [TENSOR] = IS_TENSOR,
                                       [GRAPH] = IS_GRAPH,   [FLOATS] = IS_FLOATS,
                                       [INTS] = IS_INTS,     [STRINGS] = IS_STRINGS };
    for (uint32_t i = FLOAT; i <= STRINGS && a->type == 0; i++)
        if (a->has[i])
            a->type = type_of[i];
}

static het_status read_fields(het__onnx_reader *r, het__pb message, fields *a, het__attr *attr,
                              const char **reference)
{
    het_status s = HET_OK;
    *a = (fields){ .message = message };
    attr->name = "";
    for (het__pb_field f; s == HET_OK && het__pb_next(&message, &f);) {
        const uint32_t number = f.key >> 3;
        if (number <= STRINGS)
            a->has[number] = true;
        switch (f.key) {
        case HET__PB_KEY(NAME, HET__PB_BYTES): s = het__onnx_name(r, &f.bytes, &attr->name); break;
        case HET__PB_KEY(REFERENCE, HET__PB_BYTES):
            s = het__onnx_name(r, &f.bytes, reference);
            break;
        case HET__PB_KEY(FLOAT, HET__PB_FIXED32): a->f = f.value; break;
        case HET__PB_KEY(INT, HET__PB_VARINT): a->i = f.value; break;
        case HET__PB_KEY(STRING, HET__PB_BYTES): a->s = f.bytes; break;
        case HET__PB_KEY(TENSOR, HET__PB_BYTES): a->t = f.bytes; break;
        case HET__PB_KEY(GRAPH, HET__PB_BYTES): a->g = f.bytes; break;
        case HET__PB_KEY(TYPE, HET__PB_VARINT): a->type = f.value; break;
        default: break;
        }
    }
    if (s == HET_OK && message.bad)
        return het__onnx_bad(r, message.at, "malformed attribute");
    guess_type(a);
    return s;
}

static float float_of(uint64_t bits)
{
    const uint32_t low = (uint32_t)bits;
    float f;
    memcpy(&f, &low, sizeof f);
    return f;
}

/* Bytes of any kind: what stands behind a NUL is lost to those who read text. */
static const char *string_of(het__onnx_reader *r, const het__pb *s)
{
    return het__pb_left(s) ? het__arena_strndup(r->keep, (const char *)s->at, het__pb_left(s)) : "";
}

static het_status read_numbers(het__onnx_reader *r, const fields *a, het__attr *attr)
{
    const bool floats = a->type == IS_FLOATS;
    het__pb_list list = { .message = a->message, .number = floats ? FLOATS : INTS,
                          .wire = floats ? HET__PB_FIXED32 : HET__PB_VARINT };
    const uint64_t n = het__pb_list_count(list);
    if (n >= UINT32_MAX)
        return het__onnx_bad(r, a->message.at, "attribute %s: malformed list", attr->name);
    float *f = floats ? het__arena_zero(r->keep, (size_t)n, sizeof *f) : NULL;
    int64_t *i = floats ? NULL : het__arena_zero(r->keep, (size_t)n, sizeof *i);
    if (!f && !i)
        return het__onnx_nomem(r);
    uint64_t x;
    for (uint64_t k = 0; k < n && het__pb_list_next(&list, &x); k++) {
        if (floats)
            f[k] = float_of(x);
        else
            i[k] = (int64_t)x;
    }
    attr->count = (uint32_t)n;
    attr->kind = floats ? HET__ATTR_FLOATS : HET__ATTR_INTS;
    if (floats)
        attr->u.floats = f;
    else
        attr->u.ints = i;
    return HET_OK;
}

static het_status read_strings(het__onnx_reader *r, const fields *a, het__attr *attr)
{
    het__pb m = a->message;
    uint32_t n = 0;
    for (het__pb_field f; het__pb_next(&m, &f);)
        n += f.key == HET__PB_KEY(STRINGS, HET__PB_BYTES);
    const char **list = het__arena_zero(r->keep, n, sizeof *list);
    if (!list)
        return het__onnx_nomem(r);
    attr->kind = HET__ATTR_STRINGS;
    attr->u.strings = list;
    m = a->message;
    for (het__pb_field f; het__pb_next(&m, &f);) {
        if (f.key != HET__PB_KEY(STRINGS, HET__PB_BYTES))
            continue;
        list[attr->count] = string_of(r, &f.bytes);
        if (!list[attr->count++])
            return het__onnx_nomem(r);
    }
    return HET_OK;
}

static het_status read_attr_tensor(het__onnx_reader *r, const fields *a, het__attr *attr, bool *odd)
{
    het__onnx_weight w;
    het__tensor *t = het__arena_alloc(r->keep, sizeof *t);
    if (!t)
        return het__onnx_nomem(r);
    if (!a->has[TENSOR])
        return het__onnx_bad(r, a->message.at, "attribute %s has no tensor", attr->name);
    const het_status s = het__onnx_read_tensor(r, a->t, &w);
    *odd = s == HET_E_UNSUPPORTED;
    *t = w.tensor;
    attr->kind = HET__ATTR_TENSOR;
    attr->u.tensor = t;
    return *odd ? HET_OK : s;
}

static het_status read_body(het__onnx_reader *r, const fields *a, het__attr *attr,
                            const het__onnx_part **body)
{
    het__onnx_part *part = het__arena_zero(&r->scratch, 1, sizeof *part);
    if (!part)
        return het__onnx_nomem(r);
    if (!a->has[GRAPH])
        return het__onnx_bad(r, a->message.at, "attribute %s has no graph", attr->name);
    attr->kind = HET__ATTR_GRAPH;
    *body = part;
    return het__onnx_parse_graph(r, a->g, part);
}

static het_status read_value(het__onnx_reader *r, const fields *a, het__attr *attr,
                             const het__onnx_part **body, bool *odd)
{
    switch (a->type) {
    case IS_FLOAT:
        attr->kind = HET__ATTR_FLOAT;
        attr->u.f = float_of(a->f);
        return HET_OK;
    case IS_INT:
        attr->kind = HET__ATTR_INT;
        attr->u.i = (int64_t)a->i;
        return HET_OK;
    case IS_STRING:
        attr->kind = HET__ATTR_STRING;
        attr->u.string = string_of(r, &a->s);
        return attr->u.string ? HET_OK : het__onnx_nomem(r);
    case IS_TENSOR: return read_attr_tensor(r, a, attr, odd);
    case IS_GRAPH: return read_body(r, a, attr, body);
    case IS_FLOATS:
    case IS_INTS: return read_numbers(r, a, attr);
    case IS_STRINGS: return read_strings(r, a, attr);
    default: *odd = true; return HET_OK;
    }
}

het_status het__onnx_parse_attrs(het__onnx_reader *r, const het__pb *messages, uint32_t count,
                                 het__onnx_node *node)
{
    uint32_t bodies = 0;
    if (count > HET__ONNX_ATTRS_MAX)
        return het__fail(r->err, HET_E_UNSUPPORTED, "node %s has more than %d attributes",
                         node->name, HET__ONNX_ATTRS_MAX);
    node->attrs = het__arena_zero(r->keep, count, sizeof *node->attrs);
    if (!node->attrs)
        return het__onnx_nomem(r);
    for (uint32_t i = 0; i < count; i++) {
        het__onnx_link link = { NULL, NULL };
        het__attr *attr = &node->attrs[node->attr_count];
        fields a;
        bool odd = false;
        het_status s = read_fields(r, messages[i], &a, attr, &link.reference);
        if (link.reference && !link.reference[0])
            link.reference = NULL;
        if (s == HET_OK && !link.reference)
            s = read_value(r, &a, attr, &link.body, &odd);
        if (s != HET_OK)
            return s;
        if (odd) {
            node->odd = attr->name;
            memset(attr, 0, sizeof *attr);
            continue;
        }
        if (link.body && ++bodies > HET__ONNX_BODIES_MAX)
            return het__fail(r->err, HET_E_UNSUPPORTED, "node %s has more than %d bodies",
                             node->name, HET__ONNX_BODIES_MAX);
        if ((link.body || link.reference) && !node->links) {
            node->links = het__arena_zero(&r->scratch, count, sizeof *node->links);
            if (!node->links)
                return het__onnx_nomem(r);
        }
        if (node->links)
            node->links[node->attr_count] = link;
        node->attr_count++;
    }
    return HET_OK;
}
