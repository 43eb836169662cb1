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
 * be, and those beyond the last part end at once. */
#include "backends/gpu/product.h"

#include <math.h>
#include <stdio.h>

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
} moe;

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
    m->tiles = place(&end, 4 * (1 + parts_max(m, pairs, 1)), &fits);
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
                               int64_t parts, het_error *err)
{
    const het__gpu_span hidden = { call->scratch, m->hidden };
    het__gpu_product_step r = { .x = het__gpu_span_of(&call->inputs[0]), .out = hidden,
                                .tiles = { call->scratch, m->tiles },
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

static het_status moe_launch(het__gpu_call *call, const int64_t *symbols, het_error *err)
{
    (void)symbols;
    const moe *m = call->own;
    const int64_t tokens = call->inputs[0].rows, pairs = tokens * m->used;
    const uint32_t size = het__gpu_product_size(&m->products[GATE], rows_of_part(m, tokens));
    const int64_t rows = het__gpu_product_part(call, &m->products[GATE], size);
    if (tokens == 0)
        return HET_OK;
    het_status s = run_route(call, m, tokens, err);
    if (s == HET_OK)
        s = run_sort(call, m, pairs, rows, err);
    if (s == HET_OK)
        s = run_products(call, m, pairs, size, parts_max(m, pairs, rows), err);
    if (s == HET_OK)
        s = run_add(call, m, tokens, err);
    return s;
}

const het__gpu_op het__gpu_moe = { moe_supports, moe_prepare, moe_launch };
