/* SPDX-License-Identifier: Apache-2.0 */
/* Folders as a whole: what lies in one, and making one that appears only when it is complete. */
#ifndef HET_BASE_FOLDER_H
#define HET_BASE_FOLDER_H

#include "lib/base/mem.h"

#define HET__FOLDER_PATH_MAX 4096 /* bytes, with the NUL */

/* Told of a file by its path below the folder, with '/' between names. */
typedef het_status (*het__folder_fn)(void *user, const char *path, het_error *err);

/* Every regular file of a folder and the folders below it, in no order. Links to files count as
 * files; links to folders are not followed, and folders whose names begin with '.' are left out.
 * HET_E_IO where something is neither a file nor a folder. */
het_status het__folder_walk(const char *folder, het__folder_fn tell, void *user, het_error *err);

/* A folder being filled, PATH.tmp until it is complete. */
typedef struct het__new_folder {
    het__mem *mem;
    char *path, *temporary;
} het__new_folder;

/* At path there must be nothing, or an empty folder. HET_E_BUSY: PATH.tmp is there. */
het_status het__new_folder_begin(het__new_folder *folder, het__mem *mem, const char *path,
                                 het_error *err);
/* The path of a file in it, whose own folders are made; to be freed. */
het_status het__new_folder_file(const het__new_folder *folder, const char *path, char **full,
                                het_error *err);
/* Put it in its place; on failure it is given up. */
het_status het__new_folder_commit(het__new_folder *folder, het_error *err);
void het__new_folder_abandon(het__new_folder *folder);

#endif /* HET_BASE_FOLDER_H */
