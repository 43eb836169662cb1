/* SPDX-License-Identifier: Apache-2.0 */
/* AMD's NPUs through XRT: the functions of the backend, and its buffers, which are memory of the
 * host. */
#include "backends/amd_xrt_npu/npu.h"

#include <stdio.h>

#include "lib/base/error.h"

extern const het__backend het__backend_amd_xrt_npu;

struct het__buffer {
    char *data;
    bool is_borrowed; /* imported */
};

void *het__npu_bytes_of(const het__buffer *buffer)
{
    return buffer->data;
}

static bool npu_supports(const het__graph *graph, const het__node *node, char *reason,
                         size_t bytes)
{
    return het__npu_supports_on(0, graph, node, reason, bytes);
}

static het_status npu_buffer_create(het__device *device, size_t bytes, het__buffer **buffer,
                                    het_error *err)
{
    het__buffer *b = het__alloc(device->host.mem, sizeof *b);
    char *data = het__alloc_zero(device->host.mem, bytes, 1);
    if (!b || !data) {
        het__free(device->host.mem, data);
        het__free(device->host.mem, b);
        return het__fail(err, HET_E_NOMEM, "out of memory for a buffer of %zu bytes", bytes);
    }
    *b = (het__buffer){ data, false };
    *buffer = b;
    return HET_OK;
}

static het_status npu_buffer_import(het__device *device, void *host, size_t bytes,
                                    het__buffer **buffer, het_error *err)
{
    (void)bytes;
    het__buffer *b = het__alloc(device->host.mem, sizeof *b);
    if (!b)
        return het__fail_nomem(err, "a buffer");
    *b = (het__buffer){ host, true };
    *buffer = b;
    return HET_OK;
}

static void npu_buffer_destroy(het__device *device, het__buffer *buffer)
{
    if (!buffer->is_borrowed && !het__npu_quiet(device)) {
        het__npu_abandon(buffer);
        return;
    }
    if (!buffer->is_borrowed)
        het__free(device->host.mem, buffer->data);
    het__free(device->host.mem, buffer);
}

static void *npu_buffer_host(het__device *device, het__buffer *buffer)
{
    (void)device;
    return buffer->data;
}

static het_status npu_wait(het__device *device, uint64_t timeout_ns, het_error *err)
{
    return het__npu_queue_wait(device, UINT64_MAX, timeout_ns, err);
}

static void npu_counters(het__device *device, het__backend_counters *counters)
{
    *counters = device->counters;
    counters->launch_count = device->launches;
    counters->busy_ns = device->busy_ns;
}

const het__backend het__backend_amd_xrt_npu = {
    .name = "amd_xrt_npu",
    .probe = het__npu_probe,
    .open = het__npu_open,
    .close = het__npu_close,
    .supports = npu_supports,
    .supports_on = het__npu_supports_on,
    .figures = het__npu_figures,
    .product_unit = het__npu_product_unit,
    .is_asynchronous = true,
    .borrows = true,
    .is_reduced = true,
    .buffer_create = npu_buffer_create,
    .buffer_destroy = npu_buffer_destroy,
    .buffer_host = npu_buffer_host,
    .buffer_import = npu_buffer_import,
    .compile = het__npu_compile,
    .release = het__npu_release,
    .enqueue = het__npu_enqueue,
    .wait = npu_wait,
    .wait_for = het__npu_queue_wait,
    .span = het__npu_queue_span,
    .counters = npu_counters,
};
