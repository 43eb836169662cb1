/* SPDX-License-Identifier: Apache-2.0 */
/* Images in blocks of channels on their way through resizes, concatenations and heads of few
 * channels: every device gives what the reference gives, for random channels and sizes. */
#include <hetinfer.h>

#include <stdbool.h>

#include "onnx_writer.h"
#include "test.h"

#define ROUNDS 40

static uint64_t seed = 9;

static int pick(int first, int last)
{
    return first + (int)(test_random(&seed) % (uint64_t)(last - first + 1));
}

typedef struct net {
    ow graph;
    int64_t height, width;
} net;

static void weight(net *n, const char *name, int64_t a, int64_t b, int64_t kernel)
{
    const int64_t count = a * b * kernel * kernel;
    float *data = malloc((size_t)count * sizeof *data);
    char shape[64];
    for (int64_t i = 0; i < count; i++)
        data[i] = test_random_float(&seed) / (float)(b * kernel);
    snprintf(shape, sizeof shape, "%lld,%lld,%lld,%lld", (long long)a, (long long)b,
             (long long)kernel, (long long)kernel);
    ow_add(&n->graph, OW_WEIGHT, ow_tensor(name, OW_FLOAT, shape, data,
                                           (size_t)count * sizeof *data));
    free(data);
}

static void conv(net *n, const char *in, const char *out, int64_t from, int64_t to, int64_t kernel)
{
    char name[32], inputs[64];
    const int64_t pads[4] = { kernel / 2, kernel / 2, kernel / 2, kernel / 2 };
    snprintf(name, sizeof name, "w_%s", out);
    snprintf(inputs, sizeof inputs, "%s,%s", in, name);
    weight(n, name, to, from, kernel);
    ow node = ow_node("Conv", inputs, out);
    ow_attr_ints(&node, "pads", pads, 4);
    ow_add(&n->graph, OW_NODE, node);
}

/* Twice as high, three times as wide: by scales or by sizes. */
static void resize(net *n, const char *mode, bool by_scale, int64_t channels)
{
    const float scales[4] = { 1, 1, 2, 3 };
    const int64_t sizes[4] = { 1, channels, 2 * n->height, 3 * n->width };
    if (by_scale)
        ow_add(&n->graph, OW_WEIGHT, ow_tensor("by", OW_FLOAT, "4", scales, sizeof scales));
    else
        ow_add(&n->graph, OW_WEIGHT, ow_tensor("by", OW_INT64, "4", sizes, sizeof sizes));
    ow node = ow_node("Resize", by_scale ? "c,,by" : "c,,,by", "d");
    ow_attr_text(&node, "mode", mode);
    ow_attr_text(&node, "coordinate_transformation_mode",
                 pick(0, 1) ? "asymmetric" : "half_pixel");
    ow_add(&n->graph, OW_NODE, node);
}

/* x -> a picture's convolution, a resize, a concatenation with itself, a head. */
static ow random_file(het_tensor_desc *input)
{
    net n = { .graph = ow_graph("g"), .height = pick(1, 9), .width = pick(1, 9) };
    const int64_t first = pick(1, 40), second = pick(1, 3) * 16 - (pick(0, 2) ? 0 : pick(1, 9));
    const int64_t head = pick(1, 6);
    char shape[64];
    *input = (het_tensor_desc){ .dtype = HET_DTYPE_F32, .rank = 4,
                                .extent = { 1, 3, n.height, n.width } };
    snprintf(shape, sizeof shape, "1,3,%lld,%lld", (long long)n.height, (long long)n.width);
    ow_value(&n.graph, OW_INPUT, "x", OW_FLOAT, shape);
    ow_value(&n.graph, OW_OUTPUT, "y", OW_FLOAT, NULL);
    conv(&n, "x", "a", 3, first, 3);
    ow_add_node(&n.graph, "Relu", "a", "b");
    conv(&n, "b", "c", first, second, pick(0, 1) ? 1 : 3);
    resize(&n, pick(0, 1) ? "linear" : "nearest", pick(0, 1) != 0, second);
    ow concat = ow_node("Concat", "d,d", "e");
    ow_attr_int(&concat, "axis", 1);
    ow_add(&n.graph, OW_NODE, concat);
    conv(&n, "e", "f", 2 * second, head, pick(0, 1) ? 1 : 3);
    ow_add_node(&n.graph, "Sigmoid", "f", "y");
    return ow_model(9, 17, n.graph);
}

/* To be freed. */
static float *run(const ow *file, const char *device, const het_tensor *in, size_t *bytes)
{
    het_error err = HET_ERROR_INIT;
    het_context *context = NULL;
    het_model *model = NULL;
    het_session *s = NULL;
    het_session_options o = HET_SESSION_OPTIONS_INIT;
    het_tensor out = HET_TENSOR_INIT;
    float *result = NULL;
    o.devices = device;
    o.threads = 2;
    if (het_context_create(NULL, &context, &err) == HET_OK &&
        het_model_load_memory(context, file->data, file->bytes, NULL, &model, &err) == HET_OK &&
        het_session_create(model, &o, &s, &err) == HET_OK &&
        het_session_bind_input(s, "x", in, &err) == HET_OK &&
        het_session_run(s, &err) == HET_OK &&
        het_session_get_output(s, "y", &out, &err) == HET_OK) {
        result = malloc(out.size_bytes);
        memcpy(result, out.data, out.size_bytes);
        *bytes = out.size_bytes;
    } else {
        TEST_FAIL("%s: %s", device, err.message);
    }
    het_session_destroy(s);
    het_model_destroy(model);
    het_context_destroy(context);
    return result;
}

static void devices_agree(void)
{
    for (int round = 0; round < ROUNDS; round++) {
        het_tensor in = HET_TENSOR_INIT;
        size_t want_bytes = 0, got_bytes = 0;
        ow file = random_file(&in.desc);
        const int64_t count = 3 * in.desc.extent[2] * in.desc.extent[3];
        float *x = malloc((size_t)count * sizeof *x);
        for (int64_t i = 0; i < count; i++)
            x[i] = test_random_float(&seed);
        in.data = x;
        in.size_bytes = (size_t)count * sizeof *x;
        float *want = run(&file, "ref", &in, &want_bytes);
        float *got = run(&file, "cpu_onednn,ref", &in, &got_bytes);
        CHECK_INT(got_bytes, want_bytes);
        for (size_t i = 0; want && got && i < want_bytes / sizeof *want; i++)
            CHECK_NEAR(got[i], want[i], 2e-6);
        free(want);
        free(got);
        free(x);
        free(file.data);
    }
}

int main(void)
{
    test_case(devices_agree);
    return test_finish();
}
