/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/base/compress.h"

#include "het_config.h"

#if HET_HAVE_ZSTD

#include <zstd.h>
#include <zstd_errors.h>

/* The library's own contexts, under names of ours. */
static ZSTD_CCtx *packing(het__compressor *c)
{
    return (ZSTD_CCtx *)c;
}

static ZSTD_DCtx *unpacking(het__decompressor *d)
{
    return (ZSTD_DCtx *)d;
}

bool het__compress_present(void)
{
    return true;
}

het__compressor *het__compressor_create(void)
{
    return (het__compressor *)ZSTD_createCCtx();
}

void het__compressor_destroy(het__compressor *compressor)
{
    ZSTD_freeCCtx(packing(compressor));
}

/* Repetitions of a few bytes are chance where bytes are in no order, and cost more to write down
 * and to follow than the code of each byte: measured on exponents, a table of few long ones packs
 * to 34 % where level 3 gets 40. */
static void set_level(ZSTD_CCtx *c, int level)
{
    ZSTD_CCtx_reset(c, ZSTD_reset_session_and_parameters);
    ZSTD_CCtx_setParameter(c, ZSTD_c_compressionLevel, level == HET__COMPRESS_BYTES ? 1 : level);
    if (level != HET__COMPRESS_BYTES)
        return;
    ZSTD_CCtx_setParameter(c, ZSTD_c_strategy, ZSTD_fast);
    ZSTD_CCtx_setParameter(c, ZSTD_c_minMatch, 7);
    ZSTD_CCtx_setParameter(c, ZSTD_c_hashLog, 10);
}

het_status het__compress(het__compressor *compressor, int level, const void *source,
                         size_t bytes, void *target, size_t capacity, size_t *packed)
{
    set_level(packing(compressor), level);
    const size_t n = ZSTD_compress2(packing(compressor), target, capacity, source, bytes);
    *packed = ZSTD_isError(n) ? 0 : n;
    return ZSTD_isError(n) && ZSTD_getErrorCode(n) == ZSTD_error_memory_allocation ? HET_E_NOMEM
                                                                                   : HET_OK;
}

het__decompressor *het__decompressor_create(void)
{
    return (het__decompressor *)ZSTD_createDCtx();
}

void het__decompressor_destroy(het__decompressor *decompressor)
{
    ZSTD_freeDCtx(unpacking(decompressor));
}

bool het__decompress(het__decompressor *decompressor, const void *source, size_t packed,
                     void *target, size_t bytes)
{
    /* Several frames in a row would pass, too; a frame of more bytes than there are would not. */
    if (ZSTD_findFrameCompressedSize(source, packed) != packed)
        return false;
    return ZSTD_decompressDCtx(unpacking(decompressor), target, bytes, source, packed) == bytes;
}

#else

bool het__compress_present(void)
{
    return false;
}

het__compressor *het__compressor_create(void)
{
    return NULL;
}

void het__compressor_destroy(het__compressor *compressor)
{
    (void)compressor;
}

het_status het__compress(het__compressor *compressor, int level, const void *source,
                         size_t bytes, void *target, size_t capacity, size_t *packed)
{
    (void)compressor, (void)level, (void)source, (void)bytes, (void)target, (void)capacity;
    *packed = 0;
    return HET_OK;
}

het__decompressor *het__decompressor_create(void)
{
    return NULL;
}

void het__decompressor_destroy(het__decompressor *decompressor)
{
    (void)decompressor;
}

bool het__decompress(het__decompressor *decompressor, const void *source, size_t packed,
                     void *target, size_t bytes)
{
    (void)decompressor, (void)source, (void)packed, (void)target, (void)bytes;
    return false;
}

#endif
