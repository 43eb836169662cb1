/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/machine/machine.h"

#include <string.h>

#include "lib/machine/features.h"

/* What a core does per cycle in the leanest implementation of an instruction set that is sold,
 * times a sustained clock that laptops hold. Assumed, and labelled so. */
#define ASSUMED_HZ 2.5e9
#define ASSUMED_READ_PER_CORE 10e9 /* bytes/s; memory saturates with a few cores */
#define ASSUMED_READ_MAX 40e9

bool het__features_have(const char *features, const char *set)
{
    for (; *features; features++) {
        const char *at = features, *want = set;
        while (*want && *at) {
            const char c = *at >= 'A' && *at <= 'Z' ? (char)(*at - 'A' + 'a') : *at;
            if (c == '-' && at > features) {
                at++;
                continue;
            }
            if (c != *want)
                break;
            at++;
            want++;
        }
        if (!*want)
            return true;
    }
    return false;
}

static void assume_cpu(const het_device_info *info, double units, het_device_figures *f)
{
    const bool avx512 = het__features_have(info->features, "avx512");
    const bool avx2 = het__features_have(info->features, "avx2");
    const bool vnni = het__features_have(info->features, "vnni");
    const double f32 = avx512 ? 32 : avx2 ? 32 : 4; /* flops per cycle */
    f->f32_ops_per_s = units * ASSUMED_HZ * f32;
    f->int8_ops_per_s = units * ASSUMED_HZ * (vnni ? (avx512 ? 128 : 64) : avx2 ? 32 : 4);
    f->bf16_ops_per_s = het__features_have(info->features, "bf16") ? 2 * f->f32_ops_per_s : 0;
    f->read_bytes_per_s = units * ASSUMED_READ_PER_CORE;
    if (f->read_bytes_per_s > ASSUMED_READ_MAX)
        f->read_bytes_per_s = ASSUMED_READ_MAX;
    f->launch_ns = 2000;
}

/* Plain C decodes weights one by one: a multiply-add every few cycles. */
static void assume_plain(het_device_figures *f)
{
    f->f32_ops_per_s = 1e9;
    f->int8_ops_per_s = 0;
    f->bf16_ops_per_s = 0;
    f->read_bytes_per_s = 1e9;
    f->launch_ns = 2000; /* as any CPU: a call is a call */
}

void het__machine_assume(const het_device_info *info, uint32_t threads, het_device_figures *figures)
{
    memset(figures, 0, sizeof *figures);
    figures->struct_size = sizeof *figures;
    figures->source = HET_SOURCE_ASSUMED;
    uint32_t units = info->unit_count ? info->unit_count : 1;
    if (threads && threads < units)
        units = threads;
    if (info->kind == HET_DEVICE_CPU)
        assume_cpu(info, units, figures);
    else
        assume_plain(figures);
}

static het__figure figure(double value, uint32_t source)
{
    return (het__figure){ .value = value, .source = value > 0 ? source : HET_SOURCE_UNAVAILABLE };
}

/* The host's memory is the first group. */
static void add_host_group(het__machine *machine)
{
    machine->group_count = 1;
    memcpy(machine->group[0].name, "host", sizeof "host");
    machine->link_bandwidth = figure(8e9, HET_SOURCE_ASSUMED); /* a copy through host memory */
    machine->link_latency = figure(10000, HET_SOURCE_ASSUMED);
}

bool het__machine_add(het__machine *machine, const het_device_info *info,
                      const het_device_figures *figures)
{
    if (machine->device_count == HET__MACHINE_DEVICES_MAX)
        return false;
    if (machine->group_count == 0)
        add_host_group(machine);
    het__machine_device *d = &machine->device[machine->device_count++];
    const uint32_t source = figures->source;
    memset(d, 0, sizeof *d);
    d->context_index = info->index;
    d->kind = info->kind;
    d->unit_class = info->kind == HET_DEVICE_IGPU || info->kind == HET_DEVICE_GPU ? HET__UNIT_SIMT
                    : info->kind == HET_DEVICE_NPU ? HET__UNIT_TILES : HET__UNIT_CORES;
    memcpy(d->backend, info->backend, sizeof d->backend);
    memcpy(d->name, info->name, sizeof d->name);
    d->peak[HET__PEAK_F32] = figure(figures->f32_ops_per_s, source);
    d->peak[HET__PEAK_BF16] = figure(figures->bf16_ops_per_s, source);
    d->peak[HET__PEAK_INT8] = figure(figures->int8_ops_per_s, source);
    d->bandwidth = figure(figures->read_bytes_per_s, source);
    d->launch = figure(figures->launch_ns, source);
    d->units = figure(info->unit_count, HET_SOURCE_MEASURED);
    d->memory_bytes = figure((double)info->memory_bytes, HET_SOURCE_MEASURED);
    het__machine_group *group = &machine->group[d->group];
    if (d->bandwidth.value > group->bandwidth.value)
        group->bandwidth = d->bandwidth;
    if (d->memory_bytes.value > group->memory_bytes.value)
        group->memory_bytes = d->memory_bytes;
    return true;
}

void het__machine_leave_out(het__machine *machine, const het_device_info *info)
{
    if (machine->absent_count == HET__MACHINE_DEVICES_MAX)
        return;
    het__machine_absent *a = &machine->absent[machine->absent_count++];
    *a = (het__machine_absent){ .context_index = info->index, .kind = info->kind };
    memcpy(a->backend, info->backend, sizeof a->backend);
}

double het__machine_peak(const het__machine_device *device, het__peak type)
{
    const het__peak order[] = { type, HET__PEAK_F32, HET__PEAK_BF16, HET__PEAK_F16,
                                HET__PEAK_INT8 };
    for (size_t i = 0; i < sizeof order / sizeof *order; i++)
        if (device->peak[order[i]].value > 0)
            return device->peak[order[i]].value;
    return 0;
}

uint32_t het__machine_source(const het__machine_device *device)
{
    const het__figure *figures[] = { &device->peak[HET__PEAK_F32], &device->peak[HET__PEAK_BF16],
                                     &device->peak[HET__PEAK_INT8], &device->bandwidth,
                                     &device->launch };
    /* From the strongest to the weakest. */
    static const uint32_t order[] = { HET_SOURCE_UNAVAILABLE, HET_SOURCE_MEASURED,
                                      HET_SOURCE_DATASHEET, HET_SOURCE_MODELLED,
                                      HET_SOURCE_ASSUMED };
    uint32_t weakest = 0;
    for (size_t i = 0; i < sizeof figures / sizeof *figures; i++)
        for (uint32_t k = weakest; k < sizeof order / sizeof *order; k++)
            if (figures[i]->source == order[k])
                weakest = k;
    return order[weakest];
}

static const het__machine_link *link_between(const het__machine *machine, uint32_t from,
                                             uint32_t to)
{
    for (uint32_t i = 0; i < machine->link_count; i++)
        if (machine->link[i].from == from && machine->link[i].to == to)
            return &machine->link[i];
    return NULL;
}

double het__machine_transfer_ns(const het__machine *machine, uint32_t from, uint32_t to,
                                double bytes)
{
    if (from == to)
        return 0;
    const het__machine_link *link = link_between(machine, from, to);
    const double bandwidth =
        link && link->bandwidth.value > 0 ? link->bandwidth.value : machine->link_bandwidth.value;
    const double latency = link ? link->latency.value : machine->link_latency.value;
    return latency + (bandwidth > 0 ? bytes / bandwidth * 1e9 : 0);
}
