/* SPDX-License-Identifier: Apache-2.0 */
/* A placement problem by node, so that one pass over the nodes is linear in it. */
#include <string.h>

#include "lib/partition/place_search.h"

static uint32_t last_use(const het__place_value *v)
{
    return v->consumer_count ? v->consumers[v->consumer_count - 1] : v->producer;
}

static bool is_shared(const het__place_store *s)
{
    return s->user_count > 1 && s->users[0] != s->users[s->user_count - 1];
}

/* Stores whose holders matter later: ties, and where bytes count, what several nodes use; and what
 * takes nothing on some devices, which sums by node leave out. */
static bool is_thing(const het__place_store *s, bool memory)
{
    return (is_shared(s) && (s->is_tied || memory)) ||
           (memory && s->free_devices && s->user_count > 0);
}

static uint32_t count_things(const het__place_problem *p, bool memory)
{
    uint32_t n = p->value_count;
    for (uint32_t i = 0; i < p->store_count; i++)
        n += is_thing(&p->stores[i], memory);
    return n;
}

static void fill_things(const het__place_problem *p, bool memory, het__place_index *x)
{
    for (uint32_t v = 0; v < p->value_count; v++)
        x->things[v] = (het__place_thing){ &p->values[v], p->values[v].bytes,
                                           p->values[v].producer % het__place_phases(p),
                                           last_use(&p->values[v]), false, false, 0 };
    uint32_t n = p->value_count;
    for (uint32_t i = 0; i < p->store_count; i++) {
        const het__place_store *s = &p->stores[i];
        if (is_thing(s, memory))
            x->things[n++] = (het__place_thing){ NULL, s->bytes, 0,
                                                 s->users[s->user_count - 1], s->is_tied,
                                                 s->is_file, s->free_devices };
    }
}

/* Two passes over the same walk: counts first, then places. */
static void note(uint32_t *first, uint32_t *list, uint32_t node, uint32_t thing)
{
    if (list)
        list[first[node]++] = thing;
    else
        first[node + 1]++;
}

static void note_users(const uint32_t *users, uint32_t count, uint32_t thing, uint32_t *first,
                       uint32_t *list)
{
    for (uint32_t i = 0; i < count; i++)
        if (i == 0 || users[i] != users[i - 1])
            note(first, list, users[i], thing);
}

static void walk(const het__place_index *x, bool memory, uint32_t *first_made, uint32_t *made,
                 uint32_t *first_read, uint32_t *read)
{
    const het__place_problem *p = x->problem;
    for (uint32_t v = 0; v < p->value_count; v++) {
        note(first_made, made, p->values[v].producer, v);
        note_users(p->values[v].consumers, p->values[v].consumer_count, v, first_read, read);
    }
    uint32_t n = p->value_count;
    for (uint32_t i = 0; i < p->store_count; i++) {
        const het__place_store *s = &p->stores[i];
        if (!is_thing(s, memory))
            continue;
        note(first_made, made, s->users[0], n);
        uint32_t rest = 0;
        while (rest < s->user_count && s->users[rest] == s->users[0])
            rest++;
        note_users(s->users + rest, s->user_count - rest, n, first_read, read);
        n++;
    }
}

static void sum_up(uint32_t *first, uint32_t nodes)
{
    for (uint32_t n = 0; n < nodes; n++)
        first[n + 1] += first[n];
}

/* Filling moved every entry to the start of the next. */
static void move_back(uint32_t *first, uint32_t nodes)
{
    memmove(first + 1, first, nodes * sizeof *first);
    first[0] = 0;
}

static void fill_bytes(const het__place_problem *p, het__place_index *x)
{
    for (uint32_t i = 0; i < p->store_count; i++) {
        const het__place_store *s = &p->stores[i];
        if (s->user_count == 0 || s->free_devices)
            continue;
        uint32_t users = 0;
        for (uint32_t k = 0; k < s->user_count; k++)
            users += k == 0 || s->users[k] != s->users[k - 1];
        for (uint32_t k = 0; k < s->user_count; k++)
            if (k == 0 || s->users[k] != s->users[k - 1])
                x->share_bytes[s->users[k]] += s->bytes / users;
        if (users == 1)
            (s->is_file ? x->own_file_bytes : x->own_bytes)[s->users[0]] += s->bytes;
        x->new_bytes[s->users[0]] += s->bytes;
    }
    for (uint32_t n = p->node_count; n-- > 0;)
        x->new_bytes[n] += x->new_bytes[n + 1];
}

bool het__place_index_make(const het__place_problem *p, bool memory, het__arena *arena,
                           het__place_index *x)
{
    const size_t nodes = p->node_count;
    memset(x, 0, sizeof *x);
    x->problem = p;
    x->thing_count = count_things(p, memory);
    x->things = het__arena_zero(arena, x->thing_count, sizeof *x->things);
    x->first_made = het__arena_zero(arena, nodes + 2, sizeof *x->first_made);
    x->first_read = het__arena_zero(arena, nodes + 2, sizeof *x->first_read);
    x->own_bytes = het__arena_zero(arena, nodes + 1, sizeof *x->own_bytes);
    x->own_file_bytes = het__arena_zero(arena, nodes + 1, sizeof *x->own_file_bytes);
    x->new_bytes = het__arena_zero(arena, nodes + 1, sizeof *x->new_bytes);
    x->share_bytes = het__arena_zero(arena, nodes + 1, sizeof *x->share_bytes);
    if (!x->things || !x->first_made || !x->first_read || !x->own_bytes || !x->own_file_bytes ||
        !x->new_bytes || !x->share_bytes)
        return false;
    fill_things(p, memory, x);
    fill_bytes(p, x);
    walk(x, memory, x->first_made, NULL, x->first_read, NULL);
    sum_up(x->first_made, p->node_count);
    sum_up(x->first_read, p->node_count);
    x->made = het__arena_zero(arena, x->first_made[nodes], sizeof *x->made);
    x->read = het__arena_zero(arena, x->first_read[nodes], sizeof *x->read);
    if (!x->made || !x->read)
        return false;
    walk(x, memory, x->first_made, x->made, x->first_read, x->read);
    move_back(x->first_made, p->node_count);
    move_back(x->first_read, p->node_count);
    return true;
}
