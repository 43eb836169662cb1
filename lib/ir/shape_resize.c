/* SPDX-License-Identifier: Apache-2.0 */
/* Shape rules of operations that sample images at other places. */
#include "lib/ir/move.h"
#include "lib/ir/shapes.h"

het_status het__shape_resize(het__eval *e)
{
    const het__tensor *x;
    het__resize r;
    bool known;
    het_status s = het__operand(e, 0, &x);
    if (s == HET_OK)
        s = het__resize_of(e, x, &r, &known);
    if (s != HET_OK)
        return s;
    if (!known)
        return het__unknown_extents(e, x->dtype);
    for (uint32_t i = 0; i < x->rank; i++)
        if (x->extent[i] == 0 && r.extent[i] > 0)
            return het__eval_refuse(e, "axis %u has nothing to sample", i);
    return het__eval_shape(e, 0, x->dtype, x->rank, r.extent);
}

het_status het__shape_grid_sample(het__eval *e)
{
    static const char *const modes[] = { "linear", "nearest", "cubic", "bilinear", "bicubic",
                                         NULL };
    static const char *const paddings[] = { "zeros", "border", "reflection", NULL };
    const het__tensor *x, *grid;
    int choice;
    het_status s = het__operand(e, 0, &x);
    if (s == HET_OK)
        s = het__operand(e, 1, &grid);
    if (s == HET_OK)
        s = het__choice(e, "mode", "linear", modes, &choice);
    if (s == HET_OK)
        s = het__choice(e, "padding_mode", "zeros", paddings, &choice);
    if (s != HET_OK)
        return s;
    if (x->rank < 3 || grid->rank != x->rank || grid->extent[0] != x->extent[0] ||
        grid->extent[grid->rank - 1] != (int64_t)x->rank - 2)
        return het__eval_refuse(e, "the grid does not fit images of rank %u", x->rank);
    int64_t extent[HET_RANK_MAX] = { x->extent[0], x->extent[1] };
    for (uint32_t i = 2; i < x->rank; i++)
        extent[i] = grid->extent[i - 1];
    return het__eval_shape(e, 0, x->dtype, x->rank, extent);
}

het_status het__shape_affine_grid(het__eval *e)
{
    const het__tensor *theta;
    het__ints size;
    het_status s = het__operand(e, 0, &theta);
    if (s == HET_OK)
        s = het__ints_of(e, 1, NULL, 5, &size);
    if (s != HET_OK)
        return s;
    if (size.count < 4 || theta->rank != 3 || theta->extent[1] != (int64_t)size.count - 2 ||
        theta->extent[2] != (int64_t)size.count - 1)
        return het__eval_refuse(e, "matrices of rank %u for %u sizes", theta->rank, size.count);
    if (!size.known)
        return het__unknown_extents(e, theta->dtype);
    if (size.at[0] != theta->extent[0])
        return het__eval_refuse(e, "%lld matrices for a batch of %lld",
                                (long long)theta->extent[0], (long long)size.at[0]);
    int64_t extent[HET_RANK_MAX] = { size.at[0] };
    for (uint32_t i = 2; i < size.count; i++)
        extent[i - 1] = size.at[i];
    extent[size.count - 1] = (int64_t)size.count - 2;
    return het__eval_shape(e, 0, theta->dtype, size.count, extent);
}
