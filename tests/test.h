/* SPDX-License-Identifier: Apache-2.0 */
/* Checks for test programs: they print both values, go on after a failure, and survive NDEBUG.
 *
 *     int main(void) { test_case(a); test_case(b); return test_finish(); }
 *
 * Exit status: 0 passed, 1 failed, 77 skipped (test_skip, with the reason on stdout). */
#ifndef HETINFER_TEST_H
#define HETINFER_TEST_H

#include <inttypes.h>
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static _Atomic int test_failures; /* checks may stand in several threads */
static _Atomic int test_checks;

#define TEST_FAIL(...)                                              \
    do {                                                            \
        fprintf(stderr, "%s:%d: %s: ", __FILE__, __LINE__, __func__); \
        fprintf(stderr, __VA_ARGS__);                               \
        fputc('\n', stderr);                                        \
        test_failures++;                                            \
    } while (0)

#define CHECK(condition)                     \
    do {                                     \
        test_checks++;                       \
        if (!(condition))                    \
            TEST_FAIL("not true: %s", #condition); \
    } while (0)

#define CHECK_INT(got, want)                                                              \
    do {                                                                                  \
        const int64_t got_ = (int64_t)(got), want_ = (int64_t)(want);                     \
        test_checks++;                                                                    \
        if (got_ != want_)                                                                \
            TEST_FAIL("%s = %" PRId64 ", want %s = %" PRId64, #got, got_, #want, want_);  \
    } while (0)

#define CHECK_STR(got, want)                                                \
    do {                                                                    \
        const char *got_ = (got), *want_ = (want);                          \
        test_checks++;                                                      \
        if (!got_ || strcmp(got_, want_) != 0)                              \
            TEST_FAIL("%s = \"%s\", want \"%s\"", #got, got_ ? got_ : "(null)", want_); \
    } while (0)

/* |got - want| <= tolerance; NaN fails. */
#define CHECK_NEAR(got, want, tolerance)                                              \
    do {                                                                              \
        const double got_ = (got), want_ = (want), tol_ = (tolerance);                \
        test_checks++;                                                                \
        if (!(fabs(got_ - want_) <= tol_))                                            \
            TEST_FAIL("%s = %.9g, want %.9g within %.3g", #got, got_, want_, tol_);   \
    } while (0)

#define test_case(name)                                             \
    do {                                                            \
        const int before_ = test_failures;                          \
        name();                                                     \
        printf("%s %s\n", test_failures == before_ ? "ok    " : "FAILED", #name); \
    } while (0)

static inline int test_finish(void)
{
    printf("%d checks, %d failed\n", test_checks, test_failures);
    return test_failures || !test_checks ? 1 : 0;
}

static inline void test_skip(const char *reason)
{
    printf("skipped: %s\n", reason);
    exit(77);
}

/* A file of the shared data folder, in a buffer for the caller; skips the whole program if the
 * folder is absent. */
static inline const char *test_data_path(char *buffer, size_t bytes, const char *name)
{
    const char *root = getenv("HETINFER_TEST_DATA");
    snprintf(buffer, bytes, "%s/SOURCES.md", root ? root : "");
    FILE *f = root ? fopen(buffer, "rb") : NULL;
    if (!f)
        test_skip("no shared data folder (HETINFER_TEST_DATA)");
    fclose(f);
    snprintf(buffer, bytes, "%s/%s", root, name);
    return buffer;
}

/* A file of the source tree. */
static inline const char *test_source_path(char *buffer, size_t bytes, const char *name)
{
    const char *root = getenv("HETINFER_TEST_SOURCE");
    snprintf(buffer, bytes, "%s/%s", root ? root : ".", name);
    return buffer;
}

/* Whole file in a malloc'ed buffer; NULL if it cannot be read. */
static inline void *test_read_file(const char *path, size_t *bytes)
{
    FILE *f = fopen(path, "rb");
    if (!f)
        return NULL;
    fseek(f, 0, SEEK_END);
    const long n = ftell(f);
    rewind(f);
    void *p = malloc(n > 0 ? (size_t)n : 1);
    if (p && fread(p, 1, (size_t)n, f) != (size_t)n) {
        free(p);
        p = NULL;
    }
    fclose(f);
    *bytes = (size_t)n;
    return p;
}

/* Reproducible random numbers: xorshift64*. */
static inline uint64_t test_random(uint64_t *state)
{
    *state ^= *state >> 12;
    *state ^= *state << 25;
    *state ^= *state >> 27;
    return *state * UINT64_C(2685821657736338717);
}

/* In [-1, 1). */
static inline float test_random_float(uint64_t *state)
{
    return (float)((double)(test_random(state) >> 40) / 8388608.0 - 1.0);
}

#endif /* HETINFER_TEST_H */
