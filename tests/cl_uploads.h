/* SPDX-License-Identifier: Apache-2.0 */
/* Uploads that fail, on any driver: writes that do not block, which nothing else asks for. This
 * program's own functions stand before the loader's.
 *
 * A device that is lost runs nothing any more, and the library takes its memory at once. A driver
 * that is only said to have failed goes on: what it was given ends before the failure is told.
 *
 * Needs _GNU_SOURCE, for RTLD_NEXT. */
#ifndef HETINFER_TEST_CL_UPLOADS_H
#define HETINFER_TEST_CL_UPLOADS_H

#include <dlfcn.h>

#include "backends/opencl_igpu/opencl.h"

#define CL_QUEUES 32

static cl_command_queue cl_queues[CL_QUEUES]; /* the last; NULL: released */
static unsigned cl_queue_count;

cl_command_queue clCreateCommandQueue(cl_context context, cl_device_id device,
                                      cl_command_queue_properties properties, cl_int *code)
{
    static cl_command_queue (*next)(cl_context, cl_device_id, cl_command_queue_properties,
                                    cl_int *);
    if (!next)
        *(void **)&next = dlsym(RTLD_NEXT, "clCreateCommandQueue");
    return cl_queues[cl_queue_count++ % CL_QUEUES] = next(context, device, properties, code);
}

cl_int clReleaseCommandQueue(cl_command_queue queue)
{
    static cl_int (*next)(cl_command_queue);
    if (!next)
        *(void **)&next = dlsym(RTLD_NEXT, "clReleaseCommandQueue");
    for (int i = 0; i < CL_QUEUES; i++)
        if (cl_queues[i] == queue)
            cl_queues[i] = NULL;
    return next(queue);
}

static inline void cl_end_all(void)
{
    for (int i = 0; i < CL_QUEUES; i++)
        if (cl_queues[i])
            clFinish(cl_queues[i]);
}

static struct {
    cl_int code;
    uint64_t at, end; /* calls [at, end) fail, counted from 1; at 0: none */
    bool is_late;     /* the call succeeds, and what it began does not */
    uint64_t calls, failed;
    cl_event late;    /* the last such */
} cl_fault;

/* What was to be written is not: zeros are. */
static const void *cl_nothing(size_t bytes)
{
    static const char zeros[1 << 17];
    CHECK(bytes <= sizeof zeros);
    return zeros;
}

cl_int clEnqueueWriteBuffer(cl_command_queue queue, cl_mem buffer, cl_bool blocks, size_t offset,
                            size_t bytes, const void *source, cl_uint count,
                            const cl_event *events, cl_event *event)
{
    static cl_int (*next)(cl_command_queue, cl_mem, cl_bool, size_t, size_t, const void *, cl_uint,
                          const cl_event *, cl_event *);
    if (!next)
        *(void **)&next = dlsym(RTLD_NEXT, "clEnqueueWriteBuffer");
    cl_fault.calls += !blocks;
    const bool fails = !blocks && cl_fault.at && cl_fault.calls >= cl_fault.at &&
                       cl_fault.calls < cl_fault.end;
    cl_fault.failed += fails;
    if (fails && !cl_fault.is_late) {
        cl_end_all();
        return cl_fault.code;
    }
    const cl_int code = next(queue, buffer, blocks, offset, bytes,
                             fails ? cl_nothing(bytes) : source, count, events, event);
    if (fails && code == CL_SUCCESS)
        cl_fault.late = *event;
    return code;
}

cl_int clGetEventInfo(cl_event event, cl_event_info what, size_t size, void *value, size_t *bytes)
{
    static cl_int (*next)(cl_event, cl_event_info, size_t, void *, size_t *);
    if (!next)
        *(void **)&next = dlsym(RTLD_NEXT, "clGetEventInfo");
    const cl_int code = next(event, what, size, value, bytes);
    if (event == cl_fault.late && what == CL_EVENT_COMMAND_EXECUTION_STATUS && !code &&
        *(cl_int *)value == CL_COMPLETE) {
        cl_end_all();
        *(cl_int *)value = cl_fault.code;
        cl_fault.late = NULL;
    }
    return code;
}

#endif /* HETINFER_TEST_CL_UPLOADS_H */
