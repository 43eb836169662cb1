/* SPDX-License-Identifier: Apache-2.0 */
/* Inside of the plain C backend: what a kernel sees of a node.
 *
 * Kernels round to F32 only where a value of the graph is written, and a fused node rounds where
 * the nodes it replaces would have written theirs: fused and separate forms give the same bits. */
#ifndef HET_REF_H
#define HET_REF_H

#include <string.h>

#include "lib/backend.h"
#include "lib/plain/act.h"
#include "lib/plain/call.h"
#include "lib/quant/quant.h"

/* An input or output of a node. */
typedef struct het__ref_operand {
    het__value value;      /* type and extents; name and data are not kept */
    const char *read;      /* first byte; NULL: an absent optional input */
    char *write;           /* the same place, NULL for a constant */
    het__decode_fn decode; /* NULL if the type has none */
    /* Set for each step. */
    int64_t rows, columns; /* all extents but the last, the last */
    int64_t row_bytes;
} het__ref_operand;

typedef struct het__ref_call {
    het__op op;
    het__attrs attrs;
    uint32_t input_count, output_count;
    het__ref_operand *inputs;
    het__ref_operand *outputs;
    double *scratch; /* as many as the kernel's scratch function asked for */
    het__plain_call *plain; /* a tensor operation: this and op count, nothing else */
} het__ref_call;

typedef struct het__ref_kernel {
    void (*run)(const het__ref_call *call);
    /* Doubles of scratch when the call's extents are at their largest; -1 if that overflows.
     * NULL: none. */
    int64_t (*scratch)(const het__ref_call *call);
    uint32_t integers; /* bit i: input i holds I32 */
    uint32_t floats;   /* bit i: input i must be F32; the other inputs may have any type */
    uint32_t codes;    /* bit i: input i has a type that the operation's rule has checked */
    uint32_t states;   /* bit i: input i is a state, F16, F32 or Q8_0 */
} het__ref_kernel;

extern const het__ref_kernel het__ref_embed, het__ref_norm, het__ref_linear, het__ref_gated,
    het__ref_rope, het__ref_attention, het__ref_add, het__ref_mul, het__ref_unary,
    het__ref_softmax, het__ref_rows, het__ref_image, het__ref_matmul, het__ref_qconv,
    het__ref_qmap, het__ref_columns, het__ref_join, het__ref_moe, het__ref_cut, het__ref_match,
    het__ref_predict, het__ref_correct;

/* NULL where an optional input is absent. */
static inline const het__ref_operand *het__ref_input(const het__ref_call *call, uint32_t index)
{
    return index < call->input_count && call->inputs[index].read ? &call->inputs[index] : NULL;
}

static inline int32_t het__ref_int(const het__ref_operand *operand, int64_t index)
{
    int32_t i;
    memcpy(&i, operand->read + index * (int64_t)sizeof i, sizeof i);
    return i;
}

/* A row as F32: in place if it is that, else decoded into room (columns floats). */
const float *het__ref_row(const het__ref_operand *operand, int64_t row, float *room);
/* One element. */
float het__ref_at(const het__ref_operand *operand, int64_t row, int64_t column);
/* Where to write a row of an F32 output. */
static inline float *het__ref_row_out(const het__ref_operand *operand, int64_t row)
{
    return (float *)(void *)(operand->write + row * operand->row_bytes);
}

/* Doubles that hold two rows of the widest input, the scratch of most kernels. */
int64_t het__ref_two_rows(const het__ref_call *call);

/* Pieces that more than one operation uses. */
/* POOL, BLOCK and UNBLOCK of images of codes. */
void het__ref_codes_run(const het__ref_call *call);
/* In place where x == out. weight and bias may be NULL. */
void het__ref_norm_group(het__norm_kind kind, float eps, const float *x, const float *weight,
                         const float *bias, int64_t count, float *out);
/* Cosine and sine, times magnitude, of each pair of a head at a position: rotated doubles. */
void het__ref_rope_angles(const het__rope_attrs *attrs, int32_t position, const float *factors,
                          double *angles);
/* Factors that are a row of angles per token: cosines, then sines. */
bool het__ref_rope_is_given(const het__rope_attrs *attrs, const het__ref_operand *factors);
void het__ref_rope_given(const het__rope_attrs *attrs, const float *row, double *angles);
void het__ref_rope_head(const het__rope_attrs *attrs, const double *angles, const float *x,
                        float *out);

#endif /* HET_REF_H */
