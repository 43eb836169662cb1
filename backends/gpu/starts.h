/* SPDX-License-Identifier: Apache-2.0 */
/* Kernels that a call of known extents starts, one after the other, with all their arguments:
 * written down once by prepare(), bound to memory and started by launch().
 *
 * A list that only asks keeps nothing: with it supports() and prepare() go the same way. */
#ifndef HET_GPU_STARTS_H
#define HET_GPU_STARTS_H

#include "backends/gpu/op.h"

#define HET__GPU_ARGUMENTS_MAX 32

typedef enum het__gpu_argument_kind {
    HET__GPU_ARG_INPUT, /* memory and bytes to its beginning, like the next three: two arguments */
    HET__GPU_ARG_OUTPUT,
    HET__GPU_ARG_SCRATCH,
    HET__GPU_ARG_MEMORY,
    HET__GPU_ARG_VALUE,
} het__gpu_argument_kind;

typedef struct het__gpu_argument {
    het__gpu_argument_kind kind;
    uint32_t index; /* of the input or output */
    size_t bytes;   /* to the beginning; of a value: its size */
    het__gpu_memory *memory;
    union {
        int32_t i[16];
        float f;
        unsigned char byte[64];
    } value;
} het__gpu_argument;

typedef struct het__gpu_start {
    const char *file, *name;
    char options[256];
    het__gpu_kernel *kernel;
    uint32_t argument_count;
    het__gpu_argument arguments[HET__GPU_ARGUMENTS_MAX];
    uint32_t dimensions;
    size_t items[3], group[3]; /* group[0] 0: the driver chooses */
    bool is_bound; /* memories do not change from launch to launch, nor do values */
    struct het__gpu_start *next;
} het__gpu_start;

typedef struct het__gpu_starts {
    het__arena *arena; /* NULL: the list only asks */
    const het__gpu_facts *facts;
    het__gpu_start *first, *last;
    size_t scratch_bytes;
    bool failed; /* memory ran out */
    het__gpu_start spare; /* what is written to when nothing is kept */
} het__gpu_starts;

/* facts: of no device where the list only asks. */
void het__gpu_starts_init(het__gpu_starts *list, het__arena *arena, const het__gpu_facts *facts);
/* Never NULL. */
het__gpu_start *het__gpu_starts_add(het__gpu_starts *list, const char *file, const char *name);

/* Appends to the options of the compiler. */
void het__gpu_start_option(het__gpu_start *s, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Arguments in the kernel's order. offset: bytes behind the beginning of the operand. */
void het__gpu_put_input(het__gpu_start *s, uint32_t input, size_t offset);
void het__gpu_put_output(het__gpu_start *s, uint32_t output, size_t offset);
void het__gpu_put_scratch(het__gpu_start *s, size_t offset);
void het__gpu_put_memory(het__gpu_start *s, het__gpu_memory *memory);
void het__gpu_put_int(het__gpu_start *s, int64_t value);
void het__gpu_put_ints(het__gpu_start *s, uint32_t count, const int32_t *values); /* 2, 4, 8, 16 */
void het__gpu_put_float(het__gpu_start *s, float value);
void het__gpu_put_bytes(het__gpu_start *s, const void *value, size_t bytes); /* 64 at most */

/* Items along up to three dimensions, in groups of at most `group` neighbours. */
void het__gpu_start_items(het__gpu_start *s, int64_t x, int64_t y, int64_t z, size_t group);
/* Groups of exactly these items. */
void het__gpu_start_groups(het__gpu_start *s, int64_t x, int64_t y, int64_t z, size_t group_x,
                           size_t group_y);

/* Builds the kernels; list becomes what launch starts. The list must be of the call's arena. */
het_status het__gpu_starts_prepare(het__gpu_call *call, const het__gpu_starts *list,
                                   het_error *err);
/* What het__gpu_op.launch is for calls that were prepared so. */
het_status het__gpu_starts_launch(het__gpu_call *call, const int64_t *symbols, het_error *err);

#endif /* HET_GPU_STARTS_H */
