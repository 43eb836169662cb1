/* SPDX-License-Identifier: Apache-2.0 */
/* A walk over the fields of onnx.proto that name operations and types; numbers of fields are those
 * of that file. */
#include "facts.h"

#include <stdint.h>
#include <stdio.h>
#include <string.h>

typedef struct span {
    const uint8_t *at, *end;
} span;

typedef struct field {
    uint32_t number, wire;
    uint64_t value;
    span bytes;
} field;

enum { TENSOR_STRING = 8, TENSOR_COMPLEX64 = 14, TENSOR_COMPLEX128 = 15 };

static bool varint(span *s, uint64_t *value)
{
    *value = 0;
    for (int shift = 0; s->at < s->end && shift < 64; shift += 7) {
        const uint8_t byte = *s->at++;
        *value |= (uint64_t)(byte & 0x7f) << shift;
        if (!(byte & 0x80))
            return true;
    }
    return false;
}

/* The next field of a message; false at its end, or where it is damaged (then at is not end). */
static bool next(span *s, field *f)
{
    uint64_t key, length;
    const uint8_t *start = s->at;
    if (s->at == s->end || !varint(s, &key))
        return false;
    f->number = (uint32_t)(key >> 3);
    f->wire = (uint32_t)(key & 7);
    f->value = 0;
    f->bytes = (span){ s->at, s->at };
    if (f->wire == 0)
        return varint(s, &f->value);
    length = f->wire == 1 ? 8 : 4;
    if ((f->wire == 2 && !varint(s, &length)) || (f->wire != 2 && f->wire != 1 && f->wire != 5) ||
        length > (uint64_t)(s->end - s->at)) {
        s->at = start;
        return false;
    }
    f->bytes = (span){ s->at, s->at + length };
    s->at += length;
    return true;
}

static bool is(span s, const char *text)
{
    const size_t n = strlen(text);
    return (size_t)(s.end - s.at) == n && memcmp(s.at, text, n) == 0;
}

static void leave(facts *f, const char *reason)
{
    if (!f->outside)
        f->outside = reason;
}

/* ---- types ---- */

static void read_tensor_type(span s, facts *f)
{
    for (field x; next(&s, &x);)
        if (x.number == 1 && x.value == TENSOR_STRING)
            leave(f, "strings");
        else if (x.number == 1 && (x.value == TENSOR_COMPLEX64 || x.value == TENSOR_COMPLEX128))
            leave(f, "complex numbers");
}

static void read_type(span s, facts *f)
{
    for (field x; next(&s, &x);)
        switch (x.number) {
        case 1: read_tensor_type(x.bytes, f); break;
        case 4: leave(f, "sequences"); break;
        case 5: leave(f, "maps"); break;
        case 8: leave(f, "sparse tensors"); break;
        case 9: leave(f, "optionals"); break;
        default: break;
        }
}

static void read_value_info(span s, facts *f)
{
    for (field x; next(&s, &x);)
        if (x.number == 2)
            read_type(x.bytes, f);
}

static void read_tensor(span s, facts *f)
{
    for (field x; next(&s, &x);)
        if (x.number == 2 && x.value == TENSOR_STRING)
            leave(f, "strings");
}

/* ---- nodes ---- */

static void read_graph(span s, facts *f);

/* Operations of sequences, optionals and strings, wherever the types of values are not written. */
static void judge_operation(span type, facts *f)
{
    static const struct {
        const char *name, *reason;
    } table[] = {
        { "SequenceEmpty", "sequences" }, { "SequenceConstruct", "sequences" },
        { "SequenceInsert", "sequences" }, { "SequenceErase", "sequences" },
        { "SequenceAt", "sequences" }, { "SequenceLength", "sequences" },
        { "SequenceMap", "sequences" }, { "SplitToSequence", "sequences" },
        { "ConcatFromSequence", "sequences" }, { "Optional", "optionals" },
        { "OptionalGetElement", "optionals" }, { "OptionalHasElement", "optionals" },
        { "StringNormalizer", "strings" }, { "StringConcat", "strings" },
        { "StringSplit", "strings" }, { "RegexFullMatch", "strings" },
    };
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++)
        if (is(type, table[i].name))
            leave(f, table[i].reason);
    f->random |= is(type, "Bernoulli") || is(type, "Multinomial") || is(type, "RandomNormal") ||
                 is(type, "RandomNormalLike") || is(type, "RandomUniform") ||
                 is(type, "RandomUniformLike");
}

/* "to" of a Cast, and bodies. */
static void read_attribute(span s, bool cast, facts *f)
{
    bool to = false;
    uint64_t value = 0;
    for (field x; next(&s, &x);) {
        if (x.number == 1)
            to = is(x.bytes, "to");
        else if (x.number == 3)
            value = x.value;
        else if (x.number == 5)
            read_tensor(x.bytes, f);
        else if (x.number == 6 || x.number == 11)
            read_graph(x.bytes, f);
    }
    if (cast && to && value == TENSOR_STRING)
        leave(f, "strings");
}

static void name_operation(span domain, span type, facts *f)
{
    const bool own = domain.at == domain.end || is(domain, "ai.onnx");
    snprintf(f->operation, sizeof f->operation, "%.*s%s%.*s",
             own ? 0 : (int)(domain.end - domain.at), (const char *)domain.at, own ? "" : ":",
             (int)(type.end - type.at), (const char *)type.at);
    if (is(domain, "ai.onnx.ml"))
        leave(f, "ai.onnx.ml");
    if (is(domain, "ai.onnx.preview.training"))
        leave(f, "ai.onnx.preview.training");
}

static void read_node(span s, facts *f)
{
    span type = { s.at, s.at }, domain = type;
    const span whole = s;
    uint32_t inputs = 0;
    for (field x; next(&s, &x);) {
        inputs += x.number == 1;
        if (x.number == 4)
            type = x.bytes;
        else if (x.number == 7)
            domain = x.bytes;
    }
    f->node_count++;
    s = whole;
    for (field x; next(&s, &x);)
        if (x.number == 5)
            read_attribute(x.bytes, is(type, "Cast"), f);
    name_operation(domain, type, f);
    judge_operation(type, f);
    /* The mask of a dropout in training. */
    if (is(type, "Dropout") && inputs == 3)
        f->random = true;
}

static void read_graph(span s, facts *f)
{
    for (field x; next(&s, &x);)
        switch (x.number) {
        case 1: read_node(x.bytes, f); break;
        case 5: read_tensor(x.bytes, f); break;
        case 11:
        case 12:
        case 13: read_value_info(x.bytes, f); break;
        case 15: leave(f, "sparse tensors"); break;
        default: break;
        }
}

bool facts_read(const void *model, size_t bytes, facts *f)
{
    span s = { model, (const uint8_t *)model + bytes };
    memset(f, 0, sizeof *f);
    for (field x; next(&s, &x);) {
        if (x.number == 7)
            read_graph(x.bytes, f);
        if (x.number == 25) { /* a function: its nodes */
            span body = x.bytes;
            for (field y; next(&body, &y);)
                if (y.number == 7)
                    read_node(y.bytes, f);
        }
    }
    return s.at == s.end && f->node_count > 0;
}
