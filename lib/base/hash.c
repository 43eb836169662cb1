/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/base/hash.h"

#include <stdio.h>
#include <string.h>
#include <xxhash.h>

uint64_t het__hash64(const void *data, size_t bytes, uint64_t seed)
{
    return XXH3_64bits_withSeed(data, bytes, seed);
}

het__hash128 het__hash128_of(const void *data, size_t bytes)
{
    XXH128_canonical_t canonical;
    het__hash128 hash;
    XXH128_canonicalFromHash(&canonical, XXH3_128bits(data, bytes));
    memcpy(hash.byte, canonical.digest, sizeof hash.byte);
    return hash;
}

/* A running hash would take memory of the library's own; a hash of two hashes stands for it. */
void het__hash128_add(het__hash128 *hash, const void *data, size_t bytes)
{
    const het__hash128 pair[2] = { *hash, het__hash128_of(data, bytes) };
    *hash = het__hash128_of(pair, sizeof pair);
}

void het__hash128_hex(const het__hash128 *hash, char text[HET__HASH_HEX])
{
    for (size_t i = 0; i < sizeof hash->byte; i++)
        snprintf(text + 2 * i, 3, "%02x", hash->byte[i]);
}
