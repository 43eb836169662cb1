/* SPDX-License-Identifier: Apache-2.0 */
/* Events and their pools, and waiting on the host for whatever ends. */
#include <stdlib.h>

#include "driver.h"

ze_result_t zd_wait_for(bool (*is_done)(const void *), const zd_object *what,
                        uint64_t timeout_ns)
{
    const uint64_t deadline = zd_deadline(timeout_ns);
    const uint64_t watchdog = zd_deadline(ZE_TEST_HANG_MS * UINT64_C(1000000));
    while (!is_done(what)) {
        if (zd_is_lost(what)) {
            zd_stopped(what->device);
            return ZE_RESULT_ERROR_DEVICE_LOST;
        }
        if (zd_hangs(what) && deadline == UINT64_MAX && zd_now_ns() > watchdog)
            zd_lose(what->device, false);
        else if (!zd_wait_until(deadline))
            return ZE_RESULT_NOT_READY;
    }
    return ZE_RESULT_SUCCESS;
}

void zd_event_signal(zd_event *e, uint64_t begin_ns, uint64_t end_ns)
{
    e->is_signalled = true;
    e->resets = 0;
    e->begin_ns = begin_ns;
    e->end_ns = end_ns;
    pthread_cond_broadcast(&zd.changed);
}

ze_kernel_timestamp_result_t zd_event_times(const zd_event *e)
{
    const ze_kernel_timestamp_data_t t = { .kernelStart = zd_ticks(e->begin_ns),
                                           .kernelEnd = zd_ticks(e->end_ns) };
    return (ze_kernel_timestamp_result_t){ .global = t, .context = t };
}

bool zd_events_are_sound(const char *call, ze_event_handle_t signal, uint32_t count,
                         ze_event_handle_t *waits)
{
    bool good = (!signal || zd_is(signal, ZD_EVENT)) && (count == 0 || waits);
    for (uint32_t i = 0; good && i < count; i++)
        good = zd_is(waits[i], ZD_EVENT);
    if (!good)
        zd_complain("%s: not an event", call);
    return good;
}

/* ---- pools ---- */

static ze_result_t pool_create(ze_context_handle_t context, const ze_event_pool_desc_t *desc,
                               uint32_t count, ze_device_handle_t *devices,
                               ze_event_pool_handle_t *pool)
{
    zd_device *const device = count && devices ? (zd_device *)devices[0] : &zd.devices[0];
    const ze_result_t r = zd_enter("zeEventPoolCreate", context, ZD_CONTEXT, device);
    if (r != ZE_RESULT_SUCCESS)
        return r;
    if (desc->count == 0) {
        zd_complain("zeEventPoolCreate: no events");
        return ZE_RESULT_ERROR_INVALID_SIZE;
    }
    zd_pool *const p = zd_new(sizeof *p, ZD_POOL, device);
    if (p)
        p->events = calloc(desc->count, sizeof(zd_event *));
    if (!p || !p->events) {
        if (p)
            zd_retire(p);
        return ZE_RESULT_ERROR_OUT_OF_HOST_MEMORY;
    }
    p->context = (zd_context *)context;
    p->count = desc->count;
    p->has_timestamps = desc->flags & ZE_EVENT_POOL_FLAG_KERNEL_TIMESTAMP;
    p->is_host_visible = desc->flags & ZE_EVENT_POOL_FLAG_HOST_VISIBLE;
    *pool = (ze_event_pool_handle_t)p;
    return ZE_RESULT_SUCCESS;
}

static ze_result_t pool_destroy(ze_event_pool_handle_t pool)
{
    zd_pool *const p = (zd_pool *)pool;
    const ze_result_t r = zd_enter_release("zeEventPoolDestroy", pool, ZD_POOL);
    if (r != ZE_RESULT_SUCCESS)
        return r;
    if (p->living)
        zd_complain("zeEventPoolDestroy: %u event(s) left", (unsigned)p->living);
    zd_retire(p);
    free(p->events);
    p->events = NULL;
    return ZE_RESULT_SUCCESS;
}

/* ---- events ---- */

static ze_result_t event_create(ze_event_pool_handle_t pool, const ze_event_desc_t *desc,
                                ze_event_handle_t *event)
{
    zd_pool *const p = (zd_pool *)pool;
    const ze_result_t r = zd_enter("zeEventCreate", pool, ZD_POOL, NULL);
    if (r != ZE_RESULT_SUCCESS)
        return r;
    if (desc->index >= p->count || p->events[desc->index]) {
        zd_complain("zeEventCreate: number %u of %u%s", (unsigned)desc->index, (unsigned)p->count,
                    desc->index < p->count ? " is taken" : "");
        return ZE_RESULT_ERROR_INVALID_ARGUMENT;
    }
    zd_event *const e = zd_new(sizeof *e, ZD_EVENT, p->o.device);
    if (!e)
        return ZE_RESULT_ERROR_OUT_OF_HOST_MEMORY;
    e->pool = p;
    e->index = desc->index;
    p->events[desc->index] = e;
    p->living++;
    *event = (ze_event_handle_t)e;
    return ZE_RESULT_SUCCESS;
}

static ze_result_t event_destroy(ze_event_handle_t event)
{
    zd_event *const e = (zd_event *)event;
    const ze_result_t r = zd_enter_release("zeEventDestroy", event, ZD_EVENT);
    if (r != ZE_RESULT_SUCCESS)
        return r;
    pthread_mutex_lock(&zd.lock);
    const bool is_pending = e->pending && !zd_hangs(&e->o) && !zd_is_lost(&e->o);
    pthread_mutex_unlock(&zd.lock);
    if (is_pending)
        zd_complain("zeEventDestroy: a command will signal event %u", (unsigned)e->index);
    if (zd_is(e->pool, ZD_POOL)) {
        e->pool->events[e->index] = NULL;
        e->pool->living--;
    }
    zd_retire(e);
    return ZE_RESULT_SUCCESS;
}

static bool event_is_signalled(const void *what)
{
    return ((const zd_event *)what)->is_signalled;
}

static ze_result_t wait_for_event(const char *call, ze_event_handle_t event, uint64_t timeout_ns)
{
    zd_event *const e = (zd_event *)event;
    ze_result_t r = zd_enter(call, event, ZD_EVENT, NULL);
    if (r != ZE_RESULT_SUCCESS)
        return r;
    if (!e->pool->is_host_visible)
        zd_complain("%s: the pool is not for the host", call);
    pthread_mutex_lock(&zd.lock);
    /* Nobody may come to signal it: a wait without a limit becomes one with. */
    const bool is_hopeless = !e->pending && !e->is_signalled && timeout_ns > 0;
    const uint64_t limit = ZE_TEST_HANG_MS * UINT64_C(1000000);
    r = zd_wait_for(event_is_signalled, &e->o,
                    is_hopeless && timeout_ns > limit ? limit : timeout_ns);
    pthread_mutex_unlock(&zd.lock);
    if (is_hopeless && r == ZE_RESULT_NOT_READY)
        zd_complain("%s: nothing will signal event %u", call, (unsigned)e->index);
    return r;
}

static ze_result_t event_synchronize(ze_event_handle_t event, uint64_t timeout_ns)
{
    return wait_for_event("zeEventHostSynchronize", event, timeout_ns);
}

static ze_result_t event_status(ze_event_handle_t event)
{
    return wait_for_event("zeEventQueryStatus", event, 0);
}

static ze_result_t event_signal(ze_event_handle_t event)
{
    const ze_result_t r = zd_enter("zeEventHostSignal", event, ZD_EVENT, NULL);
    if (r != ZE_RESULT_SUCCESS)
        return r;
    const uint64_t now = zd_now_ns();
    pthread_mutex_lock(&zd.lock);
    zd_event_signal((zd_event *)event, now, now);
    pthread_mutex_unlock(&zd.lock);
    return ZE_RESULT_SUCCESS;
}

static ze_result_t event_reset(ze_event_handle_t event)
{
    zd_event *const e = (zd_event *)event;
    const ze_result_t r = zd_enter("zeEventHostReset", event, ZD_EVENT, NULL);
    if (r != ZE_RESULT_SUCCESS)
        return r;
    pthread_mutex_lock(&zd.lock);
    const bool is_pending = e->pending && !zd_hangs(&e->o);
    e->is_signalled = false;
    pthread_mutex_unlock(&zd.lock);
    if (is_pending)
        zd_complain("zeEventHostReset: a command will signal event %u", (unsigned)e->index);
    return ZE_RESULT_SUCCESS;
}

static ze_result_t event_timestamp(ze_event_handle_t event, ze_kernel_timestamp_result_t *result)
{
    zd_event *const e = (zd_event *)event;
    const ze_result_t r = zd_enter("zeEventQueryKernelTimestamp", event, ZD_EVENT, NULL);
    if (r != ZE_RESULT_SUCCESS)
        return r;
    if (!e->pool->has_timestamps) {
        zd_complain("zeEventQueryKernelTimestamp: the pool keeps no timestamps");
        return ZE_RESULT_ERROR_INVALID_ARGUMENT;
    }
    pthread_mutex_lock(&zd.lock);
    const bool is_there = e->is_signalled;
    if (is_there)
        *result = zd_event_times(e);
    pthread_mutex_unlock(&zd.lock);
    return is_there ? ZE_RESULT_SUCCESS : ZE_RESULT_NOT_READY;
}

const ze_event_pool_dditable_t zd_pool_table = {
    .pfnCreate = pool_create,
    .pfnDestroy = pool_destroy,
};

const ze_event_dditable_t zd_event_table = {
    .pfnCreate = event_create,
    .pfnDestroy = event_destroy,
    .pfnHostSignal = event_signal,
    .pfnHostSynchronize = event_synchronize,
    .pfnQueryStatus = event_status,
    .pfnHostReset = event_reset,
    .pfnQueryKernelTimestamp = event_timestamp,
};
