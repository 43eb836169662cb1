/* SPDX-License-Identifier: Apache-2.0 */
/* A tree is built from libyaml's events without recursion: nodes that are whole lie on a stack
 * until what they are in ends and takes them into one array.
 *
 *     - a: 1        [..., (a: 1), (b: 2) ]  end of mapping  ->  [..., {a: 1, b: 2} ]
 *       b: 2
 */
#include "lib/base/yaml.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <yaml.h>

#include "lib/base/error.h"

/* A mapping or sequence that has begun. */
typedef struct frame {
    het__yaml_node node;
    uint32_t first;  /* of its children on the stack */
    const char *key; /* read, and its value not yet */
} frame;

typedef struct builder {
    const char *what;
    het__arena *arena;
    het_error *err;
    het__yaml_node *stack;
    uint32_t count, capacity; /* of the stack */
    uint32_t total;           /* nodes so far */
    uint32_t depth;
    frame frames[HET__YAML_DEPTH_MAX];
} builder;

/* ---- messages ---- */

/* Longest part of a document's name in a message, which has 223 bytes for all. */
#define NAME_MAX_BYTES 90

/* Make text of any bytes one that can be shown, in place. A character that was cut at the end goes
 * away. */
static void clean(char *text)
{
    char *to = text;
    for (const char *at = text; *at;) {
        const size_t n = het__yaml_shown(at);
        if (n == 0 && (unsigned char)*at >= 0xc0 && strlen(at) < 4)
            break;
        if (n == 0)
            *to++ = '?';
        else
            memmove(to, at, n);
        to += n;
        at += n ? n : 1;
    }
    *to = '\0';
}

static het_status fail_list(het_status status, const char *what, uint32_t line, het_error *err,
                            const char *format, va_list args)
{
    char sentence[224], name[NAME_MAX_BYTES + 8];
    const size_t bytes = strlen(what);
    const bool cut = bytes > NAME_MAX_BYTES;
    snprintf(name, sizeof name, "%s%s", cut ? "..." : "",
             cut ? what + bytes - NAME_MAX_BYTES : what);
    vsnprintf(sentence, sizeof sentence - strlen(name) - 12, format, args);
    clean(name);
    clean(sentence);
    return het__fail(err, status, "%s:%u: %s", name, line, sentence);
}

het_status het__yaml_fail(const char *what, const het__yaml_node *node, het_error *err,
                          const char *format, ...)
{
    va_list args;
    va_start(args, format);
    const het_status s = fail_list(HET_E_INVALID, what, node->line, err, format, args);
    va_end(args);
    return s;
}

static het_status fail_at(const builder *b, size_t line, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

static het_status fail_at(const builder *b, size_t line, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    const het_status s = fail_list(HET_E_FORMAT, b->what, (uint32_t)line, b->err, format, args);
    va_end(args);
    return s;
}

/* libyaml knows the place of a bad byte by its offset only. */
static size_t line_of(const char *text, size_t offset)
{
    size_t line = 1;
    for (size_t i = 0; i < offset; i++)
        line += text[i] == '\n';
    return line;
}

static het_status fail_parser(const builder *b, const yaml_parser_t *parser, const char *text,
                              size_t size)
{
    if (parser->error == YAML_MEMORY_ERROR)
        return het__fail_nomem(b->err, b->what);
    const char *problem = parser->problem ? parser->problem : "this is no YAML";
    if (parser->error == YAML_READER_ERROR)
        return fail_at(b, line_of(text, parser->problem_offset < size ? parser->problem_offset
                                                                      : size), "%s", problem);
    return fail_at(b, parser->problem_mark.line + 1, "%s%s%s", problem,
                   parser->context ? " " : "", parser->context ? parser->context : "");
}

/* ---- building ---- */

static het_status push(builder *b, const het__yaml_node *node)
{
    if (b->count == b->capacity) {
        const uint32_t capacity = b->capacity ? 2 * b->capacity : 64;
        het__yaml_node *stack = het__realloc(b->arena->mem, b->stack, capacity * sizeof *stack);
        if (!stack)
            return het__fail_nomem(b->err, b->what);
        b->stack = stack;
        b->capacity = capacity;
    }
    b->stack[b->count++] = *node;
    return HET_OK;
}

/* What any node must not have or exceed. */
static het_status check_node(builder *b, const yaml_event_t *event, const void *anchor,
                             const void *tag)
{
    if (anchor)
        return fail_at(b, event->start_mark.line + 1, "anchors are not supported");
    if (tag)
        return fail_at(b, event->start_mark.line + 1, "tags are not supported");
    if (b->total++ == HET__YAML_NODES_MAX)
        return fail_at(b, event->start_mark.line + 1, "there are more than %u nodes",
                       HET__YAML_NODES_MAX);
    return HET_OK;
}

/* Give a new node the key that waits for it. */
static void take_key(builder *b, het__yaml_node *node)
{
    if (b->depth == 0)
        return;
    node->key = b->frames[b->depth - 1].key;
    b->frames[b->depth - 1].key = NULL;
}

static bool wants_key(const builder *b)
{
    return b->depth && b->frames[b->depth - 1].node.kind == HET__YAML_MAPPING &&
           !b->frames[b->depth - 1].key;
}

static het_status add_scalar(builder *b, const yaml_event_t *event)
{
    const char *value = (const char *)event->data.scalar.value;
    const size_t length = event->data.scalar.length;
    const size_t line = event->start_mark.line + 1;
    het_status s = check_node(b, event, event->data.scalar.anchor, event->data.scalar.tag);
    if (s != HET_OK)
        return s;
    if (memchr(value, 0, length))
        return fail_at(b, line, "a text holds a zero byte");
    char *text = het__arena_strndup(b->arena, value, length);
    if (!text)
        return het__fail_nomem(b->err, b->what);
    if (wants_key(b)) {
        b->frames[b->depth - 1].key = text;
        return HET_OK;
    }
    het__yaml_node node = { .kind = HET__YAML_SCALAR, .line = (uint32_t)line, .text = text,
                            .is_quoted = event->data.scalar.style != YAML_PLAIN_SCALAR_STYLE };
    take_key(b, &node);
    return push(b, &node);
}

static het_status begin(builder *b, const yaml_event_t *event, het__yaml_kind kind)
{
    const bool maps = kind == HET__YAML_MAPPING;
    const size_t line = event->start_mark.line + 1;
    const het_status s = check_node(
        b, event, maps ? event->data.mapping_start.anchor : event->data.sequence_start.anchor,
        maps ? event->data.mapping_start.tag : event->data.sequence_start.tag);
    if (s != HET_OK)
        return s;
    if (wants_key(b))
        return fail_at(b, line, "a key must be a text");
    if (b->depth == HET__YAML_DEPTH_MAX)
        return fail_at(b, line, "nested deeper than %d", HET__YAML_DEPTH_MAX);
    het__yaml_node node = { .kind = kind, .line = (uint32_t)line };
    take_key(b, &node);
    b->frames[b->depth++] = (frame){ .node = node, .first = b->count };
    return HET_OK;
}

static int compare_keys(const void *left, const void *right)
{
    const het__yaml_node *const *a = left, *const *b = right;
    const int order = strcmp((*a)->key, (*b)->key);
    return order ? order : (*a > *b) - (*a < *b);
}

/* The first key in the file that was there before. */
static het_status check_unique(const builder *b, const het__yaml_node *children, uint32_t count)
{
    const het__yaml_node *twin = NULL;
    if (count < 2)
        return HET_OK;
    const het__yaml_node **sorted = het__alloc(b->arena->mem, count * sizeof *sorted);
    if (!sorted)
        return het__fail_nomem(b->err, b->what);
    for (uint32_t i = 0; i < count; i++)
        sorted[i] = &children[i];
    qsort(sorted, count, sizeof *sorted, compare_keys);
    for (uint32_t i = 1; i < count; i++)
        if (strcmp(sorted[i - 1]->key, sorted[i]->key) == 0 && (!twin || sorted[i] < twin))
            twin = sorted[i];
    het__free(b->arena->mem, sorted);
    return twin ? fail_at(b, twin->line, "the key '%.80s' is there twice", twin->key) : HET_OK;
}

static het_status end(builder *b)
{
    const frame *f = &b->frames[--b->depth];
    het__yaml_node node = f->node;
    node.count = b->count - f->first;
    het__yaml_node *children = het__arena_alloc(b->arena, node.count * sizeof *children);
    if (!children)
        return het__fail_nomem(b->err, b->what);
    if (node.count)
        memcpy(children, &b->stack[f->first], node.count * sizeof *children);
    node.children = children;
    b->count = f->first;
    const het_status s = node.kind == HET__YAML_MAPPING ? check_unique(b, children, node.count)
                                                        : HET_OK;
    return s == HET_OK ? push(b, &node) : s;
}

static het_status take_event(builder *b, const yaml_event_t *event)
{
    const size_t line = event->start_mark.line + 1;
    switch (event->type) {
    case YAML_DOCUMENT_START_EVENT:
        if (b->total)
            return fail_at(b, line, "there is more than one document");
        if (event->data.document_start.tag_directives.start !=
            event->data.document_start.tag_directives.end)
            return fail_at(b, line, "tags are not supported");
        return HET_OK;
    case YAML_ALIAS_EVENT:
        return fail_at(b, line, "anchors are not supported");
    case YAML_SCALAR_EVENT:
        return add_scalar(b, event);
    case YAML_SEQUENCE_START_EVENT:
        return begin(b, event, HET__YAML_SEQUENCE);
    case YAML_MAPPING_START_EVENT:
        return begin(b, event, HET__YAML_MAPPING);
    case YAML_SEQUENCE_END_EVENT:
    case YAML_MAPPING_END_EVENT:
        return end(b);
    default: /* of the stream and the document: nothing is in them */
        return HET_OK;
    }
}

static het_status build(builder *b, yaml_parser_t *parser, const char *text, size_t size)
{
    for (bool last = false; !last;) {
        yaml_event_t event;
        if (!yaml_parser_parse(parser, &event))
            return fail_parser(b, parser, text, size);
        const het_status s = take_event(b, &event);
        last = event.type == YAML_STREAM_END_EVENT;
        yaml_event_delete(&event);
        if (s != HET_OK)
            return s;
    }
    return HET_OK;
}

/* The root, with nothing in it if the document is empty. */
static het_status finish(const builder *b, const het__yaml_node **root)
{
    static const het__yaml_node nothing = { .kind = HET__YAML_MAPPING, .line = 1 };
    const het__yaml_node *top = b->count ? &b->stack[0] : &nothing;
    if (top->kind == HET__YAML_SCALAR && !top->is_quoted && !top->text[0])
        top = &nothing;
    het__yaml_node *copy = het__arena_alloc(b->arena, sizeof *copy);
    if (!copy)
        return het__fail_nomem(b->err, b->what);
    *copy = *top;
    *root = copy;
    return HET_OK;
}

het_status het__yaml_parse(const char *text, size_t size, const char *what, het__arena *arena,
                           const het__yaml_node **root, het_error *err)
{
    builder b = { .what = what, .arena = arena, .err = err };
    yaml_parser_t parser;
    if (size > HET__YAML_BYTES_MAX)
        return fail_at(&b, 1, "the document has %zu bytes, more than %u", size,
                       HET__YAML_BYTES_MAX);
    if (!yaml_parser_initialize(&parser))
        return het__fail_nomem(err, what);
    yaml_parser_set_encoding(&parser, YAML_UTF8_ENCODING);
    yaml_parser_set_input_string(&parser, (const unsigned char *)text, size);
    het_status s = build(&b, &parser, text, size);
    if (s == HET_OK)
        s = finish(&b, root);
    yaml_parser_delete(&parser);
    het__free(arena->mem, b.stack);
    return s;
}
