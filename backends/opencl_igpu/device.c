/* SPDX-License-Identifier: Apache-2.0 */
/* An opened device: its context, its queues, its memory.
 *
 * Kernels run in one queue: in order, or out of order with HETINFER_OPENCL_QUEUE=out-of-order where
 * the device has that (order.c). Copies for the host have another.
 *
 * Where a device has fine-grained shared virtual memory, a buffer is such memory, which host and
 * kernels use in place; elsewhere it is the driver's, and read and written by copies. Memory of the
 * host can be imported where that is no copy, which is tried out once: drivers may keep a copy of
 * their own behind the same flag.
 *
 * After a device is lost or hangs, nothing is asked of its driver any more, not even to free: what
 * it still holds is left to it. */
#define CL_USE_DEPRECATED_OPENCL_1_2_APIS
#include "backends/opencl_igpu/opencl.h"

#include <assert.h>
#include <string.h>

#include "lib/base/error.h"
#include "lib/base/os.h"

/* ---- open and close ---- */

static bool is_unordered(const het__host *host, const het__cl_found *found)
{
    const char *text = host->use_env ? het__env("HETINFER_OPENCL_QUEUE") : NULL;
    return found->runs_unordered && text && strcmp(text, "out-of-order") == 0;
}

static cl_int make_queues(het__device *d, bool has_uploads)
{
    const cl_command_queue_properties order =
        d->gpu.is_unordered ? CL_QUEUE_OUT_OF_ORDER_EXEC_MODE_ENABLE : 0;
    cl_int code;
    d->queue = clCreateCommandQueue(d->context, d->found.id, CL_QUEUE_PROFILING_ENABLE | order,
                                    &code);
    if (code == CL_SUCCESS)
        d->copies = clCreateCommandQueue(d->context, d->found.id, 0, &code);
    if (code == CL_SUCCESS && has_uploads)
        d->uploads = clCreateCommandQueue(d->context, d->found.id, CL_QUEUE_PROFILING_ENABLE,
                                          &code);
    return code;
}

het_status het__cl_open(const het__host *host, uint32_t index, const het__open_options *options,
                        het__device **device, het_error *err)
{
    het__cl_list *list = het__alloc(host->mem, sizeof *list);
    het__device *d = het__alloc_zero(host->mem, 1, sizeof *d);
    if (!list || !d) {
        het__free(host->mem, list);
        het__free(host->mem, d);
        return het__fail_nomem(err, "an OpenCL device");
    }
    het__cl_find(host, list);
    const bool is_short = list->is_short, is_there = !is_short && index < list->count;
    if (is_there)
        d->found = list->device[index];
    het__free(host->mem, list);
    d->gpu = (het__gpu){ .driver = &het__cl_driver, .facts = &d->found.facts, .host = *host,
                         .expert_bytes = options->expert_bytes,
                         .expert_keep = options->expert_keep,
                         .stream_slots = options->stream_slots,
                         .weights_mapped = options->weights_mapped,
                         .rounds = options->precision == HET_PRECISION_FAST,
                         .rounds_small = host->use_env && het__env("HETINFER_GPU_ROUND_SMALL") };
    if (!is_there) {
        het__free(host->mem, d);
        if (is_short) /* what has been found may be another device than the one meant */
            return het__fail_nomem(err, "the list of OpenCL devices");
        return het__fail(err, HET_E_DEVICE_LOST, "OpenCL device %u is gone", index);
    }
    d->gpu.is_unordered = is_unordered(host, &d->found);
    const cl_context_properties properties[] = {
        CL_CONTEXT_PLATFORM, (cl_context_properties)d->found.platform, 0
    };
    cl_int code;
    const char *what = "clCreateContext";
    d->context = clCreateContext(properties, 1, &d->found.id, NULL, NULL, &code);
    if (code == CL_SUCCESS) {
        what = "clCreateCommandQueue";
        code = make_queues(d, options->expert_bytes || options->stream_slots);
    }
    if (code != CL_SUCCESS) {
        const het_status s = het__cl_fail(err, code, what);
        het__cl_close(d);
        return s;
    }
    *device = d;
    return HET_OK;
}

static void drop_builds(het__device *device)
{
    while (device->builds) {
        het__cl_build *next = device->builds->next;
        if (!device->gpu.is_gone)
            clReleaseProgram(device->builds->program);
        het__free(device->gpu.host.mem, device->builds->key);
        het__free(device->gpu.host.mem, device->builds);
        device->builds = next;
    }
}

static void drop_events(het__device *device)
{
    for (uint32_t i = 0; i < HET__CL_RING && !device->gpu.is_gone; i++) {
        if (device->ring[i].first)
            clReleaseEvent(device->ring[i].first);
        if (device->ring[i].last)
            clReleaseEvent(device->ring[i].last);
    }
}

void het__cl_close(het__device *device)
{
    const cl_command_queue queues[] = { device->queue, device->copies, device->uploads };
    for (size_t i = 0; i < 3; i++)
        if (queues[i] && !device->gpu.is_gone)
            clFinish(queues[i]);
    drop_events(device);
    het__gpu_drop_constants(&device->gpu);
    drop_builds(device);
    for (size_t i = 0; i < 3; i++)
        if (queues[i] && !device->gpu.is_gone)
            clReleaseCommandQueue(queues[i]);
    if (device->context && !device->gpu.is_gone)
        clReleaseContext(device->context);
    het__free(device->gpu.host.mem, device);
}

/* ---- buffers ---- */

static void buffer_drop(het__device *device, het__buffer *buffer)
{
    if (!device->gpu.is_gone) {
        /* A driver keeps its own memory until kernels have ended, not what is the host's. */
        if (buffer->host && device->retired < device->enqueued)
            clFinish(device->queue);
        if (buffer->mem)
            clReleaseMemObject(buffer->mem);
        if (buffer->svm)
            clSVMFree(device->context, buffer->svm);
    }
    het__free(device->gpu.host.mem, buffer);
}

/* Host memory under a memory object: the driver's, or shared. */
static cl_int shared_memory(het__device *device, het__buffer *buffer, size_t bytes)
{
    cl_int code;
    buffer->svm = clSVMAlloc(device->context, CL_MEM_READ_WRITE | CL_MEM_SVM_FINE_GRAIN_BUFFER,
                             bytes, 0);
    if (!buffer->svm)
        return CL_MEM_OBJECT_ALLOCATION_FAILURE;
    memset(buffer->svm, 0, bytes);
    buffer->host = buffer->svm;
    buffer->mem = clCreateBuffer(device->context, CL_MEM_READ_WRITE | CL_MEM_USE_HOST_PTR, bytes,
                                 buffer->svm, &code);
    return code;
}

static cl_int own_memory(het__device *device, het__buffer *buffer, size_t bytes, const char **what)
{
    static const cl_uint zero = 0;
    cl_int code;
    *what = "clCreateBuffer";
    buffer->mem = clCreateBuffer(device->context, CL_MEM_READ_WRITE, bytes, NULL, &code);
    if (code != CL_SUCCESS)
        return code;
    *what = "clEnqueueFillBuffer";
    code = clEnqueueFillBuffer(device->queue, buffer->mem, &zero, sizeof zero, 0, bytes, 0, NULL,
                               NULL);
    return code == CL_SUCCESS ? clFinish(device->queue) : code;
}

het_status het__cl_buffer_create(het__device *device, size_t bytes, het__buffer **buffer,
                                 het_error *err)
{
    if (bytes > SIZE_MAX - HET__ALIGN)
        return het__fail(err, HET_E_NOMEM, "a buffer of %zu bytes", bytes);
    const size_t whole = het__round_up(bytes ? bytes : 1, HET__ALIGN);
    if (whole > device->found.facts.buffer_max_bytes)
        return het__fail(err, HET_E_NOMEM,
                         "a buffer of %zu bytes is larger than the %llu that the device allows",
                         whole, (unsigned long long)device->found.facts.buffer_max_bytes);
    het__buffer *b = het__alloc_zero(device->gpu.host.mem, 1, sizeof *b);
    if (!b)
        return het__fail_nomem(err, "a buffer");
    const char *what = "clSVMAlloc";
    const cl_int code = device->found.svm_fine ? shared_memory(device, b, whole)
                                               : own_memory(device, b, whole, &what);
    if (code != CL_SUCCESS) {
        const het_status s = het__cl_failed(device, err, code, what);
        buffer_drop(device, b);
        return s;
    }
    *buffer = b;
    return HET_OK;
}

void het__cl_buffer_destroy(het__device *device, het__buffer *buffer)
{
    buffer_drop(device, buffer);
}

void *het__cl_buffer_host(het__device *device, het__buffer *buffer)
{
    (void)device;
    return buffer->host;
}

het_status het__cl_buffer_write(het__device *device, het__buffer *buffer, size_t offset,
                                const void *source, size_t bytes, het_error *err)
{
    if (bytes == 0)
        return HET_OK;
    const het__gpu_touch copy = { (het__gpu_memory *)buffer->mem, offset, offset + bytes, true };
    const cl_event after = het__cl_copy_after(device, &copy);
    const cl_int code = clEnqueueWriteBuffer(device->copies, buffer->mem, CL_TRUE, offset, bytes,
                                             source, after != NULL, after ? &after : NULL, NULL);
    return code == CL_SUCCESS ? HET_OK
                              : het__cl_failed(device, err, code, "clEnqueueWriteBuffer");
}

het_status het__cl_buffer_read(het__device *device, het__buffer *buffer, size_t offset,
                               void *target, size_t bytes, het_error *err)
{
    if (bytes == 0)
        return HET_OK;
    const het__gpu_touch copy = { (het__gpu_memory *)buffer->mem, offset, offset + bytes, false };
    const cl_event after = het__cl_copy_after(device, &copy);
    const cl_int code = clEnqueueReadBuffer(device->copies, buffer->mem, CL_TRUE, offset, bytes,
                                            target, after != NULL, after ? &after : NULL, NULL);
    return code == CL_SUCCESS ? HET_OK
                              : het__cl_failed(device, err, code, "clEnqueueReadBuffer");
}

/* ---- memory of the host ---- */

/* What the host writes is what the device copies, and what the device fills is what the host
 * sees. */
static bool import_is_shared(het__device *device, uint32_t *host)
{
    static const cl_uint mark = 0x5a17c0de;
    uint32_t back = 0;
    cl_int code;
    cl_mem mem = clCreateBuffer(device->context, CL_MEM_READ_WRITE | CL_MEM_USE_HOST_PTR,
                                HET__IMPORT_ALIGN, host, &code);
    if (code != CL_SUCCESS)
        return false;
    *(volatile uint32_t *)host = 7;
    bool works = clEnqueueReadBuffer(device->queue, mem, CL_TRUE, 0, sizeof back, &back, 0, NULL,
                                     NULL) == CL_SUCCESS && back == 7;
    works = works && clEnqueueFillBuffer(device->queue, mem, &mark, sizeof mark, 0,
                                         HET__IMPORT_ALIGN, 0, NULL, NULL) == CL_SUCCESS;
    works = clFinish(device->queue) == CL_SUCCESS && works &&
            *(volatile const uint32_t *)host == mark;
    clReleaseMemObject(mem);
    return works;
}

bool het__cl_imports(het__device *device)
{
    if (device->import_is_known)
        return device->import_works;
    device->import_is_known = true;
    if (!device->found.facts.shares_memory)
        return false;
    char *room = het__alloc_zero(device->gpu.host.mem, 2 * HET__IMPORT_ALIGN, 1);
    if (room)
        device->import_works = import_is_shared(
            device, (uint32_t *)het__round_up((uintptr_t)room, HET__IMPORT_ALIGN));
    het__free(device->gpu.host.mem, room);
    return device->import_works;
}

het_status het__cl_buffer_import(het__device *device, void *host, size_t bytes,
                                 het__buffer **buffer, het_error *err)
{
    assert((uintptr_t)host % HET__IMPORT_ALIGN == 0 && bytes % HET__IMPORT_ALIGN == 0);
    if (!het__cl_imports(device))
        return het__fail(err, HET_E_UNSUPPORTED, "the device does not share the host's memory");
    het__buffer *b = het__alloc_zero(device->gpu.host.mem, 1, sizeof *b);
    if (!b)
        return het__fail_nomem(err, "a buffer");
    cl_int code;
    b->host = host;
    b->mem = clCreateBuffer(device->context, CL_MEM_READ_WRITE | CL_MEM_USE_HOST_PTR, bytes, host,
                            &code);
    if (code != CL_SUCCESS) {
        const het_status s = het__cl_failed(device, err, code, "clCreateBuffer");
        buffer_drop(device, b);
        return s == HET_E_DEVICE_LOST || s == HET_E_NOMEM ? s : HET_E_UNSUPPORTED;
    }
    *buffer = b;
    return HET_OK;
}
