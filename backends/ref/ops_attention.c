/* SPDX-License-Identifier: Apache-2.0 */
/* Plain C: attention over the paged state.
 *
 *     all keys and values of the step -> state          (norm, rope, round to the state's type)
 *     each query x each position it sees -> scores      (scale, softcap)
 *     softmax of the scores x values -> output
 *
 * Queries read their own step's keys back from the state, so that a prompt gives the same result
 * in one step and in many. */
#include "backends/ref/ref.h"

#include <assert.h>
#include <math.h>

typedef struct attention {
    const het__ref_call *call;
    const het__attention_attrs *attrs;
    const float *q_norm, *k_norm, *factors; /* NULL: absent */
    const het__ref_operand *given; /* a row of angles per token; NULL: they are computed */
    float *row;     /* rope.rotated: room for one of them */
    double *scores; /* one per position of a sequence */
    double *sum;    /* head_size */
    double *angles; /* rope.rotated */
    float *head;    /* head_size: a query or key being made */
    float *seen;    /* head_size: a key or value read from the state */
} attention;

/* Positions that one sequence can have in a step. */
static bool positions_max(const het__ref_call *call, int64_t *positions)
{
    const het__ref_operand *pages = &call->inputs[HET__ATTN_PAGES];
    return het__mul_i64(pages->columns, call->attrs.attention.page_size, positions);
}

static int64_t attention_scratch(const het__ref_call *call)
{
    const het__attention_attrs *attrs = &call->attrs.attention;
    int64_t positions;
    if (!positions_max(call, &positions) || positions > INT64_MAX / 16)
        return -1;
    return positions + 4 * (int64_t)attrs->head_size + 2 * (int64_t)attrs->rope.rotated;
}

static const float *optional_row(const het__ref_call *call, uint32_t input, float *room)
{
    const het__ref_operand *operand = het__ref_input(call, input);
    return operand ? het__ref_row(operand, 0, room) : NULL;
}

static attention attention_of(const het__ref_call *call)
{
    const het__attention_attrs *attrs = &call->attrs.attention;
    const int32_t size = attrs->head_size;
    int64_t positions = 0;
    positions_max(call, &positions);
    attention a = { .call = call, .attrs = attrs };
    a.scores = call->scratch;
    a.sum = a.scores + positions;
    a.angles = a.sum + size;
    a.head = (float *)(a.angles + attrs->rope.rotated);
    a.seen = a.head + size;
    float *rooms = a.seen + size;
    a.q_norm = optional_row(call, HET__ATTN_Q_NORM, rooms);
    a.k_norm = optional_row(call, HET__ATTN_K_NORM, rooms + size);
    a.row = rooms + 2 * size;
    const het__ref_operand *factors = het__ref_input(call, HET__ATTN_FACTORS);
    if (het__ref_rope_is_given(&attrs->rope, factors))
        a.given = factors;
    else
        a.factors = optional_row(call, HET__ATTN_FACTORS, a.row);
    return a;
}

/* Norm and rotation of one head of a query or key; angles are those of its token. */
static void make_head(const attention *a, const float *x, const float *norm)
{
    const int32_t size = a->attrs->head_size;
    if (norm)
        het__ref_norm_group(HET__NORM_RMS, a->attrs->norm_eps, x, norm, NULL, size, a->head);
    else
        memcpy(a->head, x, (size_t)size * sizeof *x);
    if (a->attrs->rope.rotated)
        het__ref_rope_head(&a->attrs->rope, a->angles, a->head, a->head);
}

static void token_angles(const attention *a, int64_t token)
{
    if (a->given)
        het__ref_rope_given(&a->attrs->rope, het__ref_row(a->given, token, a->row), a->angles);
    else if (a->attrs->rope.rotated)
        het__ref_rope_angles(&a->attrs->rope,
                             het__ref_int(&a->call->inputs[HET__ATTN_POSITIONS], token),
                             a->factors, a->angles);
}

/* Byte offset of a head's vector in a state [pages, G, page, d]. */
static int64_t state_offset(const attention *a, const het__ref_operand *state, int64_t page,
                            int64_t kv_head, int64_t offset)
{
    const int64_t row = (page * a->attrs->kv_heads + kv_head) * a->attrs->page_size + offset;
    assert(row >= 0 && row < state->rows);
    return row * state->row_bytes;
}

static void state_write(const attention *a, const het__ref_operand *state, int64_t slot,
                        int64_t kv_head, const float *x)
{
    const int64_t page = slot / a->attrs->page_size, offset = slot % a->attrs->page_size;
    char *at = state->write + state_offset(a, state, page, kv_head, offset);
    if (state->value.dtype == HET_DTYPE_F32) {
        memcpy(at, x, (size_t)state->row_bytes);
        return;
    }
    if (state->value.dtype == HET_DTYPE_Q8_0) {
        het__q8_0_encode(x, at, a->attrs->head_size);
        return;
    }
    for (int32_t i = 0; i < a->attrs->head_size; i++) {
        const uint16_t half = het__f32_to_f16(x[i]);
        memcpy(at + 2 * i, &half, sizeof half);
    }
}

/* Vector of a position, whose page stands in the table that begins at first_page. */
static const float *state_read(const attention *a, uint32_t input, int64_t first_page,
                               int64_t position, int64_t kv_head)
{
    const het__ref_operand *state = &a->call->inputs[input];
    const int64_t entry = first_page + position / a->attrs->page_size;
    const int64_t page = het__ref_int(&a->call->inputs[HET__ATTN_PAGES], entry);
    const int64_t offset = position % a->attrs->page_size;
    state->decode(state->read + state_offset(a, state, page, kv_head, offset), a->seen,
                  a->attrs->head_size);
    return a->seen;
}

static void store_token(const attention *a, int64_t token)
{
    const het__ref_operand *in = a->call->inputs;
    const int32_t size = a->attrs->head_size;
    const float *k = het__ref_row(&in[HET__ATTN_K], token, NULL);
    const float *v = het__ref_row(&in[HET__ATTN_V], token, NULL);
    const int64_t slot = het__ref_int(&in[HET__ATTN_SLOTS], token);
    token_angles(a, token);
    for (int32_t g = 0; g < a->attrs->kv_heads; g++) {
        make_head(a, k + g * size, a->k_norm);
        state_write(a, &in[HET__ATTN_K_STATE], slot, g, a->head);
        state_write(a, &in[HET__ATTN_V_STATE], slot, g, v + g * size);
    }
}

/* Scores of the query in a->head against the positions first to last; the largest score. */
static double score(const attention *a, int64_t first_page, int64_t first, int64_t last,
                    int64_t kv_head)
{
    const double cap = (double)a->attrs->softcap;
    double most = -INFINITY;
    for (int64_t p = first; p <= last; p++) {
        const float *k = state_read(a, HET__ATTN_K_STATE, first_page, p, kv_head);
        double s = 0;
        for (int32_t i = 0; i < a->attrs->head_size; i++)
            s += (double)a->head[i] * (double)k[i];
        s *= (double)a->attrs->scale;
        if (cap != 0.0)
            s = cap * tanh(s / cap);
        a->scores[p - first] = s;
        most = fmax(most, s);
    }
    return most;
}

static void attend_head(const attention *a, int64_t first_page, int64_t first, int64_t last,
                        int64_t kv_head, float *out)
{
    const int32_t size = a->attrs->head_size;
    const double most = score(a, first_page, first, last, kv_head);
    double total = 0;
    memset(a->sum, 0, (size_t)size * sizeof *a->sum);
    for (int64_t p = first; p <= last; p++) {
        const double weight = exp(a->scores[p - first] - most);
        const float *v = state_read(a, HET__ATTN_V_STATE, first_page, p, kv_head);
        total += weight;
        for (int32_t i = 0; i < size; i++)
            a->sum[i] += weight * (double)v[i];
    }
    for (int32_t i = 0; i < size; i++)
        out[i] = (float)(a->sum[i] / total);
}

/* Queries of one sequence: rows first_row onwards, each seeing the positions up to its own. */
static void attend_segment(const attention *a, int64_t segment)
{
    const het__ref_operand *in = a->call->inputs, *segments = &in[HET__ATTN_SEGMENTS];
    const het__attention_attrs *attrs = a->attrs;
    const int64_t first_row = het__ref_int(segments, 4 * segment);
    const int64_t rows = het__ref_int(segments, 4 * segment + 1);
    const int64_t before = het__ref_int(segments, 4 * segment + 2);
    const int64_t first_page = het__ref_int(segments, 4 * segment + 3);
    const int32_t size = attrs->head_size, per_kv = attrs->heads / attrs->kv_heads;
    for (int64_t r = 0; r < rows; r++) {
        const int64_t token = first_row + r, last = before + r;
        const int64_t first = attrs->window && last >= attrs->window ? last - attrs->window + 1 : 0;
        const float *q = het__ref_row(&in[HET__ATTN_Q], token, NULL);
        float *out = het__ref_row_out(&a->call->outputs[0], token);
        token_angles(a, token);
        for (int32_t h = 0; h < attrs->heads; h++) {
            make_head(a, q + h * size, a->q_norm);
            attend_head(a, first_page, first, last, h / per_kv, out + h * size);
        }
    }
}

static void attention_run(const het__ref_call *call)
{
    const attention a = attention_of(call);
    const bool stores = het__ref_input(call, HET__ATTN_K) != NULL; /* or another node has */
    for (int64_t t = 0; stores && t < call->inputs[HET__ATTN_K].rows; t++)
        store_token(&a, t);
    for (int64_t s = 0; s < call->inputs[HET__ATTN_SEGMENTS].rows; s++)
        attend_segment(&a, s);
}

const het__ref_kernel het__ref_attention = {
    .run = attention_run,
    .scratch = attention_scratch,
    .integers = 1u << HET__ATTN_POSITIONS | 1u << HET__ATTN_SLOTS | 1u << HET__ATTN_SEGMENTS |
                1u << HET__ATTN_PAGES,
    .floats = 1u << HET__ATTN_Q | 1u << HET__ATTN_K | 1u << HET__ATTN_V,
    .states = 1u << HET__ATTN_K_STATE | 1u << HET__ATTN_V_STATE,
};
