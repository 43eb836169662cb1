/* SPDX-License-Identifier: Apache-2.0 */
/* Products in 8 bits (backends/kernels/dot.cl) on PoCL: rows become the codes that they should;
 * sums are what these codes and the decoded weights come to, for every type of blocks; and with a
 * function that takes four codes at once, as Intel's compiler has it, the results have the same
 * bits as in plain C. Matrix instructions are single products here: what a lane gives and gets is
 * as they have it. */
#define CL_TARGET_OPENCL_VERSION 120
#define CL_USE_DEPRECATED_OPENCL_1_2_APIS
#include <CL/cl.h>
#include <math.h>

#include "backends/kernels/kernels.h"
#include "random_weights.h"

enum { INNER = 512, COLUMNS = 70, ROWS = 5, BLOCKS = ROWS * INNER / 32 };

static const het_dtype types[] = {
    HET_DTYPE_Q4_0, HET_DTYPE_Q4_1, HET_DTYPE_Q5_0, HET_DTYPE_Q5_1, HET_DTYPE_Q8_0, HET_DTYPE_Q2_K,
    HET_DTYPE_Q3_K, HET_DTYPE_Q4_K, HET_DTYPE_Q5_K, HET_DTYPE_Q6_K, HET_DTYPE_IQ4_NL,
    HET_DTYPE_IQ4_XS, HET_DTYPE_MXFP4,
};
enum { TYPES = sizeof types / sizeof types[0] };

/* Made of shifts, so that nothing but the results is common with what stands in the kernels. */
static const char function[] =
    "int __builtin_IB_dp4a_ss(int sum, int a, int b)\n"
    "{\n"
    "    for (int at = 24; at >= 0; at -= 8)\n"
    "        sum += (a << at >> 24) * (b << at >> 24);\n"
    "    return sum;\n"
    "}\n";

static cl_context context;
static cl_device_id device;
static cl_command_queue queue;
static float x[ROWS * INNER];
static int8_t codes[ROWS * INNER];
static int32_t marks[2 * BLOCKS];
static uint64_t seed = 20261122;

static void open_device(void)
{
    cl_platform_id platforms[16];
    cl_uint count = 0;
    if (clGetPlatformIDs(16, platforms, &count) != CL_SUCCESS)
        count = 0;
    for (cl_uint i = 0; i < count && i < 16 && !device; i++) {
        char name[64] = "";
        clGetPlatformInfo(platforms[i], CL_PLATFORM_NAME, sizeof name, name, NULL);
        if (strncmp(name, "Portable", 8) != 0 ||
            clGetDeviceIDs(platforms[i], CL_DEVICE_TYPE_CPU, 1, &device, NULL) != CL_SUCCESS)
            device = NULL;
    }
    if (!device)
        test_skip("no PoCL");
    context = clCreateContext(NULL, 1, &device, NULL, NULL, NULL);
    queue = clCreateCommandQueue(context, device, 0, NULL);
    CHECK(context && queue);
}

static cl_kernel make(const char *name, const char *options, bool has_function)
{
    const char *text[2] = { has_function ? function : "", NULL };
    size_t bytes[2] = { strlen(text[0]), 0 };
    for (uint32_t i = 0; i < het__kernel_source_count; i++)
        if (strcmp(het__kernel_sources[i].name, "dot") == 0) {
            text[1] = het__kernel_sources[i].text;
            bytes[1] = het__kernel_sources[i].bytes;
        }
    char all[300];
    snprintf(all, sizeof all, "-cl-std=CL1.2 -DHET_CPU=0 -DHET_DOT=%d %s", has_function, options);
    cl_program p = clCreateProgramWithSource(context, 2, text, bytes, NULL);
    const cl_int code = clBuildProgram(p, 1, &device, all, NULL, NULL);
    CHECK_INT(code, CL_SUCCESS);
    cl_kernel k = code == CL_SUCCESS ? clCreateKernel(p, name, NULL) : NULL;
    clReleaseProgram(p);
    return k;
}

static cl_mem memory(const void *data, size_t bytes)
{
    return clCreateBuffer(context, CL_MEM_READ_WRITE | (data ? CL_MEM_COPY_HOST_PTR : 0), bytes,
                          (void *)(uintptr_t)data, NULL);
}

static void set_memory(cl_kernel k, cl_uint index, cl_mem mem)
{
    const cl_ulong at = 0;
    CHECK_INT(clSetKernelArg(k, index, sizeof mem, &mem), CL_SUCCESS);
    CHECK_INT(clSetKernelArg(k, index + 1, sizeof at, &at), CL_SUCCESS);
}

static void set_int(cl_kernel k, cl_uint index, cl_int value)
{
    CHECK_INT(clSetKernelArg(k, index, sizeof value, &value), CL_SUCCESS);
}

static void start(cl_kernel k, size_t gx, size_t gy, size_t lx, size_t ly)
{
    const size_t global[3] = { gx, gy, 1 }, local[3] = { lx, ly, 1 };
    CHECK_INT(clEnqueueNDRangeKernel(queue, k, 3, NULL, global, local, 0, NULL, NULL), CL_SUCCESS);
    CHECK_INT(clFinish(queue), CL_SUCCESS);
}

/* ---- rows ---- */

static void rounding(void)
{
    for (int i = 0; i < ROWS * INNER; i++)
        x[i] = test_random_float(&seed) * (float)(1 << i / 32 % 9);
    for (int i = 0; i < 32; i++)
        x[32 + i] = 0.0f;
    x[2 * 32 + 5] = NAN;
    cl_mem from = memory(x, sizeof x), to = memory(NULL, sizeof codes),
           mark = memory(NULL, sizeof marks);
    cl_kernel k = make("dot_round", "-DKIND=0", false);
    if (k) {
        set_memory(k, 0, from);
        set_memory(k, 2, to);
        set_memory(k, 4, mark);
        set_int(k, 6, BLOCKS);
        start(k, (BLOCKS + 63) / 64 * 64, 1, 64, 1);
        clReleaseKernel(k);
    }
    clEnqueueReadBuffer(queue, to, CL_TRUE, 0, sizeof codes, codes, 0, NULL, NULL);
    clEnqueueReadBuffer(queue, mark, CL_TRUE, 0, sizeof marks, marks, 0, NULL, NULL);
    for (int b = 0; b < BLOCKS; b++) {
        float scale, largest = 0.0f;
        int sums[2] = { 0, 0 };
        memcpy(&scale, &marks[2 * b], 4);
        for (int i = 0; i < 32; i++) {
            const float v = x[32 * b + i];
            largest = fmaxf(largest, fabsf(v));
            sums[i / 16] += codes[32 * b + i];
            if (b != 2)
                CHECK(fabsf((float)codes[32 * b + i] * scale - v) <= 0.5001f * scale);
        }
        CHECK(b == 2 ? isnan(scale) : fabsf(scale * 127.0f - largest) <= 1e-6f * largest);
        CHECK_INT((int16_t)(marks[2 * b + 1] & 0xffff), sums[0]);
        CHECK_INT(marks[2 * b + 1] >> 16, sums[1]);
    }
    const float one = 1.0f; /* the rest is compared by numbers */
    memcpy(&marks[2 * 2], &one, 4);
    clReleaseMemObject(from);
    clReleaseMemObject(to);
    clReleaseMemObject(mark);
}

/* ---- products ---- */

typedef enum way { VEC, TILE, MATRIX } way;

static const struct {
    const char *kernel, *options;
    size_t group_x, group_y, columns, rows; /* items of a group; what it makes */
} ways[] = {
    [VEC] = { "dot_vec", "-DKIND=1 -DTOKENS=4 -DROWS=1 -DLANES=64 -DSETS=4", 64, 1, 1, 4 },
    [TILE] = { "dot_tile", "-DKIND=2 -DTILE=32", 16, 8, 64, 32 },
    [MATRIX] = { "dot_matrix", "-DKIND=3 -DTIMES=2 -DHET_XMX=2", 8, 1, 8, 16 },
};

/* out[ROWS][COLUMNS] by one of the kernels. */
static void product(het_dtype type, const void *weights, size_t bytes, way by, bool has_function,
                    float *out)
{
    char options[160];
    const cl_float one = 1.0f, zero = 0.0f;
    const cl_int steps[8] = { 0 }, extents[8] = { 1, 1, 1, 1, 1, 1, 1, 1 };
    const cl_ulong small = 0;
    snprintf(options, sizeof options, "-DHET_W=%d %s", (int)type, ways[by].options);
    cl_kernel k = make(ways[by].kernel, options, has_function);
    if (!k)
        return;
    cl_mem a = memory(codes, sizeof codes), m = memory(marks, sizeof marks),
           w = memory(weights, bytes), o = memory(NULL, ROWS * COLUMNS * sizeof *out);
    set_memory(k, 0, a);
    set_memory(k, 2, w);
    CHECK_INT(clSetKernelArg(k, 4, sizeof small, &small), CL_SUCCESS);
    set_memory(k, 5, o);
    set_memory(k, 7, o);
    set_memory(k, 9, o);
    set_int(k, 11, INNER);
    set_int(k, 12, COLUMNS);
    set_int(k, 13, ROWS);
    set_int(k, 14, 0);
    clSetKernelArg(k, 15, sizeof one, &one);
    clSetKernelArg(k, 16, sizeof zero, &zero);
    clSetKernelArg(k, 17, sizeof zero, &zero);
    clSetKernelArg(k, 18, sizeof extents, extents);
    clSetKernelArg(k, 19, sizeof steps, steps);
    set_memory(k, 20, o);
    set_memory(k, 22, o);
    set_memory(k, 24, m);
    start(k, (COLUMNS + ways[by].columns - 1) / ways[by].columns * ways[by].group_x,
          (ROWS + ways[by].rows - 1) / ways[by].rows * ways[by].group_y, ways[by].group_x,
          ways[by].group_y);
    clEnqueueReadBuffer(queue, o, CL_TRUE, 0, ROWS * COLUMNS * sizeof *out, out, 0, NULL, NULL);
    clReleaseMemObject(a);
    clReleaseMemObject(m);
    clReleaseMemObject(w);
    clReleaseMemObject(o);
    clReleaseKernel(k);
}

/* Sums of the same codes in F64; the rest is rounding of some hundred F32 operations. */
static void compare(het_dtype type, const void *weights, size_t row_bytes, const float *out)
{
    int wrong = 0;
    for (int n = 0; n < COLUMNS; n++) {
        float row[INNER];
        het__decoder(type)((const uint8_t *)weights + (size_t)n * row_bytes, row, INNER);
        for (int t = 0; t < ROWS; t++) {
            double sum = 0, size = 0;
            for (int i = 0; i < INNER; i++) {
                float scale;
                memcpy(&scale, &marks[2 * ((t * INNER + i) / 32)], 4);
                const double term = (double)row[i] * codes[t * INNER + i] * (double)scale;
                sum += term;
                size += fabs(term);
            }
            wrong += !(fabs(out[t * COLUMNS + n] - sum) <= 2e-6 * size);
        }
    }
    if (wrong)
        TEST_FAIL("%s: %d of %d are wrong", het_dtype_name(type), wrong, ROWS * COLUMNS);
    test_checks++;
}

static void products(void)
{
    for (int i = 0; i < TYPES; i++) {
        float plain[ROWS * COLUMNS], other[ROWS * COLUMNS];
        size_t row_bytes;
        void *weights = random_weights(types[i], COLUMNS, INNER, &seed, &row_bytes);
        for (way by = VEC; by <= MATRIX; by++) {
            /* All decode alike: few types stand for all. A matrix sums 32 terms. */
            const bool is_one = types[i] == HET_DTYPE_Q4_0 || types[i] == HET_DTYPE_Q6_K;
            if (by == TILE ? !is_one
                           : by == MATRIX && types[i] != HET_DTYPE_Q4_0 &&
                                 types[i] != HET_DTYPE_Q4_K)
                continue;
            memset(plain, 0, sizeof plain);
            product(types[i], weights, row_bytes * COLUMNS, by, false, plain);
            compare(types[i], weights, row_bytes, plain);
            if (!is_one || by == MATRIX)
                continue;
            memset(other, 0xff, sizeof other);
            product(types[i], weights, row_bytes * COLUMNS, by, true, other);
            CHECK(memcmp(plain, other, sizeof plain) == 0);
        }
        free(weights);
    }
}

int main(void)
{
    open_device();
    test_case(rounding);
    test_case(products);
    clReleaseCommandQueue(queue);
    clReleaseContext(context);
    return test_finish();
}
