/* SPDX-License-Identifier: Apache-2.0 */
/* A policy as YAML in one normal form: keys in the order of the reference, nothing that is default,
 * the static partition as the rules that it is. */
#include "lib/base/yaml.h"
#include "lib/partition/policy_parts.h"

static void put_text(het__text *t, const char *key, const char *value)
{
    if (!value)
        return;
    het__text_printf(t, "%s: ", key);
    het__yaml_put_text(t, value);
    het__text_append(t, "\n", 1);
}

static void put_quantity(het__text *t, const char *key, double value, const char *unit)
{
    if (value <= 0)
        return;
    het__text_printf(t, "%s: ", key);
    het__yaml_put_quantity(t, value, unit, 0);
    het__text_append(t, "\n", 1);
}

static void put_count(het__text *t, const char *key, uint32_t value)
{
    if (value)
        het__text_printf(t, "%s: %u\n", key, value);
}

/* A name with an index is quoted: "gpu:1" would be a mapping to some readers. */
static void put_device(het__text *t, const char *name)
{
    bool is_plain = true;
    for (const char *at = name; *at; at++)
        is_plain = is_plain && *at != ':';
    /* "null" unquoted is no text. */
    is_plain = is_plain && !(name[0] == 'n' && name[1] == 'u');
    het__text_printf(t, is_plain ? "%s" : "\"%s\"", name);
}

static void put_devices(het__text *t, const char *key, const het__policy_devices *devices)
{
    if (!devices->count)
        return;
    het__text_printf(t, "%s: [", key);
    for (uint32_t i = 0; i < devices->count; i++) {
        if (i)
            het__text_append(t, ", ", 2);
        put_device(t, devices->name[i]);
    }
    het__text_append(t, "]\n", 2);
}

/* ---- rules ---- */

static void put_classes(het__text *t, uint32_t classes)
{
    bool is_first = true;
    if (!classes)
        return;
    het__text_printf(t, "    class: [");
    for (uint32_t c = 0; c < HET__CLASS_COUNT; c++)
        if (classes >> c & 1) {
            het__text_printf(t, "%s%s", is_first ? "" : ", ", het__node_class_name(c));
            is_first = false;
        }
    het__text_append(t, "]\n", 2);
}

static void put_layers(het__text *t, const het__policy_rule *r)
{
    if (r->layer_first < 0)
        return;
    het__text_printf(t, "    layers: %d", r->layer_first);
    if (r->layer_last == INT32_MAX)
        het__text_append(t, "-", 1);
    else if (r->layer_last != r->layer_first)
        het__text_printf(t, "-%d", r->layer_last);
    het__text_append(t, "\n", 1);
}

/* Which nodes. The item's dash stands on a line of its own, so that every key looks alike. */
static void put_selector(het__text *t, const het__policy_rule *r)
{
    het__text_printf(t, "  -\n");
    put_classes(t, r->classes);
    put_text(t, "    op", r->op);
    put_text(t, "    name", r->name);
    put_layers(t, r);
    put_quantity(t, "    min_flops", r->flops_min, "");
    put_quantity(t, "    max_flops", r->flops_max, "");
    put_quantity(t, "    min_bytes", r->bytes_min, "B");
    put_quantity(t, "    max_bytes", r->bytes_max, "B");
}

static void put_rule(het__text *t, const het__policy_rule *r)
{
    put_selector(t, r);
    put_devices(t, "    must", &r->must);
    put_devices(t, "    prefer", &r->prefer);
    put_devices(t, "    never", &r->never);
}

static void put_rules(het__text *t, const het__policy *p)
{
    if (p->host_parts)
        het__text_printf(t, "static_partition:\n");
    for (uint32_t i = 0; het__host_names[i]; i++)
        if (p->host_parts >> i & 1)
            het__text_printf(t, "  %s: cpu\n", het__host_names[i]);
    if (p->rule_count)
        het__text_printf(t, "rules:\n");
    for (uint32_t i = 0; i < p->rule_count; i++)
        put_rule(t, &p->rules[i]);
}

static void put_split(het__text *t, const het__policy *p)
{
    if (!p->split_when && !p->split_count)
        return;
    het__text_printf(t, "split:\n");
    if (p->split_when)
        het__text_printf(t, "  when: %s\n", het__split_names[p->split_when]);
    if (p->split_count)
        het__text_printf(t, "  rows:\n");
    for (uint32_t i = 0; i < p->split_count; i++) {
        put_selector(t, &p->splits[i].where);
        het__text_printf(t, "    to: ");
        put_device(t, p->splits[i].to);
        het__text_append(t, "\n", 1);
        put_quantity(t, "    share", p->splits[i].share, "");
    }
}

/* ---- the rest ---- */

static void put_limits(het__text *t, const het__policy *p)
{
    if (p->limit_count)
        het__text_printf(t, "limits:\n");
    for (uint32_t i = 0; i < p->limit_count; i++) {
        const het__policy_limit *l = &p->limits[i];
        het__text_printf(t, "  \"%s\":\n", l->device);
        put_quantity(t, "    memory", l->memory_bytes, "B");
        put_quantity(t, "    memory_share", l->memory_share, "");
        put_count(t, "    threads", l->threads);
        put_quantity(t, "    experts", l->expert_bytes, "B");
        if (l->expert_keep)
            het__text_printf(t, "    experts_keep: %s\n", het__expert_keep_names[l->expert_keep]);
        if (l->stream)
            het__text_printf(t, "    stream: %s\n",
                             l->stream == HET__STREAM_ALWAYS ? "true" : "false");
    }
    if (p->min_flops > 0 || p->min_bytes > 0 || p->max_transfer_ratio > 0)
        het__text_printf(t, "dynamic:\n");
    put_quantity(t, "  min_flops", p->min_flops, "");
    put_quantity(t, "  min_bytes", p->min_bytes, "B");
    put_quantity(t, "  max_transfer_ratio", p->max_transfer_ratio, "");
    if (p->precision_count)
        het__text_printf(t, "precision:\n");
    for (uint32_t i = 0; i < p->precision_count; i++)
        het__text_printf(t, "  \"%s\": %s\n", p->precision[i].device,
                         het__peak_names[p->precision[i].type]);
}

static void put_running(het__text *t, const het__policy *p)
{
    if (p->scheduling)
        het__text_printf(t, "scheduling: %s\n", het__scheduling_names[p->scheduling]);
    if (p->bandwidth_capacity > 0) {
        het__text_printf(t, "bandwidth_tokens:\n");
        put_quantity(t, "  capacity", p->bandwidth_capacity, "B/s");
        put_count(t, "  tokens", p->bandwidth_tokens);
        if (p->throttle)
            het__text_printf(t, "  throttle: true\n");
    }
    if (p->micro_batch_min || p->micro_batch_max)
        het__text_printf(t, "micro_batch:\n");
    put_count(t, "  min", p->micro_batch_min);
    put_count(t, "  max", p->micro_batch_max);
    if (p->micro_batch_adaptive)
        het__text_printf(t, "  adaptive: true\n");
    put_count(t, "max_queue_depth", p->max_queue_depth);
    if (p->pipeline_stages || p->double_buffering)
        het__text_printf(t, "pipelining:\n");
    put_count(t, "  stages", p->pipeline_stages);
    if (p->double_buffering)
        het__text_printf(t, "  double_buffering: true\n");
}

static void put_fallback(het__text *t, const het__policy *p)
{
    static const char *const limits[HET__TRIGGER_COUNT] = { "", "", "    after_ms",
                                                            "    celsius" };
    bool is_there = p->skip_missing;
    for (uint32_t k = 0; k < HET__TRIGGER_COUNT; k++)
        is_there = is_there || p->fallback[k].is_set;
    if (is_there)
        het__text_printf(t, "fallback:\n");
    for (uint32_t k = 0; k < HET__TRIGGER_COUNT; k++) {
        const het__policy_fallback *f = &p->fallback[k];
        if (!f->is_set)
            continue;
        het__text_printf(t, "  %s:\n", het__trigger_names[k]);
        put_count(t, "    retry", f->retry);
        put_count(t, "    backoff_ms", f->backoff_ms);
        put_quantity(t, limits[k], f->limit, "");
        put_quantity(t, "    return_celsius", f->back, "");
        het__text_printf(t, "    next: ");
        put_device(t, *f->next ? f->next : "none");
        het__text_append(t, "\n", 1);
    }
    if (p->skip_missing)
        het__text_printf(t, "  on_missing: skip\n");
}

static void put_telemetry(het__text *t, const het__policy *p)
{
    if (!p->telemetry && !p->telemetry_interval_ms && !p->telemetry_sink)
        return;
    het__text_printf(t, "telemetry:\n  enable: %s\n", p->telemetry ? "true" : "false");
    put_count(t, "  interval_ms", p->telemetry_interval_ms);
    put_text(t, "  sink", p->telemetry_sink);
}

void het__policy_write(const het__policy *policy, het__text *text)
{
    het__text_printf(text, "hetinfer-policy: 1\n");
    put_text(text, "name", policy->name);
    put_text(text, "description", policy->description);
    put_text(text, "model", policy->model);
    put_devices(text, "devices", &policy->devices);
    if (policy->objective)
        het__text_printf(text, "objective: %s\n", het__objective_names[policy->objective - 1]);
    if (policy->power)
        het__text_printf(text, "power_profile: %s\n", het__power_names[policy->power]);
    put_rules(text, policy);
    put_split(text, policy);
    put_limits(text, policy);
    put_running(text, policy);
    put_fallback(text, policy);
    put_telemetry(text, policy);
}
