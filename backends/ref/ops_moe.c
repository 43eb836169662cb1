/* SPDX-License-Identifier: Apache-2.0 */
/* Plain C: mixtures of experts.
 *
 *     each token's scores -> its experts and shares       (lib/plain/route.h)
 *     counting sort of the pairs (token, expert) by expert
 *     expert after expert: all its tokens x gate, up -> hidden, hidden x down -> sums
 *
 * The sums of a token thus grow in the order of the experts, whatever else is in the step. */
#include "backends/ref/ref.h"

#include <assert.h>

#include "lib/plain/route.h"

/* Parts of the scratch; counts are of elements. */
typedef struct moe {
    const het__ref_call *call;
    const het__moe_attrs *attrs;
    int64_t tokens, width, inner, experts;
    double *sums;     /* [tokens, width] */
    float *hidden;    /* [tokens, inner]: of the tokens of one expert */
    float *rows;      /* [2, larger of width and inner]: weights */
    float *x_rooms;   /* [width] */
    float *shares;    /* [tokens * used], sorted by expert */
    int32_t *sorted;  /* token of each pair */
    int32_t *first;   /* [experts + 1]: first pair of each expert */
    int32_t *picked;  /* [tokens * used]: experts of each token, before sorting */
    float *picked_shares;
} moe;

static int64_t larger(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

static int64_t moe_scratch(const het__ref_call *call)
{
    const het__ref_operand *x = &call->inputs[0], *down = &call->inputs[4];
    const int64_t pairs = x->rows * call->attrs.moe.used;
    int64_t sums, hidden, total;
    if (!het__mul_i64(x->rows, x->columns, &sums) ||
        !het__mul_i64(x->rows, down->columns, &hidden) ||
        __builtin_add_overflow(sums, hidden, &total) || total > INT64_MAX / 16)
        return -1;
    const int64_t floats = hidden + 3 * larger(x->columns, down->columns) + 4 * pairs +
                           call->inputs[1].columns + 1;
    return sums + floats / 2 + 1;
}

static moe moe_of(const het__ref_call *call)
{
    moe m = { .call = call, .attrs = &call->attrs.moe, .tokens = call->inputs[0].rows,
              .width = call->inputs[0].columns, .inner = call->inputs[4].columns,
              .experts = call->inputs[1].columns };
    const int64_t pairs = m.tokens * m.attrs->used;
    m.sums = call->scratch;
    m.hidden = (float *)(m.sums + m.tokens * m.width);
    m.rows = m.hidden + m.tokens * m.inner;
    m.x_rooms = m.rows + 2 * larger(m.width, m.inner);
    m.shares = m.x_rooms + larger(m.width, m.inner);
    m.picked_shares = m.shares + pairs;
    m.sorted = (int32_t *)(void *)(m.picked_shares + pairs);
    m.picked = m.sorted + pairs;
    m.first = m.picked + pairs;
    return m;
}

/* Fills sorted, shares and first. */
static void route(const moe *m)
{
    const int64_t used = m->attrs->used;
    memset(m->first, 0, (size_t)(m->experts + 1) * sizeof *m->first);
    for (int64_t t = 0; t < m->tokens; t++) {
        het__route r;
        /* Rows of scores are F32 and lie in place. */
        het__route_token(m->attrs, het__ref_row(&m->call->inputs[1], t, NULL),
                         (int32_t)m->experts, &r);
        for (int64_t k = 0; k < used; k++) {
            m->picked[t * used + k] = r.expert[k];
            m->picked_shares[t * used + k] = r.share[k];
            m->first[r.expert[k] + 1]++;
        }
    }
    for (int64_t e = 0; e < m->experts; e++)
        m->first[e + 1] += m->first[e];
    for (int64_t i = 0; i < m->tokens * used; i++) {
        const int32_t at = m->first[m->picked[i]]++;
        m->sorted[at] = (int32_t)(i / used);
        m->shares[at] = m->picked_shares[i];
    }
    for (int64_t e = m->experts; e > 0; e--)
        m->first[e] = m->first[e - 1];
    m->first[0] = 0;
}

static double dot(const float *a, const float *b, int64_t count)
{
    double sum = 0;
    for (int64_t i = 0; i < count; i++)
        sum += (double)a[i] * (double)b[i];
    return sum;
}

/* Hidden values of the expert's tokens, rounded where separate nodes would round theirs. */
static void open_expert(const moe *m, int64_t expert, int64_t first, int64_t count)
{
    const het__ref_operand *in = m->call->inputs;
    float *up_room = m->rows + m->width;
    for (int64_t n = 0; n < m->inner; n++) {
        const float *gate = het__ref_row(&in[2], expert * m->inner + n, m->rows);
        const float *up = het__ref_row(&in[3], expert * m->inner + n, up_room);
        for (int64_t i = 0; i < count; i++) {
            const float *x = het__ref_row(&in[0], m->sorted[first + i], m->x_rooms);
            const double act = het__unary_value(m->attrs->act, dot(x, gate, m->width));
            m->hidden[i * m->inner + n] = (float)(act * dot(x, up, m->width));
        }
    }
}

static void close_expert(const moe *m, int64_t expert, int64_t first, int64_t count)
{
    const het__ref_operand *down = &m->call->inputs[4];
    for (int64_t n = 0; n < m->width; n++) {
        const float *w = het__ref_row(down, expert * m->width + n, m->rows);
        for (int64_t i = 0; i < count; i++)
            m->sums[m->sorted[first + i] * m->width + n] +=
                (double)m->shares[first + i] * dot(m->hidden + i * m->inner, w, m->inner);
    }
}

static void moe_run(const het__ref_call *call)
{
    const moe m = moe_of(call);
    memset(m.sums, 0, (size_t)(m.tokens * m.width) * sizeof *m.sums);
    route(&m);
    for (int64_t e = 0; e < m.experts; e++) {
        const int64_t first = m.first[e], count = m.first[e + 1] - first;
        if (count == 0)
            continue;
        open_expert(&m, e, first, count);
        close_expert(&m, e, first, count);
    }
    for (int64_t t = 0; t < m.tokens; t++) {
        float *out = het__ref_row_out(&call->outputs[0], t);
        for (int64_t i = 0; i < m.width; i++)
            out[i] = (float)m.sums[t * m.width + i];
    }
}

const het__ref_kernel het__ref_moe = {
    .run = moe_run,
    .scratch = moe_scratch,
    .floats = 1u << 1,
};
