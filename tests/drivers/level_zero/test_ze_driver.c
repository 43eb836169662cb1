/* SPDX-License-Identifier: Apache-2.0 */
/* The test driver through the stock loader, as an application sees it.
 * Usage: test_ze_driver KERNELS.spv */
#include <dlfcn.h>
#include <level_zero/ze_api.h>
#include <level_zero/zes_api.h>

#include "control.h"
#include "test.h"

#define COUNT 1000
#define CONSTANT 7 /* of scale.cl: by which it multiplies; 3 if not given */
#define SECOND UINT64_C(1000000000)
#define OK ZE_RESULT_SUCCESS

static struct {
    void (*reset)(void);
    int (*arm)(const char *);
    uint32_t (*armed)(void);
    uint64_t (*calls)(const char *);
    uint64_t (*complaints)(void);
    void (*counts)(ze_test_counters *);
} control;

static ze_driver_handle_t driver;
static ze_device_handle_t device;
static ze_context_handle_t context;
static uint8_t *spirv;
static size_t spirv_bytes;

static void find_control(const char *path)
{
    void *const library = path ? dlopen(path, RTLD_NOW | RTLD_NOLOAD) : NULL;
    const struct {
        const char *name;
        void *function;
    } functions[] = {
        { "ze_test_reset", &control.reset },           { "ze_test_arm", &control.arm },
        { "ze_test_armed", &control.armed },           { "ze_test_calls", &control.calls },
        { "ze_test_complaints", &control.complaints }, { "ze_test_counts", &control.counts },
    };
    for (size_t i = 0; i < sizeof functions / sizeof functions[0]; i++) {
        void *const f = library ? dlsym(library, functions[i].name) : NULL;
        if (!f) {
            TEST_FAIL("%s is not in %s", functions[i].name, path ? path : "nothing");
            exit(1);
        }
        memcpy(functions[i].function, &f, sizeof f);
    }
}

static void open_context(void)
{
    const ze_context_desc_t desc = { .stype = ZE_STRUCTURE_TYPE_CONTEXT_DESC };
    CHECK_INT(zeContextCreate(driver, &desc, &context), OK);
}

static void close_context(void)
{
    CHECK_INT(zeContextDestroy(context), OK);
    context = NULL;
}

/* ---- what tests share ---- */

static ze_module_handle_t make_module(const void *code, size_t bytes, ze_module_format_t format,
                                      int times, ze_result_t want)
{
    const uint32_t id = CONSTANT;
    const int32_t value = times;
    const void *values[1] = { &value };
    const ze_module_constants_t constants = { 1, &id, values };
    const ze_module_desc_t desc = { .stype = ZE_STRUCTURE_TYPE_MODULE_DESC, .format = format,
                                    .inputSize = bytes, .pInputModule = code,
                                    .pConstants = times ? &constants : NULL };
    ze_module_handle_t module = NULL;
    ze_module_build_log_handle_t log = NULL;
    const ze_result_t r = zeModuleCreate(context, device, &desc, &module, &log);
    CHECK_INT(r, want);
    if (log) {
        char text[500] = "";
        size_t n = sizeof text;
        CHECK_INT(zeModuleBuildLogGetString(log, &n, text), OK);
        if (r != want)
            TEST_FAIL("build log: %s", text);
        zeModuleBuildLogDestroy(log);
    }
    return r == OK ? module : NULL;
}

static ze_kernel_handle_t make_kernel(ze_module_handle_t module, const char *name)
{
    const ze_kernel_desc_t desc = { .stype = ZE_STRUCTURE_TYPE_KERNEL_DESC, .pKernelName = name };
    ze_kernel_handle_t kernel = NULL;
    CHECK_INT(zeKernelCreate(module, &desc, &kernel), OK);
    return kernel;
}

static void *make_memory(size_t bytes)
{
    const ze_device_mem_alloc_desc_t on_device = {
        .stype = ZE_STRUCTURE_TYPE_DEVICE_MEM_ALLOC_DESC };
    const ze_host_mem_alloc_desc_t on_host = { .stype = ZE_STRUCTURE_TYPE_HOST_MEM_ALLOC_DESC };
    void *memory = NULL;
    CHECK_INT(zeMemAllocShared(context, &on_device, &on_host, bytes, 64, device, &memory), OK);
    return memory;
}

/* Everything that a run of `scale` takes, with an immediate list that does not wait. */
typedef struct rig {
    ze_module_handle_t module;
    ze_kernel_handle_t kernel;
    ze_command_list_handle_t list;
    ze_event_pool_handle_t pool;
    ze_event_handle_t event;
    float *in, *out;
} rig;

static ze_command_list_handle_t make_immediate(uint32_t ordinal)
{
    const ze_command_queue_desc_t desc = { .stype = ZE_STRUCTURE_TYPE_COMMAND_QUEUE_DESC,
                                           .ordinal = ordinal,
                                           .mode = ZE_COMMAND_QUEUE_MODE_ASYNCHRONOUS };
    ze_command_list_handle_t list = NULL;
    CHECK_INT(zeCommandListCreateImmediate(context, device, &desc, &list), OK);
    return list;
}

static void make_rig(rig *r, int times)
{
    const ze_event_pool_desc_t pool = {
        .stype = ZE_STRUCTURE_TYPE_EVENT_POOL_DESC, .count = 2,
        .flags = ZE_EVENT_POOL_FLAG_HOST_VISIBLE | ZE_EVENT_POOL_FLAG_KERNEL_TIMESTAMP };
    const ze_event_desc_t event = { .stype = ZE_STRUCTURE_TYPE_EVENT_DESC,
                                    .signal = ZE_EVENT_SCOPE_FLAG_HOST };
    r->module = make_module(spirv, spirv_bytes, ZE_MODULE_FORMAT_IL_SPIRV, times, OK);
    r->kernel = make_kernel(r->module, "scale");
    r->list = make_immediate(0);
    CHECK_INT(zeEventPoolCreate(context, &pool, 1, &device, &r->pool), OK);
    CHECK_INT(zeEventCreate(r->pool, &event, &r->event), OK);
    r->in = make_memory(COUNT * sizeof *r->in);
    r->out = make_memory(COUNT * sizeof *r->out);
    for (int i = 0; i < COUNT; i++)
        r->in[i] = (float)i;
}

static void free_rig(rig *r)
{
    CHECK_INT(zeCommandListDestroy(r->list), OK);
    CHECK_INT(zeEventDestroy(r->event), OK);
    CHECK_INT(zeEventPoolDestroy(r->pool), OK);
    CHECK_INT(zeKernelDestroy(r->kernel), OK);
    CHECK_INT(zeModuleDestroy(r->module), OK);
    CHECK_INT(zeMemFree(context, r->in), OK);
    CHECK_INT(zeMemFree(context, r->out), OK);
}

static void set_arguments(const rig *r, const float *in, float *out, float plus)
{
    CHECK_INT(zeKernelSetGroupSize(r->kernel, 8, 1, 1), OK);
    CHECK_INT(zeKernelSetArgumentValue(r->kernel, 0, sizeof in, &in), OK);
    CHECK_INT(zeKernelSetArgumentValue(r->kernel, 1, sizeof out, &out), OK);
    CHECK_INT(zeKernelSetArgumentValue(r->kernel, 2, sizeof plus, &plus), OK);
}

static ze_result_t start(const rig *r, ze_command_list_handle_t list, ze_event_handle_t event)
{
    const ze_group_count_t groups = { COUNT / 8, 1, 1 };
    return zeCommandListAppendLaunchKernel(list, r->kernel, &groups, event, 0, NULL);
}

static uint32_t wrong(const rig *r, float times, float plus)
{
    uint32_t count = 0;
    for (int i = 0; i < COUNT; i++)
        count += !(r->out[i] == times * (float)i + plus);
    return count;
}

/* ---- tests ---- */

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

int main(int argc, char **argv)
{
    uint32_t count = 1;
    if (argc < 2)
        test_skip("no clang-15 or llvm-spirv-15 when this was built");
    spirv = test_read_file(argv[1], &spirv_bytes);
    if (!spirv)
        test_skip("no kernels in SPIR-V");
    if (zeInit(0) != OK)
        test_skip("no PoCL");
    find_control(getenv("HETINFER_ZE_DRIVER"));
    CHECK_INT(zeDriverGet(&count, &driver), OK);
    count = 1;
    CHECK_INT(zeDeviceGet(driver, &count, &device), OK);
    open_context();
    test_case(devices);
    test_case(memory);
    test_case(immediate);
    CHECK_INT(control.complaints(), 0);
    close_context();
    free(spirv);
    return test_finish();
}
