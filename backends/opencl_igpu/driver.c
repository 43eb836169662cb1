/* SPDX-License-Identifier: Apache-2.0 */
/* What operations ask of OpenCL: kernels with their arguments, starts, memory. */
#include "backends/opencl_igpu/opencl.h"

#include "backends/opencl_igpu/clblast.h"

/* ---- kernels ---- */

static het_status make_kernel(het__gpu *gpu, const char *file, const char *name,
                              const char *options, void **handle, het_error *err)
{
    het__device *device = het__cl_device(gpu);
    cl_program program;
    const het_status s = het__cl_build_of(device, file, options, &program, err);
    if (s != HET_OK)
        return s;
    cl_int code;
    *handle = clCreateKernel(program, name, &code);
    return code == CL_SUCCESS ? HET_OK : het__cl_failed(device, err, code, "clCreateKernel");
}

static void release_kernel(het__gpu *gpu, void *handle)
{
    if (!gpu->is_gone)
        clReleaseKernel(handle);
}

static void set_argument(void *handle, uint32_t index, size_t bytes, const void *value)
{
    clSetKernelArg(handle, index, bytes, value);
}

static void set_memory(void *handle, uint32_t index, het__gpu_memory *memory)
{
    const cl_mem mem = (cl_mem)memory;
    clSetKernelArg(handle, index, sizeof mem, mem ? &mem : NULL);
}

static het_status launch(het__gpu *gpu, void *handle, uint32_t dimensions, const size_t *global,
                         const size_t *local, het_error *err)
{
    het__device *device = het__cl_device(gpu);
    const cl_event *waits;
    cl_event event;
    const cl_uint count = het__cl_waits(device, &waits);
    const cl_int code = clEnqueueNDRangeKernel(device->queue, handle, dimensions, NULL, global,
                                               local, count, waits, &event);
    if (code != CL_SUCCESS)
        return het__cl_failed(device, err, code, "clEnqueueNDRangeKernel");
    het__cl_run_event(device, event);
    return HET_OK;
}

static het_status copy(het__gpu *gpu, het__gpu_memory *source, size_t source_offset,
                       het__gpu_memory *target, size_t target_offset, size_t bytes,
                       het_error *err)
{
    het__device *device = het__cl_device(gpu);
    const cl_event *waits;
    cl_event event;
    const cl_uint count = het__cl_waits(device, &waits);
    const cl_int code = clEnqueueCopyBuffer(device->queue, (cl_mem)source, (cl_mem)target,
                                            source_offset, target_offset, bytes, count, waits,
                                            &event);
    if (code != CL_SUCCESS)
        return het__cl_failed(device, err, code, "clEnqueueCopyBuffer");
    het__cl_run_event(device, event);
    return HET_OK;
}

/* ---- memory ---- */

static het_status make_memory(het__gpu *gpu, size_t bytes, const void *data,
                              het__gpu_memory **memory, het_error *err)
{
    het__device *device = het__cl_device(gpu);
    cl_int code;
    cl_mem mem = clCreateBuffer(device->context, data ? CL_MEM_READ_ONLY : CL_MEM_READ_WRITE,
                                bytes, NULL, &code);
    if (code != CL_SUCCESS)
        return het__cl_failed(device, err, code, "clCreateBuffer");
    if (data)
        code = clEnqueueWriteBuffer(device->queue, mem, CL_TRUE, 0, bytes, data, 0, NULL, NULL);
    if (code != CL_SUCCESS) {
        const het_status s = het__cl_failed(device, err, code, "clEnqueueWriteBuffer");
        if (!gpu->is_gone)
            clReleaseMemObject(mem);
        return s;
    }
    *memory = (het__gpu_memory *)mem;
    return HET_OK;
}

static bool import_memory(het__gpu *gpu, const void *host, size_t bytes, het__gpu_memory **memory)
{
    het__device *device = het__cl_device(gpu);
    if (!het__cl_imports(device))
        return false;
    cl_int code;
    const cl_mem mem = clCreateBuffer(device->context, CL_MEM_READ_ONLY | CL_MEM_USE_HOST_PTR,
                                      bytes, (void *)(uintptr_t)host, &code);
    if (code == CL_SUCCESS)
        *memory = (het__gpu_memory *)mem;
    return code == CL_SUCCESS;
}

static void free_memory(het__gpu *gpu, het__gpu_memory *memory)
{
    if (!gpu->is_gone)
        clReleaseMemObject((cl_mem)memory);
}

static het_status read_memory(het__gpu *gpu, het__gpu_memory *memory, size_t offset, void *target,
                              size_t bytes, het_error *err)
{
    het__device *device = het__cl_device(gpu);
    const het_status s = het__cl_behind_all(device, err);
    if (s != HET_OK)
        return s;
    const cl_int code = clEnqueueReadBuffer(device->queue, (cl_mem)memory, CL_TRUE, offset, bytes,
                                            target, 0, NULL, NULL);
    return code == CL_SUCCESS ? HET_OK : het__cl_failed(device, err, code, "clEnqueueReadBuffer");
}

static het_status write_memory(het__gpu *gpu, het__gpu_memory *memory, size_t offset,
                               const void *source, size_t bytes, het_error *err)
{
    het__device *device = het__cl_device(gpu);
    const het_status s = het__cl_behind_all(device, err);
    if (s != HET_OK)
        return s;
    const cl_int code = clEnqueueWriteBuffer(device->queue, (cl_mem)memory, CL_TRUE, offset, bytes,
                                             source, 0, NULL, NULL);
    return code == CL_SUCCESS ? HET_OK : het__cl_failed(device, err, code, "clEnqueueWriteBuffer");
}

/* ---- beside the kernels: by a queue of its own ---- */

static het_status upload(het__gpu *gpu, het__gpu_memory *memory, size_t offset, const void *source,
                         size_t bytes, void *after, void **event, het_error *err)
{
    het__device *device = het__cl_device(gpu);
    cl_event before = after, done;
    cl_int code = clEnqueueWriteBuffer(device->uploads, (cl_mem)memory, CL_FALSE, offset, bytes,
                                       source, before ? 1 : 0, before ? &before : NULL, &done);
    if (code != CL_SUCCESS)
        return het__cl_failed(device, err, code, "clEnqueueWriteBuffer");
    /* Who waits in the other queue waits for what was handed over only. */
    code = before ? clFlush(device->queue) : CL_SUCCESS;
    if (code == CL_SUCCESS)
        code = clFlush(device->uploads);
    if (code != CL_SUCCESS) {
        clReleaseEvent(done);
        return het__cl_failed(device, err, code, "clFlush");
    }
    *event = done;
    return HET_OK;
}

static het_status mark(het__gpu *gpu, void **event, het_error *err)
{
    het__device *device = het__cl_device(gpu);
    cl_event done;
    const cl_int code = clEnqueueMarkerWithWaitList(device->queue, 0, NULL, &done);
    if (code != CL_SUCCESS)
        return het__cl_failed(device, err, code, "clEnqueueMarkerWithWaitList");
    *event = done;
    return HET_OK;
}

static het_status await(het__gpu *gpu, void *event, het_error *err)
{
    het__device *device = het__cl_device(gpu);
    const cl_event before = event;
    const cl_int code = clEnqueueBarrierWithWaitList(device->queue, 1, &before, NULL);
    return code == CL_SUCCESS
               ? HET_OK
               : het__cl_failed(device, err, code, "clEnqueueBarrierWithWaitList");
}

static het_status settle(het__gpu *gpu, void *event, het_error *err)
{
    het__device *device = het__cl_device(gpu);
    const cl_event done = event;
    const cl_int code = clWaitForEvents(1, &done);
    return code == CL_SUCCESS ? HET_OK : het__cl_failed(device, err, code, "clWaitForEvents");
}

static het_status state(het__gpu *gpu, void *event, het_error *err)
{
    het__device *device = het__cl_device(gpu);
    cl_int now = CL_COMPLETE;
    const cl_int code = clGetEventInfo(event, CL_EVENT_COMMAND_EXECUTION_STATUS, sizeof now, &now,
                                       NULL);
    if (code != CL_SUCCESS)
        return het__cl_failed(device, err, code, "clGetEventInfo");
    if (now < 0)
        return het__cl_failed(device, err, now, "an upload");
    return now == CL_COMPLETE ? HET_OK : HET_E_BUSY;
}

static void forget(het__gpu *gpu, void *event)
{
    if (event && !gpu->is_gone)
        clReleaseEvent(event);
}

static bool times(het__gpu *gpu, void *event, uint64_t *begin_ns, uint64_t *end_ns)
{
    return het__cl_times(het__cl_device(gpu), event, begin_ns, end_ns);
}

static het__gpu_memory *memory_of(const het__buffer *buffer)
{
    return (het__gpu_memory *)buffer->mem;
}

/* ---- steps ---- */

static het_status begin(het__gpu *gpu, bool is_first, het_error *err)
{
    het__device *device = het__cl_device(gpu);
    const het_status s = het__cl_run_begin(device, err);
    if (s == HET_OK)
        device->open_run->is_first = is_first;
    return s;
}

static het_status end(het__gpu *gpu, het_error *err)
{
    return het__cl_run_end(het__cl_device(gpu), err);
}

static void drop(het__gpu *gpu)
{
    het__cl_run_drop(het__cl_device(gpu));
}

const het__gpu_driver het__cl_driver = {
    .kernel = make_kernel,
    .kernel_release = release_kernel,
    .argument = set_argument,
    .argument_memory = set_memory,
    .launch = launch,
    .copy = copy,
    .memory_make = make_memory,
    .memory_import = import_memory,
    .memory_free = free_memory,
    .memory_of = memory_of,
    .memory_read = read_memory,
    .memory_write = write_memory,
    .upload = upload,
    .mark = mark,
    .await = await,
    .settle = settle,
    .state = state,
    .forget = forget,
    .times = times,
    .begin = begin,
    .call = het__cl_call,
    .end = end,
    .drop = drop,
    .dense_init = het__cl_clblast_init,
    .dense_run = het__cl_clblast_run,
};
