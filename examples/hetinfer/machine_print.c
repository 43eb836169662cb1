/* SPDX-License-Identifier: Apache-2.0 */
/* A machine as a table, with the origin of every figure, and as JSON. */
#include "machine_print.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* ---- figures ---- */

/* With a prefix that leaves 1 to 999 before the point. */
static const char *scale(double value, const char *unit, char buffer[48])
{
    static const char *const prefixes[] = { "p", "n", "u", "m", "", "k", "M", "G", "T", "P" };
    int at = 4;
    while (value >= 999.9995 && at < 9) {
        value /= 1000;
        at++;
    }
    while (value < 0.9999995 && value > 0 && at > 0) {
        value *= 1000;
        at--;
    }
    snprintf(buffer, 48, "%.6g %s%s", value, prefixes[at], unit);
    return buffer;
}

const char *format_figure(const het_figure *figure, char buffer[48])
{
    if (figure->source == HET_SOURCE_UNAVAILABLE)
        return "-";
    if (strcmp(figure->unit, "") == 0 || strcmp(figure->unit, "/h") == 0)
        snprintf(buffer, 48, "%.6g%s%s", figure->value, *figure->unit ? " " : "", figure->unit);
    else if (strcmp(figure->unit, "ns") == 0)
        scale(figure->value * 1e-9, "s", buffer);
    else if (strcmp(figure->unit, "B") == 0 && fmod(figure->value, 1024) == 0)
        format_bytes(figure->value, buffer);
    else
        scale(figure->value, figure->unit, buffer);
    return buffer;
}

static const char *label(const het_figure *figure)
{
    return figure->is_unverified ? "unverified" : source_name(figure->source);
}

static het_figure new_figure(void)
{
    return (het_figure){ .struct_size = sizeof(het_figure) };
}

static void print_figure(const het_figure *f)
{
    char text[48];
    if (f->source == HET_SOURCE_UNAVAILABLE)
        return;
    printf("     %-16s %14s  %-10s  ", f->name, format_figure(f, text), label(f));
    print_safe(f->origin, 0);
    putchar('\n');
}

/* {value, unit, source, unverified, origin}; null where nothing is known. */
static json_t *json_figure(const het_figure *f)
{
    if (f->source == HET_SOURCE_UNAVAILABLE)
        return json_null();
    return json_pack("{s:f, s:s, s:s, s:b, s:o}", "value", f->value, "unit", f->unit, "source",
                     source_name(f->source), "unverified", (int)f->is_unverified, "origin",
                     json_text(f->origin, strlen(f->origin)));
}

/* ---- devices ---- */

static const char *units_name(uint32_t unit_class)
{
    switch (unit_class) {
    case HET_UNITS_CORES: return "cores";
    case HET_UNITS_SIMT: return "simt";
    case HET_UNITS_SYSTOLIC: return "systolic";
    case HET_UNITS_TILES: return "tiles";
    default: return "unknown";
    }
}

static int device_at(const het_machine *machine, uint32_t index, het_machine_device *device)
{
    memset(device, 0, sizeof *device);
    device->struct_size = sizeof *device;
    const het_status status = het_machine_device_at(machine, index, device);
    return status ? failure("device %u: %s", index, het_status_name(status)) : STATUS_GO;
}

static int print_device(const het_machine *machine, uint32_t index)
{
    het_machine_device d;
    het_figure f = new_figure();
    const int status = device_at(machine, index, &d);
    if (status != STATUS_GO)
        return status;
    printf("\n%3u  ", index);
    print_safe(d.name, 0);
    printf(": %s%s%s, units are %s, memory ", kind_name(d.kind), *d.backend ? ", " : "", d.backend,
           units_name(d.unit_class));
    print_safe(d.memory_name, 0);
    putchar('\n');
    for (int kind = 0; kind < HET_FIGURE_SHARED_BANDWIDTH; kind++)
        if (!het_machine_figure(machine, index, (het_figure_kind)kind, &f))
            print_figure(&f);
    return STATUS_GO;
}

static json_t *json_device(const het_machine *machine, uint32_t index, const het_machine_device *d)
{
    json_t *figures = json_object();
    het_figure f = new_figure(), bandwidth = new_figure(), size = new_figure();
    for (int kind = 0; kind < HET_FIGURE_SHARED_BANDWIDTH; kind++)
        if (!het_machine_figure(machine, index, (het_figure_kind)kind, &f))
            json_object_set_new(figures, f.name, json_figure(&f));
    if (het_machine_figure(machine, index, HET_FIGURE_SHARED_BANDWIDTH, &bandwidth) ||
        het_machine_figure(machine, index, HET_FIGURE_SHARED_BYTES, &size))
        bandwidth.source = size.source = HET_SOURCE_UNAVAILABLE;
    return json_pack("{s:o, s:s, s:o, s:s, s:o, s:{s:o, s:o, s:o}}", "name",
                     json_text(d->name, strlen(d->name)), "kind", kind_name(d->kind), "backend",
                     json_text(d->backend, strlen(d->backend)), "units_are",
                     units_name(d->unit_class), "figures", figures, "memory", "name",
                     json_text(d->memory_name, strlen(d->memory_name)), "bandwidth",
                     json_figure(&bandwidth), "size", json_figure(&size));
}

/* ---- memories and links ---- */

static void print_memory(const het_machine *machine, uint32_t device, const char *name)
{
    het_figure f = new_figure();
    printf("\nmemory ");
    print_safe(name, 0);
    putchar('\n');
    for (int kind = HET_FIGURE_SHARED_BANDWIDTH; kind <= HET_FIGURE_SHARED_BYTES; kind++)
        if (!het_machine_figure(machine, device, (het_figure_kind)kind, &f))
            print_figure(&f);
}

/* Each memory once, by the first device that works in it. */
static int print_memories(const het_machine *machine, uint32_t count)
{
    for (uint32_t memory = 0; memory < count; memory++)
        for (uint32_t i = 0; i < het_machine_device_count(machine); i++) {
            het_machine_device d;
            const int status = device_at(machine, i, &d);
            if (status != STATUS_GO)
                return status;
            if (d.memory == memory) {
                print_memory(machine, i, d.memory_name);
                break;
            }
        }
    return STATUS_GO;
}

static void print_link(const het_machine *machine, uint32_t from, uint32_t to, bool is_only)
{
    het_figure bandwidth = new_figure(), latency = new_figure();
    if (het_machine_link(machine, from, to, &bandwidth, &latency) ||
        bandwidth.source == HET_SOURCE_UNAVAILABLE)
        return;
    if (is_only)
        printf("\nbetween devices\n");
    else
        printf("\nfrom %u to %u\n", from, to);
    print_figure(&bandwidth);
    print_figure(&latency);
}

/* Once, where all ways are alike. */
static void print_links(const het_machine *machine, const het_machine_info *info)
{
    if (info->link_count == 0)
        print_link(machine, 0, 1, true);
    else
        for (uint32_t from = 0; from < info->device_count; from++)
            for (uint32_t to = 0; to < info->device_count; to++)
                print_link(machine, from, to, false);
}

static json_t *json_links(const het_machine *machine)
{
    json_t *list = json_array();
    const uint32_t count = het_machine_device_count(machine);
    for (uint32_t from = 0; from < count; from++)
        for (uint32_t to = 0; to < count; to++) {
            het_figure bandwidth = new_figure(), latency = new_figure();
            if (from == to || het_machine_link(machine, from, to, &bandwidth, &latency))
                continue;
            json_array_append_new(list, json_pack("{s:I, s:I, s:o, s:o}", "from", (json_int_t)from,
                                                  "to", (json_int_t)to, "bandwidth",
                                                  json_figure(&bandwidth), "latency",
                                                  json_figure(&latency)));
        }
    return list;
}

/* ---- machines ---- */

static int print_table(const het_machine *machine, const het_machine_info *info)
{
    int status = STATUS_GO;
    print_safe(info->name, 0);
    putchar('\n');
    if (info->about[0]) {
        print_safe(info->about, 0);
        putchar('\n');
    }
    for (uint32_t i = 0; status == STATUS_GO && i < info->device_count; i++)
        status = print_device(machine, i);
    if (status == STATUS_GO)
        status = print_memories(machine, info->memory_count);
    if (status != STATUS_GO)
        return status;
    print_links(machine, info);
    return fflush(stdout) ? failure("cannot write the result") : STATUS_DONE;
}

static int print_json(const het_machine *machine, const het_machine_info *info)
{
    json_t *root = json_begin("machine"), *list = json_array();
    int status = STATUS_GO;
    for (uint32_t i = 0; status == STATUS_GO && i < info->device_count; i++) {
        het_machine_device d;
        status = device_at(machine, i, &d);
        if (status == STATUS_GO)
            json_array_append_new(list, json_device(machine, i, &d));
    }
    json_object_set_new(root, "name", json_text(info->name, strlen(info->name)));
    json_object_set_new(root, "about", json_text(info->about, strlen(info->about)));
    json_object_set_new(root, "devices", list);
    json_object_set_new(root, "links", json_links(machine));
    if (status == STATUS_GO)
        return json_end(root);
    json_decref(root);
    return status;
}

int print_machine(const het_machine *machine, bool json)
{
    het_machine_info info = { .struct_size = sizeof info };
    const het_status status = het_machine_get_info(machine, &info);
    if (status)
        return failure("%s", het_status_name(status));
    return json ? print_json(machine, &info) : print_table(machine, &info);
}

int show_machine(const het_context *context, const char *name, bool json)
{
    het_machine *machine = NULL;
    int status = machine_open(context, name, 0, &machine);
    if (status == STATUS_GO)
        status = print_machine(machine, json);
    het_machine_destroy(machine);
    return status;
}
