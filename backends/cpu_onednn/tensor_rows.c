/* SPDX-License-Identifier: Apache-2.0 */
/* Softmax, and sums and means over neighbouring axes, of F32. A tensor is seen as
 *
 *     [outer][n][inner]     n is taken together
 *
 * A unit of work is a row where nothing stands behind it, else a stretch of neighbouring rows of
 * one outer place; a task is some units. */
#include "backends/cpu_onednn/row_math.h"
#include "backends/cpu_onednn/tensor.h"
#include "backends/cpu_onednn/tensor_eval.h"
#include "lib/base/error.h"
#include "lib/ir/reduce.h"

/* Elements of a task, about: exponentials take longer than sums. */
#define SOFTMAX_ELEMENTS 2048
#define SUM_ELEMENTS 16384
/* Rows of a stretch are a multiple of it: whole vectors, and whole lines of a cache. */
#define STRETCH 32

typedef struct slab_step {
    const het__row_math *math;
    const float *x;
    float *out;
    het__slab slab;
    double divisor;            /* of sums; 0: softmax */
    int64_t stretch, blocks;   /* rows of a stretch; stretches of an outer place */
    int64_t units, per_task;
} slab_step;

static void bind(het__cpu_step *step, const int64_t *symbols)
{
    const slab_step *s = step->data;
    const double elements = (double)s->slab.outer * (double)s->slab.n * (double)s->slab.inner;
    (void)symbols;
    step->tasks = (s->units + s->per_task - 1) / s->per_task;
    /* An exponential takes about as long as three products, an addition in double half of one. */
    step->program->step_macs += s->divisor > 0 ? elements / 2 : 3 * elements;
}

static void run_rows(const slab_step *s, int64_t first, int64_t count)
{
    const float *x = s->x + first * s->slab.n;
    if (s->divisor > 0)
        s->math->sum(x, count, s->slab.n, s->divisor, s->out + first);
    else
        s->math->softmax(x, s->out + first * s->slab.n, count, s->slab.n);
}

static void run_stretch(const slab_step *s, int64_t unit)
{
    const int64_t outer = unit / s->blocks, column = unit % s->blocks * s->stretch;
    const int64_t left = s->slab.inner - column, count = left < s->stretch ? left : s->stretch;
    const int64_t inner = s->slab.inner, at = outer * s->slab.n * inner + column;
    if (s->divisor > 0)
        s->math->sum_across(s->x + at, s->slab.n, inner, count, s->divisor,
                            s->out + outer * inner + column);
    else
        s->math->softmax_across(s->x + at, s->out + at, s->slab.n, inner, count);
}

static void run(const het__cpu_step *step, int64_t task, unsigned char *scratch)
{
    const slab_step *s = step->data;
    const int64_t first = task * s->per_task, left = s->units - first;
    const int64_t count = left < s->per_task ? left : s->per_task;
    (void)scratch;
    if (s->slab.inner == 1)
        run_rows(s, first, count);
    else
        for (int64_t i = first; i < first + count; i++)
            run_stretch(s, i);
}

static void cut(slab_step *s, int64_t elements)
{
    const het__slab *slab = &s->slab;
    const int64_t fit = elements / slab->n / STRETCH * STRETCH;
    s->stretch = slab->inner == 1 ? 1 : fit > STRETCH ? fit : STRETCH;
    s->blocks = (slab->inner + s->stretch - 1) / s->stretch;
    s->units = slab->outer * s->blocks;
    const int64_t rows = s->stretch < slab->inner ? s->stretch : slab->inner;
    s->per_task = elements / slab->n / rows + 1;
    if (slab->inner == 1 && s->per_task > STRETCH)
        s->per_task = s->per_task / STRETCH * STRETCH;
}

/* ---- choosing ---- */

/* Neighbouring axes, those of extent 1 not counted. */
static bool reduced_slab(const het__cpu_eval *eval, het__slab *slab)
{
    const het__tensor *x = &eval->in[0];
    uint32_t mask, first = x->rank, end = 0;
    het_status s = HET_OK;
    if (!het__reduce_axes(&eval->e, &mask, &s) || s != HET_OK)
        return false;
    for (uint32_t i = 0; i < x->rank; i++)
        if ((mask >> i & 1) && x->extent[i] != 1) {
            first = i < first ? i : first;
            end = i + 1;
        }
    for (uint32_t i = first; i < end; i++)
        if (!(mask >> i & 1) && x->extent[i] != 1)
            return false;
    *slab = het__slab_of(x, first, end);
    return first < end;
}

/* Which elements are taken together, and by what their sum is divided (0: softmax); false: this is
 * another operation, or another kernel's. */
static bool slab_of(const het__cpu_eval *eval, het__slab *slab, double *divisor)
{
    const het__tensor *x = &eval->in[0];
    bool fits = false;
    if (x->dtype != HET_DTYPE_F32 || het__tensor_elements(x) == 0)
        return false;
    switch (eval->e.node->op) {
    case HET__OP_T_SOFTMAX:
        *slab = het__softmax_slab(&eval->e);
        *divisor = 0;
        return true;
    case HET__OP_T_REDUCE_SUM:
        fits = reduced_slab(eval, slab);
        *divisor = 1;
        return fits;
    case HET__OP_T_REDUCE_MEAN:
        fits = reduced_slab(eval, slab);
        *divisor = fits ? (double)slab->n : 1;
        return fits;
    case HET__OP_T_GLOBAL_AVERAGE_POOL:
        *slab = het__slab_of(x, 2, x->rank);
        *divisor = (double)slab->n;
        return true;
    default:
        return false;
    }
}

bool het__cpu_rows_fit(const het__graph *g, const het__node *node)
{
    het__cpu_eval eval;
    het__slab slab;
    double divisor;
    const bool fits = node->input_count > 0 && het__cpu_eval_init(&eval, g, node) &&
                      slab_of(&eval, &slab, &divisor);
    if (node->input_count > 0)
        het__cpu_eval_finish(&eval);
    return fits;
}

het_status het__cpu_build_rows_of_graph(het__cpu_build *build, const het__node *node)
{
    het__cpu_eval eval;
    het__cpu_step *step = het__cpu_add_step(build, sizeof(slab_step));
    if (!step)
        return HET_E_NOMEM;
    slab_step *s = step->data;
    s->math = het__row_math_for(build->device->level->name);
    het__cpu_eval_init(&eval, build->slice->graph, node);
    const bool fits = slab_of(&eval, &s->slab, &s->divisor);
    het__cpu_eval_finish(&eval);
    if (!fits)
        return het__fail(build->err, HET_E_INTERNAL, "%s does not fit", node->name);
    const het_status status = het__cpu_vector_get(build, node->inputs[0], &s->x);
    if (status != HET_OK)
        return status;
    het__cpu_place(build, node->outputs[0], &s->out);
    cut(s, s->divisor > 0 ? SUM_ELEMENTS : SOFTMAX_ELEMENTS);
    step->bind = bind;
    step->task = run;
    return HET_OK;
}
