/* SPDX-License-Identifier: Apache-2.0 */
/* The loops over images of codes (bytes), in blocks of channels, for one instruction-set level.
 *
 * Sums are exact modulo 2^32 and rounding is that of F32, so every level gives the same bits.
 * Convolutions take unsigned codes: signed ones are shifted by 128 when the image is copied, and
 * what that adds to the sums is taken away in their start. */
#ifndef HET_CPU_QIMAGE_MATH_H
#define HET_CPU_QIMAGE_MATH_H

#include "backends/cpu_onednn/image_math.h"

/* Like het__conv_job; offsets in bytes. */
typedef struct het__qconv_job {
    const uint8_t *input;
    const uint8_t *weights; /* [steps][quads][blocks] pieces of quad_bytes, see pack */
    const int32_t *start;   /* [blocks * lanes]: of the sums */
    const float *factor;    /* [blocks * lanes] */
    uint8_t *output;
    const int32_t *places;
    int64_t place_count;
    const int64_t *steps;
    int64_t step_count;
    int32_t quads;          /* channels of a step, by four */
    int32_t blocks;
    int64_t output_stride;
    const het__image_attrs *attrs;
} het__qconv_job;

/* Like het__window_job. */
typedef struct het__qwindow_job {
    const uint8_t *input;
    const int32_t *weights; /* [kh][kw][lanes], codes in the low halves; NULL: maxima */
    const int32_t *start;   /* [lanes] */
    const float *factor;    /* [lanes] */
    uint8_t *output;
    int64_t height, width, out_width;
    int64_t first_row, end_row;
    bool is_signed; /* the input */
    const het__image_attrs *attrs;
} het__qwindow_job;

/* value = (code - zero) * scale */
typedef struct het__quant {
    float scale;
    int32_t zero;
    bool is_signed;
} het__quant;

typedef struct het__qimage_math {
    const char *level;
    int32_t lanes;
    int32_t quad_bytes;
    /* The weights of four channels for one block: codes [lanes][4]. */
    void (*pack)(const int8_t *codes, uint8_t *to);
    int32_t (*tile)(int32_t blocks);
    void (*conv)(const het__qconv_job *job);
    void (*depthwise)(const het__qwindow_job *job);
    void (*pool)(const het__qwindow_job *job);
    /* to[j * to_step + i] = from[i * from_step + j] ^ flip, i below rows, j below columns. */
    void (*turn)(uint8_t *to, int64_t to_step, const uint8_t *from, int64_t from_step, int64_t rows,
                 int64_t columns, uint8_t flip);
    /* One row of sums of channels that lie plain, all with one factor. */
    void (*requantise)(const het__image_attrs *attrs, const int32_t *sums, float factor,
                       uint8_t *out, int64_t count);
    void (*quantise)(const het__quant *q, const float *x, uint8_t *out, int64_t count);
    void (*dequantise)(const het__quant *q, const uint8_t *x, float *out, int64_t count);
    /* out = round(a * scale + (b * scale + shift)): scales are ratios to that of the sum, and
     * the shift is what zero points come to. */
    void (*add)(const het__quant *qa, const uint8_t *a, const het__quant *qb, const uint8_t *b,
                float shift, uint8_t *out, int64_t count);
} het__qimage_math;

/* Of the level of that name. */
const het__qimage_math *het__qimage_math_for(const char *level);

#endif /* HET_CPU_QIMAGE_MATH_H */
