/* SPDX-License-Identifier: Apache-2.0 */
/* What there is: the PCI bus is asked for displays and for NPUs by their class or numbers, so that
 * hardware without a driver is found as well. Names are those that vendors print on the box where
 * the number says it, else a description with the number. */
#include "lib/machine/hardware.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "lib/machine/gpu_metrics.h"

#define PCI_DEVICES_MAX 256
#define CPUINFO_BYTES 4096
#define METRICS_BYTES 1024

#define VENDOR_AMD 0x1002 /* of its graphics processors, */
#define VENDOR_AMD_CPU 0x1022 /* and of the rest of its chips */
#define VENDOR_INTEL 0x8086

/* ---- names ---- */

typedef struct known_npu {
    uint32_t vendor, device;
    int32_t revision; /* negative: any */
    const char *name;
} known_npu;

static const known_npu npus[] = {
    { VENDOR_AMD_CPU, 0x1502, -1, "AMD XDNA NPU (npu1: Phoenix, Hawk Point)" },
    { VENDOR_AMD_CPU, 0x17f0, 0x00, "AMD XDNA 2 NPU (npu2: early Strix)" },
    { VENDOR_AMD_CPU, 0x17f0, 0x10, "AMD XDNA 2 NPU (npu4: Strix Point)" },
    { VENDOR_AMD_CPU, 0x17f0, 0x11, "AMD XDNA 2 NPU (npu5)" },
    { VENDOR_AMD_CPU, 0x17f0, 0x20, "AMD XDNA 2 NPU (npu6)" },
    { VENDOR_AMD_CPU, 0x17f0, -1, "AMD XDNA 2 NPU" },
    { VENDOR_INTEL, 0x7d1d, -1, "Intel NPU (Meteor Lake)" },
    { VENDOR_INTEL, 0xad1d, -1, "Intel NPU (Arrow Lake)" },
    { VENDOR_INTEL, 0x643e, -1, "Intel NPU (Lunar Lake)" },
    { VENDOR_INTEL, 0xb03e, -1, "Intel NPU (Panther Lake)" },
};

static const known_npu *find_npu(const het_hardware_info *info)
{
    for (size_t i = 0; i < sizeof npus / sizeof *npus; i++)
        if (npus[i].vendor == info->vendor_id && npus[i].device == info->device_id &&
            (npus[i].revision < 0 || (uint32_t)npus[i].revision == info->revision))
            return &npus[i];
    return NULL;
}

static void name_gpu(het_hardware_info *info)
{
    const char *vendor = info->vendor_id == VENDOR_INTEL ? "Intel"
                         : info->vendor_id == VENDOR_AMD ? "AMD"
                         : info->vendor_id == 0x10de     ? "NVIDIA" : "";
    snprintf(info->name, sizeof info->name, "%s%sgraphics [%04" PRIx32 ":%04" PRIx32 "]", vendor,
             *vendor ? " " : "", info->vendor_id, info->device_id);
}

/* ---- drivers ---- */

static het__hardware_driver driver_of(const char *name)
{
    static const char *const names[] = { "", "", "i915", "xe", "amdgpu", "amdxdna", "intel_vpu" };
    for (uint32_t i = HET__DRIVER_I915; i < sizeof names / sizeof *names; i++)
        if (strcmp(name, names[i]) == 0)
            return (het__hardware_driver)i;
    return HET__DRIVER_OTHER;
}

/* The first name in a folder of the device's that begins so. */
static bool first_name(const char *root, const char *address, const char *folder,
                       const char *prefix, char name[HET__SYS_NAME])
{
    char names[1][HET__SYS_NAME];
    if (het__sys_list(root, prefix, names, 1, "sys/bus/pci/devices/%s/%s", address, folder) == 0)
        return false;
    memcpy(name, names[0], HET__SYS_NAME);
    return true;
}

static void find_node(const char *root, het__hardware *h)
{
    char name[HET__SYS_NAME];
    het_hardware_info *info = &h->info;
    const bool npu = info->kind == HET_DEVICE_NPU;
    if (npu && first_name(root, h->address, "accel", "accel", name)) {
        memcpy(h->card, name, sizeof name);
        snprintf(info->node, sizeof info->node, "/dev/accel/%.16s", name);
    } else if (!npu && first_name(root, h->address, "drm", "renderD", name)) {
        snprintf(info->node, sizeof info->node, "/dev/dri/%.16s", name);
    }
    if (!npu)
        first_name(root, h->address, "drm", "card", h->card);
    if (!info->node[0])
        return;
    const het__sys_may may = het__sys_access(root, true, "%s", info->node + 1);
    info->access = may == HET__SYS_ABSENT   ? HET_ACCESS_NONE
                   : may == HET__SYS_DENIED ? HET_ACCESS_DENIED : HET_ACCESS_ALLOWED;
    het__sys_group(root, info->group, sizeof info->group, "%s", info->node + 1);
}

/* What the driver calls an NPU, behind what its number says. */
static void read_npu(const char *root, het__hardware *h)
{
    char name[24];
    het_hardware_info *info = &h->info;
    const size_t n = strlen(info->name);
    if (het__sys_line(root, name, sizeof name, "sys/bus/pci/devices/%s/vbnv", h->address))
        snprintf(info->name + n, sizeof info->name - n, ", %s", name);
    het__sys_line(root, info->firmware, sizeof info->firmware,
                  "sys/bus/pci/devices/%s/fw_version", h->address);
}

/* ---- kinds ---- */

/* Intel's integrated ones lie on the first bus; AMD's driver tells by the form of its table. */
static uint32_t gpu_kind(const char *root, const het__hardware *h)
{
    char data[METRICS_BYTES];
    het__gpu_metrics metrics;
    if (h->info.vendor_id == VENDOR_INTEL)
        return strncmp(h->address, "0000:00:", 8) == 0 ? HET_DEVICE_IGPU : HET_DEVICE_GPU;
    const size_t n = h->driver != HET__DRIVER_AMDGPU
                         ? 0 : het__sys_read(root, data, sizeof data,
                                             "sys/bus/pci/devices/%s/gpu_metrics", h->address);
    return het__gpu_metrics_parse(data, n, &metrics) && metrics.is_chip ? HET_DEVICE_IGPU
                                                                        : HET_DEVICE_GPU;
}

/* A display (class 3) or a known NPU. */
static bool read_pci(const char *root, const char *address, het__hardware *h)
{
    int64_t class = 0, vendor = 0, device = 0, revision = 0;
    memset(h, 0, sizeof *h);
    if (!het__sys_number(root, &class, "sys/bus/pci/devices/%s/class", address) ||
        !het__sys_number(root, &vendor, "sys/bus/pci/devices/%s/vendor", address) ||
        !het__sys_number(root, &device, "sys/bus/pci/devices/%s/device", address))
        return false;
    het__sys_number(root, &revision, "sys/bus/pci/devices/%s/revision", address);
    het_hardware_info *info = &h->info;
    info->vendor_id = (uint32_t)vendor & 0xffff;
    info->device_id = (uint32_t)device & 0xffff;
    info->revision = (uint32_t)revision & 0xff;
    const known_npu *npu = find_npu(info);
    if (!npu && (class >> 16 & 0xff) != 3)
        return false;
    memcpy(h->address, address, HET__SYS_NAME);
    snprintf(info->physical, sizeof info->physical, "pci:%.26s", address);
    if (het__sys_link(root, info->driver, sizeof info->driver, "sys/bus/pci/devices/%s/driver",
                      address))
        h->driver = driver_of(info->driver);
    info->kind = npu ? (uint32_t)HET_DEVICE_NPU : gpu_kind(root, h);
    if (npu)
        snprintf(info->name, sizeof info->name, "%s", npu->name);
    else
        name_gpu(info);
    find_node(root, h);
    if (npu)
        read_npu(root, h);
    return true;
}

/* ---- the processor ---- */

static void read_cpu(const char *root, het__hardware *h)
{
    char text[CPUINFO_BYTES], line[64];
    memset(h, 0, sizeof *h);
    h->driver = HET__DRIVER_CPU;
    h->info.kind = HET_DEVICE_CPU;
    h->info.access = HET_ACCESS_ALLOWED;
    memcpy(h->info.physical, "cpu", sizeof "cpu");
    het__sys_read(root, text, sizeof text, "proc/cpuinfo");
    const char *model = strstr(text, "model name");
    const char *value = model ? strchr(model, ':') : NULL;
    if (value && value < model + strcspn(model, "\n")) {
        value += 1 + strspn(value + 1, " \t");
        snprintf(h->info.name, sizeof h->info.name, "%.*s", (int)strcspn(value, "\n"), value);
    } else {
        memcpy(h->info.name, "processor", sizeof "processor");
    }
    if (het__sys_line(root, line, sizeof line, "sys/devices/system/cpu/online")) {
        uint32_t first, last;
        for (const char *at = line; *at; at += *at == ',') {
            int n = 0, m = 0;
            if (sscanf(at, "%" SCNu32 "%n-%" SCNu32 "%n", &first, &n, &last, &m) < 1)
                break;
            at += m ? m : n;
            if (!m)
                last = first;
            if (last >= first && last < 65536)
                h->info.unit_count += last - first + 1;
            if (*at && *at != ',')
                break;
        }
    }
}

/* ---- all ---- */

uint32_t het__hardware_find(const char *root, het__hardware *list, uint32_t max)
{
    char names[PCI_DEVICES_MAX][HET__SYS_NAME];
    read_cpu(root, &list[0]);
    uint32_t count = 1;
    const uint32_t devices =
        het__sys_list(root, "", names, PCI_DEVICES_MAX, "sys/bus/pci/devices");
    for (uint32_t i = 0; i < devices && count < max; i++)
        count += read_pci(root, names[i], &list[count]);
    for (uint32_t i = 0; i < count; i++) {
        list[i].info.struct_size = sizeof list[i].info;
        list[i].info.device_index = UINT32_MAX;
    }
    return count;
}

/* Kinds that one piece of hardware may be called by different drivers. */
static bool same_kind(uint32_t a, uint32_t b)
{
    const bool gpu_a = a == HET_DEVICE_IGPU || a == HET_DEVICE_GPU;
    const bool gpu_b = b == HET_DEVICE_IGPU || b == HET_DEVICE_GPU;
    return a == b || (gpu_a && gpu_b) || (a == HET_DEVICE_CPU && b == HET_DEVICE_REFERENCE);
}

uint32_t het__hardware_of(const het__hardware *list, uint32_t count, uint32_t kind,
                          const char *physical)
{
    uint32_t found = count, candidates = 0;
    for (uint32_t i = 0; i < count; i++) {
        if (physical[0] && strcmp(list[i].info.physical, physical) == 0)
            return i;
        if (same_kind(list[i].info.kind, kind)) {
            found = i;
            candidates++;
        }
    }
    return physical[0] || candidates != 1 ? count : found;
}
