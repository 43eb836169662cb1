/* SPDX-License-Identifier: Apache-2.0 */
/* Plans on machines that are not there, by the public functions: language models from their
 * configurations alone, on the built-in profiles of two laptops. */
#include <hetinfer.h>

#include "test.h"

static het_context *context;

static const char gemma2_2b[] =
    "{\"model_type\":\"gemma2\",\"num_hidden_layers\":26,\"hidden_size\":2304,"
    "\"intermediate_size\":9216,\"num_attention_heads\":8,\"num_key_value_heads\":4,"
    "\"head_dim\":256,\"vocab_size\":256000,\"sliding_window\":4096,"
    "\"query_pre_attn_scalar\":256,\"max_position_embeddings\":8192,\"torch_dtype\":\"bfloat16\"}";

static const char tiny_moe[] =
    "{\"model_type\":\"phimoe\",\"num_hidden_layers\":32,\"hidden_size\":4096,"
    "\"intermediate_size\":448,\"num_attention_heads\":16,\"num_key_value_heads\":4,"
    "\"head_dim\":128,\"vocab_size\":32064,\"num_local_experts\":16,\"num_experts_per_tok\":2,"
    "\"max_position_embeddings\":4096,\"sliding_window\":2047,\"torch_dtype\":\"bfloat16\"}";

static het_model *load(const char *config, uint32_t dtype)
{
    het_model_options o = HET_MODEL_OPTIONS_INIT;
    het_error err = HET_ERROR_INIT;
    het_model *m = NULL;
    o.weight_dtype = dtype;
    if (het_model_load_memory(context, config, strlen(config), &o, &m, &err) != HET_OK)
        TEST_FAIL("model: %s", err.message);
    return m;
}

static het_machine *profile(const char *name)
{
    het_error err = HET_ERROR_INIT;
    het_machine *m = NULL;
    if (het_machine_load(context, name, &m, &err) != HET_OK)
        TEST_FAIL("machine: %s", err.message);
    return m;
}

static het_plan *make(const het_model *model, const het_plan_options *o)
{
    het_error err = HET_ERROR_INIT;
    het_plan *p = NULL;
    if (het_plan_make(model, o, &p, &err) != HET_OK)
        TEST_FAIL("plan: %s", err.message);
    return p;
}

static het_plan_device device_of(const het_plan *p, uint32_t index)
{
    het_plan_device d = { .struct_size = sizeof d };
    CHECK_INT(het_plan_device_at(p, index, &d), HET_OK);
    return d;
}

static het_plan_info info_of(const het_plan *p)
{
    het_plan_info i = { .struct_size = sizeof i };
    CHECK_INT(het_plan_get_info(p, &i), HET_OK);
    return i;
}

static void check_sums(const het_plan *p, const het_plan_info *info)
{
    double stored = 0, held = 0, states = 0, kept = 0, transfer_bytes = 0;
    uint32_t nodes = 0, counted = 0;
    for (uint32_t i = 0; i < info->layer_count; i++) {
        het_plan_layer l = { .struct_size = sizeof l };
        CHECK_INT(het_plan_layer_at(p, i, &l), HET_OK);
        CHECK(l.plan_device < info->device_count && l.reason[0] && l.device == UINT32_MAX);
        CHECK(l.runner_up == UINT32_MAX ||
              (l.runner_up < info->device_count && l.runner_up_total > 0));
        stored += l.stored_bytes;
        states += l.state_bytes;
        nodes += l.node_count;
    }
    for (uint32_t d = 0; d < info->device_count; d++) {
        const het_plan_device v = device_of(p, d);
        held += v.weight_bytes + v.file_bytes + v.slot_bytes;
        kept += v.state_bytes;
        counted += v.node_count;
        CHECK(v.weight_bytes + v.slot_bytes + v.state_bytes + v.io_bytes + v.activation_bytes <=
              v.limit_bytes);
        CHECK(info->total <= v.single_total * (1 + 1e-12));
    }
    CHECK(stored <= held && stored > 0);
    CHECK_NEAR(states, kept, 0);
    CHECK_INT(nodes, info->node_count);
    CHECK_INT(counted, info->node_count);
    for (uint32_t i = 0; i < info->transfer_count; i++) {
        het_plan_transfer t = { .struct_size = sizeof t };
        CHECK_INT(het_plan_transfer_at(p, i, &t), HET_OK);
        CHECK(t.from != t.to && t.to < info->device_count && t.layer < info->layer_count);
        transfer_bytes += t.bytes;
    }
    CHECK_NEAR(transfer_bytes, (double)info->transfer_bytes, 0);
    het_plan_transfer none = { .struct_size = sizeof none };
    het_plan_device nobody = { .struct_size = sizeof nobody };
    CHECK_INT(het_plan_transfer_at(p, info->transfer_count, &none), HET_E_INVALID);
    CHECK_INT(het_plan_device_at(p, info->device_count, &nobody), HET_E_INVALID);
}

/* The text, read again, is the same placement at the same costs. */
static void check_load(const het_model *model, const het_plan_options *o, const het_plan *p)
{
    het_error err = HET_ERROR_INIT;
    het_plan *again = NULL;
    const char *text = het_plan_text(p);
    het_plan_options plain = *o;
    plain.flags = 0;
    const het_status s = het_plan_load(model, &plain, text, strlen(text), &again, &err);
    if (s != HET_OK)
        TEST_FAIL("%s", err.message);
    if (s != HET_OK)
        return;
    const het_plan_info a = info_of(p), b = info_of(again);
    CHECK_NEAR(a.predicted_ns, b.predicted_ns, 1e-9 * a.predicted_ns);
    CHECK_INT(a.transfer_count, b.transfer_count);
    CHECK_INT(a.layer_count, b.layer_count);
    het_plan_destroy(again);
    char *copy = malloc(strlen(text) + 1);
    strcpy(copy, text);
    char *node = strstr(copy, "\nnode 7 ");
    CHECK(node != NULL);
    if (node)
        node[6] = '8';
    CHECK_INT(het_plan_load(model, &plain, copy, strlen(copy), &again, &err), HET_E_FORMAT);
    CHECK(strncmp(err.message, "plan:", 5) == 0 && again == NULL);
    free(copy);
}

static void report(const char *what, const het_plan_info *i, const het_plan *p)
{
    const het_plan_device single = device_of(p, i->best_single);
    printf("%-38s %10.3f ms, %s, alone %10.3f (%s), greedy %10.3f, simulated %9.3f, split %9.3f, "
           "%u copies\n", what, i->total / 1e6, i->is_proven ? "proven" : "not proven",
           single.single_total / 1e6, single.backend, i->greedy_total / 1e6,
           i->simulated_ns / 1e6, i->split_ns / 1e6, i->transfer_count);
}

static void plan_on(const char *what, const char *config, uint32_t dtype, const char *machine,
                    uint32_t objective)
{
    het_model *model = load(config, dtype);
    het_machine *m = profile(machine);
    if (!model || !m)
        return;
    het_plan_options o = HET_PLAN_OPTIONS_INIT;
    o.machine = m;
    o.objective = objective;
    o.flags = HET_PLAN_SPLIT;
    double weights[2][4] = { { 0 } };
    for (uint32_t phase = 0; phase < 2; phase++) {
        char name[96];
        o.phase = phase;
        o.context_count = phase == HET_PHASE_DECODE ? 512 : 0;
        o.token_count = phase == HET_PHASE_DECODE ? 1 : 512;
        het_plan *p = make(model, &o);
        het_plan *q = objective || !dtype ? NULL : make(model, &o); /* the quick ones twice */
        if (p) {
            const het_plan_info i = info_of(p);
            if (q)
                CHECK_STR(het_plan_text(p), het_plan_text(q));
            CHECK(i.total <= i.greedy_total * (1 + 1e-12) && i.bound <= i.total * (1 + 1e-12));
            CHECK(i.split_ns <= i.simulated_ns && i.simulated_ns <= i.predicted_ns * (1 + 1e-9));
            check_sums(p, &i);
            check_load(model, &o, p);
            for (uint32_t d = 0; d < i.device_count && d < 4; d++)
                weights[phase][d] = device_of(p, d).weight_bytes;
            snprintf(name, sizeof name, "%s %s", what, phase ? "prefill" : "decode");
            report(name, &i, p);
        }
        het_plan_destroy(p);
        het_plan_destroy(q);
    }
    for (uint32_t d = 0; d < 4; d++) /* one residency, whichever phase is asked for */
        CHECK_NEAR(weights[0][d], weights[1][d], 0);
    het_machine_destroy(m);
    het_model_destroy(model);
}

static void language_models(void)
{
    plan_on("gemma-2-2b bf16, 8945HS", gemma2_2b, 0, "amd-8945hs", 0);
    plan_on("gemma-2-2b q4_0, 8945HS", gemma2_2b, HET_DTYPE_Q4_0, "amd-8945hs", 0);
    plan_on("Phi-tiny-MoE q4_0, 185H", tiny_moe, HET_DTYPE_Q4_0, "intel-185h", 0);
}

static void objectives(void)
{
    plan_on("gemma-2-2b q4_0, energy", gemma2_2b, HET_DTYPE_Q4_0, "amd-8945hs",
            HET_OBJECTIVE_ENERGY);
    plan_on("gemma-2-2b q4_0, throughput", gemma2_2b, HET_DTYPE_Q4_0, "amd-8945hs",
            HET_OBJECTIVE_THROUGHPUT);
}

/* A machine with little memory: weights are divided, or stay in the file, or are refused. */
static void little_memory(void)
{
    static const char form[] =
        "hetinfer-machine: 1\nname: \"small\"\n"
        "link: {bandwidth: {value: 20 GB/s, source: assumed}, "
        "latency: {value: 5 us, source: assumed}}\n"
        "memories:\n  - name: \"dram\"\n    bandwidth: {value: 80 GB/s, source: assumed}\n"
        "devices:\n"
        "  - {name: \"a\", kind: %s, backend: \"%s\", f32: {value: 1 Top/s, source: assumed}, "
        "bandwidth: {value: 60 GB/s, source: assumed}, launch: {value: 2 us, source: assumed}, "
        "memory-limit: {value: %u MB, source: assumed}}\n"
        "  - {name: \"b\", kind: igpu, backend: \"opencl_igpu\", "
        "f32: {value: 4 Top/s, source: assumed}, "
        "bandwidth: {value: 70 GB/s, source: assumed}, launch: {value: 20 us, source: assumed}, "
        "memory-limit: {value: 1000 MB, source: assumed}}\n";
    het_model *model = load(gemma2_2b, HET_DTYPE_Q4_0); /* about 1.5 GB */
    static const struct { const char *kind, *backend; unsigned mb; int result; } cases[] = {
        { "cpu", "cpu_onednn", 1000, 0 }, { "cpu", "cpu_onednn", 300, 1 },
        { "gpu", "opencl_igpu", 300, 2 },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char text[2048];
        het_machine *m = NULL;
        het_plan *p = NULL;
        het_error err = HET_ERROR_INIT;
        snprintf(text, sizeof text, form, cases[i].kind, cases[i].backend, cases[i].mb);
        if (het_machine_load_memory(context, text, strlen(text), &m, &err) != HET_OK) {
            TEST_FAIL("machine: %s", err.message);
            continue;
        }
        het_plan_options o = HET_PLAN_OPTIONS_INIT;
        o.machine = m;
        o.context_count = 512;
        const het_status s = het_plan_make(model, &o, &p, &err);
        CHECK_INT(s, cases[i].result == 2 ? HET_E_UNSUPPORTED : HET_OK);
        if (s == HET_OK) {
            const het_plan_info info = info_of(p);
            const het_plan_device a = device_of(p, 0), b = device_of(p, 1);
            check_sums(p, &info);
            CHECK(b.weight_bytes > 0 && b.weight_bytes < 1e9);
            CHECK((a.file_bytes > 0) == (cases[i].result == 1));
            printf("limit %u MB: a %.0f MB (file %.0f), b %.0f MB, %s, %.3f ms, bound %.3f\n",
                   cases[i].mb, a.weight_bytes / 1e6, a.file_bytes / 1e6, b.weight_bytes / 1e6,
                   info.is_proven ? "proven" : "not proven", info.total / 1e6, info.bound / 1e6);
        } else {
            printf("refused: %s\n", err.message);
            CHECK(strstr(err.message, "MB") != NULL);
        }
        het_plan_destroy(p);
        het_machine_destroy(m);
    }
    het_model_destroy(model);
}

static void policies(void)
{
    het_model *model = load(gemma2_2b, HET_DTYPE_Q4_0);
    het_machine *m = profile("amd-8945hs");
    het_policy *policy = NULL;
    het_error err = HET_ERROR_INIT;
    static const char text[] = "hetinfer-policy: 1\nrules:\n  - layers: 0-12\n    must: cpu\n"
                               "  - layers: 13-25\n    prefer: igpu\n";
    if (het_policy_load_memory(context, text, strlen(text), NULL, &policy, &err) != HET_OK)
        TEST_FAIL("policy: %s", err.message);
    het_plan_options o = HET_PLAN_OPTIONS_INIT;
    o.machine = m;
    o.policy = policy;
    het_plan *p = policy ? make(model, &o) : NULL;
    if (p) {
        const het_plan_info info = info_of(p);
        CHECK_INT(info.broken_count, 0);
        for (uint32_t i = 0; i < info.layer_count; i++) {
            het_plan_layer l = { .struct_size = sizeof l };
            CHECK_INT(het_plan_layer_at(p, i, &l), HET_OK);
            if (l.layer >= 0)
                CHECK_STR(l.backend, l.layer <= 12 ? "cpu_onednn" : "opencl_igpu");
        }
    }
    het_plan_destroy(p);
    o.devices = "cpu_onednn";
    CHECK_INT(het_plan_make(model, &o, &p, &err), HET_E_INVALID);
    o.devices = NULL;
    o.objective = 4;
    CHECK_INT(het_plan_make(model, &o, &p, &err), HET_E_INVALID);
    het_policy_destroy(policy);
    het_machine_destroy(m);
    het_model_destroy(model);
}

/* Experts of 11 MB, 512 of them, on a GPU that may hold 3 GB. */
static het_status plan_slots(const het_model *model, const het_machine *machine, const char *limits,
                             het_plan_device *gpu)
{
    char text[512];
    het_error err = HET_ERROR_INIT;
    het_policy *policy = NULL;
    het_plan *p = NULL;
    het_plan_options o = HET_PLAN_OPTIONS_INIT;
    snprintf(text, sizeof text, "hetinfer-policy: 1\nname: slots\nstatic_partition:\n"
             "  expert_ffn: igpu\nlimits:\n  igpu:\n%s", limits);
    CHECK_INT(het_policy_load_memory(context, text, strlen(text), "slots", &policy,
                                     &err), HET_OK);
    o.machine = machine;
    o.policy = policy;
    o.phase = HET_PHASE_DECODE;
    o.context_count = 512;
    o.token_count = 1;
    const het_status s = het_plan_make(model, &o, &p, &err);
    if (s == HET_OK) {
        const het_plan_info i = info_of(p);
        for (uint32_t d = 0; d < i.device_count; d++)
            if (device_of(p, d).kind == HET_DEVICE_IGPU)
                *gpu = device_of(p, d);
        char line[64];
        snprintf(line, sizeof line, " slots %.0f bring %.0f\n", gpu->slot_bytes, gpu->bring_ns);
        CHECK((strstr(het_plan_text(p), line) != NULL) == (gpu->slot_bytes > 0));
        check_sums(p, &i);
        check_load(model, &o, p);
    }
    het_plan_destroy(p);
    het_policy_destroy(policy);
    return s;
}

/* Slots count once for all mixtures, experts not at all; what is expected to be brought is time.
 * With every expert in a slot nothing is. */
static void experts_in_slots(void)
{
    const double expert = 3 * 448 * 4096 * 2.0;
    het_model *model = load(tiny_moe, 0);
    het_machine *machine = profile("intel-185h");
    het_plan_device one = { 0 }, two = { 0 }, all = { 0 }, none = { 0 };
    if (!model || !machine)
        return;
    CHECK_INT(plan_slots(model, machine, "    memory: 3 GB\n", &none), HET_E_UNSUPPORTED);
    CHECK_INT(plan_slots(model, machine, "    memory: 3 GB\n    experts: 1 GB\n", &one), HET_OK);
    CHECK_INT(plan_slots(model, machine, "    memory: 3 GB\n    experts: 2 GB\n", &two), HET_OK);
    CHECK_INT(plan_slots(model, machine, "    memory: 3 GB\n    experts: 8 GB\n", &none),
              HET_E_UNSUPPORTED);
    CHECK_INT(plan_slots(model, machine, "    experts: 8 GB\n", &all), HET_OK);
    CHECK_NEAR(one.slot_bytes, 90 * expert, 0);
    CHECK_NEAR(two.slot_bytes, 181 * expert, 0);
    CHECK_NEAR(all.slot_bytes, 512 * expert, 0);
    CHECK(one.slot_count == 90 && two.slot_count == 181 && all.slot_count == 512);
    CHECK(none.slot_count == 0 && one.stream_slot_count == 0);
    CHECK(one.weight_bytes + one.slot_bytes <= 3e9 && two.weight_bytes + two.slot_bytes <= 3e9);
    CHECK(one.bring_ns > 0 && one.bring_ns < one.busy_ns);
    CHECK_NEAR(all.bring_ns, 0, 0);
    CHECK_NEAR(one.bring_ns / two.bring_ns,
               (1 - 90.0 / 512 * 0.875) / (1 - 181.0 / 512 * 0.875), 1e-9);
    printf("slots: %.3f and %.3f ms for bringing\n", one.bring_ns / 1e6, two.bring_ns / 1e6);
    het_machine_destroy(machine);
    het_model_destroy(model);
}

int main(void)
{
    CHECK_INT(het_context_create(NULL, &context, NULL), HET_OK);
    test_case(language_models);
    test_case(objectives);
    test_case(little_memory);
    test_case(policies);
    test_case(experts_in_slots);
    het_context_destroy(context);
    return test_finish();
}
