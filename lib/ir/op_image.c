/* SPDX-License-Identifier: Apache-2.0 */
/* Rules of the operations on images, plain or blocked, of floats or of codes, and of the general
 * matrix product. */
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

const char *het__act_name(het__act_kind kind)
{
    static const char *const names[HET__ACT_COUNT] = {
        [HET__ACT_NONE] = "",
        [HET__ACT_RELU] = "relu",
        [HET__ACT_CLIP] = "clip",
        [HET__ACT_LEAKY_RELU] = "leaky_relu",
        [HET__ACT_SIGMOID] = "sigmoid",
        [HET__ACT_TANH] = "tanh",
        [HET__ACT_SWISH] = "swish",
        [HET__ACT_HARD_SIGMOID] = "hard_sigmoid",
        [HET__ACT_HARD_SWISH] = "hard_swish",
        [HET__ACT_GELU_ERF] = "gelu_erf",
        [HET__ACT_GELU_TANH] = "gelu_tanh",
    };
    return (uint32_t)kind < HET__ACT_COUNT ? names[kind] : NULL;
}

static bool is_concrete(const het__value *v)
{
    for (uint32_t i = 0; i < v->rank; i++)
        if (v->extent[i].symbol != HET__SYM_ONE || v->extent[i].count < 0)
            return false;
    return true;
}

static bool same_extents(const het__value *a, const het__value *b)
{
    bool same = a->rank == b->rank;
    for (uint32_t i = 0; same && i < a->rank; i++)
        same = a->extent[i].count == b->extent[i].count;
    return same;
}

static int64_t blocks(int64_t channels, int64_t block)
{
    return (channels + block - 1) / block;
}

static bool is_code(het_dtype dtype)
{
    return dtype == HET_DTYPE_U8 || dtype == HET_DTYPE_I8;
}

/* An image of so many channels, in blocks of so many (0: plain). */
static bool is_image(const het__value *v, int64_t channels, int64_t block)
{
    if ((v->dtype != HET_DTYPE_F32 && !is_code(v->dtype)) || !is_concrete(v) || channels <= 0)
        return false;
    if (block == 0)
        return v->rank == 4 && v->extent[1].count == channels;
    return v->rank == 5 && v->extent[4].count == block &&
           v->extent[1].count == blocks(channels, block);
}

static void image_of(het__value *out, int64_t batch, int64_t channels, int64_t block,
                     const int64_t size[2])
{
    const int64_t extent[5] = { batch, block ? blocks(channels, block) : channels, size[0],
                                size[1], block };
    out->rank = block ? 5 : 4;
    for (uint32_t i = 0; i < out->rank; i++)
        out->extent[i] = (het__extent){ extent[i], HET__SYM_ONE };
}

/* Places that the window takes along each axis; false if there are none. */
static bool window_of(const het__image_attrs *a, const het__value *x, int64_t size[2])
{
    for (int i = 0; i < 2; i++) {
        if (a->kernel[i] <= 0 || a->stride[i] <= 0 || a->dilation[i] <= 0 || a->pad_begin[i] < 0 ||
            a->pad_end[i] < 0)
            return false;
        const int64_t reach = (int64_t)a->dilation[i] * (a->kernel[i] - 1) + 1;
        const int64_t padded = x->extent[2 + i].count + a->pad_begin[i] + a->pad_end[i];
        if (padded < reach)
            return false;
        size[i] = (padded - reach) / a->stride[i] + 1;
    }
    return true;
}

static bool is_vector(const het__value *v, het_dtype dtype, int64_t count)
{
    return v->dtype == dtype && v->rank == 1 && is_concrete(v) && v->extent[0].count == count;
}

/* What a convolution of codes has instead of an activation and a residual. */
static const char *codes_problem(const het__graph *graph, const het__node *node)
{
    const het__image_attrs *a = &node->attrs.image;
    const het__value *factor = input(graph, node, 2), *bias = input(graph, node, 3);
    const bool is_signed = input(graph, node, 0)->dtype == HET_DTYPE_I8;
    const int32_t low = a->type == HET_DTYPE_I8 ? -128 : 0, in_low = is_signed ? -128 : 0;
    if (!is_code(input(graph, node, 0)->dtype) || !is_code(a->type) ||
        input(graph, node, 1)->dtype != HET_DTYPE_I8)
        return "an image or the weight does not hold codes of eight bits";
    if (!factor || !is_vector(factor, HET_DTYPE_F32, a->channels_out))
        return "there is not one factor per channel";
    if (bias && !is_vector(bias, HET_DTYPE_I32, a->channels_out))
        return "there is not one bias of 32 bits per channel";
    if (a->zero_in < in_low || a->zero_in > in_low + 255 || a->zero_out < low ||
        a->zero_out > low + 255 || a->least < low || a->most > low + 255 || a->least > a->most)
        return "a zero point or the range of codes lies outside the type";
    return a->residual || a->act.kind != HET__ACT_NONE ? "codes are not activated" : NULL;
}

static const char *conv_problem(const het__graph *graph, const het__node *node,
                                const het__value *out)
{
    const het__image_attrs *a = &node->attrs.image;
    const bool is_float = node->op == HET__OP_CONV;
    const het__value *w = input(graph, node, 1);
    const het__value *bias = is_float ? input(graph, node, 2) : NULL;
    const het__value *residual = is_float ? input(graph, node, 3) : NULL;
    if (a->groups <= 0 || a->channels_in % a->groups != 0 || a->channels_out % a->groups != 0)
        return "the groups do not divide the channels";
    if (!w || w->rank != 4 || !is_concrete(w) || w->extent[0].count != a->channels_out ||
        w->extent[1].count != a->channels_in / a->groups || w->extent[2].count != a->kernel[0] ||
        w->extent[3].count != a->kernel[1])
        return "the weight does not fit the window and the channels";
    if (bias && (bias->rank != 1 || !is_concrete(bias) ||
                 bias->extent[0].count != a->channels_out))
        return "there is not one bias per channel";
    if ((residual != NULL) != a->residual || (residual && !same_extents(residual, out)))
        return "the residual does not have the shape of the output";
    return is_float ? NULL : codes_problem(graph, node);
}

/* Codes go through where nothing is computed with them. */
static const char *type_problem(const het__node *node, const het__value *x)
{
    const het__image_attrs *a = &node->attrs.image;
    if (node->op == HET__OP_CONV)
        return x->dtype == HET_DTYPE_F32 ? NULL : "the input does not hold floats";
    if (node->op == HET__OP_POOL && x->dtype != HET_DTYPE_F32)
        return a->mean || a->act.kind != HET__ACT_NONE ? "only maxima are taken of codes" : NULL;
    return NULL;
}

het_status het__op_shape_image(const het__graph *graph, const het__node *node,
                               het__value *outputs, uint32_t *count, het_error *err)
{
    const het__image_attrs *a = &node->attrs.image;
    const het__value *x = input(graph, node, 0);
    int64_t size[2];
    if (a->block_in < 0 || a->block_out < 0 || a->channels_out <= 0 || !x ||
        !is_image(x, a->channels_in, a->block_in))
        return refuse(node, "the input is not the image that it should be", err);
    if (!het__act_name(a->act.kind))
        return refuse(node, "the activation is unknown", err);
    *count = 1;
    if (node->op == HET__OP_BLOCK || node->op == HET__OP_UNBLOCK) {
        const bool blocks_it = node->op == HET__OP_BLOCK;
        if (a->channels_in != a->channels_out || (a->block_in == 0) != blocks_it ||
            (a->block_out == 0) == blocks_it)
            return refuse(node, "one side is plain and the other blocked", err);
        size[0] = x->extent[2].count;
        size[1] = x->extent[3].count;
    } else if (!window_of(a, x, size)) {
        return refuse(node, "the window does not fit the image", err);
    }
    image_of(outputs, x->extent[0].count, a->channels_out, a->block_out, size);
    outputs->dtype = node->op == HET__OP_QCONV ? a->type : x->dtype;
    const char *problem = type_problem(node, x);
    if (!problem && (node->op == HET__OP_CONV || node->op == HET__OP_QCONV))
        problem = conv_problem(graph, node, outputs);
    else if (!problem && node->op == HET__OP_POOL &&
             (a->channels_in != a->channels_out || a->block_in != a->block_out))
        problem = "a pool changes the channels";
    return problem ? refuse(node, problem, err) : HET_OK;
}

void het__op_count_image(const het__graph *graph, const het__node *node, const int64_t *symbols,
                         het__work *work)
{
    const het__image_attrs *a = &node->attrs.image;
    const het__value *out = &graph->values[node->outputs[0]];
    const double places = (double)out->extent[0].count * (double)out->extent[2].count *
                          (double)out->extent[3].count;
    const double n = places * a->channels_out;
    (void)symbols;
    work->units = n;
    if (node->op == HET__OP_BLOCK || node->op == HET__OP_UNBLOCK)
        return;
    const double window = (double)a->kernel[0] * a->kernel[1];
    if (node->op == HET__OP_CONV || node->op == HET__OP_QCONV) {
        work->macs = n * window * a->channels_in / a->groups;
        work->flops = 2 * work->macs;
        work->flops += input(graph, node, 2) ? n : 0;
        work->flops += input(graph, node, 3) && !a->residual ? n : 0;
        work->flops += a->residual ? n : 0;
    } else {
        work->flops = n * window;
    }
    work->flops += a->act.kind != HET__ACT_NONE ? n : 0;
}

het_status het__op_shape_map(const het__graph *graph, const het__node *node, het__value *outputs,
                             uint32_t *count, het_error *err)
{
    const het__value *x = input(graph, node, 0), *table = input(graph, node, 1);
    const het_dtype type = node->attrs.map.type;
    if (!x || !is_code(x->dtype) || !is_concrete(x) || !is_code(type))
        return refuse(node, "codes of eight bits are not mapped to such", err);
    if (!table || !is_vector(table, type, 256))
        return refuse(node, "the table does not have 256 entries of the output's type", err);
    outputs->dtype = type;
    outputs->rank = x->rank;
    memcpy(outputs->extent, x->extent, sizeof outputs->extent);
    *count = 1;
    return HET_OK;
}

/* ---- matmul ---- */

static const char *matmul_problem(const het__value *a, const het__value *b,
                                  const het__matmul_attrs *attrs)
{
    if (!a || !b || a->rank < 2 || b->rank < 2 || b->rank > a->rank || !is_concrete(a) ||
        !is_concrete(b))
        return "the operands are not matrices";
    const int64_t k = b->extent[attrs->transpose_b ? b->rank - 1 : b->rank - 2].count;
    if (a->extent[a->rank - 1].count != k)
        return "the columns of a are not the rows of b";
    for (uint32_t i = 2; i < b->rank; i++) {
        const int64_t m = b->extent[b->rank - 1 - i].count;
        if (m != 1 && m != a->extent[a->rank - 1 - i].count)
            return "the leading extents differ";
    }
    return NULL;
}

het_status het__op_shape_matmul(const het__graph *graph, const het__node *node,
                                het__value *outputs, uint32_t *count, het_error *err)
{
    const het__matmul_attrs *attrs = &node->attrs.matmul;
    const het__value *a = input(graph, node, 0), *b = input(graph, node, 1);
    const het__value *bias = input(graph, node, 2), *residual = input(graph, node, 3);
    const char *problem = matmul_problem(a, b, attrs);
    if (problem)
        return refuse(node, problem, err);
    if (!het__act_name(attrs->act.kind))
        return refuse(node, "the activation is unknown", err);
    outputs->rank = a->rank;
    memcpy(outputs->extent, a->extent, sizeof outputs->extent);
    const het__extent n = b->extent[attrs->transpose_b ? b->rank - 2 : b->rank - 1];
    outputs->extent[a->rank - 1] = n;
    if (bias && (bias->rank != 1 || !is_concrete(bias) || bias->extent[0].count != n.count))
        return refuse(node, "there is not one bias per column", err);
    if (residual && !same_extents(residual, outputs))
        return refuse(node, "the residual does not have the shape of the output", err);
    *count = 1;
    return HET_OK;
}

void het__op_count_matmul(const het__graph *graph, const het__node *node, const int64_t *symbols,
                          het__work *work)
{
    const het__value *a = input(graph, node, 0);
    const double n = (double)het__value_elements(&graph->values[node->outputs[0]], symbols);
    work->macs = n * (double)a->extent[a->rank - 1].count;
    work->flops = 2 * work->macs;
    work->flops += input(graph, node, 2) ? n : 0;
    work->flops += input(graph, node, 3) ? n : 0;
    work->flops += node->attrs.matmul.act.kind != HET__ACT_NONE ? n : 0;
    work->units = n;
}
