/* SPDX-License-Identifier: Apache-2.0 */
/* Sources of device kernels, embedded: the prelude common.cl and one file each. */
#ifndef HET_KERNELS_H
#define HET_KERNELS_H

#include <stddef.h>
#include <stdint.h>

typedef struct het__kernel_source {
    const char *name; /* of the file, without its end */
    const char *text; /* not ended by a NUL */
    size_t bytes;
} het__kernel_source;

extern const het__kernel_source het__kernel_sources[]; /* by name */
extern const uint32_t het__kernel_source_count;

#endif /* HET_KERNELS_H */
