/* SPDX-License-Identifier: Apache-2.0 */
/* Elements that only move, of any scalar type, as tasks over a stretch of the outermost axis of the
 * output: transposing, and picking one place of an axis. */
#include <string.h>

#include "backends/cpu_onednn/tensor.h"
#include "lib/base/dtype.h"
#include "lib/plain/strided.h"

/* Bytes of a task, about. */
#define TASK_BYTES 65536
/* Places of a task are a multiple of it, so that squares of a cache line stay whole. */
#define TASK_PLACES 16

typedef struct move_step {
    het__strided places; /* axis 0 is cut */
    char *to;
    const char *from;
    size_t element;
    int64_t per_task;
    double bytes;
} move_step;

static void bind(het__cpu_step *step, const int64_t *symbols)
{
    const move_step *s = step->data;
    (void)symbols;
    step->tasks = s->per_task ? (s->places.extent[0] + s->per_task - 1) / s->per_task : 0;
    step->program->step_macs += s->bytes / 4;
}

static void run(const het__cpu_step *step, int64_t task, unsigned char *scratch)
{
    const move_step *s = step->data;
    const int64_t first = task * s->per_task, left = s->places.extent[0] - first;
    het__strided places = s->places;
    (void)scratch;
    places.extent[0] = left < s->per_task ? left : s->per_task;
    het__strided_copy(&places, s->to + first * places.to[0], s->from + first * places.from[0],
                      s->element);
}

/* Axes as they lie in the output; steps of the input in elements. */
static void add_axis(move_step *s, int64_t extent, int64_t from)
{
    if (extent != 1)
        het__strided_axis(&s->places, extent, 0, from * (int64_t)s->element);
}

static void cut(move_step *s)
{
    int64_t count = 1;
    if (s->places.rank == 0)
        het__strided_axis(&s->places, 1, 0, 0);
    het__strided_dense(&s->places, s->element);
    for (uint32_t i = 0; i < s->places.rank; i++)
        count *= s->places.extent[i];
    s->bytes = (double)count * (double)s->element;
    if (count == 0)
        return;
    const int64_t place = count / s->places.extent[0] * (int64_t)s->element;
    s->per_task = TASK_BYTES / place / TASK_PLACES * TASK_PLACES;
    if (s->per_task == 0)
        s->per_task = place >= TASK_BYTES ? 1 : TASK_BYTES / place;
}

static void strides_of(const het__value *v, int64_t stride[HET_RANK_MAX])
{
    int64_t n = 1;
    for (uint32_t i = v->rank; i-- > 0;) {
        stride[i] = n;
        n *= v->extent[i].count;
    }
}

static void transpose(const het__node *node, const het__value *x, move_step *s)
{
    int64_t stride[HET_RANK_MAX];
    const het__attr *perm = het__attr_find(&node->attrs.tensor, "perm", HET__ATTR_INTS);
    strides_of(x, stride);
    for (uint32_t i = 0; i < x->rank; i++) {
        const int64_t axis = perm ? perm->u.ints[i] : (int64_t)(x->rank - 1 - i);
        add_axis(s, x->extent[axis].count, stride[axis]);
    }
}

static int64_t gather_axis(const het__graph *g, const het__node *node)
{
    const int64_t axis = het__attr_int(&node->attrs.tensor, "axis", 0);
    return axis < 0 ? axis + g->values[node->inputs[0]].rank : axis;
}

/* The place that a Gather picks if it picks one only; -1: more, or not known. */
static int64_t picked(const het__graph *g, const het__node *node)
{
    const het__value *x = &g->values[node->inputs[0]], *list = &g->values[node->inputs[1]];
    int64_t at;
    if (list->kind != HET__VALUE_CONST || !list->data || list->dtype != HET_DTYPE_I64)
        return -1;
    for (uint32_t i = 0; i < list->rank; i++)
        if (list->extent[i].count != 1)
            return -1;
    memcpy(&at, list->data, sizeof at);
    const int64_t extent = x->extent[gather_axis(g, node)].count;
    at += at < 0 ? extent : 0;
    return at < extent ? at : -1;
}

static void gather(const het__graph *g, const het__node *node, move_step *s)
{
    const het__value *x = &g->values[node->inputs[0]];
    const int64_t axis = gather_axis(g, node);
    int64_t stride[HET_RANK_MAX];
    strides_of(x, stride);
    for (uint32_t i = 0; i < x->rank; i++)
        if (i != axis)
            add_axis(s, x->extent[i].count, stride[i]);
    s->from += picked(g, node) * stride[axis] * (int64_t)s->element;
}

bool het__cpu_move_fits(const het__graph *g, const het__node *node)
{
    if (node->op != HET__OP_T_TRANSPOSE && node->op != HET__OP_T_GATHER)
        return false;
    const het__value *x = &g->values[node->inputs[0]];
    const int64_t element = het_dtype_bytes(x->dtype, 1);
    if (x->rank == 0 || x->kind == HET__VALUE_CONST || het__dtype_is_block(x->dtype) ||
        (element != 1 && element != 2 && element != 4 && element != 8))
        return false;
    return node->op == HET__OP_T_TRANSPOSE || picked(g, node) >= 0;
}

het_status het__cpu_build_move(het__cpu_build *build, const het__node *node)
{
    const het__graph *g = build->slice->graph;
    const het__value *x = &g->values[node->inputs[0]];
    het__cpu_step *step = het__cpu_add_step(build, sizeof(move_step));
    if (!step)
        return HET_E_NOMEM;
    move_step *s = step->data;
    s->element = (size_t)het_dtype_bytes(x->dtype, 1);
    het__cpu_place(build, node->inputs[0], &s->from);
    het__cpu_place(build, node->outputs[0], &s->to);
    if (node->op == HET__OP_T_TRANSPOSE)
        transpose(node, x, s);
    else
        gather(g, node, s);
    cut(s);
    step->bind = bind;
    step->task = run;
    return HET_OK;
}
