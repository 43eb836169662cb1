/* SPDX-License-Identifier: Apache-2.0 */
/* A product on the array. Rows go in pieces for which there are streams; of a piece, activations
 * are coded once and then met by all weights. Runs are handed over in batches, as XRT's lists of
 * runs, across the matrices of a call; two batches are under way at a time: while the array
 * computes one, the host adds up and scales back the other. Large results go one by one, because
 * there the overlap is worth more than a start; so do all where XRT has no lists. */
#include "backends/amd_xrt_npu/npu.h"

#include <assert.h>
#include <math.h>
#include <string.h>

#include "lib/base/error.h"
#include "lib/quant/quant.h"

float het__npu_encode(const float *x, int64_t count, int8_t *codes)
{
    float most = 0;
    bool is_finite = true;
    for (int64_t i = 0; i < count; i++) {
        const float a = fabsf(x[i]);
        is_finite = is_finite && a <= 3.402823466e38f;
        most = a > most ? a : most;
    }
    const float factor = most / 127.0f;
    const float inverse = is_finite && factor > 0 ? 1.0f / factor : 0;
    /* The smallest numbers have no inverse: such a row is zero as far as eight bits can tell. */
    const bool is_zero = !(inverse > 0) || inverse > 3.402823466e38f;
    for (int64_t i = 0; i < count; i++) {
        const float code = is_zero ? 0 : rintf(x[i] * inverse);
        codes[i] = (int8_t)(code > 127 ? 127 : code < -127 ? -127 : code);
    }
    return is_finite ? factor : NAN;
}

void het__npu_round(const float *x, int64_t count, uint16_t *rounded)
{
    for (int64_t i = 0; i < count; i++)
        rounded[i] = het__f32_to_bf16(x[i]);
}

/* ---- what a product takes ---- */

static het_status grow_buffer(het__device *device, const het__npu_state *state, uint32_t argument,
                              size_t bytes, het__npu_buffer *buffer, het_error *err)
{
    if (buffer->bytes >= bytes)
        return HET_OK;
    device->counters.scratch_bytes -= buffer->bytes;
    het__npu_buffer_drop(device, buffer);
    const het_status s = het__npu_buffer_new(device, state, argument, bytes, buffer, err);
    device->counters.scratch_bytes += buffer->bytes;
    return s;
}

static het_status grow_parts(het__device *device, het__npu_state *state, uint32_t count,
                             het_error *err)
{
    if (count <= state->part_count)
        return HET_OK;
    het__npu_buffer *grown =
        het__realloc(device->host.mem, state->part, count * sizeof *grown);
    if (!grown)
        return het__fail_nomem(err, "a product");
    memset(grown + state->part_count, 0, (count - state->part_count) * sizeof *grown);
    state->part = grown;
    state->part_count = count;
    return HET_OK;
}

static het_status grow_host(het__device *device, int64_t factors, int64_t sums, het_error *err)
{
    if (factors > device->factor_count) {
        float *grown =
            het__realloc(device->host.mem, device->factor, (size_t)factors * sizeof *grown);
        if (!grown)
            return het__fail_nomem(err, "a product");
        device->factor = grown;
        device->factor_count = factors;
    }
    if (sums > device->sum_count) {
        double *grown = het__realloc(device->host.mem, device->sums, (size_t)sums * sizeof *grown);
        if (!grown)
            return het__fail_nomem(err, "a product");
        device->sums = grown;
        device->sum_count = sums;
    }
    return HET_OK;
}

/* The piece that comes next: the fewest rows that are enough, or else the most. */
static int64_t piece_of(const int64_t *rungs, uint32_t count, int64_t left)
{
    for (uint32_t i = 0; i < count; i++)
        if (rungs[i] >= left)
            return rungs[i];
    return rungs[count - 1];
}

/* Of a row of coded activations, for a part. */
static int64_t row_bytes(const het__npu_design *d)
{
    return d->inner * het__npu_element_bytes(d);
}

/* Whether a result of so many bytes may be the at'th of a batch, from 0. */
static bool may_join(const het__device *device, size_t bytes, uint32_t at)
{
    return at == 0 || (device->has_lists && at < HET__NPU_BATCH_MAX &&
                       bytes <= HET__NPU_BATCH_BYTES / (at + 1));
}

static size_t result_bytes(const het__npu_weights *weights, int64_t rows)
{
    return HET__NPU_SUM_BYTES * (size_t)(rows * weights->width);
}

/* Results of a batch, each as large as any that may have its place. */
static het_status grow_results(het__device *device, const het__npu_weights *weights,
                               uint32_t blocks, int64_t rows, het_error *err)
{
    het__npu_state *state = &device->state[weights->design];
    het_status s = HET_OK;
    for (uint32_t i = 0; i < blocks && s == HET_OK; i++) {
        if (!may_join(device, result_bytes(weights, rows), i))
            break;
        for (uint32_t slot = 0; slot < HET__NPU_SLOTS && s == HET_OK; slot++)
            s = grow_buffer(device, state, 5, result_bytes(weights, rows),
                            &state->result[slot][i], err);
    }
    return s;
}

het_status het__npu_product_prepare(het__device *device, const het__npu_weights *weights,
                                    uint32_t blocks, int64_t rows, het_error *err)
{
    het__npu_state *state = &device->state[weights->design];
    int64_t rungs[HET__NPU_RUNGS_MAX];
    const uint32_t count = het__npu_rungs(state->design, weights->width, rungs);
    const int64_t most = piece_of(rungs, count, rows);
    het_status s = grow_parts(device, state, weights->parts, err);
    for (uint32_t i = 0; i < weights->parts && s == HET_OK; i++)
        s = grow_buffer(device, state, 3, (size_t)(most * row_bytes(state->design)),
                        &state->part[i], err);
    for (uint32_t i = count; i-- > 0 && s == HET_OK;) {
        const het__npu_stream *stream;
        if (rungs[i] > most)
            continue;
        s = grow_results(device, weights, blocks, rungs[i], err);
        if (s == HET_OK)
            s = het__npu_stream_get(device, weights->design, rungs[i], weights->width, &stream,
                                    err);
    }
    return s == HET_OK ? grow_host(device, weights->parts * most, most * weights->width, err) : s;
}

/* ---- running ---- */

/* Rows of a product that go at once. */
typedef struct piece {
    het__device *device;
    const het__npu_product *product;
    het__npu_state *state;
    uint32_t parts;      /* of the inner extent */
    int64_t first, rows; /* of the product */
    int64_t padded;      /* rows of the stream */
} piece;

/* One run among those of a piece: a block of a matrix, cut by cut and in each part by part. */
typedef struct place {
    uint32_t matrix, block;
} place;

/* Codes of the piece into the parts' buffers; what is beyond the matrix is zero. */
static het_status encode_piece(const piece *p, het_error *err)
{
    const het__npu_design *d = p->state->design;
    const int64_t width = d->inner, inner = p->product->inner, stride = row_bytes(d);
    het_status s = HET_OK;
    for (uint32_t i = 0; i < p->parts && s == HET_OK; i++) {
        const int64_t left = inner - i * width, count = left < width ? left : width;
        const int64_t used = count * het__npu_element_bytes(d);
        char *codes = p->state->part[i].host;
        float *factor = p->device->factor + i * p->padded;
        for (int64_t r = 0; r < p->rows; r++, codes += stride) {
            const float *x = p->product->x + (p->first + r) * inner + i * width;
            if (d->type == HET__NPU_BF16)
                het__npu_round(x, count, (uint16_t *)(void *)codes);
            else
                factor[r] = het__npu_encode(x, count, (int8_t *)codes);
            memset(codes + used, 0, (size_t)(stride - used));
        }
        memset(codes, 0, (size_t)((p->padded - p->rows) * stride));
        s = het__npu_sync(p->device, &p->state->part[i], HET__XRT_TO_DEVICE,
                          (size_t)(p->padded * stride), err);
    }
    return s;
}

/* A part's sums of a row, scaled back. column: factors, NULL where sums are F32. */
static void add_row(double *sums, const void *got, double row, const float *column, int64_t count,
                    bool is_first)
{
    const int32_t *codes = got;
    const float *values = got;
    for (int64_t i = 0; i < count; i++) {
        const double more = column ? (double)codes[i] * (row * (double)column[i])
                                   : (double)values[i];
        sums[i] = is_first ? more : sums[i] + more;
    }
}

/* Adds the sums of a part; of the last part the rows are complete. */
static void add_part(const piece *p, const place *at, const char *got)
{
    const het__npu_weights *w = p->product->weights[at->matrix];
    void *user = (char *)p->product->user + at->matrix * p->product->user_bytes;
    const uint32_t cut = at->block / w->parts, part = at->block % w->parts;
    const int64_t first = cut * w->width, left = w->columns - first;
    const int64_t count = left < w->width ? left : w->width;
    const float *column = w->factor ? w->factor + part * w->columns + first : NULL;
    for (int64_t r = 0; r < p->rows; r++) {
        const double row = column ? (double)p->device->factor[part * p->padded + r] : 1;
        double *sums = p->device->sums + r * w->width;
        add_row(sums, got + HET__NPU_SUM_BYTES * r * w->width, row, column, count, part == 0);
        if (part + 1 == w->parts)
            p->product->take(user, p->first + r, first, count, sums);
    }
}

static bool is_end(const piece *p, const place *at)
{
    return at->matrix == p->product->count;
}

static void go_on(const piece *p, place *at)
{
    const het__npu_weights *w = p->product->weights[at->matrix];
    if (++at->block == w->cuts * w->parts)
        *at = (place){ at->matrix + 1, 0 };
}

/* As many runs from a place on as go together; the place moves behind them. *count: how many. */
static het_status start_batch(const piece *p, uint32_t slot, place *at, uint32_t *count,
                              het_error *err)
{
    het__npu_work work[HET__NPU_BATCH_MAX];
    het_status s = HET_OK;
    *count = 0;
    while (!is_end(p, at) && s == HET_OK) {
        const het__npu_weights *w = p->product->weights[at->matrix];
        if (!may_join(p->device, result_bytes(w, p->padded), *count))
            break;
        het__npu_work *next = &work[*count];
        next->a = &p->state->part[at->block % w->parts];
        next->b = &w->block[at->block];
        next->c = &p->state->result[slot][(*count)++];
        s = het__npu_stream_get(p->device, w->design, p->padded, w->width, &next->stream, err);
        go_on(p, at);
    }
    return s == HET_OK ? het__npu_start(p->device, p->state, slot, work, *count, err) : s;
}

/* Results of a batch that began at a place, which moves behind them. */
static het_status take_batch(const piece *p, uint32_t slot, place *at, uint32_t count,
                             het_error *err)
{
    het_status s = het__npu_finish(p->device, p->state, slot, count, err);
    for (uint32_t i = 0; i < count && s == HET_OK; i++) {
        const het__npu_buffer *result = &p->state->result[slot][i];
        s = het__npu_sync(p->device, result, HET__XRT_FROM_DEVICE,
                          result_bytes(p->product->weights[at->matrix], p->rows), err);
        if (s == HET_OK)
            add_part(p, at, result->host);
        go_on(p, at);
    }
    return s;
}

/* All blocks of all matrices. After an error nothing is left running, if the device still
 * answers. */
static het_status run_piece(const piece *p, het_error *err)
{
    place next = { 0, 0 }, done = { 0, 0 };
    uint32_t started = 0, taken = 0, count[HET__NPU_SLOTS];
    het_status s = HET_OK;
    while (s == HET_OK && !is_end(p, &done)) {
        const bool starts = !is_end(p, &next) && started < taken + HET__NPU_SLOTS;
        const uint32_t slot = (starts ? started : taken) % HET__NPU_SLOTS;
        if (starts) {
            s = start_batch(p, slot, &next, &count[slot], err);
            started += s == HET_OK;
        } else {
            taken++;
            s = take_batch(p, slot, &done, count[slot], err);
        }
    }
    for (; taken < started && !p->device->is_lost && !p->device->is_hung; taken++)
        (void)het__npu_finish(p->device, p->state, taken % HET__NPU_SLOTS,
                              count[taken % HET__NPU_SLOTS], NULL);
    return s;
}

het_status het__npu_product_run(het__device *device, const het__npu_product *product,
                                het_error *err)
{
    const het__npu_weights *w = product->weights[0];
    het__npu_state *state = &device->state[w->design];
    int64_t rungs[HET__NPU_RUNGS_MAX];
    const uint32_t count = het__npu_rungs(state->design, w->width, rungs);
    piece p = { .device = device, .product = product, .state = state, .parts = w->parts };
    het_status s = het__npu_acquire(device, state, err);
    while (s == HET_OK && p.first < product->rows) {
        const int64_t left = product->rows - p.first;
        p.padded = piece_of(rungs, count, left);
        p.rows = p.padded < left ? p.padded : left;
        s = encode_piece(&p, err);
        if (s == HET_OK)
            s = run_piece(&p, err);
        p.first += p.rows;
    }
    return s;
}
