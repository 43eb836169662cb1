/* SPDX-License-Identifier: Apache-2.0 */
#define _GNU_SOURCE
#include "lib/base/file.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/base/error.h"

/* Another writer can put its file in place between our opening and our locking, but hardly again
 * and again. */
#define TRIES 8

static het_status failed(het_error *err, int code, const char *what, const char *path)
{
    return het__fail_native(err, HET_E_IO, code, "cannot %s %s: %s", what, path, strerror(code));
}

/* ---- reading ---- */

het_status het__file_open(const char *path, het__file *file, het_error *err)
{
    struct stat st;
    file->bytes = 0;
    /* O_NONBLOCK: opening a FIFO must not hang. */
    file->fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (file->fd < 0)
        return errno == ENOENT ? HET_OK : failed(err, errno, "open", path);
    if (fstat(file->fd, &st) == 0 && S_ISREG(st.st_mode)) {
        file->bytes = (uint64_t)st.st_size;
        return HET_OK;
    }
    het__file_close(file);
    return het__fail(err, HET_E_IO, "%s is not a regular file", path);
}

/* The next name of a path: its bytes, 0 at the end. "." and doubled slashes are passed over. */
static size_t next_name(const char **path)
{
    for (;;) {
        *path += strspn(*path, "/");
        const size_t n = strcspn(*path, "/");
        if (n != 1 || **path != '.')
            return n;
        *path += n;
    }
}

static bool is_below(const char *path)
{
    const char *at = path;
    size_t count = 0;
    for (size_t n; (n = next_name(&at)) > 0; at += n, count++)
        if (n > NAME_MAX || (n == 2 && memcmp(at, "..", 2) == 0))
            return false;
    return path[0] != '/' && count > 0;
}

/* Name by name, so that no link leads elsewhere. Negative: errno says why. */
static int open_below(int folder, const char *path)
{
    char name[NAME_MAX + 1];
    int fd = folder;
    for (size_t n = next_name(&path); n > 0 && fd >= 0;) {
        memcpy(name, path, n);
        name[n] = '\0';
        path += n;
        n = next_name(&path);
        /* O_NONBLOCK: opening a FIFO must not hang. */
        const int how = n > 0 ? O_PATH | O_DIRECTORY : O_RDONLY | O_NONBLOCK;
        const int next = openat(fd, name, how | O_NOFOLLOW | O_CLOEXEC);
        const int code = errno;
        close(fd);
        errno = code;
        fd = next;
    }
    return fd;
}

het_status het__file_open_below(const char *folder, const char *path, het__file *file,
                                het_error *err)
{
    struct stat st;
    *file = (het__file){ .fd = -1 };
    if (!is_below(path))
        return het__fail(err, HET_E_FORMAT, "%s is no path of a file below a folder", path);
    const int start = open(folder, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (start < 0)
        return failed(err, errno, "open the folder", folder);
    file->fd = open_below(start, path);
    if (file->fd < 0)
        return failed(err, errno, "open", path);
    if (fstat(file->fd, &st) == 0 && S_ISREG(st.st_mode)) {
        file->bytes = (uint64_t)st.st_size;
        return HET_OK;
    }
    het__file_close(file);
    return het__fail(err, HET_E_IO, "%s is not a regular file", path);
}

bool het__file_read(const het__file *file, uint64_t offset, void *target, size_t bytes)
{
    char *at = target;
    while (bytes > 0) {
        const ssize_t n = pread(file->fd, at, bytes, (off_t)offset);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return false;
        at += n;
        offset += (uint64_t)n;
        bytes -= (size_t)n;
    }
    return true;
}

void het__file_want(const het__file *file)
{
    posix_fadvise(file->fd, 0, 0, POSIX_FADV_SEQUENTIAL);
    posix_fadvise(file->fd, 0, 0, POSIX_FADV_WILLNEED);
}

void het__file_close(het__file *file)
{
    if (file->fd >= 0)
        close(file->fd);
    file->fd = -1;
}

bool het__is_folder(const char *path)
{
    struct stat st;
    return stat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

bool het__is_entry(const char *path)
{
    struct stat st;
    return lstat(path, &st) == 0;
}

het_status het__folder_check(const char *folder, het_error *err)
{
    struct stat st;
    if (stat(folder, &st) != 0)
        return failed(err, errno, "find the folder", folder);
    if (!S_ISDIR(st.st_mode))
        return het__fail(err, HET_E_IO, "%s is not a folder", folder);
    if (faccessat(AT_FDCWD, folder, W_OK | X_OK, AT_EACCESS) != 0)
        return failed(err, errno, "write into", folder);
    return HET_OK;
}

het_status het__folder_make(het__mem *mem, const char *folder, het_error *err)
{
    char *path = het__strndup(mem, folder, strlen(folder));
    int code = 0;
    if (!path)
        return het__fail_nomem(err, "a path");
    for (char *at = path + 1; !code && *path && at[-1]; at++) {
        const char was = *at;
        if (was != '/' && was != '\0')
            continue;
        *at = '\0';
        if (mkdir(path, S_IRWXU) != 0 && errno != EEXIST)
            code = errno;
        *at = was;
    }
    het__free(mem, path);
    return code ? failed(err, code, "make the folder", folder) : het__folder_check(folder, err);
}

char *het__path_join(het__mem *mem, const char *folder, const char *name)
{
    const size_t bytes = strlen(folder) + strlen(name) + 2;
    char *path = het__alloc(mem, bytes);
    if (path)
        snprintf(path, bytes, "%s/%s", folder, name);
    return path;
}

/* ---- replacing ---- */

static void forget(het__new_file *file)
{
    if (file->fd >= 0)
        close(file->fd);
    het__free(file->mem, file->path);
    het__free(file->mem, file->temporary);
    *file = (het__new_file){ .fd = -1 };
}

static bool same_file(int fd, const char *path)
{
    struct stat here, there;
    return fstat(fd, &here) == 0 && lstat(path, &there) == 0 && here.st_dev == there.st_dev &&
           here.st_ino == there.st_ino;
}

/* A file of ours alone: no link of any kind to somebody's else. */
static bool is_plain(int fd)
{
    struct stat st;
    return fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_nlink == 1;
}

static het_status lock_temporary(het__new_file *file, het_error *err)
{
    for (int i = 0; i < TRIES; i++) {
        const int fd =
            open(file->temporary, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0666);
        if (fd < 0)
            return failed(err, errno, "make", file->temporary);
        if (flock(fd, LOCK_EX | LOCK_NB) != 0) {
            const int code = errno;
            close(fd);
            if (code == EWOULDBLOCK)
                return het__fail(err, HET_E_BUSY, "%s is being written", file->path);
            unlink(file->temporary); /* a file system without locks */
            return failed(err, code, "lock", file->temporary);
        }
        if (same_file(fd, file->temporary)) {
            file->fd = fd;
            return HET_OK;
        }
        close(fd); /* the writer before has put it in place, or given it up */
    }
    return het__fail(err, HET_E_BUSY, "%s is being written", file->path);
}

/* Beyond the limit the system would raise SIGXFSZ, whose default is to end the process. */
static het_status reserve(const het__new_file *file, uint64_t bytes, het_error *err)
{
    struct rlimit limit;
    if (!is_plain(file->fd))
        return het__fail(err, HET_E_IO, "%s is not a plain file", file->temporary);
    if (ftruncate(file->fd, 0) != 0)
        return failed(err, errno, "empty", file->temporary);
    if (bytes > INT64_MAX || (getrlimit(RLIMIT_FSIZE, &limit) == 0 &&
                              limit.rlim_cur != RLIM_INFINITY && bytes > limit.rlim_cur))
        return failed(err, EFBIG, "make room for", file->temporary);
    const int code = bytes ? posix_fallocate(file->fd, 0, (off_t)bytes) : 0;
    return code ? failed(err, code, "make room for", file->temporary) : HET_OK;
}

het_status het__new_file_begin(het__new_file *file, het__mem *mem, const char *path,
                               uint64_t bytes, het_error *err)
{
    const size_t length = strlen(path) + sizeof ".tmp";
    *file = (het__new_file){ .mem = mem, .fd = -1 };
    file->path = het__strndup(mem, path, strlen(path));
    file->temporary = het__alloc(mem, length);
    if (!file->path || !file->temporary) {
        forget(file);
        return het__fail_nomem(err, "the name of a file");
    }
    snprintf(file->temporary, length, "%s.tmp", path);
    het_status s = lock_temporary(file, err);
    if (s == HET_OK) {
        s = reserve(file, bytes, err);
        if (s != HET_OK)
            het__new_file_abandon(file);
        return s;
    }
    forget(file);
    return s;
}

int het__new_file_write(const het__new_file *file, uint64_t offset, const void *data,
                        size_t bytes)
{
    const char *at = data;
    while (bytes > 0) {
        const ssize_t n = pwrite(file->fd, at, bytes, (off_t)offset);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return n < 0 ? errno : EIO;
        at += n;
        offset += (uint64_t)n;
        bytes -= (size_t)n;
    }
    return 0;
}

het_status het__new_file_trim(const het__new_file *file, uint64_t bytes, het_error *err)
{
    return ftruncate(file->fd, (off_t)bytes) == 0 ? HET_OK
                                                  : failed(err, errno, "trim", file->temporary);
}

het_status het__new_file_commit(het__new_file *file, het_error *err)
{
    het_status s = HET_OK;
    assert(file->fd >= 0);
    if (fdatasync(file->fd) != 0)
        s = failed(err, errno, "write", file->temporary);
    else if (rename(file->temporary, file->path) != 0)
        s = failed(err, errno, "replace", file->path);
    if (s == HET_OK)
        forget(file);
    else
        het__new_file_abandon(file);
    return s;
}

void het__new_file_abandon(het__new_file *file)
{
    if (file->fd >= 0)
        unlink(file->temporary); /* before the lock goes */
    forget(file);
}

het_status het__file_replace(het__mem *mem, const char *path, const void *data, size_t bytes,
                             het_error *err)
{
    het__new_file file;
    const het_status s = het__new_file_begin(&file, mem, path, bytes, err);
    if (s != HET_OK)
        return s;
    const int code = het__new_file_write(&file, 0, data, bytes);
    if (code) {
        het__new_file_abandon(&file);
        return failed(err, code, "write", path);
    }
    return het__new_file_commit(&file, err);
}
