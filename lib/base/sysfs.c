/* SPDX-License-Identifier: Apache-2.0 */
/* Files of the kernel have no size that could be relied on, so they are read until they end or the
 * caller's buffer is full. Who may use a recorded file is reckoned from what was recorded, because
 * the tests that do so may run as anybody. */
#define _GNU_SOURCE
#include "lib/base/sysfs.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define STATUS_BYTES 8192
#define GROUPS_BYTES 16384

static bool make_path(char path[HET__SYS_PATH], const char *root, const char *format, va_list list)
{
    const int n = snprintf(path, HET__SYS_PATH, "%s/", root);
    if (n < 0 || n >= HET__SYS_PATH)
        return false;
    const size_t room = HET__SYS_PATH - (size_t)n;
    const int m = vsnprintf(path + n, room, format, list);
    return m >= 0 && (size_t)m < room;
}

/* ---- contents ---- */

static size_t read_path(const char *path, char *text, size_t bytes)
{
    struct stat st;
    size_t length = 0;
    text[0] = '\0';
    /* O_NONBLOCK: opening a FIFO must not hang. */
    const int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0)
        return 0;
    if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode)) {
        while (length + 1 < bytes) {
            const ssize_t n = read(fd, text + length, bytes - 1 - length);
            if (n < 0 && errno == EINTR)
                continue;
            if (n <= 0)
                break;
            length += (size_t)n;
        }
    }
    close(fd);
    text[length] = '\0';
    return length;
}

static bool line_of(const char *path, char *line, size_t bytes)
{
    char text[HET__SYS_PATH];
    if (read_path(path, text, sizeof text) == 0)
        return false;
    size_t n = strcspn(text, "\n");
    while (n > 0 && (text[n - 1] == ' ' || text[n - 1] == '\t' || text[n - 1] == '\r'))
        n--;
    if (n == 0 || n >= bytes)
        return false;
    memcpy(line, text, n);
    line[n] = '\0';
    return true;
}

size_t het__sys_read(const char *root, char *text, size_t bytes, const char *format, ...)
{
    char path[HET__SYS_PATH];
    va_list list;
    va_start(list, format);
    const bool fits = make_path(path, root, format, list);
    va_end(list);
    if (!fits)
        text[0] = '\0';
    return fits ? read_path(path, text, bytes) : 0;
}

bool het__sys_line(const char *root, char *line, size_t bytes, const char *format, ...)
{
    char path[HET__SYS_PATH];
    va_list list;
    va_start(list, format);
    const bool fits = make_path(path, root, format, list);
    va_end(list);
    return fits && line_of(path, line, bytes);
}

bool het__sys_number(const char *root, int64_t *value, const char *format, ...)
{
    char path[HET__SYS_PATH], line[32];
    va_list list;
    va_start(list, format);
    const bool fits = make_path(path, root, format, list);
    va_end(list);
    if (!fits || !line_of(path, line, sizeof line))
        return false;
    char *end;
    errno = 0;
    const bool hex = strncmp(line, "0x", 2) == 0;
    const long long number = strtoll(line, &end, hex ? 16 : 10);
    if (errno || end == line || *end)
        return false;
    *value = number;
    return true;
}

bool het__sys_link(const char *root, char *name, size_t bytes, const char *format, ...)
{
    char path[HET__SYS_PATH], target[HET__SYS_PATH];
    va_list list;
    va_start(list, format);
    const bool fits = make_path(path, root, format, list);
    va_end(list);
    const ssize_t n = fits ? readlink(path, target, sizeof target - 1) : -1;
    if (n <= 0)
        return false;
    target[n] = '\0';
    const char *slash = strrchr(target, '/');
    const char *last = slash ? slash + 1 : target;
    const size_t length = strlen(last);
    if (length == 0 || length >= bytes)
        return false;
    memcpy(name, last, length + 1);
    return true;
}

/* ---- folders ---- */

static int compare_names(const void *left, const void *right)
{
    return strcmp(left, right);
}

uint32_t het__sys_list(const char *root, const char *prefix, char (*names)[HET__SYS_NAME],
                       uint32_t max, const char *format, ...)
{
    char path[HET__SYS_PATH];
    uint32_t count = 0;
    va_list list;
    va_start(list, format);
    const bool fits = make_path(path, root, format, list);
    va_end(list);
    DIR *folder = fits ? opendir(path) : NULL;
    for (const struct dirent *e; folder && count < max && (e = readdir(folder)) != NULL;) {
        const size_t n = strlen(e->d_name);
        if (e->d_name[0] != '.' && n < HET__SYS_NAME &&
            strncmp(e->d_name, prefix, strlen(prefix)) == 0)
            memcpy(names[count++], e->d_name, n + 1);
    }
    if (folder)
        closedir(folder);
    qsort(names, count, sizeof *names, compare_names);
    return count;
}

/* ---- who may ---- */

/* The second number after a word at the beginning of a line: the effective one of "Uid:" and
 * "Gid:". */
static bool effective_id(const char *status, const char *word, unsigned long *id)
{
    const char *at = strstr(status, word);
    char *end;
    if (!at || (at != status && at[-1] != '\n'))
        return false;
    at += strlen(word);
    strtoul(at, &end, 10);
    if (end == at)
        return false;
    at = end;
    *id = strtoul(at, &end, 10);
    return end != at;
}

static bool in_groups(const char *status, unsigned long gid)
{
    const char *at = strstr(status, "\nGroups:");
    unsigned long own;
    if (effective_id(status, "Gid:", &own) && own == gid)
        return true;
    for (at = at ? at + 8 : ""; *at && *at != '\n';) {
        char *end;
        const unsigned long id = strtoul(at, &end, 10);
        if (end == at)
            return false;
        if (id == gid)
            return true;
        for (at = end; *at == ' ' || *at == '\t'; at++)
            ;
    }
    return false;
}

static bool recorded_may(const char *root, const struct stat *st, bool write)
{
    char path[HET__SYS_PATH], status[STATUS_BYTES];
    unsigned long uid;
    const int n = snprintf(path, sizeof path, "%s/proc/self/status", root);
    if (n < 0 || (size_t)n >= sizeof path || read_path(path, status, sizeof status) == 0 ||
        !effective_id(status, "Uid:", &uid))
        return true; /* nobody was recorded who could be refused */
    if (uid == 0)
        return true;
    const unsigned shift = st->st_uid == uid ? 6 : in_groups(status, st->st_gid) ? 3 : 0;
    const unsigned want = write ? 6 : 4;
    return ((unsigned)st->st_mode >> shift & want) == want;
}

het__sys_may het__sys_access(const char *root, bool write, const char *format, ...)
{
    char path[HET__SYS_PATH];
    struct stat st;
    va_list list;
    va_start(list, format);
    const bool fits = make_path(path, root, format, list);
    va_end(list);
    if (!fits || stat(path, &st) != 0)
        return HET__SYS_ABSENT;
    const bool may = root[0] ? recorded_may(root, &st, write)
                             : faccessat(AT_FDCWD, path, write ? R_OK | W_OK : R_OK,
                                         AT_EACCESS) == 0;
    return may ? HET__SYS_ALLOWED : HET__SYS_DENIED;
}

/* "render:x:992:somebody" */
static bool group_name(const char *root, unsigned long gid, char *name, size_t bytes)
{
    char path[HET__SYS_PATH], text[GROUPS_BYTES];
    const int n = snprintf(path, sizeof path, "%s/etc/group", root);
    if (n < 0 || (size_t)n >= sizeof path || read_path(path, text, sizeof text) == 0)
        return false;
    for (const char *line = text; *line;) {
        const size_t length = strcspn(line, "\n"), end = strcspn(line, ":\n");
        const char *number = line + end;
        for (int colons = 0; colons < 2 && *number == ':'; colons++)
            number += 1 + (colons == 0 ? strcspn(number + 1, ":\n") : 0);
        if (end > 0 && end < bytes && number > line + end && *number >= '0' && *number <= '9' &&
            strtoul(number, NULL, 10) == gid) {
            memcpy(name, line, end);
            name[end] = '\0';
            return true;
        }
        line += length + (line[length] == '\n');
    }
    return false;
}

bool het__sys_group(const char *root, char *name, size_t bytes, const char *format, ...)
{
    char path[HET__SYS_PATH];
    struct stat st;
    va_list list;
    va_start(list, format);
    const bool fits = make_path(path, root, format, list);
    va_end(list);
    if (!fits || stat(path, &st) != 0)
        return false;
    if (!group_name(root, st.st_gid, name, bytes))
        snprintf(name, bytes, "%lu", (unsigned long)st.st_gid);
    return true;
}

uint32_t het__sys_ticks(void)
{
    const long ticks = sysconf(_SC_CLK_TCK);
    return ticks > 0 && ticks <= 1000000 ? (uint32_t)ticks : 100;
}
