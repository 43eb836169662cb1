/* SPDX-License-Identifier: Apache-2.0 */
/* What is linear and has one number per column behind a product with constant weights moves into
 * the weights and the bias, as tensor_fold.c does for convolutions:
 *
 *     (x W + b) * scale + shift = x (W * scale) + (b * scale + shift) */
#include <math.h>
#include <string.h>

#include "lib/passes/match.h"
#include "lib/passes/tensor.h"

typedef struct product {
    const het__node *node; /* MatMul or Gemm */
    het__tensor weight, bias; /* bias: dtype NONE if there is none */
    double beta;              /* of bias */
    int64_t columns;
    bool turned; /* weights are [N,K] */
} product;

/* One number per column, or one for all; F32. */
static bool column_constant(const het__rewriter *r, uint32_t value, int64_t columns,
                            het__tensor *t)
{
    if (!het__match_constant(r, value, t) || t->dtype != HET_DTYPE_F32)
        return false;
    for (uint32_t i = 0; i < t->rank; i++)
        if (t->extent[i] != 1 && (i + 1 != t->rank || t->extent[i] != columns))
            return false;
    return true;
}

static double number(const het__tensor *t, int64_t i)
{
    return het__tensor_elements(t) == 1 ? het__match_number(t, 0) : het__match_number(t, i);
}

/* ---- the product ---- */

static bool is_inner(const het__rewriter *r, uint32_t value)
{
    return r->uses[value] == 1 && r->graph->values[value].kind == HET__VALUE_TEMP;
}

static bool read_product(const het__rewriter *r, const het__node *n, product *p)
{
    const het__attr_list *list = &n->attrs.tensor;
    het__tensor y;
    memset(p, 0, sizeof *p);
    p->node = n;
    p->beta = 1;
    if ((n->op != HET__OP_T_MAT_MUL && n->op != HET__OP_T_GEMM) || n->input_count < 2 ||
        !het__match_constant(r, n->inputs[1], &p->weight) || p->weight.rank != 2 ||
        p->weight.dtype != HET_DTYPE_F32 || !het__match_tensor(r, n->outputs[0], &y) ||
        y.rank < 2 || het__tensor_elements(&p->weight) == 0)
        return false;
    p->columns = y.extent[y.rank - 1];
    if (n->op == HET__OP_T_MAT_MUL)
        return true;
    p->turned = het__attr_int(list, "transB", 0) != 0;
    p->beta = (double)het__attr_float(list, "beta", 1);
    return !het__rw_input(r, n, 2) || column_constant(r, n->inputs[2], p->columns, &p->bias);
}

/* The product that gives a value, with the sum of a bias behind it if it is a MatMul. */
static bool product_of(const het__rewriter *r, uint32_t value, product *p)
{
    const het__node *n = het__rw_producer(r, value);
    if (!n || n->output_count != 1 || !is_inner(r, value))
        return false;
    if (n->op != HET__OP_T_ADD)
        return read_product(r, n, p);
    for (uint32_t side = 0; side < 2 && n->input_count == 2; side++) {
        const het__node *first = het__match_made_by(r, n->inputs[side], HET__OP_T_MAT_MUL);
        if (first && is_inner(r, n->inputs[side]) &&
            het__match_same_shape(r, n->inputs[side], value) && read_product(r, first, p) &&
            column_constant(r, n->inputs[1 - side], p->columns, &p->bias))
            return true;
    }
    return false;
}

/* ---- what follows ---- */

static bool batch_norm(const het__rewriter *r, const het__node *n, int64_t columns, double *scale,
                       double *shift)
{
    het__tensor t[5], y;
    const double eps = (double)het__attr_float(&n->attrs.tensor, "epsilon", 1e-5f);
    if (n->output_count != 1 || n->input_count != 5 ||
        het__attr_int(&n->attrs.tensor, "training_mode", 0) ||
        !het__match_tensor(r, n->outputs[0], &y) || y.rank != 2)
        return false;
    for (uint32_t i = 1; i < 5; i++)
        if (!column_constant(r, n->inputs[i], columns, &t[i]))
            return false;
    for (int64_t c = 0; c < columns; c++) {
        scale[c] = number(&t[1], c) / sqrt(number(&t[4], c) + eps);
        shift[c] = number(&t[2], c) - number(&t[3], c) * scale[c];
    }
    return true;
}

static bool binary(const het__rewriter *r, const het__node *n, uint32_t side, int64_t columns,
                   double *scale, double *shift)
{
    het__tensor t;
    if (n->input_count != 2 || !column_constant(r, n->inputs[1 - side], columns, &t) ||
        !het__match_same_shape(r, n->inputs[side], n->outputs[0]))
        return false;
    for (int64_t c = 0; c < columns; c++) {
        const double x = number(&t, c);
        scale[c] = n->op == HET__OP_T_MUL ? x : n->op == HET__OP_T_DIV ? 1 / x : 1;
        shift[c] = n->op == HET__OP_T_ADD ? x : n->op == HET__OP_T_SUB ? -x : 0;
        if (!isfinite(scale[c]))
            return false;
    }
    return true;
}

/* ---- new weights ---- */

static uint32_t scaled_weights(het__rewriter *r, const product *p, const double *scale)
{
    float *data;
    bool same = true;
    for (int64_t c = 0; c < p->columns; c++)
        same = same && scale[c] == 1;
    if (same)
        return p->node->inputs[1];
    const int64_t rows = p->weight.extent[0], width = p->weight.extent[1];
    const uint32_t v = het__rw_floats(r, p->node->name, 2, p->weight.extent, &data);
    for (int64_t i = 0; v != HET__NO_VALUE && i < rows; i++)
        for (int64_t k = 0; k < width; k++)
            data[i * width + k] = (float)(het__match_number(&p->weight, i * width + k) *
                                          scale[p->turned ? i : k]);
    return v;
}

static uint32_t new_bias(het__rewriter *r, const product *p, const double *scale,
                         const double *shift)
{
    float *data;
    const uint32_t v = het__rw_floats(r, p->node->name, 1, &p->columns, &data);
    for (int64_t c = 0; v != HET__NO_VALUE && c < p->columns; c++) {
        const double old = p->bias.dtype == HET_DTYPE_NONE ? 0 : p->beta * number(&p->bias, c);
        data[c] = (float)(old * scale[c] + shift[c]);
    }
    return v;
}

/* The attributes of a Gemm whose bias counts once. */
static het__attrs without_beta(het__rewriter *r, const het__attr_list *list)
{
    het__attr items[8];
    uint32_t count = 0;
    for (uint32_t i = 0; i < list->count && count < 8; i++)
        if (strcmp(list->items[i].name, "beta") != 0)
            items[count++] = list->items[i];
    return het__match_attrs(r, list->opset, items, count);
}

static void replace(het__rewriter *r, const product *p, uint32_t result, const double *scale,
                    const double *shift)
{
    const het__node node = *p->node;
    const bool gemm = node.op == HET__OP_T_GEMM;
    const bool biased = gemm || p->bias.dtype != HET_DTYPE_NONE;
    const uint32_t weights = scaled_weights(r, p, scale);
    const uint32_t bias = biased && !r->failed ? new_bias(r, p, scale, shift) : HET__NO_VALUE;
    const uint32_t in[3] = { node.inputs[0], weights, bias };
    const het__attrs attrs = gemm ? without_beta(r, &node.attrs.tensor) : node.attrs;
    if (r->failed)
        return;
    uint32_t made = het__rw_node(r, node.op, node.name, in, gemm ? 3 : 2, 1, &attrs);
    if (biased && !gemm && !r->failed) {
        const uint32_t sum[2] = { made, bias };
        const het__attrs none = het__match_attrs(r, 14, NULL, 0);
        made = r->failed ? made : het__rw_node(r, HET__OP_T_ADD, node.name, sum, 2, 1, &none);
    }
    if (!r->failed)
        het__match_replace(r, result, made);
}

static bool is_linear(het__op op)
{
    return op == HET__OP_T_MUL || op == HET__OP_T_DIV || op == HET__OP_T_ADD ||
           op == HET__OP_T_SUB || op == HET__OP_T_BATCH_NORMALIZATION;
}

void het__fold_columns(het__rewriter *r, uint32_t index)
{
    const het__node next = r->graph->nodes[index];
    const bool commutes = next.op == HET__OP_T_MUL || next.op == HET__OP_T_ADD;
    product p;
    uint32_t side = 0;
    if (!is_linear(next.op) || next.output_count != 1 || next.input_count < 2)
        return;
    if (!product_of(r, next.inputs[0], &p)) {
        side = 1;
        if (!commutes || !product_of(r, next.inputs[1], &p))
            return;
    }
    /* A sum behind a MatMul without a bias is its bias. */
    const bool sums = next.op != HET__OP_T_MUL && next.op != HET__OP_T_DIV;
    if (sums && p.node->op == HET__OP_T_MAT_MUL && p.bias.dtype == HET_DTYPE_NONE)
        return;
    double *scale =
        het__arena_alloc(&r->graph->arena, 2 * ((size_t)p.columns + 1) * sizeof *scale);
    if (!scale)
        return;
    double *shift = scale + p.columns;
    if (next.op == HET__OP_T_BATCH_NORMALIZATION
            ? batch_norm(r, &next, p.columns, scale, shift)
            : binary(r, &next, side, p.columns, scale, shift))
        replace(r, &p, next.outputs[0], scale, shift);
}
