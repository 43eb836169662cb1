/* SPDX-License-Identifier: Apache-2.0 */
/* Hashes of contents (XXH3): against accidents, not against people who choose the bytes. The only
 * room that includes the hash library. */
#ifndef HET_BASE_HASH_H
#define HET_BASE_HASH_H

#include <stddef.h>
#include <stdint.h>

typedef struct het__hash128 {
    uint8_t byte[16]; /* the same on every machine */
} het__hash128;

#define HET__HASH_HEX 33 /* characters of het__hash128_hex(), its NUL included */

uint64_t het__hash64(const void *data, size_t bytes, uint64_t seed);
het__hash128 het__hash128_of(const void *data, size_t bytes);
/* What *hash stands for, then these bytes. */
void het__hash128_add(het__hash128 *hash, const void *data, size_t bytes);
void het__hash128_hex(const het__hash128 *hash, char text[HET__HASH_HEX]);

#endif /* HET_BASE_HASH_H */
