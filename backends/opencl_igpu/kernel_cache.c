/* SPDX-License-Identifier: Apache-2.0 */
/* Compiled kernels kept from one start to the next: one file per program in the cache folder.
 *
 *     [ mark 8 | key 16 | bytes 8 | check 8 | the driver's binary ]
 *
 * The key stands for everything that the binary depends on: device, driver, options and source. A
 * file that does not fit, for whatever reason, is as good as none and is written again. Nothing
 * here fails: without a cache kernels are built. */
#include "backends/opencl_igpu/opencl.h"

#include <stdio.h>
#include <string.h>

#include "lib/base/error.h"
#include "lib/base/file.h"

#define MARK "hetclk1"
/* More than any driver's binary of ours; less than would hurt. */
#define BINARY_MAX ((uint64_t)256 << 20)

typedef struct header {
    char mark[8];
    het__hash128 key;
    uint64_t bytes, check;
} header;

static void add_text(het__hash128 *key, const char *text)
{
    het__hash128_add(key, text, strlen(text) + 1);
}

static het__hash128 key_of(const het__device *device, const char *options, const char *text,
                           size_t bytes)
{
    char vendor[256] = "", version[256] = "", platform[256] = "";
    clGetDeviceInfo(device->found.id, CL_DEVICE_VENDOR, sizeof vendor - 1, vendor, NULL);
    clGetDeviceInfo(device->found.id, CL_DEVICE_VERSION, sizeof version - 1, version, NULL);
    clGetPlatformInfo(device->found.platform, CL_PLATFORM_VERSION, sizeof platform - 1, platform,
                      NULL);
    het__hash128 key = het__hash128_of(text, bytes);
    add_text(&key, options);
    add_text(&key, vendor);
    add_text(&key, version);
    add_text(&key, platform);
    add_text(&key, device->found.info.name);
    add_text(&key, device->found.info.driver);
    return key;
}

/* "FOLDER/opencl/KEY.bin", or NULL. */
static char *path_of(const het__device *device, const het__hash128 *key, bool make)
{
    char hex[HET__HASH_HEX], name[HET__HASH_HEX + 4];
    het__mem *mem = device->gpu.host.mem;
    if (!device->gpu.host.cache_folder || !device->found.keeps_binaries)
        return NULL;
    char *folder = het__path_join(mem, device->gpu.host.cache_folder, "opencl");
    if (folder && make && het__folder_make(mem, folder, NULL) != HET_OK) {
        het__free(mem, folder);
        return NULL;
    }
    het__hash128_hex(key, hex);
    snprintf(name, sizeof name, "%s.bin", hex);
    char *path = folder ? het__path_join(mem, folder, name) : NULL;
    het__free(mem, folder);
    return path;
}

/* The binary of a file that fits, to be freed. */
static unsigned char *read_binary(het__device *device, const char *path, const het__hash128 *key,
                                  size_t *bytes)
{
    het__file file;
    header h;
    unsigned char *binary = NULL;
    if (het__file_open(path, &file, NULL) != HET_OK || file.fd < 0)
        return NULL;
    if (het__file_read(&file, 0, &h, sizeof h) && memcmp(h.mark, MARK, sizeof h.mark) == 0 &&
        memcmp(&h.key, key, sizeof h.key) == 0 && h.bytes > 0 && h.bytes <= BINARY_MAX &&
        file.bytes == sizeof h + h.bytes)
        binary = het__alloc(device->gpu.host.mem, (size_t)h.bytes);
    if (binary && (!het__file_read(&file, sizeof h, binary, (size_t)h.bytes) ||
                   het__hash64(binary, (size_t)h.bytes, 0) != h.check)) {
        het__free(device->gpu.host.mem, binary);
        binary = NULL;
    }
    het__file_close(&file);
    *bytes = binary ? (size_t)h.bytes : 0;
    return binary;
}

cl_program het__cl_cache_load(het__device *device, const char *options, const char *text,
                              size_t bytes)
{
    const het__hash128 key = key_of(device, options, text, bytes);
    char *path = path_of(device, &key, false);
    if (!path)
        return NULL;
    size_t length = 0;
    unsigned char *binary = read_binary(device, path, &key, &length);
    het__free(device->gpu.host.mem, path);
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

/* The driver's binary behind room for the header, to be freed. */
static unsigned char *binary_of(het__device *device, cl_program program, size_t *bytes)
{
    if (clGetProgramInfo(program, CL_PROGRAM_BINARY_SIZES, sizeof *bytes, bytes, NULL) !=
            CL_SUCCESS || *bytes == 0 || *bytes > BINARY_MAX)
        return NULL;
    unsigned char *data = het__alloc(device->gpu.host.mem, sizeof(header) + *bytes);
    unsigned char *at = data ? data + sizeof(header) : NULL;
    if (data && clGetProgramInfo(program, CL_PROGRAM_BINARIES, sizeof at, &at, NULL) == CL_SUCCESS)
        return data;
    het__free(device->gpu.host.mem, data);
    return NULL;
}

void het__cl_cache_store(het__device *device, const char *options, const char *text, size_t bytes,
                         cl_program program)
{
    header h = { .mark = MARK, .key = key_of(device, options, text, bytes) };
    het_error err = HET_ERROR_INIT;
    size_t length = 0;
    char *path = path_of(device, &h.key, true);
    unsigned char *data = path ? binary_of(device, program, &length) : NULL;
    if (data) {
        h.bytes = length;
        h.check = het__hash64(data + sizeof h, length, 0);
        memcpy(data, &h, sizeof h);
        if (het__file_replace(device->gpu.host.mem, path, data, sizeof h + length, &err) != HET_OK)
            het__log_line(device->gpu.host.log, HET_LOG_DEBUG, "opencl_igpu", "not kept: %s",
                          err.message);
    }
    het__free(device->gpu.host.mem, data);
    het__free(device->gpu.host.mem, path);
}
