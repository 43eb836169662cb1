/* SPDX-License-Identifier: Apache-2.0 */
/* Extents and arithmetic of products of matrices. */
#include <assert.h>

#include "lib/ir/product.h"
#include "lib/ir/shapes.h"

static bool is_real(het_dtype dtype)
{
    return dtype == HET_DTYPE_F32 || dtype == HET_DTYPE_F64 || dtype == HET_DTYPE_F16 ||
           dtype == HET_DTYPE_BF16;
}

/* Reals and whole integers; halves of bytes are for storage only. */
static bool is_number(het_dtype dtype)
{
    return is_real(dtype) || (dtype >= HET_DTYPE_I8 && dtype <= HET_DTYPE_U64);
}

static bool is_byte(het_dtype dtype)
{
    return dtype == HET_DTYPE_I8 || dtype == HET_DTYPE_U8;
}

static bool is_quantised(het_dtype dtype)
{
    return is_byte(dtype) || (dtype >= HET_DTYPE_F8E4M3 && dtype <= HET_DTYPE_F8E5M2UZ);
}

static het_status of_type(const het__eval *e, uint32_t i, bool (*fits)(het_dtype))
{
    const het__tensor *t = het__eval_input(e, i);
    if (!t || !fits(t->dtype))
        return het__eval_refuse(e, "input %u is %s", i, t ? het_dtype_name(t->dtype) : "left out");
    return HET_OK;
}

static het_status same_type(const het__eval *e, uint32_t i, uint32_t as)
{
    const het__tensor *t = het__eval_input(e, i), *other = het__eval_input(e, as);
    if (t && other && t->dtype != other->dtype)
        return het__eval_refuse(e, "input %u is %s where %s belongs", i, het_dtype_name(t->dtype),
                                het_dtype_name(other->dtype));
    return HET_OK;
}

/* A vector as operand gives no row, or no column, to the result. */
static het_status result(het__eval *e, const het__product *p, uint32_t second, het_dtype dtype)
{
    het__tensor out = p->batch;
    assert(out.rank + 2 <= HET_RANK_MAX);
    if (e->inputs[0].rank > 1)
        out.extent[out.rank++] = p->rows;
    if (e->inputs[second].rank > 1)
        out.extent[out.rank++] = p->columns;
    return het__eval_like(e, 0, dtype, &out);
}

het_status het__shape_mat_mul(het__eval *e)
{
    het__product p;
    het_status s = of_type(e, 0, is_number);
    if (s == HET_OK)
        s = same_type(e, 1, 0);
    if (s == HET_OK)
        s = het__product_of_matmul(e, 0, 1, &p);
    return s == HET_OK ? result(e, &p, 1, e->inputs[0].dtype) : s;
}

/* Input i, if it is there, has one number, one per line, or one per line and matrix. */
static het_status lines(const het__eval *e, const het__product *p, uint32_t i, bool columns)
{
    const het__tensor *t = het__eval_input(e, i);
    het__lines how;
    if (t && !het__product_lines(p, t, columns, &how))
        return het__eval_refuse(e, "input %u fits neither the whole nor the %s", i,
                                columns ? "columns" : "rows");
    return HET_OK;
}

het_status het__shape_mat_mul_integer(het__eval *e)
{
    het__product p;
    het_status s = of_type(e, 0, is_byte);
    if (s == HET_OK)
        s = of_type(e, 1, is_byte);
    if (s == HET_OK)
        s = same_type(e, 2, 0);
    if (s == HET_OK)
        s = same_type(e, 3, 1);
    if (s == HET_OK)
        s = het__product_of_matmul(e, 0, 1, &p);
    if (s == HET_OK)
        s = lines(e, &p, 2, false);
    if (s == HET_OK)
        s = lines(e, &p, 3, true);
    return s == HET_OK ? result(e, &p, 1, HET_DTYPE_I32) : s;
}

static het_status one_number(const het__eval *e, uint32_t i)
{
    const het__tensor *t = het__eval_input(e, i);
    if (t && het__tensor_elements(t) != 1)
        return het__eval_refuse(e, "input %u is not one number", i);
    return HET_OK;
}

/* Inputs: a, scale, zero, b, scale, zero, y scale, y zero. */
het_status het__shape_qlinear_mat_mul(het__eval *e)
{
    static const uint32_t matrices[] = { 0, 3 }, scales[] = { 1, 4, 6 };
    het__product p;
    het_status s = HET_OK;
    for (int i = 0; s == HET_OK && i < 2; i++) {
        s = of_type(e, matrices[i], is_quantised);
        if (s == HET_OK)
            s = same_type(e, matrices[i] + 2, matrices[i]);
    }
    for (int i = 0; s == HET_OK && i < 3; i++)
        s = of_type(e, scales[i], is_real);
    if (s == HET_OK && het__eval_input(e, 7))
        s = of_type(e, 7, is_quantised);
    if (s == HET_OK)
        s = het__product_of_matmul(e, 0, 3, &p);
    for (uint32_t i = 1; s == HET_OK && i < 6; i++)
        if (i != 3)
            s = lines(e, &p, i, i > 3);
    for (uint32_t i = 6; s == HET_OK && i < 8; i++)
        s = one_number(e, i);
    if (s != HET_OK)
        return s;
    const het__tensor *zero = het__eval_input(e, 7);
    return result(e, &p, 3, zero ? zero->dtype : e->inputs[0].dtype);
}

het_status het__shape_gemm(het__eval *e)
{
    het__product p;
    het_status s = of_type(e, 0, is_number);
    for (uint32_t i = 1; s == HET_OK && i < 3; i++)
        s = same_type(e, i, 0);
    if (s == HET_OK)
        s = het__product_of_gemm(e, &p);
    if (s != HET_OK)
        return s;
    const het__tensor *c = het__eval_input(e, 2);
    for (uint32_t i = 0; c && i < c->rank; i++) {
        const int64_t n = c->extent[c->rank - 1 - i];
        if (i > 1 || (n != 1 && n != (i ? p.rows : p.columns)))
            return het__eval_refuse(e, "C does not fit a result of %lld by %lld",
                                    (long long)p.rows, (long long)p.columns);
    }
    const int64_t extent[] = { p.rows, p.columns };
    return het__eval_shape(e, 0, e->inputs[0].dtype, 2, extent);
}

het_status het__shape_einsum(het__eval *e)
{
    het__einsum sum;
    int64_t extent[HET_RANK_MAX], points = 1;
    het_status s = of_type(e, 0, is_number);
    if (s == HET_OK)
        s = het__einsum_of(e, &sum);
    if (s != HET_OK)
        return s;
    for (uint32_t i = 0; i < HET__EINSUM_LABELS; i++)
        if (sum.extent[i] > 0 && !het__mul_i64(points, sum.extent[i], &points))
            return het__eval_refuse(e, "the sum has an impossible size");
    for (uint32_t i = 0; i < sum.rank; i++)
        extent[i] = sum.extent[sum.out[i]];
    return het__eval_shape(e, 0, e->inputs[0].dtype, sum.rank, extent);
}

het_status het__shape_det(het__eval *e)
{
    const het__tensor *x = het__eval_input(e, 0);
    const het_status s = of_type(e, 0, is_real);
    if (s != HET_OK)
        return s;
    if (x->rank < 2 || x->extent[x->rank - 1] != x->extent[x->rank - 2])
        return het__eval_refuse(e, "there is no square matrix");
    return het__eval_shape(e, 0, x->dtype, x->rank - 2, x->extent);
}

/* ---- arithmetic ---- */

static double elements(const het__tensor *t)
{
    double n = 1;
    for (uint32_t i = 0; i < t->rank; i++)
        n *= (double)t->extent[i];
    return n;
}

void het__count_mat_mul(const het__eval *e, het__work *work)
{
    const het__tensor *a = het__eval_input(e, 0);
    work->units = elements(&e->outputs[0]);
    if (!a || a->rank < 1)
        return;
    work->macs = work->units * (double)a->extent[a->rank - 1];
    work->flops = 2 * work->macs;
}

void het__count_gemm(const het__eval *e, het__work *work)
{
    const het__tensor *a = het__eval_input(e, 0);
    work->units = elements(&e->outputs[0]);
    if (!a || a->rank != 2)
        return;
    work->macs = work->units * (double)a->extent[het__attr_int(e->attrs, "transA", 0) == 0];
    work->flops = 2 * work->macs;
}

/* At every point of the space of all labels the operands are multiplied and one number is added;
 * a single operand is only summed. */
void het__count_einsum(const het__eval *e, het__work *work)
{
    het__einsum sum;
    const het__eval quiet = { .node = e->node, .attrs = e->attrs, .inputs = e->inputs,
                              .input_count = e->input_count };
    work->units = elements(&e->outputs[0]);
    if (het__einsum_of(&quiet, &sum) != HET_OK)
        return;
    double points = 1;
    for (uint32_t i = 0; i < HET__EINSUM_LABELS; i++)
        if (sum.extent[i] >= 0)
            points *= (double)sum.extent[i];
    work->macs = e->input_count > 1 ? points : 0;
    work->flops = points * e->input_count;
}

/* Elimination: two thirds of the cube. */
void het__count_det(const het__eval *e, het__work *work)
{
    work->units = elements(&e->outputs[0]);
    if (!e->input_count || e->inputs[0].rank < 2)
        return;
    const double n = (double)e->inputs[0].extent[e->inputs[0].rank - 1];
    work->macs = work->units * n * n * n / 3;
    work->flops = 2 * work->macs;
}
