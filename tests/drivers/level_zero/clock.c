/* SPDX-License-Identifier: Apache-2.0 */
/* Time: the host's clock, the device's counter, waiting. */
#include <time.h>

#include "driver.h"

/* The counter wraps this long after the driver was loaded, so that tests meet it. */
#define WRAPS_AFTER_NS UINT64_C(1500000000)

static uint64_t zero_ns; /* when it was loaded */

uint64_t zd_now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * UINT64_C(1000000000) + (uint64_t)t.tv_nsec;
}

__attribute__((constructor)) static void begin(void)
{
    pthread_condattr_t attributes;
    zero_ns = zd_now_ns();
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&zd.changed, &attributes);
    pthread_condattr_destroy(&attributes);
}

uint64_t zd_ticks(uint64_t ns)
{
    const double second = 1e9;
    const uint64_t mask = (UINT64_C(1) << ZD_TIMESTAMP_BITS) - 1;
    const double since = (double)(int64_t)(ns - zero_ns) - (double)WRAPS_AFTER_NS;
    return (uint64_t)(int64_t)(since / second * ZD_TICKS_PER_SECOND) & mask;
}

uint64_t zd_deadline(uint64_t timeout_ns)
{
    const uint64_t now = zd_now_ns();
    return timeout_ns > UINT64_MAX - now ? UINT64_MAX : now + timeout_ns;
}

bool zd_wait_until(uint64_t deadline_ns)
{
    const uint64_t now = zd_now_ns();
    if (deadline_ns <= now)
        return false;
    /* Never longer than this at once: a lost signal costs time, no test. */
    const uint64_t most = now + UINT64_C(100000000);
    const uint64_t until = deadline_ns < most ? deadline_ns : most;
    const struct timespec t = { .tv_sec = (time_t)(until / UINT64_C(1000000000)),
                                .tv_nsec = (long)(until % UINT64_C(1000000000)) };
    pthread_cond_timedwait(&zd.changed, &zd.lock, &t);
    return true;
}

void zd_sleep_ms(uint32_t ms)
{
    const struct timespec t = { .tv_sec = ms / 1000, .tv_nsec = (long)(ms % 1000) * 1000000 };
    nanosleep(&t, NULL);
}
