/* SPDX-License-Identifier: Apache-2.0 */
/* Files that are replaced as a whole: readers see the old or the new one, writers of one path take
 * turns, and nothing is left lying about, whatever fails. */
#define _XOPEN_SOURCE 700 /* mkdtemp, symlink */
#include <fcntl.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include "folder.h"
#include "lib/base/file.h"
#include "lib/base/hash.h"
#include "lib/base/os.h"
#include "test.h"

static test_folder folder;
static het__mem mem;

static void check_contents(const char *name, const char *want)
{
    size_t bytes = 0;
    char *data = test_read_file(test_folder_file(&folder, name), &bytes);
    CHECK(data != NULL);
    CHECK_INT(bytes, strlen(want));
    CHECK(data && memcmp(data, want, strlen(want)) == 0);
    free(data);
}

static het_status put(const char *name, const char *text, het_error *err)
{
    return het__file_replace(&mem, test_folder_file(&folder, name), text, strlen(text), err);
}

static void reading(void)
{
    het_error err = HET_ERROR_INIT;
    het__file f;
    char byte[4];
    CHECK_INT(het__file_open(test_folder_file(&folder, "absent"), &f, &err), HET_OK);
    CHECK(f.fd < 0);
    CHECK_INT(het__file_open(folder.path, &f, &err), HET_E_IO);
    CHECK(f.fd < 0 && strstr(err.message, folder.path));
    test_file_write(test_folder_file(&folder, "a"), "01234567", 8);
    CHECK_INT(het__file_open(test_folder_file(&folder, "a"), &f, &err), HET_OK);
    CHECK_INT(f.bytes, 8);
    CHECK(het__file_read(&f, 4, byte, 4) && memcmp(byte, "4567", 4) == 0);
    CHECK(!het__file_read(&f, 5, byte, 4));
    CHECK(!het__file_read(&f, 100, byte, 1));
    het__file_close(&f);
    het__file_close(&f);
    CHECK_INT(het__file_open(test_folder_file(&folder, "a/b"), &f, &err), HET_E_IO);
}

/* Files below a folder, and paths that lead elsewhere. */
static void reading_below(void)
{
    static const char *const outside[] = { "", ".", "/", "..", "../a", "sub/../a", "/etc/passwd" };
    static const char *const missing[] = { "none", "sub", "a/a", "link", "way/a", "sub/none" };
    het_error err = HET_ERROR_INIT;
    het__file f;
    CHECK_INT(put("a", "text", &err), HET_OK);
    CHECK_INT(mkdir(test_folder_file(&folder, "sub"), 0700), 0);
    CHECK_INT(put("sub/a", "longer", &err), HET_OK);
    CHECK_INT(symlink("a", test_folder_file(&folder, "link")), 0);
    CHECK_INT(symlink("sub", test_folder_file(&folder, "way")), 0);
    CHECK_INT(het__file_open_below(folder.path, ".//sub/./a", &f, &err), HET_OK);
    CHECK_INT(f.bytes, 6);
    het__file_close(&f);
    for (size_t i = 0; i < sizeof outside / sizeof outside[0]; i++) {
        CHECK_INT(het__file_open_below(folder.path, outside[i], &f, &err), HET_E_FORMAT);
        CHECK(f.fd < 0);
    }
    for (size_t i = 0; i < sizeof missing / sizeof missing[0]; i++) {
        CHECK_INT(het__file_open_below(folder.path, missing[i], &f, &err), HET_E_IO);
        CHECK(f.fd < 0);
    }
    CHECK_INT(het__file_open_below("/no/such/folder", "a", &f, &err), HET_E_IO);
    remove(test_folder_file(&folder, "sub/a"));
    test_folder_empty(&folder);
}

static void replacing(void)
{
    het_error err = HET_ERROR_INIT;
    het__new_file one, two;
    const char *path = test_folder_file(&folder, "x");
    CHECK_INT(put("x", "before", &err), HET_OK);
    CHECK_INT(het__new_file_begin(&one, &mem, path, 10, &err), HET_OK);
    CHECK_INT(het__new_file_begin(&two, &mem, path, 10, &err), HET_E_BUSY);
    CHECK_INT(het__new_file_write(&one, 7, "789", 3), 0);
    check_contents("x", "before");
    CHECK_INT(het__new_file_write(&one, 0, "0123456", 7), 0);
    CHECK_INT(het__new_file_commit(&one, &err), HET_OK);
    check_contents("x", "0123456789");
    CHECK_INT(het__new_file_begin(&one, &mem, path, 10, &err), HET_OK);
    het__new_file_abandon(&one);
    check_contents("x", "0123456789");
    /* Somebody who died in the middle. */
    test_file_write(test_folder_file(&folder, "x.tmp"), "a longer text than what follows", 31);
    CHECK_INT(put("x", "short", &err), HET_OK);
    check_contents("x", "short");
    CHECK_INT(test_folder_count(&folder, ".tmp", NULL), 0);
}

static void no_room(void)
{
    het_error err = HET_ERROR_INIT;
    het__new_file f;
    struct rlimit old, low;
    const char *path = test_folder_file(&folder, "big");
    const uint64_t sizes[] = { UINT64_MAX, INT64_MAX, UINT64_C(1) << 60 };
    for (size_t i = 0; i < 3; i++) {
        err.message[0] = '\0';
        CHECK_INT(het__new_file_begin(&f, &mem, path, sizes[i], &err), HET_E_IO);
        CHECK(strstr(err.message, "big.tmp") && err.native_code != 0);
    }
    getrlimit(RLIMIT_FSIZE, &old);
    low = old;
    low.rlim_cur = 4096;
    setrlimit(RLIMIT_FSIZE, &low);
    /* The system's answer to a byte too many would end this program. */
    CHECK_INT(het__new_file_begin(&f, &mem, path, 4097, &err), HET_E_IO);
    CHECK_INT(het__new_file_begin(&f, &mem, path, 4096, &err), HET_OK);
    het__new_file_abandon(&f);
    setrlimit(RLIMIT_FSIZE, &old);
    CHECK_INT(test_folder_count(&folder, "", NULL), 0);
}

static void wrong_places(void)
{
    het_error err = HET_ERROR_INIT;
    test_file_write(test_folder_file(&folder, "victim"), "untouched", 9);
    CHECK_INT(put("absent/x", "text", &err), HET_E_IO);
    CHECK(strstr(err.message, "absent/x.tmp"));
    CHECK_INT(put("victim/x", "text", &err), HET_E_IO);
    CHECK_INT(symlink(test_folder_file(&folder, "victim"), test_folder_file(&folder, "s.tmp")), 0);
    CHECK_INT(put("s", "text", &err), HET_E_IO);
    CHECK_INT(link(test_folder_file(&folder, "victim"), test_folder_file(&folder, "h.tmp")), 0);
    CHECK_INT(put("h", "text", &err), HET_E_IO);
    CHECK_INT(mkfifo(test_folder_file(&folder, "p.tmp"), 0600), 0);
    CHECK_INT(put("p", "text", &err), HET_E_IO);
    CHECK_INT(mkdir(test_folder_file(&folder, "d"), 0700), 0);
    CHECK_INT(put("d", "text", &err), HET_E_IO); /* a file does not replace a folder */
    CHECK_INT(test_folder_count(&folder, "d.tmp", NULL), 0);
    check_contents("victim", "untouched");
    CHECK_INT(het__folder_check(folder.path, &err), HET_OK);
    CHECK_INT(het__folder_check(test_folder_file(&folder, "absent"), &err), HET_E_IO);
    CHECK_INT(het__folder_check(test_folder_file(&folder, "victim"), &err), HET_E_IO);
    CHECK_INT(chmod(test_folder_file(&folder, "d"), 0500), 0);
    if (geteuid() != 0) /* who may do everything may write there too */
        CHECK_INT(het__folder_check(test_folder_file(&folder, "d"), &err), HET_E_IO);
}

/* Each writer's text is one letter repeated. */
static void *write_often(void *letter)
{
    char text[8192], path[512];
    het_error err = HET_ERROR_INIT;
    memset(text, *(const char *)letter, sizeof text);
    snprintf(path, sizeof path, "%s/shared", folder.path);
    for (int done = 0, tries = 0; done < 60 && tries < 1000000; tries++) {
        const het_status s = het__file_replace(&mem, path, text, sizeof text, &err);
        if (s != HET_OK && s != HET_E_BUSY)
            return "failed";
        done += s == HET_OK;
    }
    return NULL;
}

static void writers_at_once(void)
{
    pthread_t threads[3];
    static const char letters[] = "abc";
    char path[512];
    snprintf(path, sizeof path, "%s/shared", folder.path);
    write_often((void *)(uintptr_t)letters);
    for (int i = 0; i < 3; i++)
        CHECK_INT(pthread_create(&threads[i], NULL, write_often, (void *)(uintptr_t)&letters[i]),
                  0);
    for (int i = 0; i < 200; i++) {
        size_t bytes = 0;
        char *data = test_read_file(path, &bytes);
        CHECK_INT(bytes, 8192);
        for (size_t k = 1; data && k < bytes; k++)
            if (data[k] != data[0]) {
                TEST_FAIL("byte %d is %c after %c", (int)k, data[k], data[0]);
                break;
            }
        free(data);
    }
    for (int i = 0; i < 3; i++) {
        void *said;
        pthread_join(threads[i], &said);
        CHECK(said == NULL);
    }
    CHECK_INT(test_folder_count(&folder, "", NULL), 1);
}

static void states(void)
{
    het_error err = HET_ERROR_INIT;
    het__mapping a, b;
    const char *path = test_folder_file(&folder, "m");
    test_file_write(path, "1234", 4);
    CHECK_INT(het__map_file(path, &a, &err), HET_OK);
    CHECK_INT(a.state.bytes, 4);
    CHECK(a.state.seen_ns >= a.state.modified_ns && a.state.changed_ns > 0);
    test_file_write(test_folder_file(&folder, "n"), "1234", 4);
    CHECK_INT(rename(test_folder_file(&folder, "n"), path), 0);
    CHECK_INT(het__map_file(path, &b, &err), HET_OK);
    CHECK(b.state.inode != a.state.inode || b.state.changed_ns != a.state.changed_ns);
    het__unmap_file(&a);
    het__unmap_file(&b);
}

/* Published values of XXH3 for no bytes at all. */
static void hashes(void)
{
    char hex[HET__HASH_HEX];
    het__hash128 h = het__hash128_of("", 0), before;
    CHECK_INT(het__hash64("", 0, 0), UINT64_C(0x2d06800538d394c2));
    het__hash128_hex(&h, hex);
    CHECK_STR(hex, "99aa06d3014798d86001c324468d497f");
    before = h;
    het__hash128_add(&h, "", 0);
    CHECK(memcmp(&h, &before, sizeof h) != 0);
    before = h;
    het__hash128_add(&h, "a", 1);
    het__hash128_add(&before, "b", 1);
    CHECK(memcmp(&h, &before, sizeof h) != 0);
}

int main(void)
{
    void (*const cases[])(void) = { reading, reading_below, replacing, no_room, wrong_places,
                                    writers_at_once, states };
    static const char *const names[] = { "reading", "reading_below", "replacing", "no_room",
                                         "wrong_places", "writers_at_once", "states" };
    het__mem_init(&mem, NULL);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const int before = test_failures;
        test_folder_make(&folder);
        cases[i]();
        test_folder_remove(&folder);
        printf("%s %s\n", test_failures == before ? "ok    " : "FAILED", names[i]);
    }
    test_case(hashes);
    CHECK_INT(mem.bytes, 0);
    return test_finish();
}
