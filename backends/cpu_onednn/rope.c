/* SPDX-License-Identifier: Apache-2.0 */
/* Rotary positions. Angles are computed in double, once per step of the model and token: all heads
 * and all layers that turn alike read the same table.
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

/* Tokens whose angles the calling thread computes faster than others meet it. */
#define ANGLES_ALONE 4

typedef struct angles_step {
    het__cpu_angles *angles;
    const int32_t *positions;
    het__extent tokens;
    int64_t count; /* tokens, when bound */
} angles_step;

static void angles_bind(het__cpu_step *step, const int64_t *symbols)
{
    angles_step *a = step->data;
    a->count = het__extent_bind(a->tokens, symbols);
}

static void angles_task(const het__cpu_step *step, int64_t task, unsigned char *scratch)
{
    (void)scratch;
    const het__cpu_angles *a = ((const angles_step *)step->data)->angles;
    const int32_t half = a->attrs.rotated / 2;
    float *row = a->table + task * a->attrs.rotated;
    const double position = (double)a->made[task], magnitude = (double)a->attrs.magnitude;
    for (int32_t i = 0; i < half; i++) {
        const double angle = position * a->frequencies[i];
        row[i] = (float)(cos(angle) * magnitude);
        row[half + i] = (float)(sin(angle) * magnitude);
    }
}

/* Every layer asks for the same positions: only the first one has something to do. */
static void angles_look(het__cpu_step *step)
{
    const angles_step *own = step->data;
    het__cpu_angles *a = own->angles;
    const size_t bytes = (size_t)own->count * sizeof *a->made;
    step->tasks = 0;
    if (own->count <= a->made_count && memcmp(a->made, own->positions, bytes) == 0)
        return;
    memcpy(a->made, own->positions, bytes);
    a->made_count = own->count;
    if (own->count > ANGLES_ALONE)
        step->tasks = own->count;
    else
        for (int64_t t = 0; t < own->count; t++)
            angles_task(step, t, NULL);
}

static bool same_angles(const het__cpu_angles *a, const het__rope_attrs *attrs)
{
    /* The head size and the pair layout do not enter the table. */
    return a->attrs.rotated == attrs->rotated && a->attrs.theta == attrs->theta &&
           a->attrs.scale == attrs->scale && a->attrs.magnitude == attrs->magnitude;
}

static het_status make_frequencies(het__cpu_build *build, het__cpu_angles *a)
{
    const int32_t half = a->attrs.rotated / 2;
    a->frequencies = het__alloc_zero(build->device->host->mem, (size_t)half, sizeof(double));
    if (!a->frequencies)
        return het__fail_nomem(build->err, "the table of angles");
    for (int32_t i = 0; i < half; i++) {
        const double power = pow((double)a->attrs.theta, 2.0 * i / a->attrs.rotated);
        const double factor = a->factors ? (double)a->factors[i] : 1.0;
        a->frequencies[i] = (double)a->attrs.scale / power / factor;
    }
    return HET_OK;
}

/* Nodes hold the record, not the table, which may move while programs are compiled. */
static het_status reserve_angles(het__cpu_build *build, het__cpu_angles *a, int64_t tokens)
{
    het__mem *mem = build->device->host->mem;
    const size_t row = (size_t)a->attrs.rotated * sizeof *a->table + sizeof *a->made;
    size_t bytes;
    if (tokens <= a->capacity)
        return HET_OK;
    if (!het__mul_size((size_t)tokens, row, &bytes))
        return het__fail_nomem(build->err, "the table of angles");
    float *table = het__alloc(mem, (size_t)tokens * (row - sizeof *a->made));
    int32_t *made = het__alloc(mem, (size_t)tokens * sizeof *made);
    if (!table || !made) {
        het__free(mem, table);
        het__free(mem, made);
        return het__fail_nomem(build->err, "the table of angles");
    }
    het__free(mem, a->table);
    het__free(mem, a->made);
    a->table = table;
    a->made = made;
    build->device->scratch_bytes += bytes - (size_t)a->capacity * row;
    a->capacity = tokens;
    a->made_count = 0;
    return HET_OK;
}

static het_status find_angles(het__cpu_build *build, uint32_t positions, const float *factors,
                              const het__rope_attrs *attrs, het__cpu_angles **angles)
{
    het__device *device = build->device;
    for (het__cpu_angles *a = device->angles; a; a = a->next)
        if (!a->is_given && a->positions == positions && a->factors == factors &&
            same_angles(a, attrs)) {
            *angles = a;
            return HET_OK;
        }
    het__cpu_angles *a = het__alloc_zero(device->host->mem, 1, sizeof *a);
    if (!a)
        return het__fail_nomem(build->err, "the table of angles");
    a->next = device->angles;
    device->angles = a;
    a->positions = positions;
    a->factors = factors;
    a->attrs = *attrs;
    *angles = a;
    return make_frequencies(build, a);
}

void het__cpu_angles_free(het__device *device)
{
    het__mem *mem = device->host->mem;
    while (device->angles) {
        het__cpu_angles *a = device->angles;
        device->angles = a->next;
        het__free(mem, a->frequencies);
        if (!a->is_given)
            het__free(mem, a->table);
        het__free(mem, a->made);
        het__free(mem, a);
    }
}

/* Angles that the graph gives are read where they lie. */
static het_status find_given(het__cpu_build *build, float *table, const het__rope_attrs *attrs,
                             const het__cpu_angles **angles)
{
    het__device *device = build->device;
    for (het__cpu_angles *a = device->angles; a; a = a->next)
        if (a->is_given && a->table == table) {
            *angles = a;
            return HET_OK;
        }
    het__cpu_angles *a = het__alloc_zero(device->host->mem, 1, sizeof *a);
    if (!a)
        return het__fail_nomem(build->err, "the table of angles");
    *a = (het__cpu_angles){ .next = device->angles, .attrs = *attrs, .table = table,
                            .is_given = true };
    device->angles = a;
    *angles = a;
    return HET_OK;
}

static bool are_given(const het__cpu_build *build, uint32_t factors)
{
    return factors != HET__NO_VALUE && build->slice->graph->values[factors].rank == 2;
}

static bool has_step(const het__program *program, const het__cpu_angles *angles)
{
    for (uint32_t i = 0; i < program->step_count; i++) {
        const angles_step *own = program->steps[i].data;
        if (program->steps[i].task == angles_task && own->angles == angles)
            return true;
    }
    return false;
}

het_status het__cpu_angles_get(het__cpu_build *build, uint32_t positions, uint32_t factors,
                               const het__rope_attrs *attrs, const het__cpu_angles **angles)
{
    const het__extent tokens = build->slice->graph->values[positions].extent[0];
    const float *divisors;
    het__cpu_angles *a = NULL;
    if (are_given(build, factors))
        return find_given(build, het__cpu_address(build, factors), attrs, angles);
    het_status s = het__cpu_vector_get(build, factors, &divisors);
    if (s == HET_OK)
        s = find_angles(build, positions, divisors, attrs, &a);
    if (s == HET_OK)
        s = reserve_angles(build, a, het__extent_bind(tokens, build->slice->symbols_max));
    if (s != HET_OK)
        return s;
    *angles = a;
    if (has_step(build->program, a))
        return HET_OK;
    het__cpu_step *step = het__cpu_add_step(build, sizeof(angles_step));
    if (!step)
        return HET_E_NOMEM;
    angles_step *own = step->data;
    own->angles = a;
    own->tokens = tokens;
    het__cpu_place(build, positions, &own->positions);
    step->bind = angles_bind;
    step->look = angles_look;
    step->task = angles_task;
    return HET_OK;
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
    het__cpu_place(build, node->inputs[0], &r->x);
    het__cpu_place(build, node->outputs[0], &r->out);
    step->bind = rope_bind;
    step->task = rope_task;
    return HET_OK;
}
