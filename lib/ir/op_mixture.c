/* SPDX-License-Identifier: Apache-2.0 */
/* Rules and arithmetic of the operations that single families of language models need: mixtures of
 * experts, and streams of hidden states; and of whole rows. */
#include <math.h>
#include <string.h>

#include "lib/base/error.h"
#include "lib/ir/graph.h"

static const het__value *input(const het__graph *graph, const het__node *node, uint32_t i)
{
    if (i >= node->input_count || node->inputs[i] == HET__NO_VALUE)
        return NULL;
    return &graph->values[node->inputs[i]];
}

static het_status refuse(const het__node *node, const char *what, het_error *err)
{
    return het__fail(err, HET_E_INVALID, "%s %s: %s", het__op_info_of(node->op)->name, node->name,
                     what);
}

static bool is_fixed(het__extent e, int64_t count)
{
    return e.symbol == HET__SYM_ONE && e.count == count;
}

static bool is_matrix(const het__value *v)
{
    return v && v->rank == 2 && v->extent[1].symbol == HET__SYM_ONE && v->extent[1].count > 0;
}

static bool same_rows(const het__value *a, const het__value *b)
{
    return a->extent[0].count == b->extent[0].count && a->extent[0].symbol == b->extent[0].symbol;
}

/* [T, columns] with as many rows as x. */
static bool goes_with(const het__value *v, const het__value *x, int64_t columns)
{
    return is_matrix(v) && same_rows(v, x) && v->extent[1].count == columns;
}

static void like(het__value *out, const het__value *in, int64_t columns)
{
    out->rank = 2;
    out->extent[0] = in->extent[0];
    out->extent[1] = (het__extent){ columns, HET__SYM_ONE };
}

/* ---- mixtures ---- */

static bool is_stack(const het__value *v, int64_t matrices, int64_t rows, int64_t columns)
{
    return v && v->rank == 3 && is_fixed(v->extent[0], matrices) && is_fixed(v->extent[1], rows) &&
           is_fixed(v->extent[2], columns);
}

static const char *moe_problem(const het__graph *graph, const het__node *node)
{
    const het__moe_attrs *a = &node->attrs.moe;
    const het__value *x = input(graph, node, 0), *scores = input(graph, node, 1);
    const het__value *gate = input(graph, node, 2);
    if (!is_matrix(x) || !is_matrix(scores) || !same_rows(x, scores))
        return "there is not one row of scores per row of the input";
    const int64_t experts = scores->extent[1].count, width = x->extent[1].count;
    if (experts > HET__EXPERTS_MAX || a->used < 1 || a->used > experts ||
        a->used > HET__EXPERTS_USED_MAX)
        return "the number of experts used is out of range";
    if ((uint32_t)a->router > HET__ROUTER_SPARSE_MIXER ||
        (a->router == HET__ROUTER_SPARSE_MIXER && a->used != 2))
        return "the router does not pick so many experts";
    if (!het__unary_name(a->act) || a->act >= HET__UNARY_SCALE)
        return "the activation is unknown";
    if (!gate || gate->rank != 3 || gate->extent[1].count < 1 ||
        !is_stack(gate, experts, gate->extent[1].count, width) ||
        !is_stack(input(graph, node, 3), experts, gate->extent[1].count, width) ||
        !is_stack(input(graph, node, 4), experts, width, gate->extent[1].count))
        return "the weights do not fit each other, the input and the experts";
    return NULL;
}

het_status het__op_shape_moe(const het__graph *graph, const het__node *node, het__value *out,
                             uint32_t *count, het_error *err)
{
    const char *problem = moe_problem(graph, node);
    if (problem)
        return refuse(node, problem, err);
    like(out, input(graph, node, 0), input(graph, node, 0)->extent[1].count);
    *count = 1;
    return HET_OK;
}

void het__op_count_moe(const het__graph *graph, const het__node *node, const int64_t *symbols,
                       het__work *work)
{
    const het__value *gate = input(graph, node, 2);
    const double tokens = (double)het__extent_bind(input(graph, node, 0)->extent[0], symbols);
    const double f = (double)gate->extent[1].count, d = (double)gate->extent[2].count;
    const double pairs = tokens * node->attrs.moe.used;
    work->macs = pairs * 3 * f * d;
    work->flops = 2 * work->macs + pairs * (2 * f + 2 * d) +
                  4 * tokens * (double)input(graph, node, 1)->extent[1].count;
    work->units = pairs * f;
}

/* Of E experts, T tokens that each pick k at random meet E (1 - (1 - k/E)^T): k for one token. */
double het__op_moe_share(const het__graph *graph, const het__node *node, const int64_t *symbols)
{
    const double tokens = (double)het__extent_bind(input(graph, node, 0)->extent[0], symbols);
    const double experts = (double)input(graph, node, 1)->extent[1].count;
    return 1 - pow(1 - node->attrs.moe.used / experts, tokens);
}

/* ---- parts of rows, and rows as a whole ---- */

het_status het__op_shape_columns(const het__graph *graph, const het__node *node, het__value *out,
                                 uint32_t *count, het_error *err)
{
    const het__value *x = input(graph, node, 0);
    const int64_t first = node->attrs.columns.first, n = node->attrs.columns.count;
    if (!is_matrix(x))
        return refuse(node, "the input is not a matrix", err);
    if (first < 0 || n < 1 || first > x->extent[1].count || n > x->extent[1].count - first)
        return refuse(node, "the input does not have these columns", err);
    like(out, x, n);
    *count = 1;
    return HET_OK;
}

het_status het__op_shape_join(const het__graph *graph, const het__node *node, het__value *out,
                              uint32_t *count, het_error *err)
{
    const het__value *x = input(graph, node, 0);
    int64_t columns = 0;
    if (node->input_count < 2 || node->input_count > 8)
        return refuse(node, "there are not 2 to 8 parts", err);
    if (!is_matrix(x))
        return refuse(node, "a part is not a matrix", err);
    for (uint32_t i = 0; i < node->input_count; i++) {
        const het__value *part = input(graph, node, i);
        if (!is_matrix(part) || !same_rows(part, x) ||
            part->extent[1].count > INT64_MAX - columns)
            return refuse(node, "the parts do not have the same rows", err);
        columns += part->extent[1].count;
    }
    like(out, x, columns);
    *count = 1;
    return HET_OK;
}

het_status het__op_shape_row(const het__graph *graph, const het__node *node, het__value *out,
                             uint32_t *count, het_error *err)
{
    const het__value *x = input(graph, node, 0);
    if (!is_matrix(x))
        return refuse(node, "the input is not a matrix", err);
    if (node->op == HET__OP_MATCH && !goes_with(input(graph, node, 1), x, x->extent[1].count))
        return refuse(node, "the operands have different shapes", err);
    like(out, x, x->extent[1].count);
    *count = 1;
    return HET_OK;
}

void het__op_count_row(const het__graph *graph, const het__node *node, const int64_t *symbols,
                       het__work *work)
{
    const double n = (double)het__value_elements(&graph->values[node->outputs[0]], symbols);
    work->flops = node->op == HET__OP_COLUMNS || node->op == HET__OP_JOIN ? 0 : 6 * n;
    work->units = (double)het__extent_bind(input(graph, node, 0)->extent[0], symbols);
}

/* ---- streams ---- */

/* PREDICT: coefficients, streams. CORRECT: coefficients, what the active one became, streams. */
het_status het__op_shape_streams(const het__graph *graph, const het__node *node, het__value *out,
                                 uint32_t *count, het_error *err)
{
    const bool predicts = node->op == HET__OP_PREDICT;
    const uint32_t first = predicts ? 1 : 2, n = node->input_count - first;
    const het__value *x = input(graph, node, 1);
    if (n < 1 || n > 8)
        return refuse(node, "there are not 1 to 8 streams", err);
    if (!is_matrix(x))
        return refuse(node, "a stream is not a matrix", err);
    if (!goes_with(input(graph, node, 0), x, predicts ? (int64_t)n * n : n))
        return refuse(node, "the coefficients do not fit the streams", err);
    for (uint32_t i = 0; i < n; i++) {
        if (!goes_with(input(graph, node, first + i), x, x->extent[1].count))
            return refuse(node, "the streams have different shapes", err);
        like(&out[i], x, x->extent[1].count);
    }
    if (!predicts && (node->attrs.correct.active < 0 || node->attrs.correct.active >= (int32_t)n))
        return refuse(node, "there is no such active stream", err);
    *count = n;
    return HET_OK;
}

void het__op_count_streams(const het__graph *graph, const het__node *node,
                           const int64_t *symbols, het__work *work)
{
    const double n = node->output_count;
    const double elements =
        (double)het__value_elements(&graph->values[node->outputs[0]], symbols);
    work->macs = node->op == HET__OP_PREDICT ? n * n * elements : n * elements;
    work->flops = 2 * work->macs + (node->op == HET__OP_PREDICT ? 0 : elements);
    work->units = elements;
}
