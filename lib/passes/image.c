/* SPDX-License-Identifier: Apache-2.0 */
/* Convolutions, pools and matrix products in F32, as ONNX spells them, become the forms that
 * devices fuse; what is done to each element of their results moves into them. */
#include <math.h>
#include <string.h>

#include "lib/ir/window.h"
#include "lib/passes/tensor.h"

/* The forms hold extents in 32 bits. */
static bool fits(int64_t x)
{
    return x >= 0 && x <= INT32_MAX;
}

static bool is_f32(const het__value *v, uint32_t rank)
{
    return v && v->dtype == HET_DTYPE_F32 && v->rank == rank;
}

static bool is_constant(const het__value *v)
{
    return v && v->kind == HET__VALUE_CONST && v->data;
}

/* ---- windows ---- */

bool het__window_attrs(const het__window *w, het__image_attrs *a)
{
    if (w->axes > 2 || !fits(w->channels) || !fits(w->out_channels))
        return false;
    *a = (het__image_attrs){ .channels_in = (int32_t)w->channels,
                             .channels_out = (int32_t)w->out_channels,
                             .groups = (int32_t)w->groups,
                             .kernel = { 1, 1 }, .stride = { 1, 1 }, .dilation = { 1, 1 } };
    for (uint32_t i = 0; i < w->axes; i++) {
        const uint32_t at = i + 2 - w->axes;
        const int64_t reach = (w->kernel[i] - 1) * w->dilation[i] + 1;
        /* Windows that a rounded-up extent lets hang over the end need that much padding. */
        const int64_t over = (w->out[i] - 1) * w->stride[i] + reach - w->in[i] - w->begin[i];
        const int64_t end = over > w->end[i] ? over : w->end[i];
        if (w->in[i] + w->begin[i] + end < reach ||
            (w->in[i] + w->begin[i] + end - reach) / w->stride[i] + 1 != w->out[i] ||
            !fits(w->begin[i]) || !fits(end))
            return false;
        a->kernel[at] = (int32_t)w->kernel[i];
        a->stride[at] = (int32_t)w->stride[i];
        a->dilation[at] = (int32_t)w->dilation[i];
        a->pad_begin[at] = (int32_t)w->begin[i];
        a->pad_end[at] = (int32_t)end;
    }
    return true;
}

static void convert_conv(het__rewriter *r, uint32_t index)
{
    const het__node node = r->graph->nodes[index];
    const het__value *x = het__rw_input(r, &node, 0), *w = het__rw_input(r, &node, 1);
    const het__value *bias = het__rw_input(r, &node, 2);
    het__tensor inputs[4], outputs[1];
    het__window window;
    het__eval e;
    het__attrs attrs;
    memset(&attrs, 0, sizeof attrs);
    if (!x || (x->rank != 3 && x->rank != 4) || !is_f32(x, x->rank) || !is_f32(w, x->rank) ||
        !is_constant(w) || (bias && (!is_f32(bias, 1) || !is_constant(bias))) ||
        !het__rw_eval(r, &node, inputs, outputs, &e) ||
        het__window_conv(&e, &window) != HET_OK || !het__window_attrs(&window, &attrs.image))
        return;
    const uint32_t in[3] = { het__rw_as_image(r, node.name, node.inputs[0]),
                             het__rw_as_image(r, node.name, node.inputs[1]),
                             bias ? node.inputs[2] : HET__NO_VALUE };
    const uint32_t made = het__rw_node(r, HET__OP_CONV, node.name, in, 3, 1, &attrs);
    het__rw_replace_shaped(r, node.outputs[0], made, node.name);
}

/* Maxima are taken of codes too. */
static bool is_maxima(const het__node *node, const het__value *x)
{
    return node->op == HET__OP_T_MAX_POOL &&
           (x->dtype == HET_DTYPE_U8 || x->dtype == HET_DTYPE_I8) && x->kind != HET__VALUE_CONST;
}

static void convert_pool(het__rewriter *r, uint32_t index)
{
    const het__node node = r->graph->nodes[index];
    const het__value *x = het__rw_input(r, &node, 0);
    het__tensor inputs[1], outputs[HET__EVAL_OUTPUTS_MAX];
    het__window window;
    het__eval e;
    het__attrs attrs;
    memset(&attrs, 0, sizeof attrs);
    if (!x || (x->rank != 3 && x->rank != 4) || !(is_f32(x, x->rank) || is_maxima(&node, x)) ||
        !het__rw_eval(r, &node, inputs, outputs, &e) ||
        (node.output_count > 1 && r->uses[node.outputs[1]] > 0) ||
        het__window_pool(&e, &window) != HET_OK || !het__window_attrs(&window, &attrs.image))
        return;
    het__image_attrs *a = &attrs.image;
    a->mean = node.op == HET__OP_T_AVERAGE_POOL;
    a->count_padding = a->mean && het__attr_int(&node.attrs.tensor, "count_include_pad", 0) != 0;
    /* What hangs over the end is no padding that counts. */
    for (uint32_t i = 0; a->count_padding && i < window.axes; i++)
        if (a->pad_end[i + 2 - window.axes] != window.end[i])
            return;
    const uint32_t in = het__rw_as_image(r, node.name, node.inputs[0]);
    const uint32_t made = het__rw_node(r, HET__OP_POOL, node.name, &in, 1, 1, &attrs);
    het__rw_replace_shaped(r, node.outputs[0], made, node.name);
}

static void convert_global_pool(het__rewriter *r, uint32_t index)
{
    const het__node node = r->graph->nodes[index];
    const het__value *x = het__rw_input(r, &node, 0);
    het__attrs attrs;
    memset(&attrs, 0, sizeof attrs);
    if (!is_f32(x, 4))
        return;
    for (uint32_t i = 1; i < 4; i++)
        if (!fits(x->extent[i].count) || x->extent[i].count == 0)
            return;
    const int32_t channels = (int32_t)x->extent[1].count;
    attrs.image = (het__image_attrs){
        .channels_in = channels, .channels_out = channels, .groups = 1,
        .kernel = { (int32_t)x->extent[2].count, (int32_t)x->extent[3].count },
        .stride = { 1, 1 }, .dilation = { 1, 1 },
        .mean = node.op == HET__OP_T_GLOBAL_AVERAGE_POOL,
    };
    const uint32_t made =
        het__rw_node(r, HET__OP_POOL, node.name, node.inputs, 1, 1, &attrs);
    het__rw_replace_shaped(r, node.outputs[0], made, node.name);
}

void het__pass_windows(het__rewriter *r)
{
    const uint32_t count = r->graph->node_count;
    for (uint32_t n = 0; n < count && !r->failed; n++) {
        switch (r->graph->nodes[n].op) {
        case HET__OP_T_CONV:
            convert_conv(r, n);
            break;
        case HET__OP_T_MAX_POOL:
        case HET__OP_T_AVERAGE_POOL:
            convert_pool(r, n);
            break;
        case HET__OP_T_GLOBAL_MAX_POOL:
        case HET__OP_T_GLOBAL_AVERAGE_POOL:
            convert_global_pool(r, n);
            break;
        default:
            break;
        }
    }
}

/* ---- products ---- */

static bool leading_fit(const het__value *a, const het__value *b)
{
    if (a->rank < 2 || b->rank < 2 || b->rank > a->rank)
        return false;
    for (uint32_t i = 2; i < b->rank; i++) {
        const int64_t m = b->extent[b->rank - 1 - i].count;
        if (m != 1 && m != a->extent[a->rank - 1 - i].count)
            return false;
    }
    return true;
}

/* Weights that there are; a sum of nothing is left to the plain kernel. */
static bool is_weights(const het__value *b)
{
    return is_constant(b) && b->rank == 2 && b->extent[0].count > 0 && b->extent[1].count > 0;
}

static void convert_mat_mul(het__rewriter *r, uint32_t index)
{
    const het__node node = r->graph->nodes[index];
    const het__value *a = het__rw_input(r, &node, 0), *b = het__rw_input(r, &node, 1);
    het__attrs attrs;
    memset(&attrs, 0, sizeof attrs);
    if (!a || !b || !is_f32(a, a->rank) || !is_f32(b, b->rank) || !leading_fit(a, b) ||
        !is_weights(b))
        return;
    attrs.matmul.scale = 1;
    const uint32_t made = het__rw_node(r, HET__OP_MATMUL, node.name, node.inputs, 2, 1, &attrs);
    het__rw_replace_shaped(r, node.outputs[0], made, node.name);
}

/* beta * C as one number per column; HET__NO_VALUE if it is something else. */
static uint32_t gemm_bias(het__rewriter *r, const het__node *node, int64_t columns)
{
    const float beta = het__attr_float(&node->attrs.tensor, "beta", 1);
    const het__value *c = het__rw_input(r, node, 2);
    int64_t count = 0;
    for (uint32_t i = 0; i + 1 < c->rank; i++)
        if (c->extent[i].count != 1)
            return HET__NO_VALUE;
    const float *old = het__rw_read_floats(r, node->inputs[2], &count);
    if (!old || (count != columns && count != 1))
        return HET__NO_VALUE;
    float *bias;
    const uint32_t v = het__rw_floats(r, c->name, 1, &columns, &bias);
    for (int64_t i = 0; v != HET__NO_VALUE && i < columns; i++)
        bias[i] = beta * old[count == 1 ? 0 : i];
    return v;
}

static void convert_gemm(het__rewriter *r, uint32_t index)
{
    const het__node node = r->graph->nodes[index];
    const het__attr_list *list = &node.attrs.tensor;
    const het__value *a = het__rw_input(r, &node, 0), *b = het__rw_input(r, &node, 1);
    het__attrs attrs;
    memset(&attrs, 0, sizeof attrs);
    if (!is_f32(a, 2) || !is_f32(b, 2) || het__attr_int(list, "transA", 0) || !is_weights(b))
        return;
    uint32_t in[3] = { node.inputs[0], node.inputs[1], HET__NO_VALUE };
    attrs.matmul.transpose_b = het__attr_int(list, "transB", 0) != 0;
    attrs.matmul.scale = het__attr_float(list, "alpha", 1);
    if (het__rw_input(r, &node, 2)) {
        in[2] = gemm_bias(r, &node, r->graph->values[node.outputs[0]].extent[1].count);
        if (in[2] == HET__NO_VALUE)
            return;
    }
    const uint32_t made = het__rw_node(r, HET__OP_MATMUL, node.name, in, 3, 1, &attrs);
    het__rw_replace_shaped(r, node.outputs[0], made, node.name);
}

void het__pass_products(het__rewriter *r)
{
    const uint32_t count = r->graph->node_count;
    for (uint32_t n = 0; n < count && !r->failed; n++) {
        if (r->graph->nodes[n].op == HET__OP_T_MAT_MUL)
            convert_mat_mul(r, n);
        else if (r->graph->nodes[n].op == HET__OP_T_GEMM)
            convert_gemm(r, n);
    }
}

/* ---- what is done to each element ---- */

static het__act *act_of(het__node *node)
{
    if (node->op == HET__OP_CONV || node->op == HET__OP_POOL)
        return &node->attrs.image.act;
    return node->op == HET__OP_MATMUL ? &node->attrs.matmul.act : NULL;
}

static bool clip_bounds(const het__rewriter *r, const het__node *node, het__act *act)
{
    const het__attr_list *list = &node->attrs.tensor;
    double low = -INFINITY, high = INFINITY;
    if (list->opset < 11) {
        low = (double)het__attr_float(list, "min", -INFINITY);
        high = (double)het__attr_float(list, "max", INFINITY);
    } else if ((het__rw_input(r, node, 1) && !het__rw_scalar(r, node->inputs[1], &low)) ||
               (het__rw_input(r, node, 2) && !het__rw_scalar(r, node->inputs[2], &high))) {
        return false;
    }
    *act = (het__act){ HET__ACT_CLIP, (float)low, (float)high };
    return low <= high;
}

/* The activation that a node is; false if it is none. */
static bool recognise(const het__rewriter *r, const het__node *node, het__act *act)
{
    const het__attr_list *list = &node->attrs.tensor;
    switch (node->op) {
    case HET__OP_T_RELU:
        *act = (het__act){ HET__ACT_RELU, 0, 0 };
        return true;
    case HET__OP_T_CLIP:
        return clip_bounds(r, node, act);
    case HET__OP_T_LEAKY_RELU:
        *act = (het__act){ HET__ACT_LEAKY_RELU, het__attr_float(list, "alpha", 0.01f), 0 };
        return true;
    case HET__OP_T_SIGMOID:
        *act = (het__act){ HET__ACT_SIGMOID, 0, 0 };
        return true;
    case HET__OP_T_TANH:
        *act = (het__act){ HET__ACT_TANH, 0, 0 };
        return true;
    case HET__OP_T_SWISH:
        *act = (het__act){ HET__ACT_SWISH, het__attr_float(list, "alpha", 1), 0 };
        return true;
    case HET__OP_T_HARD_SIGMOID:
        *act = (het__act){ HET__ACT_HARD_SIGMOID, het__attr_float(list, "alpha", 0.2f),
                           het__attr_float(list, "beta", 0.5f) };
        return true;
    case HET__OP_T_HARD_SWISH:
        *act = (het__act){ HET__ACT_HARD_SWISH, 0, 0 };
        return true;
    case HET__OP_T_GELU:
        *act = (het__act){ strcmp(het__attr_string(list, "approximate", "none"), "tanh") == 0
                               ? HET__ACT_GELU_TANH : HET__ACT_GELU_ERF, 0, 0 };
        return true;
    default:
        return false;
    }
}

static bool same_extents(const het__value *a, const het__value *b)
{
    bool same = a->rank == b->rank && a->dtype == b->dtype;
    for (uint32_t i = 0; same && i < a->rank; i++)
        same = a->extent[i].count == b->extent[i].count;
    return same;
}

/* The node with one more input at position `at`. */
static void add_input(het__rewriter *r, het__node *node, uint32_t at, uint32_t value)
{
    uint32_t in[4] = { HET__NO_VALUE, HET__NO_VALUE, HET__NO_VALUE, HET__NO_VALUE };
    memcpy(in, node->inputs, node->input_count * sizeof *in);
    in[at] = value;
    const uint32_t *copy = het__rw_keep_ids(r, in, 4);
    if (!copy)
        return;
    node->inputs = copy;
    node->input_count = 4;
    r->uses[value]++;
}

/* `next` is done by the node that made its input: the node's value stands for next's. */
static void absorb(het__rewriter *r, het__node *node, het__node *next)
{
    const uint32_t from = next->outputs[0], to = node->outputs[0];
    het__rw_kill(r, next);
    het__rw_replace(r, from, to);
    r->rewrites++;
}

static bool has_residual(const het__node *node)
{
    return node->input_count > 3 && node->inputs[3] != HET__NO_VALUE;
}

/* node + other, behind which nothing was done yet. */
static bool absorb_add(het__rewriter *r, het__node *node, het__node *add)
{
    const het__act *act = act_of(node);
    const uint32_t mine = node->outputs[0];
    const uint32_t other = add->inputs[0] == mine ? add->inputs[1] : add->inputs[0];
    if (node->op == HET__OP_POOL || act->kind != HET__ACT_NONE || has_residual(node) ||
        other == mine)
        return false;
    const het__value *v = &r->graph->values[other], *out = &r->graph->values[mine];
    if (v->kind == HET__VALUE_CONST) { /* a bias, if it is one number per column */
        if (node->op != HET__OP_MATMUL || !is_f32(v, 1) ||
            v->extent[0].count != out->extent[out->rank - 1].count ||
            (node->input_count > 2 && node->inputs[2] != HET__NO_VALUE))
            return false;
        add_input(r, node, 2, other);
    } else {
        if (!same_extents(v, out))
            return false;
        add_input(r, node, 3, other);
        if (node->op == HET__OP_CONV)
            node->attrs.image.residual = true;
    }
    if (!r->failed)
        absorb(r, node, add);
    return !r->failed;
}

/* a product times a number */
static bool absorb_scale(het__rewriter *r, het__node *node, het__node *next)
{
    double x;
    const bool divides = next->op == HET__OP_T_DIV;
    const uint32_t mine = node->outputs[0];
    const uint32_t other = next->inputs[0] == mine ? next->inputs[1] : next->inputs[0];
    if (node->op != HET__OP_MATMUL || node->input_count > 2 ||
        node->attrs.matmul.act.kind != HET__ACT_NONE || (divides && next->inputs[0] != mine) ||
        !het__rw_scalar(r, other, &x) ||
        !same_extents(&r->graph->values[mine], &r->graph->values[next->outputs[0]]))
        return false;
    node->attrs.matmul.scale *= (float)(divides ? 1 / x : x);
    absorb(r, node, next);
    return true;
}

static bool absorb_next(het__rewriter *r, uint32_t index)
{
    het__node *node = &r->graph->nodes[index];
    het__node *next = het__rw_reader(r, node->outputs[0]);
    het__act *act = act_of(node), found;
    if (!next || r->failed)
        return false;
    if (next->op == HET__OP_T_ADD)
        return absorb_add(r, node, next);
    if (next->op == HET__OP_T_MUL || next->op == HET__OP_T_DIV)
        return absorb_scale(r, node, next);
    if (act->kind != HET__ACT_NONE || next->output_count != 1 || !recognise(r, next, &found))
        return false;
    *act = found;
    absorb(r, node, next);
    return true;
}

void het__pass_epilogue(het__rewriter *r)
{
    for (uint32_t n = 0; n < r->graph->node_count && !r->failed; n++)
        while (act_of(&r->graph->nodes[n]) && absorb_next(r, n))
            continue;
}
