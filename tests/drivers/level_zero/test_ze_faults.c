/* SPDX-License-Identifier: Apache-2.0 */
/* The test driver's faults on demand, and what it complains of.
 * Usage: test_ze_faults KERNELS.spv */
#include "ze_rig.h"

static void works(void)
{
    rig r;
    make_rig(&r, 5);
    set_arguments(&r, r.in, r.out, 1);
    CHECK_INT(start(&r, r.list, r.event), OK);
    CHECK_INT(zeEventHostSynchronize(r.event, 10 * SECOND), OK);
    CHECK_INT(wrong(&r, 5, 1), 0);
    free_rig(&r);
}

static void fault_of_a_call(void)
{
    rig r;
    void *p = NULL;
    const ze_host_mem_alloc_desc_t desc = { .stype = ZE_STRUCTURE_TYPE_HOST_MEM_ALLOC_DESC };
    control.reset();
    CHECK(control.arm("call=zeMemAllocHost,at=2,result=oom;call=zeCommandListAppendLaunchKernel,"
                      "at=1,result=0x78000004"));
    CHECK_INT(control.armed(), 2);
    make_rig(&r, 0);
    CHECK_INT(zeMemAllocHost(context, &desc, 64, 64, &p), OK);
    CHECK_INT(zeMemFree(context, p), OK);
    CHECK_INT(zeMemAllocHost(context, &desc, 64, 64, &p), ZE_RESULT_ERROR_OUT_OF_DEVICE_MEMORY);
    CHECK_INT(zeMemAllocHost(context, &desc, 64, 64, &p), OK);
    CHECK_INT(zeMemFree(context, p), OK);
    CHECK_INT(control.calls("zeMemAllocHost"), 3);
    set_arguments(&r, r.in, r.out, 0);
    CHECK_INT(start(&r, r.list, r.event), ZE_RESULT_ERROR_INVALID_ARGUMENT);
    CHECK_INT(start(&r, r.list, r.event), OK);
    CHECK_INT(zeEventHostSynchronize(r.event, 10 * SECOND), OK);
    CHECK_INT(control.armed(), 0);
    free_rig(&r);
    CHECK(!control.arm("call=zeMemFree"));
    CHECK(!control.arm("launch=0,kind=hang"));
    CHECK(!control.arm("when=ever"));
}

static void fault_of_memory(void)
{
    const ze_device_mem_alloc_desc_t desc = { .stype = ZE_STRUCTURE_TYPE_DEVICE_MEM_ALLOC_DESC };
    void *p = NULL;
    CHECK_INT(zeMemAllocDevice(context, &desc, UINT64_C(1) << 40, 64, device, &p),
              ZE_RESULT_ERROR_UNSUPPORTED_SIZE);
    CHECK(p == NULL);
}

/* Lost in the middle: what follows fails, and a new context works. */
static void fault_lost(void)
{
    rig r;
    void *p = NULL;
    const ze_device_mem_alloc_desc_t desc = { .stype = ZE_STRUCTURE_TYPE_DEVICE_MEM_ALLOC_DESC };
    control.reset();
    make_rig(&r, 0);
    set_arguments(&r, r.in, r.out, 0);
    CHECK(control.arm("launch=2,kind=lost,kernel=scale"));
    CHECK_INT(start(&r, r.list, r.event), OK);
    CHECK_INT(zeEventHostSynchronize(r.event, 10 * SECOND), OK);
    CHECK_INT(zeEventHostReset(r.event), OK);
    CHECK_INT(start(&r, r.list, r.event), OK);
    CHECK_INT(zeEventHostSynchronize(r.event, UINT64_MAX), ZE_RESULT_ERROR_DEVICE_LOST);
    CHECK_INT(zeMemAllocDevice(context, &desc, 64, 64, device, &p), ZE_RESULT_ERROR_DEVICE_LOST);
    CHECK_INT(start(&r, r.list, NULL), ZE_RESULT_ERROR_DEVICE_LOST);
    CHECK_INT(zeDeviceGetStatus(device), ZE_RESULT_ERROR_DEVICE_LOST);
    free_rig(&r);
    close_context();
    open_context();
    CHECK_INT(zeDeviceGetStatus(device), OK);
    works();
    CHECK(control.arm("call=zeModuleCreate,at=1,result=gone"));
    make_module(spirv, spirv_bytes, ZE_MODULE_FORMAT_IL_SPIRV, 0, ZE_RESULT_ERROR_DEVICE_LOST);
    close_context();
    open_context();
    CHECK_INT(zeDeviceGetStatus(device), ZE_RESULT_ERROR_DEVICE_LOST);
    close_context();
    control.reset();
    open_context();
    CHECK_INT(zeDeviceGetStatus(device), OK);
}

/* Whoever loses a device need not free anything; what is made afterwards works beside it. */
static void left_behind(void)
{
    ze_test_counters before, after;
    rig r;
    control.reset();
    control.counts(&before);
    for (int i = 0; i < 2; i++) {
        make_rig(&r, 0);
        set_arguments(&r, r.in, r.out, 0);
        CHECK(control.arm(i ? "launch=1,kind=hang" : "launch=1,kind=lost"));
        CHECK_INT(start(&r, r.list, r.event), OK);
        CHECK_INT(zeEventHostSynchronize(r.event, SECOND / 10),
                  i ? ZE_RESULT_NOT_READY : ZE_RESULT_ERROR_DEVICE_LOST);
        open_context();
        works();
    }
    control.counts(&after);
    CHECK(after.objects > before.objects + 10);
    CHECK(after.live_bytes > before.live_bytes);
    control.reset();
    control.counts(&after);
    CHECK_INT(after.objects, before.objects);
    CHECK_INT(after.live_bytes, before.live_bytes);
}

static void fault_hang(void)
{
    rig r;
    control.reset();
    make_rig(&r, 0);
    set_arguments(&r, r.in, r.out, 0);
    CHECK(control.arm("launch=1,kind=hang"));
    CHECK_INT(start(&r, r.list, r.event), OK);
    CHECK_INT(zeEventHostSynchronize(r.event, SECOND / 10), ZE_RESULT_NOT_READY);
    CHECK_INT(zeEventQueryStatus(r.event), ZE_RESULT_NOT_READY);
    CHECK_INT(zeDeviceGetStatus(device), OK);
    free_rig(&r);
    make_rig(&r, 0);
    set_arguments(&r, r.in, r.out, 0);
    CHECK_INT(start(&r, r.list, r.event), OK); /* another queue goes on */
    CHECK_INT(zeEventHostSynchronize(r.event, 10 * SECOND), OK);
    free_rig(&r);
    close_context();
    open_context();
    make_rig(&r, 0);
    set_arguments(&r, r.in, r.out, 0);
    CHECK(control.arm("launch=1,kind=hang"));
    CHECK_INT(start(&r, r.list, r.event), OK);
    CHECK_INT(zeEventHostSynchronize(r.event, UINT64_MAX), ZE_RESULT_ERROR_DEVICE_LOST);
    free_rig(&r);
    close_context();
    open_context();
}

static void fault_slow_and_wrong(void)
{
    rig r;
    ze_kernel_timestamp_result_t times;
    uint32_t spoilt = 0;
    control.reset();
    make_rig(&r, 0);
    set_arguments(&r, r.in, r.out, 0);
    CHECK(control.arm("launch=1,kind=slow,ms=30;launch=2,kind=flip;launch=3,kind=nan"));
    CHECK_INT(start(&r, r.list, r.event), OK);
    CHECK_INT(zeEventHostSynchronize(r.event, 10 * SECOND), OK);
    CHECK_INT(zeEventQueryKernelTimestamp(r.event, &times), OK);
    CHECK(((times.global.kernelEnd - times.global.kernelStart) & UINT32_MAX) > 19200 * 30);
    CHECK_INT(wrong(&r, 3, 0), 0);
    memset(r.out, 0, COUNT * sizeof *r.out);
    CHECK_INT(zeEventHostReset(r.event), OK);
    CHECK_INT(start(&r, r.list, r.event), OK);
    CHECK_INT(zeEventHostSynchronize(r.event, 10 * SECOND), OK);
    CHECK_INT(wrong(&r, 3, 0), 1);
    memset(r.out, 0, COUNT * sizeof *r.out);
    CHECK_INT(zeEventHostReset(r.event), OK);
    CHECK_INT(start(&r, r.list, r.event), OK);
    CHECK_INT(zeEventHostSynchronize(r.event, 10 * SECOND), OK);
    for (int i = 0; i < COUNT; i++)
        spoilt += isnan(r.out[i]) != 0;
    CHECK_INT(spoilt, 1);
    free_rig(&r);
}

/* ---- misuse ---- */

/* One more complaint than before. */
#define COMPLAINS(call)                                      \
    do {                                                     \
        const uint64_t before_ = control.complaints();       \
        call;                                                \
        CHECK_INT(control.complaints(), before_ + 1);        \
    } while (0)

static void misuse(void)
{
    rig r;
    const ze_group_count_t groups = { 1, 1, 1 };
    control.reset();
    make_rig(&r, 0);
    void *const memory = make_memory(64), *const old = make_memory(64);
    const float value = 1;
    COMPLAINS(zeKernelSetArgumentValue(r.kernel, 2, 8, &memory));
    COMPLAINS(zeKernelSetArgumentValue(r.kernel, 3, 4, &value));
    COMPLAINS(zeKernelSetGroupSize(r.kernel, 2048, 1, 1));
    COMPLAINS(zeCommandListAppendLaunchKernel(r.list, r.kernel, &groups, NULL, 0, NULL));
    CHECK_INT(zeKernelSetGroupSize(r.kernel, 1, 1, 1), OK);
    COMPLAINS(zeCommandListAppendLaunchKernel(r.list, r.kernel, &groups, NULL, 0, NULL));
    set_arguments(&r, r.in, r.out, 0);
    CHECK_INT(zeMemFree(context, old), OK);
    CHECK_INT(zeKernelSetArgumentValue(r.kernel, 0, sizeof old, &old), OK);
    COMPLAINS(start(&r, r.list, NULL));
    COMPLAINS(zeMemFree(context, old));
    COMPLAINS(zeMemFree(context, (char *)memory + 1));
    COMPLAINS(zeCommandListAppendMemoryCopy(r.list, memory, r.in, 65, NULL, 0, NULL));
    COMPLAINS(zeCommandListAppendMemoryFill(r.list, memory, &value, 4, 30, NULL, 0, NULL));
    COMPLAINS(zeEventHostSynchronize(r.event, SECOND / 100));
    ((char *)memory)[64] = 1;
    COMPLAINS(zeMemFree(context, memory));
    COMPLAINS(zeModuleDestroy(r.module));
    COMPLAINS(zeEventPoolDestroy((ze_event_pool_handle_t)r.event));
    const ze_event_handle_t gone = r.event;
    const ze_event_desc_t desc = { .stype = ZE_STRUCTURE_TYPE_EVENT_DESC };
    CHECK_INT(zeEventDestroy(gone), OK);
    COMPLAINS(zeEventQueryStatus(gone));
    CHECK_INT(zeEventCreate(r.pool, &desc, &r.event), OK);
    free_rig(&r);
}

int main(int argc, char **argv)
{
    open_driver(argc, argv);
    test_case(works);
    test_case(fault_of_a_call);
    test_case(fault_of_memory);
    test_case(fault_lost);
    test_case(fault_hang);
    test_case(left_behind);
    test_case(fault_slow_and_wrong);
    CHECK_INT(control.complaints(), 0);
    test_case(misuse);
    return close_driver(0);
}
