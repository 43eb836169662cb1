/* SPDX-License-Identifier: Apache-2.0 */
/* Einsum. Two operands of reals become products of matrices: labels that both have and the output
 * keeps are the batch, labels that both have and the output lacks are summed by the product, and
 * labels that one has alone and the output lacks are summed while it is packed. Everything else
 * walks the space of all labels. */
#include "lib/ir/product.h"
#include "lib/plain/doubles.h"

/* Labels walked together, the last fastest. */
typedef struct space {
    uint32_t count;
    uint8_t label[HET__EINSUM_LABELS];
    int64_t extent[HET__EINSUM_LABELS];
    int64_t size;
} space;

static void space_add(space *s, const het__einsum *sum, uint32_t label)
{
    s->label[s->count] = (uint8_t)label;
    s->extent[s->count++] = sum->extent[label];
    s->size *= sum->extent[label];
}

/* The next point of a space: at counts, and each of n offsets moves by its strides (by label). */
static void space_next(const space *s, int64_t *at, uint32_t n,
                       int64_t (*strides)[HET__EINSUM_LABELS], int64_t *offsets)
{
    for (uint32_t i = s->count; i-- > 0;) {
        const bool wraps = ++at[i] == s->extent[i];
        for (uint32_t k = 0; k < n; k++) {
            const int64_t step = strides[k][s->label[i]];
            offsets[k] += wraps ? -step * (s->extent[i] - 1) : step;
        }
        if (!wraps)
            return;
        at[i] = 0;
    }
}

static bool is_kept(const het__einsum *sum, uint32_t label)
{
    return memchr(sum->out, (int)label, sum->rank) != NULL;
}

/* Strides of the output by label. */
static void output_strides(const het__eval *e, const het__einsum *sum,
                           int64_t strides[HET__EINSUM_LABELS])
{
    int64_t steps[HET_RANK_MAX];
    memset(strides, 0, HET__EINSUM_LABELS * sizeof strides[0]);
    het__tensor_strides(&e->outputs[0], steps);
    for (uint32_t i = 0; i < sum->rank; i++)
        strides[sum->out[i]] = steps[i];
}

/* ---- any operands ---- */

typedef struct general {
    het__eval *e;
    space kept, summed;
    int64_t (*strides)[HET__EINSUM_LABELS]; /* per input */
    int64_t *offsets;
} general;

static double sum_of_reals(general *g, uint32_t inputs)
{
    int64_t at[HET__EINSUM_LABELS] = { 0 };
    double sum = 0;
    for (int64_t i = 0; i < g->summed.size; i++) {
        double product = 1;
        for (uint32_t k = 0; k < inputs; k++)
            product *= het__get_f64(g->e->inputs[k].dtype, g->e->inputs[k].data, g->offsets[k]);
        sum += product;
        space_next(&g->summed, at, inputs, g->strides, g->offsets);
    }
    return sum;
}

static int64_t sum_of_integers(general *g, uint32_t inputs)
{
    int64_t at[HET__EINSUM_LABELS] = { 0 };
    uint64_t sum = 0;
    for (int64_t i = 0; i < g->summed.size; i++) {
        uint64_t product = 1;
        for (uint32_t k = 0; k < inputs; k++)
            product *= (uint64_t)het__get_i64(g->e->inputs[k].dtype, g->e->inputs[k].data,
                                              g->offsets[k]);
        sum += product;
        space_next(&g->summed, at, inputs, g->strides, g->offsets);
    }
    return (int64_t)sum;
}

static het_status run_general(het__eval *e, const het__einsum *sum)
{
    const uint32_t n = e->input_count;
    const het__tensor *out = &e->outputs[0];
    const int64_t count = het__tensor_elements(out);
    general g = { .e = e, .kept.size = 1, .summed.size = 1 };
    int64_t at[HET__EINSUM_LABELS] = { 0 };
    g.strides = het__eval_scratch(e, n, sizeof *g.strides);
    g.offsets = het__eval_scratch(e, n, sizeof *g.offsets);
    if (!g.strides || !g.offsets)
        return het__eval_nomem(e);
    for (uint32_t i = 0; i < n; i++) {
        het__einsum_strides(e, i, g.strides[i]);
        g.offsets[i] = 0;
    }
    for (uint32_t i = 0; i < sum->rank; i++)
        space_add(&g.kept, sum, sum->out[i]);
    for (uint32_t i = 0; i < HET__EINSUM_LABELS; i++)
        if (sum->extent[i] >= 0 && !is_kept(sum, i))
            space_add(&g.summed, sum, i);
    /* A whole walk of the summed space ends where it began, so offsets stay those of the output. */
    for (int64_t i = 0; i < count; i++) {
        if (het__dtype_is_float(out->dtype))
            het__put_f64(out->dtype, out->data, i, sum_of_reals(&g, n));
        else
            het__put_i64(out->dtype, out->data, i, sum_of_integers(&g, n));
        space_next(&g.kept, at, n, g.strides, g.offsets);
    }
    return HET_OK;
}

/* ---- two operands of reals ---- */

typedef struct pair {
    het__eval *e;
    space batch, rows, columns, depth;
    space alone[2]; /* summed while packing */
    /* Of both inputs and the output. */
    int64_t strides[3][HET__EINSUM_LABELS];
    double *packed[2]; /* lines by depth */
    double *scratch;
    int64_t *places; /* of the output's columns */
    int64_t first;   /* of the output's batch at hand */
} pair;

/* An operand's matrix of the batch at hand: [lines, depth] summed over what it has alone. */
static void pack(pair *p, int side, int64_t offset, const space *lines)
{
    const het__tensor *t = &p->e->inputs[side];
    const space *depth = &p->depth, *alone = &p->alone[side];
    int64_t(*strides)[HET__EINSUM_LABELS] = &p->strides[side];
    const bool one_run = depth->count == 1 && alone->count == 0;
    int64_t line_at[HET__EINSUM_LABELS] = { 0 };
    for (int64_t i = 0; i < lines->size; i++, space_next(lines, line_at, 1, strides, &offset)) {
        double *to = p->packed[side] + i * depth->size;
        if (one_run) {
            het__doubles_get(t->dtype, t->data, offset, strides[0][depth->label[0]], depth->size, 0,
                             to);
            continue;
        }
        int64_t depth_at[HET__EINSUM_LABELS] = { 0 };
        for (int64_t k = 0; k < depth->size; k++) {
            int64_t alone_at[HET__EINSUM_LABELS] = { 0 };
            to[k] = 0;
            for (int64_t j = 0; j < alone->size; j++) {
                to[k] += het__get_f64(t->dtype, t->data, offset);
                space_next(alone, alone_at, 1, strides, &offset);
            }
            space_next(depth, depth_at, 1, strides, &offset);
        }
    }
}

static void put_row(void *user, int64_t row, int64_t column, int64_t count, const double *sums)
{
    pair *p = user;
    het__tensor *out = &p->e->outputs[0];
    int64_t place = p->first, rest = row;
    for (uint32_t i = p->rows.count; i-- > 0;) {
        place += rest % p->rows.extent[i] * p->strides[2][p->rows.label[i]];
        rest /= p->rows.extent[i];
    }
    for (int64_t j = 0; j < count; j++)
        het__put_f64(out->dtype, out->data, place + p->places[column + j], sums[j]);
}

static void sort_labels(pair *p, const het__einsum *sum)
{
    space *const spaces[] = { &p->batch, &p->rows, &p->columns, &p->depth, &p->alone[0],
                              &p->alone[1] };
    for (int i = 0; i < 6; i++)
        spaces[i]->size = 1;
    for (uint32_t i = 0; i < HET__EINSUM_LABELS; i++) {
        if (sum->extent[i] < 0)
            continue;
        /* An axis that an operand lacks, or broadcasts, has no stride. */
        const bool a = p->strides[0][i] != 0, b = p->strides[1][i] != 0;
        if (is_kept(sum, i))
            space_add(a == b ? &p->batch : a ? &p->rows : &p->columns, sum, i);
        else
            space_add(a == b ? &p->depth : a ? &p->alone[0] : &p->alone[1], sum, i);
    }
}

static het_status run_pair(het__eval *e, const het__einsum *sum)
{
    pair p = { .e = e };
    int64_t at[HET__EINSUM_LABELS] = { 0 }, offsets[3] = { 0 };
    for (uint32_t i = 0; i < 2; i++)
        het__einsum_strides(e, i, p.strides[i]);
    output_strides(e, sum, p.strides[2]);
    sort_labels(&p, sum);
    const int64_t rows = p.rows.size, columns = p.columns.size, depth = p.depth.size;
    p.packed[0] = het__eval_scratch(e, (size_t)(rows * depth), sizeof(double));
    p.packed[1] = het__eval_scratch(e, (size_t)(columns * depth), sizeof(double));
    p.places = het__eval_scratch(e, (size_t)columns, sizeof *p.places);
    p.scratch = het__eval_scratch(e, HET__PRODUCT_SCRATCH, sizeof *p.scratch);
    if (!p.packed[0] || !p.packed[1] || !p.places || !p.scratch)
        return het__eval_nomem(e);
    for (int64_t j = 0; j < columns; j++, space_next(&p.columns, at, 1, &p.strides[2], offsets))
        p.places[j] = offsets[0];
    const het__operand x = { .dtype = HET_DTYPE_F64, .data = p.packed[0], .line_step = depth,
                             .k_step = 1 };
    const het__operand y = { .dtype = HET_DTYPE_F64, .data = p.packed[1], .line_step = depth,
                             .k_step = 1 };
    memset(at, 0, sizeof at);
    memset(offsets, 0, sizeof offsets);
    for (int64_t i = 0; i < p.batch.size; i++) {
        pack(&p, 0, offsets[0], &p.rows);
        pack(&p, 1, offsets[1], &p.columns);
        p.first = offsets[2];
        het__product_f64(&x, &y, rows, columns, depth, p.scratch, put_row, &p);
        space_next(&p.batch, at, 3, p.strides, offsets);
    }
    return HET_OK;
}

het_status het__plain_einsum(het__eval *e)
{
    het__einsum sum;
    const het_status s = het__einsum_of(e, &sum);
    if (s != HET_OK || het__tensor_elements(&e->outputs[0]) == 0)
        return s;
    bool empty = false;
    for (uint32_t i = 0; i < HET__EINSUM_LABELS; i++)
        empty = empty || sum.extent[i] == 0;
    if (empty) { /* sums of nothing */
        memset(e->outputs[0].data, 0, (size_t)het__tensor_bytes(&e->outputs[0]));
        return HET_OK;
    }
    return e->input_count == 2 && het__dtype_is_float(e->outputs[0].dtype) ? run_pair(e, &sum)
                                                                          : run_general(e, &sum);
}
