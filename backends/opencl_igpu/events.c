/* SPDX-License-Identifier: Apache-2.0 */
/* Programs under way: which have ended, and when they ran.
 *
 *     ring of HET__CL_RING runs:   retired … | under way …  (enqueued - retired) | free …
 *
 * Each run keeps the events of its first and its last launch until it is retired, that is, known
 * to have ended. OpenCL cannot wait with a limit, so that is done by asking, with pauses that grow
 * with the time that has passed: at most an eighth of it is added. Where the programs have run
 * before, the pauses get shorter towards the time at which they should end, are naps around it, and
 * grow again only behind it. Looking without pauses would take a processor from drivers that work
 * on it, and who only yields waits for a whole slice of time of whoever else runs.
 *
 * The device's clock is brought to the host's by what was true when an event was seen to have
 * ended: the smallest difference seen is nearest to the truth, and is forgotten after a while,
 * since clocks drift. */
#include "backends/opencl_igpu/opencl.h"

#include <assert.h>

#include "backends/gpu/sent.h"
#include "lib/base/error.h"
#include "lib/base/nap.h"
#include "lib/base/os.h"

#define CLOCK_HOLDS_NS 10000000000u
/* Drivers for processors compile a kernel when it first runs. */
#define FIRST_RUN_TIMES 20
#define PAUSE_LEAST_NS 10000u
#define PAUSE_MOST_NS 2000000u
/* So near to the time at which something should end there are only naps. */
#define NEAR_NS 100000u
#define NAP_NS 5000u
/* A time below is none: Mesa's rusticl (22.3) says 2 and 3 for the start and end of everything. It
 * has clocks when clGetEventProfilingInfo() gives events in a row times in a row. */
#define TIME_LEAST_NS 1000u

/* ---- clock ---- */

static void clock_seen(het__device *device, uint64_t ended)
{
    const uint64_t now = het__now_ns();
    const int64_t difference = (int64_t)(now - ended);
    if (device->clock_set_ns && difference > device->clock_ns &&
        now - device->clock_set_ns < CLOCK_HOLDS_NS)
        return;
    device->clock_ns = difference;
    device->clock_set_ns = now;
}

static uint64_t time_of(cl_event event, cl_profiling_info what)
{
    cl_ulong ns = 0;
    return clGetEventProfilingInfo(event, what, sizeof ns, &ns, NULL) == CL_SUCCESS ? ns : 0;
}

/* ---- retiring ---- */

/* is_fresh: the run has just ended. */
static void retire(het__device *device, bool is_fresh)
{
    het__cl_run *run = &device->ring[device->retired++ % HET__CL_RING];
    run->begin_ns = run->end_ns = 0;
    if (!run->last)
        return;
    const uint64_t begin = time_of(run->first ? run->first : run->last, CL_PROFILING_COMMAND_START);
    const uint64_t end = time_of(run->last, CL_PROFILING_COMMAND_END);
    if (begin >= TIME_LEAST_NS && end >= begin) {
        if (is_fresh)
            clock_seen(device, end);
        run->begin_ns = begin;
        run->end_ns = end;
        device->gpu.counters.busy_ns += end - begin;
    }
    if (run->program)
        ((het__cl_program *)run->program->own)->last_ns = run->end_ns - run->begin_ns;
    if (run->first)
        clReleaseEvent(run->first);
    clReleaseEvent(run->last);
    run->first = run->last = NULL;
}

static void retire_to(het__device *device, uint64_t count)
{
    while (device->retired < count)
        retire(device, device->retired + 1 == count);
}

/* A run without launches ends with the one before it. */
cl_event het__cl_last_event(const het__device *device, uint64_t count)
{
    for (uint64_t i = count; i > device->retired; i--)
        if (device->ring[(i - 1) % HET__CL_RING].last)
            return device->ring[(i - 1) % HET__CL_RING].last;
    return NULL;
}

/* ---- waiting ---- */

/* When the first count programs should have ended, each behind the one before it; 0: not known. */
static uint64_t expected_end(const het__device *device, uint64_t count)
{
    uint64_t end = 0;
    for (uint64_t i = device->retired; i < count; i++) {
        const het__cl_run *run = &device->ring[i % HET__CL_RING];
        if (!run->last)
            continue;
        const het__cl_program *p = run->program ? run->program->own : NULL;
        if (!p || !p->last_ns)
            return 0;
        end = (end > run->enqueued_ns ? end : run->enqueued_ns) + p->last_ns;
    }
    return end;
}

/* 0: a nap. */
static uint64_t pause_of(uint64_t now, uint64_t begin, uint64_t expected)
{
    const uint64_t off = expected > now ? expected - now : now - expected;
    uint64_t pause = (now - begin) / 8;
    if (off < NEAR_NS)
        return 0;
    if (expected > now && (off - NEAR_NS) / 4 < pause)
        pause = (off - NEAR_NS) / 4;
    else if (expected > begin && expected <= now && off / 8 < pause)
        pause = off / 8;
    pause = pause < PAUSE_LEAST_NS ? PAUSE_LEAST_NS : pause;
    return pause > PAUSE_MOST_NS ? PAUSE_MOST_NS : pause;
}

static het_status wait_limited(het__device *device, cl_event event, uint64_t expected,
                               uint64_t timeout_ns, het_error *err)
{
    const uint64_t begin = het__now_ns();
    for (;;) {
        cl_int state = CL_COMPLETE;
        const cl_int code = clGetEventInfo(event, CL_EVENT_COMMAND_EXECUTION_STATUS, sizeof state,
                                           &state, NULL);
        if (code != CL_SUCCESS)
            return het__cl_failed(device, err, code, "clGetEventInfo");
        if (state < 0)
            return het__cl_failed(device, err, state, "a kernel");
        if (state == CL_COMPLETE)
            return HET_OK;
        const uint64_t now = het__now_ns(), passed = now - begin;
        if (passed >= timeout_ns) {
            device->gpu.is_gone = true;
            return het__fail(err, HET_E_TIMEOUT, "the device has not answered for %llu ms",
                             (unsigned long long)(timeout_ns / 1000000));
        }
        const uint64_t pause = pause_of(now, begin, expected);
        if (pause)
            het__sleep_ns(pause < timeout_ns - passed ? pause : timeout_ns - passed);
        else
            het__nap_ns(NAP_NS);
    }
}

static het_status wait_unlimited(het__device *device, cl_event event, het_error *err)
{
    const cl_int code = clWaitForEvents(1, &event);
    if (code == CL_SUCCESS)
        return HET_OK;
    cl_int state = code;
    if (code == CL_EXEC_STATUS_ERROR_FOR_EVENTS_IN_WAIT_LIST)
        clGetEventInfo(event, CL_EVENT_COMMAND_EXECUTION_STATUS, sizeof state, &state, NULL);
    return het__cl_failed(device, err, state < 0 ? state : code,
                          state < 0 ? "a kernel" : "clWaitForEvents");
}

static uint64_t limit_of(const het__device *device, uint64_t count, uint64_t timeout_ns)
{
    if (device->found.info.kind != HET_DEVICE_CPU || timeout_ns > UINT64_MAX / FIRST_RUN_TIMES)
        return timeout_ns;
    for (uint64_t i = device->retired; i < count; i++)
        if (device->ring[i % HET__CL_RING].is_first)
            return timeout_ns * FIRST_RUN_TIMES;
    return timeout_ns;
}

het_status het__cl_wait_for(het__device *device, uint64_t count, uint64_t timeout_ns,
                            het_error *err)
{
    assert(count <= device->enqueued);
    if (count <= device->retired)
        return HET_OK;
    timeout_ns = limit_of(device, count, timeout_ns);
    cl_event event = het__cl_last_event(device, count);
    if (event) {
        const cl_int code = clFlush(device->queue);
        if (code != CL_SUCCESS)
            return het__cl_failed(device, err, code, "clFlush");
        const het_status s =
            timeout_ns ? wait_limited(device, event, expected_end(device, count), timeout_ns, err)
                       : wait_unlimited(device, event, err);
        if (s != HET_OK) {
            het__gpu_sent_forget(&device->gpu);
            return s;
        }
    }
    retire_to(device, count);
    return het__gpu_sent_check(&device->gpu, err);
}

het_status het__cl_wait(het__device *device, uint64_t timeout_ns, het_error *err)
{
    return het__cl_wait_for(device, device->enqueued, timeout_ns, err);
}

bool het__cl_span(het__device *device, uint64_t count, uint64_t *begin_ns, uint64_t *end_ns)
{
    if (count == 0 || count > device->retired || count + HET__CL_RING <= device->enqueued)
        return false;
    const het__cl_run *run = &device->ring[(count - 1) % HET__CL_RING];
    if (!run->end_ns || !device->clock_set_ns)
        return false;
    *begin_ns = (uint64_t)((int64_t)run->begin_ns + device->clock_ns);
    *end_ns = (uint64_t)((int64_t)run->end_ns + device->clock_ns);
    return true;
}

bool het__cl_times(const het__device *device, cl_event event, uint64_t *begin_ns, uint64_t *end_ns)
{
    const uint64_t begin = time_of(event, CL_PROFILING_COMMAND_START);
    const uint64_t end = time_of(event, CL_PROFILING_COMMAND_END);
    if (begin < TIME_LEAST_NS || end < begin || !device->clock_set_ns)
        return false;
    *begin_ns = (uint64_t)((int64_t)begin + device->clock_ns);
    *end_ns = (uint64_t)((int64_t)end + device->clock_ns);
    return true;
}

/* ---- starting ---- */

het_status het__cl_run_begin(het__device *device, het_error *err)
{
    if (device->enqueued - device->retired == HET__CL_RING) {
        const het_status s = het__cl_wait_for(device, device->retired + 1, 0, err);
        if (s != HET_OK)
            return s;
    }
    device->open_run = &device->ring[device->enqueued % HET__CL_RING];
    *device->open_run = (het__cl_run){ 0 };
    return HET_OK;
}

void het__cl_run_event(het__device *device, cl_event event)
{
    het__cl_run *run = device->open_run;
    if (!run) {
        clReleaseEvent(event);
        return;
    }
    if (device->open_call) {
        het__cl_call_event(device, event);
        return;
    }
    if (run->last && run->first)
        clReleaseEvent(run->last);
    else if (run->last)
        run->first = run->last;
    run->last = event;
}

void het__cl_run_drop(het__device *device)
{
    het__cl_run *run = device->open_run;
    device->open_run = NULL;
    if (device->gpu.is_gone) {
        het__cl_calls_forget(device);
        return;
    }
    if (run->first || run->last)
        clFinish(device->queue);
    het__cl_calls_forget(device);
    if (run->first)
        clReleaseEvent(run->first);
    if (run->last)
        clReleaseEvent(run->last);
    *run = (het__cl_run){ 0 };
}

het_status het__cl_run_end(het__device *device, het_error *err)
{
    const het_status s = het__cl_calls_end(device, err);
    if (s != HET_OK) {
        het__cl_run_drop(device);
        return s;
    }
    device->open_run->enqueued_ns = het__now_ns();
    device->open_run = NULL;
    device->enqueued++;
    const cl_int code = clFlush(device->queue);
    return code == CL_SUCCESS ? HET_OK : het__cl_failed(device, err, code, "clFlush");
}
