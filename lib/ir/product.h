/* SPDX-License-Identifier: Apache-2.0 */
/* Products of matrices resolved: NumPy's batches and vectors, Gemm's transposes, and the labels of
 * Einsum, for rules, kernels, passes and backends. */
#ifndef HET_IR_PRODUCT_H
#define HET_IR_PRODUCT_H

#include "lib/ir/eval.h"

/* batches x [rows, depth] by [depth, columns] */
typedef struct het__product {
    int64_t rows, depth, columns;
    /* Steps in elements within one matrix. */
    int64_t a_row, a_depth, b_depth, b_column;
    /* Leading extents of both operands and of the result; rank and extent only. */
    het__tensor a_batch, b_batch, batch;
} het__product;

/* By the rules of NumPy's matmul for inputs a and b. */
het_status het__product_of_matmul(const het__eval *e, uint32_t a, uint32_t b, het__product *p);
het_status het__product_of_gemm(const het__eval *e, het__product *p);

/* Inputs of the second operand: QLinearMatMul has scales before it. */
static inline uint32_t het__product_second(het__op op)
{
    return op == HET__OP_T_QLINEAR_MAT_MUL ? 3 : 1;
}

/* How a scale or zero point lies: element batch * batch_step + line * step, where line is a row of
 * the first operand or a column of the second and batch counts that operand's own matrices. */
typedef struct het__lines {
    int64_t step, batch_step;
} het__lines;

/* One number, one per line, or one per line and matrix; false for any other shape. columns: t
 * belongs to the second operand. */
bool het__product_lines(const het__product *p, const het__tensor *t, bool columns,
                        het__lines *lines);

/* Labels of an Einsum: 52 letters in the order of ASCII, then axes of the ellipsis, the last of
 * them for the last axis that it stands for. */
#define HET__EINSUM_LABELS (52 + HET_RANK_MAX)

typedef struct het__einsum {
    int64_t extent[HET__EINSUM_LABELS]; /* -1: the label does not occur */
    uint32_t uses[HET__EINSUM_LABELS];  /* axes of all inputs that have it */
    uint32_t rank;                      /* of the output */
    uint8_t out[HET_RANK_MAX];          /* its labels */
} het__einsum;

het_status het__einsum_of(const het__eval *e, het__einsum *s);
/* Steps of input i, in elements, along each label; 0 where it has none or is broadcast. */
void het__einsum_strides(const het__eval *e, uint32_t i,
                         int64_t strides[HET__EINSUM_LABELS]);

#endif /* HET_IR_PRODUCT_H */
