/* SPDX-License-Identifier: Apache-2.0 */
/* What a policy means on a machine: names of devices, precedence of rules, thresholds, limits, and
 * for each preset where each part of a network may go. */
#include "counting_allocator.h"
#include "test.h"

#include "lib/partition/policy.h"

static het__mem memory;

static void add_device(het__machine *m, uint32_t kind, const char *backend, bool is_real)
{
    het__machine_device *d = &m->device[m->device_count];
    d->kind = kind;
    d->context_index = is_real ? m->device_count : UINT32_MAX;
    d->group = 0;
    d->units.value = 8;
    snprintf(d->backend, sizeof d->backend, "%s", backend);
    m->device_count++;
}

/* CPU, iGPU, NPU, as a profile describes them. */
static het__machine laptop(void)
{
    het__machine m = { .name = "laptop", .group_count = 1 };
    m.group[0].memory_bytes.value = 32e9;
    add_device(&m, HET_DEVICE_CPU, "cpu_onednn", false);
    add_device(&m, HET_DEVICE_IGPU, "opencl", false);
    add_device(&m, HET_DEVICE_NPU, "", false);
    m.device[2].memory_bytes.value = 4e9;
    return m;
}

static het_status read_policy(const char *text, het__policy *p)
{
    het_error err = HET_ERROR_INIT;
    const het_status s = het__policy_read(text, strlen(text), "p", &memory, p, &err);
    if (s != HET_OK)
        fprintf(stderr, "%s\n", err.message);
    return s;
}

static het__policy_subject subject(het__node_class c, int32_t layer, const char *name)
{
    return (het__policy_subject){ .label = { c, layer }, .name = name, .op = "linear",
                                  .flops = 1e9, .bytes = 1e6 };
}

/* Per device '-' forbidden, '0' to '9' wishes broken; ' ' behind the last. */
static void answers_of(const het__policy_view *view, const het__policy_subject *s, char out[17])
{
    het__policy_answer a[HET__MACHINE_DEVICES_MAX];
    het__policy_ask(view, s, a);
    for (uint32_t d = 0; d < view->machine->device_count; d++)
        out[d] = a[d].is_allowed ? (char)('0' + a[d].broken) : '-';
    out[view->machine->device_count] = 0;
}

#define V "hetinfer-policy: 1\n"

typedef struct question {
    het__node_class node_class;
    int32_t layer;
    const char *name;
    const char *want;
} question;

static void ask_all(const char *text, const question *questions, size_t count)
{
    const het__machine m = laptop();
    het__policy p;
    het__policy_view view;
    CHECK_INT(read_policy(text, &p), HET_OK);
    CHECK_INT(het__policy_bind(&p, &m, &memory, &view, NULL), HET_OK);
    for (size_t i = 0; i < count; i++) {
        char got[17];
        const het__policy_subject s =
            subject(questions[i].node_class, questions[i].layer, questions[i].name);
        answers_of(&view, &s, got);
        CHECK_STR(got, questions[i].want);
    }
    het__policy_view_finish(&view);
    het__policy_finish(&p);
}
#define ASK(text, ...)                                                             \
    do {                                                                           \
        const question list_[] = { __VA_ARGS__ };                                  \
        ask_all(text, list_, sizeof list_ / sizeof list_[0]);                      \
    } while (0)

/* ---- splits ---- */

/* The last split counts that means the product and names a device beside its own. */
static void last_split_wins(void)
{
    static const struct {
        uint32_t device;
        int32_t layer;
        double share;
        uint32_t others;
    } want[] = {
        { 0, 0, 0.25, 1u << 1 }, { 0, 5, 0.5, 1u << 2 }, { 2, 5, 0.25, 1u << 1 },
        { 1, 0, 0, 0 }, { 1, 5, 0.5, 1u << 2 },
    };
    const het__machine m = laptop();
    het__policy p;
    het__policy_view view;
    CHECK_INT(read_policy(V "split:\n  rows:\n    - {to: igpu, share: 0.25}\n"
                            "    - {layers: 4-, to: npu, share: 0.5}\n"
                            "    - {layers: 0-8, to: \"gpu:1\", share: 0.75}\n", &p), HET_OK);
    CHECK_INT(het__policy_bind(&p, &m, &memory, &view, NULL), HET_OK);
    for (size_t i = 0; i < sizeof want / sizeof *want; i++) {
        const het__policy_subject s = subject(HET__CLASS_FFN, want[i].layer, "x");
        uint32_t others;
        CHECK(het__policy_split_of(&view, &s, want[i].device, &others) == want[i].share);
        CHECK_INT(others, want[i].others);
    }
    het__policy_view_finish(&view);
    het__policy_finish(&p);
}

/* ---- rules ---- */

static void partition_is_exact(void)
{
    ASK("static_partition:\n  embedding: cpu\n  router_logits: cpu\n  expert_selection: cpu\n"
        "  attention_qkv_proj: igpu\n  expert_ffn: igpu\n  lm_head: cpu\n",
        { HET__CLASS_EMBEDDING, -1, NULL, "0--" }, { HET__CLASS_ROUTER_LOGITS, 0, NULL, "0--" },
        { HET__CLASS_EXPERT_SELECTION, 0, NULL, "0--" },
        { HET__CLASS_ATTENTION_QKV_PROJ, 0, NULL, "-0-" },
        { HET__CLASS_EXPERT_FFN, 7, NULL, "-0-" }, { HET__CLASS_LM_HEAD, -1, NULL, "0--" },
        { HET__CLASS_ATTENTION, 0, NULL, "000" });
}

static void later_rules_win(void)
{
    ASK(V "rules:\n"
          "  - must: igpu\n"
          "  - layers: 4-\n    must: npu\n"
          "  - layers: 8-\n    must: [cpu, npu]\n"
          "  - name: \"*.special\"\n    never: npu\n"
          "  - class: norm\n    must: npu\n",
        { HET__CLASS_FFN, 0, "a", "-0-" }, { HET__CLASS_FFN, 3, "a", "-0-" },
        { HET__CLASS_FFN, 4, "a", "--0" }, { HET__CLASS_FFN, 8, "a", "0-0" },
        { HET__CLASS_FFN, 9, "b.special", "0--" }, { HET__CLASS_FFN, -1, "a", "-0-" },
        { HET__CLASS_NORM, 9, "b.special", "--0" });
    /* The partition comes first, wherever it stands. */
    ASK(V "rules:\n  - class: ffn\n    must: npu\nstatic_partition:\n  ffn: cpu\n  norm: cpu\n",
        { HET__CLASS_FFN, 0, NULL, "--0" }, { HET__CLASS_NORM, 0, NULL, "0--" });
}

static void wishes(void)
{
    ASK(V "rules:\n"
          "  - prefer: [npu, igpu]\n"
          "  - class: ffn\n    prefer: igpu\n"
          "  - class: norm\n    never: igpu\n"
          "  - class: conv\n    must: [cpu, npu]\n",
        { HET__CLASS_MATMUL, 0, NULL, "210" }, { HET__CLASS_FFN, 0, NULL, "101" },
        { HET__CLASS_NORM, 0, NULL, "2-0" }, { HET__CLASS_CONV, 0, NULL, "2-0" });
}

static void selectors(void)
{
    const het__machine m = laptop();
    het__policy p;
    het__policy_view view;
    CHECK_INT(read_policy(V "rules:\n  - op: lin*\n    min_flops: 100\n    max_flops: 200\n"
                            "    min_bytes: 10 B\n    max_bytes: 20 B\n    must: npu\n", &p),
              HET_OK);
    CHECK_INT(het__policy_bind(&p, &m, &memory, &view, NULL), HET_OK);
    static const struct {
        const char *op;
        double flops, bytes;
        bool is_meant;
    } cases[] = {
        { "linear", 100, 10, true }, { "linear", 200, 20, true }, { "linear", 99, 10, false },
        { "linear", 201, 10, false }, { "linear", 100, 9, false }, { "linear", 100, 21, false },
        { "conv", 100, 10, false }, { NULL, 100, 10, false },
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const het__policy_subject s = { .label = { HET__CLASS_MATMUL, -1 }, .op = cases[i].op,
                                        .flops = cases[i].flops, .bytes = cases[i].bytes };
        CHECK(het__policy_allows(&view, &s, 0, NULL, 0) == !cases[i].is_meant);
    }
    het__policy_view_finish(&view);
    het__policy_finish(&p);
}

static void reasons(void)
{
    const het__machine m = laptop();
    het__policy p;
    het__policy_view view;
    char why[128];
    CHECK_INT(read_policy(V "devices: [cpu, igpu]\n"
                            "rules:\n"
                            "  - class: ffn\n    must: [igpu, cpu]\n"
                            "  - class: norm\n    never: igpu\n"
                            "  - class: conv\n    prefer: igpu\n"
                            "dynamic: {min_flops: 1e10}\n", &p), HET_OK);
    CHECK_INT(het__policy_bind(&p, &m, &memory, &view, NULL), HET_OK);
    het__policy_subject s = subject(HET__CLASS_FFN, 0, "x");
    CHECK(het__policy_allows(&view, &s, 1, why, sizeof why));
    CHECK_STR(why, "policy: line 4: must igpu or cpu");
    CHECK(!het__policy_allows(&view, &s, 2, why, sizeof why));
    CHECK_STR(why, "policy: not in the list of devices");
    s.label.node_class = HET__CLASS_NORM;
    CHECK(!het__policy_allows(&view, &s, 1, why, sizeof why));
    CHECK_STR(why, "policy: line 6: never igpu");
    s.label.node_class = HET__CLASS_CONV;
    CHECK(het__policy_allows(&view, &s, 1, why, sizeof why));
    CHECK_STR(why, "policy: line 8: prefer igpu");
    s.label.node_class = HET__CLASS_POOL;
    CHECK(!het__policy_allows(&view, &s, 1, why, sizeof why));
    CHECK_STR(why, "policy: less arithmetic than min_flops 1e+10");
    CHECK(het__policy_allows(&view, &s, 0, why, sizeof why));
    CHECK_STR(why, "policy: nothing said");
    het__policy_view_finish(&view);
    het__policy_finish(&p);
}

/* ---- devices ---- */

static void names_of_devices(void)
{
    het__machine m = { .name = "real" };
    add_device(&m, HET_DEVICE_CPU, "cpu_onednn", true);      /* 0 */
    add_device(&m, HET_DEVICE_REFERENCE, "ref", true);       /* 1 */
    add_device(&m, HET_DEVICE_IGPU, "opencl_igpu", true);    /* 2 */
    add_device(&m, HET_DEVICE_GPU, "intel_l0", true);        /* 3 */
    add_device(&m, HET_DEVICE_NPU, "amd_xrt_npu", true);     /* 4 */
    add_device(&m, HET_DEVICE_SIMULATED, "null", true);      /* 5 */
    static const struct { const char *name; uint32_t bits; } cases[] = {
        { "cpu", 1 }, { "cpu_onednn", 1 }, { "ref", 2 }, { "igpu", 4 }, { "opencl_igpu", 4 },
        { "dgpu", 8 }, { "intel_l0", 8 }, { "gpu", 12 }, { "gpu:0", 4 }, { "gpu:1", 8 },
        { "gpu:2", 0 }, { "npu", 16 }, { "amd_xrt_npu", 16 }, { "simulated", 32 }, { "null", 32 },
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        CHECK_INT(het__policy_select(&m, cases[i].name), cases[i].bits);
    /* A backend that is not there means nothing on a real machine, its kind on a described one. */
    m.device[3].kind = HET_DEVICE_IGPU;
    snprintf(m.device[3].backend, sizeof m.device[3].backend, "other");
    CHECK_INT(het__policy_select(&m, "intel_l0"), 0);
    m.device[3].context_index = UINT32_MAX;
    CHECK_INT(het__policy_select(&m, "intel_l0"), 8);
    /* The reference is the CPU where there is no other. */
    m.device[0].kind = HET_DEVICE_SIMULATED;
    CHECK_INT(het__policy_select(&m, "cpu"), 2);
    const het__machine profile = laptop();
    CHECK_INT(het__policy_select(&profile, "opencl_igpu"), 2);
    CHECK_INT(het__policy_select(&profile, "amd_xrt_npu"), 4);
    CHECK_INT(het__policy_select(&profile, "ref"), 0);
}

/* A number stays a device's own when others are left out. */
static void numbers_of_devices(void)
{
    static const het_device_info out = { .index = 1, .kind = HET_DEVICE_IGPU,
                                         .backend = "opencl_igpu" };
    het__machine m = { .name = "real" };
    add_device(&m, HET_DEVICE_CPU, "cpu_onednn", true);
    add_device(&m, HET_DEVICE_IGPU, "opencl_igpu", true);
    m.device[1].context_index = 2;
    CHECK_INT(het__policy_select(&m, "opencl_igpu:0"), 2);
    het__machine_leave_out(&m, &out);
    CHECK_INT(het__policy_select(&m, "opencl_igpu"), 2);
    CHECK_INT(het__policy_select(&m, "opencl_igpu:0"), 0);
    CHECK_INT(het__policy_select(&m, "opencl_igpu:1"), 2);
    CHECK_INT(het__policy_select(&m, "igpu:1"), 2);
    CHECK_INT(het__policy_select(&m, "gpu:2"), 0);
    CHECK_INT(het__policy_select(&m, "cpu:0"), 1);
    /* Who was named to take over does the work of what is left out, and only that. */
    CHECK_INT(het__policy_workers(&m, "opencl_igpu:0"), 0);
    m.absent[0].stand_ins = 1;
    CHECK_INT(het__policy_workers(&m, "opencl_igpu:0"), 1);
    CHECK_INT(het__policy_workers(&m, "opencl_igpu"), 2);
    CHECK_INT(het__policy_select(&m, "opencl_igpu:0"), 0);
    m.device_count = 1;
    CHECK_INT(het__policy_workers(&m, "igpu"), 1);
    CHECK_INT(het__policy_select(&m, "igpu"), 0);
}

static void missing_devices(void)
{
    het__machine m = laptop();
    het__policy p;
    het__policy_view view;
    het_error err = HET_ERROR_INIT;
    char got[17];
    m.device_count = 2; /* no NPU */
    CHECK_INT(read_policy(V "rules:\n  - class: ffn\n    must: npu\n", &p), HET_OK);
    CHECK_INT(het__policy_bind(&p, &m, &memory, &view, &err), HET_E_INVALID);
    CHECK_STR(err.message, "policy: machine laptop has no npu, which a rule demands (line 3)");
    p.skip_missing = true;
    CHECK_INT(het__policy_bind(&p, &m, &memory, &view, &err), HET_OK);
    het__policy_subject s = subject(HET__CLASS_FFN, 0, NULL);
    answers_of(&view, &s, got);
    CHECK_STR(got, "00");
    het__policy_view_finish(&view);
    het__policy_finish(&p);
    CHECK_INT(read_policy(V "devices: npu\n", &p), HET_OK);
    CHECK_INT(het__policy_bind(&p, &m, &memory, &view, &err), HET_E_INVALID);
    CHECK_STR(err.message, "policy: machine laptop has no npu, which the list of devices names");
    het__policy_finish(&p);
    /* A wish for what is not there breaks nothing. */
    CHECK_INT(read_policy(V "rules:\n  - prefer: npu\n", &p), HET_OK);
    CHECK_INT(het__policy_bind(&p, &m, &memory, &view, &err), HET_OK);
    answers_of(&view, &s, got);
    CHECK_STR(got, "00");
    het__policy_view_finish(&view);
    het__policy_finish(&p);
    /* No policy allows everything. */
    CHECK_INT(het__policy_bind(NULL, &m, &memory, &view, &err), HET_OK);
    answers_of(&view, &s, got);
    CHECK_STR(got, "00");
    CHECK_INT(het__policy_objective(NULL), HET_OBJECTIVE_LATENCY);
    het__policy_view_finish(&view);
}

/* ---- thresholds ---- */

static void thresholds_flip(void)
{
    const het__machine m = laptop();
    het__policy p;
    het__policy_view view;
    char got[17];
    CHECK_INT(read_policy(V "rules:\n"
                            "  - class: ffn\n    prefer: igpu\n"
                            "  - class: norm\n    must: [igpu, npu]\n"
                            "  - class: conv\n    never: igpu\n"
                            "dynamic: {min_flops: 1e6, min_bytes: 1 kB, max_transfer_ratio: 0.5}\n",
                          &p), HET_OK);
    CHECK_INT(het__policy_bind(&p, &m, &memory, &view, NULL), HET_OK);
    static const struct {
        het__node_class node_class;
        double flops, bytes;
        const char *want;
    } cases[] = {
        { HET__CLASS_MATMUL, 1e6, 1e3, "000" }, { HET__CLASS_MATMUL, 1e6 - 1, 1e3, "0--" },
        { HET__CLASS_MATMUL, 1e6, 999, "0--" }, { HET__CLASS_FFN, 1, 1, "10-" },
        { HET__CLASS_NORM, 1, 1, "-00" },       { HET__CLASS_CONV, 1e6, 1e3, "0-0" },
        { HET__CLASS_CONV, 1, 1, "0--" },
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const het__policy_subject s = { .label = { cases[i].node_class, -1 },
                                        .flops = cases[i].flops, .bytes = cases[i].bytes };
        answers_of(&view, &s, got);
        CHECK_STR(got, cases[i].want);
    }
    CHECK(het__policy_transfer_allows(&view, 50, 100));
    CHECK(!het__policy_transfer_allows(&view, 51, 100));
    het__policy_view_finish(&view);
    het__policy_finish(&p);
}

/* ---- limits and the like ---- */

static void limits(void)
{
    const het__machine m = laptop();
    het__policy p;
    het__policy_view view;
    CHECK_INT(read_policy(V "limits:\n"
                            "  npu: {memory: 2 GB}\n"
                            "  amd_xrt_npu: {memory_share: 0.25}\n"
                            "  igpu: {memory_share: 0.5}\n"
                            "  gpu: {memory: 20 GB}\n"
                            "  cpu: {threads: 6}\n"
                            "precision: {igpu: f16, npu: int8}\n", &p), HET_OK);
    CHECK_INT(het__policy_bind(&p, &m, &memory, &view, NULL), HET_OK);
    CHECK(het__policy_memory_limit(&view, 0) == 32e9);
    CHECK(het__policy_memory_limit(&view, 1) == 16e9);
    CHECK(het__policy_memory_limit(&view, 2) == 1e9); /* a quarter of its own 4 GB */
    CHECK_INT(het__policy_threads(&view, 0), 6);
    CHECK_INT(het__policy_threads(&view, 1), 0);
    CHECK_INT(het__policy_precision_of(&view, 0), HET__PEAK_COUNT);
    CHECK_INT(het__policy_precision_of(&view, 1), HET__PEAK_F16);
    CHECK_INT(het__policy_precision_of(&view, 2), HET__PEAK_INT8);
    p.power = HET__POWER_EFFICIENCY;
    CHECK_INT(het__policy_threads(&view, 0), 4);
    CHECK_INT(het__policy_objective(&p), HET_OBJECTIVE_ENERGY);
    p.objective = HET_OBJECTIVE_THROUGHPUT;
    CHECK_INT(het__policy_objective(&p), HET_OBJECTIVE_THROUGHPUT);
    het__policy_view_finish(&view);
    CHECK_INT(het__policy_bind(NULL, &m, &memory, &view, NULL), HET_OK);
    CHECK(het__policy_memory_limit(&view, 1) == 32e9);
    CHECK(het__policy_transfer_allows(&view, 1, 0));
    het__policy_view_finish(&view);
    het__policy_finish(&p);
}

/* ---- presets ---- */

/* Per preset and part: CPU, iGPU, NPU. */
static const char snapshot[] =
    "                       amd_phoenix cpu_only intel_185h unicorn_e4b\n"
    "other                  000         0--      000        011\n"
    "embedding              110         0--      0--        011\n"
    "attention_qkv_proj     110         0--      101        110\n"
    "attention              101         0--      000        110\n"
    "attention_output_proj  101         0--      000        110\n"
    "router_logits          0--         0--      0--        011\n"
    "expert_selection       0--         0--      0--        011\n"
    "expert_ffn             101         0--      101        101\n"
    "ffn                    101         0--      000        101\n"
    "norm                   101         0--      000        011\n"
    "residual               101         0--      000        011\n"
    "activation             110         0--      000        011\n"
    "lm_head                0--         0--      0--        011\n"
    "conv                   101         0--      000        011\n"
    "pool                   000         0--      000        011\n"
    "matmul                 101         0--      000        011\n"
    "elementwise            000         0--      000        011\n"
    "reduce                 000         0--      000        011\n"
    "move                   000         0--      000        011\n"
    "recurrent              000         0--      000        011\n"
    "control                000         0--      000        011\n"
    "conv, 10 MFLOP         110         0--      000        011\n";

static void presets_place_as_they_say(void)
{
    const het__machine m = laptop();
    het__policy p[4];
    het__policy_view view[4];
    char got[4096], cell[17];
    size_t n = (size_t)snprintf(got, sizeof got, "%-22s", "");
    for (uint32_t k = 0; k < 4; k++) {
        const char *name = het__policy_preset_name(k);
        CHECK_INT(read_policy(het__policy_preset_text(name), &p[k]), HET_OK);
        CHECK_INT(het__policy_bind(&p[k], &m, &memory, &view[k], NULL), HET_OK);
        n += (size_t)snprintf(got + n, sizeof got - n, " %s", name);
    }
    n += (size_t)snprintf(got + n, sizeof got - n, "\n");
    for (uint32_t c = 0; c <= HET__CLASS_COUNT; c++) {
        static const char *const pads[] = { "         ", "      ", "        ", "\n" };
        het__policy_subject s =
            subject(c < HET__CLASS_COUNT ? (het__node_class)c : HET__CLASS_CONV, 3, "x");
        s.flops = c < HET__CLASS_COUNT ? 1e9 : 1e7;
        n += (size_t)snprintf(got + n, sizeof got - n, "%-22s ",
                              c < HET__CLASS_COUNT ? het__node_class_name(c) : "conv, 10 MFLOP");
        for (uint32_t k = 0; k < 4; k++) {
            answers_of(&view[k], &s, cell);
            n += (size_t)snprintf(got + n, sizeof got - n, "%s%s", cell, pads[k]);
        }
    }
    CHECK_STR(got, snapshot);
    CHECK(het__policy_memory_limit(&view[0], 2) == 4e9);
    CHECK(het__policy_memory_limit(&view[3], 2) == 2e9);
    CHECK(het__policy_memory_limit(&view[3], 1) == 16e9);
    for (uint32_t k = 0; k < 4; k++) {
        het__policy_view_finish(&view[k]);
        het__policy_finish(&p[k]);
    }
}

/* On a machine of CPUs alone every preset still leaves each part a device. */
static void presets_work_without_accelerators(void)
{
    het__machine m = laptop();
    m.device_count = 1;
    for (uint32_t k = 0; k < 4; k++) {
        het__policy p;
        het__policy_view view;
        char got[17];
        CHECK_INT(read_policy(het__policy_preset_text(het__policy_preset_name(k)), &p), HET_OK);
        CHECK_INT(het__policy_bind(&p, &m, &memory, &view, NULL), HET_OK);
        for (uint32_t c = 0; c < HET__CLASS_COUNT; c++) {
            const het__policy_subject s = subject((het__node_class)c, 0, "x");
            answers_of(&view, &s, got);
            CHECK_STR(got, "0");
        }
        het__policy_view_finish(&view);
        het__policy_finish(&p);
    }
}

static void memory_runs_out(void)
{
    counting_allocator counter = { 0 };
    const het_allocator allocator = counting_allocator_of(&counter);
    const het__machine m = laptop();
    het__mem mem;
    het__policy p;
    het__policy_view view;
    het__mem_init(&mem, &allocator);
    CHECK_INT(read_policy(V "rules:\n  - must: cpu\n", &p), HET_OK);
    counting_allocator_fail(&counter, 1);
    CHECK_INT(het__policy_bind(&p, &m, &mem, &view, NULL), HET_E_NOMEM);
    CHECK_INT(atomic_load(&counter.blocks), 0);
    het__policy_finish(&p);
}

int main(void)
{
    het__mem_init(&memory, NULL);
    test_case(last_split_wins);
    test_case(partition_is_exact);
    test_case(later_rules_win);
    test_case(wishes);
    test_case(selectors);
    test_case(reasons);
    test_case(names_of_devices);
    test_case(numbers_of_devices);
    test_case(missing_devices);
    test_case(thresholds_flip);
    test_case(limits);
    test_case(presets_place_as_they_say);
    test_case(presets_work_without_accelerators);
    test_case(memory_runs_out);
    return test_finish();
}
