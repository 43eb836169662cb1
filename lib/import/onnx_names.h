/* SPDX-License-Identifier: Apache-2.0 */
/* Names to numbers: a hash table that grows. Keys are lent. Where a key lands changes from table to
 * table, so that nobody can write a file whose names all meet. */
#ifndef HET_IMPORT_ONNX_NAMES_H
#define HET_IMPORT_ONNX_NAMES_H

#include "lib/base/mem.h"

typedef struct het__name_slot {
    const char *name; /* NULL: free */
    uint32_t bytes;
    uint32_t value;
} het__name_slot;

typedef struct het__names {
    het__mem *mem;
    het__name_slot *slots;
    uint32_t capacity; /* a power of two, or 0 */
    uint32_t count;
    uint64_t seed;
} het__names;

void het__names_init(het__names *names, het__mem *mem);
void het__names_finish(het__names *names);
/* NULL if absent. Valid until the next addition. */
het__name_slot *het__names_find(const het__names *names, const char *name, size_t bytes);
/* The name must be new. False: out of memory. */
bool het__names_add(het__names *names, const char *name, size_t bytes, uint32_t value);

#endif /* HET_IMPORT_ONNX_NAMES_H */
