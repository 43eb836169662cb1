/* SPDX-License-Identifier: Apache-2.0 */
/* ATTENTION over a paged cache, in two steps:
 *
 *   keys   (token, key head): norm and turn the key, write key and value to their slots;
 *   heads  (sequence, key head, block of queries): online softmax over the sequence's pages.
 *
 * The query heads that share a key head and the queries of a block form the rows of one small
 * product, so that keys and values are read once for all of them. Keys pass in groups of at most
 * 64 of one page, converted to F32 and padded; memory does not grow with the context.
 *
 * When every sequence has one token, a task of the second step needs only the key that it can
 * write itself: the first step falls away.
 */
#include <assert.h>
#include <math.h>
#include <string.h>

#include "backends/cpu_onednn/attention_math.h"
#include "backends/cpu_onednn/cpu.h"
#include "lib/base/error.h"

/* Rows of a block, as near as whole queries allow: with heads of 128 their queries and sums take
 * 64 KiB. */
#define BLOCK_ROWS 64

typedef struct attention {
    het__attention_attrs a;
    const het__value *q_value;
    const float *q, *k, *v;
    unsigned char *k_state, *v_state;
    const int32_t *positions, *slots, *segments, *pages;
    float *out;
    const het__cpu_angles *angles; /* NULL: no rotation */
    het__cpu_norm q_norm, k_norm;  /* weight NULL: none */
    const het__cpu_level *level;
    const het__attention_math *math;
    het__extent segment_extent;
    bool half; /* F16 state */
    int64_t share;   /* query heads per key head */
    int64_t queries; /* per block */
    int64_t width;   /* padded head */
    size_t element;  /* bytes of one in a state */
    /* Thread's scratch. */
    size_t q_offset, acc_offset, k_offset, v_offset, score_offset, max_offset, sum_offset;
    size_t head_offset;
    /* When bound. */
    int64_t tokens, segment_count;
} attention;

/* One sequence of the step: a row of SEGMENTS. */
typedef struct segment {
    int64_t row, rows, past, page;
} segment;

static segment segment_at(const attention *at, int64_t i)
{
    const int32_t *s = at->segments + 4 * i;
    return (segment){ s[0], s[1], s[2], s[3] };
}

static bool all_single(const attention *at)
{
    for (int64_t i = 0; i < at->segment_count; i++)
        if (at->segments[4 * i + 1] > 1)
            return false;
    return true;
}

static float *floats(unsigned char *scratch, size_t offset)
{
    return (float *)(void *)(scratch + offset);
}

/* ---- keys ---- */

/* Norm and rotation of one head in place. */
static void dress(const attention *at, const het__cpu_norm *norm, int64_t token, float *head)
{
    if (norm->weight)
        het__cpu_norm_row(at->level, norm, head, head, at->a.head_size);
    if (at->angles)
        het__cpu_turn(&at->a.rope, at->angles->table + token * at->a.rope.rotated, head);
}

static void store(const attention *at, unsigned char *target, const float *head)
{
    if (at->half)
        at->level->to_f16((uint16_t *)(void *)target, head, at->a.head_size);
    else
        memcpy(target, head, (size_t)at->a.head_size * sizeof(float));
}

/* Where a position's head lies in a state. */
static size_t state_at(const attention *at, int64_t page, int64_t g, int64_t offset)
{
    const het__attention_attrs *a = &at->a;
    return (size_t)(((page * a->kv_heads + g) * a->page_size + offset) * a->head_size) *
           at->element;
}

static void write_key(const attention *at, int64_t token, int64_t g, unsigned char *scratch)
{
    const int64_t d = at->a.head_size, from = (token * at->a.kv_heads + g) * d;
    const int64_t page = at->slots[token] / at->a.page_size;
    const size_t to = state_at(at, page, g, at->slots[token] % at->a.page_size);
    float *head = floats(scratch, at->head_offset);
    memcpy(head, at->k + from, (size_t)d * sizeof(float));
    dress(at, &at->k_norm, token, head);
    store(at, at->k_state + to, head);
    store(at, at->v_state + to, at->v + from);
}

static int64_t keys_count(const het__cpu_step *step)
{
    const attention *at = *(attention *const *)step->data;
    return all_single(at) ? 0 : at->tokens * at->a.kv_heads;
}

static void keys_task(const het__cpu_step *step, int64_t task, unsigned char *scratch)
{
    const attention *at = *(attention *const *)step->data;
    write_key(at, task / at->a.kv_heads, task % at->a.kv_heads, scratch);
}

static void keys_bind(het__cpu_step *step, const int64_t *symbols)
{
    attention *at = *(attention **)step->data;
    int64_t columns;
    het__value_matrix(at->q_value, symbols, &at->tokens, &columns);
    at->segment_count = het__extent_bind(at->segment_extent, symbols);
}

/* ---- heads ---- */

/* A block of queries of one sequence with the heads that share a key head. Row r is query
 * r / share, head r % share. */
typedef struct block {
    segment s;
    int64_t g;            /* key head */
    int64_t first, count; /* queries, within the sequence */
    int64_t rows;
} block;

static void load_queries(const attention *at, const block *b, unsigned char *scratch)
{
    const int64_t d = at->a.head_size;
    float *q = floats(scratch, at->q_offset);
    for (int64_t r = 0; r < b->rows; r++, q += at->width) {
        const int64_t token = b->s.row + b->first + r / at->share;
        const int64_t head = b->g * at->share + r % at->share;
        memcpy(q, at->q + (token * at->a.heads + head) * d, (size_t)d * sizeof(float));
        memset(q + d, 0, (size_t)(at->width - d) * sizeof(float));
        dress(at, &at->q_norm, token, q);
        at->math->scale(q, at->a.scale, at->width);
    }
}

/* count heads of a state as padded F32 rows, and zero rows up to a multiple of the lanes. */
static void load_heads(const attention *at, const unsigned char *source, int64_t count,
                       float *target)
{
    const int64_t d = at->a.head_size, w = at->width;
    const int64_t padded = (count + HET__ATTN_LANES - 1) / HET__ATTN_LANES * HET__ATTN_LANES;
    if (d == w) {
        if (at->half)
            at->level->from_f16(target, (const uint16_t *)(const void *)source, count * d);
        else
            memcpy(target, source, (size_t)(count * d) * sizeof(float));
    } else {
        for (int64_t j = 0; j < count; j++, source += (size_t)d * at->element) {
            float *row = target + j * w;
            if (at->half)
                at->level->from_f16(row, (const uint16_t *)(const void *)source, d);
            else
                memcpy(row, source, (size_t)d * sizeof(float));
            memset(row + d, 0, (size_t)(w - d) * sizeof(float));
        }
    }
    memset(target + count * w, 0, (size_t)((padded - count) * w) * sizeof(float));
}

/* c * tanh(s / c) as c - 2c / (exp(2s/c) + 1): one vectorised exponential. Beyond 40 the tangent
 * is 1 in F32. */
static void cap(const attention *at, float *s, int64_t n)
{
    const float c = at->a.softcap, twice = 2.0f / c;
    float sum = 0;
    for (int64_t i = 0; i < n; i++) {
        const float x = s[i] * twice;
        s[i] = x > 40.0f ? 40.0f : x < -40.0f ? -40.0f : x;
    }
    at->level->exp_rows(s, n, 0, &sum);
    for (int64_t i = 0; i < n; i++)
        s[i] = c - 2.0f * c / (s[i] + 1.0f);
}

/* Scores of a row against n keys to weights; keys outside [low, high) are not seen. */
static void soften(const attention *at, float *s, int64_t n, int64_t low, int64_t high,
                   float *maximum, float *sum, float *acc)
{
    low = low < 0 ? 0 : low;
    high = high > n ? n : high;
    if (low >= high) {
        memset(s, 0, (size_t)n * sizeof(float));
        return;
    }
    if (at->a.softcap > 0)
        cap(at, s + low, high - low);
    const float seen = at->math->maximum(s + low, high - low);
    if (seen > *maximum) {
        const float shrink = expf(*maximum - seen); /* 0 at the first keys */
        *sum *= shrink;
        at->math->scale(acc, shrink, at->width);
        *maximum = seen;
    }
    float part = 0;
    at->level->exp_rows(s + low, high - low, *maximum, &part);
    *sum += part;
    memset(s, 0, (size_t)low * sizeof(float));
    memset(s + high, 0, (size_t)(n - high) * sizeof(float));
}

/* Keys at positions [from, from + n), all in one page. */
static void attend(const attention *at, const block *b, int64_t from, int64_t n,
                   unsigned char *scratch)
{
    const int64_t page = at->pages[b->s.page + from / at->a.page_size];
    const size_t where = state_at(at, page, b->g, from % at->a.page_size);
    float *k = floats(scratch, at->k_offset), *v = floats(scratch, at->v_offset);
    float *scores = floats(scratch, at->score_offset), *acc = floats(scratch, at->acc_offset);
    float *maximum = floats(scratch, at->max_offset), *sum = floats(scratch, at->sum_offset);
    load_heads(at, at->k_state + where, n, k);
    load_heads(at, at->v_state + where, n, v);
    const int64_t padded = (n + HET__ATTN_LANES - 1) / HET__ATTN_LANES * HET__ATTN_LANES;
    at->math->scores(floats(scratch, at->q_offset), b->rows, k, padded, at->width, scores);
    for (int64_t r = 0; r < b->rows; r++) {
        const int64_t p = at->positions[b->s.row + b->first + r / at->share];
        const int64_t low = at->a.window > 0 ? p - at->a.window + 1 : 0;
        soften(at, scores + r * HET__ATTN_KEYS, n, low - from, p + 1 - from, &maximum[r], &sum[r],
               acc + r * at->width);
    }
    at->math->weigh(scores, b->rows, v, n, at->width, acc);
}

static void finish(const attention *at, const block *b, unsigned char *scratch)
{
    const int64_t d = at->a.head_size;
    const float *acc = floats(scratch, at->acc_offset), *sum = floats(scratch, at->sum_offset);
    for (int64_t r = 0; r < b->rows; r++, acc += at->width) {
        const int64_t token = b->s.row + b->first + r / at->share;
        const int64_t head = b->g * at->share + r % at->share;
        float *out = at->out + (token * at->a.heads + head) * d;
        const float inverse = sum[r] > 0 ? 1.0f / sum[r] : 0;
        for (int64_t i = 0; i < d; i++)
            out[i] = acc[i] * inverse;
    }
}

static void run_block(const attention *at, const block *b, unsigned char *scratch)
{
    float *maximum = floats(scratch, at->max_offset);
    memset(floats(scratch, at->acc_offset), 0, (size_t)(b->rows * at->width) * sizeof(float));
    memset(floats(scratch, at->sum_offset), 0, (size_t)b->rows * sizeof(float));
    for (int64_t r = 0; r < b->rows; r++)
        maximum[r] = -INFINITY;
    load_queries(at, b, scratch);
    /* Positions rise along a sequence: the first query sees least far back. */
    const int32_t *positions = at->positions + b->s.row + b->first;
    int64_t from = at->a.window > 0 ? (int64_t)positions[0] - at->a.window + 1 : 0;
    int64_t end = (int64_t)positions[b->count - 1] + 1;
    from = from < 0 ? 0 : from;
    end = end < b->s.past + b->s.rows ? end : b->s.past + b->s.rows;
    while (from < end) {
        const int64_t left = at->a.page_size - from % at->a.page_size;
        int64_t n = end - from < left ? end - from : left;
        n = n < HET__ATTN_KEYS ? n : HET__ATTN_KEYS;
        attend(at, b, from, n, scratch);
        from += n;
    }
    finish(at, b, scratch);
}

static int64_t blocks_of(const attention *at, int64_t rows)
{
    return (rows + at->queries - 1) / at->queries;
}

static int64_t heads_count(const het__cpu_step *step)
{
    const attention *at = step->data;
    int64_t tasks = 0;
    for (int64_t i = 0; i < at->segment_count; i++)
        tasks += blocks_of(at, segment_at(at, i).rows);
    return tasks * at->a.kv_heads;
}

static void heads_task(const het__cpu_step *step, int64_t task, unsigned char *scratch)
{
    const attention *at = step->data;
    int64_t i = 0;
    segment s = segment_at(at, 0);
    while (task >= blocks_of(at, s.rows) * at->a.kv_heads) {
        task -= blocks_of(at, s.rows) * at->a.kv_heads;
        assert(i + 1 < at->segment_count);
        s = segment_at(at, ++i);
    }
    /* Later queries see more keys: the longest tasks go first. */
    const int64_t back = blocks_of(at, s.rows) - 1 - task / at->a.kv_heads;
    block b = { .s = s, .g = task % at->a.kv_heads, .first = back * at->queries };
    b.count = s.rows - b.first < at->queries ? s.rows - b.first : at->queries;
    b.rows = b.count * at->share;
    if (all_single(at))
        write_key(at, s.row, b.g, scratch);
    run_block(at, &b, scratch);
}

static void heads_bind(het__cpu_step *step, const int64_t *symbols)
{
    (void)symbols; /* bound with the keys */
    const attention *at = step->data;
    const double per_key = 2.0 * (double)at->tokens * at->a.heads * at->a.head_size;
    step->program->context_macs += per_key;
    step->program->step_macs += per_key * (double)at->tokens / 2;
}

/* ---- building ---- */

static void plan_scratch(het__cpu_build *build, attention *at)
{
    const size_t f = sizeof(float), rows = (size_t)(at->queries * at->share);
    const size_t width = (size_t)at->width;
    size_t own = 0;
    at->q_offset = het__cpu_reserve(&own, rows * width * f);
    at->acc_offset = het__cpu_reserve(&own, rows * width * f);
    at->k_offset = het__cpu_reserve(&own, HET__ATTN_KEYS * width * f);
    at->v_offset = het__cpu_reserve(&own, HET__ATTN_KEYS * width * f);
    at->score_offset = het__cpu_reserve(&own, rows * HET__ATTN_KEYS * f);
    at->max_offset = het__cpu_reserve(&own, rows * f);
    at->sum_offset = het__cpu_reserve(&own, rows * f);
    at->head_offset = het__cpu_reserve(&own, width * f);
    het__cpu_need_worker(build, own);
}

static het_status get_norm(het__cpu_build *build, const het__node *node, uint32_t input,
                           het__cpu_norm *norm)
{
    norm->kind = HET__NORM_RMS;
    norm->group = node->attrs.attention.head_size;
    norm->eps = node->attrs.attention.norm_eps;
    return het__cpu_vector_get(build, node->inputs[input], &norm->weight);
}

static void get_places(het__cpu_build *build, const het__node *node, attention *at)
{
    const uint32_t *in = node->inputs;
    at->q = het__cpu_address(build, in[HET__ATTN_Q]);
    at->k = het__cpu_address(build, in[HET__ATTN_K]);
    at->v = het__cpu_address(build, in[HET__ATTN_V]);
    at->k_state = het__cpu_address(build, in[HET__ATTN_K_STATE]);
    at->v_state = het__cpu_address(build, in[HET__ATTN_V_STATE]);
    at->positions = het__cpu_address(build, in[HET__ATTN_POSITIONS]);
    at->slots = het__cpu_address(build, in[HET__ATTN_SLOTS]);
    at->segments = het__cpu_address(build, in[HET__ATTN_SEGMENTS]);
    at->pages = het__cpu_address(build, in[HET__ATTN_PAGES]);
    at->out = het__cpu_address(build, node->outputs[0]);
}

static void set_shape(het__cpu_build *build, const het__node *node, attention *at)
{
    at->a = node->attrs.attention;
    at->level = build->device->level;
    at->math = het__attention_math_for(at->level->name);
    at->q_value = het__cpu_value(build, node, HET__ATTN_Q);
    at->segment_extent = het__cpu_value(build, node, HET__ATTN_SEGMENTS)->extent[0];
    at->half = het__cpu_value(build, node, HET__ATTN_K_STATE)->dtype == HET_DTYPE_F16;
    at->element = at->half ? 2 : 4;
    at->share = at->a.heads / at->a.kv_heads;
    at->queries = at->share < BLOCK_ROWS ? BLOCK_ROWS / at->share : 1;
    at->width = (int64_t)het__round_up((size_t)at->a.head_size, HET__ATTN_LANES);
}

het_status het__cpu_build_attention(het__cpu_build *build, const het__node *node)
{
    const het__cpu_angles *angles = NULL;
    het_status s = HET_OK;
    if (node->attrs.attention.rope.rotated)
        s = het__cpu_angles_get(build, node->inputs[HET__ATTN_POSITIONS],
                                node->inputs[HET__ATTN_FACTORS], &node->attrs.attention.rope,
                                &angles);
    if (s != HET_OK)
        return s;
    het__cpu_step *keys = het__cpu_add_step(build, sizeof(attention *));
    if (!keys)
        return HET_E_NOMEM;
    attention **shared_data = keys->data;
    keys->bind = keys_bind;
    keys->count = keys_count;
    keys->task = keys_task;
    het__cpu_step *heads = het__cpu_add_step(build, sizeof(attention));
    if (!heads)
        return HET_E_NOMEM;
    attention *at = heads->data;
    *shared_data = at;
    heads->bind = heads_bind;
    heads->count = heads_count;
    heads->task = heads_task;
    at->angles = angles;
    get_places(build, node, at);
    set_shape(build, node, at);
    plan_scratch(build, at);
    s = get_norm(build, node, HET__ATTN_Q_NORM, &at->q_norm);
    return s == HET_OK ? get_norm(build, node, HET__ATTN_K_NORM, &at->k_norm) : s;
}
