/* SPDX-License-Identifier: Apache-2.0 */
/* The op table: arity, shape rule, arithmetic and parallel axes of every operation. */
#include <assert.h>
#include <string.h>

#include "lib/base/dtype.h"
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

static bool same_extent(het__extent a, het__extent b)
{
    return a.count == b.count && a.symbol == b.symbol;
}

static bool same_extents(const het__value *a, const het__value *b)
{
    if (a->rank != b->rank)
        return false;
    for (uint32_t i = 0; i < a->rank; i++)
        if (!same_extent(a->extent[i], b->extent[i]))
            return false;
    return true;
}

static bool is_fixed(het__extent e, int64_t count)
{
    return e.symbol == HET__SYM_ONE && e.count == count;
}

static bool is_vector(const het__value *v, int64_t count)
{
    return v && v->rank == 1 && is_fixed(v->extent[0], count);
}

/* A [rows, columns] matrix of activations with fixed columns. */
static bool is_matrix(const het__value *v)
{
    return v && v->rank == 2 && v->extent[1].symbol == HET__SYM_ONE && v->extent[1].count > 0;
}

static void matrix_of(het__value *out, het__extent rows, int64_t columns)
{
    out->rank = 2;
    out->extent[0] = rows;
    out->extent[1] = (het__extent){ columns, HET__SYM_ONE };
}

static void like(het__value *out, const het__value *in)
{
    out->rank = in->rank;
    memcpy(out->extent, in->extent, sizeof out->extent);
}

static double elements(const het__value *v, const int64_t *symbols)
{
    return v ? (double)het__value_elements(v, symbols) : 0;
}

/* ---- shape rules ---- */

static het_status shape_embed(const het__graph *graph, const het__node *node, het__value *out,
                              uint32_t *count, het_error *err)
{
    const het__value *table = input(graph, node, 0), *ids = input(graph, node, 1);
    if (!is_matrix(table))
        return refuse(node, "the table is not a matrix", err);
    if (!ids || ids->rank != 1 || ids->dtype != HET_DTYPE_I32)
        return refuse(node, "the ids are not a vector of I32", err);
    matrix_of(out, ids->extent[0], table->extent[1].count);
    *count = 1;
    return HET_OK;
}

static het_status shape_norm(const het__graph *graph, const het__node *node, het__value *out,
                             uint32_t *count, het_error *err)
{
    const het__value *x = input(graph, node, 0);
    const int64_t group = node->attrs.norm.group;
    if (!is_matrix(x))
        return refuse(node, "the input is not a matrix", err);
    if (group <= 0 || x->extent[1].count % group != 0)
        return refuse(node, "the group does not divide the row", err);
    const het__value *weight = input(graph, node, 1);
    if (weight && !is_vector(weight, group))
        return refuse(node, "the weight does not have one element per group element", err);
    const het__value *bias = input(graph, node, 2);
    if (bias && !is_vector(bias, group))
        return refuse(node, "the bias does not have one element per group element", err);
    like(out, x);
    *count = 1;
    return HET_OK;
}

static het_status shape_linear(const het__graph *graph, const het__node *node, het__value *out,
                               uint32_t *count, het_error *err)
{
    const het__value *x = input(graph, node, 0), *residual = input(graph, node, 1);
    const int32_t projections = node->attrs.linear.projections;
    if (!is_matrix(x))
        return refuse(node, "the input is not a matrix", err);
    if (projections < 1 || projections > 8 || node->input_count != 2 + 2 * (uint32_t)projections)
        return refuse(node, "the number of weights does not match the number of projections", err);
    if ((residual != NULL) != node->attrs.linear.residual || (residual && projections != 1))
        return refuse(node, "a residual goes with one projection", err);
    for (int32_t p = 0; p < projections; p++) {
        const het__value *w = input(graph, node, 2 + 2 * (uint32_t)p);
        const het__value *bias = input(graph, node, 3 + 2 * (uint32_t)p);
        if (!is_matrix(w) || w->extent[0].symbol != HET__SYM_ONE ||
            w->extent[1].count != x->extent[1].count)
            return refuse(node, "the columns of a weight are not those of the input", err);
        if (bias && !is_vector(bias, w->extent[0].count))
            return refuse(node, "a bias does not have one element per row of its weight", err);
        matrix_of(&out[p], x->extent[0], w->extent[0].count);
    }
    if (residual && !same_extents(residual, out))
        return refuse(node, "the residual does not have the shape of the output", err);
    *count = (uint32_t)projections;
    return HET_OK;
}

static het_status shape_gated(const het__graph *graph, const het__node *node, het__value *out,
                              uint32_t *count, het_error *err)
{
    const het__value *x = input(graph, node, 0);
    const het__value *gate = input(graph, node, 1), *up = input(graph, node, 2);
    if (!is_matrix(x) || !is_matrix(gate) || !is_matrix(up))
        return refuse(node, "an input is not a matrix", err);
    if (!same_extents(gate, up) || gate->extent[1].count != x->extent[1].count ||
        gate->extent[0].symbol != HET__SYM_ONE)
        return refuse(node, "the weights do not fit each other and the input", err);
    if (!het__unary_name(node->attrs.gated.act) || node->attrs.gated.act >= HET__UNARY_SCALE)
        return refuse(node, "the activation is unknown", err);
    matrix_of(out, x->extent[0], gate->extent[0].count);
    *count = 1;
    return HET_OK;
}

static const char *rope_problem(const het__rope_attrs *r)
{
    if (r->head_size <= 0 || r->rotated < 0 || r->rotated > r->head_size || r->rotated % 2 != 0)
        return "the rotated part is not an even part of a head";
    if (r->rotated && !(r->theta > 0))
        return "theta is not positive";
    return NULL;
}

#define FACTORS_PROBLEM "there is not one factor per rotated pair, nor a row of angles per token"

static bool are_factors(const het__value *v, int32_t rotated, het__extent rows)
{
    return is_vector(v, rotated / 2) ||
           (is_matrix(v) && v->dtype == HET_DTYPE_F32 && is_fixed(v->extent[1], rotated) &&
            same_extent(v->extent[0], rows));
}

static het_status shape_rope(const het__graph *graph, const het__node *node, het__value *out,
                             uint32_t *count, het_error *err)
{
    const het__value *x = input(graph, node, 0), *positions = input(graph, node, 1);
    const het__value *factors = input(graph, node, 2);
    const het__rope_attrs *r = &node->attrs.rope;
    const char *problem = rope_problem(r);
    if (problem)
        return refuse(node, problem, err);
    if (!is_matrix(x) || x->extent[1].count % r->head_size != 0)
        return refuse(node, "the row is not a number of heads", err);
    if (!positions || positions->rank != 1 || positions->dtype != HET_DTYPE_I32 ||
        !same_extent(positions->extent[0], x->extent[0]))
        return refuse(node, "there is not one I32 position per row", err);
    if (factors && !are_factors(factors, r->rotated, x->extent[0]))
        return refuse(node, FACTORS_PROBLEM, err);
    like(out, x);
    *count = 1;
    return HET_OK;
}

static const char *attention_vectors_problem(const het__graph *graph, const het__node *node)
{
    const het__attention_attrs *a = &node->attrs.attention;
    const het__extent rows = input(graph, node, HET__ATTN_Q)->extent[0];
    for (uint32_t i = HET__ATTN_POSITIONS; i <= HET__ATTN_PAGES; i++) {
        const het__value *v = input(graph, node, i);
        const uint32_t rank = i == HET__ATTN_SEGMENTS ? 2 : 1;
        if (!v || v->dtype != HET_DTYPE_I32 || v->rank != rank)
            return "positions, slots, segments and pages are not I32 of the right rank";
        if ((i == HET__ATTN_POSITIONS || i == HET__ATTN_SLOTS) && !same_extent(v->extent[0], rows))
            return "there is not one position and one slot per query";
    }
    if (!is_fixed(input(graph, node, HET__ATTN_SEGMENTS)->extent[1], 4))
        return "a segment does not have four fields";
    const het__value *factors = input(graph, node, HET__ATTN_FACTORS);
    const het__value *q_norm = input(graph, node, HET__ATTN_Q_NORM);
    const het__value *k_norm = input(graph, node, HET__ATTN_K_NORM);
    if (factors && !are_factors(factors, a->rope.rotated, rows))
        return FACTORS_PROBLEM;
    if ((q_norm && !is_vector(q_norm, a->head_size)) ||
        (k_norm && !is_vector(k_norm, a->head_size)))
        return "a head norm does not have one weight per head element";
    return NULL;
}

static bool is_state_type(het_dtype dtype)
{
    return dtype == HET_DTYPE_F16 || dtype == HET_DTYPE_F32 || dtype == HET_DTYPE_Q8_0;
}

static const char *attention_problem(const het__graph *graph, const het__node *node)
{
    const het__attention_attrs *a = &node->attrs.attention;
    const het__value *q = input(graph, node, HET__ATTN_Q);
    if (a->heads <= 0 || a->kv_heads <= 0 || a->head_size <= 0 || a->page_size <= 0 ||
        a->heads % a->kv_heads != 0)
        return "the heads are not a multiple of the key heads";
    if (a->rope.rotated && (a->rope.head_size != a->head_size || rope_problem(&a->rope)))
        return "the fused rotation does not fit the heads";
    if (!is_matrix(q) || q->extent[1].count != (int64_t)a->heads * a->head_size)
        return "the queries do not have heads times head size columns";
    if (!input(graph, node, HET__ATTN_K) != !input(graph, node, HET__ATTN_V))
        return "keys come without values, or values without keys";
    for (uint32_t i = HET__ATTN_K; i <= HET__ATTN_V; i++) {
        const het__value *v = input(graph, node, i);
        if (!v)
            continue;
        if (!is_matrix(v) || v->extent[1].count != (int64_t)a->kv_heads * a->head_size)
            return "keys or values do not have key heads times head size columns";
        if (!same_extent(v->extent[0], q->extent[0]))
            return "there is not one key and one value per query";
    }
    for (uint32_t i = HET__ATTN_K_STATE; i <= HET__ATTN_V_STATE; i++) {
        const het__value *v = input(graph, node, i);
        if (!v || v->kind != HET__VALUE_STATE || v->rank != 4 || !is_state_type(v->dtype) ||
            a->head_size % het__dtype(v->dtype)->block_elements != 0 ||
            !is_fixed(v->extent[1], a->kv_heads) || !is_fixed(v->extent[2], a->page_size) ||
            !is_fixed(v->extent[3], a->head_size))
            return "a state is not [pages, key heads, page size, head size] in F16, F32 or Q8_0";
    }
    const het__value *k = input(graph, node, HET__ATTN_K_STATE);
    const het__value *v = input(graph, node, HET__ATTN_V_STATE);
    if (k->dtype != v->dtype || !same_extent(k->extent[0], v->extent[0]))
        return "the two states differ in type or pages";
    return attention_vectors_problem(graph, node);
}

static het_status shape_attention(const het__graph *graph, const het__node *node, het__value *out,
                                  uint32_t *count, het_error *err)
{
    const char *problem = attention_problem(graph, node);
    if (problem)
        return refuse(node, problem, err);
    like(out, input(graph, node, HET__ATTN_Q));
    *count = 1;
    return HET_OK;
}

static het_status shape_binary(const het__graph *graph, const het__node *node, het__value *out,
                               uint32_t *count, het_error *err)
{
    const het__value *a = input(graph, node, 0), *b = input(graph, node, 1);
    if (!a || !b || a->rank < 1)
        return refuse(node, "an operand is missing", err);
    const bool row = b->rank == 1 && same_extent(b->extent[0], a->extent[a->rank - 1]);
    if (!row && !same_extents(a, b))
        return refuse(node, "the operands have different shapes", err);
    like(out, a);
    *count = 1;
    return HET_OK;
}

static het_status shape_same(const het__graph *graph, const het__node *node, het__value *out,
                             uint32_t *count, het_error *err)
{
    const het__value *x = input(graph, node, 0);
    if (!x || x->rank < 1)
        return refuse(node, "the input is missing", err);
    if (node->op == HET__OP_UNARY && !het__unary_name(node->attrs.unary.kind))
        return refuse(node, "the function is unknown", err);
    if (node->op == HET__OP_UNARY && node->attrs.unary.kind == HET__UNARY_SOFTCAP &&
        !(node->attrs.unary.alpha > 0))
        return refuse(node, "the cap is not positive", err);
    like(out, x);
    *count = 1;
    return HET_OK;
}

static het_status shape_rows(const het__graph *graph, const het__node *node, het__value *out,
                             uint32_t *count, het_error *err)
{
    const het__value *x = input(graph, node, 0), *rows = input(graph, node, 1);
    if (!is_matrix(x))
        return refuse(node, "the input is not a matrix", err);
    if (!rows || rows->rank != 1 || rows->dtype != HET_DTYPE_I32)
        return refuse(node, "the rows are not a vector of I32", err);
    matrix_of(out, rows->extent[0], x->extent[1].count);
    *count = 1;
    return HET_OK;
}

/* ---- arithmetic ---- */

static const het__value *output(const het__graph *graph, const het__node *node)
{
    return &graph->values[node->outputs[0]];
}

static void count_none(const het__graph *graph, const het__node *node, const int64_t *symbols,
                       het__work *work)
{
    work->units = elements(output(graph, node), symbols);
}

static void count_embed(const het__graph *graph, const het__node *node, const int64_t *symbols,
                        het__work *work)
{
    work->units = elements(input(graph, node, 1), symbols);
    if (node->attrs.embed.scale != 1.0f)
        work->flops = elements(output(graph, node), symbols);
}

/* RMS: square and add, scale, weight. Layer: mean, centre, square and add, scale, weight, bias. */
static void count_norm(const het__graph *graph, const het__node *node, const int64_t *symbols,
                       het__work *work)
{
    const double n = elements(output(graph, node), symbols);
    work->flops = n * (node->attrs.norm.kind == HET__NORM_RMS ? 4 : 7);
    work->units = n / node->attrs.norm.group;
}

static void count_linear(const het__graph *graph, const het__node *node, const int64_t *symbols,
                         het__work *work)
{
    const double k = (double)input(graph, node, 0)->extent[1].count;
    for (uint32_t p = 0; p < node->output_count; p++) {
        const double n = elements(&graph->values[node->outputs[p]], symbols);
        work->macs += n * k;
        work->flops += 2 * n * k + (input(graph, node, 3 + 2 * p) ? n : 0);
        work->units += n;
    }
    if (node->attrs.linear.residual)
        work->flops += elements(output(graph, node), symbols);
}

/* Transcendental functions count as one operation per element, like the product. */
static void count_gated(const het__graph *graph, const het__node *node, const int64_t *symbols,
                        het__work *work)
{
    const double k = (double)input(graph, node, 0)->extent[1].count;
    const double n = elements(output(graph, node), symbols);
    work->macs = 2 * n * k;
    work->flops = 4 * n * k + 2 * n;
    work->units = n;
}

static void count_rope(const het__graph *graph, const het__node *node, const int64_t *symbols,
                       het__work *work)
{
    const het__rope_attrs *r = &node->attrs.rope;
    const double n = elements(output(graph, node), symbols);
    work->flops = 3 * n * r->rotated / r->head_size;
    work->units = n / r->head_size;
}

/* Each of T queries sees the context and the tokens of its own step up to itself. The step's
 * tokens are taken as one sequence per T/B. */
static void count_attention(const het__graph *graph, const het__node *node,
                            const int64_t *symbols, het__work *work)
{
    const het__attention_attrs *a = &node->attrs.attention;
    const double tokens = (double)symbols[HET__SYM_TOKENS];
    const double sequences = symbols[HET__SYM_SEQUENCES] > 0
                                 ? (double)symbols[HET__SYM_SEQUENCES] : 1;
    double seen = (double)symbols[HET__SYM_CONTEXT] + (tokens / sequences + 1) / 2;
    if (a->window > 0 && seen > a->window)
        seen = a->window;
    const double scores = tokens * a->heads * seen;
    work->macs = 2 * scores * a->head_size;
    work->flops = 2 * work->macs + scores * (a->softcap > 0 ? 6 : 4);
    work->flops += 3 * tokens * (a->heads + a->kv_heads) * a->rope.rotated;
    if (input(graph, node, HET__ATTN_Q_NORM))
        work->flops += 4 * tokens * a->heads * a->head_size;
    if (input(graph, node, HET__ATTN_K_NORM))
        work->flops += 4 * tokens * a->kv_heads * a->head_size;
    const het__value *keys = input(graph, node, HET__ATTN_K_STATE);
    const double row = 2.0 * a->kv_heads * (double)het_dtype_bytes(keys->dtype, a->head_size);
    double context = (double)symbols[HET__SYM_CONTEXT];
    if (a->window > 0 && context > a->window)
        context = a->window;
    work->input_bytes += sequences * context * row;
    if (input(graph, node, HET__ATTN_K))
        work->output_bytes += tokens * row;
    work->units = tokens * a->heads;
}

static void count_elementwise(const het__graph *graph, const het__node *node,
                              const int64_t *symbols, het__work *work)
{
    const double n = elements(output(graph, node), symbols);
    work->flops = n * (node->op == HET__OP_SOFTMAX ? 4 : 1);
    work->units = n;
}

static const het__op_info ops[HET__OP_T_FIRST] = {
    [HET__OP_EMBED] = { "embed", 2, 2, shape_embed, count_embed, "tokens" },
    [HET__OP_NORM] = { "norm", 2, 3, shape_norm, count_norm, "tokens, groups" },
    [HET__OP_LINEAR] = { "linear", 4, 18, shape_linear, count_linear, "tokens, columns" },
    [HET__OP_GATED] = { "gated", 3, 3, shape_gated, count_gated, "tokens, columns" },
    [HET__OP_ROPE] = { "rope", 2, 3, shape_rope, count_rope, "tokens, heads" },
    [HET__OP_ATTENTION] = { "attention", HET__ATTN_INPUT_COUNT, HET__ATTN_INPUT_COUNT,
                            shape_attention, count_attention, "tokens, heads" },
    [HET__OP_ADD] = { "add", 2, 2, shape_binary, count_elementwise, "elements" },
    [HET__OP_MUL] = { "mul", 2, 2, shape_binary, count_elementwise, "elements" },
    [HET__OP_UNARY] = { "unary", 1, 1, shape_same, count_elementwise, "elements" },
    [HET__OP_SOFTMAX] = { "softmax", 1, 1, shape_same, count_elementwise, "rows" },
    [HET__OP_ROWS] = { "rows", 2, 2, shape_rows, count_none, "rows" },
    [HET__OP_COLUMNS] = { "columns", 1, 1, het__op_shape_columns, het__op_count_row, "tokens" },
    [HET__OP_JOIN] = { "join", 2, 8, het__op_shape_join, het__op_count_row, "tokens" },
    [HET__OP_MOE] = { "moe", 5, 5, het__op_shape_moe, het__op_count_moe,
                      "tokens, experts, columns" },
    [HET__OP_CUT] = { "cut", 1, 1, het__op_shape_row, het__op_count_row, "tokens" },
    [HET__OP_MATCH] = { "match", 2, 2, het__op_shape_row, het__op_count_row, "tokens" },
    [HET__OP_PREDICT] = { "predict", 2, 9, het__op_shape_streams, het__op_count_streams,
                          "tokens, columns" },
    [HET__OP_CORRECT] = { "correct", 3, 10, het__op_shape_streams, het__op_count_streams,
                          "tokens, columns" },
    [HET__OP_CONV] = { "conv", 2, 4, het__op_shape_image, het__op_count_image,
                       "batch, channels, rows" },
    [HET__OP_POOL] = { "pool", 1, 1, het__op_shape_image, het__op_count_image,
                       "batch, channels, rows" },
    [HET__OP_BLOCK] = { "block", 1, 1, het__op_shape_image, het__op_count_image,
                        "batch, channels" },
    [HET__OP_UNBLOCK] = { "unblock", 1, 1, het__op_shape_image, het__op_count_image,
                          "batch, channels" },
    [HET__OP_MATMUL] = { "matmul", 2, 4, het__op_shape_matmul, het__op_count_matmul,
                         "batch, rows, columns" },
    [HET__OP_QCONV] = { "qconv", 3, 4, het__op_shape_image, het__op_count_image,
                        "batch, channels, rows" },
    [HET__OP_QMAP] = { "qmap", 2, 2, het__op_shape_map, count_none, "elements" },
};

const char *het__node_operation(const het__node *node)
{
    const het__op_info *info = het__op_info_of(node->op);
    const char *type = het__op_is_tensor(node->op) ? node->attrs.tensor.type : NULL;
    return type ? type : info ? info->name : "node";
}

const het__op_info *het__op_info_of(het__op op)
{
    if (het__op_is_tensor(op))
        return &het__tensor_op_of(op)->info;
    if ((uint32_t)op >= HET__OP_T_FIRST || !ops[op].name)
        return NULL;
    return &ops[op];
}

const char *het__unary_name(het__unary kind)
{
    static const char *const names[] = {
        [HET__UNARY_SILU] = "silu",         [HET__UNARY_GELU_TANH] = "gelu_tanh",
        [HET__UNARY_GELU_ERF] = "gelu_erf", [HET__UNARY_RELU] = "relu",
        [HET__UNARY_TANH] = "tanh",         [HET__UNARY_SIGMOID] = "sigmoid",
        [HET__UNARY_SCALE] = "scale",       [HET__UNARY_SOFTCAP] = "softcap",
    };
    return (uint32_t)kind < sizeof names / sizeof names[0] ? names[kind] : NULL;
}

/* Rows of a table that are read are weights too, but only as many as there are ids; of experts
 * those that some token picks. */
static double weight_bytes_read(const het__graph *graph, const het__node *node, const het__value *v,
                                const int64_t *symbols)
{
    const double all = (double)het__value_bytes(v, symbols);
    if (node->op == HET__OP_MOE)
        return all * het__op_moe_share(graph, node, symbols);
    if (node->op != HET__OP_EMBED)
        return all;
    const double rows = (double)v->extent[0].count;
    return all / (rows > 0 ? rows : 1) * elements(input(graph, node, 1), symbols);
}

/* Whether no more is read of the first input than is written. */
static bool reads_part(het__op op)
{
    return op == HET__OP_T_GATHER || op == HET__OP_T_GATHER_ELEMENTS || op == HET__OP_T_GATHER_ND ||
           op == HET__OP_T_SLICE;
}

static double bytes_read(const het__graph *graph, const het__node *node, uint32_t i,
                         const int64_t *symbols)
{
    const het__value *v = input(graph, node, i);
    const double bytes = v->kind == HET__VALUE_CONST
                             ? weight_bytes_read(graph, node, v, symbols)
                             : (double)het__value_bytes(v, symbols);
    if (i > 0 || !reads_part(node->op))
        return bytes;
    const double out = (double)het__value_bytes(&graph->values[node->outputs[0]], symbols);
    return out < bytes ? out : bytes;
}

void het__node_work(const het__graph *graph, const het__node *node, const int64_t *symbols,
                    het__work *work)
{
    const het__op_info *info = het__op_info_of(node->op);
    assert(info);
    memset(work, 0, sizeof *work);
    info->count(graph, node, symbols, work);
    for (uint32_t i = 0; i < node->input_count; i++) {
        const het__value *v = input(graph, node, i);
        if (!v || v->kind == HET__VALUE_STATE)
            continue; /* an operation counts what it touches of a state */
        *(v->kind == HET__VALUE_CONST ? &work->weight_bytes : &work->input_bytes) +=
            bytes_read(graph, node, i, symbols);
    }
    for (uint32_t o = 0; o < node->output_count; o++)
        work->output_bytes += (double)het__value_bytes(&graph->values[node->outputs[o]], symbols);
}
