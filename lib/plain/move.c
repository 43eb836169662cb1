/* SPDX-License-Identifier: Apache-2.0 */
/* Kernels of operations that give elements other places: transposing, joining, splitting, slicing,
 * spreading, repeating, blocks to channels and back. All of them are copies between two regular
 * layouts; an output without elements needs none, and only then may extents of an operand overflow
 * when they are multiplied. */
#include <string.h>

#include "lib/ir/move.h"
#include "lib/plain/plain.h"
#include "lib/plain/strided.h"

het_status het__plain_transpose(het__eval *e)
{
    const het__tensor *x = &e->inputs[0];
    const size_t element = het__element_bytes(x->dtype);
    uint32_t permutation[HET_RANK_MAX];
    int64_t strides[HET_RANK_MAX];
    const het_status s = het__permutation_of(e, x, permutation);
    if (s != HET_OK || het__tensor_bytes(&e->outputs[0]) == 0)
        return s;
    het__strided places = { 0 };
    het__tensor_strides(x, strides);
    for (uint32_t i = 0; i < x->rank; i++)
        het__strided_axis(&places, x->extent[permutation[i]], 0,
                          strides[permutation[i]] * (int64_t)element);
    het__strided_dense(&places, element);
    het__strided_copy(&places, e->outputs[0].data, x->data, element);
    return HET_OK;
}

/* Rows of a part against rows of the whole, both in bytes. */
static void copy_rows(char *to, int64_t to_row, const char *from, int64_t from_row, int64_t rows,
                      int64_t bytes)
{
    for (int64_t i = 0; i < rows && bytes; i++)
        memcpy(to + i * to_row, from + i * from_row, (size_t)bytes);
}

het_status het__plain_concat(het__eval *e)
{
    const het__tensor *out = &e->outputs[0];
    uint32_t axis;
    const het_status s = het__axis_of(e, "axis", 1, out->rank, &axis);
    if (s != HET_OK || het__tensor_bytes(out) == 0)
        return s;
    const int64_t element = (int64_t)het__element_bytes(out->dtype);
    const int64_t rows = het__tensor_span(out, 0, axis);
    const int64_t inner = het__tensor_span(out, axis + 1, out->rank) * element;
    const int64_t whole = out->extent[axis] * inner;
    char *to = out->data;
    for (uint32_t i = 0; i < e->input_count; i++) {
        const int64_t part = e->inputs[i].extent[axis] * inner;
        copy_rows(to, whole, e->inputs[i].data, part, rows, part);
        to += part;
    }
    return HET_OK;
}

het_status het__plain_split(het__eval *e)
{
    const het__tensor *x = &e->inputs[0];
    uint32_t axis;
    const het_status s = het__axis_of(e, "axis", 0, x->rank, &axis);
    if (s != HET_OK || het__tensor_bytes(x) == 0)
        return s;
    const int64_t element = (int64_t)het__element_bytes(x->dtype);
    const int64_t rows = het__tensor_span(x, 0, axis);
    const int64_t inner = het__tensor_span(x, axis + 1, x->rank) * element;
    const int64_t whole = x->extent[axis] * inner;
    const char *from = x->data;
    for (uint32_t i = 0; i < e->output_count; i++) {
        const int64_t part = e->outputs[i].extent[axis] * inner;
        copy_rows(e->outputs[i].data, part, from, whole, rows, part);
        from += part;
    }
    return HET_OK;
}

het_status het__plain_slice(het__eval *e)
{
    const het__tensor *x = &e->inputs[0], *out = &e->outputs[0];
    const size_t element = het__element_bytes(x->dtype);
    int64_t strides[HET_RANK_MAX];
    het__slicing slice;
    bool known;
    const het_status s = het__slice_of(e, x, &slice, &known);
    if (s != HET_OK || het__tensor_bytes(out) == 0)
        return s;
    het__strided places = { 0 };
    const char *from = x->data;
    het__tensor_strides(x, strides);
    for (uint32_t i = 0; i < x->rank; i++) {
        const int64_t step = strides[i] * (int64_t)element;
        if (slice.count[i] != out->extent[i])
            return het__eval_refuse(e, "the bounds have changed");
        from += slice.start[i] * step;
        het__strided_axis(&places, slice.count[i], 0, slice.step[i] * step);
    }
    het__strided_dense(&places, element);
    het__strided_copy(&places, out->data, from, element);
    return HET_OK;
}

/* Every element of the output from the one that it stems from; extents of x are repeated as often
 * as they fit those of the output, one that is 1 by staying where it is. */
static void repeat(const het__tensor *x, const het__tensor *out)
{
    const size_t element = het__element_bytes(x->dtype);
    int64_t strides[HET_RANK_MAX];
    het__strided places = { 0 };
    if (het__tensor_bytes(out) == 0)
        return;
    het__tensor_strides(x, strides);
    for (uint32_t i = 0; i < out->rank; i++) {
        const uint32_t missing = out->rank - x->rank;
        const int64_t have = i < missing ? 1 : x->extent[i - missing];
        het__strided_axis(&places, out->extent[i] / have, 0, 0);
        het__strided_axis(&places, have, 0,
                          i < missing ? 0 : strides[i - missing] * (int64_t)element);
    }
    het__strided_dense(&places, element);
    het__strided_copy(&places, out->data, x->data, element);
}

het_status het__plain_expand(het__eval *e)
{
    repeat(&e->inputs[0], &e->outputs[0]);
    return HET_OK;
}

het_status het__plain_tile(het__eval *e)
{
    repeat(&e->inputs[0], &e->outputs[0]);
    return HET_OK;
}

/* Copies x seen with six extents into the order of axes. */
static void shuffle(const het__eval *e, const int64_t extent[6], const int order[6])
{
    const size_t element = het__element_bytes(e->inputs[0].dtype);
    int64_t strides[6], step = (int64_t)element;
    het__strided places = { 0 };
    if (het__tensor_bytes(&e->outputs[0]) == 0)
        return;
    for (int i = 5; i >= 0; i--) {
        strides[i] = step;
        step *= extent[i];
    }
    for (int i = 0; i < 6; i++)
        het__strided_axis(&places, extent[order[i]], 0, strides[order[i]]);
    het__strided_dense(&places, element);
    het__strided_copy(&places, e->outputs[0].data, e->inputs[0].data, element);
}

het_status het__plain_depth_to_space(het__eval *e)
{
    const int64_t *x = e->inputs[0].extent;
    const int64_t side = het__attr_int(e->attrs, "blocksize", 1);
    const int64_t channels = x[1] / (side * side);
    if (strcmp(het__attr_string(e->attrs, "mode", "DCR"), "CRD") == 0)
        shuffle(e, (const int64_t[6]){ x[0], channels, side, side, x[2], x[3] },
                (const int[6]){ 0, 1, 4, 2, 5, 3 });
    else
        shuffle(e, (const int64_t[6]){ x[0], side, side, channels, x[2], x[3] },
                (const int[6]){ 0, 3, 4, 1, 5, 2 });
    return HET_OK;
}

het_status het__plain_space_to_depth(het__eval *e)
{
    const int64_t *x = e->inputs[0].extent;
    const int64_t side = het__attr_int(e->attrs, "blocksize", 1);
    shuffle(e, (const int64_t[6]){ x[0], x[1], x[2] / side, side, x[3] / side, side },
            (const int[6]){ 0, 3, 5, 1, 2, 4 });
    return HET_OK;
}

het_status het__plain_reverse_sequence(het__eval *e)
{
    const het__tensor *x = &e->inputs[0], *lengths = &e->inputs[1];
    const uint32_t batch_axis = het__attr_int(e->attrs, "batch_axis", 1) != 0;
    if (het__tensor_bytes(x) == 0)
        return HET_OK;
    const int64_t run = het__tensor_span(x, 2, x->rank) * (int64_t)het__element_bytes(x->dtype);
    const int64_t batch = x->extent[batch_axis], time = x->extent[1 - batch_axis];
    const int64_t batch_step = batch_axis ? run : time * run;
    const int64_t time_step = batch_axis ? batch * run : run;
    for (int64_t b = 0; b < batch; b++) {
        const int64_t length = het__index_at(lengths, b);
        const char *from = (const char *)x->data + b * batch_step;
        char *to = (char *)e->outputs[0].data + b * batch_step;
        if (length < 0 || length > time)
            return het__eval_refuse(e, "sequence %lld of %lld has %lld", (long long)b,
                                    (long long)time, (long long)length);
        for (int64_t t = 0; t < time; t++)
            memcpy(to + t * time_step, from + (t < length ? length - 1 - t : t) * time_step,
                   (size_t)run);
    }
    return HET_OK;
}

het_status het__plain_center_crop_pad(het__eval *e)
{
    const het__tensor *x = &e->inputs[0], *out = &e->outputs[0];
    const size_t element = het__element_bytes(x->dtype);
    int64_t from_step[HET_RANK_MAX], to_step[HET_RANK_MAX];
    het__strided places = { 0 };
    if (het__tensor_bytes(out) == 0)
        return HET_OK;
    memset(out->data, 0, (size_t)het__tensor_bytes(out));
    if (het__tensor_bytes(x) == 0)
        return HET_OK;
    const char *from = x->data;
    char *to = out->data;
    het__tensor_strides(x, from_step);
    het__tensor_strides(out, to_step);
    for (uint32_t i = 0; i < x->rank; i++) {
        const int64_t have = x->extent[i], want = out->extent[i];
        from_step[i] *= (int64_t)element;
        to_step[i] *= (int64_t)element;
        from += have > want ? (have - want) / 2 * from_step[i] : 0;
        to += want > have ? (want - have) / 2 * to_step[i] : 0;
        het__strided_axis(&places, have < want ? have : want, to_step[i], from_step[i]);
    }
    het__strided_copy(&places, to, from, element);
    return HET_OK;
}

het_status het__plain_trilu(het__eval *e)
{
    const het__tensor *x = &e->inputs[0];
    const bool upper = het__attr_int(e->attrs, "upper", 1) != 0;
    const het__tensor *given = het__eval_input(e, 1);
    if (het__tensor_bytes(x) == 0)
        return HET_OK;
    const size_t element = het__element_bytes(x->dtype);
    const int64_t rows = x->extent[x->rank - 2], columns = x->extent[x->rank - 1];
    const int64_t count = het__tensor_span(x, 0, x->rank - 1);
    int64_t k = given ? het__index_at(given, 0) : 0;
    k = k < -rows ? -rows : k > columns ? columns : k;
    for (int64_t i = 0; i < count; i++) {
        char *to = (char *)e->outputs[0].data + (size_t)(i * columns) * element;
        /* The first column of the upper part, or the first one behind the lower. */
        int64_t edge = i % rows + k + !upper;
        edge = edge < 0 ? 0 : edge > columns ? columns : edge;
        const size_t left = (size_t)edge * element, right = (size_t)(columns - edge) * element;
        memcpy(to, (const char *)x->data + (size_t)(i * columns) * element, left + right);
        memset(upper ? to : to + left, 0, upper ? left : right);
    }
    return HET_OK;
}
