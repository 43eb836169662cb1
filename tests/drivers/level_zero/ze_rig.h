/* SPDX-License-Identifier: Apache-2.0 */
/* What the tests of the driver share: its control, a context, and what a kernel takes to run. */
#ifndef ZE_RIG_H
#define ZE_RIG_H

#include <dlfcn.h>
#include <level_zero/ze_api.h>
#include <level_zero/zes_api.h>
#include <stdbool.h>

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

static inline void find_control(const char *path)
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

static inline void open_context(void)
{
    const ze_context_desc_t desc = { .stype = ZE_STRUCTURE_TYPE_CONTEXT_DESC };
    CHECK_INT(zeContextCreate(driver, &desc, &context), OK);
}

static inline void close_context(void)
{
    CHECK_INT(zeContextDestroy(context), OK);
    context = NULL;
}

/* ---- what tests share ---- */

static inline ze_module_handle_t make_module(const void *code, size_t bytes,
                                             ze_module_format_t format, int times,
                                             ze_result_t want)
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

static inline ze_kernel_handle_t make_kernel(ze_module_handle_t module, const char *name)
{
    const ze_kernel_desc_t desc = { .stype = ZE_STRUCTURE_TYPE_KERNEL_DESC, .pKernelName = name };
    ze_kernel_handle_t kernel = NULL;
    CHECK_INT(zeKernelCreate(module, &desc, &kernel), OK);
    return kernel;
}

static inline void *make_memory(size_t bytes)
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

static inline ze_command_list_handle_t make_immediate(uint32_t ordinal)
{
    const ze_command_queue_desc_t desc = { .stype = ZE_STRUCTURE_TYPE_COMMAND_QUEUE_DESC,
                                           .ordinal = ordinal,
                                           .mode = ZE_COMMAND_QUEUE_MODE_ASYNCHRONOUS };
    ze_command_list_handle_t list = NULL;
    CHECK_INT(zeCommandListCreateImmediate(context, device, &desc, &list), OK);
    return list;
}

static inline void make_rig(rig *r, int times)
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

static inline void free_rig(rig *r)
{
    CHECK_INT(zeCommandListDestroy(r->list), OK);
    CHECK_INT(zeEventDestroy(r->event), OK);
    CHECK_INT(zeEventPoolDestroy(r->pool), OK);
    CHECK_INT(zeKernelDestroy(r->kernel), OK);
    CHECK_INT(zeModuleDestroy(r->module), OK);
    CHECK_INT(zeMemFree(context, r->in), OK);
    CHECK_INT(zeMemFree(context, r->out), OK);
}

static inline void set_arguments(const rig *r, const float *in, float *out, float plus)
{
    CHECK_INT(zeKernelSetGroupSize(r->kernel, 8, 1, 1), OK);
    CHECK_INT(zeKernelSetArgumentValue(r->kernel, 0, sizeof in, &in), OK);
    CHECK_INT(zeKernelSetArgumentValue(r->kernel, 1, sizeof out, &out), OK);
    CHECK_INT(zeKernelSetArgumentValue(r->kernel, 2, sizeof plus, &plus), OK);
}

static inline ze_result_t start(const rig *r, ze_command_list_handle_t list,
                                ze_event_handle_t event)
{
    const ze_group_count_t groups = { COUNT / 8, 1, 1 };
    return zeCommandListAppendLaunchKernel(list, r->kernel, &groups, event, 0, NULL);
}

static inline uint32_t wrong(const rig *r, float times, float plus)
{
    uint32_t count = 0;
    for (int i = 0; i < COUNT; i++)
        count += !(r->out[i] == times * (float)i + plus);
    return count;
}

/* Kernels of scale.cl, and the one device. Skips the program where they are not there. */
static inline void open_driver(int argc, char **argv)
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
}

/* Nothing but the context, and sensors, is there at the end. */
static inline int close_driver(uint32_t sensors)
{
    ze_test_counters c;
    control.counts(&c);
    CHECK_INT(c.objects, 1 + sensors);
    CHECK_INT(c.live_bytes, 0);
    CHECK(c.launches > 0 && c.submissions > 0);
    close_context();
    free(spirv);
    return test_finish();
}

#endif /* ZE_RIG_H */
