/* SPDX-License-Identifier: Apache-2.0 */
/* Vectors of 4 lanes for processors without a level of their own: the compiler's vector types,
 * which gcc and clang turn into what the target has (SSE2, NEON, ...) or into scalar code. See
 * vec.h for the meaning; there is no fused multiply-add. */
#ifndef HET_CPU_VEC_GENERIC_H
#define HET_CPU_VEC_GENERIC_H

#define VL 4
#define VEC_HAVE_BF16 0
#define VEC_DOT_UNSIGNED 1

typedef float vf __attribute__((vector_size(16)));
typedef int32_t vi __attribute__((vector_size(16)));
typedef uint32_t vu __attribute__((vector_size(16)));
typedef int16_t vs __attribute__((vector_size(16)));

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

static inline vf vf_set(float x) { return (vf){ x, x, x, x }; }
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
static inline vf vf_add(vf a, vf b) { return a + b; }
static inline vf vf_sub(vf a, vf b) { return a - b; }
static inline vf vf_mul(vf a, vf b) { return a * b; }
static inline vf vf_div(vf a, vf b) { return a / b; }
static inline vf vf_fma(vf a, vf b, vf c) { return a * b + c; }
static inline float vf_sum(vf a) { return (a[0] + a[2]) + (a[1] + a[3]); }
static inline float vf_hmax(vf a)
{
    const float x = a[0] > a[1] ? a[0] : a[1], y = a[2] > a[3] ? a[2] : a[3];
    return x > y ? x : y;
}

static inline vi vi_set(int32_t x) { return (vi){ x, x, x, x }; }
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
    const uint8_t *b = p;
    return (vi){ b[0], b[1], b[2], b[3] };
}
static inline vi vi_load_s8(const void *p)
{
    const int8_t *b = p;
    return (vi){ b[0], b[1], b[2], b[3] };
}
static inline void vi_store_s8(void *p, vi a)
{
    for (int i = 0; i < VL; i++)
        ((int8_t *)p)[i] = (int8_t)(a[i] > 127 ? 127 : a[i] < -128 ? -128 : a[i]);
}
static inline vi vi_and(vi a, vi b) { return a & b; }
static inline vi vi_or(vi a, vi b) { return a | b; }
static inline vi vi_add(vi a, vi b) { return (vi)((vu)a + (vu)b); }
static inline vi vi_sub(vi a, vi b) { return (vi)((vu)a - (vu)b); }
static inline vi vi_add8(vi a, vi b)
{
    const vi low = vi_set(0x7f7f7f7f); /* no carry from byte to byte */
    return vi_add(a & low, b & low) ^ ((a ^ b) & ~low);
}
static inline vi vi_shl(vi a, int n) { return (vi)((vu)a << n); }
static inline vi vi_shr(vi a, int n) { return (vi)((vu)a >> n); }
/* a < b ? x : y, signed */
static inline vi vi_select_lt(vi a, vi b, vi x, vi y)
{
    const vi mask = a < b;
    return (x & mask) | (y & ~mask);
}
static inline vi vi_max(vi a, vi b) { return vi_select_lt(a, b, b, a); }
static inline int32_t vi_sum(vi a)
{
    const vu u = (vu)a; /* wraps, as the sums of other levels do */
    return (int32_t)(u[0] + u[1] + u[2] + u[3]);
}
static inline int32_t vi_hmax(vi a)
{
    const int32_t x = a[0] > a[1] ? a[0] : a[1], y = a[2] > a[3] ? a[2] : a[3];
    return x > y ? x : y;
}
/* Per lane the two products of its 16-bit halves. */
static inline vi vi_madd16(vi a, vi b)
{
    const vi low = ((vi)((vu)a << 16) >> 16) * ((vi)((vu)b << 16) >> 16);
    return low + (a >> 16) * (b >> 16);
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

static inline vi vi_bits(vf a) { return (vi)a; }
static inline vf vf_bits(vi a) { return (vf)a; }
static inline vf vf_min(vf a, vf b) { return (vf)(((vi)a & (a < b)) | ((vi)b & ~(a < b))); }
static inline vf vf_max(vf a, vf b) { return (vf)(((vi)a & (a > b)) | ((vi)b & ~(a > b))); }
static inline vf vf_from_vi(vi a) { return __builtin_convertvector(a, vf); }
static inline vi vi_from_vf(vf a)
{
    /* Adding 1.5 * 2^23 leaves the nearest integer in the low bits; values beyond +-2^22 (and NaN)
     * give some integer, as with the vector instructions. */
    return vi_sub((vi)(a + 12582912.0f), vi_set(0x4b400000));
}

static inline vf vf_load_f16(const void *p)
{
    uint16_t h[VL];
    memcpy(h, p, sizeof h);
    return (vf){ vec_f16_value(h[0]), vec_f16_value(h[1]), vec_f16_value(h[2]),
                 vec_f16_value(h[3]) };
}
static inline void vf_store_f16(void *p, vf a)
{
    uint16_t h[VL];
    for (int i = 0; i < VL; i++)
        h[i] = vec_f16_code(a[i]);
    memcpy(p, h, sizeof h);
}
static inline vf vf_load_bf16(const void *p)
{
    uint16_t h[VL];
    memcpy(h, p, sizeof h);
    return (vf)((vu){ h[0], h[1], h[2], h[3] } << 16);
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
/* Products of bytes in 16-bit lanes (255 * 128 fits): even and odd bytes of a lane apart. */
static inline vi vec_dot(int kind, vi acc, vi w, vi a)
{
    const vi mask = vi_set(0x00ff00ff);
    const vs even = (vs)(w & mask) * ((vs)((vu)(a & mask) << 8) >> 8);
    const vs odd = (vs)(vi_shr(w, 8) & mask) * ((vs)a >> 8);
    if (kind != VEC_DOT_WIDE) { /* the sum of two fits as well: 2 * 63 * 128 */
        const vi both = (vi)(even + odd);
        return acc + ((vi)((vu)both << 16) >> 16) + (both >> 16);
    }
    acc += ((vi)((vu)(vi)even << 16) >> 16) + ((vi)even >> 16);
    return acc + ((vi)((vu)(vi)odd << 16) >> 16) + ((vi)odd >> 16);
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
