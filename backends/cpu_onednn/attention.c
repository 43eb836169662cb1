/* SPDX-License-Identifier: Apache-2.0 */
/* ATTENTION over a paged cache, in two steps:
 *
 *   keys   (token, key head): norm and turn the key, write key and value to their slots;
 *   heads  (sequence, key head, block of queries): softmax over the sequence's pages.
 *
 * The query heads that share a key head and the queries of a block form the rows of one small
 * product, so that keys and values are read once for all of them. The context is cut into splits of
 * HET__ATTN_SPLIT positions, at the same places for every query:
 *
 *   scores of a split -> largest, weights, sum -> weighed values    one part per row and split
 *   parts in the order of splits -> result
 *
 * A block of many queries goes through its splits one by one. A sequence with few rows, as in
 * decode, gives each split to a task of its own, and the last of them to finish joins the parts:
 * the same additions in the same order, so that neither threads nor chunks change a bit. Scratch
 * does not grow with the context, but for the parts of such sequences.
 *
 * When every sequence has one token, the task of the last split needs only the key that it can
 * write itself: the first step falls away.
 */
#include <assert.h>
#include <math.h>
#include <stdatomic.h>
#include <string.h>

#include "backends/cpu_onednn/attention_math.h"
#include "backends/cpu_onednn/cpu.h"
#include "lib/base/error.h"
#include "lib/quant/quant.h"

/* Rows of a block, as near as whole queries allow; less where their queries would take more than
 * BLOCK_BYTES. Every row more spares reading keys and values once more. */
#define BLOCK_ROWS 128
#define BLOCK_BYTES 65536
/* Rows of a sequence whose splits are tasks of their own: their parts are kept. */
#define FEW_ROWS 32
/* Rows for which kernels read states in place. */
#define DIRECT_ROWS 8
/* Keys or values that are converted at once, or read in place while the next ones are fetched. */
#define GROUP 64
#define SPLIT HET__ATTN_SPLIT

typedef struct attention {
    het__attention_attrs a;
    const het__value *q_value;
    const float *q, *k, *v;
    unsigned char *k_state, *v_state;
    const int32_t *slots, *segments, *pages;
    float *out;
    const het__cpu_angles *angles; /* NULL: no rotation */
    het__cpu_norm q_norm, k_norm;  /* weight NULL: none */
    const het__cpu_level *level;
    const het__attention_math *math;
    het__extent segment_extent;
    het__attention_kind kind; /* of the states */
    int64_t share;   /* query heads per key head */
    int64_t queries; /* per block */
    int64_t width;   /* padded head */
    int64_t stride;  /* floats from row to row of converted keys and values */
    size_t row_bytes; /* of a head in a state */
    /* Thread's scratch. */
    size_t q_offset, part_offset, total_offset, group_offset, score_offset, sums_offset;
    size_t head_offset;
    size_t part_capacity; /* floats of parts in the program's shared scratch */
    _Atomic int32_t *arrived; /* [sequences][key heads]: splits that are done, 0 between steps */
    /* When bound. */
    int64_t tokens, segment_count;
} attention;

/* Largest score and sum of weights of a row, and beside them its weighed values. */
typedef struct sums {
    float maximum, sum;
} sums;

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
    if (!at->angles)
        return;
    const int64_t half = at->a.rope.rotated / 2;
    const float *row = at->angles->table + token * at->a.rope.rotated;
    if (at->a.rope.interleaved)
        het__cpu_turn(&at->a.rope, row, head);
    else
        at->math->turn(head, head + half, row, row + half, half);
}

static void store(const attention *at, unsigned char *target, const float *head)
{
    if (at->kind == HET__ATTN_KIND_F16)
        at->level->to_f16((uint16_t *)(void *)target, head, at->a.head_size);
    else if (at->kind == HET__ATTN_KIND_Q8)
        het__q8_0_encode(head, target, at->a.head_size);
    else
        memcpy(target, head, (size_t)at->a.head_size * sizeof(float));
}

/* Where a position's head lies in a state. */
static size_t state_at(const attention *at, int64_t page, int64_t g, int64_t offset)
{
    const het__attention_attrs *a = &at->a;
    return (size_t)((page * a->kv_heads + g) * a->page_size + offset) * at->row_bytes;
}

/* Without keys of its own a node reads what another has written. */
static void write_key(const attention *at, int64_t token, int64_t g, unsigned char *scratch)
{
    if (!at->k)
        return;
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
    return !at->k || all_single(at) ? 0 : at->tokens * at->a.kv_heads;
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

/* ---- blocks ---- */

/* A block of queries of one sequence with the heads that share a key head. Row r is query
 * r / share, head r % share. */
typedef struct block {
    segment s;
    int64_t g;            /* key head */
    int64_t first, count; /* queries, within the sequence */
    int64_t rows;
    int64_t padded;       /* rows that kernels work on */
    int64_t begin, end;   /* positions that any row sees */
} block;

static block block_of(const attention *at, segment s, int64_t g, int64_t first, int64_t count)
{
    block b = { .s = s, .g = g, .first = first, .count = count, .rows = count * at->share };
    b.padded = b.rows <= 2 ? b.rows : b.rows <= 4 ? 4 : (b.rows + 7) / 8 * 8;
    const int64_t from = s.past + first - at->a.window + 1;
    b.begin = at->a.window > 0 && from > 0 ? from : 0;
    b.end = s.past + first + count;
    return b;
}

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
    memset(q, 0, (size_t)((b->padded - b->rows) * at->width) * sizeof(float));
}

/* Whether kernels read keys and values in place. */
static bool is_direct(const attention *at, const block *b)
{
    return b->padded <= DIRECT_ROWS && at->a.head_size == at->width;
}

/* Neighbouring positions of a split within one page, and the rows that see any of them. */
typedef struct piece {
    int64_t from, count;
    int64_t row, rows;
} piece;

/* The piece at from; 1, 2, 4 or a multiple of 8 rows. */
static piece piece_at(const attention *at, const block *b, int64_t from, int64_t end)
{
    const int64_t left = at->a.page_size - from % at->a.page_size;
    piece p = { .from = from, .count = end - from < left ? end - from : left, .rows = b->padded };
    p.count = p.count < GROUP ? p.count : GROUP;
    if (b->padded <= 8)
        return p;
    /* Query i is at position b->s.past + b->first + i. */
    const int64_t behind = from - b->s.past - b->first;
    int64_t before = behind + p.count + at->a.window - 1;
    if (behind > 0)
        p.row = behind * at->share / 8 * 8;
    before = at->a.window > 0 && before < b->count ? before : b->count;
    p.rows = (before * at->share + 7) / 8 * 8 - p.row;
    return p;
}

/* First row of a piece in a state. */
static const unsigned char *piece_data(const attention *at, const block *b, int64_t from,
                                       const unsigned char *state)
{
    const int64_t page = at->pages[b->s.page + from / at->a.page_size];
    return state + state_at(at, page, b->g, from % at->a.page_size);
}

/* Keys or values of a piece as the kernels want them for so many rows. ahead: the piece after it,
 * or NULL. */
static het__attention_rows get_rows(const attention *at, const block *b, const piece *p,
                                    const unsigned char *state, const unsigned char *ahead,
                                    unsigned char *scratch)
{
    het__attention_rows rows = { .data = piece_data(at, b, p->from, state),
                                 .stride = at->row_bytes, .count = p->count, .kind = at->kind,
                                 .ahead = ahead };
    if (is_direct(at, b))
        return rows;
    float *group = floats(scratch, at->group_offset);
    at->math->load(group, at->stride, &rows, at->a.head_size, at->width);
    return (het__attention_rows){ .data = group, .stride = (size_t)at->stride * sizeof(float),
                                  .count = p->count, .kind = HET__ATTN_KIND_F32 };
}

/* Scores of positions [from, end) of a split to weights. */
static void soften(const attention *at, const block *b, int64_t from, int64_t end, float *scores,
                   sums *part)
{
    const int64_t start = from / SPLIT * SPLIT;
    for (int64_t r = 0; r < b->rows; r++, scores += HET__ATTN_STRIDE, part++) {
        const int64_t position = b->s.past + b->first + r / at->share;
        int64_t low = at->a.window > 0 ? position - at->a.window + 1 : 0;
        const int64_t high = position + 1 < end ? position + 1 : end;
        low = low < from ? from : low;
        if (low < high) {
            part->maximum = at->math->soften(scores, from - start, end - start, low - start,
                                             high - start, at->a.softcap, &part->sum);
        } else {
            *part = (sums){ -INFINITY, 0 };
            memset(scores + from - start, 0, (size_t)(end - from) * sizeof *scores);
        }
    }
}

/* One part per row of the block: its sums and weighed values. */
static void run_split(const attention *at, const block *b, int64_t split, sums *part,
                      float *values, unsigned char *scratch)
{
    const int64_t start = split * SPLIT;
    const int64_t from = b->begin > start ? b->begin : start;
    const int64_t end = b->end < start + SPLIT ? b->end : start + SPLIT;
    const float *q = floats(scratch, at->q_offset);
    float *scores = floats(scratch, at->score_offset);
    for (int64_t i = from; i < end;) {
        const piece p = piece_at(at, b, i, end);
        const int64_t next = i + p.count;
        const unsigned char *ahead = next < end ? piece_data(at, b, next, at->k_state)
                                                : piece_data(at, b, from, at->v_state);
        const het__attention_rows k = get_rows(at, b, &p, at->k_state, ahead, scratch);
        at->math->scores(q + p.row * at->width, p.rows, at->width, &k,
                         scores + p.row * HET__ATTN_STRIDE + i - start);
        i += p.count;
    }
    soften(at, b, from, end, scores, part);
    memset(values, 0, (size_t)(b->padded * at->width) * sizeof *values);
    for (int64_t i = from; i < end;) {
        const piece p = piece_at(at, b, i, end);
        const int64_t next = i + p.count;
        const unsigned char *ahead =
            next < end ? piece_data(at, b, next, at->v_state)
            : next < b->end ? piece_data(at, b, next, at->k_state) : NULL;
        const het__attention_rows v = get_rows(at, b, &p, at->v_state, ahead, scratch);
        at->math->weigh(scores + p.row * HET__ATTN_STRIDE + i - start, p.rows, &v, at->width,
                        values + p.row * at->width);
        i += p.count;
    }
}

/* Takes a split's part of one row into the total of the splits before it. */
static void join(const attention *at, sums *total, float *sum, const sums *part,
                 const float *values)
{
    if (part->maximum == -INFINITY && part->sum == 0)
        return; /* the row sees nothing of the split */
    if (total->maximum == -INFINITY && total->sum == 0) {
        *total = *part;
        memcpy(sum, values, (size_t)at->width * sizeof *sum);
        return;
    }
    const bool higher = part->maximum > total->maximum;
    const float shrink = expf(higher ? total->maximum - part->maximum
                                     : part->maximum - total->maximum);
    const float mine = higher ? shrink : 1.0f, other = higher ? 1.0f : shrink;
    at->math->blend(sum, mine, values, other, at->width);
    total->sum = total->sum * mine + part->sum * other;
    total->maximum = higher ? part->maximum : total->maximum;
}

static void finish(const attention *at, const block *b, int64_t r, const sums *total,
                   const float *sum)
{
    const int64_t d = at->a.head_size;
    const int64_t token = b->s.row + b->first + r / at->share;
    const int64_t head = b->g * at->share + r % at->share;
    float *out = at->out + (token * at->a.heads + head) * d;
    const float inverse = 1.0f / total->sum;
    for (int64_t i = 0; i < d; i++)
        out[i] = sum[i] * inverse;
}

/* All splits of a block, one after another. */
static void run_block(const attention *at, const block *b, unsigned char *scratch)
{
    sums *total = (sums *)(void *)(scratch + at->sums_offset), *part = total + b->rows;
    float *sum = floats(scratch, at->total_offset), *values = floats(scratch, at->part_offset);
    load_queries(at, b, scratch);
    for (int64_t r = 0; r < b->rows; r++)
        total[r] = (sums){ -INFINITY, 0 };
    for (int64_t split = b->begin / SPLIT; split * SPLIT < b->end; split++) {
        run_split(at, b, split, part, values, scratch);
        for (int64_t r = 0; r < b->rows; r++)
            join(at, &total[r], sum + r * at->width, &part[r], values + r * at->width);
    }
    for (int64_t r = 0; r < b->rows; r++)
        finish(at, b, r, &total[r], sum + r * at->width);
}

/* ---- heads ---- */

static int64_t blocks_of(const attention *at, int64_t rows)
{
    return (rows + at->queries - 1) / at->queries;
}

/* Splits of a sequence that are tasks of their own; 1: none are. */
static int64_t splits_of(const attention *at, segment s)
{
    if (s.rows * at->share > FEW_ROWS)
        return 1;
    const block b = block_of(at, s, 0, 0, s.rows);
    return (b.end - 1) / SPLIT - b.begin / SPLIT + 1;
}

/* Floats that one split of a block takes as parts: sums of all rows, then their values. */
static int64_t part_floats(const attention *at, int64_t padded)
{
    return (padded * 2 + 15) / 16 * 16 + padded * at->width;
}

/* One split of a sequence with few rows; whoever comes last joins them all. */
static void run_part(const attention *at, const block *b, int64_t split, int64_t splits,
                     float *parts, _Atomic int32_t *arrived, unsigned char *scratch)
{
    const int64_t size = part_floats(at, b->padded), first = b->begin / SPLIT;
    const int64_t values = size - b->padded * at->width;
    float *part = parts + split * size;
    load_queries(at, b, scratch);
    run_split(at, b, first + split, (sums *)(void *)part, part + values, scratch);
    if (atomic_fetch_add_explicit(arrived, 1, memory_order_acq_rel) + 1 < splits)
        return;
    atomic_store_explicit(arrived, 0, memory_order_relaxed);
    float *sum = floats(scratch, at->total_offset);
    for (int64_t r = 0; r < b->rows; r++) {
        sums total = { -INFINITY, 0 };
        for (int64_t i = 0; i < splits; i++) {
            const float *from = parts + i * size;
            const sums *own = (const sums *)(const void *)from;
            join(at, &total, sum, own + r, from + values + r * at->width);
        }
        finish(at, b, r, &total, sum);
    }
}

static int64_t heads_count(const het__cpu_step *step)
{
    const attention *at = step->data;
    int64_t tasks = 0;
    for (int64_t i = 0; i < at->segment_count; i++) {
        const segment s = segment_at(at, i);
        tasks += blocks_of(at, s.rows) * splits_of(at, s);
    }
    return tasks * at->a.kv_heads;
}

static void heads_task(const het__cpu_step *step, int64_t task, unsigned char *scratch)
{
    const attention *at = step->data;
    const int64_t kv = at->a.kv_heads;
    float *parts = (float *)(void *)step->program->shared;
    for (int64_t i = 0; i < at->segment_count; i++) {
        const segment s = segment_at(at, i);
        const int64_t blocks = blocks_of(at, s.rows), splits = splits_of(at, s);
        /* One key head after another, so that its keys stay in a cache. Later queries see more
         * keys: the longest tasks go first. */
        const int64_t g = task / splits / blocks;
        const int64_t first = (blocks - 1 - task / splits % blocks) * at->queries;
        const int64_t left = s.rows - first;
        const block b = block_of(at, s, g, first, left < at->queries ? left : at->queries);
        const int64_t size = splits > 1 ? splits * part_floats(at, b.padded) : 0;
        if (task >= blocks * splits * kv) {
            task -= blocks * splits * kv;
            parts += size * kv;
            assert(i + 1 < at->segment_count);
            continue;
        }
        const int64_t split = task % splits;
        if (split == splits - 1 && all_single(at))
            write_key(at, s.row, b.g, scratch);
        if (splits == 1) {
            run_block(at, &b, scratch);
        } else {
            parts += b.g * size;
            assert((size_t)(parts + size - (float *)(void *)step->program->shared) <=
                   at->part_capacity);
            run_part(at, &b, split, splits, parts, &at->arrived[i * kv + b.g], scratch);
        }
        return;
    }
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
    const size_t f = sizeof(float), rows = het__round_up((size_t)(at->queries * at->share), 8);
    const size_t width = (size_t)at->width;
    size_t own = 0;
    at->q_offset = het__cpu_reserve(&own, rows * width * f);
    at->part_offset = het__cpu_reserve(&own, rows * width * f);
    at->total_offset = het__cpu_reserve(&own, rows * width * f);
    at->group_offset = het__cpu_reserve(&own, GROUP * (size_t)at->stride * f);
    at->score_offset = het__cpu_reserve(&own, rows * HET__ATTN_STRIDE * f);
    at->sums_offset = het__cpu_reserve(&own, 2 * rows * sizeof(sums));
    at->head_offset = het__cpu_reserve(&own, width * f);
    het__cpu_need_worker(build, own);
}

/* Room for the parts of all sequences with few rows, and their counters. A sequence has at most one
 * split more than its pages fill. */
static het_status plan_parts(het__cpu_build *build, const het__node *node, attention *at)
{
    const int64_t *most = build->slice->symbols_max;
    const int64_t sequences = het__extent_bind(at->segment_extent, most);
    const int64_t pages = het__extent_bind(
        het__cpu_value(build, node, HET__ATTN_PAGES)->extent[0], most);
    const int64_t tokens = het__cpu_rows_max(build, node->inputs[HET__ATTN_Q]);
    int64_t rows = tokens < FEW_ROWS ? tokens * at->share : FEW_ROWS;
    rows = rows < FEW_ROWS ? (rows + 7) / 8 * 8 : FEW_ROWS;
    int64_t positions, count;
    size_t bytes, splits;
    at->arrived = het__arena_zero(&build->program->arena, (size_t)(sequences * at->a.kv_heads),
                                  sizeof *at->arrived);
    if (!at->arrived)
        return het__fail_nomem(build->err, "the counters of attention");
    if (at->share > FEW_ROWS)
        return HET_OK;
    if (!het__mul_i64(pages, at->a.page_size, &positions) ||
        !het__mul_i64(positions / SPLIT + 2 * sequences, at->a.kv_heads, &count) ||
        !het__mul_size((size_t)count, (size_t)part_floats(at, rows), &splits) ||
        !het__mul_size(splits, sizeof(float), &bytes))
        return het__fail_nomem(build->err, "the parts of attention");
    at->part_capacity = splits;
    het__cpu_need_shared(build, bytes);
    return HET_OK;
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
    het__cpu_place(build, in[HET__ATTN_Q], &at->q);
    het__cpu_place(build, in[HET__ATTN_K], &at->k);
    het__cpu_place(build, in[HET__ATTN_V], &at->v);
    het__cpu_place(build, in[HET__ATTN_K_STATE], &at->k_state);
    het__cpu_place(build, in[HET__ATTN_V_STATE], &at->v_state);
    het__cpu_place(build, in[HET__ATTN_SLOTS], &at->slots);
    het__cpu_place(build, in[HET__ATTN_SEGMENTS], &at->segments);
    het__cpu_place(build, in[HET__ATTN_PAGES], &at->pages);
    het__cpu_place(build, node->outputs[0], &at->out);
}

static void set_shape(het__cpu_build *build, const het__node *node, attention *at)
{
    at->a = node->attrs.attention;
    at->level = build->device->level;
    at->math = het__attention_math_for(at->level->name);
    at->q_value = het__cpu_value(build, node, HET__ATTN_Q);
    at->segment_extent = het__cpu_value(build, node, HET__ATTN_SEGMENTS)->extent[0];
    const het_dtype state = het__cpu_value(build, node, HET__ATTN_K_STATE)->dtype;
    at->kind = state == HET_DTYPE_F16    ? HET__ATTN_KIND_F16
               : state == HET_DTYPE_Q8_0 ? HET__ATTN_KIND_Q8
                                         : HET__ATTN_KIND_F32;
    at->row_bytes = (size_t)het_dtype_bytes(state, at->a.head_size);
    at->share = at->a.heads / at->a.kv_heads;
    at->width = (int64_t)het__round_up((size_t)at->a.head_size, HET__ATTN_LANES);
    at->stride = at->width + HET__ATTN_LANES; /* off the powers of two, as HET__ATTN_STRIDE */
    const int64_t fit = BLOCK_BYTES / (at->width * (int64_t)sizeof(float));
    const int64_t rows = fit < BLOCK_ROWS ? fit : BLOCK_ROWS;
    at->queries = at->share < rows ? rows / at->share : 1;
    const int64_t few = FEW_ROWS / at->share; /* a sequence with few rows is one block */
    at->queries = at->queries < few ? few : at->queries;
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
    s = plan_parts(build, node, at);
    if (s != HET_OK)
        return s;
    s = get_norm(build, node, HET__ATTN_Q_NORM, &at->q_norm);
    return s == HET_OK ? get_norm(build, node, HET__ATTN_K_NORM, &at->k_norm) : s;
}
