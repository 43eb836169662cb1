/* SPDX-License-Identifier: Apache-2.0 */
/* Running sums and products along an axis, of neighbouring rows at once. Integers are exact, modulo
 * 2^64; floats are summed in double. */
#include "lib/plain/block.h"

typedef union cell {
    double f;
    int64_t i;
} cell;

typedef struct job {
    const het__tensor *in, *out;
    bool exact, product, exclusive;
    cell acc[HET__BLOCK];
} job;

static void add(job *j, const cell *x, int64_t n)
{
    for (int64_t c = 0; c < n; c++) {
        cell *a = &j->acc[c];
        if (j->exact && j->product)
            a->i = (int64_t)((uint64_t)a->i * (uint64_t)x[c].i);
        else if (j->exact)
            a->i = (int64_t)((uint64_t)a->i + (uint64_t)x[c].i);
        else
            a->f = j->product ? a->f * x[c].f : a->f + x[c].f;
    }
}

static void pass(job *j, int64_t at, int64_t n)
{
    cell x[HET__BLOCK];
    if (j->exact)
        het__load_i64(j->in, at, n, &x->i);
    else
        het__load_f64(j->in, at, n, &x->f);
    if (!j->exclusive)
        add(j, x, n);
    if (j->exact)
        het__store_i64(j->out, at, n, &j->acc->i);
    else
        het__store_f64(j->out, at, n, &j->acc->f);
    if (j->exclusive)
        add(j, x, n);
}

static void strip(job *j, const het__slab *rows, int64_t start, int64_t count, bool reverse)
{
    for (int64_t c = 0; c < count; c++)
        j->acc[c] = j->exact ? (cell){ .i = j->product } : (cell){ .f = j->product };
    for (int64_t i = 0; i < rows->n; i++)
        pass(j, start + (reverse ? rows->n - 1 - i : i) * rows->inner, count);
}

het_status het__plain_cumulate(het__eval *e)
{
    const het__tensor *in = &e->inputs[0];
    int64_t axis = 0;
    uint32_t count;
    bool present;
    het_status s;
    /* The rule may have been asked before the axis was known. */
    if (!het__eval_ints(e, 1, NULL, 1, &axis, &count, &present, &s) || s != HET_OK)
        return s != HET_OK ? s : het__eval_refuse(e, "the axis is not known");
    if (het__axis(axis, in->rank ? in->rank : 1) < 0)
        return het__eval_refuse(e, "axis %lld is outside of rank %u", (long long)axis, in->rank);
    const het__slab rows = het__axis_slab(in, axis);
    const bool reverse = het__attr_int(e->attrs, "reverse", 0) != 0;
    job j = { .in = in, .out = &e->outputs[0], .exact = het__dtype_is_int(in->dtype),
              .product = e->node->op == HET__OP_T_CUM_PROD,
              .exclusive = het__attr_int(e->attrs, "exclusive", 0) != 0 };
    for (int64_t o = 0; o < rows.outer; o++)
        for (int64_t at = 0; at < rows.inner; at += HET__BLOCK)
            strip(&j, &rows, o * rows.n * rows.inner + at, het__block(rows.inner - at), reverse);
    return HET_OK;
}
