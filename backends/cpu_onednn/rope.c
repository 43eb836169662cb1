/* SPDX-License-Identifier: Apache-2.0 */
/* Rotary positions. Angles are computed in double, once per program step and token: all heads and
 * all layers that turn alike read the same table.
 *
 *     row of the table: [ cosines: rotated/2 | sines: rotated/2 ]
 */
#include <math.h>
#include <string.h>

#include "backends/cpu_onednn/cpu.h"
#include "lib/base/error.h"

void het__cpu_turn(const het__rope_attrs *attrs, const float *row, float *head)
{
    const int32_t half = attrs->rotated / 2;
    const float *cosines = row, *sines = row + half;
    if (attrs->interleaved) {
        for (int32_t i = 0; i < half; i++) {
            const float a = head[2 * i], b = head[2 * i + 1];
            head[2 * i] = a * cosines[i] - b * sines[i];
            head[2 * i + 1] = a * sines[i] + b * cosines[i];
        }
        return;
    }
    float *low = head, *high = head + half;
    for (int32_t i = 0; i < half; i++) {
        const float a = low[i], b = high[i];
        low[i] = a * cosines[i] - b * sines[i];
        high[i] = a * sines[i] + b * cosines[i];
    }
}

typedef struct angles_step {
    const het__cpu_angles *angles;
    het__extent tokens;
} angles_step;

static void angles_bind(het__cpu_step *step, const int64_t *symbols)
{
    const angles_step *a = step->data;
    step->tasks = het__extent_bind(a->tokens, symbols);
}

static void angles_task(const het__cpu_step *step, int64_t task, unsigned char *scratch)
{
    (void)scratch;
    const het__cpu_angles *a = ((const angles_step *)step->data)->angles;
    const int32_t half = a->attrs.rotated / 2;
    float *row = a->table + task * a->attrs.rotated;
    const double position = (double)a->positions[task], magnitude = (double)a->attrs.magnitude;
    for (int32_t i = 0; i < half; i++) {
        const double angle = position * a->frequencies[i];
        row[i] = (float)(cos(angle) * magnitude);
        row[half + i] = (float)(sin(angle) * magnitude);
    }
}

static bool same_angles(const het__cpu_angles *a, const het__rope_attrs *attrs)
{
    /* The head size and the pair layout do not enter the table. */
    return a->attrs.rotated == attrs->rotated && a->attrs.theta == attrs->theta &&
           a->attrs.scale == attrs->scale && a->attrs.magnitude == attrs->magnitude;
}

static het_status make_angles(het__cpu_build *build, het__cpu_angles *a, int64_t tokens_max)
{
    const int32_t half = a->attrs.rotated / 2;
    size_t bytes;
    if (!het__mul_size((size_t)tokens_max, (size_t)a->attrs.rotated * sizeof(float), &bytes))
        return het__fail_nomem(build->err, "the table of angles");
    a->frequencies = het__arena_alloc(&build->program->arena, (size_t)half * sizeof(double));
    a->table = het__alloc(build->device->host->mem, bytes);
    if (!a->frequencies || !a->table)
        return het__fail_nomem(build->err, "the table of angles");
    build->program->bytes += bytes;
    for (int32_t i = 0; i < half; i++) {
        const double power = pow((double)a->attrs.theta, 2.0 * i / a->attrs.rotated);
        const double factor = a->factors ? (double)a->factors[i] : 1.0;
        a->frequencies[i] = (double)a->attrs.scale / power / factor;
    }
    return HET_OK;
}

het_status het__cpu_angles_get(het__cpu_build *build, uint32_t positions, uint32_t factors,
                               const het__rope_attrs *attrs, const het__cpu_angles **angles)
{
    const float *divisors;
    het_status s = het__cpu_vector_get(build, factors, &divisors);
    if (s != HET_OK)
        return s;
    const int32_t *at = het__cpu_address(build, positions);
    for (het__cpu_angles *a = build->program->angles; a; a = a->next)
        if (a->positions == at && a->factors == divisors && same_angles(a, attrs)) {
            *angles = a;
            return HET_OK;
        }
    het__cpu_step *step = het__cpu_add_step(build, sizeof(angles_step));
    het__cpu_angles *a = step ? het__arena_zero(&build->program->arena, 1, sizeof *a) : NULL;
    if (!a)
        return het__fail_nomem(build->err, "the table of angles");
    a->next = build->program->angles;
    build->program->angles = a;
    a->positions = at;
    a->factors = divisors;
    a->attrs = *attrs;
    const het__value *v = &build->slice->graph->values[positions];
    const angles_step data = { a, v->extent[0] };
    memcpy(step->data, &data, sizeof data);
    step->bind = angles_bind;
    step->task = angles_task;
    *angles = a;
    return make_angles(build, a, het__extent_bind(v->extent[0], build->slice->symbols_max));
}

typedef struct rope {
    const het__cpu_angles *angles;
    het__rope_attrs attrs;
    const het__value *value;
    const float *x;
    float *out;
    int64_t columns;
} rope;

static void rope_bind(het__cpu_step *step, const int64_t *symbols)
{
    rope *r = step->data;
    het__value_matrix(r->value, symbols, &step->tasks, &r->columns);
}

static void rope_task(const het__cpu_step *step, int64_t task, unsigned char *scratch)
{
    (void)scratch;
    const rope *r = step->data;
    float *row = r->out + task * r->columns;
    memmove(row, r->x + task * r->columns, (size_t)r->columns * sizeof(float));
    if (!r->attrs.rotated)
        return;
    const float *angles = r->angles->table + task * r->attrs.rotated;
    for (int64_t h = 0; h < r->columns; h += r->attrs.head_size)
        het__cpu_turn(&r->attrs, angles, row + h);
}

het_status het__cpu_build_rope(het__cpu_build *build, const het__node *node)
{
    const het__cpu_angles *angles = NULL;
    const het__rope_attrs *attrs = &node->attrs.rope;
    if (attrs->rotated) {
        const uint32_t factors = node->input_count > 2 ? node->inputs[2] : HET__NO_VALUE;
        const het_status s = het__cpu_angles_get(build, node->inputs[1], factors, attrs, &angles);
        if (s != HET_OK)
            return s;
    }
    het__cpu_step *step = het__cpu_add_step(build, sizeof(rope));
    if (!step)
        return HET_E_NOMEM;
    rope *r = step->data;
    r->angles = angles;
    r->attrs = *attrs;
    r->value = het__cpu_value(build, node, 0);
    r->x = het__cpu_address(build, node->inputs[0]);
    r->out = het__cpu_address(build, node->outputs[0]);
    step->bind = rope_bind;
    step->task = rope_task;
    return HET_OK;
}
