/* SPDX-License-Identifier: Apache-2.0 */
/* The embedded models against what transformers computed from the same weights in float32:
 * logits within 1e-4 at once, token by token and in odd chunks; greedy text; and the sentencepiece
 * package's token ids.
 *
 *     test_own_model DEVICES */
#include <jansson.h>

#include "golden/feed.h"

#define ROWS_MAX 512

static json_t *load_reference(const char *name)
{
    char path[512], file[128];
    snprintf(file, sizeof file, "tests/models/reference/%s.json", name);
    json_t *j = json_load_file(test_source_path(path, sizeof path, file), 0, NULL);
    if (!j)
        TEST_FAIL("cannot read %s", path);
    return j;
}

static size_t read_ids(const json_t *array, int32_t *ids, size_t count)
{
    for (size_t i = 0; i < json_array_size(array) && count < ROWS_MAX; i++)
        ids[count++] = (int32_t)json_integer_value(json_array_get(array, i));
    return count;
}

/* Data of a float32 .npy file: behind a header whose length stands at byte 8. At most `most`
 * rows; *rows receives how many there are. */
static float *read_npy(const char *name, size_t columns, size_t most, size_t *rows)
{
    char path[512], file[128];
    size_t bytes = 0;
    snprintf(file, sizeof file, "tests/models/reference/%s", name);
    unsigned char *raw = test_read_file(test_source_path(path, sizeof path, file), &bytes);
    if (!raw || bytes < 10 || memcmp(raw, "\x93NUMPY", 6) != 0) {
        free(raw);
        return NULL;
    }
    const size_t head = 10 + (size_t)raw[8] + 256 * (size_t)raw[9];
    *rows = bytes > head ? (bytes - head) / (columns * sizeof(float)) : 0;
    *rows = *rows < most ? *rows : most;
    float *out = *rows ? malloc(*rows * columns * sizeof *out) : NULL;
    if (out)
        memcpy(out, raw + head, *rows * columns * sizeof *out);
    free(raw);
    return out;
}

static void check_logits(het_session *s, const json_t *prompt, const int32_t *ids, size_t count,
                         size_t vocabulary)
{
    static const size_t whole[] = { 100000 }, one[] = { 1 }, odd[] = { 3, 1, 17, 2, 5 };
    const char *file = json_string_value(json_object_get(prompt, "logits"));
    if (!file)
        return;
    size_t rows = 0;
    float *want = read_npy(file, vocabulary, count, &rows);
    CHECK(want != NULL && rows >= 32);
    if (!want)
        return;
    const double a = feed(s, ids, rows, want, vocabulary, whole, 1);
    const double b = feed(s, ids, rows, want, vocabulary, one, 1);
    const double c = feed(s, ids, rows, want, vocabulary, odd, 5);
    printf("  %s: whole %.2e  single %.2e  odd %.2e\n", file, a, b, c);
    CHECK(a <= 1e-4 && b <= 1e-4 && c <= 1e-4);
    free(want);
}

static void check_greedy(het_session *s, const json_t *prompt)
{
    const char *text = json_string_value(json_object_get(prompt, "text"));
    const char *want = json_string_value(json_object_get(prompt, "greedy_text"));
    const het_sampler_options greedy = { .struct_size = sizeof greedy,
                                         .flags = HET_SAMPLER_GREEDY };
    text_sink sink = { .bytes = 0 };
    het_generate_options o = HET_GENERATE_OPTIONS_INIT;
    o.sampler = &greedy;
    o.max_tokens = (uint32_t)json_array_size(json_object_get(prompt, "greedy_ids"));
    o.flags = HET_GENERATE_IGNORE_END;
    o.piece = text_collect;
    o.piece_user = &sink;
    het_error err = HET_ERROR_INIT;
    CHECK(text && want);
    if (!text || !want)
        return;
    if (het_generate(s, text, strlen(text), &o, NULL, &err) != HET_OK)
        TEST_FAIL("generate: %s", err.message);
    CHECK_STR(sink.text, want);
}

static void check_model(const char *name, const char *devices)
{
    char path[512], file[128];
    snprintf(file, sizeof file, "examples/models/%s.gguf", name);
    het_session *s =
        open_session(test_source_path(path, sizeof path, file), devices, HET_PRECISION_EXACT);
    json_t *j = load_reference(name);
    size_t i;
    json_t *prompt;
    printf("%s\n", name);
    CHECK(s && j);
    json_array_foreach(json_object_get(j, "prompts"), i, prompt) {
        int32_t ids[ROWS_MAX];
        size_t n = read_ids(json_object_get(prompt, "prompt_ids"), ids, 0);
        n = read_ids(json_object_get(prompt, "greedy_ids"), ids, n);
        if (!s)
            break;
        check_logits(s, prompt, ids, n, 2048);
        check_greedy(s, prompt);
    }
    json_decref(j);
    het_session_destroy(s);
}

/* Cases given in hexadecimal are not UTF-8: sentencepiece replaces such bytes, we keep them. */
static void check_tokenizer(const char *name)
{
    char path[512], file[128];
    het_context *context = NULL;
    het_model *model = NULL;
    json_t *j = load_reference("tokenizer"), *c;
    snprintf(file, sizeof file, "examples/models/%s.gguf", name);
    CHECK_INT(het_context_create(NULL, &context, NULL), HET_OK);
    CHECK_INT(het_model_load(context, test_source_path(path, sizeof path, file), NULL, &model,
                             NULL), HET_OK);
    size_t i, checked = 0;
    json_array_foreach(json_object_get(j, "cases"), i, c) {
        const char *text = json_string_value(json_object_get(c, "text"));
        int32_t want[ROWS_MAX], got[ROWS_MAX];
        size_t count = 0;
        if (!text || !model)
            continue;
        const size_t bytes = json_string_length(json_object_get(c, "text"));
        const size_t n = read_ids(json_object_get(c, "ids"), want, 0);
        CHECK_INT(het_tokenizer_encode(het_model_tokenizer(model), text, bytes, 0, got, ROWS_MAX,
                                       &count, NULL), HET_OK);
        if (count != n || memcmp(got, want, n * sizeof *got) != 0)
            TEST_FAIL("case %zu \"%s\": %zu ids, want %zu", i, text, count, n);
        checked++;
    }
    printf("%zu tokenizer cases\n", checked);
    CHECK(checked > 20);
    json_decref(j);
    het_model_destroy(model);
    het_context_destroy(context);
}

int main(int argc, char **argv)
{
    const char *devices = argc > 1 ? argv[1] : NULL;
    skip_absent_level(devices);
    check_model("hearth-draft", devices);
    check_model("hearth", devices);
    check_tokenizer("hearth-draft");
    return test_finish();
}
