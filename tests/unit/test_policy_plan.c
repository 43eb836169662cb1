/* SPDX-License-Identifier: Apache-2.0 */
/* Plans under the presets, on a described laptop, of the models that the presets were made for:
 * which part of the network goes where, and no device holds more than it may. */
#include <hetinfer.h>

#include "test.h"

#include "lib/api/handles.h"

enum { CPU, IGPU, NPU, ANY };

static het__mem memory;

/* ---- models, by their configurations ---- */

/* gemma-3n-E4B with the first 8 of its 35 layers: its many streams make placing slow. */
static const char gemma3n_e4b[] =
    "{\"model_type\":\"gemma3n_text\",\"num_hidden_layers\":8,\"num_kv_shared_layers\":2}";
static const char gemma2_2b[] =
    "{\"model_type\":\"gemma2\",\"num_hidden_layers\":26,\"hidden_size\":2304,"
    "\"intermediate_size\":9216,\"num_attention_heads\":8,\"num_key_value_heads\":4,"
    "\"head_dim\":256,\"vocab_size\":256000,\"max_position_embeddings\":8192,"
    "\"attn_logit_softcapping\":50.0,\"final_logit_softcapping\":30.0,"
    "\"query_pre_attn_scalar\":256,\"sliding_window\":4096,"
    "\"hidden_activation\":\"gelu_pytorch_tanh\"}";
static const char phi_tiny_moe[] =
    "{\"model_type\":\"phimoe\",\"num_hidden_layers\":32,\"hidden_size\":4096,"
    "\"intermediate_size\":448,\"num_local_experts\":16,\"num_experts_per_tok\":2,"
    "\"num_attention_heads\":16,\"num_key_value_heads\":4,\"head_dim\":128,"
    "\"vocab_size\":32064,\"max_position_embeddings\":4096,\"rope_theta\":10000.0,"
    "\"rope_scaling\":null,\"rms_norm_eps\":1e-05,\"tie_word_embeddings\":false,"
    "\"attention_bias\":true,\"lm_head_bias\":true,\"sliding_window\":2047,"
    "\"router_jitter_noise\":0.01,\"input_jitter_noise\":0.01,\"hidden_act\":\"silu\"}";

static het_context *context;

/* The graph borrows from the model, which is returned. */
static het_model *make_graph(const char *model_text, het__graph *g)
{
    het_model_options o = HET_MODEL_OPTIONS_INIT;
    het_model *m = NULL;
    het_error err = HET_ERROR_INIT;
    uint32_t unfused;
    o.weight_dtype = HET_DTYPE_F16;
    CHECK_INT(het_model_load_memory(context, model_text, strlen(model_text), &o, &m, &err),
              HET_OK);
    CHECK_INT(het__model_graph(m, HET_DTYPE_F16, g, &unfused, &err), HET_OK);
    if (err.status)
        fprintf(stderr, "%s\n", err.message);
    return m;
}

/* ---- machine ---- */

static het__figure known(double value)
{
    return (het__figure){ .value = value, .source = HET_SOURCE_ASSUMED };
}

static het__machine laptop(void)
{
    static const struct {
        uint32_t kind;
        const char *name;
        double ops, bytes, launch, watts;
    } rows[] = {
        { HET_DEVICE_CPU, "cpu", 1e12, 50e9, 2000, 40 },
        { HET_DEVICE_IGPU, "igpu", 8e12, 80e9, 10000, 30 },
        { HET_DEVICE_NPU, "npu", 10e12, 40e9, 50000, 3 },
    };
    het__machine m = { .name = "laptop", .group_count = 1 };
    m.group[0] = (het__machine_group){ "dram", known(89.6e9), known(96e9) };
    m.link_bandwidth = known(20e9);
    m.link_latency = known(20000);
    for (; m.device_count < 3; m.device_count++) {
        het__machine_device *d = &m.device[m.device_count];
        d->context_index = UINT32_MAX;
        d->kind = rows[m.device_count].kind;
        d->bandwidth = known(rows[m.device_count].bytes);
        d->launch = known(rows[m.device_count].launch);
        d->units = known(8);
        d->watts = known(rows[m.device_count].watts);
        for (uint32_t p = 0; p < HET__PEAK_COUNT; p++)
            d->peak[p] = known(rows[m.device_count].ops);
        snprintf(d->name, sizeof d->name, "%s", rows[m.device_count].name);
    }
    return m;
}

/* ---- plans ---- */

typedef struct planned {
    het_model *model;
    het__graph graph;
    het__plan plan;
    het__node_label *labels;
} planned;

static het_status make_plan(const char *model_text, const char *policy_text, planned *p)
{
    const het__machine machine = laptop();
    int64_t symbols[HET__SYM_MAX];
    het__policy policy;
    het__policy_view view;
    het_error err = HET_ERROR_INIT;
    for (uint32_t i = 0; i < HET__SYM_MAX; i++)
        symbols[i] = 1;
    symbols[HET__SYM_TOKENS] = 64;
    symbols[HET__SYM_CONTEXT] = 64;
    symbols[HET__SYM_PAGES] = symbols[HET__SYM_STATE_PAGES] = 2;
    p->model = make_graph(model_text, &p->graph);
    p->labels = het__alloc_zero(&memory, p->graph.node_count, sizeof *p->labels);
    CHECK_INT(het__policy_read(policy_text, strlen(policy_text), "p", &memory, &policy, &err),
              HET_OK);
    CHECK_INT(het__policy_bind(&policy, &machine, &memory, &view, &err), HET_OK);
    CHECK_INT(het__graph_labels(&p->graph, &memory, p->labels, &err), HET_OK);
    const het__plan_request request = {
        .graph = &p->graph, .unfused_count = p->graph.node_count, .machine = &machine,
        .symbols = symbols, .policy = &view, .labels = p->labels, .limited = true,
    };
    const het_status s = het__plan_make(&request, &memory, &p->plan, &err);
    if (s != HET_OK && s != HET_E_UNSUPPORTED)
        fprintf(stderr, "%s\n", err.message);
    het__policy_view_finish(&view);
    het__policy_finish(&policy);
    return s;
}

static void drop(planned *p)
{
    het__plan_finish(&p->plan);
    het__graph_finish(&p->graph);
    het__free(&memory, p->labels);
    het_model_destroy(p->model);
}

static void check_limits(const het__plan *plan)
{
    for (uint32_t d = 0; d < plan->machine.device_count; d++) {
        const het__plan_memory *m = &plan->memory[d];
        CHECK(m->weight_bytes + m->state_bytes + m->io_bytes + m->activation_bytes <=
              m->limit_bytes);
    }
}

/* Device of each part that the model has; ANY where the policy says nothing. */
static const struct {
    const char *preset, *model;
    uint8_t want[HET__CLASS_COUNT];
} placements[] = {
    { "amd_phoenix", gemma2_2b,
      { [HET__CLASS_EMBEDDING] = NPU, [HET__CLASS_ATTENTION_QKV_PROJ] = NPU,
        [HET__CLASS_ATTENTION] = IGPU, [HET__CLASS_ATTENTION_OUTPUT_PROJ] = IGPU,
        [HET__CLASS_FFN] = IGPU, [HET__CLASS_NORM] = IGPU, [HET__CLASS_RESIDUAL] = IGPU,
        [HET__CLASS_LM_HEAD] = CPU, [HET__CLASS_MOVE] = ANY } },
    { "cpu_only", gemma2_2b, { CPU } },
    { "intel_185h", phi_tiny_moe,
      { [HET__CLASS_EMBEDDING] = CPU, [HET__CLASS_ROUTER_LOGITS] = CPU,
        [HET__CLASS_ATTENTION_QKV_PROJ] = IGPU, [HET__CLASS_EXPERT_FFN] = IGPU,
        [HET__CLASS_ATTENTION] = ANY, [HET__CLASS_ATTENTION_OUTPUT_PROJ] = ANY,
        [HET__CLASS_NORM] = ANY, [HET__CLASS_RESIDUAL] = ANY, [HET__CLASS_LM_HEAD] = CPU,
        [HET__CLASS_MOVE] = ANY } },
    { "unicorn_e4b", gemma3n_e4b,
      { [HET__CLASS_ATTENTION_QKV_PROJ] = NPU, [HET__CLASS_ATTENTION] = NPU,
        [HET__CLASS_ATTENTION_OUTPUT_PROJ] = NPU, [HET__CLASS_FFN] = IGPU } },
};

static void presets_place_a_language_model(void)
{
    for (size_t i = 0; i < sizeof placements / sizeof placements[0]; i++) {
        planned p;
        const char *policy = het__policy_preset_text(placements[i].preset);
        if (make_plan(placements[i].model, policy, &p) != HET_OK) {
            TEST_FAIL("%s: no plan", placements[i].preset);
            continue;
        }
        CHECK_INT(p.plan.broken_wishes, 0);
        check_limits(&p.plan);
        for (uint32_t n = 0; n < p.graph.node_count; n++) {
            const uint8_t want = placements[i].want[p.labels[n].node_class];
            test_checks++;
            if (want != ANY && p.plan.node_device[n] != want)
                TEST_FAIL("%s: %s is on %u, want %u", placements[i].preset,
                          p.graph.nodes[n].name, p.plan.node_device[n], want);
        }
        printf("%-12s %8.1f MB on CPU, %8.1f MB on iGPU, %8.1f MB on NPU, %.1f ms\n",
               placements[i].preset, p.plan.memory[CPU].weight_bytes * 1e-6,
               p.plan.memory[IGPU].weight_bytes * 1e-6, p.plan.memory[NPU].weight_bytes * 1e-6,
               p.plan.predicted_ns * 1e-6);
        drop(&p);
    }
}

/* Half of what attention weighs: what does not fit goes elsewhere, the rest stays. */
static void wishes_yield_to_memory(void)
{
    planned p;
    CHECK_INT(make_plan(gemma2_2b, "hetinfer-policy: 1\n"
                        "rules:\n  - prefer: cpu\n  - {class: attention_layer, prefer: npu}\n"
                        "  - {class: ffn_layer, prefer: igpu}\n"
                        "limits: {npu: {memory: 350 MB}, igpu: {memory: 16 GB}}\n", &p), HET_OK);
    check_limits(&p.plan);
    CHECK(p.plan.broken_wishes > 0);
    CHECK(p.plan.memory[NPU].weight_bytes > 250e6);
    printf("350 MB       %8.1f MB on NPU, %u wishes not kept\n",
           p.plan.memory[NPU].weight_bytes * 1e-6, p.plan.broken_wishes);
    drop(&p);
}

/* What must be somewhere and does not fit there is no plan. */
static void demands_do_not_yield(void)
{
    planned p;
    CHECK_INT(make_plan(gemma2_2b, "hetinfer-policy: 1\nrules:\n  - {class: ffn, must: igpu}\n"
                        "limits: {igpu: {memory: 1 GB}}\n", &p), HET_E_UNSUPPORTED);
    het__graph_finish(&p.graph);
    het__free(&memory, p.labels);
    het_model_destroy(p.model);
}

/* A threshold decides between the host and the rest. */
static void thresholds_move_nodes(void)
{
    for (int i = 0; i < 2; i++) {
        planned p;
        uint32_t off = 0;
        CHECK_INT(make_plan(gemma2_2b, i ? "hetinfer-policy: 1\ndynamic: {min_flops: 1e15}\n"
                              : "hetinfer-policy: 1\ndynamic: {min_flops: 1e6}\n", &p), HET_OK);
        for (uint32_t n = 0; n < p.graph.node_count; n++)
            off += p.plan.node_device[n] != CPU;
        CHECK(i ? off == 0 : off > p.graph.node_count / 4);
        drop(&p);
    }
}

/* The power profile chooses what is least where the policy says no objective. */
static void power_profiles_differ(void)
{
    static const char *const profiles[] = { "performance", "balanced", "efficiency" };
    uint32_t on_npu[3] = { 0 };
    double ns[3] = { 0 };
    for (int i = 0; i < 3; i++) {
        planned p;
        char text[96];
        snprintf(text, sizeof text, "hetinfer-policy: 1\npower_profile: %s\n", profiles[i]);
        CHECK_INT(make_plan(gemma2_2b, text, &p), HET_OK);
        CHECK_INT(p.plan.objective, i == 2 ? HET_OBJECTIVE_ENERGY : HET_OBJECTIVE_LATENCY);
        for (uint32_t n = 0; n < p.graph.node_count; n++)
            on_npu[i] += p.plan.node_device[n] == NPU;
        ns[i] = p.plan.predicted_ns;
        drop(&p);
    }
    CHECK(on_npu[0] == on_npu[1] && ns[0] == ns[1]);
    CHECK(on_npu[2] > on_npu[0] && ns[2] > ns[0]);
    printf("efficiency   %u nodes on NPU instead of %u, %.1f ms instead of %.1f\n", on_npu[2],
           on_npu[0], ns[2] * 1e-6, ns[0] * 1e-6);
}

int main(void)
{
    het__mem_init(&memory, NULL);
    CHECK_INT(het_context_create(NULL, &context, NULL), HET_OK);
    test_case(presets_place_a_language_model);
    test_case(wishes_yield_to_memory);
    test_case(demands_do_not_yield);
    test_case(thresholds_move_nodes);
    test_case(power_profiles_differ);
    het_context_destroy(context);
    return test_finish();
}
