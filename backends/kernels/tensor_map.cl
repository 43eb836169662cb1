/* SPDX-License-Identifier: Apache-2.0 */
/* Element by element over up to three operands, each with steps of its own along up to eight axes:
 * arithmetic, comparisons, conversions, and every move of elements between regular layouts.
 *
 * Items stand along axis 0 (the innermost), axis 1, and all others together. Steps are those of
 * (output, a, b, c), four to an axis.
 *
 * Options: RANK (axes), ARITY, TO, TA, TB, TC (types), F (one of the macros f_… below). */

/* f(a, b, c, p, q); NaN stays NaN: comparisons choose so that it falls through. */
#define f_same(a, b, c, p, q) (a)
#define f_abs(a, b, c, p, q) fabs(a)
#define f_acos(a, b, c, p, q) acos(a)
#define f_acosh(a, b, c, p, q) acosh(a)
#define f_asin(a, b, c, p, q) asin(a)
#define f_asinh(a, b, c, p, q) asinh(a)
#define f_atan(a, b, c, p, q) atan(a)
#define f_atanh(a, b, c, p, q) atanh(a)
#define f_ceil(a, b, c, p, q) ceil(a)
#define f_celu(a, b, c, p, q) ((a) < 0.0f ? (p) * expm1((a) / (p)) : (a))
#define f_clip(a, b, c, p, q) fclip(a, p, q)
#define f_cos(a, b, c, p, q) cos(a)
#define f_cosh(a, b, c, p, q) cosh(a)
#define f_elu(a, b, c, p, q) ((a) < 0.0f ? (p) * expm1(a) : (a))
#define f_erf(a, b, c, p, q) erf(a)
#define f_exp(a, b, c, p, q) exp(a)
#define f_floor(a, b, c, p, q) floor(a)
#define f_gelu(a, b, c, p, q) (0.5f * (a) * (1.0f + erf((a) * 0.70710678118654752f)))
#define f_gelu_tanh(a, b, c, p, q) \
    (0.5f * (a) * (1.0f + tanh(0.79788456080286536f * ((a) + 0.044715f * (a) * (a) * (a)))))
#define f_hard_sigmoid(a, b, c, p, q) fclip((p) * (a) + (q), 0.0f, 1.0f)
#define f_hard_swish(a, b, c, p, q) ((a) / 6.0f * fclip((a) + 3.0f, 0.0f, 6.0f))
#define f_leaky_relu(a, b, c, p, q) ((a) < 0.0f ? (p) * (a) : (a))
#define f_log(a, b, c, p, q) log(a)
#define f_mish(a, b, c, p, q) ((a) * tanh(fsoftplus(a)))
#define f_neg(a, b, c, p, q) (-(a))
#define f_reciprocal(a, b, c, p, q) (1.0f / (a))
#define f_relu(a, b, c, p, q) ((a) < 0 ? 0 : (a))
#define f_round(a, b, c, p, q) rint(a)
#define f_selu(a, b, c, p, q) ((a) > 0.0f ? (q) * (a) : (q) * (p) * expm1(a))
#define f_shrink(a, b, c, p, q) ((a) < -(p) ? (a) + (q) : (a) > (p) ? (a) - (q) : 0.0f)
#define f_sigmoid(a, b, c, p, q) (1.0f / (1.0f + exp(-(a))))
#define f_sign(a, b, c, p, q) ((a) > 0 ? 1 : (a) < 0 ? -1 : (a))
#define f_sin(a, b, c, p, q) sin(a)
#define f_sinh(a, b, c, p, q) sinh(a)
#define f_softplus(a, b, c, p, q) fsoftplus(a)
#define f_softsign(a, b, c, p, q) ((a) / (1.0f + fabs(a)))
#define f_sqrt(a, b, c, p, q) sqrt(a)
#define f_swish(a, b, c, p, q) ((a) / (1.0f + exp(-(p) * (a))))
#define f_tan(a, b, c, p, q) tan(a)
#define f_tanh(a, b, c, p, q) tanh(a)
#define f_thresholded_relu(a, b, c, p, q) ((a) > (p) ? (a) : 0.0f)
#define f_not(a, b, c, p, q) (!(a))
#define f_cast(a, b, c, p, q) ((TO)(a))
#define f_cast_bool(a, b, c, p, q) ((a) != 0)
#define f_cast_cut(a, b, c, p, q) ((TO)(long)(a)) /* towards zero, then the low bits */

#define f_add(a, b, c, p, q) ((a) + (b))
#define f_sub(a, b, c, p, q) ((a) - (b))
#define f_mul(a, b, c, p, q) ((a) * (b))
#define f_div(a, b, c, p, q) ((a) / (b))
#define f_pow(a, b, c, p, q) ((b) == 2.0f ? (a) * (a) : pow(a, b))
#define f_fmod(a, b, c, p, q) fmod(a, b)
#define f_prelu(a, b, c, p, q) ((a) < 0.0f ? (a) * (b) : (a))
#define f_max(a, b, c, p, q) ((a) > (b) || (a) != (a) ? (a) : (b))
#define f_min(a, b, c, p, q) ((a) < (b) || (a) != (a) ? (a) : (b))
#define f_and(a, b, c, p, q) ((a) & (b))
#define f_or(a, b, c, p, q) ((a) | (b))
#define f_xor(a, b, c, p, q) ((a) ^ (b))
#define f_equal(a, b, c, p, q) ((a) == (b))
#define f_greater(a, b, c, p, q) ((a) > (b))
#define f_greater_equal(a, b, c, p, q) ((a) >= (b))
#define f_less(a, b, c, p, q) ((a) < (b))
#define f_less_equal(a, b, c, p, q) ((a) <= (b))
#define f_where(a, b, c, p, q) ((a) ? (b) : (c))

/* Codes: b is the scale, c the zero point; p and q the least and the most code. */
#define f_quantize(a, b, c, p, q) fcode(fquotient(a, b), (float)(c), p, q)
#define f_quantize_plain(a, b, c, p, q) fcode(fquotient(a, b), 0.0f, p, q)
#define f_dequantize(a, b, c, p, q) ((float)((int)(a) - (int)(c)) * (b))
#define f_dequantize_plain(a, b, c, p, q) ((float)(a) * (b))

/* The upper bound wins where the bounds cross. */
static float fclip(float x, float least, float most)
{
    const float low = x < least ? least : x;
    return low > most ? most : low;
}

static float fsoftplus(float x)
{
    return (x > 0.0f ? x : 0.0f) + log1p(exp(-fabs(x)));
}

/* Rounded like division, on devices whose own is off by up to two units. */
static float fquotient(float x, float scale)
{
    const float q = x / scale;
#if HET_CPU
    return q;
#else
    return fabs(q) < 65536.0f ? fma(fma(-q, scale, x), 1.0f / scale, q) : q;
#endif
}

/* Saturates before it rounds, which is the same as the bounds are integers; NaN: the least. */
static int fcode(float quotient, float zero, float least, float most)
{
    const float low = quotient > least - zero ? quotient : least - zero;
    return (int)rint(low < most - zero ? low : most - zero) + (int)zero;
}

/* Where the library is built for drivers without a compiler F is a number, and F_NAMES(X) has
 * X(number, macro) for each that it can be. */
#ifdef F_NAMES
#define CHOICE(number, f) \
    case number: \
        y = (TO)f(u, v, w, p, q); \
        break;
#define APPLY \
    switch (F) { \
        F_NAMES(CHOICE) \
    }
#else
#define APPLY y = (TO)F(u, v, w, p, q);
#endif

#define REST(k, steps) \
    if (RANK > k) { \
        at += rest % extent.s##k * steps; \
        rest /= extent.s##k; \
    }

/* Where the item's elements lie; leaves the kernel where there are none. */
#define FIND_PLACE \
    const int p0 = get_global_id(0), p1 = get_global_id(1); \
    int rest = get_global_id(2); \
    if (p0 >= extent.s0 || p1 >= extent.s1 || rest >= others) \
        return; \
    int4 at = p0 * near.s0123 + p1 * near.s4567; \
    REST(2, near.s89ab) \
    REST(3, near.scdef) \
    REST(4, distant.s0123) \
    REST(5, distant.s4567) \
    REST(6, distant.s89ab) \
    REST(7, distant.scdef)

#ifdef F

__kernel void map(HET_OUT(out), HET_IN(a), HET_IN(b), HET_IN(c), const int8 extent,
                  const int others, const int16 near, const int16 distant, const float p,
                  const float q)
{
    FIND_PLACE
    const TA u = ((__global const TA *)(a + a_at))[at.s1];
#if ARITY > 1
    const TB v = ((__global const TB *)(b + b_at))[at.s2];
#endif
#if ARITY > 2
    const TC w = ((__global const TC *)(c + c_at))[at.s3];
#endif
    TO y = 0;
    APPLY
    ((__global TO *)(out + out_at))[at.s0] = y;
}

#endif

/* Sums and products of codes by tables of what each code of either operand stands for: 256 floats
 * for a, then 256 for b. */
#ifdef CODES

__kernel void codes(HET_OUT(out), HET_IN(a), HET_IN(b), HET_IN(tables), const int8 extent,
                    const int others, const int16 near, const int16 distant, const float least,
                    const float most, const float zero)
{
    FIND_PLACE
    __global const float *table = (__global const float *)(tables + tables_at);
    const float u = table[(a + a_at)[at.s1]], v = table[256 + (b + b_at)[at.s2]];
    (out + out_at)[at.s0] = (uchar)fcode(CODES, zero, least, most);
}

#endif
