/* SPDX-License-Identifier: Apache-2.0 */
/* The calibrations of a context: read from the user's cache directory when first asked for, and
 * kept until the context goes, because machines borrow them. */
#ifndef HET_EXEC_CALIBRATIONS_H
#define HET_EXEC_CALIBRATIONS_H

#include "lib/base/log.h"
#include "lib/machine/calibration.h"

typedef struct het__calibrations {
    het__mem *mem;   /* immutable after init, like the next two */
    het__log *log;
    char *folder;    /* NULL: nothing is read or written */
    het__mutex lock; /* of what follows */
    struct het__calibrations_entry *first; /* newest first */
} het__calibrations;

/* use_env: there is a folder, as het__calibration_folder() finds it. */
void het__calibrations_init(het__calibrations *store, bool use_env, het__mem *mem, het__log *log);
void het__calibrations_finish(het__calibrations *store);

/* What is known of a device with so many threads, fitted; NULL: nothing. A file that is broken or
 * belongs to something else is named in the log and left alone. store may be NULL. Any thread. */
const het__calibration *het__calibrations_find(het__calibrations *store,
                                               const het_device_info *info, uint32_t threads);

/* Take a fitted calibration over, which is empty then: plans made from now on use it. path: where
 * to write it as well; NULL: into the folder, if there is one; "": nowhere. */
het_status het__calibrations_keep(het__calibrations *store, const het_device_info *info,
                                  het__calibration *c, const char *path, het_error *err);

#endif /* HET_EXEC_CALIBRATIONS_H */
