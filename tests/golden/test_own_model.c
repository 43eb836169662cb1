/* SPDX-License-Identifier: Apache-2.0 */
/* The embedded models against what transformers computed from the same weights in float32:
 * logits within 1e-4 at once, token by token and in odd chunks; greedy text; the best token of
 * every position in 8 bits; which experts each token uses; and the sentencepiece package's token
 * ids.
 *
 *     test_own_model DEVICES */
#define _XOPEN_SOURCE 700 /* mkdtemp */
#include <jansson.h>

#include <hetinfer/quantize.h>

#include "folder.h"
#include "golden/feed.h"
#include "lib/api/handles.h"
#include "lib/plain/route.h"

#define ROWS_MAX 512
#define VOCABULARY 2048

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
    CHECK(want != NULL && rows >= 16);
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

/* Logits of every position of the longest prompt at the five best tokens, several windows long. */
static void check_best(het_session *s, const json_t *prompt, const int32_t *ids, size_t count,
                       bool is_exact, size_t *same)
{
    const json_t *best = json_object_get(prompt, "top5_ids");
    const json_t *values = json_object_get(prompt, "top5_logits");
    het_sequence *q = NULL;
    double worst = 0;
    *same = 0;
    CHECK_INT(het_sequence_create(s, &q, NULL), HET_OK);
    CHECK_INT(het_sequence_append(q, ids, count, HET_APPEND_LOGITS_ALL, NULL), HET_OK);
    for (size_t seen = 0; q && seen < count;) {
        uint32_t rows = 0;
        CHECK_INT(het_session_step(s, NULL, NULL), HET_OK);
        const float *x = het_sequence_logits(q, NULL, &rows);
        for (uint32_t r = 0; x && r < rows; r++, seen++, x += VOCABULARY) {
            const json_t *row = json_array_get(best, seen), *numbers = json_array_get(values, seen);
            size_t top = 0;
            for (size_t i = 1; i < VOCABULARY; i++)
                top = x[i] > x[top] ? i : top;
            *same += (json_int_t)top == json_integer_value(json_array_get(row, 0));
            for (size_t i = 0; i < 5; i++) {
                const json_int_t id = json_integer_value(json_array_get(row, i));
                const double want = json_number_value(json_array_get(numbers, i));
                worst = fmax(worst, fabs((double)x[id] - want));
            }
        }
        if (!x)
            break;
    }
    printf("  best of %zu positions: %zu the same, logits off by %.2e\n", count, *same, worst);
    CHECK(!is_exact || (worst <= 1e-4 && *same == count));
    het_sequence_destroy(q);
}

/* Positions whose best token in 8 bits is that of the original. */
static void check_quantised(const char *model_path, const char *devices, const json_t *prompt,
                            const int32_t *ids, size_t count)
{
    static test_folder folder;
    het_context *context = NULL;
    het_model *model = NULL;
    het_quantization *report = NULL;
    het_error err = HET_ERROR_INIT;
    size_t same = 0;
    test_folder_make(&folder);
    const char *file = test_folder_file(&folder, "q8.gguf");
    CHECK_INT(het_context_create(NULL, &context, NULL), HET_OK);
    CHECK_INT(het_model_load(context, model_path, NULL, &model, NULL), HET_OK);
    if (model && het_quantize(model, NULL, file, &report, &err) != HET_OK)
        TEST_FAIL("%s: %s", model_path, err.message);
    het_session *s = report ? open_session(file, devices, HET_PRECISION_EXACT) : NULL;
    if (s)
        check_best(s, prompt, ids, count, false, &same);
    CHECK(same * 100 >= count * 95);
    het_session_destroy(s);
    het_quantization_destroy(report);
    het_model_destroy(model);
    het_context_destroy(context);
    test_folder_remove(&folder);
}

/* ---- experts ---- */

typedef struct router {
    const het__node *node;
    const float *scores; /* [tokens of the step, experts] */
} router;

#define LAYERS_MAX 8

/* Scores of the routers as outputs of the graph. */
static uint32_t mark_routers(het__graph *graph, router *routers)
{
    uint32_t count = 0;
    for (uint32_t n = 0; n < graph->node_count && count < LAYERS_MAX; n++)
        if (graph->nodes[n].op == HET__OP_MOE) {
            graph->values[graph->nodes[n].inputs[1]].kind = HET__VALUE_OUTPUT;
            routers[count++].node = &graph->nodes[n];
        }
    return count;
}

static void compare_experts(const router *r, size_t tokens, size_t first, int32_t experts,
                            const json_t *want)
{
    const het__moe_attrs *attrs = &r->node->attrs.moe;
    size_t differ = 0;
    for (size_t t = 0; t < tokens; t++) {
        het__route route;
        het__route_token(attrs, r->scores + t * (size_t)experts, experts, &route);
        for (size_t k = 0; k < (size_t)attrs->used; k++) {
            const size_t at = (first + t) * (size_t)attrs->used + k;
            differ += route.expert[k] != json_integer_value(json_array_get(want, at));
        }
    }
    CHECK_INT(differ, 0);
}

static het_status run_routers(het_model *model, het__graph *graph, const int32_t *ids,
                              size_t count, const json_t *want, het_error *err)
{
    const het__registry *registry = &model->context->registry;
    const het__limits limits = { ROWS_MAX, 1, 64, 64, VOCABULARY, HET__PAGE_SIZE, 0, 0, NULL };
    het__exec_request request = { .registry = registry, .threads = 1, .graph = graph,
                                  .device_mask = (1u << registry->count) - 1 };
    router routers[LAYERS_MAX];
    het__engine engine = { 0 };
    het__stream *stream = NULL;
    het__exec *exec = NULL;
    const uint32_t layers = mark_routers(graph, routers);
    CHECK_INT(layers, json_array_size(want));
    het__engine_symbols(&limits, request.symbols_max);
    het_status s = het__exec_create(&request, &exec, err);
    if (s == HET_OK)
        s = het__engine_init(&engine, registry->host.mem, exec, &limits, err);
    if (s == HET_OK)
        s = het__stream_create(&engine, &stream, err);
    for (uint32_t i = 0; s == HET_OK && i < layers; i++)
        routers[i].scores = het__exec_output(
            exec, graph->values[routers[i].node->inputs[1]].name);
    if (s == HET_OK)
        s = het__stream_append(&engine, stream, ids, count, false, err);
    while (s == HET_OK && stream->done < stream->length) {
        const int64_t first = stream->done;
        s = het__engine_step(&engine, NULL, err);
        for (uint32_t i = 0; s == HET_OK && i < layers; i++)
            compare_experts(&routers[i], (size_t)(stream->done - first), (size_t)first,
                            (int32_t)model->language->config.experts, json_array_get(want, i));
    }
    if (stream)
        het__stream_destroy(&engine, stream);
    het__engine_finish(&engine);
    het__exec_destroy(exec);
    return s;
}

static void check_experts(const char *path, const char *devices, const json_t *want,
                          const int32_t *ids, size_t count)
{
    het_context_options o = HET_CONTEXT_OPTIONS_INIT;
    het_context *context = NULL;
    het_model *model = NULL;
    het_error err = HET_ERROR_INIT;
    het__graph graph;
    uint32_t unfused;
    o.backends = devices;
    CHECK_INT(het_context_create(&o, &context, &err), HET_OK);
    CHECK_INT(het_model_load(context, path, NULL, &model, &err), HET_OK);
    if (model && het__model_graph(model, HET_DTYPE_F32, &graph, &unfused, &err) == HET_OK) {
        if (run_routers(model, &graph, ids, count, want, &err) != HET_OK)
            TEST_FAIL("%s: %s", path, err.message);
        printf("  experts of %zu tokens in %zu layers\n", count, json_array_size(want));
        het__graph_finish(&graph);
    }
    het_model_destroy(model);
    het_context_destroy(context);
}

static void check_more(het_session *s, const char *path, const char *devices,
                       const json_t *prompt, const int32_t *ids, size_t count)
{
    const json_t *experts = json_object_get(prompt, "experts");
    size_t same;
    check_best(s, prompt, ids, count, true, &same);
    check_quantised(path, devices, prompt, ids, count);
    if (experts)
        check_experts(path, devices, experts, ids, count);
}

static void check_model(const char *name, const char *end, const char *devices)
{
    char path[512], file[128];
    snprintf(file, sizeof file, "examples/models/%s%s", name, end);
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
        check_logits(s, prompt, ids, n, VOCABULARY);
        check_greedy(s, prompt);
        if (strcmp(json_string_value(json_object_get(prompt, "name")), "long") == 0)
            check_more(s, path, devices, prompt, ids, n);
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
    check_model("hearth-draft", ".gguf", devices);
    check_model("hearth", ".gguf", devices);
    check_model("hearth-gemma2", "", devices);
    check_model("hearth-phimoe", "", devices);
    check_tokenizer("hearth-draft");
    return test_finish();
}
