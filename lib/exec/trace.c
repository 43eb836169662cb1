/* SPDX-License-Identifier: Apache-2.0 */
/* The ring, and its form for browsers.
 *
 * A device has two lanes: its programs, and what the host does for it (copies to and from it, waits
 * for it), which may go on at the same time. Lanes are numbered from the steps' 0. Behind those of
 * all devices there is a third of each to which weights come. */
#include "lib/exec/trace.h"

#include <math.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

struct het__trace {
    het__mem *mem;
    uint64_t number, steps, added;
    uint32_t capacity;
    het__trace_event events[];
};

het__trace *het__trace_create(het__mem *mem, uint32_t events_max)
{
    static _Atomic uint64_t numbers;
    size_t bytes;
    if (!het__mul_size(events_max, sizeof(het__trace_event), &bytes) ||
        !het__add_size(bytes, sizeof(het__trace), &bytes))
        return NULL;
    het__trace *t = het__alloc_zero(mem, 1, bytes);
    if (!t)
        return NULL;
    t->mem = mem;
    t->number = atomic_fetch_add(&numbers, 1) + 1;
    t->capacity = events_max;
    return t;
}

void het__trace_destroy(het__trace *t)
{
    if (t)
        het__free(t->mem, t);
}

uint64_t het__trace_number(const het__trace *t)
{
    return t->number;
}

uint64_t het__trace_begin(het__trace *t)
{
    return ++t->steps;
}

/* As much as fits, without half a character at its end. */
static void copy_text(char *to, size_t room, const char *from)
{
    size_t n = 0;
    while (from && n + 1 < room && from[n])
        n++;
    while (from && from[n] && n > 0 && ((unsigned char)from[n] & 0xc0) == 0x80)
        n--;
    if (n)
        memcpy(to, from, n);
    to[n] = '\0';
}

het__trace_event *het__trace_add(het__trace *t, het__trace_kind kind, const char *name,
                                 const char *operations)
{
    het__trace_event *e = &t->events[t->added++ % t->capacity];
    memset(e, 0, offsetof(het__trace_event, name));
    e->kind = kind;
    e->step = t->steps;
    e->layer = -1;
    copy_text(e->name, sizeof e->name, name);
    copy_text(e->operations, sizeof e->operations, operations);
    return e;
}

uint32_t het__trace_count(const het__trace *t)
{
    return t->added < t->capacity ? (uint32_t)t->added : t->capacity;
}

uint64_t het__trace_lost(const het__trace *t)
{
    return t->added - het__trace_count(t);
}

const het__trace_event *het__trace_at(const het__trace *t, uint32_t index)
{
    return &t->events[(het__trace_lost(t) + index) % t->capacity];
}

/* ---- writing ---- */

typedef struct writer {
    het_trace_write_fn write;
    void *user;
    char line[1600]; /* the longest: all escaped names and every number fit */
    size_t used;
    bool failed;
} writer;

static void put(writer *w, const char *format, ...) __attribute__((format(printf, 2, 3)));

static void put(writer *w, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    const int n = vsnprintf(w->line + w->used, sizeof w->line - w->used, format, args);
    va_end(args);
    if (n > 0 && (size_t)n < sizeof w->line - w->used)
        w->used += (size_t)n;
    else
        w->failed = true;
}

/* Bytes of the character at text, if it is one of more than one byte; names come from files. */
static uint32_t wide_bytes(const unsigned char *text)
{
    const uint32_t n = text[0] >= 0xf0 ? 4 : text[0] >= 0xe0 ? 3 : text[0] >= 0xc2 ? 2 : 0;
    static const uint32_t least[] = { 0, 0, 0x80, 0x800, 0x10000 };
    uint32_t code = text[0] & (0x7fu >> n);
    for (uint32_t i = 1; i < n; i++) {
        if ((text[i] & 0xc0) != 0x80)
            return 0;
        code = code << 6 | (text[i] & 0x3f);
    }
    const bool is_surrogate = code >= 0xd800 && code < 0xe000;
    return n && text[0] < 0xf5 && code >= least[n] && code < 0x110000 && !is_surrogate ? n : 0;
}

/* What is not UTF-8 becomes '?'. */
static void put_text(writer *w, const char *text)
{
    const unsigned char *p = (const unsigned char *)text;
    put(w, "\"");
    while (*p) {
        const uint32_t wide = *p < 0x80 ? 0 : wide_bytes(p);
        if (*p == '"' || *p == '\\')
            put(w, "\\%c", *p);
        else if (*p < 0x20)
            put(w, "\\u%04x", *p);
        else if (wide)
            put(w, "%.*s", (int)wide, (const char *)p);
        else
            put(w, "%c", *p < 0x80 ? *p : '?');
        p += wide ? wide : 1;
    }
    put(w, "\"");
}

static void flush_line(writer *w)
{
    if (!w->failed && w->write(w->user, w->line, w->used) != 0)
        w->failed = true;
    w->used = 0;
}

/* Thousandths, without the decimal point of a locale. */
static void put_us(writer *w, uint64_t ns)
{
    put(w, "%llu.%03u", (unsigned long long)(ns / 1000), (unsigned)(ns % 1000));
}

#define DEVICES 32
#define UPLOADS (1 + 2 * DEVICES)

static unsigned lane_of(const het__trace_event *e)
{
    if (e->kind == HET__TRACE_STEP)
        return 0;
    if (e->kind == HET__TRACE_UPLOAD)
        return UPLOADS + e->device;
    return 1 + 2 * e->device + (e->kind != HET__TRACE_PROGRAM);
}

static void put_lane(writer *w, unsigned lane, const char *name, const char *what)
{
    put(w, ",\n{\"ph\":\"M\",\"name\":\"thread_name\",\"pid\":1,\"tid\":%u,\"args\":{\"name\":",
        lane);
    char text[128];
    snprintf(text, sizeof text, "%s%s", name, what);
    put_text(w, text);
    put(w, "}},\n{\"ph\":\"M\",\"name\":\"thread_sort_index\",\"pid\":1,\"tid\":%u,"
           "\"args\":{\"sort_index\":%u}}", lane, lane);
    flush_line(w);
}

static const char *kind_name(het__trace_kind kind)
{
    static const char *const names[] = { "step", "program", "transfer", "input", "output",
                                         "wait", "upload" };
    return names[kind];
}

static void put_event(writer *w, const het__trace_event *e, uint64_t origin)
{
    put(w, ",\n{\"ph\":\"X\",\"pid\":1,\"tid\":%u,\"cat\":\"%s\",\"name\":", lane_of(e),
        kind_name(e->kind));
    put_text(w, e->name);
    put(w, ",\"ts\":");
    put_us(w, e->begin_ns - origin);
    put(w, ",\"dur\":");
    put_us(w, e->end_ns > e->begin_ns ? e->end_ns - e->begin_ns : 0);
    put(w, ",\"args\":{\"step\":%llu,\"clock\":\"%s\"", (unsigned long long)e->step,
        e->is_device_clock ? "device" : "host");
    if (e->layer >= 0)
        put(w, ",\"layer\":%d", (int)e->layer);
    if (e->kind == HET__TRACE_PROGRAM) {
        put(w, ",\"nodes\":%u,\"operations\":", e->node_count);
        put_text(w, e->operations);
    }
    if (e->kind == HET__TRACE_PROGRAM || e->kind == HET__TRACE_TRANSFER) {
        put(w, ",\"predicted_us\":");
        put_us(w, (uint64_t)fmin(e->predicted_ns, 1e18));
    }
    if (e->kind == HET__TRACE_TRANSFER)
        put(w, ",\"from\":%u,\"to\":%u,\"shared\":%s", e->other, e->device,
            e->is_shared ? "true" : "false");
    if (e->kind == HET__TRACE_UPLOAD && e->other != HET__TRACE_NO_EXPERT)
        put(w, ",\"expert\":%u", e->other);
    if (e->kind == HET__TRACE_UPLOAD)
        put(w, ",\"ahead\":%s", e->is_ahead ? "true" : "false");
    if (e->kind == HET__TRACE_TRANSFER || e->kind == HET__TRACE_INPUT ||
        e->kind == HET__TRACE_OUTPUT || e->kind == HET__TRACE_UPLOAD)
        put(w, ",\"bytes\":%llu", (unsigned long long)e->bytes);
    put(w, "}}");
    flush_line(w);
}

/* The earliest beginning: events stand in order of their ends. */
static uint64_t origin_of(const het__trace *t)
{
    uint64_t first = UINT64_MAX;
    for (uint32_t i = 0; i < het__trace_count(t); i++)
        if (het__trace_at(t, i)->begin_ns < first)
            first = het__trace_at(t, i)->begin_ns;
    return first;
}

het_status het__trace_write(const het__trace *t, const het__trace_device *devices,
                            uint32_t device_count, het_trace_write_fn write, void *user)
{
    writer w = { .write = write, .user = user };
    uint32_t used = 0, uploads = 0;
    const uint64_t origin = origin_of(t);
    for (uint32_t i = 0; i < het__trace_count(t); i++) {
        const het__trace_event *e = het__trace_at(t, i);
        if (e->kind == HET__TRACE_UPLOAD)
            uploads |= UINT32_C(1) << e->device;
        else if (e->kind != HET__TRACE_STEP)
            used |= UINT32_C(1) << e->device;
    }
    put(&w, "{\"displayTimeUnit\":\"ns\",\"otherData\":{\"events_lost\":%llu},\"traceEvents\":[\n"
            "{\"ph\":\"M\",\"name\":\"process_name\",\"pid\":1,\"tid\":0,"
            "\"args\":{\"name\":\"hetinfer\"}}", (unsigned long long)het__trace_lost(t));
    flush_line(&w);
    put_lane(&w, 0, "steps", "");
    for (uint32_t d = 0; d < device_count && d < DEVICES; d++) {
        if (used >> d & 1) {
            put_lane(&w, 1 + 2 * d, devices[d].name, "");
            put_lane(&w, 2 + 2 * d, devices[d].name, ": copies and waits");
        }
        if (uploads >> d & 1)
            put_lane(&w, UPLOADS + d, devices[d].name, ": weights that come");
    }
    for (uint32_t i = 0; i < het__trace_count(t); i++)
        put_event(&w, het__trace_at(t, i), origin);
    put(&w, "\n]}\n");
    flush_line(&w);
    return w.failed ? HET_E_IO : HET_OK;
}
