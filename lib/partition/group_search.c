/* SPDX-License-Identifier: Apache-2.0 */
/* The cheapest grouping: a dynamic programme over sets of operations that have run.
 *
 * Such a set holds with a node all that it needs, so it is written as the first node that is
 * missing and a mask of the 64 from there on. A step runs a connected group of nodes whose needs
 * are met. Of two ways to the same set the cheaper is kept (fewer groups among equals), sets are
 * looked at in order of their size, and whatever order groups can run in is a path: nothing is
 * missed but what a bound cuts, and then the result does not say that it is proven. */
#include <stdlib.h>
#include <string.h>

#include "lib/partition/groups.h"

#define WINDOW 64
#define OPS_MAX 16              /* of a group */
#define STATES_MAX 512          /* of one size */
/* Groups tried: in all, about a second, with an equal share for each size of sets, and from one set
 * at least and at most. */
#define STEPS_TOTAL 400000
#define STEPS_LEAST 64
#define STEPS_MOST 4096
#define NONE UINT32_MAX

typedef struct state {
    uint64_t mask;  /* bit j: node base + j has run; bit 0 never */
    uint64_t taken; /* the group that led here, from the parent's base */
    double ns;
    uint32_t base; /* all before it have run */
    uint32_t groups;
    uint32_t parent;
    uint32_t next; /* of the same size */
} state;

typedef struct search {
    het__group_index *x;
    het__mem *mem;
    state *states;
    uint32_t *table; /* states by base and mask, open addressing; NONE: empty */
    uint32_t *heads; /* per size */
    struct ranked *ranked;
    size_t ranked_capacity;
    uint32_t count, capacity, table_size, ops_max;
    uint32_t steps; /* from sets of this size */
    uint32_t share; /* of them, for each size */
    bool cut, failed;
} search;

typedef struct ranked {
    double ns;
    uint32_t groups, state;
} ranked;

/* A group in the making. */
typedef struct attempt {
    uint32_t from;             /* state */
    uint32_t base, steps, limit;
    uint64_t ran, taken;       /* masks from base */
    uint32_t nodes[OPS_MAX], count;
    uint64_t needs[OPS_MAX];   /* members that each needs */
} attempt;

/* ---- states ---- */

static uint32_t slot_of(const search *s, uint32_t base, uint64_t mask)
{
    uint64_t h = (mask ^ (uint64_t)base * UINT64_C(0x9e3779b97f4a7c15)) *
                 UINT64_C(0xd6e8feb86659fd93);
    uint32_t i = (uint32_t)(h >> 32) & (s->table_size - 1);
    while (s->table[i] != NONE && (s->states[s->table[i]].base != base ||
                                   s->states[s->table[i]].mask != mask))
        i = (i + 1) & (s->table_size - 1);
    return i;
}

static bool grow_table(search *s)
{
    const uint32_t size = s->table_size ? s->table_size * 2 : 1024;
    uint32_t *table = het__alloc(s->mem, size * sizeof *table);
    if (!table)
        return false;
    memset(table, 0xff, size * sizeof *table);
    het__free(s->mem, s->table);
    s->table = table;
    s->table_size = size;
    for (uint32_t i = 0; i < s->count; i++)
        table[slot_of(s, s->states[i].base, s->states[i].mask)] = i;
    return true;
}

static bool make_room(search *s)
{
    if (s->count == s->capacity) {
        const uint32_t capacity = s->capacity ? s->capacity * 2 : 512;
        state *states = het__realloc(s->mem, s->states, capacity * sizeof *states);
        if (!states)
            return false;
        s->states = states;
        s->capacity = capacity;
    }
    return s->count * 2 < s->table_size || grow_table(s);
}

/* Remember a way to a set of nodes. new->mask is from new->base on, bit 0 may be set. */
static void reach(search *s, const state *new)
{
    state t = *new;
    while (t.mask & 1) {
        t.mask >>= 1;
        t.base++;
    }
    if (!make_room(s)) {
        s->failed = true;
        return;
    }
    const uint32_t slot = slot_of(s, t.base, t.mask);
    if (s->table[slot] != NONE) {
        state *old = &s->states[s->table[slot]];
        if (t.ns < old->ns || (t.ns <= old->ns && t.groups < old->groups)) {
            t.next = old->next;
            *old = t;
        }
        return;
    }
    const uint32_t size = t.base + (uint32_t)__builtin_popcountll(t.mask);
    t.next = s->heads[size];
    s->heads[size] = s->table[slot] = s->count;
    s->states[s->count++] = t;
}

/* ---- groups ---- */

/* All that the node needs has run or is a member; then *needs are the members among it. */
static bool is_ready(const search *s, const attempt *a, uint32_t node, uint64_t *needs)
{
    const het__group_index *x = s->x;
    *needs = 0;
    for (uint32_t e = x->first_edge[node]; e < x->first_edge[node + 1]; e++) {
        const uint32_t from = x->p->edges[e].from;
        if (from < a->base)
            continue;
        const uint64_t bit = UINT64_C(1) << (from - a->base);
        if (a->taken & bit)
            *needs |= bit;
        else if (!(a->ran & bit))
            return false;
    }
    return true;
}

static bool is_connected(const attempt *a)
{
    uint64_t reached = UINT64_C(1) << (a->nodes[0] - a->base), before = 0;
    while (reached != before) {
        before = reached;
        for (uint32_t i = 0; i < a->count; i++) {
            const uint64_t self = UINT64_C(1) << (a->nodes[i] - a->base);
            if ((self | a->needs[i]) & reached)
                reached |= self | a->needs[i];
        }
    }
    return reached == a->taken;
}

/* False: neither this nor any larger group is of use. */
static bool try_group(search *s, const attempt *a)
{
    het__group_cost cost;
    het__group_measure(s->x, a->nodes, a->count, &cost);
    if (!het__group_fits(s->x->p, a->nodes, a->count, &cost))
        return false;
    if (!is_connected(a))
        return true;
    const state *from = &s->states[a->from];
    const state to = { .mask = a->ran | a->taken, .taken = a->taken, .ns = from->ns + cost.ns,
                       .base = a->base, .groups = from->groups + 1, .parent = a->from };
    reach(s, &to);
    return true;
}

/* Members are added in ascending order: every set of them comes up once, and its needs are met on
 * the way. As deep as a group is large. */
static void extend(search *s, attempt *a, uint32_t first)
{
    const uint32_t n = s->x->p->node_count;
    for (uint32_t j = first; j < WINDOW && a->base + j < n && !s->failed; j++) {
        const uint64_t bit = UINT64_C(1) << j;
        uint64_t needs;
        if ((a->ran & bit) || !is_ready(s, a, a->base + j, &needs))
            continue;
        if (a->steps++ >= a->limit) {
            s->cut = true;
            return;
        }
        a->needs[a->count] = needs;
        a->nodes[a->count++] = a->base + j;
        a->taken |= bit;
        if (try_group(s, a) && a->count < s->ops_max)
            extend(s, a, j + 1);
        a->taken &= ~bit;
        a->count--;
    }
}

static void expand(search *s, uint32_t from)
{
    attempt a = { .from = from, .base = s->states[from].base, .ran = s->states[from].mask,
                  .limit = s->share < STEPS_MOST ? s->share : STEPS_MOST };
    extend(s, &a, 0);
    s->steps += a.steps;
}

/* ---- sizes ---- */

static int by_ns(const void *a, const void *b)
{
    const ranked *x = a, *y = b;
    if (x->ns < y->ns || x->ns > y->ns)
        return x->ns < y->ns ? -1 : 1;
    if (x->groups != y->groups)
        return x->groups < y->groups ? -1 : 1;
    return x->state < y->state ? -1 : x->state > y->state;
}

/* States of a size, the cheapest first; how many are worth going on from. */
static size_t rank(search *s, uint32_t size)
{
    size_t count = 0;
    for (uint32_t i = s->heads[size]; i != NONE; i = s->states[i].next) {
        if (count == s->ranked_capacity) {
            const size_t capacity = count ? count * 2 : 64;
            ranked *list = het__realloc(s->mem, s->ranked, capacity * sizeof *list);
            if (!list) {
                s->failed = true;
                return 0;
            }
            s->ranked = list;
            s->ranked_capacity = capacity;
        }
        s->ranked[count++] = (ranked){ s->states[i].ns, s->states[i].groups, i };
    }
    if (count > 1)
        qsort(s->ranked, count, sizeof *s->ranked, by_ns);
    s->cut = s->cut || count > STATES_MAX;
    return count < STATES_MAX ? count : STATES_MAX;
}

static void read_back(const search *s, het__grouping *g)
{
    uint32_t at = s->heads[s->x->p->node_count];
    g->group_count = s->states[at].groups;
    for (uint32_t k = g->group_count; k-- > 0; at = s->states[at].parent) {
        const uint32_t base = s->states[s->states[at].parent].base;
        for (uint64_t taken = s->states[at].taken; taken; taken &= taken - 1)
            g->group[base + (uint32_t)__builtin_ctzll(taken)] = k;
    }
}

static void run(search *s)
{
    const uint32_t n = s->x->p->node_count;
    const state start = { .parent = NONE };
    s->share = n && STEPS_TOTAL / n > STEPS_LEAST ? STEPS_TOTAL / n : STEPS_LEAST;
    reach(s, &start);
    for (uint32_t size = 0; size < n && !s->failed; size++) {
        const size_t count = rank(s, size);
        size_t i = 0;
        for (s->steps = 0; i < count && s->steps < s->share && !s->failed; i++)
            expand(s, s->ranked[i].state);
        s->cut = s->cut || i < count;
    }
}

het_status het__groups_search(het__group_index *x, het__mem *mem, het__grouping *g)
{
    const uint32_t n = x->p->node_count;
    search s = { .x = x, .mem = mem };
    s.ops_max = x->p->max_ops && x->p->max_ops < OPS_MAX ? x->p->max_ops : OPS_MAX;
    s.heads = het__alloc(mem, ((size_t)n + 1) * sizeof *s.heads);
    s.failed = !s.heads;
    if (s.heads) {
        memset(s.heads, 0xff, ((size_t)n + 1) * sizeof *s.heads);
        run(&s);
    }
    if (!s.failed)
        read_back(&s, g);
    g->proven = !s.cut && (n <= OPS_MAX || (x->p->max_ops && x->p->max_ops <= OPS_MAX));
    s.failed = s.failed || !het__groups_settle(x, mem, g);
    het__free(mem, s.states);
    het__free(mem, s.table);
    het__free(mem, s.heads);
    het__free(mem, s.ranked);
    return s.failed ? HET_E_NOMEM : HET_OK;
}
