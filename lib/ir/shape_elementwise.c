/* SPDX-License-Identifier: Apache-2.0 */
/* Shape rules of operations that work element by element: which types each accepts, how operands
 * broadcast, what type comes out. The types are those of the newest version of each operation:
 * an older graph that uses one of them before its time is harmless. */
#include <string.h>

#include "lib/ir/shapes.h"

#define BIT(type) (1u << HET_DTYPE_##type)
#define FLOATS (BIT(F32) | BIT(F16) | BIT(BF16) | BIT(F64))
#define SIGNED (BIT(I8) | BIT(I16) | BIT(I32) | BIT(I64))
#define UNSIGNED (BIT(U8) | BIT(U16) | BIT(U32) | BIT(U64))
#define INTS (SIGNED | UNSIGNED)
#define NUMBERS (FLOATS | INTS)
#define SMALL_FLOATS (BIT(F8E4M3) | BIT(F8E4M3UZ) | BIT(F8E5M2) | BIT(F8E5M2UZ))
#define SCALARS 0xfffffffeu /* every type that is no block format */

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

/* Of the inputs from first on, which are at least so many that least is reached. */
static het_status check_same_type(const het__eval *e, uint32_t first, uint32_t least)
{
    const uint32_t end = e->input_count > least ? e->input_count : least;
    for (uint32_t i = first + 1; i < end; i++) {
        if (!het__eval_input(e, i))
            return het__eval_refuse(e, "input %u is missing", i);
        if (e->inputs[i].dtype != e->inputs[first].dtype)
            return het__eval_refuse(e, "input %u is %s where input %u is %s", i,
                                    het_dtype_name(e->inputs[i].dtype), first,
                                    het_dtype_name(e->inputs[first].dtype));
    }
    return HET_OK;
}

/* What an output may be; NONE stands for a number that the attribute may not have. */
static het_status check_target(const het__eval *e, het_dtype dtype, uint32_t types)
{
    if (dtype == HET_DTYPE_NONE)
        return het__eval_unsupported(e, "its element type (a string, complex or later one) is not "
                                        "computed with here");
    if (!is_one_of(dtype, types))
        return het__eval_refuse(e, "the output cannot be %s", het_dtype_name(dtype));
    return HET_OK;
}

/* ---- one operand ---- */

static uint32_t types_of_unary(het__op op)
{
    if (op > HET__OP_T_CLIP)
        return SCALARS; /* operations of other groups check for themselves */
    switch (op) {
    case HET__OP_T_IDENTITY: return SCALARS;
    case HET__OP_T_NOT: return BIT(BOOL);
    case HET__OP_T_BITWISE_NOT: return INTS;
    case HET__OP_T_NEG:
    case HET__OP_T_RELU: return FLOATS | SIGNED;
    case HET__OP_T_ABS:
    case HET__OP_T_SIGN:
    case HET__OP_T_SHRINK:
    case HET__OP_T_CLIP: return NUMBERS;
    default: return FLOATS;
    }
}

static het_status check_bounds(const het__eval *e)
{
    for (uint32_t i = 1; i < 3; i++) {
        const het__tensor *t = het__eval_input(e, i);
        if (t && (t->dtype != e->inputs[0].dtype || het__tensor_elements(t) != 1))
            return het__eval_refuse(e, "bound %u is not one number of the input's type", i);
    }
    return HET_OK;
}

/* A bias along the last extent, as FastGelu may have it. */
static het_status check_bias(const het__eval *e)
{
    const het__tensor *x = &e->inputs[0], *bias = het__eval_input(e, 1);
    if (bias && (bias->dtype != x->dtype || bias->rank != 1 || x->rank == 0 ||
                 bias->extent[0] != x->extent[x->rank - 1]))
        return het__eval_refuse(e, "the bias does not fit the input's last extent");
    return HET_OK;
}

static het_status check_approximation(const het__eval *e)
{
    const char *kind = het__attr_string(e->attrs, "approximate", "none");
    if (strcmp(kind, "none") != 0 && strcmp(kind, "tanh") != 0)
        return het__eval_refuse(e, "approximate is neither none nor tanh");
    return HET_OK;
}

het_status het__shape_same(het__eval *e)
{
    het_status s = check_type(e, 0, types_of_unary(e->node->op));
    if (s == HET_OK && e->node->op == HET__OP_T_GELU)
        s = check_approximation(e);
    if (s == HET_OK && e->node->op == HET__OP_T_CLIP)
        s = check_bounds(e);
    if (s == HET_OK && e->node->op == HET__OP_T_MS_FAST_GELU)
        s = check_bias(e);
    return s == HET_OK ? het__eval_like(e, 0, e->inputs[0].dtype, &e->inputs[0]) : s;
}

het_status het__shape_test(het__eval *e)
{
    const het_status s = check_type(e, 0, FLOATS | SMALL_FLOATS);
    return s == HET_OK ? het__eval_like(e, 0, HET_DTYPE_BOOL, &e->inputs[0]) : s;
}

static het_status shape_of_cast(het__eval *e, het_dtype to)
{
    het_status s = check_type(e, 0, SCALARS);
    if (s == HET_OK)
        s = check_target(e, to, SCALARS);
    const char *mode = het__attr_string(e->attrs, "round_mode", "up");
    if (s == HET_OK && strcmp(mode, "up") != 0 && strcmp(mode, "down") != 0 &&
        strcmp(mode, "nearest") != 0)
        s = het__eval_refuse(e, "round_mode is none of up, down, nearest");
    return s == HET_OK ? het__eval_like(e, 0, to, &e->inputs[0]) : s;
}

static het_status cast_target(const het__eval *e, het_dtype *to)
{
    if (!het__attr_find(e->attrs, "to", HET__ATTR_INT))
        return het__eval_refuse(e, "there is no attribute to");
    *to = het__attr_dtype(e->attrs, "to", HET_DTYPE_NONE);
    return HET_OK;
}

het_status het__shape_cast(het__eval *e)
{
    het_dtype to = HET_DTYPE_NONE;
    const het_status s = cast_target(e, &to);
    return s == HET_OK ? shape_of_cast(e, to) : s;
}

het_status het__shape_cast_like(het__eval *e)
{
    const het__tensor *like = het__eval_input(e, 1);
    if (!like)
        return het__eval_refuse(e, "input 1 is missing");
    return shape_of_cast(e, like->dtype);
}

static uint32_t bits_of(het_dtype dtype)
{
    switch ((int)dtype) {
    case HET_DTYPE_I2:
    case HET_DTYPE_U2: return 2;
    case HET_DTYPE_I4:
    case HET_DTYPE_U4:
    case HET_DTYPE_F4E2M1: return 4;
    default: return 8 * (uint32_t)het_dtype_bytes(dtype, 1);
    }
}

het_status het__shape_bit_cast(het__eval *e)
{
    het_dtype to = HET_DTYPE_NONE;
    het_status s = cast_target(e, &to);
    if (s == HET_OK)
        s = shape_of_cast(e, to);
    if (s == HET_OK && bits_of(to) != bits_of(e->inputs[0].dtype))
        return het__eval_refuse(e, "%s and %s are not of one size",
                                het_dtype_name(e->inputs[0].dtype), het_dtype_name(to));
    return s;
}

/* One number, if the input is there. */
static het_status check_number(const het__eval *e, uint32_t i, uint32_t types)
{
    const het__tensor *t = het__eval_input(e, i);
    if (!t)
        return HET_OK;
    if (!is_one_of(t->dtype, types) || het__tensor_elements(t) != 1)
        return het__eval_refuse(e, "input %u is not one number of a type that it may have", i);
    return HET_OK;
}

het_status het__shape_dropout(het__eval *e)
{
    het_status s = check_type(e, 0, FLOATS | SMALL_FLOATS);
    if (s == HET_OK)
        s = check_number(e, 1, FLOATS | SMALL_FLOATS);
    if (s == HET_OK)
        s = check_number(e, 2, BIT(BOOL));
    if (s == HET_OK)
        s = het__eval_like(e, 0, e->inputs[0].dtype, &e->inputs[0]);
    /* The mask had the data's type in the first versions. */
    const het_dtype mask = e->attrs->opset < 10 ? e->inputs[0].dtype : HET_DTYPE_BOOL;
    return s == HET_OK ? het__eval_like(e, 1, mask, &e->inputs[0]) : s;
}

/* ---- random numbers ---- */

het_status het__shape_random_like(het__eval *e)
{
    const bool bernoulli = e->node->op == HET__OP_T_BERNOULLI;
    het_status s = check_type(e, 0, bernoulli ? FLOATS : SCALARS);
    if (s != HET_OK)
        return s;
    const het_dtype dtype = het__attr_dtype(e->attrs, "dtype", e->inputs[0].dtype);
    s = check_target(e, dtype, bernoulli ? NUMBERS | BIT(BOOL) : FLOATS);
    return s == HET_OK ? het__eval_like(e, 0, dtype, &e->inputs[0]) : s;
}

het_status het__shape_random(het__eval *e)
{
    const het__attr *shape = het__attr_find(e->attrs, "shape", HET__ATTR_INTS);
    const het_dtype dtype = het__attr_dtype(e->attrs, "dtype", HET_DTYPE_F32);
    if (!shape)
        return het__eval_refuse(e, "there is no attribute shape");
    const het_status s = check_target(e, dtype, FLOATS);
    return s == HET_OK ? het__eval_shape(e, 0, dtype, shape->count, shape->u.ints) : s;
}

het_status het__shape_multinomial(het__eval *e)
{
    het_status s = check_type(e, 0, FLOATS);
    if (s != HET_OK)
        return s;
    const het__tensor *x = &e->inputs[0];
    const het_dtype dtype = het__attr_dtype(e->attrs, "dtype", HET_DTYPE_I32);
    const int64_t extent[] = { x->rank ? x->extent[0] : 0,
                               het__attr_int(e->attrs, "sample_size", 1) };
    if (x->rank != 2 || (x->extent[1] == 0 && x->extent[0] != 0))
        return het__eval_refuse(e, "the input is no matrix of rows with classes in them");
    s = check_target(e, dtype, BIT(I32) | BIT(I64));
    return s == HET_OK ? het__eval_shape(e, 0, dtype, 2, extent) : s;
}

/* ---- several operands ---- */

/* The extents of all operands from first on, broadcast. */
static het_status shape_of_all(het__eval *e, uint32_t first, het_dtype dtype)
{
    het__tensor out = e->inputs[first];
    for (uint32_t i = 0; i < e->input_count; i++) {
        char a[64], b[64];
        if (het__broadcast(&e->inputs[i], &out))
            continue;
        het__tensor_describe(&out, a, sizeof a);
        het__tensor_describe(&e->inputs[i], b, sizeof b);
        return het__eval_refuse(e, "%s does not broadcast to %s", b, a);
    }
    return het__eval_shape(e, 0, dtype, out.rank, out.extent);
}

void het__second_operand(const het__eval *e, het__tensor *view)
{
    const het__tensor *a = &e->inputs[0];
    *view = e->inputs[1];
    if (e->attrs->opset >= 7 || view->rank == 0 || view->rank > a->rank)
        return;
    const int64_t trailing = a->rank - view->rank;
    const int64_t slope = view->rank == 1 && view->extent[0] != 1 && a->rank > 1 ? 1 : trailing;
    const int64_t axis = e->node->op == HET__OP_T_PRELU
                             ? slope
                             : het__attr_int(e->attrs, "axis", trailing);
    for (int64_t i = axis; axis >= 0 && i < trailing; i++)
        view->extent[view->rank++] = 1;
}

/* The extents of two operands, broadcast. */
static het_status shape_of_two(het__eval *e, het_dtype dtype)
{
    het__tensor second;
    char a[64], b[64];
    het__second_operand(e, &second);
    het__tensor out = second;
    if (het__broadcast(&e->inputs[0], &out))
        return het__eval_shape(e, 0, dtype, out.rank, out.extent);
    het__tensor_describe(&e->inputs[0], a, sizeof a);
    het__tensor_describe(&second, b, sizeof b);
    return het__eval_refuse(e, "%s does not broadcast to %s", b, a);
}

static uint32_t types_of_broadcast(het__op op)
{
    switch (op) {
    case HET__OP_T_AND:
    case HET__OP_T_OR:
    case HET__OP_T_XOR: return BIT(BOOL);
    case HET__OP_T_BIT_SHIFT:
    case HET__OP_T_BITWISE_AND:
    case HET__OP_T_BITWISE_OR:
    case HET__OP_T_BITWISE_XOR: return INTS;
    case HET__OP_T_SUM:
    case HET__OP_T_MEAN: return FLOATS;
    default: return NUMBERS;
    }
}

static bool is_variadic(het__op op)
{
    return op == HET__OP_T_MAX || op == HET__OP_T_MIN || op == HET__OP_T_SUM ||
           op == HET__OP_T_MEAN;
}

static het_status check_direction(const het__eval *e)
{
    const char *direction = het__attr_string(e->attrs, "direction", "");
    if (strcmp(direction, "LEFT") != 0 && strcmp(direction, "RIGHT") != 0)
        return het__eval_refuse(e, "direction is neither LEFT nor RIGHT");
    return HET_OK;
}

het_status het__shape_broadcast(het__eval *e)
{
    const het__op op = e->node->op;
    het_status s = check_type(e, 0, types_of_broadcast(op));
    if (s == HET_OK && op == HET__OP_T_POW)
        s = check_type(e, 1, NUMBERS);
    else if (s == HET_OK)
        s = check_same_type(e, 0, is_variadic(op) ? 1 : 2);
    if (s == HET_OK && op == HET__OP_T_BIT_SHIFT)
        s = check_direction(e);
    if (s == HET_OK)
        s = is_variadic(op) ? shape_of_all(e, 0, e->inputs[0].dtype)
                            : shape_of_two(e, e->inputs[0].dtype);
    if (s == HET_OK && op == HET__OP_T_PRELU &&
        !het__tensor_same_extents(&e->outputs[0], &e->inputs[0]))
        return het__eval_refuse(e, "the slope does not broadcast to the input's extents");
    return s;
}

het_status het__shape_compare(het__eval *e)
{
    const uint32_t booleans = e->node->op == HET__OP_T_EQUAL ? BIT(BOOL) : 0;
    het_status s = check_type(e, 0, NUMBERS | booleans);
    if (s == HET_OK)
        s = check_same_type(e, 0, 2);
    return s == HET_OK ? shape_of_two(e, HET_DTYPE_BOOL) : s;
}

het_status het__shape_where(het__eval *e)
{
    het_status s = check_type(e, 0, BIT(BOOL));
    if (s == HET_OK)
        s = check_type(e, 1, SCALARS);
    if (s == HET_OK)
        s = check_same_type(e, 1, 3);
    return s == HET_OK ? shape_of_all(e, 1, e->inputs[1].dtype) : s;
}
