/* SPDX-License-Identifier: Apache-2.0 */
/* The loops over images in blocks of channels, for one instruction-set level.
 *
 * A block is as wide as the level's vectors (lanes). What an output element is depends on its place
 * alone: sums over the window go block by block of input channels, in the order of the weights.
 */
#ifndef HET_CPU_IMAGE_MATH_H
#define HET_CPU_IMAGE_MATH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/ir/op.h"

/* Blocks of output channels that are computed together, at most. */
#define HET__IMAGE_GROUP 4

/* Output places of a convolution and where their windows begin: a flat list of input offsets, so
 * that a tile may run on into the next row. */
typedef struct het__conv_job {
    const float *input;       /* of the first channel block (or the first channel) */
    const float *weights;     /* per step: [depth][blocks][lanes] */
    const float *bias;        /* [blocks * lanes]; NULL: zero */
    const float *residual;    /* like output; NULL: none */
    float *output;            /* of the first block */
    const int32_t *places;    /* offset of each output place's window in input, in floats */
    int64_t place_count;
    const int64_t *steps;     /* offset of each step: channel block and tap */
    int64_t step_count;
    int64_t tail_step;        /* from here on steps are of the last, perhaps partial block */
    int32_t depth, tail_depth; /* channels of a step, before and from there */
    int32_t blocks;           /* of output channels, 1 to HET__IMAGE_GROUP */
    bool last_is_half;        /* no more than half the lanes of the last of them are channels */
    int64_t output_stride;    /* floats between blocks of the output */
    const het__act *act;
} het__conv_job;

/* A window over one block of channels: depthwise convolutions and pools. */
typedef struct het__window_job {
    const float *input;   /* [height][width][lanes] */
    const float *weights; /* [kh][kw][lanes]; NULL: a pool */
    const float *bias;    /* [lanes] or NULL */
    const float *residual; /* like output, or NULL */
    float *output;        /* [out height][out width][lanes] */
    int64_t height, width, out_width;
    int64_t first_row, end_row; /* of the output */
    const het__image_attrs *attrs;
} het__window_job;

typedef struct het__image_math {
    const char *level; /* name of the het__cpu_level that may use it */
    int32_t lanes;
    /* Output places that a tile of so many blocks has: a good list is a multiple of it. */
    int32_t (*tile)(int32_t blocks);
    void (*conv)(const het__conv_job *job);
    void (*depthwise)(const het__window_job *job);
    void (*pool)(const het__window_job *job);
    /* In place. */
    void (*act)(const het__act *act, float *x, int64_t count);
} het__image_math;

/* Taps along an axis that lie in the image for an output position. */
static inline void het__image_taps(int64_t at, int64_t size, int32_t kernel, int32_t stride,
                                   int32_t dilation, int32_t pad, int64_t *first, int64_t *end)
{
    const int64_t begin = at * stride - pad;
    *first = begin < 0 ? (-begin + dilation - 1) / dilation : 0;
    *end = begin >= size ? 0 : (size - begin + dilation - 1) / dilation;
    if (*end > kernel)
        *end = kernel;
    if (*first > *end)
        *first = *end;
}

/* Of the level of that name. */
const het__image_math *het__image_math_for(const char *level);

#endif /* HET_CPU_IMAGE_MATH_H */
