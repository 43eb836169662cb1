/* SPDX-License-Identifier: Apache-2.0 */
/* Uploads beside what runs, of experts and of layers that stream.
 *
 *     bytes of the host ─▶ blocks of the driver's memory, in turn ─▶ copies of a list of its own
 *
 * The list is of the queue that only copies, where the device has one; it keeps the order of
 * uploads. Drivers need not read memory that is not theirs, hence the blocks: the host waits while
 * all of them are on their way, and the device computes meanwhile.
 *
 * Events are made once and used again. One that is given back may still be waited for by what was
 * appended before: it rests until the program that was open then has ended. */
#include "backends/intel_l0/l0.h"

#include <assert.h>
#include <string.h>

#include "lib/base/error.h"

#define BLOCKS 4
#define BLOCK_BYTES ((size_t)4 << 20)

typedef struct event event;
typedef struct block block;

struct event {
    event *next; /* of the free ones, or of those that rest */
    ze_event_handle_t handle;
    uint64_t turn;   /* counts its uses */
    uint64_t rests;  /* until so many programs have ended */
    const block *begins; /* of an upload in parts: where the first one went through; NULL: none */
    uint64_t begins_turn;
};

struct block {
    void *at;
    event own;        /* of parts but the last */
    const event *user; /* of what goes through it; NULL: nothing did */
    uint64_t user_turn;
};

typedef struct pool {
    struct pool *next;
    ze_event_pool_handle_t handle;
    uint32_t count; /* that were made */
    event events[];
} pool;

struct het__l0_uploads {
    ze_command_list_handle_t list;
    bool has_unordered;
    pool *pools;
    event *free;
    event *resting, **resting_end; /* in the order in which they were given back */
    block blocks[BLOCKS];
    uint32_t next;
    size_t event_count;
};

/* ---- events ---- */

static het_status make_pool(het__device *device, uint32_t count, het_error *err)
{
    struct het__l0_uploads *x = device->uploads;
    const ze_event_pool_desc_t desc = {
        .stype = ZE_STRUCTURE_TYPE_EVENT_POOL_DESC, .count = count,
        .flags = ZE_EVENT_POOL_FLAG_HOST_VISIBLE | ZE_EVENT_POOL_FLAG_KERNEL_TIMESTAMP,
    };
    pool *p = het__alloc_zero(device->gpu.host.mem, 1, sizeof *p + count * sizeof *p->events);
    if (!p)
        return het__fail_nomem(err, "events of uploads");
    ze_result_t code = zeEventPoolCreate(device->context, &desc, 1, &device->found.id, &p->handle);
    if (code != ZE_RESULT_SUCCESS) {
        het__free(device->gpu.host.mem, p);
        return het__l0_failed(device, err, code, "zeEventPoolCreate");
    }
    p->next = x->pools;
    x->pools = p;
    for (; p->count < count && code == ZE_RESULT_SUCCESS; p->count += code == ZE_RESULT_SUCCESS) {
        event *e = &p->events[p->count];
        code = het__l0_event_make(p->handle, p->count, &e->handle);
        if (code != ZE_RESULT_SUCCESS)
            return het__l0_failed(device, err, code, "zeEventCreate");
        e->next = x->free;
        x->free = e;
    }
    x->event_count += count;
    return HET_OK;
}

static het_status use_again(het__device *device, event *e, het_error *err)
{
    const ze_result_t code = zeEventHostReset(e->handle);
    if (code != ZE_RESULT_SUCCESS)
        return het__l0_failed(device, err, code, "zeEventHostReset");
    e->turn++;
    e->begins = NULL;
    return HET_OK;
}

/* Those that nothing waits for any more. is_idle: nothing waits for any. */
static het_status end_rests(het__device *device, bool is_idle, het_error *err)
{
    struct het__l0_uploads *x = device->uploads;
    het_status s = HET_OK;
    while (x->resting && s == HET_OK && (is_idle || x->resting->rests <= device->retired)) {
        event *e = x->resting;
        s = use_again(device, e, err);
        if (s != HET_OK)
            break;
        x->resting = e->next;
        x->resting_end = x->resting ? x->resting_end : &x->resting;
        e->next = x->free;
        x->free = e;
    }
    return s;
}

/* Rarely does more than take one: what was reserved is enough for most steps. */
static het_status take_event(het__device *device, event **taken, het_error *err)
{
    struct het__l0_uploads *x = device->uploads;
    het_status s = x->free ? HET_OK : end_rests(device, false, err);
    if (s == HET_OK && !x->free && x->resting) {
        s = het__l0_pass(device, err);
        if (s == HET_OK)
            s = end_rests(device, true, err);
    }
    if (s == HET_OK && !x->free)
        s = make_pool(device, (uint32_t)x->event_count, err);
    if (s != HET_OK)
        return s;
    *taken = x->free;
    x->free = x->free->next;
    return HET_OK;
}

void het__l0_forget(het__gpu *gpu, void *given)
{
    het__device *device = het__l0_device(gpu);
    struct het__l0_uploads *x = device->uploads;
    event *e = given;
    if (!e)
        return;
    e->rests = device->enqueued + (device->open_run != NULL);
    e->next = NULL;
    *x->resting_end = e;
    x->resting_end = &e->next;
}

/* ---- blocks ---- */

/* Until a block is free. */
static het_status take_block(het__device *device, block **taken, het_error *err)
{
    struct het__l0_uploads *x = device->uploads;
    block *b = &x->blocks[x->next++ % BLOCKS];
    het_status s = HET_OK;
    if (b->user && b->user->turn == b->user_turn)
        s = het__l0_await(device, b->user->handle, HET__L0_PATIENCE_NS, err);
    if (s == HET_OK && b->user == &b->own)
        s = use_again(device, &b->own, err);
    b->user = s == HET_OK ? NULL : b->user;
    *taken = b;
    return s;
}

static het_status make_blocks(het__device *device, het_error *err)
{
    const ze_host_mem_alloc_desc_t desc = { .stype = ZE_STRUCTURE_TYPE_HOST_MEM_ALLOC_DESC };
    het_status s = HET_OK;
    for (uint32_t i = 0; i < BLOCKS && s == HET_OK; i++) {
        block *b = &device->uploads->blocks[i];
        event *e;
        const ze_result_t code = b->at ? ZE_RESULT_SUCCESS
                                       : zeMemAllocHost(device->context, &desc, BLOCK_BYTES,
                                                        HET__IMPORT_ALIGN, &b->at);
        if (code != ZE_RESULT_SUCCESS)
            return het__l0_failed(device, err, code, "zeMemAllocHost");
        s = b->own.handle ? HET_OK : take_event(device, &e, err);
        if (s == HET_OK && !b->own.handle)
            b->own.handle = e->handle;
    }
    return s;
}

static het_status begin(het__device *device, het_error *err)
{
    const bool copies = device->found.copy_ordinal != HET__L0_NO_GROUP;
    struct het__l0_uploads *x = het__alloc_zero(device->gpu.host.mem, 1, sizeof *x);
    if (!x)
        return het__fail_nomem(err, "uploads");
    x->resting_end = &x->resting;
    ze_result_t code = copies ? het__l0_list_make(device, device->found.copy_ordinal, &x->list)
                              : ZE_RESULT_ERROR_UNSUPPORTED_FEATURE;
    if (code != ZE_RESULT_SUCCESS)
        code = het__l0_list_make(device, device->found.ordinal, &x->list);
    if (code != ZE_RESULT_SUCCESS) {
        het__free(device->gpu.host.mem, x);
        return het__l0_failed(device, err, code, "zeCommandListCreateImmediate");
    }
    device->uploads = x;
    return HET_OK;
}

/* What a failure leaves goes with the device. */
het_status het__l0_uploads_reserve(het__gpu *gpu, size_t count, het_error *err)
{
    het__device *device = het__l0_device(gpu);
    /* Twice: those under way, and as many that rest; marks, of which there is one per slot. */
    const size_t wanted = 2 * count + count / 8 + 8 + BLOCKS;
    het_status s = device->uploads ? HET_OK : begin(device, err);
    if (s == HET_OK && wanted > device->uploads->event_count)
        s = make_pool(device, (uint32_t)(wanted - device->uploads->event_count), err);
    return s == HET_OK ? make_blocks(device, err) : s;
}

/* ---- as the driver's table has it ---- */

/* What goes before must have ended. */
static het_status order(het__device *device, het_error *err)
{
    struct het__l0_uploads *x = device->uploads;
    if (device->is_in_order || !x->has_unordered)
        return HET_OK;
    const ze_result_t code = zeCommandListAppendBarrier(x->list, NULL, 0, NULL);
    if (code != ZE_RESULT_SUCCESS)
        return het__l0_failed(device, err, code, "zeCommandListAppendBarrier");
    x->has_unordered = false;
    return HET_OK;
}

static het_status send_part(het__device *device, block *b, char *target, const char *source,
                            size_t bytes, event *signal, const event *after, het_error *err)
{
    struct het__l0_uploads *x = device->uploads;
    ze_event_handle_t before = after ? after->handle : NULL;
    const het_status s = order(device, err);
    if (s != HET_OK)
        return s;
    memcpy(b->at, source, bytes);
    const ze_result_t code =
        zeCommandListAppendMemoryCopy(x->list, target, b->at, bytes, signal->handle,
                                      before ? 1 : 0, before ? &before : NULL);
    if (code != ZE_RESULT_SUCCESS)
        return het__l0_failed(device, err, code, "zeCommandListAppendMemoryCopy");
    x->has_unordered = true;
    b->user = signal;
    b->user_turn = signal->turn;
    return HET_OK;
}

het_status het__l0_upload(het__gpu *gpu, het__gpu_memory *memory, size_t offset,
                          const void *source, size_t bytes, void *after, void **done,
                          het_error *err)
{
    het__device *device = het__l0_device(gpu);
    event *end;
    het_status s = take_event(device, &end, err);
    if (s != HET_OK)
        return s;
    for (size_t at = 0; at < bytes && s == HET_OK; at += BLOCK_BYTES) {
        const size_t n = bytes - at < BLOCK_BYTES ? bytes - at : BLOCK_BYTES;
        const bool is_last = at + n == bytes;
        block *b;
        s = take_block(device, &b, err);
        if (s == HET_OK)
            s = send_part(device, b, (char *)memory + offset + at, (const char *)source + at, n,
                          is_last ? end : &b->own, at ? NULL : after, err);
        if (s == HET_OK && at == 0 && !is_last) {
            end->begins = b;
            end->begins_turn = b->own.turn;
        }
    }
    if (s != HET_OK) {
        het__l0_forget(gpu, end);
        return s;
    }
    *done = end;
    return HET_OK;
}

het_status het__l0_mark(het__gpu *gpu, void **done, het_error *err)
{
    het__device *device = het__l0_device(gpu);
    event *e;
    het_status s = take_event(device, &e, err);
    if (s != HET_OK)
        return s;
    s = het__l0_signal_end(device, e->handle, err);
    if (s != HET_OK) {
        het__l0_forget(gpu, e);
        return s;
    }
    *done = e;
    return HET_OK;
}

het_status het__l0_await_upload(het__gpu *gpu, void *upload, het_error *err)
{
    het__device *device = het__l0_device(gpu);
    event *e = upload;
    const ze_result_t code = zeCommandListAppendBarrier(device->list, NULL, 1, &e->handle);
    if (code != ZE_RESULT_SUCCESS)
        return het__l0_failed(device, err, code, "zeCommandListAppendBarrier");
    device->has_unordered = false;
    return HET_OK;
}

het_status het__l0_settle(het__gpu *gpu, void *upload, het_error *err)
{
    const event *e = upload;
    return het__l0_await(het__l0_device(gpu), e->handle, HET__L0_PATIENCE_NS, err);
}

het_status het__l0_state(het__gpu *gpu, void *upload, het_error *err)
{
    const event *e = upload;
    const ze_result_t code = zeEventQueryStatus(e->handle);
    if (code == ZE_RESULT_NOT_READY)
        return HET_E_BUSY;
    return code == ZE_RESULT_SUCCESS
               ? HET_OK : het__l0_failed(het__l0_device(gpu), err, code, "zeEventQueryStatus");
}

bool het__l0_upload_times(het__gpu *gpu, void *upload, uint64_t *begin_ns, uint64_t *end_ns)
{
    const event *e = upload;
    ze_event_handle_t first = e->handle;
    if (e->begins && e->begins->own.turn != e->begins_turn)
        return false; /* its beginning was used again */
    if (e->begins)
        first = e->begins->own.handle;
    return het__l0_times(het__l0_device(gpu), first, e->handle, begin_ns, end_ns);
}

/* ---- the end ---- */

void het__l0_uploads_drop(het__device *device)
{
    struct het__l0_uploads *x = device->uploads;
    const bool asks = !device->gpu.is_gone;
    if (!x)
        return;
    for (uint32_t i = 0; i < BLOCKS && asks; i++)
        if (x->blocks[i].at)
            zeMemFree(device->context, x->blocks[i].at);
    while (x->pools) {
        pool *p = x->pools;
        for (uint32_t i = 0; i < p->count && asks; i++)
            zeEventDestroy(p->events[i].handle);
        if (asks)
            zeEventPoolDestroy(p->handle);
        x->pools = p->next;
        het__free(device->gpu.host.mem, p);
    }
    if (x->list && asks)
        zeCommandListDestroy(x->list);
    het__free(device->gpu.host.mem, x);
    device->uploads = NULL;
}
