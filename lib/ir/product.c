/* SPDX-License-Identifier: Apache-2.0 */
/* What a product of matrices multiplies, by the rules of NumPy's matmul and of Gemm. */
#include "lib/ir/product.h"

#include <string.h>

/* Leading extents of an operand whose last two are the matrix; a vector has none. */
static void batch_of(const het__tensor *t, het__tensor *batch)
{
    memset(batch, 0, sizeof *batch);
    batch->rank = t->rank > 2 ? t->rank - 2 : 0;
    memcpy(batch->extent, t->extent, batch->rank * sizeof t->extent[0]);
}

het_status het__product_of_matmul(const het__eval *e, uint32_t a, uint32_t b, het__product *p)
{
    const het__tensor *x = het__eval_input(e, a), *y = het__eval_input(e, b);
    memset(p, 0, sizeof *p);
    if (!x || !y || x->rank < 1 || y->rank < 1)
        return het__eval_refuse(e, "an operand is no matrix or vector");
    p->rows = x->rank > 1 ? x->extent[x->rank - 2] : 1;
    p->depth = x->extent[x->rank - 1];
    p->columns = y->rank > 1 ? y->extent[y->rank - 1] : 1;
    const int64_t depth = y->extent[y->rank > 1 ? y->rank - 2 : 0];
    if (depth != p->depth)
        return het__eval_refuse(e, "rows of %lld by columns of %lld", (long long)p->depth,
                                (long long)depth);
    p->a_row = p->depth;
    p->a_depth = p->b_column = 1;
    p->b_depth = p->columns;
    batch_of(x, &p->a_batch);
    batch_of(y, &p->b_batch);
    p->batch = p->b_batch;
    if (!het__broadcast(&p->a_batch, &p->batch))
        return het__eval_refuse(e, "the leading extents do not fit");
    return HET_OK;
}

het_status het__product_of_gemm(const het__eval *e, het__product *p)
{
    const het__tensor *x = het__eval_input(e, 0), *y = het__eval_input(e, 1);
    const bool turn_a = het__attr_int(e->attrs, "transA", 0) != 0;
    const bool turn_b = het__attr_int(e->attrs, "transB", 0) != 0;
    memset(p, 0, sizeof *p);
    if (!x || !y || x->rank != 2 || y->rank != 2)
        return het__eval_refuse(e, "an operand is no matrix");
    p->rows = x->extent[turn_a];
    p->depth = x->extent[!turn_a];
    p->columns = y->extent[!turn_b];
    if (y->extent[turn_b] != p->depth)
        return het__eval_refuse(e, "rows of %lld by columns of %lld", (long long)p->depth,
                                (long long)y->extent[turn_b]);
    p->a_row = turn_a ? 1 : p->depth;
    p->a_depth = turn_a ? p->rows : 1;
    p->b_depth = turn_b ? 1 : p->columns;
    p->b_column = turn_b ? p->depth : 1;
    return HET_OK;
}

bool het__product_lines(const het__product *p, const het__tensor *t, bool columns,
                        het__lines *lines)
{
    const int64_t n = columns ? p->columns : p->rows;
    const het__tensor *batch = columns ? &p->b_batch : &p->a_batch;
    const int64_t all = het__tensor_elements(t);
    *lines = (het__lines){ 0, 0 };
    if (all == 1)
        return true;
    lines->step = 1;
    if (t->rank == 1)
        return all == n;
    if (t->rank < 2 || t->extent[t->rank - 2] != (columns ? 1 : n) ||
        t->extent[t->rank - 1] != (columns ? n : 1))
        return false;
    if (all == n)
        return true;
    lines->batch_step = n;
    return t->rank == batch->rank + 2 &&
           memcmp(t->extent, batch->extent, batch->rank * sizeof t->extent[0]) == 0;
}
