/* SPDX-License-Identifier: Apache-2.0 */
/* Families against the logits that their authors' classes computed: tests/models/families.py.
 * At once, token by token and in odd chunks, three windows long; the bound is 1e-4 of the range of
 * the logits. A wrong expert, window or stream shows as a hundred times that.
 *
 *     test_authors DEVICES [FAMILY] */
#include "golden/feed.h"

#define VOCABULARY 96
#define POSITIONS 50
#define BOUND 1e-4

static const char *const families[] = {
    "gemma", "gemma2", "gemma3", "gemma3n", "mixtral", "phimoe", "phimoe-longrope", "qwen3moe",
};

static bool read_logits(const char *name, float *logits, size_t count)
{
    char path[512], file[128];
    size_t bytes = 0;
    snprintf(file, sizeof file, "tests/models/reference/families/%s.npy", name);
    unsigned char *raw = test_read_file(test_source_path(path, sizeof path, file), &bytes);
    const size_t head = raw && bytes > 10 ? 10 + (size_t)raw[8] + 256 * (size_t)raw[9] : 0;
    const bool fits = head && bytes == head + count * sizeof *logits;
    if (fits)
        memcpy(logits, raw + head, count * sizeof *logits);
    free(raw);
    return fits;
}

static double range_of(const float *x, size_t count)
{
    float least = x[0], most = x[0];
    for (size_t i = 1; i < count; i++) {
        least = x[i] < least ? x[i] : least;
        most = x[i] > most ? x[i] : most;
    }
    return (double)(most - least);
}

static void check_family(const char *name, const char *devices)
{
    static const size_t whole[] = { 100000 }, one[] = { 1 }, odd[] = { 3, 1, 17, 2, 5 };
    static float want[POSITIONS * VOCABULARY];
    char path[512], file[128];
    int32_t ids[POSITIONS];
    for (int i = 0; i < POSITIONS; i++)
        ids[i] = (i * 37 + 11) % (VOCABULARY - 8);
    snprintf(file, sizeof file, "tests/models/reference/families/%s.gguf", name);
    const bool known = read_logits(name, want, POSITIONS * VOCABULARY);
    CHECK(known);
    het_session *s = known ? open_session(test_source_path(path, sizeof path, file), devices,
                                          HET_PRECISION_EXACT) : NULL;
    if (!s)
        return;
    const double bound = BOUND * range_of(want, POSITIONS * VOCABULARY);
    const double a = feed(s, ids, POSITIONS, want, VOCABULARY, whole, 1);
    const double b = feed(s, ids, POSITIONS, want, VOCABULARY, one, 1);
    const double c = feed(s, ids, POSITIONS, want, VOCABULARY, odd, 5);
    printf("%-16s whole %.2e  single %.2e  odd %.2e  bound %.2e\n", name, a, b, c, bound);
    CHECK(a <= bound && b <= bound && c <= bound);
    het_session_destroy(s);
}

int main(int argc, char **argv)
{
    const char *devices = argc > 1 ? argv[1] : NULL;
    skip_absent_level(devices);
    for (size_t i = 0; i < sizeof families / sizeof families[0]; i++)
        if (argc < 3 || strcmp(argv[2], families[i]) == 0)
            check_family(families[i], devices);
    return test_finish();
}
