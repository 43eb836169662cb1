/* SPDX-License-Identifier: Apache-2.0 */
/* Operations on codes element by element: tables, sums, to codes and back with one scale. Cut into
 * stretches of elements; the layout of images does not matter to them. */
#include "backends/cpu_onednn/tensor.h"

#include <string.h>

#include "backends/cpu_onednn/qimage_math.h"
#include "lib/base/error.h"

#define TASK_ELEMENTS 16384

typedef struct codes_step {
    const het__qimage_math *math;
    het__op op;
    const void *a, *b; /* b: second operand or table */
    void *out;
    het__quant qa, qb, to;
    float shift;
    int64_t count;
} codes_step;

static void bind(het__cpu_step *step, const int64_t *symbols)
{
    const codes_step *s = step->data;
    (void)symbols;
    step->tasks = (s->count + TASK_ELEMENTS - 1) / TASK_ELEMENTS;
    step->program->step_macs += (double)s->count / 2;
}

static void map_codes(const uint8_t *x, const uint8_t *table, uint8_t *out, int64_t count)
{
    for (int64_t i = 0; i < count; i++)
        out[i] = table[x[i]];
}

static void run(const het__cpu_step *step, int64_t task, unsigned char *scratch)
{
    const codes_step *s = step->data;
    const int64_t first = task * TASK_ELEMENTS, left = s->count - first;
    const int64_t count = left < TASK_ELEMENTS ? left : TASK_ELEMENTS;
    const uint8_t *a = (const uint8_t *)s->a + first, *b = (const uint8_t *)s->b + first;
    uint8_t *out = (uint8_t *)s->out + first;
    (void)scratch;
    if (s->op == HET__OP_QMAP)
        map_codes(a, s->b, out, count);
    else if (s->op == HET__OP_T_QUANTIZE_LINEAR)
        s->math->quantise(&s->to, (const float *)s->a + first, out, count);
    else if (s->op == HET__OP_T_DEQUANTIZE_LINEAR)
        s->math->dequantise(&s->qa, a, (float *)s->out + first, count);
    else
        s->math->add(&s->qa, a, &s->qb, b, s->shift, out, count);
}

/* ---- choosing ---- */

static const het__value *value_of(const het__graph *g, const het__node *node, uint32_t i)
{
    return i < node->input_count && node->inputs[i] != HET__NO_VALUE
               ? &g->values[node->inputs[i]] : NULL;
}

static bool is_one(const het__value *v)
{
    if (v->kind != HET__VALUE_CONST || !v->data)
        return false;
    for (uint32_t i = 0; i < v->rank; i++)
        if (v->extent[i].count != 1)
            return false;
    return true;
}

/* Scale in input i, zero point behind it, both one constant number; type: of the codes. */
static bool quant_of(const het__graph *g, const het__node *node, uint32_t i, het_dtype type,
                     het__quant *q)
{
    const het__value *scale = value_of(g, node, i), *zero = value_of(g, node, i + 1);
    if ((type != HET_DTYPE_U8 && type != HET_DTYPE_I8) || !scale || !is_one(scale) ||
        scale->dtype != HET_DTYPE_F32 || scale->rank > 1 || (zero && !is_one(zero)))
        return false;
    q->is_signed = type == HET_DTYPE_I8;
    memcpy(&q->scale, scale->data, sizeof q->scale);
    q->zero = !zero ? 0 : q->is_signed ? *(const int8_t *)zero->data
                                       : *(const uint8_t *)zero->data;
    return true;
}

static bool same_extents(const het__value *a, const het__value *b)
{
    bool same = a->rank == b->rank;
    for (uint32_t i = 0; same && i < a->rank; i++)
        same = a->extent[i].count == b->extent[i].count;
    return same;
}

static bool describe_add(const het__graph *g, const het__node *node, codes_step *s)
{
    const het__value *a = value_of(g, node, 0), *b = value_of(g, node, 3);
    if (node->op != HET__OP_T_MS_QLINEAR_ADD || !same_extents(a, b) ||
        !quant_of(g, node, 1, a->dtype, &s->qa) || !quant_of(g, node, 4, b->dtype, &s->qb) ||
        !quant_of(g, node, 6, a->dtype, &s->to))
        return false;
    s->qa.scale = (float)((double)s->qa.scale / (double)s->to.scale);
    s->qb.scale = (float)((double)s->qb.scale / (double)s->to.scale);
    s->shift = (float)s->to.zero -
               (s->qa.scale * (float)s->qa.zero + s->qb.scale * (float)s->qb.zero);
    return true;
}

static bool describe(const het__graph *g, const het__node *node, codes_step *s)
{
    const het__value *x = value_of(g, node, 0), *out = &g->values[node->outputs[0]];
    const het__attr_list *list = &node->attrs.tensor;
    switch (node->op) {
    case HET__OP_QMAP:
        return true;
    case HET__OP_T_QUANTIZE_LINEAR:
        return x->dtype == HET_DTYPE_F32 && quant_of(g, node, 1, out->dtype, &s->to) &&
               het__attr_dtype(list, "precision", HET_DTYPE_F32) == HET_DTYPE_F32;
    case HET__OP_T_DEQUANTIZE_LINEAR:
        return out->dtype == HET_DTYPE_F32 && quant_of(g, node, 1, x->dtype, &s->qa);
    default:
        return describe_add(g, node, s);
    }
}

/* Where an operand lies, at an address fit for its type; NULL if it is not. */
static const void *operand(const het__cpu_build *build, uint32_t value)
{
    const het__value *v = &build->slice->graph->values[value];
    if (v->kind != HET__VALUE_CONST)
        return het__cpu_address(build, value);
    const size_t size = v->dtype == HET_DTYPE_F32 ? sizeof(float) : 1;
    return (uintptr_t)v->data % size == 0 ? v->data : NULL;
}

het_status het__cpu_build_codes(het__cpu_build *build, const het__node *node, bool *done)
{
    const het__graph *g = build->slice->graph;
    const het__value *out = &g->values[node->outputs[0]];
    const uint32_t second = node->op == HET__OP_T_MS_QLINEAR_ADD ? 3 : 1;
    codes_step s = { .op = node->op };
    *done = false;
    if (node->input_count == 0 || node->inputs[0] == HET__NO_VALUE || !describe(g, node, &s))
        return HET_OK;
    s.math = het__qimage_math_for(build->device->level->name);
    s.a = operand(build, node->inputs[0]);
    s.b = operand(build, node->inputs[second]);
    s.count = 1;
    for (uint32_t i = 0; i < out->rank; i++)
        s.count *= out->extent[i].count;
    if (!s.a || !s.b)
        return HET_OK;
    het__cpu_step *step = het__cpu_add_step(build, sizeof s);
    if (!step)
        return HET_E_NOMEM;
    codes_step *kept = step->data;
    *kept = s;
    het__cpu_follow(build, node->inputs[0], &kept->a);
    het__cpu_follow(build, node->inputs[second], &kept->b);
    het__cpu_place(build, node->outputs[0], &kept->out);
    step->bind = bind;
    step->task = run;
    *done = true;
    return HET_OK;
}
