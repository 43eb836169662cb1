/* SPDX-License-Identifier: Apache-2.0 */
/* What operations ask of Level Zero: kernels with their arguments, starts, copies. */
#include "backends/intel_l0/l0.h"

#include "lib/base/error.h"

/* Items of a group where nothing says how many. */
#define GROUP_ITEMS 64

/* ---- kernels ---- */

het_status het__l0_kernel_make(het__gpu *gpu, const char *file, const char *name,
                               const char *options, void **handle, het_error *err)
{
    het__device *device = het__l0_device(gpu);
    ze_module_handle_t module;
    het_status s = het__l0_module_of(device, file, options, &module, err);
    if (s != HET_OK)
        return s;
    het__l0_kernel *k = het__alloc_zero(gpu->host.mem, 1, sizeof *k);
    if (!k)
        return het__fail_nomem(err, "a kernel");
    const ze_kernel_desc_t desc = { .stype = ZE_STRUCTURE_TYPE_KERNEL_DESC, .pKernelName = name };
    const ze_result_t code = zeKernelCreate(module, &desc, &k->kernel);
    if (code != ZE_RESULT_SUCCESS) {
        het__free(gpu->host.mem, k);
        return het__l0_failed(device, err, code, "zeKernelCreate");
    }
    *handle = k;
    return HET_OK;
}

void het__l0_kernel_release(het__gpu *gpu, void *handle)
{
    het__l0_kernel *k = handle;
    if (!gpu->is_gone)
        zeKernelDestroy(k->kernel);
    het__free(gpu->host.mem, k);
}

void het__l0_argument(void *handle, uint32_t index, size_t bytes, const void *value)
{
    het__l0_kernel *k = handle;
    const ze_result_t code = zeKernelSetArgumentValue(k->kernel, index, bytes, value);
    if (code != ZE_RESULT_SUCCESS)
        k->failed = code;
}

static void set_memory(void *handle, uint32_t index, het__gpu_memory *memory)
{
    het__l0_argument(handle, index, sizeof memory, memory ? &memory : NULL);
}

/* ---- starting ---- */

/* The least power of two that is not below n, but at most most. */
static uint32_t group_for(size_t n, size_t most)
{
    uint32_t p = 1;
    while (p < most && p < n)
        p *= 2;
    return p;
}

static ze_result_t set_group(het__l0_kernel *k, const uint32_t group[3])
{
    if (k->group[0] == group[0] && k->group[1] == group[1] && k->group[2] == group[2])
        return ZE_RESULT_SUCCESS;
    const ze_result_t code = zeKernelSetGroupSize(k->kernel, group[0], group[1], group[2]);
    for (int i = 0; i < 3 && code == ZE_RESULT_SUCCESS; i++)
        k->group[i] = group[i];
    return code;
}

het_status het__l0_launch(het__gpu *gpu, void *handle, uint32_t dimensions, const size_t *global,
                          const size_t *local, het_error *err)
{
    het__device *device = het__l0_device(gpu);
    het__l0_kernel *k = handle;
    uint32_t group[3] = { 1, 1, 1 };
    size_t count[3] = { 1, 1, 1 };
    for (uint32_t i = 0; i < dimensions; i++) {
        group[i] = local ? (uint32_t)local[i] : i == 0 ? group_for(global[0], GROUP_ITEMS) : 1;
        count[i] = (global[i] + group[i] - 1) / group[i];
        if (count[i] > UINT32_MAX)
            return het__fail(err, HET_E_UNSUPPORTED, "%zu groups of a kernel", count[i]);
    }
    if (k->failed != ZE_RESULT_SUCCESS)
        return het__l0_failed(device, err, k->failed, "zeKernelSetArgumentValue");
    ze_result_t code = set_group(k, group);
    if (code != ZE_RESULT_SUCCESS)
        return het__l0_failed(device, err, code, "zeKernelSetGroupSize");
    const het_status s = het__l0_order(device, err);
    if (s != HET_OK)
        return s;
    const ze_group_count_t groups = { (uint32_t)count[0], (uint32_t)count[1], (uint32_t)count[2] };
    het__l0_run *run = device->open_run;
    const bool is_first = run && !run->has_first;
    code = zeCommandListAppendLaunchKernel(device->list, k->kernel, &groups,
                                           is_first ? run->first : NULL, 0, NULL);
    if (code != ZE_RESULT_SUCCESS)
        return het__l0_failed(device, err, code, "zeCommandListAppendLaunchKernel");
    device->has_unordered = true;
    if (run)
        run->has_first = true;
    return HET_OK;
}

static het_status copy(het__gpu *gpu, het__gpu_memory *source, size_t source_offset,
                       het__gpu_memory *target, size_t target_offset, size_t bytes,
                       het_error *err)
{
    het__device *device = het__l0_device(gpu);
    het__l0_run *run = device->open_run;
    const het_status s = het__l0_order(device, err);
    if (s != HET_OK)
        return s;
    const bool is_first = run && !run->has_first;
    const ze_result_t code = zeCommandListAppendMemoryCopy(
        device->list, (char *)target + target_offset, (const char *)source + source_offset, bytes,
        is_first ? run->first : NULL, 0, NULL);
    if (code != ZE_RESULT_SUCCESS)
        return het__l0_failed(device, err, code, "zeCommandListAppendMemoryCopy");
    device->has_unordered = true;
    if (run)
        run->has_first = true;
    return HET_OK;
}

const het__gpu_driver het__l0_driver = {
    .kernel = het__l0_kernel_make,
    .kernel_release = het__l0_kernel_release,
    .argument = het__l0_argument,
    .argument_memory = set_memory,
    .launch = het__l0_launch,
    .copy = copy,
    .memory_make = het__l0_memory_make,
    .memory_import = het__l0_memory_import,
    .imports_once = true,
    .memory_free = het__l0_memory_free,
    .memory_of = het__l0_memory_of,
    .memory_read = het__l0_memory_read,
    .memory_write = het__l0_memory_write,
    .upload = het__l0_upload,
    .uploads_reserve = het__l0_uploads_reserve,
    .mark = het__l0_mark,
    .await = het__l0_await_upload,
    .settle = het__l0_settle,
    .state = het__l0_state,
    .forget = het__l0_forget,
    .times = het__l0_upload_times,
    .begin = het__l0_run_begin,
    .end = het__l0_run_end,
    .drop = het__l0_run_drop,
};
