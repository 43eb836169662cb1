/* SPDX-License-Identifier: Apache-2.0 */
/* Kernels of products: which one for how many rows, in which form the weights lie.
 *
 *                    1 row, to 4, to 8            more rows
 *     [n, k]         matvec                       matmul_tile, on processors matmul_rows
 *     [k, n]         matmul_columns (1, 8)        matmul_tile, on processors matmul_columns
 *     in 8 bits      dot_vec                      dot_tile, with matrix instructions dot_matrix
 *
 * Processors run the items of a group one after the other: they get kernels without lanes, local
 * memory and barriers, which are 20 times as fast there as tiles in local memory. */
#include "backends/gpu/product.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "lib/base/dtype.h"
#include "lib/base/error.h"

/* Of matvec: columns that lanes make at once, lanes that share a sum without subgroups, subgroups
 * of a group, turns of an item without lanes. */
#define ROWS 4
#define LANES 64
#define SETS 4
#define STEPS 4
/* Of the tiles: rows; columns on GPUs; rows and columns at once in a processor's registers. */
#define TILE 64
#define TILE_LOW 32 /* of experts, which have few rows each, and of sums that take two registers */
#define TILE_COLUMNS 64
/* With matrix instructions: rows and columns of one, and how many of them a subgroup makes. */
#define MATRIX 8
#define MATRIX_TIMES 2
#define CPU_TOKENS 4
#define CPU_ROWS 4
#define TURNED_TOKENS 8
#define WIDE 16
#define GROUP_OF_COLUMNS 64
/* Terms that a tile adds up one after the other: longer sums are put together from such. */
#define SUM_MAX 2048

static const int size_rows[HET__GPU_SIZES] = { 1, 4, 8, 0 };

bool het__gpu_has_decoder(het_dtype dtype)
{
    switch (dtype) {
    case HET_DTYPE_F32: case HET_DTYPE_F16: case HET_DTYPE_BF16:
    case HET_DTYPE_Q4_0: case HET_DTYPE_Q4_1: case HET_DTYPE_Q5_0: case HET_DTYPE_Q5_1:
    case HET_DTYPE_Q8_0: case HET_DTYPE_Q2_K: case HET_DTYPE_Q3_K: case HET_DTYPE_Q4_K:
    case HET_DTYPE_Q5_K: case HET_DTYPE_Q6_K: case HET_DTYPE_IQ4_NL: case HET_DTYPE_IQ4_XS:
    case HET_DTYPE_MXFP4:
        return true;
    default:
        return false;
    }
}

/* Whether kernels with lanes can run: their groups have up to 128 items, and their tiles fit in
 * 32 KB of local memory, the least that OpenCL demands. */
static bool has_lanes(const het__gpu_facts *facts)
{
    return !facts->is_cpu && facts->group_max >= 128;
}

/* ---- forms of weights ---- */

/* The field that is split off so that the rest of a block is words. */
static uint32_t small_of(het_dtype dtype, uint32_t *at)
{
    *at = dtype == HET_DTYPE_Q3_K ? 108 : dtype == HET_DTYPE_Q6_K ? 208 : 0;
    switch (dtype) {
    case HET_DTYPE_Q4_0: case HET_DTYPE_IQ4_NL: case HET_DTYPE_Q5_0: case HET_DTYPE_Q8_0:
    case HET_DTYPE_Q3_K: case HET_DTYPE_Q6_K:
        return 2;
    case HET_DTYPE_MXFP4:
        return 1;
    default:
        return 0;
    }
}

static size_t blocks_of(const het__gpu_operand *w)
{
    return (size_t)(w->rows * w->columns) / het__dtype(w->value.dtype)->block_elements;
}

static void split(het_dtype dtype, size_t blocks, const void *source, void *target)
{
    uint32_t at;
    const size_t bytes = het__dtype(dtype)->block_bytes;
    const size_t small = small_of(dtype, &at), rest = bytes - small;
    const unsigned char *from = source;
    unsigned char *to = target, *small_to = to + blocks * rest;
    for (size_t i = 0; i < blocks; i++, from += bytes, to += rest, small_to += small) {
        memcpy(small_to, from + at, small);
        memcpy(to, from, at);
        memcpy(to + at, from + at + small, rest - at);
    }
}

static void lay_split(const void *user, const het__gpu_operand *constant, void *target)
{
    (void)user;
    split(constant->value.dtype, blocks_of(constant), constant->host, target);
}

size_t het__gpu_matrix_small_at(const het__gpu_call *call, het_dtype dtype, size_t blocks)
{
    uint32_t at;
    const size_t small = has_lanes(call->facts) ? small_of(dtype, &at) : 0;
    return small ? blocks * (het__dtype(dtype)->block_bytes - small) : 0;
}

void het__gpu_matrix_lay(het_dtype dtype, size_t small_at, size_t blocks, const void *source,
                         void *target)
{
    if (small_at)
        split(dtype, blocks, source, target);
    else
        memcpy(target, source, blocks * het__dtype(dtype)->block_bytes);
}

static void lay_copy(const void *user, const het__gpu_operand *constant, void *target)
{
    memcpy(target, constant->host, *(const size_t *)user);
}

het_status het__gpu_weight_init(het__gpu_call *call, uint32_t input, het__gpu_memory **form,
                                size_t *small_at, het_error *err)
{
    const het__gpu_operand *w = &call->inputs[input];
    uint32_t at;
    const uint32_t small = small_of(w->value.dtype, &at);
    *form = NULL;
    *small_at = 0;
    if (w->value.kind != HET__VALUE_CONST || !has_lanes(call->facts))
        return HET_OK;
    size_t bytes = blocks_of(w) * het__dtype(w->value.dtype)->block_bytes;
    if (small) {
        *small_at = blocks_of(w) * (het__dtype(w->value.dtype)->block_bytes - small);
        return het__gpu_constant(call, input, "split", bytes, lay_split, NULL, form, err);
    }
    /* Loads of words need their alignment, which a mapped file need not have. */
    if ((uintptr_t)w->host % sizeof(uint32_t) != 0 && bytes)
        return het__gpu_constant(call, input, "aligned", bytes, lay_copy, &bytes, form, err);
    return HET_OK;
}

bool het__gpu_bias_fits(const het__value *value)
{
    return value->dtype == HET_DTYPE_F32 ||
           (value->kind == HET__VALUE_CONST && het__gpu_has_decoder(value->dtype));
}

het_status het__gpu_bias_init(het__gpu_call *call, uint32_t input, het__gpu_memory **form,
                              het_error *err)
{
    *form = NULL;
    if (input >= call->input_count || !call->inputs[input].is_present ||
        call->inputs[input].value.dtype == HET_DTYPE_F32)
        return HET_OK;
    return het__gpu_constant_f32(call, input, form, err);
}

/* ---- sizes ---- */

uint32_t het__gpu_product_size(const het__gpu_product *product, int64_t rows)
{
    if (rows <= 1)
        return 0;
    if (product->is_turned)
        return rows <= 8 ? 2 : 3;
    return rows <= 4 ? 1 : rows <= 8 ? 2 : 3;
}

int64_t het__gpu_product_part(const het__gpu_call *call, const het__gpu_product *product,
                              uint32_t size)
{
    if (size < 3)
        return size_rows[size];
    if (product->is_matrix)
        return MATRIX * MATRIX_TIMES;
    const bool is_low = product->is_grouped || product->is_rounded || product->inner > SUM_MAX;
    return is_low && has_lanes(call->facts) ? TILE_LOW : TILE;
}

static const char *file_of(const char *kernel)
{
    return strncmp(kernel, "dot", 3) == 0 ? "dot" : strcmp(kernel, "matvec") == 0 ? kernel
                                                                                   : "matmul";
}

static const char *kernel_of(const het__gpu_call *call, const het__gpu_product *p, uint32_t size)
{
    if (p->is_rounded)
        return size < 3 ? "dot_vec" : p->is_matrix ? "dot_matrix" : "dot_tile";
    if (size == 3 && has_lanes(call->facts))
        return "matmul_tile";
    return p->is_turned ? "matmul_columns" : size == 3 ? "matmul_rows" : "matvec";
}

/* Columns that a matvec makes at once. With more rows of x than one: on processors as many sums as
 * there are registers; with lanes one, as Intel's compiler keeps more sums in memory, and x comes
 * from a cache either way. */
static int matvec_rows(const het__gpu_call *call, uint32_t size)
{
    if (size == 0)
        return ROWS;
    return has_lanes(call->facts) ? 1 : size == 2 ? 2 : ROWS;
}

static int wide_of(const het__gpu_call *call, const het__gpu_product *p)
{
    return has_lanes(call->facts) || p->columns < WIDE ? 1 : WIDE;
}

static void options_of(const het__gpu_call *call, const het__gpu_product *p, uint32_t size,
                       char *text, size_t bytes)
{
    const bool lanes = has_lanes(call->facts);
    int n = snprintf(text, bytes, "-DHET_W=%d -DHET_SPLIT=%d -DHET_ACT=%d -DHET_UNARY=%d "
                     "-DHET_BATCHED=%d -DHET_GROUPED=%d -DHET_GATHER=%d ", (int)p->dtype,
                     p->small_at > 0, (int)p->act, (int)p->unary, p->is_batched, p->is_grouped,
                     p->gathers);
    assert(n > 0 && (size_t)n < bytes);
    text += n;
    bytes -= (size_t)n;
    if (p->is_matrix && size == 3)
        n = snprintf(text, bytes, "-DKIND=3 -DTIMES=%d", MATRIX_TIMES);
    else if (p->is_rounded && size == 3)
        n = snprintf(text, bytes, "-DKIND=2 -DTILE=%d", TILE_LOW);
    else if (p->is_rounded)
        n = snprintf(text, bytes, "-DKIND=1 -DTOKENS=%d -DROWS=%d -DLANES=%d -DSETS=%d",
                     size_rows[size], matvec_rows(call, size),
                     call->facts->subgroup ? (int)call->facts->subgroup : LANES, SETS);
    else if (size < 3 && !p->is_turned)
        n = snprintf(text, bytes, "-DTOKENS=%d -DROWS=%d -DLANES=%d -DSETS=%d -DSTEPS=%d",
                     size_rows[size], matvec_rows(call, size),
                     !lanes ? 1 : call->facts->subgroup ? (int)call->facts->subgroup : LANES,
                     SETS, STEPS);
    else if (size < 3 || (p->is_turned && !lanes))
        n = snprintf(text, bytes, "-DKIND=2 -DHET_TURNED=1 -DBLOCKS=%d -DTOKENS=%d -DWIDE=%d",
                     size < 3 ? 1 : TILE / TURNED_TOKENS, size < 3 ? size_rows[size]
                                                                   : TURNED_TOKENS,
                     wide_of(call, p));
    else if (lanes)
        n = snprintf(text, bytes, "-DKIND=0 -DHET_TURNED=%d -DTILE=%d -DSUM_MAX=%d", p->is_turned,
                     (int)het__gpu_product_part(call, p, size), p->inner > SUM_MAX ? SUM_MAX : 0);
    else
        n = snprintf(text, bytes, "-DKIND=1 -DTILE=%d -DTOKENS=%d -DROWS=%d", TILE, CPU_TOKENS,
                     CPU_ROWS);
    assert(n > 0 && (size_t)n < bytes);
    (void)n;
}

/* Whether up to rows_max rows ever need kernels of that size. */
static bool can_occur(const het__gpu_product *p, uint32_t size, int64_t rows_max)
{
    static const int64_t least[] = { 1, 2, 5, 9 }; /* each size begins at one of these */
    for (uint32_t i = 0; i < 4; i++)
        if ((i == 0 || least[i] <= rows_max) && het__gpu_product_size(p, least[i]) == size)
            return true;
    return false;
}

static het_status init_kernels(het__gpu_call *call, het__gpu_product *product, int64_t rows_max,
                               het_error *err)
{
    het_status s = HET_OK;
    for (uint32_t i = 0; i < HET__GPU_SIZES && s == HET_OK; i++) {
        if (!can_occur(product, i, rows_max))
            continue;
        char options[320];
        const char *name = kernel_of(call, product, i);
        options_of(call, product, i, options, sizeof options);
        s = het__gpu_kernel_of(call, file_of(name), name, options, &product->kernels[i], err);
    }
    return s;
}

/* Matrix instructions sum 32 terms: types with a scale for as many, the usual ones. */
static bool has_matrix_kernel(het_dtype dtype)
{
    return dtype == HET_DTYPE_Q4_0 || dtype == HET_DTYPE_Q8_0 || dtype == HET_DTYPE_Q4_K;
}

het_status het__gpu_product_init(het__gpu_call *call, het__gpu_product *product, int64_t rows_max,
                                 het_error *err)
{
    het_status s = HET_OK;
    if (!product->is_slotted)
        s = het__gpu_weight_init(call, product->weight, &product->form, &product->small_at, err);
    product->is_matrix = product->is_rounded && call->facts->has_matrix && !product->is_grouped &&
                         has_matrix_kernel(product->dtype);
    if (s == HET_OK)
        s = init_kernels(call, product, rows_max, err);
    /* What a driver's compiler did not take is left out. */
    if (s == HET_E_UNSUPPORTED && product->is_matrix) {
        product->is_matrix = false;
        s = init_kernels(call, product, rows_max, err);
    }
    if (s == HET_E_UNSUPPORTED && product->is_rounded) {
        product->is_rounded = false;
        s = init_kernels(call, product, rows_max, err);
    }
    return s;
}

/* ---- launching ---- */

enum { BIAS = 1, RESIDUAL = 2, MULTIPLY = 4 }; /* of kernels/product.cl */

/* Memory that is not used is given as some that is there: drivers differ about NULL. */
static void arg_memory(het__gpu_kernel *kernel, uint32_t index, het__gpu_span span,
                       het__gpu_span other)
{
    const het__gpu_span s = span.mem ? span : other;
    het__gpu_arg_memory(kernel, index, s.mem, s.offset);
}

het__gpu_span het__gpu_product_weights(const het__gpu_call *call, const het__gpu_product *p)
{
    return p->form ? (het__gpu_span){ p->form, p->form_at }
                   : het__gpu_span_of(&call->inputs[p->weight]);
}

void het__gpu_product_bind(const het__gpu_call *call, const het__gpu_product *p,
                           het__gpu_kernel *kernel, const het__gpu_product_step *r)
{
    const het__gpu_span w = het__gpu_product_weights(call, p);
    arg_memory(kernel, 0, p->is_rounded ? r->codes : r->x, r->out);
    arg_memory(kernel, 2, w, r->out);
    het__gpu_arg_long(kernel, 4, (int64_t)p->small_at);
    arg_memory(kernel, 5, r->bias, r->out);
    arg_memory(kernel, 7, r->residual, r->out);
    arg_memory(kernel, 9, r->out, r->out);
    het__gpu_arg_int(kernel, 11, p->inner);
    het__gpu_arg_int(kernel, 12, p->columns);
    het__gpu_arg_int(kernel, 13, r->rows);
    het__gpu_arg_int(kernel, 14, (r->bias.mem ? BIAS : 0) | (r->residual.mem ? RESIDUAL : 0) |
                                    (r->multiplies ? MULTIPLY : 0));
    het__gpu_arg_float(kernel, 15, r->scale);
    het__gpu_arg_float(kernel, 16, r->alpha);
    het__gpu_arg_float(kernel, 17, r->beta);
    het__gpu_arg(kernel, 18, sizeof r->extents, r->extents);
    het__gpu_arg(kernel, 19, sizeof r->steps, r->steps);
    arg_memory(kernel, 20, r->tiles, r->out);
    arg_memory(kernel, 22, r->order, r->out);
    if (p->is_rounded)
        arg_memory(kernel, 24, r->marks, r->out);
}

/* How many of each there are in count, the last may be less. */
static size_t per(int64_t count, int64_t each)
{
    return (size_t)((count + each - 1) / each);
}

het_status het__gpu_product_run(het__gpu_call *call, const het__gpu_product *p, uint32_t size,
                                const het__gpu_product_step *r, het_error *err)
{
    const bool lanes = has_lanes(call->facts);
    const size_t parts = p->is_grouped ? (size_t)r->parts
                                       : per(r->rows, het__gpu_product_part(call, p, size));
    size_t global[3] = { 0, parts, (size_t)r->planes }, local[3] = { 1, 1, 1 };
    if (size == 3 && p->is_matrix) {
        global[0] = per(p->columns, MATRIX) * MATRIX;
        local[0] = MATRIX;
    } else if (size == 3 && lanes) {
        global[0] = per(p->columns, TILE_COLUMNS) * 16;
        global[1] *= 8;
        local[0] = 16;
        local[1] = 8;
    } else if (p->is_turned) {
        global[0] = per(p->columns, wide_of(call, p));
        local[0] = lanes ? GROUP_OF_COLUMNS : 1;
    } else if (size == 3) {
        global[0] = per(p->columns, CPU_ROWS);
    } else if (!lanes) {
        global[0] = per(p->columns, matvec_rows(call, size) * STEPS);
    } else {
        const int at_once = matvec_rows(call, size);
        local[0] = call->facts->subgroup ? call->facts->subgroup * SETS : LANES;
        global[0] = per(p->columns, call->facts->subgroup ? at_once * SETS : at_once) * local[0];
    }
    assert(p->kernels[size]);
    het__gpu_product_bind(call, p, p->kernels[size], r);
    return het__gpu_launch(call, p->kernels[size], 3, global, local, err);
}
