/* SPDX-License-Identifier: Apache-2.0 */
/* An opened device: its context, its list of commands, its events.
 *
 * One immediate list takes everything: what is appended is started at once and runs in order, by
 * the list itself where the driver offers that, else by barriers. A card with an engine that only
 * copies has a second list for what goes between its memory and the host's: such a copy waits for
 * the programs that use the buffer, and others run meanwhile. What is brought beside programs has a
 * list of its own (uploads.c). After a device is lost or hangs,
 * nothing is asked of its driver any more, not even to free: what it still holds is left to it. */
#include "backends/intel_l0/l0.h"

#include <string.h>

#include "lib/base/error.h"
#include "lib/base/os.h"

/* Of the specification 1.9, newer than the headers of some distributions. */
#define API_IN_ORDER ZE_MAKE_VERSION(1, 9)
#define FLAG_IN_ORDER ZE_BIT(1)

/* Without it the other list copies. */
static void make_copies(het__device *d)
{
    const ze_command_queue_desc_t queue = { .stype = ZE_STRUCTURE_TYPE_COMMAND_QUEUE_DESC,
                                            .ordinal = d->found.copy_ordinal,
                                            .mode = ZE_COMMAND_QUEUE_MODE_ASYNCHRONOUS };
    if (d->found.facts.shares_memory || d->found.copy_ordinal == HET__L0_NO_GROUP ||
        zeCommandListCreateImmediate(d->context, d->found.id, &queue, &d->copies) !=
            ZE_RESULT_SUCCESS)
        d->copies = NULL;
}

ze_result_t het__l0_list_make(het__device *d, uint32_t ordinal, ze_command_list_handle_t *list)
{
    const ze_command_queue_desc_t queue = { .stype = ZE_STRUCTURE_TYPE_COMMAND_QUEUE_DESC,
                                            .ordinal = ordinal,
                                            .flags = d->is_in_order ? FLAG_IN_ORDER : 0,
                                            .mode = ZE_COMMAND_QUEUE_MODE_ASYNCHRONOUS };
    return zeCommandListCreateImmediate(d->context, d->found.id, &queue, list);
}

static ze_result_t make_list(het__device *d)
{
    d->is_in_order = (uint32_t)d->found.api >= API_IN_ORDER;
    ze_result_t code = het__l0_list_make(d, d->found.ordinal, &d->list);
    if (d->is_in_order && code != ZE_RESULT_SUCCESS) {
        d->is_in_order = false;
        code = het__l0_list_make(d, d->found.ordinal, &d->list);
    }
    return code;
}

ze_result_t het__l0_event_make(ze_event_pool_handle_t pool, uint32_t index,
                               ze_event_handle_t *event)
{
    const ze_event_desc_t desc = { .stype = ZE_STRUCTURE_TYPE_EVENT_DESC, .index = index,
                                   .signal = ZE_EVENT_SCOPE_FLAG_HOST,
                                   .wait = ZE_EVENT_SCOPE_FLAG_HOST };
    return zeEventCreate(pool, &desc, event);
}

static ze_result_t make_events(het__device *d)
{
    const ze_event_pool_desc_t desc = {
        .stype = ZE_STRUCTURE_TYPE_EVENT_POOL_DESC, .count = 2 * HET__L0_RING + 2,
        .flags = ZE_EVENT_POOL_FLAG_HOST_VISIBLE | ZE_EVENT_POOL_FLAG_KERNEL_TIMESTAMP,
    };
    ze_result_t code = zeEventPoolCreate(d->context, &desc, 1, &d->found.id, &d->pool);
    for (uint32_t i = 0; i < HET__L0_RING && code == ZE_RESULT_SUCCESS; i++) {
        code = het__l0_event_make(d->pool, 2 * i, &d->ring[i].first);
        if (code == ZE_RESULT_SUCCESS)
            code = het__l0_event_make(d->pool, 2 * i + 1, &d->ring[i].last);
    }
    if (code == ZE_RESULT_SUCCESS)
        code = het__l0_event_make(d->pool, 2 * HET__L0_RING, &d->own);
    if (code == ZE_RESULT_SUCCESS)
        code = het__l0_event_make(d->pool, 2 * HET__L0_RING + 1, &d->end);
    return code;
}

/* Functions that the driver has beyond the specification: only together. */
static void find_imports(het__device *d)
{
    void *take = NULL, *give = NULL;
    if (zeDriverGetExtensionFunctionAddress(d->found.driver, "zexDriverImportExternalPointer",
                                            &take) != ZE_RESULT_SUCCESS ||
        zeDriverGetExtensionFunctionAddress(d->found.driver, "zexDriverReleaseImportedPointer",
                                            &give) != ZE_RESULT_SUCCESS || !take || !give)
        return;
    memcpy(&d->import_pointer, &take, sizeof take);
    memcpy(&d->release_pointer, &give, sizeof give);
}

static het_status start(het__device *d, het_error *err)
{
    const ze_context_desc_t desc = { .stype = ZE_STRUCTURE_TYPE_CONTEXT_DESC };
    const char *what = "zeContextCreate";
    ze_result_t code = zeContextCreate(d->found.driver, &desc, &d->context);
    if (code == ZE_RESULT_SUCCESS) {
        what = "zeCommandListCreateImmediate";
        code = make_list(d);
    }
    if (code == ZE_RESULT_SUCCESS) {
        what = "zeEventCreate";
        code = make_events(d);
    }
    if (code != ZE_RESULT_SUCCESS)
        return het__l0_failed(d, err, code, what);
    make_copies(d);
    find_imports(d);
    return HET_OK;
}

het_status het__l0_open(const het__host *host, uint32_t index, const het__open_options *options,
                        het__device **device, het_error *err)
{
    het__l0_list *list = het__alloc(host->mem, sizeof *list);
    het__device *d = het__alloc_zero(host->mem, 1, sizeof *d);
    if (!list || !d) {
        het__free(host->mem, list);
        het__free(host->mem, d);
        return het__fail_nomem(err, "a Level Zero device");
    }
    het__l0_find(host, list);
    const bool is_there = index < list->count;
    if (is_there)
        d->found = list->device[index];
    het__free(host->mem, list);
    d->gpu = (het__gpu){ .driver = &het__l0_driver, .facts = &d->found.facts, .host = *host,
                         .expert_bytes = options->expert_bytes,
                         .expert_keep = options->expert_keep,
                         .stream_slots = options->stream_slots,
                         .weights_mapped = options->weights_mapped,
                         .rounds = options->precision == HET_PRECISION_FAST,
                         .rounds_small = host->use_env && het__env("HETINFER_GPU_ROUND_SMALL") };
    const het_status s =
        is_there ? start(d, err)
                 : het__fail(err, HET_E_DEVICE_LOST, "Level Zero device %u is gone", index);
    if (s != HET_OK) {
        het__l0_close(d);
        return s;
    }
    *device = d;
    return HET_OK;
}

static void destroy_events(het__device *d)
{
    for (uint32_t i = 0; i < HET__L0_RING; i++) {
        if (d->ring[i].first)
            zeEventDestroy(d->ring[i].first);
        if (d->ring[i].last)
            zeEventDestroy(d->ring[i].last);
    }
    if (d->own)
        zeEventDestroy(d->own);
    if (d->end)
        zeEventDestroy(d->end);
    if (d->pool)
        zeEventPoolDestroy(d->pool);
}

/* The list has done all it was given before it goes: programs, copies whose end could not be
 * waited for, and barriers ahead of commands that could not be appended. A wait that fails sets
 * is_gone. */
static void settle(het__device *d)
{
    het_error err = HET_ERROR_INIT;
    if (het__l0_drain(d, HET__L0_PATIENCE_NS, &err) == HET_OK && d->end &&
        zeCommandListAppendSignalEvent(d->list, d->end) == ZE_RESULT_SUCCESS)
        (void)het__l0_await(d, d->end, HET__L0_PATIENCE_NS, &err);
}

void het__l0_close(het__device *d)
{
    if (d->list && !d->gpu.is_gone)
        settle(d);
    het__gpu_drop_constants(&d->gpu);
    het__l0_uploads_drop(d);
    het__l0_drop_modules(d);
    if (!d->gpu.is_gone) {
        destroy_events(d);
        if (d->staging)
            zeMemFree(d->context, d->staging);
        if (d->copies)
            zeCommandListDestroy(d->copies);
        if (d->list)
            zeCommandListDestroy(d->list);
        if (d->context)
            zeContextDestroy(d->context);
    }
    het__free(d->gpu.host.mem, d);
}
