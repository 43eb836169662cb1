/* SPDX-License-Identifier: Apache-2.0 */
/* Random matrices of every weight type, for the kernels' tests and measurements. */
#ifndef HETINFER_TEST_WEIGHTS_H
#define HETINFER_TEST_WEIGHTS_H

#include "backends/cpu_onednn/matmul.h"

/* Types that the kernels take, ended by HET_DTYPE_NONE. */
extern const het_dtype weight_types[];

/* Rows of random, sane values in the type's own layout; free with free(). */
void *weights_random(het_dtype dtype, int64_t n, int64_t k, uint64_t *state, size_t *row_bytes);

/* Zeroed memory aligned to 64 bytes; free with free(). */
void *aligned_bytes(size_t bytes);

/* The matrix, chosen and packed. packed is freed with free(). */
het__cpu_matrix matrix_make(const het__cpu_level *level, het_dtype dtype, int64_t n, int64_t k,
                            const void *source, size_t row_bytes, het_precision precision,
                            bool relay);

/* What het__cpu_levels() lists, and the 256-bit VNNI level in the encoding of AVX-512 where that
 * can run. Ended by NULL. */
const het__cpu_level *const *levels_to_test(void);

int bench_main(int argc, char **argv);
int bench_attention_main(int argc, char **argv);

#endif /* HETINFER_TEST_WEIGHTS_H */
