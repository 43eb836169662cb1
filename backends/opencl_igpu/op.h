/* SPDX-License-Identifier: Apache-2.0 */
/* What a file of operations sees of the OpenCL backend, and what the backend sees of it.
 *
 * A node becomes a call. prepare() chooses kernels, names forms of constants and asks for scratch,
 * once; launch() binds the sizes of a step and starts kernels, without allocating. The queue is in
 * order, so launches of a program need no events between them.
 *
 * Kernels (backends/kernels, OpenCL C 1.2, the same for Level Zero) take each tensor as two
 * arguments: the base of its memory and the bytes to its beginning, a ulong. het__cl_arg_tensor()
 * sets both. Every file begins with kernels/common.cl; a line #include "blocks.cl" is replaced by
 * that file's text. What a device offers beyond 1.2 is a macro, 0 where it is not there: HET_FP16,
 * HET_SUBGROUP (the width that kernels ask for); HET_CPU is 1 where a device is a processor, whose
 * drivers run the items of a group one after the other. */
#ifndef HET_OPENCL_OP_H
#define HET_OPENCL_OP_H

#ifndef CL_TARGET_OPENCL_VERSION
#define CL_TARGET_OPENCL_VERSION 300
#endif
#include <CL/cl.h>

#include "lib/backend.h"

/* Facts of a device that choose among kernels. */
typedef struct het__cl_facts {
    uint32_t units;      /* compute units */
    size_t group_max;    /* work items of a group */
    size_t local_bytes;
    uint64_t memory_bytes, buffer_max_bytes;
    uint32_t subgroup;   /* width that kernels may ask for, 0: none */
    uint32_t lanes;      /* floats of the preferred vector; 1 on most GPUs */
    uint32_t base_align; /* bytes; a tensor begins at a multiple of HET__ALIGN of its memory */
    bool fp16, is_cpu, is_intel, is_amd;
    bool local_is_real;  /* local memory is not plain memory */
    bool shares_memory;  /* with the host */
} het__cl_facts;

/* A tensor of a call: of the program's values or a constant. */
typedef struct het__cl_operand {
    het__value value;      /* type, extents, kind; kind CONST: host */
    bool is_present;       /* false: an optional input that is absent */
    bool has_form;         /* set by prepare(): the plain bytes are not wanted on the device */
    cl_mem mem;            /* of a constant only when launch() runs; NULL: absent, or has_form */
    size_t offset;         /* bytes */
    const void *host;      /* of a constant: its bytes in host memory; also while launching */
    int64_t rows, columns; /* het__value_matrix() with the symbols' most while preparing, of the
                              step while launching */
} het__cl_operand;

typedef struct het__cl_call {
    het__device *device;
    const het__cl_facts *facts;
    het__mem *mem;              /* for what is freed before prepare() returns */
    het__arena *arena;          /* of the program: for own */
    const het__graph *graph;    /* while preparing, like the next two */
    const het__node *node;
    const int64_t *symbols_max;
    het__op op;
    het__attrs attrs;
    uint32_t input_count, output_count;
    het__cl_operand *inputs, *outputs;
    void *own;                  /* what prepare() keeps for launch(): arena */
    cl_mem scratch;             /* shared by the program's calls; when launch() runs */
    size_t scratch_bytes;       /* wanted by this call */
    struct het__program *program;
    const het__slice *slice;    /* while preparing */
} het__cl_call;

typedef struct het__cl_op {
    /* Pure, without a device; reason as of het__backend.supports. */
    bool (*supports)(const het__graph *graph, const het__node *node, char *reason, size_t bytes);
    het_status (*prepare)(het__cl_call *call, het_error *err);
    het_status (*launch)(het__cl_call *call, const int64_t *symbols, het_error *err);
} het__cl_op;

/* ---- for prepare() ---- */

/* A kernel of backends/kernels/FILE.cl ("norm"), built once per device for the same file and
 * options ("-DWIDTH=8 -DACT=2", may be ""). The kernel is the program's own, so that its arguments
 * are too; it is released with the program. A build that fails gives HET_E_UNSUPPORTED with the
 * first line of the compiler's log. */
het_status het__cl_kernel(het__cl_call *call, const char *file, const char *name,
                          const char *options, cl_kernel *kernel, het_error *err);

/* Inputs that are constants are uploaded once per device as they lie, after prepare(), unless
 * has_form is set by then. This makes one in a form of the operation's own, once per device for the
 * same constant and form name: bytes long, written by lay() into host memory. It sets has_form. */
typedef void (*het__cl_lay_fn)(const void *user, const het__cl_operand *constant, void *target);
het_status het__cl_constant(het__cl_call *call, uint32_t input, const char *form, size_t bytes,
                            het__cl_lay_fn lay, const void *user, cl_mem *mem, het_error *err);

/* The same for an input's elements as F32, whatever its type. */
het_status het__cl_constant_f32(het__cl_call *call, uint32_t input, cl_mem *mem, het_error *err);
/* The same for numbers that the operation works out: form names them wholly. */
het_status het__cl_table(het__cl_call *call, const char *form, size_t bytes, het__cl_lay_fn lay,
                         const void *user, cl_mem *mem, het_error *err);

/* Bytes of scratch that one launch() uses; calls of a program share it, the largest wins. What it
 * holds is lost between calls. */
void het__cl_want_scratch(het__cl_call *call, size_t bytes);

/* ---- for launch() ---- */

/* A failure to set an argument shows when the kernel is started. */
void het__cl_arg(cl_kernel kernel, uint32_t index, size_t bytes, const void *value);
void het__cl_arg_int(cl_kernel kernel, uint32_t index, int64_t value); /* as int */
void het__cl_arg_long(cl_kernel kernel, uint32_t index, int64_t value);
void het__cl_arg_float(cl_kernel kernel, uint32_t index, float value);
/* Sets arguments index and index + 1: memory and bytes to its beginning. */
void het__cl_arg_tensor(cl_kernel kernel, uint32_t index, const het__cl_operand *operand);
void het__cl_arg_memory(cl_kernel kernel, uint32_t index, cl_mem mem, size_t offset);

/* Start a kernel over global items in groups of local (NULL: the driver chooses); global is rounded
 * up to whole groups, so kernels check their bounds. A zero extent starts nothing. */
het_status het__cl_launch(het__cl_call *call, cl_kernel kernel, uint32_t dimensions,
                          const size_t *global, const size_t *local, het_error *err);
/* Copies between memories of the device; they must not overlap. */
het_status het__cl_copy(het__cl_call *call, cl_mem source, size_t source_offset, cl_mem target,
                        size_t target_offset, size_t bytes, het_error *err);
/* For libraries that start kernels by themselves (CLBlast); tell of each launch. */
cl_command_queue het__cl_queue(het__cl_call *call);
void het__cl_count_launch(het__cl_call *call);

/* A status and a sentence for a code of OpenCL that is not CL_SUCCESS; what: "clFinish". */
het_status het__cl_fail(het_error *err, cl_int code, const char *what);

/* What most operations refuse: a tensor that is not F32. bits: inputs that must be, if present. */
bool het__cl_inputs_are_f32(const het__graph *graph, const het__node *node, uint32_t bits,
                            char *reason, size_t bytes);

/* Whether a type can be made F32: those of blocks.cl. */
bool het__cl_has_f32(het_dtype dtype, const het__node *node, char *reason, size_t bytes);

/* ---- operations (ops_*.c) ---- */

extern const het__cl_op het__cl_embed, het__cl_norm, het__cl_softmax, het__cl_rows, het__cl_columns,
    het__cl_cut, het__cl_match, het__cl_predict, het__cl_correct; /* ops_rows.c */
extern const het__cl_op het__cl_rope, het__cl_attention;          /* ops_attention.c */
extern const het__cl_op het__cl_binary, het__cl_unary;            /* ops_elementwise.c */
extern const het__cl_op het__cl_linear, het__cl_gated;            /* ops_product.c */
extern const het__cl_op het__cl_matmul;                           /* ops_product.c */
extern const het__cl_op het__cl_moe;                              /* ops_moe.c */
extern const het__cl_op het__cl_conv, het__cl_qconv;              /* ops_image.c */
extern const het__cl_op het__cl_pool, het__cl_block, het__cl_unblock, het__cl_qmap; /* ops_pool.c */
extern const het__cl_op het__cl_tensor;                           /* ops_tensor.c: all of them */

#endif /* HET_OPENCL_OP_H */
