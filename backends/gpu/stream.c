/* SPDX-License-Identifier: Apache-2.0 */
#include "backends/gpu/stream.h"

#include <assert.h>
#include <string.h>

#include "backends/gpu/notes.h"
#include "backends/gpu/sent.h"
#include "lib/base/error.h"

/* Uploads that are remembered: as many times all slots, before the oldest is waited for. */
#define SENT_SLOTS 16

/* A constant in a form, in host memory: programs of several phases share it. */
typedef struct laid {
    struct laid *next;
    const void *data;
    char *form;
    size_t bytes;
    void *block;
} laid;

typedef struct piece {
    struct piece *next; /* of the item that it was made for */
    het__gpu_item *item; /* whose slot it is found in */
    const void *source;
    size_t bytes;
    uint32_t place;     /* in a slot */
} piece;

typedef struct slot {
    het__gpu_memory **memories; /* [place_count] */
    het__gpu_item *item;        /* NULL: nothing that is known */
    uint64_t arrived; /* upload: the last that goes here */
    void *left;    /* event: when the last use of what is there has ended; NULL: long ago */
    uint64_t used; /* by the clock */
    bool was_ahead; /* what is there came before it was asked for, and was not used yet */
} slot;

struct het__gpu_item {
    het__gpu_item *next;
    het__gpu_item *after; /* that came after it last */
    piece *first, **end;
    uint32_t piece_count;
    slot *slot;           /* NULL: it must be brought */
    int32_t layer;        /* for notes */
    bool is_merged;       /* its pieces belong to another by now */
};

struct het__gpu_stream {
    het__gpu_item *items, *making, *made, *last;
    laid *laid;
    uint32_t slot_count, place_count;
    size_t *place_bytes;
    slot *slots;
    uint64_t clock;
};

/* ---- memory that is found late ---- */

/* No driver's handle or address is odd. */
static het__gpu_memory *handle_of(piece *p)
{
    return (het__gpu_memory *)((uintptr_t)p + 1);
}

het__gpu_memory *het__gpu_memory_now(het__gpu_memory *memory)
{
    if (!((uintptr_t)memory & 1))
        return memory;
    const piece *p = (const piece *)((uintptr_t)memory - 1);
    assert(p->item->slot);
    return p->item->slot->memories[p->place];
}

/* ---- slots ---- */

static void forget_event(het__gpu *gpu, void **event)
{
    if (*event && gpu->driver->forget)
        gpu->driver->forget(gpu, *event);
    *event = NULL;
}

void het__gpu_stream_forget(het__gpu *gpu)
{
    const het__gpu_stream *x = gpu->stream;
    for (uint32_t i = 0; x && x->slots && i < x->slot_count; i++) {
        if (x->slots[i].item)
            x->slots[i].item->slot = NULL;
        x->slots[i].item = NULL;
    }
}

static void drop_slot(het__gpu *gpu, const het__gpu_stream *x, slot *s)
{
    forget_event(gpu, &s->left);
    for (uint32_t k = 0; s->memories && k < x->place_count; k++)
        if (s->memories[k])
            gpu->driver->memory_free(gpu, s->memories[k]);
    het__free(gpu->host.mem, s->memories);
}

static void drop_slots(het__gpu *gpu, het__gpu_stream *x)
{
    het__gpu_sent_end(gpu);
    het__gpu_stream_forget(gpu);
    for (uint32_t i = 0; x->slots && i < x->slot_count; i++)
        drop_slot(gpu, x, &x->slots[i]);
    het__free(gpu->host.mem, x->slots);
    x->slots = NULL;
    gpu->counters.weight_bytes -= gpu->counters.stream_slot_bytes;
    gpu->counters.stream_slot_bytes = 0;
}

static het_status fill_slot(het__gpu *gpu, het__gpu_stream *x, slot *s, het_error *err)
{
    s->memories = het__alloc_zero(gpu->host.mem, x->place_count, sizeof(void *));
    het_status status = s->memories ? HET_OK : het__fail_nomem(err, "places of layers");
    for (uint32_t k = 0; k < x->place_count && status == HET_OK; k++) {
        if (x->place_bytes[k] > gpu->facts->buffer_max_bytes)
            return het__fail(err, HET_E_UNSUPPORTED,
                             "a constant of %zu bytes is larger than the %llu that the device "
                             "allows", x->place_bytes[k],
                             (unsigned long long)gpu->facts->buffer_max_bytes);
        status = gpu->driver->memory_make(gpu, x->place_bytes[k], NULL, &s->memories[k], err);
        if (status == HET_OK) {
            gpu->counters.stream_slot_bytes += x->place_bytes[k];
            gpu->counters.weight_bytes += x->place_bytes[k];
        }
    }
    return status;
}

static het_status make_slots(het__gpu *gpu, het__gpu_stream *x, het_error *err)
{
    x->slots = het__alloc_zero(gpu->host.mem, x->slot_count, sizeof *x->slots);
    het_status s = x->slots ? HET_OK : het__fail_nomem(err, "places of layers");
    for (uint32_t i = 0; i < x->slot_count && s == HET_OK; i++)
        s = fill_slot(gpu, x, &x->slots[i], err);
    if (s != HET_OK)
        drop_slots(gpu, x);
    return s;
}

/* Room for an item: what is too small is made anew. Nothing runs while programs are made. */
static het_status fit_slots(het__gpu *gpu, het__gpu_stream *x, const het__gpu_item *item,
                            het_error *err)
{
    bool fits = x->slots && item->piece_count <= x->place_count;
    for (const piece *p = item->first; p && fits; p = p->next)
        fits = p->bytes <= x->place_bytes[p->place];
    if (fits)
        return HET_OK;
    const uint32_t old = x->place_count;
    const uint32_t count = item->piece_count > old ? item->piece_count : old;
    drop_slots(gpu, x);
    size_t *bytes = het__realloc(gpu->host.mem, x->place_bytes, count * sizeof *bytes);
    if (!bytes)
        return het__fail_nomem(err, "places of layers");
    memset(bytes + old, 0, (count - old) * sizeof *bytes);
    for (const piece *p = item->first; p; p = p->next)
        bytes[p->place] = p->bytes > bytes[p->place] ? p->bytes : bytes[p->place];
    x->place_bytes = bytes;
    x->place_count = count;
    const het_status s =
        het__gpu_sent_reserve(gpu, (size_t)SENT_SLOTS * x->slot_count * count, err);
    return s == HET_OK ? make_slots(gpu, x, err) : s;
}

/* ---- items ---- */

static void drop_item(het__gpu *gpu, het__gpu_item *item)
{
    while (item->first) {
        piece *next = item->first->next;
        het__free(gpu->host.mem, item->first);
        item->first = next;
    }
    het__free(gpu->host.mem, item);
}

void het__gpu_stream_drop(het__gpu *gpu)
{
    het__gpu_stream *x = gpu->stream;
    if (!x)
        return;
    drop_slots(gpu, x);
    while (x->items) {
        het__gpu_item *next = x->items->next;
        drop_item(gpu, x->items);
        x->items = next;
    }
    while (x->laid) {
        laid *next = x->laid->next;
        het__free(gpu->host.mem, x->laid->form);
        het__free(gpu->host.mem, x->laid->block);
        het__free(gpu->host.mem, x->laid);
        x->laid = next;
    }
    het__free(gpu->host.mem, x->place_bytes);
    het__free(gpu->host.mem, x);
    gpu->stream = NULL;
}

het_status het__gpu_stream_begin(het__gpu *gpu, int32_t layer, het_error *err)
{
    assert(gpu->stream_slots >= 2);
    const het_status s = het__gpu_notes_begin(gpu, err);
    if (s != HET_OK)
        return s;
    if (!gpu->stream) {
        gpu->stream = het__alloc_zero(gpu->host.mem, 1, sizeof *gpu->stream);
        if (!gpu->stream)
            return het__fail_nomem(err, "places of layers");
        gpu->stream->slot_count = gpu->stream_slots;
    }
    het__gpu_item *item = het__alloc_zero(gpu->host.mem, 1, sizeof *item);
    if (!item)
        return het__fail_nomem(err, "places of layers");
    item->end = &item->first;
    item->layer = layer;
    item->next = gpu->stream->items;
    gpu->stream->items = item;
    gpu->stream->making = item;
    return HET_OK;
}

static bool are_same(const het__gpu_item *a, const het__gpu_item *b)
{
    const piece *p = a->first, *q = b->first;
    while (p && q && p->source == q->source && p->bytes == q->bytes) {
        p = p->next;
        q = q->next;
    }
    return !p && !q;
}

/* The order in which items are made is that of the first step. */
static void put_behind(het__gpu_stream *x, het__gpu_item *item)
{
    if (x->made && !x->made->after && x->made != item)
        x->made->after = item;
    x->made = item;
}

het_status het__gpu_stream_end(het__gpu *gpu, het__gpu_item **item, het_error *err)
{
    het__gpu_stream *x = gpu->stream;
    het__gpu_item *mine = x->making;
    x->making = NULL;
    if (!mine->first)
        return HET_OK;
    for (het__gpu_item *other = mine->next; other; other = other->next) {
        if (other->is_merged || !are_same(mine, other))
            continue;
        mine->is_merged = true;
        for (piece *p = mine->first; p; p = p->next)
            p->item = other;
        put_behind(x, other);
        *item = other;
        return HET_OK;
    }
    put_behind(x, mine);
    *item = mine;
    return fit_slots(gpu, x, mine, err);
}

/* ---- pieces ---- */

static laid *find_laid(const het__gpu_stream *x, const void *data, const char *form)
{
    laid *l = x->laid;
    while (l && (l->data != data || strcmp(l->form, form) != 0))
        l = l->next;
    return l;
}

static het_status lay_once(het__gpu *gpu, const het__gpu_operand *constant, const char *form,
                           size_t bytes, het__gpu_lay_fn lay, const void *user,
                           const void **source, het_error *err)
{
    het__gpu_stream *x = gpu->stream;
    laid *l = find_laid(x, constant->host, form);
    if (l) {
        assert(l->bytes == bytes);
        *source = l->block;
        return HET_OK;
    }
    l = het__alloc_zero(gpu->host.mem, 1, sizeof *l);
    char *copy = het__strndup(gpu->host.mem, form, strlen(form));
    void *block = het__alloc(gpu->host.mem, bytes);
    if (!l || !copy || !block) {
        het__free(gpu->host.mem, block);
        het__free(gpu->host.mem, copy);
        het__free(gpu->host.mem, l);
        return het__fail_nomem(err, "a constant");
    }
    lay(user, constant, block);
    *l = (laid){ x->laid, constant->host, copy, bytes, block };
    x->laid = l;
    *source = block;
    return HET_OK;
}

het_status het__gpu_stream_piece(het__gpu *gpu, const het__gpu_operand *constant, const char *form,
                                 size_t bytes, het__gpu_lay_fn lay, const void *user,
                                 het__gpu_memory **memory, het_error *err)
{
    het__gpu_item *item = gpu->stream->making;
    const void *source = constant->host;
    het_status s = HET_OK;
    if (lay)
        s = lay_once(gpu, constant, form, bytes, lay, user, &source, err);
    if (s != HET_OK)
        return s;
    for (piece *p = item->first; p; p = p->next)
        if (p->source == source && p->bytes == bytes) {
            *memory = handle_of(p);
            return HET_OK;
        }
    piece *p = het__alloc_zero(gpu->host.mem, 1, sizeof *p);
    if (!p)
        return het__fail_nomem(err, "a constant");
    *p = (piece){ NULL, item, source, bytes, item->piece_count++ };
    *item->end = p;
    item->end = &p->next;
    *memory = handle_of(p);
    return HET_OK;
}

/* ---- running ---- */

/* The slot that was used longest ago. */
static slot *next_slot(const het__gpu_stream *x)
{
    slot *best = &x->slots[0];
    for (uint32_t i = 1; i < x->slot_count; i++)
        if (x->slots[i].used < best->used)
            best = &x->slots[i];
    return best;
}

static het_status bring(het__gpu *gpu, het__gpu_item *item, bool is_ahead, het_error *err)
{
    het__gpu_stream *x = gpu->stream;
    slot *s = next_slot(x);
    if (s->item)
        s->item->slot = NULL;
    s->item = NULL;
    het_status status = HET_OK;
    het__gpu_note_open(gpu, item->layer, HET__NO_EXPERT, is_ahead);
    for (const piece *p = item->first; p && status == HET_OK; p = p->next) {
        gpu->counters.streamed_bytes += p->bytes;
        /* They come in their order: to wait for the last one is enough. */
        status = het__gpu_send(gpu, s->memories[p->place], 0, p->source, p->bytes, s->left,
                               &s->arrived, err);
    }
    het__gpu_note_close(gpu, status == HET_OK);
    if (status != HET_OK)
        return status;
    s->item = item;
    s->was_ahead = is_ahead;
    s->used = ++x->clock;
    item->slot = s;
    gpu->counters.stream_count++;
    return HET_OK;
}

het_status het__gpu_stream_take(het__gpu *gpu, het__gpu_item *item, het_error *err)
{
    het__gpu_stream *x = gpu->stream;
    het_status s = item->slot ? HET_OK : bring(gpu, item, false, err);
    if (s != HET_OK)
        return s;
    gpu->counters.stream_ahead += item->slot->was_ahead;
    item->slot->was_ahead = false;
    item->slot->used = ++x->clock;
    if (x->last && x->last != item)
        x->last->after = item;
    x->last = item;
    s = het__gpu_sent_await(gpu, item->slot->arrived, err);
    if (s != HET_OK)
        het__gpu_stream_forget(gpu);
    return s;
}

/* What will be wanted next, as far as it does not take the place of what is wanted sooner. */
static het_status look_ahead(het__gpu *gpu, const het__gpu_item *item, het_error *err)
{
    const het__gpu_stream *x = gpu->stream;
    het__gpu_item *next = item->after;
    het_status s = HET_OK;
    for (uint32_t i = 1; i < x->slot_count && next && next != item && s == HET_OK; i++) {
        if (next->slot)
            next->slot->used = ++gpu->stream->clock;
        else
            s = bring(gpu, next, true, err);
        next = next->after;
    }
    return s;
}

het_status het__gpu_stream_leave(het__gpu *gpu, het__gpu_item *item, het_error *err)
{
    void *event = NULL;
    if (!gpu->driver->upload) /* it would wait for what was just started */
        return HET_OK;
    het_status s = gpu->driver->mark(gpu, &event, err);
    if (s == HET_OK) {
        forget_event(gpu, &item->slot->left);
        item->slot->left = event;
        s = look_ahead(gpu, item, err);
    }
    if (s != HET_OK)
        het__gpu_stream_forget(gpu);
    return s;
}
