/* SPDX-License-Identifier: Apache-2.0 */
/* Memory: PoCL's processor reaches whatever the host does, so that the three kinds of Level Zero
 * and imported memory differ only in what is said of them.
 *
 * Fresh memory is full of a pattern that makes no sense as a number, and so are some bytes behind
 * it, which are looked at when it is freed. */
#include <stdlib.h>
#include <string.h>

#include "driver.h"

#define FRESH 0xcb
#define FENCE_BYTES 64
#define PAGE 4096
#define ONE_MAX (UINT64_C(4) << 30) /* bytes of one allocation that did not ask for more */

static zd_memory *all; /* sorted by base */
static size_t count, room;
static uint64_t last_id;

/* Index of the first allocation that begins behind `at`. */
static size_t after(const void *at)
{
    size_t low = 0, high = count;
    while (low < high) {
        const size_t middle = (low + high) / 2;
        if ((uintptr_t)all[middle].base <= (uintptr_t)at)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

const zd_memory *zd_memory_at(const void *at)
{
    const size_t i = after(at);
    if (i == 0 || (uintptr_t)at - (uintptr_t)all[i - 1].base >= all[i - 1].bytes)
        return NULL;
    return &all[i - 1];
}

bool zd_range_is_sound(const char *what, const void *at, size_t bytes)
{
    if (!at || bytes == 0) {
        zd_complain("%s: %s", what, at ? "no bytes" : "no address");
        return false;
    }
    pthread_mutex_lock(&zd.lock);
    const zd_memory *const m = zd_memory_at(at);
    const size_t left = m ? m->bytes - (size_t)((const uint8_t *)at - m->base) : bytes;
    const size_t next = after(at);
    const bool reaches = !m && next < count && (uintptr_t)at + bytes > (uintptr_t)all[next].base;
    pthread_mutex_unlock(&zd.lock);
    if (left >= bytes && !reaches)
        return true;
    zd_complain("%s: %zu bytes at %p, where %zu are", what, bytes, at, left);
    return false;
}

static void take_out(size_t i)
{
    zd.counters.imports -= all[i].imports > 0;
    if (!all[i].imports) {
        zd.counters.live_bytes -= all[i].bytes;
        if (all[i].device)
            all[i].device->used_bytes -= all[i].bytes;
    }
    count--;
    memmove(&all[i], &all[i + 1], (count - i) * sizeof *all);
}

/* What was imported there is no more, or its address would not have come back: whoever lost a
 * device could not release it. */
static void drop_imports(const zd_memory *m, bool only_lost)
{
    bool was_lost = false;
    for (uint32_t d = 0; d < zd.device_count; d++)
        was_lost = was_lost || zd.devices[d].lost_age || zd.devices[d].hang_age;
    if (only_lost && !was_lost)
        return;
    for (size_t i = count; i-- > 0;) {
        if (!all[i].imports || m->base >= all[i].base + all[i].bytes ||
            all[i].base >= m->base + m->bytes)
            continue;
        if (!was_lost)
            zd_complain("imported memory was freed before it was released");
        take_out(i);
    }
}

/* With the lock held. */
static bool insert(const zd_memory *m)
{
    if (!m->imports)
        drop_imports(m, false);
    if (count == room) {
        const size_t more = room ? 2 * room : 64;
        zd_memory *const grown = realloc(all, more * sizeof *all);
        if (!grown)
            return false;
        all = grown;
        room = more;
    }
    const size_t i = after(m->base);
    memmove(&all[i + 1], &all[i], (count - i) * sizeof *all);
    all[i] = *m;
    all[i].id = ++last_id;
    count++;
    zd.counters.imports += m->imports > 0;
    zd.counters.allocations += !m->imports;
    if (!m->imports) {
        zd.counters.live_bytes += m->bytes;
        if (zd.counters.peak_bytes < zd.counters.live_bytes)
            zd.counters.peak_bytes = zd.counters.live_bytes;
        if (m->device)
            m->device->used_bytes += m->bytes;
    }
    return true;
}

static bool asks_for_more(const void *next)
{
    for (const ze_base_desc_t *d = next; d; d = d->pNext)
        if (d->stype == ZE_STRUCTURE_TYPE_RELAXED_ALLOCATION_LIMITS_EXP_DESC)
            return true;
    return false;
}

static ze_result_t allocate(const char *call, ze_context_handle_t context, zd_device *device,
                            ze_memory_type_t type, const void *next, size_t bytes,
                            size_t alignment, void **result)
{
    if (!result)
        return ZE_RESULT_ERROR_INVALID_NULL_POINTER;
    *result = NULL;
    if (bytes == 0 || (alignment & (alignment - 1))) {
        zd_complain("%s: %zu bytes aligned to %zu", call, bytes, alignment);
        return bytes ? ZE_RESULT_ERROR_UNSUPPORTED_ALIGNMENT : ZE_RESULT_ERROR_INVALID_SIZE;
    }
    if (bytes > ONE_MAX && !asks_for_more(next))
        return ZE_RESULT_ERROR_UNSUPPORTED_SIZE;
    pthread_mutex_lock(&zd.lock);
    const uint64_t used = device ? device->used_bytes : zd.counters.live_bytes;
    const bool fits = bytes <= zd.memory_bytes && used <= zd.memory_bytes - bytes;
    pthread_mutex_unlock(&zd.lock);
    if (!fits)
        return device ? ZE_RESULT_ERROR_OUT_OF_DEVICE_MEMORY : ZE_RESULT_ERROR_OUT_OF_HOST_MEMORY;
    alignment = alignment < 128 ? 128 : alignment;
    zd_memory m = { .bytes = bytes, .type = type, .device = device,
                    .age = ((const zd_context *)context)->o.age };
    m.base = aligned_alloc(alignment, (bytes + FENCE_BYTES + alignment - 1) / alignment *
                                          alignment);
    if (!m.base)
        return ZE_RESULT_ERROR_OUT_OF_HOST_MEMORY;
    memset(m.base, FRESH, bytes + FENCE_BYTES);
    pthread_mutex_lock(&zd.lock);
    const bool good = insert(&m);
    pthread_mutex_unlock(&zd.lock);
    if (!good) {
        free(m.base);
        return ZE_RESULT_ERROR_OUT_OF_HOST_MEMORY;
    }
    *result = m.base;
    return ZE_RESULT_SUCCESS;
}

static ze_result_t alloc_device(ze_context_handle_t context,
                                const ze_device_mem_alloc_desc_t *desc, size_t bytes,
                                size_t alignment, ze_device_handle_t device, void **result)
{
    const ze_result_t r = zd_enter("zeMemAllocDevice", context, ZD_CONTEXT, device);
    if (r != ZE_RESULT_SUCCESS)
        return r;
    return allocate("zeMemAllocDevice", context, (zd_device *)device, ZE_MEMORY_TYPE_DEVICE,
                    desc->pNext, bytes, alignment, result);
}

static ze_result_t alloc_host(ze_context_handle_t context, const ze_host_mem_alloc_desc_t *desc,
                              size_t bytes, size_t alignment, void **result)
{
    const ze_result_t r = zd_enter("zeMemAllocHost", context, ZD_CONTEXT, NULL);
    if (r != ZE_RESULT_SUCCESS)
        return r;
    return allocate("zeMemAllocHost", context, NULL, ZE_MEMORY_TYPE_HOST, desc->pNext, bytes,
                    alignment, result);
}

static ze_result_t alloc_shared(ze_context_handle_t context,
                                const ze_device_mem_alloc_desc_t *desc,
                                const ze_host_mem_alloc_desc_t *host, size_t bytes,
                                size_t alignment, ze_device_handle_t device, void **result)
{
    const ze_result_t r = zd_enter("zeMemAllocShared", context, ZD_CONTEXT, device);
    if (r != ZE_RESULT_SUCCESS)
        return r;
    (void)host;
    return allocate("zeMemAllocShared", context, (zd_device *)device, ZE_MEMORY_TYPE_SHARED,
                    desc->pNext, bytes, alignment, result);
}

/* With the lock held: the index of what begins there; count: nothing does. */
static size_t find(const void *base)
{
    const size_t i = after(base);
    return i > 0 && all[i - 1].base == base ? i - 1 : count;
}

static void look_behind(const zd_memory *m)
{
    size_t i = 0;
    while (i < FENCE_BYTES && m->base[m->bytes + i] == FRESH)
        i++;
    if (i < FENCE_BYTES)
        zd_complain("written %zu bytes past the end of %zu bytes of memory", i, m->bytes);
}

static ze_result_t give_back(const char *call, ze_context_handle_t context, void *at)
{
    const ze_result_t r = zd_enter_release(call, context, ZD_CONTEXT);
    if (r != ZE_RESULT_SUCCESS)
        return r;
    pthread_mutex_lock(&zd.lock);
    const size_t i = find(at);
    zd_memory m = { .base = NULL };
    if (i < count && !all[i].imports) {
        m = all[i];
        take_out(i);
    }
    pthread_mutex_unlock(&zd.lock);
    if (!m.base) {
        zd_complain("%s: nothing was allocated at %p", call, at);
        return ZE_RESULT_ERROR_INVALID_ARGUMENT;
    }
    look_behind(&m);
    memset(m.base, FRESH, m.bytes);
    free(m.base);
    return ZE_RESULT_SUCCESS;
}

static ze_result_t mem_free(ze_context_handle_t context, void *at)
{
    return give_back("zeMemFree", context, at);
}

static ze_result_t free_ext(ze_context_handle_t context, const ze_memory_free_ext_desc_t *desc,
                            void *at)
{
    (void)desc;
    return give_back("zeMemFreeExt", context, at);
}

static ze_result_t get_alloc_properties(ze_context_handle_t context, const void *at,
                                        ze_memory_allocation_properties_t *properties,
                                        ze_device_handle_t *device)
{
    const ze_result_t r = zd_enter("zeMemGetAllocProperties", context, ZD_CONTEXT, NULL);
    if (r != ZE_RESULT_SUCCESS)
        return r;
    pthread_mutex_lock(&zd.lock);
    const zd_memory *m = zd_memory_at(at);
    /* Imported memory stays the host's, unknown to this call. */
    m = m && m->imports ? NULL : m;
    properties->type = m ? m->type : ZE_MEMORY_TYPE_UNKNOWN;
    properties->id = m ? m->id : 0;
    properties->pageSize = m ? PAGE : 0;
    if (device)
        *device = m ? (ze_device_handle_t)m->device : NULL;
    pthread_mutex_unlock(&zd.lock);
    return ZE_RESULT_SUCCESS;
}

static ze_result_t get_address_range(ze_context_handle_t context, const void *at, void **base,
                                     size_t *bytes)
{
    const ze_result_t r = zd_enter("zeMemGetAddressRange", context, ZD_CONTEXT, NULL);
    if (r != ZE_RESULT_SUCCESS)
        return r;
    pthread_mutex_lock(&zd.lock);
    const zd_memory *const m = zd_memory_at(at);
    if (m && base)
        *base = m->base;
    if (m && bytes)
        *bytes = m->bytes;
    pthread_mutex_unlock(&zd.lock);
    return m ? ZE_RESULT_SUCCESS : ZE_RESULT_ERROR_UNKNOWN;
}

/* As Intel's driver does it: who imports a range again is told yes, but the range is forgotten when
 * it is released first. */
ze_result_t zd_import(ze_driver_handle_t driver, void *at, size_t bytes)
{
    const ze_result_t r = zd_enter("zexDriverImportExternalPointer", driver, ZD_DRIVER, NULL);
    if (r != ZE_RESULT_SUCCESS)
        return r;
    if (!zd_range_is_sound("zexDriverImportExternalPointer", at, bytes))
        return ZE_RESULT_ERROR_INVALID_ARGUMENT;
    pthread_mutex_lock(&zd.lock);
    const zd_memory m = { .base = at, .bytes = bytes, .type = ZE_MEMORY_TYPE_HOST,
                          .imports = 1, .age = zd.age };
    const size_t i = find(at);
    const bool is_again = i < count && all[i].imports && all[i].bytes == bytes;
    if (!is_again)
        drop_imports(&m, true);
    const bool is_new = !zd_memory_at(at) && !zd_memory_at((uint8_t *)at + bytes - 1);
    const bool good = is_again || (is_new && insert(&m));
    pthread_mutex_unlock(&zd.lock);
    if (!is_new && !is_again)
        zd_complain("zexDriverImportExternalPointer: %p is allocated or imported already", at);
    return good ? ZE_RESULT_SUCCESS : ZE_RESULT_ERROR_INVALID_ARGUMENT;
}

ze_result_t zd_release_import(ze_driver_handle_t driver, void *at)
{
    const ze_result_t r =
        zd_enter_release("zexDriverReleaseImportedPointer", driver, ZD_DRIVER);
    if (r != ZE_RESULT_SUCCESS)
        return r;
    pthread_mutex_lock(&zd.lock);
    const size_t i = find(at);
    const bool good = i < count && all[i].imports;
    if (good)
        take_out(i);
    pthread_mutex_unlock(&zd.lock);
    if (!good)
        zd_complain("zexDriverReleaseImportedPointer: %p was not imported", at);
    return good ? ZE_RESULT_SUCCESS : ZE_RESULT_ERROR_INVALID_ARGUMENT;
}

void zd_free_memory(const zd_device *device, uint64_t age)
{
    pthread_mutex_lock(&zd.lock);
    for (size_t i = count; i-- > 0;) {
        const zd_memory m = all[i];
        if (m.device != device || m.age > age)
            continue;
        take_out(i);
        if (!m.imports)
            free(m.base);
    }
    pthread_mutex_unlock(&zd.lock);
}

void zd_count_memory_left(void)
{
    size_t bytes = 0;
    for (size_t i = 0; i < count; i++)
        bytes += all[i].bytes;
    if (count)
        zd_complain("at exit: %zu allocation(s) of %zu bytes not freed", count, bytes);
}

const ze_mem_dditable_t zd_mem_table = {
    .pfnAllocShared = alloc_shared,
    .pfnAllocDevice = alloc_device,
    .pfnAllocHost = alloc_host,
    .pfnFree = mem_free,
    .pfnGetAllocProperties = get_alloc_properties,
    .pfnGetAddressRange = get_address_range,
    .pfnFreeExt = free_ext,
};
