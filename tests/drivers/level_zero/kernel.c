/* SPDX-License-Identifier: Apache-2.0 */
/* Kernels: their arguments, as PoCL knows them, groups, and whether all is there to start one. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "driver.h"

#define GROUP_MAX 1024
#define LOCAL_MAX (64u << 10)

/* Bytes of a value of an OpenCL type ("uint4"); 0: not known. */
static size_t size_of(const char *type)
{
    static const struct {
        const char *name;
        size_t bytes;
    } types[] = {
        { "char", 1 },  { "uchar", 1 }, { "bool", 1 }, { "short", 2 },  { "ushort", 2 },
        { "half", 2 },  { "int", 4 },   { "uint", 4 }, { "float", 4 },  { "long", 8 },
        { "ulong", 8 }, { "double", 8 }, { "size_t", 8 },
    };
    for (size_t i = 0; i < sizeof types / sizeof types[0]; i++) {
        const size_t n = strlen(types[i].name);
        if (strncmp(type, types[i].name, n) != 0)
            continue;
        const unsigned long lanes = type[n] ? strtoul(type + n, NULL, 10) : 1;
        return lanes == 3 ? 4 * types[i].bytes : lanes * types[i].bytes;
    }
    return 0;
}

static bool describe_arguments(zd_kernel *k)
{
    for (uint32_t i = 0; i < k->arg_count; i++) {
        cl_kernel_arg_address_qualifier where = CL_KERNEL_ARG_ADDRESS_PRIVATE;
        char type[64] = "";
        const cl_int status = clGetKernelArgInfo(k->kernel, i, CL_KERNEL_ARG_ADDRESS_QUALIFIER,
                                                 sizeof where, &where, NULL);
        if (status != CL_SUCCESS) {
            zd_complain("%s: PoCL does not say what argument %u is: %d", k->name, (unsigned)i,
                        (int)status);
            return false;
        }
        clGetKernelArgInfo(k->kernel, i, CL_KERNEL_ARG_TYPE_NAME, sizeof type, type, NULL);
        const bool is_local = where == CL_KERNEL_ARG_ADDRESS_LOCAL;
        const bool is_value = where == CL_KERNEL_ARG_ADDRESS_PRIVATE;
        k->args[i].kind = is_local ? ZD_ARG_LOCAL : is_value ? ZD_ARG_VALUE : ZD_ARG_POINTER;
        k->args[i].want = is_local ? 0 : is_value ? size_of(type) : sizeof(void *);
    }
    return true;
}

static bool open_kernel(zd_kernel *k, const char *name)
{
    cl_int status = CL_SUCCESS;
    cl_uint count = 0;
    size_t required[3] = { 0, 0, 0 };
    cl_ulong local = 0;
    k->kernel = clCreateKernel(k->module->program, name, &status);
    if (status != CL_SUCCESS ||
        clGetKernelInfo(k->kernel, CL_KERNEL_NUM_ARGS, sizeof count, &count, NULL) != CL_SUCCESS)
        return false;
    clGetKernelWorkGroupInfo(k->kernel, zd.cl_device, CL_KERNEL_COMPILE_WORK_GROUP_SIZE,
                             sizeof required, required, NULL);
    clGetKernelWorkGroupInfo(k->kernel, zd.cl_device, CL_KERNEL_LOCAL_MEM_SIZE, sizeof local,
                             &local, NULL);
    for (int i = 0; i < 3; i++)
        k->required[i] = (uint32_t)required[i];
    k->local_bytes = local;
    k->arg_count = count;
    k->args = calloc(count ? count : 1, sizeof *k->args);
    return k->args && describe_arguments(k);
}

static bool has_name(const zd_module *m, const char *name)
{
    const char *at = m->names;
    for (uint32_t i = 0; i < m->name_count; i++, at += strlen(at) + 1)
        if (strcmp(at, name) == 0)
            return true;
    return false;
}

static ze_result_t kernel_create(ze_module_handle_t module, const ze_kernel_desc_t *desc,
                                 ze_kernel_handle_t *kernel)
{
    zd_module *const m = (zd_module *)module;
    const ze_result_t r = zd_enter("zeKernelCreate", module, ZD_MODULE, NULL);
    if (r != ZE_RESULT_SUCCESS)
        return r;
    if (!desc->pKernelName || !has_name(m, desc->pKernelName))
        return ZE_RESULT_ERROR_INVALID_KERNEL_NAME;
    zd_kernel *const k = zd_new(sizeof *k, ZD_KERNEL, m->o.device);
    if (!k)
        return ZE_RESULT_ERROR_OUT_OF_HOST_MEMORY;
    k->module = m;
    pthread_mutex_init(&k->setting, NULL);
    snprintf(k->name, sizeof k->name, "%s", desc->pKernelName);
    if (!open_kernel(k, k->name)) {
        if (k->kernel)
            clReleaseKernel(k->kernel);
        free(k->args);
        zd_retire(k);
        return ZE_RESULT_ERROR_UNKNOWN;
    }
    pthread_mutex_lock(&zd.lock);
    m->kernels++;
    pthread_mutex_unlock(&zd.lock);
    *kernel = (ze_kernel_handle_t)k;
    return ZE_RESULT_SUCCESS;
}

static ze_result_t kernel_destroy(ze_kernel_handle_t kernel)
{
    zd_kernel *const k = (zd_kernel *)kernel;
    const ze_result_t r = zd_enter_release("zeKernelDestroy", kernel, ZD_KERNEL);
    if (r != ZE_RESULT_SUCCESS)
        return r;
    /* A queue that is about to set arguments finishes with it first. */
    pthread_mutex_lock(&k->setting);
    zd_retire(k);
    clReleaseKernel(k->kernel);
    free(k->args);
    k->kernel = NULL;
    k->args = NULL;
    pthread_mutex_unlock(&k->setting);
    pthread_mutex_lock(&zd.lock);
    k->module->kernels--;
    pthread_mutex_unlock(&zd.lock);
    return ZE_RESULT_SUCCESS;
}

static ze_result_t set_group_size(ze_kernel_handle_t kernel, uint32_t x, uint32_t y, uint32_t z)
{
    zd_kernel *const k = (zd_kernel *)kernel;
    const uint32_t size[3] = { x, y, z };
    const ze_result_t r = zd_enter("zeKernelSetGroupSize", kernel, ZD_KERNEL, NULL);
    if (r != ZE_RESULT_SUCCESS)
        return r;
    bool good = (uint64_t)x * y * z > 0 && (uint64_t)x * y * z <= GROUP_MAX;
    for (int i = 0; i < 3; i++)
        good = good && (!k->required[0] || k->required[i] == size[i]);
    if (!good) {
        zd_complain("zeKernelSetGroupSize: %s: %u x %u x %u", k->name, (unsigned)x, (unsigned)y,
                    (unsigned)z);
        return ZE_RESULT_ERROR_INVALID_GROUP_SIZE_DIMENSION;
    }
    memcpy(k->group, size, sizeof size);
    return ZE_RESULT_SUCCESS;
}

static uint32_t divisor(uint32_t of, uint32_t most)
{
    uint32_t d = of < most ? of : most;
    while (d > 1 && of % d)
        d--;
    return d ? d : 1;
}

static ze_result_t suggest_group_size(ze_kernel_handle_t kernel, uint32_t x, uint32_t y,
                                      uint32_t z, uint32_t *sx, uint32_t *sy, uint32_t *sz)
{
    const zd_kernel *const k = (const zd_kernel *)kernel;
    const ze_result_t r = zd_enter("zeKernelSuggestGroupSize", kernel, ZD_KERNEL, NULL);
    if (r != ZE_RESULT_SUCCESS)
        return r;
    const bool any = !k->required[0];
    *sx = any ? divisor(x, 256) : k->required[0];
    *sy = any ? divisor(y, 256 / *sx) : k->required[1];
    *sz = any ? divisor(z, 256 / (*sx * *sy)) : k->required[2];
    return ZE_RESULT_SUCCESS;
}

static ze_result_t check_argument(const zd_kernel *k, uint32_t i, size_t bytes, const void *value)
{
    const zd_arg *const a = &k->args[i];
    if (a->kind == ZD_ARG_LOCAL) {
        if (!value && bytes > 0 && bytes + k->local_bytes <= LOCAL_MAX)
            return ZE_RESULT_SUCCESS;
        zd_complain("zeKernelSetArgumentValue: %s: argument %u is local memory: %zu bytes%s",
                    k->name, (unsigned)i, bytes, value ? " and a value" : "");
        return ZE_RESULT_ERROR_INVALID_ARGUMENT;
    }
    if (bytes == 0 || bytes > ZD_VALUE_MAX || (a->want && bytes != a->want) ||
        (!value && a->kind == ZD_ARG_VALUE)) {
        zd_complain("zeKernelSetArgumentValue: %s: argument %u takes %zu bytes, not %zu", k->name,
                    (unsigned)i, a->want, bytes);
        return ZE_RESULT_ERROR_INVALID_KERNEL_ARGUMENT_SIZE;
    }
    return ZE_RESULT_SUCCESS;
}

static ze_result_t set_argument(ze_kernel_handle_t kernel, uint32_t i, size_t bytes,
                                const void *value)
{
    zd_kernel *const k = (zd_kernel *)kernel;
    ze_result_t r = zd_enter("zeKernelSetArgumentValue", kernel, ZD_KERNEL, NULL);
    if (r != ZE_RESULT_SUCCESS)
        return r;
    if (i >= k->arg_count) {
        zd_complain("zeKernelSetArgumentValue: %s has %u arguments, none is %u", k->name,
                    (unsigned)k->arg_count, (unsigned)i);
        return ZE_RESULT_ERROR_INVALID_KERNEL_ARGUMENT_INDEX;
    }
    r = check_argument(k, i, bytes, value);
    if (r != ZE_RESULT_SUCCESS)
        return r;
    zd_arg *const a = &k->args[i];
    a->bytes = bytes;
    a->is_set = true;
    memset(&a->is, 0, sizeof a->is);
    if (value)
        memcpy(&a->is, value, bytes);
    return ZE_RESULT_SUCCESS;
}

/* ---- starting ---- */

static bool arguments_are_sound(const zd_kernel *k)
{
    const char *const call = "zeCommandListAppendLaunchKernel";
    uint64_t local = k->local_bytes;
    for (uint32_t i = 0; i < k->arg_count; i++) {
        const zd_arg *const a = &k->args[i];
        if (!a->is_set) {
            zd_complain("%s: %s: argument %u was not set", call, k->name, (unsigned)i);
            return false;
        }
        local += a->kind == ZD_ARG_LOCAL ? a->bytes : 0;
        pthread_mutex_lock(&zd.lock);
        const bool points = a->kind != ZD_ARG_POINTER || !a->is.pointer ||
                            zd_memory_at(a->is.pointer);
        pthread_mutex_unlock(&zd.lock);
        if (!points) {
            zd_complain("%s: %s: argument %u points to %p, where no memory is", call, k->name,
                        (unsigned)i, a->is.pointer);
            return false;
        }
    }
    if (local > LOCAL_MAX)
        zd_complain("%s: %s: %llu bytes of local memory", call, k->name,
                    (unsigned long long)local);
    return local <= LOCAL_MAX;
}

ze_result_t zd_check_launch(const zd_list *l, const zd_kernel *k, const ze_group_count_t *g)
{
    const char *const call = "zeCommandListAppendLaunchKernel";
    if (!zd_is(k, ZD_KERNEL) || k->o.device != l->o.device) {
        zd_complain("%s: not a kernel of this device", call);
        return ZE_RESULT_ERROR_INVALID_NULL_HANDLE;
    }
    if (l->is_copy_only) {
        zd_complain("%s: %s: the list only copies", call, k->name);
        return ZE_RESULT_ERROR_INVALID_COMMAND_LIST_TYPE;
    }
    if (!k->group[0] || !g->groupCountX || !g->groupCountY || !g->groupCountZ) {
        zd_complain("%s: %s: %s", call, k->name,
                    k->group[0] ? "no groups" : "the size of a group was not set");
        return ZE_RESULT_ERROR_INVALID_GROUP_SIZE_DIMENSION;
    }
    return arguments_are_sound(k) ? ZE_RESULT_SUCCESS : ZE_RESULT_ERROR_INVALID_ARGUMENT;
}

/* ---- the rest ---- */

static ze_result_t set_indirect(ze_kernel_handle_t kernel, ze_kernel_indirect_access_flags_t flags)
{
    (void)flags;
    return zd_enter("zeKernelSetIndirectAccess", kernel, ZD_KERNEL, NULL);
}

static ze_result_t set_cache(ze_kernel_handle_t kernel, ze_cache_config_flags_t flags)
{
    (void)flags;
    return zd_enter("zeKernelSetCacheConfig", kernel, ZD_KERNEL, NULL);
}

static ze_result_t kernel_properties(ze_kernel_handle_t kernel, ze_kernel_properties_t *p)
{
    const zd_kernel *const k = (const zd_kernel *)kernel;
    const ze_result_t r = zd_enter("zeKernelGetProperties", kernel, ZD_KERNEL, NULL);
    if (r != ZE_RESULT_SUCCESS)
        return r;
    p->numKernelArgs = k->arg_count;
    p->requiredGroupSizeX = k->required[0];
    p->requiredGroupSizeY = k->required[1];
    p->requiredGroupSizeZ = k->required[2];
    p->requiredNumSubGroups = p->requiredSubgroupSize = 0;
    p->maxSubgroupSize = p->maxNumSubgroups = 1;
    p->localMemSize = (uint32_t)k->local_bytes;
    p->privateMemSize = p->spillMemSize = 0;
    memset(&p->uuid, 0, sizeof p->uuid);
    return ZE_RESULT_SUCCESS;
}

static ze_result_t kernel_name(ze_kernel_handle_t kernel, size_t *bytes, char *name)
{
    const zd_kernel *const k = (const zd_kernel *)kernel;
    const ze_result_t r = zd_enter("zeKernelGetName", kernel, ZD_KERNEL, NULL);
    if (r != ZE_RESULT_SUCCESS)
        return r;
    if (name)
        snprintf(name, *bytes, "%s", k->name);
    *bytes = strlen(k->name) + 1;
    return ZE_RESULT_SUCCESS;
}

const ze_kernel_dditable_t zd_kernel_table = {
    .pfnCreate = kernel_create,
    .pfnDestroy = kernel_destroy,
    .pfnSetCacheConfig = set_cache,
    .pfnSetGroupSize = set_group_size,
    .pfnSuggestGroupSize = suggest_group_size,
    .pfnSetArgumentValue = set_argument,
    .pfnSetIndirectAccess = set_indirect,
    .pfnGetProperties = kernel_properties,
    .pfnGetName = kernel_name,
};
