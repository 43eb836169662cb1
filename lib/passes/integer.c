/* SPDX-License-Identifier: Apache-2.0 */
/* Convolutions and products of codes of eight bits with constant weights become QCONV: those that
 * are spelled as such (QLinearConv, QLinearMatMul), and those of floats that come from codes and
 * become codes again (integer_codes.c finds them). */
#include "lib/passes/integer.h"

#include <string.h>

#include "lib/plain/plain.h"

static bool is_code(het_dtype dtype)
{
    return dtype == HET_DTYPE_U8 || dtype == HET_DTYPE_I8;
}

const het__value *het__codes_constant(const het__rewriter *r, const het__node *node, uint32_t i)
{
    const het__value *v = het__rw_input(r, node, i);
    return v && v->kind == HET__VALUE_CONST && v->data ? v : NULL;
}

int64_t het__codes_count(const het__value *v)
{
    const int64_t ones[HET__SYM_MAX] = { 1 };
    return het__value_elements(v, ones);
}

bool het__codes_quant(const het__rewriter *r, const het__node *node, uint32_t i, het__codes *q)
{
    const het__value *scale = het__codes_constant(r, node, i);
    const het__value *zero = het__codes_constant(r, node, i + 1);
    if (!scale || scale->dtype != HET_DTYPE_F32 || het__codes_count(scale) != 1 ||
        scale->rank > 1 || (het__rw_input(r, node, i + 1) &&
                            (!zero || het__codes_count(zero) != 1 || !is_code(zero->dtype))))
        return false;
    memcpy(&q->scale, scale->data, sizeof q->scale);
    q->zero = zero ? (int32_t)het__get_i64(zero->dtype, zero->data, 0) : 0;
    return q->scale > 0;
}

/* ---- the node ---- */

void het__codes_zeros(het__codes_product *p, const het__value *zeros)
{
    if (!zeros)
        return;
    p->zeros = zeros->data;
    p->zeros_type = zeros->dtype;
    p->zero_count = het__codes_count(zeros);
}

/* Weights as I8 with zero points of 0; NULL if they do not fit that (or memory ran out). */
static const int8_t *signed_weights(het__rewriter *r, const het__codes_product *p,
                                    int64_t per_channel)
{
    const int64_t channels = p->attrs.channels_out, count = channels * per_channel;
    if (p->weights_type == HET_DTYPE_I8 && !p->zeros)
        return p->weights;
    int8_t *codes = het__arena_alloc(&r->graph->arena, (size_t)count + 1);
    if (!codes) {
        r->failed = true;
        return NULL;
    }
    const int64_t step = p->zeros && p->zero_count > 1;
    for (int64_t i = 0; i < count; i++) {
        const int64_t zero =
            p->zeros ? het__get_i64(p->zeros_type, p->zeros, i / per_channel * step) : 0;
        const int64_t w = het__get_i64(p->weights_type, p->weights, i) - zero;
        if (w < -128 || w > 127)
            return NULL;
        codes[i] = (int8_t)w;
    }
    return codes;
}

/* The padded image can be counted in 32 bits, as devices do. */
static bool fits_device(const het__rewriter *r, const het__codes_product *p)
{
    const het__image_attrs *a = &p->attrs;
    const het__value *x = &r->graph->values[p->x];
    int64_t size[2];
    for (int i = 0; i < 2; i++) {
        size[i] = x->extent[2 + i].count;
        if (size[i] <= 0 || size[i] > INT32_MAX)
            return false;
        size[i] += (int64_t)a->pad_begin[i] + a->pad_end[i];
        if (size[i] > INT32_MAX)
            return false;
    }
    return a->channels_in > 0 && a->channels_out > 0 &&
           size[0] * size[1] <= INT32_MAX / ((int64_t)a->channels_in + 64);
}

uint32_t het__codes_make(het__rewriter *r, het__codes_product *p)
{
    het__image_attrs *a = &p->attrs;
    const int64_t m = a->channels_out;
    const int64_t extent[4] = { m, a->channels_in / a->groups, a->kernel[0], a->kernel[1] };
    const int8_t *codes =
        fits_device(r, p) ? signed_weights(r, p, extent[1] * extent[2] * extent[3]) : NULL;
    if (!codes)
        return HET__NO_VALUE;
    const bool is_signed = a->type == HET_DTYPE_I8;
    a->zero_in = p->in.zero;
    a->zero_out = p->out.zero;
    const int32_t low = is_signed ? -128 : 0;
    a->least = a->least > low ? a->least : low;
    a->most = a->most < low + 255 ? a->most : low + 255;
    if (a->least > a->most)
        return HET__NO_VALUE;
    float *factor;
    uint32_t in[4] = { p->x, HET__NO_VALUE, HET__NO_VALUE, HET__NO_VALUE };
    in[1] = het__rw_constant(r, p->name, HET_DTYPE_I8, 4, extent, codes);
    in[2] = het__rw_floats(r, p->name, 1, &m, &factor);
    if (p->bias)
        in[3] = het__rw_constant(r, p->name, HET_DTYPE_I32, 1, &m, p->bias);
    if (r->failed)
        return HET__NO_VALUE;
    for (int64_t i = 0; i < m; i++) {
        float scale;
        memcpy(&scale, (const char *)p->scales + (p->scale_count > 1 ? i : 0) *
                                                     (int64_t)sizeof scale, sizeof scale);
        factor[i] = p->in.scale * scale / p->out.scale;
    }
    const het__attrs attrs = { .image = *a };
    return het__rw_node(r, HET__OP_QCONV, p->name, in, 4, 1, &attrs);
}

/* ---- QLinearConv ---- */

static void convert_conv(het__rewriter *r, uint32_t index)
{
    const het__node node = r->graph->nodes[index];
    const het__value *x = het__rw_input(r, &node, 0), *w = het__codes_constant(r, &node, 3);
    const het__value *scales = het__codes_constant(r, &node, 4);
    const het__value *bias = het__codes_constant(r, &node, 8);
    const het__value *out = &r->graph->values[node.outputs[0]];
    het__tensor inputs[9], outputs[1];
    het__window window;
    het__eval e;
    const het__value *zeros = het__codes_constant(r, &node, 5);
    het__codes_product p = { .name = node.name };
    if (!x || (x->rank != 3 && x->rank != 4) || !is_code(x->dtype) || !w || !is_code(w->dtype) ||
        !scales || scales->dtype != HET_DTYPE_F32 || (het__rw_input(r, &node, 8) && !bias) ||
        (bias && bias->dtype != HET_DTYPE_I32) || (het__rw_input(r, &node, 5) && !zeros) ||
        !is_code(out->dtype) || x->kind == HET__VALUE_CONST ||
        !het__codes_quant(r, &node, 1, &p.in) || !het__codes_quant(r, &node, 6, &p.out) ||
        !het__rw_eval(r, &node, inputs, outputs, &e) ||
        het__window_conv(&e, &window) != HET_OK || !het__window_attrs(&window, &p.attrs))
        return;
    p.weights = w->data;
    p.weights_type = w->dtype;
    p.scales = scales->data;
    p.scale_count = het__codes_count(scales);
    p.bias = bias ? bias->data : NULL;
    het__codes_zeros(&p, zeros);
    p.attrs.type = out->dtype;
    p.attrs.least = INT32_MIN;
    p.attrs.most = INT32_MAX;
    p.x = het__rw_as_image(r, node.name, node.inputs[0]);
    const uint32_t made = r->failed ? HET__NO_VALUE : het__codes_make(r, &p);
    if (made != HET__NO_VALUE)
        het__rw_replace_shaped(r, node.outputs[0], made, node.name);
}

/* ---- QLinearMatMul ---- */

bool het__codes_matrix(het__rewriter *r, het__codes_product *p, uint32_t x, const het__value *w,
                       bool transposed)
{
    const het__value *v = &r->graph->values[x];
    const uint32_t last = v->rank - 1;
    const int64_t k = w->extent[transposed ? 1 : 0].count, n = w->extent[transposed ? 0 : 1].count;
    if (v->rank < 1 || w->rank != 2 || k != v->extent[last].count || k <= 0 || n <= 0 ||
        k > INT32_MAX || n > INT32_MAX)
        return false;
    const int64_t rows = het__codes_count(v) / k;
    const uint8_t *from = w->data;
    uint8_t *to = het__arena_alloc(&r->graph->arena, (size_t)(k * n));
    if (!to) {
        r->failed = true;
        return false;
    }
    for (int64_t i = 0; i < n; i++)
        for (int64_t j = 0; j < k; j++)
            to[i * k + j] = transposed ? from[i * k + j] : from[j * n + i];
    p->weights = to;
    p->weights_type = w->dtype;
    p->attrs = (het__image_attrs){ .channels_in = (int32_t)k, .channels_out = (int32_t)n,
                                   .groups = 1, .kernel = { 1, 1 }, .stride = { 1, 1 },
                                   .dilation = { 1, 1 } };
    const int64_t extent[4] = { rows, k, 1, 1 };
    p->x = het__rw_reshape(r, p->name, x, 4, extent);
    return !r->failed;
}

/* One scale (or zero point), or one per column. */
static bool per_column(const het__value *v, int64_t columns)
{
    return het__codes_count(v) == 1 || (v->rank == 1 && v->extent[0].count == columns);
}

static void convert_mat_mul(het__rewriter *r, uint32_t index)
{
    const het__node node = r->graph->nodes[index];
    const het__value *x = het__rw_input(r, &node, 0), *w = het__codes_constant(r, &node, 3);
    const het__value *scales = het__codes_constant(r, &node, 4);
    const het_dtype type = r->graph->values[node.outputs[0]].dtype;
    const het__value *zeros = het__codes_constant(r, &node, 5);
    het__codes_product p = { .name = node.name };
    if (!x || x->rank < 1 || !is_code(x->dtype) || x->kind == HET__VALUE_CONST || !w ||
        !is_code(w->dtype) || w->rank != 2 || !scales || scales->dtype != HET_DTYPE_F32 ||
        !per_column(scales, w->extent[1].count) || !zeros ||
        !per_column(zeros, w->extent[1].count) || !is_code(type) ||
        !het__codes_quant(r, &node, 1, &p.in) || !het__codes_quant(r, &node, 6, &p.out))
        return;
    p.scales = scales->data;
    p.scale_count = het__codes_count(scales);
    het__codes_zeros(&p, zeros);
    const het__value matrix = *w;
    if (!het__codes_matrix(r, &p, node.inputs[0], &matrix, false))
        return;
    p.attrs.type = type;
    p.attrs.least = INT32_MIN;
    p.attrs.most = INT32_MAX;
    const uint32_t made = het__codes_make(r, &p);
    if (made != HET__NO_VALUE)
        het__rw_replace_shaped(r, node.outputs[0], made, node.name);
}

void het__pass_integers(het__rewriter *r)
{
    const uint32_t count = r->graph->node_count;
    for (uint32_t n = 0; n < count && !r->failed; n++) {
        if (r->graph->nodes[n].op == HET__OP_T_QLINEAR_CONV)
            convert_conv(r, n);
        else if (r->graph->nodes[n].op == HET__OP_T_QLINEAR_MAT_MUL)
            convert_mat_mul(r, n);
        else if (r->graph->nodes[n].op == HET__OP_T_QUANTIZE_LINEAR)
            het__codes_keep(r, n);
    }
    het__codes_fold(r);
}
