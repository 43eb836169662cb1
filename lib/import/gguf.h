/* SPDX-License-Identifier: Apache-2.0 */
/* Reader of GGUF version 2 and 3 (little-endian). Everything is checked when the file is opened;
 * what is handed out points into the file's bytes.
 *
 *   magic "GGUF" | version u32 | tensors u64 | entries u64
 *   entries: key string | type u32 | value
 *   tensors: name string | dims u32 | dim u64 … (fastest first) | type u32 | offset u64
 *   padding to general.alignment | data
 */
#ifndef HET_IMPORT_GGUF_H
#define HET_IMPORT_GGUF_H

#include "lib/base/arena.h"
#include "lib/text/tokenizer.h" /* het__span */

#include <hetinfer/tensor.h>

typedef enum het__gguf_type {
    HET__GGUF_U8 = 0, HET__GGUF_I8, HET__GGUF_U16, HET__GGUF_I16, HET__GGUF_U32, HET__GGUF_I32,
    HET__GGUF_F32, HET__GGUF_BOOL, HET__GGUF_STRING, HET__GGUF_ARRAY, HET__GGUF_U64,
    HET__GGUF_I64, HET__GGUF_F64,
} het__gguf_type;

typedef struct het__gguf_entry {
    const char *key;           /* NUL-terminated copy */
    het__gguf_type type;
    het__gguf_type element;    /* of an array */
    uint64_t count;            /* elements of an array, else 1 */
    const uint8_t *value;      /* first value byte in the file; unaligned. Of a string: its text;
                                * of an array: its first element (strings with their lengths) */
    size_t value_bytes;
} het__gguf_entry;

typedef struct het__gguf_tensor {
    const char *name; /* NUL-terminated copy */
    het_dtype dtype;
    uint32_t rank;
    int64_t extent[HET_RANK_MAX]; /* outermost first */
    const void *data;
    size_t bytes;
} het__gguf_tensor;

typedef struct het__gguf {
    het__arena *arena;
    const uint8_t *data;
    size_t bytes;
    bool has_data; /* false: of the tensors there is only the description, their data is NULL */
    uint32_t version;
    uint32_t alignment;
    size_t entry_count;
    het__gguf_entry *entries;
    size_t tensor_count;
    het__gguf_tensor *tensors;
    const size_t *entry_order;  /* indices of entries by key, for the search */
    const size_t *tensor_order; /* likewise of tensors by name */
} het__gguf;

/* Parse; all memory comes from the arena. On failure *gguf is all zero and the arena may hold
 * leftovers. */
het_status het__gguf_open(het__gguf *gguf, het__arena *arena, const void *data, size_t bytes,
                          het_error *err);

/* The same where only the first `bytes` of a file of file_bytes can be read by now. has_data: there
 * is memory for all of it at data, which the caller fills; else tensors have no data. */
het_status het__gguf_open_head(het__gguf *gguf, het__arena *arena, const void *data, size_t bytes,
                               size_t file_bytes, bool has_data, het_error *err);

/* NULL if absent. O(log n). */
const het__gguf_entry *het__gguf_find(const het__gguf *gguf, const char *key);
const het__gguf_tensor *het__gguf_tensor_find(const het__gguf *gguf, const char *name);

/* Typed access: false if absent or of another type. Integers of any width and sign convert if
 * they fit (to f64: if they are exact). */
bool het__gguf_i64(const het__gguf *gguf, const char *key, int64_t *value);
bool het__gguf_f64(const het__gguf *gguf, const char *key, double *value);
bool het__gguf_bool(const het__gguf *gguf, const char *key, bool *value);
bool het__gguf_string(const het__gguf *gguf, const char *key, het__span *value);
/* Element of a numeric entry: of an array, or a scalar as an array of one. False if index is out of
 * range or the element does not convert, as above; bools give 0 or 1 as i64. */
bool het__gguf_array_i64(const het__gguf_entry *entry, uint64_t index, int64_t *value);
bool het__gguf_array_f64(const het__gguf_entry *entry, uint64_t index, double *value);
/* All strings of an array of strings, in the arena; NULL if it is none or out of memory. */
const het__span *het__gguf_strings(const het__gguf *gguf, const het__gguf_entry *entry);

/* "u32", "array of f32", … (static), and the value as UTF-8 text: numbers with the fewest digits
 * that give them back, strings as they are (a byte that is not UTF-8, or is NUL, becomes U+FFFD),
 * arrays as their first elements and the count. het__gguf_render() gives NULL when out of memory.
 */
const char *het__gguf_type_name(const het__gguf_entry *entry);
const char *het__gguf_render(het__arena *arena, const het__gguf_entry *entry);

#endif /* HET_IMPORT_GGUF_H */
