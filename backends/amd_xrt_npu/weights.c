/* SPDX-License-Identifier: Apache-2.0 */
/* Constant matrices as a design takes them: the matrix is cut in columns and parts of the inner
 * extent, and each block is a buffer, packed and handed over once. In 8 bits a column of a part has
 * one factor, max |w| / 127, and codes to the nearest, unless the matrix has codes with one scale
 * per column already; BF16 is rounded to nearest even. What is beyond the matrix is zero. */
#include "backends/amd_xrt_npu/npu.h"

#include <assert.h>
#include <math.h>
#include <string.h>

#include "lib/base/dtype.h"
#include "lib/base/error.h"
#include "lib/quant/quant.h"

#define ROWS_TO_CHOOSE_BY 256

static double seconds_of(const het__npu_design *d, int64_t inner, int64_t columns)
{
    const int64_t width = het__npu_cut_columns(d, columns);
    if (width == 0)
        return INFINITY;
    const double rate = het__npu_rate(d);
    const double launch = d->launch_ns > 0 ? d->launch_ns : HET__NPU_LAUNCH_NS;
    const double cuts = (double)((columns + width - 1) / width);
    const double parts = (double)((inner + d->inner - 1) / d->inner);
    return cuts * parts * (launch * 1e-9 + 2.0 * ROWS_TO_CHOOSE_BY * (double)width *
                                               (double)d->inner / rate);
}

uint32_t het__npu_choose(const het__npu_designs *designs, uint32_t mask, int64_t inner,
                         int64_t columns)
{
    uint32_t best = HET__NPU_DESIGNS_MAX;
    double least = INFINITY;
    for (uint32_t i = 0; i < designs->count; i++) {
        const double s =
            mask >> i & 1 ? seconds_of(&designs->design[i], inner, columns) : INFINITY;
        if (s < least) {
            least = s;
            best = i;
        }
    }
    return best;
}

/* ---- packing ---- */

/* Whether all blocks of a row of Q8_0 have one scale, as those of a matrix in int8 by channel do:
 * then its codes and the scale, which need no rounding to 8 bits again. */
static bool take_codes(const het__value *value, const uint8_t *row, int64_t count, int8_t *codes,
                       float *scale)
{
    if (value->dtype != HET_DTYPE_Q8_0)
        return false;
    for (int64_t i = 0; i < count / 32; i++) {
        const uint8_t *block = row + i * 34;
        if (block[0] != row[0] || block[1] != row[1])
            return false;
        memcpy(codes + i * 32, block + 2, 32);
    }
    *scale = het__f16_to_f32((uint16_t)(row[0] | row[1] << 8));
    return true;
}

/* The column of codes goes to its blocks, with one factor for all parts. */
static void put_codes(const het__npu_weights *w, const het__npu_design *d, int64_t n,
                      const int8_t *codes, float scale)
{
    const int64_t cut = n / w->width, column = n % w->width;
    const int64_t first = d->weights_by_column ? column * d->inner : column;
    const int64_t step = d->weights_by_column ? 1 : w->width;
    for (uint32_t p = 0; p < w->parts; p++) {
        int8_t *block = w->block[cut * w->parts + p].host;
        const int64_t left = w->inner - p * d->inner, count = left < d->inner ? left : d->inner;
        w->factor[p * w->columns + n] = scale;
        for (int64_t k = 0; k < count; k++)
            block[first + k * step] = codes[p * d->inner + k];
    }
}

/* Column n of the product goes to its blocks. codes: room for a column of either type. */
static void put_column(const het__npu_weights *w, const het__npu_design *d, int64_t n,
                       const float *x, void *codes)
{
    const int64_t cut = n / w->width, column = n % w->width;
    const int64_t first = d->weights_by_column ? column * d->inner : column;
    const int64_t step = d->weights_by_column ? 1 : w->width;
    for (uint32_t p = 0; p < w->parts; p++) {
        void *block = w->block[cut * w->parts + p].host;
        const int64_t left = w->inner - p * d->inner, count = left < d->inner ? left : d->inner;
        if (d->type == HET__NPU_BF16) {
            het__npu_round(x + p * d->inner, count, codes);
            for (int64_t k = 0; k < count; k++)
                ((uint16_t *)block)[first + k * step] = ((const uint16_t *)codes)[k];
        } else {
            w->factor[p * w->columns + n] = het__npu_encode(x + p * d->inner, count, codes);
            for (int64_t k = 0; k < count; k++)
                ((int8_t *)block)[first + k * step] = ((const int8_t *)codes)[k];
        }
    }
}

/* One column of the product at a time; values: room for the matrix's row, or for all of a
 * transposed one. */
static void pack(const het__npu_weights *w, const het__npu_design *d, const het__value *value,
                 float *values, float *column, void *codes)
{
    const het__decode_fn decode = het__decoder(value->dtype);
    const char *data = value->data;
    if (w->is_transposed)
        decode(data, values, w->inner * w->columns);
    for (int64_t n = 0; n < w->columns; n++) {
        const float *x = values;
        if (w->is_transposed) {
            for (int64_t k = 0; k < w->inner; k++)
                column[k] = values[k * w->columns + n];
            x = column;
        } else {
            float scale;
            const char *row = data + n * het_dtype_bytes(value->dtype, w->inner);
            if (d->type == HET__NPU_INT8 &&
                take_codes(value, (const uint8_t *)row, w->inner, codes, &scale)) {
                put_codes(w, d, n, codes, scale);
                continue;
            }
            decode(row, values, w->inner);
        }
        put_column(w, d, n, x, codes);
    }
}

static het_status fill_blocks(het__device *device, het__npu_weights *w, const het__value *value,
                              het_error *err)
{
    const het__npu_state *state = &device->state[w->design];
    const size_t element = (size_t)het__npu_element_bytes(state->design);
    const size_t bytes = (size_t)(state->design->inner * w->width) * element;
    het__mem *mem = device->host.mem;
    const size_t count = (size_t)w->cuts * w->parts;
    het_status s = HET_OK;
    for (size_t i = 0; i < count && s == HET_OK; i++) {
        s = het__npu_buffer_new(device, state, 4, bytes, &w->block[i], err);
        if (s == HET_OK)
            memset(w->block[i].host, 0, bytes);
    }
    if (s != HET_OK)
        return s;
    const size_t inner = (size_t)w->inner;
    float *values = het__alloc_zero(mem, inner * (w->is_transposed ? (size_t)w->columns : 1),
                                    sizeof *values);
    float *column = het__alloc_zero(mem, inner, sizeof *column);
    void *codes = het__alloc_zero(mem, inner, element);
    if (values && column && codes)
        pack(w, state->design, value, values, column, codes);
    else
        s = het__fail_nomem(err, "weights of an NPU");
    het__free(mem, codes);
    het__free(mem, column);
    het__free(mem, values);
    for (size_t i = 0; i < count && s == HET_OK; i++) {
        s = het__npu_sync(device, &w->block[i], HET__XRT_TO_DEVICE, bytes, err);
        device->counters.weight_bytes += s == HET_OK ? bytes : 0;
    }
    return s;
}

static void drop_one(het__device *device, het__npu_weights *w)
{
    for (size_t i = 0; w->block && i < (size_t)w->cuts * w->parts; i++)
        het__npu_buffer_drop(device, &w->block[i]);
    het__free(device->host.mem, w->block);
    het__free(device->host.mem, w->factor);
    het__free(device->host.mem, w);
}

void het__npu_weights_drop(het__device *device)
{
    while (device->weights) {
        het__npu_weights *next = device->weights->next;
        drop_one(device, device->weights);
        device->weights = next;
    }
}

static het_status make(het__device *device, het__npu_weights *w, const het__value *value,
                       het_error *err)
{
    const het__npu_design *d = device->state[w->design].design;
    w->width = het__npu_cut_columns(d, w->columns);
    w->cuts = (uint32_t)((w->columns + w->width - 1) / w->width);
    w->parts = (uint32_t)((w->inner + d->inner - 1) / d->inner);
    if (d->type == HET__NPU_INT8)
        w->factor = het__alloc_zero(device->host.mem, (size_t)w->columns * w->parts,
                                    sizeof *w->factor);
    w->block = het__alloc_zero(device->host.mem, (size_t)w->cuts * w->parts, sizeof *w->block);
    if ((d->type == HET__NPU_INT8 && !w->factor) || !w->block)
        return het__fail_nomem(err, "weights of an NPU");
    return fill_blocks(device, w, value, err);
}

static uint32_t usable(const het__device *device)
{
    uint32_t mask = 0;
    for (uint32_t i = 0; i < device->designs->count; i++)
        mask |= (uint32_t)device->state[i].is_usable << i;
    return mask;
}

static size_t constant_bytes(const het__value *value, const het__slice *slice)
{
    return (size_t)het__value_bytes(value, slice->symbols_max);
}

het_status het__npu_weights_get(het__device *device, const het__slice *slice, uint32_t value,
                                bool is_transposed, const het__npu_weights **weights,
                                het_error *err)
{
    const het__value *v = &slice->graph->values[value];
    int64_t rows, columns;
    het__value_matrix(v, slice->symbols_max, &rows, &columns);
    const int64_t inner = is_transposed ? rows : columns, outer = is_transposed ? columns : rows;
    for (const het__npu_weights *w = device->weights; w; w = w->next)
        if (w->data == v->data && w->is_transposed == is_transposed && w->inner == inner &&
            w->columns == outer) {
            *weights = w;
            return HET_OK;
        }
    het__npu_weights *w = het__alloc_zero(device->host.mem, 1, sizeof *w);
    if (!w)
        return het__fail_nomem(err, "weights of an NPU");
    w->data = v->data;
    w->is_transposed = is_transposed;
    w->inner = inner;
    w->columns = outer;
    w->design = het__npu_choose(device->designs, usable(device), w->inner, w->columns);
    het_status s = HET_OK;
    if (w->design == HET__NPU_DESIGNS_MAX)
        s = het__fail(err, HET_E_UNSUPPORTED, "no design that works multiplies %s", v->name);
    het__value there = *v;
    if (s == HET_OK && slice->borrower)
        s = het__borrow(slice->borrower, v->data, constant_bytes(v, slice), &there.data, err);
    if (s == HET_OK)
        s = make(device, w, &there, err);
    if (s != HET_OK) {
        drop_one(device, w);
        return s;
    }
    w->next = device->weights;
    device->weights = w;
    if (slice->constant_copied)
        slice->constant_copied(slice->user, v->data, constant_bytes(v, slice));
    *weights = w;
    return HET_OK;
}
