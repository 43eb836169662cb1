/* SPDX-License-Identifier: Apache-2.0 */
/* What became of each key: who acts on it, and which rules can never have an effect. A key that
 * nobody acts on is said to be kept, not passed over. */
#include <stdio.h>

#include "lib/partition/policy_parts.h"

#define PLANS HET_POLICY_BY_PLANS
#define SIMULATION HET_POLICY_BY_SIMULATION
#define SESSIONS HET_POLICY_BY_SESSIONS

typedef struct visitor {
    het__policy_visit visit;
    void *user;
} visitor;

static void say(const visitor *v, uint32_t line, const char *key, uint64_t honoured,
                const char *text)
{
    const het_policy_note note = { sizeof note, line, honoured, key, text };
    v->visit(v->user, &note);
}

static const char in_plans[] = "decides where nodes are placed";
static const char kept_for_queues[] =
    "tried out by simulations; kept for sessions that run several devices at once";
static const struct {
    uint64_t honoured;
    const char *text;
} triggers[HET__TRIGGER_COUNT] = {
    [HET__TRIGGER_ERROR] = { SIMULATION | SESSIONS, "what follows when a device fails" },
    [HET__TRIGGER_OOM] = { SESSIONS, "what follows when a device's memory runs out" },
    [HET__TRIGGER_TIMEOUT] = { SESSIONS, "what follows when a device does not answer" },
    [HET__TRIGGER_THERMAL] = { SESSIONS, "what follows when a device gets too hot" },
};

/* ---- rules ---- */

static bool all_met(const het__policy_devices *never, const het__policy_devices *later)
{
    for (uint32_t i = 0; i < never->count; i++) {
        bool is_said = false;
        for (uint32_t k = 0; k < later->count; k++)
            is_said = is_said || het__device_name_covers(later->name[k], never->name[i]);
        if (!is_said)
            return false;
    }
    return true;
}

/* Whether later rules, which mean all the nodes of this one, say anew all that it says. */
static bool is_overruled(const het__policy *p, uint32_t n, uint32_t *by)
{
    const het__policy_rule *r = &p->rules[n];
    bool must = r->must.count > 0, prefer = r->prefer.count > 0, never = r->never.count > 0;
    for (uint32_t k = n + 1; k < p->rule_count && (must || prefer || never); k++) {
        const het__policy_rule *later = &p->rules[k];
        if (!het__policy_rule_covers(later, r))
            continue;
        *by = k;
        must = must && !later->must.count;
        prefer = prefer && !later->prefer.count;
        never = never && !later->must.count && !all_met(&r->never, &later->never);
    }
    return !must && !prefer && !never;
}

static void note_rules(const het__policy *p, const visitor *v)
{
    for (uint32_t i = 0; het__host_names[i]; i++)
        if (p->host_parts >> i & 1) {
            char key[64];
            snprintf(key, sizeof key, "static_partition.%s", het__host_names[i]);
            say(v, 0, key, PLANS | SIMULATION | SESSIONS, "is always done on the host");
        }
    if (p->rule_count)
        say(v, p->rules[0].line, "rules", PLANS | SESSIONS, in_plans);
    for (uint32_t n = 0; n < p->rule_count; n++) {
        char key[32], text[96];
        uint32_t by = 0;
        if (!is_overruled(p, n, &by))
            continue;
        snprintf(key, sizeof key, "rules[%u]", n);
        if (p->rules[by].line)
            snprintf(text, sizeof text, "has no effect: the rule of line %u wins wherever it holds",
                     p->rules[by].line);
        else
            snprintf(text, sizeof text, "has no effect: rules[%u] wins wherever it holds", by);
        say(v, p->rules[n].line, key, 0, text);
    }
}

static void note_split(const het__policy *p, const visitor *v)
{
    static const char *const texts[HET__SPLIT_COUNT] = {
        [HET__SPLIT_ALWAYS] = "products are divided wherever the simulation says that it pays",
        [HET__SPLIT_NEVER] = "no product is divided and no branch moved",
    };
    if (p->split_when)
        say(v, 0, "split.when", SESSIONS, texts[p->split_when]);
    if (p->split_count && p->split_when == HET__SPLIT_NEVER)
        say(v, p->splits[0].where.line, "split.rows", 0, "has no effect: split.when is never");
    else if (p->split_count)
        say(v, p->splits[0].where.line, "split.rows", SESSIONS,
            "products of which another device takes a share of the rows");
}

/* ---- the rest ---- */

static bool is_host(const char *device)
{
    het__device_name name;
    return het__device_name_read(device, &name) &&
           (name.kinds & (UINT32_C(1) << HET_DEVICE_CPU | UINT32_C(1) << HET_DEVICE_REFERENCE));
}

static void note_limits(const het__policy *p, const visitor *v)
{
    char key[64];
    for (uint32_t i = 0; i < p->limit_count; i++) {
        const het__policy_limit *l = &p->limits[i];
        if (l->memory_bytes > 0 || l->memory_share > 0) {
            snprintf(key, sizeof key, "limits.%s.memory%s", l->device,
                     l->memory_share > 0 ? "_share" : "");
            say(v, l->line, key, PLANS | SESSIONS, "bounds what is placed there");
        }
        if (l->expert_bytes > 0) {
            snprintf(key, sizeof key, "limits.%s.experts", l->device);
            say(v, l->line, key, SESSIONS,
                "bounds the experts in a GPU's own memory; the CPU reads them where they are");
        }
        if (l->stream) {
            snprintf(key, sizeof key, "limits.%s.stream", l->device);
            say(v, l->line, key, SESSIONS,
                l->stream == HET__STREAM_ALWAYS
                    ? "weights that do not fit there are brought for each step"
                    : "weights that do not fit there go elsewhere");
        }
        if (l->threads) {
            snprintf(key, sizeof key, "limits.%s.threads", l->device);
            if (is_host(l->device))
                say(v, l->line, key, SESSIONS,
                    "host threads, where the session's options say none");
            else
                say(v, l->line, key, 0, "has no effect: only the host has threads of sessions");
        }
    }
    if (p->min_flops > 0)
        say(v, 0, "dynamic.min_flops", PLANS | SESSIONS, in_plans);
    if (p->min_bytes > 0)
        say(v, 0, "dynamic.min_bytes", PLANS | SESSIONS, in_plans);
    if (p->max_transfer_ratio > 0)
        say(v, 0, "dynamic.max_transfer_ratio", PLANS | SESSIONS, in_plans);
    for (uint32_t i = 0; i < p->precision_count; i++) {
        snprintf(key, sizeof key, "precision.%s", p->precision[i].device);
        if (p->precision[i].type == HET__PEAK_F32)
            say(v, 0, key, PLANS | SESSIONS,
                "products are computed exactly there, as with an exact session");
        else
            say(v, 0, key, 0,
                "has no effect: a device chooses the type of a product by that of the weights");
    }
}

/* The library starts no sampler and writes no file that nobody asked it for by a function. */
static void note_telemetry(const het__policy *p, const visitor *v)
{
    static const char no_sampler[] =
        "has no effect: counters are read when the application calls het_telemetry_snapshot()";
    if (p->telemetry)
        say(v, 0, "telemetry.enable", 0, no_sampler);
    if (p->telemetry_interval_ms && p->fallback[HET__TRIGGER_THERMAL].is_set)
        say(v, 0, "telemetry.interval_ms", SESSIONS, "how often on_thermal asks for temperatures");
    else if (p->telemetry_interval_ms)
        say(v, 0, "telemetry.interval_ms", 0, no_sampler);
    if (p->telemetry_sink)
        say(v, 0, "telemetry.sink", 0, no_sampler);
}

static void note_running(const het__policy *p, const visitor *v)
{
    if (p->scheduling)
        say(v, 0, "scheduling", SIMULATION, kept_for_queues);
    if (p->bandwidth_capacity > 0)
        say(v, 0, "bandwidth_tokens", SIMULATION, kept_for_queues);
    if (p->micro_batch_min || p->micro_batch_max)
        say(v, 0, "micro_batch", SIMULATION, kept_for_queues);
    if (p->max_queue_depth)
        say(v, 0, "max_queue_depth", SIMULATION, kept_for_queues);
    if (p->pipeline_stages)
        say(v, 0, "pipelining.stages", SIMULATION, kept_for_queues);
    if (p->double_buffering)
        say(v, 0, "pipelining.double_buffering", SIMULATION, kept_for_queues);
    for (uint32_t t = 0; t < HET__TRIGGER_COUNT; t++) {
        char key[64];
        snprintf(key, sizeof key, "fallback.%s", het__trigger_names[t]);
        if (p->fallback[t].is_set)
            say(v, 0, key, triggers[t].honoured, triggers[t].text);
    }
    if (p->skip_missing)
        say(v, 0, "fallback.on_missing", PLANS | SESSIONS,
            "rules for devices that a machine lacks do not count");
    note_telemetry(p, v);
}

void het__policy_notes(const het__policy *policy, het__policy_visit visit, void *user)
{
    const visitor v = { visit, user };
    if (policy->name)
        say(&v, 0, "name", 0, "for people");
    if (policy->description)
        say(&v, 0, "description", 0, "for people");
    if (policy->model)
        say(&v, 0, "model", 0, "for people: what the policy was written for");
    if (policy->devices.count)
        say(&v, 0, "devices", PLANS | SESSIONS, in_plans);
    if (policy->objective)
        say(&v, 0, "objective", PLANS | SESSIONS, "decides between placements that keep the rules");
    if (policy->power)
        say(&v, 0, "power_profile", PLANS | SESSIONS,
            "chooses the objective where none is said; efficiency halves the threads of sessions");
    note_rules(policy, &v);
    note_split(policy, &v);
    note_limits(policy, &v);
    note_running(policy, &v);
}
