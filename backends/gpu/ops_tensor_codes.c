/* SPDX-License-Identifier: Apache-2.0 */
/* Quantising and its reverse, and operations on codes of eight bits, to the bit. What takes
 * double precision is worked out here, in tables: a code is a function of another code, or of an
 * integer sum. */
#include <string.h>

#include "backends/gpu/tensor.h"
#include "lib/plain/plain.h"

static bool is_code(het_dtype dtype)
{
    return dtype == HET_DTYPE_U8 || dtype == HET_DTYPE_I8;
}

static float least_code(het_dtype dtype)
{
    return dtype == HET_DTYPE_I8 ? -128.0f : 0.0f;
}

/* Scales and zero points along an axis, or one. */
static bool scale_places(const het__gpu_recipe *t, uint32_t input, int side, het__gpu_places *p)
{
    const het__tensor *x = &t->inputs[0], *scale = &t->inputs[input];
    if (het__tensor_elements(scale) == 1 && scale->rank <= 1)
        return true;
    const int64_t axis = het__axis(het__attr_int(t->e.attrs, "axis", 1), x->rank);
    if (axis < 0 || scale->rank != 1 || het__attr_int(t->e.attrs, "block_size", 0) != 0)
        return false;
    p->step[side][axis] = 1;
    return true;
}

bool het__gpu_build_quantize(het__gpu_recipe *t)
{
    const bool back = t->e.node->op == HET__OP_T_DEQUANTIZE_LINEAR;
    const bool has_zero = het__eval_input(&t->e, 2) != NULL;
    const het_dtype from = t->inputs[0].dtype, to = t->outputs[0].dtype;
    const het_dtype code = back ? from : to, real = back ? to : from;
    if (!(is_code(code) || (back && code == HET_DTYPE_I32)) || real != HET_DTYPE_F32 ||
        t->inputs[1].dtype != HET_DTYPE_F32 ||
        het__attr_dtype(t->e.attrs, "precision", HET_DTYPE_F32) != HET_DTYPE_F32)
        return het__gpu_refuse(t, "%s to %s", het_dtype_name(from), het_dtype_name(to));
    const float least = least_code(code);
    het__gpu_map map = {
        .f = back ? (has_zero ? "dequantize" : "dequantize_plain")
                  : (has_zero ? "quantize" : "quantize_plain"),
        .to = het__gpu_type(to), .type = { het__gpu_type(from), "float", het__gpu_type(code) },
        .arity = has_zero ? 3 : 2, .input = { 0, 1, 2 }, .p = least, .q = least + 255 };
    het__gpu_places_of(&map.places, &t->outputs[0], t->inputs, 1);
    if (!scale_places(t, 1, HET__GPU_B, &map.places) ||
        (has_zero && !scale_places(t, 2, HET__GPU_C, &map.places)))
        return het__gpu_refuse(t, "scales of blocks");
    return het__gpu_add_map(t, &map);
}

/* ---- codes in, codes out ---- */

typedef struct quant {
    double scale;
    int64_t zero;
} quant;

/* Scale in input i, zero point behind it; false where they are not known. */
static bool quant_of(const het__gpu_recipe *t, uint32_t i, quant *q)
{
    const het__tensor *scale = het__eval_input(&t->e, i), *zero = het__eval_input(&t->e, i + 1);
    if (!scale || !scale->data || scale->dtype != HET_DTYPE_F32 || (zero && !zero->data))
        return false;
    q->scale = het__get_f64(HET_DTYPE_F32, scale->data, 0);
    q->zero = zero ? het__get_i64(zero->dtype, zero->data, 0) : 0;
    return true;
}

/* What each code stands for, times factor, and a number. */
static void fill(het_dtype dtype, int64_t zero, float factor, float shift, float table[256])
{
    for (int code = 0; code < 256; code++) {
        const int64_t value = dtype == HET_DTYPE_I8 && code > 127 ? code - 256 : code;
        table[code] = (float)(value - zero) * factor + shift;
    }
}

bool het__gpu_build_qlinear_binary(het__gpu_recipe *t)
{
    const bool adds = t->e.node->op == HET__OP_T_MS_QLINEAR_ADD;
    const het__tensor *a = &t->inputs[0], *b = &t->inputs[3], *out = &t->outputs[0];
    const het__tensor operands[2] = { *a, *b };
    quant qa, qb, qy;
    float tables[512];
    het__gpu_memory *memory;
    if (!is_code(a->dtype) || !is_code(b->dtype) || !is_code(out->dtype))
        return het__gpu_refuse(t, "%s and %s", het_dtype_name(a->dtype), het_dtype_name(b->dtype));
    if (!quant_of(t, 1, &qa) || !quant_of(t, 4, &qb) || !quant_of(t, 6, &qy))
        return het__gpu_refuse(t, "scales that are not constant");
    if (adds) {
        const float ra = (float)(qa.scale / qy.scale), rb = (float)(qb.scale / qy.scale);
        fill(a->dtype, 0, ra, 0, tables);
        fill(b->dtype, 0, rb, (float)qy.zero - (ra * (float)qa.zero + rb * (float)qb.zero),
             tables + 256);
    } else {
        fill(a->dtype, qa.zero, (float)(qa.scale * qb.scale / qy.scale), 0, tables);
        fill(b->dtype, qb.zero, 1, 0, tables + 256);
    }
    if (!het__gpu_recipe_table(t, tables, sizeof tables, &memory))
        return false;
    het__gpu_start *s = het__gpu_starts_add(&t->starts, "tensor_map", "codes");
    het__gpu_places places;
    het__gpu_places_of(&places, out, operands, 2);
    het__gpu_start_option(s, "-DCODES=%s", adds ? "(u+v)" : "(u*v)");
    het__gpu_put_output(s, 0, 0);
    het__gpu_put_input(s, 0, 0);
    het__gpu_put_input(s, 3, 0);
    het__gpu_put_memory(s, memory);
    if (!het__gpu_put_places(t, s, &places))
        return false;
    het__gpu_put_float(s, least_code(out->dtype));
    het__gpu_put_float(s, least_code(out->dtype) + 255);
    het__gpu_put_float(s, adds ? 0 : (float)qy.zero);
    return true;
}

/* As het__plain_qlinear_pool() has it. */
static int32_t mean_code(int64_t sum, int64_t places, const quant *x, const quant *y, float least)
{
    const double mean = (double)(sum - places * x->zero) / (double)places;
    const float quotient = (float)(mean * x->scale / y->scale), zero = (float)y->zero;
    float v = quotient > least - zero ? quotient : least - zero;
    v = v < least + 255 - zero ? v : least + 255 - zero;
    return (int32_t)((v + 0x1.8p23f) - 0x1.8p23f) + (int32_t)y->zero;
}

/* The least sum whose code is at least so much; one behind the largest sum if there is none. */
static int32_t least_sum(int32_t code, int64_t places, const quant *x, const quant *y,
                         het_dtype from, float least)
{
    const int64_t first = (int64_t)least_code(from) * places;
    int64_t low = first, high = first + 255 * places + 1;
    while (low < high) {
        const int64_t middle = low + (high - low) / 2;
        if (mean_code(middle, places, x, y, least) >= code)
            high = middle;
        else
            low = middle + 1;
    }
    return (int32_t)low;
}

bool het__gpu_build_qlinear_pool(het__gpu_recipe *t)
{
    const het__tensor *x = &t->inputs[0], *y = &t->outputs[0];
    const bool last = het__attr_int(t->e.attrs, "channels_last", 0) != 0;
    const int64_t places = het__tensor_span(x, last ? 1 : 2, last ? x->rank - 1 : x->rank);
    const int64_t channels = x->extent[last ? x->rank - 1 : 1];
    const float least = least_code(y->dtype);
    quant qx, qy;
    int32_t reached[255] = { 0 };
    het__gpu_memory *memory;
    if (!is_code(x->dtype) || !is_code(y->dtype) || places > INT32_MAX / 256)
        return het__gpu_refuse(t, "means of %s", het_dtype_name(x->dtype));
    if (!quant_of(t, 1, &qx) || !quant_of(t, 3, &qy) || !(qx.scale > 0) || !(qy.scale > 0))
        return het__gpu_refuse(t, "scales that are not constant");
    for (int i = 0; t->call && i < 255; i++)
        reached[i] = least_sum((int32_t)least + 1 + i, places, &qx, &qy, x->dtype, least);
    if (!het__gpu_recipe_table(t, reached, sizeof reached, &memory))
        return false;
    const int32_t sizes[4] = { (int32_t)(x->extent[0] * channels), (int32_t)places,
                               (int32_t)(last ? channels : 1), (int32_t)least };
    het__gpu_start *s = het__gpu_starts_add(&t->starts, "tensor_rows", "pool_codes");
    het__gpu_start_option(s, "-DPOOL_CODES -DROW_ITEMS=1 -DT=%s", het__gpu_type(x->dtype));
    het__gpu_put_output(s, 0, 0);
    het__gpu_put_input(s, 0, 0);
    het__gpu_put_memory(s, memory);
    het__gpu_put_ints(s, 4, sizes);
    het__gpu_start_items(s, sizes[0], 1, 1, t->starts.facts->is_cpu ? 8 : 64);
    return true;
}
