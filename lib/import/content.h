/* SPDX-License-Identifier: Apache-2.0 */
/* The identity of a model's weights: a hash of every weight's description and bytes.
 *
 * Reading all of a file to know it again would cost what a cache saves. So a folder keeps memos,
 * one small file per model file, that say which identity a file in a certain state (its place on
 * the disk, size, times) has. A memo is kept only for a file that had been left alone for a while
 * when it was seen: another change in the same tick of the clock would not show. */
#ifndef HET_IMPORT_CONTENT_H
#define HET_IMPORT_CONTENT_H

#include "lib/base/hash.h"
#include "lib/base/lender.h"
#include "lib/base/log.h"
#include "lib/base/os.h"
#include "lib/import/gguf.h"

#include <hetinfer/model.h>

typedef struct het__content_request {
    const het__gguf *gguf;
    const het__file_state *file; /* NULL: memory of the caller, hashed every time */
    bool keeps_pages;            /* not all data is the file's */
    const het__lender *lender;   /* of the data; NULL: it is there */
    const char *folder;          /* of memos; without effect where file is NULL */
    het__mem *mem;
    het__log *log;
    het_progress_fn progress;    /* may be NULL; told 0.0 */
    void *progress_user;
} het__content_request;

/* Memos that cannot be read or kept cost time and a line in the log at debug level. Fails only if
 * the progress callback cancels, or if what the lender has is corrupt. */
het_status het__content_id(const het__content_request *request, het__hash128 *id, het_error *err);

/* The parts of it, for tests. */
bool het__content_recall(const het__content_request *request, het__hash128 *id);
void het__content_remember(const het__content_request *request, const het__hash128 *id);

#endif /* HET_IMPORT_CONTENT_H */
