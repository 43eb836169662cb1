/* SPDX-License-Identifier: Apache-2.0 */
/* The test driver through the stock loader, as an application sees it.
 * Usage: test_ze_driver KERNELS.spv */
#include "ze_rig.h"

static void devices(void)
{
    uint32_t count = 0;
    ze_device_properties_t p = { .stype = ZE_STRUCTURE_TYPE_DEVICE_PROPERTIES };
    ze_device_compute_properties_t c = { .stype = ZE_STRUCTURE_TYPE_DEVICE_COMPUTE_PROPERTIES };
    ze_device_module_properties_t m = { .stype = ZE_STRUCTURE_TYPE_DEVICE_MODULE_PROPERTIES };
    ze_pci_ext_properties_t pci = { .stype = ZE_STRUCTURE_TYPE_PCI_EXT_PROPERTIES };
    CHECK_INT(zeDeviceGet(driver, &count, NULL), OK);
    CHECK_INT(count, 1);
    CHECK_INT(zeDeviceGetProperties(device, &p), OK);
    CHECK_STR(p.name, "hetinfer test driver (PoCL)");
    CHECK_INT(p.type, ZE_DEVICE_TYPE_GPU);
    CHECK_INT(p.flags, ZE_DEVICE_PROPERTY_FLAG_INTEGRATED);
    CHECK_INT(zeDeviceGetComputeProperties(device, &c), OK);
    CHECK_INT(c.numSubGroupSizes, 0);
    CHECK_INT(zeDeviceGetModuleProperties(device, &m), OK);
    CHECK_INT(m.spirvVersionSupported, ZE_MAKE_VERSION(1, 2));
    CHECK_INT(zeDevicePciGetPropertiesExt(device, &pci), OK);
    CHECK_INT(pci.address.device, 2);
}

static void memory(void)
{
    const ze_device_mem_alloc_desc_t on_device = {
        .stype = ZE_STRUCTURE_TYPE_DEVICE_MEM_ALLOC_DESC };
    ze_memory_allocation_properties_t p = {
        .stype = ZE_STRUCTURE_TYPE_MEMORY_ALLOCATION_PROPERTIES };
    ze_device_handle_t owner = NULL;
    void *a = NULL, *base = NULL;
    size_t bytes = 0;
    char host[8];
    CHECK_INT(zeMemAllocDevice(context, &on_device, 1000, 64, device, &a), OK);
    CHECK_INT(zeMemGetAllocProperties(context, (char *)a + 999, &p, &owner), OK);
    CHECK_INT(p.type, ZE_MEMORY_TYPE_DEVICE);
    CHECK(owner == device);
    CHECK_INT(zeMemGetAddressRange(context, (char *)a + 5, &base, &bytes), OK);
    CHECK(base == a);
    CHECK_INT(bytes, 1000);
    CHECK_INT(zeMemGetAllocProperties(context, host, &p, NULL), OK);
    CHECK_INT(p.type, ZE_MEMORY_TYPE_UNKNOWN);
    CHECK_INT(zeMemFree(context, a), OK);
    void *const shared = make_memory(1);
    CHECK_INT(zeMemGetAllocProperties(context, shared, &p, NULL), OK);
    CHECK_INT(p.type, ZE_MEMORY_TYPE_SHARED);
    CHECK_INT(zeMemFree(context, shared), OK);
}

static void immediate(void)
{
    rig r;
    ze_kernel_timestamp_result_t times;
    make_rig(&r, 5);
    set_arguments(&r, r.in, r.out, 1);
    CHECK_INT(zeEventQueryStatus(r.event), ZE_RESULT_NOT_READY);
    CHECK_INT(start(&r, r.list, r.event), OK);
    CHECK_INT(zeEventHostSynchronize(r.event, 10 * SECOND), OK);
    CHECK_INT(wrong(&r, 5, 1), 0);
    CHECK_INT(zeEventQueryKernelTimestamp(r.event, &times), OK);
    CHECK(((times.global.kernelEnd - times.global.kernelStart) & UINT32_MAX) < 19200000 * 5u);
    /* Arguments are those of the moment of appending. */
    CHECK_INT(zeEventHostReset(r.event), OK);
    CHECK_INT(start(&r, r.list, r.event), OK);
    set_arguments(&r, r.in, r.in, 2);
    CHECK_INT(zeEventHostSynchronize(r.event, 10 * SECOND), OK);
    CHECK_INT(wrong(&r, 5, 1), 0);
    free_rig(&r);
}

static void regular_list(void)
{
    rig r;
    const ze_command_queue_desc_t queue_desc = { .stype = ZE_STRUCTURE_TYPE_COMMAND_QUEUE_DESC,
                                                 .mode = ZE_COMMAND_QUEUE_MODE_ASYNCHRONOUS };
    const ze_command_list_desc_t list_desc = { .stype = ZE_STRUCTURE_TYPE_COMMAND_LIST_DESC };
    const ze_fence_desc_t fence_desc = { .stype = ZE_STRUCTURE_TYPE_FENCE_DESC };
    ze_command_queue_handle_t queue = NULL;
    ze_command_list_handle_t list = NULL;
    ze_fence_handle_t fence = NULL;
    make_rig(&r, 0);
    CHECK_INT(zeCommandQueueCreate(context, device, &queue_desc, &queue), OK);
    CHECK_INT(zeCommandListCreate(context, device, &list_desc, &list), OK);
    CHECK_INT(zeFenceCreate(queue, &fence_desc, &fence), OK);
    float *const middle = make_memory(COUNT * sizeof *middle);
    set_arguments(&r, r.in, middle, 0.5f);
    CHECK_INT(start(&r, list, NULL), OK);
    CHECK_INT(zeCommandListAppendBarrier(list, NULL, 0, NULL), OK);
    CHECK_INT(zeCommandListAppendMemoryCopy(list, r.out, middle, COUNT * sizeof *middle, r.event,
                                            0, NULL), OK);
    CHECK_INT(zeCommandListClose(list), OK);
    for (int again = 0; again < 2; again++) {
        memset(r.out, 0, COUNT * sizeof *r.out);
        CHECK_INT(zeCommandQueueExecuteCommandLists(queue, 1, &list, fence), OK);
        CHECK_INT(zeFenceHostSynchronize(fence, 10 * SECOND), OK);
        CHECK_INT(zeEventQueryStatus(r.event), OK);
        CHECK_INT(wrong(&r, 3, 0.5f), 0);
        CHECK_INT(zeFenceReset(fence), OK);
        CHECK_INT(zeEventHostReset(r.event), OK);
    }
    CHECK_INT(zeCommandQueueSynchronize(queue, SECOND), OK);
    const float pattern = 7;
    CHECK_INT(zeCommandListReset(list), OK);
    CHECK_INT(zeCommandListAppendMemoryFill(list, middle, &pattern, sizeof pattern,
                                            COUNT * sizeof *middle, NULL, 0, NULL), OK);
    CHECK_INT(zeCommandListClose(list), OK);
    CHECK_INT(zeCommandQueueExecuteCommandLists(queue, 1, &list, NULL), OK);
    CHECK_INT(zeCommandQueueSynchronize(queue, 10 * SECOND), OK);
    CHECK_NEAR(middle[COUNT - 1], 7, 0);
    CHECK_INT(zeFenceDestroy(fence), OK);
    CHECK_INT(zeCommandListDestroy(list), OK);
    CHECK_INT(zeCommandQueueDestroy(queue), OK);
    CHECK_INT(zeMemFree(context, middle), OK);
    free_rig(&r);
}

/* A copy on a queue of its own, between two kernels of another, ordered by events. */
static void events_between_queues(void)
{
    rig r;
    const ze_event_desc_t desc = { .stype = ZE_STRUCTURE_TYPE_EVENT_DESC, .index = 1 };
    ze_event_handle_t copied = NULL;
    make_rig(&r, 2);
    ze_command_list_handle_t copies = make_immediate(1);
    CHECK_INT(zeEventCreate(r.pool, &desc, &copied), OK);
    float *const middle = make_memory(COUNT * sizeof *middle);
    float *const back = make_memory(COUNT * sizeof *back);
    set_arguments(&r, r.in, middle, 0);
    CHECK_INT(zeCommandListAppendMemoryCopy(copies, back, middle, COUNT * sizeof *middle, copied,
                                            1, &r.event), OK);
    CHECK_INT(zeEventHostSynchronize(copied, SECOND / 100), ZE_RESULT_NOT_READY);
    CHECK_INT(start(&r, r.list, r.event), OK);
    CHECK_INT(zeEventHostSynchronize(copied, 10 * SECOND), OK);
    CHECK_INT(zeEventHostReset(r.event), OK);
    set_arguments(&r, back, r.out, 1);
    CHECK_INT(start(&r, r.list, r.event), OK);
    CHECK_INT(zeEventHostSynchronize(r.event, 10 * SECOND), OK);
    CHECK_INT(wrong(&r, 4, 1), 0);
    CHECK_INT(zeEventDestroy(copied), OK);
    CHECK_INT(zeCommandListDestroy(copies), OK);
    CHECK_INT(zeMemFree(context, middle), OK);
    CHECK_INT(zeMemFree(context, back), OK);
    free_rig(&r);
}

static void local_memory(void)
{
    rig r;
    make_rig(&r, 0);
    ze_kernel_handle_t kernel = make_kernel(r.module, "sums");
    ze_kernel_properties_t p = { .stype = ZE_STRUCTURE_TYPE_KERNEL_PROPERTIES };
    const ze_group_count_t groups = { 4, 1, 1 };
    int32_t *const in = make_memory(256 * sizeof *in), *const out = make_memory(4 * sizeof *out);
    CHECK_INT(zeKernelGetProperties(kernel, &p), OK);
    CHECK_INT(p.numKernelArgs, 3);
    CHECK_INT(p.requiredGroupSizeX, 64);
    for (int i = 0; i < 256; i++)
        in[i] = i;
    CHECK_INT(zeKernelSetGroupSize(kernel, 64, 1, 1), OK);
    CHECK_INT(zeKernelSetArgumentValue(kernel, 0, sizeof(void *), &in), OK);
    CHECK_INT(zeKernelSetArgumentValue(kernel, 1, sizeof(void *), &out), OK);
    CHECK_INT(zeKernelSetArgumentValue(kernel, 2, 64 * sizeof(int32_t), NULL), OK);
    CHECK_INT(zeCommandListAppendLaunchKernel(r.list, kernel, &groups, r.event, 0, NULL), OK);
    CHECK_INT(zeEventHostSynchronize(r.event, 10 * SECOND), OK);
    for (int g = 0; g < 4; g++)
        CHECK_INT(out[g], 64 * 64 * g + 2016);
    CHECK_INT(zeKernelDestroy(kernel), OK);
    CHECK_INT(zeMemFree(context, in), OK);
    CHECK_INT(zeMemFree(context, out), OK);
    free_rig(&r);
}

static void native_binary(void)
{
    ze_test_counters before, after;
    ze_module_handle_t module = make_module(spirv, spirv_bytes, ZE_MODULE_FORMAT_IL_SPIRV, 9, OK);
    size_t bytes = 0;
    CHECK_INT(zeModuleGetNativeBinary(module, &bytes, NULL), OK);
    uint8_t *const binary = malloc(bytes);
    CHECK_INT(zeModuleGetNativeBinary(module, &bytes, binary), OK);
    CHECK_INT(zeModuleDestroy(module), OK);
    control.counts(&before);
    module = make_module(binary, bytes, ZE_MODULE_FORMAT_NATIVE, 0, OK);
    control.counts(&after);
    CHECK_INT(after.natives - before.natives, 1);
    CHECK_INT(after.translations - before.translations, 0);
    uint32_t count = 0;
    CHECK_INT(zeModuleGetKernelNames(module, &count, NULL), OK);
    CHECK_INT(count, 2);
    CHECK_INT(zeModuleDestroy(module), OK);
    binary[bytes - 1] ^= 1;
    make_module(binary, bytes, ZE_MODULE_FORMAT_NATIVE, 0, ZE_RESULT_ERROR_INVALID_NATIVE_BINARY);
    make_module(binary, 40, ZE_MODULE_FORMAT_NATIVE, 0, ZE_RESULT_ERROR_INVALID_NATIVE_BINARY);
    make_module(binary, bytes, ZE_MODULE_FORMAT_IL_SPIRV, 0, ZE_RESULT_ERROR_MODULE_BUILD_FAILURE);
    free(binary);
}

static void imports(void)
{
    ze_result_t (*import)(ze_driver_handle_t, void *, size_t) = NULL;
    ze_result_t (*release)(ze_driver_handle_t, void *) = NULL;
    void *f = NULL;
    rig r;
    make_rig(&r, 0);
    CHECK_INT(zeDriverGetExtensionFunctionAddress(driver, "zexDriverImportExternalPointer", &f),
              OK);
    memcpy(&import, &f, sizeof f);
    CHECK_INT(zeDriverGetExtensionFunctionAddress(driver, "zexDriverReleaseImportedPointer", &f),
              OK);
    memcpy(&release, &f, sizeof f);
    float *const mine = aligned_alloc(4096, 4096);
    for (int i = 0; i < COUNT; i++)
        mine[i] = (float)i;
    CHECK_INT(import(driver, mine, 4096), OK);
    set_arguments(&r, mine, r.out, 0);
    CHECK_INT(start(&r, r.list, r.event), OK);
    CHECK_INT(zeEventHostSynchronize(r.event, 10 * SECOND), OK);
    CHECK_INT(wrong(&r, 3, 0), 0);
    CHECK_INT(release(driver, mine), OK);
    free(mine);
    free_rig(&r);
}

static void sysman(void)
{
    const zes_device_handle_t d = (zes_device_handle_t)device;
    zes_pwr_handle_t power;
    zes_freq_handle_t frequency;
    zes_temp_handle_t temperature;
    zes_mem_handle_t mem;
    zes_engine_handle_t engine;
    zes_power_energy_counter_t a, b;
    zes_freq_state_t clock = { .stype = ZES_STRUCTURE_TYPE_FREQ_STATE };
    zes_mem_state_t state = { .stype = ZES_STRUCTURE_TYPE_MEM_STATE };
    zes_engine_stats_t busy;
    zes_pci_properties_t pci = { .stype = ZES_STRUCTURE_TYPE_PCI_PROPERTIES };
    double degrees = 0;
    uint32_t n = 1;
    setenv("HETINFER_ZE_SYSMAN", "power=20000,frequency=900,temperature=61.5", 1);
    CHECK_INT(zesDeviceEnumPowerDomains(d, &n, &power), OK);
    CHECK_INT(zesPowerGetEnergyCounter(power, &a), OK);
    CHECK_INT(zesDeviceEnumFrequencyDomains(d, &n, &frequency), OK);
    CHECK_INT(zesFrequencyGetState(frequency, &clock), OK);
    CHECK_NEAR(clock.actual, 900, 0);
    CHECK_INT(zesDeviceEnumTemperatureSensors(d, &n, &temperature), OK);
    CHECK_INT(zesTemperatureGetState(temperature, &degrees), OK);
    CHECK_NEAR(degrees, 61.5, 0);
    CHECK_INT(zesDeviceEnumMemoryModules(d, &n, &mem), OK);
    CHECK_INT(zesMemoryGetState(mem, &state), OK);
    CHECK_INT(state.free, state.size);
    CHECK_INT(zesDeviceEnumEngineGroups(d, &n, &engine), OK);
    CHECK_INT(zesEngineGetActivity(engine, &busy), OK);
    CHECK(busy.activeTime > 0);
    CHECK_INT(zesDevicePciGetProperties(d, &pci), OK);
    CHECK_INT(pci.address.device, 2);
    do
        CHECK_INT(zesPowerGetEnergyCounter(power, &b), OK);
    while (b.timestamp < a.timestamp + 1000);
    CHECK_NEAR((double)(b.energy - a.energy) / (double)(b.timestamp - a.timestamp), 20, 0.1);
    setenv("HETINFER_ZE_SYSMAN", "power=none", 1);
    CHECK_INT(zesDeviceEnumPowerDomains(d, &n, NULL), OK);
    CHECK_INT(n, 0);
    setenv("HETINFER_ZE_SYSMAN", "off", 1);
    CHECK_INT(zesDeviceEnumPowerDomains(d, &n, NULL), ZE_RESULT_ERROR_UNSUPPORTED_FEATURE);
    unsetenv("HETINFER_ZE_SYSMAN");
}

/* Without a barrier between them, two commands may run the other way round. */
static void order(void)
{
    const ze_command_queue_desc_t queue_desc = { .stype = ZE_STRUCTURE_TYPE_COMMAND_QUEUE_DESC };
    const ze_command_list_desc_t list_desc = { .stype = ZE_STRUCTURE_TYPE_COMMAND_LIST_DESC };
    ze_command_queue_handle_t queue = NULL;
    ze_command_list_handle_t list = NULL;
    uint8_t *const memory = make_memory(2);
    const uint8_t first = 1, second = 2;
    CHECK_INT(zeCommandQueueCreate(context, device, &queue_desc, &queue), OK);
    CHECK_INT(zeCommandListCreate(context, device, &list_desc, &list), OK);
    for (int i = 0; i < 2; i++) {
        CHECK_INT(zeCommandListAppendMemoryFill(list, &memory[i], &first, 1, 1, NULL, 0, NULL),
                  OK);
        if (i)
            CHECK_INT(zeCommandListAppendBarrier(list, NULL, 0, NULL), OK);
        CHECK_INT(zeCommandListAppendMemoryFill(list, &memory[i], &second, 1, 1, NULL, 0, NULL),
                  OK);
        CHECK_INT(zeCommandListAppendBarrier(list, NULL, 0, NULL), OK);
    }
    CHECK_INT(zeCommandListClose(list), OK);
    CHECK_INT(zeCommandQueueExecuteCommandLists(queue, 1, &list, NULL), OK);
    CHECK_INT(zeCommandQueueSynchronize(queue, 10 * SECOND), OK);
    CHECK_INT(memory[0], getenv("HETINFER_ZE_REORDER") ? first : second);
    CHECK_INT(memory[1], second);
    CHECK_INT(zeCommandListDestroy(list), OK);
    CHECK_INT(zeCommandQueueDestroy(queue), OK);
    CHECK_INT(zeMemFree(context, memory), OK);
}

int main(int argc, char **argv)
{
    open_driver(argc, argv);
    test_case(devices);
    test_case(memory);
    test_case(immediate);
    test_case(regular_list);
    test_case(events_between_queues);
    test_case(local_memory);
    test_case(native_binary);
    test_case(imports);
    test_case(order);
    test_case(sysman);
    CHECK_INT(control.complaints(), 0);
    return close_driver(5);
}
