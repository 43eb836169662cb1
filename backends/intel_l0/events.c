/* SPDX-License-Identifier: Apache-2.0 */
/* Programs under way: which have ended, and when they ran.
 *
 *     ring of HET__L0_RING runs:   retired … | under way …  (enqueued - retired) | free …
 *
 * Each run has two events, made when the device was opened: one of its first kernel, one of a
 * barrier behind its last. Both have times by the device's clock, which has few bits and goes round
 * within minutes; they are brought to the host's clock from a moment at which both were read, at
 * most a second before. A driver that gives no times makes spans unknown, and nothing else.
 *
 * No wait but one that the core asks for without a limit is unbounded. */
#include "backends/intel_l0/l0.h"

#include <assert.h>

#include "backends/gpu/sent.h"
#include "lib/base/error.h"
#include "lib/base/os.h"

#define CLOCK_HOLDS_NS 1000000000u
/* Drivers that stand in for Intel's compile a kernel when it first runs. */
#define FIRST_RUN_TIMES 20
#define SLICE_NS 1000000000u
#define WAITS_AGAIN 3

/* ---- order ---- */

het_status het__l0_order(het__device *device, het_error *err)
{
    if (device->is_in_order || !device->has_unordered)
        return HET_OK;
    const ze_result_t code = zeCommandListAppendBarrier(device->list, NULL, 0, NULL);
    if (code != ZE_RESULT_SUCCESS)
        return het__l0_failed(device, err, code, "zeCommandListAppendBarrier");
    device->has_unordered = false;
    return HET_OK;
}

/* ---- waiting ---- */

static het_status not_in_time(het__device *device, uint64_t timeout_ns, het_error *err)
{
    device->gpu.is_gone = true;
    return het__fail_native(err, HET_E_TIMEOUT, ZE_RESULT_NOT_READY,
                            "the device has not answered for %llu ms",
                            (unsigned long long)(timeout_ns / 1000000));
}

/* What runs may go on after a wait that failed: until it has ended nothing can be freed or run
 * again, so that a device which cannot be waited for at all hangs. */
static het_status wait_failed(het__device *device, ze_event_handle_t event, ze_result_t code,
                              het_error *err)
{
    ze_result_t again = code;
    for (int i = 0; i < WAITS_AGAIN && again != ZE_RESULT_SUCCESS &&
                    again != ZE_RESULT_ERROR_DEVICE_LOST; i++)
        again = zeEventHostSynchronize(event, HET__L0_PATIENCE_NS / WAITS_AGAIN);
    if (again == ZE_RESULT_SUCCESS)
        return het__l0_failed(device, err, code, "zeEventHostSynchronize");
    if (again != ZE_RESULT_ERROR_DEVICE_LOST)
        again = ZE_RESULT_NOT_READY;
    return het__l0_failed(device, err, again, "zeEventHostSynchronize");
}

het_status het__l0_await(het__device *device, ze_event_handle_t event, uint64_t timeout_ns,
                         het_error *err)
{
    const uint64_t begin = het__now_ns();
    for (;;) {
        const uint64_t passed = het__now_ns() - begin;
        uint64_t slice = SLICE_NS;
        if (timeout_ns && timeout_ns < passed + slice)
            slice = timeout_ns > passed ? timeout_ns - passed : 0;
        const ze_result_t code = zeEventHostSynchronize(event, slice);
        if (code == ZE_RESULT_SUCCESS)
            return HET_OK;
        if (code != ZE_RESULT_NOT_READY)
            return wait_failed(device, event, code, err);
        if (timeout_ns && het__now_ns() - begin >= timeout_ns)
            return not_in_time(device, timeout_ns, err);
    }
}

/* ---- clock ---- */

/* False: the driver does not say. */
static bool read_clock(het__device *device)
{
    uint64_t host, ticks;
    const uint64_t now = het__now_ns();
    if (device->found.tick_ns == 0)
        return false;
    if (device->clock_ns && now - device->clock_ns < CLOCK_HOLDS_NS)
        return true;
    if (zeDeviceGetGlobalTimestamps(device->found.id, &host, &ticks) != ZE_RESULT_SUCCESS) {
        device->found.tick_ns = 0;
        return false;
    }
    device->clock_ns = het__now_ns();
    device->clock_ticks = ticks;
    return true;
}

/* A time of a kernel, which lies less than half a round of its clock from the moment that was
 * read. */
static uint64_t host_time(const het__device *device, uint64_t ticks)
{
    const uint64_t mask = device->found.kernel_mask & device->found.clock_mask;
    const uint64_t ahead = (ticks - device->clock_ticks) & mask;
    const uint64_t behind = (device->clock_ticks - ticks) & mask;
    const uint64_t ns = (uint64_t)((double)(ahead < behind ? ahead : behind) *
                                   device->found.tick_ns);
    return ahead < behind ? device->clock_ns + ns : device->clock_ns - ns;
}

bool het__l0_times(het__device *device, ze_event_handle_t first, ze_event_handle_t last,
                   uint64_t *begin_ns, uint64_t *end_ns)
{
    ze_kernel_timestamp_result_t begin, end;
    if (zeEventQueryKernelTimestamp(first, &begin) != ZE_RESULT_SUCCESS ||
        zeEventQueryKernelTimestamp(last, &end) != ZE_RESULT_SUCCESS || !read_clock(device))
        return false;
    *begin_ns = host_time(device, begin.global.kernelStart);
    *end_ns = host_time(device, end.global.kernelEnd);
    return *end_ns >= *begin_ns;
}

/* ---- retiring ---- */

static void retire(het__device *device)
{
    het__l0_run *run = &device->ring[device->retired++ % HET__L0_RING];
    uint64_t from, to;
    run->begin_ns = run->end_ns = 0;
    if (!run->has_first || !het__l0_times(device, run->first, run->last, &from, &to))
        return;
    run->begin_ns = from;
    run->end_ns = to;
    device->gpu.counters.busy_ns += to - from;
}

static uint64_t limit_of(const het__device *device, uint64_t count, uint64_t timeout_ns)
{
    if (!device->found.is_stand_in || timeout_ns > UINT64_MAX / FIRST_RUN_TIMES)
        return timeout_ns;
    for (uint64_t i = device->retired; i < count; i++)
        if (device->ring[i % HET__L0_RING].is_first)
            return timeout_ns * FIRST_RUN_TIMES;
    return timeout_ns;
}

het_status het__l0_wait_for(het__device *device, uint64_t count, uint64_t timeout_ns,
                            het_error *err)
{
    assert(count <= device->enqueued);
    if (count <= device->retired)
        return HET_OK;
    const het_status s =
        het__l0_await(device, device->ring[(count - 1) % HET__L0_RING].last,
                      limit_of(device, count, timeout_ns), err);
    if (s != HET_OK) {
        het__gpu_sent_forget(&device->gpu);
        return s;
    }
    while (device->retired < count)
        retire(device);
    return het__gpu_sent_check(&device->gpu, err);
}

het_status het__l0_wait(het__device *device, uint64_t timeout_ns, het_error *err)
{
    return het__l0_wait_for(device, device->enqueued, timeout_ns, err);
}

bool het__l0_span(het__device *device, uint64_t count, uint64_t *begin_ns, uint64_t *end_ns)
{
    if (count == 0 || count > device->retired || count + HET__L0_RING <= device->enqueued)
        return false;
    const het__l0_run *run = &device->ring[(count - 1) % HET__L0_RING];
    *begin_ns = run->begin_ns;
    *end_ns = run->end_ns;
    return run->end_ns != 0;
}

/* Copies that block have ended by themselves, and a program that is being started has not been
 * waited for by anybody: only whole programs are. */
het_status het__l0_drain(het__device *device, uint64_t timeout_ns, het_error *err)
{
    return het__l0_wait(device, timeout_ns, err);
}

ze_event_handle_t het__l0_end_of(const het__device *device, uint64_t count)
{
    return count > device->retired ? device->ring[(count - 1) % HET__L0_RING].last : NULL;
}

/* ---- starting ---- */

het_status het__l0_run_begin(het__gpu *gpu, bool is_first, het_error *err)
{
    het__device *device = het__l0_device(gpu);
    if (device->enqueued - device->retired == HET__L0_RING) {
        const het_status s = het__l0_wait_for(device, device->retired + 1,
                                               HET__L0_PATIENCE_NS, err);
        if (s != HET_OK)
            return s;
    }
    het__l0_run *run = &device->ring[device->enqueued % HET__L0_RING];
    ze_result_t code = zeEventHostReset(run->first);
    if (code == ZE_RESULT_SUCCESS)
        code = zeEventHostReset(run->last);
    if (code != ZE_RESULT_SUCCESS)
        return het__l0_failed(device, err, code, "zeEventHostReset");
    run->has_first = false;
    run->is_first = is_first;
    run->begin_ns = run->end_ns = 0;
    device->open_run = run;
    return HET_OK;
}

het_status het__l0_signal_end(het__device *device, ze_event_handle_t event, het_error *err)
{
    const ze_result_t code = zeCommandListAppendBarrier(device->list, event, 0, NULL);
    if (code != ZE_RESULT_SUCCESS)
        return het__l0_failed(device, err, code, "zeCommandListAppendBarrier");
    device->has_unordered = false;
    return HET_OK;
}

het_status het__l0_own_reset(het__device *device, het_error *err)
{
    const ze_result_t code =
        device->own_is_used ? zeEventHostReset(device->own) : ZE_RESULT_SUCCESS;
    if (code != ZE_RESULT_SUCCESS)
        return het__l0_failed(device, err, code, "zeEventHostReset");
    device->own_is_used = true;
    return HET_OK;
}

het_status het__l0_pass(het__device *device, het_error *err)
{
    het_status s = het__l0_own_reset(device, err);
    if (s == HET_OK)
        s = het__l0_signal_end(device, device->own, err);
    return s == HET_OK ? het__l0_await(device, device->own, HET__L0_PATIENCE_NS, err) : s;
}

het_status het__l0_run_end(het__gpu *gpu, het_error *err)
{
    het__device *device = het__l0_device(gpu);
    const het_status s = het__l0_signal_end(device, device->open_run->last, err);
    if (s != HET_OK) {
        /* The core may run the program again, here or elsewhere: it must not be under way. */
        het__l0_run_drop(gpu);
        return s;
    }
    device->open_run = NULL;
    device->enqueued++;
    return HET_OK;
}

void het__l0_run_drop(het__gpu *gpu)
{
    het__device *device = het__l0_device(gpu);
    het__l0_run *run = device->open_run;
    het_error err = HET_ERROR_INIT;
    device->open_run = NULL;
    if (gpu->is_gone)
        return;
    /* Even before its first kernel: a barrier may have gone ahead. */
    if (het__l0_signal_end(device, run->last, &err) != HET_OK ||
        het__l0_await(device, run->last, HET__L0_PATIENCE_NS, &err) != HET_OK)
        gpu->is_gone = true;
}
