/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/passes/layers.h"

#include <assert.h>

#include "lib/base/error.h"

typedef enum side {
    BEFORE = 0,
    INSIDE,
    BEHIND,
} side;

typedef struct cutter {
    het__graph *graph;
    uint8_t *sides; /* per node */
    het_error *err;
} cutter;

/* Nodes of no layer stand before the first or behind the last. */
static void find_sides(cutter *c, int32_t first, int32_t end, int32_t layers)
{
    bool begun = false;
    for (uint32_t n = 0; n < c->graph->node_count; n++) {
        const int32_t layer = c->graph->nodes[n].layer;
        begun = begun || layer >= 0;
        const int32_t at = layer >= 0 ? layer : begun ? layers - 1 : 0;
        c->sides[n] = at < first ? BEFORE : at >= end ? BEHIND : INSIDE;
    }
}

/* The one value that nodes of a side make and others, further on, read; HET__NO_VALUE: none. */
static het_status find_crossing(const cutter *c, side maker, uint32_t *value)
{
    const het__graph *g = c->graph;
    *value = HET__NO_VALUE;
    for (uint32_t n = 0; n < g->node_count; n++)
        for (uint32_t i = 0; i < g->nodes[n].input_count; i++) {
            const uint32_t v = g->nodes[n].inputs[i];
            if (v == HET__NO_VALUE || g->values[v].producer == HET__NO_VALUE ||
                c->sides[g->values[v].producer] > (uint8_t)maker || c->sides[n] <= (uint8_t)maker)
                continue;
            if (*value != HET__NO_VALUE && *value != v)
                return het__fail(c->err, HET_E_UNSUPPORTED,
                                 "layers of this model hand on more than one tensor (%s, %s)",
                                 g->values[*value].name, g->values[v].name);
            *value = v;
        }
    return HET_OK;
}

/* Keys and values belong to one side. */
static het_status check_states(const cutter *c)
{
    const het__graph *g = c->graph;
    for (uint32_t v = 0; v < g->value_count; v++) {
        uint32_t seen = 0;
        if (g->values[v].kind != HET__VALUE_STATE)
            continue;
        for (uint32_t n = 0; n < g->node_count; n++)
            for (uint32_t i = 0; i < g->nodes[n].input_count; i++)
                if (g->nodes[n].inputs[i] == v)
                    seen |= 1u << c->sides[n];
        if (seen & (seen - 1))
            return het__fail(c->err, HET_E_UNSUPPORTED,
                             "layers on both sides share the keys and values %s",
                             g->values[v].name);
    }
    return HET_OK;
}

static het_status check_hidden(const cutter *c, uint32_t value)
{
    const het__value *v = &c->graph->values[value];
    const bool fits = v->kind == HET__VALUE_TEMP && v->dtype == HET_DTYPE_F32 && v->rank == 2 &&
                      v->extent[0].symbol == HET__SYM_TOKENS && v->extent[0].count == 1 &&
                      v->extent[1].symbol == HET__SYM_ONE;
    return fits ? HET_OK
                : het__fail(c->err, HET_E_UNSUPPORTED,
                            "what layers of this model hand on is no row per token (%s)", v->name);
}

static void take_out(const cutter *c)
{
    het__graph *g = c->graph;
    for (uint32_t n = 0; n < g->node_count; n++) {
        if (c->sides[n] == INSIDE)
            continue;
        g->nodes[n].op = HET__OP_NONE;
        for (uint32_t o = 0; o < g->nodes[n].output_count; o++) {
            het__value *v = &g->values[g->nodes[n].outputs[o]];
            v->producer = HET__NO_VALUE;
            v->kind = v->kind == HET__VALUE_OUTPUT ? HET__VALUE_TEMP : v->kind;
        }
    }
    het__graph_compact(g);
}

static het_status rename(const cutter *c, uint32_t value, het__value_kind kind, const char *name)
{
    c->graph->values[value].kind = kind;
    c->graph->values[value].name = het__arena_strdup(&c->graph->arena, name);
    return c->graph->values[value].name ? HET_OK : het__fail_nomem(c->err, "the graph");
}

static het_status cut(const cutter *c, bool has_before, bool has_behind)
{
    uint32_t in, out;
    het_status s = check_states(c);
    if (s == HET_OK)
        s = find_crossing(c, BEFORE, &in);
    if (s == HET_OK)
        s = find_crossing(c, INSIDE, &out);
    if (s == HET_OK && has_before)
        s = in == HET__NO_VALUE || in == out
                ? het__fail(c->err, HET_E_UNSUPPORTED, "the layers do not follow each other")
                : check_hidden(c, in);
    if (s == HET_OK && has_behind)
        s = out == HET__NO_VALUE
                ? het__fail(c->err, HET_E_UNSUPPORTED, "the layers do not follow each other")
                : check_hidden(c, out);
    if (s != HET_OK)
        return s;
    take_out(c);
    if (has_before)
        s = rename(c, in, HET__VALUE_INPUT, HET__HIDDEN_IN);
    if (s == HET_OK && has_behind)
        s = rename(c, out, HET__VALUE_OUTPUT, HET__HIDDEN_OUT);
    return s;
}

het_status het__graph_keep_layers(het__graph *graph, int32_t first, int32_t end, int32_t layers,
                                  het_error *err)
{
    assert(first >= 0 && first < end && end <= layers);
    if (first == 0 && end == layers)
        return HET_OK;
    cutter c = { .graph = graph, .err = err };
    c.sides = het__alloc_zero(graph->arena.mem, graph->node_count + 1u, sizeof *c.sides);
    if (!c.sides)
        return het__fail_nomem(err, "the graph");
    find_sides(&c, first, end, layers);
    const het_status s = cut(&c, first > 0, end < layers);
    het__free(graph->arena.mem, c.sides);
    return s;
}
