/* SPDX-License-Identifier: Apache-2.0 */
/* Files that the library keeps for itself: reading by position, and replacing as a whole.
 *
 * A file is replaced by writing PATH.tmp and renaming it. Whoever writes holds a lock on PATH.tmp,
 * so that writers of one path do not meet; what a process that died left there is written over by
 * the next. Readers never see a part of a file. Neither a full disk nor a limit on sizes raises a
 * signal: both are found before the first byte is written. */
#ifndef HET_BASE_FILE_H
#define HET_BASE_FILE_H

#include "lib/base/mem.h"

/* Open for reading. */
typedef struct het__file {
    int fd; /* negative: none */
    uint64_t bytes;
} het__file;

/* A path where nothing is gives HET_OK and a negative fd. */
het_status het__file_open(const char *path, het__file *file, het_error *err);
/* A file that must be there, in the folder or below it: the path is relative, has no ".." in it and
 * meets no symbolic link behind the folder. HET_E_FORMAT if the path itself is at fault. */
het_status het__file_open_below(const char *folder, const char *path, het__file *file,
                                het_error *err);
/* All of these bytes, or false. Any number of threads at once. */
bool het__file_read(const het__file *file, uint64_t offset, void *target, size_t bytes);
/* The file will be read soon, from front to back. */
void het__file_want(const het__file *file);
void het__file_close(het__file *file);

bool het__is_folder(const char *path);
/* Whether a folder has an entry of this name, be it a link that leads nowhere. */
bool het__is_entry(const char *path);
/* Whether files can be made in a folder. */
het_status het__folder_check(const char *folder, het_error *err);
/* Make a folder, and those above it that are missing, for the user alone. One that is there is left
 * as it is. */
het_status het__folder_make(het__mem *mem, const char *folder, het_error *err);
/* "FOLDER/NAME", to be freed; NULL when out of memory. */
char *het__path_join(het__mem *mem, const char *folder, const char *name);

/* Being written. */
typedef struct het__new_file {
    het__mem *mem;
    char *path, *temporary;
    int fd;
} het__new_file;

/* Reserve bytes for what is to become path. HET_E_BUSY: somebody else is writing it. */
het_status het__new_file_begin(het__new_file *file, het__mem *mem, const char *path,
                               uint64_t bytes, het_error *err);
/* Zero, or the system's code. Any number of threads at once; what nobody writes is zero. */
int het__new_file_write(const het__new_file *file, uint64_t offset, const void *data,
                        size_t bytes);
/* Put it in its place, safe from a loss of power. On failure it is given up. */
het_status het__new_file_commit(het__new_file *file, het_error *err);
void het__new_file_abandon(het__new_file *file);
/* It became shorter than what was reserved. */
het_status het__new_file_trim(const het__new_file *file, uint64_t bytes, het_error *err);

/* A small file written as a whole. */
het_status het__file_replace(het__mem *mem, const char *path, const void *data, size_t bytes,
                             het_error *err);

#endif /* HET_BASE_FILE_H */
