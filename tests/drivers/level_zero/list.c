/* SPDX-License-Identifier: Apache-2.0 */
/* Command lists: what is appended is checked, and kept with its arguments as they are now. An
 * immediate list hands each command to a queue of its own. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "driver.h"

#define COPY_GROUP 1 /* ordinal of the group of queues that only copy */
#define GROUPS 2
#define LITTLE_NS UINT64_C(50000000)

/* ---- commands ---- */

static void free_op(zd_op *op)
{
    if (op) {
        free(op->waits);
        free(op->args);
        free(op);
    }
}

void zd_free_ops(zd_op *first)
{
    while (first) {
        zd_op *const next = first->next;
        free_op(first);
        first = next;
    }
}

static ze_result_t give(zd_list *l, zd_op *op)
{
    if (!l->queue) {
        *(l->last ? &l->last->next : &l->first) = op;
        l->last = op;
        return ZE_RESULT_SUCCESS;
    }
    const ze_result_t r = zd_queue_push(l->queue, NULL, op, NULL);
    if (r == ZE_RESULT_SUCCESS && l->is_synchronous)
        return zd_queue_wait(l->queue, UINT64_MAX);
    return r;
}

/* Takes op, also where it fails. */
static ze_result_t append(const char *call, zd_list *l, zd_op *op, ze_event_handle_t signal,
                          uint32_t wait_count, ze_event_handle_t *waits)
{
    if (!zd_events_are_sound(call, signal, wait_count, waits)) {
        free_op(op);
        return ZE_RESULT_ERROR_INVALID_SYNCHRONIZATION_OBJECT;
    }
    if (l->is_closed) {
        zd_complain("%s: the list is closed", call);
        free_op(op);
        return ZE_RESULT_ERROR_INVALID_ARGUMENT;
    }
    op->signal = (zd_event *)signal;
    op->wait_count = wait_count;
    op->waits = wait_count ? malloc(wait_count * sizeof *op->waits) : NULL;
    if (wait_count && !op->waits) {
        free_op(op);
        return ZE_RESULT_ERROR_OUT_OF_HOST_MEMORY;
    }
    if (wait_count)
        memcpy(op->waits, waits, wait_count * sizeof *op->waits);
    return give(l, op);
}

/* The beginning of every append: a command, or why there is none. */
static ze_result_t begin(const char *call, ze_command_list_handle_t list, zd_op_kind kind,
                         zd_op **op)
{
    const ze_result_t r = zd_enter(call, list, ZD_LIST, NULL);
    if (r != ZE_RESULT_SUCCESS)
        return r;
    *op = calloc(1, sizeof **op);
    if (!*op)
        return ZE_RESULT_ERROR_OUT_OF_HOST_MEMORY;
    (*op)->kind = kind;
    return ZE_RESULT_SUCCESS;
}

static ze_result_t launch(ze_command_list_handle_t list, ze_kernel_handle_t kernel,
                          const ze_group_count_t *groups, ze_event_handle_t signal,
                          uint32_t wait_count, ze_event_handle_t *waits)
{
    const char *const call = "zeCommandListAppendLaunchKernel";
    zd_list *const l = (zd_list *)list;
    zd_kernel *const k = (zd_kernel *)kernel;
    zd_op *op = NULL;
    ze_result_t r = begin(call, list, ZD_LAUNCH, &op);
    if (r != ZE_RESULT_SUCCESS)
        return r;
    r = zd_check_launch(l, k, groups);
    if (r != ZE_RESULT_SUCCESS) {
        free_op(op);
        return r;
    }
    const uint32_t count[3] = { groups->groupCountX, groups->groupCountY, groups->groupCountZ };
    for (int i = 0; i < 3; i++) {
        op->local[i] = k->group[i];
        op->global[i] = (size_t)k->group[i] * count[i];
    }
    op->kernel = k;
    op->args = malloc((k->arg_count ? k->arg_count : 1) * sizeof *op->args);
    if (!op->args) {
        free_op(op);
        return ZE_RESULT_ERROR_OUT_OF_HOST_MEMORY;
    }
    memcpy(op->args, k->args, k->arg_count * sizeof *op->args);
    return append(call, l, op, signal, wait_count, waits);
}

static ze_result_t copy(ze_command_list_handle_t list, void *target, const void *source,
                        size_t bytes, ze_event_handle_t signal, uint32_t wait_count,
                        ze_event_handle_t *waits)
{
    const char *const call = "zeCommandListAppendMemoryCopy";
    zd_op *op = NULL;
    const ze_result_t r = begin(call, list, ZD_COPY, &op);
    if (r != ZE_RESULT_SUCCESS)
        return r;
    if (!zd_range_is_sound(call, target, bytes) || !zd_range_is_sound(call, source, bytes)) {
        free_op(op);
        return ZE_RESULT_ERROR_INVALID_ARGUMENT;
    }
    op->target = target;
    op->source = source;
    op->bytes = bytes;
    return append(call, (zd_list *)list, op, signal, wait_count, waits);
}

static ze_result_t fill(ze_command_list_handle_t list, void *target, const void *pattern,
                        size_t pattern_bytes, size_t bytes, ze_event_handle_t signal,
                        uint32_t wait_count, ze_event_handle_t *waits)
{
    const char *const call = "zeCommandListAppendMemoryFill";
    zd_list *const l = (zd_list *)list;
    zd_op *op = NULL;
    const ze_result_t r = begin(call, list, ZD_FILL, &op);
    if (r != ZE_RESULT_SUCCESS)
        return r;
    const size_t most = l->is_copy_only ? 16 : ZD_VALUE_MAX;
    if (pattern_bytes == 0 || pattern_bytes > most || (pattern_bytes & (pattern_bytes - 1)) ||
        bytes % pattern_bytes || (uintptr_t)target % pattern_bytes) {
        zd_complain("%s: %zu bytes at %p by %zu", call, bytes, target, pattern_bytes);
        free_op(op);
        return ZE_RESULT_ERROR_INVALID_SIZE;
    }
    if (!zd_range_is_sound(call, target, bytes)) {
        free_op(op);
        return ZE_RESULT_ERROR_INVALID_ARGUMENT;
    }
    op->target = target;
    op->bytes = bytes;
    op->pattern_bytes = pattern_bytes;
    memcpy(op->pattern, pattern, pattern_bytes);
    return append(call, l, op, signal, wait_count, waits);
}

static ze_result_t barrier(ze_command_list_handle_t list, ze_event_handle_t signal,
                           uint32_t wait_count, ze_event_handle_t *waits)
{
    zd_op *op = NULL;
    const ze_result_t r = begin("zeCommandListAppendBarrier", list, ZD_BARRIER, &op);
    return r != ZE_RESULT_SUCCESS ? r
                                  : append("zeCommandListAppendBarrier", (zd_list *)list, op,
                                           signal, wait_count, waits);
}

static ze_result_t ranges_barrier(ze_command_list_handle_t list, uint32_t count,
                                  const size_t *bytes, const void **ranges,
                                  ze_event_handle_t signal, uint32_t wait_count,
                                  ze_event_handle_t *waits)
{
    const char *const call = "zeCommandListAppendMemoryRangesBarrier";
    zd_op *op = NULL;
    const ze_result_t r = begin(call, list, ZD_BARRIER, &op);
    if (r != ZE_RESULT_SUCCESS)
        return r;
    for (uint32_t i = 0; i < count; i++)
        zd_range_is_sound(call, ranges[i], bytes[i]);
    return append(call, (zd_list *)list, op, signal, wait_count, waits);
}

static ze_result_t signal_event(ze_command_list_handle_t list, ze_event_handle_t event)
{
    zd_op *op = NULL;
    const ze_result_t r = begin("zeCommandListAppendSignalEvent", list, ZD_SIGNAL, &op);
    return r != ZE_RESULT_SUCCESS ? r
                                  : append("zeCommandListAppendSignalEvent", (zd_list *)list, op,
                                           event, 0, NULL);
}

static ze_result_t wait_on_events(ze_command_list_handle_t list, uint32_t count,
                                  ze_event_handle_t *events)
{
    zd_op *op = NULL;
    const ze_result_t r = begin("zeCommandListAppendWaitOnEvents", list, ZD_BARRIER, &op);
    return r != ZE_RESULT_SUCCESS ? r
                                  : append("zeCommandListAppendWaitOnEvents", (zd_list *)list, op,
                                           NULL, count, events);
}

static ze_result_t reset_event(ze_command_list_handle_t list, ze_event_handle_t event)
{
    zd_op *op = NULL;
    const ze_result_t r = begin("zeCommandListAppendEventReset", list, ZD_RESET, &op);
    if (r != ZE_RESULT_SUCCESS)
        return r;
    op->event = (zd_event *)event;
    return zd_is(event, ZD_EVENT)
               ? append("zeCommandListAppendEventReset", (zd_list *)list, op, NULL, 0, NULL)
               : (free_op(op), ZE_RESULT_ERROR_INVALID_NULL_HANDLE);
}

static ze_result_t write_timestamp(ze_command_list_handle_t list, uint64_t *target,
                                   ze_event_handle_t signal, uint32_t wait_count,
                                   ze_event_handle_t *waits)
{
    const char *const call = "zeCommandListAppendWriteGlobalTimestamp";
    zd_op *op = NULL;
    const ze_result_t r = begin(call, list, ZD_CLOCK, &op);
    if (r != ZE_RESULT_SUCCESS)
        return r;
    op->target = target;
    return zd_range_is_sound(call, target, sizeof *target)
               ? append(call, (zd_list *)list, op, signal, wait_count, waits)
               : (free_op(op), ZE_RESULT_ERROR_INVALID_ARGUMENT);
}

/* One command per event; the last of them signals. */
static ze_result_t query_timestamps(ze_command_list_handle_t list, uint32_t count,
                                    ze_event_handle_t *events, void *target,
                                    const size_t *offsets, ze_event_handle_t signal,
                                    uint32_t wait_count, ze_event_handle_t *waits)
{
    const char *const call = "zeCommandListAppendQueryKernelTimestamps";
    ze_result_t r = ZE_RESULT_SUCCESS;
    for (uint32_t i = 0; r == ZE_RESULT_SUCCESS && i < count; i++) {
        zd_op *op = NULL;
        r = begin(call, list, ZD_QUERY, &op);
        if (r != ZE_RESULT_SUCCESS)
            return r;
        const size_t at = offsets ? offsets[i] : i * sizeof(ze_kernel_timestamp_result_t);
        op->event = (zd_event *)events[i];
        op->target = (uint8_t *)target + at;
        if (!zd_is(op->event, ZD_EVENT) ||
            !zd_range_is_sound(call, op->target, sizeof(ze_kernel_timestamp_result_t))) {
            free_op(op);
            return ZE_RESULT_ERROR_INVALID_ARGUMENT;
        }
        r = append(call, (zd_list *)list, op, i + 1 == count ? signal : NULL, wait_count, waits);
    }
    return r;
}

/* ---- lists ---- */

static ze_result_t list_create(ze_context_handle_t context, ze_device_handle_t device,
                               const ze_command_list_desc_t *desc, ze_command_list_handle_t *list)
{
    const ze_result_t r = zd_enter("zeCommandListCreate", context, ZD_CONTEXT, device);
    if (r != ZE_RESULT_SUCCESS)
        return r;
    if (desc->commandQueueGroupOrdinal >= GROUPS) {
        zd_complain("zeCommandListCreate: no group %u of queues",
                    (unsigned)desc->commandQueueGroupOrdinal);
        return ZE_RESULT_ERROR_INVALID_ARGUMENT;
    }
    zd_list *const l = zd_new(sizeof *l, ZD_LIST, (zd_device *)device);
    if (!l)
        return ZE_RESULT_ERROR_OUT_OF_HOST_MEMORY;
    l->context = (zd_context *)context;
    l->is_copy_only = desc->commandQueueGroupOrdinal == COPY_GROUP;
    *list = (ze_command_list_handle_t)l;
    return ZE_RESULT_SUCCESS;
}

static ze_result_t list_create_immediate(ze_context_handle_t context, ze_device_handle_t device,
                                         const ze_command_queue_desc_t *desc,
                                         ze_command_list_handle_t *list)
{
    ze_result_t r = zd_enter("zeCommandListCreateImmediate", context, ZD_CONTEXT, device);
    if (r != ZE_RESULT_SUCCESS)
        return r;
    zd_list *const l = zd_new(sizeof *l, ZD_LIST, (zd_device *)device);
    if (!l)
        return ZE_RESULT_ERROR_OUT_OF_HOST_MEMORY;
    l->context = (zd_context *)context;
    l->is_synchronous = desc->mode == ZE_COMMAND_QUEUE_MODE_SYNCHRONOUS;
    r = zd_queue_start(l->context, l->o.device, desc, &l->queue);
    if (r != ZE_RESULT_SUCCESS) {
        zd_retire(l);
        return r;
    }
    l->is_copy_only = l->queue->is_copy_only;
    *list = (ze_command_list_handle_t)l;
    return ZE_RESULT_SUCCESS;
}

static bool list_is_idle(const void *what)
{
    return ((const zd_list *)what)->pending == 0;
}

/* Complains if the list is being executed, and waits for its end. A little time is its queue's,
 * which tells of the last event before it is done with the list. */
static void expect_idle(const char *call, zd_list *l)
{
    pthread_mutex_lock(&zd.lock);
    const bool is_busy =
        zd_wait_for(list_is_idle, &l->o, LITTLE_NS) == ZE_RESULT_NOT_READY && !zd_hangs(&l->o);
    if (is_busy)
        zd_wait_for(list_is_idle, &l->o, UINT64_MAX);
    pthread_mutex_unlock(&zd.lock);
    if (is_busy)
        zd_complain("%s: the list is being executed", call);
}

void zd_drop_list(zd_list *l)
{
    if (l->queue) {
        zd_queue_stop(l->queue);
        zd_retire(l->queue);
    }
    pthread_mutex_lock(&zd.lock);
    const bool is_free = !l->pending; /* a queue that hangs keeps its commands */
    pthread_mutex_unlock(&zd.lock);
    if (is_free)
        zd_free_ops(l->first);
    l->first = l->last = NULL;
}

static ze_result_t list_destroy(ze_command_list_handle_t list)
{
    zd_list *const l = (zd_list *)list;
    const ze_result_t r = zd_enter_release("zeCommandListDestroy", list, ZD_LIST);
    if (r != ZE_RESULT_SUCCESS)
        return r;
    expect_idle("zeCommandListDestroy", l);
    zd_drop_list(l);
    zd_retire(l);
    return ZE_RESULT_SUCCESS;
}

static ze_result_t list_close(ze_command_list_handle_t list)
{
    zd_list *const l = (zd_list *)list;
    const ze_result_t r = zd_enter("zeCommandListClose", list, ZD_LIST, NULL);
    if (r != ZE_RESULT_SUCCESS)
        return r;
    if (l->queue || l->is_closed)
        zd_complain("zeCommandListClose: the list is %s", l->queue ? "immediate" : "closed");
    l->is_closed = !l->queue;
    return ZE_RESULT_SUCCESS;
}

static ze_result_t list_reset(ze_command_list_handle_t list)
{
    zd_list *const l = (zd_list *)list;
    const ze_result_t r = zd_enter("zeCommandListReset", list, ZD_LIST, NULL);
    if (r != ZE_RESULT_SUCCESS)
        return r;
    if (l->queue)
        zd_complain("zeCommandListReset: the list is immediate");
    expect_idle("zeCommandListReset", l);
    if (!l->pending)
        zd_free_ops(l->first);
    l->first = l->last = NULL;
    l->is_closed = false;
    return ZE_RESULT_SUCCESS;
}

const ze_command_list_dditable_t zd_list_table = {
    .pfnCreate = list_create,
    .pfnCreateImmediate = list_create_immediate,
    .pfnDestroy = list_destroy,
    .pfnClose = list_close,
    .pfnReset = list_reset,
    .pfnAppendWriteGlobalTimestamp = write_timestamp,
    .pfnAppendBarrier = barrier,
    .pfnAppendMemoryRangesBarrier = ranges_barrier,
    .pfnAppendMemoryCopy = copy,
    .pfnAppendMemoryFill = fill,
    .pfnAppendSignalEvent = signal_event,
    .pfnAppendWaitOnEvents = wait_on_events,
    .pfnAppendEventReset = reset_event,
    .pfnAppendQueryKernelTimestamps = query_timestamps,
    .pfnAppendLaunchKernel = launch,
};
