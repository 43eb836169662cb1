/* SPDX-License-Identifier: Apache-2.0 */
/* Kernels that pick elements by index and place them by index. Every index is checked before it is
 * followed; negative ones count from the back. */
#include <math.h>
#include <string.h>

#include "lib/ir/move.h"
#include "lib/plain/plain.h"

static het_status refuse_index(const het__eval *e, int64_t index, int64_t extent)
{
    return het__eval_refuse(e, "index %lld of %lld", (long long)index, (long long)extent);
}

/* Index i in [0, extent), or -1. */
static int64_t index_of(const het__tensor *indices, int64_t i, int64_t extent)
{
    int64_t at = het__index_at(indices, i);
    at += at < 0 ? extent : 0;
    return at >= 0 && at < extent ? at : -1;
}

/* ---- picking ---- */

het_status het__plain_gather(het__eval *e)
{
    const het__tensor *x = &e->inputs[0], *indices = &e->inputs[1], *out = &e->outputs[0];
    uint32_t axis;
    const het_status s = het__axis_of(e, "axis", 0, x->rank, &axis);
    if (s != HET_OK || het__tensor_bytes(out) == 0)
        return s;
    const int64_t n = het__tensor_elements(indices), extent = x->extent[axis];
    int64_t *at = het__eval_scratch(e, (size_t)n, sizeof *at);
    if (!at)
        return het__eval_nomem(e);
    for (int64_t i = 0; i < n; i++) {
        at[i] = index_of(indices, i, extent);
        if (at[i] < 0)
            return refuse_index(e, het__index_at(indices, i), extent);
    }
    const int64_t outer = het__tensor_span(x, 0, axis);
    const int64_t run = het__tensor_span(x, axis + 1, x->rank) *
                        (int64_t)het__element_bytes(x->dtype);
    char *to = out->data;
    const char *from = x->data;
    for (int64_t o = 0; o < outer; o++, from += extent * run) {
        if (run == 4)
            for (int64_t i = 0; i < n; i++)
                memcpy(to + i * 4, from + at[i] * 4, 4);
        else
            for (int64_t i = 0; i < n; i++)
                memcpy(to + i * run, from + at[i] * run, (size_t)run);
        to += n * run;
    }
    return HET_OK;
}

/* Walks all places of a shape; knows which element of another tensor has the same coordinates, the
 * one on the axis left out. */
typedef struct line_walk {
    const het__tensor *shape;
    uint32_t axis;
    int64_t strides[HET_RANK_MAX]; /* of the other tensor */
    int64_t at[HET_RANK_MAX];
    int64_t base;
} line_walk;

static void line_init(line_walk *w, const het__tensor *shape, const het__tensor *other,
                      uint32_t axis)
{
    memset(w, 0, sizeof *w);
    w->shape = shape;
    w->axis = axis;
    het__tensor_strides(other, w->strides);
}

static void line_next(line_walk *w)
{
    for (uint32_t i = w->shape->rank; i-- > 0;) {
        const int64_t step = i == w->axis ? 0 : w->strides[i];
        w->base += step;
        if (++w->at[i] < w->shape->extent[i])
            return;
        w->base -= step * w->shape->extent[i];
        w->at[i] = 0;
    }
}

het_status het__plain_gather_elements(het__eval *e)
{
    const het__tensor *x = &e->inputs[0], *indices = &e->inputs[1], *out = &e->outputs[0];
    uint32_t axis;
    const het_status s = het__axis_of(e, "axis", 0, x->rank, &axis);
    if (s != HET_OK || het__tensor_bytes(out) == 0)
        return s;
    if (het__tensor_bytes(x) == 0)
        return refuse_index(e, het__index_at(indices, 0), 0);
    const size_t element = het__element_bytes(x->dtype);
    const int64_t n = het__tensor_elements(indices), extent = x->extent[axis];
    line_walk w;
    line_init(&w, indices, x, axis);
    for (int64_t i = 0; i < n; i++, line_next(&w)) {
        const int64_t at = index_of(indices, i, extent);
        if (at < 0)
            return refuse_index(e, het__index_at(indices, i), extent);
        memcpy((char *)out->data + (size_t)i * element,
               (const char *)x->data + (size_t)(w.base + at * w.strides[axis]) * element, element);
    }
    return HET_OK;
}

/* Element where the slice begins that depth indices from first on name, behind the axes before
 * axis; -1: one of them is outside. */
static int64_t slice_start(const het__tensor *x, const int64_t *strides, uint32_t axis,
                           const het__tensor *indices, int64_t first, uint32_t depth)
{
    int64_t start = 0;
    for (uint32_t k = 0; k < depth; k++) {
        const int64_t at = index_of(indices, first + k, x->extent[axis + k]);
        if (at < 0)
            return -1;
        start += at * strides[axis + k];
    }
    return start;
}

het_status het__plain_gather_nd(het__eval *e)
{
    const het__tensor *x = &e->inputs[0], *indices = &e->inputs[1], *out = &e->outputs[0];
    const uint32_t batch = (uint32_t)het__attr_int(e->attrs, "batch_dims", 0);
    const uint32_t depth = (uint32_t)indices->extent[indices->rank - 1];
    int64_t strides[HET_RANK_MAX];
    if (het__tensor_bytes(out) == 0)
        return HET_OK;
    if (het__tensor_bytes(x) == 0)
        return het__eval_refuse(e, "there is nothing to pick from");
    het__tensor_strides(x, strides);
    const int64_t batches = het__tensor_span(x, 0, batch);
    const int64_t per_batch = het__tensor_span(indices, batch, indices->rank - 1);
    const int64_t batch_step = het__tensor_span(x, batch, x->rank);
    const int64_t element = (int64_t)het__element_bytes(x->dtype);
    const int64_t run = het__tensor_span(x, batch + depth, x->rank) * element;
    char *to = out->data;
    for (int64_t i = 0; i < batches * per_batch; i++, to += run) {
        const int64_t start = slice_start(x, strides, batch, indices, i * depth, depth);
        if (start < 0)
            return het__eval_refuse(e, "indices %lld lie outside", (long long)i);
        memcpy(to, (const char *)x->data + (i / per_batch * batch_step + start) * element,
               (size_t)run);
    }
    return HET_OK;
}

/* ---- placing ---- */

enum { NONE, ADD, MUL, MIN, MAX };

static int reduction_of(const het__eval *e)
{
    static const char *const names[] = { "none", "add", "mul", "min", "max", NULL };
    int which;
    return het__choice(e, "reduction", "none", names, &which) == HET_OK ? which : NONE;
}

static double combine_f64(int how, double a, double b)
{
    switch (how) {
    case ADD: return a + b;
    case MUL: return a * b;
    case MIN: return a < b || isnan(a) ? a : b;
    default: return a > b || isnan(a) ? a : b;
    }
}

/* Modulo 2^64, of which smaller types keep the low bits. */
static int64_t combine_i64(int how, int64_t a, int64_t b, bool is_unsigned)
{
    const uint64_t x = (uint64_t)a, y = (uint64_t)b;
    const bool less = is_unsigned ? x < y : a < b;
    switch (how) {
    case ADD: return (int64_t)(x + y);
    case MUL: return (int64_t)(x * y);
    case MIN: return less ? a : b;
    default: return less ? b : a;
    }
}

/* n elements of updates from u on into those of out from o on. */
static void place(int how, const het__tensor *out, int64_t o, const het__tensor *updates,
                  int64_t u, int64_t n)
{
    const het_dtype dtype = out->dtype;
    const size_t element = het__element_bytes(dtype);
    if (how == NONE) {
        memcpy((char *)out->data + (size_t)o * element,
               (const char *)updates->data + (size_t)u * element, (size_t)n * element);
    } else if (het__dtype_is_float(dtype)) {
        for (int64_t i = 0; i < n; i++)
            het__put_f64(dtype, out->data, o + i,
                         combine_f64(how, het__get_f64(dtype, out->data, o + i),
                                     het__get_f64(dtype, updates->data, u + i)));
    } else {
        const bool is_unsigned = het__dtype_is_unsigned(dtype);
        for (int64_t i = 0; i < n; i++)
            het__put_i64(dtype, out->data, o + i,
                         combine_i64(how, het__get_i64(dtype, out->data, o + i),
                                     het__get_i64(dtype, updates->data, u + i), is_unsigned));
    }
}

/* The output begins as a copy of input 0; false: it has no elements. */
static bool copy_first(const het__eval *e)
{
    const int64_t bytes = het__tensor_bytes(&e->outputs[0]);
    if (bytes)
        memcpy(e->outputs[0].data, e->inputs[0].data, (size_t)bytes);
    return bytes > 0;
}

het_status het__plain_scatter_elements(het__eval *e)
{
    const het__tensor *indices = &e->inputs[1], *updates = &e->inputs[2], *out = &e->outputs[0];
    const int how = reduction_of(e);
    uint32_t axis;
    const het_status s = het__axis_of(e, "axis", 0, out->rank, &axis);
    if (s != HET_OK || het__tensor_bytes(indices) == 0) {
        copy_first(e);
        return s;
    }
    const int64_t n = het__tensor_elements(indices), extent = out->extent[axis];
    if (!copy_first(e))
        return refuse_index(e, het__index_at(indices, 0), extent);
    line_walk w;
    line_init(&w, indices, out, axis);
    for (int64_t i = 0; i < n; i++, line_next(&w)) {
        const int64_t at = index_of(indices, i, extent);
        if (at < 0)
            return refuse_index(e, het__index_at(indices, i), extent);
        place(how, out, w.base + at * w.strides[axis], updates, i, 1);
    }
    return HET_OK;
}

het_status het__plain_scatter_nd(het__eval *e)
{
    const het__tensor *indices = &e->inputs[1], *updates = &e->inputs[2], *out = &e->outputs[0];
    const uint32_t depth = (uint32_t)indices->extent[indices->rank - 1];
    const int how = reduction_of(e);
    int64_t strides[HET_RANK_MAX];
    const bool has_elements = copy_first(e);
    if (het__tensor_bytes(updates) == 0)
        return HET_OK;
    if (!has_elements)
        return het__eval_refuse(e, "there is nowhere to place anything");
    het__tensor_strides(out, strides);
    const int64_t slices = het__tensor_span(indices, 0, indices->rank - 1);
    const int64_t run = het__tensor_span(out, depth, out->rank);
    for (int64_t i = 0; i < slices; i++) {
        const int64_t start = slice_start(out, strides, 0, indices, i * depth, depth);
        if (start < 0)
            return het__eval_refuse(e, "indices %lld lie outside", (long long)i);
        place(how, out, start, updates, i * run, run);
    }
    return HET_OK;
}

het_status het__plain_tensor_scatter(het__eval *e)
{
    const het__tensor *update = &e->inputs[1], *given = het__eval_input(e, 2);
    const het__tensor *out = &e->outputs[0];
    const bool circular = strcmp(het__attr_string(e->attrs, "mode", "linear"), "circular") == 0;
    uint32_t axis;
    const het_status s = het__axis_of(e, "axis", -2, out->rank, &axis);
    if (s != HET_OK || !copy_first(e) || het__tensor_bytes(update) == 0)
        return s;
    const int64_t most = out->extent[axis], length = update->extent[axis];
    const int64_t lines = het__tensor_span(out, 1, axis);
    const int64_t run = het__tensor_span(out, axis + 1, out->rank);
    for (int64_t b = 0; b < out->extent[0]; b++) {
        int64_t first = given ? het__index_at(given, b) : 0;
        if (circular)
            first = (first % most + most) % most;
        else if (first < 0 || first > most - length)
            return refuse_index(e, first, most - length + 1);
        for (int64_t i = b * lines; i < (b + 1) * lines; i++)
            for (int64_t k = 0; k < length; k++) {
                const int64_t at = first + k < most ? first + k : first + k - most;
                place(NONE, out, (i * most + at) * run, update, (i * length + k) * run, run);
            }
    }
    return HET_OK;
}
