/* SPDX-License-Identifier: Apache-2.0 */
/* Memory: unified shared memory, so that an address is the same for host and device.
 *
 *     values     shared memory where the device uses the host's, else the device's own
 *     constants  the device's own, filled through a block of host memory; imported where a session
 *                reads weights in place
 *     imported   pages of the host, by the function that Intel's drivers have for it, else by the
 *                extension of the specification; what a driver gives another address is a copy,
 *                and refused */
#include "backends/intel_l0/l0.h"

#include <assert.h>
#include <string.h>

#include "lib/base/error.h"

#define STAGING_BYTES ((size_t)4 << 20)
#define BEHIND_ALL UINT64_MAX /* for last_use: behind every kernel that was started */

/* Of the specification 1.13: host memory that becomes an allocation. */
#define STYPE_EXTERNAL_MEMMAP_SYSMEM 0x00020037
typedef struct memmap_desc {
    ze_structure_type_t stype;
    const void *pNext;
    void *memory;
    uint64_t bytes;
} memmap_desc;

/* ---- copies that block ---- */

static het_status finish_copy(het__device *device, ze_result_t code, const char *what,
                              het_error *err)
{
    if (code != ZE_RESULT_SUCCESS)
        return het__l0_failed(device, err, code, what);
    return het__l0_await(device, device->own, HET__L0_PATIENCE_NS, err);
}

/* Behind the programs up to number last_use, where a queue of its own copies; else behind all,
 * which inside a program is the only order that there is. */
static het_status copy_now(het__device *device, void *target, const void *source, size_t bytes,
                           uint64_t last_use, het_error *err)
{
    const bool is_aside = device->copies && last_use != BEHIND_ALL;
    ze_event_handle_t after = is_aside ? het__l0_end_of(device, last_use) : NULL;
    het_status s = is_aside ? HET_OK : het__l0_order(device, err);
    if (s == HET_OK)
        s = het__l0_own_reset(device, err);
    if (s != HET_OK)
        return s;
    device->has_unordered = device->has_unordered || !is_aside;
    return finish_copy(device, zeCommandListAppendMemoryCopy(
                                   is_aside ? device->copies : device->list, target, source,
                                   bytes, device->own, after ? 1 : 0, after ? &after : NULL),
                       "zeCommandListAppendMemoryCopy", err);
}

static het_status fill_now(het__device *device, void *target, size_t bytes, het_error *err)
{
    static const uint8_t zero = 0;
    het_status s = het__l0_order(device, err);
    if (s == HET_OK)
        s = het__l0_own_reset(device, err);
    if (s != HET_OK)
        return s;
    device->has_unordered = true;
    return finish_copy(device, zeCommandListAppendMemoryFill(device->list, target, &zero,
                                                             sizeof zero, bytes, device->own, 0,
                                                             NULL),
                       "zeCommandListAppendMemoryFill", err);
}

static het_status want_staging(het__device *device, het_error *err)
{
    const ze_host_mem_alloc_desc_t desc = { .stype = ZE_STRUCTURE_TYPE_HOST_MEM_ALLOC_DESC };
    if (device->staging)
        return HET_OK;
    const ze_result_t code = zeMemAllocHost(device->context, &desc, STAGING_BYTES,
                                            HET__IMPORT_ALIGN, &device->staging);
    return code == ZE_RESULT_SUCCESS ? HET_OK
                                     : het__l0_failed(device, err, code, "zeMemAllocHost");
}

static het_status write_device(het__device *device, char *target, const char *source,
                               size_t bytes, uint64_t last_use, het_error *err)
{
    het_status s = want_staging(device, err);
    while (bytes > 0 && s == HET_OK) {
        const size_t n = bytes < STAGING_BYTES ? bytes : STAGING_BYTES;
        memcpy(device->staging, source, n);
        s = copy_now(device, target, device->staging, n, last_use, err);
        source += n;
        target += n;
        bytes -= n;
    }
    return s;
}

static het_status read_device(het__device *device, char *target, const char *source, size_t bytes,
                              uint64_t last_use, het_error *err)
{
    het_status s = want_staging(device, err);
    while (bytes > 0 && s == HET_OK) {
        const size_t n = bytes < STAGING_BYTES ? bytes : STAGING_BYTES;
        s = copy_now(device, device->staging, source, n, last_use, err);
        if (s == HET_OK)
            memcpy(target, device->staging, n);
        source += n;
        target += n;
        bytes -= n;
    }
    return s;
}

/* ---- allocations ---- */

static ze_result_t alloc_device(het__device *device, size_t bytes, void **at)
{
    const ze_device_mem_alloc_desc_t desc = { .stype = ZE_STRUCTURE_TYPE_DEVICE_MEM_ALLOC_DESC };
    return zeMemAllocDevice(device->context, &desc, bytes, HET__ALIGN, device->found.id, at);
}

static ze_result_t alloc_shared(het__device *device, size_t bytes, void **at)
{
    const ze_device_mem_alloc_desc_t desc = { .stype = ZE_STRUCTURE_TYPE_DEVICE_MEM_ALLOC_DESC };
    const ze_host_mem_alloc_desc_t host = { .stype = ZE_STRUCTURE_TYPE_HOST_MEM_ALLOC_DESC };
    return zeMemAllocShared(device->context, &desc, &host, bytes, HET__ALIGN, device->found.id,
                            at);
}

/* What kernels still use must end before its memory goes. */
static void free_when_idle(het__device *device, void *at)
{
    het_error err = HET_ERROR_INIT;
    if (!device->gpu.is_gone && het__l0_drain(device, HET__L0_PATIENCE_NS, &err) == HET_OK)
        zeMemFree(device->context, at);
}

het_status het__l0_memory_make(het__gpu *gpu, size_t bytes, const void *data,
                               het__gpu_memory **memory, het_error *err)
{
    het__device *device = het__l0_device(gpu);
    void *at = NULL;
    const ze_result_t code = alloc_device(device, bytes, &at);
    if (code != ZE_RESULT_SUCCESS)
        return het__l0_failed(device, err, code, "zeMemAllocDevice");
    const het_status s = data ? write_device(device, at, data, bytes, 0, err) : HET_OK;
    if (s != HET_OK) {
        free_when_idle(device, at);
        return s;
    }
    *memory = at;
    return HET_OK;
}

het_status het__l0_memory_read(het__gpu *gpu, het__gpu_memory *memory, size_t offset, void *target,
                               size_t bytes, het_error *err)
{
    return read_device(het__l0_device(gpu), target, (const char *)memory + offset, bytes,
                       BEHIND_ALL, err);
}

het_status het__l0_memory_write(het__gpu *gpu, het__gpu_memory *memory, size_t offset,
                                const void *source, size_t bytes, het_error *err)
{
    return write_device(het__l0_device(gpu), (char *)memory + offset, source, bytes, BEHIND_ALL,
                        err);
}

/* ---- memory of the host ---- */

static bool import_pages(het__device *device, void *host, size_t bytes, het__l0_origin *origin)
{
    if (!device->found.facts.shares_memory)
        return false;
    if (device->import_pointer && het__l0_range_take(device, host, bytes)) {
        *origin = HET__L0_POINTER;
        return true;
    }
    const memmap_desc pages = { .stype = (ze_structure_type_t)STYPE_EXTERNAL_MEMMAP_SYSMEM,
                                .memory = host, .bytes = bytes };
    const ze_host_mem_alloc_desc_t desc = { .stype = ZE_STRUCTURE_TYPE_HOST_MEM_ALLOC_DESC,
                                            .pNext = &pages };
    void *at = NULL;
    if (zeMemAllocHost(device->context, &desc, bytes, HET__IMPORT_ALIGN, &at) !=
        ZE_RESULT_SUCCESS)
        return false;
    *origin = HET__L0_MAPPED;
    if (at != host)
        zeMemFree(device->context, at);
    return at == host;
}

static void forget_pages(het__device *device, void *host, het__l0_origin origin)
{
    het_error err = HET_ERROR_INIT;
    const bool is_idle =
        !device->gpu.is_gone && het__l0_drain(device, HET__L0_PATIENCE_NS, &err) == HET_OK;
    if (origin == HET__L0_POINTER)
        het__l0_range_leave(device, host, is_idle);
    else if (is_idle)
        zeMemFree(device->context, host);
}

bool het__l0_memory_import(het__gpu *gpu, const void *host, size_t bytes,
                           het__gpu_memory **memory)
{
    het__l0_origin origin;
    void *at = (void *)(uintptr_t)host; /* kernels only read it */
    if (!import_pages(het__l0_device(gpu), at, bytes, &origin))
        return false;
    *memory = at;
    return true;
}

void het__l0_memory_free(het__gpu *gpu, het__gpu_memory *memory)
{
    het__device *device = het__l0_device(gpu);
    if (het__l0_range_begins(device, memory))
        forget_pages(device, memory, HET__L0_POINTER);
    else
        free_when_idle(device, memory);
}

het__gpu_memory *het__l0_memory_of(const het__buffer *buffer)
{
    return buffer->at;
}

/* ---- buffers ---- */

het_status het__l0_buffer_create(het__device *device, size_t bytes, het__buffer **buffer,
                                 het_error *err)
{
    if (bytes > SIZE_MAX - HET__ALIGN)
        return het__fail(err, HET_E_NOMEM, "a buffer of %zu bytes", bytes);
    const size_t whole = het__round_up(bytes ? bytes : 1, HET__ALIGN);
    const bool is_host = device->found.facts.shares_memory;
    if (whole > device->found.facts.buffer_max_bytes)
        return het__fail(err, HET_E_NOMEM,
                         "a buffer of %zu bytes is larger than the %llu that the device allows",
                         whole, (unsigned long long)device->found.facts.buffer_max_bytes);
    het__buffer *b = het__alloc_zero(device->gpu.host.mem, 1, sizeof *b);
    if (!b)
        return het__fail_nomem(err, "a buffer");
    b->is_host = is_host;
    const ze_result_t code = is_host ? alloc_shared(device, whole, &b->at)
                                     : alloc_device(device, whole, &b->at);
    het_status s = HET_OK;
    if (code != ZE_RESULT_SUCCESS)
        s = het__l0_failed(device, err, code, is_host ? "zeMemAllocShared" : "zeMemAllocDevice");
    else if (is_host)
        memset(b->at, 0, whole);
    else
        s = fill_now(device, b->at, whole, err);
    if (s != HET_OK) {
        het__l0_buffer_destroy(device, b);
        return s;
    }
    *buffer = b;
    return HET_OK;
}

void het__l0_buffer_destroy(het__device *device, het__buffer *buffer)
{
    if (buffer->at && buffer->origin == HET__L0_OWN)
        free_when_idle(device, buffer->at);
    else if (buffer->at)
        forget_pages(device, buffer->at, buffer->origin);
    het__free(device->gpu.host.mem, buffer);
}

void *het__l0_buffer_host(het__device *device, het__buffer *buffer)
{
    (void)device;
    return buffer->is_host ? buffer->at : NULL;
}

het_status het__l0_buffer_import(het__device *device, void *host, size_t bytes,
                                 het__buffer **buffer, het_error *err)
{
    assert((uintptr_t)host % HET__IMPORT_ALIGN == 0 && bytes % HET__IMPORT_ALIGN == 0);
    het__buffer *b = het__alloc_zero(device->gpu.host.mem, 1, sizeof *b);
    if (!b)
        return het__fail_nomem(err, "a buffer");
    if (!import_pages(device, host, bytes, &b->origin)) {
        het__free(device->gpu.host.mem, b);
        return het__fail(err, HET_E_UNSUPPORTED, "the driver does not take memory of the host");
    }
    b->at = host;
    b->is_host = true;
    *buffer = b;
    return HET_OK;
}

het_status het__l0_buffer_write(het__device *device, het__buffer *buffer, size_t offset,
                                const void *source, size_t bytes, het_error *err)
{
    char *at = (char *)buffer->at + offset;
    if (bytes == 0)
        return HET_OK;
    if (!buffer->is_host)
        return write_device(device, at, source, bytes, buffer->last_use, err);
    const het_status s = het__l0_drain(device, HET__L0_PATIENCE_NS, err);
    if (s == HET_OK)
        memcpy(at, source, bytes);
    return s;
}

het_status het__l0_buffer_read(het__device *device, het__buffer *buffer, size_t offset,
                               void *target, size_t bytes, het_error *err)
{
    const char *at = (const char *)buffer->at + offset;
    if (bytes == 0)
        return HET_OK;
    if (!buffer->is_host)
        return read_device(device, target, at, bytes, buffer->last_use, err);
    const het_status s = het__l0_drain(device, HET__L0_PATIENCE_NS, err);
    if (s == HET_OK)
        memcpy(target, at, bytes);
    return s;
}
