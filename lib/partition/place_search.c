/* SPDX-License-Identifier: Apache-2.0 */
/* One pass of the dynamic programme. A label is a partial placement: its cost, who holds what is
 * still needed, and, where memories or shares count, a vector of what each device took so far. Of
 * two labels with the same holders the one that is no better in any respect is dropped; the first
 * stays among equals, so that the same input gives the same output. Where more labels arise than
 * are allowed the worst are dropped, and the result is not complete. */
#include "lib/partition/place_search.h"

#include <assert.h>
#include <math.h>
#include <string.h>

#define NONE UINT32_MAX
#define DEVICES HET__PLACE_DEVICES_MAX
/* Holders of all labels of a step, at most. */
#define MASKS_MAX (1u << 22)
/* Width of a state up to which all labels are affordable. */
#define WIDTH_CHEAP 16

/* Labels behind one node. */
typedef struct labels {
    uint32_t count, capacity;
    uint32_t width;   /* things alive: masks per label */
    size_t mask_room; /* entries of masks */
    double *cost, *rank, *vector;
    uint32_t *parent, *next;
    uint8_t *device;
    bool *dead;
    uint16_t *masks; /* devices that hold a thing */
} labels;

/* A label in the making. */
typedef struct candidate {
    double cost;
    double vector[3 * DEVICES];
    uint64_t hash; /* of the holders of the things alive behind the node */
} candidate;

typedef struct order {
    double rank;
    uint32_t at;
} order;

/* What a node reads, as this pass sees it. Where there are few devices and many labels a table says
 * what bringing it costs. */
#define CHEAP_DEVICES 4
typedef struct reading {
    const het__place_thing *thing;
    uint32_t position;    /* among the things alive before the node */
    uint32_t place_after; /* behind it; NONE: nobody reads it any more */
    double bring[1u << CHEAP_DEVICES][CHEAP_DEVICES]; /* by holders and device */
} reading;

typedef struct pass {
    const het__place_pass *q;
    const het__place_problem *p;
    const het__place_index *x;
    het__mem *mem;
    het__arena arena;
    uint32_t devices, vector_count, stored_at; /* stored_at: place of stored bytes in a vector */
    labels a, b, *now, *after;
    uint32_t *slots;
    uint32_t slot_count, slot_room;
    uint32_t *live, *live_after, *from, *position;
    uint32_t *place_after; /* per thing: where it is behind the node, or NONE */
    reading *readings;     /* of the node */
    uint32_t reading_count;
    bool has_tables;       /* of the readings */
    uint32_t *held_at;     /* things alive that are values of the node's phase: places, and bytes */
    double *held_bytes;
    uint32_t held_count;
    double first_stored[DEVICES]; /* what the node is the first to store on each device */
    uint32_t live_count, kept_count; /* kept_count: of those behind the node, alive before it */
    uint16_t *base_masks, *new_masks; /* behind the node: of a label as it is, of a candidate */
    uint64_t base_hash, *factor; /* factor: per place, for hashing */
    double *floor, *priced_floor; /* per node: least that it and all behind it cost */
    double device_price[DEVICES];
    double price_of_all; /* limits at their prices */
    uint32_t *parents; /* of all labels kept */
    uint8_t *devices_of;
    uint32_t step_room, step_used, *first_step;
    order *orders;
    uint32_t order_room;
    bool complete;
} pass;

/* ---- labels ---- */

/* A longer block, or the old one and *ok = false. */
static void *longer(het__mem *mem, void *block, size_t count, size_t size, bool *ok)
{
    size_t bytes;
    void *p = NULL;
    if (*ok && het__mul_size(count, size, &bytes))
        p = het__realloc(mem, block, bytes ? bytes : 1);
    *ok = p != NULL;
    return p ? p : block;
}

static bool make_room(pass *s, labels *l, uint32_t count)
{
    bool ok = true;
    if (count > l->capacity) {
        const uint32_t capacity = count > 32 ? 2 * count : 64;
        l->cost = longer(s->mem, l->cost, capacity, sizeof *l->cost, &ok);
        l->rank = longer(s->mem, l->rank, capacity, sizeof *l->rank, &ok);
        l->vector = longer(s->mem, l->vector, (size_t)capacity * s->vector_count,
                           sizeof *l->vector, &ok);
        l->parent = longer(s->mem, l->parent, capacity, sizeof *l->parent, &ok);
        l->next = longer(s->mem, l->next, capacity, sizeof *l->next, &ok);
        l->device = longer(s->mem, l->device, capacity, sizeof *l->device, &ok);
        l->dead = longer(s->mem, l->dead, capacity, sizeof *l->dead, &ok);
        l->capacity = ok ? capacity : l->capacity;
    }
    const size_t masks = (size_t)l->capacity * (l->width ? l->width : 1);
    if (ok && masks > l->mask_room) {
        l->masks = longer(s->mem, l->masks, masks, sizeof *l->masks, &ok);
        l->mask_room = ok ? masks : l->mask_room;
    }
    return ok;
}

static void free_labels(pass *s, labels *l)
{
    het__free(s->mem, l->cost);
    het__free(s->mem, l->rank);
    het__free(s->mem, l->vector);
    het__free(s->mem, l->parent);
    het__free(s->mem, l->next);
    het__free(s->mem, l->device);
    het__free(s->mem, l->dead);
    het__free(s->mem, l->masks);
}

static bool is_no_worse(double cost, const double *vector, double other_cost,
                        const double *other, uint32_t count)
{
    bool ok = cost <= other_cost;
    for (uint32_t i = 0; ok && i < count; i++)
        ok = vector[i] <= other[i];
    return ok;
}

/* Factors of a sum over places: what one mask changes in it does not depend on the others. */
static void fill_factors(uint64_t *factor, size_t count)
{
    uint64_t x = 0;
    for (size_t i = 0; i < count; i++) {
        x += UINT64_C(0x9e3779b97f4a7c15); /* SplitMix64 */
        uint64_t z = (x ^ x >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
        z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
        factor[i] = (z ^ z >> 31) | 1;
    }
}

/* The chain of labels that hold the same: its slot. */
static uint32_t *slot_of(pass *s, const uint16_t *masks, uint64_t hash)
{
    labels *l = s->after;
    uint32_t h = (uint32_t)((hash ^ hash >> 32) * UINT64_C(0x9e3779b97f4a7c15) >> 32) &
                 (s->slot_count - 1);
    while (s->slots[h] && memcmp(l->masks + (size_t)(s->slots[h] - 1) * l->width, masks,
                                 l->width * sizeof *masks) != 0)
        h = (h + 1) & (s->slot_count - 1);
    return &s->slots[h];
}

/* Least that a label ends up with. */
static double least_of(const pass *s, const candidate *c, uint32_t node)
{
    double least = c->cost + s->floor[node + 1];
    if (s->q->bottleneck) {
        least /= s->devices;
        for (uint32_t d = 0; d < s->devices; d++)
            least = c->vector[d] > least ? c->vector[d] : least;
        return least;
    }
    if (s->priced_floor) {
        double priced = c->cost + s->priced_floor[node + 1] - s->price_of_all;
        for (uint32_t d = 0; d < s->devices; d++)
            priced += s->device_price[d] * c->vector[s->stored_at + d];
        least = priced > least ? priced : least;
    }
    return least;
}

static bool keep(pass *s, const candidate *c, uint32_t node, uint32_t parent, uint32_t device)
{
    labels *l = s->after;
    const double least = least_of(s, c, node);
    if (!(least < s->q->upper))
        return true;
    uint32_t *link = slot_of(s, s->new_masks, c->hash);
    uint32_t i = *link ? *link - 1 : NONE, prev = NONE;
    while (i != NONE) {
        const double *other = l->vector + (size_t)i * s->vector_count;
        const uint32_t next = l->next[i];
        if (!l->dead[i] && is_no_worse(l->cost[i], other, c->cost, c->vector, s->vector_count))
            return true;
        /* The head stays in its slot, whose key it is. */
        if (!l->dead[i] && is_no_worse(c->cost, c->vector, l->cost[i], other, s->vector_count))
            l->dead[i] = true;
        if (l->dead[i] && prev != NONE)
            l->next[prev] = next;
        else
            prev = i;
        i = next;
    }
    if (!make_room(s, l, l->count + 1))
        return false;
    const uint32_t at = l->count++;
    l->cost[at] = c->cost;
    l->rank[at] = least;
    if (s->vector_count)
        memcpy(l->vector + (size_t)at * s->vector_count, c->vector,
               s->vector_count * sizeof *c->vector);
    memcpy(l->masks + (size_t)at * l->width, s->new_masks, l->width * sizeof *l->masks);
    l->parent[at] = parent;
    l->device[at] = (uint8_t)device;
    l->dead[at] = false;
    l->next[at] = *link ? l->next[*link - 1] : NONE;
    if (*link)
        l->next[*link - 1] = at;
    else
        *link = at + 1;
    return true;
}

/* ---- one node ---- */

/* Cheapest way to bring a value to a device from one that has it. */
static double bring_cost(const pass *s, const het__place_value *v, uint16_t where, uint32_t device)
{
    double best = INFINITY;
    for (uint32_t from = 0; from < s->devices; from++) {
        const double cost = v->transfer_cost[from * s->devices + device];
        if (where >> from & 1 && cost < best)
            best = cost;
    }
    return s->q->transfer_factor ? best * s->q->transfer_factor[device] : best;
}

static double bring_of(const pass *s, const reading *r, uint16_t where, uint32_t device)
{
    return s->has_tables ? r->bring[where][device]
                         : bring_cost(s, r->thing->value, where, device);
}

/* Bytes of values that every device holds while a node runs, before the node's own. */
static void occupancy(const pass *s, const uint16_t *masks, double *bytes)
{
    memset(bytes, 0, s->devices * sizeof *bytes);
    for (uint32_t i = 0; i < s->held_count; i++)
        for (uint32_t d = 0; d < s->devices; d++)
            if (masks[s->held_at[i]] >> d & 1)
                bytes[d] += s->held_bytes[i];
}

static bool is_in_file(const pass *s, uint32_t device)
{
    return s->p->file_devices >> device & 1;
}

static double stored_bytes(const pass *s, const het__place_thing *t, uint32_t device)
{
    const bool is_free = t->free_devices >> device & 1;
    return is_free || (t->is_file && is_in_file(s, device)) ? 0 : t->bytes;
}

/* What the node reads gets to the device; false if it cannot. masks: before the node. bytes: values
 * there. */
static bool fetch(const pass *s, uint32_t device, const uint16_t *masks, candidate *c,
                  double *bytes)
{
    double brought = 0;
    for (uint32_t r = 0; r < s->reading_count; r++) {
        const reading *at = &s->readings[r];
        const het__place_thing *t = at->thing;
        const uint16_t mask = masks[at->position];
        if (mask >> device & 1)
            continue;
        if (t->is_tied)
            return false;
        if (t->value)
            brought += bring_of(s, at, mask, device);
        if (t->value)
            *bytes += t->bytes;
        else if (s->q->memory)
            c->vector[s->stored_at + device] += stored_bytes(s, t, device);
        else if (s->q->store_cost)
            brought += s->q->store_cost[device] * stored_bytes(s, t, device);
    }
    c->cost += brought;
    if (s->q->bottleneck)
        c->vector[device] += brought;
    return isfinite(c->cost);
}

/* Whether the limits hold, and leave room for what later nodes are the first to store. */
static bool has_room(const pass *s, const double *stored, const double *peak, double later)
{
    const uint32_t all = (1u << s->devices) - 1;
    uint32_t limited = 0;
    double room = 0;
    for (uint32_t i = 0; i < s->p->limit_count; i++) {
        const het__place_limit *l = &s->p->limits[i];
        double left = l->bytes, values = 0;
        for (uint32_t d = 0; d < s->devices; d++) {
            left -= l->devices >> d & 1 ? stored[d] : 0;
            values += l->devices >> d & 1 ? peak[d] : 0;
        }
        const bool covers = (l->devices & all) == all && !s->p->file_devices;
        if (values > left || (covers && later > left))
            return false;
        if (!(l->devices & limited)) {
            limited |= l->devices;
            room += left;
        }
    }
    return (limited & all) != all || s->p->file_devices || later <= room;
}

static double own_stored(const pass *s, uint32_t node, uint32_t device)
{
    return s->x->own_bytes[node] + (is_in_file(s, device) ? 0 : s->x->own_file_bytes[node]);
}

/* What a node is the first to store on its device, tracked or its own. */
static double first_stored(const pass *s, uint32_t node, uint32_t device)
{
    const het__place_index *x = s->x;
    double bytes = own_stored(s, node, device);
    for (uint32_t m = x->first_made[node]; m < x->first_made[node + 1]; m++)
        if (!x->things[x->made[m]].value)
            bytes += stored_bytes(s, &x->things[x->made[m]], device);
    return bytes;
}

static void fill_table(const pass *s, reading *r)
{
    for (uint32_t where = 0; where < 1u << s->devices; where++)
        for (uint32_t d = 0; d < s->devices; d++)
            r->bring[where][d] = bring_cost(s, r->thing->value, (uint16_t)where, d);
}

/* What all labels ask of a node, found once. */
static void read_node(pass *s, uint32_t node)
{
    const het__place_index *x = s->x;
    const uint32_t phase = node % het__place_phases(s->p);
    s->has_tables = s->devices <= CHEAP_DEVICES && s->now->count >= 1u << s->devices;
    s->reading_count = s->held_count = 0;
    for (uint32_t r = x->first_read[node]; r < x->first_read[node + 1]; r++) {
        reading *at = &s->readings[s->reading_count++];
        at->thing = &x->things[x->read[r]];
        at->position = s->position[x->read[r]];
        at->place_after = s->place_after[x->read[r]];
        if (s->has_tables && at->thing->value)
            fill_table(s, at);
    }
    for (uint32_t i = 0; s->q->memory && i < s->live_count; i++) {
        const het__place_thing *t = &x->things[s->live[i]];
        if (!t->value || t->phase != phase)
            continue;
        s->held_at[s->held_count] = i;
        s->held_bytes[s->held_count++] = t->bytes;
    }
    for (uint32_t d = 0; d < s->devices; d++)
        s->first_stored[d] = first_stored(s, node, d);
}

/* Add what the node makes and stores; false if it is more than the memories hold. */
static bool settle(const pass *s, uint32_t node, uint32_t device, candidate *c, double bytes,
                   const double *held)
{
    const het__place_problem *p = s->p;
    const het__place_index *x = s->x;
    double *stored = c->vector + s->stored_at, *peak = stored + s->devices;
    stored[device] += s->first_stored[device];
    for (uint32_t m = x->first_made[node]; m < x->first_made[node + 1]; m++)
        if (x->things[x->made[m]].value)
            bytes += x->things[x->made[m]].bytes;
    if (p->scratch_bytes)
        bytes += p->scratch_bytes[node];
    for (uint32_t d = 0; d < s->devices; d++) {
        const double here = d == device ? bytes : held[d];
        peak[d] = here > peak[d] ? here : peak[d];
    }
    return has_room(s, stored, peak, x->new_bytes[node + 1]);
}

/* Holders behind the node of a label that does not run it yet: the same on all devices. */
static void carry_over(pass *s, const uint16_t *masks)
{
    s->base_hash = 0;
    for (uint32_t i = 0; i < s->kept_count; i++) {
        s->base_masks[i] = masks[s->from[i]];
        s->base_hash += s->base_masks[i] * s->factor[i];
    }
}

/* Holders behind the node once it runs on the device: it holds what the node reads and makes. */
static void hold(pass *s, uint32_t device, candidate *c)
{
    const uint16_t here = (uint16_t)(1u << device);
    c->hash = s->base_hash;
    if (s->kept_count)
        memcpy(s->new_masks, s->base_masks, s->kept_count * sizeof *s->new_masks);
    for (uint32_t r = 0; r < s->reading_count; r++) {
        const uint32_t at = s->readings[r].place_after;
        if (at == NONE || s->new_masks[at] & here)
            continue;
        s->new_masks[at] = (uint16_t)(s->new_masks[at] | here);
        c->hash += here * s->factor[at];
    }
    for (uint32_t i = s->kept_count; i < s->after->width; i++) {
        s->new_masks[i] = here;
        c->hash += here * s->factor[i];
    }
}

static bool extend(pass *s, uint32_t node, uint32_t parent, uint32_t device, const double *held)
{
    const labels *l = s->now;
    const uint16_t *masks = l->masks + (size_t)parent * l->width;
    const double own = s->q->node_cost[(size_t)node * s->devices + device];
    if (!isfinite(own))
        return true;
    candidate c; /* the vector as long as this pass has it */
    c.cost = l->cost[parent] + own;
    if (s->vector_count)
        memcpy(c.vector, l->vector + (size_t)parent * s->vector_count,
               s->vector_count * sizeof *c.vector);
    if (s->q->bottleneck)
        c.vector[device] += own;
    double bytes = held[device];
    if (!fetch(s, device, masks, &c, &bytes))
        return true;
    if (s->q->memory && !settle(s, node, device, &c, bytes, held))
        return true;
    if (s->q->store_cost)
        c.cost += s->q->store_cost[device] * s->first_stored[device];
    hold(s, device, &c);
    return keep(s, &c, node, parent, device);
}

/* Things alive behind a node, and where each of them was in the list before it. */
static void advance_live(pass *s, uint32_t node)
{
    const het__place_index *x = s->x;
    uint32_t count = 0;
    for (uint32_t i = 0; i < s->live_count; i++) {
        s->position[s->live[i]] = i;
        s->place_after[s->live[i]] = NONE;
        if (x->things[s->live[i]].last <= node)
            continue;
        s->place_after[s->live[i]] = count;
        s->live_after[count] = s->live[i];
        s->from[count++] = i;
    }
    s->kept_count = count;
    for (uint32_t m = x->first_made[node]; m < x->first_made[node + 1]; m++) {
        if (x->things[x->made[m]].last <= node)
            continue;
        s->live_after[count++] = x->made[m];
    }
    s->after->width = count;
    s->after->count = 0;
}

/* No two are equal. */
static bool is_before(const order *x, const order *y)
{
    return x->rank < y->rank || (!(x->rank > y->rank) && x->at < y->at);
}

/* Bring the first of an order to the front, in any order among themselves. 0 < first < count. */
static void part(order *o, uint32_t count, uint32_t first)
{
    uint32_t low = 0, high = count - 1;
    while (low < high) {
        const order pivot = o[low + (high - low) / 2];
        uint32_t i = low, j = high;
        for (;;) {
            while (is_before(&o[i], &pivot))
                i++;
            while (is_before(&pivot, &o[j]))
                j--;
            if (i >= j)
                break;
            const order other = o[i];
            o[i++] = o[j];
            o[j--] = other;
        }
        if (j < first - 1)
            low = j + 1;
        else
            high = j;
    }
}

static uint32_t labels_allowed(const pass *s, uint32_t width)
{
    uint32_t allowed = s->q->labels_max;
    if (width > WIDTH_CHEAP)
        allowed = (uint32_t)((uint64_t)allowed * WIDTH_CHEAP / width);
    if (width && allowed > MASKS_MAX / width)
        allowed = MASKS_MAX / width;
    return allowed < 4 ? 4 : allowed;
}

/* Mark all but the best as dead. */
static bool cut(pass *s, uint32_t alive, uint32_t allowed)
{
    labels *l = s->after;
    uint32_t n = 0;
    bool ok = true;
    if (alive > s->order_room) {
        s->orders = longer(s->mem, s->orders, 2 * (size_t)alive, sizeof *s->orders, &ok);
        if (!ok)
            return false;
        s->order_room = 2 * alive;
    }
    for (uint32_t i = 0; i < l->count; i++)
        if (!l->dead[i])
            s->orders[n++] = (order){ l->rank[i], i };
    part(s->orders, n, allowed);
    for (uint32_t i = allowed; i < n; i++)
        l->dead[s->orders[i].at] = true;
    s->complete = false;
    return true;
}

/* Close the gaps that dead labels leave. */
static void close_up(const pass *s, labels *l)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < l->count; i++) {
        if (l->dead[i])
            continue;
        if (n != i) {
            l->cost[n] = l->cost[i];
            l->parent[n] = l->parent[i];
            l->device[n] = l->device[i];
            if (s->vector_count)
                memcpy(l->vector + (size_t)n * s->vector_count,
                       l->vector + (size_t)i * s->vector_count,
                       s->vector_count * sizeof *l->vector);
            if (l->width)
                memcpy(l->masks + (size_t)n * l->width, l->masks + (size_t)i * l->width,
                       l->width * sizeof *l->masks);
        }
        n++;
    }
    l->count = n;
}

/* What backtracking needs. */
static bool record(pass *s, uint32_t node)
{
    const labels *l = s->after;
    if (l->count == 0)
        return true; /* the end of the search */
    if (l->count > UINT32_MAX - s->step_used)
        return false;
    const uint32_t used = s->step_used + l->count;
    if (used > s->step_room) {
        const uint32_t room = used > UINT32_MAX / 2 ? used : 2 * used;
        bool ok = true;
        s->parents = longer(s->mem, s->parents, room, sizeof *s->parents, &ok);
        s->devices_of = longer(s->mem, s->devices_of, room, 1, &ok);
        if (!ok)
            return false;
        s->step_room = room;
    }
    memcpy(s->parents + s->step_used, l->parent, l->count * sizeof *l->parent);
    memcpy(s->devices_of + s->step_used, l->device, l->count);
    s->first_step[node] = s->step_used;
    s->step_used = used;
    return true;
}

static bool clear_slots(pass *s)
{
    uint32_t want = 16;
    while (want < 2 * s->now->count * s->devices)
        want *= 2;
    if (want > s->slot_room) {
        bool ok = true;
        s->slots = longer(s->mem, s->slots, want, sizeof *s->slots, &ok);
        if (!ok)
            return false;
        s->slot_room = want;
    }
    s->slot_count = want;
    memset(s->slots, 0, want * sizeof *s->slots);
    return true;
}

static bool advance(pass *s, uint32_t node)
{
    double held[DEVICES] = { 0 };
    advance_live(s, node);
    read_node(s, node);
    if (!clear_slots(s) || !make_room(s, s->after, 1))
        return false;
    for (uint32_t i = 0; i < s->now->count; i++) {
        const uint16_t *masks = s->now->masks + (size_t)i * s->now->width;
        if (s->q->memory)
            occupancy(s, masks, held);
        carry_over(s, masks);
        for (uint32_t d = 0; d < s->devices; d++)
            if (!extend(s, node, i, d, held))
                return false;
    }
    uint32_t alive = 0;
    for (uint32_t i = 0; i < s->after->count; i++)
        alive += !s->after->dead[i];
    const uint32_t allowed = labels_allowed(s, s->after->width);
    if (alive > allowed && !cut(s, alive, allowed))
        return false;
    close_up(s, s->after);
    if (!record(s, node))
        return false;
    uint32_t *live = s->live;
    s->live = s->live_after;
    s->live_after = live;
    s->live_count = s->after->width;
    labels *now = s->now;
    s->now = s->after;
    s->after = now;
    return true;
}

/* ---- the whole ---- */

static double objective_of(const pass *s, uint32_t label)
{
    double most = 0;
    if (!s->q->bottleneck)
        return s->now->cost[label];
    for (uint32_t d = 0; d < s->devices; d++) {
        const double load = s->now->vector[(size_t)label * s->vector_count + d];
        most = load > most ? load : most;
    }
    return most;
}

static void backtrack(const pass *s, het__place_found *found)
{
    uint32_t best = NONE;
    for (uint32_t i = 0; i < s->now->count; i++) {
        const double total = objective_of(s, i);
        if (best == NONE || total < found->total ||
            (total <= found->total && s->now->cost[i] < s->now->cost[best])) {
            best = i;
            found->total = total;
        }
    }
    for (uint32_t n = s->p->node_count; best != NONE && n-- > 0;) {
        found->device[n] = s->devices_of[s->first_step[n] + best];
        best = s->parents[s->first_step[n] + best];
    }
}

static void fill_floor(const pass *s, double *out, const double *price)
{
    for (uint32_t n = s->p->node_count; n-- > 0;) {
        double least = INFINITY;
        for (uint32_t d = 0; d < s->devices; d++) {
            const double cost = s->q->node_cost[(size_t)n * s->devices + d] +
                                (price ? price[d] * own_stored(s, n, d) : 0);
            least = cost < least ? cost : least;
        }
        out[n] = out[n + 1] + least;
    }
}

static void price_devices(pass *s)
{
    for (uint32_t i = 0; i < s->p->limit_count; i++) {
        const het__place_limit *l = &s->p->limits[i];
        s->price_of_all += s->q->byte_price[i] * l->bytes;
        for (uint32_t d = 0; d < s->devices; d++)
            s->device_price[d] += l->devices >> d & 1 ? s->q->byte_price[i] : 0;
    }
}

static uint32_t most_reads(const het__place_index *x, uint32_t nodes)
{
    uint32_t most = 0;
    for (uint32_t n = 0; n < nodes; n++) {
        const uint32_t reads = x->first_read[n + 1] - x->first_read[n];
        most = reads > most ? reads : most;
    }
    return most;
}

static bool start(pass *s)
{
    const size_t nodes = s->p->node_count, things = s->x->thing_count;
    const size_t reads = most_reads(s->x, s->p->node_count);
    s->floor = het__arena_zero(&s->arena, nodes + 1, sizeof *s->floor);
    s->first_step = het__arena_zero(&s->arena, nodes + 1, sizeof *s->first_step);
    s->live = het__arena_zero(&s->arena, things, sizeof *s->live);
    s->live_after = het__arena_zero(&s->arena, things, sizeof *s->live_after);
    s->from = het__arena_zero(&s->arena, things, sizeof *s->from);
    s->position = het__arena_zero(&s->arena, things, sizeof *s->position);
    s->place_after = het__arena_zero(&s->arena, things, sizeof *s->place_after);
    s->readings = het__arena_zero(&s->arena, reads, sizeof *s->readings);
    s->held_at = het__arena_zero(&s->arena, things, sizeof *s->held_at);
    s->held_bytes = het__arena_zero(&s->arena, things, sizeof *s->held_bytes);
    s->factor = het__arena_zero(&s->arena, things, sizeof *s->factor);
    s->base_masks = het__arena_zero(&s->arena, things, sizeof *s->base_masks);
    s->new_masks = het__arena_zero(&s->arena, things, sizeof *s->new_masks);
    if (!s->floor || !s->first_step || !s->live || !s->live_after || !s->from || !s->position ||
        !s->place_after || !s->readings || !s->held_at || !s->held_bytes || !s->factor ||
        !s->base_masks || !s->new_masks ||
        !make_room(s, s->now, 1))
        return false;
    fill_factors(s->factor, things);
    fill_floor(s, s->floor, NULL);
    if (s->q->byte_price && !s->q->bottleneck) {
        s->priced_floor = het__arena_zero(&s->arena, nodes + 1, sizeof *s->priced_floor);
        if (!s->priced_floor)
            return false;
        price_devices(s);
        fill_floor(s, s->priced_floor, s->device_price);
    }
    s->now->count = 1;
    s->now->cost[0] = 0;
    memset(s->now->vector, 0, s->vector_count * sizeof *s->now->vector);
    return true;
}

static het_status solve(pass *s, het__place_found *found)
{
    if (!start(s))
        return HET_E_NOMEM;
    for (uint32_t n = 0; n < s->p->node_count; n++) {
        if (!advance(s, n))
            return HET_E_NOMEM;
        if (s->now->count == 0) {
            found->stuck = n;
            return HET_OK;
        }
    }
    if (s->p->node_count == 0)
        found->total = 0;
    else
        backtrack(s, found);
    return HET_OK;
}

het_status het__place_search(const het__place_pass *q, het__mem *mem, het__place_found *found)
{
    const het__place_problem *p = q->index->problem;
    assert(p->device_count >= 1 && p->device_count <= DEVICES);
    assert(!q->byte_price || q->memory);
    assert(!q->store_cost || !q->memory);
    pass s = { .q = q, .p = p, .x = q->index, .mem = mem, .devices = p->device_count,
               .complete = true };
    s.stored_at = q->bottleneck ? p->device_count : 0;
    s.vector_count = s.stored_at + (q->memory ? 2 * p->device_count : 0);
    s.now = &s.a;
    s.after = &s.b;
    found->total = INFINITY;
    found->stuck = p->node_count;
    het__arena_init(&s.arena, mem);
    const het_status status = solve(&s, found);
    found->complete = s.complete;
    free_labels(&s, &s.a);
    free_labels(&s, &s.b);
    het__free(mem, s.slots);
    het__free(mem, s.parents);
    het__free(mem, s.devices_of);
    het__free(mem, s.orders);
    het__arena_finish(&s.arena);
    return status;
}
