/* SPDX-License-Identifier: Apache-2.0 */
/* What commands wait for.
 *
 * A queue in order needs none of this for its kernels. In one out of order each command names what
 * it waits for: the call's own command before it; else the calls that its call waits for
 * (backends/gpu/order.c); the first ones of a program what ended the program before it, so that
 * programs run in order. A program ends with the one call that no other waits for, or a marker
 * behind several.
 *
 *     fence ─┬─▶ call ─▶ call ─┬─▶ marker: the next program's fence
 *            └─▶ call ─────────┘
 *
 * Copies of buffers have a queue of their own, in order, and wait for the last program under way
 * that touches the same bytes: others run meanwhile. */
#include "backends/opencl_igpu/opencl.h"

#include <assert.h>

/* ---- kernels ---- */

/* The end of what was started before this program, NULL: all of it has ended. */
static cl_event fence_of(const het__device *device)
{
    return het__cl_last_event(device, device->enqueued);
}

cl_uint het__cl_waits(het__device *device, const cl_event **events)
{
    het__gpu_call *call = device->open_call;
    cl_uint count = 0;
    *events = NULL;
    if (!call)
        return 0;
    void **list = call->program->waits;
    if (call->done)
        list[count++] = call->done;
    for (uint32_t i = 0; i < call->after_count && !call->done; i++)
        if (call->program->calls[call->after[i]].done)
            list[count++] = call->program->calls[call->after[i]].done;
    if (count == 0 && fence_of(device))
        list[count++] = fence_of(device);
    *events = count ? (const cl_event *)list : NULL;
    return count;
}

void het__cl_call_event(het__device *device, cl_event event)
{
    het__gpu_call *call = device->open_call;
    if (!device->open_run->first && clRetainEvent(event) == CL_SUCCESS)
        device->open_run->first = event;
    if (call->done)
        clReleaseEvent(call->done);
    call->done = event;
}

/* A call that started nothing passes on what it waited for. */
static het_status close_call(het__device *device, het_error *err)
{
    het__gpu_call *call = device->open_call;
    const cl_event *events;
    cl_event done;
    if (!call || call->done || call->after_count == 0)
        return HET_OK;
    const cl_uint count = het__cl_waits(device, &events);
    if (count == 0)
        return HET_OK;
    const cl_int code = clEnqueueMarkerWithWaitList(device->queue, count, events, &done);
    if (code != CL_SUCCESS)
        return het__cl_failed(device, err, code, "clEnqueueMarkerWithWaitList");
    call->done = done;
    return HET_OK;
}

het_status het__cl_call(het__gpu *gpu, het__gpu_call *call, het_error *err)
{
    het__device *device = het__cl_device(gpu);
    device->open_run->program = call->program;
    if (!gpu->is_unordered)
        return HET_OK;
    const het_status s = close_call(device, err);
    device->open_call = call;
    return s;
}

void het__cl_calls_forget(het__device *device)
{
    het__program *p = device->open_call ? device->open_call->program : NULL;
    for (uint32_t i = 0; p && i < p->call_count; i++) {
        if (p->calls[i].done && !device->gpu.is_gone)
            clReleaseEvent(p->calls[i].done);
        p->calls[i].done = NULL;
    }
    device->open_call = NULL;
}

het_status het__cl_calls_end(het__device *device, het_error *err)
{
    het__cl_run *run = device->open_run;
    het__program *p = device->open_call ? device->open_call->program : NULL;
    cl_uint count = 0;
    if (!p)
        return HET_OK;
    const het_status s = close_call(device, err);
    if (s != HET_OK)
        return s;
    for (uint32_t i = 0; i < p->call_count; i++)
        if (p->calls[i].is_last && p->calls[i].done)
            p->waits[count++] = p->calls[i].done;
    cl_int code = CL_SUCCESS;
    if (count == 1) {
        run->last = p->waits[0];
        code = clRetainEvent(run->last);
    } else if (count > 1) {
        code = clEnqueueMarkerWithWaitList(device->queue, count, (const cl_event *)p->waits,
                                           &run->last);
    }
    if (code != CL_SUCCESS) {
        run->last = NULL;
        return het__cl_failed(device, err, code, "clEnqueueMarkerWithWaitList");
    }
    het__cl_calls_forget(device);
    return HET_OK;
}

/* ---- all at once ---- */

het_status het__cl_behind_all(het__device *device, het_error *err)
{
    if (!device->gpu.is_unordered)
        return HET_OK;
    const cl_int code = clEnqueueBarrierWithWaitList(device->queue, 0, NULL, NULL);
    return code == CL_SUCCESS
               ? HET_OK
               : het__cl_failed(device, err, code, "clEnqueueBarrierWithWaitList");
}

/* ---- copies ---- */

cl_event het__cl_copy_after(const het__device *device, const het__gpu_touch *copy)
{
    for (uint64_t i = device->enqueued; i > device->retired; i--) {
        const het__cl_run *run = &device->ring[(i - 1) % HET__CL_RING];
        if (run->last && (!run->program || het__gpu_touches(run->program, copy)))
            return run->last;
    }
    return NULL;
}

void het__cl_program_gone(het__device *device, const het__program *program)
{
    for (uint32_t i = 0; i < HET__CL_RING; i++)
        if (device->ring[i].program == program)
            device->ring[i].program = NULL;
}
