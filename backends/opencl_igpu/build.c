/* SPDX-License-Identifier: Apache-2.0 */
/* Kernels from source: one program per file and options, one kernel object per use, since its
 * arguments belong to the program that runs it. */
#include "backends/opencl_igpu/opencl.h"

#include <stdio.h>
#include <string.h>

#include "backends/kernels/kernels.h"
#include "lib/base/error.h"

#define OPTIONS_MAX 512

/* The first line of the log that says something. */
static void first_line(const char *log, char *line, size_t bytes)
{
    size_t n = 0;
    log += strspn(log, " \t\r\n");
    while (log[n] && log[n] != '\n' && log[n] != '\r' && n + 1 < bytes)
        n++;
    memcpy(line, log, n);
    line[n] = 0;
}

static het_status build_failed(het__device *device, cl_program program, cl_int code,
                               const char *file, het_error *err)
{
    if (code != CL_BUILD_PROGRAM_FAILURE)
        return het__cl_failed(device, err, code, "clBuildProgram");
    size_t bytes = 0;
    char line[120] = "";
    clGetProgramBuildInfo(program, device->found.id, CL_PROGRAM_BUILD_LOG, 0, NULL, &bytes);
    char *log = het__alloc_zero(device->gpu.host.mem, bytes + 1, 1);
    if (log && clGetProgramBuildInfo(program, device->found.id, CL_PROGRAM_BUILD_LOG, bytes, log,
                                     NULL) == CL_SUCCESS)
        first_line(log, line, sizeof line);
    if (log)
        het__log_line(device->gpu.host.log, HET_LOG_DEBUG, "opencl_igpu", "%s: %s", file, log);
    het__free(device->gpu.host.mem, log);
    return het__fail_native(err, HET_E_UNSUPPORTED, code, "%.40s cannot build kernels of %s: %s",
                            device->found.info.name, file, line[0] ? line : "no reason given");
}

het_status het__cl_build_source(het__device *device, const char *file, const char *text,
                                size_t bytes, const char *options, cl_program *program,
                                het_error *err)
{
    char all[OPTIONS_MAX];
    const het__gpu_facts *f = &device->found.facts;
    const bool has_functions = strcmp(file, "dot") == 0 && f->dot == HET__GPU_DOT_KHR;
    const int n = snprintf(all, sizeof all, "-cl-std=CL%s -DHET_FP16=%d -DHET_SUBGROUP=%u "
                           "-DHET_CPU=%d %s%s", has_functions ? "3.0" : "1.2", f->fp16, f->subgroup,
                           f->is_cpu, has_functions ? "-DHET_DOT=2 " : "", options);
    if (n < 0 || (size_t)n >= sizeof all)
        return het__fail(err, HET_E_INTERNAL, "options of %s are too long", file);
    *program = het__cl_cache_load(device, all, text, bytes);
    if (*program)
        return HET_OK;
    cl_int code;
    cl_program p = clCreateProgramWithSource(device->context, 1, &text, &bytes, &code);
    if (code != CL_SUCCESS)
        return het__cl_failed(device, err, code, "clCreateProgramWithSource");
    code = clBuildProgram(p, 1, &device->found.id, all, NULL, NULL);
    if (code != CL_SUCCESS) {
        const het_status s = build_failed(device, p, code, file, err);
        clReleaseProgram(p);
        return s;
    }
    het__cl_cache_store(device, all, text, bytes, p);
    *program = p;
    return HET_OK;
}

static const het__kernel_source *source_of(const char *file)
{
    for (uint32_t i = 0; i < het__kernel_source_count; i++)
        if (strcmp(het__kernel_sources[i].name, file) == 0)
            return &het__kernel_sources[i];
    return NULL;
}

het_status het__cl_build_of(het__device *device, const char *file, const char *options,
                            cl_program *program, het_error *err)
{
    char key[OPTIONS_MAX];
    const int n = snprintf(key, sizeof key, "%s %s", file, options);
    const het__kernel_source *source = source_of(file);
    if (!source || n < 0 || (size_t)n >= sizeof key)
        return het__fail(err, HET_E_INTERNAL, "no kernels of %s", file);
    for (const het__cl_build *b = device->builds; b; b = b->next)
        if (strcmp(b->key, key) == 0) {
            *program = b->program;
            return HET_OK;
        }
    het__cl_build *b = het__alloc_zero(device->gpu.host.mem, 1, sizeof *b);
    char *copy = het__strndup(device->gpu.host.mem, key, (size_t)n);
    het_status s = b && copy ? HET_OK : het__fail_nomem(err, "a kernel");
    if (s == HET_OK)
        s = het__cl_build_source(device, file, source->text, source->bytes, options, program, err);
    if (s != HET_OK) {
        het__free(device->gpu.host.mem, copy);
        het__free(device->gpu.host.mem, b);
        return s;
    }
    *b = (het__cl_build){ device->builds, copy, *program };
    device->builds = b;
    return HET_OK;
}
