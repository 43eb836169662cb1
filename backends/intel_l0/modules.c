/* SPDX-License-Identifier: Apache-2.0 */
/* Modules: SPIR-V that was compiled with the library (backends/kernels/spirv.h), made code of the
 * device by its driver, which folds the options that are only numbers. What the driver made is kept
 * from one start to the next. */
#include "backends/intel_l0/l0.h"

#include <stdio.h>
#include <string.h>

#include "backends/gpu/cache.h"
#include "backends/kernels/spirv.h"
#include "lib/base/error.h"

#define OPTIONS_MAX 512
#define FOLDER "level_zero"

/* Addresses within a buffer have 32 bits unless this is asked for. */
static const char *flags_of(const het__device *device)
{
    return device->found.facts.buffer_max_bytes > UINT32_MAX
               ? "-ze-opt-greater-than-4GB-buffer-required"
               : "";
}

static het__hash128 key_of(const het__device *device, const het__spirv *code)
{
    het__hash128 key = het__hash128_of(code->code, code->bytes);
    het__hash128_add(&key, code->ids, code->constant_count * sizeof *code->ids);
    het__hash128_add(&key, code->values, code->constant_count * sizeof *code->values);
    het__gpu_cache_text(&key, flags_of(device));
    het__gpu_cache_text(&key, device->found.info.name);
    het__gpu_cache_text(&key, device->found.info.driver);
    het__gpu_cache_text(&key, device->found.info.features);
    return key;
}

/* ---- the driver's log ---- */

/* The first line that says something. */
static void first_line(const char *log, char *line, size_t bytes)
{
    size_t n = 0;
    log += strspn(log, " \t\r\n");
    while (log[n] && log[n] != '\n' && log[n] != '\r' && n + 1 < bytes)
        n++;
    memcpy(line, log, n);
    line[n] = 0;
}

static het_status build_failed(het__device *device, ze_module_build_log_handle_t log,
                               const char *file, het_error *err)
{
    size_t bytes = 0;
    char line[120] = "";
    char *text = NULL;
    if (log && zeModuleBuildLogGetString(log, &bytes, NULL) == ZE_RESULT_SUCCESS && bytes > 0)
        text = het__alloc_zero(device->gpu.host.mem, bytes + 1, 1);
    if (text && zeModuleBuildLogGetString(log, &bytes, text) == ZE_RESULT_SUCCESS) {
        first_line(text, line, sizeof line);
        het__log_line(device->gpu.host.log, HET_LOG_DEBUG, "intel_l0", "%s: %s", file, text);
    }
    het__free(device->gpu.host.mem, text);
    return het__fail_native(err, HET_E_UNSUPPORTED,
                            (int32_t)ZE_RESULT_ERROR_MODULE_BUILD_FAILURE,
                            "%.40s cannot build kernels of %s: %s", device->found.info.name, file,
                            line[0] ? line : "no reason given");
}

/* ---- making ---- */

static ze_result_t make(het__device *device, const ze_module_desc_t *desc,
                        ze_module_handle_t *module, ze_module_build_log_handle_t *log)
{
    *log = NULL;
    return zeModuleCreate(device->context, device->found.id, desc, module, log);
}

static bool load(het__device *device, const het__hash128 *key, ze_module_handle_t *module)
{
    size_t bytes = 0;
    unsigned char *binary = het__gpu_cache_read(&device->gpu.host, FOLDER, key, &bytes);
    if (!binary)
        return false;
    const ze_module_desc_t desc = { .stype = ZE_STRUCTURE_TYPE_MODULE_DESC,
                                    .format = ZE_MODULE_FORMAT_NATIVE, .inputSize = bytes,
                                    .pInputModule = binary };
    ze_module_build_log_handle_t log;
    const ze_result_t code = make(device, &desc, module, &log);
    if (log)
        zeModuleBuildLogDestroy(log);
    het__free(device->gpu.host.mem, binary);
    device->loaded_count += code == ZE_RESULT_SUCCESS;
    return code == ZE_RESULT_SUCCESS;
}

static void store(het__device *device, const het__hash128 *key, ze_module_handle_t module)
{
    size_t bytes = 0;
    if (!device->gpu.host.cache_folder ||
        zeModuleGetNativeBinary(module, &bytes, NULL) != ZE_RESULT_SUCCESS || bytes == 0 ||
        bytes > HET__GPU_BINARY_MAX)
        return;
    unsigned char *data = het__alloc(device->gpu.host.mem, HET__GPU_BINARY_ROOM + bytes);
    if (data && zeModuleGetNativeBinary(module, &bytes, data + HET__GPU_BINARY_ROOM) ==
                    ZE_RESULT_SUCCESS)
        het__gpu_cache_write(&device->gpu.host, FOLDER, key, data, bytes);
    het__free(device->gpu.host.mem, data);
}

static het_status build(het__device *device, const char *file, const het__spirv *code,
                        ze_module_handle_t *module, het_error *err)
{
    const void *values[HET__SPIRV_CONSTANTS_MAX];
    const het__hash128 key = key_of(device, code);
    if (load(device, &key, module))
        return HET_OK;
    for (uint32_t i = 0; i < code->constant_count; i++)
        values[i] = &code->values[i];
    const ze_module_constants_t constants = { .numConstants = code->constant_count,
                                              .pConstantIds = code->ids,
                                              .pConstantValues = values };
    const ze_module_desc_t desc = {
        .stype = ZE_STRUCTURE_TYPE_MODULE_DESC, .format = ZE_MODULE_FORMAT_IL_SPIRV,
        .inputSize = code->bytes, .pInputModule = code->code, .pBuildFlags = flags_of(device),
        .pConstants = code->constant_count ? &constants : NULL,
    };
    ze_module_build_log_handle_t log;
    const ze_result_t result = make(device, &desc, module, &log);
    het_status s = HET_OK;
    if (result == ZE_RESULT_ERROR_MODULE_BUILD_FAILURE)
        s = build_failed(device, log, file, err);
    else if (result != ZE_RESULT_SUCCESS)
        s = het__l0_failed(device, err, result, "zeModuleCreate");
    if (log && !device->gpu.is_gone)
        zeModuleBuildLogDestroy(log);
    if (s == HET_OK)
        store(device, &key, *module);
    return s;
}

static bool find_code(const het__gpu_facts *facts, const char *file, const char *options,
                      het__spirv *code)
{
    const het__spirv_target target = { .fp16 = facts->fp16, .subgroup = facts->subgroup,
                                       .dp4a = facts->dot == HET__GPU_DOT_INTEL,
                                       .xmx = facts->has_matrix };
    return het__spirv_find(file, options, &target, code);
}

static het_status not_listed(const char *file, const char *options, het_error *err)
{
    return het__fail(err, HET_E_UNSUPPORTED, "no module of %s with %s", file,
                     options[0] ? options : "no options");
}

het_status het__l0_module_of(het__device *device, const char *file, const char *options,
                             ze_module_handle_t *module, het_error *err)
{
    char key[OPTIONS_MAX];
    het__spirv code;
    const int n = snprintf(key, sizeof key, "%s %s", file, options);
    if (n < 0 || (size_t)n >= sizeof key)
        return het__fail(err, HET_E_INTERNAL, "options of %s are too long", file);
    for (const het__l0_module *m = device->modules; m; m = m->next)
        if (strcmp(m->key, key) == 0) {
            *module = m->module;
            return HET_OK;
        }
    if (!find_code(&device->found.facts, file, options, &code))
        return not_listed(file, options, err);
    het__l0_module *m = het__alloc_zero(device->gpu.host.mem, 1, sizeof *m);
    char *copy = het__strndup(device->gpu.host.mem, key, (size_t)n);
    het_status s = m && copy ? HET_OK : het__fail_nomem(err, "a kernel");
    if (s == HET_OK)
        s = build(device, file, &code, module, err);
    if (s != HET_OK) {
        het__free(device->gpu.host.mem, copy);
        het__free(device->gpu.host.mem, m);
        return s;
    }
    *m = (het__l0_module){ device->modules, copy, *module };
    device->modules = m;
    return HET_OK;
}

void het__l0_drop_modules(het__device *device)
{
    while (device->modules) {
        het__l0_module *next = device->modules->next;
        if (!device->gpu.is_gone)
            zeModuleDestroy(device->modules->module);
        het__free(device->gpu.host.mem, device->modules->key);
        het__free(device->gpu.host.mem, device->modules);
        device->modules = next;
    }
}

/* ---- only asking ---- */

static het_status ask_kernel(het__gpu *gpu, const char *file, const char *name,
                             const char *options, void **handle, het_error *err)
{
    het__spirv code;
    (void)name;
    *handle = NULL;
    return find_code(gpu->facts, file, options, &code) ? HET_OK : not_listed(file, options, err);
}

const het__gpu_driver het__l0_asking = { .kernel = ask_kernel };
