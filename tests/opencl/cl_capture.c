/* SPDX-License-Identifier: Apache-2.0 */
/* The library's kernels through the compiler and the queue of whatever OpenCL driver is there: each
 * set of options is built with and without half precision and subgroups, where the device has them,
 * and every kernel of it is made, given arguments and enqueued.
 *
 * Usage: cl_capture [--seconds N] OPTIONS.txt
 *     --seconds  take sets spread over the list until the time is up
 * Meant for a driver that only records what it is given (tests/drivers/level_zero/capture.sh):
 * arguments are memory and small numbers of the right types and mean nothing. What is shown is
 * that the driver takes every kernel, and NOTHING about what it computes. */
#define CL_TARGET_OPENCL_VERSION 120
#include <CL/cl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "backends/kernels/kernels.h"
#include "lib/base/os.h"
#include "test.h"

#define SETS_MAX 1000
#define BUFFER_BYTES ((size_t)1 << 20)
#define LOCAL_BYTES 1024

static cl_device_id device;
static cl_context context;
static cl_command_queue queue;
static cl_mem buffer;
static char sets[SETS_MAX][320];
static uint32_t set_count, built, enqueued;

/* ---- a device ---- */

static bool find_device(void)
{
    cl_platform_id platforms[8];
    cl_uint count = 0;
    cl_int code;
    if (clGetPlatformIDs(8, platforms, &count) != CL_SUCCESS)
        return false;
    for (cl_uint i = 0; !device && i < count && i < 8; i++)
        if (clGetDeviceIDs(platforms[i], CL_DEVICE_TYPE_GPU, 1, &device, NULL) != CL_SUCCESS)
            device = NULL;
    if (!device)
        return false;
    context = clCreateContext(NULL, 1, &device, NULL, NULL, &code);
    queue = context ? clCreateCommandQueue(context, device, 0, &code) : NULL;
    buffer = queue ? clCreateBuffer(context, CL_MEM_READ_WRITE, BUFFER_BYTES, NULL, &code) : NULL;
    CHECK(buffer != NULL);
    return buffer != NULL;
}

static bool has(const char *extension)
{
    static char list[8192];
    return clGetDeviceInfo(device, CL_DEVICE_EXTENSIONS, sizeof list - 1, list, NULL) ==
               CL_SUCCESS && strstr(list, extension) != NULL;
}

/* ---- one set of options ---- */

/* "matvec HET_W=1 EMBED": the file, and -D before each of the rest. */
static const het__kernel_source *split_set(const char *set, char *options, size_t bytes)
{
    const size_t length = strcspn(set, " ");
    size_t used = 0;
    options[0] = 0;
    for (const char *at = set + length; *at;) {
        at += strspn(at, " ");
        const size_t n = strcspn(at, " ");
        if (n > 0 && used + n + 4 < bytes)
            used += (size_t)snprintf(options + used, bytes - used, " -D%.*s", (int)n, at);
        at += n;
    }
    for (uint32_t i = 0; i < het__kernel_source_count; i++)
        if (strlen(het__kernel_sources[i].name) == length &&
            memcmp(het__kernel_sources[i].name, set, length) == 0)
            return &het__kernel_sources[i];
    return NULL;
}

static size_t size_of(const char *type)
{
    static const struct { const char *name; size_t bytes; } types[] = {
        { "long", 8 }, { "ulong", 8 }, { "int", 4 }, { "uint", 4 }, { "float", 4 }, { "short", 2 },
        { "ushort", 2 }, { "half", 2 }, { "char", 1 }, { "uchar", 1 }, { "int4", 16 },
        { "float4", 16 }, { "long4", 32 }, { "int2", 8 }, { "int8", 32 }, { "long8", 64 },
        { "uint4", 16 },
    };
    for (size_t i = 0; i < sizeof types / sizeof *types; i++)
        if (strcmp(types[i].name, type) == 0)
            return types[i].bytes;
    return 0;
}

/* Sizes of structures are asked for by trying: the driver refuses a wrong one. */
static cl_int set_value(cl_kernel kernel, cl_uint index, const char *type)
{
    static const unsigned char zeros[512];
    const size_t bytes = size_of(type);
    if (bytes)
        return clSetKernelArg(kernel, index, bytes, zeros);
    for (size_t guess = 4; guess <= sizeof zeros; guess += 4)
        if (clSetKernelArg(kernel, index, guess, zeros) == CL_SUCCESS)
            return CL_SUCCESS;
    return CL_INVALID_ARG_SIZE;
}

static cl_int set_argument(cl_kernel kernel, cl_uint index)
{
    cl_kernel_arg_address_qualifier where = 0;
    char type[64] = "";
    clGetKernelArgInfo(kernel, index, CL_KERNEL_ARG_ADDRESS_QUALIFIER, sizeof where, &where, NULL);
    clGetKernelArgInfo(kernel, index, CL_KERNEL_ARG_TYPE_NAME, sizeof type - 1, type, NULL);
    if (where == CL_KERNEL_ARG_ADDRESS_GLOBAL || where == CL_KERNEL_ARG_ADDRESS_CONSTANT)
        return clSetKernelArg(kernel, index, sizeof buffer, &buffer);
    return where == CL_KERNEL_ARG_ADDRESS_LOCAL
               ? clSetKernelArg(kernel, index, LOCAL_BYTES, NULL) : set_value(kernel, index, type);
}

static void enqueue(const char *set, cl_kernel kernel)
{
    char name[96] = "";
    cl_uint count = 0;
    size_t group[3] = { 0, 0, 0 };
    cl_int code = clGetKernelInfo(kernel, CL_KERNEL_NUM_ARGS, sizeof count, &count, NULL);
    clGetKernelInfo(kernel, CL_KERNEL_FUNCTION_NAME, sizeof name - 1, name, NULL);
    for (cl_uint i = 0; code == CL_SUCCESS && i < count; i++)
        code = set_argument(kernel, i);
    clGetKernelWorkGroupInfo(kernel, device, CL_KERNEL_COMPILE_WORK_GROUP_SIZE, sizeof group,
                             group, NULL);
    const bool is_fixed = group[0] * group[1] * group[2] > 0;
    const size_t any[3] = { 16, 1, 1 };
    if (code == CL_SUCCESS)
        code = clEnqueueNDRangeKernel(queue, kernel, 3, NULL, is_fixed ? group : any,
                                      is_fixed ? group : any, 0, NULL, NULL);
    if (code != CL_SUCCESS)
        TEST_FAIL("%s: %s: code %d", set, name, code);
    enqueued += code == CL_SUCCESS;
}

static void tell_log(const char *set, const char *options, cl_program program)
{
    static char log[4096];
    clGetProgramBuildInfo(program, device, CL_PROGRAM_BUILD_LOG, sizeof log - 1, log, NULL);
    TEST_FAIL("%s (%s) does not build: %s", set, options, log);
}

static void run_set(const char *set, bool fp16, uint32_t subgroup)
{
    char own[400], options[512];
    cl_kernel kernels[64];
    cl_uint count = 0;
    cl_int code;
    const het__kernel_source *source = split_set(set, own, sizeof own);
    CHECK(source != NULL);
    if (!source)
        return;
    snprintf(options, sizeof options, "-cl-std=CL1.2 -cl-kernel-arg-info -DHET_FP16=%d "
             "-DHET_SUBGROUP=%u -DHET_CPU=0%s", fp16, subgroup, own);
    cl_program p = clCreateProgramWithSource(context, 1, &(const char *){ source->text },
                                             &source->bytes, &code);
    CHECK(p != NULL);
    if (clBuildProgram(p, 1, &device, options, NULL, NULL) != CL_SUCCESS)
        tell_log(set, options, p);
    else if (clCreateKernelsInProgram(p, 64, kernels, &count) != CL_SUCCESS || count == 0)
        TEST_FAIL("%s: no kernels", set);
    built += count > 0;
    for (cl_uint i = 0; i < count; i++) {
        enqueue(set, kernels[i]);
        clReleaseKernel(kernels[i]);
    }
    CHECK_INT(clFinish(queue), CL_SUCCESS);
    clReleaseProgram(p);
}

static void read_sets(const char *path)
{
    FILE *f = fopen(path, "r");
    CHECK(f != NULL);
    while (f && set_count < SETS_MAX && fgets(sets[set_count], sizeof sets[0], f)) {
        sets[set_count][strcspn(sets[set_count], "\n")] = 0;
        set_count += sets[set_count][0] && sets[set_count][0] != '#';
    }
    if (f)
        fclose(f);
}

int main(int argc, char **argv)
{
    double seconds = 1e9;
    int at = 1;
    if (argc > 2 && strcmp(argv[1], "--seconds") == 0) {
        seconds = strtod(argv[2], NULL);
        at = 3;
    }
    if (at + 1 != argc)
        return 2;
    if (getenv("HETINFER_TEST_LONG"))
        seconds = 1e9;
    if (!find_device())
        test_skip("no OpenCL driver offers a GPU");
    char name[128] = "";
    clGetDeviceInfo(device, CL_DEVICE_NAME, sizeof name - 1, name, NULL);
    read_sets(argv[at]);
    const bool fp16 = has("cl_khr_fp16"), groups = has("cl_intel_required_subgroup_size");
    const uint64_t begin = het__now_ns();
    uint32_t taken = 0;
    /* A step that has no divisor in common with the count reaches all, and few are spread. */
    for (uint32_t i = 0; i < set_count; i++) {
        if ((double)(het__now_ns() - begin) * 1e-9 > seconds)
            break;
        const char *set = sets[(uint64_t)i * 101 % set_count];
        run_set(set, fp16, groups ? 16 : 0);
        if (fp16 || groups)
            run_set(set, false, 0);
        taken++;
    }
    printf("%s: %u of %u sets, %u programs built, %u kernels enqueued; a driver that records "
           "executes NOTHING\n", name, taken, set_count, built, enqueued);
    CHECK(enqueued > 0);
    clReleaseMemObject(buffer);
    clReleaseCommandQueue(queue);
    clReleaseContext(context);
    return test_finish();
}
