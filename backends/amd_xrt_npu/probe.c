/* SPDX-License-Identifier: Apache-2.0 */
/* Which devices there are, of which generation, and which designs fit them.
 *
 * The kernel's own files are looked at first: XRT is not touched on a machine that shows no NPU.
 * What was found belongs to the process: whether a node is supported is asked by a device's index
 * alone. */
#include "backends/amd_xrt_npu/npu.h"

#include <stdio.h>
#include <string.h>

#include "lib/base/os.h"
#include "lib/base/sysfs.h"

#define ACCEL_FOLDER "/sys/class/accel"
#define ACCEL_MAX 16
#define VENDOR_AMD 0x1022
#define LINE_MAX_BYTES 64

static het__mutex lock = PTHREAD_MUTEX_INITIALIZER;
static het__npu_found known; /* guarded by the lock */

/* What the kernel says of one device. */
typedef struct accel {
    uint32_t generation;
    char name[LINE_MAX_BYTES], firmware[LINE_MAX_BYTES];
} accel;

static const char *accel_folder(const het__host *host)
{
    const char *named = host->use_env ? het__env("HETINFER_NPU_SYSFS") : NULL;
    return named ? named : ACCEL_FOLDER;
}

static uint32_t generation_of(int64_t device, int64_t revision)
{
    if (device == 0x1502)
        return HET__NPU_1;
    if (device != 0x17f0)
        return HET__NPU_UNKNOWN;
    return revision == 0x10 ? HET__NPU_4 : revision == 0x11 ? HET__NPU_5
           : revision == 0x20 ? HET__NPU_6 : HET__NPU_UNKNOWN;
}

/* AMD's devices in the order of their numbers, which is XRT's. */
static uint32_t find_accels(const char *folder, accel *accels)
{
    uint32_t count = 0;
    for (uint32_t n = 0; n < ACCEL_MAX; n++) {
        int64_t vendor = 0, device = 0, revision = 0;
        if (!het__sys_number(folder, &vendor, "accel%u/device/vendor", n) || vendor != VENDOR_AMD)
            continue;
        accel *a = &accels[count++];
        het__sys_number(folder, &device, "accel%u/device/device", n);
        het__sys_number(folder, &revision, "accel%u/device/revision", n);
        het__sys_line(folder, a->name, sizeof a->name, "accel%u/device/vbnv", n);
        het__sys_line(folder, a->firmware, sizeof a->firmware, "accel%u/device/fw_version", n);
        a->generation = generation_of(device, revision);
    }
    return count;
}

/* Columns that contexts can have: npu1 has a fifth, which has no way to memory. */
static uint32_t columns_of(uint32_t generation)
{
    return generation == HET__NPU_UNKNOWN || generation == HET__NPU_1 ? 4 : 8;
}

static void fill_info(const accel *a, het_device_info *info)
{
    info->struct_size = sizeof *info;
    info->kind = HET_DEVICE_NPU;
    info->unit_count = columns_of(a->generation);
    info->memory_bytes = het__memory_bytes(); /* the host's: an array has none of its own */
    snprintf(info->name, sizeof info->name, "%s", a->name[0] ? a->name : "AMD NPU");
    static const char *const names[HET__NPU_GENERATION_COUNT] = { "unknown", "npu1", "npu4",
                                                                  "npu5", "npu6" };
    snprintf(info->features, sizeof info->features, "int8 %s", names[a->generation]);
    snprintf(info->driver, sizeof info->driver, "XRT%s%.40s", a->firmware[0] ? ", firmware " : "",
             a->firmware);
}

static void say(const het__npu_found *found, het__probed *probed)
{
    const het__npu_designs *d = &found->designs;
    int n = snprintf(probed->reason, sizeof probed->reason, "%u device%s, %u design%s",
                     found->count, found->count == 1 ? "" : "s", d->count,
                     d->count == 1 ? "" : "s");
    if (d->refused)
        snprintf(probed->reason + n, sizeof probed->reason - (size_t)n, "; %u refused: %.130s",
                 d->refused, d->reason);
    else if (d->count == 0)
        snprintf(probed->reason + n, sizeof probed->reason - (size_t)n,
                 ": without one nothing runs on it (docs/npu.md)");
}

void het__npu_probe(const het__host *host, het__probed *probed)
{
    accel accels[ACCEL_MAX] = { { 0 } };
    char reason[160];
    het__xrt_message m = { "" };
    uint32_t devices = 0;
    const uint32_t shown = find_accels(accel_folder(host), accels);
    const bool is_named = host->use_env && het__env("HETINFER_XRT_LIBRARY");
    het__mutex_lock(&lock);
    memset(&known, 0, sizeof known);
    het__mutex_unlock(&lock);
    if (shown == 0 && !is_named) {
        snprintf(probed->reason, sizeof probed->reason, "the system shows no AMD NPU");
        return;
    }
    const het__xrt_calls *xrt = het__npu_load(host->use_env, reason, sizeof reason);
    if (!xrt) {
        snprintf(probed->reason, sizeof probed->reason, "%s", reason);
        return;
    }
    if (xrt->count(&devices, &m) != HET_OK || devices == 0) {
        snprintf(probed->reason, sizeof probed->reason, "XRT shows no device%s%.120s",
                 m.text[0] ? ": " : "", m.text);
        return;
    }
    het__mutex_lock(&lock);
    het__npu_find_designs(host->mem, host->use_env, &known.designs);
    known.count = devices < HET__DEVICES_MAX ? devices : HET__DEVICES_MAX;
    probed->device_count = known.count;
    for (uint32_t i = 0; i < known.count; i++) {
        const accel none = { 0 };
        known.generation[i] = i < shown ? accels[i].generation : HET__NPU_UNKNOWN;
        fill_info(i < shown ? &accels[i] : &none, &probed->device[i]);
    }
    say(&known, probed);
    het__mutex_unlock(&lock);
}

uint32_t het__npu_columns_of(uint32_t index)
{
    het__mutex_lock(&lock);
    const uint32_t columns = columns_of(index < known.count ? known.generation[index] : 0);
    het__mutex_unlock(&lock);
    return columns;
}

/* A device of no known generation may try every design: each must prove itself anyway. */
static bool is_for(const het__npu_design *d, uint32_t generation)
{
    return generation == HET__NPU_UNKNOWN || (d->generations >> generation & 1);
}

uint32_t het__npu_usable(uint32_t index, het__npu_designs *designs)
{
    uint32_t mask = 0;
    het__mutex_lock(&lock);
    if (designs)
        *designs = known.designs;
    for (uint32_t i = 0; index < known.count && i < known.designs.count; i++)
        if (is_for(&known.designs.design[i], known.generation[index]))
            mask |= 1u << i;
    mask &= ~known.bad[index < HET__DEVICES_MAX ? index : 0];
    het__mutex_unlock(&lock);
    return mask;
}

/* ---- for plans ---- */

double het__npu_rate(const het__npu_design *d)
{
    return d->ops_per_s > 0 ? d->ops_per_s : HET__NPU_CORE_OPS * d->core_rows * d->columns;
}

/* The fastest of a mask; NULL: none. The lock is held. */
static const het__npu_design *fastest(uint32_t mask)
{
    const het__npu_design *best = NULL;
    for (uint32_t i = 0; i < known.designs.count; i++) {
        const het__npu_design *d = &known.designs.design[i];
        if (mask >> i & 1 && (!best || het__npu_rate(d) > het__npu_rate(best)))
            best = d;
    }
    return best;
}

void het__npu_figures(uint32_t index, het_device_figures *figures)
{
    const uint32_t mask = het__npu_usable(index, NULL);
    memset(figures, 0, sizeof *figures);
    figures->struct_size = sizeof *figures;
    figures->source = HET_SOURCE_ASSUMED;
    het__mutex_lock(&lock);
    const het__npu_design *d = fastest(mask);
    if (d) {
        /* In the design's type and no other: all products are computed in it. */
        *(d->type == HET__NPU_BF16 ? &figures->bf16_ops_per_s : &figures->int8_ops_per_s) =
            het__npu_rate(d);
        figures->read_bytes_per_s =
            d->bytes_per_s > 0 ? d->bytes_per_s : HET__NPU_COLUMN_BYTES * d->columns;
        figures->launch_ns = d->launch_ns > 0 ? d->launch_ns : HET__NPU_LAUNCH_NS;
        figures->source = d->is_measured ? HET_SOURCE_MEASURED : HET_SOURCE_ASSUMED;
    }
    het__mutex_unlock(&lock);
}

void het__npu_product_unit(uint32_t index, het__product_unit *unit)
{
    const uint32_t mask = het__npu_usable(index, NULL);
    het__mutex_lock(&lock);
    const het__npu_design *d = fastest(mask);
    if (d) {
        int64_t rungs[HET__NPU_RUNGS_MAX];
        const int64_t widest = het__npu_cut_columns(d, 65536);
        const uint32_t count = het__npu_rungs(d, widest, rungs);
        *unit = (het__product_unit){
            .rows = (uint32_t)het__npu_unit_rows(d), .inner = (uint32_t)d->inner,
            .columns = (uint32_t)het__npu_unit_columns(d), .columns_most = (uint32_t)widest,
            .rows_most = (uint32_t)(count ? rungs[count - 1] : het__npu_unit_rows(d)),
        };
    }
    het__mutex_unlock(&lock);
}

void het__npu_mark_bad(uint32_t index, const char *folder)
{
    het__mutex_lock(&lock);
    for (uint32_t i = 0; i < known.designs.count; i++)
        if (strcmp(known.designs.design[i].folder, folder) == 0)
            known.bad[index] |= 1u << i;
    het__mutex_unlock(&lock);
}
