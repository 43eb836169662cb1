/* SPDX-License-Identifier: Apache-2.0 */
/* What a step leaves in a trace. Programs are recorded when it has ended, because only then devices
 * are asked when they ran. */
#include <stdio.h>
#include <string.h>

#include "lib/base/os.h"
#include "lib/exec/internal.h"

uint32_t het__exec_registered(const het__exec *x, uint32_t device)
{
    return x->phase[0].plan.machine.device[device].context_index;
}

het__trace_event *het__exec_record(het__exec *x, het__trace_kind kind, uint32_t device,
                                   int32_t layer, const char *name, uint64_t begin_ns)
{
    het__trace_event *e = het__trace_add(x->trace, kind, name, NULL);
    e->begin_ns = begin_ns;
    e->end_ns = het__now_ns();
    e->device = het__exec_registered(x, device);
    e->layer = layer;
    return e;
}

void het__exec_mark_ended(het__exec *x, uint32_t device, uint64_t number)
{
    const uint64_t now = het__now_ns();
    het__phase_state *ps = &x->phase[x->running];
    for (uint32_t i = 0; i < ps->unit_count; i++) {
        het__unit *unit = &ps->units[i];
        if (unit->device == device && unit->begin_ns && !unit->end_ns && unit->number <= number)
            unit->end_ns = now;
    }
}

static void count_times(het__unit *unit, uint64_t trace, uint64_t ns, bool is_device_clock)
{
    het__exec_times *t = &unit->measured.times;
    if (unit->measured.trace != trace)
        unit->measured = (het__unit_times){ .trace = trace };
    t->least_ns = t->runs == 0 || ns < t->least_ns ? ns : t->least_ns;
    t->last_ns = ns;
    t->total_ns += ns;
    t->runs++;
    t->is_device_clock = is_device_clock;
}

/* Programs of a run that has ended. Without a device's own times a program begins when it was
 * enqueued, or when the one before it ended; it ends when somebody has seen that. */
static void record_programs(het__exec *x)
{
    const het__phase_state *ps = &x->phase[x->running];
    uint64_t free_ns[HET__MACHINE_DEVICES_MAX] = { 0 };
    for (uint32_t i = 0; i < ps->unit_count; i++) {
        het__unit *unit = &ps->units[i];
        const het__plan_entry *entry = &ps->plan.entries[i];
        const het__opened *o = &x->opened[unit->device];
        uint64_t begin = unit->begin_ns, end = unit->end_ns;
        if (!begin || !end)
            continue;
        const bool known = o->backend->span && !o->is_lost &&
                           o->backend->span(o->device, unit->number, &begin, &end);
        if (!known && begin < free_ns[unit->device])
            begin = free_ns[unit->device];
        end = end > begin ? end : begin;
        free_ns[unit->device] = end;
        het__trace_event *e =
            het__trace_add(x->trace, HET__TRACE_PROGRAM, entry->name, entry->operations);
        e->begin_ns = begin;
        e->end_ns = end;
        e->device = het__exec_registered(x, unit->device);
        e->layer = unit->layer;
        e->predicted_ns = entry->predicted_ns;
        e->node_count = entry->node_count;
        e->is_device_clock = known;
        count_times(unit, het__trace_number(x->trace), end - begin, known);
    }
}

/* "block 3", "block 3, expert 17". */
static void name_upload(const het__exec *x, uint32_t device, const het__brought *b, char name[48])
{
    const het__plan *plan = &x->phase[x->running].plan;
    const char *layer = "weights";
    for (uint32_t i = 0; i < plan->entry_count; i++)
        if (plan->entries[i].layer == b->layer && plan->entries[i].device == device)
            layer = plan->entries[i].name;
    if (b->expert == HET__NO_EXPERT)
        snprintf(name, 48, "%s", layer);
    else
        snprintf(name, 48, "%.26s, expert %u", layer, b->expert);
}

static void record_upload(het__exec *x, uint32_t device, const het__brought *b)
{
    char name[48];
    uint64_t *free_ns = &x->opened[device].uploads_end_ns;
    name_upload(x, device, b, name);
    het__trace_event *e = het__trace_add(x->trace, HET__TRACE_UPLOAD, name, NULL);
    e->begin_ns = b->begin_ns;
    /* They come one after the other: one that was sent before another had come waited for it. */
    if (!b->is_device_clock && e->begin_ns < *free_ns)
        e->begin_ns = *free_ns;
    e->end_ns = b->end_ns > e->begin_ns ? b->end_ns : e->begin_ns;
    *free_ns = e->end_ns;
    e->device = het__exec_registered(x, device);
    e->layer = b->layer;
    e->other = b->expert == HET__NO_EXPERT ? HET__TRACE_NO_EXPERT : b->expert;
    e->bytes = b->bytes;
    e->is_ahead = b->is_ahead;
    e->is_device_clock = b->is_device_clock;
}

void het__exec_record_uploads(het__exec *x, uint32_t device)
{
    const het__opened *o = &x->opened[device];
    const bool is_known = x->uploads_trace == het__trace_number(x->trace);
    het__brought list[16];
    uint32_t count;
    if (!o->device || o->is_lost || !o->backend->brought)
        return;
    do {
        count = o->backend->brought(o->device, list, 16);
        for (uint32_t i = 0; i < count && is_known; i++)
            record_upload(x, device, &list[i]);
    } while (count == 16);
}

void het__exec_trace_begin(het__exec *x, uint32_t phase)
{
    x->trace = x->request.trace ? *x->request.trace : NULL;
    x->running = phase;
    if (!x->trace)
        return;
    het__trace_begin(x->trace);
    for (uint32_t i = 0; i < x->phase[phase].unit_count; i++)
        x->phase[phase].units[i].begin_ns = x->phase[phase].units[i].end_ns = 0;
    for (uint32_t d = 0; d < x->device_count; d++)
        het__exec_record_uploads(x, d); /* of a trace before this one: given up */
    x->uploads_trace = het__trace_number(x->trace);
}

void het__exec_trace_end(het__exec *x, uint64_t begin_ns)
{
    record_programs(x);
    for (uint32_t d = 0; d < x->device_count; d++)
        het__exec_record_uploads(x, d);
    het__trace_event *e = het__trace_add(
        x->trace, HET__TRACE_STEP,
        x->request.phase_count == 1 ? "run" : x->running == HET_PHASE_DECODE ? "decode" : "prefill",
        NULL);
    e->begin_ns = begin_ns;
    e->end_ns = het__now_ns();
}
