/* SPDX-License-Identifier: Apache-2.0 */
/* The tensors of a package that is a model: they stay packed in the file until they are asked for.
 *
 * Every file of the package that has tensors gets a place, memory as long as it is once unpacked,
 * so that tensors have the addresses that they would have in the file. The place is not touched but
 * for what lies between tensors and for tensors that are kept. A borrower has a window instead: as
 * many frames as it asked for, which the next ones are unpacked over. What two windows in a row
 * have in common is unpacked once.
 *
 *     file    | frame | frame | frame | frame | frame |
 *     window 1        [ frame | frame | frame ]
 *     window 2                        [ frame | frame ]
 *
 * Frames are checked when they are unpacked, so a corrupt one is found by whoever asks for it. */
#ifndef HET_IMPORT_PACKAGE_STORE_H
#define HET_IMPORT_PACKAGE_STORE_H

#include "lib/base/lender.h"
#include "lib/base/os.h"
#include "lib/import/package.h"

typedef struct het__package_store het__package_store;

/* Opens the package that a file is, which the store takes over, on failure as well. threads: where
 * a borrower has none of its own. */
het_status het__package_store_create(het__mem *mem, het__mapping *file, uint32_t threads,
                                     het__package_store **store, het_error *err);
/* May be NULL. No place is used any more, and no loan is left. */
void het__package_store_destroy(het__package_store *store);

const het__package *het__package_store_package(const het__package_store *store);
/* Lends the tensors of files that have a place; it is there as long as the store. */
const het__lender *het__package_store_lender(const het__package_store *store);
/* A file of the package lies at base, aligned to HET__ALIGN, which stays there as long as the store
 * is used. Everything but tensors is unpacked. Before the first loan, once per file. */
het_status het__package_store_place(het__package_store *store, const het__package_file *file,
                                    void *base, het_error *err);

#endif /* HET_IMPORT_PACKAGE_STORE_H */
