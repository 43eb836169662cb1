/* SPDX-License-Identifier: Apache-2.0 */
/* Reader of safetensors files, one or several shards of a model. Everything is checked when a file
 * is added; tensors point into its bytes.
 *
 *   length of the header u64 | header: JSON, padded with blanks | data
 *   header: "name": { "dtype", "shape", "data_offsets": [begin, end) in data }, "__metadata__"
 *
 * The tensors of a file must cover its data without gaps or overlaps, as the format asks for. Data
 * stands where the writer put it: unaligned if the header is not padded. */
#ifndef HET_IMPORT_SAFETENSORS_H
#define HET_IMPORT_SAFETENSORS_H

#include "lib/base/arena.h"

#include <hetinfer/tensor.h>

/* Most bytes of a header. The largest models have some hundred thousand tensors. */
#define HET__SAFETENSORS_HEADER_MAX ((size_t)100 << 20)

typedef struct het__st_tensor {
    const char *name; /* first, for the search; NUL-terminated copy */
    const char *file; /* as given with het__safetensors_add() */
    het_dtype dtype;
    uint32_t rank;
    int64_t extent[HET_RANK_MAX]; /* outermost first */
    const void *data;
    size_t bytes;
} het__st_tensor;

typedef struct het__safetensors {
    het__arena *arena;
    size_t count, capacity;
    het__st_tensor *tensors;
    const size_t *order; /* by name, once sealed */
} het__safetensors;

/* All memory but the JSON parser's comes from the arena. */
void het__safetensors_init(het__safetensors *st, het__arena *arena);
/* Read the header of one file. file: for messages; kept. After a failure st is of no use. */
het_status het__safetensors_add(het__safetensors *st, const char *file, const void *data,
                                size_t bytes, het_error *err);
/* The same of a file of file_bytes of which only the first are there: its tensors have no data. */
het_status het__safetensors_add_head(het__safetensors *st, const char *file, const void *data,
                                     size_t bytes, size_t file_bytes, het_error *err);
/* All files are there: no two tensors may have one name. */
het_status het__safetensors_seal(het__safetensors *st, het_error *err);
/* NULL if absent. O(log n). */
const het__st_tensor *het__safetensors_find(const het__safetensors *st, const char *name);

#endif /* HET_IMPORT_SAFETENSORS_H */
