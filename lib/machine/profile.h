/* SPDX-License-Identifier: Apache-2.0 */
/* Machine files that the library brings: lib/machine/profiles, made into a table by embed.py. */
#ifndef HET_MACHINE_PROFILE_H
#define HET_MACHINE_PROFILE_H

#include <stddef.h>
#include <stdint.h>

typedef struct het__profile {
    const char *name; /* of the file without ".yaml" */
    const char *text; /* not NUL-terminated */
    size_t bytes;
} het__profile;

/* Sorted by name. */
extern const het__profile het__profiles[];
extern const uint32_t het__profile_count;

/* NULL if there is none of this name. */
const het__profile *het__profile_find(const char *name);

#endif /* HET_MACHINE_PROFILE_H */
