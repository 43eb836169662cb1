/* SPDX-License-Identifier: Apache-2.0 */
/* Kernels that a call of known extents starts, one after the other, with all their arguments:
 * written down once by prepare(), bound to memory and started by launch().
 *
 * A list that only asks keeps nothing: with it supports() and prepare() go the same way. */
#ifndef HET_OPENCL_STARTS_H
#define HET_OPENCL_STARTS_H

#include "backends/opencl_igpu/op.h"

#define HET__CL_ARGUMENTS_MAX 32

typedef enum het__cl_argument_kind {
    HET__CL_ARG_INPUT, /* memory and bytes to its beginning, like the next three: two arguments */
    HET__CL_ARG_OUTPUT,
    HET__CL_ARG_SCRATCH,
    HET__CL_ARG_MEMORY,
    HET__CL_ARG_VALUE,
} het__cl_argument_kind;

typedef struct het__cl_argument {
    het__cl_argument_kind kind;
    uint32_t index; /* of the input or output */
    size_t bytes;   /* to the beginning; of a value: its size */
    cl_mem memory;
    union {
        int32_t i[16];
        float f;
        unsigned char byte[64];
    } value;
} het__cl_argument;

typedef struct het__cl_start {
    const char *file, *name;
    char options[256];
    cl_kernel kernel;
    uint32_t argument_count;
    het__cl_argument arguments[HET__CL_ARGUMENTS_MAX];
    uint32_t dimensions;
    size_t items[3], group[3]; /* group[0] 0: the driver chooses */
    bool is_bound; /* memories do not change from launch to launch, nor do values */
    struct het__cl_start *next;
} het__cl_start;

typedef struct het__cl_starts {
    het__arena *arena; /* NULL: the list only asks */
    const het__cl_facts *facts;
    het__cl_start *first, *last;
    size_t scratch_bytes;
    bool failed; /* memory ran out */
    het__cl_start spare; /* what is written to when nothing is kept */
} het__cl_starts;

/* facts: of no device where the list only asks. */
void het__cl_starts_init(het__cl_starts *list, het__arena *arena, const het__cl_facts *facts);
/* Never NULL. */
het__cl_start *het__cl_starts_add(het__cl_starts *list, const char *file, const char *name);

/* Appends to the options of the compiler. */
void het__cl_start_option(het__cl_start *s, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Arguments in the kernel's order. offset: bytes behind the beginning of the operand. */
void het__cl_put_input(het__cl_start *s, uint32_t input, size_t offset);
void het__cl_put_output(het__cl_start *s, uint32_t output, size_t offset);
void het__cl_put_scratch(het__cl_start *s, size_t offset);
void het__cl_put_memory(het__cl_start *s, cl_mem memory);
void het__cl_put_int(het__cl_start *s, int64_t value);
void het__cl_put_ints(het__cl_start *s, uint32_t count, const int32_t *values); /* 2, 4, 8, 16 */
void het__cl_put_float(het__cl_start *s, float value);
void het__cl_put_bytes(het__cl_start *s, const void *value, size_t bytes); /* 64 at most */

/* Items along up to three dimensions, in groups of at most `group` neighbours. */
void het__cl_start_items(het__cl_start *s, int64_t x, int64_t y, int64_t z, size_t group);
/* Groups of exactly these items. */
void het__cl_start_groups(het__cl_start *s, int64_t x, int64_t y, int64_t z, size_t group_x,
                          size_t group_y);

/* Builds the kernels; list becomes what launch starts. The list must be of the call's arena. */
het_status het__cl_starts_prepare(het__cl_call *call, const het__cl_starts *list, het_error *err);
/* What het__cl_op.launch is for calls that were prepared so. */
het_status het__cl_starts_launch(het__cl_call *call, const int64_t *symbols, het_error *err);

#endif /* HET_OPENCL_STARTS_H */
