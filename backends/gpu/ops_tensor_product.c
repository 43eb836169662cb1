/* SPDX-License-Identifier: Apache-2.0 */
/* Products of two tensors and attention of graphs. */
#include <math.h>
#include <string.h>

#include "backends/gpu/tensor.h"
#include "lib/ir/product.h"
#include "lib/ir/sequence.h"

/* A start of the kernel product; steps in elements. */
typedef struct product {
    int64_t rows, columns, depth;
    int64_t a_row, b_line, out_row; /* b_line: from one k to the next, or transposed from n to n */
    bool transposed;
    int64_t outer_count, inner_count;
    int64_t outer[4], inner[4]; /* a, b, out, c */
    int64_t share;              /* inner matrices of a that take the same of b */
    bool has_c, skips;
    int64_t c_row, c_column;
    float alpha, beta;
} product;

static void put_ints(het__gpu_start *s, uint32_t count, const int64_t *values)
{
    int32_t narrow[16] = { 0 };
    for (uint32_t i = 0; i < count; i++)
        narrow[i] = (int32_t)values[i];
    het__gpu_put_ints(s, count, narrow);
}

static het__gpu_start *add_product(het__gpu_recipe *t, const product *p)
{
    const bool is_cpu = t->starts.facts->is_cpu;
    const int64_t rows = 4, columns = p->transposed ? (is_cpu ? 4 : 2) : is_cpu ? 16 : 4;
    het__gpu_start *s = het__gpu_starts_add(&t->starts, "tensor_product", "product");
    het__gpu_start_option(s, "-DROWS=%d -DCOLUMNS=%d -DTRANSPOSED=%d -DHAS_C=%d -DSKIPS=%d",
                          (int)rows, (int)columns, p->transposed, p->has_c, p->skips);
    het__gpu_start_items(s, (p->columns + columns - 1) / columns, (p->rows + rows - 1) / rows,
                         p->outer_count * p->inner_count, is_cpu ? 8 : 64);
    return s;
}

/* Behind the operands. */
static void put_product(het__gpu_start *s, const product *p)
{
    put_ints(s, 4, (const int64_t[]){ p->rows, p->columns, p->depth, p->inner_count });
    put_ints(s, 8, (const int64_t[]){ p->a_row, p->b_line, p->out_row, p->c_row, p->c_column, 0,
                                      0, 0 });
    put_ints(s, 4, p->outer);
    put_ints(s, 4, p->inner);
    het__gpu_put_int(s, p->share);
    het__gpu_put_float(s, p->alpha);
    het__gpu_put_float(s, p->beta);
}

/* ---- MatMul, Gemm ---- */

/* Batches as two axes; false if it takes more. */
static bool batches(const het__product *from, product *p)
{
    het__gpu_places places;
    const het__tensor inputs[2] = { from->a_batch, from->b_batch };
    het__gpu_places_of(&places, &from->batch, inputs, 2);
    het__gpu_places_merge(&places);
    if (places.rank > 2)
        return false;
    const uint32_t last = places.rank - 1;
    const int64_t matrix[3] = { from->rows * from->depth, from->depth * from->columns,
                                from->rows * from->columns };
    const int side[3] = { HET__GPU_A, HET__GPU_B, HET__GPU_OUT };
    p->inner_count = places.extent[last];
    p->outer_count = last > 0 ? places.extent[0] : 1;
    for (int k = 0; k < 3; k++) {
        p->inner[k] = places.step[side[k]][last] * matrix[k];
        p->outer[k] = last > 0 ? places.step[side[k]][0] * matrix[k] : 0;
    }
    return true;
}

static bool take_c(het__gpu_recipe *t, product *p)
{
    const het__tensor *c = het__eval_input(&t->e, 2), *out = &t->outputs[0];
    if (!c)
        return true;
    het__gpu_places places;
    het__gpu_places_of(&places, out, c, 1);
    p->has_c = true;
    p->c_row = places.step[HET__GPU_A][0];
    p->c_column = places.step[HET__GPU_A][1];
    return c->dtype == HET_DTYPE_F32;
}

bool het__gpu_build_product(het__gpu_recipe *t)
{
    const bool is_gemm = t->e.node->op == HET__OP_T_GEMM;
    het__product form;
    product p = { .share = 1, .alpha = 1 };
    if (t->inputs[0].dtype != HET_DTYPE_F32 || t->inputs[1].dtype != HET_DTYPE_F32)
        return het__gpu_refuse(t, "products of %s", het_dtype_name(t->inputs[0].dtype));
    if (!het__gpu_went(t, is_gemm ? het__product_of_gemm(&t->e, &form)
                                 : het__product_of_matmul(&t->e, 0, 1, &form)))
        return false;
    p.rows = form.rows;
    p.columns = p.out_row = form.columns;
    p.depth = form.depth;
    p.a_row = form.a_row;
    p.transposed = form.b_column != 1 && form.columns != 1;
    p.b_line = p.transposed ? form.b_column : form.b_depth;
    if ((form.a_depth != 1 && form.depth != 1) || (p.transposed && form.b_depth != 1))
        return het__gpu_refuse(t, "the first operand is transposed");
    if (!batches(&form, &p))
        return het__gpu_refuse(t, "batches along more than two axes");
    if (is_gemm) {
        p.alpha = het__attr_float(t->e.attrs, "alpha", 1);
        p.beta = het__attr_float(t->e.attrs, "beta", 1);
        if (!take_c(t, &p))
            return het__gpu_refuse(t, "the third operand is not F32");
    }
    het__gpu_start *s = add_product(t, &p);
    het__gpu_put_output(s, 0, 0);
    het__gpu_put_input(s, 0, 0);
    het__gpu_put_input(s, 1, 0);
    het__gpu_put_input(s, p.has_c ? 2 : 0, 0);
    put_product(s, &p);
    return true;
}

/* ---- attention ---- */

/* Of query, key, value or output: steps from row to row, head to head, batch to batch. */
typedef struct lines {
    int64_t row, head, batch;
} lines;

static lines lines_of(bool is_packed, int64_t heads, int64_t length, int64_t size)
{
    return is_packed ? (lines){ heads * size, size, length * heads * size }
                     : (lines){ size, length * size, heads * length * size };
}

static void add_scores(het__gpu_recipe *t, const het__attention *f)
{
    const lines q = lines_of(f->is_packed, f->heads, f->rows, f->key_size);
    const lines k = lines_of(f->is_packed, f->kv_heads, f->keys, f->key_size);
    const product p = {
        .rows = f->rows, .columns = f->keys, .depth = f->key_size, .a_row = q.row,
        .b_line = k.row, .out_row = f->keys, .transposed = true, .outer_count = f->batch,
        .inner_count = f->heads, .share = f->heads / f->kv_heads, .alpha = 1,
        .outer = { q.batch, k.batch, f->heads * f->rows * f->keys, 0 },
        .inner = { q.head, k.head, f->rows * f->keys, 0 } };
    het__gpu_start *s = add_product(t, &p);
    het__gpu_put_scratch(s, 0);
    het__gpu_put_input(s, 0, 0);
    het__gpu_put_input(s, 1, 0);
    het__gpu_put_input(s, 0, 0);
    put_product(s, &p);
}

static void add_soften(het__gpu_recipe *t, const het__attention *f)
{
    const het__tensor *mask = het__eval_input(&t->e, 3);
    int64_t steps[4] = { 0 }, strides[HET_RANK_MAX];
    const int64_t all = f->batch * f->heads * f->rows;
    if (mask) {
        het__tensor_strides(mask, strides);
        for (uint32_t i = 0; i + 1 < mask->rank; i++)
            steps[i + 4 - mask->rank] = mask->extent[i] == 1 ? 0 : strides[i];
        steps[3] = mask->extent[mask->rank - 1];
    }
    const int64_t most = f->keys + f->rows;
    const int64_t right = f->is_causal ? 0 : f->right < most ? f->right : most;
    het__gpu_start *s = het__gpu_add_rows(t, "soften", "SOFTEN", all, f->keys);
    het__gpu_start_option(s, " -DMASK=%d",
                          !mask ? 0 : mask->dtype == HET_DTYPE_BOOL ? 2 : 1);
    het__gpu_put_scratch(s, 0);
    het__gpu_put_input(s, mask ? 3 : 0, 0);
    put_ints(s, 4, (const int64_t[]){ all, f->keys, f->heads, f->rows });
    put_ints(s, 4, steps);
    put_ints(s, 2, (const int64_t[]){ f->left < most ? f->left : most, right });
    het__gpu_put_float(s, (float)f->scale);
    het__gpu_put_float(s, (float)f->softcap);
}

static void add_values(het__gpu_recipe *t, const het__attention *f)
{
    const lines v = lines_of(f->is_packed, f->kv_heads, f->keys, f->value_size);
    const lines o = lines_of(f->is_packed, f->heads, f->rows, f->value_size);
    const product p = {
        .rows = f->rows, .columns = f->value_size, .depth = f->keys, .a_row = f->keys,
        .skips = het__eval_input(&t->e, 3) || f->is_causal || f->left >= 0 || f->right >= 0,
        .b_line = v.row, .out_row = o.row, .outer_count = f->batch, .inner_count = f->heads,
        .share = f->heads / f->kv_heads, .alpha = 1,
        .outer = { f->heads * f->rows * f->keys, v.batch, o.batch, 0 },
        .inner = { f->rows * f->keys, v.head, o.head, 0 } };
    het__gpu_start *s = add_product(t, &p);
    het__gpu_put_output(s, 0, 0);
    het__gpu_put_scratch(s, 0);
    het__gpu_put_input(s, 2, 0);
    het__gpu_put_input(s, 2, 0);
    put_product(s, &p);
}

bool het__gpu_build_attention(het__gpu_recipe *t)
{
    const het__tensor *mask = het__eval_input(&t->e, 3);
    het__attention f;
    int64_t scores, bytes;
    if (!het__gpu_went(t, het__attention_form(&t->e, &f)))
        return false;
    for (uint32_t i = 0; i < 3; i++)
        if (t->inputs[i].dtype != HET_DTYPE_F32)
            return het__gpu_refuse(t, "Attention of %s", het_dtype_name(t->inputs[i].dtype));
    if (mask && mask->dtype != HET_DTYPE_F32 && mask->dtype != HET_DTYPE_BOOL)
        return het__gpu_refuse(t, "a mask of %s", het_dtype_name(mask->dtype));
    if (t->e.output_count > 1 || f.past > 0 || het__eval_input(&t->e, 4) ||
        het__eval_input(&t->e, 6) || f.precision != HET_DTYPE_F32)
        return het__gpu_refuse(t, "a cache, lengths or further outputs");
    if (!het__mul_i64(f.batch * f.heads, f.rows, &scores) ||
        !het__mul_i64(scores, f.keys, &scores) || scores > INT32_MAX)
        return het__gpu_refuse(t, "more scores than 32 bits count");
    bytes = scores * (int64_t)sizeof(float);
    t->starts.scratch_bytes = (size_t)bytes;
    add_scores(t, &f);
    add_soften(t, &f);
    add_values(t, &f);
    return true;
}
