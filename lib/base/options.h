/* SPDX-License-Identifier: Apache-2.0 */
/* Size-prefixed structs across the ABI: how a caller's struct of another release is read and
 * written. */
#ifndef HET_BASE_OPTIONS_H
#define HET_BASE_OPTIONS_H

#include <hetinfer/base.h>

/* Copy a caller's options into ours: fields that an older caller does not have become zero; bytes
 * of a newer caller that we do not know must be zero, else HET_E_VERSION. The first field of both
 * is uint32_t struct_size. theirs may be NULL: all zero. */
het_status het__options_read(void *ours, size_t our_bytes, const void *theirs, const char *name,
                             het_error *err);

/* Copy our result into a caller's struct, at most as many bytes as it has; its struct_size stays.
 * HET_E_INVALID if it is too small to hold struct_size. */
het_status het__result_write(void *theirs, const void *ours, size_t our_bytes);

#endif /* HET_BASE_OPTIONS_H */
