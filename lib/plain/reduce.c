/* SPDX-License-Identifier: Apache-2.0 */
/* Reductions over any set of axes.
 *
 * Neighbouring axes of one kind are taken together first, which leaves [kept][gone]… with the
 * innermost either gone (then a block of it is folded into lanes, and those into one) or kept (then
 * a block of neighbours is folded at once, so that memory is read in order either way). Integers
 * are exact, modulo 2^64. */
#include <assert.h>
#include <math.h>
#include <string.h>

#include "lib/plain/block.h"

#define LANES 16

typedef union cell {
    double f;
    int64_t i;
} cell;

typedef enum fold_kind { FOLD_SUM, FOLD_PROD, FOLD_MAX, FOLD_MIN, FOLD_LOG_SUM_EXP } fold_kind;
typedef enum change { CHANGE_NONE, CHANGE_SQUARE, CHANGE_ABS } change;

/* One odometer over groups of axes, innermost first. */
typedef struct places {
    uint32_t count;
    int64_t extent[HET_RANK_MAX], stride[HET_RANK_MAX], at[HET_RANK_MAX];
    int64_t offset;
} places;

typedef struct job {
    const het__tensor *in, *out;
    het__op op;
    fold_kind fold;
    change change;
    bool exact;  /* computed on integers */
    bool wide;   /* U64 compared: the top bit is flipped, so that order is that of I64 */
    int64_t n;   /* elements per result */
    int64_t inner;
    bool inner_gone;
    places kept, gone;
    cell acc[HET__BLOCK];
    double top[HET__BLOCK]; /* of LOG_SUM_EXP: the largest so far; acc is the sum relative to it */
} job;

/* ---- what is computed ---- */

static void choose(job *j)
{
    j->exact = het__dtype_is_int(j->in->dtype) || j->in->dtype == HET_DTYPE_BOOL;
    switch (j->op) {
    case HET__OP_T_REDUCE_L1: j->change = CHANGE_ABS; break;
    case HET__OP_T_REDUCE_L2: j->exact = false; /* fall through */
    case HET__OP_T_REDUCE_SUM_SQUARE: j->change = CHANGE_SQUARE; break;
    case HET__OP_T_REDUCE_LOG_SUM: j->exact = false; break;
    case HET__OP_T_REDUCE_LOG_SUM_EXP: j->exact = false; j->fold = FOLD_LOG_SUM_EXP; break;
    case HET__OP_T_REDUCE_MAX: j->fold = FOLD_MAX; break;
    case HET__OP_T_REDUCE_MIN: j->fold = FOLD_MIN; break;
    case HET__OP_T_REDUCE_PROD: j->fold = FOLD_PROD; break;
    default: break;
    }
    j->wide = j->in->dtype == HET_DTYPE_U64 && (j->fold == FOLD_MAX || j->fold == FOLD_MIN);
}

/* Least and largest value of an integer type, as cells compare them. */
static void limits(const job *j, int64_t *least, int64_t *most)
{
    int bits;
    switch ((int)j->in->dtype) {
    case HET_DTYPE_BOOL: bits = 1; break;
    case HET_DTYPE_I2:
    case HET_DTYPE_U2: bits = 2; break;
    case HET_DTYPE_I4:
    case HET_DTYPE_U4: bits = 4; break;
    case HET_DTYPE_I8:
    case HET_DTYPE_U8: bits = 8; break;
    case HET_DTYPE_I16:
    case HET_DTYPE_U16: bits = 16; break;
    case HET_DTYPE_I32:
    case HET_DTYPE_U32: bits = 32; break;
    default: bits = 64; break;
    }
    const bool is_unsigned = het__dtype_is_unsigned(j->in->dtype) ||
                             j->in->dtype == HET_DTYPE_BOOL;
    if (bits == 64) {
        *least = INT64_MIN;
        *most = INT64_MAX;
    } else {
        *least = is_unsigned ? 0 : -(INT64_C(1) << (bits - 1));
        *most = (INT64_C(1) << (is_unsigned ? bits : bits - 1)) - 1;
    }
}

static cell neutral(const job *j)
{
    int64_t least, most;
    limits(j, &least, &most);
    switch (j->fold) {
    case FOLD_PROD: return j->exact ? (cell){ .i = 1 } : (cell){ .f = 1 };
    case FOLD_MAX: return j->exact ? (cell){ .i = least } : (cell){ .f = -HUGE_VAL };
    case FOLD_MIN: return j->exact ? (cell){ .i = most } : (cell){ .f = HUGE_VAL };
    default: return j->exact ? (cell){ .i = 0 } : (cell){ .f = 0 };
    }
}

static void clear(job *j, int64_t count)
{
    const cell none = neutral(j);
    for (int64_t i = 0; i < count; i++) {
        j->acc[i] = none;
        j->top[i] = -HUGE_VAL;
    }
}

/* ---- folding ---- */

static void load(const job *j, int64_t at, int64_t n, cell *x)
{
    if (j->exact) {
        het__load_i64(j->in, at, n, &x->i);
        for (int64_t k = 0; j->wide && k < n; k++)
            x[k].i ^= INT64_MIN;
        for (int64_t k = 0; j->change == CHANGE_SQUARE && k < n; k++)
            x[k].i = (int64_t)((uint64_t)x[k].i * (uint64_t)x[k].i);
        const bool turns = j->change == CHANGE_ABS && !het__dtype_is_unsigned(j->in->dtype);
        for (int64_t k = 0; turns && k < n; k++)
            x[k].i = x[k].i < 0 ? (int64_t)(0 - (uint64_t)x[k].i) : x[k].i;
        return;
    }
    het__load_f64(j->in, at, n, &x->f);
    for (int64_t k = 0; j->change == CHANGE_SQUARE && k < n; k++)
        x[k].f *= x[k].f;
    for (int64_t k = 0; j->change == CHANGE_ABS && k < n; k++)
        x[k].f = fabs(x[k].f);
}

static void fold_exact(fold_kind kind, cell *restrict acc, const cell *restrict x, int64_t n)
{
    switch (kind) {
    case FOLD_PROD:
        for (int64_t i = 0; i < n; i++)
            acc[i].i = (int64_t)((uint64_t)acc[i].i * (uint64_t)x[i].i);
        break;
    case FOLD_MAX:
        for (int64_t i = 0; i < n; i++)
            acc[i].i = x[i].i > acc[i].i ? x[i].i : acc[i].i;
        break;
    case FOLD_MIN:
        for (int64_t i = 0; i < n; i++)
            acc[i].i = x[i].i < acc[i].i ? x[i].i : acc[i].i;
        break;
    default:
        for (int64_t i = 0; i < n; i++)
            acc[i].i = (int64_t)((uint64_t)acc[i].i + (uint64_t)x[i].i);
        break;
    }
}

/* Sums of exponentials relative to the largest element so far: nothing overflows. Infinities must
 * not be subtracted from themselves; NaN stays in the sum. */
static void fold_exponentials(cell *acc, double *top, const cell *x, int64_t n)
{
    for (int64_t i = 0; i < n; i++) {
        const double y = x[i].f;
        if (y == top[i]) {
            acc[i].f += y == -HUGE_VAL ? 0 : 1;
        } else if (y < top[i]) {
            acc[i].f += exp(y - top[i]);
        } else {
            acc[i].f = acc[i].f * exp(top[i] - y) + 1;
            top[i] = y;
        }
    }
}

/* A comparison with NaN is false, and NaN is kept as NumPy keeps it. */
static void fold_real(fold_kind kind, cell *restrict acc, const cell *restrict x, int64_t n)
{
    switch (kind) {
    case FOLD_PROD:
        for (int64_t i = 0; i < n; i++)
            acc[i].f *= x[i].f;
        break;
    case FOLD_MAX:
        for (int64_t i = 0; i < n; i++)
            acc[i].f = acc[i].f >= x[i].f || isnan(acc[i].f) ? acc[i].f : x[i].f;
        break;
    case FOLD_MIN:
        for (int64_t i = 0; i < n; i++)
            acc[i].f = acc[i].f <= x[i].f || isnan(acc[i].f) ? acc[i].f : x[i].f;
        break;
    default:
        for (int64_t i = 0; i < n; i++)
            acc[i].f += x[i].f;
        break;
    }
}

static void fold(job *j, const cell *x, int64_t n)
{
    if (j->exact)
        fold_exact(j->fold, j->acc, x, n);
    else if (j->fold == FOLD_LOG_SUM_EXP)
        fold_exponentials(j->acc, j->top, x, n);
    else
        fold_real(j->fold, j->acc, x, n);
}

/* All lanes into the first. */
static void merge(job *j, int64_t lanes)
{
    for (int64_t i = 1; i < lanes; i++) {
        cell x = j->acc[i];
        if (j->fold == FOLD_LOG_SUM_EXP)
            x.f = j->top[i] + log(x.f);
        fold(j, &x, 1);
    }
}

static void finish(const job *j, int64_t at, int64_t n)
{
    for (int64_t i = 0; i < n; i++) {
        cell y = j->acc[i];
        const bool mean = j->op == HET__OP_T_REDUCE_MEAN;
        if (j->exact) {
            if (mean)
                y.i = het__dtype_is_unsigned(j->in->dtype)
                          ? (int64_t)((uint64_t)y.i / (uint64_t)j->n)
                          : y.i / j->n;
            het__put_i64(j->out->dtype, j->out->data, at + i, j->wide ? y.i ^ INT64_MIN : y.i);
            continue;
        }
        if (mean)
            y.f /= (double)j->n;
        else if (j->op == HET__OP_T_REDUCE_L2)
            y.f = sqrt(y.f);
        else if (j->op == HET__OP_T_REDUCE_LOG_SUM)
            y.f = log(y.f);
        else if (j->fold == FOLD_LOG_SUM_EXP)
            y.f = j->top[i] + log(y.f);
        het__put_f64(j->out->dtype, j->out->data, at + i, y.f);
    }
}

/* ---- where elements lie ---- */

static bool step(places *p)
{
    for (uint32_t i = 0; i < p->count; i++) {
        p->offset += p->stride[i];
        if (++p->at[i] < p->extent[i])
            return true;
        p->offset -= p->stride[i] * p->extent[i];
        p->at[i] = 0;
    }
    return false;
}

/* Axes into groups; those of extent 1 belong to any. */
static void group_axes(job *j, uint32_t mask)
{
    const het__tensor *t = j->in;
    int64_t stride = 1, *group = NULL;
    bool last_gone = false;
    j->inner = 1;
    for (uint32_t i = t->rank; i-- > 0; stride *= t->extent[i]) {
        const bool gone = mask >> i & 1;
        places *p = gone ? &j->gone : &j->kept;
        if (t->extent[i] == 1)
            continue;
        if (group && gone == last_gone) {
            *group *= t->extent[i];
            continue;
        }
        if (group) {
            p->stride[p->count] = stride;
            group = &p->extent[p->count++];
        } else {
            j->inner_gone = gone;
            group = &j->inner;
        }
        *group = t->extent[i];
        last_gone = gone;
    }
}

/* One result: the innermost axes are gone. */
static void reduce_row(job *j, int64_t result)
{
    cell x[HET__BLOCK];
    const int64_t lanes = j->inner < LANES ? j->inner : LANES;
    clear(j, lanes);
    do {
        const int64_t start = j->kept.offset + j->gone.offset;
        for (int64_t at = 0; at < j->inner; at += HET__BLOCK) {
            const int64_t n = het__block(j->inner - at);
            load(j, start + at, n, x);
            for (int64_t i = 0; i < n; i += lanes)
                fold(j, x + i, n - i < lanes ? n - i : lanes);
        }
    } while (step(&j->gone));
    merge(j, lanes);
    finish(j, result, 1);
}

/* As many results as there are innermost places, which are kept. */
static void reduce_columns(job *j, int64_t result)
{
    cell x[HET__BLOCK];
    for (int64_t at = 0; at < j->inner; at += HET__BLOCK) {
        const int64_t n = het__block(j->inner - at);
        clear(j, n);
            do {
            load(j, j->kept.offset + j->gone.offset + at, n, x);
            fold(j, x, n);
        } while (step(&j->gone));
        finish(j, result + at, n);
    }
}

static het_status reduce_nothing(het__eval *e, job *j)
{
    const int64_t results = het__tensor_elements(j->out);
    if (results && j->n == 0 && j->exact && j->op == HET__OP_T_REDUCE_MEAN)
        return het__eval_refuse(e, "the mean of no integers");
    clear(j, 1);
    for (int64_t i = 0; i < results; i++)
        finish(j, i, 1);
    return HET_OK;
}

het_status het__plain_reduce(het__eval *e)
{
    het_status s;
    uint32_t mask;
    if (!het__reduce_axes(e, &mask, &s) || s != HET_OK)
        return s != HET_OK ? s : het__eval_refuse(e, "the axes are not known");
    const het__tensor *in = &e->inputs[0];
    job j = { .in = in, .out = &e->outputs[0], .op = e->node->op, .n = 1 };
    choose(&j);
    for (uint32_t i = 0; i < in->rank; i++)
        j.n *= mask >> i & 1 ? in->extent[i] : 1;
    if (het__tensor_elements(in) == 0)
        return reduce_nothing(e, &j);
    group_axes(&j, mask);
    int64_t result = 0;
    do {
        if (j.inner_gone)
            reduce_row(&j, result);
        else
            reduce_columns(&j, result);
        result += j.inner_gone ? 1 : j.inner;
    } while (step(&j.kept));
    assert(result == het__tensor_elements(j.out));
    return HET_OK;
}
