/* SPDX-License-Identifier: Apache-2.0 */
/* Mixtures of experts.
 *
 *     route    per token its experts and shares                       (kernels/moe.cl)
 *     sort     pairs (token, expert) by expert, cut into parts of a few rows
 *     gate     per part: hidden = act(x[token] · Wg of the expert)    (kernels of products)
 *     up       per part: hidden *= x[token] · Wu
 *     down     per part: result = hidden · Wd
 *     add      per token: its pairs by their shares, in the order of the experts
 *
 * The host does not know how many parts a step has: it starts groups for the most that there can
 * be, and those beyond the last part end at once.
 *
 * Where the device keeps some experts only (experts.h), the host reads who was chosen, writes the
 * parts itself and starts the products of one expert after the other; each reads its weights from
 * the expert's slot. Kernels, parts and sums are the same, and so are the results. */
#include "backends/gpu/experts.h"

#include <assert.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "lib/base/error.h"

enum { GATE, UP, DOWN };

typedef struct moe {
    het__gpu_product products[3];
    het__gpu_codes tokens, pairs; /* rows of GATE and UP, of DOWN; kernel NULL: not rounded */
    het__gpu_kernel *route, *sort, *add;
    int64_t experts, used, width, inner;
    size_t lanes;
    float scale, limit, step; /* of shares; of SparseMixer, see kernels/moe.cl */
    /* Offsets in the scratch. */
    size_t picked, shares, tiles, order, where, hidden, results;
    /* With slots. */
    het__gpu_mixture *mixture; /* NULL: all experts are there */
    int32_t *chosen;     /* [pairs]: experts of each token */
    int32_t *parts;      /* what goes to tiles */
    int32_t *pairs_of;   /* [experts] */
    uint64_t *uses;      /* per expert; NULL: nobody counts */
} moe;

/* One expert of a step. */
typedef struct turn {
    int32_t expert;
    size_t tiles; /* where its parts begin */
    int64_t parts;
    uint32_t slot;
} turn;

static bool moe_supports(const het__graph *graph, const het__node *node, char *reason, size_t bytes)
{
    if (!het__gpu_inputs_are_f32(graph, node, 3, reason, bytes))
        return false;
    for (uint32_t i = 2; i < 5; i++) {
        const het__value *w = &graph->values[node->inputs[i]];
        if (!het__gpu_has_decoder(w->dtype)) {
            snprintf(reason, bytes, "experts of %s", het_dtype_name(w->dtype));
            return false;
        }
    }
    return true;
}

/* Rows of a part on average, which choose the kernels: one for one token, else two and more. */
static int64_t rows_of_part(const moe *m, int64_t tokens)
{
    const int64_t mean = (tokens * m->used + m->experts - 1) / m->experts;
    return tokens <= 1 ? 1 : mean < 2 ? 2 : mean;
}

/* The most parts of at most `size` rows that so many pairs make. */
static int64_t parts_max(const moe *m, int64_t pairs, int64_t size)
{
    return pairs / size + (pairs < m->experts ? pairs : m->experts);
}

/* ---- preparing ---- */

static het_status init_kernels(het__gpu_call *call, moe *m, het_error *err)
{
    char options[160];
    const het__moe_attrs *a = &call->attrs.moe;
    const size_t most = call->facts->group_max;
    m->lanes = call->facts->is_cpu ? 1 : most < 64 ? most : 64;
    snprintf(options, sizeof options,
             "-DEXPERTS=%d -DUSED=%d -DLANES=%d -DROUTER=%d -DNORMALISE=%d", (int)m->experts,
             (int)m->used, (int)m->lanes, (int)a->router, a->normalise);
    het_status s = het__gpu_kernel_of(call, "moe", "moe_route", options, &m->route, err);
    if (s == HET_OK)
        s = het__gpu_kernel_of(call, "moe", "moe_sort", options, &m->sort, err);
    if (s == HET_OK)
        s = het__gpu_kernel_of(call, "moe", "moe_add", options, &m->add, err);
    return s;
}

static het_status init_products(het__gpu_call *call, moe *m, int64_t tokens_max, het_error *err)
{
    het_status s = HET_OK;
    for (uint32_t i = 0; i < 3 && s == HET_OK; i++) {
        const het__gpu_operand *w = &call->inputs[2 + i];
        het__gpu_product *p = &m->products[i];
        p->weight = 2 + i;
        p->dtype = w->value.dtype;
        p->inner = w->columns;
        p->columns = w->value.extent[1].count;
        p->is_grouped = true;
        p->gathers = i != DOWN;
        p->is_slotted = m->mixture != NULL;
        p->small_at = m->mixture ? m->mixture->small_at[i] : 0;
        if (i == GATE)
            p->unary = call->attrs.moe.act;
        p->is_rounded = het__gpu_codes_fit(call, p);
        s = het__gpu_product_init(call, p, rows_of_part(m, tokens_max), err);
    }
    return s;
}

static size_t place(size_t *end, int64_t elements, bool *fits)
{
    const size_t at = *end;
    size_t bytes;
    *fits = *fits && elements >= 0 && het__mul_size((size_t)elements, 4, &bytes) &&
            bytes < SIZE_MAX / 2 - at;
    if (*fits)
        *end = het__round_up(at + bytes, HET__ALIGN);
    return at;
}

/* All of the scratch holds elements of four bytes. */
static het_status lay_scratch(het__gpu_call *call, moe *m, int64_t tokens_max, het_error *err)
{
    const int64_t pairs = tokens_max * m->used;
    int64_t hidden = 0, results = 0;
    size_t end = 0;
    bool fits = pairs < INT32_MAX && het__mul_i64(pairs, m->inner, &hidden) &&
                het__mul_i64(pairs, m->width, &results);
    m->picked = place(&end, pairs, &fits);
    m->shares = place(&end, pairs, &fits);
    m->order = place(&end, pairs, &fits);
    m->where = place(&end, pairs, &fits);
    /* With slots every expert has a list of its own. */
    m->tiles = place(&end, 4 * ((m->mixture ? m->experts : 1) + parts_max(m, pairs, 1)), &fits);
    m->hidden = place(&end, hidden, &fits);
    m->results = place(&end, results, &fits);
    if (!fits)
        return het__fail(err, HET_E_INVALID, "the scratch of a mixture is too large");
    het_status s = HET_OK;
    if (m->products[GATE].is_rounded || m->products[UP].is_rounded)
        s = het__gpu_codes_init(call, &m->tokens, tokens_max, m->width, &end, err);
    if (s == HET_OK && m->products[DOWN].is_rounded)
        s = het__gpu_codes_init(call, &m->pairs, pairs, m->inner, &end, err);
    het__gpu_want_scratch(call, end);
    return s;
}

/* Memory for what the host does between kernels. */
static het_status join_slots(het__gpu_call *call, moe *m, int64_t tokens_max, het_error *err)
{
    const size_t pairs = (size_t)(tokens_max * m->used);
    const uint32_t node = (uint32_t)(call->node - call->graph->nodes);
    const het_status s = het__gpu_experts_join(call, &m->mixture, err);
    if (s != HET_OK)
        return s;
    m->chosen = het__arena_zero(call->arena, pairs, sizeof *m->chosen);
    m->pairs_of = het__arena_zero(call->arena, (size_t)m->experts, sizeof *m->pairs_of);
    m->parts = het__arena_zero(call->arena, (size_t)m->experts + pairs + (size_t)m->experts,
                               4 * sizeof *m->parts);
    m->uses = call->slice->expert_uses ? call->slice->expert_uses[node] : NULL;
    return m->chosen && m->pairs_of && m->parts ? HET_OK : het__fail_nomem(err, "a program");
}

static het_status moe_prepare(het__gpu_call *call, het_error *err)
{
    const het__moe_attrs *a = &call->attrs.moe;
    moe *m = het__arena_zero(call->arena, 1, sizeof *m);
    if (!m)
        return het__fail_nomem(err, "a program");
    call->own = m;
    m->experts = call->inputs[1].columns;
    m->used = a->used;
    m->width = call->inputs[0].columns;
    m->inner = call->inputs[4].columns;
    m->scale = a->scale;
    m->limit = 2 * a->jitter;
    m->step = (nextafterf(m->limit, INFINITY) - m->limit) / 2;
    het_status s = init_kernels(call, m, err);
    if (s == HET_OK && call->gpu->expert_bytes > 0)
        s = join_slots(call, m, call->inputs[0].rows, err);
    if (s == HET_OK)
        s = init_products(call, m, call->inputs[0].rows, err);
    if (s == HET_OK)
        s = lay_scratch(call, m, call->inputs[0].rows, err);
    return s;
}

/* ---- launching ---- */

static het_status run_route(het__gpu_call *call, const moe *m, int64_t tokens, het_error *err)
{
    const size_t global = (size_t)tokens * m->lanes;
    het__gpu_arg_tensor(m->route, 0, &call->inputs[1]);
    het__gpu_arg_memory(m->route, 2, call->scratch, m->picked);
    het__gpu_arg_memory(m->route, 4, call->scratch, m->shares);
    het__gpu_arg_float(m->route, 6, m->scale);
    het__gpu_arg_float(m->route, 7, m->limit);
    het__gpu_arg_float(m->route, 8, m->step);
    return het__gpu_launch(call, m->route, 1, &global, &m->lanes, err);
}

static het_status run_sort(het__gpu_call *call, const moe *m, int64_t pairs, int64_t size,
                           het_error *err)
{
    het__gpu_arg_memory(m->sort, 0, call->scratch, m->picked);
    het__gpu_arg_memory(m->sort, 2, call->scratch, m->tiles);
    het__gpu_arg_memory(m->sort, 4, call->scratch, m->order);
    het__gpu_arg_memory(m->sort, 6, call->scratch, m->where);
    het__gpu_arg_int(m->sort, 8, pairs);
    het__gpu_arg_int(m->sort, 9, size);
    return het__gpu_launch(call, m->sort, 1, &m->lanes, &m->lanes, err);
}

static het_status run_products(het__gpu_call *call, const moe *m, int64_t pairs, uint32_t size,
                               size_t tiles, int64_t parts, het_error *err)
{
    const het__gpu_span hidden = { call->scratch, m->hidden };
    het__gpu_product_step r = { .x = het__gpu_span_of(&call->inputs[0]), .out = hidden,
                                .tiles = { call->scratch, tiles },
                                .order = { call->scratch, m->order }, .rows = pairs, .planes = 1,
                                .parts = parts, .scale = 1.0f };
    het_status s = HET_OK;
    if (m->tokens.kernel)
        s = het__gpu_codes_run(call, &m->tokens, r.x, call->inputs[0].rows, &r, err);
    if (s == HET_OK)
        s = het__gpu_product_run(call, &m->products[GATE], size, &r, err);
    r.multiplies = true;
    if (s == HET_OK)
        s = het__gpu_product_run(call, &m->products[UP], size, &r, err);
    r.multiplies = false;
    r.x = hidden;
    r.out = (het__gpu_span){ call->scratch, m->results };
    if (s == HET_OK && m->pairs.kernel)
        s = het__gpu_codes_run(call, &m->pairs, hidden, pairs, &r, err);
    if (s == HET_OK)
        s = het__gpu_product_run(call, &m->products[DOWN], size, &r, err);
    return s;
}

static het_status run_add(het__gpu_call *call, const moe *m, int64_t tokens, het_error *err)
{
    const size_t global[2] = { (size_t)m->width, (size_t)tokens };
    const size_t local[2] = { m->lanes, 1 };
    het__gpu_arg_memory(m->add, 0, call->scratch, m->results);
    het__gpu_arg_memory(m->add, 2, call->scratch, m->shares);
    het__gpu_arg_memory(m->add, 4, call->scratch, m->where);
    het__gpu_arg_tensor(m->add, 6, &call->outputs[0]);
    het__gpu_arg_int(m->add, 8, m->width);
    het__gpu_arg_int(m->add, 9, tokens);
    return het__gpu_launch(call, m->add, 2, global, m->lanes > 1 ? local : NULL, err);
}

/* ---- with slots ---- */

/* Lists as moe_sort makes them, one per expert that has pairs; matrices are the first of a slot.
 * Returns how many ints they take. */
static size_t write_parts(moe *m, int64_t pairs, int32_t size)
{
    size_t at = 0;
    int32_t first = 0;
    memset(m->pairs_of, 0, (size_t)m->experts * sizeof *m->pairs_of);
    for (int64_t i = 0; i < pairs; i++)
        m->pairs_of[m->chosen[i]]++;
    for (int64_t e = 0; e < m->experts; e++) {
        const int32_t count = m->pairs_of[e];
        int32_t *list = m->parts + at;
        if (count == 0)
            continue;
        list[0] = (count + size - 1) / size;
        for (int32_t i = 0; i < count; i += size) {
            int32_t *part = list + 4 * (1 + i / size);
            part[0] = 0;
            part[1] = first + i;
            part[2] = count - i < size ? count - i : size;
            part[3] = 0;
        }
        at += 4 * (1 + (size_t)list[0]);
        first += count;
        if (m->uses)
            m->uses[e] += (uint64_t)count;
    }
    return at;
}

/* A kernel's choice is not trusted to be a number of an expert: a device may err. */
static het_status read_choice(het__gpu_call *call, moe *m, int64_t pairs, het_error *err)
{
    const het_status s = call->gpu->driver->memory_read(call->gpu, call->scratch, m->picked,
                                                        m->chosen, (size_t)pairs * 4, err);
    for (int64_t i = 0; i < pairs && s == HET_OK; i++)
        if (m->chosen[i] < 0 || m->chosen[i] >= m->experts)
            return het__fail(err, HET_E_INTERNAL, "the device chose expert %d of %lld",
                             (int)m->chosen[i], (long long)m->experts);
    m->mixture->recent_count = (uint32_t)m->used;
    for (int64_t k = 0; k < m->used && s == HET_OK; k++)
        m->mixture->recent[k] = (uint32_t)m->chosen[pairs - m->used + k];
    return s;
}

/* The expert behind one, and whether there is any. */
static bool turn_next(const moe *m, turn *t)
{
    t->tiles += t->expert < 0 ? 0 : 16 * (1 + (size_t)t->parts);
    do
        t->expert++;
    while (t->expert < m->experts && m->pairs_of[t->expert] == 0);
    if (t->expert == m->experts)
        return false;
    t->parts = m->parts[(t->tiles - m->tiles) / 4];
    return true;
}

static het_status run_turn(het__gpu_call *call, moe *m, const turn *t, int64_t pairs, uint32_t size,
                           het_error *err)
{
    const het_status s = het__gpu_experts_await(call->gpu, t->slot, err);
    for (uint32_t i = 0; i < 3; i++) {
        m->products[i].form = het__gpu_experts_memory(call->gpu, t->slot);
        m->products[i].form_at = m->mixture->at[i];
    }
    return s == HET_OK ? run_products(call, m, pairs, size, t->tiles, t->parts, err) : s;
}

/* One expert after the other; the next is brought while one is used, if there is a slot for it. */
static het_status run_turns(het__gpu_call *call, moe *m, int64_t pairs, uint32_t size,
                            het_error *err)
{
    het__gpu *gpu = call->gpu;
    turn now = { .expert = -1, .tiles = m->tiles, .slot = UINT32_MAX }, next = now;
    bool more = turn_next(m, &next);
    het_status s = HET_OK;
    while (more && s == HET_OK) {
        if (next.slot == UINT32_MAX)
            s = het__gpu_experts_take(gpu, m->mixture, (uint32_t)next.expert, &next.slot, err);
        assert(s != HET_OK || next.slot != UINT32_MAX);
        now = next;
        more = turn_next(m, &next);
        next.slot = UINT32_MAX;
        if (s == HET_OK && more)
            s = het__gpu_experts_take(gpu, m->mixture, (uint32_t)next.expert, &next.slot, err);
        if (s == HET_OK)
            s = run_turn(call, m, &now, pairs, size, err);
        if (s == HET_OK)
            s = het__gpu_experts_leave(gpu, now.slot, err);
        else
            het__gpu_experts_give_up(gpu, now.slot);
    }
    if (s != HET_OK)
        het__gpu_experts_give_up(gpu, next.slot);
    return s;
}

static het_status run_with_slots(het__gpu_call *call, moe *m, int64_t pairs, uint32_t size,
                                 int64_t rows, het_error *err)
{
    het__gpu *gpu = call->gpu;
    het_status s = read_choice(call, m, pairs, err);
    if (s != HET_OK)
        return s;
    const size_t ints = write_parts(m, pairs, (int32_t)rows);
    s = gpu->driver->memory_write(gpu, call->scratch, m->tiles, m->parts, ints * 4, err);
    if (s == HET_OK)
        s = run_turns(call, m, pairs, size, err);
    return s == HET_OK ? het__gpu_experts_look_ahead(gpu, m->mixture, err) : s;
}

static het_status moe_launch(het__gpu_call *call, const int64_t *symbols, het_error *err)
{
    (void)symbols;
    moe *m = call->own;
    const int64_t tokens = call->inputs[0].rows, pairs = tokens * m->used;
    const uint32_t size = het__gpu_product_size(&m->products[GATE], rows_of_part(m, tokens));
    const int64_t rows = het__gpu_product_part(call, &m->products[GATE], size);
    if (tokens == 0)
        return HET_OK;
    het_status s = run_route(call, m, tokens, err);
    if (s == HET_OK)
        s = run_sort(call, m, pairs, rows, err);
    if (s == HET_OK && m->mixture)
        s = run_with_slots(call, m, pairs, size, rows, err);
    else if (s == HET_OK)
        s = run_products(call, m, pairs, size, m->tiles, parts_max(m, pairs, rows), err);
    if (s == HET_OK)
        s = run_add(call, m, tokens, err);
    return s;
}

const het__gpu_op het__gpu_moe = { moe_supports, moe_prepare, moe_launch };
