/* SPDX-License-Identifier: Apache-2.0 */
/* What the encoders share: rounding that is defined for every float, and the searches for a
 * group's scale, which minimise the weighted squared error. The order of the float operations is
 * fixed, since a last bit decides between two scales that are about as good. */
#ifndef HET_QUANT_ENCODE_PARTS_H
#define HET_QUANT_ENCODE_PARTS_H

#include "lib/quant/encode.h"

/* Largest group of a search. */
#define HET__GROUP_MAX 32

/* An encoder of rows from one of blocks of so many elements and bytes. */
#define HET__ENCODE_BLOCKS(linkage, name, block, elements, bytes)                                \
    linkage void name(const float *row, const float *importance, void *target, int64_t count)   \
    {                                                                                           \
        assert(count % (elements) == 0);                                                        \
        uint8_t *b = target;                                                                    \
        for (int64_t i = 0; i < count; i += (elements), b += (bytes))                           \
            block(row + i, importance ? importance + i : NULL, b);                              \
    }

/* To the nearest integer in [low, high], halves to even; NaN gives low. */
static inline int het__nearest(float x, int low, int high)
{
    if (!(x > (float)low))
        return low;
    if (x >= (float)high)
        return high;
    return (int)(x + 12582912.0f - 12582912.0f); /* the sum's last bit is worth one */
}

static inline void het__store16(uint8_t *p, uint16_t v)
{
    p[0] = (uint8_t)v;
    p[1] = (uint8_t)(v >> 8);
}

/* The scale as the block will have it: stored, and read back. */
static inline float het__store_scale(uint8_t *p, float scale)
{
    const uint16_t half = het__f32_to_f16(scale);
    het__store16(p, half);
    return het__f16_to_f32(half);
}

/* The element of largest magnitude, the first of several, with its sign. */
float het__extreme(const float *x, int count);
/* Weights importance[i] * sqrt(mean x^2 + x[i]^2): a large element counts more, and no element
 * nothing. square: the mean over the row's block. */
void het__weigh(const float *x, const float *importance, float square, int count, float *weights);
float het__mean_square(const float *x, int count);

/* x ~ scale * (code - reach), codes in [0, 2 reach - 1]. A group of zeros has scale 0, codes 0. */
float het__fit_scale(const float *x, const float *weights, int count, int reach, uint8_t *codes);
/* x ~ scale * code, codes in [-4, 3], improved one code at a time. Weights NULL: x^2. A group of
 * zeros has scale 0, codes -4. */
float het__fit_codes(const float *x, const float *weights, int count, int8_t *codes);

/* x ~ scale * code, codes in [0, top], of count values >= 0, up to 16: the scales of a block, each
 * of which counts as much as its group. All zeros: scale 0, codes 0. */
float het__fit_levels(const float *x, const float *weights, int count, int top, uint8_t *codes);

/* x ~ scale * code - min, codes in [0, top], min >= 0. */
typedef struct het__affine_search {
    int top;
    float first, step; /* tried tops are top + first + step * i, */
    int steps;         /* i from 0 to steps */
    int is_absolute;   /* compare by absolute, not squared error */
} het__affine_search;

float het__fit_affine(const het__affine_search *search, const float *x, const float *weights,
                      int count, float *min, uint8_t *codes);

/* encode_k.c */
void het__encode_q2_k(const float *row, const float *importance, void *target, int64_t count);
void het__encode_q3_k(const float *row, const float *importance, void *target, int64_t count);
void het__encode_q4_k(const float *row, const float *importance, void *target, int64_t count);
void het__encode_q5_k(const float *row, const float *importance, void *target, int64_t count);
void het__encode_q6_k(const float *row, const float *importance, void *target, int64_t count);

#endif /* HET_QUANT_ENCODE_PARTS_H */
