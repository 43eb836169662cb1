/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/machine/figures.h"

#include <assert.h>
#include <string.h>

/* Bounds keep out what cannot be meant (a rate in the wrong unit, a count with a slip of the
 * finger), not what is merely unusual; whole numbers stay exact in a double. */
#define OPS "op/s", "op/s", 0, 1e3, 1e21, false
#define RATE "B/s", "B/s", 0, 1e3, 1e18, false
#define TIME "s", "ns", 9, 1e-3, 1e12, false
#define SIZE "B", "B", 0, 1, 1e15, true

const het__figure_info het__figure_infos[HET__FIGURE_COUNT] = {
    [HET_FIGURE_F32] = { "f32", OPS },
    [HET_FIGURE_F16] = { "f16", OPS },
    [HET_FIGURE_BF16] = { "bf16", OPS },
    [HET_FIGURE_INT8] = { "int8", OPS },
    [HET_FIGURE_BANDWIDTH] = { "bandwidth", RATE },
    [HET_FIGURE_LAUNCH] = { "launch", TIME },
    [HET_FIGURE_UNITS] = { "units", "", "", 0, 1, 1e6, true },
    [HET_FIGURE_LANES] = { "lanes", "", "", 0, 1, 1e6, true },
    [HET_FIGURE_CLOCK] = { "clock", "Hz", "Hz", 0, 1e3, 1e12, false },
    [HET_FIGURE_NEAR_BYTES] = { "near-memory", SIZE },
    [HET_FIGURE_CACHE_BYTES] = { "cache", SIZE },
    [HET_FIGURE_MEMORY_BYTES] = { "memory-limit", SIZE },
    [HET_FIGURE_WATTS] = { "power", "W", "W", 0, 1e-6, 1e7, false },
    [HET_FIGURE_JOULES_PER_OP] = { "energy-per-op", "J/op", "J/op", 0, 1e-21, 1e-3, false },
    [HET_FIGURE_JOULES_PER_BYTE] = { "energy-per-byte", "J/B", "J/B", 0, 1e-21, 1e-3, false },
    [HET_FIGURE_PRICE_PER_HOUR] = { "price", "/h", "/h", 0, 1e-9, 1e9, false },
    [HET_FIGURE_SHARED_BANDWIDTH] = { "bandwidth", RATE },
    [HET_FIGURE_SHARED_BYTES] = { "size", SIZE },
};
const het__figure_info het__latency_info = { "latency", TIME };

static const size_t offsets[HET__FIGURE_OWN_COUNT] = {
    [HET_FIGURE_F32] = offsetof(het__machine_device, peak[HET__PEAK_F32]),
    [HET_FIGURE_F16] = offsetof(het__machine_device, peak[HET__PEAK_F16]),
    [HET_FIGURE_BF16] = offsetof(het__machine_device, peak[HET__PEAK_BF16]),
    [HET_FIGURE_INT8] = offsetof(het__machine_device, peak[HET__PEAK_INT8]),
    [HET_FIGURE_BANDWIDTH] = offsetof(het__machine_device, bandwidth),
    [HET_FIGURE_LAUNCH] = offsetof(het__machine_device, launch),
    [HET_FIGURE_UNITS] = offsetof(het__machine_device, units),
    [HET_FIGURE_LANES] = offsetof(het__machine_device, lanes),
    [HET_FIGURE_CLOCK] = offsetof(het__machine_device, clock),
    [HET_FIGURE_NEAR_BYTES] = offsetof(het__machine_device, near_bytes),
    [HET_FIGURE_CACHE_BYTES] = offsetof(het__machine_device, cache_bytes),
    [HET_FIGURE_MEMORY_BYTES] = offsetof(het__machine_device, memory_bytes),
    [HET_FIGURE_WATTS] = offsetof(het__machine_device, watts),
    [HET_FIGURE_JOULES_PER_OP] = offsetof(het__machine_device, joules_per_op),
    [HET_FIGURE_JOULES_PER_BYTE] = offsetof(het__machine_device, joules_per_byte),
    [HET_FIGURE_PRICE_PER_HOUR] = offsetof(het__machine_device, price_per_hour),
};

het__figure *het__device_figure(het__machine_device *device, uint32_t kind)
{
    assert(kind < HET__FIGURE_OWN_COUNT);
    return (het__figure *)((char *)device + offsets[kind]);
}

const het__figure *het__machine_figure(const het__machine *machine, uint32_t device, uint32_t kind)
{
    assert(device < machine->device_count && kind < HET__FIGURE_COUNT);
    const het__machine_device *d = &machine->device[device];
    const het__machine_group *group = &machine->group[d->group];
    if (kind < HET__FIGURE_OWN_COUNT)
        return (const het__figure *)((const char *)d + offsets[kind]);
    return kind == HET_FIGURE_SHARED_BANDWIDTH ? &group->bandwidth : &group->memory_bytes;
}

const het__machine_link *het__machine_find_link(const het__machine *machine, uint32_t from,
                                                uint32_t to)
{
    for (uint32_t i = 0; i < machine->link_count; i++)
        if (machine->link[i].from == from && machine->link[i].to == to)
            return &machine->link[i];
    return NULL;
}
