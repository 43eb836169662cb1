/* SPDX-License-Identifier: Apache-2.0 */
/* A device's own word and the system's become figures with origins. What nobody says stays unknown:
 * nothing is made up here but what het__machine_assume() marks so. */
#include "lib/machine/probe.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/error.h"
#include "lib/base/text.h"
#include "lib/machine/features.h"
#include "lib/machine/figures.h"

#define CACHES "/sys/devices/system/cpu/cpu*/cache"
#define CLOCKS "/sys/devices/system/cpu/cpu*/cpufreq/cpuinfo_max_freq"

static const char *origin_of(uint32_t source, const char *backend, uint32_t threads,
                             het__arena *arena)
{
    switch (source) {
    case HET_SOURCE_MEASURED:
        return het__arena_printf(arena, "measured by the backend %s, threads: %" PRIu32, backend,
                                 threads);
    case HET_SOURCE_ASSUMED:
        return het__arena_printf(arena, "from the kind of device and its instruction sets, on the "
                                        "low side, threads: %" PRIu32, threads);
    default:
        return het__arena_printf(arena, "said by the backend %s", backend);
    }
}

/* What a measurement is good for: three digits. */
static double rounded(double value)
{
    char text[32];
    snprintf(text, sizeof text, "%.2e", value);
    return strtod(text, NULL);
}

static void set(het__figure *figure, double value, uint32_t source, const char *origin)
{
    if (value > 0)
        *figure = (het__figure){ .value = value, .source = source, .origin = origin };
}

/* Lanes of the widest vectors in use. */
static double lanes_of(const char *features)
{
    return het__features_have(features, "avx512") ? 16
           : het__features_have(features, "avx") ? 8 : 4;
}

/* "cores that may be used; highest clocks: 6 x 5.10 GHz, 8 x 3.80 GHz" */
static const char *describe_cores(const het__cpu_facts *facts, het__arena *arena)
{
    char text[160] = "cores that may be used";
    size_t n = strlen(text);
    for (uint32_t i = 0; i < facts->kind_count && facts->kind[0].hertz; i++)
        n += (size_t)snprintf(text + n, sizeof text - n, "%s%" PRIu32 " x %" PRIu64 " MHz",
                              i ? ", " : "; highest clocks: ", facts->kind[i].cores,
                              facts->kind[i].hertz / 1000000);
    return het__arena_strdup(arena, text);
}

/* What only processors have. */
static bool describe_cpu(het__machine_device *d, const char *root, const het__cpus *cpus,
                         const char *features, het__arena *arena)
{
    het__cpu_facts facts;
    het__cpus_describe(root, cpus, &facts);
    d->units.origin = describe_cores(&facts, arena);
    set(&d->lanes, lanes_of(features), HET_SOURCE_MODELLED,
        "32-bit floats of the widest vectors in use");
    set(&d->clock, (double)facts.kind[0].hertz, HET_SOURCE_MEASURED, CLOCKS);
    set(&d->near_bytes, (double)facts.near_bytes, HET_SOURCE_MEASURED, CACHES);
    set(&d->cache_bytes, (double)facts.cache_bytes, HET_SOURCE_MEASURED, CACHES);
    return d->units.origin != NULL;
}

/* Where two devices would have one name, the second gets a number. */
static void make_unique(const het__machine *machine, het__machine_device *device)
{
    char name[sizeof device->name];
    memcpy(name, device->name, sizeof name);
    for (uint32_t number = 2, i = 0; i < machine->device_count; i++)
        if (&machine->device[i] != device && !strcmp(machine->device[i].name, device->name)) {
            snprintf(device->name, sizeof device->name, "%.50s %" PRIu32, name, number++);
            i = UINT32_MAX; /* from the beginning */
        }
}

het_status het__machine_probe(het__machine *machine, const char *root, const het__cpus *cpus,
                              const het_device_info *info, const het_device_figures *figures,
                              uint32_t threads, het__arena *arena, het_error *err)
{
    static const uint32_t speeds[] = { HET_FIGURE_F32, HET_FIGURE_BF16, HET_FIGURE_INT8,
                                       HET_FIGURE_BANDWIDTH, HET_FIGURE_LAUNCH };
    if (!het__machine_add(machine, info, figures))
        return het__fail(err, HET_E_INVALID, "there are more than %d devices",
                         HET__MACHINE_DEVICES_MAX);
    het__machine_device *d = &machine->device[machine->device_count - 1];
    het__machine_group *group = &machine->group[d->group];
    const char *origin = origin_of(figures->source, info->backend, threads, arena);
    if (!d->name[0])
        memcpy(d->name, d->backend, sizeof d->backend);
    make_unique(machine, d);
    for (size_t i = 0; i < sizeof speeds / sizeof *speeds; i++) {
        het__figure *f = het__device_figure(d, speeds[i]);
        f->origin = origin;
        f->value = rounded(f->value);
    }
    d->units.origin = "said by the backend";
    d->memory_bytes.origin = "said by the operating system";
    bool good = origin != NULL;
    if (info->kind == HET_DEVICE_CPU)
        good = describe_cpu(d, root, cpus, info->features, arena) && good;
    /* The best that a device has is the group's, too. */
    if (d->bandwidth.value >= group->bandwidth.value || !group->bandwidth.origin)
        group->bandwidth = d->bandwidth;
    group->memory_bytes.origin = d->memory_bytes.origin;
    set(&group->memory_bytes, (double)het__cpus_memory(root), HET_SOURCE_MEASURED,
        "/proc/meminfo");
    machine->link_bandwidth.origin = machine->link_latency.origin =
        "a copy through the host's memory, on the low side";
    return good ? HET_OK : het__fail_nomem(err, "a machine");
}
