/* SPDX-License-Identifier: Apache-2.0 */
/* Chat templates against what jinja2 gives as transformers sets it up: cases.json is made by
 * tests/vectors/make_templates.py. Those of models' templates are skipped without the folder that
 * has them. Beyond that: limits, what the caller may do wrong, and memory that runs out. */
#define _GNU_SOURCE /* mkdtemp */
#include <jansson.h>

#include "../counting_allocator.h"
#include "../folder.h"
#include "../test.h"

#include <hetinfer.h>

#define MESSAGES_MAX 16

static het_context *context;
static test_folder folder;

static void copy_in(const char *name, const char *from)
{
    char path[512];
    size_t bytes = 0;
    void *data = test_read_file(test_source_path(path, sizeof path, from), &bytes);
    CHECK(data != NULL);
    if (data)
        test_file_write(test_folder_file(&folder, name), data, bytes);
    free(data);
}

static uint64_t hash_of(const char *text, size_t bytes)
{
    uint64_t h = UINT64_C(14695981039346656037);
    for (size_t i = 0; i < bytes; i++)
        h = (h ^ (unsigned char)text[i]) * UINT64_C(1099511628211);
    return h;
}

/* Members of a JSON object as text, but for role and content; for free(). */
static char *rest_of(json_t *message)
{
    json_t *rest = json_copy(message);
    json_object_del(rest, "role");
    json_object_del(rest, "content");
    char *text = json_dumps(rest, 0);
    json_decref(rest);
    return text;
}

/* The text (for free()) or NULL with err filled. */
static char *apply_case(json_t *c, const char *text, size_t bytes, size_t *length,
                        het_error *err)
{
    het_chat_message messages[MESSAGES_MAX] = { { NULL, NULL, NULL } };
    char *rest[MESSAGES_MAX] = { NULL };
    json_t *list = json_object_get(c, "messages"), *tools = json_object_get(c, "tools");
    json_t *variables = json_object_get(c, "variables");
    char *tools_text = tools && !json_is_null(tools) ? json_dumps(tools, 0) : NULL;
    char *variables_text = variables ? json_dumps(variables, 0) : NULL;
    const size_t count = json_array_size(list);
    het_template_options o = HET_TEMPLATE_OPTIONS_INIT;
    het_template *t = NULL;
    char *out = NULL;
    o.flags = json_is_true(json_object_get(c, "prompt")) ? HET_TEMPLATE_GENERATION_PROMPT : 0;
    o.tools_json = tools_text;
    o.variables_json = variables_text;
    o.bos_token = "<s>";
    o.eos_token = "</s>";
    for (size_t i = 0; i < count && i < MESSAGES_MAX; i++) {
        json_t *m = json_array_get(list, i);
        rest[i] = rest_of(m);
        messages[i] = (het_chat_message){ json_string_value(json_object_get(m, "role")),
                                          json_string_value(json_object_get(m, "content")),
                                          rest[i] };
    }
    het_status s = het_template_create(context, text, bytes, &t, err);
    if (s == HET_OK)
        s = het_template_apply(t, messages, count, &o, NULL, 0, length, err);
    if (s == HET_OK) {
        size_t again = 0;
        out = malloc(*length + 1);
        CHECK_INT(het_template_apply(t, messages, count, &o, out, *length, &again, err), HET_OK);
        CHECK_INT(again, *length);
        out[*length] = '\0';
    }
    het_template_destroy(t);
    for (size_t i = 0; i < MESSAGES_MAX; i++)
        free(rest[i]);
    free(tools_text);
    free(variables_text);
    return out;
}

/* raise_exception gives the same words; other failures are failures. */
static void check_case(json_t *c, const char *text, size_t bytes)
{
    const char *name = json_string_value(json_object_get(c, "template"));
    json_t *want = json_object_get(c, "want"), *error = json_object_get(c, "error");
    const char *hash = json_string_value(json_object_get(c, "hash"));
    het_error err = HET_ERROR_INIT;
    size_t length = 0;
    char *got = apply_case(c, text, bytes, &length, &err), shown[24];
    if (json_is_true(json_object_get(c, "fails"))) {
        const char *raised = json_string_value(json_object_get(c, "raised"));
        const char *said = strstr(err.message, ": ");
        CHECK(got == NULL && said);
        said = said ? said + 2 : "";
        snprintf(shown, sizeof shown, "%016" PRIx64, hash_of(said, strlen(said)));
        if (raised)
            CHECK_STR(shown, raised);
    } else if (json_is_string(error)) {
        CHECK(got == NULL && err.message[0]);
        const int raised = strstr(text, json_string_value(error)) != NULL;
        if (raised)
            CHECK(strstr(err.message, json_string_value(error)) != NULL);
    } else if (!got) {
        TEST_FAIL("%s: %s", name, err.message);
    } else if (json_is_string(want)) {
        CHECK_STR(got, json_string_value(want));
    } else {
        snprintf(shown, sizeof shown, "%016" PRIx64, hash_of(got, length));
        CHECK_INT(length, json_integer_value(json_object_get(c, "bytes")));
        CHECK_STR(shown, hash);
    }
    free(got);
}

static json_t *load_cases(void)
{
    char path[512];
    json_t *cases = json_load_file(
        test_source_path(path, sizeof path, "tests/vectors/templates/cases.json"), 0, NULL);
    CHECK(json_array_size(cases) > 100);
    return cases;
}

static void own_templates(void)
{
    json_t *cases = load_cases();
    size_t count = 0;
    for (size_t i = 0; i < json_array_size(cases); i++) {
        json_t *c = json_array_get(cases, i);
        const char *text = json_string_value(json_object_get(c, "text"));
        if (!text)
            continue;
        check_case(c, text, strlen(text));
        count++;
    }
    CHECK(count > 15);
    json_decref(cases);
}

static void models_templates(void)
{
    const char *root = getenv("HETINFER_TEST_DATA");
    json_t *cases = load_cases();
    size_t count = 0;
    for (size_t i = 0; i < json_array_size(cases); i++) {
        json_t *c = json_array_get(cases, i);
        char path[512];
        size_t bytes = 0;
        if (json_object_get(c, "text"))
            continue;
        snprintf(path, sizeof path, "%s/tokenizers/templates/%s", root ? root : "",
                 json_string_value(json_object_get(c, "template")));
        char *raw = root ? test_read_file(path, &bytes) : NULL;
        if (!raw)
            continue;
        char *text = malloc(bytes + 1);
        memcpy(text, raw, bytes);
        text[bytes] = '\0';
        check_case(c, text, bytes);
        free(text);
        free(raw);
        count++;
    }
    printf("%zu cases of models' templates%s\n", count, count ? "" : " (their folder is absent)");
    json_decref(cases);
}

/* What a text of one expression gives; NULL with err filled. Static. */
static const char *render(const char *text, const het_template_options *o, het_error *err)
{
    static char out[1024];
    const het_chat_message m = { "user", "hello", NULL };
    het_template *t = NULL;
    size_t bytes = 0;
    het_status s = het_template_create(context, text, strlen(text), &t, err);
    if (s == HET_OK)
        s = het_template_apply(t, &m, 1, o, out, sizeof out - 1, &bytes, err);
    het_template_destroy(t);
    out[bytes < sizeof out ? bytes : 0] = '\0';
    return s == HET_OK ? out : NULL;
}

static void check_refused(const char *text, const char *says)
{
    het_error err = HET_ERROR_INIT;
    CHECK(render(text, NULL, &err) == NULL);
    if (!strstr(err.message, says))
        TEST_FAIL("\"%s\" does not say \"%s\"", err.message, says);
}

static void dates(void)
{
    het_template_options o = HET_TEMPLATE_OPTIONS_INIT;
    het_error err = HET_ERROR_INIT;
    o.date_s = 1753536005;
    CHECK_STR(render("{{ strftime_now('%a %d %b %Y %H:%M:%S') }}", &o, &err),
              "Sat 26 Jul 2025 13:20:05");
    o.date_s = -1;
    CHECK_STR(render("{{ strftime_now('%A %B %d.%m.%y %%') }}", &o, &err),
              "Wednesday December 31.12.69 %");
    check_refused("\n{{ strftime_now('%d') }}", "line 2");
    check_refused("{{ strftime_now('%d') }}", "date");
}

static void variables(void)
{
    het_template_options o = HET_TEMPLATE_OPTIONS_INIT;
    het_error err = HET_ERROR_INIT;
    o.variables_json = "{\"a\": [1, -2.5e1, \"\\u00e9\\ud83d\\ude00\\n\"], \"messages\": null}";
    CHECK_STR(render("{{ a | tojson }}{{ messages }}", &o, &err),
              "[1, -25.0, \"\xc3\xa9\xf0\x9f\x98\x80\\n\"]None");
    static const char *const bad[] = { "", "[", "{", "[1]", "{\"a\": }", "{\"a\": 1} 2", "{a: 1}",
                                       "{\"a\": \"\\ud800\"}", "{\"a\": 99999999999999999999}" };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        o.variables_json = bad[i];
        CHECK(render("x", &o, &err) == NULL);
        CHECK_INT(err.status, HET_E_FORMAT);
    }
}

static void limits(void)
{
    char deep[4001];
    memset(deep, '(', sizeof deep - 1);
    memcpy(deep, "{{ ", 3);
    deep[sizeof deep - 1] = '\0';
    check_refused("{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}",
                  "too ");
    check_refused("{% set ns = namespace(x='ab') %}{% for a in range(99) %}"
                  "{% set ns.x = ns.x ~ ns.x %}{% endfor %}", "too much memory");
    check_refused("{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}", "too deeply");
    check_refused("{% set ns = namespace(x=[]) %}{% for a in range(999) %}"
                  "{% set ns.x = [ns.x] %}{% endfor %}{{ ns.x }}", "too deeply");
    check_refused(deep, "");
    check_refused("{{ 9223372036854775807 + 1 }}", "63 bits");
    check_refused("{% include 'x' %}", "include");
    check_refused("a\nb\n{{ 1 + }}", "line 3");
}

/* Every allocation of reading and running fails once; nothing leaks. */
static void scarce_memory(void)
{
    static const char text[] =
        "{% macro f(a) %}{{ a | upper }}{% endmacro %}{% set ns = namespace(x=[1] + [2]) %}"
        "{% for m in messages[::-1] %}{{ f(m.role) ~ tools | tojson(indent=2) }}{% endfor %}"
        "{% for i in range(2000) %}{{ loop.index }}{% endfor %}{{ 'a b'.split() }}";
    const het_chat_message m = { "user", "hello", "{\"n\": [1, \"\\u00e9\"]}" };
    counting_allocator counter = { 0 };
    het_context_options with = HET_CONTEXT_OPTIONS_INIT;
    const het_allocator allocator = counting_allocator_of(&counter);
    het_context *own = NULL;
    het_template_options o = HET_TEMPLATE_OPTIONS_INIT;
    uint64_t n = 0;
    with.allocator = &allocator;
    o.tools_json = "[{\"a\": 1}]";
    CHECK_INT(het_context_create(&with, &own, NULL), HET_OK);
    const int64_t blocks = counter.blocks, bytes_before = counter.bytes;
    for (;;) {
        het_template *t = NULL;
        size_t bytes = 7;
        counting_allocator_fail(&counter, ++n);
        het_status s = het_template_create(own, text, strlen(text), &t, NULL);
        CHECK_INT(s == HET_OK, t != NULL);
        if (s == HET_OK)
            s = het_template_apply(t, &m, 1, &o, NULL, 0, &bytes, NULL);
        het_template_destroy(t);
        CHECK_INT(counter.blocks, blocks);
        CHECK_INT(counter.bytes, bytes_before);
        if (!counter.failed) {
            CHECK_INT(s, HET_OK);
            break;
        }
        CHECK_INT(s, HET_E_NOMEM);
        CHECK_INT(bytes, 7);
    }
    CHECK(n > 5);
    counting_allocator_fail(&counter, 0);
    het_context_destroy(own);
    CHECK_INT(counter.blocks, 0);
}

/* From a folder: the template and the tokens at both ends. */
static void of_a_model(void)
{
    size_t bytes = 0;
    het_model *model = NULL;
    het_template *t = NULL;
    het_error err = HET_ERROR_INIT;
    het_model_options o = HET_MODEL_OPTIONS_INIT;
    const het_chat_message m = { "user", "hello", NULL };
    char out[128] = "";
    static const char config[] =
        "{\"chat_template\": \"{{ bos_token }}|{{ messages[0].content }}|{{ eos_token }}\", "
        "\"eos_token\": \"</s>\", \"bos_token\": null}";
    test_folder_make(&folder);
    copy_in("tokenizer.json", "tests/vectors/tokenizers/llama.json");
    copy_in("config.json", "tests/models/reference/folders/phi3/config.json");
    o.flags = HET_MODEL_TOKENIZER_ONLY;
    CHECK_INT(het_model_load(context, folder.path, &o, &model, &err), HET_OK);
    CHECK_INT(het_template_from_model(model, &t, &err), HET_E_UNSUPPORTED);
    CHECK(t == NULL);
    het_model_destroy(model);
    test_file_write(test_folder_file(&folder, "tokenizer_config.json"), config, strlen(config));
    CHECK_INT(het_model_load(context, folder.path, &o, &model, &err), HET_OK);
    CHECK_INT(het_template_from_model(model, &t, &err), HET_OK);
    het_model_destroy(model);
    CHECK_INT(het_template_apply(t, &m, 1, NULL, out, sizeof out - 1, &bytes, &err), HET_OK);
    CHECK_STR(out, "|hello|</s>");
    het_template_destroy(t);
    test_folder_remove(&folder);
}

static void callers_mistakes(void)
{
    het_template_options o = HET_TEMPLATE_OPTIONS_INIT;
    het_template *t = NULL;
    size_t bytes = 0;
    CHECK_INT(het_template_create(context, NULL, 1, &t, NULL), HET_E_INVALID);
    CHECK_INT(het_template_create(context, NULL, 0, &t, NULL), HET_OK);
    o.flags = 2;
    CHECK_INT(het_template_apply(t, NULL, 0, &o, NULL, 0, &bytes, NULL), HET_E_VERSION);
    CHECK_INT(het_template_apply(t, NULL, 1, NULL, NULL, 0, &bytes, NULL), HET_E_INVALID);
    CHECK_INT(het_template_apply(t, NULL, 0, NULL, NULL, 0, &bytes, NULL), HET_OK);
    CHECK_INT(bytes, 0);
    het_template_destroy(t);
    het_template_destroy(NULL);
}

int main(void)
{
    CHECK_INT(het_context_create(NULL, &context, NULL), HET_OK);
    test_case(own_templates);
    test_case(models_templates);
    test_case(dates);
    test_case(variables);
    test_case(limits);
    test_case(scarce_memory);
    test_case(of_a_model);
    test_case(callers_mistakes);
    het_context_destroy(context);
    return test_finish();
}
