/* SPDX-License-Identifier: Apache-2.0 */
/* The kernel's files: /sys, /proc and /dev of this machine (root ""), or of another one as they
 * were recorded below a folder. Paths are given as printf() makes them, without a slash in front.
 * What is absent, cannot be read, or is not what was asked for is false and leaves the result
 * alone. */
#ifndef HET_BASE_SYSFS_H
#define HET_BASE_SYSFS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define HET__SYS_PATH 512
#define HET__SYS_NAME 64

/* As much of a file as fits, NUL-terminated; the number of bytes before that, 0 if there are none.
 * Regular files only, which the kernel's are: nothing here blocks. */
size_t het__sys_read(const char *root, char *text, size_t bytes, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
/* First line without its line feed and blanks at its end. */
bool het__sys_line(const char *root, char *line, size_t bytes, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
/* First line: a whole number, decimal or with 0x in front, and nothing else. */
bool het__sys_number(const char *root, int64_t *value, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* The last name of what a symbolic link leads to. */
bool het__sys_link(const char *root, char *name, size_t bytes, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

/* Names in a folder that begin with prefix, in alphabetical order; longer ones and those beyond max
 * are left out. The number of names. */
uint32_t het__sys_list(const char *root, const char *prefix, char (*names)[HET__SYS_NAME],
                       uint32_t max, const char *format, ...)
    __attribute__((format(printf, 5, 6)));

typedef enum het__sys_may {
    HET__SYS_ABSENT = 0,
    HET__SYS_DENIED,
    HET__SYS_ALLOWED
} het__sys_may;

/* Whether this process may read a file (write: and write it). Below a root: whether the process
 * that root/proc/self/status tells of may, by the file's owner, group and mode. */
het__sys_may het__sys_access(const char *root, bool write, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* Name of the group that a file belongs to by root/etc/group, or its number. */
bool het__sys_group(const char *root, char *name, size_t bytes, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

/* Units in which /proc/stat counts time, per second. */
uint32_t het__sys_ticks(void);

#endif /* HET_BASE_SYSFS_H */
