/* SPDX-License-Identifier: Apache-2.0 */
/* The analysis of small graphs whose counts are reckoned here by hand, and of language models of
 * true size and no weights. */
#define _GNU_SOURCE
#include <unistd.h>

#include <hetinfer.h>

#include "onnx_writer.h"
#include "tiny_model.h"

static het_context *context;

static het_model *load(ow *m)
{
    het_error err = HET_ERROR_INIT;
    het_model *model = NULL;
    if (het_model_load_memory(context, m->data, m->bytes, NULL, &model, &err) != HET_OK)
        TEST_FAIL("%s", err.message);
    return model;
}

static het_analysis *analyse(const het_model *model, const het_analysis_options *o)
{
    het_error err = HET_ERROR_INIT;
    het_analysis *a = NULL;
    if (het_analysis_make(model, o, &a, &err) != HET_OK)
        TEST_FAIL("%s", err.message);
    return a;
}

static het_analysis_info info_of(const het_analysis *a)
{
    het_analysis_info info = { .struct_size = sizeof info };
    CHECK_INT(het_analysis_get_info(a, &info), HET_OK);
    return info;
}

static het_subgraph node_of(const het_analysis *a, uint32_t index)
{
    het_subgraph s = { .struct_size = sizeof s };
    CHECK_INT(het_analysis_node_at(a, index, &s), HET_OK);
    return s;
}

/* ---- graphs ---- */

static void add_weight(ow *g, const char *name, const char *extents, size_t count)
{
    float *zeros = calloc(count, sizeof *zeros);
    ow_add(g, OW_WEIGHT, ow_tensor(name, OW_FLOAT, extents, zeros, count * sizeof *zeros));
    free(zeros);
}

static void add_conv(ow *g, const char *name, const char *inputs, const char *output,
                     int64_t kernel, int64_t stride, int64_t pad, int64_t group)
{
    ow n = ow_node("Conv", inputs, output);
    const int64_t pads[4] = { pad, pad, pad, pad }, strides[2] = { stride, stride };
    const int64_t kernels[2] = { kernel, kernel };
    ow_text(&n, OW_NODE_NAME, name);
    ow_attr_int(&n, "group", group);
    ow_attr_ints(&n, "kernel_shape", kernels, 2);
    ow_attr_ints(&n, "pads", pads, 4);
    ow_attr_ints(&n, "strides", strides, 2);
    ow_add(g, OW_NODE, n);
}

/* 8 channels of 14 x 14 -> 16 by 3 x 3 -> 16 of 7 x 7, each by itself -> 32 by one place. */
static ow three_convolutions(void)
{
    ow g = ow_graph("convolutions");
    ow_value(&g, OW_INPUT, "x", OW_FLOAT, "N,8,14,14");
    ow_value(&g, OW_OUTPUT, "y", OW_FLOAT, NULL);
    add_weight(&g, "w1", "16,8,3,3", 1152);
    add_weight(&g, "b1", "16", 16);
    add_weight(&g, "w2", "16,1,3,3", 144);
    add_weight(&g, "w3", "32,16,1,1", 512);
    add_conv(&g, "/first/Conv", "x,w1,b1", "a", 3, 1, 1, 1);
    add_conv(&g, "/second/Conv", "a,w2", "b", 3, 2, 1, 16);
    add_conv(&g, "/third/Conv", "b,w3", "y", 1, 1, 0, 1);
    return ow_model(8, 17, g);
}

typedef struct wanted {
    double parameters, macs, in, out, weights, batch, channel, spatial;
    uint32_t flags;
} wanted;

static void check_node(const het_analysis *a, uint32_t index, const wanted *w)
{
    const het_subgraph s = node_of(a, index);
    CHECK_NEAR(s.parameter_count, w->parameters, 0);
    CHECK_NEAR(s.mac_count, w->macs, 0);
    CHECK_NEAR(s.flop_count, 2 * w->macs, 0);
    CHECK_NEAR(s.input_bytes, w->in, 0);
    CHECK_NEAR(s.output_bytes, w->out, 0);
    CHECK_NEAR(s.weight_bytes, w->weights, 0);
    CHECK_NEAR(s.intensity, 2 * w->macs / (w->in + w->out + w->weights), 1e-9);
    CHECK_NEAR(s.parallelism->batch_count, w->batch, 0);
    CHECK_NEAR(s.parallelism->channel_count, w->channel, 0);
    CHECK_NEAR(s.parallelism->spatial_count, w->spatial, 0);
    CHECK_NEAR(s.parallelism->total_count, w->batch * w->channel * w->spatial, 0);
    CHECK_INT(s.parallelism->flags, w->flags);
    CHECK_INT(s.parallelism->struct_size, sizeof(het_parallelism));
    CHECK_INT(s.mapping->struct_size, sizeof(het_mapping));
    CHECK(s.mapping->used_unit_count <= s.mapping->unit_count);
    CHECK(s.mapping->thread_count == s.parallelism->total_count);
    CHECK(s.mapped_ns >= s.roofline_ns && s.roofline_ns > 0);
    CHECK_INT(s.stage, index);
    CHECK_INT(s.before_count, index > 0);
    CHECK(index == 0 || s.before[0] == index - 1);
    CHECK_INT(s.node_count, 1);
    CHECK_INT(s.nodes[0], index);
    CHECK_STR(s.operations, "Conv");
}

static void convolutions(void)
{
    static const double batches[] = { 1, 4, 8 };
    ow file = three_convolutions();
    het_model *model = load(&file);
    for (size_t i = 0; i < 3; i++) { /* the same graph, bound anew without reading it again */
        const double n = batches[i];
        const wanted nodes[] = {
            { 1168, n * 225792, n * 6272, n * 12544, 4672, n, 16, 196, 0 },
            { 144, n * 7056, n * 12544, n * 3136, 576, n, 16, 49, HET_PARALLELISM_DEPTHWISE },
            { 512, n * 25088, n * 3136, n * 6272, 2048, n, 32, 49, HET_PARALLELISM_POINTWISE },
        };
        het_analysis_options o = HET_ANALYSIS_OPTIONS_INIT;
        o.batch_count = (int64_t)n;
        het_analysis *a = analyse(model, &o);
        const het_analysis_info t = info_of(a);
        CHECK_INT(t.node_count, 3);
        CHECK_NEAR(t.parameter_count, 1824, 0);
        CHECK_NEAR(t.active_parameter_count, 1824, 0);
        CHECK_NEAR(t.mac_count, n * 257936, 0);
        CHECK_NEAR(t.traffic_bytes, n * 43904 + 7296, 0);
        CHECK_INT(t.concurrency->critical_path_count, 3);
        CHECK_INT(t.concurrency->width_count, 1);
        CHECK_NEAR(t.concurrency->efficiency, 1, 0);
        CHECK(t.utilisation > 0 && t.utilisation <= 1 && t.unit_fill > 0 && t.unit_fill <= 1);
        for (uint32_t k = 0; k < 3; k++)
            check_node(a, k, &nodes[k]);
        het_analysis_destroy(a);
    }
    het_model_destroy(model);
    free(file.data);
}

/* x -> Relu -> { Exp, Neg } -> Add -> Reshape -> an operation that nobody knows. */
static ow diamond_graph(void)
{
    static const int64_t shape[1] = { -1 };
    ow g = ow_graph("diamond");
    ow_value(&g, OW_INPUT, "x", OW_FLOAT, "4,8");
    ow_value(&g, OW_OUTPUT, "z", OW_FLOAT, NULL);
    ow_add(&g, OW_WEIGHT, ow_tensor("s", OW_INT64, "1", shape, sizeof shape));
    ow_add_node(&g, "Relu", "x", "a");
    ow_add_node(&g, "Exp", "a", "b");
    ow_add_node(&g, "Neg", "a", "c");
    ow_add_node(&g, "Add", "b,c", "d");
    ow_add_node(&g, "Reshape", "d,s", "e");
    ow_add_node(&g, "com.example:Mirror", "e", "z");
    return ow_model(8, 17, g);
}

static void diamond(void)
{
    ow file = diamond_graph();
    het_model *model = load(&file);
    het_analysis *a = analyse(model, NULL);
    const het_analysis_info t = info_of(a);
    CHECK_INT(t.node_count, 6);
    CHECK_INT(t.opaque_count, 1);
    CHECK_INT(t.concurrency->critical_path_count, 5);
    CHECK_INT(t.concurrency->width_count, 2);
    CHECK_NEAR(t.concurrency->efficiency, 6.0 / 10, 1e-12);
    CHECK_NEAR(t.parameter_count, 0, 0); /* shapes are none */
    het_analysis_stage stage = { .struct_size = sizeof stage };
    CHECK_INT(het_analysis_stage_at(a, 1, &stage), HET_OK);
    CHECK_INT(stage.node_count, 2);
    CHECK_NEAR(stage.flop_count, 64, 0);
    CHECK_NEAR(stage.bytes, 4 * 128, 0);
    CHECK_INT(het_analysis_stage_at(a, 5, &stage), HET_E_INVALID);
    CHECK_INT(node_of(a, 4).flags, HET_SUBGRAPH_VIEW);
    CHECK_NEAR(node_of(a, 4).mapped_ns, 0, 0);
    CHECK_INT(node_of(a, 4).bottleneck, HET_BOTTLENECK_NONE);
    CHECK_INT(node_of(a, 5).flags, HET_SUBGRAPH_OPAQUE);
    CHECK_NEAR(node_of(a, 3).input_bytes, 256, 0);
    CHECK_INT(node_of(a, 3).before_count, 2);
    CHECK_INT(node_of(a, 3).before[0], 1);
    CHECK_INT(node_of(a, 3).before[1], 2);
    het_analysis_destroy(a);
    het_model_destroy(model);
    free(file.data);
}

/* What the greedy rule makes: a fork ends a group, a join begins one. */
static void groups(void)
{
    ow file = diamond_graph();
    het_model *model = load(&file);
    het_analysis *a = analyse(model, NULL);
    const het_analysis_info t = info_of(a);
    het_subgraph g = { .struct_size = sizeof g };
    double bytes = 0;
    CHECK_INT(t.group_count, 5);
    for (uint32_t k = 0; k < t.group_count; k++) {
        CHECK_INT(het_analysis_group_at(a, k, &g), HET_OK);
        CHECK_INT(g.node_count, g.operation_count);
        CHECK_INT(node_of(a, g.nodes[0]).group, k);
        bytes += g.input_bytes + g.output_bytes + g.weight_bytes;
        if (g.node_count == 2) {
            CHECK_STR(g.operations, "Add,Reshape");
            CHECK_INT(g.before_count, 2);
            CHECK_INT(g.stage, 2);
        }
    }
    CHECK_NEAR(bytes, t.grouped_bytes, 1e-9);
    CHECK_INT(het_analysis_group_at(a, 5, &g), HET_E_INVALID);
    het_analysis_destroy(a);
    het_model_destroy(model);
    free(file.data);
}

/* Sums and shapes go with their edges: what they join falls apart. */
static void compat(void)
{
    ow file = diamond_graph();
    het_model *model = load(&file);
    het_analysis_options o = HET_ANALYSIS_OPTIONS_INIT;
    o.flags = HET_ANALYSIS_COMPAT;
    het_analysis *a = analyse(model, &o);
    const het_analysis_info t = info_of(a);
    CHECK_INT(t.node_count, 4); /* without Add and Reshape */
    CHECK_INT(t.concurrency->critical_path_count, 2);
    CHECK_INT(t.concurrency->width_count, 2);
    CHECK_INT(node_of(a, 3).stage, 0);
    het_analysis_destroy(a);
    het_model_destroy(model);
    free(file.data);
}

static het_status count_visit(void *user, uint32_t index, const het_subgraph *node)
{
    uint32_t *count = user;
    CHECK_INT(index, *count);
    CHECK(node->operations[0] != '\0');
    return ++*count == 4 ? HET_E_CANCELLED : HET_OK;
}

static void visits(void)
{
    ow file = diamond_graph(), three = three_convolutions();
    het_model *model = load(&file), *other = load(&three);
    het_analysis *a = analyse(model, NULL), *b = analyse(other, NULL);
    uint32_t count = 0;
    CHECK_INT(het_analysis_foreach(b, count_visit, &count), HET_OK);
    CHECK_INT(count, 3);
    count = 0;
    CHECK_INT(het_analysis_foreach(a, count_visit, &count), HET_E_CANCELLED);
    CHECK_INT(count, 4);
    het_model_destroy(model); /* which the analysis keeps alive */
    CHECK_STR(node_of(a, 0).operations, "Relu");
    het_analysis_destroy(a);
    het_analysis_destroy(b);
    het_model_destroy(other);
    free(file.data);
    free(three.data);
}

static void support(void)
{
    ow file = diamond_graph();
    het_model *model = load(&file);
    het_analysis_options o = HET_ANALYSIS_OPTIONS_INIT;
    het_analysis *a = analyse(model, &o);
    const char *why = "untouched";
    CHECK_INT(het_analysis_support_at(a, 0, 0, &why), HET_E_INVALID); /* nobody was asked */
    CHECK_STR(why, "untouched");
    het_analysis_destroy(a);
    o.flags = HET_ANALYSIS_SUPPORT;
    a = analyse(model, &o);
    CHECK_INT(het_analysis_support_at(a, 0, 0, &why), HET_OK);
    CHECK(why == NULL);
    CHECK_INT(het_analysis_support_at(a, 5, 0, &why), HET_E_UNSUPPORTED);
    CHECK(why != NULL && why[0]);
    CHECK_INT(het_analysis_support_at(a, 6, 0, &why), HET_E_INVALID);
    CHECK_INT(het_analysis_support_at(a, 0, 99, &why), HET_E_INVALID);
    het_analysis_destroy(a);
    het_model_destroy(model);
    free(file.data);
}

static void refusals(void)
{
    ow file = diamond_graph();
    het_model *model = load(&file);
    const het_analysis_options good = HET_ANALYSIS_OPTIONS_INIT;
    het_analysis *a = NULL;
    het_analysis_options o = good;
    o.batch_count = 2; /* the file says 4 */
    CHECK_INT(het_analysis_make(model, &o, &a, NULL), HET_E_INVALID);
    o = good;
    o.batch_count = -1;
    CHECK_INT(het_analysis_make(model, &o, &a, NULL), HET_E_INVALID);
    o = good;
    o.phase = 7;
    CHECK_INT(het_analysis_make(model, &o, &a, NULL), HET_E_INVALID);
    o = good;
    o.arithmetic = 5;
    CHECK_INT(het_analysis_make(model, &o, &a, NULL), HET_E_INVALID);
    o = good;
    o.group_rule = 3;
    CHECK_INT(het_analysis_make(model, &o, &a, NULL), HET_E_INVALID);
    o = good;
    o.kv_dtype = HET_DTYPE_I8;
    CHECK_INT(het_analysis_make(model, &o, &a, NULL), HET_E_INVALID);
    o = good;
    o.device = 99;
    CHECK_INT(het_analysis_make(model, &o, &a, NULL), HET_E_INVALID);
    o = good;
    o.flags = UINT64_C(1) << 40;
    CHECK_INT(het_analysis_make(model, &o, &a, NULL), HET_E_VERSION);
    CHECK(a == NULL);
    het_analysis_destroy(NULL);
    het_model_destroy(model);
    free(file.data);
}

/* ---- language models ---- */

/* per_block: what a block is spelled with. */
typedef struct known {
    const char *name;
    tiny_options o;
    double parameters, active, kv;
    uint32_t per_block;
} known;

/* Norm, product of three, attention, product; norm, gated product, product. */
#define GROUPS_PER_BLOCK 7
/* Embedding, norm, head; the rows that are wanted. */
#define GROUPS_BESIDE 4

/* Sizes of published models; bytes of keys and values are those of F16. */
static const known models[] = {
    { "TinyLlama-1.1B",
      { .architecture = "llama", .layers = 22, .width = 2048, .ffn = 5632, .heads = 32,
        .kv_heads = 4, .head_size = 64, .vocabulary = 32000, .context = 2048 },
      1100048384, 1034512384, 22528, 16 },
    { "Llama-3.2-1B",
      { .architecture = "llama", .layers = 16, .width = 2048, .ffn = 8192, .heads = 32,
        .kv_heads = 8, .head_size = 64, .vocabulary = 128256, .context = 131072, .tied = true },
      1235814400, 1235814400, 32768, 16 },
    { "Qwen3-0.6B",
      { .architecture = "qwen3", .layers = 28, .width = 1024, .ffn = 3072, .heads = 16,
        .kv_heads = 8, .head_size = 128, .vocabulary = 151936, .context = 40960, .tied = true },
      596049920, 596049920, 114688, 18 }, /* norms of heads */
};

static het_model *load_sparse(const known *k)
{
    static tiny_model m;
    char path[] = "/tmp/hetinfer_test_analysis_XXXXXX";
    het_error err = HET_ERROR_INIT;
    het_model *model = NULL;
    tiny_options o = k->o;
    o.type = GW_F16;
    o.no_data = true;
    tiny_make(&m, &o);
    const int fd = mkstemp(path);
    const size_t head = (m.bytes + 31) / 32 * 32;
    CHECK(fd >= 0 && write(fd, m.file, m.bytes) == (ssize_t)m.bytes &&
          ftruncate(fd, (off_t)(head + m.data_bytes)) == 0);
    if (het_model_load(context, path, NULL, &model, &err) != HET_OK)
        TEST_FAIL("%s: %s", k->name, err.message);
    if (fd >= 0)
        close(fd);
    unlink(path);
    tiny_free(&m);
    return model;
}

/* The planner's nodes, each with what it was before. */
static void check_fusion(const het_model *model, const known *k, const het_analysis *a,
                         uint32_t phase)
{
    const double tokens = phase == HET_PHASE_PREFILL ? 512 : 1;
    const double ffn = (double)k->o.ffn, width = (double)k->o.width;
    const het_analysis_info t = info_of(a);
    het_subgraph g = { .struct_size = sizeof g };
    double operations = 0, saved = 0, inner = 0;
    uint32_t gated = 0;
    CHECK_INT(t.phase, phase);
    CHECK_INT(t.group_count, GROUPS_PER_BLOCK * k->o.layers + GROUPS_BESIDE);
    CHECK_INT(t.spelled_count, k->per_block * k->o.layers + GROUPS_BESIDE);
    for (uint32_t i = 0; i < t.group_count; i++) {
        CHECK_INT(het_analysis_group_at(a, i, &g), HET_OK);
        const double bytes = g.input_bytes + g.output_bytes + g.weight_bytes;
        operations += g.operation_count;
        saved += g.ungrouped_bytes - bytes;
        inner += g.inner_bytes;
        CHECK(g.bottleneck != HET_BOTTLENECK_NONE && bytes > 0);
        CHECK_INT(node_of(a, g.nodes[0]).group, i);
        if (strcmp(g.operations, "linear,linear,unary,mul") != 0)
            continue;
        gated++;
        CHECK_NEAR(g.parameter_count, 2 * ffn * width, 0);
        CHECK_NEAR(g.mac_count, tokens * 2 * ffn * width, 0);
        CHECK_NEAR(g.ungrouped_bytes - bytes, tokens * 4 * (width + 6 * ffn), 0);
        CHECK_NEAR(g.inner_bytes, tokens * 4 * 3 * ffn, 0);
    }
    CHECK_INT(gated, k->o.layers);
    CHECK_NEAR(operations, t.spelled_count, 0);
    CHECK_NEAR(saved, t.ungrouped_bytes - t.grouped_bytes, 1e-3);
    CHECK_NEAR(inner, t.inner_bytes, 1e-3);
    CHECK_NEAR(t.grouped_bytes, t.traffic_bytes, 1e-3);
    CHECK_NEAR(t.grouped_ns, t.predicted_ns, 1e-6 * t.predicted_ns);
    CHECK(t.ungrouped_ns > t.grouped_ns);
    het_plan_options o = HET_PLAN_OPTIONS_INIT;
    het_plan_info info = { .struct_size = sizeof info };
    het_plan *plan = NULL;
    o.phase = phase;
    CHECK_INT(het_plan_make(model, &o, &plan, NULL), HET_OK);
    CHECK_INT(het_plan_get_info(plan, &info), HET_OK);
    CHECK_INT(info.node_count, t.group_count);
    CHECK_INT(info.unfused_count, t.spelled_count);
    het_plan_destroy(plan);
}

/* The same by het_groups_make(). */
static void check_groups(const het_model *model, const het_analysis *a)
{
    const het_analysis_info t = info_of(a);
    het_groups_options o = HET_GROUPS_OPTIONS_INIT;
    het_groups_info info = { .struct_size = sizeof info };
    het_groups *groups = NULL;
    const het_tensor_desc none = { .dtype = HET_DTYPE_F32 };
    o.phase = t.phase;
    CHECK_INT(het_groups_make(model, &o, &groups, NULL), HET_OK);
    CHECK_INT(het_groups_get_info(groups, &info), HET_OK);
    CHECK_INT(info.group_count, t.group_count);
    CHECK_INT(info.node_count, t.spelled_count);
    CHECK_NEAR(info.unfused_bytes, t.ungrouped_bytes, 0);
    CHECK_NEAR(info.traffic_bytes, t.grouped_bytes, 0);
    CHECK_NEAR(info.inner_bytes, t.inner_bytes, 0);
    for (uint32_t k = 0; k < info.group_count; k++) {
        het_group g = { .struct_size = sizeof g };
        het_subgraph s = { .struct_size = sizeof s };
        CHECK_INT(het_groups_at(groups, k, &g), HET_OK);
        CHECK_INT(het_analysis_group_at(a, k, &s), HET_OK);
        CHECK_INT(g.node_count, s.operation_count);
        CHECK_STR(g.operations, s.operations);
        for (uint32_t i = 0; i < g.node_count; i++)
            CHECK(g.names[i][0] != '\0');
    }
    het_groups_destroy(groups);
    o.inputs = &none;
    o.input_count = 1;
    CHECK_INT(het_groups_make(model, &o, &groups, NULL), HET_E_INVALID);
    CHECK(groups == NULL);
}

static void language_model(const known *k)
{
    het_model *model = load_sparse(k);
    if (!model)
        return;
    het_analysis_options o = HET_ANALYSIS_OPTIONS_INIT;
    het_analysis *a = analyse(model, &o);
    const het_analysis_info decode = info_of(a);
    CHECK_NEAR(decode.parameter_count, k->parameters, 0);
    CHECK_NEAR(decode.active_parameter_count, k->active, 0);
    CHECK_NEAR(decode.kv_bytes_per_token, k->kv, 0);
    CHECK(decode.node_count < decode.spelled_count);
    CHECK_INT(decode.label, HET_LABEL_MEMORY_BOUND);
    CHECK_NEAR(decode.weight_bytes / (2 * k->active), 1, 0.002);
    check_fusion(model, k, a, HET_PHASE_DECODE);
    check_groups(model, a);
    het_analysis_destroy(a);
    o.context_count = 1000; /* its keys and values are read too, and the numbers of their pages */
    a = analyse(model, &o);
    CHECK_NEAR((info_of(a).input_bytes - decode.input_bytes) / (1000 * k->kv), 1, 1e-4);
    het_analysis_destroy(a);
    o.context_count = 0;
    o.batch_count = 4; /* weights are read once for all */
    a = analyse(model, &o);
    CHECK_NEAR(info_of(a).weight_bytes / decode.weight_bytes, 1, 1e-3);
    CHECK_NEAR(info_of(a).mac_count / decode.mac_count, 4, 1e-3);
    het_analysis_destroy(a);
    o.batch_count = 1;
    o.phase = HET_PHASE_PREFILL;
    a = analyse(model, &o);
    CHECK_NEAR(info_of(a).active_parameter_count, k->active, 0);
    CHECK_INT(info_of(a).label, HET_LABEL_COMPUTE_INTENSIVE);
    check_fusion(model, k, a, HET_PHASE_PREFILL);
    check_groups(model, a);
    het_analysis_destroy(a);
    het_model_destroy(model);
}

static void language_models(void)
{
    for (size_t i = 0; i < sizeof models / sizeof *models; i++)
        language_model(&models[i]);
}

int main(void)
{
    CHECK_INT(het_context_create(NULL, &context, NULL), HET_OK);
    test_case(convolutions);
    test_case(diamond);
    test_case(groups);
    test_case(compat);
    test_case(visits);
    test_case(support);
    test_case(refusals);
    test_case(language_models);
    het_context_destroy(context);
    return test_finish();
}
