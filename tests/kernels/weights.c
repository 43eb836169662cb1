/* SPDX-License-Identifier: Apache-2.0 */
#include "weights.h"

#include "random_weights.h"

const het_dtype weight_types[] = {
    HET_DTYPE_F32, HET_DTYPE_F16, HET_DTYPE_BF16, HET_DTYPE_Q4_0, HET_DTYPE_Q4_1, HET_DTYPE_Q5_0,
    HET_DTYPE_Q5_1, HET_DTYPE_Q8_0, HET_DTYPE_Q2_K, HET_DTYPE_Q3_K, HET_DTYPE_Q4_K,
    HET_DTYPE_Q5_K, HET_DTYPE_Q6_K, HET_DTYPE_IQ4_NL, HET_DTYPE_IQ4_XS, HET_DTYPE_MXFP4,
    HET_DTYPE_F64, HET_DTYPE_I8, HET_DTYPE_NONE,
};

void *weights_random(het_dtype dtype, int64_t n, int64_t k, uint64_t *state, size_t *row_bytes)
{
    return random_weights(dtype, n, k, state, row_bytes);
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
