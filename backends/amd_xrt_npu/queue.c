/* SPDX-License-Identifier: Apache-2.0 */
/* Programs on a thread of the device's own, one after the other: most of the time it sleeps in the
 * driver while the array works, so other devices can go on meanwhile. A session whose threads are
 * the application's gets none; then programs run within enqueue.
 *
 * A program that fails spoils what follows until somebody waits and is told. A device that has
 * exceeded its deadline is given up: its thread sees that between two looks at the driver and ends.
 * One that is stuck in a call of the driver keeps all that it may still touch. */
#include "backends/amd_xrt_npu/npu.h"

#include <assert.h>
#include <string.h>

#include "lib/base/deadline.h"
#include "lib/base/error.h"

/* For a thread to come back from the driver. */
#define END_NS UINT64_C(2000000000)

static het_status run(het__device *device, const het__npu_job *job, het_error *err)
{
    if (device->is_lost || device->is_hung)
        return het__fail(err, device->is_hung ? HET_E_TIMEOUT : HET_E_DEVICE_LOST,
                         "the NPU does not answer");
    return het__npu_program_run(device, job->program, job->symbols, err);
}

/* The lock is held, and given up meanwhile. */
static void run_next(het__device *device)
{
    het__npu_queue *q = &device->queue;
    const het__npu_job *job = &q->jobs[q->done % HET__NPU_QUEUE_MAX];
    het_error err = HET_ERROR_INIT;
    het_status s = HET_OK;
    const uint64_t begin = het__now_ns();
    if (!q->failed) {
        het__mutex_unlock(&q->lock);
        s = run(device, job, &err);
        het__mutex_lock(&q->lock);
    }
    q->begin_ns[q->done % HET__NPU_SPANS] = begin;
    q->end_ns[q->done % HET__NPU_SPANS] = het__now_ns();
    q->done++;
    if (s != HET_OK) {
        q->failed = s;
        q->failed_at = q->done;
        q->failure = err;
    }
}

static void *work(void *argument)
{
    het__device *device = argument;
    het__npu_queue *q = &device->queue;
    het__mutex_lock(&q->lock);
    while (!device->is_stopping) {
        if (q->done == q->enqueued) {
            het__cond_wait(&q->change, &q->lock);
            continue;
        }
        run_next(device);
        het__cond_broadcast(&q->change);
    }
    q->has_ended = true;
    het__cond_broadcast(&q->change);
    het__mutex_unlock(&q->lock);
    return NULL;
}

het_status het__npu_queue_start(het__device *device, bool threaded, het_error *err)
{
    het__npu_queue *q = &device->queue;
    het__mutex_init(&q->lock);
    het__cond_init(&q->change);
    q->has_thread = threaded && het__thread_start(&q->thread, work, device);
    return !threaded || q->has_thread ? HET_OK
                                      : het__fail(err, HET_E_NOMEM, "no thread for an NPU");
}

/* The thread is told to end, and has until then. The lock is held. */
static bool end_thread(het__device *device)
{
    het__npu_queue *q = &device->queue;
    const uint64_t until = het__now_ns() + END_NS;
    device->is_stopping = true;
    het__cond_broadcast(&q->change);
    while (!q->has_ended && !q->is_stuck && het__now_ns() < until)
        het__cond_wait_until(&q->change, &q->lock, until);
    q->is_stuck = !q->has_ended;
    return q->has_ended;
}

bool het__npu_quiet(het__device *device)
{
    het__npu_queue *q = &device->queue;
    bool is_quiet = true;
    if (!q->has_thread)
        return true;
    het__mutex_lock(&q->lock);
    while (q->done < q->enqueued && !device->is_hung && !device->is_stopping)
        het__cond_wait(&q->change, &q->lock);
    if (q->done < q->enqueued)
        is_quiet = end_thread(device);
    het__mutex_unlock(&q->lock);
    return is_quiet;
}

bool het__npu_queue_stop(het__device *device)
{
    het__npu_queue *q = &device->queue;
    if (q->has_thread) {
        het__mutex_lock(&q->lock);
        const bool has_ended = end_thread(device);
        het__mutex_unlock(&q->lock);
        if (!has_ended)
            return false;
        het__thread_join(q->thread);
    }
    het__cond_finish(&q->change);
    het__mutex_finish(&q->lock);
    return true;
}

het_status het__npu_enqueue(het__device *device, het__program *program, const int64_t *symbols,
                            het_error *err)
{
    het__npu_queue *q = &device->queue;
    het_status s = HET_OK;
    het__mutex_lock(&q->lock);
    while (q->enqueued - q->done == HET__NPU_QUEUE_MAX && !q->has_ended)
        het__cond_wait(&q->change, &q->lock);
    het__npu_job *job = &q->jobs[q->enqueued % HET__NPU_QUEUE_MAX];
    job->program = program;
    memcpy(job->symbols, symbols, sizeof job->symbols);
    q->enqueued++;
    if (q->has_thread) {
        het__cond_broadcast(&q->change);
    } else {
        run_next(device);
        s = q->failed;
        if (s != HET_OK && err)
            *err = q->failure;
        if (s != HET_OK) /* it was never a program of the core's */
            q->enqueued = --q->done;
        q->failed = HET_OK;
    }
    het__mutex_unlock(&q->lock);
    return s;
}

het_status het__npu_queue_wait(het__device *device, uint64_t count, uint64_t timeout_ns,
                               het_error *err)
{
    het__npu_queue *q = &device->queue;
    const uint64_t deadline = het__now_ns() + timeout_ns;
    het_status s = HET_OK;
    het__mutex_lock(&q->lock);
    const uint64_t until = count < q->enqueued ? count : q->enqueued;
    while (q->done < until && s == HET_OK) {
        if (q->has_ended || (timeout_ns && het__now_ns() >= deadline)) {
            device->is_hung = device->is_stopping = true;
            s = het__fail(err, HET_E_TIMEOUT, "the NPU has not done program %llu in %llu ms",
                          (unsigned long long)until, (unsigned long long)(timeout_ns / 1000000u));
        } else if (timeout_ns) {
            het__cond_wait_until(&q->change, &q->lock, deadline);
        } else {
            het__cond_wait(&q->change, &q->lock);
        }
    }
    if (s == HET_OK && q->failed && q->failed_at <= until) {
        s = q->failed;
        if (err)
            *err = q->failure;
        q->failed = HET_OK;
    }
    het__mutex_unlock(&q->lock);
    return s;
}

bool het__npu_queue_span(het__device *device, uint64_t count, uint64_t *begin_ns,
                         uint64_t *end_ns)
{
    het__npu_queue *q = &device->queue;
    het__mutex_lock(&q->lock);
    const bool is_known = count >= 1 && count <= q->done && q->done - count < HET__NPU_SPANS;
    if (is_known) {
        *begin_ns = q->begin_ns[(count - 1) % HET__NPU_SPANS];
        *end_ns = q->end_ns[(count - 1) % HET__NPU_SPANS];
    }
    het__mutex_unlock(&q->lock);
    return is_known;
}
