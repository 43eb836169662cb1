/* SPDX-License-Identifier: Apache-2.0 */
/* Constants whose bytes are made when they are asked for.
 *
 * Such a constant has an address, by which it is known, and nothing there yet. Who makes a form of
 * its own from it borrows it part by part; who reads it where its address says has it kept there.
 *
 *     away ──borrow──▶ bytes elsewhere, until the next loan
 *       └────keep────▶ bytes at its address, as long as the lender is
 *
 * Everything else lies where its address says, and borrowing it gives that address. */
#ifndef HET_BASE_LENDER_H
#define HET_BASE_LENDER_H

#include "lib/base/crew.h"

typedef struct het__loan het__loan; /* of one borrower; each lender defines its own */

/* Any number of borrowers at once, on any threads; one borrower on one thread at a time. team:
 * makes the bytes; NULL: threads of the lender's. */
typedef struct het__lender {
    void *user;
    het_status (*begin)(void *user, het__loan **loan, het_error *err);
    /* *at: the bytes at data, until the next call with this loan. The beginning of a constant is
     * aligned to HET__ALIGN, or as it is where it is kept. HET_E_FORMAT: they are corrupt. */
    het_status (*borrow)(het__loan *loan, const het__team *team, const void *data, size_t bytes,
                         const void **at, het_error *err);
    /* From now on the bytes are at data. */
    het_status (*keep)(het__loan *loan, const het__team *team, const void *data, size_t bytes,
                       het_error *err);
    void (*end)(het__loan *loan);
} het__lender;

/* Who borrows one constant after another, and begins a loan when it is needed. */
typedef struct het__borrower {
    const het__lender *lender; /* NULL: everything lies where its address says */
    const het__team *team;     /* of whoever borrows now; may be NULL */
    het__loan *loan;
} het__borrower;

het_status het__borrow(het__borrower *borrower, const void *data, size_t bytes, const void **at,
                       het_error *err);
het_status het__borrow_keep(het__borrower *borrower, const void *data, size_t bytes,
                            het_error *err);
/* What was borrowed is gone, what was kept stays. */
void het__borrow_end(het__borrower *borrower);

#endif /* HET_BASE_LENDER_H */
