/* SPDX-License-Identifier: Apache-2.0 */
/* Where the elements of an image lie, plain or in blocks of channels. */
#ifndef HET_REF_IMAGE_H
#define HET_REF_IMAGE_H

#include "backends/ref/ref.h"

typedef struct het__ref_grid {
    const het__ref_operand *operand;
    int64_t channels, block, height, width;
} het__ref_grid;

static inline het__ref_grid het__ref_image_of(const het__ref_operand *operand, int32_t channels,
                                               int32_t block)
{
    const het__extent *e = operand->value.extent;
    return (het__ref_grid){ operand, channels, block, e[2].count, e[3].count };
}

/* Index of an element; c may lie in the padding of the last block. */
static inline int64_t het__ref_place(const het__ref_grid *m, int64_t n, int64_t c, int64_t y,
                                     int64_t x)
{
    if (!m->block)
        return ((n * m->channels + c) * m->height + y) * m->width + x;
    const int64_t blocks = (m->channels + m->block - 1) / m->block;
    return (((n * blocks + c / m->block) * m->height + y) * m->width + x) * m->block +
           c % m->block;
}

#endif /* HET_REF_IMAGE_H */
