/* SPDX-License-Identifier: Apache-2.0 */
#define _GNU_SOURCE
#include "lib/base/os.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "lib/base/deadline.h"
#include "lib/base/error.h"
#include "lib/base/mem.h"

void het__mutex_init(het__mutex *mutex)
{
    pthread_mutex_init(mutex, NULL);
}

void het__mutex_finish(het__mutex *mutex)
{
    pthread_mutex_destroy(mutex);
}

void het__mutex_lock(het__mutex *mutex)
{
    pthread_mutex_lock(mutex);
}

void het__mutex_unlock(het__mutex *mutex)
{
    pthread_mutex_unlock(mutex);
}

/* By the clock of het__now_ns(), so that setting the date moves no deadline. */
void het__cond_init(het__cond *cond)
{
    pthread_condattr_t attr;
    if (pthread_condattr_init(&attr) != 0) {
        pthread_cond_init(cond, NULL);
        return;
    }
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(cond, &attr);
    pthread_condattr_destroy(&attr);
}

void het__cond_finish(het__cond *cond)
{
    pthread_cond_destroy(cond);
}

void het__cond_wait(het__cond *cond, het__mutex *mutex)
{
    pthread_cond_wait(cond, mutex);
}

bool het__cond_wait_until(het__cond *cond, het__mutex *mutex, uint64_t deadline_ns)
{
    const struct timespec end = { (time_t)(deadline_ns / 1000000000u),
                                  (long)(deadline_ns % 1000000000u) };
    return pthread_cond_timedwait(cond, mutex, &end) != ETIMEDOUT;
}

void het__cond_broadcast(het__cond *cond)
{
    pthread_cond_broadcast(cond);
}

bool het__thread_start(het__thread *thread, void *(*run)(void *), void *argument)
{
    sigset_t all, old;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &old);
    const int rc = pthread_create(thread, NULL, run, argument);
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    return rc == 0;
}

void het__thread_join(het__thread thread)
{
    pthread_join(thread, NULL);
}

uint32_t het__cpu_count(void)
{
    cpu_set_t set;
    if (sched_getaffinity(0, sizeof set, &set) == 0 && CPU_COUNT(&set) > 0)
        return (uint32_t)CPU_COUNT(&set);
    const long n = sysconf(_SC_NPROCESSORS_ONLN);
    return n > 0 ? (uint32_t)n : 1;
}

uint64_t het__memory_bytes(void)
{
    const long pages = sysconf(_SC_PHYS_PAGES), size = sysconf(_SC_PAGESIZE);
    return pages > 0 && size > 0 ? (uint64_t)pages * (uint64_t)size : 0;
}

uint64_t het__now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

void het__sleep_ns(uint64_t ns)
{
    const struct timespec t = { (time_t)(ns / 1000000000u), (long)(ns % 1000000000u) };
    nanosleep(&t, NULL);
}

bool het__path_exists(const char *path)
{
    struct stat st;
    return stat(path, &st) == 0;
}

static int64_t ns_of(struct timespec t)
{
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static void fill_state(const struct stat *st, het__file_state *state)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    *state = (het__file_state){ (uint64_t)st->st_dev,  (uint64_t)st->st_ino,
                                (uint64_t)st->st_size, ns_of(st->st_mtim),
                                ns_of(st->st_ctim),    ns_of(now) };
}

het_status het__map_open(int fd, const char *path, het__mapping *mapping, het_error *err)
{
    struct stat st;
    if (fstat(fd, &st) != 0)
        return het__fail_native(err, HET_E_IO, errno, "cannot examine %s: %s", path,
                                strerror(errno));
    if (!S_ISREG(st.st_mode))
        return het__fail(err, HET_E_IO, "%s is not a regular file", path);
    if (st.st_size == 0)
        return het__fail(err, HET_E_FORMAT, "%s is empty", path);
    void *p = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_SHARED, fd, 0);
    if (p == MAP_FAILED)
        return het__fail_native(err, HET_E_IO, errno, "cannot map %s: %s", path, strerror(errno));
    mapping->data = p;
    mapping->bytes = (size_t)st.st_size;
    mapping->mem = NULL;
    fill_state(&st, &mapping->state);
    return HET_OK;
}

het_status het__map_file(const char *path, het__mapping *mapping, het_error *err)
{
    /* O_NONBLOCK: opening a FIFO must not hang. */
    const int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0)
        return het__fail_native(err, HET_E_IO, errno, "cannot open %s: %s", path,
                                strerror(errno));
    const het_status s = het__map_open(fd, path, mapping, err);
    close(fd);
    return s;
}

void het__unmap_file(het__mapping *mapping)
{
    if (mapping->data && mapping->mem)
        het__free(mapping->mem, (void *)(uintptr_t)mapping->data);
    else if (mapping->data)
        munmap((void *)(uintptr_t)mapping->data, mapping->bytes);
    mapping->data = NULL;
    mapping->bytes = 0;
}

static bool whole_pages(const void *data, size_t bytes, void **first, size_t *length)
{
    const uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);
    const uintptr_t begin = ((uintptr_t)data + page - 1) / page * page;
    const uintptr_t end = ((uintptr_t)data + bytes) / page * page;
    if (end <= begin)
        return false;
    *first = (void *)begin;
    *length = end - begin;
    return true;
}

void het__drop_pages(const void *data, size_t bytes)
{
    void *first;
    size_t length;
    if (whole_pages(data, bytes, &first, &length))
        madvise(first, length, MADV_DONTNEED);
}

void het__want_pages(const void *data, size_t bytes)
{
    void *first;
    size_t length;
    if (whole_pages(data, bytes, &first, &length))
        madvise(first, length, MADV_WILLNEED);
}

void het__want_huge_pages(void *data, size_t bytes)
{
#ifdef MADV_HUGEPAGE
    const uintptr_t begin = het__round_up((uintptr_t)data, HET__HUGE_PAGE);
    const uintptr_t end = ((uintptr_t)data + bytes) / HET__HUGE_PAGE * HET__HUGE_PAGE;
    if (begin < end)
        madvise((void *)begin, end - begin, MADV_HUGEPAGE);
#else
    (void)data;
    (void)bytes;
#endif
}

void *het__find_symbol(const char *name)
{
    return dlsym(RTLD_DEFAULT, name);
}

bool het__own_folder(char *folder, size_t bytes)
{
    Dl_info info;
    if (!dladdr((const void *)(uintptr_t)het__own_folder, &info) || !info.dli_fname)
        return false;
    const char *end = strrchr(info.dli_fname, '/');
    const size_t length = end ? (size_t)(end - info.dli_fname) : 0;
    if (length == 0 || length >= bytes)
        return false;
    memcpy(folder, info.dli_fname, length);
    folder[length] = 0;
    return true;
}

void *het__load_symbol(const char *path, const char *name, char *message, size_t bytes)
{
    /* Never unloaded: drivers behind it have threads and handlers of their own. */
    void *library = dlopen(path, RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
    void *symbol = library ? dlsym(library, name) : NULL;
    const char *reason = symbol ? NULL : dlerror();
    if (!symbol)
        snprintf(message, bytes, "%s", reason ? reason : "it exports nothing");
    if (library)
        dlclose(library);
    return symbol;
}

bool het__load_global(const char *path, char *message, size_t bytes)
{
    const void *library = dlopen(path, RTLD_NOW | RTLD_GLOBAL | RTLD_NODELETE);
    if (!library)
        snprintf(message, bytes, "%s", dlerror());
    return library != NULL;
}

const char *het__env(const char *name)
{
    return secure_getenv(name);
}
