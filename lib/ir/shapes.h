/* SPDX-License-Identifier: Apache-2.0 */
/* Shape rules and arithmetic of the tensor operations, as tensor_ops.h names them. */
#ifndef HET_IR_SHAPES_H
#define HET_IR_SHAPES_H

#include "lib/ir/eval.h"

#define HET__DECLARE_RULES(id, name, least, most, outputs, shape, count, axes, plain) \
    het_status het__shape_##shape(het__eval *e); \
    void het__count_##count(const het__eval *e, het__work *work);
HET__TENSOR_OPS(HET__DECLARE_RULES)
#undef HET__DECLARE_RULES

/* The second operand as it broadcasts to the first. Before opset 7 its extents stand against those
 * from the attribute axis on (those of PRelu's slope: against the channels), so ones follow it. */
void het__second_operand(const het__eval *e, het__tensor *view);

#endif /* HET_IR_SHAPES_H */
