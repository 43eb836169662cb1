/* SPDX-License-Identifier: Apache-2.0 */
/* GPUs, and for tests processors, through the OpenCL loader: the functions of the backend.
 *
 * Everything that the core asks for stands in a file of its own: probe.c finds devices, device.c
 * opens them and gives memory, driver.c starts what backends/gpu makes programs of, events.c waits
 * for them. */
#include "backends/opencl_igpu/opencl.h"

#include <stdio.h>
#include <string.h>

#include "backends/gpu/experts.h"
#include "backends/gpu/notes.h"
#include "lib/base/error.h"

extern const het__backend het__backend_opencl_igpu;

static void cl_probe(const het__host *host, het__probed *probed)
{
    het__cl_list *list = het__alloc(host->mem, sizeof *list);
    if (!list) {
        snprintf(probed->reason, sizeof probed->reason, "out of memory");
        return;
    }
    het__cl_find(host, list);
    probed->device_count = list->count;
    for (uint32_t i = 0; i < list->count; i++) {
        probed->device[i] = list->device[i].info;
        memcpy(probed->physical[i], list->device[i].physical, sizeof probed->physical[i]);
    }
    snprintf(probed->reason, sizeof probed->reason, "%s", list->reason);
    het__free(host->mem, list);
}

static uint32_t cl_brought(het__device *device, het__brought *list, uint32_t max)
{
    return het__gpu_notes_take(&device->gpu, list, max);
}

static void cl_counters(het__device *device, het__backend_counters *counters)
{
    *counters = device->gpu.counters;
    het__gpu_experts_count(&device->gpu, counters);
}

static het_status cl_compile(het__device *device, const het__slice *slice, het__program **program,
                             het_error *err)
{
    het__program *p = NULL;
    const het_status s = het__gpu_compile(&device->gpu, slice, &p, err);
    if (s != HET_OK)
        return s;
    p->own = het__arena_zero(&p->arena, 1, sizeof(het__cl_program));
    if (!p->own) {
        het__gpu_release(&device->gpu, p);
        return het__fail_nomem(err, "a program");
    }
    *program = p;
    return HET_OK;
}

static void cl_release(het__device *device, het__program *program)
{
    het__cl_program_gone(device, program);
    het__gpu_release(&device->gpu, program);
}

static het_status cl_enqueue(het__device *device, het__program *program, const int64_t *symbols,
                             het_error *err)
{
    return het__gpu_enqueue(&device->gpu, program, symbols, err);
}

const het__backend het__backend_opencl_igpu = {
    .name = "opencl_igpu",
    .probe = cl_probe,
    .open = het__cl_open,
    .close = het__cl_close,
    .supports = het__gpu_supports,
    .measure = het__cl_measure,
    .is_asynchronous = true,
    .streams = true,
    .borrows = true,
    .buffer_create = het__cl_buffer_create,
    .buffer_destroy = het__cl_buffer_destroy,
    .buffer_host = het__cl_buffer_host,
    .buffer_import = het__cl_buffer_import,
    .buffer_write = het__cl_buffer_write,
    .buffer_read = het__cl_buffer_read,
    .compile = cl_compile,
    .release = cl_release,
    .enqueue = cl_enqueue,
    .wait = het__cl_wait,
    .wait_for = het__cl_wait_for,
    .span = het__cl_span,
    .brought = cl_brought,
    .counters = cl_counters,
};
