/* SPDX-License-Identifier: Apache-2.0 */
/* Floats of eight bits and fewer. All but F8E8M0 are sign, exponent, mantissa:
 *
 *     value = (-1)^sign * 2^(exponent - bias) * 1.mantissa     exponent 0: 0.mantissa, subnormal
 *
 * so that codes without their sign count upwards with the value; what lies above the largest finite
 * code is infinity or NaN, as each type has it. */
#include "lib/plain/small_floats.h"

#include <assert.h>
#include <math.h>

typedef struct format {
    int mantissa; /* bits */
    int least;    /* exponent of the smallest normal number: 1 - bias */
    uint8_t sign; /* bit */
    uint8_t most; /* code of the largest finite value */
    uint8_t infinity; /* code, or that of NaN where there is none */
    uint8_t nan;
    bool nan_is_zero; /* the only NaN stands where -0 would */
} format;

/* F8E4M3 and F8E5M2: OCP 8-bit floating point specification, 1.0; the UZ forms: arXiv 2206.02915;
 * F4E2M1: OCP microscaling formats, 1.0. F4E2M1 has no NaN: it becomes -0. */
static const format *format_of(het_dtype dtype)
{
    static const format e4m3 = { 3, -6, 0x80, 0x7e, 0x7f, 0x7f, false };
    static const format e4m3uz = { 3, -7, 0x80, 0x7f, 0x80, 0x80, true };
    static const format e5m2 = { 2, -14, 0x80, 0x7b, 0x7c, 0x7e, false };
    static const format e5m2uz = { 2, -15, 0x80, 0x7f, 0x80, 0x80, true };
    static const format e2m1 = { 1, 0, 0x08, 0x07, 0x07, 0x08, false };
    switch ((int)dtype) {
    case HET_DTYPE_F8E4M3: return &e4m3;
    case HET_DTYPE_F8E4M3UZ: return &e4m3uz;
    case HET_DTYPE_F8E5M2: return &e5m2;
    case HET_DTYPE_F8E5M2UZ: return &e5m2uz;
    default: assert(dtype == HET_DTYPE_F4E2M1); return &e2m1;
    }
}

#define E8M0_NAN 0xff
#define E8M0_BIAS 127

static double e8m0_get(uint8_t bits)
{
    return bits == E8M0_NAN ? (double)NAN : ldexp(1, bits - E8M0_BIAS);
}

/* What is not positive becomes the smallest value, or NaN without saturation. */
static uint8_t e8m0_put(double x, bool saturate)
{
    int exponent;
    if (isnan(x))
        return E8M0_NAN;
    if (x <= 0)
        return saturate ? 0 : E8M0_NAN;
    if (isinf(x))
        return saturate ? E8M0_NAN - 1 : E8M0_NAN;
    const double part = frexp(x, &exponent); /* in [0.5, 1) */
    const int code = exponent - 1 + E8M0_BIAS + (part >= 0.75);
    if (code >= 0 && code < E8M0_NAN)
        return (uint8_t)code;
    return !saturate ? E8M0_NAN : code < 0 ? 0 : E8M0_NAN - 1;
}

double het__small_float_get(het_dtype dtype, uint8_t bits)
{
    if (dtype == HET_DTYPE_F8E8M0)
        return e8m0_get(bits);
    const format *f = format_of(dtype);
    const int code = bits & (f->sign - 1);
    const int field = code >> f->mantissa, fraction = code & ((1 << f->mantissa) - 1);
    if (f->nan_is_zero && bits == f->nan)
        return (double)NAN;
    const double sign = bits & f->sign ? -1 : 1;
    if (code > f->most)
        return code == f->infinity && f->infinity != f->nan ? sign * (double)INFINITY
                                                            : (double)NAN;
    const int whole = field ? 1 << f->mantissa : 0;
    const int exponent = f->least + (field ? field - 1 : 0);
    return sign * ldexp(whole + fraction, exponent - f->mantissa);
}

/* Code of a finite value of at least 0, rounded; large ones go on counting above the largest. */
static int code_of(const format *f, double x)
{
    int exponent;
    if (x == 0)
        return 0;
    frexp(x, &exponent);
    exponent -= 1;
    if (exponent < f->least)
        exponent = f->least;
    if (exponent > f->least + 32)
        return f->sign; /* above every code */
    return ((exponent - f->least) << f->mantissa) + (int)rint(ldexp(x, f->mantissa - exponent));
}

uint8_t het__small_float_put(het_dtype dtype, double x, bool saturate)
{
    if (dtype == HET_DTYPE_F8E8M0)
        return e8m0_put(x, saturate);
    const format *f = format_of(dtype);
    const uint8_t sign = signbit(x) ? f->sign : 0;
    if (isnan(x))
        return f->nan | (f->nan_is_zero ? 0 : sign);
    const int code = isinf(x) ? f->sign : code_of(f, fabs(x));
    if (code == 0 && f->nan_is_zero)
        return 0;
    if (code <= f->most)
        return (uint8_t)(code | sign);
    return (saturate ? f->most : f->infinity) | sign;
}
