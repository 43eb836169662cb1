/* SPDX-License-Identifier: Apache-2.0 */
/* Plain C kernels of the tensor operations: the numerical truth, what folds constants, and what
 * any device on the host falls back on. One thread, no intrinsics, sums in double. */
#ifndef HET_PLAIN_PLAIN_H
#define HET_PLAIN_PLAIN_H

#include "lib/ir/eval.h"
#include "lib/quant/quant.h"

typedef het_status (*het__plain_fn)(het__eval *e);

/* NULL for an operation that has none. */
het__plain_fn het__plain_kernel(het__op op);

/* Declares the kernels by the table of operations. */
#define HET__DECLARE(id, name, least, most, outputs, shape, count, axes, plain) \
    het_status het__plain_##plain(het__eval *e);
HET__TENSOR_OPS(HET__DECLARE)
#undef HET__DECLARE
het_status het__plain_custom(het__eval *e); /* of HET__OP_T_CUSTOM */

/* ---- elements of any scalar type ---- */

/* Element i as a number. I64 and U64 lose what a double cannot hold: see het__get_i64(). */
double het__get_f64(het_dtype dtype, const void *data, int64_t i);
/* Rounded to nearest even where the type is floating; cut towards zero, modulo 2^bits (as C and
 * NumPy on integers do), where it is an integer; BOOL: not equal to zero. */
void het__put_f64(het_dtype dtype, void *data, int64_t i, double x);
/* For integer types and BOOL, exact; U64 by bit pattern. */
int64_t het__get_i64(het_dtype dtype, const void *data, int64_t i);
void het__put_i64(het_dtype dtype, void *data, int64_t i, int64_t x);
/* All elements as F32, or a pointer to them if they are F32 already; scratch of e; NULL: no
 * memory. */
const float *het__plain_f32(het__eval *e, const het__tensor *t);
/* All elements as doubles, in scratch of e. */
double *het__plain_f64(het__eval *e, const het__tensor *t);

bool het__dtype_is_float(het_dtype dtype); /* F64 to F4E2M1 */
bool het__dtype_is_int(het_dtype dtype);   /* signed and unsigned, not BOOL */
bool het__dtype_is_unsigned(het_dtype dtype);

/* Walks all places of a shape in order and knows, for up to three operands with strides of their
 * own (0 along broadcast extents), which element lies there. */
typedef struct het__walk {
    uint32_t rank;
    int64_t extent[HET_RANK_MAX];
    int64_t stride[3][HET_RANK_MAX];
    int64_t at[HET_RANK_MAX];
    int64_t index[3];
} het__walk;

/* Over the extents of out; operand k is broadcast to them, NULL ends the list. */
void het__walk_init(het__walk *walk, const het__tensor *out, const het__tensor *a,
                    const het__tensor *b, const het__tensor *c);
static inline void het__walk_next(het__walk *walk)
{
    for (uint32_t i = walk->rank; i-- > 0;) {
        for (int k = 0; k < 3; k++)
            walk->index[k] += walk->stride[k][i];
        if (++walk->at[i] < walk->extent[i])
            return;
        for (int k = 0; k < 3; k++)
            walk->index[k] -= walk->stride[k][i] * walk->extent[i];
        walk->at[i] = 0;
    }
}

/* ---- whole graphs ---- */

/* Run a graph of tensor operations node by node: shapes are found as it goes, so extents may follow
 * from contents. inputs: one per INPUT value of the graph, in order of their ids. outputs: one per
 * entry of graph->outputs; their data is the caller's to give back with het__tensor_finish(), also
 * those that alias nothing else. Values are freed behind their last reader. A node's kernel that is
 * missing is HET_E_UNSUPPORTED with its name.
 * cancel may be NULL: looked at between nodes.
 * work_left may be NULL: operations and bytes that may still be spent, in bodies too; what would go
 * below zero is HET_E_UNSUPPORTED, and *work_left is negative then. */
typedef struct het__interpreter {
    het__mem *mem;
    const _Atomic uint32_t *cancel;
    uint32_t depth; /* of bodies in bodies; 0 at the top */
    double *work_left;
} het__interpreter;

/* About what a kernel spends once its shape rule has been asked: operations and bytes. */
double het__plain_cost(const het__eval *e);

het_status het__interpret(const het__interpreter *how, const het__graph *graph,
                          const het__tensor *inputs, uint32_t input_count, het__tensor *outputs,
                          uint32_t output_count, het_error *err);

/* In a kernel: run the body in the attribute of that name. outputs as of het__interpret(). */
het_status het__plain_body(het__eval *e, const char *name, const het__tensor *inputs,
                           uint32_t input_count, het__tensor *outputs, uint32_t output_count);

void het__tensor_finish(het__mem *mem, het__tensor *t);

#endif /* HET_PLAIN_PLAIN_H */
