/* SPDX-License-Identifier: Apache-2.0 */
/* Instructions of the two documented designs of a matrix product.
 *
 * Rows of tiles go two at a time, in turns of two halves of a tile's descriptors: while results of
 * one half are still on their way the other is set up, and a half is not touched again before its
 * results have come. Per half and column of the array:
 *
 *     half + 0        results of both rows of tiles; gives a token when all are in memory
 *     half + 1, 3     A, one row of tiles each: its tiles from left to right, once per column of
 *                     tiles of B
 *     half + 2, 4     B: columns of tiles from left to right, each from top to bottom
 *
 * In the whole array the mover of column c brings the tiles of A for row c of cores, which all
 * columns get, and the tiles of B for column c, which all rows get. */
#include <assert.h>
#include <string.h>

#include "backends/amd_xrt_npu/design.h"
#include "lib/base/error.h"
#include "lib/base/file.h"

#define GROUP_ROWS 2 /* rows of tiles between two waits */
#define STREAM_PARTS_MAX 64 /* of an iteration: six bits */
#define ROWS_AT_ONCE 512
#define STRIDE_MAX (1 << 20)
#define SIZE_MAX_BD 1023

int64_t het__npu_unit_rows(const het__npu_design *d)
{
    return d->tile_rows * d->core_rows;
}

int64_t het__npu_unit_columns(const het__npu_design *d)
{
    return d->source == HET__NPU_FILES ? d->tile_columns
                                       : d->tile_columns * (int64_t)d->columns;
}

static bool fits(const het__npu_design *d, int64_t columns)
{
    const int64_t rows = het__npu_unit_rows(d), unit = het__npu_unit_columns(d);
    return columns / unit <= STREAM_PARTS_MAX && rows * columns <= STRIDE_MAX &&
           d->tile_inner * columns * het__npu_element_bytes(d) / 4 <= STRIDE_MAX &&
           rows <= SIZE_MAX_BD && d->tile_inner <= SIZE_MAX_BD && d->tile_columns <= SIZE_MAX_BD;
}

/* Cuts of equal width, as few as there can be: the widest padding is less than a unit per cut. */
static int64_t cut_generated(const het__npu_design *d, int64_t columns)
{
    const int64_t unit = het__npu_unit_columns(d);
    const int64_t whole = (columns + unit - 1) / unit;
    for (int64_t cuts = 1; cuts <= whole; cuts++) {
        const int64_t width = (whole + cuts - 1) / cuts * unit;
        if (fits(d, width))
            return width;
    }
    return 0;
}

int64_t het__npu_cut_columns(const het__npu_design *d, int64_t columns)
{
    int64_t best = 0, waste = INT64_MAX;
    if (d->source != HET__NPU_FILES)
        return cut_generated(d, columns);
    for (uint32_t i = 0; i < d->shape_count; i++) {
        const int64_t width = d->shape[i].columns;
        const int64_t more = (columns + width - 1) / width * width - columns;
        if (more < waste || (more == waste && width > best)) {
            best = width;
            waste = more;
        }
    }
    return best;
}

uint32_t het__npu_rungs(const het__npu_design *d, int64_t width,
                        int64_t rungs[HET__NPU_RUNGS_MAX])
{
    uint32_t count = 0;
    if (d->source != HET__NPU_FILES) {
        for (int64_t rows = het__npu_unit_rows(d);
             count < HET__NPU_RUNGS_MAX && (count == 0 || rows <= ROWS_AT_ONCE); rows *= 2)
            rungs[count++] = rows;
        return count;
    }
    for (uint32_t i = 0; i < d->shape_count && count < HET__NPU_RUNGS_MAX; i++) {
        if (d->shape[i].columns != width)
            continue;
        uint32_t at = count++;
        for (; at > 0 && rungs[at - 1] > d->shape[i].rows; at--)
            rungs[at] = rungs[at - 1];
        rungs[at] = d->shape[i].rows;
    }
    return count;
}

/* ---- generated ---- */

typedef struct gemm {
    const het__npu_design *d;
    het__txn txn;
    int64_t rows, columns;
    int64_t across; /* tiles of B for a column of the array */
} gemm;

/* What a descriptor walks over: counts from the innermost, strides in words. The third count
 * follows from the length; turns are taken one per run. */
typedef struct walk {
    int64_t length;
    int64_t size[2];
    int64_t stride[3];
    int64_t turns, turn_stride;
} walk;

static uint32_t field(int64_t size, int64_t stride)
{
    assert(size >= 0 && size <= SIZE_MAX_BD && stride >= 1 && stride <= STRIDE_MAX);
    return (uint32_t)size << 20 | (uint32_t)(stride - 1);
}

static void queue(gemm *g, uint32_t column, uint32_t id, const walk *w, uint32_t argument,
                  int64_t offset, uint32_t runs)
{
    const uint32_t base = column << HET__NPU_COLUMN_SHIFT;
    const uint32_t at = base + HET__NPU_BD + 32 * id;
    const uint32_t words[8] = {
        (uint32_t)w->length,
        0, 0, /* the address, patched */
        field(w->size[0], 1),
        2u << 30 | field(w->size[1], w->stride[1]), /* bursts of 256 bytes */
        (uint32_t)(w->stride[2] - 1),
        w->turns > 1 ? field(w->turns - 1, w->turn_stride) : 0,
        1u << 25, /* valid */
    };
    static const uint32_t queues[HET__TXN_ARGUMENTS] = {
        HET__NPU_MM2S_QUEUE, HET__NPU_MM2S_QUEUE + 8, HET__NPU_S2MM_QUEUE,
    };
    const bool is_result = argument == 2;
    assert(offset <= UINT32_MAX && runs >= 1 && runs <= 256);
    het__txn_block(&g->txn, at, words, 8);
    het__txn_patch(&g->txn, at + 4, argument, (uint32_t)offset);
    if (is_result) /* tokens go to the controller, which has this number */
        het__txn_mask(&g->txn, base + HET__NPU_S2MM_CONTROL, 0xf00, 0xf00);
    het__txn_write(&g->txn, base + queues[argument],
                   (uint32_t)is_result << 31 | (runs - 1) << 16 | id);
}

static void queue_results(gemm *g, uint32_t column, uint32_t half, int64_t first, int64_t count)
{
    const het__npu_design *d = g->d;
    const int64_t rows = het__npu_unit_rows(d);
    const walk w = {
        .length = g->across * rows * d->tile_columns,
        .size = { d->tile_columns, rows },
        .stride = { 1, g->columns, het__npu_unit_columns(d) },
        .turns = count, .turn_stride = rows * g->columns,
    };
    queue(g, column, half, &w, 2, 4 * (first * rows * g->columns + column * d->tile_columns),
          (uint32_t)count);
}

static void queue_inputs(gemm *g, uint32_t column, uint32_t half, int64_t row, uint32_t which)
{
    const het__npu_design *d = g->d;
    const int64_t e = het__npu_element_bytes(d);
    const walk a = {
        .length = d->tile_rows * d->inner * e / 4,
        .size = { d->tile_inner * e / 4, d->tile_rows },
        .stride = { 1, d->inner * e / 4, d->tile_inner * e / 4 },
    };
    const walk b = {
        .length = d->inner * d->tile_columns * e / 4,
        .size = { d->tile_columns * e / 4, d->tile_inner },
        .stride = { 1, g->columns * e / 4, d->tile_inner * g->columns * e / 4 },
        .turns = g->across, .turn_stride = het__npu_unit_columns(d) * e / 4,
    };
    queue(g, column, half + 2 * which + 1, &a, 0,
          (row * het__npu_unit_rows(d) + column * d->tile_rows) * d->inner * e,
          (uint32_t)g->across);
    queue(g, column, half + 2 * which + 2, &b, 1, column * d->tile_columns * e,
          (uint32_t)g->across);
}

static void wait_all(gemm *g)
{
    for (uint32_t c = 0; c < g->d->columns; c++)
        het__txn_sync(&g->txn, c);
}

static void generate(gemm *g)
{
    const int64_t rows = g->rows / het__npu_unit_rows(g->d);
    for (int64_t first = 0, group = 0; first < rows; first += GROUP_ROWS, group++) {
        const uint32_t half = group % 2 ? HET__NPU_BD_COUNT / 2 : 0;
        const int64_t left = rows - first, count = left < GROUP_ROWS ? left : GROUP_ROWS;
        for (uint32_t c = 0; c < g->d->columns; c++) {
            queue_results(g, c, half, first, count);
            for (uint32_t i = 0; i < count; i++)
                queue_inputs(g, c, half, first + i, i);
        }
        if (group > 0)
            wait_all(g);
    }
    wait_all(g);
}

/* ---- from files ---- */

static het_status read_stream(const het__npu_design *d, const het__npu_shape *shape,
                              het__mem *mem, uint32_t **words, size_t *count, het_error *err)
{
    het__file file;
    het_status s = het__file_open_below(d->folder, shape->file, &file, err);
    if (s != HET_OK)
        return s;
    void *bytes = file.bytes <= HET__TXN_BYTES_MAX ? het__alloc(mem, (size_t)file.bytes) : NULL;
    if (!bytes)
        s = het__fail(err, file.bytes <= HET__TXN_BYTES_MAX ? HET_E_NOMEM : HET_E_FORMAT,
                      "%s: %llu bytes", shape->file, (unsigned long long)file.bytes);
    else if (!het__file_read(&file, 0, bytes, (size_t)file.bytes))
        s = het__fail(err, HET_E_IO, "%s cannot be read", shape->file);
    else
        s = het__txn_read(mem, bytes, (size_t)file.bytes, words, count, err);
    het__free(mem, bytes);
    het__file_close(&file);
    return s;
}

static const het__npu_shape *shape_of(const het__npu_design *d, int64_t rows, int64_t columns)
{
    for (uint32_t i = 0; i < d->shape_count; i++)
        if (d->shape[i].rows == rows && d->shape[i].columns == columns)
            return &d->shape[i];
    return NULL;
}

het_status het__npu_instructions(const het__npu_design *d, het__mem *mem, int64_t rows,
                                 int64_t columns, uint32_t **words, size_t *count,
                                 het_error *err)
{
    const int64_t e = het__npu_element_bytes(d);
    const uint64_t bytes[HET__TXN_ARGUMENTS] = {
        (uint64_t)(rows * d->inner * e), (uint64_t)(d->inner * columns * e),
        HET__NPU_SUM_BYTES * (uint64_t)(rows * columns),
    };
    if (d->source == HET__NPU_FILES) {
        const het__npu_shape *shape = shape_of(d, rows, columns);
        assert(shape);
        const het_status s = read_stream(d, shape, mem, words, count, err);
        if (s != HET_OK)
            return s;
    } else {
        gemm g = { .d = d, .rows = rows, .columns = columns,
                   .across = columns / het__npu_unit_columns(d) };
        assert(rows % het__npu_unit_rows(d) == 0 && columns % het__npu_unit_columns(d) == 0);
        het__txn_begin(&g.txn, mem, d->form, d->generations >> HET__NPU_1 & 1 ? 3 : 4, d->columns);
        generate(&g);
        if (!het__txn_end(&g.txn))
            return het__fail_nomem(err, "instructions");
        *words = g.txn.words;
        *count = g.txn.count;
    }
    const het_status s = het__txn_check(*words, *count, d->columns, bytes, err);
    if (s != HET_OK) {
        het__free(mem, *words);
        *words = NULL;
    }
    return s;
}
