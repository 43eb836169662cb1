/* SPDX-License-Identifier: Apache-2.0 */
/* The cache of experts against a simulation that knows nothing but the rules, call by call. */
#include "lib/plain/experts.h"

#include "test.h"

#define KEYS 24
#define SLOTS_MAX 24

/* Who is there, and when and how often each was used. */
typedef struct model {
    uint32_t count, key[SLOTS_MAX];
    uint64_t when[SLOTS_MAX], uses[KEYS], clock, misses, evictions;
    het_expert_keep keep;
} model;

static uint32_t random_next(uint64_t *state)
{
    *state = *state * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(*state >> 33);
}

static bool model_goes(const model *m, uint32_t a, uint32_t b)
{
    if (m->keep == HET_EXPERT_KEEP_FREQUENT && m->uses[m->key[a]] != m->uses[m->key[b]])
        return m->uses[m->key[a]] < m->uses[m->key[b]];
    return m->when[a] < m->when[b];
}

/* Whether the key was there. */
static bool model_use(model *m, uint32_t key)
{
    uint32_t slot = SLOTS_MAX, victim = 0;
    for (uint32_t i = 0; i < m->count; i++)
        if (m->key[i] == key)
            slot = i;
    const bool hit = slot < SLOTS_MAX;
    for (uint32_t i = 0; i < m->count && !hit; i++) {
        if (m->key[i] == KEYS) {
            victim = i;
            break;
        }
        if (model_goes(m, i, victim))
            victim = i;
    }
    if (!hit) {
        slot = victim;
        m->misses++;
        m->evictions += m->key[slot] != KEYS;
    }
    m->key[slot] = key;
    m->when[slot] = ++m->clock;
    m->uses[key]++;
    return hit;
}

static void replay(uint32_t slots, het_expert_keep keep)
{
    het__mem mem;
    het__expert_cache c;
    het_error err = HET_ERROR_INIT;
    uint32_t first = 1;
    uint64_t seed = slots * 977u + keep, hits = 0;
    model m = { .count = slots, .keep = keep };
    for (uint32_t i = 0; i < slots; i++)
        m.key[i] = KEYS;
    het__mem_init(&mem, NULL);
    het__expert_cache_init(&c, &mem, keep);
    CHECK_INT(het__expert_cache_add(&c, KEYS / 2, &first, &err), HET_OK);
    CHECK_INT(first, 0);
    CHECK_INT(het__expert_cache_add(&c, KEYS / 2, &first, &err), HET_OK);
    CHECK_INT(first, KEYS / 2);
    CHECK_INT(het__expert_cache_size(&c, slots, &err), HET_OK);
    for (int i = 0; i < 4000; i++) {
        bool is_new = false;
        /* Some keys far more often than others. */
        const uint32_t a = random_next(&seed) % KEYS, b = random_next(&seed) % KEYS;
        const uint32_t key = a < b ? a : b;
        const bool hit = model_use(&m, key);
        const uint32_t slot = het__expert_cache_take(&c, key, &is_new);
        CHECK(slot < slots && c.slots[slot].key == key);
        CHECK_INT(is_new, !hit);
        hits += hit;
        het__expert_cache_leave(&c, slot);
    }
    CHECK_INT(c.hits, hits);
    CHECK_INT(c.misses, m.misses);
    CHECK_INT(c.evictions, m.evictions);
    het__expert_cache_finish(&c);
    CHECK_INT(mem.bytes, 0);
}

static void replays_as_simulated(void)
{
    for (uint32_t slots = 1; slots <= SLOTS_MAX; slots += slots < 4 ? 1 : 5) {
        replay(slots, HET_EXPERT_KEEP_RECENT);
        replay(slots, HET_EXPERT_KEEP_FREQUENT);
    }
}

static void what_is_held_stays(void)
{
    het__mem mem;
    het__expert_cache c;
    het_error err = HET_ERROR_INIT;
    uint32_t first;
    bool is_new;
    het__mem_init(&mem, NULL);
    het__expert_cache_init(&c, &mem, HET_EXPERT_KEEP_RECENT);
    CHECK_INT(het__expert_cache_add(&c, 4, &first, &err), HET_OK);
    CHECK_INT(het__expert_cache_size(&c, 2, &err), HET_OK);
    const uint32_t a = het__expert_cache_take(&c, 0, &is_new);
    const uint32_t b = het__expert_cache_take(&c, 1, &is_new);
    CHECK(a != b);
    CHECK_INT(het__expert_cache_take(&c, 2, &is_new), HET__EXPERT_NO_SLOT);
    CHECK_INT(het__expert_cache_expect(&c, 2, UINT64_MAX), HET__EXPERT_NO_SLOT);
    het__expert_cache_leave(&c, a);
    /* What was used since then is not given for a guess. */
    CHECK_INT(het__expert_cache_expect(&c, 2, 1), HET__EXPERT_NO_SLOT);
    CHECK_INT(het__expert_cache_expect(&c, 2, 2), a);
    CHECK_INT(het__expert_cache_take(&c, 2, &is_new), a);
    CHECK(!is_new);
    CHECK_INT(c.ahead, 1);
    CHECK_INT(c.ahead_hits, 1);
    /* What did not come is not there. */
    het__expert_cache_drop(&c, a);
    CHECK_INT(het__expert_cache_take(&c, 2, &is_new), a);
    CHECK(is_new);
    het__expert_cache_finish(&c);
    CHECK_INT(mem.bytes, 0);
}

int main(void)
{
    test_case(replays_as_simulated);
    test_case(what_is_held_stays);
    return test_finish();
}
