/* SPDX-License-Identifier: Apache-2.0 */
/* Which experts are in a device's memory, where there is room for some of them only.
 *
 *     keys   0 … key_count: every expert of every mixture, numbered by the device
 *     slots  places of equal size; each holds one expert or none
 *
 * A key that is wanted and in no slot takes one that is empty, else that of the expert which was
 * used longest ago (LRU) or least often (LFU; equally often: longest ago). Slots that are held keep
 * what they have. Nothing here moves a byte: who asks brings the expert, and says so if that fails.
 * What is chosen depends on the calls alone, so that a run can be replayed. */
#ifndef HET_PLAIN_EXPERTS_H
#define HET_PLAIN_EXPERTS_H

#include "lib/base/mem.h"

#include <hetinfer/experts.h>

#define HET__EXPERT_NO_KEY UINT32_MAX
#define HET__EXPERT_NO_SLOT UINT32_MAX

typedef struct het__expert_slot {
    uint32_t key;   /* HET__EXPERT_NO_KEY: empty */
    uint32_t held;  /* times */
    uint64_t used;  /* when, counted in uses */
    bool is_ahead;  /* brought before anybody asked for it */
} het__expert_slot;

typedef struct het__expert_cache {
    het__mem *mem;
    het_expert_keep keep;
    uint32_t slot_count, key_count;
    het__expert_slot *slots;
    uint32_t *slot_of; /* per key */
    uint64_t *uses;    /* per key */
    uint64_t clock;
    uint64_t hits, misses, evictions, ahead, ahead_hits; /* ahead: brought before */
} het__expert_cache;

/* Empty, without slots and keys. */
void het__expert_cache_init(het__expert_cache *cache, het__mem *mem, het_expert_keep keep);
void het__expert_cache_finish(het__expert_cache *cache);
/* So many slots, all empty; those before are forgotten. At least 1. */
het_status het__expert_cache_size(het__expert_cache *cache, uint32_t slots, het_error *err);
/* More keys, numbered from *first on. */
het_status het__expert_cache_add(het__expert_cache *cache, uint32_t count, uint32_t *first,
                                 het_error *err);

/* The slot of a key, which is held from then on; *is_new: what is in it must be brought. NO_SLOT:
 * all are held. Does not allocate, like what follows. */
uint32_t het__expert_cache_take(het__expert_cache *cache, uint32_t key, bool *is_new);
/* A slot for a key that is likely to be wanted soon: NO_SLOT if it is there already, or if only
 * what was used at the time `since` or later would go for it. Not held. */
uint32_t het__expert_cache_expect(het__expert_cache *cache, uint32_t key, uint64_t since);
void het__expert_cache_leave(het__expert_cache *cache, uint32_t slot);
/* What should be in it did not come. */
void het__expert_cache_drop(het__expert_cache *cache, uint32_t slot);

#endif /* HET_PLAIN_EXPERTS_H */
