/* SPDX-License-Identifier: Apache-2.0 */
/* Importance inside of a mixture. Which expert a token reaches, and what the experts multiply last,
 * is inside of one operation, so both are computed here a second time, in plain C: the routes from
 * the same scores by the same function, and the inner rows expert by expert, one row of weights
 * decoded at a time. An expert belongs to one thread, which takes its tokens in order.
 *
 * A text may bring few tokens to an expert, or none; the mean of its mixture counts with every
 * expert as if it were so many tokens more. */
#include <math.h>
#include <stdatomic.h>

#include "lib/api/importance.h"
#include "lib/base/crew.h"
#include "lib/base/error.h"
#include "lib/plain/act.h"
#include "lib/plain/route.h"
#include "lib/quant/quant.h"

#define PRIOR 16.0
#define LANES 8

typedef struct step {
    het__expert_sums *sums;
    const het__route *routes; /* per row */
    size_t rows;
    het__mem *mem;
    atomic_int next;  /* expert */
    atomic_bool short_of_memory;
} step;

bool het__expert_sums_init(het__expert_sums *sums, het__arena *arena, const het__graph *graph,
                           const het__node *node)
{
    const het__value *gate = &graph->values[node->inputs[2]];
    *sums = (het__expert_sums){ .node = node, .gate = gate, .up = &graph->values[node->inputs[3]],
                                .experts = gate->extent[0].count, .inner = gate->extent[1].count,
                                .columns = gate->extent[2].count };
    const size_t e = (size_t)sums->experts, in = e * (size_t)sums->columns;
    const size_t out = e * (size_t)sums->inner;
    sums->in = het__arena_zero(arena, in, sizeof *sums->in);
    sums->out = het__arena_zero(arena, out, sizeof *sums->out);
    sums->tokens = het__arena_zero(arena, e, sizeof *sums->tokens);
    sums->in_weights = het__arena_zero(arena, in, sizeof *sums->in_weights);
    sums->out_weights = het__arena_zero(arena, out, sizeof *sums->out_weights);
    return sums->in && sums->out && sums->tokens && sums->in_weights && sums->out_weights;
}

static float dot(const float *a, const float *b, int64_t count)
{
    float part[LANES] = { 0 }, sum = 0;
    int64_t i = 0;
    for (; i + LANES <= count; i += LANES)
        for (int k = 0; k < LANES; k++)
            part[k] += a[i + k] * b[i + k];
    for (; i < count; i++)
        sum += a[i] * b[i];
    for (int k = 0; k < LANES; k++)
        sum += part[k];
    return sum;
}

/* The expert's share in a row's result; 0: it is not used. */
static double share_of(const het__expert_sums *e, const het__route *route, int32_t expert)
{
    for (int32_t k = 0; k < e->node->attrs.moe.used; k++)
        if (route->expert[k] == expert)
            return (double)route->share[k];
    return 0;
}

static void decode_row(const het__value *v, int64_t row, float *x)
{
    const int64_t columns = v->extent[2].count;
    het__decoder(v->dtype)((const char *)v->data + row * het_dtype_bytes(v->dtype, columns), x,
                           columns);
}

/* gate, up: room for a row of either. */
static void add_expert(const step *s, int32_t expert, float *gate, float *up)
{
    het__expert_sums *e = s->sums;
    bool is_used = false;
    for (size_t r = 0; r < s->rows; r++) {
        const double share = share_of(e, &s->routes[r], expert), weight = share * share;
        const float *x = e->rows + r * (size_t)e->columns;
        is_used = is_used || weight > 0;
        e->tokens[expert] += weight;
        for (int64_t i = 0; weight > 0 && i < e->columns; i++)
            e->in[expert * e->columns + i] += weight * (double)x[i] * (double)x[i];
    }
    for (int64_t f = 0; is_used && f < e->inner; f++) {
        decode_row(e->gate, expert * e->inner + f, gate);
        decode_row(e->up, expert * e->inner + f, up);
        for (size_t r = 0; r < s->rows; r++) {
            const double share = share_of(e, &s->routes[r], expert);
            const float *x = e->rows + r * (size_t)e->columns;
            if (!(share * share > 0))
                continue;
            const double y = het__unary_value(e->node->attrs.moe.act,
                                              (double)dot(gate, x, e->columns)) *
                             (double)dot(up, x, e->columns);
            e->out[expert * e->inner + f] += share * share * y * y;
        }
    }
}

static void run(void *job, uint32_t number)
{
    step *s = job;
    const size_t columns = (size_t)s->sums->columns;
    float *rows = het__alloc(s->mem, 2 * columns * sizeof *rows);
    (void)number;
    if (!rows)
        atomic_store(&s->short_of_memory, true);
    for (int e = 0; rows && (e = atomic_fetch_add(&s->next, 1)) < (int)s->sums->experts;)
        add_expert(s, e, rows, rows + columns);
    het__free(s->mem, rows);
}

het_status het__expert_sums_add(het__expert_sums *sums, size_t rows, uint32_t threads,
                                het__mem *mem, het_error *err)
{
    het__route *routes = het__alloc_zero(mem, rows + 1, sizeof *routes);
    if (!routes)
        return het__fail_nomem(err, "the importance of columns");
    for (size_t r = 0; r < rows; r++)
        het__route_token(&sums->node->attrs.moe, sums->scores + r * (size_t)sums->experts,
                         (int32_t)sums->experts, &routes[r]);
    step s = { .sums = sums, .routes = routes, .rows = rows, .mem = mem };
    atomic_init(&s.next, 0);
    atomic_init(&s.short_of_memory, false);
    het__crew_run(mem, threads, run, &s);
    het__free(mem, routes);
    return atomic_load(&s.short_of_memory) ? het__fail_nomem(err, "the importance of columns")
                                           : HET_OK;
}

static void conclude(const double *tokens, int64_t experts, double *sums, int64_t columns,
                     float *weights)
{
    double all = 0;
    for (int64_t e = 0; e < experts; e++)
        all += tokens[e];
    const double prior = all > 0 ? PRIOR / all : 0; /* of the sums over all experts */
    for (int64_t i = 0; i < columns; i++) {
        double sum = 0;
        for (int64_t e = 0; e < experts; e++)
            sum += sums[e * columns + i];
        for (int64_t e = 0; e < experts; e++)
            sums[e * columns + i] += prior * sum;
    }
    for (int64_t e = 0; e < experts; e++)
        het__importance_scale(sums + e * columns, columns, weights + e * columns);
}

void het__expert_sums_conclude(het__expert_sums *sums)
{
    conclude(sums->tokens, sums->experts, sums->in, sums->columns, sums->in_weights);
    conclude(sums->tokens, sums->experts, sums->out, sums->inner, sums->out_weights);
}
