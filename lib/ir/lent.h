/* SPDX-License-Identifier: Apache-2.0 */
/* Constants whose bytes are lent (lib/base/lender.h), made to stay for as long as their borrower
 * does. Where nothing is lent (no borrower), and of what is no constant, there is nothing to do. */
#ifndef HET_IR_LENT_H
#define HET_IR_LENT_H

#include "lib/base/lender.h"
#include "lib/ir/graph.h"

/* The bytes at data are the value's, or some of a constant's that the value describes. Errors as
 * het__borrow_keep(). */
het_status het__lent_keep(het__borrower *borrower, const het__value *value, const void *data,
                          const int64_t *symbols, het_error *err);
/* All constants that a node reads. */
het_status het__lent_keep_node(het__borrower *borrower, const het__graph *graph,
                               const het__node *node, const int64_t *symbols, het_error *err);

#endif /* HET_IR_LENT_H */
