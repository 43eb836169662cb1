/* SPDX-License-Identifier: Apache-2.0 */
/* A group's counts are sums over its members; its bytes are those that it moves as one kernel; it
 * spreads over units as the member with the most arithmetic does. */
#include "lib/partition/group_report.h"

#include <string.h>

#include "lib/base/text.h"

typedef struct maker {
    const het__group_report_request *q;
    het__group_report *out;
    het__arena *arena;
    het__group_index index;
    uint32_t *listed; /* members by their numbers for the reader */
} maker;

static bool sort_members(maker *m)
{
    const uint32_t nodes = m->q->problem->node_count, groups = m->out->group_count;
    uint32_t *next = het__arena_zero(m->arena, (size_t)groups + 1, sizeof *next);
    m->out->members = het__arena_zero(m->arena, (size_t)nodes + 1, sizeof *m->out->members);
    m->listed = het__arena_zero(m->arena, (size_t)nodes + 1, sizeof *m->listed);
    m->out->first = het__arena_zero(m->arena, (size_t)groups + 2, sizeof *m->out->first);
    if (!next || !m->out->members || !m->listed || !m->out->first)
        return false;
    for (uint32_t n = 0; n < nodes; n++)
        m->out->first[m->out->group[n] + 1]++;
    for (uint32_t k = 0; k < groups; k++) {
        m->out->first[k + 1] += m->out->first[k];
        next[k] = m->out->first[k];
    }
    for (uint32_t n = 0; n < nodes; n++)
        m->out->members[next[m->out->group[n]]++] = n;
    return true;
}

static bool name_operations(const maker *m, const uint32_t *nodes, uint32_t count,
                            het_subgraph *s)
{
    het__text text;
    het__text_init(&text, m->arena->mem);
    for (uint32_t i = 0; i < count; i++)
        het__text_printf(&text, "%s%s", i ? "," : "", m->q->nodes->nodes[nodes[i]].operations);
    s->operations = !text.failed && text.data ? het__arena_strdup(m->arena, text.data) : NULL;
    het__text_finish(&text);
    return s->operations != NULL;
}

/* Traffic as the groups have it; constants as the analysis has them. */
static void share_bytes(const maker *m, const uint32_t *nodes, uint32_t count,
                        const het__group_cost *cost, het_subgraph *s)
{
    double outside = cost->bytes;
    for (uint32_t i = 0; i < count; i++)
        outside -= m->q->problem->nodes[nodes[i]].constant_bytes;
    s->output_bytes = s->output_bytes > cost->inner_bytes ? s->output_bytes - cost->inner_bytes
                                                          : 0;
    s->output_bytes = s->output_bytes < outside ? s->output_bytes : outside;
    s->input_bytes = outside - s->output_bytes;
}

static bool describe(maker *m, uint32_t k)
{
    const uint32_t *nodes = m->out->members + m->out->first[k];
    const uint32_t count = m->out->first[k + 1] - m->out->first[k];
    const het_subgraph *most = &m->q->nodes->nodes[nodes[0]];
    het_subgraph *s = &m->out->groups[k];
    het__group_cost cost;
    *s = (het_subgraph){ .struct_size = sizeof *s, .name = most->name, .layer = most->layer,
                         .group = k, .operation_count = count, .flags = most->flags,
                         .nodes = m->listed + m->out->first[k] };
    for (uint32_t i = 0; i < count; i++) {
        const het_subgraph *n = &m->q->nodes->nodes[nodes[i]];
        most = n->flop_count > most->flop_count ? n : most;
        s->parameter_count += n->parameter_count;
        s->mac_count += n->mac_count;
        s->flop_count += n->flop_count;
        s->weight_bytes += n->weight_bytes;
        s->output_bytes += n->output_bytes;
        s->flags &= n->flags;
        s->ungrouped_bytes += n->input_bytes + n->output_bytes + n->weight_bytes;
        m->out->alone_ns += n->predicted_ns;
        if (m->q->shown[nodes[i]] != UINT32_MAX)
            m->listed[m->out->first[k] + s->node_count++] = m->q->shown[nodes[i]];
    }
    het__group_measure(&m->index, nodes, count, &cost);
    share_bytes(m, nodes, count, &cost, s);
    s->axes = most->axes;
    s->parallelism = most->parallelism;
    s->mapping = most->mapping;
    s->predicted_ns = cost.ns;
    het__analysis_times(m->q->device, m->q->nodes->peak, s);
    m->out->bytes += s->input_bytes + s->output_bytes + s->weight_bytes;
    s->inner_bytes = cost.inner_bytes;
    m->out->alone_bytes += s->ungrouped_bytes;
    m->out->inner_bytes += cost.inner_bytes;
    const het__group_kind last = m->q->problem->nodes[nodes[count - 1]].kind;
    m->out->tile_count += last == HET__GROUP_RELU || last == HET__GROUP_ACTIVATION;
    return name_operations(m, nodes, count, s);
}

/* The groups that group k needs, each once. */
static void add_edges(maker *m, uint32_t k, uint32_t *edge_to, het__edge *edges,
                      uint32_t *sources, uint32_t *count)
{
    const het__group_problem *p = m->q->problem;
    het_subgraph *s = &m->out->groups[k];
    s->before = sources + *count;
    for (uint32_t i = m->out->first[k]; i < m->out->first[k + 1]; i++)
        for (uint32_t e = m->index.first_edge[m->out->members[i]];
             e < m->index.first_edge[m->out->members[i] + 1]; e++) {
            const uint32_t from = m->out->group[p->edges[e].from];
            if (from == k || edge_to[from] == k + 1)
                continue;
            edge_to[from] = k + 1;
            sources[*count] = from;
            edges[(*count)++] = (het__edge){ from, k };
            s->before_count++;
        }
}

/* Groups are numbered in an order in which they can run. */
static bool find_stages(maker *m)
{
    const size_t groups = (size_t)m->out->group_count + 1;
    const size_t edge_room = (size_t)m->q->problem->edge_count + 1;
    het__edge *edges = het__arena_zero(m->arena, edge_room, sizeof *edges);
    uint32_t *sources = het__arena_zero(m->arena, edge_room, sizeof *sources);
    uint32_t *edge_to = het__arena_zero(m->arena, groups, sizeof *edge_to);
    uint32_t *stage = het__arena_zero(m->arena, groups, sizeof *stage);
    uint32_t *width = het__arena_zero(m->arena, groups, sizeof *width);
    uint32_t count = 0;
    het_concurrency concurrency;
    if (!edges || !sources || !edge_to || !stage || !width)
        return false;
    for (uint32_t k = 0; k < m->out->group_count; k++)
        add_edges(m, k, edge_to, edges, sources, &count);
    het__concurrency(m->out->group_count, edges, count, NULL, NULL, stage, width, &concurrency);
    for (uint32_t k = 0; k < m->out->group_count; k++)
        m->out->groups[k].stage = stage[k];
    return true;
}

static bool make_groups(maker *m)
{
    const het__group_problem *p = m->q->problem;
    het__grouping grouping = { 0 };
    m->out->group = het__arena_zero(m->arena, (size_t)p->node_count + 1, sizeof *m->out->group);
    grouping.group = m->out->group;
    if (!grouping.group || het__groups_make(p, m->q->rule, m->arena->mem, &grouping) != HET_OK)
        return false;
    m->out->group_count = grouping.group_count;
    m->out->ns = grouping.ns;
    m->out->groups = het__arena_zero(m->arena, (size_t)grouping.group_count + 1,
                                     sizeof *m->out->groups);
    return m->out->groups && sort_members(m);
}

het_status het__group_report_make(const het__group_report_request *q, het__arena *arena,
                                  het__group_report *out)
{
    maker m = { .q = q, .out = out, .arena = arena };
    memset(out, 0, sizeof *out);
    if (!make_groups(&m) || !het__group_index_init(&m.index, q->problem, arena->mem))
        return HET_E_NOMEM;
    bool good = true;
    for (uint32_t k = 0; good && k < out->group_count; k++)
        good = describe(&m, k);
    good = good && find_stages(&m);
    het__group_index_finish(&m.index, arena->mem);
    return good ? HET_OK : HET_E_NOMEM;
}
