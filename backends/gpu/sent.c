/* SPDX-License-Identifier: Apache-2.0 */
#include "backends/gpu/sent.h"

#include <assert.h>
#include <string.h>

#include "backends/gpu/experts.h"
#include "backends/gpu/notes.h"
#include "backends/gpu/stream.h"
#include "lib/base/error.h"

/* NULL: the upload is known to have ended. */
static void *event_of(const het__gpu_sent *s, uint64_t number)
{
    const uint64_t ended = s->last - s->count;
    assert(number <= s->last);
    return number > ended ? s->events[(s->first + (number - ended - 1)) % s->max] : NULL;
}

/* well: it has ended as it should. */
static void drop_oldest(het__gpu *gpu, bool well)
{
    het__gpu_sent *s = &gpu->sent;
    het__gpu_note_ended(gpu, s->last - s->count + 1, s->events[s->first], well && !gpu->is_gone);
    gpu->driver->forget(gpu, s->events[s->first]);
    s->first = (s->first + 1) % s->max;
    s->count--;
}

het_status het__gpu_sent_reserve(het__gpu *gpu, size_t count, het_error *err)
{
    het__gpu_sent *s = &gpu->sent;
    if (!gpu->driver->upload || count <= s->max)
        return HET_OK;
    const het_status status = gpu->driver->uploads_reserve
                                  ? gpu->driver->uploads_reserve(gpu, count, err) : HET_OK;
    if (status != HET_OK)
        return status;
    size_t bytes;
    void **events = het__mul_size(count, sizeof *events, &bytes)
                        ? het__alloc(gpu->host.mem, bytes) : NULL;
    if (!events)
        return het__fail_nomem(err, "uploads");
    for (size_t i = 0; i < s->count; i++)
        events[i] = s->events[(s->first + i) % s->max];
    het__free(gpu->host.mem, s->events);
    s->events = events;
    s->first = 0;
    s->max = count;
    return HET_OK;
}

/* Room to remember one more. */
static het_status make_room(het__gpu *gpu, het_error *err)
{
    het__gpu_sent *s = &gpu->sent;
    assert(s->max > 0);
    if (s->count < s->max)
        return HET_OK;
    const het_status status = gpu->driver->settle(gpu, s->events[s->first], err);
    drop_oldest(gpu, status == HET_OK);
    if (status != HET_OK)
        het__gpu_sent_forget(gpu);
    return status;
}

het_status het__gpu_send(het__gpu *gpu, het__gpu_memory *memory, size_t offset, const void *source,
                         size_t bytes, void *after, uint64_t *number, het_error *err)
{
    het__gpu_sent *s = &gpu->sent;
    void *event = NULL;
    *number = 0;
    het_status status = gpu->driver->upload ? make_room(gpu, err) : HET_OK;
    if (status == HET_OK && !gpu->driver->upload)
        status = gpu->driver->memory_write(gpu, memory, offset, source, bytes, err);
    else if (status == HET_OK)
        status = gpu->driver->upload(gpu, memory, offset, source, bytes, after, &event, err);
    if (status != HET_OK)
        return status;
    if (gpu->driver->upload) {
        s->events[(s->first + s->count++) % s->max] = event;
        *number = ++s->last;
    }
    het__gpu_note_sent(gpu, *number, bytes);
    return HET_OK;
}

het_status het__gpu_sent_await(het__gpu *gpu, uint64_t number, het_error *err)
{
    void *event = event_of(&gpu->sent, number);
    return event ? gpu->driver->await(gpu, event, err) : HET_OK;
}

het_status het__gpu_sent_settle(het__gpu *gpu, uint64_t number, het_error *err)
{
    void *event = event_of(&gpu->sent, number);
    return event ? gpu->driver->settle(gpu, event, err) : HET_OK;
}

het_status het__gpu_sent_check(het__gpu *gpu, het_error *err)
{
    het__gpu_sent *s = &gpu->sent;
    het_status status = HET_OK;
    while (s->count && status == HET_OK) {
        status = gpu->driver->state(gpu, s->events[s->first], err);
        if (status != HET_E_BUSY)
            drop_oldest(gpu, status == HET_OK);
    }
    if (status == HET_OK || status == HET_E_BUSY)
        return HET_OK;
    het__gpu_sent_forget(gpu);
    return status;
}

void het__gpu_sent_forget(het__gpu *gpu)
{
    het__gpu_stream_forget(gpu);
    het__gpu_experts_forget(gpu);
}

/* What is still written or read must not be given back; what failed is neither. */
void het__gpu_sent_end(het__gpu *gpu)
{
    het__gpu_sent *s = &gpu->sent;
    het_error err = HET_ERROR_INIT;
    while (s->count) {
        void *event = s->events[s->first];
        if (!gpu->is_gone && gpu->driver->state(gpu, event, &err) == HET_E_BUSY &&
            gpu->driver->settle(gpu, event, &err) != HET_OK)
            gpu->is_gone = true;
        drop_oldest(gpu, false);
    }
}

void het__gpu_sent_drop(het__gpu *gpu)
{
    het__gpu_sent_end(gpu);
    het__free(gpu->host.mem, gpu->sent.events);
    memset(&gpu->sent, 0, sizeof gpu->sent);
}
