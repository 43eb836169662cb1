/* SPDX-License-Identifier: Apache-2.0 */
/* Families against the logits that their authors' classes computed: as GGUF files
 * (tests/models/families.py) and as the folders that the classes save (tests/models/folders.py).
 * At once, token by token and in odd chunks, three windows long; the bound is 1e-4 of the range of
 * the logits. A wrong expert, window or stream shows as a hundred times that.
 *
 *     test_authors DEVICES [FAMILY]
 *     test_authors DEVICES --folder PATH ...   which holds logits.npy, too */
#include "golden/feed.h"

#define VOCABULARY 96
#define POSITIONS 50
#define BOUND 1e-4

static const char *const families[] = {
    "gemma", "gemma2", "gemma3", "gemma3n", "mixtral", "phimoe", "phimoe-longrope", "qwen3moe",
    "smollm3",
};

static const char *const folders[] = {
    "gemma", "gemma2", "gemma3", "gemma3n", "llama", "mistral", "mixtral", "phi3",
    "phi3-longrope", "phimoe", "phimoe-longrope", "qwen2", "qwen3", "qwen3moe",
    "smollm3", "smollm3-listed",
};

static bool read_logits(const char *path, float *logits, size_t count)
{
    size_t bytes = 0;
    unsigned char *raw = test_read_file(path, &bytes);
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

static void check_model(const char *model, const char *want_path, const char *devices)
{
    static const size_t whole[] = { 100000 }, one[] = { 1 }, odd[] = { 3, 1, 17, 2, 5 };
    static float want[POSITIONS * VOCABULARY];
    int32_t ids[POSITIONS];
    for (int i = 0; i < POSITIONS; i++)
        ids[i] = (i * 37 + 11) % (VOCABULARY - 8);
    const bool known = read_logits(want_path, want, POSITIONS * VOCABULARY);
    CHECK(known);
    het_session *s = known ? open_session(model, devices, HET_PRECISION_EXACT) : NULL;
    if (!s)
        return;
    const double bound = BOUND * range_of(want, POSITIONS * VOCABULARY);
    const double a = feed(s, ids, POSITIONS, want, VOCABULARY, whole, 1);
    const double b = feed(s, ids, POSITIONS, want, VOCABULARY, one, 1);
    const double c = feed(s, ids, POSITIONS, want, VOCABULARY, odd, 5);
    const char *name = strrchr(model, '/');
    printf("%-24s whole %.2e  single %.2e  odd %.2e  bound %.2e\n", name ? name + 1 : model, a,
           b, c, bound);
    CHECK(a <= bound && b <= bound && c <= bound);
    het_session_destroy(s);
}

static void check_family(const char *name, const char *devices)
{
    char file[128], model[512], logits[512];
    snprintf(file, sizeof file, "tests/models/reference/families/%s.gguf", name);
    test_source_path(model, sizeof model, file);
    snprintf(file, sizeof file, "tests/models/reference/families/%s.npy", name);
    check_model(model, test_source_path(logits, sizeof logits, file), devices);
}

/* Logits that stand beside the GGUF file of the same numbers are not stored again. */
static void check_folder(const char *name, const char *devices)
{
    char file[128], model[512], logits[512];
    snprintf(file, sizeof file, "tests/models/reference/families/%s.npy", name);
    test_source_path(logits, sizeof logits, file);
    FILE *f = fopen(logits, "rb");
    snprintf(file, sizeof file, "tests/models/reference/folders/%s/logits.npy", name);
    if (f)
        fclose(f);
    else
        test_source_path(logits, sizeof logits, file);
    snprintf(file, sizeof file, "tests/models/reference/folders/%s", name);
    check_model(test_source_path(model, sizeof model, file), logits, devices);
}

static void check_given(const char *path, const char *devices)
{
    char logits[512];
    snprintf(logits, sizeof logits, "%s/logits.npy", path);
    check_model(path, logits, devices);
}

int main(int argc, char **argv)
{
    const char *devices = argc > 1 ? argv[1] : NULL;
    skip_absent_level(devices);
    if (argc > 2 && strcmp(argv[2], "--folder") == 0) {
        for (int i = 3; i < argc; i++)
            check_given(argv[i], devices);
        return test_finish();
    }
    for (size_t i = 0; i < sizeof families / sizeof families[0]; i++)
        if (argc < 3 || strcmp(argv[2], families[i]) == 0)
            check_family(families[i], devices);
    for (size_t i = 0; i < sizeof folders / sizeof folders[0]; i++)
        if (argc < 3 || strcmp(argv[2], folders[i]) == 0)
            check_folder(folders[i], devices);
    return test_finish();
}
