/* SPDX-License-Identifier: Apache-2.0 */
/* A group's counts are those of the node that stands for it; its members say what they would have
 * moved, and taken, each alone. */
#include "lib/partition/fused_report.h"

#include <string.h>

#include "lib/base/text.h"

typedef struct maker {
    const het__fused_request *q;
    het__group_report *out;
    het__arena *arena;
    uint32_t *owner;  /* per spelled node: its group, or UINT32_MAX: swept as nobody reads it */
    uint32_t *reader; /* per value of the spelled graph: a node that reads it, plus one */
    uint32_t *listed; /* per group: the number of its node for the reader */
} maker;

/* ---- members ---- */

/* The node of the fused graph that makes a value of the spelled one, or HET__NO_VALUE. */
static uint32_t made_by(const maker *m, uint32_t value)
{
    return value < m->q->fused->value_count ? m->q->fused->values[value].producer : HET__NO_VALUE;
}

/* Readers come behind what they read, so theirs is known. */
static uint32_t find_owner(const maker *m, const het__node *node)
{
    uint32_t owner = UINT32_MAX;
    for (uint32_t o = 0; o < node->output_count && owner == UINT32_MAX; o++)
        owner = made_by(m, node->outputs[o]);
    for (uint32_t o = 0; o < node->output_count && owner == UINT32_MAX; o++)
        if (m->reader[node->outputs[o]])
            owner = m->owner[m->reader[node->outputs[o]] - 1];
    return owner;
}

static void find_owners(maker *m)
{
    const het__graph *g = m->q->spelled;
    for (uint32_t n = g->node_count; n-- > 0;) {
        const het__node *node = &g->nodes[n];
        m->owner[n] = find_owner(m, node);
        for (uint32_t i = 0; i < node->input_count; i++)
            if (node->inputs[i] != HET__NO_VALUE)
                m->reader[node->inputs[i]] = n + 1;
    }
}

static bool name_members(maker *m, uint32_t count)
{
    const char **names = het__arena_zero(m->arena, (size_t)count + 1, sizeof *names);
    bool good = names != NULL;
    for (uint32_t i = 0; good && i < count; i++) {
        names[i] = het__arena_strdup(m->arena,
                                     m->q->spelled_nodes->nodes[m->out->members[i]].name);
        good = names[i] != NULL;
    }
    m->out->names = names;
    return good;
}

static bool sort_members(maker *m)
{
    const uint32_t nodes = m->q->spelled->node_count, groups = m->out->group_count;
    uint32_t *next = het__arena_zero(m->arena, (size_t)groups + 1, sizeof *next);
    uint32_t *first = het__arena_zero(m->arena, (size_t)groups + 2, sizeof *first);
    uint32_t *members = het__arena_zero(m->arena, (size_t)nodes + 1, sizeof *members);
    if (!next || !first || !members)
        return false;
    for (uint32_t n = 0; n < nodes; n++)
        if (m->owner[n] != UINT32_MAX)
            first[m->owner[n] + 1]++;
    for (uint32_t k = 0; k < groups; k++) {
        first[k + 1] += first[k];
        next[k] = first[k];
    }
    for (uint32_t n = 0; n < nodes; n++)
        if (m->owner[n] != UINT32_MAX)
            members[next[m->owner[n]]++] = n;
    m->out->first = first;
    m->out->members = members;
    return name_members(m, first[groups]);
}

/* ---- description ---- */

/* Values that were written and read between members, and are gone. */
static double inner_bytes(const maker *m, const het__node *node)
{
    double sum = 0;
    for (uint32_t o = 0; o < node->output_count; o++) {
        const uint32_t v = node->outputs[o];
        const bool is_gone = made_by(m, v) == HET__NO_VALUE && m->reader[v];
        const int64_t bytes =
            is_gone ? het__value_bytes(&m->q->spelled->values[v], m->q->symbols) : 0;
        sum += bytes > 0 ? (double)bytes : 0;
    }
    return sum;
}

/* What the fused graph alone has stands for itself. */
static bool name_operations(const maker *m, uint32_t k, het_subgraph *s)
{
    const uint32_t *first = m->out->first;
    het__text text;
    if (first[k] == first[k + 1])
        return true;
    het__text_init(&text, m->arena->mem);
    for (uint32_t i = first[k]; i < first[k + 1]; i++)
        het__text_printf(&text, "%s%s", i > first[k] ? "," : "",
                         m->q->spelled_nodes->nodes[m->out->members[i]].operations);
    s->operations = !text.failed && text.data ? het__arena_strdup(m->arena, text.data) : NULL;
    het__text_finish(&text);
    return s->operations != NULL;
}

static bool ends_in_activation(const maker *m, uint32_t k)
{
    const uint32_t *first = m->out->first;
    const het__node *last = first[k] < first[k + 1]
                                ? &m->q->spelled->nodes[m->out->members[first[k + 1] - 1]] : NULL;
    return last && last->op == HET__OP_UNARY && last->attrs.unary.kind < HET__UNARY_SCALE;
}

static bool describe(maker *m, uint32_t k)
{
    het__group_report *out = m->out;
    het_subgraph *s = &out->groups[k];
    const uint32_t count = out->first[k + 1] - out->first[k];
    *s = m->q->fused_nodes->nodes[k];
    s->group = k;
    m->listed[k] = m->q->shown[k];
    s->nodes = &m->listed[k];
    s->node_count = m->listed[k] != UINT32_MAX;
    s->operation_count = count ? count : 1;
    if (!count) {
        s->ungrouped_bytes = s->input_bytes + s->output_bytes + s->weight_bytes;
        out->alone_ns += s->predicted_ns;
    }
    for (uint32_t i = out->first[k]; i < out->first[k + 1]; i++) {
        const het_subgraph *n = &m->q->spelled_nodes->nodes[out->members[i]];
        s->ungrouped_bytes += n->input_bytes + n->output_bytes + n->weight_bytes;
        s->inner_bytes += inner_bytes(m, &m->q->spelled->nodes[out->members[i]]);
        out->alone_ns += n->predicted_ns;
    }
    out->bytes += s->input_bytes + s->output_bytes + s->weight_bytes;
    out->alone_bytes += s->ungrouped_bytes;
    out->inner_bytes += s->inner_bytes;
    out->ns += s->predicted_ns;
    out->tile_count += ends_in_activation(m, k);
    return name_operations(m, k, s);
}

het_status het__fused_report_make(const het__fused_request *q, het__arena *arena,
                                  het__group_report *out)
{
    maker m = { .q = q, .out = out, .arena = arena };
    const size_t groups = q->fused->node_count;
    memset(out, 0, sizeof *out);
    out->group_count = q->fused->node_count;
    out->group = het__arena_zero(arena, groups + 1, sizeof *out->group);
    out->groups = het__arena_zero(arena, groups + 1, sizeof *out->groups);
    m.listed = het__arena_zero(arena, groups + 1, sizeof *m.listed);
    m.owner = het__arena_zero(arena, (size_t)q->spelled->node_count + 1, sizeof *m.owner);
    m.reader = het__arena_zero(arena, (size_t)q->spelled->value_count + 1, sizeof *m.reader);
    if (!out->group || !out->groups || !m.listed || !m.owner || !m.reader)
        return HET_E_NOMEM;
    find_owners(&m);
    if (!sort_members(&m))
        return HET_E_NOMEM;
    for (uint32_t k = 0; k < out->group_count; k++) {
        out->group[k] = k;
        if (!describe(&m, k))
            return HET_E_NOMEM;
    }
    return HET_OK;
}
