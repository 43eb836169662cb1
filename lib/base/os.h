/* SPDX-License-Identifier: Apache-2.0 */
/* What the operating system gives: threads, clock, file mapping, environment. The only room that
 * includes POSIX headers. */
#ifndef HET_BASE_OS_H
#define HET_BASE_OS_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <hetinfer/base.h>

typedef pthread_mutex_t het__mutex;
typedef pthread_cond_t het__cond;
typedef pthread_t het__thread;

void het__mutex_init(het__mutex *mutex);
void het__mutex_finish(het__mutex *mutex);
void het__mutex_lock(het__mutex *mutex);
void het__mutex_unlock(het__mutex *mutex);
void het__cond_init(het__cond *cond);
void het__cond_finish(het__cond *cond);
void het__cond_wait(het__cond *cond, het__mutex *mutex);
void het__cond_broadcast(het__cond *cond);

/* All signals are blocked in the new thread, so that the application's handlers run elsewhere. */
bool het__thread_start(het__thread *thread, void *(*run)(void *), void *argument);
void het__thread_join(het__thread thread);

/* Processors that this process may run on, at least 1. */
uint32_t het__cpu_count(void);
/* Physical memory, 0 if unknown. */
uint64_t het__memory_bytes(void);
/* Monotonic nanoseconds. */
uint64_t het__now_ns(void);
/* About that long, or less when a signal comes. */
void het__sleep_ns(uint64_t ns);
/* Whether anything is there, whoever may use it. */
bool het__path_exists(const char *path);

/* Which file this is, in which state: two that are equal hold the same bytes, unless they were
 * asked for so soon after a change that the clock of the file system may not have moved. */
typedef struct het__file_state {
    uint64_t device, inode, bytes;
    int64_t modified_ns, changed_ns; /* of the contents; of them or of the file's record */
    int64_t seen_ns;                 /* when it was asked for, by the same clock */
} het__file_state;

/* A read-only mapping of a whole file, or memory that stands for one. */
typedef struct het__mapping {
    const void *data;
    size_t bytes;
    het__file_state state;
    struct het__mem *mem; /* NULL: pages of the file; else where data was allocated */
} het__mapping;

het_status het__map_file(const char *path, het__mapping *mapping, het_error *err);
/* An open file, which may be closed then; path is for messages. */
het_status het__map_open(int fd, const char *path, het__mapping *mapping, het_error *err);
void het__unmap_file(het__mapping *mapping);
/* The pages wholly inside may leave memory; they are read again when touched. */
void het__drop_pages(const void *data, size_t bytes);
/* The pages will be read soon. */
void het__want_pages(const void *data, size_t bytes);

/* Size of a huge page where there are any; a wrong guess costs nothing but alignment. */
#define HET__HUGE_PAGE ((size_t)2 << 20)
/* The huge pages wholly inside, which nothing touched yet, are to come as such if the system gives
 * them on request. */
void het__want_huge_pages(void *data, size_t bytes);

/* Address of a symbol that some loaded library exports, or NULL. */
void *het__find_symbol(const char *name);

/* Folder of the file that this code was loaded from: the shared library, or the program that it was
 * linked into. False if it is not known or does not fit. */
bool het__own_folder(char *folder, size_t bytes);
/* Loads a library, which stays until the process ends, and finds what it exports under a name. NULL
 * if it cannot: message (bytes long) says why. */
void *het__load_symbol(const char *path, const char *name, char *message, size_t bytes);

/* Loads a library, which stays until the process ends, so that libraries loaded later find what it
 * exports. False if it cannot: message says why. */
bool het__load_global(const char *path, char *message, size_t bytes);

/* Environment variable, NULL if unset or if the process runs with raised rights. */
const char *het__env(const char *name);

#endif /* HET_BASE_OS_H */
