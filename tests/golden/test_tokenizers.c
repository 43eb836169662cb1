/* SPDX-License-Identifier: Apache-2.0 */
/* tokenizer.json files of every form that is read, against the ids and texts of the library that
 * defines the format: tests/vectors/make_tokenizers.py. One file is of the shared data. */
#include <jansson.h>

#include "lib/import/hf_tokenizer.h"
#include "test.h"

static het__mem mem;

static const char *const names[] = {
    "digits", "gemma", "gpt2", "llama", "llama3", "metaspace_first", "metaspace_split", "prefix",
    "qwen2", "removed", "unigram", "unigram_bytes", "unigram_first", "unigram_form", "unknown",
};

static het_tokenizer *load(const char *path)
{
    size_t bytes = 0;
    het_error err = HET_ERROR_INIT;
    het_tokenizer *t = NULL;
    void *data = test_read_file(path, &bytes);
    CHECK(data != NULL);
    if (data && het__hf_tokenizer_json(data, bytes, &mem, &t, &err) != HET_OK)
        TEST_FAIL("%s: %s", path, err.message);
    free(data);
    return t;
}

static void check_ids(const char *name, const het_tokenizer *t, const char *text, uint64_t flags,
                      const json_t *want)
{
    int32_t ids[512];
    size_t n = 0;
    het_error err = HET_ERROR_INIT;
    if (het_tokenizer_encode(t, text, strlen(text), flags | HET_ENCODE_PARSE_SPECIAL, ids, 512, &n,
                             &err) != HET_OK)
        TEST_FAIL("%s: \"%s\": %s", name, text, err.message);
    bool same = n == json_array_size(want);
    for (size_t i = 0; same && i < n; i++)
        same = ids[i] == json_integer_value(json_array_get(want, i));
    CHECK(same);
    if (same)
        return;
    fprintf(stderr, "%s: \"%s\":\n  is   ", name, text);
    for (size_t i = 0; i < n && i < 512; i++)
        fprintf(stderr, "%d,", ids[i]);
    fprintf(stderr, "\n  want ");
    for (size_t i = 0; i < json_array_size(want); i++)
        fprintf(stderr, "%d,", (int)json_integer_value(json_array_get(want, i)));
    fprintf(stderr, "\n");
}

static void check_decoded(const char *name, const het_tokenizer *t, const json_t *c)
{
    int32_t ids[512];
    char text[2048];
    size_t n = 0, bytes = 0;
    const json_t *list = json_object_get(c, "ids");
    const char *want = json_string_value(json_object_get(c, "decoded"));
    for (size_t i = 0; i < json_array_size(list) && i < 512; i++)
        ids[n++] = (int32_t)json_integer_value(json_array_get(list, i));
    CHECK_INT(het_tokenizer_decode(t, ids, n, 0, text, sizeof text - 1, &bytes, NULL), HET_OK);
    CHECK(bytes < sizeof text);
    text[bytes < sizeof text ? bytes : 0] = '\0';
    /* Parts of characters come as they are; unknown tokens are left out with the special ones. */
    if (strstr(want, "\xef\xbf\xbd") || strstr(want, "<unk>"))
        return;
    if (strcmp(text, want) != 0)
        TEST_FAIL("%s: decoded \"%s\", want \"%s\"", name, text, want);
}

static void check_cases(const char *name, const het_tokenizer *t, size_t count)
{
    char file[160], path[600];
    snprintf(file, sizeof file, "tests/vectors/tokenizers/%s.cases.json", name);
    json_t *cases = json_load_file(test_source_path(path, sizeof path, file), 0, NULL);
    CHECK_INT(json_array_size(cases), count);
    for (size_t i = 0; t && i < json_array_size(cases); i++) {
        const json_t *c = json_array_get(cases, i);
        const char *text = json_string_value(json_object_get(c, "text"));
        check_ids(name, t, text, 0, json_object_get(c, "ids"));
        check_ids(name, t, text, HET_ENCODE_ADD_SPECIAL, json_object_get(c, "special"));
        check_decoded(name, t, c);
    }
    json_decref(cases);
}

static void own_files(void)
{
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        char file[160], path[600];
        snprintf(file, sizeof file, "tests/vectors/tokenizers/%s.json", names[i]);
        het_tokenizer *t = load(test_source_path(path, sizeof path, file));
        check_cases(names[i], t, 26);
        het__tokenizer_destroy(t);
    }
}

static void shared_file(void)
{
    static const char file[] = "tokenizers/gpt-neox-20b.tokenizer.json";
    char path[600];
    het_tokenizer *t = load(test_data_path(path, sizeof path, file));
    check_cases("gpt-neox", t, 26);
    het__tokenizer_destroy(t);
}

int main(int argc, char **argv)
{
    het__mem_init(&mem, NULL);
    if (argc > 1 && strcmp(argv[1], "shared") == 0)
        test_case(shared_file);
    else
        test_case(own_files);
    CHECK_INT(atomic_load(&mem.bytes), 0);
    return test_finish();
}
