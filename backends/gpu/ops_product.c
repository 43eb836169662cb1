/* SPDX-License-Identifier: Apache-2.0 */
/* LINEAR, GATED and MATMUL.
 *
 * A projection is a launch. GATED is two: the first leaves act(x·Wg) in the output, the second
 * multiplies it by x·Wu, so that both weights may have any type. Planes of a MATMUL whose b is the
 * same for all are one product of all their rows. */
#include "backends/gpu/product.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "lib/base/error.h"

#define PRODUCTS_MAX 8

typedef struct product {
    het__gpu_product of;
    uint32_t bias; /* input; 0: none, as input 0 is x */
    het__gpu_memory *bias_form;
    uint32_t out; /* output */
} product;

typedef struct products {
    uint32_t count;
    product *each;
    het__gpu_codes codes; /* of the rows; kernel NULL: no product takes them */
    uint32_t residual; /* input; 0: none */
    int64_t planes;    /* 1 but for MATMUL; its rows are those of a plane */
    int32_t extents[8], steps[8];
    float scale, alpha, beta;
} products;

/* ---- what can be done ---- */

static const het__value *input(const het__graph *graph, const het__node *node, uint32_t i)
{
    if (i >= node->input_count || node->inputs[i] == HET__NO_VALUE)
        return NULL;
    return &graph->values[node->inputs[i]];
}

/* Extents that kernels count in 32 bits. */
static bool is_small(const het__value *v)
{
    for (uint32_t i = 0; i < v->rank; i++)
        if (v->extent[i].count > INT32_MAX)
            return false;
    return true;
}

static bool weight_fits(const het__graph *graph, const het__node *node, uint32_t i, char *reason,
                        size_t bytes)
{
    const het__value *w = input(graph, node, i);
    if (!het__gpu_has_decoder(w->dtype)) {
        snprintf(reason, bytes, "weights of %s", het_dtype_name(w->dtype));
        return false;
    }
    if (!is_small(w)) {
        snprintf(reason, bytes, "a weight has too many rows or columns");
        return false;
    }
    return true;
}

static bool bias_fits(const het__graph *graph, const het__node *node, uint32_t i, char *reason,
                      size_t bytes)
{
    const het__value *bias = input(graph, node, i);
    if (!bias || het__gpu_bias_fits(bias))
        return true;
    snprintf(reason, bytes, "a bias of %s", het_dtype_name(bias->dtype));
    return false;
}

static bool linear_supports(const het__graph *graph, const het__node *node, char *reason,
                            size_t bytes)
{
    if (!het__gpu_inputs_are_f32(graph, node, 3, reason, bytes))
        return false;
    for (uint32_t i = 2; i + 1 < node->input_count; i += 2)
        if (!weight_fits(graph, node, i, reason, bytes) ||
            !bias_fits(graph, node, i + 1, reason, bytes))
            return false;
    return true;
}

static bool gated_supports(const het__graph *graph, const het__node *node, char *reason,
                           size_t bytes)
{
    return het__gpu_inputs_are_f32(graph, node, 1, reason, bytes) &&
           weight_fits(graph, node, 1, reason, bytes) && weight_fits(graph, node, 2, reason, bytes);
}

static bool matmul_supports(const het__graph *graph, const het__node *node, char *reason,
                            size_t bytes)
{
    if (!het__gpu_inputs_are_f32(graph, node, 1u | 8u, reason, bytes) ||
        !weight_fits(graph, node, 1, reason, bytes) || !bias_fits(graph, node, 2, reason, bytes))
        return false;
    const het__value *a = input(graph, node, 0), *b = input(graph, node, 1);
    const het_dtype type = b->dtype;
    if (!node->attrs.matmul.transpose_b && type != HET_DTYPE_F32 && type != HET_DTYPE_F16 &&
        type != HET_DTYPE_BF16) {
        snprintf(reason, bytes, "blocks of %s across the sum", het_dtype_name(type));
        return false;
    }
    if (!is_small(a) || a->extent[a->rank - 1].count < 1 || a->rank > 10) {
        snprintf(reason, bytes, "extents of the product");
        return false;
    }
    return true;
}

/* ---- preparing ---- */

static products *products_new(het__gpu_call *call, uint32_t count)
{
    products *p = het__arena_zero(call->arena, 1, sizeof *p);
    product *each = het__arena_zero(call->arena, count, sizeof *each);
    if (!p || !each)
        return NULL;
    p->count = count;
    p->each = each;
    p->planes = 1;
    p->scale = 1.0f;
    for (int i = 0; i < 8; i++)
        p->extents[i] = 1;
    call->own = p;
    return p;
}

/* weight: input that is [n, k], or [.., k, n] if is_turned. */
static void product_of(const het__gpu_call *call, product *p, uint32_t weight, uint32_t bias,
                       bool is_turned)
{
    const het__gpu_operand *w = &call->inputs[weight];
    const het__value *v = &w->value;
    const int64_t last = w->columns, before = v->extent[v->rank - 2].count;
    p->of.weight = weight;
    p->of.dtype = v->dtype;
    p->of.is_turned = is_turned;
    p->of.inner = is_turned ? before : last;
    p->of.columns = is_turned ? last : before;
    if (bias < call->input_count && call->inputs[bias].is_present)
        p->bias = bias;
}

static het_status init_products(het__gpu_call *call, products *p, int64_t rows_max, het_error *err)
{
    het_status s = HET_OK;
    bool rounds = false;
    for (uint32_t i = 0; i < p->count && s == HET_OK; i++) {
        product *each = &p->each[i];
        each->of.is_rounded = het__gpu_codes_fit(call, &each->of);
        s = het__gpu_product_init(call, &each->of, rows_max, err);
        if (s == HET_OK && !each->of.is_rounded)
            s = het__gpu_dense_init(call, &each->of, rows_max, err);
        if (s == HET_OK && each->bias)
            s = het__gpu_bias_init(call, each->bias, &each->bias_form, err);
        rounds = rounds || each->of.is_rounded;
    }
    size_t scratch = 0;
    if (s == HET_OK && rounds)
        s = het__gpu_codes_init(call, &p->codes, call->inputs[0].rows, p->each[0].of.inner,
                                &scratch, err);
    het__gpu_want_scratch(call, scratch);
    return s;
}

static het_status linear_prepare(het__gpu_call *call, het_error *err)
{
    const uint32_t count = (uint32_t)call->attrs.linear.projections;
    products *p = products_new(call, count);
    if (!p)
        return het__fail_nomem(err, "a program");
    assert(count <= PRODUCTS_MAX);
    for (uint32_t i = 0; i < count; i++) {
        product_of(call, &p->each[i], 2 + 2 * i, 3 + 2 * i, false);
        p->each[i].out = i;
    }
    p->residual = call->inputs[1].is_present ? 1 : 0;
    return init_products(call, p, call->inputs[0].rows, err);
}

static het_status gated_prepare(het__gpu_call *call, het_error *err)
{
    products *p = products_new(call, 2);
    if (!p)
        return het__fail_nomem(err, "a program");
    for (uint32_t i = 0; i < 2; i++)
        product_of(call, &p->each[i], 1 + i, UINT32_MAX, false);
    p->each[0].of.unary = call->attrs.gated.act;
    return init_products(call, p, call->inputs[0].rows, err);
}

/* Leading extents of a, innermost first, those in which b moves alike taken together; steps are in
 * matrices of b. True if b moves at all. */
static bool find_planes(const het__value *a, const het__value *b, products *p)
{
    uint32_t used = 0;
    int64_t step = 1;
    bool moves = false;
    for (uint32_t i = 2; i < a->rank; i++) {
        const int64_t extent = a->extent[a->rank - 1 - i].count;
        const int64_t mine = i < b->rank ? b->extent[b->rank - 1 - i].count : 1;
        if (extent == 1)
            continue;
        const int64_t by = mine == 1 ? 0 : step;
        const bool joins = used > 0 && (by == 0) == (p->steps[used - 1] == 0);
        if (joins) {
            p->extents[used - 1] *= (int32_t)extent;
        } else {
            p->extents[used] = (int32_t)extent;
            p->steps[used++] = (int32_t)by;
        }
        step *= mine;
        moves = moves || by;
        p->planes *= extent;
    }
    return moves;
}

static het_status matmul_prepare(het__gpu_call *call, het_error *err)
{
    const het__matmul_attrs *attrs = &call->attrs.matmul;
    const het__value *a = &call->inputs[0].value;
    products *p = products_new(call, 1);
    if (!p)
        return het__fail_nomem(err, "a program");
    product_of(call, p->each, 1, 2, !attrs->transpose_b);
    p->each->of.act = attrs->act.kind;
    p->scale = attrs->scale;
    p->alpha = attrs->act.alpha;
    p->beta = attrs->act.beta;
    p->residual = call->input_count > 3 && call->inputs[3].is_present ? 3 : 0;
    p->each->of.is_batched = find_planes(a, &call->inputs[1].value, p);
    if (!p->each->of.is_batched)
        p->planes = 1;
    return init_products(call, p, p->each->of.is_batched ? a->extent[a->rank - 2].count
                                                         : call->inputs[0].rows, err);
}

/* ---- launching ---- */

static het_status launch(het__gpu_call *call, const int64_t *symbols, het_error *err)
{
    (void)symbols;
    const products *p = call->own;
    het__gpu_product_step r = { .x = het__gpu_span_of(&call->inputs[0]), .planes = p->planes,
                       .rows = p->planes ? call->inputs[0].rows / p->planes : 0,
                       .scale = p->scale, .alpha = p->alpha, .beta = p->beta };
    memcpy(r.extents, p->extents, sizeof r.extents);
    memcpy(r.steps, p->steps, sizeof r.steps);
    if (p->residual)
        r.residual = het__gpu_span_of(&call->inputs[p->residual]);
    het_status s = HET_OK;
    if (p->codes.kernel)
        s = het__gpu_codes_run(call, &p->codes, r.x, call->inputs[0].rows, &r, err);
    for (uint32_t i = 0; i < p->count && s == HET_OK; i++) {
        const product *each = &p->each[i];
        r.out = het__gpu_span_of(&call->outputs[each->out]);
        r.bias = each->bias ? het__gpu_bias_of(call, each->bias, each->bias_form)
                            : (het__gpu_span){ NULL, 0 };
        r.multiplies = call->op == HET__OP_GATED && i == 1;
        bool done = false;
        if (!each->of.is_rounded)
            s = het__gpu_dense_run(call, &each->of, &r, &done, err);
        if (s == HET_OK && !done)
            s = het__gpu_product_run(call, &each->of, het__gpu_product_size(&each->of, r.rows), &r,
                                     err);
    }
    return s;
}

const het__gpu_op het__gpu_linear = { linear_supports, linear_prepare, launch };
const het__gpu_op het__gpu_gated = { gated_supports, gated_prepare, launch };
const het__gpu_op het__gpu_matmul = { matmul_supports, matmul_prepare, launch };
