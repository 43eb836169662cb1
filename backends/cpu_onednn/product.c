/* SPDX-License-Identifier: Apache-2.0 */
/* LINEAR, GATED and MATMUL: products of rows of activations with weight matrices.
 *
 * Activations are prepared once per kind that the matrices ask for; floats are used as they lie.
 * Then all matrices of the node form one list of tiles: rows of the weight times a chunk of tokens.
 * The chunk keeps prepared activations in the second-level cache; a tile's chunks follow each
 * other, so that the weights of a tile are read from memory once. Where all weights stay in the
 * cache, a chunk's tiles follow each other instead.
 *
 * With one token, preparing takes about as long as waiting for another thread to do it: then every
 * thread prepares the row for itself, and the step before the tiles falls away.
 *
 * An output never lies on an input of the same node: a tile is written before the residual is
 * added. It may lie on the input of a norm that was joined, which nobody needs any more.
 */
#include <assert.h>
#include <math.h>
#include <string.h>

#include "backends/cpu_onednn/cpu.h"
#include "backends/cpu_onednn/image_math.h"
#include "lib/base/error.h"

#define PRODUCTS_MAX 8 /* as many as LINEAR has */
#define ACTS 3         /* kinds of het__cpu_act */

/* Prepared activations of a chunk: a second-level cache of 1 MiB. From 256 KiB to 2 MiB a prompt's
 * time differs by at most 7 %, and this is the best of them. */
#define CHUNK_BYTES ((int64_t)1 << 20)
#define CHUNK_MIN 32
#define CHUNK_STEP 16
#define CHUNK_MAX 256
/* Elements of weights in a tile at most: they stay in the second-level cache between chunks. */
#define TILE_WEIGHTS ((int64_t)128 << 10)
/* Tasks per thread: threads of different speed end within one task of each other. With one token
 * each task begins a new stretch of memory where two weights take turns: 8 are 3 % faster than 32.
 * With many tokens wider tiles read activations less often: a prompt of 128 is 1 % faster with 8,
 * 1 % slower with 32. */
#define TASKS_STREAM 8
#define TASKS_COMPUTE 16
/* Products in a task at least: about a microsecond, ten times the cost of starting it. */
#define TASK_MACS ((int64_t)32 << 10)
/* Tasks of so many, some ten microseconds, are cut where threads share tokens. */
#define TASK_LONG_MACS ((int64_t)1 << 20)
/* Elements that a task prepares, about a microsecond, unless there are fewer tasks than these. */
#define PREPARE_ELEMENTS 4096
#define PREPARE_TASKS 32
/* Elements of a gated tile's two halves: 64 rows of every chunk. */
#define GATED_ROWS 64

/* Tokens of oneDNN's tiles: as many as fit, then fewer, and what is left to the own kernels. */
#define DENSE_SHAPES 2
static const int64_t dense_tokens[DENSE_SHAPES] = { 128, 16 };
#define DENSE_MIN 16

typedef struct product {
    const het__cpu_matrix *matrix;
    const het__dense *dense[DENSE_SHAPES]; /* NULL: own kernels */
    const float *bias;
    float *out;
    int64_t dense_stride; /* of their output */
    int64_t granule;
    int64_t tile;   /* rows, when bound */
    int64_t first;  /* task */
} product;

typedef struct linear {
    const het__value *x_value;
    const float *x;
    const float *residual;
    int64_t k;
    product products[PRODUCTS_MAX];
    uint32_t count;
    bool gated; /* products are gate and up */
    bool normed;
    bool direct; /* x itself is what the matrices want */
    bool covered; /* an output lies on x, which must be read before any task writes */
    het__unary act; /* of a gated product */
    float scale;    /* of the product of a MATMUL, and what is done behind it */
    float low, high;
    het__act after;
    const het__image_math *math;
    het__cpu_norm norm;
    /* Prepared rows, of all tokens in the program's scratch, of a single one in the thread's. */
    bool wanted[ACTS];
    size_t act_stride[ACTS], act_offset[ACTS], own_offset[ACTS];
    size_t norm_offset, run_offset, tile_offset; /* in the thread's scratch */
    int64_t chunk_max;
    int64_t tile_elements; /* of a gated tile's half */
    /* When bound. */
    int64_t tokens, chunk, chunks;
    int64_t together; /* rows that a task prepares */
    bool single;
    bool by_tokens;   /* a chunk's tiles follow each other, not a tile's chunks */
} linear;

static int64_t min64(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

static int64_t max64(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

static int64_t common_multiple(int64_t a, int64_t b)
{
    int64_t m = a;
    while (m % b != 0)
        m += a;
    return m;
}

/* ---- preparing ---- */

static void prepare_row(const linear *l, const het__cpu_level *level, int64_t row,
                        unsigned char *target, const size_t *offsets, unsigned char *scratch)
{
    const float *x = l->x + row * l->k;
    if (l->normed) {
        float *normed = (float *)(void *)(scratch + l->norm_offset);
        het__cpu_norm_row(level, &l->norm, x, normed, l->k);
        x = normed;
    }
    for (uint32_t a = 0; a < ACTS; a++)
        if (l->wanted[a])
            level->prepare((het__cpu_act)a, x, l->k,
                           target + offsets[a] + (size_t)row * l->act_stride[a]);
}

static void prepare_bind(het__cpu_step *step, const int64_t *symbols)
{
    linear *l = *(linear **)step->data;
    int64_t columns;
    het__value_matrix(l->x_value, symbols, &l->tokens, &columns);
    l->single = l->tokens == 1 && !l->covered;
    l->together = max64(min64(PREPARE_ELEMENTS / l->k, l->tokens / PREPARE_TASKS), 1);
    step->tasks = l->single || l->direct ? 0 : (l->tokens + l->together - 1) / l->together;
}

static void prepare_task(const het__cpu_step *step, int64_t task, unsigned char *scratch)
{
    const linear *l = *(linear *const *)step->data;
    const int64_t first = task * l->together, end = min64(first + l->together, l->tokens);
    for (int64_t row = first; row < end; row++)
        prepare_row(l, step->program->device->level, row, step->program->shared, l->act_offset,
                    scratch);
}

static void product_begin(const het__cpu_step *step, unsigned char *scratch)
{
    const linear *l = step->data;
    if (l->single && !l->direct)
        prepare_row(l, step->program->device->level, 0, scratch, l->own_offset, scratch);
}

/* Prepared rows from token on. */
static const void *acts_at(const het__cpu_step *step, const linear *l, het__cpu_act act,
                           int64_t token, unsigned char *scratch)
{
    if (l->direct)
        return l->x + token * l->k;
    if (l->single)
        return scratch + l->own_offset[act];
    return step->program->shared + l->act_offset[act] + (size_t)token * l->act_stride[act];
}

/* ---- tiles ---- */

/* Rows of weights per task: few enough that all threads have several, many enough that a task is
 * worth taking, and that a tile's weights stay in cache while its chunks of tokens pass. */
static int64_t tile_rows(const linear *l, int64_t n, int64_t granule, uint32_t threads)
{
    const int64_t c = l->chunk;
    const int64_t tasks = l->tokens == 1 ? TASKS_STREAM : TASKS_COMPUTE;
    int64_t rows = n * l->chunks / (threads * tasks);
    if (l->chunks > 1)
        rows = min64(rows, TILE_WEIGHTS / l->k);
    rows = max64(rows, TASK_MACS / (l->k * c));
    rows = max64(rows, 1);
    rows = (rows + granule - 1) / granule * granule;
    if (l->gated && l->products[0].dense[0] && c >= DENSE_MIN)
        return granule; /* a tile is as wide as oneDNN's, whose output stride is fixed */
    if (l->gated)
        rows = min64(rows, max64(l->tile_elements / c / granule * granule, granule));
    return rows;
}

static bool has_dense(const linear *l)
{
    for (uint32_t i = 0; i < l->count; i++)
        if (l->products[i].dense[0])
            return true;
    return false;
}

/* Chunks of even size, so that the last one is not a remainder of a few tokens. */
static void cut_tokens(linear *l)
{
    l->chunks = max64((l->tokens + l->chunk_max - 1) / l->chunk_max, 1);
    const int64_t even = (l->tokens + l->chunks - 1) / l->chunks;
    l->chunk = max64(min64((even + CHUNK_STEP - 1) / CHUNK_STEP * CHUNK_STEP, l->chunk_max), 1);
    l->chunks = (l->tokens + l->chunk - 1) / l->chunk;
}

/* Weights that stay in a second-level cache as a whole: threads share the tokens, so that each
 * finds in its cache what it wrote in the step before. */
static void cut_among_threads(linear *l, int64_t rows, int64_t bands, uint32_t threads)
{
    l->by_tokens = threads > 1 && !l->gated && !has_dense(l) && rows * l->k <= TILE_WEIGHTS &&
                   l->tokens >= 2 * CHUNK_STEP;
    if (!l->by_tokens)
        return;
    const int64_t macs = rows * l->k * l->tokens / bands;
    const int64_t least = max64(l->chunks, min64(macs / TASK_LONG_MACS, threads * TASKS_COMPUTE));
    const int64_t chunks = (max64(least, 1) + threads - 1) / threads * threads;
    l->chunks = min64(chunks, l->tokens / CHUNK_STEP);
    l->chunk = (l->tokens + l->chunks - 1) / l->chunks;
}

/* The step before, which is always there, has bound the tokens. */
static void product_bind(het__cpu_step *step, const int64_t *symbols)
{
    (void)symbols;
    linear *l = step->data;
    cut_tokens(l);
    int64_t rows = 0, tasks = 0, bands = 0;
    const uint32_t lists = l->gated ? 1 : l->count;
    for (uint32_t i = 0; i < lists; i++) {
        const product *p = &l->products[i];
        rows += p->matrix->n;
        bands += (p->matrix->n + p->granule - 1) / p->granule;
    }
    cut_among_threads(l, rows, bands, het__pool_count(step->program->device->pool));
    for (uint32_t i = 0; i < lists; i++) {
        product *p = &l->products[i];
        p->tile = tile_rows(l, rows, p->granule, het__pool_count(step->program->device->pool));
        p->first = tasks;
        tasks += (p->matrix->n + p->tile - 1) / p->tile * l->chunks;
    }
    const double macs = (double)rows * (double)l->k * (double)l->tokens * (l->gated ? 2 : 1);
    step->tasks = tasks;
    step->weight = tasks ? macs / (double)tasks : 0;
    step->load = l->tokens == 1 ? HET__LOAD_STREAM : HET__LOAD_COMPUTE;
    step->program->step_macs += macs;
}

typedef struct tile {
    int64_t row, rows, token, tokens;
} tile;

static tile tile_at(const linear *l, const product *p, int64_t task)
{
    tile t;
    const int64_t at = task - p->first;
    if (l->by_tokens) { /* even chunks: one token alone could have sums in another order */
        const int64_t tiles = (p->matrix->n + p->tile - 1) / p->tile, chunk = at / tiles;
        t.row = at % tiles * p->tile;
        t.token = chunk * l->tokens / l->chunks;
        t.tokens = (chunk + 1) * l->tokens / l->chunks - t.token;
    } else {
        t.row = at / l->chunks * p->tile;
        t.token = at % l->chunks * l->chunk;
        t.tokens = min64(l->chunk, l->tokens - t.token);
    }
    t.rows = min64(p->tile, p->matrix->n - t.row);
    return t;
}

static void run_own(const het__cpu_step *step, const linear *l, const product *p, const tile *t,
                    float *out, int64_t stride, unsigned char *scratch)
{
    if (t->rows <= 0 || t->tokens <= 0)
        return;
    const het__cpu_act act = p->matrix->act;
    step->program->device->level->run(p->matrix, t->row, t->rows,
                                      acts_at(step, l, act, t->token, scratch),
                                      l->direct ? (size_t)l->k * sizeof(float) : l->act_stride[act],
                                      t->tokens, out, stride, scratch + l->run_offset);
}

/* One tile of oneDNN's shape. */
static void run_dense(const het__cpu_step *step, const linear *l, const product *p, const tile *t,
                      const het__dense *dense, float *out, int64_t stride, unsigned char *scratch)
{
    const het__program *program = step->program;
    const uint32_t worker = (uint32_t)((size_t)(scratch - program->workers) /
                                       program->worker_stride);
    const float *weights = (const float *)p->matrix->source + t->row * l->k;
    if (!het__dense_run(dense, worker, acts_at(step, l, HET__CPU_ACT_F32, t->token, scratch),
                        weights, out, scratch + l->run_offset))
        run_own(step, l, p, t, out, stride, scratch);
}

static void run_tile(const het__cpu_step *step, const linear *l, const product *p, const tile *t,
                     float *out, int64_t stride, unsigned char *scratch)
{
    int64_t done = 0;
    for (int i = 0; i < DENSE_SHAPES && p->dense[i] && stride == p->dense_stride; i++)
        for (; t->tokens - done >= dense_tokens[i]; done += dense_tokens[i]) {
            tile part = { t->row, HET__DENSE_ROWS, t->token + done, dense_tokens[i] };
            float *at = out + done * stride;
            for (; part.row + HET__DENSE_ROWS <= t->row + t->rows; part.row += HET__DENSE_ROWS)
                run_dense(step, l, p, &part, p->dense[i], at + part.row - t->row, stride, scratch);
            part.rows = t->row + t->rows - part.row;
            run_own(step, l, p, &part, at + part.row - t->row, stride, scratch);
        }
    const tile rest = { t->row, t->rows, t->token + done, t->tokens - done };
    run_own(step, l, p, &rest, out + done * stride, stride, scratch);
}

static void finish_tile(const het__cpu_step *step, const linear *l, const product *p,
                        const tile *t, float *out)
{
    const int64_t n = p->matrix->n;
    const het__cpu_finish f = {
        .scale = l->scale, .bias = p->bias ? p->bias + t->row : NULL,
        .residual = l->residual ? l->residual + t->token * n + t->row : NULL,
        .residual_stride = n, .low = l->low, .high = l->high,
    };
    if (f.scale != 1 || f.bias || f.residual || f.low > -INFINITY || f.high < INFINITY)
        step->program->device->level->finish(&f, out, n, t->tokens, t->rows);
    for (int64_t j = 0; l->after.kind != HET__ACT_NONE && j < t->tokens; j++)
        l->math->act(&l->after, out + j * n, t->rows);
}

static void linear_task(const het__cpu_step *step, int64_t task, unsigned char *scratch)
{
    const linear *l = step->data;
    uint32_t i = 0;
    while (i + 1 < l->count && task >= l->products[i + 1].first)
        i++;
    const product *p = &l->products[i];
    const tile t = tile_at(l, p, task);
    const int64_t n = p->matrix->n;
    float *out = p->out + t.token * n + t.row;
    run_tile(step, l, p, &t, out, n, scratch);
    finish_tile(step, l, p, &t, out);
}

static void gated_task(const het__cpu_step *step, int64_t task, unsigned char *scratch)
{
    const linear *l = step->data;
    const product *gate = &l->products[0], *up = &l->products[1];
    const tile t = tile_at(l, gate, task);
    float *g = (float *)(void *)(scratch + l->tile_offset), *u = g + l->tile_elements;
    assert(t.rows * t.tokens <= l->tile_elements);
    run_tile(step, l, gate, &t, g, t.rows, scratch);
    run_tile(step, l, up, &t, u, t.rows, scratch);
    het__cpu_activate(step->program->device->level, l->act, g, t.rows * t.tokens);
    for (int64_t j = 0; j < t.tokens; j++) {
        float *restrict out = gate->out + (t.token + j) * gate->matrix->n + t.row;
        const float *restrict a = g + j * t.rows, *restrict b = u + j * t.rows;
        for (int64_t i = 0; i < t.rows; i++)
            out[i] = a[i] * b[i];
    }
}

/* ---- building ---- */

/* Value of the i-th weight. */
static uint32_t weight_of(const het__node *node, uint32_t i)
{
    return node->inputs[node->op == HET__OP_LINEAR ? 2 + 2 * i : 1 + i];
}

static uint32_t bias_of(const het__node *node, uint32_t i)
{
    const uint32_t at = node->op == HET__OP_LINEAR ? 3 + 2 * i : 2;
    return node->op == HET__OP_GATED || at >= node->input_count ? HET__NO_VALUE
                                                                : node->inputs[at];
}

static uint32_t residual_of(const het__node *node)
{
    if (node->op == HET__OP_MATMUL)
        return node->input_count > 3 ? node->inputs[3] : HET__NO_VALUE;
    return node->op == HET__OP_LINEAR && node->attrs.linear.projections == 1 ? node->inputs[1]
                                                                             : HET__NO_VALUE;
}

static uint32_t products_of(const het__node *node)
{
    if (node->op == HET__OP_GATED)
        return 2;
    return node->op == HET__OP_MATMUL ? 1 : (uint32_t)node->attrs.linear.projections;
}

/* What cuts off is done with bias and residual. */
static void take_act(linear *l, const het__act *act)
{
    if (act->kind == HET__ACT_RELU) {
        l->low = 0;
    } else if (act->kind == HET__ACT_CLIP) {
        l->low = act->alpha;
        l->high = act->beta;
    } else {
        l->after = *act;
    }
}

static het_status get_products(het__cpu_build *build, const het__node *node, linear *l)
{
    l->gated = node->op == HET__OP_GATED;
    l->count = products_of(node);
    l->scale = 1;
    l->low = -INFINITY;
    l->high = INFINITY;
    const bool turned = node->op == HET__OP_MATMUL && !node->attrs.matmul.transpose_b;
    for (uint32_t i = 0; i < l->count; i++) {
        product *p = &l->products[i];
        het_status s = het__cpu_matrix_get(build, weight_of(node, i), turned, &p->matrix);
        if (s == HET_OK)
            s = het__cpu_vector_get(build, bias_of(node, i), &p->bias);
        if (s != HET_OK)
            return s;
        p->granule = build->device->level->granule(p->matrix);
        het__cpu_place(build, node->outputs[l->gated ? 0 : i], &p->out);
        l->wanted[p->matrix->act] = true;
    }
    if (l->gated)
        l->act = node->attrs.gated.act;
    het__cpu_place(build, residual_of(node), &l->residual);
    if (node->op == HET__OP_MATMUL) {
        l->scale = node->attrs.matmul.scale;
        take_act(l, &node->attrs.matmul.act);
        l->math = het__image_math_for(build->device->level->name);
    }
    return HET_OK;
}

static int64_t chunk_for(const linear *l, int64_t tokens)
{
    size_t bytes = 0;
    for (uint32_t a = 0; a < ACTS; a++)
        if (l->wanted[a])
            bytes += l->act_stride[a];
    const int64_t fit = CHUNK_BYTES / (int64_t)bytes / CHUNK_MIN * CHUNK_MIN;
    /* oneDNN re-lays both sides in each call, which pays with many tokens only. */
    const int64_t least = has_dense(l) ? dense_tokens[0] : CHUNK_MIN;
    return min64(min64(max64(fit, least), CHUNK_MAX), tokens);
}

/* F32 weights as they lie go to oneDNN where the device has opened it. */
static void find_dense(het__cpu_build *build, linear *l, int64_t tokens)
{
    het__onednn *onednn = build->device->onednn;
    const int64_t act_stride =
        l->direct ? l->k
                  : (int64_t)(het__cpu_act_bytes(HET__CPU_ACT_F32, l->k) / sizeof(float));
    for (uint32_t i = 0; onednn && tokens >= DENSE_MIN && i < l->count; i++) {
        product *p = &l->products[i];
        const het__cpu_matrix *m = p->matrix;
        if (m->dtype != HET_DTYPE_F32 || m->act != HET__CPU_ACT_F32 || m->packed ||
            m->n < HET__DENSE_ROWS || (uintptr_t)m->source % sizeof(float) != 0)
            continue;
        p->dense_stride = l->gated ? HET__DENSE_ROWS : m->n;
        for (int s = 0; s < DENSE_SHAPES; s++)
            p->dense[s] = het__dense_get(onednn, dense_tokens[s], l->k, act_stride,
                                         p->dense_stride);
        if (!p->dense[0] || !p->dense[1]) {
            p->dense[0] = p->dense[1] = NULL;
            continue;
        }
        p->granule = common_multiple(p->granule, HET__DENSE_ROWS);
        build->program->uses_onednn = true;
    }
}

/* Layout of the program's and the thread's scratch. */
static void plan_scratch(het__cpu_build *build, linear *l, int64_t tokens)
{
    const het__cpu_level *level = build->device->level;
    size_t shared = 0, own = 0, run = 0;
    for (uint32_t a = 0; a < ACTS; a++) {
        l->act_stride[a] = het__cpu_act_bytes((het__cpu_act)a, l->k);
        if (!l->wanted[a])
            continue;
        l->act_offset[a] = het__cpu_reserve(&shared, (size_t)tokens * l->act_stride[a]);
        l->own_offset[a] = het__cpu_reserve(&own, l->act_stride[a]);
    }
    if (l->normed)
        l->norm_offset = het__cpu_reserve(&own, (size_t)l->k * sizeof(float));
    l->chunk_max = chunk_for(l, tokens);
    for (uint32_t i = 0; i < l->count; i++) {
        const product *p = &l->products[i];
        const size_t bytes = level->scratch_bytes(p->matrix, l->chunk_max);
        run = bytes > run ? bytes : run;
        for (int s = 0; s < DENSE_SHAPES && p->dense[s]; s++)
            run = het__dense_scratch(p->dense[s]) > run ? het__dense_scratch(p->dense[s]) : run;
    }
    l->run_offset = het__cpu_reserve(&own, run);
    if (l->gated) {
        l->tile_elements = max64(GATED_ROWS, l->products[0].granule) * l->chunk_max;
        l->tile_offset = het__cpu_reserve(&own, 2 * (size_t)l->tile_elements * sizeof(float));
    }
    het__cpu_need_shared(build, shared);
    het__cpu_need_worker(build, own);
}

/* Rows of floats are prepared already. */
static bool is_direct(const linear *l)
{
    return !l->normed && l->wanted[HET__CPU_ACT_F32] && !l->wanted[HET__CPU_ACT_Q8] &&
           !l->wanted[HET__CPU_ACT_BF16];
}

static bool overlap(const het__cpu_build *build, uint32_t a, uint32_t b)
{
    const het__value *values = build->slice->graph->values;
    const int64_t *symbols = build->slice->symbols_max;
    const uintptr_t pa = (uintptr_t)het__cpu_address(build, a);
    const uintptr_t pb = (uintptr_t)het__cpu_address(build, b);
    return pa < pb + (uintptr_t)het__value_bytes(&values[b], symbols) &&
           pb < pa + (uintptr_t)het__value_bytes(&values[a], symbols);
}

het_status het__cpu_build_product(het__cpu_build *build, const het__node *node,
                                  const het__node *norm)
{
    het__cpu_step *prepare = het__cpu_add_step(build, sizeof(linear *));
    if (!prepare)
        return HET_E_NOMEM;
    linear **shared_data = prepare->data;
    prepare->bind = prepare_bind;
    prepare->task = prepare_task;
    het__cpu_step *step = het__cpu_add_step(build, sizeof(linear));
    if (!step)
        return HET_E_NOMEM;
    linear *l = step->data;
    *shared_data = l;
    step->bind = product_bind;
    step->begin = product_begin;
    step->task = node->op == HET__OP_GATED ? gated_task : linear_task;

    const uint32_t x = norm ? norm->inputs[0] : node->inputs[0];
    l->x_value = &build->slice->graph->values[x];
    het__cpu_place(build, x, &l->x);
    l->k = l->x_value->extent[l->x_value->rank - 1].count;
    het_status s = get_products(build, node, l);
    if (s == HET_OK && norm) {
        l->normed = true;
        s = het__cpu_norm_init(build, norm, &l->norm);
    }
    if (s != HET_OK)
        return s;
    l->direct = is_direct(l);
    for (uint32_t i = 0; i < node->output_count; i++)
        l->covered = l->covered || overlap(build, x, node->outputs[i]);
    const int64_t tokens = het__cpu_rows_max(build, x);
    find_dense(build, l, tokens);
    if (l->gated) /* gate and up are cut alike */
        l->products[0].granule = common_multiple(l->products[0].granule, l->products[1].granule);
    plan_scratch(build, l, tokens);
    return HET_OK;
}
