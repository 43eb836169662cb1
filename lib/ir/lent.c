/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/ir/lent.h"

het_status het__lent_keep(het__borrower *borrower, const het__value *value, const void *data,
                          const int64_t *symbols, het_error *err)
{
    const int64_t bytes = borrower && data && value->kind == HET__VALUE_CONST
                              ? het__value_bytes(value, symbols) : 0;
    return bytes > 0 ? het__borrow_keep(borrower, data, (size_t)bytes, err) : HET_OK;
}

het_status het__lent_keep_node(het__borrower *borrower, const het__graph *graph,
                               const het__node *node, const int64_t *symbols, het_error *err)
{
    for (uint32_t i = 0; borrower && i < node->input_count; i++) {
        if (node->inputs[i] == HET__NO_VALUE)
            continue;
        const het__value *v = &graph->values[node->inputs[i]];
        const het_status s = het__lent_keep(borrower, v, v->data, symbols, err);
        if (s != HET_OK)
            return s;
    }
    return HET_OK;
}
