/* SPDX-License-Identifier: Apache-2.0 */
#include "backends/gpu/starts.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "lib/base/error.h"

void het__gpu_starts_init(het__gpu_starts *list, het__arena *arena, const het__gpu_facts *facts)
{
    static const het__gpu_facts nothing = { .group_max = 1 };
    memset(list, 0, sizeof *list);
    list->arena = arena;
    list->facts = facts ? facts : &nothing;
}

het__gpu_start *het__gpu_starts_add(het__gpu_starts *list, const char *file, const char *name)
{
    het__gpu_start *s = list->arena ? het__arena_zero(list->arena, 1, sizeof *s) : NULL;
    list->failed = list->failed || (list->arena && !s);
    if (!s) {
        s = &list->spare;
        memset(s, 0, sizeof *s);
    } else if (list->last) {
        list->last->next = s;
        list->last = s;
    } else {
        list->first = list->last = s;
    }
    s->file = file;
    s->name = name;
    return s;
}

void het__gpu_start_option(het__gpu_start *s, const char *format, ...)
{
    const size_t used = strlen(s->options);
    va_list list;
    va_start(list, format);
    const int n = vsnprintf(s->options + used, sizeof s->options - used, format, list);
    va_end(list);
    assert(n >= 0 && used + (size_t)n < sizeof s->options);
    (void)n;
}

static het__gpu_argument *add(het__gpu_start *s, het__gpu_argument_kind kind)
{
    assert(s->argument_count < HET__GPU_ARGUMENTS_MAX);
    het__gpu_argument *a = &s->arguments[s->argument_count++];
    a->kind = kind;
    return a;
}

static void add_operand(het__gpu_start *s, het__gpu_argument_kind kind, uint32_t index,
                        size_t offset)
{
    het__gpu_argument *a = add(s, kind);
    a->index = index;
    a->bytes = offset;
}

void het__gpu_put_input(het__gpu_start *s, uint32_t input, size_t offset)
{
    add_operand(s, HET__GPU_ARG_INPUT, input, offset);
}

void het__gpu_put_output(het__gpu_start *s, uint32_t output, size_t offset)
{
    add_operand(s, HET__GPU_ARG_OUTPUT, output, offset);
}

void het__gpu_put_scratch(het__gpu_start *s, size_t offset)
{
    add_operand(s, HET__GPU_ARG_SCRATCH, 0, offset);
}

void het__gpu_put_memory(het__gpu_start *s, het__gpu_memory *memory)
{
    add(s, HET__GPU_ARG_MEMORY)->memory = memory;
}

void het__gpu_put_bytes(het__gpu_start *s, const void *value, size_t bytes)
{
    het__gpu_argument *a = add(s, HET__GPU_ARG_VALUE);
    assert(bytes <= sizeof a->value);
    a->bytes = bytes;
    memcpy(&a->value, value, bytes);
}

void het__gpu_put_ints(het__gpu_start *s, uint32_t count, const int32_t *values)
{
    het__gpu_put_bytes(s, values, count * sizeof *values);
}

void het__gpu_put_int(het__gpu_start *s, int64_t value)
{
    const int32_t i = (int32_t)value;
    assert(i == value);
    het__gpu_put_bytes(s, &i, sizeof i);
}

void het__gpu_put_float(het__gpu_start *s, float value)
{
    het__gpu_put_bytes(s, &value, sizeof value);
}

void het__gpu_start_groups(het__gpu_start *s, int64_t x, int64_t y, int64_t z, size_t group_x,
                           size_t group_y)
{
    s->dimensions = z > 1 ? 3 : y > 1 || group_y > 1 ? 2 : 1;
    s->items[0] = (size_t)x;
    s->items[1] = (size_t)y;
    s->items[2] = (size_t)z;
    s->group[0] = group_x;
    s->group[1] = group_y;
    s->group[2] = 1;
}

/* The least power of two that is not below n, but at most most. */
static size_t round_up(int64_t n, size_t most)
{
    size_t p = 1;
    while (p < most && (int64_t)p < n)
        p *= 2;
    return p < most ? p : most;
}

void het__gpu_start_items(het__gpu_start *s, int64_t x, int64_t y, int64_t z, size_t group)
{
    const size_t gx = round_up(x, group);
    het__gpu_start_groups(s, x, y, z, gx, y > 1 ? round_up(y, group / gx) : 1);
}

het_status het__gpu_starts_prepare(het__gpu_call *call, const het__gpu_starts *list, het_error *err)
{
    if (list->failed)
        return het__fail_nomem(err, "a program");
    for (het__gpu_start *s = list->first; s; s = s->next) {
        const het_status status =
            het__gpu_kernel_of(call, s->file, s->name, s->options, &s->kernel, err);
        if (status != HET_OK)
            return status;
    }
    if (list->scratch_bytes)
        het__gpu_want_scratch(call, list->scratch_bytes);
    call->own = list->first;
    return HET_OK;
}

/* Returns the arguments that it sets. */
static uint32_t bind(const het__gpu_call *call, const het__gpu_start *s, const het__gpu_argument *a,
                     uint32_t at)
{
    const het__gpu_operand *o;
    switch (a->kind) {
    case HET__GPU_ARG_INPUT:
        o = &call->inputs[a->index];
        het__gpu_arg_memory(s->kernel, at, o->mem, o->offset + a->bytes);
        return 2;
    case HET__GPU_ARG_OUTPUT:
        o = &call->outputs[a->index];
        het__gpu_arg_memory(s->kernel, at, o->mem, o->offset + a->bytes);
        return 2;
    case HET__GPU_ARG_SCRATCH:
        het__gpu_arg_memory(s->kernel, at, call->scratch, a->bytes);
        return 2;
    case HET__GPU_ARG_MEMORY:
        het__gpu_arg_memory(s->kernel, at, a->memory, 0);
        return 2;
    case HET__GPU_ARG_VALUE:
        break;
    }
    het__gpu_arg(s->kernel, at, a->bytes, &a->value);
    return 1;
}

het_status het__gpu_starts_launch(het__gpu_call *call, const int64_t *symbols, het_error *err)
{
    (void)symbols;
    for (het__gpu_start *s = call->own; s; s = s->next) {
        uint32_t at = 0;
        for (uint32_t i = 0; i < s->argument_count && !s->is_bound; i++)
            at += bind(call, s, &s->arguments[i], at);
        s->is_bound = true;
        const het_status status = het__gpu_launch(call, s->kernel, s->dimensions, s->items,
                                                  s->group[0] ? s->group : NULL, err);
        if (status != HET_OK)
            return status;
    }
    return HET_OK;
}
