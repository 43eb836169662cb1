/* SPDX-License-Identifier: Apache-2.0 */
/* Convolutions of floats and of codes of eight bits, over plain images [N,C,H,W] and blocked ones
 * [N,C/b,H,W,b].
 *
 * An item computes NB vectors of V channels at PIX neighbouring places of a row, all in registers:
 * per channel of the input NB vectors of weights and PIX numbers give NB * PIX products of a number
 * and a vector. Weights lie in the order in which items read them:
 *
 *     [M / (NB V)][kernel height][kernel width][channels of a group, whole blocks][NB][V]
 *
 * with zeros where there are no such channels. Depthwise: [C / V][height][width][V].
 *
 * Codes are multiplied as floats, which is exact while sums stay below 2^24: |x - zero| * |w| is at
 * most 255 * 128, so that 512 products may be added up before they go into a sum of integers.
 *
 * Options: V, NB, PIX, IN_BLOCK, OUT_BLOCK (1: plain), ACT; CODES with TX, the type of the input's
 * codes. One kernel of a file is built at a time: CONV_TILE, CONV_DEEP, CONV_ANY. */
#define JOIN_(a, b) a##b
#define JOIN(a, b) JOIN_(a, b)

#if V == 1
#define FLOATV float
#define INTV int
#define LOADV(at) (*(at))
#define STOREV(v, at) (*(at) = (v))
#define AS_FLOATV convert_float
#define AS_INTV convert_int
#define AS_INTV_RTE convert_int_rte
#else
#define FLOATV JOIN(float, V)
#define INTV JOIN(int, V)
#define LOADV(at) JOIN(vload, V)(0, at)
#define STOREV(v, at) JOIN(vstore, V)(v, 0, at)
#define AS_FLOATV JOIN(convert_float, V)
#define AS_INTV JOIN(convert_int, V)
#define AS_INTV_RTE JOIN(AS_INTV, _rte)
#endif

#if CODES
#define TW char
#define SUMV INTV
/* Codes in [-128, 255] by their bits, whatever their sign. */
#define TO uchar
#if V == 1
#define AS_TOV(v) convert_uchar((v) & 255)
#else
#define AS_TOV(v) JOIN(convert_uchar, V)((v) & 255)
#endif
#else
#define TX float
#define TO float
#define TW float
#define SUMV FLOATV
#endif

/* What a window is, and the image below it; batch and rows of the output are one extent. */
typedef struct window {
    int in_height, in_width, out_height, out_width;
    int kernel_y, kernel_x, stride_y, stride_x, dilation_y, dilation_x, pad_y, pad_x;
} window;

static window window_of(const int4 size, const int8 form)
{
    const window w = { size.s0, size.s1, size.s2, size.s3, form.s0, form.s1,
                       form.s2, form.s3, form.s4, form.s5, form.s6, form.s7 };
    return w;
}

/* ---- what becomes of a sum ---- */

#if CODES

/* codes: zero point of the output, least, most. A NaN becomes the least. */
static INTV code_of(INTV sum, FLOATV factor, int4 codes)
{
    const FLOATV v = AS_FLOATV(sum) * factor;
    const float least = (float)(codes.s1 - codes.s0), most = (float)(codes.s2 - codes.s0);
    const FLOATV low = v > least ? v : (FLOATV)least;
    return AS_INTV_RTE(low < most ? low : (FLOATV)most) + codes.s0;
}

#else

static FLOATV act_of(FLOATV v, float alpha, float beta)
{
    FLOATV low;
    switch (ACT) {
    case HET_ACT_RELU:
        return v < 0.0f ? (FLOATV)0.0f : v;
    case HET_ACT_CLIP:
        low = v < alpha ? (FLOATV)alpha : v;
        return low > beta ? (FLOATV)beta : low;
    case HET_ACT_LEAKY_RELU:
        return v < 0.0f ? alpha * v : v;
    case HET_ACT_SIGMOID:
        return 1.0f / (1.0f + exp(-v));
    case HET_ACT_TANH:
        return tanh(v);
    case HET_ACT_SWISH:
        return v / (1.0f + exp(-alpha * v));
    case HET_ACT_HARD_SIGMOID:
        return fmin(fmax(alpha * v + beta, (FLOATV)0.0f), (FLOATV)1.0f);
    case HET_ACT_HARD_SWISH:
        return v * fmin(fmax(v * (1.0f / 6.0f) + 0.5f, (FLOATV)0.0f), (FLOATV)1.0f);
    case HET_ACT_GELU_ERF:
        return 0.5f * v * (1.0f + erf(v * 0.70710678118654752f));
    case HET_ACT_GELU_TANH:
        return 0.5f * v * (1.0f + tanh(0.79788456080286536f * (v + 0.044715f * v * v * v)));
    default:
        return v;
    }
}

#endif

/* Writes V channels from channel m on, at a place of an image; the padding of blocks too. */
#define OUT_AT(channel) \
    ((((long)image * ((channels + OUT_BLOCK - 1) / OUT_BLOCK) + (channel) / OUT_BLOCK) * plane + \
      place) * OUT_BLOCK + (channel) % OUT_BLOCK)

static void put(__global const uchar *bias, __global const uchar *factor,
                __global const TO *residual, __global TO *out, SUMV sum, int m, int image,
                int channels, int plane, int place, float alpha, float beta, int4 codes)
{
#if CODES
    const INTV v = code_of(sum + LOADV((__global const int *)bias + m),
                           LOADV((__global const float *)factor + m), codes);
    int lanes[V];
    if (OUT_BLOCK > 1)
        STOREV(AS_TOV(v), out + OUT_AT(m));
    else
        STOREV(v, lanes);
#else
    FLOATV v = sum + LOADV((__global const float *)bias + m);
    float lanes[V];
    if (OUT_BLOCK > 1) {
        if (codes.s0)
            v += LOADV(residual + OUT_AT(m));
        STOREV(act_of(v, alpha, beta), out + OUT_AT(m));
    } else {
        if (codes.s0) {
            for (int i = 0; i < V; i++)
                lanes[i] = m + i < channels ? residual[OUT_AT(m + i)] : 0.0f;
            v += LOADV(lanes);
        }
        STOREV(act_of(v, alpha, beta), lanes);
    }
#endif
    for (int i = 0; OUT_BLOCK == 1 && i < V; i++)
        if (m + i < channels)
            out[OUT_AT(m + i)] = (TO)lanes[i];
}

/* Which part of the output an item computes: processors keep weights near from item to item, other
 * devices have neighbours read neighbouring weights. */
#if HET_CPU
#define ITEM_TILE get_global_id(0)
#define ITEM_ROW get_global_id(1)
#define ITEM_VECTOR get_global_id(2)
#else
#define ITEM_VECTOR get_global_id(0)
#define ITEM_TILE get_global_id(1)
#define ITEM_ROW get_global_id(2)
#endif

/* sizes: input height, width, output height, width
 * form: kernel, stride, dilation, padding before; each height, width
 * counts: vectors (of NB V channels), rows of the output in all images, channels of the output,
 *         channels of the input per group in whole blocks, blocks of the input image, channels of
 *         the output per group, zero point of the input, unused
 * codes: zero point of the output, least, most; of floats: whether there is a residual */
#define ARGUMENTS \
    HET_IN(x), HET_IN(w), HET_IN(bias), HET_IN(factor), HET_IN(residual), HET_OUT(out), \
        const int4 sizes, const int8 form, const int8 counts, const int4 codes, \
        const float alpha, const float beta

/* ---- register tiles ---- */

#ifdef CONV_TILE

#if CODES
#define NUMBER(value) ((float)(value) - zero)
#define NUMBERS JOIN(float, IN_BLOCK)
#define AS_NUMBERS JOIN(convert_float, IN_BLOCK)
#define CODES_BLOCKED (IN_BLOCK > 1)
#define LOAD_NUMBERS(from) JOIN(vload, IN_BLOCK)(0, from)
#else
#define NUMBER(value) (value)
#define CODES_BLOCKED 0
#endif

/* One channel: NB vectors of weights times PIX numbers. */
#define MULTIPLY(weights, number) \
    { \
        FLOATV u[NB]; \
        _Pragma("unroll") for (int b = 0; b < NB; b++) u[b] = WEIGHT((weights) + b * V); \
        _Pragma("unroll") for (int p = 0; p < PIX; p++) { \
            const float f = number; \
            _Pragma("unroll") for (int b = 0; b < NB; b++) \
                acc[b][p] = mad((FLOATV)f, u[b], acc[b][p]); \
        } \
    }

#if CODES
#define WEIGHT(at) AS_FLOATV(LOADV(at))
#else
#define WEIGHT(at) LOADV(at)
#endif

__kernel void conv_tile(ARGUMENTS)
{
    const window s = window_of(sizes, form);
    const int vector = ITEM_VECTOR, row = ITEM_ROW, first = ITEM_TILE * PIX;
    if (vector >= counts.s0 || row >= counts.s1 || first >= s.out_width)
        return;
    const int image = row / s.out_height, y = row % s.out_height, m = vector * NB * V;
    const int depth = counts.s3, plane = s.in_height * s.in_width;
    const float zero = (float)counts.s6;
    __global const TX *pixels = (__global const TX *)(x + x_at) +
        ((long)image * counts.s4 + m / counts.s5 * (depth / IN_BLOCK)) * plane * IN_BLOCK;
    __global const TW *weights = (__global const TW *)(w + w_at) +
        (long)vector * s.kernel_y * s.kernel_x * depth * (NB * V);
    FLOATV acc[NB][PIX];
#pragma unroll
    for (int b = 0; b < NB; b++)
#pragma unroll
        for (int p = 0; p < PIX; p++)
            acc[b][p] = (FLOATV)0.0f;
#if CODES
    INTV sums[NB][PIX];
    int taken = 0;
#pragma unroll
    for (int b = 0; b < NB; b++)
#pragma unroll
        for (int p = 0; p < PIX; p++)
            sums[b][p] = (INTV)0;
#endif
    for (int ky = 0; ky < s.kernel_y; ky++) {
        const int iy = y * s.stride_y - s.pad_y + ky * s.dilation_y;
        if (iy < 0 || iy >= s.in_height)
            continue;
        for (int kx = 0; kx < s.kernel_x; kx++) {
            int at[PIX], all = 1;
#pragma unroll
            for (int p = 0; p < PIX; p++) {
                /* Places behind the row are computed like its last one and not written. */
                const int ox = min(first + p, s.out_width - 1);
                const int ix = ox * s.stride_x - s.pad_x + kx * s.dilation_x;
                const int inside = ix >= 0 && ix < s.in_width;
                at[p] = inside ? (iy * s.in_width + ix) * IN_BLOCK : -1;
                all = all && inside;
            }
            __global const TW *u0 = weights + (ky * s.kernel_x + kx) * depth * (NB * V);
            __global const TX *from = pixels;
            for (int c = 0; c < depth; c += IN_BLOCK, from += plane * IN_BLOCK) {
#if CODES_BLOCKED
                float numbers[PIX][IN_BLOCK]; /* vectors of codes are cheaper to convert */
#pragma unroll
                for (int p = 0; p < PIX; p++) {
                    const NUMBERS v = AS_NUMBERS(LOAD_NUMBERS(from + max(at[p], 0))) - zero;
                    JOIN(vstore, IN_BLOCK)(at[p] < 0 ? (NUMBERS)0.0f : v, 0, numbers[p]);
                }
#pragma unroll
                for (int i = 0; i < IN_BLOCK; i++)
                    MULTIPLY(u0 + (c + i) * (NB * V), numbers[p][i])
#else
                if (all) {
#pragma unroll
                    for (int i = 0; i < IN_BLOCK; i++)
                        MULTIPLY(u0 + (c + i) * (NB * V), NUMBER(from[at[p] + i]))
                } else {
#pragma unroll
                    for (int i = 0; i < IN_BLOCK; i++)
                        MULTIPLY(u0 + (c + i) * (NB * V),
                                 at[p] < 0 ? 0.0f : NUMBER(from[at[p] + i]))
                }
#endif
#if CODES
                taken += IN_BLOCK;
                if (taken > 512 - IN_BLOCK) {
                    taken = 0;
#pragma unroll
                    for (int b = 0; b < NB; b++)
#pragma unroll
                        for (int p = 0; p < PIX; p++) {
                            sums[b][p] += AS_INTV(acc[b][p]);
                            acc[b][p] = (FLOATV)0.0f;
                        }
                }
#endif
            }
        }
    }
#pragma unroll
    for (int b = 0; b < NB; b++)
#pragma unroll
        for (int p = 0; p < PIX; p++)
            if (first + p < s.out_width)
                put(bias + bias_at, factor + factor_at,
                    (__global const TO *)(residual + residual_at), (__global TO *)(out + out_at),
#if CODES
                    sums[b][p] + AS_INTV(acc[b][p]),
#else
                    acc[b][p],
#endif
                    m + b * V, image, counts.s2, s.out_height * s.out_width,
                    y * s.out_width + first + p, alpha, beta, codes);
}

#endif

/* ---- one input channel per output channel ---- */

#ifdef CONV_DEEP

__kernel void conv_deep(ARGUMENTS)
{
    const window s = window_of(sizes, form);
    const int vector = ITEM_VECTOR, row = ITEM_ROW, first = ITEM_TILE * PIX;
    if (vector >= counts.s0 || row >= counts.s1 || first >= s.out_width)
        return;
    const int image = row / s.out_height, y = row % s.out_height, m = vector * V;
    const int plane = s.in_height * s.in_width;
    __global const TX *pixels = (__global const TX *)(x + x_at) +
        ((long)image * counts.s4 + m / IN_BLOCK) * plane * IN_BLOCK + m % IN_BLOCK;
    __global const TW *weights = (__global const TW *)(w + w_at) +
        (long)vector * s.kernel_y * s.kernel_x * V;
    SUMV acc[PIX];
#pragma unroll
    for (int p = 0; p < PIX; p++)
        acc[p] = (SUMV)0;
    for (int ky = 0; ky < s.kernel_y; ky++) {
        const int iy = y * s.stride_y - s.pad_y + ky * s.dilation_y;
        if (iy < 0 || iy >= s.in_height)
            continue;
        for (int kx = 0; kx < s.kernel_x; kx++) {
#if CODES
            const INTV u = AS_INTV(LOADV(weights + (ky * s.kernel_x + kx) * V));
#else
            const FLOATV u = LOADV(weights + (ky * s.kernel_x + kx) * V);
#endif
#pragma unroll
            for (int p = 0; p < PIX; p++) {
                const int ox = min(first + p, s.out_width - 1);
                const int ix = ox * s.stride_x - s.pad_x + kx * s.dilation_x;
                if (ix >= 0 && ix < s.in_width) {
#if CODES
                    acc[p] += (AS_INTV(LOADV(pixels + (iy * s.in_width + ix) * IN_BLOCK)) -
                               counts.s6) * u;
#else
                    acc[p] = mad(LOADV(pixels + (iy * s.in_width + ix) * IN_BLOCK), u, acc[p]);
#endif
                }
            }
        }
    }
#pragma unroll
    for (int p = 0; p < PIX; p++)
        if (first + p < s.out_width)
            put(bias + bias_at, factor + factor_at, (__global const TO *)(residual + residual_at),
                (__global TO *)(out + out_at), acc[p], m, image, counts.s2,
                s.out_height * s.out_width, y * s.out_width + first + p, alpha, beta, codes);
}

#endif

/* ---- any groups, any blocks ---- */

#ifdef CONV_ANY

/* One channel of one place, weights [M][C / groups][kernel height][kernel width]; V is 1. Channels
 * of the padding of the last block get 0. */
__kernel void conv_any(ARGUMENTS)
{
    const window s = window_of(sizes, form);
    const int m = ITEM_VECTOR, row = ITEM_ROW, ox = ITEM_TILE;
    if (m >= counts.s0 || row >= counts.s1 || ox >= s.out_width)
        return;
    const int image = row / s.out_height, y = row % s.out_height, depth = counts.s3;
    const int in_plane = s.in_height * s.in_width, channels = counts.s2;
    const int plane = s.out_height * s.out_width, place = y * s.out_width + ox;
    __global const TX *pixels = (__global const TX *)(x + x_at);
    __global const TW *weights = (__global const TW *)(w + w_at);
    __global TO *target = (__global TO *)(out + out_at);
    if (m >= channels) {
        target[OUT_AT(m)] = 0;
        return;
    }
    SUMV sum = 0;
    for (int i = 0; i < depth; i++) {
        const int c = m / counts.s5 * depth + i;
        const long base = ((long)image * counts.s4 + c / IN_BLOCK) * in_plane;
        for (int ky = 0; ky < s.kernel_y; ky++) {
            const int iy = y * s.stride_y - s.pad_y + ky * s.dilation_y;
            if (iy < 0 || iy >= s.in_height)
                continue;
            for (int kx = 0; kx < s.kernel_x; kx++) {
                const int ix = ox * s.stride_x - s.pad_x + kx * s.dilation_x;
                if (ix < 0 || ix >= s.in_width)
                    continue;
                const TX v = pixels[(base + iy * s.in_width + ix) * IN_BLOCK + c % IN_BLOCK];
                const TW u = weights[(((long)m * depth + i) * s.kernel_y + ky) * s.kernel_x + kx];
#if CODES
                sum += ((int)v - counts.s6) * (int)u;
#else
                sum = mad(v, u, sum);
#endif
            }
        }
    }
    put(bias + bias_at, factor + factor_at, (__global const TO *)(residual + residual_at), target,
        sum, m, image, channels, plane, place, alpha, beta, codes);
}

#endif
