/* SPDX-License-Identifier: Apache-2.0 */
/* A policy from YAML. Each key has a function that reads its value; keys are read in the order of
 * the tables here, not of the file, so that the static partition comes before the rules, and the
 * list of devices before both. */
#include <string.h>

#include "lib/base/error.h"
#include "lib/base/yaml.h"
#include "lib/partition/policy_parts.h"

#define KEYS_MAX 24

typedef struct reader {
    const char *what;
    het__policy *policy;
    het_error *err;
} reader;

typedef het_status (*read_fn)(reader *r, const het__yaml_node *node);

typedef struct key_reader {
    const char *key;
    read_fn read;
} key_reader;

/* ---- values ---- */

static het_status read_number(reader *r, const het__yaml_node *node, double low, double high,
                              double *value)
{
    return het__yaml_quantity(r->what, node, "", 0, low, high, value, r->err);
}

static het_status read_bytes(reader *r, const het__yaml_node *node, const char *unit,
                             double *value)
{
    return het__yaml_quantity(r->what, node, unit, 0, 1, HET__POLICY_BYTES_MAX, value, r->err);
}

static het_status read_count(reader *r, const het__yaml_node *node, uint32_t low, uint32_t high,
                             uint32_t *value)
{
    double x = 0;
    const het_status s = read_number(r, node, low, high, &x);
    if (s != HET_OK)
        return s;
    if (x != (double)(uint32_t)x)
        return het__yaml_fail(r->what, node, r->err, "%s must be a whole number",
                              node->key ? node->key : "this");
    *value = (uint32_t)x;
    return HET_OK;
}

static het_status read_text(reader *r, const het__yaml_node *node, const char **text)
{
    const char *borrowed = NULL;
    const het_status s =
        het__yaml_text(r->what, node, HET__POLICY_TEXT_MAX, &borrowed, r->err);
    if (s != HET_OK)
        return s;
    *text = het__arena_strdup(&r->policy->arena, borrowed);
    return *text ? HET_OK : het__fail_nomem(r->err, r->what);
}

static het_status read_choice(reader *r, const het__yaml_node *node, const char *const *names,
                              uint32_t *index)
{
    return het__yaml_choice(r->what, node, names, index, r->err);
}

/* A word: what names of devices and classes are. */
static het_status need_word(reader *r, const het__yaml_node *node, const char **word)
{
    return het__yaml_text(r->what, node, HET__POLICY_WORD_MAX - 1, word, r->err);
}

static het_status add_device(reader *r, const het__yaml_node *node, het__policy_devices *devices)
{
    const char *word = NULL;
    het_error inner = HET_ERROR_INIT;
    const het_status s = need_word(r, node, &word);
    if (s != HET_OK)
        return s;
    if (het__policy_add_device(devices, word, &inner) != HET_OK)
        return het__yaml_fail(r->what, node, r->err, "%s", inner.message);
    return HET_OK;
}

/* One device, or a list of them. */
static het_status read_devices(reader *r, const het__yaml_node *node,
                               het__policy_devices *devices)
{
    if (node->kind != HET__YAML_SEQUENCE)
        return add_device(r, node, devices);
    if (node->count == 0)
        return het__yaml_fail(r->what, node, r->err, "%s lists no device",
                              node->key ? node->key : "this");
    het_status s = HET_OK;
    for (uint32_t i = 0; s == HET_OK && i < node->count; i++)
        s = add_device(r, &node->children[i], devices);
    return s;
}

static het_status read_device(reader *r, const het__yaml_node *node,
                              char name[HET__POLICY_WORD_MAX])
{
    het__policy_devices one = { 0 };
    const het_status s = add_device(r, node, &one);
    if (s == HET_OK)
        memcpy(name, one.name[0], HET__POLICY_WORD_MAX);
    return s;
}

/* A mapping whose keys the table knows. */
static het_status read_keys(reader *r, const het__yaml_node *node, const key_reader *table,
                            size_t count)
{
    const char *names[KEYS_MAX + 1] = { NULL };
    for (size_t i = 0; i < count && i < KEYS_MAX; i++)
        names[i] = table[i].key;
    het_status s = het__yaml_keys(r->what, node, names, r->err);
    for (size_t i = 0; s == HET_OK && i < count; i++) {
        const het__yaml_node *value = het__yaml_get(node, table[i].key);
        if (value && table[i].read)
            s = table[i].read(r, value);
    }
    return s;
}
#define READ_KEYS(r, node, table) read_keys(r, node, table, sizeof table / sizeof table[0])

/* ---- rules ---- */

static het_status read_class(reader *r, const het__yaml_node *node, const char *word,
                             uint32_t *classes)
{
    const uint32_t found = het__node_class_find(word);
    *classes |= found;
    if (found)
        return HET_OK;
    return het__yaml_fail(r->what, node, r->err,
                          "'%.30s' is no part of a network; known are embedding, "
                          "attention_qkv_proj, attention, router_logits, expert_selection, "
                          "expert_ffn, ffn, norm, lm_head and more", word);
}

static het_status read_classes(reader *r, const het__yaml_node *node, uint32_t *classes)
{
    const bool is_list = node->kind == HET__YAML_SEQUENCE;
    const uint32_t count = is_list ? node->count : 1;
    if (count == 0)
        return het__yaml_fail(r->what, node, r->err, "class lists no part of a network");
    het_status s = HET_OK;
    for (uint32_t i = 0; s == HET_OK && i < count; i++) {
        const het__yaml_node *item = is_list ? &node->children[i] : node;
        const char *word = NULL;
        s = need_word(r, item, &word);
        if (s == HET_OK)
            s = read_class(r, item, word, classes);
    }
    return s;
}

static het_status read_layers(reader *r, const het__yaml_node *node, het__policy_rule *rule)
{
    const char *text = NULL;
    const het_status s = need_word(r, node, &text);
    if (s != HET_OK)
        return s;
    if (!het__policy_layers_read(text, &rule->layer_first, &rule->layer_last))
        return het__yaml_fail(r->what, node, r->err,
                              "layers must be like 3, 0-15 or 24-, not '%.30s'", text);
    return HET_OK;
}

static const char *const rule_keys[] = { "class", "op", "name", "layers", "min_flops",
                                         "max_flops", "min_bytes", "max_bytes", "must", "prefer",
                                         "never", NULL };

static het_status read_rule_key(reader *r, const het__yaml_node *node, het__policy_rule *rule)
{
    const char *key = node->key;
    if (strcmp(key, "class") == 0)
        return read_classes(r, node, &rule->classes);
    if (strcmp(key, "op") == 0)
        return read_text(r, node, &rule->op);
    if (strcmp(key, "name") == 0)
        return read_text(r, node, &rule->name);
    if (strcmp(key, "layers") == 0)
        return read_layers(r, node, rule);
    if (strcmp(key, "min_flops") == 0)
        return read_number(r, node, 1, HET__POLICY_FLOPS_MAX, &rule->flops_min);
    if (strcmp(key, "max_flops") == 0)
        return read_number(r, node, 1, HET__POLICY_FLOPS_MAX, &rule->flops_max);
    if (strcmp(key, "min_bytes") == 0)
        return read_bytes(r, node, "B", &rule->bytes_min);
    if (strcmp(key, "max_bytes") == 0)
        return read_bytes(r, node, "B", &rule->bytes_max);
    return read_devices(r, node, strcmp(key, "must") == 0     ? &rule->must
                                 : strcmp(key, "prefer") == 0 ? &rule->prefer : &rule->never);
}

static het_status read_rule(reader *r, const het__yaml_node *node)
{
    het__policy_rule rule = { .layer_first = -1, .layer_last = -1, .line = node->line };
    het_status s = het__yaml_keys(r->what, node, rule_keys, r->err);
    for (uint32_t i = 0; s == HET_OK && i < node->count; i++)
        s = read_rule_key(r, &node->children[i], &rule);
    return s == HET_OK ? het__policy_append_rule(r->policy, &rule, r->what, r->err) : s;
}

static het_status read_rules(reader *r, const het__yaml_node *node)
{
    if (node->kind != HET__YAML_SEQUENCE)
        return het__yaml_fail(r->what, node, r->err, "rules must be a list");
    het_status s = HET_OK;
    for (uint32_t i = 0; s == HET_OK && i < node->count; i++)
        s = read_rule(r, &node->children[i]);
    return s;
}

/* ---- products divided by rows ---- */

static het_status read_when(reader *r, const het__yaml_node *node)
{
    return read_choice(r, node, het__split_names, &r->policy->split_when);
}

static const char *const split_keys[] = { "class", "op", "name", "layers", "min_flops",
                                          "max_flops", "min_bytes", "max_bytes", "to", "share",
                                          NULL };

static het_status read_split_key(reader *r, const het__yaml_node *node, het__policy_split *split)
{
    if (strcmp(node->key, "to") == 0)
        return read_device(r, node, split->to);
    if (strcmp(node->key, "share") == 0)
        return read_number(r, node, HET__POLICY_ROWS_MIN, 1 - HET__POLICY_ROWS_MIN, &split->share);
    return read_rule_key(r, node, &split->where);
}

static het_status read_split_rows(reader *r, const het__yaml_node *node)
{
    if (node->kind != HET__YAML_SEQUENCE)
        return het__yaml_fail(r->what, node, r->err, "rows must be a list");
    for (uint32_t i = 0; i < node->count; i++) {
        const het__yaml_node *item = &node->children[i];
        het__policy_split split = { .where = { .layer_first = -1, .layer_last = -1,
                                               .line = item->line } };
        het_status s = het__yaml_keys(r->what, item, split_keys, r->err);
        for (uint32_t k = 0; s == HET_OK && k < item->count; k++)
            s = read_split_key(r, &item->children[k], &split);
        if (s == HET_OK && (!*split.to || split.share <= 0))
            s = het__yaml_fail(r->what, item, r->err, "a split needs to and share");
        if (s == HET_OK)
            s = het__policy_append_split(r->policy, &split, r->what, r->err);
        if (s != HET_OK)
            return s;
    }
    return HET_OK;
}

static het_status read_split(reader *r, const het__yaml_node *node)
{
    static const key_reader keys[] = {
        { "when", read_when },
        { "rows", read_split_rows },
    };
    return READ_KEYS(r, node, keys);
}

/* ---- the static partition ---- */

/* What is done before and after the network: on the host, whatever anybody says. */
static het_status read_host_part(reader *r, const het__yaml_node *node, uint32_t part)
{
    char name[HET__POLICY_WORD_MAX];
    const het_status s = read_device(r, node, name);
    if (s != HET_OK)
        return s;
    if (strcmp(name, "cpu") != 0)
        return het__yaml_fail(r->what, node, r->err, "%s is always done on the cpu, not on %s",
                              node->key, name);
    r->policy->host_parts |= UINT32_C(1) << part;
    return HET_OK;
}

static het_status read_part(reader *r, const het__yaml_node *node)
{
    het__policy_rule rule = { .layer_first = -1, .layer_last = -1, .line = node->line };
    for (uint32_t i = 0; het__host_names[i]; i++)
        if (strcmp(node->key, het__host_names[i]) == 0)
            return read_host_part(r, node, i);
    het_status s = read_class(r, node, node->key, &rule.classes);
    if (s == HET_OK)
        s = read_devices(r, node, &rule.must);
    return s == HET_OK ? het__policy_append_rule(r->policy, &rule, r->what, r->err) : s;
}

static het_status read_static(reader *r, const het__yaml_node *node)
{
    if (node->kind != HET__YAML_MAPPING)
        return het__yaml_fail(r->what, node, r->err, "static_partition must be a mapping");
    het_status s = HET_OK;
    for (uint32_t i = 0; s == HET_OK && i < node->count; i++)
        s = read_part(r, &node->children[i]);
    return s;
}

/* ---- limits and precision: one entry per device ---- */

static het_status read_keep(reader *r, const het__yaml_node *node, uint32_t *keep)
{
    return read_choice(r, node, het__expert_keep_names, keep);
}

static het_status read_stream(reader *r, const het__yaml_node *node, uint32_t *stream)
{
    bool streams = false;
    const het_status s = het__yaml_flag(r->what, node, &streams, r->err);
    *stream = streams ? HET__STREAM_ALWAYS : HET__STREAM_NEVER;
    return s;
}

static het_status read_limit(reader *r, const het__yaml_node *node)
{
    static const char *const keys[] = { "memory", "memory_share", "threads", "experts",
                                        "experts_keep", "stream", NULL };
    het__policy_limit limit = { .line = node->line };
    het__policy_devices one = { 0 };
    het_error inner = HET_ERROR_INIT;
    if (het__policy_add_device(&one, node->key, &inner) != HET_OK)
        return het__yaml_fail(r->what, node, r->err, "%s", inner.message);
    memcpy(limit.device, one.name[0], sizeof limit.device);
    het_status s = het__yaml_keys(r->what, node, keys, r->err);
    for (uint32_t i = 0; s == HET_OK && i < node->count; i++) {
        const het__yaml_node *value = &node->children[i];
        s = strcmp(value->key, "memory") == 0 ? read_bytes(r, value, "B", &limit.memory_bytes)
            : strcmp(value->key, "threads") == 0
                ? read_count(r, value, 1, HET__POLICY_THREADS_MAX, &limit.threads)
            : strcmp(value->key, "experts") == 0
                ? read_bytes(r, value, "B", &limit.expert_bytes)
            : strcmp(value->key, "experts_keep") == 0
                ? read_keep(r, value, &limit.expert_keep)
            : strcmp(value->key, "stream") == 0
                ? read_stream(r, value, &limit.stream)
            : read_number(r, value, HET__POLICY_SHARE_MIN, 1, &limit.memory_share);
    }
    return s == HET_OK ? het__policy_set_limit(r->policy, &limit, r->what, r->err) : s;
}

static het_status read_entries(reader *r, const het__yaml_node *node, read_fn read)
{
    if (node->kind != HET__YAML_MAPPING)
        return het__yaml_fail(r->what, node, r->err, "%s must be a mapping of devices", node->key);
    het_status s = HET_OK;
    for (uint32_t i = 0; s == HET_OK && i < node->count; i++)
        s = read(r, &node->children[i]);
    return s;
}

static het_status read_limits(reader *r, const het__yaml_node *node)
{
    return read_entries(r, node, read_limit);
}

static het_status read_type(reader *r, const het__yaml_node *node)
{
    static const char *const sums[] = { "f32", NULL };
    het__policy *p = r->policy;
    het__policy_devices one = { 0 };
    het_error inner = HET_ERROR_INIT;
    uint32_t index = 0;
    if (strcmp(node->key, "accumulate") == 0) /* nobody sums in less */
        return read_choice(r, node, sums, &index);
    if (het__policy_add_device(&one, node->key, &inner) != HET_OK)
        return het__yaml_fail(r->what, node, r->err, "%s", inner.message);
    if (p->precision_count == HET__POLICY_LIMITS_MAX)
        return het__yaml_fail(r->what, node, r->err, "there are more than %d entries",
                              HET__POLICY_LIMITS_MAX);
    het__policy_precision *entry = &p->precision[p->precision_count];
    memcpy(entry->device, one.name[0], sizeof entry->device);
    const het_status s = read_choice(r, node, het__peak_names, &entry->type);
    p->precision_count += s == HET_OK;
    return s;
}

static het_status read_precision(reader *r, const het__yaml_node *node)
{
    return read_entries(r, node, read_type);
}

/* ---- thresholds ---- */

static het_status read_min_flops(reader *r, const het__yaml_node *node)
{
    return read_number(r, node, 0, HET__POLICY_FLOPS_MAX, &r->policy->min_flops);
}

static het_status read_min_bytes(reader *r, const het__yaml_node *node)
{
    return read_bytes(r, node, "B", &r->policy->min_bytes);
}

static het_status read_transfer_ratio(reader *r, const het__yaml_node *node)
{
    return read_number(r, node, 1e-6, 1e6, &r->policy->max_transfer_ratio);
}

static het_status read_dynamic(reader *r, const het__yaml_node *node)
{
    static const key_reader keys[] = {
        { "min_flops", read_min_flops },
        { "min_bytes", read_min_bytes },
        { "max_transfer_ratio", read_transfer_ratio },
    };
    return READ_KEYS(r, node, keys);
}

/* ---- running ---- */

static het_status read_capacity(reader *r, const het__yaml_node *node)
{
    return read_bytes(r, node, "B/s", &r->policy->bandwidth_capacity);
}

static het_status read_tokens(reader *r, const het__yaml_node *node)
{
    return read_count(r, node, 1, 1 << 20, &r->policy->bandwidth_tokens);
}

static het_status read_throttle(reader *r, const het__yaml_node *node)
{
    return het__yaml_flag(r->what, node, &r->policy->throttle, r->err);
}

static het_status read_bandwidth(reader *r, const het__yaml_node *node)
{
    static const key_reader keys[] = {
        { "capacity", read_capacity },
        { "tokens", read_tokens },
        { "throttle", read_throttle },
    };
    const het_status s = READ_KEYS(r, node, keys);
    if (s == HET_OK && r->policy->bandwidth_capacity == 0)
        return het__yaml_fail(r->what, node, r->err, "%s needs a capacity", node->key);
    return s;
}

static het_status read_batch_min(reader *r, const het__yaml_node *node)
{
    return read_count(r, node, 1, 1 << 20, &r->policy->micro_batch_min);
}

static het_status read_batch_max(reader *r, const het__yaml_node *node)
{
    return read_count(r, node, 1, 1 << 20, &r->policy->micro_batch_max);
}

static het_status read_adaptive(reader *r, const het__yaml_node *node)
{
    return het__yaml_flag(r->what, node, &r->policy->micro_batch_adaptive, r->err);
}

static het_status read_micro_batch(reader *r, const het__yaml_node *node)
{
    static const key_reader keys[] = {
        { "min", read_batch_min },
        { "max", read_batch_max },
        { "adaptive", read_adaptive },
    };
    const het__policy *p = r->policy;
    const het_status s = READ_KEYS(r, node, keys);
    if (s != HET_OK)
        return s;
    if (p->micro_batch_max && p->micro_batch_max < p->micro_batch_min)
        return het__yaml_fail(r->what, node, r->err, "micro_batch.max %u is less than min %u",
                              p->micro_batch_max, p->micro_batch_min);
    if (p->micro_batch_adaptive && !p->micro_batch_max)
        return het__yaml_fail(r->what, node, r->err, "an adaptive micro_batch needs a max");
    return HET_OK;
}

static het_status read_queue_depth(reader *r, const het__yaml_node *node)
{
    return read_count(r, node, 1, 1 << 20, &r->policy->max_queue_depth);
}

static het_status read_stages(reader *r, const het__yaml_node *node)
{
    return read_count(r, node, 1, 64, &r->policy->pipeline_stages);
}

static het_status read_double_buffering(reader *r, const het__yaml_node *node)
{
    return het__yaml_flag(r->what, node, &r->policy->double_buffering, r->err);
}

static het_status read_pipelining(reader *r, const het__yaml_node *node)
{
    static const key_reader keys[] = {
        { "stages", read_stages },
        { "double_buffering", read_double_buffering },
    };
    return READ_KEYS(r, node, keys);
}

/* ---- fallback ---- */

static het_status read_next(reader *r, const het__yaml_node *node, het__policy_fallback *f)
{
    if (node->kind == HET__YAML_SCALAR && strcmp(node->text, "none") == 0)
        return HET_OK;
    if (node->kind == HET__YAML_SCALAR && strcmp(node->text, HET__POLICY_ANY) == 0) {
        strcpy(f->next, HET__POLICY_ANY);
        return HET_OK;
    }
    return read_device(r, node, f->next);
}

/* Short forms: what to do, or who takes over. */
static het_status read_short(reader *r, const het__yaml_node *node, het__policy_fallback *f)
{
    const bool is_retry = strcmp(node->text, "retry") == 0;
    if (strcmp(node->text, "fail") == 0)
        return HET_OK;
    if (!is_retry && strcmp(node->text, "fallback") != 0)
        return read_next(r, node, f);
    f->retry = is_retry ? HET__POLICY_RETRIES : 0;
    f->backoff_ms = is_retry ? HET__POLICY_BACKOFF_MS : 0;
    strcpy(f->next, HET__POLICY_ANY);
    return HET_OK;
}

static het_status read_trigger(reader *r, const het__yaml_node *node, het__policy_trigger trigger)
{
    static const char *const limits[HET__TRIGGER_COUNT] = { NULL, NULL, "after_ms", "celsius" };
    const char *const keys[] = { "retry", "backoff_ms", "next", limits[trigger],
                                 trigger == HET__TRIGGER_THERMAL ? "return_celsius" : NULL, NULL };
    het__policy_fallback *f = &r->policy->fallback[trigger];
    f->is_set = true;
    if (node->kind == HET__YAML_SCALAR)
        return read_short(r, node, f);
    het_status s = het__yaml_keys(r->what, node, keys, r->err);
    for (uint32_t i = 0; s == HET_OK && i < node->count; i++) {
        const het__yaml_node *value = &node->children[i];
        s = strcmp(value->key, "retry") == 0 ? read_count(r, value, 0, 100, &f->retry)
            : strcmp(value->key, "backoff_ms") == 0
                ? read_count(r, value, 0, 3600000, &f->backoff_ms)
            : strcmp(value->key, "next") == 0 ? read_next(r, value, f)
            : strcmp(value->key, "return_celsius") == 0 ? read_number(r, value, 1, 150, &f->back)
            : trigger == HET__TRIGGER_TIMEOUT ? read_number(r, value, 1, 1e9, &f->limit)
                                              : read_number(r, value, 1, 150, &f->limit);
    }
    if (s == HET_OK && f->limit > 0 && f->back >= f->limit && trigger == HET__TRIGGER_THERMAL)
        return het__yaml_fail(r->what, node, r->err, "return_celsius must be below celsius");
    return s;
}

static het_status read_on_error(reader *r, const het__yaml_node *node)
{
    return read_trigger(r, node, HET__TRIGGER_ERROR);
}

static het_status read_on_oom(reader *r, const het__yaml_node *node)
{
    return read_trigger(r, node, HET__TRIGGER_OOM);
}

static het_status read_on_timeout(reader *r, const het__yaml_node *node)
{
    return read_trigger(r, node, HET__TRIGGER_TIMEOUT);
}

static het_status read_on_thermal(reader *r, const het__yaml_node *node)
{
    return read_trigger(r, node, HET__TRIGGER_THERMAL);
}

static het_status read_on_missing(reader *r, const het__yaml_node *node)
{
    static const char *const names[] = { "error", "skip", NULL };
    uint32_t index = 0;
    const het_status s = read_choice(r, node, names, &index);
    r->policy->skip_missing = index == 1;
    return s;
}

static het_status read_fallback(reader *r, const het__yaml_node *node)
{
    static const key_reader keys[] = {
        { "on_error", read_on_error },     { "on_oom", read_on_oom },
        { "on_timeout", read_on_timeout }, { "on_thermal", read_on_thermal },
        { "on_missing", read_on_missing },
    };
    return READ_KEYS(r, node, keys);
}

/* ---- telemetry ---- */

static het_status read_enable(reader *r, const het__yaml_node *node)
{
    return het__yaml_flag(r->what, node, &r->policy->telemetry, r->err);
}

static het_status read_interval(reader *r, const het__yaml_node *node)
{
    return read_count(r, node, 1, 86400000, &r->policy->telemetry_interval_ms);
}

static het_status read_sink(reader *r, const het__yaml_node *node)
{
    return read_text(r, node, &r->policy->telemetry_sink);
}

static het_status read_telemetry(reader *r, const het__yaml_node *node)
{
    static const key_reader keys[] = {
        { "enable", read_enable },
        { "interval_ms", read_interval },
        { "sink", read_sink },
    };
    return READ_KEYS(r, node, keys);
}

/* ---- the document ---- */

static het_status read_name(reader *r, const het__yaml_node *node)
{
    return read_text(r, node, &r->policy->name);
}

static het_status read_description(reader *r, const het__yaml_node *node)
{
    return read_text(r, node, &r->policy->description);
}

static het_status read_model(reader *r, const het__yaml_node *node)
{
    return read_text(r, node, &r->policy->model);
}

static het_status read_all_devices(reader *r, const het__yaml_node *node)
{
    return read_devices(r, node, &r->policy->devices);
}

static het_status read_objective(reader *r, const het__yaml_node *node)
{
    uint32_t index = 0;
    const het_status s = read_choice(r, node, het__objective_names, &index);
    r->policy->objective = s == HET_OK ? HET_OBJECTIVE_LATENCY + index : HET_OBJECTIVE_DEFAULT;
    return s;
}

static het_status read_power(reader *r, const het__yaml_node *node)
{
    return read_choice(r, node, het__power_names, &r->policy->power);
}

static het_status read_scheduling(reader *r, const het__yaml_node *node)
{
    return read_choice(r, node, het__scheduling_names, &r->policy->scheduling);
}

static het_status read_version(reader *r, const het__yaml_node *node)
{
    uint32_t version = 0;
    const het_status s = read_count(r, node, 1, 1000000, &version);
    if (s != HET_OK || version == 1)
        return s;
    het__yaml_fail(r->what, node, r->err,
                   "version %u of policies is newer than this library, which reads 1", version);
    if (r->err)
        r->err->status = HET_E_VERSION;
    return HET_E_VERSION;
}

static const key_reader document_keys[] = {
    { "hetinfer-policy", read_version },
    { "name", read_name },
    { "description", read_description },
    { "model", read_model },
    { "devices", read_all_devices },
    { "objective", read_objective },
    { "power_profile", read_power },
    { "static_partition", read_static },
    { "rules", read_rules },
    { "split", read_split },
    { "limits", read_limits },
    { "dynamic", read_dynamic },
    { "precision", read_precision },
    { "scheduling", read_scheduling },
    { "bandwidth_tokens", read_bandwidth },
    { "micro_batch", read_micro_batch },
    { "max_queue_depth", read_queue_depth },
    { "pipelining", read_pipelining },
    { "fallback", read_fallback },
    { "telemetry", read_telemetry },
};

static het_status read_document(reader *r, const het__yaml_node *root)
{
    const het_status s = READ_KEYS(r, root, document_keys);
    if (s != HET_OK)
        return s;
    if (!het__yaml_get(root, "hetinfer-policy") && !het__yaml_get(root, "static_partition"))
        return het__yaml_fail(r->what, root, r->err,
                              "this is no policy: neither hetinfer-policy: 1 nor a "
                              "static_partition is in it");
    return het__policy_check(r->policy, r->what, r->err);
}

het_status het__policy_read(const char *text, size_t size, const char *what, het__mem *mem,
                            het__policy *policy, het_error *err)
{
    reader r = { what, policy, err };
    const het__yaml_node *root = NULL;
    het__arena tree;
    het__policy_init(policy, mem);
    het__arena_init(&tree, mem);
    het_status s = het__yaml_parse(text, size, what, &tree, &root, err);
    if (s == HET_OK)
        s = read_document(&r, root);
    het__arena_finish(&tree);
    if (s != HET_OK)
        het__policy_finish(policy);
    return s;
}
