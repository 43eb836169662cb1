/* SPDX-License-Identifier: Apache-2.0 */
/* The beginning, the driver and contexts. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "driver.h"

#define POCL_NAME "Portable Computing Language"

/* ---- the beginning ---- */

static uint64_t number_of(const char *variable, uint64_t otherwise, uint64_t least, uint64_t most)
{
    const char *text = getenv(variable);
    const uint64_t n = text ? strtoull(text, NULL, 0) : otherwise;
    return n < least ? least : n > most ? most : n;
}

static bool find_pocl(void)
{
    cl_platform_id platforms[16];
    cl_uint count = 0;
    if (clGetPlatformIDs(16, platforms, &count) != CL_SUCCESS)
        return false;
    for (cl_uint i = 0; i < count && i < 16; i++) {
        char name[128] = "";
        clGetPlatformInfo(platforms[i], CL_PLATFORM_NAME, sizeof name, name, NULL);
        if (strcmp(name, POCL_NAME) == 0 &&
            clGetDeviceIDs(platforms[i], CL_DEVICE_TYPE_CPU, 1, &zd.cl_device, NULL) == CL_SUCCESS)
            return true;
    }
    return false;
}

/* With the lock held. */
static bool set_up(void)
{
    /* PoCL 3.1 writes beyond local memory when it makes vectors of the items of a group. */
    setenv("POCL_WORK_GROUP_METHOD", "loops", 0);
    if (!find_pocl()) {
        fprintf(stderr, "ze-test-driver: no PoCL\n");
        return false;
    }
    cl_int status = CL_SUCCESS;
    zd.cl = clCreateContext(NULL, 1, &zd.cl_device, NULL, NULL, &status);
    if (status != CL_SUCCESS)
        return false;
    zd.device_count = (uint32_t)number_of("HETINFER_ZE_DEVICES", 1, 1, ZE_TEST_DEVICES_MAX);
    zd.memory_bytes = number_of("HETINFER_ZE_MEMORY", UINT64_C(8) << 30, 1, UINT64_C(1) << 40);
    zd.version = (uint32_t)number_of("HETINFER_ZE_VERSION", 0x01030000, 1, UINT32_MAX);
    zd.reorders = number_of("HETINFER_ZE_REORDER", 0, 0, 1) == 1;
    zd.is_card = number_of("HETINFER_ZE_CARD", 0, 0, 1) == 1;
    zd.has_dot = number_of("HETINFER_ZE_DP4A", 0, 0, 2) > 0;
    zd.has_dot_extension = number_of("HETINFER_ZE_DP4A", 0, 0, 2) == 2;
    zd.cache_folder = getenv("HETINFER_ZE_CACHE");
    return true;
}

static ze_result_t init(ze_init_flags_t flags)
{
    static zd_object *driver, *devices[ZE_TEST_DEVICES_MAX];
    if (flags & ZE_INIT_FLAG_VPU_ONLY)
        return ZE_RESULT_ERROR_UNINITIALIZED;
    pthread_mutex_lock(&zd.lock);
    const bool is_first = !zd.is_ready;
    const bool good = !is_first || set_up();
    zd.is_ready = good;
    pthread_mutex_unlock(&zd.lock);
    if (!good)
        return ZE_RESULT_ERROR_UNINITIALIZED;
    zd_read_faults();
    if (is_first) {
        /* Objects inside zd take the magic of one that was made. */
        driver = zd_new(sizeof *driver, ZD_DRIVER, NULL);
        if (!driver)
            return ZE_RESULT_ERROR_OUT_OF_HOST_MEMORY;
        zd.o = *driver;
        for (uint32_t i = 0; i < zd.device_count; i++) {
            devices[i] = zd_new(sizeof *driver, ZD_DEVICE, NULL);
            if (!devices[i])
                return ZE_RESULT_ERROR_OUT_OF_HOST_MEMORY;
            zd.devices[i].o = *devices[i];
            zd.devices[i].index = i;
        }
        zd.counters.objects = 0;
    }
    pthread_mutex_lock(&zd.lock);
    const ze_result_t r = zd_fault_of_call("zeInit", NULL);
    pthread_mutex_unlock(&zd.lock);
    return r;
}

/* ---- the driver ---- */

static ze_result_t driver_get(uint32_t *count, ze_driver_handle_t *drivers)
{
    if (*count > 0 && drivers)
        drivers[0] = (ze_driver_handle_t)&zd.o;
    *count = 1;
    return ZE_RESULT_SUCCESS;
}

static ze_result_t driver_version(ze_driver_handle_t driver, ze_api_version_t *version)
{
    const ze_result_t r = zd_enter("zeDriverGetApiVersion", driver, ZD_DRIVER, NULL);
    if (r == ZE_RESULT_SUCCESS)
        *version = ZE_API_VERSION_1_3;
    return r;
}

static ze_result_t driver_properties(ze_driver_handle_t driver, ze_driver_properties_t *p)
{
    const ze_result_t r = zd_enter("zeDriverGetProperties", driver, ZD_DRIVER, NULL);
    if (r != ZE_RESULT_SUCCESS)
        return r;
    p->driverVersion = zd.version;
    memset(&p->uuid, 0, sizeof p->uuid);
    memcpy(p->uuid.id, "hetinfer-ze-test", ZE_MAX_DRIVER_UUID_SIZE);
    return ZE_RESULT_SUCCESS;
}

static ze_result_t extension_properties(ze_driver_handle_t driver, uint32_t *count,
                                        ze_driver_extension_properties_t *properties)
{
    static const ze_driver_extension_properties_t all[] = {
        { ZE_RELAXED_ALLOCATION_LIMITS_EXP_NAME, ZE_MAKE_VERSION(1, 0) },
        { ZE_PCI_PROPERTIES_EXT_NAME, ZE_MAKE_VERSION(1, 0) },
    };
    const uint32_t have = sizeof all / sizeof all[0];
    const ze_result_t r = zd_enter("zeDriverGetExtensionProperties", driver, ZD_DRIVER, NULL);
    if (r != ZE_RESULT_SUCCESS)
        return r;
    if (properties && *count > 0)
        memcpy(properties, all, (*count < have ? *count : have) * sizeof all[0]);
    *count = properties && *count && *count < have ? *count : have;
    return ZE_RESULT_SUCCESS;
}

static ze_result_t extension_function(ze_driver_handle_t driver, const char *name, void **address)
{
    const ze_result_t r = zd_enter("zeDriverGetExtensionFunctionAddress", driver, ZD_DRIVER, NULL);
    if (r != ZE_RESULT_SUCCESS)
        return r;
    ze_result_t (*import)(ze_driver_handle_t, void *, size_t) = zd_import;
    ze_result_t (*release)(ze_driver_handle_t, void *) = zd_release_import;
    *address = NULL;
    if (strcmp(name, "zexDriverImportExternalPointer") == 0)
        memcpy(address, &import, sizeof import);
    if (strcmp(name, "zexDriverReleaseImportedPointer") == 0)
        memcpy(address, &release, sizeof release);
    return *address ? ZE_RESULT_SUCCESS : ZE_RESULT_ERROR_INVALID_FUNCTION_NAME;
}

/* ---- contexts ---- */

static ze_result_t context_new(const char *call, ze_driver_handle_t driver,
                               ze_context_handle_t *context)
{
    zd_read_faults();
    const ze_result_t r = zd_enter(call, driver, ZD_DRIVER, NULL);
    if (r != ZE_RESULT_SUCCESS)
        return r;
    pthread_mutex_lock(&zd.lock);
    bool grows = false;
    for (uint32_t i = 0; i < zd.device_count; i++)
        grows = grows || zd.devices[i].lost_age == zd.age || zd.devices[i].hang_age == zd.age;
    zd.age += grows;
    pthread_mutex_unlock(&zd.lock);
    zd_context *const c = zd_new(sizeof *c, ZD_CONTEXT, NULL);
    if (!c)
        return ZE_RESULT_ERROR_OUT_OF_HOST_MEMORY;
    *context = (ze_context_handle_t)c;
    return ZE_RESULT_SUCCESS;
}

static ze_result_t context_create(ze_driver_handle_t driver, const ze_context_desc_t *desc,
                                  ze_context_handle_t *context)
{
    (void)desc;
    return context_new("zeContextCreate", driver, context);
}

static ze_result_t context_create_ex(ze_driver_handle_t driver, const ze_context_desc_t *desc,
                                     uint32_t count, ze_device_handle_t *devices,
                                     ze_context_handle_t *context)
{
    (void)desc;
    for (uint32_t i = 0; i < count; i++)
        if (!zd_is(devices[i], ZD_DEVICE))
            return ZE_RESULT_ERROR_INVALID_ARGUMENT;
    return context_new("zeContextCreateEx", driver, context);
}

static ze_result_t context_destroy(ze_context_handle_t context)
{
    const ze_result_t r = zd_enter_release("zeContextDestroy", context, ZD_CONTEXT);
    if (r != ZE_RESULT_SUCCESS)
        return r;
    zd_retire(context);
    return ZE_RESULT_SUCCESS;
}

static ze_result_t context_status(ze_context_handle_t context)
{
    return zd_enter("zeContextGetStatus", context, ZD_CONTEXT, NULL);
}

static ze_result_t make_resident(ze_context_handle_t context, ze_device_handle_t device, void *at,
                                 size_t bytes)
{
    const ze_result_t r = zd_enter("zeContextMakeMemoryResident", context, ZD_CONTEXT, device);
    if (r != ZE_RESULT_SUCCESS)
        return r;
    return zd_range_is_sound("zeContextMakeMemoryResident", at, bytes)
               ? ZE_RESULT_SUCCESS : ZE_RESULT_ERROR_INVALID_ARGUMENT;
}

static ze_result_t evict(ze_context_handle_t context, ze_device_handle_t device, void *at,
                         size_t bytes)
{
    (void)at;
    (void)bytes;
    return zd_enter("zeContextEvictMemory", context, ZD_CONTEXT, device);
}

const ze_global_dditable_t zd_global_table = { .pfnInit = init };

const ze_driver_dditable_t zd_driver_table = {
    .pfnGet = driver_get,
    .pfnGetApiVersion = driver_version,
    .pfnGetProperties = driver_properties,
    .pfnGetExtensionProperties = extension_properties,
    .pfnGetExtensionFunctionAddress = extension_function,
};

const ze_context_dditable_t zd_context_table = {
    .pfnCreate = context_create,
    .pfnDestroy = context_destroy,
    .pfnGetStatus = context_status,
    .pfnMakeMemoryResident = make_resident,
    .pfnEvictMemory = evict,
    .pfnCreateEx = context_create_ex,
};
