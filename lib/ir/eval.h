/* SPDX-License-Identifier: Apache-2.0 */
/* One tensor operation with its concrete operands: what shape rules and plain kernels see.
 *
 * A shape rule fills type, rank and extents of the outputs from those of the inputs. Where it needs
 * the contents of an input and input.data is NULL, or where extents follow from contents in a way
 * that only computing shows, it fills what it knows (always the types) and returns
 * het__eval_unknown(). A kernel finds outputs with data of the size that the rule gave; where the
 * rule says "unknown" although all contents are there, it calls het__eval_output() first. */
#ifndef HET_IR_EVAL_H
#define HET_IR_EVAL_H

#include "lib/ir/graph.h"
#include "lib/ir/tensor.h"

typedef struct het__scratch {
    het__mem *mem;
    void *blocks[16]; /* kept from run to run: a second run of the same work allocates nothing */
    size_t sizes[16];
    uint32_t used;
} het__scratch;

typedef struct het__eval {
    const het__node *node;
    const het__attr_list *attrs; /* of the node */
    const het__tensor *inputs;   /* dtype NONE: left out */
    uint32_t input_count;
    het__tensor *outputs;
    uint32_t output_count; /* as the node has them, those nobody reads included */
    bool unknown;          /* set by a shape rule */
    het__mem *mem;         /* for het__eval_output() and bodies; NULL during shape rules */
    het__scratch *scratch; /* NULL during shape rules */
    const struct het__interpreter *interpreter; /* what bodies run with; NULL: no bodies */
    het_error *err;
} het__eval;

/* The input, or NULL if it is left out. */
static inline const het__tensor *het__eval_input(const het__eval *e, uint32_t i)
{
    return i < e->input_count && e->inputs[i].dtype != HET_DTYPE_NONE ? &e->inputs[i] : NULL;
}

/* HET_E_INVALID with "Conv conv1: " and the rest. */
het_status het__eval_refuse(const het__eval *e, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* The same with HET_E_UNSUPPORTED: well-formed, but not done here. */
het_status het__eval_unsupported(const het__eval *e, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static inline het_status het__eval_unknown(het__eval *e)
{
    e->unknown = true;
    return HET_OK;
}

/* Fill output i; refuses negative extents and products that overflow. */
het_status het__eval_shape(het__eval *e, uint32_t i, het_dtype dtype, uint32_t rank,
                           const int64_t *extent);
/* Output i with the extents of a tensor. */
het_status het__eval_like(het__eval *e, uint32_t i, het_dtype dtype, const het__tensor *t);
/* In kernels: het__eval_shape() and memory, for outputs whose extents the rule could not know. */
het_status het__eval_output(het__eval *e, uint32_t i, het_dtype dtype, uint32_t rank,
                            const int64_t *extent);
/* In kernels: memory until the kernel returns; NULL when there is none left (16 pieces at most;
 * refuse with het__eval_nomem()). */
void *het__eval_scratch(het__eval *e, size_t count, size_t size);
het_status het__eval_nomem(const het__eval *e);

/* Integers that stand in input i or, where older operation sets have it, in the attribute of that
 * name (name may be NULL). present: whether either is there. Returns false when the input is there
 * and its contents are not known. At most most integers are stored; more, a rank above 1 and types
 * other than I32 and I64 are refused through *status. */
bool het__eval_ints(const het__eval *e, uint32_t i, const char *name, uint32_t most, int64_t *out,
                    uint32_t *count, bool *present, het_status *status);

/* Axis in [0, rank) from one in [-rank, rank); -1 if it is outside. */
static inline int64_t het__axis(int64_t axis, uint32_t rank)
{
    if (axis < 0)
        axis += rank;
    return axis >= 0 && axis < (int64_t)rank ? axis : -1;
}

/* Extents of two shapes broadcast by NumPy's rule into out (in place of one of them is fine);
 * false if they do not fit. */
bool het__broadcast(const het__tensor *a, het__tensor *out);

void het__scratch_init(het__scratch *scratch, het__mem *mem);
void het__scratch_finish(het__scratch *scratch);
/* Everything handed out may be handed out again. */
static inline void het__scratch_reset(het__scratch *scratch)
{
    scratch->used = 0;
}

#endif /* HET_IR_EVAL_H */
