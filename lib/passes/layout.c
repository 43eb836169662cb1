/* SPDX-License-Identifier: Apache-2.0 */
/* Images in blocks of channels from one convolution to the next.
 *
 * A convolution, a pool, a change of size and what works element by element run on blocked images
 * once something before them gives one; other nodes read plain images, which are unpacked where
 * such a node asks for one, once. A convolution asks for blocks by itself unless its channels are
 * too few. */
#include <string.h>

#include "lib/passes/tensor.h"

/* Inputs with fewer channels (a picture) stay plain: blocks would be mostly padding. */
#define CHANNELS_MIN 5
#define INPUTS_MAX 16

typedef struct layout {
    het__rewriter *r;
    int32_t block;
    uint32_t *blocked; /* per value of the graph as it was: its blocked form, or HET__NO_VALUE */
    bool *is_native;   /* the blocked form is made by a node that stands for the value's own */
    uint32_t count;
} layout;

static uint32_t blocked_form(const layout *l, uint32_t value)
{
    return value < l->count ? l->blocked[value] : HET__NO_VALUE;
}

static bool is_code(const het__value *v)
{
    return v->dtype == HET_DTYPE_U8 || v->dtype == HET_DTYPE_I8;
}

static bool is_image(const het__value *v)
{
    return (v->dtype == HET_DTYPE_F32 || is_code(v)) && v->rank == 4 &&
           v->kind != HET__VALUE_CONST && v->extent[1].count > 0;
}

/* The blocked form of an image, packed here if nothing before gives it. */
static uint32_t take_blocked(layout *l, uint32_t value, const char *name)
{
    if (blocked_form(l, value) != HET__NO_VALUE)
        return l->blocked[value];
    const int32_t channels = (int32_t)l->r->graph->values[value].extent[1].count;
    het__attrs attrs;
    memset(&attrs, 0, sizeof attrs);
    attrs.image = (het__image_attrs){ .channels_in = channels, .channels_out = channels,
                                      .block_out = l->block, .groups = 1 };
    const uint32_t made = het__rw_node(l->r, HET__OP_BLOCK, name, &value, 1, 1, &attrs);
    if (value < l->count)
        l->blocked[value] = made;
    return made;
}

static void give_blocked(layout *l, uint32_t value, uint32_t made)
{
    if (l->r->failed)
        return;
    l->blocked[value] = made;
    l->is_native[value] = true;
    l->r->rewrites++;
}

/* ---- convolutions and pools ---- */

/* Which sides of a convolution can be blocked. Few channels are worth a block if those that they
 * are made of stand in blocks already. */
static bool conv_blocks(const het__image_attrs *a, int32_t block, bool is_blocked, bool *in,
                        bool *out)
{
    const int32_t per_in = a->channels_in / a->groups, per_out = a->channels_out / a->groups;
    *in = *out = true;
    if (a->groups == 1) {
        *in = a->channels_in >= CHANNELS_MIN;
        return a->channels_out >= CHANNELS_MIN || (is_blocked && *in);
    }
    if (per_in == 1 && per_out == 1)
        return true;
    return per_in % block == 0 && per_out % block == 0;
}

static void block_conv(layout *l, uint32_t index)
{
    const het__node node = l->r->graph->nodes[index];
    het__attrs attrs = node.attrs;
    bool in, out;
    if (attrs.image.block_in || attrs.image.block_out ||
        !conv_blocks(&attrs.image, l->block, blocked_form(l, node.inputs[0]) != HET__NO_VALUE,
                     &in, &out))
        return;
    uint32_t inputs[4];
    memcpy(inputs, node.inputs, node.input_count * sizeof *inputs);
    if (in)
        inputs[0] = take_blocked(l, inputs[0], node.name);
    if (attrs.image.residual)
        inputs[3] = take_blocked(l, inputs[3], node.name);
    attrs.image.block_in = in ? l->block : 0;
    attrs.image.block_out = l->block;
    give_blocked(l, node.outputs[0], het__rw_node(l->r, HET__OP_CONV, node.name, inputs,
                                                  node.input_count, 1, &attrs));
}

/* A plain image of codes is re-laid by the convolution that reads it, with its padding. */
static void block_qconv(layout *l, uint32_t index)
{
    const het__node node = l->r->graph->nodes[index];
    het__attrs attrs = node.attrs;
    bool in, out;
    if (attrs.image.block_in || attrs.image.block_out)
        return;
    const bool fits = conv_blocks(&attrs.image, l->block, false, &in, &out);
    if (!fits && attrs.image.groups > 1)
        return;
    uint32_t inputs[4];
    memcpy(inputs, node.inputs, node.input_count * sizeof *inputs);
    in = attrs.image.groups > 1 || blocked_form(l, inputs[0]) != HET__NO_VALUE;
    if (in)
        inputs[0] = take_blocked(l, inputs[0], node.name);
    attrs.image.block_in = in ? l->block : 0;
    attrs.image.block_out = l->block;
    give_blocked(l, node.outputs[0], het__rw_node(l->r, HET__OP_QCONV, node.name, inputs,
                                                  node.input_count, 1, &attrs));
}

static void block_pool(layout *l, uint32_t index)
{
    const het__node node = l->r->graph->nodes[index];
    het__attrs attrs = node.attrs;
    if (attrs.image.block_in || blocked_form(l, node.inputs[0]) == HET__NO_VALUE)
        return;
    const uint32_t in = l->blocked[node.inputs[0]];
    attrs.image.block_in = attrs.image.block_out = l->block;
    give_blocked(l, node.outputs[0],
                 het__rw_node(l->r, HET__OP_POOL, node.name, &in, 1, 1, &attrs));
}

/* ---- element by element ---- */

/* Finite elements stay finite, so that what stands in the padding does no harm. */
static bool is_elementwise(het__op op)
{
    switch (op) {
    case HET__OP_T_ADD:
    case HET__OP_T_SUB:
    case HET__OP_T_MUL:
    case HET__OP_T_MAX:
    case HET__OP_T_MIN:
    case HET__OP_T_SUM:
    case HET__OP_T_PRELU:
    case HET__OP_T_RELU:
    case HET__OP_T_LEAKY_RELU:
    case HET__OP_T_CLIP:
    case HET__OP_T_SIGMOID:
    case HET__OP_T_TANH:
    case HET__OP_T_SWISH:
    case HET__OP_T_HARD_SIGMOID:
    case HET__OP_T_HARD_SWISH:
    case HET__OP_T_GELU:
    case HET__OP_T_ELU:
    case HET__OP_T_MISH:
    case HET__OP_T_ABS:
    case HET__OP_T_NEG:
        return true;
    default:
        return false;
    }
}

/* A constant that is one number, or one per channel of an image with `channels`. */
static bool fits_channels(const het__value *v, int64_t channels)
{
    if (v->kind != HET__VALUE_CONST || v->dtype != HET_DTYPE_F32 || v->rank > 4)
        return false;
    for (uint32_t i = 0; i < v->rank; i++) {
        const uint32_t axis = i + 4 - v->rank;
        if (v->extent[i].count != 1 && (axis != 1 || v->extent[i].count != channels))
            return false;
    }
    return true;
}

/* One number per channel as [C/b,1,1,b]; a single number stays as it is. */
static uint32_t block_constant(layout *l, uint32_t value, int64_t channels)
{
    int64_t count;
    const float *old = het__rw_read_floats(l->r, value, &count);
    if (!old || count != channels)
        return old ? value : HET__NO_VALUE;
    const int64_t extent[4] = { (channels + l->block - 1) / l->block, 1, 1, l->block };
    float *data;
    const uint32_t made =
        het__rw_floats(l->r, l->r->graph->values[value].name, 4, extent, &data);
    if (made != HET__NO_VALUE)
        memcpy(data, old, (size_t)count * sizeof *data);
    return made;
}

static bool can_block_elementwise(const layout *l, const het__node *node, int64_t *channels)
{
    const het__value *out = &l->r->graph->values[node->outputs[0]];
    bool any = false;
    if (!is_image(out) || node->input_count > INPUTS_MAX)
        return false;
    *channels = out->extent[1].count;
    for (uint32_t i = 0; i < node->input_count; i++) {
        const het__value *v = het__rw_input(l->r, node, i);
        if (!v)
            continue;
        if (v->kind == HET__VALUE_CONST ? !fits_channels(v, *channels)
                                        : !is_image(v) || v->extent[1].count != *channels)
            return false;
        any = any || blocked_form(l, node->inputs[i]) != HET__NO_VALUE;
    }
    return any;
}

static void block_elementwise(layout *l, uint32_t index)
{
    const het__node node = l->r->graph->nodes[index];
    uint32_t inputs[INPUTS_MAX];
    int64_t channels;
    if (!can_block_elementwise(l, &node, &channels))
        return;
    for (uint32_t i = 0; i < node.input_count; i++) {
        const het__value *v = het__rw_input(l->r, &node, i);
        inputs[i] = HET__NO_VALUE;
        if (v)
            inputs[i] = v->kind == HET__VALUE_CONST
                            ? block_constant(l, node.inputs[i], channels)
                            : take_blocked(l, node.inputs[i], node.name);
    }
    give_blocked(l, node.outputs[0], het__rw_node(l->r, node.op, node.name, inputs,
                                                  node.input_count, 1, &node.attrs));
}

/* Which inputs of an operation on codes element by element are images: bits; 0: it is none, or
 * there is more than one scale. */
static uint32_t code_images(const layout *l, const het__node *node)
{
    const het__value *scale;
    switch (node->op) {
    case HET__OP_QMAP:
        return 1u;
    case HET__OP_T_MS_QLINEAR_ADD:
        return 1u | 8u;
    case HET__OP_T_QUANTIZE_LINEAR:
    case HET__OP_T_DEQUANTIZE_LINEAR:
        scale = het__rw_input(l->r, node, 1);
        for (uint32_t i = 0; i < scale->rank; i++)
            if (scale->extent[i].count != 1)
                return 0;
        return scale->rank <= 1 ? 1u : 0;
    default:
        return 0;
    }
}

static void block_codes(layout *l, uint32_t index)
{
    const het__node node = l->r->graph->nodes[index];
    const uint32_t images = code_images(l, &node);
    const het__value *out = &l->r->graph->values[node.outputs[0]];
    uint32_t inputs[INPUTS_MAX];
    bool any = false;
    if (!images || node.input_count > INPUTS_MAX || !is_image(out))
        return;
    memcpy(inputs, node.inputs, node.input_count * sizeof *inputs);
    for (uint32_t i = 0; i < node.input_count; i++) {
        if (!(images >> i & 1))
            continue;
        const het__value *v = het__rw_input(l->r, &node, i);
        if (!is_image(v))
            return;
        for (uint32_t k = 0; k < 4; k++)
            if (v->extent[k].count != out->extent[k].count)
                return;
        any = any || blocked_form(l, node.inputs[i]) != HET__NO_VALUE;
    }
    for (uint32_t i = 0; any && i < node.input_count; i++)
        if (images >> i & 1)
            inputs[i] = take_blocked(l, node.inputs[i], node.name);
    if (any)
        give_blocked(l, node.outputs[0], het__rw_node(l->r, node.op, node.name, inputs,
                                                      node.input_count, 1, &node.attrs));
}

/* Channels one behind the other: whole blocks, so that only the last may be padded. */
static void block_concat(layout *l, uint32_t index)
{
    const het__node node = l->r->graph->nodes[index];
    uint32_t inputs[INPUTS_MAX];
    const int64_t axis = het__attr_int(&node.attrs.tensor, "axis", 1);
    if (node.input_count > INPUTS_MAX || (axis != 1 && axis != -3))
        return;
    for (uint32_t i = 0; i < node.input_count; i++) {
        const het__value *v = het__rw_input(l->r, &node, i);
        inputs[i] = blocked_form(l, node.inputs[i]);
        if (inputs[i] == HET__NO_VALUE ||
            (i + 1 < node.input_count && v->extent[1].count % l->block != 0))
            return;
    }
    const het__attr one = { "axis", HET__ATTR_INT, 0, { .i = 1 } };
    const het__attr *items = het__rw_attrs(l->r, &one, 1);
    const het__attrs attrs = { .tensor = { .items = items, .count = 1, .opset = 13 } };
    if (items)
        give_blocked(l, node.outputs[0], het__rw_node(l->r, HET__OP_T_CONCAT, node.name, inputs,
                                                      node.input_count, 1, &attrs));
}

/* ---- other sizes ---- */

/* Constant scales or sizes of [N,C,H,W] for [N,C/b,H,W,b]; HET__NO_VALUE if batch or channels would
 * change, or they are not known. */
static uint32_t block_factors(layout *l, const het__node *node, uint32_t input)
{
    const het__value *x = het__rw_input(l->r, node, 0);
    const het__value *v = het__rw_input(l->r, node, input);
    const bool is_scale = input == 2;
    const int64_t five = 5, blocks = (x->extent[1].count + l->block - 1) / l->block;
    if (v->kind != HET__VALUE_CONST || !v->data || v->rank != 1 || v->extent[0].count != 4 ||
        v->dtype != (is_scale ? HET_DTYPE_F32 : HET_DTYPE_I64))
        return HET__NO_VALUE;
    if (is_scale) {
        float old[4], *scales;
        memcpy(old, v->data, sizeof old);
        if (old[0] != 1 || old[1] != 1)
            return HET__NO_VALUE;
        const uint32_t made = het__rw_floats(l->r, node->name, 1, &five, &scales);
        for (uint32_t i = 0; made != HET__NO_VALUE && i < 5; i++)
            scales[i] = i < 4 ? old[i] : 1;
        return made;
    }
    int64_t old[4];
    memcpy(old, v->data, sizeof old);
    if (old[0] != x->extent[0].count || old[1] != x->extent[1].count)
        return HET__NO_VALUE;
    const int64_t sizes[5] = { old[0], blocks, old[2], old[3], l->block };
    void *copy = het__arena_alloc(&l->r->graph->arena, sizeof sizes);
    if (!copy) {
        l->r->failed = true;
        return HET__NO_VALUE;
    }
    memcpy(copy, sizes, sizeof sizes);
    return het__rw_constant(l->r, node->name, HET_DTYPE_I64, 1, &five, copy);
}

/* A region is given, and not an empty one. */
static bool crops(const het__value *roi)
{
    return roi && (roi->rank != 1 || roi->extent[0].count != 0);
}

/* Height and width of a blocked image change as those of a plain one. */
static void block_resize(layout *l, uint32_t index)
{
    const het__node node = l->r->graph->nodes[index];
    const het__attr_list *list = &node.attrs.tensor;
    const het__value *x = het__rw_input(l->r, &node, 0);
    const uint32_t by = het__rw_input(l->r, &node, 2) ? 2 : 3;
    if (list->opset < 11 || blocked_form(l, node.inputs[0]) == HET__NO_VALUE || !is_image(x) ||
        !het__rw_input(l->r, &node, by) || crops(het__rw_input(l->r, &node, 1)) ||
        het__attr_find(list, "axes", HET__ATTR_INTS) ||
        het__attr_find(list, "keep_aspect_ratio_policy", HET__ATTR_STRING))
        return;
    const uint32_t factors = block_factors(l, &node, by);
    if (factors == HET__NO_VALUE)
        return;
    uint32_t inputs[4] = { l->blocked[node.inputs[0]], HET__NO_VALUE, HET__NO_VALUE,
                           HET__NO_VALUE };
    inputs[by] = factors;
    give_blocked(l, node.outputs[0],
                 het__rw_node(l->r, node.op, node.name, inputs, by + 1, 1, &node.attrs));
}

static void block_node(layout *l, uint32_t index)
{
    const het__op op = l->r->graph->nodes[index].op;
    if (op == HET__OP_CONV)
        block_conv(l, index);
    else if (op == HET__OP_QCONV)
        block_qconv(l, index);
    else if (op == HET__OP_POOL)
        block_pool(l, index);
    else if (op == HET__OP_T_CONCAT)
        block_concat(l, index);
    else if (op == HET__OP_T_RESIZE)
        block_resize(l, index);
    else if (is_elementwise(op))
        block_elementwise(l, index);
    else
        block_codes(l, index);
}

/* Whether somebody still reads the plain form, or it is a result: per value. */
static void find_needed(const layout *l, bool *needed)
{
    const het__graph *g = l->r->graph;
    for (uint32_t v = 0; v < l->count; v++)
        needed[v] = g->values[v].kind == HET__VALUE_OUTPUT;
    for (uint32_t n = 0; n < g->node_count; n++) {
        const het__node *node = &g->nodes[n];
        if (node->op == HET__OP_NONE ||
            (node->output_count > 0 && node->outputs[0] < l->count &&
             l->is_native[node->outputs[0]]))
            continue;
        for (uint32_t i = 0; i < node->input_count; i++)
            if (node->inputs[i] < l->count)
                needed[node->inputs[i]] = true;
    }
}

/* Who still reads the plain form of a value that is made blocked gets it unpacked. */
static void unpack(layout *l, const bool *needed)
{
    for (uint32_t v = 0; v < l->count && !l->r->failed; v++) {
        const het__value *value = &l->r->graph->values[v];
        if (!l->is_native[v] || !needed[v])
            continue;
        const int32_t channels = (int32_t)value->extent[1].count;
        het__attrs attrs;
        memset(&attrs, 0, sizeof attrs);
        attrs.image = (het__image_attrs){ .channels_in = channels, .channels_out = channels,
                                          .block_in = l->block, .groups = 1 };
        const uint32_t plain = het__rw_node(l->r, HET__OP_UNBLOCK, value->name, &l->blocked[v], 1,
                                            1, &attrs);
        if (!l->r->failed)
            het__rw_replace(l->r, v, plain);
    }
}

void het__pass_layout(het__rewriter *r)
{
    het__mem *mem = r->graph->arena.mem;
    layout l = { r, r->block, NULL, NULL, r->graph->value_count };
    if (r->block <= 0 || l.count == 0)
        return;
    l.blocked = het__alloc(mem, l.count * sizeof *l.blocked);
    l.is_native = het__alloc_zero(mem, l.count, sizeof *l.is_native);
    bool *needed = het__alloc(mem, l.count * sizeof *needed);
    if (!l.blocked || !l.is_native || !needed) {
        r->failed = true;
    } else {
        const uint32_t nodes = r->graph->node_count;
        for (uint32_t v = 0; v < l.count; v++)
            l.blocked[v] = HET__NO_VALUE;
        for (uint32_t n = 0; n < nodes && !r->failed; n++)
            block_node(&l, n);
        find_needed(&l, needed);
        unpack(&l, needed);
    }
    het__free(mem, needed);
    het__free(mem, l.blocked);
    het__free(mem, l.is_native);
}
