/* SPDX-License-Identifier: Apache-2.0 */
/* Rounds of one template: steps, chunks of a prompt, micro-batches, sequences, as tasks. */
#include <string.h>

#include "lib/base/error.h"
#include "lib/partition/simulate_state.h"

#define EDGES_MAX (1u << 26)

typedef struct maker {
    const het__sim_problem *p; /* one round */
    const het__sim_repeat *repeat;
    uint32_t *first_next, *next;
    uint32_t *sources, *sinks; /* tasks that need none, and that none needs */
    uint32_t source_count, sink_count, streams;
    het__sim_task *tasks;
    uint32_t *edges;
    uint32_t edge_count;
} maker;

static bool is_source(const maker *m, uint32_t t)
{
    return m->p->tasks[t].dependency_count == 0;
}

static void find_ends(maker *m)
{
    for (uint32_t t = 0; t < m->p->task_count; t++) {
        if (is_source(m, t))
            m->sources[m->source_count++] = t;
        if (m->first_next[t] == m->first_next[t + 1])
            m->sinks[m->sink_count++] = t;
    }
}

/* At most; without overflow. */
static double count_edges(const maker *m)
{
    double edges = m->first_next[m->p->task_count]; /* of the template */
    if (m->repeat->buffers)
        edges *= 2;
    if (m->repeat->carry == HET__SIM_CARRY_SAME)
        edges += m->p->task_count;
    if (m->repeat->carry == HET__SIM_CARRY_ALL)
        edges += (double)m->source_count * m->sink_count;
    if (m->repeat->in_flight)
        edges += (double)m->source_count * m->sink_count;
    return edges * m->repeat->rounds;
}

/* A task that needs none in its round needs all that none needs of an earlier one. */
static void add_whole_round(maker *m, uint32_t round, uint32_t back, uint32_t t)
{
    if (round < back || !is_source(m, t))
        return;
    for (uint32_t i = 0; i < m->sink_count; i++)
        m->edges[m->edge_count++] = (round - back) * m->p->task_count + m->sinks[i];
}

static void add_task(maker *m, uint32_t round, uint32_t t)
{
    const uint32_t count = m->p->task_count, base = round * count, buffers = m->repeat->buffers;
    const het__sim_task *from = &m->p->tasks[t];
    het__sim_task *to = &m->tasks[base + t];
    *to = *from;
    to->first_dependency = m->edge_count;
    for (uint32_t i = 0; i < from->dependency_count; i++)
        m->edges[m->edge_count++] = base + m->p->dependencies[from->first_dependency + i];
    if (m->repeat->carry == HET__SIM_CARRY_SAME && round >= m->streams)
        m->edges[m->edge_count++] = base - m->streams * count + t;
    if (m->repeat->carry == HET__SIM_CARRY_ALL)
        add_whole_round(m, round, m->streams, t);
    if (m->repeat->in_flight)
        add_whole_round(m, round, m->repeat->in_flight, t);
    const uint32_t end = buffers && round >= buffers ? m->first_next[t + 1] : 0;
    for (uint32_t i = m->first_next[t]; i < end; i++)
        m->edges[m->edge_count++] = base - buffers * count + m->next[i];
    to->dependency_count = m->edge_count - to->first_dependency;
    if (m->repeat->batches)
        to->batch = round;
}

static het_status make(maker *m, het__mem *mem, het_error *err)
{
    const size_t count = m->p->task_count;
    const double tasks = (double)count * m->repeat->rounds;
    m->sources = het__alloc_zero(mem, count + 1, sizeof *m->sources);
    m->sinks = het__alloc_zero(mem, count + 1, sizeof *m->sinks);
    if (!m->sources || !m->sinks || !het__sim_successors(m->p, mem, &m->first_next, &m->next))
        return het__fail_nomem(err, "a simulation");
    find_ends(m);
    const double edges = count_edges(m);
    if (tasks > HET__SIM_TASKS_MAX || edges > EDGES_MAX)
        return het__fail(err, HET_E_INVALID, "%u rounds of %u tasks are too many to simulate",
                         m->repeat->rounds, m->p->task_count);
    m->tasks = het__alloc_zero(mem, (size_t)tasks + 1, sizeof *m->tasks);
    m->edges = het__alloc_zero(mem, (size_t)edges + 1, sizeof *m->edges);
    if (!m->tasks || !m->edges)
        return het__fail_nomem(err, "a simulation");
    for (uint32_t r = 0; r < m->repeat->rounds; r++)
        for (uint32_t t = 0; t < count; t++)
            add_task(m, r, t);
    return HET_OK;
}

het_status het__sim_repeat_make(const het__sim_problem *round, const het__sim_repeat *repeat,
                                het__mem *mem, het__sim_task **tasks, uint32_t *task_count,
                                uint32_t **dependencies, uint32_t *dependency_count,
                                het_error *err)
{
    maker m = { .p = round, .repeat = repeat, .streams = repeat->streams ? repeat->streams : 1 };
    het_status s = het__sim_check(round, err);
    if (s == HET_OK)
        s = make(&m, mem, err);
    het__free(mem, m.sources);
    het__free(mem, m.sinks);
    het__free(mem, m.first_next);
    het__free(mem, m.next);
    if (s != HET_OK) {
        het__free(mem, m.tasks);
        het__free(mem, m.edges);
        return s;
    }
    *tasks = m.tasks;
    *task_count = round->task_count * repeat->rounds;
    *dependencies = m.edges;
    *dependency_count = m.edge_count;
    return HET_OK;
}
