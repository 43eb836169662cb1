/* SPDX-License-Identifier: Apache-2.0 */
/* Pages of the host that a driver was given, counted.
 *
 * Two devices of one driver may be given the same pages, but Intel's driver forgets them when they
 * are taken back for the first time. So the process counts: a driver is asked once for a range, and
 * told once that nobody has it any more; never, if a device left that hangs and may go on using
 * the pages, which whoever gave them does not free either. */
#include "backends/intel_l0/l0.h"

/* Ranges at one time; what is more is copied instead. A session has few. */
#define RANGES 512

static struct {
    ze_driver_handle_t driver;
    void *host;
    size_t bytes;
    uint32_t users; /* 0: free */
    bool is_kept;   /* a device that may go on using it has left: nobody tells the driver */
} ranges[RANGES];
static het__mutex lock = PTHREAD_MUTEX_INITIALIZER;

/* Position of the range that begins there, or of a free one, or RANGES. */
static uint32_t find(ze_driver_handle_t driver, const void *host)
{
    uint32_t vacant = RANGES;
    for (uint32_t i = 0; i < RANGES; i++) {
        if (ranges[i].users && ranges[i].driver == driver && ranges[i].host == host)
            return i;
        if (!ranges[i].users && vacant == RANGES)
            vacant = i;
    }
    return vacant;
}

/* A page is in one range of a driver at most. */
static bool is_free(ze_driver_handle_t driver, const void *host, size_t bytes)
{
    const uintptr_t begin = (uintptr_t)host, end = begin + bytes;
    for (uint32_t i = 0; i < RANGES; i++) {
        const uintptr_t from = (uintptr_t)ranges[i].host;
        if (ranges[i].users && ranges[i].driver == driver && from < end &&
            begin < from + ranges[i].bytes)
            return false;
    }
    return true;
}

bool het__l0_range_begins(const het__device *device, const void *host)
{
    het__mutex_lock(&lock);
    const uint32_t i = find(device->found.driver, host);
    const bool begins = i < RANGES && ranges[i].users > 0;
    het__mutex_unlock(&lock);
    return begins;
}

bool het__l0_range_take(const het__device *device, void *host, size_t bytes)
{
    const ze_driver_handle_t driver = device->found.driver;
    het__mutex_lock(&lock);
    const uint32_t i = find(driver, host);
    bool good = i < RANGES;
    if (good && ranges[i].users) {
        good = ranges[i].bytes == bytes;
        ranges[i].users += good;
    } else if (good) {
        good = is_free(driver, host, bytes) &&
               device->import_pointer(driver, host, bytes) == ZE_RESULT_SUCCESS;
        ranges[i].driver = driver;
        ranges[i].host = host;
        ranges[i].bytes = bytes;
        ranges[i].users = good;
        ranges[i].is_kept = false;
    }
    het__mutex_unlock(&lock);
    return good;
}

void het__l0_range_leave(const het__device *device, void *host, bool tells)
{
    const ze_driver_handle_t driver = device->found.driver;
    het__mutex_lock(&lock);
    const uint32_t i = find(driver, host);
    if (i < RANGES && ranges[i].users) {
        ranges[i].is_kept = ranges[i].is_kept || !(tells || device->has_stopped);
        if (--ranges[i].users == 0 && tells && !ranges[i].is_kept)
            device->release_pointer(driver, host);
    }
    het__mutex_unlock(&lock);
}
