/* SPDX-License-Identifier: Apache-2.0 */
/* Pools, changes of layout and tables of images, of floats and of codes of eight bits. */
#include "backends/gpu/image.h"

/* ---- pools ---- */

static bool moving_supports(const het__graph *graph, const het__node *node, char *reason,
                            size_t bytes)
{
    return het__gpu_image_fits(graph, node, reason, bytes);
}

static het_status pool_prepare(het__gpu_call *call, het_error *err)
{
    const het__value *x = &call->inputs[0].value, *y = &call->outputs[0].value;
    const het__image_attrs *a = &call->attrs.image;
    const int64_t in[2] = { x->extent[2].count, x->extent[3].count };
    const int64_t out[2] = { y->extent[2].count, y->extent[3].count };
    const int64_t block = a->block_in ? a->block_in : 1;
    int64_t v = call->facts->is_cpu ? HET__GPU_VECTOR_MAX : 4;
    while (block % v != 0)
        v /= 2;
    const bool is_float = x->dtype == HET_DTYPE_F32;
    const int64_t vectors = het__gpu_blocks(a->channels_in, block) * (block / v);
    const int32_t counts[4] = { (int32_t)vectors, (int32_t)x->extent[0].count, a->count_padding,
                                x->dtype == HET_DTYPE_I8 ? -128 : 0 };
    het__gpu_starts list;
    het__gpu_starts_init(&list, call->arena, call->facts);
    het__gpu_start *s = het__gpu_starts_add(&list, "pool", "pool");
    het__gpu_start_option(s, "-DPOOL -DV=%d -DBLOCK=%d -DT=%s -DIS_FLOAT=%d -DMEAN=%d -DACT=%d",
                          (int)v, (int)block, het__gpu_code_name(x->dtype), is_float, a->mean,
                          (int)a->act.kind);
    het__gpu_put_input(s, 0, 0);
    het__gpu_put_output(s, 0, 0);
    het__gpu_put_window(s, a, in, out);
    het__gpu_put_ints(s, 4, counts);
    het__gpu_put_float(s, a->act.alpha);
    het__gpu_put_float(s, a->act.beta);
    het__gpu_start_items(s, out[0] * out[1], vectors, x->extent[0].count,
                         call->facts->is_cpu ? 16 : 64);
    return het__gpu_starts_prepare(call, &list, err);
}

const het__gpu_op het__gpu_pool = { moving_supports, pool_prepare, het__gpu_starts_launch };

/* ---- layouts ---- */

static het_status layout_prepare(het__gpu_call *call, het_error *err)
{
    const het__value *x = &call->inputs[0].value;
    const het__image_attrs *a = &call->attrs.image;
    const bool blocks = call->op == HET__OP_BLOCK;
    const int64_t block = blocks ? a->block_out : a->block_in;
    const int64_t places_of_image = x->extent[2].count * x->extent[3].count;
    const int64_t count = het__gpu_blocks(a->channels_in, block);
    const int32_t counts[4] = { a->channels_in, (int32_t)places_of_image, (int32_t)count,
                                (int32_t)(count * x->extent[0].count) };
    het__gpu_starts list;
    het__gpu_starts_init(&list, call->arena, call->facts);
    het__gpu_start *s = het__gpu_starts_add(&list, "pool", blocks ? "block" : "unblock");
    het__gpu_start_option(s, "-DLAYOUT -DBLOCK=%d -DT=%s", (int)block,
                          x->dtype == HET_DTYPE_F32 ? "uint" : "uchar");
    het__gpu_put_input(s, 0, 0);
    het__gpu_put_output(s, 0, 0);
    het__gpu_put_ints(s, 4, counts);
    het__gpu_start_items(s, places_of_image, counts[3], 1, 64);
    return het__gpu_starts_prepare(call, &list, err);
}

const het__gpu_op het__gpu_block = { moving_supports, layout_prepare, het__gpu_starts_launch };
const het__gpu_op het__gpu_unblock = { moving_supports, layout_prepare, het__gpu_starts_launch };

/* ---- codes through a table ---- */

static het_status map_prepare(het__gpu_call *call, het_error *err)
{
    const int64_t count = call->outputs[0].rows * call->outputs[0].columns;
    het__gpu_starts list;
    het__gpu_starts_init(&list, call->arena, call->facts);
    het__gpu_start *s = het__gpu_starts_add(&list, "pool", "map");
    het__gpu_start_option(s, "-DMAP");
    het__gpu_put_input(s, 0, 0);
    het__gpu_put_input(s, 1, 0);
    het__gpu_put_output(s, 0, 0);
    het__gpu_put_int(s, count);
    het__gpu_start_items(s, (count + 15) / 16, 1, 1, 64);
    return het__gpu_starts_prepare(call, &list, err);
}

const het__gpu_op het__gpu_qmap = { moving_supports, map_prepare, het__gpu_starts_launch };
