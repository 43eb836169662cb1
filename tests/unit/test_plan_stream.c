/* SPDX-License-Identifier: Apache-2.0 */
/* Plans for a graphics processor with less memory than a model's weights: they come for each step
 * where that is cheaper than what else could be done, or where the policy asks for it; layers keep
 * theirs as far as there is room. */
#include <hetinfer.h>

#include "test.h"

#define LAYERS 12

static const char config[] =
    "{\"model_type\":\"llama\",\"num_hidden_layers\":12,\"hidden_size\":1024,"
    "\"intermediate_size\":4096,\"num_attention_heads\":16,\"num_key_value_heads\":4,"
    "\"vocab_size\":8000,\"rms_norm_eps\":1e-5,\"max_position_embeddings\":4096,"
    "\"torch_dtype\":\"bfloat16\"}"; /* about 15 MB a layer in Q8_0 */

/* link: GB/s. vram: MB. cpu: Gop/s. */
static const char form[] =
    "hetinfer-machine: 1\nname: \"hosted\"\n"
    "link: {bandwidth: {value: %u GB/s, source: assumed}, "
    "latency: {value: 5 us, source: assumed}}\n"
    "memories:\n"
    "  - {name: \"dram\", bandwidth: {value: 40 GB/s, source: assumed}}\n"
    "  - {name: \"vram\", bandwidth: {value: 400 GB/s, source: assumed}, "
    "size: {value: %u MB, source: assumed}}\n"
    "devices:\n"
    "  - {name: \"c\", kind: cpu, backend: \"cpu_onednn\", memory: \"dram\", "
    "f32: {value: 100 Gop/s, source: assumed}, bandwidth: {value: 40 GB/s, source: assumed}, "
    "launch: {value: 1 us, source: assumed}}\n"
    "  - {name: \"g\", kind: gpu, backend: \"opencl_igpu\", memory: \"vram\", "
    "f32: {value: 10 Top/s, source: assumed}, bandwidth: {value: 400 GB/s, source: assumed}, "
    "launch: {value: 5 us, source: assumed}}\n";

static het_context *context;
static het_model *model;

typedef struct outcome {
    het_status status;
    char text[200000];
    char message[224];
    double total;
    unsigned come, layers, broken;
    double slot, brings, weights, limit;
} outcome;

static void read_text(outcome *out)
{
    const char *device = strstr(out->text, "\ndevice 1 ");
    const char *stream = strstr(out->text, "\nstream 1 ");
    const char *weights = strstr(device, " weights "), *limit = strstr(device, " limit ");
    out->weights = strtod(weights + 9, NULL);
    out->limit = strtod(limit + 7, NULL);
    out->come = out->layers = 0;
    out->slot = out->brings = 0;
    if (stream)
        CHECK_INT(sscanf(stream, "\nstream 1 slots 2 bytes %lf layers %u of %u brings %lf",
                         &out->slot, &out->come, &out->layers, &out->brings), 4);
}

/* Functions tell what the text does, and layers add up. */
static void compare(const het_plan *plan, const outcome *out)
{
    het_plan_info i = { .struct_size = sizeof i };
    het_plan_device d = { .struct_size = sizeof d };
    double comes = 0;
    uint32_t layers = 0;
    CHECK_INT(het_plan_get_info(plan, &i), HET_OK);
    CHECK_INT(het_plan_device_at(plan, 1, &d), HET_OK);
    CHECK_INT(d.stream_slot_count, out->come ? 2 : 0);
    CHECK_INT(d.stream_layer_count, out->come);
    CHECK_INT(d.stream_layer_max, out->layers);
    CHECK_NEAR(d.stream_slot_bytes, out->slot, 0);
    CHECK_NEAR(d.stream_bytes, out->brings, 0);
    for (uint32_t k = 0; k < i.layer_count; k++) {
        het_plan_layer l = { .struct_size = sizeof l };
        CHECK_INT(het_plan_layer_at(plan, k, &l), HET_OK);
        CHECK(l.stream_bytes >= 0 && l.stream_bytes <= l.stored_bytes);
        CHECK(l.plan_device == 1 || l.stream_bytes == 0);
        layers += l.stream_bytes > 0;
        comes += l.stream_bytes;
    }
    CHECK_NEAR(comes, d.stream_bytes, 0);
    CHECK_INT(layers, out->come);
}

static void make(het_phase phase, unsigned link, unsigned vram, const char *policy,
                 const char *from, outcome *out)
{
    char text[2048];
    het_error err = HET_ERROR_INIT;
    het_machine *m = NULL;
    het_policy *p = NULL;
    het_plan *plan = NULL;
    het_plan_options o = HET_PLAN_OPTIONS_INIT;
    memset(out, 0, sizeof *out);
    snprintf(text, sizeof text, form, link, vram);
    if (het_machine_load_memory(context, text, strlen(text), &m, &err) ||
        (policy && het_policy_load_memory(context, policy, strlen(policy), NULL, &p, &err)))
        TEST_FAIL("%s", err.message);
    o.machine = m;
    o.policy = p;
    o.phase = phase;
    o.token_count = phase == HET_PHASE_PREFILL ? 512 : 1;
    o.flags = HET_PLAN_ALONE;
    out->status = from ? het_plan_load(model, &o, from, strlen(from), &plan, &err)
                       : het_plan_make(model, &o, &plan, &err);
    snprintf(out->message, sizeof out->message, "%s", err.message);
    if (out->status == HET_OK) {
        het_plan_info i = { .struct_size = sizeof i };
        CHECK_INT(het_plan_get_info(plan, &i), HET_OK);
        out->total = i.total;
        out->broken = i.broken_count;
        snprintf(out->text, sizeof out->text, "%s", het_plan_text(plan));
        read_text(out);
        compare(plan, out);
    }
    het_plan_destroy(plan);
    het_policy_destroy(p);
    het_machine_destroy(m);
}

static outcome a, b;

/* The processor is slow and the way is fast; or the way is slow. */
static void where_it_pays(void)
{
    make(HET_PHASE_PREFILL, 50, 10000, NULL, NULL, &a);
    CHECK_INT(a.status, HET_OK);
    CHECK_INT(a.come, 0);
    const double all = a.weights;
    make(HET_PHASE_PREFILL, 50, 120, NULL, NULL, &b);
    CHECK_INT(b.status, HET_OK);
    CHECK(b.come >= 3 && b.come <= LAYERS && b.layers == LAYERS);
    CHECK(b.weights <= b.limit && b.weights < all);
    CHECK(b.total >= a.total && b.total < 10 * a.total);
    CHECK(strstr(b.text, "weights come for each step, like those of") != NULL);
    make(HET_PHASE_DECODE, 1, 120, NULL, NULL, &b);
    CHECK_INT(b.status, HET_OK);
    CHECK_INT(b.come, 0); /* the processor computes what does not fit */
    CHECK(b.weights < all && b.weights > 0);
}

/* Never dearer than without, and no cheaper than with more memory. */
static void more_memory_is_no_worse(void)
{
    static const char never[] =
        "hetinfer-policy: 1\nlimits:\n  gpu: { memory: 10 GB, stream: false }\n";
    double before = INFINITY;
    unsigned come = LAYERS + 1;
    for (unsigned mb = 80; mb <= 260; mb += 20) {
        make(HET_PHASE_PREFILL, 50, mb, NULL, NULL, &a);
        make(HET_PHASE_PREFILL, 50, mb, never, NULL, &b);
        CHECK_INT(a.status, HET_OK);
        CHECK_INT(b.come, 0);
        CHECK(b.status || a.total <= b.total * (1 + 1e-9));
        CHECK(a.total <= before * (1 + 1e-9));
        CHECK(!a.come || a.come <= come);
        CHECK(!a.come || 2 * a.slot <= a.weights);
        printf("%u MB: %u of %u layers come, %.3f ms; without %.3f ms\n", mb, a.come, a.layers,
               a.total / 1e6, b.total / 1e6);
        before = a.total;
        come = a.come ? a.come : come;
    }
}

static void by_policy(void)
{
    static const char always[] =
        "hetinfer-policy: 1\nrules:\n  - must: gpu\nlimits:\n"
        "  gpu: { memory: 100 MB, stream: true }\n";
    static const char never[] =
        "hetinfer-policy: 1\nrules:\n  - must: gpu\nlimits:\n"
        "  gpu: { memory: 100 MB, stream: false }\n";
    static const char prefer[] =
        "hetinfer-policy: 1\nrules:\n  - prefer: gpu\nlimits:\n  gpu: { memory: 100 MB }\n";
    make(HET_PHASE_PREFILL, 1, 10000, always, NULL, &a);
    CHECK_INT(a.status, HET_OK);
    CHECK(a.come > 0 && a.layers == LAYERS && a.weights <= 100e6);
    make(HET_PHASE_PREFILL, 1, 10000, never, NULL, &b);
    CHECK_INT(b.status, HET_E_UNSUPPORTED);
    CHECK(strstr(b.message, "fits") != NULL);
    /* A wish is no word for it where it does not pay. */
    make(HET_PHASE_DECODE, 1, 10000, prefer, NULL, &b);
    CHECK_INT(b.status, HET_OK);
    CHECK_INT(b.come, 0);
    CHECK(b.broken > 0);
}

/* The text is read again, and equal input gives equal bytes. */
static void text_comes_back(void)
{
    static char text[200000];
    make(HET_PHASE_PREFILL, 50, 120, NULL, NULL, &a);
    CHECK(a.come > 0);
    snprintf(text, sizeof text, "%s", a.text);
    make(HET_PHASE_PREFILL, 50, 120, NULL, NULL, &b);
    CHECK_STR(b.text, text);
    make(HET_PHASE_PREFILL, 50, 120, NULL, text, &b);
    CHECK_INT(b.status, HET_OK);
    CHECK_INT(b.come, a.come);
    char *line = strstr(text, "\nstream 1 ");
    line[9] = '7'; /* no such device */
    make(HET_PHASE_PREFILL, 50, 120, NULL, text, &b);
    CHECK_INT(b.status, HET_E_FORMAT);
    CHECK(strstr(b.message, "not 'stream") != NULL);
}

int main(void)
{
    het_context_options c = HET_CONTEXT_OPTIONS_INIT;
    het_model_options o = HET_MODEL_OPTIONS_INIT;
    het_error err = HET_ERROR_INIT;
    c.flags = HET_CONTEXT_NO_ENV;
    o.weight_dtype = HET_DTYPE_Q8_0;
    if (het_context_create(&c, &context, &err) ||
        het_model_load_memory(context, config, strlen(config), &o, &model, &err))
        TEST_FAIL("%s", err.message);
    test_case(where_it_pays);
    test_case(more_memory_is_no_worse);
    test_case(by_policy);
    test_case(text_comes_back);
    het_model_destroy(model);
    het_context_destroy(context);
    return test_finish();
}
