/* SPDX-License-Identifier: Apache-2.0 */
/* Speed of a device. Every figure is the best of a few rounds, by the host's clock: interruptions
 * only lower a round, and a device's own clock may not be one. */
#include "backends/opencl_igpu/opencl.h"

#include "lib/base/error.h"
#include "lib/base/os.h"

#define READ_BYTES ((size_t)256 << 20)
#define ROUNDS 3
/* Least length of a round: far above what starting costs. */
#define PEAK_NS 20000000u
#define PEAK_ROUNDS_MAX (1 << 24)
#define LAUNCHES 200

typedef struct bench {
    het__device *device;
    cl_program program;
    cl_mem out;
    size_t items;
    const size_t *group; /* one item on processors, so that units have one each */
} bench;

/* Starts a kernel some times and waits; the time that took, 0 on failure. */
static uint64_t timed(const bench *b, cl_kernel kernel, size_t items, int times, het_error *err)
{
    const uint64_t begin = het__now_ns();
    cl_int code = CL_SUCCESS;
    for (int i = 0; i < times && code == CL_SUCCESS; i++) {
        code = clEnqueueNDRangeKernel(b->device->queue, kernel, 1, NULL, &items, b->group, 0,
                                      NULL, NULL);
        if (code == CL_SUCCESS && b->device->gpu.is_unordered) /* one after the other */
            code = clEnqueueBarrierWithWaitList(b->device->queue, 0, NULL, NULL);
    }
    if (code == CL_SUCCESS)
        code = clFinish(b->device->queue);
    if (code != CL_SUCCESS) {
        het__cl_failed(b->device, err, code, "clEnqueueNDRangeKernel");
        return 0;
    }
    const uint64_t ns = het__now_ns() - begin;
    return ns ? ns : 1;
}

static cl_kernel kernel_of(const bench *b, const char *name)
{
    cl_int code;
    const cl_kernel k = clCreateKernel(b->program, name, &code);
    return code == CL_SUCCESS ? k : NULL;
}

/* Bytes read per second, 0 on failure. */
static double measure_read(const bench *b, het_error *err)
{
    const uint64_t most = b->device->found.facts.buffer_max_bytes;
    const size_t bytes = most < READ_BYTES ? (size_t)most / 4096 * 4096 : READ_BYTES;
    const cl_ulong count = bytes / 64;
    het__buffer *buffer = NULL;
    double best = 0;
    cl_kernel k = kernel_of(b, "read_all");
    if (!k || het__cl_buffer_create(b->device, bytes, &buffer, err) != HET_OK) {
        if (k)
            clReleaseKernel(k);
        return 0;
    }
    clSetKernelArg(k, 0, sizeof buffer->mem, &buffer->mem);
    clSetKernelArg(k, 1, sizeof count, &count);
    clSetKernelArg(k, 2, sizeof b->out, &b->out);
    for (int i = 0; i < ROUNDS + 1; i++) { /* the first one warms up */
        const uint64_t ns = timed(b, k, b->items, 1, err);
        const double rate = ns ? (double)bytes / ((double)ns * 1e-9) : 0;
        best = i > 0 && rate > best ? rate : best;
    }
    clReleaseKernel(k);
    het__cl_buffer_destroy(b->device, buffer);
    return best;
}

/* Operations per second of a loop on registers, 0 if there is none. */
static double measure_peak(const bench *b, const char *name, double per_round, het_error *err)
{
    cl_kernel k = kernel_of(b, name);
    double best = 0;
    if (!k)
        return 0;
    const cl_float factor = 0.5f;
    cl_int rounds = 256;
    clSetKernelArg(k, 0, sizeof b->out, &b->out);
    clSetKernelArg(k, 2, sizeof factor, &factor);
    for (int i = 0; i < ROUNDS;) {
        clSetKernelArg(k, 1, sizeof rounds, &rounds);
        const uint64_t ns = timed(b, k, b->items, 1, err);
        if (ns == 0)
            break;
        if (ns < PEAK_NS && rounds < PEAK_ROUNDS_MAX) {
            rounds *= 2;
            continue;
        }
        const double rate =
            per_round * (double)rounds * (double)b->items / ((double)ns * 1e-9);
        best = rate > best ? rate : best;
        i++;
    }
    clReleaseKernel(k);
    return best;
}

static double measure_launch(const bench *b, het_error *err)
{
    cl_kernel k = kernel_of(b, "nothing");
    double best = 0;
    if (!k)
        return 0;
    clSetKernelArg(k, 0, sizeof b->out, &b->out);
    for (int i = 0; i < ROUNDS + 1; i++) {
        const double ns = (double)timed(b, k, 1, LAUNCHES, err) / LAUNCHES;
        best = i > 0 && (best == 0 || ns < best) ? ns : best;
    }
    clReleaseKernel(k);
    return best;
}

het_status het__cl_measure(het__device *device, het_device_figures *figures, het_error *err)
{
    static const size_t one = 1;
    bench b = { .device = device };
    cl_int code;
    const het_status s = het__cl_build_of(device, "measure", "", &b.program, err);
    if (s != HET_OK)
        return s;
    b.out = clCreateBuffer(device->context, CL_MEM_READ_WRITE, 64, NULL, &code);
    if (code != CL_SUCCESS)
        return het__cl_failed(device, err, code, "clCreateBuffer");
    const het__gpu_facts *f = &device->found.facts;
    b.items = f->is_cpu ? f->units : (size_t)f->units * 1024;
    b.group = f->is_cpu ? &one : NULL;
    figures->source = HET_SOURCE_MEASURED;
    figures->read_bytes_per_s = measure_read(&b, err);
    figures->f32_ops_per_s = measure_peak(&b, "peak_f32", 2.0 * 8 * 16, err);
    figures->int8_ops_per_s = measure_peak(&b, "peak_int8", 2.0 * 4 * 16, err);
    figures->launch_ns = measure_launch(&b, err);
    clReleaseMemObject(b.out);
    if (figures->read_bytes_per_s > 0 && figures->f32_ops_per_s > 0 && figures->launch_ns > 0)
        return HET_OK;
    return device->gpu.is_gone ? HET_E_DEVICE_LOST
                           : het__fail(err, HET_E_UNSUPPORTED, "the device gives no figures");
}
