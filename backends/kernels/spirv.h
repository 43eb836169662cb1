/* SPDX-License-Identifier: Apache-2.0 */
/* Device kernels compiled to SPIR-V when the library was built, for drivers that take no source.
 *
 * A driver that compiles source gives it options ("-DWIDTH=8 -DACT=2"). Here each set of options is
 * answered by a module from a fixed list: what changes the shape of the code picks the module, what
 * is only a number in it becomes a specialisation constant, which the driver folds when it makes
 * the module. A set that is not on the list has no module, and a node that needs it runs
 * elsewhere. */
#ifndef HET_SPIRV_H
#define HET_SPIRV_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define HET__SPIRV_CONSTANTS_MAX 16

/* What a device offers beyond OpenCL C 1.2, see common.cl. */
typedef struct het__spirv_target {
    bool fp16;
    uint32_t subgroup; /* width that kernels may ask for; 0: none */
    bool dp4a;         /* four products of 8 bits at once, as Intel's compilers have them */
    bool xmx;          /* matrix instructions, the same */
} het__spirv_target;

typedef struct het__spirv {
    const void *code; /* little-endian words of SPIR-V 1.2 at most; for as long as the program */
    size_t bytes;
    uint32_t constant_count;
    uint32_t ids[HET__SPIRV_CONSTANTS_MAX];
    int32_t values[HET__SPIRV_CONSTANTS_MAX];
} het__spirv;

/* The module of backends/kernels/FILE.cl for these options, in any order, as a compiler of source
 * would be given them, without what describes the device. Of several the one that uses most of what
 * the target offers. False: the list has none. Thread-safe; searches a sorted table. */
bool het__spirv_find(const char *file, const char *options, const het__spirv_target *target,
                     het__spirv *found);

#endif /* HET_SPIRV_H */
