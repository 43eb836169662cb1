/* SPDX-License-Identifier: Apache-2.0 */
/* Writer of GGUF version 3: another file's metadata and tensors, in its order and with its
 * alignment, some tensors with another element type. The data comes piece by piece, so memory is
 * bounded by the metadata. Nothing is at the path before the commit, and room for all of the file
 * is made first: a full disk is found before the work. */
#ifndef HET_IMPORT_GGUF_WRITE_H
#define HET_IMPORT_GGUF_WRITE_H

#include "lib/base/file.h"
#include "lib/import/gguf.h"

typedef struct het__gguf_writer {
    het__new_file file;
    const het__gguf *from;
    const het_dtype *types;
    uint64_t *starts; /* per tensor: its first byte in the file */
} het__gguf_writer;

/* types: per tensor of from, which rows of it can have; lent until the end, as is from.
 * file_type: replaces general.file_type and adds general.quantization_version; negative: both stay
 * as they are. On failure there is nothing to abandon. */
het_status het__gguf_write_begin(het__gguf_writer *w, het__mem *mem, const char *path,
                                 const het__gguf *from, const het_dtype *types, int64_t file_type,
                                 het_error *err);
/* Bytes [at, at + bytes) of a tensor. On failure the file is to be abandoned. */
het_status het__gguf_write_data(const het__gguf_writer *w, size_t tensor, uint64_t at,
                                const void *data, size_t bytes, het_error *err);
/* Put it in its place; on failure it is given up. */
het_status het__gguf_write_commit(het__gguf_writer *w, het_error *err);
void het__gguf_write_abandon(het__gguf_writer *w);

/* Bytes of a tensor in another type; its rows are whole blocks. */
uint64_t het__gguf_bytes_as(const het__gguf_tensor *tensor, het_dtype dtype);
int64_t het__gguf_elements(const het__gguf_tensor *tensor);

#endif /* HET_IMPORT_GGUF_WRITE_H */
