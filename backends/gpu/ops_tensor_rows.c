/* SPDX-License-Identifier: Apache-2.0 */
/* Tensor operations along axes: softmax, sums and their like, norms. */
#include "backends/gpu/tensor.h"
#include "lib/ir/reduce.h"

#define ROW_ITEMS 64

het__gpu_start *het__gpu_add_rows(het__gpu_recipe *t, const char *name, const char *macro,
                                  int64_t rows, int64_t n)
{
    const het__gpu_facts *facts = t->starts.facts;
    size_t items = 1; /* processors run the items of a group one after the other */
    while (!facts->is_cpu && items < ROW_ITEMS && items < facts->group_max && (int64_t)items < n)
        items *= 2;
    het__gpu_start *s = het__gpu_starts_add(&t->starts, "tensor_rows", name);
    het__gpu_start_option(s, "-D%s -DROW_ITEMS=%zu", macro, items);
    het__gpu_start_groups(s, (int64_t)items, rows, 1, items, 1);
    s->dimensions = 2;
    return s;
}

static void put_slab(het__gpu_start *s, const het__slab *slab)
{
    const int32_t sizes[4] = { (int32_t)(slab->outer * slab->inner), (int32_t)slab->n,
                               (int32_t)slab->inner, 0 };
    het__gpu_put_output(s, 0, 0);
    het__gpu_put_input(s, 0, 0);
    het__gpu_put_ints(s, 4, sizes);
}

/* But for the axes of a reduction. */
static bool is_f32(het__gpu_recipe *t)
{
    for (uint32_t i = 0; i < t->e.input_count; i++) {
        const het__tensor *x = het__eval_input(&t->e, i);
        const bool is_axes = i == 1 && x && x->dtype == HET_DTYPE_I64;
        if (x && x->dtype != HET_DTYPE_F32 && !is_axes)
            return het__gpu_refuse(t, "%s of %s", het__node_operation(t->e.node),
                                   het_dtype_name(x->dtype));
    }
    return true;
}

bool het__gpu_build_softmax(het__gpu_recipe *t)
{
    if (!is_f32(t))
        return false;
    const het__slab slab = het__softmax_slab(&t->e);
    het__gpu_start *s =
        het__gpu_add_rows(t, "softmax", "SOFTMAX", slab.outer * slab.inner, slab.n);
    het__gpu_start_option(s, " -DLOGARITHM=%d", t->e.node->op == HET__OP_T_LOG_SOFTMAX);
    put_slab(s, &slab);
    return true;
}

/* ---- reductions ---- */

/* Macros of kernels/tensor_rows.cl. */
typedef struct reduction {
    het__op op;
    const char *take, *fold, *start, *finish;
} reduction;

static const reduction reductions[] = {
    { HET__OP_T_REDUCE_L1, "ABSOLUTE", "ADD", "0.0f", "SAME" },
    { HET__OP_T_REDUCE_L2, "SQUARE", "ADD", "0.0f", "ROOT" },
    { HET__OP_T_REDUCE_LOG_SUM, "PLAIN", "ADD", "0.0f", "LOG" },
    { HET__OP_T_REDUCE_MAX, "PLAIN", "GREATER", "-INFINITY", "SAME" },
    { HET__OP_T_REDUCE_MEAN, "PLAIN", "ADD", "0.0f", "MEAN" },
    { HET__OP_T_REDUCE_MIN, "PLAIN", "LESSER", "INFINITY", "SAME" },
    { HET__OP_T_REDUCE_PROD, "PLAIN", "MULTIPLY", "1.0f", "SAME" },
    { HET__OP_T_REDUCE_SUM, "PLAIN", "ADD", "0.0f", "SAME" },
    { HET__OP_T_REDUCE_SUM_SQUARE, "SQUARE", "ADD", "0.0f", "SAME" },
    { HET__OP_T_GLOBAL_AVERAGE_POOL, "PLAIN", "ADD", "0.0f", "MEAN" },
    { HET__OP_T_GLOBAL_MAX_POOL, "PLAIN", "GREATER", "-INFINITY", "SAME" },
};

static bool add_reduction(het__gpu_recipe *t, const het__slab *slab)
{
    for (size_t i = 0; i < sizeof reductions / sizeof reductions[0]; i++) {
        const reduction *r = &reductions[i];
        if (r->op != t->e.node->op)
            continue;
        het__gpu_start *s =
            het__gpu_add_rows(t, "reduce", "REDUCE", slab->outer * slab->inner, slab->n);
        het__gpu_start_option(s, " -DTAKE=%s -DFOLD=%s -DSTART=%s -DFINISH=%s", r->take, r->fold,
                              r->start, r->finish);
        put_slab(s, slab);
        return true;
    }
    return het__gpu_refuse(t, "no kernel for %s", het__node_operation(t->e.node));
}

/* Axes that go must be neighbours, but for those with one place. */
static bool slab_of(const het__tensor *x, uint32_t mask, het__slab *slab)
{
    uint32_t first = x->rank, last = x->rank;
    for (uint32_t i = 0; i < x->rank; i++) {
        if (!(mask >> i & 1) || x->extent[i] == 1)
            continue;
        first = first < x->rank ? first : i;
        last = i + 1;
    }
    for (uint32_t i = first; i < last; i++)
        if (!(mask >> i & 1) && x->extent[i] != 1)
            return false;
    *slab = het__slab_of(x, first, last);
    return true;
}

bool het__gpu_build_reduce(het__gpu_recipe *t)
{
    uint32_t mask;
    het_status status = HET_OK;
    het__slab slab;
    if (!is_f32(t))
        return false;
    if (!het__reduce_axes(&t->e, &mask, &status))
        return het__gpu_refuse(t, "the axes are not constant");
    if (!het__gpu_went(t, status))
        return false;
    return slab_of(&t->inputs[0], mask, &slab) ? add_reduction(t, &slab)
                                               : het__gpu_refuse(t, "axes that are not neighbours");
}

bool het__gpu_build_global_pool(het__gpu_recipe *t)
{
    const het__tensor *x = &t->inputs[0];
    const het__slab slab = het__slab_of(x, 2, x->rank);
    return is_f32(t) && add_reduction(t, &slab);
}

/* ---- norms ---- */

/* Scale and offset of element i of row r: number r % groups * per_group + i / area. */
static bool add_norm(het__gpu_recipe *t, const het__slab *rows, int64_t groups, int64_t per_group,
                     int64_t area, bool keeps_mean)
{
    const bool has_offset = het__eval_input(&t->e, 2) != NULL;
    const int32_t sizes[4] = { (int32_t)rows->outer, (int32_t)rows->n, (int32_t)groups,
                               (int32_t)per_group };
    const int32_t how[4] = { (int32_t)area, has_offset, keeps_mean, 0 };
    het__gpu_start *s = het__gpu_add_rows(t, "norm", "NORM", rows->outer, rows->n);
    het__gpu_put_output(s, 0, 0);
    het__gpu_put_input(s, 0, 0);
    het__gpu_put_input(s, 1, 0);
    het__gpu_put_input(s, has_offset ? 2 : 1, 0);
    het__gpu_put_ints(s, 4, sizes);
    het__gpu_put_ints(s, 4, how);
    het__gpu_put_float(s, het__attr_float(t->e.attrs, "epsilon", 1e-5f));
    return true;
}

bool het__gpu_build_layer_norm(het__gpu_recipe *t)
{
    const het__tensor *x = &t->inputs[0];
    const int64_t axis = het__layer_norm_axis(&t->e);
    if (!is_f32(t))
        return false;
    if (t->e.output_count > 1 || axis < 0)
        return het__gpu_refuse(t, "the statistics are outputs");
    for (uint32_t i = 1; i < t->e.input_count; i++)
        if (het__eval_input(&t->e, i) && !het__tensor_is_row(&t->inputs[i], x, (uint32_t)axis))
            return het__gpu_refuse(t, "scales that differ from row to row");
    const het__slab rows = het__slab_of(x, (uint32_t)axis, x->rank);
    return add_norm(t, &rows, 1, rows.n, 1, t->e.node->op == HET__OP_T_RMS_NORMALIZATION);
}

bool het__gpu_build_group_norm(het__gpu_recipe *t)
{
    const het__tensor *x = &t->inputs[0];
    if (!is_f32(t))
        return false;
    const het__slab rows = het__group_slab(&t->e);
    const int64_t area = het__tensor_span(x, 2, x->rank), groups = rows.outer / x->extent[0];
    return het__group_scales_groups(&t->e)
               ? add_norm(t, &rows, groups, 1, rows.n, false)
               : add_norm(t, &rows, groups, rows.n / area, area, false);
}
