/* SPDX-License-Identifier: Apache-2.0 */
/* YAML as a tree: what is read, what is refused with which line, numbers with units that come back
 * as they were written, and memory that runs out at every allocation. */
#include <locale.h>

#include "counting_allocator.h"
#include "lib/base/yaml.h"
#include "test.h"

static counting_allocator counter;
static het__mem mem;
static het__arena arena;
static het_error err;

static void begin(void)
{
    const het_allocator allocator = counting_allocator_of(&counter);
    counting_allocator_fail(&counter, 0);
    het__mem_init(&mem, &allocator);
    het__arena_init(&arena, &mem);
    err = (het_error)HET_ERROR_INIT;
}

static void end(void)
{
    het__arena_finish(&arena);
    CHECK_INT(counter.blocks, 0);
}

/* Text as a tree; NULL if it is refused. Strings of the caller are copied to blocks of their size,
 * so that a sanitizer sees what is read behind them. */
static const het__yaml_node *parse_bytes(const char *text, size_t size)
{
    const het__yaml_node *root = NULL;
    char *copy = malloc(size ? size : 1);
    memcpy(copy, text, size);
    const het_status s = het__yaml_parse(copy, size, "t.yaml", &arena, &root, &err);
    free(copy);
    CHECK(s == HET_OK || s == HET_E_FORMAT);
    return s == HET_OK ? root : NULL;
}

static const het__yaml_node *parse(const char *text)
{
    return parse_bytes(text, strlen(text));
}

static void tree_is_as_written(void)
{
    begin();
    const het__yaml_node *root = parse("# comment\n"
                                       "a: 1\n"
                                       "b:\n"
                                       "  - x\n"
                                       "  - {c: \"2\", d: [], e: }\n"
                                       "'f g': |\n"
                                       "  two\n"
                                       "  lines\n");
    CHECK(root && root->kind == HET__YAML_MAPPING && root->count == 3 && !root->key);
    if (!root)
        return;
    const het__yaml_node *b = het__yaml_get(root, "b"), *f = het__yaml_get(root, "f g");
    CHECK_STR(root->children[0].key, "a");
    CHECK_STR(root->children[0].text, "1");
    CHECK_INT(root->children[0].line, 2);
    CHECK(!root->children[0].is_quoted);
    CHECK(b && b->kind == HET__YAML_SEQUENCE && b->count == 2 && b->line == 4);
    CHECK(b && !b->children[0].key && b->children[0].line == 4);
    const het__yaml_node *m = b ? &b->children[1] : NULL;
    CHECK(m && m->kind == HET__YAML_MAPPING && m->count == 3 && m->line == 5);
    CHECK(het__yaml_get(m, "c") && het__yaml_get(m, "c")->is_quoted);
    CHECK(het__yaml_get(m, "d") && het__yaml_get(m, "d")->count == 0);
    CHECK_STR(het__yaml_get(m, "e") ? het__yaml_get(m, "e")->text : NULL, "");
    CHECK_STR(f ? f->text : NULL, "two\nlines\n");
    CHECK(!het__yaml_get(root, "c") && !het__yaml_get(b, "a") && !het__yaml_get(NULL, "a"));
    end();
}

static void empty_documents_are_empty_mappings(void)
{
    static const char *const texts[] = { "", "\n", "# nothing\n", "---\n", "--- \n...\n",
                                         "\xef\xbb\xbf" };
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        begin();
        const het__yaml_node *root = parse(texts[i]);
        CHECK(root && root->kind == HET__YAML_MAPPING && root->count == 0);
        end();
    }
    begin();
    const het__yaml_node *root = parse("\"\"");
    CHECK(root && root->kind == HET__YAML_SCALAR);
    end();
}

static void refusals_name_the_line(void)
{
    static const struct {
        const char *text, *message;
    } cases[] = {
        { "a: 1\nb: *x\n", "t.yaml:2: anchors are not supported" },
        { "a: &x 1\n", "t.yaml:1: anchors are not supported" },
        { "a: 1\n\nb: !!str 1\n", "t.yaml:3: tags are not supported" },
        { "%TAG ! tag:x,2000:\n---\na: 1\n", "t.yaml:1: tags are not supported" },
        { "a: 1\nb: 2\nc: 3\nb: 4\na: 5\n", "t.yaml:4: the key 'b' is there twice" },
        { "a:\n  - {x: 1, \"x\": 2}\n", "t.yaml:2: the key 'x' is there twice" },
        { "a: 1\n---\nb: 2\n", "t.yaml:2: there is more than one document" },
        { "? [a]\n: 1\n", "t.yaml:1: a key must be a text" },
        { "a: 1\nb: \"x\\0y\"\n", "t.yaml:2: a text holds a zero byte" },
        { "a: 1\nb: [1, 2\n", "t.yaml:3: did not find expected ',' or ']' while parsing a flow "
                              "sequence" },
        { "a: 1\nb: \xff\n", "t.yaml:2: invalid leading UTF-8 octet" },
        { "a: 1\n b: 2\n", "t.yaml:2: mapping values are not allowed in this context" },
        { "a: 1\n\tb: 2\n", NULL },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        begin();
        CHECK(!parse(cases[i].text));
        CHECK_INT(err.status, HET_E_FORMAT);
        if (cases[i].message)
            CHECK_STR(err.message, cases[i].message);
        end();
    }
    begin();
    CHECK(!parse_bytes("a: \0", 4));
    end();
}

static void limits_hold(void)
{
    char deep[2 * HET__YAML_DEPTH_MAX + 8];
    for (int depth = HET__YAML_DEPTH_MAX; depth <= HET__YAML_DEPTH_MAX + 1; depth++) {
        begin();
        memset(deep, '[', (size_t)depth);
        memset(deep + depth, ']', (size_t)depth);
        CHECK((parse_bytes(deep, 2 * (size_t)depth) != NULL) == (depth == HET__YAML_DEPTH_MAX));
        end();
    }
    /* Nodes: the sequence is one itself. */
    const size_t size = 2 * (size_t)HET__YAML_NODES_MAX + 4;
    char *wide = malloc(size);
    for (size_t i = 0; i < size; i += 2)
        memcpy(wide + i, "1,", 2);
    wide[0] = '[';
    for (uint32_t extra = 0; extra < 2; extra++) {
        begin();
        const size_t n = 1 + 2 * ((size_t)HET__YAML_NODES_MAX - 1 + extra);
        memcpy(wide + n - 2, "1]", 2);
        wide[0] = '[';
        for (size_t i = 1; i + 2 < n; i += 2)
            memcpy(wide + i, "1,", 2);
        CHECK((parse_bytes(wide, n) != NULL) == (extra == 0));
        end();
    }
    free(wide);
    begin();
    const het__yaml_node *root = NULL;
    CHECK_INT(het__yaml_parse("", (size_t)HET__YAML_BYTES_MAX + 1, "t.yaml", &arena, &root, &err),
              HET_E_FORMAT);
    CHECK(strstr(err.message, "16777217 bytes"));
    end();
}

/* What a file brings into a message drives no terminal, and long names leave room. */
static void messages_can_be_shown(void)
{
    char name[400], path[500];
    begin();
    const het__yaml_node *root = parse("\"a\\e[31m\\x9b\\u2028b\": 1\n");
    static const char *const keys[] = { "known", "other", NULL };
    CHECK(root != NULL);
    CHECK_INT(het__yaml_keys("t.yaml", root, keys, &err), HET_E_INVALID);
    CHECK_STR(err.message, "t.yaml:1: unknown key 'a?[31m?" "?" "?" "?" "?b', not one of known, "
                           "other");
    memset(name, 'k', sizeof name);
    name[sizeof name - 1] = '\0';
    snprintf(path, sizeof path, "/%s/m.yaml", name);
    CHECK_INT(het__yaml_fail(path, root, &err, "%s", name), HET_E_INVALID);
    CHECK(strstr(err.message, "/m.yaml:1: kkk") && strlen(err.message) < sizeof err.message);
    memset(name, 0, sizeof name);
    for (size_t i = 0; i + 4 < sizeof name; i += 2)
        memcpy(name + i, "\xc3\xa4", 2);
    for (size_t cut = 0; cut < 2; cut++) {
        CHECK_INT(het__yaml_fail("t", root, &err, "%s%s", cut ? "x" : "", name), HET_E_INVALID);
        for (const char *at = err.message; *at; at += het__yaml_shown(at))
            if (!het__yaml_shown(at)) {
                TEST_FAIL("a cut character");
                break;
            }
    }
    end();
}

static het_status number(const char *text, double low, double high, double *value)
{
    const het__yaml_node *root = parse(text);
    return root ? het__yaml_number("t.yaml", &root->children[0], low, high, value, &err)
                : HET_E_FORMAT;
}

static void numbers_have_units(void)
{
    static const struct {
        const char *text;
        double value; /* NAN: refused */
    } cases[] = {
        { "n: 12", 12 }, { "n: -1.5", -1.5 }, { "n: +.5e1", 5 }, { "n: 1e3", 1000 },
        { "n: 89.6 GB/s", 89.6e9 }, { "n: 89.6GB/s", 89.6e9 }, { "n: 2 GiB", 2147483648.0 },
        { "n: 1.5Mi", 1572864 }, { "n: 3k", 3000 }, { "n: 3 T", 3e12 }, { "n: 7 B", 7 },
        { "n: 0.1", 0.1 }, { "n: 4Ki B", NAN }, { "n: 1 m", NAN }, { "n: 1 P", NAN },
        { "n: 1 Gb", NAN }, { "n: \"12\"", NAN }, { "n: 1 2", NAN }, { "n: 0x10", NAN },
        { "n: nan", NAN }, { "n: .inf", NAN }, { "n: inf", NAN }, { "n: 1e999", NAN },
        { "n: 1e99999999999999999999", NAN }, { "n: .", NAN }, { "n: -x", NAN }, { "n: 1e", NAN },
        { "n: ", NAN }, { "n: [1]", NAN }, { "n: 1,5", NAN }, { "n: 1e-999", 0 },
        { "n: 11111111111111111111111111111111111111111", NAN },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        double value = -77;
        begin();
        const het_status s = number(cases[i].text, -1e18, 1e18, &value);
        if (isnan(cases[i].value) ? s != HET_E_INVALID || value != -77
                                  : s != HET_OK || value != cases[i].value)
            TEST_FAIL("'%s' gives %d, %.17g", cases[i].text, s, value);
        CHECK(s == HET_OK || strncmp(err.message, "t.yaml:1: n ", 12) == 0);
        end();
    }
    double value = 0;
    begin();
    CHECK_INT(number("n: 5", 6, 7, &value), HET_E_INVALID);
    CHECK_STR(err.message, "t.yaml:1: n is '5', not in 6 to 7");
    CHECK_INT(number("n: 6", 6, 7, &value), HET_OK);
    CHECK_INT(number("n: 7", 6, 7, &value), HET_OK);
    end();
}

static het_status quantity(const char *text, const char *unit, int power, double *value)
{
    const het__yaml_node *root = parse(text);
    return root ? het__yaml_quantity("t.yaml", &root->children[0], unit, power, 0, 1e30, value,
                                     &err)
                : HET_E_FORMAT;
}

static void quantities_must_have_their_unit(void)
{
    static const struct {
        const char *text, *unit;
        int power;
        double value;
    } cases[] = {
        { "q: 25 us", "s", 9, 25000 },      { "q: 1 s", "s", 9, 1e9 },
        { "q: 0.3pJ/op", "J/op", 0, 0.3e-12 }, { "q: 1 Pop/s", "op/s", 0, 1e15 },
        { "q: 4 KiB", "B", 0, 4096 },       { "q: 4 KiB/s", "B/s", 0, 4096 },
        { "q: 16", "", 0, 16 },             { "q: 16 k", "", 0, NAN },
        { "q: 16", "B", 0, NAN },           { "q: 1 Ks", "s", 9, NAN },
        { "q: 1 Kis", "s", 9, NAN },        { "q: 1 GB", "B/s", 0, NAN },
        { "q: 1 m", "s", 9, NAN },          { "q: -1 s", "s", 9, NAN },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        double value = -77;
        begin();
        const het_status s = quantity(cases[i].text, cases[i].unit, cases[i].power, &value);
        if (isnan(cases[i].value) ? s != HET_E_INVALID : s != HET_OK || value != cases[i].value)
            TEST_FAIL("'%s' gives %d, %.17g", cases[i].text, s, value);
        end();
    }
}

static void check_written(double value, const char *unit, int power, const char *want)
{
    het__text text;
    char line[512];
    double back = -1;
    begin();
    het__text_init(&text, &mem);
    het__yaml_put_quantity(&text, value, unit, power);
    if (want)
        CHECK_STR(text.data, want);
    snprintf(line, sizeof line, "q: %s", text.data ? text.data : "");
    if (quantity(line, unit, power, &back) != HET_OK || back != value)
        TEST_FAIL("%.17g is written '%s' and read as %.17g", value, line, back);
    het__text_finish(&text);
    end();
}

static void written_quantities_come_back(void)
{
    uint64_t seed = 7;
    static const char *const units[] = { "", "B", "B/s", "op/s", "s" };
    check_written(89.6e9, "B/s", 0, "89.6 GB/s");
    check_written(25000, "s", 9, "25 us");
    check_written(1.5, "s", 9, "1.5 ns");
    check_written(0.696e-12, "J/op", 0, "0.696 pJ/op");
    check_written(2.35e9, "Hz", 0, "2.35 GHz");
    check_written(16, "", 0, "16");
    check_written(0.1, "", 0, "0.1");
    check_written(1e21, "op/s", 0, "1000000 Pop/s");
    check_written(999999999, "op/s", 0, "999.999999 Mop/s");
    check_written(1000, "W", 0, "1 kW");
    check_written(262144, "B", 0, "256 KiB");
    check_written(24.0 * 1048576, "B", 0, "24 MiB");
    check_written(1536, "B", 0, "1.536 kB");
    check_written(80e9, "B", 0, "80 GB");
    check_written(0, "B", 0, "0 B");
    for (int i = 0; i < 3000; i++) {
        const int power = (int)(test_random(&seed) % 40) - 15;
        const double value = (double)(test_random(&seed) >> 11) * 0x1p-53 * pow(10, power);
        const char *unit = units[test_random(&seed) % 5];
        check_written(value, unit, unit[0] == 's' ? 9 : 0, NULL);
        check_written(floor(value), unit, 0, NULL);
    }
}

/* A comma for a point in the process's locale changes nothing. */
static void locale_does_not_matter(void)
{
    static const char *const names[] = { "de_DE.UTF-8", "fr_FR.UTF-8", "de_DE" };
    for (size_t i = 0; i < 3; i++)
        if (setlocale(LC_NUMERIC, names[i]))
            break;
    check_written(1234.5678, "", 0, "1234.5678");
    check_written(89.6e9, "B/s", 0, "89.6 GB/s");
    setlocale(LC_NUMERIC, "C");
}

static void texts_flags_and_choices(void)
{
    static const char *const names[] = { "zero", "one", NULL };
    const char *text = NULL;
    uint32_t index = 9;
    bool flag = false;
    begin();
    const het__yaml_node *root = parse("{a: one, b: yes, c: \"yes\", d: \"\", e: \"x\\ty\", "
                                       "f: off, g: \xc3\xa4, h: two, i: [], j: \"\\u200b\"}");
    CHECK(root && root->count == 10);
    const het__yaml_node *n = root->children;
    CHECK(het__yaml_choice("t", &n[0], names, &index, &err) == HET_OK && index == 1);
    CHECK_INT(het__yaml_choice("t", &n[7], names, &index, &err), HET_E_INVALID);
    CHECK_STR(err.message, "t:1: h must be one of zero, one, not 'two'");
    CHECK_INT(het__yaml_choice("t", &n[8], names, &index, &err), HET_E_INVALID);
    CHECK(het__yaml_flag("t", &n[1], &flag, &err) == HET_OK && flag);
    CHECK(het__yaml_flag("t", &n[5], &flag, &err) == HET_OK && !flag);
    CHECK_INT(het__yaml_flag("t", &n[2], &flag, &err), HET_E_INVALID);
    CHECK_STR(err.message, "t:1: c must be true or false, not \"yes\"");
    CHECK_INT(het__yaml_text("t", &n[3], 10, &text, &err), HET_E_INVALID);
    CHECK_INT(het__yaml_text("t", &n[4], 10, &text, &err), HET_E_INVALID);
    CHECK_INT(het__yaml_text("t", &n[9], 10, &text, &err), HET_E_INVALID);
    CHECK_INT(het__yaml_text("t", &n[0], 2, &text, &err), HET_E_INVALID);
    CHECK(het__yaml_text("t", &n[6], 2, &text, &err) == HET_OK && text == n[6].text);
    CHECK_INT(het__yaml_need("t", root, "zz", &n, &err), HET_E_INVALID);
    CHECK_STR(err.message, "t:1: the key 'zz' is missing");
    end();
}

static void written_texts_come_back(void)
{
    static const char *const texts[] = { "plain", "a: {b}", "\"quoted\" \\ and #", " blanks ",
                                         "\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80", "- x", "~" };
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        het__text text;
        begin();
        het__text_init(&text, &mem);
        het__text_append(&text, "t: ", 3);
        het__yaml_put_text(&text, texts[i]);
        const het__yaml_node *root = parse(text.data);
        CHECK_STR(root ? root->children[0].text : NULL, texts[i]);
        het__text_finish(&text);
        end();
    }
    het__text text;
    begin();
    het__text_init(&text, &mem);
    het__yaml_put_text(&text, "a\tb\xff\xe2\x80\xa8\xed\xa0\x80" "c");
    CHECK_STR(text.data, "\"a?b?" "?" "?" "?" "?" "?" "?c\"");
    het__text_finish(&text);
    end();
}

static void memory_runs_out_everywhere(void)
{
    static const char text[] = "a: [1, 2, {b: 3, c: 4}]\nd: \"five\"\ne: {f: {g: {h: i}}}\n";
    for (uint64_t n = 1; n < 100; n++) {
        const het__yaml_node *root = NULL;
        begin();
        counting_allocator_fail(&counter, n);
        const het_status s = het__yaml_parse(text, sizeof text - 1, "t", &arena, &root, &err);
        const bool failed = counter.failed > 0;
        CHECK_INT(s, failed ? HET_E_NOMEM : HET_OK);
        end();
        if (!failed)
            return;
    }
    TEST_FAIL("memory never sufficed");
}

int main(void)
{
    test_case(tree_is_as_written);
    test_case(empty_documents_are_empty_mappings);
    test_case(refusals_name_the_line);
    test_case(limits_hold);
    test_case(messages_can_be_shown);
    test_case(numbers_have_units);
    test_case(quantities_must_have_their_unit);
    test_case(written_quantities_come_back);
    test_case(locale_does_not_matter);
    test_case(texts_flags_and_choices);
    test_case(written_texts_come_back);
    test_case(memory_runs_out_everywhere);
    return test_finish();
}
