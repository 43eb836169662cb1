/* SPDX-License-Identifier: Apache-2.0 */
/* The bytes of re-laid weights, pinned: they are kept on disk, so a level whose bytes change needs
 * a new HET__CPU_LAYOUT_VERSION, and this list its new hashes. */
#include <stdio.h>
#include <string.h>

#include "lib/base/dtype.h"
#include "lib/base/hash.h"
#include "test.h"
#include "weights.h"

/* Of all types and both precisions, as this version makes them. */
static const uint32_t version = 1;
static const struct { const char *level, *hash; } forms[] = {
    { "avx512", "d71ac78e75af160a03b673f02751de10" },
    { "avx2vnni", "e914a74c01400525513f251137131342" },
    { "avx2", "461c289de868b633dae988f575c38117" },
    { "generic", "6e6f2e70a8e3945d0bb5a261499eaaec" },
};

/* Rows beyond whole groups, columns beyond whole units. */
static void add_form(const het__cpu_level *level, het_dtype dtype, het_precision precision,
                     het__hash128 *hash)
{
    uint64_t state = 1 + (uint64_t)dtype;
    size_t row_bytes;
    const int64_t n = 37, k = het__dtype(dtype)->block_elements == 256 ? 768 : 352;
    void *source = weights_random(dtype, n, k, &state, &row_bytes);
    const het__cpu_matrix m =
        matrix_make(level, dtype, n, k, source, row_bytes, precision, true);
    het__cpu_matrix again = m;
    const uint32_t chosen[3] = { m.form, (uint32_t)m.act, (uint32_t)dtype };
    het__hash128_add(hash, chosen, sizeof chosen);
    const size_t bytes = level->choose(&again, precision, true);
    if (m.packed)
        het__hash128_add(hash, m.packed, bytes);
    free(m.packed);
    free(source);
}

static const char *expected(const char *name)
{
    for (size_t i = 0; i < sizeof forms / sizeof forms[0]; i++)
        if (strcmp(forms[i].level, name) == 0)
            return forms[i].hash;
    return NULL;
}

int main(void)
{
    CHECK_INT(HET__CPU_LAYOUT_VERSION, version);
    for (const het__cpu_level *const *level = levels_to_test(); *level; level++) {
        het__hash128 hash = { { 0 } };
        char hex[HET__HASH_HEX];
        for (const het_dtype *dtype = weight_types; *dtype != HET_DTYPE_NONE; dtype++) {
            add_form(*level, *dtype, HET_PRECISION_FAST, &hash);
            add_form(*level, *dtype, HET_PRECISION_EXACT, &hash);
        }
        het__hash128_hex(&hash, hex);
        printf("%s %s\n", (*level)->name, hex);
        CHECK_STR(hex, expected((*level)->name));
    }
    if (test_failures)
        printf("forms have changed: raise HET__CPU_LAYOUT_VERSION, then put these hashes here\n");
    return test_finish();
}
