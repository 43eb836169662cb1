/* SPDX-License-Identifier: Apache-2.0 */
/* Plans and figures of models: counted by hand, and for models of true size from sparse files that
 * hold no weights. */
#define _POSIX_C_SOURCE 200809L /* mkstemp, ftruncate */
#include <unistd.h>

#include <hetinfer.h>

#include "tiny_model.h"

static het_context *context;

static het_plan *make_plan(const het_model *model, uint32_t phase, int64_t tokens, int64_t before)
{
    het_plan_options o = HET_PLAN_OPTIONS_INIT;
    het_error err = HET_ERROR_INIT;
    het_plan *p = NULL;
    o.phase = phase;
    o.token_count = tokens;
    o.context_count = before;
    if (het_plan_make(model, &o, &p, &err) != HET_OK)
        TEST_FAIL("plan: %s", err.message);
    return p;
}

static het_model *load(const tiny_model *m)
{
    het_error err = HET_ERROR_INIT;
    het_model *model = NULL;
    if (het_model_load_memory(context, m->file, m->bytes, NULL, &model, &err) != HET_OK)
        TEST_FAIL("load: %s", err.message);
    return model;
}

/* Entries cover all nodes, in order, and add up. */
static void check_sums(const het_plan *p, uint32_t blocks)
{
    het_plan_info info = { .struct_size = sizeof info };
    het_plan_layer l = { .struct_size = sizeof l };
    double ns = 0, flops = 0, weights = 0, activations = 0;
    uint32_t nodes = 0;
    int32_t block = -1;
    CHECK_INT(het_plan_get_info(p, &info), HET_OK);
    for (uint32_t i = 0; i < info.layer_count; i++) {
        CHECK_INT(het_plan_layer_at(p, i, &l), HET_OK);
        CHECK(l.node_count > 0 && l.predicted_ns > 0 && l.operations[0] && l.reason[0]);
        CHECK(l.device < het_context_device_count(context));
        if (l.layer >= 0) {
            CHECK(l.layer == block || l.layer == block + 1);
            block = l.layer;
            char name[32];
            snprintf(name, sizeof name, "block %d", block);
            CHECK_STR(l.name, name);
        } else {
            CHECK_STR(l.name, block < 0 ? "embedding" : "head");
        }
        nodes += l.node_count;
        ns += l.predicted_ns;
        flops += l.flop_count;
        weights += l.weight_bytes;
        activations += l.activation_bytes;
    }
    CHECK_INT(het_plan_layer_at(p, info.layer_count, &l), HET_E_INVALID);
    CHECK_INT(block, (int)blocks - 1);
    CHECK_INT(nodes, info.node_count);
    CHECK(info.node_count < info.unfused_count);
    CHECK_NEAR(flops, info.flop_count, 1e-6 * flops);
    CHECK_NEAR(weights, info.weight_bytes, 1e-6 * weights);
    CHECK_NEAR(activations, info.activation_bytes, 1e-6 * activations);
    CHECK(info.predicted_ns >= ns * (1 - 1e-9));
    if (info.transfer_count == 0)
        CHECK_NEAR(ns, info.predicted_ns, 1e-6 * ns);
    CHECK_INT(info.figures_source, HET_SOURCE_ASSUMED);
}

static void sums_and_text(void)
{
    tiny_options o = TINY_LLAMA;
    tiny_model m;
    o.layers = 3;
    tiny_make(&m, &o);
    het_model *model = load(&m);
    for (uint32_t phase = 0; phase < 2; phase++) {
        het_plan *a = make_plan(model, phase, 0, 100), *b = make_plan(model, phase, 0, 100);
        CHECK_STR(het_plan_text(a), het_plan_text(b));
        CHECK(strstr(het_plan_text(a), "blk.2.ffn_down") != NULL);
        check_sums(a, 3);
        het_plan_destroy(a);
        het_plan_destroy(b);
    }
    het_model_destroy(model);
    tiny_free(&m);
}

/* Multiply and add count as two. Counted per kind of node, from the sizes. */
static double flops_by_hand(const tiny_options *o, double tokens, double before)
{
    const double w = o->width, f = o->ffn, d = o->head_size;
    const double q = o->heads * d, kv = o->kv_heads * d;
    const double scores = tokens * o->heads * (before + (tokens + 1) / 2);
    const double norm = 4 * w;
    double block = 2 * norm * tokens;
    block += 2 * tokens * w * (q + 2 * kv);       /* projections */
    block += 4 * scores * d + 4 * scores;         /* q·k, p·v, softmax */
    block += 3 * tokens * (q + kv);               /* rotation */
    block += tokens * (2 * q * w + w);            /* output, residual */
    block += tokens * (4 * w * f + 2 * f);        /* gate, up, silu, product */
    block += tokens * (2 * f * w + w);            /* down, residual */
    return o->layers * block + norm + 2 * w * o->vocabulary; /* one row of logits */
}

static void flops(void)
{
    static const struct { uint32_t phase; int64_t tokens, before; } steps[] = {
        { HET_PHASE_DECODE, 1, 0 }, { HET_PHASE_DECODE, 1, 1000 },
        { HET_PHASE_PREFILL, 512, 0 }, { HET_PHASE_PREFILL, 100, 37 },
    };
    tiny_options o = TINY_LLAMA;
    tiny_model m;
    o.head_size = 24;
    tiny_make(&m, &o);
    het_model *model = load(&m);
    for (size_t i = 0; i < sizeof steps / sizeof *steps; i++) {
        het_plan *p = make_plan(model, steps[i].phase, steps[i].tokens, steps[i].before);
        het_plan_info info = { .struct_size = sizeof info };
        CHECK_INT(het_plan_get_info(p, &info), HET_OK);
        const double want = flops_by_hand(&o, (double)steps[i].tokens, (double)steps[i].before);
        CHECK_NEAR(info.flop_count, want, 1e-9 * want);
        /* Every weight once, and of the table one row per token. */
        const double table = (double)o.vocabulary * o.width * 4;
        const double rows = (double)steps[i].tokens * o.width * 4;
        CHECK_NEAR(info.weight_bytes, (double)m.bytes - table + rows, 8192); /* headers */
        het_plan_destroy(p);
    }
    het_model_destroy(model);
    tiny_free(&m);
}

static void refuse(const het_model *model, const het_plan_options *o, het_status status,
                   const char *names)
{
    het_error err = HET_ERROR_INIT;
    het_plan *p = (het_plan *)&err;
    const het_status got = het_plan_make(model, o, &p, &err);
    test_checks++;
    if (got != status || p || !strstr(err.message, names))
        TEST_FAIL("got %s: \"%s\", want %s naming %s", het_status_name(got), err.message,
                  het_status_name(status), names);
}

static void options(void)
{
    tiny_options o = TINY_LLAMA;
    tiny_model m;
    tiny_make(&m, &o);
    het_model *model = load(&m);
    het_plan_options po = HET_PLAN_OPTIONS_INIT;
    po.devices = "ref";
    het_plan *p = NULL;
    CHECK_INT(het_plan_make(model, &po, &p, NULL), HET_OK);
    het_plan_info info = { .struct_size = sizeof info };
    het_plan_layer l = { .struct_size = sizeof l };
    CHECK_INT(het_plan_get_info(p, &info), HET_OK);
    CHECK_INT(info.layer_count, 4);
    CHECK_INT(info.transfer_count, 0);
    for (uint32_t i = 0; i < info.layer_count; i++) {
        CHECK_INT(het_plan_layer_at(p, i, &l), HET_OK);
        CHECK_STR(l.backend, "ref");
    }
    het_plan_destroy(p);
    po.devices = "ref,abacus";
    refuse(model, &po, HET_E_INVALID, "abacus");
    po.devices = "-ref,-cpu_onednn";
    het_device_info first = { .struct_size = sizeof first };
    CHECK_INT(het_device_get_info(het_context_device(context, 0), &first), HET_OK);
    if (het_context_device_count(context) == 1) {
        po.devices = "-ref";
        refuse(model, &po, HET_E_INVALID, "leaves none");
    }
    po = (het_plan_options)HET_PLAN_OPTIONS_INIT;
    po.phase = 2;
    refuse(model, &po, HET_E_INVALID, "phase");
    po.phase = 0;
    po.token_count = -1;
    refuse(model, &po, HET_E_INVALID, "count");
    po.token_count = 0;
    po.context_count = INT64_MAX;
    refuse(model, &po, HET_E_INVALID, "count");
    po.context_count = 0;
    po.flags = 1u << 10;
    refuse(model, &po, HET_E_VERSION, "flag");
    het_model_options mo = HET_MODEL_OPTIONS_INIT;
    het_model *seen = NULL;
    mo.flags = HET_MODEL_INSPECT_ONLY;
    CHECK_INT(het_model_load_memory(context, m.file, m.bytes, &mo, &seen, NULL), HET_OK);
    refuse(seen, NULL, HET_E_INVALID, "without its graph");
    CHECK(het_model_tokenizer(seen) == NULL);
    het_model_destroy(seen);
    het_model_destroy(model);
    tiny_free(&m);
}

/* ---- true sizes ---- */

typedef struct known {
    const char *name;
    tiny_options o;
    uint64_t parameters, active, kv;
} known;

static const known models[] = {
    { "TinyLlama-1.1B",
      { .architecture = "llama", .layers = 22, .width = 2048, .ffn = 5632, .heads = 32,
        .kv_heads = 4, .head_size = 64, .vocabulary = 32000, .context = 2048 },
      1100048384, 1034512384, 22528 },
    { "Llama-3.2-1B",
      { .architecture = "llama", .layers = 16, .width = 2048, .ffn = 8192, .heads = 32,
        .kv_heads = 8, .head_size = 64, .vocabulary = 128256, .context = 131072, .tied = true,
        .theta = 500000 },
      1235814400, 1235814400, 32768 },
    { "Qwen2.5-0.5B",
      { .architecture = "qwen2", .layers = 24, .width = 896, .ffn = 4864, .heads = 14,
        .kv_heads = 2, .head_size = 64, .vocabulary = 151936, .context = 32768, .tied = true },
      494032768, 494032768, 12288 },
    { "Qwen3-0.6B",
      { .architecture = "qwen3", .layers = 28, .width = 1024, .ffn = 3072, .heads = 16,
        .kv_heads = 8, .head_size = 128, .vocabulary = 151936, .context = 40960, .tied = true },
      596049920, 596049920, 114688 },
    { "Qwen3-4B",
      { .architecture = "qwen3", .layers = 36, .width = 2560, .ffn = 9728, .heads = 32,
        .kv_heads = 8, .head_size = 128, .vocabulary = 151936, .context = 40960, .tied = true },
      4022468096, 4022468096, 147456 },
};

/* The file takes no room on disk: behind its records there is a hole. */
static bool write_sparse(const tiny_model *m, char *path)
{
    const int fd = mkstemp(path);
    const size_t head = (m->bytes + 31) / 32 * 32;
    const bool done = fd >= 0 && write(fd, m->file, m->bytes) == (ssize_t)m->bytes &&
                      ftruncate(fd, (off_t)(head + m->data_bytes)) == 0;
    if (fd >= 0)
        close(fd);
    return done;
}

static void check_known(const known *k)
{
    char path[] = "/tmp/hetinfer_test_plan_XXXXXX";
    static tiny_model m;
    tiny_options o = k->o;
    o.type = GW_F16;
    o.no_data = true;
    tiny_make(&m, &o);
    CHECK(write_sparse(&m, path));
    het_error err = HET_ERROR_INIT;
    het_model *model = NULL;
    if (het_model_load(context, path, NULL, &model, &err) != HET_OK)
        TEST_FAIL("%s: %s", k->name, err.message);
    unlink(path);
    tiny_free(&m);
    if (!model)
        return;
    het_model_info info = { .struct_size = sizeof info };
    CHECK_INT(het_model_get_info(model, &info), HET_OK);
    CHECK_INT(info.parameter_count, k->parameters);
    CHECK_INT(info.active_count, k->active);
    CHECK_INT(info.kv_bytes_per_token, k->kv);
    CHECK_INT(info.layer_count, k->o.layers);
    CHECK_INT(info.vocabulary_size, k->o.vocabulary);
    CHECK_STR(info.architecture, k->o.architecture);
    het_plan *p = make_plan(model, HET_PHASE_DECODE, 1, 0);
    het_plan_info pi = { .struct_size = sizeof pi };
    CHECK_INT(het_plan_get_info(p, &pi), HET_OK);
    check_sums(p, k->o.layers);
    /* Two operations per weight but for what is not a product; weights in two bytes. */
    CHECK_NEAR(pi.flop_count / (2.0 * (double)k->active), 1, 0.005);
    CHECK_NEAR(pi.weight_bytes / (2.0 * (double)k->active), 1, 0.001);
    printf("%-16s %.4f G parameters, %.4f GFLOP per token, %u nodes of %u\n", k->name,
           (double)info.parameter_count / 1e9, pi.flop_count / 1e9, pi.node_count,
           pi.unfused_count);
    het_plan_destroy(p);
    het_model_destroy(model);
}

static void true_sizes(void)
{
    for (size_t i = 0; i < sizeof models / sizeof *models; i++)
        check_known(&models[i]);
}

int main(void)
{
    CHECK_INT(het_context_create(NULL, &context, NULL), HET_OK);
    test_case(sums_and_text);
    test_case(flops);
    test_case(options);
    test_case(true_sizes);
    het_context_destroy(context);
    return test_finish();
}
