/* SPDX-License-Identifier: Apache-2.0 */
/* What a file of operations sees, and what a backend sees of the operations.
 *
 * A node becomes a call. prepare() chooses kernels, names forms of constants and asks for scratch,
 * once; launch() binds the sizes of a step and starts kernels, without allocating. What a call
 * starts runs in order, and behind the calls before it whose bytes it uses, so launches need no
 * events between them.
 *
 * Kernels (backends/kernels, OpenCL C 1.2, for OpenCL and Level Zero) take each tensor as two
 * arguments: the base of its memory and the bytes to its beginning, a ulong. het__gpu_arg_tensor()
 * sets both. Every file begins with kernels/common.cl; a line #include "blocks.cl" is replaced by
 * that file's text. What a device offers beyond 1.2 is a macro, 0 where it is not there: HET_FP16,
 * HET_SUBGROUP (the width that kernels ask for); HET_CPU is 1 where a device is a processor, whose
 * drivers run the items of a group one after the other. */
#ifndef HET_GPU_OP_H
#define HET_GPU_OP_H

#include "lib/backend.h"

/* Never looked into here: a driver's handle or an address, as driver.h says. */
typedef struct het__gpu_memory het__gpu_memory;
typedef struct het__gpu_kernel het__gpu_kernel;
typedef struct het__gpu het__gpu; /* an opened device, see driver.h */

/* How a device adds four products of 8 bits to a sum: values of HET_DOT (kernels/dot.cl). */
typedef enum het__gpu_dot {
    HET__GPU_DOT_PLAIN = 0,
    HET__GPU_DOT_INTEL = 1,
    HET__GPU_DOT_KHR = 2,
} het__gpu_dot;

/* Facts of a device that choose among kernels. */
typedef struct het__gpu_facts {
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
    bool has_dot;        /* products in 8 bits are faster than in F32 */
    het__gpu_dot dot;    /* what they are made of */
    bool has_matrix;     /* and of many rows by matrix instructions of Intel's (XMX) */
} het__gpu_facts;

/* A tensor of a call: of the program's values or a constant. */
typedef struct het__gpu_operand {
    het__value value;      /* type, extents, kind; kind CONST: host */
    bool is_present;       /* false: an optional input that is absent */
    bool has_form;         /* set by prepare(): the plain bytes are not wanted on the device */
    het__gpu_memory *mem;  /* of a constant only when launch() runs; NULL: absent, or has_form */
    size_t offset;         /* bytes */
    const void *host;      /* of a constant: its bytes in host memory; also while launching */
    int64_t rows, columns; /* het__value_matrix() with the symbols' most while preparing, of the
                              step while launching */
} het__gpu_operand;

/* Bytes that a call reads or writes. */
typedef struct het__gpu_touch {
    het__gpu_memory *mem;
    size_t begin, end;
    bool is_written;
} het__gpu_touch;

typedef struct het__gpu_call {
    het__gpu *gpu;
    const het__gpu_facts *facts;
    het__mem *mem;              /* for what is freed before prepare() returns */
    het__arena *arena;          /* of the program: for own */
    const het__graph *graph;    /* while preparing, like the next two */
    const het__node *node;
    const int64_t *symbols_max;
    het__op op;
    het__attrs attrs;
    uint32_t input_count, output_count;
    het__gpu_operand *inputs, *outputs;
    void *own;                  /* what prepare() keeps for launch(): arena */
    het__gpu_memory *scratch;   /* shared by the program's calls; when launch() runs */
    size_t scratch_bytes;       /* wanted by this call */
    struct het__program *program;
    const het__slice *slice;    /* while preparing */
    /* order.c: for drivers with the function `call`; all but touches where is_unordered. */
    uint32_t touch_count, after_count;
    het__gpu_touch *touches;    /* without constants and scratch; of the largest step */
    uint32_t *after;            /* calls of the program that it waits for, by number */
    bool is_last;               /* no call waits for it */
    void *done;                 /* the driver's, while the program is started */
} het__gpu_call;

/* Memory and where in it: NULL where there is none. */
typedef struct het__gpu_span {
    het__gpu_memory *mem;
    size_t offset; /* bytes */
} het__gpu_span;

typedef struct het__gpu_op {
    /* Pure, without a device; reason as of het__backend.supports. */
    bool (*supports)(const het__graph *graph, const het__node *node, char *reason, size_t bytes);
    het_status (*prepare)(het__gpu_call *call, het_error *err);
    het_status (*launch)(het__gpu_call *call, const int64_t *symbols, het_error *err);
} het__gpu_op;

/* ---- for prepare() ---- */

/* A kernel of backends/kernels/FILE.cl ("norm"), built once per device for the same file and
 * options ("-DWIDTH=8 -DACT=2", may be ""). The kernel is the program's own, so that its arguments
 * are too; it is released with the program. A build that fails gives HET_E_UNSUPPORTED with the
 * first line of the compiler's log. */
het_status het__gpu_kernel_of(het__gpu_call *call, const char *file, const char *name,
                              const char *options, het__gpu_kernel **kernel, het_error *err);

/* Inputs that are constants are uploaded once per device as they lie, after prepare(), unless
 * has_form is set by then. This makes one in a form of the operation's own, once per device for the
 * same constant and form name: bytes long, written by lay() into host memory. It sets has_form. */
typedef void (*het__gpu_lay_fn)(const void *user, const het__gpu_operand *constant, void *target);
het_status het__gpu_constant(het__gpu_call *call, uint32_t input, const char *form, size_t bytes,
                             het__gpu_lay_fn lay, const void *user, het__gpu_memory **mem,
                             het_error *err);

/* The same for an input's elements as F32, whatever its type. */
het_status het__gpu_constant_f32(het__gpu_call *call, uint32_t input, het__gpu_memory **mem,
                                 het_error *err);
/* The same for numbers that the operation works out: form names them wholly. */
het_status het__gpu_table(het__gpu_call *call, const char *form, size_t bytes, het__gpu_lay_fn lay,
                          const void *user, het__gpu_memory **mem, het_error *err);

/* Bytes of scratch that one launch() uses; calls of a program share it, the largest wins, and
 * programs do. What it holds is lost between calls. */
void het__gpu_want_scratch(het__gpu_call *call, size_t bytes);

/* ---- for launch() ---- */

/* A failure to set an argument shows when the kernel is started. */
void het__gpu_arg(het__gpu_kernel *kernel, uint32_t index, size_t bytes, const void *value);
void het__gpu_arg_int(het__gpu_kernel *kernel, uint32_t index, int64_t value); /* as int */
void het__gpu_arg_long(het__gpu_kernel *kernel, uint32_t index, int64_t value);
void het__gpu_arg_float(het__gpu_kernel *kernel, uint32_t index, float value);
/* Sets arguments index and index + 1: memory and bytes to its beginning. */
void het__gpu_arg_tensor(het__gpu_kernel *kernel, uint32_t index, const het__gpu_operand *operand);
void het__gpu_arg_memory(het__gpu_kernel *kernel, uint32_t index, het__gpu_memory *mem,
                         size_t offset);

/* Start a kernel over global items in groups of local (NULL: the driver chooses); global is rounded
 * up to whole groups, so kernels check their bounds. A zero extent starts nothing. */
het_status het__gpu_launch(het__gpu_call *call, het__gpu_kernel *kernel, uint32_t dimensions,
                           const size_t *global, const size_t *local, het_error *err);
/* Copies between memories of the device; they must not overlap. */
het_status het__gpu_copy(het__gpu_call *call, het__gpu_memory *source, size_t source_offset,
                         het__gpu_memory *target, size_t target_offset, size_t bytes,
                         het_error *err);

/* What most operations refuse: a tensor that is not F32. bits: inputs that must be, if present. */
bool het__gpu_inputs_are_f32(const het__graph *graph, const het__node *node, uint32_t bits,
                             char *reason, size_t bytes);

/* Whether a type can be made F32: those of blocks.cl. */
bool het__gpu_has_f32(het_dtype dtype, const het__node *node, char *reason, size_t bytes);

/* The memory behind what a call has: of a constant that comes before each run, where it is now
 * (stream.h). Only for what does not go through het__gpu_arg_memory() or het__gpu_copy(). */
het__gpu_memory *het__gpu_memory_now(het__gpu_memory *memory);

/* ---- operations (ops_*.c) ---- */

extern const het__gpu_op het__gpu_embed, het__gpu_norm, het__gpu_softmax, het__gpu_rows,
    het__gpu_columns, het__gpu_join, het__gpu_cut, het__gpu_match, het__gpu_predict,
    het__gpu_correct;                                                     /* ops_rows.c */
extern const het__gpu_op het__gpu_rope, het__gpu_attention;               /* ops_attention.c */
extern const het__gpu_op het__gpu_binary, het__gpu_unary;                 /* ops_elementwise.c */
extern const het__gpu_op het__gpu_linear, het__gpu_gated, het__gpu_matmul; /* ops_product.c */
extern const het__gpu_op het__gpu_moe;                                    /* ops_moe.c */
extern const het__gpu_op het__gpu_conv, het__gpu_qconv;                   /* ops_image.c */
extern const het__gpu_op het__gpu_pool, het__gpu_block, het__gpu_unblock,
    het__gpu_qmap;                                                        /* ops_pool.c */
extern const het__gpu_op het__gpu_tensor; /* ops_tensor.c: all of them */

#endif /* HET_GPU_OP_H */
