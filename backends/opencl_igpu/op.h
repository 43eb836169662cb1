/* SPDX-License-Identifier: Apache-2.0 */
/* What a file of operations sees of the OpenCL backend, and what the backend sees of it.
 *
 * A node becomes a call. prepare() chooses kernels, uploads constants and asks for scratch, once;
 * launch() binds the sizes of a step and starts kernels, without allocating. Queues are in order,
 * so launches of a program need no events between them.
 *
 * Kernels (backends/kernels, OpenCL C 1.2, the same for Level Zero) take each tensor as two
 * arguments: the base of its memory and the bytes to its beginning, a ulong. het__cl_arg_tensor()
 * sets both. What a device offers beyond 1.2 is a macro: HET_FP16, HET_SUBGROUP (the width), both 0
 * where it is not there. */
#ifndef HET_OPENCL_OP_H
#define HET_OPENCL_OP_H

#define CL_TARGET_OPENCL_VERSION 300
#include <CL/cl.h>

#include "lib/backend.h"

/* Facts of a device that choose among kernels. */
typedef struct het__cl_facts {
    uint32_t units;             /* compute units */
    size_t group_max;           /* work items of a group */
    size_t local_bytes;
    uint64_t memory_bytes, buffer_max_bytes;
    uint32_t subgroup;          /* width that kernels may ask for, 0: none */
    uint32_t lanes;             /* floats of the preferred vector; 1 on GPUs */
    bool fp16, is_cpu, is_intel, is_amd, local_is_real; /* local memory that is not plain memory */
} het__cl_facts;

/* A tensor of a call: of the program's values or a constant. */
typedef struct het__cl_operand {
    het__value value; /* type, extents; kind */
    cl_mem mem;       /* NULL: an optional input that is absent */
    size_t offset;    /* bytes */
    const void *host; /* of a constant: its bytes in host memory */
    int64_t rows, columns; /* het__value_matrix() of the step, bound before launch() */
} het__cl_operand;

typedef struct het__cl_call {
    het__device *device;
    const het__cl_facts *facts;
    het__arena *arena;          /* of the program: for own */
    const het__node *node;      /* outlives the program only while preparing: copy what launch needs */
    const int64_t *symbols_max; /* while preparing */
    het__op op;
    het__attrs attrs;
    uint32_t input_count, output_count;
    het__cl_operand *inputs, *outputs;
    void *own;                  /* what prepare() keeps for launch(): arena */
    cl_mem scratch;             /* shared by the program's calls; after all are prepared */
} het__cl_call;

typedef struct het__cl_op {
    bool (*supports)(const het__graph *graph, const het__node *node, char *reason, size_t bytes);
    het_status (*prepare)(het__cl_call *call, het_error *err);
    het_status (*launch)(het__cl_call *call, const int64_t *symbols, het_error *err);
} het__cl_op;

/* ---- for prepare() ---- */

/* A kernel of backends/kernels/FILE.cl, built once per device for the same file and options
 * ("-DWIDTH=8 -DACT=2", may be ""), of the program's own, so that its arguments are too. A build
 * that fails gives HET_E_UNSUPPORTED with the first line of the compiler's log. */
het_status het__cl_kernel(het__cl_call *call, const char *file, const char *name,
                          const char *options, cl_kernel *kernel, het_error *err);

/* The bytes of a constant on the device, uploaded once per device. By default inputs that are
 * constants have them in mem already; an operation that wants another form names it. */
typedef void (*het__cl_lay_fn)(const void *user, const het__cl_operand *constant, void *target);
/* A constant in a form of the operation's own, made once per device for the same form name: bytes
 * long, written by lay() into host memory. The plain form is then not kept for this call. */
het_status het__cl_constant(het__cl_call *call, uint32_t input, const char *form, size_t bytes,
                            het__cl_lay_fn lay, const void *user, cl_mem *mem, het_error *err);
/* Say in supports-time order: inputs of this op whose plain form must not be uploaded, as bits. */
uint32_t het__cl_own_forms(const het__node *node);

/* Bytes of scratch that one launch() uses; calls of a program share it, the largest wins. */
void het__cl_want_scratch(het__cl_call *call, size_t bytes);

/* ---- for launch() ---- */

void het__cl_arg(cl_kernel kernel, uint32_t index, size_t bytes, const void *value);
/* Sets arguments index and index + 1. */
void het__cl_arg_tensor(cl_kernel kernel, uint32_t index, const het__cl_operand *operand);
void het__cl_arg_memory(cl_kernel kernel, uint32_t index, cl_mem mem, size_t offset);

/* Start a kernel over global items in groups of local (NULL: the driver chooses); global is rounded
 * up to whole groups, so kernels check their bounds. A zero extent starts nothing. */
het_status het__cl_launch(het__cl_call *call, cl_kernel kernel, uint32_t dimensions,
                          const size_t *global, const size_t *local, het_error *err);

/* ---- operations (ops_*.c) ---- */

extern const het__cl_op het__cl_embed, het__cl_norm, het__cl_rope, het__cl_attention,
    het__cl_binary, het__cl_unary, het__cl_softmax, het__cl_rows, het__cl_columns, het__cl_cut,
    het__cl_match, het__cl_predict, het__cl_correct;       /* ops_lm.c, ops_attention.c */
extern const het__cl_op het__cl_linear, het__cl_gated, het__cl_moe,
    het__cl_matmul;                                        /* ops_product.c, ops_moe.c */
extern const het__cl_op het__cl_conv, het__cl_pool, het__cl_block, het__cl_unblock,
    het__cl_qconv, het__cl_qmap, het__cl_tensor;           /* ops_image.c, ops_tensor.c */

#endif /* HET_OPENCL_OP_H */
