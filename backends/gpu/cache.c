/* SPDX-License-Identifier: Apache-2.0 */
#include "backends/gpu/cache.h"

#include <stdio.h>
#include <string.h>

#include "lib/base/error.h"
#include "lib/base/file.h"

#define MARK "hetclk1"

typedef struct header {
    char mark[8];
    het__hash128 key;
    uint64_t bytes, check;
} header;

_Static_assert(sizeof(header) == HET__GPU_BINARY_ROOM, "the room before a binary");

void het__gpu_cache_text(het__hash128 *key, const char *text)
{
    het__hash128_add(key, text, strlen(text) + 1);
}

/* "CACHE/folder/KEY.bin", or NULL. */
static char *path_of(const het__host *host, const char *folder, const het__hash128 *key, bool make)
{
    char hex[HET__HASH_HEX], name[HET__HASH_HEX + 4];
    if (!host->cache_folder)
        return NULL;
    char *below = het__path_join(host->mem, host->cache_folder, folder);
    if (below && make && het__folder_make(host->mem, below, NULL) != HET_OK) {
        het__free(host->mem, below);
        return NULL;
    }
    het__hash128_hex(key, hex);
    snprintf(name, sizeof name, "%s.bin", hex);
    char *path = below ? het__path_join(host->mem, below, name) : NULL;
    het__free(host->mem, below);
    return path;
}

/* The binary of a file that fits. */
static unsigned char *read_file(const het__host *host, const char *path, const het__hash128 *key,
                                size_t *bytes)
{
    het__file file;
    header h;
    unsigned char *binary = NULL;
    if (het__file_open(path, &file, NULL) != HET_OK || file.fd < 0)
        return NULL;
    if (het__file_read(&file, 0, &h, sizeof h) && memcmp(h.mark, MARK, sizeof h.mark) == 0 &&
        memcmp(&h.key, key, sizeof h.key) == 0 && h.bytes > 0 && h.bytes <= HET__GPU_BINARY_MAX &&
        file.bytes == sizeof h + h.bytes)
        binary = het__alloc(host->mem, (size_t)h.bytes);
    if (binary && (!het__file_read(&file, sizeof h, binary, (size_t)h.bytes) ||
                   het__hash64(binary, (size_t)h.bytes, 0) != h.check)) {
        het__free(host->mem, binary);
        binary = NULL;
    }
    het__file_close(&file);
    *bytes = binary ? (size_t)h.bytes : 0;
    return binary;
}

unsigned char *het__gpu_cache_read(const het__host *host, const char *folder,
                                   const het__hash128 *key, size_t *bytes)
{
    char *path = path_of(host, folder, key, false);
    if (!path)
        return NULL;
    unsigned char *binary = read_file(host, path, key, bytes);
    het__free(host->mem, path);
    return binary;
}

void het__gpu_cache_write(const het__host *host, const char *folder, const het__hash128 *key,
                          unsigned char *data, size_t bytes)
{
    header h = { .mark = MARK, .key = *key, .bytes = bytes };
    het_error err = HET_ERROR_INIT;
    char *path = path_of(host, folder, key, true);
    if (!path)
        return;
    h.check = het__hash64(data + sizeof h, bytes, 0);
    memcpy(data, &h, sizeof h);
    if (het__file_replace(host->mem, path, data, sizeof h + bytes, &err) != HET_OK)
        het__log_line(host->log, HET_LOG_DEBUG, folder, "not kept: %s", err.message);
    het__free(host->mem, path);
}
