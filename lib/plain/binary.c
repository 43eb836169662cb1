/* SPDX-License-Identifier: Apache-2.0 */
/* Operations on two or more operands that broadcast: arithmetic, comparisons, Where.
 *
 * Operands are walked in runs within which each moves on or stays. Integers wrap around as their
 * type does: lanes hold them in 64 bits and storing keeps the low ones. Division by an integer zero
 * is refused rather than given a made-up result. */
#include <assert.h>
#include <math.h>

#include "lib/ir/shapes.h"
#include "lib/plain/chunk.h"
#include "lib/plain/curves.h"

/* False: a division by zero. Comparisons write bytes 0 or 1, all else its own type. */
typedef bool (*pair_fn)(const void *a, const void *b, void *to, int64_t n);

#define LOOP(name, type, result, value) \
    static bool name(const void *a, const void *b, void *to, int64_t n) \
    { \
        const type *p = a, *q = b; \
        result *out = to; \
        for (int64_t i = 0; i < n; i++) { \
            const type x = p[i], y = q[i]; \
            out[i] = value; \
        } \
        return true; \
    }

#define FLOATS(name, single, value) \
    LOOP(name##_f32, float, float, single) \
    LOOP(name##_f64, double, double, value)

/* x and y as bits, so that the arithmetic wraps. */
#define WRAPS(name, value) LOOP(name##_i64, uint64_t, uint64_t, value)

#define COMPARES(name, value) \
    LOOP(name##_f32, float, bool, value) \
    LOOP(name##_f64, double, bool, value) \
    LOOP(name##_i64, int64_t, bool, value) \
    LOOP(name##_u64, uint64_t, bool, value)

FLOATS(add, x + y, x + y)
FLOATS(sub, x - y, x - y)
FLOATS(mul, x * y, x * y)
FLOATS(div, x / y, x / y)
FLOATS(pow, powf(x, y), pow(x, y))
FLOATS(fmod, fmodf(x, y), fmod(x, y))
FLOATS(prelu, (x < 0 ? 0 : x) + y * (x < 0 ? x : 0), x < 0 ? x * y : x)
FLOATS(gelu, het__gelu_tanh_f32(x + y), het__gelu_tanh(x + y))
/* NaN wins over numbers. */
FLOATS(max, x > y || x != x ? x : y, x > y || x != x ? x : y)
FLOATS(min, x < y || x != x ? x : y, x < y || x != x ? x : y)

WRAPS(add, x + y)
WRAPS(sub, x - y)
WRAPS(mul, x * y)
WRAPS(and, x & y)
WRAPS(or, x | y)
WRAPS(xor, x ^ y)
WRAPS(left, y < 64 ? x << y : 0)
LOOP(right_i64, int64_t, int64_t, (uint64_t)y < 64 ? x >> y : 0)
LOOP(right_u64, uint64_t, uint64_t, y < 64 ? x >> y : 0)
LOOP(prelu_i64, int64_t, int64_t, x < 0 ? (int64_t)((uint64_t)x * (uint64_t)y) : x)
LOOP(prelu_u64, uint64_t, uint64_t, ((void)y, x))
LOOP(max_i64, int64_t, int64_t, x > y ? x : y)
LOOP(max_u64, uint64_t, uint64_t, x > y ? x : y)
LOOP(min_i64, int64_t, int64_t, x < y ? x : y)
LOOP(min_u64, uint64_t, uint64_t, x < y ? x : y)

COMPARES(equal, x == y)
COMPARES(greater, x > y)
COMPARES(greater_equal, x >= y)
COMPARES(less, x < y)
COMPARES(less_equal, x <= y)

#define DIVIDES(name, type, value) \
    static bool name(const void *a, const void *b, void *to, int64_t n) \
    { \
        const type *p = a, *q = b; \
        type *out = to; \
        for (int64_t i = 0; i < n; i++) { \
            const type x = p[i], y = q[i]; \
            if (y == 0) \
                return false; \
            out[i] = value; \
        } \
        return true; \
    }

/* The rest with the divisor's sign. */
static int64_t floor_mod(int64_t x, int64_t y)
{
    const int64_t rest = y == -1 ? 0 : x % y;
    return rest != 0 && (rest < 0) != (y < 0) ? rest + y : rest;
}

/* The least integer divided by -1 is itself again. */
DIVIDES(div_i64, int64_t, y == -1 ? (int64_t)(0 - (uint64_t)x) : x / y)
DIVIDES(div_u64, uint64_t, x / y)
DIVIDES(mod_i64, int64_t, floor_mod(x, y))
DIVIDES(fmod_i64, int64_t, y == -1 ? 0 : x % y)
DIVIDES(mod_u64, uint64_t, x % y)

static double floor_mod_f64(double x, double y)
{
    const double rest = fmod(x, y);
    if (rest == 0)
        return copysign(rest, y);
    return (rest < 0) != (y < 0) && !isnan(rest) ? rest + y : rest;
}

FLOATS(mod, (float)floor_mod_f64((double)x, (double)y), floor_mod_f64(x, y))

/* x to a power of at least 0, modulo 2^64. */
static uint64_t power(uint64_t x, uint64_t exponent)
{
    uint64_t result = 1;
    for (; exponent; exponent >>= 1) {
        if (exponent & 1)
            result *= x;
        x *= x;
    }
    return result;
}

/* 1 / x^n is 0 but for 1 and -1. */
static int64_t inverse_power(int64_t x, int64_t exponent)
{
    return x == 1 ? 1 : x == -1 ? (exponent & 1 ? -1 : 1) : 0;
}

static bool pow_i64(const void *a, const void *b, void *to, int64_t n)
{
    const int64_t *x = a, *y = b;
    int64_t *out = to;
    for (int64_t i = 0; i < n; i++) {
        if (x[i] == 0 && y[i] < 0)
            return false;
        out[i] = y[i] < 0 ? inverse_power(x[i], y[i])
                          : (int64_t)power((uint64_t)x[i], (uint64_t)y[i]);
    }
    return true;
}

LOOP(pow_u64, uint64_t, uint64_t, power(x, y))
/* The two powers that normalisations are made of, without the general one's cost. */
LOOP(square_f32, float, float, ((void)y, x * x))
LOOP(square_f64, double, double, ((void)y, x * x))

typedef struct row {
    het__op op;
    pair_fn f32, f64, i64, u64; /* u64 NULL: as i64 */
} row;

#define NUMBERS(id, name) { HET__OP_T_##id, name##_f32, name##_f64, name##_i64, NULL }
#define BY_SIGN(id, name) { HET__OP_T_##id, name##_f32, name##_f64, name##_i64, name##_u64 }
#define BITS(id, name) { HET__OP_T_##id, NULL, NULL, name##_i64, NULL }

static const row rows[] = {
    NUMBERS(ADD, add),         NUMBERS(SUB, sub),
    NUMBERS(MUL, mul),         BY_SIGN(DIV, div),
    BY_SIGN(MOD, mod),         BY_SIGN(POW, pow),
    BY_SIGN(PRELU, prelu),     BITS(BITWISE_AND, and),
    BITS(BITWISE_OR, or),      BITS(BITWISE_XOR, xor),
    BITS(AND, and),            BITS(OR, or),
    BITS(XOR, xor),            BY_SIGN(EQUAL, equal),
    BY_SIGN(GREATER, greater), BY_SIGN(GREATER_OR_EQUAL, greater_equal),
    BY_SIGN(LESS, less),       BY_SIGN(LESS_OR_EQUAL, less_equal),
    BY_SIGN(MAX, max),         BY_SIGN(MIN, min),
    NUMBERS(SUM, add),
    { HET__OP_T_BIT_SHIFT, NULL, NULL, right_i64, right_u64 },
    { HET__OP_T_MS_FAST_GELU, gelu_f32, gelu_f64, NULL, NULL },
};

static pair_fn pick(const row *r, het__lane lane, bool is_unsigned)
{
    if (lane == HET__LANE_I64)
        return is_unsigned && r->u64 ? r->u64 : r->i64;
    return lane == HET__LANE_F32 ? r->f32 : r->f64;
}

/* The operation's function for operands of these types, but for variants by attribute. */
static pair_fn function_of(het__op op, het__lane lane, bool is_unsigned)
{
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        if (rows[i].op == op)
            return pick(&rows[i], lane, is_unsigned);
    return NULL;
}

typedef struct pair {
    pair_fn fn;
    het__lane lane;
    bool compares; /* fn writes bytes */
    const het__tensor *a, *b, *out;
} pair;

static bool run_chunk(const pair *p, const int64_t first[3], const int64_t step[3], int64_t n)
{
    het__chunk a, b, out;
    const void *x = het__lane_load(p->lane, p->a, first[0], step[0], n, &a);
    const void *y = het__lane_load(p->lane, p->b, first[1], step[1], n, &b);
    if (p->compares)
        return p->fn(x, y, (char *)p->out->data + first[2], n);
    void *to = het__lane_target(p->lane, p->out, first[2], &out);
    const bool ok = p->fn(x, y, to, n);
    het__lane_store(p->lane, false, p->out, first[2], n, to);
    return ok;
}

static het_status run_pair(const het__eval *e, const pair *p)
{
    const int64_t total = het__tensor_elements(p->out);
    int64_t step[3];
    het__walk walk;
    if (!p->fn)
        return het__eval_unsupported(e, "no kernel for these types");
    het__walk_init(&walk, p->out, p->a, p->b, NULL);
    const int64_t run = het__walk_runs(&walk, step);
    for (int64_t done = 0; done < total; done += run) {
        for (int64_t i = 0; i < run; i += HET__CHUNK) {
            const int64_t n = run - i < HET__CHUNK ? run - i : HET__CHUNK;
            const int64_t first[3] = { walk.index[0] + i * step[0], walk.index[1] + i * step[1],
                                       done + i };
            if (!run_chunk(p, first, step, n))
                return het__eval_refuse(e, "an integer is divided by zero");
        }
        het__walk_next(&walk);
    }
    return HET_OK;
}

/* Integers to a power that is not integer go through double; floats to one of another type, too. */
static pair power_of(const het__eval *e, const het__tensor *y)
{
    const het__tensor *x = &e->inputs[0];
    pair p = { .lane = het__lane_of(x->dtype), .a = x, .b = y, .out = &e->outputs[0] };
    if (x->dtype != y->dtype && het__lane_of(y->dtype) != p.lane)
        p.lane = HET__LANE_F64;
    p.fn = function_of(HET__OP_T_POW, p.lane, y->dtype == HET_DTYPE_U64);
    if (p.lane != HET__LANE_I64 && het__tensor_elements(y) == 1 &&
        het__get_f64(y->dtype, y->data, 0) == 2)
        p.fn = p.lane == HET__LANE_F32 ? square_f32 : square_f64;
    return p;
}

het_status het__plain_binary(het__eval *e)
{
    const het__op op = e->node->op;
    const het__tensor *x = &e->inputs[0];
    het__tensor y;
    het__second_operand(e, &y);
    pair p = { .lane = het__lane_of(x->dtype), .a = x, .b = &y, .out = &e->outputs[0] };
    p.fn = function_of(op, p.lane, x->dtype == HET_DTYPE_U64);
    if (op == HET__OP_T_POW)
        p = power_of(e, &y);
    if (op == HET__OP_T_BIT_SHIFT &&
        strcmp(het__attr_string(e->attrs, "direction", ""), "LEFT") == 0)
        p.fn = left_i64;
    if (op == HET__OP_T_MOD && het__attr_int(e->attrs, "fmod", 0) != 0)
        p.fn = pick(&(row){ op, fmod_f32, fmod_f64, fmod_i64, mod_u64 }, p.lane,
                    x->dtype == HET_DTYPE_U64);
    return run_pair(e, &p);
}

het_status het__plain_fast_gelu(het__eval *e)
{
    const float none = 0;
    const het__tensor zero = { .dtype = HET_DTYPE_F32, .data = (void *)(uintptr_t)&none };
    const het__tensor *x = &e->inputs[0], *bias = het__eval_input(e, 1);
    pair p = { .lane = het__lane_of(x->dtype), .a = x, .b = bias ? bias : &zero,
               .out = &e->outputs[0] };
    p.fn = function_of(e->node->op, p.lane, false);
    return run_pair(e, &p);
}

het_status het__plain_compare(het__eval *e)
{
    const het__tensor *x = &e->inputs[0];
    het__tensor y;
    het__second_operand(e, &y);
    pair p = { .lane = het__lane_of(x->dtype), .compares = true, .a = x, .b = &y,
               .out = &e->outputs[0] };
    p.fn = function_of(e->node->op, p.lane, x->dtype == HET_DTYPE_U64);
    return run_pair(e, &p);
}

/* ---- many operands ---- */

/* One after the other into the output: exact for the largest and smallest, and for a sum of two. */
static het_status fold(het__eval *e)
{
    const het__tensor *x = &e->inputs[0], *out = &e->outputs[0];
    pair p = { .lane = het__lane_of(x->dtype), .a = x, .out = out };
    p.fn = function_of(e->node->op, p.lane, x->dtype == HET_DTYPE_U64);
    het_status s = HET_OK;
    for (uint32_t i = 1; s == HET_OK && i < e->input_count; i++) {
        p.b = &e->inputs[i];
        s = run_pair(e, &p);
        p.a = out;
    }
    return s;
}

/* Adds t, broadcast to out, to the sums. */
static void accumulate(const het__tensor *out, const het__tensor *t, double *sums)
{
    const int64_t total = het__tensor_elements(out);
    int64_t step[3];
    het__walk walk;
    het__chunk chunk;
    het__walk_init(&walk, out, t, NULL, NULL);
    const int64_t run = het__walk_runs(&walk, step);
    for (int64_t done = 0; done < total; done += run) {
        for (int64_t i = 0; i < run; i += HET__CHUNK) {
            const int64_t n = run - i < HET__CHUNK ? run - i : HET__CHUNK;
            const double *x = het__lane_load(HET__LANE_F64, t, walk.index[0] + i * step[0],
                                             step[0], n, &chunk);
            for (int64_t k = 0; k < n; k++)
                sums[done + i + k] += x[k];
        }
        het__walk_next(&walk);
    }
}

static het_status sum(het__eval *e)
{
    const het__tensor *out = &e->outputs[0];
    const int64_t total = het__tensor_elements(out);
    const bool mean = e->node->op == HET__OP_T_MEAN;
    double *sums = het__eval_scratch(e, (size_t)total, sizeof *sums);
    if (!sums)
        return het__eval_nomem(e);
    memset(sums, 0, (size_t)total * sizeof *sums);
    for (uint32_t i = 0; i < e->input_count; i++)
        accumulate(out, &e->inputs[i], sums);
    for (int64_t i = 0; mean && i < total; i++)
        sums[i] /= e->input_count;
    for (int64_t i = 0; i < total; i += HET__CHUNK)
        het__lane_store(HET__LANE_F64, false, out, i,
                        total - i < HET__CHUNK ? total - i : HET__CHUNK, sums + i);
    return HET_OK;
}

het_status het__plain_variadic(het__eval *e)
{
    const het__op op = e->node->op;
    if (e->input_count == 1)
        return het__plain_identity(e);
    if (op == HET__OP_T_MEAN || (op == HET__OP_T_SUM && e->input_count > 2))
        return sum(e);
    return fold(e);
}

/* ---- Where ---- */

/* Elements of one size, picked along a run; each operand moves on or stays. Loops of their own for
 * the usual ways, where the steps are known to the compiler. */
#define PICK(type) \
    static inline void pick_steps_##type(const uint8_t *c, const char *x, const char *y, char *to, \
                                         int64_t cs, int64_t xs, int64_t ys, int64_t n) \
    { \
        for (int64_t i = 0; i < n; i++) { \
            type p, q; \
            memcpy(&p, x + i * xs * (int64_t)sizeof p, sizeof p); \
            memcpy(&q, y + i * ys * (int64_t)sizeof q, sizeof q); \
            p = c[i * cs] ? p : q; \
            memcpy(to + i * (int64_t)sizeof p, &p, sizeof p); \
        } \
    } \
    static void pick_##type(const uint8_t *c, const char *x, const char *y, char *to, \
                            const int64_t step[3], int64_t n) \
    { \
        if (step[0] && step[1] && step[2]) \
            pick_steps_##type(c, x, y, to, 1, 1, 1, n); \
        else if (step[0] && step[1]) \
            pick_steps_##type(c, x, y, to, 1, 1, 0, n); \
        else if (step[0] && step[2]) \
            pick_steps_##type(c, x, y, to, 1, 0, 1, n); \
        else \
            pick_steps_##type(c, x, y, to, step[0], step[1], step[2], n); \
    }

PICK(uint8_t)
PICK(uint16_t)
PICK(uint32_t)
PICK(uint64_t)

het_status het__plain_where(het__eval *e)
{
    const het__tensor *c = &e->inputs[0], *x = &e->inputs[1], *y = &e->inputs[2];
    const het__tensor *out = &e->outputs[0];
    const int64_t total = het__tensor_elements(out), size = het_dtype_bytes(out->dtype, 1);
    int64_t step[3];
    het__walk walk;
    het__walk_init(&walk, out, c, x, y);
    const int64_t run = het__walk_runs(&walk, step);
    assert(size == 1 || size == 2 || size == 4 || size == 8);
    for (int64_t done = 0; done < total; done += run, het__walk_next(&walk)) {
        const uint8_t *cs = (const uint8_t *)c->data + walk.index[0];
        const char *xs = (const char *)x->data + walk.index[1] * size;
        const char *ys = (const char *)y->data + walk.index[2] * size;
        char *to = (char *)out->data + done * size;
        (size == 1   ? pick_uint8_t
         : size == 2 ? pick_uint16_t
         : size == 4 ? pick_uint32_t
                     : pick_uint64_t)(cs, xs, ys, to, step, run);
    }
    return HET_OK;
}
