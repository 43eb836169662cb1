/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/partition/place.h"

#include <assert.h>
#include <math.h>
#include <string.h>

/* States kept per node; a language model's layer needs at most devices * (2^devices - 1). */
#define STATES_MAX 4096
/* Values alive at once that a state can describe. */
#define LIVE_MAX 32
#define TOO_MANY UINT32_MAX

/* A partial placement: where live values are, what it cost, how it came about. */
typedef struct state {
    double ns;
    uint32_t parent; /* in the previous node's states */
    uint8_t device;  /* of this node */
    uint16_t where[LIVE_MAX]; /* per live value: devices that hold it */
} state;

typedef struct step { /* what backtracking needs */
    uint32_t *parent;
    uint8_t *device;
    uint32_t count;
} step;

typedef struct solver {
    const het__place_problem *problem;
    het__mem *mem;
    state *now, *next;
    uint32_t now_count, next_count;
    uint32_t *slots;       /* hash table over next: index + 1 */
    uint32_t live[LIVE_MAX]; /* values alive before the node */
    uint32_t live_count;
    step *steps;
    bool proven;
} solver;

#define SLOTS (4 * STATES_MAX)

static uint32_t last_use(const het__place_value *v)
{
    return v->consumer_count ? v->consumers[v->consumer_count - 1] : v->producer;
}

static bool reads(const het__place_value *v, uint32_t node)
{
    for (uint32_t i = 0; i < v->consumer_count; i++)
        if (v->consumers[i] == node)
            return true;
    return false;
}

/* Cheapest way to bring a value to a device from one that has it. */
static double bring_ns(const het__place_problem *p, const het__place_value *v, uint16_t where,
                       uint32_t device)
{
    if (where >> device & 1)
        return 0;
    double best = INFINITY;
    for (uint32_t from = 0; from < p->device_count; from++) {
        if (!(where >> from & 1))
            continue;
        const double ns = v->transfer_ns[from * p->device_count + device];
        if (ns < best)
            best = ns;
    }
    return best;
}

static uint64_t hash_where(const uint16_t *where)
{
    uint64_t h = UINT64_C(1469598103934665603);
    for (uint32_t i = 0; i < LIVE_MAX; i++)
        h = (h ^ where[i]) * UINT64_C(1099511628211);
    return h ^ h >> 29;
}

static void keep(solver *s, const state *candidate)
{
    uint64_t h = hash_where(candidate->where) % SLOTS;
    while (s->slots[h]) {
        state *other = &s->next[s->slots[h] - 1];
        if (memcmp(other->where, candidate->where, sizeof other->where) == 0) {
            if (candidate->ns < other->ns)
                *other = *candidate;
            return;
        }
        h = (h + 1) % SLOTS;
    }
    if (s->next_count < STATES_MAX) {
        s->next[s->next_count] = *candidate;
        s->slots[h] = ++s->next_count;
        return;
    }
    s->proven = false;
    uint32_t worst = 0;
    for (uint32_t i = 1; i < s->next_count; i++)
        if (s->next[i].ns > s->next[worst].ns)
            worst = i;
    if (candidate->ns >= s->next[worst].ns)
        return;
    s->next[worst] = *candidate; /* its slot keeps a stale key: only a duplicate may arise */
}

/* Values that are alive behind a node, and where each of them was in the list before it. */
static uint32_t live_after(const solver *s, uint32_t node, uint32_t *live, uint32_t *from)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < s->live_count; i++) {
        if (last_use(&s->problem->values[s->live[i]]) <= node)
            continue;
        live[count] = s->live[i];
        from[count++] = i;
    }
    for (uint32_t v = 0; v < s->problem->value_count; v++) {
        if (s->problem->values[v].producer != node || last_use(&s->problem->values[v]) <= node)
            continue;
        if (count == LIVE_MAX)
            return TOO_MANY;
        live[count] = v;
        from[count++] = UINT32_MAX;
    }
    return count;
}

static void extend(solver *s, uint32_t node, uint32_t parent, uint32_t device,
                   const uint32_t *from, uint32_t live_count)
{
    const het__place_problem *p = s->problem;
    const state *old = &s->now[parent];
    uint16_t where[LIVE_MAX];
    double ns = old->ns + p->node_ns[(size_t)node * p->device_count + device];
    memcpy(where, old->where, sizeof where);
    for (uint32_t i = 0; i < s->live_count; i++) {
        const het__place_value *v = &p->values[s->live[i]];
        if (!reads(v, node))
            continue;
        ns += bring_ns(p, v, where[i], device);
        where[i] = (uint16_t)(where[i] | 1u << device);
    }
    if (!isfinite(ns))
        return;
    state candidate = { .ns = ns, .parent = parent, .device = (uint8_t)device };
    for (uint32_t i = 0; i < live_count; i++)
        candidate.where[i] = from[i] == UINT32_MAX ? (uint16_t)(1u << device) : where[from[i]];
    keep(s, &candidate);
}

static het_status record(solver *s, uint32_t node)
{
    step *out = &s->steps[node];
    out->count = s->next_count;
    out->parent = het__alloc(s->mem, s->next_count * sizeof *out->parent);
    out->device = het__alloc(s->mem, s->next_count);
    if (!out->parent || !out->device)
        return HET_E_NOMEM;
    for (uint32_t i = 0; i < s->next_count; i++) {
        out->parent[i] = s->next[i].parent;
        out->device[i] = s->next[i].device;
    }
    return HET_OK;
}

static het_status advance(solver *s, uint32_t node)
{
    uint32_t live[LIVE_MAX], from[LIVE_MAX];
    const uint32_t live_count = live_after(s, node, live, from);
    if (live_count == TOO_MANY)
        return HET_E_INTERNAL;
    s->next_count = 0;
    memset(s->slots, 0, SLOTS * sizeof *s->slots);
    for (uint32_t i = 0; i < s->now_count; i++)
        for (uint32_t d = 0; d < s->problem->device_count; d++)
            extend(s, node, i, d, from, live_count);
    if (s->next_count == 0)
        return HET_E_UNSUPPORTED;
    const het_status status = record(s, node);
    memcpy(s->live, live, sizeof live);
    s->live_count = live_count;
    state *swap = s->now;
    s->now = s->next;
    s->next = swap;
    s->now_count = s->next_count;
    return status;
}

static void backtrack(const solver *s, het__placement *placement)
{
    uint32_t best = 0;
    for (uint32_t i = 1; i < s->now_count; i++)
        if (s->now[i].ns < s->now[best].ns)
            best = i;
    placement->total_ns = s->now[best].ns;
    for (uint32_t n = s->problem->node_count; n-- > 0;) {
        placement->device[n] = s->steps[n].device[best];
        best = s->steps[n].parent[best];
    }
}

static void single_devices(const het__place_problem *p, het__placement *placement)
{
    for (uint32_t d = 0; d < p->device_count; d++) {
        placement->single_ns[d] = 0;
        for (uint32_t n = 0; n < p->node_count; n++)
            placement->single_ns[d] += p->node_ns[(size_t)n * p->device_count + d];
    }
}

/* The best single device is always a candidate: it wins ties and whatever pruning lost. */
static void consider_single(const het__place_problem *p, het__placement *placement)
{
    uint32_t best = 0;
    for (uint32_t d = 1; d < p->device_count; d++)
        if (placement->single_ns[d] < placement->single_ns[best])
            best = d;
    if (p->node_count == 0 || !(placement->single_ns[best] <= placement->total_ns))
        return;
    memset(placement->device, (int)best, p->node_count);
    placement->total_ns = placement->single_ns[best];
}

/* The dynamic programme; HET_E_INTERNAL if a state cannot describe what is alive. */
static het_status search(solver *s, het__placement *placement, uint32_t *stuck)
{
    s->now_count = 1;
    memset(s->now, 0, sizeof *s->now);
    for (uint32_t n = 0; n < s->problem->node_count; n++) {
        const het_status status = advance(s, n);
        if (status != HET_OK) {
            *stuck = n;
            return status;
        }
    }
    if (s->problem->node_count)
        backtrack(s, placement);
    return HET_OK;
}

static het_status solve(solver *s, het__placement *placement, uint32_t *stuck)
{
    single_devices(s->problem, placement);
    het_status status = search(s, placement, stuck);
    if (status == HET_E_INTERNAL) {
        placement->total_ns = INFINITY;
        s->proven = false;
        status = HET_OK;
    }
    if (status != HET_OK)
        return status;
    consider_single(s->problem, placement);
    placement->proven = s->proven;
    return isfinite(placement->total_ns) ? HET_OK : HET_E_UNSUPPORTED;
}

het_status het__place(const het__place_problem *problem, het__mem *mem, het__placement *placement,
                      uint32_t *stuck)
{
    assert(problem->device_count >= 1 && problem->device_count <= HET__PLACE_DEVICES_MAX);
    solver s = { .problem = problem, .mem = mem, .proven = true };
    het_status status = HET_E_NOMEM;
    *stuck = 0;
    placement->total_ns = 0;
    s.now = het__alloc_zero(mem, STATES_MAX, sizeof *s.now);
    s.next = het__alloc_zero(mem, STATES_MAX, sizeof *s.next);
    s.slots = het__alloc_zero(mem, SLOTS, sizeof *s.slots);
    s.steps = het__alloc_zero(mem, problem->node_count ? problem->node_count : 1, sizeof *s.steps);
    if (s.now && s.next && s.slots && s.steps)
        status = solve(&s, placement, stuck);
    for (uint32_t n = 0; s.steps && n < problem->node_count; n++) {
        het__free(mem, s.steps[n].parent);
        het__free(mem, s.steps[n].device);
    }
    het__free(mem, s.steps);
    het__free(mem, s.slots);
    het__free(mem, s.next);
    het__free(mem, s.now);
    return status;
}

double het__place_cost(const het__place_problem *p, const uint8_t *device)
{
    double ns = 0;
    for (uint32_t n = 0; n < p->node_count; n++)
        ns += p->node_ns[(size_t)n * p->device_count + device[n]];
    for (uint32_t v = 0; v < p->value_count; v++) {
        const het__place_value *value = &p->values[v];
        uint16_t where = (uint16_t)(1u << device[value->producer]);
        for (uint32_t i = 0; i < value->consumer_count; i++) {
            const uint32_t d = device[value->consumers[i]];
            ns += bring_ns(p, value, where, d);
            where = (uint16_t)(where | 1u << d);
        }
    }
    return ns;
}
