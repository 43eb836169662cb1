/* SPDX-License-Identifier: Apache-2.0 */
/* Names of a graph or function: each is made once, and before it is used. Nodes have to stand in
 * that order, and mostly do; where they do not, they are put into it. */
#include <string.h>

#include "lib/import/onnx_parts.h"

/* Made by no node. */
#define BY_INPUT (UINT32_MAX - 1)
#define BY_WEIGHT UINT32_MAX

typedef struct sorter {
    het__onnx_reader *r;
    het__onnx_part *part;
    het__names made;   /* -> node, or BY_… */
    het__names wanted; /* -> index */
} sorter;

/* Names that a node uses: its inputs, and what its bodies take from around. */
typedef struct uses {
    const het__onnx_node *node;
    uint32_t input, attr, at;
} uses;

static const char *next_use(uses *u)
{
    const het__onnx_node *node = u->node;
    while (u->input < node->input_count)
        if (node->inputs[u->input++][0])
            return node->inputs[u->input - 1];
    for (; node->links && u->attr < node->attr_count; u->attr++, u->at = 0) {
        const het__onnx_part *body = node->links[u->attr].body;
        if (body && u->at < body->wanted_count)
            return body->wanted[u->at++];
    }
    return NULL;
}

/* ---- who makes what ---- */

static het_status make(sorter *s, const char *name, uint32_t by)
{
    const size_t bytes = strlen(name);
    het__name_slot *slot = het__names_find(&s->made, name, bytes);
    if (slot && slot->value == BY_INPUT && by == BY_WEIGHT)
        slot->value = by;
    else if (slot)
        return het__fail(s->r->err, HET_E_FORMAT, "graph %s: %s is made twice", s->part->name,
                         name);
    else if (!het__names_add(&s->made, name, bytes, by))
        return het__onnx_nomem(s->r);
    return HET_OK;
}

static het_status make_all(sorter *s)
{
    const het__onnx_part *p = s->part;
    het_status st = HET_OK;
    for (uint32_t i = 0; st == HET_OK && i < p->input_count; i++)
        st = make(s, p->inputs[i].name, BY_INPUT);
    for (uint32_t i = 0; st == HET_OK && i < p->weight_count; i++)
        st = make(s, p->weights[i].name, BY_WEIGHT);
    for (uint32_t n = 0; st == HET_OK && n < p->node_count; n++)
        for (uint32_t o = 0; st == HET_OK && o < p->nodes[n].output_count; o++)
            if (p->nodes[n].outputs[o][0])
                st = make(s, p->nodes[n].outputs[o], n);
    return st;
}

/* Node that makes the name, or HET__NO_VALUE. */
static uint32_t maker_of(const sorter *s, const char *name)
{
    const het__name_slot *slot = het__names_find(&s->made, name, strlen(name));
    return slot && slot->value < BY_INPUT ? slot->value : HET__NO_VALUE;
}

/* ---- what is wanted from around ---- */

static bool want(sorter *s, const char *name)
{
    const size_t bytes = strlen(name);
    return het__names_find(&s->made, name, bytes) || het__names_find(&s->wanted, name, bytes) ||
           het__names_add(&s->wanted, name, bytes, s->wanted.count);
}

static het_status want_all(sorter *s)
{
    het__onnx_part *p = s->part;
    bool room = true;
    for (uint32_t n = 0; room && n < p->node_count; n++) {
        uses u = { .node = &p->nodes[n] };
        for (const char *name; room && (name = next_use(&u));)
            room = want(s, name);
    }
    for (uint32_t o = 0; room && o < p->output_count; o++)
        room = want(s, p->outputs[o].name);
    p->wanted = room ? het__arena_zero(&s->r->scratch, s->wanted.count, sizeof *p->wanted) : NULL;
    if (!p->wanted)
        return het__onnx_nomem(s->r);
    for (uint32_t i = 0; i < s->wanted.capacity; i++)
        if (s->wanted.slots[i].name)
            p->wanted[s->wanted.slots[i].value] = s->wanted.slots[i].name;
    p->wanted_count = s->wanted.count;
    return HET_OK;
}

/* ---- order ---- */

static bool is_in_order(const sorter *s)
{
    for (uint32_t n = 0; n < s->part->node_count; n++) {
        uses u = { .node = &s->part->nodes[n] };
        for (const char *name; (name = next_use(&u));) {
            const uint32_t maker = maker_of(s, name);
            if (maker != HET__NO_VALUE && maker >= n)
                return false;
        }
    }
    return true;
}

/* first[m] to first[m + 1]: where the users of node m stand in users; waits[n]: uses of node n that
 * some node makes. */
typedef struct edges {
    uint32_t *first, *users, *waits;
} edges;

static bool find_edges(const sorter *s, edges *e)
{
    het__arena *arena = &s->r->scratch;
    const uint32_t n = s->part->node_count;
    uint32_t total = 0;
    e->first = het__arena_zero(arena, (size_t)n + 2, sizeof *e->first);
    e->waits = het__arena_zero(arena, n, sizeof *e->waits);
    if (!e->first || !e->waits)
        return false;
    for (int fill = 0; fill < 2; fill++) {
        for (uint32_t i = 0; i < n; i++) {
            uses u = { .node = &s->part->nodes[i] };
            for (const char *name; (name = next_use(&u));) {
                const uint32_t m = maker_of(s, name);
                if (m == HET__NO_VALUE)
                    continue;
                if (fill) {
                    e->users[e->first[m + 1]++] = i;
                } else {
                    e->first[m + 2]++;
                    e->waits[i]++;
                    total++;
                }
            }
        }
        /* Counts, shifted by two, become starts, shifted by one; filling shifts them into place. */
        for (uint32_t m = 2; !fill && m < n + 2; m++)
            e->first[m] += e->first[m - 1];
        if (!fill)
            e->users = het__arena_zero(arena, total, sizeof *e->users);
        if (!e->users)
            return false;
    }
    return true;
}

static het_status order_nodes(sorter *s)
{
    het__onnx_part *p = s->part;
    edges e = { NULL, NULL, NULL };
    uint32_t *order = het__arena_zero(&s->r->scratch, p->node_count, sizeof *order);
    if (!order || !find_edges(s, &e))
        return het__onnx_nomem(s->r);
    uint32_t ready = 0;
    for (uint32_t n = 0; n < p->node_count; n++)
        if (e.waits[n] == 0)
            order[ready++] = n;
    for (uint32_t at = 0; at < ready; at++)
        for (uint32_t k = e.first[order[at]]; k < e.first[order[at] + 1]; k++)
            if (--e.waits[e.users[k]] == 0)
                order[ready++] = e.users[k];
    for (uint32_t n = 0; ready < p->node_count && n < p->node_count; n++)
        if (e.waits[n])
            return het__fail(s->r->err, HET_E_FORMAT,
                             "node %s is part of a cycle, or behind one", p->nodes[n].name);
    p->order = order;
    return HET_OK;
}

het_status het__onnx_sort(het__onnx_reader *r, het__onnx_part *part)
{
    sorter s = { .r = r, .part = part };
    het__names_init(&s.made, r->mem);
    het__names_init(&s.wanted, r->mem);
    het_status st = make_all(&s);
    if (st == HET_OK)
        st = want_all(&s);
    if (st == HET_OK && !is_in_order(&s))
        st = order_nodes(&s);
    het__names_finish(&s.made);
    het__names_finish(&s.wanted);
    return st;
}
