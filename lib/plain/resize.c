/* SPDX-License-Identifier: Apache-2.0 */
/* Resizing. Nearest moves bytes. Linear and cubic go axis by axis; the last two, where they are
 * neighbours, in one step: rows of the input are combined into one row of doubles, whose elements
 * are then combined into a row of the output, which is rounded once. */
#include <math.h>
#include <string.h>

#include "lib/base/dtype.h"
#include "lib/plain/plain.h"
#include "lib/plain/resize.h"
#include "lib/plain/strided.h"

/* Axes that linear and cubic resize: so many fit the pieces of scratch memory that a kernel has. */
#define AXES_MAX 6

/* Rounds as the type does; what an integer type cannot hold becomes its nearest end. */
static void store(het_dtype dtype, void *data, int64_t i, double x)
{
    if (dtype == HET_DTYPE_F32) {
        const float f = (float)x;
        memcpy((char *)data + i * (int64_t)sizeof f, &f, sizeof f);
        return;
    }
    if (het__dtype_is_int(dtype)) {
        const bool packed2 = dtype == HET_DTYPE_I2 || dtype == HET_DTYPE_U2;
        const bool packed4 = dtype == HET_DTYPE_I4 || dtype == HET_DTYPE_U4;
        const int bits = packed2 ? 2 : packed4 ? 4 : 8 * (int)het__element_bytes(dtype);
        const bool is_unsigned = het__dtype_is_unsigned(dtype);
        const double low = is_unsigned ? 0 : -ldexp(1, bits - 1);
        const double end = ldexp(1, is_unsigned ? bits : bits - 1);
        x = rint(x);
        x = x >= end ? nextafter(end, 0) : x >= low ? x : low;
    }
    het__put_f64(dtype, data, i, x);
}

/* ---- nearest ---- */

typedef struct nearest {
    het__taps taps[HET_RANK_MAX];
    uint32_t last; /* axis; those behind it stay as they are */
    int64_t unit;  /* bytes of the axes behind last */
    int64_t from[HET_RANK_MAX], to[HET_RANK_MAX]; /* bytes of one step */
    size_t element;
    char value[8]; /* where coordinates lie outside */
} nearest;

static void fill(const nearest *n, char *to, int64_t bytes)
{
    het__fill(to, n->value, n->element, bytes / (int64_t)n->element);
}

#define PICK(bytes) \
    for (int64_t o = 0; o < t->out; o++) \
        memcpy(to + o * n->unit, from + t->index[o] * n->unit, bytes)

static void nearest_last(const nearest *n, char *to, const char *from)
{
    const het__taps *t = &n->taps[n->last];
    switch (n->unit) {
    case 1: PICK(1); break;
    case 2: PICK(2); break;
    case 4: PICK(4); break;
    case 8: PICK(8); break;
    default: PICK((size_t)n->unit); break;
    }
    for (int64_t o = 0; o < t->out; o++)
        if (t->outside[o])
            fill(n, to + o * n->unit, n->unit);
}

/* At most HET_RANK_MAX deep. */
static void nearest_axis(const nearest *n, uint32_t axis, char *to, const char *from)
{
    if (axis == n->last) {
        nearest_last(n, to, from);
        return;
    }
    const het__taps *t = &n->taps[axis];
    const int64_t step = n->to[axis];
    for (int64_t o = 0; o < t->out; o++) {
        if (t->outside[o])
            fill(n, to + o * step, step);
        else if (o > 0 && !t->outside[o - 1] && t->index[o] == t->index[o - 1])
            memcpy(to + o * step, to + (o - 1) * step, (size_t)step);
        else
            nearest_axis(n, axis + 1, to + o * step, from + t->index[o] * n->from[axis]);
    }
}

/* ---- linear and cubic ---- */

/* A pass: [outer, a, b, inner] with a and b resized; NULL for an axis of one element. */
typedef struct pass {
    int64_t outer, inner;
    const het__taps *a, *b;
    const void *source;
    het_dtype source_type; /* F32 or F64 */
    void *target;
    het_dtype target_type;
    double extrapolation;
    double *row; /* of b->in * inner */
} pass;

static void add_row(double *row, const pass *p, int64_t first, int64_t n, double weight, bool sets)
{
    if (p->source_type == HET_DTYPE_F64) {
        const double *x = (const double *)p->source + first;
        for (int64_t i = 0; i < n; i++)
            row[i] = (sets ? 0 : row[i]) + weight * x[i];
        return;
    }
    const float *x = (const float *)p->source + first;
    for (int64_t i = 0; i < n; i++)
        row[i] = (sets ? 0 : row[i]) + weight * (double)x[i];
}

static void extrapolate(const pass *p, int64_t first, int64_t n)
{
    for (int64_t i = 0; i < n; i++)
        store(p->target_type, p->target, first + i, p->extrapolation);
}

/* Two neighbours per element, nothing behind the axis, floats: what images mostly are. */
static void write_pairs(const pass *p, int64_t first)
{
    const het__taps *b = p->b;
    char *to = (char *)p->target + first * (int64_t)sizeof(float);
    for (int64_t o = 0; o < b->out; o++) {
        const double sum = b->weight[2 * o] * p->row[b->index[2 * o]] +
                           b->weight[2 * o + 1] * p->row[b->index[2 * o + 1]];
        const float f = b->outside[o] ? (float)p->extrapolation : (float)sum;
        memcpy(to + o * (int64_t)sizeof f, &f, sizeof f);
    }
}

static void write_row(const pass *p, int64_t first)
{
    const het__taps *b = p->b;
    if (!b) {
        for (int64_t i = 0; i < p->inner; i++)
            store(p->target_type, p->target, first + i, p->row[i]);
        return;
    }
    if (b->width == 2 && p->inner == 1 && p->target_type == HET_DTYPE_F32) {
        write_pairs(p, first);
        return;
    }
    for (int64_t o = 0; o < b->out; o++) {
        const int64_t *index = b->index + o * b->width;
        const double *weight = b->weight + o * b->width;
        if (b->outside[o]) {
            extrapolate(p, first + o * p->inner, p->inner);
            continue;
        }
        for (int64_t i = 0; i < p->inner; i++) {
            double sum = 0;
            for (int64_t k = 0; k < b->width; k++)
                sum += weight[k] * p->row[index[k] * p->inner + i];
            store(p->target_type, p->target, first + o * p->inner + i, sum);
        }
    }
}

static void run_pass(const pass *p)
{
    const int64_t in = (p->b ? p->b->in : 1) * p->inner, out = (p->b ? p->b->out : 1) * p->inner;
    const int64_t rows_in = p->a ? p->a->in : 1, rows_out = p->a ? p->a->out : 1;
    for (int64_t n = 0; n < p->outer; n++)
        for (int64_t o = 0; o < rows_out; o++) {
            const int64_t first = (n * rows_out + o) * out;
            if (p->a && p->a->outside[o]) {
                extrapolate(p, first, out);
                continue;
            }
            if (!p->a)
                add_row(p->row, p, n * in, in, 1, true);
            for (int64_t k = 0; p->a && k < p->a->width; k++)
                add_row(p->row, p, (n * rows_in + p->a->index[o * p->a->width + k]) * in, in,
                        p->a->weight[o * p->a->width + k], k == 0);
            write_row(p, first);
        }
}

/* What is resized, and what the passes work on. */
typedef struct weighted {
    het__taps taps[HET_RANK_MAX];
    uint32_t axes[HET_RANK_MAX];
    uint32_t count;
    het__tensor now; /* extents and data of what the next pass reads: F32 or F64 */
    double extrapolation;
} weighted;

/* The last axis of the list, or the last two if they are neighbours, or one before them. */
static het_status next_pass(het__eval *e, weighted *w, uint32_t first, uint32_t count)
{
    const het__tensor *out = &e->outputs[0];
    const uint32_t axis = w->axes[first], behind = axis + count;
    const bool is_last = first + count == w->count;
    const int64_t inner = het__tensor_span(&w->now, behind, w->now.rank);
    const bool lonely = count == 1 && inner == 1;
    pass p = { .outer = het__tensor_span(&w->now, 0, axis), .inner = inner,
               .a = lonely ? NULL : &w->taps[axis],
               .b = lonely ? &w->taps[axis] : count == 2 ? &w->taps[axis + 1] : NULL,
               .source = w->now.data, .source_type = w->now.dtype, .target = out->data,
               .target_type = is_last ? out->dtype : HET_DTYPE_F64,
               .extrapolation = w->extrapolation };
    for (uint32_t i = axis; i < behind; i++)
        w->now.extent[i] = w->taps[i].out;
    w->now.dtype = p.target_type;
    const int64_t bytes = het__tensor_bytes(&w->now);
    if (bytes < 0)
        return het__eval_refuse(e, "an axis in between becomes too long");
    if (!is_last)
        p.target = het__eval_scratch(e, (size_t)bytes, 1);
    p.row = het__eval_scratch(e, (size_t)((p.b ? p.b->in : 1) * inner), sizeof *p.row);
    if (!p.target || !p.row)
        return het__eval_nomem(e);
    run_pass(&p);
    w->now.data = p.target;
    return HET_OK;
}

/* Input as aligned floats or doubles. */
static het_status start(het__eval *e, weighted *w)
{
    const het__tensor *x = &e->inputs[0];
    w->now = *x;
    if (x->dtype == HET_DTYPE_F32 && (uintptr_t)x->data % sizeof(float) == 0)
        return HET_OK;
    const int64_t n = het__tensor_elements(x);
    double *copy = het__eval_scratch(e, (size_t)n, sizeof *copy);
    if (!copy)
        return het__eval_nomem(e);
    for (int64_t i = 0; i < n; i++)
        copy[i] = het__get_f64(x->dtype, x->data, i);
    w->now.dtype = HET_DTYPE_F64;
    w->now.data = copy;
    return HET_OK;
}

static bool is_resized(const het__resize *r, const het__tensor *x, uint32_t axis)
{
    return r->extent[axis] != x->extent[axis] || fabs(r->scale[axis] - 1) > 1e-9 ||
           (r->transform == HET__RESIZE_TF_CROP && (r->from[axis] != 0 || r->to[axis] != 1));
}

static het_status resize_weighted(het__eval *e, const het__resize *r)
{
    const het__tensor *x = &e->inputs[0];
    weighted w = { .extrapolation = r->extrapolation };
    het_status s = start(e, &w);
    for (uint32_t i = 0; s == HET_OK && i < x->rank; i++) {
        if (!is_resized(r, x, i))
            continue;
        w.axes[w.count++] = i;
        s = het__taps_of(e, r, i, x->extent[i], &w.taps[i]);
    }
    if (w.count > AXES_MAX)
        return het__eval_unsupported(e, "more than %d axes at once", AXES_MAX);
    const bool pair = w.count > 1 && w.axes[w.count - 1] == w.axes[w.count - 2] + 1;
    for (uint32_t i = 0; s == HET_OK && i < w.count; i++) {
        const bool both = pair && i + 2 == w.count;
        s = next_pass(e, &w, i, both ? 2 : 1);
        i += both;
    }
    return s;
}

static het_status resize_nearest(het__eval *e, const het__resize *r)
{
    const het__tensor *x = &e->inputs[0], *out = &e->outputs[0];
    nearest n = { .element = het__element_bytes(x->dtype) };
    store(x->dtype, n.value, 0, r->extrapolation);
    int64_t from = (int64_t)n.element, to = from;
    for (uint32_t i = x->rank; i-- > 0;) {
        if (n.unit == 0 && (i == 0 || is_resized(r, x, i))) {
            n.unit = from;
            n.last = i;
        }
        n.from[i] = from;
        n.to[i] = to;
        from *= x->extent[i];
        to *= out->extent[i];
        const het_status s = n.unit ? het__taps_of(e, r, i, x->extent[i], &n.taps[i]) : HET_OK;
        if (s != HET_OK)
            return s;
    }
    nearest_axis(&n, 0, out->data, x->data);
    return HET_OK;
}

het_status het__plain_resize(het__eval *e)
{
    const het__tensor *x = &e->inputs[0], *out = &e->outputs[0];
    het__resize r;
    bool known, changes = false;
    const het_status s = het__resize_of(e, x, &r, &known);
    if (s != HET_OK || het__tensor_bytes(out) == 0)
        return s;
    for (uint32_t i = 0; i < x->rank; i++) {
        if (r.extent[i] != out->extent[i] || x->extent[i] == 0)
            return het__eval_refuse(e, "the sizes have changed");
        changes = changes || is_resized(&r, x, i);
    }
    if (!changes) {
        memcpy(out->data, x->data, (size_t)het__tensor_bytes(out));
        return HET_OK;
    }
    return r.mode == HET__RESIZE_NEAREST ? resize_nearest(e, &r) : resize_weighted(e, &r);
}
