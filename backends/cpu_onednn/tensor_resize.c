/* SPDX-License-Identifier: Apache-2.0 */
/* Resize and Upsample of F32 along one axis or two that are neighbours, by elements that are
 * nearest, linear or cubic. The input is seen as
 *
 *     [outer][rows][columns][unit]     rows and columns are resized
 *
 * Which elements make an output element, and their weights, are tables made once. A task makes a
 * stretch of rows: those of the input that it needs are resized along their columns first, each
 * once, then combined. */
#include <math.h>
#include <string.h>

#include "backends/cpu_onednn/resize_math.h"
#include "backends/cpu_onednn/tensor.h"
#include "backends/cpu_onednn/tensor_eval.h"
#include "lib/base/error.h"
#include "lib/plain/resize.h"

/* Elements of a task, about. */
#define TASK_ELEMENTS 16384
/* Images with rows so short, and no larger than that, are moved as one row. */
#define SHORT_ROW 64
#define SHORT_IMAGE 4096

typedef struct resize_step {
    const het__resize_math *math;
    const float *x;
    float *out;
    het__resize_line rows, columns; /* index NULL: as many as before, each as it is */
    int64_t outer, unit;
    int64_t in_row, out_row;        /* elements */
    int64_t per_task;               /* rows */
} resize_step;

static void bind(het__cpu_step *step, const int64_t *symbols)
{
    resize_step *s = step->data;
    const int64_t rows = s->outer * s->rows.out;
    (void)symbols;
    s->per_task = TASK_ELEMENTS / s->out_row + 1;
    step->tasks = (rows + s->per_task - 1) / s->per_task;
    step->program->step_macs += (double)rows * (double)s->out_row;
}

/* Rows that were resized along their columns: row number at lies in place at % width. */
typedef struct kept_rows {
    int64_t number[HET__RESIZE_WIDTH_MAX];
    float *row[HET__RESIZE_WIDTH_MAX];
} kept_rows;

/* Row number at of an image, with its columns resized. */
static const float *widened(const resize_step *s, const float *image, int64_t at, kept_rows *kept)
{
    if (!s->columns.index)
        return image + at * s->in_row;
    const int64_t place = at % s->rows.width;
    if (kept->number[place] != at) {
        s->math->along(&s->columns, s->unit, image + at * s->in_row, kept->row[place]);
        kept->number[place] = at;
    }
    return kept->row[place];
}

/* Rows [first, end) of an image that are copies of rows of the input, with columns resized. */
static void copy_rows(const resize_step *s, const float *image, int64_t first, int64_t end,
                      float *to)
{
    int64_t before = -1;
    for (int64_t o = first; o < end; o++, to += s->out_row) {
        const int64_t at = s->rows.index ? s->rows.index[o] : o;
        if (at == before)
            memcpy(to, to - s->out_row, (size_t)s->out_row * sizeof *to);
        else if (s->columns.index)
            s->math->along(&s->columns, s->unit, image + at * s->in_row, to);
        else
            memcpy(to, image + at * s->in_row, (size_t)s->out_row * sizeof *to);
        before = at;
    }
}

/* The same where a row is made of several. */
static void combine_rows(const resize_step *s, const float *image, int64_t first, int64_t end,
                         float *scratch, float *to)
{
    const int64_t width = s->rows.width;
    kept_rows kept;
    for (int64_t k = 0; k < width; k++) {
        kept.number[k] = -1;
        kept.row[k] = scratch + k * s->out_row;
    }
    for (int64_t o = first; o < end; o++, to += s->out_row) {
        const float *rows[HET__RESIZE_WIDTH_MAX];
        for (int64_t k = 0; k < width; k++)
            rows[k] = widened(s, image, s->rows.index[o * width + k], &kept);
        s->math->across(rows, s->rows.weight + o * width, width, s->out_row, to);
    }
}

/* A stretch of rows of all images. */
static void run(const het__cpu_step *step, int64_t task, unsigned char *scratch)
{
    const resize_step *s = step->data;
    const int64_t all = s->outer * s->rows.out, last = (task + 1) * s->per_task;
    const int64_t stop = last < all ? last : all;
    for (int64_t row = task * s->per_task; row < stop;) {
        const int64_t image = row / s->rows.out, first = row - image * s->rows.out;
        const int64_t rest = s->rows.out - first, count = rest < stop - row ? rest : stop - row;
        const float *x = s->x + image * s->rows.in * s->in_row;
        float *to = s->out + row * s->out_row;
        if (s->rows.weight)
            combine_rows(s, x, first, first + count, (float *)(void *)scratch, to);
        else
            copy_rows(s, x, first, first + count, to);
        row += count;
    }
}

/* ---- building ---- */

static bool is_resized(const het__resize *r, const het__tensor *x, uint32_t axis)
{
    return r->extent[axis] != x->extent[axis] || fabs(r->scale[axis] - 1) > 1e-9;
}

/* The axes that are resized: *count from *first on. false: it is not done here. */
static bool axes_of(het__cpu_eval *eval, het__resize *r, uint32_t *first, uint32_t *count)
{
    const het__tensor *x = &eval->in[0], *out = &eval->out[0];
    bool known;
    *count = 0;
    if (het__resize_of(&eval->e, x, r, &known) != HET_OK || !known || r->antialias ||
        r->transform == HET__RESIZE_TF_CROP || het__tensor_elements(out) == 0 ||
        het__tensor_elements(x) == 0)
        return false;
    for (uint32_t i = 0; i < x->rank; i++) {
        if (r->extent[i] != out->extent[i] || x->extent[i] > INT32_MAX)
            return false;
        if (!is_resized(r, x, i))
            continue;
        *first = *count ? *first : i;
        *count = i + 1 - *first;
    }
    return *count == 1 || *count == 2;
}

bool het__cpu_resize_fits(const het__graph *g, const het__node *node)
{
    het__cpu_eval eval;
    het__resize r;
    uint32_t first, count;
    if (node->op != HET__OP_T_RESIZE && node->op != HET__OP_T_UPSAMPLE)
        return false;
    const bool fits = g->values[node->inputs[0]].dtype == HET_DTYPE_F32 &&
                      het__cpu_eval_init(&eval, g, node) && axes_of(&eval, &r, &first, &count);
    if (g->values[node->inputs[0]].dtype == HET_DTYPE_F32)
        het__cpu_eval_finish(&eval);
    return fits;
}

static het_status line_of(het__cpu_build *build, het__cpu_eval *eval, const het__resize *r,
                          uint32_t axis, het__resize_line *line)
{
    het__taps taps;
    const het_status s = het__taps_of(&eval->e, r, axis, eval->in[0].extent[axis], &taps);
    if (s != HET_OK)
        return het__fail(build->err, s, "%s", eval->err.message);
    const int64_t count = taps.out * taps.width;
    het__arena *arena = &build->program->arena;
    int32_t *index = het__arena_zero(arena, (size_t)count, sizeof *index);
    float *weight = taps.weight ? het__arena_zero(arena, (size_t)count, sizeof *weight) : NULL;
    if (!index || (taps.weight && !weight))
        return het__fail_nomem(build->err, eval->e.node->name);
    for (int64_t i = 0; i < count; i++)
        index[i] = (int32_t)taps.index[i];
    for (int64_t i = 0; taps.weight && i < count; i++)
        weight[i] = (float)taps.weight[i];
    *line = (het__resize_line){ taps.in, taps.out, taps.width, index, weight };
    return HET_OK;
}

/* Elements that only move, of short rows: the rows of an image become one. */
static het_status join_rows(het__cpu_build *build, const het__node *node, resize_step *s)
{
    const het__resize_line *rows = &s->rows, *columns = &s->columns;
    if (!rows->index || rows->weight || !columns->index || columns->weight ||
        columns->out > SHORT_ROW || rows->out > SHORT_IMAGE / columns->out ||
        rows->in > INT32_MAX / columns->in)
        return HET_OK;
    const int64_t count = rows->out * columns->out;
    int32_t *index = het__arena_zero(&build->program->arena, (size_t)count, sizeof *index);
    if (!index)
        return het__fail_nomem(build->err, node->name);
    for (int64_t i = 0; i < count; i++)
        index[i] = (int32_t)(rows->index[i / columns->out] * columns->in +
                             columns->index[i % columns->out]);
    s->columns = (het__resize_line){ rows->in * columns->in, count, 1, index, NULL };
    s->rows = (het__resize_line){ s->outer, s->outer, 1, NULL, NULL };
    s->outer = 1;
    return HET_OK;
}

/* One axis with nothing behind it are the columns of rows that stay; else it is the rows. */
static het_status lines_of(het__cpu_build *build, het__cpu_eval *eval, resize_step *s)
{
    const het__tensor *x = &eval->in[0];
    het__resize r;
    uint32_t first, count;
    if (!axes_of(eval, &r, &first, &count))
        return het__fail(build->err, HET_E_INTERNAL, "%s does not fit", eval->e.node->name);
    const int64_t before = het__tensor_span(x, 0, first);
    const int64_t behind = het__tensor_span(x, first + count, x->rank);
    const bool has_columns = count == 2 || behind == 1, has_rows = count == 2 || !has_columns;
    het_status status = HET_OK;
    s->outer = has_rows ? before : 1;
    s->unit = has_columns ? behind : 1;
    s->rows = (het__resize_line){ before, before, 1, NULL, NULL };
    s->columns = (het__resize_line){ behind, behind, 1, NULL, NULL };
    if (has_rows)
        status = line_of(build, eval, &r, first, &s->rows);
    if (status == HET_OK && has_columns)
        status = line_of(build, eval, &r, first + count - 1, &s->columns);
    if (status == HET_OK)
        status = join_rows(build, eval->e.node, s);
    s->in_row = s->columns.in * s->unit;
    s->out_row = s->columns.out * s->unit;
    return status;
}

het_status het__cpu_build_resize(het__cpu_build *build, const het__node *node)
{
    het__cpu_eval eval;
    het__cpu_step *step = het__cpu_add_step(build, sizeof(resize_step));
    if (!step)
        return HET_E_NOMEM;
    resize_step *s = step->data;
    s->math = het__resize_math_for(build->device->level->name);
    het__cpu_eval_init(&eval, build->slice->graph, node);
    het_status status = lines_of(build, &eval, s);
    het__cpu_eval_finish(&eval);
    if (status == HET_OK)
        status = het__cpu_vector_get(build, node->inputs[0], &s->x);
    if (status != HET_OK)
        return status;
    het__cpu_place(build, node->outputs[0], &s->out);
    if (s->rows.weight && s->columns.index)
        het__cpu_need_worker(build, (size_t)(s->rows.width * s->out_row) * sizeof(float));
    step->bind = bind;
    step->task = run;
    return HET_OK;
}
