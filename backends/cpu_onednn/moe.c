/* SPDX-License-Identifier: Apache-2.0 */
/* Steps of mixtures of experts.
 *
 *     route     one task: experts and shares of all tokens, pairs sorted by expert
 *     gather    per pair: its token's activations, prepared, so that an expert's lie together
 *     open      per expert in use and range of its rows: gate and up, hidden values
 *     ready     per pair: hidden values prepared
 *     close     per expert in use and range of its rows: down
 *     add       per token: its pairs by their shares, in the order of the experts
 *
 * With one token, routing and preparing take about as long as waiting for another thread to do
 * them: then every thread does both for itself, and two of these steps are left:
 *
 *     open      per pair and range of rows: gate and up, hidden values
 *     close     per range of rows: down of all the token's experts, and their sum
 *
 * Products are those of dense layers (matmul.h), one matrix per expert. */
#include <string.h>

#include "backends/cpu_onednn/cpu.h"
#include "lib/base/error.h"
#include "lib/plain/route.h"

/* Rows of a weight that a task works on, as near as the granule allows. */
#define TASK_ROWS 64
/* Tasks per thread with one token: see product.c. */
#define TASKS_STREAM 8

typedef struct expert {
    const het__cpu_matrix *gate, *up, *down;
} expert;

typedef struct moe {
    het__moe_attrs attrs;
    const het__value *x_value;
    const float *x, *scores;
    float *out;
    uint64_t *uses; /* of each expert; NULL: nobody counts */
    expert *experts;
    int64_t count, width, inner;
    int64_t tokens; /* when bound */
    int64_t open_rows, close_rows; /* of a task */
    int64_t open_single, close_single; /* the same with one token */
    bool single; /* when bound */
    size_t gate_stride, up_stride, down_stride; /* bytes of a prepared row */
    bool same; /* gate and up take activations of one kind */
    /* In the program's shared scratch. */
    size_t gate_acts, up_acts, down_acts, hidden, result, shares, sorted, where, first, used;
    size_t run, tile; /* in the thread's */
    /* In the thread's with one token: where it goes, rows prepared, rows of its experts. */
    size_t own_route, own_gate, own_up, own_down, own_rows;
} moe;

/* All steps of the node point to one record. */
static const moe *moe_of(const het__cpu_step *step)
{
    return *(moe *const *)step->data;
}

static float *floats(const het__cpu_step *step, size_t offset)
{
    return (float *)(void *)(step->program->shared + offset);
}

static int32_t *ints(const het__cpu_step *step, size_t offset)
{
    return (int32_t *)(void *)(step->program->shared + offset);
}

static const het__cpu_level *level_of(const het__cpu_step *step)
{
    return step->program->device->level;
}

/* ---- route ---- */

/* first: of each expert its first pair. used: number of experts in use, then these. */
static void sort_pairs(const het__cpu_step *step, const moe *m)
{
    const int64_t pairs = m->tokens * m->attrs.used;
    int32_t *first = ints(step, m->first), *used = ints(step, m->used);
    int32_t *where = ints(step, m->where), *sorted = ints(step, m->sorted);
    used[0] = 0;
    for (int64_t e = 0, at = 0; e < m->count; e++) {
        const int32_t n = first[e];
        first[e] = (int32_t)at;
        if (n > 0)
            used[++used[0]] = (int32_t)e;
        at += n;
    }
    first[m->count] = (int32_t)pairs;
    for (int64_t i = 0; i < pairs; i++) {
        const int32_t at = first[where[i]]++;
        sorted[at] = (int32_t)(i / m->attrs.used);
        where[i] = at;
    }
    for (int64_t e = m->count; e > 0; e--)
        first[e] = first[e - 1];
    first[0] = 0;
}

static void route_task(const het__cpu_step *step, int64_t task, unsigned char *scratch)
{
    (void)task;
    (void)scratch;
    const moe *m = moe_of(step);
    int32_t *first = ints(step, m->first), *where = ints(step, m->where);
    float *shares = floats(step, m->shares);
    memset(first, 0, (size_t)(m->count + 1) * sizeof *first);
    for (int64_t t = 0; t < m->tokens; t++) {
        het__route r;
        het__route_token(&m->attrs, m->scores + t * m->count, (int32_t)m->count, &r);
        for (int32_t k = 0; k < m->attrs.used; k++) {
            where[t * m->attrs.used + k] = r.expert[k];
            shares[t * m->attrs.used + k] = r.share[k];
            first[r.expert[k]]++;
        }
    }
    for (int64_t e = 0; m->uses && e < m->count; e++)
        m->uses[e] += (uint64_t)first[e];
    sort_pairs(step, m);
}

/* ---- activations ---- */

static void gather_task(const het__cpu_step *step, int64_t task, unsigned char *scratch)
{
    (void)scratch;
    const moe *m = moe_of(step);
    const float *x = m->x + (int64_t)ints(step, m->sorted)[task] * m->width;
    unsigned char *shared = step->program->shared;
    level_of(step)->prepare(m->experts[0].gate->act, x, m->width,
                            shared + m->gate_acts + (size_t)task * m->gate_stride);
    if (!m->same)
        level_of(step)->prepare(m->experts[0].up->act, x, m->width,
                                shared + m->up_acts + (size_t)task * m->up_stride);
}

static void ready_task(const het__cpu_step *step, int64_t task, unsigned char *scratch)
{
    (void)scratch;
    const moe *m = moe_of(step);
    level_of(step)->prepare(m->experts[0].down->act, floats(step, m->hidden) + task * m->inner,
                            m->inner, step->program->shared + m->down_acts +
                                          (size_t)task * m->down_stride);
}

/* ---- experts ---- */

typedef struct part {
    int64_t expert, pair, pairs; /* whose pairs begin at pair */
    int64_t row, rows;           /* of the weight */
} part;

static part part_at(const het__cpu_step *step, const moe *m, int64_t task, int64_t rows,
                    int64_t task_rows)
{
    const int64_t per_expert = (rows + task_rows - 1) / task_rows;
    part p = { .expert = ints(step, m->used)[1 + task / per_expert] };
    p.row = task % per_expert * task_rows;
    p.rows = rows - p.row < task_rows ? rows - p.row : task_rows;
    p.pair = ints(step, m->first)[p.expert];
    p.pairs = ints(step, m->first)[p.expert + 1] - p.pair;
    return p;
}

static int64_t open_count(const het__cpu_step *step)
{
    const moe *m = moe_of(step);
    if (m->single || m->tokens == 0)
        return 0;
    return ints(step, m->used)[0] * ((m->inner + m->open_rows - 1) / m->open_rows);
}

static int64_t close_count(const het__cpu_step *step)
{
    const moe *m = moe_of(step);
    if (m->single || m->tokens == 0)
        return 0;
    return ints(step, m->used)[0] * ((m->width + m->close_rows - 1) / m->close_rows);
}

static void open_task(const het__cpu_step *step, int64_t task, unsigned char *scratch)
{
    const moe *m = moe_of(step);
    const part p = part_at(step, m, task, m->inner, m->open_rows);
    const expert *e = &m->experts[p.expert];
    const unsigned char *shared = step->program->shared;
    const het__cpu_level *level = level_of(step);
    float *up = (float *)(void *)(scratch + m->tile);
    float *gate = floats(step, m->hidden) + p.pair * m->inner + p.row;
    level->run(e->gate, p.row, p.rows, shared + m->gate_acts + (size_t)p.pair * m->gate_stride,
               m->gate_stride, p.pairs, gate, m->inner, scratch + m->run);
    level->run(e->up, p.row, p.rows, shared + m->up_acts + (size_t)p.pair * m->up_stride,
               m->up_stride, p.pairs, up, p.rows, scratch + m->run);
    for (int64_t i = 0; i < p.pairs; i++) {
        float *restrict g = gate + i * m->inner;
        const float *restrict u = up + i * p.rows;
        het__cpu_activate(level, m->attrs.act, g, p.rows);
        for (int64_t n = 0; n < p.rows; n++)
            g[n] *= u[n];
    }
}

static void close_task(const het__cpu_step *step, int64_t task, unsigned char *scratch)
{
    const moe *m = moe_of(step);
    const part p = part_at(step, m, task, m->width, m->close_rows);
    level_of(step)->run(m->experts[p.expert].down, p.row, p.rows,
                        step->program->shared + m->down_acts + (size_t)p.pair * m->down_stride,
                        m->down_stride, p.pairs,
                        floats(step, m->result) + p.pair * m->width + p.row, m->width,
                        scratch + m->run);
}

static void add_task(const het__cpu_step *step, int64_t task, unsigned char *scratch)
{
    (void)scratch;
    const moe *m = moe_of(step);
    const int32_t *where = ints(step, m->where) + task * m->attrs.used;
    const float *shares = floats(step, m->shares) + task * m->attrs.used;
    float *restrict out = m->out + task * m->width;
    memset(out, 0, (size_t)m->width * sizeof *out);
    for (int32_t k = 0; k < m->attrs.used; k++) {
        const float *restrict y = floats(step, m->result) + where[k] * m->width;
        for (int64_t i = 0; i < m->width; i++)
            out[i] += shares[k] * y[i];
    }
}

/* ---- one token ---- */

static const het__route *route_own(const moe *m, unsigned char *scratch)
{
    het__route *r = (het__route *)(void *)(scratch + m->own_route);
    het__route_token(&m->attrs, m->scores, (int32_t)m->count, r);
    return r;
}

static void single_open_begin(const het__cpu_step *step, unsigned char *scratch)
{
    const moe *m = moe_of(step);
    route_own(m, scratch);
    level_of(step)->prepare(m->experts[0].gate->act, m->x, m->width, scratch + m->own_gate);
    if (!m->same)
        level_of(step)->prepare(m->experts[0].up->act, m->x, m->width, scratch + m->own_up);
}

static void single_open_task(const het__cpu_step *step, int64_t task, unsigned char *scratch)
{
    const moe *m = moe_of(step);
    const het__cpu_level *level = level_of(step);
    const het__route *r = (const het__route *)(void *)(scratch + m->own_route);
    const int64_t parts = (m->inner + m->open_single - 1) / m->open_single;
    const int64_t pair = task / parts, row = task % parts * m->open_single;
    const int64_t rows = m->inner - row < m->open_single ? m->inner - row : m->open_single;
    const expert *e = &m->experts[r->expert[pair]];
    float *restrict gate = floats(step, m->hidden) + pair * m->inner + row;
    float *restrict up = (float *)(void *)(scratch + m->own_rows);
    if (m->uses && row == 0)
        m->uses[r->expert[pair]]++;
    level->run(e->gate, row, rows, scratch + m->own_gate, m->gate_stride, 1, gate, m->inner,
               scratch + m->run);
    level->run(e->up, row, rows, scratch + m->own_up, m->up_stride, 1, up, rows,
               scratch + m->run);
    het__cpu_activate(level, m->attrs.act, gate, rows);
    for (int64_t n = 0; n < rows; n++)
        gate[n] *= up[n];
}

static void single_close_begin(const het__cpu_step *step, unsigned char *scratch)
{
    const moe *m = moe_of(step);
    route_own(m, scratch);
    for (int32_t k = 0; k < m->attrs.used; k++)
        level_of(step)->prepare(m->experts[0].down->act, floats(step, m->hidden) + k * m->inner,
                                m->inner, scratch + m->own_down + (size_t)k * m->down_stride);
}

static void single_close_task(const het__cpu_step *step, int64_t task, unsigned char *scratch)
{
    const moe *m = moe_of(step);
    const het__route *r = (const het__route *)(void *)(scratch + m->own_route);
    const int64_t row = task * m->close_single;
    const int64_t rows = m->width - row < m->close_single ? m->width - row : m->close_single;
    float *restrict out = m->out + row;
    float *restrict y = (float *)(void *)(scratch + m->own_rows);
    memset(out, 0, (size_t)rows * sizeof *out);
    for (int32_t k = 0; k < m->attrs.used; k++) {
        level_of(step)->run(m->experts[r->expert[k]].down, row, rows,
                            scratch + m->own_down + (size_t)k * m->down_stride, m->down_stride, 1,
                            y, rows, scratch + m->run);
        for (int64_t i = 0; i < rows; i++)
            out[i] += r->share[k] * y[i];
    }
}

/* ---- binding ---- */

/* The first step of the node binds for all. */
static void route_bind(het__cpu_step *step, const int64_t *symbols)
{
    moe *m = *(moe **)step->data;
    m->tokens = het__extent_bind(m->x_value->extent[0], symbols);
    m->single = m->tokens == 1;
    step->tasks = m->tokens > 1;
    step->program->step_macs +=
        3.0 * (double)m->tokens * m->attrs.used * (double)m->width * (double)m->inner;
}

static void pairs_bind(het__cpu_step *step, const int64_t *symbols)
{
    (void)symbols;
    const moe *m = moe_of(step);
    step->tasks = m->single ? 0 : m->tokens * m->attrs.used;
}

static void tokens_bind(het__cpu_step *step, const int64_t *symbols)
{
    (void)symbols;
    const moe *m = moe_of(step);
    step->tasks = m->single ? 0 : m->tokens;
}

static void experts_bind(het__cpu_step *step, const int64_t *symbols)
{
    (void)step; /* tasks follow from the router */
    (void)symbols;
}

static void single_bind(het__cpu_step *step, int64_t tasks, int64_t macs)
{
    const moe *m = moe_of(step);
    step->tasks = m->single ? tasks : 0;
    step->weight = (double)macs * m->attrs.used / (double)tasks;
    step->load = HET__LOAD_STREAM;
}

static void single_open_bind(het__cpu_step *step, const int64_t *symbols)
{
    (void)symbols;
    const moe *m = moe_of(step);
    single_bind(step, m->attrs.used * ((m->inner + m->open_single - 1) / m->open_single),
                2 * m->width * m->inner);
}

static void single_close_bind(het__cpu_step *step, const int64_t *symbols)
{
    (void)symbols;
    const moe *m = moe_of(step);
    single_bind(step, (m->width + m->close_single - 1) / m->close_single, m->width * m->inner);
}

/* ---- building ---- */

static het_status get_experts(het__cpu_build *build, const het__node *node, moe *m)
{
    het_status s = HET_OK;
    m->experts = het__arena_zero(&build->program->arena, (size_t)m->count, sizeof *m->experts);
    if (!m->experts)
        return het__fail_nomem(build->err, node->name);
    for (int64_t e = 0; e < m->count && s == HET_OK; e++) {
        s = het__cpu_matrix_part(build, node->inputs[2], e, &m->experts[e].gate);
        if (s == HET_OK)
            s = het__cpu_matrix_part(build, node->inputs[3], e, &m->experts[e].up);
        if (s == HET_OK)
            s = het__cpu_matrix_part(build, node->inputs[4], e, &m->experts[e].down);
    }
    return s;
}

/* The least number of rows from `rows` on that begins where both may be cut. */
static int64_t rows_of_task(const het__cpu_level *level, const het__cpu_matrix *a,
                            const het__cpu_matrix *b, int64_t rows)
{
    const int64_t ga = level->granule(a), gb = level->granule(b);
    int64_t granule = ga;
    while (granule % gb != 0)
        granule += ga;
    return (rows + granule - 1) / granule * granule;
}

/* Experts of all pairs, or all of them at once, are shared out in so many tasks per thread. */
static void cut_tasks(const het__cpu_build *build, moe *m)
{
    const het__cpu_level *level = build->device->level;
    const expert *e = &m->experts[0];
    const int64_t tasks = het__pool_count(build->device->pool) * TASKS_STREAM;
    m->open_rows = rows_of_task(level, e->gate, e->up, TASK_ROWS);
    m->close_rows = rows_of_task(level, e->down, e->down, TASK_ROWS);
    m->open_single =
        rows_of_task(level, e->gate, e->up, (m->inner * m->attrs.used + tasks - 1) / tasks);
    m->close_single = rows_of_task(level, e->down, e->down, (m->width + tasks - 1) / tasks);
}

static void plan_scratch(het__cpu_build *build, moe *m, int64_t tokens)
{
    const het__cpu_level *level = build->device->level;
    const expert *e = &m->experts[0];
    const size_t pairs = (size_t)(tokens * m->attrs.used), f = sizeof(float);
    size_t shared = 0, own = 0, run = level->scratch_bytes(e->gate, tokens);
    const size_t up = level->scratch_bytes(e->up, tokens);
    const size_t down = level->scratch_bytes(e->down, tokens);
    m->gate_acts = het__cpu_reserve(&shared, pairs * m->gate_stride);
    m->up_acts = m->same ? m->gate_acts : het__cpu_reserve(&shared, pairs * m->up_stride);
    m->down_acts = het__cpu_reserve(&shared, pairs * m->down_stride);
    m->hidden = het__cpu_reserve(&shared, pairs * (size_t)m->inner * f);
    m->result = het__cpu_reserve(&shared, pairs * (size_t)m->width * f);
    m->shares = het__cpu_reserve(&shared, pairs * f);
    m->sorted = het__cpu_reserve(&shared, pairs * sizeof(int32_t));
    m->where = het__cpu_reserve(&shared, pairs * sizeof(int32_t));
    m->first = het__cpu_reserve(&shared, (size_t)(m->count + 1) * sizeof(int32_t));
    m->used = het__cpu_reserve(&shared, (size_t)(m->count + 1) * sizeof(int32_t));
    run = run > up ? run : up;
    m->run = het__cpu_reserve(&own, run > down ? run : down);
    m->tile = het__cpu_reserve(&own, (size_t)(tokens * m->open_rows) * f);
    m->own_route = het__cpu_reserve(&own, sizeof(het__route));
    m->own_gate = het__cpu_reserve(&own, m->gate_stride);
    m->own_up = m->same ? m->own_gate : het__cpu_reserve(&own, m->up_stride);
    m->own_down = het__cpu_reserve(&own, (size_t)m->attrs.used * m->down_stride);
    m->own_rows = het__cpu_reserve(
        &own, (size_t)(m->open_single > m->close_single ? m->open_single : m->close_single) * f);
    het__cpu_need_shared(build, shared);
    het__cpu_need_worker(build, own);
}

static void set_shape(het__cpu_build *build, const het__node *node, moe *m)
{
    const het__value *gate = het__cpu_value(build, node, 2);
    m->attrs = node->attrs.moe;
    if (build->slice->expert_uses)
        m->uses = build->slice->expert_uses[node - build->slice->graph->nodes];
    m->x_value = het__cpu_value(build, node, 0);
    het__cpu_place(build, node->inputs[0], &m->x);
    het__cpu_place(build, node->inputs[1], &m->scores);
    het__cpu_place(build, node->outputs[0], &m->out);
    m->count = gate->extent[0].count;
    m->inner = gate->extent[1].count;
    m->width = gate->extent[2].count;
}

het_status het__cpu_build_moe(het__cpu_build *build, const het__node *node)
{
    static const struct {
        void (*bind)(het__cpu_step *, const int64_t *);
        int64_t (*count)(const het__cpu_step *);
        het__cpu_task_fn task;
        void (*begin)(const het__cpu_step *, unsigned char *);
    } steps[] = {
        { route_bind, NULL, route_task, NULL },
        { pairs_bind, NULL, gather_task, NULL },
        { experts_bind, open_count, open_task, NULL },
        { pairs_bind, NULL, ready_task, NULL },
        { experts_bind, close_count, close_task, NULL },
        { tokens_bind, NULL, add_task, NULL },
        { single_open_bind, NULL, single_open_task, single_open_begin },
        { single_close_bind, NULL, single_close_task, single_close_begin },
    };
    moe *m = het__arena_zero(&build->program->arena, 1, sizeof *m);
    if (!m)
        return het__fail_nomem(build->err, node->name);
    set_shape(build, node, m);
    const het_status s = get_experts(build, node, m);
    if (s != HET_OK)
        return s;
    const expert *e = &m->experts[0];
    m->same = e->gate->act == e->up->act;
    m->gate_stride = het__cpu_act_bytes(e->gate->act, m->width);
    m->up_stride = het__cpu_act_bytes(e->up->act, m->width);
    m->down_stride = het__cpu_act_bytes(e->down->act, m->inner);
    cut_tasks(build, m);
    plan_scratch(build, m, het__cpu_rows_max(build, node->inputs[0]));
    for (size_t i = 0; i < sizeof steps / sizeof steps[0]; i++) {
        het__cpu_step *step = het__cpu_add_step(build, sizeof m);
        if (!step)
            return HET_E_NOMEM;
        *(moe **)step->data = m;
        step->bind = steps[i].bind;
        step->count = steps[i].count;
        step->task = steps[i].task;
        step->begin = steps[i].begin;
    }
    return HET_OK;
}
