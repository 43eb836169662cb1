/* SPDX-License-Identifier: Apache-2.0 */
#ifdef __linux__
#include <sys/prctl.h>
#endif

#include "lib/base/arena.h"
#include "lib/base/error.h"
#include "lib/base/nap.h"
#include "lib/base/options.h"
#include "lib/base/os.h"
#include "lib/base/text.h"
#include "test.h"

typedef struct sample {
    uint32_t struct_size;
    uint32_t a;
    uint64_t b;
} sample;

static void memory_counts(void)
{
    het__mem mem;
    het__mem_init(&mem, NULL);
    char *p = het__alloc(&mem, 10);
    CHECK(p && (uintptr_t)p % HET__ALIGN == 0);
    memcpy(p, "123456789", 10);
    p = het__realloc(&mem, p, 100000);
    CHECK_STR(p, "123456789");
    CHECK(het__alloc_zero(&mem, SIZE_MAX / 2, 3) == NULL);
    CHECK(het__alloc(&mem, SIZE_MAX - 8) == NULL);
    het__free(&mem, p);
    het__free(&mem, NULL);
    CHECK_INT(mem.bytes, 0);
    CHECK_INT(mem.count, 2);
    CHECK(mem.peak > 100000);
}

static void arena_gives_all_back(void)
{
    het__mem mem;
    het__mem_init(&mem, NULL);
    het__arena arena;
    het__arena_init(&arena, &mem);
    for (size_t i = 0; i < 1000; i++) {
        char *p = het__arena_zero(&arena, i, 7);
        CHECK(p && (uintptr_t)p % 16 == 0);
        if (p)
            memset(p, 1, i * 7);
    }
    CHECK_STR(het__arena_printf(&arena, "%d-%s", 5, "x"), "5-x");
    CHECK(het__arena_zero(&arena, SIZE_MAX, 2) == NULL);
    het__arena_finish(&arena);
    CHECK_INT(mem.bytes, 0);
}

static void options_of_other_releases(void)
{
    sample ours;
    het_error err = HET_ERROR_INIT;
    struct { uint32_t struct_size, a; uint64_t b, c; } newer = { 24, 1, 2, 0 };
    CHECK_INT(het__options_read(&ours, sizeof ours, &newer, "sample", &err), HET_OK);
    CHECK_INT(ours.b, 2);
    newer.c = 1;
    CHECK_INT(het__options_read(&ours, sizeof ours, &newer, "sample", &err), HET_E_VERSION);
    CHECK(strstr(err.message, "sample") != NULL);
    const struct { uint32_t struct_size, a; } older = { 8, 7 };
    CHECK_INT(het__options_read(&ours, sizeof ours, &older, "sample", &err), HET_OK);
    CHECK_INT(ours.a, 7);
    CHECK_INT(ours.b, 0);
    const uint32_t none = 0;
    CHECK_INT(het__options_read(&ours, sizeof ours, &none, "sample", &err), HET_E_INVALID);
}

static void results_for_other_releases(void)
{
    const sample ours = { sizeof ours, 3, 4 };
    sample theirs = { 8, 0, 99 };
    CHECK_INT(het__result_write(&theirs, &ours, sizeof ours), HET_OK);
    CHECK_INT(theirs.struct_size, 8);
    CHECK_INT(theirs.a, 3);
    CHECK_INT(theirs.b, 99);
    theirs.struct_size = 2;
    CHECK_INT(het__result_write(&theirs, &ours, sizeof ours), HET_E_INVALID);
}

static void errors_fill_what_fits(void)
{
    het_error err = HET_ERROR_INIT;
    CHECK_INT(het__fail(&err, HET_E_FORMAT, "tensor %d", 5), HET_E_FORMAT);
    CHECK_INT(err.status, HET_E_FORMAT);
    CHECK_STR(err.message, "tensor 5");
    CHECK_INT(het__fail(NULL, HET_E_IO, "x"), HET_E_IO);
    CHECK_INT(sizeof(het_error), 256);
}

static void files_map_or_say_why(void)
{
    het__mapping m = { 0 };
    het_error err = HET_ERROR_INIT;
    CHECK_INT(het__map_file("/nonexistent/x", &m, &err), HET_E_IO);
    CHECK(strstr(err.message, "/nonexistent/x") != NULL && err.native_code != 0);
    CHECK_INT(het__map_file("/", &m, &err), HET_E_IO);
    char path[512];
    CHECK_INT(het__map_file(test_source_path(path, sizeof path, "COPYING"), &m, &err), HET_OK);
    CHECK(m.bytes > 10000);
    het__unmap_file(&m);
    CHECK(m.data == NULL);
}

static void text_grows(void)
{
    het__mem mem;
    het__mem_init(&mem, NULL);
    het__text text;
    het__text_init(&text, &mem);
    for (int i = 0; i < 1000; i++)
        het__text_printf(&text, "%d,", i);
    char *p = het__text_take(&text);
    CHECK(p && strlen(p) == 10 * 2 + 90 * 3 + 900 * 4);
    het__free(&mem, p);
    p = het__text_take(&text);
    CHECK_STR(p, "");
    het__free(&mem, p);
    CHECK_INT(mem.bytes, 0);
}

/* Long enough, and the thread is as punctual as before. */
static void naps_leave_the_thread_as_it_was(void)
{
#ifdef __linux__
    CHECK_INT(prctl(PR_SET_TIMERSLACK, 70000UL, 0UL, 0UL, 0UL), 0);
#endif
    for (uint64_t ns = 1000; ns <= 1000000; ns *= 10) {
        const uint64_t begin = het__now_ns();
        het__nap_ns(ns);
        CHECK(het__now_ns() - begin >= ns);
    }
#ifdef __linux__
    CHECK_INT(prctl(PR_GET_TIMERSLACK, 0, 0, 0, 0), 70000);
#endif
}

int main(void)
{
    test_case(memory_counts);
    test_case(arena_gives_all_back);
    test_case(options_of_other_releases);
    test_case(results_for_other_releases);
    test_case(errors_fill_what_fits);
    test_case(files_map_or_say_why);
    test_case(text_grows);
    test_case(naps_leave_the_thread_as_it_was);
    return test_finish();
}
