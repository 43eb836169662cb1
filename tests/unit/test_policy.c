/* SPDX-License-Identifier: Apache-2.0 */
/* Policies as files: every key, every refusal with its line, the normal form, memory that runs out,
 * and the public functions. What a policy means on a machine is in test_policy_view.c. */
#define _XOPEN_SOURCE 700 /* setenv */
#include <hetinfer.h>

#include "counting_allocator.h"
#include "tiny_model.h"

#include "lib/api/handles.h"
#include "lib/partition/policy_parts.h"

static het__mem memory;

static het_status read_text(const char *text, het__policy *policy, het_error *err)
{
    *err = (het_error)HET_ERROR_INIT;
    return het__policy_read(text, strlen(text), "p.yaml", &memory, policy, err);
}

static char *write_text(const het__policy *policy)
{
    het__text text;
    het__text_init(&text, &memory);
    het__policy_write(policy, &text);
    return het__text_take(&text);
}

/* ---- equality, as the round trip promises it ---- */

static bool same_string(const char *a, const char *b)
{
    return a == b || (a && b && strcmp(a, b) == 0);
}

static bool same_devices(const het__policy_devices *a, const het__policy_devices *b)
{
    bool same = a->count == b->count;
    for (uint32_t i = 0; same && i < a->count; i++)
        same = strcmp(a->name[i], b->name[i]) == 0;
    return same;
}

static bool same_rule(const het__policy_rule *a, const het__policy_rule *b)
{
    return a->classes == b->classes && a->layer_first == b->layer_first &&
           a->layer_last == b->layer_last && same_string(a->name, b->name) &&
           same_string(a->op, b->op) && a->flops_min == b->flops_min &&
           a->flops_max == b->flops_max && a->bytes_min == b->bytes_min &&
           a->bytes_max == b->bytes_max && same_devices(&a->must, &b->must) &&
           same_devices(&a->prefer, &b->prefer) && same_devices(&a->never, &b->never);
}

static bool same_running(const het__policy *a, const het__policy *b)
{
    bool same = a->scheduling == b->scheduling && a->bandwidth_capacity == b->bandwidth_capacity &&
                a->bandwidth_tokens == b->bandwidth_tokens && a->throttle == b->throttle &&
                a->micro_batch_min == b->micro_batch_min &&
                a->micro_batch_max == b->micro_batch_max &&
                a->micro_batch_adaptive == b->micro_batch_adaptive &&
                a->max_queue_depth == b->max_queue_depth &&
                a->pipeline_stages == b->pipeline_stages &&
                a->double_buffering == b->double_buffering && a->telemetry == b->telemetry &&
                a->telemetry_interval_ms == b->telemetry_interval_ms &&
                same_string(a->telemetry_sink, b->telemetry_sink);
    for (uint32_t t = 0; t < HET__TRIGGER_COUNT; t++) {
        const het__policy_fallback *x = &a->fallback[t], *y = &b->fallback[t];
        same = same && x->is_set == y->is_set && x->retry == y->retry &&
               x->backoff_ms == y->backoff_ms && x->limit == y->limit &&
               strcmp(x->next, y->next) == 0;
    }
    return same;
}

static bool same_policy(const het__policy *a, const het__policy *b)
{
    bool same = same_string(a->name, b->name) && same_string(a->description, b->description) &&
                same_string(a->model, b->model) && a->objective == b->objective &&
                a->power == b->power && same_devices(&a->devices, &b->devices) &&
                a->host_parts == b->host_parts && a->skip_missing == b->skip_missing &&
                a->rule_count == b->rule_count && a->limit_count == b->limit_count &&
                a->precision_count == b->precision_count && a->min_flops == b->min_flops &&
                a->min_bytes == b->min_bytes && a->max_transfer_ratio == b->max_transfer_ratio &&
                a->split_when == b->split_when && a->split_count == b->split_count;
    for (uint32_t i = 0; same && i < a->split_count; i++)
        same = same_rule(&a->splits[i].where, &b->splits[i].where) &&
               strcmp(a->splits[i].to, b->splits[i].to) == 0 &&
               a->splits[i].share == b->splits[i].share;
    for (uint32_t i = 0; same && i < a->rule_count; i++)
        same = same_rule(&a->rules[i], &b->rules[i]);
    for (uint32_t i = 0; same && i < a->limit_count; i++)
        same = strcmp(a->limits[i].device, b->limits[i].device) == 0 &&
               a->limits[i].memory_bytes == b->limits[i].memory_bytes &&
               a->limits[i].memory_share == b->limits[i].memory_share &&
               a->limits[i].threads == b->limits[i].threads;
    for (uint32_t i = 0; same && i < a->precision_count; i++)
        same = strcmp(a->precision[i].device, b->precision[i].device) == 0 &&
               a->precision[i].type == b->precision[i].type;
    return same && same_running(a, b);
}

/* Writing and reading give the same policy and the same text. */
static void check_round(const het__policy *policy)
{
    het_error err = HET_ERROR_INIT;
    het__policy again;
    char *text = write_text(policy);
    CHECK(text != NULL);
    const het_status s = read_text(text, &again, &err);
    CHECK_INT(s, HET_OK);
    if (s != HET_OK) {
        fprintf(stderr, "%s\n%s\n", err.message, text);
        het__free(&memory, text);
        return;
    }
    CHECK(same_policy(policy, &again));
    char *second = write_text(&again);
    CHECK_STR(second, text);
    het__free(&memory, second);
    het__free(&memory, text);
    het__policy_finish(&again);
}

/* ---- the reference ---- */

/* The n-th YAML example of docs/policy.md, for free(). */
static char *example(int n)
{
    char path[512];
    size_t bytes = 0;
    char *all = test_read_file(test_source_path(path, sizeof path, "docs/policy.md"), &bytes);
    char *copy = all ? realloc(all, bytes + 1) : NULL, *at = copy;
    if (!copy)
        return NULL;
    copy[bytes] = 0;
    for (int i = 0; at && i < n; i++) {
        at = strstr(at, "```yaml\n");
        at = at ? at + 8 : NULL;
    }
    char *end = at ? strstr(at, "```") : NULL;
    if (end)
        *end = 0;
    if (!end) {
        free(copy);
        return NULL;
    }
    memmove(copy, at, strlen(at) + 1);
    return copy;
}

static void check_rules_of_reference(const het__policy *p)
{
    CHECK_INT(p->rule_count, 6 + 3);
    CHECK_INT(p->rules[0].classes, 1u << HET__CLASS_EMBEDDING);
    CHECK_STR(p->rules[0].must.name[0], "cpu");
    CHECK_INT(p->rules[4].must.count, 2);
    const het__policy_rule *r = &p->rules[6];
    CHECK_INT(r->classes, 1u << HET__CLASS_FFN | 1u << HET__CLASS_NORM);
    CHECK_INT(r->layer_first, 0);
    CHECK_INT(r->layer_last, 15);
    CHECK_STR(r->prefer.name[1], "igpu");
    CHECK_STR(p->rules[7].name, "blk.*.attn_output");
    CHECK_STR(p->rules[7].op, "linear");
    r = &p->rules[8];
    CHECK(r->flops_min == 1e6 && r->flops_max == 1e9);
    CHECK(r->bytes_min == 65536 && r->bytes_max == 33554432);
    CHECK_STR(r->never.name[0], "cpu");
    CHECK_INT(p->host_parts, 1u << 0 | 1u << 1);
}

static void check_rest_of_reference(const het__policy *p)
{
    CHECK_STR(p->name, "everything");
    CHECK_STR(p->model, "gemma-*");
    CHECK_INT(p->devices.count, 3);
    CHECK_INT(p->objective, HET_OBJECTIVE_LATENCY);
    CHECK_INT(p->limit_count, 4);
    CHECK_STR(p->limits[3].device, "dgpu");
    CHECK_NEAR(p->limits[3].expert_bytes, 3e9, 0);
    CHECK_INT(p->limits[3].expert_keep, 0);
    CHECK_INT(p->limits[3].stream, HET__STREAM_ALWAYS);
    CHECK(p->limits[0].memory_bytes == 2e9 && p->limits[1].memory_share == 0.5);
    CHECK_INT(p->limits[2].threads, 4);
    CHECK_INT(p->split_when, HET__SPLIT_AUTO);
    CHECK_INT(p->split_count, 1);
    CHECK_INT(p->splits[0].where.classes, 1u << HET__CLASS_FFN);
    CHECK_INT(p->splits[0].where.layer_last, INT32_MAX);
    CHECK_STR(p->splits[0].to, "igpu");
    CHECK(p->splits[0].share == 0.25);
    CHECK(p->min_flops == 1e6 && p->min_bytes == 4096 && p->max_transfer_ratio == 0.5);
    CHECK_INT(p->precision_count, 2);
    CHECK_INT(p->precision[0].type, HET__PEAK_INT8);
    CHECK_INT(p->scheduling, HET__SCHEDULING_BW_AWARE);
    CHECK(p->bandwidth_capacity == 60e9 && p->bandwidth_tokens == 8 && p->throttle);
    CHECK(p->micro_batch_min == 1 && p->micro_batch_max == 32 && p->micro_batch_adaptive);
    CHECK_INT(p->max_queue_depth, 8);
    CHECK(p->pipeline_stages == 2 && p->double_buffering);
    const het__policy_fallback *f = p->fallback;
    CHECK(f[0].is_set && f[0].retry == 2 && f[0].backoff_ms == 10);
    CHECK_STR(f[HET__TRIGGER_OOM].next, "cpu");
    CHECK(f[HET__TRIGGER_TIMEOUT].limit == 2000 && f[HET__TRIGGER_THERMAL].limit == 95);
    CHECK(p->skip_missing && p->telemetry && p->telemetry_interval_ms == 1000);
    CHECK_STR(p->telemetry_sink, "log");
}

static void reference_is_read(void)
{
    het_error err;
    het__policy p;
    char *text = example(1);
    CHECK(text != NULL);
    const het_status s = read_text(text ? text : "", &p, &err);
    CHECK_INT(s, HET_OK);
    if (s != HET_OK) {
        fprintf(stderr, "%s\n", err.message);
        free(text);
        return;
    }
    check_rules_of_reference(&p);
    check_rest_of_reference(&p);
    check_round(&p);
    het__policy_finish(&p);
    free(text);
}

/* The static partition of the reference, as it stands, is a policy. */
static void partition_is_a_policy(void)
{
    het_error err;
    het__policy p;
    char *text = example(2);
    CHECK_INT(read_text(text ? text : "", &p, &err), HET_OK);
    CHECK_INT(p.rule_count, 6);
    for (uint32_t i = 0; i < p.rule_count; i++)
        CHECK(p.rules[i].must.count == 1 && p.rules[i].line == i + 2);
    check_round(&p);
    het__policy_finish(&p);
    free(text);
}

/* ---- refusals ---- */

#define V "hetinfer-policy: 1\n"

static const struct {
    const char *text, *message;
} refusals[] = {
    { "name: x\n", "p.yaml:1: this is no policy" },
    { "hetinfer-policy: one\n", "p.yaml:1: hetinfer-policy must be a number" },
    { "- 1\n", "p.yaml:1: " },
    { V "colour: red\n", "p.yaml:2: " },
    { V "name: [a]\n", "p.yaml:2: name must be a text" },
    { V "objective: speed\n", "p.yaml:2: objective must be one of latency, throughput, energy" },
    { V "power_profile: high\n", "p.yaml:2: power_profile must be one of balanced" },
    { V "devices: []\n", "p.yaml:2: devices lists no device" },
    { V "devices: [cpu, tpu]\n", "p.yaml:2: 'tpu' is no device; known are cpu, igpu" },
    { V "devices: [cpu, cpu]\n", "p.yaml:2: the device cpu is listed twice" },
    { V "devices: [\"cpu:x\"]\n", "p.yaml:2: 'cpu:x' is no device" },
    { V "static_partition: cpu\n", "p.yaml:2: static_partition must be a mapping" },
    { V "static_partition:\n  heads: cpu\n", "p.yaml:3: 'heads' is no part of a network" },
    { V "static_partition:\n  ffn: [gpu, cloud]\n", "p.yaml:3: 'cloud' is no device" },
    { V "static_partition:\n  ffn: [[cpu]]\n", "p.yaml:3: this must be a text" },
    { V "static_partition:\n  sampling: npu\n", "p.yaml:3: sampling is always done on the cpu" },
    { V "rules: {a: b}\n", "p.yaml:2: rules must be a list" },
    { V "rules:\n  - must\n", "p.yaml:3: " },
    { V "rules:\n  - class: ffn\n", "p.yaml:3: the rule says neither must, prefer nor never" },
    { V "rules:\n  - class: []\n    must: cpu\n", "p.yaml:3: class lists no part" },
    { V "rules:\n  - class: ffn\n    where: cpu\n", "p.yaml:4: " },
    { V "rules:\n  - layers: 5-2\n    must: cpu\n", "p.yaml:3: layers must be like" },
    { V "rules:\n  - layers: x\n    must: cpu\n", "p.yaml:3: layers must be like" },
    { V "rules:\n  - layers: 100000\n    must: cpu\n", "p.yaml:3: layers must be like" },
    { V "rules:\n  - min_flops: 0\n    must: cpu\n", "p.yaml:3: min_flops is '0', not in 1" },
    { V "rules:\n  - min_flops: 5\n    max_flops: 4\n    must: cpu\n", "p.yaml:3: the rule's b" },
    { V "rules:\n  - max_bytes: 5\n    must: cpu\n", "p.yaml:3: max_bytes is '5'" },
    { V "rules:\n  - name: \"a\\nb\"\n    must: cpu\n", "p.yaml:3: name holds a character" },
    { V "split: true\n", "p.yaml:2: " },
    { V "split: {when: often}\n", "p.yaml:2: when must be one of auto, always, never" },
    { V "split: {rows: 4}\n", "p.yaml:2: rows must be a list" },
    { V "split:\n  rows:\n    - share: 0.5\n", "p.yaml:4: a split needs to and share" },
    { V "split:\n  rows:\n    - to: cpu\n", "p.yaml:4: a split needs to and share" },
    { V "split:\n  rows:\n    - {to: tpu, share: 0.5}\n", "p.yaml:4: 'tpu' is no device" },
    { V "split:\n  rows:\n    - {to: cpu, share: 1}\n", "p.yaml:4: share is '1', not in 0.001" },
    { V "split:\n  rows:\n    - {to: cpu, share: 0.5, must: cpu}\n", "p.yaml:4: " },
    { V "split:\n  rows:\n    - {to: cpu, share: 0.5, layers: 5-2}\n", "p.yaml:4: layers must" },
    { V "split:\n  rows:\n    - {to: cpu, share: 0.5, min_flops: 5, max_flops: 4}\n",
      "p.yaml:4: the rule's b" },
    { V "limits: []\n", "p.yaml:2: limits must be a mapping" },
    { V "limits:\n  tpu: {threads: 1}\n", "p.yaml:3: 'tpu' is no device" },
    { V "limits:\n  cpu: {cores: 1}\n", "p.yaml:3: " },
    { V "limits:\n  cpu: {threads: 0}\n", "p.yaml:3: threads is '0', not in 1 to 1024" },
    { V "limits:\n  cpu: {threads: 1.5}\n", "p.yaml:3: threads must be a whole number" },
    { V "limits:\n  npu: {memory: 2}\n", "p.yaml:3: memory is '2', whose unit is not 'B'" },
    { V "limits:\n  npu: {memory: -2 GB}\n", "p.yaml:3: memory is '-2 GB', not in 1" },
    { V "limits:\n  npu: {memory_share: 1.1}\n", "p.yaml:3: memory_share is '1.1', not in" },
    { V "limits:\n  npu: {memory: 1 GB, memory_share: 1}\n", "p.yaml:3: the limit of npu contra" },
    { V "dynamic: {min_flops: many}\n", "p.yaml:2: min_flops must be a number" },
    { V "dynamic: {max_transfer_ratio: 0}\n", "p.yaml:2: max_transfer_ratio is '0'" },
    { V "precision: {npu: int4}\n", "p.yaml:2: npu must be one of f32, f16, bf16, int8" },
    { V "precision: {accumulate: f16}\n", "p.yaml:2: accumulate must be one of f32" },
    { V "scheduling: random\n", "p.yaml:2: scheduling must be one of fifo, bw_aware" },
    { V "bandwidth_tokens: {tokens: 4}\n", "p.yaml:2: bandwidth_tokens needs a capacity" },
    { V "bandwidth_tokens: {capacity: 60}\n", "p.yaml:2: capacity is '60', whose unit is not" },
    { V "bandwidth_tokens:\n  capacity: 1 GB/s\n  throttle: maybe\n", "p.yaml:4: throttle" },
    { V "micro_batch: {min: 4, max: 2}\n", "p.yaml:2: micro_batch.max 2 is less than min 4" },
    { V "micro_batch: {adaptive: true}\n", "p.yaml:2: an adaptive micro_batch needs a max" },
    { V "max_queue_depth: 0\n", "p.yaml:2: max_queue_depth is '0'" },
    { V "pipelining: {stages: 65}\n", "p.yaml:2: stages is '65', not in 1 to 64" },
    { V "fallback: {on_fire: cpu}\n", "p.yaml:2: " },
    { V "fallback:\n  on_error: {retry: 101}\n", "p.yaml:3: retry is '101', not in 0 to 100" },
    { V "fallback:\n  on_error: {celsius: 90}\n", "p.yaml:3: " },
    { V "fallback:\n  on_error: {return_celsius: 90}\n", "p.yaml:3: " },
    { V "fallback:\n  on_thermal: {celsius: 90, return_celsius: 90}\n",
      "p.yaml:3: return_celsius must be below celsius" },
    { V "fallback:\n  on_oom: somewhere\n", "p.yaml:3: 'somewhere' is no device" },
    { V "fallback:\n  on_oom: [cpu]\n", "p.yaml:3: " },
    { V "fallback: {on_missing: ignore}\n", "p.yaml:2: on_missing must be one of error, skip" },
    { V "telemetry: {interval_ms: 0}\n", "p.yaml:2: interval_ms is '0'" },
    { V "telemetry: {sink: ''}\n", "p.yaml:2: sink must be a text" },
};

/* Rules that cannot hold together. */
static const struct {
    const char *text, *message;
} contradictions[] = {
    { V "rules:\n  - must: cpu\n    never: cpu\n", "p.yaml:3: the rule contradicts itself" },
    { V "rules:\n  - must: intel_l0\n    never: gpu\n", "p.yaml:3: the rule contradicts itself" },
    { V "rules:\n  - prefer: igpu\n    never: gpu\n", "p.yaml:3: the rule contradicts itself" },
    { V "rules:\n  - must: cpu\n    prefer: npu\n", "which its must leaves out" },
    { V "devices: [cpu]\nrules:\n  - must: npu\n", "p.yaml:4: must npu contradicts the list" },
    { V "devices: [cpu]\nrules:\n  - prefer: npu\n", "p.yaml:4: prefer npu contradicts the list" },
    { V "devices: [cpu]\nfallback: {on_oom: npu}\n", "fallback.on_oom.next npu contradicts" },
    { V "rules:\n  - class: ffn\n    must: igpu\n  - never: gpu\n",
      "p.yaml:5: never gpu contradicts the rule of line 3, which says must igpu" },
    { V "static_partition: {ffn: igpu}\nrules:\n  - class: [ffn, norm]\n    never: igpu\n",
      "p.yaml:4: never igpu contradicts the rule of line 2" },
};

/* What a word by itself stands for. */
static void triggers_have_short_forms(void)
{
    static const struct {
        const char *word, *next;
        uint32_t retry, backoff_ms;
    } words[] = { { "fail", "", 0, 0 }, { "none", "", 0, 0 }, { "fallback", "any", 0, 0 },
                  { "any", "any", 0, 0 }, { "retry", "any", 3, 10 }, { "npu", "npu", 0, 0 } };
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        char text[80];
        het__policy p;
        het_error err;
        snprintf(text, sizeof text, V "fallback: {on_oom: %s}\n", words[i].word);
        CHECK_INT(read_text(text, &p, &err), HET_OK);
        const het__policy_fallback *f = &p.fallback[HET__TRIGGER_OOM];
        CHECK(f->is_set);
        CHECK_STR(f->next, words[i].next);
        CHECK_INT(f->retry, words[i].retry);
        CHECK_INT(f->backoff_ms, words[i].backoff_ms);
        het__policy_finish(&p);
    }
}

static void refusals_name_the_line(void)
{
    het__policy p;
    het_error err;
    for (size_t i = 0; i < sizeof refusals / sizeof refusals[0]; i++) {
        CHECK_INT(read_text(refusals[i].text, &p, &err), HET_E_INVALID);
        CHECK(strstr(err.message, refusals[i].message));
        if (!strstr(err.message, refusals[i].message))
            fprintf(stderr, "%s  says: %s\n  want: %s\n", refusals[i].text, err.message,
                    refusals[i].message);
    }
    CHECK_INT(read_text("hetinfer-policy: 2\n", &p, &err), HET_E_VERSION);
    CHECK_INT(err.status, HET_E_VERSION);
    CHECK(strstr(err.message, "p.yaml:1: version 2 of policies is newer") == err.message);
    CHECK_INT(read_text(V "a: [\n", &p, &err), HET_E_FORMAT);
    CHECK_INT(read_text(V "name: a\nname: b\n", &p, &err), HET_E_FORMAT);
    CHECK(strstr(err.message, "p.yaml:3: ") == err.message);
}

static void contradictions_are_found(void)
{
    het__policy p;
    het_error err;
    for (size_t i = 0; i < sizeof contradictions / sizeof contradictions[0]; i++) {
        CHECK_INT(read_text(contradictions[i].text, &p, &err), HET_E_INVALID);
        CHECK(strstr(err.message, contradictions[i].message));
        if (!strstr(err.message, contradictions[i].message))
            fprintf(stderr, "%s  says: %s\n", contradictions[i].text, err.message);
    }
}

/* Like a contradiction, but some nodes, some devices or a later rule are left. */
static void what_can_hold_is_read(void)
{
    static const char *const good[] = {
        V,
        V "rules: []\n",
        V "rules:\n  - must: gpu\n    never: \"gpu:1\"\n",
        V "rules:\n  - must: [igpu, npu]\n  - never: gpu\n",
        V "rules:\n  - must: igpu\n  - class: ffn\n    never: igpu\n",
        V "rules:\n  - class: ffn\n    must: igpu\n  - layers: 0-3\n    never: igpu\n",
        V "rules:\n  - class: ffn\n    must: igpu\n  - never: gpu\n  - class: ffn\n    must: npu\n",
        V "rules:\n  - must: igpu\n  - must: cpu\n",
        V "devices: [cpu_onednn]\nrules:\n  - must: cpu\n",
        V "fallback: {on_error: none}\n",
        V "fallback: {on_error: fail, on_oom: fallback, on_timeout: retry}\n",
        V "devices: [cpu]\nfallback: {on_error: {retry: 1, next: any}}\n",
        V "limits: {cpu: {}}\n",
        V "split: {}\n",
        V "split: {when: never, rows: []}\n",
        V "split:\n  when: always\n  rows:\n    - {to: \"null:1\", share: 0.001}\n"
          "    - {class: [ffn, lm_head], op: \"l*\", name: \"b?\", layers: 3, min_flops: 7,"
          " max_bytes: 1 MiB, to: gpu, share: 0.125}\n",
        V "limits: {\"gpu:1\": {memory: 1 kB}}\nprecision: {\"null\": f32}\n",
        V "rules:\n  - layers: 24-\n    name: \"a\\\"\\\\*?\xc3\xa9\"\n"
          "    never: [ref, \"null\"]\n",
    };
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        het__policy p;
        het_error err;
        const het_status s = read_text(good[i], &p, &err);
        CHECK_INT(s, HET_OK);
        if (s != HET_OK) {
            fprintf(stderr, "%s  says: %s\n", good[i], err.message);
            continue;
        }
        check_round(&p);
        het__policy_finish(&p);
    }
}

/* ---- parts ---- */

static void patterns(void)
{
    CHECK(het__glob_match("", ""));
    CHECK(!het__glob_match("", "a"));
    CHECK(het__glob_match("*", ""));
    CHECK(het__glob_match("*", "a/b.c"));
    CHECK(het__glob_match("a?c", "abc"));
    CHECK(!het__glob_match("a?c", "ac"));
    CHECK(het__glob_match("blk.*.attn_*", "blk.12.attn_q"));
    CHECK(!het__glob_match("blk.*.attn_*", "blk.12.ffn_up"));
    CHECK(het__glob_match("*aab", "aaaaab"));
    CHECK(het__glob_match("*a*b*", "xxaxxbxx"));
    CHECK(!het__glob_match("*a*b", "xxaxxbx"));
    /* What takes exponential time where every star is tried against every other. */
    CHECK(!het__glob_match("*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*b",
                           "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"));
}

static void layer_ranges(void)
{
    int32_t a = -2, b = -2;
    CHECK(het__policy_layers_read("7", &a, &b) && a == 7 && b == 7);
    CHECK(het__policy_layers_read("0-15", &a, &b) && a == 0 && b == 15);
    CHECK(het__policy_layers_read("24-", &a, &b) && a == 24 && b == INT32_MAX);
    static const char *const bad[] = { "", "-", "-3", "3-2", "1-2-3", "a", "1a", "99999999999",
                                       "1-99999999999" };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        CHECK(!het__policy_layers_read(bad[i], &a, &b));
}

/* ---- random policies come back as they were ---- */

static uint64_t seed = 20;

static uint32_t below(uint32_t n)
{
    return (uint32_t)(test_random(&seed) >> 33) % n;
}

/* A number of any size with any number of digits. */
static double amount(double most)
{
    const double x = 1 + (double)(test_random(&seed) >> (11 + below(40)));
    return below(3) ? fmin(x, most) : fmin(floor(x) * 1024, most);
}

static void random_devices(het__policy_devices *devices)
{
    static const char *const names[] = { "cpu", "igpu", "gpu", "npu", "gpu:1", "intel_l0", "null",
                                         "ref", "amd_xrt_npu", "cpu_onednn:9" };
    for (uint32_t i = below(4); i > 0; i--)
        CHECK(het__policy_add_device(devices, names[below(10)], NULL) != HET_E_NOMEM);
}

static void random_rule(het__policy *p)
{
    static const char *const texts[] = { "*", "a \"quoted\" \\ one", "\xe2\x82\xac*", ": # -",
                                         "blk.?.x", "null", "0x10", " " };
    het__policy_rule r = { .layer_first = -1, .layer_last = -1 };
    r.classes = below(2) ? below(1u << HET__CLASS_COUNT) : 0;
    if (below(2)) {
        r.layer_first = (int32_t)below(50);
        r.layer_last = below(2) ? INT32_MAX : r.layer_first + (int32_t)below(9);
    }
    r.name = below(2) ? texts[below(8)] : NULL;
    r.op = below(2) ? texts[below(8)] : NULL;
    r.flops_min = below(2) ? amount(1e24) : 0;
    r.bytes_max = below(2) ? amount(1e18) : 0;
    random_devices(&r.must);
    random_devices(&r.prefer);
    random_devices(&r.never);
    /* What is refused is not there; that the rest is whole is what counts. */
    (void)!het__policy_add_rule(p, &r, NULL, NULL);
}

static void random_running(het__policy *p)
{
    p->scheduling = below(HET__SCHEDULING_COUNT);
    p->bandwidth_capacity = below(2) ? amount(1e18) : 0;
    p->bandwidth_tokens = p->bandwidth_capacity > 0 ? below(9) : 0;
    p->throttle = p->bandwidth_capacity > 0 && below(2);
    p->micro_batch_min = below(4);
    p->micro_batch_max = below(2) ? 4 + below(9) : 0;
    p->micro_batch_adaptive = p->micro_batch_max && below(2);
    p->max_queue_depth = below(3);
    p->pipeline_stages = below(4);
    p->double_buffering = below(2);
    for (uint32_t t = 0; t < HET__TRIGGER_COUNT; t++)
        if (below(2)) {
            het__policy_fallback *f = &p->fallback[t];
            f->is_set = true;
            f->retry = below(4);
            f->backoff_ms = below(100);
            f->limit = t >= HET__TRIGGER_TIMEOUT && below(2) ? 1 + below(149) / 3.0 : 0;
            strcpy(f->next, below(3) ? below(2) ? "gpu:0" : "any" : "");
        }
    p->telemetry = below(2);
    p->telemetry_interval_ms = below(3);
    p->telemetry_sink = below(2) ? "/tmp/a b" : NULL;
}

static void random_policies(void)
{
    for (int i = 0; i < 300; i++) {
        het__policy p;
        het__policy_init(&p, &memory);
        p.name = below(2) ? "it's: [this]" : NULL;
        p.objective = below(4);
        p.power = below(3);
        p.host_parts = below(16);
        p.skip_missing = below(2);
        p.min_flops = below(2) ? amount(1e24) : 0;
        p.min_bytes = below(2) ? amount(1e18) : 0;
        p.max_transfer_ratio = below(2) ? 1e-6 + below(1000) / 7.0 : 0;
        for (uint32_t n = below(5); n > 0; n--) {
            het__policy_limit l = { .memory_bytes = below(2) ? amount(1e18) : 0,
                                    .threads = below(5) };
            l.memory_share = l.memory_bytes > 0 ? 0 : (1 + below(999)) / 1000.0;
            strcpy(l.device, below(2) ? "npu" : "gpu:1");
            CHECK_INT(het__policy_set_limit(&p, &l, NULL, NULL), HET_OK);
        }
        for (uint32_t n = below(6); n > 0; n--)
            random_rule(&p);
        random_running(&p);
        check_round(&p);
        het__policy_finish(&p);
    }
}

/* ---- presets ---- */

static void presets_are_policies(void)
{
    uint32_t n = 0;
    for (const char *name; (name = het__policy_preset_name(n)) != NULL; n++) {
        het__policy p;
        het_error err = HET_ERROR_INIT;
        const char *text = het__policy_preset_text(name);
        CHECK_INT(het__policy_read(text, strlen(text), name, &memory, &p, &err), HET_OK);
        CHECK_STR(p.name, name);
        CHECK(p.description != NULL);
        check_round(&p);
        het__policy_finish(&p);
    }
    CHECK_INT(n, 4);
    CHECK(!het__policy_preset_text("amd"));
}

/* ---- notes ---- */

typedef struct notes {
    char keys[2048];
    char effectless[512];
} notes;

static void take_note(void *user, const het_policy_note *note)
{
    notes *n = user;
    snprintf(n->keys + strlen(n->keys), sizeof n->keys - strlen(n->keys), "%s ", note->key);
    if (strstr(note->text, "no effect"))
        snprintf(n->effectless + strlen(n->effectless),
                 sizeof n->effectless - strlen(n->effectless), "%s@%u ", note->key, note->line);
}

static void every_key_has_a_note(void)
{
    static const char *const keys[] = {
        "name ", "description ", "model ", "devices ", "objective ", "static_partition.sampling ",
        "static_partition.tokenization ", "rules ", "limits.npu.memory ",
        "limits.igpu.memory_share ", "limits.cpu.threads ", "dynamic.min_flops ",
        "dynamic.min_bytes ", "dynamic.max_transfer_ratio ", "precision.npu ", "precision.igpu ",
        "scheduling ", "bandwidth_tokens ", "micro_batch ", "max_queue_depth ",
        "pipelining.stages ", "pipelining.double_buffering ", "fallback.on_error ",
        "fallback.on_oom ", "fallback.on_timeout ", "fallback.on_thermal ", "fallback.on_missing ",
        "telemetry.enable ", "telemetry.interval_ms ", "telemetry.sink ",
    };
    het__policy p;
    het_error err;
    notes n = { "", "" };
    char *text = example(1);
    CHECK_INT(read_text(text ? text : "", &p, &err), HET_OK);
    het__policy_notes(&p, take_note, &n);
    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++) {
        CHECK(strstr(n.keys, keys[i]));
        if (!strstr(n.keys, keys[i]))
            fprintf(stderr, "no note about %s\n", keys[i]);
    }
    CHECK_STR(n.effectless,
              "precision.npu@0 precision.igpu@0 telemetry.enable@0 telemetry.sink@0 ");
    het__policy_finish(&p);
    free(text);
}

static void rules_without_effect_are_named(void)
{
    het__policy p;
    het_error err;
    notes n = { "", "" };
    CHECK_INT(read_text(V "rules:\n"
                          "  - {class: ffn, must: igpu}\n"     /* 3: the next but one wins */
                          "  - {class: norm, prefer: igpu}\n"  /* 4: no wish follows */
                          "  - {class: [ffn, norm], must: cpu}\n"
                          "  - {class: conv, never: npu}\n"    /* 6: the next says it too */
                          "  - {never: [npu, cpu:1]}\n", &p, &err), HET_OK);
    het__policy_notes(&p, take_note, &n);
    CHECK_STR(n.effectless, "rules[0]@3 rules[3]@6 ");
    het__policy_finish(&p);
}

/* ---- memory ---- */

static void memory_runs_out_anywhere(void)
{
    counting_allocator counter = { 0 };
    const het_allocator allocator = counting_allocator_of(&counter);
    char *text = example(1);
    het__mem mem;
    bool good = false;
    het__mem_init(&mem, &allocator);
    for (uint64_t at = 1; text && !good && at < 1000; at++) {
        het__policy p;
        het_error err = HET_ERROR_INIT;
        het__text out;
        counting_allocator_fail(&counter, at);
        const het_status s = het__policy_read(text, strlen(text), "p", &mem, &p, &err);
        CHECK(s == HET_OK || s == HET_E_NOMEM);
        if (s == HET_OK) {
            het__text_init(&out, &mem);
            het__policy_write(&p, &out);
            char *written = het__text_take(&out);
            good = written && atomic_load(&counter.failed) == 0;
            het__free(&mem, written);
            het__policy_finish(&p);
        }
        CHECK_INT(atomic_load(&counter.blocks), 0);
    }
    CHECK(good);
    free(text);
}

/* ---- public functions ---- */

static void public_functions(void)
{
    het_context *c = NULL;
    het_policy *p = NULL;
    het_error err = HET_ERROR_INIT;
    CHECK_INT(het_context_create(NULL, &c, NULL), HET_OK);
    CHECK_INT(het_policy_create(c, &p, &err), HET_OK);
    CHECK_STR(het_policy_text(p), "hetinfer-policy: 1\n");
    CHECK_INT(het_policy_note_count(p), 0);
    het_policy_rule r = HET_POLICY_RULE_INIT;
    r.kind = HET_RULE_MUST;
    r.devices = "igpu,npu";
    r.classes = "ffn,router";
    r.layers = "2-";
    CHECK_INT(het_policy_set_rule(p, &r, &err), HET_OK);
    het_policy_limit l = HET_POLICY_LIMIT_INIT;
    l.memory_bytes = UINT64_C(2) << 30;
    CHECK_INT(het_policy_set_limit(p, "npu", &l, &err), HET_OK);
    l.memory_bytes = 0;
    l.threads = 3;
    CHECK_INT(het_policy_set_limit(p, "cpu", &l, &err), HET_OK);
    l.threads = 0;
    CHECK_INT(het_policy_set_limit(p, "cpu", &l, &err), HET_OK);
    CHECK_INT(het_policy_set_objective(p, HET_OBJECTIVE_ENERGY, &err), HET_OK);
    CHECK_STR(het_policy_text(p),
              "hetinfer-policy: 1\n"
              "objective: energy\n"
              "rules:\n"
              "  -\n"
              "    class: [router_logits, expert_selection, ffn]\n"
              "    layers: 2-\n"
              "    must: [igpu, npu]\n"
              "limits:\n"
              "  \"npu\":\n"
              "    memory: 2 GiB\n");
    CHECK_INT(het_policy_note_count(p), 3);
    het_policy_note note = { .struct_size = sizeof note };
    CHECK_INT(het_policy_note_at(p, 2, &note), HET_OK);
    CHECK_STR(note.key, "limits.npu.memory");
    CHECK_INT(note.honoured, HET_POLICY_BY_PLANS | HET_POLICY_BY_SESSIONS);
    CHECK_INT(het_policy_note_at(p, 3, &note), HET_E_INVALID);
    het_context_destroy(c); /* the policy keeps it */
    het_policy_destroy(p);
    het_policy_destroy(NULL);
}

/* What is refused leaves the policy as it was. */
static void refused_changes_change_nothing(void)
{
    static const het_policy_rule bad[] = {
        { sizeof bad[0], 0, "cpu", NULL, NULL, NULL, NULL, 0, 0, 0, 0 },
        { sizeof bad[0], 4, "cpu", NULL, NULL, NULL, NULL, 0, 0, 0, 0 },
        { sizeof bad[0], 1, NULL, NULL, NULL, NULL, NULL, 0, 0, 0, 0 },
        { sizeof bad[0], 1, "", NULL, NULL, NULL, NULL, 0, 0, 0, 0 },
        { sizeof bad[0], 1, "cpu,", NULL, NULL, NULL, NULL, 0, 0, 0, 0 },
        { sizeof bad[0], 1, "cpu,tpu", NULL, NULL, NULL, NULL, 0, 0, 0, 0 },
        { sizeof bad[0], 1, "cpu", "ffn,,norm", NULL, NULL, NULL, 0, 0, 0, 0 },
        { sizeof bad[0], 1, "cpu", "feet", NULL, NULL, NULL, 0, 0, 0, 0 },
        { sizeof bad[0], 1, "cpu", NULL, "", NULL, NULL, 0, 0, 0, 0 },
        { sizeof bad[0], 1, "cpu", NULL, NULL, "\xff", NULL, 0, 0, 0, 0 },
        { sizeof bad[0], 1, "cpu", NULL, NULL, NULL, "3-1", 0, 0, 0, 0 },
        { sizeof bad[0], 1, "cpu", NULL, NULL, NULL, NULL, -1, 0, 0, 0 },
        { sizeof bad[0], 1, "cpu", NULL, NULL, NULL, NULL, 9, 8, 0, 0 },
        { sizeof bad[0], 1, "cpu", NULL, NULL, NULL, NULL, 0, 0, 0.5, 0 },
        { sizeof bad[0], 1, "cpu", NULL, NULL, NULL, NULL, 0, 0, 0, NAN },
        { sizeof bad[0], 3, "npu", "ffn", NULL, NULL, NULL, 0, 0, 0, 0 }, /* must npu is there */
    };
    static const het_policy_limit limits[] = {
        { sizeof limits[0], 0, 5, 0.5 },
        { sizeof limits[0], 0, 0, 1.5 },
        { sizeof limits[0], 0, 0, NAN },
        { sizeof limits[0], 1025, 0, 0 },
        { sizeof limits[0], 0, UINT64_MAX, 0 },
    };
    het_context *c = NULL;
    het_policy *p = NULL;
    het_error err = HET_ERROR_INIT;
    char before[512];
    CHECK_INT(het_context_create(NULL, &c, NULL), HET_OK);
    CHECK_INT(het_policy_load_memory(c, V "static_partition: {ffn: npu}\n", 48, NULL, &p, &err),
              HET_OK);
    snprintf(before, sizeof before, "%s", het_policy_text(p));
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        CHECK_INT(het_policy_set_rule(p, &bad[i], &err), HET_E_INVALID);
    for (size_t i = 0; i < sizeof limits / sizeof limits[0]; i++)
        CHECK_INT(het_policy_set_limit(p, "cpu", &limits[i], &err), HET_E_INVALID);
    CHECK_INT(het_policy_set_limit(p, "tpu", &limits[0], &err), HET_E_INVALID);
    CHECK_INT(het_policy_set_objective(p, 4, &err), HET_E_INVALID);
    CHECK_STR(het_policy_text(p), before);
    het_policy_destroy(p);
    het_context_destroy(c);
}

static void loading(void)
{
    het_context *c = NULL;
    het_policy *p = NULL;
    het_error err = HET_ERROR_INIT;
    char path[512];
    CHECK_INT(het_context_create(NULL, &c, NULL), HET_OK);
    CHECK_INT(het_policy_load(c, "/nowhere/at/all.yaml", &p, &err), HET_E_IO);
    CHECK(!p && strstr(err.message, "all.yaml"));
    CHECK_INT(het_policy_load(c, test_source_path(path, sizeof path, "docs"), &p, &err), HET_E_IO);
    test_source_path(path, sizeof path, "lib/partition/presets/intel_185h.yaml");
    CHECK_INT(het_policy_load(c, path, &p, &err), HET_OK);
    het_policy *same = NULL;
    CHECK_INT(het_policy_preset(c, "intel_185h", &same, &err), HET_OK);
    CHECK_STR(het_policy_text(p), het_policy_text(same));
    het_policy_destroy(same);
    het_policy_destroy(p);
    CHECK_INT(het_policy_preset(c, "none", &same, &err), HET_E_INVALID);
    CHECK(!same && strstr(err.message, "amd_phoenix, cpu_only, intel_185h, unicorn_e4b"));
    CHECK_INT(het_policy_preset_count(), 4);
    CHECK_STR(het_policy_preset_name(1), "cpu_only");
    CHECK(!het_policy_preset_name(4));
    het_context_destroy(c);
}

/* ---- sessions ---- */

/* Device of a node in a plan's text; -1: there is no such node. */
static int device_of(const char *text, const char *name)
{
    const char *at = strstr(text, name);
    const char *device = at ? strstr(at, " device ") : NULL;
    return device ? atoi(device + 8) : -1;
}

static het_status open_session(const het_model *m, const char *policy, het_session **session,
                               het_error *err)
{
    het_policy *p = NULL;
    het_session_options o = HET_SESSION_OPTIONS_INIT;
    CHECK_INT(het_policy_load_memory(m->context, policy, strlen(policy), NULL, &p, err), HET_OK);
    o.threads = 1;
    o.policy = p;
    const het_status s = het_session_create(m, &o, session, err);
    het_policy_destroy(p); /* the session has what it needs */
    return s;
}

static void sessions_keep_rules(void)
{
    static const int32_t ids[3] = { 5, 9, 33 };
    het_context_options o = HET_CONTEXT_OPTIONS_INIT;
    tiny_options t = TINY_LLAMA;
    tiny_model tiny;
    het_context *c = NULL;
    het_model *m = NULL;
    het_session *s = NULL;
    het_sequence *q = NULL;
    het_error err = HET_ERROR_INIT;
    o.backends = "ref,null";
    tiny_make(&tiny, &t);
    CHECK_INT(het_context_create(&o, &c, NULL), HET_OK);
    CHECK_INT(het_model_load_memory(c, tiny.file, tiny.bytes, NULL, &m, NULL), HET_OK);
    CHECK_INT(open_session(m, V "rules:\n  - must: ref\n"
                                "  - {class: ffn, must: simulated}\n"
                                "  - {class: ffn, layers: 1, must: cpu}\n"
                                "  - {class: lm_head, prefer: \"null\"}\n"
                                "  - {class: lm_head, must: [ref, simulated]}\n", &s, &err),
              HET_OK);
    const char *text = s ? het_plan_text(het_session_plan(s, HET_PHASE_DECODE)) : "";
    CHECK_INT(device_of(text, "embedding"), 0);
    CHECK_INT(device_of(text, "blk.0.attn_q"), 0);
    CHECK_INT(device_of(text, "blk.0.ffn_gate"), 1);
    CHECK_INT(device_of(text, "blk.0.ffn_down"), 1);
    CHECK_INT(device_of(text, "blk.1.ffn_gate"), 0);
    CHECK_INT(device_of(text, "logits"), 1);
    CHECK_INT(het_sequence_create(s, &q, &err), HET_OK);
    CHECK_INT(het_sequence_append(q, ids, 3, 0, &err), HET_OK);
    CHECK_INT(het_session_step(s, NULL, &err), HET_OK);
    het_sequence_destroy(q);
    het_session_destroy(s);
    CHECK_INT(open_session(m, V "devices: simulated\n", &s, &err), HET_OK);
    CHECK_INT(device_of(het_plan_text(het_session_plan(s, HET_PHASE_DECODE)), "embedding"), 0);
    CHECK(strstr(het_plan_text(het_session_plan(s, HET_PHASE_DECODE)), "device 0 null "));
    het_session_destroy(s);
    CHECK_INT(open_session(m, V "rules:\n  - {class: ffn, must: npu}\n", &s, &err),
              HET_E_INVALID);
    CHECK(!s);
    CHECK_STR(err.message,
              "policy: this machine has no npu, which a rule demands (line 3)");
    het_model_destroy(m);
    het_context_destroy(c);
    tiny_free(&tiny);
}

/* Logits of the processor under a policy, or without one. */
static void logits_of(const het_model *m, const char *policy, uint32_t precision, float *logits,
                      size_t count)
{
    static const int32_t ids[3] = { 5, 9, 33 };
    het_session_options o = HET_SESSION_OPTIONS_INIT;
    het_policy *p = NULL;
    het_session *s = NULL;
    het_sequence *q = NULL;
    het_error err = HET_ERROR_INIT;
    if (policy)
        CHECK_INT(het_policy_load_memory(m->context, policy, strlen(policy), NULL, &p, &err),
                  HET_OK);
    o.threads = 1;
    o.policy = p;
    o.precision = precision;
    CHECK_INT(het_session_create(m, &o, &s, &err), HET_OK);
    CHECK_INT(het_sequence_create(s, &q, &err), HET_OK);
    CHECK_INT(het_sequence_append(q, ids, 3, 0, &err), HET_OK);
    CHECK_INT(het_session_step(s, NULL, &err), HET_OK);
    const float *got = het_sequence_logits(q, NULL, NULL);
    CHECK(got != NULL);
    if (got)
        memcpy(logits, got, count * sizeof *logits);
    het_sequence_destroy(q);
    het_session_destroy(s);
    het_policy_destroy(p);
}

/* F32 for a device is the exact session there, and for another device nothing. */
static void sessions_keep_types(void)
{
    enum { COUNT_MAX = 1024 };
    static float fast[COUNT_MAX], exact[COUNT_MAX], here[COUNT_MAX], elsewhere[COUNT_MAX];
    het_context_options o = HET_CONTEXT_OPTIONS_INIT;
    tiny_options t = TINY_LLAMA;
    tiny_model tiny;
    het_context *c = NULL;
    het_model *m = NULL;
    o.backends = "cpu_onednn,ref";
    setenv("HETINFER_CPU_ROUND_SMALL", "1", 1); /* else all of so small a model is exact */
    t.type = GW_Q8_0;
    tiny_make(&tiny, &t);
    const size_t bytes = t.vocabulary * sizeof(float);
    CHECK(t.vocabulary <= COUNT_MAX);
    CHECK_INT(het_context_create(&o, &c, NULL), HET_OK);
    CHECK_INT(het_model_load_memory(c, tiny.file, tiny.bytes, NULL, &m, NULL), HET_OK);
    logits_of(m, V "devices: cpu_onednn\n", HET_PRECISION_FAST, fast, t.vocabulary);
    logits_of(m, V "devices: cpu_onednn\n", HET_PRECISION_EXACT, exact, t.vocabulary);
    logits_of(m, V "devices: cpu_onednn\nprecision: {cpu: f32}\n", HET_PRECISION_FAST, here,
              t.vocabulary);
    logits_of(m, V "devices: cpu_onednn\nprecision: {npu: f32, cpu: int8}\n", HET_PRECISION_FAST,
              elsewhere, t.vocabulary);
    CHECK(memcmp(fast, exact, bytes) != 0);
    CHECK_INT(memcmp(here, exact, bytes), 0);
    CHECK_INT(memcmp(elsewhere, fast, bytes), 0);
    unsetenv("HETINFER_CPU_ROUND_SMALL");
    het_model_destroy(m);
    het_context_destroy(c);
    tiny_free(&tiny);
}

int main(void)
{
    het__mem_init(&memory, NULL);
    test_case(reference_is_read);
    test_case(partition_is_a_policy);
    test_case(triggers_have_short_forms);
    test_case(refusals_name_the_line);
    test_case(contradictions_are_found);
    test_case(what_can_hold_is_read);
    test_case(patterns);
    test_case(layer_ranges);
    test_case(random_policies);
    test_case(presets_are_policies);
    test_case(every_key_has_a_note);
    test_case(rules_without_effect_are_named);
    test_case(memory_runs_out_anywhere);
    test_case(public_functions);
    test_case(refused_changes_change_nothing);
    test_case(loading);
    test_case(sessions_keep_rules);
    test_case(sessions_keep_types);
    return test_finish();
}
