/* SPDX-License-Identifier: Apache-2.0 */
/* A folder for one test's files, and what lies in it. */
#ifndef HETINFER_TEST_FOLDER_H
#define HETINFER_TEST_FOLDER_H

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

typedef struct test_folder {
    char path[256];
} test_folder;

static inline void test_folder_make(test_folder *f)
{
    const char *root = getenv("TMPDIR");
    snprintf(f->path, sizeof f->path, "%s/hetinfer-test-XXXXXX", root ? root : "/tmp");
    if (!mkdtemp(f->path))
        abort();
}

/* Path of a name in it; good until the fourth next call. */
static inline const char *test_folder_file(const test_folder *f, const char *name)
{
    static char paths[4][512];
    static unsigned turn;
    char *p = paths[turn++ % 4];
    snprintf(p, sizeof paths[0], "%s/%s", f->path, name);
    return p;
}

/* Number of files whose names end so ("": all); name (may be NULL, 256 bytes) receives one. */
static inline int test_folder_count(const test_folder *f, const char *end, char *name)
{
    int count = 0;
    DIR *d = opendir(f->path);
    for (const struct dirent *e; d && (e = readdir(d)) != NULL;) {
        const size_t n = strlen(e->d_name), m = strlen(end);
        if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0 || n < m ||
            strcmp(e->d_name + n - m, end) != 0)
            continue;
        count++;
        if (name)
            memcpy(name, e->d_name, n + 1);
    }
    if (d)
        closedir(d);
    return count;
}

static inline void test_folder_empty(const test_folder *f)
{
    char name[256];
    while (test_folder_count(f, "", name) > 0)
        if (remove(test_folder_file(f, name)) != 0)
            abort();
}

static inline void test_folder_remove(const test_folder *f)
{
    test_folder_empty(f);
    rmdir(f->path);
}

static inline void test_file_write(const char *path, const void *data, size_t bytes)
{
    FILE *f = fopen(path, "wb");
    if (!f || fwrite(data, 1, bytes, f) != bytes || fclose(f) != 0)
        abort();
}

#endif /* HETINFER_TEST_FOLDER_H */
