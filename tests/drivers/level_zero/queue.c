/* SPDX-License-Identifier: Apache-2.0 */
/* Queues: a thread each, which executes what it is given in order; and fences. */
#include <signal.h>
#include <stdlib.h>

#include "driver.h"

#define COPY_GROUP 1
#define GROUPS 2

/* Items of an immediate list that stand together run as one, so that PoCL is waited for once. */
static zd_op *take_ops(zd_queue *q, uint32_t *count)
{
    zd_op *first = NULL, *last = NULL;
    while (q->first && q->first->op) {
        zd_item *const item = q->first;
        q->first = item->next;
        *(last ? &last->next : &first) = item->op;
        last = item->op;
        free(item);
        ++*count;
    }
    if (!q->first)
        q->last = NULL;
    return first;
}

/* With the lock held, which is let go meanwhile. */
static void work(zd_queue *q)
{
    uint32_t count = 0;
    zd_op *const ops = take_ops(q, &count);
    zd_item *item = NULL;
    if (!ops) {
        item = q->first;
        q->first = item->next;
        if (!q->first)
            q->last = NULL;
        count = 1;
    }
    q->o.device->running++;
    pthread_mutex_unlock(&zd.lock);
    const bool good = zd_run(q, ops ? ops : item->list->first);
    zd_free_ops(ops);
    pthread_mutex_lock(&zd.lock);
    q->o.device->running--;
    if (item) {
        item->list->pending--;
        if (item->fence) {
            item->fence->pending--;
            item->fence->is_signalled = good;
        }
        free(item);
    }
    /* A kernel that hangs has not ended, nor has what is behind it. */
    if (good || !q->hangs)
        q->finished += count;
    pthread_cond_broadcast(&zd.changed);
}

static void *thread(void *user)
{
    zd_queue *const q = user;
    pthread_mutex_lock(&zd.lock);
    for (;;) {
        while (!q->first && !q->is_stopping)
            zd_wait_until(UINT64_MAX);
        if (!q->first)
            break;
        if (zd.reorders && !q->is_stopping) {
            /* Commands of immediate lists are to find each other. */
            pthread_mutex_unlock(&zd.lock);
            zd_sleep_ms(1);
            pthread_mutex_lock(&zd.lock);
        }
        work(q);
    }
    pthread_mutex_unlock(&zd.lock);
    return NULL;
}

ze_result_t zd_queue_start(zd_context *context, zd_device *device,
                           const ze_command_queue_desc_t *desc, zd_queue **queue)
{
    if (desc->ordinal >= GROUPS || desc->index > 0) {
        zd_complain("a queue of group %u, number %u, which is not there", (unsigned)desc->ordinal,
                    (unsigned)desc->index);
        return ZE_RESULT_ERROR_INVALID_ARGUMENT;
    }
    zd_queue *const q = zd_new(sizeof *q, ZD_QUEUE, device);
    if (!q)
        return ZE_RESULT_ERROR_OUT_OF_HOST_MEMORY;
    cl_int status = CL_SUCCESS;
    q->context = context;
    q->is_copy_only = desc->ordinal == COPY_GROUP;
    q->is_synchronous = desc->mode == ZE_COMMAND_QUEUE_MODE_SYNCHRONOUS;
    q->cl = clCreateCommandQueueWithProperties(zd.cl, zd.cl_device, NULL, &status);
    sigset_t none, before;
    sigfillset(&none);
    pthread_sigmask(SIG_SETMASK, &none, &before);
    const bool good = status == CL_SUCCESS && pthread_create(&q->thread, NULL, thread, q) == 0;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (!good) {
        if (status == CL_SUCCESS)
            clReleaseCommandQueue(q->cl);
        zd_retire(q);
        return ZE_RESULT_ERROR_OUT_OF_HOST_MEMORY;
    }
    *queue = q;
    return ZE_RESULT_SUCCESS;
}

void zd_queue_stop(zd_queue *q)
{
    pthread_mutex_lock(&zd.lock);
    const bool is_broken = q->hangs || zd_is_lost(&q->o) || zd_hangs(&q->o);
    const bool is_busy = q->ops_submitted != q->ops_ended && !is_broken;
    q->is_stopping = true;
    pthread_cond_broadcast(&zd.changed);
    pthread_mutex_unlock(&zd.lock);
    if (is_busy)
        zd_complain("a queue is destroyed while it has work to do");
    pthread_join(q->thread, NULL);
    clReleaseCommandQueue(q->cl);
}

/* With the lock held. */
static void count_commands(zd_queue *q, const zd_op *first)
{
    for (const zd_op *op = first; op; op = op->next) {
        q->ops_submitted++;
        if (op->signal) {
            if (op->signal->is_signalled && !op->signal->resets)
                zd_complain("event %u will be signalled again without having been reset",
                            (unsigned)op->signal->index);
            op->signal->pending++;
        } else if (op->kind == ZD_RESET) {
            op->event->resets++;
        }
    }
}

ze_result_t zd_queue_push(zd_queue *q, zd_list *list, zd_op *op, zd_fence *fence)
{
    zd_item *const item = calloc(1, sizeof *item);
    if (!item) {
        zd_free_ops(op);
        return ZE_RESULT_ERROR_OUT_OF_HOST_MEMORY;
    }
    *item = (zd_item){ .list = list, .op = op, .fence = fence };
    pthread_mutex_lock(&zd.lock);
    count_commands(q, list ? list->first : op);
    if (list)
        list->pending++;
    if (fence)
        fence->pending++;
    *(q->last ? &q->last->next : &q->first) = item;
    q->last = item;
    q->submitted++;
    zd.counters.submissions++;
    pthread_cond_broadcast(&zd.changed);
    pthread_mutex_unlock(&zd.lock);
    return ZE_RESULT_SUCCESS;
}

static bool queue_is_idle(const void *what)
{
    const zd_queue *const q = what;
    return q->finished == q->submitted;
}

ze_result_t zd_queue_wait(zd_queue *q, uint64_t timeout_ns)
{
    pthread_mutex_lock(&zd.lock);
    const ze_result_t r = zd_wait_for(queue_is_idle, &q->o, timeout_ns);
    pthread_mutex_unlock(&zd.lock);
    return r;
}

/* ---- the interface ---- */

static ze_result_t queue_create(ze_context_handle_t context, ze_device_handle_t device,
                                const ze_command_queue_desc_t *desc,
                                ze_command_queue_handle_t *queue)
{
    const ze_result_t r = zd_enter("zeCommandQueueCreate", context, ZD_CONTEXT, device);
    if (r != ZE_RESULT_SUCCESS)
        return r;
    return zd_queue_start((zd_context *)context, (zd_device *)device, desc, (zd_queue **)queue);
}

static ze_result_t queue_destroy(ze_command_queue_handle_t queue)
{
    const ze_result_t r = zd_enter_release("zeCommandQueueDestroy", queue, ZD_QUEUE);
    if (r != ZE_RESULT_SUCCESS)
        return r;
    zd_queue_stop((zd_queue *)queue);
    zd_retire(queue);
    return ZE_RESULT_SUCCESS;
}

static ze_result_t execute(ze_command_queue_handle_t queue, uint32_t count,
                           ze_command_list_handle_t *lists, ze_fence_handle_t fence)
{
    const char *const call = "zeCommandQueueExecuteCommandLists";
    zd_queue *const q = (zd_queue *)queue;
    ze_result_t r = zd_enter(call, queue, ZD_QUEUE, NULL);
    if (r != ZE_RESULT_SUCCESS)
        return r;
    if (fence && !zd_is(fence, ZD_FENCE)) {
        zd_complain("%s: not a fence", call);
        return ZE_RESULT_ERROR_INVALID_SYNCHRONIZATION_OBJECT;
    }
    for (uint32_t i = 0; i < count; i++) {
        const zd_list *const l = (const zd_list *)lists[i];
        if (!zd_is(l, ZD_LIST) || !l->is_closed || l->is_copy_only != q->is_copy_only ||
            l->o.device != q->o.device) {
            zd_complain("%s: list %u is not closed, or not for this queue", call, (unsigned)i);
            return ZE_RESULT_ERROR_INVALID_COMMAND_LIST_TYPE;
        }
    }
    for (uint32_t i = 0; i < count && r == ZE_RESULT_SUCCESS; i++)
        r = zd_queue_push(q, (zd_list *)lists[i], NULL,
                          i + 1 == count ? (zd_fence *)fence : NULL);
    if (r == ZE_RESULT_SUCCESS && q->is_synchronous)
        r = zd_queue_wait(q, UINT64_MAX);
    return r;
}

static ze_result_t synchronize(ze_command_queue_handle_t queue, uint64_t timeout_ns)
{
    const ze_result_t r = zd_enter("zeCommandQueueSynchronize", queue, ZD_QUEUE, NULL);
    return r != ZE_RESULT_SUCCESS ? r : zd_queue_wait((zd_queue *)queue, timeout_ns);
}

static ze_result_t fence_create(ze_command_queue_handle_t queue, const ze_fence_desc_t *desc,
                                ze_fence_handle_t *fence)
{
    zd_queue *const q = (zd_queue *)queue;
    const ze_result_t r = zd_enter("zeFenceCreate", queue, ZD_QUEUE, NULL);
    if (r != ZE_RESULT_SUCCESS)
        return r;
    zd_fence *const f = zd_new(sizeof *f, ZD_FENCE, q->o.device);
    if (!f)
        return ZE_RESULT_ERROR_OUT_OF_HOST_MEMORY;
    f->queue = q;
    f->is_signalled = desc->flags & ZE_FENCE_FLAG_SIGNALED;
    *fence = (ze_fence_handle_t)f;
    return ZE_RESULT_SUCCESS;
}

static ze_result_t fence_destroy(ze_fence_handle_t fence)
{
    const ze_result_t r = zd_enter_release("zeFenceDestroy", fence, ZD_FENCE);
    if (r == ZE_RESULT_SUCCESS)
        zd_retire(fence);
    return r;
}

static bool fence_is_signalled(const void *what)
{
    return ((const zd_fence *)what)->is_signalled;
}

static ze_result_t wait_for_fence(const char *call, ze_fence_handle_t fence, uint64_t timeout_ns)
{
    ze_result_t r = zd_enter(call, fence, ZD_FENCE, NULL);
    if (r != ZE_RESULT_SUCCESS)
        return r;
    pthread_mutex_lock(&zd.lock);
    r = zd_wait_for(fence_is_signalled, &((const zd_fence *)fence)->o, timeout_ns);
    pthread_mutex_unlock(&zd.lock);
    return r;
}

static ze_result_t fence_synchronize(ze_fence_handle_t fence, uint64_t timeout_ns)
{
    return wait_for_fence("zeFenceHostSynchronize", fence, timeout_ns);
}

static ze_result_t fence_status(ze_fence_handle_t fence)
{
    return wait_for_fence("zeFenceQueryStatus", fence, 0);
}

static ze_result_t fence_reset(ze_fence_handle_t fence)
{
    zd_fence *const f = (zd_fence *)fence;
    const ze_result_t r = zd_enter("zeFenceReset", fence, ZD_FENCE, NULL);
    if (r != ZE_RESULT_SUCCESS)
        return r;
    pthread_mutex_lock(&zd.lock);
    const bool is_pending = f->pending && !zd_hangs(&f->o) && !zd_is_lost(&f->o);
    f->is_signalled = false;
    pthread_mutex_unlock(&zd.lock);
    if (is_pending)
        zd_complain("zeFenceReset: the fence is in use");
    return ZE_RESULT_SUCCESS;
}

const ze_command_queue_dditable_t zd_queue_table = {
    .pfnCreate = queue_create,
    .pfnDestroy = queue_destroy,
    .pfnExecuteCommandLists = execute,
    .pfnSynchronize = synchronize,
};

const ze_fence_dditable_t zd_fence_table = {
    .pfnCreate = fence_create,
    .pfnDestroy = fence_destroy,
    .pfnHostSynchronize = fence_synchronize,
    .pfnQueryStatus = fence_status,
    .pfnReset = fence_reset,
};
