/* SPDX-License-Identifier: Apache-2.0 */
/* The index of the largest or smallest element along an axis. Elements become keys of which the
 * largest is looked for: of the smallest the negative (of integers the complement, which always
 * exists). The first NaN wins, as in NumPy. */
#include <math.h>

#include "lib/plain/block.h"

typedef union key {
    double f;
    int64_t i;
} key;

typedef struct job {
    const het__tensor *in;
    bool exact, least, last; /* last: of equals the last */
    key best[HET__BLOCK];
    int64_t index[HET__BLOCK];
} job;

static void load(const job *j, int64_t at, int64_t n, key *x)
{
    if (!j->exact) {
        het__load_f64(j->in, at, n, &x->f);
        for (int64_t k = 0; j->least && k < n; k++)
            x[k].f = -x[k].f;
        return;
    }
    het__load_i64(j->in, at, n, &x->i);
    for (int64_t k = 0; j->in->dtype == HET_DTYPE_U64 && k < n; k++)
        x[k].i ^= INT64_MIN;
    for (int64_t k = 0; j->least && k < n; k++)
        x[k].i = ~x[k].i;
}

static bool wins(const job *j, key x, key best)
{
    if (j->exact)
        return j->last ? x.i >= best.i : x.i > best.i;
    if (isnan(x.f))
        return j->last || !isnan(best.f);
    return j->last ? x.f >= best.f : x.f > best.f;
}

static void take(job *j, int64_t column, int64_t index, key x)
{
    if (index == 0 || wins(j, x, j->best[column])) {
        j->best[column] = x;
        j->index[column] = index;
    }
}

/* The axis is the innermost. */
static void arg_row(job *j, int64_t start, int64_t n)
{
    key x[HET__BLOCK];
    for (int64_t at = 0; at < n; at += HET__BLOCK) {
        const int64_t count = het__block(n - at);
        load(j, start + at, count, x);
        for (int64_t i = 0; i < count; i++)
            take(j, 0, at + i, x[i]);
    }
}

/* count neighbours at once, stride apart from the next along the axis. */
static void arg_columns(job *j, int64_t start, int64_t n, int64_t stride, int64_t count)
{
    key x[HET__BLOCK];
    for (int64_t i = 0; i < n; i++) {
        load(j, start + i * stride, count, x);
        for (int64_t c = 0; c < count; c++)
            take(j, c, i, x[c]);
    }
}

het_status het__plain_arg(het__eval *e)
{
    const het__tensor *in = &e->inputs[0], *out = &e->outputs[0];
    const het__slab rows = het__axis_slab(in, het__attr_int(e->attrs, "axis", 0));
    job j = { .in = in, .least = e->node->op == HET__OP_T_ARG_MIN,
              .exact = het__dtype_is_int(in->dtype) || in->dtype == HET_DTYPE_BOOL,
              .last = het__attr_int(e->attrs, "select_last_index", 0) != 0 };
    for (int64_t o = 0; o < rows.outer; o++) {
        for (int64_t at = 0; at < rows.inner; at += HET__BLOCK) {
            const int64_t count = het__block(rows.inner - at);
            const int64_t start = o * rows.n * rows.inner + at;
            if (rows.inner == 1)
                arg_row(&j, start, rows.n);
            else
                arg_columns(&j, start, rows.n, rows.inner, count);
            het__store_i64(out, o * rows.inner + at, count, j.index);
        }
    }
    return HET_OK;
}
