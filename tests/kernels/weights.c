/* SPDX-License-Identifier: Apache-2.0 */
/* Blocks are random bytes, but for their scales, which are set to small sane halves: a random half
 * may be infinite or a NaN. */
#include "weights.h"

#include "lib/base/dtype.h"
#include "lib/quant/quant.h"
#include "test.h"

const het_dtype weight_types[] = {
    HET_DTYPE_F32, HET_DTYPE_F16, HET_DTYPE_BF16, HET_DTYPE_Q4_0, HET_DTYPE_Q4_1, HET_DTYPE_Q5_0,
    HET_DTYPE_Q5_1, HET_DTYPE_Q8_0, HET_DTYPE_Q2_K, HET_DTYPE_Q3_K, HET_DTYPE_Q4_K,
    HET_DTYPE_Q5_K, HET_DTYPE_Q6_K, HET_DTYPE_IQ4_NL, HET_DTYPE_IQ4_XS, HET_DTYPE_MXFP4,
    HET_DTYPE_F64, HET_DTYPE_I8, HET_DTYPE_NONE,
};

static void put_half(uint8_t *p, float f)
{
    const uint16_t h = het__f32_to_f16(f);
    memcpy(p, &h, 2);
}

/* Where halves lie in a block; -1: none. */
static void scale_offsets(het_dtype dtype, int offsets[2])
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

static void random_block(het_dtype dtype, uint8_t *p, size_t bytes, uint64_t *state)
{
    int offsets[2];
    size_t i = 0;
    for (; i + 8 <= bytes; i += 8) {
        const uint64_t r = test_random(state);
        memcpy(p + i, &r, 8);
    }
    for (; i < bytes; i++)
        p[i] = (uint8_t)(test_random(state) >> 56);
    scale_offsets(dtype, offsets);
    if (dtype == HET_DTYPE_MXFP4)
        p[0] = (uint8_t)(test_random(state) % 8 == 0 ? test_random(state) % 4
                                                     : 118 + test_random(state) % 8);
    for (int j = 0; j < 2 && offsets[0] >= 0; j++) {
        if (offsets[j] >= 0)
            put_half(p + offsets[j], 0.02f * test_random_float(state));
    }
}

static void random_element(het_dtype dtype, uint8_t *p, uint64_t *state)
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

void *weights_random(het_dtype dtype, int64_t n, int64_t k, uint64_t *state, size_t *row_bytes)
{
    const het__dtype_info *info = het__dtype(dtype);
    const size_t blocks = (size_t)k / info->block_elements, size = info->block_bytes;
    uint8_t *data = malloc((size_t)n * blocks * size);
    *row_bytes = blocks * size;
    for (size_t i = 0; data && i < (size_t)n * blocks; i++) {
        if (het__dtype_is_block(dtype))
            random_block(dtype, data + i * size, size, state);
        else
            random_element(dtype, data + i * size, state);
    }
    return data;
}

void *aligned_bytes(size_t bytes)
{
    const size_t rounded = (bytes + 63) / 64 * 64 + 64;
    void *p = aligned_alloc(64, rounded);
    if (p)
        memset(p, 0, rounded);
    return p;
}

het__cpu_matrix matrix_make(const het__cpu_level *level, het_dtype dtype, int64_t n, int64_t k,
                            const void *source, size_t row_bytes, het_precision precision,
                            bool relay)
{
    het__cpu_matrix m = { .dtype = dtype, .n = n, .k = k, .source = source,
                          .row_bytes = row_bytes };
    const size_t bytes = level->choose(&m, precision, relay);
    if (bytes) {
        m.packed = aligned_bytes(bytes);
        level->pack(&m, 0, n);
    }
    return m;
}

#ifdef TEST_LEVEL_EVEX
extern const het__cpu_level het__cpu_level_evex;
#endif

const het__cpu_level *const *levels_to_test(void)
{
    static const het__cpu_level *list[8];
    const het__cpu_level *const *levels = het__cpu_levels();
    size_t n = 0;
    for (; *levels; levels++) {
        list[n++] = *levels;
#ifdef TEST_LEVEL_EVEX
        if (strcmp((*levels)->name, "avx512") == 0)
            list[n++] = &het__cpu_level_evex;
#endif
    }
    list[n] = NULL;
    return list;
}
