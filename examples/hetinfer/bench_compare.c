/* SPDX-License-Identifier: Apache-2.0 */
/* Results against those of an earlier run, as its --json left them. Rows are matched by name.
 * Beside the ratio of the medians stands that of the limits: a machine that was slower as a whole
 * shows there. */
#include "bench.h"

#include <stdio.h>
#include <string.h>

static json_t *load(const char *path)
{
    json_error_t error;
    json_t *root = json_load_file(path, 0, &error);
    const char *schema = json_string_value(json_object_get(root, "schema"));
    if (!root)
        failure("%s: %s", path, error.text);
    else if (!schema || strcmp(schema, "hetinfer.bench/1") != 0)
        failure("%s: the schema is %s, not hetinfer.bench/1", path, schema ? schema : "missing");
    else
        return root;
    json_decref(root);
    return NULL;
}

/* A file that was measured on another model says nothing. */
static bool same_model(const bench *b, const json_t *root, const char *path)
{
    const json_t *model = json_object_get(root, "model");
    const json_int_t bytes = json_integer_value(json_object_get(model, "weight_bytes"));
    const json_int_t count = json_integer_value(json_object_get(model, "parameter_count"));
    if (bytes == (json_int_t)b->engine->info.weight_bytes &&
        count == (json_int_t)b->engine->info.parameter_count)
        return true;
    failure("%s is about another model", path);
    return false;
}

static const json_t *find(const json_t *tests, const char *name)
{
    size_t i;
    const json_t *entry;
    json_array_foreach(tests, i, entry) {
        const char *its = json_string_value(json_object_get(entry, "name"));
        if (its && strcmp(its, name) == 0)
            return entry;
    }
    return NULL;
}

/* 1 if the row is slower beyond the tolerance. */
static int compare_row(const bench *b, const row *r, const json_t *entry, json_t *out, bool print)
{
    const double before = json_number_value(json_object_get(entry, "median"));
    const double limit = json_number_value(json_object_get(entry, "limit"));
    const double ratio = before > 0 ? r->median / before : 0.0;
    const bool slower = ratio < 1.0 - b->request->tolerance / 100.0;
    json_t *record = json_pack("{s:s, s:f, s:f, s:f, s:b}", "name", r->name, "before", before,
                               "now", r->median, "ratio", ratio, "slower", slower);
    const bool known = limit > 0 && r->limit > 0;
    json_object_set_new(record, "limit_ratio",
                        known ? json_real(r->limit / limit) : json_null());
    json_array_append_new(out, record);
    if (print) {
        printf("%-24s %10.2f %10.2f %8.3f", r->name, before, r->median, ratio);
        if (known)
            printf(" %8.3f", r->limit / limit);
        puts(slower ? "  slower" : "");
    }
    return slower;
}

int bench_compare_open(bench *b)
{
    b->earlier = load(b->request->compare);
    return b->earlier && same_model(b, b->earlier, b->request->compare) ? STATUS_GO
                                                                        : STATUS_FAILED;
}

int bench_compare(const bench *b, json_t *out, bool print)
{
    const char *path = b->request->compare;
    const json_t *tests = json_object_get(b->earlier, "tests");
    int slower = 0, compared = 0;
    if (print)
        printf("\n%-24s %10s %10s %8s %8s\n", "against the file", "before", "now", "ratio",
               "limits");
    for (size_t i = 0; i < b->row_count; i++) {
        const json_t *entry = find(tests, b->rows[i].name);
        if (!entry)
            continue;
        compared++;
        slower += compare_row(b, &b->rows[i], entry, out, print);
    }
    if (!compared)
        return failure("%s has none of these rows", path);
    return slower ? failure("%d of %d rows are more than %g %% slower than in %s", slower, compared,
                            b->request->tolerance, path)
                  : STATUS_GO;
}
