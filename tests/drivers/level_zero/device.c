/* SPDX-License-Identifier: Apache-2.0 */
/* What the devices say of themselves.
 *
 * Figures are those of a Meteor Lake GPU (8 Xe cores) where PoCL allows; it has no subgroups, no
 * fp16, and DP4a on demand. */
#include <stdio.h>
#include <string.h>

#include "driver.h"

#define VENDOR_INTEL 0x8086
#define DEVICE_METEOR_LAKE 0x7d55
#define NAME "hetinfer test driver (PoCL)"

static ze_result_t device_get(ze_driver_handle_t driver, uint32_t *count,
                              ze_device_handle_t *devices)
{
    const ze_result_t r = zd_enter("zeDeviceGet", driver, ZD_DRIVER, NULL);
    if (r != ZE_RESULT_SUCCESS)
        return r;
    const uint32_t wanted = devices && *count ? *count : 0;
    for (uint32_t i = 0; i < wanted && i < zd.device_count; i++)
        devices[i] = (ze_device_handle_t)&zd.devices[i].o;
    if (!wanted || wanted > zd.device_count)
        *count = zd.device_count;
    return ZE_RESULT_SUCCESS;
}

static ze_result_t sub_devices(ze_device_handle_t device, uint32_t *count,
                               ze_device_handle_t *devices)
{
    const ze_result_t r = zd_enter("zeDeviceGetSubDevices", device, ZD_DEVICE, NULL);
    (void)devices;
    if (r == ZE_RESULT_SUCCESS)
        *count = 0;
    return r;
}

static ze_result_t device_properties(ze_device_handle_t device, ze_device_properties_t *p)
{
    const zd_device *const d = (const zd_device *)device;
    const ze_result_t r = zd_enter("zeDeviceGetProperties", device, ZD_DEVICE, NULL);
    if (r != ZE_RESULT_SUCCESS)
        return r;
    const ze_structure_type_t stype = p->stype;
    void *const next = p->pNext;
    memset(p, 0, sizeof *p);
    p->stype = stype;
    p->pNext = next;
    p->type = ZE_DEVICE_TYPE_GPU;
    p->vendorId = VENDOR_INTEL;
    p->deviceId = DEVICE_METEOR_LAKE;
    p->flags = zd.is_card ? 0 : ZE_DEVICE_PROPERTY_FLAG_INTEGRATED;
    p->coreClockRate = 2250;
    p->maxMemAllocSize = zd.memory_bytes < (UINT64_C(4) << 30) ? zd.memory_bytes
                                                               : UINT64_C(4) << 30;
    p->maxHardwareContexts = 65536;
    p->numThreadsPerEU = 8;
    p->physicalEUSimdWidth = 8;
    p->numEUsPerSubslice = 16;
    p->numSubslicesPerSlice = 4;
    p->numSlices = 2;
    /* Nanoseconds of a tick in the first form of the structure, ticks of a second in the second. */
    p->timerResolution = stype == ZE_STRUCTURE_TYPE_DEVICE_PROPERTIES_1_2
                             ? ZD_TICKS_PER_SECOND : 1000000000u / ZD_TICKS_PER_SECOND;
    p->timestampValidBits = ZD_TIMESTAMP_BITS;
    p->kernelTimestampValidBits = ZD_TIMESTAMP_BITS;
    memcpy(p->uuid.id, "het-ze-test-dev", 15);
    p->uuid.id[15] = (uint8_t)d->index;
    if (zd.device_count > 1)
        snprintf(p->name, sizeof p->name, "%s %u", NAME, (unsigned)d->index);
    else
        snprintf(p->name, sizeof p->name, "%s", NAME);
    return ZE_RESULT_SUCCESS;
}

static ze_result_t compute_properties(ze_device_handle_t device, ze_device_compute_properties_t *p)
{
    const ze_result_t r = zd_enter("zeDeviceGetComputeProperties", device, ZD_DEVICE, NULL);
    if (r != ZE_RESULT_SUCCESS)
        return r;
    p->maxTotalGroupSize = p->maxGroupSizeX = p->maxGroupSizeY = p->maxGroupSizeZ = 1024;
    p->maxGroupCountX = p->maxGroupCountY = p->maxGroupCountZ = UINT32_MAX;
    p->maxSharedLocalMemory = 64 << 10;
    p->numSubGroupSizes = 0;
    memset(p->subGroupSizes, 0, sizeof p->subGroupSizes);
    return ZE_RESULT_SUCCESS;
}

/* Intel's way to say so. */
static void say_dot(void *next)
{
    enum { MODULE_DP = 0x00030013 };
    struct dot_properties {
        ze_structure_type_t stype;
        void *pNext;
        uint32_t flags;
    } *more = next;
    for (; more; more = more->pNext)
        if (more->stype == (ze_structure_type_t)MODULE_DP)
            more->flags = ZE_BIT(0);
}

static ze_result_t module_properties(ze_device_handle_t device, ze_device_module_properties_t *p)
{
    const ze_result_t r = zd_enter("zeDeviceGetModuleProperties", device, ZD_DEVICE, NULL);
    if (r != ZE_RESULT_SUCCESS)
        return r;
    p->spirvVersionSupported = ZE_MAKE_VERSION(1, 2);
    p->flags = ZE_DEVICE_MODULE_FLAG_FP64 | ZE_DEVICE_MODULE_FLAG_INT64_ATOMICS |
               (zd.has_dot && !zd.has_dot_extension ? ZE_DEVICE_MODULE_FLAG_DP4A : 0);
    if (zd.has_dot_extension)
        say_dot(p->pNext);
    p->fp16flags = 0;
    p->fp32flags = p->fp64flags = ZE_DEVICE_FP_FLAG_DENORM | ZE_DEVICE_FP_FLAG_INF_NAN |
                                  ZE_DEVICE_FP_FLAG_ROUND_TO_NEAREST | ZE_DEVICE_FP_FLAG_FMA;
    p->maxArgumentsSize = 2048;
    p->printfBufferSize = 0;
    memset(&p->nativeKernelSupported, 0, sizeof p->nativeKernelSupported);
    return ZE_RESULT_SUCCESS;
}

static ze_result_t queue_groups(ze_device_handle_t device, uint32_t *count,
                                ze_command_queue_group_properties_t *p)
{
    const ze_result_t r =
        zd_enter("zeDeviceGetCommandQueueGroupProperties", device, ZD_DEVICE, NULL);
    if (r != ZE_RESULT_SUCCESS)
        return r;
    if (p && *count > 0) {
        p[0].flags = ZE_COMMAND_QUEUE_GROUP_PROPERTY_FLAG_COMPUTE |
                     ZE_COMMAND_QUEUE_GROUP_PROPERTY_FLAG_COPY;
        p[0].maxMemoryFillPatternSize = ZD_VALUE_MAX;
        p[0].numQueues = 1;
    }
    if (p && *count > 1) {
        p[1].flags = ZE_COMMAND_QUEUE_GROUP_PROPERTY_FLAG_COPY;
        p[1].maxMemoryFillPatternSize = 16;
        p[1].numQueues = 1;
    }
    if (!p || !*count || *count > 2)
        *count = 2;
    return ZE_RESULT_SUCCESS;
}

static ze_result_t memory_properties(ze_device_handle_t device, uint32_t *count,
                                     ze_device_memory_properties_t *p)
{
    const ze_result_t r = zd_enter("zeDeviceGetMemoryProperties", device, ZD_DEVICE, NULL);
    if (r != ZE_RESULT_SUCCESS)
        return r;
    if (p && *count > 0) {
        p->flags = 0;
        p->maxClockRate = 5600;
        p->maxBusWidth = 128;
        p->totalSize = zd.memory_bytes;
        snprintf(p->name, sizeof p->name, "DDR");
    }
    *count = 1;
    return ZE_RESULT_SUCCESS;
}

static ze_result_t access_properties(ze_device_handle_t device,
                                     ze_device_memory_access_properties_t *p)
{
    const ze_result_t r = zd_enter("zeDeviceGetMemoryAccessProperties", device, ZD_DEVICE, NULL);
    const ze_memory_access_cap_flags_t all =
        ZE_MEMORY_ACCESS_CAP_FLAG_RW | ZE_MEMORY_ACCESS_CAP_FLAG_ATOMIC;
    if (r != ZE_RESULT_SUCCESS)
        return r;
    p->hostAllocCapabilities = p->deviceAllocCapabilities = all;
    p->sharedSingleDeviceAllocCapabilities = p->sharedCrossDeviceAllocCapabilities = all;
    p->sharedSystemAllocCapabilities = 0;
    return ZE_RESULT_SUCCESS;
}

static ze_result_t cache_properties(ze_device_handle_t device, uint32_t *count,
                                    ze_device_cache_properties_t *p)
{
    const ze_result_t r = zd_enter("zeDeviceGetCacheProperties", device, ZD_DEVICE, NULL);
    if (r != ZE_RESULT_SUCCESS)
        return r;
    if (p && *count > 0) {
        p->flags = 0;
        p->cacheSize = 4 << 20;
    }
    *count = 1;
    return ZE_RESULT_SUCCESS;
}

static ze_result_t can_access_peer(ze_device_handle_t device, ze_device_handle_t peer,
                                   ze_bool_t *value)
{
    const ze_result_t r = zd_enter("zeDeviceCanAccessPeer", device, ZD_DEVICE, NULL);
    if (r == ZE_RESULT_SUCCESS)
        *value = zd_is(peer, ZD_DEVICE);
    return r;
}

static ze_result_t device_status(ze_device_handle_t device)
{
    return zd_enter("zeDeviceGetStatus", device, ZD_DEVICE, NULL);
}

static ze_result_t global_timestamps(ze_device_handle_t device, uint64_t *host, uint64_t *ticks)
{
    const ze_result_t r = zd_enter("zeDeviceGetGlobalTimestamps", device, ZD_DEVICE, NULL);
    if (r != ZE_RESULT_SUCCESS)
        return r;
    *host = zd_now_ns();
    *ticks = zd_ticks(*host);
    return ZE_RESULT_SUCCESS;
}

static ze_result_t pci_properties(ze_device_handle_t device, ze_pci_ext_properties_t *p)
{
    const zd_device *const d = (const zd_device *)device;
    const ze_result_t r = zd_enter("zeDevicePciGetPropertiesExt", device, ZD_DEVICE, NULL);
    if (r != ZE_RESULT_SUCCESS)
        return r;
    p->address = (ze_pci_address_ext_t){ .domain = 0, .bus = d->index, .device = 2 };
    p->maxSpeed = (ze_pci_speed_ext_t){ .genVersion = -1, .width = -1, .maxBandwidth = -1 };
    return ZE_RESULT_SUCCESS;
}

const ze_device_dditable_t zd_device_table = {
    .pfnGet = device_get,
    .pfnGetSubDevices = sub_devices,
    .pfnGetProperties = device_properties,
    .pfnGetComputeProperties = compute_properties,
    .pfnGetModuleProperties = module_properties,
    .pfnGetCommandQueueGroupProperties = queue_groups,
    .pfnGetMemoryProperties = memory_properties,
    .pfnGetMemoryAccessProperties = access_properties,
    .pfnGetCacheProperties = cache_properties,
    .pfnCanAccessPeer = can_access_peer,
    .pfnGetStatus = device_status,
    .pfnGetGlobalTimestamps = global_timestamps,
    .pfnPciGetPropertiesExt = pci_properties,
};
