/* SPDX-License-Identifier: Apache-2.0 */
/* Operations on one operand, element by element. F32, F16 and BF16 are computed in float where
 * the formula is exact or loses no more than its last bits there, else in double and rounded once;
 * F64 in double; integers exactly. */
#include <math.h>

#include "lib/plain/chunk.h"
#include "lib/plain/curves.h"

/* Numbers from attributes, as the operation's row of the table names them. */
typedef struct params {
    double a, b;
} params;

typedef void (*unary_fn)(const void *from, void *to, int64_t n, const params *p);

/* A loop over one type: value is made of x, and of a and b, the attributes as that type. */
#define LOOP(name, type, value) \
    static void name(const void *from, void *to, int64_t n, const params *p) \
    { \
        const type *in = from, a = (type)p->a, b = (type)p->b; \
        type *out = to; \
        (void)a, (void)b; \
        for (int64_t i = 0; i < n; i++) { \
            const type x = in[i]; \
            out[i] = value; \
        } \
    }

/* The same formula in double, rounded to float. */
#define LOOP_ROUNDED(name, value) \
    static void name(const void *from, void *to, int64_t n, const params *p) \
    { \
        const double a = p->a, b = p->b; \
        const float *in = from; \
        float *out = to; \
        (void)a, (void)b; \
        for (int64_t i = 0; i < n; i++) { \
            const double x = (double)in[i]; \
            out[i] = (float)(value); \
        } \
    }

#define PRECISE(name, value) \
    LOOP_ROUNDED(name##_f32, value) \
    LOOP(name##_f64, double, value)

#define FAST(name, single, value) \
    LOOP(name##_f32, float, single) \
    LOOP(name##_f64, double, value)

/* One formula that suits both. */
#define EITHER(name, value) FAST(name, value, value)

#define ROOT_HALF 0.70710678118654752440

/* NaN stays NaN: comparisons choose so that it falls through. */
FAST(abs, fabsf(x), fabs(x))
PRECISE(acos, acos(x))
PRECISE(acosh, acosh(x))
PRECISE(asin, asin(x))
PRECISE(asinh, asinh(x))
PRECISE(atan, atan(x))
PRECISE(atanh, atanh(x))
FAST(ceil, ceilf(x), ceil(x))
PRECISE(celu, x < 0 ? a * expm1(x / a) : x)
PRECISE(cos, cos(x))
PRECISE(cosh, cosh(x))
PRECISE(elu, x < 0 ? a * expm1(x) : x)
FAST(erf, het__erf_f32(x), erf(x))
FAST(exp, het__exp_f32(x), exp(x))
FAST(floor, floorf(x), floor(x))
FAST(gelu, 0.5f * x * (1 + het__erf_f32(x * (float)ROOT_HALF)),
     0.5 * x * (1 + erf(x * ROOT_HALF)))
FAST(gelu_tanh, het__gelu_tanh_f32(x), het__gelu_tanh(x))
EITHER(hard_sigmoid, a * x + b < 0 ? 0 : a * x + b > 1 ? 1 : a * x + b)
EITHER(hard_swish, x / 6 * (x + 3 < 0 ? 0 : x + 3 > 6 ? 6 : x + 3))
EITHER(leaky_relu, (x < 0 ? 0 : x) + a * (x < 0 ? x : 0))
FAST(log, logf(x), log(x))
FAST(mish, het__mish_f32(x), x * tanh((x > 0 ? x : 0) + log1p(exp(-fabs(x)))))
EITHER(neg, -x)
EITHER(reciprocal, 1 / x)
EITHER(relu, x < 0 ? 0 : x)
FAST(round, rintf(x), rint(x))
PRECISE(selu, x > 0 ? b * x : b * a * expm1(x))
EITHER(shrink, x < -a ? x + b : x > a ? x - b : 0)
FAST(sigmoid, het__sigmoid_f32(x), 1 / (1 + exp(-x)))
EITHER(sign, x > 0 ? 1 : x < 0 ? -1 : x)
PRECISE(sin, sin(x))
PRECISE(sinh, sinh(x))
PRECISE(softplus, (x > 0 ? x : 0) + log1p(exp(-fabs(x))))
FAST(softsign, x / (1 + fabsf(x)), x / (1 + fabs(x)))
FAST(sqrt, sqrtf(x), sqrt(x))
FAST(swish, x * het__sigmoid_f32(a * x), x / (1 + exp(-a * x)))
PRECISE(tan, tan(x))
FAST(tanh, het__tanh_f32(x), tanh(x))
EITHER(thresholded_relu, x > a ? x : 0)

/* Wraps around like the type does when it is stored. */
LOOP(abs_i64, int64_t, x < 0 ? (int64_t)(0 - (uint64_t)x) : x)
LOOP(neg_i64, int64_t, (int64_t)(0 - (uint64_t)x))
LOOP(relu_i64, int64_t, x < 0 ? 0 : x)
LOOP(sign_i64, int64_t, (x > 0) - (x < 0))
LOOP(same_i64, int64_t, x)
LOOP(sign_u64, int64_t, x != 0)
LOOP(bits_i64, int64_t, ~x)
LOOP(not_i64, int64_t, !x)

typedef struct row {
    het__op op;
    unary_fn f32, f64;
    unary_fn i64, u64;     /* of integers, where they are allowed */
    const char *a, *b;     /* attributes */
    float a_absent, b_absent;
} row;

#define ROW(id, name) { .op = HET__OP_T_##id, .f32 = name##_f32, .f64 = name##_f64 }
#define ROW_A(id, name, attr, absent) \
    { .op = HET__OP_T_##id, .f32 = name##_f32, .f64 = name##_f64, .a = attr, .a_absent = absent }
#define ROW_AB(id, name, attr_a, absent_a, attr_b, absent_b) \
    { .op = HET__OP_T_##id, .f32 = name##_f32, .f64 = name##_f64, .a = attr_a, \
      .a_absent = absent_a, .b = attr_b, .b_absent = absent_b }
#define ROW_INT(id, name, signed_fn, unsigned_fn) \
    { .op = HET__OP_T_##id, .f32 = name##_f32, .f64 = name##_f64, .i64 = signed_fn, \
      .u64 = unsigned_fn }

static const row rows[] = {
    ROW_INT(ABS, abs, abs_i64, same_i64),
    ROW(ACOS, acos),
    ROW(ACOSH, acosh),
    ROW(ASIN, asin),
    ROW(ASINH, asinh),
    ROW(ATAN, atan),
    ROW(ATANH, atanh),
    ROW(CEIL, ceil),
    ROW_A(CELU, celu, "alpha", 1.0f),
    ROW(COS, cos),
    ROW(COSH, cosh),
    ROW_A(ELU, elu, "alpha", 1.0f),
    ROW(ERF, erf),
    ROW(EXP, exp),
    ROW(FLOOR, floor),
    ROW(GELU, gelu),
    ROW_AB(HARD_SIGMOID, hard_sigmoid, "alpha", 0.2f, "beta", 0.5f),
    ROW(HARD_SWISH, hard_swish),
    ROW_A(LEAKY_RELU, leaky_relu, "alpha", 0.01f),
    ROW(LOG, log),
    ROW(MISH, mish),
    ROW_INT(NEG, neg, neg_i64, neg_i64),
    ROW(RECIPROCAL, reciprocal),
    ROW_INT(RELU, relu, relu_i64, same_i64),
    ROW(ROUND, round),
    /* The defaults are those of the operation's specification. */
    ROW_AB(SELU, selu, "alpha", 1.67326319217681884765625f, "gamma", 1.05070102214813232421875f),
    ROW_AB(SHRINK, shrink, "lambd", 0.5f, "bias", 0.0f),
    ROW(SIGMOID, sigmoid),
    ROW_INT(SIGN, sign, sign_i64, sign_u64),
    ROW(SIN, sin),
    ROW(SINH, sinh),
    ROW(SOFTPLUS, softplus),
    ROW(SOFTSIGN, softsign),
    ROW(SQRT, sqrt),
    ROW_A(SWISH, swish, "alpha", 1.0f),
    ROW(TAN, tan),
    ROW(TANH, tanh),
    ROW_A(THRESHOLDED_RELU, thresholded_relu, "alpha", 1.0f),
    ROW(MS_GELU, gelu),
};

static const row *row_of(het__op op)
{
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        if (rows[i].op == op)
            return &rows[i];
    return NULL;
}

static void map(het__eval *e, het__lane lane, unary_fn fn, const params *p)
{
    const het__tensor *x = &e->inputs[0], *y = &e->outputs[0];
    const int64_t total = het__tensor_elements(y);
    het__chunk in, out;
    for (int64_t i = 0; i < total; i += HET__CHUNK) {
        const int64_t n = total - i < HET__CHUNK ? total - i : HET__CHUNK;
        void *target = het__lane_target(lane, y, i, &out);
        fn(het__lane_load(lane, x, i, 1, n, &in), target, n, p);
        het__lane_store(lane, false, y, i, n, target);
    }
}

het_status het__plain_unary(het__eval *e)
{
    const row *r = row_of(e->node->op);
    if (!r)
        return het__eval_unsupported(e, "no kernel of one operand");
    const params p = {
        r->a ? (double)het__attr_float(e->attrs, r->a, r->a_absent) : 0,
        r->b ? (double)het__attr_float(e->attrs, r->b, r->b_absent) : 0,
    };
    const het_dtype dtype = e->inputs[0].dtype;
    het__lane lane = het__lane_of(dtype);
    unary_fn fn = lane == HET__LANE_F32 ? r->f32 : r->f64;
    if (lane == HET__LANE_I64 && r->i64)
        fn = het__dtype_is_unsigned(dtype) ? r->u64 : r->i64;
    else if (lane == HET__LANE_I64)
        lane = HET__LANE_F64; /* Shrink of integers: its threshold and bias are floats */
    if (e->node->op == HET__OP_T_GELU &&
        strcmp(het__attr_string(e->attrs, "approximate", "none"), "tanh") == 0)
        fn = lane == HET__LANE_F32 ? gelu_tanh_f32 : gelu_tanh_f64;
    map(e, lane, fn, &p);
    return HET_OK;
}

het_status het__plain_not(het__eval *e)
{
    map(e, HET__LANE_I64, e->node->op == HET__OP_T_NOT ? not_i64 : bits_i64, &(params){ 0, 0 });
    return HET_OK;
}

/* ---- Clip ---- */

static double bound_f64(const het__eval *e, uint32_t i, const char *name, double absent)
{
    const het__tensor *t = het__eval_input(e, i);
    const het__attr *a = het__attr_find(e->attrs, name, HET__ATTR_FLOAT);
    if (e->attrs->opset < 11 && a)
        return (double)a->u.f;
    return t ? het__get_f64(t->dtype, t->data, 0) : absent;
}

static int64_t bound_i64(const het__eval *e, uint32_t i, int64_t absent)
{
    const het__tensor *t = het__eval_input(e, i);
    return t ? het__get_i64(t->dtype, t->data, 0) : absent;
}

/* The upper bound wins where the bounds cross. */
EITHER(clip, (x < a ? a : x) > b ? b : (x < a ? a : x))

static void clip_i64(const het__eval *e)
{
    const het__tensor *x = &e->inputs[0], *y = &e->outputs[0];
    const bool wide = x->dtype == HET_DTYPE_U64;
    const int64_t total = het__tensor_elements(y);
    const int64_t low = bound_i64(e, 1, wide ? 0 : INT64_MIN);
    const int64_t high = bound_i64(e, 2, wide ? -1 : INT64_MAX);
    /* Unsigned numbers compare as signed ones do when the top bit is flipped. */
    const uint64_t flip = wide ? 0 : UINT64_C(1) << 63;
    const uint64_t least = (uint64_t)low ^ flip, most = (uint64_t)high ^ flip;
    het__chunk in, out;
    for (int64_t i = 0; i < total; i += HET__CHUNK) {
        const int64_t n = total - i < HET__CHUNK ? total - i : HET__CHUNK;
        const int64_t *from = het__lane_load(HET__LANE_I64, x, i, 1, n, &in);
        int64_t *to = het__lane_target(HET__LANE_I64, y, i, &out);
        for (int64_t k = 0; k < n; k++) {
            uint64_t v = (uint64_t)from[k] ^ flip;
            v = v < least ? least : v;
            v = v > most ? most : v;
            to[k] = (int64_t)(v ^ flip);
        }
        het__lane_store(HET__LANE_I64, false, y, i, n, to);
    }
}

het_status het__plain_clip(het__eval *e)
{
    const het__lane lane = het__lane_of(e->inputs[0].dtype);
    if (lane == HET__LANE_I64) {
        clip_i64(e);
        return HET_OK;
    }
    const params p = { bound_f64(e, 1, "min", -HUGE_VAL), bound_f64(e, 2, "max", HUGE_VAL) };
    map(e, lane, lane == HET__LANE_F32 ? clip_f32 : clip_f64, &p);
    return HET_OK;
}

/* ---- tests ---- */

het_status het__plain_test(het__eval *e)
{
    const het__tensor *x = &e->inputs[0];
    const int64_t total = het__tensor_elements(x);
    const bool nan = e->node->op == HET__OP_T_IS_NAN;
    const bool negative = het__attr_int(e->attrs, "detect_negative", 1) != 0;
    const bool positive = het__attr_int(e->attrs, "detect_positive", 1) != 0;
    bool *y = e->outputs[0].data; /* one byte, 0 or 1, as BOOL is */
    het__chunk in;
    for (int64_t i = 0; i < total; i += HET__CHUNK) {
        const int64_t n = total - i < HET__CHUNK ? total - i : HET__CHUNK;
        const double *v = het__lane_load(HET__LANE_F64, x, i, 1, n, &in);
        for (int64_t k = 0; k < n; k++)
            y[i + k] = nan ? isnan(v[k]) : isinf(v[k]) && (v[k] > 0 ? positive : negative);
    }
    return HET_OK;
}

/* ---- the same elements ---- */

het_status het__plain_identity(het__eval *e)
{
    const het__tensor *x = &e->inputs[0];
    const het__tensor *y = &e->outputs[0];
    const int64_t total = het__tensor_elements(y);
    if (e->node->op == HET__OP_T_BIT_CAST && x->dtype != y->dtype &&
        (!het__dtype_is_float(y->dtype) || y->dtype == HET_DTYPE_F4E2M1) &&
        het_dtype_bytes(y->dtype, 1) == 1) {
        /* Types of a few bits keep their other bits in order: sign-extended, or zero. */
        const het_dtype as = y->dtype == HET_DTYPE_F4E2M1 ? HET_DTYPE_U4 : y->dtype;
        for (int64_t i = 0; i < total; i++)
            het__put_i64(as, y->data, i, (int8_t)((const uint8_t *)x->data)[i]);
        return HET_OK;
    }
    if (total > 0 && y->data != x->data)
        memcpy(y->data, x->data, (size_t)het__tensor_bytes(y));
    return HET_OK;
}
