/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/base/lender.h"

static het_status begin(het__borrower *b, het_error *err)
{
    return b->loan ? HET_OK : b->lender->begin(b->lender->user, &b->loan, err);
}

het_status het__borrow(het__borrower *b, const void *data, size_t bytes, const void **at,
                       het_error *err)
{
    *at = data;
    if (!b->lender)
        return HET_OK;
    const het_status s = begin(b, err);
    return s == HET_OK ? b->lender->borrow(b->loan, b->team, data, bytes, at, err) : s;
}

het_status het__borrow_keep(het__borrower *b, const void *data, size_t bytes, het_error *err)
{
    if (!b->lender)
        return HET_OK;
    const het_status s = begin(b, err);
    return s == HET_OK ? b->lender->keep(b->loan, b->team, data, bytes, err) : s;
}

void het__borrow_end(het__borrower *b)
{
    if (b->loan)
        b->lender->end(b->loan);
    b->loan = NULL;
}
