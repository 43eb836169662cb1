/* SPDX-License-Identifier: Apache-2.0 */
/* Compressing pieces of memory, each by itself (zstd). The only room that includes the library; its
 * working memory is its own. A build without it has nothing but het__compress_present(). */
#ifndef HET_BASE_COMPRESS_H
#define HET_BASE_COMPRESS_H

#include <stdbool.h>
#include <stddef.h>

#include <hetinfer/base.h>

#define HET__COMPRESS_LEVEL 3 /* the default */
#define HET__COMPRESS_LEVEL_MAX 19 /* above, memory grows to hundreds of MiB per thread */

bool het__compress_present(void);

typedef struct het__compressor het__compressor;     /* one thread at a time */
typedef struct het__decompressor het__decompressor; /* likewise */

/* NULL when out of memory, or in a build without zstd. */
het__compressor *het__compressor_create(void);
void het__compressor_destroy(het__compressor *compressor);
/* Instead of a level: bytes that are unevenly frequent, but in no order. */
#define HET__COMPRESS_BYTES 0

/* *packed: bytes at target, at most capacity; 0 if it does not become that small. Equal input gives
 * equal output with the same version of zstd. HET_OK or HET_E_NOMEM. */
het_status het__compress(het__compressor *compressor, int level, const void *source,
                         size_t bytes, void *target, size_t capacity, size_t *packed);

het__decompressor *het__decompressor_create(void);
void het__decompressor_destroy(het__decompressor *decompressor);
/* False unless source is one frame of exactly this many bytes; then target holds anything. */
bool het__decompress(het__decompressor *decompressor, const void *source, size_t packed,
                     void *target, size_t bytes);

#endif /* HET_BASE_COMPRESS_H */
