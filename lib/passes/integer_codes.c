/* SPDX-License-Identifier: Apache-2.0 */
/* Floats between codes. From a QuantizeLinear backwards: operations that only move elements or keep
 * their order work on codes as well; what is done to single elements becomes a table; convolutions,
 * products, sums and means of DequantizeLinears take their integer forms.
 *
 * A table and what moves elements give the very codes that the floats would have given. The others
 * round once where the floats were rounded at each step. */
#include "lib/passes/integer.h"

#include <math.h>
#include <string.h>

#include "lib/plain/plain.h"

#define DEPTH_MAX 16
#define CHAIN_MAX 8
#define INPUTS_MAX 16
#define FOLD_BYTES_MAX (INT64_C(64) << 20)

/* What the codes that are asked for stand for. */
typedef struct target {
    het__rewriter *r;
    het__codes q;
    het_dtype type;
    uint32_t depth; /* of operations that move elements */
} target;

static bool is_code(het_dtype dtype)
{
    return dtype == HET_DTYPE_U8 || dtype == HET_DTYPE_I8;
}

static int32_t least_of(het_dtype type)
{
    return type == HET_DTYPE_I8 ? -128 : 0;
}

/* Per tensor, of codes that are computed. */
static bool is_dequantised(const het__rewriter *r, uint32_t value, het__codes *q, uint32_t *x)
{
    const het__node *node = het__rw_producer(r, value);
    if (!node || node->op != HET__OP_T_DEQUANTIZE_LINEAR ||
        r->graph->values[value].dtype != HET_DTYPE_F32 || !het__codes_quant(r, node, 1, q))
        return false;
    const het__value *v = het__rw_input(r, node, 0);
    *x = node->inputs[0];
    return is_code(v->dtype) && v->kind != HET__VALUE_CONST;
}

static int32_t code_of(const target *t, float x)
{
    const int32_t least = least_of(t->type);
    const float quotient = x / t->q.scale;
    const float low = (float)(least - t->q.zero), high = (float)(least + 255 - t->q.zero);
    const float v = quotient > low ? quotient : low;
    return (int32_t)rintf(v < high ? v : high) + t->q.zero;
}

/* ---- tables ---- */

static bool is_function(het__op op)
{
    switch (op) {
    case HET__OP_T_RELU:
    case HET__OP_T_CLIP:
    case HET__OP_T_LEAKY_RELU:
    case HET__OP_T_SIGMOID:
    case HET__OP_T_TANH:
    case HET__OP_T_SWISH:
    case HET__OP_T_HARD_SIGMOID:
    case HET__OP_T_HARD_SWISH:
    case HET__OP_T_GELU:
    case HET__OP_T_ELU:
    case HET__OP_T_MISH:
        return true;
    default:
        return false;
    }
}

/* One function of the 256 floats, by its plain kernel. */
static bool apply(het__rewriter *r, const het__node *node, float values[256])
{
    het__tensor inputs[4], outputs[1];
    het__eval e;
    het__scratch scratch;
    float result[256];
    if (node->input_count > 4 || node->output_count != 1 || !het__plain_kernel(node->op) ||
        !het__rw_eval(r, node, inputs, outputs, &e))
        return false;
    for (uint32_t i = 1; i < node->input_count; i++)
        if (inputs[i].dtype != HET_DTYPE_NONE && !inputs[i].data)
            return false;
    inputs[0] = (het__tensor){ .dtype = HET_DTYPE_F32, .rank = 1, .extent = { 256 },
                               .data = values };
    outputs[0] = (het__tensor){ .dtype = HET_DTYPE_F32, .rank = 1, .extent = { 256 },
                                .data = result };
    het__scratch_init(&scratch, r->graph->arena.mem);
    e.mem = r->graph->arena.mem;
    e.scratch = &scratch;
    het_error ignored = HET_ERROR_INIT;
    e.err = &ignored;
    const bool done = het__plain_kernel(node->op)(&e) == HET_OK;
    het__scratch_finish(&scratch);
    if (done)
        memcpy(values, result, sizeof result);
    return done;
}

/* Codes of x through functions (last first in chain) to the target's codes. */
static uint32_t make_table(const target *t, uint32_t x, const het__codes *from,
                           const uint32_t *chain, uint32_t length, const char *name)
{
    het__rewriter *r = t->r;
    const het_dtype in = r->graph->values[x].dtype;
    float values[256];
    for (int32_t i = 0; i < 256; i++) {
        const int32_t code = in == HET_DTYPE_I8 && i > 127 ? i - 256 : i;
        values[i] = (float)(code - from->zero) * from->scale;
    }
    for (uint32_t i = length; i-- > 0;)
        if (!apply(r, &r->graph->nodes[chain[i]], values))
            return HET__NO_VALUE;
    uint8_t *table = het__arena_alloc(&r->graph->arena, 256);
    if (!table) {
        r->failed = true;
        return HET__NO_VALUE;
    }
    for (int32_t i = 0; i < 256; i++)
        table[i] = (uint8_t)code_of(t, values[i]);
    const int64_t entries = 256;
    const uint32_t inputs[2] = { x, het__rw_constant(r, name, t->type, 1, &entries, table) };
    het__attrs attrs;
    memset(&attrs, 0, sizeof attrs);
    attrs.map.type = t->type;
    return het__rw_node(r, HET__OP_QMAP, name, inputs, 2, 1, &attrs);
}

/* value is some functions of a DequantizeLinear. */
static uint32_t through_table(const target *t, uint32_t value, const char *name)
{
    het__rewriter *r = t->r;
    uint32_t chain[CHAIN_MAX], length = 0, x;
    het__codes from;
    while (!is_dequantised(r, value, &from, &x)) {
        const het__node *node = het__rw_producer(r, value);
        if (!node || length == CHAIN_MAX || !is_function(node->op))
            return HET__NO_VALUE;
        chain[length++] = (uint32_t)(node - r->graph->nodes);
        value = node->inputs[0];
    }
    if (length == 0 && from.scale == t->q.scale && from.zero == t->q.zero &&
        r->graph->values[x].dtype == t->type)
        return x;
    return make_table(t, x, &from, chain, length, name);
}

/* ---- what moves elements ---- */

/* Inputs from first to end - 1 hold elements; those of MaxPool keep their order. */
static bool moves(const het__node *node, uint32_t *end)
{
    *end = 1;
    switch (node->op) {
    case HET__OP_T_CONCAT:
        *end = node->input_count;
        return true;
    case HET__OP_T_MAX_POOL:
        return node->output_count == 1 && node->attrs.tensor.opset >= 12;
    case HET__OP_T_RESHAPE:
    case HET__OP_T_FLATTEN:
    case HET__OP_T_SQUEEZE:
    case HET__OP_T_UNSQUEEZE:
    case HET__OP_T_IDENTITY:
    case HET__OP_T_TRANSPOSE:
    case HET__OP_T_SLICE:
    case HET__OP_T_DEPTH_TO_SPACE:
    case HET__OP_T_SPACE_TO_DEPTH:
        return true;
    default:
        return false;
    }
}

static uint32_t codes_of(target *t, uint32_t value, const char *name);

static uint32_t move_codes(target *t, uint32_t index)
{
    het__rewriter *r = t->r;
    const het__node node = r->graph->nodes[index];
    uint32_t inputs[INPUTS_MAX], end;
    if (!moves(&node, &end) || node.input_count > INPUTS_MAX)
        return HET__NO_VALUE;
    memcpy(inputs, node.inputs, node.input_count * sizeof *inputs);
    for (uint32_t i = 0; i < end; i++) {
        inputs[i] = codes_of(t, node.inputs[i], node.name);
        if (inputs[i] == HET__NO_VALUE)
            return HET__NO_VALUE;
    }
    return het__rw_node(r, node.op, node.name, inputs, node.input_count, 1, &node.attrs);
}

/* ---- convolutions and products ---- */

/* Weights through a DequantizeLinear of a constant, one scale or one per place of the axis. */
typedef struct weights {
    const het__value *codes, *scales, *zeros;
} weights;

static bool weights_of(const het__rewriter *r, uint32_t value, uint32_t axis, weights *w)
{
    const het__node *node = het__rw_producer(r, value);
    if (!node || node->op != HET__OP_T_DEQUANTIZE_LINEAR ||
        r->graph->values[value].dtype != HET_DTYPE_F32)
        return false;
    w->codes = het__codes_constant(r, node, 0);
    w->scales = het__codes_constant(r, node, 1);
    w->zeros = het__codes_constant(r, node, 2);
    if (!w->codes || !w->scales || w->scales->dtype != HET_DTYPE_F32 ||
        (het__rw_input(r, node, 2) && !w->zeros))
        return false;
    if (het__codes_count(w->scales) == 1 && w->scales->rank <= 1)
        return true;
    int64_t at = het__attr_int(&node->attrs.tensor, "axis", 1);
    at += at < 0 ? w->codes->rank : 0;
    return w->scales->rank == 1 && at == axis && axis < w->codes->rank &&
           het__attr_int(&node->attrs.tensor, "block_size", 0) == 0 &&
           w->scales->extent[0].count == w->codes->extent[axis].count;
}

static float scale_at(const het__value *v, int64_t i)
{
    float scale;
    memcpy(&scale, (const char *)v->data + (het__codes_count(v) > 1 ? i : 0) * 4, sizeof scale);
    return scale;
}

/* A bias in steps of the products. */
static bool bias_of(const het__rewriter *r, uint32_t value, const het__codes_product *p,
                    const het__value *scales, int64_t channels, const void **bias)
{
    weights b;
    if (!weights_of(r, value, 0, &b) || b.codes->dtype != HET_DTYPE_I32 || b.codes->rank != 1 ||
        b.codes->extent[0].count != channels)
        return false;
    for (int64_t i = 0; i < channels; i++) {
        const float want = p->in.scale * scale_at(scales, i), have = scale_at(b.scales, i);
        const int64_t zero =
            b.zeros ? het__get_i64(b.zeros->dtype, b.zeros->data,
                                   het__codes_count(b.zeros) > 1 ? i : 0) : 0;
        if (!(fabsf(have - want) <= 1e-4f * want) || zero != 0)
            return false;
    }
    *bias = b.codes->data;
    return true;
}

/* The operands that convolutions and products have in common. Codes under another shape than that
 * of the floats are codes too: *x then has that other shape. */
static bool take_operands(const het__rewriter *r, const het__node *node, uint32_t axis,
                          weights *w, uint32_t *x, het__codes_product *p)
{
    uint32_t value = node->inputs[0];
    for (const het__node *n = het__rw_producer(r, value); n && het__op_is_view(n->op);
         n = het__rw_producer(r, value))
        value = n->inputs[0];
    if (!is_dequantised(r, value, &p->in, x) ||
        !weights_of(r, node->inputs[1], axis, w) || !is_code(w->codes->dtype))
        return false;
    het__codes_zeros(p, w->zeros);
    p->scales = w->scales->data;
    p->scale_count = het__codes_count(w->scales);
    if (!het__rw_input(r, node, 2))
        return true;
    return bias_of(r, node->inputs[2], p, w->scales, w->codes->extent[axis].count, &p->bias);
}

/* Codes x with the extents of a value. */
static uint32_t shaped_like(het__rewriter *r, const char *name, uint32_t x, uint32_t value)
{
    const het__value *want = &r->graph->values[value], *have = &r->graph->values[x];
    int64_t extent[HET_RANK_MAX];
    bool same = want->rank == have->rank;
    for (uint32_t i = 0; i < want->rank; i++) {
        extent[i] = want->extent[i].count;
        same = same && extent[i] == have->extent[i].count;
    }
    return same ? x : het__rw_reshape(r, name, x, want->rank, extent);
}

static bool conv_parts(het__rewriter *r, const het__node *node, het__codes_product *p)
{
    het__tensor inputs[3], outputs[1];
    het__window window;
    het__eval e;
    weights w;
    if (node->input_count > 3 || !take_operands(r, node, 0, &w, &p->x, p) ||
        w.codes->rank != 4 || !het__rw_eval(r, node, inputs, outputs, &e) ||
        het__window_conv(&e, &window) != HET_OK || !het__window_attrs(&window, &p->attrs))
        return false;
    p->weights = w.codes->data;
    p->weights_type = w.codes->dtype;
    p->x = shaped_like(r, node->name, p->x, node->inputs[0]);
    return !r->failed;
}

static bool matrix_parts(het__rewriter *r, const het__node *node, het__codes_product *p)
{
    const het__attr_list *list = &node->attrs.tensor;
    const bool gemm = node->op == HET__OP_T_GEMM;
    const bool transposed = gemm && het__attr_int(list, "transB", 0) != 0;
    weights w;
    uint32_t x;
    if (gemm && (het__attr_int(list, "transA", 0) || het__attr_float(list, "alpha", 1) != 1 ||
                 het__attr_float(list, "beta", 1) != 1))
        return false;
    if (!take_operands(r, node, transposed ? 0 : 1, &w, &x, p) || w.codes->rank != 2)
        return false;
    const het__value matrix = *w.codes;
    x = shaped_like(r, node->name, x, node->inputs[0]);
    return !r->failed && het__codes_matrix(r, p, x, &matrix, transposed);
}

static uint32_t make_product(const target *t, uint32_t index, int32_t least, int32_t most)
{
    const het__node node = t->r->graph->nodes[index];
    het__codes_product p = { .name = node.name, .out = t->q };
    const bool fits = node.op == HET__OP_T_CONV ? conv_parts(t->r, &node, &p)
                                                : matrix_parts(t->r, &node, &p);
    if (!fits || t->r->failed)
        return HET__NO_VALUE;
    p.attrs.type = t->type;
    p.attrs.least = least;
    p.attrs.most = most;
    const uint32_t made = het__codes_make(t->r, &p);
    return made == HET__NO_VALUE ? made : shaped_like(t->r, node.name, made, node.outputs[0]);
}

/* ---- sums and means ---- */

static uint32_t number(const target *t, const char *name, het_dtype type, const void *data)
{
    const size_t bytes = type == HET_DTYPE_F32 ? sizeof(float) : 1;
    void *copy = het__arena_alloc(&t->r->graph->arena, sizeof(float));
    if (!copy) {
        t->r->failed = true;
        return HET__NO_VALUE;
    }
    memcpy(copy, data, bytes);
    return het__rw_constant(t->r, name, type, 0, NULL, copy);
}

static void pair(const target *t, const char *name, het_dtype type, const het__codes *q,
                 uint32_t *inputs)
{
    const uint8_t zero = (uint8_t)q->zero;
    inputs[0] = number(t, name, HET_DTYPE_F32, &q->scale);
    inputs[1] = number(t, name, type, &zero);
}

static uint32_t make_sum(const target *t, const het__node *node)
{
    const het__graph *g = t->r->graph;
    const het__attrs attrs = { .tensor = { .opset = 1 } };
    het__codes a, b;
    uint32_t in[8], x, y;
    if (!is_dequantised(t->r, node->inputs[0], &a, &x) ||
        !is_dequantised(t->r, node->inputs[1], &b, &y) || g->values[x].dtype != t->type ||
        g->values[y].dtype != t->type)
        return HET__NO_VALUE;
    const char *name = node->name;
    in[0] = x;
    in[3] = y;
    pair(t, name, t->type, &a, in + 1);
    pair(t, name, t->type, &b, in + 4);
    pair(t, name, t->type, &t->q, in + 6);
    return het__rw_node(t->r, HET__OP_T_MS_QLINEAR_ADD, name, in, 8, 1, &attrs);
}

/* Means over windows without padding, or with padding that counts: products with ones. */
static uint32_t make_means(const target *t, const het__node *node, int32_t least, int32_t most)
{
    het__rewriter *r = t->r;
    het__codes_product p = { .name = node->name, .out = t->q };
    het__tensor inputs[1], outputs[1];
    het__window window;
    het__eval e;
    if (!is_dequantised(r, node->inputs[0], &p.in, &p.x) || r->graph->values[p.x].rank != 4 ||
        !het__rw_eval(r, node, inputs, outputs, &e) || het__window_pool(&e, &window) != HET_OK ||
        !het__window_attrs(&window, &p.attrs))
        return HET__NO_VALUE;
    het__image_attrs *a = &p.attrs;
    const bool counts = het__attr_int(&node->attrs.tensor, "count_include_pad", 0) != 0;
    for (uint32_t i = 0; i < 2; i++)
        if (a->pad_end[i] != window.end[i] || (!counts && (a->pad_begin[i] || a->pad_end[i])))
            return HET__NO_VALUE;
    const size_t area = (size_t)a->kernel[0] * (size_t)a->kernel[1];
    const size_t count = (size_t)a->channels_in * area;
    int8_t *ones = het__arena_alloc(&r->graph->arena, count + sizeof(float));
    float *scale = het__arena_alloc(&r->graph->arena, sizeof *scale);
    if (!ones || !scale) {
        r->failed = true;
        return HET__NO_VALUE;
    }
    memset(ones, 1, count);
    *scale = 1.0f / (float)area;
    a->groups = a->channels_in;
    a->type = t->type;
    a->least = least;
    a->most = most;
    p.weights = ones;
    p.weights_type = HET_DTYPE_I8;
    p.scales = scale;
    p.scale_count = 1;
    return het__codes_make(r, &p);
}

static uint32_t make_mean(const target *t, const het__node *node)
{
    const het__attrs attrs = { .tensor = { .opset = 1 } };
    het__codes a;
    uint32_t in[5];
    if (!is_dequantised(t->r, node->inputs[0], &a, &in[0]) ||
        t->r->graph->values[in[0]].dtype != t->type)
        return HET__NO_VALUE;
    const char *name = node->name;
    pair(t, name, t->type, &a, in + 1);
    pair(t, name, t->type, &t->q, in + 3);
    return het__rw_node(t->r, HET__OP_T_MS_QLINEAR_POOL, name, in, 5, 1, &attrs);
}

/* Codes within bounds: a table again. */
static uint32_t narrow(target *t, uint32_t made, int32_t least, int32_t most, const char *name)
{
    const int32_t low = least_of(t->type);
    if (made == HET__NO_VALUE || (least <= low && most >= low + 255))
        return made;
    uint8_t *table = het__arena_alloc(&t->r->graph->arena, 256);
    if (!table) {
        t->r->failed = true;
        return HET__NO_VALUE;
    }
    for (int32_t i = 0; i < 256; i++) {
        const int32_t code = low < 0 && i > 127 ? i - 256 : i;
        table[i] = (uint8_t)(code < least ? least : code > most ? most : code);
    }
    const int64_t entries = 256;
    const uint32_t in[2] = { made, het__rw_constant(t->r, name, t->type, 1, &entries, table) };
    het__attrs attrs;
    memset(&attrs, 0, sizeof attrs);
    attrs.map.type = t->type;
    return het__rw_node(t->r, HET__OP_QMAP, name, in, 2, 1, &attrs);
}

/* ---- all of them ---- */

static bool clip_bound(const het__rewriter *r, const het__node *node, uint32_t i, const char *name,
                       double absent, double *bound)
{
    *bound = absent;
    if (node->attrs.tensor.opset < 11)
        *bound = (double)het__attr_float(&node->attrs.tensor, name, (float)absent);
    else if (het__rw_input(r, node, i))
        return het__rw_scalar(r, node->inputs[i], bound);
    return true;
}

/* Relu and Clip cut the range of the codes; the value that they are done to. */
static uint32_t cut_range(const target *t, uint32_t value, int32_t *least, int32_t *most)
{
    const het__rewriter *r = t->r;
    *least = least_of(t->type);
    *most = *least + 255;
    for (;;) {
        const het__node *node = het__rw_producer(r, value);
        double low = 0, high = INFINITY;
        if (!node || r->uses[value] != 1 || r->graph->values[value].kind != HET__VALUE_TEMP)
            return value;
        if (node->op != HET__OP_T_RELU &&
            (node->op != HET__OP_T_CLIP || !clip_bound(r, node, 1, "min", -INFINITY, &low) ||
             !clip_bound(r, node, 2, "max", INFINITY, &high) || !(low <= high)))
            return value;
        const int32_t from = code_of(t, (float)low), to = code_of(t, (float)high);
        /* Functions stand outermost first: the outer ones have the last word. */
        *least = from < *least ? *least : from > *most ? *most : from;
        *most = to > *most ? *most : to < *least ? *least : to;
        value = node->inputs[0];
    }
}

static uint32_t computed(target *t, uint32_t value, const char *name)
{
    int32_t least, most;
    const uint32_t inner = cut_range(t, value, &least, &most);
    const het__node *node = het__rw_producer(t->r, inner);
    if (!node || t->r->uses[inner] != 1 || t->r->graph->values[inner].kind != HET__VALUE_TEMP ||
        t->r->graph->values[inner].dtype != HET_DTYPE_F32)
        return HET__NO_VALUE;
    switch (node->op) {
    case HET__OP_T_CONV:
    case HET__OP_T_GEMM:
    case HET__OP_T_MAT_MUL:
        return make_product(t, (uint32_t)(node - t->r->graph->nodes), least, most);
    case HET__OP_T_ADD:
        return narrow(t, make_sum(t, node), least, most, name);
    case HET__OP_T_AVERAGE_POOL:
        return make_means(t, node, least, most);
    case HET__OP_T_GLOBAL_AVERAGE_POOL:
        return narrow(t, make_mean(t, node), least, most, name);
    default:
        return HET__NO_VALUE;
    }
}

/* The target's codes of a float value; HET__NO_VALUE if floats it must be. Nodes that were made in
 * vain are swept away. */
static uint32_t codes_of(target *t, uint32_t value, const char *name)
{
    het__rewriter *r = t->r;
    uint32_t made = through_table(t, value, name);
    if (made != HET__NO_VALUE || r->failed || t->depth == DEPTH_MAX)
        return made;
    made = computed(t, value, name);
    if (made != HET__NO_VALUE || r->failed)
        return made;
    const het__node *node = het__rw_producer(r, value);
    if (!node || r->uses[value] != 1 || r->graph->values[value].kind != HET__VALUE_TEMP)
        return HET__NO_VALUE;
    t->depth++;
    made = move_codes(t, (uint32_t)(node - r->graph->nodes));
    t->depth--;
    return made;
}

void het__codes_keep(het__rewriter *r, uint32_t index)
{
    const het__node node = r->graph->nodes[index];
    const het__value *x = het__rw_input(r, &node, 0);
    target t = { .r = r, .type = r->graph->values[node.outputs[0]].dtype };
    if (!x || x->dtype != HET_DTYPE_F32 || !is_code(t.type) ||
        !het__codes_quant(r, &node, 1, &t.q) ||
        het__attr_dtype(&node.attrs.tensor, "precision", HET_DTYPE_F32) != HET_DTYPE_F32)
        return;
    const uint32_t made = codes_of(&t, node.inputs[0], node.name);
    if (made == HET__NO_VALUE || r->failed)
        return;
    if (r->graph->values[node.outputs[0]].kind == HET__VALUE_OUTPUT &&
        r->graph->values[made].kind != HET__VALUE_TEMP)
        return;
    het__rw_replace_shaped(r, node.outputs[0], made, node.name);
}

static void fold_one(het__rewriter *r, uint32_t index)
{
    const het__node node = r->graph->nodes[index];
    het__tensor inputs[3], outputs[1];
    het__eval e;
    het__scratch scratch;
    if (node.input_count > 3 || !het__codes_constant(r, &node, 0) ||
        r->graph->values[node.outputs[0]].kind != HET__VALUE_TEMP ||
        !het__rw_eval(r, &node, inputs, outputs, &e))
        return;
    for (uint32_t i = 1; i < node.input_count; i++)
        if (inputs[i].dtype != HET_DTYPE_NONE && !inputs[i].data)
            return;
    const int64_t bytes = het__tensor_bytes(&outputs[0]);
    if (bytes < 0 || bytes > FOLD_BYTES_MAX)
        return;
    outputs[0].data = het__arena_alloc(&r->graph->arena, (size_t)bytes + 1);
    het__scratch_init(&scratch, r->graph->arena.mem);
    e.mem = r->graph->arena.mem;
    e.scratch = &scratch;
    e.err = r->err;
    if (!outputs[0].data || het__plain_kernel(node.op)(&e) != HET_OK)
        r->failed = true;
    het__scratch_finish(&scratch);
    const uint32_t made = het__rw_constant(r, r->graph->values[node.outputs[0]].name,
                                           outputs[0].dtype, outputs[0].rank, outputs[0].extent,
                                           outputs[0].data);
    if (r->failed)
        return;
    het__rw_replace(r, node.outputs[0], made);
    r->rewrites++;
}

void het__codes_fold(het__rewriter *r)
{
    if (r->failed)
        return;
    het__rw_settle(r); /* weights that integer kernels took are not read any more */
    const uint32_t count = r->graph->node_count;
    for (uint32_t n = 0; n < count && !r->failed; n++)
        if (r->graph->nodes[n].op == HET__OP_T_DEQUANTIZE_LINEAR)
            fold_one(r, n);
}
