/* SPDX-License-Identifier: Apache-2.0 */
/* Which devices there are.
 *
 * The loader ends the process when it is called again after an initialisation that failed (seen in
 * 1.8 and 1.32), so nothing is asked after one, as long as the process lives. Drivers are loaded
 * only where the system shows a graphics device, or where one is named to the loader.
 *
 * HETINFER_L0_ANY=1: devices of any kind count, and the system need not show one; for tests. */
#include "backends/intel_l0/l0.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/error.h"
#include "lib/base/file.h"
#include "lib/base/os.h"

#define DRIVERS_MAX 16
#define MEMORIES_MAX 8
#define QUEUE_GROUPS_MAX 16
#define RENDER_FIRST 128
#define RENDER_COUNT 16
#define INTEL 0x8086

/* ---- why there is nothing ---- */

typedef enum nodes { NODES_NONE, NODES_FORBIDDEN, NODES_OPEN } nodes;

/* Whether a node is of a GPU of Intel's; where the system does not say, it is. */
static bool is_intels(int number)
{
    char path[64], text[7] = "";
    het__file file;
    bool other = false;
    snprintf(path, sizeof path, "/sys/class/drm/renderD%d/device/vendor", number);
    if (het__file_open(path, &file, NULL) != HET_OK || file.fd < 0)
        return true;
    if (het__file_read(&file, 0, text, sizeof text - 1))
        other = strtoul(text, NULL, 16) != INTEL;
    het__file_close(&file);
    return !other;
}

/* Nodes of graphics devices that may be used; path: of one that may not be. */
static nodes find_nodes(char path[32])
{
    nodes found = NODES_NONE;
    for (int i = RENDER_FIRST; i < RENDER_FIRST + RENDER_COUNT; i++) {
        char name[32];
        het__file file;
        het_error err = HET_ERROR_INIT;
        snprintf(name, sizeof name, "/dev/dri/renderD%d", i);
        if (!het__path_exists(name) || !is_intels(i))
            continue;
        /* A node is no file to het__file_open(), which says so once it could be opened. */
        if (het__file_open(name, &file, &err) == HET_OK || err.native_code != EACCES)
            return NODES_OPEN;
        found = NODES_FORBIDDEN;
        memcpy(path, name, sizeof name);
    }
    return found;
}

/* Where distributions put it; the loader looks in more places. */
static bool has_driver(void)
{
    static const char *const folders[] = {
        "/usr/lib/x86_64-linux-gnu", "/usr/lib64", "/usr/lib", "/usr/local/lib",
        "/usr/local/lib64", "/usr/lib/x86_64-linux-gnu/intel-opencl",
    };
    for (size_t i = 0; i < sizeof folders / sizeof folders[0]; i++) {
        char path[96];
        snprintf(path, sizeof path, "%s/libze_intel_gpu.so.1", folders[i]);
        if (het__path_exists(path))
            return true;
    }
    return false;
}

static bool is_set(const het__host *host, const char *name)
{
    const char *text = host->use_env ? het__env(name) : NULL;
    return text && strcmp(text, "1") == 0;
}

/* Whether it is worth asking the loader; if not, the list's reason says why. */
static bool may_have_devices(bool any, het__l0_list *list)
{
    char path[32];
    if (any || het__env("ZE_ENABLE_ALT_DRIVERS"))
        return true;
    const nodes found = find_nodes(path);
    if (found == NODES_NONE)
        snprintf(list->reason, sizeof list->reason,
                 "the system shows no GPU of Intel's (/dev/dri/renderD*, of the kernel's drivers "
                 "i915 and xe)");
    else if (found == NODES_FORBIDDEN)
        snprintf(list->reason, sizeof list->reason,
                 "%s may not be opened: the user must be in the group render", path);
    return found == NODES_OPEN;
}

/* ---- one device ---- */

static void find_physical(ze_device_handle_t id, char physical[32])
{
    ze_pci_ext_properties_t pci = { .stype = ZE_STRUCTURE_TYPE_PCI_EXT_PROPERTIES };
    physical[0] = 0;
    if (zeDevicePciGetPropertiesExt(id, &pci) == ZE_RESULT_SUCCESS)
        snprintf(physical, 32, "pci:%04x:%02x:%02x.%x", pci.address.domain & 0xffff,
                 pci.address.bus & 0xff, pci.address.device & 0xff, pci.address.function & 7);
}

/* Lists are asked for their length first, always: Intel's driver of 22.43 leaves a length that is
 * too large as it is, and the rest of the list as it was. */
static uint32_t least(uint32_t count, uint32_t most)
{
    return count < most ? count : most;
}

static uint64_t memory_of(ze_device_handle_t id)
{
    ze_device_memory_properties_t parts[MEMORIES_MAX];
    uint32_t count = 0;
    uint64_t bytes = 0;
    memset(parts, 0, sizeof parts);
    for (uint32_t i = 0; i < MEMORIES_MAX; i++)
        parts[i].stype = ZE_STRUCTURE_TYPE_DEVICE_MEMORY_PROPERTIES;
    if (zeDeviceGetMemoryProperties(id, &count, NULL) != ZE_RESULT_SUCCESS)
        count = 0;
    count = least(count, MEMORIES_MAX);
    if (count == 0 || zeDeviceGetMemoryProperties(id, &count, parts) != ZE_RESULT_SUCCESS)
        count = 0;
    for (uint32_t i = 0; i < count; i++)
        bytes += parts[i].totalSize;
    return bytes ? bytes : het__memory_bytes();
}

/* The first group of queues that compute, and the first that only copies; false: none computes. */
static bool find_queues(ze_device_handle_t id, uint32_t *ordinal, uint32_t *copies)
{
    ze_command_queue_group_properties_t groups[QUEUE_GROUPS_MAX];
    uint32_t count = 0;
    memset(groups, 0, sizeof groups);
    for (uint32_t i = 0; i < QUEUE_GROUPS_MAX; i++)
        groups[i].stype = ZE_STRUCTURE_TYPE_COMMAND_QUEUE_GROUP_PROPERTIES;
    if (zeDeviceGetCommandQueueGroupProperties(id, &count, NULL) != ZE_RESULT_SUCCESS)
        return false;
    count = least(count, QUEUE_GROUPS_MAX);
    if (count == 0 ||
        zeDeviceGetCommandQueueGroupProperties(id, &count, groups) != ZE_RESULT_SUCCESS)
        return false;
    *ordinal = *copies = HET__L0_NO_GROUP;
    for (uint32_t i = count; i-- > 0;) {
        const ze_command_queue_group_property_flags_t flags = groups[i].flags;
        if (flags & ZE_COMMAND_QUEUE_GROUP_PROPERTY_FLAG_COMPUTE)
            *ordinal = i;
        else if (flags & ZE_COMMAND_QUEUE_GROUP_PROPERTY_FLAG_COPY)
            *copies = i;
    }
    return *ordinal != HET__L0_NO_GROUP;
}

static uint64_t mask_of(uint32_t bits)
{
    return bits == 0 || bits >= 64 ? UINT64_MAX : (UINT64_C(1) << bits) - 1;
}

/* Intel's extension "experimental device module dp properties", of drivers since 2024. */
#define STYPE_MODULE_DP 0x00030013
#define FLAG_DP4A ZE_BIT(0)
#define FLAG_DPAS ZE_BIT(1)
typedef struct module_dp {
    ze_structure_type_t stype;
    void *pNext;
    uint32_t flags;
} module_dp;

/* Not all drivers set the flag of the specification for the GPUs that have the instruction, and it
 * has none for matrices. */
static uint32_t dot_flags(ze_device_handle_t id, const ze_device_module_properties_t *m)
{
    module_dp more = { .stype = (ze_structure_type_t)STYPE_MODULE_DP };
    ze_device_module_properties_t again = { .stype = ZE_STRUCTURE_TYPE_DEVICE_MODULE_PROPERTIES,
                                            .pNext = &more };
    if (zeDeviceGetModuleProperties(id, &again) != ZE_RESULT_SUCCESS)
        more.flags = 0;
    return more.flags | (m->flags & ZE_DEVICE_MODULE_FLAG_DP4A ? FLAG_DP4A : 0);
}

static bool find_facts(ze_device_handle_t id, const ze_device_properties_t *p,
                       const ze_device_module_properties_t *m, het__l0_found *found)
{
    het__gpu_facts *f = &found->facts;
    ze_device_compute_properties_t c = { .stype = ZE_STRUCTURE_TYPE_DEVICE_COMPUTE_PROPERTIES };
    if (zeDeviceGetComputeProperties(id, &c) != ZE_RESULT_SUCCESS ||
        !find_queues(id, &found->ordinal, &found->copy_ordinal))
        return false;
    f->units = p->numSlices * p->numSubslicesPerSlice * p->numEUsPerSubslice;
    f->units = f->units ? f->units : 1;
    f->group_max = c.maxTotalGroupSize;
    f->local_bytes = c.maxSharedLocalMemory;
    f->memory_bytes = memory_of(id);
    f->buffer_max_bytes = p->maxMemAllocSize;
    f->lanes = 1;
    f->base_align = HET__ALIGN;
    f->fp16 = (m->flags & ZE_DEVICE_MODULE_FLAG_FP16) != 0;
    const uint32_t dot = dot_flags(id, m);
    f->has_dot = (dot & FLAG_DP4A) != 0;
    f->dot = f->has_dot ? HET__GPU_DOT_INTEL : HET__GPU_DOT_PLAIN;
    f->is_intel = p->vendorId == INTEL;
    f->local_is_real = true;
    f->shares_memory = (p->flags & ZE_DEVICE_PROPERTY_FLAG_INTEGRATED) != 0;
    for (uint32_t i = 0; i < c.numSubGroupSizes && i < ZE_SUBGROUPSIZE_COUNT; i++)
        if (c.subGroupSizes[i] == 16)
            f->subgroup = 16;
        else if (c.subGroupSizes[i] == 8) /* Xe-HPG's matrix instructions; Xe2's are for 16 */
            f->has_matrix = f->has_dot && (dot & FLAG_DPAS) != 0;
    /* What our kernels take for granted. */
    return m->spirvVersionSupported != 0 && f->group_max >= 128 && f->local_bytes >= 32768;
}

static void find_clock(const ze_device_properties_t *p, het__l0_found *found)
{
    found->clock_mask = mask_of(p->timestampValidBits);
    found->kernel_mask = mask_of(p->kernelTimestampValidBits);
    if (p->timerResolution == 0)
        found->tick_ns = 0;
    else if (p->stype == ZE_STRUCTURE_TYPE_DEVICE_PROPERTIES_1_2)
        found->tick_ns = 1e9 / (double)p->timerResolution;
    else
        found->tick_ns = (double)p->timerResolution;
}

static void fill_info(const ze_device_properties_t *p, const ze_device_module_properties_t *m,
                      uint32_t driver, het__l0_found *found)
{
    het_device_info *info = &found->info;
    const het__gpu_facts *f = &found->facts;
    char uuid[2 * ZE_MAX_DEVICE_UUID_SIZE + 1];
    for (size_t i = 0; i < ZE_MAX_DEVICE_UUID_SIZE; i++)
        snprintf(uuid + 2 * i, 3, "%02x", p->uuid.id[i]);
    info->struct_size = sizeof *info;
    info->kind = p->type != ZE_DEVICE_TYPE_GPU ? HET_DEVICE_CPU
                 : f->shares_memory            ? HET_DEVICE_IGPU
                                               : HET_DEVICE_GPU;
    info->unit_count = f->units;
    info->memory_bytes = f->memory_bytes;
    snprintf(info->name, sizeof info->name, "%.63s", p->name);
    snprintf(info->driver, sizeof info->driver, "Level Zero %u.%u, driver %u.%u.%u",
             ZE_MAJOR_VERSION(found->api), ZE_MINOR_VERSION(found->api), driver >> 24,
             driver >> 16 & 255, driver & 65535);
    snprintf(info->features, sizeof info->features, "spirv%u.%u%s%s%s%s uuid:%s",
             ZE_MAJOR_VERSION(m->spirvVersionSupported), ZE_MINOR_VERSION(m->spirvVersionSupported),
             f->fp16 ? " fp16" : "", f->subgroup ? " subgroup16" : "",
             f->has_matrix ? " int8 xmx" : f->has_dot ? " int8" : "",
             f->shares_memory ? " shared" : "", uuid);
}

static void add_device(ze_driver_handle_t driver, ze_api_version_t api, uint32_t version,
                       ze_device_handle_t id, bool any, het__l0_list *list)
{
    ze_device_properties_t p = { .stype = api >= ZE_API_VERSION_1_2
                                              ? ZE_STRUCTURE_TYPE_DEVICE_PROPERTIES_1_2
                                              : ZE_STRUCTURE_TYPE_DEVICE_PROPERTIES };
    ze_device_module_properties_t m = { .stype = ZE_STRUCTURE_TYPE_DEVICE_MODULE_PROPERTIES };
    if (list->count == HET__DEVICES_MAX ||
        zeDeviceGetProperties(id, &p) != ZE_RESULT_SUCCESS ||
        zeDeviceGetModuleProperties(id, &m) != ZE_RESULT_SUCCESS ||
        (p.type != ZE_DEVICE_TYPE_GPU && !any))
        return;
    het__l0_found *found = &list->device[list->count];
    memset(found, 0, sizeof *found);
    found->driver = driver;
    found->id = id;
    found->api = api;
    found->is_stand_in = any;
    if (!find_facts(id, &p, &m, found))
        return;
    find_clock(&p, found);
    find_physical(id, found->physical);
    fill_info(&p, &m, version, found);
    list->count++;
}

static void add_driver(ze_driver_handle_t driver, bool any, het__l0_list *list)
{
    ze_driver_properties_t properties = { .stype = ZE_STRUCTURE_TYPE_DRIVER_PROPERTIES };
    ze_api_version_t api = ZE_API_VERSION_1_0;
    ze_device_handle_t ids[HET__DEVICES_MAX];
    uint32_t count = 0;
    if (zeDriverGetApiVersion(driver, &api) != ZE_RESULT_SUCCESS)
        api = ZE_API_VERSION_1_0;
    if (zeDriverGetProperties(driver, &properties) != ZE_RESULT_SUCCESS ||
        zeDeviceGet(driver, &count, NULL) != ZE_RESULT_SUCCESS)
        return;
    count = least(count, HET__DEVICES_MAX);
    if (count == 0 || zeDeviceGet(driver, &count, ids) != ZE_RESULT_SUCCESS)
        return;
    for (uint32_t i = 0; i < count; i++)
        add_device(driver, api, properties.driverVersion, ids[i], any, list);
}

/* ---- all ---- */

/* The code of an initialisation that failed, for ever. */
static _Atomic uint32_t init_failed;

static bool init(bool any, het__l0_list *list)
{
    ze_result_t code = (ze_result_t)atomic_load(&init_failed);
    if (code == ZE_RESULT_SUCCESS)
        code = zeInit(any ? 0 : ZE_INIT_FLAG_GPU_ONLY);
    if (code == ZE_RESULT_SUCCESS)
        return true;
    atomic_store(&init_failed, (uint32_t)code);
    het_error err = HET_ERROR_INIT;
    het__l0_fail(&err, code, "zeInit");
    if (!any && !het__env("ZE_ENABLE_ALT_DRIVERS") && !has_driver())
        snprintf(list->reason, sizeof list->reason,
                 "Intel's driver is not installed: package intel-level-zero-gpu or "
                 "libze-intel-gpu1 (%s)", err.message);
    else if (code == ZE_RESULT_ERROR_UNINITIALIZED)
        snprintf(list->reason, sizeof list->reason, "no driver found a device it supports (%s)",
                 err.message);
    else
        snprintf(list->reason, sizeof list->reason, "%.190s", err.message);
    return false;
}

void het__l0_find(const het__host *host, het__l0_list *list)
{
    ze_driver_handle_t drivers[DRIVERS_MAX];
    uint32_t count = 0;
    memset(list, 0, sizeof *list);
    const bool any = is_set(host, "HETINFER_L0_ANY");
    if (!may_have_devices(any, list) || !init(any, list))
        return;
    if (zeDriverGet(&count, NULL) != ZE_RESULT_SUCCESS)
        count = 0;
    count = least(count, DRIVERS_MAX);
    if (count == 0 || zeDriverGet(&count, drivers) != ZE_RESULT_SUCCESS) {
        snprintf(list->reason, sizeof list->reason, "no driver has a device");
        return;
    }
    for (uint32_t i = 0; i < count; i++)
        add_driver(drivers[i], any, list);
    snprintf(list->reason, sizeof list->reason, "%u driver%s, %u device%s", count,
             count == 1 ? "" : "s", list->count, list->count == 1 ? "" : "s");
}
