/* SPDX-License-Identifier: Apache-2.0 */
/* What a group costs, the two greedy rules, and the order of groups. */
#include "lib/partition/groups.h"

#include <assert.h>
#include <string.h>

/* ---- adjacency ---- */

static uint32_t *numbers(het__mem *mem, size_t count)
{
    return het__alloc_zero(mem, count ? count : 1, sizeof(uint32_t));
}

/* Counts per key, kept one place further on, become first entries. */
static void sum_up(uint32_t *first, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++)
        first[i + 1] += first[i];
}

/* Entries go behind those of their key that are there already; `first` is used as a cursor and put
 * right by shift(). */
static void shift(uint32_t *first, uint32_t count)
{
    memmove(first + 1, first, count * sizeof *first);
    first[0] = 0;
}

static void fill_index(het__group_index *x)
{
    const het__group_problem *p = x->p;
    for (uint32_t i = 0; i < p->read_count; i++) {
        x->first_read[p->reads[i].node + 1]++;
        x->first_reader[p->reads[i].value + 1]++;
    }
    for (uint32_t i = 0; i < p->edge_count; i++) {
        assert(p->edges[i].from < p->edges[i].to);
        x->first_edge[p->edges[i].to + 1]++;
        x->first_next[p->edges[i].from + 1]++;
    }
    for (uint32_t v = 0; v < p->value_count; v++)
        if (p->values[v].producer != HET__GROUP_OUTSIDE)
            x->first_made[p->values[v].producer + 1]++;
    sum_up(x->first_read, p->node_count);
    sum_up(x->first_edge, p->node_count);
    sum_up(x->first_next, p->node_count);
    sum_up(x->first_made, p->node_count);
    sum_up(x->first_reader, p->value_count);
    for (uint32_t i = 0; i < p->read_count; i++)
        x->readers[x->first_reader[p->reads[i].value]++] = i;
    for (uint32_t i = 0; i < p->edge_count; i++)
        x->next[x->first_next[p->edges[i].from]++] = p->edges[i].to;
    for (uint32_t v = 0; v < p->value_count; v++)
        if (p->values[v].producer != HET__GROUP_OUTSIDE)
            x->made[x->first_made[p->values[v].producer]++] = v;
    shift(x->first_reader, p->value_count);
    shift(x->first_next, p->node_count);
    shift(x->first_made, p->node_count);
}

bool het__group_index_init(het__group_index *x, const het__group_problem *p, het__mem *mem)
{
    memset(x, 0, sizeof *x);
    x->p = p;
    x->first_read = numbers(mem, (size_t)p->node_count + 1);
    x->first_edge = numbers(mem, (size_t)p->node_count + 1);
    x->first_next = numbers(mem, (size_t)p->node_count + 1);
    x->next = numbers(mem, p->edge_count);
    x->first_made = numbers(mem, (size_t)p->node_count + 1);
    x->made = numbers(mem, p->value_count);
    x->first_reader = numbers(mem, (size_t)p->value_count + 1);
    x->readers = numbers(mem, p->read_count);
    x->mark = numbers(mem, p->value_count);
    x->phase = numbers(mem, p->node_count);
    if (!x->first_read || !x->first_edge || !x->first_next || !x->next || !x->first_made ||
        !x->made || !x->first_reader || !x->readers || !x->mark || !x->phase) {
        het__group_index_finish(x, mem);
        return false;
    }
    fill_index(x);
    return true;
}

void het__group_index_finish(het__group_index *x, het__mem *mem)
{
    het__free(mem, x->first_read);
    het__free(mem, x->first_edge);
    het__free(mem, x->first_next);
    het__free(mem, x->next);
    het__free(mem, x->first_made);
    het__free(mem, x->made);
    het__free(mem, x->first_reader);
    het__free(mem, x->readers);
    het__free(mem, x->mark);
    het__free(mem, x->phase);
    memset(x, 0, sizeof *x);
}

/* ---- cost ---- */

static bool contains(const uint32_t *nodes, uint32_t count, uint32_t node)
{
    uint32_t low = 0, high = count;
    while (low < high) {
        const uint32_t middle = low + (high - low) / 2;
        if (nodes[middle] < node)
            low = middle + 1;
        else
            high = middle;
    }
    return low < count && nodes[low] == node;
}

/* Whether a reader goes through the value piece by piece. */
static bool takes_pieces(const het__group_problem *p, const het__group_read *r)
{
    return r->at_hand <= p->near_bytes &&
           (r->at_hand <= 0 || r->at_hand < p->values[r->value].bytes);
}

/* Phases of the members, from 0. */
static void find_phases(const het__group_index *x, const uint32_t *nodes, uint32_t count)
{
    const het__group_problem *p = x->p;
    for (uint32_t n = 0; n < count; n++) {
        uint32_t phase = 0;
        for (uint32_t i = x->first_read[nodes[n]]; i < x->first_read[nodes[n] + 1]; i++) {
            const uint32_t producer = p->values[p->reads[i].value].producer;
            if (!p->reads[i].moves || producer == HET__GROUP_OUTSIDE ||
                !contains(nodes, count, producer))
                continue;
            const uint32_t least = x->phase[producer] + !takes_pieces(p, &p->reads[i]);
            phase = least > phase ? least : phase;
        }
        x->phase[nodes[n]] = phase;
    }
}

typedef struct use {
    uint32_t inside, outside; /* readers */
    uint32_t passes;          /* of the readers inside over the value; those of one phase that take
                                 pieces share one, each other makes its own */
    uint32_t first, last;     /* phases of the readers inside that take pieces */
    double at_hand;           /* the most that a reader inside needs near */
} use;

static use uses_of(const het__group_index *x, uint32_t value, const uint32_t *nodes,
                   uint32_t count)
{
    const het__group_problem *p = x->p;
    uint32_t pieces = 0;
    use u = { .first = UINT32_MAX };
    for (uint32_t i = x->first_reader[value]; i < x->first_reader[value + 1]; i++) {
        const het__group_read *r = &p->reads[x->readers[i]];
        if (!contains(nodes, count, r->node)) {
            u.outside++;
            continue;
        }
        if (!r->moves)
            continue;
        u.inside++;
        u.at_hand = r->at_hand > u.at_hand ? r->at_hand : u.at_hand;
        if (!takes_pieces(p, r))
            continue;
        pieces++;
        u.first = x->phase[r->node] < u.first ? x->phase[r->node] : u.first;
        u.last = x->phase[r->node] > u.last ? x->phase[r->node] : u.last;
    }
    u.passes = pieces > 1 && u.first == u.last ? u.inside - pieces + 1 : u.inside;
    return u;
}

/* A value that a member makes. near: what the group holds already. */
static void count_made(const het__group_index *x, uint32_t value, const uint32_t *nodes,
                       uint32_t count, double *near, het__group_cost *c)
{
    const het__group_value *v = &x->p->values[value];
    use u = uses_of(x, value, nodes, count);
    if (u.last > x->phase[v->producer])
        u.at_hand = v->bytes;
    const bool stays = u.inside > 0 && *near + u.at_hand <= x->p->near_bytes;
    c->touched_bytes += v->bytes;
    if (u.outside > 0 || v->is_result || !stays)
        c->bytes += v->bytes;
    else
        c->inner_bytes += v->bytes;
    if (stays)
        *near += u.at_hand;
    else
        c->bytes += v->bytes * u.passes;
}

void het__group_measure(het__group_index *x, const uint32_t *nodes, uint32_t count,
                        het__group_cost *c)
{
    const het__group_problem *p = x->p;
    double near = 0;
    memset(c, 0, sizeof *c);
    if (++x->stamp == 0) {
        memset(x->mark, 0, p->value_count * sizeof *x->mark);
        x->stamp = 1;
    }
    find_phases(x, nodes, count);
    for (uint32_t n = 0; n < count; n++) {
        const uint32_t node = nodes[n];
        c->compute_ns += p->nodes[node].compute_ns;
        c->bytes += p->nodes[node].constant_bytes;
        c->touched_bytes += p->nodes[node].constant_bytes;
        for (uint32_t i = x->first_read[node]; i < x->first_read[node + 1]; i++) {
            const uint32_t value = p->reads[i].value;
            const uint32_t producer = p->values[value].producer;
            if (x->mark[value] == x->stamp ||
                (producer != HET__GROUP_OUTSIDE && contains(nodes, count, producer)))
                continue;
            x->mark[value] = x->stamp;
            const use u = uses_of(x, value, nodes, count);
            c->bytes += p->values[value].bytes * u.passes;
            c->touched_bytes += u.inside > 0 ? p->values[value].bytes : 0;
        }
        for (uint32_t i = x->first_made[node]; i < x->first_made[node + 1]; i++)
            count_made(x, x->made[i], nodes, count, &near, c);
    }
    const double memory_ns = c->bytes * p->ns_per_byte;
    c->ns = p->launch_ns + (memory_ns > c->compute_ns ? memory_ns : c->compute_ns);
}

bool het__group_fits(const het__group_problem *p, const uint32_t *nodes, uint32_t count,
                     const het__group_cost *c)
{
    if (count <= 1)
        return true;
    for (uint32_t i = 0; i < count; i++)
        if (p->nodes[nodes[i]].is_alone)
            return false;
    return (!p->max_ops || count <= p->max_ops) &&
           (p->max_bytes <= 0 || c->touched_bytes <= p->max_bytes);
}

/* ---- rules ---- */

/* A group that may still grow at its end. */
typedef struct chain {
    het__group_index *x;
    uint32_t *nodes;
    uint32_t count;
} chain;

/* The only node that needs what the last one makes, if it needs nothing else. */
static uint32_t successor(const chain *c)
{
    const het__group_index *x = c->x;
    const het__group_problem *p = x->p;
    const uint32_t last = c->nodes[c->count - 1];
    if (x->first_next[last + 1] - x->first_next[last] != 1)
        return HET__GROUP_OUTSIDE; /* a fork, or the end */
    for (uint32_t i = x->first_made[last]; i < x->first_made[last + 1]; i++)
        if (p->values[x->made[i]].is_result)
            return HET__GROUP_OUTSIDE; /* a fork to the caller */
    const uint32_t next = x->next[x->first_next[last]];
    return p->nodes[next].operand_count == 1 ? next : HET__GROUP_OUTSIDE; /* else a join */
}

static bool append(chain *c, uint32_t node)
{
    het__group_cost cost;
    c->nodes[c->count] = node;
    het__group_measure(c->x, c->nodes, c->count + 1, &cost);
    if (!het__group_fits(c->x->p, c->nodes, c->count + 1, &cost))
        return false;
    c->count++;
    return true;
}

#define PATTERN_MAX 3
static const het__group_kind patterns[][PATTERN_MAX] = {
    { HET__GROUP_CONVOLUTION, HET__GROUP_NORM, HET__GROUP_ACTIVATION },
    { HET__GROUP_CONVOLUTION, HET__GROUP_NORM, HET__GROUP_OTHER },
    { HET__GROUP_ADD, HET__GROUP_RELU, HET__GROUP_OTHER },
};

static bool is_of(het__group_kind kind, het__group_kind wanted)
{
    return kind == wanted || (wanted == HET__GROUP_ACTIVATION && kind == HET__GROUP_RELU);
}

/* The kind that may follow `count` nodes in some pattern. */
static bool may_follow(const chain *c, het__group_kind kind)
{
    const het__group_node *nodes = c->x->p->nodes;
    for (size_t i = 0; i < sizeof patterns / sizeof patterns[0]; i++) {
        bool same = c->count < PATTERN_MAX && patterns[i][c->count] != HET__GROUP_OTHER &&
                    is_of(kind, patterns[i][c->count]);
        for (uint32_t n = 0; same && n < c->count; n++)
            same = is_of(nodes[c->nodes[n]].kind, patterns[i][n]);
        if (same)
            return true;
    }
    return false;
}

static void grow(chain *c, bool by_pattern)
{
    for (;;) {
        const uint32_t next = successor(c);
        if (next == HET__GROUP_OUTSIDE ||
            (by_pattern && !may_follow(c, c->x->p->nodes[next].kind)) || !append(c, next))
            return;
    }
}

/* Every pattern that ends somewhere is one as well without its last operation or is that operation
 * alone, so a chain that grew is a match wherever it stops. */
static void greedy(het__group_index *x, bool by_pattern, uint32_t *scratch, het__grouping *g)
{
    const uint32_t n = x->p->node_count;
    for (uint32_t i = 0; i < n; i++)
        g->group[i] = HET__GROUP_OUTSIDE;
    g->group_count = 0;
    for (uint32_t i = 0; i < n; i++) {
        if (g->group[i] != HET__GROUP_OUTSIDE)
            continue;
        chain c = { x, scratch, 1 };
        scratch[0] = i;
        grow(&c, by_pattern);
        for (uint32_t k = 0; k < c.count; k++)
            g->group[scratch[k]] = g->group_count;
        g->group_count++;
    }
}

/* ---- order ---- */

typedef struct order {
    uint32_t *size, *first, *members; /* of groups */
    uint32_t *waits;                  /* per group: edges from groups that have not run */
    uint32_t *number;                 /* per group: its place */
} order;

static bool order_init(order *o, const het__grouping *g, uint32_t nodes, het__mem *mem)
{
    o->size = numbers(mem, g->group_count);
    o->first = numbers(mem, (size_t)g->group_count + 1);
    o->members = numbers(mem, nodes);
    o->waits = numbers(mem, g->group_count);
    o->number = numbers(mem, g->group_count);
    return o->size && o->first && o->members && o->waits && o->number;
}

static void order_finish(order *o, het__mem *mem)
{
    het__free(mem, o->size);
    het__free(mem, o->first);
    het__free(mem, o->members);
    het__free(mem, o->waits);
    het__free(mem, o->number);
}

static void list_members(const het__group_index *x, const het__grouping *g, order *o)
{
    const het__group_problem *p = x->p;
    for (uint32_t n = 0; n < p->node_count; n++)
        o->first[g->group[n] + 1]++;
    sum_up(o->first, g->group_count);
    for (uint32_t n = 0; n < p->node_count; n++) {
        const uint32_t k = g->group[n];
        o->members[o->first[k] + o->size[k]++] = n;
    }
    for (uint32_t i = 0; i < p->edge_count; i++)
        o->waits[g->group[p->edges[i].to]] +=
            g->group[p->edges[i].from] != g->group[p->edges[i].to];
}

/* Numbers the group, and lets those that waited for it know. */
static void run_group(het__group_index *x, const het__grouping *g, order *o, uint32_t k)
{
    for (uint32_t i = o->first[k]; i < o->first[k + 1]; i++) {
        const uint32_t n = o->members[i];
        for (uint32_t e = x->first_next[n]; e < x->first_next[n + 1]; e++)
            o->waits[g->group[x->next[e]]] -= g->group[x->next[e]] != k;
    }
    o->waits[k] = HET__GROUP_OUTSIDE; /* done */
}

bool het__groups_settle(het__group_index *x, het__mem *mem, het__grouping *g)
{
    order o;
    uint32_t done = 0;
    bool good = order_init(&o, g, x->p->node_count, mem);
    g->ns = 0;
    if (good)
        list_members(x, g, &o);
    for (bool went = true; good && went && done < g->group_count;) {
        went = false;
        for (uint32_t n = 0; n < x->p->node_count; n++) {
            const uint32_t k = g->group[n];
            het__group_cost cost;
            if (o.waits[k] != 0 || o.size[k] == 0)
                continue;
            run_group(x, g, &o, k);
            het__group_measure(x, o.members + o.first[k], o.size[k], &cost);
            g->ns += cost.ns;
            o.number[k] = done++;
            went = true;
        }
    }
    good = good && done == g->group_count;
    for (uint32_t n = 0; good && n < x->p->node_count; n++)
        g->group[n] = o.number[g->group[n]];
    order_finish(&o, mem);
    return good;
}

/* ---- all rules ---- */

/* The cheaper of the greedy rules stays in the caller's array where the search finds nothing
 * better. */
static het_status search(het__group_index *x, het__mem *mem, uint32_t *scratch, het__grouping *g)
{
    const size_t bytes = x->p->node_count * sizeof *g->group;
    het__grouping other = { .group = numbers(mem, x->p->node_count) };
    het_status s = other.group ? het__groups_search(x, mem, g) : HET_E_NOMEM;
    for (int by_pattern = 0; s == HET_OK && by_pattern < 2; by_pattern++) {
        greedy(x, by_pattern, scratch, &other);
        if (!het__groups_settle(x, mem, &other))
            s = HET_E_NOMEM;
        if (s != HET_OK || other.ns >= g->ns)
            continue;
        memcpy(g->group, other.group, bytes);
        g->group_count = other.group_count;
        g->ns = other.ns;
    }
    het__free(mem, other.group);
    return s;
}

het_status het__groups_make(const het__group_problem *p, het__group_rule rule, het__mem *mem,
                            het__grouping *g)
{
    het__group_index x;
    if (!het__group_index_init(&x, p, mem))
        return HET_E_NOMEM;
    uint32_t *scratch = numbers(mem, (size_t)p->node_count + 1);
    het_status s = scratch ? HET_OK : HET_E_NOMEM;
    g->proven = false;
    if (s == HET_OK && rule == HET__GROUP_SEARCH) {
        s = search(&x, mem, scratch, g);
    } else if (s == HET_OK) {
        greedy(&x, rule == HET__GROUP_PATTERNS, scratch, g);
        s = het__groups_settle(&x, mem, g) ? HET_OK : HET_E_NOMEM;
    }
    het__free(mem, scratch);
    het__group_index_finish(&x, mem);
    return s;
}
