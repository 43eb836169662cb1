/* SPDX-License-Identifier: Apache-2.0 */
/* Compiled kernels kept from one start to the next: one file per module in a folder of the cache.
 *
 *     [ mark 8 | key 16 | bytes 8 | check 8 | the driver's binary ]
 *
 * The key stands for everything that the binary depends on: device, driver, options and source. A
 * file that does not fit, for whatever reason, is as good as none and is written again. Nothing
 * here fails: without a cache kernels are built. */
#ifndef HET_GPU_CACHE_H
#define HET_GPU_CACHE_H

#include "lib/backend.h"

/* More than any driver's binary of ours; less than would hurt. */
#define HET__GPU_BINARY_MAX ((uint64_t)256 << 20)
/* Room that het__gpu_cache_write() wants before the binary. */
#define HET__GPU_BINARY_ROOM 40

/* The key so far and a text's bytes, its NUL included. */
void het__gpu_cache_text(het__hash128 *key, const char *text);
/* The binary in CACHE/folder/KEY.bin, to be freed, or NULL. */
unsigned char *het__gpu_cache_read(const het__host *host, const char *folder,
                                   const het__hash128 *key, size_t *bytes);
/* data: HET__GPU_BINARY_ROOM bytes to be written to, then `bytes` of binary. */
void het__gpu_cache_write(const het__host *host, const char *folder, const het__hash128 *key,
                          unsigned char *data, size_t bytes);

#endif /* HET_GPU_CACHE_H */
