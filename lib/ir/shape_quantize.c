/* SPDX-License-Identifier: Apache-2.0 */
/* Shape rules of quantised operations: which scales and zero points fit which input.
 *
 * Scale and zero point are one number, or one per place of an axis, or one per block of block_size
 * places of an axis; then they have the input's extents but for that axis. */
#include "lib/ir/shapes.h"

#define BIT(type) (1u << HET_DTYPE_##type)
#define SCALES (BIT(F32) | BIT(F16) | BIT(BF16) | BIT(F8E8M0))
#define SMALL_FLOATS (BIT(F8E4M3) | BIT(F8E4M3UZ) | BIT(F8E5M2) | BIT(F8E5M2UZ) | BIT(F4E2M1))
#define CODES \
    (BIT(I8) | BIT(U8) | BIT(I16) | BIT(U16) | BIT(I4) | BIT(U4) | BIT(I2) | BIT(U2) | SMALL_FLOATS)
#define BYTES (BIT(I8) | BIT(U8))

static bool is_one_of(het_dtype dtype, uint32_t types)
{
    return (uint32_t)dtype < 32 && (types >> (uint32_t)dtype & 1u);
}

static het_status check_type(const het__eval *e, uint32_t i, uint32_t types)
{
    const het__tensor *t = het__eval_input(e, i);
    if (!t)
        return het__eval_refuse(e, "input %u is missing", i);
    if (!is_one_of(t->dtype, types))
        return het__eval_refuse(e, "input %u cannot be %s", i, het_dtype_name(t->dtype));
    return HET_OK;
}

static het_status check_blocks(const het__eval *e, int64_t axis, int64_t block)
{
    const het__tensor *x = &e->inputs[0], *scale = &e->inputs[1];
    bool fits = scale->rank == x->rank && axis >= 0;
    for (uint32_t i = 0; fits && i < x->rank; i++) {
        const int64_t blocks = x->extent[i] / block + (x->extent[i] % block != 0);
        fits = scale->extent[i] == (i == axis ? blocks : x->extent[i]);
    }
    if (!fits)
        return het__eval_refuse(e, "the scale's extents are not those of blocks of %lld places",
                                (long long)block);
    return HET_OK;
}

/* Scale in input 1, zero point in input 2 if there is one. */
static het_status check_scale(const het__eval *e)
{
    const het__tensor *x = &e->inputs[0], *scale = &e->inputs[1], *zero = het__eval_input(e, 2);
    const int64_t axis = het__axis(het__attr_int(e->attrs, "axis", 1), x->rank);
    const int64_t block = het__attr_int(e->attrs, "block_size", 0);
    if (zero && !het__tensor_same_extents(zero, scale) &&
        !(het__tensor_elements(zero) == 1 && het__tensor_elements(scale) == 1))
        return het__eval_refuse(e, "zero point and scale are not of one shape");
    if (block < 0)
        return het__eval_refuse(e, "block_size is negative");
    if (het__tensor_elements(scale) == 1 && scale->rank <= 1)
        return HET_OK;
    if (block > 0)
        return check_blocks(e, axis, block);
    if (scale->rank != 1)
        return het__eval_refuse(e, "the scale has rank %u and there is no block_size",
                                scale->rank);
    if (axis < 0 || scale->extent[0] != x->extent[axis])
        return het__eval_refuse(e, "there are %lld scales, which is not the extent of the axis",
                                (long long)scale->extent[0]);
    return HET_OK;
}

het_status het__shape_quantize(het__eval *e)
{
    const het__tensor *zero = het__eval_input(e, 2);
    het_status s = check_type(e, 0, BIT(F32) | BIT(F16) | BIT(BF16) | BIT(I32));
    if (s == HET_OK)
        s = check_type(e, 1, SCALES | BIT(I32));
    if (s == HET_OK)
        s = check_scale(e);
    if (s != HET_OK)
        return s;
    const het_dtype given = zero ? zero->dtype : HET_DTYPE_U8;
    const het_dtype dtype = het__attr_dtype(e->attrs, "output_dtype", given);
    const het_dtype precision = het__attr_dtype(e->attrs, "precision", HET_DTYPE_F32);
    if (zero && zero->dtype != dtype)
        return het__eval_refuse(e, "output_dtype is not the zero point's type");
    if (!is_one_of(dtype, CODES))
        return het__eval_refuse(e, "it cannot quantise to %s", het_dtype_name(dtype));
    if (!is_one_of(precision, BIT(F32) | BIT(F16) | BIT(BF16)))
        return het__eval_refuse(e, "precision names no type to divide in");
    return het__eval_like(e, 0, dtype, &e->inputs[0]);
}

het_status het__shape_dequantize(het__eval *e)
{
    const het__tensor *zero = het__eval_input(e, 2);
    het_status s = check_type(e, 0, CODES | BIT(I32));
    if (s == HET_OK)
        s = check_type(e, 1, SCALES);
    if (s == HET_OK && zero && zero->dtype != e->inputs[0].dtype)
        s = het__eval_refuse(e, "the zero point is %s where the input is %s",
                             het_dtype_name(zero->dtype), het_dtype_name(e->inputs[0].dtype));
    if (s == HET_OK)
        s = check_scale(e);
    if (s != HET_OK)
        return s;
    const het_dtype dtype = het__attr_dtype(e->attrs, "output_dtype", e->inputs[1].dtype);
    if (!is_one_of(dtype, BIT(F32) | BIT(F16) | BIT(BF16)))
        return het__eval_refuse(e, "the output can only be F32, F16 or BF16");
    return het__eval_like(e, 0, dtype, &e->inputs[0]);
}

het_status het__shape_dynamic_quantize(het__eval *e)
{
    het_status s = check_type(e, 0, BIT(F32));
    if (s == HET_OK)
        s = het__eval_like(e, 0, HET_DTYPE_U8, &e->inputs[0]);
    if (s == HET_OK)
        s = het__eval_shape(e, 1, HET_DTYPE_F32, 0, NULL);
    return s == HET_OK ? het__eval_shape(e, 2, HET_DTYPE_U8, 0, NULL) : s;
}

/* Scale in input i and zero point of the codes' type behind it, one number each. */
static het_status check_pair(const het__eval *e, uint32_t i, het_dtype codes)
{
    const het__tensor *scale = het__eval_input(e, i), *zero = het__eval_input(e, i + 1);
    if (!scale || scale->dtype != HET_DTYPE_F32 || het__tensor_elements(scale) != 1)
        return het__eval_refuse(e, "input %u is not one F32 scale", i);
    if (zero && (zero->dtype != codes || het__tensor_elements(zero) != 1))
        return het__eval_refuse(e, "input %u is not one zero point of type %s", i + 1,
                                het_dtype_name(codes));
    return HET_OK;
}

het_status het__shape_qlinear_binary(het__eval *e)
{
    het_status s = check_type(e, 0, BYTES);
    if (s == HET_OK)
        s = check_type(e, 3, 1u << (uint32_t)e->inputs[0].dtype);
    for (uint32_t i = 1; s == HET_OK && i <= 6; i += i == 1 ? 3 : 2)
        s = check_pair(e, i, e->inputs[0].dtype);
    if (s != HET_OK)
        return s;
    het__tensor out = e->inputs[0];
    if (!het__broadcast(&e->inputs[3], &out))
        return het__eval_refuse(e, "the operands do not broadcast");
    return het__eval_like(e, 0, out.dtype, &out);
}

het_status het__shape_qlinear_pool(het__eval *e)
{
    het_status s = check_type(e, 0, BYTES);
    for (uint32_t i = 1; s == HET_OK && i <= 3; i += 2)
        s = check_pair(e, i, e->inputs[0].dtype);
    if (s != HET_OK)
        return s;
    het__tensor out = e->inputs[0];
    if (out.rank < 3)
        return het__eval_refuse(e, "rank %u has no places to average over", out.rank);
    const uint32_t first = het__attr_int(e->attrs, "channels_last", 0) ? 1 : 2;
    for (uint32_t i = first; i < first + out.rank - 2; i++) {
        if (out.extent[i] == 0)
            return het__eval_refuse(e, "there are no places to average over");
        out.extent[i] = 1;
    }
    return het__eval_like(e, 0, out.dtype, &out);
}
