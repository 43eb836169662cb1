/* SPDX-License-Identifier: Apache-2.0 */
/* Modules: from SPIR-V or from a native binary, which is the translated code behind a header that
 * says which driver it belongs to. Programs of equal keys are compiled once in a process. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "driver.h"

#define NATIVE_MAGIC "HETZEBIN"

typedef struct native_head {
    char magic[8];
    uint32_t driver_version, zero;
    zd_key key;     /* of the SPIR-V and its constants */
    zd_key content; /* of the bitcode */
    uint64_t bytes; /* of the bitcode, which follows */
} native_head;

typedef struct program {
    struct program *next;
    zd_key key;
    cl_program program;
} program;

typedef struct build_log {
    zd_object o;
    char text[1400];
} build_log;

static program *programs; /* zd.lock; kept until the end */
static pthread_mutex_t building = PTHREAD_MUTEX_INITIALIZER;

/* ---- programs ---- */

static cl_program find_program(const zd_key *key)
{
    const program *p = programs;
    while (p && (p->key.a != key->a || p->key.b != key->b))
        p = p->next;
    return p ? p->program : NULL;
}

static cl_program build(const void *bitcode, size_t bytes, char *log, size_t log_bytes)
{
    const unsigned char *code = bitcode;
    cl_int status = CL_SUCCESS, status_of_binary = CL_SUCCESS;
    cl_program p = clCreateProgramWithBinary(zd.cl, 1, &zd.cl_device, &bytes, &code,
                                             &status_of_binary, &status);
    if (status != CL_SUCCESS) {
        snprintf(log, log_bytes, "PoCL refuses the code: %d", (int)status);
        return NULL;
    }
    status = clBuildProgram(p, 1, &zd.cl_device, "-x spir -spir-std=1.2 -cl-kernel-arg-info", NULL,
                            NULL);
    if (status != CL_SUCCESS) {
        const int n = snprintf(log, log_bytes, "PoCL: %d: ", (int)status);
        clGetProgramBuildInfo(p, zd.cl_device, CL_PROGRAM_BUILD_LOG, log_bytes - (size_t)n,
                              log + n, NULL);
        clReleaseProgram(p);
        return NULL;
    }
    return p;
}

/* The program of the module's key, built if it is the first with that key. */
static bool get_program(zd_module *m, char *log, size_t log_bytes)
{
    pthread_mutex_lock(&building);
    m->program = find_program(&m->key);
    if (!m->program) {
        program *const p = calloc(1, sizeof *p);
        m->program = p ? build(m->bitcode, m->bitcode_bytes, log, log_bytes) : NULL;
        if (m->program) {
            *p = (program){ .next = programs, .key = m->key, .program = m->program };
            programs = p;
        } else {
            free(p);
        }
    }
    pthread_mutex_unlock(&building);
    return m->program != NULL;
}

static bool read_names(zd_module *m)
{
    size_t bytes = 0;
    if (clGetProgramInfo(m->program, CL_PROGRAM_KERNEL_NAMES, 0, NULL, &bytes) != CL_SUCCESS ||
        !(m->names = malloc(bytes + 1)) ||
        clGetProgramInfo(m->program, CL_PROGRAM_KERNEL_NAMES, bytes, m->names, NULL) != CL_SUCCESS)
        return false;
    m->names[bytes] = '\0';
    m->name_count = m->names[0] != '\0';
    for (char *c = m->names; *c; c++)
        if (*c == ';') {
            *c = '\0';
            m->name_count++;
        }
    return true;
}

/* ---- binaries ---- */

/* False: not a binary of this driver. */
static bool read_native(zd_module *m, const void *data, size_t bytes)
{
    native_head h;
    zd_key content = { 0, 0 };
    if (bytes < sizeof h)
        return false;
    memcpy(&h, data, sizeof h);
    const uint8_t *const bitcode = (const uint8_t *)data + sizeof h;
    if (memcmp(h.magic, NATIVE_MAGIC, sizeof h.magic) != 0 || h.driver_version != zd.version ||
        h.bytes != bytes - sizeof h)
        return false;
    zd_hash(&content, bitcode, h.bytes);
    if (content.a != h.content.a || content.b != h.content.b)
        return false;
    m->key = h.key;
    m->bitcode_bytes = h.bytes;
    m->bitcode = malloc(h.bytes);
    if (m->bitcode)
        memcpy(m->bitcode, bitcode, h.bytes);
    return m->bitcode != NULL;
}

static ze_result_t get_native(ze_module_handle_t module, size_t *bytes, uint8_t *data)
{
    const zd_module *const m = (const zd_module *)module;
    const ze_result_t r = zd_enter("zeModuleGetNativeBinary", module, ZD_MODULE, NULL);
    if (r != ZE_RESULT_SUCCESS)
        return r;
    native_head h = { .magic = NATIVE_MAGIC, .driver_version = zd.version, .key = m->key,
                      .bytes = m->bitcode_bytes };
    const size_t all = sizeof h + m->bitcode_bytes;
    if (data && *bytes < all) {
        zd_complain("zeModuleGetNativeBinary: %zu bytes for %zu", *bytes, all);
        return ZE_RESULT_ERROR_INVALID_SIZE;
    }
    *bytes = all;
    if (!data)
        return ZE_RESULT_SUCCESS;
    zd_hash(&h.content, m->bitcode, m->bitcode_bytes);
    memcpy(data, &h, sizeof h);
    memcpy(data + sizeof h, m->bitcode, m->bitcode_bytes);
    return ZE_RESULT_SUCCESS;
}

/* ---- modules ---- */

static void free_module(zd_module *m)
{
    free(m->bitcode);
    free(m->names);
    m->bitcode = NULL;
    m->names = NULL;
}

static void count_module(bool is_native)
{
    pthread_mutex_lock(&zd.lock);
    zd.counters.natives += is_native;
    zd.counters.translations += !is_native;
    pthread_mutex_unlock(&zd.lock);
}

static ze_result_t fill_module(zd_module *m, const ze_module_desc_t *desc, char *log,
                               size_t log_bytes)
{
    const bool is_native = desc->format == ZE_MODULE_FORMAT_NATIVE;
    if (desc->pBuildFlags && desc->pBuildFlags[0] && desc->pBuildFlags[0] != '-')
        zd_complain("zeModuleCreate: build flags \"%s\"", desc->pBuildFlags);
    if (is_native) {
        if (!read_native(m, desc->pInputModule, desc->inputSize)) {
            snprintf(log, log_bytes, "not a binary of this driver");
            return ZE_RESULT_ERROR_INVALID_NATIVE_BINARY;
        }
    } else {
        m->bitcode = zd_translate(desc->pInputModule, desc->inputSize, desc->pConstants, &m->key,
                                  &m->bitcode_bytes, log, log_bytes);
        if (!m->bitcode)
            return ZE_RESULT_ERROR_MODULE_BUILD_FAILURE;
    }
    if (!get_program(m, log, log_bytes) || !read_names(m))
        return ZE_RESULT_ERROR_MODULE_BUILD_FAILURE;
    count_module(is_native);
    return ZE_RESULT_SUCCESS;
}

static ze_result_t module_create(ze_context_handle_t context, ze_device_handle_t device,
                                 const ze_module_desc_t *desc, ze_module_handle_t *module,
                                 ze_module_build_log_handle_t *log)
{
    char text[1400] = "";
    ze_result_t r = zd_enter("zeModuleCreate", context, ZD_CONTEXT, device);
    if (log)
        *log = NULL;
    if (r == ZE_RESULT_SUCCESS) {
        zd_module *const m = zd_new(sizeof *m, ZD_MODULE, (zd_device *)device);
        if (!m)
            return ZE_RESULT_ERROR_OUT_OF_HOST_MEMORY;
        m->context = (zd_context *)context;
        r = fill_module(m, desc, text, sizeof text);
        if (r == ZE_RESULT_SUCCESS) {
            *module = (ze_module_handle_t)m;
        } else {
            free_module(m);
            zd_retire(m);
        }
    }
    build_log *const l = log ? zd_new(sizeof *l, ZD_BUILD_LOG, (zd_device *)device) : NULL;
    if (l) {
        memcpy(l->text, text, sizeof text);
        *log = (ze_module_build_log_handle_t)l;
    }
    return r;
}

static ze_result_t module_destroy(ze_module_handle_t module)
{
    zd_module *const m = (zd_module *)module;
    const ze_result_t r = zd_enter_release("zeModuleDestroy", module, ZD_MODULE);
    if (r != ZE_RESULT_SUCCESS)
        return r;
    if (m->kernels) {
        zd_complain("zeModuleDestroy: %u kernel(s) left", (unsigned)m->kernels);
        return ZE_RESULT_ERROR_HANDLE_OBJECT_IN_USE;
    }
    free_module(m);
    zd_retire(m);
    return ZE_RESULT_SUCCESS;
}

static ze_result_t kernel_names(ze_module_handle_t module, uint32_t *count, const char **names)
{
    const zd_module *const m = (const zd_module *)module;
    const ze_result_t r = zd_enter("zeModuleGetKernelNames", module, ZD_MODULE, NULL);
    if (r != ZE_RESULT_SUCCESS)
        return r;
    const char *name = m->names;
    for (uint32_t i = 0; names && i < *count && i < m->name_count; i++) {
        names[i] = name;
        name += strlen(name) + 1;
    }
    if (!names || !*count || *count > m->name_count)
        *count = m->name_count;
    return ZE_RESULT_SUCCESS;
}

static ze_result_t module_flags(ze_module_handle_t module, ze_module_properties_t *p)
{
    const ze_result_t r = zd_enter("zeModuleGetProperties", module, ZD_MODULE, NULL);
    if (r == ZE_RESULT_SUCCESS)
        p->flags = 0;
    return r;
}

static ze_result_t log_destroy(ze_module_build_log_handle_t log)
{
    const ze_result_t r = zd_enter_release("zeModuleBuildLogDestroy", log, ZD_BUILD_LOG);
    if (r == ZE_RESULT_SUCCESS)
        zd_retire(log);
    return r;
}

static ze_result_t log_string(ze_module_build_log_handle_t log, size_t *bytes, char *text)
{
    const build_log *const l = (const build_log *)log;
    const ze_result_t r = zd_enter_release("zeModuleBuildLogGetString", log, ZD_BUILD_LOG);
    if (r != ZE_RESULT_SUCCESS)
        return r;
    if (text && *bytes > 0)
        snprintf(text, *bytes, "%s", l->text);
    *bytes = strlen(l->text) + 1;
    return ZE_RESULT_SUCCESS;
}

const ze_module_dditable_t zd_module_table = {
    .pfnCreate = module_create,
    .pfnDestroy = module_destroy,
    .pfnGetNativeBinary = get_native,
    .pfnGetKernelNames = kernel_names,
    .pfnGetProperties = module_flags,
};

const ze_module_build_log_dditable_t zd_build_log_table = {
    .pfnDestroy = log_destroy,
    .pfnGetString = log_string,
};
