/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/machine/machine.h"

#include <string.h>

/* What a core does per cycle in the leanest implementation of an instruction set that is sold,
 * times a sustained clock that laptops hold. Assumed, and labelled so. */
#define ASSUMED_HZ 2.5e9
#define ASSUMED_READ_PER_CORE 10e9 /* bytes/s; memory saturates with a few cores */
#define ASSUMED_READ_MAX 40e9

static void assume_cpu(const het_device_info *info, double units, het_device_figures *f)
{
    const bool avx512 = strstr(info->features, "avx512") != NULL;
    const bool avx2 = strstr(info->features, "avx2") != NULL;
    const bool vnni = strstr(info->features, "vnni") != NULL;
    const double f32 = avx512 ? 32 : avx2 ? 32 : 4; /* flops per cycle */
    f->f32_ops_per_s = units * ASSUMED_HZ * f32;
    f->int8_ops_per_s = units * ASSUMED_HZ * (vnni ? (avx512 ? 128 : 64) : avx2 ? 32 : 4);
    f->bf16_ops_per_s = strstr(info->features, "bf16") ? 2 * f->f32_ops_per_s : 0;
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

bool het__machine_add(het__machine *machine, const het_device_info *info,
                      const het_device_figures *figures)
{
    if (machine->device_count == HET__MACHINE_DEVICES_MAX)
        return false;
    het__machine_device *d = &machine->device[machine->device_count++];
    d->context_index = info->index;
    d->kind = info->kind;
    d->shares_host_memory = info->kind == HET_DEVICE_CPU || info->kind == HET_DEVICE_REFERENCE ||
                            info->kind == HET_DEVICE_SIMULATED;
    memcpy(d->backend, info->backend, sizeof d->backend);
    d->figures = *figures;
    if (!(machine->link_bytes_per_s > 0))
        machine->link_bytes_per_s = 8e9; /* a copy through host memory, assumed */
    if (!(machine->link_ns > 0))
        machine->link_ns = 10000;
    return true;
}

double het__machine_transfer_ns(const het__machine *machine, uint32_t from, uint32_t to,
                                double bytes)
{
    if (from == to)
        return 0;
    return machine->link_ns + bytes / machine->link_bytes_per_s * 1e9;
}
