/* SPDX-License-Identifier: Apache-2.0 */
/* Independent results of an operation, by the axes of its output; and the matrices that a product
 * consists of. */
#include "lib/cost/mapping.h"

#include <string.h>

#include "lib/base/dtype.h"

static const het__value *operand(const het__graph *graph, const het__node *node, uint32_t i)
{
    return i < node->input_count && node->inputs[i] != HET__NO_VALUE
               ? &graph->values[node->inputs[i]] : NULL;
}

static double extent(const het__value *v, uint32_t axis, const int64_t *symbols)
{
    return (double)het__extent_bind(v->extent[axis], symbols);
}

static bool is_conv(het__op op)
{
    return op == HET__OP_T_CONV || op == HET__OP_T_CONV_INTEGER || op == HET__OP_T_QLINEAR_CONV ||
           op == HET__OP_T_CONV_TRANSPOSE;
}

/* Results along the last axis depend on each other: norms, softmax. Lanes share a row anyway. */
static bool is_by_row(const het__node *node)
{
    const char *axes = het__op_info_of(node->op)->parallel_axes;
    return strcmp(axes, "rows") == 0 || strcmp(axes, "tokens, groups") == 0;
}

static bool is_image(const het__node *node, const het__value *out)
{
    const char *axes = het__op_info_of(node->op)->parallel_axes;
    return out->rank >= 3 && (is_conv(node->op) || strncmp(axes, "batch, channels", 15) == 0 ||
                              (out->rank == 4 && strcmp(axes, "elements") == 0));
}

/* [N,C,places…], [batches…,rows,columns], or a vector. */
static void by_axes(const het__node *node, const het__value *out, const int64_t *symbols,
                    het_parallelism *p)
{
    const bool image = is_image(node, out);
    double *const axes[3] = { &p->batch_count, &p->channel_count, &p->spatial_count };
    for (uint32_t i = 0; i < out->rank; i++) {
        uint32_t axis = i < 2 ? i : 2;
        if (!image) /* the last axis is the columns, that before it the rows */
            axis = i + 1 == out->rank ? 1 : i + 2 == out->rank && out->rank > 2 ? 2 : 0;
        *axes[axis] *= extent(out, i, symbols);
    }
}

static void of_conv(const het__graph *graph, const het__node *node, const int64_t *symbols,
                    const het__work *work, het_parallelism *p, het__work_shape *shape)
{
    const uint32_t at = node->op == HET__OP_T_QLINEAR_CONV ? 3 : 1;
    const het__value *x = operand(graph, node, 0), *w = operand(graph, node, at);
    const double groups = (double)het__attr_int(&node->attrs.tensor, "group", 1);
    double window = 1;
    for (uint32_t i = 2; w && i < w->rank; i++)
        window *= extent(w, i, symbols);
    if (groups > 1 && x && x->rank > 1 && extent(x, 1, symbols) == groups)
        p->flags |= HET_PARALLELISM_DEPTHWISE;
    if (window == 1 && groups == 1)
        p->flags |= HET_PARALLELISM_POINTWISE;
    const double depth = p->total_count > 0 ? work->macs / p->total_count : 0;
    const double rows = p->batch_count * p->spatial_count;
    if (p->flags & HET_PARALLELISM_DEPTHWISE)
        *shape = (het__work_shape){ .matrices = 1, .rows = rows, .columns = p->channel_count,
                                    .depth = depth, .is_apart = true };
    else
        *shape = (het__work_shape){ .matrices = groups, .rows = rows,
                                    .columns = p->channel_count / groups, .depth = depth };
}

/* Attention of a language model: a head of a token is one piece. */
static void of_attention(const het__node *node, const int64_t *symbols, const het__work *work,
                         het_parallelism *p, het__work_shape *shape)
{
    const het__attention_attrs *a = &node->attrs.attention;
    const double sequences = (double)symbols[HET__SYM_SEQUENCES];
    p->batch_count = sequences > 0 ? sequences : 1;
    p->spatial_count = (double)symbols[HET__SYM_TOKENS] / p->batch_count;
    p->channel_count = a->heads;
    p->total_count = p->batch_count * p->spatial_count * p->channel_count;
    const double elements = p->total_count * a->head_size;
    *shape = (het__work_shape){ .matrices = p->batch_count * a->heads, .rows = p->spatial_count,
                                .columns = a->head_size,
                                .depth = elements > 0 ? work->macs / elements : 0 };
}

/* A product. Where the second operand is one matrix, all rows are rows of one. */
static void of_product(const het__graph *graph, const het__node *node, const het__work *work,
                       const het_parallelism *p, het__work_shape *shape)
{
    const het__value *b = operand(graph, node, 1);
    shape->depth = work->macs / p->total_count;
    if (!het__op_is_tensor(node->op) || (b && b->rank <= 2)) {
        shape->rows *= shape->matrices;
        shape->matrices = 1;
    }
}

void het__node_parallelism(const het__graph *graph, const het__node *node, const int64_t *symbols,
                           const het__work *work, het_parallelism *p, het__work_shape *shape)
{
    const het__value *out = &graph->values[node->outputs[0]];
    *p = (het_parallelism){ .struct_size = sizeof *p, .batch_count = 1, .channel_count = 1,
                            .spatial_count = 1 };
    by_axes(node, out, symbols, p);
    if (node->op == HET__OP_LINEAR) /* one output per projection, of the same rows */
        p->channel_count = p->batch_count > 0 ? work->units / p->batch_count : 0;
    p->total_count = p->batch_count * p->channel_count * p->spatial_count;
    *shape = (het__work_shape){ .matrices = p->batch_count, .rows = p->spatial_count,
                                .columns = p->channel_count };
    if (node->op == HET__OP_ATTENTION)
        of_attention(node, symbols, work, p, shape);
    else if (is_conv(node->op))
        of_conv(graph, node, symbols, work, p, shape);
    else if (work->macs > 0 && p->total_count > 0)
        of_product(graph, node, work, p, shape);
    if (is_by_row(node)) {
        p->channel_count = node->op == HET__OP_NORM && p->batch_count > 0
                               ? work->units / p->batch_count : 1;
        p->total_count = p->batch_count * p->channel_count * p->spatial_count;
    }
    shape->element_bytes = (double)het__dtype(out->dtype)->block_bytes /
                           (double)het__dtype(out->dtype)->block_elements;
}
