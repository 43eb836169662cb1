/* SPDX-License-Identifier: Apache-2.0 */
/* To which class of work a node belongs, and which arithmetic its weights allow. */
#include "lib/cost/cost.h"

#include <math.h>

#include "lib/base/dtype.h"
#include "lib/ir/rounding.h"

static const het__value *input_of(const het__graph *graph, const het__node *node, uint32_t i)
{
    if (i >= node->input_count || node->inputs[i] == HET__NO_VALUE)
        return NULL;
    return &graph->values[node->inputs[i]];
}

/* ---- windows ---- */

static uint32_t window_class(bool is_depth, bool is_point)
{
    return is_depth ? HET__WORK_CONV_DEPTH : is_point ? HET__WORK_CONV_POINT : HET__WORK_CONV;
}

static uint32_t image_class(const het__image_attrs *a)
{
    return window_class(a->groups > 1 && a->groups == a->channels_in,
                        a->kernel[0] == 1 && a->kernel[1] == 1);
}

/* A pool whose one window is the image. */
static bool is_global(const het__graph *graph, const het__node *node)
{
    const het__value *x = input_of(graph, node, 0);
    const het__image_attrs *a = &node->attrs.image;
    if (!x || x->rank < 4)
        return false;
    for (uint32_t i = 0; i < 2; i++) /* [N, C, H, W], or the same in blocks behind */
        if (x->extent[2 + i].symbol != HET__SYM_ONE || x->extent[2 + i].count != a->kernel[i])
            return false;
    return true;
}

/* By the weights [M, C/g, window…] of a convolution in the form of the file. */
static uint32_t tensor_conv_class(const het__graph *graph, const het__node *node)
{
    const bool quantised = node->op == HET__OP_T_QLINEAR_CONV;
    const het__value *w = input_of(graph, node, quantised ? 3 : 1);
    if (!w || !het__value_is_known(w) || w->rank < 3)
        return HET__WORK_CONV;
    bool is_point = true;
    for (uint32_t i = 2; i < w->rank; i++)
        is_point = is_point && w->extent[i].symbol == HET__SYM_ONE && w->extent[i].count == 1;
    const int64_t groups = het__attr_int(&node->attrs.tensor, "group", 1);
    return window_class(groups > 1 && w->extent[1].count == 1, is_point);
}

/* ---- tensor operations: the table's own order gives ranges ---- */

static uint32_t tensor_class(const het__graph *graph, const het__node *node)
{
    switch (node->op) {
    case HET__OP_T_MAT_MUL: case HET__OP_T_GEMM: case HET__OP_T_EINSUM:
    case HET__OP_T_MAT_MUL_INTEGER: case HET__OP_T_QLINEAR_MAT_MUL:
        return HET__WORK_MATMUL;
    case HET__OP_T_CONV: case HET__OP_T_CONV_INTEGER: case HET__OP_T_QLINEAR_CONV:
        return tensor_conv_class(graph, node);
    case HET__OP_T_CONV_TRANSPOSE: case HET__OP_T_DEFORM_CONV:
        return HET__WORK_CONV_UP;
    case HET__OP_T_AVERAGE_POOL: case HET__OP_T_MAX_POOL: case HET__OP_T_LP_POOL:
    case HET__OP_T_MAX_ROI_POOL: case HET__OP_T_ROI_ALIGN: case HET__OP_T_MAX_UNPOOL:
        return HET__WORK_POOL;
    case HET__OP_T_GLOBAL_AVERAGE_POOL: case HET__OP_T_GLOBAL_MAX_POOL:
    case HET__OP_T_GLOBAL_LP_POOL: case HET__OP_T_MS_QLINEAR_POOL:
        return HET__WORK_REDUCE;
    case HET__OP_T_ATTENTION: case HET__OP_T_FLEX_ATTENTION: case HET__OP_T_LINEAR_ATTENTION:
        return HET__WORK_ATTENTION;
    case HET__OP_T_RESIZE: case HET__OP_T_UPSAMPLE:
        return HET__WORK_RESIZE;
    case HET__OP_T_SOFTMAX: case HET__OP_T_LOG_SOFTMAX:
        return HET__WORK_SOFTMAX;
    case HET__OP_T_RNN: case HET__OP_T_GRU: case HET__OP_T_LSTM:
        return HET__WORK_RECURRENT;
    case HET__OP_T_ROTARY_EMBEDDING: case HET__OP_T_RANGE:
        return HET__WORK_ELEMENTWISE;
    default:
        break;
    }
    if (node->op <= HET__OP_T_MS_QLINEAR_MUL)
        return HET__WORK_ELEMENTWISE;
    if (node->op >= HET__OP_T_RESHAPE && node->op <= HET__OP_T_TRILU)
        return HET__WORK_MOVE;
    if (node->op >= HET__OP_T_GRID_SAMPLE && node->op <= HET__OP_T_TOP_K)
        return HET__WORK_GATHER;
    if (node->op >= HET__OP_T_REDUCE_L1 && node->op <= HET__OP_T_ARG_MIN)
        return HET__WORK_REDUCE;
    if (node->op >= HET__OP_T_SOFTMAX && node->op <= HET__OP_T_MEAN_VARIANCE_NORMALIZATION)
        return HET__WORK_NORM;
    return HET__WORK_OTHER;
}

uint32_t het__work_class_of(const het__graph *graph, const het__node *node)
{
    if (het__op_is_tensor(node->op))
        return tensor_class(graph, node);
    switch (node->op) {
    case HET__OP_LINEAR: case HET__OP_GATED: case HET__OP_MATMUL:
        return HET__WORK_MATMUL;
    case HET__OP_CONV: case HET__OP_QCONV:
        return image_class(&node->attrs.image);
    case HET__OP_POOL:
        return is_global(graph, node) ? HET__WORK_REDUCE : HET__WORK_POOL;
    case HET__OP_MOE:
        return HET__WORK_MOE;
    case HET__OP_ATTENTION:
        return HET__WORK_ATTENTION;
    case HET__OP_NORM:
        return HET__WORK_NORM;
    case HET__OP_SOFTMAX:
        return HET__WORK_SOFTMAX;
    case HET__OP_ROPE: case HET__OP_ADD: case HET__OP_MUL: case HET__OP_UNARY: case HET__OP_QMAP:
    case HET__OP_CUT: case HET__OP_MATCH: case HET__OP_PREDICT: case HET__OP_CORRECT:
        return HET__WORK_ELEMENTWISE;
    case HET__OP_EMBED: case HET__OP_ROWS:
        return HET__WORK_GATHER;
    case HET__OP_BLOCK: case HET__OP_UNBLOCK: case HET__OP_COLUMNS: case HET__OP_JOIN:
        return HET__WORK_MOVE;
    default:
        return HET__WORK_OTHER;
    }
}

/* ---- weights ---- */

/* The first operand that is used again and again, or the first one at all. */
static const het__value *weight_of(const het__graph *graph, const het__node *node,
                                   uint32_t work_class)
{
    switch (node->op) {
    case HET__OP_LINEAR: case HET__OP_MOE: return input_of(graph, node, 2);
    case HET__OP_EMBED: return input_of(graph, node, 0);
    case HET__OP_ATTENTION: return input_of(graph, node, HET__ATTN_K_STATE);
    case HET__OP_T_QLINEAR_CONV: case HET__OP_T_QLINEAR_MAT_MUL: return input_of(graph, node, 3);
    default: break;
    }
    return input_of(graph, node, work_class <= HET__WORK_CONV_UP ? 1 : 0);
}

/* Elements of the second operand; 0: not known. */
static double weight_elements(const het__graph *graph, const het__node *node)
{
    double sum = 0;
    const bool linear = node->op == HET__OP_LINEAR, gated = node->op == HET__OP_GATED;
    const uint32_t step = linear ? 2 : 1, first = linear ? 2 : 1;
    const uint32_t end = linear ? node->input_count : gated ? 3 : first + 1;
    for (uint32_t i = first; i < end; i += step) {
        const het__value *w = input_of(graph, node, i);
        if (!w || !het__value_is_known(w))
            return 0;
        double n = 1;
        for (uint32_t k = 0; k < w->rank; k++)
            n *= w->extent[k].symbol == HET__SYM_ONE ? (double)w->extent[k].count : 0;
        sum += n;
    }
    return sum;
}

uint32_t het__work_class_bound(const het__graph *graph, const het__node *node,
                               const het__work *work)
{
    const uint32_t work_class = het__work_class_of(graph, node);
    if (work_class != HET__WORK_MATMUL || node->op == HET__OP_T_QLINEAR_MAT_MUL)
        return work_class;
    const double weights = weight_elements(graph, node);
    return weights > 0 && work->macs < 1.5 * weights ? HET__WORK_MATMUL_ONE : HET__WORK_MATMUL;
}

/* Constant matrices of a product: the first, the step to the next, and the end of them among its
 * inputs; step 0: none that are rounded to. */
static uint32_t matrices_of(const het__node *node, uint32_t *first, uint32_t *end)
{
    switch (node->op) {
    case HET__OP_LINEAR: *first = 2; *end = node->input_count; return 2;
    case HET__OP_GATED: *first = 1; *end = 3; return 1;
    case HET__OP_MOE: *first = 2; *end = 5; return 1;
    default: *first = *end = 0; return 0;
    }
}

/* Whether most of its weights lie in small matrices; that of a mixture is one expert's. */
static bool is_small(const het__graph *graph, const het__node *node)
{
    uint32_t first, end;
    double small = 0, all = 0;
    const uint32_t step = matrices_of(node, &first, &end);
    for (uint32_t i = first; step && i < end; i += step) {
        const het__value *w = input_of(graph, node, i);
        if (!w || w->rank < 2)
            continue;
        const double n = (double)w->extent[w->rank - 1].count *
                         (double)w->extent[w->rank - 2].count;
        all += n;
        small += n < (double)HET__ROUNDED_ELEMENTS_MIN ? n : 0;
    }
    return 2 * small > all;
}

/* What the products with weights of a type may use; everything else runs on the F32 units. */
static uint32_t peak_of(const het__node *node, uint32_t format, bool exact)
{
    if (node->op == HET__OP_QCONV)
        return HET__PEAK_INT8;
    if (exact || (node->op != HET__OP_LINEAR && node->op != HET__OP_GATED &&
                  node->op != HET__OP_MOE))
        return HET__PEAK_F32;
    return het__dtype_is_block((het_dtype)format) ? HET__PEAK_INT8
           : format == HET_DTYPE_BF16             ? HET__PEAK_BF16 : HET__PEAK_F32;
}

static double padded(double channels, int32_t block)
{
    return block > 0 && channels > 0 ? ceil(channels / block) * block / channels : 1;
}

/* Lanes are filled by blocks of channels; what pads the last block is computed like the rest, of
 * inputs not on cores, which go through F32 channels one by one. */
static double lane_padding(const het__node *node, uint32_t work_class, bool cores)
{
    const het__image_attrs *a = &node->attrs.image;
    if ((node->op != HET__OP_CONV && node->op != HET__OP_QCONV) || a->groups < 1)
        return 1;
    const double out = padded(a->channels_out, a->block_out);
    return work_class == HET__WORK_CONV_DEPTH || a->groups > 1 ||
                   (cores && node->op == HET__OP_CONV)
               ? out : out * padded(a->channels_in, a->block_in);
}

/* ---- curves ---- */

/* What an exponential and a division come to in products and sums, on units that do many at once:
 * convolutions with and without a swish behind them, AVX-512. */
#define CURVE_FLOPS 50

static bool is_curve(het__act_kind kind)
{
    return kind == HET__ACT_SIGMOID || kind == HET__ACT_TANH || kind == HET__ACT_SWISH ||
           kind == HET__ACT_GELU_ERF || kind == HET__ACT_GELU_TANH;
}

/* Arithmetic of an activation that the count of operations takes as one per result. */
static double curve_flops(const het__node *node, const het__work *work)
{
    const het__act_kind kind = node->op == HET__OP_CONV || node->op == HET__OP_POOL
                                   ? node->attrs.image.act.kind
                               : node->op == HET__OP_MATMUL ? node->attrs.matmul.act.kind
                                                            : HET__ACT_NONE;
    return is_curve(kind) ? CURVE_FLOPS * work->units : 0;
}

void het__work_item_of(const het__graph *graph, const het__node *node, const het__work *work,
                       const het__machine_device *device, bool exact, het__work_item *item)
{
    item->work_class = het__work_class_bound(graph, node, work);
    const het__value *w = weight_of(graph, node, item->work_class);
    item->format = w && w->dtype != HET_DTYPE_NONE ? w->dtype : HET_DTYPE_F32;
    item->peak = peak_of(node, item->format, exact || (device->unit_class == HET__UNIT_CORES &&
                                                        is_small(graph, node)));
    item->flops = work->flops * lane_padding(node, item->work_class,
                                             device->unit_class == HET__UNIT_CORES) +
                  curve_flops(node, work);
    item->input_bytes = work->input_bytes;
    item->output_bytes = work->output_bytes;
    item->weight_bytes = work->weight_bytes;
    item->units = work->units;
}
