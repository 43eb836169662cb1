/* SPDX-License-Identifier: Apache-2.0 */
/* Convolutions and products of codes of eight bits with constant weights become QCONV. */
#include <math.h>
#include <string.h>

#include "lib/ir/window.h"
#include "lib/passes/tensor.h"
#include "lib/plain/plain.h"

static bool is_code(het_dtype dtype)
{
    return dtype == HET_DTYPE_U8 || dtype == HET_DTYPE_I8;
}

static const het__value *constant_of(const het__rewriter *r, const het__node *node, uint32_t i)
{
    const het__value *v = het__rw_input(r, node, i);
    return v && v->kind == HET__VALUE_CONST && v->data ? v : NULL;
}

static int64_t elements_of(const het__value *v)
{
    const int64_t ones[HET__SYM_MAX] = { 1 };
    return het__value_elements(v, ones);
}

/* ---- what codes stand for ---- */

/* Scale in input i, zero point behind it, both one constant number. */
typedef struct quant {
    float scale;
    int32_t zero;
} quant;

static bool quant_of(const het__rewriter *r, const het__node *node, uint32_t i, quant *q)
{
    const het__value *scale = constant_of(r, node, i), *zero = constant_of(r, node, i + 1);
    if (!scale || scale->dtype != HET_DTYPE_F32 || elements_of(scale) != 1 || scale->rank > 1 ||
        (het__rw_input(r, node, i + 1) && (!zero || elements_of(zero) != 1)))
        return false;
    memcpy(&q->scale, scale->data, sizeof q->scale);
    q->zero = zero ? (int32_t)het__get_i64(zero->dtype, zero->data, 0) : 0;
    return true;
}

/* ---- the node ---- */

/* What a convolution of codes is made of. */
typedef struct product {
    const char *name;
    uint32_t x;                     /* rank 4, codes */
    const void *weights;            /* [M,C/g,kh,kw], codes */
    het_dtype weights_type;
    const het__value *zeros;        /* of the weights, one or one per channel; NULL: 0 */
    const void *scales;             /* of the weights, F32 */
    int64_t scale_count;            /* 1 or M */
    const void *bias;               /* I32 [M] or NULL */
    quant in, out;
    het__image_attrs attrs;
} product;

/* Weights as I8 with zero points of 0; NULL if they do not fit that (or memory ran out). */
static const int8_t *signed_weights(het__rewriter *r, const product *p, int64_t per_channel)
{
    const int64_t channels = p->attrs.channels_out, count = channels * per_channel;
    if (p->weights_type == HET_DTYPE_I8 && !p->zeros)
        return p->weights;
    int8_t *codes = het__arena_alloc(&r->graph->arena, (size_t)count + 1);
    if (!codes) {
        r->failed = true;
        return NULL;
    }
    const int64_t step = p->zeros && elements_of(p->zeros) > 1;
    for (int64_t i = 0; i < count; i++) {
        const int64_t zero =
            p->zeros ? het__get_i64(p->zeros->dtype, p->zeros->data, i / per_channel * step) : 0;
        const int64_t w = het__get_i64(p->weights_type, p->weights, i) - zero;
        if (w < -128 || w > 127)
            return NULL;
        codes[i] = (int8_t)w;
    }
    return codes;
}

/* The convolution; HET__NO_VALUE if it cannot be made. */
static uint32_t make_product(het__rewriter *r, product *p)
{
    het__image_attrs *a = &p->attrs;
    const int64_t m = a->channels_out;
    const int64_t extent[4] = { m, a->channels_in / a->groups, a->kernel[0], a->kernel[1] };
    const int8_t *codes = signed_weights(r, p, extent[1] * extent[2] * extent[3]);
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

static void no_range(het__image_attrs *a)
{
    a->least = INT32_MIN;
    a->most = INT32_MAX;
}

/* `made` under the old value's extents. */
static void replace_by(het__rewriter *r, uint32_t old, uint32_t made, const char *name)
{
    const het__value *v = &r->graph->values[old];
    int64_t extent[HET_RANK_MAX];
    for (uint32_t i = 0; i < v->rank; i++)
        extent[i] = v->extent[i].count;
    if (!r->failed && r->graph->values[made].rank != v->rank)
        made = het__rw_reshape(r, name, made, v->rank, extent);
    if (r->failed)
        return;
    het__rw_replace(r, old, made);
    r->rewrites++;
}

/* ---- QLinearConv ---- */

static uint32_t as_image(het__rewriter *r, const char *name, uint32_t value)
{
    const het__value *v = &r->graph->values[value];
    if (v->rank == 4)
        return value;
    const int64_t extent[4] = { v->extent[0].count, v->extent[1].count, 1, v->extent[2].count };
    return het__rw_reshape(r, name, value, 4, extent);
}

static void convert_conv(het__rewriter *r, uint32_t index)
{
    const het__node node = r->graph->nodes[index];
    const het__value *x = het__rw_input(r, &node, 0), *w = constant_of(r, &node, 3);
    const het__value *scales = constant_of(r, &node, 4), *bias = constant_of(r, &node, 8);
    const het__value *out = &r->graph->values[node.outputs[0]];
    het__tensor inputs[9], outputs[1];
    het__window window;
    het__eval e;
    product p = { .name = node.name, .zeros = constant_of(r, &node, 5) };
    if (!x || (x->rank != 3 && x->rank != 4) || !is_code(x->dtype) || !w || !is_code(w->dtype) ||
        !scales || scales->dtype != HET_DTYPE_F32 || (het__rw_input(r, &node, 8) && !bias) ||
        (bias && bias->dtype != HET_DTYPE_I32) || (het__rw_input(r, &node, 5) && !p.zeros) ||
        !is_code(out->dtype) || x->kind == HET__VALUE_CONST ||
        !quant_of(r, &node, 1, &p.in) || !quant_of(r, &node, 6, &p.out) ||
        !het__rw_eval(r, &node, inputs, outputs, &e) ||
        het__window_conv(&e, &window) != HET_OK || !het__window_attrs(&window, &p.attrs))
        return;
    p.weights = w->data;
    p.weights_type = w->dtype;
    p.scales = scales->data;
    p.scale_count = elements_of(scales);
    p.bias = bias ? bias->data : NULL;
    p.attrs.type = out->dtype;
    no_range(&p.attrs);
    p.x = as_image(r, node.name, node.inputs[0]);
    const uint32_t made = r->failed ? HET__NO_VALUE : make_product(r, &p);
    if (made != HET__NO_VALUE)
        replace_by(r, node.outputs[0], made, node.name);
}

void het__pass_integers(het__rewriter *r)
{
    const uint32_t count = r->graph->node_count;
    for (uint32_t n = 0; n < count && !r->failed; n++)
        if (r->graph->nodes[n].op == HET__OP_T_QLINEAR_CONV)
            convert_conv(r, n);
}
