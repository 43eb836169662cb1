/* SPDX-License-Identifier: Apache-2.0 */
/* Quantising and its reverse: code = saturate(round(x / scale) + zero point), and operations on
 * codes of eight bits that stand between the two. Rounding is to nearest even. */
#include <assert.h>
#include <float.h>
#include <math.h>

#include "lib/plain/chunk.h"
#include "lib/plain/small_floats.h"

/* How the input divides into runs that share a scale, or along which scales move on:
 *
 *     for o < outer, d < count:  run of length elements (the last one of a row may be shorter) from
 *     o * row + d * length on;  its scale is o * outer_step + d / block * block_step
 */
typedef struct grid {
    int64_t outer, row, count, length;
    int64_t outer_step, block, block_step;
    int64_t step; /* of scales within a run: 0 or 1 */
} grid;

static grid grid_of(const het__eval *e)
{
    const het__tensor *x = &e->inputs[0], *scale = &e->inputs[1];
    const int64_t total = het__tensor_elements(x);
    if (het__tensor_elements(scale) == 1 && scale->rank <= 1)
        return (grid){ .outer = 1, .row = total, .count = 1, .length = total, .block = 1 };
    const uint32_t axis = (uint32_t)het__axis(het__attr_int(e->attrs, "axis", 1), x->rank);
    assert(axis < x->rank);
    const int64_t extent = x->extent[axis], inner = het__tensor_span(x, axis + 1, x->rank);
    const int64_t block = het__attr_int(e->attrs, "block_size", 0);
    grid g = { .outer = het__tensor_span(x, 0, axis), .row = extent * inner, .count = extent,
               .length = inner, .block = 1, .block_step = 1 };
    if (block == 0 && inner == 1) {
        g.count = 1;
        g.length = extent;
        g.block_step = 0;
        g.step = 1;
    } else if (block > 0 && inner == 1) {
        g.count = scale->extent[axis];
        g.length = block;
        g.outer_step = g.count;
    } else if (block > 0) {
        g.outer_step = scale->extent[axis] * inner;
        g.block = block;
        g.block_step = inner;
        g.step = 1;
    }
    return g;
}

/* What a chunk of a run needs. zero may be NULL. */
typedef struct piece {
    const het__tensor *x, *scale, *zero, *y;
    het_dtype precision; /* that the quotient is rounded to */
    bool saturate;
} piece;

typedef void (*piece_fn)(const piece *p, int64_t at, int64_t scale_at, int64_t step, int64_t n);

static void for_pieces(const grid *g, const piece *p, piece_fn fn)
{
    for (int64_t o = 0; o < g->outer; o++) {
        for (int64_t d = 0; d < g->count; d++) {
            const int64_t at = d * g->length, left = g->row - at;
            const int64_t length = left < g->length ? left : g->length;
            const int64_t scale = o * g->outer_step + d / g->block * g->block_step;
            for (int64_t i = 0; i < length; i += HET__CHUNK)
                fn(p, o * g->row + at + i, scale + i * g->step, g->step,
                   length - i < HET__CHUNK ? length - i : HET__CHUNK);
        }
    }
}

static void range_of(het_dtype dtype, float *least, float *most)
{
    switch ((int)dtype) {
    case HET_DTYPE_I2: *least = -2, *most = 1; break;
    case HET_DTYPE_U2: *least = 0, *most = 3; break;
    case HET_DTYPE_I4: *least = -8, *most = 7; break;
    case HET_DTYPE_U4: *least = 0, *most = 15; break;
    case HET_DTYPE_I8: *least = -128, *most = 127; break;
    case HET_DTYPE_U8: *least = 0, *most = 255; break;
    case HET_DTYPE_I16: *least = -32768, *most = 32767; break;
    default: *least = 0, *most = 65535; break;
    }
}

/* Adding and taking away 1.5 * 2^23 leaves an integer: in float, places behind the point are gone
 * at that size, and the addition rounds to nearest even. |x| < 2^22. */
static inline float round_small(float x)
{
    _Static_assert(FLT_EVAL_METHOD == 0, "float arithmetic is rounded to float");
    return (x + 0x1.8p23f) - 0x1.8p23f;
}

/* Saturates before it rounds, which is the same as the bounds are integers; NaN becomes the least
 * code. */
static inline float code_of(float quotient, float zero, float least, float most)
{
    float v = quotient > least - zero ? quotient : least - zero;
    v = v < most - zero ? v : most - zero;
    return round_small(v) + zero;
}

static void round_quotients(het_dtype precision, float *q, int64_t n)
{
    if (precision == HET_DTYPE_F16)
        for (int64_t k = 0; k < n; k++)
            q[k] = het__f16_to_f32(het__f32_to_f16(q[k]));
    else if (precision == HET_DTYPE_BF16)
        for (int64_t k = 0; k < n; k++)
            q[k] = het__bf16_to_f32(het__f32_to_bf16(q[k]));
}

static void store_codes(const het__tensor *y, int64_t at, int64_t n, const float *codes)
{
    uint8_t *to = (uint8_t *)y->data + at;
    if (het_dtype_bytes(y->dtype, 1) == 2) {
        het__lane_store(HET__LANE_F32, false, y, at, n, codes);
        return;
    }
    for (int64_t k = 0; k < n; k++)
        to[k] = (uint8_t)(int32_t)codes[k];
}

static void quantize_piece(const piece *p, int64_t at, int64_t scale_at, int64_t step, int64_t n)
{
    float nothing = 0;
    const het__tensor none = { .dtype = HET_DTYPE_F32, .data = &nothing };
    het__chunk x_buffer, scale_buffer, zero_buffer, q;
    const float *x = het__lane_load(HET__LANE_F32, p->x, at, 1, n, &x_buffer);
    const float *scale = het__lane_load(HET__LANE_F32, p->scale, scale_at, step, n, &scale_buffer);
    const float *zero = het__lane_load(HET__LANE_F32, p->zero ? p->zero : &none,
                                       p->zero ? scale_at : 0, p->zero ? step : 0, n,
                                       &zero_buffer);
    for (int64_t k = 0; k < n; k++)
        q.f32[k] = x[k] / scale[k];
    round_quotients(p->precision, q.f32, n);
    if (het__dtype_is_float(p->y->dtype)) {
        for (int64_t k = 0; k < n; k++)
            ((uint8_t *)p->y->data)[at + k] = het__small_float_put(
                p->y->dtype, (double)(q.f32[k] + zero[k]), p->saturate);
        return;
    }
    float least, most;
    range_of(p->y->dtype, &least, &most);
    for (int64_t k = 0; k < n; k++)
        q.f32[k] = code_of(q.f32[k], zero[k], least, most);
    store_codes(p->y, at, n, q.f32);
}

het_status het__plain_quantize(het__eval *e)
{
    const grid g = grid_of(e);
    const piece p = { .x = &e->inputs[0], .scale = &e->inputs[1], .zero = het__eval_input(e, 2),
                      .y = &e->outputs[0],
                      .precision = het__attr_dtype(e->attrs, "precision", e->inputs[1].dtype),
                      .saturate = het__attr_int(e->attrs, "saturate", 1) != 0 };
    for_pieces(&g, &p, quantize_piece);
    return HET_OK;
}

static void dequantize_piece(const piece *p, int64_t at, int64_t scale_at, int64_t step, int64_t n)
{
    het__chunk x_buffer, scale_buffer, zero_buffer, out;
    const float *x = het__lane_load(HET__LANE_F32, p->x, at, 1, n, &x_buffer);
    const float *scale = het__lane_load(HET__LANE_F32, p->scale, scale_at, step, n, &scale_buffer);
    float *y = het__lane_target(HET__LANE_F32, p->y, at, &out);
    if (p->zero) {
        const float *zero = het__lane_load(HET__LANE_F32, p->zero, scale_at, step, n,
                                           &zero_buffer);
        for (int64_t k = 0; k < n; k++)
            y[k] = (x[k] - zero[k]) * scale[k];
    } else {
        for (int64_t k = 0; k < n; k++)
            y[k] = x[k] * scale[k];
    }
    het__lane_store(HET__LANE_F32, false, p->y, at, n, y);
}

het_status het__plain_dequantize(het__eval *e)
{
    const grid g = grid_of(e);
    const piece p = { .x = &e->inputs[0], .scale = &e->inputs[1], .zero = het__eval_input(e, 2),
                      .y = &e->outputs[0] };
    for_pieces(&g, &p, dequantize_piece);
    return HET_OK;
}

/* The range, made to hold 0. NaN is passed over. */
static void extremes(const het__tensor *x, float *least, float *most)
{
    const int64_t total = het__tensor_elements(x);
    het__chunk buffer;
    *least = *most = 0;
    for (int64_t i = 0; i < total; i += HET__CHUNK) {
        const int64_t n = total - i < HET__CHUNK ? total - i : HET__CHUNK;
        const float *v = het__lane_load(HET__LANE_F32, x, i, 1, n, &buffer);
        for (int64_t k = 0; k < n; k++) {
            *least = v[k] < *least ? v[k] : *least;
            *most = v[k] > *most ? v[k] : *most;
        }
    }
}

het_status het__plain_dynamic_quantize(het__eval *e)
{
    const het__tensor *x = &e->inputs[0];
    const int64_t total = het__tensor_elements(x);
    float least, most;
    extremes(x, &least, &most);
    /* All zeros: any scale will do. */
    float scale = most > least ? (most - least) / 255.0f : 1.0f;
    float zero = code_of(-least / scale, 0, 0, 255);
    uint8_t code = (uint8_t)zero;
    const het__tensor scale_tensor = { .dtype = HET_DTYPE_F32, .data = &scale };
    const het__tensor zero_tensor = { .dtype = HET_DTYPE_U8, .data = &code };
    const grid g = { .outer = 1, .row = total, .count = 1, .length = total, .block = 1 };
    const piece p = { .x = x, .scale = &scale_tensor, .zero = &zero_tensor, .y = &e->outputs[0],
                      .precision = HET_DTYPE_F32, .saturate = true };
    for_pieces(&g, &p, quantize_piece);
    if (e->output_count > 1)
        memcpy(e->outputs[1].data, &scale, sizeof scale);
    if (e->output_count > 2)
        memcpy(e->outputs[2].data, &code, sizeof code);
    return HET_OK;
}

/* ---- codes in, codes out ---- */

typedef struct quant {
    double scale;
    int64_t zero;
} quant;

/* Scale in input i, zero point behind it. */
static quant quant_of(const het__eval *e, uint32_t i)
{
    const het__tensor *zero = het__eval_input(e, i + 1);
    return (quant){ het__get_f64(HET_DTYPE_F32, e->inputs[i].data, 0),
                    zero ? het__get_i64(zero->dtype, zero->data, 0) : 0 };
}

/* What each code stands for, times factor, and a number. */
static void fill_table(het_dtype dtype, int64_t zero, float factor, float shift, float table[256])
{
    for (int code = 0; code < 256; code++) {
        const int64_t value = dtype == HET_DTYPE_I8 && code > 127 ? code - 256 : code;
        table[code] = (float)(value - zero) * factor + shift;
    }
}

/* The terms of a sum of codes. The zero point is added before the sum is rounded, which matters for
 * halves, as common runtimes do it. */
static void fill_sum(het_dtype dtype, const quant *a, const quant *b, const quant *y,
                     float ta[256], float tb[256])
{
    const float ra = (float)(a->scale / y->scale), rb = (float)(b->scale / y->scale);
    fill_table(dtype, 0, ra, 0, ta);
    fill_table(dtype, 0, rb, (float)y->zero - (ra * (float)a->zero + rb * (float)b->zero), tb);
}

het_status het__plain_qlinear_binary(het__eval *e)
{
    const het__tensor *a = &e->inputs[0], *b = &e->inputs[3], *y = &e->outputs[0];
    const quant qa = quant_of(e, 1), qb = quant_of(e, 4), qy = quant_of(e, 6);
    const bool adds = e->node->op == HET__OP_T_MS_QLINEAR_ADD;
    const int64_t total = het__tensor_elements(y);
    float ta[256], tb[256], least, most;
    int64_t step[3];
    het__walk walk;
    range_of(y->dtype, &least, &most);
    if (adds) {
        fill_sum(a->dtype, &qa, &qb, &qy, ta, tb);
    } else {
        fill_table(a->dtype, qa.zero, (float)(qa.scale * qb.scale / qy.scale), 0, ta);
        fill_table(b->dtype, qb.zero, 1, 0, tb);
    }
    const float zero = adds ? 0 : (float)qy.zero;
    het__walk_init(&walk, y, a, b, NULL);
    const int64_t run = het__walk_runs(&walk, step);
    for (int64_t done = 0; done < total; done += run, het__walk_next(&walk)) {
        const uint8_t *p = (const uint8_t *)a->data + walk.index[0];
        const uint8_t *q = (const uint8_t *)b->data + walk.index[1];
        uint8_t *to = (uint8_t *)y->data + done;
        for (int64_t i = 0; i < run; i++) {
            const float u = ta[p[i * step[0]]], v = tb[q[i * step[1]]];
            to[i] = (uint8_t)(int32_t)code_of(adds ? u + v : u * v, zero, least, most);
        }
    }
    return HET_OK;
}

static int64_t sum_bytes(const het__tensor *x, int64_t first, int64_t step, int64_t count)
{
    const uint8_t *codes = (const uint8_t *)x->data + first;
    const int32_t turn = x->dtype == HET_DTYPE_I8 ? 0x80 : 0;
    int64_t sum = 0;
    for (int64_t k = 0; k < count; k++)
        sum += (codes[k * step] ^ turn) - turn;
    return sum;
}

het_status het__plain_qlinear_pool(het__eval *e)
{
    const het__tensor *x = &e->inputs[0], *y = &e->outputs[0];
    const bool last = het__attr_int(e->attrs, "channels_last", 0) != 0;
    const int64_t places = het__tensor_span(x, last ? 1 : 2, last ? x->rank - 1 : x->rank);
    const int64_t batch = x->extent[0], channels = x->extent[last ? x->rank - 1 : 1];
    const quant qx = quant_of(e, 1), qy = quant_of(e, 3);
    float least, most;
    range_of(y->dtype, &least, &most);
    for (int64_t i = 0; i < batch * channels; i++) {
        const int64_t n = i / channels, c = i % channels;
        const int64_t first = last ? n * places * channels + c : i * places;
        const int64_t sum = sum_bytes(x, first, last ? channels : 1, places);
        const double mean = (double)(sum - places * qx.zero) / (double)places;
        const float quotient = (float)(mean * qx.scale / qy.scale);
        het__put_i64(y->dtype, y->data, i,
                     (int64_t)code_of(quotient, (float)qy.zero, least, most));
    }
    return HET_OK;
}
