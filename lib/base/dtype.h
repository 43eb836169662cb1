/* SPDX-License-Identifier: Apache-2.0 */
/* Facts about element types: names and block sizes. */
#ifndef HET_BASE_DTYPE_H
#define HET_BASE_DTYPE_H

#include <stdbool.h>

#include <hetinfer/base.h>

typedef struct het__dtype_info {
    const char *name;
    uint32_t block_elements; /* 1 for plain scalars */
    uint32_t block_bytes;
} het__dtype_info;

/* NULL for an unknown type. */
const het__dtype_info *het__dtype(het_dtype dtype);
static inline bool het__dtype_is_block(het_dtype dtype)
{
    return (int)dtype >= 32;
}

#endif /* HET_BASE_DTYPE_H */
