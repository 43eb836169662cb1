/* SPDX-License-Identifier: Apache-2.0 */
/* What spirv.py makes of variants.txt, and spirv.c searches. */
#ifndef HET_SPIRV_TABLE_H
#define HET_SPIRV_TABLE_H

#include <stdint.h>

/* A name of options of one line. */
typedef struct het__spirv_option {
    const char *name;
    const char *words; /* by commas, of which the value is one; NULL: the value is a number */
    int32_t constant;  /* its SpecId; -1: the option picks the module */
    int32_t most;      /* largest value of a constant */
} het__spirv_option;

/* Options that are used together. */
typedef struct het__spirv_line {
    const char *file;
    const het__spirv_option *options; /* those that pick the module first, by name */
    uint32_t option_count;
} het__spirv_line;

/* Bits of needs, as in spirv.py. */
#define HET__SPIRV_SUBGROUP 1u /* of 16 */
#define HET__SPIRV_FP16 2u
#define HET__SPIRV_DP4A 4u
#define HET__SPIRV_XMX 8u

typedef struct het__spirv_module {
    const char *key; /* "FILE A=1 B=2", by name */
    const uint32_t *words;
    uint32_t bytes;
    uint32_t line;
    uint32_t constants; /* bit set: the module has the constant of this SpecId */
    uint32_t needs;
} het__spirv_module;

extern const het__spirv_line het__spirv_lines[];
extern const uint32_t het__spirv_line_count;
/* By key; of equals, what needs most first. */
extern const het__spirv_module het__spirv_modules[];
extern const uint32_t het__spirv_module_count;

#endif /* HET_SPIRV_TABLE_H */
