/* SPDX-License-Identifier: Apache-2.0 */
#include "backends/gpu/experts.h"

#include <assert.h>

#include "backends/gpu/notes.h"
#include "backends/gpu/product.h"
#include "backends/gpu/sent.h"
#include "lib/base/dtype.h"
#include "lib/base/error.h"
#include "lib/plain/experts.h"

/* Blocks of host memory where experts are laid out: one is filled while the other is read. */
#define STAGES 2
#define PLACES_MAX (UINT32_C(1) << 20)
/* Uploads per slot that can be under way. */
#define SENT_SLOTS 16

typedef struct place {
    het__gpu_memory *memory;
    uint64_t arrived; /* upload: the last that goes here */
    void *left;       /* event: when the last use of what is there has ended */
} place;

struct het__gpu_experts {
    het__expert_cache cache;
    het__gpu_mixture *first, **end;
    size_t slot_bytes;
    place *places; /* [place_max], of which the first place_count are there */
    uint32_t place_count, place_max;
    unsigned char *stages[STAGES];
    uint32_t stage_slot[STAGES]; /* that its bytes went to */
    uint32_t stage; /* the next to fill */
    uint64_t staged_bytes, began; /* began: the cache's clock when the step's mixture began */
};

/* ---- memory ---- */

static void forget(het__gpu *gpu, void **event)
{
    if (*event && gpu->driver->forget)
        gpu->driver->forget(gpu, *event);
    *event = NULL;
}

static void drop_places(het__gpu *gpu, het__gpu_experts *x)
{
    het__gpu_sent_end(gpu);
    for (uint32_t i = 0; i < x->place_count; i++) {
        place *p = &x->places[i];
        forget(gpu, &p->left);
        gpu->driver->memory_free(gpu, p->memory);
    }
    gpu->counters.weight_bytes -= (uint64_t)x->place_count * x->slot_bytes;
    het__free(gpu->host.mem, x->places);
    x->places = NULL;
    x->place_count = x->place_max = 0;
    for (uint32_t i = 0; i < STAGES; i++) {
        het__free(gpu->host.mem, x->stages[i]);
        x->stages[i] = NULL;
    }
}

void het__gpu_experts_forget(het__gpu *gpu)
{
    het__gpu_experts *x = gpu->experts;
    for (uint32_t i = 0; x && i < x->cache.slot_count; i++)
        het__expert_cache_drop(&x->cache, i);
}

void het__gpu_experts_drop(het__gpu *gpu)
{
    het__gpu_experts *x = gpu->experts;
    if (!x)
        return;
    drop_places(gpu, x);
    while (x->first) {
        het__gpu_mixture *next = x->first->next;
        het__free(gpu->host.mem, x->first);
        x->first = next;
    }
    het__expert_cache_finish(&x->cache);
    het__free(gpu->host.mem, x);
    gpu->experts = NULL;
}

/* Room for as many slots as the budget holds. */
static het_status begin_places(het__gpu *gpu, het__gpu_experts *x, size_t bytes, het_error *err)
{
    const uint64_t count = gpu->expert_bytes / bytes;
    if (count < 1)
        return het__fail(err, HET_E_NOMEM,
                         "the device may keep %llu bytes of experts, and one has %zu",
                         (unsigned long long)gpu->expert_bytes, bytes);
    x->place_max = count > PLACES_MAX ? PLACES_MAX : (uint32_t)count;
    x->slot_bytes = bytes;
    x->places = het__alloc_zero(gpu->host.mem, x->place_max, sizeof *x->places);
    bool whole = x->places != NULL;
    for (uint32_t i = 0; i < STAGES; i++) {
        x->stages[i] = het__alloc(gpu->host.mem, bytes);
        x->stage_slot[i] = HET__EXPERT_NO_SLOT;
        whole = whole && x->stages[i];
    }
    return whole ? HET_OK : het__fail_nomem(err, "slots of experts");
}

/* No more slots than there are experts. */
static het_status make_places(het__gpu *gpu, het__gpu_experts *x, size_t bytes, het_error *err)
{
    het_status s = HET_OK;
    if (bytes > x->slot_bytes || !x->places) {
        drop_places(gpu, x);
        s = begin_places(gpu, x, bytes > x->slot_bytes ? bytes : x->slot_bytes, err);
    }
    const uint32_t keys = x->cache.key_count, count = keys < x->place_max ? keys : x->place_max;
    for (; s == HET_OK && x->place_count < count; x->place_count += s == HET_OK) {
        s = gpu->driver->memory_make(gpu, x->slot_bytes, NULL,
                                     &x->places[x->place_count].memory, err);
        if (s == HET_OK)
            gpu->counters.weight_bytes += x->slot_bytes;
    }
    if (s == HET_OK)
        s = het__expert_cache_size(&x->cache, count, err);
    if (s == HET_OK)
        s = het__gpu_sent_reserve(gpu, (size_t)SENT_SLOTS * count, err);
    if (s != HET_OK)
        drop_places(gpu, x);
    return s;
}

/* ---- mixtures ---- */

static het__gpu_mixture *find(const het__gpu_experts *x, const void *weights)
{
    het__gpu_mixture *m = x->first;
    while (m && m->weights[0] != weights)
        m = m->next;
    return m;
}

/* Bytes of an expert, as it lies in a slot. */
static size_t describe(const het__gpu_call *call, het__gpu_mixture *m)
{
    size_t end = 0;
    for (uint32_t i = 0; i < 3; i++) {
        const het__gpu_operand *w = &call->inputs[2 + i];
        const size_t rows = (size_t)w->value.extent[1].count;
        const het__dtype_info *type = het__dtype(w->value.dtype);
        m->weights[i] = w->host;
        m->dtype[i] = w->value.dtype;
        m->blocks[i] = rows * (size_t)w->columns / type->block_elements;
        m->bytes[i] = m->blocks[i] * type->block_bytes;
        m->small_at[i] = het__gpu_matrix_small_at(call, w->value.dtype, m->blocks[i]);
        m->at[i] = end;
        end = het__round_up(end + m->bytes[i], HET__ALIGN);
    }
    m->count = (uint32_t)call->inputs[2].value.extent[0].count;
    m->layer = call->node->layer;
    return end;
}

static het_status begin(het__gpu *gpu, het_error *err)
{
    het__gpu_experts *x = het__alloc_zero(gpu->host.mem, 1, sizeof *x);
    if (!x)
        return het__fail_nomem(err, "the cache of experts");
    const het_status s = het__gpu_notes_begin(gpu, err);
    if (s != HET_OK) {
        het__free(gpu->host.mem, x);
        return s;
    }
    het__expert_cache_init(&x->cache, gpu->host.mem, (het_expert_keep)gpu->expert_keep);
    x->end = &x->first;
    gpu->experts = x;
    return HET_OK;
}

static het_status add(het__gpu_call *call, het__gpu_mixture **mixture, het_error *err)
{
    het__gpu *gpu = call->gpu;
    het__gpu_experts *x = gpu->experts;
    het__gpu_mixture *m = het__alloc_zero(gpu->host.mem, 1, sizeof *m);
    if (!m)
        return het__fail_nomem(err, "the cache of experts");
    const size_t bytes = describe(call, m);
    het_status s = HET_OK;
    for (uint32_t i = 2; s == HET_OK && i < 5; i++) /* they are read whenever one is chosen */
        s = het__gpu_keep_data(call->slice, &call->inputs[i].value, call->inputs[i].host, err);
    if (s == HET_OK)
        s = het__expert_cache_add(&x->cache, m->count, &m->first_key, err);
    if (s == HET_OK)
        s = make_places(gpu, x, bytes, err);
    if (s != HET_OK) {
        het__free(gpu->host.mem, m);
        return s;
    }
    *x->end = m;
    x->end = &m->next;
    *mixture = m;
    return HET_OK;
}

het_status het__gpu_experts_join(het__gpu_call *call, het__gpu_mixture **mixture, het_error *err)
{
    het__gpu *gpu = call->gpu;
    for (uint32_t i = 2; i < 5; i++)
        call->inputs[i].has_form = true;
    if (!gpu->experts) {
        const het_status s = begin(gpu, err);
        if (s != HET_OK)
            return s;
    }
    *mixture = find(gpu->experts, call->inputs[2].host);
    return *mixture ? HET_OK : add(call, mixture, err);
}

/* ---- bringing ---- */

static bool lies_right(const het__gpu_mixture *m, uint32_t part)
{
    return !m->small_at[part] && (uintptr_t)m->weights[part] % sizeof(uint32_t) == 0;
}

/* Where the expert's bytes are as the slot wants them: NULL: part by part in the weights. */
static het_status lay(het__gpu *gpu, const het__gpu_mixture *m, uint32_t expert, uint32_t slot,
                      const unsigned char **laid, het_error *err)
{
    het__gpu_experts *x = gpu->experts;
    *laid = NULL;
    if (lies_right(m, 0) && lies_right(m, 1) && lies_right(m, 2))
        return HET_OK;
    const uint32_t last = x->stage_slot[x->stage];
    /* Uploads come in their order, so the slot's latest one is enough, whatever it was. */
    if (last != HET__EXPERT_NO_SLOT) {
        const het_status s = het__gpu_sent_settle(gpu, x->places[last].arrived, err);
        if (s != HET_OK)
            return s;
    }
    for (uint32_t i = 0; i < 3; i++)
        het__gpu_matrix_lay(m->dtype[i], m->small_at[i], m->blocks[i],
                            m->weights[i] + (size_t)expert * m->bytes[i],
                            x->stages[x->stage] + m->at[i]);
    *laid = x->stages[x->stage];
    x->stage_slot[x->stage] = slot;
    x->stage = (x->stage + 1) % STAGES;
    return HET_OK;
}

static het_status send(het__gpu *gpu, place *p, size_t at, const void *source, size_t bytes,
                       het_error *err)
{
    gpu->experts->staged_bytes += bytes;
    return het__gpu_send(gpu, p->memory, at, source, bytes, p->left, &p->arrived, err);
}

static het_status bring(het__gpu *gpu, const het__gpu_mixture *m, uint32_t expert, uint32_t slot,
                        bool is_ahead, het_error *err)
{
    const unsigned char *laid;
    place *p = &gpu->experts->places[slot];
    het_status s = lay(gpu, m, expert, slot, &laid, err);
    het__gpu_note_open(gpu, m->layer, expert, is_ahead);
    if (s == HET_OK && laid)
        s = send(gpu, p, 0, laid, m->at[2] + m->bytes[2], err);
    for (uint32_t i = 0; i < 3 && s == HET_OK && !laid; i++)
        s = send(gpu, p, m->at[i], m->weights[i] + (size_t)expert * m->bytes[i], m->bytes[i], err);
    het__gpu_note_close(gpu, s == HET_OK);
    if (s != HET_OK)
        het__expert_cache_drop(&gpu->experts->cache, slot);
    return s;
}

het_status het__gpu_experts_take(het__gpu *gpu, const het__gpu_mixture *mixture, uint32_t expert,
                                 uint32_t *slot, het_error *err)
{
    bool is_new;
    assert(expert < mixture->count);
    *slot = het__expert_cache_take(&gpu->experts->cache, mixture->first_key + expert, &is_new);
    if (*slot == HET__EXPERT_NO_SLOT || !is_new)
        return HET_OK;
    const het_status s = bring(gpu, mixture, expert, *slot, false, err);
    if (s != HET_OK)
        *slot = HET__EXPERT_NO_SLOT;
    return s;
}

het_status het__gpu_experts_await(het__gpu *gpu, uint32_t slot, het_error *err)
{
    place *p = &gpu->experts->places[slot];
    return het__gpu_sent_await(gpu, p->arrived, err);
}

het__gpu_memory *het__gpu_experts_memory(const het__gpu *gpu, uint32_t slot)
{
    return gpu->experts->places[slot].memory;
}

het_status het__gpu_experts_leave(het__gpu *gpu, uint32_t slot, het_error *err)
{
    place *p = &gpu->experts->places[slot];
    void *event = NULL;
    het__expert_cache_leave(&gpu->experts->cache, slot);
    if (!gpu->driver->mark)
        return HET_OK;
    const het_status s = gpu->driver->mark(gpu, &event, err);
    if (s != HET_OK)
        return s;
    forget(gpu, &p->left);
    p->left = event;
    return HET_OK;
}

void het__gpu_experts_give_up(het__gpu *gpu, uint32_t slot)
{
    if (slot != HET__EXPERT_NO_SLOT)
        het__expert_cache_drop(&gpu->experts->cache, slot);
}

het_status het__gpu_experts_look_ahead(het__gpu *gpu, const het__gpu_mixture *mixture,
                                       het_error *err)
{
    het__gpu_experts *x = gpu->experts;
    const het__gpu_mixture *next = mixture->next ? mixture->next : x->first;
    const uint64_t since = x->began; /* what this mixture used stays */
    x->began = x->cache.clock + 1;
    if (!gpu->driver->upload || next == mixture)
        return HET_OK;
    for (uint32_t i = 0; i < next->recent_count; i++) {
        const uint32_t slot =
            het__expert_cache_expect(&x->cache, next->first_key + next->recent[i], since);
        if (slot == HET__EXPERT_NO_SLOT)
            continue;
        const het_status s = bring(gpu, next, next->recent[i], slot, true, err);
        if (s != HET_OK)
            return s;
    }
    return HET_OK;
}

void het__gpu_experts_count(const het__gpu *gpu, het__backend_counters *counters)
{
    const het__gpu_experts *x = gpu->experts;
    if (!x)
        return;
    counters->expert_slots = x->cache.slot_count;
    counters->expert_slot_bytes = (uint64_t)x->cache.slot_count * x->slot_bytes;
    counters->expert_hits = x->cache.hits;
    counters->expert_misses = x->cache.misses;
    counters->expert_evictions = x->cache.evictions;
    counters->expert_ahead = x->cache.ahead;
    counters->expert_ahead_hits = x->cache.ahead_hits;
    counters->expert_staged_bytes = x->staged_bytes;
}
