/* SPDX-License-Identifier: Apache-2.0 */
/* Runs a fuzz target over files and folders (not deeper), with any compiler: corpora as ordinary
 * tests. Each input lies in a heap block of exactly its size, so that a sanitizer sees a byte read
 * too far. Exit status 1 if something cannot be read or nothing was run. */
#include <dirent.h>

#include "fuzz.h"

static int runs;

static int run_file(const char *path)
{
    FILE *f = fopen(path, "rb");
    if (!f || fseek(f, 0, SEEK_END) != 0) {
        fprintf(stderr, "cannot read %s\n", path);
        if (f)
            fclose(f);
        return 1;
    }
    const long length = ftell(f);
    const size_t size = length > 0 ? (size_t)length : 0;
    rewind(f);
    uint8_t *data = malloc(size);
    const int bad = (!data && size) || fread(data, 1, size, f) != size;
    fclose(f);
    if (bad)
        fprintf(stderr, "cannot read %s\n", path);
    else
        LLVMFuzzerTestOneInput(data, size);
    free(data);
    runs += !bad;
    return bad;
}

static int run_path(const char *path)
{
    DIR *folder = opendir(path);
    if (!folder)
        return run_file(path);
    int failed = 0;
    for (const struct dirent *e; (e = readdir(folder)) != NULL;) {
        char file[4096];
        if (e->d_name[0] == '.')
            continue;
        const int n = snprintf(file, sizeof file, "%s/%s", path, e->d_name);
        failed |= n < 0 || (size_t)n >= sizeof file || run_file(file);
    }
    closedir(folder);
    return failed;
}

int main(int argc, char **argv)
{
    int failed = 0;
    for (int i = 1; i < argc; i++)
        failed |= run_path(argv[i]);
    printf("%d inputs\n", runs);
    return failed || runs == 0;
}
