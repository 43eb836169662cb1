/* SPDX-License-Identifier: Apache-2.0 */
/* Random weights of every type: blocks are random bytes, but for their scales, which are set to
 * small sane halves: a random half may be infinite or a NaN. */
#ifndef HETINFER_RANDOM_WEIGHTS_H
#define HETINFER_RANDOM_WEIGHTS_H

#include "lib/base/dtype.h"
#include "lib/quant/quant.h"
#include "test.h"

static inline void random_put_half(uint8_t *p, float f)
{
    const uint16_t h = het__f32_to_f16(f);
    memcpy(p, &h, 2);
}

/* Where halves lie in a block; -1: none. */
static inline void random_scale_offsets(het_dtype dtype, int offsets[2])
{
    offsets[0] = 0;
    offsets[1] = -1;
    switch ((int)dtype) {
    case HET_DTYPE_Q4_1:
    case HET_DTYPE_Q5_1:
    case HET_DTYPE_Q4_K:
    case HET_DTYPE_Q5_K: offsets[1] = 2; break;
    case HET_DTYPE_Q2_K: offsets[0] = 80, offsets[1] = 82; break;
    case HET_DTYPE_Q3_K: offsets[0] = 108; break;
    case HET_DTYPE_Q6_K: offsets[0] = 208; break;
    case HET_DTYPE_MXFP4: offsets[0] = -1; break;
    default: break;
    }
}

static inline void random_block(het_dtype dtype, uint8_t *p, size_t bytes, uint64_t *state)
{
    int offsets[2];
    size_t i = 0;
    for (; i + 8 <= bytes; i += 8) {
        const uint64_t r = test_random(state);
        memcpy(p + i, &r, 8);
    }
    for (; i < bytes; i++)
        p[i] = (uint8_t)(test_random(state) >> 56);
    random_scale_offsets(dtype, offsets);
    if (dtype == HET_DTYPE_MXFP4)
        p[0] = (uint8_t)(test_random(state) % 8 == 0 ? test_random(state) % 4
                                                     : 118 + test_random(state) % 8);
    for (int j = 0; j < 2 && offsets[0] >= 0; j++) {
        if (offsets[j] >= 0)
            random_put_half(p + offsets[j], 0.02f * test_random_float(state));
    }
}

static inline void random_element(het_dtype dtype, uint8_t *p, uint64_t *state)
{
    const float f = test_random_float(state);
    const double d = f;
    const uint16_t h = het__f32_to_f16(f), b = het__f32_to_bf16(f);
    switch ((int)dtype) {
    case HET_DTYPE_F32: memcpy(p, &f, 4); break;
    case HET_DTYPE_F16: memcpy(p, &h, 2); break;
    case HET_DTYPE_BF16: memcpy(p, &b, 2); break;
    case HET_DTYPE_F64: memcpy(p, &d, 8); break;
    default: p[0] = (uint8_t)(test_random(state) >> 56); break;
    }
}

/* Rows in the type's own layout; free with free(). row_bytes may be NULL. */
static inline void *random_weights(het_dtype dtype, int64_t n, int64_t k, uint64_t *state,
                                   size_t *row_bytes)
{
    const het__dtype_info *info = het__dtype(dtype);
    const size_t blocks = (size_t)k / info->block_elements, size = info->block_bytes;
    uint8_t *data = malloc((size_t)n * blocks * size);
    if (row_bytes)
        *row_bytes = blocks * size;
    for (size_t i = 0; data && i < (size_t)n * blocks; i++) {
        if (het__dtype_is_block(dtype))
            random_block(dtype, data + i * size, size, state);
        else
            random_element(dtype, data + i * size, state);
    }
    return data;
}

#endif /* HETINFER_RANDOM_WEIGHTS_H */
