/* SPDX-License-Identifier: Apache-2.0 */
#define _GNU_SOURCE
#include "lib/base/folder.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/base/error.h"
#include "lib/base/file.h"

#define DEPTH_MAX 8
#define REMOVE_HANDLES 16 /* folders that are open at once while one is removed */

static het_status failed(het_error *err, int code, const char *what, const char *path)
{
    return het__fail_native(err, HET_E_IO, code, "cannot %s %s: %s", what, path, strerror(code));
}

/* ---- walking ---- */

typedef struct walker {
    char path[HET__FOLDER_PATH_MAX]; /* of the file or folder that is looked at */
    size_t root;                     /* bytes of it that are the folder and its slash */
    het__folder_fn tell;
    void *user;
    het_error *err;
} walker;

static het_status walk(walker *w, size_t length, int depth);

/* path has length bytes and an entry's name behind them. */
static het_status look_at(walker *w, const char *name, size_t end, int depth)
{
    struct stat st;
    if (stat(w->path, &st) != 0)
        return failed(w->err, errno, "examine", w->path);
    if (S_ISREG(st.st_mode))
        return w->tell(w->user, w->path + w->root, w->err);
    if (!S_ISDIR(st.st_mode))
        return het__fail(w->err, HET_E_IO, "%s is neither a file nor a folder", w->path);
    if (name[0] == '.' || (lstat(w->path, &st) == 0 && S_ISLNK(st.st_mode)))
        return HET_OK;
    if (depth == DEPTH_MAX)
        return het__fail(w->err, HET_E_IO, "%s lies deeper than %d folders", w->path, DEPTH_MAX);
    if (end + 2 > sizeof w->path)
        return het__fail(w->err, HET_E_IO, "the path %s is too long", w->path);
    w->path[end] = '/';
    w->path[end + 1] = '\0';
    return walk(w, end + 1, depth + 1);
}

/* path is a folder with its slash. */
static het_status walk(walker *w, size_t length, int depth)
{
    het_status s = HET_OK;
    DIR *d = opendir(w->path);
    if (!d)
        return failed(w->err, errno, "open the folder", w->path);
    for (const struct dirent *e; s == HET_OK && (e = readdir(d)) != NULL;) {
        const size_t n = strlen(e->d_name);
        if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0)
            continue;
        if (length + n + 1 > sizeof w->path) {
            s = het__fail(w->err, HET_E_IO, "a path in %.120s is too long", w->path);
            break;
        }
        memcpy(w->path + length, e->d_name, n + 1);
        s = look_at(w, e->d_name, length + n, depth);
        w->path[length] = '\0';
    }
    closedir(d);
    return s;
}

het_status het__folder_walk(const char *folder, het__folder_fn tell, void *user, het_error *err)
{
    walker w = { .tell = tell, .user = user, .err = err };
    const int n = snprintf(w.path, sizeof w.path, "%s/", folder);
    if (n < 0 || (size_t)n >= sizeof w.path)
        return het__fail(err, HET_E_IO, "the path %.120s... is too long", folder);
    w.root = (size_t)n;
    return walk(&w, w.root, 0);
}

/* ---- making ---- */

static void forget(het__new_folder *f)
{
    het__free(f->mem, f->path);
    het__free(f->mem, f->temporary);
    *f = (het__new_folder){ 0 };
}

/* Nothing, or a folder without anything. */
static bool is_free(const char *path)
{
    struct stat st;
    if (lstat(path, &st) != 0)
        return errno == ENOENT;
    DIR *d = S_ISDIR(st.st_mode) ? opendir(path) : NULL;
    bool empty = d != NULL;
    for (const struct dirent *e; empty && (e = readdir(d)) != NULL;)
        empty = strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0;
    if (d)
        closedir(d);
    return empty;
}

het_status het__new_folder_begin(het__new_folder *folder, het__mem *mem, const char *path,
                                 het_error *err)
{
    size_t n = strlen(path);
    while (n > 1 && path[n - 1] == '/')
        n--;
    *folder = (het__new_folder){ .mem = mem };
    folder->path = het__strndup(mem, path, n);
    folder->temporary = het__alloc(mem, n + sizeof ".tmp");
    het_status s = folder->path && folder->temporary ? HET_OK
                                                     : het__fail_nomem(err, "the name of a folder");
    if (s == HET_OK) {
        snprintf(folder->temporary, n + sizeof ".tmp", "%s.tmp", folder->path);
        const bool fits = is_free(folder->path);
        const int code = fits && mkdir(folder->temporary, 0777) != 0 ? errno : 0;
        if (!fits)
            s = het__fail(err, HET_E_IO, "%s is there already", folder->path);
        else if (code == EEXIST)
            s = het__fail(err, HET_E_BUSY,
                          "%s is there: somebody is writing it, or was ended while doing so",
                          folder->temporary);
        else if (code)
            s = failed(err, code, "make the folder", folder->temporary);
    }
    if (s != HET_OK)
        forget(folder);
    return s;
}

het_status het__new_folder_file(const het__new_folder *folder, const char *path, char **full,
                                het_error *err)
{
    const size_t root = strlen(folder->temporary) + 1;
    *full = het__path_join(folder->mem, folder->temporary, path);
    if (!*full)
        return het__fail_nomem(err, "a path");
    for (char *at = *full + root; (at = strchr(at, '/')) != NULL; at++) {
        *at = '\0';
        const int code = mkdir(*full, 0777) != 0 && errno != EEXIST ? errno : 0;
        if (code) {
            const het_status s = failed(err, code, "make the folder", *full);
            het__free(folder->mem, *full);
            *full = NULL;
            return s;
        }
        *at = '/';
    }
    return HET_OK;
}

static int remove_entry(const char *path, const struct stat *st, int type, struct FTW *where)
{
    (void)st, (void)type, (void)where;
    remove(path); /* what cannot be removed stays, and its folder with it */
    return 0;
}

het_status het__new_folder_commit(het__new_folder *folder, het_error *err)
{
    if (rename(folder->temporary, folder->path) == 0) {
        forget(folder);
        return HET_OK;
    }
    const het_status s = failed(err, errno, "make the folder", folder->path);
    het__new_folder_abandon(folder);
    return s;
}

void het__new_folder_abandon(het__new_folder *folder)
{
    if (folder->temporary)
        nftw(folder->temporary, remove_entry, REMOVE_HANDLES, FTW_DEPTH | FTW_PHYS);
    forget(folder);
}
