/* SPDX-License-Identifier: Apache-2.0 */
/* Tensor operations in F32 that have kernels of their own here: element by element with
 * broadcasting, norms over the last extent, products of two activations; what moves, rows, resizing
 * and recurrent layers have files of their own (tensor.h). The others run by their plain kernels
 * (plain.c). */
#include "backends/cpu_onednn/tensor.h"

#include <string.h>

#include "backends/cpu_onednn/image_math.h"
#include "backends/cpu_onednn/tensor_math.h"
#include "lib/base/error.h"

/* Elements of a task: long enough to be worth taking, short enough for a first-level cache. */
#define TASK_ELEMENTS 8192
/* Rows of a task of a product. */
#define TASK_ROWS 48

/* What the program's decision whether threads are worth waking goes by: about one product's time
 * for four elements. */
static void note_elements(het__cpu_step *step, double elements)
{
    step->program->step_macs += elements / 4;
}

static bool is_f32(const het__graph *g, uint32_t value)
{
    return value != HET__NO_VALUE && g->values[value].dtype == HET_DTYPE_F32;
}

/* Where an F32 operand lies; a constant where the graph has it, or where it was copied to. */
static het_status operand(het__cpu_build *build, uint32_t value, const float **field)
{
    const het__value *v = &build->slice->graph->values[value];
    if (!het__cpu_lies_askew(v)) {
        if (v->kind == HET__VALUE_CONST)
            *field = v->data;
        else
            het__cpu_place(build, value, field);
        return HET_OK;
    }
    return het__cpu_vector_get(build, value, field);
}

static het_status operands(het__cpu_build *build, const het__node *node, const float **a,
                           const float **b)
{
    const het_status s = operand(build, node->inputs[0], a);
    return s == HET_OK ? operand(build, node->inputs[1], b) : s;
}

static int64_t extent_of(const het__value *v, uint32_t axis)
{
    return v->extent[axis].count;
}

static int64_t elements_of(const het__value *v)
{
    int64_t n = 1;
    for (uint32_t i = 0; i < v->rank; i++)
        n *= extent_of(v, i);
    return n;
}

/* ---- two operands ---- */

/* Extents merged as far as both operands run on: the last one is a run of elements. */
typedef struct binary_step {
    const het__tensor_math *math;
    het__binary op;
    const float *a, *b;
    float *out;
    uint32_t rank; /* of what is left before the run */
    int64_t extent[HET_RANK_MAX], a_step[HET_RANK_MAX], b_step[HET_RANK_MAX];
    int64_t run;   /* elements */
    bool a_one, b_one;
    int64_t rows, rows_per_task, pieces; /* pieces of a run, where it is long */
} binary_step;

/* Before opset 7 an attribute says where the second operand's extents stand. */
static bool binary_of(const het__node *node, het__binary *kind)
{
    if (node->input_count != 2 || node->attrs.tensor.opset < 7)
        return false;
    switch (node->op) {
    case HET__OP_T_ADD: *kind = HET__BINARY_ADD; return true;
    case HET__OP_T_SUB: *kind = HET__BINARY_SUB; return true;
    case HET__OP_T_MUL: *kind = HET__BINARY_MUL; return true;
    case HET__OP_T_DIV: *kind = HET__BINARY_DIV; return true;
    case HET__OP_T_SUM: *kind = HET__BINARY_ADD; return true;
    default: return false;
    }
}

static int64_t broadcast_step(const het__value *v, uint32_t rank, uint32_t axis, int64_t step)
{
    return axis + v->rank < rank || extent_of(v, axis + v->rank - rank) == 1 ? 0 : step;
}

static void merge_extents(binary_step *s, const het__value *a, const het__value *b,
                          const het__value *out)
{
    int64_t a_size = 1, b_size = 1;
    s->rank = 0;
    /* From the last axis backwards: an axis joins the one behind it if both operands go on. */
    for (uint32_t axis = out->rank; axis-- > 0;) {
        const int64_t n = extent_of(out, axis);
        const int64_t as = broadcast_step(a, out->rank, axis, a_size);
        const int64_t bs = broadcast_step(b, out->rank, axis, b_size);
        if (n == 1)
            continue;
        const uint32_t last = s->rank - 1;
        if (s->rank > 0 && as == s->a_step[last] * s->extent[last] &&
            bs == s->b_step[last] * s->extent[last]) {
            s->extent[last] *= n;
        } else {
            s->extent[s->rank] = n;
            s->a_step[s->rank] = as;
            s->b_step[s->rank++] = bs;
        }
        a_size *= as ? n : 1;
        b_size *= bs ? n : 1;
    }
}

static void binary_bind(het__cpu_step *step, const int64_t *symbols)
{
    binary_step *s = step->data;
    (void)symbols;
    s->rows = 1;
    for (uint32_t i = 1; i < s->rank; i++)
        s->rows *= s->extent[i];
    s->pieces = (s->run + TASK_ELEMENTS - 1) / TASK_ELEMENTS;
    s->rows_per_task = s->pieces > 1 ? 1 : TASK_ELEMENTS / (s->run > 0 ? s->run : 1) + 1;
    step->tasks = (s->rows + s->rows_per_task - 1) / s->rows_per_task * s->pieces;
    note_elements(step, (double)s->rows * (double)s->run);
}

/* Rows that follow one another along the axis before the run; of a part of the run. */
static void binary_rows(const binary_step *s, int64_t row, int64_t rows, int64_t first,
                        int64_t count)
{
    int64_t rest = row, a = 0, b = 0;
    for (uint32_t i = 1; i < s->rank; i++) {
        const int64_t at = rest % s->extent[i];
        rest /= s->extent[i];
        a += at * s->a_step[i];
        b += at * s->b_step[i];
    }
    const het__binary_job job = {
        .a = s->a + a + (s->a_one ? 0 : first), .b = s->b + b + (s->b_one ? 0 : first),
        .out = s->out + row * s->run + first, .a_one = s->a_one, .b_one = s->b_one,
        .run = count, .rows = rows, .a_step = s->a_step[1], .b_step = s->b_step[1],
    };
    s->math->binary(s->op, &job);
}

static void binary_task(const het__cpu_step *step, int64_t task, unsigned char *scratch)
{
    const binary_step *s = step->data;
    (void)scratch;
    if (s->pieces > 1) {
        const int64_t first = task % s->pieces * TASK_ELEMENTS;
        const int64_t left = s->run - first;
        binary_rows(s, task / s->pieces, 1, first, left < TASK_ELEMENTS ? left : TASK_ELEMENTS);
        return;
    }
    const int64_t last = (task + 1) * s->rows_per_task, end = last < s->rows ? last : s->rows;
    const int64_t line = s->rank > 1 ? s->extent[1] : 1;
    for (int64_t r = task * s->rows_per_task; r < end;) {
        const int64_t left = line - r % line, rows = left < end - r ? left : end - r;
        binary_rows(s, r, rows, 0, s->run);
        r += rows;
    }
}

static het_status build_binary(het__cpu_build *build, const het__node *node, het__binary op)
{
    const het__value *values = build->slice->graph->values;
    het__cpu_step *step = het__cpu_add_step(build, sizeof(binary_step));
    if (!step)
        return HET_E_NOMEM;
    binary_step *s = step->data;
    s->math = het__tensor_math_for(build->device->level->name);
    s->op = op;
    const het_status status = operands(build, node, &s->a, &s->b);
    if (status != HET_OK)
        return status;
    het__cpu_place(build, node->outputs[0], &s->out);
    merge_extents(s, &values[node->inputs[0]], &values[node->inputs[1]],
                  &values[node->outputs[0]]);
    if (s->rank == 0) { /* one element */
        s->rank = 1;
        s->extent[0] = elements_of(&values[node->outputs[0]]);
    }
    s->run = s->extent[0];
    s->a_one = s->a_step[0] == 0;
    s->b_one = s->b_step[0] == 0;
    step->bind = binary_bind;
    step->task = binary_task;
    return HET_OK;
}

/* ---- one operand ---- */

typedef struct unary_step {
    const het__image_math *math;
    het__act act;
    const float *x;
    float *out;
    int64_t count;
} unary_step;

static bool act_of(const het__node *node, het__act *act)
{
    const het__attr_list *list = &node->attrs.tensor;
    switch (node->op) {
    case HET__OP_T_RELU:
        *act = (het__act){ HET__ACT_RELU, 0, 0 };
        return true;
    case HET__OP_T_LEAKY_RELU:
        *act = (het__act){ HET__ACT_LEAKY_RELU, het__attr_float(list, "alpha", 0.01f), 0 };
        return true;
    case HET__OP_T_SIGMOID:
        *act = (het__act){ HET__ACT_SIGMOID, 0, 0 };
        return true;
    case HET__OP_T_TANH:
        *act = (het__act){ HET__ACT_TANH, 0, 0 };
        return true;
    case HET__OP_T_SWISH:
        *act = (het__act){ HET__ACT_SWISH, het__attr_float(list, "alpha", 1), 0 };
        return true;
    case HET__OP_T_HARD_SIGMOID:
        *act = (het__act){ HET__ACT_HARD_SIGMOID, het__attr_float(list, "alpha", 0.2f),
                           het__attr_float(list, "beta", 0.5f) };
        return true;
    case HET__OP_T_HARD_SWISH:
        *act = (het__act){ HET__ACT_HARD_SWISH, 0, 0 };
        return true;
    case HET__OP_T_GELU:
        act->kind = strcmp(het__attr_string(list, "approximate", "none"), "tanh") == 0
                        ? HET__ACT_GELU_TANH : HET__ACT_GELU_ERF;
        return true;
    default:
        return false;
    }
}

static void unary_bind(het__cpu_step *step, const int64_t *symbols)
{
    const unary_step *s = step->data;
    (void)symbols;
    step->tasks = (s->count + TASK_ELEMENTS - 1) / TASK_ELEMENTS;
    note_elements(step, 4 * (double)s->count);
}

static void unary_task(const het__cpu_step *step, int64_t task, unsigned char *scratch)
{
    const unary_step *s = step->data;
    const int64_t first = task * TASK_ELEMENTS, left = s->count - first;
    const int64_t count = left < TASK_ELEMENTS ? left : TASK_ELEMENTS;
    (void)scratch;
    memmove(s->out + first, s->x + first, (size_t)count * sizeof *s->out);
    s->math->act(&s->act, s->out + first, count);
}

static het_status build_unary(het__cpu_build *build, const het__node *node, het__act act)
{
    het__cpu_step *step = het__cpu_add_step(build, sizeof(unary_step));
    if (!step)
        return HET_E_NOMEM;
    unary_step *s = step->data;
    s->math = het__image_math_for(build->device->level->name);
    s->act = act;
    const het_status status = operand(build, node->inputs[0], &s->x);
    if (status != HET_OK)
        return status;
    het__cpu_place(build, node->outputs[0], &s->out);
    s->count = elements_of(&build->slice->graph->values[node->outputs[0]]);
    step->bind = unary_bind;
    step->task = unary_task;
    return HET_OK;
}

/* ---- rows: norms over the last extent ---- */

typedef struct rows_step {
    const float *x;
    float *out;
    int64_t rows, columns, per_task;
    het__cpu_norm norm;
} rows_step;

static void rows_bind(het__cpu_step *step, const int64_t *symbols)
{
    rows_step *s = step->data;
    (void)symbols;
    s->per_task = TASK_ELEMENTS / (s->columns > 0 ? s->columns : 1) + 1;
    step->tasks = (s->rows + s->per_task - 1) / s->per_task;
    note_elements(step, 4 * (double)s->rows * (double)s->columns);
}

static void rows_task(const het__cpu_step *step, int64_t task, unsigned char *scratch)
{
    const rows_step *s = step->data;
    const het__cpu_level *level = step->program->device->level;
    const int64_t end = (task + 1) * s->per_task;
    (void)scratch;
    for (int64_t r = task * s->per_task; r < end && r < s->rows; r++) {
        const float *x = s->x + r * s->columns;
        het__cpu_norm_row(level, &s->norm, x, s->out + r * s->columns, s->columns);
    }
}

static bool is_last(const het__node *node, const het__value *v, int64_t absent)
{
    const int64_t axis = het__attr_int(&node->attrs.tensor, "axis", absent);
    return axis == -1 || axis == (int64_t)v->rank - 1;
}

static bool is_row_norm(const het__graph *g, const het__node *node)
{
    if (node->op != HET__OP_T_LAYER_NORMALIZATION && node->op != HET__OP_T_RMS_NORMALIZATION)
        return false;
    const het__value *x = &g->values[node->inputs[0]];
    if (node->output_count != 1 || x->rank == 0 || !is_last(node, x, -1))
        return false;
    for (uint32_t i = 1; i < node->input_count; i++) {
        if (node->inputs[i] == HET__NO_VALUE)
            continue;
        const het__value *v = &g->values[node->inputs[i]];
        if (!is_f32(g, node->inputs[i]) || v->kind != HET__VALUE_CONST || v->rank != 1 ||
            extent_of(v, 0) != extent_of(x, x->rank - 1))
            return false;
    }
    return true;
}

static het_status build_rows(het__cpu_build *build, const het__node *node)
{
    const het__value *x = &build->slice->graph->values[node->inputs[0]];
    het__cpu_step *step = het__cpu_add_step(build, sizeof(rows_step));
    if (!step)
        return HET_E_NOMEM;
    rows_step *s = step->data;
    het_status status = operand(build, node->inputs[0], &s->x);
    if (status != HET_OK)
        return status;
    het__cpu_place(build, node->outputs[0], &s->out);
    s->columns = extent_of(x, x->rank - 1);
    s->rows = s->columns > 0 ? elements_of(x) / s->columns : 0;
    step->bind = rows_bind;
    step->task = rows_task;
    s->norm.group = s->columns;
    s->norm.eps = het__attr_float(&node->attrs.tensor, "epsilon", 1e-5f);
    s->norm.kind =
        node->op == HET__OP_T_LAYER_NORMALIZATION ? HET__NORM_LAYER : HET__NORM_RMS;
    status = het__cpu_vector_get(build, node->inputs[1], &s->norm.weight);
    if (status == HET_OK && node->input_count > 2)
        status = het__cpu_vector_get(build, node->inputs[2], &s->norm.bias);
    return status;
}

/* ---- products of two activations ---- */

typedef struct product_step {
    const het__tensor_math *math;
    const float *a, *b;
    float *out;
    uint32_t batch_rank;
    int64_t batch[HET_RANK_MAX], a_step[HET_RANK_MAX], b_step[HET_RANK_MAX];
    int64_t matrices, m, k, n, row_cuts, panels;
} product_step;

static void product_bind(het__cpu_step *step, const int64_t *symbols)
{
    product_step *s = step->data;
    (void)symbols;
    s->row_cuts = (s->m + TASK_ROWS - 1) / TASK_ROWS;
    s->panels = (s->n + s->math->panel - 1) / s->math->panel;
    step->tasks = s->matrices * s->row_cuts;
    step->program->step_macs += (double)s->matrices * (double)s->m * (double)s->n * (double)s->k;
}

/* A stretch of rows of one matrix: panels of b are packed by every task for itself. */
static void product_task(const het__cpu_step *step, int64_t task, unsigned char *scratch)
{
    const product_step *s = step->data;
    const int64_t matrix = task / s->row_cuts, row = task % s->row_cuts * TASK_ROWS;
    const int64_t rows = s->m - row < TASK_ROWS ? s->m - row : TASK_ROWS;
    float *packed = (float *)(void *)scratch;
    int64_t rest = matrix, a = 0, b = 0;
    for (uint32_t i = s->batch_rank; i-- > 0;) {
        a += rest % s->batch[i] * s->a_step[i];
        b += rest % s->batch[i] * s->b_step[i];
        rest /= s->batch[i];
    }
    float *out = s->out + (matrix * s->m + row) * s->n;
    for (int64_t p = 0; p < s->panels; p++) {
        const int64_t n = p * s->math->panel, left = s->n - n;
        const int64_t columns = left < s->math->panel ? left : s->math->panel;
        for (int64_t k = 0; k < s->k; k += HET__PANEL_DEPTH) {
            const int64_t depth = s->k - k < HET__PANEL_DEPTH ? s->k - k : HET__PANEL_DEPTH;
            s->math->pack(s->b + b + k * s->n + n, s->n, 1, depth, columns, packed);
            s->math->product(s->a + a + row * s->k + k, s->k, packed, depth, rows, columns, k > 0,
                             out + n, s->n);
        }
    }
}

static bool is_product(const het__graph *g, const het__node *node)
{
    const het__value *a = &g->values[node->inputs[0]], *b = &g->values[node->inputs[1]];
    return node->op == HET__OP_T_MAT_MUL && a->rank >= 2 && b->rank >= 2 &&
           extent_of(a, a->rank - 1) > 0;
}

static het_status build_product(het__cpu_build *build, const het__node *node)
{
    const het__value *values = build->slice->graph->values;
    const het__value *a = &values[node->inputs[0]], *b = &values[node->inputs[1]];
    const het__value *out = &values[node->outputs[0]];
    het__cpu_step *step = het__cpu_add_step(build, sizeof(product_step));
    if (!step)
        return HET_E_NOMEM;
    product_step *s = step->data;
    s->math = het__tensor_math_for(build->device->level->name);
    const het_status status = operands(build, node, &s->a, &s->b);
    if (status != HET_OK)
        return status;
    het__cpu_place(build, node->outputs[0], &s->out);
    s->m = extent_of(a, a->rank - 2);
    s->k = extent_of(a, a->rank - 1);
    s->n = extent_of(b, b->rank - 1);
    s->batch_rank = out->rank - 2;
    s->matrices = 1;
    int64_t a_size = s->m * s->k, b_size = s->k * s->n;
    for (uint32_t i = s->batch_rank; i-- > 0;) {
        s->batch[i] = extent_of(out, i);
        s->matrices *= s->batch[i];
        s->a_step[i] = broadcast_step(a, out->rank, i, a_size);
        s->b_step[i] = broadcast_step(b, out->rank, i, b_size);
        a_size *= s->a_step[i] ? s->batch[i] : 1;
        b_size *= s->b_step[i] ? s->batch[i] : 1;
    }
    step->bind = product_bind;
    step->task = product_task;
    het__cpu_need_worker(build, HET__PANEL_DEPTH * HET__PANEL_MAX * sizeof(float));
    return HET_OK;
}

/* ---- choosing ---- */

/* Operands of kernels that take what is made in the run. */
static bool lie_straight(const het__graph *g, const het__node *node)
{
    for (uint32_t i = 0; i < node->input_count && i < 2; i++)
        if (het__cpu_lies_askew(&g->values[node->inputs[i]]))
            return false;
    return true;
}

het_status het__cpu_build_tensor(het__cpu_build *build, const het__node *node)
{
    const het__graph *g = build->slice->graph;
    het__binary binary;
    het__act act = { HET__ACT_NONE, 0, 0 };
    bool done;
    het_status status = het__cpu_build_codes(build, node, &done);
    if (status == HET_OK && !done)
        status = het__cpu_build_scatter(build, node, &done);
    if (status != HET_OK || done)
        return status;
    if (het__cpu_move_fits(g, node))
        return het__cpu_build_move(build, node);
    if (het__cpu_resize_fits(g, node))
        return het__cpu_build_resize(build, node);
    if (het__cpu_rows_fit(g, node))
        return het__cpu_build_rows_of_graph(build, node);
    for (uint32_t i = 0; i < node->input_count; i++)
        if (i < 2 && !is_f32(g, node->inputs[i]))
            return het__cpu_build_plain(build, node);
    if (binary_of(node, &binary))
        return build_binary(build, node, binary);
    if (node->input_count == 1 && act_of(node, &act))
        return build_unary(build, node, act);
    if (is_row_norm(g, node))
        return build_rows(build, node);
    if (het__cpu_recurrent_fits(g, node))
        return het__cpu_build_recurrent(build, node);
    const bool straight = lie_straight(g, node);
    if (straight && het__cpu_attention_fits(g, node))
        return het__cpu_build_attention_of_graph(build, node);
    if (straight && het__cpu_transposed_fits(g, node))
        return het__cpu_build_transposed(build, node);
    if (node->input_count == 2 && is_product(g, node))
        return build_product(build, node);
    return het__cpu_build_plain(build, node);
}
