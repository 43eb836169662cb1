/* SPDX-License-Identifier: Apache-2.0 */
/* Padding, and columns of blocks back to images.
 *
 * Padding walks the output axis by axis; axes behind the last padded one are one run of bytes, and
 * along that last one the middle is one memcpy. */
#include <string.h>

#include "lib/ir/move.h"
#include "lib/plain/plain.h"
#include "lib/plain/strided.h"

typedef struct padding {
    het__pad pad;
    const het__tensor *x;
    uint32_t last;      /* axis; those behind it are not padded */
    int64_t unit;       /* bytes of all axes behind last */
    size_t element;
    char value[8];      /* one element */
    int64_t from[HET_RANK_MAX], to[HET_RANK_MAX]; /* bytes of one step */
} padding;

/* Element of the input's axis that stands at place o of the output's; -1: the value. */
static int64_t source_of(const padding *p, uint32_t axis, int64_t o)
{
    const int64_t before = p->pad.before[axis], kept = p->pad.kept[axis];
    const int64_t start = before < 0 ? -before : 0;
    int64_t at = o - (before > 0 ? before : 0);
    if (at >= 0 && at < kept)
        return start + at;
    switch (p->pad.mode) {
    case HET__PAD_EDGE:
        return start + (at < 0 ? 0 : kept - 1);
    case HET__PAD_WRAP:
        at %= kept;
        return start + (at < 0 ? at + kept : at);
    case HET__PAD_REFLECT: {
        const int64_t period = kept > 1 ? 2 * (kept - 1) : 1;
        at %= period;
        at += at < 0 ? period : 0;
        return start + (at < kept ? at : period - at);
    }
    default:
        return -1;
    }
}

static void fill(const padding *p, char *to, int64_t bytes)
{
    het__fill(to, p->value, p->element, bytes / (int64_t)p->element);
}

static void pad_units(const padding *p, char *to, const char *from, int64_t first, int64_t end)
{
    if (p->pad.mode == HET__PAD_CONSTANT) {
        fill(p, to + first * p->unit, (end - first) * p->unit);
        return;
    }
    for (int64_t o = first; o < end; o++)
        memcpy(to + o * p->unit, from + source_of(p, p->last, o) * p->unit, (size_t)p->unit);
}

static void pad_last(const padding *p, char *to, const char *from)
{
    const int64_t before = p->pad.before[p->last], kept = p->pad.kept[p->last];
    const int64_t extent = p->pad.extent[p->last];
    /* What is cut at the end may be part of what is put at the beginning. */
    const int64_t left = before < 0 ? 0 : before < extent ? before : extent;
    pad_units(p, to, from, 0, left);
    if (kept)
        memcpy(to + left * p->unit, from + (before < 0 ? -before : 0) * p->unit,
               (size_t)(kept * p->unit));
    pad_units(p, to, from, left + kept, extent);
}

/* At most HET_RANK_MAX deep. */
static void pad_axis(const padding *p, uint32_t axis, char *to, const char *from)
{
    if (axis == p->last) {
        pad_last(p, to, from);
        return;
    }
    for (int64_t o = 0; o < p->pad.extent[axis]; o++) {
        const int64_t source = source_of(p, axis, o);
        if (source < 0)
            fill(p, to + o * p->to[axis], p->to[axis]);
        else
            pad_axis(p, axis + 1, to + o * p->to[axis], from + source * p->from[axis]);
    }
}

static void find_value(const het__eval *e, padding *p)
{
    const het__tensor *value = het__eval_input(e, 2);
    if (value)
        memcpy(p->value, value->data, p->element);
    else
        het__put_f64(p->x->dtype, p->value, 0,
                     (double)het__attr_float(e->attrs, "value", 0));
}

static het_status find_steps(const het__eval *e, padding *p)
{
    int64_t from = (int64_t)p->element, to = from;
    for (uint32_t i = p->x->rank; i-- > 0;) {
        const int64_t before = p->pad.before[i], after = p->pad.after[i];
        if (p->pad.extent[i] != e->outputs[0].extent[i])
            return het__eval_refuse(e, "the pads have changed");
        if (p->unit == 0 && (i == 0 || before || after)) {
            p->last = i;
            p->unit = from;
        }
        p->from[i] = from;
        p->to[i] = to;
        from *= p->x->extent[i];
        to *= p->pad.extent[i];
    }
    return HET_OK;
}

het_status het__plain_pad(het__eval *e)
{
    const het__tensor *out = &e->outputs[0];
    padding p = { .x = &e->inputs[0], .element = het__element_bytes(out->dtype) };
    bool known;
    het_status s = het__pad_of(e, p.x, &p.pad, &known);
    if (s != HET_OK || het__tensor_bytes(out) == 0)
        return s;
    find_value(e, &p);
    if (het__tensor_bytes(p.x) == 0) {
        fill(&p, out->data, het__tensor_bytes(out));
        return HET_OK;
    }
    s = find_steps(e, &p);
    if (s != HET_OK)
        return s;
    if (out->rank == 0)
        memcpy(out->data, p.x->data, p.element);
    else
        pad_axis(&p, 0, out->data, p.x->data);
    return HET_OK;
}

/* ---- Col2Im ---- */

/* The next place of a counter over extents; false behind the last. */
static bool step(uint32_t rank, const int64_t *extent, int64_t *at)
{
    for (uint32_t i = rank; i-- > 0;) {
        if (++at[i] < extent[i])
            return true;
        at[i] = 0;
    }
    return false;
}

/* Element of the image where an element of a block falls; -1: into the padding. */
static int64_t place_of(const het__col2im *c, const int64_t *block, const int64_t *in_block)
{
    int64_t place = 0;
    for (uint32_t i = 0; i < c->rank; i++) {
        const int64_t at = block[i] * c->stride[i] + in_block[i] * c->dilation[i] - c->pad[i];
        if (at < 0 || at >= c->image[i])
            return -1;
        place = place * c->image[i] + at;
    }
    return place;
}

/* All columns of one channel, added up from element first of x on. */
static void add_blocks(const het__col2im *c, const het__tensor *x, int64_t first, double *image)
{
    int64_t in_block[HET_RANK_MAX] = { 0 };
    do {
        int64_t block[HET_RANK_MAX] = { 0 };
        do {
            const int64_t place = place_of(c, block, in_block);
            if (place >= 0)
                image[place] += het__get_f64(x->dtype, x->data, first);
            first++;
        } while (step(c->rank, c->count, block));
    } while (step(c->rank, c->block, in_block));
}

het_status het__plain_col2im(het__eval *e)
{
    const het__tensor *x = &e->inputs[0], *out = &e->outputs[0];
    het__col2im c = { 0 };
    bool known;
    const het_status s = het__col2im_of(e, x, &c, &known);
    if (s != HET_OK || het__tensor_bytes(out) == 0)
        return s;
    for (uint32_t i = 0; i < c.rank; i++)
        if (out->rank != c.rank + 2 || out->extent[i + 2] != c.image[i])
            return het__eval_refuse(e, "the image has changed");
    const int64_t size = het__tensor_span(out, 2, out->rank);
    const int64_t images = out->extent[0] * out->extent[1];
    const int64_t columns = x->extent[1] / c.channels * x->extent[2];
    double *image = het__eval_scratch(e, (size_t)size, sizeof *image);
    if (!image)
        return het__eval_nomem(e);
    for (int64_t n = 0; n < images; n++) {
        memset(image, 0, (size_t)size * sizeof *image);
        add_blocks(&c, x, n * columns, image);
        for (int64_t i = 0; i < size; i++)
            het__put_f64(out->dtype, out->data, n * size + i, image[i]);
    }
    return HET_OK;
}
