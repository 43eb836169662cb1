/* SPDX-License-Identifier: Apache-2.0 */
/* Register tiles of convolutions of codes, and windows over one block; compiled once per
 * instruction-set level, like image_math.c.
 *
 *   conv   B blocks of output channels x P places: four channels of a place, broadcast, times four
 *          codes of weights in each lane
 *
 * Levels with VNNI have one instruction for that. The others split the four bytes into two pairs of
 * 16 bits, whose products and sums of two are exact in 32 bits. */
#include "backends/cpu_onednn/vec.h"

#include <math.h>

#include "backends/cpu_onednn/qimage_math.h"

#define QUADS_AT_ONCE (HET__LEVEL == HET__LEVEL_AVX512 || HET__LEVEL == HET__LEVEL_AVX2VNNI)

#if HET__LEVEL == HET__LEVEL_AVX512
#define MATH het__qimage_math_avx512
#define LEVEL_NAME "avx512"
#define PLACES_1 12
#define PLACES_2 12
#define PLACES_3 8
#define PLACES_4 6
#define BLOCKS_MAX 4
#elif HET__LEVEL == HET__LEVEL_AVX2VNNI
#define MATH het__qimage_math_avx2vnni
#define LEVEL_NAME "avx2vnni"
#define PLACES_1 10
#define PLACES_2 6
#define BLOCKS_MAX 2
#elif HET__LEVEL == HET__LEVEL_AVX2
#define MATH het__qimage_math_avx2
#define LEVEL_NAME "avx2"
#define PLACES_1 8
#define PLACES_2 4
#define BLOCKS_MAX 2
#else
#define MATH het__qimage_math_generic
#define LEVEL_NAME "generic"
#define PLACES_1 4
#define PLACES_2 2
#define BLOCKS_MAX 2
#endif

#define PLACES_MAX 12

/* ---- codes in and out ---- */

/* The low bytes of the lanes. */
VEC_INLINE void store_codes(uint8_t *p, vi a)
{
#if HET__LEVEL == HET__LEVEL_AVX512
    _mm_storeu_si128((__m128i *)p, _mm512_cvtepi32_epi8(a));
#elif HET__LEVEL != HET__LEVEL_GENERIC
    const vi low = vi_and(a, vi_set(255));
    const __m128i h =
        _mm_packs_epi32(_mm256_castsi256_si128(low), _mm256_extracti128_si256(low, 1));
    _mm_storel_epi64((__m128i *)p, _mm_packus_epi16(h, h));
#else
    int32_t lanes[VL];
    vi_store(lanes, a);
    for (int i = 0; i < VL; i++)
        p[i] = (uint8_t)lanes[i];
#endif
}

VEC_INLINE vi load_codes(const uint8_t *p, bool is_signed)
{
    return is_signed ? vi_load_s8(p) : vi_load_u8(p);
}

/* What a number becomes: the bounds are integers, so that it does not matter whether rounding
 * comes first; a NaN becomes the least. */
typedef struct range {
    vf least, most;
    vi zero;
} range;

VEC_INLINE range range_of(int32_t least, int32_t most, int32_t zero)
{
    return (range){ vf_set((float)(least - zero)), vf_set((float)(most - zero)), vi_set(zero) };
}

VEC_INLINE void put_codes(const range *r, vf v, uint8_t *to)
{
    v = vf_min(vf_max(v, r->least), r->most);
    store_codes(to, vi_add(vi_from_vf(v), r->zero));
}

/* ---- convolutions ---- */

typedef struct quad {
#if QUADS_AT_ONCE
    vi all;
#else
    vi even, odd;
#endif
} quad;

#if QUADS_AT_ONCE
#define QUAD_BYTES (VL * 4)
#else
#define QUAD_BYTES (VL * 8)
#endif

static void pack(const int8_t *codes, uint8_t *to)
{
#if QUADS_AT_ONCE
    memcpy(to, codes, QUAD_BYTES);
#else
    int16_t pairs[2][VL][2];
    for (int l = 0; l < VL; l++)
        for (int i = 0; i < 4; i++)
            pairs[i % 2][l][i / 2] = codes[4 * l + i];
    memcpy(to, pairs, sizeof pairs);
#endif
}

VEC_INLINE quad load_quad(const uint8_t *w)
{
#if QUADS_AT_ONCE
    return (quad){ vi_load(w) };
#else
    return (quad){ vi_load(w), vi_load(w + VL * 4) };
#endif
}

VEC_INLINE quad spread(const uint8_t *in)
{
    const vi a = vi_bcast(in);
#if QUADS_AT_ONCE
    return (quad){ a };
#else
    const vi bytes = vi_set(0x00ff00ff);
    return (quad){ vi_and(a, bytes), vi_and(vi_shr(a, 8), bytes) };
#endif
}

VEC_INLINE vi dot(vi sum, quad a, quad w)
{
#if QUADS_AT_ONCE
    return vec_dot(VEC_DOT_WIDE, sum, a.all, w.all);
#else
    return vi_add(sum, vi_add(vi_madd16(a.even, w.even), vi_madd16(a.odd, w.odd)));
#endif
}

VEC_INLINE void conv_end(const het__qconv_job *job, const int B, const int P, int64_t at,
                         vi sum[][PLACES_MAX])
{
    const range r = range_of(job->attrs->least, job->attrs->most, job->attrs->zero_out);
    VEC_UNROLL
    for (int b = 0; b < B; b++) {
        uint8_t *out = job->output + b * job->output_stride + at * VL;
        const vf factor = vf_load(job->factor + b * VL);
        VEC_UNROLL
        for (int p = 0; p < P; p++)
            put_codes(&r, vf_mul(vf_from_vi(sum[b][p]), factor), out + p * VL);
    }
}

VEC_INLINE void conv_tile(const het__qconv_job *job, const int B, const int P, int64_t at)
{
    const uint8_t *w = job->weights;
    const uint8_t *in[PLACES_MAX];
    vi sum[BLOCKS_MAX][PLACES_MAX];
    VEC_UNROLL
    for (int p = 0; p < P; p++)
        in[p] = job->input + job->places[at + p];
    VEC_UNROLL
    for (int b = 0; b < B; b++) {
        const vi start = vi_load(job->start + b * VL);
        VEC_UNROLL
        for (int p = 0; p < P; p++)
            sum[b][p] = start;
    }
    for (int64_t k = 0; k < job->step_count; k++) {
        const int64_t step = job->steps[k];
        for (int32_t c = 0; c < job->quads; c++, w += B * QUAD_BYTES) {
            quad weight[BLOCKS_MAX];
            VEC_UNROLL
            for (int b = 0; b < B; b++)
                weight[b] = load_quad(w + b * QUAD_BYTES);
            VEC_UNROLL
            for (int p = 0; p < P; p++) {
                const quad a = spread(in[p] + step + 4 * c);
                VEC_UNROLL
                for (int b = 0; b < B; b++)
                    sum[b][p] = dot(sum[b][p], a, weight[b]);
            }
        }
    }
    conv_end(job, B, P, at, sum);
}

#define CONV_PLACES(B, P)                                                   \
    static void conv_places_##B(const het__qconv_job *job)                  \
    {                                                                       \
        const int64_t count = job->place_count;                             \
        int64_t at = 0;                                                     \
        for (; at + (P) <= count; at += (P))                                \
            conv_tile(job, B, P, at);                                       \
        for (; at + 4 <= count && (P) > 4; at += 4)                         \
            conv_tile(job, B, 4, at);                                       \
        for (; at + 2 <= count && (P) > 2; at += 2)                         \
            conv_tile(job, B, 2, at);                                       \
        for (; at < count; at++)                                            \
            conv_tile(job, B, 1, at);                                       \
    }
CONV_PLACES(1, PLACES_1)
CONV_PLACES(2, PLACES_2)
#if BLOCKS_MAX == 4
CONV_PLACES(3, PLACES_3)
CONV_PLACES(4, PLACES_4)
#endif

static void conv(const het__qconv_job *job)
{
    static void (*const run[])(const het__qconv_job *) = {
        conv_places_1, conv_places_2,
#if BLOCKS_MAX == 4
        conv_places_3, conv_places_4,
#endif
    };
    run[job->blocks - 1](job);
}

static int32_t tile(int32_t blocks)
{
    static const int32_t places[] = {
        PLACES_1, PLACES_2,
#if BLOCKS_MAX == 4
        PLACES_3, PLACES_4,
#endif
    };
    return blocks <= BLOCKS_MAX ? places[blocks - 1] : 0;
}

/* ---- windows over one block ---- */

#define ROW_PLACES 8

/* The taps of a row of P places: a code, less its zero point, has 9 bits; with the weight's high
 * half zero the product of 16-bit pairs is theirs alone. */
VEC_INLINE void depthwise_taps(const het__qwindow_job *job, const int P, const bool is_signed,
                               const uint8_t *in, const int32_t *weights, int64_t first,
                               int64_t end, vi *sum)
{
    const het__image_attrs *a = job->attrs;
    const int64_t across = (int64_t)a->stride[1] * VL;
    const vi zero = vi_set(a->zero_in);
    for (int64_t kx = first; kx < end; kx++) {
        const vi w = vi_load(weights + kx * VL);
        const uint8_t *at = in + kx * a->dilation[1] * VL;
        VEC_UNROLL
        for (int p = 0; p < P; p++) {
            const vi x = vi_sub(load_codes(at + p * across, is_signed), zero);
            sum[p] = vi_add(sum[p], vi_madd16(x, w));
        }
    }
}

VEC_INLINE void depthwise_tile(const het__qwindow_job *job, const int P, int64_t oy, int64_t ox,
                               int64_t kx_first, int64_t kx_end)
{
    const het__image_attrs *a = job->attrs;
    const range r = range_of(a->least, a->most, a->zero_out);
    const int64_t x0 = ox * a->stride[1] - a->pad_begin[1];
    const int64_t y0 = oy * a->stride[0] - a->pad_begin[0];
    int64_t ky_first, ky_end;
    vi sum[ROW_PLACES];
    het__image_taps(oy, job->height, a->kernel[0], a->stride[0], a->dilation[0], a->pad_begin[0],
                    &ky_first, &ky_end);
    const vi start = vi_load(job->start);
    VEC_UNROLL
    for (int p = 0; p < P; p++)
        sum[p] = start;
    for (int64_t ky = ky_first; ky < ky_end; ky++) {
        const uint8_t *in = job->input + ((y0 + ky * a->dilation[0]) * job->width + x0) * VL;
        const int32_t *w = job->weights + ky * a->kernel[1] * VL;
        if (job->is_signed)
            depthwise_taps(job, P, true, in, w, kx_first, kx_end, sum);
        else
            depthwise_taps(job, P, false, in, w, kx_first, kx_end, sum);
    }
    const vf factor = vf_load(job->factor);
    VEC_UNROLL
    for (int p = 0; p < P; p++)
        put_codes(&r, vf_mul(vf_from_vi(sum[p]), factor),
                  job->output + (oy * job->out_width + ox + p) * VL);
}

/* Output columns [*first, *end) whose windows lie in the image from side to side. */
static void inner_columns(const het__qwindow_job *job, int64_t *first, int64_t *end)
{
    const het__image_attrs *a = job->attrs;
    const int64_t reach = (int64_t)(a->kernel[1] - 1) * a->dilation[1];
    const int64_t last = job->width - 1 - reach + a->pad_begin[1];
    *first = (a->pad_begin[1] + a->stride[1] - 1) / a->stride[1];
    *end = last < 0 ? 0 : last / a->stride[1] + 1;
    if (*end > job->out_width)
        *end = job->out_width;
    if (*first > job->out_width)
        *first = job->out_width;
    if (*end < *first)
        *end = *first;
}

static void depthwise_edge(const het__qwindow_job *job, int64_t oy, int64_t from, int64_t to)
{
    const het__image_attrs *a = job->attrs;
    for (int64_t ox = from; ox < to; ox++) {
        int64_t first, end;
        het__image_taps(ox, job->width, a->kernel[1], a->stride[1], a->dilation[1],
                        a->pad_begin[1], &first, &end);
        depthwise_tile(job, 1, oy, ox, first, end);
    }
}

static void depthwise(const het__qwindow_job *job)
{
    int64_t first, end;
    inner_columns(job, &first, &end);
    for (int64_t oy = job->first_row; oy < job->end_row; oy++) {
        int64_t ox = first;
        depthwise_edge(job, oy, 0, first);
        for (; ox + ROW_PLACES <= end; ox += ROW_PLACES)
            depthwise_tile(job, ROW_PLACES, oy, ox, 0, job->attrs->kernel[1]);
        for (; ox < end; ox++)
            depthwise_tile(job, 1, oy, ox, 0, job->attrs->kernel[1]);
        depthwise_edge(job, oy, end, job->out_width);
    }
}

/* ---- maxima: VL codes, as bytes ---- */

#if HET__LEVEL == HET__LEVEL_GENERIC
typedef struct bytes {
    uint8_t lane[VL];
} bytes;

VEC_INLINE bytes codes_set(uint8_t x)
{
    bytes c;
    memset(c.lane, x, sizeof c.lane);
    return c;
}

VEC_INLINE bytes codes_load(const uint8_t *p)
{
    bytes c;
    memcpy(c.lane, p, sizeof c.lane);
    return c;
}

VEC_INLINE void codes_store(uint8_t *p, bytes c)
{
    memcpy(p, c.lane, sizeof c.lane);
}

VEC_INLINE bytes codes_max(bytes a, bytes b)
{
    for (int l = 0; l < VL; l++)
        a.lane[l] = b.lane[l] > a.lane[l] ? b.lane[l] : a.lane[l];
    return a;
}

VEC_INLINE bytes codes_turn(bytes a, bytes turn)
{
    for (int l = 0; l < VL; l++)
        a.lane[l] ^= turn.lane[l];
    return a;
}
#else
typedef __m128i bytes; /* the low VL of them */

VEC_INLINE bytes codes_set(uint8_t x)
{
    return _mm_set1_epi8((char)x);
}

VEC_INLINE bytes codes_load(const uint8_t *p)
{
    return VL == 16 ? _mm_loadu_si128((const __m128i *)p) : _mm_loadl_epi64((const __m128i *)p);
}

VEC_INLINE void codes_store(uint8_t *p, bytes c)
{
    if (VL == 16)
        _mm_storeu_si128((__m128i *)p, c);
    else
        _mm_storel_epi64((__m128i *)p, c);
}

VEC_INLINE bytes codes_max(bytes a, bytes b)
{
    return _mm_max_epu8(a, b);
}

VEC_INLINE bytes codes_turn(bytes a, bytes turn)
{
    return _mm_xor_si128(a, turn);
}
#endif

/* Signed codes are in the order of unsigned ones once their sign is turned. */
static void pool_place(const het__qwindow_job *job, int64_t oy, int64_t ox)
{
    const het__image_attrs *a = job->attrs;
    const bytes turn = codes_set(job->is_signed ? 0x80 : 0);
    int64_t ky_first, ky_end, kx_first, kx_end;
    bytes most = codes_set(0);
    het__image_taps(oy, job->height, a->kernel[0], a->stride[0], a->dilation[0], a->pad_begin[0],
                    &ky_first, &ky_end);
    het__image_taps(ox, job->width, a->kernel[1], a->stride[1], a->dilation[1], a->pad_begin[1],
                    &kx_first, &kx_end);
    const int64_t y0 = oy * a->stride[0] - a->pad_begin[0];
    const int64_t x0 = ox * a->stride[1] - a->pad_begin[1];
    for (int64_t ky = ky_first; ky < ky_end; ky++)
        for (int64_t kx = kx_first; kx < kx_end; kx++)
            most = codes_max(most, codes_turn(codes_load(job->input +
                ((y0 + ky * a->dilation[0]) * job->width + x0 + kx * a->dilation[1]) * VL), turn));
    codes_store(job->output + (oy * job->out_width + ox) * VL, codes_turn(most, turn));
}

static void pool(const het__qwindow_job *job)
{
    for (int64_t oy = job->first_row; oy < job->end_row; oy++)
        for (int64_t ox = 0; ox < job->out_width; ox++)
            pool_place(job, oy, ox);
}

/* ---- rows become columns ---- */

#if HET__LEVEL == HET__LEVEL_GENERIC
static void turn(uint8_t *to, int64_t to_step, const uint8_t *from, int64_t from_step, int64_t rows,
                 int64_t columns, uint8_t flip)
{
    for (int64_t i = 0; i < rows; i++)
        for (int64_t j = 0; j < columns; j++)
            to[j * to_step + i] = from[i * from_step + j] ^ flip;
}
#else
#define SQUARE 16

/* A square of bytes: four times the halves of the list are shuffled into each other. */
VEC_INLINE void turn_square(__m128i x[SQUARE])
{
    __m128i y[SQUARE];
    for (int round = 0; round < 2; round++) {
        VEC_UNROLL
        for (int i = 0; i < SQUARE / 2; i++) {
            y[2 * i] = _mm_unpacklo_epi8(x[i], x[i + SQUARE / 2]);
            y[2 * i + 1] = _mm_unpackhi_epi8(x[i], x[i + SQUARE / 2]);
        }
        VEC_UNROLL
        for (int i = 0; i < SQUARE / 2; i++) {
            x[2 * i] = _mm_unpacklo_epi8(y[i], y[i + SQUARE / 2]);
            x[2 * i + 1] = _mm_unpackhi_epi8(y[i], y[i + SQUARE / 2]);
        }
    }
}

/* A square, or what is left of one: nothing beside it is read or written. */
VEC_INLINE void turn_part(uint8_t *to, int64_t to_step, const uint8_t *from, int64_t from_step,
                          const int64_t rows, const int64_t columns, uint8_t flip)
{
    const __m128i flips = _mm_set1_epi8((char)flip);
    __m128i x[SQUARE];
    VEC_UNROLL
    for (int i = 0; i < SQUARE; i++) {
        x[i] = _mm_setzero_si128();
        if (i >= rows)
            continue;
        if (columns == SQUARE)
            x[i] = _mm_loadu_si128((const __m128i *)(from + i * from_step));
        else
            memcpy(&x[i], from + i * from_step, (size_t)columns);
        x[i] = _mm_xor_si128(x[i], flips);
    }
    turn_square(x);
    VEC_UNROLL
    for (int j = 0; j < SQUARE; j++) {
        if (j >= columns)
            continue;
        if (rows == SQUARE)
            _mm_storeu_si128((__m128i *)(to + j * to_step), x[j]);
        else
            memcpy(to + j * to_step, &x[j], (size_t)rows);
    }
}

static void turn(uint8_t *to, int64_t to_step, const uint8_t *from, int64_t from_step, int64_t rows,
                 int64_t columns, uint8_t flip)
{
    for (int64_t i = 0; i < rows; i += SQUARE)
        for (int64_t j = 0; j < columns; j += SQUARE) {
            const int64_t high = rows - i < SQUARE ? rows - i : SQUARE;
            const int64_t wide = columns - j < SQUARE ? columns - j : SQUARE;
            uint8_t *part = to + j * to_step + i;
            const uint8_t *source = from + i * from_step + j;
            if (high == SQUARE && wide == SQUARE)
                turn_part(part, to_step, source, from_step, SQUARE, SQUARE, flip);
            else if (high == SQUARE && wide == SQUARE / 2)
                turn_part(part, to_step, source, from_step, SQUARE, SQUARE / 2, flip);
            else
                turn_part(part, to_step, source, from_step, high, wide, flip);
        }
}
#endif

/* ---- element by element ---- */

/* The last elements of a row go through here, so that nothing behind it is touched. */
typedef struct rest {
    float x[VL];
    uint8_t a[VL], b[VL];
} rest;

static void requantise(const het__image_attrs *attrs, const int32_t *sums, float factor,
                       uint8_t *out, int64_t count)
{
    const range r = range_of(attrs->least, attrs->most, attrs->zero_out);
    int64_t i = 0;
    for (; i + VL <= count; i += VL)
        put_codes(&r, vf_mul(vf_from_vi(vi_load(sums + i)), vf_set(factor)), out + i);
    if (i < count) {
        int32_t last[VL] = { 0 };
        uint8_t codes[VL];
        memcpy(last, sums + i, (size_t)(count - i) * sizeof *last);
        put_codes(&r, vf_mul(vf_from_vi(vi_load(last)), vf_set(factor)), codes);
        memcpy(out + i, codes, (size_t)(count - i));
    }
}

static range range_to(const het__quant *q)
{
    return range_of(q->is_signed ? -128 : 0, q->is_signed ? 127 : 255, q->zero);
}

static void quantise(const het__quant *q, const float *x, uint8_t *out, int64_t count)
{
    const range r = range_to(q);
    const vf scale = vf_set(q->scale);
    int64_t i = 0;
    for (; i + VL <= count; i += VL)
        put_codes(&r, vf_div(vf_load(x + i), scale), out + i);
    if (i < count) {
        rest last = { { 0 }, { 0 }, { 0 } };
        memcpy(last.x, x + i, (size_t)(count - i) * sizeof *x);
        put_codes(&r, vf_div(vf_load(last.x), scale), last.a);
        memcpy(out + i, last.a, (size_t)(count - i));
    }
}

VEC_INLINE vf value_of(const het__quant *q, const uint8_t *x)
{
    const vi codes = vi_sub(load_codes(x, q->is_signed), vi_set(q->zero));
    return vf_mul(vf_from_vi(codes), vf_set(q->scale));
}

static void dequantise(const het__quant *q, const uint8_t *x, float *out, int64_t count)
{
    int64_t i = 0;
    for (; i + VL <= count; i += VL)
        vf_store(out + i, value_of(q, x + i));
    if (i < count) {
        rest last = { { 0 }, { 0 }, { 0 } };
        memcpy(last.a, x + i, (size_t)(count - i));
        vf_store(last.x, value_of(q, last.a));
        memcpy(out + i, last.x, (size_t)(count - i) * sizeof *out);
    }
}

VEC_INLINE vf sum_of(const het__quant *qa, const uint8_t *a, const het__quant *qb,
                     const uint8_t *b, float shift)
{
    const vf x = vf_mul(vf_from_vi(load_codes(a, qa->is_signed)), vf_set(qa->scale));
    const vf y = vf_mul(vf_from_vi(load_codes(b, qb->is_signed)), vf_set(qb->scale));
    return vf_add(x, vf_add(y, vf_set(shift)));
}

static void add(const het__quant *qa, const uint8_t *a, const het__quant *qb, const uint8_t *b,
                float shift, uint8_t *out, int64_t count)
{
    const range r = qa->is_signed ? range_of(-128, 127, 0) : range_of(0, 255, 0);
    int64_t i = 0;
    for (; i + VL <= count; i += VL)
        put_codes(&r, sum_of(qa, a + i, qb, b + i, shift), out + i);
    if (i < count) {
        rest last = { { 0 }, { 0 }, { 0 } };
        uint8_t codes[VL];
        memcpy(last.a, a + i, (size_t)(count - i));
        memcpy(last.b, b + i, (size_t)(count - i));
        put_codes(&r, sum_of(qa, last.a, qb, last.b, shift), codes);
        memcpy(out + i, codes, (size_t)(count - i));
    }
}

const het__qimage_math MATH = { LEVEL_NAME, VL, QUAD_BYTES, pack, tile, conv, depthwise, pool,
                                turn, requantise, quantise, dequantise, add };
