/* SPDX-License-Identifier: Apache-2.0 */
/* Tensor operations that give elements other places, and resizing. What has regular steps
 * is a copy by the kernel map; the rest goes by tables that say where each place's element lies. */
#include <string.h>

#include "backends/gpu/tensor.h"
#include "lib/ir/move.h"
#include "lib/plain/resize.h"

/* ---- regular ---- */

bool het__gpu_build_transpose(het__gpu_recipe *t)
{
    const het__tensor *x = &t->inputs[0];
    uint32_t permutation[HET_RANK_MAX];
    int64_t strides[HET_RANK_MAX];
    het__gpu_places p = { 0 };
    if (!het__gpu_went(t, het__permutation_of(&t->e, x, permutation)))
        return false;
    het__tensor_strides(x, strides);
    for (uint32_t i = 0; i < x->rank; i++)
        het__gpu_places_axis(&p, x->extent[permutation[i]], 0, strides[permutation[i]]);
    het__gpu_places_dense(&p);
    return het__gpu_add_move(t, 0, 0, 0, 0, &p);
}

/* A part of `part` elements per row against a whole of `whole`. */
static het__gpu_places rows_of(int64_t rows, int64_t part, int64_t out, int64_t in)
{
    het__gpu_places p = { 0 };
    het__gpu_places_axis(&p, rows, out, in);
    het__gpu_places_axis(&p, part, 1, 1);
    return p;
}

bool het__gpu_build_concat(het__gpu_recipe *t)
{
    const het__tensor *out = &t->outputs[0];
    uint32_t axis;
    if (!het__gpu_went(t, het__axis_of(&t->e, "axis", 1, out->rank, &axis)))
        return false;
    const int64_t rows = het__tensor_span(out, 0, axis);
    const int64_t inner = het__tensor_span(out, axis + 1, out->rank);
    const int64_t whole = out->extent[axis] * inner;
    int64_t to = 0;
    for (uint32_t i = 0; i < t->e.input_count; i++) {
        const int64_t part = t->inputs[i].extent[axis] * inner;
        const het__gpu_places p = rows_of(rows, part, whole, part);
        if (!het__gpu_add_move(t, 0, to, i, 0, &p))
            return false;
        to += part;
    }
    return true;
}

bool het__gpu_build_split(het__gpu_recipe *t)
{
    const het__tensor *x = &t->inputs[0];
    uint32_t axis;
    if (!het__gpu_went(t, het__axis_of(&t->e, "axis", 0, x->rank, &axis)))
        return false;
    const int64_t rows = het__tensor_span(x, 0, axis);
    const int64_t inner = het__tensor_span(x, axis + 1, x->rank);
    const int64_t whole = x->extent[axis] * inner;
    int64_t from = 0;
    for (uint32_t o = 0; o < t->e.output_count; o++) {
        const int64_t part = t->outputs[o].extent[axis] * inner;
        const het__gpu_places p = rows_of(rows, part, part, whole);
        if (part > 0 && !het__gpu_add_move(t, o, 0, 0, from, &p))
            return false;
        from += part;
    }
    return true;
}

bool het__gpu_build_slice(het__gpu_recipe *t)
{
    const het__tensor *x = &t->inputs[0];
    int64_t strides[HET_RANK_MAX], from = 0;
    het__slicing slice;
    het__gpu_places p = { 0 };
    bool known;
    if (!het__gpu_went(t, het__slice_of(&t->e, x, &slice, &known)))
        return false;
    if (!known)
        return het__gpu_refuse(t, "the bounds are not constant");
    het__tensor_strides(x, strides);
    for (uint32_t i = 0; i < x->rank; i++) {
        from += slice.start[i] * strides[i];
        het__gpu_places_axis(&p, slice.count[i], 0, slice.step[i] * strides[i]);
    }
    het__gpu_places_dense(&p);
    return het__gpu_add_move(t, 0, 0, 0, from, &p);
}

bool het__gpu_build_repeat(het__gpu_recipe *t)
{
    const het__tensor *x = &t->inputs[0], *out = &t->outputs[0];
    int64_t strides[HET_RANK_MAX];
    het__gpu_places p = { 0 };
    het__tensor_strides(x, strides);
    for (uint32_t i = 0; i < out->rank; i++) {
        const uint32_t missing = out->rank - x->rank;
        const int64_t have = i < missing ? 1 : x->extent[i - missing];
        het__gpu_places_axis(&p, out->extent[i] / have, 0, 0);
        het__gpu_places_axis(&p, have, 0, i < missing ? 0 : strides[i - missing]);
    }
    het__gpu_places_dense(&p);
    return het__gpu_add_move(t, 0, 0, 0, 0, &p);
}

/* x seen with six extents, in the order of axes. */
static bool shuffle(het__gpu_recipe *t, const int64_t extent[6], const int order[6])
{
    int64_t strides[6], step = 1;
    het__gpu_places p = { 0 };
    for (int i = 5; i >= 0; i--) {
        strides[i] = step;
        step *= extent[i];
    }
    for (int i = 0; i < 6; i++)
        het__gpu_places_axis(&p, extent[order[i]], 0, strides[order[i]]);
    het__gpu_places_dense(&p);
    return het__gpu_add_move(t, 0, 0, 0, 0, &p);
}

bool het__gpu_build_shuffle(het__gpu_recipe *t)
{
    const int64_t *x = t->inputs[0].extent, side = het__attr_int(t->e.attrs, "blocksize", 1);
    if (t->e.node->op == HET__OP_T_SPACE_TO_DEPTH)
        return shuffle(t, (const int64_t[6]){ x[0], x[1], x[2] / side, side, x[3] / side, side },
                       (const int[6]){ 0, 3, 5, 1, 2, 4 });
    const int64_t channels = x[1] / (side * side);
    if (strcmp(het__attr_string(t->e.attrs, "mode", "DCR"), "CRD") == 0)
        return shuffle(t, (const int64_t[6]){ x[0], channels, side, side, x[2], x[3] },
                       (const int[6]){ 0, 1, 4, 2, 5, 3 });
    return shuffle(t, (const int64_t[6]){ x[0], side, side, channels, x[2], x[3] },
                   (const int[6]){ 0, 3, 4, 1, 5, 2 });
}

/* ---- by indices and tables ---- */

bool het__gpu_build_gather(het__gpu_recipe *t)
{
    const het__tensor *x = &t->inputs[0], *indices = &t->inputs[1];
    uint32_t axis;
    if (!het__gpu_went(t, het__axis_of(&t->e, "axis", 0, x->rank, &axis)))
        return false;
    const int64_t run = het__tensor_span(x, axis + 1, x->rank);
    const int64_t picked = het__tensor_elements(indices), outer = het__tensor_span(x, 0, axis);
    const int32_t sizes[4] = { (int32_t)run, (int32_t)picked, (int32_t)outer,
                               (int32_t)x->extent[axis] };
    het__gpu_start *s = het__gpu_starts_add(&t->starts, "tensor_pick", "gather");
    het__gpu_start_option(s, "-DGATHER -DT=%s -DTI=%s",
                          het__gpu_type_of_size((size_t)het_dtype_bytes(x->dtype, 1)),
                          indices->dtype == HET_DTYPE_I64 ? "long" : "int");
    het__gpu_put_output(s, 0, 0);
    het__gpu_put_input(s, 0, 0);
    het__gpu_put_input(s, 1, 0);
    het__gpu_put_ints(s, 4, sizes);
    het__gpu_start_items(s, run, picked, outer, 64);
    return true;
}

/* Tables for the kernel pick: for each place along each axis, innermost first, where its element
 * lies; eight axes, those that are missing with one place. */
typedef struct pick {
    int32_t *sources;
    int32_t extent[HET_RANK_MAX];
    int64_t others;
    size_t count;
} pick;

static bool pick_begin(het__gpu_recipe *t, pick *p)
{
    const het__tensor *out = &t->outputs[0];
    memset(p, 0, sizeof *p);
    p->others = 1;
    for (uint32_t i = 0; i < HET_RANK_MAX; i++) {
        p->extent[i] = i < out->rank ? (int32_t)out->extent[out->rank - 1 - i] : 1;
        p->count += (size_t)p->extent[i];
        p->others *= i > 1 ? p->extent[i] : 1;
    }
    if (!t->call)
        return true;
    p->sources = het__eval_scratch(&t->e, p->count, sizeof *p->sources);
    if (p->sources)
        memset(p->sources, 0, p->count * sizeof *p->sources);
    else
        t->status = het__eval_nomem(&t->e);
    return p->sources != NULL;
}

/* Where the table of an axis, counted from the outermost, begins. */
static int32_t *pick_axis(const het__gpu_recipe *t, const pick *p, uint32_t axis)
{
    int32_t *at = p->sources;
    for (uint32_t i = 0; i + axis + 1 < t->outputs[0].rank; i++)
        at += p->extent[i];
    return at;
}

static bool pick_end(het__gpu_recipe *t, const pick *p, const void *value)
{
    const size_t size = (size_t)het_dtype_bytes(t->outputs[0].dtype, 1);
    het__gpu_memory *table;
    if (!het__gpu_recipe_table(t, p->sources, p->count * sizeof *p->sources, &table))
        return false;
    het__gpu_start *s = het__gpu_starts_add(&t->starts, "tensor_pick", "pick");
    het__gpu_start_option(s, "-DPICK -DT=%s", het__gpu_type_of_size(size));
    het__gpu_put_output(s, 0, 0);
    het__gpu_put_input(s, 0, 0);
    het__gpu_put_memory(s, table);
    het__gpu_put_ints(s, HET_RANK_MAX, p->extent);
    het__gpu_put_int(s, p->others);
    het__gpu_put_bytes(s, value, size);
    het__gpu_start_items(s, p->extent[0], p->extent[1], p->others, 64);
    return true;
}

/* Element of the input's axis that stands at place o of the output's; -1: the value. */
static int64_t pad_source(const het__pad *pad, uint32_t axis, int64_t o)
{
    const int64_t before = pad->before[axis], kept = pad->kept[axis];
    const int64_t start = before < 0 ? -before : 0, at = o - (before > 0 ? before : 0);
    const int64_t period = pad->mode == HET__PAD_WRAP ? kept : kept > 1 ? 2 * (kept - 1) : 1;
    if (at >= 0 && at < kept)
        return start + at;
    if (pad->mode == HET__PAD_CONSTANT)
        return -1;
    if (pad->mode == HET__PAD_EDGE)
        return start + (at < 0 ? 0 : kept - 1);
    const int64_t place = (at % period + period) % period;
    return start + (place < kept ? place : period - place);
}

static bool pad_value(het__gpu_recipe *t, unsigned char value[8])
{
    const het__tensor *given = het__eval_input(&t->e, 2);
    const het_dtype dtype = t->outputs[0].dtype;
    memset(value, 0, 8);
    if (given && !given->data)
        return het__gpu_refuse(t, "the value is not constant");
    if (given)
        memcpy(value, given->data, (size_t)het_dtype_bytes(dtype, 1));
    else if (dtype == HET_DTYPE_F32)
        memcpy(value, &(float){ het__attr_float(t->e.attrs, "value", 0) }, sizeof(float));
    return true;
}

bool het__gpu_build_pad(het__gpu_recipe *t)
{
    const het__tensor *x = &t->inputs[0];
    int64_t strides[HET_RANK_MAX];
    unsigned char value[8];
    het__pad pad;
    pick p;
    bool known;
    if (!het__gpu_went(t, het__pad_of(&t->e, x, &pad, &known)))
        return false;
    if (!known)
        return het__gpu_refuse(t, "the pads are not constant");
    if (!pad_value(t, value) || !pick_begin(t, &p))
        return false;
    het__tensor_strides(x, strides);
    for (uint32_t i = 0; p.sources && i < x->rank; i++) {
        int32_t *to = pick_axis(t, &p, i);
        for (int64_t o = 0; o < pad.extent[i]; o++) {
            const int64_t from = pad_source(&pad, i, o);
            to[o] = (int32_t)(from < 0 ? -1 : from * strides[i]);
        }
    }
    return pick_end(t, &p, value);
}

/* ---- resizing ---- */

static bool resize_nearest(het__gpu_recipe *t, const het__resize *r)
{
    const het__tensor *x = &t->inputs[0];
    const unsigned char nothing[8] = { 0 };
    int64_t strides[HET_RANK_MAX];
    pick p;
    if (!pick_begin(t, &p))
        return false;
    het__tensor_strides(x, strides);
    for (uint32_t i = 0; p.sources && i < x->rank; i++) {
        het__taps taps;
        if (!het__gpu_went(t, het__taps_of(&t->e, r, i, x->extent[i], &taps)))
            return false;
        int32_t *to = pick_axis(t, &p, i);
        for (int64_t o = 0; o < taps.out; o++)
            to[o] = (int32_t)(taps.index[o] * strides[i]);
    }
    return pick_end(t, &p, nothing);
}

/* The taps of two axes behind one another; an axis beyond the rank has one place. */
typedef struct weights {
    int32_t sizes[8]; /* of the kernel resize */
    int32_t *index;
    float *weight;
    size_t count;
} weights;

static bool weigh(het__gpu_recipe *t, const het__taps taps[2], weights *w)
{
    w->count = (size_t)(taps[0].out * taps[0].width + taps[1].out * taps[1].width);
    w->index = het__eval_scratch(&t->e, w->count, sizeof *w->index);
    w->weight = het__eval_scratch(&t->e, w->count, sizeof *w->weight);
    if (!w->index || !w->weight) {
        t->status = het__eval_nomem(&t->e);
        return false;
    }
    size_t at = 0;
    for (int a = 0; a < 2; a++)
        for (int64_t i = 0; i < taps[a].out * taps[a].width; i++, at++) {
            w->index[at] = (int32_t)taps[a].index[i];
            w->weight[at] = (float)taps[a].weight[i];
        }
    return true;
}

/* What the kernel sees of the axes `first` and the one before or behind it. */
static bool resize_weighted(het__gpu_recipe *t, const het__resize *r, uint32_t first, uint32_t last)
{
    const het__tensor *x = &t->inputs[0];
    static const int64_t zero[1] = { 0 };
    static const double one[1] = { 1 };
    het__taps taps[2] = { { 1, 1, 1, zero, one, NULL }, { 1, 1, 1, zero, one, NULL } };
    weights w = { { 0 }, NULL, NULL, 0 };
    for (uint32_t i = first; t->call && i <= last; i++)
        if (!het__gpu_went(t, het__taps_of(&t->e, r, i, x->extent[i], &taps[i - first])))
            return false;
    if (t->call && !weigh(t, taps, &w))
        return false;
    const int64_t inner = het__tensor_span(x, last + 1, x->rank);
    const int64_t outer = het__tensor_span(x, 0, first);
    const bool two = last > first;
    const int32_t sizes[8] = {
        (int32_t)x->extent[first], two ? (int32_t)x->extent[last] : 1,
        (int32_t)r->extent[first], two ? (int32_t)r->extent[last] : 1,
        (int32_t)taps[0].width, (int32_t)taps[1].width, (int32_t)inner, (int32_t)outer };
    het__gpu_memory *index, *weight;
    if (!het__gpu_recipe_table(t, w.index, w.count * sizeof *w.index, &index) ||
        !het__gpu_recipe_table(t, w.weight, w.count * sizeof *w.weight, &weight))
        return false;
    het__gpu_start *s = het__gpu_starts_add(&t->starts, "tensor_pick", "resize");
    het__gpu_start_option(s, "-DRESIZE -DT=float");
    het__gpu_put_output(s, 0, 0);
    het__gpu_put_input(s, 0, 0);
    het__gpu_put_memory(s, index);
    het__gpu_put_memory(s, weight);
    het__gpu_put_ints(s, 8, sizes);
    het__gpu_start_items(s, sizes[3] * inner, sizes[2], outer, 64);
    return true;
}

bool het__gpu_build_resize(het__gpu_recipe *t)
{
    const het__tensor *x = &t->inputs[0];
    het__resize r;
    uint32_t first = HET_RANK_MAX, last = 0;
    bool known;
    if (!het__gpu_went(t, het__resize_of(&t->e, x, &r, &known)))
        return false;
    if (!known || r.transform == HET__RESIZE_TF_CROP)
        return het__gpu_refuse(t, known ? "regions" : "the sizes are not constant");
    if (r.mode == HET__RESIZE_NEAREST)
        return resize_nearest(t, &r);
    if (x->dtype != HET_DTYPE_F32)
        return het__gpu_refuse(t, "weighted means of %s", het_dtype_name(x->dtype));
    for (uint32_t i = 0; i < x->rank; i++) {
        const double scale = r.scale[i] - 1;
        if (r.extent[i] == x->extent[i] && scale < 1e-9 && scale > -1e-9)
            continue;
        first = first < i ? first : i;
        last = i;
    }
    if (first == HET_RANK_MAX)
        return het__gpu_build_view(t);
    if (last > first + 1)
        return het__gpu_refuse(t, "axes %u to %u are resized", first, last);
    return resize_weighted(t, &r, first, last);
}
