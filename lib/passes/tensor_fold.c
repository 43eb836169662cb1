/* SPDX-License-Identifier: Apache-2.0 */
/* What stands behind or before a convolution and is linear moves into its weights: batch
 * normalisation, products and sums with one number per channel, padding with zeros.
 *
 *     (conv(x, w) + b) * scale + shift = conv(x, w * scale) + (b * scale + shift) */
#include <math.h>
#include <string.h>

#include "lib/ir/window.h"
#include "lib/passes/match.h"
#include "lib/passes/tensor.h"

#define SPATIAL_MAX (HET_RANK_MAX - 2)

/* One number per output channel, from the arena. */
typedef struct affine {
    double *scale, *shift;
    int64_t channels;
} affine;

static bool affine_init(het__rewriter *r, affine *a, int64_t channels)
{
    a->channels = channels;
    a->scale = het__arena_zero(&r->graph->arena, (size_t)channels + 1, sizeof *a->scale);
    a->shift = het__arena_zero(&r->graph->arena, (size_t)channels + 1, sizeof *a->shift);
    for (int64_t i = 0; a->scale && i < channels; i++)
        a->scale[i] = 1;
    return a->scale && a->shift;
}

/* ---- what follows ---- */

/* Number i of an F32 constant, of which there is one per channel or one for all. */
static double number(const het__tensor *t, int64_t i)
{
    return het__match_number(t, het__tensor_elements(t) == 1 ? 0 : i);
}

static bool from_batch_norm(const het__rewriter *r, const het__node *node, affine *a)
{
    het__tensor p[5];
    const double eps = (double)het__attr_float(&node->attrs.tensor, "epsilon", 1e-5f);
    if (node->output_count != 1 || node->input_count != 5 ||
        het__attr_int(&node->attrs.tensor, "training_mode", 0))
        return false;
    for (uint32_t i = 1; i < 5; i++)
        if (!het__match_constant(r, node->inputs[i], &p[i]) || p[i].dtype != HET_DTYPE_F32 ||
            p[i].rank != 1 || p[i].extent[0] != a->channels)
            return false;
    for (int64_t c = 0; c < a->channels; c++) {
        a->scale[c] = number(&p[1], c) / sqrt(number(&p[4], c) + eps);
        a->shift[c] = number(&p[2], c) - number(&p[3], c) * a->scale[c];
    }
    return true;
}

/* A constant that is broadcast along everything but channels, axis 1 of an image of this rank. */
static bool per_channel(const het__rewriter *r, uint32_t value, uint32_t rank, int64_t channels,
                        het__tensor *t)
{
    if (!het__match_constant(r, value, t) || t->dtype != HET_DTYPE_F32 || t->rank > rank)
        return false;
    for (uint32_t i = 0; i < t->rank; i++) {
        const uint32_t axis = i + rank - t->rank;
        if (t->extent[i] != 1 && (axis != 1 || t->extent[i] != channels))
            return false;
    }
    return true;
}

/* node = value op constant (or the other way round, where that is affine). */
static bool from_binary(const het__rewriter *r, const het__node *node, uint32_t value, affine *a)
{
    het__tensor c;
    if (node->input_count != 2 || node->inputs[0] == node->inputs[1] ||
        !het__match_same_shape(r, value, node->outputs[0]))
        return false;
    const bool first = node->inputs[0] == value;
    if (!per_channel(r, node->inputs[first ? 1 : 0], r->graph->values[value].rank, a->channels,
                     &c) ||
        (node->op == HET__OP_T_DIV && !first))
        return false;
    for (int64_t i = 0; i < a->channels; i++) {
        const double x = number(&c, i);
        switch (node->op) {
        case HET__OP_T_ADD: a->shift[i] = x; break;
        case HET__OP_T_SUB:
            a->scale[i] = first ? 1 : -1;
            a->shift[i] = first ? -x : x;
            break;
        case HET__OP_T_MUL: a->scale[i] = x; break;
        case HET__OP_T_DIV: a->scale[i] = 1 / x; break;
        default: return false;
        }
        if (!isfinite(a->scale[i]))
            return false;
    }
    return true;
}

/* ---- new weights ---- */

/* Weights that belong to one output channel lie side by side: all of it, or (transposed, where they
 * are [in, out / groups, taps]) the taps of one input channel. */
static void scale_weights(const het__node *conv, const het__tensor *w, const affine *a, float *out)
{
    const int64_t taps = het__tensor_span(w, 2, w->rank);
    const int64_t run = conv->op == HET__OP_T_CONV ? w->extent[1] * taps : taps;
    const int64_t runs = het__tensor_elements(w) / run;
    for (int64_t k = 0; k < runs; k++) {
        int64_t channel = k;
        if (conv->op == HET__OP_T_CONV_TRANSPOSE) {
            const int64_t per_group = w->extent[1], groups = a->channels / per_group;
            const int64_t group = k / per_group / (w->extent[0] / groups);
            channel = group * per_group + k % per_group;
        }
        const double scale = a->scale[channel];
        for (int64_t i = k * run; i < (k + 1) * run; i++)
            out[i] = (float)(het__match_number(w, i) * scale);
    }
}

static void fold(het__rewriter *r, uint32_t index, const het__node *next, const affine *a,
                 const het__tensor *w, const het__tensor *old_bias)
{
    const het__node conv = r->graph->nodes[index];
    const uint32_t last = next->outputs[0];
    float *weights, *bias;
    uint32_t in[3] = { conv.inputs[0] };
    in[1] = het__rw_floats(r, r->graph->values[conv.inputs[1]].name, w->rank, w->extent, &weights);
    in[2] = het__rw_floats(r, conv.name, 1, &a->channels, &bias);
    if (r->failed)
        return;
    scale_weights(&conv, w, a, weights);
    for (int64_t c = 0; c < a->channels; c++)
        bias[c] = (float)((old_bias->data ? number(old_bias, c) : 0) * a->scale[c] + a->shift[c]);
    const uint32_t made = het__rw_node(r, conv.op, conv.name, in, 3, 1, &conv.attrs);
    if (!r->failed)
        het__match_replace(r, last, made);
}

/* True if the node was replaced. */
static bool fold_next(het__rewriter *r, uint32_t index)
{
    const het__node *conv = &r->graph->nodes[index];
    const uint32_t value = conv->outputs[0];
    het__tensor w, bias, y;
    affine a;
    memset(&bias, 0, sizeof bias);
    const het__node *next = het__rw_reader(r, value);
    if (!next || conv->input_count < 2 || !het__match_tensor(r, value, &y) || y.rank < 3 ||
        !het__match_constant(r, conv->inputs[1], &w) || w.dtype != HET_DTYPE_F32 ||
        w.rank != y.rank || het__tensor_elements(&w) == 0 || y.extent[1] <= 0)
        return false;
    if (het__rw_input(r, conv, 2) &&
        (!het__match_constant(r, conv->inputs[2], &bias) || bias.dtype != HET_DTYPE_F32))
        return false;
    const bool batch = next->op == HET__OP_T_BATCH_NORMALIZATION;
    if (!batch && next->op != HET__OP_T_ADD && next->op != HET__OP_T_SUB &&
        next->op != HET__OP_T_MUL && next->op != HET__OP_T_DIV)
        return false;
    if (!affine_init(r, &a, y.extent[1]) ||
        !(batch ? from_batch_norm(r, next, &a) : from_binary(r, next, value, &a)))
        return false;
    fold(r, index, next, &a, &w, &bias);
    return !r->failed;
}

/* ---- padding ---- */

/* Padding with zeros behind and before spatial axes only; pads as of a window. */
static bool zero_padding(const het__rewriter *r, const het__node *pad, uint32_t rank,
                         int64_t *pads)
{
    const het__attr_list *list = &pad->attrs.tensor;
    const bool in_attrs = list->opset < 11;
    int64_t given[2 * HET_RANK_MAX], axes[HET_RANK_MAX];
    uint32_t count, axis_count = rank;
    double value = in_attrs ? (double)het__attr_float(list, "value", 0) : 0;
    if (strcmp(het__attr_string(list, "mode", "constant"), "constant") != 0 ||
        (het__rw_input(r, pad, 2) && !het__rw_scalar(r, pad->inputs[2], &value)) || value != 0 ||
        !het__match_ints(r, pad, 1, in_attrs ? "pads" : NULL, 2 * HET_RANK_MAX, given, &count))
        return false;
    for (uint32_t i = 0; i < rank; i++)
        axes[i] = i;
    if (het__rw_input(r, pad, 3) &&
        !het__match_ints(r, pad, 3, NULL, HET_RANK_MAX, axes, &axis_count))
        return false;
    if (rank < 3 || count != 2 * axis_count)
        return false;
    memset(pads, 0, 2 * SPATIAL_MAX * sizeof *pads);
    for (uint32_t i = 0; i < axis_count; i++) {
        const int64_t axis = het__axis(axes[i], rank);
        const int64_t begin = given[i], end = given[axis_count + i];
        if (axis < 0 || begin < 0 || end < 0 || begin > INT32_MAX || end > INT32_MAX)
            return false;
        if (axis < 2 && (begin || end))
            return false;
        if (axis >= 2) {
            pads[axis - 2] = begin;
            pads[axis - 2 + rank - 2] = end;
        }
    }
    return true;
}

/* An average counts what the padding was: zeros, unless its own padding does not count. */
static bool pads_fit(const het__node *node, const het__window *w)
{
    const het__attr_list *list = &node->attrs.tensor;
    bool own = false;
    for (uint32_t i = 0; i < w->axes; i++)
        own = own || w->begin[i] || w->end[i];
    if (node->op == HET__OP_T_CONV)
        return true;
    return het__attr_int(list, "ceil_mode", 0) == 0 &&
           (!own || het__attr_int(list, "count_include_pad", 0) != 0);
}

/* The node's attributes with other pads. */
static bool padded_attrs(het__rewriter *r, const het__node *node, const int64_t *pads,
                         uint32_t count, het__attrs *attrs)
{
    het__attr items[24];
    uint32_t n = 0;
    const het__attr_list *list = &node->attrs.tensor;
    if (list->count > 20)
        return false;
    for (uint32_t i = 0; i < list->count; i++) {
        const char *name = list->items[i].name;
        if (strcmp(name, "pads") != 0 && strcmp(name, "auto_pad") != 0 &&
            strcmp(name, "count_include_pad") != 0)
            items[n++] = list->items[i];
    }
    items[n++] = het__match_list(r, "pads", pads, count);
    if (node->op == HET__OP_T_AVERAGE_POOL)
        items[n++] = het__match_int("count_include_pad", 1);
    *attrs = het__match_attrs(r, list->opset, items, n);
    return !r->failed;
}

static void fold_pad(het__rewriter *r, uint32_t index)
{
    const het__node node = r->graph->nodes[index];
    const het__node *pad = het__match_made_by(r, node.inputs[0], HET__OP_T_PAD);
    het__tensor inputs[4], outputs[4];
    het__window w;
    het__eval e;
    het__attrs attrs;
    int64_t pads[2 * SPATIAL_MAX];
    const bool pool = node.op == HET__OP_T_AVERAGE_POOL;
    if (!pad || node.input_count > 3 || node.output_count != 1 ||
        !het__rw_eval(r, &node, inputs, outputs, &e) || pad->output_count != 1 ||
        r->uses[node.inputs[0]] != 1 ||
        r->graph->values[node.inputs[0]].kind == HET__VALUE_OUTPUT ||
        (pool ? het__window_pool(&e, &w) : het__window_conv(&e, &w)) != HET_OK ||
        !zero_padding(r, pad, w.axes + 2, pads) || !pads_fit(&node, &w))
        return;
    for (uint32_t i = 0; i < w.axes; i++) {
        pads[i] += w.begin[i];
        pads[w.axes + i] += w.end[i];
        /* A pool whose windows would lie in padding alone is refused by its rule. */
        if (pads[i] > INT32_MAX || pads[w.axes + i] > INT32_MAX ||
            (pool && (pads[i] >= w.kernel[i] || pads[w.axes + i] >= w.kernel[i])))
            return;
    }
    uint32_t in[3];
    memcpy(in, node.inputs, node.input_count * sizeof *in);
    in[0] = pad->inputs[0];
    if (!padded_attrs(r, &node, pads, 2 * w.axes, &attrs))
        return;
    const uint32_t made =
        het__rw_node(r, node.op, node.name, in, node.input_count, 1, &attrs);
    if (!r->failed)
        het__match_replace(r, node.outputs[0], made);
}

void het__pass_fold(het__rewriter *r)
{
    /* Nodes made here stand behind and are looked at in their turn. */
    for (uint32_t n = 0; n < r->graph->node_count && !r->failed; n++) {
        const het__op op = r->graph->nodes[n].op;
        if (r->graph->nodes[n].output_count != 1)
            continue;
        if ((op == HET__OP_T_CONV || op == HET__OP_T_CONV_TRANSPOSE) && fold_next(r, n))
            continue;
        if (op == HET__OP_T_CONV || op == HET__OP_T_AVERAGE_POOL)
            fold_pad(r, n);
        else if (op != HET__OP_NONE)
            het__fold_columns(r, n);
    }
}
