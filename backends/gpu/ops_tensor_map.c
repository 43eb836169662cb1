/* SPDX-License-Identifier: Apache-2.0 */
/* Tensor operations element by element, over operands with regular steps. */
#include <assert.h>
#include <math.h>
#include <string.h>

#include "backends/gpu/tensor.h"

#define KERNEL_AXES 8

/* ---- places ---- */

void het__gpu_places_axis(het__gpu_places *p, int64_t extent, int64_t out, int64_t a)
{
    assert(p->rank < HET__GPU_AXES_MAX);
    p->extent[p->rank] = extent;
    p->step[HET__GPU_OUT][p->rank] = out;
    p->step[HET__GPU_A][p->rank] = a;
    p->rank++;
}

void het__gpu_places_dense(het__gpu_places *p)
{
    int64_t step = 1;
    for (uint32_t i = p->rank; i-- > 0; step *= p->extent[i])
        p->step[HET__GPU_OUT][i] = step;
}

void het__gpu_places_of(het__gpu_places *p, const het__tensor *out, const het__tensor *inputs,
                        uint32_t count)
{
    memset(p, 0, sizeof *p);
    p->rank = out->rank;
    memcpy(p->extent, out->extent, out->rank * sizeof *out->extent);
    het__gpu_places_dense(p);
    for (uint32_t k = 0; k < count; k++) {
        int64_t strides[HET_RANK_MAX];
        het__tensor_strides(&inputs[k], strides);
        for (uint32_t i = 0; i < inputs[k].rank; i++)
            p->step[HET__GPU_A + k][i + out->rank - inputs[k].rank] =
                inputs[k].extent[i] == 1 ? 0 : strides[i];
    }
}

static bool runs_on(const het__gpu_places *p, uint32_t outer, uint32_t inner)
{
    for (int k = 0; k < HET__GPU_SIDES; k++)
        if (p->step[k][outer] != p->step[k][inner] * p->extent[inner])
            return false;
    return true;
}

void het__gpu_places_merge(het__gpu_places *p)
{
    uint32_t kept = 0; /* axes from the front that are done with; the last may still grow */
    for (uint32_t i = 0; i < p->rank; i++) {
        if (p->extent[i] == 1)
            continue;
        const bool joins = kept > 0 && runs_on(p, kept - 1, i);
        const int64_t extent = p->extent[i] * (joins ? p->extent[kept - 1] : 1);
        kept += !joins;
        p->extent[kept - 1] = extent;
        for (int k = 0; k < HET__GPU_SIDES; k++)
            p->step[k][kept - 1] = p->step[k][i];
    }
    p->rank = kept;
    if (kept == 0) { /* one element */
        p->rank = 1;
        p->extent[0] = 1;
        for (int k = 0; k < HET__GPU_SIDES; k++)
            p->step[k][0] = 0;
    }
}

bool het__gpu_put_places(het__gpu_recipe *t, het__gpu_start *s, het__gpu_places *p)
{
    int32_t extent[KERNEL_AXES], steps[KERNEL_AXES * HET__GPU_SIDES] = { 0 };
    int64_t others = 1;
    het__gpu_places_merge(p);
    if (p->rank > KERNEL_AXES)
        return het__gpu_refuse(t, "%u axes that do not join", p->rank);
    for (uint32_t i = 0; i < KERNEL_AXES; i++) {
        const bool there = i < p->rank;
        extent[i] = there ? (int32_t)p->extent[p->rank - 1 - i] : 1;
        for (uint32_t k = 0; there && k < HET__GPU_SIDES; k++)
            steps[i * HET__GPU_SIDES + k] = (int32_t)p->step[k][p->rank - 1 - i];
        others *= i > 1 ? extent[i] : 1;
    }
    het__gpu_put_ints(s, KERNEL_AXES, extent);
    het__gpu_put_int(s, others);
    het__gpu_put_ints(s, 16, steps);
    het__gpu_put_ints(s, 16, steps + 16);
    het__gpu_start_option(s, " -DRANK=%u", p->rank);
    het__gpu_start_items(s, extent[0], extent[1], others, t->starts.facts->is_cpu ? 256 : 64);
    return true;
}

bool het__gpu_add_map(het__gpu_recipe *t, het__gpu_map *map)
{
    const uint32_t arity = map->arity ? map->arity : 1;
    if (!map->to || !map->type[0])
        return het__gpu_refuse(t, "no kernel for these types");
    het__gpu_start *s = het__gpu_starts_add(&t->starts, "tensor_map", "map");
    het__gpu_start_option(s, "-DF=f_%s -DARITY=%u -DTO=%s", map->f, arity, map->to);
    for (uint32_t i = 0; i < arity; i++)
        het__gpu_start_option(s, " -DT%c=%s", "ABC"[i], map->type[i]);
    het__gpu_put_output(s, map->output, map->out_offset);
    for (uint32_t i = 0; i < 3; i++)
        het__gpu_put_input(s, map->input[i < arity ? i : 0], map->offset[i]);
    const bool fits = het__gpu_put_places(t, s, &map->places);
    het__gpu_put_float(s, map->p);
    het__gpu_put_float(s, map->q);
    return fits;
}

bool het__gpu_add_move(het__gpu_recipe *t, uint32_t output, int64_t to, uint32_t input,
                       int64_t from, const het__gpu_places *places)
{
    const size_t size = (size_t)het_dtype_bytes(t->outputs[output].dtype, 1);
    const char *type = het__gpu_type_of_size(size);
    het__gpu_map map = { .f = "same", .to = type, .type = { type }, .output = output,
                         .input = { input }, .out_offset = (size_t)to * size,
                         .offset = { (size_t)from * size }, .places = *places };
    return het__gpu_add_map(t, &map);
}

/* ---- one operand ---- */

typedef struct row {
    het__op op;
    const char *f;
    const char *a, *b; /* attributes */
    float a_absent, b_absent;
    bool integers;
} row;

static const row rows[] = {
    { HET__OP_T_ABS, "abs", NULL, NULL, 0, 0, false },
    { HET__OP_T_ACOS, "acos", NULL, NULL, 0, 0, false },
    { HET__OP_T_ACOSH, "acosh", NULL, NULL, 0, 0, false },
    { HET__OP_T_ASIN, "asin", NULL, NULL, 0, 0, false },
    { HET__OP_T_ASINH, "asinh", NULL, NULL, 0, 0, false },
    { HET__OP_T_ATAN, "atan", NULL, NULL, 0, 0, false },
    { HET__OP_T_ATANH, "atanh", NULL, NULL, 0, 0, false },
    { HET__OP_T_CEIL, "ceil", NULL, NULL, 0, 0, false },
    { HET__OP_T_CELU, "celu", "alpha", NULL, 1.0f, 0, false },
    { HET__OP_T_COS, "cos", NULL, NULL, 0, 0, false },
    { HET__OP_T_COSH, "cosh", NULL, NULL, 0, 0, false },
    { HET__OP_T_ELU, "elu", "alpha", NULL, 1.0f, 0, false },
    { HET__OP_T_ERF, "erf", NULL, NULL, 0, 0, false },
    { HET__OP_T_EXP, "exp", NULL, NULL, 0, 0, false },
    { HET__OP_T_FLOOR, "floor", NULL, NULL, 0, 0, false },
    { HET__OP_T_GELU, "gelu", NULL, NULL, 0, 0, false },
    { HET__OP_T_MS_GELU, "gelu", NULL, NULL, 0, 0, false },
    { HET__OP_T_HARD_SIGMOID, "hard_sigmoid", "alpha", "beta", 0.2f, 0.5f, false },
    { HET__OP_T_HARD_SWISH, "hard_swish", NULL, NULL, 0, 0, false },
    { HET__OP_T_LEAKY_RELU, "leaky_relu", "alpha", NULL, 0.01f, 0, false },
    { HET__OP_T_LOG, "log", NULL, NULL, 0, 0, false },
    { HET__OP_T_MISH, "mish", NULL, NULL, 0, 0, false },
    { HET__OP_T_NEG, "neg", NULL, NULL, 0, 0, true },
    { HET__OP_T_RECIPROCAL, "reciprocal", NULL, NULL, 0, 0, false },
    { HET__OP_T_RELU, "relu", NULL, NULL, 0, 0, true },
    { HET__OP_T_ROUND, "round", NULL, NULL, 0, 0, false },
    { HET__OP_T_SELU, "selu", "alpha", "gamma", 1.67326319217681884765625f,
      1.05070102214813232421875f, false },
    { HET__OP_T_SHRINK, "shrink", "lambd", "bias", 0.5f, 0, false },
    { HET__OP_T_SIGMOID, "sigmoid", NULL, NULL, 0, 0, false },
    { HET__OP_T_SIGN, "sign", NULL, NULL, 0, 0, true },
    { HET__OP_T_SIN, "sin", NULL, NULL, 0, 0, false },
    { HET__OP_T_SINH, "sinh", NULL, NULL, 0, 0, false },
    { HET__OP_T_SOFTPLUS, "softplus", NULL, NULL, 0, 0, false },
    { HET__OP_T_SOFTSIGN, "softsign", NULL, NULL, 0, 0, false },
    { HET__OP_T_SQRT, "sqrt", NULL, NULL, 0, 0, false },
    { HET__OP_T_SWISH, "swish", "alpha", NULL, 1.0f, 0, false },
    { HET__OP_T_TAN, "tan", NULL, NULL, 0, 0, false },
    { HET__OP_T_TANH, "tanh", NULL, NULL, 0, 0, false },
    { HET__OP_T_THRESHOLDED_RELU, "thresholded_relu", "alpha", NULL, 1.0f, 0, false },
};

static bool is_signed_integer(het_dtype dtype)
{
    return dtype == HET_DTYPE_I32 || dtype == HET_DTYPE_I64;
}

static bool add_flat(het__gpu_recipe *t, const char *f, float p, float q)
{
    const char *type = het__gpu_type(t->inputs[0].dtype), *to = het__gpu_type(t->outputs[0].dtype);
    het__gpu_map map = { .f = f, .to = to, .type = { type }, .p = p, .q = q };
    het__gpu_places_of(&map.places, &t->outputs[0], t->inputs, 1);
    return het__gpu_add_map(t, &map);
}

bool het__gpu_build_unary(het__gpu_recipe *t)
{
    const het__attr_list *list = t->e.attrs;
    const het__op op = t->e.node->op;
    const het_dtype dtype = t->inputs[0].dtype;
    if (op == HET__OP_T_NOT && dtype == HET_DTYPE_BOOL)
        return add_flat(t, "not", 0, 0);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const row *r = &rows[i];
        if (r->op != op)
            continue;
        if (dtype != HET_DTYPE_F32 && !(r->integers && is_signed_integer(dtype)))
            return het__gpu_refuse(t, "%s of %s", het__node_operation(t->e.node),
                                   het_dtype_name(dtype));
        const bool by_tanh = op == HET__OP_T_GELU &&
                             strcmp(het__attr_string(list, "approximate", "none"), "tanh") == 0;
        return add_flat(t, by_tanh ? "gelu_tanh" : r->f,
                        r->a ? het__attr_float(list, r->a, r->a_absent) : 0,
                        r->b ? het__attr_float(list, r->b, r->b_absent) : 0);
    }
    return het__gpu_refuse(t, "no kernel for %s", het__node_operation(t->e.node));
}

/* A bound is a constant or an attribute. */
static bool bound(het__gpu_recipe *t, uint32_t input, const char *name, float absent, float *value)
{
    const het__tensor *b = het__eval_input(&t->e, input);
    *value = absent;
    if (t->e.attrs->opset < 11)
        *value = het__attr_float(t->e.attrs, name, absent);
    else if (b && (!b->data || b->dtype != HET_DTYPE_F32))
        return het__gpu_refuse(t, "the bounds are not constant");
    else if (b)
        memcpy(value, b->data, sizeof *value);
    return true;
}

bool het__gpu_build_clip(het__gpu_recipe *t)
{
    float least, most;
    if (t->inputs[0].dtype != HET_DTYPE_F32)
        return het__gpu_refuse(t, "Clip of %s", het_dtype_name(t->inputs[0].dtype));
    return bound(t, 1, "min", -HUGE_VALF, &least) && bound(t, 2, "max", HUGE_VALF, &most) &&
           add_flat(t, "clip", least, most);
}

bool het__gpu_build_cast(het__gpu_recipe *t)
{
    const het_dtype from = t->inputs[0].dtype, to = t->outputs[0].dtype;
    if (from == to)
        return het__gpu_build_view(t);
    if (to == HET_DTYPE_BOOL)
        return add_flat(t, "cast_bool", 0, 0);
    return add_flat(t, from == HET_DTYPE_F32 ? "cast_cut" : "cast", 0, 0);
}

bool het__gpu_build_view(het__gpu_recipe *t)
{
    const het__gpu_call *call = t->call;
    het__gpu_places places = { 0 };
    if (call && call->inputs[0].mem == call->outputs[0].mem &&
        call->inputs[0].offset == call->outputs[0].offset)
        return true;
    het__gpu_places_axis(&places, het__tensor_elements(&t->outputs[0]), 1, 1);
    return het__gpu_add_move(t, 0, 0, 0, 0, &places);
}

/* ---- several operands ---- */

typedef struct pair_row {
    het__op op;
    const char *f;
    bool floats, integers, booleans;
} pair_row;

static const pair_row pairs[] = {
    { HET__OP_T_ADD, "add", true, true, false },
    { HET__OP_T_SUB, "sub", true, true, false },
    { HET__OP_T_MUL, "mul", true, true, false },
    { HET__OP_T_DIV, "div", true, false, false }, /* an integer zero is refused: by the host */
    { HET__OP_T_MOD, "fmod", true, false, false },
    { HET__OP_T_POW, "pow", true, false, false },
    { HET__OP_T_PRELU, "prelu", true, false, false },
    { HET__OP_T_AND, "and", false, false, true },
    { HET__OP_T_OR, "or", false, false, true },
    { HET__OP_T_XOR, "xor", false, false, true },
    { HET__OP_T_EQUAL, "equal", true, true, true },
    { HET__OP_T_GREATER, "greater", true, true, false },
    { HET__OP_T_GREATER_OR_EQUAL, "greater_equal", true, true, false },
    { HET__OP_T_LESS, "less", true, true, false },
    { HET__OP_T_LESS_OR_EQUAL, "less_equal", true, true, false },
    { HET__OP_T_MAX, "max", true, true, false },
    { HET__OP_T_MIN, "min", true, true, false },
    { HET__OP_T_SUM, "add", true, true, false },
};

static const char *pair_function(het__op op, het_dtype dtype)
{
    for (size_t i = 0; i < sizeof pairs / sizeof pairs[0]; i++)
        if (pairs[i].op == op)
            return (dtype == HET_DTYPE_F32 ? pairs[i].floats
                    : dtype == HET_DTYPE_BOOL ? pairs[i].booleans
                                              : is_signed_integer(dtype) && pairs[i].integers)
                       ? pairs[i].f : NULL;
    return NULL;
}

/* Before opset 7 an attribute says where the second operand's extents stand. */
static bool fits_pair(het__gpu_recipe *t)
{
    const het__tensor *a = &t->inputs[0], *b = &t->inputs[1];
    return (t->e.attrs->opset >= 7 || het__tensor_same_extents(a, b)) && a->dtype == b->dtype;
}

bool het__gpu_build_binary(het__gpu_recipe *t)
{
    const het__op op = t->e.node->op;
    const het_dtype dtype = t->inputs[0].dtype;
    const char *type = het__gpu_type(dtype), *f = pair_function(op, dtype);
    if (!f || !fits_pair(t) || (op == HET__OP_T_MOD && !het__attr_int(t->e.attrs, "fmod", 0)))
        return het__gpu_refuse(t, "%s of %s and %s", het__node_operation(t->e.node),
                               het_dtype_name(dtype), het_dtype_name(t->inputs[1].dtype));
    het__gpu_map map = { .f = f, .to = het__gpu_type(t->outputs[0].dtype), .type = { type, type },
                         .arity = 2, .input = { 0, 1 } };
    het__gpu_places_of(&map.places, &t->outputs[0], t->inputs, 2);
    return het__gpu_add_map(t, &map);
}

bool het__gpu_build_variadic(het__gpu_recipe *t)
{
    if (t->e.input_count == 1)
        return het__gpu_build_view(t);
    return t->e.input_count == 2 ? het__gpu_build_binary(t)
                                 : het__gpu_refuse(t, "%u operands", t->e.input_count);
}

bool het__gpu_build_where(het__gpu_recipe *t)
{
    const char *type =
        het__gpu_type_of_size((size_t)het_dtype_bytes(t->outputs[0].dtype, 1));
    het__gpu_map map = { .f = "where", .to = type, .type = { "uchar", type, type }, .arity = 3,
                         .input = { 0, 1, 2 } };
    het__gpu_places_of(&map.places, &t->outputs[0], t->inputs, 3);
    return het__gpu_add_map(t, &map);
}
