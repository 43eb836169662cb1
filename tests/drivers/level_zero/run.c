/* SPDX-License-Identifier: Apache-2.0 */
/* Executing commands, on a queue's thread.
 *
 * Kernels go to PoCL, which is waited for where something must be seen to have ended: before the
 * host's own copies, and before an event is signalled. */
#include <stdlib.h>
#include <string.h>

#include "driver.h"

#define SNAPSHOT_MAX ((size_t)64 << 20) /* bytes that are compared to find what a kernel wrote */
#define ONE_SECOND UINT64_C(1000000000)

static void finish(zd_queue *q)
{
    if (q->is_unfinished)
        clFinish(q->cl);
    q->is_unfinished = false;
}

/* ---- wrong results ---- */

typedef struct snapshot {
    uint8_t *at, *copy;
    size_t bytes;
} snapshot;

static uint32_t take_snapshots(const zd_op *op, snapshot *shots, uint32_t room)
{
    uint32_t n = 0;
    size_t bytes = 0;
    for (uint32_t i = 0; i < op->kernel->arg_count && n < room; i++) {
        if (op->args[i].kind != ZD_ARG_POINTER)
            continue;
        pthread_mutex_lock(&zd.lock);
        const zd_memory *const found = zd_memory_at(op->args[i].is.pointer);
        const zd_memory m = found ? *found : (zd_memory){ .base = NULL };
        pthread_mutex_unlock(&zd.lock);
        bool is_new = m.base && bytes + m.bytes <= SNAPSHOT_MAX;
        for (uint32_t k = 0; k < n; k++)
            is_new = is_new && shots[k].at != m.base;
        uint8_t *const copy = is_new ? malloc(m.bytes) : NULL;
        if (copy) {
            memcpy(copy, m.base, m.bytes);
            shots[n++] = (snapshot){ .at = m.base, .copy = copy, .bytes = m.bytes };
            bytes += m.bytes;
        }
    }
    return n;
}

/* The word in the middle of what was written. */
static void spoil(const snapshot *shots, uint32_t count, zd_effect effect)
{
    for (uint32_t k = 0; k < count; k++) {
        size_t changed = 0;
        for (size_t i = 0; i < shots[k].bytes; i++)
            changed += shots[k].at[i] != shots[k].copy[i];
        if (!changed)
            continue;
        size_t at = 0;
        for (size_t seen = 0; seen <= changed / 2; at++)
            seen += shots[k].at[at] != shots[k].copy[at];
        const size_t word = (at - 1) / 4 * 4;
        const uint32_t nan = 0x7fc00000;
        if (effect == ZD_FLIP)
            shots[k].at[at - 1] ^= 0x40;
        else if (word + sizeof nan <= shots[k].bytes)
            memcpy(shots[k].at + word, &nan, sizeof nan);
        return;
    }
}

/* ---- commands ---- */

static bool set_arguments(const zd_op *op)
{
    cl_int status = CL_SUCCESS;
    for (uint32_t i = 0; i < op->kernel->arg_count && status == CL_SUCCESS; i++) {
        const zd_arg *const a = &op->args[i];
        if (a->kind == ZD_ARG_POINTER && a->is.pointer)
            status = clSetKernelArgSVMPointer(op->kernel->kernel, i, a->is.pointer);
        else if (a->kind == ZD_ARG_POINTER)
            status = clSetKernelArg(op->kernel->kernel, i, sizeof(cl_mem), NULL);
        else
            status = clSetKernelArg(op->kernel->kernel, i, a->bytes,
                                    a->kind == ZD_ARG_LOCAL ? NULL : a->is.value);
        if (status != CL_SUCCESS)
            zd_complain("%s: PoCL does not take argument %u: %d", op->kernel->name, (unsigned)i,
                        (int)status);
    }
    return status == CL_SUCCESS;
}

/* What hardware answers by a page fault. */
static bool memory_is_there(const zd_op *op)
{
    for (uint32_t i = 0; i < op->kernel->arg_count; i++) {
        const zd_arg *const a = &op->args[i];
        if (a->kind != ZD_ARG_POINTER || !a->is.pointer)
            continue;
        pthread_mutex_lock(&zd.lock);
        const bool is_there = zd_memory_at(a->is.pointer) != NULL;
        pthread_mutex_unlock(&zd.lock);
        if (!is_there) {
            zd_complain("%s: the memory of argument %u was freed before the kernel ran",
                        op->kernel->name, (unsigned)i);
            return false;
        }
    }
    return true;
}

static bool enqueue(zd_queue *q, const zd_op *op)
{
    zd_kernel *const k = op->kernel;
    bool good = false;
    pthread_mutex_lock(&k->setting);
    if (!zd_is(k, ZD_KERNEL))
        zd_complain("%s: the kernel was destroyed before it ran", k->name);
    else if (memory_is_there(op) && set_arguments(op)) {
        const cl_int status = clEnqueueNDRangeKernel(q->cl, k->kernel, 3, NULL, op->global,
                                                     op->local, 0, NULL, NULL);
        good = status == CL_SUCCESS;
        if (!good)
            zd_complain("%s: PoCL does not start it: %d", k->name, (int)status);
    }
    pthread_mutex_unlock(&k->setting);
    return good;
}

/* With the lock held. */
static void hang(zd_queue *q)
{
    q->hangs = true;
    if (q->o.device->hang_age < zd.age)
        q->o.device->hang_age = zd.age;
    pthread_cond_broadcast(&zd.changed);
}

/* False: nothing that follows runs. */
static bool launch(zd_queue *q, const zd_op *op)
{
    snapshot shots[16];
    uint32_t shot_count = 0, slow_ms = 0;
    zd_device *const device = q->o.device;
    pthread_mutex_lock(&zd.lock);
    const zd_effect effect = zd_fault_of_launch(op->kernel->name, device, &slow_ms);
    zd.counters.launches++;
    if (effect == ZD_HANG)
        hang(q);
    if (effect == ZD_LOSE || effect == ZD_LOSE_FOR_EVER)
        zd_lose(device, effect == ZD_LOSE_FOR_EVER);
    pthread_mutex_unlock(&zd.lock);
    if (effect == ZD_HANG || effect == ZD_LOSE || effect == ZD_LOSE_FOR_EVER)
        return false;
    if (effect == ZD_FLIP || effect == ZD_NAN) {
        finish(q);
        shot_count = take_snapshots(op, shots, 16);
    }
    const bool good = enqueue(q, op);
    q->is_unfinished = true;
    if (effect != ZD_NO_EFFECT || slow_ms)
        finish(q);
    if (shot_count)
        spoil(shots, shot_count, effect);
    for (uint32_t k = 0; k < shot_count; k++)
        free(shots[k].copy);
    if (slow_ms)
        zd_sleep_ms(slow_ms);
    if (!good) {
        pthread_mutex_lock(&zd.lock);
        zd_lose(device, false);
        pthread_mutex_unlock(&zd.lock);
    }
    return good;
}

static void fill(const zd_op *op)
{
    for (size_t i = 0; i < op->bytes; i += op->pattern_bytes)
        memcpy((uint8_t *)op->target + i, op->pattern, op->pattern_bytes);
}

static bool execute(zd_queue *q, const zd_op *op)
{
    if (op->kind == ZD_LAUNCH)
        return launch(q, op);
    finish(q);
    if (op->kind == ZD_COPY)
        memmove(op->target, op->source, op->bytes);
    if (op->kind == ZD_FILL)
        fill(op);
    pthread_mutex_lock(&zd.lock);
    if (op->kind == ZD_COPY || op->kind == ZD_FILL)
        zd.counters.copied_bytes += op->bytes;
    if (op->kind == ZD_RESET)
        op->event->is_signalled = false;
    if (op->kind == ZD_QUERY) {
        const ze_kernel_timestamp_result_t t = zd_event_times(op->event);
        memcpy(op->target, &t, sizeof t);
    }
    if (op->kind == ZD_CLOCK) {
        const uint64_t t = zd_ticks(zd_now_ns());
        memcpy(op->target, &t, sizeof t);
    }
    pthread_mutex_unlock(&zd.lock);
    return true;
}

/* ---- order ---- */

/* With the lock held. False: it will not come. */
static bool await(zd_queue *q, const zd_event *event)
{
    const uint64_t begin = zd_now_ns();
    while (!event->is_signalled) {
        if (q->is_stopping || zd_is_lost(&q->o))
            return false;
        if (!event->pending && zd_now_ns() - begin > ONE_SECOND && !zd_hangs(&q->o)) {
            zd_complain("a command waits for event %u, which nothing will signal",
                        (unsigned)event->index);
            hang(q);
        }
        if (q->hangs)
            return false;
        zd_wait_until(UINT64_MAX);
    }
    return true;
}

static bool is_ready(zd_queue *q, const zd_op *op)
{
    pthread_mutex_lock(&zd.lock);
    bool good = !q->hangs && !zd_is_lost(&q->o);
    for (uint32_t i = 0; i < op->wait_count && good; i++) {
        if (!op->waits[i]->is_signalled) {
            pthread_mutex_unlock(&zd.lock);
            finish(q);
            pthread_mutex_lock(&zd.lock);
            good = await(q, op->waits[i]);
        }
    }
    pthread_mutex_unlock(&zd.lock);
    return good;
}

static bool run_one(zd_queue *q, const zd_op *op)
{
    bool good = is_ready(q, op);
    if (good && op->signal)
        finish(q);
    const uint64_t begin = zd_now_ns();
    good = good && execute(q, op);
    if (good && op->signal)
        finish(q);
    pthread_mutex_lock(&zd.lock);
    q->ops_ended += good;
    if (op->signal && !q->hangs) /* else it stays due for ever */
        op->signal->pending--;
    if (good && op->signal)
        zd_event_signal(op->signal, begin, zd_now_ns());
    pthread_mutex_unlock(&zd.lock);
    return good;
}

/* Nothing orders it among its neighbours. */
static bool is_free(const zd_op *op)
{
    return !op->signal && !op->wait_count &&
           (op->kind == ZD_LAUNCH || op->kind == ZD_COPY || op->kind == ZD_FILL);
}

/* The commands from `op` up to `end`, last to first. */
static bool run_backwards(zd_queue *q, const zd_op *op, const zd_op *end)
{
    if (op == end)
        return true;
    return run_backwards(q, op->next, end) && run_one(q, op);
}

bool zd_run(zd_queue *q, zd_op *first)
{
    bool good = true;
    const uint64_t begin = zd_now_ns();
    for (zd_op *op = first; op;) {
        zd_op *end = op->next;
        if (good && zd.reorders && is_free(op)) {
            while (end && is_free(end))
                end = end->next;
            good = run_backwards(q, op, end);
        } else if (good) {
            good = run_one(q, op);
        } else if (op->signal) {
            pthread_mutex_lock(&zd.lock);
            op->signal->pending -= !q->hangs;
            pthread_mutex_unlock(&zd.lock);
        }
        op = end;
    }
    finish(q);
    pthread_mutex_lock(&zd.lock);
    q->o.device->busy_ns += zd_now_ns() - begin;
    pthread_mutex_unlock(&zd.lock);
    return good;
}
