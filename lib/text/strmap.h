/* SPDX-License-Identifier: Apache-2.0 */
/* Two lookup tables of a vocabulary, both open addressing with linear probing at a load of at most
 * one half: strings to ids, which grows, and pairs of ids to a rank, which does not. Keys of a
 * string table are lent: they point into the tokenizer's text. */
#ifndef HET_TEXT_STRMAP_H
#define HET_TEXT_STRMAP_H

#include <string.h>

#include "lib/base/mem.h"

/* No such entry. */
#define HET__NONE UINT32_MAX

typedef struct het__strmap_slot {
    const char *data; /* NULL: free */
    uint32_t bytes;
    uint32_t value;
} het__strmap_slot;

typedef struct het__strmap {
    het__strmap_slot *slots;
    size_t mask;
    size_t count;
    uint32_t bytes_max; /* of the keys */
} het__strmap;

/* Room for count keys at first; false when out of memory. */
bool het__strmap_init(het__strmap *map, het__mem *mem, size_t count);
void het__strmap_finish(het__strmap *map, het__mem *mem);
/* The value of the key: the given one if it is new, else that of the first one that came; HET__NONE
 * when out of memory. */
uint32_t het__strmap_add(het__strmap *map, het__mem *mem, const char *data, size_t bytes,
                         uint32_t value);
/* HET__NONE if absent. */
uint32_t het__strmap_find(const het__strmap *map, const char *data, size_t bytes);

typedef struct het__pairmap_slot {
    uint32_t left, right;
    uint32_t value; /* HET__NONE: free */
} het__pairmap_slot;

typedef struct het__pairmap {
    het__pairmap_slot *slots;
    size_t mask;
} het__pairmap;

/* Room for count pairs. */
bool het__pairmap_init(het__pairmap *map, het__mem *mem, size_t count);
void het__pairmap_finish(het__pairmap *map, het__mem *mem);
/* The first value of a pair stays. */
void het__pairmap_add(het__pairmap *map, uint32_t left, uint32_t right, uint32_t value);
uint32_t het__pairmap_find(const het__pairmap *map, uint32_t left, uint32_t right);

#endif /* HET_TEXT_STRMAP_H */
