/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/plain/experts.h"

#include <assert.h>
#include <string.h>

#include "lib/base/error.h"

void het__expert_cache_init(het__expert_cache *cache, het__mem *mem, het_expert_keep keep)
{
    *cache = (het__expert_cache){ .mem = mem, .keep = keep };
}

void het__expert_cache_finish(het__expert_cache *cache)
{
    het__free(cache->mem, cache->slots);
    het__free(cache->mem, cache->slot_of);
    het__free(cache->mem, cache->uses);
}

static void empty(het__expert_slot *slot)
{
    *slot = (het__expert_slot){ .key = HET__EXPERT_NO_KEY };
}

het_status het__expert_cache_size(het__expert_cache *cache, uint32_t slots, het_error *err)
{
    assert(slots >= 1);
    het__expert_slot *fresh = het__alloc_zero(cache->mem, slots, sizeof *fresh);
    if (!fresh)
        return het__fail_nomem(err, "the cache of experts");
    het__free(cache->mem, cache->slots);
    cache->slots = fresh;
    cache->slot_count = slots;
    for (uint32_t i = 0; i < slots; i++)
        empty(&fresh[i]);
    for (uint32_t k = 0; k < cache->key_count; k++)
        cache->slot_of[k] = HET__EXPERT_NO_SLOT;
    return HET_OK;
}

het_status het__expert_cache_add(het__expert_cache *cache, uint32_t count, uint32_t *first,
                                 het_error *err)
{
    size_t bytes;
    if (count > HET__EXPERT_NO_KEY - cache->key_count - 1 ||
        !het__mul_size((size_t)cache->key_count + count, sizeof(uint64_t), &bytes))
        return het__fail_nomem(err, "the cache of experts");
    uint64_t *uses = het__realloc(cache->mem, cache->uses, bytes);
    if (!uses)
        return het__fail_nomem(err, "the cache of experts");
    cache->uses = uses;
    uint32_t *slot_of = het__realloc(cache->mem, cache->slot_of, bytes / 2);
    if (!slot_of)
        return het__fail_nomem(err, "the cache of experts");
    cache->slot_of = slot_of;
    *first = cache->key_count;
    for (uint32_t i = 0; i < count; i++) {
        uses[cache->key_count] = 0;
        slot_of[cache->key_count++] = HET__EXPERT_NO_SLOT;
    }
    return HET_OK;
}

/* Whether a goes rather than b. */
static bool goes_first(const het__expert_cache *cache, const het__expert_slot *a,
                       const het__expert_slot *b)
{
    if (cache->keep == HET_EXPERT_KEEP_FREQUENT && cache->uses[a->key] != cache->uses[b->key])
        return cache->uses[a->key] < cache->uses[b->key];
    return a->used < b->used;
}

/* before: only what was used earlier goes. */
static uint32_t find_room(const het__expert_cache *cache, uint64_t before)
{
    uint32_t best = HET__EXPERT_NO_SLOT;
    for (uint32_t i = 0; i < cache->slot_count; i++) {
        const het__expert_slot *s = &cache->slots[i];
        if (s->held)
            continue;
        if (s->key == HET__EXPERT_NO_KEY)
            return i;
        if (s->used < before &&
            (best == HET__EXPERT_NO_SLOT || goes_first(cache, s, &cache->slots[best])))
            best = i;
    }
    return best;
}

static void give(het__expert_cache *cache, uint32_t slot, uint32_t key)
{
    het__expert_slot *s = &cache->slots[slot];
    if (s->key != HET__EXPERT_NO_KEY) {
        cache->slot_of[s->key] = HET__EXPERT_NO_SLOT;
        cache->evictions++;
    }
    *s = (het__expert_slot){ .key = key, .used = cache->clock };
    cache->slot_of[key] = slot;
}

uint32_t het__expert_cache_take(het__expert_cache *cache, uint32_t key, bool *is_new)
{
    assert(key < cache->key_count);
    uint32_t slot = cache->slot_of[key];
    *is_new = slot == HET__EXPERT_NO_SLOT;
    if (*is_new)
        slot = find_room(cache, UINT64_MAX);
    if (slot == HET__EXPERT_NO_SLOT)
        return slot;
    if (*is_new)
        give(cache, slot, key);
    het__expert_slot *s = &cache->slots[slot];
    cache->hits += !*is_new;
    cache->misses += *is_new;
    cache->ahead_hits += s->is_ahead;
    cache->uses[key]++;
    s->is_ahead = false;
    s->used = ++cache->clock;
    s->held++;
    return slot;
}

uint32_t het__expert_cache_expect(het__expert_cache *cache, uint32_t key, uint64_t since)
{
    assert(key < cache->key_count);
    if (cache->slot_of[key] != HET__EXPERT_NO_SLOT)
        return HET__EXPERT_NO_SLOT;
    const uint32_t slot = find_room(cache, since);
    if (slot == HET__EXPERT_NO_SLOT)
        return slot;
    give(cache, slot, key);
    cache->slots[slot].is_ahead = true;
    cache->ahead++;
    return slot;
}

void het__expert_cache_leave(het__expert_cache *cache, uint32_t slot)
{
    assert(cache->slots[slot].held > 0);
    cache->slots[slot].held--;
}

void het__expert_cache_drop(het__expert_cache *cache, uint32_t slot)
{
    const uint32_t key = cache->slots[slot].key;
    if (key != HET__EXPERT_NO_KEY)
        cache->slot_of[key] = HET__EXPERT_NO_SLOT;
    empty(&cache->slots[slot]);
}
