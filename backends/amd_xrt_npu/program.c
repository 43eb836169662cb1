/* SPDX-License-Identifier: Apache-2.0 */
/* Nodes: which there is a design for, and what each does with the sums. Everything but the sums is
 * done by the host: a product's bias, residual and activation cost it a pass over the result. */
#include "backends/amd_xrt_npu/npu.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "lib/base/dtype.h"
#include "lib/base/error.h"
#include "lib/base/os.h"
#include "lib/plain/act.h"
#include "lib/quant/quant.h"

#define WEIGHTS_MAX 16

/* What a matrix's product becomes. */
typedef enum finish {
    FINISH_SUM = 0, /* act(scale * product + bias + residual) */
    FINISH_GATE,    /* unary(product) */
    FINISH_TIMES,   /* what is there already, times the product */
} finish;

typedef struct target {
    finish kind;
    float *out;
    int64_t columns;
    const float *bias;     /* NULL: none */
    const float *residual; /* as out; NULL: none */
    float scale;
    het__act act;
    het__unary unary;
} target;

typedef struct call {
    const float *x;
    het__value x_value; /* for its rows */
    uint32_t count;
    const het__npu_weights *weights[WEIGHTS_MAX];
    target targets[WEIGHTS_MAX];
} call;

struct het__program {
    het__arena arena;
    uint32_t call_count;
    call *calls;
};

/* ---- which nodes ---- */

/* Constant matrices of a node: the first, the step to the next, how many. */
static bool weights_of(const het__node *node, uint32_t *first, uint32_t *step, uint32_t *count)
{
    *first = node->op == HET__OP_LINEAR ? 2 : 1;
    *step = node->op == HET__OP_LINEAR ? 2 : 1;
    *count = node->op == HET__OP_LINEAR ? (uint32_t)node->attrs.linear.projections
                                        : node->op == HET__OP_GATED ? 2 : 1;
    return node->op == HET__OP_LINEAR || node->op == HET__OP_GATED || node->op == HET__OP_MATMUL;
}

static const het__value *input_of(const het__graph *graph, const het__node *node, uint32_t i)
{
    return i < node->input_count && node->inputs[i] != HET__NO_VALUE
               ? &graph->values[node->inputs[i]] : NULL;
}

static bool is_known_extent(const het__value *v, uint32_t i, int64_t most)
{
    return v->extent[i].symbol == HET__SYM_ONE && v->extent[i].count >= 1 &&
           v->extent[i].count <= most;
}

static const char *weight_refusal(const het__node *node, const het__value *w)
{
    if (!w || w->kind != HET__VALUE_CONST)
        return "its weights must be constants";
    if (w->rank != 2 || !is_known_extent(w, 0, INT32_MAX) || !is_known_extent(w, 1, INT32_MAX))
        return "its weights are no matrix";
    const bool transposed = node->op == HET__OP_MATMUL && !node->attrs.matmul.transpose_b;
    if (!is_known_extent(w, transposed ? 0 : 1, HET__NPU_INNER_MAX))
        return "its sums have more parts than are kept";
    return het__decoder(w->dtype) ? NULL : "the type of its weights has no decoding";
}

/* Inputs besides x and the weights: NULL, or why not. */
static const char *rest_refusal(const het__graph *graph, const het__node *node)
{
    for (uint32_t i = 0; i < node->input_count; i++) {
        const het__value *v = input_of(graph, node, i);
        const bool linear = node->op == HET__OP_LINEAR;
        const bool is_bias = linear ? i >= 3 && i % 2 == 1 : node->op == HET__OP_MATMUL && i == 2;
        const bool is_whole = i == 0 || (linear ? i == 1 : node->op == HET__OP_MATMUL && i == 3);
        if (v && is_bias && (v->kind != HET__VALUE_CONST || !het__decoder(v->dtype)))
            return "its bias must be a constant";
        if (v && is_whole && (v->dtype != HET_DTYPE_F32 || v->kind == HET__VALUE_CONST))
            return "its activations are not F32";
    }
    return graph->values[node->outputs[0]].dtype == HET_DTYPE_F32 ? NULL : "its output is not F32";
}

bool het__npu_supports_on(uint32_t index, const het__graph *graph, const het__node *node,
                          char *reason, size_t bytes)
{
    uint32_t first, step, count;
    const char *why = NULL;
    if (!weights_of(node, &first, &step, &count))
        why = "no design for operations of this kind";
    else if (count > WEIGHTS_MAX)
        why = "more matrices than are run together";
    for (uint32_t i = 0; i < count && !why; i++)
        why = weight_refusal(node, input_of(graph, node, first + i * step));
    if (!why)
        why = rest_refusal(graph, node);
    if (!why && het__npu_usable(index, NULL) == 0)
        why = "no design package";
    if (why)
        snprintf(reason, bytes, "%s", why);
    return !why;
}

/* ---- what becomes of sums ---- */

static void take(void *user, int64_t row, int64_t first, int64_t count, const double *values)
{
    const target *t = user;
    float *out = t->out + row * t->columns + first;
    const float *residual = t->residual ? t->residual + row * t->columns + first : NULL;
    const float *bias = t->bias ? t->bias + first : NULL;
    for (int64_t i = 0; i < count; i++) {
        double y = values[i];
        if (t->kind == FINISH_GATE) {
            y = het__unary_value(t->unary, y);
        } else if (t->kind == FINISH_TIMES) {
            y *= (double)out[i];
        } else {
            y = y * (double)t->scale + (bias ? (double)bias[i] : 0.0);
            y = het__act_value(&t->act, y + (residual ? (double)residual[i] : 0.0));
        }
        out[i] = (float)y;
    }
}

/* ---- compile ---- */

static float *place_of(const het__slice *slice, uint32_t value)
{
    const het__place *place = &slice->places[value];
    assert(place->buffer);
    return (float *)(void *)((char *)het__npu_bytes_of(place->buffer) + place->offset);
}

static het_status bias_of(const het__slice *slice, const het__node *node, uint32_t input,
                          het__arena *arena, const float **bias, het_error *err)
{
    const het__value *v = input_of(slice->graph, node, input);
    *bias = NULL;
    if (!v)
        return HET_OK;
    const int64_t count = het__value_elements(v, slice->symbols_max);
    float *decoded = count > 0 ? het__arena_zero(arena, (size_t)count, sizeof *decoded) : NULL;
    if (!decoded)
        return het__fail_nomem(err, "a bias");
    const void *data = v->data;
    const size_t bytes = (size_t)het__value_bytes(v, slice->symbols_max);
    const het_status s =
        slice->borrower ? het__borrow(slice->borrower, v->data, bytes, &data, err) : HET_OK;
    if (s != HET_OK)
        return s;
    het__decoder(v->dtype)(data, decoded, count);
    *bias = decoded;
    return HET_OK;
}

static het_status target_init(const het__slice *slice, const het__node *node, uint32_t i,
                              het__arena *arena, target *t, het_error *err)
{
    const bool linear = node->op == HET__OP_LINEAR, matmul = node->op == HET__OP_MATMUL;
    const uint32_t output = node->outputs[linear ? i : 0];
    const het__value *v = &slice->graph->values[output];
    int64_t rows;
    *t = (target){ .out = place_of(slice, output), .scale = 1 };
    het__value_matrix(v, slice->symbols_max, &rows, &t->columns);
    if (node->op == HET__OP_GATED) {
        t->kind = i == 0 ? FINISH_GATE : FINISH_TIMES;
        t->unary = node->attrs.gated.act;
        return HET_OK;
    }
    if (matmul) {
        t->scale = node->attrs.matmul.scale;
        t->act = node->attrs.matmul.act;
    }
    if (input_of(slice->graph, node, linear ? 1 : 3))
        t->residual = place_of(slice, node->inputs[linear ? 1 : 3]);
    return bias_of(slice, node, linear ? 3 + 2 * i : 2, arena, &t->bias, err);
}

static het_status call_init(het__device *device, const het__slice *slice, const het__node *node,
                            het__arena *arena, call *c, het_error *err)
{
    uint32_t first, step;
    char reason[128];
    if (!het__npu_supports_on(device->index, slice->graph, node, reason, sizeof reason))
        return het__fail(err, HET_E_UNSUPPORTED, "node %s: %s", node->name, reason);
    weights_of(node, &first, &step, &c->count);
    c->x = place_of(slice, node->inputs[0]);
    c->x_value = slice->graph->values[node->inputs[0]];
    c->x_value.name = NULL;
    int64_t rows, inner;
    het__value_matrix(&c->x_value, slice->symbols_max, &rows, &inner);
    const bool transposed = node->op == HET__OP_MATMUL && !node->attrs.matmul.transpose_b;
    het_status s = HET_OK;
    uint32_t blocks = 0;
    for (uint32_t i = 0; i < c->count && s == HET_OK; i++) {
        s = het__npu_weights_get(device, slice, node->inputs[first + i * step], transposed,
                                 &c->weights[i], err);
        blocks += s == HET_OK ? c->weights[i]->cuts * c->weights[i]->parts : 0;
    }
    for (uint32_t i = 0; i < c->count && s == HET_OK; i++) {
        s = het__npu_product_prepare(device, c->weights[i], blocks, rows, err);
        if (s == HET_OK)
            s = target_init(slice, node, i, arena, &c->targets[i], err);
    }
    return s;
}

void het__npu_release(het__device *device, het__program *program)
{
    if (!het__npu_quiet(device)) {
        het__npu_abandon(program);
        return;
    }
    het__arena_finish(&program->arena);
    het__free(device->host.mem, program);
}

het_status het__npu_compile(het__device *device, const het__slice *slice, het__program **program,
                            het_error *err)
{
    (void)het__npu_quiet(device);
    het__program *p = het__alloc_zero(device->host.mem, 1, sizeof *p);
    if (!p)
        return het__fail_nomem(err, "a program");
    het__arena_init(&p->arena, device->host.mem);
    p->calls = het__arena_zero(&p->arena, slice->node_count, sizeof *p->calls);
    het_status s = p->calls ? HET_OK : het__fail_nomem(err, "a program");
    for (uint32_t i = 0; i < slice->node_count && s == HET_OK; i++)
        s = call_init(device, slice, &slice->graph->nodes[slice->nodes[i]], &p->arena,
                      &p->calls[p->call_count++], err);
    if (s != HET_OK) {
        het__npu_release(device, p);
        return s;
    }
    *program = p;
    return HET_OK;
}

/* ---- run ---- */

/* Whether two matrices can go together, piece by piece: streams from files may be for other counts
 * of rows at another width. */
static bool go_together(const het__device *device, const het__npu_weights *a,
                        const het__npu_weights *b)
{
    return a->design == b->design &&
           (a->width == b->width || device->state[a->design].design->source != HET__NPU_FILES);
}

/* Matrices of one design share the coded activations. */
static het_status run_call(het__device *device, call *c, const int64_t *symbols, het_error *err)
{
    int64_t rows, inner;
    het_status s = HET_OK;
    het__value_matrix(&c->x_value, symbols, &rows, &inner);
    for (uint32_t i = 0, n; i < c->count && s == HET_OK; i += n) {
        n = 1;
        while (i + n < c->count && go_together(device, c->weights[i + n], c->weights[i]))
            n++;
        const het__npu_product product = {
            .x = c->x, .rows = rows, .inner = inner, .count = n, .weights = &c->weights[i],
            .take = take, .user = &c->targets[i], .user_bytes = sizeof c->targets[i],
        };
        s = het__npu_product_run(device, &product, err);
    }
    return s;
}

het_status het__npu_program_run(het__device *device, het__program *program,
                                const int64_t *symbols, het_error *err)
{
    const uint64_t start = het__now_ns();
    het_status s = HET_OK;
    for (uint32_t i = 0; i < program->call_count && s == HET_OK; i++)
        s = run_call(device, &program->calls[i], symbols, err);
    device->busy_ns += het__now_ns() - start;
    return s;
}
