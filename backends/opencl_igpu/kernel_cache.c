/* SPDX-License-Identifier: Apache-2.0 */
/* Programs kept from one start to the next (backends/gpu/cache.h): what a binary of OpenCL depends
 * on, and how it becomes a program again. */
#include "backends/opencl_igpu/opencl.h"

#include "backends/gpu/cache.h"

#define FOLDER "opencl"

static het__hash128 key_of(const het__device *device, const char *options, const char *text,
                           size_t bytes)
{
    char vendor[256] = "", version[256] = "", platform[256] = "";
    clGetDeviceInfo(device->found.id, CL_DEVICE_VENDOR, sizeof vendor - 1, vendor, NULL);
    clGetDeviceInfo(device->found.id, CL_DEVICE_VERSION, sizeof version - 1, version, NULL);
    clGetPlatformInfo(device->found.platform, CL_PLATFORM_VERSION, sizeof platform - 1, platform,
                      NULL);
    het__hash128 key = het__hash128_of(text, bytes);
    het__gpu_cache_text(&key, options);
    het__gpu_cache_text(&key, vendor);
    het__gpu_cache_text(&key, version);
    het__gpu_cache_text(&key, platform);
    het__gpu_cache_text(&key, device->found.info.name);
    het__gpu_cache_text(&key, device->found.info.driver);
    return key;
}

static bool keeps(const het__device *device)
{
    return device->gpu.host.cache_folder && device->found.keeps_binaries;
}

cl_program het__cl_cache_load(het__device *device, const char *options, const char *text,
                              size_t bytes)
{
    if (!keeps(device))
        return NULL;
    const het__hash128 key = key_of(device, options, text, bytes);
    size_t length = 0;
    unsigned char *binary = het__gpu_cache_read(&device->gpu.host, FOLDER, &key, &length);
    if (!binary)
        return NULL;
    cl_int code, state;
    const unsigned char *data = binary;
    cl_program p = clCreateProgramWithBinary(device->context, 1, &device->found.id, &length, &data,
                                             &state, &code);
    het__free(device->gpu.host.mem, binary);
    if (code != CL_SUCCESS)
        return NULL;
    if (state == CL_SUCCESS &&
        clBuildProgram(p, 1, &device->found.id, options, NULL, NULL) == CL_SUCCESS) {
        device->loaded_count++;
        return p;
    }
    clReleaseProgram(p);
    return NULL;
}

/* The driver's binary behind its room, to be freed. */
static unsigned char *binary_of(het__device *device, cl_program program, size_t *bytes)
{
    if (clGetProgramInfo(program, CL_PROGRAM_BINARY_SIZES, sizeof *bytes, bytes, NULL) !=
            CL_SUCCESS || *bytes == 0 || *bytes > HET__GPU_BINARY_MAX)
        return NULL;
    unsigned char *data = het__alloc(device->gpu.host.mem, HET__GPU_BINARY_ROOM + *bytes);
    unsigned char *at = data ? data + HET__GPU_BINARY_ROOM : NULL;
    if (data && clGetProgramInfo(program, CL_PROGRAM_BINARIES, sizeof at, &at, NULL) == CL_SUCCESS)
        return data;
    het__free(device->gpu.host.mem, data);
    return NULL;
}

void het__cl_cache_store(het__device *device, const char *options, const char *text, size_t bytes,
                         cl_program program)
{
    size_t length = 0;
    unsigned char *data = keeps(device) ? binary_of(device, program, &length) : NULL;
    if (data) {
        const het__hash128 key = key_of(device, options, text, bytes);
        het__gpu_cache_write(&device->gpu.host, FOLDER, &key, data, length);
    }
    het__free(device->gpu.host.mem, data);
}
