/* SPDX-License-Identifier: Apache-2.0 */
/* Vectors of 8 lanes in plain C, for processors without a level of their own. See vec.h for the
 * meaning. The loops are of constant length, so that compilers turn them into whatever the target
 * has; nothing else is assumed, and there is no fused multiply-add. */
#ifndef HET_CPU_VEC_GENERIC_H
#define HET_CPU_VEC_GENERIC_H

#include <string.h>

#define VL 8
#define VEC_HAVE_BF16 0
#define VEC_DOT_UNSIGNED 1

typedef struct vf { float v[VL]; } vf;
typedef struct vi { int32_t v[VL]; } vi;

#define VEC_EACH for (int i = 0; i < VL; i++)
#define VEC_DEFINE(type, name, expression)      \
    static inline type name(type a, type b)     \
    {                                           \
        type r;                                 \
        VEC_EACH r.v[i] = (expression);         \
        return r;                               \
    }

static inline float vec_f16_value(uint16_t h)
{
    /* Exponent and mantissa in place, rescaled by a product that also normalises subnormals;
     * infinities and NaN get the largest exponent again. */
    uint32_t bits = (uint32_t)(h & 0x7fff) << 13;
    const uint32_t special = bits >= 0x0f800000u ? 0x7f800000u : 0;
    const uint32_t magic = 0x77800000u; /* 2^112 */
    float f, scale;
    memcpy(&f, &bits, 4);
    memcpy(&scale, &magic, 4);
    f *= scale;
    memcpy(&bits, &f, 4);
    bits |= special | (uint32_t)(h & 0x8000) << 16;
    memcpy(&f, &bits, 4);
    return f;
}

static inline uint16_t vec_f16_code(float f)
{
    uint32_t bits;
    memcpy(&bits, &f, 4);
    const uint16_t sign = (uint16_t)(bits >> 16 & 0x8000);
    bits &= 0x7fffffffu;
    if (bits > 0x7f800000u)
        return (uint16_t)(sign | 0x7e00 | (bits >> 13 & 0x1ff));
    if (bits >= 0x477ff000u) /* 65520 and above round to infinity */
        return (uint16_t)(sign | 0x7c00);
    if (bits < 0x38800000u) { /* subnormal: the sum with 0.5 rounds at 2^-24 */
        float a;
        memcpy(&a, &bits, 4);
        a += 0.5f;
        memcpy(&bits, &a, 4);
        return (uint16_t)(sign | (bits - 0x3f000000u));
    }
    bits += 0xc8000fffu + (bits >> 13 & 1);
    return (uint16_t)(sign | bits >> 13);
}

static inline vf vf_set(float x)
{
    vf r;
    VEC_EACH r.v[i] = x;
    return r;
}
static inline vf vf_zero(void) { return vf_set(0.0f); }
static inline vf vf_load(const float *p)
{
    vf r;
    memcpy(&r, p, sizeof r);
    return r;
}
static inline void vf_store(float *p, vf a) { memcpy(p, &a, sizeof a); }
static inline vf vf_load_n(const float *p, int64_t n)
{
    vf r = vf_zero();
    memcpy(&r, p, (size_t)(n < VL ? n : VL) * 4);
    return r;
}
static inline void vf_store_n(float *p, vf a, int64_t n)
{
    memcpy(p, &a, (size_t)(n < VL ? n : VL) * 4);
}
VEC_DEFINE(vf, vf_add, a.v[i] + b.v[i])
VEC_DEFINE(vf, vf_sub, a.v[i] - b.v[i])
VEC_DEFINE(vf, vf_mul, a.v[i] * b.v[i])
VEC_DEFINE(vf, vf_div, a.v[i] / b.v[i])
VEC_DEFINE(vf, vf_min, a.v[i] < b.v[i] ? a.v[i] : b.v[i])
VEC_DEFINE(vf, vf_max, a.v[i] > b.v[i] ? a.v[i] : b.v[i])
static inline vf vf_fma(vf a, vf b, vf c) { return vf_add(vf_mul(a, b), c); }
static inline float vf_sum(vf a)
{
    return ((a.v[0] + a.v[4]) + (a.v[2] + a.v[6])) + ((a.v[1] + a.v[5]) + (a.v[3] + a.v[7]));
}

static inline vi vi_set(int32_t x)
{
    vi r;
    VEC_EACH r.v[i] = x;
    return r;
}
static inline vi vi_zero(void) { return vi_set(0); }
static inline vi vi_load(const void *p)
{
    vi r;
    memcpy(&r, p, sizeof r);
    return r;
}
static inline void vi_store(void *p, vi a) { memcpy(p, &a, sizeof a); }
static inline vi vi_load_u8(const void *p)
{
    vi r;
    VEC_EACH r.v[i] = ((const uint8_t *)p)[i];
    return r;
}
static inline vi vi_load_s8(const void *p)
{
    vi r;
    VEC_EACH r.v[i] = ((const int8_t *)p)[i];
    return r;
}
static inline void vi_store_s8(void *p, vi a)
{
    VEC_EACH((int8_t *)p)[i] = (int8_t)(a.v[i] > 127 ? 127 : a.v[i] < -128 ? -128 : a.v[i]);
}
VEC_DEFINE(vi, vi_and, a.v[i] & b.v[i])
VEC_DEFINE(vi, vi_or, a.v[i] | b.v[i])
VEC_DEFINE(vi, vi_add, (int32_t)((uint32_t)a.v[i] + (uint32_t)b.v[i]))
VEC_DEFINE(vi, vi_sub, (int32_t)((uint32_t)a.v[i] - (uint32_t)b.v[i]))
VEC_DEFINE(vi, vi_max, a.v[i] > b.v[i] ? a.v[i] : b.v[i])
static inline vi vi_add8(vi a, vi b)
{
    /* Bytes without carry between them. */
    vi r;
    VEC_EACH
    {
        const uint32_t x = (uint32_t)a.v[i], y = (uint32_t)b.v[i];
        r.v[i] = (int32_t)(((x & 0x7f7f7f7fu) + (y & 0x7f7f7f7fu)) ^ ((x ^ y) & 0x80808080u));
    }
    return r;
}
static inline vi vi_shl(vi a, int n)
{
    VEC_EACH a.v[i] = (int32_t)((uint32_t)a.v[i] << n);
    return a;
}
static inline vi vi_shr(vi a, int n)
{
    VEC_EACH a.v[i] = (int32_t)((uint32_t)a.v[i] >> n);
    return a;
}
static inline int32_t vi_sum(vi a)
{
    int32_t s = 0;
    VEC_EACH s += a.v[i];
    return s;
}
static inline int32_t vi_hmax(vi a)
{
    int32_t s = a.v[0];
    VEC_EACH s = a.v[i] > s ? a.v[i] : s;
    return s;
}
static inline vi vi_madd16(vi a, vi b)
{
    vi r;
    VEC_EACH
    {
        r.v[i] = (int16_t)a.v[i] * (int16_t)b.v[i]
            + (int16_t)((uint32_t)a.v[i] >> 16) * (int16_t)((uint32_t)b.v[i] >> 16);
    }
    return r;
}
static inline vi vi_lookup(const uint8_t table[16], vi a)
{
    uint8_t bytes[4 * VL];
    memcpy(bytes, &a, sizeof bytes);
    for (int i = 0; i < 4 * VL; i++)
        bytes[i] = table[bytes[i] & 15];
    memcpy(&a, bytes, sizeof bytes);
    return a;
}
static inline vi vi_select_lt(vi a, vi b, vi x, vi y)
{
    VEC_EACH x.v[i] = a.v[i] < b.v[i] ? x.v[i] : y.v[i];
    return x;
}

static inline vf vf_from_vi(vi a)
{
    vf r;
    VEC_EACH r.v[i] = (float)a.v[i];
    return r;
}
static inline vi vi_from_vf(vf a)
{
    /* Adding 1.5 * 2^23 leaves the nearest integer in the low bits; values beyond +-2^22 (and NaN)
     * give some integer, as with the vector instructions. */
    vi r;
    VEC_EACH
    {
        const float f = a.v[i] + 12582912.0f;
        int32_t bits;
        memcpy(&bits, &f, 4);
        r.v[i] = (int32_t)((uint32_t)bits - 0x4b400000u);
    }
    return r;
}
static inline vi vi_bits(vf a)
{
    vi r;
    memcpy(&r, &a, sizeof r);
    return r;
}
static inline vf vf_bits(vi a)
{
    vf r;
    memcpy(&r, &a, sizeof r);
    return r;
}

static inline vf vf_load_f16(const void *p)
{
    uint16_t h[VL];
    vf r;
    memcpy(h, p, sizeof h);
    VEC_EACH r.v[i] = vec_f16_value(h[i]);
    return r;
}
static inline void vf_store_f16(void *p, vf a)
{
    uint16_t h[VL];
    VEC_EACH h[i] = vec_f16_code(a.v[i]);
    memcpy(p, h, sizeof h);
}
static inline vf vf_load_bf16(const void *p)
{
    uint16_t h[VL];
    vi r;
    memcpy(h, p, sizeof h);
    VEC_EACH r.v[i] = (int32_t)((uint32_t)h[i] << 16);
    return vf_bits(r);
}

static inline vi vec_begin(int kind, vi init)
{
    (void)kind;
    return init;
}
static inline vi vec_end(int kind, vi acc, vi init)
{
    (void)kind, (void)init;
    return acc;
}
static inline vi vec_dot(int kind, vi acc, vi w, vi a)
{
    uint8_t u[4 * VL];
    int8_t s[4 * VL];
    (void)kind;
    memcpy(u, &w, sizeof u);
    memcpy(s, &a, sizeof s);
    VEC_EACH
    {
        acc.v[i] += u[4 * i] * s[4 * i] + u[4 * i + 1] * s[4 * i + 1]
            + u[4 * i + 2] * s[4 * i + 2] + u[4 * i + 3] * s[4 * i + 3];
    }
    return acc;
}

static inline uint64_t vec_sum_bytes(const uint8_t *p, size_t bytes)
{
    uint64_t sum = 0;
    for (size_t i = 0; i < bytes; i += 256) {
        uint32_t part = 0;
        for (int j = 0; j < 256; j++)
            part += p[i + (size_t)j];
        sum += part;
    }
    return sum;
}

#endif /* HET_CPU_VEC_GENERIC_H */
