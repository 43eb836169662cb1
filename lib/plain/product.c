/* SPDX-License-Identifier: Apache-2.0 */
/* MatMul, Gemm and Det. Reals are summed in double; integers modulo 2^64, of which their type
 * keeps the low bits. */
#include <math.h>

#include "lib/ir/product.h"
#include "lib/plain/doubles.h"

typedef struct row_target {
    het__tensor *out;
    int64_t first; /* of the matrix at hand */
    int64_t columns;
    /* Gemm: alpha * sum + beta * c */
    double alpha, beta;
    const het__tensor *c;
    int64_t c_row, c_column;
} row_target;

static void put_row(void *user, int64_t row, int64_t column, int64_t count, const double *sums)
{
    const row_target *t = user;
    het__doubles_put(t->out->dtype, t->out->data, t->first + row * t->columns + column, 1, count,
                     sums);
}

/* Sums of products of integers, modulo 2^64. */
static void product_of_integers(const het__operand *a, const het__operand *b, int64_t rows,
                                int64_t columns, int64_t depth, int64_t first, het__tensor *out)
{
    for (int64_t i = 0; i < rows; i++)
        for (int64_t j = 0; j < columns; j++) {
            uint64_t sum = 0;
            for (int64_t k = 0; k < depth; k++)
                sum += (uint64_t)het__get_i64(a->dtype, a->data,
                                              a->first + i * a->line_step + k * a->k_step) *
                       (uint64_t)het__get_i64(b->dtype, b->data,
                                              b->first + j * b->line_step + k * b->k_step);
            het__put_i64(out->dtype, out->data, first + i * columns + j, (int64_t)sum);
        }
}

het_status het__plain_mat_mul(het__eval *e)
{
    het__product p;
    const het_status s = het__product_of_matmul(e, 0, 1, &p);
    if (s != HET_OK)
        return s;
    double *scratch = het__eval_scratch(e, HET__PRODUCT_SCRATCH, sizeof *scratch);
    if (!scratch)
        return het__eval_nomem(e);
    const het__tensor *a = &e->inputs[0], *b = &e->inputs[1];
    het__operand x = { .dtype = a->dtype, .data = a->data, .line_step = p.a_row,
                       .k_step = p.a_depth };
    het__operand y = { .dtype = b->dtype, .data = b->data, .line_step = p.b_column,
                       .k_step = p.b_depth };
    row_target target = { .out = &e->outputs[0], .columns = p.columns };
    het__walk walk;
    het__walk_init(&walk, &p.batch, &p.a_batch, &p.b_batch, NULL);
    const int64_t count = het__tensor_elements(target.out) ? het__tensor_elements(&p.batch) : 0;
    for (int64_t i = 0; i < count; i++, het__walk_next(&walk)) {
        x.first = walk.index[0] * p.rows * p.depth;
        y.first = walk.index[1] * p.depth * p.columns;
        target.first = i * p.rows * p.columns;
        if (het__dtype_is_float(a->dtype))
            het__product_f64(&x, &y, p.rows, p.columns, p.depth, scratch, put_row, &target);
        else
            product_of_integers(&x, &y, p.rows, p.columns, p.depth, target.first, target.out);
    }
    return HET_OK;
}

/* ---- Gemm ---- */

static void put_gemm_row(void *user, int64_t row, int64_t column, int64_t count,
                         const double *sums)
{
    const row_target *t = user;
    const int64_t first = row * t->columns + column;
    for (int64_t j = 0; j < count; j++) {
        double y = t->alpha * sums[j];
        if (t->c)
            y += t->beta * het__get_f64(t->c->dtype, t->c->data,
                                        row * t->c_row + (column + j) * t->c_column);
        het__put_f64(t->out->dtype, t->out->data, first + j, y);
    }
}

/* Integers with factors of one, the only ones that keep them integers, stay exact. */
static void finish_integers(const row_target *t)
{
    const het__tensor *out = t->out;
    for (int64_t i = 0; i < out->extent[0]; i++)
        for (int64_t j = 0; j < out->extent[1]; j++) {
            const int64_t at = i * t->columns + j, from = i * t->c_row + j * t->c_column;
            int64_t y = het__get_i64(out->dtype, out->data, at);
            if (t->alpha != 1.0)
                y = (int64_t)fmax(-0x1p62, fmin(0x1p62, trunc(t->alpha * (double)y)));
            int64_t c = t->c ? het__get_i64(t->c->dtype, t->c->data, from) : 0;
            if (t->beta != 1.0)
                c = (int64_t)fmax(-0x1p62, fmin(0x1p62, trunc(t->beta * (double)c)));
            het__put_i64(out->dtype, out->data, at, (int64_t)((uint64_t)y + (uint64_t)c));
        }
}

static void lay_c(const het__tensor *c, row_target *t)
{
    t->c = c;
    if (!c)
        return;
    const int64_t columns = c->rank > 0 ? c->extent[c->rank - 1] : 1;
    t->c_column = columns > 1;
    t->c_row = c->rank > 1 && c->extent[0] > 1 ? columns : 0;
}

het_status het__plain_gemm(het__eval *e)
{
    het__product p;
    const het_status s = het__product_of_gemm(e, &p);
    if (s != HET_OK)
        return s;
    double *scratch = het__eval_scratch(e, HET__PRODUCT_SCRATCH, sizeof *scratch);
    if (!scratch)
        return het__eval_nomem(e);
    const het__tensor *a = &e->inputs[0], *b = &e->inputs[1];
    const het__operand x = { .dtype = a->dtype, .data = a->data, .line_step = p.a_row,
                             .k_step = p.a_depth };
    const het__operand y = { .dtype = b->dtype, .data = b->data, .line_step = p.b_column,
                             .k_step = p.b_depth };
    row_target target = { .out = &e->outputs[0], .columns = p.columns,
                          .alpha = (double)het__attr_float(e->attrs, "alpha", 1.0f),
                          .beta = (double)het__attr_float(e->attrs, "beta", 1.0f) };
    lay_c(het__eval_input(e, 2), &target);
    if (het__dtype_is_float(a->dtype)) {
        het__product_f64(&x, &y, p.rows, p.columns, p.depth, scratch, put_gemm_row, &target);
        return HET_OK;
    }
    product_of_integers(&x, &y, p.rows, p.columns, p.depth, 0, target.out);
    finish_integers(&target);
    return HET_OK;
}

/* ---- Det ---- */

static void swap_rows(double *a, int64_t n, int64_t i, int64_t j)
{
    for (int64_t k = 0; k < n; k++) {
        const double x = a[i * n + k];
        a[i * n + k] = a[j * n + k];
        a[j * n + k] = x;
    }
}

/* By elimination with the largest pivot of each column; destroys a. */
static double determinant(double *a, int64_t n)
{
    double det = 1;
    for (int64_t k = 0; k < n; k++) {
        int64_t pivot = k;
        for (int64_t i = k + 1; i < n; i++)
            if (fabs(a[i * n + k]) > fabs(a[pivot * n + k]))
                pivot = i;
        if (pivot != k) {
            swap_rows(a, n, k, pivot);
            det = -det;
        }
        det *= a[k * n + k];
        if (a[k * n + k] == 0)
            return det;
        for (int64_t i = k + 1; i < n; i++) {
            const double factor = a[i * n + k] / a[k * n + k];
            het__doubles_add(a + i * n + k, a + k * n + k, -factor, n - k);
        }
    }
    return det;
}

het_status het__plain_det(het__eval *e)
{
    const het__tensor *x = &e->inputs[0];
    const int64_t n = x->extent[x->rank - 1], count = het__tensor_elements(&e->outputs[0]);
    if (count == 0)
        return HET_OK;
    double *a = het__eval_scratch(e, (size_t)(n * n), sizeof *a);
    if (!a)
        return het__eval_nomem(e);
    for (int64_t i = 0; i < count; i++) {
        het__doubles_get(x->dtype, x->data, i * n * n, 1, n * n, 0, a);
        het__put_f64(e->outputs[0].dtype, e->outputs[0].data, i, determinant(a, n));
    }
    return HET_OK;
}
