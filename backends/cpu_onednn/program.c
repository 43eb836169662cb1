/* SPDX-License-Identifier: Apache-2.0 */
/* Compiling a slice into steps, and running them in one parallel region. */
#include <assert.h>
#include <string.h>

#include "backends/cpu_onednn/float_mode.h"
#include "backends/cpu_onednn/image.h"
#include "backends/cpu_onednn/program.h"
#include "backends/cpu_onednn/tensor.h"
#include "lib/base/error.h"
#include "lib/base/os.h"
#include "lib/ir/lent.h"

het__cpu_step *het__cpu_add_step(het__cpu_build *build, size_t data_bytes)
{
    het__program *p = build->program;
    if (p->step_count == p->step_capacity) {
        const uint32_t capacity = p->step_capacity ? p->step_capacity * 2 : 64;
        het__cpu_step *steps =
            het__realloc(build->device->host->mem, p->steps, capacity * sizeof *steps);
        if (!steps) {
            het__fail_nomem(build->err, "the steps of a program");
            return NULL;
        }
        p->steps = steps;
        p->step_capacity = capacity;
    }
    void *data = het__arena_zero(&p->arena, 1, data_bytes ? data_bytes : 1);
    if (!data) {
        het__fail_nomem(build->err, "the steps of a program");
        return NULL;
    }
    het__cpu_step *s = &p->steps[p->step_count++];
    *s = (het__cpu_step){ .program = p, .data = data };
    return s;
}

void *het__cpu_address(const het__cpu_build *build, uint32_t value)
{
    if (value == HET__NO_VALUE)
        return NULL;
    const het__place *place = &build->slice->places[value];
    assert(place->buffer);
    return (unsigned char *)place->buffer->data + place->offset;
}

void het__cpu_follow(het__cpu_build *build, uint32_t value, void *field)
{
    const het__buffer *buffer =
        value == HET__NO_VALUE ? NULL : build->slice->places[value].buffer;
    het__program *p = build->program;
    if (buffer && buffer->is_borrowed &&
        het__moving_add(&p->moving, &p->arena, field, &buffer->data) != HET_OK)
        build->lost_field = true;
}

void het__cpu_place(het__cpu_build *build, uint32_t value, void *field)
{
    void *const address = het__cpu_address(build, value);
    memcpy(field, &address, sizeof address); /* of whatever type the pointer is */
    het__cpu_follow(build, value, field);
}

const het__value *het__cpu_value(const het__cpu_build *build, const het__node *node, uint32_t input)
{
    assert(input < node->input_count && node->inputs[input] != HET__NO_VALUE);
    return &build->slice->graph->values[node->inputs[input]];
}

size_t het__cpu_reserve(size_t *total, size_t bytes)
{
    const size_t offset = *total;
    *total = offset + het__round_up(bytes, HET__ALIGN);
    return offset;
}

void het__cpu_need_shared(het__cpu_build *build, size_t bytes)
{
    if (bytes > build->shared_bytes)
        build->shared_bytes = bytes;
}

void het__cpu_need_worker(het__cpu_build *build, size_t bytes)
{
    if (bytes > build->worker_bytes)
        build->worker_bytes = bytes;
}

int64_t het__cpu_rows_max(const het__cpu_build *build, uint32_t value)
{
    int64_t rows, columns;
    het__value_matrix(&build->slice->graph->values[value], build->slice->symbols_max, &rows,
                      &columns);
    return rows > 0 ? rows : 1;
}

/* The norm before a product is done on the fly if nobody else reads it. */
static bool joins(const het__cpu_build *build, const het__node *norm, const het__node *next)
{
    const het__graph *graph = build->slice->graph;
    const uint32_t out = norm->outputs[0];
    return norm->op == HET__OP_NORM && (next->op == HET__OP_LINEAR || next->op == HET__OP_GATED) &&
           next->inputs[0] == out && build->uses[out] == 1 &&
           graph->values[out].kind == HET__VALUE_TEMP;
}

/* Whether an operation takes its constants by the functions of weights.c alone. */
static bool asks_for_weights(het__op op)
{
    switch (op) {
    case HET__OP_EMBED:
    case HET__OP_NORM:
    case HET__OP_LINEAR:
    case HET__OP_GATED:
    case HET__OP_MATMUL:
    case HET__OP_ROPE:
    case HET__OP_ATTENTION:
    case HET__OP_MOE:
        return true;
    default:
        return false;
    }
}

static het_status build_node(het__cpu_build *build, const het__node *node, const het__node *norm)
{
    if (!asks_for_weights(node->op)) {
        const het__slice *slice = build->slice;
        const het_status s = het__lent_keep_node(slice->borrower, slice->graph, node,
                                                 slice->symbols_max, build->err);
        if (s != HET_OK)
            return s;
    }
    switch (node->op) {
    case HET__OP_EMBED:
        return het__cpu_build_embed(build, node);
    case HET__OP_NORM:
        return het__cpu_build_norm(build, node);
    case HET__OP_LINEAR:
    case HET__OP_GATED:
    case HET__OP_MATMUL:
        return het__cpu_build_product(build, node, norm);
    case HET__OP_ROPE:
        return het__cpu_build_rope(build, node);
    case HET__OP_ATTENTION:
        return het__cpu_build_attention(build, node);
    case HET__OP_MOE:
        return het__cpu_build_moe(build, node);
    case HET__OP_COLUMNS:
    case HET__OP_JOIN:
    case HET__OP_CUT:
    case HET__OP_MATCH:
    case HET__OP_PREDICT:
    case HET__OP_CORRECT:
        return het__cpu_build_streams(build, node);
    case HET__OP_ADD:
    case HET__OP_MUL:
    case HET__OP_UNARY:
        return het__cpu_build_elementwise(build, node);
    case HET__OP_SOFTMAX:
        return het__cpu_build_softmax(build, node);
    case HET__OP_ROWS:
        return het__cpu_build_rows(build, node);
    case HET__OP_CONV:
    case HET__OP_POOL:
    case HET__OP_BLOCK:
    case HET__OP_UNBLOCK:
    case HET__OP_QCONV:
        return het__cpu_build_image(build, node);
    case HET__OP_QMAP: {
        bool done;
        return het__cpu_build_codes(build, node, &done);
    }
    default:
        if (het__op_is_tensor(node->op))
            return het__cpu_build_tensor(build, node);
        return het__fail(build->err, HET_E_UNSUPPORTED, "node %s: unknown operation %d",
                         node->name, (int)node->op);
    }
}

static het_status build_nodes(het__cpu_build *build)
{
    const het__slice *slice = build->slice;
    const het__node *norm = NULL;
    for (uint32_t i = 0; i < slice->node_count; i++) {
        const het__node *node = &slice->graph->nodes[slice->nodes[i]];
        if (i + 1 < slice->node_count &&
            joins(build, node, &slice->graph->nodes[slice->nodes[i + 1]])) {
            norm = node;
            continue;
        }
        const het_status s = build_node(build, node, norm);
        if (s != HET_OK)
            return s;
        norm = NULL;
    }
    return build->lost_field ? het__fail_nomem(build->err, "the steps of a program") : HET_OK;
}

/* A longer block in the place of one that nobody reads from any more. */
static bool grow(het__device *device, unsigned char **block, size_t *have, size_t bytes)
{
    if (bytes <= *have && *block)
        return true;
    unsigned char *longer = het__alloc(device->host->mem, bytes);
    if (!longer)
        return false;
    het__free(device->host->mem, *block);
    device->scratch_bytes += bytes - *have;
    *block = longer;
    *have = bytes;
    return true;
}

/* Programs run one after another and leave nothing in scratch memory: all have the same. */
static het_status reserve_scratch(het__cpu_build *build)
{
    het__program *p = build->program;
    het__device *device = build->device;
    /* One more line keeps neighbours' last and first bytes apart. */
    p->worker_stride = het__round_up(build->worker_bytes, HET__ALIGN) + HET__ALIGN;
    size_t workers;
    if (!het__mul_size(p->worker_stride, het__pool_count(device->pool), &workers) ||
        !grow(device, &device->shared, &device->shared_bytes, build->shared_bytes) ||
        !grow(device, &device->workers, &device->workers_bytes, workers))
        return het__fail_nomem(build->err, "scratch memory");
    return HET_OK;
}

het_status het__cpu_compile(het__device *device, const het__slice *slice, het__program **program,
                            het_error *err)
{
    het__mem *mem = device->host->mem;
    het__program *p = het__alloc_zero(mem, 1, sizeof *p);
    if (!p)
        return het__fail_nomem(err, "a program");
    p->device = device;
    het__arena_init(&p->arena, mem);
    het_status s;
    uint32_t *uses = het__alloc_zero(mem, slice->graph->value_count, sizeof *uses);
    if (!uses) {
        s = het__fail_nomem(err, "a program");
        goto fail;
    }
    het__graph_use_counts(slice->graph, uses);
    const het__team team = het__cpu_team(device);
    het__borrower none = { NULL, NULL, NULL };
    het__cpu_build build = { .device = device, .program = p, .slice = slice, .uses = uses,
                             .borrower = slice->borrower ? slice->borrower : &none, .err = err };
    build.borrower->team = &team;
    s = build_nodes(&build);
    build.borrower->team = NULL;
    if (s == HET_OK)
        s = reserve_scratch(&build);
    het__free(mem, uses);
    if (s != HET_OK)
        goto fail;
    device->scratch_bytes += p->bytes;
    het__moving_settle(p->moving);
    p->moves = device->moves;
    *program = p;
    return HET_OK;
fail:
    p->bytes = 0;
    het__cpu_release(device, p);
    return s;
}

void het__cpu_release(het__device *device, het__program *program)
{
    het__mem *mem = device->host->mem;
    for (uint32_t i = 0; i < program->step_count; i++)
        if (program->steps[i].finish)
            program->steps[i].finish(&program->steps[i]);
    device->scratch_bytes -= program->bytes;
    het__free(mem, program->steps);
    het__arena_finish(&program->arena);
    het__free(mem, program);
}

/* Extents do not follow from these: what depends on them is read from the inputs at each step. */
static bool is_bound(const het__program *p, const int64_t *symbols)
{
    if (!p->bound)
        return false;
    for (uint32_t i = 0; i < HET__SYM_MAX; i++)
        if (p->symbols[i] != symbols[i] && i != HET__SYM_CONTEXT && i != HET__SYM_PAGES &&
            i != HET__SYM_STATE_PAGES)
            return false;
    return true;
}

static void bind_step(het__cpu_step *s, const int64_t *symbols)
{
    het__program *p = s->program;
    const double before = p->step_macs, context = p->context_macs;
    s->bind(s, symbols);
    s->macs = p->context_macs > context ? 0 : p->step_macs - before;
}

static void bind(het__program *p, const int64_t *symbols)
{
    p->step_macs = 0;
    p->context_macs = 0;
    for (uint32_t i = 0; i < p->step_count; i++)
        bind_step(&p->steps[i], symbols);
    memcpy(p->symbols, symbols, sizeof p->symbols);
    p->bound = true;
}

static inline int64_t task_count(const het__cpu_step *step)
{
    return step->count ? step->count(step) : step->tasks;
}

static void run_in_order(const het__cpu_step *s, het__pool *pool, int64_t tasks,
                         unsigned char *scratch)
{
    int64_t t = het__pool_take(pool, 1);
    if (t < tasks && s->begin)
        s->begin(s, scratch);
    for (; t < tasks; t = het__pool_take(pool, 1))
        s->task(s, t, scratch);
}

/* The clock is read after begin(), which every thread does alike, and when nothing is left. */
static void run_by_speed(const het__cpu_step *s, het__pool *pool, uint32_t worker, int64_t tasks,
                         unsigned char *scratch)
{
    const het__share_step step = het__pool_enter(pool, worker, s->load, tasks);
    int64_t t = het__share_take(&step), done = 0;
    if (t < 0)
        return;
    if (s->begin)
        s->begin(s, scratch);
    const uint64_t begin = het__now_ns();
    for (; t >= 0; t = het__share_take(&step), done++)
        s->task(s, t, scratch);
    het__share_note(&step, (double)done * s->weight, (double)(het__now_ns() - begin));
}

/* The next step that has tasks. */
static bool next_step(het__program *p)
{
    while (p->at < p->step_count && p->status == HET_OK) {
        p->tasks = task_count(&p->steps[p->at++]);
        if (p->tasks > 0) {
            p->launches++;
            return true;
        }
    }
    return false;
}

/* By one thread while no other is inside a step: the scratch memory of the first is free. */
static void run_whole(const het__program *p)
{
    const het__cpu_step *s = &p->steps[p->at - 1];
    if (s->begin)
        s->begin(s, p->workers);
    for (int64_t t = 0; t < p->tasks; t++)
        s->task(s, t, p->workers);
}

/* Over before another thread has been told of it. */
static bool is_short(const het__program *p)
{
    const double macs = p->steps[p->at - 1].macs, most = p->device->short_macs;
    return most > 0 && (p->tasks == 1 || (macs > 0 && macs < most));
}

/* The next step to share out. Those that are not worth it are run on the way. */
static bool next_shared(void *arg)
{
    het__program *p = arg;
    const het__onednn *onednn = p->uses_onednn ? p->device->onednn : NULL;
    const int previous = onednn ? het__onednn_enter(onednn) : 0;
    const het__float_mode mode = het__float_enter(p->device->options.precision);
    bool more = next_step(p);
    while (more && is_short(p)) {
        run_whole(p);
        more = next_step(p);
    }
    het__float_leave(mode);
    if (onednn)
        het__onednn_leave(onednn, previous);
    return more;
}

static void run_step(void *arg, uint32_t worker, uint32_t count)
{
    (void)count;
    const het__program *p = arg;
    const het__cpu_step *s = &p->steps[p->at - 1];
    het__pool *pool = p->device->pool;
    unsigned char *scratch = p->workers + worker * p->worker_stride;
    const het__onednn *onednn = p->uses_onednn ? p->device->onednn : NULL;
    const het__float_mode mode = het__float_enter(p->device->options.precision);
    const int previous = onednn ? het__onednn_enter(onednn) : 0;
    if (s->weight > 0 && p->tasks < HET__SHARE_TASKS_MAX)
        run_by_speed(s, pool, worker, p->tasks, scratch);
    else
        run_in_order(s, pool, p->tasks, scratch);
    if (onednn)
        het__onednn_leave(onednn, previous);
    het__float_leave(mode);
}

static void run_alone(het__program *p)
{
    const het__onednn *onednn = p->uses_onednn ? p->device->onednn : NULL;
    const int previous = onednn ? het__onednn_enter(onednn) : 0;
    const het__float_mode mode = het__float_enter(p->device->options.precision);
    while (next_step(p))
        run_whole(p);
    het__float_leave(mode);
    if (onednn)
        het__onednn_leave(onednn, previous);
}

het_status het__cpu_enqueue(het__device *device, het__program *program, const int64_t *symbols,
                            het_error *err)
{
    const uint64_t begin = het__now_ns();
    program->shared = device->shared;
    program->workers = device->workers;
    program->launches = 0;
    program->status = HET_OK;
    program->failure = (het_error)HET_ERROR_INIT;
    if (program->moving && program->moves != device->moves)
        het__moving_apply(program->moving);
    program->moves = device->moves;
    if (!is_bound(program, symbols))
        bind(program, symbols);
    for (uint32_t i = 0; i < program->step_count; i++)
        if (program->steps[i].look)
            program->steps[i].look(&program->steps[i]);
    const double macs =
        program->step_macs + program->context_macs * (double)symbols[HET__SYM_CONTEXT];
    program->at = 0;
    if (macs < device->alone_macs || het__pool_count(device->pool) == 1)
        run_alone(program);
    else
        het__pool_steps(device->pool, next_shared, run_step, program);
    device->launch_count += program->launches;
    device->busy_ns += het__now_ns() - begin;
    if (program->status != HET_OK && err)
        *err = program->failure;
    return program->status;
}
