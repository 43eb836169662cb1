/* SPDX-License-Identifier: Apache-2.0 */
/* Reading operands and lists of the operations that move elements. */
#include "lib/ir/move.h"

#include <assert.h>
#include <math.h>
#include <string.h>

#include "lib/base/dtype.h"
#include "lib/quant/quant.h"

het_status het__ints_of(const het__eval *e, uint32_t i, const char *name, uint32_t most,
                        het__ints *list)
{
    het_status s;
    assert(most <= HET__EVAL_OUTPUTS_MAX);
    memset(list, 0, sizeof *list);
    list->known = het__eval_ints(e, i, name, most, list->at, &list->count, &list->present, &s);
    return s;
}

het_status het__operand(const het__eval *e, uint32_t i, const het__tensor **t)
{
    *t = het__eval_input(e, i);
    if (!*t)
        return het__eval_refuse(e, "input %u is missing", i);
    if (!het__dtype((*t)->dtype) || het__dtype_is_block((*t)->dtype))
        return het__eval_unsupported(e, "input %u has no single elements", i);
    return HET_OK;
}

het_status het__index_operand(const het__eval *e, uint32_t i, const het__tensor **t)
{
    const het_status s = het__operand(e, i, t);
    if (s == HET_OK && (*t)->dtype != HET_DTYPE_I32 && (*t)->dtype != HET_DTYPE_I64)
        return het__eval_refuse(e, "input %u are indices of type %s", i,
                                het_dtype_name((*t)->dtype));
    return s;
}

size_t het__element_bytes(het_dtype dtype)
{
    return het__dtype(dtype)->block_bytes;
}

bool het__span_checked(const het__tensor *t, uint32_t first, uint32_t last, int64_t *n)
{
    int64_t product = 1;
    for (uint32_t i = first; i < last; i++)
        if (!het__mul_i64(product, t->extent[i], &product))
            return false;
    *n = product;
    return true;
}

#define LOAD(type) \
    type x; \
    memcpy(&x, (const char *)t->data + i * (int64_t)sizeof x, sizeof x)

double het__number(const het__tensor *t, int64_t i)
{
    switch ((int)t->dtype) {
    case HET_DTYPE_F32: { LOAD(float); return (double)x; }
    case HET_DTYPE_F64: { LOAD(double); return x; }
    case HET_DTYPE_F16: { LOAD(uint16_t); return (double)het__f16_to_f32(x); }
    case HET_DTYPE_BF16: { LOAD(uint16_t); return (double)het__bf16_to_f32(x); }
    case HET_DTYPE_U8: { LOAD(uint8_t); return x; }
    case HET_DTYPE_I8: { LOAD(int8_t); return x; }
    case HET_DTYPE_U16: { LOAD(uint16_t); return x; }
    case HET_DTYPE_I16: { LOAD(int16_t); return x; }
    case HET_DTYPE_U32: { LOAD(uint32_t); return x; }
    case HET_DTYPE_I32: { LOAD(int32_t); return x; }
    case HET_DTYPE_U64: { LOAD(uint64_t); return (double)x; }
    case HET_DTYPE_I64: { LOAD(int64_t); return (double)x; }
    default: return (double)NAN;
    }
}

bool het__is_nonzero(const het__tensor *t, int64_t i)
{
    const size_t bytes = het__element_bytes(t->dtype);
    const unsigned char *p = (const unsigned char *)t->data + (size_t)i * bytes;
    unsigned char bits = 0, top = p[bytes - 1];
    switch ((int)t->dtype) {
    case HET_DTYPE_F8E8M0:
        return true;
    case HET_DTYPE_F64:
    case HET_DTYPE_F32:
    case HET_DTYPE_F16:
    case HET_DTYPE_BF16:
    case HET_DTYPE_F8E4M3:
    case HET_DTYPE_F8E5M2:
        top &= 0x7F;
        break;
    case HET_DTYPE_F4E2M1:
        top &= 0x07;
        break;
    default:
        break;
    }
    for (size_t k = 0; k + 1 < bytes; k++)
        bits |= p[k];
    return (bits | top) != 0;
}

int64_t het__index_at(const het__tensor *t, int64_t i)
{
    if (t->dtype == HET_DTYPE_I32) {
        LOAD(int32_t);
        return x;
    }
    LOAD(int64_t);
    return x;
}

het_status het__axis_of(const het__eval *e, const char *name, int64_t absent, uint32_t rank,
                        uint32_t *axis)
{
    const int64_t given = het__attr_int(e->attrs, name, absent);
    const int64_t a = het__axis(given, rank);
    if (a < 0)
        return het__eval_refuse(e, "%s %lld is outside of rank %u", name, (long long)given, rank);
    *axis = (uint32_t)a;
    return HET_OK;
}

het_status het__axes_check(const het__eval *e, int64_t *axes, uint32_t count, uint32_t rank)
{
    uint32_t seen = 0;
    for (uint32_t i = 0; i < count; i++) {
        const int64_t a = het__axis(axes[i], rank);
        if (a < 0)
            return het__eval_refuse(e, "axis %lld is outside of rank %u", (long long)axes[i],
                                    rank);
        if (seen >> a & 1)
            return het__eval_refuse(e, "axis %lld is there twice", (long long)a);
        seen |= UINT32_C(1) << a;
        axes[i] = a;
    }
    return HET_OK;
}

het_status het__choice(const het__eval *e, const char *name, const char *absent,
                       const char *const *names, int *which)
{
    const char *given = het__attr_string(e->attrs, name, absent);
    for (*which = 0; names[*which]; ++*which)
        if (strcmp(given, names[*which]) == 0)
            return HET_OK;
    return het__eval_refuse(e, "%s is \"%.40s\"", name, given);
}

het_status het__unknown_extents(het__eval *e, het_dtype dtype)
{
    if (e->output_count)
        e->outputs[0].dtype = dtype;
    return het__eval_unknown(e);
}

het_status het__permutation_of(const het__eval *e, const het__tensor *x,
                               uint32_t permutation[HET_RANK_MAX])
{
    const het__attr *a = het__attr_find(e->attrs, "perm", HET__ATTR_INTS);
    int64_t axes[HET_RANK_MAX] = { 0 };
    if (a && a->count != x->rank)
        return het__eval_refuse(e, "%u axes in perm for rank %u", a->count, x->rank);
    for (uint32_t i = 0; i < x->rank; i++)
        axes[i] = a ? a->u.ints[i] : (int64_t)(x->rank - 1 - i);
    const het_status s = het__axes_check(e, axes, x->rank, x->rank);
    for (uint32_t i = 0; s == HET_OK && i < x->rank; i++)
        permutation[i] = (uint32_t)axes[i];
    return s;
}

/* ---- Slice ---- */

static int64_t clamp(int64_t x, int64_t low, int64_t high)
{
    return x < low ? low : x > high ? high : x;
}

/* Bounds count from the back where they are negative, and are cut to the extent. A step beyond the
 * extent picks one element, as one as long as the extent does. */
static void cut(int64_t extent, int64_t start, int64_t end, int64_t step, het__slicing *slice,
                int64_t axis)
{
    const int64_t reach = extent > 0 ? extent : 1;
    const bool down = step < 0;
    step = clamp(step, -reach, reach);
    start += start < 0 ? extent : 0;
    end += end < 0 ? extent : 0;
    if (down) {
        start = start < 0 ? 0 : start;
        start = start > extent - 1 ? extent - 1 : start;
        end = clamp(end, -1, extent - 1);
    } else {
        start = clamp(start, 0, extent);
        end = clamp(end, 0, extent);
    }
    const int64_t way = down ? start - end : end - start;
    slice->start[axis] = start;
    slice->step[axis] = step;
    slice->count[axis] = way > 0 ? 1 + (way - 1) / (down ? -step : step) : 0;
}

static het_status slice_lists(const het__eval *e, het__ints lists[4], bool *known)
{
    static const char *const names[] = { "starts", "ends", "axes", "steps" };
    *known = true;
    for (uint32_t k = 0; k < 4; k++) {
        const het_status s = het__ints_of(e, k + 1, k < 3 ? names[k] : NULL, HET_RANK_MAX,
                                          &lists[k]);
        if (s != HET_OK)
            return s;
        if (!lists[k].present && k < 2)
            return het__eval_refuse(e, "there are no %s", names[k]);
        if (lists[k].present && lists[k].count != lists[0].count)
            return het__eval_refuse(e, "%u %s for %u starts", lists[k].count, names[k],
                                    lists[0].count);
        *known = *known && lists[k].known;
    }
    return HET_OK;
}

het_status het__slice_of(const het__eval *e, const het__tensor *x, het__slicing *slice, bool *known)
{
    het__ints lists[4];
    het_status s = slice_lists(e, lists, known);
    if (s != HET_OK || !*known)
        return s;
    const het__ints *starts = &lists[0], *ends = &lists[1], *steps = &lists[3];
    int64_t *axes = lists[2].at;
    for (uint32_t i = 0; i < starts->count && !lists[2].present; i++)
        axes[i] = i;
    s = het__axes_check(e, axes, starts->count, x->rank);
    if (s != HET_OK)
        return s;
    for (uint32_t i = 0; i < x->rank; i++)
        cut(x->extent[i], 0, x->extent[i], 1, slice, i);
    for (uint32_t k = 0; k < starts->count; k++) {
        const int64_t step = steps->present ? steps->at[k] : 1;
        if (step == 0)
            return het__eval_refuse(e, "step %u is zero", k);
        cut(x->extent[axes[k]], starts->at[k], ends->at[k], step, slice, axes[k]);
    }
    return HET_OK;
}

/* ---- Pad ---- */

static het_status pad_extent(const het__eval *e, const het__tensor *x, uint32_t i, het__pad *pad)
{
    const int64_t before = pad->before[i], after = pad->after[i];
    int64_t kept, extent;
    if (__builtin_add_overflow(x->extent[i], before < 0 ? before : 0, &kept) ||
        __builtin_add_overflow(kept, after < 0 ? after : 0, &kept) ||
        __builtin_add_overflow(kept, before > 0 ? before : 0, &extent) ||
        __builtin_add_overflow(extent, after > 0 ? after : 0, &extent))
        return het__eval_refuse(e, "axis %u becomes too long", i);
    if (extent < 0 || (pad->mode != HET__PAD_CONSTANT && kept < (extent > 0)))
        return het__eval_refuse(e, "more is cut from axis %u than it has", i);
    pad->kept[i] = kept > 0 ? kept : 0;
    pad->extent[i] = extent;
    return HET_OK;
}

het_status het__pad_of(const het__eval *e, const het__tensor *x, het__pad *pad, bool *known)
{
    static const char *const modes[] = { "constant", "reflect", "edge", "wrap", NULL };
    het__ints pads, axes;
    het_status s = het__choice(e, "mode", "constant", modes, &pad->mode);
    if (s == HET_OK)
        s = het__ints_of(e, 1, "pads", 2 * HET_RANK_MAX, &pads);
    if (s == HET_OK)
        s = het__ints_of(e, 3, NULL, HET_RANK_MAX, &axes);
    if (s != HET_OK)
        return s;
    const uint32_t n = axes.present ? axes.count : x->rank;
    if (!pads.present || pads.count != 2 * n)
        return het__eval_refuse(e, "%u pads for %u axes", pads.count, n);
    *known = pads.known && axes.known;
    if (!*known)
        return HET_OK;
    for (uint32_t i = 0; i < n && !axes.present; i++)
        axes.at[i] = i;
    s = het__axes_check(e, axes.at, n, x->rank);
    memset(pad->before, 0, sizeof pad->before);
    memset(pad->after, 0, sizeof pad->after);
    for (uint32_t i = 0; s == HET_OK && i < n; i++) {
        pad->before[axes.at[i]] = pads.at[i];
        pad->after[axes.at[i]] = pads.at[n + i];
    }
    for (uint32_t i = 0; s == HET_OK && i < x->rank; i++)
        s = pad_extent(e, x, i, pad);
    return s;
}

/* ---- Split ---- */

static het_status split_evenly(const het__eval *e, int64_t extent, het__ints *parts)
{
    const int64_t n = e->output_count;
    const int64_t said = het__attr_int(e->attrs, "num_outputs", n);
    if (said != n || n == 0)
        return het__eval_refuse(e, "num_outputs is %lld, the node has %lld", (long long)said,
                                (long long)n);
    if (e->attrs->opset < 18 && extent % n != 0)
        return het__eval_refuse(e, "%lld is not %lld equal parts", (long long)extent,
                                (long long)n);
    const int64_t most = extent / n + (extent % n != 0);
    for (int64_t i = 0, rest = extent; i < n; i++) {
        parts->at[i] = rest < most ? rest : most;
        rest -= parts->at[i];
    }
    parts->count = (uint32_t)n;
    return HET_OK;
}

het_status het__split_of(const het__eval *e, const het__tensor *x, uint32_t axis,
                         het__ints *parts)
{
    if (e->output_count > HET__EVAL_OUTPUTS_MAX)
        return het__eval_refuse(e, "%u outputs", e->output_count);
    const het_status s = het__ints_of(e, 1, "split", HET__EVAL_OUTPUTS_MAX, parts);
    if (s != HET_OK)
        return s;
    if (!parts->present)
        return split_evenly(e, x->extent[axis], parts);
    if (parts->count != e->output_count)
        return het__eval_refuse(e, "%u parts for %u outputs", parts->count, e->output_count);
    int64_t rest = x->extent[axis];
    for (uint32_t i = 0; parts->known && i < parts->count; i++) {
        if (parts->at[i] < 0 || parts->at[i] > rest)
            return het__eval_refuse(e, "part %u is %lld of %lld", i, (long long)parts->at[i],
                                    (long long)rest);
        rest -= parts->at[i];
    }
    if (parts->known && rest != 0)
        return het__eval_refuse(e, "the parts leave %lld", (long long)rest);
    return HET_OK;
}

/* ---- Shape ---- */

uint32_t het__shape_bounds(const het__eval *e, uint32_t rank, uint32_t *first)
{
    int64_t start = het__attr_int(e->attrs, "start", 0);
    int64_t end = het__attr_int(e->attrs, "end", rank);
    start = clamp(start + (start < 0 ? (int64_t)rank : 0), 0, rank);
    end = clamp(end + (end < 0 ? (int64_t)rank : 0), 0, rank);
    *first = (uint32_t)start;
    return end > start ? (uint32_t)(end - start) : 0;
}

/* ---- Col2Im ---- */

/* One number per axis of the image from an attribute; absent: a default. */
static het_status per_axis(const het__eval *e, const char *name, uint32_t count, int64_t absent,
                           int64_t least, int64_t *out)
{
    const het__attr *a = het__attr_find(e->attrs, name, HET__ATTR_INTS);
    if (a && a->count != count)
        return het__eval_refuse(e, "%u %s where there should be %u", a->count, name, count);
    for (uint32_t i = 0; i < count; i++) {
        out[i] = a ? a->u.ints[i] : absent;
        if (out[i] < least)
            return het__eval_refuse(e, "%lld in %s", (long long)out[i], name);
    }
    return HET_OK;
}

/* Blocks along axis i: places of a window with holes in the padded image. */
static bool count_blocks(het__col2im *c, uint32_t i, int64_t pad_after)
{
    int64_t window, padded;
    if (c->image[i] < 0 || c->block[i] <= 0 ||
        !het__mul_i64(c->block[i] - 1, c->dilation[i], &window) ||
        __builtin_add_overflow(c->image[i], c->pad[i], &padded) ||
        __builtin_add_overflow(padded, pad_after, &padded) || padded - 1 < window)
        return false;
    c->count[i] = (padded - 1 - window) / c->stride[i] + 1;
    return true;
}

static het_status fit_blocks(const het__eval *e, const het__tensor *x, const int64_t *pads,
                             het__col2im *c)
{
    int64_t elements = 1, blocks = 1;
    for (uint32_t i = 0; i < c->rank; i++) {
        c->pad[i] = pads[i];
        if (!count_blocks(c, i, pads[c->rank + i]) ||
            !het__mul_i64(elements, c->block[i], &elements) ||
            !het__mul_i64(blocks, c->count[i], &blocks))
            return het__eval_refuse(e, "no block fits axis %u", i);
    }
    if (x->extent[1] % elements != 0 || x->extent[2] != blocks)
        return het__eval_refuse(e, "%lld by %lld for blocks of %lld, %lld of them",
                                (long long)x->extent[1], (long long)x->extent[2],
                                (long long)elements, (long long)blocks);
    c->channels = x->extent[1] / elements;
    return HET_OK;
}

het_status het__col2im_of(const het__eval *e, const het__tensor *x, het__col2im *c, bool *known)
{
    het__ints image, block;
    int64_t pads[2 * HET_RANK_MAX];
    if (x->rank != 3)
        return het__eval_refuse(e, "rank %u where there are batch, columns, blocks", x->rank);
    het_status s = het__ints_of(e, 1, NULL, HET_RANK_MAX - 2, &image);
    if (s == HET_OK)
        s = het__ints_of(e, 2, NULL, HET_RANK_MAX - 2, &block);
    if (s != HET_OK)
        return s;
    if (!image.present || image.count != block.count || image.count == 0)
        return het__eval_refuse(e, "an image of %u axes, blocks of %u", image.count, block.count);
    c->rank = image.count;
    memcpy(c->image, image.at, sizeof c->image);
    memcpy(c->block, block.at, sizeof c->block);
    *known = image.known && block.known;
    s = per_axis(e, "strides", c->rank, 1, 1, c->stride);
    if (s == HET_OK)
        s = per_axis(e, "dilations", c->rank, 1, 1, c->dilation);
    if (s == HET_OK)
        s = per_axis(e, "pads", 2 * c->rank, 0, 0, pads);
    return s == HET_OK && *known ? fit_blocks(e, x, pads, c) : s;
}
