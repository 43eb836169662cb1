/* SPDX-License-Identifier: Apache-2.0 */
/* Handles: made, looked at, retired; calls are counted and complaints written here. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "driver.h"

#define ALIVE 0x7a64616cu
#define RETIRED 0x7a646465u
#define CALLS_MAX 256

zd_driver zd = { .lock = PTHREAD_MUTEX_INITIALIZER, .age = 1 };

static zd_object *objects; /* for looking at what is left; zd.lock */
static uint64_t complaints;
static struct {
    const char *name;
    uint64_t count;
} calls[CALLS_MAX];

static const char *const kinds[ZD_KIND_COUNT] = { "nothing", "driver", "device", "context",
                                                  "module", "build log", "kernel",
                                                  "command list", "command queue", "fence",
                                                  "event pool", "event", "sensor" };

void zd_complain(const char *format, ...)
{
    char line[400];
    va_list list;
    va_start(list, format);
    vsnprintf(line, sizeof line, format, list);
    va_end(list);
    fprintf(stderr, "ze-test-driver: %s\n", line);
    __atomic_add_fetch(&complaints, 1, __ATOMIC_RELAXED);
    const char *strict = getenv("HETINFER_ZE_STRICT");
    if (strict && strcmp(strict, "1") == 0)
        abort();
}

uint64_t ze_test_complaints(void)
{
    return __atomic_load_n(&complaints, __ATOMIC_RELAXED);
}

void *zd_new(size_t bytes, zd_kind kind, zd_device *device)
{
    zd_object *o = calloc(1, bytes);
    if (!o)
        return NULL;
    o->magic = ALIVE;
    o->kind = kind;
    o->device = device;
    pthread_mutex_lock(&zd.lock);
    o->age = zd.age;
    o->next = objects;
    objects = o;
    zd.counters.objects++;
    pthread_mutex_unlock(&zd.lock);
    return o;
}

void zd_retire(void *object)
{
    zd_object *o = object;
    pthread_mutex_lock(&zd.lock);
    o->magic = RETIRED;
    zd.counters.objects--;
    pthread_cond_broadcast(&zd.changed);
    pthread_mutex_unlock(&zd.lock);
}

bool zd_is_lost(const zd_object *o)
{
    return o->device && o->age <= o->device->lost_age;
}

bool zd_hangs(const zd_object *o)
{
    return o->device && o->age <= o->device->hang_age;
}

/* Devices share contexts, so that the oldest loss of any counts for them. */
static uint64_t oldest_loss(void)
{
    uint64_t age = 0;
    for (uint32_t i = 0; i < zd.device_count; i++) {
        const zd_device *const d = &zd.devices[i];
        age = d->hang_age > age ? d->hang_age : age;
        age = d->lost_age > age ? d->lost_age : age;
    }
    return age;
}

void zd_reclaim(void)
{
    const uint64_t lost = oldest_loss();
    const uint64_t age = lost < zd.age ? lost : zd.age;
    for (int lists = 1; lists >= 0; lists--) /* a list ends its queue */
        for (zd_object *o = objects; o; o = o->next) {
            const bool is_of_device = o->device && (zd_is_lost(o) || zd_hangs(o));
            if (o->magic != ALIVE || o->kind == ZD_SENSOR || o->kind <= ZD_DEVICE ||
                !(is_of_device || (o->kind == ZD_CONTEXT && o->age <= age)))
                continue;
            if (o->kind == ZD_LIST)
                zd_drop_list((zd_list *)o);
            else if (!lists && o->kind == ZD_QUEUE)
                zd_queue_stop((zd_queue *)o);
            else if (lists)
                continue;
            zd_retire(o);
        }
    for (uint32_t i = 0; i < zd.device_count; i++)
        zd_free_memory(&zd.devices[i], zd.devices[i].lost_age > zd.devices[i].hang_age
                                           ? zd.devices[i].lost_age : zd.devices[i].hang_age);
    zd_free_memory(NULL, age);
}

bool zd_is(const void *object, zd_kind kind)
{
    const zd_object *o = object;
    return o && o->magic == ALIVE && o->kind == kind;
}

static ze_result_t look_at(const char *call, const void *object, zd_kind kind)
{
    const zd_object *o = object;
    if (zd_is(object, kind))
        return ZE_RESULT_SUCCESS;
    if (!o)
        zd_complain("%s: no %s", call, kinds[kind]);
    else if (o->magic == RETIRED)
        zd_complain("%s: a %s that was destroyed", call,
                    o->kind < ZD_KIND_COUNT ? kinds[o->kind] : "handle");
    else
        zd_complain("%s: not a %s", call, kinds[kind]);
    return ZE_RESULT_ERROR_INVALID_NULL_HANDLE;
}

/* With the lock held. */
static void count_call(const char *call)
{
    for (int i = 0; i < CALLS_MAX; i++) {
        if (!calls[i].name)
            calls[i].name = call;
        if (strcmp(calls[i].name, call) == 0) {
            calls[i].count++;
            return;
        }
    }
}

uint64_t ze_test_calls(const char *name)
{
    uint64_t count = 0;
    pthread_mutex_lock(&zd.lock);
    for (int i = 0; i < CALLS_MAX && calls[i].name; i++)
        if (strcmp(calls[i].name, name) == 0)
            count = calls[i].count;
    pthread_mutex_unlock(&zd.lock);
    return count;
}

void ze_test_counts(ze_test_counters *counters)
{
    pthread_mutex_lock(&zd.lock);
    *counters = zd.counters;
    pthread_mutex_unlock(&zd.lock);
}

void ze_test_reset(void)
{
    zd_reclaim();
    pthread_mutex_lock(&zd.lock);
    memset(calls, 0, sizeof calls);
    for (uint32_t i = 0; i < ZE_TEST_DEVICES_MAX; i++)
        zd.devices[i].lost_age = zd.devices[i].hang_age = 0;
    pthread_mutex_unlock(&zd.lock);
    __atomic_store_n(&complaints, 0, __ATOMIC_RELAXED);
    ze_test_arm(NULL);
}

void ze_test_abandon(void)
{
    pthread_mutex_lock(&zd.lock);
    for (uint32_t i = 0; i < zd.device_count; i++)
        zd_lose(&zd.devices[i], false);
    pthread_mutex_unlock(&zd.lock);
    ze_test_reset();
}

ze_result_t zd_enter(const char *call, const void *object, zd_kind kind, const void *device)
{
    ze_result_t r = look_at(call, object, kind);
    if (r == ZE_RESULT_SUCCESS && device)
        r = look_at(call, device, ZD_DEVICE);
    if (r != ZE_RESULT_SUCCESS)
        return r;
    zd_device *const d = device ? (zd_device *)device
                         : kind == ZD_DEVICE ? (zd_device *)object
                                             : ((const zd_object *)object)->device;
    pthread_mutex_lock(&zd.lock);
    count_call(call);
    r = zd_fault_of_call(call, d);
    /* A context is of no device: it is lost with the one that the call is for. */
    const uint64_t age = kind == ZD_DEVICE ? zd.age : ((const zd_object *)object)->age;
    if (r == ZE_RESULT_SUCCESS && d && age <= d->lost_age)
        r = ZE_RESULT_ERROR_DEVICE_LOST;
    for (uint32_t i = 0; i < zd.device_count && r == ZE_RESULT_ERROR_DEVICE_LOST; i++)
        if (!d || d == &zd.devices[i])
            zd_stopped(&zd.devices[i]);
    pthread_mutex_unlock(&zd.lock);
    return r;
}

ze_result_t zd_enter_release(const char *call, const void *object, zd_kind kind)
{
    const ze_result_t r = look_at(call, object, kind);
    pthread_mutex_lock(&zd.lock);
    count_call(call);
    pthread_mutex_unlock(&zd.lock);
    return r;
}

void zd_report_leaks(void)
{
    uint32_t left[ZD_KIND_COUNT] = { 0 };
    for (const zd_object *o = objects; o; o = o->next)
        left[o->kind] += o->magic == ALIVE && o->kind != ZD_SENSOR;
    for (int k = ZD_CONTEXT; k < ZD_KIND_COUNT; k++)
        if (left[k])
            zd_complain("at exit: %u %s(s) not destroyed", (unsigned)left[k], kinds[k]);
    zd_count_memory_left();
}

/* When the loader lets go of the driver, at the end of the process. */
__attribute__((destructor)) static void at_exit(void)
{
    if (!zd.is_ready)
        return;
    zd_reclaim();
    zd_report_leaks();
}
